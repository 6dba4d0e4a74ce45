package scenarios

import (
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
		{"flow", required, listOf(to("step")), "what a virtual user does, in order",
			func(p *parser, n *yaml.Node, s *Scenario) {
				for _, item := range p.list(n, "flow") {
					// Lists of steps in a flow are flattened, as in Artillery: that is how steps are shared
					// between flows with aliases.
					for _, step := range oneOrList(item) {
						s.Flow = append(s.Flow, p.step(step))
					}
				}
				if n.Kind == yaml.SequenceNode && len(s.Flow) == 0 {
					p.at(n, "", "flow has no steps")
				}
			}},
	},
	later: []string{"engine", "beforeScenario", "afterScenario", "beforeRequest", "afterResponse",
		"onError", "tags"},
}

func (p *parser) scenarios(n *yaml.Node, s *Script) {
	items := p.list(n, "scenarios")
	sum, clean := 0.0, true
	for _, item := range items {
		sc := Scenario{Pos: p.pos(item), Weight: 1}
		clean = p.clean(func() { scenarioSection.read(p, item, &sc) }) && clean
		sum += sc.Weight
		s.Scenarios = append(s.Scenarios, sc)
	}
	switch {
	case n.Kind == yaml.SequenceNode && len(items) == 0:
		p.at(n, "", "the list of scenarios is empty")
	case clean && len(items) > 0 && sum == 0:
		p.at(n, "give one a weight of more than 0", "no scenario is ever played: all weights are 0")
	}
}
