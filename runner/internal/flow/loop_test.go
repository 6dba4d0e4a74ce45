package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/client"
	"loadkms/runner/internal/measure"
	"loadkms/runner/internal/records"
	"loadkms/scenarios"
)

// onLoops returns a driver on event loops, and skips the test where there are none.
func onLoops(t testing.TB, s *scenarios.Script, o Options) *Driver {
	t.Helper()
	io, err := client.NewLoop(client.LoopOptions{Ended: func(*client.Exchange) {}})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("there are no event loops here")
	}
	if err != nil {
		t.Fatal(err)
	}
	io.Close()
	p := compile(t, s, o)
	return &Driver{Program: p, Recorder: measure.NewRecorder(p.Steps()), Records: new(records.Set)}
}

// A recorder is a server that notes what it is sent, and answers with a status.
func noter(t testing.TB, j *journal, status int, body string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		j.add(strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), b)))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

// The same seed sends the same requests through the portable driver and through any number of loops.
func TestLoopsSendWhatThePortableDriverSends(t *testing.T) {
	// No pause is long enough for a create to be acknowledged on any machine, so reads do not take part.
	s := mixed()
	s.Scenarios[2].Flow[0] = get("/other/{{ $randomString(4) }}?v={{ city }}")
	s.Scenarios[0].Flow[1].Pause = 10 * time.Millisecond
	schedule := func() []arrival.Phase {
		return []arrival.Phase{{Duration: 500 * time.Millisecond, From: 400, To: 400}, {}, {Duration: 100 * time.Millisecond, From: 400, To: 400}}
	}
	play := func(loops int) []string {
		j := new(journal)
		server := noter(t, j, 201, "{}")
		d := onLoops(t, s, Options{Seed: 5, Target: server.URL})
		if d.Loops = loops; loops == 0 {
			c := client.New(client.Options{})
			defer c.CloseIdle()
			d.Transport = c
		}
		drive(t, d, arrival.Schedule(0, schedule()))
		for i, step := range d.Recorder.Steps() {
			if bad := step.Classes.Bad(); bad > 0 {
				t.Errorf("%d loops, step %d: %v", loops, i, step.Classes)
			}
		}
		return j.sorted()
	}
	want := play(0)
	if len(want) < 300 {
		t.Fatalf("the portable driver sent %d requests", len(want))
	}
	for _, n := range []int{1, 2, 5} {
		if got := play(n); !slices.Equal(got, want) {
			t.Errorf("%d loops: other requests were sent (%d, not %d)", n, len(got), len(want))
		}
	}
}

// Every arrival is accounted for, whatever becomes of it.
func TestLoopsCountEveryArrival(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) % 4 {
		case 0:
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				c.Close()
			}
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	d := onLoops(t, script(get("/")), Options{Target: server.URL})
	d.Timeout, d.MaxUsers = 100*time.Millisecond, 8
	drive(t, d, constantly(400, time.Second))
	stats, classes := d.Stats(), d.Recorder.Steps()[0].Classes
	equal(t, "due", stats.Due, 400)
	equal(t, "sent and dropped", stats.Sent+stats.Dropped, 400)
	equal(t, "recorded", classes.Total(), 400)
	equal(t, "dropped", classes[result.Dropped], stats.Dropped)
	equal(t, "in flight", []any{stats.Inflight, stats.Cut, stats.Unfinished}, []any{0, 0, 0})
	if classes[result.Timeout] == 0 || classes[result.ServerError] == 0 || classes[result.OK] == 0 || classes[result.ConnectionReset] == 0 {
		t.Errorf("classes: %v", classes)
	}
	if stats.Dropped == 0 || stats.Users != 8 {
		t.Errorf("dropped %d with %d users", stats.Dropped, stats.Users)
	}
}

// A run that is ended stops sending at once, and everything that was under way is cut.
func TestLoopsStopAtOnce(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%10 == 0 {
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	d := onLoops(t, script(get("/"), pause(time.Hour)), Options{Target: server.URL})
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	time.AfterFunc(300*time.Millisecond, func() { cancel(cause) })
	if err := d.Drive(ctx, time.Now(), constantly(1000, time.Hour)); err != cause {
		t.Errorf("got %v, want the cause", err)
	}
	stats := d.Stats()
	classes := d.Recorder.Steps()[0].Classes
	if stats.Sent == 0 || stats.Sent != stats.Due || stats.Cut == 0 || classes.Total()+stats.Cut != stats.Sent {
		t.Errorf("got %+v and %v", stats, classes)
	}
	equal(t, "unfinished", stats.Unfinished, stats.Sent) // all of them think, or are cut
	equal(t, "in flight", stats.Inflight, 0)
}

// The drain is bounded, and what it cuts is counted.
func TestLoopsDrain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	d := onLoops(t, script(get("/")), Options{Target: server.URL})
	begun := make(chan time.Time, 1)
	d.Drain, d.Begun = 50*time.Millisecond, func() { begun <- time.Now() }
	drive(t, d, constantly(100, 200*time.Millisecond))
	equal(t, "cut", []uint64{d.Stats().Cut, d.Stats().Unfinished}, []uint64{20, 20})
	if waited := time.Since(<-begun); waited < 50*time.Millisecond {
		t.Errorf("it waited for %v only", waited)
	}
}

// With one connection for all, arrivals wait for their turn. That is in the response time, and is neither
// lateness nor service time.
func TestLoopsWaitForAConnectionOfThePool(t *testing.T) {
	var open, most atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(10 * time.Millisecond) }))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			most.Store(max(most.Load(), open.Add(1)))
		case http.StateClosed:
			open.Add(-1)
		}
	}
	server.Start()
	defer server.Close()
	d := onLoops(t, script(get("/")), Options{Target: server.URL})
	d.Pool = 1
	drive(t, d, arrival.Schedule(0, []arrival.Phase{{Duration: time.Second, Every: time.Second, Burst: 20}}))
	step := d.Recorder.Steps()[0]
	equal(t, "connections", most.Load(), 1)
	equal(t, "ok", step.Classes[result.OK], 20)
	if step.Response.Max < 200*time.Millisecond || step.Service.P50 > 100*time.Millisecond {
		t.Errorf("response time at most %v, service time at p50 %v", step.Response.Max, step.Service.P50)
	}
	if late := d.Recorder.Lateness().P50; late > 100*time.Millisecond {
		t.Errorf("lateness at p50: %v, although only the pool was slow", late)
	}
}

func TestLoopsGiveUsersConnectionsOfTheirOwn(t *testing.T) {
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	s := script(get("/"), get("/again"))
	s.Scenarios[0].Flow[0].Expect.Status = []int{404}
	d := onLoops(t, s, Options{Target: server.URL})
	d.OwnConnections = true
	drive(t, d, constantly(100, 200*time.Millisecond))
	equal(t, "connections", opened.Load(), 20)
	equal(t, "requests", d.Recorder.Steps()[1].Classes.Total(), 20)
}

// Arrivals on a grid are released together, never early.
func TestLoopsReleaseArrivalsOnAGrid(t *testing.T) {
	j := new(journal)
	server := noter(t, j, 200, "")
	d := onLoops(t, script(get("/")), Options{Target: server.URL})
	d.Loops, d.Quantum = 1, 100*time.Millisecond
	drive(t, d, constantly(100, 400*time.Millisecond))
	equal(t, "ok", count(d, 0, result.OK), 40)
	if late := d.Recorder.Lateness(); late.P50 < 30*time.Millisecond || late.Min < 0 {
		t.Errorf("lateness p50 %v, least %v", late.P50, late.Min)
	}
}

// Functions, think time, log lines and steps side by side work as in the portable driver.
func TestLoopsPlayEveryKindOfStep(t *testing.T) {
	var log logbook
	j := new(journal)
	server := noter(t, j, 201, "")
	s := processed("./createRecord.js", calls("createNewRecord"), pause(time.Millisecond),
		post("/record", `{"id":{{ id }}}`), sideBySide(2, get("/a"), get("/b"), get("/c")), prints("created {{ id }}"))
	d := onLoops(t, s, Options{Target: server.URL, Log: &log})
	drive(t, d, constantly(100, 300*time.Millisecond))
	equal(t, "requests", len(j.sorted()), 4*30)
	equal(t, "lines", strings.Count(log.String(), "created "), 30)
	for id := 1; id <= 30; id++ {
		if want := fmt.Sprintf(`POST /record application/json {"id":%d}`, id); !slices.Contains(j.sent, want) {
			t.Errorf("nobody sent %s", want)
		}
	}
	equal(t, "unfinished", d.Stats().Unfinished, 0)
}

func TestLoopsSign(t *testing.T) {
	j := new(journal)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		j.add(r.Header.Get("Authorization") + " " + r.Header.Get("Content-Type"))
	}))
	defer server.Close()
	d := onLoops(t, script(post("/x?y=1", `{"a":1}`)), Options{Target: server.URL})
	d.Sign = func(r *http.Request, body []byte, at time.Time) error {
		r.Header.Set("Authorization", fmt.Sprintf("%s %s %s", r.Method, r.URL.RequestURI(), body))
		return nil
	}
	drive(t, d, constantly(10, 200*time.Millisecond))
	equal(t, "signed", j.sorted(), []string{`POST /x?y=1 {"a":1} application/json`, `POST /x?y=1 {"a":1} application/json`})

	var log logbook
	d = onLoops(t, script(get("/")), Options{Target: server.URL, Log: &log})
	d.Sign = func(*http.Request, []byte, time.Time) error { return errors.New("no credentials") }
	drive(t, d, constantly(10, 200*time.Millisecond))
	equal(t, "not made", count(d, 0, result.CaptureFailed), 2)
	equal(t, "log", log.String(), "sign the request: no credentials\n")
}

// A panic in a loop ends the run, and is an error, not the end of the process.
func TestAPanicInALoopEndsTheRun(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	d := onLoops(t, script(get("/")), Options{Target: server.URL})
	d.Sign = func(*http.Request, []byte, time.Time) error { panic("oh") }
	err := d.Drive(t.Context(), time.Now(), constantly(100, time.Hour))
	if mistake := (*mistakeError)(nil); !errors.As(err, &mistake) {
		t.Errorf("got %v", err)
	}
}

// A panic of the schedule is one of the dealer's, which is a goroutine of its own.
func TestAPanicOfTheScheduleEndsTheLoops(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	d := onLoops(t, script(get("/")), Options{Target: server.URL})
	err := d.Drive(t.Context(), time.Now(), func(yield func(arrival.Arrival) bool) {
		yield(arrival.Arrival{Intended: time.Hour})
		panic("oh")
	})
	if mistake := (*mistakeError)(nil); !errors.As(err, &mistake) {
		t.Errorf("got %v", err)
	}
}
