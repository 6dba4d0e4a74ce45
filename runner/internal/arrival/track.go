package arrival

import (
	"math/rand/v2"
	"time"
)

// A track walks through phases that follow one another. Even arrivals and Poisson ones each keep their
// own count across its phases; a phase with bursts touches neither.
type track struct {
	at    time.Duration // of the arrival next has found
	phase int           // likewise: its index among all tracks' phases
	ended bool          // next has found none; kept by merge

	phases []Phase    // those to come, clean
	draws  *rand.Rand // nil if no phase needs any
	now    Phase
	begin  time.Duration // of now
	end    time.Duration // of now
	total  float64       // area under now; for even arrivals, under all even phases up to its end

	n     uint64  // even: the next arrival
	area  float64 // even: due before now
	limit float64 // even: n after the last arrival of now
	gap   float64 // Poisson: area from the beginning of now to the next arrival
	burst uint64  // bursts: arrivals of now that have come
}

// newTracks prepares tracks for one walk.
func newTracks(seed uint64, lists [][]Phase) []track {
	all := make([]track, len(lists))
	before := 0
	for i, list := range lists {
		t := &all[i]
		t.phase = before - 1
		before += len(list)
		t.phases = list
		for _, p := range list {
			if p.Poisson && t.draws == nil {
				t.draws = rand.New(rand.NewPCG(seed, uint64(i)))
				t.gap = t.draws.ExpFloat64()
			}
		}
	}
	return all
}

// next finds the next arrival, and reports whether there is one.
func (t *track) next() bool {
	for {
		switch p := &t.now; {
		case p.Burst > 0:
			if t.burst < p.bursting() {
				t.at = t.begin + p.Every*time.Duration(t.burst/uint64(p.Burst))
				t.burst++
				return true
			}
		case p.Poisson:
			if t.gap < t.total {
				t.place(p.solve(t.gap, t.total-t.gap))
				t.gap += t.draws.ExpFloat64()
				return true
			}
		case float64(t.n) < t.limit:
			t.place(p.solve(float64(t.n)-t.area, t.total-float64(t.n)))
			t.n++
			return true
		}
		if !t.enter() {
			return false
		}
	}
}

// place says that the arrival lies x seconds into the present phase. Rounding must neither carry it out of
// its phase nor turn two around: where a ramp ends at rate zero, the last arrivals lie next to its very end.
func (t *track) place(x float64) {
	t.at = max(t.at, min(t.begin+time.Duration(x*1e9+0.5), t.end))
}

// enter leaves the present phase for the next, and reports whether there is one.
func (t *track) enter() bool {
	if len(t.phases) == 0 {
		return false
	}
	switch p := &t.now; {
	case p.Burst > 0:
	case p.Poisson:
		t.gap -= t.total
	default:
		t.area = t.total
	}
	t.now, t.phases = t.phases[0].clean(), t.phases[1:]
	t.phase++
	t.begin, t.end = t.end, t.end+t.now.Duration
	switch p := &t.now; {
	case p.Burst > 0:
		t.burst = 0
	case p.Poisson:
		t.total = p.area()
	default:
		t.total = t.area + p.area()
		t.limit = whole(t.total)
	}
	return true
}

// count returns how many arrivals are to come, and leaves t without any.
func (t *track) count() (n uint64) {
	for t.enter() {
		switch p := &t.now; {
		case p.Burst > 0:
			n += p.bursting()
		case p.Poisson:
			for ; t.gap < t.total; n++ {
				t.gap += t.draws.ExpFloat64()
			}
		case float64(t.n) < t.limit:
			n += uint64(t.limit) - t.n
			t.n = uint64(t.limit)
		}
	}
	return n
}
