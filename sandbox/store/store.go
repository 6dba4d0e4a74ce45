// Package store keeps what a sandbox must remember on disk: a sorted set of named entries, changed by
// batches of which each is there as a whole or not at all. It knows neither keys nor ledgers, and does
// not hold what it keeps in memory: who enters it does. Below it is Pebble.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A Store is a directory that one process has open. Laws:
//
//  1. Batches are on disk in the order in which they were entered: if one is there, all before it are.
//  2. A batch is acknowledged when Wait has returned nil for it, and never lost after that.
//  3. After an error of writing nothing is written any more, as nobody knows what is on disk then.
//  4. A directory in which anything is missing or changed is refused, and left as it is. The one
//     exception cannot be told from a process that was killed: a newest log that was cut short, by as
//     much as came since the mark; see mark.
//
// A nil *Store keeps nothing and is always right. The methods may be called by many goroutines.
type Store struct {
	dir   string
	lock  *pebble.Lock
	db    *pebble.DB
	marks sync.WaitGroup // those that are being written after a flush
	guard guard

	marking sync.Mutex // held while the mark is written
	marked  uint64

	mu    sync.Mutex // guards the fields below while a batch is entered: microseconds
	total total
	last  *Ticket
}

// The names of a data directory's parts.
const (
	folder   = "db"     // Pebble's
	unborn   = "db.new" // the same before it is whole
	markFile = "mark"
	newMark  = "mark.new"
)

// The store's own entries come before all others.
const (
	formatKey = "\x00format"
	totalKey  = "\x00total"
	format    = "loadkms sandbox 1"
)

// Open opens a data directory, making it if there is none or an empty one. It reads everything once,
// changing nothing, to be certain that it is whole; only then is it opened for writing. The errors are
// for who has named the directory.
func Open(dir string) (*Store, error) {
	s, err := openIn(vfs.Default, dir)
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	return s, nil
}

// openIn is Open in a file system for Pebble's part.
func openIn(files vfs.FS, dir string) (_ *Store, err error) {
	if err := adopt(dir); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(dir, private{vfs.Default})
	if err != nil {
		return nil, lockError(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if err := birth(files, dir); err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	at, err := readMark(dir)
	if err != nil {
		return nil, damaged(err)
	}
	whole, err := inspect(files, dir)
	if err != nil {
		return nil, damaged(err)
	}
	if whole.number < at {
		return nil, damaged(fmt.Errorf("it ends with change %d although change %d was written for good", whole.number, at))
	}
	s := &Store{dir: dir, lock: lock, total: whole, marked: at}
	db, err := s.guard.open(files, filepath.Join(dir, folder), &pebble.Options{EventListener: &pebble.EventListener{
		FlushEnd:        func(i pebble.FlushInfo) { s.flushed(i.Err) },
		BackgroundError: s.guard.fail,
	}})
	if err != nil {
		return nil, err
	}
	s.db = db
	if err := s.mark(whole.number); err != nil {
		err = errors.Join(err, db.Close())
		s.marks.Wait()
		return nil, err
	}
	return s, nil
}

// adopt makes sure that there is a directory which is ours or may become so.
func adopt(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := syncDir(vfs.Default, filepath.Dir(filepath.Clean(dir))); err != nil {
		return err
	}
	inside, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range inside {
		switch e.Name() {
		case folder, unborn, markFile, newMark, "LOCK":
		default:
			return fmt.Errorf("it has %s in it, which is no part of a sandbox: name an empty directory, or one that a sandbox has made", e.Name())
		}
	}
	// What is in it is secret. Who may not change its mode has been given somebody else's directory.
	return os.Chmod(dir, 0o700)
}

func lockError(err error) error {
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) ||
		err.Error() == "lock held by current process" {
		return errors.New("another sandbox is using it")
	}
	return fmt.Errorf("lock: %w", err)
}

func damaged(err error) error {
	return fmt.Errorf("it is damaged and was left as it is: %w (put a copy in its place, or begin anew with an empty directory)", err)
}

// birth makes the store in a directory without one. It gets its name when it is whole, so that a
// process killed meanwhile leaves nothing that could be taken for a damaged one.
func birth(files vfs.FS, dir string) error {
	switch _, err := files.Stat(filepath.Join(dir, folder)); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, markFile)); err == nil {
		// The mark of a birth is written right before the name, with the number of its one batch.
		if at, err := readMark(dir); err != nil || at > 1 {
			return damaged(fmt.Errorf("its %s is missing", folder))
		}
	}
	begun := filepath.Join(dir, unborn)
	if err := files.RemoveAll(begun); err != nil {
		return err
	}
	s := &Store{dir: dir}
	var err error
	if s.db, err = s.guard.open(files, begun, &pebble.Options{}); err != nil {
		return err
	}
	var b Batch
	b.Add(formatKey, []byte(format))
	err = s.Enter(&b).Wait()
	// In a table and not in a log, a missing one of which nobody would notice.
	if err = errors.Join(err, s.db.Flush(), s.db.Close(), s.Err()); err != nil {
		return err
	}
	if err := s.mark(s.total.number); err != nil {
		return err
	}
	if err := files.Rename(begun, filepath.Join(dir, folder)); err != nil {
		return err
	}
	return syncDir(files, dir)
}

func syncDir(files vfs.FS, dir string) error {
	d, err := files.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// inspect reads the whole store without changing it, and returns its total.
func inspect(files vfs.FS, dir string) (is total, err error) {
	var g guard
	db, err := g.open(files, filepath.Join(dir, folder), &pebble.Options{ReadOnly: true})
	if err != nil {
		return is, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.CheckLevels(nil); err != nil {
		return is, err
	}
	var said total
	known := false
	for e, err := range scan(db, "") {
		switch {
		case err != nil:
			return is, err
		case e.Key == totalKey:
			if said, err = parseTotal(e.Value); err != nil {
				return is, err
			}
			continue
		case e.Key == formatKey:
			if string(e.Value) != format {
				return is, fmt.Errorf("its format is %q, and this program's is %q", e.Value, format)
			}
			known = true
		}
		is.add(e.Key, e.Value)
	}
	is.number = said.number
	switch {
	case g.err() != nil:
		return is, g.err()
	case !known:
		return is, errors.New("its format is not there")
	case is != said:
		return is, fmt.Errorf("it has %d entries, which are not the %d entries that were written up to change %d",
			is.entries, said.entries, said.number)
	}
	return is, nil
}

// Enter gives a batch its place after all that were entered before, and makes what is in it readable,
// without waiting for the disk. The batch must not be used again.
func (s *Store) Enter(b *Batch) *Ticket {
	if s == nil || len(b.changes) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Err(); err != nil {
		return &Ticket{err: err}
	}
	after := s.total
	batch, err := b.build(s.db, &after)
	if err == nil {
		after.number++
		err = batch.Set([]byte(totalKey), after.bytes(), nil)
	}
	if err == nil {
		err = s.db.ApplyNoSyncWait(batch, pebble.Sync)
	}
	if err != nil {
		s.guard.fail(err)
	}
	if err := s.Err(); err != nil {
		return &Ticket{err: err} // Pebble tells of an error of the log through the guard alone
	}
	s.total = after
	s.last = &Ticket{store: s, batch: batch}
	return s.last
}

// Sync waits until all that was entered is on disk.
func (s *Store) Sync() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	return errors.Join(last.Wait(), s.Err())
}

// Err returns why the store is no longer written, or nil.
func (s *Store) Err() error {
	if s == nil || s.guard.err() == nil {
		return nil
	}
	return fmt.Errorf("data directory %s is no longer written: %w", s.dir, s.guard.err())
}

// Dir returns the directory, or "" of a nil *Store.
func (s *Store) Dir() string {
	if s == nil {
		return ""
	}
	return s.dir
}

// Number returns how many batches were entered since the directory began.
func (s *Store) Number() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total.number
}

// Secure writes everything that was entered into tables and marks it, so that no damage to a log goes
// unnoticed that comes before.
func (s *Store) Secure() error {
	if s == nil {
		return nil
	}
	at := s.Number()
	if err := s.Sync(); err != nil {
		return err
	}
	if err := s.db.Flush(); err != nil {
		return fmt.Errorf("flush data directory %s: %w", s.dir, err)
	}
	return s.mark(at)
}

// flushed marks what a flush has made certain to be missed. Pebble waits for it.
func (s *Store) flushed(err error) {
	if err != nil || s.Err() != nil {
		return
	}
	s.marks.Go(func() { // it may not take mu here: who holds it may be waiting for the flush
		s.mu.Lock()
		last, at := s.last, s.total.number
		s.mu.Unlock()
		if last.Wait() == nil {
			if err := s.mark(at); err != nil {
				s.guard.fail(err)
			}
		}
	})
}

// An Entry is a name and what is kept under it.
type Entry struct {
	Key   string
	Value []byte // valid until the next entry is asked for
}

// Scan yields all entries whose keys begin with a prefix, in their order. An error is the last thing
// it yields.
func (s *Store) Scan(prefix string) iter.Seq2[Entry, error] {
	if s == nil {
		return func(func(Entry, error) bool) {}
	}
	return scan(s.db, prefix)
}

// Get returns what is kept under a key, or nil.
func (s *Store) Get(key string) ([]byte, error) {
	if s == nil {
		return nil, nil
	}
	return get(s.db, key)
}

// Close writes what is left and lets go of the directory. Nothing may be entered any more.
func (s *Store) Close() error {
	if s == nil {
		return nil
	}
	err := s.Err()
	if err == nil {
		err = s.Secure()
	}
	s.mu.Lock() // whoever is late gets an error
	s.guard.fail(errors.New("it is closed"))
	s.mu.Unlock()
	err = errors.Join(err, s.guard.contain(s.db.Close))
	s.marks.Wait()
	return errors.Join(err, s.lock.Close())
}

// A guard keeps Pebble's worst news: it would end the process for some of them.
type guard struct{ failure atomic.Pointer[error] }

// fail keeps the first error.
func (g *guard) fail(err error) { g.failure.CompareAndSwap(nil, &err) }

func (g *guard) err() error {
	if p := g.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Infof is for nobody.
func (*guard) Infof(string, ...any) {}

// Errorf is for nobody: what matters comes back as an error as well.
func (*guard) Errorf(string, ...any) {}

// Fatalf keeps what Pebble's own logger would end the process for.
func (g *guard) Fatalf(format string, args ...any) { g.fail(fmt.Errorf(format, args...)) }

// contain runs f and makes an error of a panic, which some damage to files leads to.
func (*guard) contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return f()
}

// open opens Pebble in a directory.
func (g *guard) open(files vfs.FS, dir string, o *pebble.Options) (db *pebble.DB, err error) {
	o.FS, o.Logger, o.FormatMajorVersion = private{files}, g, pebble.FormatNewest
	if o.EventListener == nil {
		o.EventListener = &pebble.EventListener{}
	}
	o.EventListener.DataCorruption = func(i pebble.DataCorruptionInfo) { g.fail(i.Details) }
	// Records are sealed, which leaves nothing to compress; 16 MiB are a quarter of a minute of creates.
	o.MemTableSize = 16 << 20
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	err = g.contain(func() (err error) {
		db, err = pebble.Open(dir, o)
		return err
	})
	if err == nil && g.err() != nil {
		err = errors.Join(g.err(), g.contain(db.Close))
	}
	return db, err
}

// private is a file system whose files only their owner can read.
type private struct{ vfs.FS }

func (p private) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.Create(name, category)
	if err != nil || p.FS != vfs.Default {
		return f, err
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func get(db pebble.Reader, key string) ([]byte, error) {
	value, closer, err := db.Get([]byte(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value = append([]byte{}, value...)
	return value, closer.Close()
}

func scan(db pebble.Reader, prefix string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		within := &pebble.IterOptions{UpperBound: after(prefix)}
		if prefix != "" {
			within.LowerBound = []byte(prefix)
		}
		it, err := db.NewIter(within)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for it.First(); it.Valid(); it.Next() {
			value, err := it.ValueAndErr()
			if !yield(Entry{string(it.Key()), value}, err) || err != nil {
				_ = it.Close() // it has nothing more to say
				return
			}
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			yield(Entry{}, err)
		}
	}
}

// after returns the first key that is not less and has not this prefix; nil if there is none.
func after(prefix string) []byte {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]++; b[i] != 0 {
			return b[:i+1]
		}
	}
	return nil
}
