package scenarios

import (
	"math"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// older is a condition of Artillery's older form, which the bound itself still meets.
func older(name, metric string, s shape, doc string) key[Config] {
	return key[Config]{name, optional, s, doc,
		func(p *parser, n *yaml.Node, c *Config) {
			if t, ok := p.threshold(n, n, metric, true); ok {
				c.Ensure = append(c.Ensure, t)
			}
		}}
}

var ensureSection = section[Config]{
	name:  "ensure",
	about: "Conditions on the whole run. One that does not hold fails it; one that could not be checked leaves it inconclusive.",
	keys: []key[Config]{
		older("maxErrorRate", "maxErrorRate", percentShape, "most percent of requests that may fail"),
		older("min", "http.response_time.min", boundShape, "bound of the shortest response time"),
		older("max", "http.response_time.max", boundShape, "bound of the longest response time"),
		older("median", "http.response_time.median", boundShape, "bound of the median response time"),
		older("p50", "http.response_time.p50", boundShape, "bound of the median response time"),
		older("p95", "http.response_time.p95", boundShape, "bound of the 95th percentile"),
		older("p99", "http.response_time.p99", boundShape, "bound of the 99th percentile"),
		{"thresholds", optional, listOf(mapOf("metrics", shape{"a number, or a duration", either(percentShape, boundShape).schema})),
			"metrics that must stay below a bound", func(p *parser, n *yaml.Node, c *Config) {
				for _, item := range p.list(n, "thresholds") {
					p.thresholds(item, c)
				}
			}},
		{"conditions", optional, listOf(to("condition")), "expressions over metrics that must hold",
			func(p *parser, n *yaml.Node, c *Config) {
				for _, item := range p.list(n, "conditions") {
					x := Condition{Pos: p.pos(item)}
					conditionSection.read(p, item, &x)
					c.Conditions = append(c.Conditions, x)
				}
			}},
	},
}

var conditionSection = section[Condition]{
	name:  "condition",
	about: "An expression over metrics: arithmetic, comparisons, `and`, `or`, `not`, `in`, and functions such as `max`.",
	keys: []key[Condition]{
		{"expression", required, textShape, "what must hold: http.codes.503 == 0 and apdex > 0.9",
			func(p *parser, n *yaml.Node, x *Condition) {
				x.Pos, x.Source = p.pos(n), p.name(n, "expression")
			}},
		{"strict", optional, truthShape, "whether the run fails if it does not hold; true unless told",
			func(p *parser, n *yaml.Node, x *Condition) {
				x.Lax = !p.truth(n, "strict")
			}},
	},
}

// thresholds reads a mapping from metrics to bounds.
func (p *parser) thresholds(n *yaml.Node, c *Config) {
	if n.Kind != yaml.MappingNode {
		p.at(n, `write "- http.response_time.p99: 250"`,
			"a threshold must be a mapping from a metric to its bound, not %s", kind(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		p.later = append(p.later, func() { // some are named after steps
			if msg, hint := p.unknownMetric(k.Value); msg != "" {
				p.at(k, hint, "%s", msg)
			}
		})
		if t, ok := p.threshold(k, v, k.Value, k.Value == "maxErrorRate"); ok {
			c.Ensure = append(c.Ensure, t)
		}
	}
}

// threshold reads one bound.
func (p *parser) threshold(k, n *yaml.Node, metric string, inclusive bool) (Threshold, bool) {
	t := Threshold{Pos: p.pos(k), Metric: metric, Inclusive: inclusive}
	s, ok := p.text(n, metric)
	if !ok {
		return t, false
	}
	f, ok := parseNumber(strings.TrimSuffix(s, "%"))
	switch {
	case ok && (!strings.HasSuffix(s, "%") || metric == "maxErrorRate"):
		t.Max = f
	case isTime(metric):
		d, ok := parseDuration(s)
		if !ok {
			p.bad(n, s, "write 250 or 250ms", "a number of milliseconds or a duration")
			return t, false
		}
		t.Max = float64(d) / float64(time.Millisecond)
	default:
		p.bad(n, s, "", "a number")
		return t, false
	}
	if t.Max < 0 || math.IsNaN(t.Max) {
		p.at(n, "", "%s must not be negative", metric)
		return t, false
	}
	return t, true
}
