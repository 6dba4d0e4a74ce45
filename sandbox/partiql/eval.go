package partiql

import (
	"unicode/utf8"

	"loadkms/sandbox/ion"
)

// A datum is a value or MISSING: what a path to nowhere is. It is not NULL, which is a value.
type datum struct {
	ion.Value
	missing bool
}

var (
	null    = datum{}
	nowhere = datum{missing: true}
)

func truth(b bool) datum { return datum{Value: ion.Bool(b)} }

// unknown reports whether d is NULL or MISSING.
func (d datum) unknown() bool { return d.missing || d.IsNull() }

// holds reports whether a WHERE with d lets a row pass: only TRUE does.
func (d datum) holds() bool {
	b, ok := d.AsBool()
	return ok && b && !d.missing
}

// A scope is the names a query sees: those of its sources, as far as they are bound, and around it
// those of the query it is in.
type scope struct {
	sources []source
	rows    []row // one for each source
	bound   int   // how many of rows are
	outer   *scope
	names   int                  // how many sources there are, here and around
	totals  map[*aggregate]datum // what aggregates come to; nil while rows are read
}

// A row is what one source is bound to.
type row struct {
	value    datum
	id       string // of a document
	element  bool   // of a list, at this position; otherwise a document, or a value where a list could be
	position int64
}

// alias is what a source is known by: its AS name, or the last name of what it reads.
func (s *source) alias() string {
	switch {
	case s.as != "":
		return s.as
	case s.table != "" && s.committed:
		return committedView + s.table
	case s.table != "":
		return s.table
	case s.schema:
		return "user_tables"
	case s.history != "":
		return ""
	}
	if pa, ok := s.expr.(*path); ok {
		return pa.lastName()
	}
	return ""
}

// lastName is the name a path gives to what it leads to; empty if it gives none.
func (pa *path) lastName() string {
	if len(pa.steps) == 0 {
		return pa.name
	}
	last := pa.steps[len(pa.steps)-1]
	if last.index == nil {
		return last.name
	}
	if l, ok := last.index.(*literal); ok {
		name, _ := l.value.AsText()
		return name
	}
	return ""
}

// name finds what a name means: an alias of the nearest query that has it, otherwise the field of that
// name in the nearest source whose row has one.
func (sc *scope) name(name string) datum {
	for s := sc; s != nil; s = s.outer {
		for i := range s.bound {
			switch src := &s.sources[i]; name {
			case "":
			case src.alias():
				return s.rows[i].value
			case src.by:
				return datum{Value: ion.String(s.rows[i].id)}
			case src.at:
				if !s.rows[i].element { // documents have no order
					return nowhere
				}
				return datum{Value: ion.Int(s.rows[i].position)}
			}
		}
	}
	for s := sc; s != nil; s = s.outer {
		for i := range s.bound {
			if v, ok := s.rows[i].value.Field(name); ok {
				return datum{Value: v}
			}
		}
	}
	return nowhere
}

// eval computes an expression on the rows bound in sc.
func (x *execution) eval(e expr, sc *scope) (datum, error) {
	if err := x.labor(1); err != nil {
		return null, err
	}
	switch e := e.(type) {
	case *literal:
		return datum{Value: e.value}, nil
	case *missing:
		return nowhere, nil
	case *param:
		return datum{Value: x.params[e.n]}, nil
	case *path:
		return x.path(e, sc)
	case *binary:
		return x.binary(e, sc)
	case *unary:
		return x.unary(e, sc)
	case *is:
		of, err := x.eval(e.of, sc)
		result := of.unknown()
		if e.missing {
			result = of.missing
		}
		return truth(result != e.not), err
	case *in:
		return x.in(e, sc)
	case *like:
		return x.like(e, sc)
	case *between:
		return x.between(e, sc)
	case *list:
		if err := x.spend(len(e.elements)); err != nil {
			return null, err
		}
		elements := make([]ion.Value, 0, len(e.elements))
		for _, of := range e.elements {
			d, err := x.eval(of, sc)
			if err != nil {
				return null, err
			}
			if !d.missing {
				elements = append(elements, d.Value)
			}
		}
		return x.built(ion.List(elements...))
	case *object:
		return x.object(e, sc)
	case *subquery:
		var rows []ion.Value
		err := x.query(e.query, sc, func(v ion.Value) error {
			rows = append(rows, v)
			return x.spend(1)
		})
		if err != nil {
			return null, err
		}
		return x.built(ion.List(rows...))
	case *aggregate:
		for s := sc; s != nil; s = s.outer {
			if d, ok := s.totals[e]; ok {
				return d, nil
			}
		}
		return null, x.fail(e.offset, "%s is only allowed in a SELECT list", e.name)
	case *call:
		return x.call(e, sc)
	}
	return nowhere, nil
}

func (x *execution) path(e *path, sc *scope) (d datum, err error) {
	if e.root == nil {
		if sc != nil {
			if err := x.labor(sc.names / 4); err != nil {
				return null, err
			}
		}
		d = sc.name(e.name)
	} else if d, err = x.eval(e.root, sc); err != nil {
		return null, err
	}
	for i := range e.steps {
		s := &e.steps[i]
		name := s.name
		if s.index != nil {
			at, err := x.eval(s.index, sc)
			if err != nil {
				return null, err
			}
			if n, isInt := at.AsInt(); isInt {
				v, ok := d.Index(int(n))
				if !ok || n < 0 || n >= int64(d.Len()) {
					return nowhere, nil
				}
				d = datum{Value: v}
				continue
			}
			text, isText := at.AsText()
			if !isText {
				return nowhere, nil
			}
			name = text
		}
		v, ok := d.Field(name)
		if !ok {
			return nowhere, nil
		}
		d = datum{Value: v}
	}
	return d, nil
}

func (x *execution) unary(e *unary, sc *scope) (datum, error) {
	of, err := x.eval(e.of, sc)
	if err != nil || of.unknown() {
		return of, err
	}
	switch e.op {
	case "NOT":
		b, ok := of.AsBool()
		if !ok {
			return nowhere, nil
		}
		return truth(!b), nil
	case "-":
		return x.arithmetic("-", datum{Value: ion.Int(0)}, of, 0)
	}
	return x.arithmetic("+", datum{Value: ion.Int(0)}, of, 0)
}

func (x *execution) binary(e *binary, sc *scope) (datum, error) {
	if e.op == "AND" || e.op == "OR" {
		return x.connective(e, sc)
	}
	left, err := x.eval(e.left, sc)
	if err != nil {
		return null, err
	}
	right, err := x.eval(e.right, sc)
	if err != nil {
		return null, err
	}
	switch {
	case left.missing || right.missing:
		return nowhere, nil
	case left.IsNull() || right.IsNull():
		return null, nil
	}
	switch e.op {
	case "=", "<>":
		same, err := x.equal(left.Value, right.Value)
		return truth(same == (e.op == "=")), err
	case "<", "<=", ">", ">=":
		return ordered(e.op, left, right), x.compared(left.Value, right.Value)
	case "||":
		a, isText := left.AsText()
		b, also := right.AsText()
		if !isText || !also {
			return nowhere, nil
		}
		if len(a)+len(b) > ion.MaxSize {
			return null, x.fail(e.offset, "A string is too long")
		}
		return datum{Value: ion.String(a + b)}, x.spend(1 + (len(a)+len(b))/64)
	}
	return x.arithmetic(e.op, left, right, e.offset)
}

// equal compares two values.
func (x *execution) equal(a, b ion.Value) (bool, error) {
	return ion.Equal(a, b), x.compared(a, b)
}

// compared counts what comparing two values costs beyond a moment.
func (x *execution) compared(a, b ion.Value) error {
	if a.Kind() == ion.KindInt && b.Kind() == ion.KindInt || a.IsNull() || b.IsNull() {
		return nil
	}
	n := 0
	for _, v := range [...]ion.Value{a, b} {
		size, _ := v.Size(deepResult)
		n += size
	}
	return x.labor(n / 8)
}

// ordered compares two values that are not null. Values without an order between them, such as a number
// and a text, are neither less nor more: the result is MISSING.
func ordered(op string, a, b datum) datum {
	order, ok := ion.Compare(a.Value, b.Value)
	if !ok {
		return nowhere
	}
	switch op {
	case "<":
		return truth(order < 0)
	case "<=":
		return truth(order <= 0)
	case ">":
		return truth(order > 0)
	}
	return truth(order >= 0)
}

func (x *execution) arithmetic(op string, a, b datum, offset int) (datum, error) {
	v, ok, err := calculate(op, a.Value, b.Value)
	switch {
	case err != nil:
		return null, x.fail(offset, "%s", err.Error())
	case !ok:
		return nowhere, nil
	}
	return datum{Value: v}, nil
}

// connective is AND and OR with three truth values; MISSING and what is no truth value count as NULL.
func (x *execution) connective(e *binary, sc *scope) (datum, error) {
	// A chain leans to the left, so that a long one is walked without recursion.
	chain := []expr{e.right}
	left := e.left
	for {
		l, ok := left.(*binary)
		if !ok || l.op != e.op {
			break
		}
		chain = append(chain, l.right)
		left = l.left
	}
	chain = append(chain, left)
	decisive := e.op == "OR"
	result := truth(!decisive)
	for i := len(chain) - 1; i >= 0; i-- {
		d, err := x.eval(chain[i], sc)
		if err != nil {
			return null, err
		}
		b, isBool := d.AsBool()
		switch {
		case d.missing || !isBool:
			result = null
		case b == decisive:
			return truth(decisive), nil
		}
	}
	return result, nil
}

func (x *execution) in(e *in, sc *scope) (datum, error) {
	of, err := x.eval(e.of, sc)
	if err != nil {
		return null, err
	}
	if l, ok := e.list.(*list); ok { // most often: compared one by one, without making a list
		found := false
		unknown := of.unknown()
		for _, el := range l.elements {
			if err := x.spend(1); err != nil {
				return null, err
			}
			d, err := x.eval(el, sc)
			switch {
			case err != nil:
				return null, err
			case d.unknown():
				unknown = true
			case !of.unknown():
				if found, err = x.equal(of.Value, d.Value); err != nil {
					return null, err
				}
			}
			if found {
				break
			}
		}
		return membership(of, found, unknown, e.not), nil
	}
	in, err := x.eval(e.list, sc)
	switch {
	case err != nil:
		return null, err
	case in.Kind() != ion.KindList && in.Kind() != ion.KindSexp || in.unknown():
		if in.missing || of.missing {
			return nowhere, nil
		}
		if in.IsNull() {
			return null, nil
		}
		return nowhere, nil
	}
	found, unknown := false, of.unknown()
	if err := x.spend(in.Len()); err != nil {
		return null, err
	}
	for el := range in.Elements() {
		if el.IsNull() {
			unknown = true
		} else if !of.unknown() {
			if found, err = x.equal(of.Value, el); err != nil {
				return null, err
			}
			if found {
				break
			}
		}
	}
	return membership(of, found, unknown, e.not), nil
}

func membership(of datum, found, unknown, not bool) datum {
	switch {
	case of.missing:
		return nowhere
	case found:
		return truth(!not)
	case unknown:
		return null
	}
	return truth(not)
}

func (x *execution) between(e *between, sc *scope) (datum, error) {
	var d [3]datum
	for i, of := range []expr{e.of, e.low, e.high} {
		var err error
		if d[i], err = x.eval(of, sc); err != nil {
			return null, err
		}
		if d[i].missing {
			return nowhere, nil
		}
		if err := x.compared(d[0].Value, d[i].Value); err != nil {
			return null, err
		}
	}
	above, below := null, null
	if !d[0].IsNull() && !d[1].IsNull() {
		above = ordered(">=", d[0], d[1])
	}
	if !d[0].IsNull() && !d[2].IsNull() {
		below = ordered("<=", d[0], d[2])
	}
	a, knowA := above.AsBool()
	b, knowB := below.AsBool()
	switch {
	case knowA && !a || knowB && !b:
		return truth(e.not), nil
	case knowA && knowB:
		return truth(!e.not), nil
	}
	return null, nil
}

func (x *execution) like(e *like, sc *scope) (datum, error) {
	of, err := x.eval(e.of, sc)
	if err != nil {
		return null, err
	}
	pattern, err := x.eval(e.pattern, sc)
	if err != nil {
		return null, err
	}
	escape := rune(-1)
	if e.escape != nil {
		d, err := x.eval(e.escape, sc)
		if err != nil {
			return null, err
		}
		s, ok := d.AsText()
		if !ok || utf8.RuneCountInString(s) != 1 {
			return null, x.fail(e.offset, "The escape character must be one character")
		}
		escape, _ = utf8.DecodeRuneInString(s)
	}
	if of.missing || pattern.missing {
		return nowhere, nil
	}
	if of.IsNull() || pattern.IsNull() {
		return null, nil
	}
	text, isText := of.AsText()
	p, also := pattern.AsText()
	if !isText || !also {
		return nowhere, nil
	}
	if err := x.spend((len(text) + len(p)) / 64); err != nil {
		return null, err
	}
	want, ok := parsePattern(p, escape)
	if !ok {
		return null, x.fail(e.offset, "An escape character must be followed by %%, _ or itself")
	}
	if err := x.spend(len(text) * len(want) / 1000); err != nil {
		return null, err
	}
	return truth(matches([]rune(text), want) != e.not), nil
}

// In a pattern these stand for any one character and for any number of characters; others for themselves.
const (
	anyOne  rune = -1
	anyMany rune = -2
)

func parsePattern(p string, escape rune) (pattern []rune, ok bool) {
	escaped := false
	for _, r := range p {
		switch {
		case escaped:
			if r != '%' && r != '_' && r != escape {
				return nil, false
			}
			pattern = append(pattern, r)
			escaped = false
		case r == escape:
			escaped = true
		case r == '%':
			if n := len(pattern); n == 0 || pattern[n-1] != anyMany {
				pattern = append(pattern, anyMany)
			}
		case r == '_':
			pattern = append(pattern, anyOne)
		default:
			pattern = append(pattern, r)
		}
	}
	return pattern, !escaped
}

// matches goes back only to the last anyMany, so it takes at most len(text) × len(pattern) steps.
func matches(text, pattern []rune) bool {
	t, p := 0, 0
	star, from := -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == anyMany:
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == anyOne || pattern[p] == text[t]):
			t++
			p++
		case star >= 0:
			from++
			t, p = from, star+1
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == anyMany {
		p++
	}
	return p == len(pattern)
}

func (x *execution) object(e *object, sc *scope) (datum, error) {
	if err := x.spend(len(e.names)); err != nil {
		return null, err
	}
	fields := make([]ion.Field, 0, len(e.names))
	for i := range e.names {
		name, err := x.eval(e.names[i], sc)
		if err != nil {
			return null, err
		}
		v, err := x.eval(e.values[i], sc)
		if err != nil {
			return null, err
		}
		if text, ok := name.AsText(); ok && !v.missing { // a field without a name or value is none
			fields = append(fields, ion.Field{Name: text, Value: v.Value})
		}
	}
	return x.built(ion.Struct(fields...))
}
