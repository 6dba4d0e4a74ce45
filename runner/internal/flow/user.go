package flow

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brianvoe/gofakeit/v7"

	"loadkms/result"
	"loadkms/runner/internal/measure"
	"loadkms/runner/internal/records"
)

// An action is what a virtual user wants its driver to do next.
type action uint8

const (
	done   action = iota // nothing: the flow is over
	send                 // make the exchange of op, as rendered; answer with an event
	wait                 // until u.intended
	call                 // the function of op
	say                  // print u.text
	giveUp               // record that the request of op could not be made; the flow is over
)

// giveUpClass is the class of a request that was not made because a value it needs is missing.
const giveUpClass = result.CaptureFailed

// An event tells a virtual user how its last action ended.
type event struct {
	at    time.Duration // when the answer was complete
	class result.Class  // of the answer; of a call, giveUpClass if it failed
}

// A user is one virtual user: one walk through a flow, reused for many arrivals. The first part is the
// state machine, which any driver can drive; the second belongs to the portable driver.
type user struct {
	program  *Program
	records  *records.Set
	scenario *scenario
	pc       int           // index of the present op
	intended time.Duration // of the next request
	fresh    bool          // no request of this flow was made yet
	slots    []value       // variables, by slot
	picks    []int         // which value of each config variable this user has
	sequence uint64        // last number this flow used
	created  drawn         // by $created(), for the present request
	all      drawn         // by $created('all'), for the present request
	script   *scriptState  // of the processor; nil until a function was called
	seq      uint64        // of the arrival

	// Two streams of random numbers for every arrival: data for lists and fake data, draws for which
	// record is read. They are apart because how many numbers a draw needs depends on the records.
	data  rand.PCG
	draws rand.PCG
	dice  *rand.Rand
	urn   *rand.Rand
	fake  *gofakeit.Faker

	url     []byte // the request as rendered
	headers []byte
	ends    []int // where each rendered header ends
	body    []byte
	text    []byte // of a log step
	scratch []byte

	tickets  chan ticket
	shard    *measure.Shard
	timer    *time.Timer // for think time
	requests []*http.Request
	payload  *payload
	kept     []byte // the body of the last answer, as far as it is kept

	deadline atomic.Int64 // of the exchange in flight, since the run began; 0 means none
	mu       sync.Mutex   // guards the rest; held for a few instructions, and by expire while canceling
	expired  bool
	ctx      context.Context
	cancel   context.CancelCauseFunc
}

// drawn is an id a $created() drew.
type drawn struct {
	id uint64
	ok bool
}

func newUser(p *Program, known *records.Set) *user {
	u := &user{program: p, records: known, slots: make([]value, p.slots), picks: make([]int, len(p.variables)),
		requests: make([]*http.Request, len(p.steps))}
	u.dice, u.urn = rand.New(&u.data), rand.New(&u.draws)
	u.fake = gofakeit.NewFaker(&u.data, false)
	return u
}

// op returns the present step.
func (u *user) op() *op { return &u.scenario.ops[u.pc] }

// begin starts the flow of k and returns the first action.
func (u *user) begin(k ticket) action {
	u.scenario = &u.program.scenarios[k.scenario]
	u.pc, u.intended, u.fresh, u.sequence, u.seq = -1, k.Intended, true, k.sequence, k.Seq
	u.created, u.all, u.script = drawn{}, drawn{}, nil
	// The dispatcher chose the scenario from the same stream, so its first number is used up.
	u.data.Seed(u.program.seed, scramble(k.Seq))
	u.dice.Uint64()
	u.draws.Seed(^u.program.seed, scramble(k.Seq))
	clear(u.slots)
	for i := range u.program.variables {
		v := &u.program.variables[i]
		u.picks[i] = 0
		if len(v.values) > 1 {
			u.picks[i] = u.dice.IntN(len(v.values))
		}
		if v.slot >= 0 {
			u.slots[v.slot] = v.values[u.picks[i]]
		}
	}
	return u.next()
}

// advance tells u how its last action ended and returns the next one.
func (u *user) advance(e event) action {
	switch op := u.op(); op.kind {
	case requests:
		u.learn(op.request, e.class)
		if e.class != result.OK {
			return done
		}
		u.intended, u.fresh = e.at, false
	case functions:
		if e.class != result.OK {
			return giveUp
		}
	}
	return u.next()
}

// next goes to the next op.
func (u *user) next() action {
	u.pc++
	if u.pc == len(u.scenario.ops) {
		return done
	}
	switch op := u.op(); op.kind {
	case thinks:
		u.intended += op.pause
		return wait
	case logs:
		u.text, _ = op.text.render(u, u.text[:0], inLog)
		return say
	case functions:
		return call
	default:
		if !u.render(op.request) {
			return giveUp
		}
		return send
	}
}

// learn notes what the answer to r says about records.
func (u *user) learn(r *requestOp, class result.Class) {
	if r.creates {
		switch class.Outcome() {
		case result.Succeeded:
			u.records.Acknowledge(u.sequence)
		case result.Unknown:
			u.records.Maybe(u.sequence)
		}
	}
	if r.reads && class == result.OK {
		for _, d := range []drawn{u.created, u.all} {
			if d.ok {
				u.records.ReadBack(d.id)
			}
		}
	}
}

// render renders the request of r into u's buffers. It reports false if a value is missing.
func (u *user) render(r *requestOp) bool {
	u.created, u.all = drawn{}, drawn{}
	if r.sequence {
		u.sequence++
	}
	var ok bool
	if !r.url.fixed {
		if u.url, ok = r.url.text.render(u, u.url[:0], inURL); !ok {
			return false
		}
	}
	u.headers, u.ends = u.headers[:0], u.ends[:0]
	for i := range r.headers {
		from := len(u.headers)
		if u.headers, ok = r.headers[i].value.render(u, u.headers, asIs); !ok || !validHeader(u.headers[from:]) {
			return false
		}
		u.ends = append(u.ends, len(u.headers))
	}
	if r.hasBody {
		if u.body, ok = r.body.render(u, u.body[:0], asIs); !ok {
			return false
		}
	}
	return true
}

// validHeader reports whether b may stand in a header: nothing that would end its line.
func validHeader(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// bulky is the size of a buffer an idle user does not keep.
const bulky = 16 << 10

// rest lets go of what an idle user must not hold.
func (u *user) rest() {
	u.script = nil
	for _, b := range []*[]byte{&u.url, &u.headers, &u.body, &u.text, &u.scratch, &u.kept} {
		if cap(*b) > bulky {
			*b = nil
		}
	}
}

// expire cancels u's exchange if it is still the one with this deadline.
func (u *user) expire(deadline int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.deadline.CompareAndSwap(deadline, 0) {
		u.expired = true
		u.cancel(errTimeout)
	}
}

// disarm ends the watch over u's exchange and reports whether it expired. A context that was canceled
// is replaced, with all requests that carry it.
func (u *user) disarm(parent context.Context) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.deadline.Store(0)
	if !u.expired {
		return false
	}
	u.expired = false
	u.ctx, u.cancel = context.WithCancelCause(parent)
	clear(u.requests)
	return true
}
