package ledger

import (
	"encoding/binary"
	"errors"
)

// A kind is what a record of the journal is.
type kind byte

const (
	// An insertion is a whole block: one document that the API inserted, as JSON.
	insertion kind = 1 + iota
	// A revision is one revision of a document, in a block with a record of its own.
	revision
	// A statement is the text of one statement of a block.
	statement
	// A block names the statements and revisions of one transaction.
	block
)

// A header is what stands before the content of a record, sealed with it. Not all of it matters to
// every kind.
type header struct {
	kind     kind
	ion      bool   // the content is Ion, else JSON
	deleted  bool   // the revision deletes its document
	table    uint32 // its number
	document uint32 // its number in the table
	version  uint32 // of the document, from 0
	sequence uint32 // of the block
	number   uint64 // of the transaction
	time     int64  // milliseconds from the journal's beginning; a statement's start, or the commit
	previous place  // of the revision before; 0 for the first
}

// maxHeader bounds the length of a header.
const maxHeader = 1 + 4*binary.MaxVarintLen32 + 3*binary.MaxVarintLen64

func (h *header) append(b []byte) []byte {
	flags := byte(h.kind)
	if h.ion {
		flags |= 1 << 6
	}
	if h.deleted {
		flags |= 1 << 7
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(h.table))
	b = binary.AppendUvarint(b, uint64(h.document))
	b = binary.AppendUvarint(b, uint64(h.version))
	b = binary.AppendUvarint(b, uint64(h.sequence))
	b = binary.AppendUvarint(b, h.number)
	b = binary.AppendUvarint(b, uint64(h.time))
	return binary.AppendUvarint(b, uint64(h.previous))
}

var errHeader = errors.New("a record without a whole header")

// parseHeader reads a header and returns its length.
func parseHeader(b []byte) (h header, length int, err error) {
	if len(b) == 0 {
		return h, 0, errHeader
	}
	h.kind, h.ion, h.deleted = kind(b[0]&0x3f), b[0]&(1<<6) != 0, b[0]&(1<<7) != 0
	length = 1
	next := func() uint64 {
		v, n := binary.Uvarint(b[length:])
		if n <= 0 {
			err = errHeader
			return 0
		}
		length += n
		return v
	}
	h.table, h.document, h.version = uint32(next()), uint32(next()), uint32(next())
	h.sequence, h.number, h.time = uint32(next()), next(), int64(next())
	h.previous = place(next())
	return h, length, err
}

// skipHeader returns the length of a header, and whether its content is Ion: what a look-up needs.
func skipHeader(b []byte) (length int, ion bool) {
	for i, left := 1, 7; i < len(b); i++ {
		if b[i] < 0x80 {
			if left--; left == 0 {
				return i + 1, b[0]&(1<<6) != 0
			}
		}
	}
	return len(b), false
}
