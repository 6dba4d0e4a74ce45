package kms_test

import (
	"fmt"
	"testing"
	"time"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

// TestConditions asks policies whose conditions look at what the request holds.
func TestConditions(t *testing.T) {
	seven, thirty, ninety, thousand := int32(7), int32(30), int32(90), int32(1000)
	r := newRig(t)
	dev := r.user(t, "dev")
	// allow makes a key whose policy lets dev do one thing on one condition.
	allow := func(action, condition string) string {
		_, id := r.newKey(t, kms.CreateKeyRequest{Policy: fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":%q},"Action":"kms:*","Resource":"*"},
			{"Effect":"Allow","Principal":{"AWS":%q},"Action":%q,"Resource":"*","Condition":%s}]}`, r.admin.Principal, dev.Principal, action, condition)})
		return id
	}
	year := r.clock.Now().Year()
	_, elsewhere := r.newKey(t, kms.CreateKeyRequest{Policy: fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":%q},"Action":"kms:*","Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":%q},"Action":"kms:ReEncryptTo","Resource":"*"}]}`, r.admin.Principal, dev.Principal)})
	schedule := func(days *int32) func(string) error {
		return func(id string) error {
			_, err := r.ScheduleKeyDeletion(dev, &kms.ScheduleKeyDeletionRequest{KeyId: id, PendingWindowInDays: days})
			return err
		}
	}
	enable := func(days *int32) func(string) error {
		return func(id string) error {
			return r.EnableKeyRotation(dev, &kms.EnableKeyRotationRequest{KeyId: id, RotationPeriodInDays: days})
		}
	}
	disable := func(id string) error { return r.DisableKey(dev, &kms.DisableKeyRequest{KeyId: id}) }
	reEncrypt := func(to string) func(string) error {
		return func(id string) error {
			sealed, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: id, Plaintext: []byte("x")})
			if err != nil {
				return err
			}
			if to == "" {
				to = id
			}
			_, err = r.ReEncrypt(dev, &kms.ReEncryptRequest{CiphertextBlob: sealed.CiphertextBlob, SourceKeyId: id, DestinationKeyId: to})
			return err
		}
	}
	tests := []struct {
		name, action, condition string
		do                      func(id string) error
		want                    bool
	}{
		{"a long enough window", "kms:ScheduleKeyDeletion", `{"NumericGreaterThanEquals":{"kms:ScheduleKeyDeletionPendingWindowInDays":"30"}}`, schedule(&thirty), true},
		{"the window by default", "kms:ScheduleKeyDeletion", `{"NumericGreaterThanEquals":{"kms:ScheduleKeyDeletionPendingWindowInDays":30}}`, schedule(nil), true},
		{"too short a window", "kms:ScheduleKeyDeletion", `{"NumericGreaterThanEquals":{"kms:ScheduleKeyDeletionPendingWindowInDays":"30"}}`, schedule(&seven), false},
		{"rotated often enough", "kms:EnableKeyRotation", `{"NumericLessThanEquals":{"kms:RotationPeriodInDays":"365"}}`, enable(&ninety), true},
		{"rotated too seldom", "kms:EnableKeyRotation", `{"NumericLessThanEquals":{"kms:RotationPeriodInDays":"365"}}`, enable(&thousand), false},
		{"this year", "kms:DisableKey", fmt.Sprintf(`{"DateGreaterThan":{"aws:CurrentTime":"%d-01-01T00:00:00Z"}}`, year), disable, true},
		{"in the past", "kms:DisableKey", fmt.Sprintf(`{"DateLessThan":{"aws:CurrentTime":"%d-01-01T00:00:00Z"}}`, year), disable, false},
		{"by the epoch", "kms:DisableKey", `{"NumericGreaterThan":{"aws:EpochTime":"1000000000"}}`, disable, true},
		{"re-encrypted on the key", "kms:ReEncrypt*", `{"Bool":{"kms:ReEncryptOnSameKey":"true"}}`, reEncrypt(""), true},
		{"re-encrypted elsewhere", "kms:ReEncrypt*", `{"Bool":{"kms:ReEncryptOnSameKey":"true"}}`, reEncrypt(elsewhere), false},
		{"a symmetric key", "kms:DisableKey", `{"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT","kms:KeyUsage":"ENCRYPT_DECRYPT","kms:KeyOrigin":"AWS_KMS","kms:MultiRegion":"false"}}`, disable, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := code(tt.do(allow(tt.action, tt.condition)))
			if (got == "") != tt.want || !tt.want && got != "AccessDeniedException" {
				t.Errorf("%q, want success %v", got, tt.want)
			}
		})
	}
	t.Run("time passes", func(t *testing.T) {
		tomorrow := r.clock.Now().Add(day).UTC().Format(time.RFC3339)
		id := allow("kms:DescribeKey", fmt.Sprintf(`{"DateLessThan":{"aws:CurrentTime":%q}}`, tomorrow))
		describe := func() string {
			_, err := r.DescribeKey(dev, &kms.DescribeKeyRequest{KeyId: id})
			return code(err)
		}
		if got := describe(); got != "" {
			t.Errorf("today: %q", got)
		}
		r.clock.Advance(2 * day)
		if got := describe(); got != "AccessDeniedException" {
			t.Errorf("the day after tomorrow: %q", got)
		}
	})
}

// TestCreationConditions: what a new key is going to be decides who may make it.
func TestCreationConditions(t *testing.T) {
	r := newRig(t)
	dev := r.user(t, "dev", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"kms:CreateKey","Resource":"*","Condition":{"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT","kms:KeyOrigin":"AWS_KMS"},"Bool":{"kms:MultiRegion":"false"}}},
		{"Effect":"Allow","Action":"kms:PutKeyPolicy","Resource":"*"}]}`)
	for _, tt := range []struct {
		name string
		in   kms.CreateKeyRequest
		by   iam.Caller
		want string
	}{
		{"symmetric", kms.CreateKeyRequest{}, dev, ""},
		{"with tags, which are another permission", kms.CreateKeyRequest{Tags: []kms.Tag{{TagKey: "a"}}}, dev, "AccessDeniedException"},
		{"of another kind", kms.CreateKeyRequest{KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC"}, dev, "AccessDeniedException"},
		{"for imports", kms.CreateKeyRequest{Origin: "EXTERNAL"}, dev, "AccessDeniedException"},
		{"multi-Region", kms.CreateKeyRequest{MultiRegion: true}, dev, "AccessDeniedException"},
		{"nobody", kms.CreateKeyRequest{}, r.Directory().Session(iam.NoKMSRole, "s"), "AccessDeniedException"},
	} {
		if _, err := r.CreateKey(tt.by, &tt.in); code(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
