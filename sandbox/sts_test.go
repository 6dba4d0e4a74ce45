package sandbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
)

func newTokens() *tokens {
	return &tokens{clock: clock.New(1), directory: iam.NewDirectory("123456789012"), ends: map[string]time.Time{}}
}

// TestTokensAreBounded fills the table with live credentials, and looks that only those whose time is over
// make place.
func TestTokensAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTokens()
		issue := func(lifetime time.Duration) (string, error) {
			out, err := s.issue(s.directory.Session("r", "s"), lifetime)
			if err != nil {
				return "", err
			}
			return out.AccessKeyId, nil
		}
		full := func() {
			t.Helper()
			var refusal *queryError
			if _, err := issue(time.Hour); !errors.As(err, &refusal) || refusal.code != "Throttling" {
				t.Fatalf("with %d live credentials the error is %v, want Throttling", len(s.ends), err)
			}
		}
		var long, short []string
		for i := range maxTokens {
			lifetime, keys := time.Hour, &long
			if i%100 == 0 {
				lifetime, keys = 15*time.Minute, &short
			}
			key, err := issue(lifetime)
			if err != nil {
				t.Fatalf("credentials %d: %v", i, err)
			}
			*keys = append(*keys, key)
		}
		full()
		time.Sleep(15*time.Minute - time.Nanosecond)
		full()
		if s.expired(short[0]) {
			t.Error("credentials are over a moment too early")
		}
		time.Sleep(time.Nanosecond)
		if !s.expired(short[0]) || s.expired(long[0]) {
			t.Error("credentials are over at another time than they say")
		}
		for range short {
			if _, err := issue(15 * time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		full()
		for _, key := range short { // they are forgotten, and yet refused
			if _, known := s.ends[key]; known || !s.expired(key) || s.directory.Caller(key) != (iam.Caller{}) {
				t.Fatalf("%s is known %v, calls as %+v", key, known, s.directory.Caller(key))
			}
		}
		for _, key := range long {
			if s.expired(key) {
				t.Fatal("live credentials were taken away")
			}
		}
		time.Sleep(time.Hour)
		if _, err := issue(time.Hour); err != nil {
			t.Fatal(err)
		}
		if len(s.ends) != 1 || len(s.oldest) != 1 {
			t.Errorf("%d and %d credentials are kept, want 1", len(s.ends), len(s.oldest))
		}
	})
}

// TestTokensLiveAsLongAsTheySay issues and expires at random.
func TestTokensLiveAsLongAsTheySay(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		s := newTokens()
		ends, callers := map[string]time.Time{}, map[string]iam.Caller{}
		for i := range 400 {
			lifetime, c := time.Duration(r.IntN(100))*time.Minute, s.directory.Session("r", fmt.Sprint("s", i))
			out, err := s.issue(c, lifetime)
			if err != nil {
				t.Fatal(err)
			}
			ends[out.AccessKeyId], callers[out.AccessKeyId] = time.Now().Add(lifetime), c
			time.Sleep(time.Duration(r.IntN(120)) * time.Second)
			for key, end := range ends {
				over := !time.Now().Before(end)
				if got := s.expired(key); got != over {
					t.Fatalf("seed %d: expired is %v, want %v", seed, got, over)
				}
				if got := s.directory.Caller(key); !over && got != callers[key] {
					t.Fatalf("seed %d: live credentials call as %+v", seed, got)
				}
			}
		}
	})
}
