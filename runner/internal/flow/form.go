package flow

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"loadkms/scenarios"
)

// form compiles a multipart/form-data body (RFC 7578), with the content of its files, and returns its
// boundary, which depends on the seed and occurs in none of them.
func (c *compiler) form(st *scenarios.Step) (body text, boundary string) {
	dice := rand.New(rand.NewPCG(c.p.seed, boundaryStream))
	files := map[string]string{}
	for _, f := range st.Form {
		if f.File == "" {
			continue
		}
		b, err := os.ReadFile(c.beside(f.File))
		if err != nil {
			c.problem(f.Pos, "", "the file %s cannot be read: %v", f.File, plainError(err))
		}
		files[f.File] = string(b)
	}
	for {
		boundary = fmt.Sprintf("loadkms-%016x", dice.Uint64())
		inside := false
		for _, content := range files {
			inside = inside || strings.Contains(content, boundary)
		}
		if !inside {
			break
		}
	}
	add := func(s string) { body.parts = append(body.parts, part{text: s}) }
	for _, f := range st.Form {
		add("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + quoteName(f.Name) + `"`)
		kind := f.ContentType
		if f.File != "" {
			add(`; filename="` + quoteName(filepath.Base(f.File)) + `"`)
			if kind == "" {
				kind = "application/octet-stream"
			}
		}
		if kind != "" {
			add("\r\nContent-Type: " + kind)
		}
		add("\r\n\r\n")
		if f.File != "" {
			add(files[f.File])
		} else {
			body.parts = append(body.parts, c.text(f.Value).parts...)
		}
		add("\r\n")
	}
	add("--" + boundary + "--\r\n")
	return body, boundary
}

// quoteName escapes a name as browsers do.
func quoteName(s string) string {
	return strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A").Replace(s)
}

// beside returns the path of a file that is named relative to the script's folder.
func (c *compiler) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(c.script.File), filepath.FromSlash(name))
}
