package scenarios

import (
	"os"
	"strings"
	"testing"
	"time"
)

func flows(t testing.TB) *Script {
	t.Helper()
	const file = "testdata/good/flows.yaml"
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, file, string(src), Options{})
}

// oneHole makes a template that is one hole.
func oneHole(source, name string) Template {
	return Template{Source: source, Parts: []Part{{Var: name}}}
}

func TestAsideFlows(t *testing.T) {
	s := flows(t)
	same(t, "before", s.Before, []Step{{Kind: Request, Name: "POST /login", Method: "POST", URL: literal("/login"),
		Capture: []Capture{{Expr: literal("$.token"), As: "token", Strict: true}}}})
	same(t, "after", s.After, []Step{{Kind: Request, Name: "DELETE /{{ token }}", Method: "DELETE",
		URL: Template{Source: "/{{ token }}", Parts: []Part{{Text: "/"}, {Var: "token"}}}}})
}

func TestScenarioKeys(t *testing.T) {
	own := flows(t).Scenarios[0]
	same(t, "phases", own.Phases, []Phase{
		{Name: "burst", Duration: 10 * time.Second, Every: 5 * time.Second, Burst: 2},
		{Duration: 5 * time.Second, From: 1, To: 1, Poisson: true},
	})
	for _, c := range []struct {
		name string
		got  []Func
		want []Func
	}{
		{"beforeScenario", own.BeforeScenario, []Func{{Name: "prepare"}}},
		{"beforeRequest", own.BeforeRequest, []Func{{Name: "sign"}, {Name: "count"}}},
		{"afterResponse", own.AfterResponse, []Func{{Name: "look"}}},
		{"afterScenario", own.AfterScenario, []Func{{Name: "finish"}}},
		{"onError", own.OnError, []Func{{Name: "report"}}},
	} {
		same(t, c.name, c.got, c.want)
	}
}

func TestRequestKeys(t *testing.T) {
	flow := flows(t).Scenarios[1].Flow
	form := func(name string) Part { return Part{Var: name, Mode: FormString} }
	same(t, "post", flow[0], Step{Kind: Request, Name: "POST /a?x={{ name }}#top", Method: "POST",
		URL: Template{Source: "/a?x={{ name }}&q+{{ n }}={{ city }}%26&r=true", Parts: []Part{
			{Text: "/a?x="}, {Var: "name"}, {Text: "&q+"}, form("n"), {Text: "="}, form("city"), {Text: "%26&r=true"}}},
		HasBody: true,
		Body: Template{Source: "a+b=c+d&who={{ name }}&list=1&list={{ n }}", Parts: []Part{
			{Text: "a+b=c+d&who="}, form("name"), {Text: "&list=1&list="}, form("n")}},
		Headers: []Header{{Name: "Content-Type", Value: literal("application/x-www-form-urlencoded")}},
		Cookies: []Field{{Name: "theme", Value: literal("dark")}, {Name: "who", Value: oneHole("{{ name }}", "name")}},
		Auth:    &Auth{User: oneHole("{{ name }}", "name"), Password: oneHole("{{ secret }}", "secret")},
		Stay:    true, Gzip: true, Skip: 0.75, If: "city == 'Bath' and n > 2",
		Before: []Func{{Name: "sign"}}, After: []Func{{Name: "look"}},
		Capture: []Capture{
			{Expr: literal("$.items[*].id"), Multiple: true, As: "items"},
			{Expr: literal("$.id"), As: "id"},
			{From: XPath, Expr: literal("//a/@href"), Index: "last", As: "link"},
			{From: Regexp, Expr: literal("id=(?<id>[0-9]+)"), Group: "id", Flags: "i", As: "number"},
			{From: HeaderValue, Expr: Template{Source: "x-next", Parts: []Part{{Text: "X-Next"}}}, As: "next", Strict: true},
			{From: Selector, Expr: Template{Source: "input[name={{ city }}]", Parts: []Part{{Text: "input[name="}, {Var: "city"}, {Text: "]"}}},
				Attr: "value", Index: "0", As: "csrf"},
		},
		Match: []Match{{Capture: Capture{Expr: literal("$.n")}, Value: oneHole("{{ n }}", "n")}},
		Expect: Expect{NotStatus: []int{500, 503}, Contains: []Check{
			{Kind: LacksProperty, Name: "error"},
			{Kind: AllEqual, Values: []Template{oneHole("{{ n }}", "n"), literal("3")}},
			{Kind: FromCache},
			{Kind: JMESPath, Name: "length(items) > `0`"},
			{Kind: JMESPath, Name: "id", Value: oneHole("{{ n }}", "n")},
			{Kind: MatchesRegexp, Value: literal("a(?=b)")},
		}},
	})
	same(t, "put", flow[1].Form, []FormPart{
		{Name: "plain", Value: oneHole("{{ name }}", "name")},
		{Name: "file", File: "users.csv", ContentType: "text/csv"},
		{Name: "value", Value: oneHole("{{ id }}", "id"), ContentType: "application/json"},
		{Name: "many", Value: literal("1")}, {Name: "many", Value: literal("2")},
	})
}

func TestLoops(t *testing.T) {
	flow := flows(t).Scenarios[1].Flow
	loop := func(l LoopStep) LoopStep {
		if l.Value == "" {
			l.Value = "$loopCount"
		}
		if l.Element == "" {
			l.Element = "$loopElement"
		}
		return l
	}
	for _, c := range []struct {
		name string
		at   int
		want LoopStep
	}{
		{"over a variable", 2, LoopStep{OverVar: "items"}},
		{"over a list", 3, LoopStep{Over: []any{int64(1), "text", 2.5, true, nil, []any{"a", int64(3)},
			map[string]any{"k": []any{int64(1)}}}, Value: "i", Element: "e"}},
		{"from and to, while", 4, LoopStep{Count: true, From: 2, To: 5, While: Func{Name: "more"}}},
		{"count with a hole", 5, LoopStep{CountText: Template{Source: "1-{{ n }}", Parts: []Part{{Text: "1-"}, {Var: "n"}}}}},
		{"over beats count", 6, LoopStep{OverVar: "table"}},
	} {
		same(t, c.name, *flow[c.at].Loop, loop(c.want))
	}
	over := flow[2].Steps
	if len(over) != 3 || over[1].Pause != 2*time.Second || over[2].PauseText.Source != "{{ $randomNumber(1, 2) }}s" {
		t.Errorf("got %+v, want the lists in a loop to be flattened, and pauses that are known", over)
	}
	if url := over[0].URL.Parts[1]; url.Var != "$loopElement.id" {
		t.Errorf("got %+v", url)
	}
	side := flow[3].Steps[0]
	if side.Kind != Parallel || side.Limit != 2 || len(side.Steps) != 2 {
		t.Fatalf("got %+v", side)
	}
	if got := side.Steps[0].URL.Parts[3].Var; got != "e.k.0" {
		t.Errorf("got %q, want a path with dots only", got)
	}
}

func TestCalls(t *testing.T) {
	flow := flows(t).Scenarios[1].Flow
	var got []string
	for _, p := range flow[len(flow)-1].Text.Parts {
		if p.Call != "" || p.Var != "" {
			got = append(got, p.Call+p.Var+"("+strings.Join(p.Args, ",")+")")
		}
	}
	want := "$template(items.0) $uuid() $personFullName() $internetEmail() table.0.name()"
	if strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, " "), want)
	}
}

// TestFlowNotes checks that everything that is done saner than in Artillery is said, once.
func TestFlowNotes(t *testing.T) {
	notes := func(flow string) string {
		src := "config: {target: sandbox, phases: [{duration: 1, arrivalRate: 1}], processor: f.js}\nscenarios: [{flow: [" + flow + "]}]\n"
		var all []string
		for _, n := range mustParse(t, "x.yaml", src, Options{}).Notes {
			all = append(all, n.Text)
		}
		return strings.Join(all, "\n")
	}
	for _, c := range []struct{ name, flow, want string }{
		{"nothing", "{get: {url: /a, probability: 50, qs: {a: b}}}, {loop: [{think: 1}], count: 2}", ""},
		{"probability", "{get: {url: /a, probability: 100}}", "probability: 100 is always; in Artillery, it is 99 times out of 100"},
		{"query", "{get: {url: '/a?b', qs: {c: d}}}", "qs is added to the query the URL has; Artillery replaces that query"},
		{"query of a fragment", "{get: {url: '/a#b?', qs: {c: d}}}", ""},
		{"list in a query", "{get: {url: /a, qs: {c: [d, e]}}}", "a list in qs sends its name once for each value; Artillery sends one text with commas"},
		{"list in a form", "{post: {url: /a, form: {c: [d, e]}}}", "a list in form sends its name once for each value; Artillery sends one text with commas"},
		{"no passes", "{loop: [{think: 1}], count: 0}", "count: 0 has no passes; in Artillery, such a loop never ends"},
		{"element of a count", "{loop: [{log: '{{ $loopElement }}'}], count: 2}",
			"$loopElement counts with $loopCount in a loop without over; in Artillery it stays what it is at first"},
		{"over and count", "{loop: [{log: '{{ $loopElement }}'}], count: 2, over: [1]}",
			"over decides how many passes there are, and count does not, as in Artillery"},
		{"match", "{get: {url: /a, match: {json: $.a, value: 1}}}", "match is deprecated in Artillery; expect says what was not as expected"},
		{"multiple", "{get: {url: /a, capture: {json: $.a, multiple: true, as: a}}}",
			"multiple: true takes one of several results, as in Artillery; multiple: false takes all of them"},
		{"once", "{get: {url: /a, probability: 100}}, {get: {url: /b, probability: 100}}",
			"probability: 100 is always; in Artillery, it is 99 times out of 100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := notes(c.flow); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestQuery checks where names and values are put into a URL.
func TestQuery(t *testing.T) {
	for _, c := range []struct{ name, url, want string }{
		{"none", "/a", "/a?q=1"},
		{"one", "/a?b=c", "/a?b=c&q=1"},
		{"empty", "/a?", "/a?q=1"},
		{"open", "/a?b&", "/a?b&q=1"},
		{"fragment", "/a#b?c", "/a?q=1"},
		{"query and fragment", "/a?b#c", "/a?b&q=1"},
		{"holes", "/{{ target }}?{{ target }}", "/{{ target }}?{{ target }}&q=1"},
		{"all a hole", "{{ target }}", "{{ target }}?q=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := "config: {target: sandbox}\nscenarios: [{flow: [{get: {url: '" + c.url + "', qs: {q: 1}}}]}]\n"
			s := mustParse(t, "x.yaml", src, Options{}).Scenarios[0].Flow[0]
			if got := written(s.URL.Parts); got != c.want || s.URL.Source != c.want {
				t.Errorf("got %s, written as %s, want %s", got, s.URL.Source, c.want)
			}
			if want := "GET " + c.url; s.Name != want {
				t.Errorf("got name %q, want %q", s.Name, want)
			}
		})
	}
}

// TestMultiple checks which JSONPaths may have several results.
func TestMultiple(t *testing.T) {
	for path, want := range map[string]bool{
		"$.a": false, "$.a.b[0]": false, "$['a.*.b']": false, "$['a:b']": false, "$['a,b']": false, "$[-1]": false,
		"$.a[*]": true, "$..a": true, "$.a[?(@.b)]": true, "$.a[0,1]": true, "$.a[1:]": true, "$['a','b']": true, "$.*": true,
	} {
		if got := hasSeveral(path); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

// TestOwnPhases checks that a script whose scenarios all have phases of their own needs no others.
func TestOwnPhases(t *testing.T) {
	s := mustParse(t, "x.yaml", "config: {target: sandbox}\nscenarios:\n"+
		"  - {phases: [{duration: 5, arrivalRate: 1}], flow: [{think: 1}]}\n"+
		"  - {phases: [{pause: 2}, {duration: 7, arrivalRate: 1}], flow: [{think: 1}]}\n"+
		"faults:\n  - {do: disable-key, key: k, at: 8}\n", Options{})
	if len(s.Config.Phases) != 0 || len(s.Notes) != 0 {
		t.Errorf("got phases %+v and notes %v, want none", s.Config.Phases, s.Notes)
	}
	if got, want := s.lasts(), 9*time.Second; got != want {
		t.Errorf("the schedule lasts %v, want %v", got, want)
	}
}
