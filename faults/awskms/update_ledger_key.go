package awskms

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/qldb"
	"github.com/aws/aws-sdk-go-v2/service/qldb/types"

	"loadkms/faults"
	"loadkms/scenarios"
)

// updateLedgerKey is the key of a ledger. Its state is the ARN that DescribeLedger names, with
// " UPDATING" behind it while the ledger is working on a change.
//
// So the prior state is verified only once the ledger is at rest under the prior key. Less would not
// do: nothing says whether a ledger that is UPDATING names the key it comes from or the one it goes
// to, and one that named the former would look restored while the break is still on its way. More
// would not do either: whether the ledger can reach its key (KMS_KEY_INACCESSIBLE) depends on the
// key, which is another target, and is what Witness tells.
type updateLedgerKey struct {
	cloud *Cloud
	spec  spec
}

var (
	_ faults.Target  = (*updateLedgerKey)(nil)
	_ faults.Slow    = (*updateLedgerKey)(nil)
	_ faults.Witness = (*updateLedgerKey)(nil)
)

const (
	updating = " UPDATING"
	// ownedKey is how the API writes a key that AWS owns.
	ownedKey = "AWS_OWNED_KMS_KEY"
	// longestUpdate is what the article says of QLDB: "full key change in under 30 minutes regardless
	// of the amount of data".
	longestUpdate = 30 * time.Minute
)

func (c *Cloud) resolveUpdateLedgerKey(ctx context.Context, f *scenarios.Fault, s *spec) error {
	name, err := c.expand(f.Ledger)
	if err != nil {
		return err
	}
	l, err := c.describeLedger(ctx, name)
	if err != nil {
		return placed{err, f.Ledger.Pos}
	}
	if l.status != types.EncryptionStatusEnabled {
		return placed{fmt.Errorf("ledger %s is %s: only one that is ENABLED can be given another key and get its own back",
			name, l.status), f.Ledger.Pos}
	}
	to, err := c.resolveKey(ctx, f.To)
	if err != nil {
		return err
	}
	at := func(format string, args ...any) error { return placed{fmt.Errorf(format, args...), f.To.Pos} }
	switch {
	case *to.Arn == l.key:
		return at("ledger %s already uses key %s: there is nothing to break", name, *to.KeyId)
	case to.KeyState != kmstypes.KeyStateEnabled:
		return at("key %s is %s: a ledger takes an Enabled key", *to.KeyId, to.KeyState)
	case to.KeyUsage != kmstypes.KeyUsageTypeEncryptDecrypt || to.KeySpec != kmstypes.KeySpecSymmetricDefault:
		return at("key %s is for %s (%s): a ledger takes a symmetric key for encryption", *to.KeyId, to.KeyUsage, to.KeySpec)
	}
	s.Ledger, s.LedgerARN, s.To, s.Watch = name, l.arn, *to.Arn, name
	return nil
}

func (u *updateLedgerKey) ID() string            { return u.spec.LedgerARN + "#key" }
func (u *updateLedgerKey) Spec() json.RawMessage { return u.spec.raw() }

func (u *updateLedgerKey) Observe(ctx context.Context) (faults.State, error) {
	l, err := u.cloud.describeLedger(ctx, u.spec.Ledger)
	if err != nil {
		return nil, err
	}
	if l.status == types.EncryptionStatusUpdating {
		return faults.State(l.key + updating), nil
	}
	return faults.State(l.key), nil
}

// UnderWay tells the bracket to be patient with a ledger that is UPDATING.
func (u *updateLedgerKey) UnderWay(now, _ faults.State) time.Duration {
	if strings.HasSuffix(string(now), updating) {
		return longestUpdate
	}
	return 0
}

func (u *updateLedgerKey) Break(ctx context.Context) error { return u.set(ctx, u.spec.To) }

// Restore gives the ledger its prior key. A ledger already on its way there is left alone: it is
// observed until it has arrived. One that is on its way elsewhere is told at once; should it refuse
// until it has arrived, the error makes the bracket ask again. A ledger under a third key is
// ErrChanged.
func (u *updateLedgerKey) Restore(ctx context.Context, prior faults.State) error {
	back := string(prior)
	if strings.HasSuffix(back, updating) {
		return fmt.Errorf("ledger %s was UPDATING already, so nobody knows its prior key", u.spec.Ledger)
	}
	now, err := u.Observe(ctx)
	if err != nil {
		return err
	}
	key, busy := strings.CutSuffix(string(now), updating)
	switch {
	case key == back && busy:
		return nil
	case key != back && key != u.spec.To:
		return fmt.Errorf("ledger %s uses key %s: %w", u.spec.Ledger, key, faults.ErrChanged)
	}
	return u.set(ctx, back)
}

func (u *updateLedgerKey) set(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := u.cloud.qldb.UpdateLedger(ctx, &qldb.UpdateLedgerInput{Name: &u.spec.Ledger, KmsKey: &key}); err != nil {
		return u.cloud.explain("update ledger "+u.spec.Ledger, u.cloud.endpoints.QLDB, err)
	}
	return nil
}

func (u *updateLedgerKey) ByHand(prior faults.State) string {
	return u.cloud.command(u.cloud.endpoints.QLDB, "qldb", "update-ledger", "--name", u.spec.Ledger, "--kms-key", string(prior))
}

// Witness tells of the ledger itself.
func (u *updateLedgerKey) Witness(ctx context.Context) (string, error) {
	l, err := u.cloud.describeLedger(ctx, u.spec.Ledger)
	return l.String(), err
}

// A ledger is what DescribeLedger says of one.
type ledger struct {
	name, arn string
	key       string // ARN, or ownedKey
	status    types.EncryptionStatus
	since     time.Time // zero unless inaccessible
}

// String returns one sentence that changes only when the ledger does.
func (l ledger) String() string {
	if l.name == "" {
		return ""
	}
	s := fmt.Sprintf("ledger %s: %s", l.name, l.status)
	if !l.since.IsZero() {
		s += " since " + l.since.UTC().Format(time.RFC3339)
	}
	return s + " under key " + l.keyID()
}

// keyID returns the key's id: a ledger's key is of its own account and Region, so nothing is lost.
func (l ledger) keyID() string {
	_, id, found := strings.Cut(l.key, ":key/")
	if !found {
		return l.key
	}
	return id
}

func (c *Cloud) describeLedger(ctx context.Context, name string) (ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := c.qldb.DescribeLedger(ctx, &qldb.DescribeLedgerInput{Name: &name})
	if refusedAs(err, "ResourceNotFoundException", "InvalidParameterException") {
		return ledger{}, &callError{fmt.Sprintf("no ledger %q in %s of account %s", name, c.region, c.account), err}
	}
	if err != nil {
		return ledger{}, c.explain("describe ledger "+name, c.endpoints.QLDB, err)
	}
	l := ledger{name: name, arn: cmp.Or(aws.ToString(out.Arn), fmt.Sprintf("arn:aws:qldb:%s:%s:ledger/%s", c.region, c.account, name))}
	// A ledger under a key that AWS owns may come without a description.
	l.key, l.status = ownedKey, types.EncryptionStatusEnabled
	if e := out.EncryptionDescription; e != nil {
		l.key, l.status = cmp.Or(aws.ToString(e.KmsKeyArn), ownedKey), e.EncryptionStatus
		l.since = aws.ToTime(e.InaccessibleKmsKeyDateTime)
	}
	return l, nil
}
