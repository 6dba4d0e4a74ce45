package scenarios

import (
	"slices"
	"testing"
)

// TestFakerNames checks that the catalog is in order, and that every older name leads into it.
func TestFakerNames(t *testing.T) {
	names := FakerNames()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("the names are not sorted, or one is there twice")
	}
	for _, f := range functions {
		if _, older := olderFakerNames[f.name]; older || slices.Contains(names, f.name) {
			t.Errorf("%s is a function of our own", f.name)
		}
	}
	for older, name := range olderFakerNames {
		if !slices.Contains(names, name) || slices.Contains(names, older) {
			t.Errorf("%s leads to %s", older, name)
		}
	}
}
