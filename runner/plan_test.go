package runner

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/measure"
	"loadkms/scenarios"
)

// tracked returns a script whose second scenario has phases of its own beside the script's.
func tracked() *scenarios.Script {
	sc := script()
	write := sc.Scenarios[0]
	write.Name = "create record"
	write.Flow = slices.Clone(write.Flow)
	write.Flow[0].Name, write.Flow[0].Method = "POST /record", "POST"
	write.Phases = []scenarios.Phase{
		{Name: "bursts", Duration: 4 * s, Every: s, Burst: 3, Scenario: -1},
		{Name: "trickle", Duration: 8 * s, From: 5, To: 10, Poisson: true, Scenario: -1, MaxUsers: 7},
	}
	sc.Scenarios = append(sc.Scenarios, write)
	sc.Config.Phases = []scenarios.Phase{
		{Name: "warm up", Duration: 2 * s, From: 0, To: 20, Scenario: -1},
		{Name: "steady", Duration: 8 * s, From: 20, To: 20, Scenario: -1},
	}
	return sc
}

func TestPlanOfTracks(t *testing.T) {
	p, err := newPlan(Options{Script: tracked()})
	if err != nil {
		t.Fatal(err)
	}
	var phases []string
	for _, f := range p.phases {
		phases = append(phases, strings.Join([]string{f.Scenario, f.Name, f.From.String(), f.To.String()}, "|"))
	}
	if want := []string{"|warm up|0s|2s", "|steady|2s|10s", "create record|bursts|0s|4s", "create record|trickle|4s|12s"}; !slices.Equal(phases, want) {
		t.Errorf("got %q, want %q", phases, want)
	}
	if p.end != 12*s || !slices.Equal(p.users, []int{0, 0, 0, 7}) || len(p.tracks) != 2 {
		t.Errorf("got an end at %v, users %v, %d tracks", p.end, p.users, len(p.tracks))
	}
	if got := p.tracks[1][1]; got != (arrival.Phase{Duration: 8 * s, From: 5, To: 10, Poisson: true}) {
		t.Errorf("got %+v", got)
	}
	for _, c := range []struct {
		at   time.Duration
		name string
		rate float64
	}{
		{0, "warm up + bursts", 3},
		{s, "warm up + bursts", 13},
		{3 * s, "steady + bursts", 23},
		{8 * s, "steady + trickle", 27.5},
		{11 * s, "trickle", 9.375},
		{12 * s, "", 0},
	} {
		if name, rate := p.phase(c.at); name != c.name || rate != c.rate {
			t.Errorf("at %v: got %q and %v, want %q and %v", c.at, name, rate, c.name, c.rate)
		}
	}

	many := script()
	many.Config.Phases = make([]scenarios.Phase, measure.MostPhases+1)
	if _, err := newPlan(Options{Script: many}); err == nil || !strings.Contains(err.Error(), "32769 phases") {
		t.Errorf("got %v", err)
	}
}

// Tracks run side by side, each with its own scenario, and every arrival counts in its own phase.
func TestTracks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(tracked())
		got := run(t, t.Context(), w)
		p, err := newPlan(w.options)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]uint64, len(p.phases))
		for a := range arrival.Schedule(w.options.Seed, p.tracks...) {
			want[a.Phase]++
		}
		if want[0] != 20 || want[1] != 160 || want[2] != 12 || want[3] < 30 || want[3] > 90 {
			t.Errorf("the schedule has %v arrivals", want)
		}
		var own uint64
		for i, f := range got.Phases {
			if f.Due != want[i] || f.Dropped != 0 {
				t.Errorf("phase %d: got %d due and %d dropped, want %d", i, f.Due, f.Dropped, want[i])
			}
			if f.Scenario != "" {
				own += f.Due
			}
		}
		for i, n := range []uint64{got.Generator.Due - own, own} {
			if c := got.Steps[i].Classes.Total(); c != n {
				t.Errorf("%s: got %d requests, want %d", got.Steps[i].Name, c, n)
			}
		}
		var began []string
		for _, e := range got.Events {
			if e.Kind == result.PhaseBegan {
				began = append(began, e.Detail)
			}
		}
		if want := []string{"warm up", "bursts", "steady", "trickle"}; !slices.Equal(began, want) {
			t.Errorf("phases began as %q, want %q", began, want)
		}
		if got.Took < 12*s {
			t.Errorf("it took %v", got.Took)
		}
	})
}
