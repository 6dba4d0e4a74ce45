package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/ledger"
)

// safe is a KMS that remembers what it was given: a sealed key is only the name of the plain one. It
// refuses whom it is told to refuse.
type safe struct {
	mu       sync.Mutex
	plain    map[string][]byte
	refused  map[string]bool // by principal
	sessions int             // how many callers were checked
}

func (s *safe) refuse(principal string, refused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[principal] = refused
}

func (s *safe) checked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

func (s *safe) GenerateDataKey(context.Context, iam.Caller, string, map[string]string) (plain, sealed []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	plain = make([]byte, 32)
	rand.Read(plain)
	sealed = fmt.Appendf(nil, "key %d", len(s.plain))
	s.plain[string(sealed)] = plain
	return append([]byte(nil), plain...), sealed, nil
}

func (s *safe) Decrypt(_ context.Context, c iam.Caller, sealed []byte, _ map[string]string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Service == "" {
		s.sessions++
	}
	if s.refused[c.Principal] {
		return nil, &ledger.KeyError{Code: "AccessDeniedException", Message: `not "you"`, RequestID: "r-1"}
	}
	return append([]byte(nil), s.plain[string(sealed)]...), nil
}

func (s *safe) ReEncrypt(_ context.Context, _ iam.Caller, sealed []byte, _ map[string]string, _ string) ([]byte, error) {
	return sealed, nil
}

func (s *safe) Describe(_ context.Context, _ iam.Caller, keyID string) (ledger.Key, error) {
	return ledger.Key{ARN: keyID, State: "Enabled", Symmetric: true}, nil
}

func (s *safe) CreateGrant(context.Context, iam.Caller, string) (string, error) { return "grant", nil }
func (s *safe) RetireGrant(context.Context, iam.Caller, string, string) error   { return nil }

func setUp(t testing.TB) (*API, *safe) { return setUpWith(t, Options{}) }

// setUpWith is setUp with the options of functions in containers.
func setUpWith(t testing.TB, o Options) (*API, *safe) {
	t.Helper()
	keys := &safe{plain: map[string][]byte{}, refused: map[string]bool{}}
	service := ledger.New(ledger.Options{Account: "123456789012", Region: "eu-west-2", Clock: clock.New(1), Keys: keys})
	t.Cleanup(service.Close)
	admin := iam.Caller{Principal: "admin"}
	_, err := service.CreateLedger(t.Context(), admin, &ledger.CreateLedgerRequest{Name: "l", PermissionsMode: "STANDARD", KmsKey: "key"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.CreateTable(t.Context(), admin, "l", "Test"); err != nil {
		t.Fatal(err)
	}
	o.Ledgers, o.Ledger, o.Table, o.Stage = service, "l", "Test", "poc"
	o.Create, o.Read = iam.Caller{Principal: "creator"}, iam.Caller{Principal: "reader"}
	return New(o), keys
}

func serve(a *API, method, path, body string) (int, string) {
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		return 0, "Content-Type is " + got
	}
	return w.Code, w.Body.String()
}

func TestAnswers(t *testing.T) {
	a, _ := setUp(t)
	const (
		created = `"Success"`
		crashed = `{"message": "Internal server error"}`
		token   = `{"message":"Missing Authentication Token"}`
	)
	missing := func(id string) string {
		return `{"status":400,"title":"Record Not Found Error","detail":"Record with id ` + id + ` does not exist"}`
	}
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"create", "POST", "/record", ` {"id": 1, "z":"<é\u00e9>", "a": [1, 2] }` + "\n", 201, created},
		{"read it back, in order", "GET", "/record/1", "", 200, `{"id":1,"z":"<é\u00e9>","a":[1,2]}`},
		{"with the stage", "GET", "/poc/record/1", "", 200, `{"id":1,"z":"<é\u00e9>","a":[1,2]}`},
		{"with a query", "GET", "/record/1?x=y", "", 200, `{"id":1,"z":"<é\u00e9>","a":[1,2]}`},
		{"digits go as far as they go", "GET", "/record/1abc", "", 200, `{"id":1,"z":"<é\u00e9>","a":[1,2]}`},
		{"create it again", "POST", "/poc/record", `{"id":1,"z":2}`, 201, created},
		{"the first wins", "GET", "/record/1", "", 200, `{"id":1,"z":"<é\u00e9>","a":[1,2]}`},
		{"create a text id", "POST", "/record", `{"id":"2"}`, 201, created},
		{"which no number finds", "GET", "/record/2", "", 400, missing("2")},
		{"create without an id", "POST", "/record", `{}`, 201, created},
		{"a field twice", "POST", "/record", `{"id":70,"a":1,"id":71,"in":{"x":1,"y":2,"x":3},"a":2}`, 201, created},
		{"the last value in the first place", "GET", "/record/71", "", 200, `{"id":71,"a":2,"in":{"x":3,"y":2}}`},
		{"the first value is gone", "GET", "/record/70", "", 400, missing("70")},
		{"not found", "GET", "/record/77", "", 400, missing("77")},
		{"not a number", "GET", "/record/abc", "", 400, missing("NaN")},
		{"a sign", "GET", "/record/-5", "", 400, missing("-5")},
		{"leading zeros", "GET", "/record/007", "", 400, missing("7")},
		{"malformed", "POST", "/record", `{"id":1`, 502, crashed},
		{"empty", "POST", "/record", "", 502, crashed},
		{"not an object", "POST", "/record", `[1]`, 500, `{"status":500,"title":"BadRequestException","detail":"Only structs can be inserted into a table"}`},
		{"too large for a document", "POST", "/record", `{"id":3,"x":"` + strings.Repeat("x", 200<<10) + `"}`, 500,
			`{"status":500,"title":"BadRequestException","detail":"Document size limit exceeded: 204815 bytes, the limit is 131072 bytes"}`},
		{"too large for a request", "POST", "/record", strings.Repeat(" ", maxBody+1), 413, `{"message":"Request Too Long"}`},
		{"a large document", "POST", "/record", `{"id":4,"x":"` + strings.Repeat("x", 100<<10) + `"}`, 201, created},
		{"read back", "GET", "/record/4", "", 200, `{"id":4,"x":"` + strings.Repeat("x", 100<<10) + `"}`},
		{"unknown route", "GET", "/", "", 403, token},
		{"unknown stage", "GET", "/dev/record/1", "", 403, token},
		{"no id", "GET", "/record/", "", 403, token},
		{"list", "GET", "/record", "", 403, token},
		{"method", "DELETE", "/record/1", "", 403, token},
		{"method", "PUT", "/record", "{}", 403, token},
		{"deeper", "GET", "/record/1/2", "", 403, token},
		{"longer", "POST", "/records", "{}", 403, token},
	} {
		if status, got := serve(a, c.method, c.path, c.body); status != c.status || got != c.want {
			t.Errorf("%s: got %d %.200s, want %d %.200s", c.name, status, got, c.status, c.want)
		}
	}
}

func TestEachFunctionHasItsRole(t *testing.T) {
	a, keys := setUp(t)
	keys.refuse("reader", true)
	if status, got := serve(a, "POST", "/record", `{"id":1}`); status != 201 {
		t.Errorf("create: %d %s", status, got)
	}
	want := `{"status":500,"title":"AccessDeniedException","detail":"The user does not have permissions to use the customer managed KMS key of the ledger (KMS Request ID: r-1) : not \"you\""}`
	if status, got := serve(a, "GET", "/record/1", ""); status != 500 || got != want {
		t.Errorf("read: got %d %s, want 500 %s", status, got, want)
	}
}

func TestSessionsAreReusedAndReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, keys := setUp(t)
		if status, got := serve(a, "POST", "/record", `{"id":1}`); status != 201 {
			t.Fatal(got)
		}
		for range 120 { // two hours
			if status, got := serve(a, "GET", "/record/1", ""); status != 200 {
				t.Fatal(got)
			}
			time.Sleep(time.Minute)
		}
		// Sessions live 13 to 17 minutes, so the reader had 7 to 10; the creator had one.
		if got := keys.checked(); got < 8 || got > 11 {
			t.Errorf("%d sessions were opened, want 8 to 11", got)
		}
		// One that expires while KMS refuses is not replaced, and the next request tries again.
		keys.refuse("reader", true)
		time.Sleep(18 * time.Minute)
		for range 2 {
			if status, got := serve(a, "GET", "/record/1", ""); status != 500 || !strings.Contains(got, "AccessDeniedException") {
				t.Errorf("got %d %s", status, got)
			}
		}
		keys.refuse("reader", false)
		if status, got := serve(a, "GET", "/record/1", ""); status != 200 {
			t.Errorf("got %d %s", status, got)
		}
	})
}

// A sink is a ResponseWriter that keeps nothing but the status.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }

const document = `{"id":%d,"firstName":"Ada","lastName":"Lovelace","email":"ada@example.com","street":"12 St James's Square","postcode":"SW1Y 4JH"}`

func BenchmarkGet(b *testing.B) {
	a, _ := setUp(b)
	serve(a, "POST", "/record", fmt.Sprintf(document, 1))
	r := httptest.NewRequest("GET", "/record/1", nil)
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		if a.ServeHTTP(w, r); w.status != 200 {
			b.Fatal(w.status)
		}
	}
}

func BenchmarkPost(b *testing.B) {
	a, _ := setUp(b)
	r := httptest.NewRequest("POST", "/record", nil)
	w := &sink{header: http.Header{}}
	body := strings.NewReader("")
	r.Body = struct {
		*strings.Reader
		nothing
	}{body, nothing{}}
	doc := fmt.Sprintf(document, 1)
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(doc)
		if a.ServeHTTP(w, r); w.status != 201 {
			b.Fatal(w.status)
		}
	}
}

type nothing struct{}

func (nothing) Close() error { return nil }
