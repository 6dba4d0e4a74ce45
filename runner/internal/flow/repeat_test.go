package flow

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

func looping(l scenarios.LoopStep, steps ...scenarios.Step) scenarios.Step {
	l.Pos = scenarios.Pos{File: "test.yaml", Line: 9, Col: 3}
	return scenarios.Step{Kind: scenarios.Loop, Loop: &l, Steps: steps}
}

func times(n int) scenarios.LoopStep { return scenarios.LoopStep{Count: true, To: n} }

// sentBy plays one arrival of s and returns the requests it sends, without the target.
func sentBy(t testing.TB, s *scenarios.Script) (paths []string, d *Driver) {
	t.Helper()
	d = newDriver(compile(t, s, Options{Seed: 1}), nil)
	u := newUser(d.Program, d.Records, d.Recorder.Shard(0))
	now := time.Duration(0)
	for act := u.begin(ticket{sequence: d.Program.take(&d.Program.scenarios[0])}); act != done; now++ {
		switch act {
		case send:
			path := string(u.walk.out.target)
			if u.walk.out.hasBody {
				path += " " + string(u.walk.out.body)
			}
			paths = append(paths, path)
			act = u.walk.answer(ok(), now)
		case wait, say:
			act = u.walk.resume()
		case giveUp:
			act = u.walk.gaveUp(now, 0)
		default:
			t.Fatalf("got action %d", act)
		}
	}
	return paths, d
}

func TestLoops(t *testing.T) {
	over := func(values ...any) scenarios.LoopStep { return scenarios.LoopStep{Over: values} }
	counted := func(s string) scenarios.LoopStep {
		return scenarios.LoopStep{CountText: template(0, s)}
	}
	in := func(name string) scenarios.LoopStep { return scenarios.LoopStep{OverVar: name} }
	object := map[string]any{"id": int64(7), "tags": []any{"x", "y"}}
	for _, c := range []struct {
		name string
		flow []scenarios.Step
		want []string
	}{
		{"a count", []scenarios.Step{looping(times(3), get("/{{ $loopCount }}")), get("/after")}, []string{"/poc/0", "/poc/1", "/poc/2", "/poc/after"}},
		{"a range", []scenarios.Step{looping(scenarios.LoopStep{Count: true, From: 2, To: 4}, get("/{{ $loopCount }}"))}, []string{"/poc/2", "/poc/3"}},
		{"none", []scenarios.Step{looping(times(0), get("/never")), get("/after")}, []string{"/poc/after"}},
		{"a range the wrong way round", []scenarios.Step{looping(scenarios.LoopStep{Count: true, From: 4, To: 2}, get("/never"))}, nil},
		{"without steps", []scenarios.Step{looping(times(3)), get("/after")}, []string{"/poc/after"}},
		{"a count with a hole", []scenarios.Step{looping(counted("{{ two }}"), get("/{{ $loopCount }}"))}, []string{"/poc/0", "/poc/1"}},
		{"a range with a hole", []scenarios.Step{looping(counted("1-{{ two }}"), get("/{{ $loopCount }}"))}, []string{"/poc/1"}},
		{"a list", []scenarios.Step{looping(over("a b", int64(2), true), get("/{{ $loopElement }}?i={{ $loopCount }}"))},
			[]string{"/poc/a%20b?i=0", "/poc/2?i=1", "/poc/true?i=2"}},
		{"a list of nothing", []scenarios.Step{looping(over(), get("/never"))}, nil},
		{"a list of objects", []scenarios.Step{looping(over(object), post("/{{ $loopElement.tags.1 }}", "[{{ $loopElement.id }},{{ $loopElement['tags'] }}]"))},
			[]string{`/poc/y [7,["x","y"]]`}},
		{"a list in a variable", []scenarios.Step{looping(in("list"), get("/{{ $loopElement.a }}"))}, []string{"/poc/1", "/poc/2"}},
		{"a variable that is no list", []scenarios.Step{looping(in("two"), get("/never")), get("/after")}, []string{"/poc/after"}},
		{"other names", []scenarios.Step{looping(scenarios.LoopStep{Over: []any{"x"}, Value: "i", Element: "e"}, get("/{{ i }}/{{ e }}"))}, []string{"/poc/0/x"}},
		{"in a loop", []scenarios.Step{looping(scenarios.LoopStep{Count: true, To: 2, Value: "i"}, looping(times(2), get("/{{ i }}/{{ $loopCount }}")), get("/{{ i }}"))},
			[]string{"/poc/0/0", "/poc/0/1", "/poc/0", "/poc/1/0", "/poc/1/1", "/poc/1"}},
		{"numbers of the run", []scenarios.Step{looping(times(2), post("/", "{{ $sequence() }}")), post("/", "{{ $sequence() }}")}, []string{"/poc/ 1", "/poc/ 2", "/poc/ 3"}},
		{"numbers of a loop nobody sees the end of", []scenarios.Step{looping(scenarios.LoopStep{Count: true, To: 1 << 40},
			looping(scenarios.LoopStep{Count: true, To: 1 << 40}, post("/{{ many }}", "{{ $sequence() }}")))}, nil},
		{"more numbers than anybody knew", []scenarios.Step{looping(counted("{{ two }}"), post("/", "{{ $sequence() }}")), post("/", "{{ $sequence() }}")},
			[]string{"/poc/ 1", "/poc/ 2", "/poc/ 3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script(c.flow...)
			s.Config.Variables = []scenarios.Variable{{Name: "two", Values: []string{"2"}, Typed: []any{int64(2)}},
				{Name: "many"}, {Name: "list", Values: []string{"…"}, Typed: []any{[]any{map[string]any{"a": int64(1)}, map[string]any{"a": int64(2)}}}}}
			got, _ := sentBy(t, s)
			equal(t, "sent", fmt.Sprintf("%q", got), fmt.Sprintf("%q", c.want))
		})
	}
}

// A count that is none is a request that cannot be made, not a loop that never ends.
func TestACountThatIsNone(t *testing.T) {
	for _, text := range []string{"many", "1-", "", "0x10"} {
		s := script(looping(scenarios.LoopStep{CountText: template(0, "{{ n }}")}, get("/never")), get("/after"))
		s.Config.Variables = []scenarios.Variable{{Name: "n", Values: []string{text}}}
		got, d := sentBy(t, s)
		equal(t, "sent", got, []string{})
		equal(t, "not made", count(d, 0, result.CaptureFailed), 1)
	}
}

// Loops side by side count for themselves.
func TestLoopsSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := script(looping(scenarios.LoopStep{Count: true, To: 2, Value: "i"},
			sideBySide(0, looping(times(2), get("/{{ i }}/a{{ $loopCount }}")), looping(times(3), get("/{{ i }}/b{{ $loopCount }}")))))
		drive(t, newDriver(compile(t, s, Options{}), j.noting(200, "")), constantly(1, time.Second))
		var want []string
		for i := range 2 {
			want = append(want, fmt.Sprintf("GET http://api.example/poc/%d/a0", i), fmt.Sprintf("GET http://api.example/poc/%d/a1", i),
				fmt.Sprintf("GET http://api.example/poc/%d/b0", i), fmt.Sprintf("GET http://api.example/poc/%d/b1", i), fmt.Sprintf("GET http://api.example/poc/%d/b2", i))
		}
		equal(t, "sent", j.sorted(), want)
	})
}

func TestThinkTimeWithHolesAndJitter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"2": 2 * time.Second, "0.5": 500 * time.Millisecond, "250ms": 250 * time.Millisecond, "2m30s": 150 * time.Second,
		"1 minute": time.Minute, "2 Days": 48 * time.Hour, "10 secs": 10 * time.Second,
	} {
		got, ok := durationOf(text)
		if !ok || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "soon", "-1", "-1s", "1 fortnight", "1e300 days", "NaN"} {
		if got, ok := durationOf(text); ok {
			t.Errorf("%q: got %v, want none", text, got)
		}
	}
	for _, c := range []struct {
		name        string
		jitter      scenarios.Jitter
		least, most time.Duration
	}{
		{"none", scenarios.Jitter{}, 4 * time.Second, 4 * time.Second},
		{"a share", scenarios.Jitter{Share: 0.25}, 3 * time.Second, 5 * time.Second},
		{"a duration", scenarios.Jitter{Most: 5 * time.Second}, 0, 9 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script(scenarios.Step{Kind: scenarios.Think, PauseText: template(0, "{{ n }}s")}, get("/"))
			s.Config.Variables = []scenarios.Variable{{Name: "n", Values: []string{"4"}}}
			s.Config.HTTP.ThinkJitter = c.jitter
			u, _ := walker(t, s)
			least, most := time.Hour, time.Duration(0)
			for seq := range uint64(500) {
				equal(t, "action", u.begin(ticketOf(seq)), wait)
				least, most = min(least, u.walk.intended), max(most, u.walk.intended)
			}
			slack := (c.most - c.least) / 50
			if least < c.least || most > c.most || least > c.least+slack || most < c.most-slack {
				t.Errorf("got %v to %v, want %v to %v", least, most, c.least, c.most)
			}
		})
	}
}

func TestAPauseThatIsNone(t *testing.T) {
	s := script(scenarios.Step{Kind: scenarios.Think, PauseText: template(0, "{{ n }}")}, get("/"))
	s.Config.Variables = []scenarios.Variable{{Name: "n", Values: []string{"a while"}}}
	got, d := sentBy(t, s)
	equal(t, "sent", got, []string{})
	equal(t, "not made", count(d, 0, result.CaptureFailed), 1)
}

func TestConditions(t *testing.T) {
	vars := []scenarios.Variable{
		{Name: "n", Values: []string{"5"}, Typed: []any{int64(5)}}, {Name: "s", Values: []string{"x"}}, {Name: "digits", Values: []string{"10"}},
		{Name: "no", Values: []string{"false"}, Typed: []any{false}}, {Name: "zero", Values: []string{"0"}, Typed: []any{int64(0)}}, {Name: "empty", Values: []string{""}},
		{Name: "many"}, {Name: "list", Values: []string{""}, Typed: []any{[]any{int64(1), map[string]any{"a": "b"}}}},
	}
	for expression, want := range map[string]bool{
		`n > 4 and s == "x"`: true, `n > 5`: false, `n == 5`: true, `not (n < 3) or nope`: true, `nope`: false, `nope > 4`: false, `nope.a.b == 1`: false,
		`digits > 9`: true, `digits == 10`: true, `10 != digits`: false, `s > 4`: false, `s`: true, `no`: false, `zero`: false, `empty`: false, `n`: true,
		`list[1].a == "b"`: true, `len(list) == 2`: true, `s in ["x", "y"]`: true, `n % 2 == 1`: true, `list[0] % 2 == 1`: true, `n / 2 == 2.5`: true, `n * 2 > digits`: false, `1 > 2`: false, `-1 < n`: true,
	} {
		t.Run(expression, func(t *testing.T) {
			st := get("/maybe")
			st.If = expression
			s := script(st, get("/after"))
			s.Config.Variables = vars
			got, _ := sentBy(t, s)
			equal(t, "sent", len(got) == 2, want)
		})
	}
	st := get("/")
	st.If, st.IfPos = "a >", scenarios.Pos{File: "test.yaml", Line: 4, Col: 7}
	_, err := Compile(script(st), Options{Target: "http://h"})
	if err == nil || err.Error() != `test.yaml:4:7: "a >" is not an expression` {
		t.Errorf("got %v", err)
	}
}

// A condition sees what its loop counts.
func TestConditionsInLoops(t *testing.T) {
	st := get("/{{ $loopCount }}")
	st.If = "$loopCount > 0 and $loopElement.use"
	got, _ := sentBy(t, script(looping(scenarios.LoopStep{Over: []any{map[string]any{"use": true}, map[string]any{"use": false}, map[string]any{"use": true}}}, st)))
	equal(t, "sent", got, []string{"/poc/2"})
}

func TestChances(t *testing.T) {
	for _, c := range []struct {
		skip        float64
		least, most int
	}{{0, 1000, 1000}, {1, 0, 0}, {0.75, 200, 300}} {
		st := get("/maybe")
		st.Skip = c.skip
		u, _ := walker(t, script(st))
		n := 0
		for seq := range uint64(1000) {
			if u.begin(ticketOf(seq)) == send {
				n++
			}
		}
		if n < c.least || n > c.most {
			t.Errorf("skip %v: got %d of 1000", c.skip, n)
		}
	}
}
