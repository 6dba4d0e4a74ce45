package sandbox

import (
	"context"
	"fmt"
	"time"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

// anchor is as much of a cluster's certificate as the sandbox looks at.
const anchor = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

// stockVault makes a custom key store and connects it, with a key that has the policy of the stack's main
// key and the alias alias/qldb-kms-stored-STAGE. It blocks for Options.KeyStore of sandbox time.
func (s *Sandbox) stockVault(ctx context.Context, o Options, admin iam.Caller) error {
	main, err := s.kms.DescribeKey(admin, &kms.DescribeKeyRequest{KeyId: "alias/qldb-kms-" + o.Stage})
	if err != nil {
		return fmt.Errorf("find the main key: %w", err)
	}
	policy, err := s.kms.GetKeyPolicy(admin, &kms.GetKeyPolicyRequest{KeyId: main.KeyMetadata.Arn})
	if err != nil {
		return fmt.Errorf("read the main key's policy: %w", err)
	}
	store, err := s.kms.CreateCustomKeyStore(admin, &kms.CreateCustomKeyStoreRequest{CustomKeyStoreName: "qldb-kms-" + o.Stage,
		CloudHsmClusterId: "cluster-abcdefghijk", TrustAnchorCertificate: anchor, KeyStorePassword: "sandbox"})
	if err != nil {
		return err
	}
	if _, err := s.kms.ConnectCustomKeyStore(admin, &kms.CustomKeyStoreRequest{CustomKeyStoreId: store.CustomKeyStoreId}); err != nil {
		return err
	}
	delay := o.KeyStore
	if delay == 0 {
		delay = time.Minute // the default of package kms
	}
	if !s.clock.Sleep(ctx, delay+time.Second) {
		return ctx.Err()
	}
	key, err := s.kms.CreateKey(admin, &kms.CreateKeyRequest{Origin: "AWS_CLOUDHSM", CustomKeyStoreId: store.CustomKeyStoreId,
		Description: "QLDB Ledger CMK in a custom key store", Policy: policy.Policy})
	if err != nil {
		return err
	}
	return s.kms.CreateAlias(admin, &kms.CreateAliasRequest{AliasName: "alias/qldb-kms-stored-" + o.Stage, TargetKeyId: key.KeyMetadata.KeyId})
}
