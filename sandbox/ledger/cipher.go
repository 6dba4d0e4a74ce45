package ledger

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

// gcmOverhead is what AES-GCM adds to a plaintext: its tag.
const gcmOverhead = 16

// newAEAD returns AES-256-GCM under a 256-bit key.
func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("a data key has %d bits, want 256", 8*len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// additional returns what binds a ciphertext to its place: the ledger's id and the address.
func additional(buf *[40]byte, kind byte, ledger string, a address) []byte {
	b := append(buf[:0], kind)
	b = append(b, ledger...)
	b = binary.BigEndian.AppendUint32(b, a.segment)
	return binary.BigEndian.AppendUint32(b, a.offset)
}

func recordNonce(buf *[12]byte, a address) []byte {
	binary.BigEndian.PutUint32(buf[8:], a.offset)
	return buf[:]
}

// sealRecord seals a record where it is; behind it there must be room for the tag.
func sealRecord(aead cipher.AEAD, ledger string, a address, plain []byte) {
	var nonce [12]byte
	var ad [40]byte
	aead.Seal(plain[:0], recordNonce(&nonce, a), plain, additional(&ad, 'r', ledger, a))
}

func openRecord(aead cipher.AEAD, dst []byte, ledger string, a address, sealed []byte) ([]byte, error) {
	var nonce [12]byte
	var ad [40]byte
	return aead.Open(dst, recordNonce(&nonce, a), sealed, additional(&ad, 'r', ledger, a))
}

// sealDataKey makes a segment's data key and returns it sealed under its node's key: nonce,
// ciphertext, tag. The key itself is opened again from there, so there is one way to it.
func sealDataKey(node cipher.AEAD, ledger string, segment uint32) []byte {
	var key [32]byte
	rand.Read(key[:]) // never fails
	sealed := make([]byte, 12, 12+32+gcmOverhead)
	rand.Read(sealed)
	var ad [40]byte
	return node.Seal(sealed, sealed, key[:], additional(&ad, 'k', ledger, address{segment: segment}))
}

func openDataKey(node cipher.AEAD, ledger string, segment uint32, sealed []byte) (cipher.AEAD, error) {
	var ad [40]byte
	key, err := node.Open(nil, sealed[:12], sealed[12:], additional(&ad, 'k', ledger, address{segment: segment}))
	if err != nil {
		return nil, err
	}
	return newAEAD(key)
}
