package flow

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/dop251/goja"
)

// A hook says what a function of the processor is called with, and what for.
type hook uint8

const (
	plainHook  hook = iota // (context, events, done)
	beforeHook             // (requestParams, context, events, done), which may rewrite the request
	afterHook              // (requestParams, response, context, events, done)
	errorHook              // (err, requestParams, context, events, done)
	whileHook              // (context, done), where done takes whether the loop goes on
	ifHook                 // (vars), which returns whether the request is made
)

// A scriptState is what a user's functions share during one flow.
type scriptState struct {
	context *goja.Object
	vars    *goja.Object
	seen    []value // what the flow last gave or took, by slot
	echo    []value // what JavaScript made of it: it has no whole numbers beyond 2^53
}

// A calling is what a walk gives a function of its user's variables, and takes back. While the function
// runs, other walks of the user go on, so it has copies.
type calling struct {
	given   []value
	locals  []value
	changes []change
	yes     bool // what a condition or the end of a pass returned
}

// A change is a variable a function changed.
type change struct {
	slot int
	v    value
}

// giveVariables copies the user's variables for a function.
func (w *walk) giveVariables() {
	w.calling.given = append(w.calling.given[:0], w.user.slots...)
	w.calling.locals = append(w.calling.locals[:0], w.locals...)
	w.calling.changes = w.calling.changes[:0]
}

// takeVariables gives the user what the function changed.
func (w *walk) takeVariables() {
	for _, c := range w.calling.changes {
		w.user.slots[c.slot] = c.v
	}
	w.calling.changes = w.calling.changes[:0]
}

// A pending is a call of a function that may not be through when it returns.
type pending struct {
	random  *rand.Rand
	called  bool
	result  goja.Value // what its callback got
	promise *goja.Promise
	timers  []timer
	until   time.Time // its timers must be through
}

// A timer is one of setTimeout.
type timer struct {
	id   int
	at   time.Time
	call goja.Callable
	args []goja.Value
}

// call calls the function w waits for. It blocks while other walks' functions run.
func (w *walk) call() error {
	p := w.user.program.processor
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped.Load() {
		return errEnded
	}
	op := w.op()
	f := &p.functions[op.call]
	state := p.state(w.user)
	p.hand(state, w)
	c := &pending{random: w.dice}
	defer func() { p.present = nil }()
	p.turn(c)
	var args []goja.Value
	switch op.hook {
	case plainHook:
		args = []goja.Value{state.context, p.events}
	case beforeHook:
		args = []goja.Value{p.requestParams(w), state.context, p.events}
	case afterHook:
		args = []goja.Value{p.sentParams(w), p.response(w), state.context, p.events}
	case errorHook:
		args = []goja.Value{p.failure(w), p.lastParams(w), state.context, p.events}
	case whileHook:
		args = []goja.Value{state.context}
	case ifHook:
		args = []goja.Value{state.vars}
	}
	if op.hook != ifHook {
		args = append(args, p.runtime.ToValue(func(a goja.FunctionCall) goja.Value {
			if !c.called {
				c.called, c.result = true, a.Argument(0)
			}
			return goja.Undefined()
		}))
	}
	result, err := p.perform(c, f, args, op.hook != ifHook)
	if err != nil {
		return fmt.Errorf("function %s: %w", f.name, err)
	}
	switch op.hook {
	case whileHook, ifHook:
		w.calling.yes = result != nil && result.ToBoolean()
	default:
		if c.called && c.result.ToBoolean() {
			return fmt.Errorf("function %s: %s", f.name, c.result)
		}
	}
	if op.hook == beforeHook {
		p.rewritten(w, state)
	}
	p.take(state, w)
	return nil
}

// turn makes c what JavaScript runs for.
func (p *processor) turn(c *pending) { p.present, p.random = c, c.random }

// perform calls f as Artillery does: with a callback, or awaiting the promise of an async function. A
// function that takes no callback is through when it returns. It returns what the callback got, the
// promise became, or the function returned.
func (p *processor) perform(c *pending, f *function, args []goja.Value, callback bool) (goja.Value, error) {
	// When the outermost call returns, goja has run all jobs of promises that can run.
	returned, err := f.call(goja.Undefined(), args...)
	if err != nil {
		return nil, errors.New(reason(err))
	}
	c.promise, _ = returned.Export().(*goja.Promise)
	for {
		switch {
		case c.called:
			return c.result, nil
		case c.promise != nil && c.promise.State() == goja.PromiseStateFulfilled:
			return c.promise.Result(), nil
		case c.promise != nil && c.promise.State() == goja.PromiseStateRejected:
			return nil, fmt.Errorf("%s", c.promise.Result())
		case c.promise == nil && !(callback && f.params >= int64(len(args))):
			return returned, nil
		}
		if len(c.timers) == 0 {
			break
		}
		if err := p.await(c); err != nil {
			return nil, err
		}
	}
	if c.promise != nil {
		return nil, errors.New("its promise waits for something that does not happen here, such as the network")
	}
	return nil, errors.New("it returned without calling its callback")
}

// await waits for the next timer of c, while other functions run, and calls it.
func (p *processor) await(c *pending) error {
	next := 0
	for i := range c.timers {
		if c.timers[i].at.Before(c.timers[next].at) {
			next = i
		}
	}
	t := c.timers[next]
	c.timers = slices.Delete(c.timers, next, next+1)
	if t.at.After(c.until) {
		return fmt.Errorf("its timers take longer than config.http.timeout, %v", p.timeout)
	}
	if d := time.Until(t.at); d > 0 {
		halt := p.halt
		p.mu.Unlock()
		wait := time.NewTimer(d)
		select {
		case <-wait.C:
		case <-halt:
			wait.Stop()
		}
		p.mu.Lock()
		if p.stopped.Load() {
			return errEnded
		}
		p.turn(c)
	}
	if _, err := t.call(goja.Undefined(), t.args...); err != nil {
		return errors.New(reason(err))
	}
	return nil
}

// setTimeout is JavaScript's, for the function that is being called. The timers of one call are through
// within the time a request may take.
func (p *processor) setTimeout(a goja.FunctionCall) goja.Value {
	call, ok := goja.AssertFunction(a.Argument(0))
	if !ok {
		panic(p.runtime.NewTypeError("setTimeout takes a function"))
	}
	if p.present == nil {
		panic(p.runtime.NewTypeError("setTimeout cannot be called while the file is loaded"))
	}
	now := time.Now()
	if p.present.until.IsZero() {
		p.present.until = now.Add(p.timeout)
	}
	p.timers++
	t := timer{id: p.timers, at: now.Add(time.Duration(max(0, a.Argument(1).ToFloat()) * float64(time.Millisecond))), call: call}
	if len(a.Arguments) > 2 {
		t.args = a.Arguments[2:]
	}
	p.present.timers = append(p.present.timers, t)
	return p.runtime.ToValue(t.id)
}

func (p *processor) clearTimeout(a goja.FunctionCall) goja.Value {
	if id := a.Argument(0); p.present != nil && id != nil {
		p.present.timers = slices.DeleteFunc(p.present.timers, func(t timer) bool { return int64(t.id) == id.ToInteger() })
	}
	return goja.Undefined()
}

// emit is events.emit.
func (p *processor) emit(a goja.FunctionCall) goja.Value {
	name := a.Argument(1).String()
	if p.metrics == nil {
		return goja.Undefined()
	}
	switch kind := a.Argument(0).String(); kind {
	case "counter":
		n := 1.0
		if v := a.Argument(2); !goja.IsUndefined(v) {
			n = v.ToFloat()
		}
		if n > 0 && !math.IsInf(n, 0) {
			p.metrics.Count(name, n)
		}
	case "histogram":
		p.metrics.Observe(name, a.Argument(2).ToFloat())
	case "rate":
		p.metrics.Rate(name)
	case "error":
		p.metrics.Count("errors."+name, 1)
	}
	return goja.Undefined()
}

// state returns what u's functions share, making it for the first one of a flow.
func (p *processor) state(u *user) *scriptState {
	if u.script != nil {
		return u.script
	}
	if p.shared == nil {
		p.share(u.program)
	}
	vars := p.runtime.CreateObject(p.shared)
	if p.given != "" {
		if given, ok := p.fromJSON(p.given).(*goja.Object); ok {
			_ = given.SetPrototype(p.shared)
			vars = given
		}
	}
	named := p.runtime.NewObject()
	_ = named.Set("name", u.scenario.name)
	context := p.runtime.NewObject()
	_ = context.Set("vars", vars)
	_ = context.Set("scenario", named)
	_ = context.Set("funcs", p.runtime.NewObject())
	_ = context.Set("_uid", strconv.FormatUint(u.seq, 10))
	u.script = &scriptState{context: context, vars: vars, seen: make([]value, len(u.slots)), echo: make([]value, len(u.slots))}
	return u.script
}

// share makes the object that holds the variables that are the same for every user: handing each its own
// would take too long.
func (p *processor) share(of *Program) {
	p.shared = p.runtime.NewObject()
	for _, constants := range [][]constantOf{of.constants[:of.builtIns], of.tables} {
		for i := range constants {
			_ = p.shared.Set(constants[i].name, p.script(constants[i].values[0]))
		}
	}
	environment := p.runtime.Get("process").ToObject(p.runtime).Get("env")
	_ = p.shared.Set("$processEnvironment", environment)
	_ = p.shared.Set("$env", environment)
}

// hand gives the function of w what changed in the user's variables since the last one.
func (p *processor) hand(s *scriptState, w *walk) {
	set := func(name string, v value) {
		if v.set {
			_ = s.vars.Set(name, p.script(v))
		} else {
			_ = s.vars.Delete(name)
		}
	}
	for _, x := range w.user.program.names {
		if r, ok := x.whole(); ok && !w.calling.given[r].same(s.seen[r]) {
			s.seen[r] = w.calling.given[r]
			set(x.name, s.seen[r])
			for _, part := range x.parts {
				s.echo[part.ref] = p.read(s.vars, w.user.program.parts[part.ref])
			}
		}
	}
	for _, x := range w.op().locals {
		if r, ok := x.whole(); ok {
			set(x.name, w.calling.locals[^r])
		}
	}
}

// take notes what the function of w changed.
func (p *processor) take(s *scriptState, w *walk) {
	for i, path := range w.user.program.parts {
		v := p.read(s.vars, path)
		if v.same(s.echo[i]) {
			continue
		}
		s.echo[i], s.seen[i] = v, v
		w.calling.changes = append(w.calling.changes, change{i, v})
	}
}

// fromJSON returns what JSON holds.
func (p *processor) fromJSON(s string) goja.Value {
	v, err := p.parse(goja.Undefined(), p.runtime.ToValue(s))
	if err != nil {
		return goja.Undefined()
	}
	return v
}
