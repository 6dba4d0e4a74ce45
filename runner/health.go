package runner

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"loadkms/result"
)

const (
	// saturated is the share of its processors a process does not get beyond by being busy for an instant.
	saturated = 0.95
	// saturation is how long it must last: a collector's cycle or a page of JavaScript is over sooner.
	saturation = 3 * time.Second
	// glance is the least time between two looks at the processors: over less, a share means nothing.
	glance = 500 * time.Millisecond
)

// A resource is something the process can run out of. Zeros mean that nothing is known.
type resource struct {
	ask   func() (used, limit int) // how much is in use, and how much there is; nil means that nobody knows
	used  int                      // the most that was in use at any look
	limit int                      // then
}

// look asks how much is in use.
func (r *resource) look() {
	if r.ask == nil {
		return
	}
	if used, limit := r.ask(); used > r.used || r.limit == 0 {
		r.used, r.limit = used, limit
	}
}

// A health watches what the load generator spends, looking now and then, and remembers which limits of its
// own it hit. It costs the hot path nothing. Its methods are called by one goroutine at a time.
type health struct {
	files, ports resource

	began spending // when the run began; the generator's figures count from there
	last  spending // at the last look at the processors

	collected int64         // cycles of the collector at the last look
	pause     time.Duration // the longest of its pauses
	busy      time.Duration // how long the processors have been saturated by now
	longest   time.Duration // the longest of such stretches
}

// A spending is what the process has spent at one moment.
type spending struct {
	at, cpu, pause time.Duration
	cycles         int64
}

// spent returns what the process has spent, and the collector's latest pauses, youngest first.
func spent(at time.Duration) (spending, []time.Duration) {
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	return spending{at: at, cpu: cpuTime(), pause: gc.PauseTotal, cycles: gc.NumGC}, gc.Pause
}

// newHealth begins to watch.
func newHealth() *health {
	now, _ := spent(0)
	return &health{files: resource{ask: openFiles}, began: now, last: now, collected: now.cycles}
}

// look looks at what was spent so far. It is called about once a second, and when the run is over.
func (h *health) look(at time.Duration) spending {
	now, pauses := spent(at)
	for _, p := range pauses[:min(len(pauses), int(now.cycles-h.collected))] {
		h.pause = max(h.pause, p)
	}
	h.collected = now.cycles
	h.processors(now)
	h.files.look()
	h.ports.look()
	return now
}

// processors looks at how busy the processors have been since the last look.
func (h *health) processors(now spending) {
	took := now.at - h.last.at
	if took < glance {
		return
	}
	if float64(now.cpu-h.last.cpu) >= saturated*float64(took)*float64(runtime.GOMAXPROCS(0)) {
		h.busy += took
		h.longest = max(h.longest, h.busy)
	} else {
		h.busy = 0
	}
	h.last = now
}

// report writes what was spent until now, and the limits that were hit, into g.
func (h *health) report(now spending, g *result.Generator) {
	g.GCPause, g.GCCycles = now.pause-h.began.pause, uint64(now.cycles-h.began.cycles)
	g.CPU, g.Processors = now.cpu-h.began.cpu, runtime.GOMAXPROCS(0)
	g.Files, g.FilesLimit = h.files.used, h.files.limit
	g.Ports, g.PortsLimit = h.ports.used, h.ports.limit
	hit := func(format string, args ...any) { g.Limits = append(g.Limits, fmt.Sprintf(format, args...)) }
	if result.Scarce(g.Files, g.FilesLimit) {
		hit("had %d of %d files and sockets open (ulimit -n)", g.Files, g.FilesLimit)
	}
	if result.Scarce(g.Ports, g.PortsLimit) {
		hit("used %d of %d local ports", g.Ports, g.PortsLimit)
	}
	for _, limit := range slices.Sorted(maps.Keys(g.Lacks)) {
		hit("had no %s left for %d of its requests", limit, g.Lacks[limit])
	}
	if h.longest >= saturation {
		hit("had all of its processors (%d) busy for %s", g.Processors, h.longest.Round(time.Second))
	}
	if h.pause > g.LateAllowed() {
		hit("was stopped for %s by its garbage collector", h.pause.Round(time.Millisecond))
	}
}
