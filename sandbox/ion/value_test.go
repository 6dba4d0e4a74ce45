package ion

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func decode(t *testing.T, text string) Value {
	t.Helper()
	v, err := Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestZeroValue(t *testing.T) {
	var v Value
	if !v.IsNull() || v.Kind() != KindNull || v.Text() != "null" || string(v.JSON()) != "null" {
		t.Errorf("the zero value is %s", v.Text())
	}
	if got, want := string(v.Binary()), version+"\x0F"; got != want {
		t.Errorf("the zero value is % x, want % x", got, want)
	}
}

// TestEqual has classes of equal values; values of different classes are not equal.
func TestEqual(t *testing.T) {
	classes := []string{
		"null|null.int|null.struct|a::null",
		"true", "false",
		"0|0e0|-0e0|0.|-0.|0d9",
		"1|1e0|1.|1.00|10d-1|note::1",
		"-1|-1.0",
		"0.1|1e-1|1d-1",
		"100000000000000000000|1e20|1d20",
		"9007199254740993", // one more than a float can tell
		"9007199254740992|9007199254740992e0",
		"1d2000000000", "1d2000000001", "nan", "+inf", "-inf",
		`"a"|a|'a'`, `"b"`, `""|''`,
		"{{aGk=}}|{{\"hi\"}}",
		"2007-02-23T12:14:33Z|2007-02-23T12:14:33.000Z|2007-02-23T04:14:33-08:00", "2007-02-23T12:14:33.001Z",
		"2007T|2007-01-01T|2007-01-01T00:00Z",
		"[]|()", "[1,[a]]|(1.0 [\"a\"])", "[[a],1]", "[1]", "[1,1]",
		"{}", "{a:1,b:2}|{b:2.0,a:1}", "{a:1,a:2}|{a:2,a:1}", "{a:1,a:1}", "{a:{b:1}}", `{a:"b"}`, "{'a\":b':1}",
	}
	var all []Value
	var of []int
	for i, c := range classes {
		for s := range strings.SplitSeq(c, "|") {
			all, of = append(all, decode(t, s)), append(of, i)
		}
	}
	for i, a := range all {
		for j, b := range all {
			if got, want := Equal(a, b), of[i] == of[j]; got != want {
				t.Errorf("%s = %s is %v, want %v", a.Text(), b.Text(), got, want)
			}
			if got, want := a.Key() == b.Key(), of[i] == of[j]; got != want {
				t.Errorf("keys of %s and %s are equal: %v, want %v", a.Text(), b.Text(), got, want)
			}
		}
	}
}

func TestCompare(t *testing.T) {
	for _, chain := range []string{
		"-inf|-1d2000000000|-9223372036854775809|-5.5|-5|-5d-1|0|1d-2000000000|1e-1|0.5|1|1.5e0|9223372036854775807|1e300|1d2000000000|+inf",
		`""|"a"|b|"ba"|"é"`, "false|true", "2006T|2007-02-23T12:14:33+01:00|2007-02-23T12:14:33Z",
	} {
		var values []Value
		for s := range strings.SplitSeq(chain, "|") {
			values = append(values, decode(t, s))
		}
		for i, a := range values {
			for j, b := range values {
				got, ok := Compare(a, b)
				if want := min(max(i-j, -1), 1); !ok || got != want {
					t.Errorf("%s against %s is %d (%v), want %d", a.Text(), b.Text(), got, ok, want)
				}
			}
		}
	}
	for _, pair := range []string{`1|"1"`, "true|1", "null|null", "[]|[]", "{}|{}", "nan|1", "1|nan"} {
		a, b, _ := strings.Cut(pair, "|")
		if _, ok := Compare(decode(t, a), decode(t, b)); ok {
			t.Errorf("%s and %s have an order", a, b)
		}
	}
}

func TestJSON(t *testing.T) {
	tests := []struct{ ion, want string }{
		{`{a:1,b:"x\"\n\u00e9",a:[true,null.int,sym]}`, `{"a":1,"b":"x\"\né","a":[true,null,"sym"]}`},
		{"2007-02-23T12:14:33.079-08:00", `"2007-02-23T12:14:33.079-08:00"`},
		{"{{aGk=}}", `"aGk="`}, {`{{"h\xff"}}`, `"hÿ"`}, {"(a 1)", `["a",1]`}, {"nan", "null"}, {"x::1.50", "1.50"},
		{"1.", "1.0"}, {"-0.001", "-0.001"}, {"-0.", "-0.0"}, {"1d30", "1e30"}, {"1d-30", "1e-30"}, {"123456789012345678901", "123456789012345678901"},
		{"1.5e0", "1.5e+00"},
	}
	for _, tt := range tests {
		if got := string(decode(t, tt.ion).JSON()); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.ion, got, tt.want)
		}
	}
	for in, want := range map[string]string{
		`{"b":1,"a":{"d":[],"c":"\u00e9\ud83d\ude00"}}`: `{b:1,a:{d:[],c:"é😀"}}`,
		` [ 1 , -2.50 , 1e5 , 12345678901234567890 ] `:  `[1,-2.50,1e+5,12345678901234567890]`,
		`{"a":1,"b":2,"a":3}`:                           `{a:3,b:2}`,
		`{}`:                                            `{}`,
		`""`:                                            `""`,
	} {
		v, err := FromJSON([]byte(in))
		if err != nil || v.Text() != want {
			t.Errorf("%s: %s (%v), want %s", in, v.Text(), err, want)
		}
	}
	var wide strings.Builder // more fields than are compared one by one
	for i := range 100 {
		wide.WriteString(`,"f` + string(rune('0'+i%10)) + string(rune('0'+i/20)) + `":` + string(rune('0'+i%7)))
	}
	v, err := FromJSON([]byte("{" + wide.String()[1:] + "}"))
	if err != nil || v.Len() != 50 {
		t.Errorf("%d fields (%v), want 50", v.Len(), err)
	}
	for _, bad := range []string{"", "{", "nul", "1 2", `{"a":1,}`, "1e999", "\"\xff\"", strings.Repeat("[", MaxDepth+2) + strings.Repeat("]", MaxDepth+2)} {
		if v, err := FromJSON([]byte(bad)); err == nil {
			t.Errorf("%.20q was read as %s", bad, v.Text())
		}
	}
}

func TestLimits(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	v := decode(t, deep(MaxDepth))
	if again, err := Decode(v.Binary()); err != nil || !Equal(v, again) {
		t.Errorf("%d levels in binary: %v", MaxDepth, err)
	}
	nested := func(n int) string { // the same in binary: a list in a list
		b := ""
		for range n {
			b = string(appendHeader(nil, 0xB0, len(b))) + b
		}
		return version + b
	}
	tests := []struct{ name, in, want string }{
		{"deep text", deep(MaxDepth + 2), "levels deep"},
		{"deep binary", nested(MaxDepth + 2), "levels deep"},
		{"very deep text", strings.Repeat("[", 500_000), "levels deep"},
		{"many text", "[" + strings.Repeat("1,", MaxValues) + "]", "more than"},
		{"many binary", version + "\xBE\x08\x00\x81" + strings.Repeat("\x20", 1<<17+1), "more than"},
		{"large", strings.Repeat(" ", MaxSize+1), "the limit is"},
		{"nothing", "", "no value"}, {"only a marker", version, "no value"}, {"two", "1 2", "more than one"},
		{"two binary", version + "\x20\x20", "more than one"},
		{"claims all memory", version + "\xBE\x01\x7F\x7F\x7F\x7F\x7F\x7F\x7F\xFF", "early"},
		{"claims more", version + "\x8E\xFF", "early"},
		{"unknown symbol", version + "\x71\x0A", "without a text"}, {"symbol zero", version + "\x70", "without a text"},
		{"unknown symbol in text", "$10", ""},
		{"import", "$ion_symbol_table::{imports:[{name:\"x\",version:1,max_id:100}]} $10", ""},
		{"not UTF-8", version + "\x81\xff", "UTF-8"}, {"not UTF-8 in text", "\"\xff\"", "UTF-8"},
		{"nil name of a table", "$ion_symbol_table::{imports:[{name:null.string,max_id:1}]} 1", "not ion text"},
		{"large number", "1" + strings.Repeat("0", 3*MaxNumber), "a number of more than"},
		{"large decimal", "1." + strings.Repeat("0", 3*MaxNumber), "a number of more than"},
		{"large binary number", version + "\x2E\x20\x81" + strings.Repeat("\x01", MaxNumber+1), "a number of more than"},
		{"no month 13", version + "\x64\x80\x0F\xD7\x8D", "timestamp"},
		{"minus zero", version + "\x30", "-0"}, {"reserved", version + "\xF0", "reserved"}, {"bool of 2", version + "\x12", "bool"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := Decode([]byte(tt.in))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("read as %.60s, %v; want an error with %q", v.Text(), err, tt.want)
			}
		})
	}
}

// TestHash checks what the Ion hash depends on and what not, and serializations written out by hand.
func TestHash(t *testing.T) {
	if Hash(decode(t, "{a:1,b:[2,{c:3}]}")) != Hash(decode(t, "{b:[2,{c:3}],a:1}")) {
		t.Error("the order of fields counts")
	}
	for _, pair := range []string{"[1,2]|[2,1]", "1|1.0", "1.0|1.00", `"a"|a`, "[]|()", "null|null.int", "a::1|1", "a::b::1|b::a::1",
		"0e0|-0e0", "0.|-0.", "2007T|2007-01T", "12:14Z|12:14-00:00", "{a:1}|{a:1,a:1}"} {
		a, b, _ := strings.Cut(pair, "|")
		if strings.HasPrefix(a, "12") {
			a, b = "2007-01-01T"+a, "2007-01-01T"+b
		}
		if Hash(decode(t, a)) == Hash(decode(t, b)) {
			t.Errorf("%s and %s have one hash", a, b)
		}
	}
	tests := []struct{ ion, want string }{
		{"null", "\x0B\x0F\x0E"}, {"null.list", "\x0B\xBF\x0E"}, {"false", "\x0B\x10\x0E"}, {"true", "\x0B\x11\x0E"},
		{"0", "\x0B\x20\x0E"}, {"-1", "\x0B\x30\x01\x0E"}, {"11", "\x0B\x20\x0C\x0B\x0E"}, {"12", "\x0B\x20\x0C\x0C\x0E"}, {"14", "\x0B\x20\x0C\x0E\x0E"},
		{"-9223372036854775808", "\x0B\x30\x80\x00\x00\x00\x00\x00\x00\x00\x0E"},
		{"0e0", "\x0B\x40\x0E"}, {"1e0", "\x0B\x40\x3F\xF0\x00\x00\x00\x00\x00\x00\x0E"},
		{"0d0", "\x0B\x50\x0E"}, {"1.5", "\x0B\x50\xC1\x0F\x0E"}, {"2007T", "\x0B\x60\xC0\x0F\xD7\x0E"},
		{"[1,a]", "\x0B\xB0\x0B\x20\x01\x0E\x0B\x70a\x0E\x0E"}, {"(1)", "\x0B\xC0\x0B\x20\x01\x0E\x0E"}, {"{}", "\x0B\xD0\x0E"},
		{"x::1", "\x0B\xE0\x0B\x70x\x0E\x0B\x20\x01\x0E\x0E"},
	}
	for _, tt := range tests {
		if got := string(appendHashed(nil, decode(t, tt.ion))); got != tt.want {
			t.Errorf("%s is hashed as % x, want % x", tt.ion, got, tt.want)
		}
	}
}

func TestDot(t *testing.T) {
	a, b := Hash(Int(1)), Hash(Int(2))
	if !slices.Equal(Dot(a[:], b[:]), Dot(b[:], a[:])) {
		t.Error("the order counts")
	}
	if !slices.Equal(Dot(nil, b[:]), b[:]) || !slices.Equal(Dot(a[:], nil), a[:]) {
		t.Error("nothing is not neutral")
	}
}

func TestTimestamp(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 67_899_999, time.FixedZone("", 3600))
	v := Timestamp(at)
	if got, want := v.Text(), "2026-01-02T02:04:05.067Z"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, ok := v.AsTime(); !ok || !got.Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("%v, want %v", got, at)
	}
}

// TestRoundTrip makes random values and reads them again from both formats.
func TestRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	var random func(depth int) Value
	text := func() string { return string([]rune{rune(r.IntN(0xD800)), rune(' ' + r.IntN(90)), 'x'}[r.IntN(3):]) }
	random = func(depth int) (v Value) {
		n := 9
		if depth > 0 {
			n = 12
		}
		switch k := r.IntN(n); k {
		case 0:
			v = Null([]Kind{KindNull, KindBool, KindInt, KindStruct, KindTimestamp}[r.IntN(5)])
		case 1:
			v = Bool(r.IntN(2) == 0)
		case 2:
			v = Int(int64(r.Uint64()) >> r.IntN(64))
		case 3:
			b := new(big.Int).SetUint64(r.Uint64())
			v = BigInt(b.Mul(b, b).Sub(b, big.NewInt(1<<40)))
		case 4:
			v = Float(r.NormFloat64())
		case 5:
			v = Decimal(big.NewInt(int64(r.Uint64())>>r.IntN(64)), int32(r.IntN(200)-100))
		case 6:
			v = Timestamp(time.Unix(r.Int64N(4e9), r.Int64N(1e9)))
		case 7:
			v = String(text())
		case 8:
			v = Symbol(text())
		case 9:
			v = Blob([]byte(text()))
		case 10:
			elements := []Value{}
			for range r.IntN(20) {
				elements = append(elements, random(depth-1))
			}
			v = List(elements...)
		case 11:
			fields := []Field{}
			for range r.IntN(30) {
				fields = append(fields, Field{text(), random(depth - 1)})
			}
			v = Struct(fields...)
		}
		if r.IntN(10) == 0 {
			v = v.Annotated(text(), "$ion_symbol_table")
		}
		return v
	}
	for range 3000 {
		v := random(3)
		binary, err := Decode(v.Binary())
		if err != nil || Hash(binary) != Hash(v) || !Equal(binary, v) || binary.Text() != v.Text() {
			t.Fatalf("seed %d: %s in binary: %s, %v", seed, v.Text(), binary.Text(), err)
		}
		text, err := Decode([]byte(v.Text()))
		if err != nil || Hash(text) != Hash(v) || !Equal(text, v) {
			t.Fatalf("seed %d: %s in text: %s, %v", seed, v.Text(), text.Text(), err)
		}
	}
}

var record = `{id:1,firstName:"Ada",lastName:"Lovelace",email:"Ada.Lovelace@email.com",street:"Main St",postcode:"12345"}`

func BenchmarkDecode(b *testing.B) {
	v, _ := Decode([]byte(record))
	binary := v.Binary()
	b.ReportAllocs()
	for b.Loop() {
		Decode(binary)
	}
}

func BenchmarkBinary(b *testing.B) {
	v, _ := Decode([]byte(record))
	b.ReportAllocs()
	for b.Loop() {
		v.Binary()
	}
}

func BenchmarkJSON(b *testing.B) {
	v, _ := Decode([]byte(record))
	b.ReportAllocs()
	for b.Loop() {
		v.JSON()
	}
}

func BenchmarkFromJSON(b *testing.B) {
	v, _ := Decode([]byte(record))
	json := v.JSON()
	b.ReportAllocs()
	for b.Loop() {
		FromJSON(json)
	}
}

func BenchmarkHash(b *testing.B) {
	v, _ := Decode([]byte(record))
	b.ReportAllocs()
	for b.Loop() {
		Hash(v)
	}
}

func TestSize(t *testing.T) {
	for _, s := range samples {
		v := decode(t, s)
		if n, err := v.Size(MaxDepth); err != nil || n < 1 || n > 3*len(s)+10 {
			t.Errorf("%s: about %d bytes, %v", s, n, err)
		}
	}
	laughs, deep := String("ha"), Int(1)
	for range 64 {
		laughs = List(laughs, laughs, laughs)
	}
	for range MaxDepth + 1 {
		deep = List(deep)
	}
	if _, err := deep.Size(MaxDepth + 1); err != nil {
		t.Errorf("%d levels: %v", MaxDepth+1, err)
	}
	wide := make([]Value, 60_000)
	for i := range wide {
		wide[i] = String("a text that is there very often")
	}
	for name, v := range map[string]Value{"laughs": laughs, "deep": deep, "wide": List(wide...)} {
		if n, err := v.Size(MaxDepth); err == nil {
			t.Errorf("%s: %d bytes are within the limits", name, n)
		}
	}
}
