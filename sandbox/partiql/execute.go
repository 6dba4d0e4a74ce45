package partiql

import (
	"errors"

	"loadkms/sandbox/ion"
)

// What one statement may do. It keeps a join of lists, which asks the database for nothing, from running
// forever, and what it returns from filling the memory. QLDB ends what takes longer than 30 s.
const (
	// MaxSteps is how many rows are bound, fields built and elements looked at, with one more step for
	// every hundred bytes of a result. A scan of a million documents that returns them all is below it.
	MaxSteps = 5_000_000
	// maxWork is how many expressions are evaluated: some ten seconds.
	maxWork = 100_000_000
	// maxSources is how many sources one FROM has: planning looks at every pair of them.
	maxSources = 32
)

// An execution is one run of a statement.
type execution struct {
	statement *Statement
	params    []ion.Value
	db        Database
	steps     int
	work      int
	now       ion.Value // what UTCNOW() is; null until it is asked for
	rows      []ion.Value
}

func (x *execution) fail(offset int, format string, args ...any) error {
	return x.statement.semantic(offset, format, args...)
}

func (x *execution) noTable(offset int, name string) error {
	return x.fail(offset, "No such variable named '%s'", name)
}

func (x *execution) spend(steps int) error {
	if x.steps += steps; x.steps > MaxSteps {
		return x.fail(0, "The statement takes more than %d steps", MaxSteps)
	}
	return nil
}

// labor counts what takes about as long as evaluating n expressions.
func (x *execution) labor(n int) error {
	if x.work += n; x.work > maxWork {
		return x.fail(0, "The statement evaluates more than %d expressions", maxWork)
	}
	return nil
}

// deepResult is how deep a result nests: a document, what history and the committed view put around it,
// and what the statement does.
const deepResult = 2*ion.MaxDepth + 10

// stored counts what a document costs, and refuses one that could not be read again.
func (x *execution) stored(v ion.Value) error { return x.sized(v, ion.MaxDepth) }

func (x *execution) sized(v ion.Value, depth int) error {
	bytes, err := v.Size(depth)
	if err != nil {
		return x.fail(0, "A value is too large: %s", err.Error())
	}
	return x.spend(bytes / 100)
}

// built is for a new list or struct. One of few parts can be huge, if its parts are its parts' parts.
func (x *execution) built(v ion.Value) (datum, error) {
	bytes, err := v.Size(deepResult)
	if err != nil {
		return null, x.fail(0, "A value is too large: %s", err.Error())
	}
	return datum{Value: v}, x.labor(bytes / 8)
}

func (x *execution) emit(v ion.Value) error {
	x.rows = append(x.rows, v)
	return x.sized(v, deepResult)
}

func (x *execution) run() ([]ion.Value, error) {
	err := x.body()
	if err != nil {
		return nil, err
	}
	return x.rows, nil
}

func (x *execution) body() error {
	switch b := x.statement.body.(type) {
	case *query:
		return x.query(b, nil, x.emit)
	case *insert:
		return x.insert(b)
	case *update:
		return x.update(b)
	case *remove:
		return x.remove(b)
	case *createTable:
		tags := ion.Value{}
		if b.tags != nil {
			tags = *b.tags
		}
		id, err := x.db.CreateTable(b.table, tags)
		return x.done("tableId", id, err)
	case *undropTable:
		id, err := x.db.UndropTable(b.id)
		return x.done("tableId", id, err)
	case *dropTable:
		return x.onTable(b.offset, b.table, Table.Drop)
	case *createIndex:
		return x.onTable(b.offset, b.table, func(t Table) error { return t.CreateIndex(b.path) })
	case *dropIndex:
		return x.onTable(b.offset, b.table, func(t Table) error { return t.DropIndex(b.id) })
	}
	return errors.New("partiql: a statement that was not parsed") // a zero Statement
}

// done emits the row of a change that went well.
func (x *execution) done(field, id string, err error) error {
	if err != nil {
		return err
	}
	return x.emit(ion.Struct(ion.Field{Name: field, Value: ion.String(id)}))
}

func (x *execution) onTable(offset int, name string, do func(Table) error) error {
	t, ok := x.db.Table(name)
	if !ok {
		return x.noTable(offset, name)
	}
	return x.done("tableId", t.ID(), do(t))
}

// query emits the rows of q, seen from within outer.
func (x *execution) query(q *query, outer *scope, emit func(ion.Value) error) error {
	totals, err := x.totals(q)
	if err != nil {
		return err
	}
	if totals == nil {
		return x.find(q.sources, q.where, outer, func(sc *scope) error {
			d, err := x.project(q, sc)
			if err != nil || d.missing {
				return err
			}
			return emit(d.Value)
		})
	}
	err = x.find(q.sources, q.where, outer, func(sc *scope) error {
		for _, t := range totals {
			if err := x.total(t, sc); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	sc := &scope{sources: q.sources, rows: make([]row, len(q.sources)), outer: outer, totals: map[*aggregate]datum{}}
	for _, t := range totals {
		if sc.totals[t.of], err = x.result(t); err != nil {
			return err
		}
	}
	d, err := x.project(q, sc)
	if err != nil {
		return err
	}
	return emit(d.Value)
}

// project makes a result row of the bound rows.
func (x *execution) project(q *query, sc *scope) (datum, error) {
	switch {
	case q.value != nil:
		return x.eval(q.value, sc)
	case len(q.items) == 0 && len(sc.rows) == 1 && sc.rows[0].value.Kind() == ion.KindStruct:
		return sc.rows[0].value, nil
	case len(q.items) == 0:
		var fields []ion.Field
		for i := range sc.rows {
			fields = spread(fields, sc.rows[i].value, &sc.sources[i], i)
		}
		return x.row(fields)
	}
	fields := make([]ion.Field, 0, len(q.items))
	for i, it := range q.items {
		d, err := x.eval(it.expr, sc)
		switch {
		case err != nil:
			return null, err
		case it.all:
			fields = spread(fields, d, nil, i)
		case !d.missing:
			fields = append(fields, ion.Field{Name: it.name(i), Value: d.Value})
		}
	}
	return x.row(fields)
}

func (x *execution) row(fields []ion.Field) (datum, error) {
	if err := x.spend(len(fields)); err != nil {
		return null, err
	}
	return x.built(ion.Struct(fields...))
}

// spread adds the fields of a struct; what is none becomes a field, named by its source or position.
func spread(fields []ion.Field, d datum, s *source, i int) []ion.Field {
	if d.missing {
		return fields
	}
	if d.Kind() != ion.KindStruct || d.IsNull() {
		name := ""
		if s != nil {
			name = s.alias()
		}
		if name == "" {
			name = numbered(i)
		}
		return append(fields, ion.Field{Name: name, Value: d.Value})
	}
	for name, v := range d.Fields() {
		fields = append(fields, ion.Field{Name: name, Value: v})
	}
	return fields
}

// name is what a column is called: by its alias, by the last name of its path, or _1, _2 …
func (it *item) name(i int) string {
	if it.as != "" {
		return it.as
	}
	if pa, ok := it.expr.(*path); ok {
		if n := pa.lastName(); n != "" {
			return n
		}
	}
	return numbered(i)
}

// find calls f with every combination of rows that meets the conditions, bound in a scope which it may
// use until it returns.
func (x *execution) find(sources []source, where expr, outer *scope, f func(*scope) error) error {
	p, err := x.plan(sources, where, outer)
	if err != nil {
		return err
	}
	sc := &scope{sources: sources, rows: make([]row, len(sources)), outer: outer, names: len(sources)}
	if outer != nil {
		sc.names += outer.names
	}
	return x.loop(p, sc, 0, f)
}

// loop binds source i and those behind it.
func (x *execution) loop(p *plan, sc *scope, i int, f func(*scope) error) error {
	if i == len(sc.sources) {
		return f(sc)
	}
	err := x.each(p, sc, i, func(r row) error {
		if err := x.spend(1); err != nil {
			return err
		}
		sc.rows[i], sc.bound = r, i+1
		for _, c := range p.conditions[i] {
			d, err := x.eval(c, sc)
			if err != nil {
				return err
			}
			if !d.holds() {
				return nil
			}
		}
		return x.loop(p, sc, i+1, f)
	})
	sc.bound = i
	return err
}

// each calls f with every row of source i, seen from the rows bound before it.
func (x *execution) each(p *plan, sc *scope, i int, f func(row) error) error {
	s := &sc.sources[i]
	sc.bound = i
	switch {
	case p.tables[i] != nil:
		return x.documents(p.tables[i], s, &p.access[i], sc, f)
	case s.schema:
		for v, err := range x.db.UserTables() {
			if err != nil {
				return err
			}
			if err := f(row{value: datum{Value: v}}); err != nil {
				return err
			}
		}
		return nil
	case s.history != "":
		return x.history(s, sc, f)
	}
	of := datum{}
	if s.expr == nil {
		of = sc.name(s.table) // an alias that stands where a table could
	} else {
		var err error
		if of, err = x.eval(s.expr, sc); err != nil {
			return err
		}
	}
	switch {
	case of.missing:
		return nil
	case of.IsNull() || of.Kind() != ion.KindList && of.Kind() != ion.KindSexp: // as a list of one
		return f(row{value: of})
	}
	n := int64(0)
	for v := range of.Elements() {
		if err := f(row{value: datum{Value: v}, element: true, position: n}); err != nil {
			return err
		}
		n++
	}
	return nil
}

func (x *execution) history(s *source, sc *scope, f func(row) error) error {
	var span [2]ion.Value
	for i, a := range s.args {
		d, err := x.eval(a, sc)
		if err != nil {
			return err
		}
		if d.missing || !d.IsNull() && d.Kind() != ion.KindTimestamp {
			return x.fail(s.offset, "The start and end of history must be timestamps")
		}
		if !d.IsNull() {
			span[i] = d.Value
		}
	}
	revisions, ok := x.db.History(s.history, span[0], span[1])
	if !ok {
		return x.noTable(s.offset, s.history)
	}
	for v, err := range revisions {
		if err != nil {
			return err
		}
		if err := f(row{value: datum{Value: v}}); err != nil {
			return err
		}
	}
	return nil
}

// documents calls f with the documents of a table, or with their committed revisions.
func (x *execution) documents(t Table, s *source, a *access, sc *scope, f func(row) error) error {
	one := func(d Document, err error) error {
		if err != nil {
			return err
		}
		r := row{value: datum{Value: d.Value}, id: d.ID}
		if s.committed {
			v, ok, err := t.Revision(d.ID)
			if err != nil || !ok {
				return err
			}
			r.value.Value = v
		}
		return f(r)
	}
	if a.how == scan {
		for d, err := range t.Scan() {
			if err := one(d, err); err != nil {
				return err
			}
		}
		return nil
	}
	keys, err := x.keys(a, sc)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if a.how == byID {
			id, ok := key.AsText()
			if !ok {
				continue
			}
			d, ok, err := t.Document(id)
			if err == nil && !ok {
				continue
			}
			if err := one(d, err); err != nil {
				return err
			}
			continue
		}
		for d, err := range t.Lookup(a.path, key) {
			if err := one(d, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// keys computes what to look up: no NULL, and nothing twice.
func (x *execution) keys(a *access, sc *scope) ([]ion.Value, error) {
	d, err := x.eval(a.key, sc)
	if err != nil {
		return nil, err
	}
	if !a.list {
		if d.unknown() {
			return nil, nil
		}
		return []ion.Value{d.Value}, nil
	}
	var keys []ion.Value
	seen := map[string]bool{}
	for v := range d.Elements() {
		if v.IsNull() {
			continue
		}
		k := v.Key()
		if err := x.labor(1 + len(k)/64); err != nil {
			return nil, err
		}
		if !seen[k] {
			seen[k] = true
			keys = append(keys, v)
		}
	}
	return keys, nil
}
