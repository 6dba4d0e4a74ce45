package awskms_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/qldb"

	"loadkms/faults"
	"loadkms/faults/awskms"
	"loadkms/sandbox"
	"loadkms/sandbox/iam"
	"loadkms/scenarios"
)

const (
	stackName  = "qldb-kms-poc"
	aliasName  = "alias/qldb-kms-poc"
	ledgerName = "qldb-kms-ledger-poc"
)

// A field is a sandbox, a Cloud in it, and another client that looks at what the Cloud does.
type field struct {
	box     *sandbox.Sandbox
	cloud   *awskms.Cloud
	kms     *kms.Client
	qldb    *qldb.Client
	outputs map[string]string
}

func newField(t *testing.T, o sandbox.Options) *field {
	t.Helper()
	f := &field{box: sandbox.RunT(t, o)}
	f.cloud = f.connect(t, awskms.Options{Stack: stackName})
	f.outputs = f.cloud.Outputs()
	cfg := aws.Config{Region: "eu-west-2", Credentials: credentials.NewStaticCredentialsProvider("other", "client", "")}
	f.kms = kms.NewFromConfig(cfg, func(k *kms.Options) { k.BaseEndpoint = aws.String(f.box.AWSURL()) })
	f.qldb = qldb.NewFromConfig(cfg, func(q *qldb.Options) { q.BaseEndpoint = aws.String(f.box.AWSURL()) })
	return f
}

func (f *field) connect(t *testing.T, o awskms.Options) *awskms.Cloud {
	t.Helper()
	o.Region, o.Endpoint, o.AccessKey, o.SecretKey = "eu-west-2", f.box.AWSURL(), "embedded", "embedded"
	c, err := awskms.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// noAWS hides this machine's AWS configuration, and makes sure that no test reaches AWS.
func noAWS(t *testing.T) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
}

func text(s string) scenarios.Template {
	t := scenarios.Template{Pos: scenarios.Pos{File: "a.yaml", Line: 12, Col: 10}, Source: s}
	if name, ok := strings.CutPrefix(s, "{{ "); ok {
		t.Parts = []scenarios.Part{{Var: strings.TrimSuffix(name, " }}")}}
	} else if s != "" {
		t.Parts = []scenarios.Part{{Text: s}}
	}
	return t
}

func disable(key string) *scenarios.Fault {
	return &scenarios.Fault{Pos: scenarios.Pos{File: "a.yaml", Line: 9, Col: 5}, Do: scenarios.DisableKey, Key: text(key)}
}

func rotate(alias, to string) *scenarios.Fault {
	return &scenarios.Fault{Do: scenarios.RotateAlias, Alias: text(alias), To: text(to)}
}

func rekey(ledger, to string) *scenarios.Fault {
	return &scenarios.Fault{Do: scenarios.UpdateLedgerKey, Ledger: text(ledger), To: text(to)}
}

func (f *field) resolve(t *testing.T, fault *scenarios.Fault) faults.Target {
	t.Helper()
	target, err := f.cloud.Resolve(t.Context(), fault)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// prepare is resolve for an action that may need something to break.
func (f *field) prepare(t *testing.T, a action) faults.Target {
	t.Helper()
	if a.prepare != nil {
		a.prepare(t, f)
	}
	return f.resolve(t, a.fault)
}

func (f *field) keyState(t *testing.T, key string) string {
	t.Helper()
	out, err := f.kms.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &key})
	if err != nil {
		t.Fatal(err)
	}
	return string(out.KeyMetadata.KeyState)
}

// aliasKey is the key the alias points to, as DescribeKey sees it, which awskms does not use for that.
func (f *field) aliasKey(t *testing.T) string {
	t.Helper()
	out, err := f.kms.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(aliasName)})
	if err != nil {
		t.Fatal(err)
	}
	return *out.KeyMetadata.KeyId
}

func (f *field) ledgerKey(t *testing.T) string {
	t.Helper()
	out, err := f.qldb.DescribeLedger(t.Context(), &qldb.DescribeLedgerInput{Name: aws.String(ledgerName)})
	if err != nil {
		t.Fatal(err)
	}
	_, id, _ := strings.Cut(*out.EncryptionDescription.KmsKeyArn, ":key/")
	return id
}

// An action, as the tests of all three see it.
type action struct {
	name           string
	prepare        func(t *testing.T, f *field) // before the fault is resolved; nil means nothing is needed
	fault          *scenarios.Fault
	fine, broken   func(f *field) string // what look shows
	look           func(t *testing.T, f *field) string
	somebodyElse   func(t *testing.T, f *field) string // changes it to a third state, and returns what look shows then
	id, byHandText string
}

var actions = []action{
	{
		name: "disable-key", fault: disable("{{ stack.mainKeyID }}"),
		fine: func(*field) string { return "Enabled" }, broken: func(*field) string { return "Disabled" },
		look: func(t *testing.T, f *field) string { return f.keyState(t, f.outputs["mainKeyID"]) },
		somebodyElse: func(t *testing.T, f *field) string {
			_, err := f.kms.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: aws.String(f.outputs["mainKeyID"])})
			if err != nil {
				t.Fatal(err)
			}
			return "PendingDeletion"
		},
		id:         `arn:aws:kms:eu-west-2:123456789012:key/UUID#state`,
		byHandText: `aws kms enable-key --key-id arn:aws:kms:eu-west-2:123456789012:key/UUID --region eu-west-2 --endpoint-url URL`,
	},
	{
		name: "rotate-alias", fault: rotate(aliasName, "{{ stack.rotateKeyID }}"),
		fine: func(f *field) string { return f.outputs["mainKeyID"] }, broken: func(f *field) string { return f.outputs["rotateKeyID"] },
		look: func(t *testing.T, f *field) string { return f.aliasKey(t) },
		somebodyElse: func(t *testing.T, f *field) string {
			third := f.outputs["deleteKeyID"]
			_, err := f.kms.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: aws.String(aliasName), TargetKeyId: &third})
			if err != nil {
				t.Fatal(err)
			}
			return third
		},
		id:         `arn:aws:kms:eu-west-2:123456789012:alias/qldb-kms-poc#target`,
		byHandText: `aws kms update-alias --alias-name alias/qldb-kms-poc --target-key-id UUID --region eu-west-2 --endpoint-url URL`,
	},
	{
		name: "update-ledger-key", fault: rekey(ledgerName, "{{ stack.noAccessKeyID }}"),
		fine: func(f *field) string { return f.outputs["mainKeyID"] }, broken: func(f *field) string { return f.outputs["noAccessKeyID"] },
		look: func(t *testing.T, f *field) string { return f.ledgerKey(t) },
		somebodyElse: func(t *testing.T, f *field) string {
			third := f.outputs["deleteKeyID"]
			if _, err := f.qldb.UpdateLedger(t.Context(), &qldb.UpdateLedgerInput{Name: aws.String(ledgerName), KmsKey: &third}); err != nil {
				t.Fatal(err)
			}
			return third
		},
		id:         `arn:aws:qldb:eu-west-2:123456789012:ledger/qldb-kms-ledger-poc#key`,
		byHandText: `aws qldb update-ledger --name qldb-kms-ledger-poc --kms-key arn:aws:kms:eu-west-2:123456789012:key/UUID --region eu-west-2 --endpoint-url URL`,
	},
	denial(scenarios.ByDeny), denial(scenarios.ByRemoval),
	{
		name: "revoke-grant of a ledger", fault: revoke(func(g *scenarios.Fault) { g.Ledger = text(ledgerName) }),
		fine: func(*field) string { return ledgersGrant }, broken: func(*field) string { return "" },
		look: func(t *testing.T, f *field) string { return f.grants(t) },
		somebodyElse: func(t *testing.T, f *field) string {
			third := f.outputs["rotateKeyID"]
			if _, err := f.qldb.UpdateLedger(t.Context(), &qldb.UpdateLedgerInput{Name: aws.String(ledgerName), KmsKey: &third}); err != nil {
				t.Fatal(err)
			}
			return ""
		},
		id: `arn:aws:kms:eu-west-2:123456789012:key/UUID#grants`,
		byHandText: `aws qldb update-ledger --name qldb-kms-ledger-poc --kms-key arn:aws:kms:eu-west-2:123456789012:key/UUID ` +
			`--region eu-west-2 --endpoint-url URL`,
	},
	{
		name: "revoke-grant to a principal", prepare: func(t *testing.T, f *field) { f.grant(t, "reads", types.GrantOperationDecrypt) },
		fault: revoke(func(g *scenarios.Fault) { g.Grantee = text(iam.RoleARN("123456789012", iam.NoKMSRole)) }),
		fine:  func(*field) string { return ledgersGrant + "reads [Decrypt GenerateDataKey] map[a:b]\n" }, broken: func(*field) string { return ledgersGrant },
		look: func(t *testing.T, f *field) string { return f.grants(t) },
		somebodyElse: func(t *testing.T, f *field) string {
			f.grant(t, "reads", types.GrantOperationEncrypt)
			return ledgersGrant + "reads [Encrypt GenerateDataKey] map[a:b]\n"
		},
		id: `arn:aws:kms:eu-west-2:123456789012:key/UUID#grants`,
		byHandText: `aws kms create-grant --key-id arn:aws:kms:eu-west-2:123456789012:key/UUID --grantee-principal ` +
			`arn:aws:iam::123456789012:role/qldb-kms-no-kms-role --retiring-principal arn:aws:iam::123456789012:user/admin --name reads ` +
			`--constraints '{"EncryptionContextSubset":{"a":"b"}}' --operations Decrypt GenerateDataKey --region eu-west-2 --endpoint-url URL`,
	},
	{
		name: "revoke-grant without a name", prepare: func(t *testing.T, f *field) { f.grant(t, "", types.GrantOperationDecrypt) },
		fault: revoke(func(g *scenarios.Fault) { g.Grantee = text(iam.RoleARN("123456789012", iam.NoKMSRole)) }),
		fine:  func(*field) string { return " [Decrypt GenerateDataKey] map[a:b]\n" + ledgersGrant }, broken: func(*field) string { return ledgersGrant },
		look: func(t *testing.T, f *field) string { return f.grants(t) },
		somebodyElse: func(t *testing.T, f *field) string {
			f.grant(t, "", types.GrantOperationEncrypt)
			return " [Encrypt GenerateDataKey] map[a:b]\n" + ledgersGrant
		},
		id: `arn:aws:kms:eu-west-2:123456789012:key/UUID#grants`,
		byHandText: `aws kms create-grant --key-id arn:aws:kms:eu-west-2:123456789012:key/UUID --grantee-principal ` +
			`arn:aws:iam::123456789012:role/qldb-kms-no-kms-role --retiring-principal arn:aws:iam::123456789012:user/admin ` +
			`--constraints '{"EncryptionContextSubset":{"a":"b"}}' --operations Decrypt GenerateDataKey --region eu-west-2 --endpoint-url URL`,
	},
	{
		name: "schedule-key-deletion", fault: onKey(scenarios.ScheduleKeyDeletion, "{{ stack.mainKeyID }}"),
		fine: func(*field) string { return "Enabled" }, broken: func(*field) string { return "PendingDeletion" },
		look: func(t *testing.T, f *field) string { return f.keyState(t, f.outputs["mainKeyID"]) },
		somebodyElse: func(t *testing.T, f *field) string {
			key := aws.String(f.outputs["mainKeyID"])
			if _, err := f.kms.CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: key}); err != nil {
				t.Fatal(err)
			}
			if _, err := f.kms.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: key, PendingWindowInDays: aws.Int32(7)}); err != nil {
				t.Fatal(err)
			}
			return "PendingDeletion"
		},
		id: `arn:aws:kms:eu-west-2:123456789012:key/UUID#state`,
		byHandText: `aws kms cancel-key-deletion --key-id arn:aws:kms:eu-west-2:123456789012:key/UUID --region eu-west-2 --endpoint-url URL; ` +
			`aws kms enable-key --key-id arn:aws:kms:eu-west-2:123456789012:key/UUID --region eu-west-2 --endpoint-url URL`,
	},
}

// revoke is a fault that revokes the grant on the main key that which says.
func revoke(which func(*scenarios.Fault)) *scenarios.Fault {
	f := onKey(scenarios.RevokeGrant, "{{ stack.mainKeyID }}")
	which(f)
	return f
}

// ledgersGrant is how grants shows the ledger's.
const ledgersGrant = "qldb-ledger/qldb-kms-ledger-poc [Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext " +
	"ReEncryptFrom ReEncryptTo RetireGrant] map[]\n"

// grants shows the grants on the main key, but for their ids.
func (f *field) grants(t *testing.T) string {
	t.Helper()
	out, err := f.kms.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: aws.String(f.outputs["mainKeyID"])})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, g := range out.Grants {
		var con types.GrantConstraints
		if g.Constraints != nil {
			con = *g.Constraints
		}
		lines = append(lines, fmt.Sprintf("%s %v %v\n", aws.ToString(g.Name), g.Operations, con.EncryptionContextSubset))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// grant makes a grant on the main key for the role that has no other permission.
func (f *field) grant(t *testing.T, name string, operation types.GrantOperation) {
	t.Helper()
	in := &kms.CreateGrantInput{KeyId: aws.String(f.outputs["mainKeyID"]), GranteePrincipal: aws.String(iam.RoleARN("123456789012", iam.NoKMSRole)),
		RetiringPrincipal: aws.String(iam.UserARN("123456789012", iam.AdminUser)),
		Operations:        []types.GrantOperation{operation, types.GrantOperationGenerateDataKey},
		Constraints:       &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}}
	if name != "" {
		in.Name = &name
	}
	if _, err := f.kms.CreateGrant(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// onKey is a fault that needs no more than a key.
func onKey(do scenarios.Action, key string) *scenarios.Fault {
	return &scenarios.Fault{Pos: text("").Pos, Do: do, Key: text(key)}
}

// deny is a fault that denies the role of the reads a key.
func deny(key, role string, mode scenarios.Denial) *scenarios.Fault {
	return &scenarios.Fault{Pos: text("").Pos, Do: scenarios.DenyKey, Key: text(key), Role: text(role), Mode: mode}
}

// denial is the test's view of a deny-key in one of its modes.
func denial(mode scenarios.Denial) action {
	return action{
		name: "deny-key by " + string(mode), fault: deny("{{ stack.mainKeyID }}", iam.GetRecordRole, mode),
		fine:   func(*field) string { return "allowed under qldb-cmk-poc" },
		broken: func(*field) string { return "denied under qldb-cmk-poc" },
		look:   func(t *testing.T, f *field) string { return f.access(t, f.outputs["mainKeyID"]) },
		somebodyElse: func(t *testing.T, f *field) string {
			f.putPolicy(t, f.outputs["mainKeyID"], `{"Version":"2012-10-17","Id":"theirs","Statement":{"Effect":"Allow",`+
				`"Principal":{"AWS":"123456789012"},"Action":"kms:*","Resource":"*"}}`)
			return "denied under theirs"
		},
		id: `arn:aws:kms:eu-west-2:123456789012:key/UUID#policy`,
		byHandText: `aws kms put-key-policy --key-id arn:aws:kms:eu-west-2:123456789012:key/UUID --policy-name default ` +
			`--policy PRIOR --region eu-west-2 --endpoint-url URL`,
	}
}

// as is another client that calls with a role's access key.
func (f *field) as(accessKey string) *kms.Client {
	return kms.NewFromConfig(aws.Config{Region: "eu-west-2", Credentials: credentials.NewStaticCredentialsProvider(accessKey, "x", "")},
		func(k *kms.Options) { k.BaseEndpoint = aws.String(f.box.AWSURL()) })
}

// access says whether the role of the reads may decrypt under a key, and the Id of the key's policy.
func (f *field) access(t *testing.T, key string) string {
	t.Helper()
	sealed, err := f.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	said := "allowed"
	if _, err := f.as(iam.GetRecordKey).Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob}); err != nil {
		if said = "denied"; !strings.Contains(err.Error(), "AccessDeniedException") {
			t.Fatal(err)
		}
	}
	var doc struct{ Id string }
	if err := json.Unmarshal([]byte(f.policy(t, key)), &doc); err != nil {
		t.Fatal(err)
	}
	return said + " under " + doc.Id
}

func (f *field) policy(t *testing.T, key string) string {
	t.Helper()
	out, err := f.kms.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: &key})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Policy
}

func (f *field) putPolicy(t *testing.T, key, text string) {
	t.Helper()
	if _, err := f.kms.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &key, Policy: &text}); err != nil {
		t.Fatal(err)
	}
}

var variable = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|http://127\.0\.0\.1:\d+`)

// longID is a grant's.
var longID = regexp.MustCompile(`[0-9a-f]{64}`)

// constant replaces what differs from run to run.
func constant(s string) string {
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		if strings.HasPrefix(m, "http") {
			return "URL"
		}
		return "UUID"
	})
}

// quick is a sandbox whose ledger changes keys in no time.
var quick = sandbox.Options{Speed: 600, LedgerUpdate: 12 * time.Second}

// Through the bracket, as a run does it: broken for another client to see, and as it was afterwards.
func TestBreakAndRestore(t *testing.T) {
	for _, a := range actions {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			f := newField(t, quick)
			target := f.prepare(t, a)
			if got := constant(target.ID()); got != a.id {
				t.Errorf("ID %s, want %s", got, a.id)
			}
			journal, err := faults.OpenJournal(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer journal.Release()
			visible := make(chan struct{})
			err = faults.Bracket{Journal: journal, Settle: time.Millisecond, Notify: func(at faults.Station, detail error) {
				if at == faults.Visible {
					close(visible)
				}
				if detail != nil {
					t.Errorf("station %d: %v", at, detail)
				}
			}}.Inject(t.Context(), target, func(context.Context) error {
				if got, want := a.look(t, f), a.broken(f); got != want {
					t.Errorf("while broken: %s, want %s", got, want)
				}
				p, err := journal.Pending()
				if err != nil || len(p) != 1 {
					t.Fatalf("%d entries, error %v", len(p), err)
				}
				byHand := p[0].ByHand
				if strings.HasPrefix(string(p[0].Prior), "{") { // a document
					byHand = strings.Replace(byHand, awskms.Quote(string(p[0].Prior)), "PRIOR", 1)
				}
				if got := constant(byHand); got != a.byHandText {
					t.Errorf("by hand\n %s, want\n %s", got, a.byHandText)
				}
				if s := string(p[0].Spec); strings.Contains(s, "embedded") {
					t.Errorf("the journal holds a secret: %s", s)
				}
				<-visible
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if got, want := a.look(t, f), a.fine(f); got != want {
				t.Errorf("afterwards: %s, want %s", got, want)
			}
		})
	}
}

// What somebody else did to the target meanwhile is left as it is.
func TestChangedBySomebodyElse(t *testing.T) {
	for _, a := range actions {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			f := newField(t, quick)
			target := f.prepare(t, a)
			prior, err := target.Observe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := target.Break(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := a.somebodyElse(t, f)
			if err := target.Restore(t.Context(), prior); !errors.Is(err, faults.ErrChanged) {
				t.Errorf("error %v, want ErrChanged", err)
			}
			if got := a.look(t, f); got != want {
				t.Errorf("left %s, want %s", got, want)
			}
		})
	}
}

func TestAliasThatIsGone(t *testing.T) {
	f := newField(t, quick)
	target := f.resolve(t, actions[1].fault)
	if _, err := f.kms.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: aws.String(aliasName)}); err != nil {
		t.Fatal(err)
	}
	if err := target.Restore(t.Context(), faults.State(f.outputs["mainKeyID"])); !errors.Is(err, faults.ErrChanged) {
		t.Errorf("error %v, want ErrChanged", err)
	}
}

// byHand is a person who types a command line.
func byHand(t *testing.T, command string) {
	t.Helper()
	const cli = "/usr/bin/aws" // Debian's: the newer ones have no qldb
	if _, err := os.Stat(cli); err != nil {
		t.Skip("no " + cli)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "aws() { "+cli+` "$@"; }; `+command)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER="}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// lookup makes a target again from what a journal knows of it.
func lookup(t *testing.T, target faults.Target) (faults.Target, error) {
	t.Helper()
	return awskms.Lookup(t.Context(), faults.Entry{ID: target.ID(), Spec: target.Spec()})
}

// The person at 3 a.m. has this command and no loadkms.
func TestByHandRestores(t *testing.T) {
	for _, a := range actions {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			f := newField(t, quick)
			target := f.prepare(t, a)
			prior, err := target.Observe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := target.Break(t.Context()); err != nil {
				t.Fatal(err)
			}
			byHand(t, target.ByHand(prior))
			if got, want := a.look(t, f), a.fine(f); got != want {
				t.Errorf("afterwards: %s, want %s", got, want)
			}
		})
	}
}

// Another process, with no more than the journal's line and what the environment holds, restores.
func TestLookup(t *testing.T) {
	noAWS(t)
	for _, a := range actions {
		t.Run(a.name, func(t *testing.T) {
			f := newField(t, quick)
			target := f.prepare(t, a)
			prior, err := target.Observe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := target.Break(t.Context()); err != nil {
				t.Fatal(err)
			}
			// The environment has changed its mind about where AWS is; the entry has not.
			t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
			t.Setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")
			again, err := awskms.Lookup(t.Context(), faults.Entry{ID: target.ID(), Spec: target.Spec()})
			if err != nil {
				t.Fatal(err)
			}
			if again.ID() != target.ID() || again.ByHand(prior) != target.ByHand(prior) || string(again.Spec()) != string(target.Spec()) {
				t.Errorf("%s is not %s", again.Spec(), target.Spec())
			}
			j := journal{entry: faults.Entry{ID: target.ID(), Spec: target.Spec(), Prior: prior}}
			err = faults.Recover(t.Context(), &j, func(faults.Entry) (faults.Target, error) { return again, nil },
				faults.RecoverOptions{Settle: time.Millisecond})
			if err != nil || !j.closed {
				t.Errorf("error %v, closed %v", err, j.closed)
			}
			if got, want := a.look(t, f), a.fine(f); got != want {
				t.Errorf("afterwards: %s, want %s", got, want)
			}
		})
	}
}

// journal holds one entry.
type journal struct {
	entry  faults.Entry
	closed bool
}

func (j *journal) Open(faults.Entry) error          { return errors.New("not for opening") }
func (j *journal) Close(string) error               { j.closed = true; return nil }
func (j *journal) Pending() ([]faults.Entry, error) { return []faults.Entry{j.entry}, nil }

func TestLookupRefuses(t *testing.T) {
	noAWS(t)
	f := newField(t, quick)
	target := f.resolve(t, actions[0].fault)
	change := func(field, value string) json.RawMessage {
		m := map[string]any{}
		if err := json.Unmarshal(target.Spec(), &m); err != nil {
			t.Fatal(err)
		}
		m[field] = value
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tt := range []struct {
		name string
		spec json.RawMessage
		want string
	}{
		{"no spec", nil, "read the entry's spec: unexpected end of JSON input"},
		{"not JSON", json.RawMessage("x"), "read the entry's spec: invalid character 'x' looking for beginning of value"},
		{"no region", change("region", ""), "the entry's spec names no region or no account"},
		{"another account", change("account", "999999999999"), "it belongs to account 999999999999, and these credentials to account 123456789012"},
		{"an action of tomorrow", change("action", "melt-key"), `this loadkms does not know the action "melt-key"`},
		{"a hole", change("key", ""), "the spec of disable-key is not complete"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := awskms.Lookup(t.Context(), faults.Entry{Spec: tt.spec}); err == nil || err.Error() != tt.want {
				t.Errorf("error\n %v, want\n %s", err, tt.want)
			}
		})
	}
}

func TestNew(t *testing.T) {
	noAWS(t)
	f := newField(t, quick)
	if got, want := f.cloud.Account()+" "+f.cloud.Region()+" "+f.cloud.Endpoint(), "123456789012 eu-west-2 "+f.box.AWSURL(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !strings.HasPrefix(f.cloud.Caller(), "arn:aws:") {
		t.Errorf("caller %q", f.cloud.Caller())
	}
	for _, name := range []string{"mainKeyID", "rotateKeyID", "noAccessKeyID", "deleteKeyID"} {
		if f.cloud.Outputs()[name] == "" {
			t.Errorf("no output %s", name)
		}
	}
	// A sandbox of one's own needs no credentials, and may be named by the environment.
	if _, err := awskms.New(t.Context(), awskms.Options{Region: "eu-west-2", Endpoint: f.box.AWSURL(), Stack: stackName}); err != nil {
		t.Error(err)
	}
	t.Setenv("AWS_ENDPOINT_URL", f.box.AWSURL())
	t.Setenv("AWS_REGION", "eu-west-2")
	c, err := awskms.New(t.Context(), awskms.Options{Stack: stackName, Ledger: ledgerName})
	if err != nil {
		t.Fatal(err)
	}
	if c.Endpoint() != f.box.AWSURL() || c.Region() != "eu-west-2" {
		t.Errorf("endpoint %q, region %q", c.Endpoint(), c.Region())
	}
	// What the script names outranks what the environment says of one service.
	t.Setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
	t.Setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", "http://127.0.0.1:1")
	if c, err := awskms.New(t.Context(), awskms.Options{Endpoint: f.box.AWSURL(), Stack: stackName}); err != nil || c.Endpoint() != f.box.AWSURL() {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	noAWS(t)
	f := newField(t, quick)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	l.Close()
	for _, tt := range []struct {
		name string
		o    awskms.Options
		env  string
		want string
	}{
		{name: "no region", o: awskms.Options{Endpoint: f.box.AWSURL()}, want: "no AWS region: set config.aws.region in the script, or AWS_REGION"},
		{name: "no credentials", o: awskms.Options{Region: "eu-west-2"},
			want: "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"},
		{name: "no such profile", o: awskms.Options{Region: "eu-west-2"}, env: "nemo", want: `no AWS profile "nemo": see AWS_PROFILE and ~/.aws/config`},
		{name: "nobody there", o: awskms.Options{Region: "eu-west-2", Endpoint: nobody},
			want: "ask AWS who we are: reach AWS at " + nobody + ": connection refused"},
		{name: "no such host", o: awskms.Options{Region: "eu-west-2", Endpoint: "http://nothing.invalid", AccessKey: "a", SecretKey: "b"},
			want: "ask AWS who we are: reach AWS at http://nothing.invalid: no such host nothing.invalid"},
		{name: "no URL", o: awskms.Options{Region: "eu-west-2", Endpoint: "localhost:4566"},
			want: `AWS endpoint "localhost:4566" is not a URL such as http://127.0.0.1:4566`},
		{name: "a password", o: awskms.Options{Region: "eu-west-2", Endpoint: "http://me:secret@localhost"},
			want: `AWS endpoint …@localhost must not hold a user or a password`},
		{name: "a password in no URL", o: awskms.Options{Region: "eu-west-2", Endpoint: "ftp://me:se@cret@localhost"},
			want: `AWS endpoint …@localhost must not hold a user or a password`},
		{name: "no such stack", o: awskms.Options{Region: "eu-west-2", Endpoint: f.box.AWSURL(), Stack: "nope"},
			want: `no CloudFormation stack "nope" in eu-west-2 of account 123456789012`},
		{name: "no such ledger", o: awskms.Options{Region: "eu-west-2", Endpoint: f.box.AWSURL(), Ledger: "nope"},
			want: `no ledger "nope" in eu-west-2 of account 123456789012`},
		{name: "half embedded", o: awskms.Options{Region: "eu-west-2", AccessKey: "a"}, want: "an access key of its own needs an endpoint and a region"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.env != "" {
				t.Setenv("AWS_PROFILE", tt.env)
			}
			if _, err := awskms.New(t.Context(), tt.o); err == nil || err.Error() != tt.want {
				t.Errorf("error\n %v, want\n %s", err, tt.want)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	f := newField(t, quick)
	out, err := f.kms.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: types.KeySpecRsa2048, KeyUsage: types.KeyUsageTypeSignVerify})
	rsa := ""
	if err == nil {
		rsa = *out.KeyMetadata.KeyId
	}
	if _, err := f.kms.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: aws.String(f.outputs["deleteKeyID"])}); err != nil {
		t.Fatal(err)
	}
	unknown := "00000000-0000-4000-8000-000000000000"
	bare := f.connect(t, awskms.Options{})
	const all = "it has ServiceEndpoint, deleteKeyID, mainKeyID, noAccessKeyID, rotateKeyID"
	for _, tt := range []struct {
		name  string
		cloud *awskms.Cloud // nil means the field's
		fault *scenarios.Fault
		want  string // without the place
	}{
		{"an output that is not there", nil, disable("{{ stack.mainKey }}"), `stack qldb-kms-poc has no output "mainKey": ` + all},
		{"no stack", bare, disable("{{ stack.mainKeyID }}"), "{{ stack.mainKeyID }} needs a stack: set config.aws.stack"},
		{"a variable", nil, disable("{{ key }}"), "{{ key }} cannot be used here: only {{ stack.NAME }} can"},
		{"nothing", nil, disable(""), "nothing is left after filling in the template"},
		{"a call", nil, &scenarios.Fault{Do: scenarios.DisableKey, Key: scenarios.Template{Pos: text("").Pos, Parts: []scenarios.Part{{Call: "$uuid"}}}},
			"$uuid cannot be called here"},
		{"no such key", nil, disable(unknown), `no key "` + unknown + `" in eu-west-2 of account 123456789012`},
		{"not a key at all", nil, disable("main"), `no key "main" in eu-west-2 of account 123456789012`},
		{"disabled already", nil, disable("{{ stack.deleteKeyID }}"), "key UUID is already Disabled: there is nothing to break"},
		{"AWS's own alias as a key", nil, disable("alias/aws/s3"), "alias/aws/s3 is an alias of AWS's own: only customer managed keys can be broken"},
		{"no such alias", nil, rotate("alias/nope", "{{ stack.rotateKeyID }}"), `no alias "alias/nope" in eu-west-2 of account 123456789012`},
		{"not an alias", nil, rotate("qldb-kms-poc", "{{ stack.rotateKeyID }}"), `"qldb-kms-poc" is not an alias: it must start with "alias/"`},
		{"AWS's own alias", nil, rotate("alias/aws/s3", "{{ stack.rotateKeyID }}"), "alias/aws/s3 is an alias of AWS's own, which nobody can move"},
		{"an alias of elsewhere", nil, rotate("arn:aws:kms:us-east-1:123456789012:alias/x", "{{ stack.rotateKeyID }}"),
			"arn:aws:kms:us-east-1:123456789012:alias/x is not in eu-west-2 of account 123456789012"},
		{"to where it is", nil, rotate(aliasName, "{{ stack.mainKeyID }}"), "alias/qldb-kms-poc already points to key UUID: there is nothing to break"},
		{"to where it is, by another name", nil, rotate(aliasName, aliasName), "alias/qldb-kms-poc already points to key UUID: there is nothing to break"},
		{"to a disabled key", nil, rotate(aliasName, "{{ stack.deleteKeyID }}"), "key UUID is Disabled: an alias moves to an Enabled key"},
		{"to no key", nil, rotate(aliasName, unknown), `no key "UUID" in eu-west-2 of account 123456789012`},
		{"to another kind of key", nil, rotate(aliasName, rsa), "key UUID is for SIGN_VERIFY (RSA_2048), but alias/qldb-kms-poc points to " +
			"one for ENCRYPT_DECRYPT (SYMMETRIC_DEFAULT): KMS moves an alias only between keys of one kind"},
		{"no such ledger", nil, rekey("nope", "{{ stack.rotateKeyID }}"), `no ledger "nope" in eu-west-2 of account 123456789012`},
		{"a ledger to its own key", nil, rekey(ledgerName, "{{ stack.mainKeyID }}"),
			"ledger qldb-kms-ledger-poc already uses key UUID: there is nothing to break"},
		{"a ledger to a disabled key", nil, rekey(ledgerName, "{{ stack.deleteKeyID }}"), "key UUID is Disabled: a ledger takes an Enabled key"},
		{"a ledger to another kind of key", nil, rekey(ledgerName, rsa), "key UUID is for SIGN_VERIFY (RSA_2048): a ledger takes a symmetric key for encryption"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(tt.want, "SIGN_VERIFY") && rsa == "" {
				t.Skipf("the sandbox has no asymmetric keys: %v", err)
			}
			cloud := tt.cloud
			if cloud == nil {
				cloud = f.cloud
			}
			target, err := cloud.Resolve(t.Context(), tt.fault)
			if err == nil {
				t.Fatalf("made %s", target.ID())
			}
			if got, want := constant(err.Error()), constant(tt.want)+", at a.yaml:12:10"; got != want {
				t.Errorf("error\n %s, want\n %s", got, want)
			}
		})
	}
	_, err = f.cloud.Resolve(t.Context(), &scenarios.Fault{Pos: scenarios.Pos{File: "a.yaml", Line: 9, Col: 5}, Do: "melt-key"})
	if want := "melt-key is not something that can be done to a key, at a.yaml:9:5"; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// Nothing was changed by resolving, and a ledger that is busy is left alone.
func TestResolveOfABusyLedger(t *testing.T) {
	f := newField(t, sandbox.Options{LedgerUpdate: time.Hour})
	to := f.outputs["rotateKeyID"]
	if _, err := f.qldb.UpdateLedger(t.Context(), &qldb.UpdateLedgerInput{Name: aws.String(ledgerName), KmsKey: &to}); err != nil {
		t.Fatal(err)
	}
	_, err := f.cloud.Resolve(t.Context(), actions[2].fault)
	if err == nil || !strings.HasPrefix(err.Error(), "ledger qldb-kms-ledger-poc is UPDATING: only one that is ENABLED") {
		t.Errorf("error %v", err)
	}
}

// Keys and ledgers may be named by whatever KMS takes for a name.
func TestResolveByOtherNames(t *testing.T) {
	f := newField(t, quick)
	main := "arn:aws:kms:eu-west-2:123456789012:key/" + f.outputs["mainKeyID"]
	for _, tt := range []struct {
		name, id string
		fault    *scenarios.Fault
	}{
		{"key by id", main + "#state", disable(f.outputs["mainKeyID"])},
		{"key by ARN", main + "#state", disable(main)},
		{"key by alias", main + "#state", disable(aliasName)},
		{"alias by ARN", actions[1].id, rotate("arn:aws:kms:eu-west-2:123456789012:"+aliasName, "{{ stack.rotateKeyID }}")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := f.resolve(t, tt.fault).ID(); got != tt.id {
				t.Errorf("ID %s, want %s", got, tt.id)
			}
		})
	}
}

func testify(t *testing.T, target faults.Target) string {
	t.Helper()
	w, ok := target.(faults.Witness)
	if !ok {
		t.Fatalf("%s is no witness", target.ID())
	}
	s, err := w.Witness(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// patience is how long a test asks again before it gives up on something that takes milliseconds.
const patience = 20 * time.Second

// name replaces the keys' ids by their names.
func (f *field) name(s string) string {
	for output, id := range f.outputs {
		s = strings.ReplaceAll(s, id, strings.TrimSuffix(output, "KeyID"))
	}
	return strings.ReplaceAll(s, "arn:aws:kms:eu-west-2:123456789012:key/", "")
}

func TestWitness(t *testing.T) {
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("nobody to ask", func(t *testing.T) {
		f := newField(t, quick)
		for _, a := range actions[:2] {
			if _, ok := f.resolve(t, a.fault).(faults.Witness); ok {
				t.Errorf("%s is a witness of nothing", a.name)
			}
		}
	})
	t.Run("update-ledger-key", func(t *testing.T) {
		f := newField(t, sandbox.Options{LedgerUpdate: time.Hour})
		target := f.resolve(t, actions[2].fault)
		if got, want := f.name(testify(t, target)), "ledger qldb-kms-ledger-poc: ENABLED under key main"; got != want {
			t.Errorf("before: %s, want %s", got, want)
		}
		must(t, target.Break(t.Context()))
		if got, want := f.name(testify(t, target)), "ledger qldb-kms-ledger-poc: UPDATING under key noAccess"; got != want {
			t.Errorf("broken: %s, want %s", got, want)
		}
		state, err := target.Observe(t.Context())
		must(t, err)
		if got, want := f.name(string(state)), "noAccess UPDATING"; got != want {
			t.Errorf("state %q, want %q", got, want)
		}
		// The way back takes an hour as well, and is not complete before that.
		must(t, target.Restore(t.Context(), faults.State("arn:aws:kms:eu-west-2:123456789012:key/"+f.outputs["mainKeyID"])))
		state, err = target.Observe(t.Context())
		must(t, err)
		if slow, ok := target.(faults.Slow); !ok || slow.UnderWay(state, nil) == 0 || f.name(string(state)) != "main UPDATING" {
			t.Errorf("state %q while under way", state)
		}
		if err := target.Restore(t.Context(), state); err == nil {
			t.Error("restored a state that is none")
		}
	})
	t.Run("rotate-alias, followed or not", func(t *testing.T) {
		for _, mode := range []string{"follow", "pinned"} {
			f := newField(t, sandbox.Options{Alias: mode, Speed: 600, LedgerUpdate: time.Hour})
			f.cloud = f.connect(t, awskms.Options{Stack: stackName, Ledger: ledgerName})
			target := f.resolve(t, actions[1].fault)
			if got, want := f.name(testify(t, target)), "ledger qldb-kms-ledger-poc: ENABLED under key main"; got != want {
				t.Errorf("%s, before: %s, want %s", mode, got, want)
			}
			must(t, target.Break(t.Context()))
			want := "ledger qldb-kms-ledger-poc: ENABLED under key main; alias/qldb-kms-poc points to key rotate, which the ledger's key has not followed"
			if mode == "follow" {
				want = "ledger qldb-kms-ledger-poc: UPDATING under key rotate"
			}
			got := f.name(testify(t, target))
			for deadline := time.Now().Add(patience); mode == "follow" && got != want && time.Now().Before(deadline); {
				got = f.name(testify(t, target)) // it follows when it next looks
			}
			if got != want {
				t.Errorf("%s, broken: %s, want %s", mode, got, want)
			}
		}
	})
	t.Run("disable-key", func(t *testing.T) {
		f := newField(t, sandbox.Options{Speed: 600, KeyCache: 6 * time.Second, RecoveryProbe: 6 * time.Second})
		f.cloud = f.connect(t, awskms.Options{Stack: stackName, Ledger: ledgerName})
		target := f.resolve(t, actions[0].fault)
		must(t, target.Break(t.Context()))
		want := regexp.MustCompile(`^ledger qldb-kms-ledger-poc: KMS_KEY_INACCESSIBLE since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ under key main$`)
		got := ""
		for deadline := time.Now().Add(patience); !want.MatchString(got); {
			if time.Now().After(deadline) {
				t.Fatalf("still says %s", got)
			}
			got = f.name(testify(t, target))
		}
		for range 3 { // and it stays the same sentence
			if again := f.name(testify(t, target)); again != got {
				t.Errorf("said %q, then %q", got, again)
			}
		}
	})
}
