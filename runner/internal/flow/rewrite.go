package flow

import (
	"encoding/base64"
	"maps"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"

	"loadkms/scenarios"
)

// An override is what functions made of a request before it is rendered. Its texts may call functions
// of templates; their variables are filled in.
type override struct {
	initial map[string]string // what functions were given, as JSON, by name
	method  string
	url     string
	query   string
	queried bool // query takes the place of the URL's
	without map[string]bool
	fields  []crumb // headers
	cookies []crumb
	content string
	mode    scenarios.Mode // of content
	filled  bool           // content takes the place of the body
}

// The names of a request's parts that functions may rewrite.
var rewritable = []string{"url", "uri", "method", "headers", "json", "body", "form", "qs", "cookie", "auth"}

// requestParams returns the present request as functions before it see it: as it is written, with holes.
func (p *processor) requestParams(w *walk) *goja.Object {
	if w.params != nil {
		return w.params
	}
	o := w.op().request
	st := o.written
	params := p.runtime.NewObject()
	w.params, w.override = params, &override{initial: map[string]string{}, without: map[string]bool{}}
	address := st.URL.Source
	if strings.HasPrefix(address, "/") {
		address = o.url.base + address
	}
	_ = params.Set("url", address)
	_ = params.Set("method", st.Method)
	_ = params.Set("name", st.Name)
	_ = params.Set("uuid", uuidOf(w.dice))
	_ = params.Set("timeout", w.user.program.timeout.Seconds())
	headers := p.runtime.NewObject()
	for _, h := range st.Headers {
		_ = headers.Set(h.Name, h.Value.Source)
	}
	_ = params.Set("headers", headers)
	if st.HasBody {
		if isForm(st) {
			_ = params.Set("form", p.formOf(st.Body))
		} else if document := p.fromJSON(holesAsText(st.Body)); isJSONBody(st) && !goja.IsUndefined(document) {
			_ = params.Set("json", document)
		} else {
			_ = params.Set("body", st.Body.Source)
		}
	}
	if len(st.Cookies) > 0 {
		cookies := p.runtime.NewObject()
		for _, c := range st.Cookies {
			_ = cookies.Set(c.Name, c.Value.Source)
		}
		_ = params.Set("cookie", cookies)
	}
	if st.Auth != nil {
		auth := p.runtime.NewObject()
		_ = auth.Set("user", st.Auth.User.Source)
		_ = auth.Set("pass", st.Auth.Password.Source)
		_ = params.Set("auth", auth)
	}
	for _, name := range rewritable {
		w.override.initial[name] = p.toJSON(params.Get(name))
	}
	return params
}

func isJSONBody(st *scenarios.Step) bool { return isOfType(st, "json") }

// isForm reports whether the body of st is written as a form: then its holes are escaped.
func isForm(st *scenarios.Step) bool {
	return isOfType(st, "x-www-form-urlencoded") && !slices.ContainsFunc(st.Body.Parts, func(p scenarios.Part) bool {
		return written(p) != "" && p.Mode != scenarios.FormString
	})
}

func isOfType(st *scenarios.Step, name string) bool {
	return slices.ContainsFunc(st.Headers, func(h scenarios.Header) bool {
		return strings.EqualFold(h.Name, "Content-Type") && strings.Contains(strings.ToLower(h.Value.Source), name)
	})
}

// formOf returns a form as it was written in the script, with holes. A name that is repeated has a list.
func (p *processor) formOf(t scenarios.Template) *goja.Object {
	out := p.runtime.NewObject()
	values := map[string][]any{}
	for _, pair := range strings.Split(holesInForm(t), "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name)   // it was escaped when the script was read
		value, _ = url.QueryUnescape(value) // likewise
		values[name] = append(values[name], value)
		if list := values[name]; len(list) > 1 {
			_ = out.Set(name, p.runtime.NewArray(list...))
		} else {
			_ = out.Set(name, value)
		}
	}
	return out
}

// holesInForm returns a form with its holes escaped, too.
func holesInForm(t scenarios.Template) string {
	var b strings.Builder
	for _, part := range t.Parts {
		if hole := written(part); hole != "" {
			b.WriteString(url.QueryEscape("{{ " + hole + " }}"))
		} else {
			b.WriteString(part.Text)
		}
	}
	return b.String()
}

// written returns what stands in a hole, and "" for a text.
func written(part scenarios.Part) string {
	if part.Call != "" {
		return part.Call + "(" + strings.Join(part.Args, ", ") + ")"
	}
	return part.Var
}

// holesAsText returns a body as it was written in the script: a hole that is a whole JSON value is a
// text.
func holesAsText(t scenarios.Template) string {
	var b strings.Builder
	for _, part := range t.Parts {
		hole := written(part)
		switch {
		case hole == "":
			b.WriteString(part.Text)
		case part.Mode == scenarios.JSONValue:
			b.WriteString(jsonOf("{{ " + hole + " }}"))
		default:
			b.WriteString("{{ " + hole + " }}")
		}
	}
	return b.String()
}

// toJSON returns a value as JSON, and "" if it has none.
func (p *processor) toJSON(v goja.Value) string {
	if v == nil || goja.IsUndefined(v) {
		return ""
	}
	written, err := p.stringify(goja.Undefined(), v)
	if err != nil || goja.IsUndefined(written) {
		return ""
	}
	return written.String()
}

// rewritten notes what the functions so far made of the present request.
func (p *processor) rewritten(w *walk, s *scriptState) {
	x, params := w.override, w.params
	fill := func(text string, mode scenarios.Mode) string {
		if !strings.Contains(text, "{{") {
			return text
		}
		return fillHoles(text, mode, func(hole string, mode scenarios.Mode) (string, bool) {
			if looseCall.MatchString(hole) { // left to render
				if hole = "{{ " + hole + " }}"; mode == scenarios.JSONValue {
					hole = `"` + hole + `"`
				}
				return hole, true
			}
			v := p.read(s.vars, propertyPath(hole))
			return v.as(mode), v.set
		})
	}
	for _, name := range rewritable {
		v := params.Get(name)
		now := p.toJSON(v)
		if now == x.initial[name] {
			continue
		}
		x.initial[name] = now
		switch name {
		case "url", "uri":
			if now != "" {
				x.url = fill(v.String(), scenarios.Plain)
			}
		case "method":
			x.method = strings.ToUpper(v.String())
		case "headers":
			p.rewrittenHeaders(w, v, fill)
		case "json":
			if now != "" {
				x.content, x.mode, x.filled = fill(now, scenarios.JSONValue), scenarios.JSONValue, true
				x.kind("application/json", w.op().request)
			} else if params.Get("body") == nil {
				x.content, x.filled = "", true
			}
		case "body":
			if v != nil && !goja.IsUndefined(v) && !goja.IsNull(v) {
				x.content, x.mode, x.filled = fill(v.String(), scenarios.Plain), scenarios.Plain, true
			}
		case "form":
			x.content, x.mode, x.filled = fill(p.pairs(v), scenarios.FormString), scenarios.FormString, true
			x.kind("application/x-www-form-urlencoded", w.op().request)
		case "qs":
			x.query, x.queried = fill(p.pairs(v), scenarios.FormString), true
		case "cookie":
			x.cookies = nil
			for name, value := range p.entries(v) {
				x.cookies = append(x.cookies, crumb{name, fill(value, scenarios.Plain)})
			}
		case "auth":
			user, password := "", ""
			for name, value := range p.entries(v) {
				switch name {
				case "user", "username":
					user = fill(value, scenarios.Plain)
				case "pass", "password":
					password = fill(value, scenarios.Plain)
				}
			}
			x.header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
		}
	}
}

// header sets a header in place of the request's own.
func (x *override) header(name, value string) {
	name = textproto.CanonicalMIMEHeaderKey(name)
	x.without[name] = true
	x.fields = slices.DeleteFunc(x.fields, func(f crumb) bool { return f.name == name })
	x.fields = append(x.fields, crumb{name, value})
}

// kind sets the type of the content unless the request says it.
func (x *override) kind(value string, o *requestOp) {
	for i := range o.headers {
		if o.headers[i].name == "Content-Type" {
			return
		}
	}
	if !x.without["Content-Type"] {
		x.header("Content-Type", value)
	}
}

// rewrittenHeaders notes what functions made of the headers: what they took away is not sent either.
func (p *processor) rewrittenHeaders(w *walk, v goja.Value, fill func(string, scenarios.Mode) string) {
	x := w.override
	was := map[string]string{}
	for _, h := range w.op().request.written.Headers {
		was[textproto.CanonicalMIMEHeaderKey(h.Name)] = h.Value.Source
	}
	now := map[string]string{}
	for name, value := range p.entries(v) {
		now[textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	for name := range was {
		if _, there := now[name]; !there {
			x.without[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if value, there := was[name]; !there || value != now[name] {
			x.header(name, fill(now[name], scenarios.Plain))
		}
	}
}

// entries yields the properties of an object that have a value, as texts, in their order.
func (p *processor) entries(v goja.Value) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		object, ok := v.(*goja.Object)
		if !ok {
			return
		}
		for _, name := range object.Keys() {
			if value := p.value(object.Get(name)); value.set && value.json != "null" && !yield(name, value.text) {
				return
			}
		}
	}
}

// pairs returns an object as a form, with holes left in place. A list repeats its name.
func (p *processor) pairs(v goja.Value) string {
	var b strings.Builder
	escape := func(s string) {
		for {
			before, rest, found := strings.Cut(s, "{{")
			b.Write(appendForm(nil, []byte(before)))
			if !found {
				return
			}
			hole, after, _ := strings.Cut(rest, "}}")
			b.WriteString("{{" + hole + "}}")
			s = after
		}
	}
	add := func(name, value string) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		escape(name)
		b.WriteByte('=')
		escape(value)
	}
	for name, value := range p.entries(v) {
		list, ok := v.(*goja.Object).Get(name).(*goja.Object)
		if !ok || list.ClassName() != "Array" {
			add(name, value)
			continue
		}
		for _, item := range p.entries(list) {
			add(name, item)
		}
	}
	return b.String()
}

// renderOver renders the request of o as functions rewrote it.
func (w *walk) renderOver(o *requestOp, x *override) bool {
	out := &w.own
	if x.method != "" {
		out.method = x.method
	}
	if x.url != "" {
		var ok bool
		s := string(escapeURL(nil, w.fill(x.url, scenarios.Plain)))
		if out.origin, out.target, ok = resolve(o.url.base, s); !ok {
			return false
		}
	} else if !w.renderURL(o) {
		return false
	}
	if x.queried {
		path, _, _ := strings.Cut(string(out.target), "?")
		if query := w.fill(x.query, scenarios.FormString); query != "" {
			path += "?" + query
		}
		out.target = []byte(path)
	}
	if !w.renderHeaders(o, x.without) {
		return false
	}
	for _, f := range x.fields {
		if !w.addField(field{f.name, []byte(w.fill(f.value, scenarios.Plain))}) {
			return false
		}
	}
	var set []crumb
	for _, c := range x.cookies {
		set = append(set, crumb{c.name, w.fill(c.value, scenarios.Plain)})
	}
	if !w.renderCookies(o.cookies, set) {
		return false
	}
	if x.filled {
		w.body = append(w.body[:0], w.fill(x.content, x.mode)...)
		out.body, out.hasBody = w.body, true
		return true
	}
	return w.renderBody(o)
}

// sentParams returns the present request as functions after it see it: as it was sent.
func (p *processor) sentParams(w *walk) *goja.Object { return p.sentBy(w, w.op().request) }

// sentBy returns the request of o that w has sent last.
func (p *processor) sentBy(w *walk, o *requestOp) *goja.Object {
	if w.params == nil {
		w.params = p.runtime.NewObject()
		_ = w.params.Set("name", o.written.Name)
		_ = w.params.Set("uuid", uuidOf(w.dice))
	}
	out := w.out
	_ = w.params.Set("url", out.origin+string(out.target))
	_ = w.params.Set("method", out.method)
	headers := p.runtime.NewObject()
	for i := range out.fields {
		_ = headers.Set(strings.ToLower(out.fields[i].name), string(out.fields[i].value))
	}
	_ = w.params.Set("headers", headers)
	if out.hasBody {
		_ = w.params.Set("body", string(out.body))
	}
	return w.params
}

// lastParams returns the request that failed: as functions have seen it, or else as it was sent. Of one that
// was side by side with others, or could not be made, nothing is known.
func (p *processor) lastParams(w *walk) goja.Value {
	switch f := &w.user.failed; {
	case w.params != nil:
		return w.params
	case f.walk == w && f.op.kind == requests && w.out != nil:
		return p.sentBy(w, f.op.request)
	}
	return p.runtime.NewObject()
}

// response returns the answer to the present request. Its body is a text, whatever it holds.
func (p *processor) response(w *walk) *goja.Object {
	r, s := w.reply, &w.sample
	out := p.runtime.NewObject()
	_ = out.Set("statusCode", r.Status)
	_ = out.Set("body", strings.ToValidUTF8(string(r.Body), "\uFFFD"))
	_ = out.Set("url", w.out.origin+string(w.out.target))
	headers := map[string][]string{}
	for name, value := range r.Fields() {
		key := strings.ToLower(string(name))
		headers[key] = append(headers[key], string(value))
	}
	all := p.runtime.NewObject()
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if name == "set-cookie" { // as in Node.js
			_ = all.Set(name, headers[name])
		} else {
			_ = all.Set(name, strings.Join(headers[name], ", "))
		}
	}
	_ = out.Set("headers", all)
	phases := p.runtime.NewObject()
	total := s.Done - s.Sent
	for _, phase := range []struct {
		name string
		took time.Duration
	}{
		{"wait", s.Sent - s.Began}, {"dns", r.Times.DNS}, {"tcp", r.Times.Connect}, {"tls", r.Times.TLS}, {"request", 0},
		{"firstByte", r.Times.FirstByte}, {"download", max(0, total-r.Times.FirstByte)}, {"total", total},
	} {
		_ = phases.Set(phase.name, float64(phase.took)/float64(time.Millisecond))
	}
	timings := p.runtime.NewObject()
	_ = timings.Set("phases", phases)
	_ = out.Set("timings", timings)
	return out
}

// failure returns why the flow did not end well, as an Error.
func (p *processor) failure(w *walk) goja.Value {
	why := w.user.failure.why
	e := p.runtime.NewGoError(errorText(why))
	_ = e.Set("message", why)
	_ = e.Set("code", why)
	return e
}

type errorText string

func (e errorText) Error() string { return string(e) }
