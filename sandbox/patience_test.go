package sandbox

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are pipes: unlike a socket's, their time is the bubble's, and
// they have no buffers for what nobody reads.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// servePipes serves h as the sandbox does, and returns a way to connect.
func servePipes(t *testing.T, h http.HandlerFunc) (connect func() net.Conn) {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	l := &listener{what: "a test", tcp: p, silent: map[net.Conn]struct{}{}}
	l.serve(h)
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	return func() net.Conn {
		client, server := net.Pipe()
		p.conns <- server
		t.Cleanup(func() { client.Close() })
		return client
	}
}

// closedAfter waits until the server closes a connection, and returns how long that took. It takes nothing
// from the server.
func closedAfter(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	began := time.Now()
	for time.Since(began) < time.Hour {
		time.Sleep(time.Second)
		// A write to a pipe that nobody reads ends at the deadline; one to a closed pipe at once.
		_ = c.SetWriteDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Write([]byte("x")); errors.Is(err, io.ErrClosedPipe) {
			return time.Since(began).Truncate(time.Second)
		}
	}
	t.Fatal("the connection is still open after an hour")
	return 0
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// dripHeader sends a header, a byte a second, until it is cut off.
func dripHeader(t *testing.T, c net.Conn) {
	for _, b := range []byte("GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 100)) {
		if _, err := c.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
	t.Error("the whole header was taken")
}

func TestSlowClients(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, c := range []struct {
		name   string
		client func(t *testing.T, c net.Conn)
		want   time.Duration // until it is cut off
	}{
		{"a header byte a second", func(t *testing.T, c net.Conn) {
			go io.Copy(io.Discard, c) //nolint:errcheck // the answer does not matter
			dripHeader(t, c)
		}, 10 * time.Second},
		{"a header byte a second, and no answer taken", dripHeader, 40 * time.Second},
		{"a body byte a second", func(t *testing.T, c net.Conn) {
			go io.Copy(io.Discard, c) //nolint:errcheck // the answer does not matter
			send(t, c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
			for range 100 {
				if _, err := c.Write([]byte{'x'}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
			t.Error("a tenth of the body was taken")
		}, time.Minute},
		{"an answer nobody takes", func(t *testing.T, c net.Conn) {
			send(t, c, get)
			closedAfter(t, c)
		}, 30 * time.Second},
		{"an answer of which half is taken", func(t *testing.T, c net.Conn) {
			send(t, c, get)
			time.Sleep(20 * time.Second)
			if _, err := io.ReadFull(c, make([]byte, 16<<10)); err != nil {
				t.Error(err)
			}
			closedAfter(t, c)
		}, 30 * time.Second},
		{"nothing after an answer", func(t *testing.T, c net.Conn) {
			send(t, c, get)
			if _, err := http.ReadResponse(bufio.NewReader(io.LimitReader(c, 1<<20)), nil); err != nil {
				t.Error(err)
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Error(err)
			}
		}, 5 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				connect := servePipes(t, func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.Copy(io.Discard, r.Body); err != nil {
						return
					}
					w.Header().Set("Content-Length", "40000")
					_, _ = w.Write(make([]byte, 40000))
				})
				began := time.Now()
				c.client(t, connect())
				if got := time.Since(began); got < c.want || got > c.want+2*time.Second {
					t.Errorf("cut off after %v, want %v", got, c.want)
				}
			})
		})
	}
}

// TestSlowHandlers: a client that waits for its answer is not cut off, however long that takes, and can use
// its connection again.
func TestSlowHandlers(t *testing.T) {
	for _, c := range []struct {
		name    string
		takes   time.Duration
		request string
	}{
		{"within the gateway's patience", 29 * time.Second, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"longer than any time of a client", 10 * time.Minute, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"with a body", 10 * time.Minute, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"},
		{"with a body in chunks", 10 * time.Minute, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				connect := servePipes(t, func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.Copy(io.Discard, r.Body); err != nil {
						t.Errorf("read: %v", err)
					}
					select {
					case <-time.After(c.takes):
					case <-r.Context().Done():
						t.Errorf("the request was canceled: %v", r.Context().Err())
					}
					w.WriteHeader(http.StatusNoContent)
				})
				conn := connect()
				answers := bufio.NewReader(conn)
				for range 3 {
					send(t, conn, c.request)
					res, err := http.ReadResponse(answers, nil)
					if err != nil {
						t.Fatal(err)
					}
					if res.StatusCode != http.StatusNoContent {
						t.Errorf("status %d, want 204", res.StatusCode)
					}
					time.Sleep(2 * time.Minute)
				}
			})
		})
	}
}
