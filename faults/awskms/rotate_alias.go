package awskms

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/faults"
	"loadkms/scenarios"
)

// rotateAlias is the key that an alias points to. Its state is that key's id, or "" if the alias is
// gone or points nowhere.
type rotateAlias struct {
	cloud *Cloud
	spec  spec
}

var _ faults.Target = (*rotateAlias)(nil)

func (c *Cloud) resolveRotateAlias(ctx context.Context, f *scenarios.Fault, s *spec) error {
	name, err := c.expand(f.Alias)
	if err != nil {
		return err
	}
	at := func(format string, args ...any) error { return placed{fmt.Errorf(format, args...), f.Alias.Pos} }
	if _, short, ok := strings.Cut(name, ":alias/"); ok && strings.HasPrefix(name, "arn:") {
		if !strings.HasPrefix(name, fmt.Sprintf("arn:aws:kms:%s:%s:", c.region, c.account)) {
			return at("%s is not in %s of account %s", name, c.region, c.account)
		}
		name = "alias/" + short
	}
	switch {
	case !strings.HasPrefix(name, "alias/"):
		return at(`%q is not an alias: it must start with "alias/"`, name)
	case isReserved(name):
		return at("%s is an alias of AWS's own, which nobody can move", name)
	}
	alias, err := c.findAlias(ctx, name)
	switch {
	case err != nil:
		return err
	case alias == nil:
		return at("no alias %q in %s of account %s", name, c.region, c.account)
	case aws.ToString(alias.TargetKeyId) == "":
		return at("%s points to no key: there is nothing to break", name)
	}
	// The way back needs the old key as much as the way out needs the new one.
	from, err := c.describeKey(ctx, *alias.TargetKeyId)
	if err == nil {
		err = c.ours(from)
	}
	if err != nil {
		return placed{err, f.Alias.Pos}
	}
	if from.KeyState == types.KeyStatePendingDeletion {
		return at("%s points to key %s, which is PendingDeletion: KMS would not move it back there", name, *from.KeyId)
	}
	to, err := c.resolveKey(ctx, f.To)
	if err != nil {
		return err
	}
	at = func(format string, args ...any) error { return placed{fmt.Errorf(format, args...), f.To.Pos} }
	switch {
	case *to.KeyId == *from.KeyId:
		return at("%s already points to key %s: there is nothing to break", name, *to.KeyId)
	case to.KeyState != types.KeyStateEnabled:
		return at("key %s is %s: an alias moves to an Enabled key", *to.KeyId, to.KeyState)
	case to.KeyUsage != from.KeyUsage || family(to.KeySpec) != family(from.KeySpec):
		return at("key %s is for %s (%s), but %s points to one for %s (%s): KMS moves an alias only between keys of one kind",
			*to.KeyId, to.KeyUsage, to.KeySpec, name, from.KeyUsage, from.KeySpec)
	}
	s.Alias, s.To = name, *to.KeyId
	s.AliasARN = cmp.Or(aws.ToString(alias.AliasArn), fmt.Sprintf("arn:aws:kms:%s:%s:%s", c.region, c.account, name))
	return nil
}

// family is what UpdateAlias compares: symmetric, HMAC or asymmetric.
func family(s types.KeySpec) string {
	switch {
	case s == types.KeySpecSymmetricDefault:
		return "symmetric"
	case strings.HasPrefix(string(s), "HMAC_"):
		return "HMAC"
	}
	return "asymmetric"
}

// findAlias returns the list's entry for an alias, or nil if it has none. DescribeKey would take fewer
// calls, but needs permission on whatever key the alias points to.
func (c *Cloud) findAlias(ctx context.Context, name string) (*types.AliasListEntry, error) {
	pages := kms.NewListAliasesPaginator(c.kms, &kms.ListAliasesInput{Limit: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := func() (*kms.ListAliasesOutput, error) {
			ctx, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			return pages.NextPage(ctx)
		}()
		if err != nil {
			return nil, c.explain("list aliases", c.endpoints.KMS, err)
		}
		for i := range page.Aliases {
			if aws.ToString(page.Aliases[i].AliasName) == name {
				return &page.Aliases[i], nil
			}
		}
	}
	return nil, nil
}

func (r *rotateAlias) ID() string            { return r.spec.AliasARN + "#target" }
func (r *rotateAlias) Spec() json.RawMessage { return r.spec.raw() }

func (r *rotateAlias) Observe(ctx context.Context) (faults.State, error) {
	alias, err := r.cloud.findAlias(ctx, r.spec.Alias)
	if alias == nil || err != nil {
		return nil, err
	}
	return faults.State(aws.ToString(alias.TargetKeyId)), nil
}

func (r *rotateAlias) Break(ctx context.Context) error { return r.move(ctx, r.spec.To) }

// Restore moves the alias back. Moving it to where it points is a call like any other, so the
// rehearsal proves the permission. An alias that is gone, or points to a third key, is ErrChanged.
func (r *rotateAlias) Restore(ctx context.Context, prior faults.State) error {
	if len(prior) == 0 {
		return fmt.Errorf("%s was gone already", r.spec.Alias)
	}
	now, err := r.Observe(ctx)
	if err != nil {
		return err
	}
	switch string(now) {
	case string(prior), r.spec.To:
	case "":
		return fmt.Errorf("%s is gone: %w", r.spec.Alias, faults.ErrChanged)
	default:
		return fmt.Errorf("%s points to key %s: %w", r.spec.Alias, now, faults.ErrChanged)
	}
	return r.move(ctx, string(prior))
}

func (r *rotateAlias) move(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := r.cloud.kms.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: &r.spec.Alias, TargetKeyId: &key}); err != nil {
		return r.cloud.explain("update "+r.spec.Alias, r.cloud.endpoints.KMS, err)
	}
	return nil
}

func (r *rotateAlias) ByHand(prior faults.State) string {
	return r.cloud.command(r.cloud.endpoints.KMS, "kms", "update-alias", "--alias-name", r.spec.Alias, "--target-key-id", string(prior))
}
