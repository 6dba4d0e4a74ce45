package ledger

import (
	"context"
	"iter"
	"strings"
	"time"

	"loadkms/sandbox/ion"
	"loadkms/sandbox/partiql"
)

// A database is a transaction as a statement sees it while it runs.
type database struct {
	*transaction
	ctx  context.Context
	open *openKeys
}

// A view is a table of a database.
type view struct {
	database
	t *table
}

var (
	_ partiql.Database = database{}
	_ partiql.Table    = view{}
)

// Table returns the active table of this name.
func (d database) Table(name string) (partiql.Table, bool) {
	t := d.table(name)
	if t == nil {
		return nil, false
	}
	return view{d, t}, true
}

// TransactionID returns the transaction's id.
func (d database) TransactionID() string { return d.id }

// Now returns sandbox time.
func (d database) Now() time.Time { return d.ledger.service.o.Clock.Now() }

// UserTables yields the catalog.
func (d database) UserTables() iter.Seq2[ion.Value, error] {
	return func(yield func(ion.Value, error) bool) {
		for _, row := range d.catalog() {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// catalog returns the rows of information_schema.user_tables as the transaction sees them.
func (x *transaction) catalog() []ion.Value {
	l := x.ledger
	if x.catalogAt == nil {
		at := l.catalog.Load()
		x.catalogAt = &at
	}
	var rows []ion.Value
	row := func(t *table, status string) {
		indexes := []ion.Value{}
		for _, i := range x.indexes(t) {
			indexes = append(indexes, ion.Struct(field("indexId", ion.String(i.id)),
				field("expr", ion.String("["+strings.Join(i.path, ".")+"]")), field("status", ion.String("ONLINE"))))
		}
		rows = append(rows, ion.Struct(field("tableId", ion.String(t.id)), field("name", ion.String(t.name)),
			field("indexes", ion.List(indexes...)), field("status", ion.String(status))))
	}
	l.mu.RLock()
	all := l.all
	l.mu.RUnlock()
	for _, t := range all {
		status := ""
		l.mu.RLock()
		switch {
		case l.tables[t.name] == t:
			status = "ACTIVE"
		case t.dropped.Load():
			status = "INACTIVE"
		}
		l.mu.RUnlock()
		for _, a := range x.schema {
			switch t {
			case a.create, a.undrop:
				status = "ACTIVE"
			case a.drop:
				status = "INACTIVE"
			}
		}
		if status != "" {
			row(t, status)
		}
	}
	return rows
}

func field(name string, v ion.Value) ion.Field { return ion.Field{Name: name, Value: v} }

// History yields the revisions of a table's documents, the oldest of each first.
func (d database) History(name string, from, to ion.Value) (iter.Seq2[ion.Value, error], bool) {
	t := d.table(name)
	if t == nil {
		l := d.ledger
		l.mu.RLock()
		for _, c := range l.all {
			if c.id == name {
				t = c
			}
		}
		l.mu.RUnlock()
		if t == nil {
			return nil, false
		}
	}
	if _, ok := d.scans[t]; !ok {
		d.scans[t] = t.modified.Load()
	}
	return func(yield func(ion.Value, error) bool) {
		for n := range t.count.Load() {
			p := t.documents.at(n)
			if p == 0 {
				continue
			}
			for _, r := range d.revisions(p) {
				if r.err == nil && !r.activeWithin(d.ledger.journal, from, to) {
					continue
				}
				v, err := r.value, r.err
				if err == nil {
					v, err = d.ledger.revision(r.head, r.value)
				}
				if !yield(v, err) || err != nil {
					return
				}
			}
		}
	}, true
}

// A past is one revision of a document's history.
type past struct {
	head  header
	value ion.Value
	next  int64 // when the next revision came; -1 if there is none
	err   error
}

// revisions returns a document's revisions, the oldest first.
func (d database) revisions(p place) []past {
	var all []past
	for next := int64(-1); p != 0; {
		d.reads++
		h, content, err := d.ledger.journal.record(d.ctx, d.open, p)
		if err == nil {
			var v ion.Value
			if v, err = valueOf(h, content); err == nil {
				all = append(all, past{head: h, value: v, next: next})
				p, next = h.previous, h.time
				continue
			}
		}
		return []past{{err: err}}
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// activeWithin reports whether the revision was the latest at some time from one instant to another.
func (r *past) activeWithin(j *journal, from, to ion.Value) bool {
	if t, ok := to.AsTime(); ok && j.instant(r.head.time).After(t) {
		return false
	}
	if t, ok := from.AsTime(); ok && r.next >= 0 && !j.instant(r.next).After(t) {
		return false
	}
	return true
}

// revision returns a revision as QLDB shows it in its committed view, its history and its blocks.
func (l *ledger) revision(h header, v ion.Value) (ion.Value, error) {
	metadata := ion.Struct(
		field("id", ion.String(l.names.document(h.table, h.document))),
		field("version", ion.Int(int64(h.version))),
		field("txTime", ion.Timestamp(l.journal.instant(h.time))),
		field("txId", ion.String(l.names.transaction(h.number))))
	hash := hashOf(metadata)
	fields := []ion.Field{field("blockAddress", l.blockAddress(h.sequence)), {}, field("metadata", metadata)}
	if !h.deleted {
		hash = ion.Dot(hash, hashOf(v))
		fields = append(fields[:2:2], field("data", v), fields[2])
	}
	fields[1] = field("hash", ion.Blob(hash))
	return ion.Struct(fields...), nil
}

func (l *ledger) blockAddress(sequence uint32) ion.Value {
	return ion.Struct(field("strandId", ion.String(l.strand)), field("sequenceNo", ion.Int(int64(sequence))))
}

// CreateTable makes a table. The tags of its resource are not kept.
func (d database) CreateTable(name string, _ ion.Value) (string, error) {
	t, err := d.createTable(name)
	if err != nil {
		return "", err
	}
	return t.id, nil
}

// UndropTable makes a dropped table active again.
func (d database) UndropTable(id string) (string, error) {
	t, err := d.undropTable(id)
	if err != nil {
		return "", err
	}
	return t.id, nil
}

// ID is the table's id.
func (v view) ID() string { return v.t.id }

// Indexed reports whether there is an index. One that the same transaction makes is not used by it.
func (v view) Indexed(path []string) bool {
	i := v.t.index(path)
	return i != nil
}

// Scan yields all documents.
func (v view) Scan() iter.Seq2[partiql.Document, error] {
	return v.documents(v.scan(v.ctx, v.open, v.t))
}

// Lookup yields the documents that an index has.
func (v view) Lookup(path []string, value ion.Value) iter.Seq2[partiql.Document, error] {
	i := v.t.index(path)
	id, ok := idOf(value)
	if i == nil || !ok {
		return v.Scan()
	}
	return func(yield func(partiql.Document, error) bool) {
		for d, err := range v.documents(v.lookup(v.ctx, v.open, v.t, i, id)) {
			if field, ok := i.of(d.Value); err == nil && (!ok || !ion.Equal(field, value)) {
				continue // another value under the same key, or one of the transaction's own
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

func (v view) documents(all iter.Seq2[found, error]) iter.Seq2[partiql.Document, error] {
	return func(yield func(partiql.Document, error) bool) {
		for f, err := range all {
			d := partiql.Document{Value: f.value}
			if err == nil {
				d.ID = v.documentID(f.document)
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// Document returns the document with this id.
func (v view) Document(id string) (partiql.Document, bool, error) {
	f, ok, err := v.byID(v.ctx, v.open, v.t, id)
	return partiql.Document{ID: id, Value: f.value}, ok, err
}

// Revision returns a document's committed revision.
func (v view) Revision(id string) (ion.Value, bool, error) {
	f, ok, err := v.again(id)
	if !ok || err != nil || f.at == 0 {
		return ion.Value{}, false, err
	}
	r, err := v.ledger.revision(f.head, f.value)
	return r, err == nil, err
}

// again finds a document that has been read before. It is no read of its own: if the document has
// changed since, what was read first is what the commit will stumble over.
func (v view) again(id string) (found, bool, error) {
	number, n, ok := v.ledger.names.findDocument(id)
	d := document{v.t, n}
	if !ok || number != v.t.number {
		return found{}, false, nil
	}
	if w := v.writes[d]; w != nil {
		return found{document: d, value: w.value}, !w.deleted, nil
	}
	p, ok := v.read[d]
	if !ok {
		p = v.t.documents.at(n)
	}
	if !p.live() {
		return found{}, false, nil
	}
	reads := v.reads
	f, err := v.load(v.ctx, v.open, d, p)
	v.reads = reads
	return f, err == nil, err
}

// Insert stores a document.
func (v view) Insert(value ion.Value) (string, error) { return v.insert(v.t, value) }

// Update replaces a document.
func (v view) Update(id string, value ion.Value) error {
	f, ok, err := v.again(id)
	if err != nil {
		return err
	}
	if !ok {
		return occConflict() // it was there when it was read
	}
	return v.update(f, value)
}

// Delete deletes a document.
func (v view) Delete(id string) error {
	f, ok, err := v.again(id)
	if err != nil {
		return err
	}
	if !ok {
		return occConflict()
	}
	return v.delete(f)
}

// CreateIndex makes an index.
func (v view) CreateIndex(path []string) error {
	_, err := v.createIndex(v.t, path)
	return err
}

// DropIndex ends an index.
func (v view) DropIndex(id string) error { return v.dropIndex(v.t, id) }

// Drop ends the table.
func (v view) Drop() error {
	v.dropTable(v.t)
	return nil
}
