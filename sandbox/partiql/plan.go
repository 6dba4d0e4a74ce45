package partiql

import "slices"

// A plan is how the rows of FROM … WHERE are found: nested loops over the sources in the order they
// stand in, each through an index if it can be, with every condition tested as soon as what it names is
// bound.
type plan struct {
	tables     []Table  // of each source that is one; nil otherwise
	access     []access // of each source
	conditions [][]expr // of each source: what can be tested once it is bound
}

// An access is how a table is read. QLDB uses an index for = and IN only, and so do we.
type access struct {
	how  accessKind
	path []string // of the index
	// key is what the field, or the id, must be equal to; of a list, one of its elements.
	key  expr
	list bool
}

type accessKind uint8

const (
	scan accessKind = iota
	lookup
	byID
)

// plan looks up the tables and decides how to read each. It reads no documents.
func (x *execution) plan(sources []source, where expr, outer *scope) (*plan, error) {
	p := &plan{
		tables:     make([]Table, len(sources)),
		access:     make([]access, len(sources)),
		conditions: make([][]expr, len(sources)),
	}
	for i := range sources {
		s := &sources[i]
		if s.table == "" || nestedName(sources[:i], outer, s.table) {
			continue
		}
		t, ok := x.db.Table(s.table)
		if !ok {
			return nil, x.noTable(s.offset, s.table)
		}
		p.tables[i] = t
	}
	all := conjuncts(nil, where)
	for i := range sources {
		all = conjuncts(all, sources[i].on)
	}
	if err := x.labor(len(all) * len(sources)); err != nil {
		return nil, err
	}
	for _, c := range all {
		level := max(0, depends(c, sources, outer))
		p.conditions[level] = append(p.conditions[level], c)
	}
	for i := range sources {
		if p.tables[i] == nil {
			continue
		}
		for _, c := range all {
			a, ok := p.usable(c, i, sources, outer)
			if ok && a.how > p.access[i].how { // an id beats an index, an index a scan
				p.access[i] = a
			}
		}
	}
	return p, nil
}

// nestedName reports whether the name of a source is an alias before it, so that it is no table.
func nestedName(before []source, outer *scope, name string) bool {
	for i := range before {
		if before[i].as == name || before[i].by == name || before[i].at == name {
			return true
		}
	}
	for s := outer; s != nil; s = s.outer {
		if nestedName(s.sources, nil, name) {
			return true
		}
	}
	return false
}

// conjuncts splits what AND connects.
func conjuncts(all []expr, e expr) []expr {
	if e == nil {
		return all
	}
	first := len(all)
	for {
		b, ok := e.(*binary)
		if !ok || b.op != "AND" {
			all = append(all, e)
			slices.Reverse(all[first:])
			return all
		}
		all = append(all, b.right) // a chain leans to the left
		e = b.left
	}
}

// depends returns the last source that e names, or -1 if it names none. A name that is no alias, here or
// in a query around this one, could be a field of any source.
func depends(e expr, sources []source, outer *scope) int {
	last := -1
	walk(e, func(e expr) {
		switch e := e.(type) {
		case *path:
			if e.root == nil {
				i := aliasOf(sources, e.name)
				if i < 0 && !nestedAlias(outer, e.name) {
					i = len(sources) - 1
				}
				last = max(last, i)
			}
		case *subquery:
			last = len(sources) - 1
		}
	})
	return last
}

func aliasOf(sources []source, name string) int {
	for i := range sources {
		if s := &sources[i]; name != "" && (name == s.alias() || name == s.by || name == s.at) {
			return i
		}
	}
	return -1
}

// usable tells how condition c lets source i be read without a scan.
func (p *plan) usable(c expr, i int, sources []source, outer *scope) (access, bool) {
	switch c := c.(type) {
	case *binary:
		if c.op != "=" {
			break
		}
		if a, ok := p.keyed(c.left, c.right, i, sources, outer); ok {
			return a, true
		}
		return p.keyed(c.right, c.left, i, sources, outer)
	case *in:
		if c.not {
			break
		}
		a, ok := p.keyed(c.of, c.list, i, sources, outer)
		a.list = true
		return a, ok
	}
	return access{}, false
}

// keyed tells whether of is an indexed field or the id of source i, and key is known before i is bound.
func (p *plan) keyed(of, key expr, i int, sources []source, outer *scope) (access, bool) {
	pa, ok := of.(*path)
	if !ok || pa.root != nil || depends(key, sources, outer) >= i {
		return access{}, false
	}
	s := &sources[i]
	var fields []string
	switch alias := aliasOf(sources, pa.name); {
	case alias == i && pa.name == s.by && pa.name != s.alias():
		return access{how: byID, key: key}, len(pa.steps) == 0
	case alias == i && pa.name == s.alias():
	case alias < 0 && len(sources) == 1 && !nestedAlias(outer, pa.name):
		fields = append(fields, pa.name)
	default:
		return access{}, false
	}
	for _, st := range pa.steps {
		name := st.name
		if st.index != nil {
			l, ok := st.index.(*literal)
			if !ok {
				return access{}, false
			}
			if name, ok = l.value.AsText(); !ok {
				return access{}, false
			}
		}
		fields = append(fields, name)
	}
	if s.committed {
		switch {
		case slices.Equal(fields, []string{"metadata", "id"}):
			return access{how: byID, key: key}, true
		case len(fields) < 2 || fields[0] != "data":
			return access{}, false
		}
		fields = fields[1:]
	}
	if len(fields) == 0 || !p.tables[i].Indexed(fields) {
		return access{}, false
	}
	return access{how: lookup, path: fields, key: key}, true
}

// nestedAlias reports whether a query around this one has given the name.
func nestedAlias(outer *scope, name string) bool {
	for s := outer; s != nil; s = s.outer {
		if aliasOf(s.sources, name) >= 0 {
			return true
		}
	}
	return false
}
