package partiql

import "slices"

// walk calls f with e and all expressions in it, but not those of subqueries.
func walk(e expr, f func(expr)) {
	if e == nil {
		return
	}
	f(e)
	switch e := e.(type) {
	case *path:
		walk(e.root, f)
		for _, s := range e.steps {
			walk(s.index, f)
		}
	case *unary:
		walk(e.of, f)
	case *binary:
		for { // a chain leans to the left
			walk(e.right, f)
			left, ok := e.left.(*binary)
			if !ok {
				walk(e.left, f)
				return
			}
			f(left)
			e = left
		}
	case *in:
		walk(e.of, f)
		walk(e.list, f)
	case *is:
		walk(e.of, f)
	case *like:
		walk(e.of, f)
		walk(e.pattern, f)
		walk(e.escape, f)
	case *between:
		walk(e.of, f)
		walk(e.low, f)
		walk(e.high, f)
	case *list:
		for _, el := range e.elements {
			walk(el, f)
		}
	case *object:
		for i := range e.names {
			walk(e.names[i], f)
			walk(e.values[i], f)
		}
	case *aggregate:
		walk(e.of, f)
	case *call:
		for _, a := range e.args {
			walk(a, f)
		}
	}
}

// An Access is something a statement does to a table, as permissions have it.
type Access struct {
	// Table is its name: of history(…) and committed views the table's own, of the system table
	// information_schema.user_tables. UNDROP TABLE has no name, only an id, which stands here.
	Table  string
	Action Kind // Select and History read; a subquery's tables are read whatever the statement is
}

// Tables returns the names of the tables the statement touches, each once, in the order in which they
// stand there.
func (s *Statement) Tables() []string {
	var names []string
	for _, a := range s.Accesses() {
		if !slices.Contains(names, a.Table) {
			names = append(names, a.Table)
		}
	}
	return names
}

// Accesses returns what the statement does to which table, each once. What changes documents also
// reads them, and so has both.
func (s *Statement) Accesses() []Access {
	t := &accesses{}
	switch b := s.body.(type) {
	case *query:
		t.query(b)
	case *insert:
		t.add(b.table, s.kind)
		t.expr(b.values)
	case *update:
		for i := range b.sources {
			t.changed(&b.sources[i], s.kind)
		}
		for _, c := range b.changes {
			t.expr(c.path)
			t.expr(c.expr)
			t.expr(c.at)
		}
		t.expr(b.where)
	case *remove:
		t.changed(&b.from, s.kind)
		t.expr(b.where)
	case *createTable:
		t.add(b.table, s.kind)
	case *dropTable:
		t.add(b.table, s.kind)
	case *undropTable:
		t.add(b.id, s.kind)
	case *createIndex:
		t.add(b.table, s.kind)
	case *dropIndex:
		t.add(b.table, s.kind)
	}
	return t.all
}

type accesses struct{ all []Access }

func (t *accesses) add(table string, action Kind) {
	if a := (Access{table, action}); !slices.Contains(t.all, a) {
		t.all = append(t.all, a)
	}
}

func (t *accesses) expr(e expr) {
	walk(e, func(e expr) {
		if s, ok := e.(*subquery); ok {
			t.query(s.query)
		}
	})
}

// changed is a source whose documents the statement changes, if it is a table.
func (t *accesses) changed(s *source, kind Kind) {
	if s.table != "" {
		t.add(s.table, kind)
	}
	t.source(s)
}

func (t *accesses) source(s *source) {
	switch {
	case s.table != "":
		t.add(s.table, Select)
	case s.history != "":
		t.add(s.history, History)
	case s.schema:
		t.add(userTables, Select)
	}
	for _, a := range s.args {
		t.expr(a)
	}
	t.expr(s.expr)
	t.expr(s.on)
}

func (t *accesses) query(q *query) {
	t.expr(q.value)
	for _, i := range q.items {
		t.expr(i.expr)
	}
	for i := range q.sources {
		t.source(&q.sources[i])
	}
	t.expr(q.where)
}
