package flow

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
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
	total     float64 // of weights
	phases    []int   // the only scenario of each phase, or -1
	variables []variable
	slots     int
	paths     []slotPath // of each slot
	classify  []scenarios.ClassRule
	seed      uint64
	processor *processor
	log       *logger
}

// A scenario is one flow.
type scenario struct {
	name      string
	upTo      float64 // weights up to and including this one
	ops       []op
	first     int // its first request, an index of Program.steps, or -1
	sequences int // how many numbers of $sequence() one flow uses
}

// An opKind says what an op does.
type opKind uint8

const (
	requests opKind = iota
	thinks
	logs
	functions
	forks
)

// An op is one compiled step.
type op struct {
	kind    opKind
	step    int // index of Program.steps; of a function, the request that is not made if it fails, or -1
	request *requestOp
	pause   time.Duration
	text    text
	call    int // index of processor.functions

	// Of steps side by side: the branches, whose ops come next, how many are walked at once, the numbers
	// of $sequence() they use together, and the op after them.
	branches  []branch
	limit     int
	sequences int
	to        int
}

// A branch is one of several steps side by side: the ops from one up to another.
type branch struct {
	from, to int
	sequence uint64 // how many numbers of $sequence() the branches before it use
}

// A variable is one of config.variables.
type variable struct {
	name   string
	slot   int // -1: no template uses it
	values []value
	typed  []any // the same, for the processor
}

// A slotPath says which variable a slot holds.
type slotPath struct {
	name string   // as written
	path []string // the same, cut at its dots
}

// Steps returns the scenario and name of every request, in the script's order. Sample.Step and
// everything called Step in a result.Run are indexes of it.
func (p *Program) Steps() []result.Step { return slices.Clone(p.steps) }

// Compile compiles the flows of s: it parses URLs and regular expressions, gives every variable a slot,
// and runs the processor's file up to its exports. Its error is a *scenarios.Problems that names every
// place that cannot work.
func Compile(s *scenarios.Script, o Options) (*Program, error) {
	c := &compiler{script: s, base: strings.TrimRight(o.Target, "/"), slots: map[string]int{}}
	p := &Program{seed: o.Seed, classify: s.Config.Classify, log: &logger{to: o.Log}}
	c.p = p
	if s.Config.Processor != "" {
		var err error
		if p.processor, err = loadProcessor(s, p.log, o.Seed); err != nil {
			c.problem(s.Config.ProcPos, "", "%v", err)
		}
	}
	c.processor = s.Config.Processor != ""
	// What a script sets itself comes later, and wins.
	variables := append([]scenarios.Variable{{Name: "target", Values: []string{c.base}, Typed: []any{c.base}}}, s.Config.Variables...)
	for _, v := range variables {
		c.declared = append(c.declared, v.Name)
	}
	for _, ph := range s.Config.Phases {
		p.phases = append(p.phases, ph.Scenario)
	}
	for i := range s.Scenarios {
		p.total += c.scenario(&s.Scenarios[i])
		for range s.Scenarios[i].Phases { // tracks follow config.phases in the schedule
			p.phases = append(p.phases, i)
		}
	}
	if len(s.Scenarios) == 0 {
		c.problem(scenarios.Pos{File: s.File}, "", "there is no scenario")
	}
	for _, v := range variables {
		p.variables = append(p.variables, c.variable(v))
	}
	p.slots = len(c.slots)
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

// deal returns the ticket of a. Arrivals are dealt in order, with the same dice and, for the numbers of
// $sequence(), the same count. Numbers are taken even if nobody is free to use them, so that those of
// later arrivals do not depend on how fast answers were.
func (p *Program) deal(a arrival.Arrival, dice *rand.PCG, sequence *uint64) ticket {
	k := ticket{a, p.choose(a, dice), *sequence}
	*sequence += uint64(p.scenarios[k.scenario].sequences)
	return k
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

// A compiler compiles one script, collecting problems.
type compiler struct {
	p         *Program
	script    *scenarios.Script
	base      string // the target
	processor bool   // a processor may set any variable
	declared  []string
	slots     map[string]int
	ops       []op // of the present scenario
	problems  []*scenarios.Problem
}

func (c *compiler) problem(at scenarios.Pos, hint, format string, args ...any) {
	c.problems = append(c.problems, &scenarios.Problem{File: at.File, Line: at.Line, Col: at.Col,
		Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// slot returns the slot of a variable, with its path.
func (c *compiler) slot(name string, at scenarios.Pos) int {
	if i, ok := c.slots[name]; ok {
		return i
	}
	path := strings.Split(name, ".")
	if !c.processor {
		switch known := slices.Contains(c.declared, path[0]); {
		case !known:
			c.problem(at, "set it in config.variables", "unknown variable %q", path[0])
		case len(path) > 1:
			c.problem(at, "", "the variable %q is one value and has no %q", path[0], strings.Join(path[1:], "."))
		}
	}
	i := len(c.slots)
	c.slots[name] = i
	c.p.paths = append(c.p.paths, slotPath{name, path})
	return i
}

func (c *compiler) variable(v scenarios.Variable) variable {
	out := variable{name: v.Name, slot: -1}
	if i, ok := c.slots[v.Name]; ok {
		out.slot = i
	}
	for i, s := range v.Values {
		var typed any = s
		if i < len(v.Typed) {
			typed = v.Typed[i]
		}
		out.values = append(out.values, valueOf(s, typed))
		out.typed = append(out.typed, typed)
	}
	if len(out.values) == 0 { // an empty list: the variable has no value
		out.values, out.typed = []value{{}}, []any{nil}
	}
	return out
}

// scenario compiles one scenario and returns its weight.
func (c *compiler) scenario(in *scenarios.Scenario) float64 {
	weight := in.Weight
	if !slices.ContainsFunc(c.script.Scenarios, func(s scenarios.Scenario) bool { return s.Weight > 0 && len(s.Phases) == 0 }) {
		weight = 1
	}
	weight = max(weight, 0)
	if len(in.Phases) > 0 {
		weight = 0 // it is played in phases of its own only
	}
	out := scenario{name: in.Name, upTo: c.p.total + weight, first: -1}
	c.ops = nil
	out.sequences = c.flow(in.Flow, in.Name)
	out.ops = c.ops
	for i := range out.ops {
		if out.ops[i].kind == requests {
			out.first = out.ops[i].step
			break
		}
	}
	// A function that fails fails the request it prepares: the next one, or else the one before.
	next := -1
	for i := len(out.ops) - 1; i >= 0; i-- {
		if o := &out.ops[i]; o.kind == requests {
			next = o.step
		} else if o.kind == functions {
			o.step = next
		}
	}
	before := -1
	for i := range out.ops {
		if o := &out.ops[i]; o.kind == requests {
			before = o.step
		} else if o.kind == functions && o.step < 0 {
			o.step = before
		}
	}
	c.p.scenarios = append(c.p.scenarios, out)
	return weight
}

// flow compiles steps, appending to c.ops, and returns how many numbers of $sequence() they use.
func (c *compiler) flow(steps []scenarios.Step, scenario string) (sequences int) {
	for i := range steps {
		st := &steps[i]
		o := op{step: -1}
		switch st.Kind {
		case scenarios.Request:
			name := st.Name
			if name == "" {
				name = st.Method + " " + st.URL.Source
			}
			o.kind, o.step, o.request = requests, len(c.p.steps), c.request(st)
			c.p.steps = append(c.p.steps, result.Step{Scenario: scenario, Name: name})
			if o.request.sequence {
				sequences++
			}
		case scenarios.Think:
			o.kind, o.pause = thinks, max(st.Pause, 0)
		case scenarios.Log:
			o.kind, o.text = logs, c.text(st.Text)
		case scenarios.Function:
			o.kind, o.call = functions, c.function(st)
		case scenarios.Parallel:
			sequences += c.parallel(st, scenario)
			continue
		}
		c.ops = append(c.ops, o)
	}
	return sequences
}

// parallel compiles steps side by side.
func (c *compiler) parallel(st *scenarios.Step, scenario string) (sequences int) {
	at := len(c.ops)
	c.ops = append(c.ops, op{})
	o := op{kind: forks, step: -1, limit: st.Limit}
	if o.limit <= 0 {
		o.limit = 100 // as in Artillery
	}
	for i := range st.Steps {
		b := branch{from: len(c.ops), sequence: uint64(sequences)}
		sequences += c.flow(st.Steps[i:i+1], scenario)
		b.to = len(c.ops)
		o.branches = append(o.branches, b)
	}
	o.to, o.sequences = len(c.ops), sequences
	c.ops[at] = o
	return sequences
}

func (c *compiler) function(st *scenarios.Step) int {
	switch {
	case c.p.processor != nil:
		i, ok := c.p.processor.find(st.Func)
		if !ok {
			c.problem(st.Pos, "it exports: "+strings.Join(c.p.processor.names(), ", "),
				"%s exports no function %q", c.script.Config.Processor, st.Func)
		}
		return i
	case !c.processor:
		c.problem(st.Pos, "name its file in config.processor", "the function %q has no processor to be in", st.Func)
	}
	return 0
}

func (c *compiler) request(st *scenarios.Step) *requestOp {
	o := &requestOp{index: c.p.requests, url: c.target(st)}
	c.p.requests++
	f := &o.fixed
	f.method, f.hasBody, f.origin, f.target = st.Method, st.HasBody, o.url.origin, o.url.plain
	own := func(name string) bool {
		return slices.ContainsFunc(st.Headers, func(h scenarios.Header) bool { return strings.EqualFold(h.Name, name) })
	}
	all := slices.Clone(st.Headers)
	for _, h := range c.script.Config.HTTP.Headers {
		if !own(h.Name) {
			all = append(all, h)
		}
	}
	if !slices.ContainsFunc(all, func(h scenarios.Header) bool { return strings.EqualFold(h.Name, "User-Agent") }) {
		o.headers = append(o.headers, header{field: field{"User-Agent", []byte("loadkms")}})
	}
	f.fixed = f.target != nil
	for _, h := range all {
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		switch value, plain := h.Value.Literal(); {
		case !plain:
			o.headers = append(o.headers, header{field{name, nil}, true, c.text(h.Value)})
			f.fixed = false
		case name == "Host":
			f.host = value
		default:
			o.headers = append(o.headers, header{field: field{name, []byte(value)}})
		}
	}
	o.body = c.text(st.Body)
	body, plain := st.Body.Literal()
	if f.fixed = f.fixed && plain; f.fixed {
		f.body = []byte(body)
		for i := range o.headers {
			f.fields = append(f.fields, o.headers[i].field)
		}
	}
	o.expect = c.expect(&st.Expect)
	for _, t := range o.texts() {
		o.sequence = o.sequence || t.has(sequenceHole)
		o.reads = o.reads || t.has(createdHole) || t.has(createdAllHole)
	}
	// A GET of a number reads what somebody else created.
	o.creates = o.sequence && st.Method != http.MethodGet && st.Method != http.MethodHead &&
		st.Method != http.MethodOptions && st.Method != http.MethodDelete
	o.reads = o.reads && st.Method == http.MethodGet
	return o
}

// texts returns everything that is rendered to make the request.
func (o *requestOp) texts() []*text {
	all := []*text{&o.url.text, &o.body}
	for i := range o.headers {
		all = append(all, &o.headers[i].text)
	}
	return all
}

// parseTarget parses an absolute URL, without its fragment.
func parseTarget(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL", s)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not a URL that begins with http:// or https://", s)
	}
	u.Fragment, u.RawFragment = "", "" // it is never sent
	return u, nil
}

func (c *compiler) target(st *scenarios.Step) target {
	t := target{base: c.base}
	literal, fixed := st.URL.Literal()
	lead := literal
	if !fixed && len(st.URL.Parts) > 0 {
		lead = st.URL.Parts[0].Text
	}
	parts := slices.Clone(st.URL.Parts)
	if strings.HasPrefix(lead, "/") {
		base, err := parseTarget(c.base)
		if err != nil {
			c.problem(c.script.Config.TargetPos, "name the API's base URL in config.target", "the target %v", err)
			return t
		}
		lead = strings.TrimRight(base.EscapedPath(), "/") + lead
		t.origin = originOf(base)
	} else if rest, ok := cutScheme(lead); ok && (fixed || strings.ContainsAny(rest, "/?")) {
		host := rest
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			host = rest[:i]
		}
		base, err := parseTarget(lead[:len(lead)-len(rest)] + host)
		if err != nil {
			c.problem(st.URL.Pos, "", "%v", err)
			return t
		}
		t.origin = originOf(base)
		if lead = rest[len(host):]; lead == "" || lead[0] != '/' {
			lead = "/" + lead
		}
	} else {
		t.whole = true // the host is in a hole: only the user knows where it goes
	}
	if fixed {
		u, err := parseTarget(t.origin + string(escapeURL(nil, lead)))
		if err != nil {
			c.problem(st.URL.Pos, "", "%v", err)
			return t
		}
		t.plain = []byte(u.RequestURI())
		return t
	}
	if len(parts) > 0 && !t.whole {
		parts[0].Text = lead
	}
	for i := range parts {
		if parts[i].Var == "" && parts[i].Call == "" {
			before, _, fragment := strings.Cut(string(escapeURL(nil, parts[i].Text)), "#")
			if parts[i].Text = before; fragment { // it is never sent
				parts = parts[:i+1]
				break
			}
		}
	}
	t.text = c.text(scenarios.Template{Pos: st.URL.Pos, Source: st.URL.Source, Parts: parts})
	return t
}

func cutScheme(s string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(s, "http://"); ok {
		return rest, true
	}
	return strings.CutPrefix(s, "https://")
}

func (c *compiler) expect(in *scenarios.Expect) expect {
	e := expect{statuses: in.Status, contentType: in.ContentType}
	e.body = strings.EqualFold(in.ContentType, "json")
	for _, k := range in.Contains {
		out := check{kind: k.Kind, name: k.Name}
		switch k.Kind {
		case scenarios.HasHeader, scenarios.HeaderEquals:
			out.name = textproto.CanonicalMIMEHeaderKey(k.Name)
			out.value = c.text(k.Value)
		case scenarios.HasProperty:
			e.body = true
			out.path = propertyPath(k.Name)
		case scenarios.MatchesRegexp:
			e.body = true
			out.value = c.text(k.Value)
			if s, ok := k.Value.Literal(); ok {
				re, err := regexp.Compile(s)
				if err != nil {
					c.problem(k.Pos, "the syntax is that of RE2", "%q is not a regular expression", s)
				}
				out.pattern = re
			}
		}
		e.checks = append(e.checks, out)
	}
	return e
}

// A logger writes whole lines, one user at a time.
type logger struct {
	mu   sync.Mutex // held for one write
	to   io.Writer
	said map[string]bool
}

// line writes b and a newline.
func (l *logger) line(b []byte) {
	if l.to == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.to.Write(append(append(make([]byte, 0, len(b)+1), b...), '\n')) // nobody is there to tell
}

// mostSaid bounds what once says: a function that fails fails for every user.
const mostSaid = 20

// once writes an error the first time it occurs.
func (l *logger) once(err error) {
	l.mu.Lock()
	known := l.said[err.Error()] || len(l.said) == mostSaid
	if !known {
		if l.said == nil {
			l.said = map[string]bool{}
		}
		l.said[err.Error()] = true
	}
	l.mu.Unlock()
	if !known {
		l.line([]byte(err.Error()))
	}
}

// begin makes the processor ready for a run.
func (p *Program) begin() {
	if p.processor != nil {
		p.processor.begin()
	}
}

// interrupt ends what the processor is doing, and keeps it from doing anything else.
func (p *Program) interrupt() {
	if p.processor != nil {
		p.processor.interrupt()
	}
}
