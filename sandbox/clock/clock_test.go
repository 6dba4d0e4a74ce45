package clock

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleepFollowsTheSpeed(t *testing.T) {
	for _, speed := range []float64{0, 1, 60, 0.5, 1000} {
		synctest.Test(t, func(t *testing.T) {
			c, began := New(speed), time.Now()
			want := c.Now().Add(time.Minute)
			if !c.Sleep(context.Background(), time.Minute) {
				t.Fatal("Sleep was cut short")
			}
			if got := c.Now(); got.Before(want) || got.After(want.Add(time.Microsecond)) {
				t.Errorf("speed %v: woke at %v, want %v", speed, got, want)
			}
			if got, want := time.Since(began), c.Real(time.Minute); (got - want).Abs() > time.Microsecond {
				t.Errorf("speed %v: slept %v, want %v", speed, got, want)
			}
		})
	}
}

func TestAdvanceWakesSleepers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, began := New(1), time.Now()
		done := make(chan bool)
		go func() { done <- c.Sleep(context.Background(), time.Hour) }()
		synctest.Wait()
		c.Advance(30 * time.Minute)
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("woke half an hour early")
		default:
		}
		c.Advance(30 * time.Minute)
		if !<-done || time.Since(began) != 0 {
			t.Fatalf("woke after %v, want at once", time.Since(began))
		}
	})
}

func TestSleepCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		if New(1).Sleep(ctx, time.Hour) {
			t.Fatal("Sleep says the hour has passed")
		}
		if got := time.Since(began); got != time.Second {
			t.Fatalf("returned after %v, want 1s", got)
		}
	})
}

func TestResumeNeverGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := time.Now().Add(time.Hour)
		if got := Resume(60, last).Now(); !got.Equal(last) {
			t.Errorf("resumed at %v, want %v", got, last)
		}
		if got, want := Resume(60, last.Add(-2*time.Hour)).Now(), time.Now(); !got.Equal(want) {
			t.Errorf("resumed at %v, want the present time, %v", got, want)
		}
	})
}

func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(60)
		var lent atomic.Pointer[time.Time]
		var full atomic.Bool
		failure := errors.New("disk full")
		err := c.Lease(func(until time.Time) error {
			if full.Load() {
				return failure
			}
			lent.Store(&until)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := c.Now().Add(2 * time.Minute); !lent.Load().Equal(want) {
			t.Errorf("lent until %v, want %v", lent.Load(), want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Renew(ctx) }()
		began := c.Now()
		for range 100 {
			c.Sleep(ctx, 7*time.Second)
			if now := c.Now(); now.After(*lent.Load()) {
				t.Fatalf("it shows %v, which is after %v", now, lent.Load())
			}
		}
		if got := c.Now().Sub(began); got < 700*time.Second || got > 701*time.Second {
			t.Errorf("%v have passed, want 700s", got)
		}
		before := c.Now()
		c.Advance(24 * time.Hour)
		if got := c.Now().Sub(before); got < 24*time.Hour || c.Now().After(*lent.Load()) {
			t.Errorf("advanced by %v to %v with a lease until %v, want a day", got, c.Now(), lent.Load())
		}
		full.Store(true)
		if err := <-ended; !errors.Is(err, failure) {
			t.Errorf("Renew returns %v, want %v", err, failure)
		}
		time.Sleep(time.Hour)
		stood := c.Now()
		if time.Sleep(time.Hour); !c.Now().Equal(stood) {
			t.Errorf("it shows %v without a lease, want that it stands at %v", c.Now(), stood)
		}
		cancel()
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(60)
		kept := 0
		if err := c.Lease(func(time.Time) error { kept++; return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		stopped := c.Stop()
		time.Sleep(time.Second)
		c.Advance(time.Hour)
		if !c.Now().Equal(stopped) || kept != 1 {
			t.Errorf("it shows %v after Stop at %v, and was kept %d times, want once", c.Now(), stopped, kept)
		}
	})
}
