package kms

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// A CreateKeyRequest describes a new key. All of it is optional.
type CreateKeyRequest struct {
	Policy                         string `json:",omitempty"` // JSON; default: the account may do everything
	Description                    string `json:",omitempty"`
	KeyUsage                       string `json:",omitempty"` // default ENCRYPT_DECRYPT
	CustomerMasterKeySpec          string `json:",omitempty"` // the old name of KeySpec
	KeySpec                        string `json:",omitempty"` // default SYMMETRIC_DEFAULT
	Origin                         string `json:",omitempty"` // default AWS_KMS
	CustomKeyStoreId               string `json:",omitempty"`
	BypassPolicyLockoutSafetyCheck bool   `json:",omitempty"`
	Tags                           []Tag  `json:",omitempty"`
	MultiRegion                    bool   `json:",omitempty"`
	XksKeyId                       string `json:",omitempty"`
}

// A Tag is a label of a key.
type Tag struct{ TagKey, TagValue string }

// A CreateKeyResponse describes the new key.
type CreateKeyResponse struct{ KeyMetadata KeyMetadata }

// A KeyMetadata is what KMS tells of a key.
type KeyMetadata struct {
	AWSAccountId          string
	KeyId                 string
	Arn                   string
	CreationDate          Timestamp
	Enabled               bool // true in the state Enabled only
	Description           string
	KeyUsage              string
	KeyState              State
	DeletionDate          Timestamp `json:",omitzero"` // zero unless pending deletion
	Origin                string
	KeyManager            string // CUSTOMER
	CustomerMasterKeySpec string
	KeySpec               string
	EncryptionAlgorithms  []string
	MultiRegion           bool
	CurrentKeyMaterialId  string `json:",omitempty"` // 64 hex digits
}

var createKey = operation[CreateKeyRequest, CreateKeyResponse]{"CreateKey", (*Service).createKey}

// CreateKey makes a new key. The sandbox has symmetric keys with material from KMS only.
func (s *Service) CreateKey(c iam.Caller, in *CreateKeyRequest) (*CreateKeyResponse, error) {
	return createKey.call(s, c, in)
}

func (s *Service) createKey(c *call, in *CreateKeyRequest) (*CreateKeyResponse, *Error) {
	v := c.validation()
	v.optional("Policy", in.Policy, 1, 131072)
	v.optional("Description", in.Description, 0, 8192)
	v.enum("KeyUsage", in.KeyUsage, keyUsages)
	v.enum("CustomerMasterKeySpec", in.CustomerMasterKeySpec, keySpecs)
	v.enum("KeySpec", in.KeySpec, keySpecs)
	v.enum("Origin", in.Origin, origins)
	v.optional("CustomKeyStoreId", in.CustomKeyStoreId, 1, 64)
	v.optional("XksKeyId", in.XksKeyId, 1, 128)
	if err := v.err(); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if err := kindOfKey(in); err != nil {
		return nil, err
	}
	if err := s.authorizeIdentity(c.caller, "CreateKey", "*"); err != nil {
		return nil, err
	}

	id := uuid.New()
	k := &key{id: id, arn: s.keyARN(id.String()), created: c.now, description: in.Description, state: Enabled,
		tags: slices.Clone(in.Tags), current: newMaterial(id), grants: map[string]*grant{}}
	k.materials = map[[32]byte]*material{k.current.id: k.current}
	k.policyText = in.Policy
	if k.policyText == "" {
		k.policyText = defaultPolicy(s.account)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var err *Error
	if k.policy, err = s.readPolicy(c.caller, k, k.policyText, in.BypassPolicyLockoutSafetyCheck); err != nil {
		return nil, err
	}
	s.keys[k.id.String()] = k
	return &CreateKeyResponse{s.metadata(k)}, nil
}

// kindOfKey refuses contradictory kinds as KMS does, and then those the sandbox does not have.
func kindOfKey(in *CreateKeyRequest) *Error {
	if in.KeySpec != "" && in.CustomerMasterKeySpec != "" {
		return refuse("ValidationException", "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "+
			"CustomerMasterKeySpec is deprecated.")
	}
	spec := in.KeySpec + in.CustomerMasterKeySpec
	if spec != "" && spec != symmetric {
		if in.KeyUsage == "" {
			return refuse("ValidationException", "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
		}
		return errNotYet("keys with KeySpec " + spec)
	}
	switch {
	case in.KeyUsage != "" && in.KeyUsage != "ENCRYPT_DECRYPT":
		return refuse("ValidationException", "KeyUsage %s is not compatible with KeySpec %s", in.KeyUsage, symmetric)
	case in.Origin != "" && in.Origin != "AWS_KMS":
		return errNotYet("keys with Origin " + in.Origin)
	case in.CustomKeyStoreId != "" || in.XksKeyId != "":
		return errNotYet("custom key stores")
	case in.MultiRegion:
		return errNotYet("multi-Region keys")
	}
	return nil
}

func checkTags(tags []Tag) *Error {
	if len(tags) > 50 {
		return refuse("TagException", "Too many tags")
	}
	seen := map[string]bool{}
	for i, t := range tags {
		v := &validation{}
		if n := len([]rune(t.TagKey)); n < 1 || n > 128 {
			v.add("Value '%s' at 'tags.%d.member.tagKey' %s have length between 1 and 128", t.TagKey, i+1, constraint)
		}
		if n := len([]rune(t.TagValue)); n > 256 {
			v.add("Value '%s' at 'tags.%d.member.tagValue' %s have length less than or equal to 256", t.TagValue, i+1, constraint)
		}
		if err := v.err(); err != nil {
			return err
		}
		if strings.HasPrefix(strings.ToLower(t.TagKey), "aws:") {
			return refuse("TagException", "Tags beginning with aws: are reserved")
		}
		if seen[t.TagKey] {
			return refuse("TagException", "Duplicate tag keys")
		}
		seen[t.TagKey] = true
	}
	return nil
}
