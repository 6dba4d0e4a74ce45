// Package kms is the sandbox's KMS: keys, aliases, policies, grants and ciphertext, in memory, with the
// states, permissions and error texts of AWS. It does not know what is encrypted, and keeps nobody's
// time but the sandbox clock's.
//
// Every operation is a method of [Service], for callers in this process, and is served on the wire by
// [Service.ServeHTTP]; both run the same code. What AWS has and the sandbox does not is refused with
// an UnsupportedOperationException that says so. Requests and responses are structs whose fields are
// named exactly as on the wire (KeyId, not KeyID), so that nothing needs to be looked up twice.
package kms

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

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
	// PreHook is the first hook; see [Service.SetPreHook].
	PreHook func(op string, c iam.Caller) error
}

// A Service is a KMS of one account in one Region. It is safe for use by many goroutines.
type Service struct {
	account, region string
	clock           *clock.Clock
	directory       *iam.Directory
	hook            atomic.Pointer[func(op string, c iam.Caller) error]

	// nextDeletion is when the next key is due to be gone, in Unix nanoseconds, so that the many calls
	// which find nothing due need no lock.
	nextDeletion atomic.Int64

	// mu guards everything below and all that hangs on it, except key material, which is immutable. It
	// is held while a request is looked up, authorized and checked, or changes something; never across
	// cryptography, a hook, or a wait.
	mu      sync.RWMutex
	keys    map[string]*key   // by key id
	aliases map[string]*alias // by name, with "alias/"
}

// New returns a KMS without keys.
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
	s := &Service{account: o.Account, region: o.Region, clock: o.Clock, directory: o.Directory,
		keys: map[string]*key{}, aliases: map[string]*alias{}}
	s.nextDeletion.Store(math.MaxInt64)
	s.SetPreHook(o.PreHook)
	return s
}

// SetPreHook sets a function that runs before every operation, with its name and caller, or nil for
// none. It may wait, to add latency. If it returns an error the operation does not happen: an *Error
// is answered as it is, any other as KMSInternalException. Calls under way keep the hook they found.
func (s *Service) SetPreHook(hook func(op string, c iam.Caller) error) { s.hook.Store(&hook) }

// Directory returns who may call, for those who add roles or access keys.
func (s *Service) Directory() *iam.Directory { return s.directory }

// bury removes the keys whose waiting period has ended, with their aliases and grants.
func (s *Service) bury(now time.Time) {
	if now.UnixNano() < s.nextDeletion.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, k := range s.keys {
		if k.deletion.IsZero() || now.Before(k.deletion) {
			continue
		}
		delete(s.keys, id)
		for name, a := range s.aliases {
			if a.target == k {
				delete(s.aliases, name)
			}
		}
	}
	s.planBurial()
}

// planBurial sets nextDeletion anew. s.mu must be held for writing.
func (s *Service) planBurial() {
	next := int64(math.MaxInt64)
	for _, k := range s.keys {
		if !k.deletion.IsZero() {
			next = min(next, k.deletion.UnixNano())
		}
	}
	s.nextDeletion.Store(next)
}
