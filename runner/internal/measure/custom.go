package measure

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"loadkms/result"
)

const (
	mostNames   = 200  // distinct metrics of a script: a name made of data must not fill the memory
	longestName = 1024 // characters; Artillery's limit
	mostBuckets = 8192 // of one histogram: values over 64 powers of two
)

// A custom holds what a script's own functions count and measure. The zero value is empty. It is off the
// hot path, and bounded: names beyond the first mostNames are not kept, but what is lost is counted.
type custom struct {
	mu       sync.Mutex // guards the rest; held for a look-up and an addition, or while summing up
	counters map[string]float64
	rates    map[string]uint64
	values   map[string]*values
	lost     uint64
}

// Count adds n to the script's counter called name.
func (r *Recorder) Count(name string, n float64) {
	c := &r.custom
	c.mu.Lock()
	defer c.mu.Unlock()
	if !finite(n) || !admit(c, &c.counters, &name) {
		c.lost++
		return
	}
	c.counters[name] = bounded(c.counters[name] + n)
}

// Rate counts one event of the script's rate called name.
func (r *Recorder) Rate(name string) {
	c := &r.custom
	c.mu.Lock()
	defer c.mu.Unlock()
	if !admit(c, &c.rates, &name) {
		c.lost++
		return
	}
	c.rates[name]++
}

// Observe adds v to the script's histogram called name. What is not a finite number is lost, and so are
// values of a histogram that already knows too many others, far apart.
func (r *Recorder) Observe(name string, v float64) {
	c := &r.custom
	c.mu.Lock()
	defer c.mu.Unlock()
	if !finite(v) || !admit(c, &c.values, &name) {
		c.lost++
		return
	}
	h := c.values[name]
	if h == nil {
		h = &values{buckets: map[int64]uint64{}}
		c.values[name] = h
	}
	if !h.record(v) {
		c.lost++
	}
}

// admit cuts name to its greatest length, and reports whether it is in m or there is room for one more
// name. The caller holds mu.
func admit[V any](c *custom, m *map[string]V, name *string) bool {
	*name = cut(*name)
	if _, known := (*m)[*name]; known {
		return true
	}
	if *m == nil {
		*m = map[string]V{}
	}
	return len(c.counters)+len(c.rates)+len(c.values) < mostNames
}

// cut returns the first longestName characters of s, as valid UTF-8.
func cut(s string) string {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	n := 0
	for i := range s {
		if n++; n > longestName {
			return s[:i]
		}
	}
	return s
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// bounded returns v, or the greatest number there is in place of infinity, which JSON does not have.
func bounded(v float64) float64 { return max(-math.MaxFloat64, min(v, math.MaxFloat64)) }

// view returns what was counted so far; nil if there was nothing.
func (c *custom) view() *result.Custom {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.counters)+len(c.rates)+len(c.values) == 0 && c.lost == 0 {
		return nil
	}
	out := &result.Custom{Lost: c.lost}
	for name, n := range c.counters {
		if out.Counters == nil {
			out.Counters = map[string]float64{}
		}
		out.Counters[name] = n
	}
	for name, n := range c.rates {
		if out.Rates == nil {
			out.Rates = map[string]uint64{}
		}
		out.Rates[name] = n
	}
	for name, h := range c.values {
		if out.Histograms == nil {
			out.Histograms = map[string]result.Summary{}
		}
		out.Histograms[name] = h.summary()
	}
	return out
}

// A values counts numbers of any kind in buckets as fine as those of a histogram: 128 to a power of two,
// which are the first seven bits of a float64's fraction. They are few, and in a map.
type values struct {
	buckets     map[int64]uint64
	n           uint64
	mean        float64
	least, most float64
}

// fine is how many bits of a float64 a bucket does not tell apart.
const fine = 52 - 7

// bucket returns the bucket of v: negative numbers mirror positive ones, and zero is alone in its own.
func bucket(v float64) int64 {
	switch i := int64(math.Float64bits(math.Abs(v))>>fine) + 1; {
	case v > 0:
		return i
	case v < 0:
		return -i
	}
	return 0
}

// highest returns the greatest number of bucket i.
func highest(i int64) float64 {
	switch {
	case i > 0:
		return math.Float64frombits(uint64(i)<<fine - 1)
	case i < 0:
		return -math.Float64frombits(uint64(-i-1) << fine)
	}
	return 0
}

// record adds v, and reports whether there was room for it.
func (h *values) record(v float64) bool {
	i := bucket(v)
	if h.buckets[i] == 0 && len(h.buckets) >= mostBuckets {
		return false
	}
	h.buckets[i]++
	if h.n == 0 {
		h.least, h.most = v, v
	}
	h.n++
	h.mean += v/float64(h.n) - h.mean/float64(h.n) // no sum, which could overflow
	h.least, h.most = min(h.least, v), max(h.most, v)
	return true
}

func (h *values) summary() result.Summary {
	s := result.Summary{Count: h.n, Min: h.least, Max: h.most, Mean: h.mean}
	order := make([]int64, 0, len(h.buckets))
	for i := range h.buckets {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int64) int { return cmp.Compare(a, b) })
	for _, q := range []struct {
		share float64
		at    *float64
	}{{0.5, &s.P50}, {0.75, &s.P75}, {0.9, &s.P90}, {0.95, &s.P95}, {0.99, &s.P99}, {0.999, &s.P999}} {
		want, seen := rank(q.share, h.n), uint64(0)
		for _, i := range order {
			if seen += h.buckets[i]; seen >= want {
				*q.at = max(h.least, min(highest(i), h.most))
				break
			}
		}
	}
	return s
}
