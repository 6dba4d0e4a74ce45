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

	mu      sync.Mutex    // guards the two fields below, for nanoseconds
	skipped time.Duration // sandbox time added by Advance
	moved   chan struct{} // closed and replaced by Advance, to wake sleepers
}

// New returns a clock that now shows the present time and runs speed times as fast as it; a speed of
// 0 means 1.
func New(speed float64) *Clock {
	if speed <= 0 {
		speed = 1
	}
	return &Clock{began: time.Now(), speed: speed, moved: make(chan struct{})}
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
	return c.began.Add(time.Duration(float64(time.Since(c.began))*c.speed) + c.skipped)
}

// Advance moves the sandbox time forward by d at once. It is meant for tests.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skipped += d
	close(c.moved)
	c.moved = make(chan struct{})
}

// Sleep waits until d of sandbox time has passed or ctx is done, and reports whether the time has
// passed.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) bool {
	until := c.Now().Add(d)
	for {
		c.mu.Lock()
		left, moved := until.Sub(c.now()), c.moved
		c.mu.Unlock()
		if left <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(c.Real(left) + 1) // rounded up: never wake a nanosecond early
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
