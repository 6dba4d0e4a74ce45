package scenarios

import (
	"fmt"
	"net/textproto"

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
		{"notStatusCode", optional, oneOrMore(wholeShape), "the status that it must not be, or several",
			func(p *parser, n *yaml.Node, e *Expect) {
				e.NotStatus = p.statuses(n)
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
		{"notHasProperty", optional, textShape, "a path in the JSON body where there is nothing",
			func(p *parser, n *yaml.Node, e *Expect) {
				if s := p.name(n, "notHasProperty"); s != "" {
					e.Contains = append(e.Contains, Check{Pos: p.pos(n), Kind: LacksProperty, Name: s})
				}
			}},
		{"equals", optional, listOf(templateShape), "texts that are all the same",
			func(p *parser, n *yaml.Node, e *Expect) {
				c := Check{Pos: p.pos(n), Kind: AllEqual}
				for _, item := range p.list(n, "equals") {
					value, _ := p.template(item, "equals")
					c.Values = append(c.Values, value)
				}
				if n.Kind == yaml.SequenceNode && len(c.Values) < 2 {
					p.at(n, "", "equals needs two values or more")
				}
				e.Contains = append(e.Contains, c)
			}},
		{"cdnHit", optional, truthShape, "whether the answer came from the cache of a content delivery network",
			func(p *parser, n *yaml.Node, e *Expect) {
				e.Contains = append(e.Contains, Check{Pos: p.pos(n), Kind: FromCache, Cached: p.truth(n, "cdnHit")})
			}},
		jmespath("jmespath", "an expression over the JSON body that yields something true, or `[expression, value]`"),
		jmespath("jpath", "the same as `jmespath`"),
		{"matchesRegexp", optional, templateShape, "a regular expression that matches the body",
			func(p *parser, n *yaml.Node, e *Expect) {
				c := Check{Pos: p.pos(n), Kind: MatchesRegexp}
				c.Value, _ = p.template(n, "matchesRegexp")
				e.Contains = append(e.Contains, c)
			}},
	},
}

// jmespath is a check by an expression.
func jmespath(name, doc string) key[Expect] {
	return key[Expect]{name, optional, shape{"a text, or a list of a text and a value", oneOrMore(textShape).schema}, doc,
		func(p *parser, n *yaml.Node, e *Expect) {
			items := oneOrList(n)
			if len(items) != 1 && len(items) != 2 {
				p.at(n, "write [expression, value]", "%s must be an expression, or a list of one and its value", name)
				return
			}
			c := Check{Pos: p.pos(n), Kind: JMESPath, Name: p.name(items[0], name)}
			if len(items) == 2 {
				c.Value, _ = p.template(items[1], "the value of "+name)
			}
			e.Contains = append(e.Contains, c)
		}}
}

// headerName reports a name no header can have.
func (p *parser) headerName(n *yaml.Node, s string) bool {
	if s != "" && !headerForm.MatchString(s) {
		p.at(n, "", "%s cannot be the name of a header", quote(s))
	}
	return s != ""
}

// onlyOnce are the checks of which a list has one at most: more could not hold together, or be one list.
var onlyOnce = []string{"statusCode", "notStatusCode", "contentType"}

func (p *parser) expect(n *yaml.Node, e *Expect) {
	e.Pos = p.pos(n)
	if n.Kind != yaml.SequenceNode {
		expectSection.read(p, n, e)
		return
	}
	first := set{}
	for _, item := range n.Content {
		for name, k := range expectSection.read(p, item, e) {
			if f := first[name]; f != nil && contains(onlyOnce, name) {
				p.at(k, fmt.Sprintf("first set on line %d", f.Line), "%q is set twice", name)
			}
			first[name] = k
		}
	}
}
