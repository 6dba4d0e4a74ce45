package sandbox

import (
	"io"
	"net/http"
	"time"
)

// A client that stops in the middle must not hold a connection, and what belongs to it, for ever. Laws:
//
//  1. Only the client is hurried: for its header, its body, and the taking of the answer. How long the
//     answer takes to be found is the gateway's and the ledger's business, and may be minutes.
//  2. It is real time, as clients are real.
//
// http.Server's own ReadTimeout and WriteTimeout alone break the first law: they run on while the handler
// works, then cancel it or leave it no time to answer.
const (
	headerTime = 10 * time.Second // a header on loopback is here at once or never
	bodyTime   = time.Minute      // likewise a body, which is 1 MiB at most
	answerTime = 30 * time.Second // an answer is a few MiB at most; a debugger may hold a client up for a moment
	idleTime   = 5 * time.Minute  // longer than any pause of a load generator
)

// patient gives each client of h the times above for its body and for its answer. The times for the header
// and between requests are the server's.
func patient(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &exchange{ResponseWriter: w, body: r.Body, control: http.NewResponseController(w)}
		// Errors are of connections that are gone already, which the next read or write finds out, and of
		// writers in tests which have no deadlines.
		_ = e.control.SetWriteDeadline(time.Time{}) // the server's, which runs already
		if r.Body != http.NoBody {
			_ = e.control.SetReadDeadline(time.Now().Add(bodyTime))
			r.Body = e
		}
		h.ServeHTTP(e, r)
		e.begin() // what is still in a buffer is sent after this
	})
}

// An exchange is a request's body and the writer of its answer.
type exchange struct {
	http.ResponseWriter
	body    io.ReadCloser
	control *http.ResponseController
	begun   bool // the answer
}

// Read reads the body. At its end the deadline goes, or the server would take it for the client's going.
func (e *exchange) Read(p []byte) (int, error) {
	n, err := e.body.Read(p)
	if err == io.EOF {
		_ = e.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// Close closes the body.
func (e *exchange) Close() error { return e.body.Close() }

// WriteHeader begins the answer.
func (e *exchange) WriteHeader(status int) {
	e.begin()
	e.ResponseWriter.WriteHeader(status)
}

// Write writes some of the answer.
func (e *exchange) Write(p []byte) (int, error) {
	e.begin()
	return e.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }

func (e *exchange) begin() {
	if !e.begun {
		e.begun = true
		_ = e.control.SetWriteDeadline(time.Now().Add(answerTime))
	}
}
