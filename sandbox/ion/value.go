// Package ion holds Ion values: decoded once, compared, hashed and written again as often as wanted.
//
// It is about single values within bounds, not about streams, and it knows nothing of ledgers or
// statements. The text format and the reading of both formats are Amazon's own code; this package
// adds what that lacks: values that can be kept, limits, equality, JSON and the Ion hash.
package ion

import (
	"fmt"
	"iter"
	"math"
	"math/big"
	"time"

	amazon "github.com/amazon-ion/ion-go/ion"
)

// A Kind is the type of a value, numbered as in Ion's binary format.
type Kind uint8

// The kinds of Ion's data model. A null of any of them keeps its kind (null.string is a String).
const (
	KindNull Kind = iota
	KindBool
	KindInt
	_ // negative integers, in the binary format only
	KindFloat
	KindDecimal
	KindTimestamp
	KindSymbol
	KindString
	KindClob
	KindBlob
	KindList
	KindSexp
	KindStruct
)

var kindNames = [...]string{
	KindNull: "null", KindBool: "bool", KindInt: "int", KindFloat: "float", KindDecimal: "decimal",
	KindTimestamp: "timestamp", KindSymbol: "symbol", KindString: "string", KindClob: "clob", KindBlob: "blob",
	KindList: "list", KindSexp: "sexp", KindStruct: "struct",
}

// String returns Ion's name of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "unknown"
}

// A Value is one Ion value. It never changes, so it may be shared between goroutines; what its
// methods return must not be changed either. The zero value is null.
type Value struct {
	kind   Kind
	null   bool   // a typed null
	number int64  // a bool (0, 1) or an int without more; the bits of a float
	text   string // of a symbol, string, clob or blob
	more   any    // *big.Int, *decimal, *amazon.Timestamp, []Value or []Field, by kind
	notes  []string
}

// A Field is one named part of a struct. A struct may have several of one name.
type Field struct {
	Name  string
	Value Value
}

// A decimal is coefficient × 10^exponent. Ion tells apart 1.0 and 1.00, and 0. and -0.
type decimal struct {
	coefficient *big.Int
	exponent    int32
	minusZero   bool
}

// Null returns null.kind.
func Null(kind Kind) Value { return Value{kind: kind, null: kind != KindNull} }

// Bool returns true or false.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, number: 1}
	}
	return Value{kind: KindBool}
}

// Int returns an int.
func Int(n int64) Value { return Value{kind: KindInt, number: n} }

// BigInt returns an int of any size. It keeps n.
func BigInt(n *big.Int) Value {
	if n.IsInt64() {
		return Int(n.Int64())
	}
	return Value{kind: KindInt, more: n}
}

// Float returns a float.
func Float(f float64) Value { return Value{kind: KindFloat, number: int64(math.Float64bits(f))} }

// Decimal returns coefficient × 10^exponent. It keeps the coefficient.
func Decimal(coefficient *big.Int, exponent int32) Value {
	return Value{kind: KindDecimal, more: &decimal{coefficient: coefficient, exponent: exponent}}
}

// Timestamp returns t in UTC with three digits of a second, as QLDB writes its times.
func Timestamp(t time.Time) Value {
	t = t.UTC().Truncate(time.Millisecond)
	ts := amazon.NewTimestampWithFractionalSeconds(t, amazon.TimestampPrecisionNanosecond, amazon.TimezoneUTC, 3)
	return Value{kind: KindTimestamp, more: &ts}
}

// String returns a string.
func String(s string) Value { return Value{kind: KindString, text: s} }

// Symbol returns a symbol.
func Symbol(s string) Value { return Value{kind: KindSymbol, text: s} }

// Blob returns a blob.
func Blob(b []byte) Value { return Value{kind: KindBlob, text: string(b)} }

// List returns a list. It keeps the slice it is given.
func List(elements ...Value) Value { return Value{kind: KindList, more: elements} }

// Struct returns a struct with its fields in this order. It keeps the slice it is given.
func Struct(fields ...Field) Value { return Value{kind: KindStruct, more: fields} }

// Kind returns what v is, also if it is a null of that kind.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is null, or a null of any kind.
func (v Value) IsNull() bool { return v.kind == KindNull || v.null }

// Annotations returns what is written before v, as in degrees::90.
func (v Value) Annotations() []string { return v.notes }

// Annotated returns v with these annotations in place of its own. It keeps the slice it is given.
func (v Value) Annotated(notes ...string) Value {
	v.notes = notes
	return v
}

// AsBool returns a bool's value, and false if v is not a bool.
func (v Value) AsBool() (value, ok bool) { return v.number != 0, v.kind == KindBool && !v.null }

// AsInt returns an int's value, and false if v is not an int, or too large a one.
func (v Value) AsInt() (int64, bool) {
	return v.number, v.kind == KindInt && !v.null && v.more == nil
}

// AsBigInt returns an int's value as a new big.Int, and false if v is not an int.
func (v Value) AsBigInt() (*big.Int, bool) {
	if v.kind != KindInt || v.null {
		return nil, false
	}
	if b, ok := v.more.(*big.Int); ok {
		return new(big.Int).Set(b), true
	}
	return big.NewInt(v.number), true
}

// AsFloat returns a float's value, and false if v is not a float.
func (v Value) AsFloat() (float64, bool) {
	return math.Float64frombits(uint64(v.number)), v.kind == KindFloat && !v.null
}

// AsDecimal returns what Decimal was given, as a new big.Int, and false if v is not a decimal.
func (v Value) AsDecimal() (coefficient *big.Int, exponent int32, ok bool) {
	d, ok := v.more.(*decimal)
	if !ok {
		return nil, 0, false
	}
	return new(big.Int).Set(d.coefficient), d.exponent, true
}

// AsTime returns the instant a timestamp begins at, and false if v is not a timestamp.
func (v Value) AsTime() (time.Time, bool) {
	ts, ok := v.more.(*amazon.Timestamp)
	if !ok {
		return time.Time{}, false
	}
	return ts.GetDateTime(), true
}

// AsText returns the text of a string or symbol, and false if v is neither.
func (v Value) AsText() (string, bool) {
	return v.text, (v.kind == KindString || v.kind == KindSymbol) && !v.null
}

// AsBytes returns the content of a blob or clob, and false if v is neither.
func (v Value) AsBytes() ([]byte, bool) {
	return []byte(v.text), (v.kind == KindBlob || v.kind == KindClob) && !v.null
}

// Field returns the first field of this name, and false if v is not a struct or has none.
func (v Value) Field(name string) (Value, bool) {
	fields, _ := v.more.([]Field)
	for i := range fields {
		if fields[i].Name == name {
			return fields[i].Value, true
		}
	}
	return Value{}, false
}

// Fields yields the fields of a struct in their order, and nothing for any other value.
func (v Value) Fields() iter.Seq2[string, Value] {
	fields, _ := v.more.([]Field)
	return func(yield func(string, Value) bool) {
		for i := range fields {
			if !yield(fields[i].Name, fields[i].Value) {
				return
			}
		}
	}
}

// Elements yields the elements of a list or sexp in their order, and nothing for any other value.
func (v Value) Elements() iter.Seq[Value] {
	elements, _ := v.more.([]Value)
	return func(yield func(Value) bool) {
		for i := range elements {
			if !yield(elements[i]) {
				return
			}
		}
	}
}

// Len returns how many fields or elements v has; 0 if it is no container.
func (v Value) Len() int {
	switch c := v.more.(type) {
	case []Value:
		return len(c)
	case []Field:
		return len(c)
	}
	return 0
}

// Index returns the element at i of a list or sexp, counted from 0, and false if there is none.
func (v Value) Index(i int) (Value, bool) {
	elements, _ := v.more.([]Value)
	if i < 0 || i >= len(elements) {
		return Value{}, false
	}
	return elements[i], true
}

// Size returns about how many bytes v takes when written, and an error if v is more than MaxSize or
// MaxValues, or nests deeper than depth; with a depth of MaxDepth, if Decode would not read it again. It
// looks no further than the limits, so it also ends on a value that holds one part so often that it could
// never be written.
func (v Value) Size(depth int) (int, error) {
	m := measure{depth: depth}
	if err := m.value(v, 0); err != nil {
		return m.bytes, err
	}
	return m.bytes, nil
}

type measure struct{ depth, bytes, values int }

func (m *measure) value(v Value, depth int) error {
	m.bytes += 1 + len(v.text)
	for _, n := range v.notes {
		m.bytes += 1 + len(n)
	}
	switch n := v.more.(type) {
	case *big.Int:
		m.bytes += n.BitLen() / 8
	case *decimal:
		m.bytes += n.coefficient.BitLen() / 8
	case nil:
		m.bytes += 4
	}
	m.values++
	switch {
	case depth > m.depth:
		return fmt.Errorf("more than %d levels deep", m.depth)
	case m.values > MaxValues:
		return errValues
	case m.bytes > MaxSize:
		return errSize
	}
	for _, e := range v.elements() {
		if err := m.value(e, depth+1); err != nil {
			return err
		}
	}
	for _, f := range v.fields() {
		m.bytes += 1 + len(f.Name)
		if err := m.value(f.Value, depth+1); err != nil {
			return err
		}
	}
	return nil
}
