package answer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"loadkms/scenarios"
)

// everything looks into a body in every way there is.
var everything = []scenarios.Capture{
	{Expr: fixed("$.a.b[0]")},
	{Expr: fixed("$..a"), Multiple: true},
	{Expr: fixed("$..*"), Multiple: true},
	{Expr: fixed("$..*..*"), Index: "last"},
	{Expr: fixed("$..[?(@.a == 1)]")},
	{From: scenarios.XPath, Expr: fixed("//a")},
	{From: scenarios.XPath, Expr: fixed("count(//*)")},
	{From: scenarios.Selector, Expr: fixed("a"), Index: "last"},
	{From: scenarios.Regexp, Expr: fixed("a+b"), Flags: "i"},
	{From: scenarios.Regexp, Expr: fixed("(?!b)(a+)+b")},
	{From: scenarios.HeaderValue, Expr: fixed("X-A")},
}

// TestHostile answers with the worst we could think of. The bounds are far above what it takes, and far
// below what it took without them.
func TestHostile(t *testing.T) {
	const size = 1 << 18 // of 10 MiB, the slowest takes some 3s; a test must be quick
	repeat := func(s string) string { return strings.Repeat(s, size/len(s)) }
	bomb := &strings.Builder{}
	bomb.WriteString(`<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x0 "aaaaaaaaaa">`)
	for i := range 12 {
		fmt.Fprintf(bomb, `<!ENTITY x%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&x%d;", i), 10))
	}
	bomb.WriteString(`]><a>&x12;</a>`)
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct{ name, body, head string }{
		{"lists that never end", repeat("["), ""},
		{"mappings that never end", repeat(`{"a":`), ""},
		{"lists as deep as allowed", deep(10000), ""},
		{"many lists as deep as allowed", "[" + deep(9000) + strings.Repeat(","+deep(9000), size/18001-1) + "]", ""},
		{"long list", "[0" + strings.Repeat(",0", size/2) + "]", ""},
		{"long text", `{"a":{"b":["` + repeat("a") + `"]}}`, ""},
		{"elements that never end", repeat("<a>"), ""},
		{"elements that never end, as HTML", repeat("<a>"), "Content-Type: text/html"},
		{"blocks that never end, as HTML", repeat("<div>"), "Content-Type: text/html"},
		{"one element with many attributes", "<a" + repeat(` b="c"`) + "/>", ""},
		{"many elements", "<x>" + repeat("<a>b</a>") + "</x>", ""},
		{"entities of entities", bomb.String(), ""},
		{"no text at all", repeat("\xff\xfe\x00"), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := document(test.body, test.head)
			for _, c := range everything {
				f, err := Compile(c)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				f.Find(d, "", dice(1))
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("%q took %s, want at most 10s", c.Expr.Source, took)
				} else if took > time.Second {
					t.Logf("%q took %s", c.Expr.Source, took)
				}
			}
			for _, check := range []scenarios.Check{
				{Kind: scenarios.HasProperty, Name: "a.b.length"},
				{Kind: scenarios.JMESPath, Name: "a[*].b"},
				{Kind: scenarios.JMESPath, Name: "[][][]"},
			} {
				x, err := CompileExpect(scenarios.Expect{ContentType: "json", Contains: []scenarios.Check{check}})
				if err != nil {
					t.Fatal(err)
				}
				x.Holds(200, d, nil)
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.Sys > 4<<30 {
				t.Errorf("took %d MiB from the system, want less than 4 GiB", m.Sys>>20)
			}
		})
	}
}

// TestDepth finds something at the greatest depth that is allowed, and nothing in what is deeper by one.
func TestDepth(t *testing.T) {
	lists := func(n int) string { return strings.Repeat("[", n) + "1" + strings.Repeat("]", n) }
	elements := func(n int) string { return strings.Repeat("<a>", n) + "1" + strings.Repeat("</a>", n) }
	tests := []struct {
		name    string
		body    func(n int) string
		most    int
		capture scenarios.Capture
	}{
		{"JSON", lists, 10000, scenarios.Capture{Expr: fixed("$[0]")}},
		{"JSON decoded", lists, 10000, scenarios.Capture{Expr: fixed("$.*")}},
		{"XML", elements, deepestXML, scenarios.Capture{From: scenarios.XPath, Expr: fixed("/a")}},
		{"HTML", func(n int) string { return strings.Repeat("<div>", n-2) + "1" }, 512, // html and body come on top
			scenarios.Capture{From: scenarios.Selector, Expr: fixed("div")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, err := Compile(test.capture)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := f.Find(document(test.body(test.most)), "", dice(1)); !ok {
				t.Errorf("nothing found %d levels deep", test.most)
			}
			if _, ok := f.Find(document(test.body(test.most+1)), "", dice(1)); ok {
				t.Errorf("something found %d levels deep", test.most+1)
			}
		})
	}
}

// anyJSON returns a random value, with names and texts that mean something to those who look for them.
func anyJSON(r *rand.Rand, depth int) any {
	words := []string{"a", "b", "0", "1", "12", "length", "a.b", "#", "@this", "..", "*", "é", `q"`, `\`, "'", "x y", "", "!", "{", "<&>", "\u2028"}
	switch n := r.IntN(10); {
	case n < 3 && depth > 0:
		object := map[string]any{}
		for range r.IntN(5) {
			object[words[r.IntN(len(words))]] = anyJSON(r, depth-1)
		}
		return object
	case n < 6 && depth > 0:
		list := []any{}
		for range r.IntN(4) {
			list = append(list, anyJSON(r, depth-1))
		}
		return list
	case n == 6:
		return nil
	case n == 7:
		return r.IntN(2) == 0
	case n == 8:
		return []float64{0, 1, -3, 2.5, 1e10, 1e300}[r.IntN(6)]
	}
	return words[r.IntN(len(words))]
}

// step goes one step down a random path, or reports that there is none.
func step(r *rand.Rand, v any) (name string, next any, ok bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, next := range v {
			return name, next, true
		}
	case []any:
		if len(v) > 0 {
			i := r.IntN(len(v))
			return fmt.Sprint(i), v[i], true
		}
	}
	return "", nil, false
}

// TestDocumentIsJSON compares what is found with what encoding/json finds, on the plain path and on the
// other.
func TestDocumentIsJSON(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := dice(seed)
	found := 0
	for range 2000 {
		tree := anyJSON(r, 4)
		body, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(2) == 0 {
			var b bytes.Buffer
			if err := json.Indent(&b, body, "", "\t"); err != nil {
				t.Fatal(err)
			}
			body = b.Bytes()
		}
		var path []string
		at := tree
		for range 1 + r.IntN(4) {
			name, next, ok := step(r, at)
			if !ok {
				break
			}
			path, at = append(path, name), next
		}
		if len(path) == 0 {
			continue
		}
		quoted := "$" + bracketed(path)
		for _, multiple := range []bool{false, true} {
			f, err := Compile(scenarios.Capture{Expr: fixed(quoted), Multiple: multiple})
			if err != nil {
				t.Fatalf("%s: %s", quoted, err)
			}
			got, ok := f.Find(document(string(body)), "", r)
			if !ok {
				if at != "" || multiple {
					t.Fatalf("%s in %s: nothing found, want %v", quoted, body, at)
				}
				continue
			}
			want := at
			if multiple {
				want = []any{at}
			}
			var decoded any
			if err := json.Unmarshal([]byte(got.JSON), &decoded); err != nil {
				t.Fatalf("%s in %s: %q is not JSON: %s", quoted, body, got.JSON, err)
			}
			if !reflect.DeepEqual(decoded, want) {
				t.Fatalf("%s in %s: got %s, want %v", quoted, body, got.JSON, want)
			}
			if again, _ := json.Marshal(got.Any); !sameJSON(again, want) {
				t.Fatalf("%s in %s: decoded %s, want %v", quoted, body, again, want)
			}
			if text, ok := want.(string); ok && got.Text != text || !ok && got.Text != got.JSON {
				t.Fatalf("%s in %s: text %q, want that of %v", quoted, body, got.Text, want)
			}
			found++
		}
		p := compileProperty(quoted[1:])
		if !p.in(document(string(body))) {
			t.Fatalf("%s in %s: no property", quoted, body)
		}
		// One step more, which is there only by chance.
		path = append(path, []string{"a", "0", "nope", "01", "#", "length"}[r.IntN(6)])
		p = compileProperty(bracketed(path))
		if got, want := p.in(document(string(body))), has(tree, path); got != want {
			t.Fatalf("property %q in %s: got %v, want %v", path, body, got, want)
		}
	}
	if found < 500 {
		t.Errorf("found %d values only", found)
	}
}

func bracketed(names []string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString("['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name) + "']")
	}
	return b.String()
}

// has reports whether there is something at a path of names and indexes, the slow way.
func has(v any, names []string) bool {
	for _, name := range names {
		switch in := v.(type) {
		case map[string]any:
			next, ok := in[name]
			if !ok {
				return false
			}
			v = next
		case []any:
			n := -1
			i := slices.IndexFunc(in, func(any) bool { n++; return strconv.Itoa(n) == name })
			switch {
			case name == "length":
				v = len(in)
			case i < 0:
				return false
			default:
				v = in[i]
			}
		case string:
			if name != "length" {
				return false
			}
			v = len(in)
		default:
			return false
		}
	}
	return true
}

func sameJSON(b []byte, want any) bool {
	var got any
	return json.Unmarshal(b, &got) == nil && reflect.DeepEqual(got, want)
}

// TestSameSeed finds the same for the same seed, although Go's maps are in no order.
func TestSameSeed(t *testing.T) {
	object := map[string]int{}
	for i := range 100 {
		object[fmt.Sprint("k", i)] = i
	}
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []scenarios.Capture{{Expr: fixed("$.*")}, {Expr: fixed("$..*")}, {Expr: fixed("$[?(@ > 10)]")}} {
		f, err := Compile(c)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for seed := range uint64(20) {
			first, ok := f.Find(document(string(body)), "", dice(seed))
			if !ok {
				t.Fatalf("%s: nothing found", c.Expr.Source)
			}
			if again, _ := f.Find(document(string(body)), "", dice(seed)); again != first {
				t.Errorf("%s: got %v and %v with seed %d", c.Expr.Source, first, again, seed)
			}
			seen[first.Text] = true
		}
		if len(seen) < 10 {
			t.Errorf("%s: only %d different results of 20", c.Expr.Source, len(seen))
		}
	}
}

// TestHoles fills an expression for every answer, more of them than are remembered.
func TestHoles(t *testing.T) {
	f, err := Compile(scenarios.Capture{Expr: open("path")})
	if err != nil {
		t.Fatal(err)
	}
	if !f.Body() {
		t.Error("the body is not wanted, want it")
	}
	for i := range 3 * mostKnown {
		d := document(fmt.Sprintf(`{"k%d": %d}`, i, i))
		if got, ok := f.Find(d, fmt.Sprint("$.k", i), dice(1)); !ok || got.Text != fmt.Sprint(i) {
			t.Errorf("got %q, %v, want %d", got.Text, ok, i)
		}
		if _, ok := f.Find(d, "$.[", dice(1)); ok {
			t.Error("found something with an expression that is wrong")
		}
		if len(f.known) > mostKnown {
			t.Fatalf("%d expressions are remembered, want at most %d", len(f.known), mostKnown)
		}
	}
}

// TestReset forgets everything about the answer before.
func TestReset(t *testing.T) {
	d := document(`{"a": 1}`, "Content-Type: application/json")
	paths := []scenarios.Capture{{Expr: fixed("$.a")}, {Expr: fixed("$.*")}, {From: scenarios.XPath, Expr: fixed("//a")}, {From: scenarios.Selector, Expr: fixed("a")}}
	find := func() (texts []string) {
		for _, c := range paths {
			f, err := Compile(c)
			if err != nil {
				t.Fatal(err)
			}
			v, _ := f.Find(d, "", dice(1))
			texts = append(texts, v.Text)
		}
		return texts
	}
	if got, want := find(), []string{"1", "1", "", ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	d.Reset(document("").response, []byte("<a>2</a>"))
	if got, want := find(), []string{"", "", "2", "2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("after reset got %q, want %q", got, want)
	}
	d.Reset(document("").response, nil)
	if got, want := find(), []string{"", "", "", ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("without a body got %q, want %q", got, want)
	}
}

// TestAlone keeps what was found after the buffer it was found in has been used again.
func TestAlone(t *testing.T) {
	for _, c := range append(everything, scenarios.Capture{Expr: fixed("$.a")}, scenarios.Capture{Expr: fixed("$.n")}) {
		body := []byte(`{"a": "<a>aaab</a>", "n": 17}`)
		d := document("", "X-A: aaa")
		d.Reset(d.response, body)
		f, err := Compile(c)
		if err != nil {
			t.Fatal(err)
		}
		v, ok := f.Find(d, "", dice(1))
		if !ok {
			continue
		}
		text, inJSON, decoded := strings.Clone(v.Text), strings.Clone(v.JSON), fmt.Sprint(v.Any)
		for i := range body {
			body[i] = '#'
		}
		for i := range d.response.Head {
			d.response.Head[i] = '#'
		}
		if v.Text != text || v.JSON != inJSON || fmt.Sprint(v.Any) != decoded {
			t.Errorf("%s: got %v after the buffer changed, want %s, %s", c.Expr.Source, v, text, inJSON)
		}
	}
}
