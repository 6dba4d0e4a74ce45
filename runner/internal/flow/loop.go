package flow

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/client"
	"loadkms/runner/internal/measure"
)

// mostBegun is how many arrivals a loop begins before it looks at its connections again: after a hiccup
// thousands are due at once, and answers must not wait for all of them.
const mostBegun = 64

// An eventLoop is one goroutine, locked to its thread, with its share of the arrivals and its
// own virtual users, connections, alarms and shard. While it runs it shares nothing it would have to wait for.
// Whatever may block (JavaScript, the log) is done by the clerk.
type eventLoop struct {
	run   *engine
	io    *client.Loop
	shard *measure.Shard
	lane  *lane

	wires    [][]byte                  // of requests that are the same for everybody, by the index of their op,
	expects  []bool                    // and whether their bodies wait for 100 (Continue)
	origins  map[string]*client.Origin // that are known
	idle     []*user                   // last in, first out: what was busy most recently is still in caches
	flying   []*walk                   // in an exchange, in no order
	thinking alarms
	pace     pace
	active   int // users in a flow

	mail mail // walks whose errand is done
}

// An engine is the event loops of one call of Drive.
type engine struct {
	*Driver
	settings
	ctx     context.Context
	end     context.CancelCauseFunc
	began   time.Time
	all     []*eventLoop
	clerk   *clerk
	stopped atomic.Bool   // ctx has ended
	sending atomic.Int32  // loops that still have arrivals to begin
	begun   chan struct{} // closed when none has

	mu      sync.Mutex // guards the map; held while a loop meets an origin for the first time
	origins map[string]*client.Origin
}

// now returns the time since the run began.
func (l *eventLoop) now() time.Duration { return time.Since(l.run.began) }

// driveLoops is Drive on event loops.
func (d *Driver) driveLoops(ctx context.Context, began time.Time, schedule iter.Seq[arrival.Arrival]) error {
	inner, end := context.WithCancelCause(ctx)
	defer end(errEnded)
	r := &engine{Driver: d, settings: d.settings(), ctx: inner, end: end, began: began, begun: make(chan struct{})}
	defer func() {
		for _, l := range r.all {
			l.io.Close()
		}
	}()
	n := d.LoopCount()
	for i := range n {
		l, err := r.newLoop(i, n)
		if err != nil {
			return fmt.Errorf("make an event loop: %w", err)
		}
		r.all = append(r.all, l)
	}
	r.sending.Store(int32(n))
	r.clerk = newClerk(d.Program)
	d.Program.begin(d.Metrics)
	var clerk, dealer, drivers sync.WaitGroup
	clerk.Go(func() {
		defer r.mistaken()
		r.clerk.makeCalls()
	})
	clerk.Go(r.clerk.write)
	defer clerk.Wait()
	defer r.clerk.close()

	stopping := make(chan struct{})
	stop := context.AfterFunc(inner, func() {
		defer close(stopping)
		r.stopped.Store(true)
		d.Program.interrupt()
		for _, l := range r.all {
			l.io.Wake()
		}
	})
	defer func() {
		if !stop() {
			<-stopping // or it would interrupt whoever uses the program next
		}
	}()
	dealer.Go(func() {
		defer r.mistaken()
		r.deal(schedule)
	})
	for _, l := range r.all {
		drivers.Go(l.drive)
	}
	finished := make(chan struct{})
	go func() { drivers.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-r.begun:
		if d.Begun != nil {
			d.Begun()
		}
		last := time.NewTimer(r.drain)
		select {
		case <-finished:
		case <-last.C:
			end(errEnded)
			<-finished
		}
		last.Stop()
	}
	end(errEnded) // whatever happened, the dealer is not needed any more
	dealer.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if why := context.Cause(inner); !errors.Is(why, errEnded) {
		return why // a mistake of ours, or a loop that cannot wait any more
	}
	return nil
}

// mistaken ends the run if the goroutine that defers it panics: faults must be restored although the load is lost.
func (r *engine) mistaken() {
	if p := recover(); p != nil {
		r.Program.log.once(fmt.Errorf("%v\n%s", p, debug.Stack()))
		r.end(&mistakeError{p})
	}
}

// LoopCount returns on how many event loops Drive runs: one for each processor of the process, and no more than
// there may be connections; 0 if it is the portable driver.
func (d *Driver) LoopCount() int {
	if d.Transport != nil {
		return 0
	}
	n := d.Loops
	if n <= 0 {
		n = runtime.NumCPU()
	}
	if d.Pool > 0 {
		n = min(n, d.Pool)
	}
	return n
}

func (r *engine) newLoop(i, n int) (*eventLoop, error) {
	l := &eventLoop{run: r, shard: r.Recorder.Shard(i), lane: newLane(), wires: make([][]byte, r.Program.requests),
		expects: make([]bool, r.Program.requests), origins: map[string]*client.Origin{}}
	most := 0
	if r.Pool > 0 {
		most = r.Pool / n
		if i < r.Pool%n {
			most++
		}
	}
	io, err := client.NewLoop(client.LoopOptions{Began: r.began, Ended: l.ended, Woken: l.woken, MostConns: most})
	if err != nil {
		return nil, err
	}
	l.io = io
	return l, nil
}

// drive runs the loop until its flows are over, or the run has ended.
func (l *eventLoop) drive() {
	runtime.LockOSThread() // never unlocked: the thread, whose timers were made exact, ends with us
	defer l.cut()
	defer l.run.mistaken()
	sending := true
	for !l.run.stopped.Load() {
		now := l.now()
		l.begin(now)
		for at, ok := l.thinking.next(); ok && at <= now; at, ok = l.thinking.next() {
			w := l.thinking.ring()
			l.perform(w, w.resume())
		}
		if sending && l.lane.over() {
			sending = false
			if l.run.sending.Add(-1) == 0 {
				close(l.run.begun)
			}
		}
		if !sending && l.active == 0 {
			return
		}
		if err := l.io.Turn(l.until()); err != nil {
			l.run.end(fmt.Errorf("wait for answers: %w", err))
			return
		}
	}
}

// until returns when the loop has something to do of its own accord.
func (l *eventLoop) until() time.Duration {
	until := l.now() + time.Second // a run that has ended wakes us; this is a second line of defense
	if at, ok := l.lane.next(); ok {
		if q := l.run.Quantum; q > 0 {
			at = (at + q - 1) / q * q
		}
		until = min(until, at)
	}
	if at, ok := l.thinking.next(); ok {
		until = min(until, at)
	}
	return until
}

// begin begins the arrivals that are due, as many as may be begun at a time.
func (l *eventLoop) begin(now time.Duration) {
	for range mostBegun {
		at, ok := l.lane.next()
		if !ok || at > now {
			return
		}
		k := l.lane.take()
		if rate, ok := l.pace.tell(k.Intended); ok {
			l.io.SetRate(rate)
		}
		r := l.run
		r.due.Add(1)
		u := l.claim(k.Phase)
		if u == nil {
			r.dropped.Add(1)
			l.shard.Drop(r.Program.scenarios[k.scenario].first, k.Phase, k.Intended)
			continue
		}
		l.shard.Arrive(k.Phase, k.Intended)
		r.sent.Add(1)
		l.perform(u.walk, u.begin(k))
	}
}

// claim returns a virtual user that is free, a new one if none is, and nil if as many as may be are busy.
func (l *eventLoop) claim(phase int) *user {
	r := l.run
	busy := r.busy.Add(1)
	if busy > int64(r.limitOf(phase, r.limit)) {
		r.busy.Add(-1)
		return nil
	}
	for most := r.users.Load(); busy > most && !r.users.CompareAndSwap(most, busy); most = r.users.Load() {
	}
	l.active++
	if n := len(l.idle); n > 0 {
		u := l.idle[n-1]
		l.idle = l.idle[:n-1]
		return u
	}
	return newUser(r.Program, r.records, l.shard)
}

// perform does what w asks for, until it has to wait for something.
func (l *eventLoop) perform(w *walk, act action) {
	for {
		switch act {
		case send:
			if l.send(w) {
				return
			}
			act = w.gaveUp(l.now(), l.run.Recorder.Span())
		case wait:
			if w.intended > l.now() {
				l.thinking.set(alarm{w.intended, w.user.seq, w})
				return
			}
			act = w.resume()
		case call:
			l.run.clerk.call(l, w)
			return
		case say:
			l.run.clerk.say(w.text)
			act = w.resume()
		case giveUp:
			act = w.gaveUp(l.now(), l.run.Recorder.Span())
		case fork:
			l.seat(w).open = len(w.forks)
			for _, b := range w.forks {
				l.perform(b, b.start())
			}
			return // the last of them has gone on with w, or will
		case done:
			if w.parent == nil {
				l.rest(w.user)
				return
			}
			w = w.parent
			if w.seat.open--; w.seat.open > 0 {
				return
			}
			act = w.resume()
		}
	}
}

// rest takes back a user whose flow is over.
func (l *eventLoop) rest(u *user) {
	l.active--
	l.run.busy.Add(-1)
	u.finish(l.now())
	if s := u.walk.seat; s != nil && s.conns != nil {
		l.io.Release(s.conns)
	}
	u.rest()
	l.idle = append(l.idle, u)
}

// send starts w's exchange. It reports false if what was rendered cannot be sent.
func (l *eventLoop) send(w *walk) bool {
	s := l.seat(w)
	if err := l.fill(s, w); err != nil {
		l.run.Program.log.once(err)
		return false
	}
	s.span = l.run.Recorder.Span() // before the stamp: a cut in between must not find it in the later span
	s.at = len(l.flying)
	l.flying = append(l.flying, w)
	s.exchange.Deadline = l.now() + l.run.timeout
	l.io.Start(&s.exchange)
	return true
}

// ended goes on with the walk whose exchange has ended.
func (l *eventLoop) ended(x *client.Exchange) {
	w := x.Owner.(*walk)
	s := w.seat
	l.land(s)
	w.sent(x.Began, x.Sent, s.span)
	w.connected(&x.Response.Times, x.Reused)
	if x.Err != nil {
		l.run.lack(x.Err)
		l.perform(w, w.fail(client.Classify(x.Err), x.Done))
		return
	}
	l.run.read.Add(x.Response.Size)
	l.perform(w, w.answer(&x.Response, x.Done))
}

// land takes the walk of s out of those in an exchange.
func (l *eventLoop) land(s *seat) {
	last := len(l.flying) - 1
	moved := l.flying[last]
	l.flying[s.at] = moved
	moved.seat.at = s.at
	l.flying[last] = nil
	l.flying = l.flying[:last]
}

// woken goes on with the walks whose errand is done.
func (l *eventLoop) woken() {
	for _, e := range l.mail.take() {
		if l.run.stopped.Load() {
			return // the run has ended, and may have interrupted the function
		}
		if e.err != nil {
			l.run.Program.log.once(e.err)
		}
		l.perform(e.walk, e.walk.called(e.err))
	}
}

// cut ends what is still going on when the run has ended.
func (l *eventLoop) cut() {
	r := l.run
	for _, w := range l.flying {
		l.io.Cancel(&w.seat.exchange)
		r.cut.Add(1)
		w.cut()
	}
	r.unfinished.Add(uint64(l.active))
	r.busy.Add(-int64(l.active))
}
