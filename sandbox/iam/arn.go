package iam

import (
	"fmt"
	"strings"
)

// An ARN is an Amazon Resource Name taken apart. Its zero value is no ARN.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// ParseARN takes an ARN apart and reports whether it has the six parts of one; the resource is the
// rest and may hold colons. The parts are not checked further.
func ParseARN(s string) (ARN, bool) {
	var p [5]string // no slice: this runs for every decision
	rest, ok := s, true
	for i := range p {
		if p[i], rest, ok = strings.Cut(rest, ":"); !ok {
			return ARN{}, false
		}
	}
	if p[0] != "arn" || p[1] == "" || p[2] == "" || rest == "" {
		return ARN{}, false
	}
	return ARN{Partition: p[1], Service: p[2], Region: p[3], Account: p[4], Resource: rest}, true
}

// String returns the ARN as text, or "" for the zero value.
func (a ARN) String() string {
	if a == (ARN{}) {
		return ""
	}
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}

// UserARN returns the ARN of an IAM user.
func UserARN(account, user string) string {
	return fmt.Sprintf("arn:aws:iam::%s:user/%s", account, user)
}

// RoleARN returns the ARN of an IAM role.
func RoleARN(account, role string) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/%s", account, role)
}

// RootARN returns the ARN that stands for an account as a whole, and for its root user.
func RootARN(account string) string { return fmt.Sprintf("arn:aws:iam::%s:root", account) }

// SessionARN returns the ARN under which a role's session calls.
func SessionARN(account, role, session string) string {
	return fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", account, role, session)
}

// sessionRole returns the name of the role behind a session's ARN, and whether it is one. The name
// has no path, because a session's ARN does not show its role's path.
func sessionRole(arn ARN) (string, bool) {
	if arn.Service != "sts" {
		return "", false
	}
	rest, ok := strings.CutPrefix(arn.Resource, "assumed-role/")
	if !ok {
		return "", false
	}
	role, session, ok := strings.Cut(rest, "/")
	return role, ok && role != "" && session != ""
}

// roleName returns the name, without its path, of the role that an ARN names.
func roleName(arn ARN) (string, bool) {
	rest, ok := strings.CutPrefix(arn.Resource, "role/")
	if !ok || arn.Service != "iam" {
		return "", false
	}
	return rest[strings.LastIndexByte(rest, '/')+1:], true
}

// SamePrincipal reports whether caller, a caller's ARN, is the principal that named names: the same
// ARN, or a session of the role with that ARN. An account's root names only the root user here; that
// it also stands for the account is for the reader of the policy to decide.
func SamePrincipal(named, caller string) bool {
	if named == caller {
		return named != ""
	}
	n, ok := ParseARN(named)
	if !ok {
		return false
	}
	role, ok := roleName(n)
	if !ok {
		return false
	}
	c, ok := ParseARN(caller)
	if !ok || c.Partition != n.Partition || c.Account != n.Account {
		return false
	}
	r, ok := sessionRole(c)
	return ok && r == role
}

// SameService reports whether two service principals are the same service: "qldb.amazonaws.com" is
// the global name of what KMS shows as "qldb.eu-west-2.amazonaws.com" in the Region eu-west-2. An
// empty name is no service.
func SameService(a, b string) bool {
	sa, ra, oka := splitService(a)
	sb, rb, okb := splitService(b)
	return oka && okb && sa == sb && (ra == rb || ra == "" || rb == "")
}

// IsService reports whether s has the form of a service principal.
func IsService(s string) bool { _, _, ok := splitService(s); return ok }

func splitService(s string) (service, region string, ok bool) {
	rest, ok := strings.CutSuffix(s, ".amazonaws.com")
	if !ok || rest == "" || strings.ContainsAny(rest, ":/*?") {
		return "", "", false
	}
	service, region, _ = strings.Cut(rest, ".")
	return service, region, service != "" && !strings.HasSuffix(rest, ".")
}
