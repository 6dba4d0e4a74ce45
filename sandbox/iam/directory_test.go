package iam

import (
	"errors"
	"strings"
	"testing"
)

func TestDirectory(t *testing.T) {
	d := NewDirectory(account)
	callers := []struct{ key, want string }{
		{"AKIAIOSFODNN7EXAMPLE", "arn:aws:iam::123456789012:user/admin"},
		{"", "arn:aws:iam::123456789012:user/admin"},
		{CreateRecordKey, "arn:aws:sts::123456789012:assumed-role/qldb-kms-create-record-role/create-record"},
		{GetRecordKey, "arn:aws:sts::123456789012:assumed-role/qldb-kms-get-record-role/get-record"},
		{NoKMSKey, "arn:aws:sts::123456789012:assumed-role/qldb-kms-no-kms-role/no-kms"},
	}
	for _, tt := range callers {
		if got := d.Caller(tt.key); got.Principal != tt.want || got.Account != account {
			t.Errorf("access key %q calls as %q, want %q", tt.key, got.Principal, tt.want)
		}
	}
	for _, key := range []string{CreateRecordKey, GetRecordKey, NoKMSKey} {
		if len(key) != 20 {
			t.Errorf("access key id %s has %d characters, want 20", key, len(key))
		}
	}
}

func TestIdentity(t *testing.T) {
	d := NewDirectory(account)
	if err := d.Add(RoleARN(account, "team/reader"), `{"Statement":{"Effect":"Allow","Action":"kms:De*","Resource":"*"}}`,
		`{"Statement":{"Effect":"Deny","Action":"kms:DescribeKey","Resource":"*"}}`); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		caller Caller
		action string
		want   Effect
	}{
		{"administrator", d.Admin(), "kms:Decrypt", Allow},
		{"root user", Caller{Principal: RootARN(account), Account: account}, "kms:Decrypt", Allow},
		{"the roles speak with the ledger", d.Session(GetRecordRole, "x"), "qldb:SendCommand", Allow},
		{"the roles have no KMS permission", d.Session(GetRecordRole, "x"), "kms:Decrypt", None},
		{"nor has the no-KMS role", d.Session(NoKMSRole, "x"), "kms:Decrypt", None},
		{"session of an added role", d.Session("reader", "x"), "kms:Decrypt", Allow},
		{"deny outranks allow", d.Session("reader", "x"), "kms:DescribeKey", Deny},
		{"unknown user", Caller{Principal: UserARN(account, "eve"), Account: account}, "kms:Decrypt", None},
		{"a service has no policies", Caller{Service: "qldb.amazonaws.com"}, "kms:Decrypt", None},
		{"nobody", Caller{}, "kms:Decrypt", None},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := d.Identity(&Request{Caller: tt.caller, Action: tt.action, Resource: "*"}); got != tt.want {
				t.Errorf("effect %d, want %d", got, tt.want)
			}
		})
	}
	if err := d.Add(RootARN(account)); err == nil {
		t.Error("root is neither user nor role")
	}
	if err := d.Add(UserARN(account, "x"), `{}`); err == nil {
		t.Error("a malformed policy was taken")
	}
}

// TestAddRefusesNames adds roles that would take over the sessions of another, or be none.
func TestAddRefusesNames(t *testing.T) {
	d := NewDirectory(account)
	admin := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	for _, name := range []string{"x/" + NoKMSRole, "a/b/" + GetRecordRole, NoKMSRole + "/", "", "a b", "a*", "a?", "a:b",
		strings.Repeat("a", 65)} {
		if err := d.Add(RoleARN(account, name), admin); err == nil {
			t.Errorf("the role %q was added", name)
		}
	}
	r := &Request{Caller: d.Session(NoKMSRole, "s"), Action: "kms:Decrypt", Resource: "*"}
	if got := d.Identity(r); got != None {
		t.Errorf("the policies of %s say %v of %s", NoKMSRole, got, r.Action)
	}
	for _, name := range []string{"team/fresh", "team/fresh", NoKMSRole} {
		if err := d.Add(RoleARN(account, name), admin); err != nil {
			t.Errorf("the role %q: %v", name, err)
		}
	}
	if err := d.Add(RoleARN("210987654321", "x/"+NoKMSRole)); err != nil {
		t.Errorf("a role of another account: %v", err)
	}
}

func TestExists(t *testing.T) {
	d := NewDirectory(account)
	tests := []struct {
		principal string
		want      bool
	}{
		{"*", true}, {account, true}, {"1234", false}, {RootARN(account), true}, {RootARN("210987654321"), true},
		{UserARN(account, AdminUser), true}, {UserARN(account, "eve"), false}, {RoleARN(account, GetRecordRole), true},
		{RoleARN(account, "gone"), false}, {RoleARN("210987654321", "taken/on/trust"), true},
		{SessionARN(account, GetRecordRole, "any"), true}, {SessionARN(account, "gone", "any"), false},
		{RoleARN(account, "qldb-*"), false}, {"qldb.amazonaws.com", true}, {"qldb.eu-west-2.amazonaws.com", true},
		{"service qldb", false}, {"alice", false}, {"", false}, {"arn:aws:s3:::bucket", false}, {"arn:aws:iam::123456789012:group/g", false},
	}
	for _, tt := range tests {
		if got := d.Exists(tt.principal); got != tt.want {
			t.Errorf("Exists(%q) = %v, want %v", tt.principal, got, tt.want)
		}
	}
}

func TestSameService(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"qldb.amazonaws.com", "qldb.amazonaws.com", true},
		{"qldb.eu-west-2.amazonaws.com", "qldb.amazonaws.com", true},
		{"qldb.eu-west-2.amazonaws.com", "qldb.us-east-1.amazonaws.com", false},
		{"qldb.amazonaws.com", "s3.amazonaws.com", false},
		{"", "", false}, {".amazonaws.com", ".amazonaws.com", false}, {"qldb", "qldb", false},
	}
	for _, tt := range tests {
		if got := SameService(tt.a, tt.b); got != tt.want {
			t.Errorf("SameService(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestParseAuthorization(t *testing.T) {
	const good = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/eu-west-2/kms/aws4_request, " +
		"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=df92"
	tests := []struct {
		name, header string
		want         Credential
		err          error
	}{
		{"AWS CLI", good, Credential{"AKIAIOSFODNN7EXAMPLE", "20261123", "eu-west-2", "kms"}, nil},
		{"no spaces", strings.ReplaceAll(good, ", ", ","), Credential{"AKIAIOSFODNN7EXAMPLE", "20261123", "eu-west-2", "kms"}, nil},
		{"another order", "AWS4-HMAC-SHA256 SignedHeaders=host, Credential=A/1/r/s/aws4_request, Signature=x", Credential{"A", "1", "r", "s"}, nil},
		{"missing", "", Credential{}, ErrNoAuthorization},
		{"basic", "Basic dXNlcjpwYXNz", Credential{}, ErrAuthorization},
		{"no credential", "AWS4-HMAC-SHA256 Signature=x", Credential{}, ErrAuthorization},
		{"short scope", "AWS4-HMAC-SHA256 Credential=A/20261123/eu-west-2/kms", Credential{}, ErrAuthorization},
		{"empty key", "AWS4-HMAC-SHA256 Credential=/1/r/s/aws4_request", Credential{}, ErrAuthorization},
		{"other ending", "AWS4-HMAC-SHA256 Credential=A/1/r/s/aws5_request", Credential{}, ErrAuthorization},
		{"huge", good + strings.Repeat("x", maxAuthorization), Credential{}, ErrAuthorization},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseAuthorization(tt.header)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v, want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}
