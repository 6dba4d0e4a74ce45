package partiql

import (
	"strconv"
	"strings"

	"loadkms/sandbox/ion"
)

// String returns the statement as it was understood: keywords in capitals, one space between words.
// Parsing it gives the same statement.
func (s *Statement) String() string {
	p := &printer{}
	s.body.print(p)
	return p.String()
}

// A printer writes a statement. Operands are put into parentheses where it might matter.
type printer struct{ strings.Builder }

func (p *printer) words(all ...string) {
	for _, w := range all {
		p.WriteString(w)
	}
}

func (p *printer) name(n string) { p.WriteString(quoteName(n, true)) }

// quoteName puts a name into double quotation marks unless it is plainly one.
func quoteName(n string, mayBeReserved bool) string {
	plain := n != "" && isLetter(n[0]) && !(mayBeReserved && reserved[strings.ToUpper(n)])
	for i := range len(n) {
		plain = plain && (isLetter(n[i]) || isDigit(n[i]))
	}
	if plain && !strings.EqualFold(n, "history") && n != "information_schema" {
		return n
	}
	return `"` + strings.ReplaceAll(n, `"`, `""`) + `"`
}

func (p *printer) list(open, end string, all []expr) {
	p.WriteString(open)
	for i, e := range all {
		if i > 0 {
			p.WriteString(", ")
		}
		e.print(p)
	}
	p.WriteString(end)
}

func (p *printer) where(e expr) {
	if e != nil {
		p.WriteString(" WHERE ")
		e.print(p)
	}
}

// How tightly an expression holds together. An operand that holds less tightly than what it stands in
// needs parentheses; chains do not, so that a long one does not nest.
const (
	levelOr = iota + 1
	levelAnd
	levelNot
	levelComparison
	levelConcatenation
	levelSum
	levelProduct
	levelSign
	levelLiteral // a number would take a point after it
	levelValue
)

func level(e expr) int {
	switch e := e.(type) {
	case *binary:
		switch e.op {
		case "OR":
			return levelOr
		case "AND":
			return levelAnd
		case "||":
			return levelConcatenation
		case "+", "-":
			return levelSum
		case "*", "/", "%":
			return levelProduct
		}
		return levelComparison
	case *in, *is, *like, *between:
		return levelComparison
	case *unary:
		if e.op == "NOT" {
			return levelNot
		}
		return levelSign
	case *literal:
		return levelLiteral
	}
	return levelValue
}

// operand prints e where something of at least this level can stand.
func (p *printer) operand(e expr, least int) {
	if level(e) >= least {
		e.print(p)
		return
	}
	p.WriteByte('(')
	e.print(p)
	p.WriteByte(')')
}

func (q *query) print(p *printer) {
	p.WriteString("SELECT ")
	switch {
	case q.value != nil:
		p.WriteString("VALUE ")
		q.value.print(p)
	case len(q.items) == 0:
		p.WriteByte('*')
	}
	for i, it := range q.items {
		if i > 0 {
			p.WriteString(", ")
		}
		if it.all {
			p.operand(it.expr, levelValue)
			p.WriteString(".*")
			continue
		}
		it.expr.print(p)
		if it.as != "" {
			p.WriteString(" AS ")
			p.name(it.as)
		}
	}
	p.WriteString(" FROM ")
	p.sources(q.sources)
	p.where(q.where)
}

func (p *printer) sources(all []source) {
	for i := range all {
		switch {
		case i == 0:
		case all[i].join:
			p.WriteString(" JOIN ")
		default:
			p.WriteString(", ")
		}
		all[i].print(p)
	}
}

func (s *source) print(p *printer) {
	switch {
	case s.history != "":
		p.WriteString("history(")
		p.name(s.history)
		for _, a := range s.args {
			p.WriteString(", ")
			a.print(p)
		}
		p.WriteByte(')')
	case s.schema:
		p.WriteString(userTables)
	case s.table != "":
		t := s.table
		if s.committed {
			t = committedView + t
		}
		p.name(t)
	default:
		// Without the sign a name alone would be a table, and information_schema its own.
		if pa, ok := s.expr.(*path); ok && pa.root == nil {
			p.WriteByte('@')
		}
		p.operand(s.expr, levelLiteral)
	}
	if s.as != "" {
		p.WriteString(" AS ")
		p.name(s.as)
	}
	if s.at != "" {
		p.WriteString(" AT ")
		p.name(s.at)
	}
	if s.by != "" {
		p.WriteString(" BY ")
		p.name(s.by)
	}
	if s.join {
		p.WriteString(" ON ")
		s.on.print(p)
	}
}

func (i *insert) print(p *printer) {
	p.WriteString("INSERT INTO ")
	p.name(i.table)
	if i.single {
		p.WriteString(" VALUE")
	}
	p.WriteByte(' ')
	i.values.print(p)
}

func (u *update) print(p *printer) {
	if len(u.sources) > 1 {
		p.WriteString("FROM ")
		p.sources(u.sources)
		p.where(u.where)
	} else {
		p.WriteString("UPDATE ")
		p.sources(u.sources)
	}
	for _, c := range u.changes {
		switch c.what {
		case set:
			p.WriteString(" SET ")
			c.path.print(p)
			p.WriteString(" = ")
			c.expr.print(p)
		case removePath:
			p.WriteString(" REMOVE ")
			c.path.print(p)
		case insertInto:
			p.WriteString(" INSERT INTO ")
			c.path.print(p)
			p.WriteString(" VALUE ")
			c.expr.print(p)
			if c.at != nil {
				p.WriteString(" AT ")
				c.at.print(p)
			}
		}
	}
	if len(u.sources) == 1 {
		p.where(u.where)
	}
}

func (d *remove) print(p *printer) {
	p.WriteString("DELETE FROM ")
	d.from.print(p)
	p.where(d.where)
}

func (c *createTable) print(p *printer) {
	p.WriteString("CREATE TABLE ")
	p.name(c.table)
	if c.tags != nil {
		p.words(" WITH (tags = `", c.tags.Text(), "`)")
	}
}

func (d *dropTable) print(p *printer) {
	p.WriteString("DROP TABLE ")
	p.name(d.table)
}

func (u *undropTable) print(p *printer) {
	p.WriteString("UNDROP TABLE ")
	p.name(u.id)
}

func (c *createIndex) print(p *printer) {
	p.WriteString("CREATE INDEX ON ")
	p.name(c.table)
	p.WriteString(" (")
	for i, f := range c.path {
		if i > 0 {
			p.WriteByte('.')
		}
		p.name(f)
	}
	p.WriteByte(')')
}

func (d *dropIndex) print(p *printer) {
	p.WriteString("DROP INDEX ")
	p.name(d.id)
	p.WriteString(" ON ")
	p.name(d.table)
	p.WriteString(" WITH (purge = true)")
}

func (l *literal) print(p *printer) {
	n, isInt := l.value.AsInt()
	s, isText := l.value.AsText()
	switch {
	case len(l.value.Annotations()) > 0:
	case l.value.Kind() == ion.KindNull:
		p.WriteString("NULL")
		return
	case isInt && n >= 0:
		p.WriteString(strconv.FormatInt(n, 10))
		return
	case isText && l.value.Kind() == ion.KindString:
		p.words("'", strings.ReplaceAll(s, "'", "''"), "'")
		return
	}
	p.words("`", l.value.Text(), "`")
}

func (*missing) print(p *printer) { p.WriteString("MISSING") }

func (*param) print(p *printer) { p.WriteByte('?') }

func (pa *path) print(p *printer) {
	if pa.root != nil {
		p.operand(pa.root, levelValue)
	} else {
		p.name(pa.name)
	}
	for _, s := range pa.steps {
		if s.index == nil {
			p.words(".", quoteName(s.name, false))
			continue
		}
		p.WriteByte('[')
		s.index.print(p)
		p.WriteByte(']')
	}
}

func (u *unary) print(p *printer) {
	p.WriteString(u.op)
	if u.op == "NOT" {
		p.WriteByte(' ')
		p.operand(u.of, levelNot)
		return
	}
	p.operand(u.of, levelLiteral) // two signs in a row would begin a comment
}

func (b *binary) print(p *printer) {
	p.operand(b.left, level(b))
	p.words(" ", b.op, " ")
	p.operand(b.right, level(b)+1)
}

func (p *printer) not(not bool) {
	if not {
		p.WriteString(" NOT")
	}
}

func (i *in) print(p *printer) {
	p.operand(i.of, levelComparison)
	p.not(i.not)
	p.WriteString(" IN ")
	p.operand(i.list, levelConcatenation)
}

func (i *is) print(p *printer) {
	p.operand(i.of, levelComparison)
	p.WriteString(" IS")
	p.not(i.not)
	if i.missing {
		p.WriteString(" MISSING")
	} else {
		p.WriteString(" NULL")
	}
}

func (l *like) print(p *printer) {
	p.operand(l.of, levelComparison)
	p.not(l.not)
	p.WriteString(" LIKE ")
	p.operand(l.pattern, levelConcatenation)
	if l.escape != nil {
		p.WriteString(" ESCAPE ")
		p.operand(l.escape, levelConcatenation)
	}
}

func (b *between) print(p *printer) {
	p.operand(b.of, levelComparison)
	p.not(b.not)
	p.WriteString(" BETWEEN ")
	p.operand(b.low, levelConcatenation)
	p.WriteString(" AND ")
	p.operand(b.high, levelConcatenation)
}

func (l *list) print(p *printer) {
	if l.bag {
		p.list("<<", ">>", l.elements)
	} else {
		p.list("[", "]", l.elements)
	}
}

func (o *object) print(p *printer) {
	p.WriteByte('{')
	for i := range o.names {
		if i > 0 {
			p.WriteString(", ")
		}
		if pa, ok := o.names[i].(*path); ok && pa.root == nil && len(pa.steps) == 0 {
			p.list("(", ")", o.names[i:i+1]) // the parser takes a bare name for a mistake
		} else {
			o.names[i].print(p)
		}
		p.WriteString(": ")
		o.values[i].print(p)
	}
	p.WriteByte('}')
}

func (a *aggregate) print(p *printer) {
	p.words(a.name, "(")
	switch {
	case a.of == nil:
		p.WriteByte('*')
	case a.distinct:
		p.WriteString("DISTINCT ")
		fallthrough
	default:
		a.of.print(p)
	}
	p.WriteByte(')')
}

func (c *call) print(p *printer) {
	p.words(c.name, "(")
	switch {
	case c.name == "CAST":
		c.args[0].print(p)
		p.words(" AS ", c.word)
	case c.name == "EXTRACT":
		p.words(c.word, " FROM ")
		c.args[0].print(p)
	case c.name == "TRIM" && c.word != "":
		p.words(c.word, " ")
		if len(c.args) > 1 {
			c.args[0].print(p)
			p.WriteByte(' ')
		}
		p.WriteString("FROM ")
		c.args[len(c.args)-1].print(p)
	case c.word != "": // DATE_ADD, DATE_DIFF
		p.list(c.word+", ", "", c.args)
	default:
		p.list("", "", c.args)
	}
	p.WriteByte(')')
}

func (s *subquery) print(p *printer) {
	p.WriteByte('(')
	s.query.print(p)
	p.WriteByte(')')
}
