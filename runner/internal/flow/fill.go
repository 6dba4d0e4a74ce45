package flow

import (
	"regexp"
	"strings"

	"loadkms/scenarios"
)

var (
	looseHole = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)
	looseCall = regexp.MustCompile(`^([\p{L}_$][\p{L}\p{N}_$.-]*)\s*\(\s*(.*?)\s*\)$`)
)

// fill returns s, a template that nobody knew when the script was compiled, with its holes filled. Variables
// of loops are not found, and what has no value is "undefined", as in Artillery.
func (w *walk) fill(s string, mode scenarios.Mode) string {
	if !strings.Contains(s, "{{") {
		return s
	}
	return fillHoles(s, mode, func(hole string, mode scenarios.Mode) (string, bool) {
		if p, ok := partOf(hole, mode); ok {
			t := text{[]part{p}}
			b, _ := t.render(w, nil, inLog)
			return string(b), true
		}
		v := w.named(hole)
		if !v.set {
			return "", false
		}
		return v.as(mode), true
	})
}

// fillHoles replaces the holes of s by what fill has for them. In JSON, a hole that is all of a text
// becomes a value of its own type.
func fillHoles(s string, mode scenarios.Mode, fill func(hole string, mode scenarios.Mode) (string, bool)) string {
	var out strings.Builder
	end := 0
	for _, at := range looseHole.FindAllStringSubmatchIndex(s, -1) {
		from, to := at[0], at[1]
		own := mode
		if mode == scenarios.JSONValue {
			if opens(s, from) && to < len(s) && s[to] == '"' {
				from, to = from-1, to+1
			} else {
				own = scenarios.JSONString
			}
		}
		filled, ok := fill(s[at[2]:at[3]], own)
		if !ok {
			if filled = "undefined"; own == scenarios.JSONValue {
				filled = "null"
			}
		}
		out.WriteString(s[end:from])
		out.WriteString(filled)
		end = to
	}
	out.WriteString(s[end:])
	return out.String()
}

// opens reports whether what comes before at in a JSON document is the quotation mark that opens a text.
func opens(s string, at int) bool {
	if at == 0 || s[at-1] != '"' {
		return false
	}
	slashes := 0
	for slashes < at-1 && s[at-2-slashes] == '\\' {
		slashes++
	}
	return slashes%2 == 0
}

// partOf returns the hole of a call, if s is one.
func partOf(s string, mode scenarios.Mode) (part, bool) {
	m := looseCall.FindStringSubmatch(s)
	if m == nil {
		return part{}, false
	}
	in := scenarios.Part{Call: m[1], Mode: mode}
	if m[2] != "" {
		for _, arg := range strings.Split(m[2], ",") {
			in.Args = append(in.Args, strings.Trim(strings.TrimSpace(arg), `'"`))
		}
	}
	p, problem := callPart(in)
	return p, problem == "" && p.hole != templateHole
}

// named returns the value of what a template calls name.
func (w *walk) named(name string) value {
	path := propertyPath(name)
	for _, x := range w.user.program.names {
		if x.name != path[0] {
			continue
		}
		for _, p := range x.parts {
			if rest, ok := cutPath(path[1:], p.path); ok {
				return w.value(p.ref).at(rest)
			}
		}
	}
	return value{}
}

// cutPath returns what comes after begin in path.
func cutPath(path, begin []string) ([]string, bool) {
	if len(begin) > len(path) {
		return nil, false
	}
	for i := range begin {
		if begin[i] != path[i] {
			return nil, false
		}
	}
	return path[len(begin):], true
}

// as returns v as it stands in its surroundings.
func (v value) as(mode scenarios.Mode) string {
	switch mode {
	case scenarios.JSONValue:
		return v.json
	case scenarios.JSONString:
		return string(appendJSON(nil, []byte(v.text)))
	case scenarios.FormString:
		return string(appendForm(nil, []byte(v.text)))
	}
	return v.text
}
