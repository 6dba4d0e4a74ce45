package verdict

import (
	"slices"
	"time"

	"loadkms/result"
)

// A tally is one step's share of a scope: the shares of its spans, added up.
type tally struct {
	counts     result.Counts
	first      [result.Classes]time.Duration // when the first and the last answer of each class were
	last       [result.Classes]time.Duration // complete; result.Never for classes without any
	straddling uint64
	responses  []result.Distribution // one per span that has any
	services   []result.Distribution // likewise
}

// add adds one span's share to t. A class that was counted but not timed could have been seen at any
// moment of the span; its first and last are then the span's ends, the reading that excuses least.
func (t *tally) add(span result.Span, s result.SpanStep) {
	t.straddling += s.Straddling
	if s.Response.Count > 0 {
		t.responses, t.services = append(t.responses, s.Response), append(t.services, s.Service)
	}
	for i, n := range s.Classes {
		if n == 0 {
			continue
		}
		seen, timed := s.Seen[result.Class(i)]
		if !timed {
			seen = result.Seen{First: span.From, Last: span.To}
		}
		if t.counts[i] == 0 {
			t.first[i] = seen.First
		}
		t.first[i] = min(t.first[i], seen.First)
		t.last[i] = max(t.last[i], seen.Last)
		t.counts[i] += n
	}
}

// tallyOf adds up one step's shares of spans.
func tallyOf(spans []result.Span, step int) *tally {
	t := &tally{}
	for i := range t.first {
		t.first[i], t.last[i] = result.Never, result.Never
	}
	for _, s := range spans {
		if step < len(s.Steps) {
			t.add(s, s.Steps[step])
		}
	}
	return t
}

// sent returns how many requests of t were sent.
func (t *tally) sent() uint64 { return t.counts.Total() - t.counts[result.Dropped] }

// bad calls yield for every class other than OK that occurred.
func (t *tally) bad(yield func(result.Class) bool) {
	for i, n := range t.counts {
		if c := result.Class(i); c != result.OK && n > 0 && !yield(c) {
			return
		}
	}
}

// firstBad and lastBad return when the first and last answers other than OK were complete, or Never.
func (t *tally) firstBad() time.Duration { return t.firstBut(result.OK) }
func (t *tally) lastBad() time.Duration  { return t.lastBut(result.OK) }

// firstBut returns when the first answer that was not OK, and of none of the classes but, was
// complete, or Never.
func (t *tally) firstBut(but ...result.Class) time.Duration {
	at := result.Never
	for c := range t.bad {
		if !slices.Contains(but, c) && (at == result.Never || t.first[c] < at) {
			at = t.first[c]
		}
	}
	return at
}

func (t *tally) lastBut(but ...result.Class) time.Duration {
	at := result.Never
	for c := range t.bad {
		if !slices.Contains(but, c) {
			at = max(at, t.last[c])
		}
	}
	return at
}

// lastClass returns how the last request that was not OK ended; OK if all were.
func (t *tally) lastClass() result.Class {
	last := result.OK
	for c := range t.bad {
		if last == result.OK || t.last[c] > t.last[last] {
			last = c
		}
	}
	return last
}

// A moments is a set of times at which answers of a step are known to have been complete. Only the
// first and last of each window and span are known, so a neighbor found in it is a bound: the true
// one is never farther away.
type moments []time.Duration

// momentsOf collects what windows and spans know about the good answers of a step, or about the bad.
func momentsOf(run *result.Run, step int, good bool) moments {
	var m moments
	for _, w := range run.Windows {
		if step >= len(w.Steps) || w.Steps[step].Classes.Total() == 0 {
			continue
		}
		s := w.Steps[step]
		if good && s.Classes[result.OK] > 0 {
			m = append(m, s.FirstOK, s.LastOK)
		}
		if !good && s.Classes.Bad() > 0 {
			m = append(m, s.FirstBad, s.LastBad)
		}
	}
	for _, s := range run.Spans {
		if step >= len(s.Steps) {
			continue
		}
		for c, seen := range s.Steps[step].Seen {
			if (c == result.OK) == good {
				m = append(m, seen.First, seen.Last)
			}
		}
	}
	slices.Sort(m)
	return slices.Compact(m)
}

// after returns the first of m later than t, or Never.
func (m moments) after(t time.Duration) time.Duration {
	for _, at := range m {
		if at > t {
			return at
		}
	}
	return result.Never
}

// before returns the last of m not later than t, or Never.
func (m moments) before(t time.Duration) time.Duration {
	at := result.Never
	for _, x := range m {
		if x > t {
			break
		}
		at = x
	}
	return at
}
