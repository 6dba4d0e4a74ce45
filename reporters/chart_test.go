package reporters

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"loadkms/result"
)

// TestPointsLoseNothing: whatever is made one point, requests add up and peaks stay.
func TestPointsLoseNothing(t *testing.T) {
	const seed = 5
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		var windows []result.Window
		var want result.Counts
		var peak, late time.Duration
		n := rng.IntN(4000)
		for i := range n {
			w := result.Window{At: time.Duration(i) * time.Second, LateP99: time.Duration(rng.IntN(1e6))}
			if rng.IntN(4) > 0 {
				s := result.StepWindow{P50: 1, P99: time.Duration(rng.IntN(1e9)), Max: time.Duration(rng.IntN(1e9))}
				s.Classes[rng.IntN(int(result.Dropped))] = 1 + rng.Uint64N(9)
				w.Steps = []result.StepWindow{s}
				want.Add(s.Classes)
				peak = max(peak, s.Max)
			}
			late = max(late, w.LateP99)
			windows = append(windows, w)
		}
		var got result.Counts
		var gotPeak, gotLate time.Duration
		all := points(windows, mostPoints)
		next := time.Duration(0)
		for _, p := range all {
			if p.at != next {
				t.Fatalf("seed %d: a point begins at %v, the one before ended at %v", seed, p.at, next)
			}
			next = p.at + p.len
			got.Add(p.classes)
			gotPeak, gotLate = max(gotPeak, p.max), max(gotLate, p.late)
		}
		if got != want || gotPeak != peak || gotLate != late || len(all) > mostPoints {
			t.Fatalf("seed %d, %d windows: %v %v %v in %d points, want %v %v %v", seed, n, got, gotPeak, gotLate, len(all), want, peak, late)
		}
	}
}

// TestNumbersDoNotOverlap: however the moments lie, there is room for the number of each group, every
// moment is in one, and their order is kept.
func TestNumbersDoNotOverlap(t *testing.T) {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, seed))
	x := xAxis{0, time.Minute}
	for range 2000 {
		all := make([]moment, 1+rng.IntN(30))
		for i := range all {
			all[i].at = time.Duration(rng.Int64N(int64(time.Minute)))
			if rng.IntN(2) == 0 && i > 0 {
				all[i].at = all[i-1].at + time.Millisecond
			}
		}
		slices.SortFunc(all, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
		for _, digit := range []float64{0.0125, 0.028} {
			next, right := 1, -1.0
			for _, g := range groups(all, x, digit) {
				first, last, many := strings.Cut(g.Text, "–")
				if !many {
					last = first
				}
				from, _ := strconv.Atoi(first)
				to, _ := strconv.Atoi(last)
				at, _ := strconv.ParseFloat(strings.TrimSuffix(g.Left, "%"), 64)
				half := float64(columns(g.Text)) * digit / 2
				if from != next || to < from || at/100-half < right {
					t.Fatalf("seed %d: group %q at %s follows %d and a text that ends at %.3f", seed, g.Text, g.Left, next-1, right)
				}
				next, right = to+1, at/100+half
			}
			if next != len(all)+1 {
				t.Fatalf("seed %d: the last number is %d, want %d", seed, next-1, len(all))
			}
		}
	}
}

func TestAxes(t *testing.T) {
	for _, span := range []time.Duration{0, 1, time.Microsecond, time.Millisecond, time.Second, time.Minute, time.Hour, 24 * time.Hour, eon} {
		if n := len((xAxis{0, span}).ticks(12)); n > 14 {
			t.Errorf("%v: %d ticks", span, n)
		}
		for _, low := range []time.Duration{-1, 0, 1, span / 100, span} {
			y := axisFor(low, span)
			if n := len(y.ticks()); n < 2 || n > 20 {
				t.Errorf("%v to %v: %d ticks", low, span, n)
			}
			for _, d := range []time.Duration{-1, 0, low, span, 2 * span} {
				if f := y.at(d); !(f >= 0 && f <= 1) {
					t.Errorf("%v on %+v lies at %v", d, y, f)
				}
			}
		}
	}
	texts := func(ticks []tick) (s string) {
		for _, t := range ticks {
			s += t.Text + " "
		}
		return s
	}
	if got, want := texts((xAxis{0, time.Minute}).ticks(6)), "0:00 0:10 0:20 0:30 0:40 0:50 1:00 "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := texts((xAxis{20 * time.Second, 20500 * time.Millisecond}).ticks(5)), "0:20.0 0:20.1 0:20.2 0:20.3 0:20.4 0:20.5 "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := texts(axisFor(2*time.Millisecond, 150*time.Millisecond).ticks()), "2 ms 5 ms 10 ms 20 ms 50 ms 100 ms 200 ms "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := texts(axisFor(10*time.Millisecond, 45*time.Millisecond).ticks()), "0 10 ms 20 ms 30 ms 40 ms 50 ms "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
