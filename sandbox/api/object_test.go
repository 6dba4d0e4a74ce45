package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/dop251/goja"
)

func TestParse(t *testing.T) {
	const long = "a key with more than eight characters"
	many := func(n int, more string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"k%d":%d,`, i, i)
		}
		return "{" + b.String() + more + "}"
	}
	for _, c := range []struct {
		name, doc, want string
		plain           bool
	}{
		{"no object", `1`, `1`, true},
		{"text", `"a\"b\\"`, `"a\"b\\"`, true},
		{"empty", `{}`, `{}`, true},
		{"each key once", `{"a":1,"b":"x","c":[],"":null}`, `{"a":1,"b":"x","c":[],"":null}`, true},
		{"a key twice", `{"a":1,"a":2}`, `{"a":2}`, false},
		{"the place of the first", `{"a":1,"b":2,"a":3,"c":4,"a":5}`, `{"a":5,"b":2,"c":4}`, false},
		{"a long key twice", `{"` + long + `":1,"` + long + `":"\""}`, `{"` + long + `":"\""}`, false},
		{"long keys alike", `{"` + long + `1":1,"` + long + `2":1}`, `{"` + long + `1":1,"` + long + `2":1}`, true},
		{"the empty key twice", `{"":1,"":[2]}`, `{"":[2]}`, false},
		{"with an escape", `{"a":1,"\u0061":2}`, `{"a":2}`, false},
		{"escapes alone", `{"\n":1,"\"":2}`, `{"\n":1,"\"":2}`, false},
		{"other kinds of values", `{"a":{"x":1},"b":true,"a":[1,"]"],"b":{}}`, `{"a":[1,"]"],"b":{}}`, false},
		{"in an object", `{"a":{"x":1,"y":2,"x":3}}`, `{"a":{"x":3,"y":2}}`, false},
		{"in a list", `[1,{"x":1,"x":[{"y":1,"y":2}]}]`, `[1,{"x":[{"y":2}]}]`, false},
		{"in different objects", `{"x":{"x":{"x":1}},"y":[{"x":1},{"x":1}]}`, `{"x":{"x":{"x":1}},"y":[{"x":1},{"x":1}]}`, true},
		{"after an object", `{"a":{"b":1},"b":1,"b":2}`, `{"a":{"b":1},"b":2}`, false},
		{"array indices come first", `{"b":1,"10":2,"a":3,"9":4}`, `{"9":4,"10":2,"b":1,"a":3}`, false},
		{"an index with escapes", `{"b":1,"\u0031":2}`, `{"\u0031":2,"b":1}`, false},
		{"no indices", `{"b":1,"01":2,"1.5":3,"4294967295":4,"1e1":5,"-1":6}`, `{"b":1,"01":2,"1.5":3,"4294967295":4,"1e1":5,"-1":6}`, false},
		{"the largest index", `{"b":1,"4294967294":2,"0":3}`, `{"0":3,"4294967294":2,"b":1}`, false},
		{"a prototype is a key", `{"__proto__":1,"__proto__":2}`, `{"__proto__":2}`, false},
		{"few keys", many(fewKeys-1, `"a":1`), many(fewKeys-1, `"a":1`), true},
		{"many keys", many(fewKeys, `"a":1`), many(fewKeys, `"a":1`), false},
		{"many keys, one twice", many(500, `"k9":"x"`), strings.Replace(many(500, ""), `"k9":9`, `"k9":"x"`, 1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.ReplaceAll(c.want, ",}", "}")
			if got := plain([]byte(c.doc)); got != c.plain {
				t.Errorf("plain says %v, want %v", got, c.plain)
			}
			if got := string(parse(nil, []byte(c.doc))); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestParseIsJavaScripts compares with a JavaScript engine, for documents that have only one spelling.
func TestParseIsJavaScripts(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	js := goja.New()
	if _, err := js.RunString("function again(s) { return JSON.stringify(JSON.parse(s)) }"); err != nil {
		t.Fatal(err)
	}
	again, ok := goja.AssertFunction(js.Get("again"))
	if !ok {
		t.Fatal("no function")
	}
	keys := []string{"a", "b", "ab", "abcdefghi", "", "0", "1", "10", "01", "9", "é", "-1", "4294967294", "1.5", "x]", "{,"}
	var document func(depth int) string
	document = func(depth int) string {
		kind := r.IntN(4)
		if depth == 0 {
			kind = r.IntN(2)
		}
		var b strings.Builder
		switch kind {
		case 0:
			return strconv.Itoa(r.IntN(100))
		case 1:
			return `"` + keys[r.IntN(len(keys))] + `"`
		case 2:
			for i := range r.IntN(4) {
				b.WriteString(strings.Repeat(",", min(i, 1)) + document(depth-1))
			}
			return "[" + b.String() + "]"
		}
		for i := range r.IntN(7) {
			b.WriteString(strings.Repeat(",", min(i, 1)) + `"` + keys[r.IntN(len(keys))] + `":` + document(depth-1))
		}
		return "{" + b.String() + "}"
	}
	kept := 0
	for range 3000 {
		doc := document(4)
		v, err := again(goja.Undefined(), js.ToValue(doc))
		if err != nil {
			t.Fatal(err)
		}
		want := v.String()
		if got := string(parse(nil, []byte(doc))); got != want {
			t.Fatalf("seed %d: %s becomes %s, want %s", seed, doc, got, want)
		}
		if plain([]byte(doc)) {
			if kept++; doc != want {
				t.Fatalf("seed %d: %s is said to be plain", seed, doc)
			}
		}
	}
	if kept < 100 {
		t.Errorf("seed %d: only %d documents were plain", seed, kept)
	}
}

// FuzzParse: what is plain stays as it is, and what comes out is JSON with the same meaning that would
// not change again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"a":[{"c":1,"c":"\\\""}]},"\u0061":2,"10":1,"9":[]}`))
	f.Add([]byte(`[{"a":"\"","a":"\\"},{}]`))
	f.Add(fmt.Appendf(nil, document, 7))
	f.Fuzz(func(t *testing.T, text []byte) {
		var doc bytes.Buffer
		if json.Compact(&doc, text) != nil {
			return
		}
		got := parse(nil, doc.Bytes())
		if plain(doc.Bytes()) && !bytes.Equal(got, doc.Bytes()) {
			t.Fatalf("%s is said to be plain, and becomes %s", doc.Bytes(), got)
		}
		if !json.Valid(got) {
			t.Fatalf("%s becomes %s, which is no JSON", doc.Bytes(), got)
		}
		if twice := parse(nil, got); !bytes.Equal(twice, got) {
			t.Fatalf("%s becomes %s, then %s", doc.Bytes(), got, twice)
		}
	})
}

func BenchmarkPlain(b *testing.B) {
	var doc bytes.Buffer
	if err := json.Compact(&doc, fmt.Appendf(nil, document, 1)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !plain(doc.Bytes()) {
			b.Fatal("not plain")
		}
	}
}
