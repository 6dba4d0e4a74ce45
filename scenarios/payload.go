package scenarios

import (
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

var orders = []string{"random", "sequence", "once"}

// payloads reads config.payload: a CSV file, or a list of them.
func (p *parser) payloads(n *yaml.Node, c *Config) {
	items := oneOrList(n)
	if len(items) == 0 {
		p.at(n, "", "the list of payloads is empty")
	}
	for _, item := range items {
		c.Payloads = append(c.Payloads, p.payload(item, len(items) == 1))
	}
	if p.o.Payload != "" && len(items) > 1 {
		p.add(&Problem{File: "-p", Msg: "the script has more than one payload, and -p names the file of one",
			Hint: "name the files in config.payload"})
	}
}

func (p *parser) payload(n *yaml.Node, only bool) Payload {
	x := Payload{Pos: p.pos(n), Delimiter: ','}
	var given set
	if !p.clean(func() { given = payloadSection.read(p, n, &x) }) {
		return x
	}
	if p.o.Payload != "" && only {
		x.Path, x.PathPos = p.o.Payload, Pos{File: "-p"}
	}
	switch {
	case x.Path == "":
		p.at(n, "name a CSV file", `payload needs "path"`)
	case x.All && x.Name == "":
		p.at(given["loadAll"], "name the variable that holds the table: name: users", `loadAll needs "name"`)
	case x.All && given.has("order"):
		p.note(given["order"], "loadAll", "with loadAll, users see the whole table, and order has no meaning; Artillery shows each of them one row")
	case !x.All && given.has("name"):
		p.note(given["name"], "payload name", "a payload's name has no meaning without loadAll, as in Artillery")
	}
	if !given.has("fields") {
		p.note(n, "fields", "a payload without fields takes them from the first line of its file; Artillery has no names for its columns")
	}
	return x
}

var payloadSection = section[Payload]{
	name:  "payload",
	about: "A CSV file. Every virtual user gets one of its rows, as variables named by `fields`.",
	keys: []key[Payload]{
		{"path", optional, textShape, "the file, relative to the script; `-p` overrides it",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.Path, x.PathPos = p.name(n, "path"), p.pos(n)
			}},
		{"fields", optional, listOf(textShape), "names of variables, one for each column; those in the file's first line unless told",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.Fields = p.fields(n)
			}},
		{"order", optional, wordOf(orders...), "which row a user gets: any (unless told), one after another and around again, or each row exactly once",
			func(p *parser, n *yaml.Node, x *Payload) {
				switch order, _ := p.word(n, "order", orders); order {
				case "sequence":
					x.Order = SequentialRow
				case "once":
					x.Order = OnceRow
				}
			}},
		{"skipHeader", optional, truthShape, "whether the first line is none of the rows; false unless told",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.Header = p.truth(n, "skipHeader")
			}},
		{"cast", optional, truthShape, "whether numbers, true and false are more than texts; true unless told",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.Text = !p.truth(n, "cast")
			}},
		{"skipEmptyLines", optional, truthShape, "whether empty lines are none of the rows; true unless told",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.KeepEmpty = !p.truth(n, "skipEmptyLines")
			}},
		{"delimiter", optional, textShape, "the character between columns; a comma unless told",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.Delimiter = p.character(n, "delimiter")
			}},
		{"loadAll", optional, truthShape, "whether every user sees all rows, as a list called `name`; false unless told",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.All = p.truth(n, "loadAll")
			}},
		{"name", optional, textShape, "the variable that holds all rows, with `loadAll`",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.Name = p.variableName(n)
			}},
		{"options", optional, to("options"), "options of the reader of CSV files",
			func(p *parser, n *yaml.Node, x *Payload) {
				csvSection.read(p, n, x)
			}},
	},
}

var csvSection = section[Payload]{
	name:  "options",
	about: "Options of the reader of CSV files: those of csv-parse that mean something here.",
	keys: []key[Payload]{
		{"delimiter", optional, textShape, "the same as the payload's `delimiter`",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.Delimiter = p.character(n, "delimiter")
			}},
		{"comment", optional, textShape, "the character that makes a comment of the line it begins; none unless told",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.Comment = p.character(n, "comment")
			}},
		{"from_line", optional, wholeShape, "the line of the file to begin with; 1 unless told",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.FromLine, _ = p.whole(n, "from_line", 1, 1_000_000)
			}},
		{"cast", optional, truthShape, "the same as the payload's `cast`",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.Text = !p.truth(n, "cast")
			}},
		{"skip_empty_lines", optional, truthShape, "the same as the payload's `skipEmptyLines`",
			func(p *parser, n *yaml.Node, x *Payload) {
				x.KeepEmpty = !p.truth(n, "skip_empty_lines")
			}},
		{"quote", optional, textShape, "only `\"`, as it is anyway",
			func(p *parser, n *yaml.Node, _ *Payload) {
				p.quotationMark(n, "quote")
			}},
		{"escape", optional, textShape, "only `\"`, as it is anyway",
			func(p *parser, n *yaml.Node, _ *Payload) {
				p.quotationMark(n, "escape")
			}},
		{"bom", optional, truthShape, "only true, as it is anyway: a byte order mark is no part of the first cell",
			func(p *parser, n *yaml.Node, _ *Payload) {
				p.always(n, "bom")
			}},
		{"relax_quotes", optional, truthShape, "only true, as it is anyway: quotation marks may stand in a cell without any",
			func(p *parser, n *yaml.Node, _ *Payload) {
				p.always(n, "relax_quotes")
			}},
		{"relax_column_count", optional, truthShape, "only true, as it is anyway: rows may be shorter or longer than others",
			func(p *parser, n *yaml.Node, _ *Payload) {
				p.always(n, "relax_column_count")
			}},
	},
	refused: []refusal{
		{"columns", "name the columns in the payload's fields"},
		{"to_line", "cut the file"},
		{"trim", "remove the blanks from the file"},
		{"ltrim", "remove the blanks from the file"},
		{"rtrim", "remove the blanks from the file"},
		{"record_delimiter", "rows end where lines end"},
	},
}

// fields reads the names of a payload's columns.
func (p *parser) fields(n *yaml.Node) (names []string) {
	items := p.list(n, "fields")
	if n.Kind == yaml.SequenceNode && len(items) == 0 {
		p.at(n, "", "the list of fields is empty")
	}
	for _, item := range items {
		name := p.variableName(item)
		if name != "" && contains(names, name) {
			p.at(item, "", "two columns are called %s", quote(name))
		}
		names = append(names, name)
	}
	return names
}

// variableName reads the name of a variable; "" if it is none.
func (p *parser) variableName(n *yaml.Node) string {
	s, ok := p.text(n, "the name of a variable")
	if ok && (!nameForm.MatchString(s) || s == "target") {
		p.badVariable(n, s)
		return ""
	}
	return s
}

// character reads one character.
func (p *parser) character(n *yaml.Node, what string) rune {
	s, ok := p.text(n, what)
	if ok && s == `\t` { // as it is written outside double quotes
		s = "\t"
	}
	c, size := utf8.DecodeRuneInString(s)
	if ok && (size != len(s) || size == 0 || strings.ContainsRune("\"\r\n\uFFFD", c)) {
		p.at(n, `write it in quotes: ";"`, "%s must be one character other than a quotation mark, not %s", what, quote(s))
		return 0
	}
	return c
}

// quotationMark reads a character that can be nothing but a quotation mark.
func (p *parser) quotationMark(n *yaml.Node, what string) {
	if s, ok := p.text(n, what); ok && s != `"` {
		p.at(n, "", `%s must be '"', not %s`, what, quote(s))
	}
}

// always reads what can be nothing but true.
func (p *parser) always(n *yaml.Node, what string) {
	yes := false
	if p.clean(func() { yes = p.truth(n, what) }) && !yes {
		p.at(n, "remove it", "%s is always true", what)
	}
}
