package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"loadkms/bench/stall"
)

// A witness is one client at a server that freezes.
type witness struct {
	entry
	stopped bool // the client itself does not run for a second, either
	o       outcome
}

// truth measures what clients say about a server that was frozen.
func (b *bench) truth(ctx context.Context) error {
	frozen := stall.Server{From: 5 * time.Second, Until: 8 * time.Second}
	l := load{rate: 100, lasts: 15 * time.Second}
	of := func(c client, limit int) *witness {
		name := c.name + ", no cap"
		if limit > 0 {
			name = fmt.Sprintf("%s, cap %d", c.name, limit)
		}
		w := &witness{entry: entry{name: name, client: c, load: l}}
		w.load.limit = limit
		return w
	}
	pausedFree, pausedCapped := of(loadkms, 0), of(loadkms, 10)
	for _, w := range []*witness{pausedFree, pausedCapped} {
		w.name, w.stopped = w.name+", itself stopped for 1 s", true
	}
	// Node.js needs seconds of a core to start; those who are exact do not wait for it.
	waves := [][]*witness{
		{of(loadkms, 0), of(loadkms, 1), of(loadkms, 10), of(loadkms, 400), pausedFree, pausedCapped, of(vegeta, 0), of(vegeta, 10)},
		{of(k6, 10), of(k6, 400), of(artillery, 0), of(artillery, 10)},
	}
	p95, p99 := frozen.Truth(0.95, float64(l.rate), l.lasts), frozen.Truth(0.99, float64(l.rate), l.lasts)
	t := table{
		title: fmt.Sprintf("Truth: %d/s for %v, server frozen from %v to %v", l.rate, l.lasts, frozen.From, frozen.Until),
		head:  []string{"client", "p95", "off by", "p99", "off by", "dropped", "failed", "lateness p99", "within 3 %"},
	}
	t.add("the truth", short(p95), "", short(p99))
	worst, all := 0.0, true
	for _, wave := range waves {
		fmt.Fprintf(b.say, "%d clients at a server that freezes\n", len(wave))
		var running sync.WaitGroup
		for _, w := range wave {
			running.Go(func() { w.err = b.witness(ctx, w, frozen.From, frozen.Until) })
		}
		running.Wait()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, w := range wave {
			if w.err != nil {
				t.addMissing(&w.entry)
				all = all && w.client.tool != loadkms.tool
				continue
			}
			off95, off99 := off(w.o.response.P95, p95), off(w.o.response.P99, p99)
			lateness := "does not tell"
			if w.o.late != nil {
				lateness = short(w.o.late.P99)
			}
			verdict := "yes"
			if max(math.Abs(off95), math.Abs(off99)) > 0.03 {
				verdict = "no"
			}
			t.add(w.name, short(w.o.response.P95), signed(off95), short(w.o.response.P99), signed(off99), whole(float64(w.o.dropped)),
				whole(float64(w.o.bad)), lateness, verdict)
			if w.client.tool == loadkms.tool {
				worst = max(worst, math.Abs(off95), math.Abs(off99), 1e-6)
			}
		}
	}
	if all {
		b.figures["off the truth"] = worst
	}
	return t.print(b.out)
}

func off(got, want time.Duration) float64 { return float64(got-want) / float64(want) }

func signed(share float64) string { return fmt.Sprintf("%+.1f %%", 100*share) }

// witness gives w a server of its own and measures.
func (b *bench) witness(ctx context.Context, w *witness, from, until time.Duration) (err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start a server: %w", err)
	}
	server := &http.Server{Handler: &stall.Server{From: from, Until: until}}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		err = errors.Join(err, server.Close())
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}()
	w.load.url = "http://" + l.Addr().String()
	var attend func(context.Context, *os.Process)
	var paused error
	if w.stopped {
		attend = func(ctx context.Context, p *os.Process) { paused = pause(ctx, p) }
	}
	if w.o, err = b.measure(ctx, w.client, w.load, attend); err != nil {
		return err
	}
	return paused
}

// pause stops a process for a second, some time after the server's freeze is over.
func pause(ctx context.Context, p *os.Process) error {
	if !wait(ctx, 11*time.Second) {
		return errors.New("it ended before it was stopped")
	}
	if err := tell(p, "STOP"); err != nil {
		return err
	}
	wait(ctx, time.Second) // it cannot end meanwhile, but be killed
	return tell(p, "CONT")
}

// tell sends a signal that package syscall knows only on some systems.
func tell(p *os.Process, signal string) error {
	return exec.Command("kill", "-"+signal, strconv.Itoa(p.Pid)).Run()
}
