package loadkms

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// forbidden are calls the house does without, and where they are allowed all the same.
var forbidden = []struct {
	call, why string
	allowed   func(file string) bool
}{
	{"os.Exit", "skips the deferred restores", func(f string) bool { return mains[f] }},
	{"log.Fatal", "skips the deferred restores", never},
	{"log.Fatalf", "skips the deferred restores", never},
	{"log.Print", "only main prints", never},
	{"log.Printf", "only main prints", never},
	{"fmt.Print", "only main prints, to a writer it is given", never},
	{"fmt.Printf", "only main prints, to a writer it is given", never},
	{"fmt.Println", "only main prints, to a writer it is given", never},
}

// mains are the files that may say how a process ends.
var mains = map[string]bool{"cmd/loadkms/main.go": true, "bench/main.go": true, "bench/vegeta/main.go": true}

func never(string) bool { return false }

// TestLaws keeps what no compiler keeps. It is about code that ships: a test may play a process that
// dies.
func TestLaws(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		files++
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := call.X.(*ast.Ident)
			if !ok || pkg.Obj != nil { // a local variable of that name
				return true
			}
			for _, law := range forbidden {
				if pkg.Name+"."+call.Sel.Name != law.call || law.allowed(filepath.ToSlash(name)) {
					continue
				}
				t.Errorf("%s: %s: %s", set.Position(n.Pos()), law.call, law.why)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("looked at %d files only", files)
	}
}
