package clock

import (
	"context"
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
