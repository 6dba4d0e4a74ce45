package kms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/sandbox/kms"
)

const anchor = "-----BEGIN CERTIFICATE-----\nTm8gb25lIHJlYWRzIHRoaXMu\n-----END CERTIFICATE-----\n"

// newStore makes a custom key store in a cluster of its own and returns its id.
func newStore(t testing.TB, client *sdk.Client, n int) string {
	t.Helper()
	out, err := client.CreateCustomKeyStore(t.Context(), &sdk.CreateCustomKeyStoreInput{CustomKeyStoreName: aws.String(fmt.Sprint("store ", n)),
		CloudHsmClusterId: aws.String("cluster-abcdefghijk" + string(rune('a'+n))), KeyStorePassword: aws.String("correct horse"),
		TrustAnchorCertificate: aws.String(anchor)})
	if err != nil {
		t.Fatal(err)
	}
	return *out.CustomKeyStoreId
}

func describeStore(t testing.TB, client *sdk.Client, id string) types.CustomKeyStoresListEntry {
	t.Helper()
	out, err := client.DescribeCustomKeyStores(t.Context(), &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreId: &id})
	if err != nil || len(out.CustomKeyStores) != 1 {
		t.Fatalf("described %s, %v", asJSON(out), err)
	}
	return out.CustomKeyStores[0]
}

// TestStoreLife follows a custom key store and its keys from creation to deletion.
func TestStoreLife(t *testing.T) {
	r := rigOf(t, kms.Options{StoreDelay: 20 * time.Minute})
	ctx, client := t.Context(), r.client(someKey)
	id := newStore(t, client, 1)
	state := func(want types.ConnectionStateType) {
		t.Helper()
		if got := describeStore(t, client, id); got.ConnectionState != want {
			t.Fatalf("store is %s, want %s", asJSON(got), want)
		}
	}
	connect := func() error {
		_, err := client.ConnectCustomKeyStore(ctx, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id})
		return err
	}
	disconnect := func() error {
		_, err := client.DisconnectCustomKeyStore(ctx, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &id})
		return err
	}
	update := func(password string) error {
		_, err := client.UpdateCustomKeyStore(ctx, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, KeyStorePassword: &password})
		return err
	}
	remove := func() error {
		_, err := client.DeleteCustomKeyStore(ctx, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id})
		return err
	}
	newKey := func() (*types.KeyMetadata, error) {
		out, err := client.CreateKey(ctx, &sdk.CreateKeyInput{Origin: types.OriginTypeAwsCloudhsm, CustomKeyStoreId: &id})
		if err != nil {
			return nil, err
		}
		return out.KeyMetadata, nil
	}
	invalid := func(err error, state string) {
		t.Helper()
		fails(t, err, "CustomKeyStoreInvalidStateException", "The custom key store "+id+" is "+state+".")
	}
	good := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	state(types.ConnectionStateTypeDisconnected)
	_, err := newKey()
	invalid(err, "DISCONNECTED")
	invalid(disconnect(), "DISCONNECTED")
	good(connect())
	state(types.ConnectionStateTypeConnecting)
	good(connect()) // once more is fine
	_, err = newKey()
	invalid(err, "CONNECTING")
	invalid(update("correct horse"), "CONNECTING")
	invalid(remove(), "CONNECTING")
	r.clock.Advance(19 * time.Minute)
	state(types.ConnectionStateTypeConnecting)
	r.clock.Advance(2 * time.Minute)
	state(types.ConnectionStateTypeConnected)

	key, err := newKey()
	good(err)
	if key.Origin != types.OriginTypeAwsCloudhsm || aws.ToString(key.CustomKeyStoreId) != id || aws.ToString(key.CloudHsmClusterId) != "cluster-abcdefghijkb" ||
		key.CurrentKeyMaterialId != nil || !key.Enabled {
		t.Errorf("key %s", asJSON(key))
	}
	doomed, err := newKey()
	good(err)
	_, err = client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: doomed.KeyId, PendingWindowInDays: aws.Int32(7)})
	good(err)
	sealed, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: key.KeyId, Plaintext: []byte("x")})
	good(err)
	data, err := client.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: key.KeyId, KeySpec: types.DataKeySpecAes256})
	if err != nil || data.KeyMaterialId != nil {
		t.Errorf("data key %s, %v", asJSON(data), err)
	}
	if _, err := client.GenerateRandom(ctx, &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(8), CustomKeyStoreId: &id}); err != nil {
		t.Error(err)
	}
	invalid(remove(), "CONNECTED")

	opens := func() error {
		_, err := client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
		return err
	}
	keyState := func(key *types.KeyMetadata, want types.KeyState) {
		t.Helper()
		out, err := client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: key.KeyId})
		if err != nil || out.KeyMetadata.KeyState != want || out.KeyMetadata.Enabled != (want == types.KeyStateEnabled) {
			t.Errorf("key is %s, %v; want %s", asJSON(out), err, want)
		}
	}
	good(disconnect())
	state(types.ConnectionStateTypeDisconnecting)
	invalid(connect(), "DISCONNECTING")
	invalid(disconnect(), "DISCONNECTING")
	fails(t, opens(), "KMSInvalidStateException", *key.Arn+" is unavailable.")
	keyState(key, types.KeyStateUnavailable)
	keyState(doomed, types.KeyStatePendingDeletion)
	r.clock.Advance(21 * time.Minute)
	state(types.ConnectionStateTypeDisconnected)
	fails(t, opens(), "KMSInvalidStateException", *key.Arn+" is unavailable.")
	_, err = client.GenerateRandom(ctx, &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(8), CustomKeyStoreId: &id})
	invalid(err, "DISCONNECTED")
	fails(t, remove(), "CustomKeyStoreHasCMKsException", "The custom key store "+id+" has KMS keys.")

	// A disabled key stays unavailable, and is disabled when the store is back.
	_, err = client.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: key.KeyId})
	good(err)
	keyState(key, types.KeyStateUnavailable)

	// A wrong password lets the connection fail.
	good(update("battery staple"))
	good(connect())
	r.clock.Advance(21 * time.Minute)
	if got := describeStore(t, client, id); got.ConnectionState != types.ConnectionStateTypeFailed || got.ConnectionErrorCode != types.ConnectionErrorCodeTypeInvalidCredentials {
		t.Fatalf("store is %s", asJSON(got))
	}
	invalid(connect(), "FAILED")
	good(disconnect())
	r.clock.Advance(21 * time.Minute)
	good(update("correct horse"))
	good(connect())
	r.clock.Advance(21 * time.Minute)
	if got := describeStore(t, client, id); got.ConnectionState != types.ConnectionStateTypeConnected || got.ConnectionErrorCode != "" {
		t.Fatalf("store is %s", asJSON(got))
	}
	keyState(key, types.KeyStateDisabled)
	_, err = client.EnableKey(ctx, &sdk.EnableKeyInput{KeyId: key.KeyId})
	good(err)
	good(opens())

	// Without keys the store can go.
	_, err = client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: key.KeyId, PendingWindowInDays: aws.Int32(7)})
	good(err)
	r.clock.Advance(8 * day)
	good(disconnect())
	r.clock.Advance(21 * time.Minute)
	good(remove())
	_, err = client.DescribeCustomKeyStores(ctx, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreId: &id})
	fails(t, err, "CustomKeyStoreNotFoundException", "Custom key store "+id+" does not exist.")
	fails(t, connect(), "CustomKeyStoreNotFoundException", "Custom key store "+id+" does not exist.")
}

func TestStoreRefusals(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	id := newStore(t, client, 1)
	base := func(change func(*sdk.CreateCustomKeyStoreInput)) error {
		in := &sdk.CreateCustomKeyStoreInput{CustomKeyStoreName: aws.String("another"), CloudHsmClusterId: aws.String("cluster-zzzzzzzzzzz"),
			KeyStorePassword: aws.String("correct horse"), TrustAnchorCertificate: aws.String(anchor)}
		change(in)
		_, err := client.CreateCustomKeyStore(ctx, in)
		return err
	}
	tests := []struct {
		name          string
		change        func(*sdk.CreateCustomKeyStoreInput)
		code, message string
	}{
		{"no cluster", func(in *sdk.CreateCustomKeyStoreInput) { in.CloudHsmClusterId = nil }, "ValidationException", "CloudHsmClusterId, TrustAnchorCertificate and …"},
		{"short password", func(in *sdk.CreateCustomKeyStoreInput) { in.KeyStorePassword = aws.String("secret") }, "ValidationException",
			"1 validation error detected: Value at 'keyStorePassword' failed to satisfy constraint: Member must have length between 7 and 32"},
		{"external", func(in *sdk.CreateCustomKeyStoreInput) {
			in.CustomKeyStoreType = types.CustomKeyStoreTypeExternalKeyStore
		}, "UnsupportedOperationException", "the sandbox does not have custom key stores of the type EXTERNAL_KEY_STORE yet"},
		{"cluster that cannot be", func(in *sdk.CreateCustomKeyStoreInput) { in.CloudHsmClusterId = aws.String("cluster-00000000000") },
			"CloudHsmClusterNotFoundException", "The cluster cluster-00000000000 does not exist."},
		{"no certificate", func(in *sdk.CreateCustomKeyStoreInput) { in.TrustAnchorCertificate = aws.String("x") }, "IncorrectTrustAnchorException", "The trust anchor certificate is not that of …"},
		{"name in use", func(in *sdk.CreateCustomKeyStoreInput) { in.CustomKeyStoreName = aws.String("store 1") },
			"CustomKeyStoreNameInUseException", "The custom key store name store 1 is in use."},
		{"cluster in use", func(in *sdk.CreateCustomKeyStoreInput) { in.CloudHsmClusterId = aws.String("cluster-abcdefghijkb") },
			"CloudHsmClusterInUseException", "The cluster cluster-abcdefghijkb is in use by another custom key store."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { fails(t, base(tt.change), tt.code, tt.message) })
	}
	for n := 2; n <= 10; n++ {
		newStore(t, client, n)
	}
	fails(t, base(func(*sdk.CreateCustomKeyStoreInput) {}), "LimitExceededException", "The limit of 10 custom key stores has been reached.")
	_, err := client.UpdateCustomKeyStore(ctx, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, CloudHsmClusterId: aws.String("cluster-zzzzzzzzzzz")})
	fails(t, err, "CloudHsmClusterNotRelatedException", "The cluster cluster-zzzzzzzzzzz does not share …")
	_, err = client.UpdateCustomKeyStore(ctx, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, NewCustomKeyStoreName: aws.String("store 2")})
	fails(t, err, "CustomKeyStoreNameInUseException", "The custom key store name store 2 is in use.")
	if _, err := client.UpdateCustomKeyStore(ctx, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, NewCustomKeyStoreName: aws.String("renamed")}); err != nil {
		t.Error(err)
	}
	if got := describeStore(t, client, id); *got.CustomKeyStoreName != "renamed" {
		t.Errorf("store %s", asJSON(got))
	}
	p := sdk.NewDescribeCustomKeyStoresPaginator(client, &sdk.DescribeCustomKeyStoresInput{Limit: aws.Int32(4)})
	pages, seen := 0, map[string]bool{}
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, st := range out.CustomKeyStores {
			seen[*st.CustomKeyStoreId] = true
		}
	}
	if pages != 3 || len(seen) != 10 {
		t.Errorf("%d pages with %d stores, want 3 with 10", pages, len(seen))
	}
	if out, err := client.DescribeCustomKeyStores(ctx, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreName: aws.String("renamed")}); err != nil ||
		len(out.CustomKeyStores) != 1 || *out.CustomKeyStores[0].CustomKeyStoreId != id {
		t.Errorf("by name: %s, %v", asJSON(out), err)
	}
	if _, _, body := r.post(t, "TrentService.ConnectCustomKeyStore", `{"CustomKeyStoreId":"`+id+`"}`); body != "{}" {
		t.Errorf("ConnectCustomKeyStore answers %q, want {}", body)
	}
}

func TestMultiRegion(t *testing.T) {
	r := newRig(t)
	ctx, client := t.Context(), r.client(someKey)
	made, err := client.CreateKey(ctx, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	m := made.KeyMetadata
	if !aws.ToBool(m.MultiRegion) || len(*m.KeyId) != 36 || (*m.KeyId)[:4] != "mrk-" || *m.Arn != "arn:aws:kms:eu-west-2:123456789012:key/"+*m.KeyId ||
		m.MultiRegionConfiguration == nil || m.MultiRegionConfiguration.MultiRegionKeyType != types.MultiRegionKeyTypePrimary ||
		*m.MultiRegionConfiguration.PrimaryKey.Arn != *m.Arn || *m.MultiRegionConfiguration.PrimaryKey.Region != region ||
		len(m.MultiRegionConfiguration.ReplicaKeys) != 0 {
		t.Errorf("made %s", asJSON(m))
	}
	sealed, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: m.KeyId, Plaintext: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []*string{nil, m.KeyId, m.Arn} {
		if out, err := client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, KeyId: key}); err != nil || *out.KeyId != *m.Arn {
			t.Errorf("opened %s, %v", asJSON(out), err)
		}
	}
	if _, err := client.CreateAlias(ctx, &sdk.CreateAliasInput{AliasName: aws.String("alias/everywhere"), TargetKeyId: m.KeyId}); err != nil {
		t.Fatal(err)
	}
	if out, err := client.ListAliases(ctx, &sdk.ListAliasesInput{KeyId: m.KeyId}); err != nil || len(out.Aliases) != 1 || *out.Aliases[0].TargetKeyId != *m.KeyId {
		t.Errorf("aliases %s, %v", asJSON(out), err)
	}
	_, err = client.ReplicateKey(ctx, &sdk.ReplicateKeyInput{KeyId: m.KeyId, ReplicaRegion: aws.String("us-east-1")})
	fails(t, err, "UnsupportedOperationException", "the sandbox is the one Region eu-west-2 and has no us-east-1")
	_, err = client.UpdatePrimaryRegion(ctx, &sdk.UpdatePrimaryRegionInput{KeyId: m.KeyId, PrimaryRegion: aws.String("us-east-1")})
	fails(t, err, "UnsupportedOperationException", "the sandbox is the one Region eu-west-2 and has no us-east-1")
	_, err = client.UpdatePrimaryRegion(ctx, &sdk.UpdatePrimaryRegionInput{KeyId: m.KeyId, PrimaryRegion: aws.String(region)})
	fails(t, err, "ValidationException", "eu-west-2 is already the Region of "+*m.Arn+".")
	_, err = client.ReplicateKey(ctx, &sdk.ReplicateKeyInput{KeyId: m.KeyId, ReplicaRegion: aws.String("London")})
	fails(t, err, "ValidationException", "1 validation error detected: Value 'London' at 'replicaRegion' failed to satisfy constraint: …")
	arn, id := r.newKey(t, kms.CreateKeyRequest{})
	_, err = client.ReplicateKey(ctx, &sdk.ReplicateKeyInput{KeyId: &id, ReplicaRegion: aws.String("us-east-1")})
	fails(t, err, "UnsupportedOperationException", arn+" is not a multi-Region key.")
}
