package ledger

import (
	"context"
	"crypto/cipher"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/store"
)

// A hierarchy holds the keys of one ledger:
//
//	customer managed key            in KMS
//	└─ node key                     a KMS data key, sealed under it: one per 64 MiB of records
//	   └─ data key                  sealed under its node's key: one per segment of 1 MiB
//	      └─ record                 sealed under its segment's data key
//
// Laws:
//
//  1. Only KMS opens a node key, for the ledger service under its grant. What it said last, keys or
//     a refusal, is the answer; the ledger goes by it until a set time and then asks again. There is
//     no other way to be inaccessible than an answer that is a refusal.
//  2. Changing the customer managed key seals the node keys again, and touches nothing below them.
//     Until it is done each node key is sealed under both keys, and every answer needs both.
//  3. Whoever needs an answer that is due asks for it, be it a request or the background. One asks,
//     the others wait for its answer.
type hierarchy struct {
	keys            Keys
	service         iam.Caller
	clock           *clock.Clock
	cache, probe    time.Duration
	segmentsPerNode int
	disk            *store.Store // nil: all is in memory only
	ledger          string       // the ledger's id

	answer atomic.Pointer[answer]

	asking sync.Mutex // guards the nodes; held while KMS is asked
	nodes  []node
	// replay is what is to be done with the first keys that KMS gives after a restart; nil for nothing.
	replay func(context.Context, *openKeys) error

	mu         sync.Mutex // guards the fields below; never held during a call
	key        string     // the ARN under which the nodes are sealed
	target     string     // the ARN under which they shall be sealed; the same when nothing changes
	changing   bool       // a change is under way, be it one back to key
	change     uint64     // counts changes
	generation uint64     // counts completed changes that sealed the nodes anew
	until      time.Time  // before which a change is not over
	since      time.Time  // as the last answer has it, in the store
	refusal    *KeyError  // likewise
}

// A node is one of the keys right below the customer managed key.
type node struct {
	id      string
	version int    // of the plaintext, which a change of the customer managed key does not touch
	sealed  []byte // under hierarchy.key
	next    []byte // under hierarchy.target; nil until a change has come to it
	under   string // the target under which next is
}

func (n *node) context() map[string]string {
	return map[string]string{
		"key-hierarchy-node-id":      n.id,
		"key-hierarchy-node-version": strconv.Itoa(n.version),
	}
}

// An answer is what KMS said last.
type answer struct {
	until   time.Time // when it has to be asked again
	open    *openKeys // nil after a refusal
	refusal *KeyError
	since   time.Time // of the first refusal in a row
}

// unlock returns the keys of the ledger, asking KMS for them if it is time. The error is a *Error if
// KMS refused them, now or when it was last asked.
func (h *hierarchy) unlock(ctx context.Context) (*openKeys, error) {
	return h.unlockAt(ctx, h.clock.Now())
}

// unlockAt is unlock for whoever knows what time it is.
func (h *hierarchy) unlockAt(ctx context.Context, now time.Time) (*openKeys, error) {
	a := h.answer.Load()
	if a == nil || !now.Before(a.until) {
		var err error
		if a, err = h.ask(ctx, false); err != nil {
			return nil, err
		}
	}
	if a.open == nil {
		return nil, inaccessible()
	}
	return a.open, nil
}

// ask asks KMS for the node keys if the last answer is due, or in any case if told so.
// An error means that KMS could not be asked; the last answer then stands, but is still due.
func (h *hierarchy) ask(ctx context.Context, always bool) (*answer, error) {
	h.asking.Lock()
	defer h.asking.Unlock()
	return h.askLocked(ctx, always)
}

// askLocked is ask for whoever holds asking.
func (h *hierarchy) askLocked(ctx context.Context, always bool) (*answer, error) {
	last, now := h.answer.Load(), h.clock.Now()
	if last != nil && !always && now.Before(last.until) {
		return last, nil // somebody else has just asked
	}
	asked := h.changes()
	open, err := h.open(ctx)
	refusal := refused(err)
	for refusal != nil && h.changes() != asked {
		// The change that was under way has made place for another meanwhile, and its target's grant may
		// be given back already: what was refused is no longer what the ledger needs.
		asked = h.changes()
		open, err = h.open(ctx)
		refusal = refused(err)
	}
	switch {
	case refusal != nil:
		a := &answer{until: now.Add(h.probe), refusal: refusal, since: now}
		if last != nil && last.refusal != nil {
			a.since = last.since
		}
		h.told(a)
		h.answer.Store(a)
		return a, nil
	case err != nil:
		return nil, err
	}
	if h.replay != nil {
		if err := h.replay(ctx, open); err != nil {
			return nil, err
		}
		h.replay = nil
	}
	a := &answer{until: now.Add(h.cache), open: open}
	h.told(a)
	h.answer.Store(a)
	return a, nil
}

// open asks KMS for every node key, under both keys during a change. The caller holds asking.
func (h *hierarchy) open(ctx context.Context) (*openKeys, error) {
	key, target, generation := h.present()
	open := &openKeys{generation: generation, nodes: make([]cipher.AEAD, len(h.nodes))}
	for i := range h.nodes {
		n := &h.nodes[i]
		plain, err := h.keys.Decrypt(ctx, h.service, n.sealed, n.context())
		if err != nil {
			return nil, fmt.Errorf("open node key %s: %w", n.id, err)
		}
		if open.nodes[i], err = newAEAD(plain); err != nil {
			return nil, err
		}
		clear(plain)
		if target == key {
			continue
		}
		if err := h.stage(ctx, n, target, true); err != nil {
			return nil, err
		}
	}
	if len(h.nodes) > 0 {
		open.root, open.context = h.nodes[0].sealed, h.nodes[0].context()
	}
	return open, nil
}

// stage seals a node key under the target as well, or makes sure that it can still be opened there.
// The caller holds asking.
func (h *hierarchy) stage(ctx context.Context, n *node, target string, check bool) error {
	if n.next != nil && n.under == target {
		if !check {
			return nil
		}
		plain, err := h.keys.Decrypt(ctx, h.service, n.next, n.context())
		if err != nil {
			return fmt.Errorf("open node key %s under %s: %w", n.id, target, err)
		}
		clear(plain)
		return nil
	}
	next, err := h.keys.ReEncrypt(ctx, h.service, n.sealed, n.context(), target)
	if err != nil {
		return fmt.Errorf("seal node key %s under %s: %w", n.id, target, err)
	}
	n.next, n.under = next, target
	return nil
}

func (h *hierarchy) present() (key, target string, generation uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.key, h.target, h.generation
}

// changes returns how many changes have begun.
func (h *hierarchy) changes() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.change
}

// grow makes sure that there is a node with this index, and returns keys that include it.
func (h *hierarchy) grow(ctx context.Context, index int) (*openKeys, error) {
	h.asking.Lock()
	defer h.asking.Unlock()
	a, err := h.askLocked(ctx, false)
	if err != nil {
		return nil, err
	}
	if a.open == nil {
		return nil, inaccessible()
	}
	for index >= len(h.nodes) {
		if a, err = h.add(ctx, a); err != nil {
			return nil, err
		}
	}
	return a.open, nil
}

// add makes one more node key. The caller holds asking; last is the present answer, which has keys.
func (h *hierarchy) add(ctx context.Context, last *answer) (*answer, error) {
	key, _, generation := h.present()
	n := node{id: randomID(), version: 0}
	plain, sealed, err := h.keys.GenerateDataKey(ctx, h.service, key, n.context())
	if err != nil {
		if refused(err) != nil {
			return nil, inaccessible()
		}
		return nil, fmt.Errorf("generate node key: %w", err)
	}
	n.sealed = sealed
	aead, err := newAEAD(plain)
	clear(plain)
	if err != nil {
		return nil, err
	}
	h.nodes = append(h.nodes, n)
	h.saveNode(len(h.nodes) - 1)
	open := &openKeys{generation: generation, root: h.nodes[0].sealed, context: h.nodes[0].context()}
	open.nodes = append(append(open.nodes, last.open.nodes...), aead)
	a := &answer{until: last.until, open: open}
	h.answer.Store(a)
	return a, nil
}

// begin begins a change to another key, which is not over before the given time, and returns its number.
// It takes the place of a change that is already under way.
func (h *hierarchy) begin(target string, until time.Time) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.target, h.changing, h.until = target, true, until
	h.change++
	h.save()
	return h.change
}

// advance does what can be done of a change right after it has begun: it seals the node keys under
// the target too. Whatever KMS refuses here it will be asked again, when it matters.
func (h *hierarchy) advance(ctx context.Context) {
	h.asking.Lock()
	defer h.asking.Unlock()
	key, target, _ := h.present()
	if key == target {
		return
	}
	for i := range h.nodes {
		if h.stage(ctx, &h.nodes[i], target, false) != nil {
			return
		}
	}
}

// finish ends a change whose time has come, if KMS opens all node keys under both keys. It reports
// whether there is nothing left to do: because it is done, or because another change has begun.
func (h *hierarchy) finish(ctx context.Context, change uint64) bool {
	h.asking.Lock()
	defer h.asking.Unlock()
	h.mu.Lock()
	over := h.change != change || !h.changing
	h.mu.Unlock()
	if over {
		return true
	}
	a, err := h.askLocked(ctx, true)
	if err != nil || a.open == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.change != change {
		return true
	}
	h.changing = false
	if h.target == h.key {
		h.save()
		return true // changed back before anything was done
	}
	for i := range h.nodes {
		n := &h.nodes[i]
		n.sealed, n.next, n.under = n.next, nil, ""
	}
	h.key = h.target
	h.generation++
	h.save(h.nodes...)
	open := &openKeys{generation: h.generation, nodes: a.open.nodes, root: h.nodes[0].sealed,
		context: a.open.context}
	h.answer.Store(&answer{until: a.until, open: open})
	return true
}

// due returns when the last answer has to be asked for again.
func (h *hierarchy) due() time.Time {
	if a := h.answer.Load(); a != nil {
		return a.until
	}
	return h.clock.Now()
}
