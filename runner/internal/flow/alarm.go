package flow

import "time"

// Alarms hold the walks that think, the one to wake first on top: a binary heap by intended start, and
// by order of arrival among equals, so that a run can be repeated. It is one loop's own and has no lock.
// The zero value is empty.
type alarms []alarm

// An alarm is one walk's.
type alarm struct {
	at   time.Duration
	seq  uint64
	walk *walk
}

func (a alarm) before(b alarm) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// next returns when the first walk is to wake, and false if none thinks.
func (h alarms) next() (time.Duration, bool) {
	if len(h) == 0 {
		return 0, false
	}
	return h[0].at, true
}

// set adds a walk.
func (h *alarms) set(x alarm) {
	*h = append(*h, x)
	s := *h
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !x.before(s[up]) {
			break
		}
		s[i] = s[up]
		i = up
	}
	s[i] = x
}

// ring removes and returns the first walk. There must be one.
func (h *alarms) ring() *walk {
	s := *h
	first, x := s[0].walk, s[len(s)-1]
	s[len(s)-1] = alarm{} // a user must not be kept by a heap that has forgotten it
	s = s[:len(s)-1]
	*h = s
	if len(s) == 0 {
		return first
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= len(s) {
			break
		}
		if down+1 < len(s) && s[down+1].before(s[down]) {
			down++
		}
		if !s[down].before(x) {
			break
		}
		s[i] = s[down]
		i = down
	}
	s[i] = x
	return first
}
