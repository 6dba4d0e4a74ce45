package scenarios

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func environ(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		s, ok := pairs[name]
		return s, ok
	}
}

// explained parses src and returns what is wrong with it, "" if nothing is.
func explained(t *testing.T, file, src string, o Options) string {
	t.Helper()
	s, err := Parse(file, []byte(src), o)
	var problems *Problems
	switch {
	case errors.As(err, &problems) && s == nil:
		return problems.Explain()
	case err != nil || s == nil:
		t.Fatalf("got script %v and error %v", s != nil, err)
	}
	return ""
}

func TestSurroundings(t *testing.T) {
	o := Options{Env: environ(map[string]string{"HOST": "api.example.com", "RATE": "25", "EMPTY": ""}), Environment: "staging", Seed: 7}
	src := `config:
  target: "https://{{ $processEnvironment.HOST }}/{{ $environment }}"
  environments: {staging: {}}
  phases:
    - {duration: "{{ $randomNumber(5, 5) }}", arrivalRate: "{{ $env.RATE }}", name: "{{ $dirname }} {{ $scenarioFile }}"}
  tls: {servername: "{{ $randomString(20) }}"}
  aws: {region: "x{{ $env.EMPTY }}"}
scenarios: [{flow: [get: {url: /}]}]
`
	c := mustParse(t, "load/x.yaml", src, o).Config
	if c.Target != "https://api.example.com/staging" || c.AWS.Region != "x" {
		t.Errorf("got target %q and region %q", c.Target, c.AWS.Region)
	}
	same(t, "phases", c.Phases, []Phase{{Name: "load load/x.yaml", Duration: 5 * time.Second, From: 25, To: 25, Scenario: -1}})
	name := c.TLS.ServerName
	if len(name) != 20 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		t.Errorf("got %q, want 20 letters and digits", name)
	}
	if again := mustParse(t, "load/x.yaml", src, o).Config.TLS.ServerName; again != name {
		t.Errorf("got %q and then %q of the same seed", name, again)
	}
	if o.Seed++; mustParse(t, "load/x.yaml", src, o).Config.TLS.ServerName == name {
		t.Error("another seed draws the same")
	}
}

func TestDraw(t *testing.T) {
	const least, most = "-9223372036854775808", "9223372036854775807"
	p := newParser("x", nil, Options{})
	seen := map[string]bool{}
	for range 200 {
		seen[p.draw("$randomNumber", []string{"-1", "1"})] = true
		p.draw("$randomNumber", []string{least, most})
		if s := p.draw("$randomNumber", []string{least, least}); s != least {
			t.Fatalf("got %s of one number", s)
		}
	}
	if len(seen) != 3 || !seen["-1"] || !seen["0"] || !seen["1"] {
		t.Errorf("got %v, want both ends and what is between", seen)
	}
}

func TestSurroundingsProblems(t *testing.T) {
	got := explained(t, "x.yaml", `config:
  target: "http://{{ $env.HOST }}"
  phases: [{duration: "{{ $testId }}", arrivalRate: "{{ $env }}", name: "{{ $randomNumber(3, 1) }}", maxVusers: "{{ $env.RATE }}"}]
scenarios: [{flow: [get: {url: /}]}]
`, Options{Env: environ(map[string]string{"RATE": "high"})})
	want := `x.yaml:2:22: the process has no environment variable "HOST"
    2 |   target: "http://{{ $env.HOST }}"
      |                      ^^^^^^^^^
      = set it, or name a file that does with --env-file
x.yaml:3:27: "$testId" is known only when the run begins
    3 |   phases: [{duration: "{{ $testId }}", arrivalRate: "{{ $env }}", name: "{{ $randomNumber(3, 1) }}", maxVusers: "{{ $env.RATE }}"}]
      |                           ^^^^^^^
      = use it in flows, or in the headers of http.defaults
x.yaml:3:57: "$env" alone is no text
    3 |   phases: [{duration: "{{ $testId }}", arrivalRate: "{{ $env }}", name: "{{ $randomNumber(3, 1) }}", maxVusers: "{{ $env.RATE }}"}]
      |                                                         ^^^^
      = write {{ $env.NAME }}
x.yaml:3:77: $randomNumber takes two whole numbers, the smaller one first
    3 |   phases: [{duration: "{{ $testId }}", arrivalRate: "{{ $env }}", name: "{{ $randomNumber(3, 1) }}", maxVusers: "{{ $env.RATE }}"}]
      |                                                                             ^^^^^^^^^^^^^
x.yaml:3:113: "high" (from "{{ $env.RATE }}") is not a whole number
    3 |   phases: [{duration: "{{ $testId }}", arrivalRate: "{{ $env }}", name: "{{ $randomNumber(3, 1) }}", maxVusers: "{{ $env.RATE }}"}]
      |                                                                                                                 ^^^^^^^^^^^^^^^^^
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// An environment whose variables are not set is not checked until it is chosen; one without them is, also with -v.
func TestEnvironmentsWithVariables(t *testing.T) {
	src := func(production string) string {
		return "config:\n  target: http://h\n  phases: [{duration: 1, arrivalRate: \"{{ rate }}\"}]\n" +
			"  environments:\n    production: " + production + "\nscenarios: [{flow: [get: {url: /}]}]\n"
	}
	o := Options{Variables: map[string]string{"rate": "5"}}
	if got := explained(t, "x.yaml", src(`{target: "http://{{ $env.HOST }}", drain: "{{ $env.DRAIN }}"}`), o); got != "" {
		t.Errorf("got\n%s\nwant nothing", got)
	}
	if got := explained(t, "x.yaml", src(`{drain: soon}`), o); !strings.Contains(got, `"soon" is not a duration (with -e production)`) {
		t.Errorf("got\n%s", got)
	}
	o.Environment = "production"
	if got := explained(t, "x.yaml", src(`{target: "http://{{ $env.HOST }}"}`), o); !strings.Contains(got, `no environment variable "HOST"`) {
		t.Errorf("got\n%s", got)
	}
}
