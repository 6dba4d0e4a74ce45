// Package sandbox is a small AWS to practice on: one endpoint that speaks KMS, QLDB's control plane,
// CloudFormation and STS, and one that is the API of the article, over the stack of the article. It
// puts the services together and listens; what they do is their own.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/api"
	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
)

// Options say what a sandbox is like. The zero value is the article's system in real time on any two
// free ports of the loopback interface. Durations are of sandbox time; AWS documents none of the
// three, so their defaults are guesses within what the article says.
type Options struct {
	AWSAddr string // where AWS listens, host:port; "" means 127.0.0.1:0, no host means 127.0.0.1
	APIAddr string // where the API listens, likewise
	Stage   string // the stage of the article's stack; "" means poc
	Region  string // "" means eu-west-2
	Account string // 12 digits; "" means 123456789012

	Speed float64 // how many seconds of the sandbox a real second takes; 0 means 1
	Alias string  // ledger.Follow or ledger.Pinned; "" means follow

	// KeyCache is how long the ledger uses a decrypted key; 0 means 2 minutes (article: "a short period").
	KeyCache time.Duration
	// RecoveryProbe is how often it tries an inaccessible key; 0 means 2 minutes (article: "a number of
	// minutes").
	RecoveryProbe time.Duration
	// LedgerUpdate is how long it takes to change its key; 0 means 3 minutes (article: "under 30 minutes").
	LedgerUpdate time.Duration

	// PreHook runs before every call to KMS, the ledger's included; see kms.Options. It is for tests.
	PreHook func(op string, c iam.Caller) error
}

// A Sandbox is a running one. Its methods may be called by many goroutines.
type Sandbox struct {
	clock   *clock.Clock
	kms     *kms.Service
	ledgers *ledger.Service
	stack   stack
	region  string

	aws, api *listener
}

// Start builds the article's stack and serves it until Close. The context is for the start only.
// Errors are about Options, a port that cannot be had above all.
func Start(ctx context.Context, o Options) (*Sandbox, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	directory := iam.NewDirectory(o.Account)
	c := clock.New(o.Speed)
	s := &Sandbox{clock: c, region: o.Region, kms: kms.New(kms.Options{Account: o.Account, Region: o.Region,
		Clock: c, Directory: directory, PreHook: o.PreHook})}
	caller := func(r *http.Request) iam.Caller {
		credential, _ := iam.ParseAuthorization(r.Header.Get("Authorization")) // the front door has checked it
		return directory.Caller(credential.AccessKey)
	}
	s.ledgers = ledger.New(ledger.Options{Account: o.Account, Region: o.Region, Clock: c,
		Keys: keys{s.kms, directory, o.Region}, Alias: o.Alias, KeyCache: o.KeyCache, RecoveryProbe: o.RecoveryProbe,
		Update: o.LedgerUpdate, Caller: caller})
	if err := s.start(ctx, o, directory); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Sandbox) start(ctx context.Context, o Options, directory *iam.Directory) (err error) {
	if s.stack, err = build(ctx, o, s, directory); err != nil {
		return fmt.Errorf("build the stack: %w", err)
	}
	if s.aws, err = listen("AWS", o.AWSAddr); err != nil {
		return err
	}
	if s.api, err = listen("the API", o.APIAddr); err != nil {
		return err
	}
	s.stack.outputs = append(s.stack.outputs, output{Key: "ServiceEndpoint", Value: s.api.url() + "/" + o.Stage})
	records := api.New(api.Options{Ledgers: s.ledgers, Ledger: s.stack.ledger, Table: tableName, Stage: o.Stage,
		Create: directory.Session(iam.CreateRecordRole, "qldb-kms-"+o.Stage+"-create-record"),
		Read:   directory.Session(iam.GetRecordRole, "qldb-kms-"+o.Stage+"-get-record")})
	s.api.serve(records)
	s.aws.serve(&door{kms: s.kms, ledgers: s.ledgers, directory: directory, stack: &s.stack, region: o.Region})
	return nil
}

func (o *Options) complete() error {
	fill := func(s *string, with string) {
		if *s == "" {
			*s = with
		}
	}
	fill(&o.Stage, "poc")
	fill(&o.Region, "eu-west-2")
	fill(&o.Account, "123456789012")
	fill(&o.Alias, ledger.Follow)
	if o.Alias != ledger.Follow && o.Alias != ledger.Pinned {
		return fmt.Errorf("alias is %q, want %s or %s", o.Alias, ledger.Follow, ledger.Pinned)
	}
	if len(o.Account) != 12 || strings.Trim(o.Account, "0123456789") != "" {
		return fmt.Errorf("account is %q, want 12 digits", o.Account)
	}
	if o.Speed < 0 {
		return fmt.Errorf("speed is %v, want more than 0", o.Speed)
	}
	return nil
}

// AWSURL returns where AWS is to be found, as for --endpoint-url.
func (s *Sandbox) AWSURL() string { return s.aws.url() }

// APIURL returns where the API is to be found, without a stage.
func (s *Sandbox) APIURL() string { return s.api.url() }

// Stack returns the name of the CloudFormation stack.
func (s *Sandbox) Stack() string { return s.stack.name }

// Ledger returns the name of the ledger.
func (s *Sandbox) Ledger() string { return s.stack.ledger }

// Region returns the Region the sandbox is in.
func (s *Sandbox) Region() string { return s.region }

// Account returns the id of the account everything belongs to.
func (s *Sandbox) Account() string { return s.kms.Directory().Account() }

// Clock returns the sandbox's clock, which tests may advance.
func (s *Sandbox) Clock() *clock.Clock { return s.clock }

// KMS returns the sandbox's KMS, for tests.
func (s *Sandbox) KMS() *kms.Service { return s.kms }

// Ledgers returns the sandbox's QLDB, for tests.
func (s *Sandbox) Ledgers() *ledger.Service { return s.ledgers }

// Close stops listening, lets the requests under way finish for a moment, and waits until everything
// the sandbox has started is over. What it held is gone. It may be called again.
func (s *Sandbox) Close() error {
	err := errors.Join(s.aws.close(), s.api.close())
	s.ledgers.Close()
	return err
}

// A listener is one HTTP server on a port of its own.
type listener struct {
	what    string
	tcp     net.Listener
	server  *http.Server
	serving sync.WaitGroup // the accept loop and every connection

	mu     sync.Mutex            // guards the fields below, for nanoseconds
	silent map[net.Conn]struct{} // connections on which nothing was sent yet
	err    error                 // why the accept loop ended, if not by close
}

// listen takes a port.
func listen(what, addr string) (*listener, error) {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case addr == "":
		host, port = "127.0.0.1", "0"
	case err != nil:
		return nil, fmt.Errorf("listen for %s: address %q is not host:port", what, addr)
	case host == "":
		host = "127.0.0.1"
	}
	tcp, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen for %s: port %s of %s is already in use: %w", what, port, host, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", what, err)
	}
	return &listener{what: what, tcp: tcp, silent: map[net.Conn]struct{}{}}, nil
}

func (l *listener) url() string { return "http://" + l.tcp.Addr().String() }

// serve answers requests from now on.
func (l *listener) serve(h http.Handler) {
	l.server = &http.Server{
		Handler:           contain(h),
		ReadHeaderTimeout: 10 * time.Second, // a request on loopback is here at once or never
		ReadTimeout:       time.Minute,      // likewise its body, which is 1 MiB at most
		IdleTimeout:       5 * time.Minute,  // longer than any pause of a load generator
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // the sandbox prints nothing
		ConnState:         l.count,
	}
	l.serving.Go(func() {
		if err := l.server.Serve(l.tcp); !errors.Is(err, http.ErrServerClosed) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.err = fmt.Errorf("serve %s: %w", l.what, err)
		}
	})
}

// count counts connections. A new one is reported by the accept loop, which counts itself, so the
// count never rises from zero.
func (l *listener) count(c net.Conn, state http.ConnState) {
	l.mu.Lock()
	delete(l.silent, c)
	if state == http.StateNew {
		l.silent[c] = struct{}{}
	}
	l.mu.Unlock()
	switch state {
	case http.StateNew:
		l.serving.Add(1)
	case http.StateClosed, http.StateHijacked:
		l.serving.Done()
	}
}

// contain keeps a panic within its request.
func contain(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusInternalServerError)
				fmt.Fprintf(w, `{"message": "Internal server error", "panic": %q}`, fmt.Sprintf("%v\n%s", p, debug.Stack()))
			}
		}()
		h.ServeHTTP(w, r)
	})
}

// closeGrace is how long requests under way may take to finish. A second: they take milliseconds.
const closeGrace = time.Second

func (l *listener) close() error {
	if l == nil {
		return nil
	}
	if l.server == nil {
		l.tcp.Close()
		return nil
	}
	for end := time.Now().Add(closeGrace); ; {
		// In short turns, because Shutdown waits five seconds for connections on which nothing was sent
		// yet. Those can only be closed once no new ones come.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		err := l.server.Shutdown(ctx)
		cancel()
		if err == nil {
			break
		}
		if time.Now().After(end) {
			l.server.Close()
			break
		}
		l.mu.Lock()
		for c := range l.silent {
			c.Close()
		}
		l.mu.Unlock()
	}
	l.serving.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// requestID returns an id as AWS gives each request.
func requestID() string { return uuid.NewString() }
