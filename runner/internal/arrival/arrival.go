// Package arrival decides when virtual users arrive.
//
// It is the open model made explicit: an arrival happens because the schedule says so, never because
// an earlier request finished. The package does no waiting and knows no clock; it only computes
// intended start times.
package arrival

import (
	"iter"
	"math"
	"time"
)

// A Phase is a stretch of time during which the arrival rate moves linearly from From to To. Equal
// rates make a plateau, zero rates make a pause. Durations that are not positive count as none;
// rates that are negative or not a number count as zero.
type Phase struct {
	Duration time.Duration
	From, To float64 // arrivals per second
}

// An Arrival is one user's entry, decided by the schedule.
type Arrival struct {
	Seq      uint64        // 0 for the first of the run, then one more for each
	Intended time.Duration // since the run began
	Phase    int           // index of the phase it falls into
}

// Schedule returns every arrival of phases, in order. It may be iterated any number of times, and
// allocates nothing per arrival.
//
// The n-th arrival (from 0) lies where the area under the rate curve reaches n, so a fraction of an
// arrival left at the end of one phase carries into the next:
//
//	rate │      ╱│‾‾‾‾‾
//	     │    ╱ n│n+1      the area between two arrivals is always 1
//	     │__╱____│______ time
func Schedule(phases []Phase) iter.Seq[Arrival] {
	return func(yield func(Arrival) bool) {
		var (
			n     uint64        // next arrival
			area  float64       // arrivals due before this phase
			begin time.Duration // of this phase
			last  time.Duration // intended start of the arrival before
		)
		for i, p := range phases {
			p = p.clean()
			end, total := begin+p.Duration, area+p.area()
			for limit := whole(total); float64(n) < limit; n++ {
				at := begin + time.Duration(math.Round(p.solve(float64(n)-area, total-float64(n))*1e9))
				// Rounding must neither carry an arrival out of its phase nor turn two around: where a
				// ramp ends at rate zero, the last arrivals lie next to its very end.
				last = max(last, min(at, end))
				if !yield(Arrival{n, last, i}) {
					return
				}
			}
			area, begin = total, end
		}
	}
}

// Count returns how many arrivals Schedule yields for phases, without making them.
func Count(phases []Phase) uint64 {
	area := 0.0
	for _, p := range phases {
		area += p.clean().area()
	}
	return uint64(whole(area))
}

// clean returns what p means after the rules in its type's comment.
func (p Phase) clean() Phase {
	return Phase{max(p.Duration, 0), rate(p.From), rate(p.To)}
}

func rate(r float64) float64 {
	if r > 0 && !math.IsInf(r, 0) {
		return r
	}
	return 0
}

// area returns how many arrivals p asks for. The conversion keeps compilers from fusing the
// product into a later sum, so that Count and Schedule round alike on every machine.
func (p Phase) area() float64 { return float64(p.Duration.Seconds() * (p.From + p.To) / 2) }

// whole returns how many arrivals have begun when the area under the curve is area. A script's
// decimals are not exact in binary (0.07/s for 100 s makes 7.000000000000001), and a billionth of an
// arrival is no arrival.
func whole(area float64) float64 { return math.Ceil(area - 1e-9 - area*1e-14) }

// solve returns the x at which p has produced want arrivals and is about to produce left more: with
// rate r at one end and slope k >= 0 away from it, the root of k/2·x² + r·x = want, written as
//
//	x = 2·want / (r + √(r² + 2·k·want))
//
// which does not cancel when k → 0. A falling ramp is solved from its other end, where it rises:
// from its beginning, r² + 2·k·want would cancel just where the last arrivals lie.
func (p Phase) solve(want, left float64) float64 {
	want, left = max(want, 0), max(left, 0)
	d := p.Duration.Seconds()
	switch k := (p.To - p.From) / d; {
	case k > 0:
		return ratio(2*want, p.From+math.Sqrt(p.From*p.From+2*k*want))
	case k < 0:
		return d - ratio(2*left, p.To+math.Sqrt(p.To*p.To-2*k*left))
	default:
		return want / p.From
	}
}

// ratio returns a/b, and 0 for 0/0: the beginning of a ramp from rate zero.
func ratio(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return a / b
}
