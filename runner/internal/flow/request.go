package flow

import (
	"net/url"
	"strings"
)

// A request is what one exchange sends. Its bytes are valid until the exchange has ended. Neither a
// Content-Length nor a Connection header is among its fields: those are the driver's.
type request struct {
	fixed   bool // every user sends the same: it is the op's own, and may be known by its address
	method  string
	origin  string // scheme and host to connect to: "https://api.example:8443"
	host    string // the Host header; "" means the origin's
	target  []byte // path and query
	fields  []field
	hasBody bool
	body    []byte
}

// A field is one header.
type field struct {
	name  string // canonical
	value []byte
}

// A requestOp is one compiled request.
type requestOp struct {
	index   int // among all requests of the program
	fixed   request
	url     target
	headers []header
	body    text
	expect  expect

	sequence bool // it uses $sequence()
	creates  bool // and acknowledges the number when it ends well
	reads    bool // it reads what $created() drew
}

// A header is one that is sent; value is rendered if it has holes.
type header struct {
	field
	holes bool
	text  text
}

// A target is where a request goes.
type target struct {
	whole  bool   // text renders a whole URL, or a path below base
	origin string // otherwise
	base   string // the script's target, without a slash at its end
	text   text   // with holes
	plain  []byte // without
}

// render renders the request of o and leaves it in w.out. It reports false if a value is missing, or
// what was rendered cannot be sent.
func (w *walk) render(o *requestOp) bool {
	w.created, w.all = drawn{}, drawn{}
	if o.sequence {
		w.sequence++
	}
	if o.fixed.fixed {
		w.out = &o.fixed
		return true
	}
	out := &w.own
	w.out = out
	out.method, out.origin, out.host, out.hasBody = o.fixed.method, o.url.origin, o.fixed.host, o.fixed.hasBody
	out.target, out.fields, out.body = o.url.plain, out.fields[:0], nil
	var ok bool
	if out.target == nil {
		if w.url, ok = o.url.text.render(w, w.url[:0], inURL); !ok {
			return false
		}
		if out.target = w.url; o.url.whole {
			if out.origin, out.target, ok = o.url.cut(w.url); !ok {
				return false
			}
		}
	}
	w.headers = w.headers[:0]
	for i := range o.headers {
		h := &o.headers[i]
		f := h.field
		if h.holes {
			from := len(w.headers)
			if w.headers, ok = h.text.render(w, w.headers, asIs); !ok || !validHeader(w.headers[from:]) {
				return false
			}
			f.value = w.headers[from:] // it stays what it is if the buffer moves for the next one
		}
		if f.name == "Host" {
			out.host = string(f.value)
			continue
		}
		out.fields = append(out.fields, f)
	}
	if out.hasBody {
		if w.body, ok = o.body.render(w, w.body[:0], asIs); !ok {
			return false
		}
		out.body = w.body
	}
	return true
}

// cut cuts a rendered URL into origin and target, and reports false if it is none.
func (t *target) cut(rendered []byte) (origin string, target []byte, ok bool) {
	s := string(rendered)
	if strings.HasPrefix(s, "/") {
		s = t.base + s
	}
	u, err := parseTarget(s)
	if err != nil {
		return "", nil, false
	}
	return originOf(u), []byte(u.RequestURI()), true
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// validHeader reports whether b may stand in a header: nothing that would end its line.
func validHeader(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
