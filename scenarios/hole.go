package scenarios

import (
	"fmt"
	"maps"
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
	{"$uuid", "", "a random UUID, another one every time; the variable `$uuid` is the same for a whole flow", noArgs},
	{"$template", "name", "the text of a variable, its own holes filled", templateArgs},
	{"$firstName", "", "a first name", noArgs},
	{"$lastName", "", "a last name", noArgs},
	{"$email", "", "an email address", noArgs},
	{"$street", "", "a street with a number", noArgs},
	{"$postcode", "", "a postcode", noArgs},
}

// builtIns are the variables every flow has.
var builtIns = []builtIn{
	{"target", "the base URL"},
	{"$uuid", "a UUID, the same for one walk through the flow"},
	{"$testId", "a UUID, the same for the whole run"},
	{"$scenarioFile", "the script's file, as it was named"},
	{"$dirname", "the script's folder"},
	{"$environment", "the name given with `-e`"},
	{"$env.NAME", "a variable of the process; `$processEnvironment.NAME` is the same"},
	{"$loopCount", "in a loop: which pass it is, from 0 or from the `a` of `count: a-b`"},
	{"$loopElement", "in a loop: the value of `over` it is at"},
}

// A builtIn is a variable nobody sets.
type builtIn struct{ name, doc string }

// processRoots are the variables whose parts are those of the process.
var processRoots = []string{"$env", "$processEnvironment"}

func noArgs(args []string) ([]string, string) {
	if len(args) > 0 {
		return nil, "takes no arguments"
	}
	return nil, ""
}

func templateArgs(args []string) ([]string, string) {
	if len(args) == 1 {
		if path, ok := readPath(args[0]); ok {
			return []string{path}, ""
		}
	}
	return nil, "takes the name of a variable"
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
	pathForm = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{N}_$-]*(\.[\p{L}\p{N}_$-]+|\[\s*(\d+|'[^'"\[\]{}.]+'|"[^'"\[\]{}.]+")\s*\])*$`)
	brackets = regexp.MustCompile(`\[\s*['"]?([^'"\[\]]*?)['"]?\s*\]`)
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
		h.part.Var, _ = readPath(s)
	case m != nil:
		h.part.Call = m[1]
		if args, ok := readArgs(m[2]); ok {
			h.part.Args = args
		} else {
			h.err = "the arguments of " + quote(m[1]) + " are not names, numbers or texts in quotation marks"
		}
	case strings.ContainsAny(s, "[]"):
		h.err = "the brackets of " + quote(s) + " hold neither a number nor a name in quotation marks"
		h.hint = "write {{ list[0] }} or {{ mapping['name'] }}; names with dots cannot be written"
	default:
		h.err = quote(s) + " is neither a variable nor a call of a function"
		h.hint = "write {{ name }}, {{ name.of.part }} or {{ $function(arguments) }}"
	}
	return h
}

// readPath returns the path to a variable, or a part of one, with dots only: a.b.0 for a.b[0] and
// a['b'][0]. It returns false if s is none.
func readPath(s string) (string, bool) {
	if !pathForm.MatchString(s) {
		return "", false
	}
	return brackets.ReplaceAllString(s, ".$1"), true
}

var argForm = regexp.MustCompile(`^\s*(?:'([^']*)'|"([^"]*)"|` +
	`([+-]?[0-9]+(?:\.[0-9]+)?|[\p{L}_$][\p{L}\p{N}_$.\[\]-]*))\s*(,|$)`)

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
			p.call(place, &parts[i], known)
			parts[i] = Part{Text: p.draw(parts[i].Call, parts[i].Args)}
		case h.part.Call != "" && !calls:
			p.at(place, "", "functions can be called in flows only, and %s is one", quote(h.part.Call))
		case h.part.Call != "":
			p.call(place, &parts[i], known)
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

// call checks the call of a function.
func (p *parser) call(n *yaml.Node, part *Part, known resolver) {
	if name, older := olderFakerNames[part.Call]; older {
		part.Call = name
	}
	if _, fake := slices.BinarySearch(fakerNames, part.Call); fake {
		return // what its arguments mean is up to each of them
	}
	i := slices.IndexFunc(functions, func(f function) bool { return f.name == part.Call })
	if i < 0 {
		hint := meant(part.Call, callable(), "")
		if !strings.HasPrefix(hint, "did") { // one line for two hundred kinds of fake data
			hint = "known: " + enumerate(functionNames(), "and") + ", and those of fake data, such as $personFirstName"
		}
		p.at(n, hint, "unknown function %s", quote(part.Call))
		return
	}
	args, problem := functions[i].check(part.Args)
	if problem != "" {
		p.at(n, "", "%s %s", part.Call, problem)
	}
	if part.Args = args; part.Call == "$template" && problem == "" {
		if _, msg, hint := known(args[0]); msg != "" {
			p.at(n, hint, "%s", msg)
		}
	}
}

// callable returns the names of all functions templates may call.
func callable() []string {
	names := append(functionNames(), fakerNames...)
	return slices.AppendSeq(names, maps.Keys(olderFakerNames))
}

func functionNames() (names []string) {
	for _, f := range functions {
		names = append(names, f.name)
	}
	return names
}

// variableNames returns the names in config.variables, except one.
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
	case root == "$loopCount" || root == "$loopElement":
		return fmt.Sprintf("the variable %s is there in loops only", quote(root)),
			"with a loopValue or a loopElement, it has that name"
	case contains(callable(), name):
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

// inFlow says whether a flow may use a variable at the present step.
func (p *parser) inFlow(name string) (fill *string, msg, hint string) {
	root, rest, dotted := strings.Cut(name, ".")
	p.used[root] = true
	built := slices.ContainsFunc(builtIns, func(b builtIn) bool { return b.name == root && !strings.HasPrefix(root, "$loop") })
	switch {
	case name == "$environment":
		return &p.o.Environment, "", ""
	case contains(processRoots, root):
		if !dotted {
			return nil, fmt.Sprintf("%s is all variables of the process", quote(root)), fmt.Sprintf("write {{ %s.NAME }}", root)
		}
		return nil, "", ""
	case built && dotted:
		return nil, fmt.Sprintf("the variable %s is one value and has no %s", quote(root), quote(rest)), ""
	case built, p.loops.use(root), p.variables[root] != nil, p.captured[root]:
		return nil, "", ""
	case p.anything() && !strings.HasPrefix(root, "$"), contains(p.columns(), root):
		return nil, "", ""
	}
	msg, hint = p.unknown(name, slices.Concat(p.variableNames(""), p.columns(),
		slices.Sorted(maps.Keys(p.captured)), p.loops.names(), []string{"target", "$environment"}))
	return nil, msg, hint
}

// anything reports whether variables may be set that nobody can know now: by a processor, or by a payload
// whose columns are named in its file.
func (p *parser) anything() bool {
	return p.processor || slices.ContainsFunc(p.out.Config.Payloads, func(in Payload) bool { return !in.All && len(in.Fields) == 0 })
}

// columns returns the variables that payloads set.
func (p *parser) columns() (names []string) {
	for _, in := range p.out.Config.Payloads {
		if in.All {
			names = append(names, in.Name)
		} else {
			names = append(names, in.Fields...)
		}
	}
	return names
}

// template reads a text of a flow.
func (p *parser) template(n *yaml.Node, what string) (Template, bool) {
	s, ok := p.raw(n, what, "a text")
	if !ok {
		return Template{}, false
	}
	return Template{Pos: p.pos(n), Source: s, Parts: p.compile(n, s, true, p.inFlow)}, true
}
