package scenarios

import (
	"math"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// methods are the steps that send a request.
var methods = []string{"get", "post", "put", "patch", "delete", "head", "options"}

var stepSection = section[Step]{
	name:  "step",
	about: "One entry of a flow. It has exactly one key, but for a [loop](#loop) and a [parallel](#parallel).",
	keys:  append(requestKeys(), otherSteps...),
}

func requestKeys() (keys []key[Step]) {
	for _, m := range methods {
		keys = append(keys, key[Step]{m, optional, to("request"),
			"sends a " + strings.ToUpper(m) + " request", func(p *parser, n *yaml.Node, s *Step) {
				s.Kind, s.Method = Request, strings.ToUpper(m)
				p.request(n, s)
			}})
	}
	return keys
}

var otherSteps = []key[Step]{
	{"think", optional, durationShape, "pauses; `config.http.defaults.think.jitter` varies it",
		func(p *parser, n *yaml.Node, s *Step) {
			s.Kind = Think
			p.think(n, s)
		}},
	{"log", optional, templateShape, "prints a line", func(p *parser, n *yaml.Node, s *Step) {
		s.Kind = Log
		s.Text, _ = p.template(n, "log")
	}},
	{"function", optional, textShape, "calls a function of the processor",
		func(p *parser, n *yaml.Node, s *Step) {
			s.Kind = Function
			s.Func = p.function(n, "function").Name
		}},
	{"loop", optional, listOf(to("step")), "steps over and over; see [loop](#loop) for the keys beside it",
		func(*parser, *yaml.Node, *Step) {
			// A mapping with this key is a section of its own.
		}},
	{"parallel", optional, listOf(to("step")), "steps side by side; see [parallel](#parallel) for the key beside it",
		func(*parser, *yaml.Node, *Step) {
			// A mapping with this key is a section of its own.
		}},
}

// think reads a pause. If its holes stand for something in config.variables, it is known now.
func (p *parser) think(n *yaml.Node, s *Step) {
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "{{") && !p.isConstant(n.Value) {
		s.PauseText, _ = p.template(n, "think")
		return
	}
	var ok bool
	if s.Pause, ok = p.duration(n, "think"); !ok {
		return
	}
	if text, _ := p.text(n, "think"); strings.Contains(text, ".") {
		if f, isNumber := parseNumber(text); isNumber && f != math.Trunc(f) {
			p.note(n, "think", "think: %s is %s; Artillery takes fractions for milliseconds", text,
				words(s.Pause))
		}
	}
}

// isConstant reports whether all holes of text stand for one value of config.variables.
func (p *parser) isConstant(text string) bool {
	_, holes := cut(text)
	return !slices.ContainsFunc(holes, func(h hole) bool {
		v := p.variables[h.part.Var]
		return h.part.Call != "" || h.part.Var != "" && h.part.Var != "$environment" && (v == nil || len(v.Values) != 1)
	})
}

// steps reads a list of steps. Lists in it are flattened, as in Artillery: that is how steps are shared
// between flows with aliases.
func (p *parser) steps(n *yaml.Node, what string) (steps []Step) {
	for _, item := range p.list(n, what) {
		for _, step := range oneOrList(item) {
			steps = append(steps, p.step(step))
		}
	}
	if n.Kind == yaml.SequenceNode && len(steps) == 0 {
		p.at(n, "", "%s has no steps", what)
	}
	return steps
}

func (p *parser) step(n *yaml.Node) Step {
	s := Step{Pos: p.pos(n)}
	if n.Kind != yaml.MappingNode {
		p.at(n, "write one of: "+enumerate(stepNames(), "or"),
			"a step must be a mapping with one key, not %s", kind(n))
		return s
	}
	if len(n.Content) == 0 {
		p.at(n, "write one of: "+enumerate(stepNames(), "or"), "a step must have one key")
		return s
	}
	switch {
	case lookup(n, "loop") != nil:
		p.loop(n, &s)
		return s
	case lookup(n, "parallel") != nil:
		p.parallel(n, &s)
		return s
	}
	if len(n.Content) > 2 {
		first, second := n.Content[0], n.Content[2]
		hint := `begin each step with "- "`
		switch {
		case second.Value == "jitter":
			hint = "jitter is written in config.http.defaults.think"
		case isNull(n.Content[1]) || contains(requestNames(), second.Value):
			hint = "indent what belongs to " + quote(first.Value) + " below it"
		}
		p.at(second, hint, "a step has one key, and this one has %s and %s",
			quote(first.Value), quote(second.Value))
		return s
	}
	stepSection.read(p, n, &s)
	return s
}

func stepNames() []string {
	names := slices.Clone(methods)
	for _, k := range otherSteps {
		names = append(names, k.name)
	}
	return names
}
