package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"loadkms/sandbox"
)

// newSandbox returns the command that serves the sandbox until it is interrupted.
func newSandbox() *cobra.Command {
	var (
		o    sandbox.Options
		port int
		api  int
		host string
	)
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "serve a small AWS (KMS, QLDB, CloudFormation, STS) and the article's API",
		Long: `sandbox serves a small AWS and the article's API on loopback until it is interrupted.
It prints the exports a shell needs to use it:

  loadkms sandbox > sandbox.env &     # or in another terminal
  . ./sandbox.env
  loadkms run disable-key --target "$LOADKMS_TARGET"

Times are sandbox time: with --speed 60 a key cache of 5m lasts 5 seconds.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.AWSAddr = fmt.Sprintf("%s:%d", host, port)
			o.APIAddr = fmt.Sprintf("%s:%d", host, api)
			s, err := sandbox.Start(cmd.Context(), o)
			if err != nil {
				return usage("start the sandbox: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), `export AWS_ENDPOINT_URL=%s
export AWS_ACCESS_KEY_ID=sandbox
export AWS_SECRET_ACCESS_KEY=sandbox
export AWS_REGION=%s
export AWS_DEFAULT_REGION=%[2]s
export LOADKMS_TARGET=%s
`, s.AWSURL(), s.Region(), s.APIURL())
			fmt.Fprintf(cmd.ErrOrStderr(), "sandbox: AWS at %s, API at %s, stack %s, ledger %s; Ctrl-C ends it\n",
				s.AWSURL(), s.APIURL(), s.Stack(), s.Ledger())
			<-cmd.Context().Done()
			return s.Close()
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&host, "host", "127.0.0.1", "address to listen on; anybody who reaches it may use the keys")
	flags.IntVar(&port, "port", 4566, "port of the AWS endpoint; 0 means any")
	flags.IntVar(&api, "api-port", 8080, "port of the API; 0 means any")
	flags.StringVar(&o.Stage, "stage", "poc", "stage of the article's stack: qldb-kms-STAGE")
	flags.StringVar(&o.Region, "region", "eu-west-2", "region to be in")
	flags.StringVar(&o.Account, "account", "", "account to be in (default 123456789012)")
	flags.Float64Var(&o.Speed, "speed", 1, "sandbox seconds per second")
	flags.StringVar(&o.Alias, "alias", "follow", "whether the ledger's key follows its alias: follow, or pinned")
	flags.DurationVar(&o.KeyCache, "key-cache", 0*time.Second, "how long the ledger keeps a decrypted key (0: the default)")
	flags.DurationVar(&o.RecoveryProbe, "recovery-probe", 0, "how often the ledger looks at an inaccessible key (0: the default)")
	flags.DurationVar(&o.LedgerUpdate, "ledger-update", 0, "how long a change of the ledger's key takes (0: the default)")
	return cmd
}
