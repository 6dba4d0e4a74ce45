package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// usage is what a process has used when it ended.
type usage struct {
	user, kernel time.Duration
	took         time.Duration
	memory       int64 // most bytes resident at once
}

func (u usage) cpu() time.Duration { return u.user + u.kernel }

// A child is a program to run on core 0.
type child struct {
	command []string
	env     []string                                 // besides our own
	limit   time.Duration                            // it is killed after so long
	attend  func(ctx context.Context, p *os.Process) // runs beside it; ctx ends with it; may be nil
}

// run blocks until c has ended. What it printed is returned also with an error, which says how it ended: many a
// client exits with an error after a good measurement.
func (b *bench) run(ctx context.Context, c child) (stdout []byte, u usage, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	command := b.on(0, c.command...)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.WaitDelay = time.Second
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, u, err
	}
	beside, ended := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { u.memory = watchMemory(beside, cmd.Process.Pid) })
	if c.attend != nil {
		watchers.Go(func() { c.attend(beside, cmd.Process) })
	}
	err = cmd.Wait()
	took := time.Since(began)
	ended()
	watchers.Wait()
	u.user, u.kernel, u.took = cmd.ProcessState.UserTime(), cmd.ProcessState.SystemTime(), took
	if ctx.Err() != nil {
		err = fmt.Errorf("not done after %v", c.limit)
	}
	if why := firstLine(problems.Bytes()); err != nil && why != "" {
		err = errors.New(why) // tells more than its exit status
	}
	return out.Bytes(), u, err
}

// on returns the command line that runs a program on one core. taskset replaces itself by the program, so that the
// process started is the program's.
func (b *bench) on(core int, program ...string) []string {
	return append([]string{b.tools["taskset"], "-c", strconv.Itoa(core)}, program...)
}

// firstLine returns the first line of text that has something in it: there our own programs say what is wrong, and
// where.
func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(line)
}

// lastLine returns the last line of text that has something in it.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// watchMemory returns the high-water mark of the process's memory. It is read again and again until ctx is done,
// since it is gone with the process; what wait4 says of it counts the memory of whoever forked as well.
func watchMemory(ctx context.Context, pid int) (most int64) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		most = max(most, highWater(pid))
		select {
		case <-again.C:
		case <-ctx.Done():
			return most
		}
	}
}

// highWater returns 0 when there is no such process, or it has only just begun.
func highWater(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == "VmHWM:" {
			n, _ := strconv.ParseInt(f[1], 10, 64) // the kernel's own number
			return n << 10
		}
	}
	return 0
}

// A look is the CPU time used so far.
type look struct {
	server time.Duration
	all    time.Duration // by everybody, on all cores; what the hypervisor took counts
}

func (b *bench) look() (look, error) {
	server, err1 := cpuOf(b.server.cmd.Process.Pid)
	all, err2 := cpuOfAll()
	if err := errors.Join(err1, err2); err != nil {
		return look{}, fmt.Errorf("watch the processes: %w", err)
	}
	return look{server, all}, nil
}

// disturbed is the share of the cores' time beyond which what is measured is mostly what others do.
const disturbed = 0.1

// waitForCalm blocks until others leave the machine alone, but for no longer than b.calm.
func (b *bench) waitForCalm(ctx context.Context) error {
	const glance = 250 * time.Millisecond // 25 jiffies a core: a tenth of that can be told
	for began := time.Now(); time.Since(began) < b.calm; {
		before, err1 := b.look()
		wait(ctx, glance)
		after, err2 := b.look()
		if err := errors.Join(err1, err2); err != nil || ctx.Err() != nil {
			return err
		}
		if used := after.all - before.all; used.Seconds() < disturbed*glance.Seconds()*float64(runtime.NumCPU()) {
			return nil
		}
	}
	return nil
}

// A jiffy is the kernel's unit in these files, on every architecture.
const jiffy = 10 * time.Millisecond

// cpuOfAll leaves interrupts out: they are the network's, and so ours.
func cpuOfAll() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var user, nice, system, idle, iowait, irq, softirq, steal int64
	if _, err := fmt.Sscanf(string(text), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal); err != nil {
		return 0, fmt.Errorf("read /proc/stat: %w", err)
	}
	return time.Duration(user+nice+system+steal) * jiffy, nil
}

// cpuOf returns the user and system time a running process has used, to the hundredth of a second.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; what follows it is fields.
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("read /proc/%d/stat: %d fields only", pid, len(f))
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	kernel, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+kernel) * jiffy, errors.Join(err1, err2)
}
