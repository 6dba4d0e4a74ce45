package awskms

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/faults"
	"loadkms/sandbox/iam"
	"loadkms/scenarios"
)

// denyKey is the policy of a key. Its state is the document, as its author wrote it.
//
// AWS may give a document back in other words than it was put in: white space, the order of a set, one
// thing as a list of one. So what means the same as the prior document is observed as the prior
// document, and what is put back is its text.
type denyKey struct {
	cloud *Cloud
	spec  spec

	mu    sync.Mutex // guards prior
	prior string     // the document first observed, or to be restored; "" before that
}

var _ faults.Target = (*denyKey)(nil)

// longestPolicy is KMS's limit for the policy of a key.
const longestPolicy = 32 << 10

func (c *Cloud) resolveDenyKey(ctx context.Context, f *scenarios.Fault, s *spec) error {
	key, err := c.resolveKey(ctx, f.Key)
	if err != nil {
		return err
	}
	s.Key, s.Mode = *key.Arn, f.Mode
	if s.Mode == "" {
		s.Mode = scenarios.ByDeny
	}
	if s.Role, err = c.resolveRole(ctx, f.Role, s.Key); err != nil {
		return err
	}
	at := func(format string, args ...any) error { return placed{fmt.Errorf(format, args...), f.Role.Pos} }
	text, err := c.keyPolicy(ctx, s.Key)
	if err != nil {
		return placed{err, f.Key.Pos}
	}
	denied, err := s.denied(text)
	switch {
	case errors.Is(err, errAllowsNot):
		return at("no statement of the policy of key %s allows %s anything by name: only mode: deny can deny it", *key.KeyId, s.Role)
	case err != nil:
		return placed{err, f.Key.Pos}
	case len(denied) > longestPolicy:
		return at("the policy of key %s would have %d bytes with one more statement, and KMS takes %d", *key.KeyId, len(denied), longestPolicy)
	case c.lockedOut(text, denied, s):
		return at("denying %s would lock out %s, who has to put the policy back", s.Role, c.caller)
	}
	return nil
}

// resolveRole returns the ARN of the role that a template names. The key is one whose grants may be
// asked about: a dry run of a grant is how KMS tells whether a principal exists.
func (c *Cloud) resolveRole(ctx context.Context, t scenarios.Template, key string) (string, error) {
	role, err := c.expand(t)
	if err != nil {
		return "", err
	}
	at := func(format string, args ...any) error { return placed{fmt.Errorf(format, args...), t.Pos} }
	arn, isARN := iam.ParseARN(role)
	switch {
	case isARN && arn.Service == "iam" && arn.Account == c.account && strings.HasPrefix(arn.Resource, "role/"):
	case isARN && arn.Service == "iam" && arn.Resource == "root":
		return "", at("%s is the account, and its administrators with it: only a role can be denied", role)
	case isARN || strings.ContainsAny(role, ":/*?"):
		return "", at("%q is not a role of account %s: write its name, or its ARN (arn:aws:iam::%s:role/NAME)", role, c.account, c.account)
	default:
		caller, _ := iam.ParseARN(c.caller)
		role = iam.ARN{Partition: cmp.Or(caller.Partition, "aws"), Service: "iam", Account: c.account, Resource: "role/" + role}.String()
	}
	if iam.SamePrincipal(role, c.caller) {
		return "", at("%s is who runs loadkms, and has to put the policy back", role)
	}
	err = c.dryRunGrant(ctx, key, role)
	if refusedAs(err, "InvalidArnException") {
		return "", at("no role %s", role)
	}
	return role, nil // whoever may not create grants learns about a role that is not there from PutKeyPolicy
}

func (c *Cloud) dryRunGrant(ctx context.Context, key, grantee string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := c.kms.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: &key, GranteePrincipal: &grantee,
		Operations: []types.GrantOperation{types.GrantOperationDescribeKey}, DryRun: aws.Bool(true)})
	return err
}

// lockedOut reports whether the caller could change the policy as it is, and not as it would be. What
// cannot be read is left to KMS, which refuses a policy that locks its author out.
func (c *Cloud) lockedOut(now, then string, s *spec) bool {
	may := func(text string) bool {
		p, err := iam.ParsePolicy([]byte(text), iam.Resource)
		if err != nil {
			return true
		}
		who := iam.Caller{Principal: c.caller, Account: c.account}
		e := p.Evaluate(&iam.Request{Caller: who, Action: "kms:PutKeyPolicy", Resource: s.Key})
		return e == iam.Allow || e == iam.Delegated
	}
	return may(now) && !may(then)
}

var errAllowsNot = errors.New("no statement allows it by name")

// denied returns a policy as Break makes it: the same every time, so that a restore in another process
// knows what is ours.
func (s *spec) denied(text string) (string, error) {
	doc, err := readPolicy(text)
	if err != nil {
		return "", err
	}
	statements, ok := doc["Statement"].([]any)
	if one, is := doc["Statement"].(map[string]any); is {
		statements, ok = []any{one}, true
	}
	if !ok {
		return "", errors.New("the policy of the key has no statements")
	}
	switch s.Mode {
	case scenarios.ByDeny:
		statements = append(statements, map[string]any{"Sid": "LoadkmsDenies", "Effect": "Deny",
			"Principal": map[string]any{"AWS": s.Role}, "Action": "kms:*", "Resource": "*"})
	case scenarios.ByRemoval:
		removed := false
		statements = slices.DeleteFunc(statements, func(statement any) bool {
			found, empty := removePrincipal(statement, s.Role)
			removed = removed || found
			return empty
		})
		if !removed {
			return "", errAllowsNot
		}
	default:
		return "", fmt.Errorf("this loadkms does not know the mode %q", s.Mode)
	}
	doc["Statement"] = statements
	return writeJSON(doc), nil
}

// removePrincipal takes a principal out of a statement that allows something. Empty says that nobody
// is left in it.
func removePrincipal(statement any, arn string) (found, empty bool) {
	m, _ := statement.(map[string]any)
	principals, _ := m["Principal"].(map[string]any)
	if m["Effect"] != "Allow" || principals == nil {
		return false, false
	}
	switch who := principals["AWS"].(type) {
	case string:
		if found = who == arn; found {
			delete(principals, "AWS")
		}
	case []any:
		left := slices.DeleteFunc(slices.Clone(who), func(one any) bool { return one == arn })
		found = len(left) < len(who)
		if principals["AWS"] = left; len(left) == 0 {
			delete(principals, "AWS")
		}
	}
	return found, found && len(principals) == 0
}

func readPolicy(text string) (map[string]any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("read the policy of the key: %w", err)
	}
	return doc, nil
}

func writeJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // what was JSON is JSON
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// meaning writes a policy in the one way all its spellings share. What is not JSON means itself.
func meaning(text string) string {
	doc, err := readPolicy(text)
	if err != nil {
		return text
	}
	return writeJSON(spell(doc, ""))
}

// spell unifies a part of a policy that lies under a key.
func spell(v any, under string) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = spell(v[k], k)
		}
	case []any:
		texts := true
		for i := range v {
			v[i] = spell(v[i], under)
			_, is := v[i].(string)
			texts = texts && is
		}
		if texts { // a set
			slices.SortFunc(v, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
			v = slices.Compact(v)
		}
		if len(v) == 1 {
			return v[0]
		}
		return v
	case string:
		if len(v) == 12 && under == "AWS" && strings.Trim(v, "0123456789") == "" {
			return iam.RootARN(v)
		}
	}
	return v
}

func (c *Cloud) keyPolicy(ctx context.Context, key string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := c.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &key, PolicyName: aws.String("default")})
	if err != nil {
		return "", c.explain("get the policy of key "+key, c.endpoints.KMS, err)
	}
	if aws.ToString(out.Policy) == "" {
		return "", fmt.Errorf("get the policy of key %s: %s answered without one", key, c.place(c.endpoints.KMS))
	}
	return *out.Policy, nil
}

func (d *denyKey) ID() string            { return d.spec.Key + "#policy" }
func (d *denyKey) Spec() json.RawMessage { return d.spec.raw() }

func (d *denyKey) Observe(ctx context.Context) (faults.State, error) {
	text, err := d.cloud.keyPolicy(ctx, d.spec.Key)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.prior == "" {
		d.prior = text
	}
	if meaning(text) == meaning(d.prior) {
		return faults.State(d.prior), nil
	}
	return faults.State(text), nil
}

// Break starts from the policy as it was observed. One that has changed since is not overwritten.
func (d *denyKey) Break(ctx context.Context) error {
	now, err := d.Observe(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock()
	prior := d.prior
	d.mu.Unlock()
	if string(now) != prior {
		return fmt.Errorf("the policy of the key: %w", faults.ErrChanged)
	}
	denied, err := d.spec.denied(prior)
	if err != nil {
		return err
	}
	return d.put(ctx, denied)
}

// Restore puts the prior document back. Putting the document that is there is a call like any other,
// so the rehearsal proves the permission. A document that is neither the prior one nor ours is
// ErrChanged.
func (d *denyKey) Restore(ctx context.Context, prior faults.State) error {
	denied, err := d.spec.denied(string(prior))
	if err != nil {
		return err
	}
	now, err := d.cloud.keyPolicy(ctx, d.spec.Key)
	if err != nil {
		return err
	}
	if m := meaning(now); m != meaning(string(prior)) && m != meaning(denied) {
		return fmt.Errorf("the policy of the key: %w", faults.ErrChanged)
	}
	d.mu.Lock()
	d.prior = string(prior)
	d.mu.Unlock()
	return d.put(ctx, string(prior))
}

func (d *denyKey) put(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := d.cloud.kms.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &d.spec.Key, PolicyName: aws.String("default"), Policy: &text})
	if err != nil {
		return d.cloud.explain("put key policy", d.cloud.endpoints.KMS, err)
	}
	return nil
}

func (d *denyKey) ByHand(prior faults.State) string {
	return d.cloud.command(d.cloud.endpoints.KMS, "kms", "put-key-policy", "--key-id", d.spec.Key, "--policy-name", "default",
		"--policy", string(prior))
}
