package scenarios

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// shown is how many problems are printed at most: more than a screen of them helps nobody.
const shown = 20

// A Problem is one thing wrong with a script, and what to do about it.
type Problem struct {
	File string `json:"file"` // or the flag, when the command line is wrong
	Line int    `json:"line"` // counted from 1; 0 means the problem has no place in the file
	Col  int    `json:"col"`  // counted in characters from 1
	Msg  string `json:"msg"`
	Hint string `json:"hint,omitempty"` // what to do about it, if we know

	word string // what was written there, to be underlined; "" means the word at Col
}

// Error returns the problem on one line, the way compilers print theirs.
func (p *Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Msg)
}

// Problems is the error of Parse and Load: everything that is wrong with a script, in the order of
// the file. No script comes with it.
type Problems struct {
	List    []*Problem // at least one
	sources []source
}

// Problems returns the error for a script that parses but cannot work: list, sorted, with the script's
// lines to show. It is for packages that compile scripts further. list must not be empty.
func (s *Script) Problems(list []*Problem) *Problems {
	sortProblems(list)
	sources := s.sources
	if sources == nil { // it was not parsed
		sources = []source{{name: s.File, text: s.Source}}
	}
	return &Problems{List: list, sources: sources}
}

// Error returns one line for each problem, for at most 20 of them.
func (p *Problems) Error() string {
	var b strings.Builder
	for i, q := range p.List[:min(shown, len(p.List))] {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(q.Error())
	}
	if more := len(p.List) - shown; more > 0 {
		fmt.Fprintf(&b, "\nand %d more", more)
	}
	return b.String()
}

// Explain returns the problems for a person: each with its line, a caret under the word that is
// wrong, and a hint. At most 20 are shown. It ends with a newline.
func (p *Problems) Explain() string {
	var b strings.Builder
	sources := map[string][]string{}
	for _, s := range p.sources {
		sources[s.name] = splitLines(s.text)
	}
	for _, q := range p.List[:min(shown, len(p.List))] {
		b.WriteString(q.Error())
		b.WriteByte('\n')
		if lines := sources[q.File]; q.Line >= 1 && q.Line <= len(lines) {
			text, mark := underline(printable(lines[q.Line-1]), q.Col, q.word)
			fmt.Fprintf(&b, "%5d | %s\n", q.Line, text)
			fmt.Fprintf(&b, "      | %s\n", mark)
		}
		if q.Hint != "" {
			fmt.Fprintf(&b, "      = %s\n", q.Hint)
		}
	}
	if more := len(p.List) - shown; more > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	return b.String()
}

// sortProblems brings problems into the order of the file.
func sortProblems(list []*Problem) {
	slices.SortStableFunc(list, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Msg, b.Msg))
	})
}

// splitLines cuts src where YAML sees the end of a line, so that line numbers agree.
func splitLines(src []byte) []string {
	src = bytes.TrimPrefix(src, []byte("\uFEFF"))
	s := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").
		Replace(string(src))
	return strings.Split(s, "\n")
}

// printable replaces what a terminal would act on.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (unicode.IsControl(r) || r == utf8.RuneError) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// widths measures characters the same way in every locale, so that output can be compared.
var widths = &runewidth.Condition{}

// longest is how much of a line is shown; of longer ones (minified JSON) the part around the word.
const longest = 160

// underline returns the line to show and the line to show below it: blanks up to col, and carets
// under the word there. Tabs stay tabs and wide characters count two, so that both line up in any
// terminal.
func underline(line string, col int, word string) (text, mark string) {
	runes := []rune(line)
	at := min(max(col-1, 0), len(runes))
	n := wordLen(runes[at:], word)
	if len(runes) > longest {
		from := min(max(0, at-longest/2), max(0, len(runes)-longest))
		to := min(len(runes), from+longest)
		cut := slices.Clone(runes[from:to])
		if from > 0 {
			cut[0] = '…'
		}
		if to < len(runes) {
			cut[len(cut)-1] = '…'
		}
		runes, at = cut, at-from
		n = min(n, len(runes)-at)
	}
	var b strings.Builder
	for _, r := range runes[:at] {
		if r == '\t' {
			b.WriteByte('\t')
			continue
		}
		b.WriteString(strings.Repeat(" ", widths.RuneWidth(r)))
	}
	b.WriteString(strings.Repeat("^", max(1, widths.StringWidth(string(runes[at:at+n])))))
	return string(runes), b.String()
}

// wordLen returns how many of the runes belong to the word they begin with.
func wordLen(rest []rune, word string) int {
	if word != "" && strings.HasPrefix(string(rest), word) {
		return utf8.RuneCountInString(word)
	}
	if len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'') {
		for i := 1; i < len(rest); i++ {
			switch {
			case rest[i] == '\\' && rest[0] == '"':
				i++
			case rest[i] == rest[0]:
				return i + 1
			}
		}
	}
	if i := slices.IndexFunc(rest, func(r rune) bool {
		return strings.ContainsRune(" \t:,]}#",
			r)
	}); i > 0 {
		return i
	} else if i == 0 {
		return 1
	}
	return len(rest)
}

// suggest returns the candidate that was most likely meant by got, or "": one within two edits, or
// within one for words too short to be recognized after two.
func suggest(got string, candidates []string) string {
	best, bestD := "", 3
	if utf8.RuneCountInString(got) < 5 {
		bestD = 2
	}
	for _, c := range candidates {
		if d := len(got) - len(c); d < -8 || d > 8 {
			continue // a character has at most four bytes: further apart than two edits
		}
		if d := distance([]rune(strings.ToLower(got)), []rune(strings.ToLower(c))); d < bestD {
			best, bestD = c, d
		}
	}
	return best
}

// distance is the optimal string alignment distance: insertions, deletions, substitutions, and swaps
// of neighbors cost one each.
func distance(a, b []rune) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}

// meant returns the hint for an unknown word: the one that was probably meant, or all there are.
func meant(got string, known []string, allLabel string) string {
	if s := suggest(got, known); s != "" {
		return fmt.Sprintf("did you mean %q?", s)
	}
	if len(known) == 0 {
		return ""
	}
	return allLabel + " " + enumerate(known, "and")
}

// enumerate returns the words as a person lists them, in alphabetical order.
func enumerate(words []string, last string) string {
	s := slices.Compact(slices.Sorted(slices.Values(words)))
	if len(s) <= 1 {
		return strings.Join(s, "")
	}
	return strings.Join(s[:len(s)-1], ", ") + " " + last + " " + s[len(s)-1]
}

// quote returns s in quotation marks, shortened if it is long.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:57]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
