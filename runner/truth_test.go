package runner

import (
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"loadkms/bench/stall"
	"loadkms/result"
	"loadkms/scenarios"
)

// A server that is frozen for a second makes its users wait, however few connections they have: what is reported
// counts from when they wanted to send. A generator that waits with the server reports some milliseconds here.
//
// There is no bound above: a busy machine makes users wait indeed. bench, which has a core for itself, has one.
func TestTruthUnderStall(t *testing.T) {
	t.Parallel()
	const rate, lasts = 100.0, 2500 * ms
	type trial struct {
		pool int
		run  *result.Run
		err  error
	}
	trials := []trial{{pool: 0}, {pool: 1}, {pool: 10}, {pool: 400}}
	frozen := func() *stall.Server { return &stall.Server{From: 500 * ms, Until: 1500 * ms} }
	var running sync.WaitGroup
	for i := range trials { // together, as they take real time
		running.Go(func() {
			server := httptest.NewServer(frozen())
			defer server.Close()
			sc := script()
			sc.Config.Phases = []scenarios.Phase{{Name: "steady", Duration: lasts, From: rate, To: rate, Scenario: -1}}
			sc.Config.MaxUsers, sc.Config.HTTP.Pool = 10_000, trials[i].pool
			trials[i].run, trials[i].err = Run(t.Context(), Options{Script: sc, Target: server.URL})
		})
	}
	running.Wait()
	for _, trial := range trials {
		t.Run(fmt.Sprintf("pool of %d", trial.pool), func(t *testing.T) {
			if trial.err != nil {
				t.Fatal(trial.err)
			}
			consistent(t, trial.run)
			step := trial.run.Steps[0]
			if step.Classes.Total() != uint64(rate*lasts.Seconds()) || step.Classes.Bad() > 0 {
				t.Errorf("got %v, want %v good answers", step.Classes, rate*lasts.Seconds())
			}
			for _, q := range []struct {
				name      string
				got, want time.Duration
			}{
				{"p95", step.Response.P95, frozen().Truth(0.95, rate, lasts)},
				{"p99", step.Response.P99, frozen().Truth(0.99, rate, lasts)},
			} {
				if q.got < q.want*97/100 {
					t.Errorf("%s: got %v, want %v or 3 %% less, at least", q.name, q.got, q.want)
				}
			}
		})
	}
}
