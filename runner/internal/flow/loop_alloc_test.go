//go:build !race

package flow

import (
	"bytes"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// parrot answers every request of one packet with the same bytes, and allocates nothing.
func parrot(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				const reply = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"id\":\"42\",\"ok\":true}"
				answers := []byte(strings.Repeat(reply[:len(reply)-1], 64))
				b := make([]byte, 64<<10)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					k := bytes.Count(b[:n], []byte("\r\n\r\n"))
					if _, err := c.Write(answers[:k*(len(reply)-1)]); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

// The plain path allocates nothing per request, from the schedule to the shard.
func TestLoopsAllocateNothingPerRequest(t *testing.T) {
	d := onLoops(t, script(get("/record/1")), Options{Target: parrot(t)})
	d.Loops, d.MaxUsers, d.Pool = 1, 10, 10 // a hiccup must not summon more
	allocations := func(length time.Duration) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		drive(t, d, constantly(4000, length))
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	allocations(100 * time.Millisecond)
	short, long := allocations(100*time.Millisecond), allocations(1100*time.Millisecond)
	// Every run makes users and connections, a few more in a longer one. The recorder, which nobody reads here,
	// takes a chunk for every thousand entries.
	if long > short && long-short > 400 {
		t.Errorf("400 requests: %d allocations; 4,400 requests: %d", short, long)
	}
}
