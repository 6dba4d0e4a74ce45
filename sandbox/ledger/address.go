package ledger

import (
	"slices"
	"sync"
	"sync/atomic"
)

// An address is where a record lies.
type address struct{ segment, offset uint32 }

// A place is an address in one word, so that it can be read and replaced at once: 0 is nowhere, and
// the top bit says that the revision there is a deletion.
type place uint64

const gone place = 1 << 63

func placeOf(a address) place { return place(a.segment)<<32 | place(a.offset) + 1 }

func (p place) address() address {
	p = p&^gone - 1
	return address{uint32(p >> 32), uint32(p)}
}

// live reports whether there is a document.
func (p place) live() bool { return p != 0 && p&gone == 0 }

// chunk is how many places are allocated at once: 8 KiB.
const chunk = 1024

// places is a growing list of places, read without a lock. A place that was never set is 0.
type places struct {
	chunks atomic.Pointer[[]*[chunk]atomic.Uint64]
	mu     sync.Mutex // held while a chunk is added
}

// at returns the place with a number, 0 if the list does not reach so far.
func (l *places) at(n uint32) place {
	chunks := l.chunks.Load()
	if chunks == nil || int(n/chunk) >= len(*chunks) {
		return 0
	}
	return place((*chunks)[n/chunk][n%chunk].Load())
}

func (l *places) set(n uint32, p place) {
	i := int(n / chunk)
	chunks := l.chunks.Load()
	if chunks == nil || i >= len(*chunks) {
		chunks = l.grow(i)
	}
	(*chunks)[i][n%chunk].Store(uint64(p))
}

func (l *places) grow(i int) *[]*[chunk]atomic.Uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var chunks []*[chunk]atomic.Uint64
	if p := l.chunks.Load(); p != nil {
		chunks = slices.Clip(*p)
	}
	for i >= len(chunks) {
		chunks = append(chunks, new([chunk]atomic.Uint64))
	}
	l.chunks.Store(&chunks)
	return &chunks
}
