package kms

import (
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// An ImportKeyMaterialRequest brings wrapped key material for a key with Origin EXTERNAL, named by id
// or ARN.
type ImportKeyMaterialRequest struct {
	KeyId                  string     `json:",omitempty"`
	ImportToken            []byte     `json:",omitempty"` // of GetParametersForImport
	EncryptedKeyMaterial   []byte     `json:",omitempty"` // under the public key that came with the token
	ValidTo                *Timestamp `json:",omitempty"` // with KEY_MATERIAL_EXPIRES only; at most 365 days ahead
	ExpirationModel        string     `json:",omitempty"` // default KEY_MATERIAL_EXPIRES
	ImportType             string     `json:",omitempty"` // symmetric keys only; default by whether anything was imported before
	KeyMaterialDescription string     `json:",omitempty"` // symmetric keys only
	KeyMaterialId          string     `json:",omitempty"` // symmetric keys only: which material comes back
}

// An ImportKeyMaterialResponse names the key and, if symmetric, the material.
type ImportKeyMaterialResponse struct {
	KeyId         string // ARN
	KeyMaterialId string `json:",omitempty"`
}

// A DeleteImportedKeyMaterialRequest names a key with Origin EXTERNAL, by id or ARN.
type DeleteImportedKeyMaterialRequest struct {
	KeyId         string `json:",omitempty"`
	KeyMaterialId string `json:",omitempty"` // default: the current material
}

// A DeleteImportedKeyMaterialResponse names the key and, if symmetric, the material that is gone.
type DeleteImportedKeyMaterialResponse struct {
	KeyId         string // ARN
	KeyMaterialId string `json:",omitempty"`
}

var (
	importKeyMaterial = operation[ImportKeyMaterialRequest, ImportKeyMaterialResponse]{
		"ImportKeyMaterial", (*Service).importKeyMaterial}
	deleteImportedKeyMaterial = operation[DeleteImportedKeyMaterialRequest, DeleteImportedKeyMaterialResponse]{
		"DeleteImportedKeyMaterial", (*Service).deleteImportedKeyMaterial}
)

// ImportKeyMaterial gives a key its material, or gives it back, or gives a symmetric key the material
// of its next rotation. A key that waited for it is enabled.
func (s *Service) ImportKeyMaterial(c iam.Caller, in *ImportKeyMaterialRequest) (*ImportKeyMaterialResponse, error) {
	return importKeyMaterial.call(s, c, in)
}

// DeleteImportedKeyMaterial makes a key unusable at once, until the same material is imported again.
func (s *Service) DeleteImportedKeyMaterial(c iam.Caller, in *DeleteImportedKeyMaterialRequest) (*DeleteImportedKeyMaterialResponse, error) {
	return deleteImportedKeyMaterial.call(s, c, in)
}

const (
	expires       = "KEY_MATERIAL_EXPIRES"
	doesNotExpire = "KEY_MATERIAL_DOES_NOT_EXPIRE"
	newOne        = "NEW_KEY_MATERIAL"
	existing      = "EXISTING_KEY_MATERIAL"

	maxValidity = 365 * 24 * time.Hour
)

// check checks what can be checked without the key, and fills in the default of ExpirationModel. The
// text about a missing validTo is AWS's; for the other two no source has them.
func (in *ImportKeyMaterialRequest) check(c *call) *Error {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.blob("ImportToken", in.ImportToken, maxBlob)
	v.blob("EncryptedKeyMaterial", in.EncryptedKeyMaterial, maxBlob)
	v.enum("ExpirationModel", in.ExpirationModel, []string{expires, doesNotExpire})
	v.enum("ImportType", in.ImportType, []string{newOne, existing})
	v.optional("KeyMaterialDescription", in.KeyMaterialDescription, 0, 256)
	v.optional("KeyMaterialId", in.KeyMaterialId, 64, 64)
	if err := v.err(); err != nil {
		return err
	}
	switch {
	case in.ExpirationModel == doesNotExpire && in.ValidTo != nil:
		return refuse("ValidationException", "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE")
	case in.ExpirationModel == doesNotExpire:
	case in.ValidTo == nil:
		return refuse("ValidationException", "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	case !in.ValidTo.After(c.now) || in.ValidTo.After(c.now.Add(maxValidity)):
		return refuse("ValidationException", "The validTo date must be in the future and at most 365 days from now")
	}
	if in.KeyMaterialId != "" && in.ImportType == newOne {
		return refuse("ValidationException", "KeyMaterialId cannot be specified with ImportType NEW_KEY_MATERIAL")
	}
	return nil
}

func (s *Service) importKeyMaterial(c *call, in *ImportKeyMaterialRequest) (*ImportKeyMaterialResponse, *Error) {
	if err := in.check(c); err != nil {
		return nil, err
	}
	values := map[string]string{"expirationmodel": in.ExpirationModel}
	if in.ExpirationModel == "" {
		values["expirationmodel"] = expires
	}
	if in.ValidTo != nil {
		values["validto"] = strconv.FormatInt(in.ValidTo.Unix(), 10)
	}
	// What takes long comes before the lock: nothing about the key that matters here ever changes.
	t, genuine := readToken(s.tokens, in.ImportToken)
	secret, opened := t.unwrap(in.EncryptedKeyMaterial)
	var m *material
	var failure error
	if spec := s.specOf(t.key); opened && spec != "" {
		m, failure = materialOf(t.key, spec, secret)
	}

	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, "ImportKeyMaterial", in.KeyId, nil, access{values: values})
	if err != nil {
		return nil, err
	}
	if err := external(k); err != nil {
		return nil, err
	}
	if err := importable.check(k); err != nil {
		return nil, err
	}
	switch {
	case !genuine || t.key != k.id:
		return nil, refuse("InvalidImportTokenException", "")
	case !c.now.Before(t.until):
		return nil, refuse("ExpiredImportTokenException", "")
	case !opened:
		return nil, errCiphertext()
	case k.spec != symmetric && (in.ImportType != "" || in.KeyMaterialDescription != "" || in.KeyMaterialId != ""):
		return nil, refuse("ValidationException", "ImportType, KeyMaterialDescription and KeyMaterialId are valid for symmetric encryption keys only.")
	}
	if failure != nil {
		return nil, refuse("IncorrectKeyMaterialException", "The key material is not valid for KeySpec %s: %v", k.spec, failure)
	}
	made, err := k.place(m, in, c.now)
	if err != nil {
		return nil, err
	}
	made.material, made.expires = m, time.Time{}
	if in.ValidTo != nil {
		made.expires = in.ValidTo.Time
		s.expect(made.expires)
	}
	if in.KeyMaterialDescription != "" {
		made.description = in.KeyMaterialDescription
	}
	if k.state == PendingImport && k.complete() {
		k.state = Enabled
	}
	return &ImportKeyMaterialResponse{KeyId: k.arn, KeyMaterialId: k.shown(made)}, nil
}

// specOf is the KeySpec of a key, or "" for none.
func (s *Service) specOf(id uuid.UUID) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if k := s.keyOf(blob{key: id}); k != nil {
		return k.spec
	}
	return ""
}

// place finds or makes the version that imported material belongs to. s.mu must be held.
func (k *key) place(m *material, in *ImportKeyMaterialRequest, now time.Time) (*version, *Error) {
	as := in.ImportType
	if as == "" {
		as = existing
		if len(k.versions) == 0 {
			as = newOne
		}
	}
	known := k.version(m.id)
	if as == existing {
		if known == nil || in.KeyMaterialId != "" && in.KeyMaterialId != known.String() {
			return nil, errMaterial()
		}
		return known, nil
	}
	if known != nil {
		return nil, refuse("IncorrectKeyMaterialException", "The key material (id: %s) has been imported into this KMS key before.", known)
	}
	if len(k.versions) == 0 {
		k.current = k.add(m, now)
		return k.current, nil
	}
	if pending := k.waiting(); pending != nil {
		return nil, refuse("KMSInvalidStateException", "New key material (id: %s) cannot be imported into KMS key %s, because another "+
			"key material (id: %s) is pending rotation.", m, k.arn, pending)
	}
	made := k.add(m, now)
	made.pending = true
	return made, nil
}

// errMaterial refuses material that is not one the key had before. No source has AWS's text.
func errMaterial() *Error {
	return refuse("IncorrectKeyMaterialException", "The key material is not the same key material that was previously imported into this KMS key.")
}

// shown is the id of a version as responses show it, "" for keys that are not symmetric.
func (k *key) shown(v *version) string {
	if k.spec != symmetric {
		return ""
	}
	return v.String()
}

func (s *Service) deleteImportedKeyMaterial(c *call, in *DeleteImportedKeyMaterialRequest) (*DeleteImportedKeyMaterialResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.optional("KeyMaterialId", in.KeyMaterialId, 64, 64)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, "DeleteImportedKeyMaterial", in.KeyId, nil, access{})
	if err != nil {
		return nil, err
	}
	if err := external(k); err != nil {
		return nil, err
	}
	gone := k.current
	if in.KeyMaterialId != "" {
		var id [32]byte
		if _, err := hex.Decode(id[:], []byte(in.KeyMaterialId)); err == nil {
			gone = k.version(id)
		}
		if gone == nil || gone.String() != in.KeyMaterialId {
			return nil, refuse("NotFoundException", "Key material %s does not exist in KMS key %s.", in.KeyMaterialId, k.arn)
		}
	}
	if gone == nil {
		return &DeleteImportedKeyMaterialResponse{KeyId: k.arn}, nil // nothing was imported yet
	}
	k.drop(gone)
	return &DeleteImportedKeyMaterialResponse{KeyId: k.arn, KeyMaterialId: k.shown(gone)}, nil
}

// expire takes away imported material whose time is over. s.mu must be held for writing.
func (s *Service) expire(a *agenda) {
	for _, k := range s.keys {
		for _, v := range slices.Clone(k.versions) {
			if at := v.expires; a.due(at) {
				k.drop(v)
				s.announce(ServiceEvent{"DeleteExpiredKeyMaterial", at, k.arn, k.name()})
			}
		}
	}
}

// drop takes imported material away. What it encrypted is unreadable until the same material is
// imported again; material that was waiting for a rotation is simply no longer there. s.mu must be held
// for writing.
func (k *key) drop(v *version) {
	v.material, v.expires = nil, time.Time{}
	if v.pending {
		k.versions = slices.DeleteFunc(k.versions, func(o *version) bool { return o == v })
		return
	}
	if k.state != PendingDeletion {
		k.state = PendingImport
	}
}
