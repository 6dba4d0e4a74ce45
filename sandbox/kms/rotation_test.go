package kms_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/kms"
)

const day = 24 * time.Hour

// rigOf is newRig with options.
func rigOf(t testing.TB, o kms.Options) *rig {
	t.Helper()
	o.Account, o.Region = account, region
	if o.Clock == nil {
		o.Clock = clock.New(1)
	}
	s := kms.New(o)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &rig{Service: s, clock: o.Clock, url: server.URL, admin: s.Directory().Admin()}
}

// material is the id of the material that a key encrypts with.
func (r *rig) material(t testing.TB, client *sdk.Client, key string) string {
	t.Helper()
	out, err := client.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &key})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.KeyMetadata.CurrentKeyMaterialId)
}

func rotations(t testing.TB, client *sdk.Client, key string, include types.IncludeKeyMaterial) []types.RotationsListEntry {
	t.Helper()
	var all []types.RotationsListEntry
	p := sdk.NewListKeyRotationsPaginator(client, &sdk.ListKeyRotationsInput{KeyId: &key, IncludeKeyMaterial: include, Limit: aws.Int32(2)})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Rotations) > 2 || page.Truncated != (page.NextMarker != nil) {
			t.Fatalf("page %s", asJSON(page))
		}
		all = append(all, page.Rotations...)
	}
	return all
}

// TestAutomaticRotation lets three years pass.
func TestAutomaticRotation(t *testing.T) {
	var events []kms.ServiceEvent
	r := rigOf(t, kms.Options{ServiceEvents: func(e kms.ServiceEvent) { events = append(events, e) }})
	client, ctx := r.client("AKIA"), t.Context()
	arn, id := r.newKey(t, kms.CreateKeyRequest{})
	first := r.material(t, client, id)
	sealed, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: &id, Plaintext: []byte("old")})
	if err != nil {
		t.Fatal(err)
	}
	status := func() *sdk.GetKeyRotationStatusOutput {
		t.Helper()
		out, err := client.GetKeyRotationStatus(ctx, &sdk.GetKeyRotationStatusInput{KeyId: &id})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if s := status(); s.KeyRotationEnabled || s.NextRotationDate != nil || s.RotationPeriodInDays != nil || *s.KeyId != arn {
		t.Errorf("a new key's status is %s", asJSON(s))
	}
	if _, err := client.EnableKeyRotation(ctx, &sdk.EnableKeyRotationInput{KeyId: &id}); err != nil {
		t.Fatal(err)
	}
	s := status()
	due := *s.NextRotationDate
	if !s.KeyRotationEnabled || *s.RotationPeriodInDays != 365 || due.Sub(r.clock.Now()).Round(time.Hour) != 365*day {
		t.Errorf("status %s", asJSON(s))
	}
	r.clock.Advance(100 * day)
	if _, err := client.EnableKeyRotation(ctx, &sdk.EnableKeyRotationInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	if got := *status().NextRotationDate; !got.Equal(due) {
		t.Errorf("asked again, the next rotation is %v, want still %v", got, due)
	}
	if got := r.material(t, client, id); got != first {
		t.Errorf("rotated before the time")
	}
	r.clock.Advance(1000 * day) // 1100 days after it was enabled
	if got := r.material(t, client, id); got == first {
		t.Errorf("not rotated after three years")
	}
	all := rotations(t, client, id, types.IncludeKeyMaterialAllKeyMaterial)
	if len(all) != 4 || *all[0].KeyMaterialId != first || all[0].RotationDate != nil || all[0].RotationType != "" {
		t.Fatalf("materials %s", asJSON(all))
	}
	for i, e := range all[1:] {
		want := due.Add(time.Duration(i) * 365 * day)
		if !e.RotationDate.Equal(want) || e.RotationType != types.RotationTypeAutomatic || *e.KeyId != arn {
			t.Errorf("rotation %d: %s, want at %v", i, asJSON(e), want)
		}
		state := types.KeyMaterialStateNonCurrent
		if i == 2 {
			state = types.KeyMaterialStateCurrent
		}
		if e.KeyMaterialState != state {
			t.Errorf("rotation %d is %s, want %s", i, e.KeyMaterialState, state)
		}
	}
	if got := rotations(t, client, id, ""); len(got) != 3 || *got[0].KeyMaterialId != *all[1].KeyMaterialId {
		t.Errorf("rotations only: %s", asJSON(got))
	}
	if len(events) != 3 || events[2].Name != "RotateKey" || events[2].KeyARN != arn || events[2].KeyID != id ||
		events[2].At.UnixMilli() != due.Add(730*day).UnixMilli() {
		t.Errorf("events %+v", events)
	}
	opened, err := client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	if err != nil || string(opened.Plaintext) != "old" || *opened.KeyMaterialId != first {
		t.Errorf("what the first material encrypted: %s, %v", asJSON(opened), err)
	}
	if _, err := client.DisableKeyRotation(ctx, &sdk.DisableKeyRotationInput{KeyId: &id}); err != nil {
		t.Fatal(err)
	}
	last := r.material(t, client, id)
	r.clock.Advance(1000 * day)
	if s := status(); s.KeyRotationEnabled || s.NextRotationDate != nil || r.material(t, client, id) != last {
		t.Errorf("still rotating: %s", asJSON(s))
	}
}

func TestRotationFollowsTheState(t *testing.T) {
	r := newRig(t)
	client := r.client("AKIA")
	_, id := r.newKey(t, kms.CreateKeyRequest{})
	ninety := int32(90)
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	try(r.EnableKeyRotation(r.admin, &kms.EnableKeyRotationRequest{KeyId: id, RotationPeriodInDays: &ninety}))
	first := r.material(t, client, id)
	try(r.DisableKey(r.admin, &kms.DisableKeyRequest{KeyId: id}))
	r.clock.Advance(200 * day)
	if r.material(t, client, id) != first {
		t.Error("a disabled key was rotated")
	}
	out, err := r.GetKeyRotationStatus(r.admin, &kms.GetKeyRotationStatusRequest{KeyId: id})
	if err != nil || !out.KeyRotationEnabled {
		t.Errorf("a disabled key's rotation is %+v, %v", out, err)
	}
	try(r.EnableKey(r.admin, &kms.EnableKeyRequest{KeyId: id}))
	second := r.material(t, client, id)
	if second == first {
		t.Error("an overdue key was not rotated at once")
	}
	out, err = r.GetKeyRotationStatus(r.admin, &kms.GetKeyRotationStatusRequest{KeyId: id})
	if got := out.NextRotationDate.Sub(r.clock.Now()).Round(time.Hour); err != nil || got != 90*day {
		t.Errorf("next rotation in %v, %v", got, err)
	}
	seven := int32(30)
	_, err = r.ScheduleKeyDeletion(r.admin, &kms.ScheduleKeyDeletionRequest{KeyId: id, PendingWindowInDays: &seven})
	try(err)
	out, err = r.GetKeyRotationStatus(r.admin, &kms.GetKeyRotationStatusRequest{KeyId: id})
	if err != nil || out.KeyRotationEnabled || !out.NextRotationDate.IsZero() {
		t.Errorf("pending deletion, its rotation is %+v, %v", out, err)
	}
	_, err = r.CancelKeyDeletion(r.admin, &kms.CancelKeyDeletionRequest{KeyId: id})
	try(err)
	try(r.EnableKey(r.admin, &kms.EnableKeyRequest{KeyId: id}))
	out, err = r.GetKeyRotationStatus(r.admin, &kms.GetKeyRotationStatusRequest{KeyId: id})
	if err != nil || !out.KeyRotationEnabled || r.material(t, client, id) != second {
		t.Errorf("back again, its rotation is %+v, %v", out, err)
	}
	r.clock.Advance(91 * day)
	if r.material(t, client, id) == second {
		t.Error("the schedule was forgotten")
	}
}

func TestOnDemandRotation(t *testing.T) {
	r := newRig(t)
	client, ctx := r.client("AKIA"), t.Context()
	arn, id := r.newKey(t, kms.CreateKeyRequest{})
	var blobs [][]byte
	var materials []string
	for i := range 26 {
		sealed, err := client.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: &id, KeySpec: types.DataKeySpecAes256})
		if err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, append(sealed.Plaintext, sealed.CiphertextBlob...))
		materials = append(materials, *sealed.KeyMaterialId)
		out, err := client.RotateKeyOnDemand(ctx, &sdk.RotateKeyOnDemandInput{KeyId: &id})
		if i == 25 {
			fails(t, err, "LimitExceededException", "The on-demand rotations limit has been reached for the given keyId. "+
				"No more on-demand rotations can be performed for this key: "+arn)
			break
		}
		if err != nil || *out.KeyId != arn {
			t.Fatalf("rotation %d: %s, %v", i, asJSON(out), err)
		}
	}
	for i, b := range blobs {
		opened, err := client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: b[32:]})
		if err != nil || !bytes.Equal(opened.Plaintext, b[:32]) || *opened.KeyMaterialId != materials[i] {
			t.Errorf("blob %d: %v", i, err)
		}
	}
	if slices.Sort(materials); len(slices.Compact(materials)) != 26 {
		t.Error("a material came twice")
	}
	all := rotations(t, client, id, types.IncludeKeyMaterialRotationsOnly)
	if len(all) != 25 || all[0].RotationType != types.RotationTypeOnDemand || *all[24].KeyMaterialId != r.material(t, client, id) {
		t.Errorf("rotations %s", asJSON(all))
	}
}

func TestOnDemandRotationTakesItsTime(t *testing.T) {
	r := rigOf(t, kms.Options{Rotation: 10 * time.Second})
	client, ctx := r.client("AKIA"), t.Context()
	arn, id := r.newKey(t, kms.CreateKeyRequest{})
	first := r.material(t, client, id)
	rotate := func() error {
		_, err := client.RotateKeyOnDemand(ctx, &sdk.RotateKeyOnDemandInput{KeyId: &id})
		return err
	}
	if err := rotate(); err != nil {
		t.Fatal(err)
	}
	s, err := client.GetKeyRotationStatus(ctx, &sdk.GetKeyRotationStatusInput{KeyId: &id})
	if err != nil || s.OnDemandRotationStartDate == nil || s.KeyRotationEnabled || r.material(t, client, id) != first {
		t.Errorf("under way: %s, %v", asJSON(s), err)
	}
	fails(t, rotate(), "ConflictException", "An on-demand rotation of the key "+arn+" is in progress.")
	r.clock.Advance(11 * time.Second)
	s, err = client.GetKeyRotationStatus(ctx, &sdk.GetKeyRotationStatusInput{KeyId: &id})
	if err != nil || s.OnDemandRotationStartDate != nil || r.material(t, client, id) == first {
		t.Errorf("done: %s, %v", asJSON(s), err)
	}
	if err := r.EnableKeyRotation(r.admin, &kms.EnableKeyRotationRequest{KeyId: id}); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(365*day - 19*time.Minute)
	fails(t, rotate(), "ConflictException", "An automatic rotation of the key "+arn+" is in progress or scheduled to begin within the next 20 minutes.")
	r.clock.Advance(20 * time.Minute)
	if err := rotate(); err != nil {
		t.Errorf("after the automatic rotation: %v", err)
	}
}

// TestRotationRefusals is the part of the key state table that is about rotation, and what cannot be
// rotated at all.
func TestRotationRefusals(t *testing.T) {
	r := newRig(t)
	client, ctx := r.client("AKIA"), t.Context()
	key := func(in kms.CreateKeyRequest, to ...func(id string) error) string {
		arn, id := r.newKey(t, in)
		for _, do := range to {
			if err := do(id); err != nil {
				t.Fatal(err)
			}
		}
		return arn
	}
	disable := func(id string) error { return r.DisableKey(r.admin, &kms.DisableKeyRequest{KeyId: id}) }
	schedule := func(id string) error {
		_, err := r.ScheduleKeyDeletion(r.admin, &kms.ScheduleKeyDeletionRequest{KeyId: id})
		return err
	}
	keys := map[string]string{
		"disabled": key(kms.CreateKeyRequest{}, disable), "pending": key(kms.CreateKeyRequest{}, schedule),
		"ECC":      key(kms.CreateKeyRequest{KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY"}),
		"HMAC":     key(kms.CreateKeyRequest{KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC"}),
		"external": key(kms.CreateKeyRequest{Origin: "EXTERNAL"}),
	}
	const unsupported, disabled, invalid = "UnsupportedOperationException", "DisabledException", "KMSInvalidStateException"
	origin := "%s origin is EXTERNAL which is not valid for this operation."
	calls := map[string]func(id string) error{
		"EnableKeyRotation": func(id string) error {
			_, err := client.EnableKeyRotation(ctx, &sdk.EnableKeyRotationInput{KeyId: &id})
			return err
		},
		"DisableKeyRotation": func(id string) error {
			_, err := client.DisableKeyRotation(ctx, &sdk.DisableKeyRotationInput{KeyId: &id})
			return err
		},
		"GetKeyRotationStatus": func(id string) error {
			_, err := client.GetKeyRotationStatus(ctx, &sdk.GetKeyRotationStatusInput{KeyId: &id})
			return err
		},
		"RotateKeyOnDemand": func(id string) error {
			_, err := client.RotateKeyOnDemand(ctx, &sdk.RotateKeyOnDemandInput{KeyId: &id})
			return err
		},
		"ListKeyRotations": func(id string) error {
			_, err := client.ListKeyRotations(ctx, &sdk.ListKeyRotationsInput{KeyId: &id})
			return err
		},
	}
	tests := []struct{ op, key, code, message string }{
		{"EnableKeyRotation", "disabled", disabled, "%s is disabled."},
		{"EnableKeyRotation", "pending", invalid, "%s is pending deletion."},
		{"EnableKeyRotation", "ECC", unsupported, ""},
		{"EnableKeyRotation", "HMAC", unsupported, ""},
		{"EnableKeyRotation", "external", unsupported, origin},
		{"DisableKeyRotation", "disabled", disabled, "%s is disabled."},
		{"DisableKeyRotation", "pending", invalid, "%s is pending deletion."},
		{"DisableKeyRotation", "external", unsupported, origin},
		{"GetKeyRotationStatus", "disabled", "", ""},
		{"GetKeyRotationStatus", "pending", "", ""},
		{"GetKeyRotationStatus", "ECC", "", ""}, // always false
		{"GetKeyRotationStatus", "HMAC", "", ""},
		{"GetKeyRotationStatus", "external", unsupported, origin},
		{"RotateKeyOnDemand", "disabled", disabled, "%s is disabled."},
		{"RotateKeyOnDemand", "pending", invalid, "%s is pending deletion."},
		{"RotateKeyOnDemand", "ECC", unsupported, ""},
		{"RotateKeyOnDemand", "HMAC", unsupported, ""},
		{"RotateKeyOnDemand", "external", invalid, "%s is pending import."},
		{"ListKeyRotations", "disabled", "", ""},
		{"ListKeyRotations", "pending", "", ""},
		{"ListKeyRotations", "ECC", unsupported, ""},
	}
	for _, tt := range tests {
		t.Run(tt.op+" "+tt.key, func(t *testing.T) {
			err := calls[tt.op](keys[tt.key])
			if tt.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			message := tt.message
			if message != "" {
				message = fmt.Sprintf(message, keys[tt.key])
			}
			fails(t, err, tt.code, message)
		})
	}
	for _, days := range []int32{89, 2561} {
		_, err := client.EnableKeyRotation(ctx, &sdk.EnableKeyRotationInput{KeyId: aws.String(keys["ECC"]), RotationPeriodInDays: &days})
		bound := "greater than or equal to 90"
		if days > 90 {
			bound = "less than or equal to 2560"
		}
		fails(t, err, "ValidationException", fmt.Sprintf("1 validation error detected: Value '%d' at 'rotationPeriodInDays' "+
			"failed to satisfy constraint: Member must have value %s", days, bound))
	}
}
