package stall

import (
	"context"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

const ms, s = time.Millisecond, time.Second

func TestFreezes(t *testing.T) {
	for _, c := range []struct {
		name     string
		at, want time.Duration
	}{
		{"the first request", 0, 0},
		{"just before", 5*s - 1, 0},
		{"as it freezes", 5 * s, 3 * s},
		{"in the middle", 6500 * ms, 1500 * ms},
		{"just before the thaw", 8*s - 1, 1},
		{"at the thaw", 8 * s, 0},
		{"long after", time.Minute, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &Server{From: 5 * s, Until: 8 * s}
				server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
				<-time.After(c.at)
				asked, w := time.Now(), httptest.NewRecorder()
				server.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				if got := time.Since(asked); got != c.want || w.Body.String() != `{"id":1}` {
					t.Errorf("got %q after %v, want an answer after %v", w.Body, got, c.want)
				}
			})
		})
	}
}

func TestGivesUpWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &Server{Until: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), s)
		defer cancel()
		asked, w := time.Now(), httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
		if got := time.Since(asked); got != s || w.Body.Len() > 0 {
			t.Errorf("got %q after %v, want nothing after 1s", w.Body, got)
		}
	})
}

func TestTruth(t *testing.T) {
	server := &Server{From: 5 * s, Until: 8 * s}
	for _, c := range []struct {
		name  string
		q     float64
		rate  float64
		lasts time.Duration
		want  time.Duration
	}{
		{"p95", 0.95, 100, 15 * s, 2250 * ms},
		{"p99", 0.99, 100, 15 * s, 2850 * ms},
		{"the shortest", 0, 100, 15 * s, 0},
		{"the longest", 1, 100, 15 * s, 3 * s},
		{"of most nobody waits", 0.8, 100, 15 * s, 0},
		{"over before it freezes", 1, 100, 5 * s, 0},
		{"nobody", 0.5, 100, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := server.Truth(c.q, c.rate, c.lasts); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
