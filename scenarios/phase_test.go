package scenarios

import (
	"fmt"
	"testing"
	"time"
)

// script returns a script whose config has these lines, and the target it needs.
func script(config string) string {
	return "config:\n  target: http://127.0.0.1:8080\n" + config + "scenarios:\n  - flow: [get: {url: /}]\n"
}

func TestPhases(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		name, mode, phase string
		want              Phase
		notes             int
	}{
		{"rate", "", "{duration: 10, arrivalRate: 5}", Phase{Duration: 10 * second, From: 5, To: 5, Scenario: -1}, 0},
		{"texts", "", `{duration: "10", arrivalRate: "5"}`, Phase{Duration: 10 * second, From: 5, To: 5, Scenario: -1}, 0},
		{"fractions", "", "{duration: 1.5, arrivalRate: 0.5}", Phase{Duration: 1500 * time.Millisecond, From: 0.5, To: 0.5, Scenario: -1}, 2},
		{"poisson", "", "{duration: 1, arrivalRate: 5, mode: poisson}", Phase{Duration: second, From: 5, To: 5, Poisson: true, Scenario: -1}, 0},
		{"config's mode", "poisson", "{duration: 1, arrivalRate: 5}", Phase{Duration: second, From: 5, To: 5, Poisson: true, Scenario: -1}, 0},
		{"uniform after all", "poisson", "{duration: 1, arrivalRate: 5, mode: uniform}", Phase{Duration: second, From: 5, To: 5, Scenario: -1}, 0},
		{"ramp", "poisson", "{duration: 1, rampTo: 5}", Phase{Duration: second, To: 5, Poisson: true, Scenario: -1}, 1},
		{"count is even", "poisson", "{duration: 1, arrivalCount: 5}", Phase{Duration: second, From: 5, To: 5, Scenario: -1}, 0},
		{"count whatever its mode", "", "{duration: 1, arrivalCount: 5, mode: poisson}", Phase{Duration: second, From: 5, To: 5, Scenario: -1}, 1},
		{"no arrivals", "poisson", "{duration: 1, arrivalRate: 0}", Phase{Duration: second, Scenario: -1}, 1},
		{"bursts", "poisson", "{duration: 1m, every: 10s, count: 50}",
			Phase{Duration: 60 * second, Every: 10 * second, Burst: 50, Scenario: -1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := fmt.Sprintf("  phases: [%s]\n", c.phase)
			if c.mode != "" {
				config += "  mode: " + c.mode + "\n"
			}
			s := mustParse(t, "x.yaml", script(config), Options{})
			same(t, "phases", s.Config.Phases, []Phase{c.want})
			if len(s.Notes) != c.notes {
				t.Errorf("got notes %v, want %d", s.Notes, c.notes)
			}
		})
	}
}
