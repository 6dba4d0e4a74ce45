package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"loadkms/faults"
	"loadkms/faults/awskms"
	"loadkms/reporters"
	"loadkms/result"
	"loadkms/runner"
	"loadkms/scenarios"
)

// runFlags are the flags of loadkms run.
type runFlags struct {
	parse    parseFlags
	seed     uint64
	output   string
	metrics  string
	journal  string
	endpoint string
	region   string
	settle   time.Duration
	budget   time.Duration
	yes      bool
	quiet    bool
}

// newRun returns the command that runs a script.
func newRun(w *words) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCRIPT",
		Short: "run a script: load, faults, verdict, reports",
		Long: `run sends the script's load, injects its faults, puts everything back, and judges. It leaves run.json
and report.html in the output folder, and exits with 0 to 4 as loadkms --help says.

SCRIPT is a file, or the name of a script that ships with loadkms:
` + shipped(),
		Args: exactly("SCRIPT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := positive(cmd, "settle", "restore-for"); err != nil {
				return err
			}
			return f.run(cmd, w, args[0])
		},
	}
	f.parse.add(cmd)
	flags := cmd.Flags()
	flags.Uint64Var(&f.seed, "seed", 0, "make the run repeatable; 0 draws a seed and reports it")
	flags.StringVarP(&f.output, "output", "o", "", "folder for run.json and report.html (default runs/TIME-NAME)")
	flags.StringVar(&f.metrics, "metrics", "", "serve Prometheus metrics at this address while the run lasts, such as :9464 (loopback unless a host is named)")
	flags.StringVar(&f.journal, "journal", "", "folder of the journal of promises to restore (default on the embedded sandbox the output folder, else $LOADKMS_JOURNAL, else loadkms in the user's state folder)")
	flags.StringVar(&f.endpoint, "aws-endpoint", "", "where to reach AWS; overrides config.aws.endpoint and AWS_ENDPOINT_URL")
	flags.StringVar(&f.region, "region", "", "AWS region; overrides config.aws.region")
	flags.DurationVar(&f.settle, "settle", 0, "how long restored must stay restored (default 15s; on the embedded sandbox divided by its speed)")
	flags.DurationVar(&f.budget, "restore-for", 0, "how long to try to restore before giving up with exit code 4 (default 2m)")
	flags.BoolVar(&f.yes, "yes", false, "change keys in a real AWS account without asking")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no live view, only the closing summary")
	return cmd
}

// shipped lists the scripts of the library, a line each.
func shipped() string {
	var b strings.Builder
	for _, name := range scenarios.Names() {
		fmt.Fprintf(&b, "  %s\n", name)
	}
	return b.String()
}

// run is loadkms run. Everything that can be found wrong is found before the first request.
func (f *runFlags) run(cmd *cobra.Command, w *words, name string) (err error) {
	ctx, stderr := cmd.Context(), cmd.ErrOrStderr()
	outliveReaders()
	if f.seed == 0 {
		f.seed = rand.Uint64N(1e9) + 1 // nine digits: short enough to be typed again
	}
	script, err := f.parse.load(name, f.seed)
	if err != nil {
		return &coded{exitUsage, err}
	}
	printNotes(stderr, script)

	out, err := makeOutput(f.output, script.Name, time.Now())
	if err != nil {
		return err
	}
	began := false
	defer func() {
		if !began {
			err = errors.Join(err, out.discard())
		}
	}()
	s, err := f.setTheStage(ctx, script, out)
	if err != nil {
		return err
	}
	defer func() {
		// Everything is restored by now, or named: the verdict stands, and its exit code with it.
		if struck := s.strike(); began {
			explain(stderr, struck)
		} else {
			err = errors.Join(err, struck)
		}
	}()
	if err := f.confirm(cmd, s); err != nil {
		return err
	}

	feed := &result.Feed{}
	metrics, err := serveMetrics(f.metrics, feed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, metrics.close()) }()
	if metrics.url != "" {
		fmt.Fprintf(stderr, "metrics at %s\n", metrics.url)
	}
	if err := s.startGuard(stderr); err != nil {
		return err
	}

	w.set("stopping the load, then restoring what is broken", fmt.Sprintf(
		"still restoring; that is given up after %v, and what is left is then named here", cmp.Or(f.budget, faults.DefaultBudget)))
	unwatch := watch(stderr, feed, f.quiet)
	run, err := runner.Run(ctx, runner.Options{
		Script:      script,
		Target:      s.target,
		Faults:      s.targets,
		Bracket:     s.bracket,
		Feed:        feed,
		Seed:        f.seed,
		Version:     version(),
		Environment: f.parse.environment,
		AWS:         s.aws,
		Log:         out.log(),
		Sign:        s.sign(),
	})
	unwatch()
	if err != nil {
		return &coded{exitUsage, err}
	}
	began = true
	lost := out.write(run)
	written := lost == nil
	if err := reporters.Terminal(cmd.OutOrStdout(), run, styleOf(cmd.OutOrStdout())); err != nil {
		lost = errors.Join(lost, fmt.Errorf("print the summary: %w", err))
	}
	for _, fault := range run.Faults {
		if fault.Stuck != nil {
			// Again, and last: the summary may have been piped away.
			fmt.Fprintf(stderr, "loadkms: %s\n", fault.Stuck.Error)
			fmt.Fprintf(stderr, "loadkms: restore %s by hand: %s\n", fault.Target, fault.Stuck.Command)
		}
	}
	if run.Verdict.Stuck && s.journal != nil && s.own == "" {
		fmt.Fprintf(stderr, "loadkms: hint: loadkms recover --journal %s tries again, and strikes from the journal what is restored\n", awskms.Quote(s.dir))
	}
	if written {
		out.say(stderr)
	}
	if lost != nil {
		explain(stderr, lost) // the verdict stands, and its exit code with it
	}
	if code := verdictCode(run.Verdict); code != exitPass {
		return &coded{code: code}
	}
	if lost != nil {
		return &coded{code: exitInconclusive} // nobody can check a pass whose evidence is gone
	}
	return nil
}

// confirm asks before keys in a real account are changed. A loopback endpoint is somebody's sandbox.
func (f *runFlags) confirm(cmd *cobra.Command, s *stage) error {
	if len(s.targets) == 0 || s.local || f.yes {
		return nil
	}
	where := ""
	if s.aws.Account != "" {
		where = fmt.Sprintf(", in account %s, region %s", s.aws.Account, s.aws.Region)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "This run changes, and puts back%s:\n", where)
	for i, t := range s.targets {
		fmt.Fprintf(cmd.ErrOrStderr(), "  %s  %s\n", s.script.Faults[i].Do, t.ID())
	}
	if s.aws.Account == "" { // commands alone: there is nothing to type
		return hint(usage("a run of commands needs a confirmation"), "look at the list above, then add --yes")
	}
	if !isTerminal(cmd.InOrStdin()) {
		return hint(usage("a run against a real account needs a confirmation"), "look at the list above, then add --yes")
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Type the account id to go on: ")
	// Nothing interrupts a read from a terminal, so it is left behind if a signal comes: the process
	// ends then.
	typed := make(chan string, 1)
	go func() {
		var s string
		_, _ = fmt.Fscanln(cmd.InOrStdin(), &s) // what was not typed is not the account
		typed <- s
	}()
	select {
	case t := <-typed:
		if t == s.aws.Account {
			return nil
		}
	case <-cmd.Context().Done():
	}
	return usage("not confirmed; nothing was sent")
}

// An output is the folder a run leaves its reports in.
type output struct {
	dir  string
	made []string // folders that were not there before, innermost first
	logs *lazyFile
}

// makeOutput creates the folder, so that a run does not find out at its end that it has nowhere to
// write.
func makeOutput(dir, name string, now time.Time) (*output, error) {
	if dir == "" {
		base := filepath.Join("runs", now.UTC().Format("20060102T150405Z")+"-"+name)
		dir = base
		for i := 2; exists(dir); i++ {
			dir = fmt.Sprintf("%s-%d", base, i)
		}
	}
	o := &output{dir: dir, logs: &lazyFile{name: filepath.Join(dir, "log.txt")}}
	for d := filepath.Clean(dir); !exists(d); d = filepath.Dir(d) {
		o.made = append(o.made, d)
	}
	const elsewhere = "name another folder with --output"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, hint(usage("create the output folder: %w", err), elsewhere)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err == nil {
		_, err = probe.Write(make([]byte, leastRoom))
		err = errors.Join(err, probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		return nil, errors.Join(hint(usage("write to the output folder: %w", err), elsewhere), o.discard())
	}
	return o, nil
}

// leastRoom is what the reports of a short run need. More is not asked for, since nobody knows how
// long a run will be.
const leastRoom = 256 << 10

func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, os.ErrNotExist)
}

// discard takes away what makeOutput made, for a run that never began. Folders that hold something
// else by now stay.
func (o *output) discard() error {
	if len(o.made) == 0 {
		return nil
	}
	err := os.RemoveAll(o.dir)
	for _, d := range o.made[1:] {
		if os.Remove(d) != nil {
			break
		}
	}
	return err
}

// log is where the script's log steps go: a file, so that thousands of lines do not tear up the view.
func (o *output) log() io.Writer { return o.logs }

// write leaves run.json and report.html. A file that cannot be written does not keep the other from
// being tried.
func (o *output) write(run *result.Run) error {
	return errors.Join(
		writeFile(filepath.Join(o.dir, "run.json"), func(w io.Writer) error { return reporters.JSON(w, run) }),
		writeFile(filepath.Join(o.dir, "report.html"), func(w io.Writer) error { return reporters.HTML(w, run) }),
		o.logs.close(),
	)
}

// say tells where the reports are.
func (o *output) say(w io.Writer) {
	fmt.Fprintf(w, "report: %s\n", filepath.Join(o.dir, "report.html"))
}

// writeFile writes a file whole or not at all.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err == nil {
		return nil
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err // it names a file that is gone by now
	}
	return errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(f.Name()))
}

// A lazyFile is created by its first write; most scripts log nothing.
type lazyFile struct {
	name string

	mu  sync.Mutex // guards what follows: steps and commands log side by side
	f   *os.File
	err error // sticky: a full disk is reported once, at the end
}

func (l *lazyFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil && l.err == nil {
		l.f, l.err = os.Create(l.name)
	}
	if l.err != nil {
		return len(p), nil // the load must not notice
	}
	if _, err := l.f.Write(p); err != nil {
		l.err = err
	}
	return len(p), nil
}

func (l *lazyFile) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		l.err = errors.Join(l.err, l.f.Close())
	}
	if l.err != nil {
		return fmt.Errorf("write %s: %w", l.name, l.err)
	}
	return nil
}

// pendingError says that an earlier run left something broken.
func pendingError(pending []faults.Entry, dir string) error {
	var b strings.Builder
	for _, e := range pending {
		fmt.Fprintf(&b, "\n  %s, broken by %s at %s (restore by hand: %s)", e.ID, e.Where, e.At.Format(time.RFC3339), e.ByHand)
	}
	err := fmt.Errorf("%w: an earlier run has not restored:%s", faults.ErrStuck, b.String())
	return hint(err, "run loadkms recover --journal %s", awskms.Quote(dir))
}
