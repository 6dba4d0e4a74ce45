package client

// The laws of the loop:
//
//  1. One goroutine, locked to its thread, owns everything in here: connections, exchanges, the wheel, the
//     buffer. Other goroutines reach it through post and Wake, and read Stats; nothing it does waits for
//     them.
//  2. Nothing is allocated for an exchange on a connection that is open, and an idle connection holds no
//     buffer.
//  3. Ended is called by Turn and by nothing else, and only after the loop's own books are in order: it may
//     Start, Cancel and Release as it likes. What goes wrong in Start shows in the next Turn.
//  4. What can block (names, handshakes) is done by workers. Close waits for them.
//  5. A descriptor's number is used again at once. So every registration carries a generation, and an event
//     of another generation is for a connection that is gone.

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// bufferSize is how much is read at once: most answers, and the largest TLS record (16 KiB) four times.
const bufferSize = 64 << 10

// What the bell can ring for.
const (
	bellWake = 1 << iota // Wake
	bellMail             // post
)

// HasLoops reports whether there are event loops on this system.
const HasLoops = true

// A Loop makes exchanges. It performs I/O only in Turn and, where that does not block, in Start. All its
// methods but Wake and Stats are for one goroutine.
type Loop struct {
	o        LoopOptions
	poll     poller
	buffer   []byte
	conns    []*conn // by descriptor
	gen      int32
	pools    map[*Origin]*pool
	last     *pool   // the one asked for last
	hungry   []*pool // those in which exchanges wait
	again    []*conn // those that may hold decrypted bytes no event will tell of
	failed   queue   // exchanges whose end has not been told
	wheel    wheel
	cleanup  timer // closes what has been idle for too long
	rate     float64
	pinned   bool
	closed   bool
	answered bool // in this Turn: something the caller waits for has happened

	ctx     context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup

	bell   atomic.Uint32
	asleep atomic.Bool
	mu     sync.Mutex // guards what follows, for the time of a system call or an append
	event  int        // descriptor that wakes a sleeping loop; -1 when closed
	mail   []func()   // what workers have to say; run by Turn

	stats stats
}

type stats struct {
	open, mostOpen, waiting                                                 atomic.Int64
	opened, dialErrors, reused, retried, discarded, bytesRead, bytesWritten atomic.Uint64
}

// NewLoop returns a loop that has done nothing yet. It wraps errors.ErrUnsupported where there are no event
// loops.
func NewLoop(o LoopOptions) (*Loop, error) {
	l := &Loop{o: o.withDefaults(), buffer: make([]byte, bufferSize), pools: map[*Origin]*pool{}}
	var err error
	if l.poll.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create", err)
	}
	if l.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(l.poll.fd)
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := l.poll.control(unix.EPOLL_CTL_ADD, l.event, unix.EPOLLIN, 0); err != nil {
		unix.Close(l.poll.fd)
		unix.Close(l.event)
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.wheel.swept = max(0, int64(l.Now())>>tick) // Began may lie ahead
	l.cleanup.fire = l.closeIdle
	return l, nil
}

// Now returns the time since LoopOptions.Began.
func (l *Loop) Now() time.Duration { return time.Since(l.o.Began) }

// SetRate says how many exchanges per second are expected to start, for the law of making connections
// (governor.go). Until it is called, and with 0, every exchange that finds no idle connection makes one.
func (l *Loop) SetRate(perSecond float64) { l.rate = perSecond }

// Start begins an exchange. It does not block, and does not call Ended; if there is an idle connection the
// request is written at once. The loop must not be closed. Starting an exchange that has not ended is a
// bug, and panics.
func (l *Loop) Start(x *Exchange) {
	if x.state != unborn {
		panic("client: an exchange was started again before it had ended")
	}
	now := l.Now()
	x.Began, x.Sent, x.Done, x.Err, x.Reused = now, 0, 0, nil, false
	x.parser.begin(&x.Response, x.NoBody, x.KeepOK, x.KeepBad)
	x.loop = l
	if x.Deadline > 0 {
		if x.deadline.fire == nil {
			x.deadline.fire = x.expire
		}
		l.wheel.set(&x.deadline, x.Deadline)
	}
	x.pool = l.poolOf(x.To)
	l.place(x, now, false)
}

// Cancel ends an exchange without Ended, and closes its connection. It does nothing if the exchange has
// ended.
func (l *Loop) Cancel(x *Exchange) {
	if x.state == unborn {
		return
	}
	l.retract(x)
	x.state = unborn
}

// retract takes x out of wherever it is.
func (l *Loop) retract(x *Exchange) {
	l.wheel.stop(&x.deadline)
	switch x.state {
	case waiting:
		x.pool.leave(l, x)
	case unresolved:
		x.pool.unresolved.remove(x)
	case failed:
		l.failed.remove(x)
	case flying:
		c := x.conn
		x.conn, c.x = nil, nil
		l.drop(c)
	}
}

// fail ends x with err; Turn tells.
func (l *Loop) fail(x *Exchange, err error, now time.Duration) {
	l.retract(x)
	x.Err, x.Done = err, now
	x.Response = Response{Times: x.Response.Times} // what was read of it may lie in the buffer
	if x.Sent == 0 {
		x.Sent = x.Began
	}
	x.state = failed
	l.failed.pushBack(x)
}

// expire is what the deadline of an exchange does.
func (x *Exchange) expire(now time.Duration) {
	err := noConnection
	if x.state == flying && x.conn.state == busy {
		err = noAnswer
	}
	x.loop.fail(x, err, now)
}

// tell calls Ended for what has failed. What fails because of that is told in the next Turn.
func (l *Loop) tell() {
	for n := l.failed.n; n > 0 && l.failed.n > 0; n-- {
		x := l.failed.first
		l.failed.remove(x)
		x.state = unborn
		l.answered = true
		l.o.Ended(x)
	}
}

// Turn performs I/O: it calls Ended for exchanges that have ended, and Woken after Wake. If there is
// nothing to do it waits in the kernel until there is, or until the time until has come; it does not wait
// if that is over or negative. It may return early. It is always called by the same goroutine, which it
// locks to its thread. Its errors are the kernel's refusal to wait, and net.ErrClosed.
func (l *Loop) Turn(until time.Duration) error {
	if l.closed {
		return net.ErrClosed
	}
	if !l.pinned {
		runtime.LockOSThread()
		// The default of 50 µs would be added to every wait. Where it is not allowed, waits are less exact.
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
		l.pinned = true
	}
	l.answered = false
	l.tell()
	again := l.again
	l.again = nil
	for _, c := range again {
		l.readable(c)
	}
	events, err := l.poll.look()
	if err == nil && len(events) == 0 && !l.answered && len(l.again) == 0 {
		events, err = l.sleep(until)
	}
	if err != nil {
		return os.NewSyscallError("epoll_pwait", err)
	}
	for _, e := range events {
		l.dispatch(e)
	}
	if bell := l.bell.Load(); bell != 0 {
		bell = l.bell.Swap(0)
		if bell&bellMail != 0 {
			l.mu.Lock()
			mail := l.mail
			l.mail = nil
			l.mu.Unlock()
			for _, say := range mail {
				say()
			}
		}
		if bell&bellWake != 0 {
			l.o.Woken()
		}
	}
	now := l.Now()
	l.wheel.sweep(now)
	l.feedHungry(now)
	l.tell()
	return nil
}

// sleep waits for events as long as the loop itself has nothing to do before until.
func (l *Loop) sleep(until time.Duration) ([]unix.EpollEvent, error) {
	if until < 0 || l.failed.n > 0 {
		return nil, nil
	}
	if at, ok := l.wheel.next(); ok {
		until = min(until, at)
	}
	for _, p := range l.hungry {
		until = min(until, p.look)
	}
	d := until - l.Now()
	if d <= 0 {
		return nil, nil
	}
	l.asleep.Store(true)
	defer l.asleep.Store(false)
	if l.bell.Load() != 0 { // rung before it could know that we sleep
		return nil, nil
	}
	return l.poll.wait(d)
}

// dispatch handles one event.
func (l *Loop) dispatch(e unix.EpollEvent) {
	if int(e.Fd) == l.event {
		var count [8]byte
		_, _ = sysRead(l.event, count[:]) // why it rang is in bell
		return
	}
	if int(e.Fd) >= len(l.conns) {
		return
	}
	c := l.conns[e.Fd]
	if c == nil || c.gen != e.Pad {
		return
	}
	if c.state == connecting {
		l.connected(c)
		return
	}
	gen := c.gen
	if e.Events&unix.EPOLLOUT != 0 {
		l.writable(c)
	}
	if e.Events&^unix.EPOLLOUT != 0 && c.gen == gen && c.state != gone {
		l.readable(c)
	}
}

// Wake makes Turn call Woken, now if it waits. Any goroutine may call it, at any time, also after Close.
func (l *Loop) Wake() { l.ring(bellWake) }

// post makes Turn run say. Workers call it.
func (l *Loop) post(say func()) {
	l.mu.Lock()
	l.mail = append(l.mail, say)
	l.mu.Unlock()
	l.ring(bellMail)
}

// ring makes Turn look at the bell. Either it sees the bell before it sleeps, or we see that it sleeps.
func (l *Loop) ring(reason uint32) {
	if l.bell.Or(reason)&reason != 0 || !l.asleep.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.event >= 0 {
		_, _ = sysWrite(l.event, []byte{0: 1, 7: 0}) // fails only if it has rung 2^64 times, which would do as well
	}
}

// Stats returns what has been counted. Any goroutine may call it.
func (l *Loop) Stats() LoopStats {
	s := &l.stats
	return LoopStats{
		Open: s.open.Load(), MostOpen: s.mostOpen.Load(), Waiting: s.waiting.Load(),
		Opened: s.opened.Load(), DialErrors: s.dialErrors.Load(), Reused: s.reused.Load(), Retried: s.retried.Load(),
		Discarded: s.discarded.Load(), Read: s.bytesRead.Load(), Written: s.bytesWritten.Load(),
	}
}

// Close closes all connections, drops exchanges in flight without Ended, and waits for the workers. It is
// called by the goroutine that called Turn, and not from within it.
func (l *Loop) Close() error {
	if l.closed {
		return nil
	}
	l.closed = true
	l.cancel()
	for _, c := range l.conns {
		if c == nil {
			continue
		}
		if x := c.x; x != nil {
			l.Cancel(x)
		} else {
			l.drop(c)
		}
	}
	for _, p := range l.pools {
		for p.waiting.n > 0 {
			l.Cancel(p.waiting.first)
		}
		for p.unresolved.n > 0 {
			l.Cancel(p.unresolved.first)
		}
	}
	for l.failed.n > 0 {
		l.Cancel(l.failed.first)
	}
	l.workers.Wait()
	l.mu.Lock()
	event := l.event
	l.event, l.mail = -1, nil
	l.mu.Unlock()
	err := os.NewSyscallError("close", unix.Close(event))
	if e := os.NewSyscallError("close", unix.Close(l.poll.fd)); err == nil {
		err = e
	}
	if l.pinned {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0)
		runtime.UnlockOSThread()
	}
	if err != nil {
		return fmt.Errorf("close event loop: %w", err)
	}
	return nil
}
