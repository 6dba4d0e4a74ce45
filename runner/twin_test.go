package runner

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// A call is one request as the server saw it.
type call struct {
	sent, done time.Duration
	class      result.Class
	cut        bool // the run ended first
}

// A moody api answers late, badly or never, and writes down every request.
type moody struct {
	began   time.Time
	timeout time.Duration

	mu    sync.Mutex
	dice  *rand.Rand
	calls []call
}

func (m *moody) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	took, status := time.Duration(m.dice.Int64N(int64(20*ms))), []int{200, 200, 200, 500, 404}[m.dice.IntN(5)]
	switch m.dice.IntN(20) {
	case 0:
		took += time.Duration(m.dice.Int64N(int64(3 * s)))
	case 1:
		took = time.Hour
	}
	m.mu.Unlock()
	c := call{sent: time.Since(m.began), class: map[int]result.Class{200: result.OK, 500: result.ServerError, 404: result.NotFound}[status]}
	var err error
	if !wait(r.Context(), took) {
		err = r.Context().Err()
		c.cut = time.Since(m.began)-c.sent < m.timeout
		c.class = result.Timeout
	}
	c.done = time.Since(m.began)
	m.mu.Lock()
	m.calls = append(m.calls, c)
	m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// TestRunAgainstSlowTwin conducts random runs, many of them interrupted, and finds every request of the
// server's own list where it belongs: in the totals, the window its user came in, and the span it was
// sent and answered in, if it was one; and each arrival is recorded, dropped, or cut short.
func TestRunAgainstSlowTwin(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for n := range 60 {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			defer func() {
				if t.Failed() {
					t.Logf("seed %d, run %d", seed, n)
				}
			}()
			moment := func(most time.Duration) time.Duration { return time.Duration(1 + rng.Int64N(int64(most))) }
			sc := script()
			sc.Config.Phases = nil
			sc.Config.HTTP.Timeout = time.Duration(1+rng.IntN(3)) * s
			sc.Config.Drain = moment(4 * s)
			sc.Config.MaxUsers = 1 + rng.IntN(60)
			end := time.Duration(0)
			for range 1 + rng.IntN(4) {
				p := scenarios.Phase{Name: "p", Duration: moment(6 * s), Scenario: -1}
				switch rng.IntN(4) {
				case 0: // a pause
				case 1:
					p.From, p.To = rng.Float64()*50, rng.Float64()*50
				default:
					p.From = rng.Float64() * 40
					p.To = p.From
				}
				if rng.IntN(3) == 0 {
					p.MaxUsers = 1 + rng.IntN(20)
				}
				end += p.Duration
				sc.Config.Phases = append(sc.Config.Phases, p)
			}
			if rng.IntN(3) == 0 {
				think := scenarios.Step{Kind: scenarios.Think, Pause: moment(2 * s)}
				sc.Scenarios[0].Flow = append([]scenarios.Step{think}, sc.Scenarios[0].Flow...)
			}
			for range rng.IntN(3) {
				f := scenarios.Fault{Name: "f", Do: scenarios.DisableKey, At: scenarios.When{Phase: -1, Offset: moment(end) - 1}}
				if rng.IntN(3) > 0 {
					f.For = moment(end)
				}
				sc.Faults = append(sc.Faults, f)
			}
			w := newWorld(sc)
			for i := range w.options.Faults[min(1, len(sc.Faults)):] {
				w.options.Faults[i+1] = &key{id: "another key"}
			}
			server := &moody{began: time.Now(), timeout: sc.Config.HTTP.Timeout, dice: rng}
			w.options.Transport = server
			ctx := t.Context()
			if rng.IntN(2) == 0 {
				limited, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				stop := time.AfterFunc(moment(end+3*s), func() { cancel(errors.New("a signal")) })
				defer stop.Stop()
				ctx = limited
			}
			got := run(t, ctx, w)
			compare(t, got, server.calls)
		})
		if t.Failed() {
			return
		}
	}
}

// compare compares a run with the list of its requests.
func compare(t *testing.T, run *result.Run, calls []call) {
	t.Helper()
	var total result.Counts
	windows, spans := make([]result.Counts, len(run.Windows)), make([]result.Counts, len(run.Spans))
	straddling := make([]uint64, len(run.Spans))
	cut := uint64(0)
	for _, c := range calls {
		if c.cut {
			cut++
			continue
		}
		total[c.class]++
		windows[c.sent/s][c.class]++
		i := slices.IndexFunc(run.Spans, func(s result.Span) bool { return c.sent < s.To })
		if c.done <= run.Spans[i].To {
			spans[i][c.class]++
			seen := run.Spans[i].Steps[0].Seen[c.class]
			if c.done < seen.First || c.done > seen.Last {
				t.Errorf("a %v at %v is not between those seen first and last: %+v", c.class, c.done, seen)
			}
		} else {
			straddling[i]++
		}
	}
	sum := run.Steps[0].Classes
	if sum[result.Dropped] != run.Generator.Dropped || cut != run.Generator.Cut {
		t.Errorf("got %d dropped and %d cut, want %d and %d", sum[result.Dropped], run.Generator.Cut, run.Generator.Dropped, cut)
	}
	if sum[result.Dropped] = 0; sum != total {
		t.Errorf("totals: got %v, want %v", sum, total)
	}
	for i, w := range run.Windows {
		if got := w.Steps[0].Classes; got[result.Dropped] != w.Dropped {
			t.Errorf("window %d: %d requests and %d arrivals were dropped", i, got[result.Dropped], w.Dropped)
		} else if got[result.Dropped] = 0; got != windows[i] {
			t.Errorf("window %d: got %v, want %v", i, got, windows[i])
		}
	}
	for i, s := range run.Spans {
		got := s.Steps[0].Classes
		if got[result.Dropped] = 0; got != spans[i] || s.Steps[0].Straddling != straddling[i] {
			t.Errorf("span %d of %d, %v to %v: got %v and %d straddling, want %v and %d", i, len(run.Spans), s.From, s.To, got,
				s.Steps[0].Straddling, spans[i], straddling[i])
		}
	}
}
