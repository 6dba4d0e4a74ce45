package ledger

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"math/big"
	"math/bits"
)

// names gives a ledger's documents and transactions the ids that QLDB's have: 22 letters and digits
// in which nobody sees a number. They are numbers all the same, encrypted, so no id has to be kept and
// none is given twice.
type names struct {
	block cipher.Block
	key   []byte // of block
}

func newNames() names {
	key := make([]byte, 16)
	rand.Read(key) // never fails
	n, err := namesOf(key)
	if err != nil {
		panic(err) // a key of 16 bytes is one of AES's lengths
	}
	return n
}

func namesOf(key []byte) (names, error) {
	b, err := aes.NewCipher(key)
	return names{b, key}, err
}

// document returns the id of a table's document.
func (n names) document(table, document uint32) string {
	return n.name('d', uint64(table)<<32|uint64(document))
}

// transaction returns the id of a transaction.
func (n names) transaction(number uint64) string { return n.name('t', number) }

func (n names) name(kind byte, number uint64) string {
	var b [16]byte
	b[0] = kind
	binary.BigEndian.PutUint64(b[8:], number)
	n.block.Encrypt(b[:], b[:])
	return base62(b)
}

// findDocument returns the numbers in a document's id, and false for what is no such id.
func (n names) findDocument(id string) (table, document uint32, ok bool) {
	for i := range len(id) {
		if c := id[i]; c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z' {
			return 0, 0, false
		}
	}
	i, ok := new(big.Int).SetString(id, 62)
	if !ok || len(id) != 22 || i.BitLen() > 128 {
		return 0, 0, false
	}
	var b [16]byte
	i.FillBytes(b[:])
	n.block.Decrypt(b[:], b[:])
	number := binary.BigEndian.Uint64(b[8:])
	return uint32(number >> 32), uint32(number), b[0] == 'd' && binary.BigEndian.Uint64(b[:])<<8 == 0
}

const digits62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// base62 returns 128 bits as 22 letters and digits.
func base62(b [16]byte) string {
	high, low := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
	var text [22]byte
	for i := len(text) - 1; i >= 0; i-- {
		rest := high % 62
		high /= 62
		low, rest = bits.Div64(rest, low, 62)
		text[i] = digits62[rest]
	}
	return string(text[:])
}

// randomID returns 128 random bits in the form of QLDB's ids.
func randomID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return base62(b)
}
