package flow

import (
	"math/rand/v2"
	"net/http/cookiejar"
	"sync"
	"time"

	"loadkms/runner/internal/measure"
	"loadkms/runner/internal/records"
)

// A user is one virtual user, reused for many arrivals: what the walks of one flow share.
type user struct {
	program  *Program
	records  *records.Set
	shard    *measure.Shard // where its walks record
	scenario *scenario
	seq      uint64         // of the arrival
	phase    int            // of the same
	came     time.Duration  // when it was intended
	fresh    bool           // no request of this flow was made yet
	slots    []value        // variables, by ref
	jar      *cookiejar.Jar // nil until a server set a cookie
	script   *scriptState   // of the processor; nil until a function was called
	failure  *failure       // why the flow did not end well
	failed   failure        // what that points to
	walk     *walk          // through the flow
	idle     []*walk        // walks of branches that are not in use

	// mu makes the walks of the portable driver, which are goroutines, take turns in what they tell.
	mu sync.Mutex

	tickets chan ticket // of the portable driver
}

// A failure says where a flow ended early, and why.
type failure struct {
	op   *op
	why  string
	walk *walk // that ended early
}

func newUser(p *Program, known *records.Set, shard *measure.Shard) *user {
	u := &user{program: p, records: known, shard: shard, slots: make([]value, len(p.parts))}
	u.walk = newWalk(u)
	return u
}

// begin starts the flow of k and returns the first action of u.walk.
func (u *user) begin(k ticket) action {
	return u.play(&u.program.scenarios[k.scenario], k)
}

// play is begin for a given flow.
func (u *user) play(s *scenario, k ticket) action {
	u.scenario = s
	u.seq, u.phase, u.came, u.fresh, u.jar, u.script, u.failure = k.Seq, k.Phase, k.Intended, true, nil, nil, nil
	w := u.walk
	w.pc, w.end, w.intended = 0, s.end, k.Intended
	w.number, w.sequence, w.reserved = k.sequence, k.sequence, k.sequence+uint64(s.sequences)
	w.created, w.all = drawn{}, drawn{}
	w.doomed, w.failing, w.why = false, false, ""
	w.params, w.override, w.reply = nil, nil, nil
	// The dispatcher chose the scenario from the same stream, so its first number is used up.
	w.data.Seed(u.program.seed, scramble(k.Seq))
	w.dice.Uint64()
	w.draws.Seed(^u.program.seed, scramble(k.Seq))
	u.variables()
	return w.run()
}

// variables gives every variable its value at the beginning of a flow. What comes later wins: built-in
// variables, those of the flow before the load, rows of files, those of config.
func (u *user) variables() {
	p, w := u.program, u.walk
	clear(u.slots)
	clear(w.locals)
	for i := range p.constants {
		if i == p.builtIns {
			u.arrive()
		}
		k := &p.constants[i]
		pick := 0
		if len(k.values) > 1 {
			pick = w.dice.IntN(len(k.values))
		}
		w.give(k, pick)
	}
	if len(p.constants) == p.builtIns {
		u.arrive()
	}
}

// arrive sets the variables that differ from user to user and are not config's.
func (u *user) arrive() {
	p, w := u.program, u.walk
	for i, v := range p.given {
		if v.set {
			u.slots[i] = v
		}
	}
	if len(p.uuid.parts) > 0 {
		w.set(p.uuid, valueOfAny(uuidOf(rand.New(rand.NewPCG(p.seed^uuidStream, scramble(u.seq))))))
	}
	for i := range p.payloads {
		w.deal(&p.payloads[i])
	}
}

// finish counts the flow, which was over at the given time.
func (u *user) finish(at time.Duration) { u.shard.Finish(u.came, at, u.failure == nil) }

// spare returns a walk for a branch.
func (u *user) spare() *walk {
	if n := len(u.idle); n > 0 {
		w := u.idle[n-1]
		u.idle = u.idle[:n-1]
		return w
	}
	return newWalk(u)
}

// bulky is the size of a buffer an idle user does not keep.
const bulky = 16 << 10

// rest lets go of what an idle user must not hold.
func (u *user) rest() {
	u.script, u.jar = nil, nil
	u.walk.rest()
	for _, w := range u.idle {
		w.rest()
	}
}

// rest lets go of buffers that grew large.
func (w *walk) rest() {
	w.out, w.params, w.override, w.reply = nil, nil, nil, nil
	w.document.Reset(nil, nil)
	for _, b := range []*[]byte{&w.url, &w.headers, &w.body, &w.text, &w.scratch, &w.decoded, &w.expr} {
		if cap(*b) > bulky {
			*b = nil
		}
	}
	if w.line != nil {
		w.line.rest()
	}
	if w.seat != nil {
		w.seat.rest()
	}
}
