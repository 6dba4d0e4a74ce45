package reporters

import (
	"math"
	"strings"
	"time"

	"loadkms/result"
)

var bars = []rune("▁▂▃▄▅▆▇█")

// A second is what the live views show of one window, over all steps.
type second struct {
	at       time.Duration
	classes  result.Counts
	answered bool
	p50, p99 time.Duration // of the slowest step
	max      time.Duration
	late     time.Duration
	due      uint64
}

func secondOf(w result.Window) second {
	s := second{at: w.At, late: w.LateP99, due: w.Due}
	for _, step := range w.Steps {
		s.classes.Add(step.Classes)
		if step.Classes.Total() > step.Classes[result.Dropped] {
			s.answered = true
			s.p50, s.p99, s.max = max(s.p50, step.P50), max(s.p99, step.P99), max(s.max, step.Max)
		}
	}
	s.classes[result.Dropped] = max(s.classes[result.Dropped], w.Dropped)
	return s
}

// full returns the seconds of s whose requests have had their time: the youngest window is still
// being filled, unless the run is over.
func full(s *result.Snapshot, most int) []second {
	windows := s.Windows
	if !s.Done && len(windows) > 0 {
		windows = windows[:len(windows)-1]
	}
	windows = windows[max(0, len(windows)-most):]
	out := make([]second, len(windows))
	for i, w := range windows {
		out[i] = secondOf(w)
	}
	return out
}

// sparkP99 draws the p99 of every second on a logarithmic scale of at least a factor of eight, one
// step per level: a steady latency draws a flat line, and a spike does not flatten everything else.
func sparkP99(all []second) (drawn string, highest time.Duration) {
	lowest := time.Duration(math.MaxInt64)
	for _, s := range all {
		if s.answered {
			lowest, highest = min(lowest, max(s.p99, 1)), max(highest, s.p99)
		}
	}
	span := math.Log(max(8, float64(highest)/float64(lowest)))
	var b strings.Builder
	for _, s := range all {
		if !s.answered {
			b.WriteByte(' ')
			continue
		}
		level := int(math.Log(float64(max(s.p99, 1))/float64(lowest)) / span * float64(len(bars)))
		b.WriteRune(bars[min(max(level, 0), len(bars)-1)])
	}
	return b.String(), highest
}

// sparkErrors draws the share of requests that were not OK; a dot is none of them.
func sparkErrors(all []second) (drawn string, highest float64) {
	var b strings.Builder
	for _, s := range all {
		total := s.classes.Total()
		if total == 0 {
			b.WriteByte(' ')
			continue
		}
		f := float64(s.classes.Bad()) / float64(total)
		highest = max(highest, f)
		if f == 0 {
			b.WriteRune('·')
			continue
		}
		b.WriteRune(bars[min(int(f*float64(len(bars))), len(bars)-1)])
	}
	return b.String(), highest
}

// sparkFaults marks the seconds in which some fault may have been in force.
func sparkFaults(all []second, faults []result.Fault, now time.Duration) string {
	var b strings.Builder
	for _, s := range all {
		mark := ' '
		for _, f := range faults {
			if from, to, ok := inForce(f, now); ok && from < s.at+time.Second && to >= s.at {
				mark = '━'
			}
		}
		b.WriteRune(mark)
	}
	return b.String()
}
