package measure

import (
	"slices"
	"time"

	"loadkms/result"
)

// A window is what is counted in one second by intended start.
type window struct {
	due     uint64
	dropped uint64
	late    histogram
	steps   []stepWindow
	touched uint64 // the fold that last added to it
	stale   bool   // it is in Recorder.stale
	open    bool   // it is in Recorder.open
}

// A stepWindow is one step's share of a window.
type stepWindow struct {
	tally
	firstOK, lastOK, firstBad, lastBad time.Duration
}

func (s *stepWindow) add(e *entry) {
	s.tally.add(e)
	if e.class == result.OK {
		s.firstOK, s.lastOK = widen(s.firstOK, s.lastOK, e.done)
	} else {
		s.firstBad, s.lastBad = widen(s.firstBad, s.lastBad, e.done)
	}
}

// widen returns the first and last of first, last and at.
func widen(first, last, at time.Duration) (time.Duration, time.Duration) {
	if first == result.Never {
		return at, at
	}
	return min(first, at), max(last, at)
}

// touch returns the window of an intended start, which is about to change. The caller holds mu.
func (r *Recorder) touch(intended time.Duration) *window {
	i := int(max(intended, 0) / time.Second)
	if n := i + 1 - len(r.windows); n > 0 {
		r.windows = append(r.windows, make([]*window, n)...)
	}
	w := r.windows[i]
	if w == nil {
		w = &window{steps: make([]stepWindow, len(r.steps))}
		for k := range w.steps {
			s := &w.steps[k]
			s.firstOK, s.lastOK, s.firstBad, s.lastBad = result.Never, result.Never, result.Never, result.Never
		}
		r.windows[i] = w
	}
	w.touched = r.folds
	if !w.stale {
		w.stale = true
		r.stale = append(r.stale, i)
	}
	if !w.open {
		w.open = true
		r.open = append(r.open, i)
	}
	return w
}

// seal packs the windows and phases nothing was added to by this fold and the one before: a run has one window
// per second, and dense histograms of all of them would be hundreds of megabytes an hour. A straggler
// opens its window again. The caller holds mu.
func (r *Recorder) seal() {
	r.open = slices.DeleteFunc(r.open, func(i int) bool {
		w := r.windows[i]
		if w.touched+1 >= r.folds {
			return false
		}
		w.late.seal()
		for k := range w.steps {
			w.steps[k].seal()
		}
		w.open = false
		return true
	})
	r.warm = slices.DeleteFunc(r.warm, func(s *phaseStep) bool {
		if s.touched+1 >= r.folds {
			return false
		}
		s.seal()
		s.open = false
		return true
	})
}

// Windows returns the one-second windows that begin before upTo, from 0 and without gaps. The younger
// ones may still change in later calls; what was returned does not, and the caller must not change
// it either. A call costs as much as the windows that changed since the last one.
func (r *Recorder) Windows(upTo time.Duration) []result.Window {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fold()
	n := int((max(upTo, 0) + time.Second - 1) / time.Second)
	for i := len(r.views); i < max(n, len(r.windows)); i++ {
		r.views = append(r.views, result.Window{At: time.Duration(i) * time.Second, Steps: r.empty})
	}
	for _, i := range r.stale {
		r.views[i] = r.windows[i].view(r.views[i].At)
		r.windows[i].stale = false
	}
	r.stale = r.stale[:0]
	return slices.Clone(r.views[:n])
}

func (w *window) view(at time.Duration) result.Window {
	v := result.Window{
		At: at, Due: w.due, Dropped: w.dropped, LateP99: w.late.quantile(0.99),
		Steps: make([]result.StepWindow, len(w.steps)),
	}
	for i := range w.steps {
		s := &w.steps[i]
		v.Steps[i] = result.StepWindow{
			Classes: s.classes,
			P50:     s.response.quantile(0.5),
			P95:     s.response.quantile(0.95),
			P99:     s.response.quantile(0.99),
			Max:     s.response.most,
			Service: s.service.quantile(0.99),
			FirstOK: s.firstOK, LastOK: s.lastOK, FirstBad: s.firstBad, LastBad: s.lastBad,
		}
	}
	return v
}
