package verdict

import (
	"slices"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// A request is one request of a synthetic run.
type request struct {
	step       int
	sent, done time.Duration // sent when it was due
	class      result.Class
}

// A bench synthesizes runs: it takes requests and the times of faults, and cuts them into windows and
// spans by the definitions in package result, slowly.
type bench struct {
	run      result.Run
	requests []request
	script   scenarios.Script
}

const (
	create = 0
	get    = 1
)

// newBench returns a bench with two steps and a generator in good health.
func newBench() *bench {
	b := &bench{}
	b.run.Target = "http://127.0.0.1:8080"
	b.run.Steps = []result.Step{
		{Scenario: "create record", Name: "POST /record"},
		{Scenario: "get record", Name: "GET /record"},
	}
	b.run.Generator.Lateness = result.Distribution{Count: 1, P99: 800 * time.Microsecond}
	return b
}

// traffic adds requests of a step, one every gap in [from, to), each answered after as long and with
// the class that answer says.
func (b *bench) traffic(step int, from, to, gap time.Duration, answer func(sent time.Duration) (result.Class, time.Duration)) *bench {
	for at := from; at < to; at += gap {
		class, took := answer(at)
		b.requests = append(b.requests, request{step, at, at + took, class})
	}
	return b
}

// always answers every request the same.
func always(c result.Class, took time.Duration) func(time.Duration) (result.Class, time.Duration) {
	return func(time.Duration) (result.Class, time.Duration) { return c, took }
}

// between answers requests sent in [from, to) with c, and others with OK, after 2 ms.
func between(from, to time.Duration, c result.Class) func(time.Duration) (result.Class, time.Duration) {
	return func(at time.Duration) (result.Class, time.Duration) {
		if at >= from && at < to {
			return c, 2 * time.Millisecond
		}
		return result.OK, 2 * time.Millisecond
	}
}

// fault adds a fault that takes 10 ms to break and to restore and settles a second later.
func (b *bench) fault(breaking, restoring time.Duration, expect ...scenarios.Expectation) *bench {
	const moving = 10 * time.Millisecond
	b.run.Faults = append(b.run.Faults, result.Fault{
		Name: "disable the ledger's key", Action: string(scenarios.DisableKey), Target: "key/1234", Where: "x.yaml:9:5",
		Breaking: breaking, Broken: breaking + moving, Visible: breaking + moving,
		Restoring: restoring, RestoreAccepted: restoring + moving, Restored: restoring + moving,
		Settled: restoring + moving + time.Second,
	})
	return b.expect(expect...)
}

// expect adds a fault with these expectations to the script.
func (b *bench) expect(e ...scenarios.Expectation) *bench {
	for i := range e {
		e[i].Pos = scenarios.Pos{File: "x.yaml", Line: 12 + i, Col: 7}
	}
	b.script.Faults = append(b.script.Faults, scenarios.Fault{Name: "disable the ledger's key", Expect: e})
	return b
}

// finish cuts the requests into a run that took so long.
func (b *bench) finish(took time.Duration) *result.Run {
	run := b.run
	run.Took = took
	run.Steps = slices.Clone(run.Steps)
	run.Faults = slices.Clone(run.Faults)
	cuts := []time.Duration{0}
	for _, f := range run.Faults {
		for _, at := range []time.Duration{f.Breaking, f.Broken, f.Restoring, f.Restored} {
			if at != result.Never {
				cuts = append(cuts, at)
			}
		}
	}
	slices.Sort(cuts)
	cuts = append(slices.Compact(cuts), took)
	for i := range cuts[:len(cuts)-1] {
		run.Spans = append(run.Spans, b.span(cuts[i], cuts[i+1]))
	}
	for at := time.Duration(0); at < took; at += window {
		run.Windows = append(run.Windows, b.window(at))
	}
	for step := range run.Steps {
		var all []request
		for _, r := range b.requests {
			if r.step == step {
				all = append(all, r)
				run.Steps[step].Classes[r.class]++
			}
		}
		run.Steps[step].Response = distribution(all)
		run.Steps[step].Service = run.Steps[step].Response
	}
	g := &run.Generator
	for _, r := range b.requests {
		g.Due++
		if r.class == result.Dropped {
			g.Dropped++
		} else {
			g.Sent++
		}
	}
	return &run
}

func (b *bench) span(from, to time.Duration) result.Span {
	s := result.Span{From: from, To: to, Moving: -1, Steps: make([]result.SpanStep, len(b.run.Steps))}
	for i, f := range b.run.Faults {
		in := func(a, z time.Duration) bool { return a != result.Never && from >= a && (z == result.Never || to <= z) }
		switch {
		case in(f.Breaking, f.Broken) && f.Broken != result.Never, in(f.Restoring, f.Restored):
			s.Moving = i
		case in(f.Broken, f.Restoring):
			s.Active = append(s.Active, i)
		}
	}
	for i := range s.Steps {
		step := &s.Steps[i]
		var in []request
		for _, r := range b.requests {
			switch {
			case r.step != i || r.sent < from || r.sent >= to:
			case r.done > to:
				step.Straddling++
			default:
				in = append(in, r)
				step.Classes[r.class]++
				seen, ok := step.Seen[r.class]
				if !ok {
					seen = result.Seen{First: r.done, Last: r.done}
				}
				if step.Seen == nil {
					step.Seen = map[result.Class]result.Seen{}
				}
				step.Seen[r.class] = result.Seen{First: min(seen.First, r.done), Last: max(seen.Last, r.done)}
			}
		}
		step.Response = distribution(in)
		step.Service = step.Response // each was sent when it was due
	}
	return s
}

func (b *bench) window(at time.Duration) result.Window {
	w := result.Window{At: at, Steps: make([]result.StepWindow, len(b.run.Steps))}
	for i := range w.Steps {
		s := &w.Steps[i]
		s.FirstOK, s.LastOK, s.FirstBad, s.LastBad = result.Never, result.Never, result.Never, result.Never
		for _, r := range b.requests {
			if r.step != i || r.sent < at || r.sent >= at+window {
				continue
			}
			s.Classes[r.class]++
			s.Max = max(s.Max, r.done-r.sent)
			first, last := &s.FirstOK, &s.LastOK
			if r.class != result.OK {
				first, last = &s.FirstBad, &s.LastBad
			}
			if *first == result.Never || r.done < *first {
				*first = r.done
			}
			*last = max(*last, r.done)
		}
	}
	return w
}

// distribution is exact, with a bucket per value.
func distribution(in []request) (d result.Distribution) {
	var all []time.Duration
	sum := time.Duration(0)
	for _, r := range in {
		if r.class != result.Dropped {
			all = append(all, r.done-r.sent)
			sum += r.done - r.sent
		}
	}
	if len(all) == 0 {
		return d
	}
	slices.Sort(all)
	at := func(q float64) time.Duration {
		return all[min(max(int(q*float64(len(all))+0.9999999)-1, 0), len(all)-1)]
	}
	d = result.Distribution{
		Count: uint64(len(all)), Mean: sum / time.Duration(len(all)), Min: all[0],
		P50: at(0.5), P90: at(0.9), P95: at(0.95), P99: at(0.99), P999: at(0.999), Max: all[len(all)-1],
	}
	for _, v := range all {
		if n := len(d.Buckets); n > 0 && d.Buckets[n-1].UpTo == v {
			d.Buckets[n-1].N++
		} else {
			d.Buckets = append(d.Buckets, result.Bucket{UpTo: v, N: 1})
		}
	}
	return d
}

// The expectations of the tests.

func succeed(scope scenarios.Scope, share float64, within time.Duration) scenarios.Expectation {
	return scenarios.Expectation{Scope: scope, Succeed: share, Within: within}
}

func fails(c result.Class, within time.Duration) scenarios.Expectation {
	return scenarios.Expectation{Scope: scenarios.During, Succeed: -1, Fail: &c, Within: within}
}

func limited(scope scenarios.Scope, l scenarios.Limit) scenarios.Expectation {
	return scenarios.Expectation{Scope: scope, Succeed: -1, Limits: []scenarios.Limit{l}}
}
