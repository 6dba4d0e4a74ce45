//go:build linux

package client

import (
	"net"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"loadkms/result"
)

// An exchange that finds no descriptor says so, and is not held against the server. It is not parallel: it
// lowers the limit of the process.
func TestLoopMeetsTheLimitOfFiles(t *testing.T) {
	o := originOf(t, rogue(t, never), nil)
	d := drive(t, LoopOptions{})
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := unix.Rlimit{Cur: 3, Max: limit.Max} // what is open stays open
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	x := get(o, "/")
	d.Start(x)
	err := d.Turn(-1)
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); e != nil {
		t.Fatal(e)
	}
	if err != nil || len(d.ended) != 1 {
		t.Fatalf("%d ended, %v", len(d.ended), err)
	}
	if got := Classify(x.Err); got != result.CaptureFailed || OwnLimit(x.Err) != "open files" {
		t.Errorf("got %v, limit %q: %v", got, OwnLimit(x.Err), x.Err)
	}
	if OwnLimit(unix.EADDRNOTAVAIL) != "local ports" || OwnLimit(unix.ECONNREFUSED) != "" {
		t.Error("a limit is not told from a refusal")
	}
}

// Who does not take connections (its queue is full) is given up in time, by itself and for the pool.
func TestLoopDialTimeout(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil { // one connection fits, and nobody accepts it
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(name.(*unix.SockaddrInet4).Port))
	first, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()

	const timeout = 50 * time.Millisecond
	d := drive(t, LoopOptions{DialTimeout: timeout})
	shared, own := get(originOf(t, "http://"+address, nil), "/"), get(originOf(t, "http://"+address, nil), "/")
	own.Own = new(Conns)
	d.Start(shared)
	d.Start(own)
	for _, x := range d.run(2) {
		if got := Classify(x.Err); got != result.Timeout || x.Done-x.Began < timeout || x.Sent != x.Began {
			t.Errorf("got %v after %v: %v", got, x.Done-x.Began, x.Err)
		}
	}
	if s := d.Stats(); s.Opened != 0 || s.DialErrors != 2 {
		t.Errorf("got %+v, want 2 errors", s)
	}
}

func TestSockets(t *testing.T) {
	n, err := sockets("sockets: used 9\nTCP: inuse 7 orphan 0 tw 2 alloc 9 mem 1\nUDP: inuse 3 mem 2\nTCP6: inuse 4\n")
	if n != 13 || err != nil {
		t.Errorf("got %d, %v; want 13", n, err)
	}
	if _, err := sockets("TCP: inuse many\n"); err == nil {
		t.Error("a word was read as a number")
	}
}
