package kms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
	disk "loadkms/sandbox/store"
)

// An archive keeps a service on disk. Laws:
//
//  1. Whoever has changed something writes it by unlocking mu, before anybody else can see it, and
//     nobody is answered before all that was written by then is on disk. So no answer tells of what a
//     kill could take back.
//  2. What has changed is found by comparing, so that no operation can forget to say it: the keys that
//     an operation has looked up, or all of them after things have happened by themselves; the aliases
//     and stores always.
//  3. The last use of a key is not worth a write of its own: it is written with the key, and at the end.
//     Of what was, for Consistency, nothing is kept.
//
// All fields but store and last are guarded by Service.mu.
type archive struct {
	store *disk.Store
	last  atomic.Pointer[disk.Ticket] // of the last batch

	suspects map[*key]bool // may differ from what is written
	all      bool          // everything may

	// What is written.
	keys    map[string][]byte              // by ARN
	grants  map[string]map[string]struct{} // ids by the key's ARN
	aliases map[string]aliasWritten        // by name
	stores  map[string][]byte              // by id
}

type aliasWritten struct {
	target           string // ARN
	created, updated int64  // in Unix nanoseconds
}

// The names of the entries.
const (
	secretsEntry = "kms/secrets"
	keyEntries   = "kms/key/"
	grantEntries = "kms/grant/" // then the key's ARN, a slash, and the grant's id
	aliasEntries = "kms/alias/"
	storeEntries = "kms/store/"
)

func grantEntry(arn, id string) string { return grantEntries + arn + "/" + id }

// unlock is for whoever holds mu for writing.
func (s *Service) unlock() {
	if s.archive != nil {
		s.archive.write(s)
	}
	s.mu.Unlock()
}

// suspect notes a key that may be about to change. s.mu must be held for writing.
func (s *Service) suspect(k *key) {
	if s.archive != nil {
		s.archive.suspects[k] = true
	}
}

// written waits until everything that a call may have seen is on disk.
func (s *Service) written() error {
	if s.archive == nil {
		return nil
	}
	if err := s.archive.last.Load().Wait(); err != nil {
		return err
	}
	return s.archive.store.Err()
}

// Close writes what calls have left for later. It does nothing for a service that is in memory.
func (s *Service) Close() error {
	s.mu.Lock()
	if s.archive != nil {
		s.archive.all = true
	}
	s.unlock()
	return s.written()
}

// write enters what differs from what is written. s.mu must be held for writing.
func (a *archive) write(s *Service) {
	var b disk.Batch
	if a.all || len(a.keys) != len(s.keys)+len(s.owned) {
		for _, all := range []map[string]*key{s.keys, s.owned} {
			for _, k := range all {
				a.suspects[k] = true
			}
		}
	}
	for k := range a.suspects {
		if s.keys[k.name()] == k || s.owned[k.arn] == k { // and not what it was, or one that was refused
			a.writeKey(&b, k)
		}
	}
	if len(a.keys) != len(s.keys)+len(s.owned) {
		a.forget(&b, s)
	}
	a.writeAliases(&b, s.aliases)
	for id, st := range s.stores {
		if now := mustJSON(st.record()); string(a.stores[id]) != now {
			a.stores[id] = []byte(now)
			b.Put(storeEntries+id, []byte(now))
		}
	}
	for id := range a.stores {
		if s.stores[id] == nil {
			delete(a.stores, id)
			b.Delete(storeEntries + id)
		}
	}
	clear(a.suspects)
	a.all = false
	if ticket := a.store.Enter(&b); ticket != nil {
		a.last.Store(ticket)
	}
}

func (a *archive) writeKey(b *disk.Batch, k *key) {
	if now := []byte(mustJSON(k.record())); !bytes.Equal(a.keys[k.arn], now) {
		a.keys[k.arn] = now
		b.Put(keyEntries+k.arn, now)
	}
	had := a.grants[k.arn]
	for id, g := range k.grants {
		if _, ok := had[id]; ok {
			continue // grants never change
		}
		if had == nil {
			had = map[string]struct{}{}
			a.grants[k.arn] = had
		}
		had[id] = struct{}{}
		b.Put(grantEntry(k.arn, id), []byte(mustJSON(g.record())))
	}
	if len(had) == len(k.grants) {
		return
	}
	for id := range had {
		if k.grants[id] == nil {
			delete(had, id)
			b.Delete(grantEntry(k.arn, id))
		}
	}
}

// forget removes the keys that are gone.
func (a *archive) forget(b *disk.Batch, s *Service) {
	there := map[string]bool{}
	for _, k := range s.keys {
		there[k.arn] = true
	}
	for arn := range a.keys {
		if there[arn] || s.owned[arn] != nil {
			continue
		}
		delete(a.keys, arn)
		b.Delete(keyEntries + arn)
		delete(a.grants, arn)
		b.DeleteAll(grantEntries + arn + "/")
	}
}

func (a *archive) writeAliases(b *disk.Batch, aliases map[string]*alias) {
	for name, is := range aliases {
		now := aliasWritten{is.target.arn, is.created.UnixNano(), is.updated.UnixNano()}
		if a.aliases[name] != now {
			a.aliases[name] = now
			b.Put(aliasEntries+name, []byte(mustJSON(is.record())))
		}
	}
	if len(a.aliases) == len(aliases) {
		return
	}
	for name := range a.aliases {
		if aliases[name] == nil {
			delete(a.aliases, name)
			b.Delete(aliasEntries + name)
		}
	}
}

// The records are what is written, as JSON.
type (
	secretsRecord struct {
		GrantTokens  []byte // the key that seals them
		ImportTokens []byte // the material that does
	}
	keyRecord struct {
		ID                         uuid.UUID
		ARN                        string
		Created                    time.Time
		Description                string `json:",omitempty"`
		Spec, Usage, Origin        string
		MultiRegion                bool   `json:",omitempty"`
		Store                      string `json:",omitempty"` // id
		State                      State
		Deletion                   time.Time `json:",omitzero"`
		Policy                     string
		Tags                       []Tag           `json:",omitempty"`
		Current                    string          `json:",omitempty"` // id of a version
		Versions                   []versionRecord `json:",omitempty"`
		Manager, Owner             string          `json:",omitempty"`
		RotationEnabled            bool            `json:",omitempty"`
		RotationPeriod             int32           `json:",omitempty"`
		RotationNext               time.Time       `json:",omitzero"`
		RotationDemanded           int             `json:",omitempty"`
		RotationStarted            time.Time       `json:",omitzero"`
		RotationEnds               time.Time       `json:",omitzero"`
		LastOperation, LastRequest string          `json:",omitempty"` // LastRequest is an id
		LastUsed                   time.Time       `json:",omitzero"`
	}
	versionRecord struct {
		Secret      []byte    `json:",omitempty"` // nil while the material is gone
		ID          []byte    // of the material
		Added       time.Time `json:",omitzero"`
		Pending     bool      `json:",omitempty"`
		Rotated     time.Time `json:",omitzero"`
		Rotation    string    `json:",omitempty"`
		Description string    `json:",omitempty"`
		Expires     time.Time `json:",omitzero"`
	}
	grantRecord struct {
		GrantListEntry
		Created time.Time // whose form on the wire is rounded
	}
	aliasRecord struct {
		Target           string // ARN
		Created, Updated time.Time
	}
	storeRecord struct {
		Created               time.Time
		Name, Cluster, Anchor string
		State                 connection
		Arrives               time.Time `json:",omitzero"`
		Failure               string    `json:",omitempty"`
		Password, Real        string
	}
)

func (k *key) record() keyRecord {
	r := keyRecord{ID: k.id, ARN: k.arn, Created: k.created, Description: k.description, Spec: k.spec, Usage: k.usage,
		Origin: k.origin, MultiRegion: k.multiRegion, State: k.state, Deletion: k.deletion, Policy: k.policyText, Tags: k.tags,
		Manager: k.manager, Owner: k.owner, RotationEnabled: k.rotation.enabled, RotationPeriod: k.rotation.period,
		RotationNext: k.rotation.next, RotationDemanded: k.rotation.demanded, RotationStarted: k.rotation.started,
		RotationEnds: k.rotation.ends}
	if k.store != nil {
		r.Store = k.store.id
	}
	if k.current != nil {
		r.Current = k.current.String()
	}
	for _, v := range k.versions {
		vr := versionRecord{ID: v.id[:], Added: v.added, Pending: v.pending, Rotated: v.rotated, Rotation: v.rotation,
			Description: v.description, Expires: v.expires}
		if v.material != nil {
			vr.Secret = v.material.secret
		}
		r.Versions = append(r.Versions, vr)
	}
	if u := k.used.last.Load(); u != nil {
		r.LastOperation, r.LastRequest, r.LastUsed = u.operation, u.requestID, u.at
	}
	return r
}

func (g *grant) record() grantRecord { return grantRecord{g.entry, g.entry.CreationDate.Time} }

func (a *alias) record() aliasRecord { return aliasRecord{a.target.arn, a.created, a.updated} }

func (st *store) record() storeRecord {
	return storeRecord{st.created, st.name, st.cluster, st.anchor, st.state, st.arrives, st.failure, st.password, st.real}
}

// key makes a key of its record, with its store but without its grants.
func (r *keyRecord) key(stores map[string]*store) (*key, error) {
	k := &key{id: r.ID, arn: r.ARN, created: r.Created, description: r.Description, spec: r.Spec, usage: r.Usage, origin: r.Origin,
		multiRegion: r.MultiRegion, state: r.State, deletion: r.Deletion, policyText: r.Policy, tags: r.Tags, manager: r.Manager,
		owner: r.Owner, grants: map[string]*grant{}, used: &usage{},
		rotation: rotation{enabled: r.RotationEnabled, period: r.RotationPeriod, next: r.RotationNext, demanded: r.RotationDemanded,
			started: r.RotationStarted, ends: r.RotationEnds}}
	var err error
	if k.policy, err = iam.ParsePolicy([]byte(r.Policy), iam.Resource); err != nil {
		return nil, fmt.Errorf("its policy: %w", err)
	}
	if r.Store != "" {
		if k.store = stores[r.Store]; k.store == nil {
			return nil, fmt.Errorf("its custom key store %s is not there", r.Store)
		}
	}
	for _, vr := range r.Versions {
		v := &version{added: vr.Added, pending: vr.Pending, rotated: vr.Rotated, rotation: vr.Rotation,
			description: vr.Description, expires: vr.Expires}
		if copy(v.id[:], vr.ID) != len(v.id) {
			return nil, fmt.Errorf("the id of a material has %d bytes", len(vr.ID))
		}
		if vr.Secret != nil {
			if v.material, err = materialOf(k.id, k.spec, vr.Secret); err != nil {
				return nil, err
			}
			if v.material.id != v.id {
				return nil, fmt.Errorf("its material %s is another one", v)
			}
		}
		k.versions = append(k.versions, v)
		if v.String() == r.Current {
			k.current = v
		}
	}
	if r.Current != "" && k.current == nil {
		return nil, fmt.Errorf("its material %s is not there", r.Current)
	}
	if r.LastOperation != "" {
		k.used.last.Store(&lastUse{r.LastOperation, r.LastRequest, r.LastUsed})
	}
	return k, nil
}

// Open returns the KMS that is kept in a store, a new one if there is none yet. Errors are about what
// is in the store. A nil store is as New.
func Open(o Options, on *disk.Store) (*Service, error) {
	s := New(o)
	if on == nil {
		return s, nil
	}
	a := &archive{store: on, suspects: map[*key]bool{}, keys: map[string][]byte{}, grants: map[string]map[string]struct{}{},
		aliases: map[string]aliasWritten{}, stores: map[string][]byte{}}
	for _, load := range []func(*Service) error{a.loadSecrets, a.loadStores, a.loadKeys, a.loadGrants, a.loadAliases} {
		if err := load(s); err != nil {
			return nil, err
		}
	}
	s.archive = a
	s.nextDue.Store(0) // whatever has become due meanwhile
	return s, nil
}

func (a *archive) loadSecrets(s *Service) error {
	var r secretsRecord
	switch text, err := a.store.Get(secretsEntry); {
	case err != nil:
		return err
	case text == nil: // it is new
		var b disk.Batch
		b.Put(secretsEntry, []byte(mustJSON(secretsRecord{s.tokenKey[:], s.tokens.secret})))
		return a.store.Enter(&b).Wait()
	default:
		err := json.Unmarshal(text, &r)
		if err == nil {
			s.tokens, err = materialOf(uuid.Nil, symmetric, r.ImportTokens)
		}
		if err == nil && copy(s.tokenKey[:], r.GrantTokens) != len(s.tokenKey) {
			err = fmt.Errorf("the key of grant tokens has %d bytes", len(r.GrantTokens))
		}
		if err != nil {
			return fmt.Errorf("load %s: %w", secretsEntry, err)
		}
		return nil
	}
}

// each decodes the entries with a prefix into r, one after the other.
func each[R any](on *disk.Store, prefix string, f func(name string, text []byte, r *R) error) error {
	for e, err := range on.Scan(prefix) {
		if err != nil {
			return err
		}
		r := new(R)
		err := json.Unmarshal(e.Value, r)
		if err == nil {
			err = f(e.Key[len(prefix):], bytes.Clone(e.Value), r)
		}
		if err != nil {
			return fmt.Errorf("load %s: %w", e.Key, err)
		}
	}
	return nil
}

func (a *archive) loadStores(s *Service) error {
	return each(a.store, storeEntries, func(id string, text []byte, r *storeRecord) error {
		s.stores[id] = &store{id, r.Created, r.Name, r.Cluster, r.Anchor, r.State, r.Arrives, r.Failure, r.Password, r.Real}
		a.stores[id] = text
		return nil
	})
}

func (a *archive) loadKeys(s *Service) error {
	return each(a.store, keyEntries, func(arn string, text []byte, r *keyRecord) error {
		k, err := r.key(s.stores)
		if err != nil {
			return err
		}
		if k.owner != "" {
			s.owned[arn] = k
		} else {
			s.keys[k.name()] = k
		}
		a.keys[arn] = text
		return nil
	})
}

// keyByARN finds a key of a record. s.mu is held, or nobody else knows s yet.
func (s *Service) keyByARN(arn string) (*key, error) {
	if k := s.owned[arn]; k != nil {
		return k, nil
	}
	if k := s.keys[arn[strings.LastIndexByte(arn, '/')+1:]]; k != nil && k.arn == arn {
		return k, nil
	}
	return nil, fmt.Errorf("key %s is not there", arn)
}

func (a *archive) loadGrants(s *Service) error {
	return each(a.store, grantEntries, func(name string, _ []byte, r *grantRecord) error {
		k, err := s.keyByARN(r.KeyId)
		if err != nil {
			return err
		}
		r.CreationDate = Timestamp{r.Created}
		k.grants[r.GrantId] = &grant{r.GrantListEntry}
		if a.grants[k.arn] == nil {
			a.grants[k.arn] = map[string]struct{}{}
		}
		a.grants[k.arn][r.GrantId] = struct{}{}
		return nil
	})
}

func (a *archive) loadAliases(s *Service) error {
	return each(a.store, aliasEntries, func(name string, _ []byte, r *aliasRecord) error {
		k, err := s.keyByARN(r.Target)
		if err != nil {
			return err
		}
		s.aliases[name] = &alias{k, r.Created, r.Updated}
		a.aliases[name] = aliasWritten{r.Target, r.Created.UnixNano(), r.Updated.UnixNano()}
		return nil
	})
}
