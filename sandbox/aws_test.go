package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/qldb"
	qldbtypes "github.com/aws/aws-sdk-go-v2/service/qldb/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
)

// brokenHook makes every KMS call fail as if KMS itself had a fault.
func brokenHook(broken *atomic.Bool) func(string, iam.Caller) error {
	return func(string, iam.Caller) error {
		if broken.Load() {
			return errors.New("the machine is on fire")
		}
		return nil
	}
}

func config(s *Sandbox, accessKey string) aws.Config {
	return aws.Config{Region: s.Region(), BaseEndpoint: aws.String(s.AWSURL()),
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, "secret", "")}
}

// wantAPIError checks code and message of an SDK's error.
func wantAPIError(t *testing.T, err error, code, message string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), message) {
		t.Errorf("error is %v, want %s: %s", err, code, message)
	}
}

func TestSDKLedger(t *testing.T) {
	s, ctx := RunT(t, Options{}), t.Context()
	q := qldb.NewFromConfig(config(s, "AKIA"))
	name := aws.String(s.Ledger())

	d, err := q.DescribeLedger(ctx, &qldb.DescribeLedgerInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	mainARN := "arn:aws:kms:eu-west-2:123456789012:key/" + s.key("mainKeyID")
	if *d.Name != s.Ledger() || *d.Arn != "arn:aws:qldb:eu-west-2:123456789012:ledger/"+s.Ledger() || d.State != "ACTIVE" ||
		d.PermissionsMode != "STANDARD" || *d.DeletionProtection || d.CreationDateTime.Sub(s.Clock().Now()).Abs().Minutes() > 1 ||
		*d.EncryptionDescription.KmsKeyArn != mainARN || d.EncryptionDescription.EncryptionStatus != "ENABLED" ||
		d.EncryptionDescription.InaccessibleKmsKeyDateTime != nil {
		t.Errorf("the ledger is %+v %+v", *d, *d.EncryptionDescription)
	}

	u, err := q.UpdateLedger(ctx, &qldb.UpdateLedgerInput{Name: name, KmsKey: aws.String(s.key("rotateKeyID"))})
	if err != nil {
		t.Fatal(err)
	}
	if u.EncryptionDescription.EncryptionStatus != qldbtypes.EncryptionStatusUpdating || !strings.HasSuffix(*u.EncryptionDescription.KmsKeyArn, s.key("rotateKeyID")) {
		t.Errorf("the update answers %+v", *u.EncryptionDescription)
	}

	k := awskms.NewFromConfig(config(s, "AKIA"))
	if _, err := k.DisableKey(ctx, &awskms.DisableKeyInput{KeyId: aws.String(s.key("deleteKeyID"))}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ key, message string }{
		{s.key("deleteKeyID"), "is disabled."},
		{"alias/nope", "alias/nope is not found."},
		{"00000000-0000-0000-0000-000000000000", "does not exist"},
	} {
		_, err = q.UpdateLedger(ctx, &qldb.UpdateLedgerInput{Name: name, KmsKey: &c.key})
		wantAPIError(t, err, "InvalidParameterException", c.message)
		var invalid *qldbtypes.InvalidParameterException
		if !errors.As(err, &invalid) || aws.ToString(invalid.ParameterName) != "KmsKey" {
			t.Errorf("error is %#v, want ParameterName KmsKey", err)
		}
	}
	_, err = q.DescribeLedger(ctx, &qldb.DescribeLedgerInput{Name: aws.String("nope")})
	var missing *qldbtypes.ResourceNotFoundException
	if !errors.As(err, &missing) || aws.ToString(missing.ResourceType) != "Ledger" || aws.ToString(missing.ResourceName) != "nope" {
		t.Errorf("error is %#v", err)
	}

	// Another ledger's whole life.
	other := aws.String("other")
	c, err := q.CreateLedger(ctx, &qldb.CreateLedgerInput{Name: other, PermissionsMode: "ALLOW_ALL", KmsKey: aws.String("alias/qldb-kms-poc"),
		Tags: map[string]*string{"a": aws.String("1")}})
	if err != nil {
		t.Fatal(err)
	}
	if c.State != "CREATING" || *c.KmsKeyArn != mainARN || !*c.DeletionProtection {
		t.Errorf("creation answers %+v", *c)
	}
	_, err = q.CreateLedger(ctx, &qldb.CreateLedgerInput{Name: other, PermissionsMode: "ALLOW_ALL", KmsKey: aws.String("alias/qldb-kms-poc")})
	wantAPIError(t, err, "ResourceAlreadyExistsException", "other")
	_, err = q.CreateLedger(ctx, &qldb.CreateLedgerInput{Name: aws.String("a--b"), PermissionsMode: "ALLOW_ALL", KmsKey: aws.String("alias/qldb-kms-poc")})
	wantAPIError(t, err, "InvalidParameterException", "ledger name")
	if m, err := q.UpdateLedgerPermissionsMode(ctx, &qldb.UpdateLedgerPermissionsModeInput{Name: other, PermissionsMode: "STANDARD"}); err != nil || m.PermissionsMode != "STANDARD" {
		t.Errorf("the mode is %+v, %v", m, err)
	}
	if l, err := q.ListLedgers(ctx, &qldb.ListLedgersInput{}); err != nil || len(l.Ledgers) != 2 || *l.Ledgers[0].Name != "other" {
		t.Errorf("the ledgers are %+v, %v", l, err)
	}
	if _, err := q.TagResource(ctx, &qldb.TagResourceInput{ResourceArn: c.Arn, Tags: map[string]*string{"b": aws.String("2")}}); err != nil {
		t.Error(err)
	}
	if _, err := q.UntagResource(ctx, &qldb.UntagResourceInput{ResourceArn: c.Arn, TagKeys: []string{"a", "x"}}); err != nil {
		t.Error(err)
	}
	if l, err := q.ListTagsForResource(ctx, &qldb.ListTagsForResourceInput{ResourceArn: c.Arn}); err != nil || len(l.Tags) != 1 || aws.ToString(l.Tags["b"]) != "2" {
		t.Errorf("the tags are %+v, %v", l, err)
	}
	_, err = q.DeleteLedger(ctx, &qldb.DeleteLedgerInput{Name: other})
	wantAPIError(t, err, "ResourcePreconditionNotMetException", "DeletionProtection")
	if _, err := q.UpdateLedger(ctx, &qldb.UpdateLedgerInput{Name: other, DeletionProtection: aws.Bool(false)}); err != nil {
		t.Error(err)
	}
	if _, err := q.DeleteLedger(ctx, &qldb.DeleteLedgerInput{Name: other}); err != nil {
		t.Error(err)
	}
	_, err = q.DescribeLedger(ctx, &qldb.DescribeLedgerInput{Name: other})
	wantAPIError(t, err, "ResourceNotFoundException", "other")
	if d, err := q.GetDigest(ctx, &qldb.GetDigestInput{Name: name}); err != nil || len(d.Digest) != 32 {
		t.Errorf("the digest is %+v, %v", d, err)
	}
}

// stackID returns the id of the stack it started with.
func stackID(t *testing.T, s *Sandbox) string {
	t.Helper()
	all, err := s.stacks.Resources(s.Stack())
	if err != nil {
		t.Fatal(err)
	}
	return all[0].StackID
}

func TestSDKStackAndIdentity(t *testing.T) {
	s, ctx := RunT(t, Options{}), t.Context()
	c := cloudformation.NewFromConfig(config(s, "AKIA"))
	for _, name := range []*string{nil, aws.String("qldb-kms-poc"), aws.String(stackID(t, s))} {
		out, err := c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: name})
		if err != nil {
			t.Fatal(err)
		}
		st := out.Stacks[0]
		if *st.StackName != "qldb-kms-poc" || st.StackStatus != "CREATE_COMPLETE" || st.CreationTime.Sub(s.Clock().Now()).Abs().Minutes() > 1 {
			t.Errorf("the stack is %+v", st)
		}
		got := map[string]string{}
		for _, o := range st.Outputs {
			got[*o.OutputKey] = *o.OutputValue
		}
		k := awskms.NewFromConfig(config(s, "AKIA"))
		for _, key := range []string{"mainKeyID", "rotateKeyID", "noAccessKeyID", "deleteKeyID"} {
			d, err := k.DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: aws.String(got[key])})
			if err != nil || *d.KeyMetadata.KeyId != got[key] {
				t.Errorf("%s is %q: %v", key, got[key], err)
			}
		}
		if got["ServiceEndpoint"] != s.APIURL()+"/poc" {
			t.Errorf("the endpoint is %q", got["ServiceEndpoint"])
		}
	}
	_, err := c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("nope & co")})
	wantAPIError(t, err, "ValidationError", "Stack with id nope & co does not exist")
	_, err = c.DetectStackDrift(ctx, &cloudformation.DetectStackDriftInput{StackName: aws.String("qldb-kms-poc")})
	wantAPIError(t, err, "InvalidAction", "DetectStackDrift")

	for key, want := range map[string]string{
		"AKIA":           "arn:aws:iam::123456789012:user/admin",
		iam.GetRecordKey: "arn:aws:sts::123456789012:assumed-role/qldb-kms-get-record-role/get-record",
	} {
		out, err := awssts.NewFromConfig(config(s, key)).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
		if err != nil || *out.Arn != want || *out.Account != "123456789012" {
			t.Errorf("%s is %+v, %v", key, out, err)
		}
	}
}

func TestSDKRolesMayNotChangeTheKey(t *testing.T) {
	s := RunT(t, Options{})
	k := awskms.NewFromConfig(config(s, iam.GetRecordKey))
	_, err := k.DisableKey(t.Context(), &awskms.DisableKeyInput{KeyId: aws.String(s.key("mainKeyID"))})
	wantAPIError(t, err, "AccessDeniedException", "kms:DisableKey")
	// It may decrypt, but neither make a data key nor use the key that has no statement for it.
	_, err = k.GenerateDataKey(t.Context(), &awskms.GenerateDataKeyInput{KeyId: aws.String(s.key("mainKeyID")), KeySpec: kmstypes.DataKeySpecAes256})
	wantAPIError(t, err, "AccessDeniedException", "kms:GenerateDataKey")
}

// TestWire sends what no SDK sends.
func TestWire(t *testing.T) {
	s := RunT(t, Options{})
	const scope = "AWS4-HMAC-SHA256 Credential=AKIA/20261123/eu-west-2/%/aws4_request, SignedHeaders=host, Signature=00"
	signed := func(service string) string { return strings.Replace(scope, "%", service, 1) }
	form := "application/x-www-form-urlencoded; charset=utf-8"
	for _, c := range []struct {
		name, method, path, target, kind, authorization, body string
		status                                                int
		want                                                  string
	}{
		{"no authorization, ledger", "GET", "/ledgers", "", "", "", "", 403, "MissingAuthenticationTokenException"},
		{"bad authorization, ledger", "GET", "/ledgers", "", "", "Bearer x", "", 403, "IncompleteSignatureException"},
		{"no authorization, stack", "POST", "/", "", form, "", "Action=DescribeStacks&Version=2010-05-15", 403, "MissingAuthenticationToken"},
		{"no authorization, KMS", "POST", "/", "TrentService.ListKeys", "", "", "{}", 403, "MissingAuthenticationTokenException"},
		{"unknown version", "POST", "/", "", form, signed("iam"), "Action=CreateRole&Version=2010-05-08", 400, "<Code>InvalidAction</Code>"},
		{"not a form", "POST", "/", "", form, signed("sts"), "Action=%zz", 400, "<Code>MalformedQueryString</Code>"},
		{"unknown target", "POST", "/", "DynamoDB_20120810.GetItem", "", signed("dynamodb"), "{}", 400, `"__type":"UnknownOperationException"`},
		{"KMS by scope", "POST", "/", "", "", signed("kms"), "{}", 400, "UnknownOperationException"},
		{"QLDB by scope", "POST", "/", "", "", signed("qldb"), "{}", 404, "requested operation does not exist"},
		{"nothing", "GET", "/favicon.ico", "", "", "", "", 400, "no service for GET /favicon.ico"},
		{"not JSON", "PATCH", "/ledgers/x", "", "", signed("qldb"), "{", 400, "not valid JSON"},
		{"bad name", "GET", "/ledgers/a--b", "", "", signed("qldb"), "", 400, `"ParameterName":"Name"`},
		{"bad path", "GET", "/ledgers/%2e%2e/x", "", "", signed("qldb"), "", 404, ""},
		{"large body", "PATCH", "/ledgers/x", "", "", signed("qldb"), strings.Repeat(" ", 2<<20), 413, "too large"},
		{"large form", "POST", "/", "", form, signed("sts"), strings.Repeat("a", 1<<20), 413, "too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, s.AWSURL()+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{"X-Amz-Target": c.target, "Content-Type": c.kind, "Authorization": c.authorization} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			var body bytes.Buffer
			if _, err := body.ReadFrom(res.Body); err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != c.status || !strings.Contains(body.String(), c.want) {
				t.Errorf("got %d %s, want %d %s", res.StatusCode, &body, c.status, c.want)
			}
		})
	}
}

func TestAPanicStaysInItsRequest(t *testing.T) {
	l, err := listen("a test", "")
	if err != nil {
		t.Fatal(err)
	}
	l.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/boom" {
			panic("boom")
		}
	}))
	for path, status := range map[string]int{"/boom": 500, "/": 200} {
		res, err := http.Get(l.url() + path)
		if err != nil || res.StatusCode != status {
			t.Fatalf("%s: %v, %v", path, res, err)
		}
		res.Body.Close()
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
}

// debianCLI is the last AWS CLI that is known to have QLDB; newer ones have lost it.
const debianCLI = "/usr/bin/aws"

// TestCLI runs the article's commands. Each takes a process and most of a second, so they run beside
// each other.
func TestCLI(t *testing.T) {
	if _, err := os.Stat(debianCLI); err != nil {
		t.Skipf("no AWS CLI: %v", err)
	}
	cli := func(t *testing.T, s *Sandbox, args ...string) (string, error) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), debianCLI, append(args, "--endpoint-url", s.AWSURL(), "--output", "json")...)
		cmd.Env = []string{"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=secret", "AWS_DEFAULT_REGION=eu-west-2",
			"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "HOME=" + t.TempDir(), "PATH=/usr/bin:/bin"}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil && strings.Contains(stderr.String(), "Invalid choice") {
			t.Skipf("this AWS CLI is too new for QLDB: %s", &stderr)
		}
		return string(out) + stderr.String(), err
	}
	fields := func(t *testing.T, out string) map[string]any {
		t.Helper()
		var v map[string]any
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		return v
	}
	names := func(v any) (names []string) {
		for name := range v.(map[string]any) {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}

	t.Run("describe-stacks", func(t *testing.T) {
		t.Parallel()
		s := RunT(t, Options{})
		out, err := cli(t, s, "cloudformation", "describe-stacks", "--stack-name", "qldb-kms-poc", "--query",
			"Stacks[0].Outputs[?OutputKey=='mainKeyID'] | [0]")
		if err != nil {
			t.Fatal(out)
		}
		if got := fields(t, out); got["OutputValue"] != s.key("mainKeyID") || got["ExportName"] != "mainKeyID" {
			t.Errorf("got %v", got)
		}
	})
	t.Run("update-ledger", func(t *testing.T) {
		t.Parallel()
		s := RunT(t, Options{})
		out, err := cli(t, s, "qldb", "update-ledger", "--name", "qldb-kms-ledger-poc", "--kms-key", s.key("rotateKeyID"))
		if err != nil {
			t.Fatal(out)
		}
		// The article's output, field by field.
		got := fields(t, out)
		if n := names(got); !slices.Equal(n, []string{"Arn", "CreationDateTime", "DeletionProtection", "EncryptionDescription", "Name", "State"}) {
			t.Errorf("fields are %v", n)
		}
		e := got["EncryptionDescription"].(map[string]any)
		if e["EncryptionStatus"] != "UPDATING" || e["KmsKeyArn"] != "arn:aws:kms:eu-west-2:123456789012:key/"+s.key("rotateKeyID") || len(e) != 2 {
			t.Errorf("encryption is %v", e)
		}
	})
	t.Run("describe-ledger", func(t *testing.T) {
		t.Parallel()
		s := RunT(t, Options{})
		if err := s.KMS().DisableKey(s.KMS().Directory().Admin(), &kms.DisableKeyRequest{KeyId: s.key("mainKeyID")}); err != nil {
			t.Fatal(err)
		}
		s.Clock().Advance(ledger.DefaultKeyCache)
		out, err := cli(t, s, "qldb", "describe-ledger", "--name", "qldb-kms-ledger-poc")
		if err != nil {
			t.Fatal(out)
		}
		got := fields(t, out)
		e := got["EncryptionDescription"].(map[string]any)
		if got["State"] != "ACTIVE" || got["PermissionsMode"] != "STANDARD" || e["EncryptionStatus"] != "KMS_KEY_INACCESSIBLE" ||
			e["InaccessibleKmsKeyDateTime"] == nil {
			t.Errorf("got %v", got)
		}
		out, err = cli(t, s, "qldb", "describe-ledger", "--name", "nope")
		if err == nil || !strings.Contains(out, "(ResourceNotFoundException) when calling the DescribeLedger operation: The Ledger with name nope is not found") {
			t.Errorf("got %s, %v", out, err)
		}
	})
	t.Run("update-alias", func(t *testing.T) {
		t.Parallel()
		s := RunT(t, Options{})
		out, err := cli(t, s, "kms", "update-alias", "--alias-name", "alias/qldb-kms-poc", "--target-key-id", s.key("rotateKeyID"))
		if err != nil || out != "" {
			t.Fatalf("got %s, %v", out, err)
		}
		s.Clock().Advance(ledger.DefaultFollow)
		eventually(t, "the move is noticed", func() bool { return shows(t, s, "rotateKeyID", "UPDATING") })
	})
}

// TestAnEndedKeyEndsTheLedger: a key that is deleted takes the ledger with it for good.
func TestAnEndedKeyEndsTheLedger(t *testing.T) {
	s, ctx := RunT(t, Options{}), t.Context()
	k := awskms.NewFromConfig(config(s, "AKIA"))
	want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)
	if _, err := k.ScheduleKeyDeletion(ctx, &awskms.ScheduleKeyDeletionInput{KeyId: aws.String(s.key("mainKeyID")), PendingWindowInDays: aws.Int32(7)}); err != nil {
		t.Fatal(err)
	}
	s.Clock().Advance(ledger.DefaultKeyCache)
	want(t, s, "GET", "/record/1", "", 500, grantMessage)
	s.Clock().Advance(30 * 24 * 60 * ledger.DefaultKeyCache)
	want(t, s, "GET", "/record/1", "", 500, grantMessage)
	if !shows(t, s, "mainKeyID", "KMS_KEY_INACCESSIBLE") {
		t.Errorf("encryption is %+v", encryption(t, s))
	}
}

// TestConditionsOnTheRequest has a key whose policy asks for more than who calls.
func TestConditionsOnTheRequest(t *testing.T) {
	s := RunT(t, Options{})
	ctx, admin := t.Context(), awskms.NewFromConfig(config(s, "AKIA"))
	role := iam.RoleARN(s.Account(), iam.NoKMSRole)
	for _, c := range []struct {
		name, condition string
		want            bool
	}{
		{"its address", `{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`, true},
		{"another address", `{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, false},
		{"its client", `{"StringLike":{"aws:UserAgent":"aws-sdk-go-v2/*"}}`, true},
		{"another client", `{"StringLike":{"aws:UserAgent":"curl/*"}}`, false},
		{"its Region", `{"StringEquals":{"aws:RequestedRegion":"eu-west-2"}}`, true},
		{"another Region", `{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}`, false},
		{"TLS", `{"Bool":{"aws:SecureTransport":"true"}}`, true},
		{"not yet over", `{"DateLessThan":{"aws:CurrentTime":"2999-01-01T00:00:00Z"}}`, true},
		{"over", `{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := admin.CreateKey(ctx, &awskms.CreateKeyInput{Policy: aws.String(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
				{"Effect":"Allow","Principal":{"AWS":%q},"Action":"kms:*","Resource":"*"},
				{"Effect":"Allow","Principal":{"AWS":%q},"Action":"kms:GenerateDataKey","Resource":"*","Condition":%s}]}`,
				iam.RootARN(s.Account()), role, c.condition))})
			if err != nil {
				t.Fatal(err)
			}
			_, err = awskms.NewFromConfig(config(s, iam.NoKMSKey)).GenerateDataKey(ctx,
				&awskms.GenerateDataKeyInput{KeyId: key.KeyMetadata.Arn, KeySpec: "AES_256"})
			if c.want && err != nil {
				t.Error(err)
			}
			if !c.want {
				wantAPIError(t, err, "AccessDeniedException", "no identity-based policy allows")
			}
		})
	}
}
