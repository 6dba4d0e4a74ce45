package scenarios

import (
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// year bounds durations, so that sums of them never overflow.
const year = 366 * 24 * time.Hour

// list returns the items of n, which is called what.
func (p *parser) list(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		p.at(n, `begin each item with "- "`, "%s must be a list, not %s", what, kind(n))
		return nil
	}
	return n.Content
}

// oneOrList returns the items of a list, or the value itself if it is not one.
func oneOrList(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

// raw returns the text of n as written, holes included. A value that is none should have been a want,
// such as "a text".
func (p *parser) raw(n *yaml.Node, what, want string) (string, bool) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		p.at(n, "", "%s must be %s, not %s", what, want, kind(n))
		return "", false
	}
	return n.Value, true
}

// text returns the text of n, its holes filled from config.variables.
func (p *parser) text(n *yaml.Node, what string) (string, bool) { return p.plain(n, what, "a text") }

// plain returns the text of n, which stands for a want, its holes filled from config.variables.
func (p *parser) plain(n *yaml.Node, what, want string) (string, bool) {
	s, ok := p.raw(n, what, want)
	if !ok || !strings.Contains(s, "{{") {
		return s, ok
	}
	return p.fill(n, s)
}

// name is text that is not empty.
func (p *parser) name(n *yaml.Node, what string) string {
	s, ok := p.text(n, what)
	if ok && strings.TrimSpace(s) == "" {
		p.at(n, "", "%s must not be empty", what)
	}
	return s
}

// word is text that must be one of known.
func (p *parser) word(n *yaml.Node, what string, known []string) (string, bool) {
	s, ok := p.text(n, what)
	if ok && !contains(known, s) {
		p.at(n, meant(s, known, "known here:"), "unknown %s %s", what, quote(s))
		return "", false
	}
	return s, ok
}

// bad reports that the value of n cannot be read as what it should be.
func (p *parser) bad(n *yaml.Node, got, hint, want string) {
	from := ""
	if got != n.Value {
		from = " (from " + quote(n.Value) + ")"
	}
	p.at(n, hint, "%s%s is not %s", quote(got), from, want)
}

// truth reads true or false.
func (p *parser) truth(n *yaml.Node, what string) bool {
	s, ok := p.plain(n, what, "true or false")
	if ok && s != "true" && s != "false" {
		hint := "write true or false"
		if suggest(s, []string{"true", "false"}) != "" {
			hint = meant(s, []string{"true", "false"}, "")
		}
		p.bad(n, s, hint, "true or false")
	}
	return ok && s == "true"
}

var numberForm = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$`)

func parseNumber(s string) (float64, bool) {
	if s = strings.TrimSpace(s); !numberForm.MatchString(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// number reads a real number that is not negative.
func (p *parser) number(n *yaml.Node, what string) (float64, bool) {
	s, ok := p.plain(n, what, "a number")
	if !ok {
		return 0, false
	}
	f, ok := parseNumber(s)
	if !ok {
		p.bad(n, s, "", "a number")
		return 0, false
	}
	if f < 0 {
		p.at(n, "", "%s must not be negative, and %s is", what, quote(s))
		return 0, false
	}
	return f, true
}

// whole reads a whole number between least and most.
func (p *parser) whole(n *yaml.Node, what string, least, most int) (int, bool) {
	s, ok := p.plain(n, what, "a whole number")
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		p.bad(n, s, "", "a whole number")
		return 0, false
	}
	if i < least || i > most {
		p.at(n, "", "%s must be between %d and %d, not %d", what, least, most, i)
		return 0, false
	}
	return i, true
}

// units are those of Go and those of the npm module ms, which Artillery reads durations with.
var units = unitTable()

func unitTable() map[string]time.Duration {
	table := map[string]time.Duration{}
	for _, u := range []struct {
		length time.Duration
		names  string
	}{
		{time.Nanosecond, "ns"},
		{time.Microsecond, "us µs μs"},
		{time.Millisecond, "ms msec msecs millisecond milliseconds"},
		{time.Second, "s sec secs second seconds"},
		{time.Minute, "m min mins minute minutes"},
		{time.Hour, "h hr hrs hour hours"},
		{24 * time.Hour, "d day days"},
		{7 * 24 * time.Hour, "w week weeks"},
		{8766 * time.Hour, "y yr yrs year years"}, // 365.25 days, as in ms
	} {
		for _, name := range strings.Fields(u.names) {
			table[name] = u.length
		}
	}
	return table
}

var durationPart = regexp.MustCompile(`^(\d+\.?\d*|\.\d+)\s*([a-zµμ]+)\s*`)

// parseDuration reads a number of seconds, or numbers with units.
func parseDuration(s string) (time.Duration, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	total := 0.0
	if f, ok := parseNumber(s); ok {
		if f < 0 {
			return 0, false
		}
		total = f * float64(time.Second)
	} else {
		if s == "" {
			return 0, false
		}
		for s != "" {
			m := durationPart.FindStringSubmatch(s)
			if m == nil {
				return 0, false
			}
			unit, known := units[m[2]]
			f, ok := parseNumber(m[1])
			if !known || !ok {
				return 0, false
			}
			total += f * float64(unit)
			s = s[len(m[0]):]
		}
	}
	if total > float64(10*year) {
		return 10 * year, true // too long for anybody; callers say so
	}
	return time.Duration(math.Round(total)), true
}

const durationHint = "write a number of seconds, or one with a unit: 90s, 2m30s, 500ms"

// duration reads a duration that is not negative.
func (p *parser) duration(n *yaml.Node, what string) (time.Duration, bool) {
	s, ok := p.plain(n, what, "a number of seconds or one with a unit")
	if !ok {
		return 0, false
	}
	d, ok := parseDuration(s)
	if !ok {
		p.bad(n, s, durationHint, "a duration")
		return 0, false
	}
	if d > year {
		p.at(n, "", "%s must not be longer than a year, and %s is", what, quote(s))
		return 0, false
	}
	return d, true
}

// span reads a duration longer than nothing.
func (p *parser) span(n *yaml.Node, what string) (time.Duration, bool) {
	d, ok := p.duration(n, what)
	if ok && d == 0 {
		p.at(n, "", "%s must be longer than 0", what)
		return 0, false
	}
	return d, ok
}

// baseURL reads a URL of a server.
func (p *parser) baseURL(n *yaml.Node, what string) string {
	s, ok := p.plain(n, what, "a URL")
	if ok && !isBaseURL(s) {
		p.bad(n, s, "write http://… or https://…", "a URL")
	}
	return s
}

func isBaseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		u.Fragment == "" && u.RawQuery == ""
}
