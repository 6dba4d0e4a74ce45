package verdict

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"loadkms/result"
)

// A bounds is a pair of durations between which a value lies; both ends are the same where it is known.
type bounds struct{ low, high time.Duration }

// quantileName returns p50 for 0.5 and p999 for 0.999.
func quantileName(q float64) string {
	digits := strings.TrimPrefix(trim(q, 4), "0.")
	if len(digits) == 1 {
		digits += "0"
	}
	return "p" + digits
}

// enough returns how many values it takes for quantile q to stand on more than one of them by luck:
// one beyond it, and never fewer than 20.
func enough(q float64) uint64 { return max(20, uint64(math.Round(1/(1-q)))) }

func samples(parts []result.Distribution) (n uint64) {
	for _, d := range parts {
		n += d.Count
	}
	return n
}

// quantile returns quantile q of all values of parts together, or zeros if there are none. Parts with
// buckets are merged exactly. Without them, the quantile of a mixture lies between the least and the
// greatest of its parts' quantiles.
func quantile(parts []result.Distribution, q float64) bounds {
	parts = slices.DeleteFunc(slices.Clone(parts), func(d result.Distribution) bool { return d.Count == 0 })
	if len(parts) == 0 {
		return bounds{}
	}
	if len(parts) > 1 && !slices.ContainsFunc(parts, func(d result.Distribution) bool { return len(d.Buckets) == 0 }) {
		v := mergedQuantile(parts, q)
		return bounds{v, v}
	}
	r := bounds{math.MaxInt64, 0}
	for _, d := range parts {
		low, high := named(d, q), named(d, q)
		if q == 0.75 && len(d.Buckets) == 0 { // it is not among the named ones
			low, high = d.P50, d.P90
		}
		r = bounds{min(r.low, low), max(r.high, high)}
	}
	return r
}

// named returns the quantile a distribution carries.
func named(d result.Distribution, q float64) time.Duration {
	switch q {
	case 0.5:
		return d.P50
	case 0.9:
		return d.P90
	case 0.95:
		return d.P95
	case 0.99:
		return d.P99
	case 0.999:
		return d.P999
	case 1:
		return d.Max
	}
	return mergedQuantile([]result.Distribution{d}, q)
}

// mergedQuantile returns the smallest bucket bound that q of all values do not exceed, and at most
// the greatest value.
func mergedQuantile(parts []result.Distribution, q float64) time.Duration {
	var all []result.Bucket
	var top time.Duration
	for _, d := range parts {
		all = append(all, d.Buckets...)
		top = max(top, d.Max)
	}
	slices.SortFunc(all, func(a, b result.Bucket) int { return cmp.Compare(a.UpTo, b.UpTo) })
	rank := max(1, uint64(math.Ceil(q*float64(samples(parts))-1e-9)))
	seen := uint64(0)
	for _, b := range all {
		if seen += b.N; seen >= rank {
			return min(b.UpTo, top)
		}
	}
	return top
}

// mean returns the mean of all values of parts together.
func mean(parts []result.Distribution) time.Duration {
	sum, n := 0.0, samples(parts)
	if n == 0 {
		return 0
	}
	for _, d := range parts {
		sum += float64(d.Mean) * float64(d.Count)
	}
	return time.Duration(math.Round(sum / float64(n)))
}
