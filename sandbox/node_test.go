package sandbox

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestNodeDrivers lets AWS's drivers for Node.js, the article's and the last, go through
// testdata/node/story.js. They come from npm, into the folder where `make node` puts them.
func TestNodeDrivers(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skipf("no Node.js: %v", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	const inaccessible = `{"code":"BadRequestException","message":"Amazon QLDB does not have grant access on the AWS KMS customer managed key of the ledger. ` +
		`Restore the grant on the key for the ledger."}`
	for _, c := range []struct {
		version string
		// How twelve calls end of a driver with a pool of ten that cannot start a session, and one more
		// when the key is back.
		coldCalls, coldAfter string
	}{
		{"2.2.0", `{"BadRequestException":12}`, `{"rows":["11"]}`},
		// Its pool loses a place with every call for which no session could start, for good: an API behind
		// it stays down until it is started anew.
		{"3.1.0", `{"BadRequestException":10,"SessionPoolEmptyError":2}`, `{"code":"SessionPoolEmptyError",` +
			`"message":"Session pool is empty. Please close existing sessions first before retrying."}`},
	} {
		t.Run(c.version, func(t *testing.T) {
			t.Parallel()
			folder, err := filepath.Abs(filepath.Join("testdata", "node"))
			if err != nil {
				t.Fatal(err)
			}
			name := "driver-" + c.version
			modules := filepath.Join(cache, "loadkms", "node", name, "node_modules")
			if _, err := os.Stat(filepath.Join(modules, "amazon-qldb-driver-nodejs")); err != nil {
				t.Skipf("the driver is not installed, as make node does: %v", err)
			}
			s := RunT(t, Options{KeyCache: 200 * time.Millisecond, RecoveryProbe: 200 * time.Millisecond})
			cmd := exec.CommandContext(t.Context(), node, filepath.Join(folder, name, "client.js"))
			cmd.Env = []string{"NODE_PATH=" + modules, "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(),
				"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true",
				"AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE=1", "NODE_NO_WARNINGS=1",
				"SANDBOX_URL=" + s.AWSURL(), "SANDBOX_LEDGER=" + s.Ledger(), "SANDBOX_KEY=" + s.key("mainKeyID")}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			var got map[string]any
			if bad := json.Unmarshal(out, &got); err != nil || bad != nil {
				t.Fatalf("%v, %v: %s%s", err, bad, out, &stderr)
			}
			for field, want := range map[string]string{
				"table": `1`, "index": `1`, "inserted": `1`, "byText": `[]`,
				"tables":   `["Test","Vehicles"]`,
				"read":     `["{id:1,n:0,owner:{name:\"Zoë\"},price:-1.5e0}"]`,
				"again":    `{"code":"BadRequestException","message":"Table with name: USER.Vehicles already exists"}`,
				"conflict": `{"attempts":2,"rows":["11"]}`,
				"keyFault": `{"coldAfter":` + c.coldAfter + `,"coldCalls":` + c.coldCalls + `,"failed":` + inaccessible +
					`,"healed":{"rows":["11"]},"restartedAfter":{"rows":["11"]}}`,
			} {
				text := `missing`
				if v, ok := got[field]; ok {
					b, err := json.Marshal(v)
					if err != nil {
						t.Fatal(err)
					}
					text = string(b)
				}
				if text != want {
					t.Errorf("%s is %s, want %s", field, text, want)
				}
			}
		})
	}
}
