package flow

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// A value is what a variable holds for one user, ready to be rendered. The zero value means that the
// variable has none.
type value struct {
	set  bool
	text string // as text
	json string // as a JSON value of its own type
}

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

// jsonOf returns v as JSON, without the escapes that only HTML needs.
func jsonOf(v any) string {
	switch v := v.(type) {
	case string:
		return `"` + string(appendJSON(nil, []byte(v))) + `"`
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return `"` + string(appendJSON(nil, []byte(fmt.Sprint(v)))) + `"`
		}
		return string(b)
	}
}
