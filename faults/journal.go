package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// The files of a journal, in its directory.
const (
	journalFile = "journal.jsonl" // the entries
	lockFile    = "lock"          // locked while a process has the journal open; empty
	holderFile  = "holder.json"   // who that is. Apart from the lock, which no one else may read on Windows
)

// lockPause is how often somebody who waits for the journal tries the lock.
const lockPause = 50 * time.Millisecond

// A FileJournal keeps its entries in one file of JSON lines, which a person can read. It only ever
// appends, so that a crash costs at most the last line, whose promise had not been made yet. Its
// methods are safe for use by many goroutines.
type FileJournal struct {
	dir  string
	lock *flock.Flock

	mu         sync.Mutex // guards the file; held across the fsync
	f          *os.File
	unwritable error // why f can only be read; nil: it can be written
}

var _ Journal = (*FileJournal)(nil)

// A line is one line of the file: exactly one of its fields is set.
type line struct {
	Open  *Entry `json:"open,omitempty"`
	Close string `json:"close,omitempty"`
}

// A holder is the process that has the journal open.
type holder struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// ErrInUse means that another process has the journal open.
var ErrInUse = errors.New("another loadkms is using the journal")

// HasJournal reports whether there is a journal in dir. It creates nothing.
func HasJournal(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// OpenJournal opens the journal in dir, and creates it if there is none. It is held until Release, or
// until this process ends in whatever way; meanwhile everybody else is refused with an error that
// names this process. Opening does not mean that nothing is pending: ask Pending.
func OpenJournal(dir string) (*FileJournal, error) {
	return open(dir, func(l *flock.Flock) (bool, error) { return l.TryLock() })
}

// WaitJournal is OpenJournal for those who would rather wait for the present holder to go: it blocks
// until then, or until ctx is done. The guard uses it, since a dead run's lock may outlive, by a
// moment, the pipe that told of its death.
func WaitJournal(ctx context.Context, dir string) (*FileJournal, error) {
	return open(dir, func(l *flock.Flock) (bool, error) {
		ok, err := l.TryLockContext(ctx, lockPause)
		if err != nil && ctx.Err() != nil {
			return false, nil // refused in the holder's name, which says more than a timeout
		}
		return ok, err
	})
}

func open(dir string, take func(*flock.Flock) (bool, error)) (_ *FileJournal, err error) {
	// What is said about the journal is often acted upon in another folder.
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	if ok, err := take(lock); err != nil {
		return nil, fmt.Errorf("lock the journal: %w", err)
	} else if !ok {
		return nil, inUse(dir)
	}
	j := &FileJournal{dir: dir, lock: lock}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the journal: %w", errors.Join(err, j.Release()))
		}
	}()
	name := filepath.Join(dir, journalFile)
	j.f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) {
		// What cannot be written can still be kept.
		if f, rerr := os.Open(name); rerr == nil {
			j.f, j.unwritable = f, err
		}
	}
	if j.f == nil {
		return nil, err
	}
	// A disk that is full, or has gone read-only, is a reason not to break anything. It must not be
	// one not to restore what is broken.
	if err == nil {
		err = j.prepare()
	}
	if err != nil {
		if pending, _, perr := j.pending(); perr != nil || len(pending) == 0 {
			return nil, err
		}
	}
	return j, nil
}

// prepare makes a journal that was just opened fit to be written.
func (j *FileJournal) prepare() error {
	b, err := json.Marshal(holder{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(j.dir, holderFile), append(b, '\n'), 0o600); err != nil {
		return err
	}
	if err := j.compact(); err != nil {
		return err
	}
	// The names are durable, too: a promise in a file that nobody finds is none.
	for _, d := range []string{j.dir, filepath.Dir(j.dir)} {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// inUse refuses in the name of who holds the journal, as far as they have told.
func inUse(dir string) error {
	var h holder
	b, err := os.ReadFile(filepath.Join(dir, holderFile))
	if err == nil {
		err = json.Unmarshal(b, &h)
	}
	if err != nil || h.PID == 0 {
		return fmt.Errorf("%w %s", ErrInUse, dir)
	}
	return fmt.Errorf("%w %s (PID %d, since %s)", ErrInUse, dir, h.PID, h.Since.Format(time.RFC3339))
}

// syncDir makes the names in dir durable. Windows has no such thing and needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// compact empties a file that holds only history. It never touches one with an open entry: no way of
// rewriting an entry is as safe as leaving it alone. What cannot be read, Pending complains of.
func (j *FileJournal) compact() error {
	open, size, err := j.pending()
	if err != nil || len(open) > 0 || size == 0 {
		return nil
	}
	if err := j.f.Truncate(0); err != nil {
		return err
	}
	return j.f.Sync()
}

// Release closes the file and lets the next one have the journal. Entries stay as they are. It may be
// called again, and does nothing then.
func (j *FileJournal) Release() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	if j.f != nil {
		err = j.f.Close()
		j.f = nil
	}
	// The holder's file stays: whoever takes the lock next may have written it already.
	return errors.Join(err, j.lock.Unlock())
}

// Open makes e durable before it returns. An error, such as a full disk, means that no promise was
// made.
func (j *FileJournal) Open(e Entry) error {
	if e.ID == "" {
		return errors.New("an entry without an ID")
	}
	if err := j.append(line{Open: &e}); err != nil {
		return err
	}
	if !j.is(filepath.Join(j.dir, journalFile)) {
		return fmt.Errorf("somebody has moved the journal %s away meanwhile", j.dir)
	}
	return nil
}

// is reports whether the file of that name is the one that is open. If it is not, nobody will find
// what is written.
func (j *FileJournal) is(name string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return false
	}
	ours, err := j.f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(name)
	return err == nil && os.SameFile(ours, named)
}

// Close forgets the entry with the given ID, durably.
func (j *FileJournal) Close(id string) error { return j.append(line{Close: id}) }

func (j *FileJournal) append(l line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return fmt.Errorf("the journal %s is not open any more", j.dir)
	}
	if j.unwritable != nil {
		return j.unwritable
	}
	fi, err := j.f.Stat()
	if err != nil {
		return err
	}
	// The leading newline ends a line that a crash may have torn.
	_, err = j.f.Write(append([]byte("\n"), b...))
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		// What the disk took of a line that we disown should not come back as a promise. Best effort:
		// if even this is refused, a torn line is skipped, and a whole one is cleared by recover.
		_ = j.f.Truncate(fi.Size())
	}
	return err
}

// Pending returns the open entries, oldest first.
func (j *FileJournal) Pending() ([]Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	open, _, err := j.pending()
	return open, err
}

// pending reads through the handle, so that it sees what append wrote even if the name has gone.
func (j *FileJournal) pending() ([]Entry, int64, error) {
	if j.f == nil {
		return nil, 0, fmt.Errorf("the journal %s is not open any more", j.dir)
	}
	fi, err := j.f.Stat()
	if err != nil {
		return nil, 0, err
	}
	b, err := io.ReadAll(io.NewSectionReader(j.f, 0, fi.Size()))
	if err != nil {
		return nil, 0, err
	}
	open, err := parse(b)
	if err != nil {
		return nil, 0, fmt.Errorf("%s:%w", j.f.Name(), err)
	}
	return open, fi.Size(), nil
}

// parse returns the entries open at the end of b, oldest first. Of two open entries of one target the
// first counts: the second saw the target broken.
func parse(b []byte) ([]Entry, error) {
	var open []Entry
	for n, text := range bytes.Split(b, []byte("\n")) {
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if isTorn(text) {
			continue // it was never promised, because append never returned
		}
		var l line
		if json.Unmarshal(text, &l) != nil {
			// Not ours, or damaged: what it promised must not be passed over.
			return nil, fmt.Errorf("%d: not a line of a journal", n+1)
		}
		at := func(id string) int { return slices.IndexFunc(open, func(e Entry) bool { return e.ID == id }) }
		switch {
		case l.Open != nil && l.Close == "" && l.Open.ID != "":
			if at(l.Open.ID) < 0 {
				open = append(open, *l.Open)
			}
		case l.Open == nil && l.Close != "":
			if i := at(l.Close); i >= 0 {
				open = slices.Delete(open, i, i+1)
			}
		default:
			return nil, fmt.Errorf("%d: neither open nor close", n+1)
		}
	}
	return open, nil
}

// isTorn reports whether a crash may have made text of a line: it ends too early, or has zeros where
// a block never reached the disk.
func isTorn(text []byte) bool {
	if bytes.IndexByte(text, 0) >= 0 {
		return true
	}
	var whole json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(text)).Decode(&whole), io.ErrUnexpectedEOF)
}
