package kms

import (
	"crypto"
	"crypto/mlkem"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// ML-KEM keys are written as RFC 9935 says, which this Go's crypto/x509 does not know yet.

// kemOID are the algorithm identifiers by KeySpec: id-alg-ml-kem-768 and -1024.
var kemOID = map[string]asn1.ObjectIdentifier{
	"ML_KEM_768":  {2, 16, 840, 1, 101, 3, 4, 4, 2},
	"ML_KEM_1024": {2, 16, 840, 1, 101, 3, 4, 4, 3},
}

// A kemPrivate is a PrivateKeyInfo of PKCS #8.
type kemPrivate struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte // a seed in DER; see seedTag
}

// seedTag begins a private key in the seed format, the one format that KMS has: [0] IMPLICIT OCTET
// STRING of 64 bytes.
var seedTag = [2]byte{0x80, mlkem.SeedSize}

// marshalKEM writes the private key of a seed.
func marshalKEM(spec string, seed []byte) []byte {
	return mustDER(kemPrivate{Algorithm: pkix.AlgorithmIdentifier{Algorithm: kemOID[spec]}, PrivateKey: append(seedTag[:], seed...)})
}

// parseKEM reads what marshalKEM writes.
func parseKEM(spec string, der []byte) (crypto.Decapsulator, error) {
	var p kemPrivate
	rest, err := asn1.Unmarshal(der, &p)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 || !p.Algorithm.Algorithm.Equal(kemOID[spec]) || len(p.PrivateKey) != len(seedTag)+mlkem.SeedSize ||
		[2]byte(p.PrivateKey) != seedTag {
		return nil, fmt.Errorf("the material is not a private key of %s in the seed format", spec)
	}
	seed := p.PrivateKey[len(seedTag):]
	if spec == "ML_KEM_768" {
		return mlkem.NewDecapsulationKey768(seed)
	}
	return mlkem.NewDecapsulationKey1024(seed)
}

// marshalPublicKEM writes an encapsulation key as SubjectPublicKeyInfo.
func marshalPublicKEM(encapsulation []byte) []byte {
	oid := kemOID["ML_KEM_768"]
	if len(encapsulation) == mlkem.EncapsulationKeySize1024 {
		oid = kemOID["ML_KEM_1024"]
	}
	return mustDER(struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}{pkix.AlgorithmIdentifier{Algorithm: oid}, asn1.BitString{Bytes: encapsulation, BitLength: 8 * len(encapsulation)}})
}

func mustDER(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic(err) // the structures of this package have an ASN.1 form
	}
	return der
}
