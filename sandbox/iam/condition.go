package iam

import (
	"fmt"
	"slices"
	"strings"
)

// A condition is one line of a Condition block: an operator, the key it looks at, and the values of
// which one must match.
type condition struct {
	key      string // in lower case: keys match in either case
	values   []string
	match    func(value, have string) bool
	negated  bool // Not…: none of values may match
	ifExists bool // …IfExists: a request without the key passes
	null     bool // Null: about the presence of the key
	set      set
	// variables says that values may have policy variables, and pattern that they are patterns.
	variables, pattern bool
}

// A set says how a key with several values is looked at.
type set int

const (
	single set = iota
	anyValue
	allValues
)

// operators are the condition operators the sandbox evaluates, without their Not, IfExists and
// ForAllValues or ForAnyValue; comparison has those on numbers and dates. Those it does not
// (BinaryEquals) are refused when the policy is read: to skip one would let in, or keep
// out, the wrong caller.
var operators = map[string]func(value, have string) bool{
	"StringEquals":           func(value, have string) bool { return value == have },
	"StringEqualsIgnoreCase": strings.EqualFold,
	"StringLike":             func(value, have string) bool { return glob(value, have, false) },
	"ArnEquals":              arnLike, // the two Arn operators behave alike
	"ArnLike":                arnLike,
	"Bool":                   strings.EqualFold,
	"IpAddress":              inRange,
}

// negations spells the Not forms, which do not follow one rule.
var negations = map[string]string{
	"StringNotEquals":           "StringEquals",
	"StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
	"StringNotLike":             "StringLike",
	"ArnNotEquals":              "ArnEquals",
	"ArnNotLike":                "ArnLike",
	"NumericNotEquals":          "NumericEquals",
	"DateNotEquals":             "DateEquals",
	"NotIpAddress":              "IpAddress",
}

func parseConditions(v any) ([]condition, error) {
	block, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a statement's Condition is not an object")
	}
	var all []condition
	for operator, keys := range block {
		byKey, ok := keys.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("the condition %s is not an object", operator)
		}
		template, err := parseOperator(operator)
		if err != nil {
			return nil, err
		}
		for key, v := range byKey {
			c := template
			c.key = strings.ToLower(key)
			if c.values, ok = scalars(v); !ok {
				return nil, fmt.Errorf("the condition on %s has a value that is not a string", key)
			}
			for _, value := range c.values {
				if !compares(bare(operator), value) && !strings.Contains(value, "${") {
					return nil, fmt.Errorf("%w %q is nothing that %s compares with", errSyntax, value, operator)
				}
				with, err := variables(value)
				if err != nil {
					return nil, err
				}
				c.variables = c.variables || with
			}
			all = append(all, c)
		}
	}
	// The order of a map is not that of the text; sorted, the same policy always costs the same.
	slices.SortFunc(all, func(a, b condition) int { return strings.Compare(a.key, b.key) })
	return all, nil
}

// bare is an operator without ForAllValues or ForAnyValue.
func bare(operator string) string {
	if _, name, ok := strings.Cut(operator, ":"); ok {
		return name
	}
	return operator
}

func parseOperator(operator string) (condition, error) {
	var c condition
	name := operator
	if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
		name, c.set = rest, allValues
	} else if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
		name, c.set = rest, anyValue
	}
	if name == "Null" {
		c.null = true
		return c, nil
	}
	name, c.ifExists = strings.CutSuffix(name, "IfExists")
	if positive, ok := negations[name]; ok {
		name, c.negated = positive, true
	}
	c.pattern = name == "StringLike" || strings.HasPrefix(name, "Arn")
	if c.match = operators[name]; c.match == nil {
		c.match = comparison(name)
	}
	if c.match == nil {
		return c, fmt.Errorf("the sandbox does not evaluate the condition operator %q", operator)
	}
	return c, nil
}

// holds evaluates the condition. A key that the request lacks fails it, except that it satisfies
// IfExists, Not… and ForAllValues.
func (c *condition) holds(r *Request) bool {
	have, ok := r.value(c.key)
	if c.null {
		return slices.ContainsFunc(c.values, func(v string) bool { return strings.EqualFold(v, "true") == !ok })
	}
	if !ok || len(have) == 0 {
		return c.ifExists || c.set == allValues || c.negated && c.set == single
	}
	passes := func(have string) bool {
		hit := slices.ContainsFunc(c.values, func(v string) bool {
			if c.variables {
				var ok bool
				if v, ok = expand(v, r, c.pattern); !ok {
					return false
				}
			}
			return c.match(v, have)
		})
		return hit != c.negated
	}
	switch {
	case c.set == allValues, c.set == single && c.negated:
		for _, h := range have {
			if !passes(h) {
				return false
			}
		}
		return true
	default:
		return slices.ContainsFunc(have, passes)
	}
}
