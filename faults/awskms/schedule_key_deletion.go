package awskms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/faults"
	"loadkms/scenarios"
)

// scheduleKeyDeletion is the life of a key. Its state is the KeyState that DescribeKey shows.
type scheduleKeyDeletion struct {
	cloud *Cloud
	spec  spec

	mu   sync.Mutex // guards date
	date time.Time  // when the key would be gone, as Break was told; zero if it was not
}

var _ faults.Target = (*scheduleKeyDeletion)(nil)

// longestWindow is what KMS waits at most before it deletes a key, in days. Whatever goes wrong, there
// are so many left to put it right.
const longestWindow = 30

func (c *Cloud) resolveScheduleKeyDeletion(ctx context.Context, f *scenarios.Fault, s *spec) error {
	key, err := c.resolveKey(ctx, f.Key)
	if err != nil {
		return err
	}
	at := func(format string, args ...any) error { return placed{fmt.Errorf(format, args...), f.Key.Pos} }
	s.Key = *key.Arn
	if m := key.MultiRegionConfiguration; m != nil && m.MultiRegionKeyType == types.MultiRegionKeyTypePrimary && len(m.ReplicaKeys) > 0 {
		return at("key %s has replicas, and KMS would wait for their deletion before its own", *key.KeyId)
	}
	switch key.KeyState {
	case types.KeyStateEnabled, types.KeyStateDisabled:
		return nil
	case types.KeyStatePendingDeletion:
		return at("key %s is PendingDeletion already: there is nothing to break", *key.KeyId)
	}
	return at("key %s is %s: only one that is Enabled or Disabled comes back as it was", *key.KeyId, key.KeyState)
}

// ID is that of every fault that changes a key's state: they would take one another's for the prior one.
func (d *scheduleKeyDeletion) ID() string            { return d.spec.Key + "#state" }
func (d *scheduleKeyDeletion) Spec() json.RawMessage { return d.spec.raw() }

func (d *scheduleKeyDeletion) Observe(ctx context.Context) (faults.State, error) {
	key, err := d.cloud.describeKey(ctx, d.spec.Key)
	if err != nil {
		return nil, err
	}
	return faults.State(key.KeyState), nil
}

func (d *scheduleKeyDeletion) Break(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := d.cloud.kms.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &d.spec.Key, PendingWindowInDays: aws.Int32(longestWindow)})
	if err != nil {
		return d.cloud.explain("schedule key deletion", d.cloud.endpoints.KMS, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.date = aws.ToTime(out.DeletionDate)
	return nil
}

// Restore cancels the deletion, which leaves the key Disabled, and then enables it if it was Enabled.
//
// Canceling has no dry run. On a key that is not waiting for its deletion it changes nothing and is
// refused for the key's state, but only to those who may cancel: others are refused for that. So the
// call is made in any case, which makes the rehearsal prove both permissions.
//
// A deletion on another day than ours was scheduled by somebody else, who has canceled ours. Only the
// process that broke the key knows the day; in another one, every pending deletion is taken for ours.
func (d *scheduleKeyDeletion) Restore(ctx context.Context, prior faults.State) error {
	back := types.KeyState(prior)
	if back != types.KeyStateEnabled && back != types.KeyStateDisabled {
		return fmt.Errorf("no call can set a key to %q", prior)
	}
	key, err := d.cloud.describeKey(ctx, d.spec.Key)
	if err != nil {
		return err
	}
	d.mu.Lock()
	date := d.date
	d.mu.Unlock()
	switch state := key.KeyState; {
	case state == types.KeyStatePendingDeletion && !date.IsZero() && key.DeletionDate != nil && !sameDay(date, *key.DeletionDate):
		return fmt.Errorf("key is to be deleted on %s, and we said %s: %w", key.DeletionDate.Format(time.DateOnly), date.Format(time.DateOnly),
			faults.ErrChanged)
	case state == types.KeyStatePendingDeletion, state == back:
	case state == types.KeyStateDisabled: // canceled and not enabled yet
	case state == types.KeyStateUpdating, state == types.KeyStateCreating:
		return fmt.Errorf("key is %s, which passes", state)
	default:
		return fmt.Errorf("key is %s: %w", state, faults.ErrChanged)
	}
	if err := d.cancel(ctx); err != nil {
		return err
	}
	if back == types.KeyStateDisabled {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := d.cloud.kms.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &d.spec.Key}); err != nil {
		return d.cloud.explain("enable key", d.cloud.endpoints.KMS, err)
	}
	return nil
}

func (d *scheduleKeyDeletion) cancel(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := d.cloud.kms.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &d.spec.Key})
	var waits *types.KMSInvalidStateException
	if err == nil || errors.As(err, &waits) {
		return nil // it is not waiting for its deletion, or no longer
	}
	return d.cloud.explain("cancel key deletion", d.cloud.endpoints.KMS, err)
}

// sameDay allows for what is lost of a date on the wire.
func sameDay(a, b time.Time) bool { return a.Sub(b).Abs() < time.Minute }

// ByHand joins its commands by a semicolon: the first is refused once it has been done.
func (d *scheduleKeyDeletion) ByHand(prior faults.State) string {
	commands := d.cloud.command(d.cloud.endpoints.KMS, "kms", "cancel-key-deletion", "--key-id", d.spec.Key)
	if types.KeyState(prior) == types.KeyStateEnabled {
		commands += "; " + d.cloud.command(d.cloud.endpoints.KMS, "kms", "enable-key", "--key-id", d.spec.Key)
	}
	return commands
}
