package kms

import (
	"slices"
	"strings"
)

// A kind is what a KeySpec stands for: what its keys may be used for, and with which algorithms.
type kind struct {
	usages                         []string
	encryption, signing, agreement []string
	macs                           []string
	encapsulation                  []string
	lacking                        string // why the sandbox has no such keys, or ""
}

// The usages of keys.
const (
	encryptDecrypt         = "ENCRYPT_DECRYPT"
	signVerify             = "SIGN_VERIFY"
	generateVerifyMac      = "GENERATE_VERIFY_MAC"
	keyAgreement           = "KEY_AGREEMENT"
	encapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE"
)

// kinds are all KeySpecs of the API model.
var kinds = func() map[string]kind {
	rsa := kind{
		usages:     []string{encryptDecrypt, signVerify},
		encryption: []string{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"},
		signing: []string{"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
			"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512"},
	}
	curve := func(signing string) kind {
		return kind{usages: []string{signVerify, keyAgreement}, signing: []string{signing}, agreement: []string{"ECDH"}}
	}
	hmac := func(mac string) kind { return kind{usages: []string{generateVerifyMac}, macs: []string{mac}} }
	kem := kind{usages: []string{encapsulateDecapsulate}, encapsulation: []string{"ML_KEM"}}
	without := func(what string, usages ...string) kind {
		return kind{usages: usages, lacking: "Go's standard library does not have " + what}
	}
	return map[string]kind{
		symmetric:               {usages: []string{encryptDecrypt}, encryption: []string{symmetric}},
		"RSA_2048":              rsa,
		"RSA_3072":              rsa,
		"RSA_4096":              rsa,
		"ECC_NIST_P256":         curve("ECDSA_SHA_256"),
		"ECC_NIST_P384":         curve("ECDSA_SHA_384"),
		"ECC_NIST_P521":         curve("ECDSA_SHA_512"),
		"ECC_NIST_EDWARDS25519": {usages: []string{signVerify}, signing: []string{"ED25519_SHA_512", "ED25519_PH_SHA_512"}},
		koblitz:                 {usages: []string{signVerify}, signing: []string{"ECDSA_SHA_256"}},
		"HMAC_224":              hmac("HMAC_SHA_224"),
		"HMAC_256":              hmac("HMAC_SHA_256"),
		"HMAC_384":              hmac("HMAC_SHA_384"),
		"HMAC_512":              hmac("HMAC_SHA_512"),
		"ML_KEM_768":            kem,
		"ML_KEM_1024":           kem,
		"ML_KEM_512":            without("ML-KEM-512", encapsulateDecapsulate),
		"SM2":                   without("SM2", encryptDecrypt, signVerify, keyAgreement),
		"ML_DSA_44":             without("ML-DSA", signVerify),
		"ML_DSA_65":             without("ML-DSA", signVerify),
		"ML_DSA_87":             without("ML-DSA", signVerify),
	}
}()

// errLacking refuses a KeySpec that AWS has and Go's cryptography has not.
func errLacking(spec string) *Error {
	return refuse("UnsupportedOperationException", "the sandbox does not have keys with KeySpec %s: %s", spec, kinds[spec].lacking)
}

// asymmetric reports whether a KeySpec has a public and a private half.
func asymmetric(spec string) bool { return spec != symmetric && !strings.HasPrefix(spec, "HMAC_") }

// algorithms returns those of a kind that suit a usage, for KeyMetadata and GetPublicKey.
func (k kind) algorithms(usage string) (encryption, signing, macs, agreement []string) {
	switch usage {
	case encryptDecrypt:
		encryption = k.encryption
	case signVerify:
		signing = k.signing
	case generateVerifyMac:
		macs = k.macs
	case keyAgreement:
		agreement = k.agreement
	}
	return slices.Clone(encryption), slices.Clone(signing), slices.Clone(macs), slices.Clone(agreement)
}

// grantable returns the operations that a grant on a key of this spec and usage can allow.
func grantable(spec, usage string) []string {
	operations := []string{"CreateGrant", "RetireGrant", "DescribeKey"}
	if asymmetric(spec) {
		operations = append(operations, "GetPublicKey")
	}
	switch usage {
	case encryptDecrypt:
		operations = append(operations, "Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo")
		if spec == symmetric {
			operations = append(operations, "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
				"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
		}
	case signVerify:
		operations = append(operations, "Sign", "Verify")
	case generateVerifyMac:
		operations = append(operations, "GenerateMac", "VerifyMac")
	case keyAgreement:
		operations = append(operations, "DeriveSharedSecret")
	case encapsulateDecapsulate:
		operations = append(operations, "Encapsulate", "Decapsulate")
	}
	return operations
}

// demandUsage refuses an operation that the key is not made for.
func (u use) demandUsage(operation, usage string) *Error {
	if u.usage == usage {
		return nil
	}
	return refuse("InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", u.arn, u.usage, operation)
}

// demandAlgorithm refuses an algorithm that the key does not have.
func demandAlgorithm(algorithm, spec string, have []string) *Error {
	if slices.Contains(have, algorithm) {
		return nil
	}
	return refuse("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", algorithm, spec)
}
