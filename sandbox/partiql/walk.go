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

// Tables returns the names of the tables the statement touches, each once, in the order in which they
// stand there: those of history(…) and of committed views by the table's own name, the system table as
// information_schema.user_tables. UNDROP TABLE has no name, only an id, and returns that.
func (s *Statement) Tables() []string {
	t := &tables{}
	switch b := s.body.(type) {
	case *query:
		t.query(b)
	case *insert:
		t.add(b.table)
		t.expr(b.values)
	case *update:
		for i := range b.sources {
			t.source(&b.sources[i])
		}
		for _, c := range b.changes {
			t.expr(c.path)
			t.expr(c.expr)
			t.expr(c.at)
		}
		t.expr(b.where)
	case *remove:
		t.source(&b.from)
		t.expr(b.where)
	case *createTable:
		t.add(b.table)
	case *dropTable:
		t.add(b.table)
	case *undropTable:
		t.add(b.id)
	case *createIndex:
		t.add(b.table)
	case *dropIndex:
		t.add(b.table)
	}
	return t.names
}

type tables struct{ names []string }

func (t *tables) add(name string) {
	if !slices.Contains(t.names, name) {
		t.names = append(t.names, name)
	}
}

func (t *tables) expr(e expr) {
	walk(e, func(e expr) {
		if s, ok := e.(*subquery); ok {
			t.query(s.query)
		}
	})
}

func (t *tables) source(s *source) {
	switch {
	case s.table != "":
		t.add(s.table)
	case s.history != "":
		t.add(s.history)
	case s.schema:
		t.add(userTables)
	}
	for _, a := range s.args {
		t.expr(a)
	}
	t.expr(s.expr)
	t.expr(s.on)
}

func (t *tables) query(q *query) {
	t.expr(q.value)
	for _, i := range q.items {
		t.expr(i.expr)
	}
	for i := range q.sources {
		t.source(&q.sources[i])
	}
	t.expr(q.where)
}
