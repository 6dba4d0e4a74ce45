package api

import (
	"math"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"loadkms/sandbox/ledger"
)

func TestParseInt(t *testing.T) {
	for s, want := range map[string]struct {
		id    ledger.ID
		shown string
	}{
		"1":                      {ledger.NumberID(1), "1"},
		"0":                      {ledger.NumberID(0), "0"},
		"-0":                     {ledger.NumberID(0), "0"},
		" \t12 apples":           {ledger.NumberID(12), "12"},
		"+3":                     {ledger.NumberID(3), "3"},
		"1e3":                    {ledger.NumberID(1), "1"},
		"1.9":                    {ledger.NumberID(1), "1"},
		"0x1F":                   {ledger.NumberID(31), "31"},
		"0x":                     {ledger.NaN, "NaN"},
		"":                       {ledger.NaN, "NaN"},
		"--1":                    {ledger.NaN, "NaN"},
		"Infinity":               {ledger.NaN, "NaN"},
		"123456789012345678":     {ledger.NumberID(123456789012345678), "123456789012345678"},
		"1234567890123456789012": {ledger.FloatID(1234567890123456789012), "1.2345678901234568e+21"},
	} {
		if id, shown := parseInt(s); id != want.id || shown != want.shown {
			t.Errorf("%q: got %+v %s, want %+v %s", s, id, shown, want.id, want.shown)
		}
	}
}

// FuzzParseInt compares with JavaScript's own parseInt, up to the size from which ours is exact and
// JavaScript's is not.
func FuzzParseInt(f *testing.F) {
	for _, seed := range []string{"1", "-12ab", "0x1f", "0XFFg", "\u00a07", "+", "- 1", "9007199254740993", "1" + strings.Repeat("0", 25),
		strings.Repeat("9", 400), "-0x" + strings.Repeat("f", 30), "0b11", "\ufeff5", "٣"} {
		f.Add(seed)
	}
	js := goja.New()
	parse, ok := goja.AssertFunction(js.Get("parseInt"))
	if !ok {
		f.Fatal("no parseInt")
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ToValidUTF8(s, "") != s {
			return // JavaScript's texts are always valid
		}
		v, err := parse(goja.Undefined(), js.ToValue(s))
		if err != nil {
			t.Fatal(err)
		}
		_, got := parseInt(s)
		want := v.String()
		if n := v.ToFloat(); math.Abs(n) >= 1<<53 && !math.IsInf(n, 0) {
			return
		}
		if got != want {
			t.Errorf("parseInt(%q) is %s, want %s", s, got, want)
		}
	})
}
