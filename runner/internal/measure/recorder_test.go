package measure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"loadkms/result"
)

func steps(n int) (s []result.Step) {
	for i := range n {
		s = append(s, result.Step{Scenario: "a", Name: fmt.Sprint("step ", i)})
	}
	return s
}

// A twin is a recorder that keeps every sample and sums up by the definitions.
type twin struct {
	steps   int
	samples []Sample
	within  []bool // the span was the present one when the sample was recorded
	arrived []Sample
	drops   []Sample
	cuts    []time.Duration
	hops    []Sample
	opened  [][3]time.Duration
	ended   []Sample // sessions: class is OK or not
}

// set sums up durations; quantiles are rounded as buckets round them.
type set []time.Duration

func (s set) quantile(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	slices.Sort(s)
	rank := len(s)
	for rank > 1 && float64(rank-1) >= q*float64(len(s))-1e-9 {
		rank--
	}
	return min(time.Duration(upper(index(micros(s[rank-1]))))*time.Microsecond, s[len(s)-1])
}

func (s set) distribution() result.Distribution {
	d := result.Distribution{Count: uint64(len(s))}
	if len(s) == 0 {
		return d
	}
	var sum time.Duration
	for _, v := range s {
		sum += v
	}
	d.Mean, d.Min, d.Max = sum/time.Duration(len(s)), slices.Min(s), slices.Max(s)
	d.P50, d.P90, d.P95, d.P99, d.P999 = s.quantile(.5), s.quantile(.9), s.quantile(.95), s.quantile(.99), s.quantile(.999)
	return d
}

// pick returns the samples and drops of one step that keep accepts, as response and service times,
// counts, and when each class was seen.
func (w *twin) pick(step int, keep func(x Sample, i int) bool) (response, service set, classes result.Counts, seen map[result.Class]result.Seen) {
	add := func(x Sample, i int) {
		if x.Step != step || !keep(x, i) {
			return
		}
		if x.Class != result.Dropped && x.Class != result.CaptureFailed {
			response, service = append(response, x.Done-x.Intended), append(service, x.Done-x.Sent)
		}
		if seen == nil {
			seen = map[result.Class]result.Seen{}
		}
		s, ok := seen[x.Class]
		if !ok {
			s = result.Seen{First: x.Done, Last: x.Done}
		}
		seen[x.Class] = result.Seen{First: min(s.First, x.Done), Last: max(s.Last, x.Done)}
		classes[x.Class]++
	}
	for i, x := range w.samples {
		add(x, i)
	}
	for _, x := range w.drops {
		add(x, -1)
	}
	return
}

func (w *twin) windows(n int) []result.Window {
	all := make([]result.Window, n)
	for i := range all {
		v := &all[i]
		v.At = time.Duration(i) * time.Second
		in := func(at time.Duration) bool { return int(max(at, 0)/time.Second) == i }
		for _, x := range w.arrived {
			if in(x.Intended) {
				v.Due++
			}
		}
		for _, x := range w.drops {
			if in(x.Intended) {
				v.Due++
				v.Dropped++
			}
		}
		var late set
		for _, x := range w.samples {
			if x.Arrival && in(x.Intended) {
				late = append(late, x.Began-x.Intended)
			}
		}
		v.LateP99 = late.quantile(0.99)
		for step := range w.steps {
			response, service, classes, seen := w.pick(step, func(x Sample, _ int) bool { return in(x.Intended) })
			s := result.StepWindow{Classes: classes, FirstOK: -1, LastOK: -1, FirstBad: -1, LastBad: -1}
			s.P50, s.P95, s.P99, s.Service = response.quantile(.5), response.quantile(.95), response.quantile(.99), service.quantile(.99)
			s.Max = response.distribution().Max
			for c, at := range seen {
				if c == result.OK {
					s.FirstOK, s.LastOK = at.First, at.Last
					continue
				}
				if s.FirstBad < 0 || at.First < s.FirstBad {
					s.FirstBad = at.First
				}
				s.LastBad = max(s.LastBad, at.Last)
			}
			v.Steps = append(v.Steps, s)
		}
	}
	return all
}

func (w *twin) spans(upTo time.Duration) []result.Span {
	bounds := append(append([]time.Duration{0}, w.cuts...), upTo)
	var all []result.Span
	for k := range len(bounds) - 1 {
		from, to, open := bounds[k], bounds[k+1], k == len(bounds)-2
		sp := result.Span{From: from, To: to, Moving: -1}
		for step := range w.steps {
			sent := func(x Sample, i int) bool { return i >= 0 && int(x.Span) == k }
			in := func(x Sample, i int) bool {
				return w.within[i] && x.Sent >= from && (open || x.Done <= to)
			}
			response, service, classes, seen := w.pick(step, func(x Sample, i int) bool {
				if i < 0 {
					return x.Intended >= from && (open || x.Intended < to)
				}
				return sent(x, i) && in(x, i)
			})
			_, _, all, _ := w.pick(step, func(x Sample, i int) bool { return sent(x, i) && !in(x, i) })
			sp.Steps = append(sp.Steps, result.SpanStep{Classes: classes, Seen: seen, Straddling: all.Total(),
				Response: response.distribution(), Service: service.distribution()})
		}
		all = append(all, sp)
	}
	return all
}

// sum is what Sum writes, but for the custom metrics.
func (w *twin) sum(run *result.Run, satisfied time.Duration) {
	for i := range run.Phases {
		p := &run.Phases[i]
		for _, x := range slices.Concat(w.arrived, w.drops) {
			if x.Phase == i {
				p.Due++
			}
		}
		for _, x := range w.drops {
			if x.Phase == i {
				p.Dropped++
			}
		}
		for step := range w.steps {
			response, service, classes, _ := w.pick(step, func(x Sample, _ int) bool { return x.Phase == i })
			if classes.Total() > 0 {
				p.Steps = append(p.Steps, result.PhaseStep{Step: step, Classes: classes,
					Response: response.distribution(), Service: service.distribution()})
			}
		}
	}
	apdex := result.Apdex{Threshold: satisfied}
	byStatus := map[string]set{}
	for step := range w.steps {
		response, service, classes, _ := w.pick(step, func(Sample, int) bool { return true })
		s := result.Step{Scenario: "a", Name: fmt.Sprint("step ", step), Classes: classes,
			Response: response.distribution(), Service: service.distribution(), Statuses: map[int]uint64{}}
		var first set
		for _, x := range w.samples {
			if x.Step != step {
				continue
			}
			if x.FirstByte > 0 {
				first = append(first, (x.FirstByte + time.Microsecond - 1).Truncate(time.Microsecond))
			}
			if x.Status > 0 {
				s.Statuses[int(x.Status)]++
				key := fmt.Sprint(x.Status/100, "xx")
				byStatus[key] = append(byStatus[key], x.Done-x.Intended)
			}
		}
		for _, x := range w.hops {
			if x.Step == step {
				s.Statuses[int(x.Status)]++
				s.Hops++
			}
		}
		if len(s.Statuses) == 0 {
			s.Statuses = nil
		}
		s.FirstByte = first.distribution()
		run.Steps = append(run.Steps, s)
	}
	for key, times := range byStatus {
		if run.StatusResponse == nil {
			run.StatusResponse = map[string]result.Distribution{}
		}
		run.StatusResponse[key] = times.distribution()
	}
	for _, x := range slices.Concat(w.samples, w.drops) {
		switch d := x.Done - x.Intended; {
		case x.Class != result.OK || d > 4*satisfied:
			apdex.Frustrated++
		case d > satisfied:
			apdex.Tolerated++
		default:
			apdex.Satisfied++
		}
		run.Downloaded += x.Read
		if x.Reused {
			run.Connections.Reused++
		}
	}
	for _, x := range w.hops {
		run.Downloaded += x.Read
	}
	if n := apdex.Satisfied + apdex.Tolerated + apdex.Frustrated; n > 0 {
		apdex.Score = (float64(apdex.Satisfied) + float64(apdex.Tolerated)/2) / float64(n)
	}
	run.Apdex = &apdex
	var times [3]set
	for _, c := range w.opened {
		run.Connections.Opened++
		for i, d := range c {
			if d > 0 {
				times[i] = append(times[i], d)
			}
		}
	}
	run.Connections.DNS, run.Connections.Connect, run.Connections.TLS =
		times[0].distribution(), times[1].distribution(), times[2].distribution()
	var length set
	for _, x := range w.ended {
		if x.Class == result.OK {
			run.Sessions.Completed++
			length = append(length, x.Done-x.Intended)
		} else {
			run.Sessions.Failed++
		}
	}
	run.Sessions.Length = length.distribution()
}

// shapeless drops the buckets Sum writes, after checking that they hold what they should.
func shapeless(t *testing.T, run *result.Run) {
	t.Helper()
	strip := func(name string, d *result.Distribution) {
		n := uint64(0)
		for _, b := range d.Buckets {
			n += b.N
		}
		if n != d.Count {
			t.Errorf("%s: got %d values in buckets, want %d", name, n, d.Count)
		}
		d.Buckets = nil
	}
	for i := range run.Steps {
		s := &run.Steps[i]
		strip("response", &s.Response)
		strip("service", &s.Service)
		strip("first byte", &s.FirstByte)
	}
	for key, d := range run.StatusResponse {
		strip(key, &d)
		run.StatusResponse[key] = d
	}
	strip("session", &run.Sessions.Length)
	strip("dns", &run.Connections.DNS)
	strip("connect", &run.Connections.Connect)
	strip("tls", &run.Connections.TLS)
}

// An act is something that happens to a recorder.
type act struct {
	at time.Duration // when it happens
	do func()
}

func TestRecorderAgainstSlowTwin(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 5))
		n := 1 + rng.IntN(3)
		r, w := NewRecorder(steps(n)), &twin{steps: n}
		r.Satisfied = time.Duration(1+rng.IntN(200)) * time.Millisecond
		length := time.Duration(1+rng.IntN(20)) * time.Second
		within := func(d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }
		var acts []act
		busy := map[time.Duration]time.Duration{} // from a cut's moment until it is made

		// Cuts are made one after another, each a moment after the one it is for.
		for at, n := within(length), rng.IntN(5); n > 0; n-- {
			made := at + within(3*time.Millisecond)
			busy[at] = made
			cut := at
			acts = append(acts, act{made, func() { r.Cut(cut); w.cuts = append(w.cuts, cut) }})
			at = made + 10*time.Millisecond + within(length/4)
		}

		for range 200 + rng.IntN(4000) {
			x := Sample{Step: rng.IntN(n), Phase: rng.IntN(4), Intended: within(length), Arrival: rng.IntN(2) == 0,
				Reused: rng.IntN(3) > 0, Read: rng.Uint64N(1e6)}
			if rng.IntN(4) > 0 {
				x.Status, x.FirstByte = uint16(100+rng.IntN(900)), time.Duration(1+rng.ExpFloat64()*1e7)
			}
			if rng.IntN(3) > 0 {
				x.Class = result.Class(rng.IntN(int(result.Dropped)))
			}
			x.Began = x.Intended + time.Duration(rng.ExpFloat64()*float64(time.Millisecond))
			x.Sent = x.Began
			if rng.IntN(4) == 0 { // it waited for a connection
				x.Sent += time.Duration(rng.ExpFloat64() * float64(10*time.Millisecond))
			}
			x.Done = x.Sent + time.Duration(rng.ExpFloat64()*float64(200*time.Millisecond))
			if rng.IntN(50) == 0 {
				x.Done = x.Sent + within(time.Minute) // a straggler
			}
			shard := r.Shard(rng.IntN(100))
			acts = append(acts, act{x.Sent, func() { x.Span = r.Span() }})
			acts = append(acts, act{x.Done + within(2*time.Millisecond), func() {
				w.samples = append(w.samples, x)
				w.within = append(w.within, x.Span == r.Span())
				shard.Record(x)
			}})
			switch intended := within(length); rng.IntN(10) {
			case 0:
				step, phase := rng.IntN(n), rng.IntN(4)
				acts = append(acts, act{intended, func() {
					shard.Drop(step, phase, intended)
					w.drops = append(w.drops, Sample{Step: step, Phase: phase, Class: result.Dropped, Intended: intended, Began: intended, Sent: intended, Done: intended})
				}})
			case 1:
				phase := rng.IntN(4)
				acts = append(acts, act{intended, func() {
					shard.Arrive(phase, intended)
					w.arrived = append(w.arrived, Sample{Phase: phase, Intended: intended})
				}})
			case 2:
				hop := Sample{Step: rng.IntN(n), Status: uint16(300 + rng.IntN(9)), Read: rng.Uint64N(1000)}
				acts = append(acts, act{intended, func() {
					shard.Hop(hop.Step, hop.Status, hop.Read)
					w.hops = append(w.hops, hop)
				}})
			case 3:
				c := [3]time.Duration{within(2) * time.Millisecond, within(time.Second), within(2) * time.Second}
				acts = append(acts, act{intended, func() { shard.Connect(c[0], c[1], c[2]); w.opened = append(w.opened, c) }})
			case 4:
				end := Sample{Intended: intended, Done: intended + within(time.Minute), Class: result.Class(rng.IntN(2))}
				acts = append(acts, act{intended, func() {
					shard.Finish(end.Intended, end.Done, end.Class == result.OK)
					w.ended = append(w.ended, end)
				}})
			}
		}
		// Readers come at any time; between a cut's moment and its making only one may come.
		var kept [][2]any
		for range rng.IntN(60) {
			at, which := within(length+time.Minute), rng.IntN(4)
			inCut := false
			for from, to := range busy {
				inCut = inCut || at >= from-5*time.Millisecond && at <= to
			}
			if inCut {
				continue
			}
			acts = append(acts, act{at, func() {
				switch which {
				case 0:
					got, copied := r.Windows(at), r.Windows(at)
					for i := range copied {
						copied[i].Steps = slices.Clone(copied[i].Steps)
					}
					kept = append(kept, [2]any{got, copied})
				case 1:
					r.Spans(at)
				case 2:
					r.Steps()
				case 3:
					r.Lateness()
				}
			}})
		}
		for _, made := range busy {
			if rng.IntN(2) == 0 {
				acts = append(acts, act{made - 1, func() { r.Steps() }})
			}
		}

		slices.SortStableFunc(acts, func(a, b act) int { return int(a.at - b.at) })
		for _, a := range acts {
			a.do()
		}

		end := length + time.Minute
		if got, want := r.Windows(end), w.windows(int((end+time.Second-1)/time.Second)); !reflect.DeepEqual(got, want) {
			for i := range want {
				if !reflect.DeepEqual(got[i], want[i]) {
					t.Fatalf("seed %d: window %d:\n got %+v\nwant %+v", seed, i, got[i], want[i])
				}
			}
			t.Fatalf("seed %d: got %d windows, want %d", seed, len(got), len(want))
		}
		if got, want := r.Spans(end), w.spans(end); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: spans (cuts %v):\n got %+v\nwant %+v", seed, w.cuts, got, want)
		}
		got, want := result.Run{Phases: make([]result.Phase, 4)}, result.Run{Phases: make([]result.Phase, 4)}
		r.Sum(&got)
		w.sum(&want, r.Satisfied)
		if steps := r.Steps(); !reflect.DeepEqual(steps, got.Steps) {
			t.Fatalf("seed %d: Steps: got %+v, Sum says %+v", seed, steps, got.Steps)
		}
		shapeless(t, &got)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: Sum:\n got %+v\nwant %+v", seed, got, want)
		}
		var late set
		for _, x := range w.samples {
			if x.Arrival {
				late = append(late, x.Began-x.Intended)
			}
		}
		lateness := r.Lateness()
		lateness.Buckets = nil
		if want := late.distribution(); !reflect.DeepEqual(lateness, want) {
			t.Fatalf("seed %d: lateness: got %+v, want %+v", seed, lateness, want)
		}
		for i, k := range kept {
			if !reflect.DeepEqual(k[0], k[1]) {
				t.Fatalf("seed %d: reader %d: the windows it was given have changed", seed, i)
			}
		}
	}
}

// A cut that is made for a moment behind what a reader was already told moves; nothing is counted in
// a span it does not lie in.
func TestCutNeverLeavesASampleOutsideItsSpan(t *testing.T) {
	r := NewRecorder(steps(1))
	r.Shard(0).Record(Sample{Began: 1 * time.Second, Sent: 1 * time.Second, Done: 3 * time.Second})
	r.Spans(3 * time.Second)
	r.Cut(2 * time.Second)
	r.Cut(1 * time.Second)
	got := r.Spans(5 * time.Second)
	if len(got) != 3 || got[0].To != 3*time.Second || got[1].From != got[1].To || got[2].To != 5*time.Second {
		t.Errorf("got %+v", got)
	}
	if got[0].Steps[0].Classes[result.OK] != 1 {
		t.Errorf("the sample is not in its span: %+v", got[0])
	}
}

// A sample whose sender read the span too late was sent before the span it claims.
func TestASampleSentBeforeItsSpanStraddles(t *testing.T) {
	r := NewRecorder(steps(1))
	r.Cut(2 * time.Second)
	r.Shard(0).Record(Sample{Span: r.Span(), Began: time.Second, Sent: time.Second, Done: 3 * time.Second})
	if got := r.Spans(4 * time.Second)[1].Steps[0]; got.Straddling != 1 || got.Classes.Total() != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestDropWithoutAStepCountsInItsWindowOnly(t *testing.T) {
	r := NewRecorder(steps(1))
	r.Shard(0).Drop(-1, 0, 1500*time.Millisecond)
	w := r.Windows(2 * time.Second)
	if w[1].Due != 1 || w[1].Dropped != 1 || w[1].Steps[0].Classes.Total() != 0 || r.Steps()[0].Classes.Total() != 0 {
		t.Errorf("got %+v", w[1])
	}
}

func TestMistakesFailWhereTheyAreRecorded(t *testing.T) {
	for name, mistake := range map[string]func(s *Shard){
		"a step too many":       func(s *Shard) { s.Record(Sample{Step: 1}) },
		"a negative step":       func(s *Shard) { s.Record(Sample{Step: -2}) },
		"a negative phase":      func(s *Shard) { s.Record(Sample{Phase: -1}) },
		"a phase too many":      func(s *Shard) { s.Arrive(MostPhases, 0) },
		"a drop of no step":     func(s *Shard) { s.Drop(1, 0, 0) },
		"a drop in no phase":    func(s *Shard) { s.Drop(-1, -1, 0) },
		"a hop of another step": func(s *Shard) { s.Hop(1, 302, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			r := NewRecorder(steps(1))
			defer func() {
				if recover() == nil {
					t.Error("it was recorded")
				}
				if got := r.Steps()[0].Classes.Total(); got != 0 {
					t.Errorf("got %d requests", got)
				}
			}()
			mistake(r.Shard(0))
		})
	}
}

// Phases nobody asks about are left alone, and an empty recorder has nothing to say.
func TestSumOfNothing(t *testing.T) {
	r := NewRecorder(steps(1))
	run := result.Run{Phases: []result.Phase{{Name: "p"}}}
	r.Sum(&run)
	want := result.Run{Phases: []result.Phase{{Name: "p"}}, Steps: []result.Step{{Scenario: "a", Name: "step 0"}}}
	if !reflect.DeepEqual(run, want) {
		t.Errorf("got %+v, want %+v", run, want)
	}
	r.Shard(0).Record(Sample{Phase: 7})
	r.Sum(&run)
	if len(run.Phases) != 1 || run.Phases[0].Steps != nil || run.Steps[0].Classes[result.OK] != 1 {
		t.Errorf("got %+v", run)
	}
}

// First bytes are kept in 32 bits of microseconds, and what is longer counts as the longest.
func TestFirstByteOfAnHourAndMore(t *testing.T) {
	r := NewRecorder(steps(1))
	r.Shard(0).Record(Sample{FirstByte: 100 * time.Hour})
	r.Shard(0).Record(Sample{FirstByte: 1})
	d := r.Steps()[0].FirstByte
	if d.Count != 2 || d.Min != time.Microsecond || d.Max != math.MaxUint32*time.Microsecond {
		t.Errorf("got %+v", d)
	}
}

// Phases that are over are packed, whatever their number.
func TestPhasesThatAreOverAreSealed(t *testing.T) {
	r := NewRecorder(steps(2))
	for i := range 100 {
		r.Shard(0).Record(Sample{Phase: i, Step: i % 2, Done: time.Duration(i) * time.Millisecond})
		r.Steps()
	}
	if len(r.warm) > 3 {
		t.Errorf("got %d phases not sealed, want a few", len(r.warm))
	}
	r.Shard(0).Record(Sample{Phase: 3, Step: 1, Done: time.Second}) // a straggler
	run := result.Run{Phases: make([]result.Phase, 100)}
	r.Sum(&run)
	if d := run.Phases[3].Steps[0].Response; d.Count != 2 || d.Min != 3*time.Millisecond || d.Max != time.Second {
		t.Errorf("got %+v", d)
	}
}

// Writers and readers at once, with and without a reader: nothing is lost. Run with -race.
func TestConcurrentWritersAndReaders(t *testing.T) {
	for _, readers := range []int{0, 3} {
		r := NewRecorder(steps(2))
		const writers, each = 8, 60_000
		var work, watch sync.WaitGroup
		stop := make(chan struct{})
		for range readers {
			watch.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					r.Windows(10 * time.Second)
					r.Spans(10 * time.Second)
					r.Steps()
					r.Lateness()
					if i < 20 {
						r.Cut(time.Duration(i) * time.Millisecond)
					}
				}
			})
		}
		for i := range writers {
			work.Go(func() {
				for k := range each {
					at := time.Duration(k%10) * time.Second
					r.Shard(i).Record(Sample{Step: k % 2, Span: r.Span(), Intended: at, Began: at, Sent: at, Done: at + time.Millisecond, Arrival: true})
				}
			})
		}
		work.Wait()
		close(stop)
		watch.Wait()
		total, windows, spans := uint64(0), uint64(0), uint64(0)
		for _, s := range r.Steps() {
			total += s.Classes.Total()
		}
		for _, w := range r.Windows(10 * time.Second) {
			for _, s := range w.Steps {
				windows += s.Classes.Total()
			}
		}
		for _, s := range r.Spans(10 * time.Second) {
			for _, s := range s.Steps {
				spans += s.Classes.Total() + s.Straddling
			}
		}
		const want = writers * each
		if total != want || windows != want || spans != want || r.Lateness().Count != want {
			t.Errorf("%d readers: got %d in totals, %d in windows, %d in spans, %d late, want %d",
				readers, total, windows, spans, r.Lateness().Count, want)
		}
	}
}

// An hour at 200/s with two steps, read once a second, with a straggler each second.
func TestAnHourFitsIntoMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	rng := rand.New(rand.NewPCG(1, 6))
	r := NewRecorder(steps(2))
	var windows []result.Window
	for second := range 3600 {
		for i := range 200 {
			at := time.Duration(second)*time.Second + time.Duration(i)*5*time.Millisecond
			r.Shard(i).Record(Sample{Step: i % 2, Intended: at, Began: at, Sent: at,
				Done: at + time.Duration((1+rng.ExpFloat64())*float64(20*time.Millisecond)), Arrival: true})
		}
		at := time.Duration(rng.IntN(second+1)) * time.Second
		r.Shard(0).Record(Sample{Intended: at, Began: at, Sent: at, Done: time.Duration(second+1) * time.Second})
		windows = r.Windows(time.Duration(second+1) * time.Second)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("an hour holds %.1f MB", float64(grown)/1e6)
	if grown > 20e6 {
		t.Errorf("an hour holds %d bytes, want less than 20 MB", grown)
	}
	open := 0
	for _, w := range r.windows {
		if w.late.rows != nil {
			open++
		}
	}
	if open > 8 {
		t.Errorf("%d windows are not sealed, want a few", open)
	}
	runtime.KeepAlive(windows)
}

// BenchmarkAppend is what a virtual user pays; BenchmarkRecord has the fold in it, which a reader pays.
func BenchmarkAppend(b *testing.B) {
	r := NewRecorder(steps(2))
	s := r.Shard(0)
	x := Sample{Step: 1, Arrival: true, Status: 200, FirstByte: time.Millisecond, Read: 74, Reused: true}
	b.ReportAllocs()
	for b.Loop() {
		x.Done += time.Microsecond
		s.Record(x)
		if len(s.full) == 1 {
			s.spare, s.full = append(s.spare, s.full...), s.full[:0]
			s.spare[len(s.spare)-1].n = 0
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	r := NewRecorder(steps(2))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		s := r.Shard(rand.IntN(100))
		x := Sample{Step: 1, Arrival: true}
		for pb.Next() {
			x.Done += time.Microsecond
			s.Record(x)
		}
	})
}

func BenchmarkWindowsOfAnHour(b *testing.B) {
	r := NewRecorder(steps(2))
	for i := range 3600 {
		r.Shard(0).Record(Sample{Intended: time.Duration(i) * time.Second})
	}
	r.Windows(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		for i := range 100 {
			at := 3599*time.Second + time.Duration(i)
			r.Shard(0).Record(Sample{Intended: at, Began: at, Sent: at, Done: at})
		}
		r.Windows(time.Hour)
	}
}
