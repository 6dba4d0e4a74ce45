package scenarios

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/bad/*.out and docs")

// badFiles returns the scripts with mistakes.
func badFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad scripts: %v", err)
	}
	return files
}

// TestBad compares what is said about scripts with mistakes with what should be.
func TestBad(t *testing.T) {
	// Words of Go, of YAML's specification and of yaml.v3 that users of the language never see.
	foreign := regexp.MustCompile(`!![a-z]|unmarshal|\bnodes?\b|yaml: |\bscalar|\bstruct|\bint\b|float64|interface`)
	for _, file := range badFiles(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Parse(name+".yaml", src, Options{})
			var problems *Problems
			if !errors.As(err, &problems) || s != nil {
				t.Fatalf("got script %v and error %v, want problems", s != nil, err)
			}
			if !slices.IsSortedFunc(problems.List, func(a, b *Problem) int {
				if a.Line != b.Line {
					return a.Line - b.Line
				}
				return a.Col - b.Col
			}) {
				t.Error("the problems are not in the order of the file")
			}
			got := problems.Explain()
			for _, p := range problems.List {
				if w := foreign.FindString(p.Msg + " " + p.Hint); w != "" {
					t.Errorf("%q says %q, which is not a word of the language", p.Msg, w)
				}
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".out"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestEveryKeyHasABadScript finds keys whose problems nobody has looked at.
func TestEveryKeyHasABadScript(t *testing.T) {
	for _, page := range pages {
		for _, row := range page.rows() {
			name := page.title() + "-" + row.name
			out, err := os.ReadFile("testdata/bad/" + name + ".out")
			if err != nil {
				t.Errorf("key %q of %s: %v", row.name, page.title(), err)
			} else if !strings.Contains(string(out), row.name) {
				t.Errorf("%s.out does not mention %q", name, row.name)
			}
		}
	}
}
