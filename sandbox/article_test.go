package sandbox

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"loadkms/sandbox/ledger"
)

// TestTheArticlesCommands is the article as its reader has it at the command line: one stack, one command
// after the other, each with all that it prints. Between <> are what differs from stack to stack, and
// times.
func TestTheArticlesCommands(t *testing.T) {
	if _, err := os.Stat(debianCLI); err != nil {
		t.Skipf("no AWS CLI: %v", err)
	}
	t.Parallel()
	s := RunT(t, Options{})
	want(t, s, "POST", "/record", `{"id":1,"firstName":"Ada"}`, 201, `"Success"`)
	pass := func(d time.Duration, output, status string) func(*testing.T) {
		return func(t *testing.T) {
			s.Clock().Advance(d)
			eventually(t, output+" is "+status, func() bool { return shows(t, s, output, status) })
		}
	}
	const (
		updated = `{"Arn":"arn:aws:qldb:eu-west-2:123456789012:ledger/qldb-kms-ledger-poc","CreationDateTime":"<time>","DeletionProtection":false,` +
			`"EncryptionDescription":{"EncryptionStatus":"UPDATING","KmsKeyArn":"arn:aws:kms:eu-west-2:123456789012:key/<KEY>"},"Name":"qldb-kms-ledger-poc","State":"ACTIVE"}`
		described = `{"Arn":"arn:aws:qldb:eu-west-2:123456789012:ledger/qldb-kms-ledger-poc","CreationDateTime":"<time>","DeletionProtection":false,` +
			`"EncryptionDescription":{"EncryptionStatus":"<STATUS>","KmsKeyArn":"arn:aws:kms:eu-west-2:123456789012:key/<KEY>"},"Name":"qldb-kms-ledger-poc","PermissionsMode":"STANDARD","State":"ACTIVE"}`
	)
	ledgerWith := func(form, key, status string) string {
		return strings.NewReplacer("<KEY>", "<"+key+">", `"<STATUS>"`, status).Replace(form)
	}
	read := func(status int, answer string) func(*testing.T) {
		return func(t *testing.T) { want(t, s, "GET", "/record/1", "", status, answer) }
	}
	const record = `{"id":1,"firstName":"Ada"}`
	for _, c := range []struct {
		command string
		want    string             // JSON; "" means that it prints nothing
		then    []func(*testing.T) // what happens before the next command
	}{
		{`aws cloudformation describe-stacks --stack-name qldb-kms-poc --query 'Stacks[0].Outputs[?OutputKey==` + "`mainKeyID`" + `] | [0]'`,
			`{"ExportName":"mainKeyID","OutputKey":"mainKeyID","OutputValue":"<mainKeyID>"}`, nil},
		{`aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=GenerateDataKey --max-results 1 --query 'Events[0].[EventName,EventSource,Resources]'`,
			`["GenerateDataKey","kms.amazonaws.com",[{"ResourceName":"arn:aws:kms:eu-west-2:123456789012:key/<mainKeyID>","ResourceType":"AWS::KMS::Key"}]]`, nil},
		{`aws qldb describe-ledger --name qldb-kms-ledger-poc`, ledgerWith(described, "mainKeyID", `"ENABLED"`), nil},

		// The second scenario: another key, first by the alias, then by the ledger.
		{`aws kms update-alias --alias-name alias/qldb-kms-poc --target-key-id <rotateKeyID>`, ``,
			[]func(*testing.T){pass(ledger.DefaultFollow, "rotateKeyID", "UPDATING"), read(200, record)}},
		{`aws qldb describe-ledger --name qldb-kms-ledger-poc`, ledgerWith(described, "rotateKeyID", `"UPDATING"`),
			[]func(*testing.T){pass(ledger.DefaultUpdate, "rotateKeyID", "ENABLED"), read(200, record)}},
		{`aws qldb describe-ledger --name qldb-kms-ledger-poc`, ledgerWith(described, "rotateKeyID", `"ENABLED"`), nil},
		{`aws kms update-alias --alias-name alias/qldb-kms-poc --target-key-id <mainKeyID>`, ``,
			[]func(*testing.T){pass(ledger.DefaultFollow, "mainKeyID", "UPDATING"), pass(ledger.DefaultUpdate, "mainKeyID", "ENABLED")}},
		{`aws qldb update-ledger --name qldb-kms-ledger-poc --kms-key <deleteKeyID>`, ledgerWith(updated, "deleteKeyID", ""),
			[]func(*testing.T){pass(ledger.DefaultUpdate, "deleteKeyID", "ENABLED"), read(200, record)}},
		{`aws qldb update-ledger --name qldb-kms-ledger-poc --kms-key <mainKeyID>`, ledgerWith(updated, "mainKeyID", ""),
			[]func(*testing.T){pass(ledger.DefaultUpdate, "mainKeyID", "ENABLED"), read(200, record)}},

		// The third: the key is disabled, and enabled.
		{`aws kms disable-key --key-id <mainKeyID>`, ``,
			[]func(*testing.T){read(200, record), func(*testing.T) { s.Clock().Advance(ledger.DefaultKeyCache) }, read(500, grantMessage)}},
		{`aws qldb describe-ledger --name qldb-kms-ledger-poc`,
			ledgerWith(described, "mainKeyID", `"KMS_KEY_INACCESSIBLE","InaccessibleKmsKeyDateTime":"<time>"`), nil},
		{`aws kms describe-key --key-id <mainKeyID> --query 'KeyMetadata.[KeyId,Enabled,KeyState]'`, `["<mainKeyID>",false,"Disabled"]`, nil},
		{`aws kms enable-key --key-id <mainKeyID>`, ``,
			[]func(*testing.T){pass(ledger.DefaultRecoveryProbe, "mainKeyID", "ENABLED"), read(200, record)}},
		{`aws qldb describe-ledger --name qldb-kms-ledger-poc`, ledgerWith(described, "mainKeyID", `"ENABLED"`), nil},

		// The fourth: a key that the functions' roles may not use.
		{`aws qldb update-ledger --name qldb-kms-ledger-poc --kms-key <noAccessKeyID>`, ledgerWith(updated, "noAccessKeyID", ""),
			[]func(*testing.T){pass(ledger.DefaultUpdate, "noAccessKeyID", "ENABLED"), func(t *testing.T) {
				if status, got := call(t, s, "GET", "/record/1", ""); status != 500 || !deniedMessage.MatchString(got) {
					t.Errorf("the API answers %d %s", status, got)
				}
			}}},
		{`aws qldb update-ledger --name qldb-kms-ledger-poc --kms-key <mainKeyID>`, ledgerWith(updated, "mainKeyID", ""),
			[]func(*testing.T){pass(ledger.DefaultUpdate, "mainKeyID", "ENABLED"), read(200, record)}},

		// In the end a key goes.
		{`aws kms schedule-key-deletion --key-id <deleteKeyID> --pending-window-in-days 7`,
			`{"DeletionDate":"<time>","KeyId":"arn:aws:kms:eu-west-2:123456789012:key/<deleteKeyID>","KeyState":"PendingDeletion","PendingWindowInDays":7}`, nil},
		{`aws kms describe-key --key-id <deleteKeyID> --query 'KeyMetadata.[KeyId,Enabled,KeyState,DeletionDate]'`,
			`["<deleteKeyID>",false,"PendingDeletion","<time>"]`, []func(*testing.T){read(200, record)}},
	} {
		passed := t.Run(c.command, func(t *testing.T) {
			out, err := awsCLI(t, s, nil, words(s, c.command)...)
			if err != nil && strings.Contains(out, "Invalid choice") {
				t.Skipf("this AWS CLI is too new for QLDB: %s", out)
			}
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got, want := plain(t, s, out), plain(t, s, c.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			for _, then := range c.then {
				then(t)
			}
		})
		if !passed {
			return // what follows builds on it
		}
	}
}

var (
	word  = regexp.MustCompile(`'[^']*'|\S+`)
	stamp = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d"`)
	given = []string{"mainKeyID", "rotateKeyID", "noAccessKeyID", "deleteKeyID"}
)

// words are the arguments that a shell makes of a command, the program's name aside.
func words(s *Sandbox, command string) []string {
	for _, output := range given {
		command = strings.ReplaceAll(command, "<"+output+">", s.key(output))
	}
	all := word.FindAllString(command, -1)
	for i, w := range all {
		all[i] = strings.Trim(w, "'")
	}
	return all[1:]
}

// plain is JSON with its members in order and nothing in it that differs from stack to stack.
func plain(t *testing.T, s *Sandbox, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	out := stamp.ReplaceAllString(b.String(), `"<time>"`)
	for _, output := range given {
		out = strings.ReplaceAll(out, s.key(output), "<"+output+">")
	}
	return out
}
