package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/qldb"
	qldbtypes "github.com/aws/aws-sdk-go-v2/service/qldb/types"
	"github.com/aws/smithy-go"

	"loadkms/sandbox/ion"
)

// A fact is what an acknowledged change has made of something, or what one without an answer may have.
type fact struct {
	is    string
	maybe *string
	never bool // no change of it has been acknowledged yet, so that nobody knows what it was
}

// A keeper changes things in a sandbox that is going to be killed, and remembers what was acknowledged.
type keeper struct {
	t      *testing.T
	seed   uint64
	api    string // with the stage
	kms    *kms.Client
	qldb   *qldb.Client
	killed atomic.Bool

	mu      sync.Mutex // guards the fields below
	records map[int]string
	facts   map[string]*fact // by "subject of thing"
	seals   map[string][]byte
	keys    []string // ids
	digests []*qldb.GetDigestOutput
	count   map[string]int // acknowledged changes by name
}

const ledgerName = "qldb-kms-ledger-poc"

// connect makes clients for a process that has just started.
func (k *keeper) connect(exports map[string]string) {
	k.api = exports["LOADKMS_TARGET"] + "/poc/record"
	endpoint, secret := exports["AWS_ENDPOINT_URL"], credentials.NewStaticCredentialsProvider("sandbox", "sandbox", "")
	k.kms = kms.New(kms.Options{Region: "eu-west-2", BaseEndpoint: &endpoint, Credentials: secret, Retryer: aws.NopRetryer{}})
	k.qldb = qldb.New(qldb.Options{Region: "eu-west-2", BaseEndpoint: &endpoint, Credentials: secret, Retryer: aws.NopRetryer{}})
	k.killed.Store(false)
}

// change makes a change of a thing of a subject, and notes what becomes of it. It reports whether the
// sandbox is still there.
func (k *keeper) change(name, of, to string, do func(context.Context) error) bool {
	k.mu.Lock()
	if k.facts[of] == nil {
		k.facts[of] = &fact{never: true}
	}
	k.facts[of].maybe = &to
	k.mu.Unlock()
	err := do(context.Background())
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		*k.facts[of] = fact{is: to}
		k.count[name]++
		return true
	case errors.As(err, new(smithy.APIError)):
		k.facts[of].maybe = nil
		k.t.Errorf("seed %d: %s: %v", k.seed, name, err)
		return false
	}
	return false // it was killed: nobody knows
}

// hidden is what KMS does not show now: whether a key pending deletion is rotated.
const hidden = "hidden"

// observe returns how the thing is.
func (k *keeper) observe(ctx context.Context, of string) (string, error) {
	subject, thing, _ := strings.Cut(of, " ")
	switch {
	case strings.HasPrefix(subject, "alias/"):
		out, err := k.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &subject})
		if err != nil {
			return "", err
		}
		return *out.KeyMetadata.KeyId, nil
	case strings.HasPrefix(thing, "grant "):
		id := strings.TrimPrefix(thing, "grant ")
		out, err := k.kms.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &subject, GrantId: &id})
		if err != nil || len(out.Grants) == 0 {
			return "", err
		}
		return "granted", nil
	case strings.HasPrefix(thing, "tag "):
		out, err := k.kms.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &subject})
		if err != nil {
			return "", err
		}
		for _, tag := range out.Tags {
			if "tag "+*tag.TagKey == thing {
				return *tag.TagValue, nil
			}
		}
		return "", nil
	case thing == "policy":
		out, err := k.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &subject})
		if err != nil {
			return "", err
		}
		return *out.Policy, nil
	case thing == "rotation":
		out, err := k.kms.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &subject})
		if err != nil {
			return "", err
		}
		state, err := k.observe(ctx, subject+" state")
		if state == "PendingDeletion" {
			return hidden, err
		}
		return fmt.Sprint(out.KeyRotationEnabled), err
	case thing == "rotations":
		out, err := k.kms.ListKeyRotations(ctx, &kms.ListKeyRotationsInput{KeyId: &subject})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(len(out.Rotations)), nil
	}
	out, err := k.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &subject})
	if err != nil {
		return "", err
	}
	if thing == "description" {
		return *out.KeyMetadata.Description, nil
	}
	return string(out.KeyMetadata.KeyState), nil
}

// is returns what a thing is known to be.
func (k *keeper) is(of string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f := k.facts[of]; f != nil {
		return f.is
	}
	return ""
}

// create makes a key that can be changed, and a ciphertext under it.
func (k *keeper) create(ctx context.Context) bool {
	out, err := k.kms.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		return false
	}
	id := *out.KeyMetadata.KeyId
	plain := "under " + id
	sealed, err := k.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: &id, Plaintext: []byte(plain)})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.facts[id+" state"] = append(k.keys, id), &fact{is: "Enabled"}
	k.facts[id+" rotations"] = &fact{is: "0"}
	k.count["CreateKey"]++
	if err == nil {
		k.seals[plain] = sealed.CiphertextBlob
	}
	return err == nil
}

// administer changes keys until the sandbox is gone. Each administrator has keys and an alias of its own.
func (k *keeper) administer(rnd *mrand.Rand, own int) {
	ctx, c := context.Background(), k.kms
	key := func() (id, state string) {
		k.mu.Lock()
		defer k.mu.Unlock()
		var mine []string
		for i, id := range k.keys {
			if i%2 == own {
				mine = append(mine, id)
			}
		}
		if len(mine) == 0 {
			return "", ""
		}
		id = mine[rnd.IntN(len(mine))]
		return id, k.facts[id+" state"].is
	}
	alias := fmt.Sprintf("alias/of-%d", own)
	for there := true; there && !k.killed.Load(); {
		id, state := key()
		what, word := rnd.IntN(10), fmt.Sprint(rnd.IntN(1000))
		switch {
		case id == "" || what == 0:
			there = k.create(ctx)
		case state == "PendingDeletion":
			there = k.change("CancelKeyDeletion", id+" state", "Disabled", func(ctx context.Context) error {
				_, err := c.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &id})
				return err
			})
		case state == "Disabled":
			there = k.change("EnableKey", id+" state", "Enabled", func(ctx context.Context) error {
				_, err := c.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &id})
				return err
			})
		case what == 1:
			there = k.change("DisableKey", id+" state", "Disabled", func(ctx context.Context) error {
				_, err := c.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &id})
				return err
			})
		case what == 2:
			there = k.change("ScheduleKeyDeletion", id+" state", "PendingDeletion", func(ctx context.Context) error {
				_, err := c.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &id})
				return err
			})
		case what == 3:
			policy := fmt.Sprintf(`{"Version":"2012-10-17","Id":"%s","Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"kms:*","Resource":"*"}}`, word)
			there = k.change("PutKeyPolicy", id+" policy", policy, func(ctx context.Context) error {
				_, err := c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &id, Policy: &policy})
				return err
			})
		case what == 4:
			there = k.change("UpdateKeyDescription", id+" description", word, func(ctx context.Context) error {
				_, err := c.UpdateKeyDescription(ctx, &kms.UpdateKeyDescriptionInput{KeyId: &id, Description: &word})
				return err
			})
		case what == 5:
			there = k.change("TagResource", id+" tag t"+word[:1], word, func(ctx context.Context) error {
				_, err := c.TagResource(ctx, &kms.TagResourceInput{KeyId: &id, Tags: []types.Tag{{TagKey: aws.String("t" + word[:1]), TagValue: &word}}})
				return err
			})
		case what == 6:
			enabled := k.is(id+" rotation") != "true"
			there = k.change("EnableKeyRotation", id+" rotation", fmt.Sprint(enabled), func(ctx context.Context) (err error) {
				if enabled {
					_, err = c.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &id})
				} else {
					_, err = c.DisableKeyRotation(ctx, &kms.DisableKeyRotationInput{KeyId: &id})
				}
				return err
			})
		case what == 7:
			var n int
			if _, err := fmt.Sscan(k.is(id+" rotations"), &n); err != nil || n >= 20 {
				continue
			}
			there = k.change("RotateKeyOnDemand", id+" rotations", fmt.Sprint(n+1), func(ctx context.Context) error {
				_, err := c.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &id})
				return err
			})
		case what == 8:
			name, move := "UpdateAlias", func(ctx context.Context) error {
				_, err := c.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: &alias, TargetKeyId: &id})
				return err
			}
			if k.is(alias) == "" {
				name, move = "CreateAlias", func(ctx context.Context) error {
					_, err := c.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &alias, TargetKeyId: &id})
					return err
				}
			}
			there = k.change(name, alias, id, move)
		default:
			out, err := c.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: &id, Operations: []types.GrantOperation{"Decrypt"},
				GranteePrincipal: aws.String("arn:aws:iam::123456789012:role/qldb-kms-get-record-role")})
			if there = err == nil; !there {
				continue
			}
			grant := id + " grant " + *out.GrantId
			k.mu.Lock()
			k.facts[grant] = &fact{is: "granted"}
			k.count["CreateGrant"]++
			k.mu.Unlock()
			if rnd.IntN(2) == 0 {
				there = k.change("RevokeGrant", grant, "", func(ctx context.Context) error {
					_, err := c.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &id, GrantId: out.GrantId})
					return err
				})
			}
		}
	}
}

// write creates records until the sandbox is gone.
func (k *keeper) write(client *http.Client, from int) {
	for id := from; !k.killed.Load(); id++ {
		doc := fmt.Sprintf(`{"id":%d,"firstName":"Ada","text":"%s"}`, id, strings.Repeat("x", id%200))
		res, err := client.Post(k.api, "application/json", strings.NewReader(doc))
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil {
			return
		}
		if res.StatusCode != http.StatusCreated {
			k.t.Errorf("seed %d: POST: %d", k.seed, res.StatusCode)
			return
		}
		k.mu.Lock()
		k.records[id] = doc
		k.mu.Unlock()
	}
}

// imported makes a key of imported material, and a ciphertext under it.
func (k *keeper) imported() {
	k.t.Helper()
	ctx, fail := k.t.Context(), func(err error) {
		if err != nil {
			k.t.Fatalf("seed %d: import key material: %v", k.seed, err)
		}
	}
	made, err := k.kms.CreateKey(ctx, &kms.CreateKeyInput{Origin: types.OriginTypeExternal})
	fail(err)
	id := made.KeyMetadata.KeyId
	parameters, err := k.kms.GetParametersForImport(ctx, &kms.GetParametersForImportInput{KeyId: id,
		WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048})
	fail(err)
	public, err := x509.ParsePKIXPublicKey(parameters.PublicKey)
	fail(err)
	material := make([]byte, 32)
	rand.Read(material)
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), material, nil)
	fail(err)
	_, err = k.kms.ImportKeyMaterial(ctx, &kms.ImportKeyMaterialInput{KeyId: id, ImportToken: parameters.ImportToken,
		EncryptedKeyMaterial: wrapped, ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire})
	fail(err)
	plain := "under imported " + *id
	sealed, err := k.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: id, Plaintext: []byte(plain)})
	fail(err)
	k.facts[*id+" state"], k.seals[plain] = &fact{is: "Enabled"}, sealed.CiphertextBlob
}

// verify checks everything that was acknowledged so far, and settles what was not.
func (k *keeper) verify(round int) {
	k.t.Helper()
	ctx := k.t.Context()
	for id, want := range k.records {
		status, got := fetch(k.t, fmt.Sprintf("%s/%d", k.api, id))
		var is, was any
		if status != http.StatusOK || json.Unmarshal([]byte(got), &is) != nil || json.Unmarshal([]byte(want), &was) != nil || !reflect.DeepEqual(is, was) {
			k.t.Fatalf("seed %d, round %d: record %d is %d %s, want %s", k.seed, round, id, status, got, want)
		}
	}
	for of, f := range k.facts {
		is, err := k.observe(ctx, of)
		if err != nil && !f.never {
			k.t.Fatalf("seed %d, round %d: %s: %v, want %q", k.seed, round, of, err, f.is)
		}
		if is == hidden {
			continue
		}
		if is != f.is && !f.never && (f.maybe == nil || is != *f.maybe) {
			k.t.Fatalf("seed %d, round %d: %s is %q, acknowledged was %q", k.seed, round, of, is, f.is)
		}
		*f = fact{is: is}
	}
	for plain, sealed := range k.seals {
		id := plain[strings.LastIndexByte(plain, ' ')+1:]
		out, err := k.kms.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed})
		if k.facts[id+" state"].is == "Enabled" && (err != nil || string(out.Plaintext) != plain) {
			k.t.Fatalf("seed %d, round %d: decrypt what is %s: %v", k.seed, round, plain, err)
		}
	}
	for _, d := range k.digests {
		k.prove(d)
	}
	digest, err := k.qldb.GetDigest(ctx, &qldb.GetDigestInput{Name: aws.String(ledgerName)})
	if err != nil {
		k.t.Fatal(err)
	}
	k.digests = append(k.digests, digest)
}

// prove checks that the first and the last block of a digest of earlier are in it.
func (k *keeper) prove(d *qldb.GetDigestOutput) {
	k.t.Helper()
	tip := *d.DigestTipAddress.IonText
	address, err := ion.Decode([]byte(tip))
	if err != nil {
		k.t.Fatal(err)
	}
	strand, _ := address.Field("strandId")
	id, _ := strand.AsText()
	for _, at := range []string{fmt.Sprintf("{strandId:%q,sequenceNo:0}", id), tip} {
		out, err := k.qldb.GetBlock(k.t.Context(), &qldb.GetBlockInput{Name: aws.String(ledgerName), DigestTipAddress: d.DigestTipAddress,
			BlockAddress: &qldbtypes.ValueHolder{IonText: &at}})
		if err != nil {
			k.t.Fatal(err)
		}
		block, err := ion.Decode([]byte(*out.Block.IonText))
		if err != nil {
			k.t.Fatal(err)
		}
		proof, err := ion.Decode([]byte(*out.Proof.IonText))
		if err != nil {
			k.t.Fatal(err)
		}
		field, _ := block.Field("blockHash")
		hash, _ := field.AsBytes()
		for e := range proof.Elements() {
			b, _ := e.AsBytes()
			hash = ion.Dot(hash, b)
		}
		if !bytes.Equal(hash, d.Digest) {
			k.t.Fatalf("seed %d: block %s is not in the digest of before", k.seed, at)
		}
	}
}

// TestDataDirSurvivesKills kills a sandbox at random moments while clients create records and change keys.
// LOADKMS_KILLS says how often; `make crashtest` sets it.
func TestDataDirSurvivesKills(t *testing.T) {
	rounds, err := strconv.Atoi(cmp.Or(os.Getenv("LOADKMS_KILLS"), "3"))
	if err != nil {
		t.Fatal(err)
	}
	seed := mrand.Uint64()
	rnd := mrand.New(mrand.NewPCG(seed, 0))
	dir := filepath.Join(t.TempDir(), "data")
	k := &keeper{t: t, seed: seed, records: map[int]string{}, facts: map[string]*fact{}, seals: map[string][]byte{}, count: map[string]int{}}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	var now time.Time
	for round := range rounds + 1 {
		cmd, exports, _, stderr := sandboxProcess(t, "--data-dir", dir, "--speed", "60")
		k.connect(exports)
		var status struct {
			Now     time.Time
			DataDir string
		}
		if _, page := fetch(t, exports["LOADKMS_TARGET"]+"/status.json"); json.Unmarshal([]byte(page), &status) != nil || status.Now.Before(now) || status.DataDir != dir {
			t.Errorf("seed %d, round %d: it is %v in %q after %v in %q", seed, round, status.Now, status.DataDir, now, dir)
		}
		k.verify(round)
		if round == rounds {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil || !strings.Contains(stderr.String(), "sandbox: loaded ") {
				t.Errorf("seed %d: it ended with %v: %s", seed, err, stderr)
			}
			break
		}
		if round == 0 {
			k.imported()
		}
		var work sync.WaitGroup
		for w := range 6 {
			work.Go(func() { k.write(client, (round*6+w)*100_000) })
		}
		for w := range 2 {
			own := mrand.New(mrand.NewPCG(seed, uint64(10*round+w+1)))
			work.Go(func() { k.administer(own, w) })
		}
		// At a random moment after there is enough that could be lost.
		for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
			k.mu.Lock()
			n := len(k.records)
			k.mu.Unlock()
			if n >= 300*(round+1) || t.Failed() {
				break
			}
		}
		<-time.After(time.Duration(rnd.IntN(200)) * time.Millisecond)
		if _, page := fetch(t, exports["LOADKMS_TARGET"]+"/status.json"); json.Unmarshal([]byte(page), &status) == nil {
			now = status.Now
		}
		k.killed.Store(true) // before it is: a client that is told that nobody is there may have been told it for that
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		work.Wait()
		if err := cmd.Wait(); err == nil {
			t.Errorf("seed %d, round %d: it ended by itself", seed, round)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range k.count {
			if !yield(name) {
				return
			}
		}
	})
	t.Logf("seed %d: %d records, %d facts, changes %v", seed, len(k.records), len(k.facts), k.count)
	if len(names) < 8 {
		t.Errorf("seed %d: only these changes were acknowledged: %v", seed, names)
	}
}

// TestDataDirIsRefused is about directories that a sandbox cannot use.
func TestDataDirIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	refused := func(name, want string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), lookupSelf(t), append([]string{"sandbox", "--port", "0", "--api-port", "0", "--data-dir", dir}, args...)...)
		cmd.Env = append(os.Environ(), cleanEnv(t.TempDir())...)
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(said.String(), want) || !strings.Contains(said.String(), dir) {
			t.Errorf("%s: %v, %s, want exit code 2, the directory and %q", name, err, &said, want)
		}
	}
	cmd, _, _, stderr := sandboxProcess(t, "--data-dir", dir)
	refused("two at a time", "another sandbox is using it")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(stderr.String(), "begins the data directory "+dir) {
		t.Errorf("it ended with %v: %s", err, stderr)
	}
	refused("another region", "has the region eu-west-2, not us-east-1", "--region", "us-east-1")
	refused("another account", "has the account 123456789012, not 111122223333", "--account", "111122223333")
	refused("another stage", "has the stage poc, not dev", "--stage", "dev")
	refused("another template", "another template", "--template", writeTemp(t, "t.yaml", "Resources: {Key: {Type: AWS::KMS::Key}}\n"))
	tables, err := filepath.Glob(filepath.Join(dir, "db", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables: %v, %v", tables, err)
	}
	if err := os.Truncate(slices.Max(tables), 100); err != nil {
		t.Fatal(err)
	}
	refused("a torn table", "it is damaged and was left as it is")
}
