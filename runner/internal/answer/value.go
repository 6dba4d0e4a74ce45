package answer

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
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

// encode returns v as JSON, without the escapes that only HTML needs.
func encode(v any) string {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	if err := to.Encode(v); err != nil {
		return "null" // cannot be: v was decoded from JSON, and decode leaves no infinities
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// raw returns the value of a result, which is part of a valid document. For a text without escapes, and
// for a number, it takes one copy, and one box for its decoded form.
func raw(r gjson.Result) Value {
	switch r.Type {
	case gjson.String:
		if strings.IndexByte(r.Raw, '\\') >= 0 || !utf8.ValidString(r.Raw) {
			return textValue(unquote(r.Raw))
		}
		quoted := strings.Clone(r.Raw)
		text := quoted[1 : len(quoted)-1]
		return Value{Text: text, JSON: quoted, Any: text}
	case gjson.Number:
		text := strings.Clone(r.Raw)
		return Value{Text: text, JSON: text, Any: number(text)}
	case gjson.JSON:
		var b bytes.Buffer
		if err := json.Compact(&b, []byte(r.Raw)); err != nil {
			return Value{} // cannot be: it is part of a valid document
		}
		text := strings.ToValidUTF8(b.String(), "\uFFFD")
		return Value{Text: text, JSON: text, Any: decode(r)}
	case gjson.True:
		return Value{Text: "true", JSON: "true", Any: true}
	case gjson.False:
		return Value{Text: "false", JSON: "false", Any: false}
	}
	return Value{Text: "null", JSON: "null"}
}

// decode returns what a result, which is part of a valid document, holds. Of a name that is given twice,
// the first counts, as it does on a plain path.
func decode(r gjson.Result) any {
	switch r.Type {
	case gjson.String:
		return unquote(r.Raw)
	case gjson.Number:
		return number(strings.Clone(r.Raw))
	case gjson.True:
		return true
	case gjson.False:
		return false
	case gjson.JSON:
		if r.IsObject() {
			object := make(map[string]any)
			r.ForEach(func(name, value gjson.Result) bool {
				name.Str = unquote(name.Raw)
				if _, ok := object[name.Str]; !ok {
					object[name.Str] = decode(value)
				}
				return true
			})
			return object
		}
		list := []any{}
		r.ForEach(func(_, value gjson.Result) bool {
			list = append(list, decode(value))
			return true
		})
		return slices.Clip(list)
	}
	return nil
}

// unquote returns the text of a valid JSON string, copied. Escapes are undone, and what is no UTF-8
// becomes U+FFFD, both as in encoding/json.
func unquote(quoted string) string {
	if strings.IndexByte(quoted, '\\') < 0 && utf8.ValidString(quoted) {
		return strings.Clone(quoted[1 : len(quoted)-1])
	}
	var s string
	if json.Unmarshal([]byte(quoted), &s) != nil {
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
