package main

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Two processes: the ledger of one uses the keys of the other, and leaves nothing behind there.
func TestSandboxWithKeysOfAnother(t *testing.T) {
	there, over, _, _ := sandboxProcess(t, "--account", "111122223333")
	endpoint := over["AWS_ENDPOINT_URL"]
	here, exports, text, stderr := sandboxProcess(t, "--kms-endpoint", endpoint, "--ledger-key", "alias/qldb-kms-poc")
	if exports["AWS_ENDPOINT_URL_KMS"] != endpoint || exports["AWS_ENDPOINT_URL"] == endpoint || strings.Contains(text, "AWS_ACCESS_KEY_ID") {
		t.Errorf("the exports are %s", text)
	}
	res, err := http.Post(exports["LOADKMS_TARGET"]+"/poc/record", "application/json", strings.NewReader(`{"id":1}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if status, body := fetch(t, exports["LOADKMS_TARGET"]+"/poc/record/1"); res.StatusCode != 201 || status != 200 {
		t.Errorf("a record is created with %d and read with %d %s", res.StatusCode, status, body)
	}
	if _, page := fetch(t, exports["LOADKMS_TARGET"]+"/status.json"); !strings.Contains(page, "arn:aws:kms:eu-west-2:111122223333:key/") {
		t.Errorf("the status is %s", page)
	}
	grants := func() int {
		_, page := fetch(t, over["LOADKMS_TARGET"]+"/status.json")
		return strings.Count(page, `"name":"CreateGrant"`) - strings.Count(page, `"name":"RetireGrant"`)
	}
	before := grants()
	if err := here.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := here.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, stderr)
	}
	for _, want := range []string{"alias/qldb-kms-poc", "account 111122223333", "as arn:aws:iam::111122223333:user/", "a grant named loadkms-"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("it says %q, want %q in it", stderr, want)
		}
	}
	if after := grants(); after != before-1 {
		t.Errorf("%d grants more were made than given back, want %d", after, before-1)
	}

	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"another account", []string{"--kms-endpoint", endpoint, "--ledger-key", "alias/qldb-kms-poc", "--account", "999999999999"},
			"--account is 999999999999, but the other KMS is in account 111122223333"},
		{"no such key", []string{"--kms-endpoint", endpoint, "--ledger-key", "alias/none"}, "look at the ledger's key alias/none in account 111122223333"},
		// This machine under an address that is not known to be it.
		{"not loopback", []string{"--kms-endpoint", strings.Replace(endpoint, "127.0.0.1", "0.0.0.0", 1), "--ledger-key", "alias/qldb-kms-poc"},
			"a key of a real account needs a confirmation"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), lookupSelf(t), append([]string{"sandbox", "--port", "0", "--api-port", "0"}, tt.args...)...)
			cmd.Env = append(os.Environ(), cleanEnv(t.TempDir())...)
			cmd.Env = append(cmd.Env, "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=y")
			var said bytes.Buffer
			cmd.Stderr = &said
			if err := cmd.Run(); cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(said.String(), tt.want) {
				t.Errorf("%v, %s, want exit code 2 and %q", err, &said, tt.want)
			}
		})
	}
	if err := there.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := there.Wait(); err != nil {
		t.Error(err)
	}
}
