package measure

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"loadkms/result"
)

func customOf(r *Recorder) *result.Custom {
	var run result.Run
	r.Sum(&run)
	return run.Custom
}

func TestCustomMetrics(t *testing.T) {
	r := NewRecorder(steps(1))
	if got := customOf(r); got != nil {
		t.Errorf("nothing was counted: got %+v", got)
	}
	r.Count("orders", 2)
	r.Count("orders", -0.5)
	r.Rate("hits")
	r.Rate("hits")
	r.Observe("price", 3)
	r.Observe("orders", 1) // a histogram of the name of a counter is another metric
	got := customOf(r)
	if got.Counters["orders"] != 1.5 || got.Rates["hits"] != 2 || got.Histograms["price"].P50 != 3 || got.Histograms["orders"].Count != 1 || got.Lost != 0 {
		t.Errorf("got %+v", got)
	}
}

// Numbers JSON does not have never get into a run.
func TestCustomMetricsAreFinite(t *testing.T) {
	r := NewRecorder(steps(1))
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		r.Count("n", v)
		r.Observe("v", v)
	}
	for range 3 {
		for _, v := range []float64{math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 0} {
			r.Observe("w", v)
		}
		r.Count("sum", math.MaxFloat64)
	}
	got := customOf(r)
	if got.Lost != 6 || got.Counters["sum"] != math.MaxFloat64 || got.Histograms["w"].Count != 12 {
		t.Errorf("got %+v", got)
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
}

func TestCustomMetricsAreBounded(t *testing.T) {
	r := NewRecorder(steps(1))
	for i := range 100 {
		r.Count(fmt.Sprint("counter ", i), 1)
		r.Rate(fmt.Sprint("rate ", i))
	}
	for range 5 {
		r.Count("one more", 1)
		r.Rate("one more")
		r.Observe("one more", 1)
		r.Count("counter 7", 1)
	}
	got := customOf(r)
	if len(got.Counters) != 100 || len(got.Rates) != 100 || len(got.Histograms) != 0 || got.Lost != 15 || got.Counters["counter 7"] != 6 {
		t.Errorf("got %d counters, %d rates, %d histograms, %d lost", len(got.Counters), len(got.Rates), len(got.Histograms), got.Lost)
	}

	r = NewRecorder(steps(1))
	for v := 1.0; !math.IsInf(v, 1); v *= 1.01 {
		r.Observe("wide", v)
	}
	for range 7 {
		r.Observe("wide", math.MaxFloat64)
	}
	if h := r.custom.values["wide"]; len(h.buckets) != mostBuckets || customOf(r).Lost == 0 {
		t.Errorf("got %d buckets, %d lost", len(h.buckets), customOf(r).Lost)
	}

	r = NewRecorder(steps(1))
	long := strings.Repeat("é", longestName)
	r.Rate(long + "x")
	r.Rate(long)
	r.Rate("broken \xff")
	if got := customOf(r); got.Rates[long] != 2 || got.Rates["broken \uFFFD"] != 1 {
		t.Errorf("got %v", got.Rates)
	}
}

// Quantiles against sorted values: never below the true one, and at most 1/128 above it; of negative numbers
// likewise, seen from zero.
func TestSummariesAgainstSortedValues(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 7))
		r := NewRecorder(steps(1))
		var all []float64
		for range 1 + rng.IntN(2000) {
			v := math.Ldexp(rng.NormFloat64(), rng.IntN(40)-20)
			if rng.IntN(20) == 0 {
				v = 0
			}
			all = append(all, v)
			r.Observe("v", v)
		}
		slices.Sort(all)
		s := customOf(r).Histograms["v"]
		sum := 0.0
		for _, v := range all {
			sum += v
		}
		n := len(all)
		scale := max(math.Abs(all[0]), math.Abs(all[n-1]))
		if s.Count != uint64(n) || s.Min != all[0] || s.Max != all[n-1] || math.Abs(s.Mean-sum/float64(n)) > 1e-9*scale {
			t.Fatalf("seed %d: got %+v of %d values from %v to %v with mean %v", seed, s, n, all[0], all[n-1], sum/float64(n))
		}
		for q, got := range map[float64]float64{0.5: s.P50, 0.75: s.P75, 0.9: s.P90, 0.95: s.P95, 0.99: s.P99, 0.999: s.P999} {
			want := all[rank(q, uint64(n))-1]
			if got < want || got > want+math.Abs(want)/128 {
				t.Fatalf("seed %d: quantile %v: got %v, want %v", seed, q, got, want)
			}
		}
	}
}

func TestCustomMetricsFromManyGoroutines(t *testing.T) {
	r := NewRecorder(steps(1))
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for i := range 1000 {
				r.Count("n", 1)
				r.Rate("r")
				r.Observe("v", float64(i))
				if i%100 == 0 {
					customOf(r)
				}
			}
		})
	}
	work.Wait()
	if got := customOf(r); got.Counters["n"] != 8000 || got.Rates["r"] != 8000 || got.Histograms["v"].Count != 8000 || got.Histograms["v"].Max != 999 {
		t.Errorf("got %+v", got)
	}
}
