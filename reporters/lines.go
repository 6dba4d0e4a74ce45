package reporters

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"loadkms/result"
)

// every is how far apart the lines about the load are, in time of the run.
const every = 5 * time.Second

// Lines writes what happens as plain lines, for logs and pipes: one line for every event, each once
// however many snapshots are missed, and one about the load every 5 s and at the end. Every line
// begins with the time since the run began and a word that says what it is (event, load, done, or
// mend before the command that puts back what is stuck), and goes on with key=value, so that grep and
// awk can work on it; broken= names what is broken at the moment. It blocks until a snapshot is Done or
// ctx is done, returns nil in both cases, and an error only if w cannot be written to.
func Lines(ctx context.Context, w io.Writer, feed *result.Feed) error {
	l := log{w: w}
	return look(ctx, feed, l.take)
}

// A log remembers what of a feed was written.
type log struct {
	w      io.Writer
	n      uint64
	events int           // written so far
	next   time.Duration // when the next line about the load is due
}

func (l *log) take(s *result.Snapshot) error {
	if s.N == l.n && l.n != 0 {
		return nil
	}
	l.n = s.N
	var b strings.Builder
	for ; l.events < len(s.Events); l.events++ {
		writeEvent(&b, s.Events[l.events], s.Faults)
	}
	if s.Done {
		writeLoad(&b, "done", s)
	} else if s.Elapsed >= l.next {
		l.next = s.Elapsed - s.Elapsed%every + every
		writeLoad(&b, "load", s)
	}
	if b.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(l.w, b.String())
	return err
}

func writeEvent(b *strings.Builder, e result.Event, faults []result.Fault) {
	fmt.Fprintf(b, "%s event %s", clock(e.At), word(string(e.Kind)))
	if e.Fault >= 0 && e.Fault < len(faults) {
		b.WriteString(" fault=" + quoted(faults[e.Fault].Name))
	}
	if e.Detail != "" {
		b.WriteString(" detail=" + quoted(e.Detail))
	}
	b.WriteByte('\n')
	if e.Kind == result.FaultStuck && e.Fault >= 0 && e.Fault < len(faults) && faults[e.Fault].Stuck != nil {
		// Not quoted: it is to be copied as it is.
		fmt.Fprintf(b, "%s mend %s\n", clock(e.At), command(faults[e.Fault].Stuck.Command))
	}
}

func writeLoad(b *strings.Builder, kind string, s *result.Snapshot) {
	var sum result.Counts
	for _, step := range s.Steps {
		sum.Add(step.Classes)
	}
	fmt.Fprintf(b, "%s %s", clock(s.Elapsed), kind)
	if s.Phase != "" && !s.Done {
		b.WriteString(" phase=" + quoted(s.Phase))
	}
	if last := full(s, 1); len(last) > 0 && !s.Done {
		now := last[0]
		fmt.Fprintf(b, " rate=%d", now.due)
		if now.answered {
			fmt.Fprintf(b, " p50=%s p99=%s", solid(now.p50), solid(now.p99))
		}
		fmt.Fprintf(b, " late=%s errors=%s", solid(now.late), share(now.classes.Bad(), now.classes.Total()))
		if class, failed := now.classes.Worst(); failed {
			fmt.Fprintf(b, " class=%s", class)
		}
	}
	fmt.Fprintf(b, " inflight=%d requests=%d ok=%d bad=%d dropped=%d", max(s.Inflight, 0),
		sum.Total(), sum[result.OK], sum.Bad(), s.Generator.Dropped)
	for _, f := range s.Faults {
		if f.Broken >= 0 && f.Restored < 0 && f.Stuck == nil && !f.OneWay {
			b.WriteString(" broken=" + quoted(f.Name))
		}
		if f.Stuck != nil {
			b.WriteString(" STILL-BROKEN=" + quoted(f.Target))
		}
	}
	b.WriteByte('\n')
}

// word is s without anything that would end a word.
func word(s string) string { return strings.ReplaceAll(clean(s), " ", "-") }

// quoted writes s as one value: bare if it is one word, in quotes otherwise.
func quoted(s string) string {
	s = clean(s)
	if s == "" || strings.ContainsAny(s, ` "'=\`) {
		return strconv.Quote(s)
	}
	return s
}

// solid is length without the blank.
func solid(d time.Duration) string { return strings.ReplaceAll(length(d), " ", "") }
