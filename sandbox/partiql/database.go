package partiql

import (
	"iter"
	"time"

	"loadkms/sandbox/ion"
)

// A Database is what a statement runs on: one transaction's view of a ledger. All its methods are
// called by the goroutine that called Execute; the iterators too. An error of any of them ends the
// statement and is returned by Execute as it is.
//
// What a transaction has read decides whether it conflicts with others, so every read is asked for by
// what it is: Table.Scan and History are full scans, Table.Lookup is an index scan that depends on one
// value of one index, Table.Document depends on one document. The evaluator asks for no more than it
// needs: nothing is read ahead, and an iterator is left as soon as the rest of it cannot matter.
type Database interface {
	// Table returns the active table of this name. Names are case-sensitive.
	Table(name string) (Table, bool)
	// UserTables yields the rows of information_schema.user_tables, also those of dropped tables:
	// {tableId, name, status, indexes: [{indexId, expr: "[path]", status}]}.
	UserTables() iter.Seq2[ion.Value, error]
	// History yields every committed revision of every document of a table, also of a dropped one
	// if name is its id, as {blockAddress, hash, data, metadata: {id, version, txTime, txId}}. from and
	// to are timestamps, or null where the statement has none: revisions active at some time within
	// them are yielded. It reports false if there is no such table.
	History(name string, from, to ion.Value) (iter.Seq2[ion.Value, error], bool)
	// CreateTable returns the id of the new table. tags is what WITH (tags = …) has, or null.
	CreateTable(name string, tags ion.Value) (id string, err error)
	// TransactionID returns the transaction's 22 characters, for TXID().
	TransactionID() string
	// Now returns the time, for UTCNOW().
	Now() time.Time
	// UndropTable makes a dropped table active again and returns its id.
	UndropTable(id string) (tableID string, err error)
}

// A Table is an active table as one transaction sees it, its own changes included.
type Table interface {
	// ID is the table's 22 characters.
	ID() string
	// Indexed reports whether an index on the field at this path can be used for look-ups.
	Indexed(path []string) bool
	// Scan yields all documents: a full scan. While it runs nothing is changed, but other reads of
	// this table may be asked for. Joins scan a table again for every row before it, as QLDB does
	// (its ReadIOs count each).
	Scan() iter.Seq2[Document, error]
	// Lookup yields at least the documents whose field at an indexed path is ion.Equal to v, which is
	// not null: an index scan. It may yield more, which are then sorted out.
	Lookup(path []string, v ion.Value) iter.Seq2[Document, error]
	// Document returns the document with this id, and false if there is none: a read of one document.
	Document(id string) (Document, bool, error)
	// Revision returns the committed revision of a document that Scan, Lookup or Document has
	// yielded, in the shape of History, and false if it is not committed yet. It is not a read of its own.
	Revision(id string) (ion.Value, bool, error)

	// Insert stores a struct and returns its document's new id.
	Insert(v ion.Value) (id string, err error)
	// Update replaces a document that has been read. v is a struct.
	Update(id string, v ion.Value) error
	// Delete deletes a document that has been read.
	Delete(id string) error

	// CreateIndex makes an index on the field at this path.
	CreateIndex(path []string) error
	// DropIndex drops an index by its id.
	DropIndex(id string) error
	// Drop makes the table inactive.
	Drop() error
}

// A Document is one row of a table.
type Document struct {
	ID    string // 22 characters
	Value ion.Value
}
