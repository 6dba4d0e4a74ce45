package scenarios

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestUnderline(t *testing.T) {
	for _, c := range []struct {
		name, line string
		col        int
		word       string
		mark       string
	}{
		{"word", "  for: 300", 8, "", "       ^^^"},
		{"key", "  for: 300", 3, "", "  ^^^"},
		{"tab", "\tfor: 300", 2, "", "\t^^^"},
		{"wide before", "日本: 300", 5, "", "      ^^^"},
		{"wide word", "日本: 300", 1, "", "^^^^"},
		{"combining", "e\u0301t: 300", 6, "", "    ^^^"},
		{"quoted", `a: "b c", d: 1`, 4, "", "   ^^^^^"},
		{"escaped quote", `a: "b\"c" d`, 4, "", "   ^^^^^^"},
		{"single quoted", `a: 'b c' d`, 4, "", "   ^^^^^"},
		{"whole text", "a: 5 minuts", 4, "5 minuts", "   ^^^^^^^^"},
		{"other text", "a: 5 minuts", 4, "6 minuts", "   ^"},
		{"end of line", "a:", 3, "", "  ^"},
		{"beyond", "a:", 30, "", "  ^"},
		{"bracket", "a: []", 4, "", "   ^"},
		{"empty", "", 1, "", "^"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, mark := underline(c.line, c.col, c.word)
			if text != c.line || mark != c.mark {
				t.Errorf("got\n%s\n%s\nwant\n%s\n%s", text, mark, c.line, c.mark)
			}
		})
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"duration", "arrivalRate", "rampTo", "pause", "name", "to", "at", "do"}
	for _, c := range []struct{ got, want string }{
		{"duraton", "duration"},
		{"druation", "duration"},
		{"arrivalrate", "arrivalRate"},
		{"nmae", "name"},
		{"ta", "to"},
		{"forever", ""},
		{"", ""},
		{"日本", ""},
		{strings.Repeat("x", 100000), ""},
	} {
		if got := suggest(c.got, known); got != c.want {
			t.Errorf("suggest(%.20q) = %q, want %q", c.got, got, c.want)
		}
	}
}

// TestDistance compares the distance with its properties: it is a metric on what one edit makes.
func TestDistance(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		word := make([]rune, 1+r.IntN(10))
		for i := range word {
			word[i] = rune('a' + r.IntN(4))
		}
		edited := append([]rune(nil), word...)
		at := r.IntN(len(edited))
		switch r.IntN(3) {
		case 0:
			edited[at] = 'z'
		case 1:
			edited = append(edited[:at], edited[at+1:]...)
		case 2:
			edited = append(edited[:at], append([]rune{'z'}, edited[at:]...)...)
		}
		if d := distance(word, edited); d != 1 || distance(edited, word) != d {
			t.Fatalf("seed %d: distance(%q, %q) = %d, want 1", seed, string(word), string(edited), d)
		}
		if d := distance(word, word); d != 0 {
			t.Fatalf("seed %d: distance(%q, itself) = %d", seed, string(word), d)
		}
	}
}

// TestProblemJSON is the form tools read.
func TestProblemJSON(t *testing.T) {
	_, err := Parse("x.yaml", []byte("config: {targt: sandbox}\nscenarios: [{flow: [{think: 1}]}]\n"), Options{})
	var problems *Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	b, err := json.Marshal(problems.List)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"file":"x.yaml","line":1,"col":10,"msg":"unknown key \"targt\" in config","hint":"did you mean \"target\"?"}]`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	if got, want := problems.Error(), `x.yaml:1:10: unknown key "targt" in config`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestScriptProblems checks that problems found after parsing are shown like those found before.
func TestScriptProblems(t *testing.T) {
	s := mustParse(t, "x.yaml", "config: {target: sandbox}\nscenarios: [{flow: [{think: 1}]}]\n", Options{})
	at := s.Scenarios[0].Pos
	got := s.Problems([]*Problem{{File: at.File, Line: at.Line, Col: at.Col, Msg: "no"}, {File: "x.yaml", Line: 1, Col: 1, Msg: "never"}}).Explain()
	want := "x.yaml:1:1: never\n    1 | config: {target: sandbox}\n      | ^^^^^^\n" +
		"x.yaml:2:13: no\n    2 | scenarios: [{flow: [{think: 1}]}]\n      |             ^^^^^\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzParse checks that no input ends or stops us, that problems can always be printed, and that there
// is either a script or a problem.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml", "testdata/artillery/*.yml",
		"../testdata/dialect/*.yaml", "*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal(pattern, err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(src), "article")
		}
	}
	f.Add("a: &a [*a]\n", "")
	f.Add("a: &a {<<: *a}\n", "")
	f.Add("config: {environments: {x: &x {environments: *x}}}", "x")
	f.Fuzz(func(t *testing.T, src, environment string) {
		for _, o := range []Options{{}, {Environment: environment, Variables: map[string]string{"outage": environment}}} {
			s, err := Parse("f.yaml", []byte(src), o)
			if (s == nil) == (err == nil) {
				t.Fatalf("got script %v and error %v", s != nil, err)
			}
			if err == nil {
				checkScript(t, s)
				continue
			}
			var problems *Problems
			if !errors.As(err, &problems) || len(problems.List) == 0 {
				t.Fatalf("got error %v without problems", err)
			}
			text := problems.Explain()
			if !strings.HasSuffix(text, "\n") || problems.Error() == "" {
				t.Fatalf("got explanation %q", text)
			}
			for _, r := range text {
				if r < ' ' && r != '\n' && r != '\t' {
					t.Fatalf("the explanation has a control character: %q", text)
				}
			}
		}
	})
}

// checkScript checks what every consumer of a script relies on.
func checkScript(t *testing.T, s *Script) {
	c := s.Config
	if len(s.Scenarios) == 0 || c.MaxUsers <= 0 || c.Drain < 0 || c.HTTP.Timeout <= 0 {
		t.Fatalf("got %+v", s)
	}
	for _, p := range c.Phases {
		if p.Duration <= 0 || p.From < 0 || p.To < 0 || p.Scenario >= len(s.Scenarios) {
			t.Fatalf("got phase %+v", p)
		}
	}
	if total := s.lasts(); total <= 0 || total > year {
		t.Fatalf("got %v", total)
	}
	for _, sc := range s.Scenarios {
		if len(sc.Flow) == 0 || sc.Weight < 0 {
			t.Fatalf("got scenario %+v", sc)
		}
		checkSteps(t, sc.Flow)
		for _, p := range sc.Phases {
			if p.Duration <= 0 {
				t.Fatalf("got phase %+v", p)
			}
		}
	}
	checkSteps(t, s.Before)
	checkSteps(t, s.After)
	for i := range s.Faults {
		f := &s.Faults[i]
		from, to := s.span(f)
		if f.target().IsZero() || f.Name == "" || from < 0 || from >= to || to > s.lasts() {
			t.Fatalf("got fault %+v", f)
		}
	}
}

func checkSteps(t *testing.T, steps []Step) {
	for i := range steps {
		step := &steps[i]
		l := step.Loop
		switch step.Kind {
		case Request:
			if step.Method == "" || step.URL.IsZero() || step.Name == "" || step.Skip < 0 || step.Skip > 1 ||
				step.HasBody && step.Form != nil {
				t.Fatalf("got step %+v", step)
			}
			for _, c := range step.Capture {
				if c.As == "" || c.Expr.IsZero() {
					t.Fatalf("got capture %+v", c)
				}
			}
		case Loop:
			if len(step.Steps) == 0 || l.From < 0 || l.From > l.To || l.Value == "" || l.Element == "" || l.Value == l.Element ||
				!l.Count && l.CountText.IsZero() && l.Over == nil && l.OverVar == "" && l.While.Name == "" {
				t.Fatalf("got loop %+v", l)
			}
		case Parallel:
			if len(step.Steps) == 0 || step.Limit < 0 {
				t.Fatalf("got %+v", step)
			}
		}
		checkSteps(t, step.Steps)
	}
}
