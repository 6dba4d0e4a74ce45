package awskms_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/qldb"

	"loadkms/faults"
	"loadkms/faults/awskms"
	"loadkms/sandbox"
	"loadkms/sandbox/iam"
	qldbsandbox "loadkms/sandbox/ledger"
)

const lockedOut = `{"status":500,"title":"BadRequestException","detail":"Amazon QLDB does not have grant access on the AWS KMS customer managed key of the ledger. Restore the grant on the key for the ledger."}`

// A borrower is a sandbox whose ledger uses the keys of another sandbox, the field's.
type borrower struct {
	*field
	keys *awskms.Keys
	here *sandbox.Sandbox
}

func newBorrower(t *testing.T, key string) *borrower {
	t.Helper()
	b := &borrower{field: newField(t, sandbox.Options{Account: "111122223333"})}
	b.keys = b.cloud.Keys()
	t.Cleanup(func() { // after the sandbox of here has ended, and before that of there
		if err := b.keys.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	b.here = sandbox.RunT(t, sandbox.Options{Account: b.cloud.Account(), Keys: b.keys, LedgerKey: key})
	return b
}

// ask sends a request to the API here.
func (b *borrower) ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.here.APIURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func (b *borrower) want(t *testing.T, method, path, body string, status int, answer string) {
	t.Helper()
	if got, text := b.ask(t, method, path, body); got != status || answer != "" && text != answer {
		t.Fatalf("%s %s: got %d %s, want %d %s", method, path, got, text, status, answer)
	}
}

// grants are the names of the grants that a key has over there.
func (b *borrower) grants(t *testing.T, key string) (names []string) {
	t.Helper()
	out, err := b.kms.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: &key})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range out.Grants {
		if strings.HasPrefix(aws.ToString(g.Name), b.keys.GrantPrefix()) {
			names = append(names, *g.Name)
		}
	}
	return names
}

func (b *borrower) encryption(t *testing.T) (status, key string) {
	t.Helper()
	out, err := b.qldbHere().DescribeLedger(t.Context(), &qldb.DescribeLedgerInput{Name: aws.String(ledgerName)})
	if err != nil {
		t.Fatal(err)
	}
	_, id, _ := strings.Cut(*out.EncryptionDescription.KmsKeyArn, ":key/")
	return string(out.EncryptionDescription.EncryptionStatus), id
}

func (b *borrower) qldbHere() *qldb.Client {
	cfg := aws.Config{Region: "eu-west-2", Credentials: credentials.NewStaticCredentialsProvider("other", "client", "")}
	return qldb.NewFromConfig(cfg, func(q *qldb.Options) { q.BaseEndpoint = aws.String(b.here.AWSURL()) })
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not true: %s", what)
		}
	}
}

const record, created = `{"id":1,"name":"Ada"}`, 201

// The article's scenario on a key that is somewhere else, broken by the very fault that runs use.
func TestBorrowedKeyIsDisabled(t *testing.T) {
	t.Parallel()
	b := newBorrower(t, aliasName)
	main := b.outputs["mainKeyID"]
	b.want(t, "POST", "/poc/record", record, created, "")
	b.want(t, "GET", "/poc/record/1", "", 200, "")
	if got := b.grants(t, main); len(got) != 1 || !strings.HasSuffix(got[0], "-"+ledgerName) {
		t.Errorf("the key has the grants %q, want one for the ledger", got)
	}

	disabled := b.resolve(t, disable("{{ stack.mainKeyID }}"))
	if err := disabled.Break(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.want(t, "GET", "/poc/record/1", "", 200, "") // the key cache
	b.here.Clock().Advance(3 * time.Minute)
	b.want(t, "GET", "/poc/record/1", "", 500, lockedOut)
	if status, _ := b.encryption(t); status != "KMS_KEY_INACCESSIBLE" {
		t.Errorf("the ledger is %s", status)
	}
	if err := disabled.Restore(t.Context(), faults.State("Enabled")); err != nil {
		t.Fatal(err)
	}
	b.want(t, "GET", "/poc/record/1", "", 500, lockedOut) // until it looks again
	b.here.Clock().Advance(3 * time.Minute)
	eventually(t, "the record is back", func() bool { status, _ := b.ask(t, "GET", "/poc/record/1", ""); return status == 200 })
	if status, key := b.encryption(t); status != "ENABLED" || key != main {
		t.Errorf("the ledger is %s under %s", status, key)
	}
}

// The ledger goes to another key, by UpdateLedger and after its alias, and its grant goes with it.
func TestBorrowedKeyIsChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, b *borrower, to string) error
	}{
		{"by UpdateLedger", func(t *testing.T, b *borrower, to string) error {
			arn := "arn:aws:kms:eu-west-2:111122223333:key/" + to
			_, err := b.qldbHere().UpdateLedger(t.Context(), &qldb.UpdateLedgerInput{Name: aws.String(ledgerName), KmsKey: &arn})
			return err
		}},
		{"by the alias", func(t *testing.T, b *borrower, to string) error {
			_, err := b.kms.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: aws.String(aliasName), TargetKeyId: &to})
			b.here.Clock().Advance(time.Minute)
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBorrower(t, aliasName)
			from, to := b.outputs["mainKeyID"], b.outputs["rotateKeyID"]
			b.want(t, "POST", "/poc/record", record, created, "")
			if err := tt.change(t, b, to); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the ledger is under the other key", func() bool {
				status, key := b.encryption(t)
				b.here.Clock().Advance(time.Minute)
				return status == "ENABLED" && key == to
			})
			eventually(t, "the grant is given back", func() bool { return len(b.grants(t, from)) == 0 })
			if got := b.grants(t, to); len(got) != 1 {
				t.Errorf("the new key has the grants %q, want one", got)
			}
			if _, err := b.kms.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &from}); err != nil {
				t.Fatal(err)
			}
			b.here.Clock().Advance(3 * time.Minute)
			b.want(t, "GET", "/poc/record/1", "", 200, "") // without the old key
		})
	}
}

// A KMS that cannot be reached has refused nothing.
func TestBorrowedKMSIsAway(t *testing.T) {
	t.Parallel()
	b := newBorrower(t, aliasName)
	b.want(t, "POST", "/poc/record", record, created, "")
	if err := b.keys.Close(t.Context()); err != nil { // nobody will be there to take it
		t.Fatal(err)
	}
	if err := b.box.Close(); err != nil {
		t.Fatal(err)
	}
	b.here.Clock().Advance(3 * time.Minute)
	status, text := b.ask(t, "GET", "/poc/record/1", "")
	if status != 500 || strings.Contains(text, "does not have grant access") || !strings.Contains(text, "connection refused") {
		t.Errorf("got %d %s, want a 500 that says why", status, text)
	}
}

// With no key to begin with there is no sandbox, and it says why.
func TestBorrowedKeyAtTheStart(t *testing.T) {
	t.Parallel()
	f := newField(t, sandbox.Options{})
	gone := newField(t, sandbox.Options{})
	if err := gone.box.Close(); err != nil {
		t.Fatal(err)
	}
	off := f.outputs["deleteKeyID"]
	if _, err := f.kms.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &off}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		o    sandbox.Options
		want string
	}{
		{"no such key", sandbox.Options{Keys: f.cloud.Keys(), LedgerKey: "alias/none"}, "look at the ledger's key alias/none: NotFoundException: Alias"},
		{"a disabled key", sandbox.Options{Keys: f.cloud.Keys(), LedgerKey: off}, "is disabled"},
		{"nobody there", sandbox.Options{Keys: gone.cloud.Keys(), LedgerKey: aliasName}, "connection refused"},
		{"no key named", sandbox.Options{Keys: f.cloud.Keys()}, "need the name of the one for the ledger"},
		{"no keys", sandbox.Options{LedgerKey: aliasName}, "a ledger key is for keys of another KMS"},
		{"a template", sandbox.Options{Keys: f.cloud.Keys(), LedgerKey: aliasName, Template: "Resources: {}"}, "a template makes its own keys"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sandbox.Start(t.Context(), tt.o)
			if err == nil {
				t.Fatalf("it starts; closing says %v", s.Close())
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want %q in it", err, tt.want)
			}
		})
	}
}

// What a KMS answers, and what of it is a refusal.
func TestRefusalsOfAKMS(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	status, body := 200, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("X-Amz-Target") == "" { // STS
			fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/me</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("x-amzn-RequestId", "request-1")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	defer server.Close()
	cloud, err := awskms.New(t.Context(), awskms.Options{Region: "eu-west-2", Endpoint: server.URL, AccessKey: "a", SecretKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	keys := cloud.Keys()
	for _, tt := range []struct {
		name   string
		status int
		body   string
		code   string // "": not a refusal
	}{
		{"a disabled key", 400, `{"__type":"DisabledException","message":"it is disabled."}`, "DisabledException"},
		{"a denied caller", 400, `{"__type":"AccessDeniedException","Message":"it is disabled."}`, "AccessDeniedException"},
		{"a state", 400, `{"__type":"KMSInvalidStateException","message":"it is disabled."}`, "KMSInvalidStateException"},
		{"an internal error", 500, `{"__type":"KMSInternalException","message":"it is disabled."}`, ""},
		{"too many calls", 400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, ""},
		{"credentials that have expired", 400, `{"__type":"ExpiredTokenException","message":"expired"}`, ""},
		{"unknown credentials", 400, `{"__type":"UnrecognizedClientException","message":"who?"}`, ""},
		{"a proxy", 403, `<html>no</html>`, ""},
		{"no JSON", 200, `<html>no</html>`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mu.Lock()
			status, body = tt.status, tt.body
			mu.Unlock()
			_, err := keys.Decrypt(t.Context(), iam.Caller{}, []byte("sealed"), nil)
			if err == nil {
				t.Fatal("no error")
			}
			refusal, ok := errors.AsType[*qldbsandbox.KeyError](err)
			if ok != (tt.code != "") {
				t.Fatalf("error %v, a refusal: %v", err, ok)
			}
			if want := (qldbsandbox.KeyError{Code: tt.code, Message: "it is disabled.", RequestID: "request-1"}); ok && *refusal != want {
				t.Errorf("got %+v, want %+v", *refusal, want)
			}
		})
	}
}

// Whoever may use a key but make no grants goes on without; who may do neither is told so.
func TestBorrowedKeyWithoutAGrant(t *testing.T) {
	t.Parallel()
	f := newField(t, sandbox.Options{})
	policy := func(actions string) string {
		return `{"Version":"2012-10-17","Statement":[` +
			`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"},` +
			`{"Effect":"Deny","Principal":"*","Action":[` + actions + `],"Resource":"*"}]}`
	}
	for _, tt := range []struct{ name, denied, code string }{
		{"may use", `"kms:CreateGrant"`, ""},
		{"may do neither", `"kms:CreateGrant","kms:GenerateDataKey"`, "AccessDeniedException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := f.outputs["mainKeyID"]
			_, err := f.kms.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &key, Policy: aws.String(policy(tt.denied))})
			if err != nil {
				t.Fatal(err)
			}
			keys := f.cloud.Keys()
			id, err := keys.CreateGrant(t.Context(), iam.Caller{SourceARN: "arn:aws:qldb:eu-west-2:123456789012:ledger/mine"}, key)
			refusal, _ := errors.AsType[*qldbsandbox.KeyError](err)
			switch {
			case tt.code == "" && (err != nil || id != ""):
				t.Errorf("grant %q, error %v, want neither", id, err)
			case tt.code != "" && (refusal == nil || refusal.Code != tt.code):
				t.Errorf("error %v, want %s", err, tt.code)
			}
			if err := keys.RetireGrant(t.Context(), iam.Caller{}, key, id); err != nil {
				t.Errorf("to give back nothing: %v", err)
			}
		})
	}
}

// A token that KMS no longer takes is dropped, and the call made without it.
func TestBorrowedKeyAfterItsToken(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		switch _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); {
		case operation == "": // STS
			fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/me</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
		case operation == "CreateGrant":
			fmt.Fprint(w, `{"GrantId":"grant-1","GrantToken":"token-1"}`)
		case strings.Contains(string(body), `"GrantTokens":["token-1"]`):
			w.WriteHeader(400)
			fmt.Fprint(w, `{"__type":"InvalidGrantTokenException","message":"it is gone"}`)
		default:
			fmt.Fprint(w, `{"Plaintext":"a2V5"}`)
		}
	}))
	defer server.Close()
	cloud, err := awskms.New(t.Context(), awskms.Options{Region: "eu-west-2", Endpoint: server.URL, AccessKey: "a", SecretKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	keys := cloud.Keys()
	if id, err := keys.CreateGrant(t.Context(), iam.Caller{SourceARN: "arn:aws:qldb:eu-west-2:123456789012:ledger/mine"}, "k"); id != "grant-1" {
		t.Fatalf("grant %q, error %v", id, err)
	}
	if plain, err := keys.Decrypt(t.Context(), iam.Caller{}, []byte("sealed"), nil); string(plain) != "key" || err != nil {
		t.Errorf("got %q, %v", plain, err)
	}
}

// What is allowed without the grant goes on when somebody revokes it, and there is nothing to give back.
func TestBorrowedKeyAfterItsGrant(t *testing.T) {
	t.Parallel()
	b := newBorrower(t, aliasName)
	main := b.outputs["mainKeyID"]
	out, err := b.kms.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: &main})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range out.Grants {
		if _, err := b.kms.RevokeGrant(t.Context(), &kms.RevokeGrantInput{KeyId: &main, GrantId: g.GrantId}); err != nil {
			t.Fatal(err)
		}
	}
	b.here.Clock().Advance(3 * time.Minute)
	b.want(t, "POST", "/poc/record", record, created, "")
	if err := b.keys.Close(t.Context()); err != nil {
		t.Errorf("give back what is gone: %v", err)
	}
}
