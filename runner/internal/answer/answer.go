// Package answer finds what a script wants in the answers of a server, and checks them: captures and
// expectations, compiled once, evaluated for every answer. It is pure: it knows no clock, no network and
// no variables, and it decides nothing about what a missing capture or a failed check means.
//
// The laws of this package:
//
//  1. An answer is hostile. Nothing in it makes us panic, hang, or use memory without bound: JSON deeper
//     than 10,000, XML deeper than 1,000 and HTML deeper than 512 levels holds nothing.
//  2. A body is parsed at most once, as what a capture or check asks for, and not at all if none asks.
//  3. What is found is copied, because the body belongs to a buffer that the next answer is read into.
//  4. Finders and expectations may be used by any number of goroutines; a document by one.
package answer

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"loadkms/scenarios"
)

// A Finder finds one part of an answer. It is made by [Compile].
type Finder struct {
	compile func(expr string) (matcher, error)
	fixed   matcher // of an expression without holes; nil otherwise

	lock  sync.Mutex // guards known; held for a look-up, never while an expression is compiled
	known map[string]matcher
}

// A matcher finds one part of an answer. It may be used by several goroutines at once. The dice are for
// picking one of several results.
type matcher interface {
	find(d *Document, dice *rand.Rand) (Value, bool)
}

// mostKnown bounds the expressions a finder with holes remembers: more than the values a script draws
// from lists, less than the ids of a run.
const mostKnown = 64

// Compile returns the finder of a capture. An error says what is wrong with the expression, or with what
// goes with it, but not where it stands. An expression with holes can only be looked at when it is filled.
func Compile(c scenarios.Capture) (*Finder, error) {
	f := &Finder{}
	pick, err := pickOf(c)
	if err != nil {
		return nil, err
	}
	switch c.From {
	case scenarios.JSONPath:
		f.compile = func(expr string) (matcher, error) { return compileJSONPath(expr, pick, c.Multiple) }
	case scenarios.XPath:
		f.compile = func(expr string) (matcher, error) { return compileXPath(expr, pick) }
	case scenarios.Regexp:
		f.compile = func(expr string) (matcher, error) { return compileRegexp(expr, c.Flags, c.Group) }
	case scenarios.HeaderValue:
		f.compile = func(expr string) (matcher, error) { return header(expr), nil }
	case scenarios.Selector:
		f.compile = func(expr string) (matcher, error) { return compileSelector(expr, pick, c.Attr) }
	default:
		return nil, fmt.Errorf("unknown extractor %d", c.From)
	}
	if expr, ok := c.Expr.Literal(); ok {
		if f.fixed, err = f.compile(expr); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Body reports whether the finder looks at the body, which then must be kept whole.
func (f *Finder) Body() bool {
	_, ok := f.fixed.(header)
	return !ok
}

// Find returns what the finder finds in d, and false if that is nothing or an empty text. Expr is the
// expression with its holes filled, or "" if it has none. The dice pick one of several results.
func (f *Finder) Find(d *Document, expr string, dice *rand.Rand) (Value, bool) {
	m := f.fixed
	if m == nil {
		m = f.filled(expr)
	}
	if m == nil {
		return Value{}, false
	}
	v, ok := m.find(d, dice)
	return v, ok && v.Text != ""
}

// filled returns the matcher of an expression whose holes have been filled, or nil if it is not valid.
func (f *Finder) filled(expr string) matcher {
	f.lock.Lock()
	m, ok := f.known[expr]
	f.lock.Unlock()
	if ok {
		return m
	}
	m, err := f.compile(expr)
	if err != nil {
		m = nil // what an error means is the same as nothing found
	}
	f.lock.Lock()
	if f.known == nil || len(f.known) == mostKnown {
		f.known = make(map[string]matcher)
	}
	f.known[expr] = m
	f.lock.Unlock()
	return m
}

// A header is the name of one. It finds the first that is there.
type header string

func (h header) find(d *Document, _ *rand.Rand) (Value, bool) {
	value, ok := d.response.Header(string(h))
	if !ok {
		return Value{}, false
	}
	return textValue(string(value)), true
}
