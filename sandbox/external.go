package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/ledger"
)

// useExternal gives the article's template the key that o names, after a look at it.
func (o *Options) useExternal(ctx context.Context, admin iam.Caller) error {
	key, err := o.Keys.Describe(ctx, admin, o.LedgerKey)
	if refusal, ok := errors.AsType[*ledger.KeyError](err); ok {
		return fmt.Errorf("look at the ledger's key %s: %s: %s", o.LedgerKey, refusal.Code, refusal.Message)
	}
	if err != nil {
		return fmt.Errorf("look at the ledger's key: %w", err)
	}
	_, id, _ := strings.Cut(key.ARN, ":key/")
	o.Parameters = map[string]string{"LedgerKey": o.LedgerKey, "MainKeyID": id}
	return nil
}

// checkExternal refuses options that do not go with keys of another KMS.
func (o *Options) checkExternal() error {
	switch {
	case o.Keys == nil && o.LedgerKey != "":
		return errors.New("a ledger key is for keys of another KMS, and there is none")
	case o.Keys != nil && o.LedgerKey == "":
		return errors.New("keys of another KMS need the name of the one for the ledger")
	case o.Keys != nil && o.DataDir != "":
		return errors.New("a data directory does not go with keys of another KMS, where grants end with the sandbox")
	case o.Keys != nil && (o.Template != "" || len(o.Parameters) > 0):
		return errors.New("a template makes its own keys, and does not go with those of another KMS")
	}
	return nil
}
