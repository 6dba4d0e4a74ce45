package verdict

import (
	"strings"
	"testing"

	"loadkms/result"
	"loadkms/scenarios"
)

func TestStories(t *testing.T) {
	some := result.Anatomy{
		Step: get, Requests: 100, Failed: 40, Class: result.Timeout,
		FirstEffect: 12 * s, FullEffect: 12 * s, FirstSuccess: 34 * s, Recovered: 34 * s,
		Grace: 2 * s, TimeToRecover: 4 * s, Afterwards: 50,
	}
	change := func(f func(*result.Anatomy)) result.Anatomy { a := some; f(&a); return a }
	for _, c := range []struct {
		action  scenarios.Action
		anatomy result.Anatomy
		unmade  bool // never restored
		want    string
	}{
		{scenarios.RotateAlias, some, false,
			"users of get record were not served (Timeout) from 2 s after the alias was moved until 4 s after it was moved back"},
		{scenarios.UpdateLedgerKey, change(func(a *result.Anatomy) { a.Class = result.AccessDenied }), false,
			"users of get record were refused (AccessDenied) from 2 s after the ledger's key was changed until 4 s after it was changed back"},
		{"run", some, false, `users of get record were not served (Timeout) from 2 s after "x" was injected until 4 s after it was restored`},
		{scenarios.DisableKey, change(func(a *result.Anatomy) { a.FullEffect = result.Never }), false,
			"some users of get record (40 of 100 requests) were not served (Timeout) from 2 s after the key was disabled until 4 s after it was enabled again"},
		{scenarios.DisableKey, change(func(a *result.Anatomy) { a.Recovered = result.Never }), false,
			"from 2 s after the key was disabled, and were not reliably served again after it was enabled again"},
		{scenarios.DisableKey, change(func(a *result.Anatomy) { a.Recovered, a.Afterwards = result.Never, 0 }), false,
			"from 2 s after the key was disabled; nobody asked after it was enabled again"},
		{scenarios.UpdateLedgerKey, change(func(a *result.Anatomy) { a.Recovered, a.TimeToRecover = 30*s, 0 }), false,
			"from 2 s after the ledger's key was changed, and served again by the time it was changed back"},
		{scenarios.DisableKey, change(func(a *result.Anatomy) { a.FullEffect = 13 * s }), false,
			"users of get record were not served (Timeout) from 2 s after the key was disabled (all of them from 3 s on) until 4 s after it was enabled again"},
		{scenarios.DisableKey, change(func(a *result.Anatomy) { a.FullEffect, a.Recovered = 13*s, result.Never }), false,
			"from 2 s after the key was disabled (all of them from 3 s on), and were not reliably served again after it was enabled again"},
		{scenarios.DisableKey, change(func(a *result.Anatomy) { a.FirstEffect, a.TimeToRecover, a.Failed, a.Waiting = result.Never, 0, 0, 7 }), false,
			"users of get record were let down when the key was disabled: 100 requests were served while it lasted, " +
				"but at least 7 got no answer before it was over, and failed then (Timeout)"},
		{scenarios.DisableKey, some, true, "from 2 s after the key was disabled; it was never restored"},
		{scenarios.DisableKey, change(func(a *result.Anatomy) { a.FirstEffect, a.TimeToRecover = result.Never, 0 }), false,
			"users of get record noticed nothing when the key was disabled: all 100 requests were served while it lasted"},
		{scenarios.DisableKey, change(func(a *result.Anatomy) { a.FirstEffect = result.Never }), false,
			"users of get record were served while the fault lasted, but not all of them in the first 4 s after the key was enabled again"},
		{scenarios.DisableKey, change(func(a *result.Anatomy) {
			a.FirstEffect, a.Recovered, a.TimeToRecover = result.Never, result.Never, result.Never
		}), false,
			"users of get record were served while the fault lasted, but not reliably after the key was enabled again"},
	} {
		f := result.Fault{Name: "x", Action: string(c.action), Restored: 30 * s}
		if c.unmade {
			f.Restored = result.Never
		}
		if got := story(newBench().finish(s), f, c.anatomy); !strings.HasSuffix(got, c.want) {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestStepLabels(t *testing.T) {
	run := &result.Run{Steps: []result.Step{
		{Scenario: "alone", Name: "GET /a"}, {Scenario: "two", Name: "GET /b"}, {Scenario: "two", Name: "GET /c"}, {Name: "GET /d"},
	}}
	for i, want := range []string{"alone", "two: GET /b", "two: GET /c", "GET /d"} {
		if got := stepLabel(run, i); got != want {
			t.Errorf("step %d: got %q, want %q", i, got, want)
		}
	}
}

// Every way not to answer has its words.
func TestWhyNothingAnswered(t *testing.T) {
	for class, want := range map[result.Class]string{
		result.ConnectionRefused: "it refused connections", result.ConnectionReset: "it broke every connection",
		result.DNS: "its name does not resolve", result.TLS: "no TLS connection to it could be made",
		result.BadResponse: "what came back was not HTTP", result.Timeout: "it never did in time",
	} {
		b := newBench().traffic(get, 0, 10*s, s, always(class, ms))
		b.run.Target = ""
		got := Judge(&b.script, b.finish(10*s))
		if got.Outcome != fail || !strings.Contains(got.Reasons[0], "the target answered none of 10 requests: "+want) {
			t.Errorf("%s: got %s: %q", class, got.Outcome, got.Reasons)
		}
	}
}
