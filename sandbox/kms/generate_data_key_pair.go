package kms

import (
	"loadkms/sandbox/iam"
)

// A GenerateDataKeyPairRequest asks for a new pair of keys for use outside of KMS.
type GenerateDataKeyPairRequest struct {
	EncryptionContext map[string]string `json:",omitempty"`
	KeyId             string            `json:",omitempty"` // or alias; of a symmetric key
	KeyPairSpec       string            `json:",omitempty"`
	GrantTokens       []string          `json:",omitempty"`
	DryRun            bool              `json:",omitempty"`
	Recipient         *Recipient        `json:",omitempty"` // not in the sandbox yet
}

// A GenerateDataKeyPairResponse holds the pair, the private half in the clear (PKCS #8 in DER) and
// encrypted under the KMS key.
type GenerateDataKeyPairResponse struct {
	PrivateKeyCiphertextBlob []byte
	PrivateKeyPlaintext      []byte
	PublicKey                []byte // SubjectPublicKeyInfo in DER
	KeyId                    string // ARN
	KeyPairSpec              string
	KeyMaterialId            string `json:",omitempty"`
}

// A GenerateDataKeyPairWithoutPlaintextResponse holds the pair, the private half encrypted.
type GenerateDataKeyPairWithoutPlaintextResponse struct {
	PrivateKeyCiphertextBlob []byte
	PublicKey                []byte // SubjectPublicKeyInfo in DER
	KeyId                    string // ARN
	KeyPairSpec              string
	KeyMaterialId            string `json:",omitempty"`
}

var (
	generateDataKeyPair = operation[GenerateDataKeyPairRequest, GenerateDataKeyPairResponse]{
		"GenerateDataKeyPair", (*Service).generateDataKeyPair}
	generateDataKeyPairWithoutPlaintext = operation[GenerateDataKeyPairRequest, GenerateDataKeyPairWithoutPlaintextResponse]{
		"GenerateDataKeyPairWithoutPlaintext", (*Service).generateDataKeyPairWithoutPlaintext}
)

// GenerateDataKeyPair makes a random pair of keys. For RSA it takes up to a second.
func (s *Service) GenerateDataKeyPair(c iam.Caller, in *GenerateDataKeyPairRequest) (*GenerateDataKeyPairResponse, error) {
	return generateDataKeyPair.call(s, c, in)
}

// GenerateDataKeyPairWithoutPlaintext makes a random pair of keys and shows its private half encrypted
// only.
func (s *Service) GenerateDataKeyPairWithoutPlaintext(c iam.Caller, in *GenerateDataKeyPairRequest) (*GenerateDataKeyPairWithoutPlaintextResponse, error) {
	return generateDataKeyPairWithoutPlaintext.call(s, c, in)
}

var dataKeyPairSpecs = []string{"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521",
	"ECC_SECG_P256K1", "SM2", "ECC_NIST_EDWARDS25519", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"}

func (s *Service) dataKeyPair(c *call, action string, in *GenerateDataKeyPairRequest) (*GenerateDataKeyPairResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.mandatory("KeyPairSpec", in.KeyPairSpec, dataKeyPairSpecs)
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	if in.Recipient != nil {
		return nil, errNotYet("Recipient")
	}
	u, err := s.sealing(c, action, in.KeyId, access{context: in.EncryptionContext,
		values: map[string]string{"datakeypairspec": in.KeyPairSpec}})
	if err != nil {
		return nil, err
	}
	if err := u.demandSymmetric(action); err != nil {
		return nil, err
	}
	if why := kinds[in.KeyPairSpec].lacking; why != "" {
		return nil, refuse("UnsupportedOperationException", "the sandbox does not have key pairs of %s: %s", in.KeyPairSpec, why)
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	pair := generate(u.id, in.KeyPairSpec)
	return &GenerateDataKeyPairResponse{
		PrivateKeyCiphertextBlob: seal(u.id, u.material, in.EncryptionContext, pair.secret),
		PrivateKeyPlaintext:      pair.secret,
		PublicKey:                pair.public(),
		KeyId:                    u.arn,
		KeyPairSpec:              in.KeyPairSpec,
		KeyMaterialId:            u.materialID(),
	}, nil
}

func (s *Service) generateDataKeyPair(c *call, in *GenerateDataKeyPairRequest) (*GenerateDataKeyPairResponse, *Error) {
	return s.dataKeyPair(c, "GenerateDataKeyPair", in)
}

func (s *Service) generateDataKeyPairWithoutPlaintext(c *call, in *GenerateDataKeyPairRequest) (*GenerateDataKeyPairWithoutPlaintextResponse, *Error) {
	out, err := s.dataKeyPair(c, "GenerateDataKeyPairWithoutPlaintext", in)
	if err != nil {
		return nil, err
	}
	return &GenerateDataKeyPairWithoutPlaintextResponse{PrivateKeyCiphertextBlob: out.PrivateKeyCiphertextBlob,
		PublicKey: out.PublicKey, KeyId: out.KeyId, KeyPairSpec: out.KeyPairSpec, KeyMaterialId: out.KeyMaterialId}, nil
}
