package kms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// management is the part of the list about what does not touch ciphertext: tags, descriptions, the
// names of policies, rotation, and retiring grants.
func (c conformance) management(t *testing.T) {
	ctx := t.Context()
	arn, id := c.key(t)
	if _, err := c.client.TagResource(ctx, &sdk.TagResourceInput{KeyId: &id, Tags: tagsOf("a", "1", "b", "2")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.client.UntagResource(ctx, &sdk.UntagResourceInput{KeyId: &arn, TagKeys: []string{"a", "absent"}}); err != nil {
		t.Fatal(err)
	}
	if got := listTags(t, c.client, id); got != "b=2" {
		t.Errorf("tags %q, want b=2", got)
	}
	_, err := c.client.TagResource(ctx, &sdk.TagResourceInput{KeyId: &id, Tags: tagsOf("a", "1", "a", "2")})
	fails(t, err, "TagException", "Duplicate tag keys")
	_, err = c.client.TagResource(ctx, &sdk.TagResourceInput{KeyId: &id, Tags: tagsOf("Aws:a", "1")})
	fails(t, err, "TagException", "Tags beginning with aws: are reserved")
	_, err = c.client.TagResource(ctx, &sdk.TagResourceInput{KeyId: &id, Tags: manyTags(51)})
	fails(t, err, "TagException", "Too many tags")

	if _, err := c.client.UpdateKeyDescription(ctx, &sdk.UpdateKeyDescriptionInput{KeyId: &id, Description: aws.String("changed")}); err != nil {
		t.Fatal(err)
	}
	out, err := c.client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &id})
	if err != nil || *out.KeyMetadata.Description != "changed" {
		t.Errorf("described %s, %v", asJSON(out), err)
	}
	names, err := c.client.ListKeyPolicies(ctx, &sdk.ListKeyPoliciesInput{KeyId: &id})
	if err != nil || len(names.PolicyNames) != 1 || names.PolicyNames[0] != "default" {
		t.Errorf("policies %s, %v", asJSON(names), err)
	}

	if _, err := c.client.EnableKeyRotation(ctx, &sdk.EnableKeyRotationInput{KeyId: &id, RotationPeriodInDays: aws.Int32(90)}); err != nil {
		t.Fatal(err)
	}
	status, err := c.client.GetKeyRotationStatus(ctx, &sdk.GetKeyRotationStatusInput{KeyId: &id})
	if err != nil || !status.KeyRotationEnabled || *status.RotationPeriodInDays != 90 || status.NextRotationDate == nil || *status.KeyId != arn {
		t.Errorf("rotation %s, %v", asJSON(status), err)
	}
	if _, err := c.client.DisableKeyRotation(ctx, &sdk.DisableKeyRotationInput{KeyId: &id}); err != nil {
		t.Fatal(err)
	}
	status, err = c.client.GetKeyRotationStatus(ctx, &sdk.GetKeyRotationStatusInput{KeyId: &id})
	if err != nil || status.KeyRotationEnabled || status.NextRotationDate != nil {
		t.Errorf("rotation %s, %v", asJSON(status), err)
	}
	all, err := c.client.ListKeyRotations(ctx, &sdk.ListKeyRotationsInput{KeyId: &id, IncludeKeyMaterial: types.IncludeKeyMaterialAllKeyMaterial})
	if err != nil || len(all.Rotations) != 1 || all.Rotations[0].KeyMaterialState != types.KeyMaterialStateCurrent ||
		*all.Rotations[0].KeyMaterialId != *out.KeyMetadata.CurrentKeyMaterialId {
		t.Errorf("materials %s, %v", asJSON(all), err)
	}
	if all, err = c.client.ListKeyRotations(ctx, &sdk.ListKeyRotationsInput{KeyId: &id}); err != nil || len(all.Rotations) != 0 {
		t.Errorf("rotations %s, %v", asJSON(all), err)
	}

	root := "arn:aws:iam::" + *out.KeyMetadata.AWSAccountId + ":root"
	grant, err := c.client.CreateGrant(ctx, &sdk.CreateGrantInput{KeyId: &id, GranteePrincipal: &root, RetiringPrincipal: &root,
		Operations: []types.GrantOperation{"Decrypt"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.client.RetireGrant(ctx, &sdk.RetireGrantInput{GrantToken: grant.GrantToken, DryRun: aws.Bool(true)})
	fails(t, err, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
	if _, err := c.client.RetireGrant(ctx, &sdk.RetireGrantInput{GrantToken: grant.GrantToken}); err != nil {
		t.Error(err)
	}
	_, err = c.client.EnableKeyRotation(ctx, &sdk.EnableKeyRotationInput{KeyId: &id, RotationPeriodInDays: aws.Int32(89)})
	fails(t, err, "ValidationException", "1 validation error detected: Value '89' at 'rotationPeriodInDays' failed to satisfy constraint: "+
		"Member must have value greater than or equal to 90")
}
