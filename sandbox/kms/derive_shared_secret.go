package kms

import (
	"crypto/ecdsa"
	"crypto/x509"

	"loadkms/sandbox/iam"
)

// A DeriveSharedSecretRequest asks for the secret that a KMS key shares with somebody's public key.
type DeriveSharedSecretRequest struct {
	KeyId                 string     `json:",omitempty"` // or alias
	KeyAgreementAlgorithm string     `json:",omitempty"` // ECDH
	PublicKey             []byte     `json:",omitempty"` // SubjectPublicKeyInfo in DER, on the key's curve
	GrantTokens           []string   `json:",omitempty"`
	DryRun                bool       `json:",omitempty"`
	Recipient             *Recipient `json:",omitempty"` // not in the sandbox yet
}

// A DeriveSharedSecretResponse holds the raw shared secret.
type DeriveSharedSecretResponse struct {
	KeyId                 string // ARN
	SharedSecret          []byte
	KeyAgreementAlgorithm string
	KeyOrigin             string
}

var deriveSharedSecret = operation[DeriveSharedSecretRequest, DeriveSharedSecretResponse]{
	"DeriveSharedSecret", (*Service).deriveSharedSecret}

// DeriveSharedSecret agrees on a secret with the owner of a public key.
func (s *Service) DeriveSharedSecret(c iam.Caller, in *DeriveSharedSecretRequest) (*DeriveSharedSecretResponse, error) {
	return deriveSharedSecret.call(s, c, in)
}

func (s *Service) deriveSharedSecret(c *call, in *DeriveSharedSecretRequest) (*DeriveSharedSecretResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.mandatory("KeyAgreementAlgorithm", in.KeyAgreementAlgorithm, []string{"ECDH"})
	v.blob("PublicKey", in.PublicKey, 8192)
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	if in.Recipient != nil {
		return nil, errNotYet("Recipient")
	}
	u, err := s.taking(c, "DeriveSharedSecret", in.KeyId, in.KeyAgreementAlgorithm)
	if err != nil {
		return nil, err
	}
	if err := u.demandUsage("DeriveSharedSecret", keyAgreement); err != nil {
		return nil, err
	}
	secret, err := agree(u, in.PublicKey)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	return &DeriveSharedSecretResponse{KeyId: u.arn, SharedSecret: secret, KeyAgreementAlgorithm: "ECDH", KeyOrigin: u.origin}, nil
}

// agree does the key agreement with a public key that anybody may have written.
func agree(u use, public []byte) ([]byte, *Error) {
	wrong := refuse("ValidationException", "PublicKey is not a valid public key on the curve of the key spec %s.", u.spec)
	parsed, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		return nil, wrong
	}
	theirs, ok := parsed.(*ecdsa.PublicKey)
	if !ok || theirs.Curve != curves[u.spec] {
		return nil, wrong
	}
	peer, err := theirs.ECDH()
	if err != nil {
		return nil, wrong
	}
	secret, err := u.material.agreement().ECDH(peer)
	if err != nil {
		return nil, wrong
	}
	return secret, nil
}
