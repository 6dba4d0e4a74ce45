package kms

import (
	"fmt"
	"strconv"
	"time"

	"loadkms/sandbox/iam"
)

// Rotation gives a key new material to encrypt with. Its id, ARN, policies and grants stay, and so do
// the older materials, which decrypt what they encrypted: nobody who uses the key can tell.

// A rotation is when and how a key's material is replaced. The zero value is a key that only its
// owner rotates. It is guarded by Service.mu.
type rotation struct {
	enabled bool      // automatic
	period  int32     // days between automatic rotations
	next    time.Time // of the automatic ones; zero unless enabled

	demanded int       // on-demand rotations so far, the one under way included
	started  time.Time // of the on-demand rotation under way; zero if there is none
	ends     time.Time // of the same
}

// The limits of rotation, from the API reference: the days between automatic rotations, how often a
// key is rotated on demand, and how long before an automatic rotation that is refused.
const (
	minPeriod, usualPeriod, maxPeriod = 90, 365, 2560

	maxDemanded = 25
	tooClose    = 20 * time.Minute
)

// The two ways in which a key comes to new material.
const (
	automatic = "AUTOMATIC"
	onDemand  = "ON_DEMAND"
)

// An EnableKeyRotationRequest names the key to rotate from now on, by id or ARN.
type EnableKeyRotationRequest struct {
	KeyId                string `json:",omitempty"`
	RotationPeriodInDays *int32 `json:",omitempty"` // 90 to 2560; default 365
}

// A DisableKeyRotationRequest names the key to rotate no more, by id or ARN.
type DisableKeyRotationRequest struct {
	KeyId string `json:",omitempty"`
}

// A GetKeyRotationStatusRequest asks about a key's rotation, by id or ARN.
type GetKeyRotationStatusRequest struct {
	KeyId string `json:",omitempty"`
}

// A GetKeyRotationStatusResponse tells of a key's rotation.
type GetKeyRotationStatusResponse struct {
	KeyId                     string // ARN
	KeyRotationEnabled        bool
	RotationPeriodInDays      int32     `json:",omitempty"` // 0 unless enabled
	NextRotationDate          Timestamp `json:",omitzero"`  // zero unless enabled
	OnDemandRotationStartDate Timestamp `json:",omitzero"`  // zero unless one is under way
}

// A RotateKeyOnDemandRequest names the key to rotate, by id or ARN.
type RotateKeyOnDemandRequest struct {
	KeyId string `json:",omitempty"`
}

// A RotateKeyOnDemandResponse holds the ARN of the key.
type RotateKeyOnDemandResponse struct{ KeyId string }

// A ListKeyRotationsRequest asks for the next page of a key's rotations, or materials.
type ListKeyRotationsRequest struct {
	KeyId string `json:",omitempty"`
	// IncludeKeyMaterial is ROTATIONS_ONLY, the default, or ALL_KEY_MATERIAL, which adds the first
	// material and one that waits for its rotation.
	IncludeKeyMaterial string `json:",omitempty"`
	Limit              *int32 `json:",omitempty"` // 1 to 1000; default 100
	Marker             string `json:",omitempty"` // NextMarker of the page before
}

// A ListKeyRotationsResponse is one page of rotations.
type ListKeyRotationsResponse struct {
	Rotations  []RotationsListEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// A RotationsListEntry tells of one material of a key and how it came to be the current one. The
// members about imports are of imported material only.
type RotationsListEntry struct {
	KeyId                  string    // ARN
	KeyMaterialId          string    `json:",omitempty"`
	KeyMaterialDescription string    `json:",omitempty"`
	ImportState            string    `json:",omitempty"` // IMPORTED or PENDING_IMPORT
	KeyMaterialState       string    `json:",omitempty"` // CURRENT, NON_CURRENT or PENDING_ROTATION
	ExpirationModel        string    `json:",omitempty"`
	ValidTo                Timestamp `json:",omitzero"`
	RotationDate           Timestamp `json:",omitzero"` // zero for the first material, and before the rotation
	RotationType           string    `json:",omitempty"`
}

var (
	enableKeyRotation  = operation[EnableKeyRotationRequest, nothing]{"EnableKeyRotation", (*Service).enableKeyRotation}
	disableKeyRotation = operation[DisableKeyRotationRequest, nothing]{"DisableKeyRotation", (*Service).disableKeyRotation}

	getKeyRotationStatus = operation[GetKeyRotationStatusRequest, GetKeyRotationStatusResponse]{
		"GetKeyRotationStatus", (*Service).getKeyRotationStatus}
	rotateKeyOnDemand = operation[RotateKeyOnDemandRequest, RotateKeyOnDemandResponse]{
		"RotateKeyOnDemand", (*Service).rotateKeyOnDemand}
	listKeyRotations = operation[ListKeyRotationsRequest, ListKeyRotationsResponse]{
		"ListKeyRotations", (*Service).listKeyRotations}
)

// EnableKeyRotation lets KMS rotate a key every so many days of sandbox time, from now on.
func (s *Service) EnableKeyRotation(c iam.Caller, in *EnableKeyRotationRequest) error {
	return enableKeyRotation.do(s, c, in)
}

// DisableKeyRotation ends the automatic rotation of a key.
func (s *Service) DisableKeyRotation(c iam.Caller, in *DisableKeyRotationRequest) error {
	return disableKeyRotation.do(s, c, in)
}

// GetKeyRotationStatus tells whether and when a key is rotated.
func (s *Service) GetKeyRotationStatus(c iam.Caller, in *GetKeyRotationStatusRequest,
) (*GetKeyRotationStatusResponse, error) {
	return getKeyRotationStatus.call(s, c, in)
}

// RotateKeyOnDemand rotates a key now; it takes Options.Rotation. A key can be rotated so 25 times in
// its life, and it cannot be undone.
func (s *Service) RotateKeyOnDemand(c iam.Caller, in *RotateKeyOnDemandRequest) (*RotateKeyOnDemandResponse, error) {
	return rotateKeyOnDemand.call(s, c, in)
}

// ListKeyRotations lists the rotations of a key, the oldest first.
func (s *Service) ListKeyRotations(c iam.Caller, in *ListKeyRotationsRequest) (*ListKeyRotationsResponse, error) {
	return listKeyRotations.call(s, c, in)
}

// rotatable refuses keys whose material is never replaced by KMS: only symmetric ones in KMS itself
// are, and those with imported material on demand alone.
func rotatable(k *key, how string) *Error {
	switch {
	case k.spec != symmetric:
		return refuse("UnsupportedOperationException", "")
	case k.origin != "AWS_KMS" && !(k.origin == "EXTERNAL" && how == onDemand):
		return refuse("UnsupportedOperationException", "%s origin is %s which is not valid for this operation.",
			k.arn, k.origin)
	}
	return nil
}

func (r *rotation) days() time.Duration { return time.Duration(r.period) * 24 * time.Hour }

// turnOver lets the rotations happen that are due. A clock that jumps over several finds each of them
// at its own date. Disabled keys and those pending deletion are not rotated. s.mu must be held for
// writing.
func (s *Service) turnOver(a *agenda) {
	for _, k := range s.keys {
		if r := &k.rotation; a.due(r.ends) {
			s.renew(k, r.ends, onDemand)
			r.started, r.ends = time.Time{}, time.Time{}
		}
		if r := &k.rotation; r.enabled && k.state == Enabled {
			for a.due(r.next) {
				s.renew(k, r.next, automatic)
				r.next = r.next.Add(r.days())
			}
		}
	}
}

// renew gives the key its next material: the imported one that waits, or a new one. s.mu must be held
// for writing.
func (s *Service) renew(k *key, at time.Time, how string) {
	v := k.waiting()
	switch {
	case v == nil && k.origin == "EXTERNAL":
		return // the material that was waiting has been deleted, or has expired, in the meantime
	case v == nil:
		v = k.add(newMaterial(k.id), at)
	}
	k.rotate(v, at, how)
	s.announce(ServiceEvent{"RotateKey", at, k.arn, k.name()})
}

// resume takes up the automatic rotation of a key that was enabled: an overdue one happens at once,
// and starts the period anew. s.mu must be held for writing.
func (s *Service) resume(k *key, now time.Time) {
	r := &k.rotation
	if !r.enabled || k.state != Enabled {
		return
	}
	if !now.Before(r.next) {
		s.renew(k, now, automatic)
		r.next = now.Add(r.days())
	}
	s.expect(r.next)
}

func (s *Service) enableKeyRotation(c *call, in *EnableKeyRotationRequest) (*nothing, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.between("RotationPeriodInDays", in.RotationPeriodInDays, minPeriod, maxPeriod)
	if err := v.err(); err != nil {
		return nil, err
	}
	period := int32(usualPeriod)
	if in.RotationPeriodInDays != nil {
		period = *in.RotationPeriodInDays
	}
	s.mu.Lock()
	defer s.unlock()
	k, err := s.rotating(c, "EnableKeyRotation", in.KeyId,
		access{values: map[string]string{"rotationperiodindays": strconv.Itoa(int(period))}})
	if err != nil {
		return nil, err
	}
	r := &k.rotation
	if r.enabled && r.period == period {
		return &nothing{}, nil // asking twice does not put the next rotation off
	}
	r.enabled, r.period = true, period
	r.next = c.now.Add(r.days())
	s.expect(r.next)
	return &nothing{}, nil
}

func (s *Service) disableKeyRotation(c *call, in *DisableKeyRotationRequest) (*nothing, *Error) {
	s.mu.Lock()
	defer s.unlock()
	k, err := s.rotating(c, "DisableKeyRotation", in.KeyId, access{})
	if err != nil {
		return nil, err
	}
	k.rotation.enabled, k.rotation.period, k.rotation.next = false, 0, time.Time{}
	return &nothing{}, nil
}

// rotating finds a key whose automatic rotation is to be changed. s.mu must be held.
func (s *Service) rotating(c *call, action, keyID string, a access) (*key, *Error) {
	k, err := s.manage(c, action, keyID, nil, a)
	if err != nil {
		return nil, err
	}
	if err := rotatable(k, automatic); err != nil {
		return nil, err
	}
	if err := usable.check(k); err != nil {
		return nil, err
	}
	return k, nil
}

func (s *Service) getKeyRotationStatus(c *call, in *GetKeyRotationStatusRequest,
) (*GetKeyRotationStatusResponse, *Error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, err := s.manage(c, "GetKeyRotationStatus", in.KeyId, nil, access{})
	if err != nil {
		return nil, err
	}
	out := &GetKeyRotationStatusResponse{KeyId: k.arn}
	if k.spec != symmetric && k.origin == "AWS_KMS" {
		return out, nil // the guide: the status of these keys is always false
	}
	// Whether there is an automatic rotation cannot be asked of keys that can have none; but that an
	// imported material is being rotated can only be seen here.
	if err := rotatable(k, automatic); err != nil && k.rotation.started.IsZero() {
		return nil, err
	}
	r := k.rotation
	out.OnDemandRotationStartDate = Timestamp{r.started}
	if r.enabled && k.state != PendingDeletion {
		out.KeyRotationEnabled, out.RotationPeriodInDays, out.NextRotationDate = true, r.period, Timestamp{r.next}
	}
	return out, nil
}

func (s *Service) rotateKeyOnDemand(c *call, in *RotateKeyOnDemandRequest) (*RotateKeyOnDemandResponse, *Error) {
	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, "RotateKeyOnDemand", in.KeyId, nil, access{})
	if err != nil {
		return nil, err
	}
	if err := rotatable(k, onDemand); err != nil {
		return nil, err
	}
	if err := usable.check(k); err != nil {
		return nil, err
	}
	r := &k.rotation
	switch {
	case !r.started.IsZero():
		return nil, refuse("ConflictException", "An on-demand rotation of the key %s is in progress.", k.arn)
	case r.enabled && r.next.Sub(c.now) <= tooClose:
		return nil, refuse("ConflictException", "An automatic rotation of the key %s is in progress or scheduled to begin "+
			"within the next 20 minutes.", k.arn)
	case r.demanded >= maxDemanded:
		return nil, refuse("LimitExceededException", "The on-demand rotations limit has been reached for the given keyId. "+
			"No more on-demand rotations can be performed for this key: %s", k.arn)
	case k.origin == "EXTERNAL" && k.waiting() == nil:
		return nil, refuse("KMSInvalidStateException", "No available key material pending rotation for the key: %s.", k.arn)
	}
	r.demanded++
	if s.rotation <= 0 {
		s.renew(k, c.now, onDemand)
	} else {
		r.started, r.ends = c.now, c.now.Add(s.rotation)
		s.expect(r.ends)
	}
	return &RotateKeyOnDemandResponse{k.arn}, nil
}

func (s *Service) listKeyRotations(c *call, in *ListKeyRotationsRequest) (*ListKeyRotationsResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.enum("IncludeKeyMaterial", in.IncludeKeyMaterial, []string{"ALL_KEY_MATERIAL", "ROTATIONS_ONLY"})
	v.between("Limit", in.Limit, 1, 1000)
	v.optional("Marker", in.Marker, 1, 1024)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, err := s.manage(c, "ListKeyRotations", in.KeyId, nil, access{})
	if err != nil {
		return nil, err
	}
	if err := rotatable(k, onDemand); err != nil {
		return nil, err
	}
	var shown []*version
	for _, v := range k.versions {
		if in.IncludeKeyMaterial == "ALL_KEY_MATERIAL" || !v.rotated.IsZero() {
			shown = append(shown, v)
		}
	}
	order := func(v *version) string { return fmt.Sprintf("%020d %s", v.added.UnixNano(), v) }
	page, next, err := paginate(shown, order, in.Marker, in.Limit, 100)
	if err != nil {
		return nil, err
	}
	out := &ListKeyRotationsResponse{Rotations: []RotationsListEntry{}, NextMarker: next, Truncated: next != ""}
	for _, v := range page {
		out.Rotations = append(out.Rotations, k.entry(v))
	}
	return out, nil
}

// entry tells of one material of the key.
func (k *key) entry(v *version) RotationsListEntry {
	e := RotationsListEntry{KeyId: k.arn, KeyMaterialId: v.String(), KeyMaterialState: "NON_CURRENT",
		RotationDate: Timestamp{v.rotated}, RotationType: v.rotation}
	switch {
	case v == k.current:
		e.KeyMaterialState = "CURRENT"
	case v.pending:
		e.KeyMaterialState = "PENDING_ROTATION"
	}
	if k.origin != "EXTERNAL" {
		return e
	}
	e.KeyMaterialDescription, e.ImportState = v.description, "PENDING_IMPORT"
	if v.material != nil {
		e.ImportState, e.ExpirationModel, e.ValidTo = "IMPORTED", "KEY_MATERIAL_DOES_NOT_EXPIRE", Timestamp{v.expires}
		if !v.expires.IsZero() {
			e.ExpirationModel = "KEY_MATERIAL_EXPIRES"
		}
	}
	return e
}
