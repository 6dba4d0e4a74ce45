package ledger

import (
	"crypto/rand"
	"math"
	"math/big"
	"strconv"
	"strings"
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

// randomID returns 128 random bits as 22 letters and digits, the form of QLDB's own ids.
func randomID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	s := new(big.Int).SetBytes(b[:]).Text(62)
	return strings.Repeat("0", 22-len(s)) + s
}
