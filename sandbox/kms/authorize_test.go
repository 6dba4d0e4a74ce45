package kms_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

const refersTo = "AccessDeniedException: The ciphertext refers to a customer master key that does not exist, " +
	"does not exist in this region, or you are not allowed to access."

type m = map[string]any

var (
	rootStatement = m{"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": m{"AWS": "arn:aws:iam::" + account + ":root"},
		"Action": "kms:*", "Resource": "*"}
	// The article's two further statements.
	ledgerStatement = m{"Effect": "Allow", "Principal": m{"AWS": "*"}, "Action": []string{"kms:DescribeKey", "kms:CreateGrant"}, "Resource": "*",
		"Condition": m{"StringEquals": m{"kms:ViaService": "qldb.eu-west-2.amazonaws.com", "kms:CallerAccount": account}}}
	roleStatement = m{"Effect": "Allow", "Principal": m{"AWS": []string{iam.RoleARN(account, iam.CreateRecordRole), iam.RoleARN(account, iam.GetRecordRole)}},
		"Action": "kms:Decrypt", "Resource": "*"}
)

func policy(statements ...m) string {
	b, err := json.Marshal(m{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestAuthorization(t *testing.T) {
	r := newRig(t)
	reader := r.Directory().Session(iam.GetRecordRole, "get-record")
	stranger := r.Directory().Session(iam.NoKMSRole, "no-kms")
	root := iam.Caller{Principal: iam.RootARN(account), Account: account}
	foreign := iam.Caller{Principal: iam.UserARN("210987654321", "eve"), Account: "210987654321"}
	service := iam.Caller{Service: "qldb.amazonaws.com"}
	via := func(c iam.Caller) iam.Caller { c.Via = "qldb.eu-west-2.amazonaws.com"; return c }
	denyReader := m{"Effect": "Deny", "Principal": m{"AWS": iam.RoleARN(account, iam.GetRecordRole)}, "Action": "kms:*", "Resource": "*"}
	owner := m{"Effect": "Allow", "Principal": m{"AWS": r.admin.Principal}, "Action": "kms:*", "Resource": "*"}
	fold := m{"Effect": "Allow", "Principal": m{"AWS": iam.RoleARN(account, iam.NoKMSRole)}, "Action": []string{"KMS:describe*", "kms:?ecrypt"}, "Resource": "*"}
	onlyFor := func(key string, value any) m {
		return m{"Effect": "Allow", "Principal": m{"AWS": reader.Principal}, "Action": "kms:*", "Resource": "*", "Condition": m{"StringEquals": m{key: value}}}
	}
	full := policy(rootStatement, ledgerStatement, roleStatement)

	type outcome string
	const (
		allowed    outcome = ""
		refers     outcome = refersTo
		noResource outcome = "no resource"
		noIdentity outcome = "no identity"
		deny       outcome = "deny"
		elsewhere  outcome = "elsewhere"
	)
	tests := []struct {
		name   string
		policy string
		caller iam.Caller
		op     string // Decrypt (without KeyId), DecryptKey (with), DescribeKey, CreateGrant, Encrypt
		want   outcome
	}{
		{"administrator by delegation", full, r.admin, "Decrypt", allowed},
		{"root user", full, root, "Decrypt", allowed},
		{"role by the key's policy", full, reader, "Decrypt", allowed},
		{"role through the ledger", full, via(reader), "Decrypt", allowed},
		{"role for what it has no permission", full, reader, "Encrypt", noIdentity},
		{"no-access key, as the article's role", policy(rootStatement, ledgerStatement), via(reader), "Decrypt", refers},
		{"no-access key, naming it", policy(rootStatement, ledgerStatement), reader, "DecryptKey", noIdentity},
		{"no root statement", policy(owner), reader, "DecryptKey", noResource},
		{"role without permission", full, stranger, "Decrypt", refers},
		{"via the ledger: describe", full, via(stranger), "DescribeKey", allowed},
		{"via the ledger: grant", full, via(stranger), "CreateGrant", allowed},
		{"directly: describe", full, stranger, "DescribeKey", noIdentity},
		{"via another service: describe", full, iam.Caller{Principal: stranger.Principal, Account: account, Via: "s3.eu-west-2.amazonaws.com"}, "DescribeKey", noIdentity},
		{"via the ledger from another account", full, via(foreign), "DescribeKey", elsewhere},
		{"another account", full, foreign, "DescribeKey", elsewhere},
		{"service for itself", full, service, "DecryptKey", noResource},
		{"service for itself, blind", full, service, "Decrypt", refers},
		{"explicit deny for the role", policy(rootStatement, roleStatement, denyReader), reader, "DecryptKey", deny},
		{"explicit deny for the role, blind", policy(rootStatement, roleStatement, denyReader), reader, "Decrypt", refers},
		{"explicit deny spares the administrator", policy(rootStatement, roleStatement, denyReader), r.admin, "Decrypt", allowed},
		{"wildcards in another case", policy(rootStatement, fold), stranger, "DescribeKey", allowed},
		{"wildcards in another case: decrypt", policy(rootStatement, fold), stranger, "Decrypt", allowed},
		{"encryption context matches", policy(rootStatement, onlyFor("kms:EncryptionContext:Purpose", "test")), reader, "Decrypt", allowed},
		{"encryption context does not match", policy(rootStatement, onlyFor("kms:EncryptionContext:purpose", []string{"Test", "other"})), reader, "Decrypt", refers},
		{"asked for by alias", policy(rootStatement, onlyFor("kms:RequestAlias", "alias/auth")), reader, "DescribeAlias", allowed},
		{"not asked for by alias", policy(rootStatement, onlyFor("kms:RequestAlias", "alias/auth")), reader, "DescribeKey", noIdentity},
		{"caller's account", policy(rootStatement, onlyFor("kms:CallerAccount", account)), reader, "DescribeKey", allowed},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			arn, _ := r.newKey(t, kms.CreateKeyRequest{Policy: tt.policy})
			alias := "alias/auth"
			if i > 0 {
				if err := r.DeleteAlias(r.admin, &kms.DeleteAliasRequest{AliasName: alias}); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: alias, TargetKeyId: arn}); err != nil {
				t.Fatal(err)
			}
			ec := map[string]string{"purpose": "test"}
			sealed, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: arn, Plaintext: []byte("x"), EncryptionContext: ec})
			if err != nil {
				t.Fatal(err)
			}
			action := tt.op
			switch tt.op {
			case "Decrypt":
				_, err = r.Decrypt(tt.caller, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: ec})
			case "DecryptKey":
				action = "Decrypt"
				_, err = r.Decrypt(tt.caller, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: ec, KeyId: arn})
			case "Encrypt":
				_, err = r.Encrypt(tt.caller, &kms.EncryptRequest{KeyId: arn, Plaintext: []byte("x")})
			case "DescribeKey":
				_, err = r.DescribeKey(tt.caller, &kms.DescribeKeyRequest{KeyId: arn})
			case "DescribeAlias":
				_, err = r.DescribeKey(tt.caller, &kms.DescribeKeyRequest{KeyId: alias})
			case "CreateGrant":
				_, err = r.CreateGrant(tt.caller, &kms.CreateGrantRequest{KeyId: arn, GranteePrincipal: "qldb.eu-west-2.amazonaws.com", Operations: []string{"Decrypt"}})
			}
			who := tt.caller.Principal
			if who == "" {
				who = tt.caller.Service
			}
			user := fmt.Sprintf("AccessDeniedException: User: %s is not authorized to perform: kms:%s on ", who, action)
			want := string(tt.want)
			switch tt.want {
			case noResource:
				want = fmt.Sprintf("%sresource: %s because no resource-based policy allows the kms:%s action", user, arn, action)
			case noIdentity:
				want = fmt.Sprintf("%sresource: %s because no identity-based policy allows the kms:%s action", user, arn, action)
			case deny:
				want = fmt.Sprintf("%sresource: %s with an explicit deny in a resource-based policy", user, arn)
			case elsewhere:
				want = user + "this resource because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"
			}
			if got := refusal(err); got != want {
				t.Errorf("answer\n%q, want\n%q", got, want)
			}
		})
	}
}

func TestAuthorizationWithoutKey(t *testing.T) {
	r := newRig(t)
	reader := r.Directory().Session(iam.GetRecordRole, "get-record")
	everyone := m{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
	_, id := r.newKey(t, kms.CreateKeyRequest{Policy: policy(everyone)})
	denied := func(op, resource string) string {
		return fmt.Sprintf("AccessDeniedException: User: %s is not authorized to perform: kms:%s on resource: %s because no identity-based policy allows the kms:%s action",
			reader.Principal, op, resource, op)
	}
	_, err := r.CreateKey(reader, &kms.CreateKeyRequest{})
	if got, want := refusal(err), denied("CreateKey", "*"); got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	_, err = r.ListKeys(reader, &kms.ListKeysRequest{})
	if got, want := refusal(err), denied("ListKeys", "*"); got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	_, err = r.ListAliases(reader, nil)
	if got, want := refusal(err), denied("ListAliases", "*"); got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	// The key's policy lets everyone, but an alias has no policy: the caller's own must allow it.
	err = r.CreateAlias(reader, &kms.CreateAliasRequest{AliasName: "alias/x", TargetKeyId: id})
	if got, want := refusal(err), denied("CreateAlias", "arn:aws:kms:eu-west-2:123456789012:alias/x"); got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
}

func TestLockout(t *testing.T) {
	r := newRig(t)
	locked := policy(roleStatement)
	const want = "MalformedPolicyDocumentException: The new key policy will not allow you to update the key policy in the future."
	_, err := r.CreateKey(r.admin, &kms.CreateKeyRequest{Policy: locked})
	if got := refusal(err); got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	arn, _ := r.newKey(t, kms.CreateKeyRequest{Policy: locked, BypassPolicyLockoutSafetyCheck: true})
	_, err = r.GetKeyPolicy(r.admin, &kms.GetKeyPolicyRequest{KeyId: arn})
	if got := refusal(err); !strings.Contains(got, "because no resource-based policy allows the kms:GetKeyPolicy action") {
		t.Errorf("the administrator is not locked out: %q", got)
	}
	_, err = r.CreateKey(r.admin, &kms.CreateKeyRequest{Policy: policy(rootStatement) + strings.Repeat(" ", 32<<10)})
	if got := refusal(err); !strings.HasPrefix(got, "LimitExceededException: ") {
		t.Errorf("33 KiB of policy: %q", got)
	}
	// Whoever may not put policies at all is locked out from the beginning.
	creator := iam.Caller{Principal: iam.UserARN(account, "creator"), Account: account}
	if err := r.Directory().Add(creator.Principal, `{"Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"},{"Effect":"Deny","Action":"kms:PutKeyPolicy","Resource":"*"}]}`); err != nil {
		t.Fatal(err)
	}
	_, err = r.CreateKey(creator, nil)
	if got := refusal(err); got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	// A Deny for the administrator locks it out, although the root statement is still there.
	deny := m{"Effect": "Deny", "Principal": m{"AWS": r.admin.Principal}, "Action": "kms:Put*", "Resource": "*"}
	_, err = r.CreateKey(r.admin, &kms.CreateKeyRequest{Policy: policy(rootStatement, deny)})
	if got := refusal(err); got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
}

func TestGrants(t *testing.T) {
	const qldb = "qldb.eu-west-2.amazonaws.com"
	const ledgerARN = "arn:aws:qldb:eu-west-2:123456789012:ledger/book"
	r := newRig(t)
	reader := r.Directory().Session(iam.GetRecordRole, "get-record")
	service := iam.Caller{Service: "qldb.amazonaws.com"}
	forAdmin := r.admin
	forAdmin.Via = qldb
	forLedger := service
	forLedger.SourceARN = ledgerARN
	ab, abc := map[string]string{"a": "b"}, map[string]string{"a": "b", "c": "d"}

	tests := []struct {
		name    string
		creator iam.Caller
		grant   kms.CreateGrantRequest
		caller  iam.Caller
		context map[string]string
		allowed bool
	}{
		{"service by its Regional name", forAdmin, kms.CreateGrantRequest{GranteePrincipal: qldb}, service, ab, true},
		{"service by its global name", forAdmin, kms.CreateGrantRequest{GranteePrincipal: "qldb.amazonaws.com"}, service, ab, true},
		{"service of another Region", forAdmin, kms.CreateGrantRequest{GranteePrincipal: qldb}, iam.Caller{Service: "qldb.us-east-1.amazonaws.com"}, ab, false},
		{"another service", forAdmin, kms.CreateGrantRequest{GranteePrincipal: qldb}, iam.Caller{Service: "s3.amazonaws.com"}, ab, false},
		{"the service's grant is not its users'", forAdmin, kms.CreateGrantRequest{GranteePrincipal: qldb}, iam.Caller{Principal: reader.Principal, Account: account, Via: qldb}, ab, false},
		{"service principal by its new field", r.admin, kms.CreateGrantRequest{GranteeServicePrincipal: "qldb.amazonaws.com", RetiringPrincipal: r.admin.Principal,
			Constraints: &kms.GrantConstraints{SourceArn: ledgerARN}}, forLedger, ab, true},
		{"service for another resource", r.admin, kms.CreateGrantRequest{GranteeServicePrincipal: "qldb.amazonaws.com", RetiringPrincipal: r.admin.Principal,
			Constraints: &kms.GrantConstraints{SourceArn: ledgerARN}}, service, ab, false},
		{"role", r.admin, kms.CreateGrantRequest{GranteePrincipal: iam.RoleARN(account, iam.GetRecordRole)}, reader, ab, true},
		{"session", r.admin, kms.CreateGrantRequest{GranteePrincipal: reader.Principal}, reader, ab, true},
		{"another role", r.admin, kms.CreateGrantRequest{GranteePrincipal: iam.RoleARN(account, iam.CreateRecordRole)}, reader, ab, false},
		{"account leaves it to the caller's policies", r.admin, kms.CreateGrantRequest{GranteePrincipal: iam.RootARN(account)}, reader, ab, false},
		{"another operation", r.admin, kms.CreateGrantRequest{GranteePrincipal: reader.Principal, Operations: []string{"Encrypt"}}, reader, ab, false},
		{"context equal", r.admin, kms.CreateGrantRequest{GranteePrincipal: reader.Principal, Constraints: &kms.GrantConstraints{EncryptionContextEquals: ab}}, reader, ab, true},
		{"context with more than equal", r.admin, kms.CreateGrantRequest{GranteePrincipal: reader.Principal, Constraints: &kms.GrantConstraints{EncryptionContextEquals: ab}}, reader, abc, false},
		{"context with subset", r.admin, kms.CreateGrantRequest{GranteePrincipal: reader.Principal, Constraints: &kms.GrantConstraints{EncryptionContextSubset: ab}}, reader, abc, true},
		{"context without subset", r.admin, kms.CreateGrantRequest{GranteePrincipal: reader.Principal, Constraints: &kms.GrantConstraints{EncryptionContextSubset: abc}}, reader, ab, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			arn, id := r.newKey(t, kms.CreateKeyRequest{})
			sealed, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: id, Plaintext: []byte("x"), EncryptionContext: tt.context})
			if err != nil {
				t.Fatal(err)
			}
			in := tt.grant
			in.KeyId = arn
			if in.Operations == nil {
				in.Operations = []string{"Decrypt", "DescribeKey"}
			}
			g, err := r.CreateGrant(tt.creator, &in)
			if err != nil {
				t.Fatal(err)
			}
			try := func() string {
				_, err := r.Decrypt(tt.caller, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: tt.context})
				return refusal(err)
			}
			want := refersTo
			if tt.allowed {
				want = ""
			}
			if got := try(); got != want {
				t.Errorf("answer %q, want %q", got, want)
			}
			if err := r.RevokeGrant(r.admin, &kms.RevokeGrantRequest{KeyId: arn, GrantId: g.GrantId}); err != nil {
				t.Fatal(err)
			}
			if got := try(); got != refersTo {
				t.Errorf("after the grant was revoked: %q", got)
			}
		})
	}

	t.Run("hands on no more than it has", func(t *testing.T) {
		arn, _ := r.newKey(t, kms.CreateKeyRequest{})
		if _, err := r.CreateGrant(r.admin, &kms.CreateGrantRequest{KeyId: arn, GranteePrincipal: reader.Principal,
			Operations: []string{"CreateGrant", "Decrypt"}, Constraints: &kms.GrantConstraints{EncryptionContextSubset: ab}}); err != nil {
			t.Fatal(err)
		}
		for _, child := range []struct {
			name    string
			in      kms.CreateGrantRequest
			allowed bool
		}{
			{"fewer operations, stricter", kms.CreateGrantRequest{Operations: []string{"Decrypt"}, Constraints: &kms.GrantConstraints{EncryptionContextSubset: abc}}, true},
			{"equals is stricter", kms.CreateGrantRequest{Operations: []string{"Decrypt"}, Constraints: &kms.GrantConstraints{EncryptionContextEquals: ab}}, true},
			{"another operation", kms.CreateGrantRequest{Operations: []string{"Encrypt"}, Constraints: &kms.GrantConstraints{EncryptionContextSubset: ab}}, false},
			{"without the constraint", kms.CreateGrantRequest{Operations: []string{"Decrypt"}}, false},
		} {
			child.in.KeyId, child.in.GranteePrincipal = arn, iam.RoleARN(account, iam.NoKMSRole)
			if _, err := r.CreateGrant(reader, &child.in); (err == nil) != child.allowed {
				t.Errorf("%s: %v", child.name, err)
			}
		}
	})

	t.Run("a grant to a service principal needs its source", func(t *testing.T) {
		arn, _ := r.newKey(t, kms.CreateKeyRequest{})
		for _, in := range []kms.CreateGrantRequest{
			{GranteeServicePrincipal: qldb, RetiringPrincipal: r.admin.Principal},
			{GranteeServicePrincipal: qldb, Constraints: &kms.GrantConstraints{SourceArn: ledgerARN}},
			{GranteeServicePrincipal: qldb, GranteePrincipal: r.admin.Principal, RetiringPrincipal: r.admin.Principal, Constraints: &kms.GrantConstraints{SourceArn: ledgerARN}},
			{GranteeServicePrincipal: "alice", RetiringPrincipal: r.admin.Principal, Constraints: &kms.GrantConstraints{SourceArn: ledgerARN}},
		} {
			in.KeyId, in.Operations = arn, []string{"Decrypt"}
			if _, err := r.CreateGrant(r.admin, &in); !strings.HasPrefix(refusal(err), "ValidationException: ") {
				t.Errorf("%+v: %v", in, err)
			}
		}
	})
}

// TestIdentityPolicies: what the caller's own policies say counts beside the key's.
func TestIdentityPolicies(t *testing.T) {
	r := newRig(t)
	const all = `{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`
	add := func(account, user string, policies ...string) iam.Caller {
		arn := iam.UserARN(account, user)
		if err := r.Directory().Add(arn, policies...); err != nil {
			t.Fatal(err)
		}
		return iam.Caller{Principal: arn, Account: account}
	}
	denied := add(account, "denied", all, `{"Statement":{"Effect":"Deny","Action":"kms:D*","Resource":"*"}}`)
	named := add(account, "named")
	delegated := add(account, "delegated", all)
	narrow := add(account, "narrow", `{"Statement":{"Effect":"Allow","Action":"kms:DescribeKey","Resource":"arn:aws:kms:eu-west-2:123456789012:key/1*"}}`)
	foreign := add("210987654321", "foreign", all)
	powerless := iam.Caller{Principal: iam.UserARN("210987654321", "powerless"), Account: "210987654321"}
	names := m{"Effect": "Allow", "Principal": m{"AWS": []string{denied.Principal, named.Principal, "210987654321", powerless.Principal}},
		"Action": "kms:DescribeKey", "Resource": "*"}
	arn, _ := r.newKey(t, kms.CreateKeyRequest{Policy: policy(rootStatement, names)})
	for strings.Contains(arn, ":key/1") { // narrow must not reach it
		arn, _ = r.newKey(t, kms.CreateKeyRequest{Policy: policy(rootStatement, names)})
	}
	for _, tt := range []struct {
		caller iam.Caller
		want   string // end of the refusal
	}{
		{denied, "with an explicit deny in an identity-based policy"},
		{named, ""},
		{delegated, ""},
		{narrow, "because no identity-based policy allows the kms:DescribeKey action"},
		{foreign, ""}, // both accounts allow it
		{powerless, "or a resource-based policy explicitly denies access"}, // the key's account alone is not enough
	} {
		_, err := r.DescribeKey(tt.caller, &kms.DescribeKeyRequest{KeyId: arn})
		if got := refusal(err); !strings.HasSuffix(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: answer %q, want %q", tt.caller.Principal, got, tt.want)
		}
	}
	_, err := r.DescribeKey(r.admin, &kms.DescribeKeyRequest{KeyId: strings.Replace(arn, account, "210987654321", 1)})
	if got := refusal(err); !strings.Contains(got, "because the resource does not exist in this Region") {
		t.Errorf("key of another account: %q", got)
	}
}

// TestAliasPermissions: an alias is moved with permission on the alias, on the key it leaves and on
// the one it goes to.
func TestAliasPermissions(t *testing.T) {
	r := newRig(t)
	const everywhere = `{"Statement":{"Effect":"Allow","Action":"kms:UpdateAlias","Resource":"*"}}`
	const keysOnly = `{"Statement":{"Effect":"Allow","Action":"kms:UpdateAlias","Resource":"arn:aws:kms:*:*:key/*"}}`
	mover := iam.Caller{Principal: iam.UserARN(account, "mover"), Account: account}
	grounded := iam.Caller{Principal: iam.UserARN(account, "grounded"), Account: account}
	for arn, text := range map[string]string{mover.Principal: everywhere, grounded.Principal: keysOnly} {
		if err := r.Directory().Add(arn, text); err != nil {
			t.Fatal(err)
		}
	}
	deny := m{"Effect": "Deny", "Principal": m{"AWS": mover.Principal}, "Action": "kms:UpdateAlias", "Resource": "*"}
	open1, _ := r.newKey(t, kms.CreateKeyRequest{})
	open2, _ := r.newKey(t, kms.CreateKeyRequest{})
	shut, _ := r.newKey(t, kms.CreateKeyRequest{Policy: policy(rootStatement, deny)})
	for _, tt := range []struct {
		name     string
		caller   iam.Caller
		from, to string
		allowed  bool
	}{
		{"all three", mover, open1, open2, true},
		{"not from", mover, shut, open1, false},
		{"not to", mover, open1, shut, false},
		{"not the alias", grounded, open1, open2, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: "alias/move", TargetKeyId: tt.from}); err != nil {
				t.Fatal(err)
			}
			err := r.UpdateAlias(tt.caller, &kms.UpdateAliasRequest{AliasName: "alias/move", TargetKeyId: tt.to})
			if got := refusal(err); (got == "") != tt.allowed || !tt.allowed && !strings.HasPrefix(got, "AccessDeniedException: ") {
				t.Errorf("answer %q, want allowed %v", got, tt.allowed)
			}
			if err := r.DeleteAlias(r.admin, &kms.DeleteAliasRequest{AliasName: "alias/move"}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	r := newRig(t)
	_, id := r.newKey(t, kms.CreateKeyRequest{})
	_, otherID := r.newKey(t, kms.CreateKeyRequest{})
	create := func(n int, key string) error {
		return r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: fmt.Sprintf("alias/n%d", n), TargetKeyId: key})
	}
	for n := range 50 {
		if err := create(n, id); err != nil {
			t.Fatal(err)
		}
	}
	if got := refusal(create(50, id)); !strings.HasPrefix(got, "LimitExceededException: ") {
		t.Errorf("alias 51: %q", got)
	}
	if err := create(50, otherID); err != nil {
		t.Fatal(err)
	}
	update := func(n int) error {
		return r.UpdateAlias(r.admin, &kms.UpdateAliasRequest{AliasName: fmt.Sprintf("alias/n%d", n), TargetKeyId: id})
	}
	if got := refusal(update(50)); !strings.HasPrefix(got, "LimitExceededException: ") {
		t.Errorf("alias 51, moved: %q", got)
	}
	if err := update(0); err != nil { // a rehearsal must work even at the limit
		t.Error(err)
	}

	grant := &kms.CreateGrantRequest{KeyId: id, GranteePrincipal: r.admin.Principal, Name: "n", Operations: []string{"Decrypt"}}
	one, err := r.CreateGrant(r.admin, grant)
	if err != nil {
		t.Fatal(err)
	}
	grant.Operations = []string{"Encrypt"}
	two, err := r.CreateGrant(r.admin, grant)
	if err != nil || two.GrantId == one.GrantId {
		t.Errorf("another grant of the same name: %+v, %v", two, err)
	}
}
