package kms

import (
	"strconv"
	"time"

	"loadkms/sandbox/iam"
)

// A ScheduleKeyDeletionRequest names a key, by id or ARN, and how long it is to wait.
type ScheduleKeyDeletionRequest struct {
	KeyId               string `json:",omitempty"`
	PendingWindowInDays *int32 `json:",omitempty"` // 7 to 30; default 30
}

// A ScheduleKeyDeletionResponse says when the key will be gone.
type ScheduleKeyDeletionResponse struct {
	KeyId               string
	DeletionDate        Timestamp
	KeyState            State
	PendingWindowInDays int32
}

// A CancelKeyDeletionRequest names a key pending deletion, by id or ARN.
type CancelKeyDeletionRequest struct {
	KeyId string `json:",omitempty"`
}

// A CancelKeyDeletionResponse holds the ARN of the key that stays, disabled.
type CancelKeyDeletionResponse struct {
	KeyId string
}

var (
	scheduleKeyDeletion = operation[ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse]{
		"ScheduleKeyDeletion", (*Service).scheduleKeyDeletion}
	cancelKeyDeletion = operation[CancelKeyDeletionRequest, CancelKeyDeletionResponse]{
		"CancelKeyDeletion", (*Service).cancelKeyDeletion}
)

// ScheduleKeyDeletion makes a key unusable at once and deletes it when the waiting period, in sandbox
// time, has passed. What it encrypted is lost then.
func (s *Service) ScheduleKeyDeletion(c iam.Caller, in *ScheduleKeyDeletionRequest) (*ScheduleKeyDeletionResponse, error) {
	return scheduleKeyDeletion.call(s, c, in)
}

// CancelKeyDeletion keeps a key that was waiting to be deleted. It is disabled afterwards, whatever it
// was before.
func (s *Service) CancelKeyDeletion(c iam.Caller, in *CancelKeyDeletionRequest) (*CancelKeyDeletionResponse, error) {
	return cancelKeyDeletion.call(s, c, in)
}

func (s *Service) scheduleKeyDeletion(c *call, in *ScheduleKeyDeletionRequest) (*ScheduleKeyDeletionResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.between("PendingWindowInDays", in.PendingWindowInDays, 1, 365) // the API model's limits
	if err := v.err(); err != nil {
		return nil, err
	}
	days := int32(30)
	if in.PendingWindowInDays != nil {
		days = *in.PendingWindowInDays
	}
	if days < 7 || days > 30 { // the documented limits; the text is ours, no source has AWS's
		return nil, refuse("ValidationException", "PendingWindowInDays must be between 7 and 30 (inclusive)")
	}
	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, "ScheduleKeyDeletion", in.KeyId, notPending,
		access{values: map[string]string{"schedulekeydeletionpendingwindowindays": strconv.Itoa(int(days))}})
	if err != nil {
		return nil, err
	}
	k.state, k.deletion = PendingDeletion, c.now.Add(time.Duration(days)*24*time.Hour)
	s.expect(k.deletion)
	return &ScheduleKeyDeletionResponse{KeyId: k.arn, DeletionDate: Timestamp{k.deletion}, KeyState: k.status(),
		PendingWindowInDays: days}, nil
}

func (s *Service) cancelKeyDeletion(c *call, in *CancelKeyDeletionRequest) (*CancelKeyDeletionResponse, *Error) {
	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, "CancelKeyDeletion", in.KeyId, pending, access{})
	if err != nil {
		return nil, err
	}
	k.state, k.deletion = Disabled, time.Time{}
	if !k.complete() {
		k.state = PendingImport // its imported material went away in the meantime
	}
	return &CancelKeyDeletionResponse{k.arn}, nil
}
