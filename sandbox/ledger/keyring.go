package ledger

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"

	"loadkms/sandbox/iam"
)

// An Encrypter is a Keys that can also encrypt what it has not made. A ledger needs it to go from the
// key that AWS owns to one of the customer's.
type Encrypter interface {
	// Encrypt seals a plaintext under the key keyID.
	Encrypt(ctx context.Context, c iam.Caller, keyID string, plain []byte, ec map[string]string) (sealed []byte, err error)
}

// A keyring is a KMS with one key more: the one that AWS owns, which everybody may use, nobody can
// see, rotate, audit or disable, and for which there are no grants.
type keyring struct {
	Keys
	owned cipher.AEAD
	mark  []byte // begins what is sealed under the owned key, and nothing else
}

func newKeyring(keys Keys, ring *ringRecord) *keyring {
	aead, err := newAEAD(ring.Secret)
	if err != nil {
		panic(err) // 32 bytes make a key of 256 bits
	}
	return &keyring{keys, aead, ring.Mark}
}

func newRing() *ringRecord {
	r := &ringRecord{make([]byte, 32), make([]byte, 16)}
	rand.Read(r.Secret) // never fails
	rand.Read(r.Mark)
	return r
}

// bind returns what binds a sealed key to its encryption context.
func bind(ec map[string]string) []byte {
	var b []byte
	for _, k := range slices.Sorted(maps.Keys(ec)) {
		b = fmt.Appendf(b, "%q=%q,", k, ec[k])
	}
	return b
}

func (k *keyring) seal(plain []byte, ec map[string]string) []byte {
	nonce := make([]byte, k.owned.NonceSize())
	rand.Read(nonce) // never fails
	return k.owned.Seal(slices.Concat(k.mark, nonce), nonce, plain, bind(ec))
}

// GenerateDataKey makes a key under any key, the owned one included.
func (k *keyring) GenerateDataKey(ctx context.Context, c iam.Caller, keyID string, ec map[string]string,
) (plain, sealed []byte, err error) {
	if keyID != ownedKey {
		return k.Keys.GenerateDataKey(ctx, c, keyID, ec)
	}
	plain = make([]byte, 32)
	rand.Read(plain) // never fails
	return plain, k.seal(plain, ec), nil
}

// Decrypt opens what is sealed under any key.
func (k *keyring) Decrypt(ctx context.Context, c iam.Caller, sealed []byte, ec map[string]string) ([]byte, error) {
	box, owned := bytes.CutPrefix(sealed, k.mark)
	if !owned {
		return k.Keys.Decrypt(ctx, c, sealed, ec)
	}
	n := k.owned.NonceSize()
	plain, err := k.owned.Open(nil, box[:n], box[n:], bind(ec))
	if err != nil {
		return nil, &KeyError{Code: "InvalidCiphertextException"}
	}
	return plain, nil
}

// ReEncrypt goes from any key to any other. From the owned key to one in KMS the KMS must be an
// Encrypter; changing the key of a ledger makes sure of it.
func (k *keyring) ReEncrypt(ctx context.Context, c iam.Caller, sealed []byte, ec map[string]string, toKeyID string,
) ([]byte, error) {
	if !bytes.HasPrefix(sealed, k.mark) && toKeyID != ownedKey {
		return k.Keys.ReEncrypt(ctx, c, sealed, ec, toKeyID)
	}
	plain, err := k.Decrypt(ctx, c, sealed, ec)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	if toKeyID == ownedKey {
		return k.seal(plain, ec), nil
	}
	e, ok := k.Keys.(Encrypter)
	if !ok {
		return nil, fmt.Errorf("encrypt under %s: the KMS does not offer it", toKeyID)
	}
	return e.Encrypt(ctx, c, toKeyID, plain, ec)
}

// Describe resolves the name of any key.
func (k *keyring) Describe(ctx context.Context, c iam.Caller, keyID string) (Key, error) {
	if keyID == ownedKey {
		return Key{ARN: ownedKey, State: "Enabled", Symmetric: true}, nil
	}
	return k.Keys.Describe(ctx, c, keyID)
}

// CreateGrant does nothing for the owned key, which needs no grant.
func (k *keyring) CreateGrant(ctx context.Context, c iam.Caller, keyID string) (string, error) {
	if keyID == ownedKey {
		return "", nil
	}
	return k.Keys.CreateGrant(ctx, c, keyID)
}

// RetireGrant does nothing for the owned key.
func (k *keyring) RetireGrant(ctx context.Context, c iam.Caller, keyID, grantID string) error {
	if keyID == ownedKey {
		return nil
	}
	return k.Keys.RetireGrant(ctx, c, keyID, grantID)
}

// leaves reports whether a ledger can go from one key to another.
func (k *keyring) leaves(from, to string) bool {
	_, ok := k.Keys.(Encrypter)
	return ok || from != ownedKey || to == ownedKey
}
