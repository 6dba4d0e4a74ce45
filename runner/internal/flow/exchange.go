package flow

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"loadkms/result"
	"loadkms/runner/internal/client"
)

// How much of an answer's body is looked at; the rest is read and counted.
const (
	// What says why a request failed stands near the beginning.
	keptBody = 64 << 10
	// A check needs the whole of what it checks: half a JSON document is none.
	checkedBody = 1 << 20
)

// A line is what the portable driver keeps for a walk, to make its exchanges over net/http.
type line struct {
	timer    *time.Timer // for think time
	requests []prepared  // by the index of their op
	sending  *sending
	response client.Response
	head     []byte // of the last answer
	kept     []byte // the body of the last answer, as far as it is kept

	deadline atomic.Int64 // of the exchange in flight, since the run began; 0 means none
	mu       sync.Mutex   // guards the rest; held for a few instructions, and by expire while canceling
	expired  bool
	ctx      context.Context
	cancel   context.CancelCauseFunc
}

// A prepared is an HTTP request that is used again. It is as the fixed request it was made of, if of is not
// nil; otherwise it has to be filled.
type prepared struct {
	*http.Request
	of *request
}

func newLine(ctx context.Context, requests int) *line {
	l := &line{timer: time.NewTimer(time.Hour), requests: make([]prepared, requests)}
	l.timer.Stop()
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	return l
}

// rest lets go of buffers that grew large.
func (l *line) rest() {
	for _, b := range []*[]byte{&l.head, &l.kept} {
		if cap(*b) > bulky {
			*b = nil
		}
	}
}

// exchange sends w's request, reads the answer, and tells w. It reports false if the exchange was cut
// because the run ended.
func (r *run) exchange(w *walk) (action, bool) {
	if r.ctx.Err() != nil {
		return done, false
	}
	l, index := w.line, w.op().request.index
	began := r.now()
	req, err := l.request(w.out, index)
	if err != nil { // what was rendered is not a URL
		return r.giveUp(w), true
	}
	span := r.Recorder.Span() // before the stamp: a cut in between must not find it in the later span
	sent := r.now()
	w.sent(began, sent, span)
	l.deadline.Store(int64(sent + r.timeout))
	err = r.answer(w, req)
	ended := r.now()
	expired := l.disarm(r.ctx) || ended-sent >= r.timeout // the run may have ended before the sweeper came
	if err != nil || !l.sending.closed() {
		// After an error, or an answer that came before the whole request was sent, the transport may
		// still be reading this request; so neither it nor its body is used again.
		l.requests[index], l.sending, w.body = prepared{}, nil, nil
	}
	w.user.mu.Lock()
	defer w.user.mu.Unlock()
	switch {
	case err == nil:
		return w.answer(&l.response, ended), true
	case expired:
		return w.fail(result.Timeout, ended), true
	case r.ctx.Err() != nil:
		r.cut.Add(1)
		w.cut()
		return done, false
	}
	r.lack(err)
	return w.fail(client.Classify(err), ended), true
}

// request returns the HTTP request that sends out. It is made once per walk and op, and then filled
// again and again.
func (l *line) request(out *request, index int) (*http.Request, error) {
	kept := &l.requests[index]
	req := kept.Request
	switch {
	case req == nil:
		u, err := parseTarget(out.origin + string(out.target))
		if err != nil {
			return nil, err
		}
		req = (&http.Request{Method: out.method, URL: u, Header: http.Header{}, Host: out.host,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(l.ctx)
		setFields(req.Header, out.fields)
		kept.Request = req
	case kept.of != out:
		if err := l.refill(req, out); err != nil {
			return nil, err
		}
	}
	if kept.of = nil; out.fixed {
		kept.of = out
	}
	if !out.hasBody {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
		return req, nil
	}
	if l.sending == nil {
		l.sending = new(sending)
		l.sending.reopen = l.sending.again
	}
	s := l.sending
	s.fill(out.body)
	req.Body, req.GetBody, req.ContentLength = s, s.reopen, int64(len(out.body))
	if len(out.body) == 0 {
		req.Body, req.GetBody = http.NoBody, nil
		s.open.Store(0)
	}
	return req, nil
}

// refill makes req, which was of the same op, send out.
func (l *line) refill(req *http.Request, out *request) error {
	target := string(out.target)
	scheme, host, _ := strings.Cut(out.origin, "://")
	if path, query, ok := plainPath(target); ok && req.URL.Scheme == scheme && req.URL.Host == host {
		req.URL.Path, req.URL.RawPath, req.URL.RawQuery, req.URL.ForceQuery = path, "", query, false
	} else {
		u, err := parseTarget(out.origin + target)
		if err != nil {
			return err
		}
		*req.URL = *u
	}
	req.Method, req.Host = out.method, out.host
	setFields(req.Header, out.fields)
	return nil
}

// setFields makes fields all there is in h, and allocates nothing for values that are there already.
func setFields(h http.Header, fields []field) {
	if len(h) > len(fields) {
		clear(h)
	}
	for i := range fields {
		f := &fields[i]
		if v := h[f.name]; len(v) != 1 {
			h[f.name] = []string{string(f.value)}
		} else if v[0] != string(f.value) {
			v[0] = string(f.value)
		}
	}
}

// expire cancels the exchange if it is still the one with this deadline.
func (l *line) expire(deadline int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deadline.CompareAndSwap(deadline, 0) {
		l.expired = true
		l.cancel(errTimeout)
	}
}

// disarm ends the watch over the exchange and reports whether it expired. A context that was canceled
// is replaced, with all requests that carry it.
func (l *line) disarm(parent context.Context) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline.Store(0)
	if !l.expired {
		return false
	}
	l.expired = false
	l.ctx, l.cancel = context.WithCancelCause(parent)
	clear(l.requests)
	return true
}

// buffers are for bodies nobody looks at.
var buffers = sync.Pool{New: func() any { return new([8 << 10]byte) }}

// answer makes the exchange and leaves the answer in w's line, or returns the error that kept it from
// being complete.
func (r *run) answer(w *walk, req *http.Request) error {
	resp, err := r.Transport.RoundTrip(req)
	if err != nil {
		return err
	}
	l := w.line
	l.kept = l.kept[:0]
	if most := w.op().request.keep(resp.StatusCode); most > 0 {
		l.kept, err = r.keep(l.kept, resp.Body, most)
	}
	size := uint64(len(l.kept))
	if err == nil {
		var rest uint64
		rest, err = r.discard(resp.Body)
		size += rest
	}
	resp.Body.Close()
	if err != nil {
		return err
	}
	l.head = l.head[:0]
	for name, values := range resp.Header {
		for _, v := range values {
			l.head = append(append(append(append(l.head, name...), ": "...), v...), "\r\n"...)
		}
	}
	l.response = client.Response{Status: resp.StatusCode, Head: l.head, Body: l.kept, Size: size}
	return nil
}

// keep reads at most the first most bytes of body into b. The end of the body is not an error.
func (r *run) keep(b []byte, body io.Reader, most int) ([]byte, error) {
	for len(b) < most {
		b = slices.Grow(b, 512)
		n, err := body.Read(b[len(b):min(cap(b), most)])
		b = b[:len(b)+n]
		r.read.Add(uint64(n))
		if err == io.EOF { // only a plain EOF is the end of a body
			return b, nil
		} else if err != nil {
			return b, err
		}
	}
	return b, nil
}

// discard reads body to its end and returns how much that was.
func (r *run) discard(body io.Reader) (size uint64, err error) {
	buffer := buffers.Get().(*[8 << 10]byte)
	defer buffers.Put(buffer)
	for {
		n, err := body.Read(buffer[:])
		r.read.Add(uint64(n))
		size += uint64(n)
		if err == io.EOF {
			return size, nil
		} else if err != nil {
			return size, err
		}
	}
}

// A sending is the body of a walk's requests, one after another. The transport may close it after
// RoundTrip has returned, even after the answer is complete, and must have the bytes to itself until
// then.
type sending struct {
	bytes.Reader
	data []byte
	open atomic.Int32 // readers the transport has not closed
	once atomic.Bool  // the present reader was closed
	// reopen is again, made once: a method value is an allocation.
	reopen func() (io.ReadCloser, error)
}

func (s *sending) fill(data []byte) {
	s.data = data
	s.Reset(data)
	s.once.Store(false)
	s.open.Store(1)
}

// Close may be called more than once, and from any goroutine.
func (s *sending) Close() error {
	if !s.once.Swap(true) {
		s.open.Add(-1)
	}
	return nil
}

// again returns the body once more, for a transport that found a kept connection closed before it
// could send anything.
func (s *sending) again() (io.ReadCloser, error) {
	s.open.Add(1)
	another := &sending{data: s.data}
	another.Reset(s.data)
	return &second{another, s}, nil
}

// closed reports whether the transport is through with s. A nil payload is.
func (s *sending) closed() bool { return s == nil || s.open.Load() == 0 }

// A second is a further reader over a body.
type second struct {
	*sending
	of *sending
}

func (s *second) Close() error {
	if !s.once.Swap(true) {
		s.of.open.Add(-1)
	}
	return nil
}

// plainPath cuts a path with a query in two, and reports false if it needs a closer look.
func plainPath(s string) (path, query string, ok bool) {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == '~', c == '/', c == ':', c == '@', c == '=', c == '&', c == '+', c == ',', c == ';', c == '$':
		case c == '?' && i > 0:
			for j := i + 1; j < len(s); j++ {
				if s[j] == '#' {
					return "", "", false
				}
			}
			return s[:i], s[i+1:], i+1 < len(s)
		default:
			return "", "", false
		}
	}
	return s, "", len(s) > 0
}
