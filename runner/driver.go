package runner

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"loadkms/runner/internal/client"
	"loadkms/runner/internal/flow"
	"loadkms/scenarios"
)

// newDriver makes what fires the load, and what plays the flows before and after it. It returns what to call
// when the last request has ended. Event loops are the rule; where there are none, for HTTP/2, and for a target
// behind a proxy it is the portable driver.
func (c *conductor) newDriver() (release func()) {
	config := &c.o.Script.Config
	c.driver = &flow.Driver{
		Program: c.program, Recorder: c.recorder, Records: c.records, Metrics: c.recorder,
		MaxUsers: config.MaxUsers, PhaseUsers: c.plan.users, Timeout: config.HTTP.Timeout, Drain: config.Drain, Begun: c.loadEnded,
		Pool: config.HTTP.Pool, OwnConnections: config.HTTP.OwnConnection, Quantum: config.HTTP.Quantum,
		TLS: c.secure, Sign: c.o.Sign,
	}
	c.aside, release = c.o.Transport, func() {}
	if c.aside == nil {
		two := config.HTTP.Version == scenarios.HTTP2
		portable := client.New(client.Options{
			DialTimeout: config.HTTP.Timeout, TLS: c.secure, MostConns: config.HTTP.Pool,
			HTTP2: two && c.target.Scheme == "https", H2C: two && c.target.Scheme == "http",
		})
		c.aside, release = portable, portable.CloseIdle
	}
	if c.o.Sign != nil {
		c.aside = signing{c.aside, c.o.Sign}
	}
	if c.o.Transport != nil || config.HTTP.Version == scenarios.HTTP2 || c.proxied() || !client.HasLoops {
		c.driver.Transport = c.aside
	}
	return release
}

// proxied reports whether the environment names a proxy for the target.
func (c *conductor) proxied() bool {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: c.target})
	return proxy != nil || err != nil
}

// secure returns how secure connections are made; nil means as always.
func secure(s *scenarios.Script) (*tls.Config, error) {
	t := &s.Config.TLS
	config := &tls.Config{InsecureSkipVerify: t.Insecure, ServerName: t.ServerName, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	read := func(name string) ([]byte, error) {
		if strings.HasPrefix(strings.TrimSpace(name), "-----BEGIN") {
			return []byte(name), nil
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(s.File), name)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("config.tls: %w (%s)", err, t.Pos)
		}
		return b, nil
	}
	if t.CA != "" {
		pem, err := read(t.CA)
		if err != nil {
			return nil, err
		}
		if config.RootCAs = x509.NewCertPool(); !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("config.tls: %s holds no certificate (%s)", t.CA, t.Pos)
		}
	}
	if t.Cert != "" || t.Key != "" {
		cert, err1 := read(t.Cert)
		key, err2 := read(t.Key)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("config.tls: read the client's certificate: %w (%s)", err, t.Pos)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
