package flow

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/measure"
	"loadkms/runner/internal/records"
)

// aside stands for the number of an arrival where there is none.
const aside = ^uint64(0)

// Before plays the flow the script has before the load, once, and blocks until it is over. What it
// captures every user starts with. Its requests are in no metrics. An error says at which place of the
// script the flow ended, and why; then the load has nothing to start from.
func (p *Program) Before(ctx context.Context, transport http.RoundTripper) error {
	u, err := p.playAside(ctx, transport, &p.before)
	if err != nil || u == nil {
		return err
	}
	p.given = append([]value(nil), u.slots...)
	if u.script != nil {
		p.processor.mu.Lock()
		defer p.processor.mu.Unlock()
		p.processor.given = p.processor.toJSON(u.script.vars)
	}
	return nil
}

// After plays the flow the script has after the load, as Before does.
func (p *Program) After(ctx context.Context, transport http.RoundTripper) error {
	_, err := p.playAside(ctx, transport, &p.after)
	return err
}

// playAside plays a flow that is none of the load, and returns the user that did; nil if there is nothing to
// do.
func (p *Program) playAside(ctx context.Context, transport http.RoundTripper, s *scenario) (*user, error) {
	if len(s.ops) == 0 {
		return nil, nil
	}
	d := &Driver{Program: p, Transport: transport, Recorder: measure.NewRecorder(nil), Timeout: p.timeout}
	inner, end := context.WithCancelCause(ctx)
	defer end(errEnded)
	r := &run{Driver: d, settings: settings{records: new(records.Set), timeout: p.timeout, limit: 1}, ctx: inner, end: end, began: time.Now()}
	p.begin(nil)
	var sweeper sync.WaitGroup
	sweeper.Go(r.sweep)
	defer sweeper.Wait()
	defer end(errEnded)
	u := r.claim(0)
	ended := r.play(u.walk, u.play(s, ticket{Arrival: arrival.Arrival{Seq: aside}, sequence: p.take(s)}))
	switch {
	case !ended:
		return nil, context.Cause(inner)
	case u.failure != nil:
		return nil, fmt.Errorf("%s, at %s", u.failure.why, u.failure.op.at)
	}
	return u, nil
}
