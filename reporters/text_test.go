package reporters

import (
	"slices"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "get record", "get record"},
		{"escape sequence", "a\x1b[2Jb", "a\uFFFD[2Jb"},
		{"C1 control", "a\u009b2Jb", "a\uFFFD2Jb"},
		{"line breaks", "a\r\nb\tc\u2028d", "a  b c d"},
		{"broken UTF-8", "a\xffb", "a\uFFFDb"},
		{"writing direction", "a\u202eb", "a\uFFFDb"},
		{"NUL", "\x00", "\uFFFD"},
	} {
		if got := clean(c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := columns(clean(strings.Repeat("x", 10<<20))); got != longest+1 {
		t.Errorf("10 MB became %d columns, want %d", got, longest+1)
	}
}

func TestCommandStaysWhatItDoes(t *testing.T) {
	in := "aws kms put-key-policy --policy '{\n\t\"Version\": 1}'"
	if got := command(in); got != in {
		t.Errorf("got %q, want it unchanged", got)
	}
	if got, want := command("a\x1b]0;x\x07"), "a\uFFFD]0;x\uFFFD"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  []string
	}{
		{"", 10, nil},
		{"one two three", 8, []string{"one two", "three"}},
		{"took at most 2.27 s, then", 16, []string{"took at most", "2.27 s, then"}},
		{"abcdefghijklmnop", 8, []string{"abcdefgh", "ijklmnop"}},
		{"日本語日本語", 8, []string{"日本語日", "本語"}},
	} {
		if got := wrap(c.in, c.width); !slices.Equal(got, c.want) {
			t.Errorf("wrap(%q, %d) = %q, want %q", c.in, c.width, got, c.want)
		}
	}
}

func TestRowKeepsItsWidth(t *testing.T) {
	r := new(row).add(plain, "  ").left(red, "été 日本", 6).right(bold, "12", 5).add(dim, "   ")
	if got, want := r.render(80, false), "  été …    12"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := r.render(80, true), "  \x1b[31mété …\x1b[0m    \x1b[1m12\x1b[0m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := r.render(4, false), "  é…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
