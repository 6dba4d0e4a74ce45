package flow

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

func captures(from scenarios.Extractor, expr, as string) scenarios.Capture {
	return scenarios.Capture{From: from, Expr: template(0, expr), As: as, Strict: true, Pos: scenarios.Pos{File: "test.yaml", Line: 6, Col: 2}}
}

// A flow of two requests: what the first one captures, the second one sends.
func TestCaptures(t *testing.T) {
	const body = `{"id":7,"user":{"name":"Ada \"L\"","tags":["a","b"],"none":null},"ok":true}`
	lax := captures(scenarios.JSONPath, "$.nothing", "lax")
	lax.Strict = false
	all := captures(scenarios.JSONPath, "$.user.tags[*]", "all")
	all.Multiple = true
	group := captures(scenarios.Regexp, `"id":(\d+)`, "group")
	group.Group = "1"
	for _, c := range []struct {
		name    string
		capture []scenarios.Capture
		match   []scenarios.Match
		send    string // the body of the second request
		want    string // "" means that it is not sent
		class   result.Class
	}{
		{"a number", []scenarios.Capture{captures(scenarios.JSONPath, "$.id", "x")}, nil, "[{{ x }}]", "[7]", result.OK},
		{"a text", []scenarios.Capture{captures(scenarios.JSONPath, "$.user.name", "x")}, nil, "[{{ x }}]", `["Ada \"L\""]`, result.OK},
		{"an object, and parts of it", []scenarios.Capture{captures(scenarios.JSONPath, "$.user", "x")}, nil, "[{{ x }},{{ x.tags.1 }},{{ x['tags'][0] }}]",
			`[{"name":"Ada \"L\"","tags":["a","b"],"none":null},"b","a"]`, result.OK},
		{"a part that is null", []scenarios.Capture{captures(scenarios.JSONPath, "$.user", "x")}, nil, "{{ x.none }}", "", result.OK},
		{"all results", []scenarios.Capture{all}, nil, "{{ all }}", `["a","b"]`, result.OK},
		{"a group", []scenarios.Capture{group}, nil, "{{ group }}", `"7"`, result.OK},
		{"a header", []scenarios.Capture{captures(scenarios.HeaderValue, "x-id", "x")}, nil, "{{ x }}", `"h7"`, result.OK},
		{"an expression with a hole", []scenarios.Capture{captures(scenarios.JSONPath, "$.user.{{ key }}", "x")}, nil, "{{ x }}", `"Ada \"L\""`, result.OK},
		{"several", []scenarios.Capture{captures(scenarios.JSONPath, "$.id", "x"), captures(scenarios.JSONPath, "$.ok", "y")}, nil, "[{{ x }},{{ y }}]", "[7,true]", result.OK},
		{"nothing, strictly", []scenarios.Capture{captures(scenarios.JSONPath, "$.id", "x"), captures(scenarios.JSONPath, "$.nothing", "y")}, nil, "[1]", "", result.CheckFailed},
		{"nothing, and nobody minds", []scenarios.Capture{lax}, nil, "[1]", "[1]", result.OK},
		{"nothing, and somebody needs it", []scenarios.Capture{lax}, nil, "{{ lax }}", "", result.OK},
		{"a match", nil, []scenarios.Match{{Capture: captures(scenarios.JSONPath, "$.id", ""), Value: template(0, "{{ seven }}")}}, "[1]", "[1]", result.OK},
		{"no match", nil, []scenarios.Match{{Capture: captures(scenarios.JSONPath, "$.id", ""), Value: template(0, "8")}}, "[1]", "", result.CheckFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := get("/first")
				first.Capture, first.Match = c.capture, c.match
				s := script(first, post("/second", c.send))
				s.Config.Variables = []scenarios.Variable{{Name: "key", Values: []string{"name"}}, {Name: "seven", Values: []string{"7"}, Typed: []any{int64(7)}}}
				var sent []string
				d := newDriver(compile(t, s, Options{}), respond(func(r *http.Request) (*http.Response, error) {
					sent = append(sent, shown(r))
					resp := answered(200, body)
					resp.Header.Set("X-Id", "h7")
					return resp, nil
				}))
				drive(t, d, constantly(1, 2*time.Second))
				want := "GET http://api.example/poc/first"
				if c.want != "" {
					want += "\nPOST http://api.example/poc/second " + c.want
				}
				equal(t, "sent", strings.Join(sent, "\n"), want+"\n"+want)
				equal(t, "class", count(d, 0, c.class), 2)
			})
		})
	}
}

// What a failed capture leaves is nothing: neither of this request nor for the next flow of the user.
func TestNothingIsLeftOfAFlow(t *testing.T) {
	first := get("/first/{{ $sequence() }}")
	first.Capture = []scenarios.Capture{captures(scenarios.JSONPath, "$.id", "x")}
	first.Capture[0].Strict = false
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		noting := j.noting(200, `{"id":7}`)
		d := newDriver(compile(t, script(first, get("/second/{{ x }}")), Options{}), respond(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "first/2") {
				return answered(200, "{}"), nil
			}
			return noting(r)
		}))
		drive(t, d, constantly(1, 3*time.Second))
		equal(t, "sent", j.sent, []string{"GET http://api.example/poc/first/1", "GET http://api.example/poc/second/7",
			"GET http://api.example/poc/first/3", "GET http://api.example/poc/second/7"})
		equal(t, "not made", count(d, 1, result.CaptureFailed), 1)
	})
}

// A check may be about what the same answer gave.
func TestChecksOfCaptures(t *testing.T) {
	for want, class := range map[string]result.Class{"7": result.OK, "8": result.CheckFailed} {
		st := get("/")
		st.Capture = []scenarios.Capture{captures(scenarios.JSONPath, "$.id", "x")}
		st.Expect.Contains = []scenarios.Check{{Kind: scenarios.AllEqual, Values: []scenarios.Template{template(0, "{{ x }}"), template(0, want)}}}
		synctest.Test(t, func(t *testing.T) {
			d := newDriver(compile(t, script(st), Options{}), respond(func(*http.Request) (*http.Response, error) { return answered(200, `{"id":7}`), nil }))
			drive(t, d, only(0))
			equal(t, class.String(), count(d, 0, class), 1)
		})
	}
}

func TestProblemsOfCaptures(t *testing.T) {
	st := get("/")
	st.Capture = []scenarios.Capture{captures(scenarios.Regexp, "(", "x")}
	if _, err := Compile(script(st), Options{Target: "http://h"}); err == nil || !strings.HasPrefix(err.Error(), "test.yaml:6:2: ") {
		t.Errorf("got %v", err)
	}
}

// What before captured every user starts with, and its requests are not in the metrics.
func TestBeforeAndAfter(t *testing.T) {
	login := post("/login", `{"n":{{ $sequence() }}}`)
	login.Capture = []scenarios.Capture{captures(scenarios.JSONPath, "$.token", "token")}
	s := script(post("/", `{"token":{{ token }},"n":{{ $sequence() }}}`))
	s.Before = []scenarios.Step{login, pause(time.Minute)}
	s.After = []scenarios.Step{get("/logout/{{ token }}")}
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		transport := j.noting(200, `{"token":"t\"1"}`)
		d := newDriver(compile(t, s, Options{}), transport)
		began := time.Now()
		if err := d.Program.Before(t.Context(), transport); err != nil {
			t.Fatal(err)
		}
		equal(t, "took", time.Since(began), time.Minute)
		drive(t, d, constantly(1, 2*time.Second))
		if err := d.Program.After(t.Context(), transport); err != nil {
			t.Fatal(err)
		}
		equal(t, "sent", strings.Join(j.sent, "\n"), `POST http://api.example/poc/login {"n":1}
POST http://api.example/poc/ {"token":"t\"1","n":2}
POST http://api.example/poc/ {"token":"t\"1","n":3}
GET http://api.example/poc/logout/t%221`)
		equal(t, "steps", len(d.Program.Steps()), 1)
	})
}

func TestBeforeThatFails(t *testing.T) {
	at := scenarios.Pos{File: "test.yaml", Line: 4, Col: 5}
	login := get("/login")
	login.Pos = at
	login.Capture = []scenarios.Capture{captures(scenarios.JSONPath, "$.token", "token")}
	missing := get("/{{ token }}")
	missing.Pos = at
	for _, c := range []struct {
		name      string
		step      scenarios.Step
		transport respond
		want      string
	}{
		{"a status", login, func(*http.Request) (*http.Response, error) { return answered(403, ""), nil }, "AccessDenied, at test.yaml:4:5"},
		{"a capture", login, after(0), "nothing found to capture as token, at test.yaml:4:5"},
		{"no answer", login, after(time.Hour), "Timeout, at test.yaml:4:5"},
		{"a value", missing, after(0), `the variable "token" has no value, at test.yaml:4:5`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := script(get("/{{ token }}"))
				s.Before = []scenarios.Step{c.step, login}
				if err := compile(t, s, Options{}).Before(t.Context(), c.transport); err == nil || err.Error() != c.want {
					t.Errorf("got %v, want %s", err, c.want)
				}
			})
		})
	}
}
