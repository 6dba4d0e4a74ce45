package kms

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// A key is one KMS key. Everything but id, arn and created may change, under Service.mu.
type key struct {
	id      uuid.UUID
	arn     string
	created time.Time

	description string
	spec        string // KeySpec
	usage       string // KeyUsage
	origin      string // AWS_KMS, EXTERNAL or AWS_CLOUDHSM
	multiRegion bool
	store       *store    // where the material is, for AWS_CLOUDHSM; else nil
	state       State     // as far as the key itself goes; see status
	deletion    time.Time // when it will be gone; zero unless pending deletion
	policyText  string    // as its author wrote it
	policy      *iam.Policy
	tags        []Tag
	current     *version          // nil before the first import
	versions    []*version        // current, older and pending ones, in the order of their coming
	grants      map[string]*grant // by grant id
	manager     string            // AWS, or "" for CUSTOMER; never changes
	owner       string            // the service of an AWS owned key, else ""; never changes
	rotation    rotation
	used        *usage
	pasts       []keyPast // what the key was, the oldest first; empty unless Service.delay is set
}

// name is the key's id as AWS writes it.
func (k *key) name() string {
	if k.multiRegion {
		return "mrk-" + hex.EncodeToString(k.id[:])
	}
	return k.id.String()
}

// metadata returns what DescribeKey shows of the key. s.mu must be held.
func (s *Service) metadata(k *key) KeyMetadata {
	arn, _ := iam.ParseARN(k.arn) // an AWS owned key has another account than the service
	m := KeyMetadata{
		AWSAccountId:          arn.Account,
		KeyId:                 k.name(),
		Arn:                   k.arn,
		CreationDate:          Timestamp{k.created},
		Enabled:               k.status() == Enabled,
		Description:           k.description,
		KeyUsage:              k.usage,
		KeyState:              k.status(),
		DeletionDate:          Timestamp{k.deletion},
		Origin:                k.origin,
		KeyManager:            cmp.Or(k.manager, "CUSTOMER"),
		CustomerMasterKeySpec: k.spec,
		KeySpec:               k.spec,
		MultiRegion:           k.multiRegion,
	}
	m.EncryptionAlgorithms, m.SigningAlgorithms, m.MacAlgorithms, m.KeyAgreementAlgorithms = kinds[k.spec].algorithms(k.usage)
	if k.usage == encapsulateDecapsulate {
		m.EncapsulationAlgorithms = slices.Clone(kinds[k.spec].encapsulation)
	}
	if k.multiRegion {
		m.MultiRegionConfiguration = &MultiRegionConfiguration{MultiRegionKeyType: "PRIMARY",
			PrimaryKey: MultiRegionKey{k.arn, s.region}, ReplicaKeys: []MultiRegionKey{}}
	}
	if k.store != nil {
		m.CustomKeyStoreId, m.CloudHsmClusterId = k.store.id, k.store.cluster
	}
	if v := k.current; v != nil && k.spec == symmetric && k.store == nil {
		m.CurrentKeyMaterialId = v.String()
	}
	if v := k.current; v != nil && k.origin == "EXTERNAL" && v.material != nil {
		m.ExpirationModel, m.ValidTo = "KEY_MATERIAL_DOES_NOT_EXPIRE", Timestamp{v.expires}
		if !v.expires.IsZero() {
			m.ExpirationModel = "KEY_MATERIAL_EXPIRES"
		}
	}
	return m
}

func (s *Service) keyARN(id string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", s.region, s.account, id)
}

func (s *Service) aliasARN(alias string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:%s", s.region, s.account, alias)
}

// A naming says which names of a key an operation takes. Only operations that use or describe a key
// take an alias; those that manage one do not, and CreateGrant is among these.
type naming int

const (
	byKey naming = iota
	byKeyOrAlias
)

// find resolves a key id, key ARN and, if allowed, alias name or alias ARN. It also returns the name
// of the alias by which the key was asked for, or "". s.mu must be held.
func (s *Service) find(c *call, action, keyID string, by naming) (*key, string, *Error) {
	id, isARN := keyID, false
	if strings.HasPrefix(keyID, "arn:") {
		arn, ok := iam.ParseARN(keyID)
		if !ok || arn.Service != "kms" {
			return nil, "", refuse("InvalidArnException", "Invalid arn %s", keyID)
		}
		if arn.Region != s.region {
			return nil, "", errRegion(arn.Region)
		}
		if k := s.owned[keyID]; k != nil && iam.SameService(k.owner, c.caller.Service) {
			return s.view(c, k), "", nil
		}
		if arn.Account != s.account {
			return nil, "", errForeign(c.caller, action)
		}
		isARN = true
		if rest, ok := strings.CutPrefix(arn.Resource, "key/"); ok {
			id = rest
		} else {
			id = arn.Resource
		}
		if strings.HasPrefix(arn.Resource, "key/alias/") {
			return nil, "", errKeyID(keyID)
		}
	}
	if strings.HasPrefix(id, "alias/") {
		if by != byKeyOrAlias {
			return nil, "", errKeyID(keyID)
		}
		a := s.aliasesFor(c)[id]
		if a == nil {
			c.wanting(id)
			return nil, "", errAliasUnknown(s.aliasARN(id))
		}
		k := s.view(c, a.target)
		if k == nil {
			return nil, "", errAliasUnknown(s.aliasARN(id))
		}
		return k, id, nil
	}
	if k := s.view(c, s.keys[id]); k != nil {
		return k, "", nil
	}
	if wellFormed(id) {
		return nil, "", errKeyUnknown(s.keyARN(id))
	}
	if isARN {
		id = keyID
	}
	return nil, "", errKeyID(id)
}

// wellFormed reports whether id has the form of a key id: a UUID, or "mrk-" and 32 hex digits.
func wellFormed(id string) bool {
	if rest, ok := strings.CutPrefix(id, "mrk-"); ok {
		_, err := hex.DecodeString(rest)
		return err == nil && len(rest) == 32
	}
	_, err := uuid.Parse(id)
	return err == nil && len(id) == 36 // Parse takes other spellings too
}
