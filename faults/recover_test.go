package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{states: map[string]string{"first": "broken", "changed": "theirs", "refused": "broken", "back": "fine", "last": "broken"}}
		c.restore = nil
		j := &memory{}
		for _, id := range []string{"first", "changed", "refused", "unknown", "sandboxed", "back", "last", "renamed"} {
			e := Entry{ID: id, Prior: State("fine"), Run: "a.yaml", ByHand: "aws fix " + id, Embedded: id == "sandboxed"}
			if err := j.Open(e); err != nil {
				t.Fatal(err)
			}
		}
		var order, notes []string
		lookup := func(e Entry) (Target, error) {
			switch e.ID {
			case "unknown":
				return nil, errAccess
			case "sandboxed":
				t.Error("a target of an embedded sandbox was looked up")
			case "renamed":
				return &thing{cloud: c, id: "other"}, nil
			}
			target := &thing{cloud: c, id: e.ID}
			if e.ID == "refused" {
				cc := &cloud{states: map[string]string{"refused": "broken"}, restore: func(int) (bool, error) { return false, errAccess }}
				target.cloud = cc
			}
			return target, nil
		}
		options := RecoverOptions{
			Notify: func(e Entry, at Station, err error) {
				if at == Restoring || at == Settled || at == Stuck {
					order = append(order, e.ID+" "+stationNames[at])
				}
				if (at == Stuck) != (err != nil) {
					t.Errorf("%s %s with error %v", e.ID, stationNames[at], err)
				}
			},
			Note: func(e Entry, note string) { notes = append(notes, e.ID+": "+note) },
		}
		for again := range 2 {
			order, notes = nil, nil
			err := Recover(t.Context(), j, lookup, options)
			if got, want := pendingIDs(t, j), "firstchangedrefusedunknownsandboxedbacklastrenamed"; len(got) >= len(want) {
				t.Errorf("still pending: %s", got)
			}
			want := "renamed stuck · last restoring · last settled · back restoring · back settled · unknown stuck · " +
				"refused restoring · refused stuck · changed restoring · changed stuck · first restoring · first settled"
			if again == 1 { // what is restored is left alone, what is stuck is tried again
				want = "renamed stuck · unknown stuck · refused restoring · refused stuck · changed restoring · changed stuck"
			}
			if got := strings.Join(order, " · "); got != want {
				t.Errorf("order\n %s, want\n %s", got, want)
			}
			for _, want := range []error{ErrStuck, ErrChanged, errAccess} {
				if !errors.Is(err, want) {
					t.Errorf("error %v is not %v", err, want)
				}
			}
			var hands []string
			for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
				var stuck *StuckError
				if errors.As(err, &stuck) {
					hands = append(hands, stuck.ByHand)
				}
			}
			if got, want := strings.Join(hands, " · "), "aws fix renamed · aws fix unknown · set refused fine · set changed fine"; got != want {
				t.Errorf("by hand %q, want %q", got, want)
			}
			if got, want := len(notes), 1-again; got != want || want == 1 && !strings.Contains(notes[0], "sandboxed: it was part of the embedded sandbox of a.yaml") {
				t.Errorf("notes %q", notes)
			}
		}
		if got, want := fmt.Sprint(c.states), "map[back:fine changed:theirs first:fine last:fine refused:broken]"; got != want {
			t.Errorf("left %s, want %s", got, want)
		}
	})
}

func TestRecoverOfNothing(t *testing.T) {
	if err := Recover(t.Context(), &memory{}, nil, RecoverOptions{}); err != nil {
		t.Error(err)
	}
}

// Recover belongs to a person, who may stop it: that leaves the entry.
func TestRecoverInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, c := &memory{entries: []Entry{{ID: "key", Prior: State("fine")}}}, newThing()
		c.set("broken")
		c.restore = func(int) (bool, error) { return false, errAccess }
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := Recover(ctx, j, func(Entry) (Target, error) { return c, nil }, RecoverOptions{})
		if !errors.Is(err, ErrStuck) || !errors.Is(err, errAccess) || len(j.entries) != 1 {
			t.Errorf("error %v, %d entries", err, len(j.entries))
		}
	})
}
