package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"loadkms/faults"
	"loadkms/scenarios"
)

// argv makes a command of the script: a word such as {{ stack.x }} is a hole.
func argv(words ...string) (list []scenarios.Template) {
	for _, w := range words {
		t := scenarios.Template{Pos: scenarios.Pos{File: "a.yaml", Line: 7, Col: 9}, Source: w, Parts: []scenarios.Part{{Text: w}}}
		if name, ok := strings.CutPrefix(w, "{{ "); ok {
			t.Parts = []scenarios.Part{{Var: strings.TrimSuffix(name, " }}")}}
		}
		list = append(list, t)
	}
	return list
}

// sh runs a line of shell.
func sh(line string) []scenarios.Template { return argv("sh", "-c", line) }

func fault(command, undo, check []scenarios.Template) *scenarios.Fault {
	return &scenarios.Fault{Pos: scenarios.Pos{File: "a.yaml", Line: 6, Col: 5}, Do: scenarios.Run, Command: command, Undo: undo, Check: check}
}

func resolve(t *testing.T, f *scenarios.Fault, o Options) faults.Target {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the commands of these tests are a POSIX shell's")
	}
	target, err := Resolve(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func openJournal(t *testing.T) *faults.FileJournal {
	t.Helper()
	j, err := faults.OpenJournal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Release(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// Through the bracket: the rehearsal undoes once, the fault shows, and afterwards the check holds.
func TestBreakAndRestore(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	target := resolve(t, fault(sh("touch broken; echo breaking"), sh("rm -f broken; echo undoing >&2"), sh("test ! -e broken")),
		Options{Dir: dir, Log: &log})
	j := openJournal(t)
	var passed []faults.Station
	broken := filepath.Join(dir, "broken")
	visible := make(chan struct{})
	err := faults.Bracket{Journal: j, Settle: time.Millisecond, Entry: faults.Entry{Embedded: true},
		Notify: func(at faults.Station, detail error) {
			if passed = append(passed, at); at == faults.Visible {
				close(visible)
			}
			if detail != nil {
				t.Error(detail)
			}
		}}.Inject(t.Context(), target, func(context.Context) error {
		if _, err := os.Stat(broken); err != nil {
			t.Error(err)
		}
		pending, err := j.Pending()
		if err != nil || len(pending) != 1 || pending[0].Embedded {
			t.Errorf("entries %+v, error %v; want one that outlives an embedded sandbox", pending, err)
		} else if want := "cd " + dir + " && sh -c 'rm -f broken; echo undoing >&2'"; pending[0].ByHand != want {
			t.Errorf("by hand %s, want %s", pending[0].ByHand, want)
		}
		<-visible
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(broken); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still broken: %v", err)
	}
	if last := passed[len(passed)-1]; last != faults.Settled {
		t.Errorf("the last station is %d", last)
	}
	if got := log.String(); strings.Count(got, "breaking\n") != 1 || strings.Count(got, "\nundoing\n") != 2 {
		t.Errorf("log\n%s, want one command and two undos", got)
	}
}

// Another process has nothing but the entry.
func TestLookup(t *testing.T) {
	dir := t.TempDir()
	target := resolve(t, fault(sh("touch $NAME"), sh("rm -f $NAME"), nil), Options{Dir: dir, Env: []string{"NAME=broken"}})
	if err := target.Break(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := faults.Entry{ID: target.ID(), Spec: target.Spec(), Prior: faults.State(unknown)}
	if !Is(e) || Is(faults.Entry{Spec: json.RawMessage(`{"action":"disable-key"}`)}) {
		t.Error("an entry is not known by its action")
	}
	again, err := Lookup(e, nil)
	if err != nil || again.ID() != target.ID() || string(again.Spec()) != string(target.Spec()) {
		t.Fatalf("made %v, error %v", again, err)
	}
	if err := again.Restore(t.Context(), e.Prior); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "broken")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still broken: %v", err)
	}
	for _, spec := range []string{``, `{`, `{"action":"run","command":["true"],"dir":"/"}`, `{"action":"run","undo":["true"],"dir":"/"}`} {
		if _, err := Lookup(faults.Entry{Spec: json.RawMessage(spec)}, nil); err == nil {
			t.Errorf("made a target of %q", spec)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	yes := argv("true")
	outputs := map[string]string{"a": "1", "b": "2"}
	for _, tt := range []struct {
		name    string
		fault   *scenarios.Fault
		outputs map[string]string
		want    string
	}{
		{"no such program", fault(argv("no-such-program", "x"), yes, nil), nil, `no command "no-such-program": executable file not found in $PATH, at a.yaml:7:9`},
		{"no such file", fault(yes, argv("./nothing"), nil), nil, `no command "./nothing": no such file or directory, at a.yaml:7:9`},
		{"no such check", fault(yes, yes, argv("no-such-program")), nil, `no command "no-such-program": executable file not found in $PATH, at a.yaml:7:9`},
		{"no stack", fault(argv("true", "{{ stack.a }}"), yes, nil), nil, "{{ stack.a }} needs a stack: set config.aws.stack, at a.yaml:7:9"},
		{"no such output", fault(argv("true", "{{ stack.c }}"), yes, nil), outputs, `the stack has no output "c": it has a, b, at a.yaml:7:9`},
		{"no undo", fault(yes, nil, nil), nil, "the spec of run is not complete"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Resolve(tt.fault, Options{Outputs: tt.outputs})
			if got := fmt.Sprint(err); !strings.HasPrefix(got, tt.want[:strings.IndexByte(tt.want+":", ':')]) || runtime.GOOS == "linux" && got != tt.want {
				t.Errorf("error\n %s, want\n %s", got, tt.want)
			}
		})
	}
}

// What cannot be undone, or does not hold to begin with, is not broken.
func TestNoWayBack(t *testing.T) {
	for _, tt := range []struct {
		name        string
		undo, check []scenarios.Template
		want        string
	}{
		{"undo fails", sh("echo no such luck; exit 3"), nil, "undo sh: exit status 3: no such luck"},
		{"check fails already", argv("true"), argv("false"), "the check false fails already, before the fault"},
		{"undo changes what is checked", sh("touch x"), sh("test ! -e x"), "the rehearsal of the restore did not leave it as it was"},
		{"check is killed", argv("true"), sh("kill -9 $$"), "check sh: signal: killed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			target := resolve(t, fault(sh("touch broken"), tt.undo, tt.check), Options{Dir: dir})
			err := faults.Bracket{Journal: openJournal(t), Settle: 1}.Inject(t.Context(), target, func(context.Context) error {
				t.Error("broken without a way back")
				return nil
			})
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "broken")); !errors.Is(err, os.ErrNotExist) {
				t.Error("the command ran")
			}
		})
	}
}

// A command that hangs is told to end, and all that it has started with it. The restore goes on.
func TestCommandThatHangs(t *testing.T) {
	dir := t.TempDir()
	target := resolve(t, fault(sh("touch broken; sleep 600 & sleep 600"), sh("rm -f broken"), nil), Options{Dir: dir})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for ctx.Err() == nil { // until it runs
			if _, err := os.Stat(filepath.Join(dir, "broken")); err == nil {
				return
			}
			runtime.Gosched()
		}
	}()
	began := time.Now()
	err := faults.Bracket{Journal: openJournal(t), Settle: 1}.Inject(ctx, target, func(context.Context) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "command sh: ") || errors.Is(err, faults.ErrStuck) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("took %v: somebody still held its output", took)
	}
	if _, err := os.Stat(filepath.Join(dir, "broken")); !errors.Is(err, os.ErrNotExist) {
		t.Error("not undone")
	}
}

// What is printed is logged without the values of secret variables, and an error repeats the end of it.
func TestSecretsAreNotLogged(t *testing.T) {
	t.Setenv("MY_API_TOKEN", "correct-horse")
	t.Setenv("USE_TOKEN", "yes")
	var log bytes.Buffer
	target := resolve(t, fault(sh(`echo "say $MY_API_TOKEN and yes"; exit 1`), argv("true"), nil), Options{Log: &log})
	err := target.Break(t.Context())
	if want := "command sh: exit status 1: say *** and yes"; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if got := log.String(); strings.Contains(got, "correct-horse") || !strings.HasSuffix(got, "\nsay *** and yes\n") {
		t.Errorf("log %s", got)
	}
}

// What is meant for the sandbox does not meet the user's own credentials.
func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_PROFILE", "production")
	t.Setenv("AWS_SESSION_TOKEN", "correct-horse")
	for _, tt := range []struct {
		name  string
		extra []string
		want  string
	}{
		{"its own AWS", []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1"}, "profile  endpoint http://127.0.0.1:1"},
		{"the user's", []string{"LOADKMS_TARGET=x"}, "profile production endpoint "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			target := resolve(t, fault(sh(`echo "profile $AWS_PROFILE endpoint $AWS_ENDPOINT_URL"`), argv("true"), nil), Options{Env: tt.extra, Log: &log})
			if err := target.Break(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := log.String(); !strings.HasSuffix(got, "\n"+tt.want+"\n") {
				t.Errorf("log %s, want %s", got, tt.want)
			}
		})
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var out tail
	for i := range 40_000 {
		fmt.Fprintln(&out, i)
	}
	got := out.String()
	if !strings.HasPrefix(got, "…") || !strings.HasSuffix(got, "39999\n") || len(got) > mostOutput+len("…") {
		t.Errorf("%d bytes, from %.10q", len(got), got)
	}
	if c := complaint(got); len([]rune(c)) != len([]rune(": …"))+longestComplaint || !strings.HasSuffix(c, " 39999") {
		t.Errorf("complaint %q", c)
	}
}
