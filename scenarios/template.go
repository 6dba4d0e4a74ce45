package scenarios

import (
	"fmt"
	"strings"
)

// A Template is text with holes, compiled when the script was parsed. Rendering it is a walk over
// its parts; nothing is parsed again.
type Template struct {
	Pos
	Source string // as written
	Parts  []Part
}

// A Part is literal text, or one hole.
type Part struct {
	Text string // used if Call and Var are empty
	Var  string // a variable's name, dotted path included: "firstName", "stack.mainKeyID"
	Call string // a function's name, dollar sign included: "$sequence"
	Args []string
	Mode Mode
}

// A Mode says how a hole's value is written into its surroundings.
type Mode uint8

// The modes.
const (
	Plain      Mode = iota // as text
	JSONValue              // as a JSON value of its own type: the hole is the whole value
	JSONString             // as text inside a JSON string, escaped
	FormString             // as text in a query or an application/x-www-form-urlencoded body, escaped
)

// Literal returns the template's text and true if it has no holes.
func (t Template) Literal() (string, bool) {
	var b strings.Builder
	for _, p := range t.Parts {
		if p.Var != "" || p.Call != "" {
			return "", false
		}
		b.WriteString(p.Text)
	}
	return b.String(), true
}

// IsZero reports whether the template was not written at all.
func (t Template) IsZero() bool { return t.Source == "" && len(t.Parts) == 0 }

// Expand returns the template's text, with the value lookup has for every hole. It is for templates
// filled before the run, such as the targets of faults; a hole lookup does not know, and a call of a
// function, are errors that end with the template's place.
func (t Template) Expand(lookup func(name string) (string, bool)) (string, error) {
	var b strings.Builder
	for _, p := range t.Parts {
		switch {
		case p.Call != "":
			return "", fmt.Errorf("%s cannot be called here, at %s", p.Call, t.Pos)
		case p.Var != "":
			s, ok := lookup(p.Var)
			if !ok {
				return "", fmt.Errorf("%q has no value, at %s", p.Var, t.Pos)
			}
			b.WriteString(s)
		default:
			b.WriteString(p.Text)
		}
	}
	return b.String(), nil
}
