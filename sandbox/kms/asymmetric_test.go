package kms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	_ "crypto/sha512" // for crypto.Hash
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	koblitz "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

// create makes a key through the real SDK.
func create(t testing.TB, client *sdk.Client, spec types.KeySpec, usage types.KeyUsageType) *types.KeyMetadata {
	t.Helper()
	out, err := client.CreateKey(t.Context(), &sdk.CreateKeyInput{KeySpec: spec, KeyUsage: usage})
	if err != nil {
		t.Fatal(err)
	}
	return out.KeyMetadata
}

// public returns the key's public half as Go's cryptography knows it.
func public(t testing.TB, client *sdk.Client, key string) any {
	t.Helper()
	out, err := client.GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{KeyId: &key})
	if err != nil {
		t.Fatal(err)
	}
	if out.KeySpec == types.KeySpecEccSecgP256k1 {
		return publicOutside(t, out.PublicKey)
	}
	p, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// publicOutside reads a public key on secp256k1, which this Go's x509 cannot.
func publicOutside(t testing.TB, der []byte) *secp256k1.PublicKey {
	t.Helper()
	var info struct {
		Algorithm struct{ Kind, Curve asn1.ObjectIdentifier }
		Point     asn1.BitString
	}
	rest, err := asn1.Unmarshal(der, &info)
	if err != nil || len(rest) > 0 || info.Algorithm.Kind.String() != "1.2.840.10045.2.1" || info.Algorithm.Curve.String() != "1.3.132.0.10" {
		t.Fatalf("the public key is %+v, %v", info, err)
	}
	p, err := secp256k1.ParsePubKey(info.Point.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// privateOutside reads a private key likewise.
func privateOutside(t testing.TB, der []byte) *secp256k1.PrivateKey {
	t.Helper()
	var info struct {
		Version   int
		Algorithm struct{ Kind, Curve asn1.ObjectIdentifier }
		Key       []byte
	}
	var key struct {
		Version int
		Scalar  []byte
		Point   asn1.BitString `asn1:"explicit,tag:1"`
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil || info.Algorithm.Curve.String() != "1.3.132.0.10" {
		t.Fatalf("the private key is of %v, %v", info.Algorithm, err)
	}
	if _, err := asn1.Unmarshal(info.Key, &key); err != nil || key.Version != 1 {
		t.Fatalf("the private key has version %d, %v", key.Version, err)
	}
	return secp256k1.PrivKeyFromBytes(key.Scalar)
}

// TestKeySpecs makes a key of every KeySpec and usage, and compares what DescribeKey and GetPublicKey
// say of it; the KeySpecs that Go's cryptography does not have are refused with a reason.
func TestKeySpecs(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	rsaSigning := "RSASSA_PKCS1_V1_5_SHA_256 RSASSA_PKCS1_V1_5_SHA_384 RSASSA_PKCS1_V1_5_SHA_512 RSASSA_PSS_SHA_256 RSASSA_PSS_SHA_384 RSASSA_PSS_SHA_512"
	oaep := "RSAES_OAEP_SHA_1 RSAES_OAEP_SHA_256"
	const encrypt, sign, mac, agree, kem = types.KeyUsageTypeEncryptDecrypt, types.KeyUsageTypeSignVerify, types.KeyUsageTypeGenerateVerifyMac,
		types.KeyUsageTypeKeyAgreement, types.KeyUsageTypeEncapsulateDecapsulate
	tests := []struct {
		spec       types.KeySpec
		usage      types.KeyUsageType
		algorithms string // or, after "!", the refusal
	}{
		{types.KeySpecSymmetricDefault, encrypt, "SYMMETRIC_DEFAULT"},
		{types.KeySpecRsa2048, encrypt, oaep},
		{types.KeySpecRsa2048, sign, rsaSigning},
		{types.KeySpecRsa3072, encrypt, oaep},
		{types.KeySpecRsa4096, sign, rsaSigning},
		{types.KeySpecEccNistP256, sign, "ECDSA_SHA_256"},
		{types.KeySpecEccNistP384, sign, "ECDSA_SHA_384"},
		{types.KeySpecEccNistP521, sign, "ECDSA_SHA_512"},
		{types.KeySpecEccNistP256, agree, "ECDH"},
		{types.KeySpecEccNistP384, agree, "ECDH"},
		{types.KeySpecEccNistP521, agree, "ECDH"},
		{types.KeySpecEccNistEdwards25519, sign, "ED25519_SHA_512 ED25519_PH_SHA_512"},
		{types.KeySpecHmac224, mac, "HMAC_SHA_224"},
		{types.KeySpecHmac256, mac, "HMAC_SHA_256"},
		{types.KeySpecHmac384, mac, "HMAC_SHA_384"},
		{types.KeySpecHmac512, mac, "HMAC_SHA_512"},
		{types.KeySpecMlKem768, kem, "ML_KEM"},
		{types.KeySpecMlKem1024, kem, "ML_KEM"},
		{types.KeySpecMlKem512, kem, "!Go's standard library does not have ML-KEM-512"},
		{types.KeySpecEccSecgP256k1, sign, "ECDSA_SHA_256"},
		{types.KeySpecSm2, sign, "!Go's standard library does not have SM2"},
		{types.KeySpecMlDsa44, sign, "!Go's standard library does not have ML-DSA"},
		{types.KeySpecMlDsa65, sign, "!Go's standard library does not have ML-DSA"},
		{types.KeySpecMlDsa87, sign, "!Go's standard library does not have ML-DSA"},
	}
	seen := map[types.KeySpec]bool{}
	for _, tt := range tests {
		seen[tt.spec] = true
		t.Run(fmt.Sprintf("%s for %s", tt.spec, tt.usage), func(t *testing.T) {
			if tt.spec == types.KeySpecRsa4096 && testing.Short() {
				t.Skip("takes a second")
			}
			if why, ok := strings.CutPrefix(tt.algorithms, "!"); ok {
				_, err := client.CreateKey(ctx, &sdk.CreateKeyInput{KeySpec: tt.spec, KeyUsage: tt.usage})
				fails(t, err, "UnsupportedOperationException", fmt.Sprintf("the sandbox does not have keys with KeySpec %s: %s", tt.spec, why))
				return
			}
			made := create(t, client, tt.spec, tt.usage)
			found, err := client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: made.KeyId})
			if err != nil {
				t.Fatal(err)
			}
			d := found.KeyMetadata
			if asJSON(d) != asJSON(made) || d.KeySpec != tt.spec || d.KeyUsage != tt.usage || !d.Enabled ||
				string(d.CustomerMasterKeySpec) != string(tt.spec) {
				t.Errorf("made %s, found %s", asJSON(made), asJSON(d))
			}
			if got := joined(d.EncryptionAlgorithms, d.SigningAlgorithms, d.MacAlgorithms, d.KeyAgreementAlgorithms); got != tt.algorithms && tt.usage != kem {
				t.Errorf("algorithms %s, want %s", got, tt.algorithms)
			}
			if (d.CurrentKeyMaterialId != nil) != (tt.spec == types.KeySpecSymmetricDefault) {
				t.Errorf("material id %v", aws.ToString(d.CurrentKeyMaterialId))
			}
			out, err := client.GetPublicKey(ctx, &sdk.GetPublicKeyInput{KeyId: made.KeyId})
			if tt.spec == types.KeySpecSymmetricDefault || tt.usage == mac {
				fails(t, err, "UnsupportedOperationException", fmt.Sprintf("%s KeySpec is %s which is not valid for GetPublicKey.", *made.Arn, tt.spec))
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if *out.KeyId != *made.Arn || out.KeySpec != tt.spec || out.KeyUsage != tt.usage ||
				string(out.CustomerMasterKeySpec) != string(tt.spec) {
				t.Errorf("public key %s", asJSON(out))
			}
			got := joined(out.EncryptionAlgorithms, out.SigningAlgorithms, nil, out.KeyAgreementAlgorithms)
			for _, a := range out.EncapsulationAlgorithms {
				got += string(a)
			}
			if got != tt.algorithms {
				t.Errorf("algorithms %s, want %s", got, tt.algorithms)
			}
			if tt.usage == kem {
				return // this Go cannot parse the public half; TestEncapsulation uses it
			}
			if tt.spec == types.KeySpecEccSecgP256k1 {
				publicOutside(t, out.PublicKey) // nor that
				return
			}
			p, err := x509.ParsePKIXPublicKey(out.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			size := 0
			switch p := p.(type) {
			case *rsa.PublicKey:
				size = p.N.BitLen()
			case *ecdsa.PublicKey:
				size = p.Curve.Params().BitSize
			case ed25519.PublicKey:
				size = 25519
			}
			if !strings.HasSuffix(string(tt.spec), fmt.Sprint(size)) {
				t.Errorf("a public key of size %d", size)
			}
		})
	}
	for _, spec := range types.KeySpec("").Values() {
		if !seen[spec] {
			t.Errorf("KeySpec %s is not tested", spec)
		}
	}
}

func joined(e []types.EncryptionAlgorithmSpec, s []types.SigningAlgorithmSpec, m []types.MacAlgorithmSpec, k []types.KeyAgreementAlgorithmSpec) string {
	var all []string
	for _, a := range e {
		all = append(all, string(a))
	}
	for _, a := range s {
		all = append(all, string(a))
	}
	for _, a := range m {
		all = append(all, string(a))
	}
	for _, a := range k {
		all = append(all, string(a))
	}
	return strings.Join(all, " ")
}

func TestCreateKeyRefusals(t *testing.T) {
	r := newRig(t)
	tests := []struct {
		name          string
		in            sdk.CreateKeyInput
		code, message string
	}{
		{"no usage", sdk.CreateKeyInput{KeySpec: types.KeySpecRsa2048}, "ValidationException",
			"You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."},
		{"usage that does not fit", sdk.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeEncryptDecrypt}, "ValidationException",
			"KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ECC_NIST_P256"},
		{"usage that does not fit a symmetric key", sdk.CreateKeyInput{KeyUsage: types.KeyUsageTypeSignVerify}, "ValidationException",
			"KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"},
		{"store id without origin", sdk.CreateKeyInput{CustomKeyStoreId: aws.String("cks-1")}, "ValidationException", "CustomKeyStoreId is only valid for …"},
		{"origin without store id", sdk.CreateKeyInput{Origin: types.OriginTypeAwsCloudhsm}, "ValidationException",
			"You must specify a CustomKeyStoreId for KMS keys with Origin AWS_CLOUDHSM."},
		{"unknown store", sdk.CreateKeyInput{Origin: types.OriginTypeAwsCloudhsm, CustomKeyStoreId: aws.String("cks-1")},
			"CustomKeyStoreNotFoundException", "Custom key store cks-1 does not exist."},
		{"external key id", sdk.CreateKeyInput{XksKeyId: aws.String("x")}, "ValidationException", "XksKeyId is only valid for …"},
		{"external key store", sdk.CreateKeyInput{Origin: types.OriginTypeExternalKeyStore, CustomKeyStoreId: aws.String("cks-1")},
			"UnsupportedOperationException", "the sandbox does not have keys with Origin EXTERNAL_KEY_STORE yet"},
		{"RSA in a store", sdk.CreateKeyInput{Origin: types.OriginTypeAwsCloudhsm, CustomKeyStoreId: aws.String("cks-1"),
			KeySpec: types.KeySpecRsa2048, KeyUsage: types.KeyUsageTypeSignVerify}, "UnsupportedOperationException",
			"A custom key store has symmetric encryption keys of one Region only."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.client(someKey).CreateKey(t.Context(), &tt.in)
			fails(t, err, tt.code, tt.message)
		})
	}
}

// TestSignatures signs with every algorithm, and checks each signature in KMS and out of it.
func TestSignatures(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	message := []byte("a message to sign")
	hashes := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}
	for _, spec := range []types.KeySpec{types.KeySpecRsa2048, types.KeySpecEccNistP256, types.KeySpecEccNistP384,
		types.KeySpecEccNistP521, types.KeySpecEccNistEdwards25519, types.KeySpecEccSecgP256k1} {
		key := create(t, client, spec, types.KeyUsageTypeSignVerify)
		p := public(t, client, *key.KeyId)
		for _, algorithm := range key.SigningAlgorithms {
			for _, kind := range []types.MessageType{"", types.MessageTypeRaw, types.MessageTypeDigest, types.MessageTypeExternalMu} {
				t.Run(fmt.Sprintf("%s of %q with %s", spec, kind, algorithm), func(t *testing.T) {
					name := string(algorithm)
					h := hashes[name[len(name)-3:]]
					sum := h.New()
					sum.Write(message)
					digest := sum.Sum(nil)
					given := message
					if kind == types.MessageTypeDigest {
						given = digest
					}
					out, err := client.Sign(ctx, &sdk.SignInput{KeyId: key.KeyId, Message: given, MessageType: kind, SigningAlgorithm: algorithm})
					raw := kind == "" || kind == types.MessageTypeRaw
					if kind == types.MessageTypeExternalMu || raw && name == "ED25519_PH_SHA_512" || !raw && name == "ED25519_SHA_512" {
						shown := kind
						if shown == "" {
							shown = types.MessageTypeRaw
						}
						fails(t, err, "ValidationException", fmt.Sprintf("Message type %s is incompatible with algorithm %s.", shown, algorithm))
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					if *out.KeyId != *key.Arn || out.SigningAlgorithm != algorithm {
						t.Errorf("signed %s", asJSON(out))
					}
					good := false
					switch p := p.(type) {
					case *rsa.PublicKey:
						if strings.Contains(name, "PSS") {
							good = rsa.VerifyPSS(p, h, digest, out.Signature, &rsa.PSSOptions{SaltLength: h.Size()}) == nil
						} else {
							good = rsa.VerifyPKCS1v15(p, h, digest, out.Signature) == nil
						}
					case *ecdsa.PublicKey:
						good = ecdsa.VerifyASN1(p, digest, out.Signature)
					case ed25519.PublicKey:
						if raw {
							good = ed25519.Verify(p, message, out.Signature)
						} else {
							good = ed25519.VerifyWithOptions(p, digest, out.Signature, &ed25519.Options{Hash: crypto.SHA512}) == nil
						}
					case *secp256k1.PublicKey:
						s, err := koblitz.ParseDERSignature(out.Signature)
						good = err == nil && s.Verify(digest, p)
					}
					if !good {
						t.Error("the signature is not good")
					}
					in := sdk.VerifyInput{KeyId: key.KeyId, Message: given, MessageType: kind, SigningAlgorithm: algorithm, Signature: out.Signature}
					if v, err := client.Verify(ctx, &in); err != nil || !v.SignatureValid || *v.KeyId != *key.Arn || v.SigningAlgorithm != algorithm {
						t.Errorf("verified %s, %v", asJSON(v), err)
					}
					in.Signature = slices.Clone(out.Signature)
					in.Signature[len(in.Signature)/2] ^= 1
					_, err = client.Verify(ctx, &in)
					fails(t, err, "KMSInvalidSignatureException", "")
					if kind == types.MessageTypeDigest {
						_, err := client.Sign(ctx, &sdk.SignInput{KeyId: key.KeyId, Message: given[1:], MessageType: kind, SigningAlgorithm: algorithm})
						fails(t, err, "ValidationException", fmt.Sprintf("Digest is invalid length for algorithm %s.", algorithm))
					}
				})
			}
		}
	}
}

// TestUsages: each operation refuses keys that are not made for it, and algorithms that its key does
// not have.
func TestUsages(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	symmetric := create(t, client, "", "")
	signer := create(t, client, types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
	rsaKey := create(t, client, types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)
	mac := create(t, client, types.KeySpecHmac512, types.KeyUsageTypeGenerateVerifyMac)
	x := []byte("x")
	usage := func(key *types.KeyMetadata, operation string) (string, string) {
		return "InvalidKeyUsageException", fmt.Sprintf("%s key usage is %s which is not valid for %s.", *key.Arn, key.KeyUsage, operation)
	}
	check := func(name string, err error, code, message string) {
		t.Run(name, func(t *testing.T) { fails(t, err, code, message) })
	}
	_, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: signer.KeyId, Plaintext: x})
	code, message := usage(signer, "Encrypt")
	check("encrypt with a signing key", err, code, message)
	_, err = client.Decrypt(ctx, &sdk.DecryptInput{KeyId: signer.KeyId, CiphertextBlob: x})
	code, message = usage(signer, "Decrypt")
	check("decrypt with a signing key", err, code, message)
	_, err = client.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: mac.KeyId, KeySpec: types.DataKeySpecAes256})
	code, message = usage(mac, "GenerateDataKey")
	check("data key under an HMAC key", err, code, message)
	_, err = client.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: rsaKey.KeyId, KeySpec: types.DataKeySpecAes256})
	check("data key under an RSA key", err, "InvalidKeyUsageException", "You cannot generate a data key with an asymmetric CMK")
	_, err = client.Sign(ctx, &sdk.SignInput{KeyId: rsaKey.KeyId, Message: x, SigningAlgorithm: types.SigningAlgorithmSpecRsassaPssSha256})
	code, message = usage(rsaKey, "Sign")
	check("sign with an encryption key", err, code, message)
	_, err = client.Verify(ctx, &sdk.VerifyInput{KeyId: symmetric.KeyId, Message: x, Signature: x, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	code, message = usage(symmetric, "Verify")
	check("verify with a symmetric key", err, code, message)
	_, err = client.Sign(ctx, &sdk.SignInput{KeyId: signer.KeyId, Message: x, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha384})
	check("another curve's algorithm", err, "InvalidKeyUsageException", "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.")
	_, err = client.GenerateMac(ctx, &sdk.GenerateMacInput{KeyId: symmetric.KeyId, Message: x, MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
	code, message = usage(symmetric, "GenerateMac")
	check("MAC with a symmetric key", err, code, message)
	_, err = client.VerifyMac(ctx, &sdk.VerifyMacInput{KeyId: mac.KeyId, Message: x, Mac: x, MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
	check("another size's MAC", err, "InvalidKeyUsageException", "Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_512.")
	_, err = client.Encrypt(ctx, &sdk.EncryptInput{KeyId: rsaKey.KeyId, Plaintext: x})
	check("RSA without an algorithm", err, "InvalidKeyUsageException", "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.")
	_, err = client.Encrypt(ctx, &sdk.EncryptInput{KeyId: symmetric.KeyId, Plaintext: x, EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha1})
	check("OAEP with a symmetric key", err, "InvalidKeyUsageException", "Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.")
	_, err = client.DeriveSharedSecret(ctx, &sdk.DeriveSharedSecretInput{KeyId: signer.KeyId, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: x})
	code, message = usage(signer, "DeriveSharedSecret")
	check("agree with a signing key", err, code, message)
	_, err = client.Encapsulate(ctx, &sdk.EncapsulateInput{KeyId: signer.KeyId, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem})
	code, message = usage(signer, "Encapsulate")
	check("encapsulate with a signing key", err, code, message)
	_, err = client.CreateGrant(ctx, &sdk.CreateGrantInput{KeyId: signer.KeyId, GranteePrincipal: &r.admin.Principal, Operations: []types.GrantOperation{"Sign", "Decrypt"}})
	check("grant what the key cannot do", err, "ValidationException", "Grant operation Decrypt is not valid for keys with KeySpec ECC_NIST_P256.")
	if _, err := client.CreateGrant(ctx, &sdk.CreateGrantInput{KeyId: signer.KeyId, GranteePrincipal: &r.admin.Principal,
		Operations: []types.GrantOperation{"Sign", "Verify", "GetPublicKey"}}); err != nil {
		t.Error(err)
	}
	if _, err := client.CreateAlias(ctx, &sdk.CreateAliasInput{AliasName: aws.String("alias/signer"), TargetKeyId: signer.KeyId}); err != nil {
		t.Fatal(err)
	}
	_, err = client.UpdateAlias(ctx, &sdk.UpdateAliasInput{AliasName: aws.String("alias/signer"), TargetKeyId: symmetric.KeyId})
	check("alias to another type", err, "ValidationException", "Alias alias/signer must stay with keys of the same type and usage…")
	if out, err := client.GetPublicKey(ctx, &sdk.GetPublicKeyInput{KeyId: aws.String("alias/signer")}); err != nil || *out.KeyId != *signer.Arn {
		t.Errorf("by alias: %s, %v", asJSON(out), err)
	}
}

func TestOAEP(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	key := create(t, client, types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)
	p := public(t, client, *key.KeyId).(*rsa.PublicKey)
	for _, tt := range []struct {
		algorithm types.EncryptionAlgorithmSpec
		most      int
	}{{types.EncryptionAlgorithmSpecRsaesOaepSha1, 214}, {types.EncryptionAlgorithmSpecRsaesOaepSha256, 190}} {
		t.Run(string(tt.algorithm), func(t *testing.T) {
			plain := bytes.Repeat([]byte{5}, tt.most)
			sealed, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: key.KeyId, Plaintext: plain, EncryptionAlgorithm: tt.algorithm})
			if err != nil || *sealed.KeyId != *key.Arn || sealed.EncryptionAlgorithm != tt.algorithm || len(sealed.CiphertextBlob) != 256 {
				t.Fatalf("sealed %s, %v", asJSON(sealed), err)
			}
			_, err = client.Encrypt(ctx, &sdk.EncryptInput{KeyId: key.KeyId, Plaintext: append(plain, 5), EncryptionAlgorithm: tt.algorithm})
			fails(t, err, "ValidationException", fmt.Sprintf("The plaintext has %d bytes, but %s with RSA_2048 takes at most %d.", tt.most+1, tt.algorithm, tt.most))
			h := sha256.New()
			if tt.most == 214 {
				h = sha1.New()
			}
			outside, err := rsa.EncryptOAEP(h, rand.Reader, p, plain, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, blob := range [][]byte{sealed.CiphertextBlob, outside} {
				opened, err := client.Decrypt(ctx, &sdk.DecryptInput{KeyId: key.KeyId, CiphertextBlob: blob, EncryptionAlgorithm: tt.algorithm})
				if err != nil || !bytes.Equal(opened.Plaintext, plain) || opened.EncryptionAlgorithm != tt.algorithm || opened.KeyMaterialId != nil {
					t.Errorf("opened %s, %v", asJSON(opened), err)
				}
			}
			_, err = client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionAlgorithm: tt.algorithm})
			fails(t, err, "InvalidCiphertextException", "") // without KeyId nothing tells the key
			broken := slices.Clone(sealed.CiphertextBlob)
			broken[9] ^= 1
			_, err = client.Decrypt(ctx, &sdk.DecryptInput{KeyId: key.KeyId, CiphertextBlob: broken, EncryptionAlgorithm: tt.algorithm})
			fails(t, err, "InvalidCiphertextException", "")
			_, err = client.Encrypt(ctx, &sdk.EncryptInput{KeyId: key.KeyId, Plaintext: plain, EncryptionAlgorithm: tt.algorithm, EncryptionContext: map[string]string{"a": "b"}})
			fails(t, err, "ValidationException", fmt.Sprintf("EncryptionContext is not supported by EncryptionAlgorithm %s.", tt.algorithm))
			_, err = client.Encrypt(ctx, &sdk.EncryptInput{KeyId: key.KeyId, Plaintext: plain, EncryptionAlgorithm: tt.algorithm, DryRun: aws.Bool(true)})
			fails(t, err, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
		})
	}
	t.Run("ReEncrypt", func(t *testing.T) {
		symmetric := create(t, client, "", "")
		sealed, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: symmetric.KeyId, Plaintext: []byte("x"), EncryptionContext: map[string]string{"a": "b"}})
		if err != nil {
			t.Fatal(err)
		}
		under, err := client.ReEncrypt(ctx, &sdk.ReEncryptInput{CiphertextBlob: sealed.CiphertextBlob, SourceEncryptionContext: map[string]string{"a": "b"},
			DestinationKeyId: key.KeyId, DestinationEncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha256})
		if err != nil || under.DestinationKeyMaterialId != nil || under.SourceKeyMaterialId == nil ||
			under.DestinationEncryptionAlgorithm != types.EncryptionAlgorithmSpecRsaesOaepSha256 || under.SourceEncryptionAlgorithm != types.EncryptionAlgorithmSpecSymmetricDefault {
			t.Fatalf("under RSA: %s, %v", asJSON(under), err)
		}
		back, err := client.ReEncrypt(ctx, &sdk.ReEncryptInput{CiphertextBlob: under.CiphertextBlob, SourceKeyId: key.KeyId,
			SourceEncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha256, DestinationKeyId: symmetric.KeyId})
		if err != nil {
			t.Fatal(err)
		}
		opened, err := client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: back.CiphertextBlob})
		if err != nil || string(opened.Plaintext) != "x" {
			t.Errorf("opened %s, %v", asJSON(opened), err)
		}
	})
}

func TestMacs(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	for i, spec := range []types.KeySpec{types.KeySpecHmac224, types.KeySpecHmac256, types.KeySpecHmac384, types.KeySpecHmac512} {
		t.Run(string(spec), func(t *testing.T) {
			key := create(t, client, spec, types.KeyUsageTypeGenerateVerifyMac)
			algorithm := key.MacAlgorithms[0]
			out, err := client.GenerateMac(ctx, &sdk.GenerateMacInput{KeyId: key.KeyId, Message: []byte("message"), MacAlgorithm: algorithm})
			if err != nil || *out.KeyId != *key.Arn || out.MacAlgorithm != algorithm || len(out.Mac) != []int{28, 32, 48, 64}[i] {
				t.Fatalf("made %s, %v", asJSON(out), err)
			}
			in := sdk.VerifyMacInput{KeyId: key.KeyId, Message: []byte("message"), MacAlgorithm: algorithm, Mac: out.Mac}
			if v, err := client.VerifyMac(ctx, &in); err != nil || !v.MacValid || *v.KeyId != *key.Arn {
				t.Errorf("verified %s, %v", asJSON(v), err)
			}
			in.DryRun = aws.Bool(true)
			_, err = client.VerifyMac(ctx, &in)
			fails(t, err, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
			in.DryRun, in.Message = nil, []byte("another")
			_, err = client.VerifyMac(ctx, &in)
			fails(t, err, "KMSInvalidMacException", "")
		})
	}
	_, err := client.GenerateMac(ctx, &sdk.GenerateMacInput{KeyId: aws.String("x"), Message: make([]byte, 4097), MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
	fails(t, err, "ValidationException", "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length less than or equal to 4096")
}

func TestSharedSecrets(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	curves := map[types.KeySpec]ecdh.Curve{types.KeySpecEccNistP256: ecdh.P256(), types.KeySpecEccNistP384: ecdh.P384(), types.KeySpecEccNistP521: ecdh.P521()}
	for spec, curve := range curves {
		t.Run(string(spec), func(t *testing.T) {
			key := create(t, client, spec, types.KeyUsageTypeKeyAgreement)
			bob, err := curve.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKIXPublicKey(bob.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			out, err := client.DeriveSharedSecret(ctx, &sdk.DeriveSharedSecretInput{KeyId: key.KeyId, PublicKey: der, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh})
			if err != nil {
				t.Fatal(err)
			}
			alice, err := public(t, client, *key.KeyId).(*ecdsa.PublicKey).ECDH()
			if err != nil {
				t.Fatal(err)
			}
			want, err := bob.ECDH(alice)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.SharedSecret, want) || *out.KeyId != *key.Arn || out.KeyOrigin != types.OriginTypeAwsKms {
				t.Errorf("derived %s, want %x", asJSON(out), want)
			}
			for name, wrong := range map[string][]byte{"no key": []byte("x"), "cut": der[:len(der)-1], "RSA": rsaPublic(t)} {
				_, err = client.DeriveSharedSecret(ctx, &sdk.DeriveSharedSecretInput{KeyId: key.KeyId, PublicKey: wrong, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh})
				t.Run(name, func(t *testing.T) {
					fails(t, err, "ValidationException", fmt.Sprintf("PublicKey is not a valid public key on the curve of the key spec %s.", spec))
				})
			}
		})
	}
}

// rsaPublic is a public key that is on no curve.
func rsaPublic(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestDataKeyPairs(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	key := create(t, client, "", "")
	ec := map[string]string{"for": "pairs"}
	for _, spec := range types.DataKeyPairSpec("").Values() {
		t.Run(string(spec), func(t *testing.T) {
			switch spec {
			case types.DataKeyPairSpecSm2, types.DataKeyPairSpecMlKem512:
				_, err := client.GenerateDataKeyPair(ctx, &sdk.GenerateDataKeyPairInput{KeyId: key.KeyId, KeyPairSpec: spec})
				fails(t, err, "UnsupportedOperationException", "the sandbox does not have …")
				return
			case types.DataKeyPairSpecRsa4096, types.DataKeyPairSpecRsa3072:
				if testing.Short() {
					t.Skip("takes a second")
				}
			}
			out, err := client.GenerateDataKeyPair(ctx, &sdk.GenerateDataKeyPairInput{KeyId: key.KeyId, KeyPairSpec: spec, EncryptionContext: ec})
			if err != nil || *out.KeyId != *key.Arn || out.KeyPairSpec != spec || aws.ToString(out.KeyMaterialId) != *key.CurrentKeyMaterialId {
				t.Fatalf("made %s, %v", asJSON(out), err)
			}
			opened, err := client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: out.PrivateKeyCiphertextBlob, EncryptionContext: ec})
			if err != nil || !bytes.Equal(opened.Plaintext, out.PrivateKeyPlaintext) {
				t.Errorf("opened %s, %v", asJSON(opened), err)
			}
			if strings.HasPrefix(string(spec), "ML_KEM") { // this Go's x509 cannot parse them
				size := map[types.DataKeyPairSpec]int{types.DataKeyPairSpecMlKem768: 1184, types.DataKeyPairSpecMlKem1024: 1568}[spec]
				want, sealed := encapsulateOutside(t, out.PublicKey, size)
				if got := decapsulateOutside(t, out.PrivateKeyPlaintext, sealed); !bytes.Equal(got, want) {
					t.Error("the two halves do not belong together")
				}
				return
			}
			if spec == types.DataKeyPairSpecEccSecgP256k1 {
				private := privateOutside(t, out.PrivateKeyPlaintext)
				if !private.PubKey().IsEqual(publicOutside(t, out.PublicKey)) {
					t.Error("the two halves do not belong together")
				}
				return
			}
			private, err := x509.ParsePKCS8PrivateKey(out.PrivateKeyPlaintext)
			if err != nil {
				t.Fatal(err)
			}
			if der, err := x509.MarshalPKIXPublicKey(private.(crypto.Signer).Public()); err != nil || !bytes.Equal(der, out.PublicKey) {
				t.Errorf("the two halves do not belong together: %v", err)
			}
		})
	}
	out, err := client.GenerateDataKeyPairWithoutPlaintext(ctx, &sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: key.KeyId, KeyPairSpec: types.DataKeyPairSpecEccNistP256})
	if err != nil || len(out.PublicKey) == 0 || len(out.PrivateKeyCiphertextBlob) == 0 {
		t.Errorf("made %s, %v", asJSON(out), err)
	}
	_, _, body := r.post(t, "TrentService.GenerateDataKeyPairWithoutPlaintext", `{"KeyId":"`+*key.KeyId+`","KeyPairSpec":"ECC_NIST_P256"}`)
	if strings.Contains(body, "PrivateKeyPlaintext") {
		t.Errorf("answer %s shows the private key", body)
	}
	_, err = client.GenerateDataKeyPair(ctx, &sdk.GenerateDataKeyPairInput{KeyId: key.KeyId, KeyPairSpec: types.DataKeyPairSpecRsa4096, DryRun: aws.Bool(true)})
	fails(t, err, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

func TestGenerateRandom(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	seen := map[string]bool{}
	for _, n := range []int32{1, 32, 1024} {
		out, err := client.GenerateRandom(ctx, &sdk.GenerateRandomInput{NumberOfBytes: &n})
		if err != nil || len(out.Plaintext) != int(n) || seen[string(out.Plaintext)] {
			t.Errorf("made %s, %v", asJSON(out), err)
		}
		seen[string(out.Plaintext)] = true
	}
	for n, want := range map[int32]string{0: "greater than or equal to 1", 1025: "less than or equal to 1024"} {
		_, err := client.GenerateRandom(ctx, &sdk.GenerateRandomInput{NumberOfBytes: &n})
		fails(t, err, "ValidationException", fmt.Sprintf("1 validation error detected: Value '%d' at 'numberOfBytes' failed to satisfy constraint: Member must have value %s", n, want))
	}
	_, err := client.GenerateRandom(ctx, &sdk.GenerateRandomInput{})
	fails(t, err, "ValidationException", "NumberOfBytes is required.")
	_, err = client.GenerateRandom(ctx, &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1), CustomKeyStoreId: aws.String("cks-1")})
	fails(t, err, "CustomKeyStoreNotFoundException", "Custom key store cks-1 does not exist.")
}

// TestEncapsulation agrees on secrets, with this Go as the other side.
func TestEncapsulation(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	for spec, size := range map[types.KeySpec]int{types.KeySpecMlKem768: 1184, types.KeySpecMlKem1024: 1568} {
		t.Run(string(spec), func(t *testing.T) {
			key := create(t, client, spec, types.KeyUsageTypeEncapsulateDecapsulate)
			pub, err := client.GetPublicKey(ctx, &sdk.GetPublicKeyInput{KeyId: key.KeyId})
			if err != nil {
				t.Fatal(err)
			}
			secret, sealed := encapsulateOutside(t, pub.PublicKey, size)
			out, err := client.Decapsulate(ctx, &sdk.DecapsulateInput{KeyId: key.KeyId, SharedSecretCiphertextBlob: sealed, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem})
			if err != nil || !bytes.Equal(out.SharedSecret, secret) {
				t.Errorf("decapsulated %s, %v", asJSON(out), err)
			}
			inside, err := client.Encapsulate(ctx, &sdk.EncapsulateInput{KeyId: key.KeyId, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem})
			if err != nil || *inside.KeyId != *key.Arn {
				t.Fatalf("encapsulated %s, %v", asJSON(inside), err)
			}
			out, err = client.Decapsulate(ctx, &sdk.DecapsulateInput{KeyId: key.KeyId, SharedSecretCiphertextBlob: inside.SharedSecretCiphertextBlob,
				EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem})
			if err != nil || !bytes.Equal(out.SharedSecret, inside.SharedSecret) || len(out.SharedSecret) != 32 {
				t.Errorf("decapsulated %s, %v", asJSON(out), err)
			}
			changed := slices.Clone(inside.SharedSecretCiphertextBlob)
			changed[0] ^= 1
			out, err = client.Decapsulate(ctx, &sdk.DecapsulateInput{KeyId: key.KeyId, SharedSecretCiphertextBlob: changed, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem})
			if err != nil || bytes.Equal(out.SharedSecret, inside.SharedSecret) {
				t.Errorf("a changed ciphertext: %s, %v", asJSON(out), err)
			}
			_, err = client.Decapsulate(ctx, &sdk.DecapsulateInput{KeyId: key.KeyId, SharedSecretCiphertextBlob: changed[1:], EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem})
			fails(t, err, "InvalidCiphertextException", "")
		})
	}
}

// decapsulateOutside opens a secret with an ML-KEM private key in PKCS #8, which for a seed is always
// this long, with the seed at its end.
func decapsulateOutside(t *testing.T, der, sealed []byte) []byte {
	t.Helper()
	if len(der) != 86 {
		t.Fatalf("a private key of %d bytes: %x", len(der), der)
	}
	var private crypto.Decapsulator
	private, err := mlkem.NewDecapsulationKey768(der[22:])
	if len(sealed) == mlkem.CiphertextSize1024 {
		private, err = mlkem.NewDecapsulationKey1024(der[22:])
	}
	if err != nil {
		t.Fatal(err)
	}
	secret, err := private.Decapsulate(sealed)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// encapsulateOutside encapsulates a secret with an ML-KEM public key in SubjectPublicKeyInfo.
func encapsulateOutside(t *testing.T, der []byte, size int) (secret, sealed []byte) {
	t.Helper()
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 || len(info.PublicKey.Bytes) != size {
		t.Fatalf("public key %x: %v", der, err)
	}
	if size == mlkem.EncapsulationKeySize768 {
		p, err := mlkem.NewEncapsulationKey768(info.PublicKey.Bytes)
		if err != nil || info.Algorithm.Algorithm.String() != "2.16.840.1.101.3.4.4.2" {
			t.Fatalf("public key of %v: %v", info.Algorithm, err)
		}
		return p.Encapsulate()
	}
	p, err := mlkem.NewEncapsulationKey1024(info.PublicKey.Bytes)
	if err != nil || info.Algorithm.Algorithm.String() != "2.16.840.1.101.3.4.4.3" {
		t.Fatalf("public key of %v: %v", info.Algorithm, err)
	}
	return p.Encapsulate()
}

// TestAsymmetricPermissions: conditions on the algorithm, and grants, on keys that are not symmetric.
func TestAsymmetricPermissions(t *testing.T) {
	r := newRig(t)
	reader := r.Directory().Session(iam.GetRecordRole, "x")
	deny := func(condition, algorithm string) m {
		return m{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
			"Condition": m{"StringEquals": m{"kms:" + condition: algorithm}}}
	}
	signer, _ := r.newKey(t, kms.CreateKeyRequest{KeySpec: "RSA_2048", KeyUsage: "SIGN_VERIFY",
		Policy: policy(rootStatement, deny("SigningAlgorithm", "RSASSA_PKCS1_V1_5_SHA_256"))})
	mac, _ := r.newKey(t, kms.CreateKeyRequest{KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC",
		Policy: policy(rootStatement, deny("MacAlgorithm", "HMAC_SHA_256"))})
	sealer, _ := r.newKey(t, kms.CreateKeyRequest{KeySpec: "RSA_2048", KeyUsage: "ENCRYPT_DECRYPT",
		Policy: policy(rootStatement, deny("EncryptionAlgorithm", "RSAES_OAEP_SHA_1"))})
	sign := func(c iam.Caller, algorithm string) error {
		_, err := r.Sign(c, &kms.SignRequest{KeyId: signer, Message: []byte("x"), SigningAlgorithm: algorithm})
		return err
	}
	seal := func(algorithm string) error {
		_, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: sealer, Plaintext: []byte("x"), EncryptionAlgorithm: algorithm})
		return err
	}
	if _, err := r.CreateGrant(r.admin, &kms.CreateGrantRequest{KeyId: signer, GranteePrincipal: reader.Principal, Operations: []string{"Sign"}}); err != nil {
		t.Fatal(err)
	}
	_, macErr := r.GenerateMac(r.admin, &kms.GenerateMacRequest{KeyId: mac, Message: []byte("x"), MacAlgorithm: "HMAC_SHA_256"})
	_, publicErr := r.GetPublicKey(reader, &kms.GetPublicKeyRequest{KeyId: signer})
	_, describeErr := r.DescribeKey(r.admin, &kms.DescribeKeyRequest{KeyId: signer})
	for _, tt := range []struct {
		name string
		err  error
		ok   bool
	}{
		{"another signing algorithm", sign(r.admin, "RSASSA_PSS_SHA_256"), true},
		{"the denied signing algorithm", sign(r.admin, "RSASSA_PKCS1_V1_5_SHA_256"), false},
		{"no signing algorithm", describeErr, true},
		{"by grant", sign(reader, "RSASSA_PSS_SHA_384"), true},
		{"not in the grant", publicErr, false},
		{"the denied MAC algorithm", macErr, false},
		{"another encryption algorithm", seal("RSAES_OAEP_SHA_256"), true},
		{"the denied encryption algorithm", seal("RSAES_OAEP_SHA_1"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.ok && tt.err != nil || !tt.ok && !strings.HasPrefix(refusal(tt.err), "AccessDeniedException: ") {
				t.Errorf("answer %v, allowed should be %v", tt.err, tt.ok)
			}
		})
	}
}

func BenchmarkCryptography(b *testing.B) {
	r := newRig(b)
	message := []byte("a message of usual size, such as a token that is to be signed")
	key := func(spec, usage string) string {
		arn, _ := r.newKey(b, kms.CreateKeyRequest{KeySpec: spec, KeyUsage: usage})
		return arn
	}
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	signRSA := kms.SignRequest{KeyId: key("RSA_2048", "SIGN_VERIFY"), Message: message, SigningAlgorithm: "RSASSA_PSS_SHA_256"}
	run("Sign RSA_2048", func() error { _, err := r.Sign(r.admin, &signRSA); return err })
	signECC := kms.SignRequest{KeyId: key("ECC_NIST_P256", "SIGN_VERIFY"), Message: message, SigningAlgorithm: "ECDSA_SHA_256"}
	run("Sign ECC_NIST_P256", func() error { _, err := r.Sign(r.admin, &signECC); return err })
	mac := kms.GenerateMacRequest{KeyId: key("HMAC_256", "GENERATE_VERIFY_MAC"), Message: message, MacAlgorithm: "HMAC_SHA_256"}
	run("GenerateMac HMAC_256", func() error { _, err := r.GenerateMac(r.admin, &mac); return err })
	seal := kms.EncryptRequest{KeyId: key("RSA_2048", "ENCRYPT_DECRYPT"), Plaintext: message, EncryptionAlgorithm: "RSAES_OAEP_SHA_256"}
	sealed, err := r.Encrypt(r.admin, &seal)
	if err != nil {
		b.Fatal(err)
	}
	open := kms.DecryptRequest{KeyId: seal.KeyId, CiphertextBlob: sealed.CiphertextBlob, EncryptionAlgorithm: "RSAES_OAEP_SHA_256"}
	run("Encrypt RSA_2048", func() error { _, err := r.Encrypt(r.admin, &seal); return err })
	run("Decrypt RSA_2048", func() error { _, err := r.Decrypt(r.admin, &open); return err })
	pair := kms.GenerateDataKeyPairRequest{KeyId: key("", ""), KeyPairSpec: "ECC_NIST_P256"}
	run("GenerateDataKeyPair ECC_NIST_P256", func() error { _, err := r.GenerateDataKeyPair(r.admin, &pair); return err })
}
