package client

// The laws of reading an answer (RFC 9110, RFC 9112):
//
//  1. It is read from bytes cut anywhere; where they are cut changes nothing about what comes out.
//  2. It is read in place. Bytes are copied only if the answer is not complete with them, and of the body
//     only those that are to be kept.
//  3. Whatever a server sends, an exchange holds at most headLimit bytes of heads and trailers and as many
//     of the body as were asked for.
//  4. What cannot be read one way only is refused, as net/http refuses it: several lengths that differ, a
//     length that is no number, a transfer coding other than "chunked", a bare CR. Where both a length and
//     "chunked" are given, "chunked" holds and the connection is not used again (RFC 9112, 6.3). A lone LF
//     ends a header line (2.2) but not a line of the chunked coding.
//  5. It is stricter than net/http.ReadResponse in these: the version is HTTP/1.x; one blank stands before
//     the status, which is a number from 100 on; no blank stands in or after a header's name (5.1); a chunk
//     is at most 2^62 bytes; lines of a trailer end in CRLF. It is laxer in one: what a Trailer field
//     announces is ignored.
//  6. A folded header line (obs-fold) is unfolded: its line end becomes blanks.

import (
	"bytes"
	"io"
	"math"
)

// headLimit bounds all that is not body: the heads of interim answers and of the final one, and trailers.
// It is the limit of the portable client, too. Servers rarely send 8 KiB.
const headLimit = 256 << 10

// bufferKept is the capacity up to which an exchange keeps a buffer for its next answer: one large answer
// must not hold its memory for as long as its user lives.
const bufferKept = 1 << 20

// A badResponse says what about an answer is not HTTP. Its class is BadResponse.
type badResponse string

func (e badResponse) Error() string { return "bad response: " + string(e) }

// statusLine is how an answer begins.
const statusLine = "HTTP/1."

const errStatusLine badResponse = "it does not begin with a status line of HTTP/1"

// The states of a parser.
const (
	inHead       = iota
	inLength     // a body of known length
	inRest       // a body that ends with the connection
	inSize       // the line before a chunk
	inSizeBlank  // blanks after the size: only the end of the line may follow
	inExtension  // what stands after it is skipped
	inSizeEnd    // its LF
	inChunk      // the data
	inChunkCR    // the CRLF behind
	inChunkLF    //
	inTrailer    // the start of a line after the last chunk
	inTrailName  // before its colon
	inTrailValue // behind it
	inTrailLF    // its LF
	inLastLF     // the LF that ends the answer
	inNothing    // complete
)

// A parser reads one answer. The zero value is not ready: begin.
type parser struct {
	answer          *Response
	noBody          bool // the answer to HEAD has none, whatever it says
	keepOK, keepBad int

	state     uint8
	started   bool // something has been read
	continued bool // "100 Continue" has been read
	reusable  bool // the answer leaves the connection fit for another request
	headOwn   bool // answer.Head lies in head
	bodyOwn   bool // answer.Body lies in body
	trailed   bool // a line of the trailer has been read: the next may be a continuation
	digits    uint8
	keep      int
	scanned   int    // of head: no end of it before
	heads     int    // bytes of heads and trailers so far
	line      int    // length of the chunk's size line so far
	left      uint64 // bytes of the body or of the chunk to come
	excess    uint64 // of the chunked coding's overhead over what is fair, as net/http counts

	head, body []byte // memory of our own, used again for the next answer
}

// begin makes the parser ready for an answer to be put into answer.
func (p *parser) begin(answer *Response, noBody bool, keepOK, keepBad int) {
	head, body := p.head[:0], p.body[:0]
	if cap(head) > bufferKept {
		head = nil
	}
	if cap(body) > bufferKept {
		body = nil
	}
	*answer = Response{}
	*p = parser{answer: answer, noBody: noBody, keepOK: keepOK, keepBad: keepBad, head: head, body: body}
}

// feed reads on with b, which it may change. It returns what lies in b behind the answer, and whether the
// answer is complete. If it is, the answer may refer to b. After an error the parser is of no use.
func (p *parser) feed(b []byte) (rest []byte, done bool, err error) {
	p.started = p.started || len(b) > 0
	for len(b) > 0 && p.state != inNothing {
		if p.state == inHead {
			b, err = p.readHead(b)
		} else {
			b, err = p.readBody(b)
		}
		if err != nil {
			return nil, false, err
		}
	}
	if p.state == inNothing {
		return b, true, nil
	}
	p.own()
	return nil, false, nil
}

// end says that the connection has been closed by the server. It returns nil if that completes the answer.
func (p *parser) end() error {
	switch {
	case p.state == inRest:
		p.state = inNothing
		return nil
	case !p.started:
		return io.EOF
	}
	return io.ErrUnexpectedEOF
}

// own copies what the answer refers to, because the bytes it lies in are about to be overwritten.
func (p *parser) own() {
	if p.state == inHead {
		return
	}
	if !p.headOwn {
		p.head = append(p.head[:0], p.answer.Head...)
		p.answer.Head, p.headOwn = p.head, true
	}
	if !p.bodyOwn && len(p.answer.Body) > 0 {
		p.body = append(p.body[:0], p.answer.Body...)
		p.answer.Body, p.bodyOwn = p.body, true
	}
}

// readHead reads b up to the end of the head, if it is in it.
func (p *parser) readHead(b []byte) (rest []byte, err error) {
	head := b
	before := len(p.head)
	if before > 0 {
		p.head = append(p.head, b[:min(len(b), headLimit+1-before)]...)
		head = p.head
	}
	if n := min(len(head), len(statusLine)); string(head[:n]) != statusLine[:n] {
		return nil, errStatusLine // there may never be an end of it
	}
	end := headEnd(head, p.scanned)
	switch {
	case end < 0 && p.heads+len(head) > headLimit, end > 0 && p.heads+end > headLimit:
		return nil, badResponse("its headers are longer than 256 KiB")
	case end < 0:
		if before == 0 {
			p.head = append(p.head, b...)
		}
		// If the end itself was cut, its first line feed has been read, and perhaps a CR.
		p.scanned = len(head)
		if n := len(head); head[n-1] == '\n' {
			p.scanned = n - 1
		} else if n > 1 && head[n-1] == '\r' && head[n-2] == '\n' {
			p.scanned = n - 2
		}
		return nil, nil
	}
	rest = b[end-before:]
	p.heads += end
	p.headOwn = before > 0
	if err := p.parseHead(head[:end]); err != nil {
		return nil, err
	}
	if p.state == inHead { // an interim answer: the next is still to come
		p.head, p.headOwn, p.scanned = p.head[:0], false, 0
	}
	return rest, nil
}

// headEnd returns where the head ends, behind its empty line, or -1 if it does not. It looks at line
// feeds from from on.
func headEnd(b []byte, from int) int {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1
		}
		from += i + 1
		switch {
		case from < len(b) && b[from] == '\n':
			return from + 1
		case from+1 < len(b) && b[from] == '\r' && b[from+1] == '\n':
			return from + 2
		}
	}
}

// framing is what the headers say about where the answer ends.
type framing struct {
	length       uint64
	hasLength    bool
	chunked      bool
	close, alive bool // Connection: close, keep-alive
}

// parseHead reads a whole head, empty line included, and decides how the body is framed.
func (p *parser) parseHead(head []byte) error {
	line, lines := cutLine(head)
	if len(line) < len("HTTP/1.1 200") || line[7] < '0' || line[7] > '9' || line[8] != ' ' {
		return errStatusLine
	}
	old := line[7] == '0'
	status := 0
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return badResponse("its status is not a number")
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 || len(line) > 12 && line[12] != ' ' {
		return badResponse("its status is not a number of three digits")
	}
	var f framing
	if err := f.read(lines, old); err != nil {
		return err
	}
	if status < 200 {
		if status == 101 { // nobody asks for another protocol
			return badResponse("it switches protocols unasked")
		}
		p.continued = p.continued || status == 100
		return nil
	}
	a := p.answer
	a.Status = status
	a.Head = lines[:len(lines)-len(emptyLine(lines))]
	p.keep = p.keepBad
	if status < 400 {
		p.keep = p.keepOK
	}
	p.reusable = !f.close && (!old || f.alive)
	switch {
	case p.noBody, status == 204, status == 304:
		p.state = inNothing
	case f.chunked:
		p.state = inSize
		p.reusable = p.reusable && !f.hasLength
	case f.hasLength:
		p.left = f.length
		p.state = inLength
		if f.length == 0 {
			p.state = inNothing
		}
	default:
		p.state = inRest
		p.reusable = false
	}
	return nil
}

// cutLine returns the first line of b without its end, and what follows it.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return b, nil
	}
	line, rest = b[:i], b[i+1:]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, rest
}

// emptyLine returns the empty line that lines end in.
func emptyLine(lines []byte) []byte {
	n := len(lines)
	if n > 1 && lines[n-2] == '\r' {
		return lines[n-2:]
	}
	return lines[n-1:]
}

// What a byte may be part of.
const (
	tokenByte = 1 << iota // a header's name
	valueByte             // its value
)

// bytesAllowed says of every byte what it may be part of.
var bytesAllowed = func() (table [256]uint8) {
	for c := range table {
		if c >= ' ' && c != 0x7f || c == '\t' {
			table[c] |= valueByte
		}
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' ||
			bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0 {
			table[c] |= tokenByte
		}
	}
	return
}()

// read checks all header lines, unfolds folded ones in place, and notes what frames the body.
func (f *framing) read(lines []byte, old bool) error {
	if lines[0] == ' ' || lines[0] == '\t' {
		return badResponse("its first header line is a continuation")
	}
	coded := false
	for {
		line, rest := cutLine(lines)
		if len(line) == 0 {
			break
		}
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') { // obs-fold
			for i := len(line); i < len(lines)-len(rest); i++ {
				lines[i] = ' '
			}
			more, after := cutLine(rest)
			line = lines[:len(lines)-len(rest)+len(more)]
			rest = after
		}
		lines = rest
		colon := 0
		for colon < len(line) && bytesAllowed[line[colon]]&tokenByte != 0 {
			colon++
		}
		if colon == 0 || colon == len(line) || line[colon] != ':' {
			return badResponse("one of its header lines has no name")
		}
		name, value := line[:colon], line[colon+1:]
		for _, c := range value {
			if bytesAllowed[c]&valueByte == 0 {
				return badResponse("one of its headers holds a control character")
			}
		}
		switch {
		case len(name) == 14 && equalFold(name, "content-length"):
			n, ok := decimal(trim(value))
			if !ok {
				return badResponse("its Content-Length is not a number")
			}
			if f.hasLength && n != f.length {
				return badResponse("its Content-Lengths differ")
			}
			f.hasLength, f.length = true, n
		case len(name) == 17 && equalFold(name, "transfer-encoding"):
			value = trim(value)
			if old { // HTTP/1.0 has none: the connection must not be used again (RFC 9112, 6.1)
				f.close = true
				continue
			}
			if coded || len(value) != 7 || !equalFold(value, "chunked") {
				return badResponse("its transfer coding is not \"chunked\"")
			}
			coded, f.chunked = true, true
		case len(name) == 10 && equalFold(name, "connection"):
			for len(value) > 0 {
				var token []byte
				token, value, _ = bytes.Cut(value, comma)
				token = trim(token)
				f.close = f.close || len(token) == 5 && equalFold(token, "close")
				f.alive = f.alive || len(token) == 10 && equalFold(token, "keep-alive")
			}
		}
	}
	return nil
}

var comma = []byte(",")

// decimal reads a number of digits only that fits an int64.
func decimal(b []byte) (n uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n > (math.MaxInt64-uint64(c-'0'))/10 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, len(b) > 0
}

// readBody reads some of b, at least one byte, as the state says.
func (p *parser) readBody(b []byte) (rest []byte, err error) {
	switch p.state {
	case inRest:
		p.take(b)
		return nil, nil
	case inLength, inChunk:
		n := uint64(len(b))
		if n > p.left {
			n = p.left
		}
		p.take(b[:n])
		if p.left -= n; p.left == 0 {
			if p.state == inLength {
				p.state = inNothing
			} else {
				p.state = inChunkCR
			}
		}
		return b[n:], nil
	case inChunkCR, inChunkLF:
		if b[0] != "\r\n"[p.state-inChunkCR] {
			return nil, badResponse("a chunk does not end where it should")
		}
		if p.state++; p.state > inChunkLF {
			p.state, p.left, p.digits, p.line = inSize, 0, 0, 0
		}
		return b[1:], nil
	case inSize, inSizeBlank, inExtension, inSizeEnd:
		return p.readSize(b)
	}
	return p.readTrailer(b)
}

// sizeLine bounds the line before a chunk, as net/http does.
const sizeLine = 4096

// fairExcess bounds how much more of the chunked coding may be overhead than is fair, which is 16 bytes a
// chunk and twice the data, as net/http bounds it: a byte a chunk is allowed, endless extensions are not.
const fairExcess = 16 << 10

// readSize reads the line before a chunk.
func (p *parser) readSize(b []byte) (rest []byte, err error) {
	for i, c := range b {
		if p.state != inSizeEnd && c != '\r' {
			if p.line++; p.line >= sizeLine {
				return nil, badResponse("the line before a chunk is longer than 4 KiB")
			}
		}
		switch {
		case p.state == inSizeEnd:
			if c != '\n' {
				return nil, badResponse("the line before a chunk holds a CR")
			}
			return b[i+1:], p.beginChunk()
		case c == '\r':
			if p.digits == 0 {
				return nil, badResponse("a chunk has no size")
			}
			p.state = inSizeEnd
		case c == '\n':
			return nil, badResponse("the line before a chunk does not end in CRLF")
		case p.state == inExtension:
		case p.state == inSize && hexadecimal(c) < 16:
			if p.digits++; p.digits > 16 {
				return nil, badResponse("the size of a chunk has more than 16 digits")
			}
			p.left = p.left<<4 | uint64(hexadecimal(c))
		case p.state == inSize && c == ';' && p.digits > 0:
			p.state = inExtension
		case c == ' ' || c == '\t':
			p.state = inSizeBlank
		default:
			return nil, badResponse("the size of a chunk is not a number")
		}
	}
	return nil, nil
}

// beginChunk begins to read the data, or the trailer.
func (p *parser) beginChunk() error {
	if p.left > 1<<62 {
		return badResponse("a chunk is impossibly large")
	}
	p.excess += uint64(p.line) + 2
	if fair := 16 + 2*p.left; p.excess > fair {
		p.excess -= fair
	} else {
		p.excess = 0
	}
	if p.excess > fairExcess {
		return badResponse("it is chunked so that there is hardly any data in it")
	}
	p.state = inChunk
	if p.left == 0 {
		p.state = inTrailer
	}
	return nil
}

// readTrailer reads what follows the last chunk. Trailers are checked and forgotten.
func (p *parser) readTrailer(b []byte) (rest []byte, err error) {
	for i, c := range b {
		if p.heads++; p.heads > headLimit {
			return nil, badResponse("its trailers are longer than 256 KiB")
		}
		switch p.state {
		case inTrailer:
			switch {
			case c == '\r':
				p.state = inLastLF
			case bytesAllowed[c]&tokenByte != 0:
				p.state, p.trailed = inTrailName, true
			case p.trailed && (c == ' ' || c == '\t'):
				p.state = inTrailValue
			default:
				return nil, badResponse("a line of its trailer has no name")
			}
		case inTrailName:
			switch {
			case c == ':':
				p.state = inTrailValue
			case bytesAllowed[c]&tokenByte == 0:
				return nil, badResponse("a line of its trailer has no name")
			}
		case inTrailValue:
			switch {
			case c == '\r':
				p.state = inTrailLF
			case bytesAllowed[c]&valueByte == 0:
				return nil, badResponse("its trailer holds a control character")
			}
		default:
			if c != '\n' {
				return nil, badResponse("its trailer holds a CR")
			}
			if p.state == inLastLF {
				p.state = inNothing
				return b[i+1:], nil
			}
			p.state = inTrailer
		}
	}
	return nil, nil
}

// hexadecimal returns the value of a digit, and 255 if it is none.
func hexadecimal(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// take counts b as part of the body, and keeps it as far as it was asked for.
func (p *parser) take(b []byte) {
	a := p.answer
	a.Size += uint64(len(b))
	if room := p.keep - len(a.Body); room < len(b) {
		b = b[:max(room, 0)]
	}
	switch {
	case len(b) == 0:
	case p.bodyOwn:
		p.body = append(p.body, b...)
		a.Body = p.body
	case len(a.Body) == 0:
		a.Body = b
	default:
		// The body so far lies before b in the same bytes: chunks move together over the lines between them.
		a.Body = append(a.Body, b...)
	}
}
