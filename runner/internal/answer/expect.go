package answer

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/jmespath/go-jmespath"

	"loadkms/scenarios"
)

// An Expectation is what must hold for an answer. It is made by [CompileExpect]; the zero value expects
// any 2xx or 3xx.
type Expectation struct {
	status      []int
	notStatus   []int
	contentType []byte // nil means any
	checks      []check
	body        bool
}

// A check is one condition on an answer besides its status and content type.
type check struct {
	kind     scenarios.CheckKind
	name     string // what the check is called when it fails
	header   string
	property property
	query    *jmespath.JMESPath
	pattern  *Finder // the whole match of a regular expression
	values   []operand
	cached   bool
}

// An operand is a text that is compared: fixed, or with holes.
type operand struct {
	fixed    string
	template *scenarios.Template // nil if fixed
}

// text returns the text, and false if a hole has no value.
func (o *operand) text(render func(*scenarios.Template) (string, bool)) (string, bool) {
	if o.template == nil {
		return o.fixed, true
	}
	return render(o.template)
}

// CompileExpect returns what e expects. An error says what is wrong with it, but not where it stands.
func CompileExpect(e scenarios.Expect) (*Expectation, error) {
	x := &Expectation{status: e.Status, notStatus: e.NotStatus}
	if e.ContentType != "" {
		x.contentType = []byte(e.ContentType)
		x.body = isJSONName(x.contentType)
	}
	for _, in := range e.Contains {
		c, err := compileCheck(in)
		if err != nil {
			return nil, err
		}
		x.checks = append(x.checks, c)
		switch in.Kind {
		case scenarios.HasProperty, scenarios.LacksProperty, scenarios.MatchesRegexp, scenarios.JMESPath:
			x.body = true
		}
	}
	return x, nil
}

func compileCheck(in scenarios.Check) (check, error) {
	c := check{kind: in.Kind, header: in.Name, cached: in.Cached}
	value := func(t scenarios.Template) {
		o := operand{template: &t}
		if text, ok := t.Literal(); ok {
			o = operand{fixed: text}
		}
		c.values = append(c.values, o)
	}
	var err error
	switch in.Kind {
	case scenarios.HasHeader:
		c.name = "hasHeader " + in.Name
	case scenarios.HeaderEquals:
		c.name = "headerEquals " + in.Name
		value(in.Value)
	case scenarios.HasProperty:
		c.name = "hasProperty " + in.Name
		c.property = compileProperty(in.Name)
	case scenarios.LacksProperty:
		c.name = "notHasProperty " + in.Name
		c.property = compileProperty(in.Name)
	case scenarios.MatchesRegexp:
		c.name = "matchesRegexp " + in.Value.Source
		value(in.Value)
		c.pattern, err = Compile(scenarios.Capture{From: scenarios.Regexp, Expr: in.Value})
	case scenarios.AllEqual:
		c.name = "equals"
		for _, v := range in.Values {
			value(v)
		}
	case scenarios.FromCache:
		c.name = "cdnHit"
	case scenarios.JMESPath:
		c.name = "jmespath " + in.Name
		if !in.Value.IsZero() {
			value(in.Value)
		}
		if c.query, err = jmespath.Compile(in.Name); err != nil {
			err = fmt.Errorf("%q is not a JMESPath expression: %w", in.Name, err)
		}
	default:
		err = fmt.Errorf("unknown check %d", in.Kind)
	}
	return c, err
}

// Body reports whether something of it looks at the body, which then must be kept whole.
func (x *Expectation) Body() bool { return x.body }

// Status reports whether s is a status that is expected. An expectation that says nothing about the status
// expects any 2xx or 3xx; one that only says which it must not be, any other.
func (x *Expectation) Status(s int) bool {
	switch {
	case slices.Contains(x.notStatus, s):
		return false
	case x.status != nil:
		return slices.Contains(x.status, s)
	case x.notStatus != nil:
		return true
	}
	return s >= 200 && s < 400
}

// Holds reports whether everything that is expected holds for an answer. Render fills a template, and
// reports false if a hole has no value: then the check that needs it does not hold.
func (x *Expectation) Holds(status int, d *Document, render func(*scenarios.Template) (string, bool)) bool {
	return x.Failed(status, d, render) == ""
}

// Failed returns what does not hold, the first if several do not, in the words of the language, such as
// "statusCode" or "hasProperty record.id"; "" if everything holds. The texts are the same ones for every
// answer: it allocates nothing for them.
func (x *Expectation) Failed(status int, d *Document, render func(*scenarios.Template) (string, bool)) string {
	if !x.Status(status) {
		if slices.Contains(x.notStatus, status) {
			return "notStatusCode"
		}
		return "statusCode"
	}
	if x.contentType != nil && !d.isOf(x.contentType) {
		return "contentType"
	}
	for i := range x.checks {
		if c := &x.checks[i]; !c.holds(d, render) {
			return c.name
		}
	}
	return ""
}

func isJSONName(contentType []byte) bool { return bytes.EqualFold(contentType, []byte("json")) }

// isOf reports whether the answer is of a content type: given with its parameters, or without them. "json"
// is every type that says it is, if the body is, too.
func (d *Document) isOf(want []byte) bool {
	got, ok := d.response.Header("Content-Type")
	if !ok {
		return false
	}
	if isJSONName(want) {
		return hasFold(got, want) && d.isJSON()
	}
	media, _, _ := bytes.Cut(got, []byte(";"))
	return bytes.EqualFold(got, want) || bytes.EqualFold(bytes.TrimRight(media, " \t"), want)
}

func (c *check) holds(d *Document, render func(*scenarios.Template) (string, bool)) bool {
	switch c.kind {
	case scenarios.HasHeader:
		_, ok := d.response.Header(c.header)
		return ok
	case scenarios.HeaderEquals:
		want, ok := c.values[0].text(render)
		if !ok {
			return false
		}
		for got := range d.response.Headers(c.header) {
			if string(got) == want {
				return true
			}
		}
		return false
	case scenarios.HasProperty:
		return c.property.in(d)
	case scenarios.LacksProperty:
		return d.isJSON() && !c.property.in(d) // what is no JSON at all is not as expected
	case scenarios.MatchesRegexp:
		m := c.pattern.fixed
		if m == nil {
			expr, ok := c.values[0].text(render)
			if !ok {
				return false
			}
			m = c.pattern.filled(expr)
		}
		g, ok := m.(grouped)
		return ok && g.pattern.matches(d.body)
	case scenarios.AllEqual:
		return c.allEqual(render)
	case scenarios.FromCache:
		return fromCache(d) == c.cached
	case scenarios.JMESPath:
		return c.queried(d, render)
	}
	return false
}

// allEqual reports whether all values are the same text.
func (c *check) allEqual(render func(*scenarios.Template) (string, bool)) bool {
	var first string
	for i := range c.values {
		text, ok := c.values[i].text(render)
		switch {
		case !ok:
			return false
		case i == 0:
			first = text
		case text != first:
			return false
		}
	}
	return true
}

// cacheHeaders are those in which content delivery networks say where an answer came from: CloudFront,
// Fastly and Akamai; Cloudflare; nginx; Vercel; Netlify and others (RFC 9211).
var cacheHeaders = []string{"X-Cache", "CF-Cache-Status", "X-Cache-Status", "X-Vercel-Cache", "Cache-Status"}

// fromCache reports whether a cache says that the answer came from it. One that says nothing did not.
func fromCache(d *Document) bool {
	for _, name := range cacheHeaders {
		for value := range d.response.Headers(name) {
			if hasFold(value, []byte("hit")) {
				return true
			}
		}
	}
	return false
}

// queried reports whether the JMESPath yields the value that is expected or, without one, something that
// is true in its own terms: not false, null or empty.
func (c *check) queried(d *Document, render func(*scenarios.Template) (string, bool)) (holds bool) {
	tree, ok := d.floats()
	if !ok {
		return false
	}
	defer func() {
		if recover() != nil { // the library does not promise that no body makes it panic
			holds = false
		}
	}()
	got, err := c.query.Search(tree)
	if err != nil {
		return false // such as the length of a number
	}
	if len(c.values) == 0 {
		return isTrue(got)
	}
	want, ok := c.values[0].text(render)
	return ok && valueOf(got).Text == want
}

func isTrue(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// A property is a path into JSON as lodash has it: a.b[0].c and a.b.0.c are the same.
type property struct {
	place place
	whole place // the path as one name, which is looked for, too; nil if it is the same
	of    place // whose length it is; nil if it is none
}

func compileProperty(path string) property {
	names := propertyNames(path)
	p := property{place: placeOf(names)}
	if len(names) != 1 || names[0] != path {
		p.whole = placeOf([]string{path})
	}
	if n := len(names) - 1; n >= 0 && names[n] == "length" {
		p.of = p.place[:n:n]
	}
	return p
}

// propertyNames cuts a path as lodash does.
func propertyNames(path string) []string {
	var names []string
	for rest := path; rest != ""; {
		switch {
		case rest[0] == '[':
			inside, after, ok := cutBracket(rest)
			if !ok {
				return append(names, rest)
			}
			if name, quoted := quotedName(inside); quoted {
				inside = name
			}
			names, rest = append(names, inside), strings.TrimPrefix(after, ".")
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			names, rest = append(names, rest[:end]), strings.TrimPrefix(rest[end:], ".")
		}
	}
	return names
}

// in reports whether the body is JSON that has the property. One that is null is there.
func (p *property) in(d *Document) bool {
	if _, ok := d.at(p.place); ok && len(p.place) > 0 {
		return true
	}
	if p.whole != nil {
		if _, ok := d.at(p.whole); ok {
			return true
		}
	}
	if p.of != nil {
		part, ok := d.at(p.of)
		return ok && (part[0] == '[' || part[0] == '"')
	}
	return false
}
