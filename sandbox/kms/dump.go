package kms

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Dump returns everything that a fault may change and must put back, as canonical JSON: keys with
// state, policy, rotation, tags, aliases and grants, without key material. Two dumps are equal if
// nothing but dates and grant ids differs: a grant that was revoked and made anew has another id, and an alias
// that went and came back another LastUpdatedDate. It does not ask for permission.
func (s *Service) Dump() []byte {
	s.settle(s.clock.Now())
	s.mu.RLock()
	defer s.mu.RUnlock()
	type dumpedGrant struct {
		Name, Grantee, Retiring, IssuingAccount string
		Operations                              []string
		Constraints                             *GrantConstraints
	}
	type dumpedKey struct {
		ARN, Description string
		State            State
		DeletionDate     string
		Policy           string
		Material         string // the id of the current material, "" before the first import
		Rotation         int32  // days between automatic rotations, 0 for none
		Tags             []Tag
		Aliases          []string
		Grants           []dumpedGrant
	}
	all := make([]dumpedKey, 0, len(s.keys))
	for _, k := range s.keys {
		d := dumpedKey{ARN: k.arn, Description: k.description, State: k.status(), Policy: k.policyText,
			Rotation: k.rotation.period, Tags: slices.Clone(k.tags), Aliases: s.aliasesOf(k)}
		slices.SortFunc(d.Tags, func(a, b Tag) int { return cmp.Compare(a.TagKey, b.TagKey) })
		if k.current != nil {
			d.Material = k.current.String()
		}
		if !k.deletion.IsZero() {
			d.DeletionDate = k.deletion.UTC().Format(time.RFC3339Nano)
		}
		for _, g := range k.grants {
			e := g.entry
			operations := slices.Clone(e.Operations)
			slices.Sort(operations)
			d.Grants = append(d.Grants, dumpedGrant{e.Name, e.GranteePrincipal + e.GranteeServicePrincipal,
				e.RetiringPrincipal + e.RetiringServicePrincipal, e.IssuingAccount, operations, e.Constraints})
		}
		slices.SortFunc(d.Grants, func(a, b dumpedGrant) int { return cmp.Compare(mustJSON(a), mustJSON(b)) })
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b dumpedKey) int { return cmp.Compare(a.ARN, b.ARN) })
	out, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		panic(err) // strings and lists always have a JSON form
	}
	return out
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and lists always have a JSON form
	}
	return string(b)
}
