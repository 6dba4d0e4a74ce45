package partiql

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"loadkms/sandbox/ion"
)

// reserved words are no names unless they are in double quotation marks or follow a point.
var reserved = func() map[string]bool {
	words := map[string]bool{}
	for w := range strings.FieldsSeq(`SELECT FROM WHERE VALUE VALUES AS BY AT IN IS NOT NULL MISSING AND OR LIKE BETWEEN ESCAPE
		JOIN INNER CROSS LEFT RIGHT FULL OUTER ON SET REMOVE INSERT INTO UPDATE DELETE CREATE DROP UNDROP TABLE INDEX TRUE
		FALSE GROUP ORDER HAVING LIMIT OFFSET UNION INTERSECT EXCEPT CASE WHEN THEN ELSE END DISTINCT ALL WITH LET PIVOT
		UNPIVOT CAST`) {
		words[w] = true
	}
	return words
}()

// unsupported names what a word of SQL would begin. QLDB has none of it either, except where noted.
var unsupported = map[string]string{
	"GROUP": "GROUP BY", "ORDER": "ORDER BY", "HAVING": "HAVING", "LIMIT": "LIMIT", "OFFSET": "OFFSET", "UNION": "UNION",
	"INTERSECT": "INTERSECT", "EXCEPT": "EXCEPT", "LEFT": "an outer join", "RIGHT": "an outer join", "FULL": "an outer join",
	"OUTER": "an outer join", "LET": "LET", "PIVOT": "PIVOT", "UNPIVOT": "UNPIVOT", "CASE": "CASE",
	"VALUES": "VALUES", "ALTER": "ALTER", "DISTINCT": "DISTINCT", "WITH": "WITH", "UPSERT": "UPSERT", "REPLACE": "REPLACE",
	"EXPLAIN": "EXPLAIN",
	"EXEC":    "EXEC (of which QLDB has REDACT_REVISION)", // QLDB has it; redaction is not built here
}

// aggregates and functions are what may stand before a parenthesis, with the fewest and most arguments; the
// part of DATE_ADD and DATE_DIFF, and what is divided by words, is none.
var aggregates = map[string]bool{"COUNT": true, "SUM": true, "MIN": true, "MAX": true, "AVG": true}

var functions = map[string]struct{ least, most int }{
	"COALESCE": {1, 100}, "NULLIF": {2, 2}, "LOWER": {1, 1}, "UPPER": {1, 1}, "SIZE": {1, 1}, "EXISTS": {1, 1},
	"CHAR_LENGTH": {1, 1}, "CHARACTER_LENGTH": {1, 1}, "SUBSTRING": {2, 3}, "TRIM": {1, 2}, "CAST": {1, 1},
	"DATE_ADD": {2, 2}, "DATE_DIFF": {2, 2}, "EXTRACT": {1, 1}, "TO_STRING": {2, 2}, "TO_TIMESTAMP": {1, 2},
	"TXID": {0, 0}, "UTCNOW": {0, 0},
}

// committedView precedes a table's name to mean its documents with their metadata.
const committedView = "_ql_committed_"

// userTables is the one table of QLDB's own.
const userTables = "information_schema.user_tables"

// Parse reads one statement. Its error is a *SyntaxError.
//
// The grammar, with keywords in any case and […] for what may be left out:
//
//	SELECT * | VALUE expr | expr [[AS] name] | expr.*, …  FROM source, …  [WHERE expr]
//	FROM source, …  [WHERE expr]  change …              UPDATE source  change …  [WHERE expr]
//	DELETE FROM source [WHERE expr]                     INSERT INTO table [VALUE] expr
//	CREATE TABLE name [WITH (tags = `ion`)]             DROP TABLE name           UNDROP TABLE "id"
//	CREATE INDEX ON table (field.field…)                DROP INDEX "id" ON table WITH (purge = true)
//
//	source  table | _ql_committed_table | history(table[, start[, end]]) | information_schema.user_tables |
//	        path | expr, each with [[AS] name] [AT name] [BY name]; instead of a comma also
//	        [INNER] JOIN source ON expr, CROSS JOIN source
//	change  SET path = expr, …  |  REMOVE path  |  INSERT INTO path VALUE expr [AT expr]
//	expr    OR AND NOT = <> != < <= > >= IN LIKE [ESCAPE] BETWEEN IS [NOT] NULL | MISSING || + - * / %
//	        path.name[index]['name'] "name" ? 'text' 1 1.5 1e5 `ion` NULL MISSING TRUE FALSE
//	        [list] <<bag>> {'name': value} (expr) (SELECT …)
//	        COUNT SUM MIN MAX AVG, CAST(expr AS type), EXTRACT(part FROM expr), DATE_ADD(part, expr, expr),
//	        TRIM([[LEADING | TRAILING | BOTH] [expr] FROM] expr), and the functions above
func Parse(statement string) (s *Statement, err error) {
	if n := utf8.RuneCountInString(statement); n > MaxStatement {
		return nil, syntaxError(statement, 0, "", fmt.Sprintf("the statement has %d characters, the limit is %d", n, MaxStatement))
	}
	if !utf8.ValidString(statement) {
		return nil, syntaxError(statement, 0, "", "the statement is not UTF-8")
	}
	tokens, problem := lex(statement)
	if problem != nil {
		return nil, problem
	}
	p := &parser{s: &Statement{text: statement}, tokens: tokens}
	// A grammar in which every rule returns an error hides the grammar: rules bail out, as in the
	// parsers of Go's own library, and only here.
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *SyntaxError:
			s, err = nil, e
		default:
			panic(e)
		}
	}()
	p.statement()
	return p.s, nil
}

type parser struct {
	s      *Statement
	tokens []token
	at     int
	depth  int
}

func (p *parser) peek() *token { return &p.tokens[p.at] }

func (p *parser) ahead(n int) *token { return &p.tokens[min(p.at+n, len(p.tokens)-1)] }

func (p *parser) next() *token {
	t := p.peek()
	if t.kind != endToken {
		p.at++
	}
	return t
}

// fail ends the parsing at a token. What is told as expected gives way to what is not supported, if
// that is what stands there.
func (p *parser) fail(t *token, expected string) {
	if what, ok := unsupported[t.upper]; ok && t.kind == wordToken {
		expected = what + " is not supported"
	}
	panic(syntaxError(p.s.text, t.offset, p.s.text[t.offset:t.end], expected))
}

func (t *token) is(keyword string) bool { return t.kind == wordToken && t.upper == keyword }

func (t *token) sign(s string) bool { return t.kind == signToken && t.text == s }

// word takes a keyword if it is next.
func (p *parser) word(keyword string) bool {
	if p.peek().is(keyword) {
		p.at++
		return true
	}
	return false
}

func (p *parser) sign(s string) bool {
	if p.peek().sign(s) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expectWord(keyword string) {
	if !p.word(keyword) {
		p.fail(p.peek(), "expected "+keyword)
	}
}

func (p *parser) expectSign(s string) {
	if !p.sign(s) {
		p.fail(p.peek(), fmt.Sprintf("expected %q", s))
	}
}

func (p *parser) isName() bool {
	t := p.peek()
	return t.kind == quotedToken || t.kind == wordToken && !reserved[t.upper]
}

func (p *parser) name(what string) string {
	if !p.isName() {
		t := p.peek()
		expected := "expected " + what
		if t.kind == wordToken && unsupported[t.upper] == "" {
			expected += ", and " + t.upper + " is a reserved word: put a name into double quotation marks"
		}
		p.fail(t, expected)
	}
	return p.next().text
}

// down guards against nesting that would take the stack of whoever walks the tree.
func (p *parser) down() func() {
	if p.depth++; p.depth > MaxDepth {
		p.fail(p.peek(), fmt.Sprintf("no more than %d levels of nesting", MaxDepth))
	}
	return p.up
}

func (p *parser) up() { p.depth-- }

func (p *parser) statement() {
	t := p.peek()
	switch {
	case p.word("SELECT"):
		p.s.kind = Select
		p.s.body = p.query()
	case p.word("INSERT"):
		p.s.kind = Insert
		p.s.body = p.insert()
	case p.word("UPDATE"):
		p.s.kind = Update
		u := &update{sources: []source{p.target()}}
		if u.changes = p.changes(); len(u.changes) == 0 {
			p.fail(p.peek(), "expected SET, REMOVE or INSERT INTO")
		}
		u.where = p.where()
		p.s.body = u
	case p.word("FROM"):
		p.s.kind = Update
		u := &update{sources: p.targets()}
		u.where = p.where()
		if u.changes = p.changes(); len(u.changes) == 0 {
			p.fail(p.peek(), "expected WHERE, SET, REMOVE or INSERT INTO")
		}
		p.s.body = u
	case p.word("DELETE"):
		p.s.kind = Delete
		p.expectWord("FROM")
		d := &remove{from: p.target()}
		d.where = p.where()
		p.s.body = d
	case p.word("CREATE"):
		p.create()
	case p.word("DROP"):
		p.drop()
	case p.word("UNDROP"):
		p.expectWord("TABLE")
		p.s.kind = UndropTable
		p.s.body = &undropTable{id: p.name("the id of a table")}
	default:
		p.fail(t, "expected SELECT, INSERT, UPDATE, DELETE, FROM, CREATE, DROP or UNDROP")
	}
	p.sign(";")
	if end := p.peek(); end.kind != endToken {
		p.fail(end, "expected the end of the statement")
	}
}

func (p *parser) create() {
	if p.word("TABLE") {
		p.s.kind = CreateTable
		c := &createTable{table: p.name("the name of a table")}
		if p.word("WITH") {
			p.expectSign("(")
			if !strings.EqualFold(p.peek().text, "tags") || p.peek().kind != wordToken {
				p.fail(p.peek(), "expected tags")
			}
			p.next()
			p.expectSign("=")
			if p.peek().kind != ionToken {
				p.fail(p.peek(), "expected an Ion literal in backticks")
			}
			v := p.ionLiteral()
			c.tags = &v
			p.expectSign(")")
		}
		p.s.body = c
		return
	}
	if !p.word("INDEX") {
		p.fail(p.peek(), "expected TABLE or INDEX")
	}
	p.s.kind = CreateIndex
	if !p.peek().is("ON") {
		p.fail(p.peek(), "expected ON (an index has no name)")
	}
	p.next()
	c := &createIndex{offset: p.peek().offset, table: p.name("the name of a table")}
	p.expectSign("(")
	c.path = append(c.path, p.name("the name of a field"))
	for p.sign(".") {
		c.path = append(c.path, p.field())
	}
	if p.peek().sign(",") {
		p.fail(p.peek(), "an index on several fields is not supported")
	}
	p.expectSign(")")
	p.s.body = c
}

func (p *parser) drop() {
	if p.word("TABLE") {
		p.s.kind = DropTable
		p.s.body = &dropTable{offset: p.peek().offset, table: p.name("the name of a table")}
		return
	}
	if !p.word("INDEX") {
		p.fail(p.peek(), "expected TABLE or INDEX")
	}
	p.s.kind = DropIndex
	d := &dropIndex{id: p.name("the id of an index")}
	p.expectWord("ON")
	d.offset = p.peek().offset
	d.table = p.name("the name of a table")
	if !p.word("WITH") { // which QLDB wants too
		p.fail(p.peek(), "expected WITH (purge = true)")
	}
	p.expectSign("(")
	if p.peek().text != "purge" {
		p.fail(p.peek(), "expected purge, in lower case")
	}
	p.next()
	p.expectSign("=")
	if !p.word("TRUE") {
		p.fail(p.peek(), "expected true")
	}
	p.expectSign(")")
	p.s.body = d
}

func (p *parser) insert() *insert {
	p.expectWord("INTO")
	i := &insert{offset: p.peek().offset, table: p.name("the name of a table")}
	if t := p.peek(); t.sign(".") {
		p.fail(t, "inserting into a path needs FROM or UPDATE before it")
	}
	i.single = p.word("VALUE")
	if p.peek().is("SELECT") {
		p.fail(p.peek(), "INSERT INTO … SELECT is not supported")
	}
	i.values = p.expr()
	if t := p.peek(); t.is("AT") || t.is("ON") {
		p.fail(t, t.upper+" is not supported in an INSERT into a table")
	}
	return i
}

// target is the table of an UPDATE, DELETE or FROM … SET.
func (p *parser) target() source {
	t := p.peek()
	s := p.source()
	if s.table == "" || s.committed || s.at != "" {
		p.fail(t, "expected the name of a table")
	}
	if next := p.peek(); next.is("JOIN") || next.is("INNER") || next.is("CROSS") {
		p.fail(next, notOfJoins)
	}
	return s
}

const notOfJoins = "changing the rows of a join is not supported"

// targets are the table of FROM … SET, and lists nested in its documents.
func (p *parser) targets() []source {
	all := []source{p.target()}
	for p.sign(",") {
		t := p.peek()
		s := p.source()
		pa, ok := s.expr.(*path)
		if !ok || pa.root != nil || aliasOf(all, pa.name) < 0 {
			p.fail(t, notOfJoins+", only of a table and of lists in its documents")
		}
		if all = append(all, s); len(all) > maxSources {
			p.fail(p.peek(), fmt.Sprintf("no more than %d sources", maxSources))
		}
	}
	return all
}

func (p *parser) where() expr {
	if !p.word("WHERE") {
		return nil
	}
	return p.expr()
}

func (p *parser) changes() (changes []change) {
	for {
		switch {
		case p.word("SET"):
			for {
				c := change{what: set, path: p.changedPath()}
				p.expectSign("=")
				c.expr = p.expr()
				changes = append(changes, c)
				if !p.sign(",") {
					break
				}
			}
		case p.word("REMOVE"):
			changes = append(changes, change{what: removePath, path: p.changedPath()})
		case p.word("INSERT"):
			p.expectWord("INTO")
			c := change{what: insertInto, path: p.changedPath()}
			p.expectWord("VALUE")
			c.expr = p.expr()
			if p.word("AT") {
				c.at = p.expr()
			}
			changes = append(changes, c)
		default:
			return changes
		}
	}
}

func (p *parser) changedPath() *path {
	t := p.peek()
	name := p.name("the name of a field")
	pa := &path{offset: t.offset, name: name}
	p.steps(pa)
	return pa
}

// query reads what follows SELECT.
func (p *parser) query() *query {
	defer p.down()()
	q := &query{}
	switch {
	case p.peek().is("VALUE") && !p.ahead(1).sign(",") && !p.ahead(1).is("FROM"):
		p.next()
		q.value = p.expr()
	case p.sign("*"):
	default:
		for {
			q.items = append(q.items, p.item())
			if !p.sign(",") {
				break
			}
		}
	}
	p.expectWord("FROM")
	q.sources = append(q.sources, p.source())
	for {
		switch t := p.peek(); {
		case p.sign(","):
			q.sources = append(q.sources, p.source())
			continue
		case p.word("CROSS"):
			p.expectWord("JOIN")
			s := p.source()
			q.sources = append(q.sources, s)
			continue
		case t.is("JOIN"), t.is("INNER"):
			if p.word("INNER"); !p.word("JOIN") {
				p.fail(p.peek(), "expected JOIN")
			}
			s := p.source()
			s.join = true
			p.expectWord("ON")
			s.on = p.expr()
			q.sources = append(q.sources, s)
			continue
		}
		break
	}
	if len(q.sources) > maxSources {
		p.fail(p.peek(), fmt.Sprintf("no more than %d sources", maxSources))
	}
	q.where = p.where()
	switch t := p.peek(); {
	case t.kind == wordToken && unsupported[t.upper] != "":
		p.fail(t, "")
	}
	return q
}

func (p *parser) item() item {
	i := item{expr: p.expr()}
	if t := p.peek(); t.sign(".") && p.ahead(1).sign("*") {
		p.at += 2
		i.all = true
		return i
	}
	if p.word("AS") {
		i.as = p.name("an alias")
	} else if p.isName() {
		i.as = p.next().text
	}
	return i
}

// source reads one entry of FROM. Which of its names is a table and which an alias before it depends
// on what stands before it, and is settled when the statement is run.
func (p *parser) source() source {
	s := source{offset: p.peek().offset}
	t, after := p.peek(), p.ahead(1)
	switch {
	case t.is("HISTORY") && after.sign("("):
		p.at += 2
		p.s.kind = max(p.s.kind, History) // a Select becomes a History; nothing else has one
		s.history = p.name("the name of a table")
		for p.sign(",") {
			s.args = append(s.args, p.expr())
		}
		if len(s.args) > 2 {
			p.fail(p.peek(), "history has at most a start and an end")
		}
		p.expectSign(")")
	case p.isName() && t.text == "information_schema" && after.sign("."):
		p.at += 2
		if view := p.peek(); p.field() != "user_tables" {
			p.fail(view, "information_schema has only user_tables")
		}
		s.schema = true
	case p.isName() && !after.sign(".") && !after.sign("[") && !after.sign("("):
		s.table = p.next().text
		s.table, s.committed = strings.CutPrefix(s.table, committedView)
		if s.table == "" {
			p.fail(t, "expected the name of a table after "+committedView)
		}
	default:
		p.sign("@")
		if p.peek().is("UNPIVOT") {
			p.fail(p.peek(), "")
		}
		s.expr = p.operand()
	}
	if p.word("AS") {
		s.as = p.name("an alias")
	} else if p.isName() {
		s.as = p.next().text
	}
	if p.word("AT") {
		s.at = p.name("a name for the position")
	}
	if t := p.peek(); p.word("BY") {
		if s.table == "" {
			p.fail(t, "only the documents of a table have an id")
		}
		s.by = p.name("a name for the document id")
	}
	return s
}

func (p *parser) expr() expr {
	defer p.down()()
	left := p.and()
	for {
		t := p.peek()
		if !p.word("OR") {
			return left
		}
		left = &binary{op: "OR", left: left, right: p.and(), offset: t.offset}
	}
}

func (p *parser) and() expr {
	left := p.not()
	for {
		t := p.peek()
		if !p.word("AND") {
			return left
		}
		left = &binary{op: "AND", left: left, right: p.not(), offset: t.offset}
	}
}

func (p *parser) not() expr {
	if p.word("NOT") {
		defer p.down()()
		return &unary{op: "NOT", of: p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() expr {
	left := p.concatenation()
	for {
		t := p.peek()
		switch {
		case t.kind == signToken && (t.text == "=" || t.text == "<>" || t.text == "!=" || t.text == "<" ||
			t.text == "<=" || t.text == ">" || t.text == ">="):
			p.next()
			op := t.text
			if op == "!=" {
				op = "<>"
			}
			left = &binary{op: op, left: left, right: p.concatenation(), offset: t.offset}
		case t.is("IS"):
			p.next()
			i := &is{of: left, not: p.word("NOT")}
			if i.missing = p.word("MISSING"); !i.missing && !p.word("NULL") {
				p.fail(p.peek(), "expected NULL or MISSING (asking for other types is not supported)")
			}
			left = i
		case t.is("NOT") || t.is("IN") || t.is("LIKE") || t.is("BETWEEN"):
			left = p.predicate(left)
		default:
			return left
		}
	}
}

func (p *parser) predicate(left expr) expr {
	not := p.word("NOT")
	t := p.next()
	switch {
	case t.is("IN"):
		return &in{of: left, list: p.inList(), not: not}
	case t.is("LIKE"):
		l := &like{of: left, pattern: p.concatenation(), not: not, offset: t.offset}
		if p.word("ESCAPE") {
			l.escape = p.concatenation()
		}
		return l
	case t.is("BETWEEN"):
		b := &between{of: left, low: p.concatenation(), not: not}
		p.expectWord("AND")
		b.high = p.concatenation()
		return b
	}
	p.fail(t, "expected IN, LIKE or BETWEEN after NOT")
	return nil
}

// inList reads what follows IN, where also a single value in parentheses is a list.
func (p *parser) inList() expr {
	if t := p.peek(); !t.sign("(") || p.ahead(1).is("SELECT") {
		return p.concatenation()
	}
	p.next()
	return &list{elements: p.exprs(")")}
}

// exprs reads expressions up to a closing sign.
func (p *parser) exprs(end string) (all []expr) {
	if p.sign(end) {
		return nil
	}
	for {
		all = append(all, p.expr())
		if p.sign(end) {
			return all
		}
		if !p.sign(",") {
			p.fail(p.peek(), fmt.Sprintf("expected %q or %q", ",", end))
		}
	}
}

func (p *parser) concatenation() expr { return p.chain(p.sum, "||") }
func (p *parser) sum() expr           { return p.chain(p.product, "+", "-") }
func (p *parser) product() expr       { return p.chain(p.signed, "*", "/", "%") }

// chain reads operands between left-associative operators.
func (p *parser) chain(operand func() expr, ops ...string) expr {
	left := operand()
next:
	for {
		t := p.peek()
		for _, op := range ops {
			if p.sign(op) {
				left = &binary{op: op, left: left, right: operand(), offset: t.offset}
				continue next
			}
		}
		return left
	}
}

func (p *parser) signed() expr {
	t := p.peek()
	if p.sign("-") || p.sign("+") {
		defer p.down()()
		return &unary{op: t.text, of: p.signed()}
	}
	return p.operand()
}

// operand reads a value and the steps of a path after it.
func (p *parser) operand() expr {
	t := p.peek()
	if p.isName() && !p.ahead(1).sign("(") {
		p.next()
		pa := &path{offset: t.offset, name: t.text}
		p.steps(pa)
		return pa
	}
	root := p.primary()
	pa := &path{offset: t.offset, root: root}
	if p.steps(pa); len(pa.steps) > 0 {
		return pa
	}
	return root
}

func (p *parser) steps(pa *path) {
	for {
		switch t := p.peek(); {
		case t.sign(".") && p.ahead(1).sign("*"):
			return // the business of item, or an error
		case p.sign("."):
			pa.steps = append(pa.steps, step{name: p.field()})
		case t.sign("[") && p.ahead(1).sign("*"):
			p.fail(p.ahead(1), "a path over all elements is not supported; name the list in FROM")
		case p.sign("["):
			index := p.expr()
			p.expectSign("]")
			pa.steps = append(pa.steps, step{index: index})
		default:
			return
		}
	}
}

// field reads the name after a point, where no word is reserved.
func (p *parser) field() string {
	t := p.peek()
	if t.kind != wordToken && t.kind != quotedToken {
		p.fail(t, "expected the name of a field")
	}
	return p.next().text
}

func (p *parser) primary() expr {
	t := p.peek()
	switch {
	case p.sign("?"):
		p.s.params++
		return &param{n: p.s.params - 1}
	case t.kind == textToken:
		p.next()
		return &literal{ion.String(t.text)}
	case t.kind == numberToken:
		p.next()
		return &literal{p.number(t)}
	case t.kind == ionToken:
		return &literal{p.ionLiteral()}
	case p.word("NULL"):
		return &literal{}
	case p.word("MISSING"):
		return &missing{}
	case p.word("TRUE"):
		return &literal{ion.Bool(true)}
	case p.word("FALSE"):
		return &literal{ion.Bool(false)}
	case p.sign("("):
		return p.parenthesis()
	case p.sign("["):
		return &list{elements: p.exprs("]")}
	case p.sign("<<"):
		return &list{elements: p.exprs(">>"), bag: true}
	case p.sign("{"):
		return p.object()
	case t.kind == wordToken && p.ahead(1).sign("("):
		return p.call()
	}
	p.fail(t, "expected a value")
	return nil
}

func (p *parser) parenthesis() expr {
	if p.word("SELECT") {
		q := p.query()
		p.expectSign(")")
		return &subquery{q}
	}
	first := p.expr()
	if p.sign(")") {
		return first
	}
	if !p.sign(",") {
		p.fail(p.peek(), `expected ")" or ","`)
	}
	return &list{elements: append([]expr{first}, p.exprs(")")...)}
}

func (p *parser) object() expr {
	o := &object{}
	if p.sign("}") {
		return o
	}
	for {
		t := p.peek()
		if p.isName() && p.ahead(1).sign(":") { // which would be the value of that name
			p.fail(t, "expected the name of a field in single quotation marks")
		}
		o.names = append(o.names, p.expr())
		p.expectSign(":")
		o.values = append(o.values, p.expr())
		if p.sign("}") {
			return o
		}
		if !p.sign(",") {
			p.fail(p.peek(), `expected "," or "}"`)
		}
	}
}

func (p *parser) call() expr {
	t := p.next()
	p.next() // the parenthesis
	if aggregates[t.upper] {
		a := &aggregate{name: t.upper, offset: t.offset}
		if t.upper == "COUNT" && p.sign("*") {
			p.expectSign(")")
			return a
		}
		if a.distinct = p.word("DISTINCT"); !a.distinct {
			p.word("ALL")
		}
		a.of = p.expr()
		p.expectSign(")")
		return a
	}
	arity, ok := functions[t.upper]
	if !ok {
		p.fail(t, "the function "+t.upper+" is not supported")
	}
	c := &call{name: t.upper, offset: t.offset}
	switch c.name {
	case "CAST":
		c.args = []expr{p.expr()}
		p.expectWord("AS")
		c.word = p.castType()
		p.expectSign(")")
	case "EXTRACT":
		if c.word = p.datePart(); !p.word("FROM") {
			p.fail(p.peek(), "expected FROM")
		}
		c.args = []expr{p.expr()}
		p.expectSign(")")
	case "DATE_ADD", "DATE_DIFF":
		at := p.peek()
		if c.word = p.datePart(); zoneParts[c.word] {
			p.fail(at, "expected "+dateWords)
		}
		p.expectSign(",")
		c.args = p.exprs(")")
	case "TRIM":
		p.trim(c)
	default:
		c.args = p.arguments(c.name)
	}
	if n := len(c.args); n < arity.least || n > arity.most {
		p.fail(t, fmt.Sprintf("%s has %d to %d arguments, not %d", t.upper, arity.least, arity.most, n))
	}
	return c
}

// arguments reads what stands between the parentheses of most functions.
func (p *parser) arguments(function string) []expr {
	if p.peek().is("SELECT") { // EXISTS(SELECT …)
		p.next()
		q := &subquery{p.query()}
		p.expectSign(")")
		return []expr{q}
	}
	if function != "SUBSTRING" || p.peek().sign(")") {
		return p.exprs(")")
	}
	first := p.expr()
	if !p.word("FROM") { // SUBSTRING(text FROM start FOR length) is another way to write it
		if p.sign(",") {
			return append([]expr{first}, p.exprs(")")...)
		}
		p.expectSign(")")
		return []expr{first}
	}
	args := []expr{first, p.expr()}
	if p.word("FOR") {
		args = append(args, p.expr())
	}
	p.expectSign(")")
	return args
}

// trim reads TRIM's arguments: [[LEADING | TRAILING | BOTH] [characters] FROM] text.
func (p *parser) trim(c *call) {
	if t := p.peek(); t.kind == wordToken && trims[t.upper] != nil && !p.ahead(1).sign(")") && !p.ahead(1).sign(".") {
		c.word = p.next().upper
	}
	if !p.word("FROM") {
		c.args = []expr{p.expr()}
		if c.word == "" && p.sign(")") {
			return
		}
		p.expectWord("FROM")
	}
	if len(c.args) > 0 && c.word == "" {
		c.word = "BOTH"
	}
	c.args = append(c.args, p.expr())
	p.expectSign(")")
}

const dateWords = "year, month, day, hour, minute or second"

// datePart reads the part of a timestamp that a function is about.
func (p *parser) datePart() string {
	t := p.peek()
	if t.kind != wordToken || dateParts[t.upper] == 0 && !zoneParts[t.upper] {
		p.fail(t, "expected "+dateWords)
	}
	return p.next().upper
}

// castType reads a type. How long a VARCHAR is and how precise a DECIMAL does not matter, and is refused.
func (p *parser) castType() string {
	t := p.peek()
	if t.kind != wordToken || castTypes[t.upper] == "" {
		p.fail(t, "expected a type, such as INT or STRING")
	}
	return p.next().upper
}

func (p *parser) number(t *token) ion.Value {
	v, problem := numberOf(t.text)
	if problem != "" {
		p.fail(t, problem)
	}
	return v
}

// numberOf reads an int, or a decimal if it has a point or an exponent. Otherwise it returns what is wrong.
func numberOf(text string) (v ion.Value, problem string) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ion.Int(n), ""
	}
	if len(text) > 2*maxDigits { // digits are more than bytes
		return v, "the number is too long"
	}
	mantissa, power, hasPower := strings.Cut(strings.ToLower(text), "e")
	whole, fraction, hasPoint := strings.Cut(mantissa, ".")
	n, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		return v, "not a number"
	}
	if !hasPoint && !hasPower {
		return ion.BigInt(n), ""
	}
	exponent := 0
	if hasPower {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil || exponent > maxExponent || exponent < -maxExponent {
			return v, "the exponent is too large"
		}
	}
	return ion.Decimal(n, int32(exponent-len(fraction))), ""
}

func (p *parser) ionLiteral() ion.Value {
	t := p.next()
	v, err := ion.Decode([]byte(t.text))
	if err != nil {
		reason := err
		for errors.Unwrap(reason) != nil {
			reason = errors.Unwrap(reason)
		}
		p.fail(t, "not one Ion value: "+reason.Error())
	}
	return v
}
