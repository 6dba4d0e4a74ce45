package api

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"loadkms/sandbox/ledger"
)

// The drivers whose behavior the functions can have.
const (
	// DriverNone is no driver: a session that has expired is replaced, and nothing else is tried again.
	DriverNone = "none"
	// DriverNode is amazon-qldb-driver-nodejs 2.2.0, the article's. It tries again whatever goes wrong
	// while a session is opened, and waits for seconds in between.
	DriverNode = "node-2.2.0"
	// DriverGo is amazon-qldb-driver-go 3.0.1.
	DriverGo = "go-3.0.1"
)

// Drivers returns the names that [Options.Driver] can have.
func Drivers() []string { return []string{DriverNone, DriverNode, DriverGo} }

// A driver is the retry behavior of one of AWS's drivers, as measured with the drivers themselves.
type driver struct {
	retries      int                             // tries after the first
	retriesStart bool                            // also if no session can be opened
	retriesFault bool                            // also if the ledger itself is out of order
	delay        func(attempt int) time.Duration // before the try after the attempt-th, counted from 1
}

func driverOf(name string) driver {
	switch name {
	case "", DriverNone:
		return driver{retries: 1, delay: func(int) time.Duration { return 0 }}
	case DriverNode:
		// (10·2)^n where 10·2^n was meant: 20 ms, 400 ms, then always the 5 s that are the limit; a
		// random part of it.
		return driver{retries: 4, retriesStart: true, retriesFault: true, delay: func(n int) time.Duration {
			return milliseconds(rand.Float64() * min(5000, math.Pow(20, float64(n))))
		}}
	case DriverGo:
		// 10·2^n up to 5 s, of which half to all.
		return driver{retries: 4, retriesFault: true, delay: func(n int) time.Duration {
			return milliseconds((0.5 + rand.Float64()/2) * min(5000, 10*math.Pow(2, float64(n))))
		}}
	}
	panic("api: there is no driver " + name) // Options.Driver says what there is
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// The calls to the ledger that one try makes, as far as it gets. A driver ends with an
// AbortTransaction what it does not commit.
const (
	startedCalls = 3 // StartTransaction, ExecuteStatement, and CommitTransaction or AbortTransaction
	refusedCalls = 2 // StartTransaction, AbortTransaction
	invalidCalls = 1 // StartTransaction
)

// execute runs f with the container's session, as the driver does.
func (d *driver) execute(ctx context.Context, i *invocation, f func(*ledger.Session) error) error {
	for attempt := 1; ; attempt++ {
		err := i.connect(ctx)
		starting := err != nil
		if starting && (!d.retriesStart || err == errTimeout || ctx.Err() != nil) {
			return err
		}
		at := d.delay(attempt)
		if !starting {
			var calls int
			if err = f(i.container.session); err == nil {
				return i.call(ctx, startedCalls)
			}
			var again bool
			again, calls = d.judge(err)
			if calls == invalidCalls {
				i.container.session = nil
				if attempt == 1 {
					at = 0 // the session of a pool may be old: the first try after it comes at once
				}
			}
			if late := i.call(ctx, calls); late != nil {
				return late
			}
			if !again {
				return err
			}
		}
		if attempt > d.retries {
			return err
		}
		if late := i.wait(ctx, at); late != nil {
			return late
		}
	}
}

// judge says whether an error is worth another try, and how many calls it took.
func (d *driver) judge(err error) (again bool, calls int) {
	var e *ledger.Error
	switch {
	case !errors.As(err, &e):
		return d.retriesFault, startedCalls
	case e.Code == ledger.CodeInvalidSession:
		return true, invalidCalls
	case e.Code == ledger.CodeAccessDenied:
		return false, refusedCalls
	}
	return false, startedCalls
}
