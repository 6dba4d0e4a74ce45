package awskms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/qldb"

	"loadkms/faults"
	"loadkms/sandbox/iam"
	"loadkms/scenarios"
)

// revokeGrant is one grant on a key. Its state is a grantState.
//
// A grant that was revoked never comes back: another is made that differs in nothing but id and date.
// A service's grant can only be made by the service. A ledger makes its own when it is told to use the
// key that it uses; for other services there is no way back, and so no way in.
type revokeGrant struct {
	cloud *Cloud
	spec  spec
}

var (
	_ faults.Target  = (*revokeGrant)(nil)
	_ faults.Needy   = (*revokeGrant)(nil)
	_ faults.Witness = (*revokeGrant)(nil)
)

// A grantState is how often a grant is there, and which others there are of the same grantee and name:
// one that appears among them is somebody else's answer to the fault.
type grantState struct {
	Grant string   `json:"grant"` // what it is but for its id, as JSON
	Count int      `json:"count"`
	Kin   []string `json:"kin,omitempty"` // ids, sorted
}

// A grantForm is what CreateGrant takes: a grant but for its id.
type grantForm struct {
	Grantee         string                 `json:"grantee,omitempty"`
	GranteeService  string                 `json:"granteeService,omitempty"`
	Retiring        string                 `json:"retiring,omitempty"`
	RetiringService string                 `json:"retiringService,omitempty"`
	Operations      []types.GrantOperation `json:"operations"` // sorted
	Constraints     grantConstraints       `json:"constraints,omitzero"`
	Name            string                 `json:"name,omitempty"`
}

// grantConstraints are written as the command line takes them.
type grantConstraints struct {
	EncryptionContextEquals map[string]string `json:",omitempty"`
	EncryptionContextSubset map[string]string `json:",omitempty"`
	SourceArn               string            `json:",omitempty"`
}

// IsZero keeps constraints that are none out of the JSON.
func (c grantConstraints) IsZero() bool {
	return len(c.EncryptionContextEquals) == 0 && len(c.EncryptionContextSubset) == 0 && c.SourceArn == ""
}

func formOf(g types.GrantListEntry) grantForm {
	var con grantConstraints
	if c := g.Constraints; c != nil {
		con = grantConstraints{c.EncryptionContextEquals, c.EncryptionContextSubset, aws.ToString(c.SourceArn)}
	}
	return grantForm{aws.ToString(g.GranteePrincipal), aws.ToString(g.GranteeServicePrincipal), aws.ToString(g.RetiringPrincipal),
		aws.ToString(g.RetiringServicePrincipal), slices.Sorted(slices.Values(g.Operations)), con, aws.ToString(g.Name)}
}

func (g grantForm) String() string { return writeJSON(g) }

// who is the grantee, for messages and for telling whose grant it is.
func (g grantForm) who() string { return g.Grantee + g.GranteeService }

// request is the call that makes the grant.
func (g grantForm) request(key string) *kms.CreateGrantInput {
	set := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	in := &kms.CreateGrantInput{KeyId: &key, GranteePrincipal: set(g.Grantee), GranteeServicePrincipal: set(g.GranteeService),
		RetiringPrincipal: set(g.Retiring), RetiringServicePrincipal: set(g.RetiringService), Operations: g.Operations,
		Name: set(g.Name)}
	if c := g.Constraints; !c.IsZero() {
		in.Constraints = &types.GrantConstraints{EncryptionContextEquals: c.EncryptionContextEquals,
			EncryptionContextSubset: c.EncryptionContextSubset, SourceArn: set(c.SourceArn)}
	}
	return in
}

func (c *Cloud) resolveRevokeGrant(ctx context.Context, f *scenarios.Fault, s *spec) error {
	key, err := c.resolveKey(ctx, f.Key)
	if err != nil {
		return err
	}
	if key.KeyState != types.KeyStateEnabled {
		return placed{fmt.Errorf("key %s is %s: KMS makes grants on an Enabled key", *key.KeyId, key.KeyState), f.Key.Pos}
	}
	s.Key = *key.Arn
	all, err := c.grants(ctx, s.Key)
	if err != nil {
		return placed{err, f.Key.Pos}
	}
	wanted, what, by, err := c.selectGrant(ctx, f, s)
	if err != nil {
		return err
	}
	at := func(format string, args ...any) error { return placed{fmt.Errorf(format, args...), by.Pos} }
	found := slices.DeleteFunc(slices.Clone(all), func(g types.GrantListEntry) bool { return !wanted(g) })
	switch len(found) {
	case 0:
		return at("key %s has no grant %s: it has %s", *key.KeyId, what, listed(all))
	case 1:
	default:
		return at("key %s has %d grants %s: name the one to revoke by its id, among %s", *key.KeyId, len(found), what, listed(found))
	}
	g := formOf(found[0])
	s.GrantID, s.Grant = *found[0].GrantId, g.String()
	if n := (grants(all)).equal(s.Grant); n > 1 {
		return at("key %s has %d grants that differ in nothing but their ids: with one revoked, the other would do", *key.KeyId, n)
	}
	if s.Ledger == "" && iam.IsService(g.Grantee) {
		return at("grant %s is %s's own, and only that service can make it again", s.GrantID, g.Grantee)
	}
	// Whether we may revoke it is no question of safety, but one that KMS answers beforehand.
	r := &revokeGrant{c, *s}
	if err := r.revoke(ctx, s.GrantID, true); err != nil {
		return placed{err, by.Pos}
	}
	return nil
}

// selectGrant returns how to tell the grant that a fault means, in words and with its place.
func (c *Cloud) selectGrant(ctx context.Context, f *scenarios.Fault, s *spec,
) (wanted func(types.GrantListEntry) bool, what string, by scenarios.Template, err error) {
	switch {
	case !f.Grant.IsZero():
		name, err := c.expand(f.Grant)
		return func(g types.GrantListEntry) bool {
				return aws.ToString(g.GrantId) == name || aws.ToString(g.Name) == name
			},
			fmt.Sprintf("%q", name), f.Grant, err
	case !f.Grantee.IsZero():
		who, err := c.expand(f.Grantee)
		return func(g types.GrantListEntry) bool { return formOf(g).who() == who }, "to " + who, f.Grantee, err
	}
	name, err := c.expand(f.Ledger)
	if err != nil {
		return nil, "", f.Ledger, err
	}
	l, err := c.describeLedger(ctx, name)
	if err != nil {
		return nil, "", f.Ledger, placed{err, f.Ledger.Pos}
	}
	if l.key != s.Key {
		return nil, "", f.Ledger, placed{fmt.Errorf("ledger %s uses key %s, not %s", name, l.keyID(), s.Key), f.Ledger.Pos}
	}
	s.Ledger, s.LedgerARN = name, l.arn
	// A ledger's grant is one for the ledger service that bears the ledger's name, or the only one.
	resource, _ := iam.ParseARN(l.arn)
	service := "qldb." + c.region + ".amazonaws.com"
	return func(g types.GrantListEntry) bool {
		return iam.SameService(formOf(g).who(), service) && strings.HasSuffix(aws.ToString(g.Name), resource.Resource)
	}, "of ledger " + name, f.Ledger, nil
}

// listed names grants in a message, but not too many of them.
func listed(all []types.GrantListEntry) string {
	const most = 5
	var names []string
	for i, g := range all {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(all)-most))
			break
		}
		names = append(names, fmt.Sprintf("%s (%s)", aws.ToString(g.GrantId), formOf(g).who()))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// grants are all of a key.
type grants []types.GrantListEntry

// equal counts those that are nothing else but for their ids.
func (all grants) equal(form string) (n int) {
	for _, g := range all {
		if formOf(g).String() == form {
			n++
		}
	}
	return n
}

func (c *Cloud) grants(ctx context.Context, key string) (all grants, err error) {
	pages := kms.NewListGrantsPaginator(c.kms, &kms.ListGrantsInput{KeyId: &key, Limit: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := func() (*kms.ListGrantsOutput, error) {
			ctx, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			return pages.NextPage(ctx)
		}()
		if err != nil {
			return nil, c.explain("list the grants of key "+key, c.endpoints.KMS, err)
		}
		all = append(all, page.Grants...)
	}
	return all, nil
}

// ID is that of all grants of a key: which of them are one another's kin is not worth a mistake.
func (r *revokeGrant) ID() string { return r.spec.Key + "#grants" }

// Needs says that KMS makes grants only on a key that is Enabled.
func (r *revokeGrant) Needs() []string { return []string{r.spec.Key + "#state"} }

func (r *revokeGrant) Spec() json.RawMessage { return r.spec.raw() }

func (r *revokeGrant) form() (g grantForm, err error) {
	if err := json.Unmarshal([]byte(r.spec.Grant), &g); err != nil {
		return g, fmt.Errorf("read the grant: %w", err)
	}
	return g, nil
}

// look returns the state, and the ids of the grants that equal ours.
func (r *revokeGrant) look(ctx context.Context) (grantState, []string, error) {
	s := grantState{Grant: r.spec.Grant}
	ours, err := r.form()
	if err != nil {
		return s, nil, err
	}
	all, err := r.cloud.grants(ctx, r.spec.Key)
	if err != nil {
		return s, nil, err
	}
	var equal []string
	for _, g := range all {
		form := formOf(g)
		switch {
		case form.String() == r.spec.Grant:
			equal = append(equal, aws.ToString(g.GrantId))
		case form.who() == ours.who() && form.Name == ours.Name:
			s.Kin = append(s.Kin, aws.ToString(g.GrantId))
		}
	}
	s.Count = len(equal)
	slices.Sort(s.Kin)
	return s, equal, nil
}

func (r *revokeGrant) Observe(ctx context.Context) (faults.State, error) {
	s, _, err := r.look(ctx)
	if err != nil {
		return nil, err
	}
	return faults.State(writeJSON(s)), nil
}

func (r *revokeGrant) Break(ctx context.Context) error { return r.revoke(ctx, r.spec.GrantID, false) }

func (r *revokeGrant) revoke(ctx context.Context, id string, dry bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in := &kms.RevokeGrantInput{KeyId: &r.spec.Key, GrantId: &id}
	if dry {
		in.DryRun = &dry
	}
	if _, err := r.cloud.kms.RevokeGrant(ctx, in); err != nil && !(dry && isDryRun(err)) {
		return r.cloud.explain("revoke grant", r.cloud.endpoints.KMS, err)
	}
	return nil
}

// isDryRun reports whether KMS says that a call would have worked.
func isDryRun(err error) bool {
	var fine *types.DryRunOperationException
	return errors.As(err, &fine)
}

// Restore makes the grant again. While it is there, the call is a dry run that proves the permission; a
// ledger that is told to use the key it uses makes its grant if there is none, so for it the call is
// the same both times. A grant without a name is another one each time it is made, so that call is not
// tried again by the SDK, and one whose answer was lost may leave two: the second is revoked.
func (r *revokeGrant) Restore(ctx context.Context, prior faults.State) error {
	var was grantState
	if err := json.Unmarshal(prior, &was); err != nil || was.Count != 1 {
		return fmt.Errorf("no call can set grants to %q", prior)
	}
	now, equal, err := r.look(ctx)
	if err != nil {
		return err
	}
	for _, id := range now.Kin {
		if !slices.Contains(was.Kin, id) {
			return fmt.Errorf("there is another grant %s for the same grantee: %w", id, faults.ErrChanged)
		}
	}
	if r.spec.Ledger != "" {
		return r.byLedger(ctx)
	}
	if len(equal) > 1 {
		return r.revoke(ctx, equal[1], false)
	}
	return r.create(ctx, len(equal) == 1)
}

func (r *revokeGrant) create(ctx context.Context, dry bool) error {
	g, err := r.form()
	if err != nil {
		return err
	}
	in := g.request(r.spec.Key)
	if dry {
		in.DryRun = &dry
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = r.cloud.kms.CreateGrant(ctx, in, func(o *kms.Options) {
		if g.Name == "" {
			onlyOnce(o)
		}
	})
	if err == nil || dry && isDryRun(err) {
		return nil
	}
	return r.cloud.explain("create grant", r.cloud.endpoints.KMS, err)
}

func (r *revokeGrant) byLedger(ctx context.Context) error {
	l, err := r.cloud.describeLedger(ctx, r.spec.Ledger)
	if err != nil {
		return err
	}
	if l.key != r.spec.Key {
		return fmt.Errorf("ledger %s uses key %s: %w", r.spec.Ledger, l.keyID(), faults.ErrChanged)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := r.cloud.qldb.UpdateLedger(ctx, &qldb.UpdateLedgerInput{Name: &r.spec.Ledger, KmsKey: &r.spec.Key}); err != nil {
		return r.cloud.explain("update ledger "+r.spec.Ledger, r.cloud.endpoints.QLDB, err)
	}
	return nil
}

// Witness tells of the ledger that is watched, if there is one.
func (r *revokeGrant) Witness(ctx context.Context) (string, error) {
	return r.cloud.watch(ctx, r.spec.Watch)
}

func (r *revokeGrant) ByHand(faults.State) string {
	if r.spec.Ledger != "" {
		return r.cloud.command(r.cloud.endpoints.QLDB, "qldb", "update-ledger", "--name", r.spec.Ledger, "--kms-key", r.spec.Key)
	}
	g, err := r.form()
	if err != nil {
		return ""
	}
	words := []string{"kms", "create-grant", "--key-id", r.spec.Key}
	for _, option := range []struct{ name, value string }{{"--grantee-principal", g.Grantee}, {"--grantee-service-principal", g.GranteeService},
		{"--retiring-principal", g.Retiring}, {"--retiring-service-principal", g.RetiringService}, {"--name", g.Name}} {
		if option.value != "" {
			words = append(words, option.name, option.value)
		}
	}
	if !g.Constraints.IsZero() {
		words = append(words, "--constraints", writeJSON(g.Constraints))
	}
	words = append(words, "--operations")
	for _, o := range g.Operations {
		words = append(words, string(o))
	}
	return r.cloud.command(r.cloud.endpoints.KMS, words...)
}
