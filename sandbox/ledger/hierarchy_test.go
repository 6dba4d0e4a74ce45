package ledger

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/sandbox/iam"
)

// turning is a KMS in whose ReEncrypt something happens first, once.
type turning struct {
	Keys
	turn func()
}

func (k *turning) ReEncrypt(ctx context.Context, c iam.Caller, sealed []byte, ec map[string]string, to string) ([]byte, error) {
	if turn := k.turn; turn != nil {
		k.turn = nil
		turn()
	}
	return k.Keys.ReEncrypt(ctx, c, sealed, ec, to)
}

// A change that makes place for another while KMS is asked about its target, which the ledger then may
// not use any more, is no reason to be inaccessible. TestHistoriesAreLinearizable met it by chance.
func TestChangeThatIsTakenBackWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.T = t
		connect(t, b.Service, role, "records").must("INSERT INTO Test {'id': 1}") // a node to be sealed again
		h := b.ledgers["records"].keys
		h.keys = &turning{Keys: h.keys, turn: func() { h.begin(arn("main"), time.Time{}) }}
		h.begin(arn("rotate"), time.Time{}) // without a grant, as if it had been given back
		a, err := h.ask(ctx, true)
		if err != nil {
			t.Fatal(err)
		}
		if a.open == nil {
			t.Errorf("the ledger is inaccessible: %v", a.refusal)
		}
		// A refusal of what the ledger does need still counts.
		h.begin(arn("rotate"), time.Time{})
		if a, err = h.ask(ctx, true); err != nil || a.open != nil {
			t.Errorf("got %+v, %v; want a refusal", a, err)
		}
	})
}
