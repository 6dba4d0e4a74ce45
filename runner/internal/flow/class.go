package flow

import (
	"bytes"
	"net/http"
	"slices"

	"loadkms/result"
	"loadkms/runner/internal/answer"
	"loadkms/runner/internal/client"
	"loadkms/scenarios"
)

// A find takes a part of an answer into a variable, or compares it with a text.
type find struct {
	finder *answer.Finder
	expr   text // of an expression with holes
	strict bool
	as     *variable // nil: it is compared with value
	value  text
}

// A templateKey knows a template of an expectation again.
type templateKey struct {
	at     scenarios.Pos
	source string
}

// looks compiles what st wants to know about its answer.
func (c *compiler) looks(st *scenarios.Step, o *requestOp) {
	var err error
	if o.expect, err = answer.CompileExpect(st.Expect); err != nil {
		at := st.Expect.Pos
		for _, k := range st.Expect.Contains {
			if _, wrong := answer.CompileExpect(scenarios.Expect{Contains: []scenarios.Check{k}}); wrong != nil {
				at = k.Pos
				break
			}
		}
		c.problem(at, "", "%v", err)
		o.expect = &answer.Expectation{}
	}
	o.rendered = map[templateKey]text{}
	for _, k := range st.Expect.Contains {
		for _, t := range append([]scenarios.Template{k.Value}, k.Values...) {
			if _, plain := t.Literal(); !plain {
				o.rendered[templateKey{t.Pos, t.Source}] = c.text(t)
			}
		}
	}
	o.body = o.expect.Body() || o.after
	add := func(in *scenarios.Capture, f find) {
		if f.finder, err = answer.Compile(*in); err != nil {
			c.problem(in.Pos, "", "%v", err)
			return
		}
		if _, plain := in.Expr.Literal(); !plain {
			f.expr = c.text(in.Expr)
		}
		o.body = o.body || f.finder.Body()
		o.finds = append(o.finds, f)
	}
	for i := range st.Capture {
		in := &st.Capture[i]
		add(in, find{strict: in.Strict, as: c.declare(in.As)})
	}
	for i := range st.Match {
		in := &st.Match[i]
		add(&in.Capture, find{strict: in.Strict, value: c.text(in.Value)})
	}
	o.looks = st.Expect.ContentType != "" || len(st.Expect.Contains)+len(o.finds) > 0
}

// classify returns the class of a complete answer: OK if its status is good, every check holds and
// everything is found that must be; else what the script's rules say, in their order; else what the
// built-in rules say. Variables are set if everything is found that is to be captured, and none otherwise.
func (w *walk) classify(o *requestOp, a *client.Response) result.Class {
	good := o.expect.Status(a.Status)
	if err := w.plain(a); err != nil && good && o.body {
		w.why = err.Error()
		return result.BadResponse
	}
	if good && (!o.looks || w.satisfied(o, a)) {
		return result.OK
	}
	for i := range w.user.program.classify {
		r := &w.user.program.classify[i]
		if (r.Status == nil || slices.Contains(r.Status, a.Status)) && bytes.Contains(a.Body, []byte(r.Contains)) {
			return r.Class
		}
	}
	if good {
		return result.CheckFailed
	}
	return builtIn(a.Status, a.Body)
}

// satisfied reports whether the answer is all that o wants, and sets what it captures.
func (w *walk) satisfied(o *requestOp, a *client.Response) bool {
	w.document.Reset(a, a.Body)
	w.found = w.found[:0]
	for i := range o.finds {
		if f := &o.finds[i]; f.as != nil {
			v, ok := w.find(f)
			if !ok {
				w.why = "nothing found to capture as " + f.as.name
				return false
			}
			w.found = append(w.found, v)
		}
	}
	// Checks may be about what was captured, so that comes first.
	for i, v := range w.found { // captures come before matches
		w.set(o.finds[i].as, v)
	}
	for i := range o.finds[len(w.found):] {
		if _, ok := w.find(&o.finds[len(w.found)+i]); !ok {
			w.why = "no match"
			return false
		}
	}
	w.why = o.expect.Failed(a.Status, &w.document, w.renders)
	return w.why == ""
}

// find returns what f finds, and whether that is as it must be.
func (w *walk) find(f *find) (value, bool) {
	expr := ""
	if len(f.expr.parts) > 0 {
		var ok bool
		if w.expr, ok = f.expr.render(w, w.expr[:0], asIs); !ok {
			return value{}, !f.strict
		}
		expr = string(w.expr)
	}
	v, ok := f.finder.Find(&w.document, expr, w.dice)
	if !ok {
		return value{}, !f.strict
	}
	if f.as == nil {
		w.expr, ok = f.value.render(w, w.expr[:0], asIs)
		return value{}, ok && v.Text == string(w.expr) || !f.strict
	}
	return value{true, v.Text, v.JSON}, true
}

// rendersOf renders a template of the present expectation.
func (w *walk) rendersOf(t *scenarios.Template) (string, bool) {
	x, ok := w.op().request.rendered[templateKey{t.Pos, t.Source}]
	if !ok {
		return "", false
	}
	b, ok := x.render(w, nil, asIs)
	return string(b), ok
}

// signs are what bodies of failed requests say, the most telling first. The texts are those of QLDB,
// KMS, IAM and API Gateway.
var signs = []struct {
	text  []byte
	class result.Class
}{
	{[]byte("does not have grant access on the AWS KMS customer managed key"), result.KeyInaccessible},
	{[]byte("AccessDeniedException"), result.AccessDenied},
	{[]byte("do not have permissions to use the customer managed KMS key"), result.AccessDenied},
	{[]byte("does not have permissions to use the customer managed KMS key"), result.AccessDenied},
	{[]byte("not authorized to perform"), result.AccessDenied},
	{[]byte("is pending deletion"), result.KeyPendingDeletion},
	{[]byte("DisabledException"), result.KeyDisabled},
	{[]byte("is disabled"), result.KeyDisabled},
	{[]byte("ThrottlingException"), result.Throttled},
	{[]byte("Too Many Requests"), result.Throttled},
	{[]byte("Record Not Found Error"), result.NotFound},
}

// builtIn returns the class of an answer whose status is not what was expected.
func builtIn(status int, body []byte) result.Class {
	if status < 400 {
		return result.CheckFailed // a good answer, but not the one the script wants
	}
	for i := range signs {
		if bytes.Contains(body, signs[i].text) {
			return signs[i].class
		}
	}
	switch {
	case status == http.StatusForbidden:
		return result.AccessDenied
	case status == http.StatusTooManyRequests:
		return result.Throttled
	case status == http.StatusNotFound:
		return result.NotFound
	case status < 500:
		return result.ClientError
	}
	return result.ServerError
}
