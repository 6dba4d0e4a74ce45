package awskms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/faults"
	"loadkms/scenarios"
)

// rotateKey is the material of a key. Its state is how often it was rotated. There is no way back, and
// no need of one: what was encrypted under older material is decrypted as before.
type rotateKey struct {
	cloud *Cloud
	spec  spec
}

var (
	_ faults.OneWay  = (*rotateKey)(nil)
	_ faults.Witness = (*rotateKey)(nil)
)

// mostRotations is how often KMS rotates one key on demand, ever.
const mostRotations = 25

func (c *Cloud) resolveRotateKey(ctx context.Context, f *scenarios.Fault, s *spec) error {
	key, err := c.resolveKey(ctx, f.Key)
	if err != nil {
		return err
	}
	at := func(format string, args ...any) error { return placed{fmt.Errorf(format, args...), f.Key.Pos} }
	multi := key.MultiRegionConfiguration
	switch {
	case !f.OneWay: // which the language sees to, too
		return at("rotate-key needs oneWay: true, for it cannot be undone")
	case key.KeySpec != types.KeySpecSymmetricDefault:
		return at("key %s is for %s (%s): KMS rotates symmetric keys for encryption", *key.KeyId, key.KeyUsage, key.KeySpec)
	case key.Origin != types.OriginTypeAwsKms:
		return at("key %s has material of origin %s: KMS rotates on demand what it has made itself", *key.KeyId, key.Origin)
	case multi != nil && multi.MultiRegionKeyType == types.MultiRegionKeyTypeReplica:
		return at("key %s is a replica: it is rotated with its primary key", *key.KeyId)
	case key.KeyState != types.KeyStateEnabled:
		return at("key %s is %s: KMS rotates an Enabled key", *key.KeyId, key.KeyState)
	}
	s.Key = *key.Arn
	_, demanded, err := c.rotations(ctx, s.Key)
	if err != nil {
		return placed{err, f.Key.Pos}
	}
	if demanded >= mostRotations {
		return at("key %s was rotated on demand %d times already, and KMS does it %d times", *key.KeyId, demanded, mostRotations)
	}
	under, err := c.rotationUnderWay(ctx, s.Key)
	if err != nil {
		return placed{err, f.Key.Pos}
	}
	if under {
		return at("key %s is being rotated already", *key.KeyId)
	}
	return nil
}

// rotations counts how often a key was rotated, and how often of those on demand.
func (c *Cloud) rotations(ctx context.Context, key string) (all, demanded int, err error) {
	pages := kms.NewListKeyRotationsPaginator(c.kms, &kms.ListKeyRotationsInput{KeyId: &key})
	for pages.HasMorePages() {
		page, err := func() (*kms.ListKeyRotationsOutput, error) {
			ctx, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			return pages.NextPage(ctx)
		}()
		if err != nil {
			return 0, 0, c.explain("list the rotations of key "+key, c.endpoints.KMS, err)
		}
		for _, r := range page.Rotations {
			if all++; r.RotationType == types.RotationTypeOnDemand {
				demanded++
			}
		}
	}
	return all, demanded, nil
}

func (c *Cloud) rotationUnderWay(ctx context.Context, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := c.kms.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &key})
	if err != nil {
		return false, c.explain("get the rotation status of key "+key, c.endpoints.KMS, err)
	}
	return out.OnDemandRotationStartDate != nil, nil
}

func (r *rotateKey) ID() string            { return r.spec.Key + "#material" }
func (r *rotateKey) Spec() json.RawMessage { return r.spec.raw() }

// OneWay says that nothing brings the older material back.
func (r *rotateKey) OneWay() {}

func (r *rotateKey) Observe(ctx context.Context) (faults.State, error) {
	all, _, err := r.cloud.rotations(ctx, r.spec.Key)
	if err != nil {
		return nil, err
	}
	return faults.State(strconv.Itoa(all)), nil
}

// Break rotates the key once. A call whose answer is lost may have done it, so it is not made again.
func (r *rotateKey) Break(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := r.cloud.kms.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &r.spec.Key}, onlyOnce); err != nil {
		return r.cloud.explain("rotate key on demand", r.cloud.endpoints.KMS, err)
	}
	return nil
}

// Restore is never called: the bracket knows a target that is one-way.
func (r *rotateKey) Restore(context.Context, faults.State) error {
	return errors.New("a rotation cannot be undone")
}

// Witness tells of the ledger that is watched, if there is one.
func (r *rotateKey) Witness(ctx context.Context) (string, error) {
	return r.cloud.watch(ctx, r.spec.Watch)
}

// ByHand has nothing to say.
func (r *rotateKey) ByHand(faults.State) string { return "" }

// onlyOnce is for a call that does more the second time: it is made again only if KMS says that it was
// too busy to do it.
func onlyOnce(o *kms.Options) {
	o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
		s.MaxBackoff, s.RateLimiter = retryBackoff, ratelimit.None
		s.Retryables = []retry.IsErrorRetryable{retry.RetryableErrorCode{Codes: retry.DefaultThrottleErrorCodes}}
	})
}
