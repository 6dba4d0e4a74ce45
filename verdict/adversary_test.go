package verdict

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// Runs made to deceive the judge, in both directions: requests that hang until the fault is over are
// in no span of it, and yet their users were there; time-outs end long after their users came.
func TestJudgeIsNotDeceived(t *testing.T) {
	ok := always(result.OK, 2*ms)
	hang := func(from, to time.Duration, c result.Class, took time.Duration) func(time.Duration) (result.Class, time.Duration) {
		return func(at time.Duration) (result.Class, time.Duration) {
			if at >= from && at < to {
				return c, took
			}
			return result.OK, 2 * ms
		}
	}
	never := func(c ...result.Class) scenarios.Expectation {
		return scenarios.Expectation{Scope: scenarios.During, Succeed: -1, Never: c}
	}
	cut := func(b *bench, n uint64) *bench { b.run.Generator.Cut = n; return b }
	for _, c := range []struct {
		name  string
		bench *bench
		want  result.Judgment
		say   []string
		not   string
	}{
		{
			name: "all hang, and time out when the fault is over", want: inconclusive,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(24*s, 30*s, result.Timeout, 10*s)).
				fault(20*s, 30*s, succeed(scenarios.During, 1, 0)),
			say: []string{"at least 250 were answered only when it was over (250 Timeout)", "users of get record were let down when the key was disabled"}, not: "noticed nothing",
		},
		{
			name: "all hang after the time allowed", want: inconclusive,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(24*s, 30*s, result.Timeout, 10*s)).
				fault(20*s, 30*s, succeed(scenarios.During, 1, 3*s)),
		},
		{
			name: "all hang within the time allowed only", want: pass,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(21*s, 22*s, result.Timeout, 10*s)).
				fault(20*s, 30*s, succeed(scenarios.During, 1, 3*s)),
		},
		{
			name: "all hang after the time allowed, and some fail before", want: inconclusive,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(24*s, 30*s, result.Timeout, 10*s)).
				traffic(get, 21*s, 22*s, 500*ms, always(result.ServerError, ms)).
				fault(20*s, 30*s, succeed(scenarios.During, 1, 3*s)),
		},
		{
			name: "so few hang that it does not matter", want: pass,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(24*s, 24*s+1, result.Timeout, 10*s)).
				fault(20*s, 30*s, succeed(scenarios.During, 0.99, 0)),
		},
		{
			name: "one fails where the fault changes", want: pass,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(29980*ms, 29981*ms, result.ServerError, 25*ms)).
				fault(20*s, 30*s, succeed(scenarios.During, 1, 0)),
		},
		{
			name: "slow as ever, and some are answered when the fault is over", want: pass,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, always(result.OK, 3*s)).
				fault(20*s, 30*s, succeed(scenarios.During, 1, 0), limited(scenarios.During, scenarios.Limit{Quantile: 0.99, Max: 4 * s})),
		},
		{
			name: "another step hangs entirely", want: inconclusive,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, ok).traffic(create, 0, 60*s, 100*ms, hang(20*s, 30*s, result.Timeout, 12*s)).
				fault(20*s, 30*s, succeed(scenarios.During, 1, 0)),
			say: []string{"none of the requests of create record sent after the key was disabled was answered before that was over"},
		},
		{
			name: "too slow to be seen", want: inconclusive,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(24*s, 30*s, result.OK, 8*s)).
				fault(20*s, 30*s, limited(scenarios.During, scenarios.Limit{Quantile: 0.99, Max: 100 * ms})),
			say: []string{"at least 201 more were answered only when it was over"},
		},
		{
			name: "so few too slow to be seen that it does not matter", want: pass,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(24*s, 24*s+1, result.OK, 8*s)).
				fault(20*s, 30*s, limited(scenarios.During, scenarios.Limit{Quantile: 0.95, Max: 100 * ms})),
		},
		{
			name: "never, but when it was over", want: inconclusive,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(24*s, 30*s, result.Timeout, 10*s)).
				fault(20*s, 30*s, never(result.Timeout)),
		},
		{
			name: "never, and another class when it was over", want: pass,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(24*s, 30*s, result.Timeout, 10*s)).
				fault(20*s, 30*s, never(result.NotFound)),
		},
		{
			name: "fails as expected for a moment, and then hangs", want: inconclusive,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, func(at time.Duration) (result.Class, time.Duration) {
				switch {
				case at > 23*s && at < 24*s:
					return result.KeyInaccessible, 2 * ms
				case at >= 24*s && at < 30*s:
					return result.Timeout, 10 * s
				}
				return result.OK, 2 * ms
			}).fault(20*s, 30*s, fails(result.KeyInaccessible, 5*s)),
		},
		{
			name: "came in the time allowed, timed out after it", want: pass,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(40*s, 42*s, result.Timeout, 10*s)).
				fault(20*s, 40*s, succeed(scenarios.After, 1, 5*s)),
		},
		{
			name: "came in the time allowed, timed out after it, and nobody asked again", want: inconclusive,
			bench: newBench().traffic(get, 0, 42*s, 20*ms, hang(40*s, 42*s, result.Timeout, 10*s)).
				fault(20*s, 40*s, succeed(scenarios.After, 1, 5*s)),
			say: []string{"nobody asked again"},
		},
		{
			name: "came after the time allowed, and timed out", want: fail,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, hang(47*s, 47*s+1, result.Timeout, 10*s)).
				fault(20*s, 40*s, succeed(scenarios.After, 1, 5*s)),
		},
		{
			name: "unanswered at the end, which the error rate does not show", want: fail,
			bench: cut(newBench().traffic(get, 0, 10*s, 20*ms, ok).ensure("maxErrorRate", 0, true), 3),
		},
		{
			name: "unanswered at the end, and the error rate allows it", want: pass,
			bench: cut(newBench().traffic(get, 0, 10*s, 20*ms, ok).ensure("maxErrorRate", 1, true), 3),
		},
		{
			name: "unanswered at the end, after the fault", want: inconclusive,
			bench: cut(newBench().traffic(get, 0, 60*s, 20*ms, ok).fault(20*s, 40*s, succeed(scenarios.After, 1, 0)), 3),
			say:   []string{"3 requests had no answer when the run ended"},
		},
		{
			name: "unanswered at the end, before the fault does not matter", want: pass,
			bench: cut(newBench().traffic(get, 0, 60*s, 20*ms, ok).fault(20*s, 40*s, succeed(scenarios.Before, 1, 0)), 3),
		},
		{
			name: "late and dropping, but failing by itself", want: fail,
			bench: func() *bench {
				b := newBench().traffic(get, 0, 10*s, 20*ms, always(result.OK, ms)).traffic(get, 0, 10*s, 40*ms, always(result.ServerError, ms)).
					traffic(get, 5*s, 5*s+1, s, always(result.Dropped, 0)).ensure("maxErrorRate", 1, true)
				b.run.Generator.Lateness.P99 = 25 * ms
				return b
			}(),
		},
		{
			name: "expectations without a condition expect nothing", want: fail,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, between(50*s, 55*s, result.ServerError)).
				fault(20*s, 40*s, scenarios.Expectation{Scope: scenarios.During, Succeed: -1}),
			say: []string{"were not served (250 ServerError), and the script allows none"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := c.bench.finish(75 * s)
			got := Judge(&c.bench.script, run)
			reasons := strings.Join(got.Reasons, "\n")
			if got.Outcome != c.want {
				t.Errorf("got %s, want %s", got.Outcome, c.want)
			}
			for _, say := range c.say {
				if !strings.Contains(reasons, say) {
					t.Errorf("no reason says %q", say)
				}
			}
			if c.not != "" && strings.Contains(reasons, c.not) {
				t.Errorf("a reason says %q", c.not)
			}
			sound(t, got)
			if t.Failed() {
				t.Logf("reasons:\n%s\nchecks: %+v", reasons, got.Checks)
			}
		})
	}
}

// TestJudgeAgainstRequests judges random outages under one expectation each, and compares with the
// requests themselves: a pass has no request against it, a fail has one. Only what lies within a second of
// a boundary may be read either way, for there windows decide.
func TestJudgeAgainstRequests(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 2))
	seen := map[string]map[result.Judgment]int{"during": {}, "after": {}, "fails": {}}
	for n := range 1000 {
		b := newBench()
		classes := []result.Class{result.KeyInaccessible, result.KeyInaccessible, result.ServerError, result.Timeout}
		outage := classes[rng.IntN(len(classes))]
		from := time.Duration(15000+rng.IntN(20000)) * ms
		to := from + time.Duration(rng.IntN(20000))*ms
		hang := []time.Duration{2 * ms, 2 * ms, time.Duration(rng.IntN(12000)) * ms}[rng.IntN(3)]
		share := 1 + rng.IntN(3) // of requests that are hit
		b.traffic(get, 0, time.Duration(40+rng.IntN(20))*s, time.Duration(10+rng.IntN(300))*ms, func(at time.Duration) (result.Class, time.Duration) {
			if at >= from && at < to && rng.IntN(share) == 0 {
				return outage, hang
			}
			return result.OK, time.Duration(1+rng.IntN(50)) * ms
		})
		within := []time.Duration{0, time.Duration(rng.IntN(12000)) * ms}[rng.IntN(2)]
		var kind string
		var e scenarios.Expectation
		switch rng.IntN(3) {
		case 0:
			kind, e = "during", succeed(scenarios.During, 1, within)
		case 1:
			kind, e = "after", succeed(scenarios.After, 1, within)
		case 2:
			kind, e = "fails", fails(result.KeyInaccessible, within)
		}
		run := b.fault(20*s, 30*s, e).finish(75 * s)
		f := run.Faults[0]
		begin, end := f.Broken, f.Restoring
		if kind == "after" {
			begin, end = f.Restored, run.Took
		}
		deadline := begin + within
		against, hint := false, false // surely, and perhaps
		for _, r := range b.requests {
			bad, inside := r.class != result.OK, r.sent >= begin && r.done <= end
			switch kind {
			case "fails":
				wrong := bad && r.class != result.KeyInaccessible || !bad && r.done > deadline
				against = against || inside && wrong
				hint = hint || inside && wrong
			default:
				against = against || bad && inside && r.sent >= deadline || bad && r.sent >= deadline+s && r.sent+3*s <= end
				hint = hint || bad && inside && r.sent+s > deadline
			}
		}
		got := Judge(&b.script, run).Outcome
		seen[kind][got]++
		if got == pass && against || got == fail && !hint {
			t.Fatalf("seed %d, run %d: %s within %v is %s; %v from %v to %v after %v: %q", seed, n, kind, within, got, outage, from, to, hang,
				Judge(&b.script, run).Reasons)
		}
	}
	for kind, all := range seen {
		if all[pass] == 0 || all[fail] == 0 || all[inconclusive] == 0 && kind != "after" {
			t.Errorf("seed %d: %s was only ever judged %v", seed, kind, all)
		}
	}
}
