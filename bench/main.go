// Command bench measures loadkms beside its peers, on one machine, on loopback, and prints Markdown. `make bench`
// installs the peers and runs it from the top of the repository; -quick takes four minutes instead of ten or
// more, and is rougher.
//
// What is measured
//
//   - The client runs on core 0, the server (nginx, one worker, answers of 74 bytes from memory) on core 1. A client
//     that needs two cores to hold a rate does not hold it here.
//   - Closed loop: 64 connections, each sends when it has its answer. loadkms never does that of its own accord; it
//     is given far more arrivals than it can serve and 64 virtual users, and what finds none free is dropped.
//   - Open loop: arrivals at a fixed rate, whatever the answers do.
//   - The highest rate held truthfully: nothing dropped, nothing failed, at least 99 % of the rate achieved, and
//     lateness (sent − intended) at p99 under 10 ms. By doubling until it fails, then by halving the gap. A rate that fails is
//     tried once more. Of clients that do not tell their lateness, the last condition is not asked.
//   - The full-feature flow: POST of a JSON with six templates, capture of the id, a check on the status, histograms
//     per step and phase. flow.yaml is one file for loadkms and Artillery; k6.js does the same.
//   - Truth: 100 arrivals a second for 15 s at a server that is frozen from 5 s to 8 s, where the truth is known by
//     definition (package stall). Those runs share the machine, as they need little of it.
//
// How to read it
//
//   - Rounds are paired: in each, every client runs once, after one another, and a ratio is taken within its round. The table
//     has medians over the rounds. On a shared machine trust the ratios, not the figures.
//   - CPU per request is user and system time of the whole client process, starting and reporting included, divided
//     by the good answers; "kernel" is the system's share of it.
//   - Response time counts from the intended start in loadkms. The others start their clock when they send: what they say
//     about an overloaded server, or about themselves, is too good. Lateness of vegeta is worked out from its hits'
//     numbers (see bench/vegeta); the others do not tell.
//   - "What dominates" is read off the processes' times: the server, if it was busy 95 % of the time; else, if the client was
//     for 90 %, the kernel on its behalf or its own code, whichever took more; else the other processes, if they used a
//     tenth of the cores: such figures are worth little. "Waiting" means that there was nothing to do.
//   - Before a run it waits for others to leave the machine alone, but not for long (-calm).
//   - A client that is not installed has a row that says so. k6 is under the AGPL and is not installed by peers.sh; the k6 in
//     the PATH is used, if there is one.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// A bench is one run of all measurements.
type bench struct {
	quick   bool
	calm    time.Duration     // how long to wait for others to be done before a run
	dir     string            // for everything that is written; removed at the end
	tools   map[string]string // name → path, of those that are there
	runs    atomic.Int64      // of clients, begun so far
	server  *server
	out     io.Writer // Markdown
	say     io.Writer // progress
	figures figures
}

// sections are the measurements, in the order they are printed.
var sections = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"closed", (*bench).closed},
	{"open", (*bench).open},
	{"highest", (*bench).highest},
	{"users", (*bench).users},
	{"stop", (*bench).stop},
	{"truth", (*bench).truth},
	{"goals", (*bench).goals},
}

// run blocks until everything is measured. It starts nothing that it does not end.
func run(ctx context.Context, args []string, out, say io.Writer) (err error) {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(say)
	quick := flags.Bool("quick", false, "shorter and fewer runs")
	only := flags.String("only", strings.Join(names, ","), "what to measure")
	calm := flags.Duration("calm", 5*time.Second, "how long to wait before each run for others to leave the machine alone")
	loadkms := flags.String("loadkms", "", "the loadkms to measure; built from this repository unless told")
	peers := flags.String("peers", "", "the folder peers.sh installs in; its default unless told")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	wanted := strings.Split(*only, ",")
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no measurement %q: there are %s", name, strings.Join(names, ", "))
		}
	}
	if runtime.GOOS != "linux" || runtime.NumCPU() < 2 {
		return errors.New("client and server take one core each, and are watched through /proc: it takes Linux and two cores")
	}
	dir, err := os.MkdirTemp("", "loadkms-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the runs: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{quick: *quick, calm: *calm, dir: dir, out: out, say: say, figures: figures{}}
	if err := b.findTools(ctx, *loadkms, *peers); err != nil {
		return err
	}
	if b.server, err = startServer(ctx, b.on(1, b.tools["nginx"]), dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.close()) }()
	for _, s := range sections {
		if !slices.Contains(wanted, s.name) {
			continue
		}
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// findTools builds what is ours and looks for what is not: in the folder of peers.sh first, then in the PATH.
// A peer that is missing is missing; without nginx there is nothing to measure.
func (b *bench) findTools(ctx context.Context, loadkms, peers string) error {
	if peers == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("find the peers: %w", err)
		}
		peers = filepath.Join(cache, "loadkms", "peers")
	}
	b.tools = map[string]string{}
	for _, name := range []string{"nginx", "taskset", "wrk", "h2load", "bombardier", "k6", "artillery"} {
		look := []string{filepath.Join(peers, "bin", name), filepath.Join(peers, "node_modules", ".bin", name), name, "/usr/sbin/" + name}
		for _, candidate := range look {
			if path, err := exec.LookPath(candidate); err == nil {
				b.tools[name] = path
				break
			}
		}
	}
	for _, must := range []string{"nginx", "taskset"} {
		if b.tools[must] == "" {
			return fmt.Errorf("no %s: bench/peers.sh installs what is missing", must)
		}
	}
	if loadkms == "" {
		loadkms = filepath.Join(b.dir, "loadkms")
		if err := build(ctx, loadkms, "./cmd/loadkms"); err != nil {
			return err
		}
	}
	b.tools["loadkms"] = loadkms
	b.tools["vegeta"] = filepath.Join(b.dir, "vegeta")
	if err := build(ctx, b.tools["vegeta"], "./bench/vegeta"); err != nil {
		return err
	}
	return b.findLoop(ctx)
}

// findLoop builds the benchmark of the event loop, where there is one: it knows Linux only.
func (b *bench) findLoop(ctx context.Context) error {
	path := filepath.Join(b.dir, "loop")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", path, "./runner/internal/client").CombinedOutput(); err != nil {
		return fmt.Errorf("build the benchmarks of ./runner/internal/client: %w: %s", err, out)
	}
	list, err := exec.CommandContext(ctx, path, "-test.list", "^BenchmarkLoopClosed$").Output()
	if err != nil {
		return fmt.Errorf("list the benchmarks of ./runner/internal/client: %w", err)
	}
	if len(bytes.TrimSpace(list)) > 0 {
		b.tools[loop.tool] = path
	}
	return nil
}

func build(ctx context.Context, to, pkg string) error {
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", to, pkg).CombinedOutput(); err != nil {
		return fmt.Errorf("build %s (from the top of the repository): %w: %s", pkg, err, out)
	}
	return nil
}

// rounds is how many paired rounds there are, and lasts how long one run takes.
func (b *bench) rounds() int {
	if b.quick {
		return 1
	}
	return 3
}

func (b *bench) lasts() time.Duration {
	if b.quick {
		return 2 * time.Second
	}
	return 4 * time.Second
}
