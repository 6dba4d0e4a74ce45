// Package flow walks virtual users through scenarios: it takes arrivals one by one, plays the steps of a
// scenario for each, and says how every request ended. It knows neither YAML nor faults nor reports.
//
// The laws:
//
//  1. An arrival happens when the schedule says so, never because an earlier request ended. If no
//     virtual user is free for it, it is dropped and counted, never queued silently.
//  2. The first request of a flow is timed from the arrival's intended start, a later one from the end
//     of the one before plus think time: within a flow a user really does wait.
//  3. The walk of a virtual user is a state machine. Walking needs no goroutine, no clock and no network; a
//     driver performs what the machine asks for.
//  4. Steps, classes and variables are small integers fixed before the run. Strings and maps are for
//     before and after it.
//  5. No context, timer, goroutine or channel per request. Deadlines are swept.
//  6. What a virtual user does depends on the seed, its arrival's number and the answers it gets, not on
//     scheduling: also which row of a file it has, and what its steps side by side draw.
//  7. A stall may summon thousands of users; it must not summon their memory.
package flow

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/client"
	"loadkms/runner/internal/measure"
	"loadkms/runner/internal/records"
)

// tick is how often deadlines are looked at: fine enough for timeouts of seconds, and 10,000 users are
// looked at in some tens of microseconds.
const tick = 10 * time.Millisecond

// A Driver fires the arrivals of a schedule at a target: on event loops, or, with a Transport, the portable
// way, with a goroutine for every virtual user and any http.RoundTripper. Its fields must not change
// once Drive was called.
type Driver struct {
	Program   *Program          // what users do; required
	Transport http.RoundTripper // makes the exchanges, and heeds the request's context; nil means event loops
	Recorder  *measure.Recorder // for the steps of Program; required
	Records   *records.Set      // what was created; nil means that nobody wants to know
	Metrics   Metrics           // what functions of the processor emit; nil means that nobody wants to know
	MaxUsers  int               // virtual users alive at once; default 10,000
	// PhaseUsers is the same for each phase of the schedule, in place of MaxUsers; 0, or no entry,
	// means MaxUsers.
	PhaseUsers []int
	Timeout    time.Duration // for one request, connecting and reading included; default 10s
	Drain      time.Duration // how long users may take after the last arrival; default 30s
	Begun      func()        // called once when the last arrival has been begun or dropped; nil: nobody wants to know

	// Of the event loops only:

	Loops          int           // default one for each processor
	Pool           int           // most connections to one origin at once; 0 means as many as are needed
	OwnConnections bool          // each virtual user has connections of its own, which end with its flow
	Quantum        time.Duration // arrivals are released together at multiples of it; 0: each by itself
	TLS            *tls.Config   // default: verified against the system's roots
	// Sign signs a request before it is sent; nil means that none is signed.
	Sign func(r *http.Request, body []byte, at time.Time) error

	due, sent, dropped, cut, unfinished, read atomic.Uint64
	users, busy                               atomic.Int64
}

// Stats says what a Driver has done so far.
type Stats struct {
	Due        uint64 // arrivals the schedule asked for
	Sent       uint64 // arrivals that were started
	Dropped    uint64 // arrivals nobody was free to start
	Cut        uint64 // requests in flight when the run was ended; they are not recorded
	Unfinished uint64 // arrivals that were started and whose flow the end of the run cut short, anywhere
	Read       uint64 // bytes of answers' bodies
	Users      int    // most virtual users alive at once
	Inflight   int    // virtual users busy now
}

// Stats may be called at any time, also while Drive runs. It does not block.
func (d *Driver) Stats() Stats {
	s := Stats{
		Sent: d.sent.Load(), Dropped: d.dropped.Load(), Cut: d.cut.Load(),
		Unfinished: d.unfinished.Load(), Read: d.read.Load(), Users: int(d.users.Load()), Inflight: int(d.busy.Load()),
	}
	s.Due = d.due.Load() // last, so that nothing is sent or dropped that was not due
	return s
}

var (
	errTimeout = errors.New("no complete answer in time")
	errEnded   = errors.New("the run has ended")
)

// Settings are a Driver's fields with their defaults.
type settings struct {
	records        *records.Set
	timeout, drain time.Duration
	limit          int // of virtual users alive at once
}

func (d *Driver) settings() settings {
	s := settings{records: d.Records, timeout: d.Timeout, drain: d.Drain, limit: d.MaxUsers}
	if s.records == nil {
		s.records = new(records.Set)
	}
	if s.timeout <= 0 {
		s.timeout = 10 * time.Second
	}
	if s.drain <= 0 {
		s.drain = 30 * time.Second
	}
	if s.limit <= 0 {
		s.limit = 10_000
	}
	return s
}

// limitOf returns how many virtual users may be alive at once during a phase; limit is that of others.
func (d *Driver) limitOf(phase, limit int) int {
	if phase < len(d.PhaseUsers) && d.PhaseUsers[phase] > 0 {
		return d.PhaseUsers[phase]
	}
	return limit
}

// lack tells the recorder if err means that the generator has run out of something of its own.
func (d *Driver) lack(err error) {
	if limit := client.OwnLimit(err); limit != "" {
		d.Recorder.Lack(limit)
	}
}

// A run is one portable call of Drive.
type run struct {
	*Driver
	settings
	ctx   context.Context // ends with the run; every user's context is made from it
	end   context.CancelCauseFunc
	began time.Time

	mu    sync.Mutex // guards the rest; held for a few instructions
	idle  []*user    // last in, first out: what was busy most recently is still in caches
	all   []*user
	lines []*line // of all walks of all users
}

// now returns the time since the run began.
func (r *run) now() time.Duration { return time.Since(r.began) }

// Drive fires every arrival of schedule at began plus its intended start, and blocks until every
// virtual user has finished, or Drain has passed since the last arrival: then what is still in flight
// is cut. When ctx is canceled it stops at once, cutting what is in flight, and returns the cause. A
// panic of a virtual user, which is a mistake of ours, ends the run likewise: faults must be restored
// although the load is lost. It returns nil otherwise. No goroutine is left behind. Without a Transport,
// it returns an error that is errors.ErrUnsupported, and has done nothing, where there are no event loops.
func (d *Driver) Drive(ctx context.Context, began time.Time, schedule iter.Seq[arrival.Arrival]) error {
	if d.Transport == nil {
		return d.driveLoops(ctx, began, schedule)
	}
	inner, end := context.WithCancelCause(ctx)
	r := &run{Driver: d, settings: d.settings(), ctx: inner, end: end, began: began}
	d.Program.begin(d.Metrics)

	var sweeper, users sync.WaitGroup
	sweeper.Go(r.sweep)
	defer sweeper.Wait()
	defer users.Wait() // again, for a panic of the schedule
	defer end(errEnded)

	err := r.dispatch(schedule, &users)
	if d.Begun != nil {
		d.Begun()
	}
	finished := make(chan struct{})
	go func() { users.Wait(); close(finished) }()
	last := time.NewTimer(r.drain)
	defer last.Stop()
	select {
	case <-finished:
	case <-last.C:
		end(errEnded)
		<-finished
	case <-ctx.Done():
		<-finished
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if mistake := (*mistakeError)(nil); errors.As(context.Cause(inner), &mistake) {
		return mistake
	}
	return err
}

// A mistakeError is the panic of a virtual user.
type mistakeError struct{ value any }

func (m *mistakeError) Error() string {
	return fmt.Sprintf("internal error: a virtual user panicked: %v", m.value)
}

// dispatch waits for each intended start and hands the arrival to the most recently idle virtual user.
// When it returns, users end as soon as their flow does.
func (r *run) dispatch(schedule iter.Seq[arrival.Arrival], users *sync.WaitGroup) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer func() {
		for _, u := range r.all {
			close(u.tickets)
		}
	}()
	shard := r.Recorder.Shard(0)
	var dice rand.PCG
	for a := range schedule {
		if wait := a.Intended - r.now(); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-r.ctx.Done():
				return context.Cause(r.ctx)
			}
		} else if r.ctx.Err() != nil {
			return context.Cause(r.ctx)
		}
		r.due.Add(1)
		k := r.Program.deal(a, &dice)
		u := r.claim(a.Phase)
		if u == nil {
			r.dropped.Add(1)
			shard.Drop(r.Program.scenarios[k.scenario].first, a.Phase, a.Intended)
			continue
		}
		shard.Arrive(a.Phase, a.Intended)
		r.sent.Add(1)
		if u.tickets == nil {
			u.tickets = make(chan ticket, 1)
			users.Go(func() { r.serve(u) })
		}
		u.tickets <- k // never blocks: an idle user has taken its last ticket
	}
	return nil
}

// claim returns a virtual user that is free, a new one if none is, and nil if as many as may be are
// busy.
func (r *run) claim(phase int) *user {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy.Load() >= int64(r.limitOf(phase, r.limit)) {
		return nil
	}
	r.busy.Add(1)
	if n := len(r.idle); n > 0 {
		u := r.idle[n-1]
		r.idle = r.idle[:n-1]
		return u
	}
	u := newUser(r.Program, r.records, r.Recorder.Shard(len(r.all)))
	u.walk.line = newLine(r.ctx, r.Program.requests)
	r.lines = append(r.lines, u.walk.line)
	r.all = append(r.all, u)
	r.users.Store(max(r.users.Load(), int64(len(r.all))))
	return u
}

// serve plays one flow after another on u.
func (r *run) serve(u *user) {
	defer r.mistaken()
	for k := range u.tickets {
		if r.play(u.walk, u.begin(k)) {
			u.finish(r.now())
		} else {
			r.unfinished.Add(1)
		}
		u.rest()
		r.mu.Lock()
		r.idle = append(r.idle, u)
		r.busy.Add(-1)
		r.mu.Unlock()
	}
}

// mistaken ends the run if the goroutine that defers it panics.
func (r *run) mistaken() {
	if p := recover(); p != nil {
		r.unfinished.Add(1)
		r.mistake(p)
	}
}

// mistake ends the run because of a panic, and leaves its stack in the log.
func (r *run) mistake(p any) {
	r.Program.log.once(fmt.Errorf("%v\n%s", p, debug.Stack()))
	r.end(&mistakeError{p})
}

// play performs what w asks for until it is done, or the run has ended: then it reports false.
func (r *run) play(w *walk, act action) bool {
	ok := true
	for ok {
		switch act {
		case send:
			act, ok = r.exchange(w)
		case wait:
			if ok = r.pause(w); ok {
				act = r.told(w, w.resume)
			}
		case call:
			err := w.call()
			if err != nil {
				if r.ctx.Err() != nil {
					return false // the run has ended, and interrupted the function
				}
				r.Program.log.once(err)
			}
			act = r.told(w, func() action { return w.called(err) })
		case say:
			r.Program.log.line(w.text)
			act = r.told(w, w.resume)
		case fork:
			if ok = r.branches(w); ok {
				act = r.told(w, w.resume)
			}
		case giveUp:
			act = r.giveUp(w)
		case done:
			return true
		}
	}
	return false
}

// told tells w something, in turn with the other walks of its user.
func (r *run) told(w *walk, tell func() action) action {
	w.user.mu.Lock()
	defer w.user.mu.Unlock()
	return tell()
}

// giveUp is w's gaveUp.
func (r *run) giveUp(w *walk) action {
	return r.told(w, func() action { return w.gaveUp(r.now(), r.Recorder.Span()) })
}

// branches plays the forks of w side by side and waits for them. It reports false if the run ended
// before they did.
func (r *run) branches(w *walk) bool {
	var all sync.WaitGroup
	var cut atomic.Bool
	for _, b := range w.forks {
		if b.line == nil {
			r.connect(b)
		}
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil { // the goroutine of w goes on, and counts the flow
					r.mistake(p)
					cut.Store(true)
				}
			}()
			if !r.play(b, r.told(b, b.start)) {
				cut.Store(true)
			}
		})
	}
	all.Wait()
	return !cut.Load() && r.ctx.Err() == nil
}

// connect gives w what it needs to be driven.
func (r *run) connect(w *walk) {
	w.line = newLine(r.ctx, r.Program.requests)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, w.line)
}

// pause waits until w's think time is over, and reports false if the run ended before.
func (r *run) pause(w *walk) bool {
	d := w.intended - r.now()
	if d <= 0 {
		return r.ctx.Err() == nil
	}
	timer := w.line.timer
	timer.Reset(d)
	select {
	case <-timer.C:
		return true
	case <-r.ctx.Done():
		timer.Stop()
		return false
	}
}

// sweep ends the exchanges that take too long, until the run ends; then it ends what the processor is
// doing.
func (r *run) sweep() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-r.ctx.Done():
			r.Program.interrupt()
			return
		}
		r.mu.Lock()
		lines := r.lines // only ever appended to
		r.mu.Unlock()
		now := int64(r.now())
		for _, l := range lines {
			if d := l.deadline.Load(); d != 0 && now >= d {
				l.expire(d)
			}
		}
	}
}
