package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/store"
)

// This file keeps ledgers in a store. Laws:
//
//  1. Records are entered sealed, in the order of the journal, under its lock; a transaction's together.
//     Nothing that is inserted or committed can be seen before it is on disk.
//  2. What a record needs to be read (its segment's data key, and that one's node key) is entered before
//     it. Sessions, and what KMS said last, are not kept.
//  3. After a restart the journal goes on in a new segment. Offsets are nonces, and of those that were in
//     use at the end nobody knows.
//  4. What the records say becomes known when KMS gives the keys for the first time after a restart: the
//     ledger's key may be disabled.

// The names of a ledger's entries, after "ledger/", its id and a slash. They come in this order.
const (
	dataKeyEntries = "datakey/" // by segment: the node's number and the sealed key
	grantsEntry    = "grants"
	keysEntry      = "keys"
	metaEntry      = "meta" // entered last; without it there is no ledger
	nodeEntries    = "node/"
	recordEntries  = "record/" // by segment and offset
	tablesEntry    = "tables"
)

const (
	allEntries = "ledger/"
	ringEntry  = "ledger-ring" // of the key that AWS owns
)

func entry(ledger, name string, numbers ...uint32) string {
	b := make([]byte, 0, len(allEntries)+len(ledger)+1+len(name)+4*len(numbers))
	b = append(append(append(append(b, allEntries...), ledger...), '/'), name...)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return string(b)
}

// The records are what is kept of a ledger besides its journal, as JSON.
type (
	ringRecord struct{ Secret, Mark []byte }
	metaRecord struct {
		Name, ID, ARN, Strand string
		Created               time.Time
		Names                 []byte // the key that makes ids of numbers
		Tags                  map[string]string
		Mode                  string
		Protected             bool
		Alias                 string
		Following             bool
		NamedBy               iam.Caller
		Ready                 time.Time `json:",omitzero"`
		GoneAt                time.Time `json:",omitzero"`
	}
	keysRecord struct {
		Key, Target  string
		Changing     bool      `json:",omitempty"`
		Until        time.Time `json:",omitzero"` // before which a change is not over
		Change       uint64
		Generation   uint64
		Inaccessible time.Time `json:",omitzero"` // since when; zero if it is not
		Refusal      *KeyError `json:",omitempty"`
	}
	nodeRecord struct {
		ID      string
		Version int
		Sealed  []byte
	}
	tableRecord struct {
		Number   uint32
		ID, Name string
		Dropped  time.Time `json:",omitzero"`
		Indexes  []indexRecord
	}
	indexRecord struct {
		ID   string
		Path []string
	}
)

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the records are strings, numbers and times
	}
	return b
}

// save enters what is kept of the ledger besides its keys and journal. The caller holds mu.
func (l *ledger) save() *store.Ticket {
	if l.service.disk == nil {
		return nil
	}
	var b store.Batch
	b.Put(entry(l.id, metaEntry), encode(metaRecord{l.name, l.id, l.arn, l.strand, l.created, l.names.key, l.tags, l.mode, l.protected,
		l.alias, l.following, l.namedBy, l.ready, l.goneAt}))
	return l.service.disk.Enter(&b)
}

// saveGrants enters the grants. The caller holds changing.
func (l *ledger) saveGrants() *store.Ticket {
	if l.service.disk == nil {
		return nil
	}
	var b store.Batch
	b.Put(entry(l.id, grantsEntry), encode(l.grants))
	return l.service.disk.Enter(&b)
}

// save enters the state of the customer managed key, and the node keys if they are given. The caller holds
// mu, and asking if they are.
func (h *hierarchy) save(nodes ...node) *store.Ticket {
	if h.disk == nil {
		return nil
	}
	var b store.Batch
	b.Put(entry(h.ledger, keysEntry), encode(keysRecord{h.key, h.target, h.changing, h.until, h.change, h.generation, h.since, h.refusal}))
	for i, n := range nodes {
		b.Put(entry(h.ledger, nodeEntries, uint32(i)), encode(nodeRecord{n.id, n.version, n.sealed}))
	}
	return h.disk.Enter(&b)
}

// saveNode enters a new node key. The caller holds asking.
func (h *hierarchy) saveNode(i int) *store.Ticket {
	if h.disk == nil {
		return nil
	}
	var b store.Batch
	n := h.nodes[i]
	b.Put(entry(h.ledger, nodeEntries, uint32(i)), encode(nodeRecord{n.id, n.version, n.sealed}))
	return h.disk.Enter(&b)
}

// told keeps since when KMS refuses the keys, if that has changed. The caller holds asking.
func (h *hierarchy) told(a *answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.Equal(a.since) {
		return
	}
	h.since, h.refusal = a.since, a.refusal
	h.save()
}

// saveSegment enters the data key of a new segment.
func (j *journal) saveSegment(s *segment) {
	if j.disk == nil {
		return
	}
	var b store.Batch
	b.Add(entry(j.ledger, dataKeyEntries, s.number), append(binary.BigEndian.AppendUint32(nil, uint32(s.node)), s.sealed...))
	j.disk.Enter(&b)
}

// keep adds a record that is sealed to a batch. The batch must be entered before the record is moved,
// which never happens.
func (j *journal) keep(b *store.Batch, a address, sealed []byte) {
	b.Add(entry(j.ledger, recordEntries, a.segment, a.offset), sealed)
}

// altered returns the tables as a transaction leaves them. The caller holds commits alone.
func (x *transaction) altered() []tableRecord {
	all := slices.Clone(x.ledger.kept)
	at := func(t *table) *tableRecord {
		return &all[slices.IndexFunc(all, func(r tableRecord) bool { return r.ID == t.id })]
	}
	for _, a := range x.schema {
		switch {
		case a.create != nil:
			all = append(all, tableRecord{Number: a.create.number, ID: a.create.id, Name: a.create.name})
		case a.undrop != nil:
			at(a.undrop).Dropped = time.Time{}
		case a.drop != nil:
			at(a.drop).Dropped = x.ledger.service.o.Clock.Now()
		case a.addIndex != nil:
			t := at(a.on)
			t.Indexes = append(slices.Clip(t.Indexes), indexRecord{a.addIndex.id, a.addIndex.path})
		case a.dropIndex != nil:
			t := at(a.on)
			t.Indexes = slices.DeleteFunc(slices.Clone(t.Indexes), func(i indexRecord) bool { return i.ID == a.dropIndex.id })
		}
	}
	return all
}

// Sync waits until everything that anybody can see of the ledgers is on disk.
func (s *Service) Sync() error { return s.disk.Sync() }

// Open returns the service that is kept in a store, a new one if there is none yet. Errors are about
// what is in the store. A nil store is as New.
func Open(ctx context.Context, o Options, on *store.Store) (*Service, error) {
	if on == nil {
		return New(o), nil
	}
	ring, err := loadRing(on)
	if err != nil {
		return nil, err
	}
	s := newService(o, ring)
	s.disk = on
	if err := s.load(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func loadRing(on *store.Store) (*ringRecord, error) {
	text, err := on.Get(ringEntry)
	if err != nil {
		return nil, err
	}
	if text == nil {
		ring := newRing()
		var b store.Batch
		b.Put(ringEntry, encode(ring))
		return ring, on.Enter(&b).Wait()
	}
	ring := new(ringRecord)
	if err := json.Unmarshal(text, ring); err != nil || len(ring.Secret) != 32 || len(ring.Mark) != 16 {
		return nil, fmt.Errorf("load %s: it cannot be read", ringEntry)
	}
	return ring, nil
}

// A relic is what there is of a ledger in a store.
type relic struct {
	id       string
	meta     *metaRecord
	keys     keysRecord
	grants   map[string]string
	nodes    []node
	tables   []tableRecord
	segments []*segment
	records  []place
}

func (s *Service) load(ctx context.Context) error {
	var relics []*relic
	for e, err := range s.disk.Scan(allEntries) {
		if err != nil {
			return err
		}
		id, name, _ := strings.Cut(e.Key[len(allEntries):], "/")
		if n := len(relics); n == 0 || relics[n-1].id != id {
			relics = append(relics, &relic{id: id})
		}
		if err := relics[len(relics)-1].take(name, e.Value); err != nil {
			return fmt.Errorf("load ledger %s: %q: %w", id, name, err)
		}
	}
	now := s.o.Clock.Now()
	for _, r := range relics {
		if r.meta == nil || !r.meta.GoneAt.IsZero() && !now.Before(r.meta.GoneAt) {
			// Its creation was not acknowledged, or its deletion is over.
			var b store.Batch
			b.DeleteAll(entry(r.id, ""))
			if err := s.disk.Enter(&b).Wait(); err != nil {
				return err
			}
			continue
		}
		l, err := s.revive(ctx, r)
		if err != nil {
			return fmt.Errorf("load ledger %s: %w", r.meta.Name, err)
		}
		s.ledgers[l.name] = l
	}
	for _, l := range s.ledgers {
		l.resume()
	}
	return nil
}

// take takes one entry.
func (r *relic) take(name string, value []byte) error {
	number := func(prefix string, i int) uint32 { return binary.BigEndian.Uint32([]byte(name)[len(prefix)+4*i:]) }
	switch {
	case name == metaEntry:
		return json.Unmarshal(value, &r.meta)
	case name == keysEntry:
		return json.Unmarshal(value, &r.keys)
	case name == grantsEntry:
		return json.Unmarshal(value, &r.grants)
	case name == tablesEntry:
		return json.Unmarshal(value, &r.tables)
	case strings.HasPrefix(name, nodeEntries) && len(name) == len(nodeEntries)+4:
		var n nodeRecord
		if err := json.Unmarshal(value, &n); err != nil {
			return err
		}
		if int(number(nodeEntries, 0)) != len(r.nodes) {
			return errors.New("the one before is missing")
		}
		r.nodes = append(r.nodes, node{id: n.ID, version: n.Version, sealed: n.Sealed})
		return nil
	case strings.HasPrefix(name, dataKeyEntries) && len(name) == len(dataKeyEntries)+4:
		if int(number(dataKeyEntries, 0)) != len(r.segments) || len(value) <= 4 {
			return errors.New("the one before is missing")
		}
		r.segments = append(r.segments, &segment{number: uint32(len(r.segments)), node: int(binary.BigEndian.Uint32(value)),
			sealed: bytes.Clone(value[4:])})
		return nil
	case strings.HasPrefix(name, recordEntries) && len(name) == len(recordEntries)+8:
		return r.takeRecord(address{number(recordEntries, 0), number(recordEntries, 1)}, value)
	}
	return errors.New("the sandbox does not know this entry")
}

// takeRecord puts a sealed record where it was.
func (r *relic) takeRecord(a address, sealed []byte) error {
	if int64(a.segment) >= int64(len(r.segments)) {
		return errors.New("its segment is missing")
	}
	s := r.segments[a.segment]
	from := int(a.offset) + lengthSize
	end := from + len(sealed)
	if int(a.offset) < len(s.buf) || len(sealed) < gcmOverhead || end > segmentSize {
		return errors.New("it does not fit into its segment")
	}
	if s.buf == nil {
		s.buf = make([]byte, 0, segmentSize)
	}
	s.buf = s.buf[:end] // zeros between are records that nobody knows of
	binary.LittleEndian.PutUint32(s.buf[a.offset:], uint32(len(sealed)-gcmOverhead))
	copy(s.buf[from:], sealed)
	r.records = append(r.records, placeOf(a))
	return nil
}

// revive makes a ledger of what there is of it. Nothing of it runs yet.
func (s *Service) revive(ctx context.Context, r *relic) (*ledger, error) {
	m := r.meta
	names, err := namesOf(m.Names)
	if err != nil {
		return nil, err
	}
	if r.keys.Key == "" || len(r.nodes) == 0 {
		return nil, errors.New("its keys are missing")
	}
	l := s.assemble(m.Name, m.ID, m.Created, names)
	l.arn, l.strand, l.mode, l.protected, l.ready, l.goneAt = m.ARN, m.Strand, m.Mode, m.Protected, m.Ready, m.GoneAt
	l.alias, l.following, l.namedBy = m.Alias, m.Following && s.o.Alias == Follow, m.NamedBy
	l.allowsAll.Store(l.mode == "ALLOW_ALL")
	maps.Copy(l.tags, m.Tags)
	maps.Copy(l.grants, r.grants)
	h, k := l.keys, r.keys
	h.key, h.target, h.changing, h.until, h.change, h.generation = k.Key, k.Target, k.Changing, k.Until, k.Change, k.Generation
	h.nodes, h.since, h.refusal = r.nodes, k.Inaccessible, k.Refusal
	if k.Refusal != nil {
		h.answer.Store(&answer{refusal: k.Refusal, since: k.Inaccessible}) // to be asked again at once
	}
	for _, seg := range r.segments {
		if seg.node >= len(r.nodes) {
			return nil, fmt.Errorf("the node key of segment %d is missing", seg.number)
		}
		if len(seg.buf) < segmentSize/2 {
			seg.buf = slices.Clone(seg.buf) // nothing will be added to it
		}
	}
	l.journal.segments.Store(&r.segments)
	l.journal.used = segmentSize
	l.revive(r.tables)
	h.replay = func(ctx context.Context, open *openKeys) error { return l.replay(ctx, open, r.records) }
	_, err = h.unlock(ctx)
	if errors.As(err, new(*Error)) {
		return l, nil // its key is out of reach, and may come back
	}
	return l, err
}

// revive makes the tables.
func (l *ledger) revive(tables []tableRecord) {
	l.kept = tables
	for _, r := range tables {
		t := &table{number: r.Number, id: r.ID, name: r.Name}
		for len(l.all) <= int(r.Number) { // those between were made by transactions that did not commit
			l.all = append(l.all, &table{number: uint32(len(l.all)), id: randomID()})
		}
		l.all[r.Number] = t
		for _, i := range r.Indexes {
			x := newIndex(i.Path)
			x.id = i.ID
			t.addIndex(x)
		}
		if r.Dropped.IsZero() {
			l.tables[t.name] = t
			continue
		}
		t.dropped.Store(true)
		l.dropped = append(l.dropped, drop{t, r.Dropped})
	}
	slices.SortFunc(l.dropped, func(a, b drop) int { return a.at.Compare(b.at) })
}

// skippedNumbers is how many numbers of transactions are left out after a restart, because some may have
// been given to transactions that did not commit.
const skippedNumbers = 1 << 16

// replay makes known what the records say: blocks, documents and indexes. Nobody has the keys yet.
func (l *ledger) replay(ctx context.Context, open *openKeys, records []place) error {
	var last uint64
	for _, p := range records {
		h, content, err := l.journal.record(ctx, open, p)
		if err != nil {
			return err
		}
		if h.kind != insertion && h.kind != block {
			continue // it belongs to a block
		}
		if h.sequence != l.journal.next {
			return fmt.Errorf("block %d of ledger %s is missing", l.journal.next, l.name)
		}
		l.journal.blocks.set(h.sequence, p)
		l.journal.next++
		last = max(last, h.number)
		if h.kind == insertion {
			err = l.place(h, p)
		} else {
			err = l.replayBlock(ctx, open, content)
		}
		if err != nil {
			return fmt.Errorf("block %d of ledger %s: %w", h.sequence, l.name, err)
		}
	}
	l.transactions.Store(last + skippedNumbers)
	for _, t := range l.all {
		if err := l.reindex(ctx, open, t); err != nil {
			return fmt.Errorf("index table %s of ledger %s: %w", t.name, l.name, err)
		}
	}
	return nil
}

// replayBlock places the revisions of a block. It reads the statements too, to be certain that they are there.
func (l *ledger) replayBlock(ctx context.Context, open *openKeys, content []byte) error {
	return blockPlaces(content, func(p place, statement int) error {
		h, _, err := l.journal.record(ctx, open, p)
		if err != nil || statement < 0 {
			return err
		}
		if h.deleted {
			p |= gone
		}
		return l.place(h, p)
	})
}

// place makes a revision the latest one of its document.
func (l *ledger) place(h header, p place) error {
	if int64(h.table) >= int64(len(l.all)) {
		return fmt.Errorf("table %d is missing", h.table)
	}
	t := l.all[h.table]
	t.documents.set(h.document, p)
	t.count.Store(max(t.count.Load(), h.document+1))
	t.modified.Add(1)
	return nil
}

// reindex fills the indexes of a table.
func (l *ledger) reindex(ctx context.Context, open *openKeys, t *table) error {
	indexes := t.indexed()
	if len(indexes) == 0 {
		return nil
	}
	for n, p := range t.live() {
		h, content, err := l.journal.record(ctx, open, p)
		if err != nil {
			return err
		}
		if !h.ion {
			for _, i := range indexes {
				if id, ok := indexedJSON(content, i.path); ok {
					i.add(id, n)
				}
			}
			continue
		}
		v, err := valueOf(h, content)
		if err != nil {
			return err
		}
		for _, i := range indexes {
			i.note(v, n, i.add)
		}
	}
	return nil
}

// resume goes on with what was in the background when the process ended.
func (l *ledger) resume() {
	if !l.goneAt.IsZero() {
		l.end()
		l.service.spawn(l.giveBack)
		return
	}
	l.run()
	if h := l.keys; h.changing {
		change, until := h.change, h.until
		l.background(func(ctx context.Context) { l.update(ctx, change, until) })
	} else {
		l.background(l.retire) // it may not have come to that
	}
}
