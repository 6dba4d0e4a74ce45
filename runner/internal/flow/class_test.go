package flow

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// The article's bodies, word for word.
const (
	noGrant = `{"status":500,"title":"InvalidSessionException","detail":"Amazon QLDB does not have grant access on the AWS KMS customer managed key of the ledger. Restore the grant on the key for the ledger."}`
	noRight = `{"status":500,"title":"AccessDeniedException","detail":"The user does not have permissions to use the customer managed KMS key of the ledger (KMS Request ID: 5f0d0a0c-1111-4c4c-9a9a-0a0a0a0a0a0a) : The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access."}`
	absent  = `{"status":400,"title":"Record Not Found Error","detail":"Record with id 1501 does not exist"}`
)

func TestClassOfAnAnswer(t *testing.T) {
	expecting := func(e scenarios.Expect) *scenarios.Script {
		st := get("/")
		st.Expect = e
		return script(st)
	}
	with := func(checks ...scenarios.Check) *scenarios.Script {
		return expecting(scenarios.Expect{Contains: checks})
	}
	lenient := script(get("/"))
	status201 := expecting(scenarios.Expect{Status: []int{201}})
	ruled := script(get("/"))
	ruled.Config.Classify = []scenarios.ClassRule{
		{Class: result.Throttled, Status: []int{503}},
		{Class: result.KeyDisabled, Contains: "vault sealed"},
		{Class: result.NotFound, Status: []int{500, 502}, Contains: "nothing here"},
	}
	ruledCheck := script(get("/"))
	ruledCheck.Scenarios[0].Flow[0].Expect = scenarios.Expect{ContentType: "json"}
	ruledCheck.Config.Classify = []scenarios.ClassRule{{Class: result.Throttled, Contains: "slow down"}}
	jsonBody := expecting(scenarios.Expect{ContentType: "json"})
	html := expecting(scenarios.Expect{ContentType: "Text/HTML"})
	property := func(path string) *scenarios.Script {
		return with(scenarios.Check{Kind: scenarios.HasProperty, Name: path})
	}
	matches := func(s string) *scenarios.Script {
		return with(scenarios.Check{Kind: scenarios.MatchesRegexp, Value: template(0, s)})
	}
	long := strings.Repeat("x", 100<<10)

	for _, c := range []struct {
		name   string
		script *scenarios.Script
		status int
		header http.Header
		body   string
		want   result.Class
	}{
		{"200", lenient, 200, nil, "", result.OK},
		{"302 is an answer", lenient, 302, nil, "", result.OK},
		{"199", lenient, 199, nil, "", result.CheckFailed},
		{"the wanted status", status201, 201, nil, `"Success"`, result.OK},
		{"another good status", status201, 200, nil, "", result.CheckFailed},
		{"a redirect where another status was wanted", status201, 302, nil, "", result.CheckFailed},

		{"no grant", status201, 500, nil, noGrant, result.KeyInaccessible},
		{"no right", lenient, 500, nil, noRight, result.AccessDenied},
		{"no record", lenient, 400, nil, absent, result.NotFound},
		{"AccessDeniedException", lenient, 400, nil, `{"__type":"AccessDeniedException"}`, result.AccessDenied},
		{"do not have permissions", lenient, 400, nil, "You do not have permissions to use the customer managed KMS key", result.AccessDenied},
		{"not authorized", lenient, 400, nil, "User: arn:… is not authorized to perform: kms:Decrypt", result.AccessDenied},
		{"403", lenient, 403, nil, `{"message":"Forbidden"}`, result.AccessDenied},
		{"DisabledException", lenient, 400, nil, `{"__type":"DisabledException","message":"arn:… is disabled."}`, result.KeyDisabled},
		{"is disabled", lenient, 500, nil, "the key is disabled", result.KeyDisabled},
		{"pending deletion", lenient, 400, nil, `{"__type":"KMSInvalidStateException","message":"arn:… is pending deletion."}`, result.KeyPendingDeletion},
		{"429", lenient, 429, nil, "", result.Throttled},
		{"ThrottlingException", lenient, 400, nil, `{"__type":"ThrottlingException"}`, result.Throttled},
		{"Too Many Requests", lenient, 500, nil, `{"message":"Too Many Requests"}`, result.Throttled},
		{"404", lenient, 404, nil, "", result.NotFound},
		{"400", lenient, 400, nil, "", result.ClientError},
		{"500", lenient, 500, nil, "", result.ServerError},
		{"503", lenient, 503, nil, "is enabled", result.ServerError},
		{"a good answer that mentions it", lenient, 200, nil, noGrant, result.OK},
		{"a wanted error", expecting(scenarios.Expect{Status: []int{404, 410}}), 404, nil, "", result.OK},
		{"the sign is within 64 KiB", lenient, 500, nil, long[:60<<10] + noGrant, result.KeyInaccessible},
		{"the sign is behind 64 KiB", lenient, 500, nil, long + noGrant, result.ServerError},

		{"a rule by status", ruled, 503, nil, noGrant, result.Throttled},
		{"a rule by body", ruled, 418, nil, "the vault sealed itself", result.KeyDisabled},
		{"a rule by both", ruled, 502, nil, "nothing here", result.NotFound},
		{"a rule by both, status only", ruled, 502, nil, "", result.ServerError},
		{"rules are for failures", ruled, 200, nil, "vault sealed", result.OK},
		{"a rule for a failed check", ruledCheck, 200, nil, "slow down", result.Throttled},
		{"no rule for a failed check", ruledCheck, 200, nil, "oops", result.CheckFailed},

		{"JSON", jsonBody, 200, nil, `{"a":1}`, result.OK},
		{"JSON, with a suffix and a charset", jsonBody, 200, http.Header{"Content-Type": {"application/problem+json; charset=utf-8"}}, `[]`, result.OK},
		{"long JSON", jsonBody, 200, nil, `["` + long + `"]`, result.OK},
		{"too long JSON to be looked at", jsonBody, 200, nil, `["` + strings.Repeat(long, 11) + `"]`, result.CheckFailed},
		{"bottomless JSON", jsonBody, 200, nil, strings.Repeat("[", 1<<19), result.CheckFailed},
		{"not JSON", jsonBody, 200, nil, `{"a":1`, result.CheckFailed},
		{"JSON by another name", jsonBody, 200, http.Header{"Content-Type": {"text/plain"}}, `{}`, result.CheckFailed},
		{"a failed check on a failed request", jsonBody, 500, nil, noGrant, result.KeyInaccessible},
		{"a media type", html, 200, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, "", result.OK},
		{"another media type", html, 200, nil, "", result.CheckFailed},
		{"no media type", html, 200, http.Header{}, "", result.CheckFailed},

		{"a header", with(scenarios.Check{Kind: scenarios.HasHeader, Name: "x-id"}), 200, http.Header{"X-Id": {""}}, "", result.OK},
		{"no header", with(scenarios.Check{Kind: scenarios.HasHeader, Name: "X-Id"}), 200, nil, "", result.CheckFailed},
		{"a header's value", with(scenarios.Check{Kind: scenarios.HeaderEquals, Name: "x-id", Value: template(0, "a b")}), 200, http.Header{"X-Id": {"a b"}}, "", result.OK},
		{"another value", with(scenarios.Check{Kind: scenarios.HeaderEquals, Name: "X-Id", Value: template(0, "a b")}), 200, http.Header{"X-Id": {"a c"}}, "", result.CheckFailed},
		{"a property", property("a.b[1].c"), 200, nil, `{"a":{"b":[0,{"c":null}]}}`, result.OK},
		{"a property by dots", property("a.b.1.c"), 200, nil, `{"a":{"b":[0,{"c":1}]}}`, result.OK},
		{"no property", property("a.b[2]"), 200, nil, `{"a":{"b":[0,1]}}`, result.CheckFailed},
		{"a property of a text", property("a.b"), 200, nil, `{"a":"b"}`, result.CheckFailed},
		{"a property behind 64 KiB", property("b"), 200, nil, `{"a":"` + long + `","b":1}`, result.OK},
		{"a property of no JSON", property("a"), 200, nil, `a`, result.CheckFailed},
		{"a match", matches(`^"Succ`), 200, nil, `"Success"`, result.OK},
		{"no match", matches(`^Succ`), 200, nil, `"Success"`, result.CheckFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDriver(compile(t, c.script, Options{}), respond(func(*http.Request) (*http.Response, error) {
					resp := answered(c.status, c.body)
					if c.header != nil {
						resp.Header = c.header
					}
					return resp, nil
				}))
				drive(t, d, constantly(1, time.Second))
				for class, n := range d.Recorder.Steps()[0].Classes {
					if n > 0 && result.Class(class) != c.want {
						t.Errorf("got %v, want %v", result.Class(class), c.want)
					}
				}
				equal(t, "recorded", d.Recorder.Steps()[0].Classes.Total(), 1)
				equal(t, "read", d.Stats().Read, len(c.body))
			})
		})
	}
}

// A check may depend on what this request drew.
func TestChecksWithHoles(t *testing.T) {
	create := post("/", `{"id":{{ $sequence() }}}`)
	create.Expect.Contains = []scenarios.Check{
		{Kind: scenarios.MatchesRegexp, Value: template(0, `^{{ $sequence() }} {{ city }}$`)},
		{Kind: scenarios.HeaderEquals, Name: "X-Id", Value: template(0, "{{ $sequence() }}")},
	}
	s := script(create)
	s.Config.Variables = []scenarios.Variable{{Name: "city", Values: []string{"Cardiff"}}}
	synctest.Test(t, func(t *testing.T) {
		n := 0
		d := newDriver(compile(t, s, Options{}), respond(func(r *http.Request) (*http.Response, error) {
			n++
			resp := answered(200, fmt.Sprint(n, " Cardiff"))
			resp.Header.Set("X-Id", fmt.Sprint(min(n, 2)))
			return resp, nil
		}))
		drive(t, d, constantly(10, 400*time.Millisecond))
		equal(t, "OK and CheckFailed", []uint64{count(d, 0, result.OK), count(d, 0, result.CheckFailed)}, []uint64{2, 2})
	})
}

// An answer that breaks off is no answer, whatever its status said.
func TestABrokenBodyIsATransportError(t *testing.T) {
	for _, status := range []int{200, 500} {
		synctest.Test(t, func(t *testing.T) {
			d := newDriver(compile(t, script(get("/")), Options{}), respond(func(*http.Request) (*http.Response, error) {
				resp := answered(status, "")
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), broken{}))
				return resp, nil
			}))
			drive(t, d, constantly(1, time.Second))
			equal(t, "resets", count(d, 0, result.ConnectionReset), 1)
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
