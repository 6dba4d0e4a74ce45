package result

import (
	"sync/atomic"
	"time"
)

// A Snapshot is the run so far. Snapshots replace one another; a slow reader misses some and delays
// nobody. Everything in it is shared and must not be changed.
type Snapshot struct {
	N        uint64        // grows by one with every snapshot
	Elapsed  time.Duration // since the run began
	Planned  time.Duration // length of the schedule
	Phase    string        // the phase running now
	Rate     float64       // arrivals per second the schedule asks for now
	Done     bool          // the run is over; no further snapshot follows
	Steps    []Step        // totals so far, with buckets
	Windows  []Window      // those so far, the youngest incomplete: not all its requests have ended
	Events   []Event       // all so far, never reordered
	Faults   []Fault       // as far as they got
	Inflight int           // virtual users busy now

	Generator Generator
}

// A Feed publishes snapshots. The zero value is ready to use. The runner publishes; anybody looks.
type Feed struct{ p atomic.Pointer[Snapshot] }

// Publish makes s the latest snapshot. It never blocks.
func (f *Feed) Publish(s *Snapshot) { f.p.Store(s) }

// Latest returns the latest snapshot, or nil before the first. It never blocks.
func (f *Feed) Latest() *Snapshot { return f.p.Load() }
