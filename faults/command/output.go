package command

import (
	"regexp"
	"strings"
)

// A tail keeps the end of what is written to it, which is where programs say what went wrong.
type tail struct {
	b   []byte
	cut bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - mostOutput; over > 0 {
		t.b, t.cut = t.b[over:], true
	}
	return len(p), nil
}

func (t *tail) String() string {
	if t.cut {
		return "…" + strings.ToValidUTF8(string(t.b), "?")
	}
	return strings.ToValidUTF8(string(t.b), "?")
}

// secretNames are the names of variables whose values nobody should read in a log.
var secretNames = regexp.MustCompile(`(?i)(secret|token|passw|credential|private|api_?key|access_key)`)

// shortestSecret is long enough not to be a word: "true" in a variable called USE_TOKEN is no secret.
const shortestSecret = 8

// redact takes the values of secret variables out of a text.
func redact(text string, env []string) string {
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		if len(value) >= shortestSecret && secretNames.MatchString(name) {
			text = strings.ReplaceAll(text, value, "***")
		}
	}
	return text
}

// lines ends a text with a newline, if there is any.
func lines(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// complaint is the end of what a command printed, on one line, for an error.
func complaint(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longestComplaint {
		text = "…" + string(runes[len(runes)-longestComplaint:])
	}
	if text == "" {
		return ""
	}
	return ": " + text
}

// plain are the characters no POSIX shell gives a meaning to, wherever they stand in a word.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:@_"

// quoted writes a command for a shell.
func quoted(argv []string) string {
	var words []string
	for _, w := range argv {
		if w == "" || strings.Trim(w, plain) != "" {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}
