package scenarios

import (
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

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
		{"form", optional, mapOf("names", templateShape), "the body as an HTML form has it; a list repeats its name",
			func(p *parser, n *yaml.Node, s *Step) {
				s.Body, s.HasBody = Template{Pos: p.pos(n)}, true
				s.Body.Parts, _ = p.pairs(n, "form")
				s.Body.Source = written(s.Body.Parts)
			}},
		{"formData", optional, mapOf("names", either(templateShape, to("part"))),
			"the body as an HTML form with files has it (`multipart/form-data`); a list repeats its name",
			func(p *parser, n *yaml.Node, s *Step) {
				s.Form = p.form(n)
			}},
		{"qs", optional, mapOf("names", templateShape), "names and values that are added to the query of the URL; a list repeats its name",
			func(p *parser, n *yaml.Node, s *Step) {
				p.query(n, &s.URL)
			}},
		{"cookie", optional, mapOf("names", templateShape), "cookies of this request, beside those that were set",
			func(p *parser, n *yaml.Node, s *Step) {
				s.Cookies = p.jar(n)
			}},
		{"auth", optional, to("auth"), "basic authentication", func(p *parser, n *yaml.Node, s *Step) {
			s.Auth = &Auth{Pos: p.pos(n)}
			authSection.read(p, n, s.Auth)
		}},
		{"followRedirect", optional, truthShape, "whether a redirect is followed; true unless told",
			func(p *parser, n *yaml.Node, s *Step) {
				s.Stay = !p.truth(n, "followRedirect")
			}},
		{"gzip", optional, truthShape, "whether a compressed answer is asked for; false unless told",
			func(p *parser, n *yaml.Node, s *Step) {
				s.Gzip = p.truth(n, "gzip")
			}},
		{"setContentLengthHeader", optional, truthShape, "has no meaning: the length of a body is always sent",
			func(p *parser, n *yaml.Node, _ *Step) {
				p.truth(n, "setContentLengthHeader")
			}},
		{"probability", optional, numberShape, "in how many of 100 cases the request is made; 100 unless told",
			func(p *parser, n *yaml.Node, s *Step) {
				f, ok := p.number(n, "probability")
				switch {
				case !ok:
					return
				case f > 100:
					p.at(n, "", "probability must be between 0 and 100, not %v", f)
				case f == 100:
					p.note(n, "probability", "probability: 100 is always; in Artillery, it is 99 times out of 100")
				}
				s.Skip = 1 - f/100
			}},
		{"ifTrue", optional, textShape, "an expression, or a function of the processor: the request is made if it is true",
			func(p *parser, n *yaml.Node, s *Step) {
				s.If, s.IfPos = p.condition(n), p.pos(n)
			}},
		{"beforeRequest", optional, oneOrMore(textShape), "functions of the processor that prepare the request",
			func(p *parser, n *yaml.Node, s *Step) {
				s.Before = p.functions(n, "beforeRequest")
			}},
		{"capture", optional, oneOrMore(to("capture")), "what is taken from the answer into variables",
			func(p *parser, n *yaml.Node, s *Step) {
				s.Capture = p.captures(n)
			}},
		{"match", optional, oneOrMore(to("match")), "an older way to check the answer",
			func(p *parser, n *yaml.Node, s *Step) {
				p.note(n, "match", "match is deprecated in Artillery; expect says what was not as expected")
				for _, item := range oneOrList(n) {
					s.Match = append(s.Match, p.capture(item, &matchSection))
				}
			}},
		{"expect", optional, to("expect"), "what must hold for the answer; any 2xx or 3xx unless told",
			func(p *parser, n *yaml.Node, s *Step) {
				p.expect(n, &s.Expect)
			}},
		{"afterResponse", optional, oneOrMore(textShape), "functions of the processor that look at the answer",
			func(p *parser, n *yaml.Node, s *Step) {
				s.After = p.functions(n, "afterResponse")
			}},
	},
}

// bodies are the keys that say what a request's body is, the one that counts first.
var bodies = []string{"json", "body", "form", "formData"}

const contentType = "Content-Type"

func (p *parser) request(n *yaml.Node, s *Step) {
	address := lookup(n, "url") // as it is written, without what qs adds
	given := requestSection.read(p, n, s)
	for i, a := range bodies {
		for _, b := range bodies[i+1:] {
			if given.has(a) && given.has(b) {
				p.exclude(given, a, b, "request")
				return
			}
		}
	}
	if s.Name == "" && address != nil {
		s.Name = s.Method + " " + address.Value
	}
	typed := func(h Header) bool { return h.Name == contentType }
	own := slices.ContainsFunc(s.Headers, typed)
	switch {
	case given.has("formData") && own:
		p.at(given["formData"], "remove the header", "the Content-Type of formData is its own: it says what is between the parts")
	case given.has("json") && !own && !slices.ContainsFunc(p.out.Config.HTTP.Headers, typed):
		s.Headers = append(s.Headers, plainHeader(p.pos(given["json"]), contentType, "application/json"))
	case given.has("form") && !own:
		s.Headers = append(s.Headers, plainHeader(p.pos(given["form"]), contentType, "application/x-www-form-urlencoded"))
	}
}

// plainHeader returns a header that is not in the script.
func plainHeader(at Pos, name, value string) Header {
	return Header{Pos: at, Name: name, Value: Template{Pos: at, Source: value, Parts: []Part{{Text: value}}}}
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
		if strings.Contains(k.Value, "{{") {
			p.at(k, "have a function of the processor set it before the request", "the name of a header cannot have holes")
			continue
		}
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
