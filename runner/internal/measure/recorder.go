// Package measure turns finished requests into numbers: totals, one-second windows, and spans between
// changes of a fault. It does not know what a fault is, and has no clock.
//
// The laws:
//
//  1. Recording never waits for whoever reads, for longer than it takes to swap a pointer.
//  2. Recording allocates nothing, and costs memory per processor, not per virtual user.
//  3. A sample lands where it belongs however late it comes: a request that timed out after minutes
//     still counts in the second its user came.
//  4. What a reader was given never changes.
//
// Users append samples to a shard's log; whoever reads takes the logs and folds them into histograms,
// of which there is one set, not one per shard.
package measure

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"loadkms/result"
)

// A Recorder collects the samples of one run. All its methods may be called from any goroutine.
type Recorder struct {
	// Satisfied is the response time users are satisfied with, for Apdex; 0 means nobody asked. It is set
	// before the first sample.
	Satisfied time.Duration

	custom custom
	lacks  lacks
	shards []*Shard
	steps  []result.Step // their names only
	span   atomic.Uint32 // index of the present span

	mu      sync.Mutex // guards the rest; held while folding and summing up; recorders only try it
	totals  []total
	late    histogram
	phases  []phase
	warm    []*phaseStep        // those that are not sealed
	status  [statuses]histogram // response times of answers by the hundreds of their status
	apdex   result.Apdex        // its score is not kept
	opened  uint64              // connections
	reused  uint64
	dns     histogram
	connect histogram
	tls     histogram
	read    uint64 // bytes of bodies
	session result.Sessions
	length  histogram       // of completed sessions
	windows []*window       // by second; nil where nothing was due yet
	views   []result.Window // of the same; the values they point to never change
	stale   []int           // windows whose view is out of date
	open    []int           // windows that are not sealed
	empty   []result.StepWindow
	spans   []*span
	pending []*chunk      // folded, but not into spans
	settled time.Duration // the latest moment counted in the present span
	free    []*chunk
	folds   uint64
}

// A tally is what is counted of a step anywhere.
type tally struct {
	classes  result.Counts
	response histogram
	service  histogram
}

// add counts e. What was never sent took no time.
func (t *tally) add(e *entry) {
	t.classes[e.class]++
	if e.class != result.Dropped && e.class != result.CaptureFailed {
		t.response.record(e.done - e.intended)
		t.service.record(e.done - e.sent)
	}
}

// A total is what is counted of a step over the whole run.
type total struct {
	tally
	first    histogram               // from sent to first byte
	statuses *[statuses * 100]uint64 // by status; nil as long as there was none
	hops     uint64
}

// statuses is one more than the greatest hundred a status has: 999 is used in the wild.
const statuses = 10

// see counts a status.
func (t *total) see(status uint16) {
	if status == 0 || int(status) >= statuses*100 {
		return
	}
	if t.statuses == nil {
		t.statuses = new([statuses * 100]uint64)
	}
	t.statuses[status]++
}

// seal packs t's histograms.
func (t *tally) seal() {
	t.response.seal()
	t.service.seal()
}

// NewRecorder returns a recorder for the given steps, of which it uses Scenario and Name. There are
// at most 32,767 steps.
func NewRecorder(steps []result.Step) *Recorder {
	r := &Recorder{shards: make([]*Shard, 2*runtime.GOMAXPROCS(0)), totals: make([]total, len(steps))}
	for _, s := range steps {
		r.steps = append(r.steps, result.Step{Scenario: s.Scenario, Name: s.Name})
	}
	for i := range r.shards {
		r.shards[i] = &Shard{recorder: r, chunk: new(chunk), spare: []*chunk{new(chunk)}}
	}
	r.empty = make([]result.StepWindow, len(steps))
	for i := range r.empty {
		r.empty[i] = result.StepWindow{
			FirstOK: result.Never, LastOK: result.Never, FirstBad: result.Never, LastBad: result.Never,
		}
	}
	r.spans = []*span{r.newSpan(0)}
	return r
}

// Shard returns the shard of virtual user i. There are twice as many as processors, whatever the
// number of users: a stall summons thousands of users and must not summon their memory.
func (r *Recorder) Shard(i int) *Shard { return r.shards[i%len(r.shards)] }

// Steps returns the totals of every step so far, with buckets.
func (r *Recorder) Steps() []result.Step {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fold()
	return r.sumSteps()
}

// sumSteps is Steps. The caller holds mu.
func (r *Recorder) sumSteps() []result.Step {
	steps := slices.Clone(r.steps)
	for i := range steps {
		t := &r.totals[i]
		steps[i].Classes = t.classes
		steps[i].Response = t.response.distribution(true)
		steps[i].Service = t.service.distribution(true)
		steps[i].FirstByte = t.first.distribution(true)
		steps[i].Hops = t.hops
		if t.statuses == nil {
			continue
		}
		steps[i].Statuses = map[int]uint64{}
		for status, n := range t.statuses {
			if n > 0 {
				steps[i].Statuses[status] = n
			}
		}
	}
	return steps
}

// Sum writes into run what was measured over the whole of it: Steps, what is counted of Phases (of those
// it has), StatusResponse, Sessions, Connections, Downloaded, Apdex and Custom.
func (r *Recorder) Sum(run *result.Run) {
	run.Custom = r.custom.view()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fold()
	run.Steps = r.sumSteps()
	for i := range min(len(r.phases), len(run.Phases)) {
		r.phases[i].sum(&run.Phases[i])
	}
	run.StatusResponse = nil
	for i := range r.status {
		if r.status[i].n > 0 {
			if run.StatusResponse == nil {
				run.StatusResponse = map[string]result.Distribution{}
			}
			run.StatusResponse[fmt.Sprintf("%dxx", i)] = r.status[i].distribution(true)
		}
	}
	run.Sessions = r.session
	run.Sessions.Length = r.length.distribution(true)
	run.Connections = result.Connections{
		Opened: r.opened, Reused: r.reused,
		DNS: r.dns.distribution(true), Connect: r.connect.distribution(true), TLS: r.tls.distribution(true),
	}
	run.Downloaded = r.read
	run.Apdex = nil
	if r.Satisfied > 0 {
		a := r.apdex.Scored(r.Satisfied)
		run.Apdex = &a
	}
}

// Lateness returns by how much arrivals were sent later than intended, with buckets.
func (r *Recorder) Lateness() result.Distribution {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fold()
	return r.late.distribution(true)
}

// Fold counts what was recorded since the last time anybody looked. Whoever conducts a run calls it several times a
// second, so that no shard's log grows long. It may take milliseconds, and lets others run in between.
func (r *Recorder) Fold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.foldBy(runtime.Gosched)
}

// fold takes what the shards logged and counts it in totals and windows. Spans get it one fold later,
// so that a cut made meanwhile, for a moment just past, still finds every sample on its own side. The
// caller holds mu.
func (r *Recorder) fold() { r.foldBy(func() {}) }

// foldBy is fold, and calls pause now and then.
func (r *Recorder) foldBy(pause func()) {
	var taken []*chunk
	for _, s := range r.shards {
		taken, r.free = s.take(taken, r.free)
	}
	if len(taken) == 0 {
		return
	}
	r.folds++
	r.settle()
	for _, c := range taken {
		pause()
		for i := range c.entries[:c.n] {
			r.count(&c.entries[i])
		}
	}
	r.pending = taken
	r.seal()
}

// count adds e to totals, phases and windows.
func (r *Recorder) count(e *entry) {
	switch e.kind {
	case request:
	case arrived, dropped:
		p := r.phase(e.phase)
		p.due++
		w := r.touch(e.intended)
		w.due++
		if e.kind == dropped {
			p.dropped++
			w.dropped++
		}
	case hopped:
		r.totals[e.step].see(e.status)
		r.totals[e.step].hops++
		return
	case connected:
		r.opened++
		r.dns.recordIfAny(e.began)
		r.connect.recordIfAny(e.sent)
		r.tls.recordIfAny(e.done)
		return
	case finished:
		if e.class != result.OK {
			r.session.Failed++
			return
		}
		r.session.Completed++
		r.length.record(e.done - e.intended)
		return
	}
	if e.arrival {
		r.late.record(e.began - e.intended)
		r.touch(e.intended).late.record(e.began - e.intended)
	}
	if e.step >= 0 {
		r.tell(e)
	}
}

// tell adds e, a request or a drop, to what is told of its step.
func (r *Recorder) tell(e *entry) {
	t := &r.totals[e.step]
	t.add(e)
	t.see(e.status)
	r.phase(e.phase).add(r, e)
	r.touch(e.intended).steps[e.step].add(e)
	if e.first > 0 {
		t.first.record(time.Duration(e.first) * time.Microsecond)
	}
	if i := int(e.status / 100); i > 0 && i < statuses {
		r.status[i].record(e.done - e.intended)
	}
	switch response := e.done - e.intended; {
	case e.class != result.OK || response > 4*r.Satisfied:
		r.apdex.Frustrated++
	case response > r.Satisfied:
		r.apdex.Tolerated++
	default:
		r.apdex.Satisfied++
	}
}
