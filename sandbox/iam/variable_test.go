package iam

import (
	"strings"
	"testing"
)

func TestPolicyVariables(t *testing.T) {
	team := func(value string) func(string) ([]string, bool) {
		return func(key string) ([]string, bool) {
			return []string{value}, key == "aws:resourcetag/team" && value != ""
		}
	}
	const prefix = "arn:aws:kms:eu-west-2:123456789012:"
	tests := []struct {
		name     string
		element  m
		resource string
		caller   Caller
		value    func(string) ([]string, bool)
		want     bool
	}{
		{"own alias", m{"Resource": prefix + "alias/${aws:username}/*"}, prefix + "alias/alice/x", alice, nil, true},
		{"another's alias", m{"Resource": prefix + "alias/${aws:username}/*"}, prefix + "alias/bob/x", alice, nil, false},
		{"a role has no user name", m{"Resource": prefix + "alias/${aws:username}/*"}, prefix + "alias//x", session, nil, false},
		{"a default", m{"Resource": prefix + "alias/${aws:username, 'shared'}/*"}, prefix + "alias/shared/x", session, nil, true},
		{"in either case", m{"Resource": prefix + "alias/${AWS:UserName}"}, prefix + "alias/alice", alice, nil, true},
		{"among others", m{"Resource": []string{"nothing", prefix + "alias/${aws:username}"}}, prefix + "alias/alice", alice, nil, true},
		{"the characters themselves", m{"Resource": prefix + "alias/${*}${?}${$}"}, prefix + "alias/*?$", alice, nil, true},
		{"and no others", m{"Resource": prefix + "alias/${*}"}, prefix + "alias/x", alice, nil, false},
		{"after a star", m{"Resource": prefix + "*${*}x"}, prefix + "alias/ab**x", alice, nil, true},
		{"after a star, in vain", m{"Resource": prefix + "*${*}x"}, prefix + "alias/abx", alice, nil, false},
		{"a value is no pattern", m{"Condition": m{"StringLike": m{"aws:username": "${aws:ResourceTag/team}"}}}, key, alice, team("*"), false},
		{"equal values", m{"Condition": m{"StringEquals": m{"aws:username": "${aws:ResourceTag/team}"}}}, key, alice, team("alice"), true},
		{"a value with a star, equal", m{"Condition": m{"StringEquals": m{"aws:ResourceTag/team": "${aws:ResourceTag/team}"}}}, key, alice, team("a*"), true},
		{"no such value", m{"Condition": m{"StringEquals": m{"aws:username": "${aws:ResourceTag/team}"}}}, key, alice, team(""), false},
		{"not another's", m{"Resource": nil, "NotResource": prefix + "alias/${aws:username}"}, key, alice, nil, true},
		{"not an unknown", m{"Resource": nil, "NotResource": prefix + "alias/${aws:username}"}, key, session, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParsePolicy([]byte(statements(tt.element)), Identity)
			if err != nil {
				t.Fatal(err)
			}
			r := &Request{Caller: tt.caller, Action: "kms:Decrypt", Resource: tt.resource, Value: tt.value}
			if got := p.Evaluate(r) == Allow; got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	t.Run("the old version has none", func(t *testing.T) {
		old := strings.Replace(statements(m{"Resource": "${aws:username}"}), "2012-10-17", "2008-10-17", 1)
		p, err := ParsePolicy([]byte(old), Identity)
		if err != nil {
			t.Fatal(err)
		}
		for resource, want := range map[string]Effect{"alice": None, "${aws:username}": Allow} {
			if got := p.Evaluate(&Request{Caller: alice, Action: "kms:Decrypt", Resource: resource}); got != want {
				t.Errorf("%s: %v, want %v", resource, got, want)
			}
		}
	})
	if _, err := ParsePolicy([]byte(statements(m{"Resource": "a\x00*"})), Identity); err == nil {
		t.Error("a NUL is accepted")
	}
}

// FuzzExpand: what a variable holds is matched as it is, whatever characters it has.
func FuzzExpand(f *testing.F) {
	f.Add("a*", "b")
	f.Add("?", "*")
	f.Add("${*}", "")
	f.Fuzz(func(t *testing.T, value, tail string) {
		if strings.ContainsRune(value, literal) || strings.ToValidUTF8(value, "") != value {
			return
		}
		r := &Request{Value: func(string) ([]string, bool) { return []string{value}, true }}
		pattern, ok := expand("x${kms:v}", r, true)
		if !ok {
			t.Fatal("not expanded")
		}
		if got, want := glob(pattern, "x"+value+tail, false), tail == ""; got != want {
			t.Fatalf("%q matches %q: %v", pattern, "x"+value+tail, got)
		}
		if _, err := variables(value); err == nil {
			expand(value, r, true) // whatever is accepted can be expanded
		}
	})
}
