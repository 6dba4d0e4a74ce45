package flow

import (
	"encoding/base64"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"loadkms/runner/internal/answer"
	"loadkms/scenarios"
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
	cookies []cookie
	content text // of the body
	stay    bool // a redirect is the answer

	expect   *answer.Expectation
	rendered map[templateKey]text // templates of expect that have holes
	finds    []find
	looks    bool // something of an answer besides its status decides
	body     bool // and something looks at its body
	keepOK   int  // bytes of the body that are kept of an answer below 400
	keepBad  int  // and of others

	before  bool            // functions of the processor prepare it
	after   bool            // and look at its answer
	written *scenarios.Step // for them

	sequence bool // it uses $sequence()
	creates  bool // and acknowledges the number when it ends well
	reads    bool // it reads what $created() drew
}

// A header is one that is sent; its value is rendered if it has holes.
type header struct {
	field
	holes bool
	basic bool // what is rendered are a name and a password
	text  text
}

// request compiles the request of st.
func (c *compiler) request(st *scenarios.Step) *requestOp {
	o := &requestOp{index: c.p.requests, url: c.target(st), stay: st.Stay, written: st,
		before: len(c.in.BeforeRequest)+len(st.Before) > 0, after: len(c.in.AfterResponse)+len(st.After) > 0}
	c.p.requests++
	f := &o.fixed
	f.method, f.hasBody, f.origin, f.target = st.Method, st.HasBody || st.Form != nil, o.url.origin, o.url.plain
	f.fixed = f.target != nil
	for _, h := range c.headers(st) {
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		switch value, plain := h.Value.Literal(); {
		case !plain:
			o.headers = append(o.headers, header{field: field{name: name}, holes: true, text: c.text(h.Value)})
		case name == "Host":
			f.host = value
		default:
			o.headers = append(o.headers, header{field: field{name, []byte(value)}})
		}
	}
	if a := st.Auth; a != nil {
		user, password := c.text(a.User), c.text(a.Password)
		h := header{field: field{name: "Authorization"}, holes: true, basic: true,
			text: text{slices.Concat(user.parts, text{[]part{{text: ":"}}}.parts, password.parts)}}
		if s, ok := h.text.literal(); ok {
			h.value, h.holes = basic(nil, []byte(s)), false
		}
		o.headers = slices.DeleteFunc(o.headers, func(h header) bool { return h.name == "Authorization" })
		o.headers = append(o.headers, h)
	}
	if st.Form != nil {
		var boundary string
		o.content, boundary = c.form(st)
		o.headers = slices.DeleteFunc(o.headers, func(h header) bool { return h.name == "Content-Type" })
		o.headers = append(o.headers, header{field: field{"Content-Type", []byte("multipart/form-data; boundary=" + boundary)}})
	} else {
		o.content = c.text(st.Body)
	}
	if c.script.Config.HTTP.Tracing {
		o.headers = slices.DeleteFunc(o.headers, func(h header) bool { return h.name == "Traceparent" })
		o.headers = append(o.headers, header{field: field{name: "Traceparent"}, holes: true, text: text{[]part{{hole: traceHole}}}})
	}
	o.cookies = c.cookies(st.Cookies)
	for i := range o.headers {
		f.fixed = f.fixed && !o.headers[i].holes
		f.fields = append(f.fields, o.headers[i].field)
	}
	body, plain := o.content.literal()
	f.body = []byte(body)
	f.fixed = f.fixed && plain && !o.before && len(o.cookies)+len(c.p.cookies) == 0
	c.looks(st, o)
	for _, t := range o.texts() {
		o.sequence = o.sequence || t.has(sequenceHole)
		o.reads = o.reads || t.has(createdHole) || t.has(createdAllHole)
	}
	// A GET of a number reads what somebody else created.
	o.creates = o.sequence && st.Method != http.MethodGet && st.Method != http.MethodHead &&
		st.Method != http.MethodOptions && st.Method != http.MethodDelete
	o.reads = o.reads && st.Method == http.MethodGet
	o.keepOK, o.keepBad = o.keeps()
	return o
}

// headers returns all headers of st: its own, config's, and those a request has without being told.
func (c *compiler) headers(st *scenarios.Step) []scenarios.Header {
	all := slices.Clone(st.Headers)
	add := func(h scenarios.Header) {
		if !slices.ContainsFunc(all, func(o scenarios.Header) bool { return strings.EqualFold(o.Name, h.Name) }) {
			all = append(all, h)
		}
	}
	for _, h := range c.script.Config.HTTP.Headers {
		add(h)
	}
	plain := func(name, value string) scenarios.Header {
		return scenarios.Header{Name: name, Value: scenarios.Template{Source: value, Parts: []scenarios.Part{{Text: value}}}}
	}
	add(plain("User-Agent", "loadkms"))
	if st.Gzip {
		add(plain("Accept-Encoding", "gzip, deflate"))
	}
	return all
}

// texts returns everything that is rendered to make the request.
func (o *requestOp) texts() []*text {
	all := []*text{&o.url.text, &o.content}
	for i := range o.headers {
		all = append(all, &o.headers[i].text)
	}
	for i := range o.cookies {
		all = append(all, &o.cookies[i].text)
	}
	return all
}

// render renders the request of o and leaves it in w.out. It reports false if a value is missing, or
// what was rendered cannot be sent.
func (w *walk) render(o *requestOp) bool {
	w.created, w.all = drawn{}, drawn{}
	if o.sequence {
		w.count()
	}
	if o.fixed.fixed && w.user.jar == nil {
		w.out = &o.fixed
		return true
	}
	out := &w.own
	w.out = out
	*out = request{method: o.fixed.method, origin: o.url.origin, host: o.fixed.host, target: o.url.plain,
		fields: out.fields[:0], hasBody: o.fixed.hasBody}
	w.headers = w.headers[:0]
	if x := w.override; x != nil {
		return w.renderOver(o, x)
	}
	return w.renderURL(o) && w.renderHeaders(o, nil) && w.renderCookies(o.cookies, nil) && w.renderBody(o)
}

func (w *walk) renderURL(o *requestOp) (ok bool) {
	if o.url.plain != nil {
		return true
	}
	if w.url, ok = o.url.text.render(w, w.url[:0], inURL); !ok {
		return false
	}
	if w.own.target = w.url; o.url.whole {
		w.own.origin, w.own.target, ok = resolve(o.url.base, string(w.url))
	}
	return ok
}

// renderHeaders renders all headers but those in without.
func (w *walk) renderHeaders(o *requestOp, without map[string]bool) (ok bool) {
	for i := range o.headers {
		h := &o.headers[i]
		if without[h.name] {
			continue
		}
		f := h.field
		if h.holes {
			from := len(w.headers)
			if w.headers, ok = h.text.render(w, w.headers, asIs); !ok {
				return false
			}
			if h.basic {
				w.scratch = append(w.scratch[:0], w.headers[from:]...)
				w.headers = basic(w.headers[:from], w.scratch)
			}
			f.value = w.headers[from:len(w.headers):len(w.headers)] // it stays what it is if the buffer moves for the next one
		}
		if !w.addField(f) {
			return false
		}
	}
	return true
}

// addField adds a header, and reports false if that cannot be sent.
func (w *walk) addField(f field) bool {
	if !validHeader(f.value) {
		return false
	}
	if f.name == "Host" {
		w.own.host = string(f.value)
	} else {
		w.own.fields = append(w.own.fields, f)
	}
	return true
}

func (w *walk) renderBody(o *requestOp) (ok bool) {
	if !o.fixed.hasBody {
		return true
	}
	if w.body, ok = o.content.render(w, w.body[:0], asIs); ok {
		w.own.body = w.body
	}
	return ok
}

// basic appends what basic authentication sends for "user:password".
func basic(to, credentials []byte) []byte {
	return base64.StdEncoding.AppendEncode(append(to, "Basic "...), credentials)
}

// validHeader reports whether b may stand in a header: nothing that would end its line.
func validHeader(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
