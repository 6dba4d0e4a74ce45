package flow

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/client"
)

// limited is a pacer that stops after a number of hits; a duration stops vegeta one hit early or late.
type limited struct {
	vegeta.Pacer
	hits uint64
}

func (l limited) Pace(elapsed time.Duration, hits uint64) (time.Duration, bool) {
	wait, stop := l.Pacer.Pace(elapsed, hits)
	return wait, stop || hits >= l.hits
}

// The same schedule against the same server by vegeta and by us: the same requests arrive, and both
// count the same statuses.
func TestAgainstVegeta(t *testing.T) {
	var mu sync.Mutex
	hits := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		hits[r.Method+" "+r.URL.RequestURI()]++
		n := hits[r.Method+" "+r.URL.RequestURI()]
		mu.Unlock()
		if n%10 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, "answer")
	}))
	defer s.Close()
	take := func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		taken := hits
		hits = map[string]int{}
		return taken
	}

	pacer := limited{vegeta.Rate{Freq: 300, Per: time.Second}, 300}
	attacker := vegeta.NewAttacker()
	var metrics vegeta.Metrics
	for res := range attacker.Attack(vegeta.NewStaticTargeter(vegeta.Target{Method: "GET", URL: s.URL + "/a?b=c"}), pacer, 0, "") {
		metrics.Add(res)
	}
	metrics.Close()
	want := take()

	c := client.New(client.Options{})
	defer c.CloseIdle()
	p, err := Compile(script(get("/a?b=c")), Options{Target: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	d := newDriver(p, c)
	drive(t, d, constantly(300, time.Second))
	equal(t, "hits", take(), want)
	step := d.Recorder.Steps()[0]
	equal(t, "requests", step.Classes.Total(), metrics.Requests)
	equal(t, "200", int(step.Classes[result.OK]), metrics.StatusCodes["200"])
	equal(t, "500", int(step.Classes[result.ServerError]), metrics.StatusCodes["500"])
	equal(t, "read", d.Stats().Read, metrics.BytesIn.Total)
	t.Logf("p50 of the service time: ours %v, vegeta's latency %v", step.Service.P50, metrics.Latencies.P50)
}

// Creates and reads over real connections: every acknowledged record was stored as it was sent, though
// some connections are cut before and some after the record was stored.
func TestRealCreatesAndReads(t *testing.T) {
	var mu sync.Mutex
	stored := map[int]bool{}
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		cut := func() {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				c.Close()
			}
		}
		if r.Method == http.MethodGet {
			id, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/record/"))
			mu.Lock()
			defer mu.Unlock()
			if !stored[id] {
				w.WriteHeader(http.StatusNotFound)
			}
			return
		}
		switch n % 20 {
		case 3:
			w.WriteHeader(http.StatusTooManyRequests) // without reading the body
			return
		case 7:
			cut()
			return
		}
		b, _ := io.ReadAll(r.Body)
		var id int
		if _, err := fmt.Sscanf(string(b), `{"id":%d,"pad":"`, &id); err != nil || int(r.ContentLength) != len(b) || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %q of %d bytes as %q", b, r.ContentLength, r.Header.Get("Content-Type"))
		}
		mu.Lock()
		stored[id] = true
		mu.Unlock()
		if n%20 == 11 {
			cut()
			return
		}
		w.WriteHeader(http.StatusCreated)
	}))
	defer s.Close()
	sc := script()
	sc.Scenarios = append(sc.Scenarios[:0],
		namedScenario("create", post("/record", `{"id":{{ $sequence() }},"pad":{{ $randomString(3000) }}}`)),
		namedScenario("read", get("/record/{{ $created('all') }}")))
	sc.Config.Phases = phasesOf(0, -1, 1)
	p, err := Compile(sc, Options{Target: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(client.Options{})
	defer c.CloseIdle()
	d := newDriver(p, c)
	// Two runs, not two phases of one: on a busy machine, no pause is long enough for the last create.
	drive(t, d, constantly(400, time.Second))
	drive(t, d, arrival.Schedule(0, []arrival.Phase{1: {}, 2: {Duration: 500 * time.Millisecond, From: 1000, To: 1000}}))
	created, read := d.Recorder.Steps()[0].Classes, d.Recorder.Steps()[1].Classes
	known := d.Records.Stats()
	if created[result.Throttled]+created[result.ConnectionReset]+created[result.OK] != 400 || created[result.ConnectionReset] < 20 || created[result.Throttled] < 10 {
		t.Errorf("created: %v", created)
	}
	equal(t, "acknowledged", known.Acknowledged, created[result.OK])
	equal(t, "unknown", known.Unknown, created[result.ConnectionReset])
	equal(t, "read", []uint64{known.Drawn, read[result.OK], read[result.NotFound]}, []uint64{known.Acknowledged, known.Acknowledged, 0})
	equal(t, "nothing left to read", read[result.CaptureFailed], 500-known.Acknowledged)
}

// A server nobody reaches, and one that never answers, for real.
func TestRealFailures(t *testing.T) {
	arrived := make(chan struct{}, 1000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	defer s.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, c := range []struct {
		name, target string
		want         result.Class
	}{{"never answers", s.URL, result.Timeout}, {"nobody listens", closed.URL, result.ConnectionRefused}} {
		t.Run(c.name, func(t *testing.T) {
			cl := client.New(client.Options{})
			defer cl.CloseIdle()
			p, err := Compile(script(get("/")), Options{Target: c.target})
			if err != nil {
				t.Fatal(err)
			}
			d := newDriver(p, cl)
			if c.want == result.Timeout { // on a busy machine, being refused may take as long
				d.Timeout = 50 * time.Millisecond
			}
			drive(t, d, constantly(100, 200*time.Millisecond))
			equal(t, c.want.String(), count(d, 0, c.want), 20)
		})
	}
	t.Run("cut", func(t *testing.T) {
		cl := client.New(client.Options{})
		defer cl.CloseIdle()
		p, err := Compile(script(get("/")), Options{Target: s.URL})
		if err != nil {
			t.Fatal(err)
		}
		d := newDriver(p, cl)
		for len(arrived) > 0 { // those of the other tests
			<-arrived
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for range 10 {
				<-arrived
			}
			cancel()
		}()
		if err := d.Drive(ctx, time.Now(), constantly(100, time.Hour)); err != context.Canceled {
			t.Errorf("got %v", err)
		}
		if got := d.Stats(); got.Cut < 10 || got.Sent != got.Due || d.Recorder.Steps()[0].Classes.Total() != 0 {
			t.Errorf("got %+v", got)
		}
	})
}
