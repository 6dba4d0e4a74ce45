package kms_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

// code is the code of an error of the service, or "" for none.
func code(err error) string {
	var e *kms.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return refusal(err)
}

// TestManagedKeys is the column "AWS managed" of the comparison: everybody in the account can see the
// key, nobody can change it, and it is used through its service alone.
func TestManagedKeys(t *testing.T) {
	r := newRig(t)
	client, ctx := r.client("AKIA"), t.Context()
	const alias = "alias/aws/s3"
	via := r.Directory().Session(iam.NoKMSRole, "s")
	via.Via = "s3." + region + ".amazonaws.com"
	listed := func() *types.AliasListEntry {
		t.Helper()
		out, err := client.ListAliases(ctx, &sdk.ListAliasesInput{})
		if err != nil {
			t.Fatal(err)
		}
		var found *types.AliasListEntry
		for _, a := range out.Aliases {
			if *a.AliasName == alias {
				if found != nil {
					t.Error("the alias is listed twice")
				}
				found = &a
			}
		}
		return found
	}
	if a := listed(); a == nil || a.TargetKeyId != nil {
		t.Errorf("before its first use the alias is %s", asJSON(a))
	}
	_, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: aws.String(alias), Plaintext: []byte("x")})
	fails(t, err, "NotFoundException", "Alias arn:aws:kms:eu-west-2:123456789012:alias/aws/s3 is not found.")
	if out, err := r.ListKeys(r.admin, nil); err != nil || len(out.Keys) != 0 {
		t.Errorf("%+v, %v, want no key yet", out, err)
	}
	if _, err := r.DescribeKey(r.Directory().Session(iam.NoKMSRole, "s"), &kms.DescribeKeyRequest{KeyId: alias}); code(err) != "NotFoundException" {
		t.Errorf("somebody without permission made a key: %v", err)
	}

	made, err := r.GenerateDataKey(via, &kms.GenerateDataKeyRequest{KeyId: alias, KeySpec: "AES_256"})
	if err != nil {
		t.Fatal(err)
	}
	described, err := client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: aws.String(alias)})
	if err != nil {
		t.Fatal(err)
	}
	m := described.KeyMetadata
	if m.KeyManager != types.KeyManagerTypeAws || *m.Arn != made.KeyId || m.KeyState != types.KeyStateEnabled ||
		*m.Description != "Default key that protects my S3 objects when no other key is defined" {
		t.Errorf("described as %s", asJSON(m))
	}
	id := m.KeyId
	if a := listed(); a == nil || aws.ToString(a.TargetKeyId) != *id {
		t.Errorf("listed as %s", asJSON(a))
	}
	if keys, err := client.ListKeys(ctx, &sdk.ListKeysInput{}); err != nil || len(keys.Keys) != 1 || *keys.Keys[0].KeyId != *id {
		t.Errorf("keys %s, %v", asJSON(keys), err)
	}
	policy, err := client.GetKeyPolicy(ctx, &sdk.GetKeyPolicyInput{KeyId: id})
	if err != nil || !strings.Contains(*policy.Policy, `"kms:ViaService" : "s3.eu-west-2.amazonaws.com"`) {
		t.Errorf("policy %s, %v", asJSON(policy), err)
	}
	status, err := client.GetKeyRotationStatus(ctx, &sdk.GetKeyRotationStatusInput{KeyId: id})
	if err != nil || !status.KeyRotationEnabled || *status.RotationPeriodInDays != 365 {
		t.Errorf("rotation %s, %v", asJSON(status), err)
	}
	if tags, err := client.ListResourceTags(ctx, &sdk.ListResourceTagsInput{KeyId: id}); err != nil || len(tags.Tags) != 0 {
		t.Errorf("tags %s, %v", asJSON(tags), err)
	}

	tests := []struct {
		action string
		do     func() error
	}{
		{"DisableKey", func() error { _, err := client.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: id}); return err }},
		{"ScheduleKeyDeletion", func() error {
			_, err := client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: id})
			return err
		}},
		{"PutKeyPolicy", func() error {
			_, err := client.PutKeyPolicy(ctx, &sdk.PutKeyPolicyInput{KeyId: id, Policy: policy.Policy})
			return err
		}},
		{"EnableKeyRotation", func() error {
			_, err := client.EnableKeyRotation(ctx, &sdk.EnableKeyRotationInput{KeyId: id})
			return err
		}},
		{"DisableKeyRotation", func() error {
			_, err := client.DisableKeyRotation(ctx, &sdk.DisableKeyRotationInput{KeyId: id})
			return err
		}},
		{"RotateKeyOnDemand", func() error {
			_, err := client.RotateKeyOnDemand(ctx, &sdk.RotateKeyOnDemandInput{KeyId: id})
			return err
		}},
		{"TagResource", func() error {
			_, err := client.TagResource(ctx, &sdk.TagResourceInput{KeyId: id, Tags: tagsOf("a", "b")})
			return err
		}},
		{"UpdateKeyDescription", func() error {
			_, err := client.UpdateKeyDescription(ctx, &sdk.UpdateKeyDescriptionInput{KeyId: id, Description: aws.String("mine")})
			return err
		}},
		{"Encrypt", func() error {
			_, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: id, Plaintext: []byte("x")})
			return err
		}},
		{"CreateAlias", func() error {
			_, err := client.CreateAlias(ctx, &sdk.CreateAliasInput{AliasName: aws.String("alias/mine"), TargetKeyId: id})
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.action, func(t *testing.T) {
			fails(t, tt.do(), "AccessDeniedException", "User: arn:aws:iam::123456789012:user/admin is not authorized to perform: kms:"+tt.action+
				" on resource: "+*m.Arn+" because no resource-based policy allows the kms:"+tt.action+" action")
		})
	}
	_, err = client.DeleteAlias(ctx, &sdk.DeleteAliasInput{AliasName: aws.String(alias)})
	fails(t, err, "NotAuthorizedException", "UnknownError") // the SDK's word for no message
	elsewhere := via
	elsewhere.Via = "rds." + region + ".amazonaws.com"
	if _, err := r.Decrypt(elsewhere, &kms.DecryptRequest{CiphertextBlob: made.CiphertextBlob}); code(err) != "AccessDeniedException" {
		t.Errorf("through another service: %v", err)
	}

	first := *m.CurrentKeyMaterialId
	r.clock.Advance(366 * day)
	if r.material(t, client, *id) == first {
		t.Error("not rotated after a year")
	}
	if opened, err := r.Decrypt(via, &kms.DecryptRequest{CiphertextBlob: made.CiphertextBlob}); err != nil || string(opened.Plaintext) != string(made.Plaintext) {
		t.Errorf("after the rotation: %v", err)
	}
	if _, err := client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: aws.String("alias/aws/rds")}); err != nil {
		t.Errorf("DescribeKey does not make a key: %v", err)
	}
	_, err = client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: aws.String("alias/aws/coffee")})
	fails(t, err, "NotFoundException", "Alias arn:aws:kms:eu-west-2:123456789012:alias/aws/coffee is not found.")
}

func TestLastUsage(t *testing.T) {
	r := newRig(t)
	client, ctx := r.client("AKIA"), t.Context()
	arn, id := r.newKey(t, kms.CreateKeyRequest{})
	_, other := r.newKey(t, kms.CreateKeyRequest{})
	usage := func(key string) *sdk.GetKeyLastUsageOutput {
		t.Helper()
		out, err := client.GetKeyLastUsage(ctx, &sdk.GetKeyLastUsageInput{KeyId: &key})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	u := usage(id)
	if *u.KeyId != arn || u.KeyLastUsage == nil || u.KeyLastUsage.Operation != "" || u.KeyLastUsage.Timestamp != nil ||
		!u.TrackingStartDate.Equal(*u.KeyCreationDate) {
		t.Errorf("a key that was not used: %s", asJSON(u))
	}
	sealed, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: &id, Plaintext: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(day)
	last := usage(id).KeyLastUsage
	if last.Operation != types.KeyLastUsageTrackingOperationEncrypt || r.clock.Now().Sub(*last.Timestamp) < day ||
		*last.CloudTrailEventId != kms.EventID(*last.KmsRequestId) {
		t.Errorf("encrypted: %s", asJSON(last))
	}
	// What does not succeed, or is no use of the key, does not count.
	client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: map[string]string{"a": "b"}})
	client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, DryRun: aws.Bool(true)})
	client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &id})
	if got := usage(id).KeyLastUsage; *got.KmsRequestId != *last.KmsRequestId {
		t.Errorf("still encrypted: %s", asJSON(got))
	}
	if _, err := client.ReEncrypt(ctx, &sdk.ReEncryptInput{CiphertextBlob: sealed.CiphertextBlob, DestinationKeyId: &other}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{id, other} {
		if got := usage(key).KeyLastUsage; got.Operation != types.KeyLastUsageTrackingOperationReEncrypt {
			t.Errorf("%s: %s, want ReEncrypt", key, asJSON(got))
		}
	}
}

// TestOwnedKeys is the column "AWS owned" of the comparison: for the account, there is no such key.
func TestOwnedKeys(t *testing.T) {
	r := newRig(t)
	client, ctx := r.client("AKIA"), t.Context()
	qldb := iam.Caller{Service: "qldb.amazonaws.com"}
	arn := r.OwnedKey("qldb.amazonaws.com")
	if again := r.OwnedKey("qldb.eu-west-2.amazonaws.com"); again != arn {
		t.Errorf("asked again: %s, want %s", again, arn)
	}
	made, err := r.GenerateDataKey(qldb, &kms.GenerateDataKeyRequest{KeyId: arn, KeySpec: "AES_256"})
	if err != nil || made.KeyId != arn {
		t.Fatalf("its service: %+v, %v", made, err)
	}
	for _, keyID := range []string{"", arn} {
		if opened, err := r.Decrypt(qldb, &kms.DecryptRequest{CiphertextBlob: made.CiphertextBlob, KeyId: keyID}); err != nil || string(opened.Plaintext) != string(made.Plaintext) {
			t.Errorf("its service, by %q: %v", keyID, err)
		}
	}
	_, err = client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &arn})
	fails(t, err, "AccessDeniedException", "User: arn:aws:iam::123456789012:user/admin is not authorized to perform: kms:DescribeKey on this resource because…")
	_, err = client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: made.CiphertextBlob})
	fails(t, err, "AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
	id := arn[strings.LastIndex(arn, "/")+1:]
	_, err = client.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &id})
	fails(t, err, "NotFoundException", "Key 'arn:aws:kms:eu-west-2:123456789012:key/"+id+"' does not exist")
	if _, err := r.Encrypt(iam.Caller{Service: "s3.amazonaws.com"}, &kms.EncryptRequest{KeyId: arn, Plaintext: []byte("x")}); code(err) != "AccessDeniedException" {
		t.Errorf("another service: %v", err)
	}
	if keys, err := client.ListKeys(ctx, &sdk.ListKeysInput{}); err != nil || len(keys.Keys) != 0 {
		t.Errorf("keys %s, %v", asJSON(keys), err)
	}
	if strings.Contains(string(r.Dump()), id) {
		t.Error("it is in the dump")
	}
	r.SetQuotas(kms.Quotas{kms.SymmetricQuota: 1})
	for range 3 {
		if _, err := r.Decrypt(qldb, &kms.DecryptRequest{CiphertextBlob: made.CiphertextBlob}); err != nil {
			t.Errorf("it counts against a quota: %v", err)
		}
	}
}
