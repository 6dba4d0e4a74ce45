package flow

import (
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/scenarios"
)

// Options says what a script does not.
type Options struct {
	Target string    // base URL of the API, for URLs that begin with "/"
	Seed   uint64    // same seed, same users
	Log    io.Writer // for log steps and the processor's console; written to by one user at a time; nil discards
}

// A Program is a script compiled for virtual users. It does not change while users play it, except
// for the state of its processor.
type Program struct {
	steps     []result.Step
	requests  int // how many requestOps there are
	scenarios []scenario
	before    scenario
	after     scenario
	total     float64 // of weights
	phases    []int   // the only scenario of each phase, or -1

	names     []*variable  // all variables of users
	parts     [][]string   // of each slot of a user: the variable's name, and the path of a part of it
	locals    int          // how many slots a walk has
	loops     int          // how deep loops are nested
	constants []constantOf // built-in variables, then those of config
	builtIns  int          // how many of them are built in
	payloads  []payload
	tables    []constantOf // files that are visible as a whole; among constants, too
	uuid      *variable    // $uuid
	given     []value      // what the flow before the load left in the slots; nil: nothing

	origin    string // of the target
	cookies   []cookie
	redirects int // most that are followed
	classify  []scenarios.ClassRule
	jitter    scenarios.Jitter
	timeout   time.Duration // of a request, and of a function's timers
	seed      uint64
	numbers   atomic.Uint64 // last number of $sequence() handed out
	processor *processor
	log       *logger
}

// A scenario is one flow.
type scenario struct {
	name      string
	upTo      float64 // weights up to and including this one
	ops       []op
	end       int // where the flow ends; what follows is called after one that did not end well
	first     int // its first request, an index of Program.steps, or -1
	sequences int // how many numbers of $sequence() one flow uses
}

// An opKind says what an op does.
type opKind uint8

const (
	requests   opKind = iota
	thinks            // a pause
	logs              // a line
	functions         // JavaScript, as op.hook says
	forks             // steps side by side
	chances           // goes to op.to by chance
	conditions        // goes to op.to if it does not hold
	loops             // begins a loop, or goes to op.to if there is nothing to do
	repeats           // goes to op.to if the loop goes round once more
)

// An op is one compiled step, or a part of one.
type op struct {
	kind opKind
	at   scenarios.Pos
	step int // index of Program.steps; of what prepares a request, the one that is not made if it fails, or -1
	to   int // another op

	request   *requestOp
	pause     time.Duration
	text      text // of a line; of a pause that has holes
	hook      hook
	call      int         // index of processor.functions
	locals    []*variable // that a function sees
	share     float64     // of the times at which chances go
	condition *condition
	loop      *loop

	// Of steps side by side: the branches, whose ops come next, how many are walked at once, and the
	// numbers of $sequence() they use together. They go on at to.
	branches  []branch
	limit     int
	sequences int
}

// A branch is one of several steps side by side: the ops from one up to another.
type branch struct {
	from, to  int
	sequence  uint64 // how many numbers of $sequence() the branches before it use
	sequences uint64 // how many it uses
}

// Steps returns the scenario and name of every request, in the script's order. Sample.Step and
// everything called Step in a result.Run are indexes of it.
func (p *Program) Steps() []result.Step { return slices.Clone(p.steps) }

// Compile compiles the flows of s: it parses URLs, expressions and patterns, reads the files it names,
// gives every variable a slot, and runs the processor's file up to its exports. Its error is a
// *scenarios.Problems that names every place that cannot work.
func Compile(s *scenarios.Script, o Options) (*Program, error) {
	h := &s.Config.HTTP
	p := &Program{seed: o.Seed, classify: s.Config.Classify, log: &logger{to: o.Log}, jitter: h.ThinkJitter,
		redirects: h.Redirects, timeout: h.Timeout}
	if p.redirects <= 0 {
		p.redirects = 10
	}
	if p.timeout <= 0 {
		p.timeout = 10 * time.Second
	}
	c := &compiler{p: p, script: s, base: strings.TrimRight(o.Target, "/"), processor: s.Config.Processor != "",
		names: map[string]*variable{}, declared: map[string]bool{}, scalar: map[string]bool{}}
	if c.processor {
		var err error
		if p.processor, err = loadProcessor(s, p.log, o.Seed, p.timeout); err != nil {
			c.problem(s.Config.ProcPos, "", "%v", err)
		}
	}
	if base, err := parseTarget(c.base); err == nil {
		p.origin = originOf(base)
	}
	for _, ph := range s.Config.Phases {
		p.phases = append(p.phases, ph.Scenario)
	}
	for i := range s.Scenarios {
		for range s.Scenarios[i].Phases { // tracks follow config.phases in the schedule
			p.phases = append(p.phases, i)
		}
	}
	c.builtIns()
	p.builtIns = len(p.constants)
	for i := range s.Config.Payloads {
		c.payload(&s.Config.Payloads[i])
	}
	for i := range s.Config.Variables {
		c.constant(&s.Config.Variables[i])
	}
	c.captured(s.Before)
	for i := range s.Scenarios {
		c.captured(s.Scenarios[i].Flow)
	}
	c.captured(s.After)
	p.cookies = c.cookies(h.Cookies)

	c.quiet = true
	p.before = c.scenario(&scenarios.Scenario{Flow: s.Before})
	p.after = c.scenario(&scenarios.Scenario{Flow: s.After})
	c.quiet = false
	weighted := slices.ContainsFunc(s.Scenarios, func(s scenarios.Scenario) bool { return s.Weight > 0 && len(s.Phases) == 0 })
	for i := range s.Scenarios {
		in := &s.Scenarios[i]
		out := c.scenario(in)
		switch {
		case len(in.Phases) > 0: // it is played in phases of its own only
		case weighted:
			p.total += max(in.Weight, 0)
		default:
			p.total++
		}
		out.upTo = p.total
		p.scenarios = append(p.scenarios, out)
	}
	if len(s.Scenarios) == 0 {
		c.problem(scenarios.Pos{File: s.File}, "", "there is no scenario")
	}
	if c.templates { // what the texts of variables have holes for is known only when they are filled
		for _, x := range p.names {
			c.part(x, nil)
		}
	}
	for i := range p.constants {
		p.constants[i].fix()
	}
	if len(c.problems) > 0 {
		return nil, s.Problems(c.problems)
	}
	return p, nil
}

// A ticket is an arrival with everything that must be decided in the order of arrivals.
type ticket struct {
	arrival.Arrival
	scenario int
	sequence uint64 // the number before the first one the flow may use
}

// deal returns the ticket of a. Arrivals are dealt in order. Numbers of $sequence() are taken even if nobody
// is free to use them, so that those of later arrivals do not depend on how fast answers were.
func (p *Program) deal(a arrival.Arrival, dice *rand.PCG) ticket {
	k := ticket{Arrival: a, scenario: p.choose(a, dice)}
	k.sequence = p.take(&p.scenarios[k.scenario])
	return k
}

// take takes the numbers of $sequence() that one flow of s uses, and returns the one before them.
func (p *Program) take(s *scenario) uint64 {
	n := uint64(s.sequences)
	return p.numbers.Add(n) - n
}

// choose returns the scenario of a: its phase's, or one by weight. It uses up one number of dice,
// which it seeds for the arrival.
func (p *Program) choose(a arrival.Arrival, dice *rand.PCG) int {
	dice.Seed(p.seed, scramble(a.Seq))
	x := float64(dice.Uint64()>>11) / (1 << 53) * p.total
	if a.Phase < len(p.phases) && p.phases[a.Phase] >= 0 {
		return p.phases[a.Phase]
	}
	last := 0
	for i := range p.scenarios {
		s := &p.scenarios[i]
		if i == 0 && s.upTo > 0 || i > 0 && s.upTo > p.scenarios[i-1].upTo {
			if last = i; x < s.upTo {
				return i
			}
		}
	}
	return last
}

// scramble spreads neighboring numbers over all 64 bits (splitmix64's finalizer), so that neighboring
// arrivals have nothing in common.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// begin makes the processor ready for a run.
func (p *Program) begin(m Metrics) {
	if p.processor != nil {
		p.processor.begin(m)
	}
}

// interrupt ends what the processor is doing, and keeps it from doing anything else.
func (p *Program) interrupt() {
	if p.processor != nil {
		p.processor.interrupt()
	}
}
