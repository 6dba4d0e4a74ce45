package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// A search is for the highest rate a client holds truthfully.
type search struct {
	name    string
	client  client
	feature feature
	from    int // a rate to begin with

	rate   int     // the highest held; 0: none
	at     outcome // there
	beyond string  // why the next rate tried was not held
	next   int     // that rate
	err    error   // why there is no figure at all
}

// highest searches for the highest rate of each client.
func (b *bench) highest(ctx context.Context) error {
	ours, theirs := &search{name: "loadkms, plain GET", client: loadkms, from: 2000}, &search{name: "vegeta, plain GET", client: vegeta, from: 1000}
	full := &search{name: "loadkms, full flow", client: loadkms, feature: flow, from: 2000}
	k6s := &search{name: "k6, full flow", client: k6, feature: flow, from: 500}
	node := &search{name: "Artillery, full flow", client: artillery, feature: flow, from: 64}
	searches := []*search{ours, theirs, full, k6s, node}
	t := table{
		title: "The highest rate held truthfully, one core",
		head:  []string{"client", "holds", "to vegeta", "lateness p99", "response p99", "CPU/request", "memory", "beyond it", "what dominates"},
		notes: []string{"Nothing dropped or failed, 99 % of the rate achieved, lateness p99 under 10 ms. Lateness of k6 and Artillery is not known, so that they may be late here unseen."},
	}
	gap := 1.1
	if b.quick {
		gap = 2 // doubling is all
	}
	for _, s := range searches {
		if s.err = s.run(gap, b.hold(ctx, s)); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	for _, s := range searches {
		if s.err != nil {
			t.addMissing(&entry{name: s.name, err: s.err})
			continue
		}
		lateness := "–"
		if s.at.late != nil {
			lateness = short(s.at.late.P99)
		}
		t.add(s.name, whole(float64(s.rate))+"/s", times(over(s, theirs)), lateness, short(s.at.response.P99), short(s.at.perRequest()),
			mebibytes(memory(s.at)), fmt.Sprintf("%s/s: %s", whole(float64(s.next)), s.beyond), s.at.dominates())
	}
	b.figures["highest to vegeta"] = over(ours, theirs)
	b.figures["highest full flow to vegeta"] = over(full, theirs)
	b.figures["highest full flow to k6"] = over(full, k6s)
	b.figures["highest full flow to Artillery"] = over(full, node)
	return t.print(b.out)
}

// over is 0 if either has no figure.
func over(s, other *search) float64 {
	if s.rate == 0 || other.rate == 0 {
		return 0
	}
	return float64(s.rate) / float64(other.rate)
}

// highestLasts bounds one run of a search: there are many.
const highestLasts = 3 * time.Second

// tooFast is a rate nobody is asked for.
const tooFast = 1 << 20

// A hold says why a rate is not held, or "". An error ends the search.
type hold func(rate int) (why string, o outcome, err error)

// run doubles the rate until it is not held, or halves it until it is, and then halves the gap until the rate held and
// the one not held differ by no more than the factor gap.
func (s *search) run(gap float64, try hold) error {
	fails := 0 // lowest rate that is not held; 0: none known
	for rate := s.from; rate > 0 && rate < tooFast; {
		why, o, err := try(rate)
		if err != nil {
			return err
		}
		if why == "" {
			s.rate, s.at = rate, o
		} else {
			fails, s.next, s.beyond = rate, rate, why
		}
		switch {
		case fails == 0:
			rate *= 2
			continue
		case s.rate == 0:
			rate /= 2
			continue
		case float64(fails) <= gap*float64(s.rate):
			return nil
		}
		if rate = rounded((fails + s.rate) / 2); rate >= fails || rate <= s.rate {
			return nil
		}
	}
	if s.rate == 0 {
		return fmt.Errorf("it holds no rate: %s", s.beyond)
	}
	return nil
}

// rounded keeps two digits, as the machine's noise is above the others.
func rounded(n int) int {
	unit := math.Pow10(max(len(fmt.Sprint(n))-2, 0))
	return int(math.Round(float64(n)/unit) * unit)
}

// hold tries twice unless it must be quick, since the machine may have had something else to do.
func (b *bench) hold(ctx context.Context, s *search) hold {
	return func(rate int) (why string, o outcome, err error) {
		l := load{url: b.server.url, rate: rate, lasts: min(b.lasts(), highestLasts), feature: s.feature}
		for range b.rounds()/2 + 1 {
			o, err = b.measure(ctx, s.client, l, nil)
			switch {
			case errors.Is(err, errNotInstalled), errors.Is(err, errRefused), ctx.Err() != nil:
				return "", o, err
			case err != nil:
				why = err.Error() // it did not get to its end
			default:
				why = o.held(l)
			}
			fmt.Fprintf(b.say, "%s at %d/s: %s (others used %s of the cores)\n", s.name, rate, cmp.Or(why, "held"), percent(o.others))
			if why == "" {
				break
			}
		}
		return why, o, nil
	}
}
