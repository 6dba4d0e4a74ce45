package flow

import (
	"fmt"
	"sync"
)

// mostLines bounds the log lines that wait to be written: somebody may have stopped the terminal.
const mostLines = 10_000

// A clerk does what the loops must not wait for: it calls the processor's functions, one after another as
// they have to be anyway, and writes the log. Two goroutines do its work: a terminal that somebody has
// stopped must not hold up the calls.
type clerk struct {
	program *Program

	mu     sync.Mutex // guards the rest; held for a few instructions
	called *sync.Cond // there are calls, or the clerk is closed
	said   *sync.Cond // there are lines, or the clerk is closed
	calls  []errand
	lines  [][]byte
	lost   int // lines that were too many
	closed bool
}

// An errand is a call a walk of a loop waits for, and then how it ended.
type errand struct {
	loop *eventLoop
	walk *walk
	err  error
}

func newClerk(p *Program) *clerk {
	c := &clerk{program: p}
	c.called, c.said = sync.NewCond(&c.mu), sync.NewCond(&c.mu)
	return c
}

// call has the function of w's present op called, and w's loop told.
func (c *clerk) call(l *eventLoop, w *walk) {
	c.mu.Lock()
	c.calls = append(c.calls, errand{loop: l, walk: w})
	c.mu.Unlock()
	c.called.Signal()
}

// say has a line written.
func (c *clerk) say(line []byte) {
	c.mu.Lock()
	if len(c.lines) < mostLines {
		c.lines = append(c.lines, append([]byte(nil), line...))
	} else {
		c.lost++
	}
	c.mu.Unlock()
	c.said.Signal()
}

// close ends the clerk's work once every line is written. Calls nobody waits for any more are not made.
func (c *clerk) close() {
	c.mu.Lock()
	c.closed, c.calls = true, nil
	c.mu.Unlock()
	c.called.Signal()
	c.said.Signal()
}

// makeCalls makes the calls that come, until close.
func (c *clerk) makeCalls() {
	for {
		c.mu.Lock()
		for len(c.calls) == 0 && !c.closed {
			c.called.Wait()
		}
		calls := c.calls
		c.calls = nil
		c.mu.Unlock()
		if len(calls) == 0 {
			return
		}
		for _, e := range calls {
			e.err = e.walk.call()
			e.loop.mail.put(e)
			e.loop.io.Wake()
		}
	}
}

// write writes the lines that come, until close.
func (c *clerk) write() {
	for {
		c.mu.Lock()
		for len(c.lines) == 0 && c.lost == 0 && !c.closed {
			c.said.Wait()
		}
		lines, lost := c.lines, c.lost
		c.lines, c.lost = nil, 0
		c.mu.Unlock()
		if len(lines) == 0 && lost == 0 {
			return
		}
		for _, b := range lines {
			c.program.log.line(b)
		}
		if lost > 0 {
			c.program.log.line(fmt.Appendf(nil, "%d more lines came faster than they could be written, and are lost", lost))
		}
	}
}

// A mail is where a loop finds the errands that are done.
type mail struct {
	mu   sync.Mutex // guards the rest; held for a few instructions
	in   []errand
	read []errand // being read by the loop
}

func (m *mail) put(e errand) {
	m.mu.Lock()
	m.in = append(m.in, e)
	m.mu.Unlock()
}

// take returns what has come. It is valid until the next call.
func (m *mail) take() []errand {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.read)
	m.in, m.read = m.read[:0], m.in
	return m.read
}
