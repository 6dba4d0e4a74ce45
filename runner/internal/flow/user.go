package flow

import (
	"sync"

	"loadkms/runner/internal/measure"
	"loadkms/runner/internal/records"
)

// A user is one virtual user, reused for many arrivals: what the walks of one flow share.
type user struct {
	program  *Program
	records  *records.Set
	shard    *measure.Shard // where its walks record
	scenario *scenario
	seq      uint64 // of the arrival
	phase    int    // of the same
	fresh    bool   // no request of this flow was made yet
	slots    []value
	picks    []int        // which value of each config variable this user has
	script   *scriptState // of the processor; nil until a function was called
	walk     *walk        // through the flow
	idle     []*walk      // walks of branches that are not in use

	// mu makes the walks of the portable driver, which are goroutines, take turns in what they tell.
	mu sync.Mutex

	tickets chan ticket // of the portable driver
}

func newUser(p *Program, known *records.Set, shard *measure.Shard) *user {
	u := &user{program: p, records: known, shard: shard, slots: make([]value, p.slots), picks: make([]int, len(p.variables))}
	u.walk = newWalk(u)
	return u
}

// begin starts the flow of k and returns the first action of u.walk.
func (u *user) begin(k ticket) action {
	u.scenario = &u.program.scenarios[k.scenario]
	u.seq, u.phase, u.fresh, u.script = k.Seq, k.Phase, true, nil
	w := u.walk
	w.pc, w.end, w.intended, w.sequence = 0, len(u.scenario.ops), k.Intended, k.sequence
	w.created, w.all = drawn{}, drawn{}
	// The dispatcher chose the scenario from the same stream, so its first number is used up.
	w.data.Seed(u.program.seed, scramble(k.Seq))
	w.dice.Uint64()
	w.draws.Seed(^u.program.seed, scramble(k.Seq))
	clear(u.slots)
	for i := range u.program.variables {
		v := &u.program.variables[i]
		u.picks[i] = 0
		if len(v.values) > 1 {
			u.picks[i] = w.dice.IntN(len(v.values))
		}
		if v.slot >= 0 {
			u.slots[v.slot] = v.values[u.picks[i]]
		}
	}
	return w.run()
}

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
	u.script = nil
	u.walk.rest()
	for _, w := range u.idle {
		w.rest()
	}
}

// rest lets go of buffers that grew large.
func (w *walk) rest() {
	w.out = nil
	for _, b := range []*[]byte{&w.url, &w.headers, &w.body, &w.text, &w.scratch} {
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
