package awskms

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// The credentials and the moment of AWS's published examples.
const (
	exampleKey    = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	exampleToken  = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/" +
		"qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz" +
		"+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)

var exampleTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

// signer returns a signer with credentials that do not end.
func signer(t *testing.T, service string, c aws.Credentials) *Signer {
	t.Helper()
	s, err := newSigner(t.Context(), "us-east-1", service, func(context.Context) (aws.Credentials, error) { return c, nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func request(t *testing.T, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// TestSignExamples signs what AWS has published signatures of.
func TestSignExamples(t *testing.T) {
	plain := aws.Credentials{AccessKeyID: exampleKey, SecretAccessKey: exampleSecret}
	session := plain
	session.SessionToken = exampleToken
	tests := []struct {
		name, service string
		credentials   aws.Credentials
		method, url   string
		headers       []string
		want          string
	}{
		{"list users", "iam", plain, "GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
			[]string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
			"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
		{"get-vanilla", "service", plain, "GET", "https://example.amazonaws.com/", nil,
			"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-query-order-key-case", "service", plain, "GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", nil,
			"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"post-vanilla", "service", plain, "POST", "https://example.amazonaws.com/", nil,
			"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"post-sts-header-before", "service", session, "POST", "https://example.amazonaws.com/", nil,
			"85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := request(t, test.method, test.url, "", test.headers...)
			if err := signer(t, test.service, test.credentials).Sign(r, nil, exampleTime); err != nil {
				t.Fatal(err)
			}
			_, got, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got := r.Header.Get("X-Amz-Security-Token"); got != test.credentials.SessionToken {
				t.Errorf("token %q, want %q", got, test.credentials.SessionToken)
			}
		})
	}
}

// verify recomputes the signature of a request as a server does, from what came over the wire.
func verify(r *http.Request, body []byte, region, service, key, secret string) error {
	var credential, signed, signature string
	fields, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return errors.New("no signature")
	}
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		*map[string]*string{"Credential": &credential, "SignedHeaders": &signed, "Signature": &signature}[name] = value
	}
	at := r.Header.Get("X-Amz-Date")
	scope := at[:8] + "/" + region + "/" + service + "/aws4_request"
	if credential != key+"/"+scope {
		return fmt.Errorf("credential %s", credential)
	}
	encode := func(s string, keep string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~"+keep, c) >= 0 {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		return b.String()
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	if service != "s3" {
		path = encode(path, "/")
	}
	var pairs [][2]string // names and values, encoded; in order by name, then by value
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return err
		}
		pairs = append(pairs, [2]string{encode(name, ""), encode(value, "")})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	ordered := make([]string, len(pairs))
	for i, pair := range pairs {
		ordered[i] = pair[0] + "=" + pair[1]
	}
	var headers strings.Builder
	for name := range strings.SplitSeq(signed, ";") {
		values := slices.Clone(r.Header.Values(name))
		switch name {
		case "host":
			values = []string{r.Host}
		case "content-length":
			values = []string{fmt.Sprint(r.ContentLength)}
		}
		for i := range values {
			values[i] = strings.Join(strings.Fields(values[i]), " ")
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, strings.Join(values, ","))
	}
	sum := sha256.Sum256(body)
	canonical := strings.Join([]string{r.Method, path, strings.Join(ordered, "&"), headers.String(), signed, hex.EncodeToString(sum[:])}, "\n")
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	derived := []byte("AWS4" + secret)
	for _, part := range []string{at[:8], region, service, "aws4_request"} {
		derived = mac(derived, part)
	}
	sum = sha256.Sum256([]byte(canonical))
	want := hex.EncodeToString(mac(derived, "AWS4-HMAC-SHA256\n"+at+"\n"+scope+"\n"+hex.EncodeToString(sum[:])))
	if signature != want {
		return fmt.Errorf("signature %s, want %s of\n%s", signature, want, canonical)
	}
	return nil
}

// exchange sends a signed request through the standard library's writer and reads it as a server does.
func exchange(t *testing.T, r *http.Request) (*http.Request, []byte) {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got, body
}

// TestSignVerifies signs random requests and verifies them on the other side.
func TestSignVerifies(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	some := func(alphabet string) string {
		runes := []rune(alphabet)
		var b strings.Builder
		for range dice.IntN(8) {
			b.WriteRune(runes[dice.IntN(len(runes))])
		}
		return b.String()
	}
	for _, service := range []string{"execute-api", "s3"} {
		for _, token := range []string{"", exampleToken} {
			s := signer(t, service, aws.Credentials{AccessKeyID: exampleKey, SecretAccessKey: exampleSecret, SessionToken: token})
			for range 300 {
				query := url.Values{}
				for range dice.IntN(4) {
					query.Add(some("abAB-._~ +&=/%?é*'()\":;@$!,"), some("abAB-._~ +&=/%?é*'()\":;@$!,"))
				}
				body := some("abc{}\"é\n")
				target := "https://api.example.com:8443/" + url.PathEscape("p"+some("ab ~+%é:@$*")) + "/" + url.PathEscape("r"+some("ab")) + "?" + query.Encode()
				r := request(t, []string{"GET", "POST", "PUT", "DELETE"}[dice.IntN(4)], target, body,
					"Content-Type", "application/json", "X-Blanks", "  a   b "+some("c "), "X-Twice", "1", "X-Twice", "2",
					"User-Agent", some("abc")+"x", "X-Amz-Security-Token", "stale", "Authorization", "stale")
				if err := s.Sign(r, []byte(body), exampleTime.Add(time.Duration(dice.Int64N(int64(1000*time.Hour))))); err != nil {
					t.Fatalf("%s: %s", target, err)
				}
				if strings.Contains(r.Header.Get("Authorization"), "user-agent") {
					t.Fatalf("the user agent, which proxies change, is signed: %s", r.Header.Get("Authorization"))
				}
				if got := r.Header.Get("X-Amz-Security-Token"); got != token {
					t.Fatalf("token %q, want %q", got, token)
				}
				got, sent := exchange(t, r)
				if string(sent) != body {
					t.Fatalf("sent %q, want %q", sent, body)
				}
				if want, got := query.Encode(), got.URL.Query().Encode(); got != want {
					t.Fatalf("sent query %q, want %q", got, want)
				}
				if err := verify(got, sent, "us-east-1", service, exampleKey, exampleSecret); err != nil {
					t.Fatalf("%s: %s", target, err)
				}
				// Once more, as after a redirect or in a loop.
				if err := s.Sign(r, []byte(body), exampleTime); err != nil {
					t.Fatal(err)
				}
				r.Body = io.NopCloser(strings.NewReader(body))
				got, sent = exchange(t, r)
				if err := verify(got, sent, "us-east-1", service, exampleKey, exampleSecret); err != nil {
					t.Fatalf("%s, signed twice: %s", target, err)
				}
				if err := verify(got, append(sent, '!'), "us-east-1", service, exampleKey, exampleSecret); err == nil {
					t.Fatal("another body verifies, too")
				}
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	s := signer(t, "execute-api", aws.Credentials{AccessKeyID: exampleKey, SecretAccessKey: exampleSecret})
	long := request(t, "POST", "https://api.example.com/", "ab")
	tests := []struct {
		name string
		r    *http.Request
		body string
		want string
	}{
		{"query that is none", &http.Request{URL: &url.URL{Scheme: "https", Host: "api.example.com", RawQuery: "a=%zz"}}, "",
			`sign request: parse query "a=%zz": invalid URL escape "%zz"`},
		{"semicolon in query", &http.Request{URL: &url.URL{Scheme: "https", Host: "api.example.com", RawQuery: "a=1;b=2"}}, "",
			`sign request: parse query "a=1;b=2": invalid semicolon separator in query`},
		{"another length", long, "abc", "sign request: its length is said to be 2 bytes, but its body has 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := s.Sign(test.r, []byte(test.body), exampleTime)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if test.r.Header.Get("Authorization") != "" {
				t.Error("it is signed all the same")
			}
		})
	}
	bare := &http.Request{Method: "GET", URL: &url.URL{Scheme: "https", Host: "api.example.com", Path: "/"}}
	if err := s.Sign(bare, nil, exampleTime); err != nil || bare.Header.Get("Authorization") == "" {
		t.Errorf("a request without headers: %v, %v", err, bare.Header)
	}
	for name, retrieve := range map[string]func(context.Context) (aws.Credentials, error){
		"sign requests: get AWS credentials: denied":         func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("denied") },
		"sign requests: get AWS credentials: there are none": func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, nil },
	} {
		if _, err := newSigner(t.Context(), "us-east-1", "execute-api", retrieve); err == nil || err.Error() != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}
	if _, err := newSigner(t.Context(), "us-east-1", "", nil); err == nil || err.Error() != "sign requests: no service, such as execute-api" {
		t.Errorf("without a service: got %v", err)
	}
}

// TestSignerStaysFresh lets credentials of a role end, twice, the second time while AWS does not answer.
func TestSignerStaysFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			lock  sync.Mutex
			n     int
			fails error
		)
		s, err := newSigner(t.Context(), "us-east-1", "execute-api", func(ctx context.Context) (aws.Credentials, error) {
			lock.Lock()
			defer lock.Unlock()
			if fails != nil {
				return aws.Credentials{}, fails
			}
			n++
			return aws.Credentials{AccessKeyID: fmt.Sprint("KEY", n), SecretAccessKey: "secret", CanExpire: true,
				Expires: time.Now().Add(time.Hour)}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		key := func() (string, error) {
			r := request(t, "GET", "https://api.example.com/", "")
			err := s.Sign(r, nil, time.Now())
			_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
			id, _, _ := strings.Cut(rest, "/")
			return id, err
		}
		expect := func(want string, wantErr string) {
			t.Helper()
			synctest.Wait()
			if got, err := key(); got != want || fmt.Sprint(err) != wantErr {
				t.Errorf("after %s: got %q, %v, want %q, %s", time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), got, err, want, wantErr)
			}
		}
		expect("KEY1", "<nil>")
		time.Sleep(time.Hour - refreshEarly - time.Second)
		expect("KEY1", "<nil>")
		time.Sleep(time.Second)
		expect("KEY2", "<nil>") // five minutes before the first have ended

		lock.Lock()
		fails = errors.New("no answer")
		lock.Unlock()
		time.Sleep(time.Hour - time.Second)
		expect("KEY2", "<nil>") // as long as they are good
		time.Sleep(time.Second)
		expect("", "sign request: the AWS credentials have ended: get AWS credentials: no answer")

		lock.Lock()
		fails = nil
		lock.Unlock()
		time.Sleep(refreshPause)
		expect("KEY3", "<nil>")
	})
}

// TestSignerKeepsSecrets prints a signer in every way there is.
func TestSignerKeepsSecrets(t *testing.T) {
	s := signer(t, "execute-api", aws.Credentials{AccessKeyID: exampleKey, SecretAccessKey: exampleSecret, SessionToken: exampleToken})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, s); strings.Contains(got, exampleSecret) || strings.Contains(got, exampleToken) || strings.Contains(got, exampleKey) {
			t.Errorf("%s shows a secret", verb)
		}
	}
}

// TestNewSigner finds credentials where the SDK does.
func TestNewSigner(t *testing.T) {
	for _, name := range []string{"AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", exampleKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", exampleSecret)
	s, err := NewSigner(t.Context(), Options{Region: "eu-west-2"}, "execute-api")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := request(t, "POST", "https://api.example.com/record", "{}")
	if err := s.Sign(r, []byte("{}"), exampleTime); err != nil {
		t.Fatal(err)
	}
	got, body := exchange(t, r)
	if err := verify(got, body, "eu-west-2", "execute-api", exampleKey, exampleSecret); err != nil {
		t.Error(err)
	}
	if _, err := NewSigner(t.Context(), Options{}, "execute-api"); err == nil || !strings.HasPrefix(err.Error(), "sign requests: no AWS region") {
		t.Errorf("without a region: got %v", err)
	}
}

func BenchmarkSign(b *testing.B) {
	s, err := newSigner(b.Context(), "us-east-1", "execute-api", func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: exampleKey, SecretAccessKey: exampleSecret, SessionToken: exampleToken}, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	body := []byte(`{"id":1,"firstName":"Ann"}`)
	r, err := http.NewRequestWithContext(b.Context(), "POST", "https://api.example.com/record", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Sign(r, body, exampleTime); err != nil {
			b.Fatal(err)
		}
	}
}
