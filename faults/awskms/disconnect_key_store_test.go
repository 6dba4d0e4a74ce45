package awskms_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/faults"
	"loadkms/sandbox"
	"loadkms/scenarios"
)

// anchor is as much of a certificate as the sandbox looks at.
const anchor = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

// stored makes a key in a custom key store that is connected.
func (f *field) stored(t *testing.T) (store, key string) {
	t.Helper()
	out, err := f.kms.CreateCustomKeyStore(t.Context(), &kms.CreateCustomKeyStoreInput{CustomKeyStoreName: aws.String("vault"),
		CloudHsmClusterId: aws.String("cluster-abcdefghijk"), KeyStorePassword: aws.String("correct horse"), TrustAnchorCertificate: aws.String(anchor)})
	if err != nil {
		t.Fatal(err)
	}
	store = *out.CustomKeyStoreId
	if _, err := f.kms.ConnectCustomKeyStore(t.Context(), &kms.ConnectCustomKeyStoreInput{CustomKeyStoreId: &store}); err != nil {
		t.Fatal(err)
	}
	f.becomes(t, store, types.ConnectionStateTypeConnected)
	made, err := f.kms.CreateKey(t.Context(), &kms.CreateKeyInput{Origin: types.OriginTypeAwsCloudhsm, CustomKeyStoreId: &store})
	if err != nil {
		t.Fatal(err)
	}
	return store, *made.KeyMetadata.KeyId
}

// becomes waits until a store has reached a state.
func (f *field) becomes(t *testing.T, store string, want types.ConnectionStateType) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		out, err := f.kms.DescribeCustomKeyStores(t.Context(), &kms.DescribeCustomKeyStoresInput{CustomKeyStoreId: &store})
		if err != nil {
			t.Fatal(err)
		}
		if out.CustomKeyStores[0].ConnectionState == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still %s, want %s", store, out.CustomKeyStores[0].ConnectionState, want)
		}
	}
}

func disconnect(key, store string) *scenarios.Fault {
	f := &scenarios.Fault{Pos: text("").Pos, Do: scenarios.DisconnectKeyStore}
	if key != "" {
		f.Key = text(key)
	}
	if store != "" {
		f.KeyStore = text(store)
	}
	return f
}

// storeField is a sandbox whose stores take a tenth of a second to come and go.
func storeField(t *testing.T) *field {
	return newField(t, sandbox.Options{Speed: 600, LedgerUpdate: 12 * time.Second, KeyStore: time.Minute})
}

// Through the bracket, in another process, and by hand; named by key, id and name.
func TestDisconnectKeyStore(t *testing.T) {
	noAWS(t)
	f := storeField(t)
	store, key := f.stored(t)
	for _, fault := range []*scenarios.Fault{disconnect(key, ""), disconnect("", store), disconnect("", "vault")} {
		target := f.resolve(t, fault)
		if want := "arn:aws:kms:eu-west-2:123456789012:custom-key-store/" + store + "#connection"; target.ID() != want {
			t.Errorf("ID %s, want %s", target.ID(), want)
		}
		journal, err := faults.OpenJournal(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer journal.Release()
		err = faults.Bracket{Journal: journal, Settle: time.Millisecond}.Inject(t.Context(), target, func(context.Context) error {
			if got := f.keyState(t, key); got != "Unavailable" {
				t.Errorf("while broken: %s", got)
			}
			return nil // while it is DISCONNECTING: the restore has to wait for that
		})
		if err != nil {
			t.Error(err)
		}
		if got := f.keyState(t, key); got != "Enabled" {
			t.Errorf("afterwards: %s", got)
		}
	}
	target := f.resolve(t, disconnect(key, ""))
	prior, err := target.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range []struct {
		name    string
		restore func(t *testing.T)
	}{
		{"another process", func(t *testing.T) {
			again, err := lookup(t, target)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Restore(t.Context(), prior); err != nil {
				t.Fatal(err)
			}
			if now, err := again.Observe(t.Context()); err != nil || string(now) == string(prior) || again.(faults.Slow).UnderWay(now, prior) == 0 {
				t.Errorf("%s while it is connecting, error %v", now, err)
			}
		}},
		{"by hand", func(t *testing.T) { byHand(t, target.ByHand(prior)) }},
	} {
		t.Run(way.name, func(t *testing.T) {
			if err := target.Break(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := target.Restore(t.Context(), prior); err == nil || !strings.Contains(err.Error(), "DISCONNECTING, which passes") {
				t.Errorf("error %v", err)
			}
			f.becomes(t, store, types.ConnectionStateTypeDisconnected)
			way.restore(t)
			f.becomes(t, store, types.ConnectionStateTypeConnected)
		})
	}
	if err := target.Restore(t.Context(), faults.State("CONNECTING")); err == nil {
		t.Error("restored a state that is none")
	}
}

func TestDisconnectKeyStoreRefuses(t *testing.T) {
	f := storeField(t)
	store, key := f.stored(t)
	refused := func(name, want string, fault *scenarios.Fault) {
		t.Helper()
		_, err := f.cloud.Resolve(t.Context(), fault)
		if want += ", at a.yaml:12:10"; err == nil || constant(err.Error()) != want {
			t.Errorf("%s: error\n %v, want\n %s", name, err, want)
		}
	}
	refused("no such store", `no custom key store "nope" in eu-west-2 of account 123456789012`, disconnect("", "nope"))
	refused("a key of KMS's own", "key UUID is in no custom key store: its material is of origin AWS_KMS", disconnect("{{ stack.mainKeyID }}", ""))
	// The role may describe the key, and nothing in the account.
	role := f.asRole(t, f.outputs["noAccessKeyID"], "kms:DescribeKey")
	f.refusesBeforeBreaking(t, role, disconnect("", store), "kms:DescribeCustomKeyStores")

	target := f.resolve(t, disconnect(key, ""))
	if err := target.Break(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.becomes(t, store, types.ConnectionStateTypeDisconnected)
	refused("disconnected", "custom key store "+store+" is DISCONNECTED: only one that is CONNECTED can be disconnected and connected again",
		disconnect("", store))
	// With a password that is wrong it cannot be connected: neither to break it, nor to restore it.
	if _, err := f.kms.UpdateCustomKeyStore(t.Context(), &kms.UpdateCustomKeyStoreInput{CustomKeyStoreId: &store, KeyStorePassword: aws.String("wrong horse")}); err != nil {
		t.Fatal(err)
	}
	if err := target.Restore(t.Context(), faults.State("CONNECTED")); err != nil {
		t.Fatal(err)
	}
	f.becomes(t, store, types.ConnectionStateTypeFailed)
	refused("failed", "custom key store "+store+" is FAILED (INVALID_CREDENTIALS): what cannot be connected now would not be afterwards", disconnect("", store))
	if err := target.Restore(t.Context(), faults.State("CONNECTED")); err == nil || !strings.Contains(err.Error(), "failed: INVALID_CREDENTIALS") {
		t.Errorf("error %v", err)
	}
}
