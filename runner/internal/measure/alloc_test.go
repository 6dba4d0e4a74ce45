//go:build !race

package measure

import (
	"testing"
	"time"
)

func TestRecordAllocatesNothing(t *testing.T) {
	r := NewRecorder(steps(3))
	s := r.Shard(0)
	work := func() {
		for i := range 3 * 1024 {
			at := time.Duration(i) * time.Microsecond
			s.Record(Sample{Step: i % 3, Intended: at, Began: at, Sent: at, Done: at})
			s.Arrive(0, at)
		}
	}
	for range 4 { // until enough chunks are in circulation
		work()
		r.Windows(time.Second)
	}
	if got := testing.AllocsPerRun(500, func() {
		s.Record(Sample{Step: 1, Status: 200, Done: 5e6, FirstByte: 1e6, Read: 1, Reused: true})
		s.Arrive(0, 1)
		s.Drop(0, 0, 1)
		s.Hop(0, 302, 1)
		s.Connect(1, 1, 1)
		s.Finish(0, 1, true)
	}); got != 0 {
		t.Errorf("got %v allocations for one entry of each kind, want 0", got)
	}
	if got := testing.AllocsPerRun(1, work); got > 8 {
		t.Errorf("6,144 entries without a reader: got %v allocations, want one per 1,024 and a longer list", got)
	}
}
