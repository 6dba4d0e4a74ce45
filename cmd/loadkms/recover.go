package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"loadkms/faults"
	"loadkms/faults/awskms"
	"loadkms/faults/command"
)

// newRecover returns the command that keeps the promises an earlier run could not keep.
func newRecover(w *words) *cobra.Command {
	var (
		dir     string
		forget  string
		options faults.RecoverOptions
	)
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "restore what an earlier run left broken",
		Long: `recover restores everything an earlier run left broken, verifies it, and clears the journal.
It may be run again as often as it takes: what is back already stays as it is.

What somebody else has changed meanwhile is not overwritten, and what is gone for good, such as a
key of a sandbox that has ended, cannot be restored. Once you have seen to it yourself, --forget TARGET
strikes it from the journal without touching it.

Exit codes: 0 nothing is left to restore, 1 it is restored, but the journal cannot be written and so
does not know it, 2 the journal cannot be opened or is in use, 4 something is still broken.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := positive(cmd, "settle", "restore-for"); err != nil {
				return err
			}
			named := dir != ""
			if dir, err = journalDir(dir); err != nil {
				return err
			}
			// Opening a journal creates it, and an empty one in the wrong place looks like good news.
			kept, err := faults.HasJournal(dir)
			switch {
			case err != nil:
				return usage("look for a journal: %w", err)
			case !kept && named:
				return hint(usage("there is no journal in %s", dir), "name the folder that the run named")
			case !kept:
				fmt.Fprintf(cmd.OutOrStdout(), "nothing to restore: there is no journal in %s\n", dir)
				return nil
			}
			if forget != "" {
				return forgetEntry(dir, forget, cmd.OutOrStdout())
			}
			outliveReaders()
			w.set("stopping; what is not restored by now stays in the journal, for another loadkms recover", "")
			n, err := recoverJournal(cmd.Context(), dir, options, cmd.ErrOrStderr())
			if stuck := stuckIn(err); len(stuck) > 0 {
				when := "try again; if it is gone for good,"
				if errors.Is(err, faults.ErrChanged) {
					when = "see to it yourself, then"
				}
				return hint(err, "%s strike it from the journal with: loadkms recover --journal %s --forget %s",
					when, awskms.Quote(dir), awskms.Quote(stuck[0].ID))
			}
			if err != nil && n > 0 {
				return &coded{exitFail, err}
			}
			if err != nil {
				return err
			}
			if n == 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "nothing to restore in %s\n", dir)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "journal", "", "folder of the journal (default $LOADKMS_JOURNAL, else loadkms in the user's state folder)")
	cmd.Flags().StringVar(&forget, "forget", "", "strike this target from the journal without restoring it")
	addRecoverFlags(cmd, &options)
	return cmd
}

// forgetEntry strikes a target from the journal in dir.
func forgetEntry(dir, id string, stdout io.Writer) (err error) {
	j, pending, err := openJournal(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Release()) }()
	at := slices.IndexFunc(pending, func(e faults.Entry) bool { return e.ID == id })
	if at < 0 {
		var known []string
		for _, e := range pending {
			known = append(known, e.ID)
		}
		return hint(usage("the journal %s has no target %q", dir, id), "it has %s", cmp.Or(strings.Join(known, ", "), "none"))
	}
	if err := j.Close(id); err != nil {
		return usage("strike %s from the journal: %w", id, err)
	}
	fmt.Fprintf(stdout, "forgot %s; by hand it was: %s\n", id, pending[at].ByHand)
	return nil
}

// newGuard returns the hidden command of the process that outlives a run. Its standard input is one
// end of a pipe whose other end only the run holds.
func newGuard() *cobra.Command {
	var (
		dir     string
		options faults.RecoverOptions
	)
	cmd := &cobra.Command{
		Use:    "guard",
		Short:  "recover if the process at the other end of standard input dies",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tell(&options, cmd.ErrOrStderr())
			return faults.GuardJournal(cmd.InOrStdin(), cmd.OutOrStdout(), dir, lookup, options)
		},
	}
	cmd.Flags().StringVar(&dir, "journal", "", "folder of the journal")
	addRecoverFlags(cmd, &options)
	return cmd
}

// addRecoverFlags adds the flags that tune a restore.
func addRecoverFlags(cmd *cobra.Command, o *faults.RecoverOptions) {
	cmd.Flags().DurationVar(&o.Settle, "settle", 0, "how long restored must stay restored (default 15s)")
	cmd.Flags().DurationVar(&o.Budget, "restore-for", 0, "how long to try each restore before giving up with exit code 4 (default 2m)")
}

// tell makes a recovery say on w what it does.
func tell(o *faults.RecoverOptions, w io.Writer) {
	o.Note = func(e faults.Entry, note string) { fmt.Fprintf(w, "loadkms: %s: %s\n", e.ID, note) }
	o.Notify = func(e faults.Entry, at faults.Station, detail error) {
		switch at {
		case faults.Restoring:
			fmt.Fprintf(w, "loadkms: restoring %s, broken by %s at %s\n", e.ID, e.Where, e.At.Format(time.RFC3339))
		case faults.Settled:
			fmt.Fprintf(w, "loadkms: restored %s\n", e.ID)
		}
	}
}

// lookup makes an entry's target again.
func lookup(e faults.Entry) (faults.Target, error) {
	// Making a client reads the user's AWS configuration, which is on this machine; the calls that
	// follow have deadlines of their own.
	if command.Is(e) {
		return command.Lookup(e, os.Stderr)
	}
	return awskms.Lookup(context.Background(), e)
}

// recoverJournal restores everything the journal in dir has open, says what it does, and returns how
// many entries there were.
func recoverJournal(ctx context.Context, dir string, o faults.RecoverOptions, stderr io.Writer) (n int, err error) {
	j, pending, err := openJournal(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, j.Release()) }()
	tell(&o, stderr)
	return len(pending), faults.Recover(ctx, j, lookup, o)
}
