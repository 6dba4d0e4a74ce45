package main

import (
	"context"
	"time"
)

// figures are what goals are checked against, by name; one that is missing, or 0, was not measured.
type figures map[string]float64

// A goal is a figure with a bound.
type goal struct {
	what, figure string
	bound        float64
	least        bool // the bound is the least it may be, not the most
	format       func(float64) string
}

func duration(f float64) string { return short(time.Duration(f)) }
func share(f float64) string    { return percent(f) }

// goalList is what loadkms is to reach, on a machine that does nothing else.
var goalList = []goal{
	{"closed loop: rate to vegeta's", "closed rate to vegeta", 3.5, true, times},
	{"closed loop: rate to k6's", "closed rate to k6", 8, true, times},
	{"closed loop: rate to bombardier's", "closed rate to bombardier", 1, true, times},
	{"closed loop: rate to wrk's", "closed rate to wrk", 0.9, true, times},
	{"closed loop: CPU/request to h2load's", "closed CPU to h2load", 1.1, false, times},
	{"full flow over plain GET", "full flow over plain", 3000, false, duration},
	{"highest rate: plain to vegeta's", "highest to vegeta", 8, true, times},
	{"highest rate: full flow to vegeta's plain", "highest full flow to vegeta", 6, true, times},
	{"highest rate: full flow to k6's", "highest full flow to k6", 10, true, times},
	{"highest rate: full flow to Artillery's", "highest full flow to Artillery", 60, true, times},
	{"lateness p99 at 1,000/s", "lateness p99 at 1000", 250e3, false, duration},
	{"lateness p99 at 20,000/s", "lateness p99 at 20000", 250e3, false, duration},
	{"lateness p99.9 at 20,000/s", "lateness p99.9 at 20000", 1e6, false, duration},
	{"CPU/request at 5,000/s on a 1 ms grid to vegeta's", "CPU on a grid to vegeta at 5000", 0.6, false, times},
	{"memory at 20,000/s", "memory at 20000", 40 << 20, false, mebibytes},
	{"memory of 100,000 users who think", "memory of users", 400 << 20, false, mebibytes},
	{"Ctrl-C to last request", "stop", 50e6, false, duration},
	{"p95 and p99 under stall: off the truth", "off the truth", 0.03, false, share},
}

// met reports whether f, which was measured, is within the bound.
func (g goal) met(f float64) bool {
	if g.least {
		return f >= g.bound
	}
	return f <= g.bound
}

// goals prints what was reached of what loadkms is to reach.
func (b *bench) goals(context.Context) error {
	t := table{title: "Goals", head: []string{"what", "goal", "measured", "reached"}}
	if busiest := b.figures["others"]; busiest >= disturbed {
		t.notes = append(t.notes, "Other processes used up to "+percent(busiest)+" of the cores: what is not reached here may well be.")
	}
	for _, g := range goalList {
		bound := "≤ "
		if g.least {
			bound = "≥ "
		}
		bound += g.format(g.bound)
		f := b.figures[g.figure]
		if f == 0 {
			t.add(g.what, bound, "not measured")
			continue
		}
		t.add(g.what, bound, g.format(f), map[bool]string{true: "yes", false: "no"}[g.met(f)])
	}
	return t.print(b.out)
}
