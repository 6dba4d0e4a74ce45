package ledger

import "sync"

// shards is how many parts an index has. 64: as many clients rarely meet at the same part.
const shards = 64

// A table has a name and an index of its documents by their field id.
type table struct {
	id, name string
	index    [shards]shard
}

// A shard is one part of an index. Whole numbers have a map of their own, without pointers, so that
// the garbage collector need not read it.
type shard struct {
	mu      sync.RWMutex // guards the maps, for one look-up
	numbers map[int64]address
	texts   map[string]address
}

func newTable(name string) *table { return &table{id: randomID(), name: name} }

func (t *table) shard(id ID) *shard {
	h := uint64(id.number)
	for i := range len(id.text) {
		h = h*31 + uint64(id.text[i])
	}
	return &t.index[h*0x9E3779B97F4A7C15>>58] // the top 6 bits of Fibonacci hashing
}

// add makes a document known under its id, unless there is one: the first inserted wins.
func (t *table) add(id ID, a address) {
	s := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if id.text == "" {
		if s.numbers == nil {
			s.numbers = map[int64]address{}
		}
		if _, taken := s.numbers[id.number]; !taken {
			s.numbers[id.number] = a
		}
		return
	}
	if s.texts == nil {
		s.texts = map[string]address{}
	}
	if _, taken := s.texts[id.text]; !taken {
		s.texts[id.text] = a
	}
}

func (t *table) find(id ID) (a address, ok bool) {
	s := t.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if id.text == "" {
		a, ok = s.numbers[id.number]
	} else {
		a, ok = s.texts[id.text]
	}
	return a, ok
}
