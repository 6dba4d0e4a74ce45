package faults

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// RecoverOptions tunes Recover. The zero value is fine.
type RecoverOptions struct {
	Settle time.Duration // how long restored must stay restored; 0 means 15s
	Budget time.Duration // for each entry; 0 means 2 minutes
	// Notify is told of every station an entry passes on its way back, from Restoring on; nil means
	// nobody. It is called from Recover's goroutine.
	Notify func(e Entry, at Station, detail error)
	// Note is told, in one sentence, of each entry that was closed without restoring anything; nil
	// means nobody.
	Note func(e Entry, note string)
}

// Recover restores everything that an earlier process left broken: the last broken first, verified
// and settled as Inject does it. It goes on after an entry that cannot be restored, which stays in
// the journal, and may be called again, by anybody who holds the journal, as often as it takes.
//
// Lookup makes an entry's target again from its Spec. It is not asked for entries of an embedded
// sandbox: that died with its process, and such an entry is closed with a note.
//
// The error joins one *[StuckError] for each entry that is still broken.
func Recover(ctx context.Context, j Journal, lookup func(Entry) (Target, error), o RecoverOptions) error {
	pending, err := j.Pending()
	if err != nil {
		return err
	}
	var errs []error
	for i := len(pending) - 1; i >= 0; i-- {
		errs = append(errs, recoverEntry(ctx, j, pending[i], lookup, o))
	}
	return errors.Join(errs...)
}

func recoverEntry(ctx context.Context, j Journal, e Entry, lookup func(Entry) (Target, error), o RecoverOptions) error {
	notify := func(at Station, detail error) {
		if o.Notify != nil {
			o.Notify(e, at, detail)
		}
	}
	if e.Embedded {
		if err := j.Close(e.ID); err != nil {
			return fmt.Errorf("close entry of %s: %w", e.ID, err)
		}
		if o.Note != nil {
			o.Note(e, "it was part of the embedded sandbox of "+e.Run+", which is gone: nothing to restore")
		}
		return nil
	}
	t, err := lookup(e)
	if err == nil && t.ID() != e.ID {
		err = fmt.Errorf("its entry describes %s instead", t.ID())
	}
	if err != nil {
		stuck := &StuckError{ID: e.ID, ByHand: e.ByHand, Err: err}
		notify(Stuck, stuck)
		return stuck
	}
	return newPass(j, t, o.Settle, o.Budget, notify).restore(ctx, e.Prior)
}
