package main

import (
	"github.com/spf13/cobra"
)

// newRoot returns the command line of loadkms. Commands print nothing on errors; mainWith does.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "loadkms",
		Short: "load an API, break its KMS key, and see what its users see",
		Long: `loadkms sends create and get traffic to an API whose data is encrypted under a
customer-managed KMS key, changes the key meanwhile, always puts it back, and says what the API's
users noticed. Without anything else it runs against its own small AWS, the sandbox.

Exit codes: 0 pass, 1 fail, 2 the script or the command line is wrong and nothing was sent,
3 inconclusive, 4 something is still broken.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newRun(), newValidate(), newSandbox(), newRecover(), newReport(), newSchema(), newVersion(), newGuard())
	return root
}
