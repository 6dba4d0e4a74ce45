package iam

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
)

// An access key that was issued is known by its form, for as long as the directory lives: a part of it
// is random, and the rest a seal over that. Otherwise, once it is forgotten, it would be an unknown key,
// and those are the administrator's.

const (
	issuedPrefix = "ASIA" // temporary, as with AWS
	issuedRandom = 10     // characters of 5 bits each
	issuedSeal   = 6      // likewise: one in a billion keys that somebody makes up is taken for issued
)

// A mint makes access keys.
type mint struct{ secret [sha256.Size]byte }

func newMint() (m mint) {
	rand.Read(m.secret[:]) // never fails
	return m
}

// coin returns a new access key.
func (m *mint) coin() string {
	part := issuedPrefix + rand.Text()[:issuedRandom]
	return part + m.seal(part)
}

// made reports whether an access key is one that coin has returned.
func (m *mint) made(key string) bool {
	const unsealed = len(issuedPrefix) + issuedRandom
	return len(key) == unsealed+issuedSeal && key[:len(issuedPrefix)] == issuedPrefix && m.seal(key[:unsealed]) == key[unsealed:]
}

func (m *mint) seal(part string) string {
	h := hmac.New(sha256.New, m.secret[:])
	h.Write([]byte(part))
	return base32.StdEncoding.EncodeToString(h.Sum(nil))[:issuedSeal]
}

// Mint returns the secret by which the directory knows the access keys it has issued, to be kept for Remint.
func (d *Directory) Mint() []byte {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return bytes.Clone(d.mint.secret[:])
}

// Remint makes the directory know the access keys another one has issued. It reports false if that is no secret
// of a directory.
func (d *Directory) Remint(secret []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return copy(d.mint.secret[:], secret) == len(secret) && len(secret) == len(d.mint.secret)
}

// Issue returns a new access key that calls as c until Withdraw.
func (d *Directory) Issue(c Caller) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		key := d.mint.coin()
		if _, taken := d.keys[key]; !taken {
			d.keys[key] = c
			return key
		}
	}
}

// Withdraw forgets an access key that was issued. From now on it calls as nobody.
func (d *Directory) Withdraw(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.keys, key)
}

// Withdrawn reports whether an access key was issued and is no more.
func (d *Directory) Withdrawn(key string) bool {
	d.mu.RLock()
	_, ok := d.keys[key]
	d.mu.RUnlock()
	return !ok && d.mint.made(key)
}
