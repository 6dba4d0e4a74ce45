package runner

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"loadkms/faults"
	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/flow"
	"loadkms/runner/internal/measure"
	"loadkms/runner/internal/records"
	"loadkms/verdict"
)

// loadStops is how long an interrupted run waits for its load to stop before it restores all the
// same. The driver takes a fraction of a second; should it ever hang, the key must not wait for it.
const loadStops = time.Second

// A conductor conducts one run. Its goroutines are the load, one for each fault, one for each witness,
// the herald that announces phases, and the publisher of snapshots; conduct waits for all of them.
type conductor struct {
	o        Options
	plan     *plan
	target   *url.URL
	program  *flow.Program
	driver   *flow.Driver
	recorder *measure.Recorder
	records  *records.Set
	health   *health

	secure *tls.Config
	aside  http.RoundTripper // of the flows before and after the load

	began time.Time
	begun sync.Once
	quit  context.CancelCauseFunc // ends the run early
	ended chan struct{}           // closed when the load has ended
	halt  chan struct{}           // closed when a fault in force must be restored at once

	// mu guards the rest. It is held while a moment is stamped and cut into the recorder, so that
	// moments, events and spans are in the same order.
	mu     sync.Mutex
	events []result.Event // only ever appended to
	faults []result.Fault
	force  []int // faults in force, ascending
	moving []int // faults being broken or restored
	marks  []mark
}

// A mark says what the faults were doing from one cut of the recorder to the next.
type mark struct {
	active []int
	moving int
}

// compose makes a conductor of parts that are sound.
func compose(o Options, p *plan, target *url.URL, program *flow.Program) *conductor {
	c := &conductor{
		o: o, plan: p, target: target, program: program,
		recorder: measure.NewRecorder(program.Steps()),
		records:  &records.Set{},
		ended:    make(chan struct{}),
		halt:     make(chan struct{}),
		marks:    []mark{{moving: -1}},
	}
	for i := range o.Script.Faults {
		f := &o.Script.Faults[i]
		_, oneWay := o.Faults[i].(faults.OneWay)
		c.faults = append(c.faults, result.Fault{
			Name: f.Name, OneWay: oneWay, Action: string(f.Do), Target: o.Faults[i].ID(), Where: f.Pos.String(), Planned: p.holds[i].from, Until: p.holds[i].to,
			Breaking: result.Never, Broken: result.Never, Visible: result.Never, Restoring: result.Never,
			RestoreAccepted: result.Never, Restored: result.Never, Settled: result.Never,
		})
	}
	return c
}

// conduct conducts the run.
func (c *conductor) conduct(ctx context.Context) *result.Run {
	outer := ctx
	ctx, c.quit = context.WithCancelCause(outer)
	defer c.quit(nil)
	c.recorder.Satisfied = c.o.Script.Config.Apdex
	c.health = newHealth()
	c.began = time.Now()

	over := make(chan struct{})
	var acts, watchers sync.WaitGroup // what the run is made of, and who only looks on
	acts.Go(func() { c.load(ctx) })
	for i := range c.o.Faults {
		acts.Go(func() { c.fault(ctx, i, over, &watchers) })
	}
	watchers.Go(func() { c.herald(ctx) })
	watchers.Go(func() { c.publish(over) })
	var interrupted string
	watchers.Go(func() { interrupted = c.interrupt(outer, ctx, over) })
	acts.Wait()
	close(over)
	watchers.Wait()

	run := c.run(interrupted)
	for i := range run.Faults {
		run.Faults[i].Steps = verdict.Anatomy(run, i)
	}
	run.Verdict = verdict.Judge(c.o.Script, run)
	c.show(true)
	c.after(ctx)
	return run
}

// after plays the flow after the load, when everything else is over. Nothing is judged by it: that it did
// not end well is said in the log.
func (c *conductor) after(ctx context.Context) {
	if ctx.Err() != nil {
		return // the run was ended early
	}
	defer func() {
		if r := recover(); r != nil {
			_ = c.mistake(r) // it is in the log, and the run is complete
		}
	}()
	if err := c.program.After(ctx, c.aside); err != nil && c.o.Log != nil {
		fmt.Fprintf(c.o.Log, "after: %v\n", err)
	}
}

// now returns the time since the run began.
func (c *conductor) now() time.Duration { return time.Since(c.began) }

// event writes down something that happened just now.
func (c *conductor) event(kind result.EventKind, fault int, detail string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.append(c.now(), kind, fault, detail)
}

// append is event for whoever holds mu.
func (c *conductor) append(at time.Duration, kind result.EventKind, fault int, detail string) {
	c.events = append(c.events, result.Event{At: at, Kind: kind, Fault: fault, Detail: detail})
}

// load fires the load. The run lasts as long as its schedule, also if that ends in a pause.
func (c *conductor) load(ctx context.Context) {
	defer close(c.ended)
	err := c.drive(ctx)
	c.loadEnded()
	if err != nil && ctx.Err() == nil {
		c.quit(err)
	}
	wait(ctx, c.plan.end-c.now())
}

// loadEnded writes down that no more arrivals come.
func (c *conductor) loadEnded() { c.begun.Do(func() { c.event(result.LoadEnded, -1, "") }) }

// drive is the driver's Drive. A panic in it is a mistake of ours that must not keep faults from being
// restored, nor take along what was measured: it ends the run as an interruption.
func (c *conductor) drive(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = c.mistake(r)
		}
	}()
	return c.driver.Drive(ctx, c.began, arrival.Schedule(c.o.Seed, c.plan.tracks...))
}

// mistake turns a panic into an error, and leaves its stack in the log.
func (c *conductor) mistake(r any) error {
	if c.o.Log != nil {
		fmt.Fprintf(c.o.Log, "%v: %v\n%s", errInternal, r, debug.Stack())
	}
	return fmt.Errorf("%w: %v", errInternal, r)
}

// herald announces the phases as they begin.
func (c *conductor) herald(ctx context.Context) {
	begin := func(a, b result.Phase) int { return cmp.Compare(a.From, b.From) }
	for _, p := range slices.SortedStableFunc(slices.Values(c.plan.phases), begin) {
		if !wait(ctx, p.From-c.now()) {
			return
		}
		c.event(result.PhaseBegan, -1, p.Name)
	}
}

// interrupt waits until the run is over or to be ended early. In the latter case it lets the load stop
// and then has the faults in force restored, and returns why; "" if it was a signal that came when the
// load was through already, and so has cut nothing short.
func (c *conductor) interrupt(outer, ctx context.Context, over <-chan struct{}) string {
	select {
	case <-over:
		if ctx.Err() == nil {
			return ""
		}
		// The run was ended early so quickly that it is over by now; TestPanicInTheLoad met this by chance.
	case <-ctx.Done():
	}
	why := context.Cause(ctx).Error()
	c.event(result.Interrupted, -1, why)
	early := c.now() < c.plan.end || outer.Err() == nil
	select {
	case <-c.ended:
	default:
		early = true
	}
	patience := time.NewTimer(loadStops)
	defer patience.Stop()
	select {
	case <-c.ended:
	case <-patience.C:
	}
	close(c.halt)
	if !early {
		return ""
	}
	return why
}

// fault waits for the time of fault i, injects it, and holds it for as long as the plan says.
func (c *conductor) fault(ctx context.Context, i int, over <-chan struct{}, watchers *sync.WaitGroup) {
	h, target := c.plan.holds[i], c.o.Faults[i]
	if !wait(ctx, h.from-c.now()) {
		return // never injected
	}
	b := c.o.Bracket
	b.Entry.Where = c.o.Script.Faults[i].Pos.String()
	if b.Entry.Run == "" {
		b.Entry.Run = c.o.Script.File
	}
	b.Notify = func(at faults.Station, detail error) { c.station(i, at, detail) }
	err := c.inject(ctx, b, target, func(context.Context) error {
		if w, ok := target.(faults.Witness); ok {
			watchers.Go(func() { c.witness(i, w, over) })
		}
		// The context given to us ends with the run's, that is before the load has stopped. Restoring
		// then would let users see a recovery that is none of the experiment's.
		timer := time.NewTimer(h.to - c.now())
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.halt:
		}
		return nil
	})
	c.settle(i, err)
}

// inject is the bracket's Inject. A panic of a target has passed the restore when it arrives here.
func (c *conductor) inject(
	ctx context.Context, b faults.Bracket, t faults.Target, during func(context.Context) error,
) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = c.mistake(r)
			c.quit(err)
		}
	}()
	return b.Inject(ctx, t, during)
}

// station writes down that fault i has come this far.
func (c *conductor) station(i int, at faults.Station, detail error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, f := c.now(), &c.faults[i]
	text := ""
	if detail != nil {
		text = detail.Error()
	}
	switch at {
	case faults.Breaking:
		f.Breaking = now
		c.moving = append(c.moving, i)
		c.cut(now)
	case faults.Broken:
		f.Broken = now
		c.rest(i)
		c.force = append(c.force, i)
		c.cut(now)
	case faults.Visible:
		f.Visible = now
	case faults.Restoring:
		f.Restoring = now
		c.rest(i)
		c.moving = append(c.moving, i)
		c.cut(now)
	case faults.RestoreAccepted:
		f.RestoreAccepted = now
	case faults.Restored:
		f.Restored = now
		c.rest(i)
		c.cut(now)
	case faults.Settled:
		f.Settled = now
	case faults.Refused:
		f.Refused = text
	case faults.Stuck:
		f.Stuck = stuck(detail)
		if !slices.Contains(c.moving, i) { // it was back, and drifted
			c.moving = append(c.moving, i)
			c.cut(now)
		}
	}
	if kind, ok := kinds[at]; ok {
		c.append(now, kind, i, text)
	}
}

// kinds are the events of the stations. That the promise is durable is nothing to tell.
var kinds = map[faults.Station]result.EventKind{
	faults.Observed:        result.FaultObserved,
	faults.Rehearsed:       result.FaultRehearsed,
	faults.Breaking:        result.FaultBreaking,
	faults.Broken:          result.FaultBroken,
	faults.Visible:         result.FaultVisible,
	faults.Restoring:       result.FaultRestoring,
	faults.RestoreAccepted: result.FaultAccepted,
	faults.Restored:        result.FaultRestored,
	faults.Settled:         result.FaultSettled,
	faults.Refused:         result.FaultRefused,
	faults.Stuck:           result.FaultStuck,
}

// rest says that fault i neither moves nor is in force. The caller holds mu.
func (c *conductor) rest(i int) {
	is := func(k int) bool { return k == i }
	c.force, c.moving = slices.DeleteFunc(c.force, is), slices.DeleteFunc(c.moving, is)
}

// cut begins a new span. The caller holds mu.
func (c *conductor) cut(at time.Duration) {
	m := mark{active: slices.Sorted(slices.Values(c.force)), moving: -1}
	if len(c.moving) > 0 {
		m.moving = c.moving[0]
	}
	c.marks = append(c.marks, m)
	c.recorder.Cut(at)
}

// settle writes down what Inject returned, as far as no station has.
func (c *conductor) settle(i int, err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &c.faults[i]
	switch {
	case f.Stuck != nil || f.Refused != "":
	case errors.Is(err, faults.ErrStuck):
		f.Stuck = stuck(err)
	case f.Breaking == result.Never:
		f.Refused = err.Error()
	default:
		f.Error = err.Error()
	}
}

// stuck says what is still broken, and the way out.
func stuck(err error) *result.Stuck {
	s := &result.Stuck{Error: faults.ErrStuck.Error()}
	if err != nil {
		s.Error = err.Error()
	}
	if e := (*faults.StuckError)(nil); errors.As(err, &e) {
		s.Command = e.ByHand
	}
	return s
}

// run puts together what is left of the run when everything has ended.
func (c *conductor) run(interrupted string) *result.Run {
	o, s := &c.o, c.o.Script
	took := c.now()
	shown := *c.target
	shown.User = nil
	run := &result.Run{
		Schema: result.Schema, Version: o.Version, Script: s.File, Name: s.Name, Environment: o.Environment,
		Target: shown.String(), AWS: o.AWS, Seed: o.Seed, Began: c.began.Round(0), Took: took,
		Phases:      slices.Clone(c.plan.phases),
		Windows:     c.recorder.Windows(took),
		Spans:       c.recorder.Spans(took),
		Events:      c.events,
		Faults:      c.faults,
		Generator:   c.generator(),
		Interrupted: interrupted,
	}
	c.recorder.Sum(run)
	for i := range run.Spans {
		run.Spans[i].Active, run.Spans[i].Moving = c.marks[i].active, c.marks[i].moving
	}
	r := c.records.Stats()
	run.Records = result.Records{Acknowledged: r.Acknowledged, Unknown: r.Unknown, Drawn: r.Drawn}
	return run
}

// wait waits for d, or until ctx is done, and reports whether it was d.
func wait(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
