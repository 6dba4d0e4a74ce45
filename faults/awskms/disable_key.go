package awskms

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/faults"
	"loadkms/scenarios"
)

// disableKey is the enabled state of a key. Its state is the KeyState that DescribeKey shows.
type disableKey struct {
	cloud *Cloud
	spec  spec
}

var _ faults.Target = (*disableKey)(nil)

func (c *Cloud) resolveDisableKey(ctx context.Context, f *scenarios.Fault, s *spec) error {
	key, err := c.resolveKey(ctx, f.Key)
	if err != nil {
		return err
	}
	s.Key = *key.Arn
	switch key.KeyState {
	case types.KeyStateEnabled:
		return nil
	case types.KeyStateDisabled:
		return placed{fmt.Errorf("key %s is already Disabled: there is nothing to break", *key.KeyId), f.Key.Pos}
	}
	return placed{fmt.Errorf("key %s is %s: only an Enabled key can be disabled and enabled again", *key.KeyId, key.KeyState), f.Key.Pos}
}

func (d *disableKey) ID() string            { return d.spec.Key + "#state" }
func (d *disableKey) Spec() json.RawMessage { return d.spec.raw() }

func (d *disableKey) Observe(ctx context.Context) (faults.State, error) {
	key, err := d.cloud.describeKey(ctx, d.spec.Key)
	if err != nil {
		return nil, err
	}
	return faults.State(key.KeyState), nil
}

func (d *disableKey) Break(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := d.cloud.kms.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &d.spec.Key}); err != nil {
		return d.cloud.explain("disable key", d.cloud.endpoints.KMS, err)
	}
	return nil
}

// Restore enables the key. EnableKey is idempotent, so enabling an enabled key is a rehearsal that
// proves the permission. A key that somebody has scheduled for deletion meanwhile is theirs: taking
// it back would need CancelKeyDeletion, which overrules them, so it is ErrChanged.
func (d *disableKey) Restore(ctx context.Context, prior faults.State) error {
	if types.KeyState(prior) != types.KeyStateEnabled {
		return fmt.Errorf("no call can set a key to %q", prior)
	}
	now, err := d.Observe(ctx)
	if err != nil {
		return err
	}
	switch state := types.KeyState(now); state {
	case types.KeyStateEnabled, types.KeyStateDisabled:
	case types.KeyStateUnavailable:
		// Its key store is disconnected, which is not ours to repair. KMS accepts EnableKey and makes
		// it true when the store is back, so it is called, and observing keeps saying no until then.
	case types.KeyStateUpdating, types.KeyStateCreating:
		return fmt.Errorf("key is %s, which passes", state)
	default:
		return fmt.Errorf("key is %s: %w", state, faults.ErrChanged)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := d.cloud.kms.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &d.spec.Key}); err != nil {
		return d.cloud.explain("enable key", d.cloud.endpoints.KMS, err)
	}
	return nil
}

func (d *disableKey) ByHand(faults.State) string {
	return d.cloud.command(d.cloud.endpoints.KMS, "kms", "enable-key", "--key-id", d.spec.Key)
}
