package answer

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/theory/jsonpath"
	"github.com/theory/jsonpath/spec"
)

// A jsonPath finds parts of a JSON body. Scripts write them for JSONPath-plus; what it understands beyond
// RFC 9535 is translated where the meaning is the same, and refused otherwise. Known differences: members
// of a mapping come in alphabetical order, and [-1] is the last element of a list.
type jsonPath struct {
	plain    place           // if the path is one of names and indexes only; else nil
	segments []*spec.Segment // otherwise
	length   bool            // the length of what is there
	pick     pick
	multiple bool // all results, as a list
}

func compileJSONPath(expr string, pick pick, multiple bool) (matcher, error) {
	t := translation{rest: strings.TrimSpace(expr), plain: place{}}
	if err := t.path(); err != nil {
		return nil, fmt.Errorf("%q is not a JSONPath: %w", expr, err)
	}
	path, err := jsonpath.Parse(t.out.String())
	if err != nil {
		// The position is one in the translation, which nobody sees.
		why, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "jsonpath: "), " at position")
		return nil, fmt.Errorf("%q is not a JSONPath: %s", expr, why)
	}
	j := &jsonPath{segments: path.Query().Segments(), length: t.length, pick: pick, multiple: multiple}
	if !t.length && !multiple {
		j.plain = t.plain
	}
	return j, nil
}

func (j *jsonPath) find(d *Document, dice *rand.Rand) (Value, bool) {
	if j.plain != nil {
		part, ok := d.at(j.plain)
		if _, picked := j.pick.of(1, dice); !ok || !picked {
			return Value{}, false
		}
		return raw(part), true
	}
	root, ok := d.json()
	if !ok {
		return Value{}, false
	}
	s := search{root: root, left: mostVisited}
	found := []any{root}
	for _, segment := range j.segments {
		found = s.all(found, segment)
	}
	if j.length {
		found = lengths(found)
	}
	if s.left < 0 || len(found) == 0 {
		return Value{}, false
	}
	if j.multiple {
		return listValue(found)
	}
	i, ok := j.pick.of(len(found), dice)
	if !ok {
		return Value{}, false
	}
	return valueOf(found[i]), true
}

// largestList bounds the JSON of a list of results: those of $..* hold each other, and add up to the
// square of a body that is one deep nest.
const largestList = 16 << 20

func listValue(found []any) (Value, bool) {
	var b []byte
	for i, v := range found {
		b = appendJSON(append(b, "[,"[min(i, 1)]), v)
		if len(b) > largestList {
			return Value{}, false
		}
	}
	text := string(append(b, ']'))
	return Value{Text: text, JSON: text, Any: found}, true
}

// mostVisited bounds the parts of a body one search looks at: $..*..* visits all of it once for every
// level it is deep.
const mostVisited = 8 << 20

// A search walks a decoded body. It does not leave the walk to the library, whose results come in the
// random order of Go's maps: a run must be the same for the same seed.
type search struct {
	root any
	left int // parts that may still be visited; negative means that the search was given up
}

// all returns what a segment selects in each of the nodes.
func (s *search) all(nodes []any, segment *spec.Segment) []any {
	var found []any
	for _, node := range nodes {
		found = s.node(found, node, segment)
	}
	return found
}

// node appends what a segment selects in one node.
func (s *search) node(found []any, node any, segment *spec.Segment) []any {
	for _, selector := range segment.Selectors() {
		switch selector := selector.(type) {
		case spec.WildcardSelector:
			for child := range s.children(node) {
				found = append(found, child)
			}
		case *spec.FilterSelector:
			for child := range s.children(node) {
				if selector.Eval(child, s.root) {
					found = append(found, child)
				}
			}
		default: // names, indexes and slices: at most one of a mapping, and those of a list in order
			found = append(found, selector.Select(node, s.root)...)
		}
	}
	if segment.IsDescendant() {
		for child := range s.children(node) {
			found = s.node(found, child, segment)
		}
	}
	return found
}

// children yields the elements of a list, or the members of a mapping in alphabetical order, as long as
// there are parts left to visit.
func (s *search) children(node any) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		switch node := node.(type) {
		case []any:
			for _, child := range node {
				if s.left--; s.left < 0 || !yield(child) {
					return
				}
			}
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(node)) {
				if s.left--; s.left < 0 || !yield(node[name]) {
					return
				}
			}
		}
	}
}

// lengths returns, for each of nodes that has one, what JavaScript has as its length.
func lengths(nodes []any) []any {
	var found []any
	for _, node := range nodes {
		switch node := node.(type) {
		case []any:
			found = append(found, int64(len(node)))
		case string:
			found = append(found, int64(len(utf16.Encode([]rune(node)))))
		case map[string]any:
			if v, ok := node["length"]; ok {
				found = append(found, v)
			}
		}
	}
	return found
}

// A translation makes a path of JSONPath-plus one of RFC 9535.
type translation struct {
	rest   string
	out    strings.Builder
	plain  place // names and indexes so far; nil if there was something else
	length bool  // the path ends with .length
}

var errEnd = errors.New("it ends too early")

func (t *translation) path() error {
	if t.rest == "" {
		return errors.New("it is empty")
	}
	t.out.WriteByte('$')
	if t.rest[0] == '$' && (len(t.rest) == 1 || t.rest[1] == '.' || t.rest[1] == '[') {
		t.rest = t.rest[1:]
	} else if t.rest[0] != '[' && t.rest[0] != '.' {
		t.rest = "." + t.rest // "id" is short for "$.id"
	}
	for t.rest != "" {
		if t.rest[0] == '[' {
			if err := t.bracket(); err != nil {
				return err
			}
			continue
		}
		if t.rest[0] != '.' {
			return fmt.Errorf("%q is not expected", t.rest)
		}
		t.rest = t.rest[1:]
		deep := strings.HasPrefix(t.rest, ".")
		if deep {
			t.rest, t.plain = t.rest[1:], nil
			t.out.WriteString("..")
		}
		if strings.HasPrefix(t.rest, "[") {
			continue // $.['a'] is $['a']
		}
		if err := t.name(deep); err != nil {
			return err
		}
	}
	return nil
}

// name translates what follows a dot.
func (t *translation) name(deep bool) error {
	end := strings.IndexAny(t.rest, ".[")
	if end < 0 {
		end = len(t.rest)
	}
	name := t.rest[:end]
	t.rest = t.rest[end:]
	switch {
	case name == "":
		return errEnd
	case name == "*":
		t.plain = nil
		t.out.WriteString("[*]")
		return nil
	case strings.ContainsAny(name, "^~`()") || name[0] == '@':
		return fmt.Errorf("%q of JSONPath-plus is not supported", name)
	case name == "length" && t.rest == "" && !deep:
		t.length = true
		return nil
	}
	t.member(name)
	return nil
}

// member writes a name, which may be an index as well: in JavaScript both are.
func (t *translation) member(name string) {
	if t.plain != nil {
		t.plain = append(t.plain, placeStep{name, index(name)})
	}
	t.out.WriteString("['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name) + "'")
	if index(name) >= 0 {
		t.out.WriteString("," + name)
	}
	t.out.WriteByte(']')
}

var (
	slicing  = regexp.MustCompile(`^-?\d*:-?\d*(:-?\d*)?$`)
	fromEnd  = regexp.MustCompile(`^\(\s*@\.length\s*-\s*([1-9]\d*)\s*\)$`)
	negative = regexp.MustCompile(`^-[1-9]\d*$`)
)

// bracket translates what stands in brackets.
func (t *translation) bracket() error {
	inside, rest, ok := cutBracket(t.rest)
	if !ok {
		return errors.New("a bracket is not closed")
	}
	t.rest = rest
	inside = strings.TrimSpace(inside)
	if strings.HasPrefix(inside, "?") {
		t.plain = nil
		filter, err := translateFilter(inside[1:])
		if err != nil {
			return err
		}
		t.out.WriteString("[?" + filter + "]")
		return nil
	}
	parts := splitList(inside)
	if len(parts) == 1 {
		part := strings.TrimSpace(parts[0])
		if name, ok := quotedName(part); ok {
			t.member(name)
			return nil
		}
		if part != "" && part != "*" && !strings.HasPrefix(part, "(") && !slicing.MatchString(part) && !negative.MatchString(part) {
			t.member(part)
			return nil
		}
	}
	t.plain = nil
	for i, part := range parts {
		part = strings.TrimSpace(part)
		quoted, isName := quotedName(part)
		switch {
		case isName:
			parts[i] = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(quoted) + "'"
		case part == "":
			return errors.New("nothing stands in brackets")
		case part == "*" || slicing.MatchString(part) || negative.MatchString(part) || isDigits(part):
			parts[i] = part
		case fromEnd.MatchString(part):
			parts[i] = "-" + fromEnd.FindStringSubmatch(part)[1]
		case strings.HasPrefix(part, "("):
			return fmt.Errorf("%q would be JavaScript; of it, only (@.length-1) and its like are supported", part)
		default:
			parts[i] = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(part) + "'"
		}
	}
	t.out.WriteString("[" + strings.Join(parts, ",") + "]")
	return nil
}

// quotedName returns the name in quotes.
func quotedName(s string) (string, bool) {
	if len(s) < 2 || s[0] != '\'' && s[0] != '"' || s[len(s)-1] != s[0] {
		return "", false
	}
	return strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`).Replace(s[1 : len(s)-1]), true
}

// cutBracket cuts s, which begins with a bracket, after the one that closes it.
func cutBracket(s string) (inside, rest string, ok bool) {
	depth := 0
	for i, c := range outsideQuotes(s) {
		switch c {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return s[1:i], s[i+1:], true
			}
		}
	}
	return "", "", false
}

// splitList splits at commas outside of quotes.
func splitList(s string) []string {
	var parts []string
	from := 0
	for i, c := range outsideQuotes(s) {
		if c == ',' {
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

// outsideQuotes yields the bytes of s that do not stand in quotes.
func outsideQuotes(s string) func(yield func(int, byte) bool) {
	return func(yield func(int, byte) bool) {
		var quote byte
		for i := 0; i < len(s); i++ {
			c := s[i]
			switch {
			case quote != 0 && c == '\\':
				i++
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '\'' || c == '"':
				quote = c
			default:
				if !yield(i, c) {
					return
				}
			}
		}
	}
}
