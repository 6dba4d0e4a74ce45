package kms

import (
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// A GetKeyLastUsageRequest names a key, by id or ARN.
type GetKeyLastUsageRequest struct {
	KeyId string `json:",omitempty"`
}

// A GetKeyLastUsageResponse tells when a key was last used.
type GetKeyLastUsageResponse struct {
	KeyId             string // ARN
	KeyCreationDate   Timestamp
	TrackingStartDate Timestamp // the sandbox watches a key from its creation
	KeyLastUsage      KeyLastUsageData
}

// A KeyLastUsageData is the last successful cryptographic operation with a key; empty if there was
// none.
type KeyLastUsageData struct {
	Operation         string    `json:",omitempty"`
	Timestamp         Timestamp `json:",omitzero"`
	CloudTrailEventId string    `json:",omitempty"` // see EventID
	KmsRequestId      string    `json:",omitempty"`
}

var getKeyLastUsage = operation[GetKeyLastUsageRequest, GetKeyLastUsageResponse]{
	"GetKeyLastUsage", (*Service).getKeyLastUsage}

// GetKeyLastUsage tells which cryptographic operation used a key last, and when.
func (s *Service) GetKeyLastUsage(c iam.Caller, in *GetKeyLastUsageRequest) (*GetKeyLastUsageResponse, error) {
	return getKeyLastUsage.call(s, c, in)
}

// EventID returns the id of the CloudTrail event of a request: a UUID made from the request's id, so
// that those who write the trail and GetKeyLastUsage agree without speaking to each other.
func EventID(requestID string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(requestID)).String()
}

// uses are the operations that count as a use of their keys: the API model's
// KeyLastUsageTrackingOperation.
var uses = map[string]bool{
	"Decapsulate": true, "Decrypt": true, "DeriveSharedSecret": true, "Encapsulate": true, "Encrypt": true,
	"GenerateDataKey": true, "GenerateDataKeyPair": true, "GenerateDataKeyPairWithoutPlaintext": true,
	"GenerateDataKeyWithoutPlaintext": true, "GenerateMac": true, "ReEncrypt": true, "Sign": true, "Verify": true,
	"VerifyMac": true,
}

// A usage is a key's last use. All that a key ever was share one; see consistency.
type usage struct{ last atomic.Pointer[lastUse] }

type lastUse struct {
	operation, requestID string
	at                   time.Time
}

// touch notes a key that the call is going to use, for used. ReEncrypt uses two.
func (c *call) touch(k *key) {
	if c.touched[0] == nil || c.touched[0] == k.used {
		c.touched[0] = k.used
		return
	}
	c.touched[1] = k.used
}

// used notes the use of the keys that a successful call has touched.
func (c *call) used(operation, requestID string) {
	for _, u := range c.touched {
		if u != nil {
			u.last.Store(&lastUse{operation, requestID, c.now})
		}
	}
}

func (s *Service) getKeyLastUsage(c *call, in *GetKeyLastUsageRequest) (*GetKeyLastUsageResponse, *Error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, err := s.manage(c, "GetKeyLastUsage", in.KeyId, nil, access{})
	if err != nil {
		return nil, err
	}
	out := &GetKeyLastUsageResponse{KeyId: k.arn, KeyCreationDate: Timestamp{k.created},
		TrackingStartDate: Timestamp{k.created}}
	if u := k.used.last.Load(); u != nil {
		out.KeyLastUsage = KeyLastUsageData{u.operation, Timestamp{u.at}, EventID(u.requestID), u.requestID}
	}
	return out, nil
}
