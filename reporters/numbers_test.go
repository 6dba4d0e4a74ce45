package reporters

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"loadkms/result"
)

// textOf returns the text of every element of page with this name, in order.
func textOf(t *testing.T, page []byte, name string) (out []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Entity = xml.HTMLEntity
	depth := 0
	for {
		token, err := d.Token()
		if token == nil {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == name {
				if depth++; depth == 1 {
					out = append(out, "")
				}
			}
		case xml.EndElement:
			if token.Name.Local == name {
				depth--
			}
		case xml.CharData:
			if depth > 0 {
				out[len(out)-1] += string(token)
			}
		}
	}
}

// TestReportsTellTheNumbersOfRunJSON compares what stands in the page and in the text, as a reader sees
// it, with what json.Unmarshal makes of run.json.
func TestReportsTellTheNumbersOfRunJSON(t *testing.T) {
	for name, run := range runs(t) {
		t.Run(name, func(t *testing.T) {
			var saved, page, text bytes.Buffer
			if err := JSON(&saved, run); err != nil {
				t.Fatal(err)
			}
			var r result.Run
			if err := json.Unmarshal(saved.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			if err := HTML(&page, run); err != nil {
				t.Fatal(err)
			}
			if err := Terminal(&text, run, Style{}); err != nil {
				t.Fatal(err)
			}
			cells := textOf(t, page.Bytes(), "td")
			lines := strings.Split(text.String(), "\n")
			hasLine := func(what string, words ...string) {
				t.Helper()
				want := strings.Join(words, " ")
				if !slices.ContainsFunc(lines, func(l string) bool {
					return strings.Contains(strings.Join(strings.Fields(l), " "), want)
				}) {
					t.Errorf("no line of the text says %q: %s", want, what)
				}
			}
			hasCells := func(what string, want ...string) {
				t.Helper()
				for i := range cells {
					if i+len(want) <= len(cells) && slices.Equal(cells[i:i+len(want)], want) {
						return
					}
				}
				t.Errorf("no row of the page holds %q: %s", want, what)
			}
			for i, s := range r.Steps {
				total, ok := s.Classes.Total(), s.Classes[result.OK]
				want := []string{count(total), count(ok), share(ok, total)}
				for _, d := range []time.Duration{s.Response.P50, s.Response.P95, s.Response.P99, s.Response.Max} {
					want = append(want, value(s.Response, d))
				}
				want = append(want, value(s.Service, s.Service.P99))
				hasCells("step "+s.Name, want...)
				hasLine("step "+s.Name, append([]string{stepShort(r.Steps, i)}, want...)...)
				for class, n := range s.Classes {
					if n > 0 && result.Class(class) != result.OK {
						hasLine("failures of "+s.Name, result.Class(class).String(), count(n))
					}
				}
			}
			for i, f := range r.Faults {
				for _, m := range moments(r.Steps, r.Events, r.Faults, i) {
					hasLine("fault "+f.Name, clock(m.at), m.name)
					if !slices.Contains(cells, clock(m.at)) {
						t.Errorf("the page does not tell %s of %s at %s", m.name, f.Name, clock(m.at))
					}
				}
			}
			held := 0
			for _, c := range r.Verdict.Checks {
				if c.Outcome == result.Pass {
					held++
				}
				hasCells("check "+c.Name, clean(c.Scope), clean(c.Want), clean(c.Got))
			}
			hasLine("checks", "Checks", fmt.Sprintf("%d of %d held", held, len(r.Verdict.Checks)))
			facts := textOf(t, page.Bytes(), "dd")
			g := r.Generator
			for _, want := range []string{count(g.Due), count(g.Sent), count(g.Dropped), count(g.Cut), value(g.Lateness, g.Lateness.P50),
				value(g.Lateness, g.Lateness.P99), value(g.Lateness, g.Lateness.Max), length(g.GCPause), length(g.CPU), fmt.Sprint(r.Seed)} {
				if !slices.Contains(facts, want) {
					t.Errorf("the page does not tell %q of the generator", want)
				}
			}
			hasLine("seed", "seed", fmt.Sprint(r.Seed))
			if g.Due > 0 {
				hasLine("generator", count(g.Sent), "of", plural(g.Due, "arrival", "arrivals"), "sent")
			}
			for _, w := range r.Windows {
				var c result.Counts
				for _, s := range w.Steps {
					c.Add(s.Classes)
				}
				hasCells("second "+short(w.At), short(w.At), count(c.Total()), share(c.Bad(), c.Total()))
			}
		})
	}
}
