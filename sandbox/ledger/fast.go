package ledger

import (
	"context"
	"time"

	"loadkms/sandbox/ion"
)

// This file is the short way to the documents, for the API's two statements. Laws:
//
//  1. An insert of one new document conflicts with nobody: it has read nothing. It holds commits
//     shared, so that it is wholly before or wholly after a transaction.
//  2. A look-up takes no lock but that of one part of an index. If a transaction has changed
//     anything meanwhile, it looks again, with the lock.
//  3. Both leave behind what the statements would: the same records, the same block.

// idPath is the path of the field that the API looks for.
var idPath = []string{"id"}

// insert stores a JSON document, which is valid.
func (l *ledger) insert(ctx context.Context, open *openKeys, t *table, doc []byte, now time.Time) error {
	l.commits.RLock()
	defer l.commits.RUnlock()
	if t.dropped.Load() {
		return noTable(t.name)
	}
	n := t.count.Add(1) - 1
	p, err := l.journal.insert(ctx, open, header{kind: insertion, table: t.number, document: n,
		number: l.transactions.Add(1), time: l.journal.since(now)}, doc)
	if err != nil {
		return err
	}
	t.documents.set(n, p)
	for _, x := range t.indexed() {
		if id, ok := indexedJSON(doc, x.path); ok {
			x.add(id, n)
		}
	}
	t.modified.Add(1)
	return nil
}

// indexedJSON returns under which value an index on a path has a JSON document, if at all.
func indexedJSON(doc []byte, path []string) (ID, bool) {
	raw := doc
	for _, name := range path {
		if p := skipSpace(raw, 0); p == len(raw) || raw[p] != '{' {
			return ID{}, false
		}
		if raw = documentField(raw, name); raw == nil {
			return ID{}, false
		}
	}
	if id, ok := parseID(raw); ok {
		return id, true
	}
	v, err := ion.FromJSON(raw)
	if err != nil {
		return ID{}, false
	}
	return idOf(v)
}

// find appends the first document with this id to dst, as JSON.
func (l *ledger) find(ctx context.Context, open *openKeys, t *table, id ID, dst []byte) ([]byte, bool, error) {
	x := t.index(idPath)
	if x == nil {
		return l.search(ctx, open, t, id, dst)
	}
	before := l.changes.Load()
	p := x.place(t, id)
	if before%2 != 0 || l.changes.Load() != before {
		l.commits.RLock()
		p = x.place(t, id)
		l.commits.RUnlock()
	}
	if p == 0 {
		return dst, false, nil
	}
	from := len(dst)
	b, err := l.journal.read(ctx, open, p, dst)
	if err != nil {
		return dst, false, err
	}
	length, binary := skipHeader(b[from:])
	if binary {
		b, err = appendJSON(b[:from], b[from+length:])
		return b, err == nil, err
	}
	return b[:from+copy(b[from:], b[from+length:])], true, nil
}

// place returns where the first document with this id is, or 0.
func (x *index) place(t *table, id ID) place {
	n, ok := x.first(id)
	if !ok {
		return 0
	}
	return t.documents.at(n)
}

// search finds a document in a table without an index on the field id, as the first of all that has it.
func (l *ledger) search(ctx context.Context, open *openKeys, t *table, id ID, dst []byte) ([]byte, bool, error) {
	for _, p := range t.live() {
		h, content, err := l.journal.record(ctx, open, p)
		if err != nil {
			return dst, false, err
		}
		v, err := valueOf(h, content)
		if err != nil {
			return dst, false, err
		}
		field, ok := v.Field("id")
		if !ok {
			continue
		}
		if got, ok := idOf(field); !ok || got != id {
			continue
		}
		if h.ion {
			dst, err = appendJSON(dst, content)
			return dst, err == nil, err
		}
		return append(dst, content...), true, nil
	}
	return dst, false, nil
}
