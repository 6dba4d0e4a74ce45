//go:build linux && !race

package client

import (
	"testing"
	"time"
)

// An exchange on an open connection allocates nothing, whatever the framing of the answer.
func TestLoopAllocatesNothing(t *testing.T) {
	for name, answer := range map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"id\": \"abc\"}",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			ended := 0
			l, err := NewLoop(LoopOptions{Ended: func(x *Exchange) {
				if x.Err != nil || x.Response.Status != 200 || len(x.Response.Body) < 11 {
					t.Errorf("got %d, %q, %v", x.Response.Status, x.Response.Body, x.Err)
				}
				ended++
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			x := get(originOf(t, rogue(t, pinger(answer)), nil), "/")
			once := func() {
				x.Deadline = l.Now() + 10*time.Second
				l.Start(x)
				for before := ended; ended == before; {
					if err := l.Turn(l.Now() + time.Second); err != nil {
						t.Fatal(err)
					}
				}
			}
			once()
			if n := testing.AllocsPerRun(1000, once); n != 0 {
				t.Errorf("%v allocations per exchange, want 0", n)
			}
		})
	}
}
