package answer

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// A pattern is a regular expression of JavaScript's. Its time is linear (RE2) unless it looks ahead,
// behind or back, which RE2 cannot; then it is bounded.
type pattern struct {
	linear *regexp.Regexp
	other  *regexp2.Regexp // if linear is nil
}

// Bounds of patterns that RE2 cannot match: meanwhile nothing else happens on this CPU.
const (
	// longestMatch is far above what a match takes that ends at all: on a busy machine 100ms once passed
	// while a pattern was not being matched, but waited for its turn.
	longestMatch = time.Second
	mostMatched  = 4 << 20 // bytes; each takes four
)

// compilePattern returns a pattern with flags of JavaScript's. g, u, v, y and d change nothing here: only
// the first match counts, and texts are Unicode.
func compilePattern(expr, flags string) (*pattern, error) {
	var re2 string
	options := regexp2.ECMAScript | regexp2.Unicode
	for _, flag := range flags {
		switch flag {
		case 'i':
			re2, options = re2+"i", options|regexp2.IgnoreCase
		case 'm':
			re2, options = re2+"m", options|regexp2.Multiline
		case 's':
			re2, options = re2+"s", options|regexp2.Singleline
		case 'g', 'u', 'v', 'y', 'd':
		default:
			return nil, fmt.Errorf("unknown flag %q of a regular expression: they are d, g, i, m, s, u, v and y", flag)
		}
	}
	source := expr
	if re2 != "" {
		source = "(?" + re2 + ")" + expr
	}
	linear, err := regexp.Compile(source)
	if err == nil {
		return &pattern{linear: linear}, nil
	}
	other, err := regexp2.Compile(expr, options)
	if err != nil {
		return nil, fmt.Errorf("%q is not a regular expression: %s", expr, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	other.MatchTimeout = longestMatch
	return &pattern{other: other}, nil
}

// matches reports whether the pattern is found in body.
func (p *pattern) matches(body []byte) bool {
	if p.linear != nil {
		return p.linear.Match(body)
	}
	if len(body) > mostMatched {
		return false
	}
	ok, err := p.other.MatchString(string(body))
	return ok && err == nil // an error means that it took too long
}

// group returns the number of a group given by number or name, and false if there is no such group.
func (p *pattern) group(name string) (int, bool) {
	n, err := strconv.Atoi(name)
	if p.linear != nil {
		if err != nil {
			n = p.linear.SubexpIndex(name)
		}
		return n, n >= 0 && n <= p.linear.NumSubexp()
	}
	if err != nil {
		n = p.other.GroupNumberFromName(name)
	}
	for _, known := range p.other.GetGroupNumbers() {
		if n == known {
			return n, true
		}
	}
	return 0, false
}

// first returns what a group matched, the first time the pattern is found in body.
func (p *pattern) first(body []byte, group int) (string, bool) {
	if p.linear != nil {
		at := p.linear.FindSubmatchIndex(body)
		if at == nil || at[2*group] < 0 {
			return "", false
		}
		return string(body[at[2*group]:at[2*group+1]]), true
	}
	if len(body) > mostMatched {
		return "", false
	}
	match, err := p.other.FindStringMatch(string(body))
	if err != nil || match == nil {
		return "", false
	}
	g := match.GroupByNumber(group)
	if g == nil || len(g.Captures) == 0 {
		return "", false
	}
	return strings.Clone(g.String()), true // a short group must not hold on to a large body
}

// A grouped pattern finds what one of its groups matched.
type grouped struct {
	pattern *pattern
	group   int
}

func compileRegexp(expr, flags, group string) (matcher, error) {
	p, err := compilePattern(expr, flags)
	if err != nil {
		return nil, err
	}
	g := grouped{pattern: p}
	if group != "" {
		var ok bool
		if g.group, ok = p.group(group); !ok {
			return nil, fmt.Errorf("the regular expression %q has no group %q", expr, group)
		}
	}
	return g, nil
}

func (g grouped) find(d *Document, _ *rand.Rand) (Value, bool) {
	text, ok := g.pattern.first(d.body, g.group)
	if !ok {
		return Value{}, false
	}
	return textValue(text), true
}
