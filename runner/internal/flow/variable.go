package flow

import (
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"loadkms/scenarios"
)

// A ref says where the value of a variable is, or of something in it: a slot of the user or, if it is
// negative, the slot ^ref of the walk. Variables of loops are the walk's, so that loops side by side
// do not count each other's passes.
type ref int

// value returns what r refers to.
func (w *walk) value(r ref) *value {
	if r >= 0 {
		return &w.user.slots[r]
	}
	return &w.locals[^r]
}

// A variable is a name, with the parts of its value that something of the program reads.
type variable struct {
	name  string
	parts []variablePart
}

// A variablePart is a part of a variable's value.
type variablePart struct {
	path []string // into the value; empty: the whole of it
	ref  ref
}

// set gives x the value v.
func (w *walk) set(x *variable, v value) {
	var document any
	decoded := false
	for i := range x.parts {
		p := &x.parts[i]
		if len(p.path) == 0 || !v.set {
			*w.value(p.ref) = v
			continue
		}
		if !decoded {
			document, _ = v.decode()
			decoded = true
		}
		*w.value(p.ref) = valueAt(document, p.path)
	}
}

// whole returns where the whole value of x is, and false if nothing reads that.
func (x *variable) whole() (ref, bool) {
	for i := range x.parts {
		if len(x.parts[i].path) == 0 {
			return x.parts[i].ref, true
		}
	}
	return 0, false
}

// A constantOf gives a variable one of a few values that are known before the run.
type constantOf struct {
	*variable
	values []value
	parts  [][]value // for each of values, those of the variable's parts
}

// fix computes the parts, when all of them are known.
func (k *constantOf) fix() {
	for _, v := range k.values {
		var parts []value
		for _, p := range k.variable.parts {
			parts = append(parts, v.at(p.path))
		}
		k.parts = append(k.parts, parts)
	}
}

// give gives w the i-th of k's values.
func (w *walk) give(k *constantOf, i int) {
	for j, v := range k.parts[i] {
		*w.value(k.variable.parts[j].ref) = v
	}
}

// variable returns the variable called name, of a loop around the present step or else of the user.
func (c *compiler) variable(name string) *variable {
	for _, x := range slices.Backward(c.loops) {
		if x.name == name {
			return x
		}
	}
	x := c.names[name]
	if x == nil {
		x = &variable{name: name}
		c.names[name] = x
		c.p.names = append(c.p.names, x)
	}
	return x
}

// declare says that the user's variable called name gets values, so that it may be used.
func (c *compiler) declare(name string) *variable {
	x := c.names[name]
	if x == nil {
		x = &variable{name: name}
		c.names[name] = x
		c.p.names = append(c.p.names, x)
	}
	c.declared[name] = true
	if c.processor { // its functions may read anything
		c.part(x, nil)
	}
	return x
}

// part returns the ref of the part of x at path.
func (c *compiler) part(x *variable, path []string) ref {
	for i := range x.parts {
		if slices.Equal(x.parts[i].path, path) {
			return x.parts[i].ref
		}
	}
	var r ref
	if slices.Contains(c.loops, x) {
		r = ^ref(c.p.locals)
		c.p.locals++
	} else {
		r = ref(len(c.p.parts))
		c.p.parts = append(c.p.parts, append([]string{x.name}, path...))
	}
	x.parts = append(x.parts, variablePart{path, r})
	return r
}

// ref returns the ref of a variable as a template names it, with its path.
func (c *compiler) ref(name string, at scenarios.Pos) ref {
	path := propertyPath(name)
	x := c.variable(path[0])
	if !c.processor && !c.declared[path[0]] && !slices.Contains(c.loops, x) {
		c.problem(at, "set it in config.variables", "unknown variable %q", path[0])
	}
	if !c.processor && c.scalar[path[0]] && len(path) > 1 {
		c.problem(at, "", "the variable %q is one value and has no %q", path[0], strings.Join(path[1:], "."))
	}
	return c.part(x, path[1:])
}

// environment returns the value of a variable of the process, if name is one.
func environment(name string) (value string, is, ok bool) {
	for _, root := range []string{"$processEnvironment.", "$env."} {
		if key, found := strings.CutPrefix(name, root); found {
			value, ok = os.LookupEnv(key)
			return value, true, ok
		}
	}
	return "", false, false
}

// builtIns are the variables every script has; its own come later, and win.
func (c *compiler) builtIns() {
	file, err := filepath.Abs(c.script.File)
	if err != nil {
		file = c.script.File
	}
	one := func(name, text string) {
		c.declared[name] = true // functions of the processor see it without a slot
		c.p.constants = append(c.p.constants, constantOf{variable: c.variable(name), values: []value{valueOf(text, text)}})
	}
	one("target", c.base)
	one("$scenarioFile", c.script.File)
	one("$dirname", filepath.Dir(file))
	one("$testId", uuidOf(rand.New(rand.NewPCG(c.p.seed, testStream))))
	c.p.uuid = c.declare("$uuid")
}

// Streams of random numbers that are apart from those of users.
const (
	testStream = iota + 1
	uuidStream
	boundaryStream
)

// uuidOf returns a random UUID (version 4) of dice.
func uuidOf(dice *rand.Rand) string { return string(appendUUID(nil, dice)) }

func appendUUID(b []byte, dice *rand.Rand) []byte {
	var u [16]byte
	for i := range 2 {
		x := dice.Uint64()
		for j := range 8 {
			u[8*i+j] = byte(x >> (8 * j))
		}
	}
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	for i, cut := range [...][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, u[cut[0]:cut[1]])
	}
	return b
}
