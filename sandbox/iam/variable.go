package iam

import (
	"fmt"
	"strings"
)

// A policy variable, ${aws:username} or ${aws:username, 'nobody'}, stands in a Resource or a
// condition's value for what the request holds under that key. A request without it, and without a
// default, does not match. ${*}, ${?} and ${$} stand for these characters themselves. Policies of the
// old Version, 2008-10-17, have no variables; there the text is just text.

// literal, in a pattern, takes the special meaning from the character after it. It is no character of
// any policy: JSON with it is refused.
const literal = '\x00'

// variables reports whether a text has variables, and refuses one that does not end.
func variables(text string) (bool, error) {
	found := false
	for {
		_, rest, ok := strings.Cut(text, "${")
		if !ok {
			return found, nil
		}
		if _, text, ok = strings.Cut(rest, "}"); !ok {
			return false, fmt.Errorf("%w the variable %q has no end", errSyntax, "${"+rest)
		}
		found = true
	}
}

// expand replaces the variables of a text that variables has accepted. With pattern, characters that
// mean something in a pattern mean only themselves where they come from a variable. It returns false
// if the request lacks one of them.
func expand(text string, r *Request, pattern bool) (string, bool) {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "${")
		out.WriteString(before)
		if !ok {
			return out.String(), true
		}
		var name string
		name, text, _ = strings.Cut(rest, "}")
		value, ok := r.variable(name)
		if !ok {
			return "", false
		}
		for _, c := range value {
			if pattern && (c == '*' || c == '?' || c == literal) {
				out.WriteByte(literal)
			}
			out.WriteRune(c)
		}
	}
}

func (r *Request) variable(name string) (string, bool) {
	if name == "*" || name == "?" || name == "$" {
		return name, true
	}
	name, otherwise, withDefault := strings.Cut(name, ",")
	if have, ok := r.value(strings.ToLower(strings.TrimSpace(name))); ok && len(have) == 1 {
		return have[0], true
	}
	otherwise = strings.TrimSpace(otherwise)
	if n := len(otherwise); withDefault && n >= 2 && otherwise[0] == '\'' && otherwise[n-1] == '\'' {
		return otherwise[1 : n-1], true
	}
	return "", false
}

// userName returns the name, without its path, of the IAM user that an ARN names.
func userName(arn ARN) (string, bool) {
	rest, ok := strings.CutPrefix(arn.Resource, "user/")
	if !ok || arn.Service != "iam" {
		return "", false
	}
	return rest[strings.LastIndexByte(rest, '/')+1:], true
}
