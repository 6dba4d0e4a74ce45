package measure

import (
	"sort"
	"time"

	"loadkms/result"
)

// A span is a stretch of the run between two cuts.
type span struct {
	from, to time.Duration // to is not set in the present one
	steps    []stepSpan
}

// A stepSpan is one step's share of a span.
type stepSpan struct {
	tally
	straddling uint64
	first      [result.Classes]time.Duration // of every class: when its first and last answers
	last       [result.Classes]time.Duration // were complete; Never if there were none
}

func (s *stepSpan) add(e *entry) {
	s.tally.add(e)
	s.first[e.class], s.last[e.class] = widen(s.first[e.class], s.last[e.class], e.done)
}

func (r *Recorder) newSpan(from time.Duration) *span {
	s := &span{from: from, steps: make([]stepSpan, len(r.steps))}
	for i := range s.steps {
		for c := range s.steps[i].first {
			s.steps[i].first[c] = result.Never
		}
	}
	return s
}

// Span returns the number of the present span, for Sample.Span. It never blocks.
func (r *Recorder) Span() uint32 { return r.span.Load() }

// Cut ends the present span at at and begins the next. It is called at every change of a fault, right
// after at was stamped; if it comes so late that samples after at are already counted in the present
// span, the cut is made behind the last of them, and never before the cut before. It waits for a reader
// that is summing up, which takes milliseconds, but holds up no recording.
func (r *Recorder) Cut(at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	present := r.spans[len(r.spans)-1]
	at = max(at, present.from, r.settled)
	present.to = at
	r.spans = append(r.spans, r.newSpan(at))
	r.settled = at
	r.span.Store(uint32(len(r.spans) - 1))
}

// settle counts in spans what the last fold counted elsewhere. The caller holds mu.
func (r *Recorder) settle() {
	for _, c := range r.pending {
		for i := range c.entries[:c.n] {
			if e := &c.entries[i]; e.step >= 0 && e.kind != hopped {
				r.place(e)
			}
		}
		c.n = 0
		// Enough for the next swap of every shard with its spares; a burst's chunks may go.
		if len(r.free) < 3*len(r.shards) {
			r.free = append(r.free, c)
		}
	}
	r.pending = nil
}

// place counts e in the span it belongs to. A drop is a moment and belongs to the span it lies in. A
// request belongs to a span only if it was sent and answered within it.
func (r *Recorder) place(e *entry) {
	present := len(r.spans) - 1
	if e.kind == dropped {
		i := sort.Search(len(r.spans), func(i int) bool { return r.spans[i].from > e.intended })
		i = max(i-1, 0)
		r.spans[i].steps[e.step].add(e)
		if i == present {
			r.settled = max(r.settled, e.intended)
		}
		return
	}
	i := min(int(e.span), present)
	s := r.spans[i]
	if !e.within || e.sent < s.from || i != present && e.done > s.to {
		s.steps[e.step].straddling++
		return
	}
	s.steps[e.step].add(e)
	if i == present {
		r.settled = max(r.settled, e.done)
	}
}

// Spans returns the run so far, cut wherever Cut was called; the last span ends at upTo, or where it
// began if that is later. Active is nil and Moving is -1: only the caller knows the faults.
func (r *Recorder) Spans(upTo time.Duration) []result.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fold()
	r.settle()
	spans := make([]result.Span, len(r.spans))
	for i, s := range r.spans {
		spans[i] = result.Span{From: s.from, To: s.to, Moving: -1, Steps: make([]result.SpanStep, len(s.steps))}
		if i == len(r.spans)-1 {
			spans[i].To = max(upTo, s.from)
		}
		for k := range s.steps {
			spans[i].Steps[k] = s.steps[k].view()
		}
	}
	return spans
}

func (s *stepSpan) view() result.SpanStep {
	v := result.SpanStep{
		Classes: s.classes, Straddling: s.straddling,
		Response: s.response.distribution(false), Service: s.service.distribution(false),
	}
	for c, n := range s.classes {
		if n > 0 {
			if v.Seen == nil {
				v.Seen = map[result.Class]result.Seen{}
			}
			v.Seen[result.Class(c)] = result.Seen{First: s.first[c], Last: s.last[c]}
		}
	}
	return v
}
