package kms

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"testing"
	"time"

	"github.com/google/uuid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUnwrapAES has the two examples of RFC 5649, section 6.
func TestUnwrapAES(t *testing.T) {
	kek := unhex(t, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
	for _, tt := range []struct{ name, wrapped, want string }{
		{"20 bytes", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a", "c37b7e6492584340bed12207808941155068f738"},
		{"7 bytes", "afbeb0f07dfbf5419200f2ccb50bb24f", "466f7250617369"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wrapped := unhex(t, tt.wrapped)
			if got, ok := unwrapAES(kek, wrapped); !ok || hex.EncodeToString(got) != tt.want {
				t.Errorf("unwrapped %x, %v; want %s", got, ok, tt.want)
			}
			for i := range wrapped {
				changed := bytes.Clone(wrapped)
				changed[i] ^= 0x10
				if got, ok := unwrapAES(kek, changed); ok {
					t.Errorf("unwrapped %x with byte %d changed", got, i)
				}
			}
			for _, cut := range [][]byte{nil, wrapped[:8], wrapped[:len(wrapped)-1], wrapped[:len(wrapped)-8]} {
				if got, ok := unwrapAES(kek, cut); ok {
					t.Errorf("unwrapped %x from %d bytes", got, len(cut))
				}
			}
		})
	}
}

// TestMaterials: material of every kind comes back from its secret, with the same id, and under
// another key has another.
func TestMaterials(t *testing.T) {
	for spec, k := range kinds {
		if k.lacking != "" || spec == "RSA_3072" || spec == "RSA_4096" { // as RSA_2048, only slower
			continue
		}
		t.Run(spec, func(t *testing.T) {
			one, other := uuid.New(), uuid.New()
			m := generate(one, spec)
			again, err := materialOf(one, spec, m.secret)
			if err != nil {
				t.Fatal(err)
			}
			if again.id != m.id || !bytes.Equal(again.public(), m.public()) {
				t.Errorf("material %s came back as %s", m, again)
			}
			if moved, err := materialOf(other, spec, m.secret); err != nil || moved.id == m.id {
				t.Errorf("under another key: %s, %v", moved, err)
			}
			if (m.public() != nil) != asymmetric(spec) {
				t.Errorf("public half %x", m.public())
			}
			if _, err := materialOf(one, spec, m.secret[1:]); err == nil {
				t.Error("a secret that is cut is no secret")
			}
		})
	}
}

func FuzzMaterial(f *testing.F) {
	specs := []string{symmetric, "HMAC_224", "HMAC_512", "RSA_2048", "ECC_NIST_P256", "ECC_NIST_P521", "ECC_NIST_EDWARDS25519", "ML_KEM_768"}
	for i, spec := range specs {
		f.Add(byte(i), newSecret(spec))
	}
	id := uuid.New()
	f.Fuzz(func(t *testing.T, which byte, secret []byte) {
		if len(secret) > maxBlob {
			return
		}
		spec := specs[int(which)%len(specs)]
		m, err := materialOf(id, spec, secret)
		if err != nil {
			return
		}
		again, err := materialOf(id, spec, m.secret)
		if err != nil || again.id != m.id {
			t.Fatalf("%s: material %s came back as %v, %v", spec, m, again, err)
		}
		m.public()
		m.agreement()
	})
}

func FuzzReadToken(f *testing.F) {
	key, m := uuid.New(), newMaterial(uuid.Nil)
	good := importToken{key: key, algorithm: "RSA_AES_KEY_WRAP_SHA_256", until: time.Unix(1_800_000_000, 0), secret: []byte("secret")}
	token := good.seal(m)
	f.Add(token)
	f.Add(token[:len(token)-1])
	f.Add(seal(key, m, tokenContext, []byte("x")))
	f.Add(seal(key, m, nil, make([]byte, 32)))
	f.Fuzz(func(t *testing.T, in []byte) {
		read, ok := readToken(m, in)
		if ok && !bytes.Equal(in, token) {
			t.Fatalf("took a forgery for %+v", read)
		}
		if ok && (read.key != key || read.algorithm != good.algorithm || !read.until.Equal(good.until) || string(read.secret) != "secret") {
			t.Fatalf("read %+v", read)
		}
		if secret, ok := read.unwrap(in); ok {
			t.Fatalf("unwrapped %x", secret)
		}
	})
}

func FuzzUnwrapAES(f *testing.F) {
	f.Add(make([]byte, 32), unhex(f, "afbeb0f07dfbf5419200f2ccb50bb24f"))
	f.Add(unhex(f, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"), unhex(f, "afbeb0f07dfbf5419200f2ccb50bb24f"))
	f.Add(make([]byte, 16), make([]byte, 24))
	f.Fuzz(func(t *testing.T, kek, wrapped []byte) {
		plain, ok := unwrapAES(kek, wrapped)
		if _, err := aes.NewCipher(kek); ok && err != nil {
			t.Fatalf("unwrapped with a key of %d bytes", len(kek))
		}
		if ok && (len(plain) > len(wrapped)-8 || len(plain) <= len(wrapped)-16) {
			t.Fatalf("unwrapped %d bytes from %d", len(plain), len(wrapped))
		}
	})
}

// FuzzUnwrap and FuzzAgree give the decoders what a hostile client may send.
func FuzzUnwrap(f *testing.F) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := rsa.EncryptOAEPWithOptions(rand.Reader, &private.PublicKey, make([]byte, 32), &rsa.OAEPOptions{Hash: crypto.SHA256})
	if err != nil {
		f.Fatal(err)
	}
	for i := range wrappingAlgorithms {
		f.Add(byte(i), sealed)
		f.Add(byte(i), append(bytes.Clone(sealed), make([]byte, 40)...))
		f.Add(byte(i), []byte{})
	}
	f.Fuzz(func(t *testing.T, which byte, wrapped []byte) {
		if len(wrapped) <= maxBlob {
			unwrap(private, wrappingAlgorithms[int(which)%len(wrappingAlgorithms)], wrapped)
		}
	})
}

func FuzzAgree(f *testing.F) {
	u := use{spec: "ECC_NIST_P256", material: generate(uuid.New(), "ECC_NIST_P256")}
	for _, curve := range curves {
		private, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Add(generate(uuid.New(), "ECC_NIST_EDWARDS25519").public())
	f.Fuzz(func(t *testing.T, public []byte) {
		secret, err := agree(u, public)
		if (err == nil) != (len(secret) == 32) {
			t.Fatalf("agreed on %x, %v", secret, err)
		}
		if err == nil {
			if p, _ := x509.ParsePKIXPublicKey(public); p.(*ecdsa.PublicKey).Curve != elliptic.P256() {
				t.Fatal("agreed across curves")
			}
		}
	})
}
