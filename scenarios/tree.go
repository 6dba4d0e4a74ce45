package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

const (
	// largest is the size of a script we read: a hundred times the longest one anybody wrote.
	largest = 4 << 20
	// expansion is how many values aliases may stand for in all. Ten lines of aliases of aliases
	// stand for billions; scripts that share steps stand for dozens.
	expansion = 100_000
)

// tree reads src into values without aliases, merge keys or duplicate keys, each with its place. It
// returns nil, and leaves a problem, if there is nothing to go on with.
func (p *parser) tree(src []byte) *yaml.Node {
	top := &yaml.Node{Line: 1, Column: 1}
	if len(src) > largest {
		p.at(&yaml.Node{}, "", "the file is larger than %d MiB", largest>>20)
		return nil
	}
	if bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
		// yaml.v3 would read it, but its places would not be those of the text anybody sees.
		p.at(&yaml.Node{}, "save it as UTF-8", "the file is UTF-16 text")
		return nil
	}
	docs, err := documents(src, 2)
	if err != nil {
		p.syntax(src, err)
		return nil
	}
	if len(docs) == 0 || len(docs[0].Content) == 0 || isNull(docs[0].Content[0]) {
		p.at(top, "it needs at least config and scenarios", "the file is empty")
		return nil
	}
	if len(docs) > 1 {
		second := docs[1]
		if len(second.Content) > 0 {
			second = second.Content[0]
		}
		p.at(second, `remove the line "---" above, or make it a file of its own`,
			"a second document begins here; a script is one document")
		return nil
	}
	e := &expander{p: p, open: map[*yaml.Node]bool{}}
	root := e.expand(docs[0].Content[0])
	if e.failed {
		return nil
	}
	return root
}

// documents returns at most limit documents of src.
func documents(src []byte, limit int) (docs []*yaml.Node, err error) {
	defer func() {
		// yaml.v3 has panicked on hostile input before; a script must not be able to end us.
		if v := recover(); v != nil {
			docs, err = nil, fmt.Errorf("yaml: %v", v)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(src))
	for len(docs) < limit {
		var n yaml.Node
		switch err := dec.Decode(&n); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return nil, err
		}
		docs = append(docs, &n)
	}
	return docs, nil
}

// syntax reports that src is not YAML. The line in yaml.v3's message is that of the construct which
// could not be finished, off by one for half of the errors, and missing for the first line. So the
// line is found by search: it is the last line of the shortest beginning of the file that has the
// same error.
func (p *parser) syntax(src []byte, err error) {
	lines := bytes.SplitAfter(src, []byte("\n"))
	lo, hi := 1, len(lines)
	for lo < hi {
		mid := (lo + hi) / 2
		if _, e := documents(bytes.Join(lines[:mid], nil), 2); e != nil && e.Error() == err.Error() {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if x := p.culprit(lo, err.Error()); x != nil {
		p.add(x)
		return
	}
	line := strings.TrimRight(strings.ToValidUTF8(string(lines[lo-1]), "\uFFFD"), "\r\n \t")
	msg, hint := explainSyntax(err.Error())
	col, word := 1, line
	if rest := strings.TrimLeft(line, " \t"); rest != "" {
		col, word = 1+utf8.RuneCountInString(line[:len(line)-len(rest)]), rest
	}
	if name, ok := strings.CutPrefix(word, "*"); !ok && strings.Contains(msg, "alias") {
		if i := strings.Index(line, "*"); i >= 0 {
			col = 1 + utf8.RuneCountInString(line[:i])
			name, _, _ = strings.Cut(line[i:], " ")
			word = strings.TrimRight(name, ",]}:")
		}
	}
	p.add(&Problem{File: p.file, Line: lo, Col: col, Msg: msg, Hint: hint, word: word})
}

var (
	// looksBlank is an indentation with a character that only looks like a blank; web pages and word
	// processors are full of them.
	looksBlank = regexp.MustCompile(`^ *([\x{a0}\x{1680}\x{2000}-\x{200b}\x{202f}\x{205f}\x{3000}\x{feff}])`)
	tabIndent  = regexp.MustCompile(`^ *(\t)`)
	// bareHole is a text that begins with a hole, at the beginning of a value.
	bareHole  = regexp.MustCompile(`(?:^|[:,\[-])\s+(\{\{[^"'{}]*\}\}[^,\]}\s]*)`)
	bareDash  = regexp.MustCompile(`^\s*(-\pL)`)
	bareColon = regexp.MustCompile(`^\s*(?:- )?\s*([\pL\d_-]+:[^\s:/])`)
)

// culprit returns the mistake that most likely made the syntax error err, found at a line, or nil.
// yaml.v3 names what it could not go on with, which for these is not what is wrong.
func (p *parser) culprit(line int, err string) *Problem {
	above := line - 1
	for above > 1 && strings.TrimSpace(p.lines[above-1]) == "" {
		above--
	}
	for _, c := range []struct {
		form      *regexp.Regexp
		err       string // only for errors that say this
		from      int    // the first line to look at
		msg, hint string
	}{
		{looksBlank, "", 1, "the line is indented with a character that only looks like a blank",
			"indent with blanks"},
		{tabIndent, "start any token", line, "the line is indented with a tab", "indent with blanks"},
		{tabIndent, "a tab", line, "the line is indented with a tab", "indent with blanks"},
		{bareHole, "", above, holeInQuotes, `write "%s"`},
		{bareDash, "mapping values", line - 8, `a blank is missing after the "-"`,
			`begin each item with "- "`},
		{bareDash, "expected key", line - 8, `a blank is missing after the "-"`,
			`begin each item with "- "`},
		{bareColon, "mapping values", above, `a blank is missing after the ":"`, `write "key: value"`},
		{bareColon, "expected ':'", line, `a blank is missing after the ":"`, `write "key: value"`},
	} {
		if !strings.Contains(err, c.err) {
			continue
		}
		for at := min(line, len(p.lines)); at >= max(c.from, 1); at-- {
			text := p.lines[at-1]
			m := c.form.FindStringSubmatchIndex(text)
			if m == nil || strings.Count(text[:m[2]], `"`)%2 == 1 || strings.Count(text[:m[2]], "'")%2 == 1 {
				continue
			}
			x := &Problem{File: p.file, Line: at, Col: 1 + utf8.RuneCountInString(text[:m[2]]),
				Msg: c.msg, Hint: c.hint, word: text[m[2]:m[3]]}
			if c.form == bareHole {
				x.Hint = fmt.Sprintf(c.hint, x.word)
			}
			return x
		}
	}
	return nil
}

const holeInQuotes = `a text that begins with "{{" must be in quotes`

// bareTemplate returns what was meant by a template that is not in quotes, which YAML takes for a
// mapping whose only key is a mapping; ok is false if n is something else.
func bareTemplate(n *yaml.Node) (text string, ok bool) {
	if n.Kind != yaml.MappingNode || n.Style&yaml.FlowStyle == 0 || len(n.Content) != 2 ||
		n.Content[0].Kind != yaml.MappingNode || !isNull(n.Content[1]) || n.Content[1].Value != "" {
		return "", false
	}
	var inner []string
	for i, c := range n.Content[0].Content {
		switch {
		case c.Kind != yaml.ScalarNode:
			return "", false
		case i%2 == 0: // a "," in a call's arguments separates keys
			inner = append(inner, c.Value)
		case !isNull(c):
			return "", false
		}
	}
	return "{{ " + strings.Join(inner, ", ") + " }}", true
}

// explainSyntax says what yaml.v3 means, in the words of the file.
func explainSyntax(err string) (msg, hint string) {
	err = strings.TrimPrefix(err, "yaml: ")
	if s, ok := strings.CutPrefix(err, "line "); ok {
		if _, after, ok := strings.Cut(s, ": "); ok {
			err = after
		}
	}
	if name, ok := strings.CutPrefix(err, "unknown anchor '"); ok {
		name, _, _ = strings.Cut(name, "'")
		return fmt.Sprintf("the alias %s stands for nothing", quote("*"+name)),
			fmt.Sprintf("mark what it stands for with &%s, above", name)
	}
	for _, s := range syntaxErrors {
		if strings.Contains(err, s.yaml) {
			return s.msg, s.hint
		}
	}
	plain := strings.NewReplacer("node content", "a value", "node", "value", "scalar", "text", "token",
		"character",
		"unmarshal", "read", "octet", "byte", "!!", "").Replace(err)
	return "this is not YAML: " + plain, ""
}

// syntaxErrors are yaml.v3's messages people meet, translated.
var syntaxErrors = []struct{ yaml, msg, hint string }{
	{"mapping values are not allowed", `a ":" does not fit here`,
		`indent the line like its neighbors, and put a text with ": " in it in quotes`},
	{"block sequence entries are not allowed", `a "- " does not fit here`,
		"begin the list on its own line"},
	{"block mapping", "this line does not fit the lines above it", "check its indentation"},
	{"did not find expected key", "this line does not fit the lines above it",
		"check its indentation, and the brackets and quotes here and above"},
	{"did not find expected '-' indicator", "this line does not fit the list above it",
		`indent it like the line above, or begin an item with "- "`},
	{"did not find expected ',' or '}'", `a "}" or a "," is missing`,
		`separate pairs with "," and end them with "}"`},
	{"did not find expected ',' or ']'", `a "]" or a "," is missing`,
		`separate items with "," and end them with "]"`},
	{"did not find expected node content", "a value is missing", "check the brackets, commas and quotes"},
	{"did not find expected <document start>", "this line does not fit the lines above it",
		"check its indentation"},
	{"found unexpected end of stream", "a quotation mark is not closed", ""},
	{"could not find expected ':'", `a ":" is missing after the key`, ""},
	{"found character that cannot start any token", "a text begins with a character YAML reserves",
		"put texts that begin with @, ` or % in quotes"},
	{"expected comment or line break", "a text begins with a character YAML reserves",
		"put a text that begins with > or | in quotes"},
	{"found a tab character", "a tab does not fit here", "indent with blanks"},
	{"unknown escape character", "a backslash in double quotes is followed by a character that means nothing",
		`write \\ for a backslash, or use single quotes`},
	{"control characters are not allowed", "the file has characters that are not text", ""},
	{"UTF-8", "the file is not UTF-8 text", "save it as UTF-8"},
	{"UTF-16", "the file is not UTF-8 text", "save it as UTF-8"},
	{"exceeded max depth", "this is nested too deeply", ""},
	{"did not find expected alphabetic", "an anchor or an alias has no name",
		"put a text that begins with & or * in quotes"},
	{"tag", "a tag does not fit here", "put a text that begins with ! in quotes"},
	{"directive", "directives are not part of the language", "put a text that begins with % in quotes"},
}

// An expander replaces aliases by copies of what they stand for and merge keys by what they merge.
type expander struct {
	p      *parser
	open   map[*yaml.Node]bool // anchored values we are inside of
	inside int                 // aliases we are inside of
	count  int                 // values made inside aliases
	failed bool                // a problem after which nothing else is worth telling
}

func (e *expander) fail(n *yaml.Node, hint, format string, args ...any) *yaml.Node {
	if !e.failed {
		e.p.at(n, hint, format, args...)
	}
	e.failed = true
	return nothing(n)
}

// nothing returns the value that is written by writing nothing, at n's place.
func nothing(n *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
}

func (e *expander) expand(n *yaml.Node) *yaml.Node {
	if e.failed {
		return nothing(n)
	}
	if n.Kind == yaml.AliasNode {
		if e.open[n.Alias] {
			return e.fail(n, "", "the alias %s stands for something that contains it", quote("*"+n.Value))
		}
		e.inside++
		defer func() { e.inside-- }()
		return e.expand(n.Alias)
	}
	if e.inside > 0 {
		if e.count++; e.count > expansion {
			return e.fail(n, "", "the aliases of this file stand for more than %d values", expansion)
		}
	}
	if n.Anchor != "" {
		e.open[n] = true
		defer delete(e.open, n)
	}
	if text, ok := bareTemplate(n); ok {
		// Read on as if the quotes were there: what the template says may be wrong, too.
		x := &Problem{File: e.p.file, Line: n.Line, Col: n.Column, Msg: holeInQuotes,
			Hint: fmt.Sprintf(`write "%s"`, text)}
		if rest := []rune(e.p.lines[n.Line-1]); n.Column <= len(rest) {
			if inner, _, closed := strings.Cut(string(rest[n.Column-1:]), "}}"); closed {
				x.word = inner + "}}"
			}
		}
		e.p.add(x)
		return &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Tag: "!!str",
			Value: text, Line: n.Line, Column: n.Column}
	}
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!timestamp", "!!merge", "":
	default:
		e.p.at(n, "put a text that begins with ! in quotes", "the tag %s means nothing here",
			quote(n.Tag))
	}
	out := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.ShortTag(), Value: n.Value, Line: n.Line,
		Column: n.Column}
	switch n.Kind {
	case yaml.SequenceNode:
		for _, c := range n.Content {
			out.Content = append(out.Content, e.expand(c))
		}
	case yaml.MappingNode:
		e.mapping(n, out)
	}
	return out
}

// mapping fills out with the pairs of n. Pairs written out beat merged ones; of the merged ones, the
// first beats the others.
func (e *expander) mapping(n, out *yaml.Node) {
	own := map[string]*yaml.Node{} // keys written in n itself
	type slot struct {
		key, value *yaml.Node
		merge      bool
	}
	var slots []slot
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = e.expand(k)
		}
		if k.Kind != yaml.ScalarNode {
			e.p.at(k, "", "a key must be a word, not %s", kind(k))
			continue
		}
		if k.ShortTag() == "!!merge" {
			slots = append(slots, slot{k, e.expand(v), true})
			continue
		}
		if first, twice := own[k.Value]; twice {
			e.p.at(k, fmt.Sprintf("first set on line %d", first.Line), "%s is set twice", quote(k.Value))
			continue
		}
		own[k.Value] = k
		slots = append(slots, slot{k, e.expand(v), false})
	}
	merged := map[string]bool{}
	merge := func(m *yaml.Node) {
		for i := 0; i+1 < len(m.Content); i += 2 {
			if k := m.Content[i]; own[k.Value] == nil && !merged[k.Value] {
				merged[k.Value] = true
				out.Content = append(out.Content, k, m.Content[i+1])
			}
		}
	}
	for _, s := range slots {
		switch {
		case !s.merge:
			out.Content = append(out.Content, s.key, s.value)
		case s.value.Kind == yaml.MappingNode:
			merge(s.value)
		case s.value.Kind == yaml.SequenceNode &&
			!slices.ContainsFunc(s.value.Content,
				func(c *yaml.Node) bool { return c.Kind != yaml.MappingNode }):
			for _, c := range s.value.Content {
				merge(c)
			}
		default:
			e.p.at(s.value, "", `"<<" merges a mapping or a list of mappings, not %s`, kind(s.value))
		}
	}
}

// overlay returns base with over laid on it: mappings are merged, everything else is replaced.
// Neither is changed.
func overlay(base, over *yaml.Node) *yaml.Node {
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	out := *base
	out.Content = slices.Clone(base.Content)
	for i := 0; i+1 < len(over.Content); i += 2 {
		k, v := over.Content[i], over.Content[i+1]
		if at := indexOf(&out, k.Value); at >= 0 {
			out.Content[at] = k // a problem with the pair belongs where it was last written
			out.Content[at+1] = overlay(out.Content[at+1], v)
		} else {
			out.Content = append(out.Content, k, v)
		}
	}
	return &out
}

// indexOf returns where the key stands in the mapping's content, or -1.
func indexOf(n *yaml.Node, key string) int {
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return i
			}
		}
	}
	return -1
}

// lookup returns the value of a key of a mapping, or nil.
func lookup(n *yaml.Node, key string) *yaml.Node {
	if i := indexOf(n, key); i >= 0 {
		return n.Content[i+1]
	}
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kind says what was written, in the language of the file.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return quote(n.Value)
}
