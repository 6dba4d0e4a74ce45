package client

import (
	"math/bits"
	"time"
)

const (
	tick    = 23      // a slot of the wheel is 2^23 ns, 8.4 ms, wide: what waits for it is late by less than 10 ms
	slots   = 1 << 10 // one turn of the wheel is 8.6 s: most timeouts of HTTP are seen once
	dueSlot = slots   // holds timers that are due while they are fired
	noSlot  = dueSlot + 1
)

// A timer is a place in a wheel. It knows what it is for by fire, which is set once.
type timer struct {
	at         time.Duration
	prev, next *timer
	slot       int32 // plus one; 0: not set
	fire       func(now time.Duration)
}

// A wheel fires timers at most one tick late. Setting and stopping one costs a few pointers, however many
// there are: there is one for every request in flight, and nearly none ever fires. The zero value is ready
// at time 0.
type wheel struct {
	slots [noSlot]*timer
	used  [slots / 64]uint64 // which slots hold timers
	swept int64              // ticks fired
}

// set makes t fire when at has come, or at the next tick if it has. A timer that is set already is moved.
func (w *wheel) set(t *timer, at time.Duration) {
	w.stop(t)
	t.at = at
	n := max(int64(at)>>tick, w.swept)
	w.link(t, int32(n%slots))
	w.used[n%slots/64] |= 1 << (n % 64)
}

func (w *wheel) link(t *timer, slot int32) {
	t.slot = slot + 1
	t.prev, t.next = nil, w.slots[slot]
	if t.next != nil {
		t.next.prev = t
	}
	w.slots[slot] = t
}

// stop makes t not fire. It may be called on any timer at any time.
func (w *wheel) stop(t *timer) {
	if t.slot == 0 {
		return
	}
	slot := t.slot - 1
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.slots[slot] = t.next
		if t.next == nil && slot < slots {
			w.used[slot/64] &^= 1 << (slot % 64)
		}
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.slot, t.prev, t.next = 0, nil, nil
}

// next returns when sweep has something to look at, and false if there is no timer.
func (w *wheel) next() (time.Duration, bool) {
	from := w.swept % slots
	for i := int64(0); i <= slots/64; i++ {
		word := (from/64 + i) % (slots / 64)
		set := w.used[word]
		switch i {
		case 0:
			set &= ^uint64(0) << (from % 64)
		case slots / 64: // the first word again, as far as it was left out
			set &= 1<<(from%64) - 1
		}
		if set != 0 {
			slot := word*64 + int64(bits.TrailingZeros64(set))
			return time.Duration(w.swept+(slot-from+slots)%slots+1) << tick, true
		}
	}
	return 0, false
}

// sweep fires what is due. What fires may set and stop any timer.
func (w *wheel) sweep(now time.Duration) {
	end := int64(now) >> tick
	if end <= w.swept {
		return
	}
	for n := max(w.swept, end-slots); n < end; n++ {
		for t := w.slots[n%slots]; t != nil; {
			later := t.next
			if t.at <= now { // others are due in a later turn of the wheel
				w.stop(t)
				w.link(t, dueSlot)
			}
			t = later
		}
	}
	w.swept = end
	for t := w.slots[dueSlot]; t != nil; t = w.slots[dueSlot] {
		w.stop(t)
		t.fire(now)
	}
}
