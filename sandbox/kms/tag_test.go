package kms_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

// tagsOf makes n tags from pairs of key and value.
func tagsOf(pairs ...string) []types.Tag {
	var all []types.Tag
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, types.Tag{TagKey: &pairs[i], TagValue: &pairs[i+1]})
	}
	return all
}

func manyTags(n int) []types.Tag {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("k%02d", i), "v")
	}
	return tagsOf(pairs...)
}

func listTags(t testing.TB, client *sdk.Client, key string) string {
	t.Helper()
	var all []string
	for p := sdk.NewListResourceTagsPaginator(client, &sdk.ListResourceTagsInput{KeyId: &key, Limit: aws.Int32(2)}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Tags) > 2 {
			t.Fatalf("%d tags on a page of two", len(page.Tags))
		}
		for _, tag := range page.Tags {
			all = append(all, *tag.TagKey+"="+*tag.TagValue)
		}
	}
	return strings.Join(all, " ")
}

func TestTags(t *testing.T) {
	r := newRig(t)
	client, ctx := r.client("AKIA"), t.Context()
	made, err := client.CreateKey(ctx, &sdk.CreateKeyInput{Tags: tagsOf("b", "1", "a", "")})
	if err != nil {
		t.Fatal(err)
	}
	id, arn := *made.KeyMetadata.KeyId, *made.KeyMetadata.Arn
	steps := []struct {
		name string
		do   func() error
		want string
	}{
		{"as created", func() error { return nil }, "a= b=1"},
		{"added and changed", func() error {
			_, err := client.TagResource(ctx, &sdk.TagResourceInput{KeyId: &arn, Tags: tagsOf("c", "3", "b", "2", "B", "other")})
			return err
		}, "B=other a= b=2 c=3"},
		{"taken away, one that is not there among them", func() error {
			_, err := client.UntagResource(ctx, &sdk.UntagResourceInput{KeyId: &id, TagKeys: []string{"a", "B", "x"}})
			return err
		}, "b=2 c=3"},
		{"none of them", func() error {
			_, err := client.TagResource(ctx, &sdk.TagResourceInput{KeyId: &id, Tags: []types.Tag{}})
			return err
		}, "b=2 c=3"},
		{"all gone", func() error {
			_, err := client.UntagResource(ctx, &sdk.UntagResourceInput{KeyId: &id, TagKeys: []string{"b", "c"}})
			return err
		}, ""},
		{"fifty", func() error {
			_, err := client.TagResource(ctx, &sdk.TagResourceInput{KeyId: &id, Tags: manyTags(50)})
			return err
		}, func() string {
			var all []string
			for _, tag := range manyTags(50) {
				all = append(all, *tag.TagKey+"=v")
			}
			return strings.Join(all, " ")
		}()},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if got := listTags(t, client, id); got != s.want {
			t.Errorf("%s: %q, want %q", s.name, got, s.want)
		}
	}
	_, err = client.TagResource(ctx, &sdk.TagResourceInput{KeyId: &id, Tags: tagsOf("one more", "")})
	fails(t, err, "TagException", "Too many tags")
	if _, err := client.TagResource(ctx, &sdk.TagResourceInput{KeyId: &id, Tags: tagsOf("k00", "w")}); err != nil {
		t.Errorf("changing one of fifty: %v", err)
	}
}

// TestTagTexts is what CreateKey and TagResource say of tags that no key may have.
func TestTagTexts(t *testing.T) {
	r := newRig(t)
	client, ctx := r.client("AKIA"), t.Context()
	_, id := r.newKey(t, kms.CreateKeyRequest{})
	const failed = "failed to satisfy constraint: Member must have length"
	long := strings.Repeat("x", 257)
	tests := []struct {
		name          string
		tags          []types.Tag
		code, message string
	}{
		{"duplicate", tagsOf("a", "1", "a", "2"), "TagException", "Duplicate tag keys"},
		{"too many", manyTags(51), "TagException", "Too many tags"},
		{"reserved", tagsOf("aws:x", ""), "TagException", "Tags beginning with aws: are reserved"},
		{"reserved in capitals", tagsOf("AWS:x", ""), "TagException", "Tags beginning with aws: are reserved"},
		{"long value", tagsOf("a", long), "ValidationException", "1 validation error detected: Value '" + long + "' at 'tags.1.member.tagValue' " + failed + " less than or equal to 256"},
		{"long key, second", tagsOf("a", "", long[:129], ""), "ValidationException",
			"1 validation error detected: Value '" + long[:129] + "' at 'tags.2.member.tagKey' " + failed + " less than or equal to 128"},
		{"no key", tagsOf("", ""), "ValidationException", "1 validation error detected: Value '' at 'tags.1.member.tagKey' " + failed + " greater than or equal to 1"},
		{"two mistakes", tagsOf("", long), "ValidationException", "2 validation errors detected: Value '' at 'tags.1.member.tagKey' " + failed +
			" greater than or equal to 1; Value '" + long + "' at 'tags.1.member.tagValue' " + failed + " less than or equal to 256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := client.CreateKey(ctx, &sdk.CreateKeyInput{Tags: tt.tags})
			fails(t, err, tt.code, tt.message)
			_, err = client.TagResource(ctx, &sdk.TagResourceInput{KeyId: &id, Tags: tt.tags})
			fails(t, err, tt.code, tt.message)
		})
	}
	_, err := client.UntagResource(ctx, &sdk.UntagResourceInput{KeyId: &id, TagKeys: []string{"aws:cloudformation:stack-id"}})
	fails(t, err, "TagException", "Tags beginning with aws: are reserved")
}

// TestTagConditions is access by attributes: what a caller may do depends on the key's tags, and on
// those in the request.
func TestTagConditions(t *testing.T) {
	r := newRig(t)
	const user = "arn:aws:iam::123456789012:user/dev"
	policy := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["kms:CreateKey","kms:TagResource"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"blue"},"ForAllValues:StringEquals":{"aws:TagKeys":["team","cost"]}}},
		{"Effect":"Allow","Action":["kms:DisableKey","kms:DescribeKey"],"Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"blue"}}}]}`
	if err := r.Directory().Add(user, policy); err != nil {
		t.Fatal(err)
	}
	dev := iam.Caller{Principal: user, Account: account}
	const denied = "AccessDeniedException"
	_, blue := r.newKey(t, kms.CreateKeyRequest{Tags: []kms.Tag{{TagKey: "team", TagValue: "blue"}}})
	_, red := r.newKey(t, kms.CreateKeyRequest{Tags: []kms.Tag{{TagKey: "team", TagValue: "red"}}})
	tests := []struct {
		name string
		do   func() error
		want string
	}{
		{"a key of the team", func() error { return r.DisableKey(dev, &kms.DisableKeyRequest{KeyId: blue}) }, ""},
		{"a key of another team", func() error { return r.DisableKey(dev, &kms.DisableKeyRequest{KeyId: red}) }, denied},
		{"create for the team", func() error {
			_, err := r.CreateKey(dev, &kms.CreateKeyRequest{Tags: []kms.Tag{{TagKey: "team", TagValue: "blue"}, {TagKey: "cost", TagValue: "1"}},
				BypassPolicyLockoutSafetyCheck: true})
			return err
		}, ""},
		{"create for another team", func() error {
			_, err := r.CreateKey(dev, &kms.CreateKeyRequest{Tags: []kms.Tag{{TagKey: "team", TagValue: "red"}}})
			return err
		}, denied},
		{"create without tags", func() error { _, err := r.CreateKey(dev, nil); return err }, denied},
		{"with a tag too many", func() error {
			return r.TagResource(dev, &kms.TagResourceRequest{KeyId: red, Tags: []kms.Tag{{TagKey: "team", TagValue: "blue"}, {TagKey: "x", TagValue: ""}}})
		}, denied},
		{"take a key over", func() error {
			return r.TagResource(dev, &kms.TagResourceRequest{KeyId: red, Tags: []kms.Tag{{TagKey: "team", TagValue: "blue"}}})
		}, ""},
		{"and then it is theirs", func() error { return r.DisableKey(dev, &kms.DisableKeyRequest{KeyId: red}) }, ""},
	}
	for _, tt := range tests {
		if got := refusal(tt.do()); (got == "") != (tt.want == "") || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestDescription(t *testing.T) {
	r := newRig(t)
	client, ctx := r.client("AKIA"), t.Context()
	arn, id := r.newKey(t, kms.CreateKeyRequest{Description: "one"})
	for _, want := range []string{"two", strings.Repeat("é", 8192), ""} {
		if _, err := client.UpdateKeyDescription(ctx, &sdk.UpdateKeyDescriptionInput{KeyId: &id, Description: &want}); err != nil {
			t.Fatal(err)
		}
		out, err := client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &arn})
		if err != nil || *out.KeyMetadata.Description != want {
			t.Errorf("described as %q, %v, want %q", *out.KeyMetadata.Description, err, want)
		}
	}
	long := strings.Repeat("x", 8193)
	_, err := client.UpdateKeyDescription(ctx, &sdk.UpdateKeyDescriptionInput{KeyId: &id, Description: &long})
	fails(t, err, "ValidationException", "1 validation error detected: Value '"+long+"' at 'description' failed to satisfy constraint: "+
		"Member must have length less than or equal to 8192")
	names, err := client.ListKeyPolicies(ctx, &sdk.ListKeyPoliciesInput{KeyId: &id})
	if err != nil || len(names.PolicyNames) != 1 || names.PolicyNames[0] != "default" || names.Truncated {
		t.Errorf("policies %s, %v", asJSON(names), err)
	}
}

// TestStatesOfManagement is the key state table for tags, descriptions and the names of policies.
func TestStatesOfManagement(t *testing.T) {
	r := newRig(t)
	enabled, _ := r.newKey(t, kms.CreateKeyRequest{})
	disabled, _ := r.newKey(t, kms.CreateKeyRequest{})
	pending, _ := r.newKey(t, kms.CreateKeyRequest{})
	external, _ := r.newKey(t, kms.CreateKeyRequest{Origin: "EXTERNAL"})
	if err := r.DisableKey(r.admin, &kms.DisableKeyRequest{KeyId: disabled}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ScheduleKeyDeletion(r.admin, &kms.ScheduleKeyDeletionRequest{KeyId: pending}); err != nil {
		t.Fatal(err)
	}
	calls := []struct {
		op  string
		any bool // works in every state
		do  func(arn string) error
	}{
		{"TagResource", false, func(arn string) error {
			return r.TagResource(r.admin, &kms.TagResourceRequest{KeyId: arn, Tags: []kms.Tag{}})
		}},
		{"UntagResource", false, func(arn string) error {
			return r.UntagResource(r.admin, &kms.UntagResourceRequest{KeyId: arn, TagKeys: []string{"x"}})
		}},
		{"UpdateKeyDescription", false, func(arn string) error {
			return r.UpdateKeyDescription(r.admin, &kms.UpdateKeyDescriptionRequest{KeyId: arn})
		}},
		{"ListResourceTags", true, func(arn string) error {
			_, err := r.ListResourceTags(r.admin, &kms.ListResourceTagsRequest{KeyId: arn})
			return err
		}},
		{"ListKeyPolicies", true, func(arn string) error {
			_, err := r.ListKeyPolicies(r.admin, &kms.ListKeyPoliciesRequest{KeyId: arn})
			return err
		}},
		{"GetKeyLastUsage", true, func(arn string) error {
			_, err := r.GetKeyLastUsage(r.admin, &kms.GetKeyLastUsageRequest{KeyId: arn})
			return err
		}},
	}
	for _, c := range calls {
		for _, arn := range []string{enabled, disabled, external} {
			if err := c.do(arn); err != nil {
				t.Errorf("%s of %s: %v", c.op, arn, err)
			}
		}
		want := ""
		if !c.any {
			want = "KMSInvalidStateException: " + pending + " is pending deletion."
		}
		if got := refusal(c.do(pending)); got != want {
			t.Errorf("%s of a key pending deletion: %q, want %q", c.op, got, want)
		}
	}
}
