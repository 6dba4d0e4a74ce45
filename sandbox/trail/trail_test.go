package trail

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
)

func newLog(capacity int) *Log {
	return New(Options{Account: "123456789012", Region: "eu-west-2", Clock: clock.New(1), Capacity: capacity})
}

func name(i int) Call {
	return Call{Source: "kms.amazonaws.com", Operation: "DescribeKey", Request: map[string]any{"KeyId": fmt.Sprint("k", i)}}
}

func TestTheOldestEventsGo(t *testing.T) {
	l := newLog(10)
	for i := range 25 {
		l.Record(name(i))
	}
	got := l.Recent(100)
	if len(got) != 10 {
		t.Fatalf("there are %d events, want 10", len(got))
	}
	for i, e := range got {
		if want := fmt.Sprint("k", 24-i); e.RequestParameters["keyId"] != want {
			t.Errorf("event %d is about %v, want %s", i, e.RequestParameters, want)
		}
	}
	if few := l.Recent(3); len(few) != 3 || few[0] != got[0] {
		t.Errorf("the last three are %v", few)
	}
}

// TestHugeRequestsAreNotKept has clients send as much as they can in every member that events show.
func TestHugeRequestsAreNotKept(t *testing.T) {
	l := newLog(2000)
	huge := strings.Repeat("x", 200<<10)
	many := map[string]any{}
	for i := range 5000 {
		many[fmt.Sprint(i)] = ""
	}
	for _, in := range []map[string]any{{"Description": huge}, {"EncryptionContext": many}, {"KeyId": huge}, {"Tags": []any{many}},
		{"ResourceArn": huge}, {"Name": huge}} {
		for _, source := range []string{"kms.amazonaws.com", "qldb.amazonaws.com"} {
			l.Record(Call{Source: source, Operation: "Encrypt", Request: in, Agent: huge, Message: huge, Code: "X", AccessKey: "A"})
			if e := l.Recent(1)[0]; e.size > 20<<10 {
				t.Errorf("%.40v takes %d bytes", in, e.size)
			}
		}
	}
	l.room = 2 << 20
	large := map[string]any{"Policy": strings.Repeat("x", 90<<10)}
	for range 40 {
		l.Record(Call{Source: "kms.amazonaws.com", Operation: "PutKeyPolicy", Request: large})
	}
	total := 0
	got := l.Recent(5000)
	for _, e := range got {
		total += e.size
	}
	if total != l.size || total > l.room || len(got) < 20 {
		t.Errorf("%d events take %d bytes, the log says %d", len(got), total, l.size)
	}
	l.room = maxSize
	for i := range 3000 { // and the small ones that follow have all the room again
		l.Record(name(i))
	}
	if got := l.Recent(5000); len(got) != 2000 || got[1999].RequestParameters["keyId"] != "k1000" {
		t.Errorf("there are %d events, the oldest %+v", len(got), got[len(got)-1].RequestParameters)
	}
}

// TestPagesDoNotShift reads a log by pages while it grows and loses its oldest events: nothing comes
// twice, and nothing that is still there is missed.
func TestPagesDoNotShift(t *testing.T) {
	l := newLog(100)
	for i := range 100 {
		l.Record(name(i))
	}
	seven := 7
	in := &LookupEventsRequest{MaxResults: &seven}
	seen := map[string]bool{}
	for n := 100; ; n++ {
		out, err := l.LookupEvents(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			if seen[e.EventId] {
				t.Errorf("%s comes twice", e.EventId)
			}
			seen[e.EventId] = true
		}
		if in.NextToken = out.NextToken; in.NextToken == "" {
			break
		}
		l.Record(name(n)) // which pushes the oldest out
	}
	if len(seen) < 85 || len(seen) > 100 {
		t.Errorf("saw %d events, want the 100 of the beginning but for the few that were pushed out", len(seen))
	}
}

func TestIdentities(t *testing.T) {
	l := newLog(10)
	const account = "123456789012"
	for _, c := range []struct {
		name       string
		call       Call
		kind, user string
		invokedBy  string
		address    string
	}{
		{"user", Call{Caller: iam.Caller{Principal: iam.UserARN(account, "team/jane"), Account: account}, Address: "10.0.0.1"}, "IAMUser", "jane", "", "10.0.0.1"},
		{"root", Call{Caller: iam.Caller{Principal: iam.RootARN(account), Account: account}}, "Root", "root", "", "127.0.0.1"},
		{"session", Call{Caller: iam.Caller{Principal: iam.SessionARN(account, "r", "s"), Account: account}}, "AssumedRole", "s", "", "127.0.0.1"},
		{"through a service", Call{Caller: iam.Caller{Principal: iam.SessionARN(account, "r", "s"), Account: account, Via: "qldb.eu-west-2.amazonaws.com"}},
			"AssumedRole", "s", "qldb.amazonaws.com", "qldb.amazonaws.com"},
		{"for a stack", Call{Caller: iam.Caller{Principal: iam.UserARN(account, "jane"), Account: account}, InvokedBy: "cloudformation.amazonaws.com"},
			"IAMUser", "jane", "cloudformation.amazonaws.com", "cloudformation.amazonaws.com"},
		{"service", Call{Caller: iam.Caller{Service: "qldb.amazonaws.com", Account: account}}, "AWSService", "", "qldb.amazonaws.com", "qldb.amazonaws.com"},
		{"nobody", Call{}, "Unknown", "", "", "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.call.Source, c.call.Operation = "kms.amazonaws.com", "DisableKey"
			l.Record(c.call)
			e := l.Recent(1)[0]
			id := e.UserIdentity
			if id.Type != c.kind || e.username() != c.user || id.InvokedBy != c.invokedBy || e.SourceIPAddress != c.address {
				t.Errorf("got %+v from %s, want %s %s invoked by %q from %s", id, e.SourceIPAddress, c.kind, c.user, c.invokedBy, c.address)
			}
			if (id.SessionContext != nil) != (c.kind == "AssumedRole") || (e.SharedEventID != "") != (c.kind == "AWSService") {
				t.Errorf("session context %v, shared event %q", id.SessionContext, e.SharedEventID)
			}
		})
	}
	if s := PrincipalID(iam.SessionARN(account, "r", "s")); s != PrincipalID(iam.RoleARN(account, "r"))+":s" || len(s) != 23 {
		t.Errorf("a session's id is %s", s)
	}
}

// TestNothingUnknownIsShown gives the log requests full of members it does not know.
func TestNothingUnknownIsShown(t *testing.T) {
	l := newLog(10)
	for _, operation := range []string{"Encrypt", "CreateGrant", "ImportKeyMaterial", "CreateCustomKeyStore", "AssumeRole", "CreateKey", "Invented"} {
		in := map[string]any{"KeyId": "k"}
		for _, name := range []string{"Plaintext", "CiphertextBlob", "GrantTokens", "GrantToken", "EncryptedKeyMaterial", "ImportToken", "KeyStorePassword",
			"XksProxyAuthenticationCredential", "Message", "Mac", "Signature", "PublicKey", "PrivateKeyPlaintext", "SharedSecret", "Recipient",
			"Credentials", "SecretAccessKey", "SessionToken", "TemplateBody", "Anything"} {
			in[name] = "secret"
		}
		l.Record(Call{Source: "kms.amazonaws.com", Operation: operation, Request: in, Response: in})
		b, err := json.Marshal(l.Recent(1)[0])
		if err != nil || strings.Contains(string(b), "secret") {
			t.Errorf("%s: %s, %v", operation, b, err)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	l := newLog(50)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 60 {
				l.Record(name(i))
				if _, err := l.LookupEvents(&LookupEventsRequest{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// FuzzServe sends any request after any call: the answer is JSON, or the log is wrong.
func FuzzServe(f *testing.F) {
	f.Add(`{"KeyId":"alias/x","AliasName":"alias/x","Tags":[{"TagKey":"a","":1}]}`, `{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"a"}],"MaxResults":1}`)
	f.Add(`{"EncryptionContext":null,"ValidTo":1e300,"KeyId":"arn:aws:kms"}`, `{"StartTime":-1e300,"EndTime":1e300,"NextToken":"!"}`)
	f.Fuzz(func(t *testing.T, request, lookup string) {
		l := newLog(4)
		l.Record(Call{Source: "kms.amazonaws.com", Operation: "CreateKey", Request: json.RawMessage(request), Response: json.RawMessage(request), Message: request})
		l.RecordService("RotateKey", request, time.Time{})
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(lookup))
		r.Header.Set("X-Amz-Target", target+"LookupEvents")
		w := httptest.NewRecorder()
		l.ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%q is answered with %q", lookup, w.Body)
		}
	})
}
