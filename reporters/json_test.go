package reporters

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"

	"loadkms/result"
)

func TestJSONReadsBackTheSame(t *testing.T) {
	for _, s := range synths() {
		run := s.run()
		var b bytes.Buffer
		if err := JSON(&b, run); err != nil {
			t.Fatal(err)
		}
		compact, err := json.Marshal(run)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.ReplaceAll(b.Bytes(), []byte("\n"), nil); !bytes.Equal(got, compact) {
			t.Errorf("%s: run.json is more than result.Run with line breaks", s.name)
		}
		got, err := Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		// Empty maps and slices may become nil ones, so what is compared is what they say.
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, compact) {
			t.Errorf("%s: read back differs", s.name)
		}
		if !reflect.DeepEqual(got.Verdict, run.Verdict) {
			t.Errorf("%s: verdict %+v, want %+v", s.name, got.Verdict, run.Verdict)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	const good = `"took":1,"steps":[{"name":"a"}],"verdict":{"outcome":"pass"}`
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", "empty"},
		{"blanks", " \n", "empty"},
		{"another file", "config:\n  target: sandbox\n", "not a run.json: line 1"},
		{"a list", "[]", "not a run.json: it holds one JSON array"},
		{"null", "null", `it has no "schema"`},
		{"no schema", "{}", `it has no "schema"`},
		{"schema of another kind", `{"schema":"1"}`, "schema cannot be a JSON string"},
		{"newer schema", `{"schema":2}`, "run.json has schema 2, this loadkms reads 1: a newer loadkms made it"},
		{"older schema", `{"schema":0}`, "run.json has schema 0, this loadkms reads 1"},
		{"half a file", `{"schema":1,"name":"x`, "it ends in the middle"},
		{"two values", `{"schema":1} {"schema":1}`, "line 1"},
		{"unknown class", `{"schema":1,"steps":[{"classes":{"Fine":1}}]}`, `unknown class "Fine"`},
		{"no outcome", `{"schema":1}`, `verdict.outcome is ""`},
		{"negative count", `{"schema":1,"records":{"drawn":-1}}`, "records.drawn"},
		{"eternal", `{"schema":1,` + good + `,"phases":[{"to":9223372036854775807}]}`, "run.Phases[0].To is no time in a run"},
		{"negative length", `{"schema":1,"took":-5,"verdict":{"outcome":"pass"}}`, "took is negative"},
		{"windows out of order", `{"schema":1,` + good + `,"windows":[{"at":5},{"at":5}]}`, "windows[1] does not begin after"},
		{"window of strangers", `{"schema":1,` + good + `,"windows":[{"at":0,"steps":[{},{}]}]}`, "windows[0] has 2 steps"},
		{"event of no fault", `{"schema":1,` + good + `,"events":[{"fault":0}]}`, "events[0] names fault 0 of 0"},
		{"anatomy of no step", `{"schema":1,` + good + `,"faults":[{"steps":[{"step":1,"class":"OK"}]}]}`, "names step 1 of 1"},
		{"phase of no step", `{"schema":1,` + good + `,"phases":[{"steps":[{"step":1}]}]}`, "phases[0].steps[0] names step 1 of 1"},
		{"eternal answers", `{"schema":1,` + good + `,"statusResponse":{"2xx":{"p99":9223372036854775807}}}`, "run.StatusResponse[2xx].P99 is no time"},
		{"check of no fault", `{"schema":1,"verdict":{"outcome":"pass","checks":[{"fault":3}]}}`, "verdict.checks[0]"},
		{"span of no fault", `{"schema":1,` + good + `,"spans":[{"active":[2],"moving":-1}]}`, "spans[0] names fault 2"},
	} {
		run, err := Read(strings.NewReader(c.in))
		if err == nil {
			t.Errorf("%s: read %+v, want an error", c.name, run)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "Go ") {
			t.Errorf("%s: got %q, want it to say %q", c.name, err, c.want)
		}
	}
}

// FuzzRead proves that whatever Read accepts, every reporter can show, and that nothing shown can
// drive a terminal.
func FuzzRead(f *testing.F) {
	for _, s := range synths() {
		var b bytes.Buffer
		if err := JSON(&b, s.run()); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(`{"schema":1,"took":1,"verdict":{"outcome":"fail","stuck":true},"steps":[{"name":"\u001b[2J"}],"windows":[{"at":0}],"faults":[{"breaking":-1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		run, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		var text bytes.Buffer
		if err := Terminal(&text, run, Style{}); err != nil {
			t.Fatal(err)
		}
		if i := bytes.IndexFunc(text.Bytes(), func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }); i >= 0 {
			t.Fatalf("a control character reached the terminal: %q", text.Bytes()[max(0, i-20):min(text.Len(), i+20)])
		}
		if err := HTML(io.Discard, run); err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := JSON(&again, run); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(&again); err != nil {
			t.Fatalf("cannot read what JSON wrote: %v", err)
		}
		feed := &result.Feed{}
		feed.Publish(&result.Snapshot{N: 1, Done: true, Elapsed: run.Took, Steps: run.Steps, Windows: run.Windows,
			Events: run.Events, Faults: run.Faults, Generator: run.Generator})
		if err := Lines(t.Context(), io.Discard, feed); err != nil {
			t.Fatal(err)
		}
		if err := Progress(t.Context(), io.Discard, feed, Style{}, nil); err != nil {
			t.Fatal(err)
		}
	})
}
