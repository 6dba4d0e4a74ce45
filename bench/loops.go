package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// company says how much the machine was shared, below a table.
func (b *bench) company(entries []*entry) string {
	var all []float64
	for _, e := range entries {
		if e.measured() {
			all = append(all, e.median(func(o outcome) float64 { return o.others }))
		}
	}
	b.figures["others"] = max(b.figures["others"], median(all))
	return "Meanwhile other processes used " + percent(median(all)) + " of the cores (median)."
}

// The figures a run of a client is compared by.
func cpu(o outcome) float64    { return float64(o.perRequest()) }
func memory(o outcome) float64 { return float64(o.usage.memory) }
func kernel(o outcome) float64 {
	return o.usage.kernel.Seconds() / max(o.usage.cpu().Seconds(), 1e-9)
}
func achieved(l load) func(outcome) float64 { return func(o outcome) float64 { return o.rate(l) } }
func late(q func(quantiles) time.Duration) func(outcome) float64 {
	return func(o outcome) float64 {
		if o.late == nil {
			return 0
		}
		return float64(q(*o.late))
	}
}
func response(q func(quantiles) time.Duration) func(outcome) float64 {
	return func(o outcome) float64 { return float64(q(o.response)) }
}
func p50(q quantiles) time.Duration  { return q.P50 }
func p99(q quantiles) time.Duration  { return q.P99 }
func p999(q quantiles) time.Duration { return q.P999 }

// closed measures the closed-loop maximum.
func (b *bench) closed(ctx context.Context) error {
	l := load{url: b.server.url, lasts: b.lasts()}
	full := l
	full.feature = flow
	ours, theirs := &entry{name: "loadkms", client: loadkms, load: l}, &entry{name: "vegeta", client: vegeta, load: l}
	ourFlow := &entry{name: "loadkms, full flow", client: loadkms, load: full}
	entries := []*entry{
		ours, theirs, ourFlow,
		{name: "wrk (C)", client: wrk, load: l},
		{name: "h2load (C)", client: h2load, load: l},
		{name: "bombardier", client: bombardier, load: l},
		{name: "k6", client: k6, load: l},
	}
	if b.tools[loop.tool] != "" {
		entries = slices.Insert(entries, 3, &entry{name: loop.name, client: loop, load: l})
	}
	if err := b.paired(ctx, entries); err != nil {
		return err
	}
	t := table{
		title: fmt.Sprintf("Closed loop, %d connections, one core", connections),
		head:  []string{"client", "answers/s", "to vegeta", "loadkms to it", "CPU/request", "loadkms to it", "kernel", "server busy", "memory", "failed", "what dominates"},
		notes: []string{"Medians of " + plural(b.rounds(), "paired round") + ". loadkms is offered " + whole(saturating) + " arrivals/s and drops what finds none of its 64 users free; the CPU for those is part of its figure."},
	}
	rate := achieved(l)
	for _, e := range entries {
		if !e.measured() {
			t.addMissing(e)
			continue
		}
		t.add(e.name, whole(e.median(rate)), times(e.ratio(theirs, rate)), times(ours.ratio(e, rate)),
			short(time.Duration(e.median(cpu))), times(ours.ratio(e, cpu)), percent(e.median(kernel)),
			percent(e.median(func(o outcome) float64 { return o.server })), mebibytes(e.median(memory)),
			whole(e.median(func(o outcome) float64 { return float64(o.bad) })), e.worst().dominates())
		b.figures["closed rate to "+e.client.tool] = ours.ratio(e, rate)
		b.figures["closed CPU to "+e.client.tool] = ours.ratio(e, cpu)
	}
	if ours.measured() && ourFlow.measured() {
		b.figures["full flow over plain"] = max(ourFlow.median(cpu)-ours.median(cpu), 1) // 0 would be "not measured"
	}
	t.notes = append(t.notes, b.company(entries))
	return t.print(b.out)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// open measures fixed rates.
func (b *bench) open(ctx context.Context) error {
	for _, rate := range []int{1000, 5000, 20000} {
		if err := b.openAt(ctx, rate); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) openAt(ctx context.Context, rate int) error {
	l := load{url: b.server.url, lasts: b.lasts(), rate: rate}
	gridded, full := l, l
	gridded.feature, full.feature = grid, flow
	ours, theirs := &entry{name: "loadkms", client: loadkms, load: l}, &entry{name: "vegeta", client: vegeta, load: l}
	coarse := &entry{name: "loadkms, 1 ms grid", client: loadkms, load: gridded}
	entries := []*entry{
		ours, theirs, coarse,
		{name: "loadkms, full flow", client: loadkms, load: full},
		{name: "k6", client: k6, load: l},
	}
	if rate == 1000 { // beyond, it only takes long
		entries = append(entries, &entry{name: "Artillery", client: artillery, load: l})
	}
	if err := b.paired(ctx, entries); err != nil {
		return err
	}
	t := table{
		title: fmt.Sprintf("Open loop at %s/s, one core", whole(float64(rate))),
		head: []string{"client", "answers/s", "dropped", "failed", "lateness p50", "p99", "p99.9", "response p99",
			"CPU/request", "to vegeta", "kernel", "memory", "held", "what dominates"},
		notes: []string{"Response p99 is as the client tells it: from the intended start in loadkms, from sending in the others."},
	}
	for _, e := range entries {
		if !e.measured() {
			t.addMissing(e)
			continue
		}
		count := func(f func(outcome) uint64) string {
			return whole(e.median(func(o outcome) float64 { return float64(f(o)) }))
		}
		at := func(f func(outcome) float64) string { return short(time.Duration(e.median(f))) }
		held := "yes"
		if why := e.worst().held(l); why != "" {
			held = "no: " + why
		}
		t.add(e.name, whole(e.median(achieved(l))), count(func(o outcome) uint64 { return o.dropped }), count(func(o outcome) uint64 { return o.bad }),
			at(late(p50)), at(late(p99)), at(late(p999)), at(response(p99)), at(cpu), times(e.ratio(theirs, cpu)),
			percent(e.median(kernel)), mebibytes(e.median(memory)), held, e.worst().dominates())
	}
	name := fmt.Sprintf(" at %d", rate)
	if ours.measured() {
		b.figures["lateness p99"+name] = ours.median(late(p99))
		b.figures["lateness p99.9"+name] = ours.median(late(p999))
		b.figures["memory"+name] = ours.median(memory)
	}
	b.figures["CPU on a grid to vegeta"+name] = coarse.ratio(theirs, cpu)
	t.notes = append(t.notes, b.company(entries))
	return t.print(b.out)
}
