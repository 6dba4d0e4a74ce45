package verdict

import (
	"math/rand/v2"
	"testing"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

const (
	ms = time.Millisecond
	s  = time.Second
)

func TestAnatomy(t *testing.T) {
	const never = result.Never
	step := func(from, to time.Duration, answer func(time.Duration) (result.Class, time.Duration)) *bench {
		return newBench().traffic(get, from, to, 20*ms, answer)
	}
	for _, c := range []struct {
		name string
		run  *result.Run
		want []result.Anatomy
	}{
		{
			name: "clean: fails 4 s after, recovers 3 s after",
			// sent at 14.010 and later fails, until 33.010; sent every 20 ms on the even 20
			run: step(0, 60*s, between(14010*ms, 33010*ms, result.KeyInaccessible)).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 999, Failed: 799, Class: result.KeyInaccessible,
				FirstEffect: 14022 * ms, FullEffect: 14022 * ms, FirstSuccess: 33022 * ms, Recovered: 33022 * ms,
				Grace: 4012 * ms, GraceGap: 20 * ms, TimeToRecover: 3012 * ms, RecoverGap: 20 * ms, Afterwards: 1499,
			}},
		},
		{
			name: "nobody noticed",
			run:  step(0, 60*s, always(result.OK, 2*ms)).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 999, FirstEffect: never, FullEffect: never, FirstSuccess: never,
				Recovered: never, Grace: never, Afterwards: 1499,
			}},
		},
		{
			name: "at once, and good again before the restore was verified",
			run:  step(0, 60*s, between(10*s, 30005*ms, result.AccessDenied)).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 999, Failed: 999, Class: result.AccessDenied,
				FirstEffect: 10022 * ms, FullEffect: 10022 * ms, FirstSuccess: 30022 * ms, Recovered: 30022 * ms,
				Grace: 12 * ms, GraceGap: 12 * ms, TimeToRecover: 12 * ms, RecoverGap: 12 * ms, Afterwards: 1499,
			}},
		},
		{
			name: "good again while it was being restored",
			run: func() *result.Run {
				b := step(0, 60*s, between(10*s, 31*s, result.AccessDenied)).fault(10*s, 30*s)
				b.run.Faults[0].Restored = 33 * s
				return b.finish(60 * s)
			}(),
			want: []result.Anatomy{{
				Step: get, Requests: 999, Failed: 999, Class: result.AccessDenied,
				FirstEffect: 10022 * ms, FullEffect: 10022 * ms, FirstSuccess: 31002 * ms, Recovered: 33 * s,
				Grace: 12 * ms, GraceGap: 12 * ms, Afterwards: 1350,
			}},
		},
		{
			name: "good again while it was being restored, but some hung until later",
			run: func() *result.Run {
				b := step(0, 60*s, func(at time.Duration) (result.Class, time.Duration) {
					if at >= 10*s && at < 31*s {
						return result.Timeout, 5 * s
					}
					return result.OK, 2 * ms
				}).fault(10*s, 30*s)
				b.run.Faults[0].Restored = 33 * s
				return b.finish(60 * s)
			}(),
			want: []result.Anatomy{{
				Step: get, Requests: 750, Failed: 750, Waiting: 150, Class: result.Timeout, // those sent until 25 s
				FirstEffect: 15020 * ms, FullEffect: 15020 * ms, FirstSuccess: 33002 * ms, Recovered: 33002 * ms,
				Grace: 5010 * ms, GraceGap: 5010 * ms, TimeToRecover: 2 * ms, RecoverGap: 2 * ms, Afterwards: 1350,
			}},
		},
		{
			name: "all hang until it is over",
			run: step(0, 60*s, func(at time.Duration) (result.Class, time.Duration) {
				if at >= 24*s && at < 30*s {
					return result.Timeout, 10 * s
				}
				return result.OK, 2 * ms
			}).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 699, Waiting: 250, Class: result.Timeout, FirstEffect: never, FullEffect: never,
				FirstSuccess: never, Recovered: never, Grace: never, Afterwards: 1499,
			}},
		},
		{
			name: "never recovers",
			run:  step(0, 60*s, between(14*s, 60*s, result.KeyInaccessible)).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 999, Failed: 800, Class: result.KeyInaccessible,
				FirstEffect: 14002 * ms, FullEffect: 14002 * ms, FirstSuccess: never, Recovered: never,
				Grace: 3992 * ms, GraceGap: 20 * ms, TimeToRecover: never, Afterwards: 1499,
			}},
		},
		{
			name: "nobody asks after it",
			run:  step(0, 30*s, between(14*s, 60*s, result.KeyInaccessible)).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 999, Failed: 800, Class: result.KeyInaccessible,
				FirstEffect: 14002 * ms, FullEffect: 14002 * ms, FirstSuccess: never, Recovered: never,
				Grace: 3992 * ms, GraceGap: 20 * ms, TimeToRecover: never,
			}},
		},
		{
			name: "every fourth fails to the end, and one stray failure long after",
			run: step(0, 60*s, func(at time.Duration) (result.Class, time.Duration) {
				if at >= 15*s && at < 31*s && at/(20*ms)%4 == 0 || at == 50*s {
					return result.ServerError, 2 * ms
				}
				return result.OK, 2 * ms
			}).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 999, Failed: 187, Class: result.ServerError,
				FirstEffect: 15042 * ms, FullEffect: never, FirstSuccess: 30022 * ms, Recovered: 30982 * ms,
				Grace: 5032 * ms, GraceGap: 40 * ms, TimeToRecover: 972 * ms, RecoverGap: 20 * ms, Afterwards: 1499,
			}},
		},
		{
			name: "requests from before the restore that time out after it do not delay recovery",
			run: step(0, 60*s, func(at time.Duration) (result.Class, time.Duration) {
				if at >= 12*s && at < 30*s {
					return result.Timeout, 5 * s
				}
				return result.OK, 2 * ms
			}).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 99 + 651, Failed: 651, Waiting: 199, Class: result.Timeout,
				FirstEffect: 17 * s, FullEffect: 17 * s, FirstSuccess: 30022 * ms, Recovered: 30022 * ms,
				Grace: 6990 * ms, GraceGap: 17*s - 11982*ms, TimeToRecover: 12 * ms, RecoverGap: 12 * ms, Afterwards: 1499,
			}},
		},
		{
			name: "and neither do they when others fail for a while after it",
			run: step(0, 60*s, func(at time.Duration) (result.Class, time.Duration) {
				switch {
				case at >= 12*s && at <= 30*s:
					return result.Timeout, 5 * s
				case at > 30*s && at < 31*s:
					return result.ServerError, 2 * ms
				}
				return result.OK, 2 * ms
			}).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 99 + 651, Failed: 651, Waiting: 199, Class: result.Timeout,
				FirstEffect: 17 * s, FullEffect: 17 * s, FirstSuccess: 31002 * ms, Recovered: 31002 * ms,
				Grace: 6990 * ms, GraceGap: 17*s - 11982*ms, TimeToRecover: 992 * ms, RecoverGap: 20 * ms, Afterwards: 1499,
			}},
		},
		{
			name: "one good second between failures is not recovery",
			run: step(0, 60*s, func(at time.Duration) (result.Class, time.Duration) {
				if at >= 14*s && at < 33*s || at >= 34*s && at < 37*s {
					return result.KeyInaccessible, 2 * ms
				}
				return result.OK, 2 * ms
			}).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 999, Failed: 800, Class: result.KeyInaccessible,
				FirstEffect: 14002 * ms, FullEffect: 14002 * ms, FirstSuccess: 33002 * ms, Recovered: 37002 * ms,
				Grace: 3992 * ms, GraceGap: 20 * ms, TimeToRecover: 6992 * ms, RecoverGap: 20 * ms, Afterwards: 1499,
			}},
		},
		{
			name: "every fourth fails, the last one by chance too",
			run: step(0, 60*s, func(at time.Duration) (result.Class, time.Duration) {
				if at >= 15*s && at < 30*s && at/(20*ms)%4 == 3 {
					return result.ServerError, 2 * ms
				}
				return result.OK, 2 * ms
			}).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 999, Failed: 188, Class: result.ServerError,
				FirstEffect: 15022 * ms, FullEffect: never, FirstSuccess: 30002 * ms, Recovered: 30010 * ms,
				Grace: 5012 * ms, GraceGap: 20 * ms, Afterwards: 1499,
			}},
		},
		{
			name: "most fail, and then all",
			run: step(0, 60*s, func(at time.Duration) (result.Class, time.Duration) {
				if at >= 15*s && at < 20*s && at/(20*ms)%4 != 3 || at >= 20*s && at < 30*s {
					return result.ServerError, 2 * ms
				}
				return result.OK, 2 * ms
			}).fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 999, Failed: 687, Class: result.ServerError,
				FirstEffect: 15002 * ms, FullEffect: 20002 * ms, FirstSuccess: 30002 * ms, Recovered: 30010 * ms,
				Grace: 4992 * ms, GraceGap: 20 * ms, Afterwards: 1499,
			}},
		},
		{
			name: "steps without requests meanwhile are left out",
			run: step(0, 60*s, always(result.OK, 2*ms)).traffic(create, 0, 10*s, 20*ms, always(result.OK, 2*ms)).
				fault(10*s, 30*s).finish(60 * s),
			want: []result.Anatomy{{
				Step: get, Requests: 999, FirstEffect: never, FullEffect: never, FirstSuccess: never,
				Recovered: never, Grace: never, Afterwards: 1499,
			}},
		},
		{
			name: "refused",
			run: func() *result.Run {
				b := step(0, 60*s, always(result.OK, 2*ms)).fault(never, never)
				b.run.Faults[0] = result.Fault{Refused: "no", Breaking: never, Broken: never, Restoring: never, Restored: never}
				return b.finish(60 * s)
			}(),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Anatomy(c.run, 0)
			if len(got) != len(c.want) {
				t.Fatalf("got %d anatomies, want %d", len(got), len(c.want))
			}
			for i, w := range c.want {
				w.Availability = float64(w.Requests-w.Failed) / float64(w.Requests)
				if got[i] != w {
					t.Errorf("got\n%+v, want\n%+v", got[i], w)
				}
			}
		})
	}
}

// Dropped arrivals were not served, but were not requests either.
func TestAnatomyCountsDropsAsUnavailable(t *testing.T) {
	run := newBench().traffic(get, 0, 60*s, 100*ms, func(at time.Duration) (result.Class, time.Duration) {
		if at >= 20*s && at < 25*s {
			return result.Dropped, 0
		}
		return result.OK, ms
	}).fault(10*s, 30*s).finish(60 * s)
	a := Anatomy(run, 0)[0]
	if a.Requests != 149 || a.Failed != 0 || a.Availability != 149./199 || a.Class != result.Dropped {
		t.Errorf("got %+v", a)
	}
}

// TestAnatomyBounds holds, for random outages, what the definitions promise against the requests
// themselves.
func TestAnatomyBounds(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		gap := time.Duration(1+rng.IntN(200)) * ms
		fail := time.Duration(rng.IntN(40000)) * ms
		heal := fail + time.Duration(rng.IntN(40000))*ms
		took := time.Duration(1+rng.IntN(300)) * ms
		b := newBench().traffic(get, 0, 60*s, gap, func(at time.Duration) (result.Class, time.Duration) {
			if at >= fail && at < heal {
				return []result.Class{result.ServerError, result.KeyInaccessible, result.Timeout}[at/gap%3], took
			}
			return result.OK, took
		}).fault(10*s, 30*s)
		run := b.finish(61 * s)
		f := run.Faults[0]
		firstBad, firstGood, lastBad := result.Never, result.Never, result.Never
		lastOfAll, goodBefore := result.Never, result.Never // bad answers, and good ones until the restore
		for _, r := range b.requests {
			if r.class != result.OK {
				lastOfAll = max(lastOfAll, r.done)
			} else if r.done <= f.Restored {
				goodBefore = max(goodBefore, r.done)
			}
			in := r.sent >= f.Broken && r.done <= f.Restoring
			past := r.sent >= f.Restored && r.done <= run.Took
			switch {
			case in && r.class != result.OK && firstBad == result.Never:
				firstBad = r.done
			case past && r.class != result.OK:
				lastBad = r.done
			case past && r.class == result.OK && firstGood == result.Never:
				firstGood = r.done
			}
		}
		a := Anatomy(run, 0)[0]
		if a.FirstEffect != firstBad {
			t.Fatalf("seed %d: first effect %v, want %v", seed, a.FirstEffect, firstBad)
		}
		if firstBad != result.Never && (a.Grace != firstBad-f.Broken || a.GraceGap < 0 || a.GraceGap > a.Grace) {
			t.Fatalf("seed %d: grace %v with a gap of %v", seed, a.Grace, a.GraceGap)
		}
		switch {
		case firstBad == result.Never && lastBad == result.Never:
			if a.TimeToRecover != 0 {
				t.Fatalf("seed %d: time to recover %v, though nobody noticed", seed, a.TimeToRecover)
			}
		case fail < f.Restored && heal < 50*s: // one clean switch, and enough is left for windows to be good
			if a.Recovered < max(lastBad, f.Restored) || a.TimeToRecover != a.Recovered-f.Restored || a.RecoverGap > a.TimeToRecover {
				t.Fatalf("seed %d: recovered %v (%v after, gap %v), last bad %v", seed, a.Recovered, a.TimeToRecover, a.RecoverGap, lastBad)
			}
			before := goodBefore > max(lastOfAll, f.Restoring) && lastOfAll <= f.Restored && a.FirstSuccess > max(lastOfAll, f.Restoring)
			if a.Recovered != firstGood && !(before && a.Recovered == f.Restored) {
				t.Fatalf("seed %d: recovered %v, first good answer %v", seed, a.Recovered, firstGood)
			}
		}
	}
}

func TestScopes(t *testing.T) {
	// Fault 0 lasts from 10 to 40, fault 1 within it from 20 to 30, fault 2 alone from 50 to 55.
	run := newBench().fault(10*s, 40*s).fault(20*s, 30*s).fault(50*s, 55*s).finish(60 * s)
	for _, c := range []struct {
		fault    int
		scope    scenarios.Scope
		from, to time.Duration
		spans    int
	}{
		{0, scenarios.Before, 0, 10 * s, 1},
		{0, scenarios.During, 10010 * ms, 40 * s, 5},
		{0, scenarios.After, 40010 * ms, 50 * s, 1},
		{1, scenarios.Before, 0, 10 * s, 1}, // the nearest clean stretch
		{1, scenarios.During, 20010 * ms, 30 * s, 1},
		{1, scenarios.After, 40010 * ms, 50 * s, 1}, // fault 0 outlives it
		{2, scenarios.Before, 40010 * ms, 50 * s, 1},
		{2, scenarios.During, 50010 * ms, 55 * s, 1},
		{2, scenarios.After, 55010 * ms, 60 * s, 1},
	} {
		got := scopeOf(run, c.fault, c.scope)
		if got.from != c.from || got.to != c.to || len(got.spans) != c.spans {
			t.Errorf("fault %d %s: got %v to %v in %d spans, want %v to %v in %d",
				c.fault, c.scope, got.from, got.to, len(got.spans), c.from, c.to, c.spans)
		}
	}
}
