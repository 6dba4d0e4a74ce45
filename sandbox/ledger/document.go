package ledger

import (
	"bytes"
	"encoding/json"
)

// maxDocument is QLDB's limit for one document: 128 KB.
const maxDocument = 128 << 10

// documentID finds the field id of a document, which must be a valid JSON object. A field that is
// there twice counts the last time, as in JSON.parse. It reports false if there is none, or none that
// can be looked up.
//
// It walks the bytes itself: decoding into a struct would take "ID" for "id", and decoding into a map
// would cost as much as the rest of the insert.
func documentID(doc []byte) (id ID, ok bool) {
	p := skipSpace(doc, 0) + 1 // past the brace
	for {
		p = skipSpace(doc, p)
		if p >= len(doc) || doc[p] != '"' {
			return id, ok
		}
		end := skipValue(doc, p)
		name := doc[p:end]
		p = skipSpace(doc, skipSpace(doc, end)+1) // past the colon
		end = skipValue(doc, p)
		if isID(name) {
			id, ok = parseID(doc[p:end])
		}
		p = skipSpace(doc, end)
		if p >= len(doc) || doc[p] != ',' {
			return id, ok
		}
		p++
	}
}

// isID reports whether a quoted field name says id, however it is escaped.
func isID(quoted []byte) bool {
	if string(quoted) == `"id"` {
		return true
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return false
	}
	s, ok := unquote(quoted)
	return ok && s == "id"
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

// checkDocument reports why a document cannot be stored.
func checkDocument(doc []byte) error {
	if len(doc) > maxDocument {
		return badRequest("Document size limit exceeded: %d bytes, the limit is %d bytes", len(doc), maxDocument)
	}
	if p := skipSpace(doc, 0); p >= len(doc) || doc[p] != '{' || !json.Valid(doc) {
		return badRequest("Only structs can be inserted into a table")
	}
	return nil
}
