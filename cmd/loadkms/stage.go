package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"loadkms/faults"
	"loadkms/faults/awskms"
	"loadkms/faults/command"
	"loadkms/result"
	"loadkms/sandbox"
	"loadkms/scenarios"
)

// A stage is everything a run acts on: the API, the AWS behind it, the targets of the faults, and
// the journal that will bring them back.
type stage struct {
	script  *scenarios.Script
	target  string // base URL of the API
	aws     result.AWS
	local   bool // AWS is on this machine
	targets []faults.Target
	bracket faults.Bracket

	sandbox *sandbox.Sandbox // nil unless embedded
	outside bool             // some fault breaks what is not in the sandbox, embedded or not
	journal *faults.FileJournal
	dir     string // of the journal
	own     string // the same, if it is the run's own and goes with it; else ""
	keeper  *faults.Keeper
	signer  *awskms.Signer // nil unless requests are signed
}

// setTheStage resolves everything the script names. It changes nothing outside this process.
func (f *runFlags) setTheStage(ctx context.Context, script *scenarios.Script, out *output) (_ *stage, err error) {
	s := &stage{script: script, target: script.Config.Target}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.strike())
		}
	}()
	// A command's effects outlive the embedded sandbox, and need a journal and a guard that do.
	s.outside = slices.ContainsFunc(script.Faults, isCommand)
	cloud := awskms.Options{
		Region:   cmp.Or(f.region, script.Config.AWS.Region),
		Endpoint: cmp.Or(f.endpoint, script.Config.AWS.Endpoint),
		Stack:    script.Config.AWS.Stack,
		Ledger:   script.Config.AWS.Ledger,
	}
	settle := f.settle
	switch s.target {
	case "":
		return nil, hint(usage("%s names no target", script.File), `set config.target, or add --target URL or --target sandbox`)
	case "sandbox":
		if f.endpoint != "" {
			return nil, hint(usage("the embedded sandbox brings its own AWS, so --aws-endpoint has no meaning"), "name the API with --target URL")
		}
		tuning := script.Config.Sandbox
		s.sandbox, err = sandbox.Start(ctx, sandbox.Options{
			Stage:         strings.TrimPrefix(cmp.Or(cloud.Stack, "qldb-kms-poc"), "qldb-kms-"),
			Region:        cloud.Region,
			Speed:         tuning.Speed,
			Alias:         tuning.Alias,
			KeyCache:      tuning.KeyCache,
			RecoveryProbe: tuning.RecoveryProbe,
			LedgerUpdate:  tuning.LedgerUpdate,
			Vault:         slices.ContainsFunc(script.Faults, func(f scenarios.Fault) bool { return f.Do == scenarios.DisconnectKeyStore }),
		})
		if err != nil {
			return nil, usage("start the sandbox: %w", err)
		}
		s.target = s.sandbox.APIURL()
		s.aws.Sandbox, s.aws.Speed = true, s.sandbox.Clock().Speed()
		cloud.Endpoint = s.sandbox.AWSURL()
		cloud.AccessKey, cloud.SecretKey = "sandbox", "sandbox" // the user's own never leave the machine
		if settle == 0 {
			// A change that is late in the sandbox is late in its time.
			settle = s.sandbox.Clock().Real(faults.DefaultSettle)
		}
	}
	if sig := script.Config.HTTP.SigV4; sig != nil {
		who := cloud
		who.Region = cmp.Or(sig.Region, cloud.Region)
		if s.signer, err = awskms.NewSigner(ctx, who, sig.Service); err != nil {
			return nil, hint(usage("%w (%s)", err, sig.Pos), "credentials come from the environment or the AWS configuration; "+
				"the region from awsSigV4, config.aws or --region")
		}
	}
	if len(script.Faults) == 0 {
		return s, nil
	}

	// The journal first: what an earlier run left broken outranks whatever this one has to complain of.
	named := f.journal
	if named == "" && s.sandbox != nil && !s.outside {
		named = filepath.Join(out.dir, "journal") // dies with its sandbox: nobody else's business
		s.own = named
	}
	if s.dir, err = journalDir(named); err != nil {
		return nil, err
	}
	var pending []faults.Entry
	if s.journal, pending, err = openJournal(s.dir); err != nil {
		return nil, err
	}
	if len(pending) > 0 {
		return nil, pendingError(pending, s.dir)
	}
	s.bracket = faults.Bracket{
		Journal: s.journal,
		Settle:  settle,
		Budget:  f.budget,
		Entry:   faults.Entry{Run: script.File, Embedded: s.sandbox != nil},
	}

	commands := command.Options{Env: []string{"LOADKMS_TARGET=" + s.target}, Log: out.log()}
	var c *awskms.Cloud
	if cloud.Stack != "" || s.sandbox != nil || !all(script.Faults, isCommand) {
		if c, err = s.connect(ctx, cloud); err != nil {
			return nil, err
		}
		commands.Outputs = c.Outputs()
		if s.sandbox != nil {
			commands.Env = append(commands.Env, "AWS_ENDPOINT_URL="+cloud.Endpoint, "AWS_REGION="+c.Region(), "AWS_DEFAULT_REGION="+c.Region(),
				"AWS_ACCESS_KEY_ID="+cloud.AccessKey, "AWS_SECRET_ACCESS_KEY="+cloud.SecretKey, "AWS_EC2_METADATA_DISABLED=true")
		}
	}
	var refused []error
	for i := range script.Faults {
		var t faults.Target
		if isCommand(script.Faults[i]) {
			t, err = command.Resolve(&script.Faults[i], commands)
		} else {
			t, err = c.Resolve(ctx, &script.Faults[i])
		}
		if err != nil {
			refused = append(refused, err)
			continue
		}
		s.targets = append(s.targets, t)
	}
	if len(refused) > 0 {
		return nil, usage("%w", errors.Join(refused...))
	}
	return s, nil
}

// sign returns what signs requests, nil if nothing does.
func (s *stage) sign() func(r *http.Request, body []byte, at time.Time) error {
	if s.signer == nil {
		return nil
	}
	return s.signer.Sign
}

func isCommand(f scenarios.Fault) bool { return f.Do == scenarios.Run }

// all reports whether all of a list are of a kind.
func all[T any](list []T, is func(T) bool) bool {
	return !slices.ContainsFunc(list, func(t T) bool { return !is(t) })
}

// connect finds the AWS that the faults change, and says in the report which it was.
func (s *stage) connect(ctx context.Context, cloud awskms.Options) (*awskms.Cloud, error) {
	c, err := awskms.New(ctx, cloud)
	if err != nil {
		err = usage("%w", err)
		if unreachable := net.Error(nil); errors.As(err, &unreachable) && s.sandbox == nil {
			err = hint(err, "the endpoint is that of --aws-endpoint, config.aws.endpoint or AWS_ENDPOINT_URL, else AWS's own in the region")
		}
		return nil, err
	}
	s.local = c.Local()
	s.aws.Region, s.aws.Account, s.aws.Endpoint = c.Region(), c.Account(), c.Endpoint()
	return c, nil
}

// openJournal opens the journal in dir and returns the promises it has to keep.
func openJournal(dir string) (*faults.FileJournal, []faults.Entry, error) {
	j, err := faults.OpenJournal(dir)
	switch {
	case errors.Is(err, faults.ErrInUse):
		return nil, nil, hint(usage("%w", err), "wait until it has ended")
	case err != nil:
		return nil, nil, hint(usage("%w", err), "make room for the journal there, or name another folder with --journal")
	}
	pending, err := j.Pending()
	if err != nil {
		err = hint(usage("read the journal: %w", err), "a person can read it, too: put that line right, or restore by hand what it tells of and remove it")
		return nil, nil, errors.Join(err, j.Release())
	}
	return j, pending, nil
}

// journalDir returns the whole path of the folder of the journal: the one named, else the user's.
func journalDir(named string) (string, error) {
	dir := cmp.Or(named, os.Getenv("LOADKMS_JOURNAL"))
	if state := os.Getenv("XDG_STATE_HOME"); dir == "" && state != "" {
		dir = filepath.Join(state, "loadkms")
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", hint(usage("find a folder for the journal: %w", err), "name one with --journal")
		}
		dir = filepath.Join(home, ".local", "state", "loadkms")
	}
	// What is said about it may be acted upon in another folder, and the guard must not depend on ours.
	whole, err := filepath.Abs(dir)
	if err != nil {
		return "", usage("find the journal %s: %w", dir, err)
	}
	return whole, nil
}

// startGuard starts the process that recovers if this one is killed. The embedded sandbox needs
// none: it dies with us, and its keys with it.
func (s *stage) startGuard(stderr io.Writer) error {
	if s.journal == nil || s.sandbox != nil && !s.outside {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return usage("find the executable for the guard: %w", err)
	}
	file, ok := stderr.(*os.File)
	if !ok {
		file = os.Stderr // the guard needs a file that works when we are gone
	}
	s.keeper, err = faults.StartGuard(self, []string{
		"guard", "--journal", s.dir, "--settle", s.bracket.Settle.String(), "--restore-for", s.bracket.Budget.String(),
	}, file)
	if err != nil {
		return &coded{exitUsage, err}
	}
	return nil
}

// strike takes the stage down: the guard is told that all is well, the journal is released, the
// sandbox closed.
func (s *stage) strike() error {
	var errs []error
	if s.keeper != nil {
		errs = append(errs, s.keeper.Done())
	}
	if s.journal != nil {
		pending, err := s.journal.Pending()
		errs = append(errs, err, s.journal.Release())
		if s.own != "" && err == nil && len(pending) == 0 {
			errs = append(errs, os.RemoveAll(s.own)) // every promise kept: nothing to remember
		}
	}
	if s.signer != nil {
		s.signer.Close()
	}
	if s.sandbox != nil {
		errs = append(errs, s.sandbox.Close())
	}
	return errors.Join(errs...)
}
