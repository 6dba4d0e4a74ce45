package kms

import (
	"slices"
	"strings"
	"time"

	"loadkms/sandbox/iam"
)

// An alias is a name of a key. Its fields are guarded by Service.mu.
type alias struct {
	target           *key
	created, updated time.Time
}

// A CreateAliasRequest gives a key, named by id or ARN, an alias.
type CreateAliasRequest struct {
	AliasName   string `json:",omitempty"` // with "alias/"
	TargetKeyId string `json:",omitempty"`
}

// An UpdateAliasRequest moves an alias to a key, named by id or ARN.
type UpdateAliasRequest struct {
	AliasName   string `json:",omitempty"` // with "alias/"
	TargetKeyId string `json:",omitempty"`
}

// A DeleteAliasRequest names the alias to delete.
type DeleteAliasRequest struct {
	AliasName string `json:",omitempty"` // with "alias/"
}

// A ListAliasesRequest asks for the next page of aliases, of one key or of all.
type ListAliasesRequest struct {
	KeyId  string `json:",omitempty"`
	Limit  *int32 `json:",omitempty"` // 1 to 1000; default 50
	Marker string `json:",omitempty"` // NextMarker of the page before
}

// A ListAliasesResponse is one page of aliases.
type ListAliasesResponse struct {
	Aliases    []AliasListEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// An AliasListEntry tells of an alias. Those of AWS's own that no key has yet lack target and dates.
type AliasListEntry struct {
	AliasName       string
	AliasArn        string
	TargetKeyId     string    `json:",omitempty"` // the bare id
	CreationDate    Timestamp `json:",omitzero"`
	LastUpdatedDate Timestamp `json:",omitzero"`
}

var (
	createAlias = operation[CreateAliasRequest, nothing]{"CreateAlias", (*Service).createAlias}
	updateAlias = operation[UpdateAliasRequest, nothing]{"UpdateAlias", (*Service).updateAlias}
	deleteAlias = operation[DeleteAliasRequest, nothing]{"DeleteAlias", (*Service).deleteAlias}
	listAliases = operation[ListAliasesRequest, ListAliasesResponse]{"ListAliases", (*Service).listAliases}
)

// CreateAlias gives a key a new alias. The caller needs permission on both.
func (s *Service) CreateAlias(c iam.Caller, in *CreateAliasRequest) error {
	return createAlias.do(s, c, in)
}

// UpdateAlias moves an alias to another key. The caller needs permission on the alias and on both
// keys.
func (s *Service) UpdateAlias(c iam.Caller, in *UpdateAliasRequest) error {
	return updateAlias.do(s, c, in)
}

// DeleteAlias deletes an alias; the key stays.
func (s *Service) DeleteAlias(c iam.Caller, in *DeleteAliasRequest) error {
	return deleteAlias.do(s, c, in)
}

// ListAliases lists aliases in the order of their names. Without a KeyId the reserved ones of AWS's
// services are among them.
func (s *Service) ListAliases(c iam.Caller, in *ListAliasesRequest) (*ListAliasesResponse, error) {
	return listAliases.call(s, c, in)
}

const (
	aliasPrefix    = "alias/"
	reservedPrefix = "alias/aws/"
	maxAliases     = 50 // of one key
)

// reservedAliases are those an account has although no service has asked for a key yet.
var reservedAliases = []string{"alias/aws/dynamodb", "alias/aws/ebs", "alias/aws/rds", "alias/aws/s3", "alias/aws/secretsmanager"}

// aliasName checks the name of an alias that is to be made, moved or deleted.
func aliasName(v *validation, alias string) *Error {
	v.required("AliasName", alias, 256)
	v.pattern("AliasName", alias, name)
	if err := v.err(); err != nil {
		return err
	}
	if !strings.HasPrefix(alias, aliasPrefix) || alias == aliasPrefix {
		return refuse("ValidationException", `Alias must start with the prefix "alias/". Please see `+
			"https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
	}
	if strings.ContainsRune(alias, ':') {
		return refuse("ValidationException", "%s contains invalid characters for an alias", alias)
	}
	if strings.HasPrefix(alias, reservedPrefix) {
		return refuse("NotAuthorizedException", "")
	}
	return nil
}

// target finds the key to which an alias is to point. s.mu must be held.
func (s *Service) target(c *call, action, keyID string) (*key, *Error) {
	if strings.HasPrefix(keyID, aliasPrefix) || strings.Contains(keyID, ":"+aliasPrefix) {
		return nil, refuse("ValidationException", "Aliases must refer to keys. Not aliases")
	}
	return s.manage(c, action, keyID, notPending, access{})
}

// aliasesOf returns the names of a key's aliases, sorted. s.mu must be held.
func (s *Service) aliasesOf(k *key) []string {
	var names []string
	for name, a := range s.aliases {
		if a.target.id == k.id { // k may be what the key was; see consistency
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *Service) createAlias(c *call, in *CreateAliasRequest) (*nothing, *Error) {
	v := c.validation()
	v.required("TargetKeyId", in.TargetKeyId, 2048)
	if err := aliasName(v, in.AliasName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	if err := s.authorizeIdentity(c.caller, "CreateAlias", s.aliasARN(in.AliasName)); err != nil {
		return nil, err
	}
	k, err := s.target(c, "CreateAlias", in.TargetKeyId)
	if err != nil {
		return nil, err
	}
	if s.aliases[in.AliasName] != nil {
		return nil, refuse("AlreadyExistsException", "An alias with the name %s already exists", s.aliasARN(in.AliasName))
	}
	if len(s.aliasesOf(k)) >= maxAliases {
		return nil, refuse("LimitExceededException", "The limit of %d aliases has been reached for the key %s", maxAliases, k.arn)
	}
	s.rememberAliases(c.now)
	s.aliases[in.AliasName] = &alias{target: k, created: c.now, updated: c.now}
	return &nothing{}, nil
}

// changeable returns an alias that the caller may change, which takes permission on the alias and on
// the key it points to. The caller of this holds mu.
func (s *Service) changeable(c *call, op, name string) (*alias, *Error) {
	if err := s.authorizeIdentity(c.caller, op, s.aliasARN(name)); err != nil {
		return nil, err
	}
	a := s.aliases[name]
	if a == nil {
		return nil, errAliasUnknown(s.aliasARN(name))
	}
	if err := s.authorize(c, op, a.target, access{}); err != nil {
		return nil, err
	}
	return a, nil
}

func (s *Service) updateAlias(c *call, in *UpdateAliasRequest) (*nothing, *Error) {
	v := c.validation()
	v.required("TargetKeyId", in.TargetKeyId, 2048)
	if err := aliasName(v, in.AliasName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	// The key it leaves may be in any state, even pending deletion; the one it goes to may not.
	a, err := s.changeable(c, "UpdateAlias", in.AliasName)
	if err != nil {
		return nil, err
	}
	k, err := s.target(c, "UpdateAlias", in.TargetKeyId)
	if err != nil {
		return nil, err
	}
	// What AWS says here no source has.
	if old := a.target; asymmetric(k.spec) != asymmetric(old.spec) || k.usage != old.usage {
		return nil, refuse("ValidationException", "Alias %s must stay with keys of the same type and usage: %s has KeySpec %s and "+
			"KeyUsage %s, %s has %s and %s", in.AliasName, old.arn, old.spec, old.usage, k.arn, k.spec, k.usage)
	}
	if k != a.target && len(s.aliasesOf(k)) >= maxAliases {
		return nil, refuse("LimitExceededException", "The limit of %d aliases has been reached for the key %s", maxAliases, k.arn)
	}
	s.rememberAliases(c.now)
	a.target, a.updated = k, c.now
	return &nothing{}, nil
}

func (s *Service) deleteAlias(c *call, in *DeleteAliasRequest) (*nothing, *Error) {
	if err := aliasName(c.validation(), in.AliasName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	if _, err := s.changeable(c, "DeleteAlias", in.AliasName); err != nil {
		return nil, err
	}
	s.rememberAliases(c.now)
	delete(s.aliases, in.AliasName)
	return &nothing{}, nil
}

func (s *Service) listAliases(c *call, in *ListAliasesRequest) (*ListAliasesResponse, *Error) {
	v := c.validation()
	v.optional("KeyId", in.KeyId, 1, 2048)
	v.between("Limit", in.Limit, 1, 1000)
	v.optional("Marker", in.Marker, 1, 1024)
	if err := v.err(); err != nil {
		return nil, err
	}
	if err := s.authorizeIdentity(c.caller, "ListAliases", "*"); err != nil {
		return nil, err
	}
	all, err := s.aliasEntries(c, in.KeyId)
	if err != nil {
		return nil, err
	}
	page, next, err := paginate(all, func(e AliasListEntry) string { return e.AliasName }, in.Marker, in.Limit, 50)
	if err != nil {
		return nil, err
	}
	return &ListAliasesResponse{Aliases: page, NextMarker: next, Truncated: next != ""}, nil
}

func (s *Service) aliasEntries(c *call, keyID string) ([]AliasListEntry, *Error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all, aliases := []AliasListEntry{}, s.aliasesFor(c)
	var only *key
	if keyID != "" {
		var err *Error
		if only, _, err = s.find(c, "ListAliases", keyID, byKey); err != nil {
			return nil, err
		}
	} else {
		for _, name := range reservedAliases {
			if aliases[name] != nil {
				continue
			}
			all = append(all, AliasListEntry{AliasName: name, AliasArn: s.aliasARN(name)})
		}
	}
	for name, a := range aliases {
		if only != nil && a.target.id != only.id {
			continue
		}
		all = append(all, AliasListEntry{AliasName: name, AliasArn: s.aliasARN(name), TargetKeyId: a.target.name(),
			CreationDate: Timestamp{a.created}, LastUpdatedDate: Timestamp{a.updated}})
	}
	return all, nil
}
