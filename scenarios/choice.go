package scenarios

import (
	"fmt"
	"regexp"
	"time"
)

// choose applies what the command line says about a script that is right: which scenario to play, and whether by
// one virtual user only.
func (p *parser) choose() {
	if p.o.Scenario != "" {
		p.only(p.o.Scenario)
	}
	if p.o.Solo {
		p.solo()
	}
}

// only leaves the scenario that is called name, or whose name matches it, as the only one.
func (p *parser) only(name string) {
	match, err := regexp.Compile(name)
	var names []string
	var found []*Scenario
	for i := range p.out.Scenarios {
		s := &p.out.Scenarios[i]
		if s.Name == name { // whatever else it matches
			found = []*Scenario{s}
			break
		}
		if s.Name != "" {
			names = append(names, s.Name)
		}
		if s.Name != "" && err == nil && match.MatchString(s.Name) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		msg, hint := fmt.Sprintf("no scenario is called %s", quote(name)), meant(name, names, "the scenarios are:")
		if len(found) > 1 {
			msg, hint = fmt.Sprintf("%s matches %d scenarios", quote(name), len(found)), "the scenarios are: "+enumerate(names, "and")
		}
		if len(names) == 0 {
			hint = "the scenarios have no names"
		}
		p.add(&Problem{File: "--scenario-name", Msg: msg, Hint: hint})
		return
	}
	s := *found[0]
	if s.Weight == 0 {
		s.Weight = 1 // who asks for it wants to see it
	}
	p.out.Scenarios = []Scenario{s}
	if len(s.Phases) > 0 {
		p.out.Config.Phases = nil
	}
	for i := range p.out.Config.Phases {
		p.out.Config.Phases[i].Scenario = -1
	}
	for i := range s.Phases {
		s.Phases[i].Scenario = 0
	}
}

// solo makes one virtual user arrive. Faults would begin when it is gone.
func (p *parser) solo() {
	s := p.out
	s.Config.Phases = []Phase{{Pos: Pos{File: "--solo"}, Duration: time.Second, From: 1, To: 1, Scenario: -1}}
	for i := range s.Scenarios {
		s.Scenarios[i].Phases = nil
	}
	if len(s.Faults) > 0 {
		s.Notes = append(s.Notes, Note{Pos{File: "--solo"}, "nothing is broken: the faults are left out"})
	}
	s.Faults = nil
}
