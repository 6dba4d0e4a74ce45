package scenarios

import (
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// A captureDraft is a capture, or a match, while its keys are read.
type captureDraft struct {
	Match
	strict bool
}

// extractors are the keys of which a capture has exactly one.
var extractors = []string{"json", "xpath", "regexp", "header", "selector"}

// extractor is the key of one way to find a part of an answer.
func extractor(name string, from Extractor, doc string) key[captureDraft] {
	return key[captureDraft]{name, optional, templateShape, doc,
		func(p *parser, n *yaml.Node, d *captureDraft) {
			d.From = from
			var ok bool
			if d.Expr, ok = p.template(n, name); !ok {
				return
			}
			switch text, plain := d.Expr.Literal(); {
			case plain && strings.TrimSpace(text) == "":
				p.at(n, "", "%s must not be empty", name)
			case plain && from == HeaderValue:
				p.headerName(n, text)
				d.Expr.Parts = []Part{{Text: textproto.CanonicalMIMEHeaderKey(text)}}
			}
		}}
}

// extraction returns the keys that say which part of an answer is meant.
func extraction() []key[captureDraft] {
	return []key[captureDraft]{
		extractor("json", JSONPath, "a JSONPath into the body; of several results, any one is taken"),
		extractor("xpath", XPath, "an XPath into the body"),
		extractor("regexp", Regexp, "a regular expression over the body, in JavaScript's syntax"),
		extractor("header", HeaderValue, "the name of a header"),
		extractor("selector", Selector, "a CSS selector into the body"),
		{"group", optional, textShape, "of `regexp`: the number or the name of the group that is meant; the whole match unless told",
			func(p *parser, n *yaml.Node, d *captureDraft) {
				d.Group = p.name(n, "group")
			}},
		{"flags", optional, textShape, "of `regexp`: JavaScript's flags, such as `i`",
			func(p *parser, n *yaml.Node, d *captureDraft) {
				d.Flags = p.name(n, "flags")
				if i := strings.IndexFunc(d.Flags, func(r rune) bool { return !strings.ContainsRune("dgimsuvy", r) }); i >= 0 {
					p.at(n, "known here: d, g, i, m, s, u, v and y", "unknown flag %s", quote(d.Flags[i:]))
				}
			}},
		{"attr", optional, textShape, "of `selector`: the attribute that is meant; the text unless told",
			func(p *parser, n *yaml.Node, d *captureDraft) {
				d.Attr = p.name(n, "attr")
			}},
		{"index", optional, shape{"a number from 0, `first`, `last` or `random`", either(wholeShape, wordOf("first", "last", "random")).schema},
			"of `selector`, `xpath` and `json`: which of several results is meant",
			func(p *parser, n *yaml.Node, d *captureDraft) {
				d.Index = p.name(n, "index")
				if i, err := strconv.Atoi(d.Index); d.Index != "" && (err != nil || i < 0) &&
					!contains([]string{"first", "last", "random"}, d.Index) {
					p.bad(n, d.Index, "write a number from 0, first, last or random", "an index")
				}
			}},
		{"multiple", optional, truthShape, "of `json`: `false` takes all results, as a list; `true`, the default, takes one of them",
			func(p *parser, n *yaml.Node, d *captureDraft) {
				one := p.truth(n, "multiple")
				if one {
					p.note(n, "multiple", "multiple: true takes one of several results, as in Artillery; multiple: false takes all of them")
				}
				d.Multiple = !one
			}},
		{"strict", optional, truthShape,
			"whether the request fails if nothing is found; yes unless told, or `config.http.defaults.strictCapture` says otherwise",
			func(p *parser, n *yaml.Node, d *captureDraft) {
				d.strict = p.truth(n, "strict")
			}},
	}
}

var captureSection = section[captureDraft]{
	name:  "capture",
	about: "Takes a part of an answer into a variable. Exactly one of `json`, `xpath`, `regexp`, `header` and `selector` is required.",
	keys: append(extraction(),
		key[captureDraft]{"as", required, textShape, "the variable",
			func(p *parser, n *yaml.Node, d *captureDraft) {
				d.As = p.variableName(n)
			}}),
}

var matchSection = section[captureDraft]{
	name: "match",
	about: "Compares a part of an answer with a text; if they differ, the request fails. `expect` is the newer way. " +
		"Exactly one of `json`, `xpath`, `regexp`, `header` and `selector` is required.",
	keys: append(extraction(),
		key[captureDraft]{"value", required, templateShape, "what the part must be",
			func(p *parser, n *yaml.Node, d *captureDraft) {
				d.Value, _ = p.template(n, "value")
			}}),
}

// capture reads a capture, or a match, as s has it.
func (p *parser) capture(n *yaml.Node, s *section[captureDraft]) Match {
	d := captureDraft{Match: Match{Capture: Capture{Pos: p.pos(n)}}}
	var given set
	clean := p.clean(func() { given = s.read(p, n, &d) })
	d.Strict = d.strict || !given.has("strict") && !p.out.Config.HTTP.LaxCapture
	if !given.has(extractors...) {
		if clean {
			p.at(n, "", "%s needs one of %s", s.name, enumerate(extractors, "or"))
		}
		return d.Match
	}
	first := ""
	for _, name := range extractors {
		switch {
		case !given.has(name):
		case first == "":
			first = name
		default:
			p.exclude(given, first, name, s.name)
			return d.Match
		}
	}
	for name, of := range map[string]string{"group": "regexp", "flags": "regexp", "attr": "selector",
		"index": "selector xpath json", "multiple": "json"} {
		if given.has(name) && !contains(strings.Fields(of), first) {
			p.at(given[name], "", "%q goes with %s only, not with %s", name, enumerate(strings.Fields(of), "and"), first)
		}
	}
	if given.has("multiple") && given.has("index") && d.Multiple {
		p.exclude(given, "multiple", "index", s.name)
	}
	// A path that leads to one place has one result: to take all of them is to take that one.
	d.Multiple = d.Multiple && hasSeveral(d.Expr.Source)
	return d.Match
}

var quotedNames = regexp.MustCompile(`'[^']*'|"[^"]*"`)

// hasSeveral reports whether a JSONPath may have several results: it has a wildcard, a descent, a filter, a
// slice or a union.
func hasSeveral(path string) bool {
	path = quotedNames.ReplaceAllString(path, "")
	return strings.ContainsAny(path, "*?:,") || strings.Contains(path, "..")
}

// captures reads a capture or a list of them. What they capture is known from here on.
func (p *parser) captures(n *yaml.Node) (all []Capture) {
	for _, item := range oneOrList(n) {
		all = append(all, p.capture(item, &captureSection).Capture)
	}
	for _, c := range all {
		if c.As != "" {
			p.captured[c.As] = true
		}
	}
	if n.Kind == yaml.SequenceNode && len(all) == 0 {
		p.at(n, "", "the list of captures is empty")
	}
	return all
}

// capturedIn adds the variables that steps in n capture, before they are read: steps of a loop and steps
// side by side may use what later ones capture.
func capturedIn(n *yaml.Node, names map[string]bool) {
	if n == nil {
		return
	}
	if n.Kind == yaml.MappingNode {
		if list := lookup(n, "capture"); list != nil {
			for _, item := range oneOrList(list) {
				if as := lookup(item, "as"); as != nil && as.Kind == yaml.ScalarNode {
					names[as.Value] = true
				}
			}
		}
	}
	for _, c := range n.Content {
		capturedIn(c, names)
	}
}
