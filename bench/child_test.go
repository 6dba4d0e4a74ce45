package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// pinned returns a bench that can run children, where there is taskset.
func pinned(t *testing.T) *bench {
	t.Helper()
	path, err := exec.LookPath("taskset")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("takes taskset and Linux")
	}
	return &bench{tools: map[string]string{"taskset": path}}
}

func TestChild(t *testing.T) {
	b := pinned(t)
	attended := 0
	stdout, used, err := b.run(t.Context(), child{
		command: []string{"sh", "-c", `echo "$WORD"; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done`},
		env:     []string{"WORD=hello"}, limit: time.Minute,
		attend: func(_ context.Context, p *os.Process) { attended = p.Pid },
	})
	if err != nil || string(stdout) != "hello\n" || attended == 0 {
		t.Errorf("got %q, attended %d: %v", stdout, attended, err)
	}
	if used.cpu() <= 0 || used.took < used.cpu()/2 || used.memory < 100<<10 || used.memory > 100<<20 {
		t.Errorf("got %+v", used)
	}
}

func TestChildThatFails(t *testing.T) {
	b := pinned(t)
	stdout, _, err := b.run(t.Context(), child{command: []string{"sh", "-c", "echo out; echo why >&2; echo more >&2; exit 3"}, limit: time.Minute})
	if err == nil || err.Error() != "why" || string(stdout) != "out\n" {
		t.Errorf("got %q, %v", stdout, err)
	}
}

func TestChildThatTakesTooLong(t *testing.T) {
	b := pinned(t)
	_, used, err := b.run(t.Context(), child{command: []string{"sleep", "60"}, limit: 50 * ms})
	if err == nil || !strings.Contains(err.Error(), "not done after 50ms") || used.took > 30*s {
		t.Errorf("got %v after %v", err, used.took)
	}
}
