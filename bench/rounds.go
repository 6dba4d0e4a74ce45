package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// An entry is one client with one load, measured once in each round.
type entry struct {
	name   string
	client client
	load   load

	outcomes []outcome // one for each round; the zero outcome where err says why there is none
	err      error     // the first
}

// paired runs every entry once in every round, one after another, so that what the machine does besides hits all
// alike. It returns an error only if there is no point in going on.
func (b *bench) paired(ctx context.Context, entries []*entry) error {
	for round := range b.rounds() {
		for _, e := range entries {
			var o outcome
			if e.err == nil { // what failed once fails again
				fmt.Fprintf(b.say, "round %d of %d: %s, %s\n", round+1, b.rounds(), e.name, describe(e.load))
				o, e.err = b.measure(ctx, e.client, e.load, nil)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
			}
			e.outcomes = append(e.outcomes, o)
		}
	}
	return nil
}

func describe(l load) string {
	if l.rate == 0 {
		return fmt.Sprintf("closed loop for %v", l.lasts)
	}
	return fmt.Sprintf("%d/s for %v", l.rate, l.lasts)
}

// measured reports whether there are figures.
func (e *entry) measured() bool { return e.err == nil && len(e.outcomes) > 0 }

// addMissing gives e, which has no figures, its row, and the reason a line below the table.
func (t *table) addMissing(e *entry) {
	if errors.Is(e.err, errNotInstalled) {
		t.add(e.name, errNotInstalled.Error())
		return
	}
	t.add(e.name, "no result")
	t.notes = append(t.notes, fmt.Sprintf("No result of %s: %v.", e.name, e.err))
}

// median is the median over the rounds of what f says.
func (e *entry) median(f func(outcome) float64) float64 {
	var all []float64
	for _, o := range e.outcomes {
		all = append(all, f(o))
	}
	return median(all)
}

// ratio is the median over the rounds of e's figure divided by other's in the same round, and 0 if there is none.
func (e *entry) ratio(other *entry, f func(outcome) float64) float64 {
	if !e.measured() || !other.measured() {
		return 0
	}
	var all []float64
	for i := range min(len(e.outcomes), len(other.outcomes)) {
		if by := f(other.outcomes[i]); by > 0 {
			all = append(all, f(e.outcomes[i])/by)
		}
	}
	return median(all)
}

// median returns 0 for nothing.
func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// worst returns the outcome in which the rate was missed by most: the one to quote, since a rate is held or not.
func (e *entry) worst() outcome {
	return slices.MinFunc(e.outcomes, func(a, b outcome) int {
		return int(a.rate(e.load) - b.rate(e.load))
	})
}
