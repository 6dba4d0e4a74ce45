package loadkms

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A room is a package: its one job, and everything it may import besides the standard library.
// Modules of others are named by their first path elements.
type room struct{ job, uses string }

// house is the table of rooms. A package imports only from lower floors.
var house = map[string]room{
	"result":    {"plain data about a run", ""},
	"scenarios": {"the language and its library", "result gopkg.in/yaml.v3 github.com/mattn/go-runewidth github.com/expr-lang/expr"},

	"runner/internal/arrival": {"when users arrive", "github.com/tsenart/vegeta/v12"},
	"runner/internal/measure": {"recording without blocking", "result"},
	"runner/internal/client":  {"one HTTP exchange", "result golang.org/x/sys"},
	"runner/internal/records": {"what was created", ""},
	"runner/internal/answer": {"what an answer says", "scenarios runner/internal/client " +
		"github.com/theory/jsonpath github.com/jmespath/go-jmespath github.com/antchfx github.com/andybalholm/cascadia " +
		"github.com/dlclark/regexp2/v2 golang.org/x/net/html"},
	"runner/internal/fake": {"made-up data", "github.com/brianvoe/gofakeit/v7"},
	"runner/internal/flow": {"virtual users", "result scenarios runner/internal/answer runner/internal/fake runner/internal/arrival runner/internal/client " +
		"runner/internal/measure runner/internal/records github.com/dop251/goja github.com/dop251/goja_nodejs github.com/brianvoe/gofakeit/v7 " +
		"github.com/expr-lang/expr"},

	"faults":         {"break, put back, remember", "github.com/gofrs/flock"},
	"faults/command": {"runs a command that breaks, and one that undoes it", "faults scenarios"},
	"faults/awskms":  {"the only caller of AWS", "faults scenarios sandbox/ledger sandbox/iam github.com/aws"},
	"verdict":        {"was it good", "result scenarios github.com/expr-lang/expr"},
	"reporters":      {"shows a run", "result github.com/prometheus golang.org/x/term github.com/mattn/go-runewidth"},
	"runner": {"conducts a run", "faults result scenarios verdict runner/internal/arrival runner/internal/client " +
		"runner/internal/flow runner/internal/measure runner/internal/records"},

	"sandbox/clock":   {"sandbox time", ""},
	"sandbox/store":   {"entries on disk", "github.com/cockroachdb/pebble/v2"},
	"sandbox/ion":     {"Ion values and their hashes", "github.com/amazon-ion/ion-go"},
	"sandbox/iam":     {"who may do what", ""},
	"sandbox/kms":     {"KMS", "sandbox/iam sandbox/clock sandbox/store github.com/google/uuid github.com/decred/dcrd"},
	"sandbox/trail":   {"CloudTrail: what was done", "sandbox/iam sandbox/clock github.com/google/uuid"},
	"sandbox/stack":   {"CloudFormation: templates and stacks", "sandbox/iam sandbox/clock sandbox/store github.com/google/uuid gopkg.in/yaml.v3"},
	"sandbox/partiql": {"PartiQL on a database", "sandbox/ion"},
	"sandbox/ledger":  {"QLDB", "sandbox/iam sandbox/clock sandbox/store sandbox/ion sandbox/partiql github.com/google/uuid"},
	"sandbox/api":     {"the article's two endpoints", "sandbox/iam sandbox/ledger github.com/google/uuid"},
	"sandbox": {"a small AWS and the article's API", "sandbox/iam sandbox/clock sandbox/store sandbox/kms sandbox/ledger " +
		"sandbox/api sandbox/trail sandbox/stack github.com/google/uuid"},

	"bench/stall":  {"a server that freezes, and the truth about it", ""},
	"bench/vegeta": {"vegeta's library as a program", "github.com/tsenart/vegeta/v12"},
	"bench":        {"loadkms beside its peers", "result bench/stall"},

	"cmd/loadkms": {"flags, signals, wiring, exit codes", "faults faults/awskms faults/command reporters result runner sandbox scenarios " +
		"github.com/spf13/cobra github.com/prometheus/client_golang golang.org/x/term"},
}

func TestHouse(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	const mod = "loadkms"
	seen := map[string]bool{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath == mod {
			continue
		}
		name := strings.TrimPrefix(p.ImportPath, mod+"/")
		rule, ok := house[name]
		if !ok {
			t.Errorf("package %s has no room in the house: give it a job in arch_test.go, or put it into one that has", name)
			continue
		}
		seen[name] = true
		allowed := strings.Fields(rule.uses)
		for _, imp := range p.Imports {
			in, ours := strings.CutPrefix(imp, mod+"/")
			switch {
			case ours && slices.Contains(allowed, in):
			case ours:
				t.Errorf("%s (%s) must not import %s", name, rule.job, in)
			case !strings.Contains(strings.SplitN(imp, "/", 2)[0], "."): // standard library
			case slices.ContainsFunc(allowed, func(a string) bool { return imp == a || strings.HasPrefix(imp, a+"/") }):
			default:
				t.Errorf("%s (%s) must not import %s", name, rule.job, imp)
			}
		}
	}
	for name := range house {
		if !seen[name] {
			t.Errorf("room %s stands empty: drop it from arch_test.go", name)
		}
	}
}
