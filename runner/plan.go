package runner

import (
	"fmt"
	"time"

	"loadkms/faults"
	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/scenarios"
)

// A plan is what is known about a run before it begins: when everything is to happen.
type plan struct {
	arrivals []arrival.Phase
	phases   []result.Phase
	end      time.Duration // of the schedule
	holds    []hold
}

// A hold is the stretch for which one fault is to be in force.
type hold struct{ from, to time.Duration }

// newPlan lays the script out in time. It returns an error, with the position, for faults that could
// not be injected as written.
func newPlan(o Options) (*plan, error) {
	s, p := o.Script, &plan{}
	for _, f := range s.Config.Phases {
		length := max(f.Duration, 0)
		p.arrivals = append(p.arrivals, arrival.Phase{Duration: length, From: f.From, To: f.To})
		p.phases = append(p.phases, result.Phase{Name: f.Name, From: p.end, To: p.end + length})
		p.end += length
	}
	if len(o.Faults) != len(s.Faults) {
		return nil, fmt.Errorf("run %s: it has %d faults and there are %d targets", s.File, len(s.Faults), len(o.Faults))
	}
	if len(s.Faults) > 0 && o.Bracket.Journal == nil {
		return nil, fmt.Errorf("run %s: there is no journal for its faults", s.File)
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		h := hold{from: f.At.Offset}
		if f.At.Phase >= 0 {
			if f.At.Phase >= len(p.phases) {
				return nil, fmt.Errorf("fault %q begins in a phase that is not there (%s)", f.Name, f.At.Pos)
			}
			h.from += p.phases[f.At.Phase].From
		}
		if h.from >= p.end {
			return nil, fmt.Errorf("fault %q begins %s into the run, and the load ends after %s (%s)", f.Name, h.from, p.end, f.Pos)
		}
		h.to = p.end
		if f.For > 0 {
			h.to = min(h.from+f.For, p.end)
		}
		p.holds = append(p.holds, h)
	}
	settle := o.Bracket.Settle
	if settle <= 0 {
		settle = faults.DefaultSettle
	}
	return p, p.overlaps(s.Faults, o.Faults, settle)
}

// overlaps returns an error if two faults would change the same target at the same time. One that has
// not settled yet counts as changing it: its journal entry is open, and the bracket would refuse the
// other.
func (p *plan) overlaps(script []scenarios.Fault, targets []faults.Target, settle time.Duration) error {
	for i := range targets {
		for k := range targets {
			a, b := p.holds[i], p.holds[k]
			if i == k || targets[i].ID() != targets[k].ID() || a.from > b.from || a.from == b.from && i > k {
				continue
			}
			if b.from < a.to+settle {
				return fmt.Errorf("fault %q (%s) would change %s %s into the run, before fault %q (%s) is over "+
					"(at %s at the earliest, settling included)",
					script[k].Name, script[k].Pos, targets[k].ID(), b.from, script[i].Name, script[i].Pos, a.to+settle)
			}
		}
	}
	return nil
}

// phase returns the name of the phase at a moment, and the arrival rate then; "" and 0 after the end.
func (p *plan) phase(at time.Duration) (string, float64) {
	for i, f := range p.phases {
		if at < f.To {
			a := p.arrivals[i]
			return f.Name, a.From + (a.To-a.From)*float64(at-f.From)/float64(f.To-f.From)
		}
	}
	return "", 0
}
