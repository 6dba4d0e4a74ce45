// Package client makes one HTTP exchange, and says how one went wrong. It is the portable client,
// over net/http. It does not know steps, retries nothing a user would notice, and follows no redirects:
// a redirect is an answer.
package client

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// Options tunes a Client. The zero value is good for a load test.
type Options struct {
	Idle        int           // connections kept open per host between requests; default 10,000
	IdleTimeout time.Duration // how long one is kept unused; default 90s
	DialTimeout time.Duration // for connecting, and again for the TLS handshake; default 10s
	TLS         *tls.Config   // default: verified against the system's roots
}

// A Client makes exchanges over connections it keeps open. It is an http.RoundTripper for any number
// of goroutines, and speaks HTTP/1.1 only, so that an exchange has a connection of its own.
type Client struct{ transport *http.Transport }

// New returns a client. It connects when the first request is sent.
func New(o Options) *Client {
	if o.Idle <= 0 {
		o.Idle = 10_000
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = 90 * time.Second
	}
	if o.DialTimeout <= 0 {
		o.DialTimeout = 10 * time.Second
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &Client{&http.Transport{
		// It never uses a proxy for localhost and loopback addresses, whatever the environment says.
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: o.DialTimeout}).DialContext,
		TLSClientConfig:       o.TLS,
		TLSHandshakeTimeout:   o.DialTimeout,
		Protocols:             protocols,
		MaxIdleConnsPerHost:   o.Idle, // net/http's own 2 would make a connection per request
		IdleConnTimeout:       o.IdleTimeout,
		DisableCompression:    true, // a script that wants compressed answers asks for them
		ExpectContinueTimeout: time.Second,
		// net/http's own limit is 10 MB, for each of up to 10,000 users. Servers rarely send 8 KiB.
		MaxResponseHeaderBytes: 256 << 10,
	}}
}

// RoundTrip makes one exchange, as http.RoundTripper says. Its errors are for Classify.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) { return c.transport.RoundTrip(r) }

// CloseIdle closes the connections that are not in use. It is called when the run is over.
func (c *Client) CloseIdle() { c.transport.CloseIdleConnections() }
