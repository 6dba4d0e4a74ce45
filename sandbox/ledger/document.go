package ledger

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"loadkms/sandbox/ion"
)

// maxDocument is QLDB's limit for one document: 128 KB.
const maxDocument = 128 << 10

// documentID finds the field id of a document, which must be a valid JSON object. It reports false if
// there is none, or none that can be looked up.
func documentID(doc []byte) (id ID, ok bool) {
	raw := documentField(doc, "id")
	if raw == nil {
		return ID{}, false
	}
	return parseID(raw)
}

// documentField finds a field of a document, which must be a valid JSON object; nil if there is none.
// A field that is there twice counts the last time, as in JSON.parse.
//
// It walks the bytes itself: decoding into a struct would take "ID" for "id", and decoding into a map
// would cost as much as the rest of the insert.
func documentField(doc []byte, field string) (raw []byte) {
	p := skipSpace(doc, 0) + 1 // past the brace
	for {
		p = skipSpace(doc, p)
		if p >= len(doc) || doc[p] != '"' {
			return raw
		}
		end := skipValue(doc, p)
		name := doc[p:end]
		p = skipSpace(doc, skipSpace(doc, end)+1) // past the colon
		end = skipValue(doc, p)
		if says(name, field) {
			raw = doc[p:end]
		}
		p = skipSpace(doc, end)
		if p >= len(doc) || doc[p] != ',' {
			return raw
		}
		p++
	}
}

// says reports whether a quoted field name says name, however it is escaped.
func says(quoted []byte, name string) bool {
	if len(quoted) == len(name)+2 && string(quoted[1:len(quoted)-1]) == name {
		return true
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return false
	}
	s, ok := unquote(quoted)
	return ok && s == name
}

func unquote(quoted []byte) (string, bool) {
	var s string
	err := json.Unmarshal(quoted, &s)
	return s, err == nil
}

func skipSpace(b []byte, p int) int {
	for p < len(b) && (b[p] == ' ' || b[p] == '\n' || b[p] == '\t' || b[p] == '\r') {
		p++
	}
	return p
}

// skipValue returns where the JSON value that begins at p ends. The JSON is known to be valid, so
// brackets need only be counted.
func skipValue(b []byte, p int) int {
	for depth := 0; p < len(b); p++ {
		switch b[p] {
		case '"':
			for p++; p < len(b) && b[p] != '"'; p++ {
				if b[p] == '\\' {
					p++
				}
			}
			if depth == 0 {
				return min(p+1, len(b))
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return p
			}
			if depth--; depth == 0 {
				return p + 1
			}
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return p
			}
		}
	}
	return len(b)
}

// checkDocument reports why valid JSON, or nothing, cannot be stored as a document. What passes can be read as Ion, or one bad
// document would spoil every scan of its table.
func checkDocument(doc []byte) error {
	if len(doc) > maxDocument {
		return badRequest("Document size limit exceeded: %d bytes, the limit is %d bytes", len(doc), maxDocument)
	}
	if p := skipSpace(doc, 0); p >= len(doc) || doc[p] != '{' {
		return badRequest("Only structs can be inserted into a table")
	}
	if plain(doc) {
		return nil
	}
	if _, err := ion.FromJSON(doc); err != nil {
		return badRequest("The document cannot be an Ion value: %v", err)
	}
	return nil
}

// plain reports whether valid JSON has nothing in it that Ion might refuse, by looking at a few bytes
// of it: no text that is not UTF-8, not enough brackets to nest too deep, and no number with an
// exponent, which might be out of range.
func plain(doc []byte) bool {
	if bytes.Count(doc, []byte{'{'})+bytes.Count(doc, []byte{'['}) > ion.MaxDepth || !utf8.Valid(doc) {
		return false
	}
	for _, e := range [...]byte{'e', 'E'} {
		for p := 1; p < len(doc); p++ {
			i := bytes.IndexByte(doc[p:], e)
			if i < 0 {
				break
			}
			p += i
			if c := doc[p-1]; c >= '0' && c <= '9' {
				return false
			}
		}
	}
	return true
}
