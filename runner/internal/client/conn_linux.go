package client

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a connection is doing.
const (
	connecting = iota
	shaking    // hands, by a worker
	idle
	busy
	gone
)

// continueAfter is how long the body of a request that expects "100 Continue" is held back, as net/http's
// default is.
const continueAfter = time.Second

// readsInARow is how many buffers are read from one connection before others have their turn.
const readsInARow = 16

// A conn is one TCP connection, with TLS or without.
type conn struct {
	fd     int
	gen    int32
	state  uint8
	shared bool // any exchange may use it; otherwise it is own's
	doomed bool // not to be used again
	used   bool // it has answered a request
	held   bool // the body of the request is held back until 100
	pool   *pool
	own    *Conns
	x      *Exchange // in flight on it, or for which alone it is being made
	prev   *conn     // in the pool's idle ones
	next   *conn
	sent   int           // bytes of the request written
	watch  uint32        // events asked for
	broken error         // of writing: there may still be an answer to read
	since  time.Duration // idle, or being made
	timer  timer
	times  Times
	tls    *tlsConn

	addrs        []netip.AddrPort
	first, tried int
	err          error // of the first address
}

// dial makes a connection for x alone, or with nil for the pool.
func (l *Loop) dial(p *pool, x *Exchange, now time.Duration) {
	list, _ := p.origin.addresses()
	c := &conn{fd: -1, state: connecting, pool: p, x: x, since: now, addrs: list, first: p.turn}
	c.times.DNS = p.dns
	p.dns = 0
	p.turn++
	c.timer.fire = func(now time.Duration) { l.late(c, now) }
	if x != nil {
		c.own = x.Own
		c.own.all = append(c.own.all, c)
		x.state, x.conn = flying, c
	} else {
		c.shared = true
		p.conns++
		p.dialing++
	}
	open := l.stats.open.Add(1)
	if open > l.stats.mostOpen.Load() {
		l.stats.mostOpen.Store(open)
	}
	l.connect(c, now)
}

// connect tries the addresses that have not been tried yet, until one is not refused at once.
func (l *Loop) connect(c *conn, now time.Duration) {
	for c.tried < len(c.addrs) {
		addr := c.addrs[(c.first+c.tried)%len(c.addrs)]
		c.tried++
		err := l.open(c, addr)
		if err == nil {
			l.opened(c, now)
			return
		}
		if err == unix.EINPROGRESS {
			// Each address gets its share of the time that is left.
			left := c.since + l.o.DialTimeout - now
			l.wheel.set(&c.timer, now+left/time.Duration(len(c.addrs)-c.tried+1))
			return
		}
		l.unregister(c)
		if c.err == nil {
			c.err = &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(addr), Err: err}
		}
		if OwnLimit(err) != "" {
			break
		}
	}
	l.giveUp(c, c.err, now)
}

// open begins to connect to addr. It returns nil if that was done at once, EINPROGRESS if it goes on, or an
// *os.SyscallError.
func (l *Loop) open(c *conn, addr netip.AddrPort) error {
	family := unix.AF_INET
	var to unix.Sockaddr
	if ip := addr.Addr(); ip.Is4() {
		to = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: ip.As4()}
	} else {
		family = unix.AF_INET6
		to = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: ip.As16(), ZoneId: zone(ip.Zone())}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	c.fd = fd
	l.gen++
	c.gen = l.gen
	for fd >= len(l.conns) {
		l.conns = append(l.conns, make([]*conn, max(64, len(l.conns)))...)
	}
	l.conns[fd] = c
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	done := unix.Connect(fd, to)
	c.watch = unix.EPOLLOUT
	switch done {
	case nil:
		c.watch = unix.EPOLLIN
	case unix.EINPROGRESS, unix.EINTR:
		done = unix.EINPROGRESS
	default:
		return os.NewSyscallError("connect", done)
	}
	if err := l.poll.control(unix.EPOLL_CTL_ADD, fd, c.watch, c.gen); err != nil {
		return err
	}
	return done
}

// zone returns the number of an IPv6 zone, 0 if it is unknown.
func zone(name string) uint32 {
	if name == "" {
		return 0
	}
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(name); err == nil {
		return uint32(i.Index)
	}
	return 0
}

// unregister closes the descriptor of c, if it has one.
func (l *Loop) unregister(c *conn) {
	if c.fd < 0 {
		return
	}
	l.conns[c.fd] = nil
	c.gen = 0
	_ = unix.Close(c.fd) // the connection is over, whatever it says
	c.fd = -1
}

// observe changes the events asked for. The kernel refuses only if it is out of memory; then c is ended in
// the next Turn.
func (l *Loop) observe(c *conn, events uint32) {
	if c.watch == events {
		return
	}
	c.watch = events
	err := l.poll.control(unix.EPOLL_CTL_MOD, c.fd, events, c.gen)
	if err == nil {
		return
	}
	l.post(func() {
		switch c.state {
		case connecting, shaking:
			l.giveUp(c, err, l.Now())
		case idle:
			l.drop(c)
		case busy:
			l.fail(c.x, err, l.Now())
		}
	})
}

// connected handles that connecting has come to an end.
func (l *Loop) connected(c *conn) {
	now := l.Now()
	errno, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno == 0 {
		l.observe(c, unix.EPOLLIN)
		l.opened(c, now)
		return
	}
	if err == nil {
		err = syscall.Errno(errno)
	}
	l.next(c, os.NewSyscallError("connect", err), now)
}

// next tries the next address after err.
func (l *Loop) next(c *conn, err error, now time.Duration) {
	l.wheel.stop(&c.timer)
	if c.err == nil {
		addr := c.addrs[(c.first+c.tried-1)%len(c.addrs)]
		c.err = &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(addr), Err: err}
	}
	l.unregister(c)
	l.connect(c, now)
}

// late is what a connection's timer does.
func (l *Loop) late(c *conn, now time.Duration) {
	switch {
	case c.state == connecting:
		l.next(c, noConnect, now)
	case c.state == shaking:
		l.giveUp(c, &net.OpError{Op: "dial", Net: "tcp", Err: noHandshake}, now)
	case c.held:
		c.held = false
		l.write(c)
	}
}

// opened goes on with a TCP connection that stands.
func (l *Loop) opened(c *conn, now time.Duration) {
	l.wheel.stop(&c.timer)
	c.times.Connect = now - c.since
	c.addrs, c.err = nil, nil
	if c.pool.origin.tls != nil {
		l.shake(c, now)
		return
	}
	l.ready(c, now)
}

// ready puts a connection to use.
func (l *Loop) ready(c *conn, now time.Duration) {
	l.wheel.stop(&c.timer)
	l.stats.opened.Add(1)
	if c.shared {
		c.pool.dialing--
		c.state = idle
		l.free(c, now)
		return
	}
	x := c.x
	c.x = nil
	l.send(c, x, now)
}

// drop closes c and takes it out of the books. There is no exchange on it any more.
func (l *Loop) drop(c *conn) {
	p := c.pool
	if c.shared {
		p.conns--
		switch c.state {
		case connecting, shaking:
			p.dialing--
		case idle:
			p.unidle(c)
		case busy:
			p.busy--
		}
		if p.waiting.n > 0 {
			l.hunger(p, 0)
		}
	} else if c.own != nil {
		c.own.remove(c)
	}
	c.state = gone
	l.wheel.stop(&c.timer)
	if c.tls != nil {
		c.tls.close()
	}
	l.unregister(c)
	l.stats.open.Add(-1)
}

// send writes the request of x on c, which is ready for it and in no list.
func (l *Loop) send(c *conn, x *Exchange, now time.Duration) {
	p := c.pool
	if c.shared {
		if p.busy == 0 {
			p.silent = now
		}
		p.busy++
	}
	c.state, c.x, c.sent, c.held, c.broken = busy, x, 0, false, nil
	x.state, x.conn = flying, c
	x.Reused = c.used
	if c.used {
		l.stats.reused.Add(1)
		x.Response.Times = Times{}
	} else {
		x.Response.Times = c.times
	}
	if x.Sent == 0 {
		x.Sent = now
	}
	if x.Expect100 && len(headOf(x.Request)) < len(x.Request) {
		c.held = true
		l.wheel.set(&c.timer, now+continueAfter)
	}
	l.write(c)
}

// headOf returns the head of a request, empty line included.
func headOf(request []byte) []byte {
	if i := bytes.Index(request, []byte("\r\n\r\n")); i >= 0 {
		return request[:i+4]
	}
	return request
}

// write writes as much of the request as it can.
func (l *Loop) write(c *conn) {
	b := c.x.Request
	if c.held {
		b = headOf(b)
	}
	if c.sent == len(b) {
		return
	}
	var (
		n   int
		err error
	)
	if c.tls != nil {
		n, err = c.tls.Write(b[c.sent:])
	} else {
		var errno syscall.Errno
		n, errno = sysWrite(c.fd, b[c.sent:])
		switch errno {
		case 0:
			l.stats.bytesWritten.Add(uint64(n))
		case unix.EAGAIN:
			n = 0
		default:
			n, err = 0, errno
		}
	}
	if err != nil {
		// The server may have answered before it closed, so the answer is read first: a connection that is
		// closed is always readable.
		c.broken = &net.OpError{Op: "write", Net: "tcp", Err: err}
		if !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
			l.lost(c, c.broken, l.Now())
		}
		return
	}
	c.sent += n
	if c.sent < len(b) || c.tls != nil && c.tls.pending() {
		l.observe(c, unix.EPOLLIN|unix.EPOLLOUT)
	} else {
		l.observe(c, unix.EPOLLIN)
	}
}

// writable goes on writing.
func (l *Loop) writable(c *conn) {
	if c.tls != nil {
		if err := c.tls.flush(); err != nil {
			c.broken = &net.OpError{Op: "write", Net: "tcp", Err: err}
		}
		if !c.tls.pending() {
			l.observe(c, unix.EPOLLIN)
		}
	}
	if c.state == busy && c.broken == nil {
		l.write(c)
	}
}

// written reports whether the request has been written wholly.
func (c *conn) written() bool {
	return c.sent == len(c.x.Request) && (c.tls == nil || !c.tls.pending())
}

// errWouldBlock is what reading says when there is nothing yet. crypto/tls goes on after an error that is
// temporary.
var errWouldBlock net.Error = wouldBlock{}

type wouldBlock struct{}

func (wouldBlock) Error() string   { return "would block" }
func (wouldBlock) Timeout() bool   { return false }
func (wouldBlock) Temporary() bool { return true }

// read reads from c: errWouldBlock if there is nothing, io.EOF if the server has closed.
func (l *Loop) read(c *conn, b []byte) (int, error) {
	if c.tls != nil {
		n, err := c.tls.Read(b)
		if n > 0 {
			return n, nil // an error comes again
		}
		return 0, err
	}
	n, errno := sysRead(c.fd, b)
	switch {
	case errno == unix.EAGAIN:
		return 0, errWouldBlock
	case errno != 0:
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errno)}
	case n == 0:
		return 0, io.EOF
	}
	l.stats.bytesRead.Add(uint64(n))
	return n, nil
}

// readable reads what there is.
func (l *Loop) readable(c *conn) {
	switch c.state {
	case connecting, gone:
		return
	case shaking:
		if !c.tls.hand(l.buffer) {
			l.observe(c, 0) // the worker will say what it makes of it
		}
		return
	case idle:
		l.overheard(c)
		return
	}
	if c.tls != nil {
		c.tls.more()
	}
	for range readsInARow {
		n, err := l.read(c, l.buffer)
		if err == errWouldBlock {
			if c.broken != nil {
				l.lost(c, c.broken, l.Now())
			}
			return
		}
		now := l.Now()
		x := c.x
		if err != nil {
			if err == io.EOF {
				if err = x.parser.end(); err == nil {
					l.finish(c, now, false)
					return
				}
			}
			if c.broken != nil {
				err = c.broken
			}
			l.lost(c, err, now)
			return
		}
		if !x.parser.started {
			x.Response.Times.FirstByte = now - x.Sent
		}
		rest, done, err := x.parser.feed(l.buffer[:n])
		switch {
		case err != nil:
			l.fail(x, err, now)
			return
		case done:
			l.finish(c, now, len(rest) == 0)
			return
		case c.held && x.parser.continued:
			c.held = false
			l.wheel.stop(&c.timer)
			l.write(c)
			if c.state != busy {
				return
			}
		}
		if c.tls == nil && n < len(l.buffer) {
			return
		}
	}
	if c.tls != nil {
		l.again = append(l.again, c)
	}
}

// overheard handles what an idle server says: that it has closed, or something nobody asked for. Neither
// must be taken for the next answer.
func (l *Loop) overheard(c *conn) {
	if c.tls != nil {
		c.tls.more()
	}
	n, err := l.read(c, l.buffer)
	if err == errWouldBlock { // a TLS session ticket
		return
	}
	if n > 0 {
		l.stats.discarded.Add(1)
	}
	l.drop(c)
}

// finish ends the exchange on c with its answer. The connection may be used again if clean: nothing follows
// the answer.
func (l *Loop) finish(c *conn, now time.Duration, clean bool) {
	x, p := c.x, c.pool
	keep := clean && x.parser.reusable && !c.doomed && c.written() && c.broken == nil &&
		(c.tls == nil || c.tls.quiet())
	l.wheel.stop(&x.deadline)
	if c.held {
		c.held = false
		l.wheel.stop(&c.timer)
	}
	x.state, x.conn, c.x = unborn, nil, nil
	x.Done = now
	c.used = true
	if c.shared {
		p.silent = now
		if service := now - x.Sent; p.service == 0 {
			p.service = service
		} else {
			p.service += (service - p.service) / 64
		}
	}
	if keep {
		if c.shared {
			p.busy--
		}
		c.state = idle
		l.free(c, now)
	} else {
		l.drop(c)
	}
	l.answered = true
	l.o.Ended(x)
}

// lost ends the exchange on c, which broke with err. If the server closed an idle connection while the
// request was on its way, the request is sent anew: by net/http's rule, if nothing of an answer was seen,
// the connection had answered before, and the request may be repeated or has not been written at all.
func (l *Loop) lost(c *conn, err error, now time.Duration) {
	x := c.x
	if c.used && !x.parser.started && (c.sent == 0 || repeatable(x.Request)) {
		x.conn, c.x = nil, nil
		l.drop(c)
		l.stats.retried.Add(1)
		l.place(x, now, true)
		return
	}
	l.fail(x, err, now)
}

// repeatable reports whether a request may be sent twice, as net/http decides it.
func repeatable(request []byte) bool {
	method, _, _ := bytes.Cut(request, []byte(" "))
	switch string(method) {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	r := Response{Head: headOf(request)}
	for name := range r.Fields() {
		name = bytes.TrimPrefix(bytes.ToLower(name), []byte("x-"))
		if string(name) == "idempotency-key" {
			return true
		}
	}
	return false
}
