package awskms

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/faults"
	"loadkms/scenarios"
)

// deleteKeyMaterial is the imported material of a key. Its state is a materialState.
//
// What brings the key back is a file. Its content is read when it is needed, sent wrapped, and kept
// nowhere: the spec names the file alone.
type deleteKeyMaterial struct {
	cloud *Cloud
	spec  spec
}

var _ faults.Target = (*deleteKeyMaterial)(nil)

// A materialState is what an import decides about a key.
type materialState struct {
	State   types.KeyState            `json:"state"`
	Model   types.ExpirationModelType `json:"model,omitempty"`
	ValidTo time.Time                 `json:"validTo,omitzero"`
}

const (
	// mostMaterial is what RSAES_OAEP_SHA_256 wraps under an RSA_4096 key: 512 bytes, less two hashes and two.
	mostMaterial = 512 - 2*sha256.Size - 2
	// leastValidity is how long material has to be good for to be deleted and come back: what expires
	// meanwhile could not be imported again.
	leastValidity = 24 * time.Hour
)

func (c *Cloud) resolveDeleteKeyMaterial(ctx context.Context, f *scenarios.Fault, s *spec) error {
	key, err := c.resolveKey(ctx, f.Key)
	if err != nil {
		return err
	}
	at := func(format string, args ...any) error { return placed{fmt.Errorf(format, args...), f.Key.Pos} }
	// Of several materials the current one is deleted, and only that may be in the file. Keys that are not
	// symmetric have but one, and no id for it.
	s.Key, s.MaterialID = *key.Arn, aws.ToString(key.CurrentKeyMaterialId)
	now := materialOf(key)
	switch {
	case key.Origin != types.OriginTypeExternal:
		return at("key %s has material of origin %s: only imported material (EXTERNAL) can be deleted and come back", *key.KeyId, key.Origin)
	case key.KeyState == types.KeyStatePendingImport:
		return at("key %s has no material already: there is nothing to break", *key.KeyId)
	case key.KeyState != types.KeyStateEnabled:
		return at("key %s is %s: material that is imported again makes a key Enabled", *key.KeyId, key.KeyState)
	case now.Model == types.ExpirationModelTypeKeyMaterialExpires && time.Until(now.ValidTo) < leastValidity:
		return at("the material of key %s expires %s, which is too soon to import it again", *key.KeyId, now.ValidTo.Format(time.RFC3339))
	}
	at = func(format string, args ...any) error { return placed{fmt.Errorf(format, args...), f.Material.Pos} }
	name, err := c.expand(f.Material)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(f.Pos.File), name)
	}
	if s.Material, err = filepath.Abs(name); err != nil {
		return at("find the material %s: %w", name, err)
	}
	if _, err := readMaterial(s.Material); err != nil {
		return placed{err, f.Material.Pos}
	}
	return nil
}

// readMaterial reads the file. Its errors name the file and never what is in it.
func readMaterial(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the material %s: %w", name, err)
	case len(b) == 0:
		return nil, fmt.Errorf("the material %s is empty", name)
	case len(b) > mostMaterial:
		return nil, fmt.Errorf("the material %s has %d bytes, and RSAES_OAEP_SHA_256 wraps %d", name, len(b), mostMaterial)
	}
	return b, nil
}

func materialOf(key *types.KeyMetadata) materialState {
	return materialState{key.KeyState, key.ExpirationModel, aws.ToTime(key.ValidTo).UTC()}
}

// ID is that of every fault that changes a key's state: without material it is PendingImport.
func (d *deleteKeyMaterial) ID() string            { return d.spec.Key + "#state" }
func (d *deleteKeyMaterial) Spec() json.RawMessage { return d.spec.raw() }

func (d *deleteKeyMaterial) Observe(ctx context.Context) (faults.State, error) {
	key, err := d.cloud.describeKey(ctx, d.spec.Key)
	if err != nil {
		return nil, err
	}
	return faults.State(writeJSON(materialOf(key))), nil
}

// optional is a parameter that only keys with several materials have.
func optional(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}

func (d *deleteKeyMaterial) Break(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := d.cloud.kms.DeleteImportedKeyMaterial(ctx, &kms.DeleteImportedKeyMaterialInput{KeyId: &d.spec.Key, KeyMaterialId: optional(d.spec.MaterialID)})
	if err != nil {
		return d.cloud.explain("delete imported key material", d.cloud.endpoints.KMS, err)
	}
	return nil
}

// Restore imports the file. Importing the material that a key has is a call like any other, and one of
// another material is refused, so the rehearsal proves both the permission and the file.
func (d *deleteKeyMaterial) Restore(ctx context.Context, prior faults.State) error {
	var was materialState
	if err := json.Unmarshal(prior, &was); err != nil || was.State != types.KeyStateEnabled {
		return fmt.Errorf("no import makes a key %q", prior)
	}
	key, err := d.cloud.describeKey(ctx, d.spec.Key)
	if err != nil {
		return err
	}
	switch now := materialOf(key); {
	case now == was, now.State == types.KeyStatePendingImport:
	case now.State == types.KeyStateUpdating, now.State == types.KeyStateCreating:
		return fmt.Errorf("key is %s, which passes", now.State)
	case now.State == types.KeyStateEnabled:
		return fmt.Errorf("its material was imported with another expiry: %w", faults.ErrChanged)
	default:
		return fmt.Errorf("key is %s: %w", now.State, faults.ErrChanged)
	}
	return d.load(ctx, was)
}

// load wraps the file's content under a key that KMS makes for this one import, and imports it.
func (d *deleteKeyMaterial) load(ctx context.Context, was materialState) error {
	secret, err := readMaterial(d.spec.Material)
	if err != nil {
		return err
	}
	defer clear(secret)
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	p, err := d.cloud.kms.GetParametersForImport(ctx, &kms.GetParametersForImportInput{KeyId: &d.spec.Key,
		WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa4096})
	if err != nil {
		return d.cloud.explain("get parameters for import", d.cloud.endpoints.KMS, err)
	}
	parsed, err := x509.ParsePKIXPublicKey(p.PublicKey)
	public, ok := parsed.(*rsa.PublicKey)
	if err != nil || !ok {
		return fmt.Errorf("get parameters for import: %s answered without an RSA key", d.cloud.place(d.cloud.endpoints.KMS))
	}
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, secret, nil)
	if err != nil {
		return fmt.Errorf("wrap the material: %w", err)
	}
	in := &kms.ImportKeyMaterialInput{KeyId: &d.spec.Key, ImportToken: p.ImportToken, EncryptedKeyMaterial: wrapped,
		ExpirationModel: was.Model, KeyMaterialId: optional(d.spec.MaterialID)}
	if d.spec.MaterialID != "" {
		in.ImportType = types.ImportTypeExistingKeyMaterial
	}
	if was.Model == types.ExpirationModelTypeKeyMaterialExpires {
		in.ValidTo = &was.ValidTo
	}
	if _, err := d.cloud.kms.ImportKeyMaterial(ctx, in); err != nil {
		return d.cloud.explain("import key material from "+d.spec.Material, d.cloud.endpoints.KMS, err)
	}
	return nil
}

// ByHand needs openssl beside the aws command line. What it wraps stays in a folder of its own, and that
// is removed.
func (d *deleteKeyMaterial) ByHand(prior faults.State) string {
	var was materialState
	if err := json.Unmarshal(prior, &was); err != nil {
		return ""
	}
	at := d.cloud.endpoints.KMS
	load := d.cloud.command(at, "kms", "import-key-material", "--key-id", d.spec.Key, "--expiration-model", string(was.Model)) +
		` --import-token "fileb://$d/token" --encrypted-key-material "fileb://$d/wrapped"`
	if was.Model == types.ExpirationModelTypeKeyMaterialExpires {
		load += " --valid-to " + was.ValidTo.Format(time.RFC3339Nano)
	}
	return `d=$(mktemp -d) && ` + d.cloud.command(at, "kms", "get-parameters-for-import", "--key-id", d.spec.Key,
		"--wrapping-algorithm", "RSAES_OAEP_SHA_256", "--wrapping-key-spec", "RSA_4096", "--query", "[PublicKey,ImportToken]", "--output", "text") +
		` > "$d/both" && cut -f1 "$d/both" | openssl base64 -d -A > "$d/public" && cut -f2 "$d/both" | openssl base64 -d -A > "$d/token"` +
		` && openssl pkeyutl -encrypt -in ` + Quote(d.spec.Material) + ` -out "$d/wrapped" -pubin -inkey "$d/public" -keyform DER` +
		` -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 && ` + load + ` && rm -r "$d"`
}
