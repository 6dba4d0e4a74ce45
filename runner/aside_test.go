package runner

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// roundTrip is a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func request(path string) scenarios.Step {
	return scenarios.Step{Kind: scenarios.Request, Method: "GET", Pos: scenarios.Pos{File: "x.yaml", Line: 9, Col: 7},
		URL: scenarios.Template{Source: path, Parts: []scenarios.Part{{Text: path}}}}
}

// The flows before and after the load are played once each, around everything else, and are in no
// figures.
func TestFlowsAroundTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20 * s)))
		var asked []string
		inner := w.options.Transport
		w.options.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "/around/") {
				w.key.mu.Lock()
				defer w.key.mu.Unlock()
				time.Sleep(5 * s)
				asked = append(asked, r.URL.Path[strings.Index(r.URL.Path, "/around"):])
				if w.key.disabled {
					t.Error("asked while the key was disabled")
				}
				return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
			}
			return inner.RoundTrip(r)
		})
		w.options.Script.Before = []scenarios.Step{request("/around/before")}
		w.options.Script.After = []scenarios.Step{request("/around/after")}
		got, err := Run(t.Context(), w.options)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(asked, " ") != "/around/before /around/after" {
			t.Errorf("asked %q", asked)
		}
		if got.Took > 61*s {
			t.Errorf("it took %v: what comes after is part of it", got.Took)
		}
		if len(got.Steps) != 1 || got.Steps[0].Classes.Total() != 3000 || w.key.breaks != 1 {
			t.Errorf("got %d steps with %d requests, and %d breaks", len(got.Steps), got.Steps[0].Classes.Total(), w.key.breaks)
		}
	})
}

// Without what the flow before the load was to prepare there is nothing to run, and nothing is broken. What
// goes wrong after it is said in the log.
func TestFlowsAroundTheLoadThatFail(t *testing.T) {
	refuse := func(w *world) {
		inner := w.options.Transport
		w.options.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/around") {
				return &http.Response{StatusCode: 404, Body: http.NoBody}, nil
			}
			return inner.RoundTrip(r)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script(disable(20 * s)))
		refuse(w)
		w.options.Script.Before = []scenarios.Step{request("/around")}
		_, err := Run(t.Context(), w.options)
		if err == nil || err.Error() != "run x.yaml: before: NotFound, at x.yaml:9:7" {
			t.Errorf("got %v", err)
		}
		if w.key.breaks != 0 || len(w.journal.opened) != 0 {
			t.Error("a fault was injected")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(script())
		refuse(w)
		var log bytes.Buffer
		w.options.Log = &log
		w.options.Script.After = []scenarios.Step{request("/around")}
		got, err := Run(t.Context(), w.options)
		if err != nil || got.Verdict.Outcome != result.Pass {
			t.Errorf("got %v, %v", got.Verdict.Outcome, err)
		}
		if log.String() != "after: NotFound, at x.yaml:9:7\n" {
			t.Errorf("got the log %q", log.String())
		}
	})
}
