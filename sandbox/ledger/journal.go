package ledger

import (
	"context"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// segmentSize is how much one data key encrypts. 1 MiB: the memory of an empty ledger stays small,
// and a data key's own memory does not count against its records'.
const segmentSize = 1 << 20

// headerSize is the length of what is written before a record: the length of its document.
const headerSize = 4

// A journal is the append-only store of a ledger's records. A record is never moved or changed, so
// it may be read while others are written. Laws:
//
//  1. A record's address is its segment's number and its offset therein. The address is its
//     additional data, so a record that was moved or swapped does not open.
//  2. Each segment has its own random data key, and the offset is the nonce: no nonce is ever used
//     twice, because no offset is.
//  3. A reader learns an address only from the index, after the record is whole.
type journal struct {
	ledger    string // the ledger's id
	hierarchy *hierarchy

	segments atomic.Pointer[[]*segment]

	// mu guards the field below and adding segments. It is held for a KMS call when a segment needs a
	// new node, once in segmentsPerNode segments.
	mu   sync.Mutex
	used int // bytes used of the last segment
}

type segment struct {
	number uint32
	node   int    // whose key seals the data key
	sealed []byte // the data key
	buf    []byte // allocated whole
}

// An address is where a record lies.
type address struct{ segment, offset uint32 }

func newJournal(ledger string, h *hierarchy) *journal {
	j := &journal{ledger: ledger, hierarchy: h}
	j.segments.Store(&[]*segment{})
	return j
}

// append encrypts a document, with keys that are open, and returns where it lies.
func (j *journal) append(ctx context.Context, open *openKeys, doc []byte) (address, error) {
	size := headerSize + len(doc) + gcmOverhead
	open, s, at, err := j.reserve(ctx, open, size)
	if err != nil {
		return address{}, err
	}
	aead, err := j.open(ctx, open, s)
	if err != nil {
		return address{}, err
	}
	a := address{s.number, uint32(at)}
	binary.LittleEndian.PutUint32(s.buf[at:], uint32(len(doc)))
	sealRecord(aead, s.buf[at+headerSize:at+headerSize:at+size], j.ledger, a, doc)
	return a, nil
}

// reserve finds room for a record; room that is reserved and not used stays empty.
func (j *journal) reserve(ctx context.Context, open *openKeys, size int) (*openKeys, *segment, int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	segments := *j.segments.Load()
	if len(segments) == 0 || j.used+size > segmentSize {
		n := len(segments)
		node := n / j.hierarchy.segmentsPerNode
		if node >= len(open.nodes) {
			var err error
			if open, err = j.hierarchy.grow(ctx, node); err != nil {
				return nil, nil, 0, err
			}
		}
		s := &segment{number: uint32(n), node: node, buf: make([]byte, segmentSize)}
		s.sealed = sealDataKey(open.nodes[node], j.ledger, s.number)
		segments = append(slices.Clip(segments), s)
		j.segments.Store(&segments)
		j.used = 0
	}
	at := j.used
	j.used += size
	return open, segments[len(segments)-1], at, nil
}

// open returns the cipher of a segment.
func (j *journal) open(ctx context.Context, open *openKeys, s *segment) (cipher.AEAD, error) {
	if s.node >= len(open.nodes) {
		// The segment's node was added after these keys were opened. It was part of the answer before
		// the segment could be found.
		var err error
		if open, err = j.hierarchy.unlock(ctx); err != nil {
			return nil, err
		}
	}
	return open.segment(j.ledger, s)
}

// read appends the document that lies at a to dst.
func (j *journal) read(ctx context.Context, open *openKeys, a address, dst []byte) ([]byte, error) {
	s := (*j.segments.Load())[a.segment]
	aead, err := j.open(ctx, open, s)
	if err != nil {
		return nil, err
	}
	from := int(a.offset) + headerSize
	size := int(binary.LittleEndian.Uint32(s.buf[a.offset:]))
	dst, err = openRecord(aead, dst, j.ledger, a, s.buf[from:from+size+gcmOverhead])
	if err != nil {
		return nil, fmt.Errorf("record %d:%d of ledger %s: %w", a.segment, a.offset, j.ledger, err)
	}
	return dst, nil
}

// openKeys are a ledger's keys in the clear, as KMS last gave them: those of the nodes, and those of
// the segments that were needed since, which are opened with them. It is replaced as a whole, so that
// whatever was in the clear goes with the cache.
type openKeys struct {
	nodes      []cipher.AEAD
	generation uint64            // how often the nodes were sealed under another key
	root       []byte            // the first node's key as it is sealed now, for the check of callers
	context    map[string]string // that seal's encryption context

	mu       sync.RWMutex // guards the field below, for microseconds
	segments []cipher.AEAD
}

// segment returns the cipher of a segment of a ledger, whose node these keys must have.
func (o *openKeys) segment(ledger string, s *segment) (cipher.AEAD, error) {
	n := int(s.number)
	o.mu.RLock()
	if n < len(o.segments) && o.segments[n] != nil {
		defer o.mu.RUnlock()
		return o.segments[n], nil
	}
	o.mu.RUnlock()
	aead, err := openDataKey(o.nodes[s.node], ledger, s.number, s.sealed)
	if err != nil {
		return nil, fmt.Errorf("data key of segment %d of ledger %s: %w", n, ledger, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.segments) <= n {
		o.segments = append(o.segments, nil)
	}
	o.segments[n] = aead
	return aead, nil
}
