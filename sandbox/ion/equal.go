package ion

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	amazon "github.com/amazon-ion/ion-go/ion"
)

// Equal reports whether PartiQL takes a and b for the same: numbers by their value whatever their
// kind (1, 1.0 and 1e0 are equal), strings and symbols by their text, blobs and clobs by their bytes,
// timestamps by their instant, lists and sexps element by element, structs whatever the order of their
// fields. Annotations do not count. Nulls of all kinds are equal here; that a comparison with NULL is
// neither true nor false is the business of whoever evaluates it.
func Equal(a, b Value) bool {
	if a.kind == b.kind && !a.null && !b.null {
		switch a.kind {
		case KindInt:
			if a.more == nil && b.more == nil {
				return a.number == b.number
			}
		case KindString, KindSymbol, KindBlob, KindClob:
			return a.text == b.text
		}
	}
	if class(a) != class(b) {
		return false
	}
	return a.Key() == b.Key()
}

// Key returns a text which two values have in common exactly if they are Equal: what an index is kept
// by. It is not for people.
func (v Value) Key() string { return string(v.appendKey(nil)) }

// The classes of values that can be equal although their kinds differ. They begin a key.
const (
	classNull      = 'n'
	classBool      = 'b'
	classNumber    = '#'
	classTimestamp = 't'
	classText      = '"'
	classLob       = 'x'
	classList      = '['
	classStruct    = '{'
)

func class(v Value) byte {
	if v.IsNull() {
		return classNull
	}
	return [...]byte{
		KindBool: classBool, KindInt: classNumber, KindFloat: classNumber, KindDecimal: classNumber,
		KindTimestamp: classTimestamp, KindSymbol: classText, KindString: classText, KindClob: classLob,
		KindBlob: classLob, KindList: classList, KindSexp: classList, KindStruct: classStruct,
	}[v.kind]
}

// appendKey appends class and content. What has no fixed length is preceded by it, so that no content
// can be taken for two.
func (v Value) appendKey(dst []byte) []byte {
	c := class(v)
	dst = append(dst, c)
	switch c {
	case classBool:
		return append(dst, byte(v.number))
	case classNumber:
		n := v.scientific()
		dst = append(strconv.AppendInt(dst, int64(n.sign), 10), ':')
		dst = append(strconv.AppendInt(dst, n.point, 10), ':')
		return append(append(dst, n.digits...), ';')
	case classTimestamp:
		t, _ := v.AsTime()
		dst = binary.BigEndian.AppendUint64(dst, uint64(t.Unix()))
		return binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
	case classText, classLob:
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(v.text))), v.text...)
	case classList:
		dst = binary.BigEndian.AppendUint32(dst, uint32(v.Len()))
		for _, e := range v.elements() {
			dst = e.appendKey(dst)
		}
	case classStruct:
		keys := make([]string, 0, v.Len())
		for _, f := range v.fields() {
			keys = append(keys, string(f.Value.appendKey(String(f.Name).appendKey(nil))))
		}
		slices.Sort(keys)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(keys)))
		for _, k := range keys {
			dst = append(dst, k...)
		}
	}
	return dst
}

// A scientific is a number as sign × 0.digits × 10^point, without zeros at either end of the digits, so
// that numbers of all kinds compare without anything as long as an exponent being written out. The
// infinities and what is not a number have a point out of reach of all others.
type scientific struct {
	sign   int
	digits string
	point  int64
}

const (
	pointInfinite = math.MaxInt64 - 1
	pointNaN      = math.MaxInt64
)

func (v Value) scientific() scientific {
	var digits string
	var exponent int64
	sign := 1
	switch v.kind {
	case KindFloat:
		f := math.Float64frombits(uint64(v.number))
		switch {
		case math.IsNaN(f):
			return scientific{-1, "", pointNaN}
		case math.IsInf(f, 0):
			if f < 0 {
				sign = -1
			}
			return scientific{sign, "", pointInfinite}
		}
		// The shortest digits that mean f: 0.1e0 and 0.1 are equal, as in PartiQL's own implementation.
		s := strconv.FormatFloat(f, 'e', -1, 64)
		mantissa, e, _ := strings.Cut(s, "e")
		exponent, _ = strconv.ParseInt(e, 10, 64)
		whole, fraction, _ := strings.Cut(mantissa, ".")
		exponent -= int64(len(fraction))
		digits = whole + fraction
	case KindDecimal:
		d := v.more.(*decimal)
		digits, exponent = d.coefficient.String(), int64(d.exponent)
	default:
		if b, ok := v.more.(*big.Int); ok {
			digits = b.String()
		} else {
			digits = strconv.FormatInt(v.number, 10)
		}
	}
	if rest, minus := strings.CutPrefix(digits, "-"); minus {
		sign, digits = -1, rest
	}
	digits = strings.TrimLeft(digits, "0")
	point := exponent + int64(len(digits))
	if digits = strings.TrimRight(digits, "0"); digits == "" {
		return scientific{}
	}
	return scientific{sign, digits, point}
}

func (a scientific) compare(b scientific) int {
	if a.sign != b.sign {
		return cmp.Compare(a.sign, b.sign)
	}
	return a.sign * cmp.Or(cmp.Compare(a.point, b.point), strings.Compare(a.digits, b.digits))
}

// Compare orders a and b as <, = and > do: below zero, zero, above zero. It reports false if PartiQL
// has no order between them, because they are of different classes (a number and a text), or are
// containers or nulls, or one is not a number.
func Compare(a, b Value) (order int, ok bool) {
	c := class(a)
	if c != class(b) {
		return 0, false
	}
	switch c {
	case classNumber:
		if a.kind == KindInt && b.kind == KindInt && a.more == nil && b.more == nil {
			return cmp.Compare(a.number, b.number), true
		}
		x, y := a.scientific(), b.scientific()
		if x.point == pointNaN || y.point == pointNaN {
			return 0, false
		}
		return x.compare(y), true
	case classText, classLob:
		return strings.Compare(a.text, b.text), true
	case classBool:
		return cmp.Compare(a.number, b.number), true
	case classTimestamp:
		return instant(a).Compare(instant(b)), true
	}
	return 0, false
}

func instant(v Value) time.Time { return v.more.(*amazon.Timestamp).GetDateTime() }
