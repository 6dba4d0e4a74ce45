package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"loadkms/sandbox/ion"
	"loadkms/sandbox/store"
)

// The limits of a transaction, which are QLDB's.
const (
	maxTransaction = 30 * time.Second // of sandbox time
	maxChanged     = 40               // documents
	maxSize        = 4 << 20          // bytes of what it writes
	maxTables      = 20               // active ones of a ledger
	maxAllTables   = 40               // with those that were dropped
)

// A transaction reads and changes a ledger as if it were alone. Laws:
//
//  1. It holds no lock between statements. It remembers whatever it has read: documents by their places, results of
//     indexes, whole tables by their counts of changes, and the schemas of tables.
//  2. What it changes is its own until it commits, and is what it reads from then on.
//  3. It commits, alone in the ledger, only if all that it has read is still as it was: so it might
//     as well have done everything at that moment. Else it conflicts, whether it has changed anything
//     or not.
//     What one look-up or scan returns was there at one moment; that two of them fit together is
//     certain only after the commit.
//  4. Everything is written before anything is applied, so an error leaves nothing behind.
//
// A transaction is for one goroutine at a time.
type transaction struct {
	ledger *ledger
	number uint64
	id     string
	began  time.Time

	digest     []byte // of its id and statements, as the client computes it too
	statements []executed
	size       int // bytes written so far

	schemas map[*table]uint64
	scans   map[*table]uint64
	lookups map[lookup][]uint32
	read    map[document]place
	writes  map[document]*change
	order   []document // of writes
	schema  []alteration

	catalogAt *uint64                // the catalog's count of changes when it was read; nil if it was not
	pages     map[string][]ion.Value // results not fetched yet, by their tokens
	reads     int64                  // documents read by the present statement
	wrote     int64                  // and written
}

// An executed is one statement of a transaction.
type executed struct {
	text   string
	start  time.Time
	digest []byte
}

// A document is known by its table and its number therein.
type document struct {
	table  *table
	number uint32
}

// A lookup is a question to an index.
type lookup struct {
	index *index
	id    ID
}

// A change is what a transaction makes of a document.
type change struct {
	statement int // the one that changed it last
	value     ion.Value
	binary    []byte
	deleted   bool
	base      place     // the revision it replaces; 0 for a new document
	before    ion.Value // and its value
	version   uint32
}

// An alteration is a change of tables and indexes, in the order in which they are applied.
type alteration struct {
	create, drop, undrop *table
	on                   *table // of an index
	addIndex, dropIndex  *index
}

// A found is a document as a transaction sees it.
type found struct {
	document
	value ion.Value
	at    place  // of the committed revision; 0 for one that the transaction has changed
	head  header // of it
}

// newTransaction begins a transaction.
func (l *ledger) newTransaction() *transaction {
	x := &transaction{ledger: l, number: l.transactions.Add(1), began: l.service.o.Clock.Now(),
		schemas: map[*table]uint64{}, scans: map[*table]uint64{}, lookups: map[lookup][]uint32{},
		read: map[document]place{}, writes: map[document]*change{}, pages: map[string][]ion.Value{}}
	x.id = l.names.transaction(x.number)
	x.digest = hashOf(ion.String(x.id))
	return x
}

// begin notes a statement before it is run.
func (x *transaction) begin(text string, parameters []ion.Value) {
	digest := statementDigest(text, parameters)
	x.digest = ion.Dot(x.digest, digest)
	x.statements = append(x.statements, executed{text, x.ledger.service.o.Clock.Now(), digest})
	x.reads, x.wrote = 0, 0
}

func hashOf(v ion.Value) []byte {
	h := ion.Hash(v)
	return h[:]
}

// statementDigest is what a statement adds to the digest of its transaction.
func statementDigest(text string, parameters []ion.Value) []byte {
	digest := hashOf(ion.String(text))
	for _, p := range parameters {
		digest = ion.Dot(digest, hashOf(p))
	}
	return digest
}

// table finds a table by its name as the transaction sees it, or nil.
func (x *transaction) table(name string) *table {
	x.ledger.mu.RLock()
	t := x.ledger.tables[name]
	x.ledger.mu.RUnlock()
	for _, a := range x.schema {
		switch {
		case a.create != nil && a.create.name == name:
			t = a.create
		case a.undrop != nil && a.undrop.name == name:
			t = a.undrop
		case a.drop != nil && a.drop == t:
			t = nil
		}
	}
	if t != nil {
		x.uses(t)
	}
	return t
}

func (x *transaction) uses(t *table) {
	if _, ok := x.schemas[t]; !ok {
		x.schemas[t] = t.schema.Load()
	}
}

// indexes returns the indexes of a table as the transaction sees them.
func (x *transaction) indexes(t *table) []*index {
	all := t.indexed()
	for _, a := range x.schema {
		if a.on == t && a.dropIndex != nil {
			all = slices.DeleteFunc(slices.Clone(all), func(i *index) bool { return i == a.dropIndex })
		}
		if a.on == t && a.addIndex != nil {
			all = append(slices.Clip(all), a.addIndex)
		}
	}
	return all
}

// scan yields all documents of a table.
func (x *transaction) scan(ctx context.Context, open *openKeys, t *table) iter.Seq2[found, error] {
	type seen struct {
		number uint32
		at     place
	}
	var all []seen
	var modified uint64
	x.ledger.steady(func() {
		all, modified = all[:0], t.modified.Load()
		for n, p := range t.live() {
			all = append(all, seen{n, p})
		}
	})
	if _, ok := x.scans[t]; !ok {
		x.scans[t] = modified
	}
	return func(yield func(found, error) bool) {
		for _, s := range all {
			d := document{t, s.number}
			if x.writes[d] != nil {
				continue
			}
			f, err := x.load(ctx, open, d, s.at)
			if !yield(f, err) || err != nil {
				return
			}
		}
		x.own(t, yield)
	}
}

// steady runs f, which looks at tables and indexes, so that it sees no half of what a transaction
// changes. It may run it twice.
func (l *ledger) steady(f func()) {
	if before := l.changes.Load(); before%2 == 0 {
		f()
		if l.changes.Load() == before {
			return
		}
	}
	l.commits.RLock()
	defer l.commits.RUnlock()
	f()
}

// own yields what the transaction has itself written to a table.
func (x *transaction) own(t *table, yield func(found, error) bool) {
	for _, d := range x.order {
		if w := x.writes[d]; d.table == t && !w.deleted {
			x.reads++
			if !yield(found{document: d, value: w.value}, nil) {
				return
			}
		}
	}
}

// lookup yields the documents of a table that an index has under a value, and some others that the
// transaction has itself written: the caller compares.
func (x *transaction) lookup(ctx context.Context, open *openKeys, t *table, i *index, id ID,
) iter.Seq2[found, error] {
	question := lookup{i, id}
	if _, ok := x.lookups[question]; !ok {
		var documents []uint32
		var places []place
		x.ledger.steady(func() {
			documents, places = i.all(id), places[:0]
			for _, n := range documents {
				places = append(places, t.documents.at(n))
			}
		})
		x.lookups[question] = documents
		for j, n := range documents {
			if _, ok := x.read[document{t, n}]; !ok {
				x.read[document{t, n}] = places[j]
			}
		}
	}
	return func(yield func(found, error) bool) {
		for _, n := range x.lookups[question] {
			d := document{t, n}
			if x.writes[d] != nil {
				continue
			}
			p := x.read[d]
			if !p.live() {
				continue // gone since the index was asked: a conflict to come
			}
			f, err := x.load(ctx, open, d, p)
			if !yield(f, err) || err != nil {
				return
			}
		}
		x.own(t, yield)
	}
}

// byID finds a document by its id.
func (x *transaction) byID(ctx context.Context, open *openKeys, t *table, id string) (found, bool, error) {
	number, n, ok := x.ledger.names.findDocument(id)
	d := document{t, n}
	if !ok || number != t.number {
		return found{}, false, nil
	}
	if w := x.writes[d]; w != nil {
		return found{document: d, value: w.value}, !w.deleted, nil
	}
	p, ok := x.read[d]
	if !ok {
		p = t.documents.at(n)
		x.read[d] = p
	}
	if !p.live() {
		return found{}, false, nil
	}
	f, err := x.load(ctx, open, d, p)
	return f, err == nil, err
}

// load reads a committed revision.
func (x *transaction) load(ctx context.Context, open *openKeys, d document, p place) (found, error) {
	x.reads++
	h, content, err := x.ledger.journal.record(ctx, open, p)
	if err != nil {
		return found{}, err
	}
	v, err := valueOf(h, content)
	return found{d, v, p, h}, err
}

// valueOf decodes the content of a revision.
func valueOf(h header, content []byte) (ion.Value, error) {
	if len(content) == 0 {
		return ion.Value{}, nil // a deletion
	}
	decode := ion.FromJSON
	if h.ion {
		decode = ion.Decode
	}
	value, err := decode(content)
	if err != nil {
		return ion.Value{}, fmt.Errorf("decode revision: %w", err)
	}
	return value, nil
}

func appendJSON(dst, content []byte) ([]byte, error) {
	v, err := ion.Decode(content)
	if err != nil {
		return dst, fmt.Errorf("decode revision: %w", err)
	}
	return append(dst, v.JSON()...), nil
}

// insert makes a new document and returns its id.
func (x *transaction) insert(t *table, v ion.Value) (string, error) {
	if v.Kind() != ion.KindStruct || v.IsNull() {
		return "", badRequest("Only structs can be inserted into a table")
	}
	d := document{t, t.count.Add(1) - 1}
	if err := x.put(d, v, &change{}); err != nil {
		return "", err
	}
	return x.documentID(d), nil
}

func (x *transaction) documentID(d document) string {
	return x.ledger.names.document(d.table.number, d.number)
}

// update makes v of a document that was found.
func (x *transaction) update(f found, v ion.Value) error {
	if v.Kind() != ion.KindStruct || v.IsNull() {
		return badRequest("A document must be a struct")
	}
	return x.put(f.document, v, f.change())
}

// delete makes an end of a document that was found.
func (x *transaction) delete(f found) error {
	c := x.writes[f.document]
	if c == nil {
		c = f.change()
	}
	c.deleted = true
	return x.note(f.document, c)
}

// change returns what a change of a committed document starts from.
func (f *found) change() *change {
	return &change{base: f.at, before: f.value, version: f.head.version + 1}
}

func (x *transaction) put(d document, v ion.Value, c *change) error {
	if w := x.writes[d]; w != nil {
		c = w
	}
	c.value, c.binary = v, v.Binary()
	if len(c.binary) > maxDocument {
		return badRequest("Document size limit exceeded: %d bytes, the limit is %d bytes", len(c.binary), maxDocument)
	}
	if x.size += len(c.binary); x.size > maxSize {
		return limitExceeded("Transaction size limit exceeded: the limit is %d bytes", maxSize)
	}
	return x.note(d, c)
}

func (x *transaction) note(d document, c *change) error {
	x.wrote++
	c.statement = len(x.statements) - 1
	if x.writes[d] != nil {
		return nil
	}
	if len(x.writes) >= maxChanged {
		return limitExceeded("Number of documents in the transaction exceeds the limit of %d", maxChanged)
	}
	x.writes[d] = c
	x.order = append(x.order, d)
	return nil
}

// createTable makes a table and returns it.
func (x *transaction) createTable(name string) (*table, error) {
	if x.table(name) != nil {
		return nil, tableExists(name)
	}
	l := x.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tables) >= maxTables || len(l.tables)+len(l.dropped) >= maxAllTables {
		return nil, limitExceeded("Number of tables exceeds the limit of %d", maxTables)
	}
	t := newTable(name)
	t.number = uint32(len(l.all))
	l.all = append(l.all, t)
	x.schema = append(x.schema, alteration{create: t})
	return t, nil
}

// dropTable ends a table.
func (x *transaction) dropTable(t *table) { x.schema = append(x.schema, alteration{drop: t}) }

// undropTable brings a dropped table back by its id.
func (x *transaction) undropTable(id string) (*table, error) {
	x.ledger.mu.RLock()
	i := slices.IndexFunc(x.ledger.dropped, func(d drop) bool { return d.id == id })
	var t *table
	if i >= 0 {
		t = x.ledger.dropped[i].table
	}
	x.ledger.mu.RUnlock()
	switch {
	case t == nil:
		return nil, badRequest("No table with id %s was dropped", id)
	case x.table(t.name) != nil:
		return nil, tableExists(t.name)
	}
	x.uses(t)
	x.schema = append(x.schema, alteration{undrop: t})
	return t, nil
}

// createIndex makes an index on a field.
func (x *transaction) createIndex(t *table, path []string) (*index, error) {
	all := x.indexes(t)
	if slices.ContainsFunc(all, func(i *index) bool { return slices.Equal(i.path, path) }) {
		return nil, badRequest("Index on %s (%s) already exists", t.name, strings.Join(path, "."))
	}
	if len(all) >= maxIndexes {
		return nil, limitExceeded("Number of indexes exceeds the limit of %d", maxIndexes)
	}
	i := newIndex(path)
	x.schema = append(x.schema, alteration{on: t, addIndex: i})
	return i, nil
}

// dropIndex ends an index, by its id.
func (x *transaction) dropIndex(t *table, id string) error {
	all := x.indexes(t)
	i := slices.IndexFunc(all, func(i *index) bool { return i.id == id })
	if i < 0 {
		return badRequest("No index with id %s on table %s", id, t.name)
	}
	x.schema = append(x.schema, alteration{on: t, dropIndex: all[i]})
	return nil
}

// commit makes the transaction's changes those of the ledger, or fails with an OccConflictException.
func (x *transaction) commit(ctx context.Context, open *openKeys) error {
	l := x.ledger
	// Alone even if there is nothing to write: an insert under way may be in what was scanned and not
	// yet in an index, and shows only when it is over.
	l.commits.Lock()
	defer l.commits.Unlock()
	if !x.holds() || !x.fits() {
		return occConflict()
	}
	if len(x.order) == 0 && len(x.schema) == 0 {
		return nil
	}
	for _, a := range x.schema {
		if a.addIndex != nil {
			if err := x.fill(ctx, open, a.on, a.addIndex); err != nil {
				return err
			}
		}
	}
	places, err := x.write(ctx, open)
	if err != nil {
		return err
	}
	l.changes.Add(1)
	defer l.changes.Add(1)
	x.alter()
	for i, d := range x.order {
		x.apply(d, x.writes[d], places[i])
	}
	return nil
}

// holds reports whether all that was read is as it was. The caller holds commits.
func (x *transaction) holds() bool {
	if x.catalogAt != nil && x.ledger.catalog.Load() != *x.catalogAt {
		return false
	}
	for t, n := range x.schemas {
		if t.schema.Load() != n {
			return false
		}
	}
	for t, n := range x.scans {
		if t.modified.Load() != n {
			return false
		}
	}
	for d, p := range x.read {
		if d.table.documents.at(d.number) != p {
			return false
		}
	}
	for q, documents := range x.lookups {
		if !slices.Equal(q.index.all(q.id), documents) {
			return false
		}
	}
	return true
}

// fits reports whether the tables that are to be made still can. The caller holds commits.
func (x *transaction) fits() bool {
	x.ledger.mu.RLock()
	defer x.ledger.mu.RUnlock()
	free := map[string]bool{}
	for _, a := range x.schema {
		if a.drop != nil {
			free[a.drop.name] = true
		}
		for _, t := range []*table{a.create, a.undrop} {
			if t != nil && x.ledger.tables[t.name] != nil && !free[t.name] {
				return false
			}
		}
	}
	return true
}

// fill puts the committed documents that the transaction does not change into a new index.
func (x *transaction) fill(ctx context.Context, open *openKeys, t *table, i *index) error {
	for n, p := range t.live() {
		d := document{t, n}
		if x.writes[d] != nil {
			continue
		}
		f, err := x.load(ctx, open, d, p)
		if err != nil {
			return err
		}
		i.note(f.value, n, i.add)
	}
	return nil
}

// of returns the indexed field of a document.
func (x *index) of(v ion.Value) (ion.Value, bool) {
	for _, name := range x.path {
		var ok bool
		if v, ok = v.Field(name); !ok {
			return v, false
		}
	}
	return v, true
}

// note does what f does for the value of the index's field, if v has it.
func (x *index) note(v ion.Value, document uint32, f func(ID, uint32)) {
	field, ok := x.of(v)
	if !ok {
		return
	}
	if id, ok := idOf(field); ok {
		f(id, document)
	}
}

// write writes the transaction's block and returns the places of its revisions, 0 for what was both
// made and ended by it. The caller holds commits alone, so the next block is this one.
func (x *transaction) write(ctx context.Context, open *openKeys) ([]place, error) {
	j := x.ledger.journal
	now := j.since(x.ledger.service.o.Clock.Now())
	h := header{sequence: j.tip(), number: x.number, time: now}
	var b store.Batch
	var content []byte
	content = binary.AppendUvarint(content, uint64(len(x.statements)))
	for _, s := range x.statements {
		h.kind, h.time = statement, j.since(s.start)
		p, err := j.write(ctx, open, h, slices.Concat(s.digest, []byte(s.text)), &b)
		if err != nil {
			return nil, err
		}
		content = binary.AppendUvarint(content, uint64(p))
	}
	places := make([]place, len(x.order))
	for i, d := range x.order {
		w := x.writes[d]
		if w.deleted && w.base == 0 {
			continue
		}
		r := header{kind: revision, ion: true, deleted: w.deleted, table: d.table.number, document: d.number,
			version: w.version, sequence: h.sequence, number: x.number, time: now, previous: w.base}
		body := w.binary
		if w.deleted {
			body = nil
		}
		p, err := j.write(ctx, open, r, body, &b)
		if err != nil {
			return nil, err
		}
		places[i] = p
		content = binary.AppendUvarint(content, uint64(w.statement))
		content = binary.AppendUvarint(content, uint64(p))
	}
	h.kind, h.time = block, now
	p, err := j.write(ctx, open, h, content, &b)
	if err != nil {
		return nil, err
	}
	if err := x.keep(&b); err != nil {
		return nil, err
	}
	j.add(h.sequence, p)
	return places, nil
}

// keep puts what was written on disk, with the tables if they change. The caller holds commits alone.
func (x *transaction) keep(b *store.Batch) error {
	l := x.ledger
	if l.service.disk == nil {
		return nil
	}
	tables := l.kept
	if len(x.schema) > 0 {
		tables = x.altered()
		b.Put(entry(l.id, tablesEntry), encode(tables))
	}
	if err := l.service.disk.Enter(b).Wait(); err != nil {
		return err
	}
	l.kept = tables
	return nil
}

// add makes a block part of the journal. The caller holds commits alone.
func (j *journal) add(sequence uint32, p place) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.blocks.set(sequence, p)
	j.next = sequence + 1
}

// alter applies the changes of tables and indexes. The caller holds commits alone.
func (x *transaction) alter() {
	l := x.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(x.schema) > 0 {
		l.catalog.Add(1)
	}
	for _, a := range x.schema {
		switch {
		case a.create != nil:
			l.tables[a.create.name] = a.create
		case a.undrop != nil:
			a.undrop.dropped.Store(false)
			a.undrop.schema.Add(1)
			l.tables[a.undrop.name] = a.undrop
			l.dropped = slices.DeleteFunc(l.dropped, func(d drop) bool { return d.table == a.undrop })
		case a.drop != nil:
			a.drop.dropped.Store(true)
			a.drop.schema.Add(1)
			delete(l.tables, a.drop.name)
			l.dropped = append(l.dropped, drop{a.drop, l.service.o.Clock.Now()})
		case a.addIndex != nil:
			a.on.addIndex(a.addIndex)
		case a.dropIndex != nil:
			a.on.dropIndex(a.dropIndex.id)
		}
	}
}

// apply makes a change visible. The caller holds commits alone.
func (x *transaction) apply(d document, w *change, p place) {
	if p == 0 {
		return
	}
	if w.deleted {
		p |= gone
	}
	d.table.documents.set(d.number, p)
	for _, i := range d.table.indexed() {
		var was, is ID
		var had, has bool
		if w.base != 0 {
			i.note(w.before, d.number, func(id ID, _ uint32) { was, had = id, true })
		}
		if !w.deleted {
			i.note(w.value, d.number, func(id ID, _ uint32) { is, has = id, true })
		}
		if had && has && was == is {
			continue // it keeps its turn among those with the same value
		}
		if had {
			i.remove(was, d.number)
		}
		if has {
			i.add(is, d.number)
		}
	}
	d.table.modified.Add(1)
}

// expired reports whether the transaction has taken too long.
func (x *transaction) expired(now time.Time) bool { return now.Sub(x.began) > maxTransaction }

func noTable(name string) *Error { return badRequest("No such variable named '%s'", name) }

func tableExists(name string) *Error {
	e := badRequest("Table with name: USER.%s already exists", name)
	e.Reason = "412" // as QLDB sends it
	return e
}

func occConflict() *Error {
	return &Error{Status: 400, Code: CodeOccConflict,
		Message: "Optimistic concurrency control (OCC) failure encountered while committing the transaction"}
}

func limitExceeded(format string, args ...any) *Error {
	return &Error{Status: 400, Code: CodeLimitExceeded, Message: fmt.Sprintf(format, args...)}
}
