package kms

import (
	"encoding/base64"
	"strings"
	"testing"
)

// FuzzGrantToken reads anything as a grant token, and changes real ones: only what the service made is
// one.
func FuzzGrantToken(f *testing.F) {
	s := New(Options{})
	keyID, grantID := "1234abcd-12ab-34cd-56ef-1234567890ab", strings.Repeat("0f", 32)
	good := s.grantToken(keyID, grantID)
	f.Add(good, 0, byte(0))
	f.Add(good, 20, byte(1))
	f.Add(good[:40], 0, byte(0))
	f.Add("", 0, byte(0))
	f.Add(base64.StdEncoding.EncodeToString(make([]byte, tokenHead)), 0, byte(0))
	f.Fuzz(func(t *testing.T, token string, at int, change byte) {
		if _, _, ok := s.readToken(token); ok && token != good {
			t.Fatalf("%q is a token", token)
		}
		made := s.grantToken(keyID, grantID)
		if made == s.grantToken(keyID, grantID) {
			t.Fatal("two tokens are the same")
		}
		b, err := base64.StdEncoding.DecodeString(made)
		if err != nil {
			t.Fatal(err)
		}
		b[uint(at)%uint(len(b))] ^= change
		gotKey, gotGrant, ok := s.readToken(base64.StdEncoding.EncodeToString(b))
		if ok != (change == 0) || ok && (gotKey != keyID || gotGrant != grantID) {
			t.Fatalf("changed by %x at %d: %v, %q, %q", change, at, ok, gotKey, gotGrant)
		}
		if _, _, ok := New(Options{}).readToken(made); ok {
			t.Fatal("the token of another service is one")
		}
	})
}

// FuzzMarker turns pages with anything for a marker: an error, or names that follow it.
func FuzzMarker(f *testing.F) {
	f.Add("", int32(1))
	f.Add(writeMarker("b"), int32(2))
	f.Add(writeMarker(""), int32(1000))
	f.Add("YWZ0ZXI6", int32(1))
	f.Fuzz(func(t *testing.T, marker string, limit int32) {
		if limit < 1 || limit > 1000 {
			return // refused before
		}
		names := []string{"c", "a", "d", "b"}
		page, next, err := paginate(names, func(s string) string { return s }, marker, &limit, 50)
		if err != nil {
			if err.Code != "InvalidMarkerException" {
				t.Fatal(err)
			}
			return
		}
		after, _ := readMarker(marker)
		for i, name := range page {
			if marker != "" && name <= after || i > 0 && name <= page[i-1] {
				t.Fatalf("page %v after %q", page, after)
			}
		}
		if len(page) > int(limit) || next != "" && len(page) != int(limit) {
			t.Fatalf("%d entries, limit %d, next %q", len(page), limit, next)
		}
	})
}
