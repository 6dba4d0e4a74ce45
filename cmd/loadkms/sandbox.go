package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"loadkms/sandbox"
)

// newSandbox returns the command that serves the sandbox until it is interrupted.
func newSandbox() *cobra.Command {
	var (
		o          sandbox.Options
		port, api  int
		host       string
		envFile    string
		template   string
		parameters []string
		list       bool
		own        ownKeys
	)
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "serve a small AWS (KMS, QLDB, CloudFormation, CloudTrail, STS) and the article's API",
		Long: `sandbox serves a small AWS and the article's API on loopback until it is interrupted.
It prints the exports a shell needs to use it:

  loadkms sandbox --speed 60 --env-file sandbox.env     # in another terminal
  . ./sandbox.env
  loadkms run disable-key --target "$LOADKMS_TARGET"
  aws kms list-aliases --endpoint-url "$AWS_ENDPOINT_URL"     # an aws before 2.13 does not know the variable

A browser shows at the API's address how keys and ledger are, live.
Times are sandbox time: with --speed 60, at which the scripts that ship expect it, a key cache of 5m
lasts 5 seconds. Keys live as long as the process: see loadkms recover --help about a run in whose
middle it ends. With --data-dir they outlive it:

  loadkms sandbox --speed 60 --data-dir ~/sandbox

What was acknowledged is there again after a kill -9, and sandbox time does not go back. Events of CloudTrail,
sessions of QLDB and what is still being seen late (--consistency) are not kept. The directory holds
the material of all keys in the clear: it is for tests, and only you can read it.

The ledger can use keys of another KMS, such as AWS's:

  loadkms sandbox --speed 60 --kms-region eu-west-2 --ledger-key alias/mine --yes --env-file sandbox.env

All calls are then made with your own credentials. A client of KMS cannot pose as the ledger service or as
the API's roles, so QLDB's check of the role at the beginning of a session is made as you, and grants
are for your own principal; they go when the ledger leaves the key or the sandbox ends. If you may use the
key, but may not create grants, the ledger goes on without. The other KMS counts every call, and
--speed makes them come faster. Which key the ledger has and how it is used is for that KMS and its
CloudTrail to say; the exports have it as AWS_ENDPOINT_URL_KMS, so that a fault hits the key there.
The stack has no keys but an output mainKeyID, which is the ledger's at the start:

  loadkms run disable-key --target "$LOADKMS_TARGET"      # without config.aws.endpoint and --aws-endpoint`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list {
				return listSupport(cmd.OutOrStdout())
			}
			var err error
			if o.AWSAddr, err = address("port", host, port); err != nil {
				return err
			}
			if o.APIAddr, err = address("api-port", host, api); err != nil {
				return err
			}
			if o.Speed == 0 {
				return usage("--speed is 0, want more than 0")
			}
			if o.Parameters, err = keyValues(parameters); err != nil {
				return err
			}
			if template != "" {
				text, err := os.ReadFile(template)
				if err != nil {
					return usage("read the template: %w", err)
				}
				if o.Template = string(text); strings.TrimSpace(o.Template) == "" {
					return usage("the template %s is empty", template)
				}
			}
			keys, cloud, err := own.connect(cmd, &o)
			if err != nil {
				return err
			}
			s, err := sandbox.Start(cmd.Context(), o)
			if err != nil {
				err = errors.Join(err, giveBack(cmd.Context(), keys))
				return hint(usage("start the sandbox: %w", err), "loadkms sandbox --help lists what it takes; port 0 means any that is free")
			}
			exports := exports(s, cloud)
			if envFile != "" {
				if err := replaceFile(envFile, exports); err != nil {
					return errors.Join(usage("write the exports: %w", err), finish(cmd.Context(), s, keys))
				}
			}
			fmt.Fprint(cmd.OutOrStdout(), exports)
			fmt.Fprintf(cmd.ErrOrStderr(), "sandbox: %s\n", keeping(s.Data()))
			fmt.Fprintf(cmd.ErrOrStderr(), "sandbox: AWS at %s, API and status page at %s, stack %s, ledger %s; Ctrl-C ends it\n",
				s.AWSURL(), s.APIURL(), s.Stack(), s.Ledger())
			<-cmd.Context().Done()
			return finish(cmd.Context(), s, keys)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&host, "host", "127.0.0.1", "address to listen on; anybody who reaches it may use the keys")
	flags.IntVar(&port, "port", 4566, "port of the AWS endpoint; 0 means any")
	flags.IntVar(&api, "api-port", 8080, "port of the API and the status page; 0 means any")
	flags.StringVar(&envFile, "env-file", "", "also write the exports to this `file`, once everything can be reached")
	flags.StringVar(&o.DataDir, "data-dir", "", "keep keys, ledgers and stacks in this `directory`, which will hold key material in the clear (default: in memory only)")
	flags.BoolVar(&list, "list", false, "print which operations of AWS the sandbox has, and end")
	flags.StringVar(&o.Stage, "stage", "poc", "stage of the article's stack: qldb-kms-STAGE")
	flags.StringVar(&o.Region, "region", "eu-west-2", "region to be in")
	flags.StringVar(&o.Account, "account", "", "account to be in (default 123456789012)")
	flags.StringVar(&template, "template", "", "CloudFormation template `file` to begin with, instead of the article's")
	flags.StringArrayVar(&parameters, "parameter", nil, "parameter of the template, `NAME=VALUE`; may be given again")
	own.flags(cmd)
	flags.Float64Var(&o.Speed, "speed", 1, "sandbox seconds per second")
	flags.BoolVar(&o.Quotas, "quotas", false, "answer no more KMS and CloudTrail requests than AWS would")
	flags.StringVar(&o.Driver, "driver", "none", "driver of the API's functions, with its way of trying again: none, node-2.2.0, go-3.0.1")
	flags.IntVar(&o.Concurrency, "concurrency", 0, "requests that each function serves at a time; others get 429 (0: any number)")
	flags.DurationVar(&o.ColdStart, "cold-start", 0, "how long a new container of a function takes")
	flags.DurationVar(&o.CallTime, "call-time", 0, "how long each call of a function to the ledger takes")
	flags.DurationVar(&o.Gateway, "gateway-timeout", 0, "when the API answers 504 (0: the default, 29s if functions can be slow)")
	flags.StringVar(&o.Alias, "alias", "follow", "whether the ledger's key follows its alias: follow, or pinned")
	flags.DurationVar(&o.AliasCheck, "alias-check", 0, "how often the ledger looks the alias up (0: the default, 10s)")
	flags.DurationVar(&o.KeyCache, "key-cache", 0, "how long the ledger keeps a decrypted key (0: the default, 2m)")
	flags.DurationVar(&o.RecoveryProbe, "recovery-probe", 0, "how often the ledger looks at an inaccessible key (0: the default, 2m)")
	flags.DurationVar(&o.LedgerUpdate, "ledger-update", 0, "how long a change of the ledger's key takes (0: the default, 3m)")
	flags.DurationVar(&o.LedgerCreate, "ledger-create", 0, "how long a new ledger is CREATING")
	flags.DurationVar(&o.LedgerDelete, "ledger-delete", 0, "how long a deleted ledger is DELETING")
	flags.DurationVar(&o.KeyStore, "key-store", 0, "how long a custom key store takes to connect (0: the default, 1m)")
	flags.DurationVar(&o.Rotation, "rotation", 0, "how long a rotation on demand takes")
	flags.DurationVar(&o.Consistency, "consistency", 0, "how long changes in KMS take to be seen")
	flags.DurationVar(&o.LookupDelay, "lookup-delay", 0, "how long events take to be found by LookupEvents")
	flags.DurationVar(&o.StackStep, "stack-step", 0, "how long CloudFormation takes for a resource (0: the default, 500ms)")
	return cmd
}

// keeping tells where a sandbox has what it knows.
func keeping(d sandbox.Data) string {
	count := func(n int, what string) string {
		if n != 1 {
			what += "s"
		}
		return fmt.Sprintf("%d %s", n, what)
	}
	switch {
	case d.Dir == "":
		return "everything is in memory and goes with the process"
	case !d.Loaded:
		return "begins the data directory " + d.Dir + ", which holds key material in the clear"
	}
	return fmt.Sprintf("loaded %s, %s and %s from the data directory %s", count(d.Keys, "key"), count(d.Ledgers, "ledger"),
		count(d.Stacks, "stack"), d.Dir)
}

// address puts a host and a port together.
func address(flag, host string, port int) (string, error) {
	if port < 0 || port > 65535 {
		return "", usage("--%s is %d, want 0 to 65535", flag, port)
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// keyValues reads NAME=VALUE arguments.
func keyValues(args []string) (map[string]string, error) {
	all := map[string]string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if _, twice := all[name]; !ok || name == "" || twice {
			return nil, usage("--parameter is %q, want NAME=VALUE, and each name once", arg)
		}
		all[name] = value
	}
	return all, nil
}

// replaceFile writes a file that only its owner can read. Whoever waits for it sees all of it or
// nothing.
func replaceFile(path, content string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = io.WriteString(f, content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// listSupport prints what the sandbox has of each service.
func listSupport(w io.Writer) error {
	for _, s := range sandbox.Implemented() {
		fmt.Fprintf(w, "%s: %d operations\n", s.Service, len(s.Has))
		for _, operation := range s.Has {
			fmt.Fprintf(w, "  %s\n", operation)
		}
		for _, operation := range s.Lacks {
			fmt.Fprintf(w, "  (%s: refused)\n", operation)
		}
	}
	return nil
}
