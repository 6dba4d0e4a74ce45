package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// assignment is one line, or several if the value in quotation marks has several, as dotenv for Node.js reads
// them: NAME=value, NAME: value, with export before it and a comment after it.
var assignment = regexp.MustCompile("^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)(?:[ \t]*=[ \t]*|:[ \t]+)" +
	"(?:'((?:\\\\'|[^'])*)'|\"((?:\\\\\"|[^\"])*)\"|`((?:\\\\`|[^`])*)`|([^'\"`#\n][^#\n]*)?)[ \t]*(?:#[^\n]*)?(?:\n|$)")

// A setting is what an .env file says of one variable of the process.
type setting struct{ name, value string }

// parseEnv reads an .env file. Its errors have the line, and nothing of what it says: that is secret.
func parseEnv(text string) (settings []setting, err error) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, errors.New("it is not UTF-8 text")
	}
	for line := 1; text != ""; {
		this, rest, _ := strings.Cut(text, "\n")
		if s := strings.TrimSpace(this); s == "" || strings.HasPrefix(s, "#") {
			text = rest
			line++
			continue
		}
		m := assignment.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("line %d is not NAME=value", line)
		}
		value := strings.TrimSpace(m[5])
		switch quoted := m[2] + m[4]; {
		case m[3] != "":
			value = strings.NewReplacer(`\n`, "\n", `\r`, "\r").Replace(m[3])
		case quoted != "":
			value = quoted
		}
		settings = append(settings, setting{m[1], value})
		line += strings.Count(m[0], "\n")
		text = text[len(m[0]):]
	}
	return settings, nil
}

// loadEnv sets the variables of the process that an .env file has. Those that are set already stay as they are.
func loadEnv(file string) error {
	const flag = "--env-file %s: %w"
	b, err := os.ReadFile(file)
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return usage(flag, file, p.Err)
	} else if err != nil {
		return usage(flag, file, err)
	}
	settings, err := parseEnv(string(b))
	if err != nil {
		return usage(flag, file, err)
	}
	had := map[string]bool{}
	for _, s := range settings {
		if _, set := os.LookupEnv(s.name); set && !had[s.name] {
			continue
		}
		had[s.name] = true // the last one counts
		if err := os.Setenv(s.name, s.value); err != nil {
			return usage(flag, file, err)
		}
	}
	return nil
}
