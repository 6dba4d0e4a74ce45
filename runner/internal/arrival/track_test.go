package arrival

import (
	"cmp"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// reached returns the first nanosecond of p at which the area under its rate is at least want, by trying.
func reached(p Phase, want float64) time.Duration {
	from, to := p.From, p.To
	low, high := time.Duration(0), p.Duration
	for low < high {
		mid := (low + high) / 2
		x := mid.Seconds()
		if from*x+(to-from)/p.Duration.Seconds()*x*x/2 < want {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// twin returns the intended starts of one track by the words of Schedule's comment, and the phase of each.
func twin(draws *rand.Rand, phases []Phase) (at []time.Duration, phase []int) {
	begin, even, gap := time.Duration(0), 0.0, draws.ExpFloat64()
	for i, p := range phases {
		add := func(d time.Duration) { at, phase = append(at, begin+d), append(phase, i) }
		area := p.Duration.Seconds() * (p.From + p.To) / 2
		switch {
		case p.Burst > 0:
			for d := time.Duration(0); d < p.Duration; d += p.Every {
				for range p.Burst {
					add(d)
				}
			}
		case p.Poisson:
			for ; gap < area; gap += draws.ExpFloat64() {
				add(reached(p, gap))
			}
			gap -= area
		default:
			for n := math.Ceil(even - 1e-9); n < even+area-1e-9; n++ {
				add(reached(p, n-even))
			}
			even += area
		}
		begin += p.Duration
	}
	return at, phase
}

// someTrack returns phases of all kinds. Rates are such that no arrival falls onto a seam by rounding.
func someTrack(rng *rand.Rand) (phases []Phase) {
	for range 1 + rng.IntN(4) {
		p := ramp(time.Duration(1+rng.IntN(1500))*time.Millisecond, rng.Float64()*40, rng.Float64()*40)
		switch rng.IntN(6) {
		case 0:
			p.To = p.From
		case 1:
			p.From, p.To = 0, 0
		case 2:
			p.Every, p.Burst = time.Duration(1+rng.IntN(700))*time.Millisecond, 1+rng.IntN(5)
		}
		p.Poisson = p.Burst == 0 && rng.IntN(2) == 0
		phases = append(phases, p)
	}
	return phases
}

// Every kind of phase, and tracks side by side, against the definition: the union of what each track asks
// for, in order.
func TestTracksAgainstDefinition(t *testing.T) {
	for seed := range uint64(5000) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var tracks [][]Phase
		var want []Arrival
		offset := 0
		for i := range 1 + rng.IntN(3) {
			tracks = append(tracks, someTrack(rng))
			at, phase := twin(rand.New(rand.NewPCG(seed, uint64(i))), tracks[i])
			for k := range at {
				want = append(want, Arrival{Intended: at[k], Phase: offset + phase[k]})
			}
			offset += len(tracks[i])
		}
		got := slices.Collect(Schedule(seed, tracks...))
		if len(got) != len(want) || Count(seed, tracks...) != uint64(len(want)) {
			t.Fatalf("seed %d %v: got %d arrivals, Count %d, want %d", seed, tracks, len(got), Count(seed, tracks...), len(want))
		}
		// The twin's moments may be a few nanoseconds off, so that neighbors of different tracks turn round:
		// each phase is compared with itself.
		byPhase := func(a, b Arrival) int { return cmp.Compare(a.Phase, b.Phase) }
		for n, a := range got {
			if a.Seq != uint64(n) || n > 0 && a.Intended < got[n-1].Intended {
				t.Fatalf("seed %d %v: arrival %d is %+v", seed, tracks, n, a)
			}
		}
		slices.SortStableFunc(got, byPhase)
		slices.SortStableFunc(want, byPhase)
		for n := range want {
			if got[n].Phase != want[n].Phase || (got[n].Intended-want[n].Intended).Abs() > time.Microsecond {
				t.Fatalf("seed %d %v: got %+v, want %+v", seed, tracks, got[n], want[n])
			}
		}
	}
}

// What tracks yield together is what each yields alone, by intended start and then by track.
func TestMergeIsTheUnion(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 4))
		n := 1 + rng.IntN(6)
		tracks, want := make([][]Phase, n), []Arrival(nil)
		for i := range tracks {
			if rng.IntN(4) > 0 {
				tracks[i] = someTrack(rng)
			}
			alone := make([][]Phase, n) // a track's draws depend on its place
			copy(alone, tracks[:i])
			for k := range i {
				alone[k] = make([]Phase, len(tracks[k])) // without arrivals; only counted for the index
			}
			alone[i] = tracks[i]
			want = slices.AppendSeq(want, Schedule(seed, alone...))
		}
		slices.SortStableFunc(want, func(a, b Arrival) int { return cmp.Compare(a.Intended, b.Intended) })
		for i := range want {
			want[i].Seq = uint64(i)
		}
		if got := slices.Collect(Schedule(seed, tracks...)); !slices.Equal(got, want) {
			t.Fatalf("seed %d %v: got\n%v, want\n%v", seed, tracks, got, want)
		}
	}
}

func TestBursts(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name   string
		phases []Phase
		want   []time.Duration
	}{
		{"at 0 and every second", []Phase{{Duration: 2500 * ms, Every: time.Second, Burst: 2}},
			[]time.Duration{0, 0, 1000 * ms, 1000 * ms, 2000 * ms, 2000 * ms}},
		{"none at the very end", []Phase{{Duration: 2 * time.Second, Every: time.Second, Burst: 1}}, []time.Duration{0, 1000 * ms}},
		{"rates do not count beside them", []Phase{{Duration: time.Second, Every: time.Hour, Burst: 1, From: 9, To: 9, Poisson: true}}, []time.Duration{0}},
		{"a fraction passes over them", []Phase{ramp(500*ms, 1, 1), {Duration: time.Second, Every: 600 * ms, Burst: 1}, ramp(time.Second, 1, 1)},
			[]time.Duration{0, 500 * ms, 1100 * ms, 2000 * ms}},
		{"without a size they are none", []Phase{{Duration: time.Second, Every: 100 * ms, From: 2, To: 2}}, []time.Duration{0, 500 * ms}},
		{"without a distance they are none", []Phase{{Duration: time.Second, Burst: 7, From: 2, To: 2}}, []time.Duration{0, 500 * ms}},
		{"longer than can be", []Phase{{Duration: time.Second, Every: math.MaxInt64, Burst: 2}}, []time.Duration{0, 0}},
		{"in no time", []Phase{{Every: time.Second, Burst: 2}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []time.Duration
			for _, a := range collect(c.phases) {
				got = append(got, a.Intended)
			}
			if !slices.Equal(got, c.want) || Count(0, c.phases) != uint64(len(c.want)) {
				t.Errorf("got %v, Count %d, want %v", got, Count(0, c.phases), c.want)
			}
		})
	}
}

// Cutting a Poisson phase in two changes nothing: the gap at the seam carries over.
func TestPoissonDoesNotSeeSeams(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		whole := ramp(time.Duration(1+rng.IntN(3000))*time.Millisecond, rng.Float64()*50, rng.Float64()*50)
		whole.Poisson = true
		first, second := whole, whole
		first.Duration = time.Duration(rng.Int64N(int64(whole.Duration)))
		second.Duration -= first.Duration
		first.To = whole.Rate(first.Duration)
		second.From = first.To
		want, got := slices.Collect(Schedule(seed, []Phase{whole})), slices.Collect(Schedule(seed, []Phase{first, second}))
		if len(got) != len(want) {
			t.Fatalf("seed %d: got %d arrivals in two parts, want %d", seed, len(got), len(want))
		}
		for i := range got {
			if (got[i].Intended - want[i].Intended).Abs() > time.Microsecond {
				t.Fatalf("seed %d: arrival %d: got %v in two parts, want %v", seed, i, got[i].Intended, want[i].Intended)
			}
		}
	}
}

// Gaps at a constant rate are exponential (Kolmogorov and Smirnov's test at 1 %), and their mean and
// variance are what they should be. The seeds are fixed: the test always sees the same draws.
func TestPoissonGapsAreExponential(t *testing.T) {
	const rate, n = 200.0, 100_000
	for seed := range uint64(5) {
		var gaps []float64
		last := time.Duration(0)
		for a := range Schedule(seed, []Phase{{Duration: time.Hour, From: rate, To: rate, Poisson: true}}) {
			gaps = append(gaps, (a.Intended-last).Seconds()*rate)
			if last = a.Intended; len(gaps) == n {
				break
			}
		}
		sum, squares := 0.0, 0.0
		for _, g := range gaps {
			sum += g
			squares += g * g
		}
		mean := sum / n
		variance := squares/n - mean*mean
		// Standard errors: 1/√n of the mean, √(8/n) of the variance of an exponential.
		if math.Abs(mean-1) > 3/math.Sqrt(n) || math.Abs(variance-1) > 3*math.Sqrt(8.0/n) {
			t.Errorf("seed %d: got mean %v and variance %v of rate × gap, want 1 and 1", seed, mean, variance)
		}
		slices.Sort(gaps)
		far := 0.0
		for i, g := range gaps {
			f := -math.Expm1(-g)
			far = max(far, f-float64(i)/n, float64(i+1)/n-f)
		}
		if limit := 1.63 / math.Sqrt(n); far > limit {
			t.Errorf("seed %d: the gaps are %v away from exponential, want at most %v", seed, far, limit)
		}
	}
}

// Counts of a Poisson ramp have its area as mean and as variance.
func TestPoissonCounts(t *testing.T) {
	const runs, area = 4000, 150.0
	sum, squares := 0.0, 0.0
	for seed := range uint64(runs) {
		c := float64(Count(seed, []Phase{{Duration: 10 * time.Second, From: 0, To: 30, Poisson: true}}))
		sum += c
		squares += c * c
	}
	mean := sum / runs
	variance := squares/runs - mean*mean
	if math.Abs(mean-area) > 3*math.Sqrt(area/runs) || math.Abs(variance-area) > 3*area*math.Sqrt(2.0/runs) {
		t.Errorf("got mean %v and variance %v, want %v", mean, variance, area)
	}
}

// The same seed makes the same schedule, another seed another, on however many processors.
func TestPoissonIsReproducible(t *testing.T) {
	phases := []Phase{{Duration: 5 * time.Second, From: 100, To: 200, Poisson: true}}
	want := slices.Collect(Schedule(7, phases, phases))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if got := slices.Collect(Schedule(7, phases, phases)); !slices.Equal(got, want) {
		t.Error("two schedules of one seed differ")
	}
	if got := slices.Collect(Schedule(8, phases, phases)); slices.Equal(got, want) {
		t.Error("two seeds make the same schedule")
	}
	alone := slices.Collect(Schedule(7, phases))
	if len(alone)*2 == len(want) {
		t.Error("two tracks have the same draws")
	}
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Phase
		at   time.Duration
		want float64
	}{
		{"plateau", ramp(time.Second, 5, 5), 300 * time.Millisecond, 5},
		{"ramp", ramp(2*time.Second, 0, 10), time.Second, 5},
		{"beyond its end", ramp(2*time.Second, 0, 10), time.Hour, 10},
		{"before it", ramp(2*time.Second, 4, 10), -time.Hour, 4},
		{"nonsense", ramp(time.Second, -1, math.Inf(1)), 0, 0},
		{"bursts", Phase{Duration: time.Minute, Every: 2 * time.Second, Burst: 5}, time.Second, 2.5},
	} {
		if got := c.p.Rate(c.at); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
