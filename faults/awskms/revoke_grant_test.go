package awskms_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/sandbox/iam"
	"loadkms/scenarios"
)

// Of a grant without a name that was made twice, because the answer to the first call was lost, one is
// revoked.
func TestRevokeGrantMadeTwice(t *testing.T) {
	f := newField(t, quick)
	f.grant(t, "", types.GrantOperationDecrypt)
	before := f.grants(t)
	target := f.resolve(t, revoke(func(g *scenarios.Fault) { g.Grantee = text(iam.RoleARN("123456789012", iam.NoKMSRole)) }))
	prior, err := target.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Break(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.grant(t, "", types.GrantOperationDecrypt)
	f.grant(t, "", types.GrantOperationDecrypt)
	if now, err := target.Observe(t.Context()); err != nil || string(now) == string(prior) {
		t.Errorf("two of them pass for one: %s, error %v", now, err)
	}
	for range 2 { // the second is a rehearsal again
		if err := target.Restore(t.Context(), prior); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.grants(t); got != before {
		t.Errorf("left\n%s, want\n%s", got, before)
	}
}

func TestRevokeGrantRefuses(t *testing.T) {
	f := newField(t, quick)
	role := iam.RoleARN("123456789012", iam.NoKMSRole)
	grantee := func(g *scenarios.Fault) { g.Grantee = text(role) }
	refused := func(name, want string, fault *scenarios.Fault) {
		t.Helper()
		target, err := f.cloud.Resolve(t.Context(), fault)
		if err == nil {
			t.Errorf("%s: made %s", name, target.ID())
			return
		}
		got := longID.ReplaceAllString(constant(err.Error()), "ID")
		if want += ", at a.yaml:12:10"; got != want {
			t.Errorf("%s: error\n %s, want\n %s", name, got, want)
		}
	}
	const has = ": it has ID (qldb.eu-west-2.amazonaws.com)"
	refused("no such grantee", "key UUID has no grant to "+role+has, revoke(grantee))
	refused("no such name", `key UUID has no grant "nope"`+has, revoke(func(g *scenarios.Fault) { g.Grant = text("nope") }))
	refused("no such ledger", `no ledger "nope" in eu-west-2 of account 123456789012`, revoke(func(g *scenarios.Fault) { g.Ledger = text("nope") }))
	refused("no grants at all", `key UUID has no grant to `+role+": it has none",
		&scenarios.Fault{Do: scenarios.RevokeGrant, Key: text("{{ stack.rotateKeyID }}"), Grantee: text(role)})
	refused("a key the ledger does not use", "ledger qldb-kms-ledger-poc uses key UUID, not arn:aws:kms:eu-west-2:123456789012:key/UUID",
		&scenarios.Fault{Do: scenarios.RevokeGrant, Key: text("{{ stack.rotateKeyID }}"), Ledger: text(ledgerName)})
	refused("a service's grant", "grant ID is qldb.eu-west-2.amazonaws.com's own, and only that service can make it again",
		revoke(func(g *scenarios.Fault) { g.Grantee = text("qldb.eu-west-2.amazonaws.com") }))
	f.grant(t, "", types.GrantOperationDecrypt)
	f.grant(t, "", types.GrantOperationDecrypt)
	refused("two", "key UUID has 2 grants to "+role+": name the one to revoke by its id, among ID ("+role+"), ID ("+role+")", revoke(grantee))
	out, err := f.kms.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: aws.String(f.outputs["mainKeyID"]), GranteePrincipal: &role})
	if err != nil {
		t.Fatal(err)
	}
	refused("two alike", "key UUID has 2 grants that differ in nothing but their ids: with one revoked, the other would do",
		revoke(func(g *scenarios.Fault) { g.Grant = text(*out.Grants[0].GrantId) }))

	key := f.outputs["rotateKeyID"]
	allowed := []string{"kms:DescribeKey", "kms:ListGrants"}
	_, err = f.kms.CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: &key, GranteePrincipal: aws.String(iam.RoleARN("123456789012", iam.GetRecordRole)),
		Operations: []types.GrantOperation{types.GrantOperationDecrypt}})
	if err != nil {
		t.Fatal(err)
	}
	fault := &scenarios.Fault{Do: scenarios.RevokeGrant, Key: text(key), Grantee: text(iam.RoleARN("123456789012", iam.GetRecordRole))}
	f.refusesBeforeBreaking(t, f.asRole(t, key, allowed...), fault, "kms:RevokeGrant")
	f.refusesBeforeBreaking(t, f.asRole(t, key, append(allowed, "kms:RevokeGrant")...), fault, "kms:CreateGrant")
	if _, err := f.kms.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &key}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.cloud.Resolve(t.Context(), fault); err == nil || !strings.Contains(err.Error(), "is Disabled: KMS makes grants on an Enabled key") {
		t.Errorf("a disabled key: error %v", err)
	}
}
