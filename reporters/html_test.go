package reporters

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"loadkms/result"
)

// wellFormed reads page as strict XML, which our HTML is on purpose, and checks what a screen reader
// relies on: unique ids, references that lead somewhere, one h1, headings that skip no level.
func wellFormed(t *testing.T, page []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Entity = xml.HTMLEntity
	ids, wanted := map[string]bool{}, []string{}
	level, h1 := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		name := start.Name.Local
		if len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6' {
			n := int(name[1] - '0')
			if n > level+1 {
				t.Errorf("an h%d follows an h%d", n, level)
			}
			level = n
			if n == 1 {
				h1++
			}
		}
		var role, label string
		for _, a := range start.Attr {
			switch a.Name.Local {
			case "id":
				if ids[a.Value] {
					t.Errorf("id %q twice", a.Value)
				}
				ids[a.Value] = true
			case "aria-labelledby":
				wanted = append(wanted, a.Value)
			case "role":
				role = a.Value
			case "aria-label":
				label = a.Value
			case "src", "href", "action", "srcset":
				if id, ok := strings.CutPrefix(a.Value, "#"); ok && name == "a" {
					wanted = append(wanted, id)
					break
				}
				t.Errorf("<%s %s=%q>: the page must fetch nothing", name, a.Name.Local, a.Value)
			}
			if strings.HasPrefix(a.Name.Local, "on") {
				t.Errorf("<%s> has %s", name, a.Name.Local)
			}
		}
		if (role == "img" || name == "svg") && label == "" {
			t.Errorf("<%s role=%q> says nothing to a screen reader", name, role)
		}
	}
	for _, id := range wanted {
		if !ids[id] {
			t.Errorf("a reference to %q leads nowhere", id)
		}
	}
	if h1 != 1 {
		t.Errorf("%d h1, want 1", h1)
	}
}

func TestHTMLIsWellFormed(t *testing.T) {
	all := runs(t)
	all["empty"] = &result.Run{Schema: result.Schema}
	for name, run := range all {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := HTML(&b, run); err != nil {
				t.Fatal(err)
			}
			wellFormed(t, b.Bytes())
			for _, odd := range []string{"ZgotmplZ", "NaN", "Inf", "%!", "url(", "@import", "http-equiv=\"refresh"} {
				if strings.Contains(b.String(), odd) {
					t.Errorf("the page holds %q", odd)
				}
			}
		})
	}
}

// TestHTMLNumbersAreTheRuns: the table beside the chart adds up to the run.
func TestHTMLNumbersAreTheRuns(t *testing.T) {
	for name, run := range runs(t) {
		v := viewOf(run)
		if len(v.Chart.Rows) != len(run.Windows) {
			t.Fatalf("%s: %d rows for %d windows", name, len(v.Chart.Rows), len(run.Windows))
		}
		for i, w := range run.Windows {
			var c result.Counts
			slowest := time.Duration(0)
			for _, s := range w.Steps {
				c.Add(s.Classes)
				slowest = max(slowest, s.P99)
			}
			cells := v.Chart.Rows[i].Cells
			want := []string{short(w.At), count(c.Total()), share(c.Bad(), c.Total()), length(slowest), failureText(c)}
			if got := []string{cells[0], cells[1], cells[2], cells[5], cells[7]}; c.Total() > 0 && fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: row %d is %q, want %q", name, i, got, want)
			}
		}
	}
}

// hostile is a run whose every text tries to become something else.
func hostile(t testing.TB) *result.Run {
	t.Helper()
	const evil = "</style></script><script>alert(1)</script>\"'`onload=x {{.}} \x1b[2J\x00\xff ]]>--> javascript:alert(1) \u202e"
	run := runs(t)["stuck"]
	for _, s := range []*string{&run.Name, &run.Script, &run.Target, &run.Environment, &run.Version, &run.Interrupted,
		&run.AWS.Account, &run.AWS.Endpoint, &run.AWS.Region} {
		*s = evil
	}
	for i := range run.Steps {
		run.Steps[i].Name, run.Steps[i].Scenario = evil, evil+fmt.Sprint(i)
	}
	for i := range run.Phases {
		run.Phases[i].Name = evil
	}
	for i := range run.Events {
		run.Events[i].Detail = strings.Repeat(evil, 1000)
	}
	run.Events[0].Kind = evil
	f := &run.Faults[0]
	f.Name, f.Action, f.Target, f.Where, f.Error, f.Witness = evil, evil, evil, evil, evil, []string{evil}
	f.Stuck.Error, f.Stuck.Command = evil, evil
	run.Verdict.Reasons = []string{strings.Repeat(evil, 100_000)}
	for i := range run.Verdict.Checks {
		c := &run.Verdict.Checks[i]
		c.Name, c.Scope, c.Want, c.Got, c.Where = evil, evil, evil, evil, evil
	}
	return run
}

func TestHostileTextsAreHarmless(t *testing.T) {
	run := hostile(t)
	var page bytes.Buffer
	if err := HTML(&page, run); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, page.Bytes())
	if n := strings.Count(page.String(), "<script>"); n != 1 {
		t.Errorf("%d scripts, want ours alone", n)
	}
	if page.Len() > 300_000 {
		t.Errorf("%d bytes: long texts are not cut", page.Len())
	}
	var text bytes.Buffer
	if err := Terminal(&text, run, Style{}); err != nil {
		t.Fatal(err)
	}
	feed := &result.Feed{}
	feed.Publish(&result.Snapshot{N: 1, Done: true, Phase: run.Phases[0].Name, Steps: run.Steps, Events: run.Events, Faults: run.Faults, Windows: run.Windows})
	if err := Lines(t.Context(), &text, feed); err != nil {
		t.Fatal(err)
	}
	for _, r := range frame(feed.Latest(), 80, 24) {
		text.WriteString(r.render(79, false) + "\n")
	}
	if !utf8.Valid(text.Bytes()) {
		t.Error("broken UTF-8 reached the terminal")
	}
	if bad := regexp.MustCompile("[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u202e]").FindString(text.String()); bad != "" {
		t.Errorf("%q reached the terminal", bad)
	}
	if text.Len() > 60_000 {
		t.Errorf("%d bytes of text: long texts are not cut", text.Len())
	}
}

func TestHTMLOfAnHourIsBounded(t *testing.T) {
	run := hour()
	var b bytes.Buffer
	if err := HTML(&b, run); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, b.Bytes())
	if b.Len() > 700_000 {
		t.Errorf("%d bytes", b.Len())
	}
	if rows := strings.Count(b.String(), "data-mid="); rows > mostPoints {
		t.Errorf("%d points, want at most %d", rows, mostPoints)
	}
}

func BenchmarkHTMLOfAnHour(b *testing.B) {
	run := hour()
	var page bytes.Buffer
	for b.Loop() {
		page.Reset()
		if err := HTML(&page, run); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(page.Len()), "bytes/page")
}

func BenchmarkReadAnHour(b *testing.B) {
	var file bytes.Buffer
	if err := JSON(&file, hour()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(file.Len()))
	for b.Loop() {
		if _, err := Read(bytes.NewReader(file.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}
