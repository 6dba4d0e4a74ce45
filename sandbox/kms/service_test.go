package kms_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

const authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/eu-west-2/kms/aws4_request, SignedHeaders=host, Signature=x"

// post sends one request by hand.
func (r *rig) post(t testing.TB, target, body string, header ...string) (status int, h http.Header, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", r.url+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", target)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("Authorization", authorization)
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

func TestWire(t *testing.T) {
	r := newRig(t)
	arn, id := r.newKey(t, kms.CreateKeyRequest{})
	tests := []struct {
		name, target, body string
		header             []string
		status             int
		want               string // the whole body
	}{
		{"no output, no body", "TrentService.DisableKey", `{"KeyId":"` + id + `"}`, nil, 200, ``},
		{"a modelled error", "TrentService.Encrypt", `{"KeyId":"` + id + `","Plaintext":"eA=="}`, nil, 400,
			`{"__type":"DisabledException","message":"` + arn + ` is disabled."}`},
		{"enabled again", "TrentService.EnableKey", `{"KeyId":"` + id + `"}`, nil, 200, ``},
		{"unknown members are ignored", "TrentService.EnableKey", `{"KeyId":"` + id + `","Color":"blue"}`, nil, 200, ``},
		{"an error without message", "TrentService.Decrypt", `{"CiphertextBlob":"eA=="}`, nil, 400, `{"__type":"InvalidCiphertextException"}`},
		{"access denied", "TrentService.ListKeys", `{}`, []string{"Authorization", strings.ReplaceAll(authorization, "AKIAIOSFODNN7EXAMPLE", iam.GetRecordKey)}, 400,
			`{"Message":"User: arn:aws:sts::123456789012:assumed-role/qldb-kms-get-record-role/get-record is not authorized to perform: kms:ListKeys on resource: * because no identity-based policy allows the kms:ListKeys action","__type":"AccessDeniedException"}`},
		{"unknown operation", "TrentService.MakeCoffee", `{}`, nil, 400, `{"__type":"UnknownOperationException"}`},
		{"another service's", "Coffee.DescribeKey", `{}`, nil, 400, `{"__type":"UnknownOperationException"}`},
		{"a kind of key we do not have", "TrentService.CreateKey", `{"KeySpec":"SM2","KeyUsage":"SIGN_VERIFY"}`, nil, 400,
			`{"__type":"UnsupportedOperationException","message":"the sandbox does not have keys with KeySpec SM2: Go's standard library does not have SM2"}`},
		{"no output, but a body", "TrentService.ConnectCustomKeyStore", `{"CustomKeyStoreId":"cks-1"}`, nil, 400,
			`{"__type":"CustomKeyStoreNotFoundException","message":"Custom key store cks-1 does not exist."}`},
		{"no authorization", "TrentService.ListKeys", `{}`, []string{"Authorization", ""}, 403, `{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`},
		{"bad authorization", "TrentService.ListKeys", `{}`, []string{"Authorization", "Bearer x"}, 403,
			`{"__type":"IncompleteSignatureException","message":"Authorization header requires 'Credential' parameter."}`},
		{"no member", "TrentService.DescribeKey", `{}`, nil, 400, `{"__type":"ValidationException","message":"1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"}`},
		{"no body", "TrentService.DescribeKey", ``, nil, 400, `{"__type":"ValidationException","message":"1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"}`},
		{"empty member", "TrentService.DescribeKey", `{"KeyId":""}`, nil, 400,
			`{"__type":"ValidationException","message":"1 validation error detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1"}`},
		{"no JSON", "TrentService.DescribeKey", `{"KeyId":`, nil, 400, `{"__type":"SerializationException"}`},
		{"no object", "TrentService.DescribeKey", `[]`, nil, 400, `{"__type":"SerializationException","message":"Start of structure or map found where not expected."}`},
		{"wrong kind", "TrentService.DescribeKey", `{"KeyId":5}`, nil, 400, `{"__type":"SerializationException","message":"NUMBER_VALUE can not be converted to the type of KeyId"}`},
		{"no base64", "TrentService.Decrypt", `{"CiphertextBlob":"***"}`, nil, 400, `{"__type":"SerializationException"}`},
		{"too large", "TrentService.ListKeys", `{"x":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413,
			`{"__type":"RequestEntityTooLargeException","message":"The request is larger than 1048576 bytes."}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, h, got := r.post(t, tt.target, tt.body, tt.header...)
			if status != tt.status || got != tt.want {
				t.Errorf("answer %d %s, want %d %s", status, got, tt.status, tt.want)
			}
			if len(h.Get("x-amzn-RequestId")) != 36 || h.Get("Content-Type") != "application/x-amz-json-1.1" {
				t.Errorf("headers %v", h)
			}
			var e struct {
				Type string `json:"__type"`
			}
			if tt.status != 200 && (json.Unmarshal([]byte(got), &e) != nil || h.Get("X-Amzn-ErrorType") != e.Type || e.Type == "") {
				t.Errorf("X-Amzn-ErrorType %q with body %s", h.Get("X-Amzn-ErrorType"), got)
			}
		})
	}
	_, _, got := r.post(t, "TrentService.DescribeKey", `{"KeyId":"`+id+`"}`)
	var metadata struct{ KeyMetadata map[string]any }
	d := json.NewDecoder(strings.NewReader(got))
	d.UseNumber()
	if err := d.Decode(&metadata); err != nil {
		t.Fatal(err)
	}
	seconds, err := metadata.KeyMetadata["CreationDate"].(json.Number).Float64()
	if err != nil || time.Since(time.UnixMilli(int64(seconds*1000))).Abs() > time.Minute {
		t.Errorf("created at %v", metadata.KeyMetadata["CreationDate"])
	}
	if _, there := metadata.KeyMetadata["DeletionDate"]; there {
		t.Errorf("a key that stays has a deletion date: %s", got)
	}
}

func TestPreHook(t *testing.T) {
	r := newRig(t)
	arn, _ := r.newKey(t, kms.CreateKeyRequest{})
	var seen []string
	answer := error(nil)
	r.SetPreHook(func(op string, c iam.Caller) error {
		seen = append(seen, op+" "+c.Principal)
		return answer
	})
	for _, tt := range []struct {
		answer error
		want   string
		status int
	}{
		{nil, "", 0},
		{&kms.Error{Code: "ThrottlingException", Message: "slow down"}, "ThrottlingException: slow down", 400},
		{&kms.Error{Status: 503, Code: "DependencyTimeoutException"}, "DependencyTimeoutException: ", 503},
		{fmt.Errorf("wrapped: %w", &kms.Error{Code: "KeyUnavailableException"}), "KeyUnavailableException: ", 500},
		{errors.New("boom"), "KMSInternalException: boom", 500},
	} {
		answer = tt.answer
		_, err := r.DescribeKey(r.admin, &kms.DescribeKeyRequest{KeyId: arn})
		if got := refusal(err); got != tt.want {
			t.Errorf("answer %q, want %q", got, tt.want)
		}
		var e *kms.Error
		if errors.As(err, &e) && (e.Status != tt.status || len(e.RequestID) != 36) {
			t.Errorf("error %+v, want status %d", e, tt.status)
		}
	}
	if want := "DescribeKey " + r.admin.Principal; len(seen) != 5 || seen[0] != want {
		t.Errorf("hook saw %q", seen)
	}
	r.SetPreHook(nil)
	if _, err := r.DescribeKey(r.admin, &kms.DescribeKeyRequest{KeyId: arn}); err != nil {
		t.Error(err)
	}
}

// TestRoundTrip: what is encrypted opens to the same bytes with the same context and no other, and
// any change of one bit keeps it shut, whatever aliases do meanwhile.
func TestRoundTrip(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	rnd := rand.New(rand.NewPCG(seed, 0))
	r := newRig(t)
	var keys []string
	for range 3 {
		arn, _ := r.newKey(t, kms.CreateKeyRequest{})
		keys = append(keys, arn)
	}
	if err := r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: "alias/moving", TargetKeyId: keys[0]}); err != nil {
		t.Fatal(err)
	}
	words := []string{"", "a", "ab", "b", "é", "key", "=", "\x00", "long long long"}
	context := func() map[string]string {
		ec := map[string]string{}
		for range rnd.IntN(4) {
			ec[words[rnd.IntN(len(words))]] = words[rnd.IntN(len(words))]
		}
		return ec
	}
	same := func(a, b map[string]string) bool {
		x, _ := json.Marshal(a) // sorted
		y, _ := json.Marshal(b)
		return bytes.Equal(x, y)
	}
	for range 500 {
		plain := make([]byte, 1+rnd.IntN(200))
		for i := range plain {
			plain[i] = byte(rnd.Uint32())
		}
		ec, other := context(), context()
		target := keys[rnd.IntN(len(keys))]
		if err := r.UpdateAlias(r.admin, &kms.UpdateAliasRequest{AliasName: "alias/moving", TargetKeyId: target}); err != nil {
			t.Fatal(err)
		}
		sealed, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: "alias/moving", Plaintext: plain, EncryptionContext: ec})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.UpdateAlias(r.admin, &kms.UpdateAliasRequest{AliasName: "alias/moving", TargetKeyId: keys[rnd.IntN(len(keys))]}); err != nil {
			t.Fatal(err)
		}
		opened, err := r.Decrypt(r.admin, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: ec})
		if err != nil || !bytes.Equal(opened.Plaintext, plain) || opened.KeyId != target {
			t.Fatalf("opened %v, %v", opened, err)
		}
		if _, err := r.Decrypt(r.admin, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: other}); (err == nil) != same(ec, other) {
			t.Fatalf("context %q opened with %q: %v", ec, other, err)
		}
		changed := bytes.Clone(sealed.CiphertextBlob)
		changed[rnd.IntN(len(changed))] ^= 1 << rnd.IntN(8)
		if _, err := r.Decrypt(r.admin, &kms.DecryptRequest{CiphertextBlob: changed, EncryptionContext: ec}); err == nil {
			t.Fatal("a changed ciphertext opened")
		}
	}
	// The pair of contexts that collides when lengths are left out.
	sealed, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: keys[0], Plaintext: []byte("x"), EncryptionContext: map[string]string{"ab": "c"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Decrypt(r.admin, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: map[string]string{"a": "bc"}}); err == nil {
		t.Error("two contexts are one")
	}
}

// TestDump: a fault and its restore leave no trace; the fault itself does.
func TestDump(t *testing.T) {
	r := newRig(t)
	arn, id := r.newKey(t, kms.CreateKeyRequest{Description: "main", Tags: []kms.Tag{{TagKey: "a", TagValue: "b"}, {TagKey: "0", TagValue: ""}}})
	_, otherID := r.newKey(t, kms.CreateKeyRequest{})
	if err := r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: "alias/x", TargetKeyId: id}); err != nil {
		t.Fatal(err)
	}
	grant := &kms.CreateGrantRequest{KeyId: arn, GranteePrincipal: r.admin.Principal, Operations: []string{"Decrypt", "Encrypt"}}
	g, err := r.CreateGrant(r.admin, grant)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	before, err := r.GetKeyPolicy(r.admin, &kms.GetKeyPolicyRequest{KeyId: id})
	must(err)
	seven := int32(7)
	faults := []struct {
		name           string
		broken, undone func()
	}{
		{"alias", func() {
			must(r.UpdateAlias(r.admin, &kms.UpdateAliasRequest{AliasName: "alias/x", TargetKeyId: otherID}))
		}, func() {
			must(r.UpdateAlias(r.admin, &kms.UpdateAliasRequest{AliasName: "alias/x", TargetKeyId: id}))
		}},
		{"disabled", func() { must(r.DisableKey(r.admin, &kms.DisableKeyRequest{KeyId: id})) },
			func() { must(r.EnableKey(r.admin, &kms.EnableKeyRequest{KeyId: id})) }},
		{"policy", func() {
			must(r.PutKeyPolicy(r.admin, &kms.PutKeyPolicyRequest{KeyId: id, Policy: policy(rootStatement)}))
		}, func() {
			must(r.PutKeyPolicy(r.admin, &kms.PutKeyPolicyRequest{KeyId: id, Policy: before.Policy}))
		}},
		{"grant", func() {
			must(r.RevokeGrant(r.admin, &kms.RevokeGrantRequest{KeyId: id, GrantId: g.GrantId}))
		}, func() {
			_, err := r.CreateGrant(r.admin, grant)
			must(err)
		}},
		{"tags", func() {
			must(r.UntagResource(r.admin, &kms.UntagResourceRequest{KeyId: id, TagKeys: []string{"a"}}))
		}, func() {
			must(r.TagResource(r.admin, &kms.TagResourceRequest{KeyId: id, Tags: []kms.Tag{{TagKey: "a", TagValue: "b"}}}))
		}},
		{"rotation", func() {
			must(r.EnableKeyRotation(r.admin, &kms.EnableKeyRotationRequest{KeyId: id}))
		}, func() {
			must(r.DisableKeyRotation(r.admin, &kms.DisableKeyRotationRequest{KeyId: id}))
		}},
		{"description", func() {
			must(r.UpdateKeyDescription(r.admin, &kms.UpdateKeyDescriptionRequest{KeyId: id, Description: "x"}))
		}, func() {
			must(r.UpdateKeyDescription(r.admin, &kms.UpdateKeyDescriptionRequest{KeyId: id, Description: "main"}))
		}},
		{"deletion", func() {
			_, err := r.ScheduleKeyDeletion(r.admin, &kms.ScheduleKeyDeletionRequest{KeyId: id, PendingWindowInDays: &seven})
			must(err)
		}, func() {
			_, err := r.CancelKeyDeletion(r.admin, &kms.CancelKeyDeletionRequest{KeyId: id})
			must(err)
			must(r.EnableKey(r.admin, &kms.EnableKeyRequest{KeyId: id}))
		}},
	}
	clean := string(r.Dump())
	for _, f := range faults {
		f.broken()
		if string(r.Dump()) == clean {
			t.Errorf("%s: the fault left no trace", f.name)
		}
		f.undone()
		if got := string(r.Dump()); got != clean {
			t.Errorf("%s: after the restore\n%s, want\n%s", f.name, got, clean)
		}
	}
}

// TestConcurrency does everything at once; with -race it shows what is not guarded. A decryption may
// be refused for the key's state, but never go wrong.
func TestConcurrency(t *testing.T) {
	r := newRig(t)
	arn, id := r.newKey(t, kms.CreateKeyRequest{})
	_, otherID := r.newKey(t, kms.CreateKeyRequest{})
	if err := r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: "alias/x", TargetKeyId: id}); err != nil {
		t.Fatal(err)
	}
	sealed, err := r.Encrypt(r.admin, &kms.EncryptRequest{KeyId: arn, Plaintext: []byte("secret")})
	if err != nil {
		t.Fatal(err)
	}
	reader := r.Directory().Session(iam.GetRecordRole, "x")
	policies := []string{policy(rootStatement), policy(rootStatement, roleStatement)}
	seven := int32(7)
	var wg sync.WaitGroup
	loop := func(f func(i int) error, expected ...string) {
		wg.Go(func() {
			for i := range 300 {
				err := f(i)
				ok := err == nil
				for _, e := range expected {
					ok = ok || strings.HasPrefix(refusal(err), e)
				}
				if !ok {
					t.Error(err)
					return
				}
			}
		})
	}
	decrypt := func(c iam.Caller) func(int) error {
		return func(int) error {
			out, err := r.Decrypt(c, &kms.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob})
			if err == nil && string(out.Plaintext) != "secret" {
				return fmt.Errorf("opened %q", out.Plaintext)
			}
			return err
		}
	}
	loop(decrypt(r.admin), "DisabledException", "KMSInvalidStateException")
	loop(decrypt(reader), "DisabledException", "KMSInvalidStateException", "AccessDeniedException")
	loop(func(i int) error {
		if i%2 == 0 {
			return r.DisableKey(r.admin, &kms.DisableKeyRequest{KeyId: id})
		}
		return r.EnableKey(r.admin, &kms.EnableKeyRequest{KeyId: id})
	}, "KMSInvalidStateException")
	loop(func(i int) error {
		if i%2 == 0 {
			_, err := r.ScheduleKeyDeletion(r.admin, &kms.ScheduleKeyDeletionRequest{KeyId: id, PendingWindowInDays: &seven})
			return err
		}
		_, err := r.CancelKeyDeletion(r.admin, &kms.CancelKeyDeletionRequest{KeyId: id})
		return err
	}, "KMSInvalidStateException")
	loop(func(i int) error {
		return r.PutKeyPolicy(r.admin, &kms.PutKeyPolicyRequest{KeyId: id, Policy: policies[i%2]})
	})
	loop(func(i int) error {
		return r.UpdateAlias(r.admin, &kms.UpdateAliasRequest{AliasName: "alias/x", TargetKeyId: []string{id, otherID}[i%2]})
	}, "KMSInvalidStateException")
	loop(func(int) error {
		_, err := r.GenerateDataKey(r.admin, &kms.GenerateDataKeyRequest{KeyId: "alias/x", KeySpec: "AES_256"})
		return err
	}, "DisabledException", "KMSInvalidStateException")
	loop(func(int) error {
		g, err := r.CreateGrant(r.admin, &kms.CreateGrantRequest{KeyId: otherID, GranteePrincipal: reader.Principal, Operations: []string{"Decrypt"}})
		if err != nil {
			return err
		}
		return r.RevokeGrant(r.admin, &kms.RevokeGrantRequest{KeyId: otherID, GrantId: g.GrantId})
	})
	loop(func(int) error { _, err := r.ListGrants(r.admin, &kms.ListGrantsRequest{KeyId: otherID}); return err })
	loop(func(int) error { _, err := r.ListAliases(r.admin, nil); return err })
	loop(func(int) error { _, err := r.CreateKey(r.admin, nil); return err })
	loop(func(i int) error {
		if i%20 == 0 {
			r.Dump()
		}
		_, err := r.DescribeKey(r.admin, &kms.DescribeKeyRequest{KeyId: "alias/x"})
		return err
	})
	loop(func(i int) error {
		r.SetPreHook(func(string, iam.Caller) error { return nil })
		if i == 150 {
			r.clock.Advance(24 * time.Hour)
		}
		return nil
	})
	wg.Wait()
}

func TestListingPages(t *testing.T) {
	r := newRig(t)
	for range 7 {
		r.newKey(t, kms.CreateKeyRequest{})
	}
	three := int32(3)
	var got []string
	in := &kms.ListKeysRequest{Limit: &three}
	for pages := 1; ; pages++ {
		out, err := r.ListKeys(r.admin, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range out.Keys {
			got = append(got, k.KeyId)
		}
		if out.Truncated != (out.NextMarker != "") {
			t.Errorf("truncated %v with marker %q", out.Truncated, out.NextMarker)
		}
		if !out.Truncated {
			if pages != 3 {
				t.Errorf("%d pages, want 3", pages)
			}
			break
		}
		in.Marker = out.NextMarker
	}
	seen := map[string]bool{}
	for _, id := range got {
		seen[id] = true
	}
	if len(got) != 7 || len(seen) != 7 {
		t.Errorf("listed %v", got)
	}
}

func BenchmarkDecrypt(b *testing.B) {
	r := newRig(b)
	arn, _ := r.newKey(b, kms.CreateKeyRequest{Policy: policy(rootStatement, ledgerStatement, roleStatement)})
	ec := map[string]string{"key-hierarchy-node-id": "1234567890123456789012", "key-hierarchy-node-version": "1"}
	made, err := r.GenerateDataKey(r.admin, &kms.GenerateDataKeyRequest{KeyId: arn, KeySpec: "AES_256", EncryptionContext: ec})
	if err != nil {
		b.Fatal(err)
	}
	admin := r.admin
	admin.Via = "qldb.eu-west-2.amazonaws.com"
	if _, err := r.CreateGrant(admin, &kms.CreateGrantRequest{KeyId: arn, GranteePrincipal: "qldb.eu-west-2.amazonaws.com", Operations: []string{"Decrypt"}}); err != nil {
		b.Fatal(err)
	}
	in := &kms.DecryptRequest{CiphertextBlob: made.CiphertextBlob, EncryptionContext: ec}
	run := func(name string, c iam.Caller) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Decrypt(c, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("in process as the role", r.Directory().Session(iam.GetRecordRole, "x"))
	run("in process as the service", iam.Caller{Service: "qldb.amazonaws.com"})
	b.Run("in process in parallel", func(b *testing.B) {
		c := r.Directory().Session(iam.GetRecordRole, "x")
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := r.Decrypt(c, in); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
	body, err := json.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("over HTTP", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if status, _, answer := r.post(b, "TrentService.Decrypt", string(body)); status != 200 {
				b.Fatal(answer)
			}
		}
	})
}
