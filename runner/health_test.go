package runner

import (
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"loadkms/result"
)

func TestProcessorsSaturated(t *testing.T) {
	const s = time.Second
	all := time.Duration(runtime.GOMAXPROCS(0))
	// Each number is the share of the processors, in percent, that was used in one second.
	for _, c := range []struct {
		name   string
		shares []int
		want   string // "" means that no limit was hit
	}{
		{"idle", []int{1, 2, 3}, ""},
		{"busy, but not all the time", []int{99, 99, 90, 99, 99, 94}, ""},
		{"busy for long enough", []int{10, 96, 95, 100, 10}, "3s"},
		{"busy to the end", []int{50, 99, 99, 99, 99}, "4s"},
		{"the longest stretch counts", []int{99, 99, 99, 99, 99, 0, 99, 99, 99}, "5s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &health{}
			now := spending{}
			for _, share := range c.shares {
				now.at += s
				now.cpu += s * all * time.Duration(share) / 100
				h.processors(now)
				// A look right after another says nothing, whatever it sees.
				h.processors(spending{at: now.at + glance/2, cpu: now.cpu})
			}
			var g result.Generator
			h.report(now, &g)
			var want []string
			if c.want != "" {
				want = []string{"had all of its processors (" + strconv.Itoa(g.Processors) + ") busy for " + c.want}
			}
			if !slices.Equal(g.Limits, want) {
				t.Errorf("got %q, want %q", g.Limits, want)
			}
		})
	}
}

func TestResources(t *testing.T) {
	levels := [][2]int{{10, 1000}, {995, 1000}, {30, 1000}}
	h := &health{}
	h.files.ask = func() (int, int) { l := levels[0]; levels = levels[1:]; return l[0], l[1] }
	h.ports.ask = func() (int, int) { return 28_000, 28_232 }
	for range 3 {
		h.files.look()
		h.ports.look()
	}
	g := result.Generator{Lacks: map[string]uint64{"open files": 50, "local ports": 1}}
	h.report(spending{}, &g)
	want := []string{"had 995 of 1000 files and sockets open (ulimit -n)", "used 28000 of 28232 local ports",
		"had no local ports left for 1 of its requests", "had no open files left for 50 of its requests"}
	if !slices.Equal(g.Limits, want) || !g.Exhausted() || g.Files != 995 {
		t.Errorf("got %q, want %q (%+v)", g.Limits, want, g)
	}
}

func TestPausesOfTheCollector(t *testing.T) {
	for _, c := range []struct {
		pause, limit time.Duration
		want         []string
	}{
		{10 * time.Millisecond, 0, nil},
		{12 * time.Millisecond, 0, []string{"was stopped for 12ms by its garbage collector"}},
		{12 * time.Millisecond, time.Second, nil},
	} {
		g := result.Generator{LateLimit: c.limit}
		(&health{pause: c.pause}).report(spending{}, &g)
		if !slices.Equal(g.Limits, c.want) {
			t.Errorf("a pause of %v: got %q, want %q", c.pause, g.Limits, c.want)
		}
	}
}

// The real thing: what the process spends is seen, and only what it spent since the run began.
func TestHealthOfThisProcess(t *testing.T) {
	h := newHealth()
	for began := cpuTime(); cpuTime() == began && runtime.GOOS != "windows"; {
		_ = make([]byte, 1<<20)
	}
	runtime.GC()
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	g := result.Generator{}
	h.report(h.look(time.Second), &g)
	if g.GCCycles == 0 || g.GCPause <= 0 || h.pause <= 0 || h.pause > g.GCPause || g.Processors != runtime.GOMAXPROCS(0) {
		t.Errorf("got %+v, longest pause %v", g, h.pause)
	}
	if runtime.GOOS == "linux" && g.CPU <= 0 {
		t.Errorf("got %v of CPU", g.CPU)
	}
}

func TestOpenFiles(t *testing.T) {
	before, limit := openFiles()
	if before == 0 {
		t.Skip("not known here")
	}
	var files []*os.File
	for range 50 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	after, _ := openFiles()
	if after-before < len(files)/2 || limit < after { // something older may be closed meanwhile
		t.Errorf("got %d and then %d of %d, having opened %d", before, after, limit, len(files))
	}
}
