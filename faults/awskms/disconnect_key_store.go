package awskms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/faults"
	"loadkms/scenarios"
)

// disconnectKeyStore is the connection of a custom key store to its cluster, and so all of its keys. Its
// state is the ConnectionState that DescribeCustomKeyStores shows.
type disconnectKeyStore struct {
	cloud *Cloud
	spec  spec
}

var (
	_ faults.Target  = (*disconnectKeyStore)(nil)
	_ faults.Slow    = (*disconnectKeyStore)(nil)
	_ faults.Needy   = (*disconnectKeyStore)(nil)
	_ faults.Witness = (*disconnectKeyStore)(nil)
)

// longestConnect is how long a connection may take, either way: AWS says up to 20 minutes, and a
// restore may have to wait for the end of the disconnecting first.
const longestConnect = 40 * time.Minute

func (c *Cloud) resolveDisconnectKeyStore(ctx context.Context, f *scenarios.Fault, s *spec) error {
	pos := f.KeyStore.Pos
	var store *types.CustomKeyStoresListEntry
	if f.KeyStore.IsZero() {
		pos = f.Key.Pos
		key, err := c.resolveKey(ctx, f.Key)
		if err != nil {
			return err
		}
		if key.CustomKeyStoreId == nil {
			return placed{fmt.Errorf("key %s is in no custom key store: its material is of origin %s", *key.KeyId, key.Origin), pos}
		}
		s.Key = *key.Arn
		if store, err = c.keyStore(ctx, &kms.DescribeCustomKeyStoresInput{CustomKeyStoreId: key.CustomKeyStoreId}); err != nil {
			return placed{err, pos}
		}
	} else {
		name, err := c.expand(f.KeyStore)
		if err != nil {
			return err
		}
		store, err = c.keyStore(ctx, &kms.DescribeCustomKeyStoresInput{CustomKeyStoreId: &name})
		if refusedAs(err, "CustomKeyStoreNotFoundException") {
			store, err = c.keyStore(ctx, &kms.DescribeCustomKeyStoresInput{CustomKeyStoreName: &name})
		}
		if refusedAs(err, "CustomKeyStoreNotFoundException") {
			err = &callError{fmt.Sprintf("no custom key store %q in %s of account %s", name, c.region, c.account), err}
		}
		if err != nil {
			return placed{err, pos}
		}
	}
	s.KeyStore = *store.CustomKeyStoreId
	switch state := store.ConnectionState; state {
	case types.ConnectionStateTypeConnected:
		return nil
	case types.ConnectionStateTypeFailed:
		return placed{fmt.Errorf("custom key store %s is FAILED (%s): what cannot be connected now would not be afterwards", s.KeyStore,
			store.ConnectionErrorCode), pos}
	default:
		return placed{fmt.Errorf("custom key store %s is %s: only one that is CONNECTED can be disconnected and connected again", s.KeyStore, state), pos}
	}
}

func (c *Cloud) keyStore(ctx context.Context, in *kms.DescribeCustomKeyStoresInput) (*types.CustomKeyStoresListEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := c.kms.DescribeCustomKeyStores(ctx, in)
	what := "describe custom key store " + aws.ToString(in.CustomKeyStoreId) + aws.ToString(in.CustomKeyStoreName)
	if err != nil {
		return nil, c.explain(what, c.endpoints.KMS, err)
	}
	if len(out.CustomKeyStores) != 1 || out.CustomKeyStores[0].CustomKeyStoreId == nil {
		return nil, fmt.Errorf("%s: %s answered with %d of them", what, c.place(c.endpoints.KMS), len(out.CustomKeyStores))
	}
	return &out.CustomKeyStores[0], nil
}

// ID is made up in the form of an ARN: custom key stores have none.
func (d *disconnectKeyStore) ID() string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:custom-key-store/%s#connection", d.spec.Region, d.spec.Account, d.spec.KeyStore)
}
func (d *disconnectKeyStore) Spec() json.RawMessage { return d.spec.raw() }

// Needs says that the state of the key by which the store was named depends on it; which other keys are in
// the store is not asked.
func (d *disconnectKeyStore) Needs() []string {
	if d.spec.Key == "" {
		return nil
	}
	return []string{d.spec.Key + "#state"}
}

func (d *disconnectKeyStore) look(ctx context.Context) (*types.CustomKeyStoresListEntry, error) {
	return d.cloud.keyStore(ctx, &kms.DescribeCustomKeyStoresInput{CustomKeyStoreId: &d.spec.KeyStore})
}

func (d *disconnectKeyStore) Observe(ctx context.Context) (faults.State, error) {
	store, err := d.look(ctx)
	if err != nil {
		return nil, err
	}
	return faults.State(store.ConnectionState), nil
}

// UnderWay tells the bracket to be patient with a store that is on its way.
func (d *disconnectKeyStore) UnderWay(now, _ faults.State) time.Duration {
	switch types.ConnectionStateType(now) {
	case types.ConnectionStateTypeConnecting, types.ConnectionStateTypeDisconnecting:
		return longestConnect
	}
	return 0
}

func (d *disconnectKeyStore) Break(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := d.cloud.kms.DisconnectCustomKeyStore(ctx, &kms.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &d.spec.KeyStore}); err != nil {
		return d.cloud.explain("disconnect custom key store", d.cloud.endpoints.KMS, err)
	}
	return nil
}

// Restore connects the store. Connecting one that is CONNECTED, or about to be, is accepted and changes
// nothing, so the rehearsal proves the permission. One that is DISCONNECTING takes no call: the error
// makes the bracket ask again. One whose connecting FAILED needs a person, and the error says why.
func (d *disconnectKeyStore) Restore(ctx context.Context, prior faults.State) error {
	if types.ConnectionStateType(prior) != types.ConnectionStateTypeConnected {
		return fmt.Errorf("no call can make a custom key store %q", prior)
	}
	store, err := d.look(ctx)
	if err != nil {
		return err
	}
	switch store.ConnectionState {
	case types.ConnectionStateTypeDisconnecting:
		return errors.New("custom key store is DISCONNECTING, which passes")
	case types.ConnectionStateTypeFailed:
		return fmt.Errorf("connecting the custom key store failed: %s", store.ConnectionErrorCode)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := d.cloud.kms.ConnectCustomKeyStore(ctx, &kms.ConnectCustomKeyStoreInput{CustomKeyStoreId: &d.spec.KeyStore}); err != nil {
		return d.cloud.explain("connect custom key store", d.cloud.endpoints.KMS, err)
	}
	return nil
}

func (d *disconnectKeyStore) ByHand(faults.State) string {
	return d.cloud.command(d.cloud.endpoints.KMS, "kms", "connect-custom-key-store", "--custom-key-store-id", d.spec.KeyStore)
}

// Witness tells of the ledger that is watched, if there is one.
func (d *disconnectKeyStore) Witness(ctx context.Context) (string, error) {
	return d.cloud.watch(ctx, d.spec.Watch)
}
