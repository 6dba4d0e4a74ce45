//go:build !race

package flow

import (
	"bytes"
	"compress/gzip"
	"context"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/client"
	"loadkms/scenarios"
)

// The path of a plain GET through the state machine: choose, begin, render, advance, record.
func TestWalkAllocatesNothing(t *testing.T) {
	d := newDriver(compile(t, script(get("/record/{{ $created() }}"), get("/fixed")), Options{}), nil)
	for id := range uint64(100) {
		d.Records.Acknowledge(id)
	}
	u := newUser(d.Program, d.Records, d.Recorder.Shard(0))
	resp := &client.Response{Status: 200, Head: []byte("Content-Type: text/plain\r\nContent-Length: 2\r\nDate: today\r\n"), Size: 2}
	var dice rand.PCG
	seq := uint64(0)
	work := func() {
		a := arrival.Arrival{Seq: seq}
		seq++
		act := u.begin(ticket{Arrival: a, scenario: d.Program.choose(a, &dice)})
		for act == send {
			u.walk.sent(0, 1, 0)
			act = u.walk.answer(resp, 5)
		}
		if act != done {
			t.Fatalf("got action %d, want done", act)
		}
	}
	for range 2000 {
		work()
	}
	d.Recorder.Windows(time.Second)
	if got := testing.AllocsPerRun(500, work); got != 0 {
		t.Errorf("got %v allocations per flow of two requests, want 0", got)
	}
}

// Everything a request can have without a processor: six holes, a header with one, a condition, a check and
// a capture. What is left is what the capture takes from the answer.
func TestFullRequestAllocations(t *testing.T) {
	st := post("/record/{{ $randomNumber(1, 9) }}", `{"id":{{ $sequence() }},"a":{{ city }},"b":{{ $randomString(8) }},"c":{{ $randomNumber(1, 5) }},"d":{{ $uuid() }}}`)
	st.Headers = append(st.Headers, scenarios.Header{Name: "X-City", Value: template(0, "{{ city }}")})
	st.Skip = 0.001
	st.Expect = scenarios.Expect{Status: []int{200}, Contains: []scenarios.Check{{Kind: scenarios.HasProperty, Name: "id"}}}
	st.Capture = []scenarios.Capture{captures(scenarios.JSONPath, "$.id", "got")}
	s := script(looping(times(1), st, get("/{{ got }}/{{ $loopCount }}")))
	s.Config.Variables = []scenarios.Variable{{Name: "city", Values: []string{"Cardiff", "Swansea"}}}
	d := newDriver(compile(t, s, Options{}), nil)
	u := newUser(d.Program, d.Records, d.Recorder.Shard(0))
	resp := &client.Response{Status: 200, Head: []byte("Content-Type: application/json\r\n"), Body: []byte(`{"id":"a1","more":[1,2,3]}`)}
	resp.Size = uint64(len(resp.Body))
	seq, sent := uint64(0), 0
	work := func() {
		act := u.begin(ticket{Arrival: arrival.Arrival{Seq: seq}, sequence: 1})
		seq++
		for act == send {
			sent++
			u.walk.sent(0, 1, 0)
			act = u.walk.answer(resp, 5)
		}
	}
	for range 2000 {
		work()
	}
	d.Recorder.Windows(time.Second)
	if got := testing.AllocsPerRun(500, work); got > 2 {
		t.Errorf("got %v allocations per flow with a request of everything, want 2", got)
	}
	if sent < 4900 {
		t.Errorf("sent only %d requests", sent)
	}
}

// The portable driver adds the string net/http wants for a URL, and nothing for a fixed one.
func TestExchangeAllocations(t *testing.T) {
	for _, c := range []struct {
		name, url string
		want      float64
	}{{"a fixed URL", "/record/1", 0}, {"a URL with a hole", "/record/{{ $created() }}", 1}} {
		t.Run(c.name, func(t *testing.T) {
			resp := &http.Response{StatusCode: 200, Body: http.NoBody}
			d := newDriver(compile(t, script(get(c.url)), Options{}), transportFunc(func(*http.Request) (*http.Response, error) { return resp, nil }))
			d.Records.Acknowledge(123456)
			r, u := loose(d)
			work := func() {
				if act := u.begin(ticket{}); act != send {
					t.Fatalf("got action %d, want send", act)
				}
				if act, ok := r.exchange(u.walk); act != done || !ok {
					t.Fatalf("got action %d, %v", act, ok)
				}
			}
			for range 3000 {
				work()
			}
			d.Recorder.Windows(time.Hour)
			if got := testing.AllocsPerRun(500, work); got > c.want {
				t.Errorf("got %v allocations per request, want %v", got, c.want)
			}
		})
	}
}

// loose returns a run and a user that no driver drives.
func loose(d *Driver) (*run, *user) {
	r := &run{Driver: d, settings: settings{records: d.Records, timeout: time.Second}, ctx: context.Background(), began: time.Now()}
	u := newUser(d.Program, d.Records, d.Recorder.Shard(0))
	r.connect(u.walk)
	return r, u
}

func BenchmarkWalk(b *testing.B) {
	d := newDriver(compile(b, script(get("/record/{{ $created() }}"), get("/fixed")), Options{}), nil)
	for id := range uint64(100) {
		d.Records.Acknowledge(id)
	}
	u := newUser(d.Program, d.Records, d.Recorder.Shard(0))
	resp := &client.Response{Status: 200}
	var dice rand.PCG
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a := arrival.Arrival{Seq: uint64(i)}
		for act := u.begin(ticket{Arrival: a, scenario: d.Program.choose(a, &dice)}); act == send; {
			act = u.walk.answer(resp, 5)
		}
	}
}

func BenchmarkRenderCreate(b *testing.B) {
	d := newDriver(compile(b, mixed(), Options{}), nil)
	u := newUser(d.Program, d.Records, d.Recorder.Shard(0))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		u.begin(ticket{Arrival: arrival.Arrival{Seq: uint64(i)}})
	}
}

// A small body that becomes a large one is not taken into memory. (Here because it is slow with -race.)
func TestCompressedBomb(t *testing.T) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	blank := bytes.Repeat([]byte(" "), 1<<20)
	for range mostDecoded>>20 + 1 {
		_, _ = z.Write(blank)
	}
	z.Close()
	st := get("/")
	st.Expect.ContentType = "json"
	u, d := walker(t, script(st))
	u.begin(ticket{})
	u.walk.answer(&client.Response{Status: 200, Head: []byte("Content-Encoding: gzip\r\n"), Body: b.Bytes(), Size: uint64(b.Len())}, 1)
	equal(t, "class", count(d, 0, result.BadResponse), 1)
	if most := 2*mostDecoded + 1<<20; cap(u.walk.decoded) > most {
		t.Errorf("it took %d bytes, at most %d are fine", cap(u.walk.decoded), most)
	}
	u.rest()
	equal(t, "kept", cap(u.walk.decoded), 0)
}

// A function of the processor that sets six variables, as the demo's does for every create.
func BenchmarkFunction(b *testing.B) {
	d := newDriver(compile(b, processed("./createRecord.js", calls("createNewRecord"),
		post("/record", `{"id":{{ id }},"firstName":{{ firstName }},"lastName":{{ lastName }},"email":{{ email }},"street":{{ street }},"postcode":{{ postcode }}}`)), Options{Seed: 1}), nil)
	u := newUser(d.Program, d.Records, d.Recorder.Shard(0))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if act := u.begin(ticketOf(uint64(i))); act != call {
			b.Fatalf("got action %d", act)
		}
		if act := u.walk.called(u.walk.call()); act != send {
			b.Fatalf("got action %d", act)
		}
	}
}
