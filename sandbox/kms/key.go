package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
	state       State
	deletion    time.Time // when it will be gone; zero unless pending deletion
	policyText  string    // as its author wrote it
	policy      *iam.Policy
	tags        []Tag
	current     *material
	materials   map[[32]byte]*material // current and older ones, by id
	grants      map[string]*grant      // by grant id
}

// A material is one version of a key's secret. It is immutable and may be used without any lock.
type material struct {
	id   [32]byte
	aead cipher.AEAD
}

// newMaterial makes new AES-256 key material for a key.
func newMaterial(id uuid.UUID) *material {
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		panic(err) // 32 bytes are always an AES key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES always has GCM's block size
	}
	// The id names the material without giving it away, and is the same whenever the same material
	// comes to the same key.
	m := &material{aead: aead}
	h := sha256.New()
	h.Write([]byte("loadkms key material id\x00"))
	h.Write(id[:])
	h.Write(secret[:])
	h.Sum(m.id[:0])
	return m
}

func (m *material) String() string { return hex.EncodeToString(m.id[:]) }

// metadata returns what DescribeKey shows of the key.
func (s *Service) metadata(k *key) KeyMetadata {
	return KeyMetadata{
		AWSAccountId:          s.account,
		KeyId:                 k.id.String(),
		Arn:                   k.arn,
		CreationDate:          Timestamp{k.created},
		Enabled:               k.state == Enabled,
		Description:           k.description,
		KeyUsage:              "ENCRYPT_DECRYPT",
		KeyState:              k.state,
		DeletionDate:          Timestamp{k.deletion},
		Origin:                "AWS_KMS",
		KeyManager:            "CUSTOMER",
		CustomerMasterKeySpec: symmetric,
		KeySpec:               symmetric,
		EncryptionAlgorithms:  []string{symmetric},
		CurrentKeyMaterialId:  k.current.String(),
	}
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
		a := s.aliases[id]
		if a == nil {
			return nil, "", errAliasUnknown(s.aliasARN(id))
		}
		return a.target, id, nil
	}
	if k := s.keys[id]; k != nil {
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
