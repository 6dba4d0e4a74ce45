package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A table is printed as Markdown that can also be read as it is. Its first column is text, the others are as
// wide as they must be.
type table struct {
	title string
	head  []string
	rows  [][]string
	notes []string
}

// add adds a row; cells that are missing stay empty.
func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table and an empty line.
func (t *table) print(w io.Writer) error {
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(escape(cell)))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", t.title)
	line := func(row []string) {
		for i, w := range width {
			cell := ""
			if i < len(row) {
				cell = escape(row[i])
			}
			b.WriteString("| " + cell + strings.Repeat(" ", w-utf8.RuneCountInString(cell)+1))
		}
		b.WriteString("|\n")
	}
	line(t.head)
	for _, w := range width {
		b.WriteString("|" + strings.Repeat("-", w+2))
	}
	b.WriteString("|\n")
	for _, row := range t.rows {
		line(row)
	}
	for _, note := range t.notes {
		fmt.Fprintf(&b, "\n%s\n", note)
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// escape keeps a cell, which may quote another program, one cell.
func escape(cell string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(cell)
}

// short writes d with two or three digits, as "24 µs", "3.1 ms" or "2.85 s", and "–" if it is not known.
func short(d time.Duration) string {
	switch {
	case d <= 0:
		return "–"
	case d < 9950*time.Nanosecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	case d < 999500*time.Nanosecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < 9950*time.Microsecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d < 999500*time.Microsecond:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// whole writes n with commas.
func whole(n float64) string {
	s := strconv.FormatInt(int64(n+0.5), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// times writes a ratio, and "–" if there is none.
func times(r float64) string {
	if r == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f ×", r)
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

func mebibytes(n float64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f MiB", n/(1<<20))
}
