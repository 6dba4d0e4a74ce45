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
	// Poisson draws the gaps between arrivals from the exponential distribution, with the rate's
	// reciprocal as their mean, instead of spacing them evenly.
	Poisson bool
	// Burst arrivals come at once when the phase begins and then every Every, in place of From and To,
	// if both are positive.
	Every time.Duration
	Burst int
}

// An Arrival is one user's entry, decided by the schedule.
type Arrival struct {
	Seq      uint64        // 0 for the first of the run, then one more for each
	Intended time.Duration // since the run began
	Phase    int           // index of the phase it falls into, of all tracks' phases in a row
}

// Schedule returns every arrival of all tracks in order. A track is a list of phases that follow one
// another; tracks run side by side from the beginning, and of arrivals that are due at once those of
// the earlier track come first. The seed decides the draws of Poisson phases, each track's apart, and
// nothing else does. The schedule may be iterated any number of times, by several goroutines at once,
// and allocates nothing per arrival.
//
// The n-th even arrival of a track (from 0) lies where the area under its rate curve reaches n, so a
// fraction of an arrival left at the end of one phase carries into the next:
//
//	rate │      ╱│‾‾‾‾‾
//	     │    ╱ n│n+1      the area between two arrivals is always 1
//	     │__╱____│______ time
//
// In Poisson phases the area between two arrivals, and before the first, is a draw from the exponential
// distribution with mean 1 instead, and what is left of it carries into the next Poisson phase. Cutting
// a phase in two where the rate is the same therefore changes nothing, bursts excepted.
//
// Whoever wants only every k-th arrival skips the others; a skipped one costs no more than any.
func Schedule(seed uint64, tracks ...[]Phase) iter.Seq[Arrival] {
	return func(yield func(Arrival) bool) {
		all := newTracks(seed, tracks)
		if len(all) == 1 {
			alone := &all[0]
			for n := uint64(0); alone.next(); n++ {
				if !yield(Arrival{n, alone.at, alone.phase}) {
					return
				}
			}
			return
		}
		merge(all, yield)
	}
}

// merge yields the arrivals of all by intended start.
func merge(all []track, yield func(Arrival) bool) {
	for i := range all {
		all[i].ended = !all[i].next()
	}
	for n := uint64(0); ; n++ {
		var first *track
		for i := range all {
			if t := &all[i]; !t.ended && (first == nil || t.at < first.at) {
				first = t
			}
		}
		if first == nil || !yield(Arrival{n, first.at, first.phase}) {
			return
		}
		first.ended = !first.next()
	}
}

// Count returns how many arrivals Schedule yields for the same seed and tracks. Draws are counted one by
// one, but nothing is placed in time.
func Count(seed uint64, tracks ...[]Phase) (n uint64) {
	all := newTracks(seed, tracks)
	for i := range all {
		n += all[i].count()
	}
	return n
}

// clean returns what p means after the rules in its type's comment: with bursts, it has no rate.
func (p Phase) clean() Phase {
	p.Duration, p.From, p.To = max(p.Duration, 0), rate(p.From), rate(p.To)
	if p.Every <= 0 || p.Burst <= 0 {
		p.Every, p.Burst = 0, 0
		return p
	}
	p.From, p.To = 0, 0
	return p
}

func rate(r float64) float64 {
	if r > 0 && !math.IsInf(r, 0) {
		return r
	}
	return 0
}

// Rate returns the arrivals per second p asks for at a moment since it began: of bursts the mean over
// the time from one to the next.
func (p Phase) Rate(at time.Duration) float64 {
	p = p.clean()
	switch {
	case p.Burst > 0:
		return float64(p.Burst) / p.Every.Seconds()
	case p.From == p.To || p.Duration == 0:
		return p.From
	}
	return p.From + (p.To-p.From)*float64(min(max(at, 0), p.Duration))/float64(p.Duration)
}

// area returns how many arrivals p asks for. The conversion keeps compilers from fusing the
// product into a later sum, so that Count and Schedule round alike on every machine.
func (p Phase) area() float64 { return float64(p.Duration.Seconds() * (p.From + p.To) / 2) }

// bursting returns how many arrivals p has, which has bursts.
func (p Phase) bursting() uint64 {
	if p.Duration == 0 {
		return 0
	}
	return uint64(1+(p.Duration-1)/p.Every) * uint64(p.Burst)
}

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
func (p *Phase) solve(want, left float64) float64 {
	want, left = max(want, 0), max(left, 0)
	if p.From == p.To {
		return want / p.From
	}
	d := p.Duration.Seconds()
	k := (p.To - p.From) / d
	if k > 0 {
		return ratio(2*want, p.From+math.Sqrt(p.From*p.From+2*k*want))
	}
	return d - ratio(2*left, p.To+math.Sqrt(p.To*p.To-2*k*left))
}

// ratio returns a/b, and 0 for 0/0: the beginning of a ramp from rate zero.
func ratio(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return a / b
}
