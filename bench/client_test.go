package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loadkms/scenarios"
)

const ms, s = time.Millisecond, time.Second

// What clients print, shortened.
const (
	wrkSays = `Running 1s test @ http://127.0.0.1/
    Latency    99.91us  348.77us   4.09ms   96.04%
  44484 requests in 1.10s, 9.67MB read
Requests/sec:  44342.02
`
	h2loadSays = `finished in 1.00s, 24504.00 req/s, 5.33MB/s
requests: 24504 total, 24506 started, 24504 done, 24500 succeeded, 4 failed, 0 errored, 0 timeout
status codes: 24500 2xx, 0 3xx, 4 4xx, 0 5xx
`
	bombardierSays = `{"spec":{"method":"GET"},"result":{"timeTakenSeconds":0.5,"req1xx":0,"req2xx":32166,"req3xx":0,"req4xx":2,"req5xx":1,
"others":3,"latency":{"mean":60.8,"percentiles":{"50":43,"75":74,"90":103,"95":121,"99":147}}}}`
	vegetaSays = `{"Requests":10,"Good":8,"Took":2000000000,"Latency":{"P50":1000,"P95":2000,"P99":3000,"P999":4000,"Max":5000},` +
		`"Lateness":{"P50":10,"P95":20,"P99":30,"P999":40,"Max":50},"Error":"Get \"http://x\": dial tcp: bind: address already in use"}`
	k6Says = `{"state":{"testRunDurationMs":3000.5},"metrics":{"http_reqs":{"values":{"count":100,"rate":33}},
"http_req_failed":{"values":{"rate":0.02,"passes":2,"fails":98}},"checks":{"values":{"passes":97,"fails":3}},
"dropped_iterations":{"values":{"count":7}},"http_req_duration":{"values":{"med":1.5,"p(95)":2,"p(99)":3,"p(99.9)":4}}}}`
	artillerySays = `{"aggregate":{"counters":{"vusers.created":40,"http.requests":40,"http.codes.201":37,"http.codes.500":3,"vusers.failed":3},
"firstCounterAt":1000,"lastCounterAt":2953,"summaries":{"http.response_time":{"min":0,"max":3,"count":40,"mean":0.7,"p50":1,"p95":2,"p99":3,"p999":3}}}}`
	loopSays = "goos: linux\nBenchmarkLoopClosed \t  200000\t      7000 ns/op\t      6700 cpu-ns/op\t       0 B/op\t       0 allocs/op\nPASS\n"
	runSays  = `{"schema":1,"took":3000000000,"steps":[{"name":"GET /","classes":{"OK":90,"Timeout":4,"Dropped":5},
"response":{"p50":1,"p95":2,"p99":3,"p999":4}}],"generator":{"due":100,"dropped":5,"cut":1,"lateness":{"p50":5,"p95":6,"p99":7,"p999":8}}}`
)

func TestWhatClientsSay(t *testing.T) {
	open := load{rate: 50, lasts: 2 * s}
	for _, c := range []struct {
		client       client
		load         load
		stdout, file string // what it printed, and left in its file
		want         outcome
	}{
		{wrk, load{}, wrkSays, "", outcome{good: 44484, took: 1100 * ms}},
		{wrk, load{}, wrkSays + "  Non-2xx or 3xx responses: 484\n", "", outcome{good: 44000, bad: 484, took: 1100 * ms}},
		{h2load, load{lasts: s}, h2loadSays, "", outcome{good: 24500, bad: 4, took: s}},
		{bombardier, load{}, bombardierSays, "", outcome{good: 32166, bad: 6, took: 500 * ms, response: quantiles{43e3, 121e3, 147e3, 0}}},
		{vegeta, load{}, vegetaSays, "", outcome{good: 8, bad: 2, took: 2 * s, response: quantiles{1000, 2000, 3000, 4000}, why: "address already in use"}},
		{vegeta, open, vegetaSays, "", outcome{good: 8, bad: 2, took: 2 * s, late: &quantiles{10, 20, 30, 40},
			response: quantiles{1000, 2000, 3000, 4000}, why: "address already in use"}},
		{k6, open, k6Says, "", outcome{good: 97, bad: 3, dropped: 7, took: 3000500 * time.Microsecond,
			response: quantiles{1500 * time.Microsecond, 2 * ms, 3 * ms, 4 * ms}}},
		{artillery, load{rate: 20, lasts: 2 * s}, "", artillerySays, outcome{good: 37, bad: 3, took: 1953 * ms, response: quantiles{ms, 2 * ms, 3 * ms, 3 * ms}}},
		{artillery, open, "", artillerySays, outcome{good: 37, bad: 3, took: 1953 * ms, response: quantiles{ms, 2 * ms, 3 * ms, 3 * ms}, why: "40 users of 100 only"}},
		{loop, load{}, loopSays, "", outcome{good: 200_000, took: 1400 * ms}},
		{loadkms, open, "", runSays, outcome{good: 90, bad: 5, dropped: 5, took: 3 * s, late: &quantiles{5, 6, 7, 8}, response: quantiles{1, 2, 3, 4}}},
		{loadkms, load{}, "", runSays, outcome{good: 90, bad: 5, took: 3 * s, response: quantiles{1, 2, 3, 4}}},
	} {
		t.Run(c.client.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range []string{"report.json", "run/run.json"} {
				name = filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(c.file), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := c.client.read(c.load, []byte(c.stdout), dir)
			if err != nil {
				t.Fatal(err)
			}
			if (got.late == nil) != (c.want.late == nil) || got.late != nil && *got.late != *c.want.late {
				t.Errorf("lateness: got %v, want %v", got.late, c.want.late)
			}
			got.late, c.want.late = nil, nil
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
		t.Run(c.client.name+" says nothing", func(t *testing.T) {
			if got, err := c.client.read(c.load, nil, t.TempDir()); err == nil {
				t.Errorf("got %+v, want an error", got)
			}
		})
	}
}

func TestHeld(t *testing.T) {
	good := outcome{good: 2000, took: 2 * s, late: &quantiles{P99: ms}}
	for _, c := range []struct {
		name   string
		change func(*outcome)
		want   string
	}{
		{"held", func(*outcome) {}, ""},
		{"held, as far as it tells", func(o *outcome) { o.late = nil }, ""},
		{"99 %", func(o *outcome) { o.good = 1980 }, ""},
		{"less", func(o *outcome) { o.good = 1979 }, "990/s only"},
		{"all, but later", func(o *outcome) { o.took = 4 * s }, "500/s only"},
		{"dropped", func(o *outcome) { o.dropped = 1 }, "dropped 1"},
		{"failed", func(o *outcome) { o.bad = 1 }, "1 failed"},
		{"failed, and it says why", func(o *outcome) { o.bad, o.why = 1, "no ports" }, "1 failed: no ports"},
		{"late", func(o *outcome) { o.late.P99 = 10 * ms }, "lateness p99 10 ms"},
		{"it says that it was not", func(o *outcome) { o.why = "40 users only" }, "40 users only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := good
			o.late = &quantiles{P99: ms}
			c.change(&o)
			if got := o.held(load{rate: 1000, lasts: 2 * s}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestDominates(t *testing.T) {
	for _, c := range []struct {
		name string
		o    outcome
		want string
	}{
		{"server", outcome{server: 0.97, usage: usage{user: s, took: s}}, "server"},
		{"kernel", outcome{server: 0.9, usage: usage{user: 300 * ms, kernel: 600 * ms, took: s}}, "client: kernel"},
		{"code", outcome{usage: usage{user: 600 * ms, kernel: 300 * ms, took: s}}, "client: its code"},
		{"others", outcome{others: 0.4, usage: usage{user: 300 * ms, took: s}}, "other processes (40 % of the cores); client: its code"},
		{"nothing", outcome{usage: usage{kernel: 300 * ms, took: s}}, "waiting; client: kernel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.o.dominates(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// The scripts are what commands name, and the variables commands set are theirs.
func TestScripts(t *testing.T) {
	t.Chdir("..")
	for _, l := range []load{{lasts: s}, {rate: 10, lasts: s}} {
		args, _ := loadkms.command(l, t.TempDir())
		if err := parse(args); err != nil {
			t.Errorf("%+v: %v", l, err)
		}
	}
	args, _ := thinkers.command(load{rate: 10, lasts: 30 * s}, t.TempDir())
	if err := parse(args); err != nil {
		t.Error(err)
	}
}

// parse reads the script of a command line of loadkms.
func parse(args []string) error {
	o := scenarios.Options{Target: "http://127.0.0.1", Variables: map[string]string{}}
	for _, arg := range args {
		if set, ok := strings.CutPrefix(arg, "--variables="); ok {
			name, value, _ := strings.Cut(set, "=")
			o.Variables[name] = value
		}
	}
	_, err := scenarios.Load(args[len(args)-1], o)
	return err
}
