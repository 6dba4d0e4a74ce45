package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/records"
	"loadkms/scenarios"
)

// rendered returns what one user renders of a template.
func rendered(t *testing.T, in scenarios.Template, variables []scenarios.Variable) string {
	t.Helper()
	s := script(scenarios.Step{Kind: scenarios.Request, Method: "POST", URL: template(0, "/"), HasBody: true, Body: in})
	s.Config.Variables = variables
	u := newUser(compile(t, s, Options{Seed: 3, Target: "http://h"}), new(records.Set), nil)
	if act := u.begin(ticket{Arrival: arrival.Arrival{Seq: 4}, sequence: 41}); act != send {
		t.Fatalf("got action %d, want send", act)
	}
	return string(u.walk.out.body)
}

func TestJSONBodiesAreExact(t *testing.T) {
	vars := []scenarios.Variable{
		{Name: "text", Values: []string{"a \"b\" \\ \n\t\x01 é < "}},
		{Name: "int", Values: []string{"0x10"}, Typed: []any{int64(16)}},
		{Name: "float", Values: []string{"1.50"}, Typed: []any{1.5}},
		{Name: "bool", Values: []string{"yes"}, Typed: []any{true}},
		{Name: "digits", Values: []string{"007"}, Typed: []any{"007"}},
	}
	for _, c := range []struct {
		name, template, want string
		mode                 scenarios.Mode
	}{
		{"a number", `{"id":{{ $sequence() }}}`, `{"id":42}`, scenarios.JSONValue},
		{"a number in a text", `"no. {{ $sequence() }}"`, `"no. 42"`, scenarios.JSONString},
		{"a text", `{"a":{{ text }}}`, `{"a":"a \"b\" \\ \n\t\u0001 é < "}`, scenarios.JSONValue},
		{"a text in a text", `{"a":"<{{ text }}>"}`, `{"a":"<a \"b\" \\ \n\t\u0001 é < >"}`, scenarios.JSONString},
		{"a text as text", `<{{ text }}>`, "<a \"b\" \\ \n\t\x01 é < >", scenarios.Plain},
		{"typed values", `[{{ int }},{{ float }},{{ bool }},{{ digits }}]`, `[16,1.5,true,"007"]`, scenarios.JSONValue},
		{"typed values in a text", `"{{ int }},{{ float }},{{ bool }},{{ digits }}"`, `"0x10,1.50,yes,007"`, scenarios.JSONString},
		{"a range of one", `{{ $randomNumber(-7, -7) }}`, `-7`, scenarios.JSONValue},
		{"the target", `{"from":{{ target }}}`, `{"from":"http://h"}`, scenarios.JSONValue},
		{"no letters", `{{ $randomString(0) }}`, `""`, scenarios.JSONValue},
	} {
		t.Run(c.name, func(t *testing.T) {
			equal(t, "body", rendered(t, template(c.mode, c.template), vars), c.want)
		})
	}
}

func TestFakeData(t *testing.T) {
	got := rendered(t, template(scenarios.JSONValue, `{"f":{{ $firstName() }},"l":{{ $lastName() }},"e":{{ $email() }},"s":{{ $street() }},`+
		`"p":{{ $postcode() }},"r":{{ $randomString() }},"n":{{ $randomNumber(3, 5) }}}`), nil)
	var v struct {
		F, L, E, S, P, R string
		N                int
	}
	if err := json.Unmarshal([]byte(got), &v); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if v.F == "" || v.L == "" || !strings.Contains(v.E, "@") || !strings.Contains(v.S, " ") || len(v.P) != 5 || len(v.R) != 10 || v.N < 3 || v.N > 5 {
		t.Errorf("got %s", got)
	}
}

func TestRandomNumbersIncludeBothEnds(t *testing.T) {
	seen := map[string]int{}
	s := script(scenarios.Step{Kind: scenarios.Request, Method: "POST", URL: template(0, "/"), HasBody: true,
		Body: template(0, "{{ $randomNumber(-1, 1) }}")})
	u := newUser(compile(t, s, Options{}), new(records.Set), nil)
	for seq := range uint64(3000) {
		u.begin(ticket{Arrival: arrival.Arrival{Seq: seq}})
		seen[string(u.walk.out.body)]++
	}
	for _, n := range []string{"-1", "0", "1"} {
		if seen[n] < 900 || seen[n] > 1100 {
			t.Errorf("%s: got %d of 3000", n, seen[n])
		}
	}
}

func TestURLs(t *testing.T) {
	vars := []scenarios.Variable{
		{Name: "id", Values: []string{"12"}}, {Name: "odd", Values: []string{"a b/c?d#e%f%20é\"+"}},
		{Name: "host", Values: []string{"http://other.example:81/x"}}, {Name: "path", Values: []string{"/y"}}, {Name: "bad", Values: []string{"::"}},
	}
	for _, c := range []struct{ name, target, url, want string }{
		{"a path", "http://h", "/a", "GET http://h/a"},
		{"a path below a path", "http://h/poc/", "/a?b=c", "GET http://h/poc/a?b=c"},
		{"a port", "https://h:8443", "/", "GET https://h:8443/"},
		{"a whole URL", "http://h", "https://i/a", "GET https://i/a"},
		{"a whole URL without a path", "http://h", "https://i?a=b", "GET https://i/?a=b"},
		{"no target is needed", "", "http://i/a", "GET http://i/a"},
		{"a fragment is not sent", "http://h", "/a?b#c", "GET http://h/a?b"},
		{"blanks and escapes", "http://h", "/a b/%2f%zz é", "GET http://h/a%20b/%2f%25zz%20%C3%A9"},
		{"a hole", "http://h/poc", "/record/{{ id }}", "GET http://h/poc/record/12"},
		{"a hole in a query", "http://h/poc", "/r?id={{ id }}&x=1", "GET http://h/poc/r?id=12&x=1"},
		{"an odd value", "http://h/", "/r/{{ odd }}", "GET http://h/r/a%20b/c?d%23e%25f%20%C3%A9%22+"},
		{"an odd value in a query", "http://h/", "/r?q={{ odd }}#f", "GET http://h/r?q=a%20b/c?d%23e%25f%20%C3%A9%22+"},
		{"a sub-delimiter", "http://h", "/r/(1)!*'{{ id }}", "GET http://h/r/(1)!*'12"},
		{"a hole behind the host", "http://h", "http://i:1/a/{{ id }}", "GET http://i:1/a/12"},
		{"a host in a hole", "http://h", "{{ host }}/{{ id }}", "GET http://other.example:81/x/12"},
		{"a path in a hole", "http://h/poc", "{{ path }}/{{ id }}", "GET http://h/poc/y/12"},
		{"no URL in a hole", "http://h/poc", "{{ bad }}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := script(get(c.url))
				s.Config.Variables = vars
				p, err := Compile(s, Options{Target: c.target})
				if err != nil {
					t.Fatal(err)
				}
				j := new(journal)
				d := newDriver(p, j.noting(200, ""))
				drive(t, d, constantly(2, time.Second)) // twice, so that a request that is used again is seen too
				if c.want == "" {
					equal(t, "not sent", []any{len(j.sent), count(d, 0, result.CaptureFailed)}, []any{0, 2})
					return
				}
				equal(t, "sent", strings.Join(j.sent, "\n"), c.want+"\n"+c.want)
			})
		})
	}
}

func TestHeaders(t *testing.T) {
	header := func(name, value string) scenarios.Header {
		return scenarios.Header{Name: name, Value: template(0, value)}
	}
	st := get("/{{ $sequence() }}")
	st.Headers = []scenarios.Header{header("X-Own", "step"), header("X-Hole", "n{{ $sequence() }}"), header("Host", "{{ name }}"), header("X-Bad", "{{ bad }}")}
	s := script(st)
	s.Config.HTTP.Headers = []scenarios.Header{header("X-Own", "config"), header("X-All", "all")}
	s.Config.Variables = []scenarios.Variable{{Name: "bad", Values: []string{"fine"}}, {Name: "name", Values: []string{"virtual.example"}}}
	play := func(t *testing.T) (got []string, d *Driver) {
		synctest.Test(t, func(t *testing.T) {
			d = newDriver(compile(t, s, Options{}), respond(func(r *http.Request) (*http.Response, error) {
				got = append(got, strings.Join([]string{r.Host, r.Header.Get("X-Own"), r.Header.Get("X-Hole"), r.Header.Get("X-All"), r.Header.Get("User-Agent")}, " "))
				return answered(200, ""), nil
			}))
			drive(t, d, constantly(2, time.Second))
			if len(got) == 0 {
				equal(t, "class", count(d, 0, result.CaptureFailed), 2)
			}
		})
		return got, d
	}
	got, _ := play(t)
	equal(t, "headers", got, []string{"virtual.example step n1 all loadkms", "virtual.example step n2 all loadkms"})
	// A value that would end its line is not sent.
	s.Config.Variables[0].Values = []string{"a\r\nX-Smuggled: 1"}
	if got, _ := play(t); len(got) > 0 {
		t.Errorf("sent %q", got)
	}
}

func TestLogSteps(t *testing.T) {
	var log logbook
	s := script(prints("before {{ $sequence() }} {{ $created() }}"), post("/", "{{ $sequence() }}"), prints("sent {{ $sequence() }} for {{ name }}"))
	s.Config.Variables = []scenarios.Variable{{Name: "name", Values: []string{"Ada"}}}
	synctest.Test(t, func(t *testing.T) {
		drive(t, newDriver(compile(t, s, Options{Log: &log}), after(0)), constantly(2, time.Second))
	})
	equal(t, "log", log.String(), "before 0 undefined\nsent 1 for Ada\nbefore 1 undefined\nsent 2 for Ada\n")
}

func TestVariablesPickOneValuePerUser(t *testing.T) {
	s := script(post("/", "{{ city }}"), post("/", "{{ city }}"))
	s.Config.Variables = []scenarios.Variable{{Name: "city", Values: []string{"Cardiff", "Swansea"}}, {Name: "unused", Values: []string{"a", "b"}}}
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		drive(t, newDriver(compile(t, s, Options{}), j.noting(200, "")), constantly(50, time.Second))
		seen := map[string]int{}
		for i := 0; i < len(j.sent); i += 2 {
			equal(t, "the same throughout the flow", j.sent[i], j.sent[i+1])
			seen[j.sent[i]]++
		}
		if len(seen) != 2 {
			t.Errorf("got %v, want both", seen)
		}
	})
}

func TestCompileProblems(t *testing.T) {
	at := scenarios.Pos{File: "test.yaml", Line: 3, Col: 5}
	checked := func(c scenarios.Check) scenarios.Step {
		st := get("/")
		c.Pos = at
		st.Expect.Contains = []scenarios.Check{c}
		return st
	}
	for _, c := range []struct {
		name   string
		script *scenarios.Script
		target string
		want   string
	}{
		{"no scenario", &scenarios.Script{File: "test.yaml"}, "http://h", "test.yaml: there is no scenario"},
		{"no target", script(get("/")), "", `the target "" is not a URL that begins with http:// or https://`},
		{"no URL for a target", script(get("/")), "sandbox", `the target "sandbox" is not a URL`},
		{"a URL that is none", script(get("http://[")), "http://h", `test.yaml:3:5: "http://[" is not a URL`},
		{"an unknown function", script(get("/{{ $sequnce() }}")), "http://h", `test.yaml:3:5: unknown function "$sequnce"`},
		{"a function without its arguments", script(get("/{{ $randomNumber() }}")), "http://h", `test.yaml:3:5: $randomNumber cannot be called with []`},
		{"a range the wrong way round", script(get("/{{ $randomNumber(2, 1) }}")), "http://h", `test.yaml:3:5: $randomNumber cannot be called with ["2" "1"]`},
		{"an argument that is no number", script(get("/{{ $randomString(x) }}")), "http://h", `test.yaml:3:5: $randomString cannot be called with ["x"]`},
		{"too many arguments", script(get("/{{ $sequence(1) }}")), "http://h", `test.yaml:3:5: $sequence cannot be called with ["1"]`},
		{"an unknown variable", script(get("/{{ nme }}")), "http://h", `test.yaml:3:5: unknown variable "nme"`},
		{"a path in a value", withVariable(script(get("/{{ name.first }}"))), "http://h", `test.yaml:3:5: the variable "name" is one value and has no "first"`},
		{"a bad expression", script(checked(scenarios.Check{Kind: scenarios.MatchesRegexp, Value: template(0, "(")})), "http://h", `test.yaml:3:5: "(" is not a regular expression`},
		{"a function without a processor", script(calls("f")), "http://h", `test.yaml:7:9: the function "f" has no processor to be in`},
		{"everything at once", script(get("/{{ a }}"), get("/{{ b }}")), "http://h", "test.yaml:3:5: unknown variable \"a\"\ntest.yaml:3:5: unknown variable \"b\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Compile(c.script, Options{Target: c.target})
			if p != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			var problems *scenarios.Problems
			if !errors.As(err, &problems) {
				t.Errorf("got a %T, want problems of the script", err)
			}
		})
	}
}

func withVariable(s *scenarios.Script) *scenarios.Script {
	s.Config.Variables = []scenarios.Variable{{Name: "name", Values: []string{"Ada"}}}
	return s
}

// Whatever a hole holds, a JSON string around it decodes to the same text.
func FuzzJSONStrings(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\x00\x1f\x7f\u2028é\xff\xc3", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		written := jsonOf(s)
		if err := json.Unmarshal([]byte(written), &got); err != nil {
			t.Fatalf("%q: %s: %v", s, written, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not valid", got)
		}
	})
}

// Whatever a hole holds, the URL around it parses, keeps its host and has no fragment; and what needs
// no escape stays as it is.
func FuzzURLs(f *testing.F) {
	for _, s := range []string{"", "a/b", "%", "%2", "%2f", "#", "?", " \x00é\xff\"<>", "//evil"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		escaped := string(escapeURLBytes(nil, []byte(s)))
		u, err := url.Parse("http://h/" + escaped)
		if err != nil {
			t.Fatalf("%q: %v", escaped, err)
		}
		if u.Host != "h" || u.Fragment != "" {
			t.Fatalf("%q goes to %q", s, u)
		}
		if again := string(escapeURLBytes(nil, []byte(escaped))); again != escaped {
			t.Fatalf("%q is escaped again to %q", escaped, again)
		}
		if path, query, ok := plainPath("/" + escaped); ok {
			plain := url.URL{Scheme: "http", Host: "h", Path: path, RawQuery: query}
			if plain.RequestURI() != u.RequestURI() {
				t.Fatalf("%q: the short way sends %q, the long way %q", escaped, plain.RequestURI(), u.RequestURI())
			}
		}
	})
}

// Templates render what a slow and simple reading of them says, whatever their variables hold.
func TestTemplatesAgainstASlowReading(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	dice := rand.New(rand.NewPCG(seed, 0))
	alphabet := []rune("ab \"\\\n\t\x00\x7f/%&=+#?~é日\u2028😀{}")
	word := func() string {
		s := make([]rune, dice.IntN(8))
		for i := range s {
			s[i] = alphabet[dice.IntN(len(alphabet))]
		}
		return string(s)
	}
	for range 3000 {
		var variables []scenarios.Variable
		var texts []string
		var typed []any
		for i := range 1 + dice.IntN(3) {
			v := word()
			var as any = v
			switch dice.IntN(4) {
			case 0:
				as = dice.Int64()>>dice.IntN(63) - 5
				v = fmt.Sprint(as)
			case 1:
				as = dice.IntN(2) == 0
				v = fmt.Sprint(as)
			}
			variables = append(variables, scenarios.Variable{Name: fmt.Sprint("v", i), Values: []string{v}, Typed: []any{as}})
			texts, typed = append(texts, v), append(typed, as)
		}
		mode := scenarios.Mode(dice.IntN(4))
		in := scenarios.Template{Source: "x"}
		want := ""
		for range 1 + dice.IntN(5) {
			if dice.IntN(2) == 0 {
				s := word()
				in.Parts = append(in.Parts, scenarios.Part{Text: s})
				want += s
				continue
			}
			i := dice.IntN(len(texts))
			in.Parts = append(in.Parts, scenarios.Part{Var: fmt.Sprint("v", i), Mode: mode})
			switch mode {
			case scenarios.Plain:
				want += texts[i]
			case scenarios.FormString:
				want += url.QueryEscape(texts[i])
			case scenarios.JSONValue:
				want += slowJSON(typed[i])
			case scenarios.JSONString:
				want += strings.TrimSuffix(strings.TrimPrefix(slowJSON(texts[i]), `"`), `"`)
			}
		}
		if got := rendered(t, in, variables); got != want {
			t.Fatalf("seed %d: %+v with %q: got %q, want %q", seed, in.Parts, texts, got, want)
		}
	}
}

// slowJSON is JSON with everything as it is that may be.
func slowJSON(v any) string {
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	out := `"`
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out += `\` + string(r)
		case r == '\n':
			out += `\n`
		case r == '\t':
			out += `\t`
		case r < ' ':
			out += fmt.Sprintf(`\u%04x`, r)
		default:
			out += string(r)
		}
	}
	return out + `"`
}

// What a hole of $template holds is a template itself; and so is what a function makes of a request.
func TestTemplatesInVariables(t *testing.T) {
	vars := []scenarios.Variable{{Name: "greeting", Values: []string{`hi "{{ name }}", {{ $randomNumber(4, 4) }}{{ nobody }}`}}, {Name: "name", Values: []string{"Ada"}}}
	for _, c := range []struct {
		mode scenarios.Mode
		want string
	}{
		{scenarios.Plain, `hi "Ada", 4undefined Ada`}, {scenarios.JSONString, `hi \"Ada\", 4undefined Ada`}, {scenarios.FormString, "hi+%22Ada%22%2C+4undefined Ada"},
		{scenarios.JSONValue, `"hi \"Ada\", 4undefined" "Ada"`},
	} {
		equal(t, "rendered", rendered(t, template(c.mode, "{{ $template(greeting) }} {{ name }}"), vars), c.want)
	}
	for _, c := range []struct {
		mode       scenarios.Mode
		text, want string
	}{
		{scenarios.JSONValue, `{"a":"{{ n }}","b":"no. {{ n }}","c":"{{ q }}","d":"x{{ q }}","e":"{{ none }}"}`, `{"a":5,"b":"no. 5","c":"\"","d":"x\"","e":null}`},
		{scenarios.Plain, `{{n}}{{ q }}{{`, `5"{{`}, {scenarios.FormString, "a={{ q }}", "a=%22"},
	} {
		got := fillHoles(c.text, c.mode, func(hole string, mode scenarios.Mode) (string, bool) {
			v, ok := map[string]value{"n": valueOf("5", int64(5)), "q": valueOf(`"`, `"`)}[hole]
			return v.as(mode), ok
		})
		equal(t, "filled", got, c.want)
	}
}

func TestBuiltInVariables(t *testing.T) {
	t.Setenv("LOADKMS_TEST_REGION", "eu-west-2")
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	play := func(seed uint64) (users, tests []string) {
		s := script(post("/", `{{ $uuid }} {{ $uuid }} {{ $uuid() }} {{ $testId }} {{ $scenarioFile }} {{ $env.LOADKMS_TEST_REGION }} {{ $processEnvironment.LOADKMS_TEST_REGION }}`))
		s.Scenarios[0].Flow[0].Body = template(scenarios.Plain, s.Scenarios[0].Flow[0].Body.Source)
		u, _ := walker(t, s)
		u.program.seed = seed
		for seq := range uint64(3) {
			u.begin(ticketOf(seq))
			f := strings.Fields(string(u.walk.out.body))
			equal(t, "the rest", f[4:], []string{"test.yaml", "eu-west-2", "eu-west-2"})
			if f[0] != f[1] || f[0] == f[2] || !uuid.MatchString(f[0]) || !uuid.MatchString(f[2]) || !uuid.MatchString(f[3]) {
				t.Errorf("got %q", f)
			}
			users, tests = append(users, f[0], f[2]), append(tests, f[3])
		}
		return users, tests
	}
	users, tests := play(1)
	again, _ := play(1)
	other, _ := play(2)
	equal(t, "the same seed", again, users)
	if slices.Equal(other, users) || tests[0] != tests[2] {
		t.Error("another seed made the same, or the test has two names")
	}
	slices.Sort(users)
	equal(t, "different users", len(slices.Compact(users)), 6)
	_, err := Compile(script(get("/{{ $env.LOADKMS_NO_SUCH }}")), Options{Target: "http://h"})
	if err == nil || !strings.Contains(err.Error(), `test.yaml:3:5: the process has no environment variable "LOADKMS_NO_SUCH"`) {
		t.Errorf("got %v", err)
	}
}

// Functions of fake data are called by Artillery's names, and are seeded like everything else.
func TestFakeDataByName(t *testing.T) {
	const body = `{"a":{{ $internetEmail() }},"b":{{ $stringAlphanumeric(12) }},"c":{{ $personFirstName() }}}`
	first := rendered(t, template(scenarios.JSONValue, body), nil)
	var v struct{ A, B, C string }
	if err := json.Unmarshal([]byte(first), &v); err != nil || !strings.Contains(v.A, "@") || len(v.B) != 12 || v.C == "" {
		t.Errorf("got %s: %v", first, err)
	}
	equal(t, "the same seed", rendered(t, template(scenarios.JSONValue, body), nil), first)
}
