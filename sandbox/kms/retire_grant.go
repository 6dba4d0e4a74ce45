package kms

import (
	"slices"

	"loadkms/sandbox/iam"
)

// A RetireGrantRequest names the grant to end: by its token, or by its id and its key.
type RetireGrantRequest struct {
	GrantToken string `json:",omitempty"`
	KeyId      string `json:",omitempty"` // id or ARN
	GrantId    string `json:",omitempty"`
	DryRun     bool   `json:",omitempty"`
}

// A ListRetirableGrantsRequest asks for the next page of the grants that a principal can retire.
type ListRetirableGrantsRequest struct {
	RetiringPrincipal        string `json:",omitempty"`
	RetiringServicePrincipal string `json:",omitempty"` // instead; for callers that are services
	Limit                    *int32 `json:",omitempty"` // 1 to 1000; default 50
	Marker                   string `json:",omitempty"` // NextMarker of the page before
}

var (
	retireGrant         = operation[RetireGrantRequest, nothing]{"RetireGrant", (*Service).retireGrant}
	listRetirableGrants = operation[ListRetirableGrantsRequest, ListGrantsResponse]{
		"ListRetirableGrants", (*Service).listRetirableGrants}
)

// RetireGrant ends a grant on behalf of those whom the grant itself lets end it. It works in every
// state of the key.
func (s *Service) RetireGrant(c iam.Caller, in *RetireGrantRequest) error {
	return retireGrant.do(s, c, in)
}

// ListRetirableGrants lists the grants of all keys that name a retiring principal, in the order of
// their ids.
func (s *Service) ListRetirableGrants(c iam.Caller, in *ListRetirableGrantsRequest) (*ListGrantsResponse, error) {
	return listRetirableGrants.call(s, c, in)
}

func (s *Service) retireGrant(c *call, in *RetireGrantRequest) (*nothing, *Error) {
	v := c.validation()
	v.optional("GrantToken", in.GrantToken, 1, maxToken)
	v.optional("KeyId", in.KeyId, 1, 2048)
	v.optional("GrantId", in.GrantId, 1, 128)
	if err := v.err(); err != nil {
		return nil, err
	}
	byToken := in.GrantToken != ""
	if byToken == (in.KeyId != "" || in.GrantId != "") || !byToken && (in.KeyId == "" || in.GrantId == "") {
		return nil, refuse("ValidationException", "Specify either a grant token, or a key ID and a grant ID.")
	}
	s.mu.Lock()
	defer s.unlock()
	keyID, grantID := in.KeyId, in.GrantId
	if byToken {
		var ok bool
		if keyID, grantID, ok = s.readToken(in.GrantToken); !ok {
			return nil, errGrantToken()
		}
	}
	k, _, err := s.find(c, "RetireGrant", keyID, byKey)
	if err != nil {
		return nil, err
	}
	g := k.grants[grantID]
	if g == nil {
		if !s.related(c.caller, k) {
			return nil, errForeign(c.caller, "RetireGrant")
		}
		return nil, refuse("NotFoundException", "Grant ID %s not found", grantID)
	}
	if err := s.authorizeRetiring(c.caller, k, g); err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	delete(k.grants, grantID)
	return &nothing{}, nil
}

// related reports whether a caller may know which grants a key has: those of the key's account, and
// services.
func (s *Service) related(c iam.Caller, k *key) bool {
	return c.Account == s.account || c.Service != ""
}

// authorizeRetiring returns nil if the grant lets c retire it: its retiring principal, its grantee if
// RetireGrant is among its operations, and the root user of the account that made it. A policy alone
// lets nobody, but a Deny forbids, and a retiring principal that is an account leaves it to the
// policies of its users and roles. s.mu must be held.
func (s *Service) authorizeRetiring(c iam.Caller, k *key, g *grant) *Error {
	a := access{grant: &CreateGrantRequest{}}
	q := question{s: s, key: k, access: &a}
	r := &iam.Request{Caller: c, Action: "kms:RetireGrant", Resource: k.arn, Value: q.value, Environment: s.environment()}
	q.caller = &r.Caller
	byKey, byIdentity := k.policy.Evaluate(r), s.directory.Identity(r)
	switch {
	case byKey == iam.Deny:
		return errDenied(c, r.Action, k.arn, "with an explicit deny in a resource-based policy")
	case byIdentity == iam.Deny:
		return errDenied(c, r.Action, k.arn, "with an explicit deny in an identity-based policy")
	case c.Service != "" && (iam.SameService(g.entry.RetiringPrincipal, c.Service) ||
		iam.SameService(g.entry.RetiringServicePrincipal, c.Service)):
		return nil
	case c.Service == "" && iam.SamePrincipal(g.entry.RetiringPrincipal, c.Principal):
		return nil
	case c.Service == "" && g.entry.RetiringPrincipal == iam.RootARN(c.Account) && byIdentity == iam.Allow:
		return nil
	case c.Principal == g.entry.IssuingAccount && c.Service == "":
		return nil
	case slices.Contains(g.entry.Operations, "RetireGrant") && g.isFor(c, byIdentity):
		return nil
	}
	if !s.related(c, k) {
		return errForeign(c, "RetireGrant")
	}
	return errDenied(c, r.Action, k.arn, "because no resource-based policy allows the kms:RetireGrant action")
}

func (s *Service) listRetirableGrants(c *call, in *ListRetirableGrantsRequest) (*ListGrantsResponse, *Error) {
	v := c.validation()
	if in.RetiringServicePrincipal == "" {
		v.required("RetiringPrincipal", in.RetiringPrincipal, 256)
	}
	v.between("Limit", in.Limit, 1, 1000)
	v.optional("Marker", in.Marker, 1, 1024)
	if err := v.err(); err != nil {
		return nil, err
	}
	who := in.RetiringPrincipal
	switch {
	case who != "" && in.RetiringServicePrincipal != "":
		return nil, refuse("ValidationException",
			"Specify either RetiringPrincipal or RetiringServicePrincipal, but not both.")
	case in.RetiringServicePrincipal != "":
		if who = in.RetiringServicePrincipal; !iam.SameService(who, c.caller.Service) {
			return nil, refuse("ValidationException", "RetiringServicePrincipal can only be used by the service that it names.")
		}
	case iam.IsService(who) && iam.SameService(who, c.caller.Service):
	case !s.directory.Exists(who) || who == "*":
		return nil, refuse("InvalidArnException", "ARN does not refer to a valid principal: %s", who)
	}
	if c.caller.Service == "" {
		if err := s.authorizeIdentity(c.caller, "ListRetirableGrants", who); err != nil {
			return nil, err
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := []GrantListEntry{}
	for _, k := range s.keys {
		if k = s.view(c, k); k == nil {
			continue
		}
		for _, g := range k.grants {
			if e := g.entry; e.RetiringPrincipal == who || e.RetiringServicePrincipal == who {
				e.Operations, e.Constraints = slices.Clone(e.Operations), e.Constraints.clone()
				all = append(all, e)
			}
		}
	}
	page, next, err := paginate(all, func(e GrantListEntry) string { return e.GrantId }, in.Marker, in.Limit, 50)
	if err != nil {
		return nil, err
	}
	return &ListGrantsResponse{Grants: page, NextMarker: next, Truncated: next != ""}, nil
}
