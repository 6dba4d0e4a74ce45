package partiql

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"loadkms/sandbox/ion"
)

// A cell is a value of the twin: nil is MISSING, none is NULL, otherwise an int, string or bool.
type cell any

type none struct{}

// A condition is a random WHERE: as text, and as the twin computes it.
type condition struct {
	text string
	of   func(row map[string]cell) cell
}

// twin makes conditions over the fields a, b and c. It shares nothing with the evaluator but PartiQL's
// rules, written down the slow way.
type twin struct{ *rand.Rand }

func (w *twin) operand() condition {
	switch w.IntN(6) {
	case 0:
		n := w.IntN(4)
		return condition{fmt.Sprint(n), func(map[string]cell) cell { return n }}
	case 1:
		s := string(rune('x' + w.IntN(3)))
		return condition{"'" + s + "'", func(map[string]cell) cell { return s }}
	case 2:
		if w.IntN(2) == 0 {
			return condition{"NULL", func(map[string]cell) cell { return none{} }}
		}
		return condition{"MISSING", func(map[string]cell) cell { return nil }}
	}
	f := string(rune('a' + w.IntN(3)))
	return condition{f, func(row map[string]cell) cell { return row[f] }}
}

func (w *twin) condition(depth int) condition {
	if depth > 0 && w.IntN(2) == 0 {
		a := w.condition(depth - 1)
		b := w.condition(depth - 1)
		switch w.IntN(3) {
		case 0:
			return condition{"(" + a.text + " AND " + b.text + ")", func(r map[string]cell) cell {
				x, y := a.of(r), b.of(r)
				if x == false || y == false {
					return false
				}
				if x == true && y == true {
					return true
				}
				return none{}
			}}
		case 1:
			return condition{"(" + a.text + " OR " + b.text + ")", func(r map[string]cell) cell {
				x, y := a.of(r), b.of(r)
				if x == true || y == true {
					return true
				}
				if x == false && y == false {
					return false
				}
				return none{}
			}}
		}
		return condition{"NOT (" + a.text + ")", func(r map[string]cell) cell {
			if x, ok := a.of(r).(bool); ok {
				return !x
			}
			if a.of(r) == (none{}) {
				return none{}
			}
			return nil
		}}
	}
	a, b, c := w.operand(), w.operand(), w.operand()
	switch w.IntN(5) {
	case 0:
		return condition{a.text + " IS NULL", func(r map[string]cell) cell { return a.of(r) == nil || a.of(r) == (none{}) }}
	case 1:
		return condition{a.text + " IS NOT MISSING", func(r map[string]cell) cell { return a.of(r) != nil }}
	case 2:
		in := []condition{b, c}
		return condition{fmt.Sprintf("%s IN (%s, %s)", a.text, b.text, c.text), func(r map[string]cell) cell {
			x := a.of(r)
			if x == nil {
				return nil
			}
			unsure := x == (none{})
			for _, e := range in {
				y := e.of(r)
				if y == nil || y == (none{}) {
					unsure = true
				} else if x == y {
					return true
				}
			}
			if unsure {
				return none{}
			}
			return false
		}}
	case 3:
		return condition{fmt.Sprintf("%s BETWEEN %s AND %s", a.text, b.text, c.text), func(r map[string]cell) cell {
			x, y, z := a.of(r), b.of(r), c.of(r)
			if x == nil || y == nil || z == nil {
				return nil
			}
			low, high := less(y, x, true), less(x, z, true)
			switch {
			case low == false || high == false:
				return false
			case low == true && high == true:
				return true
			}
			return none{}
		}}
	}
	op := []string{"=", "<>", "<", "<=", ">", ">="}[w.IntN(6)]
	return condition{a.text + " " + op + " " + b.text, func(r map[string]cell) cell {
		x, y := a.of(r), b.of(r)
		switch {
		case x == nil || y == nil:
			return nil
		case x == (none{}) || y == (none{}):
			return none{}
		}
		switch op {
		case "=":
			return x == y
		case "<>":
			return x != y
		case "<":
			return less(x, y, false)
		case "<=":
			return less(x, y, true)
		case ">":
			return less(y, x, false)
		}
		return less(y, x, true)
	}}
}

// less compares two of a type; it is MISSING for others, and NULL for NULL.
func less(x, y cell, orEqual bool) cell {
	if x == (none{}) || y == (none{}) {
		return none{}
	}
	switch x := x.(type) {
	case int:
		if y, ok := y.(int); ok {
			return x < y || orEqual && x == y
		}
	case string:
		if y, ok := y.(string); ok {
			return x < y || orEqual && x == y
		}
	}
	return nil
}

// TestWhereAgainstTwin runs random conditions on random documents, with and without indexes, and
// compares which documents pass with what the twin says.
func TestWhereAgainstTwin(t *testing.T) {
	seed := rand.Uint64()
	w := &twin{rand.New(rand.NewPCG(seed, 1))}
	passed, looked := 0, 0
	for range 2_000 {
		plain, indexed := &memory{}, &memory{}
		for _, m := range []*memory{plain, indexed} {
			must(t, m, "CREATE TABLE T", "")
		}
		must(t, indexed, "CREATE INDEX ON T (a)", "")
		must(t, indexed, "CREATE INDEX ON T (b)", "")
		var rows []map[string]cell
		for i := range 8 {
			row := map[string]cell{}
			fields := []ion.Field{{Name: "n", Value: ion.Int(int64(i))}}
			for _, f := range []string{"a", "b", "c"} {
				var v ion.Value
				switch w.IntN(4) {
				case 0:
					continue
				case 1:
					row[f] = none{}
				case 2:
					n := w.IntN(4)
					row[f], v = n, ion.Int(int64(n))
				case 3:
					s := string(rune('x' + w.IntN(3)))
					row[f], v = s, ion.String(s)
				}
				fields = append(fields, ion.Field{Name: f, Value: v})
			}
			rows = append(rows, row)
			for _, m := range []*memory{plain, indexed} {
				if _, err := Execute(parse(t, "INSERT INTO T ?"), []ion.Value{ion.Struct(fields...)}, m); err != nil {
					t.Fatal(err)
				}
			}
		}
		c := w.condition(3)
		if w.IntN(2) == 0 { // half of them can go through an index
			rest, key := c, w.operand()
			f := string(rune('a' + w.IntN(2)))
			c = condition{f + " = " + key.text + " AND " + rest.text, func(r map[string]cell) cell {
				k := key.of(r)
				return k != nil && k != (none{}) && r[f] == k && rest.of(r) == true
			}}
		}
		var want []string
		for i, row := range rows {
			if c.of(row) == true {
				want = append(want, fmt.Sprint(i))
			}
		}
		statement := "SELECT VALUE n FROM T WHERE " + c.text
		for _, m := range []*memory{plain, indexed} {
			m.reads = nil
			got := strings.Fields(texts(must(t, m, statement, "")))
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: %s on %v\n got %v (%v)\nwant %v", seed, statement, rows, got, m.reads, want)
			}
			passed += len(got)
			looked += strings.Count(strings.Join(m.reads, " "), "lookup")
		}
	}
	if passed < 1000 || looked < 100 {
		t.Errorf("only %d documents passed, with %d look-ups: the test tests nothing", passed, looked)
	}
}

// FuzzParse has whatever is understood printed and understood again, and run on a small database.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"SELECT * FROM Person WHERE id = ?", "SELECT VALUE p.a[0]['b'] FROM T AS p BY d, p.x AS y AT i JOIN U ON a = b WHERE NOT a IN (1, 2.5e3)",
		"INSERT INTO Person << {'a': `x::[1, 2007T]`}, ? >>", "UPDATE Person AS p SET p.a = -1 + 2 * 3 || 'x''y' REMOVE p.b WHERE a LIKE '%' ESCAPE 'x'",
		"FROM Person AS p WHERE id BETWEEN 1 AND 2 INSERT INTO p.tags VALUE 1 AT 0", "DELETE FROM Person WHERE a IS NOT MISSING",
		"SELECT COUNT(*), SUM(DISTINCT age) AS s FROM Person", "CREATE TABLE T WITH (tags = `{a:\"b\"}`)", "CREATE INDEX ON Person (a.b)",
		`DROP INDEX "x" ON Person WITH (purge = true)`, `UNDROP TABLE "x"`, "DROP TABLE Person", "SELECT * FROM history(Person, `2020T`)",
		"SELECT name -- x\nFROM information_schema.user_tables /* y */;", "SELECT * FROM _ql_committed_Person AS r WHERE r.metadata.id = 'x'",
		"SELECT p.* FROM (SELECT VALUE {'a': 1} FROM [1, 2]) AS p, Person WHERE EXISTS(SELECT * FROM Vehicle) AND SUBSTRING('x', 1) = COALESCE(?, 1)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, statement string) {
		s, err := Parse(statement)
		if err != nil {
			e, ok := err.(*SyntaxError)
			if !ok || e.Offset < 0 || e.Offset > len(statement) || e.Error() == "" {
				t.Fatalf("%q: %#v", statement, err)
			}
			return
		}
		again, err := Parse(s.String())
		if err != nil {
			t.Fatalf("%q\nis printed as %q: %v", statement, s, err)
		}
		if got, want := again.String(), s.String(); got != want {
			t.Fatalf("%q\nis printed as %q\nand then as   %q", statement, want, got)
		}
		params := make([]ion.Value, s.Params())
		for i := range params {
			params[i] = ion.List(ion.Int(1), ion.String("x"))
		}
		if _, err := Execute(s, params, people(t)); err != nil && err.Error() == "" {
			t.Fatalf("%q: an error without a text", statement)
		}
	})
}
