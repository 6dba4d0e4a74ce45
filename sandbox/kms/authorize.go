package kms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"loadkms/sandbox/iam"
)

// Who may use a key is decided as the KMS Developer Guide describes: an explicit Deny, in the key's
// policy or in the caller's own, forbids. Otherwise one of these allows:
//
//   - a statement of the key's policy that names the caller (a role's ARN names its sessions);
//   - a statement that names the caller's account, if the caller's own policies allow it too;
//   - a grant to the caller that lists the operation, with its constraints met. With eventual
//     consistency, a new grant counts at once for those who show its token, and for others later.
//
// A service acting for itself (iam.Caller.Service) has neither an account nor policies of its own:
// it lives on grants, unless the key's policy names the service. A grant to the service principal
// "qldb.eu-west-2.amazonaws.com" is for the caller with Service "qldb.amazonaws.com": the first is
// how KMS writes a service in one Region, the second is the service's global name. A call that a
// service makes for a principal (iam.Caller.Via) is that principal's call; grants to the service do
// not help it. That is why a ledger whose grant is revoked and a role that the key's policy does not
// name fail at different calls.

// An access is what a request holds that conditions and grants may look at.
type access struct {
	context map[string]string // the encryption context
	withEC  bool              // the operation takes an encryption context
	alias   string            // by which the key was asked for, or ""
	// algorithm is the one asked for, or "". In a condition its name depends on the key's usage.
	algorithm string
	values    map[string]string // further condition keys, in lower case without "kms:"
	grant     *CreateGrantRequest
	tags      []Tag    // of the request, for aws:RequestTag
	tagKeys   []string // for aws:TagKeys
	sameKey   string   // for kms:ReEncryptOnSameKey
}

// authorize returns nil if the caller may perform the operation on the key. Because it sees every use
// of a key, it is also where uses are counted against the quotas they share. s.mu must be held.
func (s *Service) authorize(by *call, operation string, k *key, a access) *Error {
	if err := s.takeUse(operation, k, &a); err != nil {
		return err
	}
	redeemed, err := s.redeem(k, by.tokens)
	if err != nil {
		return err
	}
	c := by.caller
	a.sameKey = by.sameKey
	q := question{s: s, key: k, access: &a}
	r := &iam.Request{Caller: c, Action: "kms:" + operation, Resource: k.arn, Value: q.value, Environment: s.environment()}
	q.caller = &r.Caller

	byKey, byIdentity := k.policy.Evaluate(r), s.directory.Identity(r)
	switch {
	case byKey == iam.Deny:
		return errDenied(c, r.Action, k.arn, "with an explicit deny in a resource-based policy")
	case byIdentity == iam.Deny:
		return errDenied(c, r.Action, k.arn, "with an explicit deny in an identity-based policy")
	case byKey == iam.Allow && (c.Account == s.account || c.Service != "" || byIdentity == iam.Allow):
		return nil
	case byKey == iam.Delegated && byIdentity == iam.Allow:
		return nil
	}
	for _, g := range redeemed {
		if g.allows(c, operation, &a, byIdentity) {
			return nil
		}
	}
	for _, g := range k.grants {
		if g.allows(c, operation, &a, byIdentity) {
			return nil
		}
	}
	if c.Account != s.account && c.Service == "" {
		return errForeign(c, operation)
	}
	if byKey == iam.Delegated {
		return errDenied(c, r.Action, k.arn, fmt.Sprintf("because no identity-based policy allows the %s action", r.Action))
	}
	return errDenied(c, r.Action, k.arn, fmt.Sprintf("because no resource-based policy allows the %s action", r.Action))
}

// authorizeIdentity decides about operations on no key: listing, creating, and the alias itself. Only
// the caller's own policies count there.
func (s *Service) authorizeIdentity(c iam.Caller, operation, resource string) *Error {
	return s.identity(c, operation, resource, question{s: s, access: &access{}})
}

// authorizeNew decides about the making of a key. Conditions can look at what it is going to be;
// giving it tags needs a permission of its own.
func (s *Service) authorizeNew(c iam.Caller, k *key, in *CreateKeyRequest) *Error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a := &access{tags: in.Tags, tagKeys: tagged(in.Tags), values: map[string]string{
		"bypasspolicylockoutsafetycheck": strconv.FormatBool(in.BypassPolicyLockoutSafetyCheck)}}
	if err := s.identity(c, "CreateKey", "*", question{s: s, key: k, access: a}); err != nil || len(in.Tags) == 0 {
		return err
	}
	return s.identity(c, "TagResource", "*", question{s: s, key: k, access: a})
}

func (s *Service) identity(c iam.Caller, operation, resource string, q question) *Error {
	r := &iam.Request{Caller: c, Action: "kms:" + operation, Resource: resource, Value: q.value, Environment: s.environment()}
	q.caller = &r.Caller
	switch s.directory.Identity(r) {
	case iam.Allow:
		return nil
	case iam.Deny:
		return errDenied(c, r.Action, resource, "with an explicit deny in an identity-based policy")
	}
	return errDenied(c, r.Action, resource, fmt.Sprintf("because no identity-based policy allows the %s action", r.Action))
}

// environment is where and when a request is made.
func (s *Service) environment() iam.Environment {
	return iam.Environment{Region: s.region, Clock: s.clock}
}

// lockedOut reports whether the caller could not change the key's policy again if it were p.
func (s *Service) lockedOut(c iam.Caller, k *key, p *iam.Policy) bool {
	q := question{s: s, key: k, access: &access{}}
	r := &iam.Request{Caller: c, Action: "kms:PutKeyPolicy", Resource: k.arn, Value: q.value, Environment: s.environment()}
	q.caller = &r.Caller
	byKey, byIdentity := p.Evaluate(r), s.directory.Identity(r)
	return byIdentity == iam.Deny || byKey != iam.Allow && !(byKey == iam.Delegated && byIdentity == iam.Allow)
}

// errDenied says who may not do what. A service acting for itself has no ARN, so its name is shown.
func errDenied(c iam.Caller, action, resource, why string) *Error {
	return refuse("AccessDeniedException", "User: %s is not authorized to perform: %s on resource: %s %s",
		shown(c), action, resource, why)
}

// errForeign answers callers of other accounts, and questions about other accounts' keys, without
// telling whether the key exists.
func errForeign(c iam.Caller, operation string) *Error {
	return refuse("AccessDeniedException", "User: %s is not authorized to perform: kms:%s on this resource because "+
		"the resource does not exist in this Region, no resource-based policies allow access, or a resource-based "+
		"policy explicitly denies access", shown(c), operation)
}

func shown(c iam.Caller) string {
	switch {
	case c.Principal != "":
		return c.Principal
	case c.Service != "":
		return c.Service
	}
	return "anonymous"
}

// A question gives policies the values of KMS's condition keys.
type question struct {
	s      *Service
	key    *key // nil for operations on no key
	caller *iam.Caller
	access *access
}

// value implements iam.Request.Value; name is in lower case.
func (q *question) value(name string) ([]string, bool) {
	name, ok := strings.CutPrefix(name, "kms:")
	if !ok {
		return q.global(name)
	}
	if wanted, ok := strings.CutPrefix(name, "encryptioncontext:"); ok {
		// The condition's key matches in either case, so more than one pair may answer.
		var have []string
		for k, v := range q.access.context {
			if strings.EqualFold(k, wanted) {
				have = append(have, v)
			}
		}
		return have, len(have) > 0
	}
	one := func(v string) ([]string, bool) { return []string{v}, v != "" }
	switch name {
	case "viaservice":
		return one(q.caller.Via)
	case "calleraccount":
		if q.caller.Service != "" {
			return nil, false
		}
		return one(q.caller.Account)
	case "encryptioncontextkeys":
		var have []string
		for k := range q.access.context {
			have = append(have, k)
		}
		return have, len(have) > 0
	case "reencryptonsamekey":
		return one(q.access.sameKey)
	case "requestalias":
		return one(q.access.alias)
	case "resourcealiases":
		if q.key == nil {
			return nil, false
		}
		have := q.s.aliasesOf(q.key)
		return have, len(have) > 0
	case "keyspec", "customermasterkeyspec":
		if q.key != nil {
			return one(q.key.spec)
		}
	case "keyusage", "customermasterkeyusage":
		if q.key != nil {
			return one(q.key.usage)
		}
	case "keyorigin":
		if q.key != nil {
			return one(q.key.origin)
		}
	case "multiregion":
		if q.key != nil {
			return one(strconv.FormatBool(q.key.multiRegion))
		}
	case "encryptionalgorithm", "signingalgorithm", "macalgorithm", "keyagreementalgorithm", "encapsulationalgorithm":
		if q.key != nil && algorithmConditions[q.key.usage] == name {
			return one(q.algorithm())
		}
		return nil, false
	case "multiregionkeytype":
		if q.key != nil && q.key.multiRegion {
			return one("PRIMARY")
		}
	}
	if g := q.access.grant; g != nil {
		switch name {
		case "grantisforawsresource":
			return one(strconv.FormatBool(q.caller.Via != "" || q.caller.Service != ""))
		case "grantoperations":
			return g.Operations, len(g.Operations) > 0
		case "granteeprincipal":
			return one(g.GranteePrincipal)
		case "granteeserviceprincipal":
			return one(g.GranteeServicePrincipal)
		case "retiringprincipal":
			return one(g.RetiringPrincipal)
		case "grantconstrainttype":
			var have []string
			if g.Constraints != nil && g.Constraints.EncryptionContextEquals != nil {
				have = append(have, "EncryptionContextEquals")
			}
			if g.Constraints != nil && g.Constraints.EncryptionContextSubset != nil {
				have = append(have, "EncryptionContextSubset")
			}
			return have, len(have) > 0
		}
	}
	return one(q.access.values[name])
}

// algorithmConditions are the condition keys for an algorithm, by the usage of the key.
var algorithmConditions = map[string]string{encryptDecrypt: "encryptionalgorithm", signVerify: "signingalgorithm",
	generateVerifyMac: "macalgorithm", keyAgreement: "keyagreementalgorithm", encapsulateDecapsulate: "encapsulationalgorithm"}

// algorithm is the algorithm that the request asks for, which symmetric keys have by default.
func (q *question) algorithm() string {
	if q.access.algorithm == "" && q.access.withEC {
		return symmetric
	}
	return q.access.algorithm
}

// allows reports whether the grant lets c perform the operation. byIdentity is what the caller's own
// policies say, for a grant to a whole account.
func (g *grant) allows(c iam.Caller, operation string, a *access, byIdentity iam.Effect) bool {
	if !slices.Contains(g.entry.Operations, operation) || !g.isFor(c, byIdentity) {
		return false
	}
	if a.grant != nil && operation == "CreateGrant" && !g.covers(a.grant) {
		return false // who has a permission by grant can hand on no more than that
	}
	con := g.entry.Constraints
	if con == nil {
		return true
	}
	if con.SourceArn != "" && con.SourceArn != c.SourceARN {
		return false
	}
	if !a.withEC {
		return true // constraints on the context do not apply to DescribeKey, CreateGrant and RetireGrant
	}
	if con.EncryptionContextEquals != nil && !contains(con.EncryptionContextEquals, a.context, true) {
		return false
	}
	return contains(con.EncryptionContextSubset, a.context, false)
}

func (g *grant) isFor(c iam.Caller, byIdentity iam.Effect) bool {
	if c.Service != "" {
		return iam.SameService(g.entry.GranteePrincipal, c.Service) || iam.SameService(g.entry.GranteeServicePrincipal, c.Service)
	}
	if iam.SamePrincipal(g.entry.GranteePrincipal, c.Principal) {
		return true
	}
	return g.entry.GranteePrincipal == iam.RootARN(c.Account) && byIdentity == iam.Allow
}

// contains reports whether have holds every pair of want, and with exactly no other.
func contains(want, have map[string]string, exactly bool) bool {
	if exactly && len(want) != len(have) {
		return false
	}
	for k, v := range want {
		if h, ok := have[k]; !ok || h != v {
			return false
		}
	}
	return true
}
