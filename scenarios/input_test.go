package scenarios

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const plain = `config:
  target: http://h
  phases: [{duration: 1, arrivalRate: 1}, {duration: 2, arrivalRate: 2}]
  ensure: {p99: 100}
  payload: {path: users.csv, fields: [user]}
scenarios:
  - {name: read one, flow: [get: {url: /1}]}
  - {name: read all, weight: 0, flow: [get: {url: /}]}
faults:
  - {do: disable-key, key: k, at: 1}
`

func TestTextsAreMerged(t *testing.T) {
	s := mustParse(t, "load/x.yaml", plain, Options{
		Over: []Text{
			{File: "load/more.yaml", Text: []byte("config:\n  ensure: {p95: 50}\n  phases: [{duration: 9, arrivalRate: 9}]\n")},
			{File: "conf/config.yaml", Text: []byte(`{"config": {"processor": "./f.js", "timeout": 5, "target": "http://other"}}`), Processor: true},
		},
		Overrides: `{"config": {"timeout": 7, "phases": [{"duration": 3, "arrivalRate": 3}]}}`,
		Target:    "http://mine",
	})
	c := s.Config
	if c.Target != "http://mine" || c.HTTP.Timeout != 7*time.Second || len(c.Ensure) != 2 {
		t.Errorf("got target %q, timeout %v and ensure %v", c.Target, c.HTTP.Timeout, c.Ensure)
	}
	if want := filepath.Join("..", "conf", "f.js"); c.Processor != want {
		t.Errorf("got processor %q, want %q, since it is beside the file that names it", c.Processor, want)
	}
	for _, at := range []struct{ got, want string }{
		{c.Phases[0].Pos.String(), "--overrides:1:38"},
		{c.ProcPos.String(), "conf/config.yaml:1:26"},
		{s.Faults[0].Pos.String(), "load/x.yaml:10:5"},
	} {
		if at.got != at.want {
			t.Errorf("got place %s, want %s", at.got, at.want)
		}
	}
	if len(s.Notes) != 1 || s.Notes[0].File != "load/more.yaml" || !strings.Contains(s.Notes[0].Text, "this list replaces the one in load/x.yaml") {
		t.Errorf("got notes %v, want one about the phases", s.Notes)
	}
	same(t, "phases", c.Phases, []Phase{{Duration: 3 * time.Second, From: 3, To: 3, Scenario: -1}})
	problems := s.Problems([]*Problem{{File: "load/more.yaml", Line: 2, Col: 3, Msg: "oh"}})
	if got, want := problems.Explain(), "load/more.yaml:2:3: oh\n    2 |   ensure: {p95: 50}\n      |   ^^^^^^\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestProblemsInSeveralTexts(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"overrides", Options{Overrides: `{"config": {"phases": [{"duraton": 1, "arrivalRate": 1}]}}`},
			"--overrides:1:25: unknown key \"duraton\" in phase\n" +
				"    1 | {\"config\": {\"phases\": [{\"duraton\": 1, \"arrivalRate\": 1}]}}\n" +
				"      |                         ^^^^^^^^^\n      = did you mean \"duration\"?\n"},
		{"overrides that are no JSON", Options{Overrides: `{"config": `},
			"--overrides:1:1: a value is missing\n    1 | {\"config\": \n      | ^^^^^^^^^^\n      = check the brackets, commas and quotes\n"},
		{"overrides that are no object", Options{Overrides: `[1]`},
			"--overrides:1:1: --overrides must be a JSON object, not a list\n    1 | [1]\n      | ^^\n" +
				"      = write '{\"config\": {\"phases\": [{\"duration\": 10, \"arrivalRate\": 5}]}}'\n"},
		{"a place in each", Options{Over: []Text{{File: "a.yaml", Text: []byte("\n\nconfig: {timeout: 5}\n")},
			{File: "b.yaml", Text: []byte("config:\n  http:\n    timeout: 5\n")}}},
			"a.yaml:3:10: \"timeout\" is set in config and in http\n    3 | config: {timeout: 5}\n      |          ^^^^^^^\n" +
				"      = remove it; the other is on line 3 of b.yaml\n"},
		{"a file that is none", Options{Over: []Text{{File: "a.yaml", Text: []byte("config: [\n")}, {File: "b.yaml"}}},
			"a.yaml:1:1: a value is missing\n    1 | config: [\n      | ^^^^^^^^^\n      = check the brackets, commas and quotes\n" +
				"b.yaml:1:1: the file is empty\n    1 | \n      | ^\n      = it needs at least config and scenarios\n"},
		{"a fault of another file", Options{Over: []Text{{File: "a.yaml", Text: []byte("faults:\n  - {do: disable-key, key: k, at: 0, expect: {before: {succeed: 100%}}}\n")}}},
			"a.yaml:2:55: nothing can be expected before a fault with which the run begins\n" +
				"    2 |   - {do: disable-key, key: k, at: 0, expect: {before: {succeed: 100%}}}\n      |                                                       ^^^^^^^^\n      = let it begin later\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := explained(t, "x.yaml", plain, c.o); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestChoice(t *testing.T) {
	s := mustParse(t, "x.yaml", plain, Options{Scenario: "all$", Solo: true, Payload: "/tmp/other.csv", Insecure: true})
	if len(s.Scenarios) != 1 || s.Scenarios[0].Name != "read all" || s.Scenarios[0].Weight != 1 {
		t.Errorf("got scenarios %+v, want the one that matches, to be played", s.Scenarios)
	}
	same(t, "phases", s.Config.Phases, []Phase{{Duration: time.Second, From: 1, To: 1, Scenario: -1}})
	if s.Faults != nil || len(s.Notes) != 1 || s.Notes[0].Pos != (Pos{File: "--solo"}) {
		t.Errorf("got faults %v and notes %v, want none, and one about it", s.Faults, s.Notes)
	}
	if p := s.Config.Payloads[0]; p.Path != "/tmp/other.csv" || p.PathPos.File != "-p" || !s.Config.TLS.Insecure {
		t.Errorf("got payload %+v, insecure %v", p, s.Config.TLS.Insecure)
	}
	if s := mustParse(t, "x.yaml", plain, Options{Scenario: "read one"}); s.Scenarios[0].Name != "read one" || len(s.Faults) != 1 {
		t.Errorf("got %+v", s.Scenarios)
	}
}

func TestChoiceProblems(t *testing.T) {
	const twice = "config:\n  target: http://h\n  payload: [{path: a.csv, fields: [a]}, {path: b.csv, fields: [b]}]\nscenarios: [{flow: [get: {url: /}]}]\n"
	const none = "config: {target: http://h}\nscenarios: [{flow: [get: {url: /}]}]\n"
	for _, c := range []struct {
		name, src string
		o         Options
		want      string
	}{
		{"no such scenario", plain, Options{Scenario: "read onee"}, "--scenario-name: no scenario is called \"read onee\"\n      = did you mean \"read one\"?\n"},
		{"several", plain, Options{Scenario: "read"}, "--scenario-name: \"read\" matches 2 scenarios\n      = the scenarios are: read all and read one\n"},
		{"no names", none, Options{Scenario: "("}, "--scenario-name: no scenario is called \"(\"\n      = the scenarios have no names\n"},
		{"several payloads", twice, Options{Payload: "c.csv"},
			"-p: the script has more than one payload, and -p names the file of one\n      = name the files in config.payload\n"},
		{"no payload", none, Options{Payload: "c.csv"},
			"-p: the script has no payload whose file could be another\n      = say in config.payload what its columns are\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := explained(t, "x.yaml", c.src, c.o); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// The path of a file is as it is from the script's folder, wherever either is.
func TestBeside(t *testing.T) {
	for _, c := range []struct{ path, script, want string }{
		{"a.csv", "x.yaml", "a.csv"},
		{"data/a.csv", "load/x.yaml", "../data/a.csv"},
		{"/data/a.csv", "load/x.yaml", "/data/a.csv"},
		{"load/a.csv", "load/x.yaml", "a.csv"},
	} {
		if got := filepath.ToSlash(Beside(c.path, c.script)); got != c.want {
			t.Errorf("%s from %s: got %s, want %s", c.path, c.script, got, c.want)
		}
	}
	if got := Beside("a.csv", "/load/x.yaml"); !filepath.IsAbs(got) || filepath.Base(got) != "a.csv" {
		t.Errorf("got %s, want the whole path", got)
	}
}

// FuzzMerge checks that no file and no overrides, merged over a script, end or stop us, and that every problem is at a
// place of one of the three.
func FuzzMerge(f *testing.F) {
	f.Add("config: {timeout: 5}\n", `{"config": {"phases": [{"duration": 1, "arrivalRate": 1}]}}`)
	f.Add("config: &c {environments: {a: *c}}\n", `{"scenarios": null}`)
	f.Add("faults:\n  - {do: disable-key, key: k, at: 0}\n", "[")
	f.Add("config: {variables: {a: \"{{ b }}\"}, processor: ./f.js}\n", `{"config": {"variables": {"a": [1, {"b": 2}]}}}`)
	f.Add("before: {flow: [get: {url: /}]}\n", "a\n: b\n\n")
	f.Fuzz(func(t *testing.T, over, overrides string) {
		s, err := Parse("x.yaml", []byte(plain), Options{Over: []Text{{File: "over.yaml", Text: []byte(over), Processor: true}}, Overrides: overrides})
		var problems *Problems
		switch {
		case err == nil:
			checkScript(t, s)
		case s != nil || !errors.As(err, &problems) || len(problems.List) == 0:
			t.Fatalf("got script %v and error %v", s != nil, err)
		default:
			lines := map[string]int{"x.yaml": len(splitLines([]byte(plain))), "over.yaml": len(splitLines([]byte(over))),
				"--overrides": len(splitLines([]byte(overrides)))}
			for _, p := range problems.List {
				if most, there := lines[p.File]; !there || p.Line > most {
					t.Errorf("%s: there is no such place", p.Error())
				}
			}
			if problems.Explain() == "" {
				t.Error("got no explanation")
			}
		}
	})
}
