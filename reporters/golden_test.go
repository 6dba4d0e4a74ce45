package reporters

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"loadkms/result"
)

var update = flag.Bool("update", false, "make testdata/runs and the golden files again")

const runsDir = "../testdata/runs"

// runs returns the runs of testdata/runs by name, read as a user would.
func runs(t testing.TB) map[string]*result.Run {
	t.Helper()
	out := map[string]*result.Run{}
	for _, s := range synths() {
		b, err := os.ReadFile(filepath.Join(runsDir, s.name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		run, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		out[s.name] = run
	}
	return out
}

// golden compares got with testdata/name, or makes the file with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
		for i := range max(len(g), len(w)) {
			var a, b []byte
			if i < len(g) {
				a = g[i]
			}
			if i < len(w) {
				b = w[i]
			}
			if !bytes.Equal(a, b) {
				t.Fatalf("%s line %d:\n got %.300s\nwant %.300s\n(-update makes it again)", path, i+1, a, b)
			}
		}
	}
}

// TestMain makes testdata/runs before anything reads it.
func TestMain(m *testing.M) {
	flag.Parse()
	if *update {
		if err := writeRuns(); err != nil {
			panic(err)
		}
	}
	m.Run()
}

func writeRuns() error {
	if err := os.MkdirAll(runsDir, 0o755); err != nil {
		return err
	}
	for _, s := range synths() {
		var b bytes.Buffer
		if err := JSON(&b, s.run()); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(runsDir, s.name+".json"), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func TestRunsAreWhatTheirGeneratorMakes(t *testing.T) {
	for _, s := range synths() {
		var got bytes.Buffer
		if err := JSON(&got, s.run()); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(runsDir, s.name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s.json differs from what its generator makes (-update makes it again)", s.name)
		}
	}
}

func TestTerminalGolden(t *testing.T) {
	for name, run := range runs(t) {
		var b bytes.Buffer
		if err := Terminal(&b, run, Style{}); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", b.Bytes())
	}
}

func TestHTMLGolden(t *testing.T) {
	for name, run := range runs(t) {
		var b bytes.Buffer
		if err := HTML(&b, run); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".html", b.Bytes())
	}
}
