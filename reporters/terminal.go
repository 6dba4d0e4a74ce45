package reporters

import (
	"fmt"
	"io"
	"strings"
	"time"

	"loadkms/result"
)

// A Style says how a text for people looks. The zero value is plain and 100 columns wide.
type Style struct {
	Color bool // with ANSI attributes; who calls decides (a terminal? NO_COLOR?)
	Width int  // columns; 0 means 100, which is also the most that is used; at least 40
}

func (s Style) width() int {
	if s.Width <= 0 {
		return 100
	}
	return min(max(s.Width, 40), 100)
}

// How much of a long list the closing summary shows; the rest is in the other reports.
const (
	mostReasons = 8
	mostSteps   = 12
	mostChecks  = 10
	mostMoments = 24
)

// A page collects rows for a terminal.
type page struct {
	Style
	out strings.Builder
}

func (p *page) row(r *row) { p.out.WriteString(r.render(p.width(), p.Color) + "\n") }

func (p *page) blank() { p.out.WriteByte('\n') }

// text writes s, wrapped, with a mark before its first line.
func (p *page) text(mark string, i ink, s string) {
	for n, line := range wrap(s, p.width()-2-columns(mark)-1) {
		r := new(row).add(plain, "  ")
		if n == 0 {
			r.add(i, mark)
		} else {
			r.add(plain, strings.Repeat(" ", columns(mark)))
		}
		if mark != "" {
			r.add(plain, " ")
		}
		p.row(r.add(i, line))
	}
}

func (p *page) heading(title, more string) {
	p.blank()
	p.row(new(row).add(bold, title).add(dim, "  "+more))
}

// Terminal writes the closing summary of run, made to fit one screen: the verdict and its reasons,
// then what every step did, what every fault did, the checks, and the generator's health. If
// something is still broken, the command that mends it stands at the top and again at the end, on a
// line of its own and never cut, whatever the width, so that it can be copied.
func Terminal(w io.Writer, run *result.Run, o Style) error {
	p := &page{Style: o}
	p.verdict(run)
	p.steps(run)
	for i := range run.Faults {
		p.fault(run, i)
	}
	p.checks(run)
	p.closing(run)
	p.rescue(run)
	_, err := io.WriteString(w, p.out.String())
	return err
}

func (p *page) verdict(run *result.Run) {
	word, t := headline(run)
	i := ink("1;" + string(t.ink()))
	if word == "STILL BROKEN" {
		i = alarm
	}
	about := " on " + clean(run.Target)
	if run.AWS.Sandbox {
		about += " (sandbox"
		if pace := pace(run); pace != "" {
			about += ", clock " + pace
		}
		about += ")"
	}
	about += ", " + length(run.Took) + ", seed " + fmt.Sprint(run.Seed)
	p.row(new(row).add(i, " "+word+" ").add(plain, " ").add(bold, clean(run.Name)).add(dim, about))
	p.rescue(run)
	said := sentences(run)
	for n, s := range said {
		if n == mostReasons {
			p.text(" ", dim, plural(uint64(len(said)-n), "more reason", "more reasons")+" in the other reports")
			break
		}
		p.text(s.tone.mark(), plain, s.text)
	}
}

// rescue writes how to mend what is still broken; nothing otherwise.
func (p *page) rescue(run *result.Run) {
	for _, f := range stuck(run) {
		p.blank()
		p.row(new(row).add(alarm, " STILL BROKEN: "+clean(f.Target)+" "))
		for _, line := range wrap(clean(f.Name)+" could not be put back: "+clean(f.Stuck.Error), p.width()) {
			p.row(new(row).add(red, line))
		}
		p.row(new(row).add(bold, "Mend it now with:"))
		p.blank()
		p.out.WriteString(command(f.Stuck.Command) + "\n")
		p.blank()
	}
}

// A column of the steps' table. Columns with a higher rank are left out first when space is short.
type column struct {
	title string
	width int
	rank  int
	cell  func(result.Step) string
}

var stepColumns = []column{
	{"requests", 9, 0, func(s result.Step) string { return count(s.Classes.Total()) }},
	{"ok", 9, 3, func(s result.Step) string { return count(s.Classes[result.OK]) }},
	{"avail", 8, 0, func(s result.Step) string { return share(s.Classes[result.OK], s.Classes.Total()) }},
	{"p50", 8, 1, func(s result.Step) string { return value(s.Response, s.Response.P50) }},
	{"p95", 8, 2, func(s result.Step) string { return value(s.Response, s.Response.P95) }},
	{"p99", 8, 0, func(s result.Step) string { return value(s.Response, s.Response.P99) }},
	{"max", 8, 1, func(s result.Step) string { return value(s.Response, s.Response.Max) }},
	{"svc p99", 8, 4, func(s result.Step) string { return value(s.Service, s.Service.P99) }},
}

func (p *page) steps(run *result.Run) {
	p.heading("Steps", "response time from the intended start; svc is what the server took")
	if len(run.Steps) == 0 {
		p.text("", dim, "none")
		return
	}
	name := 12
	for i := range run.Steps {
		name = max(name, columns(stepShort(run.Steps, i)))
	}
	shown, need := stepColumns, 0
	for _, c := range shown {
		need += c.width + 1
	}
	for rank := 4; rank > 0 && need > p.width()-18; rank-- {
		var kept []column
		for _, c := range shown {
			if c.rank == rank {
				need -= c.width + 1
			} else {
				kept = append(kept, c)
			}
		}
		shown = kept
	}
	name = min(name, p.width()-3-need)

	head := new(row).left(plain, "", 2+name)
	for _, c := range shown {
		head.right(dim, " "+c.title, c.width+1)
	}
	p.row(head)
	for n, s := range run.Steps {
		if n == mostSteps {
			p.text("", dim, plural(uint64(len(run.Steps)-n), "more step", "more steps")+" in the other reports")
			break
		}
		r, called := new(row).add(plain, "  "), stepShort(run.Steps, n)
		if columns(called) > name {
			// On a line of its own: names that are cut look like one another.
			p.row(r.add(plain, called))
			r, called = new(row).add(plain, "  "), ""
		}
		r.left(plain, called, name)
		for _, c := range shown {
			i := plain
			if c.title == "avail" && s.Classes.Bad() > 0 {
				i = red
			}
			r.right(i, " "+c.cell(s), c.width+1)
		}
		p.row(r)
		if failed := failureText(s.Classes); failed != "" {
			for _, line := range wrap(failed, p.width()-4) {
				p.row(new(row).add(plain, "    ").add(red, line))
			}
		}
	}
}

func (p *page) fault(run *result.Run, i int) {
	f := run.Faults[i]
	p.heading("Fault: "+clean(f.Name), "")
	p.text("", dim, clean(f.Action)+" on "+clean(f.Target))
	all := moments(run.Steps, run.Events, run.Faults, i)
	for n, m := range all {
		if n == mostMoments {
			p.text("", dim, plural(uint64(len(all)-n), "more moment", "more moments")+" in the other reports")
			break
		}
		i := m.tone.ink()
		if m.lane == witness {
			i = cyan
		}
		r := new(row).right(dim, clock(m.at), 13).add(plain, "  ").left(i, m.name, 17)
		since := ""
		if m.since >= 0 {
			since = "+" + length(m.since)
		}
		r.left(plain, since, 10)
		for n, line := range wrap(m.note, p.width()-r.width) {
			if n > 0 {
				r = new(row).to(42)
			}
			p.row(r.add(plain, line))
		}
		if m.note == "" {
			p.row(r)
		}
	}
	for _, m := range remarks(run.Steps, run.Events, run.Faults, i) {
		p.text(m.tone.mark(), m.tone.ink(), m.text)
	}
}

// checks writes the ones that did not hold first: they are why somebody reads on.
func (p *page) checks(run *result.Run) {
	checks := run.Verdict.Checks
	held := 0
	for _, c := range checks {
		if c.Outcome == result.Pass {
			held++
		}
	}
	p.heading("Checks", fmt.Sprintf("%d of %d held", held, len(checks)))
	shown, hidden := 0, 0
	for _, t := range []tone{bad, unsure, good} {
		for _, c := range checks {
			if toneOf(c.Outcome) != t {
				continue
			}
			if t == good && shown >= mostChecks {
				hidden++
				continue
			}
			shown++
			p.check(run, c)
		}
	}
	if hidden > 0 {
		p.text("", dim, plural(uint64(hidden), "more held", "more held"))
	}
}

func (p *page) check(run *result.Run, c result.Check) {
	t := toneOf(c.Outcome)
	name := clean(c.Name)
	if len(run.Faults) > 1 && c.Fault >= 0 && c.Fault < len(run.Faults) {
		name += " (" + clean(run.Faults[c.Fault].Name) + ")"
	}
	where := clean(c.Where)
	where = where[strings.LastIndex(where, "/")+1:]
	where = cut(where, 30)
	r := new(row).add(plain, "  ").add(t.ink(), t.mark()+" ").left(dim, clean(c.Scope), 7)
	room := p.width() - columns(where) - 2
	if t == good {
		got, want := wrap(name+": "+clean(c.Got), room-r.width), "(wanted "+clean(c.Want)+")"
		r.add(plain, got[0])
		fits := len(got) == 1 && r.width+2+columns(want) <= room
		if fits {
			r.add(dim, "  "+want)
		}
		p.row(r.to(room+2).add(dim, where))
		for _, line := range got[1:] {
			p.row(new(row).to(11).add(plain, line))
		}
		if !fits {
			for _, line := range wrap(want, p.width()-11) {
				p.row(new(row).to(11).add(dim, line))
			}
		}
		return
	}
	p.row(r.left(ink("1;"+string(t.ink())), name, room-r.width).to(room+2).add(dim, where))
	for _, line := range wrap("wanted "+clean(c.Want)+", got "+clean(c.Got), p.width()-11) {
		p.row(new(row).to(11).add(t.ink(), line))
	}
}

func (p *page) closing(run *result.Run) {
	p.heading("Run", "")
	entry := func(name, s string) {
		for n, line := range wrap(s, p.width()-14) {
			r := new(row).add(plain, "  ")
			if n == 0 {
				r.left(dim, name, 12)
			}
			p.row(r.to(14).add(plain, line))
		}
	}
	entry("records", recordText(run.Records))
	entry("generator", generatorText(run.Generator))
	script := clean(run.Script) + ", seed " + fmt.Sprint(run.Seed)
	if run.Environment != "" {
		script += ", environment " + clean(run.Environment)
	}
	entry("script", script+", began "+run.Began.UTC().Format(time.RFC3339))
}

// recordText says what is known about the records the run created.
func recordText(r result.Records) string {
	if r == (result.Records{}) {
		return "none created"
	}
	s := fmt.Sprintf("%s acknowledged, %s of them read back", count(r.Acknowledged), count(r.Drawn))
	if r.Unknown > 0 {
		s += ", " + plural(r.Unknown, "create", "creates") + " with unknown end"
	}
	return s
}

// generatorText says whether the generator kept up.
func generatorText(g result.Generator) string {
	s := fmt.Sprintf("%s of %s sent", count(g.Sent), plural(g.Due, "arrival", "arrivals"))
	if g.Dropped > 0 {
		s += ", " + count(g.Dropped) + " dropped"
	}
	if g.Cut > 0 {
		s += ", " + count(g.Cut) + " cut off at the end"
	}
	if g.Unfinished > 0 {
		s += ", " + plural(g.Unfinished, "flow", "flows") + " left unfinished"
	}
	s += fmt.Sprintf("; lateness p50 %s, p99 %s, max %s; at most %s",
		value(g.Lateness, g.Lateness.P50), value(g.Lateness, g.Lateness.P99), value(g.Lateness, g.Lateness.Max),
		plural(uint64(max(g.Users, 0)), "virtual user", "virtual users"))
	return s + fmt.Sprintf("; GC paused %s, CPU %s on %s", length(g.GCPause), length(g.CPU),
		plural(uint64(max(g.Processors, 0)), "processor", "processors"))
}
