package reporters

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"loadkms/result"
)

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestTerminalFits(t *testing.T) {
	for name, run := range runs(t) {
		for _, width := range []int{0, 40, 60, 80, 100, 200} {
			var b bytes.Buffer
			if err := Terminal(&b, run, Style{Width: width}); err != nil {
				t.Fatal(err)
			}
			most := min(max(width, 40), 100)
			if width == 0 {
				most = 100
			}
			lines := strings.Split(b.String(), "\n")
			for _, line := range lines {
				if columns(line) > most && !strings.HasPrefix(line, "aws ") {
					t.Errorf("%s at %d: %d columns in %q", name, width, columns(line), line)
				}
			}
			if width == 0 && len(lines) > 60 {
				t.Errorf("%s: %d lines, want one screen", name, len(lines))
			}
		}
	}
}

func TestTerminalColorsChangeNothingElse(t *testing.T) {
	for name, run := range runs(t) {
		var bare, colored bytes.Buffer
		if err := Terminal(&bare, run, Style{}); err != nil {
			t.Fatal(err)
		}
		if err := Terminal(&colored, run, Style{Color: true}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(bare.String(), "\x1b") {
			t.Errorf("%s: escape sequences without being asked", name)
		}
		if !strings.Contains(colored.String(), "\x1b[") {
			t.Errorf("%s: no color although asked", name)
		}
		if got := sgr.ReplaceAllString(colored.String(), ""); got != bare.String() {
			t.Errorf("%s: color changed the text", name)
		}
	}
}

func TestTerminalShowsHowToMendWhatIsStuck(t *testing.T) {
	run := runs(t)["stuck"]
	run.Faults[0].Stuck.Command = "aws kms put-key-policy --policy '" + strings.Repeat("x", 300) + "'"
	var b bytes.Buffer
	if err := Terminal(&b, run, Style{Width: 40}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"+run.Faults[0].Stuck.Command+"\n"); n != 2 {
		t.Errorf("the command stands %d times on a line of its own, want at the top and at the end:\n%s", n, b.String())
	}
	if first, _, _ := strings.Cut(b.String(), "\n"); !strings.HasPrefix(first, " STILL BROKEN ") {
		t.Errorf("the first line is %q", first)
	}
}

func TestHeadline(t *testing.T) {
	for _, c := range []struct {
		name string
		run  result.Run
		want string
	}{
		{"pass", result.Run{Verdict: result.Verdict{Outcome: result.Pass}}, "PASS"},
		{"fail", result.Run{Verdict: result.Verdict{Outcome: result.Fail}}, "FAIL"},
		{"inconclusive", result.Run{Verdict: result.Verdict{Outcome: result.Inconclusive}}, "INCONCLUSIVE"},
		{"no verdict is no pass", result.Run{}, "INCONCLUSIVE"},
		{"stuck outranks", result.Run{Verdict: result.Verdict{Outcome: result.Pass, Stuck: true}}, "STILL BROKEN"},
		{"a stuck fault is enough", result.Run{Verdict: result.Verdict{Outcome: result.Pass},
			Faults: []result.Fault{{Stuck: &result.Stuck{}}}}, "STILL BROKEN"},
	} {
		if got, _ := headline(&c.run); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestSentences(t *testing.T) {
	run := &result.Run{Interrupted: "SIGTERM", Verdict: result.Verdict{Reasons: []string{
		"the key is gone", "p99 of get record was 3 s", "FAIL-OPEN: served.", "http.codes.500 was 3", "it's late"}}}
	want := []string{"The key is gone.", "p99 of get record was 3 s.", "FAIL-OPEN: served.", "http.codes.500 was 3.",
		"It's late.", "The run ended early: SIGTERM."}
	var got []string
	for _, s := range sentences(run) {
		got = append(got, s.text)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestStoriesAreNoReasons: what users saw of a fault has the verdict's mark only if the verdict is good.
func TestStoriesAreNoReasons(t *testing.T) {
	for _, c := range []struct {
		outcome result.Judgment
		stories int
		want    string
	}{
		{result.Pass, 2, "✓✓"}, {result.Fail, 1, "✗·"}, {result.Inconclusive, 1, "?·"}, {result.Fail, 0, "✗✗"},
		{result.Fail, 9, "··"},
	} {
		run := &result.Run{Verdict: result.Verdict{Outcome: c.outcome, Stories: c.stories,
			Reasons: []string{"p99 was 3 s", "users of get record noticed nothing"}}}
		got := ""
		for _, s := range sentences(run) {
			got += s.tone.mark()
		}
		if got != c.want {
			t.Errorf("%s with %d stories: got %s, want %s", c.outcome, c.stories, got, c.want)
		}
	}
}

// TestManyOfEverything: lists are cut, and it is said that they are.
func TestManyOfEverything(t *testing.T) {
	run := runs(t)["disable-key"]
	for i := range 40 {
		run.Verdict.Reasons = append(run.Verdict.Reasons, fmt.Sprintf("reason %d", i))
		run.Verdict.Checks = append(run.Verdict.Checks, result.Check{Name: "x", Fault: -1, Outcome: result.Pass})
		run.Steps = append(run.Steps, result.Step{Name: fmt.Sprintf("step %d", i)})
		run.Events = append(run.Events, result.Event{At: time.Duration(i) * time.Second, Kind: result.Witnessed, Fault: 0})
	}
	var b bytes.Buffer
	if err := Terminal(&b, run, Style{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"34 more reasons", "30 more steps", "29 more moments", "33 more held"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, b.String())
		}
	}
}
