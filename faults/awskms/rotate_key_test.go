package awskms_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/faults"
	"loadkms/sandbox/iam"
	"loadkms/scenarios"
)

func rotateOnce(key string) *scenarios.Fault {
	f := onKey(scenarios.RotateKey, key)
	f.OneWay = true
	return f
}

// The key is rotated once, the older material goes on decrypting, and nothing is written to the journal.
func TestRotateKey(t *testing.T) {
	f := newField(t, quick)
	key := f.outputs["mainKeyID"]
	sealed, err := f.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	rotations := func() int {
		out, err := f.kms.ListKeyRotations(t.Context(), &kms.ListKeyRotationsInput{KeyId: &key})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Rotations)
	}
	target := f.resolve(t, rotateOnce("{{ stack.mainKeyID }}"))
	if got, want := constant(target.ID()), "arn:aws:kms:eu-west-2:123456789012:key/UUID#material"; got != want {
		t.Errorf("ID %s, want %s", got, want)
	}
	journal, err := faults.OpenJournal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Release()
	visible := make(chan struct{})
	var last faults.Station
	err = faults.Bracket{Journal: journal, Notify: func(at faults.Station, _ error) {
		if last = at; at == faults.Visible {
			close(visible)
		}
	}}.Inject(t.Context(), target, func(context.Context) error {
		if p, err := journal.Pending(); err != nil || len(p) > 0 {
			t.Errorf("entries %v, error %v", p, err)
		}
		<-visible
		return nil
	})
	if err != nil || last != faults.Visible || rotations() != 1 {
		t.Errorf("error %v, last station %d, %d rotations", err, last, rotations())
	}
	if out, err := f.kms.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob}); err != nil || string(out.Plaintext) != "x" {
		t.Errorf("decrypted %v, error %v", out, err)
	}
	if err := target.Restore(t.Context(), faults.State("0")); err == nil || target.ByHand(nil) != "" {
		t.Errorf("pretends to undo it: error %v, by hand %q", err, target.ByHand(nil))
	}
}

func TestRotateKeyRefuses(t *testing.T) {
	f := newField(t, quick)
	create := func(in *kms.CreateKeyInput) string {
		out, err := f.kms.CreateKey(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return *out.KeyMetadata.KeyId
	}
	worn, disabled := f.outputs["rotateKeyID"], f.outputs["deleteKeyID"]
	for range 25 {
		if _, err := f.kms.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &worn}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.kms.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &disabled}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, key, want string }{
		{"asymmetric", create(&kms.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify}),
			"key UUID is for SIGN_VERIFY (ECC_NIST_P256): KMS rotates symmetric keys for encryption"},
		{"imported", create(&kms.CreateKeyInput{Origin: types.OriginTypeExternal}),
			"key UUID has material of origin EXTERNAL: KMS rotates on demand what it has made itself"},
		{"disabled", disabled, "key UUID is Disabled: KMS rotates an Enabled key"},
		{"used up", worn, "key UUID was rotated on demand 25 times already, and KMS does it 25 times"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := f.cloud.Resolve(t.Context(), rotateOnce(tt.key))
			if want := tt.want + ", at a.yaml:12:10"; err == nil || constant(err.Error()) != want {
				t.Errorf("error\n %v, want\n %s", err, want)
			}
		})
	}
	if _, err := f.cloud.Resolve(t.Context(), onKey(scenarios.RotateKey, "{{ stack.mainKeyID }}")); err == nil || !strings.Contains(err.Error(), "oneWay: true") {
		t.Errorf("error %v", err)
	}
	key := f.outputs["noAccessKeyID"]
	f.refusesBeforeBreaking(t, f.asRole(t, key, "kms:DescribeKey"), rotateOnce(key), "kms:ListKeyRotations")
	// Whether one may rotate, KMS tells only when asked to: nothing has happened then.
	c := f.asRole(t, key, "kms:DescribeKey", "kms:ListKeyRotations", "kms:GetKeyRotationStatus")
	before := string(f.box.Dump())
	target, err := c.Resolve(t.Context(), rotateOnce(key))
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Break(t.Context()); err == nil || !strings.Contains(err.Error(), "kms:RotateKeyOnDemand") || string(f.box.Dump()) != before {
		t.Errorf("error %v", err)
	}
}

// A call that does more the second time is not made again because an answer was lost.
func TestRotateKeyOnlyOnce(t *testing.T) {
	calls := 0
	box := quick
	box.PreHook = func(op string, _ iam.Caller) error {
		if op == "RotateKeyOnDemand" {
			calls++
			return errors.New("a mistake inside")
		}
		return nil
	}
	f := newField(t, box)
	if err := f.resolve(t, rotateOnce("{{ stack.mainKeyID }}")).Break(t.Context()); err == nil || calls != 1 {
		t.Errorf("error %v after %d calls, want one", err, calls)
	}
}
