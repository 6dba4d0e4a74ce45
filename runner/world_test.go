package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loadkms/faults"
	"loadkms/result"
	"loadkms/scenarios"
)

const (
	ms = time.Millisecond
	s  = time.Second
)

// A journal keeps promises in memory.
type journal struct {
	mu      sync.Mutex
	entries []faults.Entry
	opened  []faults.Entry
}

func (j *journal) Open(e faults.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries, j.opened = append(j.entries, e), append(j.opened, e)
	return nil
}

func (j *journal) Close(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = slices.DeleteFunc(j.entries, func(e faults.Entry) bool { return e.ID == id })
	return nil
}

func (j *journal) Pending() ([]faults.Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries), nil
}

// A key can be disabled. Reading its state takes 1 ms, breaking 2 ms and restoring 3 ms.
type key struct {
	id string

	mu       sync.Mutex
	disabled bool
	changed  time.Time // when disabled last changed; zero if it never did
	stuck    bool      // once it was disabled, restoring is denied
	denied   bool      // restoring is always denied
	breaks   int
	lost     bool // Break works and answers with an error
}

func (k *key) ID() string                 { return k.id }
func (k *key) ByHand(faults.State) string { return "enable " + k.id }
func (k *key) Spec() json.RawMessage      { return json.RawMessage(`{}`) }

func (k *key) Observe(ctx context.Context) (faults.State, error) {
	if !wait(ctx, ms) {
		return nil, ctx.Err()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return faults.State(fmt.Sprintf(`{"disabled":%v}`, k.disabled)), nil
}

func (k *key) set(disabled bool) {
	if k.disabled != disabled {
		k.disabled, k.changed = disabled, time.Now()
	}
}

func (k *key) Break(ctx context.Context) error {
	wait(ctx, 2*ms)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.breaks++
	k.set(true)
	if k.lost {
		return errors.New("the answer was lost")
	}
	return nil
}

func (k *key) Restore(ctx context.Context, prior faults.State) error {
	if !wait(ctx, 3*ms) {
		return ctx.Err()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.denied || k.stuck && k.disabled {
		return errors.New("access denied")
	}
	k.set(!bytes.Equal(prior, faults.State(`{"disabled":false}`)))
	return nil
}

// A talker is a key with a witness.
type talker struct {
	*key
	asked atomic.Int64
}

func (t *talker) Witness(ctx context.Context) (string, error) {
	if t.asked.Add(1) == 2 {
		return "", errors.New("throttled")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.disabled {
		return "ledger x: KMS_KEY_INACCESSIBLE", nil
	}
	return "ledger x: ENABLED", nil
}

// An api answers after 2 ms. It notices a disabled key after its grace and an enabled one after heal.
type api struct {
	key         *key
	grace, heal time.Duration
	deaf        time.Duration // if not 0, an answer takes as long and heeds no context
	began       time.Time
	served      atomic.Int64
}

func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	a.key.mu.Lock()
	since := time.Since(a.key.changed)
	refuse := !a.key.changed.IsZero() && (a.key.disabled && since >= a.grace || !a.key.disabled && since < a.heal)
	a.key.mu.Unlock()
	if a.deaf > 0 {
		wait(context.Background(), a.deaf)
	} else if !wait(r.Context(), 2*ms) {
		return nil, r.Context().Err()
	}
	a.served.Add(1)
	status, body := 200, `{"id":1}`
	if refuse {
		status = 500
		body = `{"status":500,"title":"BadRequestException","detail":"Amazon QLDB does not have grant access on the AWS KMS customer managed key of the ledger. Restore the grant on the key for the ledger."}`
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// script returns the article's third scenario, reading only: 50 requests a second for a minute, with
// these faults.
func script(faults ...scenarios.Fault) *scenarios.Script {
	sc := &scenarios.Script{
		File: "x.yaml", Name: "x",
		Config: scenarios.Config{
			Drain: 30 * s, MaxUsers: 100, HTTP: scenarios.HTTP{Timeout: 10 * s},
			Phases: []scenarios.Phase{
				{Name: "baseline", Duration: 20 * s, From: 50, To: 50, Scenario: -1},
				{Name: "disabled", Duration: 20 * s, From: 50, To: 50, Scenario: 0},
				{Name: "restored", Duration: 20 * s, From: 50, To: 50, Scenario: 0},
			},
		},
		Scenarios: []scenarios.Scenario{{Name: "get record", Weight: 1, Flow: []scenarios.Step{{
			Kind: scenarios.Request, Name: "GET /record/1", Method: "GET",
			URL: scenarios.Template{Source: "/record/1", Parts: []scenarios.Part{{Text: "/record/1"}}},
		}}}},
		Faults: faults,
	}
	for i := range sc.Faults {
		sc.Faults[i].Pos = scenarios.Pos{File: "x.yaml", Line: 20 + i, Col: 5}
	}
	return sc
}

// disable returns a fault that begins with the phase disabled.
func disable(hold time.Duration, expect ...scenarios.Expectation) scenarios.Fault {
	return scenarios.Fault{
		Name: "disable the key", Do: scenarios.DisableKey, At: scenarios.When{Phase: 1}, For: hold, Expect: expect,
	}
}

func expectations() []scenarios.Expectation {
	class := result.KeyInaccessible
	return []scenarios.Expectation{
		{Scope: scenarios.Before, Succeed: 1},
		{Scope: scenarios.During, Succeed: -1, Fail: &class, Within: 10 * s},
		{Scope: scenarios.After, Succeed: 1, Within: 15 * s},
	}
}

// A world is everything a run acts on.
type world struct {
	key     *key
	api     *api
	journal *journal
	options Options
}

// newWorld returns a world for sc in which all its faults disable the same key.
func newWorld(sc *scenarios.Script) *world {
	w := &world{key: &key{id: "key/1"}, journal: &journal{}}
	w.api = &api{key: w.key, grace: 4 * s, heal: 3 * s, began: time.Now()}
	w.options = Options{
		Script: sc, Target: "http://user:secret@api.test/poc", Transport: w.api, Seed: 7, Version: "v0", Environment: "e",
		Bracket: faults.Bracket{Journal: w.journal, Settle: s, Entry: faults.Entry{Host: "here", PID: 1}},
		AWS:     result.AWS{Region: "eu-west-2", Sandbox: true},
	}
	for range sc.Faults {
		w.options.Faults = append(w.options.Faults, w.key)
	}
	return w
}

// freeAddress returns a loopback address at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
