package iam

import (
	"math/big"
	"strconv"
	"strings"
	"time"
)

// comparisons are the operators on numbers and dates, by the end of their name, with what the order
// of have and the policy's value must be.
var comparisons = map[string]func(order int) bool{
	"Equals":            func(order int) bool { return order == 0 },
	"LessThan":          func(order int) bool { return order < 0 },
	"LessThanEquals":    func(order int) bool { return order <= 0 },
	"GreaterThan":       func(order int) bool { return order > 0 },
	"GreaterThanEquals": func(order int) bool { return order >= 0 },
}

// comparison returns the match function of a Numeric… or Date… operator, or nil.
func comparison(operator string) func(value, have string) bool {
	if end, ok := strings.CutPrefix(operator, "Numeric"); ok && comparisons[end] != nil {
		return func(value, have string) bool {
			v, okV := number(value)
			h, okH := number(have)
			return okV && okH && comparisons[end](h.Cmp(v))
		}
	}
	if end, ok := strings.CutPrefix(operator, "Date"); ok && comparisons[end] != nil {
		return func(value, have string) bool {
			v, okV := date(value)
			h, okH := date(have)
			return okV && okH && comparisons[end](h.Compare(v))
		}
	}
	return nil
}

// maxNumber bounds the digits of a number: what a policy compares has no need of more, and an
// exponent could ask for any amount of memory.
const maxNumber = 64

// number reads a decimal number without exponent.
func number(s string) (*big.Rat, bool) {
	if len(s) > maxNumber || strings.Trim(s, "+-.0123456789") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// date reads a date as policies write it: ISO 8601 in one of W3C's forms, or seconds since 1970.
func date(s string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	if err != nil || seconds < -1e12 || seconds > 1e12 {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

// compares reports whether a policy's value is one that the operator can compare with.
func compares(operator, value string) bool {
	switch {
	case strings.HasPrefix(operator, "Numeric"):
		_, ok := number(value)
		return ok
	case strings.HasPrefix(operator, "Date"):
		_, ok := date(value)
		return ok
	case strings.HasPrefix(operator, "IpAddress"), strings.HasPrefix(operator, "NotIpAddress"):
		_, ok := ipRange(value)
		return ok
	}
	return true
}
