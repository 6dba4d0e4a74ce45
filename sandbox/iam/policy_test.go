package iam

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const (
	account = "123456789012"
	key     = "arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

var (
	alice   = Caller{Principal: UserARN(account, "alice"), Account: account}
	session = Caller{Principal: SessionARN(account, "reader", "fn"), Account: account}
	foreign = Caller{Principal: UserARN("210987654321", "alice"), Account: "210987654321"}
	service = Caller{Service: "qldb.amazonaws.com"}
	viaQLDB = Caller{Principal: alice.Principal, Account: account, Via: "qldb.eu-west-2.amazonaws.com"}
)

// statement writes a policy of one statement: Allow kms:Decrypt on everything, with the given
// elements added or changed.
func statements(elements ...map[string]any) string {
	var all []map[string]any
	for _, e := range elements {
		s := map[string]any{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
		for k, v := range e {
			if v == nil {
				delete(s, k)
				continue
			}
			s[k] = v
		}
		all = append(all, s)
	}
	b, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": all})
	if err != nil {
		panic(err)
	}
	return string(b)
}

type m = map[string]any

func TestEvaluate(t *testing.T) {
	has := func(pairs ...string) func(string) ([]string, bool) {
		return func(key string) ([]string, bool) {
			var have []string
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == key {
					have = append(have, pairs[i+1])
				}
			}
			return have, have != nil
		}
	}
	everyone := m{"Principal": "*"}
	when := func(operator, key string, values any) m {
		return m{"Principal": "*", "Condition": m{operator: m{key: values}}}
	}
	tests := []struct {
		name   string
		policy string
		caller Caller
		action string // default kms:Decrypt
		value  func(string) ([]string, bool)
		want   Effect
	}{
		{"everyone", statements(everyone), alice, "", nil, Allow},
		{"everyone in AWS", statements(m{"Principal": m{"AWS": "*"}}), alice, "", nil, Allow},
		{"everyone includes services", statements(everyone), service, "", nil, Allow},
		{"user by ARN", statements(m{"Principal": m{"AWS": alice.Principal}}), alice, "", nil, Allow},
		{"another user", statements(m{"Principal": m{"AWS": UserARN(account, "bob")}}), alice, "", nil, None},
		{"same name in another account", statements(m{"Principal": m{"AWS": alice.Principal}}), foreign, "", nil, None},
		{"one of a list", statements(m{"Principal": m{"AWS": []string{UserARN(account, "bob"), alice.Principal}}}), alice, "", nil, Allow},
		{"account by root", statements(m{"Principal": m{"AWS": RootARN(account)}}), alice, "", nil, Delegated},
		{"account by id", statements(m{"Principal": m{"AWS": account}}), alice, "", nil, Delegated},
		{"another account", statements(m{"Principal": m{"AWS": account}}), foreign, "", nil, None},
		{"account does not mean services", statements(m{"Principal": m{"AWS": account}}), Caller{Service: "s3.amazonaws.com", Account: account}, "", nil, None},
		{"session by its role", statements(m{"Principal": m{"AWS": RoleARN(account, "reader")}}), session, "", nil, Allow},
		{"session by its role with a path", statements(m{"Principal": m{"AWS": RoleARN(account, "team/a/reader")}}), session, "", nil, Allow},
		{"session by another role", statements(m{"Principal": m{"AWS": RoleARN(account, "read")}}), session, "", nil, None},
		{"session by itself", statements(m{"Principal": m{"AWS": session.Principal}}), session, "", nil, Allow},
		{"another session of the role", statements(m{"Principal": m{"AWS": SessionARN(account, "reader", "other")}}), session, "", nil, None},
		{"service", statements(m{"Principal": m{"Service": "qldb.amazonaws.com"}}), service, "", nil, Allow},
		{"service with Region", statements(m{"Principal": m{"Service": "qldb.eu-west-2.amazonaws.com"}}), service, "", nil, Allow},
		{"another service", statements(m{"Principal": m{"Service": "s3.amazonaws.com"}}), service, "", nil, None},
		{"a service is not who it serves", statements(m{"Principal": m{"Service": "qldb.amazonaws.com"}}), viaQLDB, "", nil, None},
		{"nobody", statements(m{"Principal": m{"AWS": alice.Principal}}), Caller{}, "", nil, None},
		{"NotPrincipal spares", statements(m{"Principal": nil, "NotPrincipal": m{"AWS": alice.Principal}, "Effect": "Deny"}), alice, "", nil, None},
		{"NotPrincipal hits", statements(m{"Principal": nil, "NotPrincipal": m{"AWS": alice.Principal}, "Effect": "Deny"}), session, "", nil, Deny},

		{"deny outranks allow", statements(everyone, m{"Principal": "*", "Effect": "Deny"}), alice, "", nil, Deny},
		{"deny first, too", statements(m{"Principal": "*", "Effect": "Deny"}, everyone), alice, "", nil, Deny},
		{"deny for the account", statements(everyone, m{"Principal": m{"AWS": account}, "Effect": "Deny"}), alice, "", nil, Deny},
		{"deny for another action", statements(everyone, m{"Principal": "*", "Effect": "Deny", "Action": "kms:Encrypt"}), alice, "", nil, Allow},
		{"named outranks delegated", statements(m{"Principal": m{"AWS": account}}, m{"Principal": m{"AWS": alice.Principal}}), alice, "", nil, Allow},

		{"named outranks delegated, first too", statements(m{"Principal": m{"AWS": alice.Principal}}, m{"Principal": m{"AWS": account}}), alice, "", nil, Allow},
		{"session of a role of another account", statements(m{"Principal": m{"AWS": RoleARN("210987654321", "reader")}}), session, "", nil, None},

		{"action in another case", statements(m{"Principal": "*", "Action": "KMS:dECRYPT"}), alice, "", nil, Allow},
		{"action *", statements(m{"Principal": "*", "Action": "*"}), alice, "", nil, Allow},
		{"action kms:*", statements(m{"Principal": "*", "Action": "kms:*"}), alice, "", nil, Allow},
		{"action prefix", statements(m{"Principal": "*", "Action": "kms:Describe*"}), alice, "kms:DescribeKey", nil, Allow},
		{"action prefix of another", statements(m{"Principal": "*", "Action": "kms:Describe*"}), alice, "", nil, None},
		{"action ?", statements(m{"Principal": "*", "Action": "kms:?ecryp?"}), alice, "", nil, Allow},
		{"action ? is one character", statements(m{"Principal": "*", "Action": "kms:?crypt"}), alice, "", nil, None},
		{"one of many actions", statements(m{"Principal": "*", "Action": []string{"s3:*", "kms:ReEncrypt*", "kms:De*"}}), alice, "", nil, Allow},
		{"NotAction", statements(m{"Principal": "*", "Action": nil, "NotAction": "kms:Encrypt"}), alice, "", nil, Allow},
		{"NotAction of it", statements(m{"Principal": "*", "Action": nil, "NotAction": "kms:De*"}), alice, "", nil, None},
		{"resource by ARN", statements(m{"Principal": "*", "Resource": key}), alice, "", nil, Allow},
		{"resource by pattern", statements(m{"Principal": "*", "Resource": "arn:aws:kms:*:*:key/*"}), alice, "", nil, Allow},
		{"another resource", statements(m{"Principal": "*", "Resource": key + "0"}), alice, "", nil, None},
		{"no action is inert", statements(m{"Principal": "*", "Action": nil}), alice, "", nil, None},
		{"no resource is inert", statements(m{"Principal": "*", "Resource": nil}), alice, "", nil, None},

		{"StringEquals", statements(when("StringEquals", "kms:ViaService", "x")), alice, "", has("kms:viaservice", "x"), Allow},
		{"StringEquals is case-sensitive", statements(when("StringEquals", "kms:ViaService", "x")), alice, "", has("kms:viaservice", "X"), None},
		{"StringEquals without the key", statements(when("StringEquals", "kms:ViaService", "x")), alice, "", nil, None},
		{"StringEquals any of many", statements(when("StringEquals", "kms:ViaService", []string{"y", "x"})), alice, "", has("kms:viaservice", "x"), Allow},
		{"StringEqualsIfExists without the key", statements(when("StringEqualsIfExists", "kms:ViaService", "x")), alice, "", nil, Allow},
		{"StringEqualsIfExists with another", statements(when("StringEqualsIfExists", "kms:ViaService", "x")), alice, "", has("kms:viaservice", "y"), None},
		{"StringEqualsIgnoreCase", statements(when("StringEqualsIgnoreCase", "kms:ViaService", "x")), alice, "", has("kms:viaservice", "X"), Allow},
		{"StringNotEquals of it", statements(when("StringNotEquals", "kms:ViaService", []string{"y", "x"})), alice, "", has("kms:viaservice", "x"), None},
		{"StringNotEquals of another", statements(when("StringNotEquals", "kms:ViaService", []string{"y", "z"})), alice, "", has("kms:viaservice", "x"), Allow},
		{"StringNotEquals without the key", statements(when("StringNotEquals", "kms:ViaService", "x")), alice, "", nil, Allow},
		{"StringLike", statements(when("StringLike", "kms:ViaService", "qldb.*.amazonaws.com")), alice, "", has("kms:viaservice", "qldb.eu-west-2.amazonaws.com"), Allow},
		{"StringLike of another", statements(when("StringLike", "kms:ViaService", "qldb.*.amazonaws.com")), alice, "", has("kms:viaservice", "s3.eu-west-2.amazonaws.com"), None},
		{"StringNotLike", statements(when("StringNotLike", "kms:ViaService", "qldb.*")), alice, "", has("kms:viaservice", "s3.x"), Allow},
		{"Bool", statements(when("Bool", "kms:GrantIsForAWSResource", true)), alice, "", has("kms:grantisforawsresource", "true"), Allow},
		{"Bool as text", statements(when("Bool", "kms:GrantIsForAWSResource", "TRUE")), alice, "", has("kms:grantisforawsresource", "true"), Allow},
		{"Bool other", statements(when("Bool", "kms:GrantIsForAWSResource", true)), alice, "", has("kms:grantisforawsresource", "false"), None},
		{"ArnLike", statements(when("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:user/a*")), alice, "", nil, Allow},
		{"ArnLike keeps to its part", statements(when("ArnLike", "aws:PrincipalArn", "arn:aws:*:user/alice")), alice, "", nil, None},
		{"ArnEquals of a session is its role", statements(when("ArnEquals", "aws:PrincipalArn", RoleARN(account, "reader"))), session, "", nil, Allow},
		{"ArnNotLike", statements(when("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:user/b*")), alice, "", nil, Allow},
		{"Null wants absence", statements(when("Null", "kms:ViaService", true)), alice, "", nil, Allow},
		{"Null wants presence", statements(when("Null", "kms:ViaService", false)), alice, "", nil, None},
		{"ForAllValues", statements(when("ForAllValues:StringEquals", "kms:GrantOperations", []string{"A", "B"})), alice, "", has("kms:grantoperations", "A", "kms:grantoperations", "B"), Allow},
		{"ForAllValues with one more", statements(when("ForAllValues:StringEquals", "kms:GrantOperations", []string{"A", "B"})), alice, "", has("kms:grantoperations", "A", "kms:grantoperations", "C"), None},
		{"ForAllValues without the key", statements(when("ForAllValues:StringEquals", "kms:GrantOperations", []string{"A", "B"})), alice, "", nil, Allow},
		{"ForAnyValue", statements(when("ForAnyValue:StringEquals", "kms:GrantOperations", []string{"A", "B"})), alice, "", has("kms:grantoperations", "B", "kms:grantoperations", "C"), Allow},
		{"ForAnyValue without the key", statements(when("ForAnyValue:StringEquals", "kms:GrantOperations", "A")), alice, "", nil, None},
		{"both of two conditions", statements(m{"Principal": "*", "Condition": m{"StringEquals": m{"kms:A": "1", "kms:B": "2"}}}), alice, "", has("kms:a", "1", "kms:b", "2"), Allow},
		{"one of two conditions", statements(m{"Principal": "*", "Condition": m{"StringEquals": m{"kms:A": "1"}, "StringLike": m{"kms:B": "2"}}}), alice, "", has("kms:a", "1"), None},
		{"aws:SourceArn", statements(when("ArnEquals", "aws:SourceArn", "arn:aws:qldb:x:1:ledger/a")), Caller{Service: "qldb.amazonaws.com", SourceARN: "arn:aws:qldb:x:1:ledger/a"}, "", nil, Allow},
		{"aws:PrincipalIsAWSService", statements(when("Bool", "aws:PrincipalIsAWSService", true)), service, "", nil, Allow},
		{"aws:ViaAWSService", statements(when("Bool", "aws:ViaAWSService", true)), viaQLDB, "", nil, Allow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParsePolicy([]byte(tt.policy), Resource)
			if err != nil {
				t.Fatal(err)
			}
			r := &Request{Caller: tt.caller, Action: "kms:Decrypt", Resource: key, Value: tt.value}
			if tt.action != "" {
				r.Action = tt.action
			}
			if got := p.Evaluate(r); got != tt.want {
				t.Errorf("effect %d, want %d, of %s", got, tt.want, tt.policy)
			}
		})
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	tests := []struct{ name, policy, want string }{
		{"nothing", ``, "ends too early"},
		{"no JSON", `{"Version":`, "ends too early"},
		{"no object", `[]`, "a policy is a JSON object"},
		{"two documents", `{"Statement":[]} {}`, "something follows"},
		{"bytes", "{\"Statement\":[],\"Id\":\"\xff\"}", "UTF-8"},
		{"element twice", `{"Statement":[],"Statement":[]}`, `"Statement" twice`},
		{"element twice in a statement", `{"Statement":{"Effect":"Deny","Effect":"Allow"}}`, `"Effect" twice`},
		{"unknown element", `{"Statement":[],"Versoin":"2012-10-17"}`, `"Versoin" is no element`},
		{"unknown version", `{"Version":"2013-01-01","Statement":[]}`, "Version must be"},
		{"no statement", `{"Version":"2012-10-17"}`, "needs a Statement"},
		{"statement of the wrong kind", `{"Statement":"x"}`, "must be an object or a list"},
		{"statement in a list of the wrong kind", `{"Statement":["x"]}`, "statement must be an object"},
		{"unknown element in a statement", statements(m{"Principal": "*", "Actoin": "x"}), `"Actoin" is no element`},
		{"no effect", statements(m{"Principal": "*", "Effect": nil}), "needs an Effect"},
		{"unknown effect", statements(m{"Principal": "*", "Effect": "allow"}), "Effect must be"},
		{"no principal", statements(m{}), "Policy contains a statement with no principal."},
		{"empty principal", statements(m{"Principal": m{"AWS": []string{}}}), "Policy contains a statement with no principal."},
		{"principal of the wrong kind", statements(m{"Principal": "alice"}), "Principal must be"},
		{"principal of an unknown kind", statements(m{"Principal": m{"CanonicalUser": "x"}}), "CanonicalUser"},
		{"principal and its opposite", statements(m{"Principal": "*", "NotPrincipal": "*"}), "not both"},
		{"action and its opposite", statements(m{"Principal": "*", "NotAction": "*"}), "not both"},
		{"resource and its opposite", statements(m{"Principal": "*", "NotResource": "*"}), "not both"},
		{"action of the wrong kind", statements(m{"Principal": "*", "Action": []any{1}}), "Action must be a string"},
		{"condition of the wrong kind", statements(m{"Principal": "*", "Condition": "x"}), "not an object"},
		{"condition without operator", statements(m{"Principal": "*", "Condition": m{"StringEquals": "x"}}), "not an object"},
		{"unknown operator", statements(m{"Principal": "*", "Condition": m{"StringSame": m{"a": "b"}}}), `"StringSame"`},
		{"operator not built", statements(m{"Principal": "*", "Condition": m{"BinaryEquals": m{"a": "b"}}}), `"BinaryEquals"`},
		{"condition value of the wrong kind", statements(m{"Principal": "*", "Condition": m{"Bool": m{"a": m{}}}}), "not a string"},
		{"policy variable without end", statements(m{"Principal": "*", "Resource": "${aws:username"}), "has no end"},
		{"policy variable in an action", statements(m{"Principal": "*", "Action": "kms:${aws:username}"}), "policy variables"},
		{"too deep", strings.Repeat("[", 40) + strings.Repeat("]", 40), "too deep"},
		{"too large", `{"Id":"` + strings.Repeat("x", MaxPolicy) + `"}`, "more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParsePolicy([]byte(tt.policy), Resource)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	if _, err := ParsePolicy([]byte(statements(m{"Principal": "*"})), Identity); err == nil {
		t.Error("an identity policy may not name a principal")
	}
}

func TestParsePolicyTakesStringsAndLists(t *testing.T) {
	for _, text := range []string{
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}`,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["kms:*"],"Resource":["*"]}]}`,
		` {"Version":"2008-10-17","Id":"x","Statement":[{"Sid":"s","Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*","Condition":{}}]} ` + "\n",
	} {
		p, err := ParsePolicy([]byte(text), Resource)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := p.Evaluate(&Request{Caller: alice, Action: "kms:Decrypt", Resource: key}); got != Allow {
			t.Errorf("effect %d of %s, want Allow", got, text)
		}
	}
}

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"**", "", true}, {"?", "", false}, {"a", "a", true},
		{"a*", "abc", true}, {"*c", "abc", true}, {"a*c", "abbc", true}, {"a*c", "abbcd", false}, {"*b*", "abc", true},
		{"a?c", "aéc", true}, {"a??c", "aéc", false}, {"*a*a*a*b", strings.Repeat("a", 50), false}, {"a*b?d", "axxbcbxd", true},
	}
	for _, tt := range tests {
		if got := glob(tt.pattern, tt.s, false); got != tt.want {
			t.Errorf("glob(%q, %q) = %v, want %v", tt.pattern, tt.s, got, tt.want)
		}
	}
	if !glob("KMS:de*", "kms:Decrypt", true) || glob("KMS:*", "kms:Decrypt", false) {
		t.Error("fold must decide about case")
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(statements(m{"Principal": m{"AWS": RoleARN(account, "r")}, "Condition": m{"StringEquals": m{"kms:ViaService": "x"}}})))
	f.Add([]byte(statements(m{"Principal": m{"Service": []string{"qldb.amazonaws.com"}}, "NotAction": "a?*", "Action": nil})))
	f.Add([]byte(`{"Statement":{"Effect":"Deny","Principal":"*","Condition":{"ForAllValues:ArnNotLikeIfExists":{"aws:SourceArn":["*",5,true]}}}}`))
	f.Add([]byte(`{"Statement":{"Effect":"Deny","Principal":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","::1"]},"DateLessThan":{"aws:CurrentTime":"2026"}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy(text, Resource)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("took what is not JSON: %q", text)
		}
		p.Principals()
		for _, c := range []Caller{alice.From("[::1]:80", "x"), session, foreign, service, viaQLDB, {}} {
			e := p.Evaluate(&Request{Caller: c, Action: "kms:Decrypt", Resource: key})
			if e < None || e > Deny {
				t.Fatalf("effect %d", e)
			}
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	p, err := ParsePolicy([]byte(statements(
		m{"Principal": m{"AWS": RootARN(account)}, "Action": "kms:*"},
		m{"Principal": m{"AWS": "*"}, "Action": []string{"kms:DescribeKey", "kms:CreateGrant"}, "Condition": m{"StringEquals": m{"kms:ViaService": "x", "kms:CallerAccount": account}}},
		m{"Principal": m{"AWS": []string{RoleARN(account, "a"), RoleARN(account, "reader")}}})), Resource)
	if err != nil {
		b.Fatal(err)
	}
	r := &Request{Caller: session, Action: "kms:Decrypt", Resource: key}
	for b.Loop() {
		if p.Evaluate(r) != Allow {
			b.Fatal("not allowed")
		}
	}
}

func ExamplePolicy_Evaluate() {
	p, _ := ParsePolicy([]byte(`{"Statement": {"Effect": "Allow", "Principal": {"AWS": "123456789012"},
		"Action": "kms:*", "Resource": "*"}}`), Resource)
	r := &Request{Caller: Caller{Principal: UserARN("123456789012", "alice"), Account: "123456789012"}, Action: "kms:Decrypt"}
	fmt.Println(p.Evaluate(r) == Delegated)
	// Output: true
}
