package flow

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/client"
	"loadkms/scenarios"
)

func sideBySide(limit int, steps ...scenarios.Step) scenarios.Step {
	return scenarios.Step{Kind: scenarios.Parallel, Limit: limit, Steps: steps}
}

// walker returns a user no driver drives, and its recorder's driver.
func walker(t testing.TB, s *scenarios.Script) (*user, *Driver) {
	t.Helper()
	d := newDriver(compile(t, s, Options{}), nil)
	return newUser(d.Program, d.Records, d.Recorder.Shard(0)), d
}

func ok() *client.Response { return &client.Response{Status: 200} }

// The whole protocol of steps side by side, without a clock: as many walks as the limit says, each
// taking the next branch that is left, and a parent that goes on when the last of them was through.
func TestWalksSideBySide(t *testing.T) {
	u, d := walker(t, script(sideBySide(2, get("/a"), get("/b"), get("/{{ $sequence() }}/c")), post("/after", "{{ $sequence() }}")))
	w := u.walk
	equal(t, "first action", u.begin(ticket{sequence: 10}), fork)
	equal(t, "walks", len(w.forks), 2)
	a, b := w.forks[0], w.forks[1]
	equal(t, "starts", []action{a.start(), b.start()}, []action{send, send})
	equal(t, "targets", string(a.out.target)+" "+string(b.out.target), "/poc/a /poc/b")
	equal(t, "b goes on with c", b.answer(ok(), 5), send)
	equal(t, "target", string(b.out.target), "/poc/11/c")
	equal(t, "c is over", b.answer(ok(), 9), done)
	equal(t, "a is over", a.answer(ok(), 7), done)
	equal(t, "the parent goes on", w.resume(), send)
	equal(t, "body", string(w.out.body), "12")
	equal(t, "timed from the last of them", w.intended, time.Duration(9))
	equal(t, "over", w.answer(ok(), 20), done)
	for i, want := range []time.Duration{7, 5, 4, 11} {
		s := d.Recorder.Steps()[i]
		equal(t, "response of "+s.Name, []any{s.Classes[result.OK], s.Response.Max}, []any{1, want})
	}
	equal(t, "arrivals timed", d.Recorder.Lateness().Count, 1)
	// Walks are used again.
	u.begin(ticket{})
	if w.forks[0] != a && w.forks[0] != b {
		t.Error("the walks of the branches were made anew")
	}
}

// A branch that fails ends the flow, though not the branches beside it.
func TestABranchThatFails(t *testing.T) {
	u, d := walker(t, script(sideBySide(2, get("/a"), get("/b"), get("/c")), get("/after")))
	w := u.walk
	u.begin(ticket{})
	a, b := w.forks[0], w.forks[1]
	a.start()
	b.start()
	equal(t, "a fails", a.fail(result.ConnectionReset, 3), done)
	equal(t, "b ends, and c is not begun", b.answer(ok(), 5), done)
	equal(t, "the flow is over", w.resume(), done)
	var got []uint64
	for _, s := range d.Recorder.Steps() {
		got = append(got, s.Classes.Total())
	}
	equal(t, "recorded", got, []uint64{1, 1, 0, 0})
}

// What branches draw depends on the arrival and the branch, not on who ends first.
func TestBranchesDrawTheSameInAnyOrder(t *testing.T) {
	random := get("/{{ $randomString(12) }}/{{ $sequence() }}")
	s := script(sideBySide(2, random, random, random, sideBySide(0, random, random)), random)
	play := func(slow int) []string {
		j := new(journal)
		synctest.Test(t, func(t *testing.T) {
			noting := j.noting(200, "")
			var calls atomic.Int64
			d := newDriver(compile(t, s, Options{Seed: 3}), respond(func(r *http.Request) (*http.Response, error) {
				resp, err := noting(r)
				time.Sleep(time.Duration(slow*int(calls.Add(1))%7) * time.Millisecond)
				return resp, err
			}))
			drive(t, d, constantly(1, 3*time.Second))
			equal(t, "stats", d.Stats().Unfinished, 0)
		})
		return j.sorted()
	}
	want := play(0)
	equal(t, "requests", len(want), 18)
	seen := map[string]bool{}
	for _, line := range want {
		seen[strings.TrimPrefix(line, "GET http://api.example/poc/")[:12]] = true
	}
	equal(t, "different random texts", len(seen), 18)
	for _, slow := range []int{1, 2, 3} {
		equal(t, "requests", play(slow), want)
	}
}

// Branches run at once, as many as allowed, and a run that ends cuts them all.
func TestBranchesRunAtOnce(t *testing.T) {
	for limit, want := range map[int]time.Duration{0: time.Second, 1: 4 * time.Second, 2: 2 * time.Second, 3: 2 * time.Second} {
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDriver(compile(t, script(sideBySide(limit, get("/a"), get("/b"), get("/c"), get("/d"))), Options{}), after(time.Second))
				equal(t, "took", drive(t, d, constantly(1, time.Second)), want)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(sideBySide(0, get("/a"), pause(time.Hour), get("/c"))), Options{}), after(time.Hour))
		d.Drain, d.Timeout = time.Second, time.Hour
		drive(t, d, constantly(1, time.Second))
		equal(t, "stats", d.Stats(), Stats{Due: 1, Sent: 1, Cut: 2, Unfinished: 1, Users: 1})
	})
}

// A mistake of ours in a branch ends the load, too, and counts the flow once.
func TestPanicInABranch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		d := newDriver(compile(t, script(sideBySide(0, get("/a"), get("/b")), get("/c")), Options{Log: &log}), respond(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "b") {
				time.Sleep(time.Second)
				panic("a mistake")
			}
			return after(time.Hour)(r)
		}))
		err := d.Drive(t.Context(), time.Now(), only(0))
		if err == nil || err.Error() != "internal error: a virtual user panicked: a mistake" {
			t.Errorf("got %v", err)
		}
		equal(t, "stats", d.Stats(), Stats{Due: 1, Sent: 1, Cut: 1, Unfinished: 1, Users: 1})
		if !strings.Contains(log.String(), "walk_test.go") {
			t.Errorf("the stack is not in the log: %q", log.String())
		}
	})
}

func ticketOf(seq uint64) ticket { return ticket{Arrival: arrival.Arrival{Seq: seq}} }
