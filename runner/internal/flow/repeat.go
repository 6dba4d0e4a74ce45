package flow

import (
	"math"
	"strconv"
	"strings"

	"loadkms/scenarios"
)

// A loop is one compiled loop. Its variables are of the walk.
type loop struct {
	depth    int // how many loops are around it
	from, to int // of a count
	counts   text
	over     []constantOf // a list in the script: values for the variable of elements
	elements bool         // it goes over a list, which is over or in list
	list     ref
	inList   bool
	value    *variable
	element  *variable
}

// A round says where a walk is in a loop.
type round struct {
	i, n int
	from int
	list []any // of a list in a variable
}

// mostSequences bounds the numbers of $sequence() that one flow is dealt; beyond, it takes what is left.
const mostSequences = 1 << 30

// loop compiles a loop. It asks for the numbers of $sequence() for as many passes as are known.
func (c *compiler) loop(st *scenarios.Step) (sequences int) {
	in := st.Loop
	l := &loop{depth: c.depth, from: in.From, to: in.To, counts: c.text(in.CountText), elements: in.Over != nil || in.OverVar != ""}
	if in.OverVar != "" {
		l.list, l.inList = c.ref(in.OverVar, in.Pos), true
	}
	name := func(given, other string) *variable {
		if given == "" {
			given = other
		}
		x := &variable{name: given}
		c.loops = append(c.loops, x)
		return x
	}
	passes := 1
	switch {
	case in.Over != nil:
		passes = len(in.Over)
	case in.Count && !l.elements:
		passes = max(0, in.To-in.From)
	case in.While.Name != "" && !l.elements && len(l.counts.parts) == 0:
		l.to = math.MaxInt // until the function says so
	}
	begin := c.add(op{kind: loops, at: in.Pos, step: -1, loop: l})
	l.value, l.element = name(in.Value, "$loopCount"), name(in.Element, "$loopElement")
	c.depth++
	c.p.loops = max(c.p.loops, c.depth)
	sequences = min(c.flow(st.Steps), mostSequences/max(1, passes)) * passes
	while := -1
	if in.While.Name != "" {
		while = c.call(in.While, whileHook)
	}
	c.depth--
	c.loops = c.loops[:len(c.loops)-2]
	c.add(op{kind: repeats, at: in.Pos, step: -1, loop: l, to: begin + 1})
	c.ops[begin].to = len(c.ops)
	if while >= 0 {
		c.ops[while].to = len(c.ops)
	}
	for _, v := range in.Over {
		k := constantOf{variable: l.element, values: []value{valueOfAny(v)}}
		k.fix()
		l.over = append(l.over, k)
	}
	return sequences
}

// enter begins l, and reports false if there is nothing to do. A count that is none is an error.
func (w *walk) enter(l *loop) (ok bool, err error) {
	r := &w.rounds[l.depth]
	*r = round{from: l.from, n: l.to - l.from}
	switch {
	case l.inList:
		r.from = 0
		document, _ := w.value(l.list).decode()
		r.list, _ = document.([]any) // anything else has no elements
		r.n = len(r.list)
	case l.elements:
		r.from, r.n = 0, len(l.over)
	case len(l.counts.parts) > 0:
		var rendered bool
		if w.text, rendered = l.counts.render(w, w.text[:0], asIs); !rendered {
			return false, w.missing()
		}
		from, to, ok := countOf(string(w.text))
		if !ok {
			return false, &unreadableError{"a number of passes", string(w.text)}
		}
		r.from, r.n = from, to-from
	}
	if r.n <= 0 {
		return false, nil
	}
	w.turn(l)
	return true, nil
}

// again goes to the next pass of l, and reports false if there is none.
func (w *walk) again(l *loop) bool {
	r := &w.rounds[l.depth]
	if r.i++; r.i >= r.n {
		r.list = nil
		return false
	}
	w.turn(l)
	return true
}

// turn sets the variables of l for the present pass.
func (w *walk) turn(l *loop) {
	r := &w.rounds[l.depth]
	if len(l.value.parts) > 0 {
		w.set(l.value, valueOfInt(r.from+r.i))
	}
	switch {
	case len(l.element.parts) == 0:
	case l.inList:
		w.set(l.element, valueOfAny(r.list[r.i]))
	case l.elements:
		w.give(&l.over[r.i], 0)
	default:
		w.set(l.element, valueOfInt(r.from+r.i))
	}
}

// countOf reads "5", which means 0 to 5, or "2-5". The end is not included.
func countOf(s string) (from, to int, ok bool) {
	s = strings.TrimSpace(s)
	if to, err := strconv.Atoi(s); err == nil {
		return 0, to, true
	}
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		return 0, 0, false
	}
	from, err1 := strconv.Atoi(strings.TrimSpace(a))
	to, err2 := strconv.Atoi(strings.TrimSpace(b))
	return from, to, err1 == nil && err2 == nil
}
