package measure

import "loadkms/result"

// A phase is what is counted of the arrivals of one phase, and of their requests.
type phase struct {
	due, dropped uint64
	steps        []*phaseStep // nil where the step did not occur
}

// A phaseStep is one step's share of a phase.
type phaseStep struct {
	tally
	touched uint64 // the fold that last added to it
	open    bool   // it is in Recorder.warm
}

// phase returns phase i. The caller holds mu.
func (r *Recorder) phase(i int16) *phase {
	for int(i) >= len(r.phases) {
		r.phases = append(r.phases, phase{})
	}
	return &r.phases[i]
}

// add counts e, a request or a drop, in its step's share of p.
func (p *phase) add(r *Recorder, e *entry) {
	if p.steps == nil {
		p.steps = make([]*phaseStep, len(r.steps))
	}
	s := p.steps[e.step]
	if s == nil {
		s = &phaseStep{}
		p.steps[e.step] = s
	}
	s.tally.add(e)
	s.touched = r.folds
	if !s.open {
		s.open = true
		r.warm = append(r.warm, s)
	}
}

// sum writes what p counted into out.
func (p *phase) sum(out *result.Phase) {
	out.Due, out.Dropped, out.Steps = p.due, p.dropped, nil
	for i, s := range p.steps {
		if s != nil {
			out.Steps = append(out.Steps, result.PhaseStep{
				Step: i, Classes: s.classes, Response: s.response.distribution(false), Service: s.service.distribution(false),
			})
		}
	}
}
