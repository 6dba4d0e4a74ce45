package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amzn/ion-go/ion"
	"github.com/anishathalye/porcupine"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/qldbsession"
	"github.com/aws/aws-sdk-go-v2/service/qldbsession/types"
	"github.com/awslabs/amazon-qldb-driver-go/v3/qldbdriver"

	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
)

// A touch is what a client did to one record: read its number, or set it.
type touch struct {
	record int
	write  bool
	value  int64
}

// number is what one record's number may be: what was written last, one write after the other.
var number = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byRecord := map[int][]porcupine.Operation{}
		for _, o := range history {
			record := o.Input.(touch).record
			byRecord[record] = append(byRecord[record], o)
		}
		var all [][]porcupine.Operation
		for _, part := range byRecord {
			all = append(all, part)
		}
		return all
	},
	Init: func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		if in := input.(touch); in.write {
			return true, in.value
		}
		return output == state, state
	},
}

// errRefused is any answer that says that the ledger may not use its key, or that somebody else was
// faster: nothing has happened then.
var errRefused = errors.New("refused")

// users are what the clients of TestClientsWhileKeysComeAndGo share.
type users struct {
	sandbox *Sandbox
	client  *http.Client
	driver  *qldbdriver.QLDBDriver
	denied  atomic.Int64 // answers that the key is out of reach
	served  atomic.Int64 // good answers
}

// api sends a request to the API and returns the body of a good answer.
func (u *users) api(ctx context.Context, method, path, body string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.sandbox.APIURL()+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	res, err := u.client.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return "", err
	case res.StatusCode == http.StatusInternalServerError && string(got) == grantMessage:
		u.denied.Add(1)
		return "", errRefused
	case res.StatusCode/100 != 2:
		return "", fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, got)
	}
	u.served.Add(1)
	return string(got), nil
}

// session runs one statement in a transaction of AWS's driver, and returns the number in its rows, or -1.
func (u *users) session(ctx context.Context, statement string, parameters ...any) (int64, error) {
	n, err := u.driver.Execute(ctx, func(x qldbdriver.Transaction) (any, error) {
		rows, err := x.Execute(statement, parameters...)
		if err != nil {
			return nil, err
		}
		n := int64(-1)
		for rows.Next(x) {
			var row struct {
				N int64 `ion:"n"`
			}
			if err := ion.Unmarshal(rows.GetCurrentData(), &row); err != nil {
				return nil, err
			}
			n = row.N
		}
		return n, rows.Err()
	})
	var bad *types.BadRequestException
	var conflict *types.OccConflictException
	switch {
	case errors.As(err, &bad) && strings.Contains(bad.ErrorMessage(), "grant access"):
		u.denied.Add(1)
		return 0, errRefused
	case errors.As(err, &conflict):
		return 0, errRefused
	case err != nil:
		return 0, fmt.Errorf("%s: %w", statement, err)
	}
	u.served.Add(1)
	return n.(int64), nil
}

// change does to the keys all that may be done while a ledger is in use, so often, and ends with
// everything as it was.
func (u *users) change(t *testing.T, times int) {
	s := u.sandbox
	admin := s.KMS().Directory().Admin()
	until := func(what string, done func() bool) bool {
		for end := time.Now().Add(30 * time.Second); !done(); {
			if time.Now().After(end) {
				t.Errorf("still not true: %s", what)
				return false
			}
			if !s.Clock().Sleep(t.Context(), time.Millisecond) {
				return false
			}
		}
		return true
	}
	for i := range times {
		output := []string{"rotateKeyID", "mainKeyID"}[i%2]
		key := s.key(output)
		_, err := s.KMS().RotateKeyOnDemand(admin, &kms.RotateKeyOnDemandRequest{KeyId: key})
		if err == nil {
			err = s.KMS().UpdateAlias(admin, &kms.UpdateAliasRequest{AliasName: "alias/qldb-kms-poc", TargetKeyId: key})
		}
		if err == nil {
			_, err = s.Ledgers().UpdateLedger(t.Context(), admin, s.Ledger(), &ledger.UpdateLedgerRequest{KmsKey: &key})
		}
		if err != nil {
			t.Error(err)
			return
		}
		if !until("the ledger has "+output, func() bool { return shows(t, s, output, "ENABLED") }) {
			return
		}
		if err := s.KMS().DisableKey(admin, &kms.DisableKeyRequest{KeyId: key}); err != nil {
			t.Error(err)
			return
		}
		denied := u.denied.Load()
		if !until("clients notice", func() bool { return u.denied.Load() > denied+10 }) {
			return
		}
		if err := s.KMS().EnableKey(admin, &kms.EnableKeyRequest{KeyId: key}); err != nil {
			t.Error(err)
			return
		}
		served := u.served.Load()
		if !until("clients go on", func() bool { return u.served.Load() > served+200 }) {
			return
		}
	}
}

// create creates a record whose number follows from its id.
func (u *users) create(ctx context.Context, id int, session bool) (err error) {
	if session {
		_, err = u.session(ctx, "INSERT INTO Test ?", map[string]int{"id": id, "n": 7 * id})
	} else {
		_, err = u.api(ctx, "POST", "/record", fmt.Sprintf(`{"id":%d,"n":%d}`, id, 7*id))
	}
	return err
}

// read returns the number of a record.
func (u *users) read(ctx context.Context, id int, session bool) (int64, error) {
	if session {
		return u.session(ctx, "SELECT * FROM Test WHERE id = ?", id)
	}
	text, err := u.api(ctx, "GET", fmt.Sprintf("/record/%d", id), "")
	if err != nil {
		return 0, err
	}
	var got struct{ ID, N int64 }
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.ID != int64(id) {
		return 0, fmt.Errorf("record %d is %s: %v", id, text, err)
	}
	return got.N, nil
}

// own lets a client create records with ids from first on, and read those it has, until done. It returns
// the ids whose creation was acknowledged, and those whose creation was refused.
func (u *users) own(ctx context.Context, random *rand.Rand, first int, session bool, done *atomic.Bool) (created, refused []int, err error) {
	const most = 100
	for next := first; !done.Load(); {
		if len(created) == 0 || next < first+most && random.IntN(2) == 0 {
			switch err := u.create(ctx, next, session); {
			case err == nil:
				created = append(created, next)
			case errors.Is(err, errRefused):
				refused = append(refused, next)
			default:
				return created, refused, err
			}
			next++
			continue
		}
		id := created[random.IntN(len(created))]
		if n, err := u.read(ctx, id, session); err == nil && n != int64(7*id) {
			return created, refused, fmt.Errorf("the number of record %d is %d", id, n)
		} else if err != nil && !errors.Is(err, errRefused) {
			return created, refused, err
		}
	}
	return created, refused, nil
}

// share lets a client change and read the records 1 to hot, until done, and returns what came of it.
func (u *users) share(ctx context.Context, random *rand.Rand, client, hot int, began time.Time, done *atomic.Bool,
) (history []porcupine.Operation, err error) {
	for i := 1; !done.Load(); i++ {
		in := touch{record: 1 + random.IntN(hot), write: random.IntN(3) == 0, value: int64(client<<32 + i)}
		called := time.Since(began).Nanoseconds()
		var out int64
		if in.write {
			_, err = u.session(ctx, "UPDATE Test SET n = ? WHERE id = ?", in.value, in.record)
		} else {
			out, err = u.read(ctx, in.record, random.IntN(2) == 0)
		}
		returned := time.Since(began).Nanoseconds()
		if errors.Is(err, errRefused) {
			continue
		}
		if err != nil {
			return history, err
		}
		history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: called, Output: out, Return: returned})
	}
	return history, nil
}

// TestClientsWhileKeysComeAndGo lets 64 clients create, change and read, through the API and through
// sessions, while keys are rotated, swapped, disabled and enabled. Requests may be refused meanwhile;
// but what was acknowledged is there in the end, what was refused is not, nobody ever reads anything that
// was not written, and the records that many change have histories that one client after the other could
// have had.
func TestClientsWhileKeysComeAndGo(t *testing.T) {
	const (
		apiClients, sessionClients, changers = 40, 16, 8
		hot                                  = 6
		changes                              = 12
	)
	seed, ctx := rand.Uint64(), t.Context()
	s := RunT(t, Options{KeyCache: 20 * time.Millisecond, RecoveryProbe: 20 * time.Millisecond,
		LedgerUpdate: 50 * time.Millisecond, AliasCheck: 20 * time.Millisecond})
	u := &users{sandbox: s, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: apiClients + changers}}}
	defer u.client.CloseIdleConnections()
	transport := &http.Transport{MaxIdleConnsPerHost: sessionClients + changers}
	defer transport.CloseIdleConnections()
	client := qldbsession.New(qldbsession.Options{Region: s.Region(), BaseEndpoint: aws.String(s.AWSURL()),
		Credentials: config(s, "AKIA").Credentials, HTTPClient: &http.Client{Transport: transport}})
	var err error
	u.driver, err = qldbdriver.New(s.Ledger(), client, func(o *qldbdriver.DriverOptions) {
		o.LoggerVerbosity = qldbdriver.LogOff
		o.MaxConcurrentTransactions = sessionClients + changers
	})
	if err != nil {
		t.Fatal(err)
	}
	defer u.driver.Shutdown(context.WithoutCancel(ctx))
	for id := 1; id <= hot; id++ {
		want(t, s, "POST", "/record", fmt.Sprintf(`{"id":%d,"n":0}`, id), 201, `"Success"`)
	}

	var (
		all              sync.WaitGroup
		done             atomic.Bool
		mu               sync.Mutex // guards the slices below, for an append at the end of a client
		created, refused []int
		history          []porcupine.Operation
	)
	began := time.Now()
	all.Go(func() {
		defer done.Store(true)
		u.change(t, changes)
	})
	for c := range apiClients + sessionClients + changers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(c)))
			var made, not []int
			var did []porcupine.Operation
			var err error
			if c < apiClients+sessionClients {
				made, not, err = u.own(ctx, random, 1000*(c+1), c >= apiClients, &done)
			} else {
				did, err = u.share(ctx, random, c, hot, began, &done)
			}
			if err != nil {
				t.Errorf("seed %d, client %d: %v", seed, c, err)
			}
			mu.Lock()
			defer mu.Unlock()
			created, refused, history = append(created, made...), append(refused, not...), append(history, did...)
		})
	}
	all.Wait()
	t.Logf("seed %d: %d records created, %d refused; %d operations on shared ones; %d answers without the key; in %v",
		seed, len(created), len(refused), len(history), u.denied.Load(), time.Since(began))
	for _, id := range created {
		if n, err := u.read(ctx, id, false); err != nil || n != int64(7*id) {
			t.Fatalf("seed %d: record %d was acknowledged, and its number is %d: %v", seed, id, n, err)
		}
	}
	for _, id := range refused {
		want(t, s, "GET", fmt.Sprintf("/record/%d", id), "", 400,
			fmt.Sprintf(`{"status":400,"title":"Record Not Found Error","detail":"Record with id %d does not exist"}`, id))
	}
	if len(created) < apiClients+sessionClients || len(history) < changes {
		t.Errorf("seed %d: %d records and %d operations, want more to have happened", seed, len(created), len(history))
	}
	if got := porcupine.CheckOperationsTimeout(number, history, 20*time.Second); got != porcupine.Ok {
		t.Errorf("seed %d: the histories are %s", seed, got)
	}
}

// TestHistoriesCanBeWrong makes sure that a lost write would be seen.
func TestHistoriesCanBeWrong(t *testing.T) {
	lost := []porcupine.Operation{
		{ClientId: 0, Input: touch{1, true, 5}, Call: 0, Output: int64(0), Return: 10},
		{ClientId: 1, Input: touch{1, false, 0}, Call: 11, Output: int64(0), Return: 15},
	}
	if porcupine.CheckOperations(number, lost) {
		t.Error("a read that misses an earlier write passed")
	}
}
