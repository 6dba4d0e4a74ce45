package measure

import (
	"sync"
	"time"

	"loadkms/result"
)

// A Sample is one request that ended. Its times are durations since the run began. A request that was
// never sent (CaptureFailed) has a class but no response or service time; its Sent and Done are the
// moment it was given up.
type Sample struct {
	Step     int           // index of the steps given to NewRecorder
	Class    result.Class  // how it ended
	Phase    int           // index of the run's phases: that of the arrival it belongs to
	Intended time.Duration // when the schedule wanted it, or the step before it and think time
	Began    time.Duration // when the user got to it; from there to Sent it waited for a connection
	Sent     time.Duration // when it was on its way
	Done     time.Duration // when the last byte was read, or it failed
	Span     uint32        // Recorder.Span when it was sent, read before Sent was stamped
	Arrival  bool          // the first request of a flow: its lateness, Began − Intended, counts
}

// kind says what an entry is about.
type kind uint8

const (
	request kind = iota
	arrived
	dropped
)

// An entry is a sample, an arrival or a drop as a shard keeps it until it is folded.
type entry struct {
	intended time.Duration
	began    time.Duration
	sent     time.Duration
	done     time.Duration
	span     uint32
	step     int16 // -1: none
	class    result.Class
	kind     kind
	arrival  bool
	within   bool // the span it was sent in was still the present one when it was recorded
}

// A chunk is a stretch of a shard's log: 40 KiB.
type chunk struct {
	n       int
	entries [1024]entry
}

// waiting is how many full chunks a shard keeps before its writer folds them itself, which happens
// only if nobody reads: 64 chunks of four shards are 10 MB.
const waiting = 64

// A Shard is one of the places requests are recorded at. It is a log, so that recording costs the
// same whatever is made of the sample later, and a reader only ever swaps the log for an empty one.
// All its methods may be called from any goroutine; users are spread over shards so that they seldom
// meet.
type Shard struct {
	recorder *Recorder
	mu       sync.Mutex // guards the rest; held for one append, or one swap of pointers
	chunk    *chunk
	full     []*chunk
	spare    []*chunk
	_        [64]byte // keeps the next shard's lock out of this one's cache line
}

// Record adds one finished request. It allocates nothing as long as somebody reads the recorder once
// in 2,000 samples per shard, and one chunk per 1,024 samples otherwise.
func (s *Shard) Record(x Sample) {
	_ = s.recorder.steps[x.Step] // a wrong step must fail here, not where it is folded
	s.add(entry{x.Intended, x.Began, x.Sent, x.Done, x.Span, int16(x.Step), x.Class, request, x.Arrival, false})
}

// Arrive counts an arrival as due in the window of its intended start, whether or not its request
// ever ends.
func (s *Shard) Arrive(intended time.Duration) {
	s.add(entry{intended: intended, kind: arrived, step: -1})
}

// Drop counts an arrival nobody was free for: due and dropped in its window, and a request of class
// Dropped of step, the first of the flow it would have played. A negative step means that the flow
// has no requests.
func (s *Shard) Drop(step int, intended time.Duration) {
	if step < 0 {
		step = -1
	} else {
		_ = s.recorder.steps[step]
	}
	s.add(entry{intended: intended, sent: intended, done: intended, step: int16(step), class: result.Dropped, kind: dropped})
}

func (s *Shard) add(e entry) {
	s.mu.Lock()
	e.within = e.span == s.recorder.span.Load()
	c := s.chunk
	c.entries[c.n] = e
	c.n++
	crowded := false
	if c.n == len(c.entries) {
		s.full = append(s.full, c)
		s.chunk = s.fresh()
		crowded = len(s.full) >= waiting
	}
	s.mu.Unlock()
	// Whoever holds the recorder is folding already; waiting for it would be waiting for a reader.
	if crowded && s.recorder.mu.TryLock() {
		s.recorder.fold()
		s.recorder.mu.Unlock()
	}
}

// fresh returns an empty chunk. The caller holds mu.
func (s *Shard) fresh() *chunk {
	if n := len(s.spare); n > 0 {
		c := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return c
	}
	return new(chunk)
}

// take returns what was logged since the last call, leaving the empty chunks of free that the shard
// has room for. It appends to into and returns what is left of free.
func (s *Shard) take(into, free []*chunk) (taken, left []*chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	into = append(into, s.full...)
	clear(s.full)
	s.full = s.full[:0]
	for len(free) > 0 && len(s.spare) < 2 {
		s.spare = append(s.spare, free[len(free)-1])
		free = free[:len(free)-1]
	}
	if s.chunk.n > 0 {
		into = append(into, s.chunk)
		s.chunk = s.fresh()
	}
	return into, free
}
