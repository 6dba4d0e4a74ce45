//go:build linux

package client

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
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

func TestLoopClassesOfRogues(t *testing.T) {
	closed := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return "http://" + l.Addr().String()
	}()
	d := drive(t, LoopOptions{})
	x := get(originOf(t, closed, nil), "/")
	d.Start(x)
	d.run(1)
	if got := Classify(x.Err); got != result.ConnectionRefused {
		t.Errorf("got %v, want %v: %v", got, result.ConnectionRefused, x.Err)
	}
	x = get(originOf(t, rogue(t, never), nil), "/")
	x.Deadline = d.Now() + 50*time.Millisecond
	d.Start(x)
	d.run(2)
	if got := Classify(x.Err); got != result.Timeout || x.Done < x.Deadline || x.Done > x.Deadline+time.Second {
		t.Errorf("got %v at %v, want %v at %v: %v", got, x.Done, result.Timeout, x.Deadline, x.Err)
	}
	if !errors.Is(x.Err, noAnswer) {
		t.Errorf("got %v", x.Err)
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
