package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"loadkms/faults"
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

// startRun starts loadkms on script in a process group of its own. What it writes is in files.
func startRun(t *testing.T, w *world, script string, args ...string) *process {
	t.Helper()
	return startRunTo(t, w, nil, script, args...)
}

// startRunTo is startRun with standard output and error going to one place, unless that is nil.
func startRunTo(t *testing.T, w *world, to *os.File, script string, args ...string) *process {
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
	stdout, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	p.Env = append(append(os.Environ(), cleanEnv(dir)...), w.env()...)
	p.Stdout, p.Stderr = stdout, stderr
	if to != nil {
		p.Stdout, p.Stderr = to, to
	}
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
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			if signal.Ignored(sig) {
				t.Skip("ignored here, as under nohup, and so by every process we start") // loadkms respects that
			}
			w := newWorld(t)
			// Restored must stay so for a second: time for a second signal.
			p := startRun(t, w, disable, "--settle", "1s")
			until(t, w, "Disabled")
			for _, answer := range []string{"stopping the load, then restoring", "still restoring"} {
				if err := p.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				patience := time.After(60 * time.Second)
				for tick := time.NewTicker(5 * time.Millisecond); !strings.Contains(p.said(t), answer); {
					select {
					case <-tick.C:
					case <-patience:
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
			p.untilForgotten(t)
		})
	}
}

// untilForgotten waits until the journal holds nothing any more. The guard settles before it forgets,
// so it is asked rather than waited for.
func (p *process) untilForgotten(t *testing.T) {
	t.Helper()
	patience := time.After(60 * time.Second)
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		j, err := faults.OpenJournal(filepath.Join(p.dir, "journal"))
		if err == nil {
			pending, perr := j.Pending()
			if err := errors.Join(perr, j.Release()); err != nil {
				t.Fatal(err)
			}
			if len(pending) == 0 {
				return
			}
		} else if !errors.Is(err, faults.ErrInUse) {
			t.Fatal(err)
		}
		select {
		case <-patience:
			t.Fatalf("the guard does not forget: %v\n%s", err, p.said(t))
		default:
		}
	}
}

// guard returns the PID of the guard of a run.
func (p *process) guard(t *testing.T) int {
	t.Helper()
	list, err := exec.CommandContext(t.Context(), "ps", "-eo", "pid=,ppid=,args=").Output()
	if err != nil {
		t.Skip("this system has no ps: ", err)
	}
	for line := range strings.Lines(string(list)) {
		words := strings.Fields(line)
		if len(words) > 3 && words[1] == strconv.Itoa(p.Process.Pid) && words[3] == "guard" {
			pid, err := strconv.Atoi(words[0])
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("no guard of %d in\n%s", p.Process.Pid, list)
	return 0
}

// A guard that dies before its run costs a warning, not the verdict: the run restores by itself.
func TestGuardThatDiesFirst(t *testing.T) {
	w := newWorld(t)
	before, err := w.describe("alias/qldb-kms-poc")
	if err != nil {
		t.Fatal(err)
	}
	p := startRun(t, w, strings.NewReplacer("duration: 60", "duration: 3", "for: 50s", "for: 2s", "config:", "config:\n  maxLateness: 30",
		`disable-key, key: "{{ stack.mainKeyID }}"`, `rotate-alias, alias: alias/qldb-kms-poc, to: "{{ stack.rotateKeyID }}"`).Replace(disable))
	patience := time.After(60 * time.Second)
	for tick, moved := time.NewTicker(5*time.Millisecond), false; !moved; {
		select {
		case <-tick.C:
		case <-patience:
			t.Fatalf("the alias does not move\n%s", p.said(t))
		}
		now, err := w.describe("alias/qldb-kms-poc")
		if err != nil {
			t.Fatal(err)
		}
		moved = now.KeyId != before.KeyId
	}
	if err := syscall.Kill(p.guard(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-p.ended; err != nil || !strings.Contains(p.said(t), "dismiss the guard: it is gone already") {
		t.Errorf("ended with %v, want a pass and a warning\n%s", err, p.said(t))
	}
	now, err := w.describe("alias/qldb-kms-poc")
	if err != nil || now.KeyId != before.KeyId {
		t.Errorf("the alias points to %v, want %v; error %v", now, before.KeyId, err)
	}
	p.untilForgotten(t)
}

// When whoever reads what it says has gone, as tee goes on Ctrl-C, a run goes on to its end.
func TestReaderThatDies(t *testing.T) {
	w := newWorld(t)
	r, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := startRunTo(t, w, wr, strings.NewReplacer("duration: 60", "duration: 3", "for: 50s", "for: 2s").Replace(disable))
	until(t, w, "Disabled")
	if err := errors.Join(r.Close(), wr.Close()); err != nil {
		t.Fatal(err)
	}
	err = <-p.ended
	if status, ok := p.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Exited() {
		t.Errorf("ended with %v, want an exit of its own", err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "out", "run.json")); err != nil {
		t.Error(err)
	}
	until(t, w, "Enabled")
	p.untilForgotten(t)
}

// A signal before anything was sent ends the run as interrupted, not as wrong, even if AWS does not
// answer.
func TestSignalBeforeTheRun(t *testing.T) {
	w := newWorld(t)
	asked := make(chan struct{}, 1)
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := mute.Accept(); err == nil {
			accepted <- c
			asked <- struct{}{}
		}
	}()
	t.Cleanup(func() {
		_ = mute.Close()
		_ = (<-accepted).Close()
	})
	p := startRun(t, w, disable, "--aws-endpoint", "http://"+mute.Addr().String())
	<-asked
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if got := p.ProcessState.ExitCode(); got != exitInconclusive || strings.Contains(p.said(t), "restoring") {
		t.Errorf("exit code %d, want %d, and nothing of restoring\n%s", got, exitInconclusive, p.said(t))
	}
}

// Kills at random moments, each of the process or of its group, of every fault: the state of the
// sandbox is what it was. LOADKMS_KILLS says how many of each fault; `make crashtest` sets it.
func TestKillsAtRandom(t *testing.T) {
	kills, err := strconv.Atoi(cmp.Or(os.Getenv("LOADKMS_KILLS"), "3"))
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	for i, fault := range []string{
		`{do: disable-key, key: "{{ stack.mainKeyID }}"`,
		`{do: rotate-alias, alias: alias/qldb-kms-poc, to: "{{ stack.rotateKeyID }}"`,
		`{do: update-ledger-key, ledger: qldb-kms-ledger-poc, to: "{{ stack.noAccessKeyID }}"`,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			w := newWorld(t)
			before := string(w.Dump())
			script := strings.Replace(disable, `{do: disable-key, key: "{{ stack.mainKeyID }}"`, fault, 1)
			for n := range kills {
				p := startRun(t, w, script)
				// From the start of the process to well into the fault.
				<-time.After(time.Duration(random.Int64N(int64(800 * time.Millisecond))))
				pid := p.Process.Pid
				if n%2 == 1 {
					pid = -pid
				}
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				<-p.ended
				p.untilForgotten(t)
				// What nobody journaled nobody broke; a rehearsal may still be under way.
				patience := time.After(30 * time.Second)
				for tick := time.NewTicker(20 * time.Millisecond); string(w.Dump()) != before; {
					select {
					case <-tick.C:
					case <-patience:
						t.Fatalf("kill %d: got\n%s\nwant\n%s\n%s", n, w.Dump(), before, p.said(t))
					}
				}
			}
		})
	}
}

// No secret is in what a run leaves behind, or in what it says.
func TestSecretsStaySecret(t *testing.T) {
	w := newWorld(t)
	w.more = []string{"AWS_SECRET_ACCESS_KEY=s3cr3tAccessKey", "AWS_SESSION_TOKEN=s3cr3tSessionToken"}
	w.refused.Store(&refusal{op: "EnableKey", after: "DisableKey"})
	p := startRun(t, w, strings.NewReplacer("duration: 60", "duration: 2", "for: 50s", "for: 500ms").Replace(disable),
		"--restore-for", "1s", "--target", strings.Replace(w.APIURL(), "http://", "http://me:s3cr3tPassword@", 1))
	<-p.ended
	if got := p.ProcessState.ExitCode(); got != exitBroken {
		t.Errorf("exit code %d, want %d\n%s", got, exitBroken, p.said(t))
	}
	seen := 0
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), "s3cr3t") {
			t.Errorf("a secret is in %s", path)
		}
		seen++
		return err
	})
	if err != nil || seen < 6 { // journal, its lock and holder, run.json, report.html, stdout and stderr
		t.Errorf("looked at %d files, error %v", seen, err)
	}
}
