package kms_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"loadkms/sandbox/kms"
)

// refusal is the code of an error of the service, or "" for none.
func refusal(err error) string {
	var e *kms.Error
	if errors.As(err, &e) {
		return e.Code + ": " + e.Message
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// The answers of the table "Key states of AWS KMS keys", by the numbers of its notes in our reference.
// %[1]s is the key's ARN.
var stateAnswers = map[string]string{
	"Y":  "",
	"1":  "DisabledException: %[1]s is disabled.",
	"3":  "KMSInvalidStateException: %[1]s is pending deletion.",
	"4":  "KMSInvalidStateException: %[1]s is not pending deletion.",
	"5":  "KMSInvalidStateException: %[1]s is pending import.",
	"6":  "UnsupportedOperationException: %[1]s origin is EXTERNAL which is not valid for this operation.",
	"7":  "UnsupportedOperationException: %[1]s origin is AWS_CLOUDHSM which is not valid for this operation.",
	"9":  "UnsupportedOperationException: %[1]s origin is AWS_KMS which is not valid for this operation.",
	"11": "KMSInvalidStateException: %[1]s is unavailable.",
	"U":  "UnsupportedOperationException: ",
	// The sandbox's own: it is one Region.
	"R": "UnsupportedOperationException: the sandbox is the one Region eu-west-2 and has no us-east-1",
}

// stateWorld is a key in some state, and what the operations on it need.
type stateWorld struct {
	*rig
	arn, id, other, alias, store, grant string
	blob, otherBlob, signature, mac     []byte
	peer, capsule                       []byte
	secret                              []byte // of an imported key
}

// stateKinds are the kinds of keys that differ in the table, with the states they can be in.
var stateKinds = map[string]struct {
	spec, usage, origin string
	multiRegion         bool
	states              []kms.State
}{
	"symmetric":    {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", false, []kms.State{kms.Enabled, kms.Disabled, kms.PendingDeletion}},
	"imported":     {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EXTERNAL", false, []kms.State{kms.Enabled, kms.Disabled, kms.PendingDeletion, kms.PendingImport}},
	"in a store":   {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_CLOUDHSM", false, []kms.State{kms.Enabled, kms.Disabled, kms.PendingDeletion, kms.Unavailable}},
	"multi-Region": {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", true, []kms.State{kms.Enabled, kms.Disabled, kms.PendingDeletion}},
	"signing":      {"ECC_NIST_P256", "SIGN_VERIFY", "EXTERNAL", false, []kms.State{kms.Enabled, kms.Disabled, kms.PendingDeletion, kms.PendingImport}},
	"agreement":    {"ECC_NIST_P256", "KEY_AGREEMENT", "EXTERNAL", false, []kms.State{kms.Enabled, kms.Disabled, kms.PendingDeletion, kms.PendingImport}},
	"HMAC":         {"HMAC_256", "GENERATE_VERIFY_MAC", "EXTERNAL", false, []kms.State{kms.Enabled, kms.Disabled, kms.PendingDeletion, kms.PendingImport}},
	"ML-KEM":       {"ML_KEM_768", "ENCAPSULATE_DECAPSULATE", "EXTERNAL", false, []kms.State{kms.Enabled, kms.Disabled, kms.PendingDeletion, kms.PendingImport}},
}

// TestKeyStates is the table "Key states of AWS KMS keys" for every operation on a key, kind of key and
// state: what each operation answers, and that a refusal changes nothing.
func TestKeyStates(t *testing.T) {
	seven := int32(7)
	// want is what the operation answers a symmetric key, one with imported material and one in a custom
	// key store, each in the order of the kind's states.
	type row struct {
		op   string
		want map[string]string
		do   func(w *stateWorld) error
	}
	all := func(symmetric, imported, store string) map[string]string {
		return map[string]string{"symmetric": symmetric, "imported": imported, "in a store": store}
	}
	crypto := all("Y 1 3", "Y 1 3 5", "Y 1 3 11")
	always := all("Y Y Y", "Y Y Y Y", "Y Y Y Y")
	change := all("Y Y 3", "Y Y 3 Y", "Y Y 3 Y")
	of := func(kind, want string) map[string]string { return map[string]string{kind: want} }
	tests := []row{
		{"Encrypt", crypto, func(w *stateWorld) error {
			_, err := w.Encrypt(w.admin, &kms.EncryptRequest{KeyId: w.arn, Plaintext: []byte("x")})
			return err
		}},
		{"Encrypt by alias", crypto, func(w *stateWorld) error {
			_, err := w.Encrypt(w.admin, &kms.EncryptRequest{KeyId: w.alias, Plaintext: []byte("x")})
			return err
		}},
		{"Decrypt", crypto, func(w *stateWorld) error {
			_, err := w.Decrypt(w.admin, &kms.DecryptRequest{CiphertextBlob: w.blob})
			return err
		}},
		{"Decrypt with KeyId", crypto, func(w *stateWorld) error {
			_, err := w.Decrypt(w.admin, &kms.DecryptRequest{CiphertextBlob: w.blob, KeyId: w.arn})
			return err
		}},
		{"ReEncrypt from", crypto, func(w *stateWorld) error {
			_, err := w.ReEncrypt(w.admin, &kms.ReEncryptRequest{CiphertextBlob: w.blob, DestinationKeyId: w.other})
			return err
		}},
		{"ReEncrypt to", crypto, func(w *stateWorld) error {
			_, err := w.ReEncrypt(w.admin, &kms.ReEncryptRequest{CiphertextBlob: w.otherBlob, DestinationKeyId: w.arn})
			return err
		}},
		{"GenerateDataKey", crypto, func(w *stateWorld) error {
			_, err := w.GenerateDataKey(w.admin, &kms.GenerateDataKeyRequest{KeyId: w.arn, KeySpec: "AES_256"})
			return err
		}},
		{"GenerateDataKeyWithoutPlaintext", crypto, func(w *stateWorld) error {
			_, err := w.GenerateDataKeyWithoutPlaintext(w.admin, &kms.GenerateDataKeyRequest{KeyId: w.arn, KeySpec: "AES_256"})
			return err
		}},
		{"GenerateDataKeyPair", crypto, func(w *stateWorld) error {
			_, err := w.GenerateDataKeyPair(w.admin, &kms.GenerateDataKeyPairRequest{KeyId: w.arn, KeyPairSpec: "ECC_NIST_P256"})
			return err
		}},
		{"GenerateDataKeyPairWithoutPlaintext", crypto, func(w *stateWorld) error {
			_, err := w.GenerateDataKeyPairWithoutPlaintext(w.admin, &kms.GenerateDataKeyPairRequest{KeyId: w.arn, KeyPairSpec: "ECC_NIST_P256"})
			return err
		}},
		{"Sign", of("signing", "Y 1 3 5"), func(w *stateWorld) error {
			_, err := w.Sign(w.admin, &kms.SignRequest{KeyId: w.arn, Message: []byte("x"), SigningAlgorithm: "ECDSA_SHA_256"})
			return err
		}},
		{"Verify", of("signing", "Y 1 3 5"), func(w *stateWorld) error {
			_, err := w.Verify(w.admin, &kms.VerifyRequest{KeyId: w.arn, Message: []byte("x"), Signature: w.signature, SigningAlgorithm: "ECDSA_SHA_256"})
			return err
		}},
		{"GetPublicKey", of("signing", "Y 1 3 5"), func(w *stateWorld) error {
			_, err := w.GetPublicKey(w.admin, &kms.GetPublicKeyRequest{KeyId: w.arn})
			return err
		}},
		{"GenerateMac", of("HMAC", "Y 1 3 5"), func(w *stateWorld) error {
			_, err := w.GenerateMac(w.admin, &kms.GenerateMacRequest{KeyId: w.arn, Message: []byte("x"), MacAlgorithm: "HMAC_SHA_256"})
			return err
		}},
		{"VerifyMac", of("HMAC", "Y 1 3 5"), func(w *stateWorld) error {
			_, err := w.VerifyMac(w.admin, &kms.VerifyMacRequest{KeyId: w.arn, Message: []byte("x"), Mac: w.mac, MacAlgorithm: "HMAC_SHA_256"})
			return err
		}},
		{"DeriveSharedSecret", of("agreement", "Y 1 3 5"), func(w *stateWorld) error {
			_, err := w.DeriveSharedSecret(w.admin, &kms.DeriveSharedSecretRequest{KeyId: w.arn, PublicKey: w.peer, KeyAgreementAlgorithm: "ECDH"})
			return err
		}},
		{"Encapsulate", of("ML-KEM", "Y 1 3 5"), func(w *stateWorld) error {
			_, err := w.Encapsulate(w.admin, &kms.EncapsulateRequest{KeyId: w.arn, EncapsulationAlgorithm: "ML_KEM"})
			return err
		}},
		{"Decapsulate", of("ML-KEM", "Y 1 3 5"), func(w *stateWorld) error {
			_, err := w.Decapsulate(w.admin, &kms.DecapsulateRequest{KeyId: w.arn, SharedSecretCiphertextBlob: w.capsule, EncapsulationAlgorithm: "ML_KEM"})
			return err
		}},
		{"CreateGrant", all("Y 1 3", "Y 1 3 5", "Y 1 3 Y"), func(w *stateWorld) error {
			_, err := w.CreateGrant(w.admin, &kms.CreateGrantRequest{KeyId: w.arn, GranteePrincipal: w.admin.Principal, Operations: []string{"Decrypt"}})
			return err
		}},
		{"DescribeKey", always, func(w *stateWorld) error {
			_, err := w.DescribeKey(w.admin, &kms.DescribeKeyRequest{KeyId: w.arn})
			return err
		}},
		{"GetKeyPolicy", always, func(w *stateWorld) error {
			_, err := w.GetKeyPolicy(w.admin, &kms.GetKeyPolicyRequest{KeyId: w.arn})
			return err
		}},
		{"PutKeyPolicy", always, func(w *stateWorld) error {
			now, err := w.GetKeyPolicy(w.admin, &kms.GetKeyPolicyRequest{KeyId: w.arn})
			if err != nil {
				return err
			}
			return w.PutKeyPolicy(w.admin, &kms.PutKeyPolicyRequest{KeyId: w.arn, Policy: now.Policy})
		}},
		{"ListKeyPolicies", always, func(w *stateWorld) error {
			_, err := w.ListKeyPolicies(w.admin, &kms.ListKeyPoliciesRequest{KeyId: w.arn})
			return err
		}},
		{"ListGrants", always, func(w *stateWorld) error {
			_, err := w.ListGrants(w.admin, &kms.ListGrantsRequest{KeyId: w.arn})
			return err
		}},
		{"RevokeGrant", always, func(w *stateWorld) error {
			return w.RevokeGrant(w.admin, &kms.RevokeGrantRequest{KeyId: w.arn, GrantId: w.grant})
		}},
		{"RetireGrant", always, func(w *stateWorld) error {
			return w.RetireGrant(w.admin, &kms.RetireGrantRequest{KeyId: w.arn, GrantId: w.grant})
		}},
		{"ListResourceTags", always, func(w *stateWorld) error {
			_, err := w.ListResourceTags(w.admin, &kms.ListResourceTagsRequest{KeyId: w.arn})
			return err
		}},
		{"ListAliases", always, func(w *stateWorld) error {
			_, err := w.ListAliases(w.admin, &kms.ListAliasesRequest{KeyId: w.arn})
			return err
		}},
		{"GetKeyLastUsage", always, func(w *stateWorld) error {
			_, err := w.GetKeyLastUsage(w.admin, &kms.GetKeyLastUsageRequest{KeyId: w.arn})
			return err
		}},
		{"DeleteAlias", always, func(w *stateWorld) error {
			return w.DeleteAlias(w.admin, &kms.DeleteAliasRequest{AliasName: w.alias})
		}},
		{"CreateAlias", change, func(w *stateWorld) error {
			return w.CreateAlias(w.admin, &kms.CreateAliasRequest{AliasName: "alias/new", TargetKeyId: w.arn})
		}},
		{"UpdateAlias away from the key", always, func(w *stateWorld) error {
			return w.UpdateAlias(w.admin, &kms.UpdateAliasRequest{AliasName: w.alias, TargetKeyId: w.other})
		}},
		{"UpdateAlias to the key", change, func(w *stateWorld) error {
			return w.UpdateAlias(w.admin, &kms.UpdateAliasRequest{AliasName: "alias/other", TargetKeyId: w.arn})
		}},
		{"UpdateKeyDescription", change, func(w *stateWorld) error {
			return w.UpdateKeyDescription(w.admin, &kms.UpdateKeyDescriptionRequest{KeyId: w.arn, Description: "another"})
		}},
		{"TagResource", change, func(w *stateWorld) error {
			return w.TagResource(w.admin, &kms.TagResourceRequest{KeyId: w.arn, Tags: []kms.Tag{{TagKey: "a", TagValue: "b"}}})
		}},
		{"UntagResource", change, func(w *stateWorld) error {
			return w.UntagResource(w.admin, &kms.UntagResourceRequest{KeyId: w.arn, TagKeys: []string{"color"}})
		}},
		{"EnableKey", all("Y Y 3", "Y Y 3 5", "Y Y 3 Y"), func(w *stateWorld) error {
			return w.EnableKey(w.admin, &kms.EnableKeyRequest{KeyId: w.arn})
		}},
		{"DisableKey", all("Y Y 3", "Y Y 3 5", "Y Y 3 Y"), func(w *stateWorld) error {
			return w.DisableKey(w.admin, &kms.DisableKeyRequest{KeyId: w.arn})
		}},
		{"ScheduleKeyDeletion", change, func(w *stateWorld) error {
			_, err := w.ScheduleKeyDeletion(w.admin, &kms.ScheduleKeyDeletionRequest{KeyId: w.arn, PendingWindowInDays: &seven})
			return err
		}},
		{"CancelKeyDeletion", all("4 4 Y", "4 4 Y 4", "4 4 Y 4"), func(w *stateWorld) error {
			_, err := w.CancelKeyDeletion(w.admin, &kms.CancelKeyDeletionRequest{KeyId: w.arn})
			return err
		}},
		{"EnableKeyRotation", all("Y 1 3", "6 6 6 6", "7 7 7 7"), func(w *stateWorld) error {
			return w.EnableKeyRotation(w.admin, &kms.EnableKeyRotationRequest{KeyId: w.arn})
		}},
		{"DisableKeyRotation", all("Y 1 3", "6 6 6 6", "7 7 7 7"), func(w *stateWorld) error {
			return w.DisableKeyRotation(w.admin, &kms.DisableKeyRotationRequest{KeyId: w.arn})
		}},
		{"EnableKeyRotation of another kind", of("signing", "U U U U"), func(w *stateWorld) error {
			return w.EnableKeyRotation(w.admin, &kms.EnableKeyRotationRequest{KeyId: w.arn})
		}},
		{"GetKeyRotationStatus", all("Y Y Y", "6 6 6 6", "7 7 7 7"), func(w *stateWorld) error {
			_, err := w.GetKeyRotationStatus(w.admin, &kms.GetKeyRotationStatusRequest{KeyId: w.arn})
			return err
		}},
		{"RotateKeyOnDemand", all("Y 1 3", "Y 1 3 5", "7 7 7 7"), func(w *stateWorld) error {
			_, err := w.RotateKeyOnDemand(w.admin, &kms.RotateKeyOnDemandRequest{KeyId: w.arn})
			return err
		}},
		{"ListKeyRotations", all("Y Y Y", "Y Y Y Y", "7 7 7 7"), func(w *stateWorld) error {
			_, err := w.ListKeyRotations(w.admin, &kms.ListKeyRotationsRequest{KeyId: w.arn})
			return err
		}},
		{"GetParametersForImport", all("9 9 9", "Y Y 3 Y", "7 7 7 7"), func(w *stateWorld) error {
			_, err := w.GetParametersForImport(w.admin, &kms.GetParametersForImportRequest{KeyId: w.arn,
				WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048"})
			return err
		}},
		{"ImportKeyMaterial", all("9 9 9", "Y Y 3 Y", "7 7 7 7"), func(w *stateWorld) error {
			in := &kms.ImportKeyMaterialRequest{KeyId: w.arn, ImportToken: []byte("none"), EncryptedKeyMaterial: []byte("none"),
				ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE"}
			if p, err := w.GetParametersForImport(w.admin, &kms.GetParametersForImportRequest{KeyId: w.arn,
				WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048"}); err == nil {
				in.ImportToken, in.EncryptedKeyMaterial = p.ImportToken, wrap(t, "RSAES_OAEP_SHA_256", p.PublicKey, w.secret)
			}
			_, err := w.ImportKeyMaterial(w.admin, in)
			return err
		}},
		{"DeleteImportedKeyMaterial", all("9 9 9", "Y Y Y Y", "7 7 7 7"), func(w *stateWorld) error {
			_, err := w.DeleteImportedKeyMaterial(w.admin, &kms.DeleteImportedKeyMaterialRequest{KeyId: w.arn})
			return err
		}},
		{"ReplicateKey", of("multi-Region", "R 1 3"), func(w *stateWorld) error {
			return w.ReplicateKey(w.admin, &kms.ReplicateKeyRequest{KeyId: w.arn, ReplicaRegion: "us-east-1"})
		}},
		{"UpdatePrimaryRegion", of("multi-Region", "R 1 3"), func(w *stateWorld) error {
			return w.UpdatePrimaryRegion(w.admin, &kms.UpdatePrimaryRegionRequest{KeyId: w.arn, PrimaryRegion: "us-east-1"})
		}},
	}
	tested := map[string]bool{}
	for _, tt := range tests {
		name, _, _ := strings.Cut(tt.op, " ")
		tested[name] = true
		for kind, wants := range tt.want {
			answers := strings.Fields(wants)
			if len(answers) != len(stateKinds[kind].states) {
				t.Fatalf("%s of a %s key: %d answers for %d states", tt.op, kind, len(answers), len(stateKinds[kind].states))
			}
			for i, state := range stateKinds[kind].states {
				t.Run(fmt.Sprintf("%s, %s key, %s", tt.op, kind, state), func(t *testing.T) {
					w := newStateWorld(t, kind)
					w.enter(t, state)
					want := stateAnswers[answers[i]]
					if strings.Contains(want, "%") {
						want = fmt.Sprintf(want, w.arn)
					}
					before := string(w.Dump())
					if got := refusal(tt.do(w)); got != want {
						t.Errorf("answer %q, want %q", got, want)
					}
					if want != "" && string(w.Dump()) != before {
						t.Error("a refused request changed something")
					}
				})
			}
		}
	}
	// The rest have no key.
	for _, op := range []string{"ConnectCustomKeyStore", "CreateCustomKeyStore", "CreateKey", "DeleteCustomKeyStore", "DescribeCustomKeyStores",
		"DisconnectCustomKeyStore", "GenerateRandom", "ListKeys", "ListRetirableGrants", "UpdateCustomKeyStore"} {
		tested[op] = true
	}
	for _, op := range kms.Operations() {
		if !tested[op] {
			t.Errorf("%s is not in the table", op)
		}
	}
}

// newStateWorld makes a key of the kind, enabled, and everything made with it.
func newStateWorld(t *testing.T, kind string) *stateWorld {
	t.Helper()
	k := stateKinds[kind]
	r := newRig(t)
	w := &stateWorld{rig: r, alias: "alias/main"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if k.origin == "AWS_CLOUDHSM" {
		w.store = newStore(t, r.client(someKey), 1)
		_, err := r.ConnectCustomKeyStore(r.admin, &kms.CustomKeyStoreRequest{CustomKeyStoreId: w.store})
		must(err)
		r.clock.Advance(2 * time.Minute)
	}
	w.arn, w.id = r.newKey(t, kms.CreateKeyRequest{KeySpec: k.spec, KeyUsage: k.usage, Origin: k.origin, MultiRegion: k.multiRegion,
		CustomKeyStoreId: w.store, Tags: []kms.Tag{{TagKey: "color", TagValue: "blue"}}})
	if k.origin == "EXTERNAL" {
		w.secret = kms.NewSecret(k.spec)
		r.Place(w.id, w.secret, false)
		if k.spec == "SYMMETRIC_DEFAULT" {
			r.Place(w.id, kms.NewSecret(k.spec), true)
		}
	}
	var otherID string
	w.other, otherID = r.newKey(t, kms.CreateKeyRequest{KeySpec: k.spec, KeyUsage: k.usage})
	must(r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: w.alias, TargetKeyId: w.id}))
	must(r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: "alias/other", TargetKeyId: otherID}))
	grant, err := r.CreateGrant(r.admin, &kms.CreateGrantRequest{KeyId: w.arn, GranteePrincipal: r.admin.Principal,
		RetiringPrincipal: r.admin.Principal, Operations: []string{"DescribeKey"}})
	must(err)
	w.grant = grant.GrantId
	switch k.usage {
	case "ENCRYPT_DECRYPT":
		for key, blob := range map[string]*[]byte{w.arn: &w.blob, w.other: &w.otherBlob} {
			out, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: key, Plaintext: []byte("x")})
			must(err)
			*blob = out.CiphertextBlob
		}
	case "SIGN_VERIFY":
		out, err := r.Sign(r.admin, &kms.SignRequest{KeyId: w.arn, Message: []byte("x"), SigningAlgorithm: "ECDSA_SHA_256"})
		must(err)
		w.signature = out.Signature
	case "GENERATE_VERIFY_MAC":
		out, err := r.GenerateMac(r.admin, &kms.GenerateMacRequest{KeyId: w.arn, Message: []byte("x"), MacAlgorithm: "HMAC_SHA_256"})
		must(err)
		w.mac = out.Mac
	case "KEY_AGREEMENT":
		out, err := r.GetPublicKey(r.admin, &kms.GetPublicKeyRequest{KeyId: w.other})
		must(err)
		w.peer = out.PublicKey
	case "ENCAPSULATE_DECAPSULATE":
		out, err := r.Encapsulate(r.admin, &kms.EncapsulateRequest{KeyId: w.arn, EncapsulationAlgorithm: "ML_KEM"})
		must(err)
		w.capsule = out.SharedSecretCiphertextBlob
	}
	return w
}

// enter brings the key into the state.
func (w *stateWorld) enter(t *testing.T, state kms.State) {
	t.Helper()
	seven := int32(7)
	var err error
	switch state {
	case kms.Disabled:
		err = w.DisableKey(w.admin, &kms.DisableKeyRequest{KeyId: w.arn})
	case kms.PendingDeletion:
		_, err = w.ScheduleKeyDeletion(w.admin, &kms.ScheduleKeyDeletionRequest{KeyId: w.arn, PendingWindowInDays: &seven})
	case kms.PendingImport:
		_, err = w.DeleteImportedKeyMaterial(w.admin, &kms.DeleteImportedKeyMaterialRequest{KeyId: w.arn})
	case kms.Unavailable:
		_, err = w.DisconnectCustomKeyStore(w.admin, &kms.CustomKeyStoreRequest{CustomKeyStoreId: w.store})
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.DescribeKey(w.admin, &kms.DescribeKeyRequest{KeyId: w.arn})
	if err != nil || out.KeyMetadata.KeyState != state || out.KeyMetadata.Enabled != (state == kms.Enabled) {
		t.Fatalf("the key is %s, %v; want %s", asJSON(out), err, state)
	}
}

func TestDeletedKeysVanish(t *testing.T) {
	r := newRig(t)
	arn, id := r.newKey(t, kms.CreateKeyRequest{})
	kept, _ := r.newKey(t, kms.CreateKeyRequest{})
	if err := r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: "alias/doomed", TargetKeyId: id}); err != nil {
		t.Fatal(err)
	}
	sealed, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: id, Plaintext: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	seven, eight := int32(7), int32(8)
	if _, err := r.ScheduleKeyDeletion(r.admin, &kms.ScheduleKeyDeletionRequest{KeyId: id, PendingWindowInDays: &seven}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ScheduleKeyDeletion(r.admin, &kms.ScheduleKeyDeletionRequest{KeyId: kept, PendingWindowInDays: &eight}); err != nil {
		t.Fatal(err)
	}
	describe := func(key string) string {
		_, err := r.DescribeKey(r.admin, &kms.DescribeKeyRequest{KeyId: key})
		return refusal(err)
	}
	r.clock.Advance(7*24*time.Hour - time.Minute)
	if got := describe(id); got != "" {
		t.Fatalf("a minute too early: %s", got)
	}
	r.clock.Advance(2 * time.Minute)
	if got, want := describe(id), "NotFoundException: Key '"+arn+"' does not exist"; got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	if got, want := describe("alias/doomed"), "NotFoundException: Alias arn:aws:kms:eu-west-2:123456789012:alias/doomed is not found."; got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	_, err = r.Decrypt(r.admin, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob})
	if got := refusal(err); got != refersTo {
		t.Errorf("answer %q, want %q", got, refersTo)
	}
	if got := describe(kept); got != "" {
		t.Errorf("the other key: %s", got)
	}
	if _, err := r.CancelKeyDeletion(r.admin, &kms.CancelKeyDeletionRequest{KeyId: kept}); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(1000 * 24 * time.Hour)
	if got := describe(kept); got != "" {
		t.Errorf("the key that was to stay: %s", got)
	}
}
