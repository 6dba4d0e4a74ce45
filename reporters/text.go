package reporters

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// longest is how many characters of one text are shown: enough for any sentence, and a bound on
// what an API with 10 MB error messages can do to a report.
const longest = 600

// clean makes a text of unknown origin harmless and one line long: control characters, which could
// drive a terminal or make HTML ill-formed, and characters that turn the writing direction become
// visible; line breaks become blanks; what is too long is cut.
func clean(s string) string { return cleanTo(s, longest) }

func cleanTo(s string, most int) string {
	var b strings.Builder
	n := 0
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if n == most {
			b.WriteString("…")
			break
		}
		n++
		b.WriteRune(visible(r))
		s = s[size:]
	}
	return b.String()
}

// visible returns r, or what stands for it where r would act instead of being seen.
func visible(r rune) rune {
	switch {
	case r == '\n', r == '\r', r == '\t', r == '\u2028', r == '\u2029':
		return ' '
	case r == utf8.RuneError, r == 0xFFFE, r == 0xFFFF:
		return '\uFFFD'
	case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control):
		return '\uFFFD'
	}
	return r
}

// command makes a command line harmless without changing what it does: a quoted policy document may
// hold line breaks, and those stay. It is never cut.
func command(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// columns returns how many terminal columns s takes.
func columns(s string) int { return runewidth.StringWidth(s) }

// cut shortens s to at most width columns.
func cut(s string, width int) string {
	if width <= 0 {
		return ""
	}
	return runewidth.Truncate(s, width, "…")
}

// wrap breaks s into lines of at most width columns, between words where it can.
func wrap(s string, width int) []string {
	width = max(width, 8)
	var lines []string
	line := ""
	for _, word := range words(s) {
		if line != "" && columns(line)+1+columns(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for columns(word) > width {
			head := runewidth.Truncate(word, width, "")
			if head == "" {
				break
			}
			lines = append(lines, head)
			word = word[len(head):]
		}
		line = word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// words splits s at blanks, but not a number from its unit.
func words(s string) []string {
	var out []string
	for _, w := range strings.Fields(s) {
		unit := strings.TrimRight(w, ",.;:)")
		if n := len(out); n > 0 && (unit == "s" || unit == "ms" || unit == "µs") && strings.ContainsAny(out[n-1], "0123456789") {
			out[n-1] += " " + w
			continue
		}
		out = append(out, w)
	}
	return out
}

// An ink is a restrained ANSI attribute. The zero value is plain.
type ink string

// The inks.
const (
	plain  ink = ""
	bold   ink = "1"
	dim    ink = "2"
	red    ink = "31"
	green  ink = "32"
	yellow ink = "33"
	cyan   ink = "36"
	alarm  ink = "1;7;31" // reversed: for what must not be overlooked
)

// A row is one line for a terminal, built from left to right. It knows its width without the
// escape sequences, so it can be cut to fit.
type row struct {
	runs []struct {
		text string
		ink  ink
	}
	width int
}

// add appends s in ink i.
func (r *row) add(i ink, s string) *row {
	if s != "" {
		r.runs = append(r.runs, struct {
			text string
			ink  ink
		}{s, i})
		r.width += columns(s)
	}
	return r
}

// left appends s in ink i, filled with blanks to width columns, and cut to them.
func (r *row) left(i ink, s string, width int) *row {
	s = cut(s, width)
	return r.add(i, s).add(plain, strings.Repeat(" ", max(0, width-columns(s))))
}

// right appends s in ink i, with blanks before it up to width columns.
func (r *row) right(i ink, s string, width int) *row {
	return r.add(plain, strings.Repeat(" ", max(0, width-columns(s)))).add(i, s)
}

// to fills r with blanks up to column n.
func (r *row) to(n int) *row { return r.add(plain, strings.Repeat(" ", max(0, n-r.width))) }

// render returns the row, at most width columns of it, without blanks at its end.
func (r *row) render(width int, color bool) string {
	last := len(r.runs) - 1
	for last >= 0 && r.runs[last].ink != alarm && strings.TrimRight(r.runs[last].text, " ") == "" {
		last--
	}
	var b strings.Builder
	for i := 0; i <= last; i++ {
		s, ink := r.runs[i].text, r.runs[i].ink
		if i == last && ink != alarm {
			s = strings.TrimRight(s, " ")
		}
		if columns(s) > width {
			s = cut(s, width)
		}
		width -= columns(s)
		if color && ink != plain && s != "" {
			b.WriteString("\x1b[" + string(ink) + "m" + s + "\x1b[0m")
		} else {
			b.WriteString(s)
		}
		if width <= 0 {
			break
		}
	}
	return b.String()
}
