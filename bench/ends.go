package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// users measures the memory of virtual users who think.
func (b *bench) users(ctx context.Context) error {
	const most = 100_000
	l := load{url: b.server.url, rate: most / int(arrive.Seconds()), lasts: arrive + 20*time.Second}
	if b.quick {
		l.lasts = arrive + 11*time.Second // longer than all take to arrive
	}
	fmt.Fprintf(b.say, "%d virtual users think for %v\n", most, l.lasts-arrive)
	t := table{
		title: "Memory of " + whole(most) + " virtual users who think",
		head:  []string{"client", "memory", "a user", "failed", "dropped", "CPU of the whole run"},
	}
	e := entry{name: "loadkms", client: thinkers, load: l}
	o, err := b.measure(ctx, e.client, l, nil)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e.err = err; err != nil {
		t.addMissing(&e)
		return t.print(b.out)
	}
	t.add(e.name, mebibytes(memory(o)), fmt.Sprintf("%.1f KiB", memory(o)/1024/most), whole(float64(o.bad)), whole(float64(o.dropped)), short(o.usage.cpu()))
	if o.good == most {
		b.figures["memory of users"] = memory(o)
	}
	return t.print(b.out)
}

// stop measures how long after Ctrl-C the last request comes, as the server's log has it.
func (b *bench) stop(ctx context.Context) error {
	l := load{url: b.server.url + "/logged", rate: 20_000, lasts: 10 * time.Second}
	t := table{
		title: "Ctrl-C at 20,000/s to the last request",
		head:  []string{"client", "last request after", "process ended after"},
		notes: []string{"As the server's log has it, to the millisecond; the longest of " + plural(b.rounds(), "run") + "."},
	}
	var last, ended time.Duration
	for range b.rounds() {
		fmt.Fprintf(b.say, "Ctrl-C to loadkms at %d/s\n", l.rate)
		var asked time.Time
		asking := errors.New("it ended before it was asked to")
		_, err := b.measure(ctx, loadkms, l, func(ctx context.Context, p *os.Process) {
			if wait(ctx, 3*time.Second) {
				asked = time.Now()
				asking = p.Signal(os.Interrupt)
			}
		})
		ended = max(ended, time.Since(asked))
		if err == nil {
			err = asking
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			t.addMissing(&entry{name: "loadkms", err: err})
			return t.print(b.out)
		}
		at, err := lastMoment(b.server.log)
		if err != nil {
			return err
		}
		last = max(last, at.Sub(asked))
	}
	last = max(last, time.Millisecond) // the log knows nothing shorter
	t.add("loadkms", short(last), short(ended))
	b.figures["stop"] = float64(last)
	return t.print(b.out)
}

// wait reports false if ctx is done before d has passed.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// lastMoment reads the last line of the server's log.
func lastMoment(log string) (time.Time, error) {
	text, err := os.ReadFile(log)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the server's log: %w", err)
	}
	seconds, millis, _ := strings.Cut(lastLine(text), ".")
	s, err1 := strconv.ParseInt(seconds, 10, 64)
	ms, err2 := strconv.ParseInt(millis, 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return time.Time{}, fmt.Errorf("read the server's log: %w", err)
	}
	return time.Unix(s, ms*1e6), nil
}
