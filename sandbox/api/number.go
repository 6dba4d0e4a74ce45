package api

import (
	"math"
	"strconv"
	"strings"

	"loadkms/sandbox/ledger"
)

// parseInt does what JavaScript's parseInt(s) does: leading white space and a sign are skipped, a
// number goes as far as its digits do, 0x begins a hexadecimal one, and what has no digits is not a
// number, which is the id of no document. It returns the id, and the number as JavaScript shows it.
//
// Numbers of up to 18 digits are exact here, while JavaScript's are not beyond 2^53.
func parseInt(s string) (id ledger.ID, shown string) {
	// The usual case, in its only form: nothing to strip, nothing to convert.
	if n, digits := leadingDigits(s); digits == len(s) && digits > 0 && s[0] != '0' {
		return ledger.NumberID(n), s
	}
	s = strings.TrimLeft(s, " \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"+
		"\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff")
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	base, digits := 10, "0123456789"
	if len(s) >= 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		s, base, digits = s[2:], 16, "0123456789abcdefABCDEF"
	}
	if end := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(digits, r) }); end >= 0 {
		s = s[:end]
	}
	if s == "" {
		return ledger.NaN, "NaN"
	}
	if n, err := strconv.ParseInt(s, base, 64); err == nil && n < 1e18 {
		if negative {
			n = -n
		}
		return ledger.NumberID(n), strconv.FormatInt(n, 10)
	}
	f := float(s, base)
	if negative {
		f = -f
	}
	return ledger.FloatID(f), show(f)
}

// leadingDigits reads up to 18 digits at the start of s, so that they cannot overflow.
func leadingDigits(s string) (n int64, digits int) {
	for digits < len(s) && digits < 18 && s[digits] >= '0' && s[digits] <= '9' {
		n = n*10 + int64(s[digits]-'0')
		digits++
	}
	return n, digits
}

// float reads a long number; what is too large is infinite.
func float(s string, base int) float64 {
	if base == 16 {
		s = "0x" + s + "p0"
	}
	f, _ := strconv.ParseFloat(s, 64) // the only possible error is the range, for which it is ±Inf
	return f
}

// show writes a large number as JavaScript does.
func show(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case math.Abs(f) >= 1e21:
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
