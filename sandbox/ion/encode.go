package ion

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"time"

	amazon "github.com/amazon-ion/ion-go/ion"
)

// version opens every binary stream: Ion 1.0.
const version = "\xE0\x01\x00\xEA"

// The symbols every stream knows without a table of its own.
var systemSymbols = [...]string{
	1: "$ion", 2: "$ion_1_0", 3: "$ion_symbol_table", 4: "name", 5: "version",
	6: "imports", 7: "symbols", 8: "max_id", 9: "$ion_shared_symbol_table",
}

// Binary returns v in Ion's binary format, with the version marker and the symbol table it needs.
func (v Value) Binary() []byte {
	var s symbols
	body := s.value(nil, v)
	out := append(make([]byte, 0, len(version)+len(body)+16), version...)
	if len(s.local) > 0 {
		var names []byte
		for _, name := range s.local {
			names = appendString(names, 0x80, name)
		}
		// $ion_symbol_table::{symbols: [names…]}
		table := append(appendHeader([]byte{0x80 | 7}, 0xB0, len(names)), names...)
		table = append(appendHeader([]byte{0x81, 0x80 | 3}, 0xD0, len(table)), table...)
		out = append(appendHeader(out, 0xE0, len(table)), table...)
	}
	return append(out, body...)
}

// symbols is the table of one value, growing while it is written.
type symbols struct {
	local []string
	ids   map[string]uint64 // made once a value has more names than are quickly compared
}

const fewSymbols = 16 // up to here comparing them all is faster than a map

func (s *symbols) id(name string) uint64 {
	switch {
	case s.ids != nil:
		if id, ok := s.ids[name]; ok {
			return id
		}
	default:
		for i, known := range s.local {
			if known == name {
				return uint64(len(systemSymbols) + i)
			}
		}
	}
	for id, known := range systemSymbols {
		if id > 0 && known == name {
			return uint64(id)
		}
	}
	s.local = append(s.local, name)
	id := uint64(len(systemSymbols) + len(s.local) - 1)
	if s.ids == nil && len(s.local) > fewSymbols {
		s.ids = make(map[string]uint64, 2*fewSymbols)
		for i, known := range s.local {
			s.ids[known] = uint64(len(systemSymbols) + i)
		}
	} else if s.ids != nil {
		s.ids[name] = id
	}
	return id
}

func (s *symbols) value(dst []byte, v Value) []byte {
	if len(v.notes) == 0 {
		return s.bare(dst, v)
	}
	start := len(dst)
	var notes []byte
	for _, n := range v.notes {
		notes = appendVarUint(notes, s.id(n))
	}
	dst = append(appendVarUint(dst, uint64(len(notes))), notes...)
	dst = s.bare(dst, v)
	return insertHeader(dst, start, 0xE0)
}

func (s *symbols) bare(dst []byte, v Value) []byte {
	if v.IsNull() {
		return append(dst, byte(v.kind)<<4|0x0F)
	}
	switch v.kind {
	case KindBool:
		return append(dst, 0x10|byte(v.number))
	case KindInt:
		if v.more == nil {
			return appendInt(dst, v.number)
		}
		b := v.more.(*big.Int)
		m := b.Bytes()
		return append(appendHeader(dst, intCode(b.Sign() < 0), len(m)), m...)
	case KindFloat:
		if v.number == 0 { // the bits of 0e0
			return append(dst, 0x40)
		}
		return binary.BigEndian.AppendUint64(append(dst, 0x48), uint64(v.number))
	case KindDecimal:
		start := len(dst)
		return insertHeader(appendDecimal(dst, v.more.(*decimal)), start, 0x50)
	case KindTimestamp:
		start := len(dst)
		return insertHeader(appendTimestamp(dst, v.more.(*amazon.Timestamp)), start, 0x60)
	case KindSymbol:
		start := len(dst)
		return insertHeader(appendMagnitude(dst, s.id(v.text)), start, 0x70)
	case KindList, KindSexp:
		start := len(dst)
		for _, e := range v.elements() {
			dst = s.value(dst, e)
		}
		return insertHeader(dst, start, byte(v.kind)<<4)
	case KindStruct:
		start := len(dst)
		for _, f := range v.fields() {
			dst = appendVarUint(dst, s.id(f.Name))
			dst = s.value(dst, f.Value)
		}
		return insertHeader(dst, start, 0xD0)
	}
	return appendString(dst, byte(v.kind)<<4, v.text) // String, Clob, Blob
}

func (v Value) elements() []Value { e, _ := v.more.([]Value); return e }
func (v Value) fields() []Field   { f, _ := v.more.([]Field); return f }

func intCode(negative bool) byte {
	if negative {
		return 0x30
	}
	return 0x20
}

func appendInt(dst []byte, n int64) []byte {
	start := len(dst)
	m := uint64(n)
	if n < 0 {
		m = -m // also right for the smallest int64
	}
	return insertHeader(appendMagnitude(dst, m), start, intCode(n < 0))
}

// appendMagnitude appends m in big-endian order without leading zeros: nothing for 0.
func appendMagnitude(dst []byte, m uint64) []byte {
	for shift := 56; shift >= 0; shift -= 8 {
		if m>>shift != 0 {
			dst = append(dst, byte(m>>shift))
		}
	}
	return dst
}

func appendString(dst []byte, code byte, s string) []byte {
	return append(appendHeader(dst, code, len(s)), s...)
}

func appendHeader(dst []byte, code byte, length int) []byte {
	if length < 14 {
		return append(dst, code|byte(length))
	}
	return appendVarUint(append(dst, code|14), uint64(length))
}

// insertHeader puts the header before a body which is in dst already, from start on.
func insertHeader(dst []byte, start int, code byte) []byte {
	var room [11]byte
	head := appendHeader(room[:0], code, len(dst)-start)
	dst = append(dst, head...)
	copy(dst[start+len(head):], dst[start:])
	copy(dst[start:], head)
	return dst
}

func appendVarUint(dst []byte, n uint64) []byte {
	for shift := 63; shift > 0; shift -= 7 {
		if n>>shift != 0 {
			dst = append(dst, byte(n>>shift)&0x7F)
		}
	}
	return append(dst, byte(n)|0x80)
}

// appendVarInt appends n with its sign in the second bit of the first byte.
func appendVarInt(dst []byte, n int64) []byte {
	var sign byte
	m := uint64(n)
	if n < 0 {
		sign, m = 0x40, -m
	}
	shift := 0
	for m>>shift > 0x3F {
		shift += 7
	}
	first := byte(m>>shift) | sign
	if shift == 0 {
		return append(dst, first|0x80)
	}
	dst = append(dst, first)
	for shift -= 7; shift > 0; shift -= 7 {
		dst = append(dst, byte(m>>shift)&0x7F)
	}
	return append(dst, byte(m)|0x80)
}

// appendSigned appends a big-endian magnitude whose first bit is the sign.
func appendSigned(dst, magnitude []byte, negative bool) []byte {
	if len(magnitude) > 0 && magnitude[0]&0x80 != 0 || negative && len(magnitude) == 0 {
		magnitude = append([]byte{0}, magnitude...)
	}
	start := len(dst)
	dst = append(dst, magnitude...)
	if negative {
		dst[start] |= 0x80
	}
	return dst
}

// appendDecimal appends a decimal without its header: nothing for 0d0.
func appendDecimal(dst []byte, d *decimal) []byte {
	if d.exponent == 0 && d.coefficient.Sign() == 0 && !d.minusZero {
		return dst
	}
	dst = appendVarInt(dst, int64(d.exponent))
	return appendSigned(dst, d.coefficient.Bytes(), d.minusZero || d.coefficient.Sign() < 0)
}

// appendTimestamp appends a timestamp without its header: the offset, then the parts in UTC.
func appendTimestamp(dst []byte, ts *amazon.Timestamp) []byte {
	t := ts.GetDateTime()
	if ts.GetTimezoneKind() == amazon.TimezoneUnspecified {
		dst = append(dst, 0xC0) // -0: unknown
	} else {
		_, offset := t.Zone()
		dst = appendVarInt(dst, int64(offset/60))
	}
	t = t.In(time.UTC)
	dst = appendVarUint(dst, uint64(t.Year()))
	p := ts.GetPrecision()
	if p >= amazon.TimestampPrecisionMonth {
		dst = appendVarUint(dst, uint64(t.Month()))
	}
	if p >= amazon.TimestampPrecisionDay {
		dst = appendVarUint(dst, uint64(t.Day()))
	}
	if p >= amazon.TimestampPrecisionMinute {
		dst = appendVarUint(appendVarUint(dst, uint64(t.Hour())), uint64(t.Minute()))
	}
	if p >= amazon.TimestampPrecisionSecond {
		dst = appendVarUint(dst, uint64(t.Second()))
	}
	if digits := ts.GetNumberOfFractionalSeconds(); p >= amazon.TimestampPrecisionNanosecond && digits > 0 {
		dst = appendVarInt(dst, -int64(digits))
		unit := int64(math.Pow10(9 - int(digits)))
		dst = appendSigned(dst, appendMagnitude(nil, uint64(int64(t.Nanosecond())/unit)), false)
	}
	return dst
}

// Text returns v in Ion's text format, on one line.
func (v Value) Text() string {
	var b bytes.Buffer
	w := amazon.NewTextWriterOpts(&b, amazon.TextWriterQuietFinish)
	// The writer's errors are about writing to b, which has none, and about a wrong order of calls.
	if write(w, v) != nil || w.Finish() != nil {
		return ""
	}
	return b.String()
}

func write(w amazon.Writer, v Value) error {
	for _, n := range v.notes {
		if err := w.Annotation(amazon.NewSymbolTokenFromString(n)); err != nil {
			return err
		}
	}
	switch {
	case v.kind == KindNull: // null.null would mean the same
		return w.WriteNull()
	case v.null:
		return w.WriteNullType(amazonType[v.kind])
	}
	switch v.kind {
	case KindBool:
		return w.WriteBool(v.number != 0)
	case KindInt:
		if b, ok := v.more.(*big.Int); ok {
			return w.WriteBigInt(b)
		}
		return w.WriteInt(v.number)
	case KindFloat:
		return w.WriteFloat(math.Float64frombits(uint64(v.number)))
	case KindDecimal:
		d := v.more.(*decimal)
		return w.WriteDecimal(amazon.NewDecimal(d.coefficient, d.exponent, d.minusZero))
	case KindTimestamp:
		return w.WriteTimestamp(*v.more.(*amazon.Timestamp))
	case KindSymbol:
		return w.WriteSymbol(amazon.NewSymbolTokenFromString(v.text))
	case KindString:
		return w.WriteString(v.text)
	case KindClob:
		return w.WriteClob([]byte(v.text))
	case KindBlob:
		return w.WriteBlob([]byte(v.text))
	}
	begin, end := w.BeginList, w.EndList
	switch v.kind {
	case KindSexp:
		begin, end = w.BeginSexp, w.EndSexp
	case KindStruct:
		begin, end = w.BeginStruct, w.EndStruct
	}
	if err := begin(); err != nil {
		return err
	}
	for _, e := range v.elements() {
		if err := write(w, e); err != nil {
			return err
		}
	}
	for _, f := range v.fields() {
		if err := w.FieldName(amazon.NewSymbolTokenFromString(f.Name)); err != nil {
			return err
		}
		if err := write(w, f.Value); err != nil {
			return err
		}
	}
	return end()
}

var amazonType = [...]amazon.Type{
	KindNull: amazon.NullType, KindBool: amazon.BoolType, KindInt: amazon.IntType, KindFloat: amazon.FloatType,
	KindDecimal: amazon.DecimalType, KindTimestamp: amazon.TimestampType, KindSymbol: amazon.SymbolType,
	KindString: amazon.StringType, KindClob: amazon.ClobType, KindBlob: amazon.BlobType, KindList: amazon.ListType,
	KindSexp: amazon.SexpType, KindStruct: amazon.StructType,
}
