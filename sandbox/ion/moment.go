package ion

import (
	"errors"
	"strings"
	"time"

	amazon "github.com/amazon-ion/ion-go/ion"
)

// A Precision is how much of a timestamp is known.
type Precision uint8

// The precisions, from the least. An hour comes with its minute.
const (
	Year Precision = iota + 1
	Month
	Day
	Minute
	Second
)

// A Moment is a timestamp taken apart.
type Moment struct {
	Time      time.Time // in the timestamp's offset; what it does not tell is the least there is
	Precision Precision
	Digits    uint8 // of a fraction of a second, at most 9
	Offset    bool  // whether the offset is known; it never is of a date
}

// AsMoment takes a timestamp apart, and returns false if v is not a timestamp.
func (v Value) AsMoment() (Moment, bool) {
	ts, ok := v.more.(*amazon.Timestamp)
	if !ok {
		return Moment{}, false
	}
	m := Moment{Time: ts.GetDateTime(), Precision: Second, Offset: ts.GetTimezoneKind() != amazon.TimezoneUnspecified}
	switch ts.GetPrecision() {
	case amazon.TimestampPrecisionYear:
		m.Precision = Year
	case amazon.TimestampPrecisionMonth:
		m.Precision = Month
	case amazon.TimestampPrecisionDay:
		m.Precision = Day
	case amazon.TimestampPrecisionMinute:
		m.Precision = Minute
	case amazon.TimestampPrecisionNanosecond:
		m.Digits = ts.GetNumberOfFractionalSeconds()
	}
	return m, true
}

// Value puts a timestamp together. Its years are 1 to 9999, here and in UTC; for others it returns an error.
func (m Moment) Value() (Value, error) {
	for _, t := range []time.Time{m.Time, m.Time.UTC()} {
		if y := t.Year(); y < 1 || y > 9999 {
			return Value{}, errors.New("the year of a timestamp is not 1 to 9999")
		}
	}
	precision := [...]amazon.TimestampPrecision{Year: amazon.TimestampPrecisionYear, Month: amazon.TimestampPrecisionMonth,
		Day: amazon.TimestampPrecisionDay, Minute: amazon.TimestampPrecisionMinute, Second: amazon.TimestampPrecisionSecond}[m.Precision]
	if m.Precision == Second && m.Digits > 0 {
		precision = amazon.TimestampPrecisionNanosecond
	}
	t, zone := m.Time, amazon.TimezoneUnspecified
	if m.Offset && m.Precision >= Minute {
		zone = amazon.TimezoneUTC
		if _, offset := t.Zone(); offset != 0 {
			zone = amazon.TimezoneLocal
		}
	}
	if zone != amazon.TimezoneLocal {
		t = t.UTC()
	}
	ts := amazon.NewTimestampWithFractionalSeconds(t, precision, zone, m.Digits)
	return Value{kind: KindTimestamp, more: &ts}, nil
}

// maxMoment is longer than any timestamp with 9 digits of a second.
const maxMoment = 64

// ParseTimestamp reads a timestamp as Ion's text format has it, such as 2007T and 2007-02-23T12:14:33.079-08:00.
func ParseTimestamp(text string) (Value, error) {
	if len(text) <= maxMoment && strings.Trim(text, "0123456789-+:.TZ") == "" {
		if v, err := Decode([]byte(text)); err == nil && v.kind == KindTimestamp && !v.null {
			return v, nil
		}
	}
	return Value{}, errors.New("not a timestamp")
}
