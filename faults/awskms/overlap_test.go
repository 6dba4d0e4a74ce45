package awskms_test

import (
	"testing"

	"loadkms/faults"
	"loadkms/faults/awskms"
	"loadkms/sandbox/iam"
	"loadkms/scenarios"
)

// Faults on one key are one target, unless neither changes what the other observes or needs.
func TestCollide(t *testing.T) {
	f := storeField(t)
	_, stored := f.stored(t)
	f.cloud = f.connect(t, awskms.Options{Stack: stackName, Ledger: ledgerName}) // every target a witness
	main := "{{ stack.mainKeyID }}"
	targets := map[string]faults.Target{
		"disable":    f.resolve(t, disable(main)),
		"schedule":   f.resolve(t, onKey(scenarios.ScheduleKeyDeletion, main)),
		"deny":       f.resolve(t, deny(main, iam.GetRecordRole, "")),
		"deny other": f.resolve(t, deny(main, iam.CreateRecordRole, "")),
		"revoke":     f.resolve(t, revoke(func(g *scenarios.Fault) { g.Ledger = text(ledgerName) })),
		"rotate":     f.resolve(t, rotateOnce(main)),
		"elsewhere":  f.resolve(t, disable("{{ stack.rotateKeyID }}")),
		"disconnect": f.resolve(t, disconnect(stored, "")),
		"stored":     f.resolve(t, disable(stored)),
	}
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"disable", "schedule", true},
		{"disable", "disable", true},
		{"deny", "deny other", true},
		{"deny", "disable", false},
		{"revoke", "disable", true},
		{"revoke", "schedule", true},
		{"revoke", "deny", false},
		{"rotate", "deny", false},
		{"disable", "elsewhere", false},
		{"revoke", "elsewhere", false},
		{"disconnect", "stored", true},
		{"disconnect", "disable", false},
	} {
		if got := faults.Collide(targets[tt.a], targets[tt.b]); got != tt.want || got != faults.Collide(targets[tt.b], targets[tt.a]) {
			t.Errorf("%s and %s: %v, want %v both ways", tt.a, tt.b, got, tt.want)
		}
	}
}
