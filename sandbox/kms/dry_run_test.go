package kms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

// TestDryRun makes a dry run of each of the 17 operations that have it: it says that the request would
// have succeeded, does nothing, and says no to who may not.
func TestDryRun(t *testing.T) {
	r := newRig(t)
	ctx, dry := t.Context(), aws.Bool(true)
	admin := r.client("AKIA")
	_, aes := r.newKey(t, kms.CreateKeyRequest{})
	_, signing := r.newKey(t, kms.CreateKeyRequest{KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY"})
	_, agreeing := r.newKey(t, kms.CreateKeyRequest{KeySpec: "ECC_NIST_P256", KeyUsage: "KEY_AGREEMENT"})
	_, mac := r.newKey(t, kms.CreateKeyRequest{KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC"})
	_, kem := r.newKey(t, kms.CreateKeyRequest{KeySpec: "ML_KEM_768", KeyUsage: "ENCAPSULATE_DECAPSULATE"})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	message := []byte("x")
	sealed, err := admin.Encrypt(ctx, &sdk.EncryptInput{KeyId: &aes, Plaintext: message})
	must(err)
	signed, err := admin.Sign(ctx, &sdk.SignInput{KeyId: &signing, Message: message, SigningAlgorithm: "ECDSA_SHA_256"})
	must(err)
	maced, err := admin.GenerateMac(ctx, &sdk.GenerateMacInput{KeyId: &mac, Message: message, MacAlgorithm: "HMAC_SHA_256"})
	must(err)
	encapsulated, err := admin.Encapsulate(ctx, &sdk.EncapsulateInput{KeyId: &kem, EncapsulationAlgorithm: "ML_KEM"})
	must(err)
	public, err := admin.GetPublicKey(ctx, &sdk.GetPublicKeyInput{KeyId: &agreeing})
	must(err)
	grant := r.grant(t, kms.CreateGrantRequest{KeyId: aes, GranteePrincipal: r.admin.Principal, RetiringPrincipal: r.admin.Principal, Operations: []string{"Decrypt"}})
	ignore := []types.DryRunModifierType{types.DryRunModifierTypeIgnoreCiphertext}

	calls := map[string]func(c *sdk.Client) error{
		"CreateGrant": func(c *sdk.Client) error {
			_, err := c.CreateGrant(ctx, &sdk.CreateGrantInput{KeyId: &aes, GranteePrincipal: &r.admin.Principal, Operations: []types.GrantOperation{"Decrypt"}, DryRun: dry})
			return err
		},
		"Decapsulate": func(c *sdk.Client) error {
			_, err := c.Decapsulate(ctx, &sdk.DecapsulateInput{KeyId: &kem, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: encapsulated.SharedSecretCiphertextBlob, DryRun: dry})
			return err
		},
		"Decrypt": func(c *sdk.Client) error {
			_, err := c.Decrypt(ctx, &sdk.DecryptInput{KeyId: &aes, CiphertextBlob: sealed.CiphertextBlob, DryRun: dry})
			return err
		},
		"Decrypt without ciphertext": func(c *sdk.Client) error {
			_, err := c.Decrypt(ctx, &sdk.DecryptInput{KeyId: &aes, DryRun: dry, DryRunModifiers: ignore})
			return err
		},
		"Decrypt whatever the ciphertext": func(c *sdk.Client) error {
			_, err := c.Decrypt(ctx, &sdk.DecryptInput{KeyId: &aes, CiphertextBlob: message, DryRun: dry, DryRunModifiers: ignore})
			return err
		},
		"DeriveSharedSecret": func(c *sdk.Client) error {
			_, err := c.DeriveSharedSecret(ctx, &sdk.DeriveSharedSecretInput{KeyId: &agreeing, KeyAgreementAlgorithm: "ECDH", PublicKey: public.PublicKey, DryRun: dry})
			return err
		},
		"Encapsulate": func(c *sdk.Client) error {
			_, err := c.Encapsulate(ctx, &sdk.EncapsulateInput{KeyId: &kem, EncapsulationAlgorithm: "ML_KEM", DryRun: dry})
			return err
		},
		"Encrypt": func(c *sdk.Client) error {
			_, err := c.Encrypt(ctx, &sdk.EncryptInput{KeyId: &aes, Plaintext: message, DryRun: dry})
			return err
		},
		"GenerateDataKey": func(c *sdk.Client) error {
			_, err := c.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: &aes, KeySpec: "AES_256", DryRun: dry})
			return err
		},
		"GenerateDataKeyPair": func(c *sdk.Client) error {
			_, err := c.GenerateDataKeyPair(ctx, &sdk.GenerateDataKeyPairInput{KeyId: &aes, KeyPairSpec: "ECC_NIST_P256", DryRun: dry})
			return err
		},
		"GenerateDataKeyPairWithoutPlaintext": func(c *sdk.Client) error {
			_, err := c.GenerateDataKeyPairWithoutPlaintext(ctx, &sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &aes, KeyPairSpec: "ECC_NIST_P256", DryRun: dry})
			return err
		},
		"GenerateDataKeyWithoutPlaintext": func(c *sdk.Client) error {
			_, err := c.GenerateDataKeyWithoutPlaintext(ctx, &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &aes, KeySpec: "AES_256", DryRun: dry})
			return err
		},
		"GenerateMac": func(c *sdk.Client) error {
			_, err := c.GenerateMac(ctx, &sdk.GenerateMacInput{KeyId: &mac, Message: message, MacAlgorithm: "HMAC_SHA_256", DryRun: dry})
			return err
		},
		"ReEncrypt": func(c *sdk.Client) error {
			_, err := c.ReEncrypt(ctx, &sdk.ReEncryptInput{SourceKeyId: &aes, CiphertextBlob: sealed.CiphertextBlob, DestinationKeyId: &aes, DryRun: dry})
			return err
		},
		"ReEncrypt without ciphertext": func(c *sdk.Client) error {
			_, err := c.ReEncrypt(ctx, &sdk.ReEncryptInput{SourceKeyId: &aes, DestinationKeyId: &aes, DryRun: dry, DryRunModifiers: ignore})
			return err
		},
		"RetireGrant": func(c *sdk.Client) error {
			_, err := c.RetireGrant(ctx, &sdk.RetireGrantInput{KeyId: &aes, GrantId: &grant.GrantId, DryRun: dry})
			return err
		},
		"RevokeGrant": func(c *sdk.Client) error {
			_, err := c.RevokeGrant(ctx, &sdk.RevokeGrantInput{KeyId: &aes, GrantId: &grant.GrantId, DryRun: dry})
			return err
		},
		"Sign": func(c *sdk.Client) error {
			_, err := c.Sign(ctx, &sdk.SignInput{KeyId: &signing, Message: message, SigningAlgorithm: "ECDSA_SHA_256", DryRun: dry})
			return err
		},
		"Verify": func(c *sdk.Client) error {
			_, err := c.Verify(ctx, &sdk.VerifyInput{KeyId: &signing, Message: message, Signature: signed.Signature, SigningAlgorithm: "ECDSA_SHA_256", DryRun: dry})
			return err
		},
		"VerifyMac": func(c *sdk.Client) error {
			_, err := c.VerifyMac(ctx, &sdk.VerifyMacInput{KeyId: &mac, Message: message, Mac: maced.Mac, MacAlgorithm: "HMAC_SHA_256", DryRun: dry})
			return err
		},
	}
	before := string(r.Dump())
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			fails(t, call(admin), "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
			fails(t, call(r.client(iam.NoKMSKey)), "AccessDeniedException", "User: arn:aws:sts::…")
		})
	}
	if string(r.Dump()) != before {
		t.Error("a dry run changed something")
	}
	_, err = admin.Decrypt(ctx, &sdk.DecryptInput{KeyId: &aes, DryRunModifiers: ignore})
	fails(t, err, "ValidationException", "DryRunModifiers can only be specified when DryRun is true.")
	_, err = admin.Decrypt(ctx, &sdk.DecryptInput{DryRun: dry, DryRunModifiers: ignore})
	fails(t, err, "ValidationException", "A key must be specified when the ciphertext is ignored.")
	_, err = admin.Decrypt(ctx, &sdk.DecryptInput{KeyId: &aes, CiphertextBlob: message, DryRun: dry, DryRunModifiers: []types.DryRunModifierType{"NOTHING"}})
	fails(t, err, "ValidationException", "1 validation error detected: Value '[NOTHING]' at 'dryRunModifiers' failed to satisfy constraint: "+
		"Member must satisfy constraint: [Member must satisfy enum value set: [IGNORE_CIPHERTEXT]]")
}
