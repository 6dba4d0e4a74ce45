package client

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestLawOfConnections(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name string
		d    demand
		want int
	}{
		{"nothing to do", demand{rate: 1000}, 0},
		{"the first", demand{waiting: 1, rate: 1000}, 1},
		{"the first few at once", demand{waiting: 50, rate: 1000}, few},
		{"they are on their way", demand{waiting: 50, conns: few, dialing: few, rate: 1000}, 0},
		{"a hiccup, unpatient", demand{waiting: 50, conns: 10, rate: 1000, service: 50 * ms}, 0},
		{"a hiccup, patient", demand{waiting: 50, patient: true, conns: 10, rate: 1000, service: 50 * ms}, few},
		{"a hiccup, enough connections for the rate", demand{waiting: 50, patient: true, conns: 80, rate: 1000, service: 50 * ms}, 0},
		{"a stall: as many as have waited long", demand{waiting: 50, overdue: 20, patient: true, conns: 80, dialing: 5, rate: 1000, service: 50 * ms}, 15},
		{"a stall: not all at once", demand{waiting: 5000, overdue: 2000, patient: true, conns: 80, rate: 1000}, burst},
		{"a stall, bounded", demand{waiting: 50, overdue: 20, patient: true, conns: 80, rate: 1000, most: 83}, 3},
		{"at the bound", demand{waiting: 50, overdue: 20, patient: true, conns: 83, rate: 1000, most: 83}, 0},
		{"closed model", demand{waiting: 50, conns: 20, dialing: 20}, 30},
		{"closed model, bounded", demand{waiting: 50, conns: 20, dialing: 20, most: 25}, 5},
		{"a reserve", demand{conns: 10, idle: 0, rate: 1000, service: 50 * ms}, reserve},
		{"a reserve on its way", demand{conns: 10, idle: 1, dialing: 1, rate: 1000, service: 50 * ms}, 0},
		{"no reserve for a low rate", demand{conns: 1, rate: 10, service: ms}, 0},
		{"no reserve without a rate", demand{conns: 1, service: ms}, 0},
	} {
		if got := c.d.dials(); got != c.want {
			t.Errorf("%s: got %d dials, want %d", c.name, got, c.want)
		}
	}
}

// A list of timers is what a wheel must be equal to, but for a tick.
func TestWheelFiresInTime(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	const width = time.Duration(1) << tick
	var w wheel
	timers := make([]timer, 200)
	due := map[*timer]time.Duration{}
	fired := 0
	for i := range timers {
		timer := &timers[i]
		timer.fire = func(now time.Duration) {
			fired++
			if at, ok := due[timer]; !ok || now < at || timer.slot != 0 {
				t.Fatalf("seed %d: fired at %v, set: %v for %v", seed, now, ok, at)
			}
			delete(due, timer)
			switch r.IntN(3) {
			case 0: // set again, now or much later
				due[timer] = now + time.Duration(r.Int64N(int64(20*time.Second)))
				w.set(timer, due[timer])
			case 1: // stop another, which may be about to fire
				other := &timers[r.IntN(len(timers))]
				w.stop(other)
				delete(due, other)
			}
		}
	}
	for now := time.Duration(0); now < 1000*time.Second; {
		for range r.IntN(10) {
			timer := &timers[r.IntN(len(timers))]
			if r.IntN(3) == 0 {
				w.stop(timer)
				delete(due, timer)
				continue
			}
			at := now + time.Duration(r.Int64N(int64(15*time.Second))) - time.Second
			due[timer] = max(at, now) // what is set for a time gone by is due at once
			w.set(timer, max(at, 0))
		}
		next, ok := w.next()
		if ok != (len(due) > 0) {
			t.Fatalf("seed %d: next says %v, %d are set", seed, ok, len(due))
		}
		for _, at := range due {
			if next > max(at, now)+width {
				t.Fatalf("seed %d: at %v, next is %v, but one is due at %v", seed, now, next, at)
			}
		}
		switch r.IntN(3) {
		case 0:
			now += time.Duration(r.Int64N(int64(20 * time.Second))) // the loop was away
		case 1:
			now = max(now, next)
		default:
			now += time.Duration(r.Int64N(int64(10 * time.Millisecond)))
		}
		w.sweep(now)
		for timer, at := range due {
			if at < now-width {
				t.Fatalf("seed %d: at %v, %p was due at %v", seed, now, timer, at)
			}
		}
	}
	if fired < 100 {
		t.Fatalf("seed %d: only %d fired", seed, fired)
	}
}
