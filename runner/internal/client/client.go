// Package client makes HTTP exchanges, and says how one went wrong. It has two ways: Loop, an event loop
// for HTTP/1.1 on Linux that allocates nothing, and Client, over net/http, for HTTP/2, proxies and other
// systems. It does not know steps, retries nothing a user would notice, and follows no redirects: a
// redirect is an answer.
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
	MostConns   int           // connections per host; who needs more waits; 0: no bound
	IdleTimeout time.Duration // how long one is kept unused; default 90s
	DialTimeout time.Duration // for connecting, and again for the TLS handshake; default 10s
	TLS         *tls.Config   // default: verified against the system's roots; cloned

	// HTTP2 makes https speak HTTP/2 where the server offers it. H2C makes http speak HTTP/2 without
	// asking, and https nothing else. Otherwise an exchange has a connection of its own.
	HTTP2, H2C bool

	// Direct makes it use no proxy. Otherwise the environment says which (HTTP_PROXY, HTTPS_PROXY,
	// NO_PROXY); localhost and loopback addresses are never asked through one.
	Direct bool
}

// A Client makes exchanges over connections it keeps open. It is an http.RoundTripper for any number
// of goroutines.
type Client struct {
	options   Options
	transport *http.Transport
}

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
	protocols.SetHTTP1(!o.H2C) // with both, net/http would prefer HTTP/1.1 for http
	protocols.SetHTTP2(o.HTTP2 || o.H2C)
	protocols.SetUnencryptedHTTP2(o.H2C)
	proxy := http.ProxyFromEnvironment
	if o.Direct {
		proxy = nil
	}
	return &Client{o, &http.Transport{
		Proxy:                 proxy,
		DialContext:           (&net.Dialer{Timeout: o.DialTimeout}).DialContext,
		TLSClientConfig:       o.TLS.Clone(), // net/http would write into it
		TLSHandshakeTimeout:   o.DialTimeout,
		Protocols:             protocols,
		MaxConnsPerHost:       o.MostConns,
		MaxIdleConnsPerHost:   o.Idle, // net/http's own 2 would make a connection per request
		IdleConnTimeout:       o.IdleTimeout,
		DisableCompression:    true, // a script that wants compressed answers asks for them
		ExpectContinueTimeout: time.Second,
		// net/http's own limit is 10 MB, for each of up to 10,000 users. Servers rarely send 8 KiB.
		MaxResponseHeaderBytes: headLimit,
	}}
}

// Own returns a client with the same options and connections of its own, for one virtual user. The user
// ends with CloseIdle.
func (c *Client) Own() *Client { return New(c.options) }

// RoundTrip makes one exchange, as http.RoundTripper says. Its errors are for Classify.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) { return c.transport.RoundTrip(r) }

// CloseIdle closes the connections that are not in use. It is called when the run is over.
func (c *Client) CloseIdle() { c.transport.CloseIdleConnections() }
