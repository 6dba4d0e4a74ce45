package flow

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/measure"
	"loadkms/runner/internal/records"
	"loadkms/scenarios"
)

var holeForm = regexp.MustCompile(`\{\{ *([^}]*?) *\}\}`)

// template makes a template of text with holes: {{ name }} or {{ $function(a, b) }}.
func template(mode scenarios.Mode, s string) scenarios.Template {
	t := scenarios.Template{Source: s, Pos: scenarios.Pos{File: "test.yaml", Line: 3, Col: 5}}
	at := 0
	for _, m := range holeForm.FindAllStringSubmatchIndex(s, -1) {
		if m[0] > at {
			t.Parts = append(t.Parts, scenarios.Part{Text: s[at:m[0]]})
		}
		p, inner := scenarios.Part{Mode: mode}, s[m[2]:m[3]]
		if name, args, ok := strings.Cut(inner, "("); ok {
			p.Call = name
			if args = strings.TrimSuffix(args, ")"); args != "" {
				for _, a := range strings.Split(args, ",") {
					p.Args = append(p.Args, strings.Trim(strings.TrimSpace(a), "'"))
				}
			}
		} else {
			p.Var = inner
		}
		t.Parts = append(t.Parts, p)
		at = m[1]
	}
	if at < len(s) {
		t.Parts = append(t.Parts, scenarios.Part{Text: s[at:]})
	}
	return t
}

func get(url string) scenarios.Step {
	return scenarios.Step{Kind: scenarios.Request, Method: "GET", URL: template(scenarios.Plain, url)}
}

// post makes a request whose body's holes are whole JSON values.
func post(url, body string) scenarios.Step {
	return scenarios.Step{Kind: scenarios.Request, Method: "POST", URL: template(scenarios.Plain, url), HasBody: true,
		Body: template(scenarios.JSONValue, body), Headers: []scenarios.Header{{Name: "Content-Type", Value: template(0, "application/json")}}}
}

func pause(d time.Duration) scenarios.Step { return scenarios.Step{Kind: scenarios.Think, Pause: d} }

func prints(s string) scenarios.Step {
	return scenarios.Step{Kind: scenarios.Log, Text: template(scenarios.Plain, s)}
}

func calls(name string) scenarios.Step {
	return scenarios.Step{Kind: scenarios.Function, Func: name, Pos: scenarios.Pos{File: "test.yaml", Line: 7, Col: 9}}
}

// script makes a script of one scenario.
func script(flow ...scenarios.Step) *scenarios.Script {
	return &scenarios.Script{File: "test.yaml", Scenarios: []scenarios.Scenario{{Name: "only", Weight: 1, Flow: flow}}}
}

func compile(t testing.TB, s *scenarios.Script, o Options) *Program {
	t.Helper()
	if o.Target == "" {
		o.Target = "http://api.example/poc/"
	}
	p, err := Compile(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// respond is a transport that needs no network.
type respond func(*http.Request) (*http.Response, error)

func (f respond) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := f(r)
	if r.Body != nil {
		r.Body.Close()
	}
	return resp, err
}

func answered(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body))}
}

// after answers 200 after d, or fails with the request's context.
func after(d time.Duration) respond {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return answered(200, "ok"), nil
		case <-r.Context().Done():
			return nil, context.Cause(r.Context())
		}
	}
}

// A journal keeps what was sent, in order.
type journal struct {
	mu   sync.Mutex
	sent []string
}

func (j *journal) add(s string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sent = append(j.sent, s)
}

// noting answers status and body, keeping method, URL and body of every request.
func (j *journal) noting(status int, body string) respond {
	return func(r *http.Request) (*http.Response, error) {
		line := r.Method + " " + r.URL.String()
		if r.Body != nil {
			b, _ := io.ReadAll(r.Body)
			line += " " + string(b)
		}
		j.add(line)
		return answered(status, body), nil
	}
}

// sorted returns what was sent, sorted.
func (j *journal) sorted() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := slices.Clone(j.sent)
	slices.Sort(all)
	return all
}

func newDriver(p *Program, transport http.RoundTripper) *Driver {
	return &Driver{Program: p, Transport: transport, Recorder: measure.NewRecorder(p.Steps()), Records: new(records.Set)}
}

func constantly(rate float64, d time.Duration) iter.Seq[arrival.Arrival] {
	return arrival.Schedule(0, []arrival.Phase{{Duration: d, From: rate, To: rate}})
}

// drive plays a whole run and fails the test if it does not end well.
func drive(t testing.TB, d *Driver, schedule iter.Seq[arrival.Arrival]) time.Duration {
	t.Helper()
	began := time.Now()
	if err := d.Drive(t.Context(), began, schedule); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func count(d *Driver, step int, class result.Class) uint64 {
	return d.Recorder.Steps()[step].Classes[class]
}

// A logbook is a log that many users write to.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

func namedScenario(name string, flow ...scenarios.Step) scenarios.Scenario {
	return scenarios.Scenario{Name: name, Weight: 1, Flow: flow}
}

// phasesOf returns phases that play the given scenarios only.
func phasesOf(only ...int) (phases []scenarios.Phase) {
	for _, i := range only {
		phases = append(phases, scenarios.Phase{Scenario: i})
	}
	return phases
}
