package sandbox_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/sandbox"
)

// The vault's key is of use from the start, to those who may use the main key.
func TestVault(t *testing.T) {
	box := sandbox.RunT(t, sandbox.Options{Vault: true, Speed: 600})
	client := kms.NewFromConfig(aws.Config{Region: "eu-west-2", Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")},
		func(k *kms.Options) { k.BaseEndpoint = aws.String(box.AWSURL()) })
	policy := func(alias string) (string, *types.KeyMetadata) {
		key, err := client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &alias})
		if err != nil {
			t.Fatal(err)
		}
		out, err := client.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: key.KeyMetadata.Arn})
		if err != nil {
			t.Fatal(err)
		}
		return *out.Policy, key.KeyMetadata
	}
	want, _ := policy("alias/qldb-kms-poc")
	got, key := policy("alias/qldb-kms-stored-poc")
	if key.KeyState != types.KeyStateEnabled || key.Origin != types.OriginTypeAwsCloudhsm || got != want {
		t.Errorf("%s of origin %s, policy\n%s, want\n%s", key.KeyState, key.Origin, got, want)
	}
}
