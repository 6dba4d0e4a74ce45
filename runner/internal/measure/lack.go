package measure

import (
	"maps"
	"sync"
)

// A lacks counts what the generator ran out of. The zero value is empty.
type lacks struct {
	mu     sync.Mutex // guards counts; held for an addition, or while they are copied
	counts map[string]uint64
}

// Lack says that a request could not be sent because the generator has run out of something of its own, such
// as open files. It is for the path of errors, and there are few different limits.
func (r *Recorder) Lack(limit string) {
	r.lacks.mu.Lock()
	defer r.lacks.mu.Unlock()
	if r.lacks.counts == nil {
		r.lacks.counts = map[string]uint64{}
	}
	r.lacks.counts[limit]++
}

// Lacks returns how many requests could not be sent, by what was lacking; nil if none.
func (r *Recorder) Lacks() map[string]uint64 {
	r.lacks.mu.Lock()
	defer r.lacks.mu.Unlock()
	return maps.Clone(r.lacks.counts)
}
