package partiql

import (
	"errors"
	"iter"
	"strings"
	"testing"

	"loadkms/sandbox/ion"
)

func parse(t *testing.T, s string) *Statement {
	t.Helper()
	st, err := Parse(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return st
}

func value(t *testing.T, text string) ion.Value {
	t.Helper()
	v, err := ion.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// execute runs a statement; its parameters are separated by "|" and in Ion text.
func execute(t *testing.T, db Database, statement, params string) ([]ion.Value, error) {
	t.Helper()
	var values []ion.Value
	if params != "" {
		for p := range strings.SplitSeq(params, "|") {
			values = append(values, value(t, p))
		}
	}
	return Execute(parse(t, statement), values, db)
}

func must(t *testing.T, db Database, statement, params string) []ion.Value {
	t.Helper()
	rows, err := execute(t, db, statement, params)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return rows
}

func texts(rows []ion.Value) string {
	var s []string
	for _, r := range rows {
		s = append(s, r.Text())
	}
	return strings.Join(s, " ")
}

// people is the database of most tests: Person with an index on id, Vehicle with one on owner.
func people(t *testing.T) *memory {
	t.Helper()
	m := &memory{}
	for _, s := range []string{
		"CREATE TABLE Person", "CREATE INDEX ON Person (id)", "CREATE TABLE Vehicle", "CREATE INDEX ON Vehicle (owner)",
		"CREATE INDEX ON Person (address.city)", "CREATE TABLE Empty",
		`INSERT INTO Person <<
			{'id': 1, 'name': 'Ada', 'age': 36, 'tags': ['math', 'poetry'], 'address': {'city': 'London'}},
			{'id': 2, 'name': 'Grace', 'age': 85, 'tags': [], 'address': {'city': 'Arlington', 'zip': '22201'}},
			{'id': 3, 'name': 'Edsger', 'age': NULL, 'address': {'city': 'Nuenen'}},
			{'id': '3', 'name': 'Nobody'} >>`,
		"INSERT INTO Vehicle << {'vin': 'A1', 'owner': 1, 'price': 10.50}, {'vin': 'B2', 'owner': 1, 'price': 2e0}, {'vin': 'C3', 'owner': 2, 'price': 7} >>",
	} {
		must(t, m, s, "")
	}
	m.reads, m.ios = nil, 0
	return m
}

func TestQueries(t *testing.T) {
	tests := []struct{ name, statement, params, want string }{
		{"all", "SELECT * FROM Vehicle", "", `{vin:"A1",owner:1,price:10.50} {vin:"B2",owner:1,price:2.} {vin:"C3",owner:2,price:7}`},
		{"list", "SELECT name, age FROM Person", "", `{name:"Ada",age:36} {name:"Grace",age:85} {name:"Edsger",age:null} {name:"Nobody"}`},
		{"alias of a column", "SELECT p.name AS n, 1 + 1 FROM Person AS p WHERE p.id = 1", "", `{n:"Ada",_2:2}`},
		{"implicit aliases", "select p.name n from Person p where p.id = 1", "", `{n:"Ada"}`},
		{"default alias", "SELECT Person.name FROM Person WHERE Person.id = 1", "", `{name:"Ada"}`},
		{"value", "SELECT VALUE name FROM Person", "", `"Ada" "Grace" "Edsger" "Nobody"`},
		{"missing value", "SELECT VALUE age FROM Person", "", `36 85 null`},
		{"value struct", "SELECT VALUE {'n': p.name, 'x': p.nothing} FROM Person p WHERE id = 1", "", `{n:"Ada"}`},
		{"value list", "SELECT VALUE [name, id] FROM Person WHERE id = 2", "", `["Grace",2]`},
		{"the row", "SELECT v FROM Vehicle AS v WHERE v.vin = 'C3'", "", `{v:{vin:"C3",owner:2,price:7}}`},
		{"parameter", "SELECT VALUE name FROM Person WHERE id = ?", "2", `"Grace"`},
		{"parameters", "SELECT VALUE name FROM Person WHERE name IN (?,?)", `"Ada"|"Grace"`, `"Ada" "Grace"`},
		{"parameter list", "SELECT VALUE name FROM Person WHERE id IN ?", `[3, 1]`, `"Edsger" "Ada"`},
		{"in one", "SELECT VALUE name FROM Person WHERE id IN (1)", "", `"Ada"`},
		{"in a list of the row", "SELECT VALUE name FROM Person WHERE 'math' IN tags", "", `"Ada"`},
		{"in a query", "SELECT VALUE name FROM Person WHERE id IN (SELECT VALUE owner FROM Vehicle)", "", `"Ada" "Grace"`},
		{"not in", "SELECT VALUE name FROM Person WHERE id NOT IN (1, 2)", "", `"Edsger" "Nobody"`},
		{"not in with null", "SELECT VALUE name FROM Person WHERE id NOT IN (1, NULL)", "", ``},
		{"text is no number", "SELECT VALUE name FROM Person WHERE id = '3'", "", `"Nobody"`},
		{"number of another kind", "SELECT VALUE name FROM Person WHERE id = ?", "1.0", `"Ada"`},
		{"struct", "SELECT VALUE name FROM Person WHERE address = ?", `{zip: "22201", city: "Arlington"}`, `"Grace"`},
		{"ion literal", "SELECT VALUE name FROM Person WHERE id = `3e0`", "", `"Edsger"`},
		{"symbol as text", "SELECT VALUE id FROM Person WHERE name = `Ada`", "", `1`},
		{"unequal", "SELECT VALUE vin FROM Vehicle WHERE owner <> 1", "", `"C3"`},
		{"unequal too", "SELECT VALUE vin FROM Vehicle WHERE owner != 1", "", `"C3"`},
		{"less", "SELECT VALUE vin FROM Vehicle WHERE price < 7", "", `"B2"`},
		{"less or equal", "SELECT VALUE vin FROM Vehicle WHERE price <= 7", "", `"B2" "C3"`},
		{"more", "SELECT VALUE vin FROM Vehicle WHERE price > 7", "", `"A1"`},
		{"more or equal", "SELECT VALUE vin FROM Vehicle WHERE price >= 7", "", `"A1" "C3"`},
		{"between", "SELECT VALUE vin FROM Vehicle WHERE price BETWEEN 2 AND 7", "", `"B2" "C3"`},
		{"not between", "SELECT VALUE vin FROM Vehicle WHERE price NOT BETWEEN 2 AND 7", "", `"A1"`},
		{"no order of kinds", "SELECT VALUE name FROM Person WHERE id < 'x'", "", `"Nobody"`},
		{"and", "SELECT VALUE vin FROM Vehicle WHERE owner = 1 AND price > 5", "", `"A1"`},
		{"or", "SELECT VALUE vin FROM Vehicle WHERE owner = 2 OR price > 7", "", `"A1" "C3"`},
		{"not", "SELECT VALUE vin FROM Vehicle WHERE NOT owner = 1", "", `"C3"`},
		{"precedence", "SELECT VALUE vin FROM Vehicle WHERE owner = 2 OR owner = 1 AND price < 5", "", `"B2" "C3"`},
		{"is null", "SELECT VALUE name FROM Person WHERE age IS NULL", "", `"Edsger" "Nobody"`},
		{"is not null", "SELECT VALUE name FROM Person WHERE age IS NOT NULL", "", `"Ada" "Grace"`},
		{"is missing", "SELECT VALUE name FROM Person WHERE age IS MISSING", "", `"Nobody"`},
		{"is not missing", "SELECT VALUE name FROM Person WHERE age IS NOT MISSING", "", `"Ada" "Grace" "Edsger"`},
		{"null is not equal", "SELECT VALUE name FROM Person WHERE age = NULL", "", ``},
		{"not of null", "SELECT VALUE name FROM Person WHERE NOT (age = 36)", "", `"Grace"`},
		{"like", "SELECT VALUE name FROM Person WHERE name LIKE '%r%e%'", "", `"Grace"`},
		{"like one", "SELECT VALUE name FROM Person WHERE name LIKE '_da'", "", `"Ada"`},
		{"not like", "SELECT VALUE name FROM Person WHERE name NOT LIKE '%a%'", "", `"Edsger" "Nobody"`},
		{"like escaped", "SELECT VALUE 'a%b' LIKE 'a\\%b' ESCAPE '\\' FROM [1]", "", `true`},
		{"nested path", "SELECT VALUE p.address.city FROM Person AS p WHERE p.tags[0] = 'math'", "", `"London"`},
		{"path by text", "SELECT VALUE p['address']['city'] FROM Person AS p WHERE p.id = 1", "", `"London"`},
		{"quoted path", `SELECT VALUE p."address"."city" FROM "Person" AS p WHERE p."id" = 1`, "", `"London"`},
		{"case counts", "SELECT VALUE Name FROM Person", "", ``},
		{"nested from", "SELECT p.name, t FROM Person AS p, p.tags AS t", "", `{name:"Ada",t:"math"} {name:"Ada",t:"poetry"}`},
		{"nested from with at sign", "SELECT VALUE t FROM Person AS p, @p.tags AS t AT i WHERE i = 1", "", `"poetry"`},
		{"position", "SELECT t, i FROM Person AS p, p.tags AS t AT i", "", `{t:"math",i:0} {t:"poetry",i:1}`},
		{"position of a document", "SELECT VALUE i IS MISSING FROM Vehicle AT i WHERE vin = 'A1'", "", `true`},
		{"from a value", "SELECT VALUE x + 1 FROM <<1, 2>> AS x", "", `2 3`},
		{"from a parameter", "SELECT VALUE x.a FROM ? AS x", "[{a:1},{a:2}]", `1 2`},
		{"from a query", "SELECT VALUE x FROM (SELECT VALUE vin FROM Vehicle) AS x WHERE x > 'A9'", "", `"B2" "C3"`},
		{"id", "SELECT d, p.name FROM Person AS p BY d WHERE p.id = 2", "", `{d:"Person1",name:"Grace"}`},
		{"by id", "SELECT VALUE name FROM Person BY d WHERE d = 'Person2'", "", `"Edsger"`},
		{"comma join", "SELECT p.name, v.vin FROM Person AS p, Vehicle AS v WHERE p.id = v.owner", "", `{name:"Ada",vin:"A1"} {name:"Ada",vin:"B2"} {name:"Grace",vin:"C3"}`},
		{"join on", "SELECT p.name, v.vin FROM Person p JOIN Vehicle v ON p.id = v.owner WHERE v.price > 5", "", `{name:"Ada",vin:"A1"} {name:"Grace",vin:"C3"}`},
		{"inner join", "SELECT VALUE v.vin FROM Person p INNER JOIN Vehicle v ON p.id = v.owner AND p.id = 2", "", `"C3"`},
		{"cross join", "SELECT VALUE v.vin FROM [1, 2] AS x CROSS JOIN Vehicle AS v WHERE v.owner = x", "", `"A1" "B2" "C3"`},
		{"star of a join", "SELECT * FROM <<{'a': 1}>> AS x, <<{'b': 2}, 3>> AS y", "", `{a:1,b:2} {a:1,y:3}`},
		{"star of one", "SELECT v.*, 5 AS five FROM Vehicle AS v WHERE v.vin = 'C3'", "", `{vin:"C3",owner:2,price:7,five:5}`},
		{"count", "SELECT COUNT(*) FROM Person", "", `{_1:4}`},
		{"count of none", "SELECT COUNT(*) FROM Empty", "", `{_1:0}`},
		{"count of a field", "SELECT COUNT(age), COUNT(DISTINCT id) FROM Person", "", `{_1:2,_2:4}`},
		{"totals", "SELECT SUM(price), MIN(price), MAX(vin) AS m, AVG(owner) FROM Vehicle", "", `{_1:19.50,_2:2.,m:"C3",_4:1.3333333333333333333333333333333333333}`},
		{"totals of ints", "SELECT SUM(x), AVG(x) FROM <<1, 2>> AS x", "", `{_1:3,_2:1.5}`},
		{"totals of none", "SELECT SUM(x), MIN(x), AVG(x) FROM Empty", "", `{_1:null,_2:null,_3:null}`},
		{"calculated total", "SELECT COUNT(*) + 1 AS n FROM Person", "", `{n:5}`},
		{"arithmetic", "SELECT VALUE [1 + 2 * 3, 7 / 2, 7 % 4, -1 - 1, 0.1 + 0.2, 1.0 / 3, 9223372036854775807 + 1] FROM [1]", "",
			`[7,3,3,-2,3d-1,3.3333333333333333333333333333333333333d-1,9223372036854775808]`},
		{"concatenation", "SELECT VALUE 'a' || name FROM Person WHERE id = 1", "", `"aAda"`},
		{"missing spreads", "SELECT VALUE [1 + nothing, 'a' || 1] FROM [1]", "", `[]`},
		{"functions", "SELECT VALUE [COALESCE(nothing, NULL, 3), NULLIF(1, 1), LOWER('É'), UPPER('a'), SIZE([1, 2]), CHAR_LENGTH('é'), SUBSTRING('hello', 2, 3), SUBSTRING('hello', 0, 2), SUBSTRING('hello', 4), TRIM(' a ')] FROM [1]", "",
			`[3,null,"é","A",2,1,"ell","h","lo","a"]`},
		{"exists", "SELECT VALUE name FROM Person AS p WHERE EXISTS(SELECT * FROM Vehicle AS v WHERE v.owner = p.id)", "", `"Ada" "Grace"`},
		{"committed view", "SELECT r.data.name, r.metadata.version FROM _ql_committed_Person AS r WHERE r.data.id = 1", "", `{name:"Ada",version:0}`},
		{"committed view by id", "SELECT VALUE data.name FROM _ql_committed_Person WHERE metadata.id = 'Person1'", "", `"Grace"`},
		{"history", "SELECT VALUE h.data.name FROM history(Person) AS h WHERE h.metadata.id = 'Person1'", "", `"Grace"`},
		{"history from", "SELECT VALUE data.name FROM history(Person, `2020T`, ?) WHERE metadata.id = 'Person1'", "2021T", `"Grace"`},
		{"tables", "SELECT name FROM information_schema.user_tables WHERE status = 'ACTIVE'", "", `{name:"Person"} {name:"Vehicle"} {name:"Empty"}`},
		{"index of a table", "SELECT VALUE indexes[0] FROM information_schema.user_tables WHERE status = 'ACTIVE' AND name = 'Vehicle'", "", `{indexId:"i0",expr:"[owner]"}`},
		{"comments", "SELECT /* all */ VALUE vin -- names\nFROM Vehicle WHERE vin = 'A1';", "", `"A1"`},
		{"an alias where a table could be", "SELECT VALUE y FROM [[1, 2]] AS x, x AS y", "", `1 2`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := texts(must(t, people(t), tt.statement, tt.params)); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.statement, got, tt.want)
			}
		})
	}
}

// TestReads shows how a statement reads its tables: QLDB goes through an index for = and IN only, and
// what is read decides about conflicts.
func TestReads(t *testing.T) {
	tests := []struct{ name, statement, want string }{
		{"index", "SELECT * FROM Person WHERE id = 1", "lookup Person id 1"},
		{"index, the other way around", "SELECT * FROM Person AS p WHERE 1 = p.id", "lookup Person id 1"},
		{"index and more", "SELECT * FROM Person WHERE name = 'x' AND id = 1 AND age > 3", "lookup Person id 1"},
		{"index of a path", "SELECT * FROM Person AS p WHERE p.address.city = 'London'", `lookup Person address.city "London"`},
		{"list", "SELECT * FROM Person WHERE id IN (2, 1, 2.0, NULL)", "lookup Person id 2; lookup Person id 1"},
		{"null", "SELECT * FROM Person WHERE id = NULL", ""},
		{"no index", "SELECT * FROM Person WHERE name = 'Ada'", "scan Person"},
		{"or", "SELECT * FROM Person WHERE id = 1 OR id = 2", "scan Person"},
		{"inequality", "SELECT * FROM Person WHERE id > 1", "scan Person"},
		{"not in", "SELECT * FROM Person WHERE id NOT IN (1)", "scan Person"},
		{"id", "SELECT * FROM Person BY d WHERE d = 'Person1' AND id = 2", "document Person Person1"},
		{"ids", "SELECT * FROM Person BY d WHERE d IN ('Person1', 'x')", "document Person Person1; document Person x"},
		{"join", "SELECT * FROM Vehicle AS v, Person AS p WHERE p.id = v.owner", "scan Vehicle; lookup Person id 1; lookup Person id 1; lookup Person id 2"},
		{"join on", "SELECT * FROM Person AS p JOIN Vehicle AS v ON v.owner = p.id WHERE p.id = 1", "lookup Person id 1; lookup Vehicle owner 1"},
		{"early condition", "SELECT * FROM Person AS p, Vehicle AS v WHERE p.name = 'Ada'", "scan Person; scan Vehicle"},
		{"update", "UPDATE Person SET age = 1 WHERE id = 1", "lookup Person id 1"},
		{"delete", "DELETE FROM Person BY d WHERE d = 'Person1'", "document Person Person1"},
		{"insert", "INSERT INTO Person {'id': 7}", ""},
		{"committed", "SELECT * FROM _ql_committed_Person AS r WHERE r.data.id = 1", "lookup Person id 1"},
		{"correlated", "SELECT * FROM Vehicle AS v WHERE EXISTS(SELECT * FROM Person AS p WHERE p.id = v.owner)", "scan Vehicle; lookup Person id 1; lookup Person id 1; lookup Person id 2"},
		{"history", "SELECT * FROM history(Person)", "history Person null null"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := people(t)
			must(t, m, tt.statement, "")
			if got := strings.Join(m.reads, "; "); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.statement, got, tt.want)
			}
		})
	}
}

// TestJoinReads is what AWS's driver tests ask of a join of a table of three with itself, six times:
// 3 + 9 + … + 729 reads.
func TestJoinReads(t *testing.T) {
	m := &memory{}
	must(t, m, "CREATE TABLE T", "")
	must(t, m, "INSERT INTO T <<?, ?, ?>>", `{Name:"a"}|{Name:"a"}|{Name:"a"}`)
	rows := must(t, m, "SELECT * FROM T as a, T as b, T as c, T as d, T as e, T as f", "")
	if got, want := len(rows), 729; got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
	if got, want := m.ios, 1092; got != want {
		t.Errorf("%d reads, want %d", got, want)
	}
}

func TestChanges(t *testing.T) {
	tests := []struct{ name, statement, params, rows, look, want string }{
		{"insert", "INSERT INTO Empty ?", `{a:1,b:[x::2]}`, `{documentId:"Empty0"}`, "SELECT * FROM Empty", `{a:1,b:[x::2]}`},
		{"insert value", "INSERT INTO Empty VALUE {'a': 1}", "", `{documentId:"Empty0"}`, "SELECT * FROM Empty", `{a:1}`},
		{"insert several", "INSERT INTO Empty <<?, {'b': ?}>>", `{a:1}|2`, `{documentId:"Empty0"} {documentId:"Empty1"}`, "SELECT * FROM Empty", `{a:1} {b:2}`},
		{"insert a list", "INSERT INTO Empty ?", `[{a:1},{a:2}]`, `{documentId:"Empty0"} {documentId:"Empty1"}`, "SELECT * FROM Empty", `{a:1} {a:2}`},
		{"insert ion", "INSERT INTO Empty `{a:2007T}`", ``, `{documentId:"Empty0"}`, "SELECT * FROM Empty", `{a:2007T}`},
		{"insert nothing", "INSERT INTO Empty <<>>", ``, ``, "SELECT * FROM Empty", ``},
		{"update all", "UPDATE Vehicle SET price = ?", "5", `{documentId:"Vehicle0"} {documentId:"Vehicle1"} {documentId:"Vehicle2"}`, "SELECT VALUE price FROM Vehicle", `5 5 5`},
		{"update one", "UPDATE Person AS p SET p.age = p.age + 1, p.address.city = 'Paris' WHERE p.id = 1", "", `{documentId:"Person0"}`,
			"SELECT * FROM Person WHERE id = 1", `{id:1,name:"Ada",age:37,tags:["math","poetry"],address:{city:"Paris"}}`},
		{"update adds a field", "UPDATE Vehicle SET color = 'red' WHERE vin = 'A1'", "", `{documentId:"Vehicle0"}`, "SELECT * FROM Vehicle WHERE vin = 'A1'", `{vin:"A1",owner:1,price:10.50,color:"red"}`},
		{"update to null", "UPDATE Vehicle SET price = ? WHERE vin = 'A1'", "null", `{documentId:"Vehicle0"}`, "SELECT VALUE vin FROM Vehicle WHERE price IS NULL", `"A1"`},
		{"update an element", "UPDATE Person SET tags[1] = 'x' WHERE id = 1", "", `{documentId:"Person0"}`, "SELECT VALUE tags FROM Person WHERE id = 1", `["math","x"]`},
		{"update sees the old document", "UPDATE Vehicle SET vin = owner, owner = vin WHERE vin = 'A1'", "", `{documentId:"Vehicle0"}`, "SELECT vin, owner FROM Vehicle WHERE owner = 'A1'", `{vin:1,owner:"A1"}`},
		{"update to missing removes", "UPDATE Vehicle SET price = MISSING WHERE vin = 'A1'", "", `{documentId:"Vehicle0"}`, "SELECT * FROM Vehicle WHERE vin = 'A1'", `{vin:"A1",owner:1}`},
		{"update the document", "UPDATE Vehicle AS v SET v = {'vin': 'Z'} WHERE v.vin = 'A1'", "", `{documentId:"Vehicle0"}`, "SELECT VALUE vin FROM Vehicle", `"Z" "B2" "C3"`},
		{"update by id", "UPDATE Vehicle AS v BY d SET v.price = 0 WHERE d = 'Vehicle2'", "", `{documentId:"Vehicle2"}`, "SELECT VALUE price FROM Vehicle", `10.50 2. 0`},
		{"update and remove", "UPDATE Vehicle SET owner = 9 REMOVE price WHERE vin = 'A1'", "", `{documentId:"Vehicle0"}`, "SELECT * FROM Vehicle WHERE owner = 9", `{vin:"A1",owner:9}`},
		{"update none", "UPDATE Vehicle SET owner = 9 WHERE vin = 'X'", "", ``, "SELECT * FROM Vehicle WHERE owner = 9", ``},
		{"from set", "FROM Vehicle AS v WHERE v.vin = 'A1' SET v.price = 1", "", `{documentId:"Vehicle0"}`, "SELECT VALUE price FROM Vehicle WHERE vin = 'A1'", `1`},
		{"from remove", "FROM Person AS p WHERE p.id = 2 REMOVE p.address.zip", "", `{documentId:"Person1"}`, "SELECT VALUE address FROM Person WHERE id = 2", `{city:"Arlington"}`},
		{"from insert", "FROM Person AS p WHERE p.id = 1 INSERT INTO p.tags VALUE 'x'", "", `{documentId:"Person0"}`, "SELECT VALUE tags FROM Person WHERE id = 1", `["math","poetry","x"]`},
		{"from insert at", "FROM Person AS p WHERE p.id = 1 INSERT INTO p.tags VALUE 'x' AT 0", "", `{documentId:"Person0"}`, "SELECT VALUE tags FROM Person WHERE id = 1", `["x","math","poetry"]`},
		{"from insert a field", "FROM Person AS p WHERE p.id = 1 INSERT INTO p.address VALUE 'GB' AT 'country'", "", `{documentId:"Person0"}`, "SELECT VALUE address FROM Person WHERE id = 1", `{city:"London",country:"GB"}`},
		{"insert a field into the document", "FROM Vehicle AS v WHERE v.vin = 'A1' INSERT INTO v VALUE 26500 AT 'Mileage'", "", `{documentId:"Vehicle0"}`, "SELECT * FROM Vehicle WHERE vin = 'A1'", `{vin:"A1",owner:1,price:10.50,Mileage:26500}`},
		{"from remove the document", "FROM Vehicle AS v WHERE v.owner = 1 REMOVE v", "", `{documentId:"Vehicle0"} {documentId:"Vehicle1"}`, "SELECT VALUE vin FROM Vehicle", `"C3"`},
		{"nested list, set", "FROM Person AS p, @p.tags AS t WHERE p.id = 1 AND t = 'poetry' SET t = 'prose'", "", `{documentId:"Person0"}`, "SELECT VALUE tags FROM Person WHERE id = 1", `["math","prose"]`},
		{"nested list, remove all", "FROM Person AS p, p.tags AS t REMOVE t", "", `{documentId:"Person0"}`, "SELECT VALUE tags FROM Person", `[] []`},
		{"nested struct", "FROM Person AS p, p.address AS a WHERE a.zip = '22201' SET a.zip = '1', a.x = p.id", "", `{documentId:"Person1"}`, "SELECT VALUE address FROM Person WHERE id = 2", `{city:"Arlington",zip:"1",x:2}`},
		{"remove an element", "UPDATE Person REMOVE tags[0] WHERE id = 1", "", `{documentId:"Person0"}`, "SELECT VALUE tags FROM Person WHERE id = 1", `["poetry"]`},
		{"delete", "DELETE FROM Vehicle WHERE owner = 1", "", `{documentId:"Vehicle0"} {documentId:"Vehicle1"}`, "SELECT VALUE vin FROM Vehicle", `"C3"`},
		{"delete all", "DELETE FROM Vehicle AS v", "", `{documentId:"Vehicle0"} {documentId:"Vehicle1"} {documentId:"Vehicle2"}`, "SELECT COUNT(*) FROM Vehicle", `{_1:0}`},
		{"create table", "create table Other", "", `{tableId:"table3"}`, "SELECT * FROM Other", ``},
		{"create index", "CREATE INDEX on Empty (a)", "", `{tableId:"table2"}`, "SELECT VALUE indexes[0].expr FROM information_schema.user_tables WHERE name = 'Empty'", `"[a]"`},
		{"drop index", `DROP INDEX "i0" ON Vehicle WITH (purge = true)`, "", `{tableId:"table1"}`, "SELECT VALUE SIZE(indexes) FROM information_schema.user_tables WHERE name = 'Vehicle'", `0`},
		{"drop table", `DROP TABLE "Empty"`, "", `{tableId:"table2"}`, "SELECT VALUE name FROM information_schema.user_tables WHERE status = 'INACTIVE'", `"Empty"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := people(t)
			if got := texts(must(t, m, tt.statement, tt.params)); got != tt.rows {
				t.Errorf("%s\n got rows %s\nwant %s", tt.statement, got, tt.rows)
			}
			if got := texts(must(t, m, tt.look, "")); got != tt.want {
				t.Errorf("%s, then %s\n got %s\nwant %s", tt.statement, tt.look, got, tt.want)
			}
		})
	}
	m := people(t)
	must(t, m, "DROP TABLE Empty", "")
	if got, want := texts(must(t, m, `UNDROP TABLE "table2"`, "")), `{tableId:"table2"}`; got != want {
		t.Errorf("undrop: %s, want %s", got, want)
	}
	must(t, m, "SELECT * FROM Empty", "")
}

// TestDeepDocument shows that the deepest document that can be stored can also be seen in every way.
func TestDeepDocument(t *testing.T) {
	m := people(t)
	must(t, m, "INSERT INTO Empty ?", "{a:"+strings.Repeat("[", ion.MaxDepth)+strings.Repeat("]", ion.MaxDepth)+"}")
	for _, s := range []string{"SELECT * FROM Empty", "SELECT VALUE [h] FROM history(Empty) AS h", "SELECT r FROM _ql_committed_Empty AS r"} {
		if rows := must(t, m, s, ""); len(rows) != 1 {
			t.Errorf("%s: %d rows", s, len(rows))
		}
	}
}

// laughs is a statement whose result holds 8 to the power of n ones, without being long.
func laughs(n int) string {
	s := "SELECT VALUE x FROM <<1>> AS x"
	for range n {
		s = "SELECT VALUE [x, x, x, x, x, x, x, x] FROM (" + s + ") AS x"
	}
	return s
}

func TestSemanticErrors(t *testing.T) {
	tests := []struct{ name, statement, params, want string }{
		{"unknown table", "DELETE FROM NonExistentTable", "", "Semantic Error: at line 1, column 13: No such variable named 'NonExistentTable'; No such variable named 'NonExistentTable'"},
		{"unknown table of a query", "SELECT *\nFROM Nope", "", "Semantic Error: at line 2, column 6: No such variable named 'Nope'; No such variable named 'Nope'"},
		{"unknown table of an insert", "INSERT INTO Nope {}", "", "No such variable named 'Nope'"},
		{"unknown table of a history", "SELECT * FROM history(Nope)", "", "No such variable named 'Nope'"},
		{"too few parameters", "SELECT * FROM Person WHERE id = ?", "", "has 1 parameters, 0 values were given"},
		{"no struct", "INSERT INTO Person ?", "1", "Only structs can be inserted into a table"},
		{"no structs", "INSERT INTO Person <<{'a': 1}, NULL>>", "", "Only structs can be inserted into a table"},
		{"a list as one document", "INSERT INTO Person VALUE ?", "[{}]", "Only structs can be inserted into a table"},
		{"division by zero", "SELECT 1 / 0 FROM Person", "", "column 10: Division by zero"},
		{"huge decimal", "SELECT ? + 1 FROM Person", "1d2000000000", "too large to calculate with"},
		{"total and no total", "SELECT name, COUNT(*) FROM Person", "", "column 8: 'name' must be inside an aggregate"},
		{"total in a condition", "SELECT name FROM Person WHERE COUNT(*) > 1", "", "COUNT is only allowed in a SELECT list"},
		{"total of a total", "SELECT SUM(COUNT(*)) FROM Person", "", "COUNT is inside another aggregate"},
		{"sum of text", "SELECT SUM(name) FROM Person", "", "SUM of what is not a number"},
		{"min of a mixture", "SELECT MIN(id) FROM Person", "", "MIN of values that have no order"},
		{"no way to set", "UPDATE Person SET nothing.x = 1", "", "There is no 'nothing'"},
		{"no position to set", "UPDATE Person SET tags[7] = 1 WHERE id = 1", "", "There is no such position"},
		{"no document", "UPDATE Person AS p SET p = 1", "", "A document must be a struct"},
		{"history of no time", "SELECT * FROM history(Person, 1)", "", "must be timestamps"},
		{"a value of values of values", laughs(30), "", "A value is too large"},
		{"a document too deep", "INSERT INTO Person {'a': ?}", strings.Repeat("[", ion.MaxDepth+1) + strings.Repeat("]", ion.MaxDepth+1), "A value is too large: more than 100 levels deep"},
		{"an update too deep", "UPDATE Person SET a = ?", strings.Repeat("[", ion.MaxDepth+1) + strings.Repeat("]", ion.MaxDepth+1), "A value is too large: more than 100 levels deep"},
		{"too many steps", "SELECT * FROM ? AS a WHERE 5 IN ?", "[" + strings.Repeat("1,", 300) + "]|[" + strings.Repeat("1,", 20_000) + "]", "more than 5000000 steps"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := execute(t, people(t), tt.statement, tt.params)
			if _, ok := errors.AsType[*SemanticError](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s\n got %v\nwant %s", tt.statement, err, tt.want)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Parse("SELECT * FROM Test WHERE id = ?")
	}
}

// BenchmarkPoint is what GET /record/{id} comes to: a look-up through an index of a table of one.
func BenchmarkPoint(b *testing.B) {
	m := &memory{}
	for _, s := range []string{"CREATE TABLE Test", "CREATE INDEX ON Test (id)", "INSERT INTO Test {'id': 1, 'name': 'Ada'}"} {
		st, _ := Parse(s)
		if _, err := Execute(st, nil, m); err != nil {
			b.Fatal(err)
		}
	}
	s, _ := Parse("SELECT * FROM Test WHERE id = ?")
	params := []ion.Value{ion.Int(1)}
	b.ReportAllocs()
	for b.Loop() {
		m.reads = nil
		if rows, err := Execute(s, params, m); err != nil || len(rows) != 1 {
			b.Fatal(rows, err)
		}
	}
}

// BenchmarkScan is a condition on each of 1,000 documents.
func BenchmarkScan(b *testing.B) {
	m := &memory{}
	s, _ := Parse("CREATE TABLE Test")
	Execute(s, nil, m)
	s, _ = Parse("INSERT INTO Test ?")
	for i := range 1000 {
		Execute(s, []ion.Value{ion.Struct(ion.Field{Name: "id", Value: ion.Int(int64(i))}, ion.Field{Name: "name", Value: ion.String("Ada")})}, m)
	}
	s, _ = Parse("SELECT VALUE name FROM Test WHERE id = ? AND name LIKE 'A%'")
	params := []ion.Value{ion.Int(500)}
	b.ReportAllocs()
	for b.Loop() {
		if rows, err := Execute(s, params, m); err != nil || len(rows) != 1 {
			b.Fatal(rows, err)
		}
	}
}

// TestDatabaseErrors shows that what a database refuses is told as it told it.
func TestDatabaseErrors(t *testing.T) {
	for _, tt := range []struct{ statement, want string }{
		{"CREATE TABLE Person", "Table with name: USER.Person already exists"},
		{`UNDROP TABLE "nope"`, "no such table"},
		{`DROP INDEX "nope" ON Person WITH (purge = true)`, "no such index"},
	} {
		rows, err := execute(t, people(t), tt.statement, "")
		if err == nil || err.Error() != tt.want || rows != nil {
			t.Errorf("%s: %v, %v; want %s", tt.statement, rows, err, tt.want)
		}
	}
	m := people(t)
	stop := errors.New("the transaction has expired")
	broken := &failing{m, stop}
	for _, statement := range []string{
		"SELECT * FROM Person", "SELECT COUNT(*) FROM Person", "SELECT * FROM Person WHERE id = 1", "SELECT * FROM Person BY d WHERE d = 'Person1'",
		"UPDATE Person SET a = 1", "DELETE FROM Person", "SELECT * FROM Vehicle AS v, Person AS p", "SELECT * FROM _ql_committed_Person",
	} {
		if rows, err := execute(t, broken, statement, ""); !errors.Is(err, stop) || rows != nil {
			t.Errorf("%s: %v, %v; want %v", statement, rows, err, stop)
		}
	}
}

// failing is a database whose table Person yields one document and then an error.
type failing struct {
	*memory
	err error
}

func (f *failing) Table(name string) (Table, bool) {
	t, ok := f.memory.Table(name)
	if name == "Person" {
		return failingTable{t, f.err}, ok
	}
	return t, ok
}

type failingTable struct {
	Table
	err error
}

func (f failingTable) after(all iter.Seq2[Document, error]) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for d, err := range all {
			if yield(d, err) {
				yield(Document{}, f.err)
			}
			return
		}
	}
}

func (f failingTable) Scan() iter.Seq2[Document, error] { return f.after(f.Table.Scan()) }

func (f failingTable) Lookup(path []string, v ion.Value) iter.Seq2[Document, error] {
	return f.after(f.Table.Lookup(path, v))
}

func (f failingTable) Document(string) (Document, bool, error) { return Document{}, false, f.err }
