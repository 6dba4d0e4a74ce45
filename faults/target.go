package faults

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// A State is what a target looked like, in a form only the target understands. Two observations of
// an unchanged target are equal byte for byte.
type State []byte

// A Target is the one thing a fault changes.
type Target interface {
	// ID names the target, account and region included. Two faults with the same ID never overlap.
	ID() string
	// Observe reads the current state.
	Observe(context.Context) (State, error)
	// Break changes the target. An error does not mean that nothing changed.
	Break(context.Context) error
	// Restore sets the target to prior, whatever state it is in now. Restoring a target that is
	// already in that state succeeds and changes nothing. It returns ErrChanged, and changes
	// nothing, if somebody else has set the target to a state neither prior nor ours.
	Restore(ctx context.Context, prior State) error
	// ByHand returns the command line that restores prior, for a person at 3 a.m.
	ByHand(prior State) string
	// Spec returns what it takes to make this target again in another process, without secrets.
	Spec() json.RawMessage
}

// A Witness is a Target that can also say, in one sentence, what the systems that depend on it make
// of its present state ("ledger x: KMS_KEY_INACCESSIBLE since …").
type Witness interface {
	Witness(context.Context) (string, error)
}

// Slow is a Target whose changes are carried out in the background, after they were accepted. Its
// Observe must not show the prior state before that work is done.
type Slow interface {
	// UnderWay returns how long the change that shows in now, just observed, may take at most until
	// the target is in a state at rest; 0 means that it is at rest. While it is under way, the budget
	// of a restore starts anew with every look, but the restore ends after that time in all.
	UnderWay(now, prior State) time.Duration
}

// Outside is a Target that is not part of an embedded sandbox, whatever the run's other targets are: its
// entries in the journal outlive the process.
type Outside interface {
	Target
	Outside()
}

// A OneWay is a Target that nothing brings back, and that need not be: it is observed and broken, with no
// rehearsal and no journal, and Restore is never called. Whoever makes one has asked the user.
type OneWay interface {
	Target
	OneWay()
}

// Needy is a Target that cannot be restored while certain others are broken, so that they never overlap.
type Needy interface {
	Target
	Needs() []string // the others' IDs
}

// Collide reports whether two targets must not be broken at the same time: they are the same one, or
// one of them needs the other.
func Collide(a, b Target) bool {
	needs := func(a, b Target) bool {
		n, is := a.(Needy)
		return is && slices.Contains(n.Needs(), b.ID())
	}
	return a.ID() == b.ID() || needs(a, b) || needs(b, a)
}

// A Journal remembers, across crashes, what has to be put back.
type Journal interface {
	Open(Entry) error          // durable before it returns
	Close(id string) error     // forgets the entry with this target's ID
	Pending() ([]Entry, error) // oldest first
}

var (
	// ErrNoWayBack means that the rehearsal of the restore failed; nothing was broken.
	ErrNoWayBack = errors.New("no way back, so nothing was broken")
	// ErrChanged means that somebody else changed the target meanwhile; it was left as they set it.
	ErrChanged = errors.New("changed by somebody else meanwhile")
	// ErrStuck means that something is still broken.
	ErrStuck = errors.New("still broken")
)
