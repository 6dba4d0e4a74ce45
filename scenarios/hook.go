package scenarios

import (
	"maps"

	"gopkg.in/yaml.v3"
)

// function reads the name of a function of the processor. What names there are is known when the
// processor is loaded.
func (p *parser) function(n *yaml.Node, what string) Func {
	f := Func{Pos: p.pos(n), Name: p.name(n, what)}
	if f.Name != "" && !p.processor {
		p.at(n, "name its file in config.processor",
			"the function %s has no processor to be in", quote(f.Name))
	}
	return f
}

// functions reads one name or a list of them.
func (p *parser) functions(n *yaml.Node, what string) (all []Func) {
	for _, item := range oneOrList(n) {
		all = append(all, p.function(item, what))
	}
	if n.Kind == yaml.SequenceNode && len(all) == 0 {
		p.at(n, "", "%s names no function", what)
	}
	return all
}

// aside returns the section of a flow that is played once.
func aside(name, about string) section[[]Step] {
	return section[[]Step]{name: name, about: about, keys: []key[[]Step]{
		{"flow", required, listOf(to("step")), "what is done, in order",
			func(p *parser, n *yaml.Node, steps *[]Step) {
				*steps = p.steps(n, "flow")
			}},
		{"engine", optional, wordOf("http"), "what speaks to the API", func(p *parser, n *yaml.Node, _ *[]Step) {
			p.engine(n)
		}},
	}}
}

var (
	beforeSection = aside("before", "A flow that is played once before the load. It is not measured, and if it fails, "+
		"there is no load. What it captures, every virtual user starts with.")
	afterSection = aside("after", "A flow that is played once after the load. It is not measured. It has what `before` captured.")
)

// engine reads what a flow is played by.
func (p *parser) engine(n *yaml.Node) {
	if s, ok := p.text(n, "engine"); ok && s != "http" {
		p.at(n, "loadkms speaks HTTP only", "there is no engine %s", quote(s))
	}
}

// before reads the flow before the load. What it captures is known to all flows.
func (p *parser) before(n *yaml.Node, s *Script) {
	p.captured = map[string]bool{}
	beforeSection.read(p, n, &s.Before)
	p.left = maps.Clone(p.captured)
}

// after reads the flow after the load.
func (p *parser) after(n *yaml.Node, s *Script) {
	p.captured = maps.Clone(p.left)
	afterSection.read(p, n, &s.After)
}
