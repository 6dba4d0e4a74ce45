package scenarios

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestArtilleryPage holds docs/ARTILLERY.md to its word: scripts that are called accepted are, with notes on the lines
// that say so and on no others; those that are called refused have mistakes on the lines that say so and on no others.
func TestArtilleryPage(t *testing.T) {
	page, err := os.ReadFile("../docs/ARTILLERY.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "\n```yaml\n")[1:]
	if len(blocks) < 15 {
		t.Fatalf("only %d scripts on the page", len(blocks))
	}
	for i, block := range blocks {
		block, _, _ = strings.Cut(block, "\n```")
		verdict, _, _ := strings.Cut(strings.TrimPrefix(block, "# "), "\n")
		t.Run(fmt.Sprintf("%d %s", i+1, verdict), func(t *testing.T) {
			got, want := map[int][]string{}, map[int]string{}
			comment := regexp.MustCompile(`\S.* # (.*)$`)
			for n, line := range strings.Split(block, "\n") {
				if m := comment.FindStringSubmatch(line); m != nil {
					want[n+1] = m[1]
				}
			}
			s, err := Parse("base.yaml", []byte(under(block)), Options{
				Over: []Text{{File: "x.yaml", Text: []byte(block)}},
				Env:  environ(map[string]string{"HOST": "api.example.com", "TOKEN": "secret"}),
			})
			var problems *Problems
			switch {
			case verdict == "accepted" && errors.As(err, &problems):
				t.Fatalf("it is refused:\n%s", problems.Explain())
			case verdict == "accepted":
				for _, n := range s.Notes {
					got[n.Line] = append(got[n.Line], "note: "+n.Text)
				}
			case verdict == "refused" && errors.As(err, &problems):
				for _, p := range problems.List {
					got[p.Line] = append(got[p.Line], p.Msg)
				}
			default:
				t.Fatalf("called %q, got error %v", verdict, err)
			}
			for line, text := range want {
				if !slices.ContainsFunc(got[line], func(s string) bool { return strings.Contains(s, text) }) {
					t.Errorf("line %d: got %q, want %q", line, got[line], text)
				}
			}
			for line, texts := range got {
				if want[line] == "" {
					t.Errorf("line %d: got %q, want nothing", line, texts)
				}
			}
		})
	}
}

// under returns a script that a part of one can be merged over to be whole.
func under(part string) string {
	base := "config:\n  target: http://127.0.0.1:8080\n"
	if !strings.Contains(part, "\n  phases:") {
		base += "  phases: [{duration: 1, arrivalRate: 1}]\n"
	}
	if !strings.Contains(part, "\nscenarios:") {
		base += "scenarios:\n  - flow: [get: {url: /x}]\n"
	}
	return base
}
