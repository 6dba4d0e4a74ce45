package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What docs/SAFETY.md says a promise is shown by must be there.
func TestSafetyIsShown(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "SAFETY.md"))
	if err != nil {
		t.Fatal(err)
	}
	var tests bytes.Buffer
	for _, room := range []string{"faults", "cmd", "runner", "sandbox"} {
		err := filepath.WalkDir(filepath.Join(root, room), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			tests.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("`(Test\\w+|\\w+\\.txtar|make \\w+)`").FindAllStringSubmatch(string(page), -1)
	if len(shown) < 10 {
		t.Fatalf("only %d tests are named: is the table still there?", len(shown))
	}
	for _, s := range shown {
		name := s[1]
		there := strings.Contains(tests.String(), "\nfunc "+name+"(")
		if script, is := strings.CutSuffix(name, ".txtar"); is {
			_, err := os.Stat(filepath.Join("testdata", "script", script+".txtar"))
			there = err == nil
		} else if target, is := strings.CutPrefix(name, "make "); is {
			there = strings.Contains(string(makefile), "\n"+target+":")
		}
		if !there {
			t.Errorf("docs/SAFETY.md names %s, which does not exist", name)
		}
	}
}
