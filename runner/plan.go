package runner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"loadkms/faults"
	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/measure"
	"loadkms/scenarios"
)

// A plan is what is known about a run before it begins: when everything is to happen.
type plan struct {
	tracks [][]arrival.Phase // config.phases, then those of every scenario that has its own
	phases []result.Phase    // of all tracks in a row, as an arrival's index counts them
	users  []int             // of the same: most virtual users alive at once, or 0
	end    time.Duration     // of the schedule
	holds  []hold
}

// A hold is the stretch for which one fault is to be in force.
type hold struct{ from, to time.Duration }

// newPlan lays the script out in time. It returns an error, with the position, for faults that could
// not be injected as written.
func newPlan(o Options) (*plan, error) {
	s, p := o.Script, &plan{}
	p.track("", s.Config.Phases)
	for i := range s.Scenarios {
		if own := s.Scenarios[i].Phases; len(own) > 0 {
			p.track(s.Scenarios[i].Name, own)
		}
	}
	if len(p.phases) > measure.MostPhases {
		return nil, fmt.Errorf("run %s: it has %d phases, and there may be at most %d", s.File, len(p.phases), measure.MostPhases)
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
			if f.At.Phase >= len(s.Config.Phases) {
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

// overlaps returns an error if two faults would change the same target at the same time, or one that the
// other needs to be restored. One that has
// not settled yet counts as changing it: its journal entry is open, and the bracket would refuse the
// other.
func (p *plan) overlaps(script []scenarios.Fault, targets []faults.Target, settle time.Duration) error {
	for i := range targets {
		for k := range targets {
			a, b := p.holds[i], p.holds[k]
			if i == k || !faults.Collide(targets[i], targets[k]) || a.from > b.from || a.from == b.from && i > k {
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

// track adds phases that follow one another from the beginning of the run: those of a scenario, or of
// config.phases, whose scenario is "".
func (p *plan) track(scenario string, phases []scenarios.Phase) {
	var track []arrival.Phase
	var end time.Duration
	for _, f := range phases {
		length := max(f.Duration, 0)
		track = append(track, arrival.Phase{
			Duration: length, From: f.From, To: f.To, Poisson: f.Poisson, Every: f.Every, Burst: f.Burst,
		})
		p.phases = append(p.phases, result.Phase{Name: f.Name, Scenario: scenario, From: end, To: end + length})
		p.users = append(p.users, f.MaxUsers)
		end += length
	}
	p.tracks = append(p.tracks, track)
	p.end = max(p.end, end)
}

// phase returns the names of the phases at a moment, and the arrival rate they ask for together; "" and 0
// after the end.
func (p *plan) phase(at time.Duration) (string, float64) {
	var names []string
	rate, i := 0.0, 0
	for _, track := range p.tracks {
		for _, a := range track {
			f := p.phases[i]
			i++
			if at < f.From || at >= f.To {
				continue
			}
			rate += a.Rate(at - f.From)
			if f.Name != "" && !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	return strings.Join(names, " + "), rate
}
