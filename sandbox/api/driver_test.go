package api

import (
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/sandbox/ledger"
)

// TestCallsAndTimes compares with what was measured with AWS's drivers: how many calls one request
// makes, and how long it takes.
func TestCallsAndTimes(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	invalid := &ledger.Error{Code: ledger.CodeInvalidSession}
	for _, c := range []struct {
		name, driver string
		warm         bool
		refuse       string // whom KMS refuses
		always       error  // what every transaction fails with
		calls        int64
		least, most  time.Duration
	}{
		{"cold", DriverNode, false, "", nil, 4, 0, 0},
		{"cold", DriverGo, false, "", nil, 4, 0, 0},
		{"warm", DriverNode, true, "", nil, 3, 0, 0},
		{"warm", DriverGo, true, "", nil, 3, 0, 0},
		{"no session", DriverNode, false, "reader", nil, 5, 0, 11 * s},
		{"no session", DriverGo, false, "reader", nil, 1, 0, 0},
		{"no session", DriverNone, false, "reader", nil, 1, 0, 0},
		{"sessions always invalid", DriverNode, true, "", invalid, 9, 0, 11 * s},
		{"sessions always invalid", DriverGo, true, "", invalid, 9, 140 * ms, 280 * ms},
		{"out of order", DriverNode, true, "", errors.New("broken"), 15, 0, 11 * s},
		{"out of order", DriverGo, true, "", errors.New("broken"), 15, 150 * ms, 300 * ms},
		{"out of order", DriverNone, true, "", errors.New("broken"), 3, 0, 0},
		{"refused in session", DriverNode, true, "", &ledger.Error{Code: ledger.CodeAccessDenied}, 2, 0, 0},
		{"refused in session", DriverGo, true, "", &ledger.Error{Code: ledger.CodeAccessDenied}, 2, 0, 0},
		{"a bad request", DriverNode, true, "", &ledger.Error{Code: ledger.CodeBadRequest}, 3, 0, 0},
		{"a bad request", DriverGo, true, "", &ledger.Error{Code: ledger.CodeBadRequest}, 3, 0, 0},
	} {
		t.Run(c.name+" "+c.driver, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, keys := setUpWith(t, Options{Driver: c.driver, Concurrency: 1})
				if c.warm {
					if status, got := serve(a, "GET", "/record/1", ""); status != 400 {
						t.Fatal(status, got)
					}
				}
				keys.refuse(c.refuse, c.refuse != "")
				before, began := a.read.calls.Load(), time.Now()
				if c.always != nil {
					err := a.read.use(httptest.NewRequest("GET", "/", nil), func(*ledger.Session) error { return c.always })
					if err != c.always {
						t.Errorf("the error is %v, want %v", err, c.always)
					}
				} else if status, got := serve(a, "GET", "/record/1", ""); (status == 500) != (c.refuse != "") {
					t.Errorf("got %d %s", status, got)
				}
				if got := a.read.calls.Load() - before; got != c.calls {
					t.Errorf("%d calls, want %d", got, c.calls)
				}
				if took := time.Since(began); took < c.least || took > c.most {
					t.Errorf("it took %v, want %v to %v", took, c.least, c.most)
				}
			})
		})
	}
}

// TestNodeWaitsForSeconds takes the mean of many refused requests: the measured ones took 3 to 9 seconds.
func TestNodeWaitsForSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, keys := setUpWith(t, Options{Driver: DriverNode})
		keys.refuse("reader", true)
		began := time.Now()
		const n = 300
		for range n {
			serve(a, "GET", "/record/1", "")
		}
		if mean := time.Since(began) / n; mean < 4600*time.Millisecond || mean > 5800*time.Millisecond {
			t.Errorf("a refused request takes %v in the mean, want 5.2s", mean)
		}
		keys.refuse("reader", false)
		if status, got := serve(a, "GET", "/record/1", ""); status != 400 {
			t.Errorf("it does not recover: %d %s", status, got)
		}
	})
}

func TestContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, keys := setUpWith(t, Options{Driver: DriverNode, Concurrency: 3, ColdStart: 2 * time.Second, CallTime: 10 * time.Millisecond})
		if status, got := serve(a, "POST", "/record", `{"id":1}`); status != 201 {
			t.Fatal(status, got)
		}
		took := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			if status, got := serve(a, "GET", "/record/1", ""); status != 200 {
				t.Errorf("got %d %s", status, got)
			}
			if got := time.Since(began).Truncate(time.Millisecond); got != want {
				t.Errorf("it took %v, want %v", got, want)
			}
		}
		took(2*time.Second + 40*time.Millisecond)
		took(30 * time.Millisecond)
		time.Sleep(9 * time.Minute)
		took(30 * time.Millisecond)
		time.Sleep(9 * time.Minute) // its session is gone by now, and is replaced at once
		took(50 * time.Millisecond)
		time.Sleep(11 * time.Minute)
		took(2*time.Second + 40*time.Millisecond)

		var all sync.WaitGroup
		var mu sync.Mutex
		statuses := map[int]int{}
		for range 5 {
			all.Go(func() {
				status, body := serve(a, "GET", "/record/1", "")
				mu.Lock()
				defer mu.Unlock()
				statuses[status]++
				if status == 429 && body != `{"message":"Too Many Requests"}` {
					t.Errorf("429 says %s", body)
				}
			})
		}
		all.Wait()
		if statuses[200] != 3 || statuses[429] != 2 {
			t.Errorf("of 5 requests at once for 3 containers: %v", statuses)
		}
		took(30 * time.Millisecond)
		if keys.checked() < 4 {
			t.Errorf("only %d sessions were opened", keys.checked())
		}
	})
}

// TestAPanicGivesItsPlaceBack has a function panic in the one container there is.
func TestAPanicGivesItsPlaceBack(t *testing.T) {
	a, _ := setUpWith(t, Options{Concurrency: 1})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not come through")
			}
		}()
		_ = a.read.use(httptest.NewRequest("GET", "/", nil), func(*ledger.Session) error { panic("broken") })
	}()
	if status, got := serve(a, "GET", "/record/1", ""); status != 400 {
		t.Errorf("after a panic the API answers %d %s", status, got)
	}
}

func TestTheGatewayGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := setUpWith(t, Options{ColdStart: time.Minute})
		for range 2 { // the container that was given up does not come back
			began := time.Now()
			status, got := serve(a, "GET", "/record/1", "")
			if status != 504 || got != `{"message": "Endpoint request timed out"}` || time.Since(began).Truncate(time.Millisecond) != 29*time.Second {
				t.Errorf("after %v: got %d %s", time.Since(began), status, got)
			}
		}
		b, keys := setUpWith(t, Options{Driver: DriverNode, Timeout: time.Second})
		keys.refuse("creator", true)
		late := 0
		for range 20 {
			began := time.Now()
			if status, _ := serve(b, "POST", "/record", `{"id":1}`); status == 504 {
				late++
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %v", took)
			}
		}
		if late < 15 {
			t.Errorf("only %d of 20 requests timed out", late)
		}
	})
}

func TestDriverNames(t *testing.T) {
	for _, name := range append(Drivers(), "") {
		driverOf(name)
	}
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, "node-9") {
			t.Errorf("the panic is %q", p)
		}
	}()
	driverOf("node-9")
}
