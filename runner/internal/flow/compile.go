package flow

import (
	"fmt"
	"slices"

	"loadkms/result"
	"loadkms/scenarios"
)

// A compiler compiles one script, collecting problems.
type compiler struct {
	p         *Program
	script    *scenarios.Script
	base      string // the target
	processor bool   // a processor may set any variable
	names     map[string]*variable
	declared  map[string]bool // names that get values somewhere
	scalar    map[string]bool // names of which the value has no parts
	templates bool            // $template() is called
	problems  []*scenarios.Problem

	// Of the present flow.
	in    *scenarios.Scenario
	quiet bool // its requests are not in the metrics
	ops   []op
	loops []*variable // of the loops around the present step, two for each
	depth int         // how many loops are around it
}

func (c *compiler) problem(at scenarios.Pos, hint, format string, args ...any) {
	c.problems = append(c.problems, &scenarios.Problem{File: at.File, Line: at.Line, Col: at.Col,
		Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// constant compiles a variable of config.
func (c *compiler) constant(v *scenarios.Variable) {
	k := constantOf{variable: c.declare(v.Name)}
	c.scalar[v.Name] = true
	for i, s := range v.Values {
		var typed any = s
		if i < len(v.Typed) {
			typed = v.Typed[i]
		}
		switch typed.(type) {
		case map[string]any, []any:
			c.scalar[v.Name] = false
		}
		k.values = append(k.values, valueOf(s, typed))
	}
	if len(k.values) == 0 { // an empty list: the variable has no value
		k.values = []value{{}}
	}
	c.p.constants = append(c.p.constants, k)
}

// captured declares what steps capture.
func (c *compiler) captured(steps []scenarios.Step) {
	for i := range steps {
		for j := range steps[i].Capture {
			name := steps[i].Capture[j].As
			c.declare(name)
			delete(c.scalar, name)
		}
		c.captured(steps[i].Steps)
	}
}

// scenario compiles one flow, with what is called around it.
func (c *compiler) scenario(in *scenarios.Scenario) scenario {
	out := scenario{name: in.Name, first: -1}
	c.in, c.ops = in, nil
	c.calls(in.BeforeScenario, plainHook)
	out.sequences = min(c.flow(in.Flow), mostSequences)
	c.calls(in.AfterScenario, plainHook)
	out.end = len(c.ops)
	c.calls(in.OnError, errorHook)
	out.ops = c.ops
	for i := range out.ops {
		if out.ops[i].kind == requests {
			out.first = out.ops[i].step
			break
		}
	}
	// A function that fails, and a value that is missing, fail the request they prepare: the next one,
	// or else the one before.
	next := -1
	for i := out.end - 1; i >= 0; i-- {
		if o := &out.ops[i]; o.kind == requests {
			next = o.step
		} else if o.step < 0 {
			o.step = next
		}
	}
	before := -1
	for i := range out.ops[:out.end] {
		if o := &out.ops[i]; o.kind == requests {
			before = o.step
		} else if o.step < 0 {
			o.step = before
		}
	}
	return out
}

// add appends an op and returns its index.
func (c *compiler) add(o op) int {
	c.ops = append(c.ops, o)
	return len(c.ops) - 1
}

// calls adds calls of functions.
func (c *compiler) calls(functions []scenarios.Func, h hook) {
	for _, f := range functions {
		c.call(f, h)
	}
}

// call adds a call of one function and returns the op's index.
func (c *compiler) call(f scenarios.Func, h hook) int {
	o := op{kind: functions, at: f.Pos, step: -1, hook: h, call: c.function(f)}
	if c.processor {
		for _, x := range c.loops {
			c.part(x, nil)
			o.locals = append(o.locals, x)
		}
	}
	return c.add(o)
}

// flow compiles steps and returns how many numbers of $sequence() they use.
func (c *compiler) flow(steps []scenarios.Step) (sequences int) {
	for i := range steps {
		st := &steps[i]
		o := op{at: st.Pos, step: -1}
		switch st.Kind {
		case scenarios.Request:
			sequences += c.exchange(st)
		case scenarios.Think:
			o.kind, o.pause = thinks, max(st.Pause, 0)
			o.text = c.text(st.PauseText)
			c.add(o)
		case scenarios.Log:
			o.kind, o.text = logs, c.text(st.Text)
			c.add(o)
		case scenarios.Function:
			c.call(scenarios.Func{Pos: st.Pos, Name: st.Func}, plainHook)
		case scenarios.Loop:
			sequences += c.loop(st)
		case scenarios.Parallel:
			sequences += c.parallel(st)
		}
	}
	return sequences
}

// exchange compiles a request with what decides whether it is made, and what is called around it.
func (c *compiler) exchange(st *scenarios.Step) (sequences int) {
	var skips []int // ops that go past the request
	step := -1
	if !c.quiet {
		step = len(c.p.steps)
		name := st.Name
		if name == "" {
			name = st.Method + " " + st.URL.Source
		}
		c.p.steps = append(c.p.steps, result.Step{Scenario: c.in.Name, Name: name})
	}
	from := len(c.ops)
	if st.Skip > 0 {
		skips = append(skips, c.add(op{kind: chances, at: st.Pos, share: st.Skip}))
	}
	if st.If != "" {
		skips = append(skips, c.condition(st))
	}
	o := c.request(st)
	c.calls(slices.Concat(c.in.BeforeRequest, st.Before), beforeHook)
	c.add(op{kind: requests, at: st.Pos, request: o})
	c.calls(slices.Concat(c.in.AfterResponse, st.After), afterHook)
	for i := range c.ops[from:] {
		c.ops[from+i].step, c.ops[from+i].request = step, o
	}
	for _, i := range skips {
		c.ops[i].to = len(c.ops)
	}
	if o.sequence {
		sequences = 1
	}
	return sequences
}

// parallel compiles steps side by side.
func (c *compiler) parallel(st *scenarios.Step) (sequences int) {
	at := c.add(op{})
	o := op{kind: forks, at: st.Pos, step: -1, limit: st.Limit}
	if o.limit <= 0 {
		o.limit = 100 // as in Artillery
	}
	for i := range st.Steps {
		b := branch{from: len(c.ops), sequence: uint64(sequences)}
		n := c.flow(st.Steps[i : i+1])
		sequences += n
		b.to, b.sequences = len(c.ops), uint64(n)
		o.branches = append(o.branches, b)
	}
	o.to, o.sequences = len(c.ops), sequences
	c.ops[at] = o
	return sequences
}

// function returns the index of a function of the processor.
func (c *compiler) function(f scenarios.Func) int {
	switch {
	case c.p.processor != nil:
		i, ok := c.p.processor.find(f.Name)
		if !ok {
			hint := scenarios.Meant(f.Name, c.p.processor.names(), "it exports:")
			c.problem(f.Pos, hint, "%s exports no function %q", c.script.Config.Processor, f.Name)
		}
		return i
	case !c.processor:
		c.problem(f.Pos, "name its file in config.processor", "the function %q has no processor to be in", f.Name)
	}
	return 0
}
