package scenarios

import "testing"

// Values of variables may have holes, for what is known by then.
func TestVariablesWithHoles(t *testing.T) {
	src := `config:
  target: http://h
  phases: [{duration: 1, arrivalRate: 1}]
  variables:
    port: "{{ $env.PORT }}"
    url: "http://{{ host }}:{{ port }}"
    five: "{{ $randomNumber(5, 5) }}"
    same: "{{ five }}"
    given: "{{ rate }}"
    rate: 1
    api: {hosts: [{name: one, port: 81}, two], on: true}
    second: "{{ api.hosts.1 }}"
    ports: "{{ api.hosts.0.port }}"
    all: "x{{ api.on }}{{ api.hosts[0] }}"
    users: [{name: "{{ host }}", ids: [1, "{{ five }}", "n{{ five }}"]}, "{{ $env.PORT }}"]
scenarios: [{flow: [get: {url: /}]}]
`
	s := mustParse(t, "x.yaml", src, Options{
		Env: environ(map[string]string{"PORT": "8080"}), Variables: map[string]string{"host": "api", "rate": "2.5"}})
	same(t, "variables", s.Config.Variables, []Variable{
		{Name: "port", Values: []string{"8080"}, Typed: []any{"8080"}},
		{Name: "url", Values: []string{"http://api:8080"}, Typed: []any{"http://api:8080"}},
		{Name: "five", Values: []string{"5"}, Typed: []any{int64(5)}},
		{Name: "same", Values: []string{"5"}, Typed: []any{int64(5)}},
		{Name: "given", Values: []string{"2.5"}, Typed: []any{2.5}},
		{Name: "rate", Values: []string{"2.5"}, Typed: []any{2.5}},
		{Name: "api", Values: []string{`{"hosts":[{"name":"one","port":81},"two"],"on":true}`},
			Typed: []any{map[string]any{"hosts": []any{map[string]any{"name": "one", "port": int64(81)}, "two"}, "on": true}}},
		{Name: "second", Values: []string{"two"}, Typed: []any{"two"}},
		{Name: "ports", Values: []string{"81"}, Typed: []any{int64(81)}},
		{Name: "all", Values: []string{`xtrue{"name":"one","port":81}`}, Typed: []any{`xtrue{"name":"one","port":81}`}},
		{Name: "users", Values: []string{`{"ids":[1,5,"n5"],"name":"api"}`, "8080"},
			Typed: []any{map[string]any{"name": "api", "ids": []any{int64(1), int64(5), "n5"}}, "8080"}},
		{Name: "host", Values: []string{"api"}, Typed: []any{"api"}},
	})
}

func TestVariablesWithWrongHoles(t *testing.T) {
	got := explained(t, "x.yaml", `config:
  target: http://h
  variables: {a: "{{ b }}", b: 1, c: ["{{ $sequence() }}"], d: [.inf, [.nan]], e: {f: [1]}, g: "{{ e.f.1 }}{{ e.f.x }}{{ e.h }}"}
scenarios: [{flow: [get: {url: /}]}]
`, Options{})
	want := `x.yaml:3:22: unknown variable "b"
    3 |   variables: {a: "{{ b }}", b: 1, c: ["{{ $sequence() }}"], d: [.inf, [.nan]], e: {f: [1]}, g: "{{ e.f.1 }}{{ e.f.x }}{{ e.h }}"}
      |                      ^
      = known: $environment
x.yaml:3:43: functions can be called in flows only, and "$sequence" is one
    3 |   variables: {a: "{{ b }}", b: 1, c: ["{{ $sequence() }}"], d: [.inf, [.nan]], e: {f: [1]}, g: "{{ e.f.1 }}{{ e.f.x }}{{ e.h }}"}
      |                                           ^^^^^^^^^
x.yaml:3:71: a list holds a number that JSON does not have
    3 |   variables: {a: "{{ b }}", b: 1, c: ["{{ $sequence() }}"], d: [.inf, [.nan]], e: {f: [1]}, g: "{{ e.f.1 }}{{ e.f.x }}{{ e.h }}"}
      |                                                                       ^^^^^
      = put it in quotes if it is a text
x.yaml:3:100: the variable "e" has no "f.1"
    3 |   variables: {a: "{{ b }}", b: 1, c: ["{{ $sequence() }}"], d: [.inf, [.nan]], e: {f: [1]}, g: "{{ e.f.1 }}{{ e.f.x }}{{ e.h }}"}
      |                                                                                                    ^^^^^
x.yaml:3:111: the variable "e" has no "f.x"
    3 |   variables: {a: "{{ b }}", b: 1, c: ["{{ $sequence() }}"], d: [.inf, [.nan]], e: {f: [1]}, g: "{{ e.f.1 }}{{ e.f.x }}{{ e.h }}"}
      |                                                                                                               ^^^^^
x.yaml:3:122: the variable "e" has no "h"
    3 |   variables: {a: "{{ b }}", b: 1, c: ["{{ $sequence() }}"], d: [.inf, [.nan]], e: {f: [1]}, g: "{{ e.f.1 }}{{ e.f.x }}{{ e.h }}"}
      |                                                                                                                          ^^^
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
