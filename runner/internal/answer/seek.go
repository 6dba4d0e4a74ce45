package answer

import (
	"bytes"
	"unicode/utf8"
)

// A place is a path into JSON of names and indexes only. Its steps are both, as in JavaScript: "0" is an
// element of a list and a member of a mapping.
type place []placeStep

type placeStep struct {
	name  string
	index int // -1 if the name is none
}

func placeOf(names []string) place {
	p := make(place, len(names))
	for i, name := range names {
		p[i] = placeStep{name, index(name)}
	}
	return p
}

// index returns a name as an index, or -1 if it is none.
func index(name string) int {
	if !isDigits(name) || len(name) > 9 || len(name) > 1 && name[0] == '0' {
		return -1
	}
	n := 0
	for _, c := range name {
		n = 10*n + int(c-'0')
	}
	return n
}

func isDigits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// seek returns the part of a valid document that is at p, and false if there is none. It decodes nothing,
// and allocates only for names with escapes. Of a name that is given twice the last one counts, as in
// JavaScript and encoding/json.
func seek(b []byte, p place) ([]byte, bool) {
	at := skipBlanks(b, 0)
	for i := range p {
		switch {
		case b[at] == '{':
			at = member(b, at, p[i].name)
		case b[at] == '[' && p[i].index >= 0:
			at = element(b, at, p[i].index)
		default:
			at = -1
		}
		if at < 0 {
			return nil, false
		}
	}
	return b[at:skipValue(b, at)], true
}

// member returns where the value of a name begins in the mapping at i, or -1.
func member(b []byte, i int, name string) int {
	found := -1
	for i = skipBlanks(b, i+1); b[i] != '}'; i = skipBlanks(b, i) {
		if b[i] == ',' {
			i = skipBlanks(b, i+1)
		}
		end := skipString(b, i)
		same := isName(b[i:end], name)
		i = skipBlanks(b, skipBlanks(b, end)+1) // the colon
		if same {
			found = i
		}
		i = skipValue(b, i)
	}
	return found
}

// element returns where the n-th value begins in the list at i, or -1.
func element(b []byte, i, n int) int {
	for i = skipBlanks(b, i+1); b[i] != ']'; i = skipBlanks(b, i) {
		if b[i] == ',' {
			i = skipBlanks(b, i+1)
		}
		if n == 0 {
			return i
		}
		n--
		i = skipValue(b, i)
	}
	return -1
}

// isName reports whether a quoted text is name.
func isName(quoted []byte, name string) bool {
	inside := quoted[1 : len(quoted)-1]
	if string(inside) == name {
		return bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside) || unquote(quoted) == name
	}
	return (bytes.IndexByte(inside, '\\') >= 0 || !utf8.Valid(inside)) && unquote(quoted) == name
}

func skipBlanks(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t' {
		i++
	}
	return i
}

// skipString returns the place behind the text that begins at i.
func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue returns the place behind the value that begins at i.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		for depth := 0; ; i++ {
			switch b[i] {
			case '"':
				i = skipString(b, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	for ; i < len(b); i++ { // a number, true, false or null
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			return i
		}
	}
	return i
}
