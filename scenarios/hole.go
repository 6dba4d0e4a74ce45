package scenarios

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Templates are compiled here. A hole is filled at one of three moments:
//
//  1. while parsing, from config.variables, wherever config and faults have a plain value;
//  2. before the run, from the outputs of the stack ({{ stack.NAME }}), in the targets of faults;
//  3. for every virtual user, in the texts of a flow.

// A function is one that templates may call.
type function struct {
	name, args, doc string
	check           func(args []string) (normal []string, problem string)
}

var functions = []function{
	{"$sequence", "", "1, 2, 3, … counted once for the whole run", noArgs},
	{"$created", "['all']", "the id of an acknowledged create: any, or with 'all' each exactly once",
		createdArgs},
	{"$randomNumber", "least, most", "a whole number, both ends included", rangeArgs},
	{"$randomString", "[length]", "letters and digits; 10 of them unless told", lengthArgs},
	{"$firstName", "", "a first name", noArgs},
	{"$lastName", "", "a last name", noArgs},
	{"$email", "", "an email address", noArgs},
	{"$street", "", "a street with a number", noArgs},
	{"$postcode", "", "a postcode", noArgs},
}

// functionsLater are names of Artillery's, and builtinsLater variables, that are not supported yet.
var (
	functionsLater = []string{"$template", "$uuid", "$internetEmail"}
	builtinsLater  = []string{"$uuid", "$testId", "$dirname", "$scenarioFile", "$processEnvironment",
		"$env",
		"$loopCount", "$loopElement"}
)

func noArgs(args []string) ([]string, string) {
	if len(args) > 0 {
		return nil, "takes no arguments"
	}
	return nil, ""
}

func createdArgs(args []string) ([]string, string) {
	if len(args) > 1 || len(args) == 1 && args[0] != "all" {
		return nil, "takes 'all' or nothing"
	}
	return args, ""
}

func rangeArgs(args []string) ([]string, string) {
	if len(args) == 2 {
		least, err1 := strconv.ParseInt(args[0], 10, 64)
		most, err2 := strconv.ParseInt(args[1], 10, 64)
		if err1 == nil && err2 == nil && least <= most {
			return args, ""
		}
	}
	return nil, "takes two whole numbers, the smaller one first"
}

// longestRandom bounds $randomString: every virtual user makes one in its own buffer.
const longestRandom = 1 << 20

func lengthArgs(args []string) ([]string, string) {
	if len(args) == 0 {
		return []string{"10"}, "" // as in Artillery
	}
	if n, err := strconv.Atoi(args[0]); len(args) > 1 || err != nil || n < 0 || n > longestRandom {
		return nil, fmt.Sprintf("takes a whole number up to %d", longestRandom)
	}
	return args, ""
}

// A hole is what stands between {{ and }}: a variable, or a call.
type hole struct {
	word string // the first word, to point at
	part Part
	err  string // why it cannot be read
	hint string
}

var (
	nameForm = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_$-]*$`)
	pathForm = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{N}_$-]*(\.[\p{L}\p{N}_$-]+)*$`)
	callForm = regexp.MustCompile(`^([\p{L}_$][\p{L}\p{N}_$.-]*)\s*\(\s*(.*?)\s*\)$`)
	wordForm = regexp.MustCompile(`^[\p{L}\p{N}_$.-]+`)
)

// cut cuts text into literal parts and holes.
func cut(text string) (parts []Part, holes []hole) {
	for {
		before, rest, found := strings.Cut(text, "{{")
		if before != "" {
			parts, holes = append(parts, Part{Text: before}), append(holes, hole{})
		}
		if !found {
			return parts, holes
		}
		inner, after, closed := cutHole(rest)
		var h hole
		if !closed {
			h = hole{err: `"{{" is not closed`, hint: `end the hole with "}}"`}
		} else {
			h = readHole(strings.TrimSpace(inner))
		}
		parts, holes = append(parts, h.part), append(holes, h)
		if !closed {
			return parts, holes
		}
		text = after
	}
}

// cutHole cuts at the "}}" that ends a hole; those in quotation marks do not.
func cutHole(s string) (inner, after string, closed bool) {
	quoted := byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted != 0:
			if c == quoted {
				quoted = 0
			}
		case c == '\'' || c == '"':
			quoted = c
		case strings.HasPrefix(s[i:], "}}"):
			return s[:i], s[i+2:], true
		}
	}
	if i := strings.Index(s, "}}"); i >= 0 { // a quotation mark that is not closed; readHole complains
		return s[:i], s[i+2:], true
	}
	return s, "", false
}

func readHole(s string) hole {
	h := hole{word: wordForm.FindString(s)}
	switch m := callForm.FindStringSubmatch(s); {
	case s == "":
		h.err, h.hint = "a hole is empty", "write the name of a variable or a function between {{ and }}"
	case pathForm.MatchString(s):
		h.part.Var = s
	case m != nil:
		h.part.Call = m[1]
		if args, ok := readArgs(m[2]); ok {
			h.part.Args = args
		} else {
			h.err = "the arguments of " + quote(m[1]) + " are not names, numbers or texts in quotation marks"
		}
	case strings.ContainsAny(s, "[]"):
		h.err, h.hint = "brackets in templates are not supported yet", "write a path with dots: a.b"
	default:
		h.err = quote(s) + " is neither a variable nor a call of a function"
		h.hint = "write {{ name }}, {{ name.of.part }} or {{ $function(arguments) }}"
	}
	return h
}

var argForm = regexp.MustCompile(`^\s*(?:'([^']*)'|"([^"]*)"|` +
	`([+-]?[0-9]+(?:\.[0-9]+)?|[\p{L}_$][\p{L}\p{N}_$.-]*))\s*(,|$)`)

// readArgs reads names, numbers and quoted texts between commas.
func readArgs(s string) (args []string, ok bool) {
	for s = strings.TrimSpace(s); s != ""; {
		m := argForm.FindStringSubmatch(s)
		if m == nil {
			return nil, false
		}
		args = append(args, m[1]+m[2]+m[3])
		if s = s[len(m[0]):]; s == "" && m[4] == "," {
			return nil, false
		}
	}
	return args, true
}

// inside returns the place of the hole of n that comes after skip others, at its word, as far as the
// file shows it: a hole may be hidden behind escapes. Otherwise it returns n.
func (p *parser) inside(n *yaml.Node, skip int, word string) *yaml.Node {
	col := n.Column - 1
	for line := max(0, n.Line-1); line < len(p.lines) && line <= n.Line+strings.Count(n.Value,
		"\n"); line++ {
		text := p.lines[line]
		for i := 0; i < col && text != ""; i++ {
			_, size := utf8.DecodeRuneInString(text)
			text = text[size:]
		}
		for at := 0; ; at += len("{{") {
			i := strings.Index(text[at:], "{{")
			if i < 0 {
				break
			}
			at += i
			if skip--; skip >= 0 {
				continue
			}
			inner := strings.TrimLeft(text[at+len("{{"):], " \t")
			if word == "" {
				inner, word = text[at:], "{{"
			} else if !strings.HasPrefix(inner, word) {
				return n
			}
			return &yaml.Node{Kind: yaml.ScalarNode, Value: word, Line: line + 1,
				Column: col + 1 + utf8.RuneCountInString(text[:len(text)-len(inner)])}
		}
		col = 0
	}
	return n
}

// A resolver says what a variable is: a text that replaces its hole, nothing if the hole stays, or a
// problem's text and hint.
type resolver func(name string) (fill *string, msg, hint string)

// compile makes parts of the text of n. Its variables are looked up by known; functions may be called
// if calls is set.
func (p *parser) compile(n *yaml.Node, text string, calls bool, known resolver) []Part {
	parts, holes := cut(text)
	skip := -1
	for i, h := range holes {
		if h.err == "" && h.part.Call == "" && h.part.Var == "" {
			continue // a text
		}
		skip++
		place := p.inside(n, skip, h.word)
		switch {
		case h.err != "":
			p.at(place, h.hint, "%s", h.err)
		case h.part.Call != "" && !calls && byLot(h.part.Call):
			parts[i] = Part{Text: p.draw(h.part.Call, p.call(place, h))}
		case h.part.Call != "" && !calls:
			p.at(place, "", "functions can be called in flows only, and %s is one", quote(h.part.Call))
		case h.part.Call != "":
			parts[i].Args = p.call(place, h)
		case h.part.Var != "":
			fill, msg, hint := known(h.part.Var)
			if msg != "" {
				p.at(place, hint, "%s", msg)
			} else if fill != nil {
				parts[i] = Part{Text: *fill}
			}
		}
	}
	return join(parts)
}

// join joins neighboring texts.
func join(parts []Part) (out []Part) {
	for _, part := range parts {
		literal := part.Var == "" && part.Call == ""
		if literal && part.Text == "" {
			continue
		}
		if last := len(out) - 1; literal && last >= 0 && out[last].Var == "" && out[last].Call == "" {
			out[last].Text += part.Text
			continue
		}
		out = append(out, part)
	}
	return out
}

func (p *parser) call(n *yaml.Node, h hole) []string {
	i := slices.IndexFunc(functions, func(f function) bool { return f.name == h.part.Call })
	if i < 0 {
		if contains(functionsLater, h.part.Call) || strings.HasPrefix(h.part.Call,
			"$rand") && suggest(h.part.Call, functionNames()) == "" {
			p.at(n, "", "the function %s is not supported yet", quote(h.part.Call))
			return nil
		}
		p.at(n, meant(h.part.Call, functionNames(), "known functions:"), "unknown function %s",
			quote(h.part.Call))
		return nil
	}
	args, problem := functions[i].check(h.part.Args)
	if problem != "" {
		p.at(n, "", "%s %s", h.part.Call, problem)
	}
	return args
}

func functionNames() (names []string) {
	for _, f := range functions {
		names = append(names, f.name)
	}
	return names
}

// variableNames returns the names a template may use, except one.
func (p *parser) variableNames(but string) (names []string) {
	for _, v := range p.out.Config.Variables {
		if v.Name != but {
			names = append(names, v.Name)
		}
	}
	return names
}

// unknown explains why there is no variable called name.
func (p *parser) unknown(name string, known []string) (msg, hint string) {
	root, _, _ := strings.Cut(name, ".")
	switch {
	case contains(builtinsLater, root):
		return fmt.Sprintf("the variable %s is not supported yet", quote(root)), ""
	case contains(functionNames(), name):
		return fmt.Sprintf("%s is a function", quote(name)), fmt.Sprintf("write {{ %s() }}", name)
	case root == "stack":
		return "outputs of the stack can be used in the targets of faults only", ""
	}
	hint = meant(root, known, "known:")
	if len(known) == 0 {
		hint = "set it in config.variables"
	}
	return fmt.Sprintf("unknown variable %s", quote(root)), hint
}

// constant returns the value of a variable that is the same during the whole run.
func (p *parser) constant(name string) (fill *string, msg, hint string) {
	root, rest, dotted := strings.Cut(name, ".")
	p.used[root] = true
	if root == "$environment" && !dotted {
		return &p.o.Environment, "", ""
	}
	if fill, msg, hint, is := p.surroundings(name); is {
		return fill, msg, hint
	}
	v := p.variables[root]
	switch {
	case v == nil:
		msg, hint = p.unknown(name, append(p.variableNames(""), "$environment"))
		return nil, msg, hint
	case dotted:
		return nil, fmt.Sprintf("the variable %s is one value and has no %s", quote(root),
			quote(rest)), ""
	case len(v.Values) > 1:
		return nil, fmt.Sprintf("the variable %s has a list of values, one for each virtual user",
				quote(root)),
			"here it must have one value"
	}
	return &v.Values[0], "", ""
}

// fill returns the text of n with its holes filled.
func (p *parser) fill(n *yaml.Node, text string) (string, bool) {
	var parts []Part
	if !p.clean(func() { parts = p.compile(n, text, false, p.constant) }) {
		return "", false
	}
	s, ok := Template{Parts: parts}.Literal()
	return s, ok
}

// target reads the name of something a fault changes: constants, and outputs of the stack.
func (p *parser) target(n *yaml.Node, what string) Template {
	s, ok := p.raw(n, what, "a text")
	if !ok {
		return Template{}
	}
	if s == "" {
		p.at(n, "", "%s must not be empty", what)
	}
	t := Template{Pos: p.pos(n), Source: s}
	t.Parts = p.compile(n, s, false, func(name string) (*string, string, string) {
		if output, ok := strings.CutPrefix(name, "stack."); ok && p.variables["stack"] == nil {
			if strings.Contains(output, ".") {
				return nil, fmt.Sprintf("an output of the stack is stack.NAME, not %s", quote(name)), ""
			}
			if p.out.Config.AWS.Stack == "" && p.hasConfig {
				return nil, fmt.Sprintf("%s is an output of a stack, and no stack is named", quote(name)),
					"name it in config.aws.stack"
			}
			return nil, "", ""
		}
		return p.constant(name)
	})
	return t
}

// inFlow says whether a flow may use a variable.
func (p *parser) inFlow(name string) (fill *string, msg, hint string) {
	root, _, _ := strings.Cut(name, ".")
	p.used[root] = true
	switch {
	case name == "$environment":
		return &p.o.Environment, "", ""
	case p.variables[root] != nil, root == "target", p.processor && !strings.HasPrefix(root, "$"):
		return nil, "", ""
	}
	msg, hint = p.unknown(name, append(p.variableNames(""), "target", "$environment"))
	return nil, msg, hint
}

// template reads a text of a flow.
func (p *parser) template(n *yaml.Node, what string) (Template, bool) {
	s, ok := p.raw(n, what, "a text")
	if !ok {
		return Template{}, false
	}
	return Template{Pos: p.pos(n), Source: s, Parts: p.compile(n, s, true, p.inFlow)}, true
}
