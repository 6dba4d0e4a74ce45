package iam

import (
	"strings"
	"unicode/utf8"
)

// glob reports whether s matches pattern, in which * stands for any run of characters and ? for any
// one; after literal, they are themselves. With fold, ASCII letters match in either case. It takes at most
// len(pattern)×len(s) steps, because only the last * is ever tried again.
func glob(pattern, s string, fold bool) bool {
	if pattern == "*" {
		return true
	}
	var p, i int
	star, mark := -1, 0 // the last *, and where in s its run ends
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p+1 < len(pattern) && pattern[p] == literal:
			switch {
			case same(pattern[p+1], s[i], fold):
				p, i = p+2, i+1
			case star >= 0:
				mark++
				p, i = star+1, mark
			default:
				return false
			}
		case p < len(pattern) && pattern[p] == '?':
			_, n := utf8.DecodeRuneInString(s[i:])
			p, i = p+1, i+n
		case p < len(pattern) && same(pattern[p], s[i], fold):
			p, i = p+1, i+1
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func same(a, b byte, fold bool) bool {
	return a == b || fold && lower(a) == lower(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// arnLike matches an ARN part by part, as the Arn operators do: a * does not reach over a colon,
// except in the last part.
func arnLike(pattern, s string) bool {
	for range 5 {
		p, restP, okP := strings.Cut(pattern, ":")
		v, restV, okV := strings.Cut(s, ":")
		if !okP || !okV || !glob(p, v, false) {
			return false
		}
		pattern, s = restP, restV
	}
	return glob(pattern, s, false)
}
