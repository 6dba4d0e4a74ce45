package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

func processed(file string, flow ...scenarios.Step) *scenarios.Script {
	s := script(flow...)
	s.File = "testdata/processor/script.yaml"
	s.Config.Processor = file
	s.Config.ProcPos = scenarios.Pos{File: s.File, Line: 2, Col: 14}
	return s
}

// A file that is not all UTF-8, as faker 5.5.3 has one, is read as Node.js reads it.
func TestProcessorThatIsNotUTF8(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "latin1.js"), []byte("module.exports = { f: function (c, e, done) { c.vars.x = 'Nicol\xf2'; done(); } };"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := processed("latin1.js", calls("f"), get("/?x={{ x }}"))
		s.File = filepath.Join(dir, "script.yaml")
		j := new(journal)
		drive(t, newDriver(compile(t, s, Options{}), j.noting(200, "")), constantly(1, time.Second))
		equal(t, "sent", j.sorted()[0], "GET http://api.example/poc/?x=Nicol%EF%BF%BD")
	})
}

// The demo's own script: a counter for the whole run, fields of the faker module, and a log line.
func TestTheDemosProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		p := compile(t, processed("./createRecord.js",
			calls("createNewRecord"),
			post("/record", `{"id":{{ id }},"firstName":{{ firstName }},"lastName":{{ lastName }},"email":{{ email }},"street":{{ street }},"postcode":{{ postcode }}}`),
			prints("Sent a request to /record with {{ id }}, {{ firstName }}"),
		), Options{Seed: 1, Log: &log})
		j := new(journal)
		d := newDriver(p, j.noting(201, `"Success"`))
		drive(t, d, constantly(50, 2*time.Second))
		ids := map[int]bool{}
		for _, line := range j.sent {
			var v struct {
				ID                                           int
				FirstName, LastName, Email, Street, Postcode string
			}
			if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "POST http://api.example/poc/record ")), &v); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			ids[v.ID] = true
			if v.Email != v.FirstName+"."+v.LastName+"@email.com" || v.Street == "" || len(v.Postcode) != 5 {
				t.Errorf("got %s", line)
			}
		}
		for id := 1; id <= 100; id++ {
			if !ids[id] {
				t.Errorf("id %d was not sent", id)
			}
		}
		equal(t, "log lines", strings.Count(log.String(), "Sent a request to /record with "), 100)
	})
}

func TestProcessorFunctions(t *testing.T) {
	vars := []scenarios.Variable{{Name: "n", Values: []string{"5"}, Typed: []any{int64(5)}}}
	for _, c := range []struct {
		name string
		flow []scenarios.Step
		want string // the body, or what the log says
	}{
		{"a callback", []scenarios.Step{calls("callback")}, `10 "undefined"`},
		{"an async function", []scenarios.Step{calls("asynchronous")}, `10 "only"`},
		{"a synchronous function", []scenarios.Step{calls("synchronous")}, `6 "undefined"`},
		{"one after another", []scenarios.Step{calls("callback"), pause(time.Second), calls("asynchronous"), calls("synchronous")}, `21 "only"`},
		{"a variable taken away", []scenarios.Step{calls("unset")}, ""},
		{"an exception", []scenarios.Step{calls("throws")}, "function throws: Error: out of luck at throws ("},
		{"a rejection", []scenarios.Step{calls("rejects")}, "function rejects: TypeError: out of promises"},
		{"an error for the callback", []scenarios.Step{calls("refuses")}, "function refuses: Error: out of service"},
		{"no callback", []scenarios.Step{calls("forgets")}, "function forgets: it returned without calling its callback"},
		{"a promise that waits", []scenarios.Step{calls("waits")}, "function waits: its promise waits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logbook
				end := post("/", "{{ n }}")
				end.Headers = append(end.Headers, scenarios.Header{Name: "X-N", Value: template(0, "{{ n }}")})
				s := processed("all.js", append(slices.Clone(c.flow), end, get("/later"))...)
				s.Config.Variables = vars
				j := new(journal)
				d := newDriver(compile(t, s, Options{Log: &log}), j.noting(200, ""))
				drive(t, d, constantly(2, time.Second))
				if !strings.HasPrefix(log.String(), "loaded once\n") {
					t.Errorf("got the log %q", log.String())
				}
				if n, _, sent := strings.Cut(c.want, ` "`); sent && !strings.HasPrefix(c.want, "function") {
					equal(t, "sent", j.sent[0], "POST http://api.example/poc/ "+n)
					equal(t, "requests", len(j.sent), 4)
					return
				}
				equal(t, "sent", len(j.sent), 0)
				s0 := d.Recorder.Steps()
				equal(t, "classes", []uint64{s0[0].Classes[result.CaptureFailed], s0[1].Classes.Total()}, []uint64{2, 0})
				if c.want != "" && strings.Count(log.String(), c.want) != 1 {
					t.Errorf("got the log %q, want %q once", log.String(), c.want)
				}
			})
		})
	}
}

// Objects and their parts can be used in templates.
func TestProcessorValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := processed("all.js", calls("callback"), calls("asynchronous"), post("/{{ scenario }}", `[{{ list }},{{ list.1.a }},{{ list.1 }}]`))
		s.Config.Variables = []scenarios.Variable{{Name: "n", Values: []string{"1"}, Typed: []any{int64(1)}}}
		j := new(journal)
		drive(t, newDriver(compile(t, s, Options{}), j.noting(200, "")), constantly(1, time.Second))
		equal(t, "sent", j.sent[0], `POST http://api.example/poc/only [[1,{"a":"x\"y"}],"x\"y",{"a":"x\"y"}]`)
	})
}

// A function that does not end must not keep the run from ending, and the program can be used again.
func TestAnEndlessFunctionEndsWithTheRun(t *testing.T) {
	s := processed("all.js", calls("endless"), get("/"))
	p := compile(t, s, Options{})
	for range 2 {
		ctx, cancel := context.WithCancelCause(context.Background())
		boom := errors.New("enough")
		timer := time.AfterFunc(50*time.Millisecond, func() { cancel(boom) })
		d := newDriver(p, after(0))
		if err := d.Drive(ctx, time.Now(), constantly(100, time.Hour)); err != boom {
			t.Errorf("got %v, want %v", err, boom)
		}
		timer.Stop()
		equal(t, "recorded", d.Recorder.Steps()[0].Classes.Total(), 0)
	}
}

func TestMathRandomIsSeededPerArrival(t *testing.T) {
	play := func() []string {
		j := new(journal)
		synctest.Test(t, func(t *testing.T) {
			p := compile(t, processed("createRecord.js", calls("createNewRecord"), get("/{{ $sequence() }}/{{ postcode }}")), Options{Seed: 5})
			drive(t, newDriver(p, j.noting(200, "")), constantly(200, time.Second))
		})
		return j.sorted()
	}
	equal(t, "second run", play(), play())
}

func TestProcessorProblems(t *testing.T) {
	for _, c := range []struct {
		name string
		s    *scenarios.Script
		want string
	}{
		{"no file", processed("none.js"), "testdata/processor/script.yaml:2:14: the processor none.js does not exist"},
		{"no module", processed("missing.js"), `testdata/processor/script.yaml:2:14: missing.js requires the module "no-such-module", which is not in node_modules`},
		{"not JavaScript", processed("broken.js"), "testdata/processor/script.yaml:2:14: the processor broken.js: SyntaxError: "},
		{"an exception", processed("fails.js"), "testdata/processor/script.yaml:2:14: the processor fails.js: Error: not today at "},
		{"no such function", processed("all.js", calls("calback")), `test.yaml:7:9: all.js exports no function "calback"`},
		{"not a function", processed("all.js", calls("notAFunction")), `test.yaml:7:9: all.js exports no function "notAFunction"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile(c.s, Options{Target: "http://h"})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// A function that fails after the last request of its flow fails that one.
func TestAFunctionAfterTheLastRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, processed("all.js", get("/"), calls("throws")), Options{}), respond(func(*http.Request) (*http.Response, error) {
			return answered(200, ""), nil
		}))
		drive(t, d, constantly(1, time.Second))
		equal(t, "classes", fmt.Sprint(count(d, 0, result.OK), count(d, 0, result.CaptureFailed)), "1 1")
	})
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(compile(t, processed("all.js", calls("throws")), Options{}), after(0))
		drive(t, d, constantly(1, time.Second)) // there is no request to fail
		equal(t, "stats", d.Stats(), Stats{Due: 1, Sent: 1, Users: 1})
	})
}
