package awskms

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// A Signer signs requests for APIs behind IAM (AWS Signature Version 4). It holds credentials and sees to
// it that they are fresh, so that signing never waits for anybody. It is safe for use by many goroutines.
type Signer struct {
	region, service string
	signer          *v4.Signer
	// Behind pointers and a func, so that no way to print a Signer shows a secret.
	current  atomic.Pointer[aws.Credentials]
	trouble  atomic.Pointer[error] // why the last attempt to refresh them failed; nil if it did not
	retrieve func(ctx context.Context) (aws.Credentials, error)
	stop     context.CancelFunc
	stopped  chan struct{}
}

// When credentials are refreshed.
const (
	// refreshEarly is how long before their end credentials are replaced. Those of roles last 15 minutes
	// at least; the SDK's own clients use the same five minutes.
	refreshEarly = 5 * time.Minute
	// refreshPause is the pause after an attempt that failed or brought nothing newer. Within
	// refreshEarly there are then at least six attempts.
	refreshPause = 10 * time.Second
)

// NewSigner returns a signer for a service, such as "execute-api", in the Region of o, or that of the
// SDK's default chain, which also has the credentials. It blocks until they are there; ctx bounds only
// that. Close ends it.
func NewSigner(ctx context.Context, o Options, service string) (*Signer, error) {
	cfg, err := configure(ctx, o, onLoopback(cmp.Or(o.Endpoint, os.Getenv("AWS_ENDPOINT_URL"))))
	if err != nil {
		return nil, fmt.Errorf("sign requests: %w", err)
	}
	retrieve := func(ctx context.Context) (aws.Credentials, error) {
		if cached, ok := cfg.Credentials.(*aws.CredentialsCache); ok {
			cached.Invalidate() // it would return them until they have ended
		}
		return cfg.Credentials.Retrieve(ctx)
	}
	return newSigner(ctx, cfg.Region, service, retrieve)
}

func newSigner(ctx context.Context, region, service string, retrieve func(context.Context) (aws.Credentials, error)) (*Signer, error) {
	if service == "" {
		return nil, errors.New("sign requests: no service, such as execute-api")
	}
	s := &Signer{
		region:   region,
		service:  service,
		retrieve: retrieve,
		stopped:  make(chan struct{}),
		// S3 is the only service that takes a path as it is; to all others it is escaped once more.
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }),
	}
	ask, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := s.refresh(ask); err != nil {
		return nil, fmt.Errorf("sign requests: %w", err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go s.keepFresh(background)
	return s, nil
}

// Close ends the refreshing of credentials and waits until it has ended.
func (s *Signer) Close() {
	s.stop()
	<-s.stopped
}

// keepFresh replaces the credentials before they end, until ctx is done.
func (s *Signer) keepFresh(ctx context.Context) {
	defer close(s.stopped)
	for {
		have := s.current.Load()
		if !have.CanExpire {
			return
		}
		wait := max(time.Until(have.Expires)-refreshEarly, refreshPause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		ask, cancel := context.WithTimeout(ctx, callTimeout)
		if err := s.refresh(ask); err != nil {
			s.trouble.Store(&err)
		} else {
			s.trouble.Store(nil)
		}
		cancel()
	}
}

// refresh gets credentials once.
func (s *Signer) refresh(ctx context.Context) error {
	fresh, err := s.retrieve(ctx)
	if err != nil {
		return fmt.Errorf("get AWS credentials: %w", innermost(err))
	}
	if !fresh.HasKeys() {
		return errors.New("get AWS credentials: there are none")
	}
	s.current.Store(&fresh)
	return nil
}

// Sign adds to r the headers that prove, at the given time, who sends it: Authorization, X-Amz-Date and,
// for temporary credentials, X-Amz-Security-Token. Body is what will be sent. All of the request must be
// as it will be sent, because nearly all of it is signed; in its query, however, Sign replaces + by %20,
// about which servers agree. Sign never blocks. An error means that the request cannot be signed, or not
// any more: r must not be sent.
func (s *Signer) Sign(r *http.Request, body []byte, at time.Time) error {
	have := s.current.Load()
	if have.CanExpire && !at.Before(have.Expires) {
		if trouble := s.trouble.Load(); trouble != nil {
			return fmt.Errorf("sign request: the AWS credentials have ended: %w", *trouble)
		}
		return errors.New("sign request: the AWS credentials have ended")
	}
	// The SDK would drop what it cannot parse, and something else would be sent than was written.
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return fmt.Errorf("sign request: parse query %q: %w", r.URL.RawQuery, err)
	}
	if r.ContentLength > 0 && r.ContentLength != int64(len(body)) {
		return fmt.Errorf("sign request: its length is said to be %d bytes, but its body has %d", r.ContentLength, len(body))
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	// A request that is sent again has those of its last signature.
	r.Header.Del("X-Amz-Security-Token")
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if s.service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash) // required there, and only there
	}
	query := strings.ReplaceAll(r.URL.RawQuery, "+", "%20")
	if err := s.signer.SignHTTP(context.Background(), *have, r, hash, s.service, s.region, at); err != nil {
		return fmt.Errorf("sign request: %w", err)
	}
	// The SDK leaves it in the order in which it is signed. The order of values of the same name is the
	// script's business.
	r.URL.RawQuery = query
	return nil
}
