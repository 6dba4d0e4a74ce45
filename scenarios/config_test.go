package scenarios

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestConfigOfArtillery reads what config may have besides phases and conditions.
func TestConfigOfArtillery(t *testing.T) {
	src, err := os.ReadFile("testdata/good/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := mustParse(t, "config.yaml", string(src), Options{})
	c := s.Config
	if !c.Phases[0].Poisson {
		t.Error("config.mode is not that of its phases")
	}
	same(t, "http", c.HTTP, HTTP{
		Timeout: 5 * time.Second, Pool: 8, Redirects: 3, Tracing: true, LaxCapture: true, ThinkJitter: Jitter{Share: 0.2},
		SigV4:   &SigV4{Service: "appsync", Region: "us-east-1"},
		Headers: []Header{{Name: "Accept", Value: literal("text/plain")}},
		Cookies: []Field{{Name: "session", Value: Template{Source: "{{ $randomString(8) }}", Parts: []Part{{Call: "$randomString", Args: []string{"8"}}}}}},
	})
	same(t, "tls", c.TLS, TLS{Insecure: true, ServerName: "api.example.com", CA: "ca.pem", Cert: "client.pem", Key: "client.key"})
	same(t, "payloads", c.Payloads, []Payload{
		{Path: "users.csv", Fields: []string{"user", "password"}, Order: SequentialRow, Header: true, Delimiter: ';', Text: true,
			KeepEmpty: true, Comment: '#', FromLine: 3},
		{Path: "items.csv", Fields: []string{"item"}, Delimiter: '\t', Text: true, KeepEmpty: true, Name: "items", All: true},
		{Path: "coupons.csv", Fields: []string{"coupon"}, Order: OnceRow, Delimiter: ','},
	})
	same(t, "variables", c.Variables, []Variable{
		{Name: "kind", Values: []string{"coupons"}, Typed: []any{"coupons"}},
		{Name: "address", Values: []string{`{"home":true,"numbers":[1,2.5,null],"street":"Main St"}`},
			Typed: []any{map[string]any{"street": "Main St", "numbers": []any{int64(1), 2.5, nil}, "home": true}}},
		{Name: "pairs", Values: []string{`["a",1]`, `["b",2]`}, Typed: []any{[]any{"a", int64(1)}, []any{"b", int64(2)}}},
	})
	same(t, "ensure", c.Ensure, []Threshold{
		{Metric: "maxErrorRate", Max: 5, Inclusive: true},
		{Metric: "vusers.session_length.p95", Max: 2000},
		{Metric: "plugins.metrics-by-endpoint.response_time.GET /.p99", Max: 300},
		{Metric: "plugins.metrics-by-endpoint.GET /.codes.503", Max: 1},
		{Metric: "http.codes.500", Max: 1},
		{Metric: "errors.ECONNREFUSED", Max: 1},
	})
	same(t, "conditions", c.Conditions, []Condition{
		{Source: "http.codes.500 == 0 and apdex > 0.9"}, {Source: "http.request_rate > 10", Lax: true}})
	if c.Apdex != 250*time.Millisecond {
		t.Errorf("got apdex %v, want config's own threshold, which the plugin leaves as it is", c.Apdex)
	}
	for i, want := range []int{200, 201} {
		if got := s.Scenarios[0].Flow[i].Expect.Status; len(got) != 1 || got[0] != want {
			t.Errorf("step %d expects %v, want %d", i, got, want)
		}
	}
	var notes []string
	for _, n := range s.Notes {
		notes = append(notes, n.Text)
	}
	all := strings.Join(notes, "\n")
	for _, part := range []string{"extendedMetrics has", "maxSockets has", "cookieJarOptions has", "traceIdPrefix has", "statsInterval has",
		"pluginsScope has", "includeFiles has", "bundling has", "stripQueryString has"} {
		if strings.Count(all, part) != 1 {
			t.Errorf("got %d notes that say %q, want one, in\n%s", strings.Count(all, part), part, all)
		}
	}
	if len(notes) != 9 {
		t.Errorf("got %d notes, want 9:\n%s", len(notes), all)
	}
}

// TestShortForms reads what may be written in fewer words, and in Artillery's older ones.
func TestShortForms(t *testing.T) {
	for _, c := range []struct {
		name, config string
		want         func(*Config) bool
	}{
		{"payload that is no list", "payload: {path: a.csv, fields: [a]}", func(c *Config) bool { return len(c.Payloads) == 1 && c.Payloads[0].Path == "a.csv" }},
		{"older timeout", "timeout: 7", func(c *Config) bool { return c.HTTP.Timeout == 7*time.Second }},
		{"older defaults", "defaults: {headers: {a: b}}", func(c *Config) bool { return len(c.HTTP.Headers) == 1 }},
		{"signature", "http: {awsSigV4: true}", func(c *Config) bool { return c.HTTP.SigV4.Service == "execute-api" && c.HTTP.SigV4.Region == "" }},
		{"no signature", "http: {awsSigV4: false}", func(c *Config) bool { return c.HTTP.SigV4 == nil }},
		{"traces", "http: {distributedTracing: true}", func(c *Config) bool { return c.HTTP.Tracing }},
		{"no traces", "http: {distributedTracing: {enabled: false}}", func(c *Config) bool { return !c.HTTP.Tracing }},
		{"HTTP/2", "http: {version: 2}", func(c *Config) bool { return c.HTTP.Version == HTTP2 }},
		{"HTTP/1.1", "http: {version: 1.1}", func(c *Config) bool { return c.HTTP.Version == HTTP1 }},
		{"own connections", "http: {ownConnection: true, quantum: 2ms}", func(c *Config) bool { return c.HTTP.OwnConnection && c.HTTP.Quantum == 2*time.Millisecond }},
		{"jitter in milliseconds", "http: {defaults: {think: {jitter: 150}}}", func(c *Config) bool { return c.HTTP.ThinkJitter == Jitter{Most: 150 * time.Millisecond} }},
		{"jitter with a unit", "http: {defaults: {think: {jitter: 1s}}}", func(c *Config) bool { return c.HTTP.ThinkJitter == Jitter{Most: time.Second} }},
		{"captures are strict", "http: {defaults: {strictCapture: true}}", func(c *Config) bool { return !c.HTTP.LaxCapture }},
		{"apdex", "apdex:", func(c *Config) bool { return c.Apdex == 500*time.Millisecond }},
		{"apdex as a plugin", "plugins: {apdex: {threshold: 1s}}", func(c *Config) bool { return c.Apdex == time.Second }},
		{"no apdex", "plugins: {expect: }", func(c *Config) bool { return c.Apdex == 0 }},
		{"a text that is true", `tls: {rejectUnauthorized: "false"}`, func(c *Config) bool { return c.TLS.Insecure }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustParse(t, "x.yaml", script("  phases: [{duration: 1, arrivalRate: 1}]\n  "+c.config+"\n"), Options{})
			if !c.want(&s.Config) {
				t.Errorf("got %+v", s.Config)
			}
			if len(s.Notes) > 0 {
				t.Errorf("got notes %v, want none", s.Notes)
			}
		})
	}
}
