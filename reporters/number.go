package reporters

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"loadkms/result"
)

// length writes a length of time with three digits and its unit: 412 µs, 3.12 ms, 1.20 s, 2m05s.
func length(d time.Duration) string {
	switch {
	case d == result.Never:
		return "never"
	case d < 0:
		return "−" + length(-max(d, -math.MaxInt64))
	case d == 0:
		return "0 ms"
	case d < time.Microsecond:
		return "<1 µs"
	}
	// Rounded first, so that 9.996 ms becomes 10.0 ms and not 10.00 ms.
	for unit := time.Duration(1); unit <= math.MaxInt64/1000; unit *= 10 {
		if d < 1000*unit {
			d = (d + unit/2) / unit * unit
			break
		}
	}
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d/time.Microsecond)
	case d < time.Second:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	case d < time.Minute:
		return digits(d.Seconds()) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
}

// digits writes v, at least 1, with three digits.
func digits(v float64) string {
	switch {
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
}

// value writes a quantile of d, and a dash when nothing was measured.
func value(of result.Distribution, d time.Duration) string {
	if of.Count == 0 {
		return "–"
	}
	return length(d)
}

// clock writes a time since the run began as minutes and seconds, to the millisecond.
func clock(d time.Duration) string {
	if d < 0 {
		return "never"
	}
	return short(d) + fmt.Sprintf(".%03d", d%time.Second/time.Millisecond)
}

// short is clock without the milliseconds.
func short(d time.Duration) string {
	d = max(d, 0)
	if d < time.Hour {
		return fmt.Sprintf("%d:%02d", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d:%02d:%02d", d/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second)
}

// count writes n with its thousands apart.
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// share writes part ÷ whole in percent. It is rounded down, so only all of it is 100%, and only
// none of it is 0%: one failure in a million must not look like none.
func share(part, whole uint64) string {
	if whole == 0 {
		return "–"
	}
	return percent(float64(part)/float64(whole), part > 0, part >= whole)
}

// ratio writes a share between 0 and 1 as share does.
func ratio(f float64) string {
	if math.IsNaN(f) {
		return "–"
	}
	return percent(f, f > 0, f >= 1)
}

func percent(f float64, some, all bool) string {
	switch {
	case all:
		return "100%"
	case !some:
		return "0%"
	case f < 0.0001:
		return "<0.01%"
	}
	// Two decimals, and near 100% as many as it takes to see what is missing, up to six.
	places := 2
	for places < 6 && (1-f)*100 < math.Pow10(-places)*0.999 {
		places++
	}
	scale := math.Pow10(places)
	// The tiny addend keeps 0.29 from becoming 28.99% because 0.29 is not a binary fraction.
	if v := math.Floor(f*100*scale+1e-6) / scale; v < 100 {
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', places, 64), ".00") + "%"
	}
	return "99.999999%"
}

// rate writes arrivals per second.
func rate(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "–"
	}
	if f == math.Trunc(f) && f >= 0 && f < 1e15 {
		return count(uint64(f)) + "/s"
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + "/s"
}

// plural writes n and its noun.
func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// pace says how fast the sandbox's clock runs, and nothing if it keeps our time.
func pace(run *result.Run) string {
	if s := run.AWS.Speed; s > 0 && s != 1 {
		return "×" + strconv.FormatFloat(s, 'g', 4, 64)
	}
	return ""
}
