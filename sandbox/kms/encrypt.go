package kms

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// An EncryptRequest asks for 1 to 4096 bytes to be encrypted.
type EncryptRequest struct {
	KeyId               string            `json:",omitempty"` // or alias
	Plaintext           []byte            `json:",omitempty"`
	EncryptionContext   map[string]string `json:",omitempty"`
	GrantTokens         []string          `json:",omitempty"`
	EncryptionAlgorithm string            `json:",omitempty"`
	DryRun              bool              `json:",omitempty"`
}

// An EncryptResponse holds the ciphertext and the ARN of its key.
type EncryptResponse struct {
	CiphertextBlob      []byte
	KeyId               string
	EncryptionAlgorithm string
}

// A DecryptRequest asks for a ciphertext to be opened.
type DecryptRequest struct {
	CiphertextBlob      []byte            `json:",omitempty"`
	EncryptionContext   map[string]string `json:",omitempty"`
	GrantTokens         []string          `json:",omitempty"`
	KeyId               string            `json:",omitempty"` // or alias; "" to go by the ciphertext
	EncryptionAlgorithm string            `json:",omitempty"`
	DryRun              bool              `json:",omitempty"`
	DryRunModifiers     []string          `json:",omitempty"` // IGNORE_CIPHERTEXT: the ciphertext does not matter, nor need it be there
	Recipient           *Recipient        `json:",omitempty"` // not in the sandbox yet
}

// A Recipient asks for the answer to be readable in one Nitro enclave only.
type Recipient struct {
	KeyEncryptionAlgorithm string `json:",omitempty"`
	AttestationDocument    []byte `json:",omitempty"`
}

// A DecryptResponse holds the plaintext, the ARN of the key, and the id of its material.
type DecryptResponse struct {
	KeyId               string
	Plaintext           []byte
	EncryptionAlgorithm string
	KeyMaterialId       string `json:",omitempty"`
}

// A ReEncryptRequest asks for a ciphertext to be encrypted anew, perhaps under another key, without
// the plaintext leaving KMS.
type ReEncryptRequest struct {
	CiphertextBlob                 []byte            `json:",omitempty"`
	SourceEncryptionContext        map[string]string `json:",omitempty"`
	SourceKeyId                    string            `json:",omitempty"` // or alias
	DestinationKeyId               string            `json:",omitempty"` // or alias
	DestinationEncryptionContext   map[string]string `json:",omitempty"`
	SourceEncryptionAlgorithm      string            `json:",omitempty"`
	DestinationEncryptionAlgorithm string            `json:",omitempty"`
	GrantTokens                    []string          `json:",omitempty"`
	DryRun                         bool              `json:",omitempty"`
	DryRunModifiers                []string          `json:",omitempty"` // as in DecryptRequest
}

// A ReEncryptResponse holds the new ciphertext and both keys' ARNs.
type ReEncryptResponse struct {
	CiphertextBlob                 []byte
	SourceKeyId                    string
	KeyId                          string // of the destination
	SourceEncryptionAlgorithm      string
	DestinationEncryptionAlgorithm string
	SourceKeyMaterialId            string `json:",omitempty"`
	DestinationKeyMaterialId       string `json:",omitempty"`
}

// A GenerateDataKeyRequest asks for a new key for use outside of KMS.
type GenerateDataKeyRequest struct {
	KeyId             string            `json:",omitempty"` // or alias
	EncryptionContext map[string]string `json:",omitempty"`
	NumberOfBytes     *int32            `json:",omitempty"` // 1 to 1024; or KeySpec
	KeySpec           string            `json:",omitempty"` // AES_256 or AES_128
	GrantTokens       []string          `json:",omitempty"`
	DryRun            bool              `json:",omitempty"`
	Recipient         *Recipient        `json:",omitempty"` // not in the sandbox yet
}

// A GenerateDataKeyResponse holds the data key in the clear and encrypted under the KMS key.
type GenerateDataKeyResponse struct {
	CiphertextBlob []byte
	Plaintext      []byte
	KeyId          string
	KeyMaterialId  string `json:",omitempty"`
}

// A GenerateDataKeyWithoutPlaintextResponse holds the data key encrypted under the KMS key.
type GenerateDataKeyWithoutPlaintextResponse struct {
	CiphertextBlob []byte
	KeyId          string
	KeyMaterialId  string `json:",omitempty"`
}

var (
	encrypt         = operation[EncryptRequest, EncryptResponse]{"Encrypt", (*Service).encrypt}
	decrypt         = operation[DecryptRequest, DecryptResponse]{"Decrypt", (*Service).decrypt}
	reEncrypt       = operation[ReEncryptRequest, ReEncryptResponse]{"ReEncrypt", (*Service).reEncrypt}
	generateDataKey = operation[GenerateDataKeyRequest, GenerateDataKeyResponse]{"GenerateDataKey", (*Service).generateDataKey}

	generateDataKeyWithoutPlaintext = operation[GenerateDataKeyRequest, GenerateDataKeyWithoutPlaintextResponse]{
		"GenerateDataKeyWithoutPlaintext", (*Service).generateDataKeyWithoutPlaintext}
)

// Encrypt encrypts a small plaintext under a key.
func (s *Service) Encrypt(c iam.Caller, in *EncryptRequest) (*EncryptResponse, error) {
	return encrypt.call(s, c, in)
}

// Decrypt opens a ciphertext. Without a KeyId, a caller who may not use the key and a key that is gone
// get the same AccessDeniedException.
func (s *Service) Decrypt(c iam.Caller, in *DecryptRequest) (*DecryptResponse, error) {
	return decrypt.call(s, c, in)
}

// ReEncrypt opens a ciphertext and encrypts its plaintext under another key or context.
func (s *Service) ReEncrypt(c iam.Caller, in *ReEncryptRequest) (*ReEncryptResponse, error) {
	return reEncrypt.call(s, c, in)
}

// GenerateDataKey makes a random data key.
func (s *Service) GenerateDataKey(c iam.Caller, in *GenerateDataKeyRequest) (*GenerateDataKeyResponse, error) {
	return generateDataKey.call(s, c, in)
}

// GenerateDataKeyWithoutPlaintext makes a random data key and shows it encrypted only.
func (s *Service) GenerateDataKeyWithoutPlaintext(c iam.Caller, in *GenerateDataKeyRequest) (*GenerateDataKeyWithoutPlaintextResponse, error) {
	return generateDataKeyWithoutPlaintext.call(s, c, in)
}

// A use is a key looked up, authorized and checked for one cryptographic operation: all that is
// needed to go on without the lock.
type use struct {
	id          uuid.UUID
	arn         string
	spec, usage string
	origin      string
	inStore     bool // the material is in a custom key store, and its id is not shown
	material    *material
}

// using is the use of a material of a key. s.mu must be held.
func (k *key) using(m *material) use {
	return use{id: k.id, arn: k.arn, spec: k.spec, usage: k.usage, origin: k.origin, inStore: k.store != nil, material: m}
}

// present is the use of the key's current material, which a key with imported material may lack.
// s.mu must be held.
func (k *key) present() (use, *Error) {
	if k.current == nil || k.current.material == nil {
		return use{}, isPendingImport(k.arn)
	}
	return k.using(k.current.material), nil
}

// materialID is the material's id as responses show it, or "" where they do not.
func (u use) materialID() string {
	if u.spec != symmetric || u.inStore {
		return ""
	}
	return u.material.String()
}

// demandSymmetric refuses to make data keys under anything but a symmetric encryption key.
func (u use) demandSymmetric(operation string) *Error {
	if err := u.demandUsage(operation, encryptDecrypt); err != nil {
		return err
	}
	if u.spec != symmetric {
		return refuse("InvalidKeyUsageException", "You cannot generate a data key with an asymmetric CMK")
	}
	return nil
}

// keyOf returns the key that a ciphertext names, or nil. s.mu must be held.
func (s *Service) keyOf(b blob) *key {
	if k := s.keys[b.key.String()]; k != nil {
		return k
	}
	for _, k := range s.owned {
		if k.id == b.key {
			return k
		}
	}
	return s.keys["mrk-"+hex.EncodeToString(b.key[:])]
}

// sealing finds the key under which to encrypt. What the access tells besides the encryption context
// matters to policies only.
func (s *Service) sealing(c *call, action, keyID string, a access) (use, *Error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, alias, err := s.find(c, action, keyID, byKeyOrAlias)
	if err != nil {
		return use{}, err
	}
	a.withEC, a.alias = true, alias
	if err := s.authorize(c, action, k, a); err != nil {
		return use{}, err
	}
	if err := usable.check(k); err != nil {
		return use{}, err
	}
	return k.present()
}

// opening finds the key and material that a ciphertext was made with. keyID may be "", for a symmetric
// key. A blob tells its material; what an asymmetric key encrypted does not.
func (s *Service) opening(c *call, action, keyID string, b blob, wellFormed bool, context map[string]string, algorithm string) (use, *Error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var k *key
	var alias string
	if keyID != "" {
		var err *Error
		if k, alias, err = s.find(c, action, keyID, byKeyOrAlias); err != nil {
			return use{}, err
		}
	} else {
		if !wellFormed {
			return use{}, errCiphertext()
		}
		if k = s.view(c, s.keyOf(b)); k == nil {
			return use{}, errCiphertextKey()
		}
	}
	if err := s.authorize(c, action, k, access{context: context, withEC: true, alias: alias, algorithm: algorithm}); err != nil {
		if keyID == "" && err.Code == "AccessDeniedException" {
			err = errCiphertextKey()
		}
		return use{}, err
	}
	if err := usable.check(k); err != nil {
		return use{}, err
	}
	if k.spec != symmetric {
		return k.present()
	}
	if !wellFormed {
		return use{}, errCiphertext()
	}
	if b.key != k.id {
		return use{}, errIncorrectKey()
	}
	made := k.version(b.material)
	if made == nil || made.material == nil {
		return use{}, errCiphertext()
	}
	return k.using(made.material), nil
}

func (s *Service) encrypt(c *call, in *EncryptRequest) (*EncryptResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.blob("Plaintext", in.Plaintext, maxPlain)
	v.enum("EncryptionAlgorithm", in.EncryptionAlgorithm, encryptionAlgorithms)
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	u, err := s.sealing(c, "Encrypt", in.KeyId, access{context: in.EncryptionContext, algorithm: in.EncryptionAlgorithm})
	if err != nil {
		return nil, err
	}
	algorithm, err := u.demandEncryption("Encrypt", in.EncryptionAlgorithm, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	sealed, err := u.encrypt(algorithm, in.EncryptionContext, in.Plaintext)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	return &EncryptResponse{CiphertextBlob: sealed, KeyId: u.arn, EncryptionAlgorithm: algorithm}, nil
}

func (s *Service) decrypt(c *call, in *DecryptRequest) (*DecryptResponse, *Error) {
	v := c.validation()
	ignored := v.modifiers(in.DryRunModifiers)
	if !ignored || in.CiphertextBlob != nil {
		v.blob("CiphertextBlob", in.CiphertextBlob, maxBlob)
	}
	v.optional("KeyId", in.KeyId, 1, 2048)
	v.enum("EncryptionAlgorithm", in.EncryptionAlgorithm, encryptionAlgorithms)
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	if in.Recipient != nil {
		return nil, errNotYet("Recipient")
	}
	if ignored {
		if err := s.permitted(c, "Decrypt", in.KeyId, in.DryRun, in.EncryptionContext, in.EncryptionAlgorithm); err != nil {
			return nil, err
		}
		return nil, errDryRun()
	}
	b, ok := parseBlob(in.CiphertextBlob)
	u, err := s.opening(c, "Decrypt", in.KeyId, b, ok, in.EncryptionContext, in.EncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	algorithm, err := u.demandEncryption("Decrypt", in.EncryptionAlgorithm, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	plain, err := u.decrypt(algorithm, in.EncryptionContext, in.CiphertextBlob, &b)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	return &DecryptResponse{KeyId: u.arn, Plaintext: plain, EncryptionAlgorithm: algorithm,
		KeyMaterialId: u.materialID()}, nil
}

func (s *Service) reEncrypt(c *call, in *ReEncryptRequest) (*ReEncryptResponse, *Error) {
	v := c.validation()
	ignored := v.modifiers(in.DryRunModifiers)
	if !ignored || in.CiphertextBlob != nil {
		v.blob("CiphertextBlob", in.CiphertextBlob, maxBlob)
	}
	v.optional("SourceKeyId", in.SourceKeyId, 1, 2048)
	v.required("DestinationKeyId", in.DestinationKeyId, 2048)
	v.enum("SourceEncryptionAlgorithm", in.SourceEncryptionAlgorithm, encryptionAlgorithms)
	v.enum("DestinationEncryptionAlgorithm", in.DestinationEncryptionAlgorithm, encryptionAlgorithms)
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	if ignored {
		err := s.permitted(c, "ReEncryptFrom", in.SourceKeyId, in.DryRun, in.SourceEncryptionContext, in.SourceEncryptionAlgorithm)
		if err != nil {
			return nil, err
		}
		to, err := s.sealing(c, "ReEncryptTo", in.DestinationKeyId,
			access{context: in.DestinationEncryptionContext, algorithm: in.DestinationEncryptionAlgorithm})
		if err != nil {
			return nil, err
		}
		if _, err := to.demandEncryption("ReEncrypt", in.DestinationEncryptionAlgorithm, in.DestinationEncryptionContext); err != nil {
			return nil, err
		}
		return nil, errDryRun()
	}
	b, ok := parseBlob(in.CiphertextBlob)
	c.sameKey = s.onSameKey(c, in, b, ok)
	from, err := s.opening(c, "ReEncryptFrom", in.SourceKeyId, b, ok, in.SourceEncryptionContext, in.SourceEncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	to, err := s.sealing(c, "ReEncryptTo", in.DestinationKeyId,
		access{context: in.DestinationEncryptionContext, algorithm: in.DestinationEncryptionAlgorithm})
	if err != nil {
		return nil, err
	}
	fromAlgorithm, err := from.demandEncryption("ReEncrypt", in.SourceEncryptionAlgorithm, in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	toAlgorithm, err := to.demandEncryption("ReEncrypt", in.DestinationEncryptionAlgorithm, in.DestinationEncryptionContext)
	if err != nil {
		return nil, err
	}
	plain, err := from.decrypt(fromAlgorithm, in.SourceEncryptionContext, in.CiphertextBlob, &b)
	if err != nil {
		return nil, err
	}
	sealed, err := to.encrypt(toAlgorithm, in.DestinationEncryptionContext, plain)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	return &ReEncryptResponse{
		CiphertextBlob:                 sealed,
		SourceKeyId:                    from.arn,
		KeyId:                          to.arn,
		SourceEncryptionAlgorithm:      fromAlgorithm,
		DestinationEncryptionAlgorithm: toAlgorithm,
		SourceKeyMaterialId:            from.materialID(),
		DestinationKeyMaterialId:       to.materialID(),
	}, nil
}

// onSameKey says whether a ReEncrypt stays with its key, or "" if one of the keys cannot be found.
func (s *Service) onSameKey(c *call, in *ReEncryptRequest, b blob, wellFormed bool) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	to, _, err := s.find(c, "ReEncryptTo", in.DestinationKeyId, byKeyOrAlias)
	if err != nil {
		return ""
	}
	var from *key
	switch {
	case in.SourceKeyId != "":
		if from, _, err = s.find(c, "ReEncryptFrom", in.SourceKeyId, byKeyOrAlias); err != nil {
			return ""
		}
	case wellFormed:
		from = s.keyOf(b)
	}
	if from == nil {
		return ""
	}
	return strconv.FormatBool(from.id == to.id)
}

// dataKey is GenerateDataKey and its sister, whose permissions differ.
func (s *Service) dataKey(c *call, action string, in *GenerateDataKeyRequest) (*GenerateDataKeyResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.between("NumberOfBytes", in.NumberOfBytes, 1, 1024)
	v.enum("KeySpec", in.KeySpec, dataKeySpecs)
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	if (in.NumberOfBytes == nil) == (in.KeySpec == "") {
		return nil, refuse("ValidationException", "Please specify either number of bytes or key spec.")
	}
	if in.Recipient != nil {
		return nil, errNotYet("Recipient")
	}
	u, err := s.sealing(c, action, in.KeyId, access{context: in.EncryptionContext})
	if err != nil {
		return nil, err
	}
	if err := u.demandSymmetric(action); err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	size := 32
	switch {
	case in.NumberOfBytes != nil:
		size = int(*in.NumberOfBytes)
	case in.KeySpec == "AES_128":
		size = 16
	}
	plain := make([]byte, size)
	rand.Read(plain) // never fails
	return &GenerateDataKeyResponse{
		CiphertextBlob: seal(u.id, u.material, in.EncryptionContext, plain),
		Plaintext:      plain,
		KeyId:          u.arn,
		KeyMaterialId:  u.materialID(),
	}, nil
}

func (s *Service) generateDataKey(c *call, in *GenerateDataKeyRequest) (*GenerateDataKeyResponse, *Error) {
	return s.dataKey(c, "GenerateDataKey", in)
}

func (s *Service) generateDataKeyWithoutPlaintext(c *call, in *GenerateDataKeyRequest) (*GenerateDataKeyWithoutPlaintextResponse, *Error) {
	out, err := s.dataKey(c, "GenerateDataKeyWithoutPlaintext", in)
	if err != nil {
		return nil, err
	}
	return &GenerateDataKeyWithoutPlaintextResponse{out.CiphertextBlob, out.KeyId, out.KeyMaterialId}, nil
}
