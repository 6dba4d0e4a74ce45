package ion

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/big"
	"slices"

	amazon "github.com/amazon-ion/ion-go/ion"
)

// The marks around what is hashed; inside a representation they are escaped.
const (
	hashBegin  = 0x0B
	hashEscape = 0x0C
	hashEnd    = 0x0E
)

// Hash returns the Ion hash of v with SHA-256: the same for every way of writing v, so that a client
// and a server which never saw the same bytes agree.
//
// Every value is serialized as begin, type code, escaped representation, end. A struct's fields are
// hashed and sorted first, so their order does not count. The rules are those of the Ion hash
// specification, checked against digests of AWS's drivers and hashes of Amazon's implementation.
func Hash(v Value) [32]byte { return sha256.Sum256(appendHashed(nil, v)) }

// appendHashed appends the serialization of v to dst.
func appendHashed(dst []byte, v Value) []byte {
	if len(v.notes) == 0 {
		return appendBare(dst, v)
	}
	dst = append(dst, hashBegin, 0xE0)
	for _, n := range v.notes {
		dst = appendBare(dst, Symbol(n))
	}
	return append(appendBare(dst, v), hashEnd)
}

func appendBare(dst []byte, v Value) []byte {
	code := byte(v.kind) << 4
	dst = append(dst, hashBegin)
	switch {
	case v.IsNull():
		return append(dst, code|0x0F, hashEnd)
	case v.kind == KindList || v.kind == KindSexp:
		dst = append(dst, code)
		for _, e := range v.elements() {
			dst = appendHashed(dst, e)
		}
		return append(dst, hashEnd)
	case v.kind == KindBool:
		return append(dst, code|byte(v.number), hashEnd)
	}
	var room [64]byte
	rep := room[:0]
	switch v.kind {
	case KindInt:
		if b, ok := v.more.(*big.Int); ok {
			code, rep = intCode(b.Sign() < 0), b.Bytes()
		} else {
			m := uint64(v.number)
			if v.number < 0 {
				m = -m
			}
			code, rep = intCode(v.number < 0), appendMagnitude(rep, m)
		}
	case KindFloat:
		f := math.Float64frombits(uint64(v.number))
		switch {
		case math.IsNaN(f): // all of them are one
			rep = binary.BigEndian.AppendUint64(rep, 0x7FF8000000000000)
		case v.number != 0: // 0e0 has no representation
			rep = binary.BigEndian.AppendUint64(rep, uint64(v.number))
		}
	case KindDecimal:
		rep = appendDecimal(rep, v.more.(*decimal))
	case KindTimestamp:
		rep = appendTimestamp(rep, v.more.(*amazon.Timestamp))
	case KindStruct:
		rep = appendFieldHashes(rep, v.fields())
	default: // Symbol, String, Clob, Blob
		rep = append(rep, v.text...)
	}
	dst = append(dst, code)
	for _, b := range rep {
		if b == hashBegin || b == hashEscape || b == hashEnd {
			dst = append(dst, hashEscape)
		}
		dst = append(dst, b)
	}
	return append(dst, hashEnd)
}

func appendFieldHashes(dst []byte, fields []Field) []byte {
	hashes := make([][32]byte, len(fields))
	var scratch []byte
	for i, f := range fields {
		scratch = appendBare(scratch[:0], Symbol(f.Name))
		scratch = appendHashed(scratch, f.Value)
		hashes[i] = sha256.Sum256(scratch)
	}
	slices.SortFunc(hashes, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	for i := range hashes {
		dst = append(dst, hashes[i][:]...)
	}
	return dst
}

// Dot combines two hashes in an order that does not depend on which comes first, as QLDB's drivers do
// for commit digests and its journal for digests of blocks: SHA-256 of both, the smaller first,
// compared as signed bytes from the last to the first. If one is empty the other is returned. Hashes
// of other lengths than 32 are compared as far as both reach.
func Dot(a, b []byte) []byte {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	first, second := a, b
	for i := min(len(a), len(b)) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			if int8(a[i]) > int8(b[i]) {
				first, second = b, a
			}
			break
		}
	}
	h := sha256.New()
	h.Write(first)
	h.Write(second)
	return h.Sum(nil)
}
