package faults

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestGuard(t *testing.T) {
	boom := errors.New("recovered")
	for _, tt := range []struct {
		name, in string
		fails    int   // how many recoveries fail
		with     error // and how
		recovers int   // how many there are
		want     error
		took     time.Duration
	}{
		{name: "done", in: "done\n"},
		{name: "dead at once", in: "", recovers: 1},
		{name: "dead while saying done", in: "done", recovers: 1},
		{name: "dead in the middle of it", in: "don", recovers: 1},
		{name: "another word", in: "dead\n", recovers: 1},
		{name: "another word, then done", in: "well\ndone\n", recovers: 1},
		{name: "an endless line", in: strings.Repeat("d", 1<<20), recovers: 1},
		{name: "recovers in the end", fails: 3, with: boom, recovers: 4, took: 7 * time.Second},
		{name: "never recovers", fails: 99, with: boom, recovers: 8, want: boom, took: 127 * time.Second},
		{name: "changed by somebody else", fails: 99, with: &StuckError{Err: ErrChanged}, recovers: 1, want: ErrChanged},
		{name: "two were", fails: 99, with: errors.Join(&StuckError{Err: ErrChanged}, &StuckError{Err: ErrChanged}), recovers: 1, want: ErrChanged},
		{name: "one of two was", fails: 99, with: errors.Join(&StuckError{Err: ErrChanged}, boom), recovers: 8, want: boom, took: 127 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, recovers := time.Now(), 0
				err := Guard(strings.NewReader(tt.in), func() error {
					if recovers++; recovers <= tt.fails {
						return tt.with
					}
					return nil
				})
				if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
				if recovers != tt.recovers {
					t.Errorf("recovered %d times, want %d", recovers, tt.recovers)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

func TestStartGuardThatIsNotThere(t *testing.T) {
	if _, err := StartGuard(filepath.Join(t.TempDir(), "nothing"), nil, os.Stderr); err == nil || !strings.HasPrefix(err.Error(), "start the guard: ") {
		t.Errorf("error %v", err)
	}
}
