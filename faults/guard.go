package faults

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// What guard and run say to each other.
const (
	onGuard = "on guard\n" // the guard, when it would notice the end of the run
	done    = "done\n"     // the run, when nothing is left to be restored
)

// startTime is how long a guard may take to be on guard. It takes milliseconds, and more on a machine
// that is short of everything.
const startTime = 30 * time.Second

// The guard's patience. Every recovery has its own budget for every entry; these are for what lies
// outside of it, such as a journal that cannot be read or credentials that have to be renewed.
const (
	guardTries      = 8
	guardFirstPause = time.Second // doubling: two minutes in all
)

// leaveTime is how long a guard may take to leave: it has nothing more to do than to end.
const leaveTime = 5 * time.Second

// Guard waits for the run at the other end of a pipe. If the run says "done", it returns nil. If the
// pipe ends in any other way, the run has died, and Guard recovers in its place: it calls recover
// until that returns nil, or nothing but [ErrChanged], eight times at most, and returns its last error.
func Guard(run io.Reader, recover func() error) error {
	if s, _ := bufio.NewReader(io.LimitReader(run, 64)).ReadString('\n'); s == done {
		return nil
	}
	for try, pause := 1, guardFirstPause; ; try, pause = try+1, 2*pause {
		err := recover()
		if err == nil || hopeless(err) || try == guardTries {
			return err
		}
		time.Sleep(pause)
	}
}

// hopeless reports whether all that is left was changed by somebody else, which no retry changes back.
func hopeless(err error) bool {
	if _, one := err.(*StuckError); !one {
		if all, ok := err.(interface{ Unwrap() []error }); ok {
			return !slices.ContainsFunc(all.Unwrap(), func(err error) bool { return !hopeless(err) })
		}
	}
	return errors.Is(err, ErrChanged)
}

// GuardJournal is the whole life of the guard process: it says on ready, its standard output, that it
// is on guard, reads run, its standard input, until the run is done or dead, and in the latter case waits for the journal in dir and recovers what is in
// it, even if somebody has moved its file away or removed it meanwhile. It makes this process deaf to
// the signals that a terminal, a session manager or a broken pipe send to all that belongs to the run,
// because those are what the guard is there to survive.
func GuardJournal(run io.Reader, ready io.Writer, dir string, lookup func(Entry) (Target, error), o RecoverOptions) error {
	// SIGPIPE: Go ends a process that writes to a broken standard error, and whoever read ours may
	// have died together with the run.
	signal.Ignore(os.Interrupt, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGPIPE)
	name := filepath.Join(dir, journalFile)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("open the journal: %w", err)
	}
	defer f.Close()
	kept := &FileJournal{dir: dir, f: f} // the run's, whatever its name is by then
	if _, err := io.WriteString(ready, onGuard); err != nil {
		return fmt.Errorf("report to the run: %w", err)
	}
	return Guard(run, func() (err error) {
		// Nobody cancels the guard; it ends when everything is restored or its tries are used up.
		ctx := context.Background()
		j, err := WaitJournal(ctx, dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, j.Release()) }()
		err = Recover(ctx, j, lookup, o)
		if !kept.is(name) {
			err = errors.Join(err, Recover(ctx, kept, lookup, o))
		}
		return err
	})
}

// A Keeper is the run's side of its guard.
type Keeper struct {
	cmd *exec.Cmd
	in  io.WriteCloser // nothing else holds this end of the pipe: when we die, it closes
}

// StartGuard starts self, this program's own file, with args as a guard in a session of its own, out
// of reach of our terminal and of signals to our process group. The program must call GuardJournal
// with its standard input and output. Its standard error is inherited from stderr. The guard has our
// environment, and with it our way to credentials. StartGuard blocks until the guard is on guard: what
// breaks before that is not guarded.
func StartGuard(self string, args []string, stderr *os.File) (*Keeper, error) {
	cmd := exec.Command(self, args...)
	cmd.Stderr = stderr // a file, not any writer: it must work when we are gone
	detach(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the guard: %w", errors.Join(err, in.Close()))
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard: %w", errors.Join(err, in.Close()))
	}
	late := time.AfterFunc(startTime, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if s, _ := bufio.NewReader(io.LimitReader(out, 64)).ReadString('\n'); s != onGuard {
		_ = cmd.Process.Kill()
		_ = in.Close()
		return nil, fmt.Errorf("start the guard: it ended before it was on guard (%v)", cmp.Or(cmd.Wait(), errors.New("exit status 0")))
	}
	return &Keeper{cmd: cmd, in: in}, nil
}

// Done tells the guard that nothing is left to do for it, and waits for it to leave. An error means
// that the guard had died before, or leaves complaining; the run itself is none the worse for it.
func (k *Keeper) Done() error {
	_, err := io.WriteString(k.in, done)
	// Nothing is left for it to restore, so one that hangs may be ended.
	timer := time.AfterFunc(leaveTime, func() { _ = k.cmd.Process.Kill() })
	defer timer.Stop()
	err = errors.Join(err, k.in.Close())
	if ended := k.cmd.Wait(); ended != nil {
		err = ended // which says why it could not be told
	}
	if err != nil {
		return fmt.Errorf("dismiss the guard: it is gone already: %w", err)
	}
	return nil
}
