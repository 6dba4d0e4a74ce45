package kms

import (
	"crypto/rand"
	"encoding/binary"
	"slices"

	"github.com/google/uuid"
)

// A ciphertext blob is opaque to clients. Inside it is, in this order:
//
//	version   1 byte, 1
//	flags     1 byte, 0 (kept for other forms of blob)
//	key id   16 bytes
//	material 32 bytes, the id of the key material
//	nonce    12 bytes
//	sealed   the plaintext under AES-256-GCM, and 16 bytes of tag
//
// Everything before the nonce, and the encryption context, is authenticated. The key is found from
// the blob alone, so an alias that moves, or a rotation, leaves old ciphertexts readable.
const (
	blobVersion = 1
	blobHeader  = 2 + 16 + 32
	nonceSize   = 12
	tagSize     = 16
	maxBlob     = 6144 // the API model's limit of CiphertextBlob
	maxPlain    = 4096 // the API model's limit of Plaintext
)

// A blob is a ciphertext taken apart. Its slices point into the bytes it was read from.
type blob struct {
	header   []byte
	key      uuid.UUID
	material [32]byte
	nonce    []byte
	sealed   []byte
}

// parseBlob takes a ciphertext apart, and reports whether it has the form of one. It proves nothing:
// whether the ciphertext is genuine is for open to say.
func parseBlob(b []byte) (blob, bool) {
	// Shortest is a plaintext of one byte: KMS encrypts nothing shorter.
	if len(b) < blobHeader+nonceSize+1+tagSize || len(b) > maxBlob || b[0] != blobVersion || b[1] != 0 {
		return blob{}, false
	}
	return blob{
		header:   b[:blobHeader],
		key:      uuid.UUID(b[2:18]),
		material: [32]byte(b[18:50]),
		nonce:    b[blobHeader : blobHeader+nonceSize],
		sealed:   b[blobHeader+nonceSize:],
	}, true
}

// seal makes the ciphertext of plaintext under the material m of the key.
func seal(key uuid.UUID, m *material, context map[string]string, plaintext []byte) []byte {
	b := make([]byte, blobHeader+nonceSize, blobHeader+nonceSize+len(plaintext)+tagSize)
	b[0] = blobVersion
	copy(b[2:], key[:])
	copy(b[18:], m.id[:])
	rand.Read(b[blobHeader:]) // never fails
	// A random nonce is safe for 2³² messages under one material, far more than a sandbox sees.
	return m.aead.Seal(b, b[blobHeader:], plaintext, additional(b[:blobHeader], context))
}

// open returns the plaintext, or false if the blob was changed or the context is another.
func (b *blob) open(m *material, context map[string]string) ([]byte, bool) {
	plain, err := m.aead.Open(nil, b.nonce, b.sealed, additional(b.header, context))
	return plain, err == nil
}

// additional returns the data that is authenticated with a ciphertext: its header, and the encryption
// context with its pairs in the order of their keys, every string after its length. Without the
// lengths {"ab":"c"} and {"a":"bc"} would be one context.
func additional(header []byte, context map[string]string) []byte {
	size := len(header) + 4
	keys := make([]string, 0, len(context))
	for k, v := range context {
		keys = append(keys, k)
		size += 8 + len(k) + len(v)
	}
	slices.Sort(keys)
	out := append(make([]byte, 0, size), header...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(keys)))
	for _, k := range keys {
		for _, s := range [2]string{k, context[k]} {
			out = binary.BigEndian.AppendUint32(out, uint32(len(s)))
			out = append(out, s...)
		}
	}
	return out
}
