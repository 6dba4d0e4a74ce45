//go:build linux

package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loadkms/result"
)

// driven is a loop with the exchanges that have ended in it, their answers copied.
type driven struct {
	*Loop
	t     *testing.T
	ended []*Exchange
}

// drive returns a loop that is closed when the test ends.
func drive(t *testing.T, o LoopOptions) *driven {
	t.Helper()
	d := &driven{t: t}
	o.Ended = func(x *Exchange) {
		x.Response.Head, x.Response.Body = bytes.Clone(x.Response.Head), bytes.Clone(x.Response.Body)
		d.ended = append(d.ended, x)
	}
	var err error
	if d.Loop, err = NewLoop(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// run turns the loop until n exchanges have ended since the start, and returns them.
func (d *driven) run(n int) []*Exchange {
	d.t.Helper()
	for limit := d.Now() + 30*time.Second; len(d.ended) < n; {
		if d.Now() > limit {
			d.t.Fatalf("only %d of %d exchanges ended: %+v", len(d.ended), n, d.Stats())
		}
		if err := d.Turn(limit); err != nil {
			d.t.Fatal(err)
		}
	}
	return d.ended
}

// originOf returns the origin of a URL.
func originOf(t *testing.T, url string, config *tls.Config) *Origin {
	t.Helper()
	scheme, host, _ := strings.Cut(url, "://")
	o, err := NewOrigin(scheme, host, config)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// get returns an exchange that asks for path, and keeps all of the body.
func get(o *Origin, path string) *Exchange {
	return &Exchange{To: o, Request: []byte("GET " + path + " HTTP/1.1\r\nHost: " + o.String() + "\r\n\r\n"), KeepOK: 1 << 20, KeepBad: 1 << 20}
}

func TestLoopAnswers(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/echo":
			w.Header().Set("X-Method", r.Method)
			_, _ = w.Write(body)
		case "/chunked":
			for i := range 3 {
				fmt.Fprintf(w, "part %d\n", i)
				w.(http.Flusher).Flush()
			}
		case "/large":
			_, _ = w.Write(bytes.Repeat([]byte("0123456789abcdef"), 1<<14))
		case "/bad":
			http.Error(w, "no", 418)
		case "/empty":
			w.WriteHeader(204)
		}
	})
	plain := httptest.NewServer(handler)
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(handler)
	t.Cleanup(secure.Close)
	large := strings.Repeat("0123456789abcdef", 1<<14)
	for name, o := range map[string]*Origin{
		"plain": originOf(t, plain.URL, nil),
		"TLS":   originOf(t, secure.URL, secure.Client().Transport.(*http.Transport).TLSClientConfig),
	} {
		t.Run(name, func(t *testing.T) {
			d := drive(t, LoopOptions{})
			post := func(body string, more string) *Exchange {
				return &Exchange{To: o, Request: fmt.Appendf(nil, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n%s", len(body), more, body), KeepOK: 1 << 20}
			}
			for i, c := range []struct {
				x      *Exchange
				status int
				body   string
				size   int
			}{
				{get(o, "/chunked"), 200, "part 0\npart 1\npart 2\n", 21},
				{get(o, "/bad"), 418, "no\n", 3},
				{get(o, "/empty"), 204, "", 0},
				{get(o, "/large"), 200, large, len(large)},
				{&Exchange{To: o, Request: get(o, "/large").Request, KeepOK: 10}, 200, large[:10], len(large)},
				{&Exchange{To: o, Request: get(o, "/large").Request}, 200, "", len(large)},
				{&Exchange{To: o, Request: []byte("HEAD /large HTTP/1.1\r\nHost: x\r\n\r\n"), NoBody: true}, 200, "", 0},
				{post("hello", ""), 200, "hello", 5},
				{post(large, ""), 200, large, len(large)},
				{post(strings.Repeat(large, 16), ""), 200, strings.Repeat(large, 4), 16 * len(large)},
			} {
				d.Start(c.x)
				x := d.run(i + 1)[i]
				if x.Err != nil || x.Response.Status != c.status || string(x.Response.Body) != c.body || x.Response.Size != uint64(c.size) {
					t.Errorf("exchange %d: got %d with %d of %d bytes, %v; want %d with %d of %d", i, x.Response.Status,
						len(x.Response.Body), x.Response.Size, x.Err, c.status, len(c.body), c.size)
				}
				if x.Reused != (i > 0) || x.Sent < x.Began || x.Done <= x.Sent {
					t.Errorf("exchange %d: reused %v, began %v, sent %v, done %v", i, x.Reused, x.Began, x.Sent, x.Done)
				}
				if first := x.Response.Times.FirstByte; first <= 0 || first > x.Done-x.Sent {
					t.Errorf("exchange %d: its first byte came after %v of %v", i, first, x.Done-x.Sent)
				}
				if i == 0 && (x.Response.Times.Connect <= 0 || (x.Response.Times.TLS > 0) != (name == "TLS")) {
					t.Errorf("times: %+v", x.Response.Times)
				}
			}
			if s := d.Stats(); s.Opened != 1 || s.Reused != 9 || s.Open != 1 {
				t.Errorf("got %+v, want one connection used 10 times", s)
			}
		})
	}
}

// Every hostile server's exchange ends in its class, as with the portable client, and another one on the same
// loop is answered meanwhile.
func TestLoopHostileServers(t *testing.T) {
	good := originOf(t, rogue(t, pinger("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")), nil)
	for _, c := range hostiles(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := drive(t, LoopOptions{DialTimeout: c.options.DialTimeout})
			before, bad, after := get(good, "/"), get(originOf(t, c.url, c.options.TLS), "/"), get(good, "/")
			bad.Deadline = d.Now() + c.timeout
			d.Start(before)
			d.Start(bad)
			d.Start(after)
			for _, x := range d.run(3) {
				switch x {
				case bad:
					if got := Classify(x.Err); got != c.want {
						t.Errorf("got %v, want %v: %v", got, c.want, x.Err)
					}
					if c.want != result.OK && x.Response.Status != 0 {
						t.Errorf("it has the status %d", x.Response.Status)
					}
				default:
					if x.Err != nil || string(x.Response.Body) != "good" {
						t.Errorf("another was ended with %q, %v", x.Response.Body, x.Err)
					}
				}
			}
			if bad.Done < bad.Sent || bad.Sent < bad.Began {
				t.Errorf("began %v, sent %v, done %v", bad.Began, bad.Sent, bad.Done)
			}
			if got := d.Stats(); c.want != result.OK && got.Open != 2 {
				t.Errorf("%d connections are open, want 2", got.Open)
			}
		})
	}
}

// serving answers every request with what next returns for it, and hangs up when that is "".
func serving(next func(*http.Request) string) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			answer := next(req)
			if _, err := io.WriteString(c, answer); err != nil || answer == "" {
				return
			}
		}
	}
}

const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// What a server says behind an answer is never taken for the next answer, whether it comes with it or later.
func TestLoopDiscardsWhatNobodyAskedFor(t *testing.T) {
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	released := make(chan struct{})
	for name, serve := range map[string]func(net.Conn){
		"with it": func(c net.Conn) { says(hello + evil)(c); never(c) },
		"later": func(c net.Conn) {
			says(hello)(c)
			<-released
			_, _ = io.WriteString(c, evil)
			never(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := originOf(t, rogue(t, serve), nil)
			d := drive(t, LoopOptions{})
			d.Start(get(o, "/"))
			d.run(1)
			if name == "later" {
				close(released)
				for limit := d.Now() + 20*time.Second; d.Stats().Discarded == 0 && d.Now() < limit; {
					if err := d.Turn(limit); err != nil {
						t.Fatal(err)
					}
				}
			}
			if s := d.Stats(); s.Open != 0 {
				t.Errorf("got %+v, want no connection", s)
			}
			d.Start(get(o, "/"))
			for _, x := range d.run(2) {
				if x.Err != nil || string(x.Response.Body) != "hello" || x.Reused {
					t.Errorf("got %q, reused %v, %v", x.Response.Body, x.Reused, x.Err)
				}
			}
		})
	}
}

// A server that closes an idle connection at the moment it is used again is asked anew, if the request may
// be repeated.
func TestLoopRetriesOnClosedConnections(t *testing.T) {
	for _, c := range []struct {
		name, request string
		reset         bool
		want          result.Class
	}{
		{"GET", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", false, result.OK},
		{"GET reset", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", true, result.OK},
		{"POST", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", false, result.ConnectionReset},
		{"POST with a key", "POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: 1\r\nContent-Length: 1\r\n\r\nx", true, result.OK},
	} {
		for _, own := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s own=%v", c.name, own), func(t *testing.T) {
				var asked atomic.Int32
				o := originOf(t, rogue(t, func(conn net.Conn) {
					serving(func(*http.Request) string {
						if asked.Add(1) == 2 { // the second request on the first connection
							if c.reset {
								_ = conn.(*net.TCPConn).SetLinger(0)
							}
							return ""
						}
						return hello
					})(conn)
				}), nil)
				d := drive(t, LoopOptions{})
				var conns *Conns
				if own {
					conns = new(Conns)
				}
				for i := range 2 {
					x := &Exchange{To: o, Request: []byte(c.request), KeepOK: 10, Own: conns}
					d.Start(x)
					d.run(i + 1)
					if i == 0 && x.Err != nil {
						t.Fatal(x.Err)
					}
					if i == 1 && Classify(x.Err) != c.want {
						t.Errorf("got %v, want %v", x.Err, c.want)
					}
					if i == 1 && c.want == result.OK && (x.Reused || string(x.Response.Body) != "hello") {
						t.Errorf("got %q, reused %v", x.Response.Body, x.Reused)
					}
				}
				retried := uint64(0)
				if c.want == result.OK {
					retried = 1
				}
				if s := d.Stats(); s.Retried != retried {
					t.Errorf("got %+v, want %d retried", s, retried)
				}
			})
		}
	}
}

// A fresh connection that breaks is not tried again, even for GET.
func TestLoopDoesNotRetryOnFreshConnections(t *testing.T) {
	var asked atomic.Int32
	d := drive(t, LoopOptions{})
	d.Start(get(originOf(t, rogue(t, serving(func(*http.Request) string { asked.Add(1); return "" })), nil), "/"))
	if x := d.run(1)[0]; Classify(x.Err) != result.ConnectionReset || asked.Load() != 1 {
		t.Errorf("got %v after %d requests, want %v after 1", x.Err, asked.Load(), result.ConnectionReset)
	}
}

// A server may refuse a request before it has read it. Its answer counts, and the connection is not used
// again.
func TestLoopTakesEarlyAnswers(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 16<<20) // more than the socket's buffers hold
	request := append(fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", len(body)), body...)
	done := make(chan struct{})
	const refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno\n"
	for name, serve := range map[string]func(net.Conn){
		"and go on": func(c net.Conn) { says(refusal)(c); <-done },
		"and close": says(refusal), // with unread bytes: a reset follows the answer
	} {
		t.Run(name, func(t *testing.T) {
			d := drive(t, LoopOptions{})
			d.Start(&Exchange{To: originOf(t, rogue(t, serve), nil), Request: request, KeepBad: 10})
			if name == "and go on" {
				t.Cleanup(func() { close(done) })
			}
			x := d.run(1)[0]
			if name == "and close" && x.Err != nil {
				// The kernel may throw the answer away with the reset.
				if got := Classify(x.Err); got != result.ConnectionReset {
					t.Errorf("got %v", x.Err)
				}
				return
			}
			if x.Err != nil || x.Response.Status != 413 || string(x.Response.Body) != "no\n" {
				t.Errorf("got %d, %q, %v", x.Response.Status, x.Response.Body, x.Err)
			}
			if s := d.Stats(); s.Open != 0 {
				t.Errorf("got %+v, want no connection", s)
			}
		})
	}
}

func TestLoopExpectContinue(t *testing.T) {
	const request = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody"
	for _, c := range []struct {
		name   string
		serve  func(c net.Conn, r *bufio.Reader) // after it has read the head
		status int
		kept   int64 // connections open afterwards
		slow   bool  // the body is sent unasked
	}{
		{"continue", func(c net.Conn, r *bufio.Reader) {
			if r.Buffered() > 0 {
				t.Error("the body came before it was asked for")
			}
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
			_, _ = io.ReadFull(r, make([]byte, 4))
			_, _ = io.WriteString(c, hello)
			never(c)
		}, 200, 1, false},
		{"refused", func(c net.Conn, _ *bufio.Reader) {
			_, _ = io.WriteString(c, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
			never(c)
		}, 417, 0, false},
		{"a server that does not know", func(c net.Conn, r *bufio.Reader) {
			_, _ = io.ReadFull(r, make([]byte, 4))
			_, _ = io.WriteString(c, hello)
			never(c)
		}, 200, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := drive(t, LoopOptions{})
			d.Start(&Exchange{Expect100: true, Request: []byte(request), To: originOf(t, rogue(t, func(conn net.Conn) {
				r := bufio.NewReader(conn)
				for line := ""; line != "\r\n"; {
					var err error
					if line, err = r.ReadString('\n'); err != nil {
						return
					}
				}
				c.serve(conn, r)
			}), nil)})
			x := d.run(1)[0]
			if x.Err != nil || x.Response.Status != c.status || d.Stats().Open != c.kept {
				t.Errorf("got %d, %v, %+v; want %d and %d connections", x.Response.Status, x.Err, d.Stats(), c.status, c.kept)
			}
			if took := x.Done - x.Sent; (took >= continueAfter) != c.slow {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// gate answers a request when it is opened for it.
type gate struct {
	arrived chan string // paths
	open    chan struct{}
}

func newGate() *gate { return &gate{make(chan string, 10000), make(chan struct{}, 10000)} }

func (g *gate) serve(c net.Conn) {
	serving(func(r *http.Request) string {
		g.arrived <- r.URL.Path
		<-g.open
		return hello
	})(c)
}

// Above the bound exchanges wait in order of arrival, and their waiting is in neither of the service times.
func TestLoopBoundsConnections(t *testing.T) {
	g := newGate()
	o := originOf(t, rogue(t, g.serve), nil)
	d := drive(t, LoopOptions{MostConns: 1})
	const n = 20
	for i := range n {
		d.Start(get(o, fmt.Sprintf("/%d", i)))
	}
	if s := d.Stats(); s.Waiting < n-1 || s.Open != 1 {
		t.Fatalf("got %+v, want 1 connection and the others waiting", s)
	}
	for i := range n {
		g.open <- struct{}{}
		d.run(i + 1)
		if got, want := <-g.arrived, fmt.Sprintf("/%d", i); got != want {
			t.Errorf("%s was asked for in place of %s", got, want)
		}
	}
	for i, x := range d.ended[1:] {
		if x.Sent < d.ended[i].Done || x.Began > d.ended[0].Done {
			t.Errorf("exchange %d: began %v, sent %v, the one before was done %v", i+1, x.Began, x.Sent, d.ended[i].Done)
		}
	}
	if s := d.Stats(); s.Opened != 1 || s.MostOpen != 1 || s.Waiting != 0 || s.Reused != n-1 {
		t.Errorf("got %+v", s)
	}
}

// When a server stalls, every arrival of an open model gets a connection; when it does not, a few serve all.
func TestLoopGovernsConnections(t *testing.T) {
	g := newGate()
	o := originOf(t, rogue(t, g.serve), nil)
	d := drive(t, LoopOptions{})
	d.SetRate(1000)
	const n = 300
	for range n {
		d.Start(get(o, "/"))
	}
	for limit := d.Now() + 20*time.Second; d.Stats().Waiting > 0 && d.Now() < limit; {
		if err := d.Turn(limit); err != nil {
			t.Fatal(err)
		}
	}
	if s := d.Stats(); s.Waiting != 0 || s.Open < n || s.Open > n+reserve {
		t.Fatalf("stalled: got %+v, want %d connections", s, n)
	}
	for range n {
		g.open <- struct{}{}
	}
	d.run(n)
	for _, x := range d.ended {
		if x.Err != nil || x.Sent-x.Began < independence/4 && x != d.ended[0] && x.Reused {
			t.Fatalf("sent %v after it began, %v", x.Sent-x.Began, x.Err)
		}
	}

	quick := originOf(t, rogue(t, pinger(hello)), nil)
	d = drive(t, LoopOptions{})
	d.SetRate(100)
	x := get(quick, "/")
	for i := range 200 {
		d.Start(x)
		d.run(i + 1)
		x = get(quick, "/")
	}
	if s := d.Stats(); s.Opened > 8 {
		t.Errorf("one exchange at a time: got %+v, want a few connections", s)
	}
}

func TestLoopOwnConnections(t *testing.T) {
	d := drive(t, LoopOptions{MostConns: 1})
	g := newGate()
	o, other := originOf(t, rogue(t, g.serve), nil), originOf(t, rogue(t, pinger(hello)), nil)
	var a, b Conns
	mine := func(s *Conns, o *Origin) *Exchange {
		x := get(o, "/")
		x.Own = s
		d.Start(x)
		return x
	}
	mine(&a, o)
	mine(&a, o) // two at a time
	mine(&b, o)
	mine(&a, other)
	for range 3 {
		g.open <- struct{}{}
	}
	d.run(4)
	if s := d.Stats(); s.Open != 4 || s.Reused != 0 {
		t.Errorf("got %+v, want 4 connections", s)
	}
	g.open <- struct{}{}
	x := mine(&b, o)
	if d.run(5); !x.Reused {
		t.Error("a user's connection was not used again")
	}
	d.Release(&b)
	if s := d.Stats(); s.Open != 3 {
		t.Errorf("got %+v, want 3 connections", s)
	}
	x = mine(&a, o)
	d.Release(&a)
	if s := d.Stats(); s.Open != 1 {
		t.Errorf("got %+v, want only the one in use", s)
	}
	g.open <- struct{}{}
	d.run(6)
	if s := d.Stats(); x.Err != nil || s.Open != 0 {
		t.Errorf("got %+v, %v; want no connection", s, x.Err)
	}
}

// A thousand exchanges in flight at once each get their own answer.
func TestLoopThousandInFlight(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat(r.URL.Path, 100))
	}))
	t.Cleanup(s.Close)
	o := originOf(t, s.URL, nil)
	d := drive(t, LoopOptions{})
	const n = 1000
	for i := range n {
		d.Start(get(o, fmt.Sprintf("/%d", i)))
	}
	for _, x := range d.run(n) {
		path, _, _ := strings.Cut(string(x.Request[4:]), " ")
		if x.Err != nil || string(x.Response.Body) != strings.Repeat(path, 100) {
			t.Fatalf("%s: got %.20q, %v", path, x.Response.Body, x.Err)
		}
	}
}

// An exchange can be used again within Ended, the connection with it.
func TestLoopStartsWithinEnded(t *testing.T) {
	var l *Loop
	n := 0
	l, err := NewLoop(LoopOptions{Ended: func(x *Exchange) {
		if x.Err != nil || string(x.Response.Body) != "hello" {
			t.Errorf("got %q, %v", x.Response.Body, x.Err)
		}
		if n++; n < 100 {
			l.Start(x)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Start(get(originOf(t, rogue(t, pinger(hello)), nil), "/"))
	for n < 100 {
		if err := l.Turn(l.Now() + 20*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if s := l.Stats(); s.Opened != 1 || s.Reused != 99 {
		t.Errorf("got %+v", s)
	}
}

// Wake from many goroutines is never lost, and cheap when it has been done.
func TestLoopWake(t *testing.T) {
	const goroutines, times = 8, 500
	var (
		wanted atomic.Int64 // what has been asked for
		seen   int64        // what Woken has seen
		l      *Loop
	)
	l, err := NewLoop(LoopOptions{Ended: func(*Exchange) {}, Woken: func() { seen = wanted.Load() }})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range times {
				wanted.Add(1)
				l.Wake()
			}
		})
	}
	for limit := l.Now() + 20*time.Second; seen < goroutines*times; {
		if err := l.Turn(limit); err != nil {
			t.Fatal(err)
		}
		if l.Now() > limit {
			t.Fatalf("saw %d of %d: a Wake was lost", seen, goroutines*times)
		}
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Wake() // after Close it does nothing
	if err := l.Turn(-1); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Turn after Close: %v", err)
	}
}

// Turn waits as long as it is told, and not at all if the time is over.
func TestLoopTurnWaits(t *testing.T) {
	for _, coarse := range []bool{false, true} { // without epoll_pwait2, too
		d := drive(t, LoopOptions{})
		d.poll.coarse = coarse
		if err := d.Turn(-1); err != nil {
			t.Fatal(err)
		}
		until := d.Now() + 3*time.Millisecond
		for d.Now() < until { // it may return early
			if err := d.Turn(until); err != nil {
				t.Fatal(err)
			}
		}
		d.Start(get(originOf(t, rogue(t, pinger(hello)), nil), "/"))
		if x := d.run(1)[0]; x.Err != nil {
			t.Error(x.Err)
		}
	}
}

// The addresses of a name are tried one after another, and used in turn.
func TestLoopAddresses(t *testing.T) {
	url := rogue(t, pinger(hello))
	o := originOf(t, strings.Replace(url, "127.0.0.1", "loadkms.test", 1), nil)
	lookups := 0
	o.lookup = func(context.Context, string, string) ([]netip.Addr, error) {
		lookups++
		return []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}, nil
	}
	d := drive(t, LoopOptions{})
	for i := range 6 { // nobody listens at the others
		own := get(o, "/")
		own.Own = new(Conns)
		d.Start(own)
		if d.run(i + 1); own.Err != nil {
			t.Error(own.Err)
		}
	}
	if lookups != 1 || d.ended[0].Response.Times.DNS <= 0 || d.ended[1].Response.Times.DNS != 0 {
		t.Errorf("%d look-ups, %v and %v", lookups, d.ended[0].Response.Times.DNS, d.ended[1].Response.Times.DNS)
	}
}

func TestLoopUnknownHost(t *testing.T) {
	o := originOf(t, "http://loadkms.invalid", nil)
	o.lookup = func(_ context.Context, _, host string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	d := drive(t, LoopOptions{})
	own := get(o, "/")
	own.Own = new(Conns)
	d.Start(get(o, "/"))
	d.Start(own)
	for _, x := range d.run(2) {
		if got := Classify(x.Err); got != result.DNS {
			t.Errorf("got %v, want %v: %v", got, result.DNS, x.Err)
		}
	}
	// A look-up that takes forever ends with the exchange, and with the loop.
	o.lookup = func(ctx context.Context, _, host string) ([]netip.Addr, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	x := get(o, "/")
	x.Deadline = d.Now() + 20*time.Millisecond
	d.Start(x)
	if d.run(3); Classify(x.Err) != result.Timeout || !errors.Is(x.Err, noConnection) {
		t.Errorf("got %v", x.Err)
	}
}

func TestOriginOf(t *testing.T) {
	for _, c := range []struct{ scheme, host, want string }{
		{"http", "example.com", "example.com:80"},
		{"https", "example.com", "example.com:443"},
		{"http", "example.com:", "example.com:80"},
		{"http", "10.0.0.1:8080", "10.0.0.1:8080"},
		{"http", "[::1]", "[::1]:80"},
		{"https", "[fe80::1%lo]:1", "[fe80::1%lo]:1"},
		{"ftp", "x", ""}, {"http", "", ""}, {"http", ":80", ""}, {"http", "::1", ""}, {"http", "[::1", ""},
		{"http", "x:0", ""}, {"http", "x:65536", ""}, {"http", "x:y", ""}, {"http", "a b", ""}, {"http", "bücher.example", ""},
	} {
		o, err := NewOrigin(c.scheme, c.host, nil)
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%s://%s: got %v, want an error", c.scheme, c.host, o)
		case c.want != "" && (err != nil || o.String() != c.want):
			t.Errorf("%s://%s: got %v, %v; want %s", c.scheme, c.host, o, err, c.want)
		}
	}
}

// TLS sessions are resumed: the second handshake needs no certificate.
func TestLoopResumesTLS(t *testing.T) {
	var resumed atomic.Int32
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		}
		w.Header().Set("Connection", "close")
	}))
	t.Cleanup(s.Close)
	o := originOf(t, s.URL, s.Client().Transport.(*http.Transport).TLSClientConfig)
	d := drive(t, LoopOptions{})
	for i := range 3 {
		d.Start(get(o, "/"))
		if x := d.run(i + 1)[i]; x.Err != nil || x.Reused {
			t.Fatalf("reused %v, %v", x.Reused, x.Err)
		}
	}
	if resumed.Load() != 2 || d.Stats().Open != 0 {
		t.Errorf("%d sessions resumed, want 2; %+v", resumed.Load(), d.Stats())
	}
}

// openFiles counts the descriptors of this process.
func openFiles(t *testing.T) uint64 {
	t.Helper()
	l, err := ReadLimits()
	if err != nil {
		t.Fatal(err)
	}
	return l.FilesUsed
}

// Whatever an exchange is doing when it is canceled or its loop closed, nothing stays open and Ended is not
// called. It is not parallel: it counts the descriptors of the process.
func TestLoopLeavesNothingOpen(t *testing.T) {
	g := newGate()
	hang := originOf(t, rogue(t, never), nil)
	secure := originOf(t, strings.Replace(rogue(t, never), "http", "https", 1), nil)
	quick := originOf(t, rogue(t, pinger(hello)), nil)
	gated := originOf(t, rogue(t, g.serve), nil)
	nowhere := originOf(t, "http://loadkms.invalid", nil)
	nowhere.lookup = func(ctx context.Context, _, _ string) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() }
	refused := originOf(t, "http://127.0.0.1:1", nil)
	before := openFiles(t)
	for _, cancel := range []bool{true, false} {
		l, err := NewLoop(LoopOptions{MostConns: 3, Ended: func(x *Exchange) {
			if x.To != quick {
				t.Errorf("%v ended: %v", x.To, x.Err)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		var all []*Exchange
		for range 5 {
			for _, o := range []*Origin{hang, secure, quick, gated, nowhere} {
				for _, own := range []*Conns{nil, new(Conns)} {
					x := get(o, "/")
					x.Own, x.Deadline = own, l.Now()+time.Hour
					l.Start(x)
					all = append(all, x)
				}
			}
			for range 3 {
				if err := l.Turn(l.Now() + time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
		}
		x := get(refused, "/") // failed, but not told yet
		l.Start(x)
		all = append(all, x)
		if cancel {
			for _, x := range all {
				l.Cancel(x)
				l.Cancel(x)
			}
			if s := l.Stats(); s.Waiting != 0 {
				t.Errorf("%d still wait", s.Waiting)
			}
			for range 3 {
				if err := l.Turn(-1); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range l.pools {
				if p.conns != p.idling+p.dialing || p.busy != 0 || p.waiting.n != 0 || p.overdue != 0 || p.unresolved.n != 0 {
					t.Errorf("%v: %+v", p.origin, p)
				}
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if s := l.Stats(); s.Open != 0 || s.Waiting != 0 {
			t.Errorf("closed, got %+v", s)
		}
	}
	// The servers' sides close when they see it.
	for deadline := time.Now().Add(20 * time.Second); openFiles(t) > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d files are open, %d were", openFiles(t), before)
		}
		select {
		case g.open <- struct{}{}:
		default:
			runtime.Gosched()
		}
	}
}

// Connections that are idle for too long are closed.
func TestLoopIdleTimeout(t *testing.T) {
	d := drive(t, LoopOptions{IdleTimeout: 20 * time.Millisecond})
	d.Start(get(originOf(t, rogue(t, pinger(hello)), nil), "/"))
	d.run(1)
	if d.Stats().Open != 1 {
		t.Fatalf("got %+v, want a connection", d.Stats())
	}
	limit := d.Now() + 20*time.Second
	for d.Stats().Open > 0 && d.Now() < limit {
		if err := d.Turn(limit); err != nil {
			t.Fatal(err)
		}
	}
	if idle := d.Now() - d.ended[0].Done; d.Stats().Open != 0 || idle < 20*time.Millisecond {
		t.Errorf("closed after %v, %+v", idle, d.Stats())
	}
}

// pinger answers without allocating, as AllocsPerRun counts everybody's.
func pinger(answer string) func(net.Conn) {
	b := []byte(answer)
	return func(c net.Conn) {
		buf := make([]byte, 4096)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}
}
