package reporters

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"loadkms/result"
)

// mostPoints bounds how many points a chart has, and with them the size of a report: more than
// screens have pixels for, few enough for a report of a day to open at once.
const mostPoints = 1200

// A point is one or more neighboring windows, over all steps.
type point struct {
	at, len  time.Duration
	classes  result.Counts
	answered bool
	p50      time.Duration // mean of the windows, each the slowest step's
	p95      time.Duration // these: the highest of the windows, each the slowest step's
	p99      time.Duration
	max      time.Duration
	late     time.Duration
}

// points makes windows into at most most points of equal length. High quantiles are kept at their
// highest and never averaged: a second of trouble in an hour must stay visible.
func points(windows []result.Window, most int) []point {
	if len(windows) == 0 {
		return nil
	}
	each := (len(windows) + most - 1) / most
	out := make([]point, 0, (len(windows)+each-1)/each)
	for group := range slices.Chunk(windows, each) {
		last := group[len(group)-1]
		p := point{at: group[0].At, len: last.At + time.Second - group[0].At}
		sum, n := 0.0, 0
		for _, w := range group {
			s := secondOf(w)
			p.classes.Add(s.classes)
			p.late = max(p.late, s.late)
			if !s.answered {
				continue
			}
			p.answered = true
			sum, n = sum+float64(s.p50), n+1
			p.p99, p.max = max(p.p99, s.p99), max(p.max, s.max)
			for _, step := range w.Steps {
				if step.Classes.Total() > step.Classes[result.Dropped] {
					p.p95 = max(p.p95, step.P95)
				}
			}
		}
		if n > 0 {
			p.p50 = time.Duration(sum / float64(n))
		}
		out = append(out, p)
	}
	return out
}

// An xAxis lays times of the run out from 0 to 1.
type xAxis struct{ from, to time.Duration }

func (a xAxis) at(d time.Duration) float64 {
	if a.to <= a.from {
		return 0
	}
	return min(max(float64(d-a.from)/float64(a.to-a.from), 0), 1)
}

// A tick is a labeled place on an axis.
type tick struct {
	Pos   string // in percent
	Text  string
	Minor bool // left out where space is short
}

// ticks returns about n round times, every second of them minor.
func (a xAxis) ticks(n int) []tick {
	steps := []time.Duration{1, 2, 5, 10, 20, 50, 100, 200, 500}
	for i := range steps {
		steps[i] *= time.Millisecond
	}
	for _, s := range []time.Duration{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 4 * 3600, 12 * 3600} {
		steps = append(steps, s*time.Second)
	}
	span := a.to - a.from
	step := 24 * time.Hour
	for _, s := range steps {
		if span/s <= time.Duration(n) {
			step = s
			break
		}
	}
	for span/step > time.Duration(n) {
		step *= 2
	}
	var out []tick
	for i, t := 0, (a.from+step-1)/step*step; t <= a.to && step > 0; i, t = i+1, t+step {
		text := short(t)
		if step < time.Second {
			text = clock(t)
			text = text[:len(text)-3+decimals(step)]
		}
		out = append(out, tick{Pos: pct(a.at(t)), Text: text, Minor: t/step%2 == 1})
	}
	return out
}

// decimals returns how many decimals of a second tell multiples of step apart.
func decimals(step time.Duration) int {
	switch {
	case step >= 100*time.Millisecond:
		return 1
	case step >= 10*time.Millisecond:
		return 2
	}
	return 3
}

// A yAxis lays lengths of time out from 0 (top) to 1 (bottom).
type yAxis struct {
	low, high time.Duration
	log       bool
}

// axisFor returns an axis for values from low to high. It is logarithmic if they span more than a
// factor of twenty: on a linear one the lower half would lie on the floor.
func axisFor(low, high time.Duration) yAxis {
	low, high = max(low, time.Microsecond), max(high, 10*time.Microsecond)
	if float64(high)/float64(low) <= 20 {
		return yAxis{0, roundUp(high), false}
	}
	return yAxis{roundDown(low), roundUp(high), true}
}

func (a yAxis) at(d time.Duration) float64 {
	if a.log {
		f := math.Log(float64(max(d, a.low))/float64(a.low)) / math.Log(float64(a.high)/float64(a.low))
		return 1 - min(max(f, 0), 1)
	}
	return 1 - min(max(float64(d)/float64(a.high), 0), 1)
}

func (a yAxis) ticks() []tick {
	var out []tick
	if !a.log {
		// Four steps, or five where quarters of the highest value would not be round.
		n := 4
		if leading(a.high) == 5 || leading(a.high) == 1 {
			n = 5
		}
		for i := range n + 1 {
			d := time.Duration(float64(a.high) * float64(i) / float64(n))
			out = append(out, tick{Pos: pct(a.at(d)), Text: round(d), Minor: i%2 == 1})
		}
		return out
	}
	wide := math.Log10(float64(a.high)/float64(a.low)) > 2.2
	for _, d := range series(a.low, a.high) {
		lead := leading(d)
		if wide && lead != 1 {
			continue
		}
		out = append(out, tick{Pos: pct(a.at(d)), Text: round(d), Minor: lead != 1})
	}
	return out
}

// series returns 1, 2 and 5 times the powers of ten from low to high.
func series(low, high time.Duration) []time.Duration {
	var out []time.Duration
	for unit := time.Duration(1); unit <= high && unit <= math.MaxInt64/10; unit *= 10 {
		for _, k := range []time.Duration{1, 2, 5} {
			if d := k * unit; d >= low && d <= high {
				out = append(out, d)
			}
		}
	}
	return out
}

func leading(d time.Duration) time.Duration {
	for d >= 10 {
		d /= 10
	}
	return d
}

func roundUp(d time.Duration) time.Duration {
	for unit := time.Duration(1); unit <= math.MaxInt64/10; unit *= 10 {
		for _, k := range []time.Duration{1, 2, 5} {
			if k*unit >= d {
				return k * unit
			}
		}
	}
	return d
}

func roundDown(d time.Duration) time.Duration {
	best := time.Duration(1)
	for _, v := range series(1, d) {
		best = v
	}
	return best
}

// round writes a round length: 20 ms, 2.5 s.
func round(d time.Duration) string {
	unit, name := time.Second, " s"
	switch {
	case d == 0:
		return "0"
	case d < time.Millisecond:
		unit, name = time.Microsecond, " µs"
	case d < time.Second:
		unit, name = time.Millisecond, " ms"
	}
	return strconv.FormatFloat(float64(d)/float64(unit), 'g', 4, 64) + name
}

// pct writes a share as CSS wants it.
func pct(f float64) string { return strconv.FormatFloat(f*100, 'f', 3, 64) + "%" }

// The inner size of a plot: it is stretched to whatever space there is, so only ratios matter.
const (
	plotWidth  = 1000
	plotHeight = 100
)

// line returns the SVG path of one value over all points, broken where nothing was answered.
func line(all []point, x xAxis, y yAxis, of func(point) time.Duration) string {
	var b strings.Builder
	drawing := false
	for i, p := range all {
		if !p.answered {
			drawing = false
			continue
		}
		px, py := x.at(p.at+p.len/2)*plotWidth, y.at(of(p))*plotHeight
		switch {
		case drawing:
			fmt.Fprintf(&b, "L%.1f %.2f", px, py)
		case i+1 == len(all) || !all[i+1].answered:
			// A single point; a line to itself has no length and is not drawn by all.
			fmt.Fprintf(&b, "M%.1f %.2fh.5", px, py)
		default:
			fmt.Fprintf(&b, "M%.1f %.2f", px, py)
		}
		drawing = true
	}
	return b.String()
}

// band returns the SVG path of the area between two values.
func band(all []point, x xAxis, y yAxis, low, high func(point) time.Duration) string {
	var b strings.Builder
	for from := 0; from < len(all); from++ {
		to := from
		for to < len(all) && all[to].answered {
			to++
		}
		if to-from > 1 {
			for i := from; i < to; i++ {
				fmt.Fprintf(&b, "%c%.1f %.2f", "ML"[min(i-from, 1)], x.at(all[i].at+all[i].len/2)*plotWidth, y.at(high(all[i]))*plotHeight)
			}
			for i := to - 1; i >= from; i-- {
				fmt.Fprintf(&b, "L%.1f %.2f", x.at(all[i].at+all[i].len/2)*plotWidth, y.at(low(all[i]))*plotHeight)
			}
			b.WriteByte('Z')
		}
		from = to
	}
	return b.String()
}

// A path is one shape of a plot.
type path struct {
	Class string // of CSS
	D     string
}

// stacks returns, for every class that failed, the columns of its share of requests, each on top of
// those before it.
func stacks(all []point, x xAxis) (classes []result.Class, paths []path) {
	var sum result.Counts
	for _, p := range all {
		sum.Add(p.classes)
	}
	classes = failures(sum)
	floor := make([]float64, len(all))
	for _, class := range classes {
		var b strings.Builder
		for i := 0; i < len(all); i++ {
			p := all[i]
			n, total := p.classes[class], p.classes.Total()
			if n == 0 {
				continue
			}
			f := float64(n) / float64(total)
			x0, x1 := x.at(p.at)*plotWidth, x.at(p.at+p.len)*plotWidth
			y0, y1 := (1-floor[i])*plotHeight, (1-floor[i]-f)*plotHeight
			fmt.Fprintf(&b, "M%.1f %.2fH%.1fV%.2fH%.1fZ", x0, y0, x1, max(y1, 0), x0)
			floor[i] += f
		}
		paths = append(paths, path{"c-" + class.String(), b.String()})
	}
	return classes, paths
}
