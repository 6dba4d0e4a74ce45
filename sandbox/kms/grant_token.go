package kms

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// A grant token lets its bearer use a grant that is not known everywhere yet. It is opaque to
// clients. Inside it is, in this order:
//
//	seal   16 bytes, of an HMAC over the rest, so that only the service can make one
//	nonce  16 bytes, so that every call gets another token
//	grant  the key's id, a slash, and the grant's id
//
// It gives no permission that the grant does not give: who bears it must still be the grantee.
const tokenHead = 16 + 16

// maxToken is the API model's limit of GrantToken, and more than any of ours.
const maxToken = 8192

// grantToken makes a new token for a grant.
func (s *Service) grantToken(keyID, grantID string) string {
	b := make([]byte, tokenHead, tokenHead+len(keyID)+1+len(grantID))
	rand.Read(b[16:]) // never fails
	b = append(append(append(b, keyID...), '/'), grantID...)
	copy(b, s.sealToken(b[16:]))
	return base64.StdEncoding.EncodeToString(b)
}

func (s *Service) sealToken(b []byte) []byte {
	h := hmac.New(sha256.New, s.tokenKey[:])
	h.Write(b)
	return h.Sum(nil)[:16]
}

// readToken returns for which grant of which key a token was made, or false if it is not one of ours.
func (s *Service) readToken(token string) (keyID, grantID string, ok bool) {
	if len(token) > maxToken {
		return "", "", false
	}
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(b) < tokenHead || subtle.ConstantTimeCompare(b[:16], s.sealToken(b[16:])) != 1 {
		return "", "", false
	}
	return strings.Cut(string(b[tokenHead:]), "/")
}

func errGrantToken() *Error {
	return refuse("InvalidGrantTokenException", "The specified grant token is not valid.")
}

// redeem returns the grants of the key that the tokens stand for. Tokens of other keys, and of grants
// that have ended, are good for nothing, but only what is no token is an error. s.mu must be held.
func (s *Service) redeem(k *key, tokens []string) ([]*grant, *Error) {
	var all []*grant
	for _, t := range tokens {
		keyID, grantID, ok := s.readToken(t)
		if !ok {
			return nil, errGrantToken()
		}
		live := s.keys[keyID] // k may be what the key was a while ago; see consistency
		if live == nil || live.id != k.id {
			continue
		}
		if g := live.grants[grantID]; g != nil {
			all = append(all, g)
		}
	}
	return all, nil
}
