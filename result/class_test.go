package result

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// Names are part of run.json and of every script: changing one breaks both.
func TestClassNames(t *testing.T) {
	want := strings.Fields("OK KeyInaccessible AccessDenied KeyDisabled KeyPendingDeletion Throttled NotFound ClientError " +
		"ServerError Timeout ConnectionRefused ConnectionReset DNS TLS BadResponse CheckFailed CaptureFailed Dropped")
	got := ClassNames()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(got) != int(Classes) {
		t.Errorf("got %d names of %d classes", len(got), Classes)
	}
	got[0] = "changed"
	if ClassNames()[0] != "OK" {
		t.Error("a caller can change the names")
	}
	for i, name := range want {
		c := Class(i)
		if c.String() != name {
			t.Errorf("Class(%d): got %q, want %q", i, c, name)
		}
		if parsed, ok := ParseClass(name); parsed != c || !ok {
			t.Errorf("ParseClass(%q): got %v, %v", name, parsed, ok)
		}
		text, err := c.MarshalText()
		var back Class
		if err != nil || string(text) != name || back.UnmarshalText(text) != nil || back != c {
			t.Errorf("%s: written as %q (%v) and read as %v", name, text, err, back)
		}
	}
}

func TestNoSuchClass(t *testing.T) {
	for _, name := range []string{"", "ok", "Ok", "Timeout ", "Class(3)", "teapot"} {
		if c, ok := ParseClass(name); ok {
			t.Errorf("ParseClass(%q): got %v", name, c)
		}
		c := Timeout
		if err := c.UnmarshalText([]byte(name)); err == nil || c != Timeout || !strings.Contains(err.Error(), "unknown class") {
			t.Errorf("UnmarshalText(%q): got %v, %v", name, c, err)
		}
	}
	if got := Class(200).String(); got != "Class(200)" {
		t.Errorf("got %q", got)
	}
	if got := Outcome(200).String(); got != "Outcome(200)" {
		t.Errorf("got %q", got)
	}
}

// What is known about a request's effect. A request whose answer never came complete may have
// happened; one that never left, or was answered otherwise, has not succeeded.
func TestOutcomes(t *testing.T) {
	want := map[Class]Outcome{OK: Succeeded, Timeout: Unknown, ConnectionReset: Unknown, BadResponse: Unknown}
	for c := range Classes {
		w, ok := want[c]
		if !ok {
			w = Failed
		}
		if got := c.Outcome(); got != w {
			t.Errorf("%v: got %v, want %v", c, got, w)
		}
	}
	for o, name := range map[Outcome]string{Succeeded: "ok", Failed: "failed", Unknown: "unknown"} {
		if o.String() != name {
			t.Errorf("got %q, want %q", o, name)
		}
	}
}

// random returns counts of which about half are zero.
func random(rng *rand.Rand) (c Counts) {
	for i := range c {
		if rng.IntN(2) == 0 {
			c[i] = rng.Uint64N(1 << rng.IntN(50))
		}
	}
	return c
}

func TestCounts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		a, b := random(rng), random(rng)
		sum := a
		sum.Add(b)
		for i := range sum {
			if sum[i] != a[i]+b[i] {
				t.Fatalf("seed %d: %v and %v are not %v", seed, a, b, sum)
			}
		}
		if sum.Total() != a.Total()+b.Total() || sum.Bad() != a.Bad()+b.Bad() || a.Bad()+a[OK] != a.Total() {
			t.Fatalf("seed %d: totals of %v and %v", seed, a, b)
		}
		if got := a.Availability(); got < 0 || got > 1 || (a.Total() == 0) != (got == 0 && a[OK] == 0 && a.Bad() == 0) ||
			a.Bad() == 0 && a[OK] > 0 && got != 1 {
			t.Fatalf("seed %d: availability %v of %v", seed, got, a)
		}
		worst, any := a.Worst()
		if any != (a.Bad() > 0) || any == (worst == OK) {
			t.Fatalf("seed %d: worst %v (%v) of %v", seed, worst, any, a)
		}
		for c, n := range a {
			if any && Class(c) != OK && n > a[worst] {
				t.Fatalf("seed %d: the worst of %v is not %v", seed, a, worst)
			}
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		back := b // what was there must go
		if err := json.Unmarshal(text, &back); err != nil || back != a {
			t.Fatalf("seed %d: %v was written as %s and read as %v (%v)", seed, a, text, back, err)
		}
	}
}

func TestCountsOfNothing(t *testing.T) {
	var c Counts
	if w, any := c.Worst(); any || w != OK || c.Total() != 0 || c.Bad() != 0 || c.Availability() != 0 {
		t.Errorf("got worst %v (%v), availability %v", w, any, c.Availability())
	}
	if text, err := json.Marshal(c); err != nil || string(text) != "{}" {
		t.Errorf("written as %s (%v)", text, err)
	}
	if w, any := (Counts{OK: 5, Timeout: 2, Dropped: 2}).Worst(); w != Timeout || !any {
		t.Errorf("of two equally frequent classes got %v, want the first", w)
	}
	if got := (Counts{OK: 3, Dropped: 1}).Availability(); got != 0.75 {
		t.Errorf("availability: got %v, want 0.75: who was dropped was not served", got)
	}
}

func TestCountsThatAreNone(t *testing.T) {
	for _, text := range []string{`{"teapot":1}`, `{"OK":-1}`, `{"OK":1.5}`, `[1,2]`, `{"OK":"1"}`, `{"OK"`} {
		c := Counts{OK: 7}
		if err := json.Unmarshal([]byte(text), &c); err == nil {
			t.Errorf("%s: got %v", text, c)
		}
	}
}

// run.json is a Run as is: what was written is what is read.
func TestRunRoundTrip(t *testing.T) {
	run := Run{
		Schema: Schema, Version: "v1", Script: "x.yaml", Name: "x", Target: "http://api", Seed: 1<<64 - 1,
		Began: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Took: 60 * time.Second,
		AWS: AWS{Region: "eu-west-2", Sandbox: true},
		Phases: []Phase{{Name: "p", To: time.Minute}, {Name: "own", Scenario: "s", To: time.Second, Due: 3, Dropped: 1,
			Steps: []PhaseStep{{Classes: Counts{OK: 1}, Response: Distribution{Count: 1}}}}},
		StatusResponse: map[string]Distribution{"2xx": {Count: 1, Max: 7}},
		Sessions:       Sessions{Completed: 1, Failed: 2, Length: Distribution{Count: 1}},
		Connections:    Connections{Opened: 1, Reused: 2, Connect: Distribution{Count: 1, Min: 5}},
		Downloaded:     74, Apdex: &Apdex{Threshold: time.Second, Satisfied: 1, Score: 1},
		Custom: &Custom{Counters: map[string]float64{"a": 1.5}, Rates: map[string]uint64{"b": 2},
			Histograms: map[string]Summary{"c": {Count: 1, P99: -3}}, Lost: 1},
		Steps: []Step{{Scenario: "s", Name: "GET /", Classes: Counts{OK: 1, Timeout: 2},
			Response:  Distribution{Count: 3, Max: 7, Buckets: []Bucket{{UpTo: 7, N: 3}}},
			FirstByte: Distribution{Count: 1}, Statuses: map[int]uint64{200: 1, 999: 2}, Hops: 1}},
		Windows: []Window{{At: 0, Due: 3, Steps: []StepWindow{{Classes: Counts{OK: 1}, FirstOK: 5, LastOK: 5, FirstBad: Never, LastBad: Never}}}},
		Spans: []Span{{To: time.Minute, Active: []int{0}, Moving: -1, Steps: []SpanStep{{
			Classes: Counts{KeyInaccessible: 1}, Seen: map[Class]Seen{KeyInaccessible: {First: 3, Last: 4}}, Straddling: 2}}}},
		Events: []Event{{At: 1, Kind: FaultBroken, Fault: 0, Detail: "d"}},
		Faults: []Fault{{Name: "f", Breaking: 1, Restored: Never, Stuck: &Stuck{"e", "c"}, Steps: []Anatomy{{Class: Timeout, Grace: Never}}}},
		Generator: Generator{Due: 3, Sent: 3, Cut: 1, Unfinished: 2, Driver: "portable", Loops: 2, Files: 3, FilesLimit: 4,
			Ports: 5, PortsLimit: 6, GCCycles: 7, Lacks: map[string]uint64{"open files": 8}, Limits: []string{"had 3 of 4 files open"}},
		Verdict: Verdict{Outcome: Fail, Stuck: true, Reasons: []string{"r"}, Checks: []Check{{Name: "c", Fault: -1, Outcome: Pass}}},
	}
	text, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	var back Run
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(run, back) {
		t.Errorf("got\n%+v, want\n%+v", back, run)
	}
}
