// Package sandbox is a small AWS to practice on: one endpoint that speaks KMS, QLDB, CloudFormation,
// CloudTrail, STS and a little IAM, and one that is the API of the article, over the article's stack. It
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
	"regexp"
	"slices"
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
	"loadkms/sandbox/stack"
	"loadkms/sandbox/store"
	"loadkms/sandbox/trail"
)

// Options say what a sandbox is like. The zero value is the article's system in real time on any two
// free ports of the loopback interface. Durations are of sandbox time; AWS documents none of the
// of them for QLDB, so those defaults are guesses within what the article says.
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

	// LedgerCreate is how long a new ledger is CREATING, and LedgerDelete how long one is DELETING; 0 means no
	// time.
	LedgerCreate, LedgerDelete time.Duration
	// AliasCheck is how often the ledger looks up the alias it follows; 0 means 10 seconds.
	AliasCheck time.Duration
	// Vault adds a custom key store, connected, and in it a key with the main key's policy and the alias
	// alias/qldb-kms-stored-STAGE. It is for the article's stack only, and makes Start wait for the connection.
	Vault bool
	// KeyStore is how long a custom key store takes to connect and disconnect; 0 means 1 minute.
	KeyStore time.Duration
	// Rotation is how long a rotation on demand takes; 0 means no time.
	Rotation time.Duration
	// Consistency is how long changes in KMS take to be seen by reads; 0 means no time.
	Consistency time.Duration
	// LookupDelay is how long events take to be found in the trail; 0 means no time.
	LookupDelay time.Duration
	// StackStep is how long CloudFormation takes for a resource; 0 means 500 milliseconds. The stack
	// that the sandbox starts with takes no time.
	StackStep time.Duration

	// Driver is the driver of the functions behind the API: one of api.Drivers; "" means none, which tries
	// nothing again.
	Driver string
	// Concurrency is how many requests each function serves at a time; 0 means any number.
	Concurrency int
	// ColdStart is how long a new container of a function takes, and CallTime each of its calls to the
	// ledger; 0 means no time. Gateway is when the API gives up on a request; 0 means 29 seconds once any of
	// the four above is set, else never.
	ColdStart, CallTime, Gateway time.Duration

	// Quotas makes KMS and CloudTrail answer no more requests than AWS does.
	Quotas bool

	// Template is the text of a CloudFormation template that takes the place of the article's, and
	// Parameters are values for it or for the article's. A parameter called Stage has the stage anyway.
	Template   string
	Parameters map[string]string

	// Keys is another KMS, whose keys the ledgers use instead of the sandbox's own; nil means its own. A
	// stack then has no KMS keys and aliases of its own, and the one at the start is the article's without
	// its keys. The sandbox's own KMS is still there, with nothing in it. Whoever made Keys closes it.
	Keys ledger.Keys
	// LedgerKey is the key in Keys for the ledger: a key id, key ARN, alias name or alias ARN.
	LedgerKey string

	// DataDir is a directory in which keys, ledgers, stacks and all that belongs to them are kept, so that
	// they outlive the process; it is made if there is none. "" means that everything is in memory. It
	// holds the keys' material in the clear, and is for tests. Region, Account and Stage must be those
	// of the sandbox that is in it, and Template and Parameters too unless they are empty.
	DataDir string

	// PreHook runs before every call to KMS, the ledger's included; see kms.Options. It is for tests.
	PreHook func(op string, c iam.Caller) error
}

// A Sandbox is a running one. Its methods may be called by many goroutines.
type Sandbox struct {
	o       Options
	clock   *clock.Clock
	kms     *kms.Service
	ledgers *ledger.Service
	stacks  *stack.Service
	trail   *trail.Log
	tokens  *tokens

	disk      *store.Store // nil: everything is in memory
	data      Data
	started   time.Time // sandbox time, of the first start
	stopClock func()    // ends the renewal of the clock's lease; nil without one

	stack  string // the name of the stack it started with
	ledger string // the name of the ledger behind the API

	roles sync.Map // the ARNs of the roles that stacks have made

	aws, api *listener

	closing sync.Once
	closed  error // of Close
}

// Start builds the stack and serves it until Close. The context is for the start only. Errors are
// about Options: a port that cannot be had, or a template that cannot be used.
func Start(ctx context.Context, o Options) (*Sandbox, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Sandbox{o: o, stack: "qldb-kms-" + o.Stage}
	if err := s.start(ctx, o); err != nil {
		s.Close()
		return nil, err
	}
	// Not before the stack is there, whose calls come all at once.
	if o.Quotas {
		s.kms.SetQuotas(kms.AWSQuotas(o.Region))
	}
	s.kms.SetConsistency(o.Consistency)
	return s, nil
}

func (s *Sandbox) start(ctx context.Context, o Options) (err error) {
	if s.aws, err = listen("AWS", o.AWSAddr); err != nil {
		return err
	}
	if s.api, err = listen("the API", o.APIAddr); err != nil {
		return err
	}
	if err := s.openData(); err != nil {
		return err
	}
	directory := iam.NewDirectory(o.Account)
	if err := s.open(ctx, directory); err != nil {
		return err
	}
	if o.Keys != nil {
		if err := o.useExternal(ctx, directory.Admin()); err != nil {
			return err
		}
	}
	if !s.data.Loaded {
		s.started = s.clock.Now()
		if err := s.build(ctx, o); err != nil {
			return fmt.Errorf("build the stack: %w", err)
		}
	}
	if o.Vault {
		if err := s.stockVault(ctx, o, directory.Admin()); err != nil {
			return fmt.Errorf("stock the vault: %w", err)
		}
	}
	if s.ledger == "" { // the template has none: perhaps somebody makes one later
		s.ledger = "qldb-kms-ledger-" + o.Stage
	}
	if err := s.finishData(); err != nil {
		return err
	}
	if err := s.count(); err != nil {
		return err
	}
	records := api.New(api.Options{Ledgers: s.ledgers, Ledger: s.ledger, Table: tableName, Stage: o.Stage, Driver: o.Driver,
		Concurrency: o.Concurrency, ColdStart: o.ColdStart, CallTime: o.CallTime, Timeout: o.Gateway,
		Create: directory.Session(iam.CreateRecordRole, "qldb-kms-"+o.Stage+"-create-record"),
		Read:   directory.Session(iam.GetRecordRole, "qldb-kms-"+o.Stage+"-get-record")})
	s.api.serve(s.statusOr(records))
	s.aws.serve(&door{kms: s.kms, ledgers: s.ledgers, directory: directory, stacks: s.stacks, trail: s.trail,
		tokens: s.tokens, started: s.started, environment: s.environment()})
	return nil
}

// open makes the services, with what they were before if that is kept. Each may use those before it.
func (s *Sandbox) open(ctx context.Context, directory *iam.Directory) (err error) {
	o := s.o
	s.trail = trail.New(trail.Options{Account: o.Account, Region: o.Region, Clock: s.clock, Delay: o.LookupDelay, Quota: o.Quotas})
	if err := s.loadRoles(directory); err != nil {
		return err
	}
	s.tokens = &tokens{clock: s.clock, directory: directory, disk: s.disk, ends: map[string]time.Time{}}
	if err := s.tokens.load(); err != nil {
		return err
	}
	s.kms, err = kms.Open(kms.Options{Account: o.Account, Region: o.Region, Clock: s.clock, Directory: directory, PreHook: o.PreHook,
		StoreDelay: o.KeyStore, Rotation: o.Rotation,
		ServiceEvents: func(e kms.ServiceEvent) { s.trail.RecordService(e.Name, e.KeyARN, e.At) }}, s.disk)
	if err != nil {
		return err
	}
	caller := func(r *http.Request) iam.Caller {
		credential, _ := iam.ParseAuthorization(r.Header.Get("Authorization")) // the front door has checked it
		return directory.Caller(credential.AccessKey).From(r.RemoteAddr, r.UserAgent())
	}
	var lock ledger.Keys = keys{s.kms, o.Region, s.observe, new(sync.Map)}
	if o.Keys != nil {
		lock = o.Keys
	}
	s.ledgers, err = ledger.Open(ctx, ledger.Options{Account: o.Account, Region: o.Region, Clock: s.clock,
		Keys: lock, Alias: o.Alias, KeyCache: o.KeyCache, RecoveryProbe: o.RecoveryProbe,
		Update: o.LedgerUpdate, FollowEvery: o.AliasCheck, Caller: caller,
		Directory: directory, Create: o.LedgerCreate, Delete: o.LedgerDelete}, s.disk)
	if err != nil {
		return err
	}
	s.stacks, err = stack.Open(stack.Options{Account: o.Account, Region: o.Region, Clock: s.clock, Kinds: s.kinds(), Step: o.StackStep,
		Endpoint: s.api.url()}, s.disk)
	return err
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
	if o.StackStep == 0 {
		o.StackStep = 500 * time.Millisecond
	}
	if err := o.checkExternal(); err != nil {
		return err
	}
	if o.Alias != ledger.Follow && o.Alias != ledger.Pinned {
		return fmt.Errorf("alias is %q, want %s or %s", o.Alias, ledger.Follow, ledger.Pinned)
	}
	if len(o.Account) != 12 || strings.Trim(o.Account, "0123456789") != "" {
		return fmt.Errorf("account is %q, want 12 digits", o.Account)
	}
	if !(o.Speed >= 0) || o.Speed > maxSpeed { // and not NaN
		return fmt.Errorf("speed is %v, want more than 0 and at most %v", o.Speed, maxSpeed)
	}
	if o.Driver != "" && !slices.Contains(api.Drivers(), o.Driver) {
		return fmt.Errorf("driver is %q, want one of %s", o.Driver, strings.Join(api.Drivers(), ", "))
	}
	if o.Concurrency < 0 {
		return fmt.Errorf("concurrency is %d, want no less than 0", o.Concurrency)
	}
	if !stageName.MatchString(o.Stage) || len(o.Stage) > maxStage {
		return fmt.Errorf("stage is %q, want letters, digits and single hyphens, at most %d in all", o.Stage, maxStage)
	}
	if !regionName.MatchString(o.Region) {
		return fmt.Errorf("region is %q, want one like eu-west-2", o.Region)
	}
	for _, d := range []struct {
		name string
		time.Duration
	}{
		{"key cache", o.KeyCache}, {"recovery probe", o.RecoveryProbe}, {"ledger update", o.LedgerUpdate},
		{"ledger creation", o.LedgerCreate}, {"ledger deletion", o.LedgerDelete}, {"alias check", o.AliasCheck},
		{"key store", o.KeyStore}, {"rotation", o.Rotation}, {"consistency", o.Consistency},
		{"lookup delay", o.LookupDelay}, {"stack step", o.StackStep}, {"cold start", o.ColdStart},
		{"call time", o.CallTime}, {"gateway timeout", o.Gateway},
	} {
		if d.Duration < 0 {
			return fmt.Errorf("%s is %v, want no less than 0", d.name, d.Duration)
		}
	}
	return nil
}

const (
	// maxSpeed is a day in less than a tenth of a second: beyond it nobody sees what happens.
	maxSpeed = 1e6
	// maxStage is what a ledger's name of 32 characters leaves.
	maxStage = 32 - len("qldb-kms-ledger-")
)

var (
	stageName  = regexp.MustCompile(`^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$`)
	regionName = regexp.MustCompile(`^[a-z]{2,3}(-[a-z]+)+-[0-9]{1,2}$`)
)

// AWSURL returns where AWS is to be found, as for --endpoint-url.
func (s *Sandbox) AWSURL() string { return s.aws.url() }

// APIURL returns where the API is to be found, without a stage.
func (s *Sandbox) APIURL() string { return s.api.url() }

// Stack returns the name of the CloudFormation stack.
func (s *Sandbox) Stack() string { return s.stack }

// Ledger returns the name of the ledger.
func (s *Sandbox) Ledger() string { return s.ledger }

// Region returns the Region the sandbox is in.
func (s *Sandbox) Region() string { return s.o.Region }

// Account returns the id of the account everything belongs to.
func (s *Sandbox) Account() string { return s.kms.Directory().Account() }

// environment is where and when requests are made.
func (s *Sandbox) environment() iam.Environment {
	return iam.Environment{Region: s.o.Region, Clock: s.clock}
}

// Clock returns the sandbox's clock, which tests may advance.
func (s *Sandbox) Clock() *clock.Clock { return s.clock }

// KMS returns the sandbox's KMS, for tests.
func (s *Sandbox) KMS() *kms.Service { return s.kms }

// Ledgers returns the sandbox's QLDB, for tests.
func (s *Sandbox) Ledgers() *ledger.Service { return s.ledgers }

// Close stops listening, lets the requests under way finish for a moment, and waits until everything
// the sandbox has started is over. What it held is gone, or in the data directory as it was at last. It
// may be called again.
func (s *Sandbox) Close() error {
	s.closing.Do(func() {
		s.closed = errors.Join(s.aws.close(), s.api.close())
		if s.stacks != nil {
			s.stacks.Close() // before the ledgers, which it may be making
		}
		if s.ledgers != nil {
			s.ledgers.Close()
		}
		if s.kms != nil {
			s.closed = errors.Join(s.closed, s.kms.Close())
		}
		s.closed = errors.Join(s.closed, s.closeData())
	})
	return s.closed
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
		Handler:           patient(contain(h)),
		ReadHeaderTimeout: headerTime,
		WriteTimeout:      answerTime, // for what the server itself says of a header; patient sets its own
		IdleTimeout:       idleTime,
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
				fmt.Fprintf(w, `{"message": "Internal server error", "panic": %q}`, fmt.Sprint(p))
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
