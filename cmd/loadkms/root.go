package main

import (
	"github.com/spf13/cobra"
)

// newRoot returns the command line of loadkms. Commands print nothing on errors; mainWith does.
func newRoot(w *words) *cobra.Command {
	root := &cobra.Command{
		Use:   "loadkms",
		Short: "load an API, break its KMS key, and see what its users see",
		Long: `loadkms sends create and get traffic to an API whose data is encrypted under a
customer-managed KMS key, changes the key meanwhile, always puts it back, and says what the API's
users noticed. Without anything else it runs against its own small AWS, the sandbox.

Exit codes: 0 pass, 1 fail, 2 the script or the command line is wrong and nothing was sent,
3 inconclusive (the generator was late, nothing was measured, or the run was interrupted),
4 something is still broken.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return hint(err, "%s --help lists the flags", cmd.CommandPath())
	})
	root.AddCommand(newRun(w), newValidate(), newSandbox(), newRecover(w), newReport(), newSchema(), newVersion(), newGuard())
	return root
}

// exactly wants one argument, and says what it is.
func exactly(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return hint(usage("%s takes one %s, not %d", cmd.Name(), what, len(args)), "see %s --help", cmd.CommandPath())
	}
}

// positive refuses flags whose duration makes no sense. Zero means the default.
func positive(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if d, err := cmd.Flags().GetDuration(name); err != nil || d < 0 {
			return usage("--%s %v: a duration cannot be negative", name, d)
		}
	}
	return nil
}
