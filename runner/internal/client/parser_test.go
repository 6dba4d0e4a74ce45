package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
)

// read is what one way of reading made of an answer.
type read struct {
	status int
	body   string
	size   uint64
	rest   int
	close  bool
	err    error
}

// ours reads stream in pieces that cut returns the lengths of, and then sees the connection end.
func ours(stream []byte, head bool, keep int, cut func(left int) int) read {
	var (
		p      parser
		answer Response
	)
	p.begin(&answer, head, keep, keep)
	buffer := make([]byte, len(stream)) // like the loop's: overwritten by every read
	for left := stream; len(left) > 0; {
		n := cut(len(left))
		rest, done, err := p.feed(buffer[:copy(buffer, left[:n])])
		left = left[n:]
		if err != nil {
			return read{err: err}
		}
		if done {
			return read{answer.Status, string(answer.Body), answer.Size, len(left) + len(rest), !p.reusable, nil}
		}
	}
	if err := p.end(); err != nil {
		return read{err: err}
	}
	return read{answer.Status, string(answer.Body), answer.Size, 0, true, nil}
}

// whole does not cut.
func whole(left int) int { return left }

// theirs reads stream with net/http, interim answers skipped.
func theirs(stream []byte, head bool) (read, *http.Response) {
	req := &http.Request{Method: "GET"}
	if head {
		req.Method = "HEAD"
	}
	// The buffer bounds net/http's trailers and the lines before chunks.
	r := bufio.NewReaderSize(bytes.NewReader(stream), len(stream)+64)
	for {
		resp, err := http.ReadResponse(r, req)
		if err != nil {
			return read{err: err}, nil
		}
		if resp.StatusCode/100 == 1 && resp.StatusCode != 101 {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return read{err: err}, resp
		}
		rest, _ := io.Copy(io.Discard, r)
		return read{resp.StatusCode, string(body), uint64(len(body)), int(rest), resp.Close, nil}, resp
	}
}

// agree compares ours with theirs, and returns what is wrong: "" if nothing but what the laws of the parser
// name.
func agree(stream []byte, head bool, keep int, cut func(int) int) string {
	got := ours(stream, head, keep, cut)
	want, resp := theirs(stream, head)
	switch {
	case got.err != nil && want.err != nil:
		return ""
	case got.err != nil:
		var bad badResponse
		if errors.As(got.err, &bad) && stricter(bad, stream, resp) {
			return ""
		}
		return fmt.Sprintf("ours: %v\ntheirs: %+v", got.err, want)
	case want.err != nil:
		text := want.err.Error()
		folded := bytes.Contains(stream, []byte("\n ")) || bytes.Contains(stream, []byte("\n\t"))
		switch {
		case strings.Contains(text, "bad trailer key"): // law 5
		case folded && strings.Contains(text, "unsupported transfer encoding"): // "chunked" with the blanks of a fold
		default:
			return fmt.Sprintf("ours: %+v\ntheirs: %v", got, want.err)
		}
		return ""
	}
	if len(want.body) > keep {
		want.body = want.body[:keep]
	}
	// Two ways of framing at once: net/http keeps the connection, RFC 9112 wants it closed (law 4).
	if got.close && !want.close && bytes.Contains(bytes.ToLower(stream), []byte("transfer-encoding")) {
		want.close = true
	}
	if got != want {
		return fmt.Sprintf("ours: %+v\ntheirs: %+v", got, want)
	}
	return ""
}

// stricter reports whether the laws of the parser allow it to refuse what net/http read.
func stricter(bad badResponse, stream []byte, resp *http.Response) bool {
	switch {
	case strings.Contains(string(bad), "status"), strings.Contains(string(bad), "switches protocols"):
		// The version, blanks before the status, a signed or small one: nothing that a regular line could
		// be refused for.
		line, _, _ := bytes.Cut(stream, []byte("\n"))
		regular := len(line) > 11 && (bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || bytes.HasPrefix(line, []byte("HTTP/1.0 "))) &&
			line[9] >= '1' && line[9] <= '9' && line[10] >= '0' && line[11] >= '0'
		return !regular || resp.StatusCode == 101 || bytes.Count(stream, []byte("HTTP/")) > 1
	case strings.Contains(string(bad), "has no name"): // a blank in a name, or the same in a trailer
		return true
	case strings.Contains(string(bad), "trailer"):
		return true
	case strings.Contains(string(bad), "impossibly large"), strings.Contains(string(bad), "longer than 256"):
		return true
	}
	return false
}

// answerWriter writes answers that are mostly right, and wrong in ways that servers are.
type answerWriter struct{ *rand.Rand }

func (w answerWriter) pick(of ...string) string { return of[w.IntN(len(of))] }

// rarely returns one of several strange things, or mostly the usual one.
func (w answerWriter) rarely(usual string, strange ...string) string {
	if w.IntN(12) > 0 {
		return usual
	}
	return w.pick(strange...)
}

func (w answerWriter) answer() []byte {
	var b bytes.Buffer
	end := w.rarely("\r\n", "\n", "\r", "\r\r\n", "\n\r")
	for w.IntN(6) == 0 {
		b.WriteString(w.pick("HTTP/1.1 100 Continue\r\n\r\n",
			"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", "HTTP/1.1 102 P\nContent-Length: 7\n\n",
			"HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n"))
	}
	b.WriteString(w.rarely("HTTP/1.1", "HTTP/1.0", "HTTP/1.0", "HTTP/1.9", "HTTP/2.0", "http/1.1", "HTTP/1.1.1", ""))
	b.WriteString(w.rarely(" ", "  ", "\t", ""))
	b.WriteString(w.rarely(w.pick("200", "201", "204", "304", "404", "500"), "20", "2000", "+20", "099",
		"-12", "999", "1xx", ""))
	b.WriteString(w.rarely(" OK", "", " ", " a  b", "OK", "\tOK", " \x01"))
	b.WriteString(end)
	body := strings.Repeat(w.pick("x", "ab", "\r\n", "0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"), w.IntN(20))
	framed := w.IntN(8)
	for range w.IntN(4) {
		b.WriteString(w.rarely(w.pick("X-A: 1", "Server:y", "E:", "Trailer: X-T", "Set-Cookie: a=b; c"),
			"no colon", ": no name", "A B: c", "A : b", "X: \x00", "X: a\rb", " x: y",
			"Trailer: Content-Length", "é: x", "X: é", "X\x7f: y", "X: \x7f"))
		b.WriteString(w.rarely(end, "\r\n folded"+end, "\n\t"+end, end+" : x"+end))
	}
	for _, header := range []struct {
		name, value string
		often       bool
	}{
		{"Content-Length", w.rarely(fmt.Sprint(len(body)), "-1", "+1", "1_0", "0x1", "", " ", "1, 1",
			"99999999999999999999", "9223372036854775807", "007", fmt.Sprint(len(body)+1), " 3 ", "3\r\n 4",
			"é"), framed < 4},
		{"Transfer-Encoding", w.rarely("chunked", "Chunked", "gzip", "chunked, chunked", "gzip, chunked",
			" chunked ", "chunked\r\n ", "\x0bchunked", ""), framed == 3 || framed > 4},
		{"Connection", w.rarely(w.pick("close", "keep-alive"), "x, close", "Close,", ",", "closed",
			"keep-alive, close"), w.IntN(3) == 0},
		{"Content-Length", w.rarely(fmt.Sprint(len(body)), "1", ""), w.IntN(20) == 0},
		{"Transfer-Encoding", "chunked", w.IntN(30) == 0},
	} {
		if header.often {
			b.WriteString(w.rarely(header.name, strings.ToLower(header.name),
				strings.ToUpper(header.name), header.name+" ") + w.rarely(": ", ":", ":\t",
				" : ") + header.value + end)
		}
	}
	b.WriteString(end)
	if framed == 3 || framed > 4 {
		for left := body; ; {
			n := min(len(left), 1+w.IntN(8))
			size := w.rarely(fmt.Sprintf("%x", n), fmt.Sprintf("%X", n), fmt.Sprintf("%016x", n),
				fmt.Sprintf("%017x", n), "", "-1", "0x1", "g", "ffffffffffffffff", "7fffffffffffffff", " 1",
				fmt.Sprintf("%x", n+1))
			b.WriteString(size + w.rarely("", ";x=y", "; \"a\"", " ", "\t \t", " ;x", ";\x00\xff",
				strings.Repeat(" ", 4100), ";"+strings.Repeat("x", 4090), ";a\rb") + w.rarely("\r\n", "\n",
				"\r\r\n", "\r"))
			if n == 0 {
				break
			}
			b.WriteString(left[:n] + w.rarely("\r\n", "\n", "", "x\r\n", "\r"))
			left = left[n:]
		}
		b.WriteString(w.rarely("", "X-T: 1\r\n", "X-T: 1\r\n\tmore\r\n", "X-T: 1\n", "bad\r\n", " x: y\r\n",
			"A B: c\r\n", ":x\r\n", "X: \x01\r\n") + w.rarely("\r\n", "\n", "", "\r"))
	} else {
		b.WriteString(body)
	}
	if w.IntN(4) == 0 {
		b.WriteString(w.pick("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "x", "\r\n"))
	}
	stream := b.Bytes()
	for w.IntN(6) == 0 && len(stream) > 0 { // a slip of the pen
		i := w.IntN(len(stream))
		switch w.IntN(3) {
		case 0:
			stream[i] = byte(w.IntN(256))
		case 1:
			stream = append(stream[:i:i], stream[i+1:]...)
		default:
			stream = stream[:i]
		}
	}
	return stream
}

// What the parser makes of an answer is what net/http makes of it, and does not depend on where it is cut.
func TestParserAgreesWithNetHTTP(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	w := answerWriter{rand.New(rand.NewPCG(seed, 1))}
	good := 0
	const n = 20_000
	for range n {
		stream := w.answer()
		head, keep := w.IntN(10) == 0, w.IntN(40)
		cut := func(left int) int { return 1 + w.IntN(left) }
		if w.IntN(4) == 0 {
			cut = func(int) int { return 1 }
		}
		once, cutUp := ours(stream, head, keep, whole), ours(stream, head, keep, cut)
		if once != cutUp {
			t.Fatalf("seed %d: %q (HEAD %v) is read as %+v at once, as %+v cut", seed, stream, head, once, cutUp)
		}
		if once.err == nil {
			good++
		}
		if wrong := agree(stream, head, keep, whole); wrong != "" {
			t.Fatalf("seed %d: %q (HEAD %v):\n%s", seed, stream, head, wrong)
		}
	}
	t.Logf("%d of %d answers were good", good, n)
	if good < n/5 || good > n*9/10 {
		t.Errorf("%d of %d answers were good: the test looks at one kind only", good, n)
	}
}
