package runner

import (
	"context"
	"slices"
	"sync"
	"time"

	"loadkms/faults"
	"loadkms/result"
)

const (
	// witnessPatience bounds one question. An answer later than this is no longer about the present.
	witnessPatience = 5 * time.Second
	// mostSentences bounds what is kept of a witness that says something new every time.
	mostSentences = 100
)

// witness asks w what it makes of fault i, from now until the run is over and then a last time, and
// writes down every sentence it has not said before. A question under way when the run is over is
// given up in favor of the last one.
func (c *conductor) witness(i int, w faults.Witness, over <-chan struct{}) {
	tick := time.NewTicker(c.o.Watch)
	defer tick.Stop()
	during, give := context.WithCancel(context.Background())
	defer give()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() { <-over; give() })

	failed := false
	for last := false; ; {
		ctx := during
		if last {
			ctx = context.Background()
		}
		said, err := c.ask(ctx, w)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			c.testify(i, said)
		case !failed:
			failed = true // its words differ each time; once is enough
			c.event(result.Witnessed, i, "could not be asked: "+err.Error())
		}
		if last {
			return
		}
		select {
		case <-tick.C:
		case <-over:
			last = true
		}
	}
}

// ask asks w once. Its context is not the run's: what is said after an interruption is of interest.
func (c *conductor) ask(ctx context.Context, w faults.Witness) (said string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = c.mistake(r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, witnessPatience)
	defer cancel()
	return w.Witness(ctx)
}

// testify writes down a sentence about fault i, once.
func (c *conductor) testify(i int, said string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &c.faults[i]
	if said == "" || len(f.Witness) >= mostSentences || slices.Contains(f.Witness, said) {
		return
	}
	f.Witness = append(f.Witness, said)
	c.append(c.now(), result.Witnessed, i, said)
}
