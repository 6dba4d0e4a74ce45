package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// FromHTTP returns an answer of net/http as a Response. The body is as much as was kept of size bytes. The
// header lines are those net/http leaves, in alphabetical order. The times come from a Trace.
func FromHTTP(resp *http.Response, body []byte, size uint64) Response {
	var head bytes.Buffer
	_ = resp.Header.Write(&head) // a Buffer takes everything
	return Response{Status: resp.StatusCode, Head: head.Bytes(), Body: body, Size: size}
}

// A Trace measures the Times of one exchange by a Client. The zero value is ready for one.
type Trace struct {
	mu    sync.Mutex // net/http tells from several goroutines, some of them after the exchange has ended
	times Times
	began struct{ dns, connect, tls, sent time.Time }
}

// Context returns ctx with the trace in it, for the request's.
func (t *Trace) Context(ctx context.Context) context.Context {
	start := func(at *time.Time) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if at.IsZero() { // of several addresses tried, the first
			*at = time.Now()
		}
	}
	stop := func(took *time.Duration, since *time.Time) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !since.IsZero() {
			*took = time.Since(*since)
		}
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:             func(httptrace.DNSStartInfo) { start(&t.began.dns) },
		DNSDone:              func(httptrace.DNSDoneInfo) { stop(&t.times.DNS, &t.began.dns) },
		ConnectStart:         func(string, string) { start(&t.began.connect) },
		ConnectDone:          func(string, string, error) { stop(&t.times.Connect, &t.began.connect) },
		TLSHandshakeStart:    func() { start(&t.began.tls) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { stop(&t.times.TLS, &t.began.tls) },
		GotConn:              func(httptrace.GotConnInfo) { start(&t.began.sent) },
		GotFirstResponseByte: func() { stop(&t.times.FirstByte, &t.began.sent) },
	})
}

// Times returns what has been measured.
func (t *Trace) Times() Times {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.times
}
