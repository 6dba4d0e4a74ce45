package kms_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/sandbox/kms"
)

// wrapAES is AES Key Wrap with Padding, RFC 5649, as a client does it.
func wrapAES(t testing.TB, kek, plain []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(kek)
	if err != nil {
		t.Fatal(err)
	}
	out := binary.BigEndian.AppendUint32([]byte{0xA6, 0x59, 0x59, 0xA6}, uint32(len(plain)))
	out = append(out, plain...)
	out = append(out, make([]byte, (8-len(plain)%8)%8)...)
	if len(out) == 16 {
		block.Encrypt(out, out)
		return out
	}
	n := len(out)/8 - 1
	a := slices.Clone(out[:8])
	for j := range 6 {
		for i := 1; i <= n; i++ {
			b := slices.Concat(a, out[8*i:8*i+8])
			block.Encrypt(b, b)
			binary.BigEndian.PutUint64(a, binary.BigEndian.Uint64(b)^uint64(n*j+i))
			copy(out[8*i:], b[8:])
		}
	}
	copy(out, a)
	return out
}

// wrap encrypts key material as the algorithm wants it.
func wrap(t testing.TB, algorithm types.AlgorithmSpec, public, secret []byte) []byte {
	t.Helper()
	parsed, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	p := parsed.(*rsa.PublicKey)
	oaep := func(h hash.Hash, b []byte) []byte {
		out, err := rsa.EncryptOAEP(h, rand.Reader, p, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	kek := make([]byte, 32)
	rand.Read(kek)
	switch algorithm {
	case types.AlgorithmSpecRsaesOaepSha1:
		return oaep(sha1.New(), secret)
	case types.AlgorithmSpecRsaesOaepSha256:
		return oaep(sha256.New(), secret)
	case types.AlgorithmSpecRsaAesKeyWrapSha1:
		return append(oaep(sha1.New(), kek), wrapAES(t, kek, secret)...)
	case types.AlgorithmSpecRsaAesKeyWrapSha256:
		return append(oaep(sha256.New(), kek), wrapAES(t, kek, secret)...)
	}
	out, err := rsa.EncryptPKCS1v15(rand.Reader, p, secret)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An importer imports material through the real SDK. All of its imports share the wrapping key of one
// GetParametersForImport.
type importer struct {
	client     *sdk.Client
	key        string
	algorithm  types.AlgorithmSpec
	parameters *sdk.GetParametersForImportOutput
}

func newImporter(t testing.TB, client *sdk.Client, key string, algorithm types.AlgorithmSpec, spec types.WrappingKeySpec) *importer {
	t.Helper()
	p, err := client.GetParametersForImport(t.Context(), &sdk.GetParametersForImportInput{KeyId: &key, WrappingAlgorithm: algorithm, WrappingKeySpec: spec})
	if err != nil {
		t.Fatal(err)
	}
	return &importer{client, key, algorithm, p}
}

// put imports the secret; change may change the request, which imports for ever.
func (i *importer) put(t testing.TB, secret []byte, change func(*sdk.ImportKeyMaterialInput)) (string, error) {
	t.Helper()
	in := &sdk.ImportKeyMaterialInput{KeyId: &i.key, ImportToken: i.parameters.ImportToken,
		EncryptedKeyMaterial: wrap(t, i.algorithm, i.parameters.PublicKey, secret),
		ExpirationModel:      types.ExpirationModelTypeKeyMaterialDoesNotExpire}
	if change != nil {
		change(in)
	}
	out, err := i.client.ImportKeyMaterial(t.Context(), in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.KeyMaterialId), nil
}

func (i *importer) describe(t testing.TB) *types.KeyMetadata {
	t.Helper()
	out, err := i.client.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &i.key})
	if err != nil {
		t.Fatal(err)
	}
	return out.KeyMetadata
}

func externalKey(t testing.TB, r *rig, spec, usage string) (arn, id string) {
	t.Helper()
	return r.newKey(t, kms.CreateKeyRequest{Origin: "EXTERNAL", KeySpec: spec, KeyUsage: usage})
}

const someKey = "AKIAIOSFODNN7EXAMPLE"

// TestWrappingAlgorithms imports the same material under every wrapping algorithm and key size.
func TestWrappingAlgorithms(t *testing.T) {
	r := newRig(t)
	client := r.client(someKey)
	secret := bytes.Repeat([]byte{7}, 32)
	specs := map[types.AlgorithmSpec]types.WrappingKeySpec{
		types.AlgorithmSpecRsaesPkcs1V15:       types.WrappingKeySpecRsa2048,
		types.AlgorithmSpecRsaesOaepSha1:       types.WrappingKeySpecRsa2048,
		types.AlgorithmSpecRsaesOaepSha256:     types.WrappingKeySpecRsa3072,
		types.AlgorithmSpecRsaAesKeyWrapSha1:   types.WrappingKeySpecRsa2048,
		types.AlgorithmSpecRsaAesKeyWrapSha256: types.WrappingKeySpecRsa4096,
	}
	for algorithm, spec := range specs {
		t.Run(string(algorithm), func(t *testing.T) {
			arn, id := externalKey(t, r, "", "")
			i := newImporter(t, client, id, algorithm, spec)
			if m := i.describe(t); m.Enabled || m.KeyState != types.KeyStatePendingImport || m.Origin != types.OriginTypeExternal ||
				m.CurrentKeyMaterialId != nil || m.ExpirationModel != "" || m.ValidTo != nil {
				t.Errorf("before the import: %s", asJSON(m))
			}
			if got := *i.parameters.KeyId; got != arn {
				t.Errorf("KeyId %s, want %s", got, arn)
			}
			if left := i.parameters.ParametersValidTo.Sub(r.clock.Now()); left < 23*time.Hour+59*time.Minute || left > 24*time.Hour {
				t.Errorf("parameters for %v, want 24 hours", left)
			}
			material, err := i.put(t, secret, nil)
			if err != nil {
				t.Fatal(err)
			}
			if m := i.describe(t); !m.Enabled || m.KeyState != types.KeyStateEnabled || len(material) != 64 ||
				aws.ToString(m.CurrentKeyMaterialId) != material || m.ExpirationModel != types.ExpirationModelTypeKeyMaterialDoesNotExpire {
				t.Errorf("after the import of %s: %s", material, asJSON(m))
			}
			if out, err := client.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: &id, Plaintext: []byte("x")}); err != nil {
				t.Error(err)
			} else if opened, err := client.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob}); err != nil ||
				string(opened.Plaintext) != "x" || aws.ToString(opened.KeyMaterialId) != material {
				t.Errorf("opened %s, %v", asJSON(opened), err)
			}
			_, err = i.put(t, secret, func(in *sdk.ImportKeyMaterialInput) {
				in.EncryptedKeyMaterial = slices.Clone(in.EncryptedKeyMaterial)
				in.EncryptedKeyMaterial[len(in.EncryptedKeyMaterial)-1] ^= 1
			})
			// A wrong PKCS #1 padding may by chance look right, but then the material is another.
			if err == nil {
				t.Error("imported wrapped material that was changed")
			} else if algorithm != types.AlgorithmSpecRsaesPkcs1V15 {
				fails(t, err, "InvalidCiphertextException", "")
			}
		})
	}
	_, id := externalKey(t, r, "", "")
	_, err := client.GetParametersForImport(t.Context(), &sdk.GetParametersForImportInput{KeyId: &id,
		WrappingAlgorithm: types.AlgorithmSpecSm2pke, WrappingKeySpec: types.WrappingKeySpecSm2})
	fails(t, err, "UnsupportedOperationException", "the sandbox does not wrap with SM2: Go's standard library does not have SM2")
}

func TestImportRules(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	arn, id := externalKey(t, r, "", "")
	i := newImporter(t, client, id, types.AlgorithmSpecRsaesOaepSha256, types.WrappingKeySpecRsa2048)
	one, two, three := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, 32)
	fail := func(secret []byte, change func(*sdk.ImportKeyMaterialInput), code, message string) {
		t.Helper()
		_, err := i.put(t, secret, change)
		fails(t, err, code, message)
	}
	expiring := func(at time.Time) func(*sdk.ImportKeyMaterialInput) {
		return func(in *sdk.ImportKeyMaterialInput) {
			in.ExpirationModel, in.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, &at
		}
	}
	as := func(what types.ImportType) func(*sdk.ImportKeyMaterialInput) {
		return func(in *sdk.ImportKeyMaterialInput) { in.ImportType = what }
	}
	now := r.clock.Now()

	fail(one, func(in *sdk.ImportKeyMaterialInput) { in.ExpirationModel = "" }, "ValidationException",
		"A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	fail(one, func(in *sdk.ImportKeyMaterialInput) {
		in.ExpirationModel = types.ExpirationModelTypeKeyMaterialExpires
	}, "ValidationException", "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	fail(one, func(in *sdk.ImportKeyMaterialInput) { in.ValidTo = &now }, "ValidationException",
		"A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE")
	for _, at := range []time.Time{now.Add(-time.Hour), now.Add(366 * day)} {
		fail(one, expiring(at), "ValidationException", "The validTo date must be in the future and at most 365 days from now")
	}
	fail(one[:31], nil, "IncorrectKeyMaterialException", "The key material is not valid for KeySpec SYMMETRIC_DEFAULT: the material has 31 bytes instead of 32")
	fail(one, func(in *sdk.ImportKeyMaterialInput) { in.ImportToken = []byte("no token") }, "InvalidImportTokenException", "")
	_, otherID := externalKey(t, r, "", "")
	other := newImporter(t, client, otherID, types.AlgorithmSpecRsaesOaepSha256, types.WrappingKeySpecRsa2048)
	fail(one, func(in *sdk.ImportKeyMaterialInput) { in.ImportToken = other.parameters.ImportToken }, "InvalidImportTokenException", "")
	fail(one, as(types.ImportTypeExistingKeyMaterial), "IncorrectKeyMaterialException", "The key material is not the same key material …")
	if m := i.describe(t); m.KeyState != types.KeyStatePendingImport {
		t.Fatalf("refused imports led to %s", asJSON(m))
	}

	// The first material, which expires.
	first, err := i.put(t, one, expiring(now.Add(10*day)))
	if err != nil {
		t.Fatal(err)
	}
	if m := i.describe(t); !m.Enabled || m.ExpirationModel != types.ExpirationModelTypeKeyMaterialExpires || m.ValidTo == nil ||
		m.ValidTo.Sub(now.Add(10*day)).Abs() > time.Second {
		t.Errorf("expiring: %s", asJSON(m))
	}
	sealed, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: &id, Plaintext: []byte("first")})
	if err != nil {
		t.Fatal(err)
	}
	fail(two, nil, "IncorrectKeyMaterialException", "The key material is not the same key material that was previously imported into this KMS key.")
	fail(one, as(types.ImportTypeNewKeyMaterial), "IncorrectKeyMaterialException", "The key material (id: "+first+") has been imported into this KMS key before.")

	r.clock.Advance(10 * day)
	if m := i.describe(t); m.Enabled || m.KeyState != types.KeyStatePendingImport || m.ValidTo != nil || m.ExpirationModel != "" {
		t.Errorf("expired: %s", asJSON(m))
	}
	_, err = client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	fails(t, err, "KMSInvalidStateException", arn+" is pending import.")
	fail(one, nil, "ExpiredImportTokenException", "") // 24 hours are over, too
	i = newImporter(t, client, id, types.AlgorithmSpecRsaesOaepSha256, types.WrappingKeySpecRsa2048)
	fail(two, nil, "IncorrectKeyMaterialException", "The key material is not the same key material that was previously imported into this KMS key.")
	fail(one, func(in *sdk.ImportKeyMaterialInput) { in.KeyMaterialId = aws.String(strings.Repeat("0", 64)) },
		"IncorrectKeyMaterialException", "The key material is not the same key material …")
	again, err := i.put(t, one, func(in *sdk.ImportKeyMaterialInput) { in.KeyMaterialId = &first })
	if err != nil || again != first {
		t.Fatalf("imported again as %s, %v; want %s", again, err, first)
	}
	opens := func(when string) {
		t.Helper()
		if out, err := client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob}); err != nil || string(out.Plaintext) != "first" {
			t.Errorf("%s: opened %s, %v", when, asJSON(out), err)
		}
	}
	opens("imported again")

	// New material for a rotation.
	_, err = client.RotateKeyOnDemand(ctx, &sdk.RotateKeyOnDemandInput{KeyId: &id})
	fails(t, err, "KMSInvalidStateException", "No available key material pending rotation for the key: "+arn+".")
	second, err := i.put(t, two, func(in *sdk.ImportKeyMaterialInput) {
		in.ImportType, in.KeyMaterialDescription = types.ImportTypeNewKeyMaterial, aws.String("the second")
	})
	if err != nil {
		t.Fatal(err)
	}
	if m := i.describe(t); !m.Enabled || aws.ToString(m.CurrentKeyMaterialId) != first {
		t.Errorf("with material pending: %s", asJSON(m))
	}
	_, err = i.put(t, three, as(types.ImportTypeNewKeyMaterial))
	var third string
	if err != nil {
		if _, rest, ok := strings.Cut(err.Error(), "New key material (id: "); ok && len(rest) > 64 {
			third = rest[:64]
		}
	}
	fails(t, err, "KMSInvalidStateException", "New key material (id: "+third+") cannot be imported into KMS key "+arn+
		", because another key material (id: "+second+") is pending rotation.")
	if _, err := client.RotateKeyOnDemand(ctx, &sdk.RotateKeyOnDemandInput{KeyId: &id}); err != nil {
		t.Fatal(err)
	}
	if m := i.describe(t); aws.ToString(m.CurrentKeyMaterialId) != second {
		t.Errorf("rotated: %s, want %s", asJSON(m), second)
	}
	opens("rotated")
	all := rotations(t, client, id, types.IncludeKeyMaterialAllKeyMaterial)
	if len(all) != 2 || *all[0].KeyMaterialId != first || *all[1].KeyMaterialId != second || all[1].KeyMaterialState != types.KeyMaterialStateCurrent ||
		aws.ToString(all[1].KeyMaterialDescription) != "the second" {
		t.Errorf("listed %s", asJSON(all))
	}

	// The key needs all of its materials.
	for _, gone := range []struct {
		id     *string
		secret []byte
	}{{&first, one}, {nil, two}} {
		if _, err := client.DeleteImportedKeyMaterial(ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: &id, KeyMaterialId: gone.id}); err != nil {
			t.Fatal(err)
		}
		if m := i.describe(t); m.KeyState != types.KeyStatePendingImport {
			t.Errorf("with material deleted: %s", asJSON(m))
		}
	}
	if _, err := i.put(t, two, nil); err != nil {
		t.Fatal(err)
	}
	if m := i.describe(t); m.KeyState != types.KeyStatePendingImport {
		t.Errorf("with older material still missing: %s", asJSON(m))
	}
	if _, err := i.put(t, one, nil); err != nil {
		t.Fatal(err)
	}
	if m := i.describe(t); m.KeyState != types.KeyStateEnabled {
		t.Errorf("with all material back: %s", asJSON(m))
	}
	opens("all material back")

	// Material pending rotation is not missed.
	pending, err := i.put(t, three, as(types.ImportTypeNewKeyMaterial))
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.DeleteImportedKeyMaterial(ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: &id, KeyMaterialId: &pending})
	if err != nil || *out.KeyId != arn || aws.ToString(out.KeyMaterialId) != pending {
		t.Errorf("deleted %s, %v", asJSON(out), err)
	}
	if m := i.describe(t); m.KeyState != types.KeyStateEnabled {
		t.Errorf("with pending material deleted: %s", asJSON(m))
	}
	_, err = client.DeleteImportedKeyMaterial(ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: &id, KeyMaterialId: &pending})
	fails(t, err, "NotFoundException", "Key material "+pending+" does not exist in KMS key "+arn+".")

	// A key pending deletion loses its material, and keeps its state.
	if _, err := client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: aws.Int32(7)}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.DeleteImportedKeyMaterial(ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: &id}); err != nil {
		t.Fatal(err)
	}
	if m := i.describe(t); m.KeyState != types.KeyStatePendingDeletion {
		t.Errorf("pending deletion, material deleted: %s", asJSON(m))
	}
	if _, err := client.CancelKeyDeletion(ctx, &sdk.CancelKeyDeletionInput{KeyId: &id}); err != nil {
		t.Fatal(err)
	}
	if m := i.describe(t); m.KeyState != types.KeyStatePendingImport {
		t.Errorf("deletion canceled without material: %s", asJSON(m))
	}
}

// TestImportedKinds imports material that is known here, for every kind of key, and checks that the
// key is that material.
func TestImportedKinds(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	message := []byte("message")
	t.Run("HMAC", func(t *testing.T) {
		secret := bytes.Repeat([]byte{9}, 32)
		_, id := externalKey(t, r, "HMAC_256", "GENERATE_VERIFY_MAC")
		i := newImporter(t, client, id, types.AlgorithmSpecRsaesOaepSha256, types.WrappingKeySpecRsa2048)
		_, err := i.put(t, secret, func(in *sdk.ImportKeyMaterialInput) { in.ImportType = types.ImportTypeNewKeyMaterial })
		fails(t, err, "ValidationException", "ImportType, KeyMaterialDescription and KeyMaterialId are valid for symmetric encryption keys only.")
		_, err = i.put(t, secret[:31], nil)
		fails(t, err, "IncorrectKeyMaterialException", "The key material is not valid for KeySpec HMAC_256: the material has 31 bytes instead of 32")
		if material, err := i.put(t, secret, nil); err != nil || material != "" {
			t.Fatalf("imported as %q, %v", material, err)
		}
		out, err := client.GenerateMac(ctx, &sdk.GenerateMacInput{KeyId: &id, Message: message, MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
		if err != nil {
			t.Fatal(err)
		}
		h := hmac.New(sha256.New, secret)
		h.Write(message)
		if want := h.Sum(nil); !bytes.Equal(out.Mac, want) {
			t.Errorf("MAC %x, want %x", out.Mac, want)
		}
		_, err = i.put(t, bytes.Repeat([]byte{8}, 32), nil)
		fails(t, err, "IncorrectKeyMaterialException", "The key material is not the same key material …")
	})
	t.Run("ECC", func(t *testing.T) {
		private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		want, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		_, wrongID := externalKey(t, r, "ECC_NIST_P256", "SIGN_VERIFY")
		wrong := newImporter(t, client, wrongID, types.AlgorithmSpecRsaAesKeyWrapSha256, types.WrappingKeySpecRsa2048)
		_, err = wrong.put(t, secret, nil)
		fails(t, err, "IncorrectKeyMaterialException", "The key material is not valid for KeySpec ECC_NIST_P256: the material is not a private key of ECC_NIST_P256")
		_, id := externalKey(t, r, "ECC_NIST_P384", "SIGN_VERIFY")
		i := newImporter(t, client, id, types.AlgorithmSpecRsaAesKeyWrapSha256, types.WrappingKeySpecRsa2048)
		if _, err := i.put(t, secret, nil); err != nil {
			t.Fatal(err)
		}
		out, err := client.GetPublicKey(ctx, &sdk.GetPublicKeyInput{KeyId: &id})
		if err != nil || !bytes.Equal(out.PublicKey, want) {
			t.Errorf("public key %s, %v", asJSON(out), err)
		}
	})
	t.Run("RSA", func(t *testing.T) {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		_, id := externalKey(t, r, "RSA_2048", "ENCRYPT_DECRYPT")
		i := newImporter(t, client, id, types.AlgorithmSpecRsaAesKeyWrapSha1, types.WrappingKeySpecRsa2048)
		if _, err := i.put(t, secret, nil); err != nil {
			t.Fatal(err)
		}
		sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &private.PublicKey, message, nil)
		if err != nil {
			t.Fatal(err)
		}
		out, err := client.Decrypt(ctx, &sdk.DecryptInput{KeyId: &id, CiphertextBlob: sealed, EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha256})
		if err != nil || !bytes.Equal(out.Plaintext, message) || out.KeyMaterialId != nil {
			t.Errorf("opened %s, %v", asJSON(out), err)
		}
	})
}

// TestExpiryEvents: expiry is an event of the service, in sandbox time.
func TestExpiryEvents(t *testing.T) {
	var events []kms.ServiceEvent
	r := rigOf(t, kms.Options{ServiceEvents: func(e kms.ServiceEvent) { events = append(events, e) }})
	_, id := externalKey(t, r, "", "")
	i := newImporter(t, r.client(someKey), id, types.AlgorithmSpecRsaesOaepSha256, types.WrappingKeySpecRsa2048)
	at := r.clock.Now().Add(30 * day)
	if _, err := i.put(t, make([]byte, 32), func(in *sdk.ImportKeyMaterialInput) {
		in.ExpirationModel, in.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, &at
	}); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(29 * day)
	r.Settle()
	if len(events) != 0 {
		t.Errorf("too early: %v", events)
	}
	r.clock.Advance(2 * day)
	r.Settle()
	if len(events) != 1 || events[0].Name != "DeleteExpiredKeyMaterial" || events[0].KeyID != id || events[0].At.Sub(at).Abs() > time.Second {
		t.Errorf("events %v, want one at %v", events, at)
	}
	r.Settle()
	if len(events) != 1 {
		t.Errorf("events %v, want one", events)
	}
}

// TestImportConditions: the condition keys of imports.
func TestImportConditions(t *testing.T) {
	r := newRig(t)
	arn, id := externalKey(t, r, "", "")
	deny := m{"Effect": "Deny", "Principal": "*", "Action": []string{"kms:GetParametersForImport", "kms:ImportKeyMaterial"}, "Resource": "*",
		"Condition": m{"StringEquals": m{"kms:WrappingAlgorithm": "RSAES_PKCS1_V1_5"}}}
	if err := r.PutKeyPolicy(r.admin, &kms.PutKeyPolicyRequest{KeyId: id, Policy: policy(rootStatement, deny)}); err != nil {
		t.Fatal(err)
	}
	_, err := r.client(someKey).GetParametersForImport(context.Background(), &sdk.GetParametersForImportInput{KeyId: &id,
		WrappingAlgorithm: types.AlgorithmSpecRsaesPkcs1V15, WrappingKeySpec: types.WrappingKeySpecRsa2048})
	fails(t, err, "AccessDeniedException", "User: "+r.admin.Principal+" is not authorized to perform: kms:GetParametersForImport on resource: "+arn+
		" with an explicit deny in a resource-based policy")
	newImporter(t, r.client(someKey), id, types.AlgorithmSpecRsaesOaepSha1, types.WrappingKeySpecRsa2048)
}

// TestMaterialConcurrency uses keys while their material comes and goes, and their store with it; with
// -race it shows what is not guarded. A use may be refused for the key's state, but never go wrong.
func TestMaterialConcurrency(t *testing.T) {
	r := newRig(t)
	_, id := externalKey(t, r, "", "")
	_, mac := externalKey(t, r, "HMAC_256", "GENERATE_VERIFY_MAC")
	store := newStore(t, r.client(someKey), 1)
	if _, err := r.ConnectCustomKeyStore(r.admin, &kms.CustomKeyStoreRequest{CustomKeyStoreId: store}); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(2 * time.Minute)
	stored, _ := r.newKey(t, kms.CreateKeyRequest{Origin: "AWS_CLOUDHSM", CustomKeyStoreId: store})
	secret := bytes.Repeat([]byte{1}, 32)
	imports := map[string]*kms.ImportKeyMaterialRequest{}
	for _, key := range []string{id, mac} {
		p, err := r.GetParametersForImport(r.admin, &kms.GetParametersForImportRequest{KeyId: key, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048"})
		if err != nil {
			t.Fatal(err)
		}
		imports[key] = &kms.ImportKeyMaterialRequest{KeyId: key, ImportToken: p.ImportToken, ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE",
			EncryptedKeyMaterial: wrap(t, "RSAES_OAEP_SHA_256", p.PublicKey, secret)}
		if _, err := r.ImportKeyMaterial(r.admin, imports[key]); err != nil {
			t.Fatal(err)
		}
	}
	sealed := map[string][]byte{}
	for _, key := range []string{id, stored} {
		out, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: key, Plaintext: []byte("secret")})
		if err != nil {
			t.Fatal(err)
		}
		sealed[key] = out.CiphertextBlob
	}
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("message"))
	want := h.Sum(nil)

	var wg sync.WaitGroup
	var worked atomic.Int64
	loop := func(n int, f func(i int) error, expected ...string) {
		wg.Go(func() {
			for i := range n {
				err := f(i)
				if err == nil {
					worked.Add(1)
				}
				if err != nil && !slices.ContainsFunc(expected, func(e string) bool { return strings.HasPrefix(refusal(err), e) }) {
					t.Error(err)
					return
				}
			}
		})
	}
	const state, storeState = "KMSInvalidStateException", "CustomKeyStoreInvalidStateException"
	for key, blob := range sealed {
		loop(300, func(int) error {
			out, err := r.Decrypt(r.admin, &kms.DecryptRequest{CiphertextBlob: blob})
			if err == nil && string(out.Plaintext) != "secret" {
				return fmt.Errorf("opened %q", out.Plaintext)
			}
			return err
		}, state)
		loop(300, func(int) error {
			_, err := r.GenerateDataKey(r.admin, &kms.GenerateDataKeyRequest{KeyId: key, KeySpec: "AES_256"})
			return err
		}, state)
		loop(300, func(int) error { _, err := r.DescribeKey(r.admin, &kms.DescribeKeyRequest{KeyId: key}); return err })
	}
	loop(300, func(int) error {
		out, err := r.GenerateMac(r.admin, &kms.GenerateMacRequest{KeyId: mac, Message: []byte("message"), MacAlgorithm: "HMAC_SHA_256"})
		if err == nil && !bytes.Equal(out.Mac, want) {
			return fmt.Errorf("MAC %x", out.Mac)
		}
		return err
	}, state)
	for key, in := range imports {
		loop(20, func(i int) error {
			if i%2 == 0 {
				_, err := r.DeleteImportedKeyMaterial(r.admin, &kms.DeleteImportedKeyMaterialRequest{KeyId: key})
				return err
			}
			_, err := r.ImportKeyMaterial(r.admin, in)
			return err
		})
	}
	loop(100, func(i int) error {
		in := &kms.CustomKeyStoreRequest{CustomKeyStoreId: store}
		if i%2 == 0 {
			_, err := r.DisconnectCustomKeyStore(r.admin, in)
			return err
		}
		_, err := r.ConnectCustomKeyStore(r.admin, in)
		return err
	}, storeState)
	loop(100, func(int) error {
		r.clock.Advance(time.Minute)
		_, err := r.DescribeCustomKeyStores(r.admin, nil)
		return err
	})
	loop(20, func(int) error { r.Dump(); return nil })
	wg.Wait()
	if worked.Load() < 500 {
		t.Errorf("only %d calls worked", worked.Load())
	}
}
