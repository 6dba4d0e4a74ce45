package sandbox

import (
	"context"
	"errors"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
)

// keys lets the ledger use the sandbox's own KMS. It takes no shortcut: every call is authorized and
// checked as one over the wire.
type keys struct {
	kms       *kms.Service
	directory *iam.Directory
	region    string
}

var _ ledger.Keys = keys{}

// grantOperations are what the ledger service asks for. AWS does not document them; these are what
// DynamoDB asks for, without what the sandbox's ledger has no use for.
var grantOperations = []string{"Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey",
	"GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "RetireGrant"}

func (k keys) GenerateDataKey(_ context.Context, c iam.Caller, keyID string, ec map[string]string,
) (plain, sealed []byte, err error) {
	bytes := int32(32) // as the article's CloudTrail record shows it
	out, err := k.kms.GenerateDataKey(c, &kms.GenerateDataKeyRequest{KeyId: keyID, EncryptionContext: ec,
		NumberOfBytes: &bytes})
	if err != nil {
		return nil, nil, refusal(err)
	}
	return out.Plaintext, out.CiphertextBlob, nil
}

func (k keys) Decrypt(_ context.Context, c iam.Caller, sealed []byte, ec map[string]string) ([]byte, error) {
	out, err := k.kms.Decrypt(c, &kms.DecryptRequest{CiphertextBlob: sealed, EncryptionContext: ec})
	if err != nil {
		return nil, refusal(err)
	}
	return out.Plaintext, nil
}

func (k keys) ReEncrypt(_ context.Context, c iam.Caller, sealed []byte, ec map[string]string, toKeyID string,
) ([]byte, error) {
	out, err := k.kms.ReEncrypt(c, &kms.ReEncryptRequest{CiphertextBlob: sealed, SourceEncryptionContext: ec,
		DestinationKeyId: toKeyID, DestinationEncryptionContext: ec})
	if err != nil {
		return nil, refusal(err)
	}
	return out.CiphertextBlob, nil
}

func (k keys) Describe(_ context.Context, c iam.Caller, keyID string) (ledger.Key, error) {
	out, err := k.kms.DescribeKey(c, &kms.DescribeKeyRequest{KeyId: keyID})
	if err != nil {
		return ledger.Key{}, refusal(err)
	}
	m := out.KeyMetadata
	return ledger.Key{ARN: m.Arn, State: string(m.KeyState), Symmetric: m.KeySpec == "SYMMETRIC_DEFAULT"}, nil
}

func (k keys) CreateGrant(_ context.Context, c iam.Caller, keyID string) (string, error) {
	out, err := k.kms.CreateGrant(c, &kms.CreateGrantRequest{KeyId: keyID, GranteePrincipal: k.service(),
		RetiringPrincipal: k.service(), Operations: grantOperations, Name: grantName(c.SourceARN)})
	if err != nil {
		return "", refusal(err)
	}
	return out.GrantId, nil
}

func (k keys) RetireGrant(_ context.Context, _ iam.Caller, keyID, grantID string) error {
	// The sandbox's KMS has no RetireGrant yet. RevokeGrant needs an administrator of the key.
	err := k.kms.RevokeGrant(k.directory.Admin(), &kms.RevokeGrantRequest{KeyId: keyID, GrantId: grantID})
	if err != nil {
		return refusal(err)
	}
	return nil
}

// service is the ledger service as KMS names it in grants.
func (k keys) service() string { return "qldb." + k.region + ".amazonaws.com" }

// grantName names a ledger's grant, so that asking for it again returns the same one.
func grantName(ledgerARN string) string {
	arn, _ := iam.ParseARN(ledgerARN)
	return "qldb-" + arn.Resource
}

func refusal(err error) error {
	var e *kms.Error
	if errors.As(err, &e) {
		return &ledger.KeyError{Code: e.Code, Message: e.Message, RequestID: e.RequestID}
	}
	return err
}
