package kms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"strings"

	_ "crypto/sha512" // registers itself, as does crypto/sha256

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"loadkms/sandbox/iam"
)

// A SignRequest asks for the signature of a message, or of its digest.
type SignRequest struct {
	KeyId            string   `json:",omitempty"` // or alias
	Message          []byte   `json:",omitempty"` // 1 to 4096 bytes
	MessageType      string   `json:",omitempty"` // RAW or DIGEST; default RAW
	SigningAlgorithm string   `json:",omitempty"`
	GrantTokens      []string `json:",omitempty"`
	DryRun           bool     `json:",omitempty"`
}

// A SignResponse holds the signature: of ECDSA in DER, of RSA and Ed25519 as it is.
type SignResponse struct {
	KeyId            string // ARN
	Signature        []byte
	SigningAlgorithm string
}

// A VerifyRequest asks whether a signature is one of the message by the key.
type VerifyRequest struct {
	KeyId            string   `json:",omitempty"` // or alias
	Message          []byte   `json:",omitempty"` // 1 to 4096 bytes
	MessageType      string   `json:",omitempty"` // RAW or DIGEST; default RAW
	Signature        []byte   `json:",omitempty"`
	SigningAlgorithm string   `json:",omitempty"`
	GrantTokens      []string `json:",omitempty"`
	DryRun           bool     `json:",omitempty"`
}

// A VerifyResponse confirms a signature; a wrong one is a KMSInvalidSignatureException.
type VerifyResponse struct {
	KeyId            string // ARN
	SignatureValid   bool   // always true
	SigningAlgorithm string
}

var (
	sign   = operation[SignRequest, SignResponse]{"Sign", (*Service).sign}
	verify = operation[VerifyRequest, VerifyResponse]{"Verify", (*Service).verify}
)

// Sign signs a message with an asymmetric key.
func (s *Service) Sign(c iam.Caller, in *SignRequest) (*SignResponse, error) {
	return sign.call(s, c, in)
}

// Verify checks a signature.
func (s *Service) Verify(c iam.Caller, in *VerifyRequest) (*VerifyResponse, error) {
	return verify.call(s, c, in)
}

func (s *Service) sign(c *call, in *SignRequest) (*SignResponse, *Error) {
	v := c.validation()
	v.signing(in.KeyId, in.Message, in.MessageType, in.SigningAlgorithm, in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	u, digest, err := s.signing(c, "Sign", in.KeyId, in.Message, in.MessageType, in.SigningAlgorithm)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	signature, failure := u.material.private.Sign(rand.Reader, digest, signerOptions(in.SigningAlgorithm))
	if failure != nil {
		return nil, refuse("KMSInternalException", "sign with %s: %v", in.SigningAlgorithm, failure)
	}
	return &SignResponse{KeyId: u.arn, Signature: signature, SigningAlgorithm: in.SigningAlgorithm}, nil
}

func (s *Service) verify(c *call, in *VerifyRequest) (*VerifyResponse, *Error) {
	v := c.validation()
	v.signing(in.KeyId, in.Message, in.MessageType, in.SigningAlgorithm, in.GrantTokens)
	v.blob("Signature", in.Signature, maxBlob)
	if err := v.err(); err != nil {
		return nil, err
	}
	u, digest, err := s.signing(c, "Verify", in.KeyId, in.Message, in.MessageType, in.SigningAlgorithm)
	if err != nil {
		return nil, err
	}
	if !signed(u.material.private.Public(), digest, in.Signature, signerOptions(in.SigningAlgorithm)) {
		return nil, refuse("KMSInvalidSignatureException", "")
	}
	if in.DryRun {
		return nil, errDryRun()
	}
	return &VerifyResponse{KeyId: u.arn, SignatureValid: true, SigningAlgorithm: in.SigningAlgorithm}, nil
}

// signing checks what Sign and Verify have in common.
func (v *validation) signing(keyID string, message []byte, messageType, algorithm string, tokens []string) {
	v.required("KeyId", keyID, 2048)
	v.blob("Message", message, maxPlain)
	v.enum("MessageType", messageType, messageTypes)
	v.mandatory("SigningAlgorithm", algorithm, signingAlgorithms)
	v.tokens(tokens)
}

// mandatory checks a string that must be there against the values of its type.
func (v *validation) mandatory(member, s string, values []string) {
	if s == "" && !v.present(member) {
		v.add("Value null at '%s' %s not be null", field(member), constraint)
		return
	}
	v.enum(member, s, values)
}

var (
	messageTypes      = []string{"RAW", "DIGEST", "EXTERNAL_MU"}
	signingAlgorithms = []string{"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
		"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512", "ECDSA_SHA_256",
		"ECDSA_SHA_384", "ECDSA_SHA_512", "SM2DSA", "ML_DSA_SHAKE_256", "ED25519_SHA_512", "ED25519_PH_SHA_512"}
)

// signing finds the key and returns what its signature algorithm takes: a digest, or for Ed25519 the
// message.
func (s *Service) signing(c *call, action, keyID string, message []byte, messageType, algorithm string) (use, []byte, *Error) {
	u, err := s.taking(c, action, keyID, algorithm)
	if err != nil {
		return use{}, nil, err
	}
	if err := u.demandUsage(action, signVerify); err != nil {
		return use{}, nil, err
	}
	if err := demandAlgorithm(algorithm, u.spec, kinds[u.spec].signing); err != nil {
		return use{}, nil, err
	}
	if messageType == "" {
		messageType = "RAW"
	}
	// EXTERNAL_MU is for ML-DSA. Of the two forms of Ed25519 the pure one signs messages only, because it
	// hashes twice, and the prehashed one takes digests only.
	if messageType == "EXTERNAL_MU" || algorithm == "ED25519_SHA_512" && messageType != "RAW" ||
		algorithm == "ED25519_PH_SHA_512" && messageType != "DIGEST" {
		return use{}, nil, refuse("ValidationException", "Message type %s is incompatible with algorithm %s.", messageType, algorithm)
	}
	hash := signatureHash(algorithm)
	switch {
	case algorithm == "ED25519_SHA_512":
		return u, message, nil
	case messageType == "RAW":
		h := hash.New()
		h.Write(message)
		return u, h.Sum(nil), nil
	case len(message) != hash.Size():
		return use{}, nil, refuse("ValidationException", "Digest is invalid length for algorithm %s.", algorithm)
	}
	return u, message, nil
}

// signatureHash is the hash at the end of a signing algorithm's name.
func signatureHash(algorithm string) crypto.Hash {
	switch {
	case strings.HasSuffix(algorithm, "_256"):
		return crypto.SHA256
	case strings.HasSuffix(algorithm, "_384"):
		return crypto.SHA384
	}
	return crypto.SHA512
}

// signerOptions are the options of a signing algorithm, as crypto.Signer wants them.
func signerOptions(algorithm string) crypto.SignerOpts {
	hash := signatureHash(algorithm)
	switch {
	case strings.HasPrefix(algorithm, "RSASSA_PSS_"):
		// KMS salts with as many bytes as the digest has.
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	case algorithm == "ED25519_SHA_512":
		return crypto.Hash(0) // the message itself
	}
	return hash
}

// signed reports whether the signature is one of the digest by the owner of the public key.
func signed(public crypto.PublicKey, digest, signature []byte, o crypto.SignerOpts) bool {
	switch p := public.(type) {
	case *rsa.PublicKey:
		if pss, ok := o.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(p, pss.Hash, digest, signature, pss) == nil
		}
		return rsa.VerifyPKCS1v15(p, o.HashFunc(), digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(p, digest, signature)
	case ed25519.PublicKey:
		return ed25519.VerifyWithOptions(p, digest, signature, &ed25519.Options{Hash: o.HashFunc()}) == nil
	case *secp256k1.PublicKey:
		return koblitzSigned(p, digest, signature)
	}
	return false
}
