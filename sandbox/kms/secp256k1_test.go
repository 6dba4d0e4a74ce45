package kms

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/google/uuid"
)

// A key that OpenSSL has made: PKCS #8, its public half, and a signature of "a message to sign".
const (
	opensslScalar = "4fbacd69d57c229b6a2feb675379b3ca0bbc5b4f065f501b9d17e6496f9c79e5"
	opensslPoint  = "046df0261f08388de91cf9cd8bdee12ff76a0fe22e15f1d816852f12f29f9f011d8b9d0aa17560bcb5b85737ee286a6e1e5f1b1a676ef564cad7fa429ed092d7dc"
	opensslKey    = "308184020100301006072a8648ce3d020106052b8104000a046d306b0201010420" + opensslScalar + "a144034200" + opensslPoint
	opensslPublic = "3056301006072a8648ce3d020106052b8104000a034200" + opensslPoint
	opensslSigned = "30450221008fa5811fb8c54ecb08c42d91a73cb3fac9c02576deb5d7aae9d53c4b09a903d502206205445f203579923000603851e8100af3f6da0072b398945f7e04655c8abb2d"
)

func TestKoblitzIsOpenSSLs(t *testing.T) {
	m, err := materialOf(uuid.Nil, koblitz, unhex(t, opensslKey))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(m.public()); got != opensslPublic {
		t.Errorf("the public half is %s, want %s", got, opensslPublic)
	}
	digest := sha256.Sum256([]byte("a message to sign"))
	if !signed(m.private.Public(), digest[:], unhex(t, opensslSigned), signerOptions("ECDSA_SHA_256")) {
		t.Error("OpenSSL's signature is not taken")
	}
	// A signature (r, s) is as good with -s, which Bitcoin refuses and KMS makes.
	own, err := m.private.Sign(nil, digest[:], signerOptions("ECDSA_SHA_256"))
	if err != nil {
		t.Fatal(err)
	}
	small, err := ecdsa.ParseDERSignature(own)
	if err != nil {
		t.Fatal(err)
	}
	r, s := small.R(), small.S()
	if large := s.Negate(); !large.IsOverHalfOrder() {
		t.Fatal("our own signature has the large s")
	}
	if large := derSignature(r.Bytes(), s.Bytes()); bytes.Equal(large, own) || !signed(m.private.Public(), digest[:], large, nil) {
		t.Error("the signature with the other s is not taken")
	}
	digest[0] ^= 1
	if signed(m.private.Public(), digest[:], own, nil) {
		t.Error("a signature of another digest is taken")
	}
}

// derSignature writes a signature as DER, whatever its s is; Serialize makes that small.
func derSignature(r, s [32]byte) []byte {
	var all []byte
	for _, b := range [][]byte{r[:], s[:]} {
		b = bytes.TrimLeft(b, "\x00")
		if b[0] >= 0x80 {
			b = append([]byte{0}, b...)
		}
		all = append(append(all, 2, byte(len(b))), b...)
	}
	return append([]byte{0x30, byte(len(all))}, all...)
}

func TestParseKoblitz(t *testing.T) {
	const (
		order    = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
		short    = "303e020100301006072a8648ce3d020106052b8104000a042730250201010420" // without the public half
		repeated = "3047020100301006072a8648ce3d020106052b8104000a0430302e0201010420" // nor it, but with the curve
	)
	tests := []struct{ name, der, want string }{
		{"OpenSSL's", opensslKey, ""},
		{"without the public half", short + opensslScalar, ""},
		{"with the curve twice", repeated + opensslScalar + "a00706052b8104000a", ""},
		{"nothing", "", "syntax error"},
		{"more after it", opensslKey + "00", "something follows"},
		{"another curve", strings.Replace(opensslKey, "2b8104000a", "2b81040022", 1), "not a private key of ECC_SECG_P256K1"},
		{"another curve within", repeated + opensslScalar + "a00706052b81040022", "not a private key of ECC_SECG_P256K1"},
		{"another algorithm", strings.Replace(opensslKey, "2a8648ce3d0201", "2a8648ce3d0202", 1), "not a private key of ECC_SECG_P256K1"},
		{"another version", strings.Replace(opensslKey, "02010104", "02010204", 1), "not a private key of ECC_SECG_P256K1"},
		{"zero", short + strings.Repeat("00", 32), "no number of the curve"},
		{"the order", short + order, "no number of the curve"},
		{"too short a number", "303d020100301006072a8648ce3d020106052b8104000a04263024020101041f" + opensslScalar[2:], "no number of the curve"},
		{"another public half", strings.Replace(opensslKey, opensslScalar, order[:62]+"40", 1), "not that of the private key"},
		{"no point", opensslKey[:len(opensslKey)-2] + "dd", "not that of the private key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseKoblitz(unhex(t, tt.der))
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// FuzzParseKoblitz: what is taken as a private key can sign, and is taken in the form we write, too.
func FuzzParseKoblitz(f *testing.F) {
	f.Add(unhex(f, opensslKey))
	secret, err := newKoblitz()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(secret)
	f.Fuzz(func(t *testing.T, der []byte) {
		p, err := parseKoblitz(der)
		if err != nil {
			return
		}
		digest := sha256.Sum256(der)
		signature, err := p.Sign(nil, digest[:], nil)
		if err != nil || !koblitzSigned(p.Public().(*secp256k1.PublicKey), digest[:], signature) {
			t.Fatalf("a key does not sign: %v", err)
		}
	})
}
