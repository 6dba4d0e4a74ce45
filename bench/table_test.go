package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	table := table{title: "Rates", head: []string{"client", "answers/s"}}
	table.add("loadkms", "12,345")
	table.addMissing(&entry{name: "k6", err: errNotInstalled})
	table.addMissing(&entry{name: "a|b", err: errors.New("broken")})
	table.add("µs")
	const want = `## Rates

| client  | answers/s     |
|---------|---------------|
| loadkms | 12,345        |
| k6      | not installed |
| a\|b    | no result     |
| µs      |               |

No result of a|b: broken.

`
	var got strings.Builder
	if err := table.print(&got); err != nil || got.String() != want {
		t.Errorf("got %v and\n%s\nwant\n%s", err, got.String(), want)
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{short(0), "–"},
		{short(900), "0.9 µs"},
		{short(24 * time.Microsecond), "24 µs"},
		{short(9949), "9.9 µs"},
		{short(9950), "10 µs"},
		{short(999_600), "1.0 ms"},
		{short(12 * ms), "12 ms"},
		{short(2250 * ms), "2.25 s"},
		{whole(0), "0"},
		{whole(999.6), "1,000"},
		{whole(123456), "123,456"},
		{whole(1234567), "1,234,567"},
		{times(0), "–"},
		{times(3.456), "3.46 ×"},
		{percent(0.034), "3 %"},
		{signed(-0.999), "-99.9 %"},
		{mebibytes(40 << 20), "40 MiB"},
		{mebibytes(0), "–"},
		{plural(1, "run"), "1 run"},
		{plural(3, "run"), "3 runs"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		name string
		of   []float64
		want float64
	}{
		{"nothing", nil, 0},
		{"one", []float64{7}, 7},
		{"odd", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(c.of); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// A ratio is of the same round, and of what was measured.
func TestRatio(t *testing.T) {
	of := func(goods ...uint64) *entry {
		e := &entry{load: load{rate: 1, lasts: s}}
		for _, n := range goods {
			e.outcomes = append(e.outcomes, outcome{good: n, took: s})
		}
		return e
	}
	broken := of(1, 1, 1)
	broken.err = errNotInstalled
	for _, c := range []struct {
		name string
		a, b *entry
		want float64
	}{
		{"paired", of(10, 100, 30), of(5, 25, 10), 3}, // the medians' ratio is 3, by chance; the rounds' are 2, 4, 3
		{"a noisy round", of(10, 1, 10), of(5, 5, 5), 2},
		{"one round had nothing", of(10, 10), of(0, 5), 2},
		{"not installed", of(1, 1, 1), broken, 0},
		{"nothing", of(), of(1), 0},
	} {
		if got := c.a.ratio(c.b, achieved(c.a.load)); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestGoals(t *testing.T) {
	var out strings.Builder
	b := &bench{out: &out, figures: figures{"closed rate to vegeta": 3.6, "closed rate to wrk": 0.5, "stop": 50e6, "off the truth": 0.031}}
	if err := b.goals(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(out.String()) {
		if cells := strings.Split(line, "|"); len(cells) > 4 {
			rows[strings.TrimSpace(cells[1])] = strings.TrimSpace(cells[3]) + ": " + strings.TrimSpace(cells[4])
		}
	}
	for what, want := range map[string]string{
		"closed loop: rate to vegeta's":          "3.60 ×: yes",
		"closed loop: rate to wrk's":             "0.50 ×: no",
		"Ctrl-C to last request":                 "50 ms: yes",
		"p95 and p99 under stall: off the truth": "3 %: no",
		"memory at 20,000/s":                     "not measured: ",
	} {
		if rows[what] != want {
			t.Errorf("%s: got %q, want %q", what, rows[what], want)
		}
	}
}

func TestLastMoment(t *testing.T) {
	log := filepath.Join(t.TempDir(), "moments")
	for _, c := range []struct {
		text string
		want time.Time
	}{
		{"1000.001\n1000.250\n", time.Unix(1000, 250e6)},
		{"", time.Time{}},
		{"1000.25x\n", time.Time{}},
	} {
		if err := os.WriteFile(log, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := lastMoment(log); !got.Equal(c.want) || (err != nil) != c.want.IsZero() {
			t.Errorf("%q: got %v, %v, want %v", c.text, got, err, c.want)
		}
	}
}
