package scenarios

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// What config can say about the process that reads it, and draw by lot.

// surroundings returns what a variable is that tells of the process or of the script's place, as constant does;
// is is false if it is none of these.
func (p *parser) surroundings(name string) (fill *string, msg, hint string, is bool) {
	root, key, dotted := strings.Cut(name, ".")
	text := ""
	switch {
	case (root == "$processEnvironment" || root == "$env") && dotted:
		ok := false
		if p.o.Env != nil {
			text, ok = p.o.Env(key)
		}
		switch {
		case ok:
		case p.aside:
			p.unset = true // nobody needs it before that environment is chosen
		default:
			return nil, fmt.Sprintf("the process has no environment variable %s", quote(key)),
				"set it, or name a file that does with --env-file", true
		}
	case root == "$processEnvironment" || root == "$env":
		return nil, fmt.Sprintf("%s alone is no text", quote(root)), fmt.Sprintf("write {{ %s.NAME }}", root), true
	case name == "$scenarioFile":
		text = p.file
	case name == "$dirname":
		text = filepath.Dir(p.file)
	case name == "$testId":
		return nil, `"$testId" is known only when the run begins`, "use it in flows, or in the headers of http.defaults", true
	default:
		return nil, "", "", false
	}
	return &text, "", "", true
}

// byLot reports whether config may call a function, once, while it is read.
func byLot(function string) bool { return function == "$randomNumber" || function == "$randomString" }

// draw calls a function that byLot knows. Arguments that are wrong have been reported.
func (p *parser) draw(function string, args []string) string {
	number := func(i int) int64 {
		if i >= len(args) {
			return 0
		}
		n, _ := strconv.ParseInt(args[i], 10, 64) // the arguments have been checked
		return n
	}
	if function == "$randomNumber" {
		least, most := number(0), number(1)
		span := uint64(most-least) + 1 // 0 means all there are
		if span == 0 {
			return strconv.FormatInt(int64(p.dice.Uint64()), 10)
		}
		return strconv.FormatInt(least+int64(p.dice.Uint64N(span)), 10)
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	text := make([]byte, number(0))
	for i := range text {
		text[i] = letters[p.dice.IntN(len(letters))]
	}
	return string(text)
}
