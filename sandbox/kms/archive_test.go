package kms

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	disk "loadkms/sandbox/store"
)

// A kept is a service in a store, and somebody who does things at random.
type kept struct {
	*Service
	t     *testing.T
	rnd   *rand.Rand
	dir   string
	clock *clock.Clock
	disk  *disk.Store
	admin iam.Caller
	seals map[string][]byte // a ciphertext by its plaintext
}

func (k *kept) open() {
	k.t.Helper()
	var err error
	if k.disk, err = disk.Open(k.dir); err != nil {
		k.t.Fatal(err)
	}
	if k.Service, err = Open(Options{Clock: k.clock, Rotation: time.Hour}, k.disk); err != nil {
		k.t.Fatal(err)
	}
	k.admin = k.Directory().Admin()
}

// state returns everything that is to be kept, by the names of the entries. Last uses are left out, as
// they are written later.
func (s *Service) state() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]string{secretsEntry: mustJSON(secretsRecord{s.tokenKey[:], s.tokens.secret})}
	for _, keys := range []map[string]*key{s.keys, s.owned} {
		for _, k := range keys {
			all[keyEntries+k.arn] = unused([]byte(mustJSON(k.record())))
			for id, g := range k.grants {
				all[grantEntry(k.arn, id)] = mustJSON(g.record())
			}
		}
	}
	for name, a := range s.aliases {
		all[aliasEntries+name] = mustJSON(a.record())
	}
	for id, st := range s.stores {
		all[storeEntries+id] = mustJSON(st.record())
	}
	return all
}

// unused returns a key's record without its last use.
func unused(text []byte) string {
	var r keyRecord
	if err := json.Unmarshal(text, &r); err != nil {
		panic(err)
	}
	r.LastOperation, r.LastRequest, r.LastUsed = "", "", time.Time{}
	return mustJSON(r)
}

// onDisk returns the same as the store has it.
func (k *kept) onDisk() map[string]string {
	all := map[string]string{}
	for e, err := range k.disk.Scan("kms/") {
		if err != nil {
			k.t.Fatal(err)
		}
		all[e.Key] = string(e.Value)
		if strings.HasPrefix(e.Key, keyEntries) {
			all[e.Key] = unused(e.Value)
		}
	}
	return all
}

func differences(got, want map[string]string) (all []string) {
	names := maps.Clone(got)
	maps.Copy(names, want)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if got[name] != want[name] {
			all = append(all, fmt.Sprintf("%s:\n  got  %s\n  want %s", name, got[name], want[name]))
		}
	}
	return all
}

func pick[V any](rnd *rand.Rand, all []V) (v V) {
	if len(all) > 0 {
		v = all[rnd.IntN(len(all))]
	}
	return v
}

// act does one thing at random and returns its name and error.
func (k *kept) act() (string, error) {
	s, rnd, c := k.Service, k.rnd, k.admin
	s.mu.RLock()
	ids := slices.Sorted(maps.Keys(s.keys))
	names := slices.Sorted(maps.Keys(s.aliases))
	stores := slices.Sorted(maps.Keys(s.stores))
	id := pick(rnd, ids)
	var grants []string
	if s.keys[id] != nil {
		grants = slices.Sorted(maps.Keys(s.keys[id].grants))
	}
	s.mu.RUnlock()
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, reservedPrefix) })
	word := fmt.Sprint(rnd.IntN(100))
	switch rnd.IntN(24) {
	case 0, 1:
		in := pick(rnd, []CreateKeyRequest{{}, {Origin: "EXTERNAL"}, {KeySpec: "HMAC_256", KeyUsage: generateVerifyMac},
			{KeySpec: "ECC_NIST_P256", KeyUsage: signVerify}, {KeySpec: "ML_KEM_768", KeyUsage: encapsulateDecapsulate},
			{MultiRegion: true, Description: word, Tags: []Tag{{"a", word}, {"b", ""}}},
			{Origin: "AWS_CLOUDHSM", CustomKeyStoreId: pick(rnd, stores)}})
		_, err := s.CreateKey(c, &in)
		return "CreateKey", err
	case 2:
		return "DisableKey", s.DisableKey(c, &DisableKeyRequest{KeyId: id})
	case 3:
		return "EnableKey", s.EnableKey(c, &EnableKeyRequest{KeyId: id})
	case 4:
		return "PutKeyPolicy", s.PutKeyPolicy(c, &PutKeyPolicyRequest{KeyId: id,
			Policy: strings.Replace(defaultPolicy(s.account), "key-default-1", "policy-"+word, 1)})
	case 5:
		return "UpdateKeyDescription", s.UpdateKeyDescription(c, &UpdateKeyDescriptionRequest{KeyId: id, Description: word})
	case 6:
		return "TagResource", s.TagResource(c, &TagResourceRequest{KeyId: id, Tags: []Tag{{"t" + word[:1], word}}})
	case 7:
		return "UntagResource", s.UntagResource(c, &UntagResourceRequest{KeyId: id, TagKeys: []string{"t" + word[:1], "a"}})
	case 8:
		return "EnableKeyRotation", s.EnableKeyRotation(c, &EnableKeyRotationRequest{KeyId: id})
	case 9:
		return "DisableKeyRotation", s.DisableKeyRotation(c, &DisableKeyRotationRequest{KeyId: id})
	case 10:
		_, err := s.RotateKeyOnDemand(c, &RotateKeyOnDemandRequest{KeyId: id})
		return "RotateKeyOnDemand", err
	case 11:
		_, err := s.ScheduleKeyDeletion(c, &ScheduleKeyDeletionRequest{KeyId: id})
		return "ScheduleKeyDeletion", err
	case 12:
		_, err := s.CancelKeyDeletion(c, &CancelKeyDeletionRequest{KeyId: id})
		return "CancelKeyDeletion", err
	case 13:
		return "CreateAlias", s.CreateAlias(c, &CreateAliasRequest{AliasName: "alias/" + word, TargetKeyId: id})
	case 14:
		return "UpdateAlias", s.UpdateAlias(c, &UpdateAliasRequest{AliasName: pick(rnd, names), TargetKeyId: id})
	case 15:
		return "DeleteAlias", s.DeleteAlias(c, &DeleteAliasRequest{AliasName: pick(rnd, names)})
	case 16, 17:
		_, err := s.CreateGrant(c, &CreateGrantRequest{KeyId: id, GranteePrincipal: c.Principal, Operations: []string{"DescribeKey"},
			RetiringPrincipal: c.Principal, Name: pick(rnd, []string{"", "n" + word[:1]})})
		return "CreateGrant", err
	case 18:
		if rnd.IntN(2) == 0 {
			return "RetireGrant", s.RetireGrant(c, &RetireGrantRequest{KeyId: id, GrantId: pick(rnd, grants)})
		}
		return "RevokeGrant", s.RevokeGrant(c, &RevokeGrantRequest{KeyId: id, GrantId: pick(rnd, grants)})
	case 19:
		s.mu.RLock()
		external := s.keys[id] != nil && s.keys[id].origin == "EXTERNAL"
		first := external && s.keys[id].current == nil
		s.mu.RUnlock()
		if external && rnd.IntN(2) == 0 {
			s.Place(id, NewSecret(symmetric), !first)
			return "ImportKeyMaterial", nil
		}
		_, err := s.DeleteImportedKeyMaterial(c, &DeleteImportedKeyMaterialRequest{KeyId: id})
		return "DeleteImportedKeyMaterial", err
	case 20:
		st := pick(rnd, stores)
		switch rnd.IntN(5) {
		case 0:
			_, err := s.CreateCustomKeyStore(c, &CreateCustomKeyStoreRequest{CustomKeyStoreName: "s" + word, KeyStorePassword: "password",
				CloudHsmClusterId: "cluster-abcdefghij" + string('a'+rune(rnd.IntN(5))) + "2", TrustAnchorCertificate: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"})
			return "CreateCustomKeyStore", err
		case 1, 2:
			_, err := s.ConnectCustomKeyStore(c, &CustomKeyStoreRequest{CustomKeyStoreId: st})
			return "ConnectCustomKeyStore", err
		case 3:
			_, err := s.UpdateCustomKeyStore(c, &UpdateCustomKeyStoreRequest{CustomKeyStoreId: st, NewCustomKeyStoreName: "n" + word})
			return "UpdateCustomKeyStore", err
		default:
			_, err := s.DisconnectCustomKeyStore(c, &CustomKeyStoreRequest{CustomKeyStoreId: st})
			if rnd.IntN(3) == 0 {
				_, err = s.DeleteCustomKeyStore(c, &CustomKeyStoreRequest{CustomKeyStoreId: st})
			}
			return "DisconnectCustomKeyStore", err
		}
	case 21:
		k.clock.Advance(pick(rnd, []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 31 * 24 * time.Hour, 400 * 24 * time.Hour}))
		s.Settle()
		return "Settle", nil
	case 22:
		_, err := s.DescribeKey(c, &DescribeKeyRequest{KeyId: "alias/aws/s3"}) // which makes it
		s.OwnedKey("s3.amazonaws.com")
		return "DescribeKey", err
	default:
		plain := fmt.Sprint(rnd.Uint64())
		out, err := s.Encrypt(c, &EncryptRequest{KeyId: id, Plaintext: []byte(plain)})
		if err == nil {
			k.seals[plain] = out.CiphertextBlob
		}
		return "Encrypt", err
	}
}

// TestArchive does things at random. After each everything is on disk, and after a restart everything is
// as it was.
func TestArchive(t *testing.T) {
	seed := rand.Uint64()
	k := &kept{t: t, rnd: rand.New(rand.NewPCG(seed, 0)), dir: t.TempDir(), clock: clock.New(1), seals: map[string][]byte{}}
	k.open()
	done := map[string]int{}
	for round := range 4 {
		for i := range 200 {
			what, err := k.act()
			if err == nil {
				done[what]++
			} else if e, ok := errors.AsType[*Error](err); !ok || e.Status >= 500 {
				t.Fatalf("seed %d, round %d, act %d: %s: %v", seed, round, i, what, err)
			}
			if d := differences(k.onDisk(), k.state()); len(d) > 0 {
				t.Fatalf("seed %d, round %d, act %d: after %s the disk differs from what is:\n%s", seed, round, i, what, strings.Join(d, "\n"))
			}
		}
		opened := map[string]bool{} // which of the ciphertexts can be opened
		for plain, sealed := range k.seals {
			out, err := k.Decrypt(k.admin, &DecryptRequest{CiphertextBlob: sealed})
			opened[plain] = err == nil && string(out.Plaintext) == plain
		}
		before, dump := k.state(), k.Dump()
		if round%2 == 0 { // else it ends as by a kill, as far as the service goes
			if err := k.Service.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.disk.Close(); err != nil {
			t.Fatal(err)
		}
		k.open()
		if d := differences(k.state(), before); len(d) > 0 {
			t.Fatalf("seed %d, round %d: after a restart:\n%s", seed, round, strings.Join(d, "\n"))
		}
		if got := k.Dump(); string(got) != string(dump) {
			t.Fatalf("seed %d, round %d: after a restart the dump is\n%s\nwant\n%s", seed, round, got, dump)
		}
		for plain, sealed := range k.seals {
			out, err := k.Decrypt(k.admin, &DecryptRequest{CiphertextBlob: sealed})
			if got := err == nil && string(out.Plaintext) == plain; got != opened[plain] {
				t.Fatalf("seed %d, round %d: decrypts %s: %v, %v, want %v", seed, round, plain, got, err, opened[plain])
			}
		}
	}
	if len(done) < 20 {
		t.Errorf("seed %d: only %d kinds of acts succeeded: %v", seed, len(done), done)
	}
	if err := k.disk.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTokensOutliveTheProcess is about what clients still hold.
func TestTokensOutliveTheProcess(t *testing.T) {
	k := &kept{t: t, dir: t.TempDir(), clock: clock.New(1)}
	k.open()
	made, err := k.CreateKey(k.admin, &CreateKeyRequest{Origin: "EXTERNAL", KeySpec: "HMAC_256", KeyUsage: generateVerifyMac})
	if err != nil {
		t.Fatal(err)
	}
	id := made.KeyMetadata.KeyId
	parameters, err := k.GetParametersForImport(k.admin, &GetParametersForImportRequest{KeyId: id,
		WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048"})
	if err != nil {
		t.Fatal(err)
	}
	k.Place(id, NewSecret("HMAC_256"), false) // grants are for keys with material
	granted, err := k.CreateGrant(k.admin, &CreateGrantRequest{KeyId: id, GranteePrincipal: k.admin.Principal,
		RetiringPrincipal: k.admin.Principal, Operations: []string{"DescribeKey"}})
	if err != nil {
		t.Fatal(err)
	}
	mac, err := k.GenerateMac(k.admin, &GenerateMacRequest{KeyId: id, MacAlgorithm: "HMAC_SHA_256", Message: []byte("hello")})
	if err != nil {
		t.Fatal(err)
	}
	used, err := k.GetKeyLastUsage(k.admin, &GetKeyLastUsageRequest{KeyId: id})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(k.Service.Close(), k.disk.Close()); err != nil {
		t.Fatal(err)
	}
	k.open()
	if _, ok := readToken(k.tokens, parameters.ImportToken); !ok {
		t.Error("an import token is not genuine any more")
	}
	if err := k.RetireGrant(k.admin, &RetireGrantRequest{GrantToken: granted.GrantToken}); err != nil {
		t.Errorf("retire by a grant token: %v", err)
	}
	if again, err := k.GetKeyLastUsage(k.admin, &GetKeyLastUsageRequest{KeyId: id}); err != nil ||
		mustJSON(again) != mustJSON(used) || used.KeyLastUsage.Operation != "GenerateMac" {
		t.Errorf("last usage is %s, %v, want %s", mustJSON(again), err, mustJSON(used))
	}
	if out, err := k.VerifyMac(k.admin, &VerifyMacRequest{KeyId: id, MacAlgorithm: "HMAC_SHA_256", Message: []byte("hello"), Mac: mac.Mac}); err != nil || !out.MacValid {
		t.Errorf("verify an older MAC: %v", err)
	}
	if err := k.disk.Close(); err != nil {
		t.Fatal(err)
	}
	// A disk that cannot be written is an answer, and nothing is acknowledged.
	if _, err := k.CreateKey(k.admin, nil); err == nil {
		t.Error("a key was made that is nowhere")
	}
}
