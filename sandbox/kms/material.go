package kms

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// A material is one secret of a key. It is immutable and may be used without any lock. Besides id and
// secret it has what fits its KeySpec, the rest is nil.
type material struct {
	id [32]byte
	// secret is the material in bytes, from which materialOf makes the same material again: the AES or
	// HMAC key itself, or a private key in PKCS #8.
	secret []byte

	aead cipher.AEAD // SYMMETRIC_DEFAULT
	// private is an *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey or koblitzPrivate.
	private crypto.Signer
	kem     crypto.Decapsulator // ML_KEM_*
}

func (m *material) String() string { return hex.EncodeToString(m.id[:]) }

// A version is the place of a material in its key, past or present. What it holds may change under
// Service.mu: imported material goes away when it expires or is deleted, but its version stays, so
// that ciphertexts keep a name for it and only the same material can come back. A key whose material
// KMS made never loses any.
type version struct {
	id       [32]byte  // of the material, also while that is gone
	material *material // nil while gone; only imported material ever is
	added    time.Time // when the version came to be

	// pending: imported for a rotation that has not happened yet. The version is the key's current one
	// if key.current says so, and an older one otherwise.
	pending bool
	// rotated is when the version became the current one by rotation, and rotation says how: AUTOMATIC
	// or ON_DEMAND. Zero and "" for the key's first version.
	rotated  time.Time
	rotation string

	description string    // of imported material
	expires     time.Time // when imported material goes away; zero: never
}

func (v *version) String() string { return hex.EncodeToString(v.id[:]) }

// add gives the key one more material, which is not its current one yet. s.mu must be held.
func (k *key) add(m *material, now time.Time) *version {
	v := &version{id: m.id, material: m, added: now}
	k.versions = append(k.versions, v)
	return v
}

// rotate makes a version of the key its current one; how is AUTOMATIC or ON_DEMAND. Earlier ones stay
// good for decryption. s.mu must be held.
func (k *key) rotate(v *version, now time.Time, how string) {
	v.pending, v.rotated, v.rotation = false, now, how
	k.current = v
}

// version returns the key's version of that id, or nil. s.mu must be held.
func (k *key) version(id [32]byte) *version {
	for _, v := range k.versions {
		if v.id == id {
			return v
		}
	}
	return nil
}

// waiting returns the version that was imported for the next rotation, or nil. s.mu must be held.
func (k *key) waiting() *version {
	for _, v := range k.versions {
		if v.pending {
			return v
		}
	}
	return nil
}

// complete reports whether every material the key needs is there: the current and all older ones, but
// not one that waits for its rotation. s.mu must be held.
func (k *key) complete() bool {
	for _, v := range k.versions {
		if v.material == nil && !v.pending {
			return false
		}
	}
	return k.current != nil
}

// newMaterial makes new AES-256 key material for a key.
func newMaterial(id uuid.UUID) *material { return generate(id, symmetric) }

// curves are the NIST curves by KeySpec.
var curves = map[string]elliptic.Curve{
	"ECC_NIST_P256": elliptic.P256(), "ECC_NIST_P384": elliptic.P384(), "ECC_NIST_P521": elliptic.P521(),
}

// rsaBits and hmacSize are the sizes of keys by KeySpec, in bits and bytes. The size of an HMAC key is
// that of its hash's output, as for imported material in AWS.
var (
	rsaBits  = map[string]int{"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
	hmacSize = map[string]int{"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
)

// generate makes new material for a key of that spec. It may take a second for RSA_4096; no lock must
// be held.
func generate(id uuid.UUID, spec string) *material {
	m, err := materialOf(id, spec, newSecret(spec))
	if err != nil {
		panic(err) // what newSecret makes is always material of its spec
	}
	return m
}

// newSecret makes the secret of new material; see material.secret. The spec must not be lacking.
func newSecret(spec string) []byte {
	size := 32
	var private any
	var err error
	switch {
	case rsaBits[spec] != 0:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits[spec])
	case curves[spec] != nil:
		private, err = ecdsa.GenerateKey(curves[spec], rand.Reader)
	case spec == "ECC_NIST_EDWARDS25519":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case hmacSize[spec] != 0:
		size = hmacSize[spec]
	case kemOID[spec] != nil:
		seed := make([]byte, mlkem.SeedSize)
		rand.Read(seed) // never fails
		return marshalKEM(spec, seed)
	case spec == koblitz:
		secret, err := newKoblitz()
		if err != nil {
			panic(err) // randomness never fails
		}
		return secret
	}
	if err != nil {
		panic(err) // the sizes are legal, and randomness never fails
	}
	if private != nil {
		secret, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			panic(err) // these three types have a PKCS #8 form
		}
		return secret
	}
	secret := make([]byte, size)
	rand.Read(secret) // never fails
	return secret
}

// materialOf makes material of a key of that spec from its secret, and says what is wrong with a
// secret that is of another kind. It is how imported material comes in.
func materialOf(id uuid.UUID, spec string, secret []byte) (*material, error) {
	m := &material{secret: secret}
	switch {
	case spec == symmetric:
		if len(secret) != 32 {
			return nil, fmt.Errorf("the material has %d bytes instead of 32", len(secret))
		}
		block, err := aes.NewCipher(secret)
		if err != nil {
			return nil, err
		}
		if m.aead, err = cipher.NewGCM(block); err != nil {
			return nil, err
		}
	case hmacSize[spec] != 0:
		if len(secret) != hmacSize[spec] {
			return nil, fmt.Errorf("the material has %d bytes instead of %d", len(secret), hmacSize[spec])
		}
	case kemOID[spec] != nil:
		var err error
		if m.kem, err = parseKEM(spec, secret); err != nil {
			return nil, err
		}
	case spec == koblitz:
		var err error
		if m.private, err = parseKoblitz(secret); err != nil {
			return nil, err
		}
	default:
		private, err := x509.ParsePKCS8PrivateKey(secret)
		if err != nil {
			return nil, err
		}
		if m.private = privateOf(spec, private); m.private == nil {
			return nil, fmt.Errorf("the material is not a private key of %s", spec)
		}
	}
	// The id names the material without giving it away, and is the same whenever the same material
	// comes to the same key.
	h := sha256.New()
	h.Write([]byte("loadkms key material id\x00"))
	h.Write(id[:])
	h.Write(secret)
	h.Sum(m.id[:0])
	return m, nil
}

// privateOf returns the private key if it is one of the spec, or nil.
func privateOf(spec string, private any) crypto.Signer {
	switch p := private.(type) {
	case *rsa.PrivateKey:
		if p.N.BitLen() == rsaBits[spec] {
			return p
		}
	case *ecdsa.PrivateKey:
		if p.Curve == curves[spec] {
			return p
		}
	case ed25519.PrivateKey:
		if spec == "ECC_NIST_EDWARDS25519" {
			return p
		}
	}
	return nil
}

// agreement returns the private key in the form for ECDH, or nil.
func (m *material) agreement() *ecdh.PrivateKey {
	p, ok := m.private.(*ecdsa.PrivateKey)
	if !ok {
		return nil
	}
	private, err := p.ECDH()
	if err != nil {
		return nil // not one of the NIST curves
	}
	return private
}

// public returns the public half in SubjectPublicKeyInfo, or nil for material without one.
func (m *material) public() []byte {
	if m.kem != nil {
		return marshalPublicKEM(m.kem.Encapsulator().Bytes())
	}
	if m.private == nil {
		return nil
	}
	if p, ok := m.private.(koblitzPrivate); ok {
		return marshalPublicKoblitz(p.key.PubKey())
	}
	der, err := x509.MarshalPKIXPublicKey(m.private.Public())
	if err != nil {
		panic(err) // the other three types of private have such a form
	}
	return der
}
