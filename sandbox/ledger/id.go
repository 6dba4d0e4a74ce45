package ledger

import (
	"loadkms/sandbox/ion"
	"math"
	"strconv"
)

// An ID is the value of a document's field id: a whole number, or a text. Other numbers are texts of
// their own kind, so that 1.5 and "1.5" differ while 1, 1.0 and 1e0 are the same, as in PartiQL. The
// zero value is the number 0.
type ID struct {
	number int64
	text   string // "" for a whole number; else a letter for the kind, and the text
}

// NumberID returns the id that a whole number is.
func NumberID(n int64) ID { return ID{number: n} }

// StringID returns the id that a text is.
func StringID(s string) ID { return ID{text: `"` + s} }

// FloatID returns the id that a number is, whole or not. Infinite ones, and NaN, are the id of no
// document.
func FloatID(f float64) ID { return numberOf(strconv.FormatFloat(f, 'g', -1, 64)) }

// NaN is the id of no document.
var NaN = FloatID(math.NaN())

// parseID reads an id from the valid JSON of a field, and reports whether it is one: objects, lists,
// booleans and null are not.
func parseID(raw []byte) (ID, bool) {
	if len(raw) == 0 {
		return ID{}, false
	}
	switch c := raw[0]; {
	case c == '"':
		s, ok := unquote(raw)
		return StringID(s), ok
	case c == '-' || c >= '0' && c <= '9':
		return numberOf(string(raw)), true
	}
	return ID{}, false
}

// numberOf brings a JSON number into the one form in which equal numbers are equal.
func numberOf(s string) ID {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return NumberID(n)
	}
	f, _ := strconv.ParseFloat(s, 64) // out of range it is infinite
	// 2^53: above it neighboring whole numbers are no longer distinct as floats.
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return NumberID(int64(f))
	}
	return ID{text: "#" + strconv.FormatFloat(f, 'g', -1, 64)}
}

// idOf returns under which value an index has v. Values that PartiQL has for equal are indexed under
// one; a few others are too, which costs a look and no more, as every look-up compares again. Null is
// equal to nothing and is not indexed.
func idOf(v ion.Value) (ID, bool) {
	if v.IsNull() {
		return ID{}, false
	}
	switch v.Kind() {
	case ion.KindInt:
		if n, ok := v.AsInt(); ok {
			return NumberID(n), true
		}
		n, _ := v.AsBigInt()
		return numberOf(n.String()), true
	case ion.KindFloat:
		f, _ := v.AsFloat()
		return FloatID(f), true
	case ion.KindDecimal:
		coefficient, exponent, _ := v.AsDecimal()
		return numberOf(coefficient.String() + "e" + strconv.Itoa(int(exponent))), true
	case ion.KindString, ion.KindSymbol:
		s, _ := v.AsText()
		return StringID(s), true
	}
	return ID{text: "=" + v.Key()}, true
}
