package client

import "time"

// An Exchange is one request and its answer. The zero value is ready once To and Request are set; it is
// used again and again, by one virtual user, and embeds the memory it needs. It must not be copied.
//
// What the caller sets is left as it is until the exchange has ended. What the Loop sets is valid in
// LoopOptions.Ended, where Response may refer to memory of the Loop: what is needed longer is copied there.
type Exchange struct {
	To      *Origin
	Request []byte // the whole request as on the wire, body included

	NoBody          bool          // the answer has no body whatever it says: the request is HEAD
	KeepOK, KeepBad int           // bytes of the body to keep of an answer below 400, and of others; 0: count only
	Expect100       bool          // the request says "Expect: 100-continue": send its body after 100, or a second
	Own             *Conns        // use only these connections; nil: the Loop's
	Deadline        time.Duration // since LoopOptions.Began; kept within 10 ms; 0: none
	Owner           any           // the caller's

	Response Response
	Err      error // why there is no complete answer; for Classify

	// Times since LoopOptions.Began. Began is when Start was called. Sent is when the first byte was written;
	// from Began to it, the exchange waited for a connection. An exchange that ended before it was sent has
	// Sent = Began. Done is when the last byte was read, or the exchange given up.
	Began, Sent, Done time.Duration

	Reused bool // the connection had answered another request before

	flight
}
