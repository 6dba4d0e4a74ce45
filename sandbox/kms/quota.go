package kms

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Quotas are how many requests per second KMS answers; the others get a ThrottlingException. The keys
// are the names of operations, and those of the quotas that several operations share: SymmetricQuota,
// RSAQuota and ECCQuota, and "GenerateDataKeyPair RSA_2048" and the like for each KeyPairSpec. What has
// no entry is not limited; an empty or nil table limits nothing.
//
// A second is a second of the clients, not of the sandbox's clock: quotas are about how fast requests
// arrive, and they arrive in real time however fast the sandbox makes months pass. A quota can be used
// in advance for one second, so that a burst of that many requests passes.
type Quotas map[string]float64

// The shared quotas of cryptographic operations, by the kind of key.
const (
	SymmetricQuota = "Cryptographic operations (symmetric)" // and HMAC keys, and GenerateRandom
	RSAQuota       = "Cryptographic operations (RSA)"
	ECCQuota       = "Cryptographic operations (ECC)" // and other asymmetric keys
)

// AWSQuotas returns the quotas that a new account has in a Region, from the KMS Developer Guide of
// 2023 (section "Request quotas"). The rates of the operations that came later are guesses by those of
// their like.
func AWSQuotas(region string) Quotas {
	q := Quotas{
		"CancelKeyDeletion": 5, "ConnectCustomKeyStore": 5, "CreateAlias": 5, "CreateCustomKeyStore": 5, "CreateGrant": 50,
		"CreateKey": 5, "DeleteAlias": 15, "DeleteCustomKeyStore": 5, "DeleteImportedKeyMaterial": 5,
		"DescribeCustomKeyStores": 5, "DescribeKey": 2000, "DisableKey": 5, "DisableKeyRotation": 5,
		"DisconnectCustomKeyStore": 5, "EnableKey": 5, "EnableKeyRotation": 15, "GetKeyLastUsage": 1000, "GetKeyPolicy": 1000,
		"GetKeyRotationStatus": 1000, "GetParametersForImport": 0.25, "GetPublicKey": 2000, "ImportKeyMaterial": 5,
		"ListAliases": 500, "ListGrants": 100, "ListKeyPolicies": 100, "ListKeyRotations": 100, "ListKeys": 500,
		"ListResourceTags": 2000, "ListRetirableGrants": 100, "PutKeyPolicy": 15, "ReplicateKey": 5, "RetireGrant": 30,
		"RevokeGrant": 30, "RotateKeyOnDemand": 5, "ScheduleKeyDeletion": 15, "TagResource": 10, "UntagResource": 5,
		"UpdateAlias": 5, "UpdateCustomKeyStore": 5, "UpdateKeyDescription": 5, "UpdatePrimaryRegion": 5,

		pairQuota("RSA_2048"): 1, pairQuota("RSA_3072"): 0.5, pairQuota("RSA_4096"): 0.1, pairQuota("ECC_NIST_P256"): 25,
		pairQuota("ECC_NIST_P384"): 10, pairQuota("ECC_NIST_P521"): 5, pairQuota("ECC_SECG_P256K1"): 25,
		RSAQuota: 500, ECCQuota: 300, SymmetricQuota: 5500,
	}
	switch region {
	case "us-east-1", "us-west-2", "eu-west-1":
		q[SymmetricQuota] = 50_000
	case "us-east-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-central-1", "eu-west-2":
		q[SymmetricQuota] = 10_000
	}
	return q
}

func pairQuota(spec string) string { return "GenerateDataKeyPair " + spec }

// Names returns the names of the quotas, sorted.
func (q Quotas) Names() []string { return slices.Sorted(maps.Keys(q)) }

// SetQuotas limits requests from now on; an empty table ends all limits. Buckets start full.
func (s *Service) SetQuotas(q Quotas) {
	if len(q) == 0 {
		s.throttle.Store(nil)
		return
	}
	t := &throttle{buckets: map[string]*bucket{}}
	now := s.clock.Now()
	for name, rate := range q {
		size := max(rate, 1)
		t.buckets[name] = &bucket{rate: rate, size: size, left: size, at: now}
	}
	s.throttle.Store(t)
}

// A throttle holds the token buckets of all quotas.
type throttle struct {
	mu      sync.Mutex         // guards what is in the buckets, for a few instructions
	buckets map[string]*bucket // by the name of the quota; never changed
}

type bucket struct {
	rate, size float64 // tokens per second, and at most
	left       float64
	at         time.Time // sandbox time when left was so many
}

// take takes one request from a quota, or refuses it.
func (s *Service) take(name string, now time.Time) *Error {
	t := s.throttle.Load()
	if t == nil {
		return nil
	}
	if name == "GenerateRandom" {
		name = SymmetricQuota // it has no key that could tell
	}
	b := t.buckets[name]
	if b == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// Calls come here in another order than they read the clock.
	if passed := s.clock.Real(now.Sub(b.at)); passed > 0 {
		b.left, b.at = min(b.size, b.left+passed.Seconds()*b.rate), now
	}
	if b.left < 1 {
		return refuse("ThrottlingException",
			"You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
	}
	b.left--
	return nil
}

// takeUse takes a cryptographic operation with a key from the quota that all of its kind share. It is
// part of authorize, which sees every use of a key: ReEncrypt, which uses two, counts twice.
func (s *Service) takeUse(operation string, k *key, a *access) *Error {
	if s.throttle.Load() == nil || k.owner != "" {
		return nil // what AWS does with its own keys counts against nobody's quota
	}
	name := SymmetricQuota
	switch {
	case strings.HasPrefix(operation, "GenerateDataKeyPair"):
		name = pairQuota(a.values["datakeypairspec"])
	case !uses[operation] && operation != "ReEncryptFrom" && operation != "ReEncryptTo":
		return nil
	case strings.HasPrefix(k.spec, "RSA_"):
		name = RSAQuota
	case asymmetric(k.spec):
		name = ECCQuota
	}
	return s.take(name, s.clock.Now())
}
