package scenarios

import (
	"maps"
	"math"

	"gopkg.in/yaml.v3"
)

var scenarioSection = section[Scenario]{
	name:  "scenario",
	about: "One flow. Every arrival plays one of the scenarios, chosen by weight unless its phase names one.",
	keys: []key[Scenario]{
		{"name", optional, textShape, "for reports, and for phases that play only this one",
			func(p *parser, n *yaml.Node, s *Scenario) {
				s.Name = p.name(n, "name")
			}},
		{"weight", optional, numberShape, "how often it is played, relative to the others; 1 unless told",
			func(p *parser, n *yaml.Node, s *Scenario) {
				var ok bool
				if s.Weight, ok = p.number(n, "weight"); ok && s.Weight != math.Trunc(s.Weight) {
					p.note(n, "weight", "weights count as written; Artillery cuts off fractions")
				}
			}},
		{"engine", optional, wordOf("http"), "what speaks to the API",
			func(p *parser, n *yaml.Node, _ *Scenario) {
				p.engine(n)
			}},
		{"phases", optional, listOf(to("phase")),
			"phases of its own, beside those of config from the run's beginning; then it takes no part in those",
			func(p *parser, n *yaml.Node, s *Scenario) {
				s.Phases = p.phases(n, len(p.out.Scenarios))
			}},
		{"beforeScenario", optional, oneOrMore(textShape), "functions of the processor that are called before the flow",
			func(p *parser, n *yaml.Node, s *Scenario) {
				s.BeforeScenario = p.functions(n, "beforeScenario")
			}},
		{"beforeRequest", optional, oneOrMore(textShape), "functions of the processor that prepare each request",
			func(p *parser, n *yaml.Node, s *Scenario) {
				s.BeforeRequest = p.functions(n, "beforeRequest")
			}},
		{"flow", required, listOf(to("step")), "what a virtual user does, in order",
			func(p *parser, n *yaml.Node, s *Scenario) {
				s.Flow = p.steps(n, "flow")
			}},
		{"afterResponse", optional, oneOrMore(textShape), "functions of the processor that look at each answer",
			func(p *parser, n *yaml.Node, s *Scenario) {
				s.AfterResponse = p.functions(n, "afterResponse")
			}},
		{"afterScenario", optional, oneOrMore(textShape), "functions of the processor that are called after the flow, if it ended well",
			func(p *parser, n *yaml.Node, s *Scenario) {
				s.AfterScenario = p.functions(n, "afterScenario")
			}},
		{"onError", optional, oneOrMore(textShape), "functions of the processor that are called after a flow that did not end well",
			func(p *parser, n *yaml.Node, s *Scenario) {
				s.OnError = p.functions(n, "onError")
			}},
		{"tags", optional, anyShape, "have no meaning, as in Artillery",
			func(p *parser, n *yaml.Node, _ *Scenario) {
				p.note(n, "tags", "tags of a scenario have no meaning; results of scenarios go by name")
			}},
	},
}

func (p *parser) scenarios(n *yaml.Node, s *Script) {
	items := p.list(n, "scenarios")
	sum, weighted, clean := 0.0, 0, true
	for _, item := range items {
		sc := Scenario{Pos: p.pos(item), Weight: 1}
		p.captured = maps.Clone(p.left)
		clean = p.clean(func() { scenarioSection.read(p, item, &sc) }) && clean
		if w := lookup(item, "weight"); len(sc.Phases) > 0 && w != nil {
			p.note(w, "weight beside phases", "the weight of a scenario that has phases of its own has no meaning")
		}
		if lookup(item, "phases") == nil {
			sum += sc.Weight
			weighted++
		}
		s.Scenarios = append(s.Scenarios, sc)
	}
	switch {
	case n.Kind == yaml.SequenceNode && len(items) == 0:
		p.at(n, "", "the list of scenarios is empty")
	case clean && weighted > 0 && sum == 0:
		p.at(n, "give one a weight of more than 0", "no scenario is ever played: all weights are 0")
	}
}
