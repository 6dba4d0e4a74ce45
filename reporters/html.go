package reporters

import (
	"bufio"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"loadkms/result"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

var document = template.Must(template.New("page").Parse(pageHTML))

// HTML writes run as one self-contained page: nothing is fetched, everything can be read without
// JavaScript, and the chart has its numbers as a table beside it. Charts are drawn here, as SVG that
// is stretched to the reader's screen; a script only adds a crosshair. Long runs are drawn with at
// most 1200 points, so a page stays under 1.5 MB.
func HTML(w io.Writer, run *result.Run) error {
	b := bufio.NewWriter(w)
	if err := document.Execute(b, viewOf(run)); err != nil {
		return err
	}
	return b.Flush()
}

// A pageView is what the template shows: everything is formatted, cleaned and placed already.
type pageView struct {
	CSS     template.CSS
	JS      template.JS
	Title   string
	Word    string
	Tone    tone
	Mark    string
	Name    string
	Lead    string
	Reasons []remarkView
	Rescues []rescueView
	Tiles   []tile
	Chart   chartView
	Faults  []faultView
	Steps   []stepView
	Held    string
	Checks  []checkView
	Records string
	Events  []eventView
	Late    chartView
	Late99  string // of the whole run
	Health  []pair
	About   []pair
}

type rescueView struct{ Name, Target, Error, Command string }

type tile struct{ Name, Value, Note string }

type pair struct{ Name, Value string }

type stepView struct {
	Name, Requests, OK, Share             string
	P50, P95, P99, Max, Service, Failures string
	Tone                                  tone
}

type checkView struct {
	Tone                                  tone
	Mark, Scope, Name, Want, Got, Outcome string
	Fault, Where                          string
}

type eventView struct {
	At, Text string
	Tone     tone
}

// A chartView is a stack of lanes and plots over one time axis.
type chartView struct {
	Label   string
	Ticks   []tick
	Phases  []bar
	Faults  []faultLane
	Bands   []bar
	Plots   []plot
	Columns []string
	Rows    []rowView
	Each    string // how much time one point stands for
	Slowest bool   // the quantiles are the slowest step's
}

// A bar covers a stretch of the time axis.
type bar struct {
	Left, Width string
	Text        string
	Class       string
	Title       string
}

type faultLane struct {
	bar
	Place string // CSS that puts the name where there is room
	Room  string // how wide it may be there
	Marks []markView
}

type markView struct{ Left, Kind, Title string }

type plot struct {
	Class  string
	Title  string
	Legend []legend
	Ticks  []tick
	Paths  []path
	Label  string
}

type legend struct{ Class, Text string }

type rowView struct {
	Mid   string // its place on the time axis, from 0 to 1
	Cells []string
}

// A faultView is one fault, drawn and in numbers.
type faultView struct {
	Name, Action, Target, Where string
	Facts                       []pair
	Drawn                       bool
	Label                       string
	Ticks                       []tick
	Groups, Coarse              []bar // numbers of moments that lie close together
	Lines                       []string
	Lanes                       []laneView
	Moments                     []momentView
	Remarks                     []remarkView
}

type laneView struct {
	Name string
	Bars []bar
	Open bool // its texts may leave their bars
}

type momentView struct {
	N                     int
	At, Name, Since, Note string
	Tone                  tone
	Witness               bool
}

type remarkView struct {
	Tone       tone
	Mark, Text string
}

func viewOf(run *result.Run) pageView {
	word, t := headline(run)
	v := pageView{
		CSS: template.CSS(pageCSS), JS: template.JS(pageJS),
		Word: word, Tone: t, Mark: t.mark(), Name: clean(run.Name),
		Title: word + " · " + clean(run.Name) + " · loadkms",
	}
	for _, s := range sentences(run) {
		v.Reasons = append(v.Reasons, remarkView{s.tone, s.tone.mark(), s.text})
	}
	v.Lead = clean(run.Script) + " against " + clean(run.Target)
	if run.AWS.Sandbox {
		v.Lead += ", the embedded sandbox"
		if pace := pace(run); pace != "" {
			v.Lead += ", whose clock runs " + pace
		}
	}
	v.Lead += ", for " + length(run.Took) + " from " + run.Began.UTC().Format("2006-01-02 15:04:05") + " UTC."
	for _, f := range stuck(run) {
		v.Rescues = append(v.Rescues, rescueView{clean(f.Name), clean(f.Target), clean(f.Stuck.Error), command(f.Stuck.Command)})
	}
	v.Tiles = tiles(run)
	all := points(run.Windows, mostPoints)
	v.Chart = timeline(run, all)
	v.Late = lateChart(run, all)
	for i := range run.Faults {
		v.Faults = append(v.Faults, faultOf(run, i))
	}
	for _, s := range run.Steps {
		row := stepView{
			Name: stepName(s), Requests: count(s.Classes.Total()), OK: count(s.Classes[result.OK]),
			Share: share(s.Classes[result.OK], s.Classes.Total()),
			P50:   value(s.Response, s.Response.P50), P95: value(s.Response, s.Response.P95),
			P99: value(s.Response, s.Response.P99), Max: value(s.Response, s.Response.Max),
			Service: value(s.Service, s.Service.P99), Failures: failureText(s.Classes), Tone: good,
		}
		if s.Classes.Bad() > 0 {
			row.Tone = bad
		}
		v.Steps = append(v.Steps, row)
	}
	held := 0
	for _, t := range []tone{bad, unsure, good} {
		for _, c := range run.Verdict.Checks {
			if toneOf(c.Outcome) != t {
				continue
			}
			if t == good {
				held++
			}
			view := checkView{
				Tone: t, Mark: t.mark(), Scope: clean(c.Scope), Name: clean(c.Name), Want: clean(c.Want),
				Got: clean(c.Got), Outcome: clean(string(c.Outcome)), Where: clean(c.Where),
			}
			if c.Fault >= 0 && c.Fault < len(run.Faults) {
				view.Fault = clean(run.Faults[c.Fault].Name)
			}
			v.Checks = append(v.Checks, view)
		}
	}
	v.Held = fmt.Sprintf("%d of %d", held, len(run.Verdict.Checks))
	v.Records = recordText(run.Records)
	for _, e := range run.Events {
		text, t := eventText(e, run.Faults)
		v.Events = append(v.Events, eventView{clock(e.At), text, t})
	}
	v.Late99 = value(run.Generator.Lateness, run.Generator.Lateness.P99)
	v.Health = health(run.Generator)
	v.About = about(run)
	return v
}

// tiles are the numbers people look for first.
func tiles(run *result.Run) []tile {
	var sum result.Counts
	var slowest result.Distribution
	where := "nothing was answered"
	for i, s := range run.Steps {
		sum.Add(s.Classes)
		if s.Response.Count > 0 && s.Response.P99 >= slowest.P99 {
			slowest, where = s.Response, stepShort(run.Steps, i)
		}
	}
	served := count(sum[result.OK]) + " of " + plural(sum.Total(), "request", "requests")
	if slices.ContainsFunc(run.Faults, func(f result.Fault) bool { return f.Breaking >= 0 }) {
		served += ", those during faults included"
	}
	out := []tile{
		{"Availability", share(sum[result.OK], sum.Total()), served},
		{"Response p99", value(slowest, slowest.P99), where},
	}
	var grace, recovery *result.Anatomy
	for _, f := range run.Faults {
		for _, a := range f.Steps {
			if a.Grace >= 0 && a.FirstEffect >= 0 && (grace == nil || a.Grace < grace.Grace) {
				grace = &a
			}
			if a.TimeToRecover >= 0 && a.Recovered >= 0 && a.FirstEffect >= 0 &&
				(recovery == nil || a.TimeToRecover > recovery.TimeToRecover) {
				recovery = &a
			}
		}
	}
	if grace != nil {
		out = append(out, tile{"Grace", length(grace.Grace), uncertain(grace.GraceGap) + "from broken to first effect"})
	}
	if recovery != nil {
		out = append(out, tile{"Time to recover", length(recovery.TimeToRecover), uncertain(recovery.RecoverGap) + "from verified restore"})
	}
	g := run.Generator
	late := plural(g.Dropped, "arrival", "arrivals") + " dropped"
	return append(out, tile{"Generator lateness p99", value(g.Lateness, g.Lateness.P99), late})
}

func uncertain(g time.Duration) string {
	if g <= 0 {
		return ""
	}
	return "±" + length(g) + ", "
}

func stretch(x xAxis, from, to time.Duration) (left, width string) {
	l, r := x.at(from), x.at(to)
	return pct(l), pct(max(r-l, 0))
}

// end returns where the time axis of the whole run ends.
func end(run *result.Run) time.Duration {
	to := max(run.Took, time.Second)
	if n := len(run.Windows); n > 0 {
		to = max(to, run.Windows[n-1].At+time.Second)
	}
	return to
}

func timeline(run *result.Run, all []point) chartView {
	x := xAxis{0, end(run)}
	c := chartView{Ticks: x.ticks(12), Slowest: len(run.Steps) > 1}
	for i, p := range run.Phases {
		if p.From >= x.to {
			break // the run was ended before it
		}
		left, width := stretch(x, p.From, p.To)
		name := clean(p.Name)
		if name == "" {
			name = fmt.Sprintf("phase %d", i+1)
		}
		c.Phases = append(c.Phases, bar{Left: left, Width: width, Text: name,
			Title: name + ", " + short(p.From) + " to " + short(p.To)})
	}
	for _, f := range run.Faults {
		from, to, ok := inForce(f, x.to)
		if !ok {
			continue
		}
		left, width := stretch(x, from, to)
		b := bar{Left: left, Width: width, Text: clean(f.Name), Class: "force"}
		b.Title = b.Text + ", in force " + clock(from) + " to " + clock(f.Restored)
		if f.OneWay {
			b.Title = b.Text + ", from " + clock(from) + " on"
		} else if f.Restored < 0 {
			b.Class = "force open"
			b.Title = b.Text + ", in force from " + clock(from) + ", not known to be restored"
		}
		lane := faultLane{bar: b, Place: "left:" + left, Room: pct(1 - x.at(from))}
		if x.at(from) > 0.5 {
			lane.Place, lane.Room = "right:"+pct(1-x.at(to)), pct(x.at(to))
		}
		mark := func(at time.Duration, kind, text string) {
			if at >= 0 {
				lane.Marks = append(lane.Marks, markView{pct(x.at(at)), kind, text + " at " + clock(at)})
			}
		}
		mark(f.Visible, "visible", "visible")
		for _, a := range f.Steps {
			mark(a.FirstEffect, "effect", "first effect on "+stepShort(run.Steps, a.Step))
			mark(a.Recovered, "recovered", stepShort(run.Steps, a.Step)+" recovered")
		}
		c.Faults = append(c.Faults, lane)
		c.Bands = append(c.Bands, b)
	}
	if len(all) == 0 {
		return c
	}

	low, high := time.Duration(-1), time.Duration(0)
	for _, p := range all {
		if p.answered {
			if low < 0 || p.p50 < low {
				low = p.p50
			}
			high = max(high, p.max)
		}
	}
	y := axisFor(low, high)
	p50 := func(p point) time.Duration { return p.p50 }
	p95 := func(p point) time.Duration { return p.p95 }
	p99 := func(p point) time.Duration { return p.p99 }
	highest := func(p point) time.Duration { return p.max }
	scale := ""
	if y.log {
		scale = ", logarithmic"
	}
	c.Plots = append(c.Plots, plot{
		Class: "latency", Title: "Response time" + scale, Ticks: y.ticks(),
		Legend: []legend{{"l-max", "max"}, {"l-p99", "p99"}, {"l-p95", "p95"}, {"l-p50", "p50"}},
		Paths: []path{
			{"band", band(all, x, y, p50, p99)}, {"l-max", line(all, x, y, highest)}, {"l-p95", line(all, x, y, p95)},
			{"l-p50", line(all, x, y, p50)}, {"l-p99", line(all, x, y, p99)},
		},
		Label: "Response time over the run, from " + length(max(low, 0)) + " at p50 to " + length(high) + " at most.",
	})

	classes, paths := stacks(all, x)
	errors := plot{Class: "errors", Title: "Failed requests, by class", Paths: paths, Label: "No request failed."}
	for i := range 3 {
		f := float64(i) / 2
		errors.Ticks = append(errors.Ticks, tick{Pos: pct(1 - f), Text: fmt.Sprintf("%.0f%%", f*100)})
	}
	var names []string
	for _, class := range classes {
		errors.Legend = append(errors.Legend, legend{"c-" + class.String(), class.String()})
		names = append(names, class.String())
	}
	if len(classes) > 0 {
		errors.Label = "Share of failed requests over the run: " + strings.Join(names, ", ") + "."
	} else {
		errors.Legend = []legend{{"none", "none"}}
	}
	c.Plots = append(c.Plots, errors)
	c.Label = fmt.Sprintf("Timeline of %s: %s. The table below holds its numbers.", length(x.to),
		strings.ToLower(errors.Label[:1])+strings.TrimSuffix(errors.Label[1:], "."))

	c.Columns = []string{"from", "requests", "failed", "p50", "p95", "p99", "max", "classes"}
	for _, p := range all {
		cells := []string{short(p.at), count(p.classes.Total()), share(p.classes.Bad(), p.classes.Total()), "–", "–", "–", "–", failureText(p.classes)}
		if p.answered {
			cells[3], cells[4], cells[5], cells[6] = length(p.p50), length(p.p95), length(p.p99), length(p.max)
		}
		c.Rows = append(c.Rows, rowView{fmt.Sprintf("%.4f", x.at(p.at+p.len/2)), cells})
	}
	c.Each = plural(uint64(all[0].len/time.Second), "second", "seconds")
	return c
}

func lateChart(run *result.Run, all []point) chartView {
	x := xAxis{0, end(run)}
	allowed := run.Generator.LateAllowed()
	c := chartView{Ticks: x.ticks(12), Label: "Lateness of arrivals over the run, at p99, and the limit of " + round(allowed) + "."}
	if len(all) == 0 {
		return c
	}
	// Lateness is known also where nothing was answered.
	arrivals := make([]point, len(all))
	high := time.Duration(0)
	for i, p := range all {
		arrivals[i] = p
		arrivals[i].answered = p.classes.Total() > 0
		high = max(high, p.late)
	}
	y := axisFor(allowed, max(high, allowed+allowed/2))
	limit := y.at(allowed) * plotHeight
	c.Plots = []plot{{
		Class: "late", Title: "Lateness p99", Ticks: y.ticks(), Label: c.Label,
		Legend: []legend{{"l-late", "p99 of each second"}, {"l-limit", "limit, " + round(allowed)}},
		Paths: []path{
			{"l-limit", fmt.Sprintf("M0 %.2fH%d", limit, plotWidth)},
			{"l-late", line(arrivals, x, y, func(p point) time.Duration { return p.late })},
		},
	}}
	return c
}

// faultOf draws the anatomy of fault i.
func faultOf(run *result.Run, i int) faultView {
	f := run.Faults[i]
	v := faultView{Name: clean(f.Name), Action: clean(f.Action), Target: clean(f.Target), Where: clean(f.Where)}
	for _, m := range remarks(run.Steps, run.Events, run.Faults, i) {
		v.Remarks = append(v.Remarks, remarkView{m.tone, m.tone.mark(), m.text})
	}
	all := moments(run.Steps, run.Events, run.Faults, i)
	if len(all) == 0 {
		return v
	}
	for n, m := range all {
		since := ""
		if m.since >= 0 {
			since = "+" + length(m.since)
		}
		v.Moments = append(v.Moments, momentView{n + 1, clock(m.at), m.name, since, m.note, m.tone, m.lane == witness})
	}

	last := all[len(all)-1].at
	if f.Restored < 0 {
		last = max(last, end(run))
	}
	pad := max((last-all[0].at)/16, time.Millisecond)
	x := xAxis{max(all[0].at-pad, 0), last + pad}
	v.Drawn = true
	v.Ticks = x.ticks(7)
	// Two layouts, and the style sheet shows one: a digit takes so much of a wide screen, or of a phone.
	v.Groups, v.Coarse = groups(all, x, 0.0125), groups(all, x, 0.028)
	for _, m := range all {
		v.Lines = append(v.Lines, pct(x.at(m.at)))
	}
	v.Lanes = append(v.Lanes, controlLane(f, x))
	for _, a := range f.Steps {
		v.Lanes = append(v.Lanes, userLane(run, a, x))
	}
	if measured := measuredLane(f, x); len(measured.Bars) > 0 {
		v.Lanes = append(v.Lanes, measured)
	}

	fact := func(name, value string) { v.Facts = append(v.Facts, pair{name, value}) }
	if f.Broken >= 0 && f.Restoring >= 0 {
		fact("in force", length(f.Restoring-f.Broken))
	}
	if f.Restoring >= 0 && f.Restored >= 0 {
		fact("to restore", length(f.Restored-f.Restoring))
	}
	for _, a := range f.Steps {
		of := ""
		if len(f.Steps) > 1 {
			of = " of " + stepShort(run.Steps, a.Step)
		}
		if a.FirstEffect < 0 {
			continue
		}
		if a.Grace >= 0 {
			fact("grace"+of, gap(a.Grace, a.GraceGap))
		}
		if a.TimeToRecover >= 0 {
			fact("time to recover"+of, gap(a.TimeToRecover, a.RecoverGap))
		}
	}
	var told []string
	for _, m := range v.Moments {
		told = append(told, m.Name+" at "+m.At)
	}
	v.Label = "Anatomy of " + v.Name + ": " + strings.Join(told, ", ") + "."
	return v
}

// groups numbers the moments. Those too close together to carry a number each share one, "1–3"; digit
// is the share of the width that one digit takes.
func groups(all []moment, x xAxis, digit float64) (out []bar) {
	type group struct{ first, last int }
	text := func(g group) string {
		if g.last > g.first {
			return fmt.Sprintf("%d–%d", g.first+1, g.last+1)
		}
		return fmt.Sprint(g.first + 1)
	}
	middle := func(g group) float64 { return (x.at(all[g.first].at) + x.at(all[g.last].at)) / 2 }
	var found []group
	for i := range all {
		found = append(found, group{i, i})
		for n := len(found); n > 1; n-- {
			a, b := found[n-2], found[n-1]
			need := float64(columns(text(a))+columns(text(b))+1) * digit / 2
			if middle(b)-middle(a) >= need {
				break
			}
			found = append(found[:n-2], group{a.first, b.last})
		}
	}
	for _, g := range found {
		out = append(out, bar{Left: pct(middle(g)), Text: text(g)})
	}
	return out
}

// segment is a bar from one moment to the next; none if either did not happen.
func segment(x xAxis, from, to time.Duration, class, text string) []bar {
	if from < 0 || to < from {
		return nil
	}
	left, width := stretch(x, from, to)
	b := bar{Left: left, Width: width, Class: class, Title: text + ", " + length(to-from)}
	if x.at(to)-x.at(from) > 0.08 {
		b.Text = text
	}
	return []bar{b}
}

func controlLane(f result.Fault, x xAxis) laneView {
	l := laneView{Name: "fault"}
	until := func(at time.Duration) time.Duration {
		if at < 0 {
			return x.to
		}
		return at
	}
	accepted := f.Broken
	if accepted < 0 {
		accepted = f.Breaking
	}
	l.Bars = append(l.Bars, segment(x, f.Breaking, accepted, "moving", "breaking")...)
	l.Bars = append(l.Bars, segment(x, accepted, until(f.Restoring), "force", "in force")...)
	l.Bars = append(l.Bars, segment(x, f.Restoring, until(f.Restored), "moving", "restoring")...)
	l.Bars = append(l.Bars, segment(x, f.Restored, f.Settled, "settling", "settling")...)
	return l
}

// userLane draws what the users of one step met.
func userLane(run *result.Run, a result.Anatomy, x xAxis) laneView {
	l := laneView{Name: stepShort(run.Steps, a.Step)}
	if a.FirstEffect < 0 {
		if a.Requests == 0 {
			l.Bars = segment(x, x.from, x.to, "nothing", "no traffic")
		} else {
			l.Bars = segment(x, x.from, x.to, "served", "served throughout")
		}
		return l
	}
	marks := []struct {
		at          time.Duration
		class, text string
	}{
		{a.FirstEffect, "partly", "partly served"}, {a.FullEffect, "refused", "nobody served: " + a.Class.String()},
		{a.FirstSuccess, "partly", "partly served"}, {a.Recovered, "served", "served"},
	}
	at, class, text := x.from, "served", "served"
	for _, m := range marks {
		if m.at < at {
			continue
		}
		l.Bars = append(l.Bars, segment(x, at, m.at, class, text)...)
		at, class, text = m.at, m.class, m.text
	}
	l.Bars = append(l.Bars, segment(x, at, x.to, class, text)...)
	return l
}

// measuredLane draws grace and time to recover of the step that has them, as lengths.
func measuredLane(f result.Fault, x xAxis) laneView {
	l := laneView{Name: "measured", Open: true}
	for _, a := range f.Steps {
		if a.FirstEffect < 0 {
			continue
		}
		if a.Grace >= 0 {
			for _, b := range segment(x, f.Broken, a.FirstEffect, "span", "") {
				b.Text, b.Title = "grace "+length(a.Grace), "grace "+gap(a.Grace, a.GraceGap)
				l.Bars = append(l.Bars, b)
			}
		}
		if a.TimeToRecover >= 0 {
			for _, b := range segment(x, f.Restored, a.Recovered, "span", "") {
				b.Text, b.Title = "to recover "+length(a.TimeToRecover), "time to recover "+gap(a.TimeToRecover, a.RecoverGap)
				if x.at(f.Restored) > 0.55 {
					b.Class = "span end"
				}
				l.Bars = append(l.Bars, b)
			}
		}
		break // further steps stand in the facts: their brackets would lie on these
	}
	return l
}

func health(g result.Generator) []pair {
	return []pair{
		{"arrivals due", count(g.Due)},
		{"sent", count(g.Sent)},
		{"dropped", count(g.Dropped)},
		{"cut off at the end", count(g.Cut)},
		{"flows left unfinished", count(g.Unfinished)},
		{"lateness p50", value(g.Lateness, g.Lateness.P50)},
		{"lateness p99", value(g.Lateness, g.Lateness.P99)},
		{"lateness max", value(g.Lateness, g.Lateness.Max)},
		{"most virtual users", count(uint64(max(g.Users, 0)))},
		{"GC pauses, together", length(g.GCPause)},
		{"CPU time", length(g.CPU)},
		{"processors", count(uint64(max(g.Processors, 0)))},
	}
}

func about(run *result.Run) []pair {
	out := []pair{
		{"script", clean(run.Script)}, {"environment", clean(run.Environment)}, {"seed", fmt.Sprint(run.Seed)},
		{"target", clean(run.Target)}, {"AWS region", clean(run.AWS.Region)}, {"AWS account", clean(run.AWS.Account)},
		{"AWS endpoint", clean(run.AWS.Endpoint)},
		{"began", run.Began.UTC().Format(time.RFC3339)}, {"took", length(run.Took)},
		{"ended early", clean(run.Interrupted)}, {"loadkms", clean(run.Version)},
		{"run.json schema", fmt.Sprint(run.Schema)},
	}
	kept := out[:0]
	for _, p := range out {
		if p.Value != "" {
			kept = append(kept, p)
		}
	}
	return kept
}
