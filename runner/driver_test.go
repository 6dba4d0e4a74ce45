package runner

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// TestProtocols runs a script against real servers: every request, those before and after the load included, speaks
// the HTTP that was asked for and carries a signature.
func TestProtocols(t *testing.T) {
	for _, c := range []struct {
		name    string
		secure  bool
		version scenarios.HTTPVersion
		want    string
	}{
		{"HTTP/1.1", false, scenarios.HTTP1, "HTTP/1.1"},
		{"HTTP/1.1 over TLS", true, scenarios.HTTP1, "HTTP/1.1"},
		{"HTTP/2", false, scenarios.HTTP2, "HTTP/2.0"},
		{"HTTP/2 over TLS", true, scenarios.HTTP2, "HTTP/2.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var asked []string
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, fmt.Sprintf("%s %s %s", r.URL.Path, r.Proto, r.Header.Get("Authorization")))
			}))
			server.EnableHTTP2 = true
			protocols := new(http.Protocols)
			protocols.SetHTTP1(true)
			protocols.SetHTTP2(true)
			protocols.SetUnencryptedHTTP2(true)
			server.Config.Protocols = protocols
			if c.secure {
				server.StartTLS()
			} else {
				server.Start()
			}
			defer server.Close()

			s := script()
			s.Config.Phases = []scenarios.Phase{{Duration: 200 * time.Millisecond, From: 20, To: 20, Scenario: -1}}
			s.Config.HTTP.Version, s.Config.HTTP.Timeout = c.version, 10*time.Second
			if c.secure {
				s.Config.TLS.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
			}
			body := scenarios.Template{Source: "abc", Parts: []scenarios.Part{{Text: "abc"}}}
			load := request("/load")
			load.Method, load.Body, load.HasBody = "POST", body, true
			s.Before, s.After, s.Scenarios[0].Flow = []scenarios.Step{request("/before")}, []scenarios.Step{request("/after")}, []scenarios.Step{load}
			run, err := Run(t.Context(), Options{Script: s, Target: server.URL, Sign: func(r *http.Request, body []byte, _ time.Time) error {
				r.Header.Set("Authorization", fmt.Sprintf("%s %q", r.URL.Path, body))
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			if ok := run.Steps[0].Classes[result.OK]; ok != 4 {
				t.Errorf("got %d good answers, want 4: %v", ok, run.Steps[0].Classes)
			}
			want := []string{"/before " + c.want + ` /before ""`}
			want = append(want, slices.Repeat([]string{"/load " + c.want + ` /load "abc"`}, 4)...)
			want = append(want, "/after "+c.want+` /after ""`)
			if !slices.Equal(asked, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// What cannot be signed is not sent, and is none of the server's failures.
func TestWhatCannotBeSignedIsNotSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer server.Close()
	for _, version := range []scenarios.HTTPVersion{scenarios.HTTP1, scenarios.HTTP2} {
		s := script()
		s.Config.Phases = []scenarios.Phase{{Duration: 100 * time.Millisecond, From: 20, To: 20, Scenario: -1}}
		s.Config.HTTP.Version = version
		run, err := Run(t.Context(), Options{Script: s, Target: server.URL,
			Sign: func(*http.Request, []byte, time.Time) error { return errors.New("the credentials have ended") }})
		if err != nil {
			t.Fatal(err)
		}
		if n := run.Steps[0].Classes[result.CaptureFailed]; n != 2 {
			t.Errorf("version %d: got classes %v, want 2 requests that were not made", version, run.Steps[0].Classes)
		}
	}
}
