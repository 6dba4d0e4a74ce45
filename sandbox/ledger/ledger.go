// Package ledger is a small Amazon QLDB: ledgers of documents, encrypted for real under a customer
// managed key that it can only use through a KMS ([Keys]). It speaks QLDB's control plane and session
// protocol over HTTP, and a shorter way in Go for the article's two statements ([Session]); all of them
// see the same tables. What statements mean is for package partiql, what callers may do for package iam,
// and who may use a key for KMS to say.
package ledger

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/store"
)

// The defaults of Options, in sandbox time. AWS documents none of them; the article says that reads
// go on "for a short period" after a key is disabled, that it takes "a number of minutes" to recover
// after it is enabled, and that a key change takes "under 30 minutes".
const (
	DefaultKeyCache      = 2 * time.Minute
	DefaultRecoveryProbe = 2 * time.Minute
	DefaultUpdate        = 3 * time.Minute
	DefaultFollow        = 10 * time.Second
)

// What a ledger does about the alias that names its key.
const (
	// Follow makes a ledger change its key when the alias by which it was named points elsewhere, as
	// the article has it.
	Follow = "follow"
	// Pinned makes a ledger keep the key that the alias named when it was given to it, as all AWS
	// documentation has it.
	Pinned = "pinned"
)

// Options say what ledgers are like. Keys and Clock are required; durations are of sandbox time.
type Options struct {
	Account string
	Region  string
	Clock   *clock.Clock
	Keys    Keys

	Alias         string        // Follow or Pinned; "" means Follow
	KeyCache      time.Duration // how long a decrypted node key is used; 0 means 2 minutes
	RecoveryProbe time.Duration // how often an inaccessible key is tried again; 0 means 2 minutes
	Update        time.Duration // how long a change of the key takes; 0 means 3 minutes
	FollowEvery   time.Duration // how often a followed alias is looked up; 0 means 10 seconds

	// Caller tells who sent a request to the control plane over HTTP; nil means the account's root
	// user.
	Caller func(*http.Request) iam.Caller

	// Directory knows the callers' own policies: qldb:SendCommand and, in the permissions mode STANDARD, the
	// PartiQL actions must be allowed there. Nil allows everybody everything.
	Directory *iam.Directory

	// Create is how long a new ledger is CREATING, and Delete how long one is DELETING before it is gone;
	// 0 means no time at all.
	Create, Delete time.Duration

	Sessions int     // how many sessions of the protocol a ledger has at most; 0 means 1500
	Rate     float64 // commands per second of one caller, beyond which they are refused; 0 means no limit

	// PreCommand runs before every command of the session protocol, with the command's name; an error of
	// it is the answer ([CapacityExceeded], say). It is for tests. Nil does nothing.
	PreCommand func(command string, c iam.Caller) error

	segmentsPerNode int // for tests; 0 means 64: nodes are few, as KMS calls are slow in life
}

// A Service is QLDB in one account and Region. It is safe for use by many goroutines.
type Service struct {
	o    Options
	disk *store.Store // nil: all is in memory only
	stop context.CancelFunc
	ctx  context.Context // of the background work; ends with Close
	work sync.WaitGroup  // the background work

	creating sync.Mutex // held while a ledger is created, KMS calls and all: names and quota are checked first

	mu      sync.RWMutex // guards the fields below, for a look-up
	ledgers map[string]*ledger
	closed  bool

	rate        rate
	connecting  sync.Mutex             // guards the fields below, for a look-up
	connections map[string]*connection // by token
	count       map[*ledger]int        // of connections
}

// New returns a service without ledgers, in memory; [Open] is for one that is kept. Close must be called
// when it is no longer needed.
func New(o Options) *Service { return newService(o, newRing()) }

func newService(o Options, ring *ringRecord) *Service {
	if o.Alias == "" {
		o.Alias = Follow
	}
	defaults := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	defaults(&o.KeyCache, DefaultKeyCache)
	defaults(&o.RecoveryProbe, DefaultRecoveryProbe)
	defaults(&o.Update, DefaultUpdate)
	defaults(&o.FollowEvery, DefaultFollow)
	if o.Sessions <= 0 {
		o.Sessions = DefaultSessions
	}
	if o.segmentsPerNode <= 0 {
		o.segmentsPerNode = 64
	}
	if o.Caller == nil {
		root := iam.Caller{Principal: "arn:aws:iam::" + o.Account + ":root", Account: o.Account}
		o.Caller = func(*http.Request) iam.Caller { return root }
	}
	o.Keys = newKeyring(o.Keys, ring)
	s := &Service{o: o, ledgers: map[string]*ledger{}, rate: rate{perSecond: o.Rate},
		connections: map[string]*connection{}, count: map[*ledger]int{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Clock returns the clock that the service goes by.
func (s *Service) Clock() *clock.Clock { return s.o.Clock }

// Close ends the background work of all ledgers and waits for it. What is in the ledgers can no
// longer be relied upon.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.work.Wait()
}

// spawn runs f in the background until it returns; its context ends with the service. It reports
// whether the service is still open.
func (s *Service) spawn(f func(context.Context)) bool {
	s.mu.RLock() // Close waits for nothing that is added after it
	defer s.mu.RUnlock()
	if s.closed {
		return false
	}
	s.work.Go(func() { f(s.ctx) })
	return true
}

// A ledger is one ledger.
type ledger struct {
	service *Service
	name    string
	id      string
	arn     string
	created time.Time
	keys    *hierarchy
	journal *journal
	ended   context.Context // ends with the ledger, and with it its background work
	end     context.CancelFunc

	// changing is held while the key is being changed up to the point where the change goes on in
	// the background, so that two changes do not mix. It is held during calls to KMS, and guards
	// grants.
	changing sync.Mutex
	grants   map[string]string // the service's grants, by the key's ARN

	strand       string // the id of the journal's one strand
	names        names
	catalog      atomic.Uint64 // counts changes of tables and indexes
	transactions atomic.Uint64 // counts them

	// commits is held, shared, by every insert, and alone by a transaction that commits, so that what
	// it has read stays as it is between the check and the change.
	commits   sync.RWMutex
	kept      []tableRecord // the tables as they are in the store; guarded by commits
	changes   atomic.Uint64 // odd while a transaction changes what is there, for look-ups without a lock
	chain     chain
	allowsAll atomic.Bool // the permissions mode is ALLOW_ALL

	mu        sync.RWMutex      // guards the fields below, for a look-up
	tables    map[string]*table // the active ones by name
	all       []*table          // by number
	dropped   []drop
	ready     time.Time // when it is no longer CREATING
	goneAt    time.Time // when it is no longer DELETING; zero if it is not being deleted
	tags      map[string]string
	mode      string
	protected bool
	alias     string     // the alias by which the key was last named; "" if never by one
	following bool       // and whether the ledger changes its key with it
	namedBy   iam.Caller // who named it
}

func (s *Service) find(name string) (*ledger, error) {
	s.mu.RLock()
	l := s.ledgers[name]
	s.mu.RUnlock()
	if l == nil || l.over() {
		return nil, notFound(name)
	}
	return l, nil
}

// The states of a ledger.
const (
	stateCreating = "CREATING"
	stateActive   = "ACTIVE"
	stateDeleting = "DELETING"
)

// state returns the ledger's state.
func (l *ledger) state() string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	switch {
	case !l.goneAt.IsZero():
		return stateDeleting
	case l.service.o.Clock.Now().Before(l.ready):
		return stateCreating
	}
	return stateActive
}

// over reports whether the ledger has been deleted to the end.
func (l *ledger) over() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return !l.goneAt.IsZero() && !l.service.o.Clock.Now().Before(l.goneAt)
}

// present reports why the ledger cannot be changed or used now, or nil.
func (l *ledger) present() error {
	switch l.state() {
	case stateCreating:
		return inUse(l.name, "Ledger is being created")
	case stateDeleting:
		return inUse(l.name, "Ledger is being deleted")
	}
	return nil
}

// keep asks KMS for the keys whenever it is time, so that a key that is gone shows up in the ledger's
// description, and an inaccessible ledger comes back, even if nobody uses it.
func (l *ledger) keep(ctx context.Context) {
	for {
		if !l.sleepUntil(ctx, l.keys.due()) {
			return
		}
		if _, err := l.keys.ask(ctx, false); err != nil {
			// KMS could not be asked; requests do so too, so a pause costs nothing.
			if !l.service.o.Clock.Sleep(ctx, l.service.o.FollowEvery) {
				return
			}
		}
	}
}

// update carries a change of the key through, not before the given time.
func (l *ledger) update(ctx context.Context, change uint64, until time.Time) {
	l.keys.advance(ctx)
	for {
		if !l.sleepUntil(ctx, until) {
			return
		}
		if l.keys.finish(ctx, change) {
			break
		}
		until = l.keys.due()
		if soonest := l.service.o.Clock.Now().Add(l.service.o.FollowEvery); until.Before(soonest) {
			until = soonest // KMS could not be asked
		}
	}
	l.retire(ctx)
}

func (l *ledger) sleepUntil(ctx context.Context, t time.Time) bool {
	c := l.service.o.Clock
	return c.Sleep(ctx, max(t.Sub(c.Now()), 0))
}

// retire gives back the grants on keys that the ledger no longer uses.
func (l *ledger) retire(ctx context.Context) {
	l.changing.Lock()
	defer l.changing.Unlock()
	key, target, _ := l.keys.present()
	for arn, grant := range l.grants {
		if arn == key || arn == target {
			continue
		}
		// The key may be gone or the grant revoked by hand: then there is nothing to give back.
		_ = l.service.o.Keys.RetireGrant(ctx, l.keys.service, arn, grant)
		delete(l.grants, arn)
		l.saveGrants()
	}
}

// follow looks up the alias by which the key was named, and changes the key when it points elsewhere.
// It does so as the principal who named the alias, and therefore needs that principal's permission to
// describe the key and to create a grant on it, through the service. Without, the ledger stays where
// it is and tries again.
func (l *ledger) follow(ctx context.Context) {
	// On a fixed grid, so that a look-up is not late by the time that the one before took.
	next := l.created
	for {
		next = next.Add(l.service.o.FollowEvery)
		if now := l.service.o.Clock.Now(); next.Before(now.Add(-l.service.o.FollowEvery)) {
			next = now
		}
		if !l.sleepUntil(ctx, next) {
			return
		}
		l.followOnce(ctx)
	}
}

func (l *ledger) followOnce(ctx context.Context) {
	l.changing.Lock()
	defer l.changing.Unlock()
	l.mu.RLock()
	alias, following, by := l.alias, l.following, l.namedBy
	l.mu.RUnlock()
	if !following {
		return
	}
	key, err := l.service.usable(ctx, by, alias)
	if err != nil {
		return
	}
	if _, target, _ := l.keys.present(); key.ARN == target {
		return
	}
	_ = l.change(ctx, by, key) // as above: it stays where it is
}

// change lets the ledger use another key from now on. The caller holds changing.
func (l *ledger) change(ctx context.Context, by iam.Caller, key Key) error {
	if from, _, _ := l.keys.present(); !l.service.o.Keys.(*keyring).leaves(from, key.ARN) {
		return invalidParameter("KmsKey", "The sandbox's KMS cannot take over a key that AWS owns")
	}
	grant, err := l.service.o.Keys.CreateGrant(ctx, l.service.via(by, l.arn), key.ARN)
	if err != nil {
		return keyParameter(err)
	}
	l.grants[key.ARN] = grant
	l.saveGrants()
	if _, target, _ := l.keys.present(); target == key.ARN {
		return nil // it uses it already; only the grant, if it was gone, is restored
	}
	until := l.service.o.Clock.Now().Add(l.service.o.Update)
	change := l.keys.begin(key.ARN, until)
	l.background(func(ctx context.Context) { l.update(ctx, change, until) })
	return nil
}

// run begins what a ledger does as long as it is there.
func (l *ledger) run() {
	l.background(l.keep)
	if l.service.o.Alias == Follow {
		l.background(l.follow)
	}
}

// background runs f until it returns; its context ends with the ledger.
func (l *ledger) background(f func(context.Context)) {
	l.service.spawn(func(ctx context.Context) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		defer context.AfterFunc(l.ended, stop)()
		f(ctx)
	})
}

// usable looks up a key that a caller names and makes sure that a ledger can use it.
func (s *Service) usable(ctx context.Context, by iam.Caller, name string) (Key, error) {
	key, err := s.o.Keys.Describe(ctx, s.via(by, ""), name)
	if err != nil {
		return Key{}, keyParameter(err)
	}
	switch {
	case key.State == "Disabled":
		return Key{}, invalidParameter("KmsKey", "KMS key disabled error: %s is disabled.", key.ARN)
	case key.State == "PendingDeletion":
		return Key{}, invalidParameter("KmsKey", "KMS validation error: %s is pending deletion.", key.ARN)
	case key.State != "Enabled":
		return Key{}, invalidParameter("KmsKey", "KMS validation error: the state of %s is %s.", key.ARN, key.State)
	case !key.Symmetric:
		return Key{}, invalidParameter("KmsKey", "KMS validation error: %s is not a symmetric key for encryption.",
			key.ARN)
	}
	return key, nil
}

// via is a caller who calls KMS through the service.
func (s *Service) via(c iam.Caller, arn string) iam.Caller {
	c.Via, c.SourceARN = "qldb."+s.o.Region+".amazonaws.com", arn
	return c
}

// keyParameter turns KMS's refusal of a key that a request names into the service's answer.
func keyParameter(err error) error {
	switch refusal := refused(err); {
	case refusal == nil:
		return err
	case refusal.Code == "AccessDeniedException":
		return &Error{Status: 403, Code: CodeAccessDenied, Message: "KMS key access denied error: " + refusal.Message}
	default:
		return invalidParameter("KmsKey", "KMS validation error: %s: %s", refusal.Code, refusal.Message)
	}
}
