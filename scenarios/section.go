package scenarios

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// A section is a mapping of the language: what it is called, and its keys. Everything that knows the
// language is made from sections: reading, the hints for unknown keys, Schema and Language.
type section[T any] struct {
	name  string   // as in `unknown key "x" in phase`
	about string   // for the page of the language
	keys  []key[T] // in the order they are documented and read
	later []string // keys of Artillery's, and of ours to come, that are known but not supported yet
	// refused are keys of Artillery's that nothing here stands for.
	refused []refusal
}

// A refusal is a key that is not supported, with what to do instead.
type refusal struct{ name, instead string }

// A key of a section.
type key[T any] struct {
	name  string
	need  bool // the section makes no sense without it
	shape shape
	doc   string // one line
	read  func(*parser, *yaml.Node, *T)
}

const required, optional = true, false

// A set tells which keys of a section were written, and where.
type set map[string]*yaml.Node

// has reports whether any of the keys was written.
func (s set) has(keys ...string) bool {
	for _, k := range keys {
		if s[k] != nil {
			return true
		}
	}
	return false
}

// read reads the mapping n into t. It reports keys that are unknown or missing and returns those that
// were there. Keys are read in the section's order, whatever the file's is.
func (s *section[T]) read(p *parser, n *yaml.Node, t *T) set {
	given, values := set{}, map[string]*yaml.Node{}
	if n.Kind != yaml.MappingNode {
		p.at(n, s.list(), "%s must be a mapping, not %s", s.name, kind(n))
		return given
	}
	known := map[string]bool{}
	var names []string
	for _, k := range s.keys {
		known[k.name] = true
		names = append(names, k.name)
	}
	guessed := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case known[k.Value]:
			given[k.Value], values[k.Value] = k, v
		case contains(s.later, k.Value):
			p.at(k, "", "%s is not supported yet in %s", quote(k.Value), s.name)
		case s.instead(k.Value) != "":
			p.at(k, s.instead(k.Value), "%s is not supported in %s", quote(k.Value), s.name)
		default:
			if g := suggest(k.Value, names); g != "" {
				guessed[g] = true
			}
			p.at(k, meant(k.Value, names, "known here:"), "unknown key %s in %s", quote(k.Value), s.name)
		}
	}
	for _, k := range s.keys {
		if given[k.name] != nil {
			k.read(p, values[k.name], t)
		} else if k.need && !guessed[k.name] {
			p.at(n, "", "%s needs %q", s.name, k.name)
		}
	}
	return given
}

// instead says what to do in place of a key that is refused; "" if it is none.
func (s *section[T]) instead(name string) string {
	for _, r := range s.refused {
		if r.name == name {
			return r.instead
		}
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// list is the hint for a value that should have been this section.
func (s *section[T]) list() string {
	var names []string
	for _, k := range s.keys {
		names = append(names, k.name)
	}
	return "known here: " + enumerate(names, "and")
}

// A row is a key without its type.
type row struct {
	name  string
	need  bool
	shape shape
	doc   string
}

// A page is a section without its type, for what only describes the language.
type page interface {
	title() string
	text() string
	rows() []row
	notYet() []string
	refusals() []refusal
}

func (s *section[T]) title() string       { return s.name }
func (s *section[T]) text() string        { return s.about }
func (s *section[T]) notYet() []string    { return s.later }
func (s *section[T]) refusals() []refusal { return s.refused }
func (s *section[T]) rows() (rows []row) {
	for _, k := range s.keys {
		rows = append(rows, row{k.name, k.need, k.shape, k.doc})
	}
	return rows
}

// A shape says what a value may look like: in words, and as a JSON Schema.
type shape struct {
	words  string
	schema map[string]any
}

var (
	textShape     = shape{"a text", map[string]any{"type": []string{"string", "number", "boolean"}}}
	templateShape = shape{"a text with `{{ holes }}`", textShape.schema}
	numberShape   = shape{"a number", amount("number", numberText)}
	wholeShape    = shape{"a whole number", amount("integer", `\+?\d+`)}
	durationShape = shape{"a duration", amount("number", numberText+"|"+durationText)}
	percentShape  = shape{"a number", amount("number", numberText+`%?`)}
	boundShape    = shape{"a number of milliseconds, or a duration", amount("number", numberText+"|"+durationText)}
	shareShape    = shape{"a share: 100%, 99.9% or 0.999", amount("number", numberText+`\s*%?`)}
	anyShape      = shape{"any value", map[string]any{}}
	truthShape    = shape{"`true` or `false`", map[string]any{"anyOf": []any{
		map[string]any{"type": "boolean"}, map[string]any{"type": "string", "pattern": `^(true|false)$|\{\{`}}}}
)

// numberText is what parseNumber takes, but for a sign that makes it negative.
const numberText = `\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?`

// durationText is what parseDuration takes besides numbers, but for what it knows of units.
const durationText = `((\d+\.?\d*|\.\d+)\s*[a-zA-Zµμ]+\s*)+`

// amount is the schema of something that is not negative: a number, or a text of this form, or one with
// a template in it.
func amount(kind, form string) map[string]any {
	return map[string]any{"type": []string{kind, "string"}, "minimum": 0,
		"pattern": `\{\{|^\s*(` + form + `)\s*$`}
}

// to is the shape of another section.
func to(name string) shape {
	return shape{fmt.Sprintf("[%s](#%s)", name, anchor(name)),
		map[string]any{"$ref": "#/$defs/" + anchor(name)}}
}

// orNothing is a shape that may be left out: "expect:" alone.
func orNothing(s shape) shape {
	return shape{s.words, map[string]any{"anyOf": []any{s.schema, map[string]any{"type": "null"}}}}
}

func listOf(s shape) shape {
	return shape{"a list, each " + s.words, map[string]any{"type": "array", "items": s.schema}}
}

func oneOrMore(s shape) shape {
	return shape{s.words + ", or a list of them", map[string]any{
		"anyOf": []any{s.schema, map[string]any{"type": "array", "items": s.schema, "minItems": 1}}}}
}

func mapOf(what string, s shape) shape {
	return shape{"a mapping from " + what + " to " + s.words,
		map[string]any{"type": "object", "additionalProperties": s.schema}}
}

func either(a, b shape) shape {
	return shape{a.words + ", or " + b.words, map[string]any{"anyOf": []any{a.schema, b.schema}}}
}

// wordOf is one of some words; a template may stand in their place.
func wordOf(words ...string) shape {
	quoted := ""
	for i, w := range words {
		if i > 0 {
			quoted += ", "
		}
		quoted += "`" + w + "`"
	}
	return shape{quoted, map[string]any{"anyOf": []any{
		map[string]any{"enum": words}, map[string]any{"type": "string", "pattern": `\{\{`}}}}
}
