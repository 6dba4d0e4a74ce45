// Package records knows which records the run created: which creates were acknowledged, which may
// have happened, and which were read back. It holds ids, not contents, and makes no requests.
package records

import (
	"math/rand/v2"
	"sync"
)

// page is how many ids of a Set lie side by side: lists grow by pages, so that growing copies
// nothing and nobody waits for it.
const page = 4096

// A Set is the records of one run. The zero value is empty and ready to use. All methods may be
// called from any goroutine; they hold a lock for some tens of nanoseconds.
//
// It costs 8 bytes per acknowledged record, and 40 per 64 neighboring ids (of $sequence(), all ids
// are neighbors).
type Set struct {
	mu     sync.RWMutex // guards everything; never held while waiting
	pages  []*[page]uint64
	n      uint64 // acknowledged ids, in order of acknowledgement, in pages
	next   uint64 // how many of them Next has returned
	least  uint64 // acknowledged id
	most   uint64
	blocks map[uint64]block // by id/64
	maybe  uint64           // ids that may exist and are not acknowledged
	drawn  uint64
}

// A block is what is known about 64 neighboring ids, a bit for each.
type block struct{ acknowledged, maybe, drawn uint64 }

// Stats counts the records of a Set, as result.Records does.
type Stats struct {
	Acknowledged uint64 // creates answered with success
	Unknown      uint64 // creates that may have happened, and were not acknowledged
	Drawn        uint64 // distinct acknowledged records that were read back with success
}

// place returns the block of id and id's bit in it.
func (s *Set) place(id uint64) (block, uint64) { return s.blocks[id/64], 1 << (id % 64) }

func (s *Set) put(id uint64, b block) {
	if s.blocks == nil {
		s.blocks = map[uint64]block{}
	}
	s.blocks[id/64] = b
}

// Acknowledge notes that the create of id was answered with success. Doing it twice is doing it once.
func (s *Set) Acknowledge(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, bit := s.place(id)
	if b.acknowledged&bit != 0 {
		return
	}
	if b.maybe&bit != 0 {
		b.maybe &^= bit
		s.maybe--
	}
	b.acknowledged |= bit
	s.put(id, b)
	if s.n%page == 0 {
		s.pages = append(s.pages, new([page]uint64))
	}
	s.pages[s.n/page][s.n%page] = id
	if s.n == 0 || id < s.least {
		s.least = id
	}
	s.most = max(s.most, id)
	s.n++
}

// Maybe notes that the create of id may have happened: its answer was lost. An acknowledged id stays
// acknowledged.
func (s *Set) Maybe(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, bit := s.place(id)
	if (b.acknowledged|b.maybe)&bit != 0 {
		return
	}
	b.maybe |= bit
	s.put(id, b)
	s.maybe++
}

// Random returns an acknowledged id, each as likely as the others, and false if there is none. As long
// as no more are acknowledged, the same rng draws the same ids, in whatever order that happened:
// it guesses an id between the least and the greatest until one is acknowledged. Only where ids lie
// so far apart that 32 guesses miss does the order matter.
func (s *Set) Random(rng *rand.Rand) (uint64, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.n == 0 {
		return 0, false
	}
	if width := s.most - s.least + 1; width != 0 { // 0: all 2^64 ids
		for range 32 {
			id := s.least + rng.Uint64N(width)
			if b, bit := s.place(id); b.acknowledged&bit != 0 {
				return id, true
			}
		}
	}
	return s.at(rng.Uint64N(s.n)), true
}

func (s *Set) at(i uint64) uint64 { return s.pages[i/page][i%page] }

// Next returns an acknowledged id it has not returned before, in order of acknowledgement, and false
// if there is none at present.
func (s *Set) Next() (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == s.n {
		return 0, false
	}
	s.next++
	return s.at(s.next - 1), true
}

// ReadBack notes that id was read with success. Only acknowledged ids count, and each once.
func (s *Set) ReadBack(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, bit := s.place(id)
	if b.acknowledged&bit == 0 || b.drawn&bit != 0 {
		return
	}
	b.drawn |= bit
	s.put(id, b)
	s.drawn++
}

// Stats counts the records so far.
func (s *Set) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Stats{Acknowledged: s.n, Unknown: s.maybe, Drawn: s.drawn}
}
