package kms_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

const (
	account = "123456789012"
	region  = "eu-west-2"
)

// A rig is a KMS and real clients of it.
type rig struct {
	*kms.Service
	clock *clock.Clock
	url   string
	admin iam.Caller
}

func newRig(t testing.TB) *rig {
	t.Helper()
	c := clock.New(1)
	s := kms.New(kms.Options{Account: account, Region: region, Clock: c})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &rig{Service: s, clock: c, url: server.URL, admin: s.Directory().Admin()}
}

// client returns the real SDK's client, calling with the access key.
func (r *rig) client(accessKey string) *sdk.Client {
	return sdk.New(sdk.Options{Region: region, BaseEndpoint: aws.String(r.url),
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, "secret", ""),
		Retryer:     aws.NopRetryer{}})
}

// newKey makes a key in the sandbox and returns its ARN and id.
func (r *rig) newKey(t testing.TB, in kms.CreateKeyRequest) (arn, id string) {
	t.Helper()
	out, err := r.CreateKey(r.admin, &in)
	if err != nil {
		t.Fatal(err)
	}
	return out.KeyMetadata.Arn, out.KeyMetadata.KeyId
}

// fails checks an error of the real SDK: HTTP 400 unless it is a server's fault, its code, and its
// message to the letter; "…" at the end of the message stands for anything.
func fails(t *testing.T, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("error %v, want %s", err, code)
	}
	if api.ErrorCode() != code {
		t.Errorf("code %s (%s), want %s", api.ErrorCode(), api.ErrorMessage(), code)
	}
	got := api.ErrorMessage()
	if begin, ok := strings.CutSuffix(message, "…"); ok && strings.HasPrefix(got, begin) {
		got = message
	}
	if got != message {
		t.Errorf("message\n%q, want\n%q", api.ErrorMessage(), message)
	}
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() != 400 {
		t.Errorf("%v has another HTTP status than 400", err)
	}
	var id interface{ ServiceRequestID() string }
	if !errors.As(err, &id) || id.ServiceRequestID() == "" {
		t.Errorf("%v has no request id", err)
	}
}

// TestConformance runs one list of calls through the real SDK: against the sandbox always, and against
// AWS, with whatever account the environment names, if LOADKMS_AWS=1. On AWS every key it makes is
// scheduled for deletion.
func TestConformance(t *testing.T) {
	t.Run("sandbox", func(t *testing.T) {
		r := newRig(t)
		conformance{client: r.client("AKIAIOSFODNN7EXAMPLE")}.run(t)
	})
	t.Run("AWS", func(t *testing.T) {
		if os.Getenv("LOADKMS_AWS") != "1" {
			t.Skip("LOADKMS_AWS is not 1")
		}
		cfg, err := config.LoadDefaultConfig(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conformance{client: sdk.NewFromConfig(cfg), real: true}.run(t)
	})
}

type conformance struct {
	client *sdk.Client
	real   bool
}

// key makes a key that is scheduled for deletion when the test ends.
func (c conformance) key(t *testing.T) (arn, id string) {
	t.Helper()
	out, err := c.client.CreateKey(t.Context(), &sdk.CreateKeyInput{Description: aws.String("loadkms conformance")})
	if err != nil {
		t.Fatal(err)
	}
	id = *out.KeyMetadata.KeyId
	t.Cleanup(func() {
		c.client.ScheduleKeyDeletion(context.Background(), &sdk.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: aws.Int32(7)})
	})
	return *out.KeyMetadata.Arn, id
}

func (c conformance) alias(t *testing.T, key string) string {
	t.Helper()
	name := fmt.Sprintf("alias/loadkms-conformance-%d", time.Now().UnixNano())
	if _, err := c.client.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: &key}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.client.DeleteAlias(context.Background(), &sdk.DeleteAliasInput{AliasName: &name}) })
	return name
}

func (c conformance) run(t *testing.T) {
	t.Run("keys", c.keys)
	t.Run("aliases", c.aliases)
	t.Run("ciphertext", c.ciphertext)
	t.Run("policies", c.policies)
	t.Run("grants", c.grants)
	t.Run("management", c.management)
	t.Run("errors", c.errors)
}

func (c conformance) keys(t *testing.T) {
	ctx, began := t.Context(), time.Now()
	out, err := c.client.CreateKey(ctx, &sdk.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	m := out.KeyMetadata
	arn, id := *m.Arn, *m.KeyId
	if !strings.HasSuffix(arn, ":key/"+id) || !m.Enabled || m.KeyState != types.KeyStateEnabled || *m.Description != "" ||
		m.KeyManager != types.KeyManagerTypeCustomer || m.KeySpec != types.KeySpecSymmetricDefault ||
		m.CustomerMasterKeySpec != types.CustomerMasterKeySpecSymmetricDefault || m.KeyUsage != types.KeyUsageTypeEncryptDecrypt ||
		m.Origin != types.OriginTypeAwsKms || *m.MultiRegion || len(*m.CurrentKeyMaterialId) != 64 || m.DeletionDate != nil ||
		len(m.EncryptionAlgorithms) != 1 || m.CreationDate.Sub(began).Abs() > time.Minute || *m.AWSAccountId == "" {
		t.Errorf("metadata %s", asJSON(m))
	}
	state := func(want types.KeyState) *types.KeyMetadata {
		t.Helper()
		out, err := c.client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &arn})
		if err != nil {
			t.Fatal(err)
		}
		if got := out.KeyMetadata; got.KeyState != want || got.Enabled != (want == types.KeyStateEnabled) {
			t.Errorf("state %s, enabled %v, want %s", got.KeyState, got.Enabled, want)
		}
		return out.KeyMetadata
	}
	for range 2 { // both are idempotent
		if _, err := c.client.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &id}); err != nil {
			t.Fatal(err)
		}
		state(types.KeyStateDisabled)
	}
	for range 2 {
		if _, err := c.client.EnableKey(ctx, &sdk.EnableKeyInput{KeyId: &arn}); err != nil {
			t.Fatal(err)
		}
		state(types.KeyStateEnabled)
	}
	_, err = c.client.CancelKeyDeletion(ctx, &sdk.CancelKeyDeletionInput{KeyId: &id})
	fails(t, err, "KMSInvalidStateException", arn+" is not pending deletion.")
	gone, err := c.client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: aws.Int32(7)})
	if err != nil {
		t.Fatal(err)
	}
	if *gone.KeyId != arn || gone.KeyState != types.KeyStatePendingDeletion || *gone.PendingWindowInDays != 7 ||
		time.Until(*gone.DeletionDate).Round(24*time.Hour) != 7*24*time.Hour {
		t.Errorf("scheduled %s", asJSON(gone))
	}
	if m := state(types.KeyStatePendingDeletion); m.DeletionDate == nil || !m.DeletionDate.Equal(*gone.DeletionDate) {
		t.Errorf("deletion date %v, want %v", m.DeletionDate, gone.DeletionDate)
	}
	_, err = c.client.EnableKey(ctx, &sdk.EnableKeyInput{KeyId: &id})
	fails(t, err, "KMSInvalidStateException", arn+" is pending deletion.")
	back, err := c.client.CancelKeyDeletion(ctx, &sdk.CancelKeyDeletionInput{KeyId: &id})
	if err != nil || *back.KeyId != arn {
		t.Fatalf("cancel: %v, %v", asJSON(back), err)
	}
	if m := state(types.KeyStateDisabled); m.DeletionDate != nil {
		t.Errorf("still to be deleted at %v", m.DeletionDate)
	}

	seen := false
	for p := sdk.NewListKeysPaginator(c.client, &sdk.ListKeysInput{Limit: aws.Int32(1)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Keys) > 1 {
			t.Fatalf("%d keys on a page of one", len(page.Keys))
		}
		for _, k := range page.Keys {
			seen = seen || *k.KeyId == id && *k.KeyArn == arn
		}
	}
	if !seen {
		t.Error("the key is not listed")
	}
	c.client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: aws.Int32(7)})
}

func (c conformance) aliases(t *testing.T) {
	ctx := t.Context()
	one, oneID := c.key(t)
	_, twoID := c.key(t)
	alias := c.alias(t, one)
	aliasARN := strings.TrimSuffix(one, "key/"+oneID) + alias

	target := func() string {
		t.Helper()
		out, err := c.client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: aws.String(aliasARN)})
		if err != nil {
			t.Fatal(err)
		}
		return *out.KeyMetadata.KeyId
	}
	if target() != oneID {
		t.Fatalf("alias is for %s, want %s", target(), oneID)
	}
	for range 2 { // moving it where it is already changes nothing: a fault rehearses its way back so
		if _, err := c.client.UpdateAlias(ctx, &sdk.UpdateAliasInput{AliasName: &alias, TargetKeyId: &twoID}); err != nil {
			t.Fatal(err)
		}
	}
	if target() != twoID {
		t.Errorf("alias is for %s, want %s", target(), twoID)
	}
	out, err := c.client.ListAliases(ctx, &sdk.ListAliasesInput{KeyId: &twoID})
	if err != nil || len(out.Aliases) != 1 {
		t.Fatalf("aliases %s, %v", asJSON(out), err)
	}
	if a := out.Aliases[0]; *a.AliasName != alias || *a.AliasArn != aliasARN || *a.TargetKeyId != twoID ||
		a.LastUpdatedDate.Before(*a.CreationDate) {
		t.Errorf("alias %s", asJSON(a))
	}
	names := map[string]bool{}
	for p := sdk.NewListAliasesPaginator(c.client, &sdk.ListAliasesInput{Limit: aws.Int32(2)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Aliases {
			names[*a.AliasName] = true
		}
	}
	if !names[alias] || !c.real && !names["alias/aws/s3"] {
		t.Errorf("listed %v", names)
	}
	_, err = c.client.CreateAlias(ctx, &sdk.CreateAliasInput{AliasName: &alias, TargetKeyId: &oneID})
	fails(t, err, "AlreadyExistsException", "An alias with the name "+aliasARN+" already exists")
	if _, err := c.client.DeleteAlias(ctx, &sdk.DeleteAliasInput{AliasName: &alias}); err != nil {
		t.Fatal(err)
	}
	notFound := "Alias " + aliasARN + " is not found."
	_, err = c.client.UpdateAlias(ctx, &sdk.UpdateAliasInput{AliasName: &alias, TargetKeyId: &oneID})
	fails(t, err, "NotFoundException", notFound)
	_, err = c.client.DeleteAlias(ctx, &sdk.DeleteAliasInput{AliasName: &alias})
	fails(t, err, "NotFoundException", notFound)
	_, err = c.client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &alias})
	fails(t, err, "NotFoundException", notFound)
}

func (c conformance) ciphertext(t *testing.T) {
	ctx := t.Context()
	one, oneID := c.key(t)
	two, twoID := c.key(t)
	alias := c.alias(t, one)
	ec := map[string]string{"purpose": "test", "n": "1"}

	sealed, err := c.client.Encrypt(ctx, &sdk.EncryptInput{KeyId: &alias, Plaintext: []byte("hello"), EncryptionContext: ec})
	if err != nil {
		t.Fatal(err)
	}
	if *sealed.KeyId != one || sealed.EncryptionAlgorithm != types.EncryptionAlgorithmSpecSymmetricDefault {
		t.Errorf("encrypted %s", asJSON(sealed))
	}
	for _, key := range []*string{nil, &one, &oneID, &alias} {
		opened, err := c.client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: ec, KeyId: key})
		if err != nil {
			t.Fatal(err)
		}
		if string(opened.Plaintext) != "hello" || *opened.KeyId != one || len(*opened.KeyMaterialId) != 64 {
			t.Errorf("decrypted %s", asJSON(opened))
		}
	}
	_, err = c.client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: ec, KeyId: &twoID})
	fails(t, err, "IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
	for _, wrong := range []map[string]string{nil, {"purpose": "test"}, {"purpose": "test", "n": "2"}, {"purpose": "Test", "n": "1"},
		{"purpose": "test", "n": "1", "m": ""}} {
		_, err = c.client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: wrong})
		fails(t, err, "InvalidCiphertextException", "")
	}
	_, err = c.client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: []byte("no ciphertext")})
	fails(t, err, "InvalidCiphertextException", "")
	_, err = c.client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: ec, DryRun: aws.Bool(true)})
	fails(t, err, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
	_, err = c.client.Encrypt(ctx, &sdk.EncryptInput{KeyId: &oneID, Plaintext: make([]byte, 4097)})
	fails(t, err, "ValidationException", "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "+
		"Member must have length less than or equal to 4096")
	if _, err = c.client.Encrypt(ctx, &sdk.EncryptInput{KeyId: &oneID, Plaintext: make([]byte, 4096)}); err != nil {
		t.Error(err)
	}

	moved, err := c.client.ReEncrypt(ctx, &sdk.ReEncryptInput{CiphertextBlob: sealed.CiphertextBlob, SourceEncryptionContext: ec,
		DestinationKeyId: &two, DestinationEncryptionContext: map[string]string{"new": "context"}})
	if err != nil {
		t.Fatal(err)
	}
	if *moved.SourceKeyId != one || *moved.KeyId != two || len(*moved.SourceKeyMaterialId) != 64 || len(*moved.DestinationKeyMaterialId) != 64 {
		t.Errorf("re-encrypted %s", asJSON(moved))
	}
	opened, err := c.client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: moved.CiphertextBlob, EncryptionContext: map[string]string{"new": "context"}})
	if err != nil || string(opened.Plaintext) != "hello" || *opened.KeyId != two {
		t.Errorf("decrypted %s, %v", asJSON(opened), err)
	}

	for _, tt := range []struct {
		in   sdk.GenerateDataKeyInput
		size int
	}{
		{sdk.GenerateDataKeyInput{KeySpec: types.DataKeySpecAes256}, 32}, {sdk.GenerateDataKeyInput{KeySpec: types.DataKeySpecAes128}, 16},
		{sdk.GenerateDataKeyInput{NumberOfBytes: aws.Int32(1)}, 1}, {sdk.GenerateDataKeyInput{NumberOfBytes: aws.Int32(1024)}, 1024},
	} {
		tt.in.KeyId, tt.in.EncryptionContext = &alias, ec
		made, err := c.client.GenerateDataKey(ctx, &tt.in)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := c.client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: made.CiphertextBlob, EncryptionContext: ec})
		if err != nil || len(made.Plaintext) != tt.size || !bytes.Equal(opened.Plaintext, made.Plaintext) || *made.KeyId != one {
			t.Errorf("data key of %d bytes opens as %d: %v", len(made.Plaintext), tt.size, err)
		}
	}
	hidden, err := c.client.GenerateDataKeyWithoutPlaintext(ctx, &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &alias, KeySpec: types.DataKeySpecAes256})
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := c.client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: hidden.CiphertextBlob}); err != nil || len(opened.Plaintext) != 32 {
		t.Errorf("data key without plaintext: %v", err)
	}
	_, err = c.client.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: &alias})
	fails(t, err, "ValidationException", "Please specify either number of bytes or key spec.")
	_, err = c.client.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: &alias, NumberOfBytes: aws.Int32(0)})
	fails(t, err, "ValidationException", "1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: "+
		"Member must have value greater than or equal to 1")
	_, err = c.client.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: &alias, NumberOfBytes: aws.Int32(1025)})
	fails(t, err, "ValidationException", "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: "+
		"Member must have value less than or equal to 1024")

	// A ciphertext names its key itself: where the alias points does not matter.
	if _, err := c.client.UpdateAlias(ctx, &sdk.UpdateAliasInput{AliasName: &alias, TargetKeyId: &twoID}); err != nil {
		t.Fatal(err)
	}
	if opened, err := c.client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: ec}); err != nil || *opened.KeyId != one {
		t.Errorf("after the alias moved: %s, %v", asJSON(opened), err)
	}
}

func (c conformance) policies(t *testing.T) {
	ctx := t.Context()
	arn, id := c.key(t)
	accountID := strings.Split(arn, ":")[4]
	got, err := c.client.GetKeyPolicy(ctx, &sdk.GetKeyPolicyInput{KeyId: &id, PolicyName: aws.String("default")})
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Version, Id string
		Statement   []struct {
			Sid, Effect, Action, Resource string
			Principal                     map[string]string
		}
	}
	if err := json.Unmarshal([]byte(*got.Policy), &policy); err != nil {
		t.Fatal(err)
	}
	if s := policy.Statement; policy.Version != "2012-10-17" || policy.Id != "key-default-1" || len(s) != 1 ||
		s[0].Sid != "Enable IAM User Permissions" || s[0].Effect != "Allow" || s[0].Action != "kms:*" || s[0].Resource != "*" ||
		s[0].Principal["AWS"] != "arn:aws:iam::"+accountID+":root" || *got.PolicyName != "default" {
		t.Errorf("default policy %s", *got.Policy)
	}
	put := func(policy string) error {
		_, err := c.client.PutKeyPolicy(ctx, &sdk.PutKeyPolicyInput{KeyId: &id, Policy: &policy})
		return err
	}
	if err := put(*got.Policy); err != nil { // putting what is there already is how a fault rehearses its way back
		t.Error(err)
	}
	const malformed = "MalformedPolicyDocumentException"
	fails(t, put(strings.Replace(*got.Policy, ":root", ":role/loadkms-no-such-role", 1)), malformed,
		"Policy contains a statement with one or more invalid principals.")
	fails(t, put(strings.Replace(*got.Policy, "kms:*", "kms:Decrypt", 1)), malformed,
		"The new key policy will not allow you to update the key policy in the future.")
	fails(t, put(`{"Version":"2012-10-17","Statement":[]}`), malformed, "The new key policy will not allow you to update the key policy in the future.")
	fails(t, put(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`), malformed,
		"Policy contains a statement with no principal.")
	if after, err := c.client.GetKeyPolicy(ctx, &sdk.GetKeyPolicyInput{KeyId: &id}); err != nil || *after.Policy != *got.Policy {
		t.Errorf("a refused policy left its mark: %v, %v", after, err)
	}
	_, err = c.client.GetKeyPolicy(ctx, &sdk.GetKeyPolicyInput{KeyId: &id, PolicyName: aws.String("other")})
	fails(t, err, "NotFoundException", "No such policy exists")
}

func (c conformance) grants(t *testing.T) {
	ctx := t.Context()
	arn, id := c.key(t)
	accountID := strings.Split(arn, ":")[4]
	root := "arn:aws:iam::" + accountID + ":root"
	in := &sdk.CreateGrantInput{KeyId: &id, GranteePrincipal: &root, RetiringPrincipal: &root, Name: aws.String("loadkms"),
		Operations:  []types.GrantOperation{types.GrantOperationDecrypt, types.GrantOperationDescribeKey},
		Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}}
	first, err := c.client.CreateGrant(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.client.CreateGrant(ctx, in)
	if err != nil || *again.GrantId != *first.GrantId || *again.GrantToken == *first.GrantToken {
		t.Errorf("repeated: %s after %s, %v", asJSON(again), asJSON(first), err)
	}
	in.Name = nil
	other, err := c.client.CreateGrant(ctx, in)
	if err != nil || *other.GrantId == *first.GrantId {
		t.Errorf("without a name: %s after %s, %v", asJSON(other), asJSON(first), err)
	}
	count := 0
	for p := sdk.NewListGrantsPaginator(c.client, &sdk.ListGrantsInput{KeyId: &arn, Limit: aws.Int32(1)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range page.Grants {
			count++
			if *g.GrantId != *first.GrantId {
				continue
			}
			if *g.KeyId != arn || *g.Name != "loadkms" || *g.GranteePrincipal != root || *g.RetiringPrincipal != root || *g.IssuingAccount != root ||
				len(g.Operations) != 2 || g.Constraints.EncryptionContextSubset["a"] != "b" || g.Constraints.EncryptionContextEquals != nil {
				t.Errorf("grant %s", asJSON(g))
			}
		}
	}
	if count != 2 {
		t.Errorf("%d grants listed, want 2", count)
	}
	if one, err := c.client.ListGrants(ctx, &sdk.ListGrantsInput{KeyId: &id, GrantId: first.GrantId}); err != nil || len(one.Grants) != 1 {
		t.Errorf("by id: %s, %v", asJSON(one), err)
	}
	for _, g := range []*string{first.GrantId, other.GrantId} {
		if _, err := c.client.RevokeGrant(ctx, &sdk.RevokeGrantInput{KeyId: &id, GrantId: g}); err != nil {
			t.Error(err)
		}
	}
	_, err = c.client.RevokeGrant(ctx, &sdk.RevokeGrantInput{KeyId: &id, GrantId: first.GrantId})
	fails(t, err, "NotFoundException", "Grant ID "+*first.GrantId+" not found")
	_, err = c.client.CreateGrant(ctx, &sdk.CreateGrantInput{KeyId: &id, GranteePrincipal: aws.String("qldb.eu-west-2.amazonaws.com"),
		Operations: []types.GrantOperation{types.GrantOperationDecrypt}})
	fails(t, err, "InvalidArnException", "ARN does not refer to a valid principal…")
	_, err = c.client.CreateGrant(ctx, &sdk.CreateGrantInput{KeyId: &id, GranteePrincipal: &root, Operations: []types.GrantOperation{types.GrantOperationSign}})
	fails(t, err, "ValidationException", "Grant operation Sign…")
}

// errors are the texts of sections 1.2 and 1.3 of the reference.
func (c conformance) errors(t *testing.T) {
	ctx := t.Context()
	arn, id := c.key(t)
	prefix := strings.TrimSuffix(arn, id)
	alias := c.alias(t, id)
	const unknown = "1234abcd-12ab-34cd-56ef-1234567890ab"
	describe := func(key string) error {
		_, err := c.client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &key})
		return err
	}
	disable := func(key string) error {
		_, err := c.client.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &key})
		return err
	}
	create := func(alias, key string) error {
		_, err := c.client.CreateAlias(ctx, &sdk.CreateAliasInput{AliasName: &alias, TargetKeyId: &key})
		return err
	}
	tests := []struct {
		name          string
		err           error
		code, message string
	}{
		{"unknown id", describe(unknown), "NotFoundException", "Key '" + prefix + unknown + "' does not exist"},
		{"unknown ARN", describe(prefix + unknown), "NotFoundException", "Key '" + prefix + unknown + "' does not exist"},
		{"no UUID", describe("nonsense"), "NotFoundException", "Invalid keyId 'nonsense'"},
		{"UUID without dashes", describe(strings.ReplaceAll(id, "-", "")), "NotFoundException", "Invalid keyId '" + strings.ReplaceAll(id, "-", "") + "'"},
		{"bad multi-Region id", describe("mrk-123"), "NotFoundException", "Invalid keyId 'mrk-123'"},
		{"another Region", describe("arn:aws:kms:eu-north-1:" + account + ":key/" + unknown), "NotFoundException", "Invalid arn eu-north-1"},
		{"alias where only a key will do", disable(alias), "NotFoundException", "Invalid keyId '" + alias + "'"},
		{"alias without prefix", create("loadkms", id), "ValidationException",
			`Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html`},
		{"reserved alias", create("alias/aws/loadkms", id), "NotAuthorizedException", "UnknownError"}, // the SDK's word for no message
		{"alias to an alias", create("alias/loadkms-other", alias), "ValidationException", "Aliases must refer to keys. Not aliases"},
		{"alias with a space", create("alias/load kms", id), "ValidationException",
			"1 validation error detected: Value 'alias/load kms' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"},
		{"two mistakes", create(strings.Repeat("x", 257), ""), "ValidationException", "2 validation errors detected: …"},
		{"empty key id", describe(""), "ValidationException", "1 validation error detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { fails(t, tt.err, tt.code, tt.message) })
	}
	_, err := c.client.ListKeys(ctx, &sdk.ListKeysInput{Limit: aws.Int32(1001)})
	fails(t, err, "ValidationException", "1 validation error detected: Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000")
	_, err = c.client.ListKeys(ctx, &sdk.ListKeysInput{Marker: aws.String("nonsense")})
	fails(t, err, "InvalidMarkerException", "…")
	_, err = c.client.CreateKey(ctx, &sdk.CreateKeyInput{KeySpec: types.KeySpecRsa2048})
	fails(t, err, "ValidationException", "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	_, err = c.client.CreateKey(ctx, &sdk.CreateKeyInput{Origin: "MOON"})
	fails(t, err, "ValidationException", "1 validation error detected: Value 'MOON' at 'origin' failed to satisfy constraint: "+
		"Member must satisfy enum value set: [AWS_KMS, EXTERNAL, AWS_CLOUDHSM, EXTERNAL_KEY_STORE]")
	tag := func(k string) types.Tag { return types.Tag{TagKey: &k, TagValue: aws.String("v")} }
	_, err = c.client.CreateKey(ctx, &sdk.CreateKeyInput{Tags: []types.Tag{tag("a"), tag("a")}})
	fails(t, err, "TagException", "Duplicate tag keys")
	_, err = c.client.CreateKey(ctx, &sdk.CreateKeyInput{Tags: []types.Tag{tag("AWS:a")}})
	fails(t, err, "TagException", "Tags beginning with aws: are reserved")
	_, err = c.client.Encrypt(ctx, &sdk.EncryptInput{KeyId: &id, Plaintext: []byte("x"), EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha1})
	fails(t, err, "InvalidKeyUsageException", "…")
	for _, days := range []int32{6, 31} {
		_, err = c.client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: &days})
		fails(t, err, "ValidationException", "…")
	}
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
