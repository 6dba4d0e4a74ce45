package ledger

import (
	"slices"
	"sync"
)

// shards is how many parts an index has. 64: as many clients rarely meet at the same part.
const shards = 64

// An index finds a table's documents by the value of one of their fields.
type index struct {
	id     string
	path   []string // of the field
	shards [shards]shard
}

// A shard is one part of an index. Whole numbers have a map of their own, without pointers, so that
// the garbage collector need not read it.
type shard struct {
	mu      sync.RWMutex // guards the maps, for one look-up
	numbers map[int64]uint32
	texts   map[string]uint32
	more    map[ID][]uint32 // the further documents of the same value; few, as ids are meant to be unique
}

func newIndex(path []string) *index { return &index{id: randomID(), path: path} }

func (x *index) shard(id ID) *shard {
	h := uint64(id.number)
	for i := range len(id.text) {
		h = h*31 + uint64(id.text[i])
	}
	return &x.shards[h*0x9E3779B97F4A7C15>>58] // the top 6 bits of Fibonacci hashing
}

// first returns the document that came first of those with a value.
func (x *index) first(id ID) (document uint32, ok bool) {
	s := x.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.first(id)
}

func (s *shard) first(id ID) (document uint32, ok bool) {
	if id.text == "" {
		document, ok = s.numbers[id.number]
	} else {
		document, ok = s.texts[id.text]
	}
	return document, ok
}

// all returns the documents with a value, in the order in which they came.
func (x *index) all(id ID) []uint32 {
	s := x.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	first, ok := s.first(id)
	if !ok {
		return nil
	}
	return append([]uint32{first}, s.more[id]...)
}

// add makes a document known under a value.
func (x *index) add(id ID, document uint32) {
	s := x.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.first(id); !taken {
		s.setFirst(id, document)
		return
	}
	if s.more == nil {
		s.more = map[ID][]uint32{}
	}
	s.more[id] = append(s.more[id], document)
}

func (s *shard) setFirst(id ID, document uint32) {
	if id.text == "" {
		if s.numbers == nil {
			s.numbers = map[int64]uint32{}
		}
		s.numbers[id.number] = document
		return
	}
	if s.texts == nil {
		s.texts = map[string]uint32{}
	}
	s.texts[id.text] = document
}

// remove forgets a document under a value.
func (x *index) remove(id ID, document uint32) {
	s := x.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	first, ok := s.first(id)
	more := s.more[id]
	switch {
	case !ok:
		return
	case first != document:
		more = slices.DeleteFunc(more, func(d uint32) bool { return d == document })
	case len(more) > 0:
		s.setFirst(id, more[0])
		more = more[1:]
	case id.text == "":
		delete(s.numbers, id.number)
	default:
		delete(s.texts, id.text)
	}
	if len(more) == 0 {
		delete(s.more, id)
		return
	}
	s.more[id] = more
}
