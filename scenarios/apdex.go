package scenarios

import (
	"time"

	"gopkg.in/yaml.v3"
)

// defaultApdex is the response time users are satisfied with unless told, as in Artillery.
const defaultApdex = 500 * time.Millisecond

// apdex reads config.apdex, or the options of the plugin.
func (p *parser) apdex(n *yaml.Node, c *Config) {
	if c.Apdex == 0 {
		c.Apdex = defaultApdex
	}
	if !isNull(n) {
		apdexSection.read(p, n, c)
	}
}

var apdexSection = section[Config]{
	name:  "apdex",
	about: "Counts how satisfied users are with response times: up to the threshold they are, up to four times that they tolerate it.",
	keys: []key[Config]{
		{"threshold", optional, boundShape, "500 milliseconds unless told",
			func(p *parser, n *yaml.Node, c *Config) {
				t, ok := p.threshold(n, n, "http.response_time.p50", false)
				if ok && (t.Max == 0 || t.Max > float64(time.Hour/time.Millisecond)) {
					p.at(n, "", "threshold must be more than 0 and at most an hour")
				}
				c.Apdex = time.Duration(t.Max * float64(time.Millisecond))
			}},
	},
}
