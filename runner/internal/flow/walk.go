package flow

import (
	"math/rand/v2"
	"time"

	"github.com/brianvoe/gofakeit/v7"

	"loadkms/result"
	"loadkms/runner/internal/client"
	"loadkms/runner/internal/measure"
)

// An action is what a walk wants its driver to do next. The comment says how the driver reports back.
type action uint8

const (
	done   action = iota // nothing: the walk is over
	send                 // make the exchange of w.out; then sent and answer, fail or cut
	wait                 // until w.intended; then resume
	call                 // w.call, which runs JavaScript and blocks; then called
	say                  // print w.text; then resume
	giveUp               // a request could not be made; then gaveUp
	fork                 // start each of w.forks and drive it until it is done; when all are, resume
)

// giveUpClass is the class of a request that was not made because a value it needs is missing.
const giveUpClass = result.CaptureFailed

// A walk is one way through the ops of a flow. A user has one, and one more for each branch while it is
// at steps side by side. It is a state machine: it knows no clock and no network. A driver calls start
// (or begin of the user), performs the action that returns, and tells how it ended by the method named
// there, which returns the next action. All these methods touch what the walks of a user share; so
// only one walk of a user is told something at a time. While a walk is at call, its others go on.
//
// A walk records its samples itself, in the shard of its user.
type walk struct {
	user     *user
	parent   *walk // nil for the walk of the flow itself
	pc       int   // index of the present op
	end      int   // where it is over
	intended time.Duration
	sequence uint64 // last number of $sequence() this walk used
	created  drawn  // by $created(), for the present request
	all      drawn  // by $created('all'), for the present request

	// Two streams of random numbers: data for lists and fake data, draws for which record is read. They
	// are apart because how many numbers a draw needs depends on the records.
	data  rand.PCG
	draws rand.PCG
	dice  *rand.Rand
	urn   *rand.Rand
	fake  *gofakeit.Faker

	out    *request       // of the present exchange
	sample measure.Sample // of the same
	text   []byte         // of a log step

	forks  []*walk // of the present fork
	branch passage // the same, as far as all of them share it

	own     request // filled by render, for requests that are not the same for everybody
	url     []byte  // buffers of own
	headers []byte
	body    []byte
	scratch []byte

	line *line // of the portable driver
	seat *seat // of the event loops
}

// A passage is one passing through steps side by side.
type passage struct {
	next     int // the first branch that is not begun
	failed   bool
	sequence uint64 // of the parent, when it came here
	data     uint64 // seeds of the branches' random numbers
	draws    uint64
	after    time.Duration // when the last branch was through
}

// drawn is an id a $created() drew.
type drawn struct {
	id uint64
	ok bool
}

func newWalk(u *user) *walk {
	w := &walk{user: u}
	w.dice, w.urn = rand.New(&w.data), rand.New(&w.draws)
	w.fake = gofakeit.NewFaker(&w.data, false)
	return w
}

// op returns the present op.
func (w *walk) op() *op { return &w.user.scenario.ops[w.pc] }

// start begins the walk of a branch.
func (w *walk) start() action { return w.run() }

// sent notes that the request of the present exchange is on its way: the user got to it at began, and
// it left at sent, in the given span, which was read before. Of a request that is redirected only the
// first time counts.
func (w *walk) sent(began, sent time.Duration, span uint32) {
	w.sample.Began, w.sample.Sent, w.sample.Span = began, sent, span
}

// keep returns how many bytes of the body of an answer with this status are to be kept.
func (w *walk) keep(status int) int {
	switch e := &w.op().request.expect; {
	case !e.status(status):
		return keptBody
	case e.body:
		return checkedBody
	}
	return 0
}

// keeps returns the same for answers below 400 and for others, before the status is known: at least as much.
func (w *walk) keeps() (ok, bad int) {
	e := &w.op().request.expect
	if e.statuses == nil {
		return w.keep(200), w.keep(500)
	}
	most := keptBody
	if e.body {
		most = checkedBody
	}
	return most, most
}

// answer tells w that its exchange ended at the given time with a complete answer.
func (w *walk) answer(r *client.Response, at time.Duration) action {
	return w.ended(w.classify(w.op().request, r), at)
}

// fail tells w that its exchange ended without a complete answer.
func (w *walk) fail(class result.Class, at time.Duration) action { return w.ended(class, at) }

// cut tells w that its exchange was cut because the run ended. Nothing is recorded; but a create may have
// happened, as after a timeout. The walk is over.
func (w *walk) cut() { w.learn(w.op().request, result.Timeout) }

// gaveUp records the request that could not be made, at the given time and span, and ends the walk.
func (w *walk) gaveUp(at time.Duration, span uint32) action {
	if op := w.op(); op.kind != requests {
		w.prepare(op.step)
	}
	w.sent(at, at, span)
	w.record(giveUpClass, at)
	return w.over()
}

// called tells w how its call ended.
func (w *walk) called(err error) action {
	if err != nil {
		return giveUp
	}
	return w.resume()
}

// resume tells w that its pause is over, its line said, or its forks are done.
func (w *walk) resume() action {
	if w.op().kind == forks {
		w.intended = max(w.intended, w.branch.after)
		if w.branch.failed {
			return w.over()
		}
		w.pc = w.op().to
		return w.run()
	}
	w.pc++
	return w.run()
}

// run goes on from op to op until one needs the driver.
func (w *walk) run() action {
	for {
		if w.pc == w.end {
			if w.parent == nil || !w.another() {
				return done
			}
			continue
		}
		switch op := w.op(); op.kind {
		case thinks:
			w.intended += op.pause
			return wait
		case logs:
			w.text, _ = op.text.render(w, w.text[:0], inLog)
			return say
		case functions:
			return call
		case forks:
			w.split(op)
			return fork
		default:
			w.prepare(op.step)
			if !w.render(op.request) {
				return giveUp
			}
			return send
		}
	}
}

// over ends a walk that cannot go on.
func (w *walk) over() action {
	if w.parent != nil {
		w.parent.branch.failed = true
		w.joined()
	}
	return done
}

// split prepares the walks of op's branches, as many as may go side by side. A walk that is through with
// its branch takes the next one that nobody has begun.
func (w *walk) split(op *op) {
	w.branch = passage{sequence: w.sequence, data: w.data.Uint64(), draws: w.draws.Uint64(), after: w.intended}
	w.forks = w.forks[:0]
	for range min(op.limit, len(op.branches)) {
		b := w.user.spare()
		b.parent, b.intended = w, w.intended
		b.begin(op)
		w.forks = append(w.forks, b)
	}
	w.sequence += uint64(op.sequences)
}

// begin goes to the first op of the next branch of op, a step of w's parent.
func (w *walk) begin(op *op) {
	f := &w.parent.branch
	b := &op.branches[f.next]
	// Its random numbers depend on which branch it is, not on which walk happens to take it.
	w.data.Seed(f.data, scramble(uint64(f.next)))
	w.draws.Seed(f.draws, scramble(uint64(f.next)))
	f.next++
	w.pc, w.end, w.sequence = b.from, b.to, f.sequence+b.sequence
	w.created, w.all = drawn{}, drawn{}
}

// another goes to the next branch, and returns false if there is none, or one has failed.
func (w *walk) another() bool {
	op := w.parent.op()
	if w.parent.branch.failed || w.parent.branch.next == len(op.branches) {
		w.joined()
		return false
	}
	w.begin(op)
	return true
}

// joined tells w's parent when w was through.
func (w *walk) joined() {
	f := &w.parent.branch
	f.after = max(f.after, w.intended)
	w.user.idle = append(w.user.idle, w)
}

// prepare begins the sample of a request.
func (w *walk) prepare(step int) {
	w.sample = measure.Sample{Step: step, Phase: w.user.phase, Intended: w.intended, Arrival: w.user.fresh}
	w.user.fresh = w.user.fresh && step < 0
}

// record completes the sample, unless nobody counts the step.
func (w *walk) record(class result.Class, at time.Duration) {
	if w.sample.Step < 0 {
		return
	}
	w.sample.Class, w.sample.Done = class, at
	w.user.shard.Record(w.sample)
}

// ended records how the present request ended, and goes on if that was well.
func (w *walk) ended(class result.Class, at time.Duration) action {
	w.record(class, at)
	w.learn(w.op().request, class)
	if class != result.OK {
		return w.over()
	}
	w.intended = at
	w.pc++
	return w.run()
}

// learn notes what the answer to r says about records.
func (w *walk) learn(r *requestOp, class result.Class) {
	if r.creates {
		switch class.Outcome() {
		case result.Succeeded:
			w.user.records.Acknowledge(w.sequence)
		case result.Unknown:
			w.user.records.Maybe(w.sequence)
		}
	}
	if r.reads && class == result.OK {
		for _, d := range [...]drawn{w.created, w.all} {
			if d.ok {
				w.user.records.ReadBack(d.id)
			}
		}
	}
}
