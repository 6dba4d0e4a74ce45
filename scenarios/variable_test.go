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
		{Name: "users", Values: []string{`{"ids":[1,5,"n5"],"name":"api"}`, "8080"},
			Typed: []any{map[string]any{"name": "api", "ids": []any{int64(1), int64(5), "n5"}}, "8080"}},
		{Name: "host", Values: []string{"api"}, Typed: []any{"api"}},
	})
}

func TestVariablesWithWrongHoles(t *testing.T) {
	got := explained(t, "x.yaml", `config:
  target: http://h
  variables: {a: "{{ b }}", b: 1, c: ["{{ $sequence() }}"], d: [.inf, [.nan]]}
scenarios: [{flow: [get: {url: /}]}]
`, Options{})
	want := `x.yaml:3:22: unknown variable "b"
    3 |   variables: {a: "{{ b }}", b: 1, c: ["{{ $sequence() }}"], d: [.inf, [.nan]]}
      |                      ^
      = known: $environment
x.yaml:3:43: functions can be called in flows only, and "$sequence" is one
    3 |   variables: {a: "{{ b }}", b: 1, c: ["{{ $sequence() }}"], d: [.inf, [.nan]]}
      |                                           ^^^^^^^^^
x.yaml:3:71: a list holds a number that JSON does not have
    3 |   variables: {a: "{{ b }}", b: 1, c: ["{{ $sequence() }}"], d: [.inf, [.nan]]}
      |                                                                       ^^^^^
      = put it in quotes if it is a text
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
