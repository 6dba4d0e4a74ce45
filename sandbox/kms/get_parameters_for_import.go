package kms

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// A GetParametersForImportRequest names a key with Origin EXTERNAL, by id or ARN, and says how its
// material is going to be wrapped.
type GetParametersForImportRequest struct {
	KeyId             string `json:",omitempty"`
	WrappingAlgorithm string `json:",omitempty"`
	WrappingKeySpec   string `json:",omitempty"` // RSA_2048, RSA_3072 or RSA_4096
}

// A GetParametersForImportResponse holds what an import needs, for 24 hours.
type GetParametersForImportResponse struct {
	KeyId             string // ARN
	ImportToken       []byte
	PublicKey         []byte // the wrapping key, SubjectPublicKeyInfo in DER
	ParametersValidTo Timestamp
}

var getParametersForImport = operation[GetParametersForImportRequest, GetParametersForImportResponse]{
	"GetParametersForImport", (*Service).getParametersForImport}

// GetParametersForImport makes a new wrapping key and the token that goes with it. It takes up to a
// second.
func (s *Service) GetParametersForImport(c iam.Caller, in *GetParametersForImportRequest) (*GetParametersForImportResponse, error) {
	return getParametersForImport.call(s, c, in)
}

var (
	wrappingAlgorithms = []string{"RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1",
		"RSA_AES_KEY_WRAP_SHA_256", "SM2PKE"}
	wrappingKeySpecs = []string{"RSA_2048", "RSA_3072", "RSA_4096", "SM2"}
)

// tokenLife is how long a wrapping key and its import token are good.
const tokenLife = 24 * time.Hour

// importable is the demand of the import operations on the state of a key with Origin EXTERNAL.
var importable = notPending

// external refuses keys that cannot have imported material.
func external(k *key) *Error {
	if k.origin == "EXTERNAL" {
		return nil
	}
	return refuse("UnsupportedOperationException", "%s origin is %s which is not valid for this operation.", k.arn, k.origin)
}

func (s *Service) getParametersForImport(c *call, in *GetParametersForImportRequest) (*GetParametersForImportResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.mandatory("WrappingAlgorithm", in.WrappingAlgorithm, wrappingAlgorithms)
	v.mandatory("WrappingKeySpec", in.WrappingKeySpec, wrappingKeySpecs)
	if err := v.err(); err != nil {
		return nil, err
	}
	arn, id, err := s.importing(c, in)
	if err != nil {
		return nil, err
	}
	if in.WrappingAlgorithm == "SM2PKE" || in.WrappingKeySpec == "SM2" {
		return nil, refuse("UnsupportedOperationException", "the sandbox does not wrap with SM2: %s", kinds["SM2"].lacking)
	}
	wrapping := generate(uuid.Nil, in.WrappingKeySpec)
	until := c.now.Add(tokenLife)
	t := importToken{key: id, algorithm: in.WrappingAlgorithm, until: until, secret: wrapping.secret}
	return &GetParametersForImportResponse{KeyId: arn, ImportToken: t.seal(s.tokens), PublicKey: wrapping.public(),
		ParametersValidTo: Timestamp{until}}, nil
}

// importing finds the key to import to, and returns its ARN and id. Like all operations that lead to a
// change it sees the key as it is; see consistency.
func (s *Service) importing(c *call, in *GetParametersForImportRequest) (string, uuid.UUID, *Error) {
	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, "GetParametersForImport", in.KeyId, nil, access{values: map[string]string{
		"wrappingalgorithm": in.WrappingAlgorithm, "wrappingkeyspec": in.WrappingKeySpec}})
	if err != nil {
		return "", uuid.Nil, err
	}
	if err := external(k); err != nil {
		return "", uuid.Nil, err
	}
	if err := importable.check(k); err != nil {
		return "", uuid.Nil, err
	}
	return k.arn, k.id, nil
}

// An importToken is what an import token says. It holds the private half of the wrapping key, sealed
// under a material of the service, so that nothing needs to be remembered for those who never come
// back with it.
type importToken struct {
	key       uuid.UUID // to import to
	algorithm string
	until     time.Time
	secret    []byte // the wrapping key, in PKCS #8
}

// tokenContext keeps import tokens apart from ciphertext.
var tokenContext = map[string]string{"purpose": "import token"}

// seal writes the token: 8 bytes of time, one for the algorithm, then the secret.
func (t importToken) seal(m *material) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(t.until.UnixNano()))
	b = append(b, byte(slices.Index(wrappingAlgorithms, t.algorithm)))
	return seal(t.key, m, tokenContext, append(b, t.secret...))
}

// readToken reads what seal wrote, and reports whether it is a genuine token.
func readToken(m *material, token []byte) (importToken, bool) {
	b, ok := parseBlob(token)
	if !ok || b.material != m.id {
		return importToken{}, false
	}
	plain, ok := b.open(m, tokenContext)
	if !ok || len(plain) < 9 || int(plain[8]) >= len(wrappingAlgorithms) {
		return importToken{}, false
	}
	return importToken{key: b.key, until: time.Unix(0, int64(binary.BigEndian.Uint64(plain))),
		algorithm: wrappingAlgorithms[plain[8]], secret: plain[9:]}, true
}

// unwrap returns the key material that somebody has encrypted under the token's wrapping key, or false.
func (t importToken) unwrap(wrapped []byte) ([]byte, bool) {
	parsed, err := x509.ParsePKCS8PrivateKey(t.secret)
	if err != nil {
		return nil, false
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, false
	}
	return unwrap(private, t.algorithm, wrapped)
}
