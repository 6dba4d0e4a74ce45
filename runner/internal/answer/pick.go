package answer

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"loadkms/scenarios"
)

// A pick says which of several results is taken: the one with that index, or one of the following.
type pick int

const (
	anyOne  pick = -1 // whichever the dice say
	lastOne pick = -2
)

// pickOf returns what a capture says about several results. Without a word about it, a JSONPath yields
// any one of them, as in Artillery, and everything else the first.
func pickOf(c scenarios.Capture) (pick, error) {
	switch c.Index {
	case "":
		if c.From == scenarios.JSONPath {
			return anyOne, nil
		}
		return 0, nil
	case "first":
		return 0, nil
	case "last":
		return lastOne, nil
	case "random":
		return anyOne, nil
	}
	n, err := strconv.Atoi(c.Index)
	if err != nil || n < 0 {
		return 0, fmt.Errorf(`index must be a number from 0, "first", "last" or "random", not %q`, c.Index)
	}
	return pick(n), nil
}

// of returns the index of the one of n results that is taken, and false if there is none.
func (p pick) of(n int, dice *rand.Rand) (int, bool) {
	switch {
	case n == 0 || int(p) >= n:
		return 0, false
	case p == lastOne:
		return n - 1, true
	case p != anyOne:
		return int(p), true
	case n == 1:
		return 0, true // the dice are not thrown for nothing
	}
	return dice.IntN(n), true
}
