package flow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A value is what a variable holds for one user, ready to be rendered. The zero value means that the
// variable has none.
type value struct {
	set  bool
	text string // as text
	json string // as a JSON value of its own type
}

// same reports whether v and o are the same to a program; their texts may be written differently.
func (v value) same(o value) bool { return v.set == o.set && v.json == o.json }

// valueOf returns the value of a YAML scalar that was written as text.
func valueOf(text string, typed any) value {
	switch v := typed.(type) {
	case int64:
		return value{true, text, strconv.FormatInt(v, 10)}
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return value{true, text, "null"} // JSON has none of these
		}
	}
	return value{true, text, jsonOf(typed)}
}

// valueOfAny returns the value of anything JSON or YAML has. Null is none.
func valueOfAny(v any) value {
	switch v := v.(type) {
	case nil:
		return value{}
	case string:
		return valueOf(v, v)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return value{true, strconv.FormatFloat(v, 'g', -1, 64), "null"}
		}
	}
	s := jsonOf(v)
	return value{true, s, s}
}

// valueOfInt returns the value of a whole number.
func valueOfInt(n int) value {
	s := strconv.Itoa(n)
	return value{true, s, s}
}

// at returns what stands at path in v, which must then be a JSON document.
func (v value) at(path []string) value {
	if len(path) == 0 || !v.set {
		return v
	}
	document, ok := v.decode()
	if !ok {
		return value{}
	}
	return valueAt(document, path)
}

// decode returns v as Go's JSON package has it, with numbers as they are written.
func (v value) decode() (document any, ok bool) {
	d := json.NewDecoder(bytes.NewReader([]byte(v.json)))
	d.UseNumber()
	return document, d.Decode(&document) == nil
}

// typed returns v as expressions have it: whole numbers are int, others float64. A variable without a
// value is nil.
func (v value) typed() any {
	switch {
	case !v.set || v.json == "":
		return nil
	case v.json[0] == '"':
		return v.text
	}
	document, _ := v.decode()
	return typed(document)
}

// typed makes the numbers of a document those of Go.
func typed(document any) any {
	switch d := document.(type) {
	case json.Number:
		if n, err := strconv.Atoi(string(d)); err == nil {
			return n
		}
		n, _ := d.Float64() // infinite if it is too large
		return n
	case []any:
		for i := range d {
			d[i] = typed(d[i])
		}
	case map[string]any:
		for name := range d {
			d[name] = typed(d[name])
		}
	}
	return document
}

// valueAt returns the value at path in a document.
func valueAt(document any, path []string) value {
	if document, ok := lookUp(document, path); ok {
		return valueOfAny(document)
	}
	return value{}
}

// jsonOf returns v as JSON, without the escapes that only HTML needs.
func jsonOf(v any) string {
	if s, ok := v.(string); ok {
		return `"` + string(appendJSON(nil, []byte(s))) + `"`
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return `"` + string(appendJSON(nil, []byte(fmt.Sprint(v)))) + `"`
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// propertyPath cuts a path as lodash does: a.b[0].c and a.b.0.c are the same.
func propertyPath(s string) []string {
	s = strings.NewReplacer("['", ".", "']", "", `["`, ".", `"]`, "", "[", ".", "]", "").Replace(s)
	return strings.Split(strings.TrimPrefix(s, "."), ".")
}

// lookUp returns what stands at path in a JSON document.
func lookUp(document any, path []string) (any, bool) {
	for _, name := range path {
		switch d := document.(type) {
		case map[string]any:
			next, ok := d[name]
			if !ok {
				return nil, false
			}
			document = next
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(d) {
				return nil, false
			}
			document = d[i]
		default:
			return nil, false
		}
	}
	return document, true
}
