package awskms

import (
	"context"
	"fmt"

	"loadkms/faults"
)

// A witness is a target, with what a ledger that depends on it makes of its state. A target that is
// faults.Slow, faults.OneWay or faults.Needy has to be its own witness, because this one would hide it.
type witness struct {
	faults.Target
	cloud *Cloud
	spec  spec
}

var _ faults.Witness = witness{}

// Witness tells of the ledger and, for an alias, whether the ledger's key has followed it: everything
// AWS documents says that a ledger looks at an alias once, when it is created or updated.
func (w witness) Witness(ctx context.Context) (string, error) {
	l, err := w.cloud.describeLedger(ctx, w.spec.Watch)
	if err != nil || w.spec.Alias == "" {
		return l.String(), err
	}
	state, err := w.Observe(ctx)
	if err != nil {
		return "", err
	}
	if l.name == "" || l.keyID() == string(state) {
		return l.String(), nil
	}
	return fmt.Sprintf("%s; %s points to key %s, which the ledger's key has not followed", l, w.spec.Alias, state), nil
}

// watch tells of a ledger; of none it has nothing to tell.
func (c *Cloud) watch(ctx context.Context, ledger string) (string, error) {
	if ledger == "" {
		return "", nil
	}
	l, err := c.describeLedger(ctx, ledger)
	return l.String(), err
}
