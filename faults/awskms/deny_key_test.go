package awskms_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"loadkms/faults"
	"loadkms/faults/awskms"
	"loadkms/sandbox/iam"
	"loadkms/scenarios"
)

// A document that AWS gives back in other words is the same, and what is put back is its author's text.
func TestDenyKeyPutsBackTheText(t *testing.T) {
	f := newField(t, quick)
	key := f.outputs["mainKeyID"]
	const text = "{\n \"Version\": \"2012-10-17\", \"Id\": \"ours\",\n \"Statement\": [{\"Effect\": \"Allow\", " +
		"\"Principal\": {\"AWS\": \"arn:aws:iam::123456789012:root\"}, \"Action\": [\"kms:*\"], \"Resource\": \"*\", \"Sid\": \"it's <theirs>\"}]}"
	f.putPolicy(t, key, text)
	target := f.resolve(t, deny(key, iam.GetRecordRole, ""))
	prior, err := target.Observe(t.Context())
	if err != nil || string(prior) != text {
		t.Fatalf("observed %s, error %v", prior, err)
	}
	// The same in other words.
	f.putPolicy(t, key, `{"Id":"ours","Statement":{"Sid":"it's <theirs>","Effect":"Allow","Principal":{"AWS":["123456789012"]},`+
		`"Action":"kms:*","Resource":["*"]},"Version":"2012-10-17"}`)
	if now, err := target.Observe(t.Context()); err != nil || string(now) != text {
		t.Errorf("observed %s, error %v; want the prior document", now, err)
	}
	if err := target.Break(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := f.policy(t, key); strings.Count(now, `"Deny"`) != 1 || strings.Count(now, "<theirs>") != 1 {
		t.Errorf("broken: %s", now)
	}
	if err := target.Restore(t.Context(), prior); err != nil {
		t.Fatal(err)
	}
	if now := f.policy(t, key); now != text {
		t.Errorf("restored %s, want %s", now, text)
	}
	// What has changed since it was observed is not overwritten by breaking it.
	theirs := strings.Replace(text, "ours", "theirs", 1)
	f.putPolicy(t, key, theirs)
	if err := target.Break(t.Context()); !errors.Is(err, faults.ErrChanged) || f.policy(t, key) != theirs {
		t.Errorf("error %v, want ErrChanged, and the policy as they left it", err)
	}
}

// The account's policy is much more than one role: what is left after taking it out is the rest.
func TestDenyKeyRemovesOneRole(t *testing.T) {
	f := newField(t, quick)
	key := f.outputs["mainKeyID"]
	before := f.policy(t, key)
	if err := f.resolve(t, deny(key, iam.GetRecordRole, scenarios.ByRemoval)).Break(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := f.policy(t, key)
	if !strings.Contains(before, iam.GetRecordRole) || strings.Contains(after, iam.GetRecordRole) ||
		!strings.Contains(after, iam.CreateRecordRole) || strings.Count(after, `"Sid"`) != strings.Count(before, `"Sid"`) {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	other := f.outputs["rotateKeyID"]
	f.putPolicy(t, other, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"kms:*",`+
		`"Resource":"*"},{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/qldb-kms-get-record-role"},`+
		`"Action":"kms:Decrypt","Resource":"*"}]}`)
	if err := f.resolve(t, deny(other, iam.GetRecordRole, scenarios.ByRemoval)).Break(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := f.policy(t, other); strings.Contains(after, "kms:Decrypt") || !strings.Contains(after, "kms:*") {
		t.Errorf("a statement with nobody left in it is still there, or too much is gone: %s", after)
	}
}

func TestDenyKeyRefuses(t *testing.T) {
	f := newField(t, quick)
	const root = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"kms:*","Resource":"*"}]}`
	f.putPolicy(t, f.outputs["deleteKeyID"], root)
	big := strings.Replace(root, `"Statement"`, `"Id":"`+strings.Repeat("x", 32<<10-len(root)-8)+`","Statement"`, 1)
	f.putPolicy(t, f.outputs["rotateKeyID"], big)
	asRole := f.asRole(t, f.outputs["noAccessKeyID"], "kms:DescribeKey", "kms:GetKeyPolicy")
	for _, tt := range []struct {
		name  string
		cloud *awskms.Cloud
		fault *scenarios.Fault
		want  string
	}{
		{"no such role", nil, deny("{{ stack.mainKeyID }}", "nobody", ""), "no role arn:aws:iam::123456789012:role/nobody"},
		{"the account", nil, deny("{{ stack.mainKeyID }}", "arn:aws:iam::123456789012:root", ""),
			"arn:aws:iam::123456789012:root is the account, and its administrators with it: only a role can be denied"},
		{"everybody", nil, deny("{{ stack.mainKeyID }}", "*", ""),
			`"*" is not a role of account 123456789012: write its name, or its ARN (arn:aws:iam::123456789012:role/NAME)`},
		{"a user", nil, deny("{{ stack.mainKeyID }}", iam.UserARN("123456789012", "admin"), ""),
			`"arn:aws:iam::123456789012:user/admin" is not a role of account 123456789012: write its name, or its ARN (arn:aws:iam::123456789012:role/NAME)`},
		{"a role that is not named", nil, deny("{{ stack.deleteKeyID }}", iam.GetRecordRole, scenarios.ByRemoval),
			"no statement of the policy of key UUID allows arn:aws:iam::123456789012:role/qldb-kms-get-record-role anything by name: only mode: deny can deny it"},
		{"no room", nil, deny("{{ stack.rotateKeyID }}", iam.GetRecordRole, ""),
			"the policy of key UUID would have 32918 bytes with one more statement, and KMS takes 32768"},
		{"ourselves", asRole, deny(f.outputs["noAccessKeyID"], iam.NoKMSRole, ""),
			"arn:aws:iam::123456789012:role/qldb-kms-no-kms-role is who runs loadkms, and has to put the policy back"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := tt.cloud
			if cloud == nil {
				cloud = f.cloud
			}
			target, err := cloud.Resolve(t.Context(), tt.fault)
			if err == nil {
				t.Fatalf("made %s", target.ID())
			}
			if got, want := constant(err.Error()), tt.want+", at a.yaml:12:10"; got != want {
				t.Errorf("error\n %s, want\n %s", got, want)
			}
		})
	}
	f.refusesBeforeBreaking(t, asRole, deny(f.outputs["noAccessKeyID"], iam.GetRecordRole, ""), "kms:PutKeyPolicy")
}

// asRole is a Cloud of the role that nobody's policies let use KMS, once the policy of a key allows it
// these actions.
func (f *field) asRole(t *testing.T, key string, actions ...string) *awskms.Cloud {
	t.Helper()
	f.putPolicy(t, key, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"kms:*",`+
		`"Resource":"*"},{"Effect":"Allow","Principal":{"AWS":"`+iam.RoleARN("123456789012", iam.NoKMSRole)+`"},"Action":["`+
		strings.Join(actions, `","`)+`"],"Resource":"*"}]}`)
	c, err := awskms.New(t.Context(), awskms.Options{Region: "eu-west-2", Endpoint: f.box.AWSURL(), AccessKey: iam.NoKMSKey, SecretKey: "x"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refusesBeforeBreaking runs a fault for which the caller lacks a permission. It must be refused with
// a message that names it, before anything is journaled or broken.
func (f *field) refusesBeforeBreaking(t *testing.T, c *awskms.Cloud, fault *scenarios.Fault, permission string) {
	t.Helper()
	before := string(f.box.Dump())
	target, err := c.Resolve(t.Context(), fault)
	if err == nil {
		j, jerr := faults.OpenJournal(t.TempDir())
		if jerr != nil {
			t.Fatal(jerr)
		}
		defer j.Release()
		err = faults.Bracket{Journal: j, Settle: 1, Notify: func(at faults.Station, _ error) {
			if at == faults.Journaled || at == faults.Breaking {
				t.Errorf("passed station %d without the permission %s", at, permission)
			}
		}}.Inject(t.Context(), target, func(context.Context) error { return nil })
	}
	if err == nil || !strings.Contains(err.Error(), permission) {
		t.Errorf("error %v, want one that names %s", err, permission)
	}
	if got := string(f.box.Dump()); got != before {
		t.Errorf("changed to\n%s\nfrom\n%s", got, before)
	}
}
