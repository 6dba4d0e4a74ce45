package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/ion"
)

// A move is what a client did to one record: read its number, or set it, or add one to it.
type move struct {
	record int
	kind   byte // r, w, a
	value  int64
}

// register is a record's number as one after the other would see it.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[int][]porcupine.Operation{}
		for _, o := range history {
			r := o.Input.(move).record
			parts[r] = append(parts[r], o)
		}
		var all [][]porcupine.Operation
		for _, p := range parts {
			all = append(all, p)
		}
		return all
	},
	Init: func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		m, was := input.(move), state.(int64)
		switch m.kind {
		case 'r':
			return output.(int64) == was, was
		case 'a':
			return output.(int64) == was, was + 1
		}
		return true, m.value
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprint(input, output) },
}

// TestHistoriesAreLinearizable lets clients of both ways to a record, the protocol's transactions and
// the API's look-ups, use few records at once while the ledger's key is changed, and checks the history
// of each record. What ended in a conflict has not happened.
func TestHistoriesAreLinearizable(t *testing.T) {
	seed := rand.Uint64()
	v := newVault(t, "main", "rotate")
	s := New(Options{Account: "123456789012", Region: "eu-west-2", Clock: clock.New(60), Keys: v,
		KeyCache: time.Second, Update: 50 * time.Millisecond, segmentsPerNode: 1})
	defer s.Close()
	if _, err := s.CreateLedger(ctx, admin, &CreateLedgerRequest{Name: "records", PermissionsMode: "STANDARD", KmsKey: "main"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateTable(ctx, admin, "records", "Test"); err != nil {
		t.Fatal(err)
	}
	setup := connect(t, s, role, "records")
	const records, clients, moves = 3, 8, 400
	for r := range records {
		setup.must(fmt.Sprintf("INSERT INTO Test {'id': %d, 'n': 0}", r))
	}
	var (
		mu        sync.Mutex
		history   []porcupine.Operation
		conflicts atomic.Int64
		all, keys sync.WaitGroup
		done      atomic.Bool
	)
	began := time.Now()
	keys.Go(func() {
		for i := 0; !done.Load(); i++ {
			key := []string{"rotate", "main"}[i%2]
			if _, err := s.UpdateLedger(ctx, admin, "records", &UpdateLedgerRequest{KmsKey: &key}); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
	})
	for client := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(client)))
			p := connect(t, s, role, "records")
			session, err := s.StartSession(ctx, role, "records")
			if err != nil {
				t.Error(err)
				return
			}
			for i := range moves {
				m := move{record: random.IntN(records), kind: "rfwa"[random.IntN(4)], value: int64(client*moves + i)}
				call := time.Since(began).Nanoseconds()
				out, err := m.make(p, session)
				end := time.Since(began).Nanoseconds()
				if m.kind == 'f' {
					m.kind = 'r'
				}
				var e *Error
				if errors.As(err, &e) && e.Code == CodeOccConflict {
					conflicts.Add(1)
					continue
				}
				if err != nil {
					t.Errorf("%+v: %v", m, err)
					return
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: client, Input: m, Call: call, Output: out, Return: end})
				mu.Unlock()
			}
		})
	}
	all.Wait()
	done.Store(true)
	keys.Wait()
	t.Logf("seed %d: %d operations, %d conflicts", seed, len(history), conflicts.Load())
	if len(history) < clients*moves/4 {
		t.Errorf("only %d operations of %d got through", len(history), clients*moves)
	}
	if got := porcupine.CheckOperationsTimeout(register, history, 10*time.Second); got != porcupine.Ok {
		t.Errorf("seed %d: the histories are %s", seed, got)
	}
}

// make makes a move and returns what it has read.
func (m move) make(p *peer, session *Session) (int64, error) {
	if m.kind == 'f' {
		doc, ok, err := session.Find(ctx, "Test", NumberID(int64(m.record)), nil)
		if err != nil || !ok {
			return 0, fmt.Errorf("find: %v, %w", ok, err)
		}
		v, err := ion.FromJSON(doc)
		if err != nil {
			return 0, err
		}
		n, _ := v.Field("n")
		number, _ := n.AsInt()
		return number, nil
	}
	if err := p.begin(); err != nil {
		return 0, err
	}
	was := int64(-1)
	id := ion.Int(int64(m.record))
	if m.kind != 'w' {
		rows, err := p.execute("SELECT VALUE n FROM Test WHERE id = ?", id)
		if err != nil {
			return 0, err
		}
		if len(rows) != 1 {
			return 0, fmt.Errorf("%d rows", len(rows))
		}
		was, _ = rows[0].AsInt()
	}
	switch m.kind {
	case 'w':
		if _, err := p.execute("UPDATE Test SET n = ? WHERE id = ?", ion.Int(m.value), id); err != nil {
			return 0, err
		}
	case 'a':
		if _, err := p.execute("UPDATE Test SET n = ? WHERE id = ?", ion.Int(was+1), id); err != nil {
			return 0, err
		}
	}
	return was, p.commit()
}

// TestTheCheckCanFail makes sure that a lost update would be seen.
func TestTheCheckCanFail(t *testing.T) {
	lost := []porcupine.Operation{
		{ClientId: 0, Input: move{0, 'a', 0}, Call: 0, Output: int64(0), Return: 10},
		{ClientId: 1, Input: move{0, 'a', 0}, Call: 5, Output: int64(0), Return: 15},
	}
	if porcupine.CheckOperations(register, lost) {
		t.Error("two additions to the same number passed")
	}
}

// TestTransfersKeepTheSum moves money between records in transactions that read one and write two, and
// reads the sum with scans meanwhile: no committed scan may see half a transfer.
func TestTransfersKeepTheSum(t *testing.T) {
	b := setUp(t, Options{})
	const accounts, clients, times = 5, 4, 60
	for i := range accounts {
		b.insert(fmt.Sprintf(`{"id":%d,"n":100}`, i))
	}
	var all sync.WaitGroup
	var sums atomic.Int64
	for client := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 1))
			p := b.peer()
			for range times {
				from, to := ion.Int(int64(random.IntN(accounts))), ion.Int(int64(random.IntN(accounts)))
				err := p.begin()
				if err == nil && client == 0 {
					var rows []ion.Value
					if rows, err = p.execute("SELECT VALUE n FROM Test"); err == nil {
						err = p.commit()
					}
					sum := int64(0)
					for _, v := range rows {
						n, _ := v.AsInt()
						sum += n
					}
					if err == nil {
						sums.Add(1)
						if sum != accounts*100 {
							t.Errorf("the sum is %d", sum)
						}
					}
				} else if err == nil {
					if _, err = p.execute("UPDATE Test SET n = n - 1 WHERE id = ?", from); err == nil {
						if _, err = p.execute("UPDATE Test SET n = n + 1 WHERE id = ?", to); err == nil {
							err = p.commit()
						}
					}
				}
				var e *Error
				if err != nil && !(errors.As(err, &e) && e.Code == CodeOccConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d sums were committed meanwhile", sums.Load())
	if got := b.peer().must("SELECT SUM(n) FROM Test"); got != "{_1:500}" {
		t.Errorf("in the end the sum is %s", got)
	}
}
