package verdict

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

func TestRewrite(t *testing.T) {
	known := []string{
		"http.codes.200", "http.codes.2000", "http.requests", "vusers.created", "vusers.failed", "apdex", "my metric",
		"plugins.metrics-by-endpoint.response_time.GET /a-b (c).p99", "plugins.metrics-by-endpoint.GET /a.codes.", "5", "in", "x-y", "",
	}
	for _, c := range []struct {
		source, text string
		names        []string
	}{
		{"http.codes.200 == 5", "0 == 5", []string{"http.codes.200"}},
		{"http.codes.2000 + http.codes.200", "0 + 1", []string{"http.codes.2000", "http.codes.200"}},
		{"http.codes.20 < 1", "0 < 1", []string{"http.codes.20"}},
		{"http.codes.200.x", "0", []string{"http.codes.200.x"}},
		{"http.requests>http.requests", "0>0", []string{"http.requests"}},
		{"vusers.created-vusers.failed", "0-1", []string{"vusers.created", "vusers.failed"}},
		{"x-y - x", "0 - 1", []string{"x-y", "x"}},
		{"my metric and my", "0 and 1", []string{"my metric", "my"}},
		{"plugins.metrics-by-endpoint.response_time.GET /a-b (c).p99/2", "0/2", []string{known[7]}},
		{"plugins.metrics-by-endpoint.GET /a.codes.404 > 0", "0 > 0", []string{"plugins.metrics-by-endpoint.GET /a.codes.404"}},
		{"apdex in (1, (2)) and (apdex in [3])", "0 in [1, (2)] and (0 in [3])", []string{"apdex"}},
		{"not in (1)", "not in [1]", nil},
		{"max(1e5, 0x1f, 1.5) > round (apdex)", "max(1e5, 0x1f, 1.5) > round (0)", []string{"apdex"}},
		{`"apdex" == 'a\'pdex'`, `"apdex" == 'a\'pdex'`, nil},
		{`"open`, `"open`, nil},
		{"`raw\\`apdex", "`raw\\`0", []string{"apdex"}},
		{"a)) ((b", "0)) ((1", []string{"a", "b"}},
		{"größe.max > 1", "0 > 1", []string{"größe.max"}},
		{"a . b", "0 . 1", []string{"a", "b"}},
		{"", "", nil},
	} {
		text, names := rewrite(c.source, known)
		for i := range names {
			text = strings.ReplaceAll(text, variable(i), string(rune('0'+i)))
		}
		if text != c.text || !slices.Equal(names, c.names) {
			t.Errorf("%q: got %q with %q, want %q with %q", c.source, text, names, c.text, c.names)
		}
	}
}

// Whatever is written, rewriting ends, and what is left of the source is what it was.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{"http.codes.500 == 0", "a in (1, 2)", "not (x.y-z > 3) or 'a' == `b`", "((", "1 % 2 == 1", "é.ü"} {
		f.Add(s)
	}
	known := []string{"http.codes.500", "x.y-z", "a b", "http.codes."}
	f.Fuzz(func(t *testing.T, source string) {
		formula, err := compile(source, known)
		if err != nil {
			if err.Error() == "" {
				t.Errorf("%q: an error without words", source)
			}
			return
		}
		for _, name := range formula.names {
			if !strings.Contains(source, name) {
				t.Errorf("%q does not name %q", source, name)
			}
		}
		_, _ = formula.holds(make([]float64, len(formula.names)))
	})
}

func TestFormulas(t *testing.T) {
	values := map[string]float64{"a": 1, "b.c": 2.5, "d-e": 0, "n": 200}
	for source, want := range map[string]bool{
		"a == 1":                            true,
		"a != 1 or b.c >= 2.5":              true,
		"a > 0 and not (b.c > 3)":           true,
		"(a + b.c * 2 - 1) / 5 == 1":        true,
		"n in (200, 201)":                   true,
		"n in [199, 201]":                   false,
		"n not in (200, 201)":               false,
		"n % 7 == 4":                        true,
		"-a < 0":                            true,
		"a < b.c and b.c < n":               true,
		"max(a, b.c) == 2.5":                true,
		"min(a, b.c, d-e) == 0":             true,
		"floor(b.c) == 2 && ceil(b.c) == 3": true,
		"abs(a - n) == 199":                 true,
		"round(b.c) == 3":                   true,
		"sqrt(n + 25) == 15":                true,
		"log(a) == 0 and log(1) == 0":       true,
		"a / d-e > 100":                     true, // infinity
		"a ? n > 1 : false":                 false,
		"b.c ** 2 == 6.25":                  true,
		"b.c ^ 2 == 6.25":                   true,
		"d-e == 0 and a":                    false,
	} {
		f, err := compile(source, []string{"a", "b.c", "d-e", "n"})
		if err != nil {
			if want || strings.Contains(err.Error(), "metric_") {
				t.Errorf("%s: %v", source, err)
			}
			continue
		}
		var v []float64
		for _, name := range f.names {
			v = append(v, values[name])
		}
		if got, err := f.holds(v); got != want || err != nil {
			t.Errorf("%s: got %v (%v), want %v", source, got, err, want)
		}
	}
}

func (b *bench) when(source string, lax bool) *bench {
	b.script.Config.Conditions = append(b.script.Config.Conditions,
		scenarios.Condition{Pos: scenarios.Pos{File: "x.yaml", Line: 3, Col: 5}, Source: source, Lax: lax})
	return b
}

func TestConditions(t *testing.T) {
	late := func(b *bench) *bench { b.run.Generator.Lateness.P99 = time.Second; return b }
	slow := func() *bench { // every answer takes 2 ms, of which half a generator that was late for a moment
		return newBench().traffic(get, 0, 10*s, 20*ms, always(result.OK, 2*ms))
	}
	for _, c := range []struct {
		name  string
		bench *bench
		want  result.Judgment
		say   string
	}{
		{"holds", slow().when("http.response_time.p99 <= 2 and vusers.created == 500", false), pass, ""},
		{"does not", slow().when("http.response_time.p99 < 2", false), fail,
			`the condition "http.response_time.p99 < 2" did not hold: http.response_time.p99 = 2 ms`},
		{"does not, and is lax", slow().when("http.response_time.p99 < 2", true), pass, "which is only reported"},
		{"an absent one counts as zero", slow().when("errors.EWHATEVER == 0", false), pass, ""},
		{"and says so", slow().when("errors.EWHATEVER > 0", false), fail, "errors.EWHATEVER = 0 (nothing of that name occurred)"},
		{"not recorded", slow().when("nope == 0", false), inconclusive, "of nope, loadkms does not record it"},
		{"without values", slow().when("http.tls.p99 < 5", false), inconclusive, "of http.tls.p99, the run has no values of it"},
		{"not an expression", slow().when("vusers.created >", false), inconclusive, "could not be checked: unexpected token"},
		{"not a condition", slow().when("vusers.created", false), inconclusive, "expected bool"},
		{"without metrics", slow().when("1 > 2", false), fail, "no metric in it"},
		{"late", late(slow().when("http.response_time.p99 < 2", false)), inconclusive, "but the load generator was late"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := c.bench.finish(10 * s)
			got := Judge(&c.bench.script, run)
			if got.Outcome != c.want || !strings.Contains(strings.Join(got.Reasons, "\n"), c.say) {
				t.Errorf("got %s, want %s with %q:\n%s", got.Outcome, c.want, c.say, strings.Join(got.Reasons, "\n"))
			}
			sound(t, got)
			k := got.Checks[len(got.Checks)-1]
			if strict := !c.bench.script.Config.Conditions[0].Lax; strict && k.Where != "x.yaml:3:5" {
				t.Errorf("got check %+v", k)
			}
		})
	}

	// A lax condition is no expectation: without another, every request must succeed.
	b := newBench().traffic(get, 0, 10*s, 20*ms, between(5*s, 6*s, result.ServerError)).when("1 == 1", true)
	if got := Judge(&b.script, b.finish(10*s)); got.Outcome != fail {
		t.Errorf("got %s, want fail", got.Outcome)
	}
	// Without buckets, quantiles of several steps are only known to lie between theirs.
	b = newBench().traffic(create, 0, 10*s, 100*ms, always(result.OK, 2*ms)).traffic(get, 0, 10*s, 100*ms, always(result.OK, 5*ms)).
		when("http.response_time.p50 < 4", false)
	run := b.finish(10 * s)
	for i := range run.Steps {
		run.Steps[i].Response.Buckets = nil
	}
	if got := Judge(&b.script, run); got.Outcome != inconclusive || !strings.Contains(got.Reasons[0], "does not hold enough") {
		t.Errorf("got %s: %q", got.Outcome, got.Reasons)
	}
	// The server was quick; only the generator was not, for a moment.
	b = slow().when("http.response_time.p99 < 2", false)
	run = b.finish(10 * s)
	run.Steps[get].Service.P99, run.Steps[get].Service.Buckets = ms, nil
	if got := Judge(&b.script, run); got.Outcome != inconclusive {
		t.Errorf("got %s: %q", got.Outcome, got.Reasons)
	}
}

func TestCheck(t *testing.T) {
	s := &scenarios.Script{Source: []byte("x\n"), Scenarios: []scenarios.Scenario{{Flow: []scenarios.Step{
		{Kind: scenarios.Loop, Steps: []scenarios.Step{{Name: "GET /a (b)"}}}, {Kind: scenarios.Think}, {Name: "POST /c"},
	}}}}
	conditions := func(sources ...string) {
		s.Config.Conditions = nil
		for i, source := range sources {
			s.Config.Conditions = append(s.Config.Conditions,
				scenarios.Condition{Pos: scenarios.Pos{File: "x.yaml", Line: i + 1, Col: 3}, Source: source})
		}
	}
	conditions("http.codes.500 == 0", "apdex > 0.9", "vusers.session_length.p75 < 3000",
		"plugins.metrics-by-endpoint.response_time.GET /a (b).p99 < 100",
		"plugins.metrics-by-endpoint.POST /c.codes.201 > plugins.metrics-by-endpoint.POST /c.errors.ETIMEDOUT")
	if err := Check(s); err != nil {
		t.Errorf("got %v", err)
	}
	conditions("http.codes.500 ==", "nope > 1", "http.requests", "http.response_time.p98 < 1")
	var problems *scenarios.Problems
	if err := Check(s); !errors.As(err, &problems) || len(problems.List) != 4 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{
		`x.yaml:1:3: the condition "http.codes.500 ==" cannot be evaluated: unexpected token EOF`,
		`x.yaml:2:3: no run has a metric called "nope"`,
		`x.yaml:3:3: the condition "http.requests" cannot be evaluated: expected bool, but got float64`,
		`x.yaml:4:3: no run has a metric called "http.response_time.p98"`,
	} {
		if got := problems.List[i].Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	s.Config.Processor = "functions.js" // it may count what it likes, but not under our names
	conditions("nope > 1", "http.nope > 1")
	if err := Check(s); !errors.As(err, &problems) || len(problems.List) != 1 || problems.List[0].Line != 2 {
		t.Errorf("got %v", err)
	}
}

// Everything a run can hold has a name, a value, and the right one.
func TestMetricsOfARun(t *testing.T) {
	d := func(n uint64, v time.Duration) result.Distribution {
		return result.Distribution{Count: n, Mean: v, Min: v, P50: v, P90: v, P95: v, P99: v, P999: v, Max: v, Buckets: []result.Bucket{{UpTo: v, N: n}}}
	}
	run := &result.Run{
		Took:   20 * s,
		Phases: []result.Phase{{To: 5 * s}, {Scenario: "x", To: 10 * s}},
		Steps: []result.Step{
			{Name: "GET /a", Classes: result.Counts{result.OK: 90, result.Timeout: 10}, Response: d(100, 20*ms), Service: d(100, 10*ms), FirstByte: d(90, 5*ms),
				Statuses: map[int]uint64{200: 90, 302: 7}, Hops: 7},
			{Name: "POST /b", Classes: result.Counts{result.OK: 50, result.CheckFailed: 4, result.Dropped: 6}, Response: d(54, 40*ms), Service: d(54, 40*ms),
				Statuses: map[int]uint64{200: 4, 201: 50}},
		},
		StatusResponse: map[string]result.Distribution{"2xx": d(144, 25*ms)},
		Sessions:       result.Sessions{Completed: 40, Failed: 14, Length: d(40, 2*s)},
		Connections:    result.Connections{Opened: 3, Connect: d(3, ms), DNS: d(1, 2*ms)},
		Downloaded:     12345,
		Apdex:          &result.Apdex{Satisfied: 100, Tolerated: 40, Frustrated: 20, Score: 0.75},
		Custom: &result.Custom{Counters: map[string]float64{"orders": 7}, Rates: map[string]uint64{"hits": 50},
			Histograms: map[string]result.Summary{"price": {Count: 1, Min: 1, Max: 9, Mean: 3, P50: 2, P75: 4, P90: 5, P95: 6, P99: 7, P999: 8}}},
		Generator: result.Generator{Sent: 60, Dropped: 6, Cut: 2},
	}
	got := Metrics(run)
	for name, want := range map[string]float64{
		"http.requests": 163, "http.responses": 151, "http.request_rate": 16.3, "http.downloaded_bytes": 12345,
		"http.codes.200": 94, "http.codes.201": 50, "http.codes.302": 7,
		"http.response_time.p75": 40, "http.response_time.min": 20, "http.response_time.2xx.median": 25, "http.total.min": 10,
		"http.first_byte.p99": 5, "http.tcp.max": 1, "http.dns.mean": 2,
		"vusers.created": 60, "vusers.skipped": 6, "vusers.completed": 40, "vusers.failed": 14, "vusers.session_length.p95": 2000,
		"errors.Timeout": 10, "errors.TLS": 0,
		"apdex": 0.75, "apdex.tolerated": 40, "plugins.apdex.frustrated": 20,
		"plugins.expect.ok": 140, "plugins.expect.failed": 4,
		"plugins.metrics-by-endpoint.response_time.GET /a.p999": 20, "plugins.metrics-by-endpoint.GET /a.codes.200": 90,
		"plugins.metrics-by-endpoint.POST /b.errors.CheckFailed": 4,
		"orders": 7, "hits": 5, "price.min": 1, "price.median": 2, "price.p75": 4, "price.p999": 8, "price.mean": 3,
	} {
		if v, ok := got[name]; !ok || math.Abs(v-want) > 1e-9 {
			t.Errorf("%s: got %v (%v), want %v", name, v, ok, want)
		}
	}
	for _, name := range []string{"http.tls.p99", "http.codes.404", "http.response_time.5xx.p99", "vusers.session_length"} {
		if v, ok := got[name]; ok {
			t.Errorf("%s: got %v, and there is none", name, v)
		}
	}
	j := newJudge(&scenarios.Script{Config: scenarios.Config{Processor: "f.js"}}, run)
	for name, want := range map[string]standing{
		"http.codes.404": absent, "http.response_time.5xx.p99": absent, "http.tls.p99": blank, "never.counted": absent,
		"plugins.metrics-by-endpoint.GET /a.codes.404": absent, "plugins.metrics-by-endpoint.GET /a.errors.EPIPE": recorded,
	} {
		if m, s := j.metric(name); s != want || m.high != 0 {
			t.Errorf("%s: got %v (%v), want %v", name, m, s, want)
		}
	}
}

// What a generator could not send for want of sockets is not the target's fault.
func TestExhaustedGenerator(t *testing.T) {
	starved := func(c result.Class) *bench {
		b := newBench().traffic(get, 0, 10*s, 20*ms, between(5*s, 6*s, c))
		b.run.Generator.Files, b.run.Generator.FilesLimit = 1024, 1024
		b.run.Generator.Limits = []string{"had 1024 of 1024 files and sockets open (ulimit -n)"}
		return b
	}
	for _, c := range []struct {
		name  string
		bench *bench
		want  result.Judgment
		say   string
	}{
		{"nothing came of it", starved(result.OK), pass, ""},
		{"requests were not sent", starved(result.CaptureFailed), inconclusive,
			"the load generator had 1024 of 1024 files and sockets open (ulimit -n), so it may be why 50 requests were never sent"},
		{"arrivals were dropped", starved(result.Dropped), inconclusive, "so it may be why 50 requests were never sent"},
		{"the target failed as well", starved(result.ServerError), fail, "50 ServerError"},
		{"a threshold", starved(result.Dropped).ensure("maxErrorRate", 1, true), inconclusive, "but the load generator ran out of files or ports"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(&c.bench.script, c.bench.finish(10*s))
			if got.Outcome != c.want || !strings.Contains(strings.Join(got.Reasons, "\n"), c.say) {
				t.Errorf("got %s, want %s with %q:\n%s", got.Outcome, c.want, c.say, strings.Join(got.Reasons, "\n"))
			}
			sound(t, got)
		})
	}
	b := newBench().traffic(get, 0, 10*s, 20*ms, always(result.OK, 2*ms))
	b.run.Generator.Lateness.P99 = s
	b.run.Generator.Limits = []string{"had all of its processors (2) busy for 4s", "was stopped for 30ms by its garbage collector"}
	got := Judge(&b.script, b.finish(10*s))
	if say := "; it had all of its processors (2) busy for 4s, and was stopped for 30ms by its garbage collector"; !strings.HasSuffix(got.Reasons[0], say) {
		t.Errorf("got %q, want it to end with %q", got.Reasons[0], say)
	}
}
