package main

import (
	"context"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"loadkms/result"
)

// scrape reads a metrics page the way Prometheus does.
func scrape(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// While a run lasts, Prometheus sees its requests, and that a key is broken.
func TestMetrics(t *testing.T) {
	w := newWorld(t)
	p := startRun(t, w, disable, "--metrics", ":0")
	until(t, w, "Disabled")
	found := regexp.MustCompile(`metrics at (http://127\.0\.0\.1:\d+/metrics)`).FindStringSubmatch(p.said(t))
	if found == nil {
		t.Fatalf("no address of the metrics in %q", p.said(t))
	}
	// The run publishes once a second; look until it has published what has happened.
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		families := scrape(t, found[1])
		requests, active := 0.0, 0.0
		for _, m := range families["loadkms_requests_total"].GetMetric() {
			requests += m.GetCounter().GetValue()
		}
		for _, m := range families["loadkms_fault_active"].GetMetric() {
			active += m.GetGauge().GetValue()
		}
		if requests > 0 && active == 1 {
			break
		}
		select {
		case err := <-p.ended:
			t.Fatalf("the run ended with %v\n%s", err, p.said(t))
		default:
		}
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	until(t, w, "Enabled")
}

// A metrics server that nobody asked for, or that a reader hangs on, ends with its run.
func TestMetricsServerEnds(t *testing.T) {
	none, err := serveMetrics("", &result.Feed{})
	if err != nil || none.close() != nil || none.url != "" {
		t.Errorf("no address: got %+v, %v", none, err)
	}
	m, err := serveMetrics(":0", &result.Feed{})
	if err != nil {
		t.Fatal(err)
	}
	if got := scrape(t, m.url); got == nil {
		t.Error("nothing was served before the first snapshot")
	}
	if err := m.close(); err != nil {
		t.Error(err)
	}
}
