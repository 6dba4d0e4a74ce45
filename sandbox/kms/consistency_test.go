package kms_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

// TestConsistency changes one thing after the other, and looks at it before and after the delay.
func TestConsistency(t *testing.T) {
	const delay = 10 * time.Second
	lost := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":["kms:PutKeyPolicy","kms:Describe*"],"Resource":"*"}]}`
	type world struct {
		*rig
		arn, id, other string
		blob           []byte
	}
	encrypt := func(w *world) string {
		_, err := w.Encrypt(w.admin, &kms.EncryptRequest{KeyId: w.id, Plaintext: []byte("x")})
		return code(err)
	}
	state := func(w *world) string {
		out, err := w.DescribeKey(w.admin, &kms.DescribeKeyRequest{KeyId: w.id})
		if err != nil {
			return code(err)
		}
		return string(out.KeyMetadata.KeyState) + " " + out.KeyMetadata.Description
	}
	resolve := func(w *world) string {
		out, err := w.DescribeKey(w.admin, &kms.DescribeKeyRequest{KeyId: "alias/a"})
		if err != nil {
			return code(err)
		}
		if out.KeyMetadata.KeyId == w.id {
			return "one"
		}
		return "two"
	}
	tests := []struct {
		name          string
		do            func(w *world) error
		look          func(w *world) string
		before, after string
	}{
		{"DisableKey", func(w *world) error { return w.DisableKey(w.admin, &kms.DisableKeyRequest{KeyId: w.id}) }, state, "Enabled ", "Disabled "},
		{"DisableKey, used", func(w *world) error { return w.DisableKey(w.admin, &kms.DisableKeyRequest{KeyId: w.id}) }, encrypt, "", "DisabledException"},
		{"Decrypt without KeyId", func(w *world) error { return w.DisableKey(w.admin, &kms.DisableKeyRequest{KeyId: w.id}) }, func(w *world) string {
			_, err := w.Decrypt(w.admin, &kms.DecryptRequest{CiphertextBlob: w.blob})
			return code(err)
		}, "", "DisabledException"},
		{"ScheduleKeyDeletion", func(w *world) error {
			_, err := w.ScheduleKeyDeletion(w.admin, &kms.ScheduleKeyDeletionRequest{KeyId: w.id})
			return err
		}, state, "Enabled ", "PendingDeletion "},
		{"UpdateKeyDescription", func(w *world) error {
			return w.UpdateKeyDescription(w.admin, &kms.UpdateKeyDescriptionRequest{KeyId: w.id, Description: "new"})
		}, state, "Enabled ", "Enabled new"},
		{"PutKeyPolicy", func(w *world) error {
			return w.PutKeyPolicy(w.admin, &kms.PutKeyPolicyRequest{KeyId: w.id, Policy: lost})
		}, encrypt, "", "AccessDeniedException"},
		{"TagResource", func(w *world) error {
			return w.TagResource(w.admin, &kms.TagResourceRequest{KeyId: w.id, Tags: []kms.Tag{{TagKey: "a", TagValue: "b"}}})
		}, func(w *world) string {
			out, err := w.ListResourceTags(w.admin, &kms.ListResourceTagsRequest{KeyId: w.id})
			if err != nil || len(out.Tags) == 0 {
				return code(err)
			}
			return out.Tags[0].TagKey
		}, "", "a"},
		{"RotateKeyOnDemand", func(w *world) error {
			_, err := w.RotateKeyOnDemand(w.admin, &kms.RotateKeyOnDemandRequest{KeyId: w.id})
			return err
		}, func(w *world) string {
			out, err := w.Decrypt(w.admin, &kms.DecryptRequest{CiphertextBlob: w.blob})
			if err != nil {
				return code(err)
			}
			now, err := w.DescribeKey(w.admin, &kms.DescribeKeyRequest{KeyId: w.id})
			if err != nil {
				return code(err)
			}
			if now.KeyMetadata.CurrentKeyMaterialId == out.KeyMaterialId {
				return "old"
			}
			return "new"
		}, "old", "new"},
		{"CreateAlias", func(w *world) error {
			return w.CreateAlias(w.admin, &kms.CreateAliasRequest{AliasName: "alias/a", TargetKeyId: w.id})
		}, resolve, "NotFoundException", "one"},
		{"UpdateAlias", func(w *world) error {
			if err := w.CreateAlias(w.admin, &kms.CreateAliasRequest{AliasName: "alias/a", TargetKeyId: w.id}); err != nil {
				return err
			}
			w.clock.Advance(time.Minute)
			return w.UpdateAlias(w.admin, &kms.UpdateAliasRequest{AliasName: "alias/a", TargetKeyId: w.other})
		}, resolve, "one", "two"},
		{"DeleteAlias", func(w *world) error {
			if err := w.CreateAlias(w.admin, &kms.CreateAliasRequest{AliasName: "alias/a", TargetKeyId: w.id}); err != nil {
				return err
			}
			w.clock.Advance(time.Minute)
			return w.DeleteAlias(w.admin, &kms.DeleteAliasRequest{AliasName: "alias/a"})
		}, resolve, "one", "NotFoundException"},
		{"aliases listed", func(w *world) error {
			return w.CreateAlias(w.admin, &kms.CreateAliasRequest{AliasName: "alias/a", TargetKeyId: w.id})
		}, func(w *world) string {
			out, err := w.ListAliases(w.admin, &kms.ListAliasesRequest{KeyId: w.id})
			if err != nil || len(out.Aliases) == 0 {
				return code(err)
			}
			return out.Aliases[0].AliasName
		}, "", "alias/a"},
		{"CreateKey", func(w *world) error {
			out, err := w.CreateKey(w.admin, nil)
			if err == nil {
				w.id = out.KeyMetadata.KeyId
			}
			return err
		}, state, "NotFoundException", "Enabled "},
		{"keys listed", func(w *world) error { _, err := w.CreateKey(w.admin, nil); return err }, func(w *world) string {
			out, err := w.ListKeys(w.admin, nil)
			if err != nil {
				return code(err)
			}
			return map[int]string{2: "two", 3: "three"}[len(out.Keys)]
		}, "two", "three"},
		{"CreateGrant", func(w *world) error {
			_, err := w.CreateGrant(w.admin, &kms.CreateGrantRequest{KeyId: w.id, GranteePrincipal: iam.RoleARN(account, iam.NoKMSRole), Operations: []string{"Encrypt"}})
			return err
		}, func(w *world) string {
			_, err := w.Encrypt(w.Directory().Session(iam.NoKMSRole, "s"), &kms.EncryptRequest{KeyId: w.id, Plaintext: []byte("x")})
			return code(err)
		}, "AccessDeniedException", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &world{rig: newRig(t)}
			w.arn, w.id = w.newKey(t, kms.CreateKeyRequest{})
			_, w.other = w.newKey(t, kms.CreateKeyRequest{})
			sealed, err := w.Encrypt(w.admin, &kms.EncryptRequest{KeyId: w.id, Plaintext: []byte("x")})
			if err != nil {
				t.Fatal(err)
			}
			w.blob = sealed.CiphertextBlob
			w.SetConsistency(delay)
			w.clock.Advance(time.Minute)
			if err := tt.do(w); err != nil {
				t.Fatal(err)
			}
			if got := tt.look(w); got != tt.before {
				t.Errorf("at once: %q, want %q", got, tt.before)
			}
			w.clock.Advance(delay)
			if got := tt.look(w); got != tt.after {
				t.Errorf("after the delay: %q, want %q", got, tt.after)
			}
		})
	}
}

// TestConsistencyOfManyChanges: each is seen in its turn, and changes find each other at once.
func TestConsistencyOfManyChanges(t *testing.T) {
	r := newRig(t)
	_, id := r.newKey(t, kms.CreateKeyRequest{})
	r.SetConsistency(10 * time.Second)
	for _, d := range []string{"a", "b", "c", "d"} {
		if err := r.UpdateKeyDescription(r.admin, &kms.UpdateKeyDescriptionRequest{KeyId: id, Description: d}); err != nil {
			t.Fatal(err)
		}
		r.clock.Advance(4 * time.Second)
	}
	// Four changes at 0, 4, 8 and 12 seconds; now it is 16.
	for _, want := range []string{"b", "c", "d", "d"} {
		out, err := r.DescribeKey(r.admin, &kms.DescribeKeyRequest{KeyId: id})
		if err != nil || out.KeyMetadata.Description != want {
			t.Errorf("%q, %v, want %q", out.KeyMetadata.Description, err, want)
		}
		r.clock.Advance(4 * time.Second)
	}
	for range 3 { // a change finds what the one before it made
		if err := r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: "alias/x", TargetKeyId: id}); err != nil {
			t.Fatal(err)
		}
		if got := code(r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: "alias/x", TargetKeyId: id})); got != "AlreadyExistsException" {
			t.Errorf("made twice: %q", got)
		}
		if err := r.DeleteAlias(r.admin, &kms.DeleteAliasRequest{AliasName: "alias/x"}); err != nil {
			t.Fatal(err)
		}
	}
	r.SetConsistency(0)
	if err := r.DisableKey(r.admin, &kms.DisableKeyRequest{KeyId: id}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: id, Plaintext: []byte("x")}); code(err) != "DisabledException" {
		t.Errorf("switched off, changes are not seen at once: %v", err)
	}
}

// TestConsistencyConcurrently changes and reads one key from many sides, with -race above all, while
// the delay itself comes and goes. What was encrypted is never lost.
func TestConsistencyConcurrently(t *testing.T) {
	r := rigOf(t, kms.Options{Clock: clock.New(1000)})
	_, id := r.newKey(t, kms.CreateKeyRequest{})
	_, other := r.newKey(t, kms.CreateKeyRequest{})
	var all sync.WaitGroup
	side := func(do func(i int) error) {
		all.Go(func() {
			for i := range 200 {
				switch err := do(i); code(err) {
				case "", "DisabledException", "NotFoundException", "AlreadyExistsException", "LimitExceededException", "ConflictException":
				default:
					t.Error(err)
				}
			}
		})
	}
	side(func(i int) error {
		if i%2 == 0 {
			return r.DisableKey(r.admin, &kms.DisableKeyRequest{KeyId: id})
		}
		return r.EnableKey(r.admin, &kms.EnableKeyRequest{KeyId: id})
	})
	side(func(i int) error {
		r.SetConsistency(time.Duration(i%3) * time.Second)
		r.clock.Advance(time.Second)
		return nil
	})
	side(func(i int) error {
		if i%2 == 0 {
			return r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: "alias/x", TargetKeyId: id})
		}
		return r.DeleteAlias(r.admin, &kms.DeleteAliasRequest{AliasName: "alias/x"})
	})
	side(func(int) error {
		_, err := r.RotateKeyOnDemand(r.admin, &kms.RotateKeyOnDemandRequest{KeyId: id})
		return err
	})
	side(func(int) error {
		g, err := r.CreateGrant(r.admin, &kms.CreateGrantRequest{KeyId: id, GranteePrincipal: r.admin.Principal, RetiringPrincipal: r.admin.Principal, Operations: []string{"Decrypt"}})
		if err != nil {
			return err
		}
		return r.RetireGrant(r.admin, &kms.RetireGrantRequest{GrantToken: g.GrantToken})
	})
	side(func(i int) error {
		return r.TagResource(r.admin, &kms.TagResourceRequest{KeyId: id, Tags: []kms.Tag{{TagKey: "a", TagValue: fmt.Sprint(i)}}})
	})
	for range 3 {
		side(func(int) error {
			sealed, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: other, Plaintext: []byte("x")})
			if err != nil {
				return err
			}
			opened, err := r.Decrypt(r.admin, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob})
			if err != nil || string(opened.Plaintext) != "x" {
				return fmt.Errorf("lost: %w", err)
			}
			_, err = r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: "alias/x", Plaintext: []byte("x")})
			return err
		})
		side(func(int) error {
			if _, err := r.ListAliases(r.admin, nil); err != nil {
				return err
			}
			if _, err := r.ListResourceTags(r.admin, &kms.ListResourceTagsRequest{KeyId: id}); err != nil {
				return err
			}
			if _, err := r.GetKeyLastUsage(r.admin, &kms.GetKeyLastUsageRequest{KeyId: id}); err != nil {
				return err
			}
			_, err := r.ListKeyRotations(r.admin, &kms.ListKeyRotationsRequest{KeyId: id, IncludeKeyMaterial: "ALL_KEY_MATERIAL"})
			return err
		})
	}
	all.Wait()
}
