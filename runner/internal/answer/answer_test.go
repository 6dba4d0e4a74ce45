package answer

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"loadkms/runner/internal/client"
	"loadkms/scenarios"
)

// fixed returns a template without holes.
func fixed(text string) scenarios.Template {
	return scenarios.Template{Source: text, Parts: []scenarios.Part{{Text: text}}}
}

// open returns a template that is one hole.
func open(name string) scenarios.Template {
	return scenarios.Template{Source: "{{ " + name + " }}", Parts: []scenarios.Part{{Var: name}}}
}

// document returns a document of a body, with header lines.
func document(body string, head ...string) *Document {
	r := &client.Response{Status: 200, Body: []byte(body), Size: uint64(len(body))}
	for _, line := range head {
		r.Head = append(append(r.Head, line...), "\r\n"...)
	}
	d := new(Document)
	d.Reset(r, r.Body)
	return d
}

func dice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

const shop = `{
  "id": "r-17", "n": 9007199254740993, "big": 123456789012345678901234567890, "f": 1.50, "yes": true, "no": null,
  "empty": "", "esc": "a\"b\\c\u00e9\n", "a-b": 1, "a.b": "dotted", "$x": 4, "0": "zero", "é": 5, "": "nameless",
  "store": {
    "book": [
      {"price": 8, "t": "x", "isbn": 1, "on": true, "tags": ["p", "q"]},
      {"price": 12, "t": "y", "on": false, "tags": []},
      {"price": 9.5, "t": "z", "on": null}
    ],
    "o": {"z": 1, "a": 2, "m": 3}
  }
}`

func TestFind(t *testing.T) {
	const page = `<!DOCTYPE html><html><body><h1 class="a">Hi <b>you</b></h1>
		<a class="l" href="/1">one</a><a class="l" href="/2">two</a><a class="l" href="/3">three</a><p></p></body></html>`
	const feed = `<?xml version="1.0"?><f:feed xmlns:f="urn:f"><f:entry id="7">seven</f:entry><entry id="8">eight</entry>` +
		`<entry>nine &amp; <![CDATA[<ten>]]></entry></f:feed>`
	tests := []struct {
		name    string
		capture scenarios.Capture
		body    string
		head    []string
		want    Value
		none    bool
	}{
		{name: "JSON text", capture: scenarios.Capture{Expr: fixed("$.id")}, want: Value{"r-17", `"r-17"`, "r-17"}},
		{name: "JSON without dollar", capture: scenarios.Capture{Expr: fixed("id")}, want: Value{"r-17", `"r-17"`, "r-17"}},
		{name: "JSON number beyond float64's whole ones", capture: scenarios.Capture{Expr: fixed("$.n")},
			want: Value{"9007199254740993", "9007199254740993", int64(9007199254740993)}},
		{name: "JSON number as written", capture: scenarios.Capture{Expr: fixed("$.f")}, want: Value{"1.50", "1.50", 1.5}},
		{name: "JSON true", capture: scenarios.Capture{Expr: fixed("$.yes")}, want: Value{"true", "true", true}},
		{name: "JSON null is something", capture: scenarios.Capture{Expr: fixed("$.no")}, want: Value{"null", "null", nil}},
		{name: "JSON empty text is nothing", capture: scenarios.Capture{Expr: fixed("$.empty")}, none: true},
		{name: "JSON nothing there", capture: scenarios.Capture{Expr: fixed("$.nope.id")}, none: true},
		{name: "JSON escapes", capture: scenarios.Capture{Expr: fixed("$.esc")}, want: Value{"a\"b\\cé\n", `"a\"b\\cé\n"`, "a\"b\\cé\n"}},
		{name: "JSON name with hyphen", capture: scenarios.Capture{Expr: fixed("$.a-b")}, want: Value{"1", "1", int64(1)}},
		{name: "JSON quoted name", capture: scenarios.Capture{Expr: fixed("$['a.b']")}, want: Value{"dotted", `"dotted"`, "dotted"}},
		{name: "JSON name in brackets", capture: scenarios.Capture{Expr: fixed("$[store][book][0][t]")}, want: Value{"x", `"x"`, "x"}},
		{name: "JSON name with dollar", capture: scenarios.Capture{Expr: fixed("$.$x")}, want: Value{"4", "4", int64(4)}},
		{name: "JSON name beyond ASCII", capture: scenarios.Capture{Expr: fixed("$.é")}, want: Value{"5", "5", int64(5)}},
		{name: "JSON name without letters", capture: scenarios.Capture{Expr: fixed("$['']")}, want: Value{"nameless", `"nameless"`, "nameless"}},
		{name: "JSON name that is a number", capture: scenarios.Capture{Expr: fixed("$.0")}, want: Value{"zero", `"zero"`, "zero"}},
		{name: "JSON index after a dot", capture: scenarios.Capture{Expr: fixed("$.store.book.1.t")}, want: Value{"y", `"y"`, "y"}},
		{name: "JSON last", capture: scenarios.Capture{Expr: fixed("$.store.book[(@.length-1)].t")}, want: Value{"z", `"z"`, "z"}},
		{name: "JSON slice", capture: scenarios.Capture{Expr: fixed("$.store.book[-1:].t")}, want: Value{"z", `"z"`, "z"}},
		{name: "JSON list", capture: scenarios.Capture{Expr: fixed("$.store.book[0].tags")}, want: Value{`["p","q"]`, `["p","q"]`, []any{"p", "q"}}},
		{name: "JSON mapping", capture: scenarios.Capture{Expr: fixed("$.store.o")},
			want: Value{`{"z":1,"a":2,"m":3}`, `{"z":1,"a":2,"m":3}`, map[string]any{"z": int64(1), "a": int64(2), "m": int64(3)}}},
		{name: "JSON length", capture: scenarios.Capture{Expr: fixed("$.store.book.length")}, want: Value{"3", "3", int64(3)}},
		{name: "JSON all", capture: scenarios.Capture{Expr: fixed("$..t"), Multiple: true}, want: Value{`["x","y","z"]`, `["x","y","z"]`, []any{"x", "y", "z"}}},
		{name: "JSON all of none", capture: scenarios.Capture{Expr: fixed("$..nope"), Multiple: true}, none: true},
		{name: "JSON members by name", capture: scenarios.Capture{Expr: fixed("$.store.o.*"), Multiple: true},
			want: Value{`[2,3,1]`, `[2,3,1]`, []any{int64(2), int64(3), int64(1)}}},
		{name: "JSON index of results", capture: scenarios.Capture{Expr: fixed("$..t"), Index: "1"}, want: Value{"y", `"y"`, "y"}},
		{name: "JSON last of results", capture: scenarios.Capture{Expr: fixed("$..t"), Index: "last"}, want: Value{"z", `"z"`, "z"}},
		{name: "JSON index beyond results", capture: scenarios.Capture{Expr: fixed("$..t"), Index: "3"}, none: true},
		{name: "JSON filter", capture: scenarios.Capture{Expr: fixed("$.store.book[?(@.price<10)].t"), Multiple: true}, want: Value{`["x","z"]`, `["x","z"]`, []any{"x", "z"}}},
		{name: "JSON filter of JavaScript", capture: scenarios.Capture{Expr: fixed("$..book[?(@.t === 'y' && @.price !== 8)].t")}, want: Value{"y", `"y"`, "y"}},
		{name: "JSON filter by what is true", capture: scenarios.Capture{Expr: fixed("$..book[?(@.on)].t"), Multiple: true}, want: Value{`["x"]`, `["x"]`, []any{"x"}}},
		{name: "JSON filter by what is not", capture: scenarios.Capture{Expr: fixed("$..book[?(!@.on)].t"), Multiple: true}, want: Value{`["y","z"]`, `["y","z"]`, []any{"y", "z"}}},
		{name: "JSON filter by match", capture: scenarios.Capture{Expr: fixed("$..book[?(@.t.match(/^[YZ]$/i))].t"), Multiple: true}, want: Value{`["y","z"]`, `["y","z"]`, []any{"y", "z"}}},
		{name: "JSON filter by test", capture: scenarios.Capture{Expr: fixed("$..book[?(/y|z/.test(@.t))].t"), Multiple: true}, want: Value{`["y","z"]`, `["y","z"]`, []any{"y", "z"}}},
		{name: "JSON filter by length", capture: scenarios.Capture{Expr: fixed("$..book[?(@.tags.length > 0)].t"), Multiple: true}, want: Value{`["x"]`, `["x"]`, []any{"x"}}},
		{name: "JSON filter with brackets in text", capture: scenarios.Capture{Expr: fixed(`$..book[?(@.t == ']' || @.t == "@.a")].t`)}, none: true},
		{name: "JSON body cut off", capture: scenarios.Capture{Expr: fixed("$.id")}, body: `{"id": "r-17", "n": `, none: true},
		{name: "JSON twice the same name", capture: scenarios.Capture{Expr: fixed("$.a")}, body: `{"a": 1, "a": 2}`, want: Value{"2", "2", int64(2)}},
		{name: "JSON twice the same name, decoded", capture: scenarios.Capture{Expr: fixed("$.*")}, body: `{"a": 1, "a": 2}`, want: Value{"2", "2", int64(2)}},
		{name: "JSON name with escapes", capture: scenarios.Capture{Expr: fixed("$.é")}, body: `{"\u00e9": 1, "\u00E8": 2}`, want: Value{"1", "1", int64(1)}},
		{name: "JSON with blanks", capture: scenarios.Capture{Expr: fixed("$[1].b")}, body: " [ 1 , { \"a\" : [ ] ,\r\n\t\"b\" : 2 } ] ", want: Value{"2", "2", int64(2)}},
		{name: "JSON that is a number", capture: scenarios.Capture{Expr: fixed("$")}, body: " 17 ", want: Value{"17", "17", int64(17)}},
		{name: "JSON not UTF-8", capture: scenarios.Capture{Expr: fixed("$.a")}, body: "{\"a\": \"x\xff\"}", want: Value{"x\uFFFD", "\"x\uFFFD\"", "x\uFFFD"}},

		{name: "regexp", capture: scenarios.Capture{From: scenarios.Regexp, Expr: fixed(`id": "(r-(\d+))`)}, want: Value{`id": "r-17`, `"id\": \"r-17"`, `id": "r-17`}},
		{name: "regexp group", capture: scenarios.Capture{From: scenarios.Regexp, Expr: fixed(`"(r-(\d+))`), Group: "2"}, want: Value{"17", `"17"`, "17"}},
		{name: "regexp named group", capture: scenarios.Capture{From: scenarios.Regexp, Expr: fixed(`"(r-(?<n>\d+))`), Group: "n"}, want: Value{"17", `"17"`, "17"}},
		{name: "regexp flags", capture: scenarios.Capture{From: scenarios.Regexp, Expr: fixed(`R-\d+`), Flags: "gi"}, want: Value{"r-17", `"r-17"`, "r-17"}},
		{name: "regexp looks ahead", capture: scenarios.Capture{From: scenarios.Regexp, Expr: fixed(`r-(?=(?<n>\d))`), Group: "n"}, want: Value{"1", `"1"`, "1"}},
		{name: "regexp looks behind", capture: scenarios.Capture{From: scenarios.Regexp, Expr: fixed(`(?<=r-)\d+`)}, want: Value{"17", `"17"`, "17"}},
		{name: "regexp escape of JavaScript", capture: scenarios.Capture{From: scenarios.Regexp, Expr: fixed(`\u0072-\d+`)}, want: Value{"r-17", `"r-17"`, "r-17"}},
		{name: "regexp nothing", capture: scenarios.Capture{From: scenarios.Regexp, Expr: fixed(`nope`)}, none: true},
		{name: "regexp empty", capture: scenarios.Capture{From: scenarios.Regexp, Expr: fixed(`(nope)?`), Group: "1"}, none: true},
		{name: "regexp without end", capture: scenarios.Capture{From: scenarios.Regexp, Expr: fixed(`(?=a)(a+)+$`)}, body: strings.Repeat("a", 40) + "b", none: true},

		{name: "header", capture: scenarios.Capture{From: scenarios.HeaderValue, Expr: fixed("location")}, head: []string{"Location: /record/1", "location: /2"}, want: Value{"/record/1", `"/record/1"`, "/record/1"}},
		{name: "header nothing", capture: scenarios.Capture{From: scenarios.HeaderValue, Expr: fixed("location")}, none: true},
		{name: "header empty", capture: scenarios.Capture{From: scenarios.HeaderValue, Expr: fixed("location")}, head: []string{"Location:"}, none: true},

		{name: "selector text", capture: scenarios.Capture{From: scenarios.Selector, Expr: fixed("h1.a")}, body: page, want: Value{"Hi you", `"Hi you"`, "Hi you"}},
		{name: "selector attribute", capture: scenarios.Capture{From: scenarios.Selector, Expr: fixed("a.l"), Attr: "href"}, body: page, want: Value{"/1", `"/1"`, "/1"}},
		{name: "selector index", capture: scenarios.Capture{From: scenarios.Selector, Expr: fixed("a.l"), Attr: "href", Index: "1"}, body: page, want: Value{"/2", `"/2"`, "/2"}},
		{name: "selector last", capture: scenarios.Capture{From: scenarios.Selector, Expr: fixed("p, a.l"), Index: "last"}, body: page, none: true},
		{name: "selector beyond", capture: scenarios.Capture{From: scenarios.Selector, Expr: fixed("a.l"), Index: "3"}, body: page, none: true},
		{name: "selector no such attribute", capture: scenarios.Capture{From: scenarios.Selector, Expr: fixed("a.l"), Attr: "id"}, body: page, none: true},
		{name: "selector nothing", capture: scenarios.Capture{From: scenarios.Selector, Expr: fixed("table")}, body: page, none: true},

		{name: "XPath into HTML", capture: scenarios.Capture{From: scenarios.XPath, Expr: fixed("//a[@class='l']/@href"), Index: "last"}, body: page, want: Value{"/3", `"/3"`, "/3"}},
		{name: "XPath into XML", capture: scenarios.Capture{From: scenarios.XPath, Expr: fixed("//entry")}, body: feed, want: Value{"eight", `"eight"`, "eight"}},
		{name: "XPath with prefix", capture: scenarios.Capture{From: scenarios.XPath, Expr: fixed("/f:feed/f:entry/@id")}, body: feed, want: Value{"7", `"7"`, "7"}},
		{name: "XPath entities", capture: scenarios.Capture{From: scenarios.XPath, Expr: fixed("//entry[2]")}, body: feed, want: Value{"nine & <ten>", `"nine & <ten>"`, "nine & <ten>"}},
		{name: "XPath number", capture: scenarios.Capture{From: scenarios.XPath, Expr: fixed("count(//entry)")}, body: feed, want: Value{"2", "2", int64(2)}},
		{name: "XPath text", capture: scenarios.Capture{From: scenarios.XPath, Expr: fixed("string(//entry/@id)")}, body: feed, want: Value{"8", `"8"`, "8"}},
		{name: "XPath truth", capture: scenarios.Capture{From: scenarios.XPath, Expr: fixed("count(//entry) > 1")}, body: feed, want: Value{"true", "true", true}},
		{name: "XPath nothing", capture: scenarios.Capture{From: scenarios.XPath, Expr: fixed("//nope")}, body: feed, none: true},
		{name: "XPath into what is no XML", capture: scenarios.Capture{From: scenarios.XPath, Expr: fixed("//a")}, body: "<a><b></a>", none: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, err := Compile(test.capture)
			if err != nil {
				t.Fatal(err)
			}
			body := test.body
			if body == "" {
				body = shop
			}
			got, ok := f.Find(document(body, test.head...), "", dice(1))
			if ok == test.none {
				t.Fatalf("found %v (%q), want %v", ok, got.Text, !test.none)
			}
			if ok && !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
		})
	}
}

// TestTogether has many virtual users look for the same at the same time.
func TestTogether(t *testing.T) {
	var finders []*Finder
	for _, c := range append(everything, scenarios.Capture{Expr: open("path")}) {
		f, err := Compile(c)
		if err != nil {
			t.Fatal(err)
		}
		finders = append(finders, f)
	}
	x, err := CompileExpect(scenarios.Expect{Contains: []scenarios.Check{
		{Kind: scenarios.JMESPath, Name: "a.b[0]", Value: fixed("1")},
		{Kind: scenarios.MatchesRegexp, Value: open("pattern")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	render := func(*scenarios.Template) (string, bool) { return `"b"`, true }
	const body = `{"a": {"b": [1, {"a": 1}]}, "c": "<a>aab</a>"}`
	want := make([]Value, len(finders))
	for i, f := range finders {
		want[i], _ = f.Find(document(body, "X-A: b"), "$..b", dice(1))
	}
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			d := document(body, "X-A: b")
			response, kept := d.response, d.body
			for range 50 {
				d.Reset(response, kept)
				for i, f := range finders {
					if got, _ := f.Find(d, "$..b", dice(1)); !reflect.DeepEqual(got, want[i]) {
						t.Errorf("finder %d: got %v, want %v", i, got, want[i])
					}
				}
				if failed := x.Failed(200, d, render); failed != "" {
					t.Errorf("%s does not hold", failed)
				}
			}
		})
	}
	users.Wait()
}
