package kms

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// Keys on the curve secp256k1 are written as those on the NIST curves are, by RFC 5480 and RFC 5915, but
// crypto/x509 does not know the curve.

// koblitz is the KeySpec of the curve.
const koblitz = "ECC_SECG_P256K1"

var (
	ecPublicKey  = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	secp256k1OID = asn1.ObjectIdentifier{1, 3, 132, 0, 10}
)

// A koblitzPrivate is a private key on secp256k1. It signs digests of 32 bytes with ECDSA, in DER.
type koblitzPrivate struct{ key *secp256k1.PrivateKey }

// Public returns a *secp256k1.PublicKey.
func (p koblitzPrivate) Public() crypto.PublicKey { return p.key.PubKey() }

// Sign signs a digest. It needs no randomness, as its nonces come from the digest (RFC 6979).
func (p koblitzPrivate) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return ecdsa.Sign(p.key, digest).Serialize(), nil
}

// koblitzSigned reports whether the signature is one of the digest. Unlike Bitcoin it takes both of the
// values for s that are.
func koblitzSigned(p *secp256k1.PublicKey, digest, signature []byte) bool {
	s, err := ecdsa.ParseDERSignature(signature)
	return err == nil && s.Verify(digest, p)
}

// A koblitzInfo is a PrivateKeyInfo of PKCS #8, around a koblitzKey in DER.
type koblitzInfo struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
}

// A koblitzKey is an ECPrivateKey of RFC 5915.
type koblitzKey struct {
	Version    int
	PrivateKey []byte
	Curve      asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
	PublicKey  asn1.BitString        `asn1:"optional,explicit,tag:1"`
}

func koblitzAlgorithm() pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: ecPublicKey, Parameters: asn1.RawValue{FullBytes: mustDER(secp256k1OID)}}
}

// newKoblitz makes a private key in PKCS #8.
func newKoblitz() ([]byte, error) {
	key, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, err
	}
	inner := mustDER(koblitzKey{Version: 1, PrivateKey: key.Serialize(), PublicKey: bits(key.PubKey().SerializeUncompressed())})
	return mustDER(koblitzInfo{Algorithm: koblitzAlgorithm(), PrivateKey: inner}), nil
}

// parseKoblitz reads what newKoblitz writes, and the form without the public half or with the curve twice.
func parseKoblitz(der []byte) (crypto.Signer, error) {
	var info koblitzInfo
	var key koblitzKey
	var curve asn1.ObjectIdentifier
	if err := unmarshalAll(der, &info); err != nil {
		return nil, err
	}
	a := info.Algorithm
	if !a.Algorithm.Equal(ecPublicKey) || unmarshalAll(a.Parameters.FullBytes, &curve) != nil || !curve.Equal(secp256k1OID) {
		return nil, fmt.Errorf("the material is not a private key of %s", koblitz)
	}
	if err := unmarshalAll(info.PrivateKey, &key); err != nil {
		return nil, err
	}
	if info.Version != 0 || key.Version != 1 || len(key.Curve) > 0 && !key.Curve.Equal(secp256k1OID) {
		return nil, fmt.Errorf("the material is not a private key of %s", koblitz)
	}
	var scalar secp256k1.ModNScalar
	if len(key.PrivateKey) != secp256k1.PrivKeyBytesLen || scalar.SetByteSlice(key.PrivateKey) || scalar.IsZero() {
		return nil, fmt.Errorf("the private key is no number of the curve of %s", koblitz)
	}
	private := secp256k1.NewPrivateKey(&scalar)
	if key.PublicKey.BitLength > 0 {
		public, err := secp256k1.ParsePubKey(key.PublicKey.RightAlign())
		if err != nil || !public.IsEqual(private.PubKey()) {
			return nil, errors.New("the public half is not that of the private key")
		}
	}
	return koblitzPrivate{private}, nil
}

// marshalPublicKoblitz writes a public key as SubjectPublicKeyInfo.
func marshalPublicKoblitz(p *secp256k1.PublicKey) []byte {
	return mustDER(struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}{koblitzAlgorithm(), bits(p.SerializeUncompressed())})
}

func bits(b []byte) asn1.BitString { return asn1.BitString{Bytes: b, BitLength: 8 * len(b)} }

// unmarshalAll reads DER after which nothing may follow.
func unmarshalAll(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) > 0 {
		err = errors.New("something follows the structure")
	}
	return err
}
