package scenarios

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

//go:embed *.yaml
var library embed.FS

// Library returns the scripts that ship with loadkms, NAME.yaml each, without folders.
func Library() fs.FS { return library }

// Names returns the bare names of the scripts that ship with loadkms, in alphabetical order.
func Names() (names []string) {
	files, err := fs.Glob(library, "*.yaml")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f, ".yaml"))
	}
	return names
}

// Load reads the script called name. A file of that name wins; otherwise name may be that of a script
// that ships with loadkms: rotate, rotate.yaml or scenarios/rotate.yaml. The error is a *Problems if
// there is such a script but it is wrong, and wraps [fs.ErrNotExist] if there is none.
func Load(name string, o Options) (*Script, error) {
	if contains([]string{".js", ".cjs", ".mjs", ".ts"}, filepath.Ext(name)) {
		return nil, fmt.Errorf("read script %q: a script is YAML or JSON, and not a program", name)
	}
	src, err := os.ReadFile(name)
	if err == nil {
		return Parse(name, src, o)
	}
	if shipped, ok := shippedAs(name); ok {
		src, err := fs.ReadFile(library, shipped)
		if err != nil {
			return nil, fmt.Errorf("read shipped script %q: %w", name, err)
		}
		return Parse(name, src, o)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		var perr *fs.PathError
		if errors.As(err, &perr) {
			err = perr.Err
		}
		return nil, fmt.Errorf("read script %q: %w", name, err)
	}
	bare := strings.TrimSuffix(path.Base(filepath.ToSlash(name)), ".yaml")
	return nil, fmt.Errorf("no script %q: %w (%s)", name, fs.ErrNotExist,
		meant(bare, Names(), "shipped with loadkms:"))
}

// shippedAs returns the library's file for name.
func shippedAs(name string) (string, bool) {
	name = path.Clean(filepath.ToSlash(name))
	if dir, file := path.Split(name); dir == "" || dir == "scenarios/" {
		bare := strings.TrimSuffix(file, ".yaml")
		return bare + ".yaml", contains(Names(), bare)
	}
	return "", false
}
