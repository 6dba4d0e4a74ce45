package scenarios

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// A phaseDraft is a phase while its keys are read.
type phaseDraft struct {
	Phase
	pause    time.Duration
	rate, to float64
	count    int        // in the whole phase
	mode     string     // uniform, poisson, or "": that of config
	only     *yaml.Node // what names the only scenario
}

var modes = []string{"uniform", "poisson"}

var phaseSection = section[phaseDraft]{
	name: "phase",
	about: "A stretch of time with one arrival rate, or a ramp from one to another. Phases follow one another. " +
		"`arrivalRate: 0` without `rampTo` is a pause.",
	keys: []key[phaseDraft]{
		{"name", optional, textShape, "for reports, and for faults that begin with the phase",
			func(p *parser, n *yaml.Node, d *phaseDraft) {
				d.Name = p.name(n, "name")
			}},
		{"duration", optional, durationShape, "how long the phase lasts",
			func(p *parser, n *yaml.Node, d *phaseDraft) {
				d.Duration = p.length(n, "duration")
			}},
		{"arrivalRate", optional, numberShape, "virtual users arriving per second",
			func(p *parser, n *yaml.Node, d *phaseDraft) {
				d.rate, _ = p.number(n, "arrivalRate")
			}},
		{"rampTo", optional, numberShape, "the arrival rate at the end of the phase; it changes linearly",
			func(p *parser, n *yaml.Node, d *phaseDraft) {
				d.to, _ = p.number(n, "rampTo")
			}},
		{"arrivalCount", optional, wholeShape, "virtual users arriving in the whole phase, evenly spaced",
			func(p *parser, n *yaml.Node, d *phaseDraft) {
				d.count, _ = p.whole(n, "arrivalCount", 0, math.MaxInt32)
			}},
		{"every", optional, durationShape, "how often `count` virtual users arrive at once, the first time when the phase begins",
			func(p *parser, n *yaml.Node, d *phaseDraft) {
				d.Every, _ = p.span(n, "every")
			}},
		{"count", optional, wholeShape, "virtual users arriving at once; goes with `every`",
			func(p *parser, n *yaml.Node, d *phaseDraft) {
				d.Burst, _ = p.whole(n, "count", 1, mostUsers)
			}},
		{"mode", optional, wordOf(modes...),
			"whether the gaps between arrivals are even, or exponential with the same mean; that of config unless told",
			func(p *parser, n *yaml.Node, d *phaseDraft) {
				d.mode, _ = p.word(n, "mode", modes)
			}},
		{"pause", optional, durationShape, "how long nobody arrives",
			func(p *parser, n *yaml.Node, d *phaseDraft) {
				d.pause = p.length(n, "pause")
			}},
		{"maxVusers", optional, wholeShape,
			"virtual users alive at once during this phase; config.maxVusers unless told",
			func(p *parser, n *yaml.Node, d *phaseDraft) {
				d.MaxUsers, _ = p.whole(n, "maxVusers", 1, mostUsers)
				p.note(n, "maxVusers", "maxVusers counts all virtual users; Artillery counts those of each of its workers")
			}},
		{"scenario", optional, textShape, "the only scenario its arrivals play; all of them, by weight, unless told",
			func(p *parser, n *yaml.Node, d *phaseDraft) {
				d.only = n
			}},
	},
}

// length reads the length of a phase. Without a unit, Artillery takes 1.5 for a mistake and "1.5" for
// milliseconds.
func (p *parser) length(n *yaml.Node, what string) time.Duration {
	d, ok := p.span(n, what)
	if !ok {
		return 0
	}
	if f, isNumber := parseNumber(n.Value); isNumber && f != math.Trunc(f) {
		p.note(n, "fraction", "%s: %s is %s; Artillery refuses it, or takes it for milliseconds", what, n.Value, words(d))
	}
	return d
}

// phases reads the list of phases at n: config.phases if scenario is -1, else those of a scenario of its own.
func (p *parser) phases(n *yaml.Node, scenario int) (phases []Phase) {
	items := p.list(n, "phases")
	if n.Kind == yaml.SequenceNode && len(items) == 0 {
		p.at(n, "", "the list of phases is empty")
	}
	var total time.Duration
	for _, item := range items {
		d := phaseDraft{Phase: Phase{Pos: p.pos(item), Scenario: scenario}}
		var given set
		if p.clean(func() { given = phaseSection.read(p, item, &d) }) {
			p.finishPhase(item, given, &d)
		}
		if d.only != nil && scenario >= 0 {
			p.at(given["scenario"], "remove it", "a scenario's own phases play no other")
			d.only = nil
		}
		if total += d.Duration; total > year {
			p.at(item, "", "the phases must not be longer than a year together")
			total = 0
		}
		at := len(phases)
		phases = append(phases, d.Phase)
		if d.only != nil {
			p.later = append(p.later, func() { p.onlyScenario(d.only, &phases[at]) })
		}
	}
	return phases
}

// finishPhase checks what was given together and works out the rates.
func (p *parser) finishPhase(n *yaml.Node, given set, d *phaseDraft) {
	for _, pair := range [][2]string{{"pause", "duration"}, {"pause", "arrivalRate"}, {"pause", "rampTo"},
		{"pause", "arrivalCount"}, {"pause", "every"}, {"arrivalCount", "arrivalRate"}, {"arrivalCount", "rampTo"},
		{"every", "arrivalCount"}, {"every", "arrivalRate"}, {"every", "rampTo"}} {
		if given.has(pair[0]) && given.has(pair[1]) {
			p.exclude(given, pair[0], pair[1], "phase")
			return
		}
	}
	poisson := d.mode == "poisson" || d.mode == "" && p.poisson
	switch {
	case given.has("pause"):
		d.Duration = d.pause
	case !given.has("duration"):
		p.at(n, "a phase has a duration and arrivals, or a pause", `phase needs "duration"`)
	case given.has("every", "count"):
		for _, key := range []string{"every", "count"} {
			if !given.has(key) {
				p.at(n, "every 10s, 50 users at once: every: 10s, count: 50", "phase needs %q", key)
				return
			}
		}
		if d.mode == "poisson" {
			p.exclude(given, "every", "mode", "phase")
		}
		if float64(d.Burst) > 1e6*d.Every.Seconds() {
			p.at(n, "", mostArrivals)
		}
	case given.has("arrivalCount"):
		if d.mode == "poisson" {
			p.note(given["mode"], "mode", "a phase with arrivalCount has that many arrivals, evenly spaced, whatever its mode")
		}
		seconds := d.Duration.Seconds()
		d.From = float64(d.count) / seconds
		// The schedule has an arrival wherever the area under the rate reaches a whole number. The
		// quotient may be rounded up, and the area then reach one more.
		for d.From*seconds > float64(d.count) {
			d.From = math.Nextafter(d.From, 0)
		}
		d.To = d.From
	case given.has("rampTo"):
		d.From, d.To, d.Poisson = d.rate, d.to, poisson
		if poisson {
			p.note(given["rampTo"], "poisson ramp", "arrivals of a ramp are random as well in mode poisson; Artillery's are even")
		}
	case given.has("arrivalRate"):
		d.From, d.To, d.Poisson = d.rate, d.rate, poisson
		switch {
		case d.rate != math.Trunc(d.rate):
			p.note(given["arrivalRate"], "fractional rate", "arrivalRate: %v counts as written; Artillery ends the run", d.rate)
		case d.rate == 0:
			d.Poisson = false
			p.note(given["arrivalRate"], "arrivalRate 0",
				"arrivalRate: 0 is a pause as long as the phase; Artillery skips it")
		}
	default:
		p.at(n, "", `phase needs "arrivalRate", "rampTo", "arrivalCount", "every" or "pause"`)
	}
	if max(d.From, d.To) > 1e6 {
		p.at(n, "", mostArrivals)
	}
}

const mostArrivals = "a phase must not have more than a million arrivals per second"

// exclude reports two keys of which only one may be there, at the later one.
func (p *parser) exclude(given set, a, b, section string) {
	first, second := given[a], given[b]
	if first.Line > second.Line || first.Line == second.Line && first.Column > second.Column {
		first, second = second, first
	}
	p.at(second, fmt.Sprintf("remove one of them; the other is on %s", p.line(first)),
		"%q and %q exclude one another in %s", first.Value, second.Value, section)
}

// onlyScenario resolves a phase's reference to a scenario.
func (p *parser) onlyScenario(n *yaml.Node, phase *Phase) {
	name, ok := p.text(n, "scenario")
	if !ok {
		return
	}
	var names []string
	var found []int
	for i, s := range p.out.Scenarios {
		if s.Name == name {
			found = append(found, i)
		}
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	switch {
	case len(found) == 1:
		phase.Scenario = found[0]
	case len(found) > 1:
		p.at(n, fmt.Sprintf("they begin on lines %d and %d", p.out.Scenarios[found[0]].Line,
			p.out.Scenarios[found[1]].Line),
			"%d scenarios are called %s", len(found), quote(name))
	case len(p.out.Scenarios) == 0:
		// The scenarios could not be read, and that has been said.
	default:
		hint := meant(name, names, "the scenarios are:")
		if len(names) == 0 {
			hint = "give the scenario a name"
		}
		p.at(n, hint, "no scenario is called %s", quote(name))
	}
}

// tracks returns the phases of config, and those of each scenario that has its own: they are side by side.
func (s *Script) tracks() [][]Phase {
	tracks := [][]Phase{s.Config.Phases}
	for i := range s.Scenarios {
		tracks = append(tracks, s.Scenarios[i].Phases)
	}
	return tracks
}

// lasts returns how long the schedule is.
func (s *Script) lasts() (longest time.Duration) {
	for _, track := range s.tracks() {
		var d time.Duration
		for _, ph := range track {
			d += ph.Duration
		}
		longest = max(longest, d)
	}
	return longest
}

// begin returns when a phase begins.
func (c *Config) begin(phase int) (d time.Duration) {
	for _, ph := range c.Phases[:phase] {
		d += ph.Duration
	}
	return d
}

// words returns d as people write it: 2m, not 2m0s.
func words(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
