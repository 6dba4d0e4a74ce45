package ledger

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"

	"loadkms/sandbox/iam"
)

// vault is a small real KMS: AES-256-GCM under keys with states, permissions for roles, and grants
// for the service.
type vault struct {
	mu      sync.Mutex
	keys    map[string]*vaultKey // by ARN
	aliases map[string]string
	calls   map[string]int
}

type vaultKey struct {
	arn    string
	state  string
	aead   cipher.AEAD
	grants int             // of the service
	roles  map[string]bool // that may decrypt
	closed bool            // to Describe and CreateGrant
}

func newVault(t testing.TB, names ...string) *vault {
	v := &vault{keys: map[string]*vaultKey{}, aliases: map[string]string{}, calls: map[string]int{}}
	for _, name := range names {
		secret := make([]byte, 32)
		rand.Read(secret)
		block, err := aes.NewCipher(secret)
		if err != nil {
			t.Fatal(err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		v.keys[arn(name)] = &vaultKey{arn: arn(name), state: "Enabled", aead: aead, roles: map[string]bool{role.Principal: true}}
	}
	return v
}

func arn(name string) string { return "arn:aws:kms:eu-west-2:123456789012:key/" + name }

// set changes a key under the lock.
func (v *vault) set(name string, f func(*vaultKey)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f(v.keys[arn(name)])
}

func (v *vault) point(alias, name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.aliases[alias] = arn(name)
}

func (v *vault) count(op string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.calls[op]
}

func refuse(code, format string, args ...any) error {
	return fmt.Errorf("wrapped once: %w", &KeyError{Code: code, Message: fmt.Sprintf(format, args...), RequestID: "request-1"})
}

const undecipherable = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, " +
	"or you are not allowed to access."

// use returns a key for an operation of c with it, or the refusal.
func (v *vault) use(c iam.Caller, op, keyARN string) (*vaultKey, error) {
	v.calls[op]++
	k := v.keys[keyARN]
	if k == nil {
		return nil, refuse("AccessDeniedException", undecipherable)
	}
	allowed := c.Service == "qldb.amazonaws.com" && k.grants > 0 ||
		c.Via == "qldb.eu-west-2.amazonaws.com" && op == "Decrypt" && k.roles[c.Principal]
	if !allowed {
		return nil, refuse("AccessDeniedException", undecipherable)
	}
	if k.state != "Enabled" {
		return nil, refuse("DisabledException", "%s is disabled.", k.arn)
	}
	return k, nil
}

func additionalData(ec map[string]string) []byte { return fmt.Append(nil, ec) } // fmt sorts maps

func (k *vaultKey) seal(plain []byte, ec map[string]string) []byte {
	nonce := make([]byte, 12)
	rand.Read(nonce)
	return append([]byte(k.arn+"|"), k.aead.Seal(nonce, nonce, plain, additionalData(ec))...)
}

func (v *vault) GenerateDataKey(_ context.Context, c iam.Caller, keyID string, ec map[string]string) (plain, sealed []byte, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	k, err := v.use(c, "GenerateDataKey", keyID)
	if err != nil {
		return nil, nil, err
	}
	plain = make([]byte, 32)
	rand.Read(plain)
	return plain, k.seal(plain, ec), nil
}

func (v *vault) Decrypt(_ context.Context, c iam.Caller, sealed []byte, ec map[string]string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.decrypt(c, "Decrypt", sealed, ec)
}

func (v *vault) decrypt(c iam.Caller, op string, sealed []byte, ec map[string]string) ([]byte, error) {
	name, box, _ := strings.Cut(string(sealed), "|")
	k, err := v.use(c, op, name)
	if err != nil {
		return nil, err
	}
	plain, err := k.aead.Open(nil, []byte(box[:12]), []byte(box[12:]), additionalData(ec))
	if err != nil {
		return nil, refuse("InvalidCiphertextException", "")
	}
	return plain, nil
}

func (v *vault) ReEncrypt(_ context.Context, c iam.Caller, sealed []byte, ec map[string]string, to string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	plain, err := v.decrypt(c, "ReEncrypt", sealed, ec)
	if err != nil {
		return nil, err
	}
	k, err := v.use(c, "ReEncryptTo", to)
	if err != nil {
		return nil, err
	}
	return k.seal(plain, ec), nil
}

func (v *vault) Describe(_ context.Context, c iam.Caller, keyID string) (Key, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls["Describe"]++
	keyARN := keyID
	switch {
	case strings.HasPrefix(keyID, "alias/"):
		if keyARN = v.aliases[keyID]; keyARN == "" {
			return Key{}, refuse("NotFoundException", "Alias %s is not found.", keyID)
		}
	case !strings.HasPrefix(keyID, "arn:"):
		keyARN = arn(keyID)
	}
	k := v.keys[keyARN]
	if k == nil {
		return Key{}, refuse("NotFoundException", "Key '%s' does not exist", keyARN)
	}
	if c.Via != "qldb.eu-west-2.amazonaws.com" || k.closed {
		return Key{}, refuse("AccessDeniedException", "User: %s is not authorized to perform: kms:DescribeKey", c.Principal)
	}
	return Key{ARN: k.arn, State: k.state, Symmetric: !strings.HasSuffix(k.arn, "rsa")}, nil
}

func (v *vault) CreateGrant(_ context.Context, c iam.Caller, keyID string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	k := v.keys[keyID]
	if k == nil || k.closed || c.Via == "" {
		return "", refuse("AccessDeniedException", "User: %s is not authorized to perform: kms:CreateGrant", c.Principal)
	}
	k.grants = 1 // the same one for the same ledger
	return "grant-of-" + keyID, nil
}

func (v *vault) RetireGrant(_ context.Context, _ iam.Caller, keyID, grantID string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	k := v.keys[keyID]
	if k == nil || k.grants == 0 || grantID != "grant-of-"+keyID {
		return refuse("NotFoundException", "no such grant")
	}
	k.grants = 0
	return nil
}

// A sealingVault can also encrypt.
type sealingVault struct{ *vault }

func (v *sealingVault) Encrypt(_ context.Context, c iam.Caller, keyID string, plain []byte, ec map[string]string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	k, err := v.use(c, "Encrypt", keyID)
	if err != nil {
		return nil, err
	}
	return k.seal(plain, ec), nil
}
