package sandbox

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/qldb"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/stack"
)

// named is the consent that the article's template needs, which names its roles.
var named = []types.Capability{types.CapabilityCapabilityNamedIam}

// deployed waits until a stack has a status.
func deployed(t *testing.T, s *Sandbox, name, status string) {
	t.Helper()
	eventually(t, name+" is "+status, func() bool { return s.stacks.Status(name) == status })
}

func TestSDKLifeOfAStack(t *testing.T) {
	s, ctx := RunT(t, Options{Speed: 1000}), t.Context()
	c := cloudformation.NewFromConfig(config(s, "AKIA"))
	k, q := awskms.NewFromConfig(config(s, "AKIA")), qldb.NewFromConfig(config(s, "AKIA"))
	want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)

	// Tidy up, as the article does at its end.
	name := aws.String(s.Stack())
	main := s.key("mainKeyID")
	if _, err := c.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: name}); err != nil {
		t.Fatal(err)
	}
	id := stackID(t, s)
	deployed(t, s, id, "DELETE_COMPLETE")
	_, err := c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: name})
	wantAPIError(t, err, "ValidationError", "Stack with id qldb-kms-poc does not exist")
	if out, err := c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &id}); err != nil || out.Stacks[0].StackStatus != "DELETE_COMPLETE" ||
		out.Stacks[0].DeletionTime == nil {
		t.Errorf("by id: %+v, %v", out, err)
	}
	if d, err := k.DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: &main}); err != nil || d.KeyMetadata.KeyState != "PendingDeletion" ||
		d.KeyMetadata.DeletionDate.Sub(s.Clock().Now()) > 7*24*time.Hour {
		t.Errorf("the main key is %+v, %v", d, err)
	}
	_, err = k.DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: aws.String("alias/qldb-kms-poc")})
	wantAPIError(t, err, "NotFoundException", "is not found")
	_, err = q.DescribeLedger(ctx, &qldb.DescribeLedgerInput{Name: aws.String(s.Ledger())})
	wantAPIError(t, err, "ResourceNotFoundException", "")
	if status, body := call(t, s, "GET", "/record/1", ""); status < 400 {
		t.Errorf("without a ledger the API answers %d %s", status, body)
	}

	// Deploy again.
	in := &cloudformation.CreateStackInput{StackName: name, TemplateBody: &stack.Article, Capabilities: named,
		Parameters: []types.Parameter{{ParameterKey: aws.String("Stage"), ParameterValue: aws.String("poc")}},
		Tags:       []types.Tag{{Key: aws.String("made"), Value: aws.String("twice")}}}
	created, err := c.CreateStack(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateStack(ctx, in)
	wantAPIError(t, err, "AlreadyExistsException", "Stack [qldb-kms-poc] already exists")
	if err := cloudformation.NewStackCreateCompleteWaiter(c, func(o *cloudformation.StackCreateCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, 10*time.Millisecond
	}).Wait(ctx, &cloudformation.DescribeStacksInput{StackName: name}, time.Minute); err != nil {
		t.Fatal(err)
	}
	out, err := c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	if err != nil || len(out.Stacks) != 1 {
		t.Fatalf("the stacks are %+v, %v", out, err)
	}
	st := out.Stacks[0]
	if *st.StackId != *created.StackId || *st.StackId == id || *st.Tags[0].Value != "twice" || *st.Parameters[2].ParameterValue != "poc" ||
		!slices.Equal(st.Capabilities, named) || st.DeletionTime != nil || *st.Description == "" {
		t.Errorf("the stack is %+v", st)
	}
	outputs := map[string]string{}
	for _, o := range st.Outputs {
		outputs[*o.OutputKey] = *o.OutputValue
	}
	if outputs["ServiceEndpoint"] != s.APIURL()+"/poc" || outputs["mainKeyID"] == main || outputs["mainKeyID"] != s.key("mainKeyID") {
		t.Errorf("the outputs are %v", outputs)
	}
	rotation, err := k.GetKeyRotationStatus(ctx, &awskms.GetKeyRotationStatusInput{KeyId: aws.String(outputs["mainKeyID"])})
	if err != nil || !rotation.KeyRotationEnabled {
		t.Errorf("rotation is %+v, %v", rotation, err)
	}
	want(t, s, "GET", "/record/1", "", 400, `{"status":400,"title":"Record Not Found Error","detail":"Record with id 1 does not exist"}`)
	want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)
	want(t, s, "GET", "/record/1", "", 200, `{"id":1}`)

	// Look at it from all sides.
	resources, err := c.ListStackResources(ctx, &cloudformation.ListStackResourcesInput{StackName: name})
	if err != nil || len(resources.StackResourceSummaries) != 20 {
		t.Fatalf("the resources are %+v, %v", resources, err)
	}
	for _, r := range resources.StackResourceSummaries {
		if r.ResourceStatus != "CREATE_COMPLETE" || aws.ToString(r.PhysicalResourceId) == "" || r.LastUpdatedTimestamp == nil {
			t.Errorf("a resource is %+v", r)
		}
	}
	one, err := c.DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{StackName: name, LogicalResourceId: aws.String("QLDBKMSAlias")})
	if err != nil || *one.StackResourceDetail.PhysicalResourceId != "alias/qldb-kms-poc" || *one.StackResourceDetail.ResourceType != "AWS::KMS::Alias" {
		t.Errorf("the alias is %+v, %v", one, err)
	}
	by, err := c.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{PhysicalResourceId: aws.String(outputs["mainKeyID"])})
	if err != nil || len(by.StackResources) != 20 || *by.StackResources[0].StackName != s.Stack() {
		t.Errorf("by the key: %+v, %v", by, err)
	}
	events, err := c.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: name})
	if err != nil || events.StackEvents[0].ResourceStatus != "CREATE_COMPLETE" || *events.StackEvents[0].LogicalResourceId != s.Stack() {
		t.Errorf("the events are %+v, %v", events, err)
	}
	if last := events.StackEvents[len(events.StackEvents)-1]; *last.ResourceStatusReason != "User Initiated" {
		t.Errorf("the first event is %+v", last)
	}
	if text, err := c.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: name}); err != nil || *text.TemplateBody != stack.Article {
		t.Errorf("the template is %v, %v", text, err)
	}
	exports, err := c.ListExports(ctx, &cloudformation.ListExportsInput{})
	if err != nil || len(exports.Exports) != 4 || *exports.Exports[1].Name != "mainKeyID" || *exports.Exports[1].Value != outputs["mainKeyID"] {
		t.Errorf("the exports are %+v, %v", exports, err)
	}
	gone, err := c.ListStacks(ctx, &cloudformation.ListStacksInput{StackStatusFilter: []types.StackStatus{"DELETE_COMPLETE"}})
	if err != nil || len(gone.StackSummaries) != 1 || *gone.StackSummaries[0].StackId != id {
		t.Errorf("the deleted stacks are %+v, %v", gone, err)
	}
	valid, err := c.ValidateTemplate(ctx, &cloudformation.ValidateTemplateInput{TemplateBody: &stack.Article})
	if err != nil || !slices.Equal(valid.Capabilities, named) || *valid.Parameters[0].DefaultValue != "" ||
		*valid.Parameters[2].ParameterKey != "Stage" || *valid.Parameters[2].DefaultValue != "poc" {
		t.Errorf("validation says %+v, %v", valid, err)
	}

	for _, f := range []struct {
		what, code, message string
		err                 error
	}{
		{"update", "ValidationError", "does not update stacks", second(c.UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: name, TemplateBody: aws.String("x")}))},
		{"no update", "ValidationError", "No updates are to be performed.", second(c.UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: name, TemplateBody: &stack.Article}))},
		{"no consent", "InsufficientCapabilitiesException", "CAPABILITY_NAMED_IAM", second(c.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("x"), TemplateBody: &stack.Article}))},
		{"bad template", "ValidationError", "At least one Resources member", second(c.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("x"), TemplateBody: aws.String("{}")}))},
		{"URL", "ValidationError", "TemplateURL", second(c.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("x"), TemplateURL: aws.String("https://x")}))},
	} {
		t.Run(f.what, func(t *testing.T) { wantAPIError(t, f.err, f.code, f.message) })
	}

	// A change set does nothing until somebody executes it, and then once.
	small := aws.String("Resources: {Log: {Type: AWS::Logs::LogGroup}}")
	set, err := c.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{StackName: aws.String("later"), ChangeSetName: aws.String("plan"),
		ChangeSetType: types.ChangeSetTypeCreate, TemplateBody: small})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: set.Id})
	if err != nil || plan.Status != "CREATE_COMPLETE" || plan.ExecutionStatus != "AVAILABLE" || *plan.Changes[0].ResourceChange.LogicalResourceId != "Log" ||
		s.stacks.Status("later") != "" {
		t.Errorf("the change set is %+v, %v", plan, err)
	}
	execute := &cloudformation.ExecuteChangeSetInput{StackName: aws.String("later"), ChangeSetName: aws.String("plan")}
	if _, err := c.ExecuteChangeSet(ctx, execute); err != nil {
		t.Error(err)
	}
	deployed(t, s, *set.StackId, "CREATE_COMPLETE")
	_, err = c.ExecuteChangeSet(ctx, execute)
	wantAPIError(t, err, "InvalidChangeSetStatus", "cannot be executed in its current status")
	_, err = c.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{StackName: name, ChangeSetName: aws.String("plan"), TemplateBody: small})
	wantAPIError(t, err, "ValidationError", "does not update stacks")
	_, err = c.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{StackName: name, ChangeSetName: aws.String("nope")})
	wantAPIError(t, err, "ChangeSetNotFound", "ChangeSet [nope] does not exist")

	// A second stack may not take the first one's names, and leaves nothing behind.
	if _, err := c.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("again"), TemplateBody: &stack.Article, Capabilities: named}); err != nil {
		t.Fatal(err)
	}
	deployed(t, s, "again", "ROLLBACK_COMPLETE")
	reasons, err := c.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: aws.String("again")})
	if err != nil || !slices.ContainsFunc(reasons.StackEvents, func(e types.StackEvent) bool {
		return e.ResourceStatus == "CREATE_FAILED" && strings.Contains(*e.ResourceStatusReason, "Role with name qldb-kms-create-record-role already exists.")
	}) {
		t.Errorf("the events are %+v, %v", reasons, err)
	}
	want(t, s, "GET", "/record/1", "", 200, `{"id":1}`)
}

func second[T any](_ T, err error) error { return err }

func TestStartWithATemplate(t *testing.T) {
	text := strings.Replace(stack.Article, "Name: !Sub qldb-kms-ledger-${Stage}", "Name: other-ledger", 1)
	text = strings.ReplaceAll(text, "ledger/qldb-kms-ledger-${Stage}", "ledger/other-ledger")
	text = strings.Replace(text, "Description: QLDB Ledger CMK", "Description: !Ref Words", 1)
	text = strings.Replace(text, "Parameters:", "Parameters:\n  Words: {Type: String}", 1)
	s := RunT(t, Options{Template: text, Parameters: map[string]string{"Words": "in a word"}, Stage: "dev"})
	if s.Ledger() != "other-ledger" || s.Stack() != "qldb-kms-dev" || !strings.Contains(string(s.Dump()), `"Description": "in a word"`) {
		t.Errorf("the ledger is %s of %s: %s", s.Ledger(), s.Stack(), s.Dump())
	}
	want(t, s, "POST", "/dev/record", `{"id":1}`, 201, `"Success"`)

	for _, c := range []struct{ name, text, want string }{
		{"no template", "nonsense", "build the stack: Template format error: unsupported structure."},
		{"parameter", text, "build the stack: Parameters: [Words] must have values"},
		{"refused by KMS", strings.Replace(stack.Article, "'kms:*'", "'kms:DescribeKey'", 1), "build the stack: create QLDBKMSKey: kms: MalformedPolicyDocumentException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Start(t.Context(), Options{Template: c.text})
			if err == nil {
				s.Close()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q", err, c.want)
			}
		})
	}
}

func TestSDKAssumeRole(t *testing.T) {
	s, ctx := RunT(t, Options{}), t.Context()
	c := awssts.NewFromConfig(config(s, "AKIA"))
	role := aws.String(iam.RoleARN(s.Account(), iam.GetRecordRole))
	in := &awssts.AssumeRoleInput{RoleArn: role, RoleSessionName: aws.String("jane@work"), DurationSeconds: aws.Int32(900)}
	out, err := c.AssumeRole(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	session := "arn:aws:sts::123456789012:assumed-role/qldb-kms-get-record-role/jane@work"
	if *out.AssumedRoleUser.Arn != session || !strings.HasPrefix(*out.Credentials.AccessKeyId, "ASIA") || len(*out.Credentials.AccessKeyId) != 20 ||
		out.Credentials.Expiration.Sub(s.Clock().Now()).Round(time.Minute) != 15*time.Minute {
		t.Errorf("got %+v %+v", *out.AssumedRoleUser, *out.Credentials)
	}
	as := config(s, "")
	as.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	me, err := awssts.NewFromConfig(as).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
	if err != nil || *me.Arn != session || *me.UserId != *out.AssumedRoleUser.AssumedRoleId {
		t.Errorf("the session is %+v, %v", me, err)
	}
	k := awskms.NewFromConfig(as)
	_, err = k.DisableKey(ctx, &awskms.DisableKeyInput{KeyId: aws.String(s.key("mainKeyID"))})
	wantAPIError(t, err, "AccessDeniedException", "User: "+session+" is not authorized to perform: kms:DisableKey")
	_, err = awssts.NewFromConfig(as).AssumeRole(ctx, in)
	wantAPIError(t, err, "AccessDenied", "sts:AssumeRole on resource: "+*role)
	_, err = awssts.NewFromConfig(as).GetSessionToken(ctx, &awssts.GetSessionTokenInput{})
	wantAPIError(t, err, "AccessDenied", "Cannot call GetSessionToken with session credentials")

	token, err := c.GetSessionToken(ctx, &awssts.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	me, err = awssts.NewFromConfig(config(s, *token.Credentials.AccessKeyId)).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
	if err != nil || *me.Arn != "arn:aws:iam::123456789012:user/admin" {
		t.Errorf("the token's bearer is %+v, %v", me, err)
	}
	if info, err := c.GetAccessKeyInfo(ctx, &awssts.GetAccessKeyInfoInput{AccessKeyId: token.Credentials.AccessKeyId}); err != nil || *info.Account != s.Account() {
		t.Errorf("the key's account is %+v, %v", info, err)
	}
	s.KMS().Directory().AddKey("chained", s.KMS().Directory().Session("chaining", "s"))
	if err := s.KMS().Directory().Add(iam.RoleARN(s.Account(), "chaining"),
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`); err != nil {
		t.Fatal(err)
	}
	chained, chain := *in, awssts.NewFromConfig(config(s, "chained"))
	if _, err := chain.AssumeRole(ctx, &chained); err != nil {
		t.Errorf("from role to role: %v", err)
	}
	chained.DurationSeconds = aws.Int32(3601)
	_, err = chain.AssumeRole(ctx, &chained)
	wantAPIError(t, err, "ValidationError", "exceeds the 1 hour session limit for roles assumed by role chaining")
	for _, f := range []struct {
		name, code, message string
		change              func(*awssts.AssumeRoleInput)
	}{
		{"unknown role", "AccessDenied", "role/nobody", func(in *awssts.AssumeRoleInput) { in.RoleArn = aws.String(iam.RoleARN(s.Account(), "nobody")) }},
		{"a user", "AccessDenied", "user/admin", func(in *awssts.AssumeRoleInput) { in.RoleArn = aws.String(iam.UserARN(s.Account(), "admin")) }},
		{"no ARN", "ValidationError", "is invalid", func(in *awssts.AssumeRoleInput) { in.RoleArn = aws.String("get-record-role-of-the-article") }},
		{"session name", "ValidationError", "roleSessionName", func(in *awssts.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }},
		{"short", "ValidationError", "greater than or equal to 900", func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(899) }},
		{"long", "ValidationError", "less than or equal to 43200", func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43201) }},
		{"session policy", "ValidationError", "does not have the request parameter Policy", func(in *awssts.AssumeRoleInput) { in.Policy = aws.String("{}") }},
	} {
		t.Run(f.name, func(t *testing.T) {
			bad := *in
			f.change(&bad)
			_, err := c.AssumeRole(ctx, &bad)
			wantAPIError(t, err, f.code, f.message)
		})
	}

	records, _ := found(t, s, "EventName", "AssumeRole")
	last := records[len(records)-1]
	if user, ok := last["responseElements"].(map[string]any)["assumedRoleUser"].(map[string]any); !ok || user["arn"] != session ||
		last["requestParameters"].(map[string]any)["roleArn"] != *role || strings.Contains(jsonText(last), *out.Credentials.SecretAccessKey) {
		t.Errorf("the event is %v", last)
	}
	s.Clock().Advance(15 * time.Minute)
	_, err = k.ListKeys(ctx, &awskms.ListKeysInput{})
	wantAPIError(t, err, "ExpiredTokenException", "expired")
	_, err = awssts.NewFromConfig(as).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
	wantAPIError(t, err, "ExpiredToken", "expired")
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// TestPoliciesOnStacks has callers whose policies speak of single stacks.
func TestPoliciesOnStacks(t *testing.T) {
	s, ctx := RunT(t, Options{}), t.Context()
	add := func(role, policy string) *cloudformation.Client {
		t.Helper()
		if err := s.KMS().Directory().Add(iam.RoleARN(s.Account(), role), `{"Version":"2012-10-17","Statement":[`+policy+`]}`); err != nil {
			t.Fatal(err)
		}
		s.KMS().Directory().AddKey(role, s.KMS().Directory().Session(role, "s"))
		return cloudformation.NewFromConfig(config(s, role))
	}
	const all = `{"Effect":"Allow","Action":"cloudformation:*","Resource":"*"}`
	const ours = `"Action":"cloudformation:*","Resource":"arn:aws:cloudformation:*:*:stack/qldb-kms-poc/*"}`
	name, other := aws.String(s.Stack()), aws.String("other")
	text := aws.String("Resources: {A: {Type: AWS::S3::Bucket}}")

	denied := add("denied", all+`,{"Effect":"Deny",`+ours)
	_, err := denied.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: name})
	wantAPIError(t, err, "AccessDenied", "cloudformation:DeleteStack on resource: "+stackID(t, s))
	_, err = denied.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String(stackID(t, s))})
	wantAPIError(t, err, "AccessDenied", "cloudformation:DeleteStack")
	if _, err := denied.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: other, TemplateBody: text}); err != nil {
		t.Errorf("another stack: %v", err)
	}
	allowed := add("allowed", `{"Effect":"Allow",`+ours)
	if _, err := allowed.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: name}); err != nil {
		t.Errorf("the stack that the policy names: %v", err)
	}
	_, err = allowed.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("new"), TemplateBody: text})
	wantAPIError(t, err, "AccessDenied", ":stack/new/*")
	if got := s.stacks.Status(s.Stack()); got != "CREATE_COMPLETE" {
		t.Errorf("the stack is %s", got)
	}
}

// Who may make stacks but not roles cannot make a role that may do everything by means of a stack.
func TestAStackIsNoWayToMoreRights(t *testing.T) {
	s, ctx := RunT(t, Options{}), t.Context()
	directory := s.KMS().Directory()
	if err := directory.Add(iam.RoleARN(s.Account(), "deployer"), `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["cloudformation:*","sts:AssumeRole"],"Resource":"*"}]}`); err != nil {
		t.Fatal(err)
	}
	directory.AddKey("DEPLOYER", directory.Session("deployer", "s"))
	c := cloudformation.NewFromConfig(config(s, "DEPLOYER"))
	for name, want := range map[string]string{
		"queen":       "not authorized to perform: iam:CreateRole",
		iam.NoKMSRole: "not authorized to perform: iam:CreateRole",
	} {
		text := `Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: ` + name + `, AssumeRolePolicyDocument: {},
			Policies: [{PolicyName: all, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "*", Resource: "*"}]}}]}}}`
		if _, err := c.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("s-" + name), TemplateBody: &text,
			Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam}}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the stack is taken back", func() bool { return s.stacks.Status("s-"+name) == "ROLLBACK_COMPLETE" })
		out, err := c.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: aws.String("s-" + name)})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, e := range out.StackEvents {
			found = found || strings.Contains(aws.ToString(e.ResourceStatusReason), want)
		}
		if !found {
			t.Errorf("%s: no event says %q", name, want)
		}
		if arn := iam.RoleARN(s.Account(), name); directory.Identity(&iam.Request{Caller: directory.Session(name, "s"), Action: "kms:Decrypt", Resource: "*"}) == iam.Allow {
			t.Errorf("%s may do everything", arn)
		}
	}
}

// TestRefusalsOfQueries sends what no SDK sends: an operation that there is not leaves no event, whoever
// asks for it, and a refusal has the id that its event has.
func TestRefusalsOfQueries(t *testing.T) {
	s := RunT(t, Options{})
	ask := func(action string) (id, code string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.AWSURL(), strings.NewReader("Version=2010-05-15&Action="+action))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+iam.NoKMSKey+"/20261123/eu-west-2/cloudformation/aws4_request")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var e struct {
			Error     struct{ Code string }
			RequestId string
		}
		if err := xml.NewDecoder(resp.Body).Decode(&e); err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("x-amzn-RequestId"); got != e.RequestId {
			t.Errorf("the header's request id is %s, the body's %s", got, e.RequestId)
		}
		return e.RequestId, e.Error.Code
	}
	if _, code := ask("Nonsense"); code != "InvalidAction" {
		t.Errorf("Nonsense is answered %s", code)
	}
	if events := s.trail.Recent(1); events[0].EventName == "Nonsense" {
		t.Error("the trail shows an operation that there is not")
	}
	id, code := ask("ListStacks")
	if e := s.trail.Recent(1)[0]; code != "AccessDenied" || e.EventName != "ListStacks" || e.RequestID != id {
		t.Errorf("request %s is answered %s, the event is %s %s", id, code, e.EventName, e.RequestID)
	}
}

func TestSDKRoles(t *testing.T) {
	s, ctx := RunT(t, Options{}), t.Context()
	c := awsiam.NewFromConfig(config(s, "AKIA"))
	r, err := c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String(iam.GetRecordRole)})
	if err != nil || *r.Role.Arn != iam.RoleARN(s.Account(), iam.GetRecordRole) || !strings.HasPrefix(*r.Role.RoleId, "AROA") ||
		r.Role.CreateDate.Sub(s.Clock().Now()).Abs() > time.Minute {
		t.Errorf("the role is %+v, %v", r, err)
	}
	_, err = c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("nobody")})
	wantAPIError(t, err, "NoSuchEntity", "The role with name nobody cannot be found.")
	if l, err := c.ListRoles(ctx, &awsiam.ListRolesInput{}); err != nil || len(l.Roles) != 3 {
		t.Errorf("the roles are %+v, %v", l, err)
	}
	if u, err := c.GetUser(ctx, &awsiam.GetUserInput{}); err != nil || *u.User.UserName != "admin" {
		t.Errorf("the user is %+v, %v", u, err)
	}
	if l, err := c.ListUsers(ctx, &awsiam.ListUsersInput{}); err != nil || len(l.Users) != 1 {
		t.Errorf("the users are %+v, %v", l, err)
	}
	role := config(s, iam.GetRecordKey)
	_, err = awsiam.NewFromConfig(role).ListRoles(ctx, &awsiam.ListRolesInput{})
	wantAPIError(t, err, "AccessDenied", "iam:ListRoles")
	_, err = cloudformation.NewFromConfig(role).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	wantAPIError(t, err, "AccessDenied", "cloudformation:DescribeStacks")
	_, err = cloudtrail.NewFromConfig(role).LookupEvents(ctx, &cloudtrail.LookupEventsInput{})
	wantAPIError(t, err, "AccessDeniedException", "cloudtrail:LookupEvents")
}

// aws runs Debian's AWS CLI.
func awsCLI(t *testing.T, s *Sandbox, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), debianCLI, append(args, "--endpoint-url", s.AWSURL(), "--output", "json")...)
	cmd.Env = append([]string{"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=secret", "AWS_DEFAULT_REGION=eu-west-2",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "HOME=" + t.TempDir(), "PATH=/usr/bin:/bin"}, env...)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err := cmd.Run()
	return both.String(), err
}

// TestCLIStack deploys the article's template, looks at it and takes it away, all by commands.
func TestCLIStack(t *testing.T) {
	if _, err := os.Stat(debianCLI); err != nil {
		t.Skipf("no AWS CLI: %v", err)
	}
	t.Parallel()
	s := RunT(t, Options{Speed: 1000, Template: "Resources: {Nothing: {Type: AWS::Logs::LogGroup}}"})
	aws := func(args ...string) string {
		t.Helper()
		out, err := awsCLI(t, s, nil, args...)
		if err != nil {
			t.Fatalf("aws %v: %s", args, out)
		}
		return out
	}
	file := filepath.Join(t.TempDir(), "article.yaml")
	if err := os.WriteFile(file, []byte(stack.Article), 0o600); err != nil {
		t.Fatal(err)
	}
	aws("cloudformation", "create-stack", "--stack-name", "article", "--template-body", "file://"+file,
		"--capabilities", "CAPABILITY_NAMED_IAM", "--parameters", "ParameterKey=Stage,ParameterValue=poc")
	deployed(t, s, "article", "CREATE_COMPLETE")
	aws("cloudformation", "wait", "stack-create-complete", "--stack-name", "article")
	var described struct {
		Stacks []struct {
			Outputs []struct{ OutputKey, OutputValue, ExportName string }
		}
	}
	if err := json.Unmarshal([]byte(aws("cloudformation", "describe-stacks", "--stack-name", "article")), &described); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range described.Stacks[0].Outputs {
		keys = append(keys, o.OutputKey+"="+o.ExportName)
	}
	if wanted := []string{"ServiceEndpoint=", "deleteKeyID=deleteKeyID", "mainKeyID=mainKeyID", "noAccessKeyID=noAccessKeyID",
		"rotateKeyID=rotateKeyID"}; !slices.Equal(keys, wanted) {
		t.Errorf("the outputs are %v, want %v", keys, wanted)
	}
	var listed struct {
		StackResourceSummaries []struct{ ResourceType, ResourceStatus string }
	}
	if err := json.Unmarshal([]byte(aws("cloudformation", "list-stack-resources", "--stack-name", "article")), &listed); err != nil ||
		len(listed.StackResourceSummaries) != 20 {
		t.Errorf("the resources are %+v, %v", listed, err)
	}
	want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)
	aws("cloudformation", "delete-stack", "--stack-name", "article")
	eventually(t, "the stack is gone", func() bool { return s.stacks.Status("article") == "" })
	if out, err := awsCLI(t, s, nil, "cloudformation", "describe-stacks", "--stack-name", "article"); err == nil ||
		!strings.Contains(out, "An error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id article does not exist") {
		t.Errorf("in the end: %s, %v", out, err)
	}
	// Without --no-execute-changeset it does the rest too, but looks every 30 seconds only.
	out := aws("cloudformation", "deploy", "--stack-name", "article", "--template-file", file, "--capabilities", "CAPABILITY_NAMED_IAM",
		"--parameter-overrides", "Stage=poc", "--no-execute-changeset")
	_, set, ok := strings.Cut(strings.TrimSpace(out), "--change-set-name ")
	if !ok {
		t.Fatalf("deploy: %s", out)
	}
	aws("cloudformation", "execute-change-set", "--change-set-name", set)
	deployed(t, s, "article", "CREATE_COMPLETE")
	want(t, s, "POST", "/record", `{"id":2}`, 201, `"Success"`)
}

func TestCLITrailAndIdentity(t *testing.T) {
	if _, err := os.Stat(debianCLI); err != nil {
		t.Skipf("no AWS CLI: %v", err)
	}
	t.Parallel()
	s := RunT(t, Options{})
	out, err := awsCLI(t, s, nil, "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=GenerateDataKey",
		"--max-results", "1")
	var found struct {
		Events []struct {
			EventName, ReadOnly, EventSource, CloudTrailEvent string
			Resources                                         []struct{ ResourceType, ResourceName string }
		}
	}
	if err != nil || json.Unmarshal([]byte(out), &found) != nil || len(found.Events) != 1 || found.Events[0].ReadOnly != "true" ||
		!strings.Contains(found.Events[0].CloudTrailEvent, `"invokedBy":"qldb.amazonaws.com"`) ||
		found.Events[0].Resources[0].ResourceName != "arn:aws:kms:eu-west-2:123456789012:key/"+s.key("mainKeyID") {
		t.Errorf("lookup-events: %s, %v", out, err)
	}
	out, err = awsCLI(t, s, nil, "cloudtrail", "lookup-events", "--start-time", "2030-01-02", "--end-time", "2030-01-01")
	if err == nil || !strings.Contains(out, "(InvalidTimeRangeException)") {
		t.Errorf("a bad range: %s, %v", out, err)
	}
	out, err = awsCLI(t, s, nil, "sts", "assume-role", "--role-arn", iam.RoleARN(s.Account(), iam.CreateRecordRole), "--role-session-name", "cli")
	var assumed struct {
		Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	}
	if err != nil || json.Unmarshal([]byte(out), &assumed) != nil {
		t.Fatalf("assume-role: %s, %v", out, err)
	}
	c := assumed.Credentials
	out, err = awsCLI(t, s, []string{"AWS_ACCESS_KEY_ID=" + c.AccessKeyId, "AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey, "AWS_SESSION_TOKEN=" + c.SessionToken},
		"sts", "get-caller-identity")
	if err != nil || !strings.Contains(out, `"Arn": "arn:aws:sts::123456789012:assumed-role/qldb-kms-create-record-role/cli"`) {
		t.Errorf("get-caller-identity: %s, %v", out, err)
	}
	if out, err := awsCLI(t, s, nil, "iam", "get-role", "--role-name", iam.GetRecordRole); err != nil || !strings.Contains(out, `"Action": "sts:AssumeRole"`) {
		t.Errorf("get-role: %s, %v", out, err)
	}
}

// TestSDKConditions deploys one template with a key of its own, and with one that is there.
func TestSDKConditions(t *testing.T) {
	s, ctx := RunT(t, Options{Speed: 1000}), t.Context()
	c := cloudformation.NewFromConfig(config(s, "AKIA"))
	main := s.key("mainKeyID")
	template := aws.String(`
Parameters: {Key: {Type: String, Default: ''}}
Conditions:
  Own: !Equals [!Ref Key, '']
Resources:
  K: {Type: AWS::KMS::Key, Condition: Own, Properties: {Description: own}}
  A: {Type: AWS::KMS::Alias, DependsOn: K, Properties: {AliasName: !Sub 'alias/${AWS::StackName}', TargetKeyId: !If [Own, !Ref K, !Ref Key]}}
Outputs:
  Key: {Value: !If [Own, !Ref K, !Ref Key]}
  Made: {Value: !Ref K, Condition: Own}
`)
	for name, made := range map[string]bool{"own": true, "theirs": false} {
		parameters := []types.Parameter{}
		if !made {
			parameters = append(parameters, types.Parameter{ParameterKey: aws.String("Key"), ParameterValue: &main})
		}
		if _, err := c.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{StackName: &name, ChangeSetName: aws.String("plan"),
			ChangeSetType: types.ChangeSetTypeCreate, TemplateBody: template, Parameters: parameters}); err != nil {
			t.Fatal(err)
		}
		plan, err := c.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{StackName: &name, ChangeSetName: aws.String("plan")})
		if want := map[bool]int{true: 2, false: 1}[made]; err != nil || len(plan.Changes) != want {
			t.Errorf("%s: the plan is %+v, %v, want %d resources", name, plan, err, want)
		}
		if _, err := c.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{StackName: &name, ChangeSetName: aws.String("plan")}); err != nil {
			t.Fatal(err)
		}
		deployed(t, s, name, "CREATE_COMPLETE")
		outputs, err := s.stacks.Outputs(name)
		if err != nil || len(outputs) != map[bool]int{true: 2, false: 1}[made] || (outputs[0].Value == main) == made {
			t.Errorf("%s: the outputs are %+v, %v", name, outputs, err)
		}
		d, err := awskms.NewFromConfig(config(s, "AKIA")).DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: aws.String("alias/" + name)})
		if err != nil || *d.KeyMetadata.KeyId != outputs[0].Value || (*d.KeyMetadata.Description == "own") != made {
			t.Errorf("%s: the alias is that of %+v, %v", name, d, err)
		}
		if got, err := c.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &name}); err != nil || *got.TemplateBody != *template {
			t.Errorf("%s: the template is %+v, %v", name, got, err)
		}
	}
}
