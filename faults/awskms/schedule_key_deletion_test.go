package awskms_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"loadkms/faults"
	"loadkms/scenarios"
)

// A key that was disabled comes back disabled, and one that somebody has taken back is theirs.
func TestScheduleKeyDeletionOfADisabledKey(t *testing.T) {
	f := newField(t, quick)
	key := f.outputs["deleteKeyID"]
	if _, err := f.kms.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &key}); err != nil {
		t.Fatal(err)
	}
	target := f.resolve(t, onKey(scenarios.ScheduleKeyDeletion, key))
	prior, err := target.Observe(t.Context())
	if err != nil || string(prior) != "Disabled" {
		t.Fatalf("observed %s, error %v", prior, err)
	}
	for _, step := range []struct {
		name string
		do   func() error
		want string
	}{
		{"rehearsed", func() error { return target.Restore(t.Context(), prior) }, "Disabled"},
		{"broken", func() error { return target.Break(t.Context()) }, "PendingDeletion"},
		{"restored", func() error { return target.Restore(t.Context(), prior) }, "Disabled"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := f.keyState(t, key); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
	if _, err := f.kms.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &key}); err != nil {
		t.Fatal(err)
	}
	if err := target.Restore(t.Context(), prior); !errors.Is(err, faults.ErrChanged) {
		t.Errorf("error %v, want ErrChanged", err)
	}
	if err := target.Restore(t.Context(), faults.State("PendingDeletion")); err == nil {
		t.Error("restored a state that is none")
	}
}

func TestScheduleKeyDeletionRefuses(t *testing.T) {
	f := newField(t, quick)
	key := f.outputs["deleteKeyID"]
	fault := onKey(scenarios.ScheduleKeyDeletion, key)
	allowed := []string{"kms:DescribeKey", "kms:ScheduleKeyDeletion"}
	f.refusesBeforeBreaking(t, f.asRole(t, key, allowed...), fault, "kms:CancelKeyDeletion")
	f.refusesBeforeBreaking(t, f.asRole(t, key, append(allowed, "kms:CancelKeyDeletion")...), fault, "kms:EnableKey")
	if _, err := f.kms.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &key}); err != nil {
		t.Fatal(err)
	}
	_, err := f.cloud.Resolve(t.Context(), fault)
	want := "key " + key + " is PendingDeletion already: there is nothing to break, at a.yaml:12:10"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
