package reporters

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
)

// play publishes the snapshots of run as the runner does, in the bubble's time.
func play(feed *result.Feed, run *result.Run) {
	n := uint64(0)
	for at := time.Duration(0); ; at += time.Second {
		at = min(at, run.Took)
		n++
		feed.Publish(before(run, n, at))
		if at == run.Took {
			return
		}
		<-time.After(time.Second)
	}
}

func TestLinesGolden(t *testing.T) {
	for name, run := range runs(t) {
		synctest.Test(t, func(t *testing.T) {
			var b bytes.Buffer
			feed := &result.Feed{}
			go play(feed, run)
			if err := Lines(t.Context(), &b, feed); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".log", b.Bytes())
			if n := strings.Count(b.String(), " event "); n != len(run.Events) {
				t.Errorf("%s: %d events, want %d", name, n, len(run.Events))
			}
		})
	}
}

// TestLinesMissSnapshotsButNoEvents: a reader that looks rarely still tells every event once.
func TestLinesMissSnapshotsButNoEvents(t *testing.T) {
	run := runs(t)["disable-key"]
	var b bytes.Buffer
	l := log{w: &b}
	for n, at := range []time.Duration{0, 0, 21 * time.Second, 21 * time.Second, run.Took} {
		if err := l.take(before(run, uint64(n/2+1), at)); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(b.String(), " event "); n != len(run.Events) {
		t.Errorf("%d events, want %d:\n%s", n, len(run.Events), b.String())
	}
	if n := strings.Count(b.String(), " load "); n != 2 {
		t.Errorf("%d lines about the load, want 2:\n%s", n, b.String())
	}
}

func TestLiveViewsEndWithTheirContext(t *testing.T) {
	run := runs(t)["disable-key"]
	for name, view := range map[string]func(context.Context, *bytes.Buffer, *result.Feed) error{
		"lines": func(ctx context.Context, b *bytes.Buffer, f *result.Feed) error { return Lines(ctx, b, f) },
		"progress": func(ctx context.Context, b *bytes.Buffer, f *result.Feed) error {
			return Progress(ctx, b, f, Style{}, nil)
		},
	} {
		for _, feed := range []*result.Feed{{}, {}} {
			synctest.Test(t, func(t *testing.T) {
				var b bytes.Buffer
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- view(ctx, &b, feed) }()
				synctest.Wait()
				// Published after the last look and before the end: it must not be lost.
				feed.Publish(before(run, 1, 25*time.Second))
				cancel()
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(b.String(), "disable the ledger's key") {
					t.Errorf("%s: the last snapshot was not shown: %q", name, b.String())
				}
			})
		}
	}
}

// A disk that is full.
type disk struct{}

func (disk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestLiveViewsReportAFullDisk(t *testing.T) {
	run := runs(t)["rotate"]
	feed := &result.Feed{}
	feed.Publish(before(run, 1, run.Took))
	if err := Lines(t.Context(), disk{}, feed); err == nil {
		t.Error("lines: no error")
	}
	if err := Progress(t.Context(), disk{}, feed, Style{}, nil); err == nil {
		t.Error("progress: no error")
	}
}

// A vt is as much of a terminal as Progress uses.
type vt struct {
	sync.Mutex
	t             *testing.T
	width, height int
	lines         []string // of the whole session; the last height of them are on the screen
	x, y          int      // of the cursor, in characters: nothing here is wider than one column
	hidden        bool
	writes        int
}

var escape = regexp.MustCompile("^\x1b\\[(\\??[0-9;]*)([A-Za-z])")

func (v *vt) Write(b []byte) (int, error) {
	v.Lock()
	defer v.Unlock()
	v.writes++
	for s := string(b); len(s) > 0; {
		for len(v.lines) <= v.y {
			v.lines = append(v.lines, "")
		}
		if m := escape.FindStringSubmatch(s[:min(len(s), 16)]); m != nil {
			s = s[len(m[0]):]
			v.obey(m[0], m[1], m[2])
			continue
		}
		text := s
		if i := strings.IndexAny(s, "\r\n\x1b"); i >= 0 {
			text = s[:i]
		}
		switch {
		case text != "":
			v.put([]rune(text))
			s = s[len(text):]
		case s[0] == '\r':
			v.x, s = 0, s[1:]
		case s[0] == '\n':
			v.y, s = v.y+1, s[1:]
		default:
			v.t.Fatalf("unknown sequence %.10q", s)
		}
	}
	return len(b), nil
}

func (v *vt) obey(sequence, argument, final string) {
	switch final {
	case "A":
		n, _ := strconv.Atoi(argument)
		if v.y-n < max(len(v.lines)-v.height, 0) {
			v.t.Errorf("the cursor climbs over the top of the screen")
		}
		v.y = max(v.y-n, 0)
	case "J":
		if v.x > 0 {
			v.t.Errorf("erased in the middle of a line")
		}
		v.lines = v.lines[:v.y]
	case "K":
		v.lines[v.y] = string([]rune(v.lines[v.y])[:v.x])
	case "h", "l":
		v.hidden = final == "l"
	case "m":
	default:
		v.t.Errorf("unknown sequence %q", sequence)
	}
}

func (v *vt) size() (int, int, error) {
	v.Lock()
	defer v.Unlock()
	return v.width, v.height, nil
}

// put writes text over what is there.
func (v *vt) put(text []rune) {
	line := []rune(v.lines[v.y])
	to := v.x + len(text)
	if to >= v.width {
		v.t.Errorf("column %d of %d is written: %q", to, v.width, string(line))
	}
	v.lines[v.y] = string(slices.Concat(line[:v.x], text, line[min(to, len(line)):]))
	v.x = to
}

// resize breaks lines that no longer fit, as terminals do.
func (v *vt) resize(width int) {
	v.Lock()
	defer v.Unlock()
	v.width = width
	var out []string
	for i, line := range v.lines {
		if i == v.y {
			v.y = len(out)
		}
		for columns(line) > width {
			out, line = append(out, string([]rune(line)[:width])), string([]rune(line)[width:])
		}
		out = append(out, line)
	}
	if v.y >= len(v.lines) {
		v.y = len(out)
	}
	v.lines = out
}

func TestProgressOnATerminal(t *testing.T) {
	for name, run := range runs(t) {
		for _, size := range [][2]int{{80, 24}, {120, 50}, {40, 10}, {20, 4}, {9, 2}} {
			synctest.Test(t, func(t *testing.T) {
				v := &vt{t: t, width: size[0], height: size[1]}
				feed := &result.Feed{}
				go play(feed, run)
				err := Progress(t.Context(), v, feed, Style{Color: true}, v.size)
				if err != nil {
					t.Fatal(err)
				}
				if v.hidden {
					t.Errorf("%s: the cursor stays hidden", name)
				}
				if len(v.lines) > size[1] {
					t.Errorf("%s: %d lines on a terminal of %d:\n%s", name, len(v.lines), size[1], strings.Join(v.lines, "\n"))
				}
				// One frame a second, and the cursor hidden and shown.
				if most := int(run.Took/time.Second) + 2 + 2; v.writes > most {
					t.Errorf("%s: %d writes, want at most %d", name, v.writes, most)
				}
				var want []string
				for _, r := range frame(feed.Latest(), size[0], size[1]) {
					want = append(want, r.render(size[0]-1, false))
				}
				for i := range v.lines {
					v.lines[i] = strings.TrimRight(v.lines[i], " ")
				}
				if got := strings.TrimRight(strings.Join(v.lines, "\n"), "\n"); got != strings.TrimRight(strings.Join(want, "\n"), "\n") {
					t.Errorf("%s: the screen shows\n%s\nwant\n%s", name, got, strings.Join(want, "\n"))
				}
			})
		}
	}
}

// TestProgressWhenTheTerminalGetsNarrower: the old frame, broken into more lines, leaves nothing.
func TestProgressWhenTheTerminalGetsNarrower(t *testing.T) {
	run := runs(t)["disable-key"]
	synctest.Test(t, func(t *testing.T) {
		v := &vt{t: t, width: 100, height: 60}
		feed := &result.Feed{}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		feed.Publish(before(run, 1, 23*time.Second))
		go func() {
			ended <- Progress(ctx, v, feed, Style{}, v.size)
		}()
		synctest.Wait()
		for _, width := range []int{50, 30, 90} {
			v.resize(width)
			<-time.After(glance)
			synctest.Wait()
			heads := slices.DeleteFunc(slices.Clone(v.lines), func(s string) bool { return !strings.Contains(s, "● 0:23") })
			if len(heads) != 1 {
				t.Errorf("at %d: %d frames on the screen:\n%s", width, len(heads), strings.Join(v.lines, "\n"))
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	})
}

func TestProgressTells(t *testing.T) {
	run := runs(t)["disable-key"]
	f := run.Faults[0]
	for _, c := range []struct {
		at   time.Duration
		want []string
	}{
		{0, []string{"● 0:00 of 1:00, 1m00s left  phase create", "waiting, due in 20 s", "load      – of 50/s"}},
		{23 * time.Second, []string{"BROKEN for 3 s", "in force", "phase disabled"}},
		{25 * time.Second, []string{"100% KeyInaccessible", "witness: ledger qldb-kms-poc: KMS_KEY_INACCESSIBLE"}},
		{f.Restoring, []string{"restoring for 0 s"}},
		{f.Restored, []string{"restored, settling for 0 s"}},
		{f.Settled, []string{"restored and settled"}},
		{run.Took, []string{"■ 1:00 of 1:00, done", "errors    none", "so far 855 of 3,000"}},
	} {
		s := before(run, 1, c.at)
		var b strings.Builder
		for _, r := range frame(s, 110, 40) {
			b.WriteString(r.render(109, false) + "\n")
		}
		for _, want := range c.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("at %v it does not say %q:\n%s", c.at, want, b.String())
			}
		}
	}
}
