package answer

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"loadkms/scenarios"
)

// FuzzFind looks for any expression in any body. Whatever they are, it ends, and what it finds is JSON.
func FuzzFind(f *testing.F) {
	for _, c := range everything {
		for _, body := range []string{shop, `[{"a":1}]`, "<a><b c='d'>e</b></a>", "<!doctype html><p>a<p>b", "\xff"} {
			f.Add(uint8(c.From), c.Expr.Source, body, c.Multiple)
		}
	}
	f.Add(uint8(scenarios.JSONPath), `$.a[?(@.b === 'c' && /x/.test(@.d) || !@.e.length)]["f"][(@.length-1)]..g.*.length`, shop, true)
	f.Fuzz(func(t *testing.T, from uint8, expr, body string, multiple bool) {
		finder, err := Compile(scenarios.Capture{From: scenarios.Extractor(from % 5), Expr: fixed(expr), Multiple: multiple})
		if err != nil {
			return
		}
		v, ok := finder.Find(document(body, "X-A: "+body), "", dice(1))
		if !ok {
			return
		}
		if !json.Valid([]byte(v.JSON)) || !utf8.ValidString(v.JSON) || !utf8.ValidString(v.Text) {
			t.Errorf("%q in %q: %q is no JSON", expr, body, v.JSON)
		}
		if text, ok := v.Any.(string); ok && text != v.Text {
			t.Errorf("%q in %q: decoded %q, text %q", expr, body, text, v.Text)
		}
	})
}

// FuzzExpect checks any body with any expression.
func FuzzExpect(f *testing.F) {
	for kind := scenarios.HasHeader; kind <= scenarios.JMESPath; kind++ {
		f.Add(uint8(kind), "store.book[?price > `9`].t | [0]", "a", shop)
		f.Add(uint8(kind), "store['book'][0].length", "x*", shop)
	}
	f.Fuzz(func(t *testing.T, kind uint8, name, value, body string) {
		x, err := CompileExpect(scenarios.Expect{ContentType: "json", Contains: []scenarios.Check{
			{Kind: scenarios.CheckKind(kind % 8), Name: name, Value: fixed(value), Values: []scenarios.Template{fixed(value)}}}})
		if err != nil {
			return
		}
		d := document(body, "Content-Type: application/json", "X-Cache: "+value)
		if failed := x.Failed(200, d, nil); (failed == "") != x.Holds(200, d, nil) {
			t.Errorf("%q in %q: failed %q, and holds", name, body, failed)
		}
	})
}

// FuzzProperty compares the walk over bytes with one over what encoding/json decodes.
func FuzzProperty(f *testing.F) {
	for _, path := range []string{"store.book[1].t", "store['book'].length", "a.b", "a", "", "[0]", ".", "é", "0"} {
		f.Add(path, shop)
		f.Add(path, `{"a": {"a": 1, "b": 2}, "a": {"\u0061": [ ]}, "": {"": "\\"}, "0": [[1]]}`)
		f.Add(path, ` [ {"a":[]} , "\ud800" ] `)
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		p := compileProperty(path)
		got := p.in(document(body))
		var tree any
		if json.Unmarshal([]byte(body), &tree) != nil {
			if got && !json.Valid([]byte(body)) { // it may hold a number beyond float64
				t.Errorf("%q in %q, which is no JSON", path, body)
			}
			return
		}
		names := propertyNames(path)
		if want := len(names) > 0 && has(tree, names) || has(tree, []string{path}); got != want {
			t.Errorf("%q in %q: got %v, want %v", path, body, got, want)
		}
	})
}
