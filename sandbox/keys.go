package sandbox

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
)

// keys lets the ledger use the sandbox's own KMS. It takes no shortcut: every call is authorized and
// checked as one over the wire.
type keys struct {
	kms    *kms.Service
	region string
	// observe is told of every call; see [Sandbox.observe].
	observe func(operation string, c iam.Caller, by string, in, out any, err error)
	// told is what Describe has told lately: a string by keyQuestion.
	told *sync.Map
}

// A keyQuestion is a question to Describe.
type keyQuestion struct{ keyID, principal, ledger string }

var (
	_ ledger.Keys      = keys{}
	_ ledger.Encrypter = keys{}
)

// grantOperations are what the ledger service asks for. AWS does not document them; these are what
// DynamoDB asks for, without what the sandbox's ledger has no use for.
var grantOperations = []string{"Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey",
	"GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "RetireGrant"}

func (k keys) GenerateDataKey(_ context.Context, c iam.Caller, keyID string, ec map[string]string,
) (plain, sealed []byte, err error) {
	bytes := int32(32) // as the article's CloudTrail record shows it
	in := &kms.GenerateDataKeyRequest{KeyId: keyID, EncryptionContext: ec, NumberOfBytes: &bytes}
	out, err := k.kms.GenerateDataKey(c, in)
	k.observe("GenerateDataKey", c, "", in, out, err)
	if err != nil {
		return nil, nil, refusal(err)
	}
	return out.Plaintext, out.CiphertextBlob, nil
}

func (k keys) Decrypt(_ context.Context, c iam.Caller, sealed []byte, ec map[string]string) ([]byte, error) {
	in := &kms.DecryptRequest{CiphertextBlob: sealed, EncryptionContext: ec, EncryptionAlgorithm: "SYMMETRIC_DEFAULT"}
	out, err := k.kms.Decrypt(c, in)
	k.observe("Decrypt", c, "", in, out, err)
	if err != nil {
		return nil, refusal(err)
	}
	return out.Plaintext, nil
}

// Encrypt is for a ledger that leaves the key AWS owns.
func (k keys) Encrypt(_ context.Context, c iam.Caller, keyID string, plain []byte, ec map[string]string) ([]byte, error) {
	in := &kms.EncryptRequest{KeyId: keyID, Plaintext: plain, EncryptionContext: ec}
	out, err := k.kms.Encrypt(c, in)
	k.observe("Encrypt", c, "", in, out, err)
	if err != nil {
		return nil, refusal(err)
	}
	return out.CiphertextBlob, nil
}

func (k keys) ReEncrypt(_ context.Context, c iam.Caller, sealed []byte, ec map[string]string, toKeyID string,
) ([]byte, error) {
	in := &kms.ReEncryptRequest{CiphertextBlob: sealed, SourceEncryptionContext: ec, DestinationKeyId: toKeyID,
		DestinationEncryptionContext: ec}
	out, err := k.kms.ReEncrypt(c, in)
	k.observe("ReEncrypt", c, "", in, out, err)
	if err != nil {
		return nil, refusal(err)
	}
	return out.CiphertextBlob, nil
}

func (k keys) Describe(ctx context.Context, c iam.Caller, keyID string) (ledger.Key, error) {
	in := &kms.DescribeKeyRequest{KeyId: keyID}
	out, err := k.kms.DescribeKey(c, in)
	// A ledger that follows its alias looks it up all the time. That is the sandbox's way of finding out
	// that it moved, and would bury what the trail is for, so of these only news are recorded.
	answer := ""
	if err != nil {
		answer = err.Error()
	} else {
		answer = out.KeyMetadata.Arn
	}
	before, _ := k.told.Swap(keyQuestion{keyID, c.Principal, c.SourceARN}, answer)
	if before != answer || ctx.Value(http.ServerContextKey) != nil {
		k.observe("DescribeKey", c, "", in, out, err)
	}
	if err != nil {
		return ledger.Key{}, refusal(err)
	}
	m := out.KeyMetadata
	return ledger.Key{ARN: m.Arn, State: string(m.KeyState), Symmetric: m.KeySpec == "SYMMETRIC_DEFAULT"}, nil
}

func (k keys) CreateGrant(_ context.Context, c iam.Caller, keyID string) (string, error) {
	in := &kms.CreateGrantRequest{KeyId: keyID, GranteePrincipal: k.service(), RetiringPrincipal: k.service(),
		Operations: grantOperations, Name: grantName(c.SourceARN)}
	out, err := k.kms.CreateGrant(c, in)
	k.observe("CreateGrant", c, "", in, out, err)
	if err != nil {
		return "", refusal(err)
	}
	return out.GrantId, nil
}

func (k keys) RetireGrant(_ context.Context, c iam.Caller, keyID, grantID string) error {
	in := &kms.RetireGrantRequest{KeyId: keyID, GrantId: grantID}
	err := k.kms.RetireGrant(c, in)
	k.observe("RetireGrant", c, "", in, nil, err)
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
