package reporters

import (
	"testing"
	"time"

	"loadkms/result"
)

// TestStage: whoever watches learns since when something is broken, and when that ends.
func TestStage(t *testing.T) {
	never := func() result.Fault {
		return result.Fault{Planned: 10 * time.Second, Breaking: result.Never, Broken: result.Never, Visible: result.Never,
			Restoring: result.Never, RestoreAccepted: result.Never, Restored: result.Never, Settled: result.Never}
	}
	for name, c := range map[string]struct {
		now  time.Duration
		set  func(*result.Fault)
		want string
	}{
		"long before":  {2 * time.Second, func(*result.Fault) {}, "waiting, due in 8 s"},
		"its time":     {10 * time.Second, func(*result.Fault) {}, "due now"},
		"broken":       {13 * time.Second, func(f *result.Fault) { f.Breaking, f.Broken = f.Planned, f.Planned }, "BROKEN for 3 s"},
		"with an end":  {13 * time.Second, func(f *result.Fault) { f.Broken, f.Until = f.Planned, 20*time.Second }, "BROKEN for 3 s, restored in 7 s"},
		"past its end": {21 * time.Second, func(f *result.Fault) { f.Broken, f.Until = f.Planned, 20*time.Second }, "BROKEN for 11 s"},
		"restoring": {22 * time.Second, func(f *result.Fault) { f.Broken, f.Restoring = f.Planned, 20*time.Second },
			"restoring for 2 s"},
	} {
		f := never()
		c.set(&f)
		if got, _ := stage(f, c.now); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
