// Package stall is a server that answers at once but for one stretch of time, in which every request hangs until
// the stretch is over, and the truth about what users of it feel. A load generator that waits for the server
// before it starts the next stopwatch (coordinated omission) reports a fraction of that truth.
package stall

import (
	"io"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A Server is an http.Handler that freezes once. The zero value never does. Its fields must not change once it
// was asked.
type Server struct {
	From, Until time.Duration // since the first request

	first sync.Once
	began time.Time
}

// ServeHTTP answers with a small JSON, after Until if it is asked between From and Until. It gives up when the
// client does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.first.Do(func() { s.began = time.Now() })
	if at := time.Since(s.began); at >= s.From && at < s.Until {
		thaw := time.NewTimer(s.Until - at)
		defer thaw.Stop()
		select {
		case <-thaw.C:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":1}`) // who has gone is not told
}

// Truth returns the quantile q, between 0 and 1, of what users feel who arrive evenly at rate per second for as
// long as lasts, by the definition: the k-th arrives at k ÷ rate, and waits for the thaw if it comes while the
// server is frozen, and for nothing if not. It is 0 if nobody arrives.
func (s *Server) Truth(q, rate float64, lasts time.Duration) time.Duration {
	var waits []time.Duration
	for k := range int(rate * lasts.Seconds()) {
		at, wait := time.Duration(float64(k)/rate*1e9), time.Duration(0)
		if at >= s.From && at < s.Until {
			wait = s.Until - at
		}
		waits = append(waits, wait)
	}
	if len(waits) == 0 {
		return 0
	}
	slices.Sort(waits)
	return waits[max(int(math.Ceil(q*float64(len(waits)))), 1)-1]
}
