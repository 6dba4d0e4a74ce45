//go:build unix

package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A file is the simplest target that outlives a process: its content is its state.
type file string

func (f file) ID() string                               { return string(f) }
func (f file) Spec() json.RawMessage                    { return nil }
func (f file) ByHand(prior State) string                { return fmt.Sprintf("printf %s > %s", prior, f) }
func (f file) Observe(context.Context) (State, error)   { return os.ReadFile(string(f)) }
func (f file) Break(context.Context) error              { return os.WriteFile(string(f), []byte("broken"), 0o600) }
func (f file) Restore(_ context.Context, p State) error { return os.WriteFile(string(f), p, 0o600) }

// TestMain lets this test's program play both parts of the guard's story when asked to.
func TestMain(m *testing.M) {
	dir := os.Getenv("FAULTS_TEST_DIR")
	lookup := func(e Entry) (Target, error) { return file(e.ID), nil }
	switch os.Getenv("FAULTS_TEST_PART") {
	case "guard":
		if err := GuardJournal(os.Stdin, os.Stdout, dir, lookup, RecoverOptions{Settle: time.Millisecond, Note: func(e Entry, note string) {
			fmt.Fprintln(os.Stderr, note)
		}, Notify: func(e Entry, at Station, _ error) { fmt.Fprintln(os.Stderr, "guard:", stationNames[at]) }}); err != nil {
			fmt.Fprintln(os.Stderr, "guard:", err)
			os.Exit(4)
		}
	case "run":
		if err := playRun(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// playRun breaks a file for as long as its standard input is open, guarded.
func playRun(dir string) error {
	j, err := OpenJournal(dir)
	if err != nil {
		return err
	}
	if err := os.Setenv("FAULTS_TEST_PART", "guard"); err != nil {
		return err
	}
	k, err := StartGuard(os.Args[0], nil, os.Stderr)
	if err != nil {
		return err
	}
	pass := func(station string) {
		fmt.Println("station:", station)
		if station == os.Getenv("FAULTS_TEST_STOP") {
			<-time.After(time.Minute) // the test kills us here; no longer, lest we outlive it
		}
	}
	pass("guarded")
	err = Bracket{Journal: j, Settle: 50 * time.Millisecond, Notify: func(at Station, _ error) { pass(stationNames[at]) }}.
		Inject(context.Background(), file(filepath.Join(dir, "key")), func(context.Context) error {
			_, err := io.Copy(io.Discard, os.Stdin)
			return err
		})
	return errors.Join(err, j.Release(), k.Done())
}

// A guard that ends at once is no guard: nothing may be broken under it.
func TestStartGuardThatEnds(t *testing.T) {
	for _, program := range []string{"true", "false"} {
		self, err := exec.LookPath(program)
		if err != nil {
			t.Skip(err)
		}
		if _, err := StartGuard(self, nil, os.Stderr); err == nil || !strings.HasPrefix(err.Error(), "start the guard: it ended before it was on guard (exit status ") {
			t.Errorf("%s: error %v", program, err)
		}
	}
}

// Kill -9 at every station, of the run alone and of all its process group: the guard puts it back.
func TestGuardSurvivesTheRun(t *testing.T) {
	for _, tt := range []struct {
		at    string // "" means: let it live
		group bool
		deaf  bool // nobody reads what the guard says
		gone  bool // somebody has removed the journal's file
	}{
		{at: ""},
		{at: "guarded"}, {at: "observed", group: true}, {at: "journaled"}, {at: "breaking", group: true}, {at: "broken"},
		{at: "visible", group: true}, {at: "visible"}, {at: "visible", deaf: true},
		{at: "visible", gone: true}, {at: "restoring", group: true},
		{at: "restored"}, {at: "settled", group: true},
	} {
		t.Run(fmt.Sprintf("killed when %s, group %v, deaf %v, gone %v", tt.at, tt.group, tt.deaf, tt.gone), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			key := filepath.Join(dir, "key")
			if err := os.WriteFile(key, []byte("as it was"), 0o600); err != nil {
				t.Fatal(err)
			}
			// The guard inherits this pipe: when it reads EOF, guard and run have both gone.
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			run := exec.Command(os.Args[0])
			run.Env = append(os.Environ(), "FAULTS_TEST_PART=run", "FAULTS_TEST_DIR="+dir, "FAULTS_TEST_STOP="+tt.at)
			run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			run.Stderr = w
			stdin, err := run.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := run.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = run.Process.Kill() }) // if the test has failed before
			w.Close()
			if tt.deaf {
				r.Close()
			}
			for sc := bufio.NewScanner(stdout); sc.Scan(); {
				at := strings.TrimPrefix(sc.Text(), "station: ")
				if strings.HasPrefix(at, "error") {
					t.Error(at)
				}
				if at == "visible" && tt.at != "visible" {
					stdin.Close() // the end of the body
				}
				if tt.at != "" && at == tt.at {
					if tt.gone {
						if err := os.Remove(filepath.Join(dir, journalFile)); err != nil {
							t.Fatal(err)
						}
					}
					pid := run.Process.Pid
					if tt.group {
						pid = -pid
					}
					if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
						t.Fatal(err)
					}
				}
			}
			err = run.Wait()
			if (err != nil) != (tt.at != "") {
				t.Errorf("the run ended with %v", err)
			}
			said := ""
			if !tt.deaf {
				b, err := io.ReadAll(r)
				if err != nil {
					t.Fatal(err)
				}
				said = string(b)
			}
			state := func() string {
				b, err := os.ReadFile(key)
				if err != nil {
					t.Fatal(err)
				}
				return string(b)
			}
			// A deaf guard's end cannot be heard: first the state comes back, then the lock.
			patience := time.After(20 * time.Second) // it takes milliseconds
			for tick := time.NewTicker(5 * time.Millisecond); tt.deaf && state() != "as it was"; {
				select {
				case <-tick.C:
				case <-patience:
					t.Fatal("nobody has put it back")
				}
			}
			j, err := WaitJournal(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if got, ids := state(), pendingIDs(t, j); got != "as it was" || ids != "" {
				t.Errorf("left %q with %q pending; the guard said %q", got, ids, said)
			}
			if err := j.Release(); err != nil {
				t.Error(err)
			}
			if !tt.deaf && strings.Contains(said, "settled") != (tt.at != "" && tt.at != "guarded" && tt.at != "observed" && tt.at != "settled") {
				t.Errorf("killed when %q, and the guard said %q", tt.at, said)
			}
		})
	}
}
