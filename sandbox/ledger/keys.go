package ledger

import (
	"context"
	"errors"
	"fmt"

	"loadkms/sandbox/iam"
)

// Keys is the one thing a ledger needs from a KMS. Every call is made for a caller: the ledger
// service itself ([iam.Caller.Service]), or a principal through the service ([iam.Caller.Via]).
// Every error that KMS itself returned is a *[KeyError].
type Keys interface {
	// GenerateDataKey returns a new 256-bit key, in the clear and sealed under the key keyID.
	GenerateDataKey(ctx context.Context, c iam.Caller, keyID string, ec map[string]string) (plain, sealed []byte, err error)
	// Decrypt opens what GenerateDataKey or ReEncrypt sealed; the blob itself names the key.
	Decrypt(ctx context.Context, c iam.Caller, sealed []byte, ec map[string]string) (plain []byte, err error)
	// ReEncrypt seals the same plaintext under another key.
	ReEncrypt(ctx context.Context, c iam.Caller, sealed []byte, ec map[string]string, toKeyID string) ([]byte, error)
	// Describe resolves a key id, key ARN, alias name or alias ARN.
	Describe(ctx context.Context, c iam.Caller, keyID string) (Key, error)
	// CreateGrant lets the ledger service use the key from now on; RetireGrant ends that. A caller who
	// already has such a grant for the same ledger (iam.Caller.SourceARN) is given it again.
	CreateGrant(ctx context.Context, c iam.Caller, keyID string) (grantID string, err error)
	// RetireGrant gives back a grant that the service no longer needs. The service calls it itself.
	RetireGrant(ctx context.Context, c iam.Caller, keyID, grantID string) error
}

// A Key is what Describe tells of a key.
type Key struct {
	ARN       string
	State     string // Enabled, Disabled, PendingDeletion, …
	Symmetric bool   // usable for ENCRYPT_DECRYPT with SYMMETRIC_DEFAULT
}

// A KeyError is a refusal by KMS.
type KeyError struct {
	Code      string // DisabledException, AccessDeniedException, …
	Message   string
	RequestID string
}

func (e *KeyError) Error() string { return fmt.Sprintf("kms: %s: %s", e.Code, e.Message) }

// refused returns the refusal in an error of KMS, or nil if there is none: a KMS that is broken or too
// busy has not refused, and says nothing about the key.
func refused(err error) *KeyError {
	e, _ := errors.AsType[*KeyError](err)
	if e == nil {
		return nil
	}
	switch e.Code {
	case "KMSInternalException", "KeyUnavailableException", "DependencyTimeoutException", "ThrottlingException":
		return nil
	}
	return e
}
