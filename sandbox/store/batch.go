package store

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// A Batch is changes that are made together. The zero value has none. It is for one goroutine.
type Batch struct {
	changes []change
	looks   bool // some change is of an entry that may be there
}

type change struct {
	key   string
	value []byte
	kind  kind
}

type kind byte

const (
	put       kind = iota
	add            // the key is new
	remove         // one key
	removeAll      // all keys with the prefix
)

// Put sets an entry. The value belongs to the batch from now on.
func (b *Batch) Put(key string, value []byte) { b.change(change{key, value, put}) }

// Add sets an entry that is certain not to be there yet, without looking. The value belongs to the
// batch until it is entered.
func (b *Batch) Add(key string, value []byte) { b.changes = append(b.changes, change{key, value, add}) }

// Delete removes an entry, if it is there.
func (b *Batch) Delete(key string) { b.change(change{key: key, kind: remove}) }

// DeleteAll removes all entries whose keys begin with a prefix, "" for every entry. It reads them first.
func (b *Batch) DeleteAll(prefix string) { b.change(change{key: prefix, kind: removeAll}) }

func (b *Batch) change(c change) {
	b.changes, b.looks = append(b.changes, c), true
}

// build makes Pebble's batch of it, and t the total that is right after it.
func (b *Batch) build(db *pebble.DB, t *total) (*pebble.Batch, error) {
	if !b.looks {
		batch := db.NewBatch()
		for _, c := range b.changes {
			t.add(c.key, c.value)
			if err := batch.Set([]byte(c.key), c.value, nil); err != nil {
				return nil, err
			}
		}
		return batch, nil
	}
	batch := db.NewIndexedBatch() // in which its own changes can be read
	for _, c := range b.changes {
		if err := c.apply(batch, t); err != nil {
			return nil, err
		}
	}
	return batch, nil
}

func (c change) apply(batch *pebble.Batch, t *total) error {
	if c.kind == removeAll {
		var keys []string
		for e, err := range scan(batch, c.key) {
			if err != nil {
				return err
			}
			if e.Key[0] == 0 {
				continue // the store's own, which nobody else deletes
			}
			t.remove(e.Key, e.Value)
			keys = append(keys, e.Key)
		}
		for _, k := range keys {
			if err := batch.Delete([]byte(k), nil); err != nil {
				return err
			}
		}
		return nil
	}
	if c.kind != add {
		old, err := get(batch, c.key)
		if err != nil {
			return err
		}
		if old != nil {
			t.remove(c.key, old)
		} else if c.kind == remove {
			return nil
		}
	}
	if c.kind == remove {
		return batch.Delete([]byte(c.key), nil)
	}
	t.add(c.key, c.value)
	return batch.Set([]byte(c.key), c.value, nil)
}

// A Ticket is for a batch that was entered. A nil one is for nothing.
type Ticket struct {
	store *Store
	batch *pebble.Batch
	once  sync.Once
	err   error
}

// Wait waits until the batch, and all before it, are on disk. Any number of goroutines may wait.
func (t *Ticket) Wait() error {
	if t == nil {
		return nil
	}
	t.once.Do(func() {
		if t.batch == nil {
			return
		}
		if err := t.batch.SyncWait(); err != nil {
			t.store.guard.fail(err)
			t.err = t.store.Err()
			return
		}
		_ = t.batch.Close() // it only gives its memory back
		t.batch = nil
	})
	return t.err
}
