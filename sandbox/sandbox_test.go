package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
)

const grantMessage = `{"status":500,"title":"BadRequestException","detail":"Amazon QLDB does not have grant access on the AWS KMS customer managed key of the ledger. Restore the grant on the key for the ledger."}`

var deniedMessage = regexp.MustCompile(`^\{"status":500,"title":"AccessDeniedException","detail":"The user does not have permissions to use the customer managed KMS key of the ledger \(KMS Request ID: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\) : The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access\."\}$`)

// call sends one request to the API and returns status and body.
func call(t testing.TB, s *Sandbox, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.APIURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func want(t testing.TB, s *Sandbox, method, path, body string, status int, answer string) {
	t.Helper()
	if gotStatus, got := call(t, s, method, path, body); gotStatus != status || got != answer {
		t.Fatalf("%s %s: got %d %s, want %d %s", method, path, gotStatus, got, status, answer)
	}
}

// eventually waits for what the background does at once, but not at this instant.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not true: %s", what)
		}
	}
}

func (s *Sandbox) key(output string) string {
	outputs, err := s.stacks.Outputs(s.stack)
	if err != nil {
		panic(err)
	}
	for _, o := range outputs {
		if o.Key == output {
			return o.Value
		}
	}
	return ""
}

func encryption(t testing.TB, s *Sandbox) ledger.EncryptionDescription {
	t.Helper()
	out, err := s.Ledgers().DescribeLedger(t.Context(), s.KMS().Directory().Admin(), s.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	return out.EncryptionDescription
}

// shows reports whether the ledger's key and status are these.
func shows(t testing.TB, s *Sandbox, output, status string) bool {
	t.Helper()
	d := encryption(t, s)
	return strings.HasSuffix(d.KmsKeyArn, ":key/"+s.key(output)) && d.EncryptionStatus == status
}

func TestStart(t *testing.T) {
	s := RunT(t, Options{Stage: "dev", Region: "eu-west-1", Account: "111122223333"})
	if s.Stack() != "qldb-kms-dev" || s.Ledger() != "qldb-kms-ledger-dev" || s.Region() != "eu-west-1" || s.Account() != "111122223333" {
		t.Errorf("names are %s %s %s %s", s.Stack(), s.Ledger(), s.Region(), s.Account())
	}
	want(t, s, "POST", "/dev/record", `{"id": 1, "firstName": "Zoë"}`, 201, `"Success"`)
	want(t, s, "GET", "/record/1", "", 200, `{"id":1,"firstName":"Zoë"}`)
	want(t, s, "GET", "/poc/record/1", "", 403, `{"message":"Missing Authentication Token"}`)
}

// A ledger can go to the key that AWS owns, where no key of the customer's can touch it, and back.
func TestTheKeyThatAWSOwns(t *testing.T) {
	s := RunT(t, Options{})
	want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)
	for _, c := range []struct{ key, shown string }{
		{"AWS_OWNED_KMS_KEY", "AWS_OWNED_KMS_KEY"},
		{s.key("rotateKeyID"), "arn:aws:kms:eu-west-2:123456789012:key/" + s.key("rotateKeyID")},
	} {
		if _, err := s.Ledgers().UpdateLedger(t.Context(), s.KMS().Directory().Admin(), s.Ledger(), &ledger.UpdateLedgerRequest{KmsKey: &c.key}); err != nil {
			t.Fatal(err)
		}
		s.Clock().Advance(time.Hour)
		eventually(t, "the key is "+c.shown, func() bool {
			d := encryption(t, s)
			return d.KmsKeyArn == c.shown && d.EncryptionStatus == "ENABLED"
		})
		want(t, s, "GET", "/record/1", "", 200, `{"id":1}`)
	}
}

// BenchmarkStart is from nothing to a served stack, and back.
func BenchmarkStart(b *testing.B) {
	for range b.N {
		s, err := Start(b.Context(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"port of AWS in use", Options{AWSAddr: ":" + port}, "listen for AWS: port " + port + " of 127.0.0.1 is already in use"},
		{"port of the API in use", Options{APIAddr: taken.Addr().String()}, "listen for the API: port " + port + " of 127.0.0.1 is already in use"},
		{"no address", Options{AWSAddr: "nonsense"}, `address "nonsense" is not host:port`},
		{"alias", Options{Alias: "wander"}, `alias is "wander", want follow or pinned`},
		{"account", Options{Account: "12"}, `account is "12", want 12 digits`},
		{"speed", Options{Speed: -1}, "speed is -1"},
		{"stage", Options{Stage: "a stage"}, `stage is "a stage"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Start(t.Context(), c.o)
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

func TestCloseLeavesNothing(t *testing.T) {
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	for range 5 {
		s, err := Start(t.Context(), Options{Speed: 1000})
		if err != nil {
			t.Fatal(err)
		}
		want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)
		key := s.key("rotateKeyID")
		if _, err := s.Ledgers().UpdateLedger(t.Context(), s.KMS().Directory().Admin(), s.Ledger(), &ledger.UpdateLedgerRequest{KmsKey: &key}); err != nil {
			t.Fatal(err)
		}
		silent, err := net.Dial("tcp", s.aws.tcp.Addr().String()) // and says nothing
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		silent.Close()
		if _, err := http.Get(s.APIURL() + "/record/1"); err == nil {
			t.Error("the API answers after Close")
		}
	}
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= before })
}

// The article's third scenario, on the sandbox's clock.
func TestDisableTheKey(t *testing.T) {
	s := RunT(t, Options{})
	admin, main := s.KMS().Directory().Admin(), s.key("mainKeyID")
	want(t, s, "POST", "/record", `{"id":1,"firstName":"Ada"}`, 201, `"Success"`)
	want(t, s, "GET", "/record/1", "", 200, `{"id":1,"firstName":"Ada"}`)
	before := s.Dump()

	if err := s.KMS().DisableKey(admin, &kms.DisableKeyRequest{KeyId: main}); err != nil {
		t.Fatal(err)
	}
	want(t, s, "GET", "/record/1", "", 200, `{"id":1,"firstName":"Ada"}`) // the grace
	want(t, s, "POST", "/record", `{"id":2}`, 201, `"Success"`)
	if bytes.Equal(s.Dump(), before) {
		t.Error("Dump does not show that the key is disabled")
	}
	s.Clock().Advance(ledger.DefaultKeyCache)
	want(t, s, "GET", "/record/1", "", 500, grantMessage)
	want(t, s, "POST", "/record", `{"id":3}`, 500, grantMessage)
	want(t, s, "GET", "/record/99", "", 500, grantMessage)
	if d := encryption(t, s); d.EncryptionStatus != "KMS_KEY_INACCESSIBLE" || d.InaccessibleKmsKeyDateTime == nil {
		t.Errorf("encryption is %+v", d)
	}
	if err := s.KMS().EnableKey(admin, &kms.EnableKeyRequest{KeyId: main}); err != nil {
		t.Fatal(err)
	}
	want(t, s, "GET", "/record/1", "", 500, grantMessage) // nobody has looked yet
	s.Clock().Advance(ledger.DefaultRecoveryProbe)
	want(t, s, "GET", "/record/1", "", 200, `{"id":1,"firstName":"Ada"}`)
	want(t, s, "GET", "/record/2", "", 200, `{"id":2}`)
	want(t, s, "GET", "/record/3", "", 400, `{"status":400,"title":"Record Not Found Error","detail":"Record with id 3 does not exist"}`)
	if after := s.Dump(); !bytes.Equal(after, before) {
		t.Errorf("not everything is back:\n%s\n%s", before, after)
	}
}

// The article's fourth scenario.
func TestUpdateToTheNoAccessKey(t *testing.T) {
	s := RunT(t, Options{})
	admin := s.KMS().Directory().Admin()
	want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)
	want(t, s, "GET", "/record/1", "", 200, `{"id":1}`)
	before := s.Dump()
	for _, c := range []struct {
		key    string
		denied bool
	}{{"noAccessKeyID", true}, {"mainKeyID", false}} {
		key := s.key(c.key)
		if _, err := s.Ledgers().UpdateLedger(t.Context(), admin, s.Ledger(), &ledger.UpdateLedgerRequest{KmsKey: &key}); err != nil {
			t.Fatal(err)
		}
		if !shows(t, s, c.key, "UPDATING") {
			t.Errorf("encryption is %+v, want UPDATING to %s", encryption(t, s), c.key)
		}
		s.Clock().Advance(ledger.DefaultUpdate)
		eventually(t, "the key is changed", func() bool { return shows(t, s, c.key, "ENABLED") })
		for _, r := range []struct{ method, path, body string }{{"GET", "/record/1", ""}, {"POST", "/record", `{"id":2}`}} {
			status, got := call(t, s, r.method, r.path, r.body)
			if denied := status == 500 && deniedMessage.MatchString(got); denied != c.denied || !c.denied && status/100 != 2 {
				t.Errorf("under %s: %s answers %d %s", c.key, r.method, status, got)
			}
		}
	}
	eventually(t, "everything is back", func() bool { return bytes.Equal(s.Dump(), before) })
}

// The article's second scenario.
func TestMoveTheAlias(t *testing.T) {
	for _, c := range []struct{ alias, want string }{{ledger.Follow, "rotateKeyID"}, {ledger.Pinned, "mainKeyID"}} {
		t.Run(c.alias, func(t *testing.T) {
			s := RunT(t, Options{Alias: c.alias})
			admin := s.KMS().Directory().Admin()
			want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)
			before := s.Dump()
			point := func(output string) {
				t.Helper()
				err := s.KMS().UpdateAlias(admin, &kms.UpdateAliasRequest{AliasName: "alias/qldb-kms-poc", TargetKeyId: s.key(output)})
				if err != nil {
					t.Fatal(err)
				}
				s.Clock().Advance(ledger.DefaultFollow)
			}
			point("rotateKeyID")
			if c.want == "rotateKeyID" {
				eventually(t, "the move is noticed", func() bool { return shows(t, s, c.want, "UPDATING") })
			}
			want(t, s, "GET", "/record/1", "", 200, `{"id":1}`)
			s.Clock().Advance(ledger.DefaultUpdate)
			eventually(t, "the key is as wanted", func() bool { return shows(t, s, c.want, "ENABLED") })
			want(t, s, "GET", "/record/1", "", 200, `{"id":1}`)

			// The key that is not in use may go.
			unused := map[string]string{"rotateKeyID": "mainKeyID", "mainKeyID": "rotateKeyID"}[c.want]
			if err := s.KMS().DisableKey(admin, &kms.DisableKeyRequest{KeyId: s.key(unused)}); err != nil {
				t.Fatal(err)
			}
			s.Clock().Advance(ledger.DefaultKeyCache)
			want(t, s, "GET", "/record/1", "", 200, `{"id":1}`)
			if err := s.KMS().EnableKey(admin, &kms.EnableKeyRequest{KeyId: s.key(unused)}); err != nil {
				t.Fatal(err)
			}
			point("mainKeyID")
			if c.alias == ledger.Follow {
				eventually(t, "the move back is noticed", func() bool { return shows(t, s, "mainKeyID", "UPDATING") })
			}
			s.Clock().Advance(ledger.DefaultUpdate)
			eventually(t, "everything is back", func() bool { return bytes.Equal(s.Dump(), before) })
		})
	}
}

func TestBothKeysAreNeededDuringAnUpdate(t *testing.T) {
	s := RunT(t, Options{LedgerUpdate: time.Hour})
	admin, key := s.KMS().Directory().Admin(), s.key("rotateKeyID")
	want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)
	if _, err := s.Ledgers().UpdateLedger(t.Context(), admin, s.Ledger(), &ledger.UpdateLedgerRequest{KmsKey: &key}); err != nil {
		t.Fatal(err)
	}
	for _, output := range []string{"mainKeyID", "rotateKeyID"} {
		if err := s.KMS().DisableKey(admin, &kms.DisableKeyRequest{KeyId: s.key(output)}); err != nil {
			t.Fatal(err)
		}
		s.Clock().Advance(ledger.DefaultKeyCache)
		want(t, s, "GET", "/record/1", "", 500, grantMessage)
		if err := s.KMS().EnableKey(admin, &kms.EnableKeyRequest{KeyId: s.key(output)}); err != nil {
			t.Fatal(err)
		}
		s.Clock().Advance(ledger.DefaultRecoveryProbe)
		want(t, s, "GET", "/record/1", "", 200, `{"id":1}`)
		if !shows(t, s, "rotateKeyID", "UPDATING") {
			t.Errorf("encryption is %+v, want UPDATING", encryption(t, s))
		}
	}
}

// TestManyUsers lets 64 clients create and read over HTTP while the alias moves and the ledger's key
// changes: nothing may fail, and no acknowledged record may be lost or wrong.
func TestManyUsers(t *testing.T) {
	s := RunT(t, Options{Speed: 600, KeyCache: 5 * time.Second, LedgerUpdate: 5 * time.Second})
	admin := s.KMS().Directory().Admin()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	do := func(method, path, body string, wantStatus int, wantBody string) bool {
		r, err := http.NewRequestWithContext(t.Context(), method, s.APIURL()+path, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return false
		}
		res, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return false
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != wantStatus || string(got) != wantBody {
			t.Errorf("%s %s: got %d %s, %v, want %d %s", method, path, res.StatusCode, got, err, wantStatus, wantBody)
			return false
		}
		return true
	}
	const changes = 6
	var rotation, users sync.WaitGroup
	var done atomic.Bool
	rotation.Go(func() {
		defer done.Store(true)
		for i := range changes {
			output := []string{"rotateKeyID", "mainKeyID"}[i%2]
			key := s.key(output)
			err := s.KMS().UpdateAlias(admin, &kms.UpdateAliasRequest{AliasName: "alias/qldb-kms-poc", TargetKeyId: key})
			if err == nil && i%3 == 2 {
				_, err = s.Ledgers().UpdateLedger(t.Context(), admin, s.Ledger(), &ledger.UpdateLedgerRequest{KmsKey: &key})
			}
			if err != nil {
				t.Error(err)
				return
			}
			for !shows(t, s, output, "ENABLED") {
				if !s.Clock().Sleep(t.Context(), time.Second) {
					return
				}
			}
		}
	})
	const userCount, least, most = 64, 10, 300 // records of a user
	var wrote [userCount]int
	for user := range userCount {
		users.Go(func() {
			for i := 0; i < least || i < most && !done.Load(); i++ {
				id := user*most + i
				doc := fmt.Sprintf(`{"id":%d,"user":%d,"email":"u%d@example.com"}`, id, user, id)
				back := rand.N(i + 1)
				old := fmt.Sprintf(`{"id":%d,"user":%d,"email":"u%d@example.com"}`, id-back, user, id-back)
				if !do("POST", "/record", doc, 201, `"Success"`) || !do("GET", fmt.Sprintf("/record/%d", id-back), "", 200, old) {
					return
				}
				wrote[user] = i + 1
			}
		})
	}
	users.Wait()
	rotation.Wait()
	total := 0
	for user, n := range wrote {
		total += n
		for id := user * most; id < user*most+n; id++ {
			if !do("GET", fmt.Sprintf("/record/%d", id), "", 200, fmt.Sprintf(`{"id":%d,"user":%d,"email":"u%d@example.com"}`, id, user, id)) {
				return
			}
		}
	}
	t.Logf("%d records while the key was changed %d times", total, changes)
}

// KMS may fail in other ways than by refusing; that says nothing about the key.
func TestKMSIsBroken(t *testing.T) {
	var broken atomic.Bool
	s := RunT(t, Options{PreHook: brokenHook(&broken)})
	want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)
	broken.Store(true)
	s.Clock().Advance(ledger.DefaultKeyCache)
	status, got := call(t, s, "GET", "/record/1", "")
	if status != 500 || strings.Contains(got, "grant access") {
		t.Errorf("got %d %s, want a 500 that does not blame the grant", status, got)
	}
	broken.Store(false)
	want(t, s, "GET", "/record/1", "", 200, `{"id":1}`) // at once: there was no refusal to go by
}

func BenchmarkAPI(b *testing.B) {
	for _, c := range []struct{ name, method string }{{"get", "GET"}, {"post", "POST"}} {
		b.Run(c.name, func(b *testing.B) {
			s := RunT(b, Options{})
			if status, got := call(b, s, "POST", "/record", record(0)); status != 201 {
				b.Fatal(got)
			}
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			defer client.CloseIdleConnections()
			var id atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					url, body := s.APIURL()+"/record/0", ""
					if c.method == "POST" {
						url, body = s.APIURL()+"/record", record(id.Add(1))
					}
					r, _ := http.NewRequest(c.method, url, strings.NewReader(body))
					res, err := client.Do(r)
					if err != nil {
						b.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if res.StatusCode/100 != 2 {
						b.Errorf("status %d", res.StatusCode)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

func record(id int64) string {
	return fmt.Sprintf(`{"id":%d,"firstName":"Ada","lastName":"Lovelace","email":"ada@example.com","street":"12 St James's Square","postcode":"SW1Y 4JH"}`, id)
}

// TestFunctions checks that the options of the API's functions get there.
func TestFunctions(t *testing.T) {
	s := RunT(t, Options{Driver: "node-2.2.0", Speed: 1000, ColdStart: time.Minute, Gateway: 30 * time.Second})
	want(t, s, "GET", "/record/1", "", 504, `{"message": "Endpoint request timed out"}`)
}
