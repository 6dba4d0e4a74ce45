package ledger

import (
	"context"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"loadkms/sandbox/store"
)

// segmentSize is how much one data key encrypts. 1 MiB: the memory of an empty ledger stays small,
// and a data key's own memory does not count against its records'.
const segmentSize = 1 << 20

// lengthSize is the length of what is written before a record in the clear: its own length.
const lengthSize = 4

// A journal is the append-only store of a ledger: the records of its blocks. A record is never moved
// or changed, so it may be read while others are written. Laws:
//
//  1. A record's address is its segment's number and its offset therein. The address is its
//     additional data, so a record that was moved or swapped does not open.
//  2. Each segment has its own random data key, and the offset is the nonce: no nonce is ever used
//     twice, because no offset is.
//  3. A reader learns an address only from an index or a list of places, after the record is whole.
//  4. A block is there when its place is set. What was written for a block that never came stays
//     behind, unreachable.
type journal struct {
	ledger    string // the ledger's id
	born      time.Time
	hierarchy *hierarchy
	disk      *store.Store // nil: all is in memory only
	blocks    places       // by sequence number

	segments atomic.Pointer[[]*segment]

	// mu guards the fields below and adding segments. It is held for a KMS call when a segment needs a
	// new node, once in segmentsPerNode segments.
	mu   sync.Mutex
	used int    // bytes used of the last segment
	next uint32 // the next block's sequence number
}

type segment struct {
	number uint32
	node   int    // whose key seals the data key
	sealed []byte // the data key
	buf    []byte // allocated whole
}

func newJournal(ledger string, born time.Time, h *hierarchy) *journal {
	j := &journal{ledger: ledger, born: born, hierarchy: h, disk: h.disk}
	j.segments.Store(&[]*segment{})
	return j
}

// since returns a time as records have it.
func (j *journal) since(t time.Time) int64 { return max(t.Sub(j.born).Milliseconds(), 0) }

// instant is the inverse of since.
func (j *journal) instant(ms int64) time.Time {
	return j.born.Add(time.Duration(ms) * time.Millisecond)
}

// tip returns how many blocks there are.
func (j *journal) tip() uint32 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next
}

// insert writes a block that is one insertion, with keys that are open, and returns where it lies. If the
// journal is kept it waits until the block is.
func (j *journal) insert(ctx context.Context, open *openKeys, h header, doc []byte) (place, error) {
	j.mu.Lock()
	s, aead, err := j.room(ctx, open, len(doc))
	if err != nil {
		j.mu.Unlock()
		return 0, err
	}
	h.sequence = j.next
	j.next++
	var buf [maxHeader]byte
	a, into := j.take(s, h.append(buf[:0]), doc)
	if j.disk == nil {
		j.mu.Unlock() // in memory only the order of the places matters
	}
	p := placeOf(a)
	j.blocks.set(h.sequence, p)
	copy(into[copy(into, h.append(buf[:0])):], doc)
	sealRecord(aead, j.ledger, a, into)
	if j.disk == nil {
		return p, nil
	}
	var b store.Batch
	j.keep(&b, a, into[:cap(into)])
	kept := j.disk.Enter(&b)
	j.mu.Unlock()
	return p, kept.Wait()
}

// write writes one record that is no block of its own, and adds it to a batch, which is not entered
// here.
func (j *journal) write(ctx context.Context, open *openKeys, h header, content []byte, b *store.Batch) (place, error) {
	var buf [maxHeader]byte
	head := h.append(buf[:0])
	j.mu.Lock()
	s, aead, err := j.room(ctx, open, len(content))
	if err != nil {
		j.mu.Unlock()
		return 0, err
	}
	a, into := j.take(s, head, content)
	j.mu.Unlock()
	copy(into[copy(into, head):], content)
	sealRecord(aead, j.ledger, a, into)
	if j.disk != nil {
		j.keep(b, a, into[:cap(into)])
	}
	return placeOf(a), nil
}

// room finds the segment that has room for a record, and its cipher. The caller holds mu.
func (j *journal) room(ctx context.Context, open *openKeys, content int) (*segment, cipher.AEAD, error) {
	size := lengthSize + maxHeader + content + gcmOverhead
	segments := *j.segments.Load()
	if size > segmentSize {
		return nil, nil, badRequest("Transaction size limit exceeded")
	}
	if len(segments) == 0 || j.used+size > segmentSize {
		n := len(segments)
		node := n / j.hierarchy.segmentsPerNode
		if node >= len(open.nodes) {
			var err error
			if open, err = j.hierarchy.grow(ctx, node); err != nil {
				return nil, nil, err
			}
		}
		s := &segment{number: uint32(n), node: node, buf: make([]byte, segmentSize)}
		s.sealed = sealDataKey(open.nodes[node], j.ledger, s.number)
		j.saveSegment(s)
		segments = append(slices.Clip(segments), s)
		j.segments.Store(&segments)
		j.used = 0
	}
	s := segments[len(segments)-1]
	aead, err := j.open(ctx, open, s)
	return s, aead, err
}

// take takes room for a record in a segment that has it, and returns where its plaintext goes, with
// room for the tag behind. The caller holds mu.
func (j *journal) take(s *segment, head, content []byte) (address, []byte) {
	at, plain := j.used, len(head)+len(content)
	binary.LittleEndian.PutUint32(s.buf[at:], uint32(plain))
	from := at + lengthSize
	j.used = from + plain + gcmOverhead
	return address{s.number, uint32(at)}, s.buf[from : from+plain : j.used]
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

// read appends the record at p, header and content, to dst.
func (j *journal) read(ctx context.Context, open *openKeys, p place, dst []byte) ([]byte, error) {
	a := p.address()
	s := (*j.segments.Load())[a.segment]
	aead, err := j.open(ctx, open, s)
	if err != nil {
		return nil, err
	}
	from := int(a.offset) + lengthSize
	size := int(binary.LittleEndian.Uint32(s.buf[a.offset:]))
	dst, err = openRecord(aead, dst, j.ledger, a, s.buf[from:from+size+gcmOverhead])
	if err != nil {
		return nil, fmt.Errorf("record %d:%d of ledger %s: %w", a.segment, a.offset, j.ledger, err)
	}
	return dst, nil
}

// record reads and takes apart the record at p.
func (j *journal) record(ctx context.Context, open *openKeys, p place) (h header, content []byte, err error) {
	b, err := j.read(ctx, open, p, nil)
	if err != nil {
		return h, nil, err
	}
	h, n, err := parseHeader(b)
	if err != nil {
		return h, nil, fmt.Errorf("record of ledger %s: %w", j.ledger, err)
	}
	return h, b[n:], nil
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
