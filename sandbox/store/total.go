package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// A total is what all entries together come to. Every batch writes it with its own changes, as Pebble
// opens without a word although a log in the middle is missing, and then the total of a later batch
// tells. It finds accidents, not forgers.
type total struct {
	entries uint64
	sum     uint64 // of the entries' hashes, which does not depend on their order
	number  uint64 // of the batch
}

// hash is of a key, with its length before it, and a value.
func hash(key string, value []byte) uint64 {
	var room [512]byte // enough for most, so that hashing them costs no memory
	b := binary.BigEndian.AppendUint32(room[:0], uint32(len(key)))
	b = append(append(b, key...), value...)
	h := sha256.Sum256(b)
	return binary.BigEndian.Uint64(h[:])
}

func (t *total) add(key string, value []byte) {
	t.entries++
	t.sum += hash(key, value)
}

func (t *total) remove(key string, value []byte) {
	t.entries--
	t.sum -= hash(key, value)
}

func (t *total) bytes() []byte {
	b := binary.BigEndian.AppendUint64(nil, t.entries)
	b = binary.BigEndian.AppendUint64(b, t.sum)
	return binary.BigEndian.AppendUint64(b, t.number)
}

func parseTotal(b []byte) (total, error) {
	if len(b) != 24 {
		return total{}, errors.New("its total cannot be read")
	}
	return total{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}, nil
}
