package kms

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"

	// The hashes of OAEP register themselves.
	_ "crypto/sha1"
	_ "crypto/sha256"
)

// oaepHash is the hash of an RSAES_OAEP algorithm.
var oaepHash = map[string]crypto.Hash{"RSAES_OAEP_SHA_1": crypto.SHA1, "RSAES_OAEP_SHA_256": crypto.SHA256}

// demandEncryption checks that the key encrypts, with this algorithm ("": that of symmetric keys) and,
// unless the key is symmetric, without an encryption context, which only authenticated encryption has.
// It returns the algorithm by its name.
func (u use) demandEncryption(operation, algorithm string, context map[string]string) (string, *Error) {
	if algorithm == "" {
		algorithm = symmetric
	}
	if err := u.demandUsage(operation, encryptDecrypt); err != nil {
		return "", err
	}
	if err := demandAlgorithm(algorithm, u.spec, kinds[u.spec].encryption); err != nil {
		return "", err
	}
	if algorithm != symmetric && len(context) > 0 {
		return "", refuse("ValidationException", "EncryptionContext is not supported by EncryptionAlgorithm %s.", algorithm)
	}
	return algorithm, nil
}

// encrypt encrypts plaintext with an algorithm that demandEncryption has let pass.
func (u use) encrypt(algorithm string, context map[string]string, plaintext []byte) ([]byte, *Error) {
	if algorithm == symmetric {
		return seal(u.id, u.material, context, plaintext), nil
	}
	hash := oaepHash[algorithm]
	private := u.material.private.(*rsa.PrivateKey) // as demandEncryption made sure
	out, err := rsa.EncryptOAEPWithOptions(rand.Reader, &private.PublicKey, plaintext, &rsa.OAEPOptions{Hash: hash})
	if errors.Is(err, rsa.ErrMessageTooLong) {
		most := private.Size() - 2*hash.Size() - 2
		return nil, refuse("ValidationException", "The plaintext has %d bytes, but %s with %s takes at most %d.",
			len(plaintext), algorithm, u.spec, most)
	}
	if err != nil {
		return nil, refuse("KMSInternalException", "encrypt with %s: %v", algorithm, err)
	}
	return out, nil
}

// decrypt opens what encrypt made. b is the ciphertext taken apart, for symmetric keys.
func (u use) decrypt(algorithm string, context map[string]string, ciphertext []byte, b *blob) ([]byte, *Error) {
	if algorithm == symmetric {
		plain, ok := b.open(u.material, context)
		if !ok {
			return nil, errCiphertext()
		}
		return plain, nil
	}
	private := u.material.private.(*rsa.PrivateKey) // as demandEncryption made sure
	plain, err := private.Decrypt(nil, ciphertext, &rsa.OAEPOptions{Hash: oaepHash[algorithm]})
	if err != nil {
		return nil, errCiphertext()
	}
	return plain, nil
}
