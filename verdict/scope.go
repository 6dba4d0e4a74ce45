package verdict

import (
	"slices"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// A scope is a part of a run as one fault divides it, with the spans that belong to it. Without
// spans, the run has no such part: the fault was refused, or another one was in the way.
type scope struct {
	from, to time.Duration
	spans    []result.Span
}

// scopeOf returns the scope of run's fault called name.
//
//	      Breaking Broken        Restoring Restored       the next Breaking
//	before   │ · · · │    during      │ · · · │    after       │
//	─────────┘       └────────────────┘       └────────────────┘
//
// What lies under the dots belongs to no scope: there a request may have met either world. Before
// and after are clean, that is they have no span in which another fault was in force or moving;
// before is the nearest clean stretch, and after begins, if another fault outlives this one, when
// that one is restored too: nobody can recover any earlier.
//
// A recorder that was asked to cut just too late cuts just after the fault's time; therefore a span
// is placed by its beginning, and by what was in force.
func scopeOf(run *result.Run, fault int, name scenarios.Scope) scope {
	f := run.Faults[fault]
	switch name {
	case scenarios.Before:
		return before(run, f)
	case scenarios.During:
		return during(run, fault)
	case scenarios.After:
		return after(run, fault)
	}
	return scope{}
}

func clean(s result.Span) bool { return len(s.Active) == 0 && s.Moving < 0 }

func before(run *result.Run, f result.Fault) scope {
	var sc scope
	if f.Breaking == result.Never {
		return sc
	}
	for _, s := range slices.Backward(run.Spans) {
		switch {
		case s.From >= f.Breaking:
		case clean(s):
			sc.spans = append(sc.spans, s)
		case len(sc.spans) > 0:
			return sc.close(true)
		}
	}
	return sc.close(true)
}

func during(run *result.Run, fault int) scope {
	f := run.Faults[fault]
	if f.Broken == result.Never {
		return scope{}
	}
	sc := scope{from: f.Broken, to: f.Restoring}
	if sc.to == result.Never {
		sc.to = end(run)
	}
	for _, s := range run.Spans {
		if s.Moving != fault && slices.Contains(s.Active, fault) {
			sc.spans = append(sc.spans, s)
		}
	}
	return sc
}

func after(run *result.Run, fault int) scope {
	f := run.Faults[fault]
	if f.Restored == result.Never {
		return scope{}
	}
	to := end(run)
	for i, other := range run.Faults {
		if i != fault && other.Breaking >= f.Restored {
			to = min(to, other.Breaking)
		}
	}
	var sc scope
	for _, s := range run.Spans {
		if s.From >= f.Restored && s.From < to && clean(s) {
			sc.spans = append(sc.spans, s)
		}
	}
	return sc.close(false)
}

// close sets the scope's ends to those of its spans; backward says that these lie last first.
func (sc scope) close(backward bool) scope {
	if backward {
		slices.Reverse(sc.spans)
	}
	if n := len(sc.spans); n > 0 {
		sc.from, sc.to = sc.spans[0].From, sc.spans[n-1].To
	}
	return sc
}

// end returns when the last span of run ended.
func end(run *result.Run) time.Duration {
	if n := len(run.Spans); n > 0 {
		return run.Spans[n-1].To
	}
	return run.Took
}

// windows returns the windows of run that lie within [from, sc.to). The scope's last window may be
// cut short by the end of the run, but not by a fault: its requests would have met either world.
func (sc scope) windows(run *result.Run, from time.Duration) []result.Window {
	var in []result.Window
	for _, w := range run.Windows {
		if w.At >= from && (w.At+window <= sc.to || sc.to >= end(run) && w.At < sc.to) {
			in = append(in, w)
		}
	}
	return in
}

// inner returns a step's share of the windows that lie within the scope from a moment on, its last second
// excepted: of those who come so shortly before the end nobody knows which world they met.
func (sc scope) inner(run *result.Run, step int, from time.Duration) (in []result.StepWindow) {
	if len(sc.spans) == 0 {
		return nil
	}
	from = max(from, sc.from, sc.spans[0].From)
	for _, w := range run.Windows {
		if w.At >= from && w.At+2*window <= sc.to && step < len(w.Steps) {
			in = append(in, w.Steps[step])
		}
	}
	return in
}

// due counts the requests of inner by how they ended at last. Windows know them all, also those that are
// in no span because they were answered only when the scope was over.
func (sc scope) due(run *result.Run, step int, from time.Duration) (c result.Counts) {
	for _, s := range sc.inner(run, step, from) {
		c.Add(s.Classes)
	}
	return c
}

// slowest returns the greatest response time of the requests of inner.
func (sc scope) slowest(run *result.Run, step int) (d time.Duration) {
	for _, s := range sc.inner(run, step, sc.from) {
		d = max(d, s.Max)
	}
	return d
}

// strays counts the requests of a step that came while the scope lasted, and that t, the step's tally of
// it, does not know: they were answered only when it was over, or when another fault had changed. There
// may be more, but no fewer.
func (sc scope) strays(run *result.Run, step int, t *tally) (c result.Counts) {
	if t.straddling == 0 {
		return c
	}
	c = sc.due(run, step, sc.from)
	for i := range c {
		c[i] -= min(c[i], t.counts[i])
	}
	return c
}

// cameAfter tells of the requests of a step that may have come after a moment of the scope, those of every
// window that reaches beyond it: whether any was served, and whether any failed before the scope was over.
func (sc scope) cameAfter(run *result.Run, step int, at time.Duration) (served, failed bool) {
	for _, w := range run.Windows {
		if w.At+window > at && w.At < sc.to && step < len(w.Steps) {
			s := w.Steps[step]
			served = served || s.Classes[result.OK] > 0
			failed = failed || s.Classes.Bad() > 0 && s.FirstBad <= sc.to
		}
	}
	return served, failed
}

// window is how long a result.Window is.
const window = time.Second
