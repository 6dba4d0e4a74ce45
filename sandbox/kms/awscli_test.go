package kms_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

// debianCLI is the one AWS CLI that still knows QLDB, and thus the one of the article's readers.
const debianCLI = "/usr/bin/aws"

// cli runs one command of the real AWS CLI and returns what it printed.
func (r *rig) cli(t *testing.T, accessKey string, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), debianCLI, append([]string{"--endpoint-url", r.url, "--output", "json", "kms"}, args...)...)
	cmd.Env = []string{"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=secret", "AWS_DEFAULT_REGION=" + region,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return out.String(), errs.String(), err == nil
}

// must is cli for a command that has to succeed; its output is read into into, unless that is nil.
func (r *rig) must(t *testing.T, into any, args ...string) {
	t.Helper()
	out, errs, ok := r.cli(t, "AKIAIOSFODNN7EXAMPLE", args...)
	if !ok {
		t.Fatalf("aws kms %s: %s", strings.Join(args, " "), errs)
	}
	if into == nil {
		if out != "" {
			t.Errorf("aws kms %s printed %s", args[0], out)
		}
		return
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("aws kms %s printed %s: %v", args[0], out, err)
	}
}

// TestAWSCLI drives the sandbox with the AWS CLI: the article's commands, and those of a person who
// tries out a key.
func TestAWSCLI(t *testing.T) {
	if testing.Short() {
		t.Skip("each command takes half a second")
	}
	if _, err := os.Stat(debianCLI); err != nil {
		t.Skip("there is no AWS CLI here")
	}
	type described struct {
		KeyMetadata struct {
			KeyId, Arn, KeyState, CreationDate string
			Enabled                            bool
		}
	}
	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		var key described
		r.must(t, &key, "create-key", "--description", "main", "--tags", "TagKey=a,TagValue=b")
		if m := key.KeyMetadata; !m.Enabled || m.KeyState != "Enabled" || !strings.HasPrefix(m.CreationDate, "20") {
			t.Errorf("created %+v", m)
		}
		id := key.KeyMetadata.KeyId
		r.must(t, nil, "disable-key", "--key-id", id)
		r.must(t, &key, "describe-key", "--key-id", id)
		if m := key.KeyMetadata; m.Enabled || m.KeyState != "Disabled" {
			t.Errorf("disabled %+v", m)
		}
		_, errs, ok := r.cli(t, "AKIAIOSFODNN7EXAMPLE", "generate-data-key", "--key-id", id, "--key-spec", "AES_256")
		if want := "An error occurred (DisabledException) when calling the GenerateDataKey operation: " + key.KeyMetadata.Arn + " is disabled."; ok || !strings.Contains(errs, want) {
			t.Errorf("printed %q, want %q", errs, want)
		}
		r.must(t, nil, "enable-key", "--key-id", id)
		var made struct{ Plaintext, CiphertextBlob, KeyId string }
		r.must(t, &made, "generate-data-key", "--key-id", id, "--key-spec", "AES_256")
		plain, err := base64.StdEncoding.DecodeString(made.Plaintext)
		if err != nil || len(plain) != 32 || made.KeyId != key.KeyMetadata.Arn {
			t.Errorf("made %+v", made)
		}
	})
	t.Run("aliases and ciphertext", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		one, oneID := r.newKey(t, kms.CreateKeyRequest{})
		_, twoID := r.newKey(t, kms.CreateKeyRequest{})
		if err := r.CreateAlias(r.admin, &kms.CreateAliasRequest{AliasName: "alias/qldb-kms", TargetKeyId: oneID}); err != nil {
			t.Fatal(err)
		}
		var sealed, opened struct{ CiphertextBlob, Plaintext, KeyId string }
		r.must(t, &sealed, "encrypt", "--key-id", "alias/qldb-kms", "--plaintext", "aGVsbG8=", "--encryption-context", "a=b,c=d")
		r.must(t, nil, "update-alias", "--alias-name", "alias/qldb-kms", "--target-key-id", twoID)
		file := filepath.Join(t.TempDir(), "blob")
		blob, err := base64.StdEncoding.DecodeString(sealed.CiphertextBlob)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, blob, 0o600); err != nil {
			t.Fatal(err)
		}
		r.must(t, &opened, "decrypt", "--ciphertext-blob", "fileb://"+file, "--encryption-context", "c=d,a=b")
		if opened.Plaintext != "aGVsbG8=" || opened.KeyId != one {
			t.Errorf("opened %+v", opened)
		}
		_, errs, ok := r.cli(t, iam.GetRecordKey, "decrypt", "--ciphertext-blob", "fileb://"+file, "--encryption-context", "a=b,c=d")
		if want := "An error occurred (AccessDeniedException) when calling the Decrypt operation: The ciphertext refers to a customer master key that does not exist, " +
			"does not exist in this region, or you are not allowed to access."; ok || !strings.Contains(errs, want) {
			t.Errorf("printed %q, want %q", errs, want)
		}
		var listed struct {
			Aliases []struct{ AliasName, TargetKeyId string }
		}
		r.must(t, &listed, "list-aliases")
		found := false
		for _, a := range listed.Aliases {
			found = found || a.AliasName == "alias/qldb-kms" && a.TargetKeyId == twoID
		}
		if !found {
			t.Errorf("listed %+v", listed)
		}
	})
}
