package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"loadkms/result"
)

func TestMain(m *testing.M) {
	// net/http reads these once. Nothing listens there, so any use of a proxy for loopback fails.
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	os.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	os.Exit(m.Run())
}

// rogue listens on loopback and lets serve mistreat every connection.
func rogue(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		accepting, serving sync.WaitGroup
		conns              []net.Conn
	)
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
		for _, c := range conns {
			c.Close()
		}
		serving.Wait()
	})
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
			serving.Go(func() { defer c.Close(); serve(c) })
		}
	})
	return "http://" + l.Addr().String()
}

// says answers a request with exactly these bytes and closes.
func says(answer string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, answer)
		}
	}
}

// resets takes the request and cuts the connection with a RST.
func resets(c net.Conn) {
	_, _ = http.ReadRequest(bufio.NewReader(c))
	_ = c.(*net.TCPConn).SetLinger(0)
}

// never reads until the other side gives up.
func never(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// ask makes one exchange, body included.
func ask(t *testing.T, c *Client, url string, timeout time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// A hostile server, and what an exchange with it ends in, whichever client makes it.
type hostile struct {
	name    string
	url     string
	options Options // TLS and DialTimeout
	timeout time.Duration
	want    result.Class
}

// hostiles returns a gallery of them.
func hostiles(t *testing.T) []hostile {
	closed := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return "http://" + l.Addr().String()
	}()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})
	badCertificate := httptest.NewUnstartedServer(handler)
	badCertificate.Config.ErrorLog = quiet()
	badCertificate.StartTLS()
	t.Cleanup(badCertificate.Close)
	wantsCertificate := httptest.NewUnstartedServer(handler)
	wantsCertificate.Config.ErrorLog = quiet()
	wantsCertificate.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	wantsCertificate.StartTLS()
	t.Cleanup(wantsCertificate.Close)
	trusting := &tls.Config{InsecureSkipVerify: true} // the server's demand is what is tested

	const long, short = 20 * time.Second, 50 * time.Millisecond
	return []hostile{
		{"answers", rogue(t, says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")), Options{}, long, result.OK},
		{"nobody listens", closed, Options{}, long, result.ConnectionRefused},
		{"resets after the request", rogue(t, resets), Options{}, long, result.ConnectionReset},
		{"closes without a word", rogue(t, says("")), Options{}, long, result.ConnectionReset},
		{"never answers", rogue(t, never), Options{}, short, result.Timeout},
		{"sends half a header", rogue(t, says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n")), Options{}, long, result.ConnectionReset},
		{"sends half a body", rogue(t, says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")), Options{}, long, result.ConnectionReset},
		{"sends half a chunk", rogue(t, says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf")), Options{}, long, result.ConnectionReset},
		{"stops in the middle of a body", rogue(t, func(c net.Conn) {
			says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")(c)
			never(c)
		}), Options{}, 200 * time.Millisecond, result.Timeout},
		{"speaks something else", rogue(t, says("220 mail.example ESMTP ready\r\n")), Options{}, long, result.BadResponse},
		{"sends a malformed header", rogue(t, says("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n")), Options{}, long, result.BadResponse},
		{"sends a header without end", rogue(t, func(c net.Conn) {
			says("HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", 300<<10))(c)
			never(c)
		}), Options{}, long, result.BadResponse},
		{"says its body is shorter than nothing", rogue(t, says("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")), Options{}, long, result.BadResponse},
		{"cannot say how long its body is", rogue(t, says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")), Options{}, long, result.BadResponse},
		{"sends a malformed chunk", rogue(t, says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")), Options{}, long, result.BadResponse},
		{"has a certificate nobody signed", badCertificate.URL, Options{}, long, result.TLS},
		{"wants a certificate", wantsCertificate.URL, Options{TLS: trusting}, long, result.TLS},
		{"speaks HTTP on a TLS port", strings.Replace(rogue(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); never(c) }), "http", "https", 1), Options{}, long, result.TLS},
		{"never answers the handshake", strings.Replace(rogue(t, never), "http", "https", 1), Options{DialTimeout: short}, long, result.Timeout},
		{"hangs up in the handshake", strings.Replace(rogue(t, func(net.Conn) {}), "http", "https", 1), Options{}, long, result.ConnectionReset},
		{"sends a byte now and then", rogue(t, func(c net.Conn) {
			says("HTTP/1.1 200 OK\r\n")(c)
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := io.WriteString(c, "x"); err != nil {
					return
				}
			}
		}), Options{}, 200 * time.Millisecond, result.Timeout},
		{"has endless early hints", rogue(t, func(c net.Conn) {
			for says("")(c); ; {
				if _, err := io.WriteString(c, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100)); err != nil {
					return
				}
			}
		}), Options{}, long, result.BadResponse},
		{"has endless extensions of chunks", rogue(t, func(c net.Conn) {
			says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")(c)
			for {
				if _, err := io.WriteString(c, "1;"+strings.Repeat("x", 4000)+"\r\nx\r\n"); err != nil {
					return
				}
			}
		}), Options{}, long, result.BadResponse},
		{"resets in the middle of a body", rogue(t, func(c net.Conn) {
			says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")(c)
			_ = c.(*net.TCPConn).SetLinger(0)
		}), Options{}, long, result.ConnectionReset},
		{"switches protocols", rogue(t, says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")), Options{}, long, result.BadResponse},
		{"says hello before it is asked", rogue(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "220 mail.example ESMTP ready\r\n")
			never(c)
		}), Options{}, 2 * time.Second, result.BadResponse},
	}
}

func TestClassifyHostileServers(t *testing.T) {
	for _, c := range hostiles(t) {
		if c.name == "switches protocols" || c.name == "says hello before it is asked" {
			continue // net/http hands over the former, and takes the latter for an idle connection to be closed
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := New(c.options)
			defer client.CloseIdle()
			err := ask(t, client, c.url, c.timeout)
			if got := Classify(err); got != c.want {
				t.Errorf("got %v, want %v: %v", got, c.want, err)
			}
		})
	}
}

// A name under .invalid never resolves (RFC 2606). The resolver is ours and answers NXDOMAIN, so
// that the test asks no server outside.
func TestClassifyUnknownHost(t *testing.T) {
	client := New(Options{})
	client.transport.Proxy = nil
	client.transport.DialContext = (&net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no resolver here")
	}}}).DialContext
	err := ask(t, client, "http://loadkms.invalid/", 20*time.Second)
	if got := Classify(err); got != result.DNS {
		t.Errorf("got %v, want %v: %v", got, result.DNS, err)
	}
}

func TestClassifyErrorsWithoutAServer(t *testing.T) {
	for _, c := range []struct {
		err  error
		want result.Class
	}{
		{nil, result.OK},
		{fmt.Errorf("dial: %w", syscall.EMFILE), result.CaptureFailed},
		{fmt.Errorf("dial: %w", syscall.EADDRNOTAVAIL), result.CaptureFailed},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}, result.ConnectionRefused},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, result.Timeout},
		{&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}, result.ConnectionReset},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ETIMEDOUT)}, result.Timeout},
		{errors.New("http: server closed idle connection"), result.ConnectionReset},
		{errors.New("malformed"), result.BadResponse},
		{fmt.Errorf("sign: no credentials (%w)", ErrNotSent), result.CaptureFailed},
	} {
		if got := Classify(c.err); got != c.want {
			t.Errorf("%v: got %v, want %v", c.err, got, c.want)
		}
	}
}

// A redirect is an answer; its target is not asked.
func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer s.Close()
	c := New(Options{})
	defer c.CloseIdle()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	resp, err := c.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound || asked != 1 {
		t.Errorf("got status %d after %d requests, want 302 after 1", resp.StatusCode, asked)
	}
}

// Users in flight together use a connection each, and afterwards all of these are used again.
func TestConnectionsAreKept(t *testing.T) {
	const users = 50
	var mu sync.Mutex
	opened := 0
	came, together := 0, make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" || r.ProtoMajor != 1 {
			t.Errorf("got %s with Accept-Encoding %q", r.Proto, r.Header.Get("Accept-Encoding"))
		}
		if r.URL.Path == "/together" {
			mu.Lock()
			if came++; came == users {
				close(together)
			}
			mu.Unlock()
			select {
			case <-together:
			case <-r.Context().Done():
			}
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			opened++
			mu.Unlock()
		}
	}
	s.Start()
	defer s.Close()
	c := New(Options{})
	defer c.CloseIdle()
	var wg sync.WaitGroup
	for range users {
		wg.Go(func() {
			if err := ask(t, c, s.URL+"/together", 20*time.Second); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for range 200 {
		if err := ask(t, c, s.URL, 20*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if opened != users {
		t.Errorf("got %d connections, want %d", opened, users)
	}
}
