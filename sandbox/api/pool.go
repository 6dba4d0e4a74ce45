package api

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/ledger"
)

// A pool holds the sessions of one role. It hands out the one used last, so that under light load few
// sessions are in use and the others expire. Its size is bounded by the requests in flight.
type pool struct {
	ledgers *ledger.Service
	ledger  string
	caller  iam.Caller

	// What follows is for functions in containers; direct says that there are none.
	direct      bool
	time        Time
	driver      driver
	concurrency int
	coldStart   time.Duration
	callTime    time.Duration
	timeout     time.Duration
	calls       atomic.Int64 // to the ledger

	mu         sync.Mutex // guards the fields below, for nanoseconds
	idle       []*ledger.Session
	containers []container // the one used last at the end
	busy       int         // containers in use
}

// use runs f with a session, in a container or without.
func (p *pool) use(r *http.Request, f func(*ledger.Session) error) error {
	if p.direct {
		return p.useDirectly(r, f)
	}
	return p.invoke(r.Context(), f)
}

// useDirectly runs f with a session. A session that has expired is replaced, once, before f has done
// anything; no other error is tried again.
func (p *pool) useDirectly(r *http.Request, f func(*ledger.Session) error) error {
	s, fresh, err := p.take(r)
	if err != nil {
		return err
	}
	err = f(s)
	var e *ledger.Error
	if !fresh && errors.As(err, &e) && e.Code == ledger.CodeInvalidSession {
		if s, err = p.ledgers.StartSession(r.Context(), p.caller, p.ledger); err != nil {
			return err
		}
		err = f(s)
	}
	if errors.As(err, &e) && e.Code == ledger.CodeInvalidSession {
		return err
	}
	p.mu.Lock()
	p.idle = append(p.idle, s)
	p.mu.Unlock()
	return err
}

func (p *pool) take(r *http.Request) (s *ledger.Session, fresh bool, err error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		s, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if s != nil {
		return s, false, nil
	}
	s, err = p.ledgers.StartSession(r.Context(), p.caller, p.ledger)
	return s, true, err
}
