package scenarios

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"loadkms/result"
)

// mustParse parses src or ends the test with the problems.
func mustParse(t testing.TB, file, src string, o Options) *Script {
	t.Helper()
	s, err := Parse(file, []byte(src), o)
	var problems *Problems
	if errors.As(err, &problems) {
		t.Fatalf("%s\n%s", file, problems.Explain())
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func everything(t testing.TB, o Options) *Script {
	t.Helper()
	src, err := os.ReadFile("testdata/good/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, "testdata/good/everything.yaml", string(src), o)
}

// bare takes the places out of v, so that it can be compared with what is written in a test.
func bare[T any](v T) T {
	var strip func(reflect.Value)
	strip = func(r reflect.Value) {
		switch r.Kind() {
		case reflect.Struct:
			if r.Type() == reflect.TypeFor[Pos]() {
				r.SetZero()
				return
			}
			for i := range r.NumField() {
				strip(r.Field(i))
			}
		case reflect.Pointer:
			if !r.IsNil() {
				strip(r.Elem())
			}
		case reflect.Slice:
			for i := range r.Len() {
				strip(r.Index(i))
			}
		}
	}
	strip(reflect.ValueOf(&v).Elem())
	return v
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if got = bare(got); !reflect.DeepEqual(got, want) {
		g, _ := json.MarshalIndent(got, "", " ")
		w, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("%s: got\n%s\nwant\n%s", what, g, w)
	}
}

func literal(s string) Template { return Template{Source: s, Parts: []Part{{Text: s}}} }

func TestConfig(t *testing.T) {
	s := everything(t, Options{})
	c := s.Config
	if s.Name != "everything" || s.File != "testdata/good/everything.yaml" {
		t.Errorf("got name %q and file %q", s.Name, s.File)
	}
	if c.Target != "http://127.0.0.1:8080/poc" || c.TargetPos.Line != 3 || c.TargetPos.Col != 11 {
		t.Errorf("got target %q at %v", c.Target, c.TargetPos)
	}
	same(t, "aws", c.AWS, AWS{Region: "eu-west-2", Endpoint: "http://127.0.0.1:4566", Stack: "demo", Ledger: "demo-ledger"})
	same(t, "sandbox", c.Sandbox, Sandbox{Speed: 60, Alias: "pinned", KeyCache: 1500 * time.Millisecond,
		RecoveryProbe: 150 * time.Second, LedgerUpdate: time.Hour})
	same(t, "phases", c.Phases, []Phase{
		{Name: "ramp", Duration: 90 * time.Second, From: 0.5, To: 10, MaxUsers: 50, Scenario: -1},
		{Name: "count", Duration: 3 * time.Second, From: 10.0 / 3, To: 10.0 / 3, Scenario: 1},
		{Name: "rest", Duration: 500 * time.Millisecond, Scenario: -1},
		{Name: "flat", Duration: 90 * time.Second, From: 5, To: 5, Scenario: -1},
		{Name: "idle", Duration: 10 * time.Second, Scenario: -1},
	})
	same(t, "http", c.HTTP, HTTP{Timeout: 5 * time.Second, Headers: []Header{
		{Name: "X-Tenant", Value: Template{Source: "{{ tenant }}", Parts: []Part{{Var: "tenant"}}}},
		{Name: "Accept", Value: literal("application/json")},
	}})
	same(t, "variables", c.Variables, []Variable{
		{Name: "speed", Values: []string{"60"}, Typed: []any{int64(60)}},
		{Name: "ledger", Values: []string{"demo-ledger"}, Typed: []any{"demo-ledger"}},
		{Name: "outage", Values: []string{"20s"}, Typed: []any{"20s"}},
		{Name: "tenant", Values: []string{"a", "7", "1.5", "true"}, Typed: []any{"a", int64(7), 1.5, true}},
	})
	same(t, "classify", c.Classify, []ClassRule{
		{Class: result.Throttled, Status: []int{503}, Contains: "slow down"},
		{Class: result.NotFound, Status: []int{404, 410}},
	})
	same(t, "ensure", c.Ensure, []Threshold{
		{Metric: "maxErrorRate", Max: 1, Inclusive: true},
		{Metric: "http.response_time.min", Max: 10, Inclusive: true},
		{Metric: "http.response_time.max", Max: 1000, Inclusive: true},
		{Metric: "http.response_time.median", Max: 20, Inclusive: true},
		{Metric: "http.response_time.p50", Max: 20, Inclusive: true},
		{Metric: "http.response_time.p95", Max: 200, Inclusive: true},
		{Metric: "http.response_time.p99", Max: 250, Inclusive: true},
		{Metric: "http.response_time.p999", Max: 900},
		{Metric: "errors.Timeout", Max: 3},
	})
	if c.Processor != "./functions.js" || c.Drain != 12*time.Second || c.MaxUsers != 200 || c.MaxLateness != 5*time.Millisecond {
		t.Errorf("got processor %q, drain %v, maxVusers %d, maxLateness %v", c.Processor, c.Drain, c.MaxUsers, c.MaxLateness)
	}
}

func TestScenarios(t *testing.T) {
	s := everything(t, Options{Environment: "slow"})
	if len(s.Scenarios) != 2 || s.Scenarios[0].Name != "write" || s.Scenarios[0].Weight != 2.5 || s.Scenarios[1].Weight != 1 {
		t.Fatalf("got %+v", s.Scenarios)
	}
	same(t, "write", s.Scenarios[0].Flow, []Step{
		{Kind: Function, Func: "newRecord"},
		{Kind: Request, Name: "create", Method: "POST", URL: literal("/record"), HasBody: true,
			Headers: []Header{
				{Name: "X-Request", Value: Template{Source: "{{ $randomString(8) }}", Parts: []Part{{Call: "$randomString", Args: []string{"8"}}}}},
				{Name: "Content-Type", Value: literal("application/json")},
			},
			Body: Template{Source: `{"id":{{ id }},"name":"Dr. {{ $lastName() }}"}`, Parts: []Part{
				{Text: `{"id":`}, {Var: "id", Mode: JSONValue}, {Text: `,"name":"Dr. `}, {Call: "$lastName", Mode: JSONString}, {Text: `"}`},
			}},
			Expect: Expect{Status: []int{201, 202}, ContentType: "json", Contains: []Check{
				{Kind: HasHeader, Name: "Etag"},
				{Kind: HeaderEquals, Name: "X-Tenant", Value: Template{Source: "{{ tenant }}", Parts: []Part{{Var: "tenant"}}}},
				{Kind: HasProperty, Name: "record.id"},
				{Kind: MatchesRegexp, Value: literal("Success")},
			}}},
		{Kind: Think, Pause: 500 * time.Millisecond},
		{Kind: Log, Text: Template{Source: "created {{ id }} in {{ $environment }}", Parts: []Part{
			{Text: "created "}, {Var: "id"}, {Text: " in slow"}}}},
	})
	get := Step{Kind: Request, Name: "GET /record/{{ $created() }}", Method: "GET", Expect: Expect{Status: []int{200}},
		URL: Template{Source: "/record/{{ $created() }}", Parts: []Part{{Text: "/record/"}, {Call: "$created"}}}}
	same(t, "read", s.Scenarios[1].Flow, []Step{
		get, get, get,
		{Kind: Request, Name: "PUT {{ target }}/record/1", Method: "PUT", HasBody: true,
			URL:  Template{Source: "{{ target }}/record/1", Parts: []Part{{Var: "target"}, {Text: "/record/1"}}},
			Body: Template{Source: "n={{ $randomNumber(1, 6) }}", Parts: []Part{{Text: "n="}, {Call: "$randomNumber", Args: []string{"1", "6"}}}}},
		{Kind: Request, Name: "PATCH /p", Method: "PATCH", URL: literal("/p")},
		{Kind: Request, Name: "DELETE /d", Method: "DELETE", URL: literal("/d")},
		{Kind: Request, Name: "HEAD /h", Method: "HEAD", URL: literal("/h")},
		{Kind: Request, Name: "OPTIONS https://example.com/o", Method: "OPTIONS", URL: literal("https://example.com/o")},
	})
	if get := everything(t, Options{}).Scenarios[1].Flow[2]; get.Line != 71 {
		t.Errorf("a merged step is at %v, want the line of its mapping, 71", get.Pos)
	}
}

func TestFaults(t *testing.T) {
	s := everything(t, Options{})
	denied := result.AccessDenied
	same(t, "faults", s.Faults, []Fault{
		{Name: "move the alias", Do: RotateAlias, Alias: literal("alias/demo"),
			To: Template{Source: "{{ stack.rotateKeyID }}", Parts: []Part{{Var: "stack.rotateKeyID"}}},
			At: When{Phase: -1, Offset: 10 * time.Second}, For: 20 * time.Second,
			Expect: []Expectation{
				{Scope: Before, Succeed: 0.999, Limits: []Limit{{Quantile: 0.95, Max: 100 * time.Millisecond}}},
				{Scope: During, Succeed: 0.95, Never: []result.Class{result.Timeout, result.KeyDisabled}, Within: 2 * time.Second,
					Limits: []Limit{{Quantile: 0.5, Factor: 1.2}, {Quantile: 0.95, Max: 250 * time.Millisecond},
						{Quantile: 0.99, Max: time.Second}, {Quantile: 0.999, Factor: 20}}},
				{Scope: After, Succeed: 1, Within: 5 * time.Second},
			}},
		{Name: "update-ledger-key {{ ledger }}", Do: UpdateLedgerKey,
			Ledger: Template{Source: "{{ ledger }}", Parts: []Part{{Text: "demo-ledger"}}}, To: literal("other"),
			At: When{Phase: 3, Offset: 5 * time.Second}, For: time.Minute,
			Expect: []Expectation{{Scope: During, Succeed: -1, Fail: &denied, Never: []result.Class{result.Timeout}, Within: 10 * time.Second}}},
		{Name: "disable-key arn:{{ stack.mainKeyID }}", Do: DisableKey,
			Key: Template{Source: "arn:{{ stack.mainKeyID }}", Parts: []Part{{Text: "arn:"}, {Var: "stack.mainKeyID"}}},
			At:  When{Phase: 3}},
	})
	if f := everything(t, Options{}).Faults[0]; f.Line != 79 || f.Col != 5 || f.Expect[1].Line != 87 {
		t.Errorf("the first fault is at %v, its expectation at %v", f.Pos, f.Expect[1].Pos)
	}
}

func TestNotes(t *testing.T) {
	var got []string
	for _, n := range everything(t, Options{Environment: "slow"}).Notes {
		got = append(got, n.Pos.String()[len("testdata/good/"):]+": "+n.Text)
	}
	for _, part := range []string{"replaces the one in config", "weights count as written", "think: 0.5 is 500ms"} {
		if n := strings.Count(strings.Join(got, "\n"), part); n != 1 {
			t.Errorf("%q was noted %d times, want once, in\n%s", part, n, strings.Join(got, "\n"))
		}
	}
}

func TestOptions(t *testing.T) {
	s := everything(t, Options{Environment: "slow", Target: "sandbox", Variables: map[string]string{"outage": "7.5", "id": "5"}})
	c := s.Config
	if c.Target != "sandbox" {
		t.Errorf("got target %q, want that of the command line", c.Target)
	}
	if len(c.Phases) != 1 || c.Phases[0].Duration != 1000*time.Second {
		t.Errorf("got phases %+v, want those of the environment", c.Phases)
	}
	if c.Sandbox.Speed != 1 || c.Sandbox.Alias != "pinned" {
		t.Errorf("got sandbox %+v, want the environment merged over it", c.Sandbox)
	}
	if got, want := s.Faults[0].For, 7500*time.Millisecond; got != want {
		t.Errorf("got for %v, want that of the command line, %v", got, want)
	}
	last := c.Variables[len(c.Variables)-1]
	if last.Name != "id" || last.Typed[0] != int64(5) {
		t.Errorf("got %+v, want the new variable", last)
	}
}

// TestOptionsProblems checks what the command line can get wrong.
func TestOptionsProblems(t *testing.T) {
	const src = "config:\n  target: sandbox\n  variables: {outage: 5s}\n  environments: {article: {}}\n" +
		"scenarios:\n  - flow: [{think: \"{{ outage }}\"}]\n"
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"fine", Options{Environment: "article", Target: "https://example.com", Variables: map[string]string{"outage": "1"}}, ""},
		{"environment", Options{Environment: "artcle"},
			"x.yaml:4:3: -e names an unknown environment, \"artcle\"\n    4 |   environments: {article: {}}\n      |   ^^^^^^^^^^^^\n      = did you mean \"article\"?\n"},
		{"target", Options{Target: "example.com"},
			"--target: \"example.com\" is neither sandbox nor a URL\n      = write sandbox, http://… or https://…\n"},
		{"variable", Options{Variables: map[string]string{"outge": "1"}},
			"-v: the script has no variable \"outge\"\n      = did you mean \"outage\"?\n"},
		{"value", Options{Variables: map[string]string{"outage": "soon"}},
			"x.yaml:6:20: \"soon\" (from \"{{ outage }}\") is not a duration\n    6 |   - flow: [{think: \"{{ outage }}\"}]\n" +
				"      |                    ^^^^^^^^^^^^^^\n      = write a number of seconds, or one with a unit: 90s, 2m30s, 500ms\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("x.yaml", []byte(src), c.o)
			var problems *Problems
			got := ""
			if errors.As(err, &problems) {
				got = problems.Explain()
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
	_, err := Parse("x.yaml", []byte("config: {}\nscenarios: [{flow: [{think: 1}]}]\n"), Options{Environment: "fast"})
	if err == nil || !strings.Contains(err.Error(), "no environments") {
		t.Errorf("got %v, want that there are no environments", err)
	}
}

// TestArrivalCount checks that no rounding adds an arrival, or loses one.
func TestArrivalCount(t *testing.T) {
	for count := 1; count < 3000; count += 7 {
		for _, seconds := range []float64{0.1, 0.3, 1, 3, 7, 49, 150, 300} {
			d := phaseDraft{Phase: Phase{Duration: time.Duration(seconds * 1e9)}, count: count}
			p := newParser("x", nil, Options{})
			p.finishPhase(nil, set{"duration": {}, "arrivalCount": {}}, &d)
			if area := d.From * d.Duration.Seconds(); area > float64(count) || math.Ceil(area) != float64(count) {
				t.Fatalf("%d arrivals in %v s: the area is %v", count, seconds, area)
			}
		}
	}
}

func TestDurations(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"90", 90 * time.Second, true},
		{" 1.5 ", 1500 * time.Millisecond, true},
		{"010", 10 * time.Second, true},
		{"1e1", 10 * time.Second, true},
		{"500ms", 500 * time.Millisecond, true},
		{"2m30s", 150 * time.Second, true},
		{"2m 30s", 150 * time.Second, true},
		{"2days", 48 * time.Hour, true},
		{"1.5 Hours", 90 * time.Minute, true},
		{".5s", 500 * time.Millisecond, true},
		{"10µs", 10 * time.Microsecond, true},
		{"", 0, false},
		{"s", 0, false},
		{"5 parsecs", 0, false},
		{"-5s", 0, false},
		{"-5", 0, false},
		{"5s5", 0, false},
		{"0x10", 0, false},
		{"inf", 0, false},
		{"1_000", 0, false},
		{"1e999", 0, false},
		{"99999999999999999999s", 10 * year, true}, // callers say that it is too long
	} {
		if got, ok := parseDuration(c.text); got != c.want || ok != c.ok {
			t.Errorf("parseDuration(%q) = %v, %v; want %v, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

func TestDefaults(t *testing.T) {
	s := mustParse(t, "dir/x.yml", "config: {target: sandbox}\nscenarios: [{flow: [{get: {url: /a}}]}]\n", Options{})
	c := s.Config
	if s.Name != "x" || c.Drain != 30*time.Second || c.MaxUsers != 10_000 || c.MaxLateness != 10*time.Millisecond || c.HTTP.Timeout != 10*time.Second {
		t.Errorf("got %q %+v", s.Name, c)
	}
	same(t, "phases", c.Phases, []Phase{{Duration: time.Second, From: 1, To: 1, Scenario: -1}})
	if len(s.Notes) != 1 {
		t.Errorf("got notes %v, want one about the missing phases", s.Notes)
	}
	if sc := s.Scenarios[0]; sc.Name != "" || sc.Weight != 1 || sc.Flow[0].HasBody || sc.Flow[0].Name != "GET /a" {
		t.Errorf("got %+v", sc)
	}
}

// TestArtillery parses the article's own two scripts.
func TestArtillery(t *testing.T) {
	files, err := filepath.Glob("testdata/artillery/*.yml")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		s, err := Load(file, Options{Target: "sandbox"})
		if err != nil {
			t.Error(err)
			continue
		}
		if len(s.Notes) > 0 || s.Config.Processor == "" || s.Config.Phases[0].From*s.Config.Phases[0].Duration.Seconds() != 1500 {
			t.Errorf("%s: got notes %v and %+v", file, s.Notes, s.Config)
		}
	}
	s, err := Load(files[0], Options{})
	if err != nil {
		t.Fatal(err)
	}
	body := s.Scenarios[0].Flow[1].Body
	if got, want := body.Source, `{"id":{{ id }},"firstName":{{ firstName }},"lastName":{{ lastName }},`+
		`"email":{{ email }},"street":{{ street }},"postcode":{{ postcode }}}`; got != want {
		t.Errorf("got body\n%s\nwant\n%s", got, want)
	}
}

// TestManyAliases checks that a script made to blow up is refused soon.
func TestManyAliases(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 {think: 1}\n")
	for i := 1; i < 60; i++ {
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll("aN: &aN [*aM, *aM, *aM]\n", "N", string(rune('A'+i))), "M",
			map[bool]string{true: "0", false: string(rune('A' + i - 1))}[i == 1]))
	}
	began := time.Now()
	if _, err := Parse("x.yaml", []byte(b.String()), Options{}); err == nil {
		t.Error("got no problem")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestLargeFile(t *testing.T) {
	_, err := Parse("x.yaml", make([]byte, largest+1), Options{})
	if err == nil || err.Error() != "x.yaml: the file is larger than 4 MiB" {
		t.Errorf("got %v", err)
	}
}
