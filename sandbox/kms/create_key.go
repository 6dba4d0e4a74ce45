package kms

import (
	"cmp"
	"slices"

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
	KeyManager            string // CUSTOMER or AWS
	CustomerMasterKeySpec string
	KeySpec               string
	EncryptionAlgorithms  []string `json:",omitempty"`
	SigningAlgorithms     []string `json:",omitempty"`
	MacAlgorithms         []string `json:",omitempty"`
	MultiRegion           bool
	CurrentKeyMaterialId  string `json:",omitempty"` // 64 hex digits; of symmetric keys outside of custom key stores

	KeyAgreementAlgorithms   []string                  `json:",omitempty"`
	EncapsulationAlgorithms  []string                  `json:",omitempty"`
	MultiRegionConfiguration *MultiRegionConfiguration `json:",omitempty"`
	CustomKeyStoreId         string                    `json:",omitempty"` // with CloudHsmClusterId, of keys in a store
	CloudHsmClusterId        string                    `json:",omitempty"`
	ExpirationModel          string                    `json:",omitempty"` // of imported material that is there
	ValidTo                  Timestamp                 `json:",omitzero"`  // when imported material expires
}

// A MultiRegionConfiguration tells the Regions of a multi-Region key. In the sandbox, which is one
// Region, every such key is a primary key without replicas.
type MultiRegionConfiguration struct {
	MultiRegionKeyType string // PRIMARY
	PrimaryKey         MultiRegionKey
	ReplicaKeys        []MultiRegionKey
}

// A MultiRegionKey is a key in one of its Regions.
type MultiRegionKey struct{ Arn, Region string }

var createKey = operation[CreateKeyRequest, CreateKeyResponse]{"CreateKey", (*Service).createKey}

// CreateKey makes a new key. With Origin EXTERNAL it waits for its material to be imported. The making
// of an RSA key takes up to a second.
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
	k := &key{id: uuid.New(), created: c.now, description: in.Description, state: Enabled,
		spec: cmp.Or(in.KeySpec, in.CustomerMasterKeySpec, symmetric), usage: cmp.Or(in.KeyUsage, encryptDecrypt),
		origin: cmp.Or(in.Origin, "AWS_KMS"), multiRegion: in.MultiRegion,
		grants: map[string]*grant{}, used: &usage{}}
	k.arn = s.keyARN(k.name())
	if err := s.authorizeNew(c.caller, k, in); err != nil {
		return nil, err
	}
	k.tags = slices.Clone(in.Tags)
	if k.origin == "EXTERNAL" {
		k.state = PendingImport
	} else {
		k.current = k.add(generate(k.id, k.spec), c.now)
	}
	k.policyText = in.Policy
	if k.policyText == "" {
		k.policyText = defaultPolicy(s.account)
	}
	s.mu.Lock()
	defer s.unlock()
	var err *Error
	if k.store, err = s.storeFor(in); err != nil {
		return nil, err
	}
	if k.policy, err = s.readPolicy(c.caller, k, k.policyText, in.BypassPolicyLockoutSafetyCheck); err != nil {
		return nil, err
	}
	s.keys[k.name()] = k
	s.born(k, c.now)
	return &CreateKeyResponse{s.metadata(k)}, nil
}

// kindOfKey refuses contradictory kinds as KMS does, and then those the sandbox does not have.
func kindOfKey(in *CreateKeyRequest) *Error {
	if in.KeySpec != "" && in.CustomerMasterKeySpec != "" {
		return refuse("ValidationException", "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "+
			"CustomerMasterKeySpec is deprecated.")
	}
	spec := in.KeySpec + in.CustomerMasterKeySpec
	if spec == "" {
		spec = symmetric
	}
	if spec != symmetric && in.KeyUsage == "" {
		return refuse("ValidationException", "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	}
	inStore := in.Origin == "AWS_CLOUDHSM" || in.Origin == "EXTERNAL_KEY_STORE"
	switch {
	case in.KeyUsage != "" && !slices.Contains(kinds[spec].usages, in.KeyUsage):
		return refuse("ValidationException", "KeyUsage %s is not compatible with KeySpec %s", in.KeyUsage, spec)
	case in.XksKeyId != "" && in.Origin != "EXTERNAL_KEY_STORE":
		return refuse("ValidationException", "XksKeyId is only valid for KMS keys with Origin EXTERNAL_KEY_STORE.")
	case in.CustomKeyStoreId != "" && !inStore:
		return refuse("ValidationException", "CustomKeyStoreId is only valid for KMS keys with Origin AWS_CLOUDHSM or EXTERNAL_KEY_STORE.")
	case inStore && in.CustomKeyStoreId == "":
		return refuse("ValidationException", "You must specify a CustomKeyStoreId for KMS keys with Origin %s.", in.Origin)
	case inStore && (spec != symmetric || in.MultiRegion):
		return refuse("UnsupportedOperationException", "A custom key store has symmetric encryption keys of one Region only.")
	case in.Origin == "EXTERNAL_KEY_STORE":
		return errNotYet("keys with Origin EXTERNAL_KEY_STORE")
	case kinds[spec].lacking != "":
		return errLacking(spec)
	}
	return nil
}

// storeFor returns the custom key store that a new key wants, or nil. s.mu must be held.
func (s *Service) storeFor(in *CreateKeyRequest) (*store, *Error) {
	if in.CustomKeyStoreId == "" {
		return nil, nil
	}
	return s.connectedStore(in.CustomKeyStoreId)
}
