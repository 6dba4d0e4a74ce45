package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"loadkms/result"
)

// disable keeps the main key disabled for longer than any test waits.
const disable = `
config:
  aws: {region: eu-west-2, stack: qldb-kms-poc}
  phases: [{name: all, duration: 60, arrivalRate: 20}]
scenarios:
  - flow: [{get: {url: /record/1, expect: {statusCode: 400}}}]
faults:
  - {do: disable-key, key: "{{ stack.mainKeyID }}", at: 200ms, for: 50s}
`

// A process is a loadkms run against a world.
type process struct {
	*exec.Cmd
	dir   string
	ended chan error
}

// said returns what the process has written to standard error so far.
func (p *process) said(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// startRun starts loadkms on script in a process group of its own.
func startRun(t *testing.T, w *world, script string, args ...string) *process {
	t.Helper()
	dir := t.TempDir()
	args = append([]string{"run", "--target", w.APIURL(), "--journal", filepath.Join(dir, "journal"), "--output", filepath.Join(dir, "out"),
		"--settle", "100ms", writeTemp(t, "script.yaml", script)}, args...)
	stderr, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	p := &process{Cmd: exec.Command(lookupSelf(t), args...), dir: dir, ended: make(chan error, 1)}
	p.Env = append(append(os.Environ(), cleanEnv(dir)...), w.env()...)
	p.Stderr = stderr
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() {
		_ = p.Process.Kill() // does nothing to a process that has ended
	})
	return p
}

// until polls the world's key for a state. It is bounded by the test's patience, not by a guess at
// how fast the machine is.
func until(t *testing.T, w *world, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		got, err := w.state()
		if err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the key is %s and does not become %s", got, want)
		}
	}
}

// A signal in the middle of a fault stops the load, restores, reports, and exits 3: the run proves
// nothing. A second one skips nothing.
func TestSignalIsRestored(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			w := newWorld(t)
			// Restored must stay so for a second: time for a second signal.
			p := startRun(t, w, disable, "--settle", "1s")
			until(t, w, "Disabled")
			for _, answer := range []string{"stopping the load, then restoring", "still restoring"} {
				if err := p.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				for tick := time.NewTicker(5 * time.Millisecond); !strings.Contains(p.said(t), answer); <-tick.C {
					if t.Context().Err() != nil {
						t.Fatalf("stderr does not say %q:\n%s", answer, p.said(t))
					}
				}
			}
			err := <-p.ended
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != exitInconclusive {
				t.Errorf("ended with %v, want exit code %d\n%s", err, exitInconclusive, p.said(t))
			}
			until(t, w, "Enabled")
			var run result.Run
			b, err := os.ReadFile(filepath.Join(p.dir, "out", "run.json"))
			if err == nil {
				err = json.Unmarshal(b, &run)
			}
			if err != nil {
				t.Fatalf("an interrupted run leaves its report all the same: %v", err)
			}
			if run.Interrupted == "" || run.Faults[0].Settled == result.Never {
				t.Errorf("run.json: interrupted %q, settled %v", run.Interrupted, run.Faults[0].Settled)
			}
		})
	}
}

// Killed with a key broken, alone or with its whole process group, loadkms leaves a guard behind
// that brings the key back and empties the journal.
func TestKillIsRestored(t *testing.T) {
	for name, group := range map[string]bool{"process": false, "process group": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := startRun(t, w, disable)
			until(t, w, "Disabled")
			pid := p.Process.Pid
			if group {
				pid = -pid
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			<-p.ended
			until(t, w, "Enabled")
			// The guard settles before it forgets, so wait for its lock rather than for a while.
			for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
				recovering := exec.CommandContext(t.Context(), p.Path, "recover", "--journal", filepath.Join(p.dir, "journal"), "--settle", "100ms")
				recovering.Env = p.Env
				out, err := recovering.CombinedOutput()
				if strings.Contains(string(out), "nothing to restore") {
					break
				}
				if t.Context().Err() != nil {
					t.Fatalf("recover: %v\n%s", err, out)
				}
			}
		})
	}
}
