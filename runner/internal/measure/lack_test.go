package measure

import (
	"maps"
	"sync"
	"testing"
)

func TestLacks(t *testing.T) {
	r := NewRecorder(steps(1))
	if got := r.Lacks(); got != nil {
		t.Errorf("got %v of a generator that lacks nothing", got)
	}
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 100 {
				r.Lack("open files")
				r.Lacks()["open files"] = 0 // what was returned is the caller's
			}
		})
	}
	work.Wait()
	r.Lack("local ports")
	if got, want := r.Lacks(), map[string]uint64{"open files": 400, "local ports": 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
