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
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"loadkms/result"
)

// A Recorder collects the samples of one run. All its methods may be called from any goroutine.
type Recorder struct {
	shards []*Shard
	steps  []result.Step // their names only
	span   atomic.Uint32 // index of the present span

	mu      sync.Mutex // guards the rest; held while folding and summing up; recorders only try it
	totals  []tally
	late    histogram
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

// NewRecorder returns a recorder for the given steps, of which it uses Scenario and Name. There are
// at most 32,767 steps.
func NewRecorder(steps []result.Step) *Recorder {
	r := &Recorder{shards: make([]*Shard, 2*runtime.GOMAXPROCS(0)), totals: make([]tally, len(steps))}
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
	steps := slices.Clone(r.steps)
	for i := range steps {
		t := &r.totals[i]
		steps[i].Classes = t.classes
		steps[i].Response = t.response.distribution(true)
		steps[i].Service = t.service.distribution(true)
	}
	return steps
}

// Lateness returns by how much arrivals were sent later than intended, with buckets.
func (r *Recorder) Lateness() result.Distribution {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fold()
	return r.late.distribution(true)
}

// fold takes what the shards logged and counts it in totals and windows. Spans get it one fold later,
// so that a cut made meanwhile, for a moment just past, still finds every sample on its own side. The
// caller holds mu.
func (r *Recorder) fold() {
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
		for i := range c.entries[:c.n] {
			r.count(&c.entries[i])
		}
	}
	r.pending = taken
	r.seal()
}

// count adds e to totals and windows.
func (r *Recorder) count(e *entry) {
	w := r.touch(e.intended)
	if e.kind != request {
		w.due++
		if e.kind == dropped {
			w.dropped++
		}
	}
	if e.arrival {
		r.late.record(e.began - e.intended)
		w.late.record(e.began - e.intended)
	}
	if e.step >= 0 {
		r.totals[e.step].add(e)
		w.steps[e.step].add(e)
	}
}
