package ledger

import (
	"context"
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
	// CreateGrant lets the ledger service use the key from now on; RevokeGrant ends that.
	CreateGrant(ctx context.Context, c iam.Caller, keyID string) (grantID string, err error)
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
