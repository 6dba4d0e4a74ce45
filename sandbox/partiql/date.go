package partiql

import (
	"errors"
	"time"

	"loadkms/sandbox/ion"
)

// The parts of a timestamp that DATE_ADD, DATE_DIFF and EXTRACT take, and what precision the first makes of
// a timestamp that had less.
var dateParts = map[string]ion.Precision{
	"YEAR": ion.Year, "MONTH": ion.Month, "DAY": ion.Day, "HOUR": ion.Minute, "MINUTE": ion.Minute, "SECOND": ion.Second,
}

// zoneParts are those that only EXTRACT takes.
var zoneParts = map[string]bool{"TIMEZONE_HOUR": true, "TIMEZONE_MINUTE": true}

// secondsOf is how long the parts are that are always as long.
var secondsOf = map[string]int64{"DAY": 24 * 60 * 60, "HOUR": 60 * 60, "MINUTE": 60, "SECOND": 1}

// maxInterval is beyond the years there are, whatever the part, and within what can be calculated with.
const maxInterval = 10_000 * 366 * 24 * 60 * 60

var errInterval = errors.New("The result is not within the years 1 to 9999")

// dateAdd adds n parts, also fewer than none. A day that the month does not have becomes its last one. What
// was a date and gets a time is in UTC.
func dateAdd(part string, n int64, m ion.Moment) (ion.Value, error) {
	if n > maxInterval || n < -maxInterval {
		return ion.Value{}, errInterval
	}
	if more := dateParts[part]; more > m.Precision {
		m.Offset = m.Offset || m.Precision < ion.Minute && more >= ion.Minute
		m.Precision = more
	}
	switch part {
	case "YEAR":
		m.Time = addMonths(m.Time, 12*n)
	case "MONTH":
		m.Time = addMonths(m.Time, n)
	default: // not through a Duration, which ends after 292 years
		m.Time = time.Unix(m.Time.Unix()+n*secondsOf[part], int64(m.Time.Nanosecond())).In(m.Time.Location())
	}
	v, err := m.Value()
	if err != nil {
		return v, errInterval
	}
	return v, nil
}

func addMonths(t time.Time, n int64) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// dateDiff counts the whole parts from a to b; it is below zero if b is earlier. Months and years are
// those of a's offset.
func dateDiff(part string, a, b time.Time) int64 {
	switch part {
	case "YEAR":
		return monthsBetween(a, b) / 12
	case "MONTH":
		return monthsBetween(a, b)
	}
	seconds, nanos := b.Unix()-a.Unix(), b.Nanosecond()-a.Nanosecond()
	if seconds > 0 && nanos < 0 {
		seconds--
	} else if seconds < 0 && nanos > 0 {
		seconds++
	}
	return seconds / secondsOf[part]
}

func monthsBetween(a, b time.Time) int64 {
	b = b.In(a.Location())
	within := func(t time.Time) time.Duration { // the month
		return time.Duration(t.Day())*24*time.Hour + time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute +
			time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
	}
	months := int64(b.Year()-a.Year())*12 + int64(b.Month()-a.Month())
	if months > 0 && within(b) < within(a) {
		months--
	} else if months < 0 && within(b) > within(a) {
		months++
	}
	return months
}

// extract returns a part of a timestamp. An unknown offset counts as none.
func extract(part string, t time.Time) int64 {
	_, offset := t.Zone()
	return int64(map[string]int{"YEAR": t.Year(), "MONTH": int(t.Month()), "DAY": t.Day(), "HOUR": t.Hour(), "MINUTE": t.Minute(),
		"SECOND": t.Second(), "TIMEZONE_HOUR": offset / 3600, "TIMEZONE_MINUTE": offset % 3600 / 60}[part])
}
