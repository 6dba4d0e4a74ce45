package client

import (
	"errors"
	"net"
	"time"
)

// A pool is what a loop has to do with one origin: connections that any exchange may use, and exchanges
// that wait for one.
type pool struct {
	origin     *Origin
	waiting    queue
	young      *Exchange // the first in waiting that is not overdue
	overdue    int       // those before it
	unresolved queue

	idle                 *conn // the one used last, and behind it those before
	oldest               *conn // the other end
	conns, dialing, busy int   // shared ones; all of them, and those in these states
	idling               int

	service time.Duration // how long an answer takes, over the last dozens
	silent  time.Duration // since when there has been no answer, if any is awaited
	look    time.Duration // when the law of making connections should be asked again, if hungry
	spare   time.Duration // not before this is a reserve made: the last attempt failed
	retry   time.Duration // not before this are the addresses looked up again: it failed
	turn    int           // which address comes next

	hungry    bool // in Loop.hungry
	resolving bool
	dns       time.Duration // what the last look-up took; told by the connection made next
}

// noTime is later than any time.
const noTime = time.Duration(1<<63 - 1)

func (l *Loop) poolOf(o *Origin) *pool {
	if l.last != nil && l.last.origin == o {
		return l.last
	}
	p := l.pools[o]
	if p == nil {
		p = &pool{origin: o}
		l.pools[o] = p
	}
	l.last = p
	return p
}

// place gives x a connection, or makes it wait for one: behind all others, or before them if it was sent
// before.
func (l *Loop) place(x *Exchange, now time.Duration, again bool) {
	p := x.pool
	if x.Own != nil {
		if c := x.Own.idle(p); c != nil {
			l.send(c, x, now)
			return
		}
		l.dialOwn(x, now)
		return
	}
	if c := p.idle; c != nil && p.waiting.n == 0 {
		p.unidle(c)
		l.send(c, x, now)
		if l.rate > 0 && p.idling+p.dialing < reserve {
			l.govern(p, now)
		}
		return
	}
	x.state = waiting
	l.stats.waiting.Add(1)
	if again {
		p.waiting.pushFront(x)
		if p.overdue > 0 {
			x.overdue = true
			p.overdue++
		} else {
			p.young = x
		}
	} else {
		p.waiting.pushBack(x)
		if p.young == nil {
			p.young = x
		}
	}
	l.govern(p, now)
}

// leave takes x out of the queue.
func (p *pool) leave(l *Loop, x *Exchange) {
	if x == p.young {
		p.young = x.next
	}
	if x.overdue {
		x.overdue = false
		p.overdue--
	}
	p.waiting.remove(x)
	l.stats.waiting.Add(-1)
}

// govern makes connections by the law, and sees to it that the law is asked again in time.
func (l *Loop) govern(p *pool, now time.Duration) {
	for p.young != nil && now-p.young.Began >= independence {
		p.young.overdue = true
		p.overdue++
		p.young = p.young.next
	}
	d := demand{
		waiting: p.waiting.n, overdue: p.overdue,
		conns: p.conns, dialing: p.dialing, idle: p.idling,
		rate: l.rate, service: p.service, most: l.o.MostConns,
	}
	if p.busy > 0 {
		d.service = max(d.service, now-p.silent)
	}
	if x := p.waiting.first; x != nil {
		d.patient = now-x.Began >= patience
		d.service = max(d.service, now-x.Began)
	} else if now < p.spare {
		return
	}
	n := d.dials()
	if n > 0 && l.resolved(p, now) {
		for range n {
			l.dial(p, nil, now)
		}
	}
	switch {
	case p.waiting.n == 0:
	case n == burst:
		l.hunger(p, now)
	case l.rate > 0 && (d.most == 0 || p.conns < d.most):
		l.hunger(p, now+patience)
	}
}

// hunger makes the law be asked at the given time.
func (l *Loop) hunger(p *pool, at time.Duration) {
	if !p.hungry {
		p.hungry = true
		l.hungry = append(l.hungry, p)
		p.look = at
	}
	p.look = min(p.look, at)
}

// feedHungry asks the law where it is time.
func (l *Loop) feedHungry(now time.Duration) {
	n := 0
	for i := 0; i < len(l.hungry); i++ {
		p := l.hungry[i]
		if p.waiting.n > 0 && p.look <= now {
			p.look = noTime
			l.govern(p, now)
		}
		if p.waiting.n == 0 {
			p.hungry = false
			continue
		}
		l.hungry[n] = p
		n++
	}
	clear(l.hungry[n:])
	l.hungry = l.hungry[:n]
}

// resolved reports whether the addresses are known, and has them looked up if they are not, or no longer.
func (l *Loop) resolved(p *pool, now time.Duration) bool {
	list, stale := p.origin.addresses()
	if stale && !p.resolving && (list == nil || now >= p.retry) {
		p.resolving = true
		l.workers.Go(func() {
			err := p.origin.resolve(l.ctx)
			l.post(func() { l.told(p, err, l.Now()-now) })
		})
	}
	return list != nil
}

// told takes what a look-up has brought.
func (l *Loop) told(p *pool, err error, took time.Duration) {
	now := l.Now()
	p.resolving = false
	if err != nil {
		if list, _ := p.origin.addresses(); list != nil { // they still serve
			p.retry = now + time.Second
			return
		}
		err = &net.OpError{Op: "dial", Net: "tcp", Err: err}
		for p.waiting.n > 0 {
			l.fail(p.waiting.first, err, now)
		}
		for p.unresolved.n > 0 {
			l.fail(p.unresolved.first, err, now)
		}
		return
	}
	p.dns = took
	for p.unresolved.n > 0 {
		x := p.unresolved.first
		p.unresolved.remove(x)
		l.dialOwn(x, now)
	}
	l.govern(p, now)
}

// dialOwn makes a connection for x alone, now or when there are addresses.
func (l *Loop) dialOwn(x *Exchange, now time.Duration) {
	if !l.resolved(x.pool, now) {
		x.state = unresolved
		x.pool.unresolved.pushBack(x)
		return
	}
	l.dial(x.pool, x, now)
}

// giveUp ends the making of c, which ended in err.
func (l *Loop) giveUp(c *conn, err error, now time.Duration) {
	l.stats.dialErrors.Add(1)
	if x := c.x; x != nil {
		l.fail(x, err, now)
		return
	}
	p := c.pool
	l.drop(c)
	x := p.waiting.first
	if x == nil {
		p.spare = now + time.Second
		return
	}
	// That there was no answer in time is true only for an exchange that has waited for it as long.
	var late timedOut
	if !errors.As(err, &late) || now-x.Began >= l.o.DialTimeout {
		l.fail(x, err, now)
	}
	l.hunger(p, now)
}

// free gives c, which is ready for a request, to the first that waits.
func (l *Loop) free(c *conn, now time.Duration) {
	p := c.pool
	if c.shared {
		if x := p.waiting.first; x != nil {
			p.leave(l, x)
			l.send(c, x, now)
			return
		}
	}
	c.state, c.since = idle, now
	if c.shared {
		c.prev, c.next = nil, p.idle
		if p.idle != nil {
			p.idle.prev = c
		} else {
			p.oldest = c
		}
		p.idle = c
		p.idling++
		if l.cleanup.slot == 0 {
			l.wheel.set(&l.cleanup, now+l.o.IdleTimeout)
		}
	}
}

// unidle takes c out of the idle ones.
func (p *pool) unidle(c *conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		p.idle = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		p.oldest = c.prev
	}
	c.prev, c.next = nil, nil
	p.idling--
}

// closeIdle closes shared connections that have been idle for IdleTimeout. Each pool has its oldest at its
// end.
func (l *Loop) closeIdle(now time.Duration) {
	next := noTime
	for _, p := range l.pools {
		for p.oldest != nil && now-p.oldest.since >= l.o.IdleTimeout {
			l.drop(p.oldest)
		}
		if p.oldest != nil {
			next = min(next, p.oldest.since+l.o.IdleTimeout)
		}
	}
	if next != noTime {
		l.wheel.set(&l.cleanup, next)
	}
}
