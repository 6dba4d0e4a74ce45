package faults

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A cloud holds the states of targets, and remembers what was done to them. Its targets change as
// told: the hooks are what a test makes go wrong.
type cloud struct {
	mu     sync.Mutex // guards all below
	states map[string]string
	log    []string // what was called, and every station, in order

	observe func(n int) error                // before the n-th Observe, from 1
	breaks  func() (happens bool, err error) // nil means it happens
	restore func(n int) (happens bool, err error)
}

type thing struct {
	*cloud
	id      string
	counter struct{ observes, restores int }
}

func (c *thing) ID() string            { return c.id }
func (c *thing) Spec() json.RawMessage { return []byte(`{}`) }
func (c *thing) say(s string)          { c.mu.Lock(); defer c.mu.Unlock(); c.log = append(c.log, s) }
func (c *thing) state() string         { c.mu.Lock(); defer c.mu.Unlock(); return c.states[c.id] }
func (c *thing) set(s string)          { c.mu.Lock(); defer c.mu.Unlock(); c.states[c.id] = s }
func (c *thing) ByHand(p State) string { return "set " + c.id + " " + string(p) }
func (c *thing) calls() []string       { c.mu.Lock(); defer c.mu.Unlock(); return slices.Clone(c.log) }

func (c *thing) Observe(ctx context.Context) (State, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.counter.observes++
	n := c.counter.observes
	c.mu.Unlock()
	if c.observe != nil {
		if err := c.observe(n); err != nil {
			return nil, err
		}
	}
	return State(c.state()), nil
}

func (c *thing) Break(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.say("BREAK")
	if c.breaks != nil {
		if happens, err := c.breaks(); !happens {
			return err
		} else if err != nil {
			c.set("broken")
			return err
		}
	}
	c.set("broken")
	return nil
}

func (c *thing) Restore(ctx context.Context, prior State) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.say("RESTORE")
	c.counter.restores++
	if now := c.state(); now != string(prior) && now != "broken" {
		return fmt.Errorf("is %q: %w", now, ErrChanged)
	}
	if c.restore != nil {
		if happens, err := c.restore(c.counter.restores); err != nil || !happens {
			return err
		}
	}
	c.set(string(prior))
	return nil
}

// memory is a journal that a test can make fail.
type memory struct {
	entries    []Entry
	opened     []Entry
	open, shut error
}

func (m *memory) Open(e Entry) error {
	if m.open != nil {
		return m.open
	}
	m.entries, m.opened = append(m.entries, e), append(m.opened, e)
	return nil
}

func (m *memory) Close(id string) error {
	if m.shut != nil {
		return m.shut
	}
	m.entries = slices.DeleteFunc(m.entries, func(e Entry) bool { return e.ID == id })
	return nil
}
func (m *memory) Pending() ([]Entry, error) { return slices.Clone(m.entries), nil }

var stationNames = [...]string{"observed", "rehearsed", "journaled", "breaking", "broken", "visible", "restoring",
	"restore accepted", "restored", "settled", "refused", "stuck"}

var (
	errAccess = errors.New("access denied")
	errBody   = errors.New("the body's own error")
)

func newThing() *thing {
	return &thing{cloud: &cloud{states: map[string]string{"key": "fine"}}, id: "key"}
}

// inject runs one Inject and returns its error, what was passed, and how long it took.
func inject(ctx context.Context, t *thing, j Journal, during func(context.Context) error) (err error, passed string, took time.Duration) {
	began := time.Now()
	b := Bracket{Journal: j, Entry: Entry{Run: "a.yaml", Where: "a.yaml:3:5"}, Notify: func(at Station, _ error) { t.say(stationNames[at]) }}
	err = b.Inject(ctx, t, during)
	return err, strings.Join(t.calls(), " · "), time.Since(began)
}

func pause(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error { sleep(ctx, d); return nil }
}

const (
	wayIn  = "observed · RESTORE · rehearsed · journaled · breaking · BREAK · broken · visible"
	wayOut = "restoring · RESTORE · restore accepted · restored · settled"
)

func TestInject(t *testing.T) {
	lost := errors.New("i/o timeout")
	for _, tt := range []struct {
		name    string
		prepare func(*thing, *memory)
		during  func(context.Context) error
		cancel  bool
		passed  string
		want    []error // what the error is
		not     []error // and what it is not
		state   string
		pending int
		took    time.Duration
	}{
		{name: "everything well", passed: wayIn + " · " + wayOut, took: 25 * time.Second},
		{
			name: "the body fails", during: func(context.Context) error { return errBody }, want: []error{errBody}, not: []error{ErrStuck},
			passed: strings.TrimSuffix(wayIn, " · visible") + " · " + wayOut, took: 15 * time.Second,
		},
		{
			name: "the answer to Break is lost, and it has happened", want: []error{lost}, not: []error{ErrStuck},
			prepare: func(c *thing, _ *memory) { c.breaks = func() (bool, error) { return true, lost } },
			passed:  "observed · RESTORE · rehearsed · journaled · breaking · BREAK · " + wayOut, took: 15 * time.Second,
		},
		{
			name: "the answer to Break is lost, and it happens 10s later", want: []error{lost}, not: []error{ErrStuck},
			prepare: func(c *thing, _ *memory) {
				c.breaks = func() (bool, error) {
					time.AfterFunc(10*time.Second, func() { c.set("broken") })
					return false, lost
				}
			},
			passed: "observed · RESTORE · rehearsed · journaled · breaking · BREAK · restoring · RESTORE · restore accepted · restored · RESTORE · settled",
			took:   30*time.Second + 100*time.Millisecond,
		},
		{
			name: "restoring fails for a while",
			prepare: func(c *thing, _ *memory) {
				c.restore = func(n int) (bool, error) { return n == 1 || n > 3, atLeast(n > 1 && n <= 3, lost) }
			},
			passed: wayIn + " · restoring · RESTORE · RESTORE · RESTORE · restore accepted · restored · settled",
			took:   25*time.Second + 300*time.Millisecond,
		},
		{
			name: "restoring is refused for good", prepare: func(c *thing, _ *memory) {
				c.restore = func(n int) (bool, error) { return n == 1, atLeast(n > 1, errAccess) }
			},
			want: []error{ErrStuck, errAccess}, state: "broken", pending: 1, took: 2*time.Minute + 10*time.Second,
		},
		{
			name: "restoring claims success and does nothing", prepare: func(c *thing, _ *memory) {
				c.restore = func(n int) (bool, error) { return n == 1, nil }
			},
			want: []error{ErrStuck, errNotBack}, state: "broken", pending: 1, took: 2*time.Minute + 10*time.Second,
		},
		{
			name: "no way back", prepare: func(c *thing, _ *memory) { c.restore = func(int) (bool, error) { return false, errAccess } },
			want: []error{ErrNoWayBack, errAccess}, not: []error{ErrStuck}, passed: "observed · RESTORE · refused",
		},
		{
			name: "a rehearsal that changes something", prepare: func(c *thing, _ *memory) {
				c.restore = func(int) (bool, error) { c.set("other"); return false, nil }
			},
			want: []error{ErrNoWayBack}, not: []error{ErrStuck}, passed: "observed · RESTORE · refused", state: "other",
		},
		{
			name: "it cannot be observed", prepare: func(c *thing, _ *memory) { c.observe = func(int) error { return errAccess } },
			want: []error{errAccess}, not: []error{ErrStuck, ErrNoWayBack}, passed: "refused",
		},
		{
			name: "it cannot be observed after the rehearsal", prepare: func(c *thing, _ *memory) {
				c.observe = func(n int) error { return atLeast(n == 2, errAccess) }
			},
			want: []error{errAccess, ErrNoWayBack}, passed: "observed · RESTORE · refused",
		},
		{
			name: "the journal cannot be written", prepare: func(_ *thing, m *memory) { m.open = errors.New("no space left on device") },
			passed: "observed · RESTORE · rehearsed · refused", not: []error{ErrStuck},
		},
		{
			name: "the journal cannot be written afterwards", prepare: func(_ *thing, m *memory) { m.shut = lost },
			passed: wayIn + " · " + wayOut, want: []error{lost}, not: []error{ErrStuck}, pending: 1, took: 25*time.Second + 2*time.Minute,
		},
		{
			name: "canceled before it began", cancel: true, want: []error{context.Canceled}, not: []error{ErrStuck}, passed: "refused",
		},
		{
			name: "broken already", prepare: func(_ *thing, m *memory) { m.entries = []Entry{{ID: "key"}} },
			passed: "refused", pending: 1, not: []error{ErrStuck},
		},
		{
			name: "somebody else changes it meanwhile", during: nil, prepare: func(c *thing, _ *memory) {
				c.breaks = func() (bool, error) {
					time.AfterFunc(5*time.Second, func() { c.set("theirs") })
					return true, nil
				}
			},
			want: []error{ErrStuck, ErrChanged}, state: "theirs", pending: 1, took: 10 * time.Second,
			passed: wayIn + " · restoring · RESTORE · stuck",
		},
		{
			name: "somebody breaks it again and again", prepare: func(c *thing, _ *memory) {
				c.restore = func(n int) (bool, error) {
					if n > 1 {
						time.AfterFunc(time.Second, func() { c.set("broken") })
					}
					return true, nil
				}
			},
			want: []error{ErrStuck}, state: "broken", pending: 1, took: 10*time.Second + 11*15*time.Second + 10*100*time.Millisecond,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.cancel {
					cancel()
				}
				c, j := newThing(), &memory{}
				if tt.prepare != nil {
					tt.prepare(c, j)
				}
				if tt.during == nil {
					tt.during = pause(10 * time.Second)
				}
				err, passed, took := inject(ctx, c, j, tt.during)
				if (err != nil) != (len(tt.want) > 0 || strings.Contains(passed, "refused")) {
					t.Errorf("error %v", err)
				}
				for _, want := range tt.want {
					if !errors.Is(err, want) {
						t.Errorf("error %v is not %v", err, want)
					}
				}
				for _, not := range tt.not {
					if errors.Is(err, not) {
						t.Errorf("error %v is %v", err, not)
					}
				}
				if errors.Is(err, ErrStuck) {
					var stuck *StuckError
					if !errors.As(err, &stuck) || stuck.ByHand != "set key fine" || stuck.ID != "key" {
						t.Errorf("the error %#v does not say how to repair it", err)
					}
					if !strings.HasSuffix(passed, " · stuck") {
						t.Errorf("stuck, yet the last station is in %q", passed)
					}
				}
				if tt.passed != "" && passed != tt.passed {
					t.Errorf("passed\n %s, want\n %s", passed, tt.passed)
				}
				if got, want := c.state(), cmp.Or(tt.state, "fine"); got != want {
					t.Errorf("left %q, want %q", got, want)
				}
				if len(j.entries) != tt.pending {
					t.Errorf("%d journal entries left, want %d", len(j.entries), tt.pending)
				}
				if took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				for _, e := range j.opened {
					if e.ID != "key" || string(e.Prior) != "fine" || e.Run != "a.yaml" || e.Where != "a.yaml:3:5" || e.PID == 0 ||
						e.ByHand != "set key fine" || !e.At.Equal(e.At.UTC()) || e.At.IsZero() {
						t.Errorf("entry %+v does not hold all it takes", e)
					}
				}
			})
		})
	}
}

func atLeast(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

// A cancellation between the journal and the break must find the last door still closed.
func TestCanceledOnTheThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c, j := newThing(), &memory{}
		err := Bracket{Journal: j, Notify: func(at Station, _ error) {
			c.say(stationNames[at])
			if at == Journaled {
				cancel()
			}
		}}.Inject(ctx, c, pause(time.Second))
		got, want := strings.Join(c.calls(), " · "), "observed · RESTORE · rehearsed · journaled · refused"
		if got != want || !errors.Is(err, context.Canceled) || len(j.entries) > 0 || c.state() != "fine" {
			t.Errorf("passed %q, want %q; error %v, %d entries left, state %q", got, want, err, len(j.entries), c.state())
		}
	})
}

func TestPanicRestoresAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, j := newThing(), &memory{}
		func() {
			defer func() {
				if r := recover(); r != "boom" {
					t.Errorf("recovered %v, want the body's panic", r)
				}
			}()
			_ = Bracket{Journal: j}.Inject(t.Context(), c, func(context.Context) error { panic("boom") })
		}()
		if c.state() != "fine" || len(j.entries) > 0 {
			t.Errorf("state %q and %d entries after a panic", c.state(), len(j.entries))
		}
	})
}

// A panic of the target under the watch happens in another goroutine, which must not take the process
// with it while something is broken.
func TestPanicOfTheWatchRestoresAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, j := newThing(), &memory{}
		c.observe = func(n int) error {
			if n == 3 {
				panic("watch")
			}
			return nil
		}
		func() {
			defer func() {
				if r := recover(); r != "watch" {
					t.Errorf("recovered %v, want the watch's panic", r)
				}
			}()
			_ = Bracket{Journal: j}.Inject(t.Context(), c, pause(time.Second))
		}()
		if c.state() != "fine" || len(j.entries) > 0 {
			t.Errorf("state %q and %d entries after a panic", c.state(), len(j.entries))
		}
	})
}

// Visible comes when the fault shows, not when it was accepted, and never once restoring has begun.
func TestVisible(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration // from Break to its effect
		want  time.Duration // after Broken; negative means never
	}{
		{"at once", 0, 0},
		{"a second later", time.Second, 1550 * time.Millisecond}, // looks after 0, 50, 150, 350, 750, 1550 ms
		{"after the body has ended", 9 * time.Second, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newThing()
				c.breaks = func() (bool, error) {
					if tt.after == 0 {
						c.set("broken")
					} else {
						time.AfterFunc(tt.after, func() { c.set("broken") })
					}
					return false, nil
				}
				var broken, visible time.Time
				err := Bracket{Journal: &memory{}, Notify: func(at Station, _ error) {
					switch at {
					case Broken:
						broken = time.Now()
					case Visible:
						visible = time.Now()
					}
				}}.Inject(t.Context(), c, pause(5*time.Second))
				if err != nil {
					t.Fatal(err)
				}
				got := visible.Sub(broken)
				if visible.IsZero() {
					got = -1
				}
				if got != tt.want {
					t.Errorf("visible after %v, want %v", got, tt.want)
				}
				if c.state() != "fine" {
					t.Errorf("left %q", c.state())
				}
			})
		})
	}
}

// slow is a target whose restore works in the background.
type slow struct {
	*thing
	takes  time.Duration
	atMost time.Duration
}

func (s *slow) Restore(ctx context.Context, prior State) error {
	if s.state() == "broken" {
		s.set("working")
		time.AfterFunc(s.takes, func() { s.set(string(prior)) })
	}
	return ctx.Err()
}

func (s *slow) UnderWay(now, prior State) time.Duration {
	if string(now) == "working" {
		return s.atMost
	}
	return 0
}

// anew is a slow target that begins to work when its restore is rehearsed, although there is nothing to do.
type anew struct {
	*slow
	rehearsed bool
}

func (a *anew) Restore(ctx context.Context, prior State) error {
	if !a.rehearsed {
		a.rehearsed = true
		a.set("broken")
	}
	return a.slow.Restore(ctx, prior)
}

// A rehearsal that makes progress is waited for, and one that does not is refused.
func TestSlowRehearsal(t *testing.T) {
	for _, tt := range []struct {
		name          string
		takes, atMost time.Duration
		want          error
	}{
		{"makes progress", time.Minute, 30 * time.Minute, nil},
		{"is at rest elsewhere", time.Minute, 0, ErrNoWayBack},
		{"takes longer than the budget", 10 * time.Minute, 30 * time.Minute, ErrNoWayBack},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &anew{slow: &slow{thing: newThing(), takes: tt.takes, atMost: tt.atMost}}
				err := Bracket{Journal: &memory{}}.Inject(t.Context(), c, func(context.Context) error { return nil })
				if !errors.Is(err, tt.want) || (err != nil) != (tt.want != nil) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
				time.Sleep(time.Hour) // the work in the background ends before the bubble does
			})
		})
	}
}

// A restore that makes progress may take longer than the budget of one that does not.
func TestSlowRestore(t *testing.T) {
	for _, tt := range []struct {
		name          string
		takes, atMost time.Duration
		stuck         bool
	}{
		{"within the budget", time.Minute, 30 * time.Minute, false},
		{"beyond the budget", 10 * time.Minute, 30 * time.Minute, false},
		{"beyond what it may take", 40 * time.Minute, 30 * time.Minute, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, j := &slow{thing: newThing(), takes: tt.takes, atMost: tt.atMost}, &memory{}
				began := time.Now()
				err := Bracket{Journal: j}.Inject(t.Context(), c, func(context.Context) error { return nil })
				if errors.Is(err, ErrStuck) != tt.stuck {
					t.Errorf("error %v", err)
				}
				if took := time.Since(began); took > tt.atMost+15*time.Second {
					t.Errorf("took %v", took)
				}
				time.Sleep(time.Hour) // the work in the background ends before the bubble does
			})
		})
	}
}

// outside is a target that is not in the sandbox.
type outside struct{ *thing }

func (outside) Outside() {}

// An entry of the embedded sandbox is closed unread once the sandbox is gone; what is outside of it must
// not be.
func TestOutside(t *testing.T) {
	for _, tt := range []struct {
		name   string
		target func(*thing) Target
		want   bool
	}{
		{"inside", func(c *thing) Target { return c }, true},
		{"outside", func(c *thing) Target { return outside{c} }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &memory{}
				err := Bracket{Journal: j, Entry: Entry{Embedded: true}}.Inject(t.Context(), tt.target(newThing()), pause(time.Second))
				if err != nil || len(j.opened) != 1 || j.opened[0].Embedded != tt.want {
					t.Errorf("entries %+v, error %v; want embedded %v", j.opened, err, tt.want)
				}
			})
		})
	}
}

// needy cannot be restored without another.
type needy struct {
	*thing
	needs string
}

func (n needy) Needs() []string { return []string{n.needs} }

func TestCollide(t *testing.T) {
	a, b, other := newThing(), newThing(), newThing()
	b.id, other.id = "b", "other"
	for _, tt := range []struct {
		name string
		a, b Target
		want bool
	}{
		{"the same", a, newThing(), true},
		{"two", a, b, false},
		{"one needs the other", needy{a, "b"}, b, true},
		{"one needs a third", needy{a, "b"}, other, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, back := Collide(tt.a, tt.b), Collide(tt.b, tt.a); got != tt.want || back != tt.want {
				t.Errorf("got %v and %v, want %v both ways", got, back, tt.want)
			}
		})
	}
}

// oneWay is a target that nothing brings back.
type oneWay struct{ *thing }

func (oneWay) OneWay() {}

// Nothing is rehearsed, journaled or restored of what is one-way; what can be refused is refused.
func TestOneWay(t *testing.T) {
	lost := errors.New("i/o timeout")
	const done = "observed · breaking · BREAK · broken · visible"
	for _, tt := range []struct {
		name    string
		prepare func(*thing)
		during  error
		cancel  bool // before it began
		late    bool // canceled while it is observed
		passed  string
		want    error
		state   string
	}{
		{name: "everything well", passed: done, state: "broken"},
		{name: "the body fails", during: errBody, passed: done, want: errBody, state: "broken"},
		{name: "the answer is lost", prepare: func(c *thing) { c.breaks = func() (bool, error) { return true, lost } },
			passed: "observed · breaking · BREAK", want: lost, state: "broken"},
		{name: "it cannot be observed", prepare: func(c *thing) { c.observe = func(int) error { return errAccess } },
			passed: "refused", want: errAccess, state: "fine"},
		{name: "canceled before it began", cancel: true, passed: "refused", want: context.Canceled, state: "fine"},
		{name: "canceled while it is observed", late: true, passed: "refused", want: context.Canceled, state: "fine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.cancel {
					cancel()
				}
				c, j := newThing(), &memory{}
				if tt.prepare != nil {
					tt.prepare(c)
				}
				if tt.late {
					c.observe = func(int) error { cancel(); return nil }
				}
				err := Bracket{Journal: j, Notify: func(at Station, _ error) { c.say(stationNames[at]) }}.Inject(ctx, oneWay{c},
					func(ctx context.Context) error { sleep(ctx, time.Second); return tt.during })
				if !errors.Is(err, tt.want) || (err != nil) != (tt.want != nil) || errors.Is(err, ErrStuck) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
				if got := strings.Join(c.calls(), " · "); got != tt.passed {
					t.Errorf("passed %s, want %s", got, tt.passed)
				}
				if c.state() != tt.state || len(j.opened) > 0 {
					t.Errorf("left %q and %d entries, want %q and none", c.state(), len(j.opened), tt.state)
				}
			})
		})
	}
}

// world is a cloud that may die under us, lie to us, or lose our answers.
type world struct {
	mu      sync.Mutex        // guards all below, for one step
	keys    map[string]string // live state
	journal []Entry           // what the disk holds
	steps   int               // calls made
	dieAt   int               // the process is killed before this call
	dead    bool
	rng     *rand.Rand
	flaky   float64
	slow    map[string]time.Duration // targets that change in the background, and how long that takes
	oneWay  map[string]bool          // targets that nothing brings back
	deaths  [Stuck + 1]int           // at each station
}

// target makes the target of an id, of its kind.
func (w *world) target(id, bad string) Target {
	k := key{w, id, bad}
	switch {
	case w.slow[id] > 0:
		return slowKey{k}
	case w.oneWay[id]:
		return oneWayKey{k}
	}
	return k
}

// left is what all must be as it was, that is without what nothing brings back.
func (w *world) left() map[string]string {
	all := w.all()
	maps.DeleteFunc(all, func(id, _ string) bool { return w.oneWay[id] })
	return all
}

// station is a moment, too.
func (w *world) station(at Station) {
	w.mu.Lock()
	if !w.dead && w.steps+1 == w.dieAt {
		w.deaths[at]++
	}
	w.mu.Unlock()
	w.step()
}

type killed struct{}

var errTimeout = errors.New("i/o timeout")

// call is the prologue of every interaction with the outside.
func (w *world) call(ctx context.Context) (lost bool, late time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return false, 0, err
	}
	w.step()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rng.Float64() < w.flaky { // done, done later, or not done: we do not get to know
		late = time.Duration(w.rng.IntN(20_000)-10_000) * time.Millisecond
		return w.rng.IntN(2) == 0, max(0, late), errTimeout
	}
	return false, 0, nil
}

// step is a moment at which the process may be killed.
func (w *world) step() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps++
	if w.dead = w.dead || w.steps == w.dieAt; w.dead {
		panic(killed{}) // deferred calls come through here too, and die again
	}
}

type key struct {
	w       *world
	id, bad string
}

func (k key) ID() string            { return k.id }
func (k key) Spec() json.RawMessage { return []byte(`{"bad":"` + k.bad + `"}`) }
func (k key) ByHand(p State) string { return "set " + k.id + " " + string(p) }
func (k key) Observe(ctx context.Context) (State, error) {
	if _, _, err := k.w.call(ctx); err != nil {
		return nil, err
	}
	return State(k.w.get(k.id)), nil
}

func (k key) set(ctx context.Context, v string) error {
	lost, late, err := k.w.call(ctx)
	switch {
	case err == nil || lost:
		k.w.put(k.id, v)
	case late > 0:
		time.AfterFunc(late, func() { k.w.put(k.id, v) })
	}
	return err
}
func (k key) Break(ctx context.Context) error                { return k.set(ctx, k.bad) }
func (k key) Restore(ctx context.Context, prior State) error { return k.set(ctx, string(prior)) }

// A slowKey is a key whose changes are carried out in the background.
type slowKey struct{ key }

const working = " UPDATING"

func (k slowKey) Break(ctx context.Context) error                { return k.begin(ctx, k.bad) }
func (k slowKey) Restore(ctx context.Context, prior State) error { return k.begin(ctx, string(prior)) }

func (k slowKey) begin(ctx context.Context, v string) error {
	if strings.TrimSuffix(k.w.get(k.id), working) == v {
		return ctx.Err()
	}
	return k.set(ctx, v+working)
}

// Observe is where the work in the background is seen to have come on.
func (k slowKey) Observe(ctx context.Context) (State, error) {
	if v, busy := strings.CutSuffix(k.w.get(k.id), working); busy {
		time.AfterFunc(k.w.slow[k.id], func() {
			k.w.mu.Lock()
			defer k.w.mu.Unlock()
			if k.w.keys[k.id] == v+working { // nobody has told it otherwise
				k.w.keys[k.id] = v
			}
		})
	}
	return k.key.Observe(ctx)
}

func (k slowKey) UnderWay(now, _ State) time.Duration {
	if strings.HasSuffix(string(now), working) {
		return 30 * time.Minute
	}
	return 0
}

// A oneWayKey is a key that nothing brings back.
type oneWayKey struct{ key }

func (oneWayKey) OneWay() {}
func (k oneWayKey) Restore(context.Context, State) error {
	panic("somebody restores what is one-way: " + k.id)
}

func (w *world) get(id string) string   { w.mu.Lock(); defer w.mu.Unlock(); return w.keys[id] }
func (w *world) all() map[string]string { w.mu.Lock(); defer w.mu.Unlock(); return maps.Clone(w.keys) }
func (w *world) put(id, v string)       { w.mu.Lock(); defer w.mu.Unlock(); w.keys[id] = v }

func (w *world) Open(e Entry) error {
	lost, _, err := w.call(context.Background())
	if err == nil || lost {
		w.journal = append(w.journal, e)
	}
	return err
}

func (w *world) Close(id string) error {
	lost, _, err := w.call(context.Background())
	if err == nil || lost {
		w.journal = slices.DeleteFunc(w.journal, func(e Entry) bool { return e.ID == id })
	}
	return err
}

func (w *world) Pending() ([]Entry, error) {
	if _, _, err := w.call(context.Background()); err != nil {
		return nil, err
	}
	return slices.Clone(w.journal), nil
}

// Whatever call the process dies before, whatever station it has just passed, and whatever answers get
// lost, every target is either back already or in the journal, and Recover brings it back.
func TestEverythingComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const seeds, deaths = 240, 100
		runs, crashes, brokenAtCrash, stuck := 0, 0, 0, 0
		var at [Stuck + 1]int
		for seed := range uint64(seeds) {
			for dieAt := 1; dieAt <= deaths; dieAt++ {
				runs++
				crashed, broken, isStuck := oneRun(t, seed, dieAt, &at)
				crashes, brokenAtCrash, stuck = crashes+crashed, brokenAtCrash+broken, stuck+isStuck
				if t.Failed() {
					return
				}
			}
		}
		t.Logf("%d runs, %d killed, %d of those with something broken at the kill, %d stuck, 0 left broken after Recover",
			runs, crashes, brokenAtCrash, stuck)
		for at, n := range at {
			t.Logf("%d killed when it was %s", n, stationNames[at])
			if n == 0 && Station(at) != Stuck { // which takes two minutes of refusals; TestInject has them
				t.Errorf("nobody died when it was %s", stationNames[at])
			}
		}
		if runs != 24_000 || crashes < 4000 || brokenAtCrash < 1000 {
			t.Errorf("the simulation does not kill enough any more to prove anything")
		}
	})
}

func oneRun(t *testing.T, seed uint64, dieAt int, deaths *[Stuck + 1]int) (crashed, brokenAtCrash, stuck int) {
	rng := rand.New(rand.NewPCG(seed, 7))
	w := &world{keys: map[string]string{}, slow: map[string]time.Duration{}, oneWay: map[string]bool{}, dieAt: dieAt, rng: rng, flaky: []float64{0, .1, .3}[seed%3]}
	n := 1 + rng.IntN(3)
	for i := range n {
		w.keys[fmt.Sprint("key", i)] = []string{"Enabled", "Disabled", "alias->A"}[rng.IntN(3)]
		switch id := fmt.Sprint("key", i); rng.IntN(4) {
		case 0:
			w.slow[id] = time.Duration(1+rng.IntN(200)) * time.Second // also beyond the budget
		case 1:
			w.oneWay[id] = true
		}
	}
	was, want := maps.Clone(w.keys), w.left()
	defer func() {
		for at, n := range w.deaths {
			deaths[at] += n
		}
	}()
	// A signal, or a stop condition.
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rng.IntN(60))*time.Second)
	settled := map[string]bool{}
	died := func() (died bool) {
		defer cancel()
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(killed); !ok {
					panic(r)
				}
				died = true
			}
		}()
		var nest func(ctx context.Context, i int) error
		nest = func(ctx context.Context, i int) error {
			if i == n {
				return nil
			}
			id := fmt.Sprint("key", i)
			notify := func(at Station, _ error) {
				w.station(at)
				if at == Settled {
					settled[id] = true // by the goroutine of Inject alone; Visible comes from another
				}
			}
			return Bracket{Journal: w, Notify: notify}.Inject(ctx, w.target(id, "BROKEN"), func(ctx context.Context) error {
				sleep(ctx, 5*time.Second)
				return nest(ctx, i+1)
			})
		}
		if err := nest(ctx, 0); errors.Is(err, ErrStuck) {
			stuck = 1
		}
		return false
	}()
	if !died {
		time.Sleep(time.Minute)
		if got := w.left(); !maps.Equal(got, want) {
			t.Fatalf("seed %d dieAt %d: not killed, yet Inject left %v, want %v", seed, dieAt, got, want)
		}
	}
	if died {
		crashed = 1
		if got := w.left(); !maps.Equal(got, want) {
			brokenAtCrash = 1
		}
	}
	for _, e := range w.journal {
		if w.oneWay[e.ID] {
			t.Fatalf("seed %d dieAt %d: the journal promises to restore %s, which is one-way", seed, dieAt, e.ID)
		}
		if settled[e.ID] {
			t.Fatalf("seed %d dieAt %d: %s was said to be settled while its entry was open", seed, dieAt, e.ID)
		}
	}
	w.dieAt, w.dead, w.flaky = -1, false, 0
	if died {
		time.Sleep(time.Duration(rng.IntN(20_000)) * time.Millisecond) // until someone runs Recover
	}
	err := Recover(context.Background(), w, func(e Entry) (Target, error) { return w.target(e.ID, ""), nil }, RecoverOptions{})
	if err != nil {
		t.Fatalf("seed %d dieAt %d: %v", seed, dieAt, err)
	}
	time.Sleep(time.Minute) // nothing lands after this
	if got := w.left(); !maps.Equal(got, want) {
		t.Fatalf("seed %d dieAt %d: left %v, want %v", seed, dieAt, got, want)
	}
	for id := range w.oneWay {
		if got := w.get(id); got != was[id] && got != "BROKEN" {
			t.Fatalf("seed %d dieAt %d: %s is one-way, and became %q", seed, dieAt, id, got)
		}
	}
	if len(w.journal) != 0 {
		t.Fatalf("seed %d dieAt %d: journal not empty: %v", seed, dieAt, w.journal)
	}
	return crashed, brokenAtCrash, stuck
}
