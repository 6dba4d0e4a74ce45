package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParseEnv(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []setting
		err        string
	}{
		{"nothing", "", nil, ""},
		{"plain", "A=1\nB = two words \r\nC=", []setting{{"A", "1"}, {"B", "two words"}, {"C", ""}}, ""},
		{"comments", "\ufeff# one\n\n  # two\nA=1 # three\nB=#none\n", []setting{{"A", "1"}, {"B", ""}}, ""},
		{"export and colon", "export A=1\nB: 2\n", []setting{{"A", "1"}, {"B", "2"}}, ""},
		{"quotation marks", `A="x # y" # z` + "\nB='$C \\n'\nD=`\"it's\"`\nE=\"\"\n",
			[]setting{{"A", "x # y"}, {"B", `$C \n`}, {"D", `"it's"`}, {"E", ""}}, ""},
		{"lines within", "A=\"one\ntwo\\nthree\"\nB='x\ny'\n", []setting{{"A", "one\ntwo\nthree"}, {"B", "x\ny"}}, ""},
		{"a blank that is a value", "A=\" x \"\n", []setting{{"A", " x "}}, ""},
		{"no name", "A=1\n=2\n", nil, "line 2 is not NAME=value"},
		{"no value", "A=\"x\ny\"\nB\n", nil, "line 3 is not NAME=value"},
		{"an open quotation mark", "A=\"x\nB=1\n", nil, "line 1 is not NAME=value"},
		{"after the quotation mark", "A='it's'\n", nil, "line 1 is not NAME=value"},
		{"no text", "A=\xff", nil, "it is not UTF-8 text"},
		{"a zero", "A=\x00", nil, "it is not UTF-8 text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseEnv(c.text)
			if message := ""; err != nil {
				if message = err.Error(); message != c.err {
					t.Fatalf("got error %q, want %q", message, c.err)
				}
			} else if c.err != "" || !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q and error %q", got, c.want, c.err)
			}
		})
	}
}

// FuzzEnv checks that no file makes reading it panic or hang, that names can be set, and that its errors keep what
// it says to themselves.
func FuzzEnv(f *testing.F) {
	for _, s := range []string{"A=1\n", "export A='x\ny' # z", "A: \"\\n\"", "password s3cr3t", "A=`"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		settings, err := parseEnv(s)
		if err != nil && !strings.HasPrefix(err.Error(), "line ") && err.Error() != "it is not UTF-8 text" {
			t.Errorf("%q: got error %q", s, err)
		}
		if most := strings.Count(s, "\n") + 1; len(settings) > most {
			t.Errorf("%q: %d settings in %d lines", s, len(settings), most)
		}
		for _, x := range settings {
			if x.name == "" || strings.ContainsAny(x.name+x.value, "\x00") || strings.ContainsAny(x.name, "=\n ") {
				t.Errorf("%q: %q cannot be set", s, x)
			}
		}
	})
}
