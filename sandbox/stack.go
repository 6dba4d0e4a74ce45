package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
)

// tableName is the article's table.
const tableName = "Test"

// A stack is what the article's serverless.yml makes.
type stack struct {
	name, id string
	created  time.Time
	ledger   string // its name
	outputs  []output
}

// An output is one of a stack's outputs.
type output struct {
	Key, Value string
	Exported   bool // under the same name
}

// build makes the four keys, the alias of the main one, and the ledger under the alias.
func build(ctx context.Context, o Options, s *Sandbox, directory *iam.Directory) (stack, error) {
	admin := directory.Admin()
	name := "qldb-kms-" + o.Stage
	st := stack{name: name, ledger: "qldb-kms-ledger-" + o.Stage, created: s.clock.Now(),
		id: fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/%s", o.Region, o.Account, name, uuid.NewString())}
	arns := map[string]string{}
	for _, k := range []struct {
		output, description string
		roles               bool
	}{
		{"mainKeyID", "QLDB Ledger CMK", true},
		{"rotateKeyID", "QLDB Ledger Rotate CMK", true},
		{"noAccessKeyID", "QLDB Ledger No Access CMK", false},
		{"deleteKeyID", "QLDB Ledger Delete CMK", true},
	} {
		out, err := s.kms.CreateKey(admin, &kms.CreateKeyRequest{Description: k.description,
			Policy: keyPolicy(o, k.roles)})
		if err != nil {
			return st, fmt.Errorf("create key %s: %w", k.output, err)
		}
		arns[k.output] = out.KeyMetadata.Arn
		st.outputs = append(st.outputs, output{Key: k.output, Value: out.KeyMetadata.KeyId, Exported: true})
	}
	alias := "alias/" + name
	err := s.kms.CreateAlias(admin, &kms.CreateAliasRequest{AliasName: alias, TargetKeyId: arns["mainKeyID"]})
	if err != nil {
		return st, fmt.Errorf("create %s: %w", alias, err)
	}
	protection := false // as in the article
	_, err = s.ledgers.CreateLedger(ctx, admin, &ledger.CreateLedgerRequest{Name: st.ledger,
		PermissionsMode: "STANDARD", DeletionProtection: &protection, KmsKey: alias,
		Tags: map[string]string{"name": "qldb-kms-ledger"}})
	if err != nil {
		return st, fmt.Errorf("create ledger %s: %w", st.ledger, err)
	}
	if _, err := s.ledgers.CreateTable(ctx, admin, st.ledger, tableName); err != nil {
		return st, fmt.Errorf("create table %s: %w", tableName, err)
	}
	return st, nil
}

// keyPolicy is the policy of the article's keys: the account may do everything, everybody in it may
// let QLDB use the key, and the roles of the two functions may decrypt, if roles is set.
func keyPolicy(o Options, roles bool) string {
	type m map[string]any
	statements := []m{
		{"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": m{"AWS": iam.RootARN(o.Account)},
			"Action": "kms:*", "Resource": "*"},
		{"Sid": "Allow access to principals in the account that are authorized to use Amazon QLDB", "Effect": "Allow",
			"Principal": m{"AWS": "*"}, "Action": []string{"kms:DescribeKey", "kms:CreateGrant"}, "Resource": "*",
			"Condition": m{"StringEquals": m{"kms:ViaService": "qldb." + o.Region + ".amazonaws.com",
				"kms:CallerAccount": o.Account}}},
	}
	if roles {
		statements = append(statements, m{"Sid": "Allow the functions to decrypt", "Effect": "Allow",
			"Principal": m{"AWS": []string{iam.RoleARN(o.Account, iam.CreateRecordRole),
				iam.RoleARN(o.Account, iam.GetRecordRole)}},
			"Action": "kms:Decrypt", "Resource": "*"})
	}
	b, err := json.Marshal(m{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // strings, lists and maps always have a JSON form
	}
	return string(b)
}
