package flow

import (
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"loadkms/runner/internal/arrival"
)

const (
	// A hand is how many arrivals are dealt to a loop at a time: dealing costs two operations on a
	// channel for all of them.
	hand = 256
	// hands is how many a loop may have that it has not looked at. They let the other loops go on for a
	// while (16,384 arrivals: a quarter of a second at 60,000/s) if one is held up, and cost 1 MB each at most.
	hands = 64
)

// A lane is one loop's share of the schedule. Arrivals are decided in one place and in their order, so that
// what a user does depends neither on the number of loops nor on how they are scheduled.
type lane struct {
	full  chan []ticket // closed after the last arrival
	empty chan []ticket // used up, to be filled again
	hand  []ticket
	at    int
	dry   atomic.Bool // the loop found nothing, and wants to be woken
	done  bool
}

func newLane() *lane {
	return &lane{full: make(chan []ticket, hands), empty: make(chan []ticket, hands)}
}

// next returns the intended start of the loop's next arrival, and false if none is known at present.
func (l *lane) next() (time.Duration, bool) {
	if l.at == len(l.hand) && !l.refill() {
		return 0, false
	}
	return l.hand[l.at].Intended, true
}

// take returns the arrival that next has announced.
func (l *lane) take() ticket {
	l.at++
	return l.hand[l.at-1]
}

// over reports whether there are no more arrivals.
func (l *lane) over() bool {
	_, more := l.next()
	return !more && l.done
}

// refill takes up the next hand.
func (l *lane) refill() bool {
	if l.done {
		return false
	}
	l.dry.Store(true) // before looking: what comes right after the look must wake us
	select {
	case h, ok := <-l.full:
		l.dry.Store(false)
		if !ok {
			l.done = true
			return false
		}
		if l.hand != nil {
			select {
			case l.empty <- l.hand[:0]:
			default:
			}
		}
		l.hand, l.at = h, 0
		return true
	default:
		return false
	}
}

// deal decides the arrivals of the schedule and deals them to the loops in turn. It returns when there are
// no more, or the run has ended.
func (r *engine) deal(schedule iter.Seq[arrival.Arrival]) {
	hold := make([][]ticket, len(r.all))
	defer func() {
		for i, l := range r.all {
			if len(hold[i]) > 0 && r.ctx.Err() == nil {
				r.give(i, hold[i])
			}
			close(l.lane.full)
			l.io.Wake()
		}
	}()
	var dice rand.PCG
	i := 0
	for a := range schedule {
		hold[i] = append(hold[i], r.Program.deal(a, &dice))
		if len(hold[i]) == hand {
			if !r.give(i, hold[i]) {
				return
			}
			select {
			case hold[i] = <-r.all[i].lane.empty:
			default:
				hold[i] = make([]ticket, 0, hand)
			}
		}
		if i++; i == len(r.all) {
			i = 0
		}
	}
}

// give gives a loop a hand, and reports false if the run has ended.
func (r *engine) give(i int, h []ticket) bool {
	l := r.all[i]
	select {
	case l.lane.full <- h:
	case <-r.ctx.Done():
		return false
	}
	if l.lane.dry.Load() {
		l.io.Wake()
	}
	return true
}

// paced is how many arrivals the arrival rate is taken over.
const paced = 64

// A pace is the arrival rate of one loop as the schedule has it, for the law of making connections. It is
// taken over the last arrivals, which is soon enough: the law is about connections, not arrivals.
type pace struct {
	n     int
	since time.Duration
}

// tell tells of an arrival, and returns the rate per second every so often, and for the first pair.
func (p *pace) tell(intended time.Duration) (float64, bool) {
	p.n++
	if p.n == 1 {
		p.since = intended
		return 0, false
	}
	if gap := intended - p.since; p.n == 2 || p.n > paced {
		n := p.n - 1
		if p.n > paced {
			p.n, p.since = 1, intended
		}
		// Arrivals of a burst have no gap at all, and no law but that each makes its own connection.
		if gap <= 0 {
			return 0, true
		}
		return float64(n) / gap.Seconds(), true
	}
	return 0, false
}
