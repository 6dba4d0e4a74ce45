package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// A load is what a client is asked for.
type load struct {
	url     string // base URL of the server
	rate    int    // arrivals a second; 0: closed loop over 64 connections
	lasts   time.Duration
	feature feature
	limit   int    // of connections, or of what the client has instead; 0: none
	local   string // a loopback address nobody else has used as a client
}

// connections is how many a closed loop has.
const connections = 64

// A feature is what is sent, or how.
type feature int

const (
	plain feature = iota // one GET
	flow                 // the full-feature flow
	grid                 // one GET; arrivals are released on a grid of 1 ms
)

// An outcome is what a run of a client came to.
type outcome struct {
	good, bad uint64 // answers; bad: also those that never came
	dropped   uint64 // arrivals that were due and not sent
	took      time.Duration
	late      *quantiles // nil: the client does not tell
	response  quantiles  // as the client tells it; zero: it does not
	usage     usage
	server    float64 // share of the time its core was busy
	others    float64 // share of all cores' time that went neither to the client nor to the server
	why       string  // what went wrong, in a few words
}

type quantiles struct{ P50, P95, P99, P999 time.Duration }

// rate is good answers a second.
func (o outcome) rate(l load) float64 {
	return float64(o.good) / o.stretch(l).Seconds()
}

// stretch is how long it was at work: for as long as its arrivals came, if not longer.
func (o outcome) stretch(l load) time.Duration {
	if l.rate == 0 {
		return max(o.took, time.Millisecond)
	}
	return max(o.took, l.lasts)
}

// perRequest is the client's CPU time for one good answer.
func (o outcome) perRequest() time.Duration {
	if o.good == 0 {
		return 0
	}
	return o.usage.cpu() / time.Duration(o.good)
}

// lateAllowed is the lateness at p99 beyond which what is measured may be the client's own slowness.
const lateAllowed = 10 * time.Millisecond

// held says why the rate was not held truthfully, or "".
func (o outcome) held(l load) string {
	switch {
	case o.dropped > 0:
		return fmt.Sprintf("dropped %d", o.dropped)
	case o.bad > 0:
		return strings.TrimSuffix(fmt.Sprintf("%d failed: %s", o.bad, o.why), ": ")
	case o.rate(l) < 0.99*float64(l.rate):
		return fmt.Sprintf("%.0f/s only", o.rate(l))
	case o.late != nil && o.late.P99 >= lateAllowed:
		return fmt.Sprintf("lateness p99 %s", short(o.late.P99))
	}
	return o.why
}

// dominates says what the rate, or the cost, is due to.
func (o outcome) dominates() string {
	busy := o.usage.cpu().Seconds() / max(o.usage.took.Seconds(), 1e-9)
	by := "its code"
	if o.usage.kernel > o.usage.user {
		by = "kernel"
	}
	switch {
	case o.server >= 0.95:
		return "server"
	case busy >= 0.9:
		return "client: " + by
	case o.others >= disturbed:
		return fmt.Sprintf("other processes (%s of the cores); client: %s", percent(o.others), by)
	}
	return "waiting; client: " + by
}

// A client is a load generator: how to ask it for a load, and how to understand what it says.
type client struct {
	name    string
	tool    string // the program
	command func(l load, dir string) (args, env []string)
	// read makes an outcome of what the client printed and left in dir. Usage and server are not its business.
	read func(l load, stdout []byte, dir string) (outcome, error)
	// finish is how long it may take after its load; default 20s.
	finish time.Duration
}

var (
	errNotInstalled = errors.New("not installed")
	errRefused      = errors.New("it was refused") // the client ended at once: asking for less would not help
)

// measure runs c once. An error means that there is nothing to show; an outcome may still be a bad one.
func (b *bench) measure(ctx context.Context, c client, l load, attend func(context.Context, *os.Process)) (outcome, error) {
	if b.tools[c.tool] == "" {
		return outcome{}, errNotInstalled
	}
	dir, err := os.MkdirTemp(b.dir, c.tool+"-")
	if err != nil {
		return outcome{}, err
	}
	// The ports of a client that dialed too often are not free again for a minute, and a client that binds its
	// socket first, as vegeta does, would suffer from what the one before it did.
	n := b.runs.Add(1)
	l.local = fmt.Sprintf("127.%d.%d.2", 1+n/250, n%250)
	args, env := c.command(l, dir)
	if err := b.waitForCalm(ctx); err != nil {
		return outcome{}, err
	}
	before, err := b.look()
	if err != nil {
		return outcome{}, err
	}
	stdout, u, ended := b.run(ctx, child{
		command: append([]string{b.tools[c.tool]}, args...), env: env, limit: l.lasts + cmp.Or(c.finish, 20*time.Second), attend: attend,
	})
	if ctx.Err() != nil {
		return outcome{}, context.Cause(ctx)
	}
	after, err := b.look()
	if err != nil {
		return outcome{}, err
	}
	o, err := c.read(l, stdout, dir)
	if err != nil {
		if ended != nil {
			err = ended // tells more than that there is no result
		}
		if u.took < l.lasts {
			err = fmt.Errorf("%w: %w", errRefused, err)
		}
		return outcome{}, err
	}
	o.usage = u
	server := after.server - before.server
	o.server = server.Seconds() / o.stretch(l).Seconds()
	o.others = max((after.all-before.all-server-u.cpu()).Seconds(), 0) / (u.took.Seconds() * float64(runtime.NumCPU()))
	return o, os.RemoveAll(dir)
}
