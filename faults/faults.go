// Package faults breaks things on purpose and puts them back.
//
// The package knows no cloud and no HTTP. A [Target] is anything whose state can be read, changed and
// set back; package awskms supplies the ones for AWS KMS.
//
// Its laws:
//
//   - Nothing is broken before the way back has been walked once and the promise to walk it again is
//     on disk.
//   - An error from a mutation means that it may have happened.
//   - Restoring means setting the prior state, whatever state the target is in; it is true only when
//     observed, and only when still true after the settle time.
//   - The end of the run, whatever ends it, is not the end of the restore.
//   - The journal forgets an entry last of all.
package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// A Bracket injects faults: whatever it breaks, it puts back. Only Journal has to be set.
type Bracket struct {
	Journal Journal
	Settle  time.Duration                  // how long restored must stay restored; 0 means 15s
	Budget  time.Duration                  // for one restore; 0 means 2 minutes
	Entry   Entry                          // what every journal entry of this run has in common
	Notify  func(at Station, detail error) // told of every station passed; must not block; nil means nobody
}

// A Station is a point on a fault's way.
type Station int

// The stations, in the order in which a fault passes them.
const (
	Observed        Station = iota
	Rehearsed               // the way back works
	Journaled               // the promise is durable
	Breaking                // about to call Break
	Broken                  // Break has returned without an error
	Visible                 // Observe shows another state than the prior one
	Restoring               // about to call Restore
	RestoreAccepted         // Restore has returned without an error
	Restored                // Observe shows the prior state again
	Settled                 // and still does; the journal entry is closed
	Refused                 // nothing was broken; detail says why
	Stuck                   // it could not be put back; detail says why
)

// The numbers of the bracket.
const (
	// DefaultSettle is how long restored must stay restored if nobody says otherwise. A change whose
	// answer never came may still land after we gave up on it: 15s is longer than one request of the
	// SDK is allowed to take.
	DefaultSettle = 15 * time.Second
	// DefaultBudget is how long one restore is tried if nobody says otherwise: AWS has answered every
	// throttled or failing call within two minutes, or has an outage.
	DefaultBudget = 2 * time.Minute

	firstPause   = 100 * time.Millisecond // between two tries to restore, doubling
	longestPause = 5 * time.Second
	watchPause   = 50 * time.Millisecond // between two looks for Visible, doubling
	watchLongest = time.Second
	// Each lost answer can make a target drift once. More than ten, and somebody is fighting us.
	mostDrifts = 10
	// An entry of a fault that broke nothing is worth a few seconds of trying to close it, no more:
	// the next loadkms recover closes it as well.
	closeTries = 5
)

// Inject breaks t, calls during, and restores t before it returns, whatever happens to ctx and
// whatever during does: an error, a panic (which goes on after the restore), a cancellation.
//
// It blocks for as long as during takes, plus the restore and the settle time. The error joins what
// Break or during returned with what went wrong on the way back. errors.Is(err, ErrStuck) says that t
// is still broken, and errors.As finds a *[StuckError] with the command that repairs it. If Inject
// refuses, because ctx is done, t cannot be observed, has no way back ([ErrNoWayBack]) or the journal
// cannot be written, during is not called and nothing was broken.
//
// A [OneWay] is not restored: its last station is Visible, and the error that of Break or during.
//
// Notify is called for one station at a time, each at most once and in their order; Visible comes
// from another goroutine.
func (b Bracket) Inject(ctx context.Context, t Target, during func(context.Context) error) (err error) {
	p := newPass(b.Journal, t, b.Settle, b.Budget, b.Notify)
	if _, is := t.(OneWay); is {
		return p.oneWay(ctx, during)
	}
	prior, err := p.promise(ctx, b.Entry)
	if err != nil {
		p.notify(Refused, err)
		return err
	}
	// A panic passes through this defer unrecovered, so it keeps its stack.
	defer func() {
		// The run may be over; the restore is not.
		if rerr := p.restore(context.WithoutCancel(ctx), prior); rerr != nil {
			err = errors.Join(err, rerr)
		}
	}()
	p.notify(Breaking, nil)
	if err := t.Break(ctx); err != nil {
		return fmt.Errorf("break %s: %w", t.ID(), err) // maybe broken: restored all the same
	}
	p.notify(Broken, nil)
	return p.hold(ctx, prior, during)
}

// oneWay breaks what nobody restores. An error from Break means that it may have happened.
func (p *pass) oneWay(ctx context.Context, during func(context.Context) error) error {
	id := p.target.ID()
	prior, err := p.target.Observe(ctx)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		err = fmt.Errorf("observe %s: %w", id, err)
		p.notify(Refused, err)
		return err
	}
	p.notify(Observed, nil)
	p.notify(Breaking, nil)
	if err := p.target.Break(ctx); err != nil {
		return fmt.Errorf("break %s: %w", id, err)
	}
	p.notify(Broken, nil)
	return p.hold(ctx, prior, during)
}

// A pass is one target's way through the stations, or the way back only, for Recover.
type pass struct {
	journal        Journal
	target         Target
	settle, budget time.Duration
	tell           func(Station, error)

	mu     sync.Mutex // serializes tell, and is held while it runs
	passed [Stuck + 1]bool
}

func newPass(j Journal, t Target, settle, budget time.Duration, tell func(Station, error)) *pass {
	if settle <= 0 {
		settle = DefaultSettle
	}
	if budget <= 0 {
		budget = DefaultBudget
	}
	return &pass{journal: j, target: t, settle: settle, budget: budget, tell: tell}
}

func (p *pass) notify(at Station, detail error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tell == nil || p.passed[at] {
		return
	}
	p.passed[at] = true
	p.tell(at, detail)
}

// promise goes as far as one can without breaking anything: it returns the prior state once the way
// back is proven and the entry durable.
func (p *pass) promise(ctx context.Context, common Entry) (State, error) {
	id := p.target.ID()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("break %s: %w", id, err)
	}
	// A target that is broken already would be observed as broken, and restored to that.
	if pending, err := p.journal.Pending(); err != nil {
		return nil, fmt.Errorf("journal %s: %w", id, err)
	} else if slices.ContainsFunc(pending, func(e Entry) bool { return e.ID == id }) {
		return nil, fmt.Errorf("break %s: an earlier fault has broken it and not put it back yet", id)
	}
	prior, err := p.target.Observe(ctx)
	if err != nil {
		return nil, fmt.Errorf("observe %s: %w", id, err)
	}
	p.notify(Observed, nil)
	if err := p.rehearse(ctx, prior); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoWayBack, id, err)
	}
	p.notify(Rehearsed, nil)

	e := common
	e.ID, e.Spec, e.Prior, e.ByHand = id, p.target.Spec(), prior, p.target.ByHand(prior)
	if _, is := p.target.(Outside); is {
		e.Embedded = false
	}
	e.At = time.Now().UTC()
	if e.Host == "" {
		e.Host, _ = os.Hostname() // an empty name is no reason to refuse
	}
	if e.PID == 0 {
		e.PID = os.Getpid()
	}
	if err := p.journal.Open(e); err != nil {
		p.forget() // the entry may be on disk although its answer is an error
		return nil, fmt.Errorf("journal %s: %w", id, err)
	}
	p.notify(Journaled, nil)
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("break %s: %w", id, err), p.forget())
	}
	return prior, nil
}

// rehearse walks the way back before we walk in: setting the present state changes nothing, but
// proves that we may and can.
func (p *pass) rehearse(ctx context.Context, prior State) error {
	if err := p.target.Restore(ctx, prior); err != nil {
		return fmt.Errorf("rehearse the restore: %w", err)
	}
	for until, pause := time.Now().Add(p.budget), firstPause; ; pause = min(2*pause, longestPause) {
		now, err := p.target.Observe(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("observe after rehearsal: %w", err)
		case bytes.Equal(now, prior):
			return nil
		case p.underWay(now, prior) == 0 || time.Now().After(until):
			return errors.New("the rehearsal of the restore did not leave it as it was")
		}
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// hold calls during, and meanwhile watches for the fault to become visible.
func (p *pass) hold(ctx context.Context, prior State, during func(context.Context) error) error {
	wctx, stop := context.WithTimeout(ctx, p.budget)
	ended := make(chan any, 1) // with what the watch panicked, or nil
	go func() {
		defer func() { ended <- recover() }()
		p.watch(wctx, prior)
	}()
	defer func() {
		stop()
		// Restoring must not begin before the last look has ended. A panic of the watch goes on here,
		// where the deferred restore catches up with it; there, it would have killed the process.
		if r := <-ended; r != nil {
			panic(r)
		}
	}()
	return during(ctx)
}

func (p *pass) watch(ctx context.Context, prior State) {
	for pause := watchPause; ; pause = min(2*pause, watchLongest) {
		now, err := p.target.Observe(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil && !bytes.Equal(now, prior) {
			p.notify(Visible, nil)
			return
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// restore puts the target back, checks that it is back and stays back, and only then forgets about it.
func (p *pass) restore(ctx context.Context, prior State) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	budget := time.AfterFunc(p.budget, cancel)
	defer budget.Stop()
	// more gives the loop another budget from now on, but not beyond most since the restore began.
	more := func(most time.Duration) {
		if left := min(p.budget, most-time.Since(began)); left > 0 {
			budget.Reset(left)
		}
	}

	p.notify(Restoring, nil)
	var last error
	drifts := 0
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		back, err := p.putBack(ctx, prior, more)
		if back {
			budget.Reset(p.settle + p.budget) // looking again has its own time
			p.notify(Restored, nil)
			sleep(ctx, p.settle)
			if err = p.is(ctx, prior); err == nil {
				return p.close(ctx)
			}
			pause = firstPause
			drifts++
		}
		// A call cut off by the end of the budget says less than the one before it.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if errors.Is(err, ErrChanged) || drifts > mostDrifts || !sleep(ctx, pause) {
			stuck := &StuckError{ID: p.target.ID(), ByHand: p.target.ByHand(prior), Err: last}
			p.notify(Stuck, stuck)
			return stuck
		}
	}
}

// putBack tries once, and reports whether the target now shows its prior state.
func (p *pass) putBack(ctx context.Context, prior State, more func(time.Duration)) (bool, error) {
	err := p.target.Restore(ctx, prior)
	if errors.Is(err, ErrChanged) {
		return false, err
	}
	if err == nil {
		p.notify(RestoreAccepted, nil)
	}
	now, oerr := p.target.Observe(ctx)
	if oerr == nil {
		if most := p.underWay(now, prior); most > 0 {
			more(most)
		}
	}
	switch {
	case err != nil:
		return false, err
	case oerr != nil:
		return false, fmt.Errorf("observe after restore: %w", oerr)
	case !bytes.Equal(now, prior):
		return false, errNotBack
	}
	return true, nil
}

var errNotBack = errors.New("the restore was accepted, but it is not back in its prior state")

func (p *pass) is(ctx context.Context, prior State) error {
	now, err := p.target.Observe(ctx)
	if err != nil {
		return fmt.Errorf("observe after settling: %w", err)
	}
	if !bytes.Equal(now, prior) {
		return errors.New("it was back in its prior state, and drifted")
	}
	return nil
}

// close forgets a target that is back, trying until ctx is done. Failing is no reason to call the
// target broken; it costs a loadkms recover.
func (p *pass) close(ctx context.Context) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := p.journal.Close(p.target.ID())
		if err != nil && sleep(ctx, pause) {
			continue
		}
		if err != nil {
			err = fmt.Errorf("%s is restored, but its journal entry is still open: %w", p.target.ID(), err)
		}
		p.notify(Settled, err)
		return err
	}
}

// forget closes the entry of a fault that broke nothing.
func (p *pass) forget() error {
	var err error
	for range closeTries {
		if err = p.journal.Close(p.target.ID()); err == nil {
			return nil
		}
		time.Sleep(firstPause)
	}
	return fmt.Errorf("%s was not broken, but its journal entry is still open: %w", p.target.ID(), err)
}

func (p *pass) underWay(now, prior State) time.Duration {
	if s, ok := p.target.(Slow); ok {
		return s.UnderWay(now, prior)
	}
	return 0
}

// A StuckError says what is still broken, why, and how a person repairs it. It is an [ErrStuck].
type StuckError struct {
	ID     string // the target's
	ByHand string // the command line that restores it; "" if nobody knows
	Err    error  // why it could not be restored
}

// Error does not contain ByHand: it may be long, and belongs on a line of its own.
func (e *StuckError) Error() string { return fmt.Sprintf("restore %s: %v: %v", e.ID, ErrStuck, e.Err) }

// Unwrap lets errors.Is find both ErrStuck and the reason.
func (e *StuckError) Unwrap() []error { return []error{ErrStuck, e.Err} }

// sleep reports whether the pause was slept through.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
