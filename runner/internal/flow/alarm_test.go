package flow

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestAlarmsRingInOrder(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var h alarms
		var twin []alarm
		order := func(a, b alarm) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) }
		for i := range uint64(rng.IntN(300)) {
			if rng.IntN(3) > 0 || len(twin) == 0 {
				x := alarm{time.Duration(rng.IntN(20)), i, new(walk)}
				h.set(x)
				twin = append(twin, x)
				slices.SortFunc(twin, order)
			} else {
				if at, ok := h.next(); !ok || at != twin[0].at {
					t.Fatalf("seed %d: next: got %v, %v, want %v", seed, at, ok, twin[0].at)
				}
				if got := h.ring(); got != twin[0].walk {
					t.Fatalf("seed %d: another walk rang than the one that was due", seed)
				}
				twin = twin[1:]
			}
			if len(h) != len(twin) {
				t.Fatalf("seed %d: got %d alarms, want %d", seed, len(h), len(twin))
			}
		}
	}
}
