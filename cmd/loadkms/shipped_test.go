package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"loadkms/result"
)

// shippedRun runs a script of the library in a process of its own, as a user would, and returns what
// it left behind and its exit code.
func shippedRun(t *testing.T, name string) (*result.Run, int, error) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), lookupSelf(t), "run", "--quiet", "--output", filepath.Join(dir, "out"), name)
	cmd.Env = append(os.Environ(), cleanEnv(dir)...)
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, 0, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "out", "run.json"))
	if err != nil {
		return nil, 0, errors.Join(err, errors.New(string(text)))
	}
	run := new(result.Run)
	return run, cmd.ProcessState.ExitCode(), json.Unmarshal(b, run)
}

// The article's scripts show on the sandbox what the article says. They run side by side, in real
// time, on a machine that other tests share, so a late generator is no failure here; everything that
// does not depend on speed must hold all the same.
func TestShippedScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 45 seconds of waiting")
	}
	type shipped struct {
		name  string
		class result.Class // how reads fail while the fault is in force; OK: they do not
		grace bool         // they go on for a while first
		says  string       // by a witness
		keys  int          // the ledger is seen under
	}
	scripts := []shipped{
		{name: "create-and-query"},
		{name: "rotate", says: "UPDATING", keys: 2},
		{name: "update-ledger-key", says: "UPDATING", keys: 2},
		{name: "disable-key", class: result.KeyInaccessible, grace: true, says: "KMS_KEY_INACCESSIBLE", keys: 1},
		{name: "deny-key", class: result.AccessDenied, grace: true, says: "ENABLED", keys: 1},
		{name: "schedule-key-deletion", class: result.KeyInaccessible, grace: true, says: "KMS_KEY_INACCESSIBLE", keys: 1},
		{name: "revoke-grant", class: result.KeyInaccessible, grace: true, says: "KMS_KEY_INACCESSIBLE", keys: 1},
		{name: "disconnect-key-store", class: result.KeyInaccessible, grace: true, says: "KMS_KEY_INACCESSIBLE", keys: 2},
		{name: "rotate-key", says: "ENABLED", keys: 1},
		{name: "no-access-key", class: result.AccessDenied, grace: true, says: "UPDATING", keys: 2},
		{name: "run", class: result.KeyInaccessible, grace: true}, // last: it waits for the others
	}
	if _, err := exec.LookPath("aws"); err != nil { // the command it runs
		scripts = slices.DeleteFunc(scripts, func(s shipped) bool { return s.name == "run" })
	}
	type outcome struct {
		run  *result.Run
		code int
		err  error
	}
	outcomes := make([]chan outcome, len(scripts))
	var others sync.WaitGroup // all but the script whose commands take seconds on a machine as busy as they make it
	for i, s := range scripts {
		outcomes[i] = make(chan outcome, 1)
		if s.name != "run" {
			others.Add(1)
		}
		go func() {
			if s.name == "run" {
				others.Wait()
			} else {
				defer others.Done()
			}
			run, code, err := shippedRun(t, s.name)
			outcomes[i] <- outcome{run, code, err}
		}()
	}
	for i, s := range scripts {
		o := <-outcomes[i]
		t.Run(s.name, func(t *testing.T) {
			if o.err != nil {
				t.Fatal(o.err)
			}
			run := o.run
			for _, c := range run.Verdict.Checks {
				if c.Outcome == result.Fail || c.Outcome == result.Inconclusive && !run.Generator.Late() {
					t.Errorf("%s %s: %s, wanted %s (%s, at %s)", c.Scope, c.Name, c.Got, c.Want, c.Outcome, c.Where)
				}
			}
			if want := verdictCode(run.Verdict); o.code != want || !run.Generator.Late() && want != exitPass {
				t.Errorf("exit code %d, verdict %+v", o.code, run.Verdict)
			}
			if run.Took > time.Minute {
				t.Errorf("took %v, want under a minute", run.Took)
			}
			if r := run.Records; r.Acknowledged == 0 || r.Acknowledged != run.Steps[0].Classes[result.OK] || r.Drawn == 0 {
				t.Errorf("got records %+v, creates %v", r, run.Steps[0].Classes)
			}
			if len(run.Faults) == 0 {
				if r := run.Records; r.Drawn != r.Acknowledged || run.Steps[1].Classes[result.OK] != r.Drawn {
					t.Errorf("of %d records, %d were read in %v", r.Acknowledged, r.Drawn, run.Steps[1].Classes)
				}
				return
			}
			f := run.Faults[len(run.Faults)-1]
			if f.Settled == result.Never && !f.OneWay || f.Broken == result.Never || f.Stuck != nil || f.Refused != "" {
				t.Fatalf("the fault was not put back: %+v", f)
			}
			keys := map[string]bool{}
			for _, sentence := range f.Witness {
				if _, key, ok := strings.Cut(sentence, "under key "); ok {
					keys[strings.FieldsFunc(key, func(r rune) bool { return r == ';' || r == ' ' })[0]] = true
				}
			}
			if !strings.Contains(strings.Join(f.Witness, "\n"), s.says) || len(keys) != s.keys {
				t.Errorf("the witness says %q, want %s, and %d keys", f.Witness, s.says, s.keys)
			}
			at := slices.IndexFunc(f.Steps, func(a result.Anatomy) bool { return run.Steps[a.Step].Scenario == "get record" })
			if at < 0 {
				t.Fatalf("no anatomy of the reads: %+v", f.Steps)
			}
			a := f.Steps[at]
			t.Logf("%s: %v of %d reads failed, grace %v ±%v, time to recover %v ±%v, lateness p99 %v", s.name, a.Failed, a.Requests,
				a.Grace, a.GraceGap, a.TimeToRecover, a.RecoverGap, run.Generator.Lateness.P99)
			if a.Class != s.class || (a.Failed > 0) != (s.class != result.OK) {
				t.Errorf("reads failed %d times, most as %v; want %v", a.Failed, a.Class, s.class)
			}
			if s.grace && (a.Grace <= 0 || a.FullEffect == result.Never || a.Recovered == result.Never) {
				t.Errorf("got anatomy %+v", a)
			}
		})
	}
}
