package result

import (
	"testing"
	"time"
)

func TestApdex(t *testing.T) {
	for _, c := range []struct {
		name                             string
		satisfied, tolerated, frustrated uint64
		score                            float64
		rank                             string
	}{
		{"nothing", 0, 0, 0, 0, "unacceptable"},
		{"all satisfied", 3, 0, 0, 1, "excellent"},
		{"at the edge of excellent", 94, 0, 6, 0.94, "excellent"},
		{"tolerated counts half", 70, 30, 0, 0.85, "good"},
		{"fair", 70, 0, 30, 0.70, "fair"},
		{"all tolerated", 0, 9, 0, 0.5, "poor"},
		{"at the edge of poor", 49, 0, 51, 0.49, "poor"},
		{"below it", 48, 0, 52, 0.48, "unacceptable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Apdex{Satisfied: c.satisfied, Tolerated: c.tolerated, Frustrated: c.frustrated, Score: 7}.Scored(time.Second)
			if got.Score != c.score || got.Rank() != c.rank || got.Threshold != time.Second {
				t.Errorf("got %+v, %s, want %v, %s", got, got.Rank(), c.score, c.rank)
			}
		})
	}
}
