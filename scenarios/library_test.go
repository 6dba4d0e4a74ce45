package scenarios

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestShipped parses every script that ships with loadkms as it is and with the article's numbers.
func TestShipped(t *testing.T) {
	want := []string{"create-and-query", "deny-key", "disable-key", "disconnect-key-store", "no-access-key", "revoke-grant", "rotate-key", "rotate", "run", "schedule-key-deletion", "update-ledger-key"}
	if got := Names(); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for _, name := range Names() {
		for _, environment := range []string{"", "article"} {
			t.Run(name+" "+environment, func(t *testing.T) {
				s, err := Load(name, Options{Environment: environment})
				var problems *Problems
				if errors.As(err, &problems) {
					t.Fatal(problems.Explain())
				}
				if err != nil {
					t.Fatal(err)
				}
				if len(s.Notes) > 0 {
					t.Errorf("got notes %v, want none for a script of ours", s.Notes)
				}
				if s.Config.Target != "sandbox" || s.Name != name {
					t.Errorf("got target %q and name %q", s.Config.Target, s.Name)
				}
				// What surrounds the last fault is there to make it possible.
				if n := len(s.Faults); name != "create-and-query" && (n == 0 || len(s.Faults[n-1].Expect) != 3 && !s.Faults[n-1].OneWay) {
					t.Errorf("got %d faults, want the last one to have expectations for before, during and, if it is put back, after", len(s.Faults))
				}
				total := s.lasts()
				if environment == "" {
					if total > 45*time.Second {
						t.Errorf("it takes %v, want less than a minute with all that surrounds it", total)
					}
					return
				}
				for _, p := range s.Config.Phases {
					n := p.From * p.Duration.Seconds()
					if p.From > 0 && (n != 1500 || p.From != p.To) {
						t.Errorf("phase %q has %v arrivals, want the article's 1500", p.Name, n)
					}
				}
				if sp := s.Config.Sandbox.Speed; sp != 0 && sp != 1 {
					t.Errorf("got speed %v, want the article's 1", sp)
				}
			})
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine.yaml")
	if err := os.WriteFile(mine, []byte("config: {target: sandbox}\nscenarios: [{flow: [{think: 1}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // so that scenarios/rotate.yaml is not a file here
	for _, c := range []struct{ name, want, err string }{
		{mine, "mine", ""},
		{"mine.yaml", "mine", ""},
		{"rotate", "rotate", ""},
		{"rotate.yaml", "rotate", ""},
		{"scenarios/rotate.yaml", "rotate", ""},
		{"./scenarios/rotate.yaml", "rotate", ""},
		{"rotat", "", `no script "rotat": file does not exist (did you mean "rotate"?)`},
		{"other/rotate.yaml", "", `no script "other/rotate.yaml": file does not exist (did you mean "rotate"?)`},
		{"nothing", "", `no script "nothing": file does not exist ` +
			`(shipped with loadkms: create-and-query, deny-key, disable-key, disconnect-key-store, no-access-key, revoke-grant, rotate, rotate-key, run, schedule-key-deletion and update-ledger-key)`},
		{"", "", `no script "": file does not exist (shipped with loadkms: create-and-query, deny-key, disable-key, disconnect-key-store, no-access-key, revoke-grant, rotate, rotate-key, run, schedule-key-deletion and update-ledger-key)`},
		{".", "", `read script ".": is a directory`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Load(c.name, Options{})
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Fatalf("got %v, want %v", err, c.err)
				}
				if strings.HasPrefix(c.err, "no script") && !errors.Is(err, fs.ErrNotExist) {
					t.Error("the error does not wrap fs.ErrNotExist")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != c.want || s.File != c.name {
				t.Errorf("got %q from %q, want %q", s.Name, s.File, c.want)
			}
		})
	}
	// A file of that name wins over the library.
	if err := os.WriteFile("rotate", []byte("config: {target: sandbox}\nscenarios: [{name: mine, flow: [{think: 1}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load("rotate", Options{})
	if err != nil || s.Scenarios[0].Name != "mine" {
		t.Errorf("got %+v, %v; want the file", s, err)
	}
	if err := os.WriteFile("rotate", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var problems *Problems
	if _, err := Load("rotate", Options{}); !errors.As(err, &problems) {
		t.Errorf("got %v, want problems", err)
	}
}

func TestLibrary(t *testing.T) {
	for _, name := range Names() {
		if _, err := fs.ReadFile(Library(), name+".yaml"); err != nil {
			t.Error(err)
		}
	}
}

// TestSchemaOfAmounts checks that the schema refuses no number and no duration that Parse takes, and
// refuses the usual mistakes.
func TestSchemaOfAmounts(t *testing.T) {
	takes := func(s shape, text string) bool {
		return regexp.MustCompile(s.schema["pattern"].(string)).MatchString(text)
	}
	for _, text := range []string{"5", "+5", "5.", ".5", "1e3", " 7 ", "5s", "2 minutes", "2m30s", "1h 5 m", "500ms", "3µs", "1W",
		"-5", "1e400", "five", "1,5", "5 s 3", "", "NaN", "0x10", "1:30", "infinity", "PT5S", "5x", "20/s", "1_000", "100%", "{{ x }}"} {
		_, number := parseNumber(text)
		_, duration := parseDuration(text)
		number = number && !strings.HasPrefix(text, "-")
		hole := strings.Contains(text, "{{")
		if got, want := takes(numberShape, text), number || hole || text == "1e400"; got != want {
			t.Errorf("number %q: the schema takes it: %v, Parse: %v", text, got, want)
		}
		if !takes(boundShape, text) && (number || duration || hole) {
			t.Errorf("bound %q: the schema refuses what Parse takes", text)
		}
		if got := takes(durationShape, text); !got && (duration || hole) || got && !duration && !hole && text != "5x" && text != "1e400" {
			t.Errorf("duration %q: the schema takes it: %v, Parse: %v", text, got, duration)
		}
	}
}

// TestSchema checks that the schema and the page of the language have every section and every key,
// and that nothing in the schema refers to what is not there.
func TestSchema(t *testing.T) {
	var schema struct {
		Ref  string                     `json:"$ref"`
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	page := string(Language())
	for _, p := range pages {
		def := string(schema.Defs[anchor(p.title())])
		at := strings.Index(page, "\n## "+p.title()+"\n")
		if def == "" || at < 0 {
			t.Errorf("section %q is not described", p.title())
			continue
		}
		section, _, _ := strings.Cut(page[at+4:], "\n## ")
		for _, r := range p.rows() {
			if !strings.Contains(def, `"`+r.name+`": {`) {
				t.Errorf("the schema of %q has no %q", p.title(), r.name)
			}
			if !strings.Contains(section, "| `"+r.name+"` |") {
				t.Errorf("the page on %q has no %q", p.title(), r.name)
			}
			if r.doc == "" || r.shape.words == "" || r.shape.schema == nil {
				t.Errorf("%q in %q is not explained", r.name, p.title())
			}
			if slices.Contains(p.notYet(), r.name) {
				t.Errorf("%q in %q is supported and is not", r.name, p.title())
			}
		}
	}
	for _, ref := range bytes.Split(Schema(), []byte("#/$defs/"))[1:] {
		name, _, _ := bytes.Cut(ref, []byte(`"`))
		if schema.Defs[string(name)] == nil {
			t.Errorf("the schema refers to %q, which is not there", name)
		}
	}
	for _, link := range strings.Split(page, "](#")[1:] {
		name, _, _ := strings.Cut(link, ")")
		if !strings.Contains(page, "\n## "+strings.ReplaceAll(name, "-", " ")+"\n") {
			t.Errorf("the page links to %q, which is not there", name)
		}
	}
}

// TestDocs parses every script in the documentation, and compares the page of the language with what
// its tables say.
func TestDocs(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../README.md", "../CONTRIBUTING.md") {
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) == "LANGUAGE.md" && !bytes.Equal(b, Language()) {
			t.Errorf("%s is not what loadkms schema --markdown prints", file)
		}
		if filepath.Base(file) == "ARTILLERY.md" {
			continue // TestArtilleryPage reads it
		}
		for i, block := range strings.Split(string(b), "\n```yaml\n")[1:] {
			block, _, _ = strings.Cut(block, "\n```")
			if !strings.Contains("\n"+block, "\nconfig:") {
				continue // a part of a script
			}
			var problems *Problems
			if _, err := Parse(filepath.Base(file), []byte(block+"\n"), Options{}); errors.As(err, &problems) {
				t.Errorf("block %d:\n%s", i+1, problems.Explain())
			}
		}
	}
}
