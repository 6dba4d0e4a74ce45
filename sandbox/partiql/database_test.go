package partiql

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"loadkms/sandbox/ion"
)

// memory is a Database of plain slices that writes down every read.
type memory struct {
	tables  []*memoryTable
	dropped []*memoryTable
	reads   []string
	ios     int // documents yielded
}

type memoryTable struct {
	db      *memory
	id      string
	name    string
	indexes [][]string
	docs    []memoryDocument
	next    int
}

type memoryDocument struct {
	Document
	version int64
}

func (m *memory) read(format string, args ...any) {
	m.reads = append(m.reads, fmt.Sprintf(format, args...))
}

func (m *memory) TransactionID() string { return "L7S9iJqcn9W2M4qOEn27ay" }

func (m *memory) Now() time.Time { return time.Date(2019, 12, 27, 20, 12, 16, 999_500_000, time.UTC) }

func (m *memory) Table(name string) (Table, bool) {
	for _, t := range m.tables {
		if t.name == name {
			return t, true
		}
	}
	return nil, false
}

func (m *memory) UserTables() iter.Seq2[ion.Value, error] {
	return func(yield func(ion.Value, error) bool) {
		row := func(t *memoryTable, status string) bool {
			indexes := []ion.Value{}
			for i, p := range t.indexes {
				indexes = append(indexes, ion.Struct(
					ion.Field{Name: "indexId", Value: ion.String(fmt.Sprint("i", i))},
					ion.Field{Name: "expr", Value: ion.String("[" + strings.Join(p, ".") + "]")}))
			}
			return yield(ion.Struct(
				ion.Field{Name: "tableId", Value: ion.String(t.id)},
				ion.Field{Name: "name", Value: ion.String(t.name)},
				ion.Field{Name: "status", Value: ion.String(status)},
				ion.Field{Name: "indexes", Value: ion.List(indexes...)}), nil)
		}
		for _, t := range m.tables {
			if !row(t, "ACTIVE") {
				return
			}
		}
		for _, t := range m.dropped {
			if !row(t, "INACTIVE") {
				return
			}
		}
	}
}

func (m *memory) History(name string, from, to ion.Value) (iter.Seq2[ion.Value, error], bool) {
	for _, t := range m.tables {
		if t.name == name {
			m.read("history %s %s %s", name, from.Text(), to.Text())
			return func(yield func(ion.Value, error) bool) {
				for _, d := range t.docs {
					if !yield(d.revision(), nil) {
						return
					}
				}
			}, true
		}
	}
	return nil, false
}

func (m *memory) CreateTable(name string, tags ion.Value) (string, error) {
	if _, taken := m.Table(name); taken {
		return "", fmt.Errorf("Table with name: USER.%s already exists", name)
	}
	t := &memoryTable{db: m, id: fmt.Sprintf("table%d", len(m.tables)+len(m.dropped)), name: name}
	m.tables = append(m.tables, t)
	return t.id, nil
}

func (m *memory) UndropTable(id string) (string, error) {
	for i, t := range m.dropped {
		if t.id == id {
			m.dropped = slices.Delete(m.dropped, i, i+1)
			m.tables = append(m.tables, t)
			return id, nil
		}
	}
	return "", errors.New("no such table")
}

func (t *memoryTable) ID() string { return t.id }

func (t *memoryTable) Indexed(path []string) bool {
	return slices.ContainsFunc(t.indexes, func(p []string) bool { return slices.Equal(p, path) })
}

func (t *memoryTable) Scan() iter.Seq2[Document, error] {
	t.db.read("scan %s", t.name)
	return t.yield(func(Document) bool { return true })
}

func (t *memoryTable) Lookup(path []string, v ion.Value) iter.Seq2[Document, error] {
	t.db.read("lookup %s %s %s", t.name, strings.Join(path, "."), v.Text())
	return t.yield(func(d Document) bool {
		at := d.Value
		for _, f := range path {
			var ok bool
			if at, ok = at.Field(f); !ok {
				return false
			}
		}
		return ion.Equal(at, v)
	})
}

func (t *memoryTable) yield(want func(Document) bool) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for _, d := range t.docs {
			if !want(d.Document) {
				continue
			}
			t.db.ios++
			if !yield(d.Document, nil) {
				return
			}
		}
	}
}

func (t *memoryTable) find(id string) int {
	return slices.IndexFunc(t.docs, func(d memoryDocument) bool { return d.ID == id })
}

func (t *memoryTable) Document(id string) (Document, bool, error) {
	t.db.read("document %s %s", t.name, id)
	if i := t.find(id); i >= 0 {
		return t.docs[i].Document, true, nil
	}
	return Document{}, false, nil
}

func (d *memoryDocument) revision() ion.Value {
	return ion.Struct(
		ion.Field{Name: "data", Value: d.Value},
		ion.Field{Name: "metadata", Value: ion.Struct(
			ion.Field{Name: "id", Value: ion.String(d.ID)},
			ion.Field{Name: "version", Value: ion.Int(d.version)})})
}

func (t *memoryTable) Revision(id string) (ion.Value, bool, error) {
	i := t.find(id)
	return t.docs[i].revision(), true, nil
}

func (t *memoryTable) Insert(v ion.Value) (string, error) {
	id := fmt.Sprintf("%s%d", t.name, t.next)
	t.next++
	t.docs = append(t.docs, memoryDocument{Document: Document{ID: id, Value: v}})
	return id, nil
}

func (t *memoryTable) Update(id string, v ion.Value) error {
	i := t.find(id)
	t.docs[i].Value = v
	t.docs[i].version++
	return nil
}

func (t *memoryTable) Delete(id string) error {
	i := t.find(id)
	t.docs = slices.Delete(t.docs, i, i+1)
	return nil
}

func (t *memoryTable) CreateIndex(path []string) error {
	t.indexes = append(t.indexes, path)
	return nil
}

func (t *memoryTable) DropIndex(id string) error {
	for i := range t.indexes {
		if fmt.Sprint("i", i) == id {
			t.indexes = slices.Delete(t.indexes, i, i+1)
			return nil
		}
	}
	return errors.New("no such index")
}

func (t *memoryTable) Drop() error {
	i := slices.Index(t.db.tables, t)
	t.db.tables = slices.Delete(t.db.tables, i, i+1)
	t.db.dropped = append(t.db.dropped, t)
	return nil
}
