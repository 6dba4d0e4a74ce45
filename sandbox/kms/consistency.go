package kms

import (
	"maps"
	"time"
)

// AWS's KMS is eventually consistent: for a while after a change, calls may still find what was
// before. The sandbox does it always, for exactly as long as SetConsistency says, or, by default,
// never. These are the rules:
//
//   - Operations that change something find everything as it is, so none of them gets lost.
//   - All others find each key as it was that long ago: its state, policy, grants, tags, description
//     and material; a new key, not at all.
//   - The same holds for aliases.
//   - A grant token makes its grant count at once.
//   - What happens by itself (deletion, rotation, expiry, a store that connects) is seen at once.

// A keyPast is a key as it was until some change. The key is nil if the change was its creation.
type keyPast struct {
	until time.Time
	key   *key
}

// An aliasPast is all aliases as they were until some change.
type aliasPast struct {
	until   time.Time
	aliases map[string]*alias
}

// SetConsistency sets how long, in sandbox time, changes take to be seen; 0 means that they are seen
// at once. What was changed while it was 0 stays seen, so whoever builds something on new keys first,
// and then sets it, has no need to wait for them.
func (s *Service) SetConsistency(delay time.Duration) { s.delay.Store(int64(max(delay, 0))) }

// changes are the operations that change a key or an alias; all of them hold Service.mu for writing
// when they look a key up.
var changes = map[string]bool{
	"CancelKeyDeletion": true, "CreateAlias": true, "CreateGrant": true, "DeleteAlias": true,
	"DeleteImportedKeyMaterial": true, "DisableKey": true, "DisableKeyRotation": true, "EnableKey": true,
	"EnableKeyRotation": true, "GetParametersForImport": true, "ImportKeyMaterial": true, "PutKeyPolicy": true,
	"RetireGrant": true, "RevokeGrant": true, "RotateKeyOnDemand": true, "ScheduleKeyDeletion": true,
	"TagResource": true, "UntagResource": true, "UpdateAlias": true, "UpdateKeyDescription": true,
}

// view returns the key as the call finds it, or nil if it does not find it yet. Every look-up of a key
// ends here. s.mu must be held, for writing by calls that change something.
func (s *Service) view(c *call, k *key) *key {
	if k == nil {
		return nil
	}
	if c.changes {
		s.suspect(k)
	}
	delay := time.Duration(s.delay.Load())
	switch {
	case delay == 0:
	case c.changes:
		k.remember(c.now, delay)
	default:
		for _, p := range k.pasts {
			if c.now.Before(p.until.Add(delay)) {
				k = p.key
				break
			}
		}
	}
	if k != nil && c.uses {
		c.touch(k)
	}
	return k
}

// remember keeps what the key is now, because the call that asks may change it.
func (k *key) remember(now time.Time, delay time.Duration) {
	for len(k.pasts) > 0 && !now.Before(k.pasts[0].until.Add(delay)) {
		k.pasts = k.pasts[1:]
	}
	was := *k
	was.pasts = nil
	was.grants = maps.Clone(k.grants)
	was.versions = make([]*version, len(k.versions))
	for i, v := range k.versions {
		past := *v
		was.versions[i] = &past
		if v == k.current {
			was.current = &past
		}
	}
	k.pasts = append(k.pasts, keyPast{now, &was})
}

// born marks a key as new, which others do not find at once. s.mu must be held for writing.
func (s *Service) born(k *key, now time.Time) {
	s.suspect(k)
	if s.delay.Load() != 0 {
		k.pasts = []keyPast{{until: now}}
	}
}

// aliasesFor returns the aliases as the call finds them. s.mu must be held.
func (s *Service) aliasesFor(c *call) map[string]*alias {
	delay := time.Duration(s.delay.Load())
	if delay == 0 || c.changes {
		return s.aliases
	}
	for _, p := range s.aliasPasts {
		if c.now.Before(p.until.Add(delay)) {
			return p.aliases
		}
	}
	return s.aliases
}

// rememberAliases keeps what the aliases are, before one of them changes. s.mu must be held for
// writing.
func (s *Service) rememberAliases(now time.Time) {
	delay := time.Duration(s.delay.Load())
	if delay == 0 {
		return
	}
	for len(s.aliasPasts) > 0 && !now.Before(s.aliasPasts[0].until.Add(delay)) {
		s.aliasPasts = s.aliasPasts[1:]
	}
	was := make(map[string]*alias, len(s.aliases))
	for name, a := range s.aliases {
		past := *a
		was[name] = &past
	}
	s.aliasPasts = append(s.aliasPasts, aliasPast{now, was})
}
