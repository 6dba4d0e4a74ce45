package ion

import (
	"bytes"
	"encoding/json"
	"testing"

	amazon "github.com/amazon-ion/ion-go/ion"
)

// samples are values of every kind, in Ion text.
var samples = []string{
	"null", "null.bool", "null.int", "null.float", "null.decimal", "null.timestamp", "null.symbol", "null.string",
	"null.clob", "null.blob", "null.list", "null.sexp", "null.struct", "true", "false",
	"0", "1", "-1", "127", "128", "255", "256", "-256", "9223372036854775807", "-9223372036854775808",
	"9223372036854775808", "-123456789012345678901234567890",
	"0e0", "-0e0", "1e0", "1.5e300", "nan", "+inf", "-inf",
	"0.", "-0.", "0d1", "-0d5", "1.0", "1.00", "-12.345", "1d100", "1d-100", "0.000001",
	"2007T", "2007-02T", "2007-02-23T", "2007-02-23T12:14Z", "2007-02-23T12:14:33Z", "2007-02-23T12:14:33.079-08:00",
	"2007-02-23T12:14:33.000Z", "2007-02-23T12:14-00:00", "2007-02-23T12:14:33.100000001+05:45", "0001-01-01T00:00:00Z",
	"a", "'a b'", "''", `""`, `"abc"`, `"a\"b\\\n\u00e9\U0001F600"`, `"longer than fourteen bytes"`,
	"{{\"clob\\x00\\xff\"}}", "{{}}", "{{AAECAwQ=}}", "[]", "[1,[2,[3]]]", "()", "(a + b)", "{}", "{a:1}",
	"{a:1,a:2,b:{c:[1,2,{d:null}]}}", "a::1", "a::b::{c:d::e}", "$ion_symbol_table", "{name:version}", "'$ion_symbol_table'::a",
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples {
		v, err := Decode([]byte(s))
		if err != nil {
			f.Fatalf("%s: %v", s, err)
		}
		f.Add([]byte(s))
		f.Add(v.Binary())
	}
	f.Add([]byte("\xE0\x01\x00\xEA\xBE\x01\x7F\x7F\x7F\x7F\x7F\x7F\x7F\x7F\xFF"))       // claims more than there is
	f.Add([]byte("$ion_symbol_table::{imports:[{name:null.string,max_id:1}]} $10"))     // a nil pointer in Amazon's reader
	f.Add([]byte(`$ion_symbol_table::{imports:[{name:"x",max_id:99999999999}]} $1000`)) // a symbol out of nowhere
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(v.Binary())
		if err != nil {
			t.Fatalf("%q: its binary format is not read: %v", b, err)
		}
		if got, want := again.Text(), v.Text(); got != want {
			t.Fatalf("%q: read again as %s, want %s", b, got, want)
		}
		if Hash(again) != Hash(v) || !Equal(again, v) {
			t.Fatalf("%q: another hash or value once read again", b)
		}
		if j := v.JSON(); !json.Valid(j) {
			t.Fatalf("%q: not JSON: %s", b, j)
		}
		text, err := Decode([]byte(v.Text()))
		if err != nil {
			return // Amazon's writer writes some texts Amazon's reader does not read
		}
		if Hash(text) != Hash(v) {
			t.Fatalf("%q: another hash once read again as %s", b, v.Text())
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,-2.50,1e3,"x\u00e9\ud83d\ude00",true,false,null],"b":{"a":{}},"a":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := FromJSON(b)
		if err != nil {
			return
		}
		again, err := FromJSON(v.JSON())
		if err != nil {
			t.Fatalf("%q: %s is not read: %v", b, v.JSON(), err)
		}
		if !Equal(v, again) || !bytes.Equal(v.JSON(), again.JSON()) {
			t.Fatalf("%q: %s became %s", b, v.JSON(), again.JSON())
		}
	})
}

// TestBinaryAgainstAmazon has Amazon's writer and reader judge our binary format.
func TestBinaryAgainstAmazon(t *testing.T) {
	for _, s := range samples {
		v, err := Decode([]byte(s))
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		var theirs bytes.Buffer
		w := amazon.NewBinaryWriter(&theirs)
		if err := write(w, v); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if err := w.Finish(); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		ours := v.Binary()
		back, err := Decode(theirs.Bytes())
		if err != nil {
			t.Errorf("%s: what Amazon wrote is not read: %v (% x)", s, err, theirs.Bytes())
		} else if back.Text() != v.Text() {
			t.Errorf("%s: what Amazon wrote reads as %s", s, back.Text())
		}
		r := &textReader{from: amazon.NewReaderBytes(ours)}
		if !r.from.Next() {
			t.Errorf("%s: Amazon reads nothing: %v (% x)", s, r.from.Err(), ours)
			continue
		}
		if got, err := r.value(0); err != nil || got.Text() != v.Text() {
			t.Errorf("%s: Amazon reads %s (%v)", s, got.Text(), err)
		}
	}
}
