package api

import (
	"context"
	"errors"
	"time"

	"loadkms/sandbox/ledger"
)

// DefaultTimeout is how long API Gateway waits for a function.
const DefaultTimeout = 29 * time.Second

// containerIdle is how long a container that nobody needs is kept. AWS documents no number.
const containerIdle = 10 * time.Minute

// The answers that come from in front of the functions.
var (
	errBusy    = errors.New("too many invocations at once")
	errTimeout = errors.New("the function took too long")
)

// Time is the time in which functions wait: the sandbox's, *clock.Clock. A container's cold start, a
// driver's backoff and the gateway's patience pass as fast as the ledger's key cache and the sessions'
// lives do, so that at any speed a backoff is as long compared to a recovery as it is in AWS. Only what
// takes time by itself, such as a call to a KMS elsewhere, takes it in real time.
type Time interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) bool
	Real(d time.Duration) time.Duration
}

// A container runs one request at a time and keeps its driver's one session between them: the pools of
// AWS's drivers never hold more in a Lambda function.
type container struct {
	session *ledger.Session // nil if the driver has none
	used    time.Time
}

// An invocation is one request in a container.
type invocation struct {
	pool      *pool
	container container
	deadline  time.Time
}

// invoke runs f in a container, which may have to be started.
func (p *pool) invoke(ctx context.Context, f func(*ledger.Session) error) error {
	i, cold, err := p.begin()
	if err != nil {
		return err
	}
	whole := false // a panic passes through here, and must not keep the place
	defer func() { p.end(i, whole) }()
	ctx, cancel := context.WithTimeout(ctx, p.time.Real(p.timeout))
	defer cancel()
	if cold {
		err = i.wait(ctx, p.coldStart)
	}
	if err == nil {
		err = p.driver.execute(ctx, i, f)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errTimeout
	}
	whole = err != errTimeout
	return err
}

// begin takes a container, if the function may have one more.
func (p *pool) begin() (i *invocation, cold bool, err error) {
	now := p.time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.concurrency > 0 && p.busy >= p.concurrency {
		return nil, false, errBusy
	}
	p.busy++
	i = &invocation{pool: p, deadline: now.Add(p.timeout)}
	for len(p.containers) > 0 && now.Sub(p.containers[0].used) > containerIdle {
		p.containers = p.containers[1:] // the one used longest ago
	}
	n := len(p.containers)
	if n == 0 {
		return i, true, nil
	}
	i.container, p.containers = p.containers[n-1], p.containers[:n-1]
	return i, false, nil
}

// end gives the container back. One whose request was given up is still at it, and is not.
func (p *pool) end(i *invocation, whole bool) {
	i.container.used = p.time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	if whole {
		p.containers = append(p.containers, i.container)
	}
}

// wait waits, but no longer than the gateway does.
func (i *invocation) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	left := i.deadline.Sub(i.pool.time.Now())
	late := d > left
	if !i.pool.time.Sleep(ctx, min(d, left)) {
		return ctx.Err()
	}
	if late {
		return errTimeout
	}
	return nil
}

// call counts calls to the ledger, and waits as long as they take.
func (i *invocation) call(ctx context.Context, n int) error {
	i.pool.calls.Add(int64(n))
	return i.wait(ctx, time.Duration(n)*i.pool.callTime)
}

// connect makes sure that there is a session.
func (i *invocation) connect(ctx context.Context) error {
	if i.container.session != nil {
		return nil
	}
	if err := i.call(ctx, 1); err != nil {
		return err
	}
	s, err := i.pool.ledgers.StartSession(ctx, i.pool.caller, i.pool.ledger)
	if err != nil {
		return err
	}
	i.container.session = s
	return nil
}
