package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"loadkms/sandbox"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"loadkms": main})
}

// TestScripts runs every testdata/script/*.txtar: one behavior of the command line each.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, cleanEnv(env.WorkDir)...)
			env.Values[worldKey{}] = new(*world) // set by the command sandbox
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"sandbox": startSandbox,
			"refuse":  refuse,
			"key":     key,
			"busy":    busy,
			"meddle":  meddle,
			"serve":   serve,
		},
	})
}

// cleanEnv keeps the user's AWS and journal out of a test.
func cleanEnv(home string) []string {
	return []string{
		"HOME=" + home,
		"XDG_STATE_HOME=" + filepath.Join(home, "state"),
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + filepath.Join(home, "none"),
		"AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(home, "none"),
		"AWS_PROFILE=", "AWS_ENDPOINT_URL=", "AWS_REGION=", "LOADKMS_JOURNAL=", "NO_COLOR=1",
	}
}

// exits CODE COMMAND ARGS… runs the command and checks its exit code, whatever it prints.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%v exited with %d, want %d", args[1:], got, want)
	}
}

// A world is a sandbox for one script, whose KMS can be told to refuse.
type world struct {
	*sandbox.Sandbox
	more    []string // of the environment, beside what env says
	refused atomic.Pointer[refusal]
}

// A refusal makes an operation fail once another one has been seen.
type refusal struct {
	op, after string
	armed     atomic.Bool
}

// hook is the sandbox's kms.Options.PreHook.
func (w *world) hook(op string, _ iam.Caller) error {
	r := w.refused.Load()
	if r == nil {
		return nil
	}
	if op == r.op && r.armed.Load() {
		return &kms.Error{Status: 400, Code: "AccessDeniedException", Message: "not today"}
	}
	if op == r.after {
		r.armed.Store(true)
	}
	return nil
}

// newWorld starts a sandbox that ends with the test.
func newWorld(tb sandbox.TB) *world {
	w := &world{}
	w.Sandbox = sandbox.RunT(tb, sandbox.Options{
		Speed: 600, KeyCache: 3 * time.Minute, RecoveryProbe: 3 * time.Minute, LedgerUpdate: time.Minute,
		PreHook: w.hook,
	})
	return w
}

// env returns the environment in which the AWS SDK finds the world.
func (w *world) env() []string {
	return append([]string{
		"AWS_ENDPOINT_URL=" + w.AWSURL(), "AWS_ACCESS_KEY_ID=sandbox", "AWS_SECRET_ACCESS_KEY=sandbox",
		"AWS_REGION=eu-west-2", "TARGET=" + w.APIURL(),
		// The same place under an address that loadkms does not take for this machine.
		"AWAY=" + strings.Replace(w.AWSURL(), "127.0.0.1", "0.0.0.0", 1),
	}, w.more...)
}

// admin is somebody else who administers the keys.
func (w *world) admin() iam.Caller {
	return iam.Caller{Principal: "arn:aws:iam::" + w.Account() + ":root", Account: w.Account()}
}

// describe returns what KMS says of a key.
func (w *world) describe(id string) (*kms.KeyMetadata, error) {
	out, err := w.KMS().DescribeKey(w.admin(), &kms.DescribeKeyRequest{KeyId: id})
	if err != nil {
		return nil, err
	}
	return &out.KeyMetadata, nil
}

// state returns the state of the key the alias points to.
func (w *world) state() (string, error) {
	key, err := w.describe("alias/qldb-kms-poc")
	if err != nil {
		return "", err
	}
	return string(key.KeyState), nil
}

// A worldKey is where a script's values hold its world.
type worldKey struct{}

// worldOf returns where the script's world is kept. Scripts run side by side.
func worldOf(ts *testscript.TestScript) **world { return ts.Value(worldKey{}).(**world) }

// tsTB lets a script's sandbox end with the script.
type tsTB struct{ *testscript.TestScript }

func (tsTB) Helper()            {}
func (t tsTB) Cleanup(f func()) { t.Defer(f) }

// startSandbox starts a sandbox in the test's process, as `loadkms sandbox` would be somewhere else.
func startSandbox(ts *testscript.TestScript, _ bool, _ []string) {
	w := newWorld(tsTB{ts})
	*worldOf(ts) = w
	for _, e := range w.env() {
		for i := range e {
			if e[i] == '=' {
				ts.Setenv(e[:i], e[i+1:])
				break
			}
		}
	}
}

// refuse OP after OTHER makes KMS refuse OP once it has seen OTHER; `refuse nothing` ends that.
func refuse(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "nothing" {
		(*worldOf(ts)).refused.Store(nil)
		return
	}
	(*worldOf(ts)).refused.Store(&refusal{op: args[0], after: args[2]})
}

// key STATE checks that the main key is in STATE.
func key(ts *testscript.TestScript, _ bool, args []string) {
	got, err := (*worldOf(ts)).state()
	ts.Check(err)
	if got != args[0] {
		ts.Fatalf("the key is %s, want %s", got, args[0])
	}
}

// meddle moves the alias to the key for deleting as soon as somebody has moved it to another one.
func meddle(ts *testscript.TestScript, _ bool, _ []string) {
	w := *worldOf(ts)
	before, err := w.describe("alias/qldb-kms-poc")
	ts.Check(err)
	keys, err := w.KMS().ListKeys(w.admin(), &kms.ListKeysRequest{})
	ts.Check(err)
	other := ""
	for _, k := range keys.Keys {
		key, err := w.describe(k.KeyId)
		ts.Check(err)
		if strings.Contains(key.Description, "Delete") {
			other = k.KeyId
		}
	}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	ts.Defer(func() {
		close(stop)
		if err := <-stopped; err != nil {
			ts.Logf("meddle: %v", err)
		}
	})
	go func() {
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			now, err := w.describe("alias/qldb-kms-poc")
			if err == nil && now.KeyId != before.KeyId {
				err = w.KMS().UpdateAlias(w.admin(), &kms.UpdateAliasRequest{AliasName: "alias/qldb-kms-poc", TargetKeyId: other})
				stopped <- err
				return
			}
			select {
			case <-tick.C:
			case <-stop:
				stopped <- errors.Join(err, errors.New("nobody moved the alias"))
				return
			}
		}
	}()
}

// busy VAR sets VAR to an address of loopback somebody already listens on.
func busy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// serve VAR FILE starts an API that answers everything with 200 and nothing, sets VAR to its URL, and notes in FILE
// what it is asked: method, path, protocol, and who signed for which region and service.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[1])
	log, err := os.Create(name)
	ts.Check(err)
	scope := regexp.MustCompile(`Credential=([^/]*)/[0-9]*/([^,]*)/aws4_request`)
	var mu sync.Mutex
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		signed := ""
		if m := scope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
			signed = " " + m[1] + " " + m[2]
		}
		fmt.Fprintf(log, "%s %s %s%s\n", r.Method, r.URL, r.Proto, signed)
	}))
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server.Config.Protocols = protocols
	server.Start()
	ts.Setenv(args[0], server.URL)
	ts.Defer(func() {
		server.Close()
		_ = log.Close()
	})
}

// refusedURL returns the URL of a port nobody listens on.
func refusedURL(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprintf("http://%s", l.Addr())
}

// lookupSelf returns the path of the loadkms command testscript made.
func lookupSelf(t *testing.T) string {
	t.Helper()
	self, err := exec.LookPath("loadkms")
	if err != nil {
		t.Fatal(err)
	}
	return self
}

// writeTemp writes a file into a fresh folder.
func writeTemp(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
