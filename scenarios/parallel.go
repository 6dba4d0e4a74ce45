package scenarios

import "gopkg.in/yaml.v3"

// mostAtOnce bounds what one virtual user does at once: Artillery's default, a hundred times.
const mostAtOnce = 10_000

var parallelSection = section[Step]{
	name:  "parallel",
	about: "A step that plays other steps side by side. It has ended when all of them have.",
	keys: []key[Step]{
		{"parallel", required, listOf(to("step")), "the steps; put a sequence of steps into a loop with `count: 1`",
			func(*parser, *yaml.Node, *Step) {
				// They are read by parallel, because they may be parallel steps, too.
			}},
		{"limit", optional, wholeShape, "how many are played at once; 100 unless told",
			func(p *parser, n *yaml.Node, s *Step) {
				s.Limit, _ = p.whole(n, "limit", 1, mostAtOnce)
			}},
	},
}

// parallel reads steps side by side, whose keys stand side by side in n.
func (p *parser) parallel(n *yaml.Node, s *Step) {
	s.Kind = Parallel
	parallelSection.read(p, n, s)
	list := lookup(n, "parallel")
	capturedIn(list, p.captured)
	for _, item := range p.list(list, "parallel") {
		s.Steps = append(s.Steps, p.step(item))
	}
	if list.Kind == yaml.SequenceNode && len(s.Steps) == 0 {
		p.at(list, "", "parallel has no steps")
	}
}
