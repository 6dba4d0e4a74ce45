package scenarios

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

var loopSection = section[LoopStep]{
	name: "loop",
	about: "A step that plays other steps over and over: while `count` lasts, once for each value of `over`, " +
		"and as long as `whileTrue` says so. One of these is required.",
	keys: []key[LoopStep]{
		{"loop", required, listOf(to("step")), "the steps",
			func(*parser, *yaml.Node, *LoopStep) {
				// They are read when it is known what the loop's variables are called.
			}},
		{"count", optional, shape{"a whole number, or `a-b` for a up to b, b not included; it may have `{{ holes }}`",
			amount("integer", `\d+(\s*-\s*\d+)?`)}, "how many passes there are",
			func(p *parser, n *yaml.Node, l *LoopStep) {
				p.count(n, l)
			}},
		{"over", optional, shape{"a list of any values, or the name of a variable that holds one",
			map[string]any{"type": []string{"array", "string"}}}, "the values of which there is one pass each; `count` does not matter then",
			func(p *parser, n *yaml.Node, l *LoopStep) {
				p.over(n, l)
			}},
		{"whileTrue", optional, textShape, "a function of the processor, called after each pass; the loop goes on if it says so",
			func(p *parser, n *yaml.Node, l *LoopStep) {
				l.While = p.function(n, "whileTrue")
			}},
		{"loopValue", optional, textShape, "the variable that counts; `$loopCount` unless told",
			func(p *parser, n *yaml.Node, l *LoopStep) {
				l.Value = p.loopName(n, "loopValue")
			}},
		{"loopElement", optional, textShape, "the variable that holds the value of `over`; `$loopElement` unless told",
			func(p *parser, n *yaml.Node, l *LoopStep) {
				l.Element = p.loopName(n, "loopElement")
			}},
	},
}

// scopes are the loops around the present step, the innermost last.
type scopes []*scope

// A scope is the inside of one loop.
type scope struct {
	value, element string // its variables
	elementUsed    bool   // some template has a hole for element
}

// use reports whether name is a variable of a loop, and notes that it is used.
func (s scopes) use(name string) bool {
	for i := len(s) - 1; i >= 0; i-- {
		switch name {
		case s[i].value:
			return true
		case s[i].element:
			s[i].elementUsed = true
			return true
		}
	}
	return false
}

// names returns the variables of all loops.
func (s scopes) names() (names []string) {
	for _, in := range s {
		names = append(names, in.value, in.element)
	}
	return names
}

// loop reads a loop, whose keys stand side by side in n.
func (p *parser) loop(n *yaml.Node, s *Step) {
	l := &LoopStep{Pos: p.pos(n), Value: "$loopCount", Element: "$loopElement"}
	s.Kind, s.Loop = Loop, l
	var given set
	clean := p.clean(func() { given = loopSection.read(p, n, l) })
	switch {
	case given.has("over") && given.has("count"):
		p.note(given["count"], "over and count", "over decides how many passes there are, and count does not, as in Artillery")
		l.Count, l.From, l.To, l.CountText = false, 0, 0, Template{}
	case clean && !given.has("count", "over", "whileTrue"):
		p.at(n, "it would never end", `loop needs "count", "over" or "whileTrue"`)
	}
	if l.Value == l.Element {
		p.at(n, "", "loopValue and loopElement are both called %s", quote(l.Value))
	}
	inside := &scope{value: l.Value, element: l.Element}
	p.loops = append(p.loops, inside)
	capturedIn(lookup(n, "loop"), p.captured)
	s.Steps = p.steps(lookup(n, "loop"), "loop")
	p.loops = p.loops[:len(p.loops)-1]
	if inside.elementUsed && !given.has("over") {
		p.note(n, "loopElement", "%s counts with %s in a loop without over; in Artillery it stays what it is at first",
			l.Element, l.Value)
	}
}

var countForm = regexp.MustCompile(`^(\d{1,9})(?:\s*-\s*(\d{1,9}))?$`)

// count reads how many passes a loop has.
func (p *parser) count(n *yaml.Node, l *LoopStep) {
	if _, ok := p.raw(n, "count", "a whole number"); !ok {
		return
	}
	t, _ := p.template(n, "count")
	text, ok := t.Literal()
	if !ok {
		l.CountText = t
		return
	}
	m := countForm.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		p.bad(n, text, "write how many passes there are, or 2-5 for 2, 3 and 4", "a count")
		return
	}
	l.Count = true
	if l.To, _ = strconv.Atoi(m[1]); m[2] != "" {
		l.From = l.To
		l.To, _ = strconv.Atoi(m[2])
	}
	switch {
	case l.From > l.To:
		p.at(n, fmt.Sprintf("write %d-%d", l.To, l.From), "the count from %d to %d has no passes", l.From, l.To)
	case l.From == l.To:
		p.note(n, "no passes", "count: %s has no passes; in Artillery, such a loop never ends", text)
	}
}

// over reads the values a loop goes over.
func (p *parser) over(n *yaml.Node, l *LoopStep) {
	if n.Kind == yaml.SequenceNode {
		l.Over = []any{}
		for _, item := range n.Content {
			_, v := p.plainValue(item)
			l.Over = append(l.Over, v)
		}
		if len(l.Over) == 0 {
			p.at(n, "", "over has no values")
		}
		return
	}
	s, ok := p.raw(n, "over", "a list or the name of a variable")
	if !ok {
		return
	}
	path, ok := readPath(strings.TrimSpace(s))
	if !ok {
		hint := "write the name alone"
		if _, holes := cut(s); len(holes) == 1 && holes[0].part.Var != "" {
			hint = "write " + holes[0].part.Var
		}
		p.at(n, hint, "%s is not the name of a variable", quote(s))
		return
	}
	if _, msg, hint := p.inFlow(path); msg != "" {
		p.at(n, hint, "%s", msg)
		return
	}
	if v := p.variables[path]; v != nil && !p.processor && !p.captured[path] && !isList(v) {
		p.at(n, "write the list itself, or capture one", "the variable %s has one value, and over needs a list", quote(path))
		return
	}
	l.OverVar = path
}

// isList reports whether v may be a list for a virtual user.
func isList(v *Variable) bool {
	for _, x := range v.Typed {
		if _, ok := x.([]any); ok {
			return true
		}
	}
	return false
}

var loopNameForm = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{N}_$-]*$`)

// loopName reads the name of a variable of a loop.
func (p *parser) loopName(n *yaml.Node, what string) string {
	s := p.name(n, what)
	if s != "" && !loopNameForm.MatchString(s) {
		p.at(n, "use letters, digits and _", "%s cannot be the name of a variable", quote(s))
	}
	return s
}
