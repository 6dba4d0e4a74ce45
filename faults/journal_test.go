package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func openJournal(t *testing.T, dir string) *FileJournal {
	t.Helper()
	j, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Release(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func pendingIDs(t *testing.T, j Journal) string {
	t.Helper()
	p, err := j.Pending()
	if err != nil {
		t.Fatal(err)
	}
	var ids strings.Builder
	for _, e := range p {
		ids.WriteString(e.ID)
	}
	return ids.String()
}

// A crash may cut the file anywhere. Every promise whose Open had returned by then must still be
// there, and no entry may come back from the dead.
func TestJournalSurvivesEveryCut(t *testing.T) {
	dir := t.TempDir()
	j := openJournal(t, dir)
	name := filepath.Join(dir, journalFile)
	type mark struct {
		at   int64
		want string
	}
	marks, open := []mark{{0, ""}}, ""
	for _, op := range []string{"+a", "+b", "-a", "+c", "-c", "+a", "-b", "-a"} {
		id, err := op[1:], error(nil)
		if op[0] == '+' {
			err = j.Open(Entry{ID: id, Prior: State("x")})
			open += id
		} else {
			err = j.Close(id)
			open = strings.ReplaceAll(open, id, "")
		}
		if err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		marks = append(marks, mark{fi.Size(), open})
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	d := t.TempDir()
	for cut := range len(whole) + 1 {
		var want mark // the last state known to be durable at this cut
		for _, m := range marks {
			if m.at <= int64(cut) {
				want = m
			}
		}
		if err := os.WriteFile(filepath.Join(d, journalFile), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		jj, err := OpenJournal(d)
		if err != nil {
			t.Fatal(err)
		}
		if got := pendingIDs(t, jj); got != want.want {
			t.Fatalf("cut at %d of %d: pending %q, want %q", cut, len(whole), got, want.want)
		}
		if err := jj.Open(Entry{ID: "z"}); err != nil { // and after something was appended behind the tear
			t.Fatal(err)
		}
		if got := pendingIDs(t, jj); got != want.want+"z" {
			t.Fatalf("cut at %d of %d, then z: pending %q, want %q", cut, len(whole), got, want.want+"z")
		}
		if err := jj.Release(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d cuts", len(whole)+1)
}

func TestJournalCompactsOnlyHistory(t *testing.T) {
	dir := t.TempDir()
	size := func() int64 {
		fi, err := os.Stat(filepath.Join(dir, journalFile))
		if err != nil {
			t.Fatal(err)
		}
		return fi.Size()
	}
	use := func(f func(*FileJournal) error) {
		t.Helper()
		j := openJournal(t, dir)
		if err := f(j); err != nil {
			t.Fatal(err)
		}
		if err := j.Release(); err != nil {
			t.Fatal(err)
		}
	}
	use(func(j *FileJournal) error { return j.Open(Entry{ID: "a"}) })
	before := size()
	use(func(j *FileJournal) error { return nil })
	if size() != before {
		t.Errorf("a journal with an open entry went from %d to %d bytes", before, size())
	}
	use(func(j *FileJournal) error { return j.Close("a") })
	use(func(j *FileJournal) error { return nil })
	if size() != 0 {
		t.Errorf("a journal of history only still has %d bytes", size())
	}
	for name, want := range map[string]os.FileMode{".": 0o700, journalFile: 0o600, lockFile: 0o600, holderFile: 0o600} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		// The test's own folder is 0755; a folder of ours is tested below.
		if got := fi.Mode().Perm(); name != "." && runtime.GOOS != "windows" && got != want {
			t.Errorf("%s has mode %v, want %v", name, got, want)
		}
	}
}

func TestJournalOfItsOwnFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "journal")
	openJournal(t, dir)
	if fi, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, error %v", fi.Mode(), err)
	}
}

// Looking for a journal creates none: an empty one in the wrong place would look like good news.
func TestHasJournal(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		if has, err := HasJournal(dir); has || err != nil {
			t.Fatalf("has %v, error %v; want none", has, err)
		}
	}
	openJournal(t, dir)
	if has, err := HasJournal(dir); !has || err != nil {
		t.Errorf("has %v, error %v; want one", has, err)
	}
	if _, err := HasJournal(filepath.Join(dir, journalFile)); err == nil && runtime.GOOS != "windows" {
		t.Error("a file is no folder")
	}
}

func TestJournalIsHeldByOne(t *testing.T) {
	dir := t.TempDir()
	j := openJournal(t, dir)
	_, err := OpenJournal(dir)
	want := fmt.Sprintf("another loadkms is using the journal %s (PID %d, since ", dir, os.Getpid())
	if !errors.Is(err, ErrInUse) || !strings.HasPrefix(err.Error(), want) {
		t.Fatalf("error %v, want %s…", err, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := WaitJournal(ctx, dir); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Fatalf("waiting: error %v, want %s…", err, want)
	}
	if err := os.WriteFile(filepath.Join(dir, holderFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(dir); err == nil || err.Error() != "another loadkms is using the journal "+dir {
		t.Fatalf("error %v", err)
	}
	waited := make(chan error)
	go func() {
		jj, err := WaitJournal(context.Background(), dir)
		if err == nil {
			err = jj.Release()
		}
		waited <- err
	}()
	for range 2 {
		if err := j.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	if err := j.Open(Entry{ID: "a"}); err == nil {
		t.Error("a released journal made a promise")
	}
	if _, err := j.Pending(); err == nil {
		t.Error("a released journal said what is pending")
	}
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	t.Run("no such place", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenJournal(filepath.Join(file, "journal")); err == nil || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("disk full", func(t *testing.T) {
		if _, err := os.Stat("/dev/full"); err != nil {
			t.Skip("this system has no device that is always full")
		}
		dir := t.TempDir()
		if err := os.Symlink("/dev/full", filepath.Join(dir, journalFile)); err != nil {
			t.Fatal(err)
		}
		j := openJournal(t, dir)
		c := newThing()
		err, passed, _ := inject(t.Context(), c, j, pause(0))
		if err == nil || !strings.Contains(err.Error(), "no space left on device") || !strings.HasPrefix(err.Error(), "journal key: ") {
			t.Errorf("error %v", err)
		}
		if want := "observed · RESTORE · rehearsed · refused"; passed != want || c.state() != "fine" {
			t.Errorf("passed %q, want %q; state %q", passed, want, c.state())
		}
	})
	t.Run("disk full, with a promise to keep", func(t *testing.T) {
		dir := t.TempDir()
		// A folder in its place stands for all that can be wrong with the disk.
		if err := os.Mkdir(filepath.Join(dir, holderFile), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenJournal(dir); err == nil || !strings.HasPrefix(err.Error(), "open the journal: ") {
			t.Fatalf("error %v of an empty journal, want a refusal", err)
		}
		entry := `{"open":{"id":"a"}}`
		if err := os.WriteFile(filepath.Join(dir, journalFile), []byte(entry), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := pendingIDs(t, openJournal(t, dir)); got != "a" {
			t.Errorf("pending %q, want a", got)
		}
	})
	t.Run("moved away", func(t *testing.T) {
		dir := t.TempDir()
		j := openJournal(t, dir)
		name := filepath.Join(dir, journalFile)
		if err := os.Rename(name, name+".old"); err != nil {
			t.Skip("this system does not move open files: ", err)
		}
		c := newThing()
		err, passed, _ := inject(t.Context(), c, j, pause(0))
		if err == nil || !strings.Contains(err.Error(), "somebody has moved the journal") {
			t.Errorf("error %v", err)
		}
		if want := "observed · RESTORE · rehearsed · refused"; passed != want || c.state() != "fine" {
			t.Errorf("passed %q, want %q; state %q", passed, want, c.state())
		}
		if got := pendingIDs(t, j); got != "" {
			t.Errorf("a promise that was not made is pending: %q", got)
		}
	})
	t.Run("an entry without a name", func(t *testing.T) {
		if err := openJournal(t, t.TempDir()).Open(Entry{}); err == nil {
			t.Error("accepted")
		}
	})
}

func TestJournalOfManyAtOnce(t *testing.T) {
	j := openJournal(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 5 {
				id := strconv.Itoa(i) + "-" + strconv.Itoa(n) + " "
				if err := j.Open(Entry{ID: id}); err != nil {
					t.Error(err)
				}
				if n == 4 {
					return // the last one stays
				}
				if err := j.Close(id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := strings.Count(pendingIDs(t, j), "-4 "); got != 8 {
		t.Errorf("%d entries pending, want 8", got)
	}
}

func TestParse(t *testing.T) {
	open := func(id, prior string) string {
		b, err := json.Marshal(line{Open: &Entry{ID: id, Prior: State(prior)}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, tt := range []struct{ name, in, want, err string }{
		{name: "empty"},
		{name: "blank lines", in: "\n \r\n\n"},
		{name: "open", in: open("a", "1"), want: "a=1"},
		{name: "order", in: open("b", "1") + "\n" + open("a", "2"), want: "b=1 a=2"},
		{name: "closed", in: open("a", "1") + "\n" + `{"close":"a"}`},
		{name: "closed before", in: `{"close":"a"}` + "\n" + open("a", "1"), want: "a=1"},
		{name: "torn", in: open("a", "1") + "\n" + `{"open":{"id":"b`, want: "a=1"},
		{name: "torn, then more", in: `{"clo` + "\n" + open("a", "1"), want: "a=1"},
		{name: "zeros where a block was lost", in: "\x00\x00\x00\n" + open("a", "1"), want: "a=1"},
		{name: "the first of two counts", in: open("a", "good") + "\n" + open("a", "broken"), want: "a=good"},
		{name: "both of two are closed", in: open("a", "good") + "\n" + open("a", "broken") + "\n" + `{"close":"a"}`},
		{name: "a long line", in: open("a", strings.Repeat("x", 2<<20)), want: "a=" + strings.Repeat("x", 2<<20)},
		{name: "neither", in: open("a", "1") + "\n\n{}", err: "3: neither open nor close"},
		{name: "both", in: `{"open":{"id":"a"},"close":"b"}`, err: "1: neither open nor close"},
		{name: "edited", in: `{"open":{"id":"a","prior":"Enabled!"}}`, err: "1: not a line of a journal"},
		{name: "garbled", in: open("a", "1")[1:], err: "1: not a line of a journal"},
		{name: "two in one line", in: open("a", "1") + open("b", "1"), err: "1: not a line of a journal"},
		{name: "a list", in: `[]`, err: "1: not a line of a journal"},
		{name: "nobody", in: `{"open":{}}`, err: "1: neither open nor close"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			entries, err := parse([]byte(tt.in))
			var got []string
			for _, e := range entries {
				got = append(got, e.ID+"="+string(e.Prior))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %.80q, want %.80q", got, tt.want)
			}
			if text := fmt.Sprint(err); (err == nil) != (tt.err == "") || err != nil && text != tt.err {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "\n", "{}", `{"open":{"id":"a","prior":"Zg==","at":"2026-11-23T09:00:00Z"}}` + "\n" + `{"close":"a"}`,
		`{"open":{"id":"a"}}` + "\n" + `{"open":{"id":"b"}}`, "\x00\x00", `{"open":null,"close":"x"}`, `{"close":"a"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before, err := parse(b)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, e := range before {
			if e.ID == "" || seen[e.ID] {
				t.Fatalf("entry %q is nameless or double", e.ID)
			}
			seen[e.ID] = true
		}
		// Whatever lies before it, a whole line counts.
		one, err := json.Marshal(line{Open: &Entry{ID: "the newest"}})
		if err != nil {
			t.Fatal(err)
		}
		after, err := parse(bytes.Join([][]byte{b, one}, []byte("\n")))
		if err != nil {
			t.Fatal(err)
		}
		if want := len(before) + 1; !seen["the newest"] && len(after) != want {
			t.Fatalf("%d entries after another was opened, want %d", len(after), want)
		}
	})
}
