package runner

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// run runs w in a bubble and checks what holds for every run.
func run(t *testing.T, ctx context.Context, w *world) *result.Run {
	t.Helper()
	got, err := Run(ctx, w.options)
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, got)
	w.key.mu.Lock()
	disabled := w.key.disabled
	w.key.mu.Unlock()
	open, _ := w.journal.Pending()
	if disabled != got.Verdict.Stuck || (len(open) > 0) != got.Verdict.Stuck {
		t.Errorf("disabled: %v, open entries: %d, and the verdict says stuck: %v", disabled, len(open), got.Verdict.Stuck)
	}
	return got
}

// consistent checks that the parts of a run agree.
func consistent(t *testing.T, run *result.Run) {
	t.Helper()
	var windows, due, dropped uint64
	for i, w := range run.Windows {
		if w.At != time.Duration(i)*s {
			t.Fatalf("window %d is at %v", i, w.At)
		}
		due, dropped = due+w.Due, dropped+w.Dropped
		for _, s := range w.Steps {
			windows += s.Classes.Total()
		}
	}
	var totals, spans uint64
	for _, s := range run.Steps {
		totals += s.Classes.Total()
	}
	var phases, shares uint64
	for _, p := range run.Phases {
		phases += p.Due
		for _, s := range p.Steps {
			shares += s.Classes.Total()
		}
	}
	if phases != due || shares != totals {
		t.Errorf("phases hold %d arrivals of %d, and %d requests of %d", phases, due, shares, totals)
	}
	for i, s := range run.Spans {
		if i > 0 && s.From != run.Spans[i-1].To || s.To < s.From {
			t.Errorf("span %d lies from %v to %v, after one to %v", i, s.From, s.To, run.Spans[max(i-1, 0)].To)
		}
		for _, s := range s.Steps {
			spans += s.Classes.Total() + s.Straddling
		}
	}
	g := run.Generator
	// Flows here have one request: each arrival is recorded, dropped ones too, or cut short.
	if windows != totals || spans != totals || due != g.Due || g.Sent+g.Dropped != g.Due || totals+g.Unfinished != g.Due ||
		g.Cut > g.Unfinished || dropped != g.Dropped {
		t.Errorf("windows hold %d, spans %d, totals %d; due %d by window, %d in all: %d sent, %d dropped, %d unfinished, %d of them cut",
			windows, spans, totals, due, g.Due, g.Sent, g.Dropped, g.Unfinished, g.Cut)
	}
	if n := len(run.Spans); n == 0 || run.Spans[0].From != 0 || run.Spans[n-1].To != run.Took {
		t.Errorf("the spans do not cover the run")
	}
	if n := len(run.Windows); time.Duration(n)*s < run.Took || time.Duration(n-1)*s >= run.Took {
		t.Errorf("%d windows for %v", n, run.Took)
	}
	last := time.Duration(0)
	for _, e := range run.Events {
		if e.At < last || e.At > run.Took {
			t.Errorf("an event at %v after one at %v, in a run of %v", e.At, last, run.Took)
		}
		last = e.At
	}
	if _, err := json.Marshal(run); err != nil {
		t.Error(err)
	}
}

// kindsOf returns the kinds of a run's events about a fault, or with -1 about none.
func kindsOf(run *result.Run, fault int) (kinds []result.EventKind) {
	for _, e := range run.Events {
		if e.Fault == fault {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

// TestArticle runs the article's third scenario to the nanosecond: the key is disabled for 20 s; the
// API notices after 4 s, and recovers 3 s after the key was enabled again.
func TestArticle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20*s, expectations()...)))
		got := run(t, t.Context(), w)
		if got.Verdict.Outcome != result.Pass {
			t.Errorf("got %s: %q", got.Verdict.Outcome, got.Verdict.Reasons)
		}
		f := got.Faults[0]
		// Observing takes 1 ms, rehearsing 3 + 1, breaking 2, restoring 3, verifying 1, and settling 1,001.
		want := result.Fault{
			Name: "disable the key", Action: "disable-key", Target: "key/1", Where: "x.yaml:20:5", Planned: 20 * s, Until: 40 * s,
			Breaking: 20005 * ms, Broken: 20007 * ms, Visible: 20008 * ms,
			Restoring: 40 * s, RestoreAccepted: 40003 * ms, Restored: 40004 * ms, Settled: 41005 * ms,
		}
		// Requests come every 20 ms, at even multiples of 10 ms, and take 2 ms.
		impact := []result.Anatomy{{
			Requests: 999, Failed: 799, Availability: 200. / 999, Class: result.KeyInaccessible,
			FirstEffect: 24022 * ms, FullEffect: 24022 * ms, FirstSuccess: 43022 * ms, Recovered: 43022 * ms,
			Grace: 4015 * ms, GraceGap: 20 * ms, TimeToRecover: 3018 * ms, RecoverGap: 20 * ms, Afterwards: 999,
		}}
		if steps := f.Steps; !reflect.DeepEqual(steps, impact) {
			t.Errorf("got\n%+v, want\n%+v", steps, impact)
		}
		if f.Steps = nil; !reflect.DeepEqual(f, want) {
			t.Errorf("got\n%+v, want\n%+v", f, want)
		}
		type cut struct {
			from, to time.Duration
			active   []int
			moving   int
		}
		var cuts []cut
		for _, s := range got.Spans {
			cuts = append(cuts, cut{s.From, s.To, s.Active, s.Moving})
		}
		if want := []cut{
			{0, 20005 * ms, nil, -1}, {20005 * ms, 20007 * ms, nil, 0}, {20007 * ms, 40 * s, []int{0}, -1},
			{40 * s, 40004 * ms, nil, 0}, {40004 * ms, got.Took, nil, -1},
		}; !reflect.DeepEqual(cuts, want) {
			t.Errorf("got spans\n%v, want\n%v", cuts, want)
		}
		if want := []result.EventKind{
			result.FaultObserved, result.FaultRehearsed, result.FaultBreaking, result.FaultBroken, result.FaultVisible,
			result.FaultRestoring, result.FaultAccepted, result.FaultRestored, result.FaultSettled,
		}; !slices.Equal(kindsOf(got, 0), want) {
			t.Errorf("got events %v", kindsOf(got, 0))
		}
		if want := []result.EventKind{
			result.PhaseBegan, result.PhaseBegan, result.PhaseBegan, result.LoadEnded,
		}; !slices.Equal(kindsOf(got, -1), want) {
			t.Errorf("got events %v", kindsOf(got, -1))
		}
		if g := got.Generator; g.Due != 3000 || g.Sent != 3000 || g.Lateness.Max != 0 || g.Lateness.Count != 3000 || g.Processors < 1 {
			t.Errorf("got %+v", g)
		}
		if got.Took != 60*s || got.Interrupted != "" {
			t.Errorf("it took %v, interrupted: %q", got.Took, got.Interrupted)
		}
		if got.Target != "http://api.test/poc" || got.Script != "x.yaml" || got.Name != "x" || got.Seed != 7 ||
			got.Version != "v0" || got.Environment != "e" || got.Schema != result.Schema || !got.AWS.Sandbox || got.Began.IsZero() {
			t.Errorf("the run forgot where it came from: %+v", got)
		}
		for i, want := range []result.Phase{
			{Name: "baseline", To: 20 * s}, {Name: "disabled", From: 20 * s, To: 40 * s}, {Name: "restored", From: 40 * s, To: 60 * s},
		} {
			p := got.Phases[i]
			if p.Name != want.Name || p.From != want.From || p.To != want.To || p.Due != 1000 || p.Dropped != 0 {
				t.Errorf("phase %d: got %+v, want %+v with 1000 arrivals", i, p, want)
			}
		}
		if e := w.journal.opened; len(e) != 1 || e[0].Where != "x.yaml:20:5" || e[0].Run != "x.yaml" || e[0].Host != "here" || e[0].ByHand == "" {
			t.Errorf("got journal entries %+v", e)
		}
	})
}

// A silent api does not answer at all once it has noticed that its key is disabled.
type silent struct{ *api }

func (a silent) RoundTrip(r *http.Request) (*http.Response, error) {
	a.key.mu.Lock()
	hang := a.key.disabled && time.Since(a.key.changed) >= a.grace
	a.key.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return a.api.RoundTrip(r)
}

// Requests that hang until the fault is over time out when nobody looks any more. Whoever expected that
// nobody notices must not be told so.
func TestHangsUntilItIsOver(t *testing.T) {
	for hold, want := range map[time.Duration]result.Judgment{8 * s: result.Inconclusive, 15 * s: result.Fail} {
		t.Run(hold.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(script(disable(hold, scenarios.Expectation{Scope: scenarios.During, Succeed: 1},
					scenarios.Expectation{Scope: scenarios.After, Succeed: 1})))
				w.api.heal = 0
				w.options.Script.Config.MaxUsers = 1000
				w.options.Transport = silent{w.api}
				got := run(t, t.Context(), w)
				if got.Verdict.Outcome != want {
					t.Errorf("got %s, want %s: %q", got.Verdict.Outcome, want, got.Verdict.Reasons)
				}
				if a := got.Faults[0].Steps; len(a) != 1 || a[0].Requests < 200 || a[0].Waiting < 100 {
					t.Errorf("got %+v", a)
				}
			})
		})
	}
}

// Load goes on through restore and settling; the run does not end before the last has settled.
func TestUntilTheRunEnds(t *testing.T) {
	for name, hold := range map[string]time.Duration{"left out": 0, "longer than the load": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := run(t, t.Context(), newWorld(script(disable(hold, expectations()[:2]...))))
				f := got.Faults[0]
				if f.Restoring != 60*s || f.Settled != 61005*ms || got.Took != f.Settled {
					t.Errorf("restoring at %v, settled at %v, over at %v", f.Restoring, f.Settled, got.Took)
				}
				if a := f.Steps[0]; a.Recovered != result.Never || a.Afterwards != 0 {
					t.Errorf("recovered, says the anatomy, when nobody asked: %+v", a)
				}
				if got.Verdict.Outcome != result.Pass {
					t.Errorf("got %s: %q", got.Verdict.Outcome, got.Verdict.Reasons)
				}
			})
		})
	}
}

func TestInterruptedMidFault(t *testing.T) {
	for name, at := range map[string]time.Duration{"in force": 30 * s, "breaking": 20006 * ms, "rehearsing": 20002 * ms, "settling": 40500 * ms} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				time.AfterFunc(at, func() { cancel(errors.New("a signal")) })
				w := newWorld(script(disable(20*s), scenarios.Fault{
					Name: "another", Do: scenarios.DisableKey, At: scenarios.When{Phase: -1, Offset: 50 * s},
				}))
				got := run(t, ctx, w)
				if got.Interrupted != "a signal" || got.Verdict.Outcome == result.Pass || !slices.Contains(kindsOf(got, -1), result.Interrupted) {
					t.Errorf("interrupted: %q, verdict: %+v", got.Interrupted, got.Verdict)
				}
				if got.Faults[1].Breaking != result.Never || got.Faults[1].Refused != "" || len(kindsOf(got, 1)) > 0 {
					t.Errorf("a fault whose time had not come: %+v", got.Faults[1])
				}
				f := got.Faults[0]
				if name == "rehearsing" {
					if w.key.breaks != 0 || f.Refused == "" {
						t.Errorf("broken after the signal: %+v", f)
					}
					return
				}
				if f.Settled == result.Never || f.Stuck != nil {
					t.Errorf("not settled: %+v", f)
				}
				ended := got.Events[slices.IndexFunc(got.Events, func(e result.Event) bool { return e.Kind == result.LoadEnded })].At
				if ended > at+250*ms {
					t.Errorf("the load went on until %v", ended)
				}
				if name == "in force" && (f.Restoring < ended || f.Restoring > at+250*ms) {
					t.Errorf("the load ended at %v and the restore began at %v", ended, f.Restoring)
				}
			})
		})
	}
}

// The load stops before faults are restored, but a load that will not stop is not waited for.
func TestLoadStopsFirst(t *testing.T) {
	for deaf, want := range map[time.Duration]time.Duration{100 * ms: 30100 * ms, 5 * s: 31010 * ms} {
		t.Run(deaf.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 30010*ms)
				defer cancel()
				w := newWorld(script(disable(20 * s)))
				w.options.Script.Config.MaxUsers = 1000
				w.api.deaf = deaf // the last request before the signal is sent at 30 s
				if got := run(t, ctx, w).Faults[0]; got.Restoring != want {
					t.Errorf("restoring at %v, want %v", got.Restoring, want)
				}
			})
		})
	}
}

// A signal that comes when only the settling is left cuts nothing short.
func TestInterruptedWhileSettlingAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 60500*ms)
		defer cancel()
		got := run(t, ctx, newWorld(script(disable(0, expectations()[:2]...))))
		if got.Interrupted != "" || got.Faults[0].Settled != 61005*ms || got.Verdict.Outcome != result.Pass {
			t.Errorf("interrupted: %q, fault: %+v, verdict: %+v", got.Interrupted, got.Faults[0], got.Verdict)
		}
	})
}

func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20 * s)))
		w.key.stuck = true
		w.options.Bracket.Budget = 5 * s
		got := run(t, t.Context(), w)
		f := got.Faults[0]
		if f.Stuck == nil || f.Stuck.Command != "enable key/1" || !strings.Contains(f.Stuck.Error, "access denied") {
			t.Fatalf("got %+v", f.Stuck)
		}
		if v := got.Verdict; !v.Stuck || v.Outcome != result.Fail || !strings.Contains(v.Reasons[0], "enable key/1") {
			t.Errorf("got %+v", v)
		}
		if !slices.Contains(kindsOf(got, 0), result.FaultStuck) || f.Restored != result.Never {
			t.Errorf("got %v, restored at %v", kindsOf(got, 0), f.Restored)
		}
		if last := got.Spans[len(got.Spans)-1]; last.Moving != 0 {
			t.Errorf("the last span is in no known state, and says it moves %d", last.Moving)
		}
	})
}

func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20*s, expectations()...)))
		w.key.denied = true
		got := run(t, t.Context(), w)
		f := got.Faults[0]
		if !strings.Contains(f.Refused, "access denied") || f.Breaking != result.Never || w.key.breaks != 0 {
			t.Errorf("got %+v", f)
		}
		if got.Verdict.Outcome != result.Inconclusive || got.Took != 60*s || len(got.Spans) != 1 {
			t.Errorf("got %+v after %v in %d spans", got.Verdict, got.Took, len(got.Spans))
		}
		if want := []result.EventKind{result.FaultObserved, result.FaultRefused}; !slices.Equal(kindsOf(got, 0), want) {
			t.Errorf("got events %v", kindsOf(got, 0))
		}
	})
}

// An error of Break means that it may have happened: restored at once, and nothing is concluded.
func TestMaybeBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20*s, expectations()...)))
		w.key.lost = true
		got := run(t, t.Context(), w)
		f := got.Faults[0]
		if f.Broken != result.Never || f.Restoring != 20007*ms || f.Settled == result.Never || !strings.Contains(f.Error, "the answer was lost") {
			t.Errorf("got %+v", f)
		}
		if got.Verdict.Outcome != result.Inconclusive {
			t.Errorf("got %+v", got.Verdict)
		}
	})
}

func TestPanicRestores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20 * s)))
		w.options.Faults[0] = &fragile{w.key}
		var log lockedBuilder
		w.options.Log = &log
		got := run(t, t.Context(), w)
		if got.Interrupted != "internal error: a mistake" || got.Verdict.Outcome == result.Pass || got.Took > 30*s {
			t.Errorf("interrupted: %q, verdict: %+v, after %v", got.Interrupted, got.Verdict, got.Took)
		}
		if f := got.Faults[0]; f.Settled == result.Never || f.Error == "" {
			t.Errorf("got %+v", f)
		}
		if !strings.Contains(log.String(), "world_test.go") && !strings.Contains(log.String(), "runner_test.go") {
			t.Errorf("the stack is not in the log: %s", log.String())
		}
	})
}

// A panic of the load itself ends the run and is said in it.
func TestPanicInTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20 * s)))
		c, err := newConductor(w.options)
		if err != nil {
			t.Fatal(err)
		}
		c.program = nil
		defer c.newDriver()()
		got := c.conduct(t.Context())
		if !strings.HasPrefix(got.Interrupted, "internal error: ") || got.Verdict.Outcome != result.Inconclusive || got.Took != 0 {
			t.Errorf("interrupted: %q, verdict: %+v, after %v", got.Interrupted, got.Verdict, got.Took)
		}
		if w.key.breaks != 0 {
			t.Error("a fault was injected without a load")
		}
	})
}

// A target that drifts while it settles, and then cannot be restored, is stuck although it was back.
func TestDriftsAndSticks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20 * s)))
		w.options.Bracket.Budget = 5 * s
		time.AfterFunc(40500*ms, func() {
			w.key.mu.Lock()
			defer w.key.mu.Unlock()
			w.key.set(true)
			w.key.stuck = true
		})
		got := run(t, t.Context(), w)
		if f := got.Faults[0]; f.Stuck == nil || f.Restored != 40004*ms || f.Settled != result.Never {
			t.Errorf("got %+v", f)
		}
		if n := len(got.Spans); n != 6 || got.Spans[n-1].Moving != 0 || got.Spans[n-2].Moving != -1 {
			t.Errorf("got spans %+v", got.Spans)
		}
	})
}

// fragile panics after it has broken the key.
type fragile struct{ *key }

func (f *fragile) Break(ctx context.Context) error {
	if err := f.key.Break(ctx); err != nil {
		return err
	}
	panic("a mistake")
}

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20*s, expectations()...)))
		talks := &talker{key: w.key}
		w.options.Faults[0] = talks
		got := run(t, t.Context(), w)
		if want := []string{"ledger x: KMS_KEY_INACCESSIBLE", "ledger x: ENABLED"}; !slices.Equal(got.Faults[0].Witness, want) {
			t.Errorf("got %q", got.Faults[0].Witness)
		}
		var said []result.Event
		for _, e := range got.Events {
			if e.Kind == result.Witnessed {
				said = append(said, e)
			}
		}
		if want := []result.Event{
			{At: 20007 * ms, Kind: result.Witnessed, Detail: "ledger x: KMS_KEY_INACCESSIBLE"},
			{At: 21007 * ms, Kind: result.Witnessed, Detail: "could not be asked: throttled"},
			{At: 40007 * ms, Kind: result.Witnessed, Detail: "ledger x: ENABLED"},
		}; !slices.Equal(said, want) {
			t.Errorf("got %v", said)
		}
		if n := talks.asked.Load(); n != 1+39+1 { // at once, every second until 59.007, and when the run is over
			t.Errorf("asked %d times", n)
		}
	})
}

// A witness that never answers delays neither the fault nor its restore, and the end by its patience.
func TestMuteWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20*s, expectations()...)))
		w.options.Faults[0] = &mute{w.key}
		got := run(t, t.Context(), w)
		if f := got.Faults[0]; f.Restoring != 40*s || f.Restored != 40004*ms || len(f.Witness) != 0 {
			t.Errorf("got %+v", f)
		}
		if got.Verdict.Outcome != result.Pass || got.Took > 60*s+witnessPatience {
			t.Errorf("got %+v after %v", got.Verdict, got.Took)
		}
	})
}

type mute struct{ *key }

func (*mute) Witness(ctx context.Context) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// TestFeed looks at every snapshot and finds them growing, with no event missing or moved.
func TestFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20*s, expectations()...)))
		feed := &result.Feed{}
		w.options.Feed = feed
		stop := make(chan struct{})
		var all []*result.Snapshot
		var looking sync.WaitGroup
		looking.Go(func() {
			for {
				if s := feed.Latest(); s != nil && (len(all) == 0 || all[len(all)-1] != s) {
					all = append(all, s)
				}
				select {
				case <-time.After(100 * ms):
				case <-stop:
					return
				}
			}
		})
		got := run(t, t.Context(), w)
		close(stop)
		looking.Wait()
		if last := feed.Latest(); all[len(all)-1] != last {
			all = append(all, last)
		}
		var before *result.Snapshot
		for i, s := range all {
			if before != nil && s.N <= before.N || s.N < uint64(i+1) || s.Planned != 60*time.Second || s.Done != (i == len(all)-1) {
				t.Errorf("snapshot %d: number %d, planned %v, done %v", i, s.N, s.Planned, s.Done)
			}
			if s.Events = slices.Clone(s.Events); !slices.Equal(s.Events, got.Events[:len(s.Events)]) {
				t.Errorf("snapshot %d: its events are not the first of the run's", i)
			}
			if before != nil {
				if s.Elapsed <= before.Elapsed && !s.Done || len(s.Events) < len(before.Events) || len(s.Windows) < len(before.Windows) ||
					s.Steps[0].Classes.Total() < before.Steps[0].Classes.Total() || s.Generator.Due < before.Generator.Due {
					t.Errorf("snapshot %d shrank", i)
				}
			}
			switch wantPhase, wantRate := phaseAt(s.Elapsed); {
			case s.Phase != wantPhase || s.Rate != wantRate:
				t.Errorf("at %v: phase %q at %v/s", s.Elapsed, s.Phase, s.Rate)
			}
			before = s
		}
		last := all[len(all)-1]
		if last.N < 60 || last.N > 61 || len(all) < 59 {
			t.Errorf("saw %d of %d snapshots of a minute", len(all), last.N)
		}
		if !slices.Equal(last.Events, got.Events) || !reflect.DeepEqual(last.Windows, got.Windows) ||
			last.Steps[0].Classes != got.Steps[0].Classes || len(last.Faults) != 1 || last.Faults[0].Settled != got.Faults[0].Settled {
			t.Error("the last snapshot is not the whole run")
		}
	})
}

func phaseAt(at time.Duration) (string, float64) {
	switch {
	case at < 20*s:
		return "baseline", 50
	case at < 40*s:
		return "disabled", 50
	case at < 60*s:
		return "restored", 50
	}
	return "", 0
}

func TestTwoFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc := script(
			scenarios.Fault{Name: "long", Do: scenarios.DisableKey, At: scenarios.When{Phase: -1, Offset: 10 * s}, For: 40 * s},
			scenarios.Fault{Name: "short", Do: scenarios.DisableKey, At: scenarios.When{Phase: -1, Offset: 20 * s}, For: 10 * s},
		)
		w := newWorld(sc)
		w.options.Faults[1] = &key{id: "key/2"}
		got := run(t, t.Context(), w)
		var active [][]int
		var moving []int
		for _, s := range got.Spans {
			active, moving = append(active, s.Active), append(moving, s.Moving)
		}
		if want := [][]int{nil, nil, {0}, {0}, {0, 1}, {0}, {0}, nil, nil}; !reflect.DeepEqual(active, want) {
			t.Errorf("got active %v", active)
		}
		if want := []int{-1, 0, -1, 1, -1, 1, -1, 0, -1}; !slices.Equal(moving, want) {
			t.Errorf("got moving %v", moving)
		}
	})
}

func TestRunRefusesBeforeAnythingIsSent(t *testing.T) {
	at := func(from, hold time.Duration) scenarios.Fault {
		return scenarios.Fault{Name: "f", Do: scenarios.DisableKey, At: scenarios.When{Phase: -1, Offset: from}, For: hold}
	}
	for _, c := range []struct {
		name   string
		script *scenarios.Script
		change func(*world)
		want   string // "" means that it runs
	}{
		{name: "one after the other", script: script(at(10*s, 5*s), at(17*s, 5*s))},
		{name: "overlapping", script: script(at(10*s, 20*s), at(15*s, 5*s)),
			want: `fault "f" (x.yaml:21:5) would change key/1 15s into the run, before fault "f" (x.yaml:20:5) is over`},
		{name: "overlapping, written the other way round", script: script(at(15*s, 5*s), at(10*s, 20*s)), want: `(x.yaml:20:5) would change key/1 15s`},
		{name: "at the same time", script: script(at(15*s, 5*s), at(15*s, 5*s)), want: `(x.yaml:21:5) would change key/1 15s`},
		{name: "before it has settled", script: script(at(10*s, 5*s), at(15500*ms, 5*s)), want: "at 16s at the earliest, settling included"},
		{name: "until the end", script: script(at(10*s, 0), at(50*s, 5*s)), want: "would change key/1 50s"},
		{name: "overlapping, on another target", script: script(at(10*s, 20*s), at(15*s, 5*s)),
			change: func(w *world) { w.options.Faults[1] = &key{id: "key/2"} }},
		{name: "after the load", script: script(at(60*s, 5*s)), want: "begins 1m0s into the run, and the load ends after 1m0s (x.yaml:20:5)"},
		{name: "no target for a fault", script: script(at(10*s, 5*s)), change: func(w *world) { w.options.Faults = nil }, want: "1 faults and there are 0 targets"},
		{name: "no journal", script: script(at(10*s, 5*s)), change: func(w *world) { w.options.Bracket.Journal = nil }, want: "no journal"},
		{name: "a condition nobody can evaluate", script: script(), want: "x.yaml:7:9: the condition \"1 +\" cannot be evaluated",
			change: func(w *world) {
				w.options.Script.Config.Conditions = []scenarios.Condition{{Pos: scenarios.Pos{File: "x.yaml", Line: 7, Col: 9}, Source: "1 +"}}
			}},
		{name: "no URL", script: script(), change: func(w *world) { w.options.Target = "http://u:secret@a b" }, want: "the target is not a URL"},
		{name: "another scheme", script: script(), change: func(w *world) { w.options.Target = "ftp://u:secret@a/" }, want: `"ftp://u:xxxxx@a/" is not an http or https URL`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.script)
				if c.change != nil {
					c.change(w)
				}
				got, err := Run(t.Context(), w.options)
				if c.want == "" {
					if err != nil || got == nil {
						t.Errorf("got error %v", err)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v, want %s", err, c.want)
				}
				if got != nil || w.api.served.Load() > 0 || w.key.breaks > 0 || time.Since(w.api.began) > 0 {
					t.Error("something was sent")
				}
			})
		})
	}
}

func TestDoneBeforeItBegan(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("a signal"))
	if got, err := Run(ctx, newWorld(script()).options); got != nil || err == nil || !strings.Contains(err.Error(), "a signal") {
		t.Errorf("got %v, %v", got, err)
	}
}

// Nobody listens: whatever the script says, that is no pass.
func TestConnectionRefused(t *testing.T) {
	sc := script()
	sc.Config.Phases = []scenarios.Phase{{Name: "p", Duration: 200 * ms, From: 50, To: 50, Scenario: -1}}
	w := newWorld(sc)
	w.options.Transport = nil
	w.options.Target = "http://" + freeAddress(t)
	got, err := Run(t.Context(), w.options)
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, got)
	if got.Verdict.Outcome != result.Fail || got.Steps[0].Classes[result.ConnectionRefused] != 10 {
		t.Errorf("got %v: %+v", got.Steps[0].Classes, got.Verdict)
	}
	if got.Generator.CPU <= 0 {
		t.Errorf("it took %v of processor time", got.Generator.CPU)
	}
}
