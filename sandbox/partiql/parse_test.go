package partiql

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"loadkms/sandbox/ion"
)

func TestParse(t *testing.T) {
	tests := []struct {
		statement string
		kind      Kind
		params    int
		tables    string
	}{
		{"SELECT * FROM Test WHERE id = ?", Select, 1, "Test"},
		{"select value c from T as c where c IN (?, ?)", Select, 2, "T"},
		{"SELECT name FROM information_schema.user_tables WHERE status = 'ACTIVE'", Select, 0, "information_schema.user_tables"},
		{"SELECT * FROM A AS a, B AS b, a.list AS l, A AS c", Select, 0, "A B"},
		{"SELECT * FROM A WHERE x IN (SELECT VALUE y FROM B)", Select, 0, "A B"},
		{"SELECT * FROM _ql_committed_Test", Select, 0, "Test"},
		{"SELECT * FROM history(Test, ?, ?) AS h WHERE h.metadata.id = ?", History, 3, "Test"},
		{"SELECT * FROM history AS h", Select, 0, "history"},
		{"INSERT INTO Test <<?, ?>>", Insert, 2, "Test"},
		{"UPDATE Test SET a = ? WHERE b = ?", Update, 2, "Test"},
		{"FROM Test AS t WHERE t.id = 1 SET t.a = 2", Update, 0, "Test"},
		{`DELETE FROM "Test"`, Delete, 0, "Test"},
		{"CREATE TABLE Test", CreateTable, 0, "Test"},
		{"CREATE TABLE Test WITH (tags = `{a: \"b\"}`)", CreateTable, 0, "Test"},
		{"DROP TABLE Test", DropTable, 0, "Test"},
		{`UNDROP TABLE "5PLf9SXwndd63lPaSIa0O6"`, UndropTable, 0, "5PLf9SXwndd63lPaSIa0O6"},
		{"CREATE INDEX ON Test (a)", CreateIndex, 0, "Test"},
		{`DROP INDEX "4tPW3fUhaVhDinRgKRLhGU" ON Test WITH (purge = true)`, DropIndex, 0, "Test"},
	}
	for _, tt := range tests {
		s := parse(t, tt.statement)
		if s.Kind() != tt.kind || s.Params() != tt.params || strings.Join(s.Tables(), " ") != tt.tables {
			t.Errorf("%s: %v with %d parameters on %v, want %v with %d on %s", tt.statement, s.Kind(), s.Params(), s.Tables(), tt.kind, tt.params, tt.tables)
		}
		again := parse(t, s.String())
		if !same(s, again) {
			t.Errorf("%s\nis printed as %s\nwhich is    %s", tt.statement, s, again)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	tests := []struct{ name, statement, near, expected string }{ // the offset is where ^ stands in the statement
		{"nothing", "^", "", "expected SELECT"},
		{"no statement", "^HELLO", "HELLO", "expected SELECT"},
		{"no source", "SELECT *^", "", "expected FROM"},
		{"no table", "SELECT * FROM ^WHERE", "WHERE", "expected a value"},
		{"reserved word", "CREATE TABLE ^Table", "Table", "TABLE is a reserved word"},
		{"operator without operand", "SELECT * FROM T WHERE a = ^", "", "expected a value"},
		{"second line", "SELECT *\nFROM T\nWHERE ^^ 1", "^", "no statement has this character"},
		{"leftover", "SELECT * FROM T WHERE a = 1 ^2", "2", "expected the end of the statement"},
		{"unclosed text", "SELECT * FROM T WHERE a = ^'x", "'x", "the quotation is not closed"},
		{"unclosed name", `SELECT * FROM ^"T`, `"T`, "the quotation is not closed"},
		{"unclosed ion", "SELECT * FROM T WHERE a = ^`x", "`x", "the backtick is not closed"},
		{"unclosed comment", "SELECT * ^/* FROM T", "/* FROM T", "the comment is not closed"},
		{"bad ion", "SELECT ^`{a:` FROM T", "`{a:`", "not one Ion value"},
		{"two ion values", "SELECT ^`1 2` FROM T", "`1 2`", "not one Ion value: more than one value"},
		{"bad number", "SELECT ^1x FROM T", "1x", "not a number"},
		{"group by", "SELECT a FROM T ^GROUP BY a", "GROUP", "GROUP BY is not supported"},
		{"order by", "SELECT a FROM T WHERE a = 1 ^ORDER BY a", "ORDER", "ORDER BY is not supported"},
		{"limit", "SELECT a FROM T ^LIMIT 1", "LIMIT", "LIMIT is not supported"},
		{"distinct", "SELECT ^DISTINCT a FROM T", "DISTINCT", "DISTINCT is not supported"},
		{"outer join", "SELECT * FROM T ^LEFT JOIN U ON a = b", "LEFT", "an outer join is not supported"},
		{"union", "SELECT a FROM T ^UNION SELECT a FROM U", "UNION", "UNION is not supported"},
		{"case", "SELECT ^CASE WHEN a THEN b END FROM T", "CASE", "CASE is not supported"},
		{"cast to nothing", "SELECT CAST(a AS ^DATE) FROM T", "DATE", "expected a type"},
		{"cast without type", "SELECT CAST(a^) FROM T", ")", "expected AS"},
		{"cast to a length", "SELECT CAST(a AS VARCHAR^(5)) FROM T", "(", "expected \")\""},
		{"part of a date", "SELECT DATE_ADD(^week, 1, a) FROM T", "week", "expected year, month, day, hour, minute or second"},
		{"part as text", "SELECT DATE_DIFF(^'day', 1, a) FROM T", "'day'", "expected year"},
		{"part of a zone", "SELECT DATE_ADD(^timezone_hour, 1, a) FROM T", "timezone_hour", "expected year"},
		{"extract without from", "SELECT EXTRACT(year^, a) FROM T", ",", "expected FROM"},
		{"arguments of a date", "SELECT ^DATE_ADD(day, a) FROM T", "DATE_ADD", "DATE_ADD has 2 to 2 arguments, not 1"},
		{"trim of two", "SELECT TRIM('a'^, b) FROM T", ",", "expected FROM"},
		{"trim without text", "SELECT TRIM(LEADING 'a'^) FROM T", ")", "expected FROM"},
		{"substring for", "SELECT SUBSTRING(a ^FOR 1) FROM T", "FOR", "expected \")\""},
		{"arguments of none", "SELECT ^TXID(1) FROM T", "TXID", "TXID has 0 to 0 arguments, not 1"},
		{"unknown function", "SELECT ^ABS(a) FROM T", "ABS", "the function ABS is not supported"},
		{"wrong arguments", "SELECT ^NULLIF(1) FROM T", "NULLIF", "NULLIF has 2 to 2 arguments, not 1"},
		{"exec", "^EXEC REDACT_REVISION 1, 'a', 'b'", "EXEC", "is not supported"},
		{"insert select", "INSERT INTO T ^SELECT * FROM U", "SELECT", "INSERT INTO … SELECT is not supported"},
		{"insert values", "INSERT INTO T ^VALUES (1)", "VALUES", "VALUES is not supported"},
		{"index of two fields", "CREATE INDEX ON T (a^, b)", ",", "an index on several fields is not supported"},
		{"named index", "CREATE INDEX ^i ON T (a)", "i", "an index has no name"},
		{"join in a change", "FROM T AS t ^JOIN U AS u ON t.a = u.a SET t.b = 1", "JOIN", "changing the rows of a join is not supported"},
		{"tables in a change", "FROM T AS t, ^U AS u SET t.b = 1", "U", "only of a table and of lists in its documents"},
		{"two tables", "DELETE FROM T^, U", ",", "expected the end of the statement"},
		{"index not purged", `DROP INDEX "x" ON T^`, "", "expected WITH (purge = true)"},
		{"change of a view", "DELETE FROM ^_ql_committed_T", "_ql_committed_T", "expected the name of a table"},
		{"type", "SELECT * FROM T WHERE a IS ^STRING", "STRING", "asking for other types is not supported"},
		{"wildcard", "SELECT VALUE a[^*] FROM T", "*", "a path over all elements is not supported"},
		{"field name without quotes", "INSERT INTO T {^a: 1}", "a", "in single quotation marks"},
		{"too many sources", "SELECT * FROM T" + strings.Repeat(", T", 32) + "^", "", "no more than 32 sources"},
		{"other view", "SELECT * FROM information_schema.^tables", "tables", "has only user_tables"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			statement := strings.Replace(tt.statement, "^", "", 1)
			_, err := Parse(statement)
			e, ok := errors.AsType[*SyntaxError](err)
			if !ok {
				t.Fatalf("%s: %v", statement, err)
			}
			if want := strings.IndexByte(tt.statement, '^'); e.Offset != want {
				t.Errorf("%s: stopped at %d, want %d", statement, e.Offset, want)
			}
			if e.Near != tt.near || !strings.Contains(e.Expected, tt.expected) {
				t.Errorf("%s: near %q: %s\nwant near %q: %s", statement, e.Near, e.Expected, tt.near, tt.expected)
			}
		})
	}
	_, err := Parse("SELECT *\nFROM é ORDER BY x")
	if want := `Parser Error: at line 2, column 6: at "é": no statement has this character here`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = Parse("SELECT *\nFROM \"é\" ORDER BY x")
	if want := `Parser Error: at line 2, column 10: at "ORDER": ORDER BY is not supported`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLimits(t *testing.T) {
	long := "SELECT * FROM T WHERE a IN (" + strings.Repeat("1,", 49_980) + "1)"
	if _, err := Parse(long); err != nil {
		t.Errorf("%d characters: %v", len(long), err)
	}
	many := "SELECT * FROM T WHERE a" + strings.Repeat(" OR a", 19_000)
	if s, err := Parse(many); err != nil {
		t.Errorf("a long chain: %v", err)
	} else if s2, err := Parse(s.String()); err != nil || !same(s, s2) {
		t.Errorf("a long chain is not printed well: %v", err)
	}
	for _, chain := range []string{" + 1 - 1", " * 1 / 1", " || 'x'", " = 1 IS NULL", " IN [1] <> 1", " AND 1 OR 1"} {
		if s, err := Parse("SELECT VALUE 1" + strings.Repeat(chain, 8000) + " FROM Person"); err != nil {
			t.Errorf("%s: %v", chain, err)
		} else if s2, err := Parse(s.String()); err != nil || s.String() != s2.String() {
			t.Errorf("a chain of %s is not printed well: %v", chain, err)
		} else if _, err := Execute(s, nil, people(t)); err != nil {
			t.Errorf("a chain of %s is not run: %v", chain, err)
		}
	}
	for _, s := range []string{
		strings.Repeat("x", MaxStatement+1),
		"SELECT * FROM T WHERE " + strings.Repeat("(", 5000),
		"SELECT * FROM T WHERE " + strings.Repeat("NOT ", 5000),
		"SELECT * FROM T WHERE " + strings.Repeat("-", 49_000) + "1",
		"SELECT * FROM T WHERE a" + strings.Repeat("[a", 5000),
		"SELECT VALUE " + strings.Repeat("[", 5000),
		"SELECT VALUE " + strings.Repeat("{'a':", 5000),
		"SELECT VALUE " + strings.Repeat("SIZE(", 5000),
		"SELECT VALUE " + strings.Repeat("(SELECT VALUE ", 5000),
		"SELECT VALUE `" + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "` FROM T",
		"SELECT \xff FROM T",
	} {
		if _, err := Parse(s); err == nil {
			t.Errorf("%.40s… was accepted", s)
		}
	}
}

// same compares two statements but for where their parts stand.
func same(a, b *Statement) bool {
	return a.kind == b.kind && a.params == b.params && shape(a.body) == shape(b.body)
}

// maker makes random statements.
type maker struct {
	*rand.Rand
	params int
}

func (m *maker) pick(all ...string) string { return all[m.IntN(len(all))] }

func (m *maker) name() string {
	return m.pick("a", "b", "T", "name", "select", `we"ird`, "a b", "é", "_x", "value", "history", "information_schema")
}

func (m *maker) maybe(depth int) expr {
	if m.IntN(3) == 0 {
		return m.expr(depth)
	}
	return nil
}

func (m *maker) expr(depth int) expr {
	n := 16
	if depth <= 0 {
		n = 5
	}
	d := depth - 1
	switch m.IntN(n) {
	case 0:
		return &literal{[]ion.Value{
			{}, ion.Bool(true), ion.Int(7), ion.Int(-7), ion.String("it's"), ion.String("`"), ion.Symbol("x"), ion.Float(1.5),
			ion.Null(ion.KindString), ion.List(ion.Int(1)), ion.Struct(ion.Field{Name: "f", Value: ion.Int(1)}), ion.Int(3).Annotated("n"),
		}[m.IntN(12)]}
	case 1:
		return &missing{}
	case 2:
		m.params++
		return &param{m.params - 1}
	case 3, 4:
		return m.path(d)
	case 5:
		return &unary{op: m.pick("NOT", "-", "+"), of: m.expr(d)}
	case 6, 7, 8:
		left := m.expr(d)
		return &binary{op: m.pick("AND", "OR", "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "||"), left: left, right: m.expr(d)}
	case 9:
		of := m.expr(d)
		return &in{of: of, list: &list{elements: []expr{m.expr(d)}}, not: m.IntN(2) == 0}
	case 10:
		return &is{of: m.expr(d), missing: m.IntN(2) == 0, not: m.IntN(2) == 0}
	case 11:
		l := &like{of: m.expr(d), not: m.IntN(2) == 0}
		l.pattern = m.expr(d)
		l.escape = m.maybe(d)
		return l
	case 12:
		b := &between{of: m.expr(d), not: m.IntN(2) == 0}
		b.low = m.expr(d)
		b.high = m.expr(d)
		return b
	case 13:
		l := &list{bag: m.IntN(2) == 0}
		for range m.IntN(3) {
			l.elements = append(l.elements, m.expr(d))
		}
		return l
	case 14:
		o := &object{}
		for range m.IntN(3) {
			o.names = append(o.names, m.expr(d))
			o.values = append(o.values, m.expr(d))
		}
		return o
	}
	switch m.IntN(9) {
	case 4:
		return &call{name: "CAST", word: m.pick("INT", "STRING", "NULL"), args: []expr{m.expr(d)}}
	case 5:
		return &call{name: "EXTRACT", word: m.pick("YEAR", "TIMEZONE_HOUR"), args: []expr{m.expr(d)}}
	case 6:
		return &call{name: m.pick("DATE_ADD", "DATE_DIFF"), word: m.pick("DAY", "SECOND"), args: []expr{m.expr(d), m.expr(d)}}
	case 7:
		c := &call{name: "TRIM", word: m.pick("LEADING", "BOTH"), args: []expr{m.expr(d)}}
		if m.IntN(2) == 0 {
			c.args = append(c.args, m.expr(d))
		}
		return c
	case 8:
		return &call{name: m.pick("TXID", "UTCNOW")}
	case 0:
		return &aggregate{name: "COUNT"}
	case 1:
		return &aggregate{name: m.pick("SUM", "MIN"), of: m.expr(d), distinct: m.IntN(2) == 0}
	case 2:
		return &subquery{m.query(d)}
	}
	return &call{name: "SUBSTRING", args: []expr{m.expr(d), m.expr(d)}}
}

func (m *maker) path(depth int) *path {
	p := &path{name: m.name()}
	if m.IntN(4) == 0 {
		p.name, p.root = "", m.expr(depth)
		if inner, ok := p.root.(*path); ok { // a path that begins with a path is one
			*p = *inner
		}
		p.steps = append(p.steps, step{name: m.name()})
	}
	p.steps = append(p.steps, m.steps(depth-1)...)
	return p
}

func (m *maker) steps(depth int) (steps []step) {
	for range m.IntN(3) {
		if m.IntN(2) == 0 {
			steps = append(steps, step{name: m.name()})
		} else {
			steps = append(steps, step{index: m.expr(depth)})
		}
	}
	return steps
}

func (m *maker) source(depth int, first bool) source {
	s := source{}
	switch m.IntN(5) {
	case 0:
		s.schema = true
	case 1:
		s.history = m.name()
		for range m.IntN(3) {
			s.args = append(s.args, m.expr(depth))
		}
	case 2, 3:
		s.table, s.committed = m.name(), m.IntN(3) == 0
		if m.IntN(3) == 0 {
			s.by = m.name()
		}
	case 4:
		s.expr = m.expr(depth)
	}
	if m.IntN(2) == 0 {
		s.as = m.name()
	}
	if m.IntN(4) == 0 {
		s.at = m.name()
	}
	if !first && m.IntN(2) == 0 {
		s.join, s.on = true, m.expr(depth)
	}
	return s
}

func (m *maker) query(depth int) *query {
	q := &query{}
	switch m.IntN(3) {
	case 0:
		q.value = m.expr(depth)
	case 1:
		for range 1 + m.IntN(3) {
			it := item{expr: m.expr(depth)}
			if m.IntN(2) == 0 {
				it.as = m.name()
			} else if m.IntN(3) == 0 {
				it.all = true
			}
			q.items = append(q.items, it)
		}
	}
	for i := range 1 + m.IntN(3) {
		q.sources = append(q.sources, m.source(depth, i == 0))
	}
	q.where = m.maybe(depth)
	return q
}

func (m *maker) statement() *Statement {
	table := func() source {
		s := source{table: m.name()}
		if m.IntN(2) == 0 {
			s.as = m.name()
		}
		return s
	}
	s := &Statement{}
	switch s.kind = Kind(1 + m.IntN(int(DropIndex))); s.kind {
	case Select, History:
		q := m.query(3)
		s.kind, s.body = Select, q
		if strings.Contains(q.text(), "history(") {
			s.kind = History
		}
	case Insert:
		s.body = &insert{table: m.name(), values: m.expr(3), single: m.IntN(2) == 0}
	case Update:
		u := &update{sources: []source{table()}}
		if first := u.sources[0].alias(); m.IntN(4) == 0 {
			list := source{as: m.name(), expr: &path{name: first, steps: append(m.steps(1), step{name: m.name()})}}
			u.sources = append(u.sources, list)
			u.where = m.maybe(3)
		}
		for range 1 + m.IntN(3) {
			c := change{what: changeKind(m.IntN(3)), path: &path{name: m.name(), steps: m.steps(1)}}
			if c.what != removePath {
				c.expr = m.expr(2)
			}
			if c.what == insertInto {
				c.at = m.maybe(1)
			}
			u.changes = append(u.changes, c)
		}
		if len(u.sources) == 1 {
			u.where = m.maybe(3)
		}
		s.body = u
	case Delete:
		s.body = &remove{from: table(), where: m.maybe(3)}
	case CreateTable:
		tags := ion.Struct(ion.Field{Name: "a", Value: ion.String("b")})
		s.body = &createTable{table: m.name(), tags: &tags}
	case DropTable:
		s.body = &dropTable{table: m.name()}
	case UndropTable:
		s.body = &undropTable{id: m.name()}
	case CreateIndex:
		s.body = &createIndex{table: m.name(), path: []string{m.name(), m.name()}}
	case DropIndex:
		s.body = &dropIndex{table: m.name(), id: m.name()}
	}
	return s
}

func (q *query) text() string {
	p := &printer{}
	q.print(p)
	return p.String()
}

// TestPrintAndParse makes random trees: parsing what they are printed as gives them again.
func TestPrintAndParse(t *testing.T) {
	seed := rand.Uint64()
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 0))}
	kinds := map[Kind]int{}
	for range 5_000 {
		m.params = 0
		s := m.statement()
		text := s.String()
		got, err := Parse(text)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, text, err)
		}
		kinds[got.kind]++
		// Question marks are numbered as they are printed, which is not always as they were made; the
		// print of the print shows every other difference there can be, and so do the types.
		if again := got.String(); again != text || shape(got.body) != shape(s.body) || got.params != m.params {
			t.Fatalf("seed %d: %s\nbecame %s\n%s\n%s", seed, text, again, shape(s.body), shape(got.body))
		}
	}
	if got, want := len(kinds), int(DropIndex); got != want {
		t.Errorf("%d kinds of statements were made, want %d", got, want)
	}
}

// shape writes down a whole tree but for offsets and the numbers of parameters.
func shape(v any) string {
	var b strings.Builder
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() {
				b.WriteString("nil ")
				return
			}
			visit(v.Elem())
		case reflect.Slice:
			fmt.Fprintf(&b, "[")
			for i := range v.Len() {
				visit(v.Index(i))
			}
			fmt.Fprintf(&b, "] ")
		case reflect.Struct:
			fmt.Fprintf(&b, "%s{", v.Type().Name())
			for i := range v.NumField() {
				if f := v.Type().Field(i).Name; !slices.Contains([]string{"offset", "n"}, f) {
					fmt.Fprintf(&b, "%s:", f)
					visit(v.Field(i))
				}
			}
			fmt.Fprintf(&b, "} ")
		default:
			fmt.Fprintf(&b, "%#v ", v)
		}
	}
	visit(reflect.ValueOf(v))
	return b.String()
}
