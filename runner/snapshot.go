package runner

import (
	"slices"
	"time"

	"loadkms/result"
)

// folds is how often a second what was recorded is counted: at 60,000 requests a second, 12,000 at a time.
const folds = 10

// publish shows the run once a second until it is over. More often than that it keeps the recorder's logs
// short.
func (c *conductor) publish(over <-chan struct{}) {
	tick := time.NewTicker(time.Second / folds)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
			if n%folds == 0 {
				c.show(false)
			} else {
				c.recorder.Fold()
			}
		case <-over:
			return
		}
	}
}

// show publishes the run so far.
func (c *conductor) show(done bool) {
	s := &result.Snapshot{
		Elapsed: c.now(), Planned: c.plan.end, Done: done,
		Windows: c.recorder.Windows(c.now()), Steps: c.recorder.Steps(), Generator: c.generator(),
		Inflight: c.driver.Stats().Inflight,
	}
	if c.o.Feed == nil {
		return
	}
	s.Phase, s.Rate = c.plan.phase(s.Elapsed)
	c.mu.Lock()
	// What was appended is never changed, so snapshots share it; the capacity keeps a reader that
	// appends from writing into the next one.
	s.Events = slices.Clip(c.events)
	s.Faults = slices.Clone(c.faults)
	for i := range s.Faults {
		s.Faults[i].Witness = slices.Clip(s.Faults[i].Witness)
	}
	c.mu.Unlock()
	if last := c.o.Feed.Latest(); last != nil {
		s.N = last.N
	}
	s.N++
	c.o.Feed.Publish(s)
}
