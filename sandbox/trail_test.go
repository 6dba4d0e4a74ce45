package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/qldb"
	"github.com/aws/aws-sdk-go-v2/service/qldbsession"
	sessiontypes "github.com/aws/aws-sdk-go-v2/service/qldbsession/types"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

// found looks events up with the SDK and returns their records.
func found(t *testing.T, s *Sandbox, key types.LookupAttributeKey, value string) (records []map[string]any, events []types.Event) {
	t.Helper()
	c := cloudtrail.NewFromConfig(config(s, "AKIA"))
	in := &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(50)}
	if key != "" {
		in.LookupAttributes = []types.LookupAttribute{{AttributeKey: key, AttributeValue: &value}}
	}
	for p := cloudtrail.NewLookupEventsPaginator(c, in); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			var r map[string]any
			if err := json.Unmarshal([]byte(*e.CloudTrailEvent), &r); err != nil {
				t.Fatal(err)
			}
			records, events = append(records, r), append(events, e)
		}
	}
	return records, events
}

// TestTheArticlesRecord compares the GenerateDataKey record with the article's, field by field.
func TestTheArticlesRecord(t *testing.T) {
	s := RunT(t, Options{})
	records, events := found(t, s, types.LookupAttributeKeyEventName, "GenerateDataKey")
	if len(records) == 0 {
		t.Fatal("there is no such event")
	}
	r, e := records[len(records)-1], events[len(events)-1]
	arn := "arn:aws:kms:eu-west-2:123456789012:key/" + s.key("mainKeyID")
	want := map[string]any{
		"eventVersion": "1.08", "userIdentity": map[string]any{"type": "AWSService", "invokedBy": "qldb.amazonaws.com"},
		"eventSource": "kms.amazonaws.com", "eventName": "GenerateDataKey", "awsRegion": "eu-west-2",
		"sourceIPAddress": "qldb.amazonaws.com", "userAgent": "qldb.amazonaws.com", "responseElements": nil, "readOnly": true,
		"eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": "123456789012", "eventCategory": "Management",
		"resources": []any{map[string]any{"accountId": "123456789012", "type": "AWS::KMS::Key", "ARN": arn}},
	}
	for name, v := range want {
		if !reflect.DeepEqual(r[name], v) {
			t.Errorf("%s is %#v, want %#v", name, r[name], v)
		}
	}
	p := r["requestParameters"].(map[string]any)
	ec := p["encryptionContext"].(map[string]any)
	if p["keyId"] != arn || p["numberOfBytes"] != 32.0 || len(p) != 3 || len(ec) != 2 || !regexp.MustCompile(`^\d+$`).MatchString(ec["key-hierarchy-node-version"].(string)) ||
		!regexp.MustCompile(`^[0-9A-Za-z]{22}$`).MatchString(ec["key-hierarchy-node-id"].(string)) {
		t.Errorf("requestParameters are %v", p)
	}
	for name, form := range map[string]string{"eventTime": `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, "requestID": `^[0-9a-f-]{36}$`,
		"eventID": `^[0-9a-f-]{36}$`, "sharedEventID": `^[0-9a-f-]{36}$`} {
		if text, _ := r[name].(string); !regexp.MustCompile(form).MatchString(text) {
			t.Errorf("%s is %v, want %s", name, r[name], form)
		}
	}
	known := append(slices.Sorted(maps.Keys(want)), "requestParameters", "eventTime", "requestID", "eventID", "sharedEventID")
	for name := range r {
		if !slices.Contains(known, name) {
			t.Errorf("there is a field %s", name)
		}
	}
	if *e.ReadOnly != "true" || *e.EventId != r["eventID"] || e.Username != nil || e.AccessKeyId != nil || *e.Resources[0].ResourceName != arn {
		t.Errorf("the event is %+v", e)
	}
}

// TestTrailOfCalls makes calls of every kind and compares what is interesting of each record.
func TestTrailOfCalls(t *testing.T) {
	s, ctx := RunT(t, Options{}), t.Context()
	k, q := awskms.NewFromConfig(config(s, "AKIAJANE")), qldb.NewFromConfig(config(s, "AKIAJANE"))
	main, rotate := s.key("mainKeyID"), s.key("rotateKeyID")
	arn := func(id string) string { return "arn:aws:kms:eu-west-2:123456789012:key/" + id }
	alias := "arn:aws:kms:eu-west-2:123456789012:alias/qldb-kms-poc"
	secret := "top secret plaintext"
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)
	must(k.Encrypt(ctx, &awskms.EncryptInput{KeyId: aws.String("alias/qldb-kms-poc"), Plaintext: []byte(secret), EncryptionContext: map[string]string{"Case": "Kept"}}))
	must(k.UpdateAlias(ctx, &awskms.UpdateAliasInput{AliasName: aws.String("alias/qldb-kms-poc"), TargetKeyId: &rotate}))
	must(k.DisableKey(ctx, &awskms.DisableKeyInput{KeyId: &main}))
	_, err := k.GenerateDataKey(ctx, &awskms.GenerateDataKeyInput{KeyId: &main, KeySpec: kmstypes.DataKeySpecAes256})
	wantAPIError(t, err, "DisabledException", "")
	must(k.ScheduleKeyDeletion(ctx, &awskms.ScheduleKeyDeletionInput{KeyId: aws.String(s.key("deleteKeyID")), PendingWindowInDays: aws.Int32(7)}))
	must(k.CreateGrant(ctx, &awskms.CreateGrantInput{KeyId: &rotate, GranteePrincipal: aws.String(iam.UserARN("123456789012", "admin")),
		Operations:  []kmstypes.GrantOperation{"Decrypt"},
		Constraints: &kmstypes.GrantConstraints{EncryptionContextSubset: map[string]string{"Case": "Kept"}}}))
	must(q.UpdateLedger(ctx, &qldb.UpdateLedgerInput{Name: aws.String(s.Ledger()), DeletionProtection: aws.Bool(true)}))
	_, err = q.DescribeLedger(ctx, &qldb.DescribeLedgerInput{Name: aws.String("nope")})
	wantAPIError(t, err, "ResourceNotFoundException", "")
	role := awskms.NewFromConfig(config(s, iam.GetRecordKey))
	_, err = role.DisableKey(ctx, &awskms.DisableKeyInput{KeyId: &rotate})
	wantAPIError(t, err, "AccessDeniedException", "")

	user := map[string]any{"type": "IAMUser", "arn": iam.UserARN("123456789012", "admin"), "accountId": "123456789012", "accessKeyId": "AKIAJANE", "userName": "admin"}
	for _, c := range []struct {
		event    string
		last     bool // the oldest of them; else the newest
		want     map[string]any
		identity map[string]any
		on       []string
	}{
		{"Encrypt", false, map[string]any{"readOnly": true, "requestParameters": map[string]any{"keyId": "alias/qldb-kms-poc",
			"encryptionContext": map[string]any{"Case": "Kept"}}, "responseElements": nil}, user, []string{arn(main)}},
		{"UpdateAlias", false, map[string]any{"readOnly": false, "sourceIPAddress": "127.0.0.1",
			"requestParameters": map[string]any{"aliasName": "alias/qldb-kms-poc", "targetKeyId": rotate}}, user, []string{alias, arn(rotate)}},
		{"DisableKey", true, map[string]any{"readOnly": false, "requestParameters": map[string]any{"keyId": main}, "errorCode": nil}, user, []string{arn(main)}},
		{"DisableKey", false, map[string]any{"errorCode": "AccessDenied"}, map[string]any{"type": "AssumedRole",
			"arn": "arn:aws:sts::123456789012:assumed-role/qldb-kms-get-record-role/get-record", "accessKeyId": iam.GetRecordKey}, []string{arn(rotate)}},
		{"GenerateDataKey", false, map[string]any{"errorCode": "DisabledException", "errorMessage": arn(main) + " is disabled.",
			"requestParameters": map[string]any{"keyId": main, "keySpec": "AES_256"}}, user, []string{arn(main)}},
		{"ScheduleKeyDeletion", false, map[string]any{"requestParameters": map[string]any{"keyId": s.key("deleteKeyID"), "pendingWindowInDays": 7.0}}, user,
			[]string{arn(s.key("deleteKeyID"))}},
		{"CreateGrant", false, map[string]any{"requestParameters": map[string]any{"keyId": rotate, "granteePrincipal": iam.UserARN("123456789012", "admin"),
			"operations": []any{"Decrypt"}, "constraints": map[string]any{"encryptionContextSubset": map[string]any{"Case": "Kept"}}}}, user, []string{arn(rotate)}},
		{"CreateGrant", true, map[string]any{"sourceIPAddress": "qldb.amazonaws.com"}, map[string]any{"type": "IAMUser", "invokedBy": "qldb.amazonaws.com"}, []string{arn(main)}},
		{"Decrypt", false, map[string]any{"readOnly": true, "userAgent": "qldb.amazonaws.com"},
			map[string]any{"type": "AssumedRole", "invokedBy": "qldb.amazonaws.com",
				"arn": "arn:aws:sts::123456789012:assumed-role/qldb-kms-create-record-role/qldb-kms-poc-create-record"}, nil},
		{"CreateKey", true, map[string]any{"sourceIPAddress": "cloudformation.amazonaws.com"}, map[string]any{"invokedBy": "cloudformation.amazonaws.com"}, nil},
		{"UpdateLedger", false, map[string]any{"eventSource": "qldb.amazonaws.com", "readOnly": false,
			"requestParameters": map[string]any{"name": s.Ledger(), "deletionProtection": true}}, user, []string{"arn:aws:qldb:eu-west-2:123456789012:ledger/" + s.Ledger()}},
		{"DescribeLedger", false, map[string]any{"errorCode": "ResourceNotFoundException"}, user, []string{"arn:aws:qldb:eu-west-2:123456789012:ledger/nope"}},
	} {
		t.Run(c.event, func(t *testing.T) {
			records, _ := found(t, s, types.LookupAttributeKeyEventName, c.event)
			if len(records) == 0 {
				t.Fatal("there is no such event")
			}
			r := records[0]
			if c.last {
				r = records[len(records)-1]
			}
			for name, v := range c.want {
				if !reflect.DeepEqual(r[name], v) {
					t.Errorf("%s is %#v, want %#v", name, r[name], v)
				}
			}
			for name, v := range c.identity {
				if got := r["userIdentity"].(map[string]any)[name]; got != v {
					t.Errorf("userIdentity.%s is %v, want %v", name, got, v)
				}
			}
			var on []string
			list, _ := r["resources"].([]any)
			for _, v := range list {
				on = append(on, v.(map[string]any)["ARN"].(string))
			}
			if c.on != nil && !slices.Equal(on, c.on) {
				t.Errorf("resources are %v, want %v", on, c.on)
			}
		})
	}
	records, events := found(t, s, types.LookupAttributeKeyEventName, "ScheduleKeyDeletion")
	deleted := records[0]["responseElements"].(map[string]any)
	if _, err := time.Parse("Jan 2, 2006 15:04:05 PM", deleted["deletionDate"].(string)); err != nil || deleted["keyState"] != "PendingDeletion" ||
		deleted["keyId"] != arn(s.key("deleteKeyID")) || *events[0].Username != "admin" || *events[0].AccessKeyId != "AKIAJANE" {
		t.Errorf("responseElements are %v, the event %+v", deleted, events[0])
	}
	all, _ := found(t, s, "", "")
	for _, r := range all {
		text, _ := json.Marshal(r)
		for _, word := range []string{`laintext":`, "iphertextBlob", "grantToken", "dG9wIHNlY3JldCBwbGFpbnRleHQ", secret} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s gives away %s: %s", r["eventName"], word, text)
			}
		}
	}
	for i := range all[1:] {
		if all[i]["eventTime"].(string) < all[i+1]["eventTime"].(string) {
			t.Errorf("event %d is older than the next", i)
		}
	}
}

func TestTrailOfWhatKMSDoesItself(t *testing.T) {
	s := RunT(t, Options{})
	admin := s.KMS().Directory().Admin()
	doomed := s.key("deleteKeyID")
	days := int32(7)
	if _, err := s.KMS().ScheduleKeyDeletion(admin, &kms.ScheduleKeyDeletionRequest{KeyId: doomed, PendingWindowInDays: &days}); err != nil {
		t.Fatal(err)
	}
	s.Clock().Advance(366 * 24 * time.Hour) // the article's keys rotate once a year
	s.KMS().Settle()
	// What happened more than 90 days ago cannot be found any more, so only the rotations can.
	records, _ := found(t, s, types.LookupAttributeKeyEventName, "RotateKey")
	if len(records) != 3 {
		t.Fatalf("there were %d rotations, want 3", len(records))
	}
	r := records[0]
	id := r["userIdentity"].(map[string]any)
	if r["eventType"] != "AwsServiceEvent" || id["invokedBy"] != "AWS Internal" || id["accountId"] != "123456789012" || len(id) != 2 ||
		r["sourceIPAddress"] != "AWS Internal" || r["requestParameters"] != nil || r["requestID"] != nil ||
		!strings.HasSuffix(r["resources"].([]any)[0].(map[string]any)["ARN"].(string), r["serviceEventDetails"].(map[string]any)["keyId"].(string)) {
		t.Errorf("the rotation is %v", r)
	}
	var deleted bool
	for _, e := range s.trail.Recent(1000) {
		deleted = deleted || e.EventName == "DeleteKey" && strings.HasSuffix(e.Resources[0].ARN, doomed)
	}
	if !deleted {
		t.Error("there is no DeleteKey event")
	}
}

func TestSDKLookupEvents(t *testing.T) {
	s, ctx := RunT(t, Options{LookupDelay: time.Minute}), t.Context()
	c := cloudtrail.NewFromConfig(config(s, "AKIA"))
	if out, err := c.LookupEvents(ctx, &cloudtrail.LookupEventsInput{}); err != nil || len(out.Events) != 0 {
		t.Errorf("before the delay: %d events, %v", len(out.Events), err)
	}
	s.Clock().Advance(time.Minute)
	first, err := c.LookupEvents(ctx, &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(3)})
	if err != nil || len(first.Events) != 3 || first.NextToken == nil {
		t.Fatalf("a page is %+v, %v", first, err)
	}
	second, err := c.LookupEvents(ctx, &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(3), NextToken: first.NextToken})
	if err != nil || len(second.Events) != 3 || *second.Events[0].EventId == *first.Events[2].EventId {
		t.Fatalf("the next page is %+v, %v", second, err)
	}
	e := first.Events[0]
	for name, a := range map[string]types.LookupAttribute{
		"id":       {AttributeKey: "EventId", AttributeValue: e.EventId},
		"source":   {AttributeKey: "EventSource", AttributeValue: aws.String("qldb.amazonaws.com")},
		"read":     {AttributeKey: "ReadOnly", AttributeValue: aws.String("false")},
		"user":     {AttributeKey: "Username", AttributeValue: aws.String("admin")},
		"type":     {AttributeKey: "ResourceType", AttributeValue: aws.String("AWS::KMS::Alias")},
		"resource": {AttributeKey: "ResourceName", AttributeValue: aws.String("arn:aws:kms:eu-west-2:123456789012:key/" + s.key("mainKeyID"))},
	} {
		out, err := c.LookupEvents(ctx, &cloudtrail.LookupEventsInput{LookupAttributes: []types.LookupAttribute{a}})
		if err != nil || len(out.Events) == 0 || name == "id" && len(out.Events) != 1 || name == "type" && *out.Events[0].EventName != "CreateAlias" {
			t.Errorf("by %s: %+v, %v", name, out, err)
		}
	}
	if out, err := c.LookupEvents(ctx, &cloudtrail.LookupEventsInput{EndTime: aws.Time(s.Clock().Now().Add(-time.Hour))}); err != nil || len(out.Events) != 0 {
		t.Errorf("before the sandbox: %+v, %v", out, err)
	}
	for _, f := range []struct {
		code string
		in   cloudtrail.LookupEventsInput
	}{
		{"InvalidLookupAttributesException", cloudtrail.LookupEventsInput{LookupAttributes: []types.LookupAttribute{
			{AttributeKey: "EventName", AttributeValue: aws.String("a")}, {AttributeKey: "Username", AttributeValue: aws.String("a")}}}},
		{"InvalidTimeRangeException", cloudtrail.LookupEventsInput{StartTime: aws.Time(time.Unix(2, 0)), EndTime: aws.Time(time.Unix(1, 0))}},
		{"InvalidMaxResultsException", cloudtrail.LookupEventsInput{MaxResults: aws.Int32(51)}},
		{"InvalidNextTokenException", cloudtrail.LookupEventsInput{NextToken: aws.String("x")}},
		{"InvalidNextTokenException", cloudtrail.LookupEventsInput{NextToken: first.NextToken, LookupAttributes: []types.LookupAttribute{
			{AttributeKey: "EventName", AttributeValue: aws.String("CreateKey")}}}},
		{"ValidationException", cloudtrail.LookupEventsInput{LookupAttributes: []types.LookupAttribute{{AttributeKey: "Color", AttributeValue: aws.String("a")}}}},
	} {
		_, err := c.LookupEvents(ctx, &f.in)
		wantAPIError(t, err, f.code, "")
	}
	_, err = c.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
	wantAPIError(t, err, "UnknownOperationException", "DescribeTrails")
}

func TestSDKLookupEventsQuota(t *testing.T) {
	s := RunT(t, Options{Quotas: true})
	o := func(o *cloudtrail.Options) { o.RetryMaxAttempts = 1 }
	c := cloudtrail.NewFromConfig(config(s, "AKIA"), o)
	var last error
	for range 10 {
		if _, last = c.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{}); last != nil {
			break
		}
	}
	wantAPIError(t, last, "ThrottlingException", "Rate exceeded")
}

func TestStatusPage(t *testing.T) {
	s := RunT(t, Options{})
	admin := s.KMS().Directory().Admin()
	if _, err := s.KMS().CreateKey(admin, &kms.CreateKeyRequest{Description: `</script><script>alert("x")</script>`}); err != nil {
		t.Fatal(err)
	}
	status, page := call(t, s, "GET", "/", "")
	if status != 200 || !strings.Contains(page, "<h1>qldb-kms-poc</h1>") || strings.Contains(page, "<script>alert") {
		t.Errorf("got %d %s", status, page)
	}
	before := len(s.trail.Recent(1000))
	status, text := call(t, s, "GET", "/status.json", "")
	var got struct {
		Stack   struct{ Name, Status string }
		Keys    []struct{ ID, Name, State string }
		Ledgers []struct{ Name, State, Encryption, KeyName, Follows string }
		Events  []struct{ Name, Who, Source string }
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || status != 200 {
		t.Fatalf("got %d %s: %v", status, text, err)
	}
	states := map[string]string{}
	for _, k := range got.Keys {
		states[k.Name] = k.State
	}
	if got.Stack.Status != "CREATE_COMPLETE" || len(got.Keys) != 5 || states["mainKeyID"] != "Enabled" || len(got.Ledgers) != 1 ||
		got.Ledgers[0].Encryption != "ENABLED" || got.Ledgers[0].KeyName != "mainKeyID" || got.Ledgers[0].Follows != "alias/qldb-kms-poc" || len(got.Events) == 0 {
		t.Errorf("got %+v", got)
	}
	if after := len(s.trail.Recent(1000)); after != before {
		t.Errorf("looking at the status left %d events", after-before)
	}
	want(t, s, "POST", "/", "{}", 403, `{"message":"Missing Authentication Token"}`)
	want(t, s, "GET", "/favicon.ico", "", 403, `{"message":"Missing Authentication Token"}`)
	res, err := http.Head(s.APIURL())
	if err != nil || res.StatusCode != 200 {
		t.Errorf("HEAD: %v, %v", res, err)
	}
}

// TestStatusOfManyKeys makes more keys than anybody looks at: the page stays small, and shows those in use.
func TestStatusOfManyKeys(t *testing.T) {
	s := RunT(t, Options{})
	for range 2 * shownKeys {
		if _, err := s.KMS().CreateKey(s.KMS().Directory().Admin(), &kms.CreateKeyRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	st, err := s.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Keys) != shownKeys || st.More < shownKeys || st.Keys[0].Name == "" || len(st.Keys[0].Aliases) == 0 {
		t.Errorf("it shows %d keys and %d more, the first %+v", len(st.Keys), st.More, st.Keys[0])
	}
}

// TestFollowingLeavesNoTrack checks that a ledger which follows its alias does not bury the trail
// under its look-ups, but shows the one that found the alias moved.
func TestFollowingLeavesNoTrack(t *testing.T) {
	s := RunT(t, Options{})
	lookups := func() (n int) {
		for _, e := range s.trail.Recent(1000) {
			if e.EventName == "DescribeKey" {
				n++
			}
		}
		return n
	}
	before := lookups()
	for range 20 {
		s.Clock().Advance(11 * time.Second)
	}
	if after := lookups(); after != before {
		t.Errorf("looking the alias up left %d events", after-before)
	}
	admin := s.KMS().Directory().Admin()
	if err := s.KMS().UpdateAlias(admin, &kms.UpdateAliasRequest{AliasName: "alias/qldb-kms-poc", TargetKeyId: s.key("rotateKeyID")}); err != nil {
		t.Fatal(err)
	}
	s.Clock().Advance(11 * time.Second)
	eventually(t, "the move is in the trail", func() bool { return lookups() > before })
}

// BenchmarkDoorDecrypt is KMS Decrypt as a client has it, without the network.
func BenchmarkDoorDecrypt(b *testing.B) {
	s := RunT(b, Options{})
	out, err := s.KMS().Encrypt(s.KMS().Directory().Admin(), &kms.EncryptRequest{KeyId: s.key("mainKeyID"), Plaintext: []byte("32 bytes of key, as it is usual.")})
	if err != nil {
		b.Fatal(err)
	}
	body, err := json.Marshal(&kms.DecryptRequest{CiphertextBlob: out.CiphertextBlob})
	if err != nil {
		b.Fatal(err)
	}
	h := s.aws.server.Handler
	b.ReportAllocs()
	for b.Loop() {
		r := empty("POST", "/")
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.Header.Set("X-Amz-Target", "TrentService.Decrypt")
		h.ServeHTTP(nowhere{http.Header{}}, r)
	}
}

func TestTrailOfSessions(t *testing.T) {
	s, ctx := RunT(t, Options{}), t.Context()
	c := qldbsession.NewFromConfig(config(s, "AKIA"))
	out, err := c.SendCommand(ctx, &qldbsession.SendCommandInput{StartSession: &sessiontypes.StartSessionRequest{LedgerName: aws.String(s.Ledger())}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SendCommand(ctx, &qldbsession.SendCommandInput{SessionToken: out.StartSession.SessionToken, EndSession: &sessiontypes.EndSessionRequest{}}); err != nil {
		t.Fatal(err)
	}
	_, err = c.SendCommand(ctx, &qldbsession.SendCommandInput{StartSession: &sessiontypes.StartSessionRequest{LedgerName: aws.String("nope")}})
	if err == nil {
		t.Error("a session with a ledger that there is not")
	}
	padded := strings.NewReader(strings.Repeat(" ", 2000) + `{"StartSession":{"LedgerName":"nope"}}`)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.AWSURL(), padded)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = -1 // in chunks
	r.Header.Set("X-Amz-Target", "QLDBSession.SendCommand")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/1/eu-west-2/qldb/aws4_request")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	all, _ := found(t, s, types.LookupAttributeKeyEventName, "SendCommand")
	if len(all) != 3 {
		t.Fatalf("a client that pads its request leaves no event: there are %d", len(all))
	}
	records := all[1:]
	if len(records) != 2 || records[0]["errorCode"] == nil || records[1]["errorCode"] != nil ||
		records[1]["requestParameters"].(map[string]any)["ledgerName"] != s.Ledger() ||
		strings.Contains(jsonText(records), *out.StartSession.SessionToken) {
		t.Errorf("the sessions are %v", records)
	}
}

// GetKeyLastUsage names the event that the trail has of the last use.
func TestLastUsageNamesItsEvent(t *testing.T) {
	s := RunT(t, Options{})
	k := awskms.NewFromConfig(config(s, "AKIA"))
	key, err := k.CreateKey(t.Context(), &awskms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	id := key.KeyMetadata.KeyId
	if _, err := k.Encrypt(t.Context(), &awskms.EncryptInput{KeyId: id, Plaintext: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	last, err := k.GetKeyLastUsage(t.Context(), &awskms.GetKeyLastUsageInput{KeyId: id})
	if err != nil {
		t.Fatal(err)
	}
	_, events := found(t, s, types.LookupAttributeKeyEventId, aws.ToString(last.KeyLastUsage.CloudTrailEventId))
	if len(events) != 1 || *events[0].EventName != "Encrypt" {
		t.Errorf("the event of the last use is %v", events)
	}
}

// A sandbox whose KMS is slow to show changes starts all the same, and shows them late from then on.
func TestConsistencyBeginsWithTheStack(t *testing.T) {
	s := RunT(t, Options{Consistency: time.Hour})
	k := awskms.NewFromConfig(config(s, "AKIA"))
	old, err := k.DescribeKey(t.Context(), &awskms.DescribeKeyInput{KeyId: aws.String("alias/qldb-kms-poc")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.DisableKey(t.Context(), &awskms.DisableKeyInput{KeyId: old.KeyMetadata.KeyId}); err != nil {
		t.Fatal(err)
	}
	now, err := k.DescribeKey(t.Context(), &awskms.DescribeKeyInput{KeyId: old.KeyMetadata.KeyId})
	if err != nil || !now.KeyMetadata.Enabled {
		t.Errorf("at once: got %+v, %v; want it still enabled", now, err)
	}
	s.Clock().Advance(2 * time.Hour)
	now, err = k.DescribeKey(t.Context(), &awskms.DescribeKeyInput{KeyId: old.KeyMetadata.KeyId})
	if err != nil || now.KeyMetadata.Enabled {
		t.Errorf("after the delay: enabled %v, want false (%v)", now.KeyMetadata.Enabled, err)
	}
}
