package scenarios

import (
	"fmt"
	"math"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// methods are the steps that send a request.
var methods = []string{"get", "post", "put", "patch", "delete", "head", "options"}

var stepSection = section[Step]{
	name:  "step",
	about: "One entry of a flow. It has exactly one key.",
	keys:  append(requestKeys(), otherSteps...),
	later: []string{"loop", "parallel"},
}

func requestKeys() (keys []key[Step]) {
	for _, m := range methods {
		keys = append(keys, key[Step]{m, optional, to("request"),
			"sends a " + strings.ToUpper(m) + " request", func(p *parser, n *yaml.Node, s *Step) {
				s.Kind, s.Method = Request, strings.ToUpper(m)
				p.request(n, s)
			}})
	}
	return keys
}

var otherSteps = []key[Step]{
	{"think", optional, durationShape, "pauses", func(p *parser, n *yaml.Node, s *Step) {
		s.Kind = Think
		var ok bool
		if s.Pause, ok = p.duration(n, "think"); !ok {
			return
		}
		if text, _ := p.text(n, "think"); strings.Contains(text, ".") {
			if f, isNumber := parseNumber(text); isNumber && f != math.Trunc(f) {
				p.note(n, "think", "think: %s is %s; Artillery takes fractions for milliseconds", text,
					words(s.Pause))
			}
		}
	}},
	{"log", optional, templateShape, "prints a line", func(p *parser, n *yaml.Node, s *Step) {
		s.Kind = Log
		s.Text, _ = p.template(n, "log")
	}},
	{"function", optional, textShape, "calls a function of the processor",
		func(p *parser, n *yaml.Node, s *Step) {
			s.Kind = Function
			s.Func = p.name(n, "function")
			if !p.processor {
				p.at(n, "name its file in config.processor",
					"the function %s has no processor to be in", quote(s.Func))
			}
		}},
}

func (p *parser) step(n *yaml.Node) Step {
	s := Step{Pos: p.pos(n)}
	if n.Kind != yaml.MappingNode {
		p.at(n, "write one of: "+enumerate(stepNames(), "or"),
			"a step must be a mapping with one key, not %s", kind(n))
		return s
	}
	if len(n.Content) == 0 {
		p.at(n, "write one of: "+enumerate(stepNames(), "or"), "a step must have one key")
		return s
	}
	for i := 0; i < len(n.Content); i += 2 {
		if contains(stepSection.later, n.Content[i].Value) {
			// Whatever stands beside it (count, over) belongs to it.
			n = &yaml.Node{Kind: n.Kind, Content: n.Content[i : i+2], Line: n.Line, Column: n.Column}
			break
		}
	}
	if len(n.Content) > 2 {
		first, second := n.Content[0], n.Content[2]
		hint := `begin each step with "- "`
		if isNull(n.Content[1]) || contains(requestNames(), second.Value) {
			hint = "indent what belongs to " + quote(first.Value) + " below it"
		}
		p.at(second, hint, "a step has one key, and this one has %s and %s",
			quote(first.Value), quote(second.Value))
		return s
	}
	stepSection.read(p, n, &s)
	return s
}

func stepNames() []string {
	names := slices.Clone(methods)
	for _, k := range otherSteps {
		names = append(names, k.name)
	}
	return names
}

func requestNames() (names []string) {
	for _, k := range requestSection.keys {
		names = append(names, k.name)
	}
	return names
}

var requestSection = section[Step]{
	name:  "request",
	about: "One HTTP exchange.",
	keys: []key[Step]{
		{"url", required, templateShape, "a path below config.target, or a whole URL",
			func(p *parser, n *yaml.Node, s *Step) {
				var ok bool
				if s.URL, ok = p.template(n, "url"); !ok {
					return
				}
				if u := s.URL.Source; !strings.HasPrefix(u, "/") && !strings.HasPrefix(u, "http://") &&
					!strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "{{") {
					p.at(n, fmt.Sprintf("write %s", quote("/"+u)),
						`url must begin with "/", "http://" or "https://", and %s does not`, quote(u))
				}
				for _, part := range s.URL.Parts {
					if strings.ContainsAny(part.Text, " \t\r\n") {
						p.at(n, "write %20 for a blank", "url must not contain blanks")
						break
					}
				}
			}},
		{"name", optional, textShape, "for reports; method and URL as written unless told",
			func(p *parser, n *yaml.Node, s *Step) {
				s.Name = p.name(n, "name")
			}},
		{"headers", optional, mapOf("names", templateShape), "headers of this request",
			func(p *parser, n *yaml.Node, s *Step) {
				s.Headers = p.headers(n)
			}},
		{"json", optional, anyShape, "the body as a JSON value; its texts may have `{{ holes }}`, and a text that is one hole " +
			"keeps the hole's type",
			func(p *parser, n *yaml.Node, s *Step) {
				s.Body, s.HasBody = p.jsonBody(n), true
			}},
		{"body", optional, templateShape, "the body as text",
			func(p *parser, n *yaml.Node, s *Step) {
				if n.Kind != yaml.ScalarNode {
					p.at(n, `write "json" for a JSON value`, "body must be a text, not %s", kind(n))
					return
				}
				s.Body, s.HasBody = Template{}, true
				s.Body, _ = p.template(n, "body")
			}},
		{"expect", optional, to("expect"), "what must hold for the answer; any 2xx or 3xx unless told",
			func(p *parser, n *yaml.Node, s *Step) {
				p.expect(n, &s.Expect)
			}},
	},
	later: []string{"capture", "match", "form", "formData", "qs", "cookie", "auth", "followRedirect",
		"gzip",
		"setContentLengthHeader", "beforeRequest", "afterResponse", "ifTrue", "probability"},
}

func (p *parser) request(n *yaml.Node, s *Step) {
	given := requestSection.read(p, n, s)
	if given.has("json") && given.has("body") {
		p.exclude(given, "json", "body", "request")
	}
	if s.Name == "" {
		s.Name = s.Method + " " + s.URL.Source
	}
	const contentType = "Content-Type"
	typed := func(h Header) bool { return h.Name == contentType }
	if given.has("json") && !slices.ContainsFunc(s.Headers,
		typed) && !slices.ContainsFunc(p.out.Config.HTTP.Headers, typed) {
		pos := p.pos(given["json"])
		s.Headers = append(s.Headers, Header{Pos: pos, Name: contentType,
			Value: Template{Pos: pos, Source: "application/json",
				Parts: []Part{{Text: "application/json"}}}})
	}
}

var headerForm = regexp.MustCompile("^[0-9A-Za-z!#$%&'*+.^_`|~-]+$")

// headers reads a mapping of headers.
func (p *parser) headers(n *yaml.Node) (headers []Header) {
	if n.Kind != yaml.MappingNode {
		p.at(n, "", "headers must be a mapping from names to values, not %s", kind(n))
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !headerForm.MatchString(k.Value) {
			p.at(k, "", "%s cannot be the name of a header", quote(k.Value))
			continue
		}
		h := Header{Pos: p.pos(k), Name: textproto.CanonicalMIMEHeaderKey(k.Value)}
		h.Value, _ = p.template(v, "a header")
		for _, part := range h.Value.Parts {
			if strings.ContainsAny(part.Text, "\r\n\x00") {
				p.at(v, "", "a header must be one line")
				break
			}
		}
		if j := slices.IndexFunc(headers, func(o Header) bool { return o.Name == h.Name }); j >= 0 {
			p.at(k, "capitals make no difference in headers",
				"the header %s is set twice, first on line %d", quote(h.Name), headers[j].Line)
			continue
		}
		headers = append(headers, h)
	}
	return headers
}
