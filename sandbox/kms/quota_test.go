package kms_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

const throttled = "ThrottlingException: You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."

func TestThrottling(t *testing.T) {
	r := rigOf(t, kms.Options{Quotas: kms.Quotas{"ListKeys": 2}})
	client := r.client("AKIA")
	list := func() error {
		_, err := client.ListKeys(t.Context(), &sdk.ListKeysInput{})
		return err
	}
	r.clock.Advance(time.Hour) // does not fill the bucket beyond its size
	for range 2 {
		if err := list(); err != nil {
			t.Fatal(err)
		}
	}
	fails(t, list(), "ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
	if _, err := client.ListAliases(t.Context(), &sdk.ListAliasesInput{}); err != nil {
		t.Errorf("an operation without quota: %v", err)
	}
	r.SetQuotas(nil)
	for range 5 {
		if err := list(); err != nil {
			t.Fatalf("without quotas: %v", err)
		}
	}
}

// TestQuotasAreOfRealTime: how fast the sandbox's clock runs changes nothing.
func TestQuotasAreOfRealTime(t *testing.T) {
	for _, speed := range []float64{1, 3600, 0.5} {
		synctest.Test(t, func(t *testing.T) {
			s := kms.New(kms.Options{Clock: clock.New(speed), Quotas: kms.Quotas{"ListKeys": 5, "ListAliases": 0.25}})
			admin := s.Directory().Admin()
			var keys, aliases int
			for range 100 { // ten seconds
				if _, err := s.ListKeys(admin, nil); err == nil {
					keys++
				} else if refusal(err) != throttled {
					t.Fatal(err)
				}
				if _, err := s.ListAliases(admin, nil); err == nil {
					aliases++
				}
				time.Sleep(100 * time.Millisecond)
			}
			// A full bucket of 5, and 5 a second for 9.9 seconds; a bucket of 1, and 0.25 a second.
			if keys != 54 || aliases != 3 {
				t.Errorf("speed %v: %d and %d requests, want 54 and 3", speed, keys, aliases)
			}
		})
	}
}

// TestSharedQuotas: cryptographic operations share a quota by the kind of key, and ReEncrypt counts
// twice.
func TestSharedQuotas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kms.New(kms.Options{})
		admin := s.Directory().Admin()
		create := func(spec, usage string) string {
			out, err := s.CreateKey(admin, &kms.CreateKeyRequest{KeySpec: spec, KeyUsage: usage})
			if err != nil {
				t.Fatal(err)
			}
			return out.KeyMetadata.KeyId
		}
		key, ec := create("", ""), create("ECC_NIST_P256", "SIGN_VERIFY")
		sealed, err := s.Encrypt(admin, &kms.EncryptRequest{KeyId: key, Plaintext: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		s.SetQuotas(kms.Quotas{kms.SymmetricQuota: 4, kms.ECCQuota: 1})
		for i, want := range []string{"", "", throttled} {
			_, err := s.ReEncrypt(admin, &kms.ReEncryptRequest{CiphertextBlob: sealed.CiphertextBlob, DestinationKeyId: key})
			if got := refusal(err); got != want {
				t.Errorf("ReEncrypt %d: %q, want %q", i, got, want)
			}
		}
		if _, err := s.Decrypt(admin, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob}); refusal(err) != throttled {
			t.Errorf("Decrypt: %v, want the quota used up", err)
		}
		if _, err := s.GenerateRandom(admin, &kms.GenerateRandomRequest{NumberOfBytes: new(int32(8))}); refusal(err) != throttled {
			t.Errorf("GenerateRandom: %v, want the quota used up", err)
		}
		if _, err := s.Sign(admin, &kms.SignRequest{KeyId: ec, Message: []byte("x"), SigningAlgorithm: "ECDSA_SHA_256"}); err != nil {
			t.Errorf("Sign has a quota of its own: %v", err)
		}
		s.SetQuotas(kms.Quotas{"GenerateDataKeyPair ECC_NIST_P256": 1})
		for spec, want := range map[string]string{"ECC_NIST_P256": throttled, "ECC_NIST_P384": ""} {
			for i := range 2 {
				_, err := s.GenerateDataKeyPair(admin, &kms.GenerateDataKeyPairRequest{KeyId: key, KeyPairSpec: spec})
				if got := refusal(err); i == 1 && got != want || i == 0 && got != "" {
					t.Errorf("pair %d of %s: %q", i, spec, got)
				}
			}
		}
		s.SetQuotas(kms.Quotas{kms.SymmetricQuota: 1})
		if _, err := s.DescribeKey(admin, &kms.DescribeKeyRequest{KeyId: key}); err != nil {
			t.Errorf("DescribeKey is not among them: %v", err)
		}
		// What a service does for somebody counts, too; a refusal for want of permission does not pass.
		nobody := iam.Caller{Service: "qldb.amazonaws.com"}
		if _, err := s.Decrypt(nobody, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob, KeyId: key}); refusal(err) == throttled || err == nil {
			t.Errorf("the first of a service: %v", err)
		}
		if _, err := s.Decrypt(nobody, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob, KeyId: key}); refusal(err) != throttled {
			t.Errorf("the second of a service: %v", err)
		}
	})
}

// TestQuotaHoldsForAll: many clients together get no more than the quota.
func TestQuotaHoldsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kms.New(kms.Options{Quotas: kms.Quotas{"ListKeys": 100}})
		var served atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for range 50 {
					if _, err := s.ListKeys(s.Directory().Admin(), nil); err == nil {
						served.Add(1)
					}
					time.Sleep(20 * time.Millisecond)
				}
			})
		}
		all.Wait()
		if got := served.Load(); got != 198 { // 100 at once, and 100 a second for 0.98 seconds
			t.Errorf("%d served, want 198", got)
		}
	})
}

func TestAWSQuotas(t *testing.T) {
	for region, want := range map[string]float64{"eu-west-2": 10_000, "us-east-1": 50_000, "eu-north-1": 5_500} {
		q := kms.AWSQuotas(region)
		if q[kms.SymmetricQuota] != want || q["EnableKey"] != 5 || q["GetParametersForImport"] != 0.25 || len(q.Names()) != len(q) {
			t.Errorf("%s: %v", region, q)
		}
	}
}
