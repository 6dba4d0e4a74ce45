package kms

import (
	"crypto/rand"

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
	DryRunModifiers     []string          `json:",omitempty"` // not in the sandbox yet
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
	KeyMaterialId       string
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
	DryRunModifiers                []string          `json:",omitempty"` // not in the sandbox yet
}

// A ReEncryptResponse holds the new ciphertext and both keys' ARNs.
type ReEncryptResponse struct {
	CiphertextBlob                 []byte
	SourceKeyId                    string
	KeyId                          string // of the destination
	SourceEncryptionAlgorithm      string
	DestinationEncryptionAlgorithm string
	SourceKeyMaterialId            string
	DestinationKeyMaterialId       string
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
	KeyMaterialId  string
}

// A GenerateDataKeyWithoutPlaintextResponse holds the data key encrypted under the KMS key.
type GenerateDataKeyWithoutPlaintextResponse struct {
	CiphertextBlob []byte
	KeyId          string
	KeyMaterialId  string
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
	id       uuid.UUID
	arn      string
	material *material
}

// sealing finds the key under which to encrypt.
func (s *Service) sealing(c *call, action, keyID string, context map[string]string) (use, *Error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, alias, err := s.find(c, action, keyID, byKeyOrAlias)
	if err != nil {
		return use{}, err
	}
	if err := s.authorize(c.caller, action, k, access{context: context, withEC: true, alias: alias}); err != nil {
		return use{}, err
	}
	if err := usable.check(k); err != nil {
		return use{}, err
	}
	return use{k.id, k.arn, k.current}, nil
}

// opening finds the key and material that a ciphertext was made with. keyID may be "".
func (s *Service) opening(c *call, action, keyID string, b blob, wellFormed bool, context map[string]string) (use, *Error) {
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
		if k = s.keys[b.key.String()]; k == nil {
			return use{}, errCiphertextKey()
		}
	}
	if err := s.authorize(c.caller, action, k, access{context: context, withEC: true, alias: alias}); err != nil {
		if keyID == "" {
			err = errCiphertextKey()
		}
		return use{}, err
	}
	if err := usable.check(k); err != nil {
		return use{}, err
	}
	if !wellFormed {
		return use{}, errCiphertext()
	}
	if b.key != k.id {
		return use{}, errIncorrectKey()
	}
	m := k.materials[b.material]
	if m == nil {
		return use{}, errCiphertext()
	}
	return use{k.id, k.arn, m}, nil
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
	u, err := s.sealing(c, "Encrypt", in.KeyId, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	if err := algorithm(in.EncryptionAlgorithm); err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	return &EncryptResponse{
		CiphertextBlob:      seal(u.id, u.material, in.EncryptionContext, in.Plaintext),
		KeyId:               u.arn,
		EncryptionAlgorithm: symmetric,
	}, nil
}

func (s *Service) decrypt(c *call, in *DecryptRequest) (*DecryptResponse, *Error) {
	v := c.validation()
	v.blob("CiphertextBlob", in.CiphertextBlob, maxBlob)
	v.optional("KeyId", in.KeyId, 1, 2048)
	v.enum("EncryptionAlgorithm", in.EncryptionAlgorithm, encryptionAlgorithms)
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	if in.Recipient != nil {
		return nil, errNotYet("Recipient")
	}
	if len(in.DryRunModifiers) > 0 {
		return nil, errNotYet("DryRunModifiers")
	}
	b, ok := parseBlob(in.CiphertextBlob)
	u, err := s.opening(c, "Decrypt", in.KeyId, b, ok, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	if err := algorithm(in.EncryptionAlgorithm); err != nil {
		return nil, err
	}
	plain, ok := b.open(u.material, in.EncryptionContext)
	if !ok {
		return nil, errCiphertext()
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	return &DecryptResponse{KeyId: u.arn, Plaintext: plain, EncryptionAlgorithm: symmetric,
		KeyMaterialId: u.material.String()}, nil
}

func (s *Service) reEncrypt(c *call, in *ReEncryptRequest) (*ReEncryptResponse, *Error) {
	v := c.validation()
	v.blob("CiphertextBlob", in.CiphertextBlob, maxBlob)
	v.optional("SourceKeyId", in.SourceKeyId, 1, 2048)
	v.required("DestinationKeyId", in.DestinationKeyId, 2048)
	v.enum("SourceEncryptionAlgorithm", in.SourceEncryptionAlgorithm, encryptionAlgorithms)
	v.enum("DestinationEncryptionAlgorithm", in.DestinationEncryptionAlgorithm, encryptionAlgorithms)
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	if len(in.DryRunModifiers) > 0 {
		return nil, errNotYet("DryRunModifiers")
	}
	b, ok := parseBlob(in.CiphertextBlob)
	from, err := s.opening(c, "ReEncryptFrom", in.SourceKeyId, b, ok, in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	to, err := s.sealing(c, "ReEncryptTo", in.DestinationKeyId, in.DestinationEncryptionContext)
	if err != nil {
		return nil, err
	}
	for _, a := range []string{in.SourceEncryptionAlgorithm, in.DestinationEncryptionAlgorithm} {
		if err := algorithm(a); err != nil {
			return nil, err
		}
	}
	plain, ok := b.open(from.material, in.SourceEncryptionContext)
	if !ok {
		return nil, errCiphertext()
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	return &ReEncryptResponse{
		CiphertextBlob:                 seal(to.id, to.material, in.DestinationEncryptionContext, plain),
		SourceKeyId:                    from.arn,
		KeyId:                          to.arn,
		SourceEncryptionAlgorithm:      symmetric,
		DestinationEncryptionAlgorithm: symmetric,
		SourceKeyMaterialId:            from.material.String(),
		DestinationKeyMaterialId:       to.material.String(),
	}, nil
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
	u, err := s.sealing(c, action, in.KeyId, in.EncryptionContext)
	if err != nil {
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
		KeyMaterialId:  u.material.String(),
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
