package kms_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/sandbox/kms"
)

// A terraform makes the calls that Terraform's AWS provider 5.100.0 makes for aws_kms_key and
// aws_kms_alias, in its order, and waits as it does: until so many reads in a row agree. Its seconds
// are those of the sandbox's clock.
type terraform struct {
	*rig
	client *sdk.Client
	calls  map[string]int
}

// A tfKey is what a configuration says of an aws_kms_key, and what the provider reads back.
type tfKey struct {
	Description string
	Enabled     bool
	Policy      string
	Rotation    bool
	Period      int32
	Tags        map[string]string
}

// until reads every two seconds until n reads in a row are what is wanted, for at most ten minutes.
func (tf *terraform) until(t *testing.T, what string, n int, read func() (bool, error)) {
	t.Helper()
	inARow := 0
	for range 300 {
		ok, err := read()
		var missing *types.NotFoundException
		if errors.As(err, &missing) {
			ok, err = false, nil // the provider waits for a new key to be found
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if inARow++; !ok {
			inARow = 0
		}
		if inARow == n {
			return
		}
		tf.clock.Advance(2 * time.Second)
	}
	t.Fatalf("%s: not so after ten minutes", what)
}

func (tf *terraform) describe(t *testing.T, id string) (*types.KeyMetadata, error) {
	tf.calls["DescribeKey"]++
	out, err := tf.client.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &id})
	if err != nil {
		return nil, err
	}
	return out.KeyMetadata, nil
}

func (tf *terraform) policy(t *testing.T, id string) (string, error) {
	tf.calls["GetKeyPolicy"]++
	out, err := tf.client.GetKeyPolicy(t.Context(), &sdk.GetKeyPolicyInput{KeyId: &id, PolicyName: aws.String("default")})
	if err != nil {
		return "", err
	}
	return *out.Policy, nil
}

func (tf *terraform) rotation(t *testing.T, id string) (bool, int32, error) {
	tf.calls["GetKeyRotationStatus"]++
	out, err := tf.client.GetKeyRotationStatus(t.Context(), &sdk.GetKeyRotationStatusInput{KeyId: &id})
	if err != nil {
		return false, 0, err
	}
	return out.KeyRotationEnabled, aws.ToInt32(out.RotationPeriodInDays), nil
}

func (tf *terraform) tags(t *testing.T, id string) (map[string]string, error) {
	tf.calls["ListResourceTags"]++
	tags := map[string]string{}
	for p := sdk.NewListResourceTagsPaginator(tf.client, &sdk.ListResourceTagsInput{KeyId: &id}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			return nil, err
		}
		for _, tag := range page.Tags {
			tags[*tag.TagKey] = *tag.TagValue
		}
	}
	return tags, nil
}

// refresh reads a key.
func (tf *terraform) refresh(t *testing.T, id string) tfKey {
	t.Helper()
	m, err := tf.describe(t, id)
	if err != nil {
		t.Fatal(err)
	}
	if m.KeyState == types.KeyStatePendingDeletion {
		t.Fatal("the key is gone, says Terraform")
	}
	k := tfKey{Description: *m.Description, Enabled: m.Enabled}
	if k.Policy, err = tf.policy(t, id); err != nil {
		t.Fatal(err)
	}
	if m.Origin == types.OriginTypeAwsKms {
		if k.Rotation, k.Period, err = tf.rotation(t, id); err != nil {
			t.Fatal(err)
		}
	}
	if k.Tags, err = tf.tags(t, id); err != nil {
		t.Fatal(err)
	}
	return k
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// unchanged checks that a plan after the apply is empty: what is read is what was configured.
func (tf *terraform) unchanged(t *testing.T, id string, want tfKey) {
	t.Helper()
	got := tf.refresh(t, id)
	if !sameJSON(got.Policy, want.Policy) {
		t.Errorf("the policy reads as %s", got.Policy)
	}
	got.Policy = want.Policy
	if !reflect.DeepEqual(got, want) {
		t.Errorf("reads as %+v, configured is %+v", got, want)
	}
}

// create is the create function of aws_kms_key.
func (tf *terraform) create(t *testing.T, k tfKey) string {
	t.Helper()
	var tags []types.Tag
	for name, value := range k.Tags {
		tags = append(tags, types.Tag{TagKey: &name, TagValue: &value})
	}
	made, err := tf.client.CreateKey(t.Context(), &sdk.CreateKeyInput{CustomerMasterKeySpec: types.CustomerMasterKeySpecSymmetricDefault,
		KeyUsage: types.KeyUsageTypeEncryptDecrypt, Policy: &k.Policy, Description: &k.Description, Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	id := *made.KeyMetadata.KeyId
	if k.Rotation {
		tf.rotate(t, id, k)
	}
	tf.until(t, "the policy", 5, func() (bool, error) { p, err := tf.policy(t, id); return sameJSON(p, k.Policy), err })
	tf.until(t, "the tags", 5, func() (bool, error) { tags, err := tf.tags(t, id); return maps.Equal(tags, k.Tags), err })
	return id
}

// rotate is how the provider sets the rotation, after a create and in an update.
func (tf *terraform) rotate(t *testing.T, id string, k tfKey) {
	t.Helper()
	in := &sdk.EnableKeyRotationInput{KeyId: &id}
	if k.Period != 365 {
		in.RotationPeriodInDays = &k.Period
	}
	var err error
	if k.Rotation {
		_, err = tf.client.EnableKeyRotation(t.Context(), in)
	} else {
		_, err = tf.client.DisableKeyRotation(t.Context(), &sdk.DisableKeyRotationInput{KeyId: &id})
	}
	if err != nil {
		t.Fatal(err)
	}
	tf.until(t, "the rotation", 5, func() (bool, error) {
		enabled, period, err := tf.rotation(t, id)
		return enabled == k.Rotation && period == k.Period, err
	})
}

// update is the update function of aws_kms_key, with the provider's order: enabling comes first, and
// disabling last, for a disabled key refuses much of the rest.
func (tf *terraform) update(t *testing.T, id string, from, to tfKey) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	turn := func() {
		t.Helper()
		var err error
		if to.Enabled {
			_, err = tf.client.EnableKey(ctx, &sdk.EnableKeyInput{KeyId: &id})
		} else {
			_, err = tf.client.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &id})
		}
		check(err)
		tf.until(t, "the state", 15, func() (bool, error) { m, err := tf.describe(t, id); return err == nil && m.Enabled == to.Enabled, err })
	}
	if to.Enabled && !from.Enabled {
		turn()
	}
	if to.Rotation != from.Rotation || to.Period != from.Period {
		tf.rotate(t, id, to)
	}
	if to.Description != from.Description {
		_, err := tf.client.UpdateKeyDescription(ctx, &sdk.UpdateKeyDescriptionInput{KeyId: &id, Description: &to.Description})
		check(err)
		tf.until(t, "the description", 5, func() (bool, error) {
			m, err := tf.describe(t, id)
			return err == nil && *m.Description == to.Description, err
		})
	}
	if to.Policy != from.Policy {
		_, err := tf.client.PutKeyPolicy(ctx, &sdk.PutKeyPolicyInput{KeyId: &id, Policy: &to.Policy, PolicyName: aws.String("default")})
		check(err)
		tf.until(t, "the policy", 5, func() (bool, error) { p, err := tf.policy(t, id); return sameJSON(p, to.Policy), err })
	}
	var gone []string
	for name := range from.Tags {
		if _, ok := to.Tags[name]; !ok {
			gone = append(gone, name)
		}
	}
	if len(gone) > 0 {
		_, err := tf.client.UntagResource(ctx, &sdk.UntagResourceInput{KeyId: &id, TagKeys: gone})
		check(err)
	}
	var changed []types.Tag
	for name, value := range to.Tags {
		if had, ok := from.Tags[name]; !ok || had != value {
			changed = append(changed, types.Tag{TagKey: &name, TagValue: &value})
		}
	}
	if len(changed) > 0 {
		_, err := tf.client.TagResource(ctx, &sdk.TagResourceInput{KeyId: &id, Tags: changed})
		check(err)
	}
	tf.until(t, "the tags", 5, func() (bool, error) { tags, err := tf.tags(t, id); return maps.Equal(tags, to.Tags), err })
	if !to.Enabled && from.Enabled {
		turn()
	}
}

// destroy is the delete function of aws_kms_key.
func (tf *terraform) destroy(t *testing.T, id string) {
	t.Helper()
	out, err := tf.client.ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: aws.Int32(7)})
	if err != nil || out.DeletionDate == nil {
		t.Fatalf("%s, %v", asJSON(out), err)
	}
	tf.until(t, "the deletion", 1, func() (bool, error) {
		m, err := tf.describe(t, id)
		return err == nil && m.KeyState == types.KeyStatePendingDeletion, err
	})
}

// alias reads an alias as the provider does: by listing all of them.
func (tf *terraform) alias(t *testing.T, name string) *types.AliasListEntry {
	t.Helper()
	for p := sdk.NewListAliasesPaginator(tf.client, &sdk.ListAliasesInput{}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Aliases {
			if *a.AliasName == name {
				return &a
			}
		}
	}
	return nil
}

// TestTerraform applies, changes and destroys a key and its alias; after each step another plan would
// be empty. It does so without and with eventual consistency.
func TestTerraform(t *testing.T) {
	for name, delay := range map[string]time.Duration{"at once": 0, "eventually consistent": 15 * time.Second} {
		t.Run(name, func(t *testing.T) {
			r := rigOf(t, kms.Options{Consistency: delay})
			tf := &terraform{rig: r, client: r.client("AKIAIOSFODNN7EXAMPLE"), calls: map[string]int{}}
			const admin = `{"Id":"qldb-cmk-poc","Statement":[{"Action":["kms:*"],"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Resource":"*","Sid":"admin"}],"Version":"2012-10-17"}`
			one := tfKey{"QLDB Ledger CMK", true, admin, true, 365, map[string]string{"name": "qldb"}}
			id := tf.create(t, one)
			tf.unchanged(t, id, one)
			if delay == 0 {
				// One DescribeKey is the refresh; the others are five reads in a row, and the refresh's.
				want := map[string]int{"DescribeKey": 1, "GetKeyPolicy": 6, "GetKeyRotationStatus": 6, "ListResourceTags": 6}
				if !maps.Equal(tf.calls, want) {
					t.Errorf("calls %v, want %v", tf.calls, want)
				}
			}

			const aliasName = "alias/qldb-kms-tf"
			if _, err := tf.client.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: aws.String(aliasName), TargetKeyId: &id}); err != nil {
				t.Fatal(err)
			}
			tf.until(t, "the alias", 1, func() (bool, error) { return tf.alias(t, aliasName) != nil, nil })
			if a := tf.alias(t, aliasName); *a.TargetKeyId != id {
				t.Errorf("alias %s", asJSON(a))
			}

			was := one
			for _, change := range []func(k *tfKey){
				func(k *tfKey) { k.Tags = map[string]string{"name": "qldb2", "cost": "7"} },
				func(k *tfKey) { k.Tags = map[string]string{"cost": "7"} },
				func(k *tfKey) { k.Description = "QLDB Ledger CMK v2" },
				func(k *tfKey) { k.Period = 180 },
				func(k *tfKey) { k.Rotation, k.Period = false, 0 },
				func(k *tfKey) { k.Policy = policy(rootStatement) },
				func(k *tfKey) { k.Enabled, k.Description = false, "off" },
				func(k *tfKey) { k.Enabled, k.Rotation, k.Period = true, true, 365 },
			} {
				now := was
				change(&now)
				tf.update(t, id, was, now)
				tf.unchanged(t, id, now)
				was = now
			}

			two := tf.create(t, one)
			if _, err := tf.client.UpdateAlias(t.Context(), &sdk.UpdateAliasInput{AliasName: aws.String(aliasName), TargetKeyId: &two}); err != nil {
				t.Fatal(err)
			}
			tf.until(t, "the alias", 1, func() (bool, error) { return *tf.alias(t, aliasName).TargetKeyId == two, nil })
			if _, err := tf.client.DeleteAlias(t.Context(), &sdk.DeleteAliasInput{AliasName: aws.String(aliasName)}); err != nil {
				t.Fatal(err)
			}
			tf.until(t, "the alias", 1, func() (bool, error) { return tf.alias(t, aliasName) == nil, nil })
			tf.destroy(t, id)
			tf.destroy(t, two)
		})
	}
}
