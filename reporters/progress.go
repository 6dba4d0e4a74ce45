package reporters

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"loadkms/result"
)

// glance is how often the live views look at the feed. Looking costs an atomic load; a tenth of a
// second is what people take for at once.
const glance = 100 * time.Millisecond

// Progress draws a live view of feed on w, which must be a terminal, and redraws it in place for
// every new snapshot and when the terminal's size changes. It asks size before every frame; a nil
// size, or one that knows nothing, means 80 × 24; the width in o is not used. It hides the cursor
// meanwhile, brings it back, and leaves the last frame above it. It blocks until a snapshot is Done
// or ctx is done, returns nil in both cases, and an error only if w cannot be written to.
func Progress(ctx context.Context, w io.Writer, feed *result.Feed, o Style, size func() (width, height int, err error)) (err error) {
	c := canvas{w: w}
	if _, err := io.WriteString(w, "\x1b[?25l"); err != nil {
		return err
	}
	defer func() {
		if _, werr := io.WriteString(w, "\x1b[?25h"); err == nil {
			err = werr
		}
	}()
	var seen uint64
	var width, height int
	return look(ctx, feed, func(s *result.Snapshot) error {
		nw, nh := known(size)
		if s.N == seen && nw == width && nh == height {
			return nil
		}
		seen, width, height = s.N, nw, nh
		return c.draw(frame(s, width, height), width, o.Color)
	})
}

// look shows see the latest snapshot of feed at every glance, changed or not, until one is Done or ctx
// is done, and returns nil, or until see returns an error, and returns that.
func look(ctx context.Context, feed *result.Feed, see func(*result.Snapshot) error) error {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		// In this order: what was published before ctx was done is shown.
		over := ctx.Err() != nil
		if s := feed.Latest(); s != nil {
			if err := see(s); err != nil {
				return err
			}
			over = over || s.Done
		}
		if over {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// known returns what size says, or what every terminal has.
func known(size func() (width, height int, err error)) (width, height int) {
	if size != nil {
		if w, h, err := size(); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return 80, 24
}

// A canvas replaces one frame by the next.
type canvas struct {
	w     io.Writer
	drawn []int // columns of the lines on the screen
}

// draw replaces the frame on the screen by lines. If the terminal has become narrower meanwhile, it
// has broken the old lines into more; counting them is what keeps the view from climbing up the
// screen. Everything goes out in one write, so that a frame is never seen half drawn; and old text is
// erased after the new one, since erasing from the screen's first line on makes some terminals (tmux)
// keep every frame in their history.
func (c *canvas) draw(lines []*row, width int, color bool) error {
	var b strings.Builder
	up := 0
	for _, n := range c.drawn {
		up += max(1, (n+width-1)/width)
	}
	if up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	b.WriteByte('\r')
	c.drawn = c.drawn[:0]
	for _, r := range lines {
		// One column stays free: some terminals wrap as soon as the last one is written.
		s := r.render(width-1, color)
		c.drawn = append(c.drawn, min(r.width, width-1))
		b.WriteString(s + "\x1b[K\r\n")
	}
	b.WriteString("\x1b[J")
	_, err := io.WriteString(c.w, b.String())
	return err
}

// A shot is a line of a frame and how soon it is left out when the terminal is too low; 0 is never.
type shot struct {
	*row
	rank int
}

// frame lays s out for a terminal of width × height, in fewer lines than it has: one is for the
// cursor.
func frame(s *result.Snapshot, width, height int) []*row {
	var all []shot
	put := func(rank int, r *row) { all = append(all, shot{r, rank}) }
	label := func(name string) *row { return new(row).add(plain, "  ").left(dim, name, 10) }

	put(0, headOf(s))
	put(1, barOf(s, width))
	put(9, new(row))

	now, ok := second{}, false
	if last := full(s, 1); len(last) > 0 {
		now, ok = last[0], true
	}
	put(1, loadOf(label("load"), s, now, ok))
	put(0, responseOf(label("response"), now, ok))
	put(0, errorsOf(label("errors"), s, now, ok))
	put(9, new(row))

	history := full(s, min(60, max(width-34, 10)))
	if len(history) > 0 {
		drawn, highest := sparkP99(history)
		put(5, label("p99").add(cyan, drawn).add(dim, "  up to "+length(highest)))
		drawn, worst := sparkErrors(history)
		put(5, label("errors").add(red, drawn).add(dim, "  up to "+ratio(worst)))
		if marks := sparkFaults(history, s.Faults, s.Elapsed); strings.TrimSpace(marks) != "" {
			put(6, label("in force").add(yellow, marks))
		}
		put(9, new(row))
	}

	for i, f := range s.Faults {
		text, t := stage(f, s.Elapsed)
		i2 := t.ink()
		if t == bad {
			i2 = ink("1;31")
		}
		rank := 2
		if i > 3 {
			rank = 7
		}
		name := cut(clean(f.Name), max(width/2-12, 10))
		put(rank, label("fault").add(plain, name+"  ").add(i2, text))
		if f.Stuck != nil {
			put(1, label("mend with").add(bold, clean(f.Stuck.Command)))
		}
	}

	events := s.Events[max(0, len(s.Events)-max(height-len(all)-2, 6)):]
	if len(events) > 0 {
		put(9, new(row))
	}
	for _, e := range events {
		text, t := eventText(e, s.Faults)
		// The oldest go first when space is short.
		const indent = 23
		r := label("").right(dim, clock(e.At), 9).add(plain, "  ")
		for n, line := range wrap(text, width-1-indent) {
			if n > 0 {
				r = new(row).to(indent)
			}
			put(8, r.add(t.ink(), line))
		}
	}
	return fit(all, max(height-1, 1))
}

// fit leaves out what matters least until at most height lines are left; of equal lines the upper
// ones go first.
func fit(all []shot, height int) []*row {
	for len(all) > height {
		worst := 0
		for i, s := range all {
			if s.rank > all[worst].rank {
				worst = i
			}
		}
		if all[worst].rank == 0 {
			all = all[:height]
			break
		}
		all = append(all[:worst:worst], all[worst+1:]...)
	}
	out := make([]*row, len(all))
	for i, s := range all {
		out[i] = s.row
	}
	return out
}

func headOf(s *result.Snapshot) *row {
	r := new(row)
	if s.Done {
		r.add(green, "■ ")
	} else {
		r.add(green, "● ")
	}
	r.add(plain, short(s.Elapsed)+" of "+short(s.Planned))
	switch left := s.Planned - s.Elapsed; {
	case s.Done:
		r.add(plain, ", done")
	case left > 0:
		r.add(plain, ", "+seconds(left)+" left")
	default:
		r.add(plain, ", finishing")
	}
	if s.Phase != "" && !s.Done {
		r.add(dim, "  phase ").add(bold, clean(s.Phase))
	}
	return r
}

func barOf(s *result.Snapshot, width int) *row {
	whole := max(min(width-1, 100)-2, 1)
	part := whole
	if s.Planned > 0 && !s.Done {
		part = min(int(float64(whole)*float64(max(s.Elapsed, 0))/float64(s.Planned)), whole)
	}
	return new(row).add(plain, "  ").add(green, strings.Repeat("━", part)).add(dim, strings.Repeat("─", whole-part))
}

func loadOf(r *row, s *result.Snapshot, now second, ok bool) *row {
	if ok {
		r.add(plain, rate(float64(now.due)))
	} else {
		r.add(plain, "–")
	}
	if !s.Done {
		r.add(dim, " of "+rate(s.Rate))
	}
	r.add(dim, "   in flight ").add(plain, count(uint64(max(s.Inflight, 0))))
	i := plain
	if s.Generator.Dropped > 0 {
		i = red
	}
	r.add(dim, "   dropped ").add(i, count(s.Generator.Dropped))
	if ok {
		r.add(dim, "   late p99 ").add(plain, length(now.late))
	}
	return r
}

func responseOf(r *row, now second, ok bool) *row {
	if !ok || !now.answered {
		return r.add(plain, "–")
	}
	return r.add(dim, "p50 ").add(plain, length(now.p50)).add(dim, "   p99 ").add(bold, length(now.p99)).
		add(dim, "   max ").add(plain, length(now.max)).add(dim, "   in the last full second")
}

func errorsOf(r *row, s *result.Snapshot, now second, ok bool) *row {
	total := now.classes.Total()
	class, failed := now.classes.Worst()
	switch {
	case !ok || total == 0:
		r.add(plain, "–")
	case !failed:
		r.add(green, "none")
	default:
		r.add(ink("1;31"), share(now.classes.Bad(), total)+" "+class.String())
		if others := len(failures(now.classes)) - 1; others > 0 {
			r.add(red, fmt.Sprintf(" and %s", plural(uint64(others), "other class", "other classes")))
		}
	}
	var sum result.Counts
	for _, step := range s.Steps {
		sum.Add(step.Classes)
	}
	return r.add(dim, "   so far "+count(sum.Bad())+" of "+count(sum.Total()))
}
