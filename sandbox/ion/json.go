package ion

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	amazon "github.com/amazon-ion/ion-go/ion"
)

// JSON returns v as JSON, fields in their order. What JSON lacks is told as Ion's documentation
// suggests: a timestamp and a symbol as a string, a blob as base64, a clob as a string, a sexp as a
// list, nan and the infinities as null; annotations are left out. Of fields of one name all are written.
func (v Value) JSON() []byte { return v.appendJSON(nil) }

func (v Value) appendJSON(dst []byte) []byte {
	if v.IsNull() {
		return append(dst, "null"...)
	}
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(dst, v.number != 0)
	case KindInt:
		if b, ok := v.more.(*big.Int); ok {
			return b.Append(dst, 10)
		}
		return strconv.AppendInt(dst, v.number, 10)
	case KindFloat:
		f := math.Float64frombits(uint64(v.number))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return append(dst, "null"...)
		}
		return strconv.AppendFloat(dst, f, 'e', -1, 64) // with an exponent, so that it is read as a float again
	case KindDecimal:
		return v.more.(*decimal).appendJSON(dst)
	case KindTimestamp:
		return append(append(append(dst, '"'), v.more.(*amazon.Timestamp).String()...), '"')
	case KindBlob:
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), []byte(v.text)), '"')
	case KindClob: // bytes, each a character
		runes := make([]rune, len(v.text))
		for i := range len(v.text) {
			runes[i] = rune(v.text[i])
		}
		return appendQuoted(dst, string(runes))
	case KindList, KindSexp:
		dst = append(dst, '[')
		for i, e := range v.elements() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.appendJSON(dst)
		}
		return append(dst, ']')
	case KindStruct:
		dst = append(dst, '{')
		for i, f := range v.fields() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = f.Value.appendJSON(append(appendQuoted(dst, f.Name), ':'))
		}
		return append(dst, '}')
	}
	return appendQuoted(dst, v.text) // String, Symbol
}

// appendJSON writes the digits with a point if there are few zeros to add, otherwise with an exponent.
func (d *decimal) appendJSON(dst []byte) []byte {
	digits := d.coefficient.String()
	digits, minus := strings.CutPrefix(digits, "-")
	if minus || d.minusZero {
		dst = append(dst, '-')
	}
	const zeros = 20 // as far as JavaScript goes before it writes an exponent
	point := len(digits) + int(d.exponent)
	switch {
	case d.exponent == 0:
		return append(append(dst, digits...), ".0"...)
	case d.exponent < 0 && point > 0:
		return append(append(append(dst, digits[:point]...), '.'), digits[point:]...)
	case d.exponent < 0 && point > -zeros:
		return append(append(append(dst, "0."...), strings.Repeat("0", -point)...), digits...)
	}
	return strconv.AppendInt(append(append(dst, digits...), 'e'), int64(d.exponent), 10)
}

func appendQuoted(dst []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			plain = c >= utf8.RuneSelf && plain // what is not ASCII needs no escape, if it is UTF-8
			if !plain {
				break
			}
		}
	}
	if plain && utf8.ValidString(s) {
		return append(append(append(dst, '"'), s...), '"')
	}
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xF])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// FromJSON reads one JSON value, fields in their order. Numbers become what Ion, of which JSON is a
// part, takes them for: 1 an int, 1.5 a decimal, 1e5 a float. A field that is there several times
// counts the last time, in the place of the first, as in JavaScript. The limits are those of Decode.
func FromJSON(b []byte) (Value, error) {
	if len(b) > MaxSize {
		return Value{}, fmt.Errorf("read json: %d bytes, the limit is %d", len(b), MaxSize)
	}
	if !json.Valid(b) {
		var v any
		return Value{}, fmt.Errorf("read json: %w", json.Unmarshal(b, &v))
	}
	if !utf8.Valid(b) {
		return Value{}, errors.New("read json: not UTF-8")
	}
	r := &jsonReader{b: string(b)}
	v, err := r.value(0)
	if err != nil {
		return Value{}, fmt.Errorf("read json: %w", err)
	}
	return v, nil
}

// jsonReader walks JSON that is known to be valid, so that it never has to look whether there is more.
type jsonReader struct {
	b      string
	p      int
	values int
}

func (r *jsonReader) space() byte {
	for r.b[r.p] == ' ' || r.b[r.p] == '\n' || r.b[r.p] == '\t' || r.b[r.p] == '\r' {
		r.p++
	}
	return r.b[r.p]
}

func (r *jsonReader) value(depth int) (Value, error) {
	if depth > MaxDepth {
		return Value{}, errDepth
	}
	if r.values++; r.values > MaxValues {
		return Value{}, errValues
	}
	switch r.space() {
	case 'n':
		r.p += len("null")
		return Value{}, nil
	case 't':
		r.p += len("true")
		return Bool(true), nil
	case 'f':
		r.p += len("false")
		return Bool(false), nil
	case '"':
		return String(r.text()), nil
	case '[':
		elements := []Value{}
		for r.p++; r.space() != ']'; {
			if r.b[r.p] == ',' {
				r.p++
			}
			e, err := r.value(depth + 1)
			if err != nil {
				return Value{}, err
			}
			elements = append(elements, e)
		}
		r.p++
		return List(elements...), nil
	case '{':
		return r.object(depth)
	}
	return r.number()
}

func (r *jsonReader) object(depth int) (Value, error) {
	fields := []Field{}
	var places map[string]int // made once comparing all names takes longer
	for r.p++; r.space() != '}'; {
		if r.b[r.p] == ',' {
			r.p++
			r.space()
		}
		name := r.text()
		r.space()
		r.p++ // the colon
		v, err := r.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		place := -1
		if places != nil {
			if at, ok := places[name]; ok {
				place = at
			}
		} else {
			for i := range fields {
				if fields[i].Name == name {
					place = i
				}
			}
		}
		if place >= 0 {
			fields[place].Value = v
			continue
		}
		fields = append(fields, Field{name, v})
		if places != nil {
			places[name] = len(fields) - 1
		} else if len(fields) > fewSymbols {
			places = make(map[string]int, 2*fewSymbols)
			for i := range fields {
				places[fields[i].Name] = i
			}
		}
	}
	r.p++
	return Struct(fields...), nil
}

func (r *jsonReader) text() string {
	start := r.p
	escaped := false
	for r.p++; r.b[r.p] != '"'; r.p++ {
		if r.b[r.p] == '\\' {
			escaped = true
			r.p++
		}
	}
	r.p++
	if !escaped {
		return r.b[start+1 : r.p-1]
	}
	var s string
	if json.Unmarshal([]byte(r.b[start:r.p]), &s) != nil { // valid before, so it is now
		return ""
	}
	return s
}

func (r *jsonReader) number() (Value, error) {
	start := r.p
	for r.p < len(r.b) && strings.IndexByte("+-.0123456789eE", r.b[r.p]) >= 0 {
		r.p++
	}
	s := r.b[start:r.p]
	if len(s) > 2*MaxNumber { // digits are more than bytes; none of them is over the limit then
		return Value{}, errNumber
	}
	switch {
	case strings.ContainsAny(s, "eE"):
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return Value{}, fmt.Errorf("the number %.40s is too large", s)
		}
		return Float(f), nil
	case strings.Contains(s, "."):
		whole, fraction, _ := strings.Cut(s, ".")
		n, _ := new(big.Int).SetString(whole+fraction, 10)
		d := &decimal{coefficient: n, exponent: int32(-len(fraction))}
		d.minusZero = n.Sign() == 0 && s[0] == '-'
		return Value{kind: KindDecimal, more: d}, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return Int(n), nil
	}
	n, _ := new(big.Int).SetString(s, 10)
	return BigInt(n), nil
}
