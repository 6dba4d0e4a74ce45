package client

import "time"

// LoopOptions says how a Loop works. Ended is required.
type LoopOptions struct {
	Began time.Time       // what durations count from; default: when the Loop is made
	Ended func(*Exchange) // called by Turn when an exchange has ended; it may Start and Cancel exchanges
	Woken func()          // called by Turn after Wake; default: nothing

	MostConns   int           // of connections to one origin, those of Exchange.Own aside; 0: no bound
	IdleTimeout time.Duration // how long a connection is kept unused; default 90s
	DialTimeout time.Duration // for connecting, and again for the TLS handshake; default 10s
}

// withDefaults returns o with its zero values replaced.
func (o LoopOptions) withDefaults() LoopOptions {
	if o.Began.IsZero() {
		o.Began = time.Now()
	}
	if o.Woken == nil {
		o.Woken = func() {}
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = 90 * time.Second
	}
	if o.DialTimeout <= 0 {
		o.DialTimeout = 10 * time.Second
	}
	return o
}

// LoopStats counts what a Loop has done so far.
type LoopStats struct {
	Open, MostOpen int64 // connections now, those being made included, and at most
	Waiting        int64 // exchanges that wait for a connection now

	Opened     uint64 // connections made
	DialErrors uint64 // attempts to make one that failed
	Reused     uint64 // requests sent on a connection that had answered another before
	Retried    uint64 // requests sent anew because the server had closed such a connection meanwhile
	Discarded  uint64 // idle connections closed because the server said something unasked
	Read       uint64 // bytes
	Written    uint64
}

// A timedOut says what was not there in time. Its class is Timeout.
type timedOut string

func (e timedOut) Error() string { return string(e) }

// Timeout reports true, as net.Error wants it.
func (e timedOut) Timeout() bool { return true }

const (
	noConnection timedOut = "no connection in time"
	noAnswer     timedOut = "no complete answer in time"
	noConnect    timedOut = "connecting took too long"
	noHandshake  timedOut = "the TLS handshake took too long"
)
