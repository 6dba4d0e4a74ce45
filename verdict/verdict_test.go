package verdict

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

const (
	pass         = result.Pass
	fail         = result.Fail
	inconclusive = result.Inconclusive
)

// article returns a run like the article's third scenario: the key is disabled from 20 s to 40 s, and
// users are refused in [from, to).
func article(from, to time.Duration) *bench {
	return newBench().
		traffic(create, 0, 10*s, 20*ms, always(result.OK, 3*ms)).
		traffic(get, 10*s, 60*s, 20*ms, between(from, to, result.KeyInaccessible)).
		fault(20*s, 40*s,
			succeed(scenarios.Before, 1, 0), fails(result.KeyInaccessible, 10*s), succeed(scenarios.After, 1, 15*s))
}

func TestJudge(t *testing.T) {
	ok := always(result.OK, 2*ms)
	plain := func() *bench { return newBench().traffic(get, 0, 10*s, 20*ms, ok) }
	broken := func(e ...scenarios.Expectation) *bench {
		return newBench().traffic(get, 0, 60*s, 20*ms, between(22*s, 42*s, result.KeyInaccessible)).fault(20*s, 40*s, e...)
	}
	late := func(b *bench) *bench { b.run.Generator.Lateness.P99 = 25 * ms; return b }
	drops := func(b *bench) *bench {
		return b.traffic(get, 5*s, 6*s, 100*ms, always(result.Dropped, 0))
	}
	for _, c := range []struct {
		name  string
		bench *bench
		want  result.Judgment
		say   []string // in the reasons
		not   string   // not in the reasons
		stuck bool
	}{
		{
			name: "the article's third scenario", bench: article(24100*ms, 43900*ms), want: pass,
			say: []string{"users of get record were refused (KeyInaccessible) from 4.1 s after the key was disabled until 3.9 s after it was enabled again"},
		},
		{name: "no expectations, all good", bench: plain(), want: pass, say: []string{"500 of 500 requests were served"}},
		{
			name: "no expectations, one failure", bench: plain().traffic(get, 9*s, 9*s+1, s, always(result.ServerError, ms)), want: fail,
			say: []string{"1 of 501 requests were not served (1 ServerError), and the script allows none"},
		},
		{
			name: "no expectations, unanswered at the end", want: fail,
			bench: func() *bench { b := plain(); b.run.Generator.Cut = 3; return b }(),
			say:   []string{"3 of 503 requests were not served (3 unanswered at the end)"},
		},
		{name: "no expectations, drops", bench: drops(plain()), want: fail, say: []string{"10 of 510 requests were not served (10 Dropped)"}},
		{
			name: "no expectations, drops, late generator", bench: late(drops(plain())), want: inconclusive,
			say: []string{"the load generator was late (p99 25 ms, at most 10 ms is sound)", "10 dropped arrivals"},
		},
		{name: "late generator", bench: late(plain()), want: inconclusive, say: []string{"the load generator was late"}},
		{name: "late, and failures that are not its doing", bench: late(plain().traffic(get, 0, s, s, always(result.NotFound, ms))), want: fail},
		{name: "nothing sent", bench: newBench(), want: inconclusive, say: []string{"nothing was measured: no request was sent"}},
		{
			name: "nothing sent, whatever is expected", want: inconclusive,
			bench: newBench().fault(20*s, 40*s, succeed(scenarios.Before, 1, 0), fails(result.KeyInaccessible, 0)),
		},
		{
			name: "all dropped", bench: newBench().traffic(get, 0, s, 100*ms, always(result.Dropped, 0)), want: inconclusive,
			say: []string{"all 10 arrivals were dropped"},
		},
		{
			name: "connections refused", bench: newBench().traffic(get, 0, 10*s, s, always(result.ConnectionRefused, ms)), want: fail,
			say: []string{"http://127.0.0.1:8080 answered none of 10 requests: it refused connections (10 ConnectionRefused)"},
		},
		{
			name: "connections refused, as expected", want: fail,
			bench: newBench().traffic(get, 0, 60*s, s, always(result.ConnectionRefused, ms)).
				fault(20*s, 40*s, fails(result.ConnectionRefused, 0)),
			say: []string{"it refused connections"},
		},
		{
			name: "a vague timeout", bench: newBench().traffic(get, 0, 10*s, s, always(result.Timeout, s)), want: fail,
			say: []string{"it never did in time"},
		},
		{
			name: "nothing was created to be read", bench: newBench().traffic(get, 0, 10*s, s, always(result.CaptureFailed, 0)), want: fail,
			say: []string{"the values to ask with were missing"},
		},
		{
			name: "interrupted", want: inconclusive,
			bench: func() *bench { b := plain(); b.run.Interrupted = "interrupt"; b.run.Generator.Cut = 4; return b }(),
			say:   []string{"the run was interrupted (interrupt)"}, not: "not served",
		},
		{
			name: "interrupted after a failure", want: fail,
			bench: func() *bench {
				b := plain().traffic(get, 0, s, s, always(result.ServerError, ms))
				b.run.Interrupted = "interrupt"
				return b
			}(),
			say: []string{"1 of 501 requests were not served", "the run was interrupted (interrupt)"},
		},

		// Faults.
		{
			name: "refused", want: inconclusive,
			bench: func() *bench {
				b := plain().expect(fails(result.KeyInaccessible, 0))
				b.run.Faults = []result.Fault{{
					Name: "x", Refused: "access denied", Breaking: -1, Broken: -1, Visible: -1, Restoring: -1,
					RestoreAccepted: -1, Restored: -1, Settled: -1,
				}}
				return b
			}(),
			say: []string{`the fault "x" was refused, and nothing was broken: access denied`},
		},
		{
			name: "never injected", want: inconclusive,
			bench: func() *bench {
				b := plain().expect(fails(result.KeyInaccessible, 0))
				b.run.Faults = []result.Fault{{
					Name: "x", Breaking: -1, Broken: -1, Visible: -1, Restoring: -1, RestoreAccepted: -1, Restored: -1, Settled: -1,
				}}
				return b
			}(),
			say: []string{`the fault "x" was never injected`},
		},
		{
			name: "breaking ended in an error", want: inconclusive,
			bench: func() *bench {
				b := broken(fails(result.KeyInaccessible, 0))
				b.run.Faults[0].Broken, b.run.Faults[0].Visible, b.run.Faults[0].Error = -1, -1, "no answer"
				return b
			}(),
			say: []string{`may not have been in force: breaking it ended in an error: no answer`},
		},
		{
			name: "something else went wrong", want: pass,
			bench: func() *bench {
				b := article(24*s, 43*s)
				b.run.Faults[0].Error = "its journal entry is still open"
				return b
			}(),
			say: []string{`of the fault "disable the ledger's key": its journal entry is still open`},
		},
		{
			name: "stuck", want: fail, stuck: true,
			bench: func() *bench {
				b := article(24*s, 60*s)
				f := &b.run.Faults[0]
				f.RestoreAccepted, f.Restored, f.Settled = -1, -1, -1
				f.Stuck = &result.Stuck{Error: "access denied", Command: "aws kms enable-key --key-id 1234"}
				return b
			}(),
			say: []string{"key/1234 is still broken (access denied); to restore it by hand: aws kms enable-key --key-id 1234", "it was never restored"},
		},
		{
			name: "no sign of a restore", want: fail,
			bench: func() *bench { b := article(24*s, 43*s); b.run.Faults[0].Restored = -1; return b }(),
			say:   []string{"nothing shows that key/1234 was restored"},
		},
		{
			name: "not watched until settled", want: inconclusive,
			bench: func() *bench { b := article(24*s, 43*s); b.run.Faults[0].Settled = -1; return b }(),
			say:   []string{"whether it stayed so is not known"},
		},
		{
			name: "no traffic while in force", want: inconclusive,
			bench: newBench().traffic(get, 0, 19*s, 20*ms, ok).traffic(get, 45*s, 60*s, 20*ms, ok).fault(20*s, 40*s),
			say:   []string{"was in force for 20 s and met no traffic"},
		},
		{
			name: "nobody answered while in force", want: inconclusive,
			bench: newBench().traffic(get, 0, 60*s, s, func(at time.Duration) (result.Class, time.Duration) {
				if at >= 20*s && at < 40*s {
					return result.Timeout, 30 * s
				}
				return result.OK, ms
			}).fault(20*s, 40*s, succeed(scenarios.Before, 1, 0)),
			say: []string{"of 19 requests sent while the fault", "none was answered before it was restored"},
		},
		{
			name: "no traffic in a scope with an expectation", want: inconclusive,
			bench: newBench().traffic(get, 15*s, 39*s, 20*ms, ok).fault(20*s, 40*s, succeed(scenarios.After, 1, 0)),
			say:   []string{"there was no traffic after the key was enabled again, so what is expected then (100% succeed) was not seen"},
		},

		// fail CLASS.
		{
			name: "fail-open: served to the end", bench: article(60*s, 60*s), want: fail,
			say: []string{
				"FAIL-OPEN: get record: data was still served 20 s after the key was disabled, although the key was gone",
				"users of get record noticed nothing when the key was disabled",
			},
		},
		{
			name: "fail-open: too late", bench: article(35*s, 43*s), want: fail,
			say: []string{"FAIL-OPEN: get record: data was still served 15 s after the key was disabled"},
		},
		{
			name: "fail-open: served again in between", want: fail,
			bench: article(24*s, 43*s).traffic(get, 33510*ms, 33511*ms, s, ok),
			say:   []string{"FAIL-OPEN: get record: data was still served 13.5 s after"},
		},
		{
			name: "good and bad may alternate while the grace lasts", want: pass,
			bench: article(24*s, 43*s).traffic(get, 29010*ms, 29011*ms, s, ok),
		},
		{
			name: "at once means at once", bench: broken(fails(result.KeyInaccessible, 0)), want: fail,
			say: []string{"FAIL-OPEN: get record: data was still served 2 s after"},
		},
		{
			name: "wrong class", bench: broken(fails(result.AccessDenied, 10*s)), want: fail,
			say: []string{"after the key was disabled, requests of get record failed as 900 KeyInaccessible where only AccessDenied was expected, the first 2 s after"},
			not: "FAIL-OPEN",
		},
		{
			name: "a second class", want: fail,
			bench: article(24*s, 43*s).traffic(get, 30*s, 31*s, 500*ms, always(result.Timeout, 100*ms)),
			say:   []string{"failed as 2 Timeout where only KeyInaccessible was expected"},
		},
		{
			name: "the fault was too short to tell", bench: broken(fails(result.KeyInaccessible, 30*s)), want: pass,
		},
		{
			name: "the fault was too short to tell, and nothing failed", want: inconclusive,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, ok).fault(20*s, 40*s, fails(result.KeyInaccessible, 30*s)),
			say:   []string{"the scope ended 20 s after the key was disabled, before the 30 s in which requests of get record may still be served were over"},
		},
		{
			name: "nobody asked while it began", want: inconclusive,
			bench: newBench().traffic(get, 0, 22*s, 20*ms, ok).traffic(get, 35*s, 40*s, 20*ms, always(result.KeyInaccessible, ms)).
				fault(20*s, 40*s, fails(result.KeyInaccessible, 10*s)),
			say: []string{"were seen to fail as KeyInaccessible only 15 s after the key was disabled; between 10 s and then nobody asked"},
		},

		// succeed.
		{
			name: "slow recovery", bench: article(24*s, 58*s), want: fail,
			say: []string{"users of get record were still refused (KeyInaccessible) 18 s after the key was enabled again; they should all have been served from 15 s on"},
		},
		{name: "recovery in the nick of time", bench: article(24*s, 55*s), want: pass},
		{
			name: "recovery a hair too late", bench: article(24*s, 55030*ms), want: fail,
			say: []string{"still refused (KeyInaccessible) 15.012 s after"},
		},
		{
			name: "not recovered when the run ended, before its time was up", want: inconclusive,
			bench: newBench().traffic(get, 0, 45*s, 20*ms, between(24*s, 60*s, result.KeyInaccessible)).
				fault(20*s, 40*s, succeed(scenarios.After, 1, 15*s)),
			say: []string{"nobody asked again, so whether they recover in 15 s is not known"},
		},
		{
			name: "recovered before the run ended, before its time was up", want: pass,
			bench: newBench().traffic(get, 0, 45*s, 20*ms, between(24*s, 43*s, result.KeyInaccessible)).
				fault(20*s, 40*s, succeed(scenarios.After, 1, 15*s)),
		},
		{
			name: "failures before", bench: article(24*s, 43*s).traffic(get, 15*s, 15100*ms, 50*ms, always(result.ServerError, ms)), want: fail,
			say: []string{"before the key was disabled, only 99.601% of the requests of get record succeeded where 100% was expected: 2 of 502 did not (2 ServerError)"},
		},
		{
			name: "failures before, as many as allowed", want: pass,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, ok).traffic(get, 15*s, 15*s+1, s, always(result.ServerError, ms)).
				fault(20*s, 40*s, succeed(scenarios.Before, 0.999, 0)),
		},
		{
			name: "a share after a time: good enough", want: pass,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, func(at time.Duration) (result.Class, time.Duration) {
				if at > 24*s && at < 44*s || at == 50*s {
					return result.KeyInaccessible, ms
				}
				return result.OK, ms
			}).fault(20*s, 40*s, succeed(scenarios.After, 0.99, 5*s)),
		},
		{
			name: "a share after a time: too little", want: fail,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, between(24*s, 50*s, result.KeyInaccessible)).
				fault(20*s, 40*s, succeed(scenarios.After, 0.99, 5*s)),
			say: []string{"later than 5 s after the key was enabled again, only 71.428% of the requests of get record succeeded where 99% was expected: 200 of 700"},
		},
		{
			name: "a share after a time: no traffic then", want: inconclusive,
			bench: newBench().traffic(get, 0, 44*s, 20*ms, between(24*s, 42*s, result.KeyInaccessible)).
				fault(20*s, 40*s, succeed(scenarios.After, 0.99, 5*s)),
			say: []string{"no request of get record was due later than 5 s after the key was enabled again"},
		},
		{
			name: "drops in a scope", want: fail,
			bench: drops(newBench().traffic(get, 0, 60*s, 20*ms, ok).fault(20*s, 40*s, succeed(scenarios.Before, 1, 0))),
			say:   []string{"10 of 1010 did not (10 Dropped)"},
		},
		{
			name: "drops in a scope, late generator", want: inconclusive,
			bench: late(drops(newBench().traffic(get, 0, 60*s, 20*ms, ok).fault(20*s, 40*s, succeed(scenarios.Before, 1, 0)))),
		},
		{
			name: "drops beside the expected failures, late generator", want: inconclusive,
			bench: late(article(24*s, 43*s).traffic(get, 30*s, 31*s, 500*ms, always(result.Dropped, 0))),
		},
		{
			name: "drops after recovery should be complete", want: fail,
			bench: article(24*s, 43*s).traffic(get, 57*s, 58*s, s, always(result.Dropped, 0)),
			say:   []string{"were still not served (Dropped)"},
		},
		{
			name: "drops after recovery should be complete, late generator", want: inconclusive,
			bench: late(article(24*s, 43*s).traffic(get, 57*s, 58*s, s, always(result.Dropped, 0))),
		},
		{
			name: "served again, but nobody asked while the grace lasted on", want: inconclusive,
			bench: newBench().traffic(get, 0, 26*s, 20*ms, between(22*s, 24*s, result.KeyInaccessible)).
				fault(20*s, 40*s, fails(result.KeyInaccessible, 10*s)),
			say: []string{"failed as KeyInaccessible and were served again"},
		},

		// never.
		{
			name: "never, and it did", want: fail,
			bench: broken(scenarios.Expectation{Scope: scenarios.During, Succeed: -1, Never: []result.Class{result.Timeout, result.KeyInaccessible}}),
			say:   []string{"after the key was disabled, 900 of 999 requests of get record ended as they never should: 900 KeyInaccessible"},
		},
		{
			name: "never, and it did not", want: pass,
			bench: broken(scenarios.Expectation{Scope: scenarios.During, Succeed: -1, Never: []result.Class{result.Timeout}}),
		},
		{
			name: "never dropped, late generator", want: inconclusive,
			bench: late(drops(newBench().traffic(get, 0, 60*s, 20*ms, ok).fault(20*s, 40*s,
				scenarios.Expectation{Scope: scenarios.Before, Succeed: -1, Never: []result.Class{result.Dropped}}))),
		},

		// Limits.
		{
			name: "a limit where nothing was timed", want: inconclusive,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, func(at time.Duration) (result.Class, time.Duration) {
				if at > 20*s && at < 40*s {
					return result.Dropped, 0
				}
				return result.OK, ms
			}).fault(20*s, 40*s, limited(scenarios.During, scenarios.Limit{Quantile: 0.99, Max: s})),
			say: []string{"p99 of get record is not known after the key was disabled"},
		},
		{name: "p99 within an absolute limit", bench: broken(limited(scenarios.During, scenarios.Limit{Quantile: 0.99, Max: 2 * ms})), want: pass},
		{
			name: "p99 above an absolute limit", bench: broken(limited(scenarios.During, scenarios.Limit{Quantile: 0.99, Max: ms})), want: fail,
			say: []string{"p99 of get record was 2 ms after the key was disabled, where at most 1 ms was expected"},
		},
		{
			name: "p99 above an absolute limit, late generator", want: inconclusive,
			bench: late(broken(limited(scenarios.During, scenarios.Limit{Quantile: 0.99, Max: ms}))),
		},
		{name: "p99 within a factor", bench: broken(limited(scenarios.During, scenarios.Limit{Quantile: 0.99, Factor: 1})), want: pass},
		{
			name: "p50 above a factor", want: fail,
			bench: newBench().traffic(get, 0, 60*s, 20*ms, func(at time.Duration) (result.Class, time.Duration) {
				if at > 20*s {
					return result.OK, 3 * ms
				}
				return result.OK, 2 * ms
			}).fault(20*s, 40*s, limited(scenarios.During, scenarios.Limit{Quantile: 0.5, Factor: 1.2})),
			say: []string{"p50 of get record was 3 ms after the key was disabled, where at most 1.2x of before (2.4 ms) was expected"},
		},
		{
			name: "a factor of too little", want: inconclusive,
			bench: newBench().traffic(get, 19*s, 60*s, 20*ms, ok).
				fault(20*s, 40*s, limited(scenarios.During, scenarios.Limit{Quantile: 0.99, Factor: 1.2})),
			say: []string{"p99 of get record cannot be compared: before the key was disabled it had 50 requests, and a factor takes 100"},
		},

		// ensure.
		{name: "ensure: holds", bench: plain().ensure("http.response_time.p99", 2.1, false), want: pass},
		{
			name: "ensure: does not hold", bench: plain().ensure("http.response_time.p99", 2, false), want: fail,
			say: []string{"http.response_time.p99 was 2 ms, and should have been below 2 ms"},
		},
		{name: "ensure: inclusive", bench: plain().ensure("http.response_time.max", 2, true), want: pass},
		{name: "ensure: late", bench: late(plain().ensure("http.response_time.p99", 2, false)), want: inconclusive},
		{name: "ensure: error rate", bench: drops(plain()).ensure("maxErrorRate", 2, true), want: pass},
		{
			name: "ensure: error rate too high", bench: drops(plain()).ensure("maxErrorRate", 1, true), want: fail,
			say: []string{"maxErrorRate was 1.961%, and should have been at most 1%"},
		},
		{name: "ensure: error rate, late", bench: late(drops(plain())).ensure("maxErrorRate", 1, true), want: inconclusive},
		{name: "ensure: count", bench: plain().ensure("errors.Timeout", 0, true), want: pass},
		{name: "ensure: count of a class that occurred", bench: drops(plain()).ensure("errors.Dropped", 5, false), want: fail},
		{name: "ensure: Artillery's name of a class", bench: plain().ensure("errors.ECONNREFUSED", 1, false), want: pass},
		{name: "ensure: users", bench: plain().ensure("vusers.failed", 1, false), want: pass},
		{name: "ensure: created", bench: plain().ensure("vusers.created", 500, false), want: fail},
		{
			name: "ensure: what is not recorded", bench: plain().ensure("http.codes.500", 1, false), want: inconclusive,
			say: []string{"the condition on http.codes.500 could not be checked"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := c.bench.finish(60 * s)
			got := Judge(&c.bench.script, run)
			if got.Outcome != c.want || got.Stuck != c.stuck {
				t.Errorf("got %s (stuck %v), want %s (stuck %v)", got.Outcome, got.Stuck, c.want, c.stuck)
			}
			reasons := strings.Join(got.Reasons, "\n")
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
				t.Logf("reasons:\n%s\nchecks:", reasons)
				for _, k := range got.Checks {
					t.Logf("%+v", k)
				}
			}
		})
	}
}

// ensure adds a threshold to the script.
func (b *bench) ensure(metric string, limit float64, inclusive bool) *bench {
	b.script.Config.Ensure = append(b.script.Config.Ensure,
		scenarios.Threshold{Metric: metric, Max: limit, Inclusive: inclusive})
	return b
}

// sound checks what holds for every verdict.
func sound(t *testing.T, v result.Verdict) {
	t.Helper()
	want := pass
	for _, c := range v.Checks {
		if c.Name == "" || c.Want == "" || c.Got == "" || c.Scope == "" {
			t.Errorf("a check is incomplete: %+v", c)
		}
		switch {
		case c.Lax: // it decides nothing
		case c.Outcome == fail:
			want = fail
		case c.Outcome == inconclusive && want == pass:
			want = inconclusive
		case c.Outcome != pass && c.Outcome != inconclusive:
			t.Errorf("a check has no outcome: %+v", c)
		}
	}
	if v.Outcome != want {
		t.Errorf("the outcome is %q and the checks say %q", v.Outcome, want)
	}
	if len(v.Reasons) == 0 || len(v.Checks) == 0 {
		t.Error("a verdict without reasons or checks")
	}
	if v.Stuck && v.Outcome != fail {
		t.Errorf("stuck and %q", v.Outcome)
	}
	if v.Stories > len(v.Reasons) || v.Outcome != pass && v.Stories == len(v.Reasons) {
		t.Errorf("%d of %d reasons are only stories, and the outcome is %s", v.Stories, len(v.Reasons), v.Outcome)
	}
}

// TestJudgeRandomRuns judges random runs under random expectations: the verdict is always the same,
// always sound, and changes nothing; without answers it is never a pass; and a run in which everything
// was served is failed only by those who expected otherwise.
func TestJudgeRandomRuns(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	classes := []result.Class{result.OK, result.OK, result.OK, result.KeyInaccessible, result.Timeout, result.Dropped, result.ConnectionRefused}
	for n := range 250 {
		b := newBench()
		good := rng.IntN(3) == 0
		for range rng.IntN(4) {
			from := time.Duration(rng.IntN(60)) * s
			class := classes[rng.IntN(len(classes))]
			if good {
				class = result.OK
			}
			b.traffic(rng.IntN(2), from, from+time.Duration(rng.IntN(20))*s, time.Duration(20+rng.IntN(500))*ms,
				always(class, time.Duration(rng.IntN(3000))*ms))
		}
		expectFailure := false
		for at := 5 * s; rng.IntN(3) > 0 && at < 50*s; at += 20 * s {
			var e []scenarios.Expectation
			for _, scope := range []scenarios.Scope{scenarios.Before, scenarios.During, scenarios.After} {
				switch rng.IntN(4) {
				case 0:
					e = append(e, succeed(scope, []float64{0, 0.5, 0.99, 1}[rng.IntN(4)], time.Duration(rng.IntN(10))*s))
				case 1:
					x := fails(classes[3+rng.IntN(4)], time.Duration(rng.IntN(10))*s)
					x.Scope = scope
					e = append(e, x)
					expectFailure = true
				case 2:
					e = append(e, scenarios.Expectation{Scope: scope, Succeed: -1, Never: []result.Class{result.Timeout}})
				}
			}
			b.fault(at, at+time.Duration(rng.IntN(15))*s, e...)
		}
		if rng.IntN(4) == 0 {
			b.run.Generator.Lateness.P99 = 50 * ms
		}
		run := b.finish(80 * s)
		got := Judge(&b.script, run)
		if again := Judge(&b.script, run); !reflect.DeepEqual(got, again) {
			t.Fatalf("seed %d, run %d: judged twice, differently:\n%+v\n%+v", seed, n, got, again)
		}
		if fresh := b.finish(80 * s); !reflect.DeepEqual(run, fresh) {
			t.Fatalf("seed %d, run %d: judging changed the run", seed, n)
		}
		sound(t, got)
		c := (&judge{run: run}).counts()
		switch {
		case c.Total() == 0 && got.Outcome == pass:
			t.Fatalf("seed %d, run %d: nothing was measured, and it passed", seed, n)
		case c[result.OK]+c[result.KeyInaccessible] == 0 && got.Outcome == pass:
			t.Fatalf("seed %d, run %d: nothing was answered, and it passed", seed, n)
		case c.Bad() == 0 && got.Outcome == fail && !expectFailure:
			t.Fatalf("seed %d, run %d: everything was served, and it failed: %q", seed, n, got.Reasons)
		case b.run.Generator.Late() && got.Outcome == pass:
			t.Fatalf("seed %d, run %d: late, and it passed", seed, n)
		}
		if t.Failed() {
			t.Fatalf("seed %d, run %d", seed, n)
		}
	}
}

// A generator that was late for a moment is late at p99 of a scope and not of the run: the service
// times tell its lateness from the system's slowness.
func TestLateForAMoment(t *testing.T) {
	for _, c := range []struct {
		name    string
		service time.Duration // what the system took
		want    result.Judgment
	}{{"the system was slow", 400 * ms, fail}, {"only the generator was late", 3 * ms, inconclusive}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench().traffic(get, 0, 60*s, 20*ms, between(70*s, 70*s, result.OK)).
				fault(20*s, 40*s, limited(scenarios.During, scenarios.Limit{Quantile: 0.99, Max: 250 * ms}))
			run := b.finish(60 * s)
			d := &run.Spans[2].Steps[get]
			d.Response.P99, d.Service.P99 = 500*ms, c.service
			if got := Judge(&b.script, run); got.Outcome != c.want {
				t.Errorf("expectation: got %s, want %s: %q", got.Outcome, c.want, got.Reasons)
			}
			b = newBench().traffic(get, 0, 60*s, 20*ms, between(70*s, 70*s, result.OK)).ensure("http.response_time.p99", 250, true)
			run = b.finish(60 * s)
			run.Steps[get].Response.P99, run.Steps[get].Service.P99 = 500*ms, c.service
			if got := Judge(&b.script, run); got.Outcome != c.want {
				t.Errorf("ensure: got %s, want %s: %q", got.Outcome, c.want, got.Reasons)
			}
		})
	}
}

// What users saw of a fault follows the reasons of the outcome, and is counted apart.
func TestStoriesComeLast(t *testing.T) {
	b := article(24*s, 58*s)
	got := Judge(&b.script, b.finish(60*s))
	if got.Stories != 1 || len(got.Reasons) != 2 || !strings.HasPrefix(got.Reasons[1], "users of get record were refused") {
		t.Errorf("got %d stories in %q", got.Stories, got.Reasons)
	}
}

// A limit over a scope of several spans is judged on all of their requests together.
func TestQuantileOfSeveralParts(t *testing.T) {
	part := func(from, to int) result.Distribution {
		var in []request
		for i := from; i < to; i++ {
			in = append(in, request{done: time.Duration(i) * ms})
		}
		return distribution(in)
	}
	whole, left, right := part(1, 1001), part(1, 300), part(300, 1001)
	for _, q := range []float64{0.5, 0.9, 0.95, 0.99, 0.999, 1} {
		want := named(whole, q)
		if got := quantile([]result.Distribution{left, right, {}}, q); got != (bounds{want, want}) {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
		l, r := left, right
		l.Buckets = nil
		if got := quantile([]result.Distribution{l, r}, q); got.low > want || got.high < want {
			t.Errorf("quantile %v without buckets: %v lies outside %v", q, want, got)
		}
	}
	if got, want := mean([]result.Distribution{left, right}), whole.Mean; (got - want).Abs() > ms {
		t.Errorf("mean: got %v, want %v", got, want)
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 850 * time.Microsecond: "850 µs", 2 * ms: "2 ms", 2345 * time.Microsecond: "2.3 ms", 123400 * time.Microsecond: "123 ms",
		4123 * ms: "4.1 s", 10 * s: "10 s", 99900 * ms: "99.9 s", 125 * s: "2 min 5 s", -4 * s: "-4 s",
	} {
		if got := human(d); got != want {
			t.Errorf("human(%d): got %q, want %q", d, got, want)
		}
	}
	for _, c := range []struct {
		d, limit time.Duration
		want     string
	}{
		{15 * s, 15 * s, "15 s"}, {15001 * ms, 15 * s, "15.001 s"}, {15*s + 1, 15 * s, "15.000000001s"}, {16 * s, 15 * s, "16 s"},
	} {
		if got := beside(c.d, c.limit); got != c.want {
			t.Errorf("beside(%v, %v): got %q, want %q", c.d, c.limit, got, c.want)
		}
	}
	for share, want := range map[float64]string{1: "100%", 0.999: "99.9%", 0.999999: "99.999%", 0: "0%", 0.29: "29%", 2. / 3: "66.666%"} {
		if got := percent(share); got != want {
			t.Errorf("percent(%v): got %q, want %q", share, got, want)
		}
	}
	for q, want := range map[float64]string{0.5: "p50", 0.95: "p95", 0.99: "p99", 0.999: "p999"} {
		if got := quantileName(q); got != want {
			t.Errorf("quantileName(%v): got %q, want %q", q, got, want)
		}
	}
}
