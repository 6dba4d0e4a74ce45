package awskms

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"loadkms/faults"
	"loadkms/scenarios"
)

// A rogue speaks just enough KMS and STS for one key, and does with a call what a real sandbox never
// would: it answers wrongly, late, or not at all.
type rogue struct {
	mu      sync.Mutex // guards all below
	state   string     // of the key
	called  map[string]int
	on      string                                                           // for this operation
	instead func(n int, w http.ResponseWriter, happen func()) (handled bool) // what it does at the n-th call
}

const rogueKey = "arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

func (r *rogue) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, op, kms := strings.Cut(q.Header.Get("X-Amz-Target"), "TrentService.")
	if !kms {
		op = "GetCallerIdentity"
	}
	if r.called == nil {
		r.called = map[string]int{}
	}
	r.called[op]++
	happen := func() {
		switch op {
		case "DisableKey":
			r.state = "Disabled"
		case "EnableKey":
			r.state = "Enabled"
		}
	}
	if op == r.on && r.instead != nil && r.instead(r.called[op], w, happen) {
		return
	}
	happen()
	switch op {
	case "GetCallerIdentity":
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:root</Arn>`+
			`<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	case "DescribeKey":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		fmt.Fprintf(w, `{"KeyMetadata":{"KeyId":"1234abcd-12ab-34cd-56ef-1234567890ab","Arn":%q,"KeyState":%q,"KeyManager":"CUSTOMER","AWSAccountId":"123456789012"}}`,
			rogueKey, r.state)
	}
}

func (r *rogue) look() (string, map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, r.called
}

// target is the rogue's key, resolved as the rogue still behaves.
func (r *rogue) target(t *testing.T) faults.Target {
	t.Helper()
	r.state = "Enabled"
	on := r.on
	r.on = ""
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	c, err := New(t.Context(), Options{Region: "eu-west-2", Endpoint: server.URL, AccessKey: "AKIDOFTHETEST", SecretKey: "verysecret"})
	if err != nil {
		t.Fatal(err)
	}
	target, err := c.Resolve(t.Context(), &scenarios.Fault{Do: scenarios.DisableKey, Key: scenarios.Template{Source: rogueKey, Parts: []scenarios.Part{{Text: rogueKey}}}})
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.on, r.called = on, nil
	r.mu.Unlock()
	return target
}

func refuse(status int, body string) func(int, http.ResponseWriter, func()) bool {
	return func(_ int, w http.ResponseWriter, _ func()) bool {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
		return true
	}
}

// hangUp ends the connection without an answer.
func hangUp(w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
}

func TestErrorsOfCalls(t *testing.T) {
	secret := "FwoGZXIvYXdzEXAMPLETOKEN"
	for _, tt := range []struct {
		name  string
		does  func(n int, w http.ResponseWriter, happen func()) bool
		want  string // "" means that it succeeds
		calls int
		state string
	}{
		{"refused", refuse(400, `{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::1:user/x is not authorized to perform: kms:DisableKey"}`),
			"disable key: AccessDeniedException: User: arn:aws:iam::1:user/x is not authorized to perform: kms:DisableKey", 1, "Enabled"},
		{"refused without a message", refuse(400, `{"__type":"UnsupportedOperationException"}`), "disable key: UnsupportedOperationException", 1, "Enabled"},
		{"throttled once", func(n int, w http.ResponseWriter, _ func()) bool {
			return n == 1 && refuse(400, `{"__type":"ThrottlingException","message":"slow down"}`)(n, w, nil)
		}, "", 2, "Disabled"},
		{"throttled for good", refuse(400, `{"__type":"ThrottlingException","message":"slow down"}`), "disable key: ThrottlingException: slow down", 3, "Enabled"},
		{"out of order", refuse(500, `{"__type":"KMSInternalException","message":"oops"}`), "disable key: KMSInternalException: oops", 3, "Enabled"},
		{"answer lost once", func(n int, w http.ResponseWriter, happen func()) bool {
			if n == 1 {
				happen()
				hangUp(w)
			}
			return n == 1
		}, "", 2, "Disabled"},
		{"every answer lost", func(_ int, w http.ResponseWriter, happen func()) bool { happen(); hangUp(w); return true },
			"disable key: reach AWS at URL: the connection was closed in the middle of it", 3, "Disabled"},
		{"not AWS at all", refuse(404, "<html><body>404 page not found</body></html>"), "disable key: AWS at URL answered with HTTP status 404 and not as AWS does", 1, "Enabled"},
		{"a refusal without a code", refuse(400, "{}"), "disable key: AWS at URL answered with HTTP status 400 and not as AWS does", 1, "Enabled"},
		{"a terminal's control codes", refuse(400, `{"__type":"X","message":"a\u001b[31mred\u0007\r\n\tb"}`), "disable key: X: a [31mred b", 1, "Enabled"},
		{"a token in the message", refuse(400, `{"__type":"SignatureDoesNotMatch","message":"The Canonical String should have been x-amz-security-token:`+secret+`"}`),
			"disable key: SignatureDoesNotMatch: the secret key is wrong, or this machine's clock", 1, "Enabled"},
		{"expired", refuse(400, `{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}`),
			"disable key: ExpiredTokenException: the credentials have expired", 1, "Enabled"},
		{"unknown to AWS", refuse(400, `{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}`),
			"disable key: UnrecognizedClientException: AWS does not know these credentials", 1, "Enabled"},
		{"a long story", refuse(400, `{"__type":"X","message":"`+strings.Repeat("é", 5000)+`"}`), "disable key: X: " + strings.Repeat("é", 600) + "…", 1, "Enabled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &rogue{on: "DisableKey", instead: tt.does}
			target := r.target(t).(*disableKey)
			err := target.Break(t.Context())
			got := ""
			if err != nil {
				got = strings.ReplaceAll(err.Error(), target.cloud.Endpoint(), "URL")
			}
			if got != tt.want {
				t.Errorf("error\n %s, want\n %s", got, tt.want)
			}
			for _, s := range []string{"verysecret", secret, "AKIDOFTHETEST"} {
				if strings.Contains(got, s) {
					t.Errorf("error %q tells a secret", got)
				}
			}
			if state, called := r.look(); called["DisableKey"] != tt.calls || state != tt.state {
				t.Errorf("%d calls, state %s; want %d, %s", called["DisableKey"], state, tt.calls, tt.state)
			}
		})
	}
}

// Answers to a look that make no sense must not be taken for a state.
func TestNonsenseIsNoState(t *testing.T) {
	for name, body := range map[string]string{"nothing": `{}`, "null": `{"KeyMetadata":null}`, "nobody": `{"KeyMetadata":{"KeyState":"Enabled"}}`,
		"half": `{"KeyMeta`, "a list": `[]`, "HTML": "<html>", "a number": `{"KeyMetadata":{"KeyState":1}}`} {
		t.Run(name, func(t *testing.T) {
			r := &rogue{on: "DescribeKey", instead: refuse(200, body)}
			if s, err := r.target(t).Observe(t.Context()); err == nil {
				t.Errorf("observed %q", s)
			}
		})
	}
}

// A deadline ends a call even if nobody answers.
func TestDeadline(t *testing.T) {
	release := make(chan struct{})
	r := &rogue{on: "DisableKey", instead: func(int, http.ResponseWriter, func()) bool { <-release; return true }}
	target := r.target(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := target.Break(ctx)
	close(release)
	if err == nil || !strings.HasPrefix(err.Error(), "disable key: reach AWS at http://127.0.0.1:") || !strings.HasSuffix(err.Error(), ": no answer within 10s") {
		t.Errorf("error %v", err)
	}
}

// Through the bracket: every answer to the break is lost, and the first answers to the restore.
func TestLostAnswersComeBack(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"DisableKey", "EnableKey"} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			r := &rogue{on: on, instead: func(n int, w http.ResponseWriter, happen func()) bool {
				if on == "EnableKey" && (n == 1 || n > 4) { // the rehearsal, and after one whole call of three attempts
					return false
				}
				happen()
				hangUp(w)
				return true
			}}
			target := r.target(t)
			j, err := faults.OpenJournal(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer j.Release()
			err = faults.Bracket{Journal: j, Settle: time.Millisecond}.Inject(t.Context(), target, func(context.Context) error { return nil })
			if (err != nil) != (on == "DisableKey") {
				t.Errorf("error %v", err)
			}
			if state, called := r.look(); state != "Enabled" {
				t.Errorf("left %s after %v", state, called)
			}
			if p, err := j.Pending(); err != nil || len(p) > 0 {
				t.Errorf("%d entries, error %v", len(p), err)
			}
		})
	}
}

// States in which a key cannot simply be enabled.
func TestRestoreFromOtherStates(t *testing.T) {
	for _, tt := range []struct {
		state, prior, want string
		calls              int
		changed            bool
	}{
		{state: "Enabled", prior: "Enabled", calls: 1},
		{state: "Disabled", prior: "Enabled", calls: 1},
		{state: "Unavailable", prior: "Enabled", calls: 1},
		{state: "Updating", prior: "Enabled", want: "key is Updating, which passes"},
		{state: "PendingDeletion", prior: "Enabled", want: "key is PendingDeletion: changed by somebody else meanwhile"},
		{state: "PendingImport", prior: "Enabled", want: "key is PendingImport: changed by somebody else meanwhile"},
		{state: "Enabled", prior: "PendingImport", want: `no call can set a key to "PendingImport"`},
	} {
		t.Run(tt.state+" to "+tt.prior, func(t *testing.T) {
			r := &rogue{}
			target := r.target(t)
			r.mu.Lock()
			r.state = tt.state
			r.mu.Unlock()
			err := target.Restore(t.Context(), faults.State(tt.prior))
			if got := fmt.Sprint(err); (err != nil || tt.want != "") && got != tt.want {
				t.Errorf("error %s, want %s", got, tt.want)
			}
			if _, called := r.look(); called["EnableKey"] != tt.calls {
				t.Errorf("%d calls of EnableKey, want %d", called["EnableKey"], tt.calls)
			}
		})
	}
}

func TestResolveRefusesKeysOfOthers(t *testing.T) {
	for _, tt := range []struct{ name, metadata, want string }{
		{"AWS's", `"KeyManager":"AWS","KeyState":"Enabled"`, "key k is managed by AWS: only customer managed keys can be broken"},
		{"a stranger's", `"AWSAccountId":"999999999999","KeyState":"Enabled"`, "key k belongs to account 999999999999, not to 123456789012"},
		{"a doomed one", `"KeyState":"PendingDeletion"`, "key k is PendingDeletion: only an Enabled key can be disabled and enabled again"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &rogue{}
			c := r.target(t).(*disableKey).cloud
			r.mu.Lock()
			r.on, r.instead = "DescribeKey", refuse(200, `{"KeyMetadata":{"KeyId":"k","Arn":"arn:aws:kms:eu-west-2:123456789012:key/k",`+tt.metadata+`}}`)
			r.mu.Unlock()
			_, err := c.Resolve(t.Context(), &scenarios.Fault{Do: scenarios.DisableKey, Key: scenarios.Template{Pos: scenarios.Pos{File: "a.yaml", Line: 1, Col: 2},
				Parts: []scenarios.Part{{Text: "k"}}}})
			if want := tt.want + ", at a.yaml:1:2"; fmt.Sprint(err) != want {
				t.Errorf("error\n %v, want\n %s", err, want)
			}
		})
	}
}

func TestQuote(t *testing.T) {
	sh, err := exec.LookPath("sh")
	for _, tt := range []struct{ in, want string }{
		{"alias/qldb-kms-poc", "alias/qldb-kms-poc"},
		{"arn:aws:kms:eu-west-2:123456789012:key/1234abcd", "arn:aws:kms:eu-west-2:123456789012:key/1234abcd"},
		{"", "''"},
		{"a b", "'a b'"},
		{"it's", `'it'\''s'`},
		{"$(reboot)", "'$(reboot)'"},
		{"`reboot`", "'`reboot`'"},
		{"a;b&c|d>e<f*g?h[i]j{k}l~m#n!o\"p\\q=r", `'a;b&c|d>e<f*g?h[i]j{k}l~m#n!o"p\q=r'`},
		{"two\nlines", "'two\nlines'"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			got := Quote(tt.in)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if err != nil {
				t.Skip("no shell to ask")
			}
			if out, err := exec.CommandContext(t.Context(), sh, "-c", "printf %s "+got).Output(); err != nil || string(out) != tt.in {
				t.Errorf("the shell reads %q, error %v", out, err)
			}
		})
	}
}

// Whatever a journal holds for a spec, it makes a target that can say who it is, or an error.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{`{}`, `{"action":"disable-key","key":"k","region":"r","account":"a"}`, `null`, `[]`,
		`{"action":"rotate-alias","alias":"alias/a","arn":"x","to":"y","watch":"l"}`, `{"action":"update-ledger-key","ledger":"l","larn":"x","to":"y"}`} {
		f.Add([]byte(s), "prior")
	}
	f.Fuzz(func(t *testing.T, raw []byte, prior string) {
		var s spec
		if json.Unmarshal(raw, &s) != nil {
			return
		}
		target, err := (&Cloud{region: s.Region, endpoints: s.Endpoints}).target(s)
		if err != nil {
			return
		}
		if target.ID() == "" || !strings.HasPrefix(target.ByHand(faults.State(prior)), "aws ") {
			t.Errorf("%q makes %q, restored by %q", raw, target.ID(), target.ByHand(faults.State(prior)))
		}
		var again spec
		if err := json.Unmarshal(target.Spec(), &again); err != nil || again != s && utf8.Valid(raw) {
			t.Errorf("%q makes the spec %s, error %v", raw, target.Spec(), err)
		}
	})
}
