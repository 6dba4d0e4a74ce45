package flow

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"loadkms/scenarios"
)

// A payload is a CSV file of which every user gets a row.
type payload struct {
	order  scenarios.Order
	fields []*variable
	rows   [][]value
}

// deal gives w's user its row. Rows in order go by the number of the arrival, so that who gets which does
// not depend on how fast anybody is; one whose user was dropped is skipped, too. Flows before and after the
// load see the first one.
func (w *walk) deal(p *payload) {
	i, n := w.user.seq, uint64(len(p.rows))
	if i == aside {
		i = 0
	}
	switch p.order {
	case scenarios.RandomRow:
		i = w.dice.Uint64N(n)
	case scenarios.SequentialRow:
		i %= n
	}
	for j, x := range p.fields {
		if i < n {
			w.set(x, p.rows[i][j])
		} else { // none is left
			w.set(x, value{})
		}
	}
}

// payload reads a CSV file.
func (c *compiler) payload(in *scenarios.Payload) {
	at := in.PathPos
	if at.Line == 0 {
		at = in.Pos
	}
	data, err := os.ReadFile(c.beside(in.Path))
	if err != nil {
		c.problem(at, "paths are relative to the script's folder", "the file %s cannot be read: %v", in.Path, plainError(err))
		return
	}
	records, err := readCSV(linesFrom(data, in.FromLine), in.Delimiter, in.Comment, in.KeepEmpty)
	if err != nil {
		c.problem(at, "", "%s: %v", in.Path, err)
		return
	}
	names := in.Fields
	if len(records) > 0 && (in.Header || len(names) == 0) {
		if len(names) == 0 {
			names = records[0]
		}
		records = records[1:]
	}
	out := payload{order: in.Order}
	for i, name := range names {
		if names[i] = strings.TrimSpace(name); names[i] == "" {
			c.problem(at, "name the columns in fields", "%s: column %d has no name", in.Path, i+1)
			return
		}
		if !in.All {
			out.fields = append(out.fields, c.declare(names[i]))
		}
	}
	var table []any
	for _, record := range records {
		row := make([]value, len(names)) // cells that are missing have no value
		object := map[string]any{}
		for i := range min(len(names), len(record)) {
			row[i] = cell(record[i], in.Text)
			if in.All {
				object[names[i]], _ = row[i].decode()
			}
		}
		if in.All {
			table = append(table, object)
		}
		out.rows = append(out.rows, row)
	}
	if in.All {
		if table == nil {
			table = []any{}
		}
		c.declared[in.Name] = true // functions of the processor see it without a slot
		k := constantOf{variable: c.variable(in.Name), values: []value{valueOfAny(table)}}
		c.p.constants, c.p.tables = append(c.p.constants, k), append(c.p.tables, k)
		return
	}
	if len(records) == 0 {
		c.problem(at, "", "%s has no rows", in.Path)
		return
	}
	c.p.payloads = append(c.p.payloads, out)
}

// linesFrom returns data from its n-th line on. 0 and 1 are the first.
func linesFrom(data []byte, n int) []byte {
	for ; n > 1; n-- {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return data
}

// readCSV returns the records of a CSV file. A line that is empty is a record if empties says so; one that begins
// with comment, unless that is 0, is none.
func readCSV(data []byte, delimiter, comment rune, empties bool) (records [][]string, err error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // spreadsheets put it there
	r := csv.NewReader(bytes.NewReader(data))
	if delimiter != 0 {
		r.Comma = delimiter
	}
	r.FieldsPerRecord, r.LazyQuotes, r.Comment = -1, true, comment
	for {
		rest := data[r.InputOffset():]
		record, err := r.Read()
		for empties && len(rest) > 0 {
			if after, ok := bytes.CutPrefix(bytes.TrimPrefix(rest, []byte("\r")), []byte("\n")); ok {
				records, rest = append(records, []string{""}), after
			} else {
				break
			}
		}
		if err == io.EOF {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
}

var numberForm = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)

// cell returns the value of a cell: as it is written where it becomes text, and as what it looks like
// where it becomes JSON, unless it is to stay a text.
func cell(s string, asText bool) value {
	switch {
	case asText:
	case s == "true", s == "false":
		return value{true, s, s}
	case numberForm.MatchString(s):
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return value{true, s, strconv.FormatInt(n, 10)}
		}
		if n, err := strconv.ParseFloat(s, 64); err == nil {
			return value{true, s, jsonOf(n)}
		}
	}
	return valueOf(s, s)
}

// plainError returns err without the path that whoever reports it has named already.
func plainError(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
