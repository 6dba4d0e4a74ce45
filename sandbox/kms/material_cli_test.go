package kms_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"loadkms/sandbox/kms"
)

// TestAWSCLIMaterial does with the AWS CLI and OpenSSL what the KMS Developer Guide tells people to do:
// it imports key material, and checks signatures outside of KMS.
func TestAWSCLIMaterial(t *testing.T) {
	if testing.Short() {
		t.Skip("each command takes half a second")
	}
	if _, err := os.Stat(debianCLI); err != nil {
		t.Skip("there is no AWS CLI here")
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no OpenSSL here")
	}
	// save writes base64 to a file and returns its name.
	save := func(t *testing.T, text string) string {
		t.Helper()
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	openssl := func(t *testing.T, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	secret := sha256.Sum256([]byte("a secret"))

	t.Run("import", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		arn, id := r.newKey(t, kms.CreateKeyRequest{Origin: "EXTERNAL"})
		var p struct{ KeyId, PublicKey, ImportToken, ParametersValidTo string }
		r.must(t, &p, "get-parameters-for-import", "--key-id", id, "--wrapping-algorithm", "RSAES_OAEP_SHA_256", "--wrapping-key-spec", "RSA_2048")
		if p.KeyId != arn {
			t.Errorf("parameters %+v", p)
		}
		wrapped := filepath.Join(t.TempDir(), "wrapped")
		openssl(t, "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", save(t, p.PublicKey), "-in", save(t, base64.StdEncoding.EncodeToString(secret[:])),
			"-out", wrapped, "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256")
		if out, errs, ok := r.cli(t, someKey, "import-key-material", "--key-id", id, "--encrypted-key-material", "fileb://"+wrapped,
			"--import-token", "fileb://"+save(t, p.ImportToken), "--expiration-model", "KEY_MATERIAL_DOES_NOT_EXPIRE"); !ok {
			t.Fatalf("aws kms import-key-material: %s%s", out, errs)
		}
		var key struct {
			KeyMetadata struct{ KeyState, Origin, ExpirationModel string }
		}
		r.must(t, &key, "describe-key", "--key-id", id)
		if m := key.KeyMetadata; m.KeyState != "Enabled" || m.Origin != "EXTERNAL" || m.ExpirationModel != "KEY_MATERIAL_DOES_NOT_EXPIRE" {
			t.Errorf("key %+v", m)
		}
	})
	t.Run("RSA_AES_KEY_WRAP", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		_, id := externalKey(t, r, "", "")
		p, err := r.GetParametersForImport(r.admin, &kms.GetParametersForImportRequest{KeyId: id,
			WrappingAlgorithm: "RSA_AES_KEY_WRAP_SHA_256", WrappingKeySpec: "RSA_2048"})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		kek := sha256.Sum256([]byte("a key to wrap with"))
		openssl(t, "enc", "-id-aes256-wrap-pad", "-iv", "A65959A6", "-K", hex.EncodeToString(kek[:]), "-in", save(t, base64.StdEncoding.EncodeToString(secret[:])),
			"-out", filepath.Join(dir, "material"))
		openssl(t, "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", save(t, base64.StdEncoding.EncodeToString(p.PublicKey)),
			"-in", save(t, base64.StdEncoding.EncodeToString(kek[:])), "-out", filepath.Join(dir, "kek"), "-pkeyopt", "rsa_padding_mode:oaep",
			"-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256")
		var wrapped []byte
		for _, name := range []string{"kek", "material"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			wrapped = append(wrapped, b...)
		}
		if _, err := r.ImportKeyMaterial(r.admin, &kms.ImportKeyMaterialRequest{KeyId: id, ImportToken: p.ImportToken, EncryptedKeyMaterial: wrapped,
			ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE"}); err != nil {
			t.Error(err)
		}
	})
	t.Run("signatures", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		_, id := r.newKey(t, kms.CreateKeyRequest{KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY"})
		message := base64.StdEncoding.EncodeToString([]byte("a message"))
		var signed struct{ KeyId, Signature, SigningAlgorithm string }
		r.must(t, &signed, "sign", "--key-id", id, "--message", "fileb://"+save(t, message), "--signing-algorithm", "ECDSA_SHA_256")
		var public struct{ PublicKey, KeySpec string }
		r.must(t, &public, "get-public-key", "--key-id", id)
		if out := openssl(t, "dgst", "-sha256", "-verify", save(t, public.PublicKey), "-keyform", "DER", "-signature", save(t, signed.Signature), save(t, message)); !strings.Contains(out, "Verified OK") {
			t.Errorf("openssl says %s", out)
		}
		_, errs, ok := r.cli(t, someKey, "verify", "--key-id", id, "--message", "fileb://"+save(t, "YW5vdGhlcg=="), "--signing-algorithm", "ECDSA_SHA_256",
			"--signature", "fileb://"+save(t, signed.Signature))
		if want := "An error occurred (KMSInvalidSignatureException) when calling the Verify operation"; ok || !strings.Contains(errs, want) {
			t.Errorf("printed %q, want %q", errs, want)
		}
	})
	t.Run("custom key stores", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		certificate := filepath.Join(t.TempDir(), "customerCA.crt")
		if err := os.WriteFile(certificate, []byte(anchor), 0o600); err != nil {
			t.Fatal(err)
		}
		var made struct{ CustomKeyStoreId string }
		r.must(t, &made, "create-custom-key-store", "--custom-key-store-name", "ours", "--cloud-hsm-cluster-id", "cluster-abcdefghijk",
			"--key-store-password", "correct horse", "--trust-anchor-certificate", "file://"+certificate)
		r.must(t, nil, "connect-custom-key-store", "--custom-key-store-id", made.CustomKeyStoreId)
		var listed struct {
			CustomKeyStores []struct{ CustomKeyStoreName, ConnectionState string }
		}
		r.must(t, &listed, "describe-custom-key-stores")
		if len(listed.CustomKeyStores) != 1 || listed.CustomKeyStores[0].ConnectionState != "CONNECTING" || listed.CustomKeyStores[0].CustomKeyStoreName != "ours" {
			t.Errorf("stores %+v", listed)
		}
	})
}
