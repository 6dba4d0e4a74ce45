package reporters

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"loadkms/result"
)

// A synth makes a run from single requests, as a real one comes about: it fires arrivals, lets a
// small world answer them, and then counts. So windows, spans, totals, anatomy and generator agree
// with one another because they are counted from the same requests.
type synth struct {
	name   string
	seed   uint64
	phases []synthPhase
	faults []synthFault
	base   time.Duration                  // median service time
	late   func(at time.Duration) float64 // factor on lateness; nil means 1
	users  int                            // the most that are alive at once; 0 means no limit
	stopAt time.Duration                  // a signal ends the run; 0 means none
	judge  func(*result.Run) result.Verdict
}

type synthPhase struct {
	name string
	secs int
	rate float64
	step int
}

type synthFault struct {
	name, action, target string
	line                 int // in the script
	at, hold             time.Duration
	visible              time.Duration // after it was accepted
	grace                time.Duration // what caches hide; negative means no effect ever
	blend                time.Duration // for so long caches end one after the other
	probe                time.Duration // from the verified restore until good again
	class                result.Class
	witness              [2]string // while it is in force, and after
	stuck                string    // why it cannot be restored
	refused              string
}

// A request is one of a synthesized run.
type request struct {
	step                 int
	intended, sent, done time.Duration
	class                result.Class
}

var synthSteps = []result.Step{
	{Scenario: "create record", Name: "POST /record"},
	{Scenario: "get record", Name: "GET /record/{{ $created() }}"},
}

const synthARN = "arn:aws:kms:eu-west-2:000000000000:"

func (s synth) run() *result.Run {
	rng := rand.New(rand.NewPCG(s.seed, 1))
	r := &result.Run{
		Schema: result.Schema, Version: "v0.1.0", Script: "scenarios/" + s.name + ".yaml", Name: s.name,
		Target: "http://127.0.0.1:8080",
		AWS:    result.AWS{Region: "eu-west-2", Account: "000000000000", Endpoint: "http://127.0.0.1:4566", Sandbox: true, Speed: 60},
		Seed:   s.seed, Began: time.Date(2025, 8, 1, 9, 30, 0, 0, time.UTC),
		Steps: slices.Clone(synthSteps),
	}
	at := time.Duration(0)
	for _, p := range s.phases {
		r.Phases = append(r.Phases, result.Phase{Name: p.name, From: at, To: at + time.Duration(p.secs)*time.Second})
		at += time.Duration(p.secs) * time.Second
	}
	loadEnd := at
	if s.stopAt > 0 {
		loadEnd = s.stopAt
	}
	s.inject(r, rng, loadEnd)
	all := s.fire(r, rng, loadEnd)
	s.count(r, all, loadEnd)
	s.dissect(r, all)
	r.Verdict = s.judge(r)
	return r
}

// inject decides when the stations of every fault are passed.
func (s synth) inject(r *result.Run, rng *rand.Rand, loadEnd time.Duration) {
	ms := func(from, to float64) time.Duration {
		return time.Duration((from + rng.Float64()*(to-from)) * float64(time.Millisecond)).Round(time.Microsecond)
	}
	event := func(at time.Duration, kind result.EventKind, fault int, detail string) {
		r.Events = append(r.Events, result.Event{At: at, Kind: kind, Fault: fault, Detail: detail})
	}
	for _, p := range r.Phases {
		if p.From < loadEnd {
			event(p.From, result.PhaseBegan, -1, p.Name)
		}
	}
	took := loadEnd + ms(8, 15)
	for i, f := range s.faults {
		out := result.Fault{
			Name: f.name, Action: f.action, Target: f.target, Where: fmt.Sprintf("%s:%d:5", r.Script, f.line), Planned: f.at, Refused: f.refused,
			Breaking: result.Never, Broken: result.Never, Visible: result.Never, Restoring: result.Never,
			RestoreAccepted: result.Never, Restored: result.Never, Settled: result.Never,
		}
		switch {
		case f.at >= loadEnd:
		case f.refused != "":
			event(f.at+ms(4, 8), result.FaultRefused, i, f.refused)
		default:
			event(f.at+ms(2, 4), result.FaultObserved, i, "")
			event(f.at+ms(5, 9), result.FaultRehearsed, i, "")
			out.Breaking = f.at + ms(10, 14)
			out.Broken = out.Breaking + ms(3, 8)
			out.Visible = out.Broken + f.visible + ms(2, 6)
			event(out.Breaking, result.FaultBreaking, i, "")
			event(out.Broken, result.FaultBroken, i, "")
			event(out.Visible, result.FaultVisible, i, "")
			restore := min(f.at+f.hold, loadEnd)
			if f.witness[0] != "" {
				if seen := out.Broken + max(f.grace, 0) + ms(300, 700); seen < restore {
					out.Witness = append(out.Witness, f.witness[0])
					event(seen, result.Witnessed, i, f.witness[0])
				}
			}
			out.Restoring = restore + ms(0, 1)
			event(out.Restoring, result.FaultRestoring, i, "")
			if f.stuck != "" {
				out.Stuck = &result.Stuck{Error: f.stuck, Command: "aws kms enable-key --region eu-west-2 " +
					"--endpoint-url http://127.0.0.1:4566 --key-id " + f.target}
				event(out.Restoring+20*time.Second, result.FaultStuck, i, f.stuck)
				took = max(took, out.Restoring+20*time.Second)
				break
			}
			out.RestoreAccepted = out.Restoring + ms(3, 8)
			out.Restored = out.RestoreAccepted + ms(4, 9)
			out.Settled = out.Restored + 250*time.Millisecond + ms(2, 6)
			event(out.RestoreAccepted, result.FaultAccepted, i, "")
			event(out.Restored, result.FaultRestored, i, "")
			if f.witness[1] != "" {
				out.Witness = append(out.Witness, f.witness[1])
				event(out.Restored+f.probe+ms(100, 400), result.Witnessed, i, f.witness[1])
			}
			event(out.Settled, result.FaultSettled, i, "")
			took = max(took, out.Settled)
		}
		r.Faults = append(r.Faults, out)
	}
	if s.stopAt > 0 {
		r.Interrupted = "SIGINT"
		event(s.stopAt, result.Interrupted, -1, "SIGINT")
	}
	event(loadEnd, result.LoadEnded, -1, "")
	slices.SortStableFunc(r.Events, func(a, b result.Event) int { return cmp.Compare(a.At, b.At) })
	for _, e := range r.Events {
		took = max(took, e.At)
	}
	r.Took = took + 40*time.Millisecond
}

// answer returns how the world ends a request that arrives at it at t.
func (s synth) answer(r *result.Run, rng *rand.Rand, step int, t time.Duration) result.Class {
	if step != 1 {
		return result.OK
	}
	for i, f := range s.faults {
		got := r.Faults[i]
		if got.Broken < 0 || f.grace < 0 {
			continue
		}
		effect := got.Broken + f.grace
		back := time.Duration(math.MaxInt64 / 2)
		if got.Restored >= 0 {
			back = got.Restored + f.probe
		}
		switch {
		case t < effect || t >= back+f.blend:
		case t < effect+f.blend && rng.Float64() > float64(t-effect)/float64(f.blend):
		case t >= back && rng.Float64() < float64(t-back)/float64(f.blend):
		default:
			return f.class
		}
	}
	return result.OK
}

func (s synth) fire(r *result.Run, rng *rand.Rand, loadEnd time.Duration) []request {
	var all []request
	for i, p := range s.phases {
		n := int(p.rate * float64(p.secs))
		for k := range n {
			q := request{step: p.step, intended: r.Phases[i].From + time.Duration(float64(k)/p.rate*float64(time.Second))}
			if q.intended >= loadEnd {
				break
			}
			late := 0.2 + rng.ExpFloat64()*0.3
			if s.late != nil {
				late *= s.late(q.intended)
			}
			q.sent = q.intended + time.Duration(late*float64(time.Millisecond)).Round(time.Microsecond)
			if s.users > 0 && late > 45 && rng.Float64() < 0.3 {
				q.class, q.done = result.Dropped, q.intended
				all = append(all, q)
				continue
			}
			q.class = s.answer(r, rng, q.step, q.sent)
			service := float64(s.base) * math.Exp(rng.NormFloat64()*0.28)
			if q.step == 0 {
				service *= 1.6
			}
			if rng.Float64() < 0.004 {
				service *= 4 + 3*rng.Float64()
			}
			if q.class != result.OK {
				service *= 2.4
			}
			q.done = q.sent + time.Duration(service).Round(time.Microsecond)
			all = append(all, q)
		}
	}
	return all
}

// sum makes a distribution of all; it sorts them.
func sum(all []time.Duration, buckets bool) result.Distribution {
	d := result.Distribution{Count: uint64(len(all))}
	if len(all) == 0 {
		return d
	}
	slices.Sort(all)
	at := func(q float64) time.Duration {
		return min(upTo(all[min(int(math.Ceil(q*float64(len(all))))-1, len(all)-1)]), all[len(all)-1])
	}
	total := 0.0
	for _, v := range all {
		total += float64(v)
	}
	d.Mean = time.Duration(total / float64(len(all))).Round(time.Microsecond)
	d.Min, d.Max = all[0], all[len(all)-1]
	d.P50, d.P90, d.P95, d.P99, d.P999 = at(.5), at(.9), at(.95), at(.99), at(.999)
	if buckets {
		for _, v := range all {
			if n := len(d.Buckets); n > 0 && d.Buckets[n-1].UpTo == upTo(v) {
				d.Buckets[n-1].N++
			} else {
				d.Buckets = append(d.Buckets, result.Bucket{UpTo: upTo(v), N: 1})
			}
		}
	}
	return d
}

// upTo rounds v up to three binary digits more than its leading one: coarser than the recorder, so
// that the files stay small.
func upTo(v time.Duration) time.Duration {
	unit := time.Microsecond
	for v > 16*unit {
		unit *= 2
	}
	return (v + unit - 1) / unit * unit
}

func (s synth) count(r *result.Run, all []request, loadEnd time.Duration) {
	steps := len(r.Steps)
	seconds := int((loadEnd + time.Second - 1) / time.Second)
	byWindow := make([][]request, seconds)
	response, service := make([][]time.Duration, steps), make([][]time.Duration, steps)
	var late []time.Duration
	g := &r.Generator
	ends := []time.Duration{}
	for _, q := range all {
		w := int(q.intended / time.Second)
		byWindow[w] = append(byWindow[w], q)
		r.Steps[q.step].Classes[q.class]++
		g.Due++
		if q.class == result.Dropped {
			g.Dropped++
			continue
		}
		g.Sent++
		late = append(late, q.sent-q.intended)
		response[q.step] = append(response[q.step], q.done-q.intended)
		service[q.step] = append(service[q.step], q.done-q.sent)
		ends = slices.DeleteFunc(ends, func(e time.Duration) bool { return e < q.sent })
		ends = append(ends, q.done)
		g.Users = max(g.Users, len(ends))
	}
	for i := range r.Steps {
		r.Steps[i].Response, r.Steps[i].Service = sum(response[i], true), sum(service[i], true)
	}
	g.Lateness = sum(late, false)
	g.GCPause, g.CPU, g.Processors = 2100*time.Microsecond, r.Took/14, 2
	if steps > 0 {
		r.Records.Acknowledged = r.Steps[0].Classes[result.OK]
		r.Records.Drawn = min(r.Records.Acknowledged, r.Steps[1].Classes[result.OK]*9/10)
	}

	for i, requests := range byWindow {
		w := result.Window{At: time.Duration(i) * time.Second, Steps: make([]result.StepWindow, steps)}
		var late []time.Duration
		for step := range steps {
			sw := &w.Steps[step]
			sw.FirstOK, sw.LastOK, sw.FirstBad, sw.LastBad = result.Never, result.Never, result.Never, result.Never
			var response, service []time.Duration
			for _, q := range requests {
				if q.step != step {
					continue
				}
				w.Due++
				sw.Classes[q.class]++
				if q.class == result.Dropped {
					w.Dropped++
					continue
				}
				late = append(late, q.sent-q.intended)
				response, service = append(response, q.done-q.intended), append(service, q.done-q.sent)
				first, last := &sw.FirstOK, &sw.LastOK
				if q.class != result.OK {
					first, last = &sw.FirstBad, &sw.LastBad
				}
				if *first < 0 || q.done < *first {
					*first = q.done
				}
				*last = max(*last, q.done)
			}
			d := sum(response, false)
			sw.P50, sw.P95, sw.P99, sw.Max, sw.Service = d.P50, d.P95, d.P99, d.Max, sum(service, false).P99
		}
		w.LateP99 = sum(late, false).P99
		r.Windows = append(r.Windows, w)
	}
	s.cut(r, all)
}

// cut makes the spans: one from every change of a fault to the next.
func (s synth) cut(r *result.Run, all []request) {
	type change struct {
		at     time.Duration
		fault  int
		force  bool
		moving bool
	}
	var changes []change
	for i, f := range r.Faults {
		for _, c := range []change{{f.Breaking, i, true, true}, {f.Broken, i, true, false}, {f.Restoring, i, true, true}, {f.Restored, i, false, false}} {
			if c.at >= 0 {
				changes = append(changes, c)
			}
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	span := result.Span{Moving: -1}
	finish := func(to time.Duration) {
		span.To = to
		for step := range r.Steps {
			out := result.SpanStep{Seen: map[result.Class]result.Seen{}}
			var response, service []time.Duration
			for _, q := range all {
				if q.step != step || q.sent < span.From || q.sent >= to || q.class == result.Dropped {
					continue
				}
				if q.done >= to {
					out.Straddling++
					continue
				}
				out.Classes[q.class]++
				seen, known := out.Seen[q.class]
				if !known || q.done < seen.First {
					seen.First = q.done
				}
				seen.Last = max(seen.Last, q.done)
				out.Seen[q.class] = seen
				response, service = append(response, q.done-q.intended), append(service, q.done-q.sent)
			}
			out.Response, out.Service = sum(response, false), sum(service, false)
			span.Steps = append(span.Steps, out)
		}
		r.Spans = append(r.Spans, span)
	}
	for _, c := range changes {
		finish(c.at)
		active := slices.Clone(span.Active)
		active = slices.DeleteFunc(active, func(f int) bool { return f == c.fault })
		if c.force && !c.moving {
			active = append(active, c.fault)
		}
		span = result.Span{From: c.at, Active: active, Moving: -1}
		if c.moving {
			span.Moving = c.fault
		}
	}
	finish(r.Took)
}

// dissect makes the anatomy of every fault from the requests.
func (s synth) dissect(r *result.Run, all []request) {
	ended := slices.Clone(all)
	ended = slices.DeleteFunc(ended, func(q request) bool { return q.class == result.Dropped })
	slices.SortStableFunc(ended, func(a, b request) int { return cmp.Compare(a.done, b.done) })
	for i := range r.Faults {
		f := &r.Faults[i]
		if f.Broken < 0 {
			continue
		}
		until := f.Restoring
		a := result.Anatomy{Step: 1, FirstEffect: result.Never, FullEffect: result.Never, FirstSuccess: result.Never,
			Recovered: result.Never, Grace: result.Never, TimeToRecover: result.Never}
		lastOK, lastBad := f.Broken, result.Never
		for _, q := range ended {
			if q.step != a.Step {
				continue
			}
			inside := q.sent >= f.Broken && q.done < until
			if f.Restored >= 0 && q.intended >= f.Restored {
				a.Afterwards++
			}
			if inside {
				a.Requests++
			}
			switch {
			case q.done < f.Broken:
			case q.class == result.OK && a.FirstEffect < 0:
				lastOK = q.done
			case q.class == result.OK:
				if q.done < until {
					a.FullEffect = result.Never
				} else if a.FirstSuccess < 0 {
					a.FirstSuccess = q.done
				}
				if a.Recovered < 0 && f.Restored >= 0 && q.done > f.Restored {
					a.Recovered, a.RecoverGap = q.done, q.done-lastBad
				}
			default:
				if inside {
					a.Failed++
				}
				if a.FirstEffect < 0 {
					a.FirstEffect, a.Grace, a.GraceGap = q.done, q.done-f.Broken, q.done-lastOK
					a.Class = q.class
				}
				if a.FullEffect < 0 && q.done < until {
					a.FullEffect = q.done
				}
				lastBad, a.Recovered = q.done, result.Never
			}
		}
		if a.Recovered >= 0 {
			a.TimeToRecover = a.Recovered - f.Restored
		}
		if a.Requests > 0 {
			a.Availability = float64(a.Requests-a.Failed) / float64(a.Requests)
		}
		f.Steps = []result.Anatomy{a}
	}
}

// check makes a check of fault 0 as the verdict makes them.
func check(r *result.Run, scope, name, want, got string, outcome result.Judgment) result.Check {
	line := map[string]int{"before": 36, "during": 37, "after": 38}[scope]
	return result.Check{Name: "get record: " + name, Scope: scope, Want: want, Got: got, Outcome: outcome,
		Where: fmt.Sprintf("%s:%d:15", r.Script, line)}
}

// served writes the share of reads in the spans that belong to a scope that were OK.
func served(r *result.Run, scope string) string {
	c := scopeOf(r, scope)
	return fmt.Sprintf("%s (%d of %d)", share(c[result.OK], c.Total()), c[result.OK], c.Total())
}

func scopeOf(r *result.Run, scope string) (c result.Counts) {
	for _, s := range r.Spans {
		in := map[string]bool{
			"before": s.To <= r.Faults[0].Breaking,
			"during": slices.Contains(s.Active, 0),
			"after":  r.Faults[0].Restored >= 0 && s.From >= r.Faults[0].Restored,
		}
		if in[scope] {
			c.Add(s.Steps[1].Classes)
		}
	}
	return c
}

// p99 returns that of the reads in the first span of a scope.
func p99(r *result.Run, during bool) time.Duration {
	for _, s := range r.Spans {
		if during == slices.Contains(s.Active, 0) {
			return s.Steps[1].Response.P99
		}
	}
	return 0
}

var fourPhases = []synthPhase{
	{"create", 10, 50, 0}, {"baseline", 10, 50, 1}, {"disabled", 20, 50, 1}, {"restored", 20, 50, 1},
}

func disableKey() synthFault {
	return synthFault{
		name: "disable the ledger's key", action: "disable-key", line: 31,
		target: synthARN + "key/5b8f4a52-1c1e-4b8e-9a53-0d6c3f0e7a11",
		at:     20 * time.Second, hold: 15 * time.Second, visible: 5 * time.Millisecond,
		grace: 2100 * time.Millisecond, blend: 350 * time.Millisecond, probe: 4200 * time.Millisecond,
		class: result.KeyInaccessible,
		witness: [2]string{"ledger qldb-kms-poc: KMS_KEY_INACCESSIBLE since 2025-08-01T09:30:22Z",
			"ledger qldb-kms-poc: ENABLED"},
	}
}

// synths are the runs of testdata/runs.
func synths() []synth {
	open := disableKey()
	open.grace, open.witness = -1, [2]string{}
	stuckKey := disableKey()
	stuckKey.stuck = "enable key: AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/chaos/loadkms is " +
		"not authorized to perform: kms:EnableKey"
	stuckKey.witness[1] = ""

	return []synth{
		{
			name: "disable-key", seed: 7, phases: fourPhases, faults: []synthFault{disableKey()}, base: 2600 * time.Microsecond,
			judge: func(r *result.Run) result.Verdict {
				a := r.Faults[0].Steps[0]
				return result.Verdict{Outcome: result.Pass, Reasons: []string{
					fmt.Sprintf("reads went on for %s after the key was disabled, then failed as KeyInaccessible, as expected", length(a.Grace)),
					fmt.Sprintf("they succeeded again %s after it was enabled; 15 s were allowed", length(a.TimeToRecover)),
				}, Checks: []result.Check{
					check(r, "before", "succeeds", "100%", served(r, "before"), result.Pass),
					check(r, "during", "fails", "KeyInaccessible, within 10s", "from "+length(a.Grace)+" on", result.Pass),
					check(r, "after", "succeeds", "100%, within 15s", "from "+length(a.TimeToRecover)+" on", result.Pass),
				}}
			},
		},
		{
			name: "rotate", seed: 11, phases: []synthPhase{{"create", 10, 50, 0}, {"baseline", 10, 100, 1}, {"rotated", 20, 100, 1}},
			faults: []synthFault{{
				name: "rotate the ledger's key", action: "rotate-alias", target: synthARN + "alias/qldb-kms-poc",
				line: 26, at: 20 * time.Second, hold: 15 * time.Second, visible: 4 * time.Millisecond,
				grace: -1, witness: [2]string{"ledger qldb-kms-poc: UPDATING", "ledger qldb-kms-poc: ENABLED"},
			}},
			base: 2400 * time.Microsecond,
			judge: func(r *result.Run) result.Verdict {
				return result.Verdict{Outcome: result.Pass, Reasons: []string{
					fmt.Sprintf("the key was rotated under load, and all %d reads succeeded", r.Steps[1].Classes.Total()),
				}, Checks: []result.Check{
					check(r, "before", "succeeds", "100%", served(r, "before"), result.Pass),
					check(r, "during", "succeeds", "100%", served(r, "during"), result.Pass),
					check(r, "during", "p99", "at most 1.5x of before ("+length(p99(r, false)*3/2)+")", length(p99(r, true)), result.Pass),
					check(r, "after", "succeeds", "100%", served(r, "after"), result.Pass),
				}}
			},
		},
		{
			name: "no-access-key", seed: 13, phases: []synthPhase{{"create", 10, 50, 0}, {"baseline", 10, 50, 1}, {"no access", 15, 50, 1}, {"restored", 10, 50, 1}},
			faults: []synthFault{{
				name: "give the ledger a key its role may not use", action: "update-ledger-key",
				target: "arn:aws:qldb:eu-west-2:000000000000:ledger/qldb-kms-poc", line: 28,
				at: 20 * time.Second, hold: 15 * time.Second, visible: 3 * time.Millisecond, grace: 0, blend: 0, probe: 40 * time.Millisecond,
				class: result.AccessDenied, witness: [2]string{"ledger qldb-kms-poc: UPDATING", "ledger qldb-kms-poc: ENABLED"},
			}},
			base: 2500 * time.Microsecond,
			judge: func(r *result.Run) result.Verdict {
				a := r.Faults[0].Steps[0]
				return result.Verdict{Outcome: result.Pass, Reasons: []string{
					"every read was answered AccessDenied while the ledger had the key its role may not use, and none before",
				}, Checks: []result.Check{
					check(r, "before", "succeeds", "100%", served(r, "before"), result.Pass),
					check(r, "during", "fails", "AccessDenied, within 1s", "from "+length(a.Grace)+" on", result.Pass),
					check(r, "after", "succeeds", "100%, within 5s", "from "+length(a.TimeToRecover)+" on", result.Pass),
				}}
			},
		},
		{
			name: "fail-open", seed: 17, phases: fourPhases, faults: []synthFault{open}, base: 2600 * time.Microsecond,
			judge: func(r *result.Run) result.Verdict {
				return result.Verdict{Outcome: result.Fail, Reasons: []string{
					"FAIL-OPEN: get record: data was still served 15.0 s after the key was disabled, although it had to fail within 10 s; " +
						"whoever loses access to this key keeps access to the data",
				}, Checks: []result.Check{
					check(r, "before", "succeeds", "100%", served(r, "before"), result.Pass),
					check(r, "during", "fails", "KeyInaccessible, within 10s", "FAIL-OPEN: "+served(r, "during"), result.Fail),
					check(r, "after", "succeeds", "100%, within 15s", served(r, "after"), result.Pass),
				}}
			},
		},
		{
			name: "late-generator", seed: 19, phases: fourPhases, faults: []synthFault{disableKey()}, base: 2600 * time.Microsecond, users: 200,
			late: func(at time.Duration) float64 {
				if at > 24*time.Second && at < 33*time.Second {
					return 60
				}
				return 1
			},
			judge: func(r *result.Run) result.Verdict {
				return result.Verdict{Outcome: result.Inconclusive, Reasons: []string{
					fmt.Sprintf("the load generator was late (p99 %s, at most 10 ms is sound), so what it measured may be its own slowness",
						length(r.Generator.Lateness.P99)),
				}, Checks: []result.Check{
					{Name: "the generator was on time", Fault: -1, Scope: "run", Want: "lateness p99 at most 10 ms",
						Got: length(r.Generator.Lateness.P99), Outcome: result.Inconclusive},
					check(r, "before", "succeeds", "100%", served(r, "before"), result.Pass),
					check(r, "during", "fails", "KeyInaccessible, within 10s", "the generator was late", result.Inconclusive),
					check(r, "after", "succeeds", "100%, within 15s", "the generator was late", result.Inconclusive),
				}}
			},
		},
		{
			name: "stuck", seed: 23, phases: fourPhases, faults: []synthFault{stuckKey}, base: 2600 * time.Microsecond,
			judge: func(r *result.Run) result.Verdict {
				a := r.Faults[0].Steps[0]
				return result.Verdict{Outcome: result.Fail, Stuck: true, Reasons: []string{
					"the key is still disabled: it could not be enabled again",
					"get record: users were still refused when the run ended",
				}, Checks: []result.Check{
					check(r, "before", "succeeds", "100%", served(r, "before"), result.Pass),
					check(r, "during", "fails", "KeyInaccessible, within 10s", "from "+length(a.Grace)+" on", result.Pass),
					check(r, "after", "succeeds", "100%, within 15s", "never restored", result.Fail),
				}}
			},
		},
		{
			name: "interrupted", seed: 29, phases: fourPhases, base: 2600 * time.Microsecond, stopAt: 27600 * time.Millisecond,
			faults: []synthFault{disableKey(), {
				name: "rotate the ledger's key", action: "rotate-alias", target: synthARN + "alias/qldb-kms-poc",
				line: 40, at: 45 * time.Second, hold: 10 * time.Second, grace: -1,
			}},
			judge: func(r *result.Run) result.Verdict {
				return result.Verdict{Outcome: result.Inconclusive, Reasons: []string{
					"the run was interrupted (SIGINT), so it proves nothing",
				}, Checks: []result.Check{
					{Name: "ran to its end", Fault: -1, Scope: "run", Want: "the whole schedule", Got: "interrupted: SIGINT", Outcome: result.Inconclusive},
					check(r, "before", "succeeds", "100%", served(r, "before"), result.Pass),
					check(r, "after", "succeeds", "100%, within 15s", "no traffic", result.Inconclusive),
				}}
			},
		},
	}
}

// hour is a long run of one step with a fault in the middle.
func hour() *result.Run {
	f := disableKey()
	f.at, f.hold = 30*time.Minute, 5*time.Minute
	s := synth{name: "hour", seed: 31, base: 3 * time.Millisecond, faults: []synthFault{f},
		phases: []synthPhase{{"create", 60, 20, 0}, {"read", 3540, 20, 1}},
		judge:  func(*result.Run) result.Verdict { return result.Verdict{Outcome: result.Pass} }}
	return s.run()
}

// before returns the snapshot the runner would have published at t.
func before(r *result.Run, n uint64, t time.Duration) *result.Snapshot {
	planned := r.Phases[len(r.Phases)-1].To
	s := &result.Snapshot{N: n, Elapsed: t, Planned: planned, Rate: 50, Done: t >= r.Took, Inflight: 3, Generator: r.Generator}
	s.Steps = make([]result.Step, len(r.Steps))
	for i, step := range r.Steps {
		s.Steps[i] = result.Step{Scenario: step.Scenario, Name: step.Name}
		if s.Done {
			s.Steps[i] = step
		}
	}
	s.Generator.Due, s.Generator.Dropped = 0, 0
	for _, w := range r.Windows {
		if w.At >= t {
			break
		}
		s.Windows = append(s.Windows, w)
		s.Generator.Due += w.Due
		s.Generator.Dropped += w.Dropped
		if !s.Done {
			for i := range w.Steps {
				s.Steps[i].Classes.Add(w.Steps[i].Classes)
			}
		}
	}
	for _, p := range r.Phases {
		if p.From <= t {
			s.Phase = p.Name
		}
	}
	if s.Done {
		s.Inflight = 0
	}
	for _, e := range r.Events {
		if e.At <= t {
			s.Events = append(s.Events, e)
		}
	}
	for _, f := range r.Faults {
		for _, at := range []*time.Duration{&f.Breaking, &f.Broken, &f.Visible, &f.Restoring, &f.RestoreAccepted, &f.Restored, &f.Settled} {
			if *at > t {
				*at = result.Never
			}
		}
		if !s.Done {
			f.Stuck, f.Steps = nil, nil
		}
		s.Faults = append(s.Faults, f)
	}
	return s
}
