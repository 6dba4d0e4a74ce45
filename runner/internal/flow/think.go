package flow

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// pause returns how long the present think step takes.
func (w *walk) pause(o *op) (time.Duration, error) {
	d := o.pause
	if len(o.text.parts) > 0 {
		var ok bool
		if w.text, ok = o.text.render(w, w.text[:0], asIs); !ok {
			return 0, w.missing()
		}
		if d, ok = durationOf(string(w.text)); !ok {
			return 0, &unreadableError{"a duration", string(w.text)}
		}
	}
	if j := &w.user.program.jitter; j.Share > 0 || j.Most > 0 {
		x := 2*w.dice.Float64() - 1
		d += time.Duration(x * (j.Share*float64(d) + float64(j.Most)))
	}
	return max(d, 0), nil
}

// units are what a duration of a script may be counted in, besides those of Go.
var units = map[string]time.Duration{
	"msec": time.Millisecond, "msecs": time.Millisecond, "millisecond": time.Millisecond, "milliseconds": time.Millisecond,
	"sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
}

// durationOf reads what a template made of a duration: a number of seconds, or one with its unit.
func durationOf(s string) (time.Duration, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	if d, err := time.ParseDuration(strings.ReplaceAll(s, " ", "")); err == nil {
		return d, d >= 0
	}
	number := strings.TrimRightFunc(s, unicode.IsLetter)
	unit := time.Second
	if name := s[len(number):]; name != "" {
		if unit = units[name]; unit == 0 {
			return 0, false
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	d := n * float64(unit)
	if err != nil || !(d >= 0 && d < math.MaxInt64) {
		return 0, false
	}
	return time.Duration(d), true
}
