package flow

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/brianvoe/gofakeit/v7"
	"github.com/dop251/goja"

	"loadkms/result"
	"loadkms/runner/internal/answer"
	"loadkms/runner/internal/client"
	"loadkms/runner/internal/measure"
	"loadkms/scenarios"
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
	locals   []value // variables of loops
	rounds   []round // of the loops around the present op
	doomed   bool    // the present request failed: once functions have looked at its answer, it is over
	failing  bool    // it is at what is called after a flow that did not end well
	why      string  // the present request failed
	lack     *part   // the hole that had no value when something could not be rendered

	number   uint64 // last number of $sequence()
	sequence uint64 // last number it used of those it was dealt
	reserved uint64 // last number it was dealt
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
	crumbs  []crumb
	hops    int // redirects that were followed

	document answer.Document // the answer
	renders  func(*scenarios.Template) (string, bool)
	decoded  []byte // its body, if it came compressed
	expr     []byte
	found    []value
	env      map[string]any // of a condition

	calling  calling          // what a function of the processor gets and gives
	params   *goja.Object     // of the present request, for functions around it
	override *override        // what functions made of the request
	reply    *client.Response // for functions that look at the answer

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
	w.renders = w.rendersOf
	w.locals, w.rounds = make([]value, u.program.locals), make([]round, u.program.loops)
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
	if w.hops == 0 {
		w.sample.Began, w.sample.Sent, w.sample.Span = began, sent, span
	}
}

// connected notes on what connection the present exchange was made, and counts one that was made for it.
func (w *walk) connected(t *client.Times, reused bool) {
	w.sample.Reused = reused
	if t.Connect > 0 {
		w.user.shard.Connect(t.DNS, t.Connect, t.TLS)
	}
}

// keep returns how many bytes of the body of an answer with this status are to be kept.
func (o *requestOp) keep(status int) int {
	switch {
	case o.after, o.body && o.expect.Status(status):
		return checkedBody
	case !o.expect.Status(status):
		return keptBody
	}
	return 0
}

// keeps returns how many bytes of the body to keep of an answer below 400, and of others, when the status is
// not known yet: as many as any status may need.
func (o *requestOp) keeps() (ok, bad int) {
	for status := 100; status < 400; status++ {
		ok = max(ok, o.keep(status))
	}
	for status := 400; status < 600; status++ {
		bad = max(bad, o.keep(status))
	}
	return ok, bad
}

// answer tells w that a complete answer came at the given time. It may ask to send again: a redirect is part
// of the same exchange.
func (w *walk) answer(r *client.Response, at time.Duration) action {
	o := w.op().request
	w.taste(r)
	if w.follow(o, r) {
		if w.sample.Step >= 0 {
			w.user.shard.Hop(w.sample.Step, uint16(r.Status), r.Size)
		}
		return send
	}
	w.sample.Status, w.sample.FirstByte, w.sample.Read = uint16(r.Status), r.Times.FirstByte, r.Size
	class := w.classify(o, r)
	if o.after {
		w.reply = &client.Response{Status: r.Status, Head: bytes.Clone(r.Head), Body: bytes.Clone(r.Body), Size: r.Size, Times: r.Times}
		w.doomed = class != result.OK
	}
	return w.ended(class, at)
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
	op := w.op()
	w.takeVariables()
	switch {
	case err != nil && w.failing: // it cannot fail once more
	case err != nil && w.doomed: // nor can its request
		return w.over()
	case err != nil:
		w.why = err.Error()
		return giveUp
	case (op.hook == whileHook || op.hook == ifHook) && !w.calling.yes:
		w.pc = op.to
		return w.run()
	}
	w.pc++
	return w.run()
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

// missing says what was missing when something could not be rendered.
func (w *walk) missing() error {
	switch p := w.lack; {
	case p == nil:
		return errors.New("what was rendered cannot be sent")
	case p.hole != variableHole && p.hole != templateHole:
		return errors.New("no record that was created is left to read")
	case p.ref < 0:
		return errors.New("a variable of a loop has no value")
	default:
		return fmt.Errorf("the variable %q has no value", strings.Join(w.user.program.parts[p.ref], "."))
	}
}

// An unreadableError is a text that was to be something else.
type unreadableError struct{ want, got string }

func (e *unreadableError) Error() string { return fmt.Sprintf("%q is not %s", e.got, e.want) }

// run goes on from op to op until one needs the driver.
func (w *walk) run() action {
	for {
		if w.pc == w.end {
			if w.doomed {
				return w.over()
			}
			w.settle()
			if w.parent == nil || !w.another() {
				return done
			}
			continue
		}
		op := w.op()
		if w.reply != nil && op.hook != afterHook {
			if w.doomed {
				return w.over()
			}
			w.settle()
		}
		var err error
		switch op.kind {
		case thinks:
			var d time.Duration
			if d, err = w.pause(op); err == nil {
				w.intended += d
				return wait
			}
		case logs:
			w.text, _ = op.text.render(w, w.text[:0], inLog)
			return say
		case functions:
			w.giveVariables()
			return call
		case forks:
			if len(op.branches) == 0 {
				w.pc = op.to
				continue
			}
			w.split(op)
			return fork
		case chances:
			if w.dice.Float64() < op.share {
				w.pc = op.to
				continue
			}
			w.pc++
		case conditions:
			if !w.holds(op.condition) {
				w.pc = op.to
				continue
			}
			w.pc++
		case loops:
			var more bool
			switch more, err = w.enter(op.loop); {
			case err != nil:
			case more:
				w.pc++
			default:
				w.pc = op.to
			}
		case repeats:
			if w.again(op.loop) {
				w.pc = op.to
				continue
			}
			w.pc++
		case requests:
			w.why, w.lack = "", nil
			w.prepare(op.step)
			if w.render(op.request) {
				return send
			}
			err = w.missing()
		}
		if err != nil {
			w.why = err.Error()
			return giveUp
		}
	}
}

// count takes the next number of $sequence(): of those it was dealt, or, if its loops go round more often
// than anybody could know, of those left to everybody.
func (w *walk) count() {
	if w.sequence < w.reserved {
		w.sequence++
		w.number = w.sequence
	} else {
		w.number = w.user.program.numbers.Add(1)
	}
}

// settle forgets what functions around the present request had of it.
func (w *walk) settle() { w.params, w.override, w.reply = nil, nil, nil }

// over ends a walk that cannot go on. If it is that of the flow, what is to be called then comes first.
func (w *walk) over() action {
	w.doomed, w.override, w.reply = false, nil, nil
	u := w.user
	if u.failure == nil {
		u.failed = failure{w.op(), w.why, w}
		u.failure = &u.failed
	}
	if w.parent != nil {
		w.parent.branch.failed = true
		w.joined()
		return done
	}
	if end := u.scenario.end; !w.failing && end < len(u.scenario.ops) {
		w.failing, w.pc, w.end = true, end, len(u.scenario.ops)
		return w.run()
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
	w.sequence = min(w.sequence+uint64(op.sequences), w.reserved)
}

// begin goes to the first op of the next branch of op, a step of w's parent.
func (w *walk) begin(op *op) {
	f := &w.parent.branch
	b := &op.branches[f.next]
	copy(w.locals, w.parent.locals)
	copy(w.rounds, w.parent.rounds)
	// Its random numbers depend on which branch it is, not on which walk happens to take it.
	w.data.Seed(f.data, scramble(uint64(f.next)))
	w.draws.Seed(f.draws, scramble(uint64(f.next)))
	f.next++
	w.pc, w.end, w.sequence = b.from, b.to, f.sequence+b.sequence
	w.number, w.reserved = w.sequence, min(w.sequence+b.sequences, w.parent.reserved)
	w.created, w.all = drawn{}, drawn{}
	w.doomed = false
	w.settle()
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
	w.hops = 0
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
	if !w.doomed && class == result.OK && !w.op().request.after {
		w.settle()
	}
	if class != result.OK {
		if w.why == "" {
			w.why = class.String()
		}
		if !w.doomed {
			return w.over()
		}
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
			w.user.records.Acknowledge(w.number)
		case result.Unknown:
			w.user.records.Maybe(w.number)
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
