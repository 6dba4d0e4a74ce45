package result

import (
	"testing"
	"time"
)

func TestLate(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name       string
		p99, limit time.Duration
		allowed    time.Duration
		late       bool
	}{
		{"nothing measured", 0, 0, 10 * ms, false},
		{"at the default", 10 * ms, 0, 10 * ms, false},
		{"beyond the default", 10*ms + 1, 0, 10 * ms, true},
		{"at a limit of its own", 50 * ms, 50 * ms, 50 * ms, false},
		{"beyond a stricter one", 5 * ms, 2 * ms, 2 * ms, true},
		{"a limit that is none", 11 * ms, -1, 10 * ms, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := Generator{Lateness: Distribution{P99: c.p99, Max: time.Hour}, LateLimit: c.limit}
			if got := g.Late(); got != c.late {
				t.Errorf("late: got %v, want %v", got, c.late)
			}
			if got := g.LateAllowed(); got != c.allowed {
				t.Errorf("allowed: got %v, want %v", got, c.allowed)
			}
		})
	}
}

func TestExhausted(t *testing.T) {
	for _, c := range []struct {
		name string
		g    Generator
		want bool
	}{
		{"nothing known", Generator{}, false},
		{"no limit", Generator{Files: 1 << 20}, false},
		{"half of them", Generator{Files: 512, FilesLimit: 1024}, false},
		{"a hundredth left", Generator{Files: 1014, FilesLimit: 1024}, false},
		{"less than that", Generator{Files: 1015, FilesLimit: 1024}, true},
		{"one of a few left", Generator{Files: 9, FilesLimit: 10}, false},
		{"none of a few left", Generator{Files: 10, FilesLimit: 10}, true},
		{"a request that could not be sent", Generator{Lacks: map[string]uint64{"local ports": 1}}, true},
		{"ports", Generator{Ports: 28_232, PortsLimit: 28_232}, true},
	} {
		if got := c.g.Exhausted(); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
