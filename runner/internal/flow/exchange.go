package flow

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"loadkms/result"
	"loadkms/runner/internal/client"
	"loadkms/runner/internal/measure"
)

// How much of an answer's body is looked at; the rest is read and counted.
const (
	// What says why a request failed stands near the beginning.
	keptBody = 64 << 10
	// A check needs the whole of what it checks: half a JSON document is none.
	checkedBody = 1 << 20
)

// exchange sends u's request, reads the answer, and records how it ended. It reports false if the
// exchange was cut because the run ended: then nothing is recorded, and a create may have happened.
func (r *run) exchange(u *user) (result.Class, time.Duration, bool) {
	op := u.op()
	if r.ctx.Err() != nil {
		return 0, 0, false
	}
	req, err := u.request(op)
	if err != nil { // what was rendered is not a URL
		r.giveUp(u)
		return giveUpClass, r.now(), true
	}
	span := r.Recorder.Span() // before the stamp: a cut in between must not find it in the later span
	sent := r.now()
	u.deadline.Store(int64(sent + r.timeout))
	class, err := r.answer(u, op.request, req)
	ended := r.now()
	expired := u.disarm(r.ctx) || ended-sent >= r.timeout // the run may have ended before the sweeper came
	if err != nil || !u.payload.closed() {
		// After an error, or an answer that came before the whole request was sent, the transport may
		// still be reading this request; so neither it nor its body is used again.
		u.requests[op.step], u.payload, u.body = nil, nil, nil
	}
	switch {
	case err == nil:
	case expired:
		class = result.Timeout
	case r.ctx.Err() != nil:
		r.cut.Add(1)
		u.learn(op.request, result.Timeout) // its outcome is as unknown as a timeout's
		return 0, 0, false
	default:
		class = client.Classify(err)
	}
	u.shard.Record(measure.Sample{Step: op.step, Class: class, Intended: u.intended, Began: sent, Sent: sent, Done: ended,
		Span: span, Arrival: u.fresh})
	return class, ended, true
}

// request returns the HTTP request of op with what u rendered. It is made once per user and step, and
// then filled again and again.
func (u *user) request(op *op) (*http.Request, error) {
	o := op.request
	req := u.requests[op.step]
	if req == nil {
		base := o.url.base
		req = (&http.Request{Method: o.method, URL: &base, Header: o.header.Clone(), Host: o.host,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(u.ctx)
		u.requests[op.step] = req
	}
	if !o.url.fixed {
		if err := o.url.fill(req.URL, u.url); err != nil {
			return nil, err
		}
	}
	from := 0
	for i, h := range o.headers {
		value := string(u.headers[from:u.ends[i]])
		from = u.ends[i]
		if h.name == "Host" {
			req.Host = value
		} else if v := req.Header[h.name]; len(v) == 1 {
			v[0] = value
		} else {
			req.Header[h.name] = []string{value}
		}
	}
	if !o.hasBody {
		return req, nil
	}
	if u.payload == nil {
		u.payload = new(payload)
		u.payload.reopen = u.payload.again
	}
	p := u.payload
	p.fill(u.body)
	req.Body, req.GetBody, req.ContentLength = p, p.reopen, int64(len(u.body))
	if len(u.body) == 0 {
		req.Body, req.GetBody = http.NoBody, nil
		p.open.Store(0)
	}
	return req, nil
}

// buffers are for bodies nobody looks at.
var buffers = sync.Pool{New: func() any { return new([8 << 10]byte) }}

// answer makes the exchange and returns the answer's class, or the error that kept it from being
// complete.
func (r *run) answer(u *user, o *requestOp, req *http.Request) (result.Class, error) {
	resp, err := r.Transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	good := o.expect.status(resp.StatusCode)
	u.kept = u.kept[:0]
	switch {
	case !good:
		u.kept, err = r.keep(u.kept, resp.Body, keptBody)
	case o.expect.body:
		u.kept, err = r.keep(u.kept, resp.Body, checkedBody)
	}
	if err == nil {
		err = r.discard(resp.Body)
	}
	resp.Body.Close()
	if err != nil {
		return 0, err
	}
	return u.classify(o, good, resp.StatusCode, resp.Header, u.kept), nil
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

// discard reads body to its end.
func (r *run) discard(body io.Reader) error {
	buffer := buffers.Get().(*[8 << 10]byte)
	defer buffers.Put(buffer)
	for {
		n, err := body.Read(buffer[:])
		r.read.Add(uint64(n))
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// A payload is the body of a user's requests, one after another. The transport may close it after
// RoundTrip has returned, even after the answer is complete, and must have the bytes to itself until
// then.
type payload struct {
	bytes.Reader
	data []byte
	open atomic.Int32 // readers the transport has not closed
	once atomic.Bool  // the present reader was closed
	// reopen is again, made once: a method value is an allocation.
	reopen func() (io.ReadCloser, error)
}

func (p *payload) fill(data []byte) {
	p.data = data
	p.Reset(data)
	p.once.Store(false)
	p.open.Store(1)
}

// Close may be called more than once, and from any goroutine.
func (p *payload) Close() error {
	if !p.once.Swap(true) {
		p.open.Add(-1)
	}
	return nil
}

// again returns the body once more, for a transport that found a kept connection closed before it
// could send anything.
func (p *payload) again() (io.ReadCloser, error) {
	p.open.Add(1)
	another := &payload{data: p.data}
	another.Reset(p.data)
	return &second{another, p}, nil
}

// closed reports whether the transport is through with p. A nil payload is.
func (p *payload) closed() bool { return p == nil || p.open.Load() == 0 }

// A second is a further reader over a payload.
type second struct {
	*payload
	of *payload
}

func (s *second) Close() error {
	if !s.once.Swap(true) {
		s.of.open.Add(-1)
	}
	return nil
}

// fill sets to to the URL that was rendered.
func (t *target) fill(to *url.URL, rendered []byte) error {
	s := string(rendered)
	if !t.whole {
		if path, query, ok := plainPath(s); ok {
			to.Path, to.RawPath, to.RawQuery, to.ForceQuery = path, "", query, false
			return nil
		}
		s = t.base.Scheme + "://" + t.base.Host + s
	} else if len(s) > 0 && s[0] == '/' {
		s = t.prefix + s
	}
	parsed, err := parseTarget(s)
	if err != nil {
		return err
	}
	*to = *parsed
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
