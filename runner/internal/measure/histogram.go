package measure

import (
	"encoding/binary"
	"iter"
	"math"
	"math/bits"
	"time"

	"loadkms/result"
)

const (
	linear = 128 // linear steps per power of two: a bucket is at most 1/128 wider than its lower bound
	rows   = 30  // powers of two: 1 µs … 19 h; what is longer is counted in the last bucket
	last   = rows*linear - 1
)

// A row holds the counts of one power of two. Durations of a run fall into a few of them, so rows are
// made when something falls into them.
type row [linear]uint64

// A histogram counts durations in log-linear buckets of whole microseconds, rounded up. Sum, least
// and greatest are exact, also of durations too long for the buckets. The zero value is empty and
// ready to use.
//
//	row 0        row 1        row 2              row 3
//	0 … 127 µs   128 … 255    256 … 511 by 2     512 … 1023 by 4     …
//
// A sealed histogram is the same in a tenth of the memory or less; adding to it unseals it.
type histogram struct {
	rows   *[rows]*row
	packed []byte // of a sealed one: pairs of the distance from the bucket before, and the count
	n      uint64
	sum    time.Duration
	least  time.Duration
	most   time.Duration
}

// index returns the bucket of v microseconds.
func index(v uint64) int {
	e := max(bits.Len64(v)-8, 0) // by which power of two the bucket is wider than 1 µs
	return min(e*linear+int(v>>e), last)
}

// upper returns the greatest value of bucket i, in microseconds.
func upper(i int) uint64 {
	e := max(i/linear-1, 0)
	return (uint64(i-e*linear)+1)<<e - 1
}

// micros returns d in microseconds, rounded up, so that no quantile lies below the truth.
func micros(d time.Duration) uint64 { return (uint64(d) + 999) / 1000 }

// record adds one duration. Negative ones count as zero.
func (h *histogram) record(d time.Duration) {
	d = max(d, 0)
	h.add(index(micros(d)), 1)
	if h.n == 0 || d < h.least {
		h.least = d
	}
	h.n++
	h.sum += d
	h.most = max(h.most, d)
}

// recordIfAny is record for a duration that is 0 where there was nothing to take time.
func (h *histogram) recordIfAny(d time.Duration) {
	if d > 0 {
		h.record(d)
	}
}

func (h *histogram) add(i int, n uint64) {
	if h.rows == nil {
		h.unseal()
	}
	r := h.rows[i/linear]
	if r == nil {
		r = new(row)
		h.rows[i/linear] = r
	}
	r[i%linear] += n
}

// buckets yields the buckets that are not empty, ascending.
func (h *histogram) buckets() iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		if h.rows == nil {
			i := 0
			for b := h.packed; len(b) > 0; {
				step, k := binary.Uvarint(b)
				n, m := binary.Uvarint(b[k:])
				b = b[k+m:]
				i += int(step)
				if !yield(i, n) {
					return
				}
			}
			return
		}
		for e, r := range h.rows {
			if r == nil {
				continue
			}
			for i, n := range r {
				if n > 0 && !yield(e*linear+i, n) {
					return
				}
			}
		}
	}
}

// seal packs h.
func (h *histogram) seal() {
	if h.rows == nil {
		return
	}
	var b []byte
	before := 0
	for i, n := range h.buckets() {
		b = binary.AppendUvarint(b, uint64(i-before))
		b = binary.AppendUvarint(b, n)
		before = i
	}
	h.packed, h.rows = append(make([]byte, 0, len(b)), b...), nil
}

func (h *histogram) unseal() {
	packed := histogram{packed: h.packed}
	h.rows, h.packed = new([rows]*row), nil
	for i, n := range packed.buckets() {
		h.add(i, n)
	}
}

// quantile returns an upper bound of the least value that at least q of all values do not exceed,
// and 0 if there are none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	want, seen := rank(q, h.n), uint64(0)
	for i, n := range h.buckets() {
		if seen += n; seen >= want && i < last {
			return min(time.Duration(upper(i))*time.Microsecond, h.most)
		}
	}
	return h.most
}

// rank returns which of n values, counted from 1, is quantile q: the nearest rank is ⌈q·n⌉, and the
// subtraction undoes what binary adds to 0.99 × 100.
func rank(q float64, n uint64) uint64 { return min(max(uint64(math.Ceil(q*float64(n)-1e-9)), 1), n) }

// distribution sums h up, with its buckets if a reader needs the shape.
func (h *histogram) distribution(shape bool) result.Distribution {
	d := result.Distribution{Count: h.n, Min: h.least, Max: h.most}
	if h.n == 0 {
		return d
	}
	d.Mean = h.sum / time.Duration(h.n)
	d.P50, d.P90, d.P95 = h.quantile(0.5), h.quantile(0.9), h.quantile(0.95)
	d.P99, d.P999 = h.quantile(0.99), h.quantile(0.999)
	if !shape {
		return d
	}
	for i, n := range h.buckets() {
		to := time.Duration(upper(i)) * time.Microsecond
		if i == last {
			to = max(to, h.most)
		}
		d.Buckets = append(d.Buckets, result.Bucket{UpTo: to, N: n})
	}
	return d
}
