package flow

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"loadkms/runner/internal/client"
)

// A seat is what an event loop keeps for a walk, to make its exchanges.
type seat struct {
	exchange client.Exchange
	wire     []byte        // the request, unless it is the same for everybody
	conns    *client.Conns // of the user, if users have connections of their own
	span     uint32        // when the exchange began
	at       int           // index of loop.flying
	open     int           // walks of the present fork that are not done
}

// mostOrigins bounds the origins a loop remembers: a hole may name another host each time.
const mostOrigins = 1000

// seat returns the seat of w, making it for its first exchange.
func (l *eventLoop) seat(w *walk) *seat {
	if w.seat == nil {
		w.seat = &seat{}
		w.seat.exchange.Owner = w
		if l.run.OwnConnections {
			if w.parent != nil {
				w.seat.conns = l.seat(w.user.walk).conns // of the user, not of a branch
			} else {
				w.seat.conns = new(client.Conns)
			}
			w.seat.exchange.Own = w.seat.conns
		}
	}
	return w.seat
}

// rest lets go of a buffer that grew large.
func (s *seat) rest() {
	if cap(s.wire) > bulky {
		s.wire = nil
	}
}

// fill makes the exchange of s send what w rendered.
func (l *eventLoop) fill(s *seat, w *walk) error {
	out, x := w.out, &s.exchange
	to, err := l.origin(out.origin)
	if err != nil {
		return err
	}
	x.To, x.NoBody, x.Expect100 = to, out.method == http.MethodHead, false
	x.KeepOK, x.KeepBad = w.op().request.keepOK, w.op().request.keepBad
	if out.fixed && l.run.Sign == nil {
		index := w.op().request.index
		if l.wires[index] == nil {
			l.wires[index], l.expects[index] = appendRequest(nil, out, out.target, out.fields)
		}
		x.Request, x.Expect100 = l.wires[index], l.expects[index]
		return nil
	}
	target, fields := out.target, out.fields
	if l.run.Sign != nil {
		if target, fields, err = l.run.signed(out); err != nil {
			return err
		}
	}
	s.wire, x.Expect100 = appendRequest(s.wire[:0], out, target, fields)
	x.Request = s.wire
	return nil
}

// origin returns the origin called name.
func (l *eventLoop) origin(name string) (*client.Origin, error) {
	if to := l.origins[name]; to != nil {
		return to, nil
	}
	to, err := l.run.origin(name)
	if err != nil {
		return nil, err
	}
	if len(l.origins) == mostOrigins {
		clear(l.origins)
	}
	l.origins[name] = to
	return to, nil
}

// origin returns the origin called name, which the loops share: what is known about its addresses, and
// the sessions of TLS.
func (r *engine) origin(name string) (*client.Origin, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if to := r.origins[name]; to != nil {
		return to, nil
	}
	scheme, host, _ := strings.Cut(name, "://")
	to, err := client.NewOrigin(scheme, host, r.TLS)
	if err != nil {
		return nil, fmt.Errorf("send to %s: %w", name, err)
	}
	if r.origins == nil || len(r.origins) == mostOrigins {
		r.origins = map[string]*client.Origin{}
	}
	r.origins[name] = to
	return to, nil
}

// appendRequest appends out, with this target and these fields, as it goes over the wire (RFC 9112), and reports whether
// its body waits for 100 (Continue).
func appendRequest(b []byte, out *request, target []byte, fields []field) (wire []byte, expects bool) {
	b = append(b, out.method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if out.host != "" {
		b = append(b, out.host...)
	} else {
		b = append(b, out.origin[strings.Index(out.origin, "://")+3:]...)
	}
	b = append(b, "\r\n"...)
	for i := range fields {
		f := &fields[i]
		b = append(b, f.name...)
		b = append(b, ": "...)
		b = append(b, f.value...)
		b = append(b, "\r\n"...)
		if f.name == "Expect" {
			expects = expects || bytes.EqualFold(f.value, []byte("100-continue"))
		}
	}
	// A server that may expect a body is told that there is none (RFC 9110, section 8.6).
	if out.hasBody || out.method == http.MethodPost || out.method == http.MethodPut || out.method == http.MethodPatch {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(out.body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, out.body...), expects && len(out.body) > 0
}

// signed returns the target of out, which signing may write in another way, and its fields with those of the
// signature. It makes an http.Request of out, because that is what signers read.
func (d *Driver) signed(out *request) (target []byte, fields []field, err error) {
	u, err := url.Parse(out.origin + string(out.target))
	if err != nil {
		return nil, nil, fmt.Errorf("sign the request: %w", err)
	}
	req := &http.Request{Method: out.method, URL: u, Header: http.Header{}, Host: out.host, ContentLength: int64(len(out.body))}
	if req.Host == "" {
		req.Host = u.Host
	}
	for _, f := range out.fields {
		req.Header[f.name] = append(req.Header[f.name], string(f.value))
	}
	if err := d.Sign(req, out.body, time.Now()); err != nil {
		return nil, nil, fmt.Errorf("sign the request: %w", err)
	}
	fields = make([]field, 0, len(req.Header))
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		for _, v := range req.Header[name] {
			fields = append(fields, field{name, []byte(v)})
		}
	}
	return []byte(u.RequestURI()), fields, nil
}
