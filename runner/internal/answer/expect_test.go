package answer

import (
	"testing"

	"loadkms/scenarios"
)

func TestStatus(t *testing.T) {
	tests := []struct {
		name   string
		expect scenarios.Expect
		good   []int
		bad    []int
	}{
		{"nothing said", scenarios.Expect{}, []int{200, 204, 301, 399}, []int{100, 199, 400, 404, 500}},
		{"these", scenarios.Expect{Status: []int{201, 404}}, []int{201, 404}, []int{200, 500}},
		{"not these", scenarios.Expect{NotStatus: []int{200, 500}}, []int{201, 404, 503}, []int{200, 500}},
		{"these but not those", scenarios.Expect{Status: []int{200, 201}, NotStatus: []int{201}}, []int{200}, []int{201, 202}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x, err := CompileExpect(test.expect)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range test.good {
				if !x.Status(s) || !x.Holds(s, document(""), nil) {
					t.Errorf("status %d is bad, want good", s)
				}
			}
			for _, s := range test.bad {
				if x.Status(s) || x.Holds(s, document(""), nil) {
					t.Errorf("status %d is good, want bad", s)
				}
			}
			if x.Body() {
				t.Error("the body is wanted, want not")
			}
		})
	}
}

func TestExpect(t *testing.T) {
	const (
		json = "Content-Type: application/json; charset=utf-8"
		hal  = "content-type: application/hal+JSON"
		html = "Content-Type: Text/HTML ;charset=utf-8"
	)
	check := func(c scenarios.Check) scenarios.Expect { return scenarios.Expect{Contains: []scenarios.Check{c}} }
	property := func(path string) scenarios.Expect {
		return check(scenarios.Check{Kind: scenarios.HasProperty, Name: path})
	}
	lacks := func(path string) scenarios.Expect {
		return check(scenarios.Check{Kind: scenarios.LacksProperty, Name: path})
	}
	query := func(expr string, value scenarios.Template) scenarios.Expect {
		return check(scenarios.Check{Kind: scenarios.JMESPath, Name: expr, Value: value})
	}
	cached := func(want bool) scenarios.Expect {
		return check(scenarios.Check{Kind: scenarios.FromCache, Cached: want})
	}
	tests := []struct {
		name   string
		expect scenarios.Expect
		body   string
		head   []string
		failed string
	}{
		{"JSON", scenarios.Expect{ContentType: "json"}, "{}", []string{json}, ""},
		{"JSON by suffix", scenarios.Expect{ContentType: "JSON"}, "[]", []string{hal}, ""},
		{"JSON only by name", scenarios.Expect{ContentType: "json"}, "{", []string{json}, "contentType"},
		{"JSON only by nature", scenarios.Expect{ContentType: "json"}, "{}", []string{html}, "contentType"},
		{"no content type", scenarios.Expect{ContentType: "json"}, "{}", nil, "contentType"},
		{"media type", scenarios.Expect{ContentType: "text/html"}, "", []string{html}, ""},
		{"media type with parameters", scenarios.Expect{ContentType: "application/json; charset=UTF-8"}, "", []string{json}, ""},
		{"other parameters", scenarios.Expect{ContentType: "application/json; charset=latin1"}, "", []string{json}, "contentType"},
		{"other media type", scenarios.Expect{ContentType: "text/plain"}, "", []string{html}, "contentType"},

		{"header", check(scenarios.Check{Kind: scenarios.HasHeader, Name: "Etag"}), "", []string{"ETag: x"}, ""},
		{"no header", check(scenarios.Check{Kind: scenarios.HasHeader, Name: "Etag"}), "", []string{json}, "hasHeader Etag"},
		{"header equals", check(scenarios.Check{Kind: scenarios.HeaderEquals, Name: "Etag", Value: fixed("x")}), "", []string{"etag: y", "etag: x"}, ""},
		{"header differs", check(scenarios.Check{Kind: scenarios.HeaderEquals, Name: "Etag", Value: fixed("x")}), "", []string{"etag: X"}, "headerEquals Etag"},
		{"header equals variable", check(scenarios.Check{Kind: scenarios.HeaderEquals, Name: "Etag", Value: open("v")}), "", []string{"etag: value"}, ""},
		{"header without variable", check(scenarios.Check{Kind: scenarios.HeaderEquals, Name: "Etag", Value: open("nope")}), "", []string{"etag: "}, "headerEquals Etag"},

		{"property", property("store.book[1].t"), shop, nil, ""},
		{"property by dots", property("store.book.1.t"), shop, nil, ""},
		{"property in quotes", property(`store["book"][0]['t']`), shop, nil, ""},
		{"property at the root", property("[1].a"), `[0, {"a": 1}]`, nil, ""},
		{"property that is null", property("no"), shop, nil, ""},
		{"property with a dot", property("a.b"), shop, nil, ""},
		{"property of no list", property("store.book[3]"), shop, nil, "hasProperty store.book[3]"},
		{"property of a list", property("store.book.t"), shop, nil, "hasProperty store.book.t"},
		{"property of a text", property("id.x"), shop, nil, "hasProperty id.x"},
		{"property length", property("store.book.length"), shop, nil, ""},
		{"property length of a mapping", property("store.length"), shop, nil, "hasProperty store.length"},
		{"property like an index", property("store.book.01"), shop, nil, "hasProperty store.book.01"},
		{"property of no JSON", property("a"), `{"a": 1`, nil, "hasProperty a"},
		{"no property", lacks("store.car"), shop, nil, ""},
		{"no property but there is", lacks("store.o.a"), shop, nil, "notHasProperty store.o.a"},
		{"no property of no JSON", lacks("a"), "", nil, "notHasProperty a"},

		{"regexp", check(scenarios.Check{Kind: scenarios.MatchesRegexp, Value: fixed(`"r-\d+"`)}), shop, nil, ""},
		{"regexp that is empty", check(scenarios.Check{Kind: scenarios.MatchesRegexp, Value: fixed(`x*`)}), shop, nil, ""},
		{"no regexp", check(scenarios.Check{Kind: scenarios.MatchesRegexp, Value: fixed(`^r-`)}), shop, nil, "matchesRegexp ^r-"},
		{"regexp looks ahead", check(scenarios.Check{Kind: scenarios.MatchesRegexp, Value: fixed(`r-(?!18)`)}), shop, nil, ""},
		{"regexp of a variable", check(scenarios.Check{Kind: scenarios.MatchesRegexp, Value: open("v")}), "a value", nil, ""},
		{"regexp without variable", check(scenarios.Check{Kind: scenarios.MatchesRegexp, Value: open("nope")}), "", nil, "matchesRegexp {{ nope }}"},
		{"regexp of a variable that is none", check(scenarios.Check{Kind: scenarios.MatchesRegexp, Value: open("wrong")}), "(", nil, "matchesRegexp {{ wrong }}"},

		{"equal", check(scenarios.Check{Kind: scenarios.AllEqual, Values: []scenarios.Template{open("v"), fixed("value")}}), "", nil, ""},
		{"not equal", check(scenarios.Check{Kind: scenarios.AllEqual, Values: []scenarios.Template{open("v"), fixed("value"), fixed("w")}}), "", nil, "equals"},
		{"equal to nothing", check(scenarios.Check{Kind: scenarios.AllEqual, Values: []scenarios.Template{open("nope"), open("nope")}}), "", nil, "equals"},

		{"cached", cached(true), "", []string{"X-Cache: Hit from cloudfront"}, ""},
		{"cached by Cloudflare", cached(true), "", []string{"cf-cache-status: HIT"}, ""},
		{"cached at one place of two", cached(true), "", []string{"X-Cache: MISS, HIT"}, ""},
		{"not cached", cached(true), "", []string{"X-Cache: MISS"}, "cdnHit"},
		{"no cache", cached(true), "", nil, "cdnHit"},
		{"not cached as wanted", cached(false), "", []string{"X-Cache: MISS"}, ""},
		{"cached against the will", cached(false), "", []string{"X-Cache: HIT"}, "cdnHit"},

		{"query", query("store.book[?price > `9`].t | [0]", fixed("y")), shop, nil, ""},
		{"query of a number", query("length(store.book)", fixed("3")), shop, nil, ""},
		{"query of a list", query("store.book[].t", fixed(`["x","y","z"]`)), shop, nil, ""},
		{"query of a variable", query("a", open("v")), `{"a": "value"}`, nil, ""},
		{"query differs", query("id", fixed("r-18")), shop, nil, "jmespath id"},
		{"query yields something", query("store.o", scenarios.Template{}), shop, nil, ""},
		{"query yields nothing", query("nope", scenarios.Template{}), shop, nil, "jmespath nope"},
		{"query yields an empty list", query("store.book[?price > `99`]", scenarios.Template{}), shop, nil, "jmespath store.book[?price > `99`]"},
		{"query is not for this body", query("length(yes)", scenarios.Template{}), shop, nil, "jmespath length(yes)"},
		{"query of no JSON", query("a", scenarios.Template{}), "", nil, "jmespath a"},
	}
	render := func(t *scenarios.Template) (string, bool) {
		text, ok := map[string]string{"v": "value", "wrong": "("}[t.Parts[0].Var]
		return text, ok
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x, err := CompileExpect(test.expect)
			if err != nil {
				t.Fatal(err)
			}
			d := document(test.body, test.head...)
			if got := x.Failed(200, d, render); got != test.failed {
				t.Errorf("failed %q, want %q", got, test.failed)
			}
			if got, want := x.Holds(200, d, render), test.failed == ""; got != want {
				t.Errorf("holds %v, want %v", got, want)
			}
			if !x.Body() && test.body != "" {
				t.Error("the body is not wanted, want it")
			}
		})
	}
}

// TestWrong says what is wrong with an expression, in words a script's author understands.
func TestWrong(t *testing.T) {
	captures := []struct {
		name    string
		capture scenarios.Capture
		want    string
	}{
		{"JSONPath empty", scenarios.Capture{Expr: fixed(" ")}, `" " is not a JSONPath: it is empty`},
		{"JSONPath ends", scenarios.Capture{Expr: fixed("$.a.")}, `"$.a." is not a JSONPath: it ends too early`},
		{"JSONPath bracket", scenarios.Capture{Expr: fixed("$.a[0")}, `"$.a[0" is not a JSONPath: a bracket is not closed`},
		{"JSONPath nothing in brackets", scenarios.Capture{Expr: fixed("$.a[]")}, `"$.a[]" is not a JSONPath: nothing stands in brackets`},
		{"JSONPath parent", scenarios.Capture{Expr: fixed("$.a^")}, `"$.a^" is not a JSONPath: "a^" of JSONPath-plus is not supported`},
		{"JSONPath type", scenarios.Capture{Expr: fixed("$.a@string()")}, `"$.a@string()" is not a JSONPath: "a@string()" of JSONPath-plus is not supported`},
		{"JSONPath script", scenarios.Capture{Expr: fixed("$.a[(@.x+1)]")},
			`"$.a[(@.x+1)]" is not a JSONPath: "(@.x+1)" would be JavaScript; of it, only (@.length-1) and its like are supported`},
		{"JSONPath property", scenarios.Capture{Expr: fixed("$.a[?(@property === 'b')]")},
			`"$.a[?(@property === 'b')]" is not a JSONPath: "@property === 'b')" in a filter is not supported`},
		{"JSONPath arithmetic", scenarios.Capture{Expr: fixed("$.a[?(@.b*2 > 4)]")}, `"$.a[?(@.b*2 > 4)]" is not a JSONPath: expected ')' but found '*'`},
		{"regexp", scenarios.Capture{From: scenarios.Regexp, Expr: fixed("a(")}, `"a(" is not a regular expression: missing closing ) in ` + "`a(`"},
		{"regexp group", scenarios.Capture{From: scenarios.Regexp, Expr: fixed("a(b)"), Group: "2"}, `the regular expression "a(b)" has no group "2"`},
		{"regexp named group", scenarios.Capture{From: scenarios.Regexp, Expr: fixed("(?=a)(b)"), Group: "x"}, `the regular expression "(?=a)(b)" has no group "x"`},
		{"regexp flag", scenarios.Capture{From: scenarios.Regexp, Expr: fixed("a"), Flags: "ix"}, `unknown flag 'x' of a regular expression: they are d, g, i, m, s, u, v and y`},
		{"XPath", scenarios.Capture{From: scenarios.XPath, Expr: fixed("//a[")}, `"//a[" is not an XPath: expression must evaluate to a node-set`},
		{"XPath function", scenarios.Capture{From: scenarios.XPath, Expr: fixed("nope(//a)")}, `"nope(//a)" is not an XPath: not yet support this function nope()`},
		{"selector", scenarios.Capture{From: scenarios.Selector, Expr: fixed("a:eq(1)")}, `"a:eq(1)" is not a CSS selector: unknown pseudoclass or pseudoelement :eq`},
		{"index", scenarios.Capture{From: scenarios.Selector, Expr: fixed("a"), Index: "2nd"}, `index must be a number from 0, "first", "last" or "random", not "2nd"`},
	}
	for _, test := range captures {
		t.Run(test.name, func(t *testing.T) {
			_, err := Compile(test.capture)
			if err == nil {
				t.Fatal("no error")
			}
			if err.Error() != test.want {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
		})
	}
	checks := []struct {
		name  string
		check scenarios.Check
		want  string
	}{
		{"regexp", scenarios.Check{Kind: scenarios.MatchesRegexp, Value: fixed("a(")}, `"a(" is not a regular expression: missing closing ) in ` + "`a(`"},
		{"JMESPath", scenarios.Check{Kind: scenarios.JMESPath, Name: "a["}, `"a[" is not a JMESPath expression: SyntaxError: Expected tStar, received: tEOF`},
	}
	for _, test := range checks {
		t.Run("check "+test.name, func(t *testing.T) {
			_, err := CompileExpect(scenarios.Expect{Contains: []scenarios.Check{test.check}})
			if err == nil {
				t.Fatal("no error")
			}
			if err.Error() != test.want {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
		})
	}
}
