package result

import (
	"sync"
	"testing"
)

// Readers look whenever they like: they never see nothing again once something was published, and
// never an older snapshot after a younger one.
func TestFeed(t *testing.T) {
	var f Feed
	if f.Latest() != nil {
		t.Error("a feed begins with a snapshot")
	}
	const last = 5000
	var readers sync.WaitGroup
	f.Publish(&Snapshot{N: 1})
	for range 4 {
		readers.Go(func() {
			for seen := uint64(0); seen < last; {
				s := f.Latest()
				if s == nil || s.N < seen {
					t.Errorf("after snapshot %d came %+v", seen, s)
					return
				}
				seen = s.N
			}
		})
	}
	for n := uint64(2); n <= last; n++ {
		f.Publish(&Snapshot{N: n})
	}
	readers.Wait()
}
