package measure

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// durations returns a random set of durations of any shape.
func durations(rng *rand.Rand) []time.Duration {
	scale := math.Pow(10, 2+rng.Float64()*9) // 100 ns … 100 s
	all := make([]time.Duration, 1+rng.IntN(2000))
	for i := range all {
		all[i] = time.Duration(rng.ExpFloat64() * scale)
	}
	return all
}

func filled(all []time.Duration) *histogram {
	h := new(histogram)
	for _, d := range all {
		h.record(d)
	}
	return h
}

// The index of a bucket's greatest value is the bucket, and the next value lies in the next one.
func TestBucketsAreWithoutGapsAndAtMostOnePartIn128Wide(t *testing.T) {
	for i := range last {
		if got := index(upper(i)); got != i {
			t.Fatalf("bucket %d ends at %d, which lies in bucket %d", i, upper(i), got)
		}
		if got := index(upper(i) + 1); got != i+1 {
			t.Fatalf("%d lies in bucket %d, want %d", upper(i)+1, got, i+1)
		}
		if i > 0 {
			if width, from := upper(i)-upper(i-1), upper(i-1)+1; width > 1 && width*128 > from {
				t.Fatalf("bucket %d from %d is %d wide", i, from, width)
			}
		}
	}
}

func TestQuantilesAgainstSortedSlice(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 3))
		all := durations(rng)
		h := filled(all)
		if rng.IntN(2) == 0 {
			h.seal()
		}
		slices.Sort(all)
		var sum time.Duration
		for _, d := range all {
			sum += d
		}
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1} {
			want := all[max(int(math.Ceil(q*float64(len(all))-1e-9)), 1)-1]
			got := h.quantile(q)
			if got < want || float64(got) > float64(want)*(1+1.0/linear)+1000 {
				t.Fatalf("seed %d: q%v: got %v, want %v", seed, q, got, want)
			}
		}
		d := h.distribution(true)
		if d.Count != uint64(len(all)) || d.Mean != sum/time.Duration(len(all)) || d.Min != all[0] || d.Max != all[len(all)-1] {
			t.Fatalf("seed %d: got %+v, want %d of mean %v from %v to %v", seed, d, len(all), sum/time.Duration(len(all)), all[0], all[len(all)-1])
		}
		n, before := uint64(0), time.Duration(-1)
		for _, b := range d.Buckets {
			below := 0
			for _, v := range all {
				if v > before && v <= b.UpTo {
					below++
				}
			}
			if uint64(below) != b.N || b.UpTo <= before {
				t.Fatalf("seed %d: bucket up to %v after %v: got %d, want %d", seed, b.UpTo, before, b.N, below)
			}
			n, before = n+b.N, b.UpTo
		}
		if n != d.Count {
			t.Fatalf("seed %d: the buckets hold %d, want %d", seed, n, d.Count)
		}
	}
}

// A histogram that was sealed now and then is the same as one that never was.
func TestSealingLosesNothing(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 4))
		all := durations(rng)
		want, got := filled(all), new(histogram)
		for _, d := range all {
			if rng.IntN(20) == 0 {
				got.seal()
			}
			got.record(d)
		}
		got.seal()
		if g, w := got.distribution(true), want.distribution(true); !reflect.DeepEqual(g, w) {
			t.Fatalf("seed %d: got %+v, want %+v", seed, g, w)
		}
		if len(all) > 0 {
			got.unseal()
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: sealing changes the histogram", seed)
		}
	}
}

func TestOutliersAreClampedAndTheirMaximumKept(t *testing.T) {
	var h histogram
	h.record(-time.Second)
	h.record(math.MaxInt64)
	d := h.distribution(true)
	if d.Max != math.MaxInt64 || d.Min != 0 || d.P99 != math.MaxInt64 || d.P50 != 0 {
		t.Errorf("got %+v", d)
	}
	if got := d.Buckets[len(d.Buckets)-1].UpTo; got != math.MaxInt64 {
		t.Errorf("the last bucket ends at %v", got)
	}
	var none histogram
	if d := none.distribution(true); !reflect.DeepEqual(d.Buckets, none.distribution(false).Buckets) || d.P50 != 0 || d.Count != 0 {
		t.Errorf("an empty histogram has %+v", d)
	}
}
