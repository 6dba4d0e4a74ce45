package client

import (
	"bytes"
	"iter"
	"time"
)

// A Response is one complete answer. What it refers to is valid until the exchange it ended is used again.
type Response struct {
	Status int
	Head   []byte // header lines as they came, each ended by CRLF, without status line and empty line
	Body   []byte // as far as it was to be kept; transfer coding is undone, content coding is not
	Size   uint64 // of the whole body; more than len(Body) if not all of it was kept
	Times  Times
}

// Times says where the time of an exchange went. Zero means that the step was not needed, or took none.
type Times struct {
	DNS       time.Duration // to resolve the name
	Connect   time.Duration // for the TCP connection
	TLS       time.Duration // for the handshake
	FirstByte time.Duration // from the request's first byte sent to the answer's first byte read
}

// Whole reports whether all of the body was kept.
func (r *Response) Whole() bool { return r.Size == uint64(len(r.Body)) }

// Header returns the first value of a header, without blanks around it, and false if there is none. Case
// does not matter. It allocates nothing.
func (r *Response) Header(name string) ([]byte, bool) {
	for value := range r.Headers(name) {
		return value, true
	}
	return nil, false
}

// Headers yields every value of a header, in order.
func (r *Response) Headers(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for n, value := range r.Fields() {
			if len(n) == len(name) && equalFold(n, name) && !yield(value) {
				return
			}
		}
	}
}

// Fields yields every header line as name and value, in order.
func (r *Response) Fields() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for head := r.Head; len(head) > 0; {
			line := head
			if i := bytes.IndexByte(head, '\n'); i >= 0 {
				line, head = head[:i], head[i+1:]
			} else {
				head = nil
			}
			i := bytes.IndexByte(line, ':')
			if i < 0 {
				continue
			}
			if !yield(line[:i], trim(line[i+1:])) {
				return
			}
		}
	}
}

// trim removes blanks, tabs and the end of the line.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

// equalFold compares ASCII without case. Both are of the same length.
func equalFold(a []byte, b string) bool {
	for i := range a {
		x, y := a[i], b[i]
		if 'A' <= x && x <= 'Z' {
			x += 'a' - 'A'
		}
		if 'A' <= y && y <= 'Z' {
			y += 'a' - 'A'
		}
		if x != y {
			return false
		}
	}
	return true
}
