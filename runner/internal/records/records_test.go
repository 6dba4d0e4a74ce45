package records

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// Any sequence of operations agrees with plain maps, for ids side by side and far apart.
func TestSetAgainstMaps(t *testing.T) {
	for seed := range uint64(300) {
		rng := seeded(seed)
		var s Set
		acknowledged, maybe, drawn := map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}
		var order []uint64
		next := 0
		id := func() uint64 { return rng.Uint64N(200) }
		if seed%3 == 0 {
			id = func() uint64 { return rng.Uint64N(200) * (1<<64 - 1) / 199 }
		}
		for range rng.IntN(600) {
			switch x := id(); rng.IntN(5) {
			case 0:
				s.Acknowledge(x)
				if !acknowledged[x] {
					order = append(order, x)
				}
				acknowledged[x] = true
				delete(maybe, x)
			case 1:
				s.Maybe(x)
				if !acknowledged[x] {
					maybe[x] = true
				}
			case 2:
				s.ReadBack(x)
				if acknowledged[x] {
					drawn[x] = true
				}
			case 3:
				got, ok := s.Random(rng)
				if ok != (len(order) > 0) || ok && !acknowledged[got] {
					t.Fatalf("seed %d: Random: got %d, %v with %v acknowledged", seed, got, ok, order)
				}
			case 4:
				got, ok := s.Next()
				if ok != (next < len(order)) || ok && got != order[next] {
					t.Fatalf("seed %d: Next: got %d, %v, want number %d of %v", seed, got, ok, next, order)
				}
				if ok {
					next++
				}
			}
			want := Stats{uint64(len(acknowledged)), uint64(len(maybe)), uint64(len(drawn))}
			if got := s.Stats(); got != want {
				t.Fatalf("seed %d: got %+v, want %+v", seed, got, want)
			}
		}
	}
}

// The order in which creates were acknowledged depends on scheduling; what is drawn must not.
func TestRandomDoesNotDependOnTheOrderOfAcknowledgement(t *testing.T) {
	for seed := range uint64(50) {
		order := seeded(seed).Perm(1500)
		var a, b Set
		for i, id := range order {
			a.Acknowledge(uint64(i + 1))
			b.Acknowledge(uint64(id + 1))
		}
		x, y := seeded(seed), seeded(seed)
		for range 200 {
			got, _ := a.Random(x)
			want, _ := b.Random(y)
			if got != want {
				t.Fatalf("seed %d: got %d and %d", seed, got, want)
			}
		}
	}
}

func TestRandomDrawsEveryRecord(t *testing.T) {
	for _, gap := range []uint64{1, 1 << 40} {
		var s Set
		for i := range uint64(20) {
			s.Acknowledge(i * gap)
		}
		seen, rng := map[uint64]int{}, seeded(1)
		for range 20_000 {
			id, _ := s.Random(rng)
			seen[id]++
		}
		for i := range uint64(20) {
			if n := seen[i*gap]; n < 800 || n > 1200 {
				t.Errorf("gap %d: record %d was drawn %d times of 20,000, want about 1,000", gap, i, n)
			}
		}
	}
}

// Many users at once get every record exactly once.
func TestNextIsExactlyOnce(t *testing.T) {
	var s Set
	const n = 20_000
	got := make([][]uint64, 8)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for id := i; id < n; id += 4 {
				s.Acknowledge(uint64(id))
				s.Maybe(uint64(id + n))
				s.ReadBack(uint64(id))
			}
		})
	}
	wg.Wait()
	for i := range got {
		wg.Go(func() {
			for {
				id, ok := s.Next()
				if !ok {
					return
				}
				got[i] = append(got[i], id)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(got...)
	slices.Sort(all)
	if len(all) != n || len(slices.Compact(all)) != n {
		t.Errorf("got %d ids, want each of %d once", len(all), n)
	}
	if got, want := s.Stats(), (Stats{n, n, n}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestARecordCostsLessThan40Bytes(t *testing.T) {
	for _, n := range []uint64{10_000, 300_000, 1_000_000} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var s Set
		for id := range n {
			s.Acknowledge(id + 1)
			s.ReadBack(id + 1)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
		t.Logf("%d records: %.1f bytes each", n, each)
		if each > 40 {
			t.Errorf("%d records: %.1f bytes each, want at most 40", n, each)
		}
		runtime.KeepAlive(&s)
	}
}

func BenchmarkRandom(b *testing.B) {
	var s Set
	for id := range uint64(100_000) {
		s.Acknowledge(id)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		rng := seeded(1)
		for pb.Next() {
			s.Random(rng)
		}
	})
}
