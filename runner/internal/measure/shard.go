package measure

import (
	"fmt"
	"math"
	"sync"
	"time"

	"loadkms/result"
)

// A Sample is one request that ended. Its times are durations since the run began. A request that was
// never sent (CaptureFailed) has a class but no response or service time; its Sent and Done are the
// moment it was given up.
type Sample struct {
	Step      int           // index of the steps given to NewRecorder
	Phase     int           // index of the run's phases: that of the arrival it belongs to
	Class     result.Class  // how it ended
	Status    uint16        // of the answer; 0 means there was none
	Arrival   bool          // the first request of a flow: its lateness, Began − Intended, counts
	Reused    bool          // its connection had been opened for another request
	Span      uint32        // Recorder.Span when it was sent, read before Sent was stamped
	Intended  time.Duration // when the schedule wanted it, or the step before it and think time
	Began     time.Duration // when the user got to it; from there to Sent it waited for a connection
	Sent      time.Duration // when it was on its way
	Done      time.Duration // when the last byte was read, or it failed
	FirstByte time.Duration // from Sent to the first byte of the answer; 0 means there was none
	Read      uint64        // bytes of the answer's body, as they came
}

// kind says what an entry is about.
type kind uint8

const (
	request kind = iota
	arrived
	dropped
	hopped
	connected // began, sent and done are how long resolving, connecting and the handshake took
	finished  // class is OK or not
)

// An entry is a sample, or whatever else is counted, as a shard keeps it until it is folded.
type entry struct {
	intended time.Duration
	began    time.Duration
	sent     time.Duration
	done     time.Duration
	span     uint32
	first    uint32 // microseconds from sent to the first byte, rounded up; 0 means none
	step     int16  // -1: none
	phase    int16
	status   uint16
	class    result.Class
	kind     kind
	arrival  bool
	within   bool // the span it was sent in was still the present one when it was recorded
}

// MostPhases is how many phases a run may have.
const MostPhases = math.MaxInt16 + 1

// A chunk is a stretch of a shard's log: 56 KiB.
type chunk struct {
	n       int
	entries [1024]entry
}

// waiting is how many full chunks a shard keeps before its writer folds them itself, which happens
// only if nobody reads: 64 chunks of four shards are 14 MB.
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
	read     uint64   // bytes of bodies since the last take
	reused   uint64   // requests on a connection that was there, likewise
	_        [64]byte // keeps the next shard's lock out of this one's cache line
}

// Record adds one finished request. It allocates nothing as long as somebody reads the recorder once
// in 2,000 samples per shard, and one chunk per 1,024 samples otherwise.
func (s *Shard) Record(x Sample) {
	s.check(x.Step, x.Phase) // a mistake must fail here, not where it is folded
	first := uint32(0)
	if x.FirstByte > 0 {
		first = uint32(min(micros(x.FirstByte), math.MaxUint32))
	}
	e := s.begin()
	// Field by field: a composite literal is made on the stack and copied, and the copy has to wait for the
	// small writes before it can read them in large pieces. That doubles the cost of recording.
	e.intended, e.began, e.sent, e.done = x.Intended, x.Began, x.Sent, x.Done
	e.span, e.first, e.step, e.phase, e.status = x.Span, first, int16(x.Step), int16(x.Phase), x.Status
	e.class, e.kind, e.arrival = x.Class, request, x.Arrival
	s.read += x.Read
	if x.Reused {
		s.reused++
	}
	s.end(e)
}

// Arrive counts an arrival as due in its phase and in the window of its intended start, whether or not its
// request ever ends.
func (s *Shard) Arrive(phase int, intended time.Duration) {
	s.check(-1, phase)
	e := s.begin()
	*e = entry{intended: intended, phase: int16(phase), kind: arrived, step: -1}
	s.end(e)
}

// Drop counts an arrival nobody was free for: due and dropped in its phase and window, and a request of
// class Dropped of step, the first of the flow it would have played. A negative step means that the flow
// has no requests.
func (s *Shard) Drop(step, phase int, intended time.Duration) {
	step = max(step, -1)
	s.check(step, phase)
	e := s.begin()
	*e = entry{
		intended: intended, sent: intended, done: intended, step: int16(step), phase: int16(phase),
		class: result.Dropped, kind: dropped,
	}
	s.end(e)
}

// Hop counts an answer of step that only led to a further request of the same step, as a redirect does:
// its status, and the bytes of its body. The time it took is part of the sample of the last one.
func (s *Shard) Hop(step int, status uint16, read uint64) {
	s.check(step, 0)
	e := s.begin()
	*e = entry{step: int16(step), status: status, kind: hopped}
	s.read += read
	s.end(e)
}

// Connect counts a connection that was opened, and how long it took to resolve the name, to connect, and
// to shake hands. What took no time was not needed.
func (s *Shard) Connect(dns, connect, tls time.Duration) {
	e := s.begin()
	*e = entry{began: dns, sent: connect, done: tls, kind: connected, step: -1}
	s.end(e)
}

// Finish counts a flow that ended, from the intended start of its arrival on. Ok says that it went through
// to its end. Flows the end of the run cuts short do not finish.
func (s *Shard) Finish(intended, done time.Duration, ok bool) {
	class := result.OK
	if !ok {
		class = result.CheckFailed
	}
	e := s.begin()
	*e = entry{intended: intended, done: done, kind: finished, step: -1, class: class}
	s.end(e)
}

// check panics if there is no such step, but -1, or no such phase.
func (s *Shard) check(step, phase int) {
	if step >= len(s.recorder.steps) || step < -1 || uint(phase) >= MostPhases {
		panic(fmt.Sprintf("measure: step %d of phase %d: there are %d steps, and at most %d phases",
			step, phase, len(s.recorder.steps), MostPhases))
	}
}

// begin takes mu and returns the next entry, for the caller to write all of it and hand it to end. It holds
// what was written there a round of chunks ago.
func (s *Shard) begin() *entry {
	s.mu.Lock()
	return &s.chunk.entries[s.chunk.n]
}

// end appends e, which begin returned, and releases mu.
func (s *Shard) end(e *entry) {
	e.within = e.span == s.recorder.span.Load()
	c := s.chunk
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
// has room for. It appends to into and returns what is left of free. The caller holds the recorder.
func (s *Shard) take(into, free []*chunk) (taken, left []*chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recorder.read += s.read
	s.recorder.reused += s.reused
	s.read, s.reused = 0, 0
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
