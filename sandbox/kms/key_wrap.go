package kms

import (
	"bytes"
	"crypto/aes"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/binary"
)

// unwrap opens wrapped key material with the private half of the wrapping key. RSA_AES_KEY_WRAP is
// that of PKCS #11: an AES-256 key under RSAES_OAEP, and after it the material under that AES key.
func unwrap(private *rsa.PrivateKey, algorithm string, wrapped []byte) ([]byte, bool) {
	switch algorithm {
	case "RSAES_PKCS1_V1_5":
		// AWS had this padding until 2023, and its API model still has. Whoever can measure how long a
		// wrong padding takes learns something about wrapped material, but here only about his own.
		plain, err := rsa.DecryptPKCS1v15(nil, private, wrapped)
		return plain, err == nil
	case "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256":
		plain, err := private.Decrypt(nil, wrapped, &rsa.OAEPOptions{Hash: oaepHash[algorithm]})
		return plain, err == nil
	case "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256":
		n := private.Size()
		if len(wrapped) <= n {
			return nil, false
		}
		hash := oaepHash["RSAES_OAEP"+algorithm[len("RSA_AES_KEY_WRAP"):]]
		kek, err := private.Decrypt(nil, wrapped[:n], &rsa.OAEPOptions{Hash: hash})
		if err != nil || len(kek) != 32 {
			return nil, false
		}
		return unwrapAES(kek, wrapped[n:])
	}
	return nil, false
}

// wrapIV is the first half of the alternative initial value of AES Key Wrap with Padding, RFC 5649
// section 3.
var wrapIV = [4]byte{0xA6, 0x59, 0x59, 0xA6}

// unwrapAES opens what AES Key Wrap with Padding (RFC 5649) made, or returns false.
func unwrapAES(kek, wrapped []byte) ([]byte, bool) {
	if len(wrapped) < 16 || len(wrapped)%8 != 0 {
		return nil, false
	}
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, false
	}
	var a [16]byte // the integrity check, and behind it the block at hand
	r := bytes.Clone(wrapped[8:])
	copy(a[:8], wrapped)
	n := len(r) / 8
	if n == 1 {
		copy(a[8:], r)
		block.Decrypt(a[:], a[:])
		copy(r, a[8:])
	} else {
		for j := 5; j >= 0; j-- { // RFC 3394 section 2.2.2
			for i := n; i >= 1; i-- {
				t := uint64(n*j + i)
				binary.BigEndian.PutUint64(a[:8], binary.BigEndian.Uint64(a[:8])^t)
				copy(a[8:], r[8*(i-1):8*i])
				block.Decrypt(a[:], a[:])
				copy(r[8*(i-1):], a[8:])
			}
		}
	}
	size := int(binary.BigEndian.Uint32(a[4:8]))
	if subtle.ConstantTimeCompare(a[:4], wrapIV[:]) != 1 || size <= len(r)-8 || size > len(r) {
		return nil, false
	}
	for _, pad := range r[size:] {
		if pad != 0 {
			return nil, false
		}
	}
	return r[:size], true
}
