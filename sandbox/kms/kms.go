// Package kms is the sandbox's KMS: keys, aliases, policies, grants and ciphertext, in memory or kept in
// a store as well, with the states, permissions and error texts of AWS. It does not know what is
// encrypted, and keeps nobody's time but the sandbox clock's.
//
// Every operation is a method of [Service], for callers in this process, and is served on the wire by
// [Service.ServeHTTP]; both run the same code. What AWS has and the sandbox does not is refused with
// an UnsupportedOperationException that says so. Requests and responses are structs whose fields are
// named exactly as on the wire (KeyId, not KeyID), so that nothing needs to be looked up twice.
package kms

import (
	"crypto/rand"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
)

// Options say what a [Service] is like. The zero value is a KMS of the account 123456789012 in
// eu-west-2 with a directory and a clock of its own.
type Options struct {
	Account string // 12 digits; default 123456789012, or the directory's
	Region  string // default eu-west-2
	// Clock is the sandbox's time; default: a new clock at real speed.
	Clock *clock.Clock
	// Directory knows the callers and what their own policies allow; default: a new one.
	Directory *iam.Directory
	// StoreDelay is how long a custom key store takes to connect and to disconnect, in sandbox time;
	// default 1 minute. AWS promises up to 20.
	StoreDelay time.Duration
	// Rotation is how long an on-demand rotation takes, in sandbox time; default 0, at once. AWS takes
	// some seconds.
	Rotation time.Duration
	// Quotas limit requests; default none. AWSQuotas has those of AWS.
	Quotas Quotas
	// Consistency is how long changes take to be seen, in sandbox time; default 0. See
	// [Service.SetConsistency].
	Consistency time.Duration
	// ServiceEvents is told what KMS does by itself; nil for nobody. It runs while the service is
	// locked: it must return soon, and must not call the service.
	ServiceEvents func(ServiceEvent)
	// PreHook is the first hook; see [Service.SetPreHook].
	PreHook func(op string, c iam.Caller) error
}

// A Service is a KMS of one account in one Region. It is safe for use by many goroutines.
type Service struct {
	account, region string
	clock           *clock.Clock
	directory       *iam.Directory
	hook            atomic.Pointer[func(op string, c iam.Caller) error]

	rotation time.Duration      // how long an on-demand rotation takes
	events   func(ServiceEvent) // or nil
	tokenKey [32]byte           // seals grant tokens
	throttle atomic.Pointer[throttle]
	delay    atomic.Int64 // until changes are seen, in nanoseconds

	// nextDue is when settle has something to do next, in Unix nanoseconds, so that the many calls
	// which find nothing due need no lock.
	nextDue atomic.Int64

	// mu guards everything below and all that hangs on it, except key material, which is immutable. It
	// is held while a request is looked up, authorized and checked, or changes something; never across
	// cryptography, a hook, or a wait.
	mu      sync.RWMutex
	keys    map[string]*key   // by key id
	aliases map[string]*alias // by name, with "alias/"

	owned      map[string]*key // AWS owned keys, by ARN; they are not among keys
	aliasPasts []aliasPast     // what aliases were, the oldest first; empty unless delay is set

	stores map[string]*store // custom key stores, by id

	archive *archive // nil: all is in memory only

	tokens     *material     // under which import tokens are sealed
	storeDelay time.Duration // how long a custom key store takes to connect or disconnect
}

// New returns a KMS without keys, in memory; [Open] is for one that is kept.
func New(o Options) *Service {
	if o.Account == "" && o.Directory != nil {
		o.Account = o.Directory.Account()
	}
	if o.Account == "" {
		o.Account = "123456789012"
	}
	if o.Region == "" {
		o.Region = "eu-west-2"
	}
	if o.Clock == nil {
		o.Clock = clock.New(1)
	}
	if o.Directory == nil {
		o.Directory = iam.NewDirectory(o.Account)
	}
	if o.StoreDelay <= 0 {
		o.StoreDelay = time.Minute
	}
	s := &Service{account: o.Account, region: o.Region, clock: o.Clock, directory: o.Directory,
		keys: map[string]*key{}, owned: map[string]*key{}, aliases: map[string]*alias{}, stores: map[string]*store{}, storeDelay: o.StoreDelay, tokens: newMaterial(uuid.Nil)}
	s.nextDue.Store(math.MaxInt64)
	rand.Read(s.tokenKey[:]) // never fails
	s.rotation, s.events = o.Rotation, o.ServiceEvents
	s.SetConsistency(o.Consistency)
	s.SetQuotas(o.Quotas)
	s.SetPreHook(o.PreHook)
	return s
}

// SetPreHook sets a function that runs before every operation, with its name and caller, or nil for
// none. It may wait, to add latency. If it returns an error the operation does not happen: an *Error
// is answered as it is, any other as KMSInternalException. Calls under way keep the hook they found.
func (s *Service) SetPreHook(hook func(op string, c iam.Caller) error) { s.hook.Store(&hook) }

// Directory returns who may call, for those who add roles or access keys.
func (s *Service) Directory() *iam.Directory { return s.directory }

// bury removes the keys whose waiting period has ended, with their aliases and grants. s.mu must be
// held for writing.
func (s *Service) bury(a *agenda) {
	for id, k := range s.keys {
		if !a.due(k.deletion) {
			continue
		}
		delete(s.keys, id)
		s.announce(ServiceEvent{"DeleteKey", k.deletion, k.arn, id})
		for name, a := range s.aliases {
			if a.target == k {
				delete(s.aliases, name)
			}
		}
	}
}
