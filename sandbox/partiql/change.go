package partiql

import (
	"slices"

	"loadkms/sandbox/ion"
)

func (x *execution) insert(i *insert) error {
	t, ok := x.db.Table(i.table)
	if !ok {
		return x.noTable(i.offset, i.table)
	}
	d, err := x.eval(i.values, nil)
	if err != nil {
		return err
	}
	documents := []ion.Value{d.Value}
	if !i.single && d.Kind() == ion.KindList {
		documents = slices.Collect(d.Elements())
	}
	for _, v := range documents { // all are looked at before the first is stored
		if v.Kind() != ion.KindStruct || v.IsNull() {
			return x.fail(i.offset, "Only structs can be inserted into a table")
		}
		if err := x.stored(v); err != nil { // it must be read again
			return err
		}
	}
	for _, v := range documents {
		id, err := t.Insert(v)
		if err := x.done("documentId", id, err); err != nil {
			return err
		}
	}
	return nil
}

// matching collects the rows a change is about before anything is changed, so that none is met again.
func (x *execution) matching(sources []source, where expr) (t Table, rows [][]row, err error) {
	err = x.find(sources, where, nil, func(sc *scope) error {
		rows = append(rows, slices.Clone(sc.rows))
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	t, ok := x.db.Table(sources[0].table)
	if !ok {
		return nil, nil, x.noTable(sources[0].offset, sources[0].table)
	}
	return t, rows, nil
}

func (x *execution) remove(d *remove) error {
	t, rows, err := x.matching([]source{d.from}, d.where)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := x.done("documentId", r[0].id, t.Delete(r[0].id)); err != nil {
			return err
		}
	}
	return nil
}

func (x *execution) update(u *update) error {
	t, rows, err := x.matching(u.sources, u.where)
	if err != nil {
		return err
	}
	// A document has a row for each element of its lists that matches.
	var ids []string
	of := map[string][][]row{}
	for _, r := range rows {
		id := r[0].id
		if of[id] == nil {
			ids = append(ids, id)
		}
		of[id] = append(of[id], r)
	}
	for _, id := range ids {
		v, kept := of[id][0][0].value.Value, true
		// The last element goes first: removing one does not move those before it.
		for _, r := range slices.Backward(of[id]) {
			sc := &scope{sources: u.sources, rows: r, bound: len(r)}
			for i := range u.changes {
				c := &u.changes[i]
				var problem error
				if v, kept, problem = x.apply(c, v, sc); problem != nil || !kept {
					err = problem
					break
				}
			}
			if err != nil {
				return err
			}
			if !kept {
				break
			}
		}
		switch {
		case !kept:
			err = t.Delete(id)
		case v.Kind() != ion.KindStruct || v.IsNull():
			return x.fail(u.changes[0].path.offset, "A document must be a struct")
		default:
			if err := x.stored(v); err != nil {
				return err
			}
			err = t.Update(id, v)
		}
		if err := x.done("documentId", id, err); err != nil {
			return err
		}
	}
	return nil
}

// A place is one step of a path whose index is known: a name, or a position of a list.
type place struct {
	name string
	at   int // below zero if the place has a name
}

// places evaluates the steps of a path.
func (x *execution) places(pa *path, sc *scope) (places []place, err error) {
	for _, s := range pa.steps {
		if s.index == nil {
			places = append(places, place{s.name, -1})
			continue
		}
		d, err := x.eval(s.index, sc)
		if err != nil {
			return nil, err
		}
		n, isInt := d.AsInt()
		name, isText := d.AsText()
		switch {
		case isText:
			places = append(places, place{name, -1})
		case isInt && n >= 0 && n < ion.MaxValues:
			places = append(places, place{"", int(n)})
		default:
			return nil, x.fail(pa.offset, "An index must be a position or a name")
		}
	}
	return places, nil
}

// placeOf tells where in the document the row of source i lies: nowhere deeper, for the table itself.
func (x *execution) placeOf(i int, sc *scope) ([]place, error) {
	if i == 0 {
		return nil, nil
	}
	pa := sc.sources[i].expr.(*path)
	before, err := x.placeOf(aliasOf(sc.sources[:i], pa.name), sc)
	if err != nil {
		return nil, err
	}
	steps, err := x.places(pa, sc)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(before, steps)
	if sc.rows[i].element {
		all = append(all, place{"", int(sc.rows[i].position)})
	}
	return all, nil
}

// apply makes one change to v. What it depends on is what the document was before all changes. It
// reports false if the document is to be deleted.
func (x *execution) apply(c *change, v ion.Value, sc *scope) (_ ion.Value, kept bool, err error) {
	places, err := x.places(c.path, sc)
	if err != nil {
		return v, true, err
	}
	source := slices.IndexFunc(sc.sources, func(s source) bool { return s.alias() == c.path.name })
	if source < 0 {
		places = slices.Insert(places, 0, place{c.path.name, -1})
	} else {
		before, err := x.placeOf(source, sc)
		if err != nil {
			return v, true, err
		}
		places = slices.Concat(before, places)
	}
	if len(places) == 0 && c.what == removePath {
		return v, false, nil
	}
	var value datum
	if c.expr != nil {
		if value, err = x.eval(c.expr, sc); err != nil {
			return v, true, err
		}
	}
	do := edit{what: c.what, value: value, at: -1}
	if value.missing {
		if c.what == insertInto {
			return v, true, nil
		}
		do.what = removePath // setting to MISSING
	}
	if c.at != nil {
		d, err := x.eval(c.at, sc)
		if err != nil {
			return v, true, err
		}
		n, isInt := d.AsInt()
		name, isText := d.AsText()
		switch {
		case isText: // a field of a struct
			do.what = set
			places = append(places, place{name, -1})
		case isInt && n >= 0 && n < ion.MaxValues:
			do.at = int(n)
		default:
			return v, true, x.fail(c.path.offset, "AT must be a position or a name")
		}
	}
	changed, problem := do.in(v, places)
	if problem != "" {
		return v, true, x.fail(c.path.offset, "%s", problem)
	}
	return changed, true, nil
}

// An edit is a change whose values are known.
type edit struct {
	what  changeKind
	value datum
	at    int // where to insert; below zero for the end
}

// in makes the edit at a place within v and returns v changed, or why it cannot be done.
func (e *edit) in(v ion.Value, places []place) (changed ion.Value, problem string) {
	if len(places) == 0 {
		switch e.what {
		case set:
			return e.value.Value, ""
		case removePath: // the document, by a SET to MISSING
			return v, "A document must be a struct"
		}
		if v.Kind() != ion.KindList || v.IsNull() {
			return v, "INSERT INTO a path needs a list there"
		}
		elements := slices.Collect(v.Elements())
		at := len(elements)
		if e.at >= 0 {
			at = min(e.at, at)
		}
		return ion.List(slices.Insert(elements, at, e.value.Value)...).Annotated(v.Annotations()...), ""
	}
	here, last := places[0], len(places) == 1
	if here.at >= 0 {
		return e.inList(v, here.at, places[1:], last)
	}
	if v.Kind() != ion.KindStruct || v.IsNull() {
		if e.what == removePath {
			return v, ""
		}
		return v, "'" + here.name + "' is not a field of a struct"
	}
	fields := make([]ion.Field, 0, v.Len()+1)
	found := false
	for name, old := range v.Fields() {
		if name != here.name || found && e.what != removePath {
			fields = append(fields, ion.Field{Name: name, Value: old})
			continue
		}
		found = true
		if last && e.what == removePath {
			continue
		}
		if old, problem = e.in(old, places[1:]); problem != "" {
			return v, problem
		}
		fields = append(fields, ion.Field{Name: name, Value: old})
	}
	switch {
	case found || e.what == removePath:
	case last && e.what == set:
		fields = append(fields, ion.Field{Name: here.name, Value: e.value.Value})
	default:
		return v, "There is no '" + here.name + "'"
	}
	return ion.Struct(fields...).Annotated(v.Annotations()...), ""
}

func (e *edit) inList(v ion.Value, at int, rest []place, last bool) (changed ion.Value, problem string) {
	old, ok := v.Index(at)
	switch {
	case !ok && e.what == removePath:
		return v, ""
	case !ok || v.Kind() != ion.KindList:
		return v, "There is no such position"
	}
	elements := slices.Collect(v.Elements())
	if last && e.what == removePath {
		elements = slices.Delete(elements, at, at+1)
	} else if elements[at], problem = e.in(old, rest); problem != "" {
		return v, problem
	}
	return ion.List(elements...).Annotated(v.Annotations()...), ""
}
