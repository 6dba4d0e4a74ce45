package flow

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// withFile makes s a script beside a file.
func withFile(t *testing.T, s *scenarios.Script, content string, p scenarios.Payload) *scenarios.Script {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	s.File = filepath.Join(dir, "script.yaml")
	p.Path, p.PathPos = "users.csv", scenarios.Pos{File: "test.yaml", Line: 5, Col: 11}
	s.Config.Payloads = append(s.Config.Payloads, p)
	return s
}

func TestPayloads(t *testing.T) {
	const users = "name,age\nada,36\nbob,007\n\"Eve, \"\"E\"\"\",true\n"
	fields := []string{"name", "age"}
	for _, c := range []struct {
		name, content string
		payload       scenarios.Payload
		body          string
		want          []string // of four arrivals; "" means that nothing is sent
	}{
		{"in order", users, scenarios.Payload{Fields: fields, Header: true, Order: scenarios.SequentialRow}, "[{{ name }},{{ age }}]",
			[]string{`["ada",36]`, `["bob",7]`, `["Eve, \"E\"",true]`, `["ada",36]`}},
		{"texts", users, scenarios.Payload{Header: true, Text: true, Order: scenarios.SequentialRow}, "[{{ name }},{{ age }}]",
			[]string{`["ada","36"]`, `["bob","007"]`, `["Eve, \"E\"","true"]`, `["ada","36"]`}},
		{"once", users, scenarios.Payload{Header: true, Order: scenarios.OnceRow}, "[{{ name }}]", []string{`["ada"]`, `["bob"]`, `["Eve, \"E\""]`, ""}},
		{"without a first line", "ada\nbob\n", scenarios.Payload{Fields: []string{"x"}, Order: scenarios.SequentialRow}, "{{ x }}", []string{`"ada"`, `"bob"`, `"ada"`, `"bob"`}},
		{"another delimiter", "\ufeffx;y\r\n1;2\r\n", scenarios.Payload{Delimiter: ';', Header: true, Order: scenarios.SequentialRow}, "[{{ x }},{{ y }}]",
			[]string{"[1,2]", "[1,2]", "[1,2]", "[1,2]"}},
		{"empty lines", "x\na\n\nb\n", scenarios.Payload{Header: true, Order: scenarios.SequentialRow}, "{{ x }}", []string{`"a"`, `"b"`, `"a"`, `"b"`}},
		{"empty lines that count", "x\na\n\r\n\n\"b\nc\"\n", scenarios.Payload{Header: true, KeepEmpty: true, Order: scenarios.SequentialRow}, "{{ x }}",
			[]string{`"a"`, `""`, `""`, `"b\nc"`}},
		{"comments, and lines before the table", "made by\nhand\nx,y\n#1,a\n2,b\n",
			scenarios.Payload{Header: true, Comment: '#', FromLine: 3}, "[{{ x }},{{ y }}]", slices.Repeat([]string{`[2,"b"]`}, 4)},
		{"a short row", "x,y\n1\n", scenarios.Payload{Header: true}, "{{ y }}", []string{"", "", "", ""}},
		{"the whole table", "x,y\n1,a\n2,b\n", scenarios.Payload{Header: true, All: true, Name: "table"}, "[{{ table }},{{ table[1].y }}]",
			slices.Repeat([]string{`[[{"x":1,"y":"a"},{"x":2,"y":"b"}],"b"]`}, 4)},
		{"config wins", "x,y\n1,a\n", scenarios.Payload{Fields: []string{"v", "y"}, Header: true}, "[{{ v }}]", slices.Repeat([]string{`["config"]`}, 4)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := withFile(t, script(post("/", c.body)), c.content, c.payload)
				s.Config.Variables = []scenarios.Variable{{Name: "v", Values: []string{"config"}}}
				j := new(journal)
				d := newDriver(compile(t, s, Options{}), j.noting(200, ""))
				drive(t, d, constantly(1, 4*time.Second))
				want := slices.DeleteFunc(slices.Clone(c.want), func(s string) bool { return s == "" })
				for i := range want {
					want[i] = "POST http://api.example/poc/ " + want[i]
				}
				equal(t, "sent", strings.Join(j.sent, "\n"), strings.Join(want, "\n"))
				equal(t, "not made", count(d, 0, result.CaptureFailed), 4-len(want))
			})
		})
	}
}

// Who gets which row depends on the seed and the order of arrivals, also if some of them are dropped.
func TestRowsAreDealtInArrivalOrder(t *testing.T) {
	var content strings.Builder
	for i := range 50 {
		fmt.Fprintf(&content, "u%d\n", i)
	}
	s := withFile(t, script(get("/{{ $sequence() }}/{{ u }}")), content.String(), scenarios.Payload{Fields: []string{"u"}})
	play := func(processors int, seed uint64, order scenarios.Order) []string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		s.Config.Payloads[0].Order = order
		j := new(journal)
		synctest.Test(t, func(t *testing.T) {
			drive(t, newDriver(compile(t, s, Options{Seed: seed}), j.noting(200, "")), constantly(100, time.Second))
		})
		return j.sorted()
	}
	for _, order := range []scenarios.Order{scenarios.RandomRow, scenarios.SequentialRow, scenarios.OnceRow} {
		want := play(1, 1, order)
		for _, processors := range []int{2, 8} {
			if got := play(processors, 1, order); !slices.Equal(got, want) {
				t.Errorf("order %d: GOMAXPROCS %d: other rows", order, processors)
			}
		}
		if other := play(1, 2, order); slices.Equal(other, want) != (order != scenarios.RandomRow) {
			t.Errorf("order %d: another seed does not matter, or does", order)
		}
	}
	equal(t, "once", len(play(1, 1, scenarios.OnceRow)), 50)
}

func TestProblemsOfPayloads(t *testing.T) {
	for _, c := range []struct {
		name, content string
		payload       scenarios.Payload
		want          string
	}{
		{"no rows", "name\n", scenarios.Payload{Header: true}, "test.yaml:5:11: users.csv has no rows"},
		{"no name", "a,,b\n1,2,3\n", scenarios.Payload{Header: true}, "test.yaml:5:11: users.csv: column 2 has no name"},
		{"an open quotation mark", "a\n\"b\n", scenarios.Payload{Header: true, Delimiter: '"'}, "test.yaml:5:11: users.csv: csv: invalid field or comment delimiter"},
		{"nothing after the lines before", "a\n1\n", scenarios.Payload{Fields: []string{"a"}, FromLine: 9}, "test.yaml:5:11: users.csv has no rows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile(withFile(t, script(get("/")), c.content, c.payload), Options{Target: "http://h"})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	s := script(get("/"))
	s.Config.Payloads = []scenarios.Payload{{Path: "none.csv", Pos: scenarios.Pos{File: "test.yaml", Line: 2, Col: 2}}}
	if _, err := Compile(s, Options{Target: "http://h"}); err == nil || !strings.HasPrefix(err.Error(), "test.yaml:2:2: the file none.csv cannot be read: no such file") {
		t.Errorf("got %v", err)
	}
}

// FuzzCSV checks that no file makes reading it panic or hang, and that without empty lines there is
// nothing that encoding/csv does not have.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"", "a,b\n1,2\n", "\"a\n\nb\"\n\n\nc", "\r\n\r\r\n", "\ufeff\n"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, empties bool) {
		records, err := readCSV([]byte(s), ',', 0, empties)
		if err != nil {
			return
		}
		if most := strings.Count(s, "\n") + 1; len(records) > most {
			t.Errorf("%q: %d records of %d lines", s, len(records), most)
		}
	})
}
