package ion

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	amazon "github.com/amazon-ion/ion-go/ion"
)

// What a value may be at most. They bound what a stranger can make Decode and FromJSON use.
const (
	// MaxSize is how many bytes Decode reads: the longest IonText of QLDB's session protocol.
	MaxSize = 1 << 20
	// MaxDepth is how deep containers nest. QLDB documents no number; a hundred is more than a document
	// has, and nothing that walks a value runs out of stack.
	MaxDepth = 100
	// MaxValues is how many values one holds, itself included: a document has 128 KB and a value at
	// least a byte.
	MaxValues = 128 << 10
	// MaxNumber is how many bytes an int or the coefficient of a decimal has. Ion has no limit and QLDB
	// documents none for ints; the digits of a million bytes would take a second to write.
	MaxNumber = 4 << 10
)

var (
	errDepth  = fmt.Errorf("more than %d levels deep", MaxDepth)
	errValues = fmt.Errorf("more than %d values", MaxValues)
	errSize   = fmt.Errorf("more than %d bytes", MaxSize)
	errNumber = fmt.Errorf("a number of more than %d bytes", MaxNumber)
	errShort  = errors.New("ends too early")
	errMany   = errors.New("more than one value")
	errNone   = errors.New("no value")
	errSymbol = errors.New("a symbol without a text")
)

// Decode reads one value in Ion's binary or text format. Values beyond the limits are refused, and so
// are symbols of unknown text and symbol tables that import others: there is no catalog to find them in.
func Decode(b []byte) (Value, error) {
	if len(b) > MaxSize {
		return Value{}, fmt.Errorf("decode ion: %d bytes, the limit is %d", len(b), MaxSize)
	}
	read := decodeText
	if strings.HasPrefix(string(b[:min(len(b), len(version))]), version) {
		read = decodeBinary
	}
	v, err := read(b)
	if err != nil {
		return Value{}, fmt.Errorf("decode ion: %w", err)
	}
	return v, nil
}

// binaryReader walks a binary stream.
//
// Amazon's reader is not used here: it allocates what a length claims before it looks at what there
// is, so that seven bytes can ask for all memory, and it panics on a null where a symbol table has a
// name.
type binaryReader struct {
	text   string // the whole stream; strings are parts of it
	names  []string
	values int
}

func decodeBinary(b []byte) (v Value, err error) {
	r := &binaryReader{text: string(b)}
	found := false
	for p := 0; p < len(r.text); {
		if strings.HasPrefix(r.text[p:], version) {
			r.names = nil
			p += len(version)
			continue
		}
		next, end, is, err := r.value(p, len(r.text), 0)
		p = end
		switch {
		case err != nil:
			return Value{}, err
		case !is: // padding
		case next.kind == KindStruct && len(next.notes) > 0 && next.notes[0] == systemSymbols[3]:
			if err := r.table(next); err != nil {
				return Value{}, err
			}
		case found:
			return Value{}, errMany
		default:
			v, found = next, true
		}
	}
	if !found {
		return Value{}, errNone
	}
	return v, nil
}

// table takes over a local symbol table.
func (r *binaryReader) table(t Value) error {
	var fresh []string
	for name, v := range t.Fields() {
		switch name {
		case "imports":
			switch s, isText := v.AsText(); {
			case v.IsNull():
			case isText && s == systemSymbols[3]: // it goes on where the last one ended
				fresh = append(r.names[:len(r.names):len(r.names)], fresh...)
			case v.kind == KindList:
				for e := range v.Elements() {
					if n, _ := e.Field("name"); n.kind == KindString && n.text != "" && n.text != "$ion" {
						return fmt.Errorf("imports the symbol table %.40q, which is not known here", n.text)
					}
				}
			}
		case "symbols":
			for e := range v.Elements() {
				fresh = append(fresh, e.text) // anything but a string leaves a gap, which has no text
			}
		}
	}
	r.names = fresh
	return nil
}

func (r *binaryReader) symbol(id uint64) (string, error) {
	if id < uint64(len(systemSymbols)) {
		if id == 0 {
			return "", errSymbol
		}
		return systemSymbols[id], nil
	}
	if id -= uint64(len(systemSymbols)); id >= uint64(len(r.names)) {
		return "", errSymbol
	}
	return r.names[id], nil
}

// value reads the value at p of a container that ends at limit. It reports false for padding.
func (r *binaryReader) value(p, limit, depth int) (v Value, end int, is bool, err error) {
	if depth > MaxDepth {
		return v, p, false, errDepth
	}
	if r.values++; r.values > MaxValues {
		return v, p, false, errValues
	}
	if p >= limit {
		return v, p, false, errShort
	}
	head := r.text[p]
	p++
	kind, length := Kind(head>>4), int(head&0x0F)
	// A bool has its value, and a null nothing, where others have their length.
	switch {
	case kind == 0x0F:
		return v, p, false, errors.New("a reserved type code")
	case kind == 0x0E && length < 3, kind == 0x0E && length == 0x0F:
		return v, p, false, errors.New("a misplaced version marker or annotation")
	case kind == KindBool && length <= 1:
		return Bool(length == 1), p, true, nil
	case kind == KindBool && length != 0x0F:
		return v, p, false, errors.New("a bool that is neither true nor false")
	case length == 0x0F:
		if kind == 3 {
			kind = KindInt
		}
		return Null(kind), p, true, nil
	}
	ordered := kind == KindStruct && length == 1
	if length == 14 || ordered {
		n, next, err := r.varUint(p, limit)
		if err != nil {
			return v, p, false, err
		}
		if n > uint64(limit) {
			return v, p, false, errShort
		}
		length, p = int(n), next
	}
	if length > limit-p {
		return v, p, false, errShort
	}
	end = p + length
	v, is, err = r.body(kind, p, end, depth)
	return v, end, is, err
}

func (r *binaryReader) body(kind Kind, p, end, depth int) (v Value, is bool, err error) {
	content := r.text[p:end]
	if len(content) > MaxNumber && (kind == KindInt || kind == 3 || kind == KindDecimal) {
		return v, false, errNumber
	}
	switch kind {
	case KindNull:
		return v, false, nil
	case KindInt, 3:
		v, err = intOf(content, kind == 3)
	case KindFloat:
		switch len(content) {
		case 0:
			v = Float(0)
		case 4:
			v = Float(float64(math.Float32frombits(binary.BigEndian.Uint32([]byte(content)))))
		case 8:
			v = Float(math.Float64frombits(binary.BigEndian.Uint64([]byte(content))))
		default:
			err = fmt.Errorf("a float of %d bytes", len(content))
		}
	case KindDecimal:
		v, err = r.decimal(p, end)
	case KindTimestamp:
		v, err = r.timestamp(p, end)
	case KindSymbol:
		if len(content) > 8 {
			return v, false, errSymbol
		}
		v = Value{kind: KindSymbol}
		v.text, err = r.symbol(magnitude(content))
	case KindString:
		if !utf8.ValidString(content) {
			return v, false, errors.New("a string that is not UTF-8")
		}
		v = String(content)
	case KindClob, KindBlob:
		v = Value{kind: kind, text: content}
	case KindList, KindSexp:
		elements := make([]Value, 0, min(len(content), 8))
		for p < end {
			e, next, is, err := r.value(p, end, depth+1)
			if err != nil {
				return v, false, err
			}
			if p = next; is {
				elements = append(elements, e)
			}
		}
		v = Value{kind: kind, more: elements}
	case KindStruct:
		v, err = r.fields(p, end, depth)
	default: // annotations
		v, err = r.annotated(p, end, depth)
	}
	return v, true, err
}

func (r *binaryReader) fields(p, end, depth int) (Value, error) {
	fields := make([]Field, 0, min((end-p)/2, 8))
	for p < end {
		id, next, err := r.varUint(p, end)
		if err != nil {
			return Value{}, err
		}
		v, next, is, err := r.value(next, end, depth+1)
		if err != nil {
			return Value{}, err
		}
		p = next
		if !is {
			continue // padding has a name that means nothing
		}
		name, err := r.symbol(id)
		if err != nil {
			return Value{}, err
		}
		fields = append(fields, Field{name, v})
	}
	return Value{kind: KindStruct, more: fields}, nil
}

func (r *binaryReader) annotated(p, end, depth int) (Value, error) {
	length, p, err := r.varUint(p, end)
	if err != nil {
		return Value{}, err
	}
	if length == 0 || length > uint64(end-p) {
		return Value{}, errors.New("annotations of a wrong length")
	}
	var notes []string
	for stop := p + int(length); p < stop; {
		id, next, err := r.varUint(p, stop)
		if err != nil {
			return Value{}, err
		}
		note, err := r.symbol(id)
		if err != nil {
			return Value{}, err
		}
		notes, p = append(notes, note), next
	}
	v, next, is, err := r.value(p, end, depth+1)
	switch {
	case err != nil:
		return Value{}, err
	case !is || next != end || v.notes != nil:
		return Value{}, errors.New("annotations of anything but one value")
	}
	v.notes = notes
	return v, nil
}

func (r *binaryReader) varUint(p, limit int) (n uint64, next int, err error) {
	for ; p < limit; p++ {
		if n > math.MaxUint64>>7 {
			return 0, p, errors.New("a number that is too large")
		}
		n = n<<7 | uint64(r.text[p]&0x7F)
		if r.text[p]&0x80 != 0 {
			return n, p + 1, nil
		}
	}
	return 0, p, errShort
}

// varInt also tells whether it is negative, because -0 is something else than 0 in a timestamp.
func (r *binaryReader) varInt(p, limit int) (n int64, negative bool, next int, err error) {
	if p >= limit {
		return 0, false, p, errShort
	}
	first := r.text[p]
	negative, n = first&0x40 != 0, int64(first&0x3F)
	for ; first&0x80 == 0; first = r.text[p] {
		if p++; p >= limit {
			return 0, false, p, errShort
		}
		if n > math.MaxInt32 {
			return 0, false, p, errors.New("a number that is too large")
		}
		n = n<<7 | int64(r.text[p]&0x7F)
	}
	if negative {
		n = -n
	}
	return n, negative, p + 1, nil
}

func magnitude(b string) (n uint64) {
	for i := range len(b) {
		n = n<<8 | uint64(b[i])
	}
	return n
}

func intOf(b string, negative bool) (Value, error) {
	if len(b) < 8 {
		n := int64(magnitude(b))
		if negative {
			if n == 0 {
				return Value{}, errors.New("an int that is -0")
			}
			n = -n
		}
		return Int(n), nil
	}
	n := new(big.Int).SetBytes([]byte(b))
	if negative {
		if n.Sign() == 0 {
			return Value{}, errors.New("an int that is -0")
		}
		n.Neg(n)
	}
	return BigInt(n), nil
}

// signed splits a big-endian magnitude with its sign in the first bit.
func signed(b string) (m *big.Int, negative bool) {
	bytes := []byte(b)
	if len(bytes) > 0 {
		negative = bytes[0]&0x80 != 0
		bytes[0] &= 0x7F
	}
	return new(big.Int).SetBytes(bytes), negative
}

func (r *binaryReader) decimal(p, end int) (Value, error) {
	d := &decimal{coefficient: new(big.Int)}
	if p < end {
		exponent, _, next, err := r.varInt(p, end)
		if err != nil {
			return Value{}, err
		}
		if exponent > math.MaxInt32 || exponent < -math.MaxInt32 {
			return Value{}, errors.New("a decimal whose exponent is too large")
		}
		d.exponent = int32(exponent)
		var negative bool
		if d.coefficient, negative = signed(r.text[next:end]); negative {
			d.coefficient.Neg(d.coefficient)
			d.minusZero = d.coefficient.Sign() == 0
		}
	}
	return Value{kind: KindDecimal, more: d}, nil
}

// timestamp reads the offset in minutes, then as many parts in UTC as there are.
func (r *binaryReader) timestamp(p, end int) (Value, error) {
	bad := errors.New("a timestamp that is none")
	offset, negative, p, err := r.varInt(p, end)
	if err != nil {
		return Value{}, err
	}
	parts := [...]int{1, 1, 1, 0, 0, 0}
	n := 0
	for ; n < len(parts) && p < end; n++ {
		part, next, err := r.varUint(p, end)
		if err != nil {
			return Value{}, err
		}
		if part > 9999 {
			return Value{}, bad
		}
		parts[n], p = int(part), next
	}
	precision := [...]amazon.TimestampPrecision{
		0, amazon.TimestampPrecisionYear, amazon.TimestampPrecisionMonth, amazon.TimestampPrecisionDay,
		0, amazon.TimestampPrecisionMinute, amazon.TimestampPrecisionSecond,
	}[n]
	if precision == 0 || offset <= -24*60 || offset >= 24*60 { // an hour comes with its minute
		return Value{}, bad
	}
	nanos, digits := int64(0), uint8(0)
	if p < end {
		exponent, _, next, err := r.varInt(p, end)
		if err != nil {
			return Value{}, err
		}
		coefficient, minus := signed(r.text[next:end])
		if exponent > 0 || exponent < -9 || minus || !coefficient.IsInt64() {
			return Value{}, errors.New("a timestamp with more than 9 digits of a second")
		}
		if nanos = coefficient.Int64(); exponent == 0 && nanos != 0 || nanos >= int64(math.Pow10(int(-exponent))) {
			return Value{}, bad
		}
		if digits = uint8(-exponent); digits > 0 {
			precision = amazon.TimestampPrecisionNanosecond
			nanos *= int64(math.Pow10(int(9 + exponent)))
		}
	}
	t := time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], int(nanos), time.UTC)
	if parts[0] < 1 || int(t.Month()) != parts[1] || t.Day() != parts[2] || t.Hour() != parts[3] ||
		t.Minute() != parts[4] || t.Second() != parts[5] {
		return Value{}, bad
	}
	zone := amazon.TimezoneUTC
	switch {
	case negative && offset == 0:
		zone = amazon.TimezoneUnspecified
	case offset != 0:
		zone = amazon.TimezoneLocal
		t = t.In(time.FixedZone("", int(offset)*60))
	}
	if y := t.Year(); y < 1 || y > 9999 {
		return Value{}, bad
	}
	if precision < amazon.TimestampPrecisionMinute {
		if zone = amazon.TimezoneUnspecified; offset != 0 {
			return Value{}, bad // a date has no offset
		}
	}
	ts := amazon.NewTimestampWithFractionalSeconds(t, precision, zone, digits)
	return Value{kind: KindTimestamp, more: &ts}, nil
}

// decodeText reads the text format through Amazon's reader.
//
// A panic of that reader is an error of its input: on $ion_symbol_table::{imports:[{name:null.string}]}
// it follows a nil pointer.
func decodeText(b []byte) (v Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = Value{}, fmt.Errorf("not ion text: %v", p)
		}
	}()
	if !utf8.Valid(b) {
		return Value{}, errors.New("not UTF-8")
	}
	r := &textReader{from: amazon.NewReaderBytes(b)}
	found := false
	for r.from.Next() {
		if found {
			return Value{}, errMany
		}
		if v, err = r.value(0); err != nil {
			return Value{}, err
		}
		found = true
	}
	if err := r.from.Err(); err != nil {
		return Value{}, err
	}
	if !found {
		return Value{}, errNone
	}
	return v, nil
}

type textReader struct {
	from   amazon.Reader
	values int
}

func (r *textReader) value(depth int) (v Value, err error) {
	if depth > MaxDepth {
		return v, errDepth
	}
	if r.values++; r.values > MaxValues {
		return v, errValues
	}
	tokens, err := r.from.Annotations()
	if err != nil {
		return v, err
	}
	if v, err = r.bare(depth); err != nil {
		return v, err
	}
	for _, t := range tokens {
		if t.Text == nil {
			return v, errSymbol
		}
		v.notes = append(v.notes, *t.Text)
	}
	return v, nil
}

func (r *textReader) bare(depth int) (Value, error) {
	kind := KindNull
	for k, t := range amazonType {
		if t == r.from.Type() && t != amazon.NoType {
			kind = Kind(k)
		}
	}
	if r.from.IsNull() {
		return Null(kind), nil
	}
	switch kind {
	case KindBool:
		b, err := r.from.BoolValue()
		if err != nil {
			return Value{}, err
		}
		return Bool(*b), nil
	case KindInt:
		b, err := r.from.BigIntValue()
		if err != nil {
			return Value{}, err
		}
		if b.BitLen() > 8*MaxNumber {
			return Value{}, errNumber
		}
		return BigInt(b), nil
	case KindFloat:
		f, err := r.from.FloatValue()
		if err != nil {
			return Value{}, err
		}
		return Float(*f), nil
	case KindDecimal:
		a, err := r.from.DecimalValue()
		if err != nil {
			return Value{}, err
		}
		n, exponent := a.CoEx()
		if exponent == math.MinInt32 {
			return Value{}, errors.New("a decimal whose exponent is too large")
		}
		if n.BitLen() > 8*(MaxNumber-6) { // with an exponent in front
			return Value{}, errNumber
		}
		minus := n.Sign() == 0 && negativeZero(a)
		return Value{kind: KindDecimal, more: &decimal{n, exponent, minus}}, nil
	case KindTimestamp:
		ts, err := r.from.TimestampValue()
		if err != nil {
			return Value{}, err
		}
		return Value{kind: KindTimestamp, more: ts}, nil
	case KindSymbol:
		s, err := r.from.SymbolValue()
		if err != nil {
			return Value{}, err
		}
		if s == nil || s.Text == nil {
			return Value{}, errSymbol
		}
		return Symbol(*s.Text), nil
	case KindString:
		s, err := r.from.StringValue()
		if err != nil {
			return Value{}, err
		}
		if !utf8.ValidString(*s) {
			return Value{}, errors.New("a string that is not UTF-8")
		}
		return String(*s), nil
	case KindClob, KindBlob:
		b, err := r.from.ByteValue()
		if err != nil {
			return Value{}, err
		}
		return Value{kind: kind, text: string(b)}, nil
	case KindList, KindSexp, KindStruct:
		return r.container(kind, depth)
	}
	return Value{}, errNone
}

func (r *textReader) container(kind Kind, depth int) (Value, error) {
	if err := r.from.StepIn(); err != nil {
		return Value{}, err
	}
	elements, fields := []Value{}, []Field{}
	for r.from.Next() {
		name := ""
		if kind == KindStruct { // asked for now: reading a container makes the reader forget it
			token, err := r.from.FieldName()
			if err != nil {
				return Value{}, err
			}
			if token == nil || token.Text == nil {
				return Value{}, errSymbol
			}
			name = *token.Text
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		if kind == KindStruct {
			fields = append(fields, Field{name, v})
		} else {
			elements = append(elements, v)
		}
	}
	if err := r.from.Err(); err != nil {
		return Value{}, err
	}
	if err := r.from.StepOut(); err != nil {
		return Value{}, err
	}
	if kind == KindStruct {
		return Value{kind: kind, more: fields}, nil
	}
	return Value{kind: kind, more: elements}, nil
}

// negativeZero tells -0d0 from 0d0, which Amazon's type shows only when printed.
func negativeZero(a *amazon.Decimal) bool { return strings.HasPrefix(a.String(), "-") }
