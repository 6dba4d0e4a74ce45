package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The mark is a file beside the store with the number of a batch that is certainly on disk. A store
// that ends before it has lost something: Pebble takes a list of its tables that was cut short for
// that of an earlier time. It is written at the beginning, after every flush, and at the end.

// mark moves the mark on.
func (s *Store) mark(at uint64) error {
	s.marking.Lock()
	defer s.marking.Unlock()
	if at <= s.marked {
		return nil // of two that go on at a time, the later one may come first
	}
	if err := writeMark(s.dir, at); err != nil {
		return fmt.Errorf("mark data directory %s: %w", s.dir, err)
	}
	s.marked = at
	return nil
}

// writeMark replaces the mark, so that there is always one.
func writeMark(dir string, at uint64) error {
	begun := filepath.Join(dir, newMark)
	f, err := os.OpenFile(begun, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(markText(at))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(begun, filepath.Join(dir, markFile)); err != nil {
		return err
	}
	return syncDir(vfs.Default, dir)
}

// markText is the mark with its own checksum.
func markText(at uint64) string {
	text := fmt.Sprintf("%d", at)
	return fmt.Sprintf("%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

func readMark(dir string) (at uint64, err error) {
	b, err := os.ReadFile(filepath.Join(dir, markFile))
	if errors.Is(err, os.ErrNotExist) {
		return 0, errors.New("its mark is missing")
	}
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscanf(string(b), "%d", &at); err != nil || string(b) != markText(at) {
		return 0, errors.New("its mark cannot be read")
	}
	return at, nil
}
