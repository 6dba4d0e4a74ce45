package kms

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"loadkms/sandbox/iam"
)

// A GenerateMacRequest asks for the MAC of a message.
type GenerateMacRequest struct {
	KeyId        string   `json:",omitempty"` // or alias
	Message      []byte   `json:",omitempty"` // 1 to 4096 bytes
	MacAlgorithm string   `json:",omitempty"`
	GrantTokens  []string `json:",omitempty"`
	DryRun       bool     `json:",omitempty"`
}

// A GenerateMacResponse holds the MAC.
type GenerateMacResponse struct {
	KeyId        string // ARN
	Mac          []byte
	MacAlgorithm string
}

// A VerifyMacRequest asks whether a MAC is one of the message under the key.
type VerifyMacRequest struct {
	KeyId        string   `json:",omitempty"` // or alias
	Message      []byte   `json:",omitempty"` // 1 to 4096 bytes
	Mac          []byte   `json:",omitempty"`
	MacAlgorithm string   `json:",omitempty"`
	GrantTokens  []string `json:",omitempty"`
	DryRun       bool     `json:",omitempty"`
}

// A VerifyMacResponse confirms a MAC; a wrong one is a KMSInvalidMacException.
type VerifyMacResponse struct {
	KeyId        string // ARN
	MacValid     bool   // always true
	MacAlgorithm string
}

var (
	generateMac = operation[GenerateMacRequest, GenerateMacResponse]{"GenerateMac", (*Service).generateMac}
	verifyMac   = operation[VerifyMacRequest, VerifyMacResponse]{"VerifyMac", (*Service).verifyMac}
)

// GenerateMac makes a MAC of a message.
func (s *Service) GenerateMac(c iam.Caller, in *GenerateMacRequest) (*GenerateMacResponse, error) {
	return generateMac.call(s, c, in)
}

// VerifyMac checks a MAC.
func (s *Service) VerifyMac(c iam.Caller, in *VerifyMacRequest) (*VerifyMacResponse, error) {
	return verifyMac.call(s, c, in)
}

var (
	macAlgorithms = []string{"HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"}
	macHash       = map[string]func() hash.Hash{"HMAC_SHA_224": sha256.New224, "HMAC_SHA_256": sha256.New,
		"HMAC_SHA_384": sha512.New384, "HMAC_SHA_512": sha512.New}
)

func (s *Service) generateMac(c *call, in *GenerateMacRequest) (*GenerateMacResponse, *Error) {
	v := c.validation()
	v.macing(in.KeyId, in.Message, in.MacAlgorithm, in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	u, mac, err := s.macing(c, "GenerateMac", in.KeyId, in.Message, in.MacAlgorithm)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	return &GenerateMacResponse{KeyId: u.arn, Mac: mac, MacAlgorithm: in.MacAlgorithm}, nil
}

func (s *Service) verifyMac(c *call, in *VerifyMacRequest) (*VerifyMacResponse, *Error) {
	v := c.validation()
	v.macing(in.KeyId, in.Message, in.MacAlgorithm, in.GrantTokens)
	v.blob("Mac", in.Mac, maxBlob)
	if err := v.err(); err != nil {
		return nil, err
	}
	u, mac, err := s.macing(c, "VerifyMac", in.KeyId, in.Message, in.MacAlgorithm)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(mac, in.Mac) {
		return nil, refuse("KMSInvalidMacException", "")
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	return &VerifyMacResponse{KeyId: u.arn, MacValid: true, MacAlgorithm: in.MacAlgorithm}, nil
}

// macing checks what both operations have in common.
func (v *validation) macing(keyID string, message []byte, algorithm string, tokens []string) {
	v.required("KeyId", keyID, 2048)
	v.blob("Message", message, maxPlain)
	v.mandatory("MacAlgorithm", algorithm, macAlgorithms)
	v.tokens(tokens)
}

// macing finds the key and makes the MAC of the message.
func (s *Service) macing(c *call, action, keyID string, message []byte, algorithm string) (use, []byte, *Error) {
	u, err := s.taking(c, action, keyID, algorithm)
	if err != nil {
		return use{}, nil, err
	}
	if err := u.demandUsage(action, generateVerifyMac); err != nil {
		return use{}, nil, err
	}
	if err := demandAlgorithm(algorithm, u.spec, kinds[u.spec].macs); err != nil {
		return use{}, nil, err
	}
	h := hmac.New(macHash[algorithm], u.material.secret)
	h.Write(message)
	return u, h.Sum(nil), nil
}
