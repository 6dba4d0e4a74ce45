package kms

import "loadkms/sandbox/iam"

// An EncapsulateRequest asks for a new secret shared with an ML-KEM key.
type EncapsulateRequest struct {
	KeyId                  string   `json:",omitempty"` // or alias
	EncapsulationAlgorithm string   `json:",omitempty"` // ML_KEM
	GrantTokens            []string `json:",omitempty"`
	DryRun                 bool     `json:",omitempty"`
}

// An EncapsulateResponse holds the secret in the clear and in the form that only the key can open.
type EncapsulateResponse struct {
	KeyId                      string // ARN
	SharedSecret               []byte
	SharedSecretCiphertextBlob []byte
	EncapsulationAlgorithm     string
}

// A DecapsulateRequest asks for the secret that somebody has encapsulated with the key's public half.
type DecapsulateRequest struct {
	KeyId                      string   `json:",omitempty"` // or alias
	SharedSecretCiphertextBlob []byte   `json:",omitempty"`
	EncapsulationAlgorithm     string   `json:",omitempty"` // ML_KEM
	GrantTokens                []string `json:",omitempty"`
	DryRun                     bool     `json:",omitempty"`
}

// A DecapsulateResponse holds the secret. For a ciphertext of the right length that is not one of the
// key it is an unpredictable other value: that is how ML-KEM rejects.
type DecapsulateResponse struct {
	KeyId                  string // ARN
	SharedSecret           []byte
	EncapsulationAlgorithm string
}

var (
	encapsulate = operation[EncapsulateRequest, EncapsulateResponse]{"Encapsulate", (*Service).encapsulate}
	decapsulate = operation[DecapsulateRequest, DecapsulateResponse]{"Decapsulate", (*Service).decapsulate}
)

// Encapsulate makes a secret shared with the owner of the key.
func (s *Service) Encapsulate(c iam.Caller, in *EncapsulateRequest) (*EncapsulateResponse, error) {
	return encapsulate.call(s, c, in)
}

// Decapsulate returns a secret that somebody shares with the key.
func (s *Service) Decapsulate(c iam.Caller, in *DecapsulateRequest) (*DecapsulateResponse, error) {
	return decapsulate.call(s, c, in)
}

func (s *Service) encapsulate(c *call, in *EncapsulateRequest) (*EncapsulateResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.mandatory("EncapsulationAlgorithm", in.EncapsulationAlgorithm, []string{"ML_KEM"})
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	u, err := s.taking(c, "Encapsulate", in.KeyId, in.EncapsulationAlgorithm)
	if err != nil {
		return nil, err
	}
	if err := u.demandUsage("Encapsulate", encapsulateDecapsulate); err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	secret, sealed := u.material.kem.Encapsulator().Encapsulate()
	return &EncapsulateResponse{KeyId: u.arn, SharedSecret: secret, SharedSecretCiphertextBlob: sealed,
		EncapsulationAlgorithm: "ML_KEM"}, nil
}

func (s *Service) decapsulate(c *call, in *DecapsulateRequest) (*DecapsulateResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.blob("SharedSecretCiphertextBlob", in.SharedSecretCiphertextBlob, maxBlob)
	v.mandatory("EncapsulationAlgorithm", in.EncapsulationAlgorithm, []string{"ML_KEM"})
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	u, err := s.taking(c, "Decapsulate", in.KeyId, in.EncapsulationAlgorithm)
	if err != nil {
		return nil, err
	}
	if err := u.demandUsage("Decapsulate", encapsulateDecapsulate); err != nil {
		return nil, err
	}
	secret, failure := u.material.kem.Decapsulate(in.SharedSecretCiphertextBlob)
	if failure != nil {
		return nil, errCiphertext() // the length does not fit
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	return &DecapsulateResponse{KeyId: u.arn, SharedSecret: secret, EncapsulationAlgorithm: "ML_KEM"}, nil
}
