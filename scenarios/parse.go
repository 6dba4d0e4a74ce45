package scenarios

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Options are what the command line says about a script. The zero value leaves it as written.
type Options struct {
	Environment string            // -e: merged over config; "" means none
	Variables   map[string]string // -v: set in config.variables, which they override
	Target      string            // --target: instead of config.target; "" means config.target
	Over        []Text            // -i, --config: merged over the script one after another; lists are replaced
	Overrides   string            // --overrides: JSON that is merged over all that, the environment included; "" means none
	Payload     string            // -p: instead of the path of the only payload, relative to the script's folder; "" means that
	Scenario    string            // --scenario-name: the only scenario to play, by its name or a regular expression; "" means all
	Solo        bool              // --solo: one virtual user arrives, and nothing is broken
	Insecure    bool              // -k: certificates are not verified
	Seed        uint64            // of what config draws by lot
	// Env looks up variables of the process for config; nil means that there are none.
	Env func(name string) (string, bool)
}

// A Text is a file that is merged over a script.
type Text struct {
	File string
	Text []byte
	// Processor says that a processor it names is beside it, and not beside the script.
	Processor bool
}

// Parse reads one script. file names it in messages. It reports every problem it can find: the error
// is always a *Problems, and then there is no script.
//
// Environments that were not chosen are checked too, so that a mistake in one is found before the day
// it is needed. One that uses a variable the process does not have cannot be.
func Parse(file string, src []byte, o Options) (*Script, error) {
	p := newParser(file, src, o)
	root := p.merged()
	if root == nil {
		return nil, p.refuse(p.problems)
	}
	p.script(root)
	found := p.problems
	known := p.reported
	for _, name := range p.otherEnvironments {
		q := newParser(file, src, o)
		q.o.Environment, q.aside = name, true
		q.sources, q.lines, q.overrides = p.sources, p.lines, p.overrides
		q.script(root)
		if q.unset {
			continue
		}
		for _, x := range q.problems {
			if !known[*x] {
				known[*x] = true
				y := *x
				y.Msg = printable(fmt.Sprintf("%s (with -e %s)", y.Msg, name))
				found = append(found, &y)
			}
		}
	}
	if len(found) > 0 {
		return nil, p.refuse(found)
	}
	p.choose()
	if len(p.problems) > 0 {
		return nil, p.refuse(p.problems)
	}
	return p.out, nil
}

// environmentsChecked bounds how many environments are checked that were not chosen: each costs as
// much as reading the script once.
const environmentsChecked = 50

// A parser reads one script in one environment.
type parser struct {
	file     string
	sources  []source
	lines    []string // of all sources
	o        Options
	out      *Script
	problems []*Problem
	found    int              // how often a problem was found, the same one again included
	reported map[Problem]bool // what aliases would otherwise report once for every use
	noted    map[string]bool
	dice     *rand.Rand // for what config draws by lot

	overrides         *yaml.Node // of --overrides; nil means none
	aside             bool       // it checks an environment that was not chosen
	unset             bool       // which uses a variable that the process does not have
	otherEnvironments []string
	variables         map[string]*Variable
	used              map[string]bool // variables some template has a hole for
	hasConfig         bool            // without one, what it would say is not known to be missing
	poisson           bool            // config.mode
	phasesMissing     *yaml.Node      // config, if it has none
	processor         bool            // functions may set variables nobody can know now
	later             []func()        // checks that need the whole script

	// Of the flow that is read. While config is read, captured has what any flow captures.
	loops    scopes          // around the present step
	captured map[string]bool // variables that steps have captured so far
	left     map[string]bool // those of the flow before the load
}

func newParser(file string, src []byte, o Options) *parser {
	name := path.Base(filepath.ToSlash(file))
	return &parser{
		file: file, o: o,
		sources: []source{{name: file, text: src}}, lines: splitLines(src),
		out:      &Script{File: file, Name: strings.TrimSuffix(name, path.Ext(name)), Source: src},
		reported: map[Problem]bool{}, noted: map[string]bool{},
		variables: map[string]*Variable{}, used: map[string]bool{},
		captured: map[string]bool{}, left: map[string]bool{},
		dice: rand.New(rand.NewPCG(o.Seed, 0)),
	}
}

// at reports a problem with n.
func (p *parser) at(n *yaml.Node, hint, format string, args ...any) {
	word := ""
	if n.Kind == yaml.ScalarNode && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 {
		word = n.Value
	}
	file, line := p.place(n.Line)
	p.add(&Problem{File: file, Line: line, Col: n.Column, Msg: fmt.Sprintf(format, args...),
		Hint: hint, word: word})
}

func (p *parser) add(x *Problem) {
	x.Msg, x.Hint = printable(x.Msg), printable(x.Hint)
	p.found++
	if !p.reported[*x] {
		p.reported[*x] = true
		p.problems = append(p.problems, x)
	}
}

// clean runs f and reports whether it found no problem.
func (p *parser) clean(f func()) bool {
	before := p.found
	f()
	return p.found == before
}

// pos returns the place of n.
func (p *parser) pos(n *yaml.Node) Pos {
	file, line := p.place(n.Line)
	return Pos{file, line, n.Column}
}

// note tells once what we do saner than Artillery.
func (p *parser) note(n *yaml.Node, subject, format string, args ...any) {
	if !p.noted[subject] {
		p.noted[subject] = true
		p.out.Notes = append(p.out.Notes, Note{p.pos(n), fmt.Sprintf(format, args...)})
	}
}

// script reads the whole file.
func (p *parser) script(root *yaml.Node) {
	capturedIn(root, p.captured)
	if i := indexOf(root, "config"); i >= 0 {
		p.hasConfig = true
		merged := *root
		merged.Content = slices.Clone(root.Content)
		merged.Content[i+1] = p.environment(root.Content[i+1])
		root = &merged
	}
	root = p.override(root)
	if i := indexOf(root, "config"); i >= 0 {
		p.readVariables(root.Content[i+1])
		p.processor = lookup(root.Content[i+1], "processor") != nil
	}
	scriptSection.read(p, root, p.out)
	for _, check := range p.later {
		check()
	}
	for _, name := range slices.Sorted(maps.Keys(p.o.Variables)) {
		if len(p.problems) > 0 || p.aside {
			break // what uses the variable may not have been read
		}
		if !p.used[name] && !p.processor && lookup(lookup(lookup(root, "config"), "variables"),
			name) == nil {
			p.add(&Problem{File: "-v", Msg: fmt.Sprintf("the script has no variable %s", quote(name)),
				Hint: meant(name, p.variableNames(name), "known:")})
		}
	}
	slices.SortStableFunc(p.out.Notes, func(a, b Note) int { return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line) })
}

var scriptSection = section[Script]{
	name:  "script",
	about: "The whole file.",
	keys: []key[Script]{
		{"config", required, to("config"), "where to send load, how much, and what must hold",
			func(p *parser, n *yaml.Node, s *Script) {
				p.config(n, &s.Config)
			}},
		{"before", optional, to("before"), "a flow that is played once before the load",
			func(p *parser, n *yaml.Node, s *Script) {
				p.before(n, s)
			}},
		{"scenarios", required, listOf(to("scenario")), "what virtual users do",
			func(p *parser, n *yaml.Node, s *Script) {
				p.scenarios(n, s)
				p.defaultPhases()
			}},
		{"after", optional, to("after"), "a flow that is played once after the load",
			func(p *parser, n *yaml.Node, s *Script) {
				p.after(n, s)
			}},
		{"faults", optional, listOf(to("fault")), "what to break meanwhile",
			func(p *parser, n *yaml.Node, s *Script) {
				for _, item := range p.list(n, "faults") {
					p.fault(item, s)
				}
			}},
	},
	later: []string{"stopWhen", "allow"},
}

// environment returns config with the chosen environment merged over it.
func (p *parser) environment(config *yaml.Node) *yaml.Node {
	if config.Kind != yaml.MappingNode {
		return config // a problem soon
	}
	i := indexOf(config, "environments")
	if i < 0 {
		if p.o.Environment != "" {
			p.at(config, "", "the script has no environments, and -e names one, %s",
				quote(p.o.Environment))
		}
		return config
	}
	at, environments := config.Content[i], config.Content[i+1]
	if environments.Kind != yaml.MappingNode {
		p.at(environments, "", "environments must be a mapping from names to parts of config, not %s",
			kind(environments))
		return config
	}
	var names []string
	var chosen *yaml.Node
	for i := 0; i+1 < len(environments.Content); i += 2 {
		name, value := environments.Content[i].Value, environments.Content[i+1]
		names = append(names, name)
		switch {
		case value.Kind != yaml.MappingNode && !isNull(value):
			p.at(value, "", "environment %s must be a mapping, not %s", quote(name), kind(value))
		case indexOf(value, "environments") >= 0:
			p.at(value.Content[indexOf(value, "environments")], "", "environments do not nest")
		case name == p.o.Environment:
			chosen = value
		case len(p.otherEnvironments) < environmentsChecked:
			p.otherEnvironments = append(p.otherEnvironments, name)
		}
	}
	if p.o.Environment != "" && !contains(names, p.o.Environment) {
		p.at(at, meant(p.o.Environment, names, "known here:"), "-e names an unknown environment, %s",
			quote(p.o.Environment))
	}
	if chosen == nil || isNull(chosen) {
		return config
	}
	return p.overlay(config, chosen, "environments", "the one in config")
}

// overlay returns base with over laid on it, and tells if Artillery would do it otherwise. What says what a list
// in over replaces.
func (p *parser) overlay(base, over *yaml.Node, subject, what string) *yaml.Node {
	if n := indexMerged(base, over); n != nil {
		p.note(n, subject, "this list replaces %s; Artillery would merge the two item by item", what)
	}
	return overlay(base, over)
}

// indexMerged returns a list in over for which Artillery's way of merging lists, item by item, yields
// something else than replacing the list in base; or nil.
func indexMerged(base, over *yaml.Node) *yaml.Node {
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(over.Content); i += 2 {
		b, o := lookup(base, over.Content[i].Value), over.Content[i+1]
		switch {
		case b == nil:
		case b.Kind == yaml.SequenceNode && o.Kind == yaml.SequenceNode:
			if !covers(o, b) {
				return o
			}
		default:
			if n := indexMerged(b, o); n != nil {
				return n
			}
		}
	}
	return nil
}

// covers reports whether merging over into base item by item leaves nothing of base.
func covers(over, base *yaml.Node) bool {
	switch {
	case over.Kind != base.Kind:
		return true
	case over.Kind == yaml.SequenceNode:
		if len(over.Content) < len(base.Content) {
			return false
		}
		for i, b := range base.Content {
			if !covers(over.Content[i], b) {
				return false
			}
		}
	case over.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(base.Content); i += 2 {
			o := lookup(over, base.Content[i].Value)
			if o == nil || !covers(o, base.Content[i+1]) {
				return false
			}
		}
	}
	return true
}
