// Package clock is the sandbox's time, which may run faster than ours. It is the only place where
// sandbox time and real time meet; everything else in the sandbox knows only sandbox time.
package clock

import (
	"context"
	"sync"
	"time"
)

// A Clock tells sandbox time. It is safe for use by many goroutines.
type Clock struct {
	began time.Time // real
	speed float64

	mu      sync.Mutex    // guards the fields below, for nanoseconds
	skipped time.Duration // sandbox time added by Advance
	moved   chan struct{} // closed and replaced by Advance, to wake sleepers
	lease   time.Time     // what the clock shows at most; zero for no limit

	renewing sync.Mutex // held while keep runs
	keep     func(until time.Time) error
}

// New returns a clock that now shows the present time and runs speed times as fast as it; a speed of
// 0 means 1.
func New(speed float64) *Clock {
	if speed <= 0 {
		speed = 1
	}
	return &Clock{began: time.Now(), speed: speed, moved: make(chan struct{})}
}

// Resume is New for a clock that must show no time before last, when that is later than the present time.
func Resume(speed float64, last time.Time) *Clock {
	c := New(speed)
	if ahead := last.Sub(c.began); ahead > 0 {
		c.skipped = ahead
	}
	return c
}

// Speed returns how many sandbox seconds a real second takes.
func (c *Clock) Speed() float64 { return c.speed }

// Real converts a stretch of sandbox time to real time.
func (c *Clock) Real(d time.Duration) time.Duration { return time.Duration(float64(d) / c.speed) }

// Now returns the sandbox time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	t := c.went()
	if !c.lease.IsZero() && t.After(c.lease) {
		return c.lease
	}
	return t
}

// went is what the clock would show without a lease.
func (c *Clock) went() time.Time {
	return c.began.Add(time.Duration(float64(time.Since(c.began))*c.speed) + c.skipped)
}

// leaseLife is for how long in real time keep is asked in advance. Two seconds: longer than a disk takes
// to write a few bytes, and little to be ahead after a process was killed.
const leaseLife = 2 * time.Second

// Lease makes a clock that does not go back when its process is killed: it shows no time that keep was
// not told of before, and [Resume] with the last one goes on from there. Keep stores the time and
// returns when that is done; it is called by one goroutine at a time, at once and then by [Clock.Renew].
// While it is late the clock stands still.
func (c *Clock) Lease(keep func(until time.Time) error) error {
	c.renewing.Lock()
	c.keep = keep
	c.renewing.Unlock()
	return c.renew()
}

// Renew renews the lease in time until the context is done, or keep returns an error, which leaves the
// clock standing at the end of its lease.
func (c *Clock) Renew(ctx context.Context) error {
	for tick := time.NewTicker(leaseLife / 4); ; {
		select {
		case <-tick.C:
			if err := c.renew(); err != nil {
				return err
			}
		case <-ctx.Done():
			tick.Stop()
			return nil
		}
	}
}

func (c *Clock) renew() error {
	c.renewing.Lock()
	defer c.renewing.Unlock()
	if c.keep == nil {
		return nil
	}
	c.mu.Lock()
	until := c.went().Add(time.Duration(float64(leaseLife) * c.speed))
	c.mu.Unlock()
	if err := c.keep(until); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lease = until
	return nil
}

// Stop makes the clock stand still from now on, and returns what it shows.
func (c *Clock) Stop() time.Time {
	c.renewing.Lock()
	defer c.renewing.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep, c.lease = nil, c.now()
	return c.lease
}

// Advance moves the sandbox time forward by d at once. It is meant for tests.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	c.skipped += d
	c.mu.Unlock()
	_ = c.renew() // if it cannot be kept the clock stands still, and whoever keeps it has the error
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.moved)
	c.moved = make(chan struct{})
}

// Sleep waits until d of sandbox time has passed or ctx is done, and reports whether the time has
// passed.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) bool {
	until := c.Now().Add(d)
	for {
		c.mu.Lock()
		now, moved := c.now(), c.moved
		left, standing := until.Sub(now), now.Equal(c.lease)
		c.mu.Unlock()
		if left <= 0 {
			return ctx.Err() == nil
		}
		wait := c.Real(left) + 1 // rounded up: never wake a nanosecond early
		if standing {
			wait = max(wait, time.Millisecond) // or it would ask without a break
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-moved:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}
