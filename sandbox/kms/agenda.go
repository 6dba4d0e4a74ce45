package kms

import (
	"math"
	"time"
)

// An agenda is one look at everything in the service that happens by itself at some time: deletions,
// expiries, stores that connect. Nothing waits for these times. Each call first lets happen what has
// become due since the one before, so nobody can tell the difference, and no goroutine is needed.
type agenda struct {
	now  time.Time
	next time.Time // the earliest time that has not come, or zero
}

// due reports whether a time has come; otherwise it keeps it in mind for the next look. Zero never
// comes.
func (a *agenda) due(at time.Time) bool {
	if at.IsZero() {
		return false
	}
	if !a.now.Before(at) {
		return true
	}
	if a.next.IsZero() || at.Before(a.next) {
		a.next = at
	}
	return false
}

// settle lets everything happen that is due. To add something that happens by itself: give the agenda
// its times here, and call expect whenever a new such time is set.
func (s *Service) settle(now time.Time) {
	if now.UnixNano() < s.nextDue.Load() {
		return
	}
	s.mu.Lock()
	defer s.unlock()
	if s.archive != nil {
		s.archive.all = true
	}
	a := &agenda{now: now}
	s.bury(a)
	s.expire(a)
	s.moveStores(a)
	s.turnOver(a)
	next := int64(math.MaxInt64)
	if !a.next.IsZero() {
		next = a.next.UnixNano()
	}
	s.nextDue.Store(next)
}

// expect makes sure that settle looks again at that time. s.mu must be held for writing.
func (s *Service) expect(at time.Time) {
	if n := at.UnixNano(); n < s.nextDue.Load() {
		s.nextDue.Store(n)
	}
}
