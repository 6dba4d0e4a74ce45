//go:build linux

package client

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"loadkms/result"
)

// moody is a server that does with each request what its path says: /seed/what. Its answers hold the path.
func moody(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		var (
			seed uint64
			what string
		)
		if _, err := fmt.Sscanf(strings.ReplaceAll(req.URL.Path, "/", " "), "%d %s", &seed, &what); err != nil {
			return
		}
		random := rand.New(rand.NewPCG(seed, 2))
		body := strings.Repeat(req.URL.Path, 1+random.IntN(2000))
		length := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n", len(body))
		answer := length + "\r\n" + body
		switch what {
		case "chunked":
			answer = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			for left := body; ; {
				n := min(len(left), 1+random.IntN(5000))
				answer += fmt.Sprintf("%x\r\n%s\r\n", n, left[:n])
				if left = left[n:]; n == 0 {
					break
				}
			}
		case "close":
			answer = length + "Connection: close\r\n\r\n" + body
		case "rest":
			answer = "HTTP/1.1 200 OK\r\n\r\n" + body
		case "garbage":
			answer += "HTTP/1.1 500 Evil\r\nContent-Length: 0\r\n\r\n"
		case "half":
			answer = answer[:len(answer)-1-random.IntN(len(body))]
		case "malformed":
			answer = length + "Content-Length: 1\r\n\r\n" + body
		case "reset":
			answer = ""
			_ = c.(*net.TCPConn).SetLinger(0)
		case "hang":
			never(c)
			return
		}
		for answer != "" {
			n := len(answer)
			if random.IntN(3) == 0 {
				n = 1 + random.IntN(n)
			}
			if _, err := io.WriteString(c, answer[:n]); err != nil {
				return
			}
			answer = answer[n:]
		}
		switch what {
		case "rest", "half", "reset":
			return
		}
	}
}

// However servers behave and users cancel, every exchange ends once, as its own server's mood wants it,
// with its own answer.
func TestLoopKeepsExchangesApart(t *testing.T) {
	wants := map[string]result.Class{
		"length": result.OK, "chunked": result.OK, "close": result.OK, "rest": result.OK, "garbage": result.OK,
		"half": result.ConnectionReset, "reset": result.ConnectionReset, "malformed": result.BadResponse, "hang": result.Timeout,
	}
	moods := []string{"length", "length", "length", "chunked", "close", "rest", "garbage", "half", "reset", "malformed", "hang"}
	url := rogue(t, moody)
	for round := range uint64(5) {
		seed := uint64(time.Now().UnixNano()) + round
		random := rand.New(rand.NewPCG(seed, 1))
		o := originOf(t, url, nil)
		d := drive(t, LoopOptions{MostConns: []int{0, 30}[random.IntN(2)]})
		d.SetRate([]float64{0, 3000}[random.IntN(2)])
		users := make([]Conns, 5)
		canceled := map[*Exchange]bool{}
		var all []*Exchange
		for len(all) < 400 {
			for range random.IntN(20) {
				what := moods[random.IntN(len(moods))]
				x := get(o, fmt.Sprintf("/%d/%s", random.Uint32(), what))
				x.Owner = what
				if what == "hang" {
					x.Deadline = d.Now() + time.Duration(random.Int64N(int64(60*time.Millisecond)))
				}
				if user := random.IntN(10); user < len(users) {
					x.Own = &users[user]
				}
				d.Start(x)
				all = append(all, x)
			}
			if len(all) > 0 && random.IntN(10) == 0 {
				if x := all[len(all)-1]; x.state != unborn {
					d.Cancel(x)
					canceled[x] = true
				}
			}
			if random.IntN(20) == 0 {
				d.Release(&users[random.IntN(len(users))])
			}
			if err := d.Turn(d.Now() + time.Duration(random.Int64N(int64(2*time.Millisecond)))); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[*Exchange]bool{}
		for _, x := range d.run(len(all) - len(canceled)) {
			path, _, _ := strings.Cut(string(x.Request[4:]), " ")
			if seen[x] || canceled[x] {
				t.Fatalf("seed %d: %s ended twice, or after Cancel", seed, path)
			}
			seen[x] = true
			if got, want := Classify(x.Err), wants[x.Owner.(string)]; got != want {
				t.Fatalf("seed %d: %s: got %v, want %v: %v", seed, path, got, want, x.Err)
			}
			if body := string(x.Response.Body); x.Err == nil && (body == "" || body != strings.Repeat(path, len(body)/len(path)) || !x.Response.Whole()) {
				t.Fatalf("seed %d: %s: got %d bytes of another answer: %.60q", seed, path, len(body), body)
			}
		}
	}
}
