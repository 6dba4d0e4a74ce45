package iam

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// An Environment is what all requests to a service share. The zero value holds nothing: conditions on it
// find no key.
type Environment struct {
	Region string
	Clock  interface{ Now() time.Time } // nil: no time
}

// From returns the caller as one whose request comes from a network address, host:port or host, and a user
// agent.
func (c Caller) From(address, agent string) Caller {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	c.Address, c.Agent = address, agent
	return c
}

// globalRegion is the Region of services that are in none.
const globalRegion = "us-east-1"

// inRange is the operator IpAddress: value is an address or a range of them, such as 10.0.0.0/8.
func inRange(value, have string) bool {
	want, ok := ipRange(value)
	if !ok {
		return false
	}
	address, err := netip.ParseAddr(have)
	return err == nil && want.Contains(address.Unmap().WithZone(""))
}

// ipRange reads a range of addresses, of which one address is one.
func ipRange(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		address, err := netip.ParseAddr(s)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, false
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil
}

// globalKeys are the global condition keys, in lower case, with what a request holds there; "" is nothing.
var globalKeys = map[string]func(r *Request) string{
	"aws:principalarn": func(r *Request) string {
		// For a session the key holds the role's ARN; roles with a path cannot be told from it.
		arn, ok := ParseARN(r.Caller.Principal)
		if !ok {
			return ""
		}
		if name, ok := sessionRole(arn); ok {
			return RoleARN(arn.Account, name)
		}
		return r.Caller.Principal
	},
	"aws:principalaccount": func(r *Request) string {
		if r.Caller.Service != "" {
			return ""
		}
		return r.Caller.Account
	},
	"aws:principaltype": func(r *Request) string {
		arn, ok := ParseARN(r.Caller.Principal)
		_, session := sessionRole(arn)
		switch {
		case !ok:
			return ""
		case session:
			return "AssumedRole"
		case arn.Resource == "root":
			return "Account"
		}
		return "User"
	},
	"aws:username": func(r *Request) string {
		arn, _ := ParseARN(r.Caller.Principal)
		name, _ := userName(arn)
		return name
	},
	"aws:principalisawsservice": func(r *Request) string { return strconv.FormatBool(r.Caller.Service != "") },
	"aws:principalservicename":  func(r *Request) string { return r.Caller.Service },
	"aws:viaawsservice":         func(r *Request) string { return strconv.FormatBool(r.Caller.Via != "") },
	"aws:calledvia":             calledVia, // here it is never several
	"aws:calledviafirst":        calledVia,
	"aws:calledvialast":         calledVia,
	"aws:sourcearn":             func(r *Request) string { return r.Caller.SourceARN },
	"aws:sourceaccount": func(r *Request) string {
		arn, _ := ParseARN(r.Caller.SourceARN)
		return arn.Account
	},

	"aws:requestedregion": func(r *Request) string {
		if strings.HasPrefix(r.Action, "iam:") {
			return globalRegion
		}
		return r.Environment.Region
	},
	"aws:currenttime": func(r *Request) string {
		if r.Environment.Clock == nil {
			return ""
		}
		return r.Environment.Clock.Now().UTC().Format(time.RFC3339Nano)
	},
	"aws:epochtime": func(r *Request) string {
		if r.Environment.Clock == nil {
			return ""
		}
		return strconv.FormatInt(r.Environment.Clock.Now().Unix(), 10)
	},
	// AWS's endpoints take nothing but TLS, and what comes to the sandbox in the clear would have come there
	// by TLS. To say otherwise would make the usual Deny for plain HTTP deny everything.
	"aws:securetransport": func(*Request) string { return "true" },
	"aws:sourceip": func(r *Request) string {
		if !r.direct() {
			return ""
		}
		return r.Caller.Address
	},
	"aws:useragent": func(r *Request) string {
		if !r.direct() {
			return ""
		}
		return r.Caller.Agent
	},
}

// direct reports whether the caller itself sends the request. Otherwise it comes from a service, whose
// address AWS does not tell.
func (r *Request) direct() bool { return r.Caller.Service == "" && r.Caller.Via == "" }

// calledVia is the global name of the service through which the call comes.
func calledVia(r *Request) string {
	service, _, ok := splitService(r.Caller.Via)
	if !ok {
		return ""
	}
	return service + ".amazonaws.com"
}

func (r *Request) value(key string) ([]string, bool) {
	if of, ok := globalKeys[key]; ok {
		v := of(r)
		return []string{v}, v != ""
	}
	if r.Value == nil {
		return nil, false
	}
	return r.Value(key)
}
