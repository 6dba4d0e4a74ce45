package awskms_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/faults"
	"loadkms/scenarios"
)

// imported is a key with imported material, and the file that holds it.
type imported struct{ key, file string }

// load gives a key material.
func (f *field) load(t *testing.T, key string, secret []byte, as types.ImportType, validTo time.Time) {
	t.Helper()
	p, err := f.kms.GetParametersForImport(t.Context(), &kms.GetParametersForImportInput{KeyId: &key,
		WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048})
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(p.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := &kms.ImportKeyMaterialInput{KeyId: &key, ImportToken: p.ImportToken, EncryptedKeyMaterial: wrapped, ImportType: as,
		ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire}
	if !validTo.IsZero() {
		in.ExpirationModel, in.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, &validTo
	}
	if _, err := f.kms.ImportKeyMaterial(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// secretMaterial is 32 bytes that no text holds by chance.
var secretMaterial = []byte("correct-horse-battery-staple-32b")

func (f *field) imported(t *testing.T, validTo time.Time) imported {
	t.Helper()
	out, err := f.kms.CreateKey(t.Context(), &kms.CreateKeyInput{Origin: types.OriginTypeExternal})
	if err != nil {
		t.Fatal(err)
	}
	i := imported{*out.KeyMetadata.KeyId, filepath.Join(t.TempDir(), "the material")}
	if err := os.WriteFile(i.file, secretMaterial, 0o600); err != nil {
		t.Fatal(err)
	}
	f.load(t, i.key, secretMaterial, "", validTo)
	return i
}

func unload(i imported) *scenarios.Fault {
	f := onKey(scenarios.DeleteKeyMaterial, i.key)
	f.Material = text(i.file)
	return f
}

// With and without an expiry the key comes back as it was, through the bracket, in another process, and by
// hand; and what is in the file is written nowhere.
func TestDeleteKeyMaterial(t *testing.T) {
	noAWS(t)
	for _, tt := range []struct {
		name    string
		validTo time.Time
	}{{"that does not expire", time.Time{}}, {"that expires", time.Now().Add(90 * 24 * time.Hour).Truncate(time.Second)}} {
		t.Run(tt.name, func(t *testing.T) {
			f := newField(t, quick)
			i := f.imported(t, tt.validTo)
			sealed, err := f.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &i.key, Plaintext: []byte("x")})
			if err != nil {
				t.Fatal(err)
			}
			fine := func(how string) {
				t.Helper()
				out, err := f.kms.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &i.key})
				if err != nil {
					t.Fatal(err)
				}
				if m := out.KeyMetadata; m.KeyState != types.KeyStateEnabled || !aws.ToTime(m.ValidTo).Equal(tt.validTo) {
					t.Errorf("%s: %s until %v", how, m.KeyState, m.ValidTo)
				}
				if out, err := f.kms.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob}); err != nil || string(out.Plaintext) != "x" {
					t.Errorf("%s: decrypted %v, error %v", how, out, err)
				}
			}
			target := f.resolve(t, unload(i))
			dir := t.TempDir()
			journal, err := faults.OpenJournal(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer journal.Release()
			err = faults.Bracket{Journal: journal, Settle: time.Millisecond}.Inject(t.Context(), target, func(context.Context) error {
				if got := f.keyState(t, i.key); got != "PendingImport" {
					t.Errorf("while broken: %s", got)
				}
				b, err := os.ReadFile(filepath.Join(dir, "journal.jsonl"))
				if err != nil || !bytes.Contains(b, []byte(i.file)) || bytes.Contains(b, secretMaterial) {
					t.Errorf("journal %s, error %v: want the file's name and not what is in it", b, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			fine("restored")

			prior, err := target.Observe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := target.Break(t.Context()); err != nil {
				t.Fatal(err)
			}
			again, err := lookup(t, target)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Restore(t.Context(), prior); err != nil {
				t.Fatal(err)
			}
			fine("restored by another process")

			if err := target.Break(t.Context()); err != nil {
				t.Fatal(err)
			}
			byHand(t, target.ByHand(prior))
			fine("restored by hand")
		})
	}
}

func TestDeleteKeyMaterialRefuses(t *testing.T) {
	f := newField(t, quick)
	i := f.imported(t, time.Time{})
	write := func(name string, b []byte) string {
		file := filepath.Join(filepath.Dir(i.file), name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	empty := f.imported(t, time.Time{})
	if _, err := f.kms.DeleteImportedKeyMaterial(t.Context(), &kms.DeleteImportedKeyMaterialInput{KeyId: &empty.key}); err != nil {
		t.Fatal(err)
	}
	soon := f.imported(t, time.Now().Add(time.Hour))
	for _, tt := range []struct {
		name string
		i    imported
		want string
	}{
		{"wrong origin", imported{f.outputs["mainKeyID"], i.file}, "has material of origin AWS_KMS: only imported material (EXTERNAL) can be deleted and come back"},
		{"no material", empty, "has no material already: there is nothing to break"},
		{"expires soon", soon, "which is too soon to import it again"},
		{"no file", imported{i.key, i.file + "x"}, "x: no such file or directory"},
		{"an empty file", imported{i.key, write("empty", nil)}, "empty is empty"},
		{"too much", imported{i.key, write("long", make([]byte, 447))}, "long has 447 bytes, and RSAES_OAEP_SHA_256 wraps 446"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := f.cloud.Resolve(t.Context(), unload(tt.i))
			if err == nil || !strings.HasSuffix(err.Error(), tt.want+", at a.yaml:12:10") {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	// The file holds something else, or material the key had before: KMS says so at the rehearsal.
	f.refusesBeforeBreaking(t, f.cloud, unload(imported{i.key, write("other", make([]byte, 32))}), "IncorrectKeyMaterialException")
	next := bytes.Repeat([]byte("n"), 32)
	f.load(t, i.key, next, types.ImportTypeNewKeyMaterial, time.Time{})
	if _, err := f.kms.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &i.key}); err != nil {
		t.Fatal(err)
	}
	f.refusesBeforeBreaking(t, f.cloud, unload(i), "IncorrectKeyMaterialException")

	i = f.imported(t, time.Time{})
	may := []string{"kms:DescribeKey", "kms:DeleteImportedKeyMaterial"}
	f.refusesBeforeBreaking(t, f.asRole(t, i.key, may...), unload(i), "kms:GetParametersForImport")
	f.refusesBeforeBreaking(t, f.asRole(t, i.key, append(may, "kms:GetParametersForImport")...), unload(i), "kms:ImportKeyMaterial")
}
