// Package command is a fault that a command of the user's injects, and another one undoes.
//
// It knows nothing of what they do: its one job is to run them as they were written, without a shell, each
// for a bounded time and out of reach of the keyboard's signals, and to believe their exit status. It
// does not decide when, and does not try again.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"loadkms/faults"
	"loadkms/scenarios"
)

// Options say in which surroundings commands run. The zero value is this process's.
type Options struct {
	Outputs map[string]string // of the stack: what {{ stack.NAME }} stands for; nil means there is no stack
	// Env are variables, NAME=value, that the commands get beside those of this process. They are written
	// to the journal, so they hold no secret. If there are any whose names begin with AWS_, this process's
	// own of that kind are left out: what is meant for a sandbox must not reach an account.
	Env []string
	Dir string    // where they run; "" means this process's folder
	Log io.Writer // gets what they print, one command at a time, secrets taken out; nil means nobody
}

// The limits of a command.
const (
	// timeout is for one command: longer than a change of a ledger's key is accepted in, and shorter than a
	// restore's budget, so that one that hangs is tried again.
	timeout = time.Minute
	// patience is how long a command that was told to end may take, before it is killed.
	patience = 5 * time.Second
	// mostOutput of what one command prints is kept.
	mostOutput = 64 << 10
	// longestComplaint is how much of it an error repeats.
	longestComplaint = 300
)

// A target is what a command changes. Its state is what the check says; without one it is always the
// same, and restored is what the undo command has done without an error.
type target struct {
	spec spec
	log  io.Writer

	mu sync.Mutex // one command at a time; held while it runs
}

var (
	_ faults.Target  = (*target)(nil)
	_ faults.Outside = (*target)(nil)
)

// A spec is what it takes to make a target again.
type spec struct {
	Action  scenarios.Action `json:"action"`
	Command []string         `json:"command"`
	Undo    []string         `json:"undo"`
	Check   []string         `json:"check,omitempty"`
	Dir     string           `json:"dir"`
	Env     []string         `json:"env,omitempty"`
}

// The states.
const (
	asBefore  = "as before" // the check exits with 0
	notBefore = "not as before"
	unknown   = "unknown" // there is no check
)

// Resolve returns the target of f, once its commands are certain to be there. It runs nothing. Errors
// end with the place in the script.
func Resolve(f *scenarios.Fault, o Options) (faults.Target, error) {
	s := spec{Action: f.Do, Dir: o.Dir, Env: o.Env}
	if s.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("find the folder to run in: %w, at %s", err, f.Pos)
		}
		s.Dir = dir
	}
	for _, part := range []struct {
		from []scenarios.Template
		to   *[]string
	}{{f.Command, &s.Command}, {f.Undo, &s.Undo}, {f.Check, &s.Check}} {
		for _, t := range part.from {
			word, err := expand(t, o.Outputs)
			if err != nil {
				return nil, err
			}
			*part.to = append(*part.to, word)
		}
		if len(*part.to) == 0 {
			continue
		}
		if _, err := find((*part.to)[0], s.Dir); err != nil {
			return nil, fmt.Errorf("no command %q: %w, at %s", (*part.to)[0], err, part.from[0].Pos)
		}
	}
	return makeTarget(s, o.Log)
}

// Lookup makes the target of a journal entry again, in another process. What the commands print goes
// to log.
func Lookup(e faults.Entry, log io.Writer) (faults.Target, error) {
	var s spec
	if err := json.Unmarshal(e.Spec, &s); err != nil {
		return nil, fmt.Errorf("read the entry's spec: %w", err)
	}
	return makeTarget(s, log)
}

// Is reports whether an entry of a journal is one of this package's targets.
func Is(e faults.Entry) bool {
	var s struct{ Action scenarios.Action }
	return json.Unmarshal(e.Spec, &s) == nil && s.Action == scenarios.Run
}

func makeTarget(s spec, log io.Writer) (faults.Target, error) {
	if len(s.Command) == 0 || len(s.Undo) == 0 || s.Dir == "" {
		return nil, fmt.Errorf("the spec of %s is not complete", scenarios.Run)
	}
	if log == nil {
		log = io.Discard
	}
	return &target{spec: s, log: log}, nil
}

func expand(t scenarios.Template, outputs map[string]string) (string, error) {
	unknown := ""
	text, err := t.Expand(func(name string) (string, bool) {
		output, _ := strings.CutPrefix(name, "stack.")
		value, ok := outputs[output]
		if !ok {
			unknown = output
		}
		return value, ok
	})
	switch {
	case unknown != "" && outputs == nil:
		return "", fmt.Errorf("{{ stack.%s }} needs a stack: set config.aws.stack, at %s", unknown, t.Pos)
	case unknown != "":
		return "", fmt.Errorf("the stack has no output %q: it has %s, at %s", unknown,
			strings.Join(slices.Sorted(maps.Keys(outputs)), ", "), t.Pos)
	}
	return text, err
}

// find returns the path of a program: as PATH has it or, if its name has a slash, relative to dir.
func find(name, dir string) (string, error) {
	if filepath.Base(name) != name && !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	path, err := exec.LookPath(name)
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err // the rest repeats the name
	} else if e := (*exec.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return path, err
}

func (t *target) ID() string {
	return "command:" + strings.Join(t.spec.Command, " ")
}

func (t *target) Spec() json.RawMessage {
	b, err := json.Marshal(t.spec)
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return b
}

// Outside says that the commands change what is not part of an embedded sandbox, as far as we know.
func (t *target) Outside() {}

func (t *target) Observe(ctx context.Context) (faults.State, error) {
	if len(t.spec.Check) == 0 {
		return faults.State(unknown), ctx.Err()
	}
	err := t.run(ctx, "check", t.spec.Check)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return faults.State(asBefore), nil
	case errors.As(err, &exit) && exit.Exited():
		return faults.State(notBefore), nil
	}
	return nil, err // it did not come to an answer
}

func (t *target) Break(ctx context.Context) error { return t.run(ctx, "command", t.spec.Command) }

// Restore runs the undo command. That has to be idempotent, for it is the rehearsal, too, and is run
// again if something has come in between.
func (t *target) Restore(ctx context.Context, prior faults.State) error {
	if string(prior) == notBefore {
		return fmt.Errorf("the check %s fails already, before the fault", quoted(t.spec.Check))
	}
	return t.run(ctx, "undo", t.spec.Undo)
}

func (t *target) ByHand(faults.State) string {
	return "cd " + quoted([]string{t.spec.Dir}) + " && " + quoted(t.spec.Undo)
}

// run runs one command to its end, or until ctx or its time is over: then it is told to end, with all
// that it has started, and killed if it does not.
func (t *target) run(ctx context.Context, role string, argv []string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	path, err := find(argv[0], t.spec.Dir)
	if err != nil {
		return fmt.Errorf("%s %s: %w", role, argv[0], err)
	}
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = t.spec.Dir, environment(os.Environ(), t.spec.Env), patience
	out := &tail{}
	cmd.Stdout, cmd.Stderr = out, out
	isolate(cmd)
	err = cmd.Run()
	text := redact(out.String(), cmd.Env)
	// A log that cannot be written is no reason not to restore.
	_, _ = fmt.Fprintf(t.log, "%s: %s\n%s", role, redact(quoted(argv), cmd.Env), lines(text))
	switch {
	case err == nil:
		return nil
	case context.Cause(ctx) == context.DeadlineExceeded:
		return fmt.Errorf("%s %s: not done within %v%s", role, argv[0], timeout, complaint(text))
	}
	return fmt.Errorf("%s %s: %w%s", role, argv[0], err, complaint(text))
}

// environment adds variables to those of the process. Of two of one name the last counts.
func environment(own, extra []string) []string {
	isAWS := func(v string) bool { return strings.HasPrefix(v, "AWS_") }
	if slices.ContainsFunc(extra, isAWS) {
		own = slices.DeleteFunc(slices.Clone(own), isAWS)
	}
	return slices.Concat(own, extra)
}
