package kms_test

import (
	"os"
	"strings"
	"testing"

	"loadkms/sandbox/kms"
)

// TestAWSCLIManagement drives tags, rotation, descriptions, policies and grants with the AWS CLI. It
// is too old for RotateKeyOnDemand and ListKeyRotations.
func TestAWSCLIManagement(t *testing.T) {
	if testing.Short() {
		t.Skip("each command takes half a second")
	}
	if _, err := os.Stat(debianCLI); err != nil {
		t.Skip("there is no AWS CLI here")
	}
	t.Run("tags and description", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		_, id := r.newKey(t, kms.CreateKeyRequest{})
		r.must(t, nil, "tag-resource", "--key-id", id, "--tags", "TagKey=a,TagValue=b", "TagKey=c,TagValue=d")
		r.must(t, nil, "untag-resource", "--key-id", id, "--tag-keys", "a")
		var tags struct {
			Tags      []kms.Tag
			Truncated bool
		}
		r.must(t, &tags, "list-resource-tags", "--key-id", id)
		if len(tags.Tags) != 1 || tags.Tags[0] != (kms.Tag{TagKey: "c", TagValue: "d"}) || tags.Truncated {
			t.Errorf("tags %+v", tags)
		}
		_, errs, ok := r.cli(t, "AKIA", "tag-resource", "--key-id", id, "--tags", "TagKey=aws:x,TagValue=b")
		if want := "An error occurred (TagException) when calling the TagResource operation: Tags beginning with aws: are reserved"; ok || !strings.Contains(errs, want) {
			t.Errorf("printed %q, want %q", errs, want)
		}
		r.must(t, nil, "update-key-description", "--key-id", id, "--description", "for the ledger")
		var key struct{ KeyMetadata struct{ Description string } }
		r.must(t, &key, "describe-key", "--key-id", id)
		if key.KeyMetadata.Description != "for the ledger" {
			t.Errorf("key %+v", key)
		}
		var names struct{ PolicyNames []string }
		r.must(t, &names, "list-key-policies", "--key-id", id)
		if len(names.PolicyNames) != 1 || names.PolicyNames[0] != "default" {
			t.Errorf("policies %+v", names)
		}
	})
	t.Run("rotation", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		_, id := r.newKey(t, kms.CreateKeyRequest{})
		var status struct{ KeyRotationEnabled bool }
		r.must(t, nil, "enable-key-rotation", "--key-id", id)
		r.must(t, &status, "get-key-rotation-status", "--key-id", id)
		if !status.KeyRotationEnabled {
			t.Errorf("status %+v", status)
		}
		r.must(t, nil, "disable-key-rotation", "--key-id", id)
		r.must(t, &status, "get-key-rotation-status", "--key-id", id)
		if status.KeyRotationEnabled {
			t.Errorf("status %+v", status)
		}
	})
	t.Run("grants", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		arn, id := r.newKey(t, kms.CreateKeyRequest{})
		var made, second struct{ GrantId, GrantToken string }
		for _, g := range []any{&made, &second} {
			r.must(t, g, "create-grant", "--key-id", id, "--grantee-principal", r.admin.Principal, "--retiring-principal", r.admin.Principal, "--operations", "Decrypt", "Encrypt")
		}
		var listed struct {
			Grants []struct{ KeyId, GrantId, GranteePrincipal string }
		}
		r.must(t, &listed, "list-retirable-grants", "--retiring-principal", r.admin.Principal)
		if len(listed.Grants) != 2 || listed.Grants[0].KeyId != arn {
			t.Errorf("listed %+v", listed)
		}
		r.must(t, nil, "retire-grant", "--grant-token", made.GrantToken)
		r.must(t, nil, "retire-grant", "--key-id", arn, "--grant-id", second.GrantId)
		r.must(t, &listed, "list-grants", "--key-id", id)
		if len(listed.Grants) != 0 {
			t.Errorf("left %+v", listed)
		}
	})
}
