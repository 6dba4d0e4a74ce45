package answer

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Value is something found in an answer, in the three forms its uses want. It refers to nothing of the
// answer.
type Value struct {
	Text string // as text: a JSON string without quotes; lists and mappings as JSON
	JSON string // as JSON of its own type; numbers as the answer wrote them
	// Any is decoded: string, int64, float64, bool, nil, []any or map[string]any; json.Number for a number
	// that neither int64 nor float64 can hold.
	Any any
}

// textValue returns the value of a text.
func textValue(s string) Value {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return Value{Text: s, JSON: encode(s), Any: s}
}

// valueOf returns the value of something decoded from JSON.
func valueOf(v any) Value {
	if s, ok := v.(string); ok {
		return textValue(s)
	}
	text := encode(v)
	return Value{Text: text, JSON: text, Any: v}
}

// encode returns v, of the types of [Value.Any], as JSON.
func encode(v any) string {
	b := make([]byte, 0, 64)
	return string(appendJSON(b, v))
}

// appendJSON appends v as JSON, without the escapes that only HTML needs, members in alphabetical order.
// It is ours because encoding/json looks for cycles in what is nested deep, which takes ten times as long.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendQuoted(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case []any:
		b = append(b, '[')
		for i := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, v[i])
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendQuoted(b, name), ':')
			b = appendJSON(b, v[name])
		}
		return append(b, '}')
	}
	return appendAny(b, v)
}

// appendQuoted appends a JSON string.
func appendQuoted(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return appendAny(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendAny appends what encoding/json makes of v.
func appendAny(b []byte, v any) []byte {
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	if to.Encode(v) != nil {
		return append(b, "null"...) // cannot be: v was decoded from JSON, and number leaves no infinities
	}
	return append(b, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...)
}

// raw returns the value of a part of a valid document. For a text without escapes, and for a number, it
// takes one copy, and one box for its decoded form.
func raw(part []byte) Value {
	switch part[0] {
	case '"':
		if bytes.IndexByte(part, '\\') >= 0 || !utf8.Valid(part) {
			return textValue(unquote(part))
		}
		quoted := string(part)
		text := quoted[1 : len(quoted)-1]
		return Value{Text: text, JSON: quoted, Any: text}
	case '{', '[':
		var b bytes.Buffer
		if err := json.Compact(&b, part); err != nil {
			return Value{} // cannot be: it is part of a valid document
		}
		text := strings.ToValidUTF8(b.String(), "\uFFFD")
		return Value{Text: text, JSON: text, Any: decode(part)}
	case 't':
		return Value{Text: "true", JSON: "true", Any: true}
	case 'f':
		return Value{Text: "false", JSON: "false", Any: false}
	case 'n':
		return Value{Text: "null", JSON: "null"}
	}
	text := string(part)
	return Value{Text: text, JSON: text, Any: number(text)}
}

// decode returns what a part of a valid document holds.
func decode(part []byte) any {
	from := json.NewDecoder(bytes.NewReader(part))
	from.UseNumber()
	var v any
	if from.Decode(&v) != nil {
		return nil // cannot be: it is part of a valid document
	}
	return numbers(v)
}

// numbers replaces the texts of numbers in v by the types that hold them.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(string(v))
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = numbers(v[name])
		}
	}
	return v
}

// unquote returns the text of a valid JSON string. Escapes are undone, and what is no UTF-8 becomes
// U+FFFD.
func unquote(quoted []byte) string {
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return "" // cannot be: it is part of a valid document
	}
	return s
}

// number returns a valid JSON number as the type that holds it.
func number(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f == math.Trunc(f) && math.Abs(f) >= 1<<53 && !strings.ContainsAny(text, ".eE") {
		return json.Number(text)
	}
	return f
}
