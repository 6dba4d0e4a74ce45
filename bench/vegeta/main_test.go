package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAttack(t *testing.T) {
	var asked atomic.Uint64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1)%10 == 0 {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer server.Close()
	for _, c := range []struct {
		name string
		args []string
		open bool
	}{
		{"open loop", []string{"-rate=200", "-lasts=500ms"}, true},
		{"closed loop", []string{"-workers=4", "-lasts=100ms", "-local=127.0.0.1"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked.Store(0)
			var out bytes.Buffer
			if err := attack(append(c.args, "-url="+server.URL), &out); err != nil {
				t.Fatal(err)
			}
			var r report
			if err := json.Unmarshal(out.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			n := asked.Load()
			if r.Requests != n || n == 0 || r.Good != n-n/10 || n >= 10 && !strings.Contains(r.Error, "418") {
				t.Errorf("got %+v of %d requests", r, n)
			}
			if c.open && (n < 90 || n > 101) {
				t.Errorf("got %d requests, want about 100", n)
			}
			if (r.Lateness.Max > 0) != c.open || r.Latency.P50 <= 0 || r.Latency.Max < r.Latency.P50 || r.Took < 90*time.Millisecond {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestAttackOnNothing(t *testing.T) {
	for _, args := range [][]string{{}, {"-url=http://127.0.0.1", "-local=nowhere"}, {"-rate=fast"}} {
		if err := attack(args, new(bytes.Buffer)); err == nil {
			t.Errorf("%q: got no error", args)
		}
	}
}
