package arrival

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

func ramp(d time.Duration, from, to float64) Phase { return Phase{Duration: d, From: from, To: to} }

func collect(phases []Phase) (all []Arrival) {
	for a := range Schedule(0, phases) {
		all = append(all, a)
	}
	return all
}

func TestSchedule(t *testing.T) {
	ms := func(all ...float64) (d []time.Duration) {
		for _, m := range all {
			d = append(d, time.Duration(math.Round(m*1e6)))
		}
		return d
	}
	for _, c := range []struct {
		name   string
		phases []Phase
		want   []time.Duration
	}{
		{"nothing", nil, nil},
		{"constant", []Phase{ramp(time.Second, 5, 5)}, ms(0, 200, 400, 600, 800)},
		{"a fraction carries over", []Phase{ramp(500*time.Millisecond, 3, 3), ramp(500*time.Millisecond, 1, 1)}, ms(0, 1e3/3)},
		{"a pause", []Phase{ramp(100*time.Millisecond, 20, 20), ramp(time.Second, 0, 0), ramp(100*time.Millisecond, 20, 20)}, ms(0, 50, 1100, 1150)},
		{"a rate below one", []Phase{ramp(4*time.Second, 0.5, 0.5)}, ms(0, 2000)},
		{"a ramp from zero", []Phase{ramp(2*time.Second, 0, 4)}, ms(0, 1000, 1e3*math.Sqrt2, 1e3*math.Sqrt(3))},
		{"a ramp to zero", []Phase{ramp(2*time.Second, 4, 0)}, ms(0, 2000-1e3*math.Sqrt(3), 2000-1e3*math.Sqrt2, 1000)},
		{"decimals that are not exact in binary", []Phase{ramp(100*time.Second, 0.07, 0.07)},
			ms(0, 1e5/7, 2e5/7, 3e5/7, 4e5/7, 5e5/7, 6e5/7)},
		{"nonsense counts as zero", []Phase{ramp(-time.Second, 9, 9), ramp(time.Second, -9, math.NaN()), ramp(time.Second, 1, 1)}, ms(1000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []time.Duration
			for a := range Schedule(0, c.phases) {
				got = append(got, a.Intended)
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			for i := range got {
				if (got[i] - c.want[i]).Abs() > 1 {
					t.Errorf("arrival %d: got %v, want %v", i, got[i], c.want[i])
				}
			}
		})
	}
}

// The article's own numbers.
func TestCountOfTheArticle(t *testing.T) {
	for _, c := range []struct {
		phases []Phase
		want   uint64
	}{
		{[]Phase{ramp(300*time.Second, 5, 5)}, 1500},
		{[]Phase{ramp(150*time.Second, 10, 10)}, 1500},
	} {
		if got := Count(0, c.phases); got != c.want {
			t.Errorf("Count(%v): got %d, want %d", c.phases, got, c.want)
		}
	}
}

// rational is a phase in exact numbers: milliseconds, and thousandths of an arrival per second.
type rational struct{ ms, from, to int64 }

func (r rational) phase() Phase {
	return ramp(time.Duration(r.ms)*time.Millisecond, float64(r.from)/1000, float64(r.to)/1000)
}

// area returns the exact number of arrivals due after the first x nanoseconds of r.
func (r rational) area(x *big.Rat) *big.Rat {
	nano := big.NewRat(1, 1e9)
	s := new(big.Rat).Mul(x, nano)
	from := big.NewRat(r.from, 1000)
	slope := new(big.Rat).Quo(new(big.Rat).Sub(big.NewRat(r.to, 1000), from), big.NewRat(r.ms, 1000))
	a := new(big.Rat).Mul(from, s)
	return a.Add(a, new(big.Rat).Mul(new(big.Rat).Mul(slope, big.NewRat(1, 2)), new(big.Rat).Mul(s, s)))
}

// Every arrival is compared with the definition, in exact arithmetic: one tolerance (a microsecond)
// before its intended start the area is at most n, and one tolerance after it at least n.
func TestScheduleAgainstDefinition(t *testing.T) {
	for seed := range uint64(5000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var exact []rational
		var phases []Phase
		for range 1 + rng.IntN(4) {
			r := rational{1 + rng.Int64N(1000), rng.Int64N(30_000), rng.Int64N(30_000)}
			switch rng.IntN(5) {
			case 0:
				r.to = r.from
			case 1:
				r.from, r.to = 0, 0
			case 2:
				r.to = 0
			}
			exact, phases = append(exact, r), append(phases, r.phase())
		}
		checkDefinition(t, seed, exact, phases)
	}
}

func checkDefinition(t *testing.T, seed uint64, exact []rational, phases []Phase) {
	t.Helper()
	begins, areas := []int64{0}, []*big.Rat{new(big.Rat)}
	for i, r := range exact {
		begins = append(begins, begins[i]+r.ms*1e6)
		areas = append(areas, new(big.Rat).Add(areas[i], r.area(big.NewRat(r.ms*1e6, 1))))
	}
	// at returns the exact area at a moment of the whole run.
	at := func(ns int64) *big.Rat {
		for i, r := range exact {
			if ns <= begins[i+1] {
				return new(big.Rat).Add(areas[i], r.area(big.NewRat(max(ns, begins[i])-begins[i], 1)))
			}
		}
		return areas[len(exact)]
	}
	all := collect(phases)
	total := areas[len(exact)]
	ceil := new(big.Int).Div(new(big.Int).Add(total.Num(), new(big.Int).Sub(total.Denom(), big.NewInt(1))), total.Denom())
	if got, want := uint64(len(all)), ceil.Uint64(); got != want || Count(0, phases) != want {
		t.Fatalf("seed %d %v: got %d arrivals, Count %d, want %d", seed, phases, got, Count(0, phases), want)
	}
	last := time.Duration(0)
	for n, a := range all {
		if a.Seq != uint64(n) || a.Intended < last ||
			int64(a.Intended) < begins[a.Phase] || int64(a.Intended) > begins[a.Phase+1] {
			t.Fatalf("seed %d %v: arrival %d is %+v after %v", seed, phases, n, a, last)
		}
		last = a.Intended
		want := big.NewRat(int64(n), 1)
		if n > 0 && at(int64(a.Intended)-1000).Cmp(want) > 0 {
			t.Fatalf("seed %d %v: arrival %d at %v is late", seed, phases, n, a.Intended)
		}
		if at(int64(a.Intended)+1000).Cmp(want) < 0 {
			t.Fatalf("seed %d %v: arrival %d at %v is early", seed, phases, n, a.Intended)
		}
	}
}

// Cutting a phase in two where its rate is the same changes nothing.
func TestScheduleDoesNotSeeSeams(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		from, to := rng.Float64()*100, rng.Float64()*100
		d := time.Duration(1+rng.IntN(5000)) * time.Millisecond
		cut := time.Duration(rng.Int64N(int64(d)))
		mid := from + (to-from)*cut.Seconds()/d.Seconds()
		whole, parts := collect([]Phase{ramp(d, from, to)}), collect([]Phase{ramp(cut, from, mid), ramp(d-cut, mid, to)})
		if len(whole) != len(parts) {
			t.Fatalf("seed %d: got %d arrivals in two parts, want %d", seed, len(parts), len(whole))
		}
		for i := range whole {
			if (whole[i].Intended - parts[i].Intended).Abs() > time.Microsecond {
				t.Fatalf("seed %d: arrival %d: got %v in two parts, want %v", seed, i, parts[i].Intended, whole[i].Intended)
			}
		}
	}
}

// vegeta's ConstantPacer, fed its own due times instead of the clock, is an oracle for plateaus.
// (Its LinearPacer extrapolates the present rate, and its first hit is one interval late.)
func TestScheduleAgainstVegetaConstantPacer(t *testing.T) {
	pacer := vegeta.ConstantPacer{Freq: 7, Per: time.Second}
	due := time.Duration(0)
	for a := range Schedule(0, []Phase{ramp(time.Minute, 7, 7)}) {
		if a.Seq > 0 {
			wait, stop := pacer.Pace(due, a.Seq-1)
			if stop {
				t.Fatalf("the pacer stops at hit %d", a.Seq)
			}
			due += wait
		}
		// Its interval is whole nanoseconds, so it drifts by at most one per hit.
		if got := (a.Intended - due).Abs(); got > time.Duration(a.Seq) {
			t.Fatalf("arrival %d: got %v, vegeta says %v", a.Seq, a.Intended, due)
		}
	}
}

func TestScheduleCanStop(t *testing.T) {
	n := 0
	for range Schedule(0, []Phase{ramp(time.Hour, 1000, 1000)}) {
		if n++; n == 10 {
			break
		}
	}
	if n != 10 {
		t.Fatalf("got %d arrivals, want 10", n)
	}
}

func TestScheduleAllocatesNothingPerArrival(t *testing.T) {
	even := []Phase{ramp(time.Second, 100, 1000), ramp(time.Second, 1000, 1000)}
	poisson := []Phase{{Duration: 2 * time.Second, From: 500, To: 1000, Poisson: true}}
	burst := []Phase{{Duration: 2 * time.Second, Every: 100 * time.Millisecond, Burst: 50}}
	for _, c := range []struct {
		name   string
		tracks [][]Phase
		most   float64 // the walks themselves, and a stream of draws
	}{
		{"one track", [][]Phase{even}, 3},
		{"Poisson", [][]Phase{poisson}, 5},
		{"side by side", [][]Phase{even, poisson, burst}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sink time.Duration
			got := testing.AllocsPerRun(20, func() {
				for a := range Schedule(1, c.tracks...) {
					sink += a.Intended
				}
			})
			if got > c.most {
				t.Fatalf("got %v allocations for more than a thousand arrivals, want at most %v", got, c.most)
			}
		})
	}
}

func BenchmarkSchedule(b *testing.B) {
	long := ramp(1000*time.Hour, 1e6, 1e6)
	poisson := long
	poisson.Poisson = true
	for _, c := range []struct {
		name   string
		tracks [][]Phase
	}{
		{"constant", [][]Phase{{long}}},
		{"ramp", [][]Phase{{ramp(1000*time.Hour, 1e5, 1e6)}}},
		{"poisson", [][]Phase{{poisson}}},
		{"three tracks", [][]Phase{{long}, {poisson}, {long}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for range Schedule(1, c.tracks...) {
				if n++; n >= b.N {
					return
				}
			}
		})
	}
}
