// Package faults breaks things on purpose and puts them back.
package faults

import (
	"context"
	"time"
)

// A Bracket injects faults: whatever it breaks, it puts back.
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

// Inject breaks t, calls during, and restores t before it returns.
func (b Bracket) Inject(ctx context.Context, t Target, during func(context.Context) error) error {
	panic("not built yet")
}
