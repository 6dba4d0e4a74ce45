package reporters

import (
	"math"
	"testing"
	"time"

	"loadkms/result"
)

func TestLength(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{result.Never, "never"},
		{0, "0 ms"},
		{999, "<1 µs"},
		{412 * time.Microsecond, "412 µs"},
		{999_600 * time.Nanosecond, "1.00 ms"},
		{3_120 * time.Microsecond, "3.12 ms"},
		{9_996 * time.Microsecond, "10.0 ms"},
		{14_149 * time.Microsecond, "14.1 ms"},
		{250 * time.Millisecond, "250 ms"},
		{999_900 * time.Microsecond, "1.00 s"},
		{1200 * time.Millisecond, "1.20 s"},
		{12_440 * time.Millisecond, "12.4 s"},
		{59_990 * time.Millisecond, "1m00s"},
		{125 * time.Second, "2m05s"},
		{62 * time.Minute, "1h02m"},
		{-2 * time.Second, "−2.00 s"},
		{math.MinInt64, "−2562047h47m"},
		{math.MaxInt64, "2562047h47m"},
	} {
		if got := length(c.d); got != c.want {
			t.Errorf("length(%d) = %q, want %q", c.d, got, c.want)
		}
	}
}

func TestShareNeverRoundsFailuresAway(t *testing.T) {
	for _, c := range []struct {
		part, whole uint64
		want        string
	}{
		{0, 0, "–"}, {0, 5, "0%"}, {5, 5, "100%"}, {1, 2, "50%"}, {1, 3, "33.33%"}, {2, 3, "66.66%"},
		{29, 100, "29%"}, {992, 1000, "99.20%"}, {9_999, 10_000, "99.99%"}, {99_999, 100_000, "99.999%"},
		{math.MaxUint64 - 1, math.MaxUint64, "99.999999%"}, {1, math.MaxUint64, "<0.01%"},
		{999_999_999, 1_000_000_000, "99.999999%"},
	} {
		if got := share(c.part, c.whole); got != c.want {
			t.Errorf("share(%d, %d) = %q, want %q", c.part, c.whole, got, c.want)
		}
	}
	for _, c := range []struct {
		f    float64
		want string
	}{{math.NaN(), "–"}, {math.Inf(1), "100%"}, {-1, "0%"}, {0.1548, "15.48%"}} {
		if got := ratio(c.f); got != c.want {
			t.Errorf("ratio(%v) = %q, want %q", c.f, got, c.want)
		}
	}
}

func TestClockAndCount(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{clock(22134 * time.Millisecond), "0:22.134"},
		{clock(3723 * time.Second), "1:02:03.000"},
		{clock(result.Never), "never"},
		{short(61 * time.Second), "1:01"},
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(1234567), "1,234,567"},
		{rate(0.5), "0.5/s"}, {rate(2000), "2,000/s"}, {rate(math.NaN()), "–"},
		{plural(1, "request", "requests"), "1 request"}, {plural(0, "request", "requests"), "0 requests"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
