package flow

import (
	"encoding/json"
	"strings"
	"testing"

	"loadkms/runner/internal/client"
	"loadkms/scenarios"
)

// FuzzAnswers checks that no answer makes a walk panic, hang, or send what would break the line it is in.
func FuzzAnswers(f *testing.F) {
	f.Add(200, "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "\x1f\x8b\x08")
	f.Add(302, "Location: //x\r\nSet-Cookie: a=b\r\n", "")
	f.Add(307, "location: http://h\x00/\r\nSet-Cookie: a=\"b\r\nSet-Cookie:;;\r\n", "{}")
	f.Add(200, "Content-Encoding: deflate\r\n:\r\n\n", `{"a":[{"b":null}]}`)
	f.Add(-1, "", "")
	st := post("/start", `{"n":{{ $sequence() }}}`)
	st.Capture = []scenarios.Capture{captures(scenarios.JSONPath, "$.a", "x"), captures(scenarios.HeaderValue, "set-cookie", "y")}
	st.Capture[0].Strict, st.Capture[1].Strict = false, false
	second := get("/{{ x.0.b }}/{{ x }}?{{ y }}")
	second.Headers = []scenarios.Header{{Name: "X-Y", Value: template(0, "{{ y }}")}}
	s := script(st, looping(scenarios.LoopStep{OverVar: "x"}, get("/{{ $loopElement.b }}")), second)
	d := newDriver(compile(f, s, Options{}), nil)
	f.Fuzz(func(t *testing.T, status int, head, body string) {
		u := newUser(d.Program, d.Records, d.Recorder.Shard(0))
		act := u.begin(ticket{})
		for n := 0; act == send; n++ {
			out := u.walk.out
			for _, field := range out.fields {
				if strings.ContainsAny(string(field.value), "\r\n\x00") {
					t.Fatalf("%s: %q", field.name, field.value)
				}
			}
			if len(out.target) == 0 || strings.ContainsAny(string(out.target), " \r\n\x00#") {
				t.Fatalf("target %q", out.target)
			}
			if n > 100_000 {
				t.Fatal("it does not end")
			}
			r := &client.Response{Status: status, Head: []byte(head), Body: []byte(body), Size: uint64(len(body))}
			act = u.walk.answer(r, 1)
		}
		if act != done && act != giveUp {
			t.Fatalf("got action %d", act)
		}
	})
}

// FuzzFill checks templates nobody knew when the script was compiled: what is JSON stays JSON.
func FuzzFill(f *testing.F) {
	for _, s := range []string{"{{ x }}", `a {{x}} "b`, "{{ $uuid() }}{{ $randomString(x) }}", "{{ {{ x }} }}", "}}{{", "{{ $template(x) }}", `\"{{ x }}"`, `{{ x }}\`} {
		f.Add(s)
	}
	s := script(post("/", "{{ x }}"))
	s.Config.Variables = []scenarios.Variable{{Name: "x", Values: []string{"a \"b\"\\"}}}
	u, _ := walker(f, s)
	f.Fuzz(func(t *testing.T, in string) {
		u.begin(ticket{})
		document, err := json.Marshal([]string{in, "{{ x }}", in})
		if err != nil {
			t.Fatal(err)
		}
		if got := u.walk.fill(string(document), scenarios.JSONValue); !json.Valid([]byte(got)) {
			t.Fatalf("%s became %s", document, got)
		}
		u.walk.fill(in, scenarios.Plain)
	})
}

// FuzzDurations checks that what is read as a duration or a count is none below nothing.
func FuzzDurations(f *testing.F) {
	for _, s := range []string{"1", "1.5 days", "2m30s", "-1", "1e400", "inf", "1-5", "--", "9999999999h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := durationOf(s); ok && d < 0 {
			t.Fatalf("%q: %v", s, d)
		}
		if from, to, ok := countOf(s); ok && from < 0 && !strings.HasPrefix(strings.TrimSpace(s), "-") {
			t.Fatalf("%q: %d to %d", s, from, to)
		}
	})
}
