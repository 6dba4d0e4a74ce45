package main

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever a client holds, the search finds it to a tenth, and asks for little that it does not hold.
func TestSearch(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		limit, from := 1+rng.IntN(200_000), 1+rng.IntN(4000)
		tried, failed := 0, 0
		search := search{from: from}
		err := search.run(1.1, func(rate int) (string, outcome, error) {
			if tried++; rate > limit {
				failed++
				return "too fast", outcome{}, nil
			}
			return "", outcome{good: uint64(rate)}, nil
		})
		if err != nil {
			t.Fatalf("seed %d: %d from %d: %v", seed, limit, from, err)
		}
		// Two digits are kept, so that a small rate is found to one or two.
		if search.rate > limit || search.next <= limit || float64(search.next) > max(1.1*float64(search.rate), float64(search.rate+1)) {
			t.Fatalf("seed %d: %d from %d: holds %d and not %d", seed, limit, from, search.rate, search.next)
		}
		if search.at.good != uint64(search.rate) || search.beyond != "too fast" {
			t.Fatalf("seed %d: got figures of another rate: %+v", seed, search)
		}
		if tried > 40 {
			t.Fatalf("seed %d: %d from %d: tried %d rates", seed, limit, from, tried)
		}
	}
}

func TestSearchInVain(t *testing.T) {
	none := search{from: 64}
	if err := none.run(1.1, func(int) (string, outcome, error) { return "dropped 1", outcome{}, nil }); err == nil || none.rate != 0 {
		t.Errorf("got %d/s and %v, want an error", none.rate, err)
	}
	broken := errors.New("broken")
	if err := none.run(1.1, func(int) (string, outcome, error) { return "", outcome{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	all := search{from: 64}
	if err := all.run(1.1, func(int) (string, outcome, error) { return "", outcome{}, nil }); err != nil || all.rate != tooFast/2 {
		t.Errorf("got %d/s and %v, want %d/s", all.rate, err, tooFast/2)
	}
}
