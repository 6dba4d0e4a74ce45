// Package fake makes up data: names, addresses, numbers of cards, texts. It offers the functions of
// Artillery's fake-data plugin, which are those of @faker-js/faker, under their names in templates:
// $personFirstName, $internetEmail, $stringUuid. What they yield is of the same kind and shape as there,
// not the same. It has no source of chance of its own, and looks at the clock only for dates that are past
// or future.
//
// Everything is a text. What would be an object or a list in JavaScript is its JSON; a date is written as
// in ISO 8601, with milliseconds, in UTC.
package fake

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brianvoe/gofakeit/v7"
)

// A Faker is a source of chance, and of data. It belongs to one virtual user: it must not be used by
// several goroutines at once.
type Faker = gofakeit.Faker

// Func returns the function a template calls by name, dollar sign included, and false if there is none.
// Arguments are those of @faker-js/faker that are numbers, such as a length or the two ends of a range; what
// is missing, is no number or cannot be has its default, and what is not wanted is ignored, as in
// JavaScript. The same source yields the same texts; dates that are past or future, on the same day.
func Func(name string) (func(f *Faker, args []string) string, bool) {
	made, ok := functions[name]
	return made, ok
}

// Names returns the names of all functions, in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(functions)) }

// A function makes one piece of data.
type function = func(f *Faker, args []string) string

// plain is a function of the library's.
func plain(of func(f *Faker) string) function {
	return func(f *Faker, _ []string) string { return of(f) }
}

// one is a function that yields one of several texts.
func one(of ...string) function {
	return func(f *Faker, _ []string) string { return pick(f, of) }
}

func pick(f *Faker, of []string) string { return of[f.IntN(len(of))] }

// longest bounds what an argument may ask for: a template is rendered for every request.
const longest = 10_000

// whole returns the i-th argument as a whole number, or its default.
func whole(args []string, i, otherwise int) int {
	if i < len(args) {
		if n, err := strconv.Atoi(strings.TrimSpace(args[i])); err == nil {
			return n
		}
	}
	return otherwise
}

// length returns the i-th argument as a length, or its default.
func length(args []string, i, otherwise int) int {
	if n := whole(args, i, otherwise); n >= 0 && n <= longest {
		return n
	}
	return otherwise
}

// within returns the two ends of a range that the arguments give: none, the upper one, or both.
func within(args []string, least, most int) (int, int) {
	switch {
	case len(args) == 1:
		most = whole(args, 0, most)
	case len(args) > 1:
		least, most = whole(args, 0, least), whole(args, 1, most)
	}
	return min(least, most), max(least, most)
}

// between returns a number from least to most, both included.
func between(f *Faker, least, most int) int {
	width := uint64(most) - uint64(least) + 1
	if width == 0 { // all there are
		return int(f.Uint64())
	}
	return least + int(f.Uint64()%width)
}

// some returns n characters of an alphabet.
func some(f *Faker, alphabet string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[f.IntN(len(alphabet))])
	}
	return b.String()
}

// text returns the function that yields characters of an alphabet, as many as its argument says.
func text(alphabet string, n int) function {
	return func(f *Faker, args []string) string { return some(f, alphabet, length(args, 0, n)) }
}

const (
	digits  = "0123456789"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	letters = lower + upper
	hex     = digits + "abcdef"
	base58  = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
)

// fill replaces every # of a pattern by a digit, and every ? by an upper-case letter.
func fill(f *Faker, pattern string) string {
	b := []byte(pattern)
	for i, c := range b {
		switch c {
		case '#':
			b[i] = digits[f.IntN(10)]
		case '?':
			b[i] = upper[f.IntN(26)]
		}
	}
	return string(b)
}

// filled is a function that fills one of several patterns.
func filled(patterns ...string) function {
	return func(f *Faker, _ []string) string { return fill(f, pick(f, patterns)) }
}

// decimal returns a number from least to most with so many digits after the point.
func decimal(f *Faker, least, most float64, places int) string {
	return strconv.FormatFloat(least+(most-least)*f.Float64(), 'f', places, 64)
}

// many returns n texts, with something between them.
func many(f *Faker, n int, between string, of func(f *Faker) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = of(f)
	}
	return strings.Join(parts, between)
}

// title returns s with its first letter in upper case.
func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// object returns a JSON object of names and values in turn.
func object(members ...any) string {
	var b strings.Builder
	for i, m := range members {
		b.WriteString([]string{",", ":"}[i%2])
		v, err := json.Marshal(m)
		if err != nil {
			return "{}" // cannot be: texts and numbers only
		}
		b.Write(v)
	}
	return "{" + b.String()[1:] + "}"
}

// list returns a JSON list of numbers that are written already.
func list(of ...string) string { return "[" + strings.Join(of, ",") + "]" }

const day = 24 * time.Hour

// moment returns the function that yields a moment from so long after midnight, UTC, of the present day.
// Midnight, because the same seed is to mean the same texts.
func moment(from, to time.Duration) function {
	return func(f *Faker, _ []string) string {
		return written(time.Now().UTC().Truncate(day).Add(from + time.Duration(f.Uint64()%uint64(to-from))))
	}
}

func written(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z") }

// luhn returns digits with the one behind them that makes their checksum right, as in numbers of cards
// and phones.
func luhn(of string) string {
	sum := 0
	for i := range of {
		n := int(of[len(of)-1-i] - '0')
		if i%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return of + strconv.Itoa((10-sum%10)%10)
}
