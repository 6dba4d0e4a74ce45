package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"loadkms/faults/awskms"
	"loadkms/sandbox"
)

// ownKeys are the flags that give the sandbox's ledger keys of another KMS.
type ownKeys struct {
	endpoint, region, key string
	yes                   bool
}

func (k *ownKeys) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&k.endpoint, "kms-endpoint", "", "`URL` of another KMS (and STS) whose keys the ledger is to use, with your own credentials")
	flags.StringVar(&k.region, "kms-region", "", "`region` of that KMS; alone, that of AWS itself")
	flags.StringVar(&k.key, "ledger-key", "", "the ledger's key in that KMS: `KEY-OR-ALIAS`; all calls are made as you, those for the API's roles too")
	flags.BoolVar(&k.yes, "yes", false, "use a key, and create a grant on it, in a real AWS account without asking")
}

// none reports whether there is no other KMS.
func (k *ownKeys) none() bool { return k.endpoint == "" && k.region == "" }

// notWithOwnKeys are flags about the keys that the sandbox would make.
var notWithOwnKeys = []string{"template", "parameter", "key-store", "rotation", "consistency"}

// connect finds the other KMS, tells what is going to be done there, and lets o have it. The caller
// closes the keys, if there are any.
func (k *ownKeys) connect(cmd *cobra.Command, o *sandbox.Options) (*awskms.Keys, *awskms.Cloud, error) {
	if k.none() {
		if k.key != "" {
			return nil, nil, usage("--ledger-key names a key of another KMS: add --kms-endpoint URL, or --kms-region REGION for AWS itself")
		}
		return nil, nil, nil
	}
	if k.key == "" {
		return nil, nil, usage("--ledger-key is missing: a key or an alias in the other KMS")
	}
	changed := cmd.Flags().Changed
	for _, name := range notWithOwnKeys {
		if changed(name) {
			return nil, nil, usage("--%s is about keys that the sandbox makes, and with those of another KMS it makes none", name)
		}
	}
	if k.region != "" && changed("region") && o.Region != k.region {
		return nil, nil, usage("--region is %s and --kms-region is %s, but a ledger is where its key is: name one", o.Region, k.region)
	}
	// The longest that starting waits: a few round trips with their retries.
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
	defer cancel()
	cloud, err := awskms.New(ctx, awskms.Options{Region: cmp.Or(k.region, o.Region), Endpoint: k.endpoint})
	if err != nil {
		return nil, nil, hint(usage("use another KMS: %w", err), "--kms-endpoint has to speak KMS and STS; without it, AWS_ENDPOINT_URL and its kin decide, else it is AWS itself")
	}
	if changed("account") && o.Account != cloud.Account() {
		return nil, nil, usage("--account is %s, but the other KMS is in account %s", o.Account, cloud.Account())
	}
	keys := cloud.Keys()
	o.Region, o.Account, o.Keys, o.LedgerKey = cloud.Region(), cloud.Account(), keys, k.key
	arn, err := keys.Resolve(ctx, k.key)
	if err != nil {
		return nil, nil, usage("look at the ledger's key %s in account %s, region %s: %w", k.key, cloud.Account(), cloud.Region(), err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "sandbox: the ledger uses the key %s (%s) of KMS at %s, account %s, as %s, with a grant named %s-…\n",
		k.key, arn, cloud.KMSURL(), cloud.Account(), cloud.Caller(), keys.GrantPrefix())
	if !cloud.Local() && !k.yes {
		return nil, nil, hint(usage("a key of a real account needs a confirmation"), "look at the line above, then add --yes")
	}
	return keys, cloud, nil
}

// giveBackTimeout is for giving back the grants at the end.
const giveBackTimeout = 20 * time.Second

// giveBack gives back the grants, even though the command has been interrupted.
func giveBack(ctx context.Context, keys *awskms.Keys) error {
	if keys == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	if err := keys.Close(ctx); err != nil {
		return fmt.Errorf("give back the grants on the ledger's key: %w", err)
	}
	return nil
}

// exports returns what a shell needs to use a sandbox: its addresses, and credentials, unless those are
// the user's own.
func exports(s *sandbox.Sandbox, cloud *awskms.Cloud) string {
	text := fmt.Sprintf("export AWS_ENDPOINT_URL=%s\n", s.AWSURL())
	if cloud == nil {
		text += "export AWS_ACCESS_KEY_ID=sandbox\nexport AWS_SECRET_ACCESS_KEY=sandbox\n"
	} else {
		text += fmt.Sprintf("export AWS_ENDPOINT_URL_KMS=%s\n", cloud.KMSURL())
	}
	return text + fmt.Sprintf("export AWS_REGION=%s\nexport AWS_DEFAULT_REGION=%[1]s\nexport LOADKMS_TARGET=%s\n", s.Region(), s.APIURL())
}

// finish ends a sandbox and gives back what it had in another KMS, in this order: the ledger may be
// changing its key until it is closed.
func finish(ctx context.Context, s *sandbox.Sandbox, keys *awskms.Keys) error {
	return errors.Join(s.Close(), giveBack(ctx, keys))
}
