//go:build linux

package client

import (
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const benchConns = 64

// benchURL returns where to send requests: LOADKMS_BENCH_URL, which may run on a core of its own, or a
// server in this process, whose share of the CPU is then part of what is measured.
func benchURL(b *testing.B) string {
	if url := os.Getenv("LOADKMS_BENCH_URL"); url != "" {
		return url
	}
	return rogue(b, pinger("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"id\": \"abc\"}"))
}

// cpu reports the CPU time of this process per exchange, the server's included if it is in here.
func cpu(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkLoopClosed(b *testing.B) {
	url := benchURL(b)
	o, err := NewOrigin("http", url[len("http://"):], nil)
	if err != nil {
		b.Fatal(err)
	}
	var l *Loop
	left, flying := 0, 0
	l, err = NewLoop(LoopOptions{Ended: func(x *Exchange) {
		if x.Err != nil || x.Response.Status != 200 {
			b.Errorf("got %d, %v", x.Response.Status, x.Err)
		}
		flying--
		if left > 0 {
			left--
			flying++
			x.Deadline = l.Now() + 10*time.Second
			l.Start(x)
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	run := func(n int) {
		left = max(0, n-benchConns)
		for range min(n, benchConns) {
			flying++
			l.Start(get(o, "/"))
		}
		for flying > 0 {
			if err := l.Turn(l.Now() + time.Second); err != nil {
				b.Fatal(err)
			}
		}
	}
	run(1000)
	b.ReportAllocs()
	report := cpu(b)
	b.ResetTimer()
	run(b.N)
	report()
}

// BenchmarkLoopOpen makes 10,000 exchanges per second, whatever the answers do, and reports how late their
// requests were written.
func BenchmarkLoopOpen(b *testing.B) {
	const gap = time.Second / 10_000
	o, err := NewOrigin("http", benchURL(b)[len("http://"):], nil)
	if err != nil {
		b.Fatal(err)
	}
	late := make([]time.Duration, 0, b.N)
	var spare []*Exchange
	l, err := NewLoop(LoopOptions{Ended: func(x *Exchange) {
		if x.Err != nil {
			b.Error(x.Err)
		}
		late = append(late, x.Sent-x.Owner.(time.Duration))
		spare = append(spare, x)
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	l.SetRate(float64(time.Second / gap))
	report := cpu(b)
	b.ResetTimer()
	first, started := l.Now(), 0
	for len(late) < b.N {
		for started < b.N && first+time.Duration(started)*gap <= l.Now() {
			if len(spare) == 0 {
				spare = append(spare, get(o, "/"))
			}
			x := spare[len(spare)-1]
			spare = spare[:len(spare)-1]
			x.Owner, x.Deadline = first+time.Duration(started)*gap, l.Now()+10*time.Second
			l.Start(x)
			started++
		}
		until := l.Now() + time.Second
		if started < b.N {
			until = first + time.Duration(started)*gap
		}
		if err := l.Turn(until); err != nil {
			b.Fatal(err)
		}
	}
	report()
	slices.Sort(late)
	for name, quantile := range map[string]float64{"p50-late-ns": 0.5, "p99-late-ns": 0.99, "p99.9-late-ns": 0.999} {
		b.ReportMetric(float64(late[int(quantile*float64(len(late)-1))]), name)
	}
	b.ReportMetric(float64(l.Stats().MostOpen), "conns")
}

// closedLoop has 64 goroutines make n exchanges together.
func closedLoop(n int, exchange func()) {
	var (
		wg   sync.WaitGroup
		made atomic.Int64
	)
	for range benchConns {
		wg.Go(func() {
			for made.Add(1) <= int64(n) {
				exchange()
			}
		})
	}
	wg.Wait()
}

func BenchmarkTransportClosed(b *testing.B) {
	url := benchURL(b)
	c := New(Options{})
	defer c.CloseIdle()
	exchange := func() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
		if err != nil {
			b.Error(err)
			return
		}
		resp, err := c.RoundTrip(req)
		if err != nil {
			b.Error(err)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	closedLoop(1000, exchange)
	b.ReportAllocs()
	report := cpu(b)
	b.ResetTimer()
	closedLoop(b.N, exchange)
	report()
}

func BenchmarkVegetaClosed(b *testing.B) {
	targeter := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: benchURL(b)})
	attacker := vegeta.NewAttacker(vegeta.Workers(benchConns), vegeta.MaxWorkers(benchConns), vegeta.Connections(benchConns))
	b.ReportAllocs()
	report := cpu(b)
	b.ResetTimer()
	n := 0
	for r := range attacker.Attack(targeter, vegeta.Rate{Freq: 0}, 0, "") {
		if n++; n == b.N {
			b.StopTimer()
			report()
			attacker.Stop() // what is in flight still comes
		}
		if n <= b.N && r.Code != 200 {
			b.Errorf("got %d, %s", r.Code, r.Error)
		}
	}
}
