package iam

import (
	"strings"
	"testing"
)

func TestComparisons(t *testing.T) {
	tests := []struct {
		operator, value, have string
		want                  bool
	}{
		{"NumericEquals", "7", "7.0", true},
		{"NumericEquals", "7", "8", false},
		{"NumericNotEquals", "7", "8", true},
		{"NumericLessThan", "8", "7", true},
		{"NumericLessThan", "8", "8", false},
		{"NumericLessThanEquals", "30", "30", true},
		{"NumericGreaterThan", "-1.5", "-1.4", true},
		{"NumericGreaterThanEquals", "9999999999999999999999", "9999999999999999999998", false},
		{"NumericEquals", "7", "seven", false},
		{"NumericGreaterThan", "10", "9", false}, // not as text
		{"ForAnyValue:NumericLessThan", "8", "7", true},
		{"DateEquals", "2026-11-23", "2026-11-23T00:00:00Z", true},
		{"DateNotEquals", "2026-11-23", "2026-11-23T00:00:00Z", false},
		{"DateLessThan", "2026-11-23T12:00:00Z", "2026-11-23T12:30:00+01:00", true},
		{"DateGreaterThan", "1700000000", "2026-11-23T12:00:00.5Z", true},
		{"DateGreaterThanEquals", "2026", "2025-12-31T23:59:59Z", false},
		{"DateLessThanEquals", "2026-11", "yesterday", false},
	}
	for _, tt := range tests {
		t.Run(tt.operator+" "+tt.value+" "+tt.have, func(t *testing.T) {
			p, err := ParsePolicy([]byte(statements(m{"Condition": m{tt.operator: m{"kms:x": tt.value}}})), Identity)
			if err != nil {
				t.Fatal(err)
			}
			r := &Request{Caller: alice, Action: "kms:Decrypt", Resource: key, Value: func(string) ([]string, bool) { return []string{tt.have}, true }}
			if got := p.Evaluate(r) == Allow; got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	for operator, value := range map[string]string{"NumericEquals": "1e999999999", "NumericLessThan": "seven", "DateLessThan": "soon",
		"NumericLike": "1", "DateGreaterThan": strings.Repeat("9", 30)} {
		if _, err := ParsePolicy([]byte(statements(m{"Condition": m{operator: m{"a": value}}})), Identity); err == nil {
			t.Errorf("%s with %q is accepted", operator, value)
		}
	}
}
