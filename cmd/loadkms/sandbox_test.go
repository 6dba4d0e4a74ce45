package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sandboxProcess starts `loadkms sandbox` as a user would, on any ports, and returns what it exports.
func sandboxProcess(t *testing.T, args ...string) (cmd *exec.Cmd, exports map[string]string, text string, stderr *bytes.Buffer) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), lookupSelf(t), append([]string{"sandbox", "--port", "0", "--api-port", "0"}, args...)...)
	cmd.Env = append(os.Environ(), cleanEnv(t.TempDir())...)
	stderr = &bytes.Buffer{}
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exports = map[string]string{}
	for lines := bufio.NewScanner(out); exports["LOADKMS_TARGET"] == "" && lines.Scan(); {
		text += lines.Text() + "\n"
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		exports[name] = value
	}
	if exports["LOADKMS_TARGET"] == "" {
		t.Fatalf("exports are %q: %v, %s", text, cmd.Wait(), stderr)
	}
	return cmd, exports, text, stderr
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestSandboxProcess(t *testing.T) {
	for _, c := range []struct {
		name   string
		signal os.Signal
	}{{"SIGINT", os.Interrupt}, {"SIGTERM", syscall.SIGTERM}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := filepath.Join(t.TempDir(), "sandbox.env")
			if err := os.WriteFile(env, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd, exports, text, stderr := sandboxProcess(t, "--env-file", env, "--stage", "dev", "--region", "eu-west-1", "--account", "111122223333")
			if b, err := os.ReadFile(env); err != nil || string(b) != text {
				t.Errorf("the file holds %q, %v, want %q", b, err, text)
			}
			if info, err := os.Stat(env); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file is %v, %v, want mode 0600", info, err)
			}
			if left, err := filepath.Glob(filepath.Join(filepath.Dir(env), ".*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if exports["AWS_REGION"] != "eu-west-1" {
				t.Errorf("exports are %v", exports)
			}
			if status, page := fetch(t, exports["LOADKMS_TARGET"]+"/"); status != 200 || !strings.Contains(page, "<h1>qldb-kms-dev</h1>") || !strings.Contains(page, "111122223333") {
				t.Errorf("the status page is %d %s", status, page)
			}
			if status, body := fetch(t, exports["LOADKMS_TARGET"]+"/dev/record/1"); status != 400 {
				t.Errorf("a record is %d %s", status, body)
			}
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			asked := time.Now()
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v: %s", err, stderr)
			}
			if took := time.Since(asked); took > 10*time.Second {
				t.Errorf("it took %v to end", took)
			}
			if _, err := http.Get(exports["LOADKMS_TARGET"]); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestSandboxWithATemplate(t *testing.T) {
	template := writeTemp(t, "one.yaml", "Parameters: {Words: {Type: String}}\nResources: {Key: {Type: AWS::KMS::Key, Properties: {Description: !Ref Words}}}\n")
	cmd, exports, _, stderr := sandboxProcess(t, "--template", template, "--parameter", "Words=the only key")
	if _, text := fetch(t, exports["LOADKMS_TARGET"]+"/status.json"); !strings.Contains(text, "the only key") || strings.Contains(text, "QLDB Ledger") {
		t.Errorf("the status is %s", text)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, stderr)
	}
}
