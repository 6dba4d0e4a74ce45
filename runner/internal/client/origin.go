package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// freshFor is how long the addresses of a name are used before they are looked up again. Lookups
// go on behind the traffic, which uses the old ones meanwhile. Load balancers' names live for a minute.
const freshFor = 30 * time.Second

// An Origin is where requests go: a scheme, a host and a port, with the addresses of the host. It is shared
// by all loops, and is made once for each origin of a script.
type Origin struct {
	host string // without brackets
	port uint16
	tls  *tls.Config // nil: plain HTTP

	known   atomic.Pointer[addresses]
	looking chan struct{} // holds one token: who has it may look up
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// addresses are those of a host, as of a time.
type addresses struct {
	list []netip.AddrPort
	at   time.Time // zero: for good
}

// NewOrigin returns the origin of scheme ("http" or "https") and host ("host" or "host:port", as in a URL).
// The config is for https; it is cloned, and nil means that the system's roots are trusted.
func NewOrigin(scheme, host string, config *tls.Config) (*Origin, error) {
	o := &Origin{looking: make(chan struct{}, 1), lookup: net.DefaultResolver.LookupNetIP}
	switch scheme {
	case "http":
		o.port = 80
	case "https":
		o.port = 443
		if config == nil {
			config = new(tls.Config)
		}
		o.tls = config.Clone()
	default:
		return nil, fmt.Errorf("origin %s://%s: the scheme is neither http nor https", scheme, host)
	}
	o.host = host
	if name, port, err := net.SplitHostPort(host); err == nil {
		o.host = name
		if port != "" { // "host:" means the default port
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil || n == 0 {
				return nil, fmt.Errorf("origin %s://%s: the port is not a number from 1 to 65535", scheme, host)
			}
			o.port = uint16(n)
		}
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		if o.host, ok = strings.CutSuffix(inner, "]"); !ok {
			return nil, fmt.Errorf("origin %s://%s: a \"]\" is missing", scheme, host)
		}
	} else if strings.Contains(host, ":") {
		return nil, fmt.Errorf("origin %s://%s: an IPv6 address stands in brackets", scheme, host)
	}
	for _, r := range o.host {
		if r <= ' ' || r >= 0x7f {
			return nil, fmt.Errorf("origin %s://%s: the host holds %q; names beyond ASCII are written as xn--…", scheme, host, r)
		}
	}
	if o.host == "" {
		return nil, fmt.Errorf("origin %s://%s: the host is missing", scheme, host)
	}
	if ip, err := netip.ParseAddr(o.host); err == nil {
		o.known.Store(&addresses{list: []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), o.port)}})
	}
	if o.tls != nil {
		name, _, _ := strings.Cut(o.host, "%") // a zone is no part of a certificate
		o.tls.ServerName = cmp.Or(o.tls.ServerName, name)
		o.tls.NextProtos = []string{"http/1.1"}
		if o.tls.ClientSessionCache == nil {
			o.tls.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		}
	}
	return o, nil
}

// String returns host:port.
func (o *Origin) String() string { return net.JoinHostPort(o.host, strconv.Itoa(int(o.port))) }

// addresses returns what is known, or nil, and whether it should be looked up (again).
func (o *Origin) addresses() (list []netip.AddrPort, stale bool) {
	known := o.known.Load()
	if known == nil {
		return nil, true
	}
	return known.list, !known.at.IsZero() && time.Since(known.at) > freshFor
}

// resolve looks the addresses up if they are not fresh. It blocks; one lookup is in progress at a time. Its
// errors are a *net.DNSError, or ctx's.
func (o *Origin) resolve(ctx context.Context) error {
	select {
	case o.looking <- struct{}{}:
		defer func() { <-o.looking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, stale := o.addresses(); !stale {
		return nil // somebody else has, meanwhile
	}
	found, err := o.lookup(ctx, "ip", o.host)
	if err != nil {
		return err
	}
	list := make([]netip.AddrPort, 0, len(found))
	for _, ip := range found {
		list = append(list, netip.AddrPortFrom(ip.Unmap(), o.port))
	}
	if len(list) == 0 {
		return &net.DNSError{Err: "no addresses", Name: o.host, IsNotFound: true}
	}
	o.known.Store(&addresses{list: list, at: time.Now()})
	return nil
}
