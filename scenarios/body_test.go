package scenarios

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// render writes a JSON body the way a virtual user does.
func render(t *testing.T, body Template, vars map[string]any) string {
	t.Helper()
	var b strings.Builder
	for _, p := range body.Parts {
		if p.Var == "" && p.Call == "" {
			b.WriteString(p.Text)
			continue
		}
		v := vars[p.Var+p.Call]
		switch p.Mode {
		case JSONValue:
			j, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(j)
		case JSONString:
			s, isText := v.(string)
			if !isText {
				j, _ := json.Marshal(v)
				s = string(j)
			}
			b.WriteString(escapeJSON(s))
		default:
			t.Fatalf("a hole of a JSON body has mode %v", p.Mode)
		}
	}
	return b.String()
}

func TestJSONBody(t *testing.T) {
	vars := map[string]any{"name": "O\"Neill\n", "n": 5, "$sequence": 7, "yes": true, "list": []int{1, 2}}
	for _, c := range []struct{ name, yaml, want string }{
		{"order", "{z: 1, a: 2, m: 3}", `{"z":1,"a":2,"m":3}`},
		{"kinds", "[1, 1.50, 0x1f, true, null, ~, text, '5', 2020-01-02, 1e3, -0.0]",
			`[1,1.5,31,true,null,null,"text","5","2020-01-02",1000,-0]`},
		{"large numbers", "[9223372036854775807, 18446744073709551615]", `[9223372036854775807,18446744073709551615]`},
		{"nothing", "{a: }", `{"a":null}`},
		{"empty", "{a: {}, b: [], c: ''}", `{"a":{},"b":[],"c":""}`},
		{"nested", "{a: [{b: [[1]]}]}", `{"a":[{"b":[[1]]}]}`},
		{"whole hole keeps its type", `["{{ n }}", "{{name}}", "{{ $sequence() }}", "{{ yes }}", "{{ list }}"]`,
			`[5,"O\"Neill\n",7,true,[1,2]]`},
		{"hole in a text", `["a {{ n }} b", "{{ name }}!", " {{ n }}"]`, `["a 5 b","O\"Neill\n!"," 5"]`},
		{"two holes", `"{{ n }}{{ n }}"`, `"55"`},
		{"quotes", `{a: 'say "hi"', b: "back\\slash", c: "tab\t", d: "line\n", e: "\u0001", f: "\u2028"}`,
			`{"a":"say \"hi\"","b":"back\\slash","c":"tab\t","d":"line\n","e":"\u0001","f":"\u2028"}`},
		{"html is not escaped", `"<a href='x'>&"`, `"<a href='x'>&"`},
		{"wide", `"日本 é 🙂"`, `"日本 é 🙂"`},
		{"quotes around a hole", `'"{{ name }}"'`, `"\"O\"Neill\n\""`},
		{"hole in a key", `{"{{ name }}": 1}`, `{"O\"Neill\n":1}`},
		{"quoted braces in an argument", `"{{ $created('all') }}"`, `null`},
		{"block text", "|\n        one\n        two {{ n }}\n", `"one\ntwo 5\n"`},
		{"yaml 1.1 words are texts", "[yes, no, on, off, y]", `["yes","no","on","off","y"]`},
		{"not a hole", `"}} { {"`, `"}} { {"`},
		{"merge", "{<<: {a: 1, b: 2}, b: 3}", `{"a":1,"b":3}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustParse(t, "x.yaml", "config: {target: sandbox, variables: {name: x, n: 5, yes: true, list: 5}}\n"+
				"scenarios:\n- flow:\n  - post:\n      url: /\n      json: "+c.yaml+"\n", Options{})
			step := s.Scenarios[0].Flow[0]
			got := render(t, step.Body, vars)
			want := strings.ReplaceAll(c.want, `O"Neill`, `O\"Neill`)
			want = strings.ReplaceAll(want, "\\\\\"Neill", `\"Neill`)
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("%s is not JSON", got)
			}
			if !step.HasBody || len(step.Headers) != 1 || step.Headers[0].Name != "Content-Type" {
				t.Errorf("got body %v and headers %+v", step.HasBody, step.Headers)
			}
			for i := 1; i < len(step.Body.Parts); i++ {
				a, b := step.Body.Parts[i-1], step.Body.Parts[i]
				if a.Var+a.Call+b.Var+b.Call == "" {
					t.Errorf("the texts %q and %q are not one", a.Text, b.Text)
				}
			}
		})
	}
}

func TestContentType(t *testing.T) {
	for _, c := range []struct {
		name, http, step string
		want             []string
	}{
		{"added", "", "json: 1", []string{"Content-Type: application/json"}},
		{"given", "", "headers: {content-type: text/x}, json: 1", []string{"Content-Type: text/x"}},
		{"given for all", ", http: {defaults: {headers: {Content-type: text/y}}}", "json: 1", nil},
		{"not for text", "", "body: x", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustParse(t, "x.yaml", "config: {target: sandbox"+c.http+"}\nscenarios: [{flow: [{post: {url: /, "+c.step+"}}]}]\n", Options{})
			var got []string
			for _, h := range s.Scenarios[0].Flow[0].Headers {
				got = append(got, h.Name+": "+h.Value.Source)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestHoles(t *testing.T) {
	for _, c := range []struct {
		text string
		want []Part
		err  string
	}{
		{"", nil, ""},
		{"text", []Part{{Text: "text"}}, ""},
		{"{{a}}", []Part{{Var: "a"}}, ""},
		{"{{ a.b-c.0 }}", []Part{{Var: "a.b-c.0"}}, ""},
		{"x{{a}}{{b}}y", []Part{{Text: "x"}, {Var: "a"}, {Var: "b"}, {Text: "y"}}, ""},
		{"{{ $f() }}", []Part{{Call: "$f"}}, ""},
		{"{{ $f( 'a }} b' , 5,-1.5, c.d ) }}", []Part{{Call: "$f", Args: []string{"a }} b", "5", "-1.5", "c.d"}}}, ""},
		{`{{ $f("it's") }}`, []Part{{Call: "$f", Args: []string{"it's"}}}, ""},
		{"a }} b", []Part{{Text: "a }} b"}}, ""},
		{"{{", nil, "not closed"},
		{"a {{ b", nil, "not closed"},
		{"{{}}", nil, "empty"},
		{"{{ a b }}", nil, "neither"},
		{"{{ a. }}", nil, "neither"},
		{"{{ a[0].b['c d'][\"e-f\"] }}", []Part{{Var: "a.0.b.c d.e-f"}}, ""},
		{"{{ $loopElement[ 1 ] }}", []Part{{Var: "$loopElement.1"}}, ""},
		{"{{ a[b] }}", nil, "brackets"},
		{"{{ a['b.c'] }}", nil, "brackets"},
		{"{{ a[-1] }}", nil, "brackets"},
		{"{{ a[0 }}", nil, "brackets"},
		{"{{ $f(a b) }}", nil, "arguments"},
		{"{{ $f(a,) }}", nil, "arguments"},
		{"{{ $f('a) }}", nil, "arguments"},
		{"{{ $f(g()) }}", nil, "arguments"},
	} {
		parts, holes := cut(c.text)
		err := ""
		for _, h := range holes {
			err += h.err
		}
		if c.err != "" {
			if !strings.Contains(err, c.err) {
				t.Errorf("cut(%q) complains %q, want %q", c.text, err, c.err)
			}
		} else if err != "" || !reflect.DeepEqual(parts, c.want) {
			t.Errorf("cut(%q) = %+v %q, want %+v", c.text, parts, err, c.want)
		}
	}
}

func TestExpand(t *testing.T) {
	lookup := func(name string) (string, bool) {
		return "key-1", name == "stack.mainKeyID"
	}
	pos := Pos{"x.yaml", 3, 4}
	for _, c := range []struct {
		name  string
		parts []Part
		want  string
		err   string
	}{
		{"empty", nil, "", ""},
		{"text", []Part{{Text: "a"}}, "a", ""},
		{"hole", []Part{{Text: "arn:"}, {Var: "stack.mainKeyID"}, {Text: "!"}}, "arn:key-1!", ""},
		{"unknown", []Part{{Var: "stack.other"}}, "", `"stack.other" has no value, at x.yaml:3:4`},
		{"call", []Part{{Call: "$email"}}, "", "$email cannot be called here, at x.yaml:3:4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Template{Pos: pos, Parts: c.parts}.Expand(lookup)
			if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err || got != c.want {
				t.Errorf("got %q, %v; want %q, %q", got, err, c.want, c.err)
			}
		})
	}
}
