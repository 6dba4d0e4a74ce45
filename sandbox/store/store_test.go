package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func enter(t *testing.T, s *Store, f func(*Batch)) {
	t.Helper()
	var b Batch
	f(&b)
	if err := s.Enter(&b).Wait(); err != nil {
		t.Fatal(err)
	}
}

// entries returns what a store has, without its own.
func entries(t *testing.T, s *Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for e, err := range s.Scan("") {
		if err != nil {
			t.Fatal(err)
		}
		if e.Key[0] != 0 {
			all[e.Key] = string(e.Value)
		}
	}
	return all
}

func equal(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestEntriesOutliveTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	s := open(t, dir)
	enter(t, s, func(b *Batch) {
		b.Add("a/1", []byte("one"))
		b.Add("a/2", []byte("two"))
		b.Add("b/1", []byte("three"))
		b.Put("c", nil)
	})
	enter(t, s, func(b *Batch) {
		b.Put("b/1", []byte("four"))
		b.Put("b/1", []byte("five")) // the second time within one batch
		b.DeleteAll("a/")
		b.Add("a/3", []byte("six"))
		b.Delete("c")
		b.Delete("was never there")
	})
	want := map[string]string{"b/1": "five", "a/3": "six"}
	equal(t, entries(t, s), want)
	number := s.Number()
	closed(t, s)
	s = open(t, dir)
	equal(t, entries(t, s), want)
	if s.Number() != number {
		t.Errorf("%d batches after reopening, want %d", s.Number(), number)
	}
	if got, err := s.Get("b/1"); string(got) != "five" || err != nil {
		t.Errorf("Get(b/1) = %q, %v, want five", got, err)
	}
	if got, err := s.Get("c"); got != nil || err != nil {
		t.Errorf("Get(c) = %q, %v, want nothing", got, err)
	}
	closed(t, s)
	var b Batch
	b.Put("late", nil)
	if err := s.Enter(&b).Wait(); err == nil {
		t.Error("a closed store takes a batch")
	}
}

func TestOnlyTheOwnerCanReadIt(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	enter(t, s, func(b *Batch) { b.Add("secret", []byte("key")) })
	if err := s.Secure(); err != nil { // so that there is a table
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() && name != dir {
			return nil // nobody gets through dir
		}
		if info.Mode().Perm()&0o077 != 0 && info.Size() > 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		files++
		return nil
	})
	if err != nil || files < 5 {
		t.Errorf("saw %d files: %v", files, err)
	}
	closed(t, s)
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    string
	}{
		"a second one": {func(t *testing.T, dir string) {
			s := open(t, dir)
			t.Cleanup(func() { closed(t, s) })
		}, "another sandbox is using it"},
		"somebody's files": {func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "it has thesis.tex in it"},
		"another format": {func(t *testing.T, dir string) {
			s := open(t, dir)
			enter(t, s, func(b *Batch) { b.Put(formatKey, []byte("loadkms sandbox 2")) })
			closed(t, s)
		}, `its format is "loadkms sandbox 2"`},
		"no store": {func(t *testing.T, dir string) {
			closed(t, open(t, dir))
			s := open(t, dir)
			enter(t, s, func(b *Batch) { b.Put("k", []byte("v")) })
			closed(t, s)
			if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
				t.Fatal(err)
			}
		}, "its db is missing"},
		"no mark": {func(t *testing.T, dir string) {
			closed(t, open(t, dir))
			if err := os.Remove(filepath.Join(dir, markFile)); err != nil {
				t.Fatal(err)
			}
		}, "its mark is missing"},
		"a torn mark": {func(t *testing.T, dir string) {
			closed(t, open(t, dir))
			if err := os.WriteFile(filepath.Join(dir, markFile), []byte("1"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "its mark cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.prepare(t, dir)
			s, err := Open(dir)
			if err == nil {
				closed(t, s)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v, want it to name %s and say: %s", err, dir, c.want)
			}
		})
	}
}

// TestBornHalf is about a process that ends while it makes the directory.
func TestBornHalf(t *testing.T) {
	dir := t.TempDir()
	closed(t, open(t, dir))
	// As it is right before the new store gets its name.
	if err := os.Rename(filepath.Join(dir, folder), filepath.Join(dir, unborn)); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	enter(t, s, func(b *Batch) { b.Put("k", []byte("v")) })
	closed(t, s)
	if _, err := os.Stat(filepath.Join(dir, unborn)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want it gone", unborn, err)
	}
}

// TestPowerCut lets writers enter batches until the power fails, which takes some of what is not on disk.
func TestPowerCut(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	files, dir := vfs.NewCrashableMem(), t.TempDir()
	if err := files.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		if err := syncDir(files, d); err != nil {
			t.Fatal(err)
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	acknowledged := map[string]string{}
	for round := range 5 {
		s, err := openIn(files, dir)
		if err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		got := entries(t, s)
		for k, v := range acknowledged {
			if got[k] != v {
				t.Fatalf("seed %d, round %d: acknowledged entry %s is %q, want %q", seed, round, k, got[k], v)
			}
		}
		acknowledged = got // what was not acknowledged may be there all the same
		var mu sync.Mutex
		var writers sync.WaitGroup
		crash := make(chan struct{})
		for w := range 8 {
			writers.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-crash:
						return
					default:
					}
					var b Batch
					key, value := fmt.Sprintf("%d/%d/%d", round, w, i), strings.Repeat("x", 1000+i)
					b.Add(key, []byte(value))
					err := s.Enter(&b).Wait()
					if err != nil {
						t.Errorf("seed %d: %v", seed, err)
						return
					}
					select {
					case <-crash: // it may have come after
						return
					default:
					}
					mu.Lock()
					acknowledged[key] = value
					mu.Unlock()
				}
			})
		}
		for range rnd.IntN(3) {
			if err := s.Secure(); err != nil {
				t.Error(err)
			}
		}
		for mu.Lock(); len(acknowledged) < 500*(round+1); mu.Lock() {
			mu.Unlock()
		}
		close(crash)
		mu.Unlock()
		clone := files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(100), RNG: rnd})
		writers.Wait()
		closed(t, s)
		files = clone
		// The mark is on the real disk, where the close above has moved it on.
		if err := writeMark(dir, 1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestErrorsStick makes the disk fail at some write.
func TestErrorsStick(t *testing.T) {
	failed := errors.New("the disk is on fire")
	for after := range 6 {
		var mu sync.Mutex
		armed, left := false, after
		files := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			mu.Lock()
			defer mu.Unlock()
			if !armed || op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
				return nil
			}
			if left--; left < 0 {
				return failed
			}
			return nil
		}))
		dir := t.TempDir()
		if err := files.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := openIn(files, dir)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		armed = true
		mu.Unlock()
		var broken error
		for i := range 100 {
			var b Batch
			b.Add(fmt.Sprintf("%d", i), bytes.Repeat([]byte("x"), 100))
			err := s.Enter(&b).Wait()
			if broken != nil && err == nil {
				t.Fatalf("after %d writes: an error and then none", after)
			}
			if err != nil && !strings.Contains(err.Error(), failed.Error()) {
				t.Fatalf("after %d writes: got %v, want it to say: %v", after, err, failed)
			}
			broken = err
		}
		if broken == nil {
			t.Fatalf("after %d writes: no error", after)
		}
		if err := s.Sync(); err == nil {
			t.Error("Sync has no error")
		}
		mu.Lock()
		armed = false
		mu.Unlock()
		if err := s.Close(); err == nil {
			t.Error("Close has no error")
		}
	}
}

// A history is the states of a store by the number of its last batch.
type history map[uint64]map[string]string

// lived makes a store with tables, logs and a history, and returns a copy of its files as a kill leaves
// them, and the number up to which it is marked.
func lived(t *testing.T, rnd *rand.Rand) (dir string, h history, marked uint64) {
	t.Helper()
	dir, h = t.TempDir(), history{}
	s := open(t, dir)
	state := map[string]string{}
	for i := range 300 {
		enter(t, s, func(b *Batch) {
			key, value := fmt.Sprintf("k/%03d", rnd.IntN(200)), fmt.Sprintf("%d %s", i, strings.Repeat("v", rnd.IntN(300)))
			if state[key] != "" && rnd.IntN(4) == 0 {
				b.Delete(key)
				delete(state, key)
				return
			}
			b.Put(key, []byte(value))
			state[key] = value
		})
		h[s.Number()] = maps.Clone(state)
		switch i {
		case 50, 120:
			if err := s.Secure(); err != nil {
				t.Fatal(err)
			}
		case 200:
			closed(t, s)
			s = open(t, dir)
		case 240: // a log is left behind with what a new one does not have
			h[s.Number()] = maps.Clone(state)
		}
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	marked, err := readMark(copied)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	return copied, h, marked
}

// TestDamage cuts, changes and removes each file of a store. It is opened as it was, or as it was at some
// time since the mark if the newest log has been cut; or it is refused.
func TestDamage(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	dir, h, marked := lived(t, rnd)
	last := slices.Max(slices.Collect(maps.Keys(h)))
	var names, logs []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err = filepath.Rel(dir, name)
			names = append(names, name)
			if strings.HasSuffix(name, ".log") {
				logs = append(logs, name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	newest := slices.Max(logs)
	opened, refused, shorter := 0, 0, 0
	try := func(what, name string, damage func(b []byte) []byte) {
		hurt := t.TempDir()
		if err := os.CopyFS(hurt, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(hurt, name)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if b = damage(b); b == nil {
			err = os.Remove(file)
		} else {
			err = os.WriteFile(file, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(hurt)
		if err != nil {
			if !strings.Contains(err.Error(), hurt) {
				t.Errorf("seed %d: %s of %s: the refusal does not name the directory: %v", seed, what, name, err)
			}
			refused++
			return
		}
		defer closed(t, s)
		opened++
		n := s.Number()
		if n != last {
			shorter++
		}
		if n != last && (name != newest || n < marked) {
			t.Errorf("seed %d: %s of %s: opened with change %d, want %d", seed, what, name, n, last)
		}
		if got := entries(t, s); !maps.Equal(got, h[n]) {
			t.Errorf("seed %d: %s of %s: opened with change %d, but not as it was then: %d entries, want %d", seed, what, name, n,
				len(got), len(h[n]))
		}
	}
	try("nothing", newest, slices.Clone[[]byte])
	if opened != 1 {
		t.Fatalf("seed %d: it does not open undamaged", seed)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "LOCK") {
			continue
		}
		try("removal", name, func([]byte) []byte { return nil })
		for range 6 {
			at := 0
			try("cut", name, func(b []byte) []byte {
				at = rnd.IntN(max(len(b), 1))
				return append([]byte{}, b[:min(at, len(b))]...)
			})
			try("flip", name, func(b []byte) []byte {
				b = append([]byte{}, b...)
				if len(b) > 0 {
					b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
				}
				return b
			})
		}
	}
	t.Logf("seed %d: %d files, opened %d times, %d of them shorter, refused %d times", seed, len(names), opened, shorter, refused)
	if refused < 10 || shorter == 0 {
		t.Errorf("seed %d: refused %d times, shorter %d times, want some", seed, refused, shorter)
	}
}

// TestMiddleLogMissing is what Pebble opens without a word.
func TestMiddleLogMissing(t *testing.T) {
	dir, hold := t.TempDir(), make(chan struct{})
	var armed atomic.Bool
	files := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if armed.Load() && op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			<-hold // as a slow disk does, so that logs stay
		}
		return nil
	}))
	s, err := openIn(files, dir)
	if err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	for i := range 20 { // more than a table in memory holds, so that there is another log
		enter(t, s, func(b *Batch) { b.Add(fmt.Sprintf("large/%d", i), make([]byte, 1<<20)) })
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	close(hold)
	closed(t, s)
	logs, err := filepath.Glob(filepath.Join(copied, folder, "*.log"))
	if err != nil || len(logs) < 3 {
		t.Fatalf("logs: %v, %v, want some", logs, err)
	}
	slices.Sort(logs)
	if err := os.Remove(logs[len(logs)-2]); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(copied); err == nil {
		closed(t, s)
		t.Error("a store without one of its logs was opened")
	} else if !strings.Contains(err.Error(), "which are not the 21 entries") {
		t.Errorf("got %v, want it to count what is missing", err)
	}
}

func TestNilStore(t *testing.T) {
	var s *Store
	var b Batch
	b.Put("k", []byte("v"))
	if err := errors.Join(s.Enter(&b).Wait(), s.Sync(), s.Secure(), s.Err(), s.Close()); err != nil {
		t.Error(err)
	}
	for range s.Scan("") {
		t.Error("it has an entry")
	}
	if v, err := s.Get("k"); v != nil || err != nil || s.Dir() != "" {
		t.Errorf("Get = %q, %v, Dir = %q, want nothing", v, err, s.Dir())
	}
}

func BenchmarkEnter(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, err := Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			value := make([]byte, 200)
			var n, each = 0, b.N/writers + 1
			var wg sync.WaitGroup
			b.ResetTimer()
			for w := range writers {
				wg.Go(func() {
					for i := range each {
						var batch Batch
						batch.Add(fmt.Sprintf("%d/%d", w, i), value)
						if err := s.Enter(&batch).Wait(); err != nil {
							b.Error(err)
						}
					}
				})
				n += each
			}
			wg.Wait()
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "batches/s")
		})
	}
}
