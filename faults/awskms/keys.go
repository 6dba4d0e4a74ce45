package awskms

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"loadkms/sandbox/iam"
	qldbsandbox "loadkms/sandbox/ledger"
)

// Keys lets the sandbox's ledger use keys of this cloud's KMS, so that what is done to them there is
// felt here. It is safe for use by many goroutines. Close must be called when the ledger is no longer
// in use.
//
// Every call is made as [Cloud.Caller], with the user's own credentials, whoever makes it in the sandbox:
// a client of KMS can pose neither as the ledger service nor as one of the API's roles. So the check
// that QLDB makes as the function's role when a session begins is made too, but as the user; a key
// policy that leaves out a role does not stop that role here.
//
// A client cannot name a service as the grantee either, so the grant of a ledger is one for the caller's own
// principal. It lets him use the key if the key's policy lets him do no more than create grants. If he
// may not create one but may use the key all the same, the ledger goes on without.
//
// Each call takes at most 10 seconds, retries included.
type Keys struct {
	cloud *Cloud
	name  string // begins the names of the grants: another sandbox must not retire them

	mu     sync.Mutex // guards the map; held while grants come and go, calls to KMS and all
	grants map[string]grant

	tokens sync.Map // the tokens of the grants, by grant id: a grant may take minutes to be seen by itself
}

// A grant is one that Keys has made.
type grant struct{ key, ledger string } // ARNs

var (
	_ qldbsandbox.Keys      = (*Keys)(nil)
	_ qldbsandbox.Encrypter = (*Keys)(nil)
)

// keysTimeout is for one call with its retries. The gateway in front of the API waits 29 seconds, and a
// request may need two.
const keysTimeout = 10 * time.Second

// maxTokens is how many tokens of grants KMS takes with a call.
const maxTokens = 10

// granted is what a ledger does with its key.
var granted = []types.GrantOperation{types.GrantOperationDecrypt, types.GrantOperationDescribeKey, types.GrantOperationEncrypt,
	types.GrantOperationGenerateDataKey, types.GrantOperationReEncryptFrom, types.GrantOperationReEncryptTo,
	types.GrantOperationRetireGrant}

// Keys returns the keys of this cloud for a sandbox's ledger. It calls nobody.
func (c *Cloud) Keys() *Keys {
	return &Keys{cloud: c, name: "loadkms-" + rand.Text()[:8], grants: map[string]grant{}}
}

// GrantPrefix returns how the names of all grants begin.
func (k *Keys) GrantPrefix() string { return k.name }

// GenerateDataKey returns a new 256-bit key, in the clear and sealed under the key keyID.
func (k *Keys) GenerateDataKey(ctx context.Context, _ iam.Caller, keyID string, ec map[string]string,
) (plain, sealed []byte, err error) {
	err = k.call(ctx, "generate a data key under "+keyID, func(ctx context.Context, tokens []string) error {
		out, err := k.cloud.kms.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &keyID, EncryptionContext: ec,
			KeySpec: types.DataKeySpecAes256, GrantTokens: tokens})
		if err == nil {
			plain, sealed = out.Plaintext, out.CiphertextBlob
		}
		return err
	})
	return plain, sealed, err
}

// Decrypt opens what GenerateDataKey, Encrypt or ReEncrypt sealed.
func (k *Keys) Decrypt(ctx context.Context, _ iam.Caller, sealed []byte, ec map[string]string) (plain []byte, err error) {
	err = k.call(ctx, "decrypt a data key", func(ctx context.Context, tokens []string) error {
		out, err := k.cloud.kms.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed, EncryptionContext: ec, GrantTokens: tokens})
		if err == nil {
			plain = out.Plaintext
		}
		return err
	})
	return plain, err
}

// Encrypt seals a plaintext under the key keyID.
func (k *Keys) Encrypt(ctx context.Context, _ iam.Caller, keyID string, plain []byte, ec map[string]string) (sealed []byte, err error) {
	err = k.call(ctx, "encrypt a data key under "+keyID, func(ctx context.Context, tokens []string) error {
		out, err := k.cloud.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: &keyID, Plaintext: plain, EncryptionContext: ec, GrantTokens: tokens})
		if err == nil {
			sealed = out.CiphertextBlob
		}
		return err
	})
	return sealed, err
}

// ReEncrypt seals the same plaintext under another key.
func (k *Keys) ReEncrypt(ctx context.Context, _ iam.Caller, sealed []byte, ec map[string]string, toKeyID string) (again []byte, err error) {
	err = k.call(ctx, "encrypt a data key again, under "+toKeyID, func(ctx context.Context, tokens []string) error {
		out, err := k.cloud.kms.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: sealed, SourceEncryptionContext: ec,
			DestinationKeyId: &toKeyID, DestinationEncryptionContext: ec, GrantTokens: tokens})
		if err == nil {
			again = out.CiphertextBlob
		}
		return err
	})
	return again, err
}

// Describe resolves a key id, key ARN, alias name or alias ARN.
func (k *Keys) Describe(ctx context.Context, _ iam.Caller, keyID string) (key qldbsandbox.Key, err error) {
	err = k.call(ctx, "describe key "+keyID, func(ctx context.Context, tokens []string) error {
		out, err := k.cloud.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &keyID, GrantTokens: tokens})
		switch {
		case err != nil:
			return err
		case out.KeyMetadata == nil:
			return errors.New("the answer has no key in it")
		}
		m := out.KeyMetadata
		key = qldbsandbox.Key{ARN: aws.ToString(m.Arn), State: string(m.KeyState), Symmetric: m.KeySpec == types.KeySpecSymmetricDefault}
		return nil
	})
	return key, err
}

// Resolve returns the ARN of a key, named as for Describe.
func (k *Keys) Resolve(ctx context.Context, keyID string) (string, error) {
	key, err := k.Describe(ctx, iam.Caller{}, keyID)
	return key.ARN, err
}

// CreateGrant makes a grant on a key for our own principal, named for the ledger c.SourceARN. It returns
// "" if we may not, but may use the key without one.
func (k *Keys) CreateGrant(ctx context.Context, c iam.Caller, keyID string) (id string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	arn, _ := iam.ParseARN(c.SourceARN)
	name := k.name + "-" + strings.TrimPrefix(arn.Resource, "ledger/")
	err = k.call(ctx, "create a grant on "+keyID, func(ctx context.Context, tokens []string) error {
		out, err := k.cloud.kms.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: &keyID, Name: &name, Operations: granted,
			GranteePrincipal: &k.cloud.caller, RetiringPrincipal: &k.cloud.caller, GrantTokens: tokens})
		if err == nil {
			id = aws.ToString(out.GrantId)
			k.grants[id] = grant{keyID, c.SourceARN}
			k.tokens.Store(id, aws.ToString(out.GrantToken))
		}
		return err
	})
	if refusal, ok := errors.AsType[*qldbsandbox.KeyError](err); ok && refusal.Code == "AccessDeniedException" && k.mayUse(ctx, keyID) {
		return "", nil
	}
	return id, err
}

// mayUse reports whether we may use a key as we are. Nothing is made of it: it is a dry run.
func (k *Keys) mayUse(ctx context.Context, keyID string) bool {
	err := k.call(ctx, "try "+keyID, func(ctx context.Context, tokens []string) error {
		_, err := k.cloud.kms.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &keyID, KeySpec: types.DataKeySpecAes256,
			DryRun: aws.Bool(true), GrantTokens: tokens})
		if refusedAs(err, "DryRunOperationException") {
			return nil // it would have worked
		}
		return err
	})
	return err == nil
}

// RetireGrant gives back a grant that CreateGrant has made. If we may not retire it, it is revoked.
func (k *Keys) RetireGrant(ctx context.Context, _ iam.Caller, _, grantID string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.giveBack(ctx, grantID)
}

// giveBack gives back a grant. The caller holds mu.
func (k *Keys) giveBack(ctx context.Context, id string) error {
	g, ours := k.grants[id]
	if !ours {
		return nil // there is none, or no longer
	}
	k.tokens.Delete(id)
	err := k.call(ctx, "retire grant "+id, func(ctx context.Context, _ []string) error {
		_, err := k.cloud.kms.RetireGrant(ctx, &kms.RetireGrantInput{KeyId: &g.key, GrantId: &id})
		return err
	})
	if refusal, ok := errors.AsType[*qldbsandbox.KeyError](err); ok && refusal.Code != "NotFoundException" {
		err = k.call(ctx, "revoke grant "+id, func(ctx context.Context, _ []string) error {
			_, err := k.cloud.kms.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &g.key, GrantId: &id})
			return err
		})
	}
	if refusal, ok := errors.AsType[*qldbsandbox.KeyError](err); ok && refusal.Code == "NotFoundException" {
		err = nil // somebody else has done it
	}
	if err == nil {
		delete(k.grants, id)
	}
	return err
}

// Close gives back all grants that are left. Its error names those that could not be, with the command
// that does it by hand. It may be called again.
func (k *Keys) Close(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var left []error
	for id, g := range k.grants {
		if err := k.giveBack(ctx, id); err != nil {
			command := fmt.Sprintf("aws kms revoke-grant --region %s --key-id %s --grant-id %s", Quote(k.cloud.region), Quote(g.key), Quote(id))
			if k.cloud.endpoints.KMS != "" {
				command += " --endpoint-url " + Quote(k.cloud.endpoints.KMS)
			}
			left = append(left, fmt.Errorf("%w; by hand: %s", err, command))
		}
	}
	return errors.Join(left...)
}

// call makes one call with a time limit and the tokens of our grants, and turns its error into what the
// ledger expects. A grant that somebody revokes takes its token with it, which is no reason to refuse
// what is allowed without: then the call is made again with no tokens.
func (k *Keys) call(ctx context.Context, what string, do func(ctx context.Context, tokens []string) error) error {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	var tokens []string
	k.tokens.Range(func(_, token any) bool {
		if t := token.(string); t != "" && len(tokens) < maxTokens {
			tokens = append(tokens, t)
		}
		return true
	})
	err := do(ctx, tokens)
	if len(tokens) > 0 && refusedAs(err, "InvalidGrantTokenException") {
		k.tokens.Clear()
		err = do(ctx, nil)
	}
	if err == nil {
		return nil
	}
	if refusal := keyError(err); refusal != nil {
		return refusal
	}
	return k.cloud.explain(what, k.cloud.endpoints.KMS, err)
}

// notAboutTheKey are refusals of the request rather than of the key. AWS answers them before KMS looks
// at the key: common errors of AWS's APIs.
var notAboutTheKey = []string{
	unknownCode, "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "IncompleteSignatureException",
	"InvalidAction", "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken",
	"MissingAuthenticationTokenException", "NotAuthorized", "OptInRequired", "RequestExpired", "SignatureDoesNotMatch",
	"ThrottledException", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException",
	"UnknownOperationException", "UnrecognizedClientException",
}

// keyError returns KMS's refusal in the words of KMS, or nil if there is none in err: what could not be
// reached, is broken, is too busy, or does not know our credentials has said nothing about the key.
func keyError(err error) *qldbsandbox.KeyError {
	var refused smithy.APIError
	if !errors.As(err, &refused) || slices.Contains(notAboutTheKey, refused.ErrorCode()) {
		return nil
	}
	e := &qldbsandbox.KeyError{Code: refused.ErrorCode(), Message: refused.ErrorMessage()}
	if answer := (*awshttp.ResponseError)(nil); errors.As(err, &answer) {
		if answer.HTTPStatusCode() >= 500 {
			return nil
		}
		e.RequestID = answer.ServiceRequestID()
	}
	return e
}
