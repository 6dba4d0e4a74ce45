package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"loadkms/reporters"
	"loadkms/result"
)

// A metricsServer lets Prometheus look at a run. The zero value serves nothing.
type metricsServer struct {
	url    string
	server *http.Server
	served chan error
}

// serveMetrics serves feed at addr until close; an empty addr serves nothing. An addr without a host
// means loopback.
func serveMetrics(addr string, feed *result.Feed) (*metricsServer, error) {
	if addr == "" {
		return &metricsServer{}, nil
	}
	if strings.HasPrefix(addr, ":") {
		addr = "127.0.0.1" + addr
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, hint(usage("serve metrics: %w", err), "name another address with --metrics, such as :0 for any free port")
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(reporters.Collector(feed))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	m := &metricsServer{
		url:    "http://" + listener.Addr().String() + "/metrics",
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second},
		served: make(chan error, 1),
	}
	go func() { m.served <- m.server.Serve(listener) }()
	return m, nil
}

// close stops serving and waits for it. A scraper that never reads is cut off after a second.
func (m *metricsServer) close() error {
	if m.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := m.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = m.server.Close()
	}
	if served := <-m.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
