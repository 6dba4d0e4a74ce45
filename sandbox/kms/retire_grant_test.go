package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

// user makes a user exist, with the given identity policies.
func (r *rig) user(t testing.TB, name string, policies ...string) iam.Caller {
	t.Helper()
	arn := iam.UserARN(account, name)
	if err := r.Directory().Add(arn, policies...); err != nil {
		t.Fatal(err)
	}
	return iam.Caller{Principal: arn, Account: account}
}

// grant makes a grant, as the administrator.
func (r *rig) grant(t testing.TB, in kms.CreateGrantRequest) *kms.CreateGrantResponse {
	t.Helper()
	out, err := r.CreateGrant(r.admin, &in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWhoMayRetire is the list in the guide: the retiring principal, the grantee if the grant lets it,
// the account's root user; nobody by a policy, and nobody against a Deny.
func TestWhoMayRetire(t *testing.T) {
	const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`
	const denied = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:RetireGrant","Resource":"*"}]}`
	r := newRig(t)
	grantee, retiring, other := r.user(t, "grantee"), r.user(t, "retiring"), r.user(t, "other", everything)
	forbidden := r.user(t, "forbidden", everything, denied)
	root := iam.Caller{Principal: iam.RootARN(account), Account: account}
	qldb := iam.Caller{Service: "qldb.amazonaws.com"}
	foreign := iam.Caller{Principal: "arn:aws:iam::999999999999:user/x", Account: "999999999999"}
	session := r.Directory().Session(iam.GetRecordRole, "s")
	plain := kms.CreateGrantRequest{GranteePrincipal: grantee.Principal, RetiringPrincipal: retiring.Principal, Operations: []string{"Decrypt"}}
	with := func(change func(*kms.CreateGrantRequest)) kms.CreateGrantRequest {
		in := plain
		change(&in)
		return in
	}
	self := with(func(in *kms.CreateGrantRequest) { in.Operations = []string{"Decrypt", "RetireGrant"} })
	tests := []struct {
		name   string
		grant  kms.CreateGrantRequest
		caller iam.Caller
		want   bool
	}{
		{"the retiring principal", plain, retiring, true},
		{"the root user", plain, root, true},
		{"the grantee", plain, grantee, false},
		{"the grantee with RetireGrant", self, grantee, true},
		{"a constraint on the context does not matter", with(func(in *kms.CreateGrantRequest) {
			in.Operations = []string{"Decrypt", "RetireGrant"}
			in.Constraints = &kms.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "b"}}
		}), grantee, true},
		{"an administrator", plain, r.admin, false},
		{"somebody with every permission", plain, other, false},
		{"a retiring principal that is denied", with(func(in *kms.CreateGrantRequest) { in.RetiringPrincipal = forbidden.Principal }), forbidden, false},
		{"a session of the retiring role", with(func(in *kms.CreateGrantRequest) {
			in.RetiringPrincipal = iam.RoleARN(account, iam.GetRecordRole)
		}), session, true},
		{"the account, to those its policies let", with(func(in *kms.CreateGrantRequest) { in.RetiringPrincipal = iam.RootARN(account) }), other, true},
		{"the account, to others", with(func(in *kms.CreateGrantRequest) { in.RetiringPrincipal = iam.RootARN(account) }), grantee, false},
		{"another account", plain, foreign, false},
		{"another account's retiring principal", with(func(in *kms.CreateGrantRequest) { in.RetiringPrincipal = foreign.Principal }), foreign, true},
		{"a service", plain, qldb, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			arn, id := r.newKey(t, kms.CreateKeyRequest{})
			in := tt.grant
			in.KeyId = id
			for _, request := range []func(*kms.CreateGrantResponse) kms.RetireGrantRequest{
				func(g *kms.CreateGrantResponse) kms.RetireGrantRequest {
					return kms.RetireGrantRequest{KeyId: arn, GrantId: g.GrantId}
				},
				func(g *kms.CreateGrantResponse) kms.RetireGrantRequest {
					return kms.RetireGrantRequest{GrantToken: g.GrantToken}
				},
			} {
				retire := request(r.grant(t, in))
				dry := retire
				dry.DryRun = true
				want := "AccessDeniedException"
				if tt.want {
					want = "DryRunOperationException"
				}
				if got := refusal(r.RetireGrant(tt.caller, &dry)); !strings.HasPrefix(got, want) {
					t.Errorf("dry run: %q, want %s", got, want)
				}
				got := refusal(r.RetireGrant(tt.caller, &retire))
				if (got == "") != tt.want || !tt.want && !strings.HasPrefix(got, "AccessDeniedException") {
					t.Errorf("%q, want success %v", got, tt.want)
				}
				left, err := r.ListGrants(r.admin, &kms.ListGrantsRequest{KeyId: id})
				if err != nil || (len(left.Grants) == 0) != tt.want {
					t.Errorf("%d grants are left, %v", len(left.Grants), err)
				}
				for _, g := range left.Grants {
					if err := r.RevokeGrant(r.admin, &kms.RevokeGrantRequest{KeyId: id, GrantId: g.GrantId}); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
	t.Run("a service's own", func(t *testing.T) {
		_, id := r.newKey(t, kms.CreateKeyRequest{})
		by := r.admin
		by.Via = "qldb.eu-west-2.amazonaws.com"
		g, err := r.CreateGrant(by, &kms.CreateGrantRequest{KeyId: id, GranteePrincipal: by.Via, RetiringPrincipal: by.Via, Operations: []string{"Decrypt"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := refusal(r.RetireGrant(iam.Caller{Service: "rds.amazonaws.com"}, &kms.RetireGrantRequest{KeyId: id, GrantId: g.GrantId})); !strings.HasPrefix(got, "AccessDenied") {
			t.Errorf("another service: %q", got)
		}
		if err := r.DisableKey(r.admin, &kms.DisableKeyRequest{KeyId: id}); err != nil {
			t.Fatal(err)
		}
		if err := r.RetireGrant(qldb, &kms.RetireGrantRequest{KeyId: id, GrantId: g.GrantId}); err != nil {
			t.Error(err)
		}
	})
}

func TestRetireGrantTexts(t *testing.T) {
	r := newRig(t)
	client, ctx := r.client("AKIA"), t.Context()
	arn, id := r.newKey(t, kms.CreateKeyRequest{})
	g := r.grant(t, kms.CreateGrantRequest{KeyId: id, GranteePrincipal: r.admin.Principal, RetiringPrincipal: r.admin.Principal, Operations: []string{"Decrypt"}})
	const either = "Specify either a grant token, or a key ID and a grant ID."
	absent := strings.Repeat("0", 64)
	tests := []struct {
		name          string
		in            sdk.RetireGrantInput
		code, message string
	}{
		{"nothing", sdk.RetireGrantInput{}, "ValidationException", either},
		{"the key alone", sdk.RetireGrantInput{KeyId: &id}, "ValidationException", either},
		{"the grant alone", sdk.RetireGrantInput{GrantId: &g.GrantId}, "ValidationException", either},
		{"both", sdk.RetireGrantInput{GrantToken: &g.GrantToken, KeyId: &id, GrantId: &g.GrantId}, "ValidationException", either},
		{"no token", sdk.RetireGrantInput{GrantToken: aws.String("bogus")}, "InvalidGrantTokenException", "The specified grant token is not valid."},
		{"no such grant", sdk.RetireGrantInput{KeyId: &arn, GrantId: &absent}, "NotFoundException", "Grant ID " + absent + " not found"},
		{"dry run", sdk.RetireGrantInput{KeyId: &arn, GrantId: &g.GrantId, DryRun: aws.Bool(true)}, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := client.RetireGrant(ctx, &tt.in)
			fails(t, err, tt.code, tt.message)
		})
	}
	if _, err := client.RetireGrant(ctx, &sdk.RetireGrantInput{GrantToken: &g.GrantToken}); err != nil {
		t.Error(err)
	}
	_, err := client.RetireGrant(ctx, &sdk.RetireGrantInput{GrantToken: &g.GrantToken})
	fails(t, err, "NotFoundException", "Grant ID "+g.GrantId+" not found")
	_, err = client.Encrypt(ctx, &sdk.EncryptInput{KeyId: &id, Plaintext: []byte("x"), GrantTokens: []string{g.GrantToken}})
	if err != nil {
		t.Errorf("the token of a grant that has ended: %v", err)
	}
	_, err = client.Encrypt(ctx, &sdk.EncryptInput{KeyId: &id, Plaintext: []byte("x"), GrantTokens: []string{"bogus"}})
	fails(t, err, "InvalidGrantTokenException", "The specified grant token is not valid.")
}

func TestListRetirableGrants(t *testing.T) {
	r := newRig(t)
	client, ctx := r.client("AKIA"), t.Context()
	retiring := r.user(t, "retiring")
	var want []string
	for range 3 {
		_, id := r.newKey(t, kms.CreateKeyRequest{})
		for range 2 {
			want = append(want, r.grant(t, kms.CreateGrantRequest{KeyId: id, GranteePrincipal: r.admin.Principal, RetiringPrincipal: retiring.Principal, Operations: []string{"Decrypt"}}).GrantId)
		}
		r.grant(t, kms.CreateGrantRequest{KeyId: id, GranteePrincipal: r.admin.Principal, RetiringPrincipal: r.admin.Principal, Operations: []string{"Decrypt"}})
		r.grant(t, kms.CreateGrantRequest{KeyId: id, GranteePrincipal: retiring.Principal, Operations: []string{"Decrypt"}})
	}
	slices.Sort(want)
	var got []string
	for p := sdk.NewListRetirableGrantsPaginator(client, &sdk.ListRetirableGrantsInput{RetiringPrincipal: &retiring.Principal, Limit: aws.Int32(4)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Grants) > 4 {
			t.Fatalf("%d grants on a page of four", len(page.Grants))
		}
		for _, g := range page.Grants {
			if *g.RetiringPrincipal != retiring.Principal || *g.IssuingAccount != iam.RootARN(account) {
				t.Errorf("grant %s", asJSON(g))
			}
			got = append(got, *g.GrantId)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	_, err := client.ListRetirableGrants(ctx, &sdk.ListRetirableGrantsInput{RetiringPrincipal: aws.String("arn:aws:iam::" + account + ":user/nobody")})
	fails(t, err, "InvalidArnException", "ARN does not refer to a valid principal: arn:aws:iam::"+account+":user/nobody")
	_, err = client.ListRetirableGrants(ctx, &sdk.ListRetirableGrantsInput{RetiringServicePrincipal: aws.String("qldb.amazonaws.com")})
	fails(t, err, "ValidationException", "RetiringServicePrincipal can only be used by the service that it names.")
	_, err = r.client(iam.GetRecordKey).ListRetirableGrants(ctx, &sdk.ListRetirableGrantsInput{RetiringPrincipal: &retiring.Principal})
	fails(t, err, "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/qldb-kms-get-record-role/get-record is not authorized to perform: "+
		"kms:ListRetirableGrants on resource: "+retiring.Principal+" because no identity-based policy allows the kms:ListRetirableGrants action")
	own, err := r.ListRetirableGrants(iam.Caller{Service: "qldb.amazonaws.com"}, &kms.ListRetirableGrantsRequest{RetiringServicePrincipal: "qldb.amazonaws.com"})
	if err != nil || len(own.Grants) != 0 {
		t.Errorf("a service's own: %+v, %v", own, err)
	}
}

// TestGrantNames: a name makes a repeated request find its grant, with a new token each time.
func TestGrantNames(t *testing.T) {
	r := newRig(t)
	client, ctx := r.client("AKIA"), t.Context()
	_, id := r.newKey(t, kms.CreateKeyRequest{})
	in := func(name *string, operations ...types.GrantOperation) *sdk.CreateGrantInput {
		return &sdk.CreateGrantInput{KeyId: &id, GranteePrincipal: &r.admin.Principal, Name: name, Operations: operations,
			Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}}
	}
	ids, tokens := map[string]string{}, map[string]bool{}
	for i, c := range []struct {
		in   *sdk.CreateGrantInput
		same string
	}{
		{in(aws.String("n"), "Decrypt"), "one"}, {in(aws.String("n"), "Decrypt"), "one"},
		{in(aws.String("n"), "Encrypt"), "two"}, {in(aws.String("m"), "Decrypt"), "three"},
		{in(nil, "Decrypt"), "four"}, {in(nil, "Decrypt"), "five"},
	} {
		out, err := client.CreateGrant(ctx, c.in)
		if err != nil {
			t.Fatal(err)
		}
		if had := ids[c.same]; had != "" && had != *out.GrantId {
			t.Errorf("grant %d is a new one", i)
		}
		ids[c.same] = *out.GrantId
		if tokens[*out.GrantToken] {
			t.Errorf("token %d is an old one", i)
		}
		tokens[*out.GrantToken] = true
	}
	seen := map[string]bool{}
	for _, g := range ids {
		if seen[g] {
			t.Errorf("two grants with the id %s", g)
		}
		seen[g] = true
	}
	for _, bad := range []string{"", "a b", strings.Repeat("n", 257)} {
		if _, err := client.CreateGrant(ctx, in(&bad, "Decrypt")); err == nil {
			t.Errorf("the name %q is taken", bad)
		}
	}
}

// TestDelegation: who may create grants only by a grant can hand on no more than that.
func TestDelegation(t *testing.T) {
	r := newRig(t)
	_, id := r.newKey(t, kms.CreateKeyRequest{})
	one, two := r.user(t, "one"), r.user(t, "two")
	r.grant(t, kms.CreateGrantRequest{KeyId: id, GranteePrincipal: one.Principal, Operations: []string{"Decrypt", "CreateGrant"},
		Constraints: &kms.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}})
	subset := func(pairs ...string) *kms.GrantConstraints {
		c := &kms.GrantConstraints{EncryptionContextSubset: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			c.EncryptionContextSubset[pairs[i]] = pairs[i+1]
		}
		return c
	}
	tests := []struct {
		name        string
		operations  []string
		constraints *kms.GrantConstraints
		want        bool
	}{
		{"the same", []string{"Decrypt"}, subset("a", "b"), true},
		{"stricter", []string{"Decrypt"}, subset("a", "b", "c", "d"), true},
		{"exactly", []string{"Decrypt"}, &kms.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "b"}}, true},
		{"the right to hand on", []string{"Decrypt", "CreateGrant"}, subset("a", "b"), true},
		{"without the constraint", []string{"Decrypt"}, nil, false},
		{"another constraint", []string{"Decrypt"}, subset("a", "c"), false},
		{"another operation", []string{"Decrypt", "Encrypt"}, subset("a", "b"), false},
	}
	for _, tt := range tests {
		_, err := r.CreateGrant(one, &kms.CreateGrantRequest{KeyId: id, GranteePrincipal: two.Principal, Operations: tt.operations, Constraints: tt.constraints})
		if got := refusal(err); (got == "") != tt.want || !tt.want && !strings.HasPrefix(got, "AccessDeniedException") {
			t.Errorf("%s: %q, want success %v", tt.name, got, tt.want)
		}
	}
}

func TestGrantIsForAWSResource(t *testing.T) {
	r := newRig(t)
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":%q},"Action":["kms:PutKeyPolicy","kms:DescribeKey"],"Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":%q},"Action":["kms:CreateGrant","kms:ListGrants","kms:RevokeGrant"],"Resource":"*",
		 "Condition":{"Bool":{"kms:GrantIsForAWSResource":"true"}}}]}`, r.admin.Principal, r.admin.Principal)
	_, id := r.newKey(t, kms.CreateKeyRequest{Policy: policy})
	via := r.admin
	via.Via = "qldb.eu-west-2.amazonaws.com"
	for _, tt := range []struct {
		name   string
		caller iam.Caller
		want   bool
	}{{"directly", r.admin, false}, {"through a service", via, true}} {
		g, err := r.CreateGrant(tt.caller, &kms.CreateGrantRequest{KeyId: id, GranteePrincipal: r.admin.Principal, Operations: []string{"Decrypt"}})
		if (err == nil) != tt.want {
			t.Errorf("CreateGrant %s: %v", tt.name, err)
		}
		if _, err := r.ListGrants(tt.caller, &kms.ListGrantsRequest{KeyId: id}); (err == nil) != tt.want {
			t.Errorf("ListGrants %s: %v", tt.name, err)
		}
		grantID := strings.Repeat("0", 64)
		if g != nil {
			grantID = g.GrantId
		}
		if err := r.RevokeGrant(tt.caller, &kms.RevokeGrantRequest{KeyId: id, GrantId: grantID}); (err == nil) != tt.want {
			t.Errorf("RevokeGrant %s: %v", tt.name, err)
		}
	}
}

// TestGrantTokens: with eventual consistency a new grant counts only for those who show its token,
// and only the grantee.
func TestGrantTokens(t *testing.T) {
	r := rigOf(t, kms.Options{})
	_, id := r.newKey(t, kms.CreateKeyRequest{})
	r.SetConsistency(5 * time.Minute)
	r.clock.Advance(time.Hour)
	user, other := r.user(t, "user"), r.user(t, "other")
	g := r.grant(t, kms.CreateGrantRequest{KeyId: id, GranteePrincipal: user.Principal, RetiringPrincipal: user.Principal,
		Operations: []string{"Encrypt", "Decrypt", "DescribeKey", "CreateGrant"}})
	encrypt := func(c iam.Caller, tokens ...string) string {
		_, err := r.Encrypt(c, &kms.EncryptRequest{KeyId: id, Plaintext: []byte("x"), GrantTokens: tokens})
		return strings.SplitN(refusal(err), ":", 2)[0]
	}
	const denied = "AccessDeniedException"
	for _, tt := range []struct{ name, got, want string }{
		{"without the token", encrypt(user), denied},
		{"with it", encrypt(user, g.GrantToken), ""},
		{"somebody else with it", encrypt(other, g.GrantToken), denied},
		{"a token changed", encrypt(user, "A"+g.GrantToken[1:]+"A"), "InvalidGrantTokenException"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
	if _, err := r.DescribeKey(user, &kms.DescribeKeyRequest{KeyId: id, GrantTokens: []string{g.GrantToken}}); err != nil {
		t.Errorf("DescribeKey: %v", err)
	}
	// CreateGrant changes something, and sees everything at once.
	if _, err := r.CreateGrant(user, &kms.CreateGrantRequest{KeyId: id, GranteePrincipal: other.Principal, Operations: []string{"Decrypt"}, GrantTokens: []string{g.GrantToken}}); err != nil {
		t.Errorf("CreateGrant: %v", err)
	}
	r.clock.Advance(6 * time.Minute)
	if got := encrypt(user); got != "" {
		t.Errorf("after five minutes: %q", got)
	}
	if err := r.RetireGrant(user, &kms.RetireGrantRequest{GrantToken: g.GrantToken}); err != nil {
		t.Fatal(err)
	}
	if got := encrypt(user); got != "" {
		t.Errorf("just retired: %q, want still allowed", got)
	}
	r.clock.Advance(6 * time.Minute)
	if got := encrypt(user); got != denied {
		t.Errorf("retired: %q, want %q", got, denied)
	}
}
