package sandbox

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/store"
)

// This file keeps in a data directory what belongs to no service: what the sandbox is, its time, roles and
// temporary credentials. CloudTrail's events are not kept, nor are sessions of QLDB.

// The names of the entries.
const (
	builtEntry   = "sandbox/built" // written last; without it the first start did not come to its end
	clockEntry   = "sandbox/clock" // no time after it was ever shown
	roleEntries  = "iam/role/"     // by ARN
	tokenEntries = "iam/token/"    // by access key
	mintEntry    = "iam/mint"      // the secret by which access keys are known that were issued
)

type (
	// A builtRecord is what a sandbox is and stays.
	builtRecord struct {
		Region, Account, Stage string
		Template               string // "" for the article's
		Parameters             map[string]string
		Ledger                 string // the one behind the API
		Started                time.Time
	}
	roleRecord struct {
		Exists   bool
		Policies []string
	}
	tokenRecord struct {
		Caller iam.Caller
		Ends   time.Time
	}
)

// Data tells what a sandbox keeps.
type Data struct {
	Dir                   string // "" if everything is in memory
	Loaded                bool   // it was there before
	Keys, Ledgers, Stacks int    // that were loaded
}

// Data returns what the sandbox keeps, and has loaded when it started.
func (s *Sandbox) Data() Data { return s.data }

// openData opens the data directory, if there is one, and the clock.
func (s *Sandbox) openData() (err error) {
	o := &s.o
	if o.DataDir == "" {
		s.clock = clock.New(o.Speed)
		return nil
	}
	if s.disk, err = store.Open(o.DataDir); err != nil {
		return err
	}
	s.data.Dir = o.DataDir
	var built *builtRecord
	if err := s.get(builtEntry, &built); err != nil {
		return err
	}
	var last time.Time
	if built == nil {
		// New, or the first start was broken off before anybody was served.
		var b store.Batch
		b.DeleteAll("")
		if err := s.disk.Enter(&b).Wait(); err != nil {
			return err
		}
	} else {
		if err := built.is(o); err != nil {
			return fmt.Errorf("data directory %s: %w", o.DataDir, err)
		}
		if err := s.get(clockEntry, &last); err != nil {
			return err
		}
		s.data.Loaded, s.ledger, s.started = true, built.Ledger, built.Started
	}
	s.clock = clock.Resume(o.Speed, last)
	if err := s.clock.Lease(s.keepTime); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.clock.Renew(ctx) // an error is the store's, which everybody gets
	}()
	s.stopClock = func() { stop(); <-ended }
	return nil
}

// is refuses options that are not those of the sandbox in the directory.
func (r *builtRecord) is(o *Options) error {
	for _, c := range []struct{ what, is, want string }{
		{"region", r.Region, o.Region}, {"account", r.Account, o.Account}, {"stage", r.Stage, o.Stage},
	} {
		if c.is != c.want {
			return fmt.Errorf("the sandbox in it has the %s %s, not %s", c.what, c.is, c.want)
		}
	}
	if o.Template != "" && o.Template != r.Template || len(o.Parameters) > 0 && !maps.Equal(o.Parameters, r.Parameters) {
		return fmt.Errorf("the sandbox in it was built from another template, or with other parameters; leave them out to load it")
	}
	return nil
}

// finishData ends a first start, after which the directory is one that can be loaded.
func (s *Sandbox) finishData() error {
	if s.disk == nil || s.data.Loaded {
		return nil
	}
	var b store.Batch
	b.Put(builtEntry, encode(builtRecord{s.o.Region, s.o.Account, s.o.Stage, s.o.Template, s.o.Parameters, s.ledger, s.started}))
	if err := s.disk.Enter(&b).Wait(); err != nil {
		return err
	}
	return s.disk.Secure()
}

func (s *Sandbox) keepTime(until time.Time) error {
	var b store.Batch
	b.Put(clockEntry, encode(until))
	return s.disk.Enter(&b).Wait()
}

// closeData writes what is left. Nothing of the sandbox runs any more.
func (s *Sandbox) closeData() error {
	if s.stopClock == nil {
		return s.disk.Close()
	}
	s.stopClock()
	err := s.keepTime(s.clock.Stop()) // exactly, so that the next process is not ahead
	if closed := s.disk.Close(); err == nil {
		err = closed
	}
	return err
}

// get decodes an entry, and leaves v alone if there is none.
func (s *Sandbox) get(name string, v any) error {
	text, err := s.disk.Get(name)
	if err == nil && text != nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return fmt.Errorf("load %s from data directory %s: %w", name, s.o.DataDir, err)
	}
	return nil
}

// count notes what was loaded.
func (s *Sandbox) count() error {
	if !s.data.Loaded {
		return nil
	}
	var keys []struct{}
	if err := json.Unmarshal(s.kms.Dump(), &keys); err != nil {
		return err
	}
	s.data.Keys, s.data.Stacks = len(keys), s.stacks.Count()
	s.data.Ledgers = len(s.ledgers.ListLedgers(context.Background(), s.kms.Directory().Admin()))
	return nil
}

// keepRole keeps what is known of a role.
func (s *Sandbox) keepRole(arn string, r roleRecord) error {
	if s.disk == nil {
		return nil
	}
	var b store.Batch
	b.Put(roleEntries+arn, encode(r))
	return s.disk.Enter(&b).Wait()
}

// loadRoles lets the roles exist that stacks have made.
func (s *Sandbox) loadRoles(d *iam.Directory) error {
	for e, err := range s.disk.Scan(roleEntries) {
		if err != nil {
			return err
		}
		var r roleRecord
		arn := strings.TrimPrefix(e.Key, roleEntries)
		err := json.Unmarshal(e.Value, &r)
		if err == nil {
			err = d.Add(arn, r.Policies...)
		}
		if err != nil {
			return fmt.Errorf("load %s from data directory %s: %w", e.Key, s.o.DataDir, err)
		}
		if r.Exists {
			s.roles.Store(arn, true)
		}
	}
	return nil
}

// load makes the credentials known that were given out before.
func (t *tokens) load() error {
	for e, err := range t.disk.Scan(tokenEntries) {
		if err != nil {
			return err
		}
		var r tokenRecord
		if err := json.Unmarshal(e.Value, &r); err != nil {
			return fmt.Errorf("load %s from data directory %s: %w", e.Key, t.disk.Dir(), err)
		}
		id := strings.TrimPrefix(e.Key, tokenEntries)
		t.ends[id] = r.Ends
		t.oldest = append(t.oldest, expiry{r.Ends, id})
		t.directory.AddKey(id, r.Caller)
	}
	heap.Init(&t.oldest)
	return t.loadMint()
}

// loadMint makes the directory know the access keys that were issued before and are forgotten by now. They
// would be unknown otherwise, and so the administrator's.
func (t *tokens) loadMint() error {
	secret, err := t.disk.Get(mintEntry)
	if err != nil {
		return fmt.Errorf("load %s from data directory %s: %w", mintEntry, t.disk.Dir(), err)
	}
	if secret != nil {
		if !t.directory.Remint(secret) {
			return fmt.Errorf("load %s from data directory %s: it has %d bytes", mintEntry, t.disk.Dir(), len(secret))
		}
		return nil
	}
	var b store.Batch
	b.Put(mintEntry, t.directory.Mint())
	return t.disk.Enter(&b).Wait()
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the records are strings and times
	}
	return b
}
