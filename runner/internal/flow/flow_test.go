package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/scenarios"
)

// stall answers in 1 ms, but what it looks at from 1,996 ms to 2,995 ms waits until then. Arrivals come
// every 10 ms, so that nothing happens at the same moment as anything else.
func stall() respond {
	began := time.Now()
	return func(*http.Request) (*http.Response, error) {
		time.Sleep(time.Millisecond)
		if at := time.Since(began); at >= 1996*time.Millisecond && at < 2995*time.Millisecond {
			time.Sleep(2995*time.Millisecond - at)
		}
		return answered(200, "ok"), nil
	}
}

func TestOpenModelSeesTheWholeStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(get("/")), Options{}), stall())
		took := drive(t, d, constantly(100, 5*time.Second))
		step, late := d.Recorder.Steps()[0], d.Recorder.Lateness()
		equal(t, "took", took, 4991*time.Millisecond)
		equal(t, "answered", step.Classes[result.OK], 500)
		equal(t, "response max", step.Response.Max, 995*time.Millisecond)
		equal(t, "lateness max", late.Max, time.Duration(0))
		equal(t, "lateness count", late.Count, 500)
		// Those of 2.00 to 2.99 wait, each for the rest of the stall.
		equal(t, "response p99", step.Response.P99, 946175*time.Microsecond) // the bucket of 945 ms ends there
		equal(t, "stats", d.Stats(), Stats{Due: 500, Sent: 500, Read: 1000, Users: 100})
		w := d.Recorder.Windows(5 * time.Second)
		equal(t, "window 1 max", w[1].Steps[0].Max, time.Millisecond)
		equal(t, "window 2 max", w[2].Steps[0].Max, 995*time.Millisecond)
		equal(t, "window 2 due", w[2].Due, 100)
		equal(t, "window 4 p99", w[4].Steps[0].P99, time.Millisecond)
	})
}

// With too few users arrivals are dropped and counted, never silently delayed.
func TestTooFewUsersDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(get("/")), Options{}), stall())
		d.MaxUsers = 5
		drive(t, d, constantly(100, 5*time.Second))
		equal(t, "stats", d.Stats(), Stats{Due: 500, Sent: 405, Dropped: 95, Read: 810, Users: 5})
		equal(t, "answered", count(d, 0, result.OK), 405)
		equal(t, "dropped", count(d, 0, result.Dropped), 95)
		equal(t, "lateness max", d.Recorder.Lateness().Max, time.Duration(0))
		w := d.Recorder.Windows(5 * time.Second)[2]
		equal(t, "window 2", []uint64{w.Due, w.Dropped, w.Steps[0].Classes[result.OK]}, []uint64{100, 95, 5})
	})
}

func TestPhasesHaveTheirOwnCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(get("/")), Options{}), after(10*time.Second))
		d.PhaseUsers, d.MaxUsers = []int{2, 0, 7}, 4
		second := arrival.Phase{Duration: time.Second, From: 10, To: 10}
		drive(t, d, arrival.Schedule(0, []arrival.Phase{second, second, second}))
		w := d.Recorder.Windows(3 * time.Second)
		equal(t, "dropped", []uint64{w[0].Dropped, w[1].Dropped, w[2].Dropped}, []uint64{8, 8, 7})
		equal(t, "users", d.Stats().Users, 7)
	})
}

func TestIdleUsersAreUsedAgainMostRecentFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, script(get("/{{ $sequence() }}")), Options{})
		var mu sync.Mutex
		var contexts []context.Context
		d := newDriver(p, respond(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			contexts = append(contexts, r.Context())
			mu.Unlock()
			time.Sleep(map[string]time.Duration{"/poc/1": 150 * time.Millisecond, "/poc/2": 10 * time.Millisecond}[r.URL.Path])
			return answered(200, ""), nil
		}))
		drive(t, d, constantly(10, 500*time.Millisecond))
		// 1 is busy until 150 ms, 2 until 110 ms; at 200 ms, 1 was busy last, and it stays warm.
		c := contexts
		if c[0] == c[1] || c[2] != c[0] || c[3] != c[0] || c[4] != c[0] {
			t.Error("the arrivals did not go to the most recently idle user")
		}
	})
}

func TestCancelIsPromptAndCutsWhatIsInFlight(t *testing.T) {
	boom := errors.New("stop condition met")
	for _, c := range []struct {
		name string
		flow []scenarios.Step
		cut  uint64
		left uint64 // unfinished
	}{
		{"while waiting for an arrival", []scenarios.Step{prints("nothing to do")}, 0, 0},
		{"while a request is in flight", []scenarios.Step{get("/")}, 1, 1},
		{"while a create is in flight", []scenarios.Step{post("/", `{"id":{{ $sequence() }}}`)}, 1, 1},
		{"while a user thinks", []scenarios.Step{pause(time.Hour), get("/")}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(250*time.Millisecond, func() { cancel(boom) })
				d := newDriver(compile(t, script(c.flow...), Options{}), after(time.Second))
				began := time.Now()
				err := d.Drive(ctx, began, constantly(0.25, time.Hour))
				if err != boom || time.Since(began) != 250*time.Millisecond {
					t.Errorf("got %v after %v, want %v after 250ms", err, time.Since(began), boom)
				}
				equal(t, "stats", d.Stats(), Stats{Due: 1, Sent: 1, Cut: c.cut, Unfinished: c.left, Users: 1})
				for _, s := range d.Recorder.Steps() {
					equal(t, "recorded", s.Classes.Total(), 0)
				}
				equal(t, "creates that may have happened", d.Records.Stats().Unknown > 0, strings.Contains(c.name, "create"))
			})
		})
	}
}

// A mistake of ours in one virtual user ends the load, so that whoever conducts the run can restore
// what is broken, and its place is in the log.
func TestPanicEndsTheLoad(t *testing.T) {
	for name, at := range map[string]int64{"while users arrive": 5, "after the last arrival": 10} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				var asked atomic.Int64
				d := newDriver(compile(t, script(get("/")), Options{Log: &log}), respond(func(r *http.Request) (*http.Response, error) {
					time.Sleep(50 * time.Millisecond)
					if asked.Add(1) == at {
						panic("a mistake")
					}
					return answered(200, "ok"), nil
				}))
				err := d.Drive(t.Context(), time.Now(), constantly(10, time.Second))
				if err == nil || err.Error() != "internal error: a virtual user panicked: a mistake" {
					t.Errorf("got %v", err)
				}
				stats, recorded := d.Stats(), d.Recorder.Steps()[0].Classes.Total()
				equal(t, "arrivals", stats.Due, uint64(at))
				equal(t, "arrivals that are accounted for", recorded+stats.Unfinished, stats.Due)
				if !strings.Contains(log.String(), "flow_test.go") {
					t.Errorf("the stack is not in the log: %q", log.String())
				}
			})
		})
	}
}

// Nor does a mistake of ours in the schedule leave users behind: the bubble would not end.
func TestPanicOfTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(get("/")), Options{}), after(50*time.Millisecond))
		defer func() {
			if r := recover(); r != "a mistake" {
				t.Errorf("got %v", r)
			}
			got := d.Stats()
			got.Cut = 0 // whether the request was on its way by then is chance
			equal(t, "stats", got, Stats{Due: 1, Sent: 1, Unfinished: 1, Users: 1})
		}()
		_ = d.Drive(t.Context(), time.Now(), func(yield func(arrival.Arrival) bool) {
			yield(arrival.Arrival{})
			panic("a mistake")
		})
		t.Error("it returned")
	})
}

func TestDrainBoundsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(get("/")), Options{}), after(8500*time.Millisecond))
		d.Drain = 5 * time.Second
		took := drive(t, d, constantly(1, 10*time.Second)) // the last arrival comes after 9 s
		equal(t, "took", took, 14*time.Second)
		equal(t, "stats", d.Stats(), Stats{Due: 10, Sent: 10, Cut: 4, Unfinished: 4, Read: 12, Users: 9})
		equal(t, "answered", count(d, 0, result.OK), 6)
	})
}

// A user whose think time is not over when the run ends has no request in flight, and has not
// completed its flow either.
func TestThinkTimeBeyondTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(get("/a"), pause(7500*time.Millisecond), get("/b")), Options{}), after(time.Millisecond))
		d.Drain = 5 * time.Second
		took := drive(t, d, constantly(1, 10*time.Second)) // the last arrival comes after 9 s
		equal(t, "took", took, 14*time.Second)
		equal(t, "stats", d.Stats(), Stats{Due: 10, Sent: 10, Unfinished: 3, Read: 34, Users: 8})
		equal(t, "answered", []uint64{count(d, 0, result.OK), count(d, 1, result.OK)}, []uint64{10, 7})
	})
}

// Think time is part of the flow, not of its latency.
func TestThinkTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(pause(time.Second), get("/a"), pause(3*time.Second), get("/b"), pause(time.Second)), Options{}),
			after(7*time.Millisecond))
		took := drive(t, d, constantly(10, time.Second))
		equal(t, "took", took, 5*time.Second+900*time.Millisecond+14*time.Millisecond)
		for i, s := range d.Recorder.Steps() {
			equal(t, fmt.Sprint("step ", i), []any{s.Classes[result.OK], s.Response.Min, s.Response.Max}, []any{10, 7 * time.Millisecond, 7 * time.Millisecond})
		}
		late := d.Recorder.Lateness()
		equal(t, "lateness", []any{late.Count, late.Max}, []any{10, time.Duration(0)})
		w := d.Recorder.Windows(6 * time.Second)
		equal(t, "due", []uint64{w[0].Due, w[1].Due, w[4].Due}, []uint64{10, 0, 0})
		equal(t, "second step in window 4", w[4].Steps[1].Classes[result.OK], 10)
	})
}

// The second request of a flow is timed from the end of the first: a slow first one is not its fault.
func TestLaterStepsAreTimedFromTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(get("/slow"), get("/fast")), Options{}), respond(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "slow") {
				time.Sleep(time.Second)
			}
			return answered(200, ""), nil
		}))
		drive(t, d, constantly(10, time.Second))
		s := d.Recorder.Steps()
		equal(t, "response", []time.Duration{s[0].Response.Min, s[1].Response.Max}, []time.Duration{time.Second, 0})
	})
}

// A driver that is late says so: lateness and response time count from the intended start.
func TestLatenessIsNotHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(get("/")), Options{}), after(time.Millisecond))
		began := time.Now()
		time.Sleep(300 * time.Millisecond)
		if err := d.Drive(t.Context(), began, constantly(10, time.Second)); err != nil {
			t.Fatal(err)
		}
		late, s := d.Recorder.Lateness(), d.Recorder.Steps()[0]
		equal(t, "lateness", []time.Duration{late.Max, late.Min}, []time.Duration{300 * time.Millisecond, 0})
		equal(t, "response", s.Response.Max, 301*time.Millisecond)
		equal(t, "service", s.Service.Max, time.Millisecond)
	})
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		d := newDriver(compile(t, script(get("/")), Options{}), respond(func(r *http.Request) (*http.Response, error) {
			if n.Add(1)%2 == 0 {
				return after(time.Millisecond)(r)
			}
			return after(time.Hour)(r)
		}))
		d.Timeout = 2 * time.Second
		drive(t, d, constantly(0.25, 16*time.Second)) // never two at once: one user serves all
		s := d.Recorder.Steps()[0]
		equal(t, "classes", []uint64{s.Classes[result.OK], s.Classes[result.Timeout]}, []uint64{2, 2})
		equal(t, "response", []time.Duration{s.Response.Min, s.Response.Max}, []time.Duration{time.Millisecond, 2 * time.Second})
		equal(t, "stats", d.Stats(), Stats{Due: 4, Sent: 4, Read: 4, Users: 1})
	})
}

// A body that stops in the middle times out like an answer that never comes.
func TestTimeoutsCoverTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(get("/")), Options{}), respond(func(r *http.Request) (*http.Response, error) {
			reader, writer := io.Pipe()
			context.AfterFunc(r.Context(), func() { writer.CloseWithError(context.Cause(r.Context())) })
			return &http.Response{StatusCode: 200, Body: reader}, nil
		}))
		d.Timeout = time.Second
		drive(t, d, constantly(1, time.Second))
		equal(t, "timeouts", count(d, 0, result.Timeout), 1)
	})
}

// An answer that was complete just before its deadline is an answer, and the user goes on with a
// context of its own.
func TestAnswerAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, script(get("/a"), get("/b")), Options{}), respond(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/poc/a" {
				<-r.Context().Done() // the sweep comes, but the answer is there
			}
			if err := context.Cause(r.Context()); r.URL.Path == "/poc/b" && err != nil {
				return nil, err
			}
			return answered(200, ""), nil
		}))
		d.Timeout = time.Second
		drive(t, d, constantly(0.25, 8*time.Second)) // twice, so that the request of /b is from before
		equal(t, "answered", []uint64{count(d, 0, result.OK), count(d, 1, result.OK)}, []uint64{2, 2})
		equal(t, "users", d.Stats().Users, 1)
	})
}

// After a failed request the flow ends, and neither request nor body is used again: the transport may
// still be reading them.
func TestAFailedRequestIsNotUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[*http.Request]int{}
		var bodies []io.Reader
		d := newDriver(compile(t, script(post("/a", `{"id":{{ $sequence() }}}`), get("/b")), Options{}), transportFunc(func(r *http.Request) (*http.Response, error) {
			seen[r]++
			bodies = append(bodies, r.Body)
			return nil, io.ErrUnexpectedEOF
		}))
		drive(t, d, constantly(1, 3*time.Second))
		equal(t, "requests", len(seen), 3)
		for i, b := range bodies { // read late, as a transport may
			got, _ := io.ReadAll(b)
			equal(t, "late body", string(got), fmt.Sprintf(`{"id":%d}`, i+1))
		}
		equal(t, "classes", []uint64{count(d, 0, result.ConnectionReset), d.Recorder.Steps()[1].Classes.Total()}, []uint64{3, 0})
		equal(t, "may exist", d.Records.Stats().Unknown, 3)
	})
}

// transportFunc is a transport that leaves the request's body alone.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// An answer may come before the transport has read the whole body; then the body is not used again.
func TestABodyStillInUseIsNotUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []io.ReadCloser
		d := newDriver(compile(t, script(post("/a", `{"id":{{ $sequence() }}}`)), Options{}), transportFunc(func(r *http.Request) (*http.Response, error) {
			bodies = append(bodies, r.Body)
			return answered(201, ""), nil
		}))
		drive(t, d, constantly(1, 3*time.Second))
		for i, b := range bodies {
			got, _ := io.ReadAll(b)
			equal(t, "late body", string(got), fmt.Sprintf(`{"id":%d}`, i+1))
			b.Close()
		}
	})
}

func TestScenariosAreChosenByWeightOrPhase(t *testing.T) {
	s := script()
	s.Scenarios = []scenarios.Scenario{
		{Name: "never", Weight: 0, Flow: []scenarios.Step{get("/never")}},
		{Name: "seldom", Weight: 0.5, Flow: []scenarios.Step{get("/seldom")}},
		{Name: "often", Weight: 1.5, Flow: []scenarios.Step{get("/often")}},
	}
	s.Config.Phases = []scenarios.Phase{{Scenario: -1}, {Scenario: 0}}
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, s, Options{Seed: 1})
		d := newDriver(p, after(0))
		drive(t, d, arrival.Schedule(0, []arrival.Phase{{Duration: 4 * time.Second, From: 1000, To: 1000}, {Duration: time.Second, From: 10, To: 10}}))
		never, seldom, often := count(d, 0, result.OK), count(d, 1, result.OK), count(d, 2, result.OK)
		if never != 10 || seldom+often != 4000 || seldom < 900 || seldom > 1100 {
			t.Errorf("got %d, %d and %d, want 10, about 1000 and about 3000", never, seldom, often)
		}
		equal(t, "names", p.Steps()[1].Scenario+": "+p.Steps()[1].Name, "seldom: GET /seldom")
	})
}

// mixed uses everything that is random.
func mixed() *scenarios.Script {
	s := script()
	body := `{"id":{{ $sequence() }},"n":{{ $randomNumber(-5, 5) }},"s":{{ $randomString(6) }},"f":{{ $firstName() }},` +
		`"l":{{ $lastName() }},"e":{{ $email() }},"a":{{ $street() }},"p":{{ $postcode() }},"v":{{ city }}}`
	s.Config.Variables = []scenarios.Variable{{Name: "city", Values: []string{"Cardiff", "Swansea", "Newport"}}}
	s.Scenarios = []scenarios.Scenario{
		{Name: "create", Weight: 2, Flow: []scenarios.Step{post("/record", body), pause(time.Second), post("/again", body)}},
		{Name: "other", Weight: 1, Flow: []scenarios.Step{get("/other/{{ $randomNumber(1, 1000000) }}")}},
		{Name: "read", Weight: 1, Flow: []scenarios.Step{get("/record/{{ $created() }}/{{ $randomString(4) }}")}},
	}
	s.Config.Phases = []scenarios.Phase{{Scenario: -1}, {Scenario: -1}, {Scenario: 2}}
	s.Scenarios[2].Weight = 0
	return s
}

// The same seed makes the same scenarios, ids and data, whatever the scheduling; another one does not.
func TestSeedsReproduceAtAnyGOMAXPROCS(t *testing.T) {
	play := func(seed uint64, processors int, slow bool) []string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		j := new(journal)
		synctest.Test(t, func(t *testing.T) {
			transport := j.noting(200, "")
			d := newDriver(compile(t, mixed(), Options{Seed: seed}), respond(func(r *http.Request) (*http.Response, error) {
				resp, err := transport(r)
				if slow { // answers overtake one another, so that acknowledgements come in another order
					time.Sleep(time.Duration(len(r.URL.Path)*int(time.Since(time.Unix(0, 0))%7)) * time.Millisecond)
				}
				return resp, err
			}))
			drive(t, d, arrival.Schedule(0, []arrival.Phase{{Duration: 2 * time.Second, From: 200, To: 200}, {Duration: 5 * time.Second},
				{Duration: time.Second, From: 100, To: 100}}))
		})
		return j.sorted()
	}
	want := play(7, 1, false)
	reads := 0
	for _, line := range want {
		if strings.Contains(line, "/record/") {
			reads++
		}
	}
	if len(want) < 700 || reads != 100 {
		t.Fatalf("got %d requests and %d reads", len(want), reads)
	}
	for _, processors := range []int{1, 2, 4, 8} {
		if got := play(7, processors, processors > 1); !slices.Equal(got, want) {
			t.Errorf("GOMAXPROCS %d: other requests were sent", processors)
		}
	}
	if got := play(8, 1, false); slices.Equal(got, want) {
		t.Error("another seed sent the same requests")
	}
}

// Dropped arrivals take their numbers with them, so that the ids of others do not depend on speed.
func TestSequenceIsTakenInArrivalOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		noting := j.noting(201, "")
		d := newDriver(compile(t, script(post("/a", `{{ $sequence() }}/{{ $sequence() }}`), post("/b", `{{ $sequence() }}`), prints("x")), Options{}),
			respond(func(r *http.Request) (*http.Response, error) {
				defer time.Sleep(75 * time.Millisecond)
				return noting(r)
			}))
		d.MaxUsers = 1
		drive(t, d, constantly(10, 400*time.Millisecond)) // every other arrival finds the only user busy
		equal(t, "sent", j.sent, []string{"POST http://api.example/poc/a 1/1", "POST http://api.example/poc/b 2",
			"POST http://api.example/poc/a 5/5", "POST http://api.example/poc/b 6"})
		equal(t, "acknowledged", d.Records.Stats().Acknowledged, 4)
	})
}

func TestCreatedRecordsAreReadBack(t *testing.T) {
	s := script()
	s.Scenarios = []scenarios.Scenario{
		{Name: "create", Flow: []scenarios.Step{post("/record", `{"id":{{ $sequence() }}}`)}},
		{Name: "read all", Flow: []scenarios.Step{get("/record/{{ $created('all') }}"), prints("read {{ $created('all') }} {{ $created() }}")}},
		{Name: "read any", Flow: []scenarios.Step{get("/record/{{ $created() }}?again={{ $created() }}"), prints("read {{ $created() }}")}},
	}
	s.Config.Phases = []scenarios.Phase{{Scenario: 0}, {Scenario: 1}, {Scenario: 2}}
	ten := arrival.Phase{Duration: time.Second, From: 10, To: 10}
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		j := new(journal)
		noting := j.noting(200, "")
		d := newDriver(compile(t, s, Options{Log: &log}), respond(func(r *http.Request) (*http.Response, error) {
			resp, err := noting(r)
			if strings.HasSuffix(r.URL.Path, "/4") {
				resp.StatusCode = 500 // it cannot be read, but it was drawn
			}
			return resp, err
		}))
		drive(t, d, arrival.Schedule(0, []arrival.Phase{ten, {Duration: 1100 * time.Millisecond, From: 10, To: 10}, ten}))
		read := map[string]int{}
		for _, line := range j.sent[10:20] {
			read[line]++
		}
		equal(t, "different records read", len(read), 10)
		equal(t, "the eleventh finds none left", count(d, 1, result.CaptureFailed), 1)
		equal(t, "and sends nothing", len(j.sent), 30)
		equal(t, "records", fmt.Sprintf("%+v", d.Records.Stats()), "{Acknowledged:10 Unknown:0 Drawn:9}")
		if !strings.Contains(log.String(), "read 1 undefined\n") || strings.Count(log.String(), "\n") < 15 {
			t.Errorf("got the log %q", log.String())
		}
		drawn := map[string]bool{}
		for _, line := range j.sent[20:] {
			drawn[line] = true
			_, ids, _ := strings.Cut(line, "/record/")
			if id, again, _ := strings.Cut(ids, "?again="); id != again {
				t.Errorf("one request reads two records: %s", line)
			}
		}
		if len(drawn) < 4 {
			t.Errorf("ten draws of ten records found only %d different ones", len(drawn))
		}
	})
}

func TestNothingCreatedIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		d := newDriver(compile(t, script(get("/record/{{ $created() }}"), get("/never")), Options{}), j.noting(200, ""))
		drive(t, d, constantly(10, time.Second))
		equal(t, "sent", len(j.sent), 0)
		s := d.Recorder.Steps()
		equal(t, "classes", []uint64{s[0].Classes[result.CaptureFailed], s[1].Classes.Total()}, []uint64{10, 0})
		equal(t, "response times", s[0].Response.Count, 0)
	})
}

// What the generator's own class table says about creates.
func TestOutcomesOfCreates(t *testing.T) {
	for _, c := range []struct {
		name                  string
		transport             respond
		acknowledged, unknown uint64
	}{
		{"answered", after(0), 1, 0},
		{"refused", func(*http.Request) (*http.Response, error) { return answered(500, ""), nil }, 0, 0},
		{"lost", func(*http.Request) (*http.Response, error) { return nil, io.EOF }, 0, 1},
		{"timed out", after(time.Hour), 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDriver(compile(t, script(post("/", "{{ $sequence() }}")), Options{}), c.transport)
			drive(t, d, constantly(1, time.Second))
			got := d.Records.Stats()
			equal(t, c.name, []uint64{got.Acknowledged, got.Unknown}, []uint64{c.acknowledged, c.unknown})
		})
	}
}

// Stats and the recorder may be looked at while the run goes on, and a cut may be made. Run with -race.
func TestLookingOnWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, mixed(), Options{}), after(30*time.Millisecond))
		began := time.Now()
		stop := make(chan struct{})
		watched := make(chan int)
		go func() {
			n := 0
			for ticker := time.NewTicker(100 * time.Millisecond); ; n++ {
				select {
				case <-stop:
					watched <- n
					return
				case <-ticker.C:
					d.Recorder.Windows(time.Since(began))
					d.Recorder.Cut(time.Since(began))
					if s := d.Stats(); s.Sent+s.Dropped > s.Due {
						t.Errorf("got %+v", s)
					}
				}
			}
		}()
		drive(t, d, constantly(500, 3*time.Second))
		close(stop)
		if n := <-watched; n < 20 {
			t.Errorf("looked %d times", n)
		}
		total := uint64(0)
		for _, sp := range d.Recorder.Spans(time.Since(began)) {
			for _, s := range sp.Steps {
				total += s.Classes.Total() + s.Straddling
			}
		}
		want := uint64(0)
		for _, s := range d.Recorder.Steps() {
			want += s.Classes.Total()
		}
		equal(t, "requests in spans", total, want)
	})
}
