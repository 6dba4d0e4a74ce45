package client

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"loadkms/result"
)

// roundTrip makes one traced exchange.
func roundTrip(t *testing.T, c *Client, url string) (Response, string) {
	t.Helper()
	var trace Trace
	ctx, cancel := context.WithTimeout(trace.Context(t.Context()), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := FromHTTP(resp, body, uint64(len(body)))
	r.Times = trace.Times()
	return r, resp.Proto
}

func TestClientProtocols(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		_, _ = io.WriteString(w, r.Proto)
	})
	secure := httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	both := httptest.NewUnstartedServer(handler)
	both.Config.Protocols = new(http.Protocols)
	both.Config.Protocols.SetHTTP1(true)
	both.Config.Protocols.SetUnencryptedHTTP2(true)
	both.Start()
	defer both.Close()
	config := secure.Client().Transport.(*http.Transport).TLSClientConfig
	for _, c := range []struct {
		name, url, want string
		options         Options
	}{
		{"HTTP/1.1", both.URL, "HTTP/1.1", Options{}},
		{"HTTP/1.1 over TLS", secure.URL, "HTTP/1.1", Options{TLS: config}},
		{"HTTP/2 by ALPN", secure.URL, "HTTP/2.0", Options{TLS: config, HTTP2: true}},
		{"no HTTP/2 without TLS", both.URL, "HTTP/1.1", Options{HTTP2: true}},
		{"h2c", both.URL, "HTTP/2.0", Options{H2C: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := New(c.options)
			defer client.CloseIdle()
			first, proto := roundTrip(t, client, c.url)
			if proto != c.want || string(first.Body) != c.want || !first.Whole() {
				t.Errorf("got %s, %q; want %s", proto, first.Body, c.want)
			}
			cookies := 0
			for range first.Headers("set-cookie") {
				cookies++
			}
			if cookies != 2 {
				t.Errorf("got %d cookies in %q, want 2", cookies, first.Head)
			}
			secure := strings.HasPrefix(c.url, "https")
			if first.Times.Connect <= 0 || first.Times.FirstByte <= 0 || (first.Times.TLS > 0) != secure {
				t.Errorf("times of the first exchange: %+v", first.Times)
			}
			again, _ := roundTrip(t, client, c.url)
			if again.Times.Connect != 0 || again.Times.TLS != 0 || again.Times.FirstByte <= 0 {
				t.Errorf("times of the second: %+v", again.Times)
			}
			own := client.Own()
			defer own.CloseIdle()
			if alone, _ := roundTrip(t, own, c.url); alone.Times.Connect <= 0 {
				t.Errorf("a client of one user did not connect: %+v", alone.Times)
			}
		})
	}
}

// A proxy of the environment is asked, but not with Direct. TestMain has set one that nobody can reach.
func TestClientProxy(t *testing.T) {
	client := New(Options{})
	err := ask(t, client, "http://loadkms.invalid/", 20*time.Second)
	if got := Classify(err); got != result.ConnectionRefused || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("got %v, want %v from the proxy: %v", got, result.ConnectionRefused, err)
	}
	if New(Options{Direct: true}).transport.Proxy != nil {
		t.Error("a direct client asks for a proxy")
	}
}

func TestLimits(t *testing.T) {
	l, err := ReadLimits()
	if err != nil {
		t.Fatal(err)
	}
	if l == (Limits{}) {
		t.Skip("this system does not say")
	}
	if l.FilesUsed < 3 || l.FilesUsed > l.Files || l.Ports == 0 || l.Ports > 65536 {
		t.Errorf("got %+v", l)
	}
}
