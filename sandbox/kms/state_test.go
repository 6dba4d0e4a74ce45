package kms_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"loadkms/sandbox/kms"
)

// refusal is the code of an error of the service, or "" for none.
func refusal(err error) string {
	var e *kms.Error
	if errors.As(err, &e) {
		return e.Code + ": " + e.Message
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// TestKeyStates is the table "Key states of AWS KMS keys" for the operations and states there are.
func TestKeyStates(t *testing.T) {
	const ok, disabled, pending, notPending = "", "DisabledException: %s is disabled.",
		"KMSInvalidStateException: %s is pending deletion.", "KMSInvalidStateException: %s is not pending deletion."
	type world struct {
		*rig
		arn, other, alias string
		blob, otherBlob   []byte
		grant             string
	}
	seven := int32(7)
	tests := []struct {
		op                                   string
		enabled, whenDisabled, whenScheduled string
		do                                   func(w *world) error
	}{
		{"Encrypt", ok, disabled, pending, func(w *world) error {
			_, err := w.Encrypt(w.admin, &kms.EncryptRequest{KeyId: w.arn, Plaintext: []byte("x")})
			return err
		}},
		{"Encrypt by alias", ok, disabled, pending, func(w *world) error {
			_, err := w.Encrypt(w.admin, &kms.EncryptRequest{KeyId: w.alias, Plaintext: []byte("x")})
			return err
		}},
		{"Decrypt", ok, disabled, pending, func(w *world) error {
			_, err := w.Decrypt(w.admin, &kms.DecryptRequest{CiphertextBlob: w.blob})
			return err
		}},
		{"Decrypt with KeyId", ok, disabled, pending, func(w *world) error {
			_, err := w.Decrypt(w.admin, &kms.DecryptRequest{CiphertextBlob: w.blob, KeyId: w.arn})
			return err
		}},
		{"ReEncrypt from", ok, disabled, pending, func(w *world) error {
			_, err := w.ReEncrypt(w.admin, &kms.ReEncryptRequest{CiphertextBlob: w.blob, DestinationKeyId: w.other})
			return err
		}},
		{"ReEncrypt to", ok, disabled, pending, func(w *world) error {
			_, err := w.ReEncrypt(w.admin, &kms.ReEncryptRequest{CiphertextBlob: w.otherBlob, DestinationKeyId: w.arn})
			return err
		}},
		{"GenerateDataKey", ok, disabled, pending, func(w *world) error {
			_, err := w.GenerateDataKey(w.admin, &kms.GenerateDataKeyRequest{KeyId: w.arn, KeySpec: "AES_256"})
			return err
		}},
		{"GenerateDataKeyWithoutPlaintext", ok, disabled, pending, func(w *world) error {
			_, err := w.GenerateDataKeyWithoutPlaintext(w.admin, &kms.GenerateDataKeyRequest{KeyId: w.arn, KeySpec: "AES_256"})
			return err
		}},
		{"CreateGrant", ok, disabled, pending, func(w *world) error {
			_, err := w.CreateGrant(w.admin, &kms.CreateGrantRequest{KeyId: w.arn, GranteePrincipal: w.admin.Principal, Operations: []string{"Decrypt"}})
			return err
		}},
		{"DescribeKey", ok, ok, ok, func(w *world) error {
			_, err := w.DescribeKey(w.admin, &kms.DescribeKeyRequest{KeyId: w.arn})
			return err
		}},
		{"GetKeyPolicy", ok, ok, ok, func(w *world) error {
			_, err := w.GetKeyPolicy(w.admin, &kms.GetKeyPolicyRequest{KeyId: w.arn})
			return err
		}},
		{"PutKeyPolicy", ok, ok, ok, func(w *world) error {
			now, err := w.GetKeyPolicy(w.admin, &kms.GetKeyPolicyRequest{KeyId: w.arn})
			if err != nil {
				return err
			}
			return w.PutKeyPolicy(w.admin, &kms.PutKeyPolicyRequest{KeyId: w.arn, Policy: now.Policy})
		}},
		{"ListGrants", ok, ok, ok, func(w *world) error {
			_, err := w.ListGrants(w.admin, &kms.ListGrantsRequest{KeyId: w.arn})
			return err
		}},
		{"RevokeGrant", ok, ok, ok, func(w *world) error {
			return w.RevokeGrant(w.admin, &kms.RevokeGrantRequest{KeyId: w.arn, GrantId: w.grant})
		}},
		{"ListAliases", ok, ok, ok, func(w *world) error {
			_, err := w.ListAliases(w.admin, &kms.ListAliasesRequest{KeyId: w.arn})
			return err
		}},
		{"DeleteAlias", ok, ok, ok, func(w *world) error {
			return w.DeleteAlias(w.admin, &kms.DeleteAliasRequest{AliasName: w.alias})
		}},
		{"CreateAlias", ok, ok, pending, func(w *world) error {
			return w.CreateAlias(w.admin, &kms.CreateAliasRequest{AliasName: "alias/new", TargetKeyId: w.arn})
		}},
		{"UpdateAlias away from the key", ok, ok, ok, func(w *world) error {
			return w.UpdateAlias(w.admin, &kms.UpdateAliasRequest{AliasName: w.alias, TargetKeyId: w.other})
		}},
		{"UpdateAlias to the key", ok, ok, pending, func(w *world) error {
			return w.UpdateAlias(w.admin, &kms.UpdateAliasRequest{AliasName: "alias/other", TargetKeyId: w.arn})
		}},
		{"EnableKey", ok, ok, pending, func(w *world) error {
			return w.EnableKey(w.admin, &kms.EnableKeyRequest{KeyId: w.arn})
		}},
		{"DisableKey", ok, ok, pending, func(w *world) error {
			return w.DisableKey(w.admin, &kms.DisableKeyRequest{KeyId: w.arn})
		}},
		{"ScheduleKeyDeletion", ok, ok, pending, func(w *world) error {
			_, err := w.ScheduleKeyDeletion(w.admin, &kms.ScheduleKeyDeletionRequest{KeyId: w.arn, PendingWindowInDays: &seven})
			return err
		}},
		{"CancelKeyDeletion", notPending, notPending, ok, func(w *world) error {
			_, err := w.CancelKeyDeletion(w.admin, &kms.CancelKeyDeletionRequest{KeyId: w.arn})
			return err
		}},
	}
	states := []struct {
		name  string
		enter func(t *testing.T, w *world)
	}{
		{"Enabled", func(*testing.T, *world) {}},
		{"Disabled", func(t *testing.T, w *world) {
			if err := w.DisableKey(w.admin, &kms.DisableKeyRequest{KeyId: w.arn}); err != nil {
				t.Fatal(err)
			}
		}},
		{"PendingDeletion", func(t *testing.T, w *world) {
			if _, err := w.ScheduleKeyDeletion(w.admin, &kms.ScheduleKeyDeletionRequest{KeyId: w.arn, PendingWindowInDays: &seven}); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		for i, want := range []string{tt.enabled, tt.whenDisabled, tt.whenScheduled} {
			t.Run(tt.op+" in "+states[i].name, func(t *testing.T) {
				r := newRig(t)
				w := &world{rig: r, alias: "alias/main"}
				w.arn, _ = r.newKey(t, kms.CreateKeyRequest{})
				w.other, _ = r.newKey(t, kms.CreateKeyRequest{})
				for alias, key := range map[string]string{w.alias: w.arn, "alias/other": w.other} {
					if err := r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: alias, TargetKeyId: key}); err != nil {
						t.Fatal(err)
					}
				}
				for key, blob := range map[string]*[]byte{w.arn: &w.blob, w.other: &w.otherBlob} {
					out, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: key, Plaintext: []byte("x")})
					if err != nil {
						t.Fatal(err)
					}
					*blob = out.CiphertextBlob
				}
				g, err := r.CreateGrant(r.admin, &kms.CreateGrantRequest{KeyId: w.arn, GranteePrincipal: r.admin.Principal, Operations: []string{"Decrypt"}})
				if err != nil {
					t.Fatal(err)
				}
				w.grant = g.GrantId
				states[i].enter(t, w)
				if want != ok {
					want = fmt.Sprintf(want, w.arn)
				}
				before := string(r.Dump())
				if got := refusal(tt.do(w)); got != want {
					t.Errorf("answer %q, want %q", got, want)
				}
				if want != ok && string(r.Dump()) != before {
					t.Error("a refused request changed something")
				}
			})
		}
	}
}

func TestDeletedKeysVanish(t *testing.T) {
	r := newRig(t)
	arn, id := r.newKey(t, kms.CreateKeyRequest{})
	kept, _ := r.newKey(t, kms.CreateKeyRequest{})
	if err := r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: "alias/doomed", TargetKeyId: id}); err != nil {
		t.Fatal(err)
	}
	sealed, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: id, Plaintext: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	seven, eight := int32(7), int32(8)
	if _, err := r.ScheduleKeyDeletion(r.admin, &kms.ScheduleKeyDeletionRequest{KeyId: id, PendingWindowInDays: &seven}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ScheduleKeyDeletion(r.admin, &kms.ScheduleKeyDeletionRequest{KeyId: kept, PendingWindowInDays: &eight}); err != nil {
		t.Fatal(err)
	}
	describe := func(key string) string {
		_, err := r.DescribeKey(r.admin, &kms.DescribeKeyRequest{KeyId: key})
		return refusal(err)
	}
	r.clock.Advance(7*24*time.Hour - time.Minute)
	if got := describe(id); got != "" {
		t.Fatalf("a minute too early: %s", got)
	}
	r.clock.Advance(2 * time.Minute)
	if got, want := describe(id), "NotFoundException: Key '"+arn+"' does not exist"; got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	if got, want := describe("alias/doomed"), "NotFoundException: Alias arn:aws:kms:eu-west-2:123456789012:alias/doomed is not found."; got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	_, err = r.Decrypt(r.admin, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob})
	if got := refusal(err); got != refersTo {
		t.Errorf("answer %q, want %q", got, refersTo)
	}
	if got := describe(kept); got != "" {
		t.Errorf("the other key: %s", got)
	}
	if _, err := r.CancelKeyDeletion(r.admin, &kms.CancelKeyDeletionRequest{KeyId: kept}); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(1000 * 24 * time.Hour)
	if got := describe(kept); got != "" {
		t.Errorf("the key that was to stay: %s", got)
	}
}
