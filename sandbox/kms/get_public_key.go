package kms

import (
	"slices"

	"loadkms/sandbox/iam"
)

// A GetPublicKeyRequest names an asymmetric key.
type GetPublicKeyRequest struct {
	KeyId       string   `json:",omitempty"` // or alias
	GrantTokens []string `json:",omitempty"`
}

// A GetPublicKeyResponse holds the public half of a key, and what it is good for.
type GetPublicKeyResponse struct {
	KeyId                   string // ARN
	PublicKey               []byte // SubjectPublicKeyInfo in DER
	CustomerMasterKeySpec   string
	KeySpec                 string
	KeyUsage                string
	EncryptionAlgorithms    []string `json:",omitempty"`
	SigningAlgorithms       []string `json:",omitempty"`
	KeyAgreementAlgorithms  []string `json:",omitempty"`
	EncapsulationAlgorithms []string `json:",omitempty"`
}

var getPublicKey = operation[GetPublicKeyRequest, GetPublicKeyResponse]{"GetPublicKey", (*Service).getPublicKey}

// GetPublicKey returns the public half of an asymmetric key.
func (s *Service) GetPublicKey(c iam.Caller, in *GetPublicKeyRequest) (*GetPublicKeyResponse, error) {
	return getPublicKey.call(s, c, in)
}

func (s *Service) getPublicKey(c *call, in *GetPublicKeyRequest) (*GetPublicKeyResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	u, err := s.taking(c, "GetPublicKey", in.KeyId, "")
	if err != nil {
		return nil, err
	}
	if !asymmetric(u.spec) {
		return nil, refuse("UnsupportedOperationException", "%s KeySpec is %s which is not valid for GetPublicKey.", u.arn, u.spec)
	}
	out := &GetPublicKeyResponse{KeyId: u.arn, PublicKey: u.material.public(), CustomerMasterKeySpec: u.spec, KeySpec: u.spec,
		KeyUsage: u.usage}
	out.EncryptionAlgorithms, out.SigningAlgorithms, _, out.KeyAgreementAlgorithms = kinds[u.spec].algorithms(u.usage)
	out.EncapsulationAlgorithms = slices.Clone(kinds[u.spec].encapsulation)
	return out, nil
}

// taking finds the key for an operation that needs its present material and takes no encryption
// context: found by id, ARN or alias, authorized, and in a state to be used. The algorithm matters to
// policies only.
func (s *Service) taking(c *call, action, keyID, algorithm string) (use, *Error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, alias, err := s.find(c, action, keyID, byKeyOrAlias)
	if err != nil {
		return use{}, err
	}
	if err := s.authorize(c, action, k, access{alias: alias, algorithm: algorithm}); err != nil {
		return use{}, err
	}
	if err := usable.check(k); err != nil {
		return use{}, err
	}
	return k.present()
}
