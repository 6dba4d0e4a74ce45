package kms

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

func FuzzParseBlob(f *testing.F) {
	id := uuid.MustParse("1234abcd-12ab-34cd-56ef-1234567890ab")
	m := newMaterial(id)
	good := seal(id, m, map[string]string{"a": "b"}, []byte("plain"))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(seal(id, m, nil, make([]byte, maxPlain)))
	f.Add([]byte{})
	f.Add([]byte{blobVersion})
	f.Fuzz(func(t *testing.T, in []byte) {
		b, ok := parseBlob(in)
		if !ok {
			return
		}
		if got := slices.Concat(b.header, b.nonce, b.sealed); !bytes.Equal(got, in) {
			t.Fatalf("took %x apart into %x", in, got)
		}
		if plain, ok := b.open(m, map[string]string{"a": "b"}); ok && !bytes.Equal(in, good) {
			t.Fatalf("opened a forgery: %q", plain)
		}
	})
}

// FuzzRequest sends any body to any operation: the answer is always well-formed, and never an
// internal error. KEY in the body stands for the id of a key.
func FuzzRequest(f *testing.F) {
	names := slices.Sorted(maps.Keys(operations))
	for i := range names {
		f.Add(byte(i), []byte(`{"KeyId":"alias/x","AliasName":"alias/y","TargetKeyId":"1234abcd-12ab-34cd-56ef-1234567890ab"}`))
	}
	index := func(name string) byte { return byte(slices.Index(names, name)) }
	f.Add(index("Encrypt"), []byte(`{"KeyId":"alias/x","Plaintext":"aGVsbG8=","EncryptionContext":{"Department":"IT","b":"c"}}`))
	f.Add(index("GenerateDataKey"), []byte(`{"KeyId":"alias/x","NumberOfBytes":1e3,"GrantTokens":["x"]}`))
	f.Add(index("CreateKey"), []byte(`{"Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[]}","Tags":[{"TagKey":"a","TagValue":null}]}`))
	f.Add(index("CreateGrant"), []byte(`{"KeyId":"alias/x","GranteePrincipal":"arn:aws:iam::123456789012:root","Operations":["Decrypt"],"Constraints":{"EncryptionContextSubset":{"a":"b"}}}`))
	f.Add(index("RetireGrant"), []byte(`{"GrantToken":"YWZ0ZXI6"}`))
	f.Add(index("TagResource"), []byte(`{"KeyId":"KEY","Tags":[{"TagKey":"aws:a"},{"TagValue":"b"}]}`))
	f.Add(index("UntagResource"), []byte(`{"KeyId":"KEY","TagKeys":["a",""]}`))
	f.Add(index("EnableKeyRotation"), []byte(`{"KeyId":"KEY","RotationPeriodInDays":90}`))
	f.Add(index("ListKeyRotations"), []byte(`{"KeyId":"KEY","IncludeKeyMaterial":"ALL_KEY_MATERIAL","Limit":1,"Marker":"YWZ0ZXI6"}`))
	f.Add(index("DescribeKey"), []byte(`{"KeyId":"alias/aws/s3","GrantTokens":["YQ=="]}`))
	f.Add(index("ListAliases"), []byte(`{"Limit":1,"Marker":"YWZ0ZXI6"}`))
	f.Add(index("Decrypt"), []byte("\xef\xbb\xbf{}"))
	f.Add(index("CreateKey"), []byte(`{"KeySpec":"ECC_NIST_P256","KeyUsage":"SIGN_VERIFY","Origin":"EXTERNAL","MultiRegion":true}`))
	f.Add(index("Sign"), []byte(`{"KeyId":"alias/sign","Message":"eA==","MessageType":"RAW","SigningAlgorithm":"ECDSA_SHA_256"}`))
	f.Add(index("Verify"), []byte(`{"KeyId":"alias/sign","Message":"eA==","Signature":"eA==","SigningAlgorithm":"ECDSA_SHA_256"}`))
	f.Add(index("GenerateMac"), []byte(`{"KeyId":"alias/x","Message":"eA==","MacAlgorithm":"HMAC_SHA_256"}`))
	f.Add(index("DeriveSharedSecret"), []byte(`{"KeyId":"alias/x","PublicKey":"MFkw","KeyAgreementAlgorithm":"ECDH"}`))
	f.Add(index("ImportKeyMaterial"), []byte(`{"KeyId":"alias/x","ImportToken":"eA==","EncryptedKeyMaterial":"eA==","ValidTo":1795457072.5,"ImportType":"NEW_KEY_MATERIAL"}`))
	f.Add(index("DeleteImportedKeyMaterial"), []byte(`{"KeyId":"alias/x","KeyMaterialId":"`+strings.Repeat("0", 64)+`"}`))
	f.Add(index("GenerateDataKeyPair"), []byte(`{"KeyId":"alias/x","KeyPairSpec":"ECC_NIST_P256","EncryptionContext":{"a":"b"}}`))
	f.Add(index("CreateCustomKeyStore"), []byte(`{"CustomKeyStoreName":"a","CloudHsmClusterId":"cluster-abcdefghijk","KeyStorePassword":"1234567","TrustAnchorCertificate":"x"}`))
	f.Fuzz(func(t *testing.T, op byte, body []byte) {
		s := New(Options{})
		admin := s.Directory().Admin()
		made, err := s.CreateKey(admin, nil)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := s.CreateKey(admin, &CreateKeyRequest{KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY"})
		if err != nil {
			t.Fatal(err)
		}
		for alias, key := range map[string]string{"alias/x": made.KeyMetadata.KeyId, "alias/sign": signer.KeyMetadata.KeyId} {
			if err := s.CreateAlias(admin, &CreateAliasRequest{AliasName: alias, TargetKeyId: key}); err != nil {
				t.Fatal(err)
			}
		}
		body = bytes.ReplaceAll(body, []byte("KEY"), []byte(made.KeyMetadata.KeyId))
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", bytes.NewReader(body))
		r.Header.Set("X-Amz-Target", targetPrefix+names[int(op)%len(names)])
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/1/r/kms/aws4_request")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 && w.Code != 413 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("no JSON: %s", w.Body)
		}
		if w.Code != 200 && w.Header().Get("X-Amzn-ErrorType") == "" {
			t.Fatalf("an error without its code: %s", w.Body)
		}
		s.Dump()
	})
}

// TestOperations: the table has the 56 operations of the API model, each under its own name.
func TestOperations(t *testing.T) {
	for name, h := range operations {
		if _, got := h.serve(New(Options{}), iam.Caller{}, "id", []byte(`[]`)); got == nil || got.Code != "SerializationException" {
			t.Errorf("%s decodes a list: %v", name, got)
		}
	}
	if got := len(operations); got != 56 {
		t.Errorf("%d operations, want 56", got)
	}
}

func TestTimestamp(t *testing.T) {
	for _, text := range []string{"1593622000.191", "1593622000", "0", "-1.5"} {
		var at Timestamp
		if err := json.Unmarshal([]byte(text), &at); err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(at); err != nil || string(got) != text {
			t.Errorf("%s becomes %s, %v", text, got, err)
		}
	}
	for _, text := range []string{`"2020"`, "1e300", "null x"} {
		var at Timestamp
		if json.Unmarshal([]byte(text), &at) == nil {
			t.Errorf("%s is no time, got %v", strings.TrimSpace(text), at)
		}
	}
}
