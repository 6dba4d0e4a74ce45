package flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

func functionsNamed(names ...string) (all []scenarios.Func) {
	for _, name := range names {
		all = append(all, scenarios.Func{Name: name, Pos: scenarios.Pos{File: "test.yaml", Line: 8, Col: 4}})
	}
	return all
}

// A tally is what functions emitted.
type tally struct {
	mu   sync.Mutex
	seen map[string]float64
}

func (m *tally) add(name string, v float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[string]float64{}
	}
	m.seen[name] += v
}

func (m *tally) Count(name string, n float64)   { m.add("count "+name, n) }
func (m *tally) Observe(name string, v float64) { m.add("observe "+name, v) }
func (m *tally) Rate(name string)               { m.add("rate "+name, 1) }

// hooked plays two arrivals of a script with hooks.js, and returns what was sent and logged.
func hooked(t *testing.T, s *scenarios.Script, transport respond) (sent []string, log string, d *Driver) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.File, s.Config.Processor = "testdata/processor/script.yaml", "hooks.js"
		var book logbook
		d = newDriver(compile(t, s, Options{Log: &book}), respond(func(r *http.Request) (*http.Response, error) {
			sent = append(sent, strings.ReplaceAll(shown(r, "X-Count", "X-Drop", "Authorization", "Content-Type", "Cookie"), "http://api.example/poc", ""))
			return transport(r)
		}))
		d.Metrics = new(tally)
		d.Timeout = s.Config.HTTP.Timeout
		drive(t, d, constantly(1, 2*time.Second))
		log = book.String()
	})
	return sent, log, d
}

func TestFunctionsBeforeARequest(t *testing.T) {
	step := func(names ...string) scenarios.Step {
		st := post("/start", `{"n":{{ n }}}`)
		st.Headers = append(st.Headers, scenarios.Header{Name: "X-Drop", Value: template(0, "x")})
		st.Before = functionsNamed(names...)
		return st
	}
	const same = ` X-Drop=x Content-Type=application/json `
	for _, c := range []struct {
		name  string
		funcs []string
		want  string // of the first request
	}{
		{"that changes nothing", []string{"count", "nothing"}, "POST /start X-Count=1" + same + `{"n":1}`},
		{"that rewrites all", []string{"count", "rewrite"}, "PUT /ada?u=ada X-Count=1 Authorization=Bearer ada Content-Type=application/json " +
			`{"who":"ada","said":"hi ada","n":1,"id":3}`},
		{"that adds a field", []string{"count", "field"}, "POST /start X-Count=1" + same + `{"n":1,"extra":"ada"}`},
		{"that sets a text", []string{"text"}, "POST /start" + same + `a ada "b"`},
		{"that sets a form", []string{"form"}, "POST /start?q=1+2 X-Drop=x Authorization=Basic dTpw Content-Type=application/json Cookie=c=ada a=b+c&user=ada%26"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script(step(c.funcs...))
			s.Scenarios[0].BeforeScenario = functionsNamed("prepare")
			sent, log, d := hooked(t, s, func(*http.Request) (*http.Response, error) { return answered(200, ""), nil })
			if len(sent) != 2 || sent[0] != c.want {
				t.Errorf("got %q, want %s\n%s", sent, c.want, log)
			}
			equal(t, "answered", count(d, 0, result.OK), 2)
		})
	}
	t.Run("of a text, with everything set", func(t *testing.T) {
		st := post("/start", "plain {{ user }}")
		st.Headers = []scenarios.Header{{Name: "X-Drop", Value: template(0, "x")}}
		st.Body = template(scenarios.Plain, "plain {{ user }}")
		st.Cookies, st.Auth = fieldsOf("own", "{{ user }}"), &scenarios.Auth{User: template(0, "{{ user }}"), Password: template(0, "x")}
		st.Before = functionsNamed("bare")
		s := script(st)
		s.Scenarios[0].BeforeScenario = functionsNamed("prepare")
		sent, _, _ := hooked(t, s, func(*http.Request) (*http.Response, error) { return answered(200, ""), nil })
		equal(t, "sent", sent[0], "POST /bare Authorization=Basic YWRhOng= Cookie=own=ada plain ada")
	})
	t.Run("of every request of a scenario", func(t *testing.T) {
		s := script(get("/a"), get("/b"), post("/c", "{}"))
		s.Scenarios[0].BeforeRequest = functionsNamed("count")
		sent, _, _ := hooked(t, s, func(*http.Request) (*http.Response, error) { return answered(200, ""), nil })
		equal(t, "sent", strings.Join(sent, ", "), "GET /a X-Count=1, GET /b X-Count=2, POST /c X-Count=3 Content-Type=application/json {}, "+
			"GET /a X-Count=4, GET /b X-Count=5, POST /c X-Count=6 Content-Type=application/json {}")
	})
	t.Run("that refuses", func(t *testing.T) {
		s := script(step("refuse"))
		s.Scenarios[0].OnError = functionsNamed("report")
		sent, log, d := hooked(t, s, nil)
		equal(t, "sent", len(sent), 0)
		equal(t, "not made", count(d, 0, result.CaptureFailed), 2)
		if want := "report function refuse: Error: not this one, of http://api.example/poc/start\n"; strings.Count(log, want) != 2 {
			t.Errorf("got the log %q, want %q twice", log, want)
		}
	})
}

func TestWhatFunctionsSeeOfAnAnswer(t *testing.T) {
	st := post("/record", `{"a":1}`)
	st.After = functionsNamed("look")
	s := script(st, get("/{{ last }}"))
	s.Scenarios[0].AfterResponse = functionsNamed("peek")
	sent, log, d := hooked(t, s, func(*http.Request) (*http.Response, error) {
		time.Sleep(25 * time.Millisecond)
		return answered(201, `{"id":17}`), nil
	})
	equal(t, "sent", sent[1], "GET /17")
	once := "peek 201\nPOST http://api.example/poc/record: 201 application/json, {\"a\":1}, 25\npeek 201\n"
	equal(t, "log", log, once+once)
	equal(t, "emitted", d.Metrics.(*tally).seen, map[string]float64{"count looked": 4, "observe length": 18, "rate answers": 2, "count errors.ELOOK": 2})
}

// Functions look at an answer that failed, too; then the flow is over.
func TestFunctionsAfterAFailedRequest(t *testing.T) {
	st := get("/a")
	st.After = functionsNamed("peek")
	s := script(st, get("/b"))
	s.Scenarios[0].OnError = functionsNamed("report")
	sent, log, d := hooked(t, s, func(*http.Request) (*http.Response, error) { return answered(500, ""), nil })
	equal(t, "sent", sent, []string{"GET /a", "GET /a"})
	once := "peek 500\nreport ServerError, of http://api.example/poc/a\n"
	equal(t, "log", log, once+once)
	equal(t, "classes", []uint64{count(d, 0, result.ServerError), d.Recorder.Steps()[0].Classes.Total()}, []uint64{2, 2})
}

func TestAFunctionThatRejectsAnAnswer(t *testing.T) {
	st := get("/a")
	st.After = functionsNamed("reject")
	sent, log, d := hooked(t, script(st, get("/b")), func(*http.Request) (*http.Response, error) { return answered(200, ""), nil })
	equal(t, "sent", sent, []string{"GET /a", "GET /a"})
	equal(t, "log", log, "function reject: Error: not this answer\n")
	equal(t, "classes", []uint64{count(d, 0, result.OK), count(d, 0, result.CaptureFailed)}, []uint64{2, 2})
}

func TestFunctionsAroundAFlow(t *testing.T) {
	for _, c := range []struct {
		status int
		log    string
	}{{200, "finish prepare\n"}, {404, "report NotFound, of http://api.example/poc/\n"}} {
		s := script(get("/"))
		s.Scenarios[0].BeforeScenario = functionsNamed("prepare")
		s.Scenarios[0].AfterScenario = functionsNamed("finish")
		s.Scenarios[0].OnError = functionsNamed("report")
		_, log, _ := hooked(t, s, func(*http.Request) (*http.Response, error) { return answered(c.status, ""), nil })
		equal(t, "log", log, c.log+c.log)
	}
}

// What functions left before the load every user starts with, in a copy of its own; a table all of them
// share.
func TestFunctionsBeforeTheLoad(t *testing.T) {
	for name, file := range map[string]string{"two rows": "x\n1\n2\n", "no rows": "x\n"} {
		t.Run(name, func(t *testing.T) {
			s := withFile(t, script(calls("add"), get("/{{ path }}/{{ user }}/{{ table.0.x }}")), file, scenarios.Payload{Header: true, All: true, Name: "table"})
			s.Before = []scenarios.Step{calls("setUp"), get("/{{ hidden }}")}
			here, err := filepath.Abs("testdata/processor/hooks.js")
			if err != nil {
				t.Fatal(err)
			}
			if s.Config.Processor, err = filepath.Rel(filepath.Dir(s.File), here); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				j := new(journal)
				transport := j.noting(200, "")
				d := newDriver(compile(t, s, Options{}), transport)
				if err := d.Program.Before(t.Context(), transport); err != nil {
					t.Fatal(err)
				}
				drive(t, d, constantly(1, 2*time.Second))
				want := "GET http://api.example/poc/h"
				if name == "two rows" {
					want += strings.Repeat("\nGET http://api.example/poc/2/h/2/before/1", 2)
				}
				equal(t, "sent", strings.Join(j.sent, "\n"), want)
			})
		})
	}
}

func TestFunctionsThatDecide(t *testing.T) {
	maybe := func(name string) scenarios.Step {
		st := get("/" + name)
		st.If = name
		return st
	}
	s := script(maybe("isAda"), maybe("isBob"), looping(scenarios.LoopStep{While: functionsNamed("more")[0]}, get("/more/{{ $loopCount }}")),
		looping(scenarios.LoopStep{Over: []any{"x", "y"}, While: functionsNamed("never")[0]}, get("/once/{{ $loopElement }}")),
		looping(scenarios.LoopStep{Over: []any{"x", "y"}}, calls("seesLoop"), get("/{{ seen }}")))
	s.Scenarios[0].BeforeScenario = functionsNamed("prepare")
	sent, log, _ := hooked(t, s, func(*http.Request) (*http.Response, error) { return answered(200, ""), nil })
	want := []string{"GET /isAda", "GET /more/0", "GET /more/1", "GET /more/2", "GET /once/x", "GET /0x", "GET /1y"}
	equal(t, "sent", sent, append(want, want...))
	equal(t, "log", log, "")
	sent, _, d := hooked(t, script(maybe("fails"), get("/after")), nil)
	equal(t, "sent", len(sent), 0)
	equal(t, "not made", count(d, 0, result.CaptureFailed), 2)
}

func TestTimers(t *testing.T) {
	for _, c := range []struct {
		name string
		want string // what is sent, or why not
	}{
		{"waits", "GET /late"},
		{"sleeps", "GET /rested"},
		{"waitsTooLong", "function waitsTooLong: its timers take longer than config.http.timeout, 5s"},
		{"neverCalls", "function neverCalls: it returned without calling its callback"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script(calls(c.name), get("/{{ user }}"))
			s.Config.HTTP.Timeout = 5 * time.Second
			sent, log, _ := hooked(t, s, func(*http.Request) (*http.Response, error) { return answered(200, ""), nil })
			if strings.HasPrefix(c.want, "GET") {
				equal(t, "sent", sent, []string{c.want, c.want})
			} else {
				equal(t, "log", log, c.want+"\n")
			}
		})
	}
}

// A function that waits for a timer keeps no other from running: ten users wait at once.
func TestTimersWaitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(calls("waits"), get("/{{ user }}"))
		s.File, s.Config.Processor = "testdata/processor/script.yaml", "hooks.js"
		d := newDriver(compile(t, s, Options{}), after(0))
		equal(t, "took", drive(t, d, constantly(10, time.Second)), 2900*time.Millisecond)
		equal(t, "answered", count(d, 0, result.OK), 10)
	})
	// The end of the run ends their waiting.
	synctest.Test(t, func(t *testing.T) {
		s := script(calls("waits"), get("/"))
		s.File, s.Config.Processor = "testdata/processor/script.yaml", "hooks.js"
		d := newDriver(compile(t, s, Options{}), after(0))
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		time.AfterFunc(1500*time.Millisecond, func() { cancel(enough) })
		began := time.Now()
		equal(t, "cause", d.Drive(ctx, began, constantly(1, time.Hour)), enough)
		equal(t, "took", time.Since(began), 1500*time.Millisecond)
		equal(t, "unfinished", d.Stats().Unfinished, 2)
	})
}

func TestBuiltInVariablesInFunctions(t *testing.T) {
	_, log, _ := hooked(t, script(calls("built"), get("/")), func(*http.Request) (*http.Response, error) { return answered(200, ""), nil })
	line := "http://api.example/poc testdata/processor/script.yaml true string\n"
	equal(t, "log", log, line+line)
}

// Branches of one user share its variables and its functions. Run with -race.
func TestFunctionsSideBySide(t *testing.T) {
	steps := []scenarios.Step{}
	for i := range 8 {
		st := get(fmt.Sprintf("/%d/{{ user }}/{{ $randomString(3) }}", i))
		st.Before, st.After = functionsNamed("count"), functionsNamed("peek")
		steps = append(steps, st)
	}
	s := script(sideBySide(4, steps...), get("/after/{{ n }}"))
	s.Scenarios[0].BeforeScenario = functionsNamed("prepare")
	var mu sync.Mutex
	seen := map[string]int{}
	s.File, s.Config.Processor = "testdata/processor/script.yaml", "hooks.js"
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, s, Options{}), respond(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			seen[r.URL.Path]++
			mu.Unlock()
			return answered(200, ""), nil
		}))
		drive(t, d, constantly(5, 2*time.Second))
		equal(t, "unfinished", d.Stats().Unfinished, 0)
	})
	first := 0
	for _, path := range slices.Collect(maps.Keys(seen)) {
		if strings.HasPrefix(path, "/poc/0/ada/") {
			first += seen[path]
		}
	}
	equal(t, "requests of the first branch", first, 10)
}

func TestSuggestionForAFunction(t *testing.T) {
	s := processed("all.js", calls("calback"))
	_, err := Compile(s, Options{Target: "http://h"})
	var problems *scenarios.Problems
	if !errors.As(err, &problems) || problems.List[0].Hint != `did you mean "callback"?` {
		t.Errorf("got %v", err)
	}
}
