package partiql

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	endToken tokenKind = iota
	wordToken
	quotedToken // "name"
	textToken   // 'text'
	numberToken
	ionToken // `ion`
	signToken
)

// A token's text is what it means: a quoted name without its quotes.
type token struct {
	kind   tokenKind
	offset int
	end    int
	text   string
	upper  string // of a word, so that keywords compare quickly
}

// signs, the longer ones first.
var signs = []string{
	"<<", ">>", "<=", ">=", "<>", "!=", "||",
	"(", ")", "[", "]", "{", "}", ",", ".", ":", "?", "*", "+", "-", "/", "%", "=", "<", ">", "@", ";",
}

// lex cuts a statement into tokens. The last one is an endToken.
func lex(s string) ([]token, *SyntaxError) {
	var tokens []token
	for p := 0; ; {
		var err *SyntaxError
		if p, err = skipSpace(s, p); err != nil {
			return nil, err
		}
		if p >= len(s) {
			return append(tokens, token{kind: endToken, offset: len(s), end: len(s)}), nil
		}
		t := token{offset: p}
		switch c := s[p]; {
		case isLetter(c):
			for t.end = p + 1; t.end < len(s) && (isLetter(s[t.end]) || isDigit(s[t.end])); t.end++ {
			}
			t.kind, t.text = wordToken, s[p:t.end]
			t.upper = strings.ToUpper(t.text)
		case c == '"' || c == '\'':
			t.kind = textToken
			if c == '"' {
				t.kind = quotedToken
			}
			if t.text, t.end = unquote(s, p); t.end < 0 {
				return nil, syntaxError(s, p, s[p:], "the quotation is not closed")
			}
		case c == '`':
			t.kind = ionToken
			end := ionEnd(s, p+1)
			if end < 0 {
				return nil, syntaxError(s, p, s[p:], "the backtick is not closed")
			}
			t.text, t.end = s[p+1:end], end+1
		case isDigit(c) || c == '.' && p+1 < len(s) && isDigit(s[p+1]):
			t.kind, t.end = numberToken, numberEnd(s, p)
			t.text = s[p:t.end]
			if t.end < len(s) && isLetter(s[t.end]) {
				return nil, syntaxError(s, p, s[p:t.end+1], "not a number")
			}
		default:
			for _, sign := range signs {
				if strings.HasPrefix(s[p:], sign) {
					t.kind, t.text, t.end = signToken, sign, p+len(sign)
					break
				}
			}
			if t.kind != signToken {
				_, size := utf8.DecodeRuneInString(s[p:])
				return nil, syntaxError(s, p, s[p:p+size], "no statement has this character here")
			}
		}
		tokens = append(tokens, t)
		p = t.end
	}
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '$' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// skipSpace also skips comments: -- to the end of the line, and /* … */.
func skipSpace(s string, p int) (int, *SyntaxError) {
	for p < len(s) {
		switch {
		case s[p] == ' ' || s[p] == '\t' || s[p] == '\n' || s[p] == '\r':
			p++
		case strings.HasPrefix(s[p:], "--"):
			n := strings.IndexByte(s[p:], '\n')
			if n < 0 {
				return len(s), nil
			}
			p += n
		case strings.HasPrefix(s[p:], "/*"):
			n := strings.Index(s[p+2:], "*/")
			if n < 0 {
				return p, syntaxError(s, p, s[p:], "the comment is not closed")
			}
			p += n + 4
		default:
			return p, nil
		}
	}
	return p, nil
}

// unquote reads what is between the quotation mark at p and its next single occurrence; two of them
// mean one. The end is below zero if there is none.
func unquote(s string, p int) (text string, end int) {
	mark := s[p]
	start := p + 1
	for end = start; end < len(s); end++ {
		if s[end] != mark {
			continue
		}
		if end+1 < len(s) && s[end+1] == mark {
			end++
			continue
		}
		m := string(mark)
		return strings.ReplaceAll(s[start:end], m+m, m), end + 1
	}
	return "", -1
}

// ionEnd finds the backtick that ends an Ion literal: one which is not within a quotation of Ion's.
func ionEnd(s string, p int) int {
	for p < len(s) {
		c := s[p]
		switch {
		case c == '`':
			return p
		case strings.HasPrefix(s[p:], "'''"):
			n := strings.Index(s[p+3:], "'''")
			if n < 0 {
				return -1
			}
			p += n + 6
		case c == '"' || c == '\'':
			for p++; p < len(s) && s[p] != c; p++ {
				if s[p] == '\\' {
					p++
				}
			}
			p++
		default:
			p++
		}
	}
	return -1
}

func numberEnd(s string, p int) int {
	digits := func() {
		for p < len(s) && isDigit(s[p]) {
			p++
		}
	}
	digits()
	if p < len(s) && s[p] == '.' {
		p++
		digits()
	}
	if p < len(s) && s[p]|0x20 == 'e' {
		q := p + 1
		if q < len(s) && (s[q] == '+' || s[q] == '-') {
			q++
		}
		if q < len(s) && isDigit(s[q]) {
			p = q
			digits()
		}
	}
	return p
}

func syntaxError(s string, offset int, near, expected string) *SyntaxError {
	const enough = 40 // characters of what stands there
	if r := []rune(near[:min(len(near), 4*enough+4)]); len(r) > enough {
		near = string(r[:enough]) + "…"
	}
	line, column := position(s, offset)
	return &SyntaxError{Offset: offset, Line: line, Column: column, Near: near, Expected: expected}
}
