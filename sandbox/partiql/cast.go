package partiql

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"loadkms/sandbox/ion"
)

// castTypes are the types that CAST takes, by all of their names.
var castTypes = map[string]string{
	"BOOL": "BOOLEAN", "BOOLEAN": "BOOLEAN", "INT": "INTEGER", "INTEGER": "INTEGER", "SMALLINT": "INTEGER",
	"FLOAT": "FLOAT", "REAL": "FLOAT", "DECIMAL": "DECIMAL", "NUMERIC": "DECIMAL", "TIMESTAMP": "TIMESTAMP",
	"STRING": "STRING", "CHAR": "STRING", "VARCHAR": "STRING", "SYMBOL": "SYMBOL", "CLOB": "CLOB", "BLOB": "BLOB",
	"LIST": "LIST", "SEXP": "SEXP", "STRUCT": "STRUCT", "NULL": "NULL", "MISSING": "MISSING",
}

// castKinds are the kinds of those types of which a value of the kind is taken as it is.
var castKinds = map[string]ion.Kind{
	"BOOLEAN": ion.KindBool, "INTEGER": ion.KindInt, "FLOAT": ion.KindFloat, "DECIMAL": ion.KindDecimal, "TIMESTAMP": ion.KindTimestamp,
	"STRING": ion.KindString, "SYMBOL": ion.KindSymbol, "CLOB": ion.KindClob, "BLOB": ion.KindBlob, "LIST": ion.KindList,
	"SEXP": ion.KindSexp, "STRUCT": ion.KindStruct,
}

// cast turns a value, which is neither NULL nor MISSING, into one of another type, and reports false if it
// cannot be. It goes by QLDB's examples, and where there is none, such as for a float as a string, by
// PartiQL's reference implementation, on which QLDB was built.
func cast(v ion.Value, to string) (ion.Value, bool) {
	if kind, ok := castKinds[to]; ok && v.Kind() == kind {
		return v, true
	}
	switch to {
	case "BOOLEAN":
		return castBool(v)
	case "INTEGER":
		return castInt(v)
	case "FLOAT":
		return castFloat(v)
	case "DECIMAL":
		return castDecimal(v)
	case "TIMESTAMP":
		text, ok := v.AsText()
		if !ok {
			return v, false
		}
		t, err := ion.ParseTimestamp(text)
		return t, err == nil
	case "STRING":
		text, ok := castText(v)
		return ion.String(text), ok
	case "SYMBOL":
		text, ok := castText(v)
		return ion.Symbol(text), ok
	case "BLOB":
		b, ok := v.AsBytes()
		return ion.Blob(b), ok
	case "LIST":
		if v.Kind() != ion.KindSexp {
			return v, false
		}
		elements := make([]ion.Value, 0, v.Len())
		for e := range v.Elements() {
			elements = append(elements, e)
		}
		return ion.List(elements...), true
	}
	return v, false
}

// castBool takes every number but 0 for true, and of texts only "true".
func castBool(v ion.Value) (ion.Value, bool) {
	if text, ok := v.AsText(); ok {
		return ion.Bool(strings.EqualFold(text, "true")), true
	}
	if n, ok := v.AsBigInt(); ok {
		return ion.Bool(n.Sign() != 0), true
	}
	if c, _, ok := v.AsDecimal(); ok {
		return ion.Bool(c.Sign() != 0), true
	}
	f, ok := v.AsFloat()
	return ion.Bool(f != 0), ok
}

// castInt cuts fractions off.
func castInt(v ion.Value) (ion.Value, bool) {
	if b, ok := v.AsBool(); ok {
		return ion.Int(map[bool]int64{true: 1}[b]), true
	}
	if f, ok := v.AsFloat(); ok {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return v, false
		}
		n, _ := big.NewFloat(f).Int(nil)
		return ion.BigInt(n), true
	}
	if r, ok, err := rationalOf(v); ok {
		if err != nil {
			return v, false
		}
		if r.exponent >= 0 {
			return ion.BigInt(r.at(0)), true
		}
		return ion.BigInt(new(big.Int).Quo(r.coefficient, power(-r.exponent))), true
	}
	text, ok := v.AsText()
	if !ok || len(text) > maxDigits {
		return v, false
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return v, false
	}
	return ion.BigInt(n), true
}

func castFloat(v ion.Value) (ion.Value, bool) {
	if b, ok := v.AsBool(); ok {
		return ion.Float(map[bool]float64{true: 1}[b]), true
	}
	if f, ok := floatOf(v); ok {
		return ion.Float(f), !math.IsInf(f, 0)
	}
	text, ok := v.AsText()
	if !ok || !decimalText(text) {
		return v, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return ion.Float(f), err == nil
}

func castDecimal(v ion.Value) (ion.Value, bool) {
	text, isText := v.AsText()
	b, isBool := v.AsBool()
	n, isInt := v.AsBigInt()
	f, isFloat := v.AsFloat()
	switch {
	case isBool:
		return ion.Decimal(big.NewInt(map[bool]int64{true: 1}[b]), 0), true
	case isInt:
		return ion.Decimal(n, 0), true
	case isFloat:
		text = strconv.FormatFloat(f, 'g', -1, 64)
	case !isText:
		return v, false
	}
	if !decimalText(text) {
		return v, false
	}
	unsigned := strings.TrimLeft(text, "+-") // of which there is one at most
	number, problem := numberOf(unsigned)
	if problem != "" {
		return v, false
	}
	c, exponent, ok := number.AsDecimal()
	if !ok {
		c, _ = number.AsBigInt()
	}
	if text[0] == '-' {
		c.Neg(c)
	}
	return ion.Decimal(c, exponent), true
}

// decimalText reports whether a text is a number with a sign, a point and an exponent at most, which is less
// than what Go reads as one.
func decimalText(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && len(s) <= 2*maxDigits && (isDigit(s[0]) || s[0] == '.') && s != "." && numberEnd(s, 0) == len(s)
}

// castText writes numbers as Java does, the language of the reference implementation.
func castText(v ion.Value) (string, bool) {
	if text, ok := v.AsText(); ok {
		return text, true
	}
	if b, ok := v.AsBool(); ok {
		return strconv.FormatBool(b), true
	}
	if n, ok := v.AsBigInt(); ok {
		return n.String(), true
	}
	if c, exponent, ok := v.AsDecimal(); ok {
		return decimalAsText(c, int64(exponent)), true
	}
	if f, ok := v.AsFloat(); ok {
		return floatAsText(f), true
	}
	if v.Kind() == ion.KindTimestamp {
		return v.Annotated().Text(), true
	}
	return "", false
}

// decimalAsText writes without an exponent what has a few zeros behind the point at most.
func decimalAsText(c *big.Int, exponent int64) string {
	digits, minus := strings.CutPrefix(c.String(), "-")
	sign := ""
	if minus {
		sign = "-"
	}
	shifted := exponent + int64(len(digits)) - 1 // the exponent with one digit before the point
	const zeros = 6
	switch point := int64(len(digits)) + exponent; {
	case exponent == 0:
		return sign + digits
	case exponent < 0 && shifted >= -zeros && point > 0:
		return sign + digits[:point] + "." + digits[point:]
	case exponent < 0 && shifted >= -zeros:
		return sign + "0." + strings.Repeat("0", int(-point)) + digits
	}
	if len(digits) > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	return fmt.Sprintf("%s%sE%+d", sign, digits, shifted)
}

// floatAsText writes at least one digit behind the point, and an exponent from ten million and below a thousandth.
func floatAsText(f float64) string {
	size := math.Abs(f)
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.Replace(strconv.FormatFloat(f, 'f', -1, 64), "Inf", "Infinity", 1), "+")
	case size != 0 && (size < 1e-3 || size >= 1e7):
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exponent) // digits with a sign
		return mantissa + "E" + strconv.Itoa(n)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
