package ledger

import (
	"iter"
	"slices"
	"sync/atomic"
	"time"
)

// A table has documents, numbered as they came, and indexes of them.
type table struct {
	number   uint32
	id, name string

	documents places        // the latest revision of each document
	count     atomic.Uint32 // numbers given to documents, of which some may never come
	modified  atomic.Uint64 // counts changes of documents, for whoever has read all of them
	schema    atomic.Uint64 // counts changes of indexes, and the table's end
	indexes   atomic.Pointer[[]*index]
	dropped   atomic.Bool
}

// maxIndexes is QLDB's limit of indexes on a table.
const maxIndexes = 5

func newTable(name string) *table { return &table{id: randomID(), name: name} }

// indexed yields the table's indexes.
func (t *table) indexed() []*index {
	if p := t.indexes.Load(); p != nil {
		return *p
	}
	return nil
}

// index returns the index on the field at a path, or nil.
func (t *table) index(path []string) *index {
	for _, x := range t.indexed() {
		if slices.Equal(x.path, path) {
			return x
		}
	}
	return nil
}

func (t *table) addIndex(x *index) {
	all := append(slices.Clip(t.indexed()), x)
	t.indexes.Store(&all)
	t.schema.Add(1)
}

func (t *table) dropIndex(id string) {
	all := slices.DeleteFunc(slices.Clone(t.indexed()), func(x *index) bool { return x.id == id })
	t.indexes.Store(&all)
	t.schema.Add(1)
}

// live yields the documents that are there, by number, with their latest revisions.
func (t *table) live() iter.Seq2[uint32, place] {
	return func(yield func(uint32, place) bool) {
		for n := range t.count.Load() {
			if p := t.documents.at(n); p.live() && !yield(n, p) {
				return
			}
		}
	}
}

// A drop is a table that was dropped, for as long as it is remembered.
type drop struct {
	*table
	at time.Time
}
