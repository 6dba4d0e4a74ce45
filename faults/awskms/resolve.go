package awskms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/faults"
	"loadkms/scenarios"
)

// A spec is what it takes to make a target again: what was resolved, not what was written. It holds
// no secret.
type spec struct {
	Action     scenarios.Action `json:"action"`
	Account    string           `json:"account"`
	Region     string           `json:"region"`
	Endpoints  endpoints        `json:"endpoints"`
	Key        string           `json:"key,omitempty"`        // ARN; of every action on a key
	Alias      string           `json:"alias,omitempty"`      // name and
	AliasARN   string           `json:"arn,omitempty"`        // ARN; rotate-alias
	Ledger     string           `json:"ledger,omitempty"`     // name and
	LedgerARN  string           `json:"larn,omitempty"`       // ARN; update-ledger-key
	To         string           `json:"to,omitempty"`         // what Break sets: a key's id for an alias, its ARN for a ledger
	Role       string           `json:"role,omitempty"`       // ARN and
	Mode       scenarios.Denial `json:"mode,omitempty"`       // how; deny-key
	GrantID    string           `json:"grant,omitempty"`      // and
	Grant      string           `json:"form,omitempty"`       // but for that, as JSON; revoke-grant
	Material   string           `json:"material,omitempty"`   // file and
	MaterialID string           `json:"materialId,omitempty"` // id of what is in it; delete-key-material
	KeyStore   string           `json:"keyStore,omitempty"`   // id; disconnect-key-store
	Watch      string           `json:"watch,omitempty"`      // the ledger to be a witness of
}

// Resolve returns the target of f, once it is certain that the target exists, is ours, and can be
// broken in the way f says. It changes nothing. Its errors end with the place in the script.
func (c *Cloud) Resolve(ctx context.Context, f *scenarios.Fault) (faults.Target, error) {
	s := spec{Action: f.Do, Account: c.account, Region: c.region, Endpoints: c.endpoints, Watch: c.ledger}
	var err error
	switch f.Do {
	case scenarios.DisableKey:
		err = c.resolveDisableKey(ctx, f, &s)
	case scenarios.DenyKey:
		err = c.resolveDenyKey(ctx, f, &s)
	case scenarios.RotateAlias:
		err = c.resolveRotateAlias(ctx, f, &s)
	case scenarios.RevokeGrant:
		err = c.resolveRevokeGrant(ctx, f, &s)
	case scenarios.RotateKey:
		err = c.resolveRotateKey(ctx, f, &s)
	case scenarios.DeleteKeyMaterial:
		err = c.resolveDeleteKeyMaterial(ctx, f, &s)
	case scenarios.DisconnectKeyStore:
		err = c.resolveDisconnectKeyStore(ctx, f, &s)
	case scenarios.ScheduleKeyDeletion:
		err = c.resolveScheduleKeyDeletion(ctx, f, &s)
	case scenarios.UpdateLedgerKey:
		err = c.resolveUpdateLedgerKey(ctx, f, &s)
	default:
		err = placed{fmt.Errorf("%s is not something that can be done to a key", f.Do), f.Pos}
	}
	if p := (placed{}); errors.As(err, &p) {
		return nil, fmt.Errorf("%w, at %s", err, p.pos)
	}
	if err != nil {
		return nil, fmt.Errorf("%w, at %s", err, f.Pos)
	}
	return c.target(s)
}

// A placed error is about one place in the script.
type placed struct {
	error
	pos scenarios.Pos
}

func (p placed) Unwrap() error { return p.error }

// Lookup makes the target of a journal entry again, in another process, with the credentials of the
// default chain. It asks AWS who we are, and refuses if the entry belongs to another account. The
// entry names Region and endpoints; the environment has no say in them.
func Lookup(ctx context.Context, e faults.Entry) (faults.Target, error) {
	var s spec
	if err := json.Unmarshal(e.Spec, &s); err != nil {
		return nil, fmt.Errorf("read the entry's spec: %w", err)
	}
	if s.Region == "" || s.Account == "" {
		return nil, errors.New("the entry's spec names no region or no account")
	}
	c, _, err := connect(ctx, Options{Region: s.Region}, &s.Endpoints)
	if err != nil {
		return nil, err
	}
	if c.account != s.Account {
		return nil, fmt.Errorf("it belongs to account %s, and these credentials to account %s", s.Account, c.account)
	}
	return c.target(s)
}

// target makes a target from what was resolved.
func (c *Cloud) target(s spec) (faults.Target, error) {
	var t faults.Target
	complete := false
	switch s.Action {
	case scenarios.DisableKey:
		t, complete = &disableKey{c, s}, s.Key != ""
	case scenarios.DenyKey:
		t, complete = &denyKey{cloud: c, spec: s}, s.Key != "" && s.Role != "" && s.Mode != ""
	case scenarios.RotateAlias:
		t, complete = &rotateAlias{c, s}, s.Alias != "" && s.AliasARN != "" && s.To != ""
	case scenarios.RevokeGrant:
		t, complete = &revokeGrant{c, s}, s.Key != "" && s.GrantID != "" && s.Grant != ""
	case scenarios.RotateKey:
		t, complete = &rotateKey{c, s}, s.Key != ""
	case scenarios.DeleteKeyMaterial:
		t, complete = &deleteKeyMaterial{c, s}, s.Key != "" && s.Material != ""
	case scenarios.DisconnectKeyStore:
		t, complete = &disconnectKeyStore{c, s}, s.KeyStore != ""
	case scenarios.ScheduleKeyDeletion:
		t, complete = &scheduleKeyDeletion{cloud: c, spec: s}, s.Key != ""
	case scenarios.UpdateLedgerKey:
		t, complete = &updateLedgerKey{c, s}, s.Ledger != "" && s.LedgerARN != "" && s.To != ""
	default:
		return nil, fmt.Errorf("this loadkms does not know the action %q", s.Action)
	}
	if !complete {
		return nil, fmt.Errorf("the spec of %s is not complete", s.Action)
	}
	if _, is := t.(faults.Witness); !is && s.Watch != "" {
		return witness{t, c, s}, nil
	}
	return t, nil
}

func (s spec) raw() json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return b
}

// expand fills a template's holes with the stack's outputs.
func (c *Cloud) expand(t scenarios.Template) (string, error) {
	unknown := ""
	text, err := t.Expand(func(name string) (string, bool) {
		output, of := strings.CutPrefix(name, "stack.")
		value, ok := c.outputs[output]
		if !of || !ok {
			unknown = name
			return "", false
		}
		return value, true
	})
	output, of := strings.CutPrefix(unknown, "stack.")
	switch {
	case unknown == "" && err != nil:
		place := ", at " + t.Pos.String() // which Resolve adds, too
		return "", placed{errors.New(strings.TrimSuffix(err.Error(), place)), t.Pos}
	case unknown == "" && text == "":
		return "", placed{errors.New("nothing is left after filling in the template"), t.Pos}
	case unknown == "":
		return text, nil
	case !of:
		return "", placed{fmt.Errorf("{{ %s }} cannot be used here: only {{ stack.NAME }} can", unknown), t.Pos}
	case c.stack == "":
		return "", placed{fmt.Errorf("{{ %s }} needs a stack: set config.aws.stack", unknown), t.Pos}
	case len(c.outputs) == 0:
		return "", placed{fmt.Errorf("stack %s has no output %q: it has none at all", c.stack, output), t.Pos}
	}
	return "", placed{fmt.Errorf("stack %s has no output %q: it has %s", c.stack, output,
		strings.Join(slices.Sorted(maps.Keys(c.outputs)), ", ")), t.Pos}
}

// describeKey returns what KMS knows of a key, named by id, ARN or alias.
func (c *Cloud) describeKey(ctx context.Context, key string) (*types.KeyMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := c.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
	if refusedAs(err, "NotFoundException", "InvalidArnException") {
		return nil, &callError{fmt.Sprintf("no key %q in %s of account %s", key, c.region, c.account), err}
	}
	if err != nil {
		return nil, c.explain("describe key "+key, c.endpoints.KMS, err)
	}
	if out.KeyMetadata == nil || aws.ToString(out.KeyMetadata.Arn) == "" || aws.ToString(out.KeyMetadata.KeyId) == "" {
		return nil, fmt.Errorf("describe key %s: %s answered without naming a key", key, c.place(c.endpoints.KMS))
	}
	return out.KeyMetadata, nil
}

// resolveKey describes the key that a template names, and refuses what is not ours to break.
func (c *Cloud) resolveKey(ctx context.Context, t scenarios.Template) (*types.KeyMetadata, error) {
	name, err := c.expand(t)
	if err != nil {
		return nil, err
	}
	if isReserved(name) {
		return nil, placed{fmt.Errorf("%s is an alias of AWS's own: only customer managed keys can be broken", name), t.Pos}
	}
	key, err := c.describeKey(ctx, name)
	if err != nil {
		return nil, placed{err, t.Pos}
	}
	if err := c.ours(key); err != nil {
		return nil, placed{err, t.Pos}
	}
	return key, nil
}

// ours refuses keys of AWS and of other accounts.
func (c *Cloud) ours(key *types.KeyMetadata) error {
	if key.KeyManager == types.KeyManagerTypeAws {
		return fmt.Errorf("key %s is managed by AWS: only customer managed keys can be broken", *key.KeyId)
	}
	if owner := aws.ToString(key.AWSAccountId); owner != "" && owner != c.account {
		return fmt.Errorf("key %s belongs to account %s, not to %s", *key.KeyId, owner, c.account)
	}
	return nil
}

// isReserved reports whether an alias, as name or ARN, is one of those AWS keeps for itself.
func isReserved(alias string) bool {
	return strings.HasPrefix(alias, "alias/aws/") || strings.Contains(alias, ":alias/aws/")
}
