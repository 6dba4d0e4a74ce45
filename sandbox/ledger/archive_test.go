package ledger

import (
	"bytes"
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

	"loadkms/sandbox/clock"
	"loadkms/sandbox/ion"
	"loadkms/sandbox/store"
)

// A kept is a bench whose ledgers are in a store. Its vault and clock outlive the service.
type kept struct {
	*bench
	o    Options
	dir  string
	disk *store.Store
}

// setUpKept is setUp in a store.
func setUpKept(t testing.TB, o Options) *kept {
	t.Helper()
	v := newVault(t, "main", "rotate", "noAccess")
	v.point("alias/main", "main")
	o.Account, o.Region, o.Clock, o.Keys = "123456789012", "eu-west-2", clock.New(1), &sealingVault{v}
	tt, _ := t.(*testing.T)
	k := &kept{bench: &bench{T: tt, vault: v}, o: o, dir: t.TempDir()}
	k.open(t)
	if _, err := k.CreateLedger(ctx, admin, &CreateLedgerRequest{Name: "records", PermissionsMode: "STANDARD", KmsKey: "alias/main", AtOnce: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.CreateTable(ctx, admin, "records", "Test"); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kept) open(t testing.TB) {
	t.Helper()
	var err error
	if k.disk, err = store.Open(k.dir); err != nil {
		t.Fatal(err)
	}
	if k.bench.Service, err = Open(ctx, k.o, k.disk); err != nil {
		t.Fatal(err)
	}
}

func (k *kept) close(t testing.TB) {
	t.Helper()
	k.Service.Close()
	if err := k.disk.Close(); err != nil {
		t.Fatal(err)
	}
}

func (k *kept) restart() {
	k.Helper()
	k.close(k.T)
	k.open(k.T)
}

// dump returns all that is to outlive a process of one ledger whose key is in reach.
func (k *kept) dump(name string) map[string]string {
	k.Helper()
	l, err := k.Service.find(name)
	if err != nil {
		k.Fatal(err)
	}
	all := map[string]string{}
	l.changing.Lock()
	all["grants"] = string(encode(l.grants))
	l.changing.Unlock()
	h := l.keys
	h.asking.Lock()
	h.mu.Lock()
	all["keys"] = string(encode([]any{h.key, h.target, h.changing, h.until, h.change, h.generation}))
	for _, n := range h.nodes {
		all["node "+n.id] = string(encode(nodeRecord{n.id, n.version, n.sealed}))
	}
	h.mu.Unlock()
	h.asking.Unlock()
	open, err := l.keys.unlock(ctx)
	if err != nil {
		k.Fatal(err)
	}
	n := l.whole()
	hashes, err := l.hashes(ctx, open, n)
	if err != nil {
		k.Fatal(err)
	}
	for i := range n {
		b, err := l.block(ctx, open, i, nil)
		if err != nil {
			k.Fatal(err)
		}
		all[fmt.Sprintf("block %d", i)] = fmt.Sprintf("%x %s", hashes[i], b.value.Text())
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	all["ledger"] = string(encode([]any{l.name, l.id, l.arn, l.strand, l.created, l.names.key, l.tags, l.mode, l.protected, l.alias,
		l.following, l.namedBy, l.ready, l.goneAt}))
	for _, t := range l.all {
		if t.name == "" || l.tables[t.name] != t && !t.dropped.Load() {
			continue // of a transaction that did not commit
		}
		of := fmt.Sprintf("table %d %s ", t.number, t.id)
		all[of] = fmt.Sprint(t.name, t.dropped.Load())
		for n, p := range t.live() {
			h, content, err := l.journal.record(ctx, open, p)
			if err != nil {
				k.Fatal(err)
			}
			v, err := valueOf(h, content)
			if err != nil {
				k.Fatal(err)
			}
			all[of+l.names.document(t.number, n)] = fmt.Sprintf("%d %d %s", p, h.version, v.Text())
			for _, i := range t.indexed() {
				i.note(v, n, func(id ID, _ uint32) {
					found := slices.Sorted(slices.Values(i.all(id)))
					all[fmt.Sprintf("%sindex %s %v %v", of, i.id, i.path, id)] = fmt.Sprint(found)
				})
			}
		}
	}
	return all
}

func (k *kept) wantSame(what string, got, want map[string]string) {
	k.Helper()
	names := maps.Clone(got)
	maps.Copy(names, want)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if got[name] != want[name] {
			k.Errorf("%s: %s\n  got  %s\n  want %s", what, name, got[name], want[name])
		}
	}
	if k.Failed() {
		k.FailNow()
	}
}

// act does something to the ledger at random; what the ledger refuses is fine.
func (k *kept) act(rnd *rand.Rand, p *peer) (string, error) {
	n := rnd.IntN(40)
	one := func(text string, args ...any) (string, error) {
		statement := fmt.Sprintf(text, args...)
		_, err := p.do(statement)
		return statement, err
	}
	table := []string{"Test", "Test", "Other", "Third"}[rnd.IntN(4)]
	switch rnd.IntN(16) {
	case 0, 1, 2, 3:
		s, err := k.StartSession(ctx, role, "records")
		if err != nil {
			return "StartSession", err
		}
		return "Insert", s.Insert(ctx, table, fmt.Appendf(nil, `{"id":%d,"text":"%s","deep":{"n":%d}}`, n, strings.Repeat("é", rnd.IntN(60)), n/2))
	case 4:
		return one("INSERT INTO %s <<{'id': %d, 'n': 1}, {'id': 'text %d'}>>", table, n, n)
	case 5:
		return one("UPDATE %s SET n = %d, deep = {'n': %d} WHERE id = %d", table, rnd.IntN(9), n/3, n)
	case 6:
		return one("DELETE FROM %s WHERE id = %d", table, n)
	case 7:
		return one("CREATE TABLE %s", table)
	case 8:
		if rnd.IntN(4) > 0 {
			return "nothing", nil
		}
		return one("DROP TABLE %s", table)
	case 9:
		return one("CREATE INDEX ON %s (%s)", table, []string{"id", "n"}[rnd.IntN(2)])
	case 10:
		statements := []string{fmt.Sprintf("INSERT INTO Test {'id': %d}", n), fmt.Sprintf("CREATE TABLE T%d", n%5), fmt.Sprintf("DELETE FROM Test WHERE id = %d", n+1)}
		_, err := p.do(statements...)
		return strings.Join(statements, "; "), err
	case 11:
		if err := p.begin(); err != nil { // never committed: its numbers and places are left behind
			return "begin", err
		}
		_, err := p.execute(fmt.Sprintf("INSERT INTO Test {'id': %d}", n))
		if err == nil {
			_, err = p.execute(fmt.Sprintf("CREATE TABLE Never%d", n))
		}
		if _, aborted := p.send(&Command{AbortTransaction: &struct{}{}}); err == nil {
			err = aborted
		}
		return "abort", err
	case 12:
		l, err := k.Service.find("records")
		if err != nil {
			return "find", err
		}
		if rnd.IntN(2) == 0 {
			return "untag", k.UntagResource(ctx, admin, l.arn, []string{fmt.Sprint(n % 4)})
		}
		return "tag", k.TagResource(ctx, admin, l.arn, map[string]string{fmt.Sprint(n % 4): fmt.Sprint(n)})
	case 13:
		_, err := k.UpdateLedgerPermissionsMode(ctx, admin, "records", []string{"STANDARD", "ALLOW_ALL"}[rnd.IntN(2)])
		return "mode", err
	case 14:
		protected := rnd.IntN(2) == 0
		in := &UpdateLedgerRequest{DeletionProtection: &protected}
		if rnd.IntN(3) == 0 {
			key := []string{"main", "rotate", "alias/main", ownedKey}[rnd.IntN(4)]
			in = &UpdateLedgerRequest{KmsKey: &key}
		}
		_, err := k.UpdateLedger(ctx, admin, "records", in)
		return "update", err
	default:
		k.o.Clock.Advance([]time.Duration{time.Second, time.Minute, 5 * time.Minute}[rnd.IntN(3)])
		synctest.Wait()
		return "time", nil
	}
}

// TestArchive does things at random, and after a restart all is as it was.
func TestArchive(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		k := setUpKept(t, Options{})
		k.T = t
		defer k.close(t)
		done := 0
		for round := range 6 {
			for range 120 {
				p := k.peer() // a session does not live long on this clock
				what, err := k.act(rnd, p)
				if err == nil {
					done++
				} else if !errors.As(err, new(*Error)) {
					t.Fatalf("seed %d, round %d: %s: %v", seed, round, what, err)
				}
				if _, err := p.send(&Command{EndSession: &struct{}{}}); err != nil && !errors.As(err, new(*Error)) {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			before := k.dump("records")
			k.restart()
			k.wantSame(fmt.Sprintf("seed %d, round %d", seed, round), k.dump("records"), before)
		}
		if done < 300 {
			t.Errorf("seed %d: only %d acts succeeded", seed, done)
		}
	})
}

// TestProofsOutliveTheProcess checks a digest of before against blocks of after.
func TestProofsOutliveTheProcess(t *testing.T) {
	k := setUpKept(t, Options{})
	defer func() { k.close(t) }()
	p := k.peer()
	k.session = k.start()
	for i := range 10 {
		k.insert(fmt.Sprintf(`{"id":%d}`, i))
	}
	p.must("UPDATE Test SET n = 1 WHERE id = 2", "DELETE FROM Test WHERE id = 3")
	digest, err := k.GetDigest(ctx, admin, "records")
	if err != nil {
		t.Fatal(err)
	}
	k.restart()
	k.session = k.start()
	k.wantReadable(2)
	k.insert(`{"id":100}`)
	address := func(n int) *IonHolder {
		l, err := k.Service.find("records")
		if err != nil {
			t.Fatal(err)
		}
		return &IonHolder{l.blockAddress(uint32(n)).Text()}
	}
	for n := range 12 {
		out, err := k.GetBlock(ctx, admin, "records", &GetBlockRequest{BlockAddress: address(n), DigestTipAddress: &digest.DigestTipAddress})
		if err != nil {
			t.Fatal(err)
		}
		block, err := ion.Decode([]byte(out.Block.IonText))
		if err != nil {
			t.Fatal(err)
		}
		proof, err := ion.Decode([]byte(out.Proof.IonText))
		if err != nil {
			t.Fatal(err)
		}
		hash := verifyBlock(t, block)
		for _, h := range blobs(t, proof) {
			hash = dot(hash, h)
		}
		if !bytes.Equal(hash, digest.Digest) {
			t.Errorf("block %d is not in the digest of before", n)
		}
	}
}

// TestNoNonceTwice looks at the places of records that were written before and after a restart.
func TestNoNonceTwice(t *testing.T) {
	k := setUpKept(t, Options{segmentsPerNode: 2})
	defer func() { k.close(t) }()
	segments := func() int { l, _ := k.Service.find("records"); return len(*l.journal.segments.Load()) }
	for round := range 5 {
		if got := segments(); got != round+1 {
			t.Fatalf("%d segments after %d restarts, want a new one for each", got, round)
		}
		k.restart()
		k.session = k.start()
		k.insert(fmt.Sprintf(`{"id":%d}`, round))
		for i := range round + 1 {
			k.wantReadable(int64(i))
		}
	}
	if l, _ := k.Service.find("records"); len(l.keys.nodes) != 3 {
		t.Errorf("%d node keys for 6 segments, want 3", len(l.keys.nodes))
	}
}

// TestADisabledKeyAtTheStart also is about records of which nothing can be known before the key is back.
func TestADisabledKeyAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := setUpKept(t, Options{})
		k.T = t
		defer k.close(t)
		k.session = k.start()
		k.insert(`{"id":1}`)
		k.vault.set("main", func(m *vaultKey) { m.state = "Disabled" })
		pass(3 * time.Minute)
		before := k.wantKey("main", "KMS_KEY_INACCESSIBLE")
		k.restart()
		after := k.wantKey("main", "KMS_KEY_INACCESSIBLE")
		if got, want := time.Time(*after.InaccessibleKmsKeyDateTime), time.Time(*before.InaccessibleKmsKeyDateTime); !got.Equal(want) {
			t.Errorf("inaccessible since %v after a restart, want %v", got, want)
		}
		if _, err := k.StartSession(ctx, role, "records"); err == nil {
			t.Error("a session without a key")
		}
		k.restart() // still without
		k.vault.set("main", func(m *vaultKey) { m.state = "Enabled" })
		pass(3 * time.Minute)
		k.wantKey("main", "ENABLED")
		k.session = k.start()
		k.wantReadable(1)
		k.insert(`{"id":2}`)
		k.wantReadable(2)
		k.restart()
		k.wantKey("main", "ENABLED")
	})
}

// TestAChangeGoesOn restarts in the middle of a change of key.
func TestAChangeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := setUpKept(t, Options{})
		k.T = t
		defer k.close(t)
		k.session = k.start()
		k.insert(`{"id":1}`)
		k.update("rotate")
		pass(time.Minute)
		k.restart()
		k.wantKey("rotate", "UPDATING")
		pass(time.Minute)
		k.wantKey("rotate", "UPDATING")
		pass(time.Minute + time.Second) // three in all
		k.wantKey("rotate", "ENABLED")
		k.vault.set("main", func(m *vaultKey) {
			if m.grants != 0 {
				t.Error("the grant on the old key was not given back")
			}
			m.state = "Disabled"
		})
		k.restart()
		k.wantKey("rotate", "ENABLED")
		k.session = k.start()
		k.wantReadable(1)
		k.vault.set("main", func(m *vaultKey) { m.state = "Enabled" })
		k.update("main")
		k.restart()
		k.update("rotate") // taken back before it was done
		k.restart()
		pass(4 * time.Minute)
		k.wantKey("rotate", "ENABLED")
		k.session = k.start()
		k.wantReadable(1)
	})
}

// TestLedgersComeAndGo is about creation and deletion.
func TestLedgersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := setUpKept(t, Options{Create: time.Minute, Delete: time.Minute})
		k.T = t
		defer k.close(t)
		state := func(want string) {
			t.Helper()
			out, err := k.DescribeLedger(ctx, admin, "fresh")
			switch {
			case want == "" && err == nil:
				t.Errorf("the ledger is there: %+v", out)
			case want != "" && (err != nil || out.State != want):
				t.Errorf("the ledger is %+v, %v, want %s", out, err, want)
			}
		}
		off := false
		in := &CreateLedgerRequest{Name: "fresh", PermissionsMode: "STANDARD", KmsKey: "rotate", DeletionProtection: &off}
		if _, err := k.CreateLedger(ctx, admin, in); err != nil {
			t.Fatal(err)
		}
		k.restart()
		state("CREATING")
		pass(time.Minute)
		state("ACTIVE")
		if err := k.DeleteLedger(ctx, admin, "fresh"); err != nil {
			t.Fatal(err)
		}
		k.restart()
		state("DELETING")
		pass(time.Minute)
		state("")
		if _, err := k.CreateLedger(ctx, admin, in); err != nil { // under the same name
			t.Fatal(err)
		}
		k.restart()
		state("CREATING")
		pass(time.Minute)
		if err := k.DeleteLedger(ctx, admin, "fresh"); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		k.restart()
		state("")
		ids := map[string]bool{}
		for e, err := range k.disk.Scan(allEntries) {
			if err != nil {
				t.Fatal(err)
			}
			id, _, _ := strings.Cut(e.Key[len(allEntries):], "/")
			ids[id] = true
		}
		if len(ids) != 1 {
			t.Errorf("%d ledgers are in the store, want that of records alone", len(ids))
		}
	})
}

// TestHalfALedger takes what a ledger cannot be without.
func TestHalfALedger(t *testing.T) {
	for _, name := range []string{keysEntry, nodeEntries, dataKeyEntries, tablesEntry, recordEntries} {
		k := setUpKept(t, Options{})
		k.session = k.start()
		k.insert(`{"id":1}`)
		l, err := k.Service.find("records")
		if err != nil {
			t.Fatal(err)
		}
		k.Service.Close()
		var b store.Batch
		for e, err := range k.disk.Scan(entry(l.id, name)) {
			if err != nil {
				t.Fatal(err)
			}
			b.Delete(e.Key)
			break // the first
		}
		if err := k.disk.Enter(&b).Wait(); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(ctx, k.o, k.disk); err == nil {
			s.Close()
			t.Errorf("a ledger without %s was opened", name)
		} else if !strings.Contains(err.Error(), "load ledger") {
			t.Errorf("without %s: %v, want it to name the ledger", name, err)
		}
		if err := k.disk.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzTake takes entries of any name and content: they are taken or refused.
func FuzzTake(f *testing.F) {
	f.Add(metaEntry, []byte(`{"Name":"records","Created":"2026-11-23T00:00:00Z"}`))
	f.Add(keysEntry, []byte(`{"Key":"arn"}`))
	f.Add(nodeEntries+"\x00\x00\x00\x00", []byte(`{"ID":"a","Sealed":"AAAA"}`))
	f.Add(dataKeyEntries+"\x00\x00\x00\x00", []byte("\x00\x00\x00\x00key"))
	f.Add(recordEntries+"\x00\x00\x00\x00\x00\x00\x00\x09", make([]byte, 40))
	f.Add(recordEntries+"\x00\x00\x00\x00\xff\xff\xff\xff", make([]byte, 40))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		r := &relic{segments: []*segment{{}}}
		if err := r.take(name, value); err != nil {
			return
		}
		for _, p := range r.records {
			if a := p.address(); int(a.offset)+lengthSize+len(value) != len(r.segments[a.segment].buf) {
				t.Errorf("a record of %d bytes at %v makes its segment %d bytes long", len(value), a, len(r.segments[a.segment].buf))
			}
		}
		blocks := 0
		if err := blockPlaces(value, func(place, int) error { blocks++; return nil }); err == nil && blocks > len(value) {
			t.Errorf("%d parts in %d bytes", blocks, len(value))
		}
	})
}

// BenchmarkKept inserts as the API does, with and without a store.
func BenchmarkKept(b *testing.B) {
	for _, clients := range []int{16, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			k := setUpKept(b, Options{})
			defer k.close(b)
			insertAll(b, k.Service, clients, b.N)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "inserts/s")
		})
	}
}

func insertAll(b *testing.B, s *Service, clients, n int) {
	var work sync.WaitGroup
	for c := range clients {
		work.Go(func() {
			session, err := s.StartSession(ctx, role, "records")
			if err != nil {
				b.Error(err)
				return
			}
			for i := c; i < n; i += clients {
				doc := fmt.Appendf(nil, `{"id":%d,"firstName":"Ada","lastName":"Lovelace","email":"ada.%d@example.com","text":"%0100d"}`, i, i, i)
				if err := session.Insert(ctx, "Test", doc); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}

// BenchmarkStart opens a ledger of 100,000 records.
func BenchmarkStart(b *testing.B) {
	k := setUpKept(b, Options{})
	insertAll(b, k.Service, 64, 100_000)
	k.close(b)
	for b.Loop() {
		k.open(b)
		b.StopTimer()
		k.close(b)
		b.StartTimer()
	}
}
