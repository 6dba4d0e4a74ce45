package scenarios

import (
	"fmt"
	"net/textproto"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

var expectSection = section[Expect]{
	name:  "expect",
	about: "What must hold for one answer: a mapping, or a list of mappings with one key each.",
	keys: []key[Expect]{
		{"statusCode", optional, oneOrMore(wholeShape), "the status, or several",
			func(p *parser, n *yaml.Node, e *Expect) {
				e.Status = p.statuses(n)
			}},
		{"contentType", optional, textShape, "`json`, or a media type",
			func(p *parser, n *yaml.Node, e *Expect) {
				e.ContentType = p.name(n, "contentType")
			}},
		{"hasHeader", optional, textShape, "a header that is there",
			func(p *parser, n *yaml.Node, e *Expect) {
				if s := p.name(n, "hasHeader"); p.headerName(n, s) {
					e.Contains = append(e.Contains,
						Check{Pos: p.pos(n), Kind: HasHeader, Name: textproto.CanonicalMIMEHeaderKey(s)})
				}
			}},
		{"headerEquals", optional, shape{"a list of a header and its value", map[string]any{
			"type": "array", "items": textShape.schema, "minItems": 2, "maxItems": 2}},
			"a header and the value it has", func(p *parser, n *yaml.Node, e *Expect) {
				if n.Kind != yaml.SequenceNode || len(n.Content) != 2 {
					p.at(n, "write [name, value]",
						"headerEquals must be a list of a header and its value")
					return
				}
				c := Check{Pos: p.pos(n), Kind: HeaderEquals}
				c.Name = textproto.CanonicalMIMEHeaderKey(p.name(n.Content[0], "a header"))
				p.headerName(n.Content[0], c.Name)
				c.Value, _ = p.template(n.Content[1], "a header's value")
				e.Contains = append(e.Contains, c)
			}},
		{"hasProperty", optional, textShape, "a path in the JSON body where there is something",
			func(p *parser, n *yaml.Node, e *Expect) {
				if s := p.name(n, "hasProperty"); s != "" {
					e.Contains = append(e.Contains, Check{Pos: p.pos(n), Kind: HasProperty, Name: s})
				}
			}},
		{"matchesRegexp", optional, templateShape, "a regular expression that matches the body",
			func(p *parser, n *yaml.Node, e *Expect) {
				c := Check{Pos: p.pos(n), Kind: MatchesRegexp}
				c.Value, _ = p.template(n, "matchesRegexp")
				if s, ok := c.Value.Literal(); ok {
					if _, err := regexp.Compile(s); err != nil {
						why := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
						p.at(n, "the syntax is that of RE2", "%s is not a regular expression: %s",
							quote(s), why)
					}
				}
				e.Contains = append(e.Contains, c)
			}},
	},
	later: []string{"notStatusCode", "notHasProperty", "equals", "cdnHit", "jmespath", "jpath"},
}

// headerName reports a name no header can have.
func (p *parser) headerName(n *yaml.Node, s string) bool {
	if s != "" && !headerForm.MatchString(s) {
		p.at(n, "", "%s cannot be the name of a header", quote(s))
	}
	return s != ""
}

func (p *parser) expect(n *yaml.Node, e *Expect) {
	e.Pos = p.pos(n)
	if n.Kind != yaml.SequenceNode {
		expectSection.read(p, n, e)
		return
	}
	first := set{}
	for _, item := range n.Content {
		for name, k := range expectSection.read(p, item, e) {
			if f := first[name]; f != nil && (name == "statusCode" || name == "contentType") {
				p.at(k, fmt.Sprintf("first set on line %d", f.Line), "%q is set twice", name)
			}
			first[name] = k
		}
	}
}
