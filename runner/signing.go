package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"loadkms/runner/internal/client"
)

// A signing is a transport that signs every request before it is sent, where event loops do not do it.
type signing struct {
	http.RoundTripper
	sign func(r *http.Request, body []byte, at time.Time) error
}

// RoundTrip sends a signed copy of r, since a transport must leave what it is given as it is.
func (s signing) RoundTrip(r *http.Request) (*http.Response, error) {
	signed := r.Clone(r.Context())
	var body []byte
	if r.Body != nil && r.Body != http.NoBody {
		var err error
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, fmt.Errorf("sign the request: read its body: %w", err)
		}
		signed.ContentLength = int64(len(body))
		signed.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		signed.Body, _ = signed.GetBody()
	}
	if err := s.sign(signed, body, time.Now()); err != nil {
		return nil, fmt.Errorf("sign the request: %w (%w)", err, client.ErrNotSent)
	}
	return s.RoundTripper.RoundTrip(signed)
}
