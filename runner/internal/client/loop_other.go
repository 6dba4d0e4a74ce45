//go:build !linux

package client

import (
	"errors"
	"fmt"
	"time"
)

// flight is what a Loop knows about an exchange. There is none here.
type flight struct{}

// Conns are connections of one virtual user.
type Conns struct{}

// HasLoops reports whether there are event loops on this system.
const HasLoops = false

// A Loop makes exchanges. There is none here: NewLoop says so, and the portable Client takes its place.
type Loop struct{}

// NewLoop returns errors.ErrUnsupported.
func NewLoop(LoopOptions) (*Loop, error) {
	return nil, fmt.Errorf("event loop: %w", errors.ErrUnsupported)
}

// Start panics, as all that follows would: there is no Loop to call it on.
func (l *Loop) Start(*Exchange) { panic(errors.ErrUnsupported) }

// Cancel does nothing: nothing has been started.
func (l *Loop) Cancel(*Exchange) {}

// SetRate does nothing.
func (l *Loop) SetRate(float64) {}

// Turn returns errors.ErrUnsupported.
func (l *Loop) Turn(time.Duration) error { return errors.ErrUnsupported }

// Wake does nothing.
func (l *Loop) Wake() {}

// Release does nothing.
func (l *Loop) Release(*Conns) {}

// Now returns 0.
func (l *Loop) Now() time.Duration { return 0 }

// Stats returns nothing.
func (l *Loop) Stats() LoopStats { return LoopStats{} }

// Close does nothing.
func (l *Loop) Close() error { return nil }
