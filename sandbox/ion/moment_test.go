package ion

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestMoments(t *testing.T) {
	for text, want := range map[string]Moment{
		"2007T":                          {time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC), Year, 0, false},
		"2007-02T":                       {time.Date(2007, 2, 1, 0, 0, 0, 0, time.UTC), Month, 0, false},
		"2007-02-23":                     {time.Date(2007, 2, 23, 0, 0, 0, 0, time.UTC), Day, 0, false},
		"2007-02-23T12:14Z":              {time.Date(2007, 2, 23, 12, 14, 0, 0, time.UTC), Minute, 0, true},
		"2007-02-23T12:14-00:00":         {time.Date(2007, 2, 23, 12, 14, 0, 0, time.UTC), Minute, 0, false},
		"2007-02-23T12:14:33Z":           {time.Date(2007, 2, 23, 12, 14, 33, 0, time.UTC), Second, 0, true},
		"2007-02-23T12:14:33.079-08:00":  {time.Date(2007, 2, 23, 12, 14, 33, 79e6, time.FixedZone("", -8*3600)), Second, 3, true},
		"0001-01-01T00:00:00.000000001Z": {time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), Second, 9, true},
	} {
		v, err := ParseTimestamp(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, ok := v.AsMoment()
		if !ok || !got.Time.Equal(want.Time) || got.Time.Format(time.RFC3339Nano) != want.Time.Format(time.RFC3339Nano) ||
			got.Precision != want.Precision || got.Digits != want.Digits || got.Offset != want.Offset {
			t.Errorf("%s is %+v, want %+v", text, got, want)
		}
		again, err := got.Value()
		if err != nil || again.Text() != v.Text() || !Equal(again, v) {
			t.Errorf("%s becomes %s, %v", text, again.Text(), err)
		}
	}
	for _, text := range []string{"", "x", "2007", "2007-02-30T", "2007-13T", "a::2007T", "2007T 2008T", "null.timestamp", "2007T ", "1e5",
		"2007-02-23T12Z", "0000T", "-2007T"} {
		if v, err := ParseTimestamp(text); err == nil {
			t.Errorf("%q is %s", text, v.Text())
		}
	}
	if _, ok := Int(5).AsMoment(); ok {
		t.Error("an int is a moment")
	}
	if _, ok := Null(KindTimestamp).AsMoment(); ok {
		t.Error("a null is a moment")
	}
	for _, at := range []time.Time{time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)), time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -3600))} {
		if v, err := (Moment{at, Second, 0, true}).Value(); err == nil {
			t.Errorf("there is %s", v.Text())
		}
	}
}

// TestMomentsAsText puts random timestamps together, writes them, and reads them back in both formats.
func TestMomentsAsText(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		m := Moment{Precision: Precision(1 + r.IntN(5)), Offset: r.IntN(3) > 0}
		if m.Precision == Second {
			m.Digits = uint8(r.IntN(10))
		}
		zone := time.UTC
		if m.Offset && m.Precision >= Minute {
			zone = time.FixedZone("", 60*(r.IntN(2*1000)-1000))
		}
		at := time.Date(2+r.IntN(9900), 1, 1, 0, 0, 0, 0, zone)
		unit := []int{1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 100, 10, 1}[m.Digits]
		switch m.Precision {
		case Month:
			at = at.AddDate(0, r.IntN(12), 0)
		case Day:
			at = at.AddDate(0, 0, r.IntN(365))
		case Minute:
			at = at.Add(time.Duration(r.IntN(500_000)) * time.Minute)
		case Second:
			at = at.Add(time.Duration(r.IntN(30_000_000))*time.Second + time.Duration(r.IntN(1e9)/unit*unit))
		}
		m.Time = at
		v, err := m.Value()
		if err != nil {
			t.Fatalf("seed %d: %+v: %v", seed, m, err)
		}
		for _, encoded := range [][]byte{[]byte(v.Text()), v.Binary()} {
			again, err := Decode(encoded)
			if err != nil || again.Text() != v.Text() {
				t.Fatalf("seed %d: %+v is %s, and comes back as %s, %v", seed, m, v.Text(), again.Text(), err)
			}
		}
	}
}
