package answer

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/andybalholm/cascadia"
	"github.com/antchfx/htmlquery"
	"github.com/antchfx/xmlquery"
	"github.com/antchfx/xpath"
	"golang.org/x/net/html"
)

// An xpathMatcher finds a node, or what an expression makes of nodes, in XML or HTML.
type xpathMatcher struct {
	exprs *sync.Pool // of *xpath.Expr: evaluating one changes it
	pick  pick
}

func compileXPath(expr string, pick pick) (matcher, error) {
	first, err := newXPath(expr)
	if err != nil {
		return nil, fmt.Errorf("%q is not an XPath: %w", expr, err)
	}
	exprs := &sync.Pool{New: func() any {
		again, _ := newXPath(expr) // it has compiled before
		return again
	}}
	exprs.Put(first)
	return xpathMatcher{exprs, pick}, nil
}

// newXPath compiles an XPath. The library panics about some that are wrong.
func newXPath(expr string) (x *xpath.Expr, err error) {
	defer func() {
		if r := recover(); r != nil {
			x, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return xpath.Compile(expr)
}

func (m xpathMatcher) find(d *Document, dice *rand.Rand) (v Value, ok bool) {
	var top xpath.NodeNavigator
	if d.isHTML() {
		root := d.page()
		if root == nil {
			return Value{}, false
		}
		top = htmlquery.CreateXPathNavigator(root)
	} else {
		root := d.markup()
		if root == nil {
			return Value{}, false
		}
		top = xmlquery.CreateXPathNavigator(root)
	}
	// The library panics where a function gets what it does not take, such as contains(count(//a), "x").
	defer func() {
		if recover() != nil {
			v, ok = Value{}, false
		}
	}()
	expr := m.exprs.Get().(*xpath.Expr)
	switch got := expr.Evaluate(top).(type) {
	case *xpath.NodeIterator:
		v, ok = m.choose(got, dice)
	case float64:
		v, ok = valueOf(wholeNumber(got)), got == got // not NaN
	case string:
		v, ok = textValue(got), true
	case bool:
		v, ok = valueOf(got), true
	}
	m.exprs.Put(expr)
	return v, ok
}

// choose returns the text of the picked node. Only as many nodes are looked at as the pick needs.
func (m xpathMatcher) choose(nodes *xpath.NodeIterator, dice *rand.Rand) (Value, bool) {
	var texts []xpath.NodeNavigator
	for nodes.MoveNext() {
		texts = append(texts, nodes.Current().Copy())
		if m.pick >= 0 && len(texts) > int(m.pick) {
			break
		}
	}
	i, ok := m.pick.of(len(texts), dice)
	if !ok {
		return Value{}, false
	}
	return textValue(texts[i].Value()), true
}

// wholeNumber returns what count() and its like yield without a fraction that is not there.
func wholeNumber(f float64) any {
	if n := int64(f); float64(n) == f {
		return n
	}
	if text := strconv.FormatFloat(f, 'g', -1, 64); text == "+Inf" || text == "-Inf" {
		return text // JSON has no such number
	}
	return f
}

// A selector finds an element of HTML.
type selector struct {
	group cascadia.SelectorGroup
	pick  pick
	attr  string // "" means the element's text
}

func compileSelector(expr string, pick pick, attr string) (matcher, error) {
	group, err := cascadia.ParseGroup(expr)
	if err != nil {
		return nil, fmt.Errorf("%q is not a CSS selector: %w", expr, err)
	}
	return selector{group, pick, attr}, nil
}

func (s selector) find(d *Document, dice *rand.Rand) (Value, bool) {
	root := d.page()
	if root == nil {
		return Value{}, false
	}
	var element *html.Node
	if s.pick == 0 {
		if element = cascadia.Query(root, s.group); element == nil {
			return Value{}, false
		}
	} else {
		all := cascadia.QueryAll(root, s.group)
		i, ok := s.pick.of(len(all), dice)
		if !ok {
			return Value{}, false
		}
		element = all[i]
	}
	if s.attr == "" {
		return textValue(htmlquery.InnerText(element)), true
	}
	return textValue(htmlquery.SelectAttr(element, s.attr)), true // "" if there is none
}
