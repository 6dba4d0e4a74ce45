package client

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// handshakeLimit bounds what is stored for a handshake: certificates are a few KiB.
const handshakeLimit = 1 << 20

// A tlsConn is crypto/tls over a duct.
type tlsConn struct {
	*tls.Conn
	duct *duct
}

// A duct is the net.Conn crypto/tls works on. While a worker shakes hands, the loop reads and hands over,
// and the worker waits without holding a thread. Afterwards the loop itself reads from the descriptor, and
// is told errWouldBlock. What cannot be written at once is stored: crypto/tls gives up after an error of
// writing.
type duct struct {
	fd    int
	stats *stats
	stuck func() // tells the loop that something is stored

	mu      sync.Mutex // for the time of a system call; after the handshake only the loop takes it
	ready   sync.Cond  // in, ended or closed has changed
	in      []byte     // handed over
	ended   error      // what comes after in
	out     []byte     // stored
	closed  bool       // the descriptor may belong to somebody else
	direct  bool       // the handshake is over
	drained bool       // the kernel has nothing more, until the next event
}

// shake has a worker shake hands on c.
func (l *Loop) shake(c *conn, now time.Duration) {
	d := &duct{fd: c.fd, stats: &l.stats}
	d.ready.L = &d.mu
	d.stuck = func() {
		l.post(func() {
			if c.state == shaking {
				l.observe(c, unix.EPOLLIN|unix.EPOLLOUT)
			}
		})
	}
	c.state = shaking
	c.tls = &tlsConn{tls.Client(d, c.pool.origin.tls), d}
	l.wheel.set(&c.timer, now+l.o.DialTimeout)
	l.workers.Go(func() {
		err := c.tls.HandshakeContext(l.ctx)
		l.post(func() { l.shaken(c, err, now) })
	})
}

// shaken goes on after the handshake.
func (l *Loop) shaken(c *conn, err error, began time.Duration) {
	if c.state != shaking { // given up meanwhile
		return
	}
	now := l.Now()
	if err != nil {
		l.giveUp(c, &net.OpError{Op: "dial", Net: "tcp", Err: err}, now)
		return
	}
	c.times.TLS = now - began
	c.tls.duct.mu.Lock()
	c.tls.duct.direct = true
	c.tls.duct.mu.Unlock()
	l.observe(c, unix.EPOLLIN)
	l.ready(c, now)
}

// hand reads what there is and hands it to the worker. It returns false if there will be no more.
func (t *tlsConn) hand(buffer []byte) bool {
	d := t.duct
	n, errno := sysRead(d.fd, buffer)
	if errno == unix.EAGAIN {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case errno != 0:
		d.ended = os.NewSyscallError("read", errno)
	case n == 0:
		d.ended = io.EOF
	case len(d.in)+n > handshakeLimit:
		d.ended = tls.AlertError(22) // record overflow
	default:
		d.in = append(d.in, buffer[:n]...)
		d.stats.bytesRead.Add(uint64(n))
	}
	d.ready.Signal()
	return d.ended == nil
}

// more says that there may be more to read.
func (t *tlsConn) more() { t.duct.drained = false }

// quiet reports whether there is nothing more to read, so that what comes next is the next answer.
func (t *tlsConn) quiet() bool {
	var b [1]byte
	_, err := t.Read(b[:])
	return err == errWouldBlock
}

// pending reports whether something is stored.
func (t *tlsConn) pending() bool {
	t.duct.mu.Lock()
	defer t.duct.mu.Unlock()
	return len(t.duct.out) > 0
}

// flush writes what is stored.
func (t *tlsConn) flush() error {
	d := t.duct
	d.mu.Lock()
	defer d.mu.Unlock()
	n, errno := d.put(d.out)
	d.out = d.out[n:]
	if len(d.out) == 0 {
		d.out = nil
	}
	if errno != 0 {
		return os.NewSyscallError("write", errno)
	}
	return nil
}

// close says goodbye, and makes a worker stop. The descriptor is closed by the loop.
func (t *tlsConn) close() {
	d := t.duct
	d.mu.Lock()
	direct := d.direct && len(d.out) == 0
	d.mu.Unlock()
	if direct {
		_ = t.CloseWrite() // the connection is over, whatever it says
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.ready.Signal()
}

// put writes to the descriptor.
func (d *duct) put(b []byte) (int, syscall.Errno) {
	if len(b) == 0 {
		return 0, 0
	}
	n, errno := sysWrite(d.fd, b)
	switch errno {
	case 0:
		d.stats.bytesWritten.Add(uint64(n))
		return n, 0
	case unix.EAGAIN:
		return 0, 0
	}
	return 0, errno
}

func (d *duct) Read(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		switch {
		case d.closed:
			return 0, net.ErrClosed
		case len(d.in) > 0:
			n := copy(b, d.in)
			if d.in = d.in[n:]; len(d.in) == 0 {
				d.in = nil
			}
			return n, nil
		case d.ended != nil:
			return 0, d.ended
		case !d.direct:
			d.ready.Wait()
			continue
		case d.drained:
			return 0, errWouldBlock
		}
		n, errno := sysRead(d.fd, b)
		switch {
		case errno == unix.EAGAIN:
			d.drained = true
			return 0, errWouldBlock
		case errno != 0:
			return 0, os.NewSyscallError("read", errno)
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		}
		d.drained = n < len(b)
		d.stats.bytesRead.Add(uint64(n))
		return n, nil
	}
}

func (d *duct) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, net.ErrClosed
	}
	n := 0
	if len(d.out) == 0 {
		var errno syscall.Errno
		if n, errno = d.put(b); errno != 0 {
			return 0, os.NewSyscallError("write", errno)
		}
	}
	if n < len(b) {
		d.out = append(d.out, b[n:]...)
		if !d.direct {
			d.stuck()
		}
	}
	return len(b), nil
}

func (d *duct) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.ready.Signal()
	return nil
}

// The loop keeps all deadlines.

func (d *duct) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (d *duct) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (d *duct) SetDeadline(time.Time) error      { return nil }
func (d *duct) SetReadDeadline(time.Time) error  { return nil }
func (d *duct) SetWriteDeadline(time.Time) error { return nil }
