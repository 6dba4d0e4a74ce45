package kms

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"loadkms/sandbox/iam"
)

// A grant lets a principal use a key. It is immutable, and in force as long as its key has it.
type grant struct{ entry GrantListEntry }

// A GrantConstraints narrows a grant. Both contexts may be given.
type GrantConstraints struct {
	EncryptionContextSubset map[string]string `json:",omitempty"` // pairs the context must have
	EncryptionContextEquals map[string]string `json:",omitempty"` // the context it must be
	// SourceArn is the resource for which a service must act (iam.Caller.SourceARN).
	SourceArn string `json:",omitempty"`
}

// A CreateGrantRequest lets a grantee use a key, named by id or ARN.
type CreateGrantRequest struct {
	KeyId string `json:",omitempty"`
	// GranteePrincipal is the ARN of a user, role, session or account. Only a service, acting for itself
	// or for a principal, can write a service principal here; others use GranteeServicePrincipal.
	GranteePrincipal         string            `json:",omitempty"`
	GranteeServicePrincipal  string            `json:",omitempty"` // needs Constraints.SourceArn and a retiring principal
	RetiringPrincipal        string            `json:",omitempty"`
	RetiringServicePrincipal string            `json:",omitempty"`
	Operations               []string          `json:",omitempty"`
	Constraints              *GrantConstraints `json:",omitempty"`
	GrantTokens              []string          `json:",omitempty"`
	Name                     string            `json:",omitempty"` // makes a repeated request find the first one's grant
	DryRun                   bool              `json:",omitempty"`
}

// A CreateGrantResponse holds the new grant's id, and a token for those who cannot wait for it to be
// known everywhere; in the sandbox it is known at once.
type CreateGrantResponse struct {
	GrantToken string
	GrantId    string
}

// A ListGrantsRequest asks for the next page of a key's grants.
type ListGrantsRequest struct {
	KeyId            string `json:",omitempty"`
	GrantId          string `json:",omitempty"` // only this one
	GranteePrincipal string `json:",omitempty"` // only this principal's
	Limit            *int32 `json:",omitempty"` // 1 to 1000; default 50
	Marker           string `json:",omitempty"` // NextMarker of the page before
}

// A ListGrantsResponse is one page of grants.
type ListGrantsResponse struct {
	Grants     []GrantListEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// A GrantListEntry describes a grant.
type GrantListEntry struct {
	KeyId                    string // ARN
	GrantId                  string
	Name                     string `json:",omitempty"`
	CreationDate             Timestamp
	GranteePrincipal         string `json:",omitempty"`
	GranteeServicePrincipal  string `json:",omitempty"`
	RetiringPrincipal        string `json:",omitempty"`
	RetiringServicePrincipal string `json:",omitempty"`
	IssuingAccount           string // ARN of the account's root
	Operations               []string
	Constraints              *GrantConstraints `json:",omitempty"`
}

// A RevokeGrantRequest names the grant to end, and its key by id or ARN.
type RevokeGrantRequest struct {
	KeyId   string `json:",omitempty"`
	GrantId string `json:",omitempty"`
	DryRun  bool   `json:",omitempty"`
}

var (
	createGrant = operation[CreateGrantRequest, CreateGrantResponse]{"CreateGrant", (*Service).createGrant}
	listGrants  = operation[ListGrantsRequest, ListGrantsResponse]{"ListGrants", (*Service).listGrants}
	revokeGrant = operation[RevokeGrantRequest, nothing]{"RevokeGrant", (*Service).revokeGrant}
)

// CreateGrant lets a principal use a key from now on.
func (s *Service) CreateGrant(c iam.Caller, in *CreateGrantRequest) (*CreateGrantResponse, error) {
	return createGrant.call(s, c, in)
}

// ListGrants lists a key's grants in the order of their ids. It works in every state.
func (s *Service) ListGrants(c iam.Caller, in *ListGrantsRequest) (*ListGrantsResponse, error) {
	return listGrants.call(s, c, in)
}

// RevokeGrant ends a grant. It works in every state.
func (s *Service) RevokeGrant(c iam.Caller, in *RevokeGrantRequest) error {
	return revokeGrant.do(s, c, in)
}

const maxGrants = 50_000 // of one key

// grantOperations are all operations that a grant can allow; grantable tells those that suit a key.
var grantOperations = []string{"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
	"ReEncryptFrom", "ReEncryptTo", "Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey",
	"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac", "DeriveSharedSecret",
	"Encapsulate", "Decapsulate"}

// suits refuses operations that a key of this kind does not have, and constraints on an encryption
// context where there is none.
func (in *CreateGrantRequest) suits(k *key) *Error {
	suitable := grantable(k.spec, k.usage)
	for _, o := range in.Operations {
		if !slices.Contains(suitable, o) {
			return refuse("ValidationException", "Grant operation %s is not valid for keys with KeySpec %s.", o, k.spec)
		}
	}
	if con := in.Constraints; con != nil && k.spec != symmetric && (con.EncryptionContextEquals != nil || con.EncryptionContextSubset != nil) {
		return refuse("ValidationException", "Encryption context constraints are not valid for keys with KeySpec %s.", k.spec)
	}
	return nil
}

func (s *Service) createGrant(c *call, in *CreateGrantRequest) (*CreateGrantResponse, *Error) {
	if err := s.checkGrant(c, in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	k, _, err := s.find(c, "CreateGrant", in.KeyId, byKey)
	if err != nil {
		return nil, err
	}
	if err := s.authorize(c, "CreateGrant", k, access{grant: in}); err != nil {
		return nil, err
	}
	if err := grantableState.check(k); err != nil {
		return nil, err
	}
	if err := in.suits(k); err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	g := &grant{GrantListEntry{KeyId: k.arn, Name: in.Name, CreationDate: Timestamp{c.now},
		GranteePrincipal: in.GranteePrincipal, GranteeServicePrincipal: in.GranteeServicePrincipal,
		RetiringPrincipal: in.RetiringPrincipal, RetiringServicePrincipal: in.RetiringServicePrincipal,
		IssuingAccount: iam.RootARN(s.account), Operations: slices.Clone(in.Operations), Constraints: in.Constraints.clone()}}
	if in.Name != "" {
		for id, old := range k.grants {
			if old.same(g) {
				return &CreateGrantResponse{GrantToken: s.grantToken(k.name(), id), GrantId: id}, nil
			}
		}
	}
	if len(k.grants) >= maxGrants {
		return nil, refuse("LimitExceededException", "The limit of %d grants has been reached for the key %s", maxGrants, k.arn)
	}
	var id [32]byte
	rand.Read(id[:]) // never fails
	g.entry.GrantId = hex.EncodeToString(id[:])
	k.grants[g.entry.GrantId] = g
	return &CreateGrantResponse{GrantToken: s.grantToken(k.name(), g.entry.GrantId), GrantId: g.entry.GrantId}, nil
}

// checkGrant checks a request for a grant as far as it can be without looking at the key.
func (s *Service) checkGrant(c *call, in *CreateGrantRequest) *Error {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	if in.GranteeServicePrincipal == "" {
		v.required("GranteePrincipal", in.GranteePrincipal, 256)
	}
	v.optional("RetiringPrincipal", in.RetiringPrincipal, 1, 256)
	v.optional("Name", in.Name, 1, 256)
	v.pattern("Name", in.Name, name)
	v.tokens(in.GrantTokens)
	if in.Operations == nil {
		v.add("Value null at 'operations' %s not be null", constraint)
	}
	for _, o := range in.Operations {
		if !slices.Contains(grantOperations, o) {
			v.add("Value '[%s]' at 'operations' %s satisfy constraint: [Member must satisfy enum value set: [%s]]",
				strings.Join(in.Operations, ", "), constraint, strings.Join(grantOperations, ", "))
			break
		}
	}
	if err := v.err(); err != nil {
		return err
	}
	if len(in.Operations) == 0 {
		return refuse("ValidationException", "Operations must not be empty.")
	}
	if con := in.Constraints; con != nil {
		for _, context := range []map[string]string{con.EncryptionContextEquals, con.EncryptionContextSubset} {
			if len(context) > 8 {
				return refuse("ValidationException", "A grant constraint has at most 8 encryption context pairs.")
			}
			for _, v := range context {
				if len([]rune(v)) > 384 {
					return refuse("ValidationException", "A value of a grant constraint has at most 384 characters.")
				}
			}
		}
	}
	return s.checkGrantee(c.caller, in)
}

// checkGrantee refuses principals that do not exist, and service principals where AWS does not take
// them.
func (s *Service) checkGrantee(c iam.Caller, in *CreateGrantRequest) *Error {
	byService := c.Service != "" || c.Via != ""
	for _, p := range []string{in.GranteePrincipal, in.RetiringPrincipal} {
		switch {
		case p == "", iam.IsService(p) && byService:
		case strings.HasPrefix(p, "arn:") && s.directory.Exists(p):
		default:
			return refuse("InvalidArnException", "ARN does not refer to a valid principal: %s", p)
		}
	}
	for _, p := range []string{in.GranteeServicePrincipal, in.RetiringServicePrincipal} {
		if p != "" && !iam.IsService(p) {
			return refuse("ValidationException", "%s is not a service principal.", p)
		}
	}
	switch {
	case in.GranteePrincipal != "" && in.GranteeServicePrincipal != "":
		return refuse("ValidationException", "Specify either GranteePrincipal or GranteeServicePrincipal, but not both.")
	case in.RetiringPrincipal != "" && in.RetiringServicePrincipal != "":
		return refuse("ValidationException", "Specify either RetiringPrincipal or RetiringServicePrincipal, but not both.")
	case in.GranteeServicePrincipal == "":
	case in.Constraints == nil || in.Constraints.SourceArn == "":
		return refuse("ValidationException", "A grant to a service principal needs the constraint SourceArn.")
	case in.RetiringPrincipal == "" && in.RetiringServicePrincipal == "":
		return refuse("ValidationException", "A grant to a service principal needs a retiring principal.")
	}
	return nil
}

// covers reports whether somebody who may create grants only because of g may create this one: no
// operation that g lacks, and constraints at least as strict.
func (g *grant) covers(in *CreateGrantRequest) bool {
	for _, o := range in.Operations {
		if !slices.Contains(g.entry.Operations, o) {
			return false
		}
	}
	outer := g.entry.Constraints
	if outer == nil {
		return true
	}
	inner := in.Constraints
	if inner == nil {
		inner = &GrantConstraints{}
	}
	if outer.SourceArn != "" && outer.SourceArn != inner.SourceArn {
		return false
	}
	if outer.EncryptionContextEquals != nil &&
		(inner.EncryptionContextEquals == nil || !maps.Equal(outer.EncryptionContextEquals, inner.EncryptionContextEquals)) {
		return false
	}
	return contains(outer.EncryptionContextSubset, inner.EncryptionContextSubset, false) ||
		inner.EncryptionContextEquals != nil && contains(outer.EncryptionContextSubset, inner.EncryptionContextEquals, false)
}

// same reports whether two grants differ in nothing but id and date.
func (g *grant) same(other *grant) bool {
	a, b := g.entry, other.entry
	return a.Name == b.Name && a.GranteePrincipal == b.GranteePrincipal && a.RetiringPrincipal == b.RetiringPrincipal &&
		a.GranteeServicePrincipal == b.GranteeServicePrincipal && a.RetiringServicePrincipal == b.RetiringServicePrincipal &&
		slices.Equal(a.Operations, b.Operations) && a.Constraints.equal(b.Constraints)
}

func (c *GrantConstraints) equal(o *GrantConstraints) bool {
	if c == nil || o == nil {
		return c == o
	}
	return maps.Equal(c.EncryptionContextEquals, o.EncryptionContextEquals) &&
		maps.Equal(c.EncryptionContextSubset, o.EncryptionContextSubset) && c.SourceArn == o.SourceArn
}

// clone keeps what a caller in this process still holds apart from what the grant says.
func (c *GrantConstraints) clone() *GrantConstraints {
	if c == nil {
		return nil
	}
	return &GrantConstraints{maps.Clone(c.EncryptionContextSubset), maps.Clone(c.EncryptionContextEquals), c.SourceArn}
}

func (s *Service) listGrants(c *call, in *ListGrantsRequest) (*ListGrantsResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.optional("GrantId", in.GrantId, 1, 128)
	v.optional("GranteePrincipal", in.GranteePrincipal, 1, 256)
	v.between("Limit", in.Limit, 1, 1000)
	v.optional("Marker", in.Marker, 1, 1024)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, err := s.manage(c, "ListGrants", in.KeyId, nil, access{grant: &CreateGrantRequest{}})
	if err != nil {
		return nil, err
	}
	all := []GrantListEntry{}
	for id, g := range k.grants {
		if in.GrantId != "" && id != in.GrantId || in.GranteePrincipal != "" && g.entry.GranteePrincipal != in.GranteePrincipal {
			continue
		}
		entry := g.entry
		entry.Operations, entry.Constraints = slices.Clone(entry.Operations), entry.Constraints.clone()
		all = append(all, entry)
	}
	page, next, err := paginate(all, func(e GrantListEntry) string { return e.GrantId }, in.Marker, in.Limit, 50)
	if err != nil {
		return nil, err
	}
	return &ListGrantsResponse{Grants: page, NextMarker: next, Truncated: next != ""}, nil
}

func (s *Service) revokeGrant(c *call, in *RevokeGrantRequest) (*nothing, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.required("GrantId", in.GrantId, 128)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, "RevokeGrant", in.KeyId, nil, access{grant: &CreateGrantRequest{}})
	if err != nil {
		return nil, err
	}
	if k.grants[in.GrantId] == nil {
		return nil, refuse("NotFoundException", "Grant ID %s not found", in.GrantId)
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	delete(k.grants, in.GrantId)
	return &nothing{}, nil
}
