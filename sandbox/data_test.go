package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
	"loadkms/sandbox/stack"
	"loadkms/sandbox/store"
)

// start starts a sandbox that the test itself closes.
func start(t testing.TB, o Options) *Sandbox {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ended(t testing.TB, s *Sandbox) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDataOutlivesTheProcess(t *testing.T) {
	ctx, o := t.Context(), Options{DataDir: t.TempDir(), Speed: 1000}
	s := start(t, o)
	if d := s.Data(); d != (Data{Dir: o.DataDir}) {
		t.Errorf("it keeps %+v", d)
	}
	want(t, s, "POST", "/record", `{"id":1,"name":"é"}`, 201, `"Success"`)
	template, err := stack.Parse(`
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: auditor
      AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]}
      Policies: [{PolicyName: p, PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 'iam:GetRole', Resource: '*'}]}}]
  Key: {Type: AWS::KMS::Key, Properties: {Description: of the second stack, EnableKeyRotation: true, PendingWindowInDays: 7}}
`)
	if err != nil {
		t.Fatal(err)
	}
	admin := s.kms.Directory().Admin()
	if _, err := s.stacks.Deploy(ctx, admin, stack.Creation{Name: "second", Template: template, Capabilities: []string{"CAPABILITY_NAMED_IAM"}}); err != nil {
		t.Fatal(err)
	}
	session, err := awssts.NewFromConfig(config(s, "AKIA")).AssumeRole(ctx, &awssts.AssumeRoleInput{
		RoleArn: aws.String(iam.RoleARN(s.Account(), "auditor")), RoleSessionName: aws.String("me"), DurationSeconds: aws.Int32(43200)})
	if err != nil {
		t.Fatal(err)
	}
	before, dump, shown := s.clock.Now(), s.Dump(), role(t, s, *session.Credentials.AccessKeyId)
	ended(t, s)

	s = start(t, o)
	if d := s.Data(); d != (Data{Dir: o.DataDir, Loaded: true, Keys: 5, Ledgers: 1, Stacks: 2}) {
		t.Errorf("it keeps %+v", d)
	}
	if now := s.clock.Now(); now.Before(before) {
		t.Errorf("it is %v after %v", now, before)
	}
	if got := s.Dump(); !bytes.Equal(got, dump) {
		t.Errorf("the dump is\n%s\nwant\n%s", got, dump)
	}
	want(t, s, "GET", "/record/1", "", 200, `{"id":1,"name":"é"}`)
	if out := s.key("ServiceEndpoint"); !strings.HasPrefix(out, s.APIURL()) {
		t.Errorf("the stack's endpoint is %s, want it at %s", out, s.APIURL())
	}
	if got := role(t, s, *session.Credentials.AccessKeyId); got != shown {
		t.Errorf("the role is %s, want %s", got, shown)
	}
	me, err := awssts.NewFromConfig(config(s, *session.Credentials.AccessKeyId)).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
	if err != nil || !strings.HasSuffix(*me.Arn, "assumed-role/auditor/me") {
		t.Errorf("the credentials of before are those of %+v, %v", me, err)
	}
	// Whoever lets the stack go gets rid of its role, and that stays so.
	if err := s.stacks.Delete(admin, "second"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stack is gone", func() bool { return s.stacks.Status("second") == "" })
	ended(t, s)
	s = start(t, o)
	if _, ok := s.roles.Load(iam.RoleARN(s.Account(), "auditor")); ok || s.Data().Stacks != 1 {
		t.Errorf("the role is back: %v, and there are %d stacks, want 1", ok, s.Data().Stacks)
	}
	s.clock.Advance(13 * time.Hour)
	ended(t, s)
	s = start(t, o)
	_, err = awssts.NewFromConfig(config(s, *session.Credentials.AccessKeyId)).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
	wantAPIError(t, err, "ExpiredToken", "expired")
	// Once they are forgotten, they must not be taken for an unknown key, which is the administrator's.
	if _, err := awssts.NewFromConfig(config(s, "AKIA")).GetSessionToken(ctx, &awssts.GetSessionTokenInput{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := s.kms.Directory().Caller(*session.Credentials.AccessKeyId); got != (iam.Caller{}) {
			t.Errorf("forgotten credentials call as %+v", got)
		}
		_, err = awssts.NewFromConfig(config(s, *session.Credentials.AccessKeyId)).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
		wantAPIError(t, err, "ExpiredToken", "expired")
		ended(t, s)
		s = start(t, o)
	}
	ended(t, s)
}

// role returns what IAM tells of the role auditor to whoever has an access key.
func role(t *testing.T, s *Sandbox, accessKey string) string {
	t.Helper()
	c := config(s, accessKey)
	c.Credentials = credentials.NewStaticCredentialsProvider(accessKey, "secret", "token")
	out, err := awsiam.NewFromConfig(c).GetRole(t.Context(), &awsiam.GetRoleInput{RoleName: aws.String("auditor")})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(*out.Role.Arn, *out.Role.RoleId, out.Role.CreateDate)
}

// TestFirstStartBrokenOff ends the building of the stack at one of its calls to KMS after the other.
func TestFirstStartBrokenOff(t *testing.T) {
	dir := t.TempDir()
	for at := range 6 {
		calls := 0
		_, err := Start(t.Context(), Options{DataDir: dir, PreHook: func(string, iam.Caller) error {
			if calls++; calls > 2*at {
				return errors.New("broken off")
			}
			return nil
		}})
		if err == nil || !strings.Contains(err.Error(), "broken off") {
			t.Fatalf("at call %d: %v", 2*at, err)
		}
	}
	s := start(t, Options{DataDir: dir, Stage: "other"}) // nothing of before is in the way
	if d := s.Data(); d.Loaded {
		t.Errorf("it has loaded %+v", d)
	}
	if keys := strings.Count(string(s.Dump()), `"ARN"`); keys != 4 {
		t.Errorf("there are %d keys, want the article's 4", keys)
	}
	ended(t, s)
}

func TestDataIsRefused(t *testing.T) {
	dir := t.TempDir()
	ended(t, start(t, Options{DataDir: dir, Template: "Resources: {Key: {Type: AWS::KMS::Key}}"}))
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"another region":         {Options{Region: "us-east-1"}, "has the region eu-west-2, not us-east-1"},
		"another account":        {Options{Account: "111122223333"}, "has the account 123456789012, not 111122223333"},
		"another stage":          {Options{Stage: "dev"}, "has the stage poc, not dev"},
		"another template":       {Options{Template: "Resources: {Other: {Type: AWS::KMS::Key}}"}, "another template"},
		"parameters":             {Options{Parameters: map[string]string{"A": "b"}}, "other parameters"},
		"the keys of another":    {Options{Keys: keys{}, LedgerKey: "alias/a"}, "does not go with keys of another KMS"},
		"the same as before":     {Options{Template: "Resources: {Key: {Type: AWS::KMS::Key}}"}, ""},
		"what is there, unnamed": {Options{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.DataDir = dir
			s, err := Start(t.Context(), c.o)
			switch {
			case err == nil && c.want == "":
				ended(t, s)
			case err == nil:
				ended(t, s)
				t.Errorf("no error, want %s", c.want)
			case c.want == "" || !strings.Contains(err.Error(), c.want):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestADisabledKeyAtTheStart restarts while the ledger's key is disabled, over the real KMS.
func TestADisabledKeyAtTheStart(t *testing.T) {
	o := Options{DataDir: t.TempDir(), Speed: 1000}
	s := start(t, o)
	want(t, s, "POST", "/record", `{"id":1}`, 201, `"Success"`)
	k := awskms.NewFromConfig(config(s, "AKIA"))
	main := s.key("mainKeyID")
	if _, err := k.DisableKey(t.Context(), &awskms.DisableKeyInput{KeyId: &main}); err != nil {
		t.Fatal(err)
	}
	ended(t, s)
	s = start(t, o)
	if status, body := call(t, s, "GET", "/record/1", ""); status != 500 || body != grantMessage {
		t.Errorf("with a disabled key: %d %s", status, body)
	}
	k = awskms.NewFromConfig(config(s, "AKIA"))
	if _, err := k.EnableKey(t.Context(), &awskms.EnableKeyInput{KeyId: &main}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the record is back", func() bool {
		status, _ := call(t, s, "GET", "/record/1", "")
		return status == 200
	})
	ended(t, s)
}

// TestTornData damages every file of a data directory. It is as it was, or as it was some changes ago if
// the newest log is cut, or refused.
func TestTornData(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	s := start(t, Options{DataDir: dir})
	if err := s.disk.Secure(); err != nil {
		t.Fatal(err)
	}
	admin := s.kms.Directory().Admin()
	main := s.key("mainKeyID")
	moments := []string{string(s.Dump())} // which a cut log may lead back to
	const records = 20
	for i := range records {
		want(t, s, "POST", "/record", fmt.Sprintf(`{"id":%d}`, i), 201, `"Success"`)
		if err := s.kms.UpdateKeyDescription(admin, &kms.UpdateKeyDescriptionRequest{KeyId: main, Description: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		moments = append(moments, string(s.Dump()))
	}
	killed := t.TempDir()
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	ended(t, s)
	var names, logs []string
	err := filepath.WalkDir(killed, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "LOCK" {
			name, err = filepath.Rel(killed, name)
			names = append(names, name)
			if filepath.Ext(name) == ".log" {
				logs = append(logs, name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	opened, refused := 0, 0
	for _, name := range names {
		for try := range 4 {
			hurt := t.TempDir()
			if err := os.CopyFS(hurt, os.DirFS(killed)); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(hurt, name))
			if err != nil {
				t.Fatal(err)
			}
			what, at := "cut", rnd.IntN(max(len(b), 1))
			if try%2 == 0 || len(b) == 0 {
				b = b[:min(at, len(b))]
			} else {
				what = "flip"
				b[at] ^= 1 << rnd.IntN(8)
			}
			if err := os.WriteFile(filepath.Join(hurt, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Start(t.Context(), Options{DataDir: hurt})
			if err != nil {
				if !strings.Contains(err.Error(), hurt) {
					t.Errorf("seed %d: %s of %s: the refusal does not name the directory: %v", seed, what, name, err)
				}
				refused++
				continue
			}
			opened++
			moment := slices.Index(moments, string(s.Dump()))
			if moment < 0 || moment < records && name != slices.Max(logs) {
				t.Errorf("seed %d: %s of %s at %d: loaded as at moment %d of %d", seed, what, name, at, moment, records)
			}
			for i := range moment {
				want(t, s, "GET", fmt.Sprintf("/record/%d", i), "", 200, fmt.Sprintf(`{"id":%d}`, i))
			}
			ended(t, s)
		}
	}
	t.Logf("seed %d: opened %d times, refused %d times", seed, opened, refused)
	if opened == 0 || refused == 0 {
		t.Errorf("seed %d: opened %d times, refused %d times, want some of both", seed, opened, refused)
	}
}

// TestHalfLoaded is about a directory that is whole for the store and yet not what a sandbox writes.
func TestHalfLoaded(t *testing.T) {
	for _, name := range []string{clockEntry, builtEntry, roleEntries + "arn:aws:iam::123456789012:role/x", tokenEntries + "ASIA", "kms/secrets",
		"kms/alias/alias/qldb-kms-poc", "stack/00000001", "ledger-ring"} {
		dir := t.TempDir()
		ended(t, start(t, Options{DataDir: dir}))
		disk, err := store.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		var b store.Batch
		b.Put(name, []byte("{"))
		if err := errors.Join(disk.Enter(&b).Wait(), disk.Close()); err != nil {
			t.Fatal(err)
		}
		s, err := Start(context.Background(), Options{DataDir: dir})
		if err == nil {
			ended(t, s)
			t.Errorf("it was loaded although %s cannot be read", name)
		} else if !strings.Contains(err.Error(), "load ") {
			t.Errorf("%s: %v, want it to tell what it loaded", name, err)
		}
	}
}

// BenchmarkKeptPost creates records over the wire, with a data directory and without.
func BenchmarkKeptPost(b *testing.B) {
	for name, dir := range map[string]string{"memory": "", "data-dir": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			o := Options{DataDir: dir}
			if dir != "" {
				o.DataDir = b.TempDir()
			}
			s := start(b, o)
			defer ended(b, s)
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.Uint32(); pb.Next(); i++ {
					want(b, s, "POST", "/record", fmt.Sprintf(`{"id":%d,"firstName":"Ada","text":"%0100d"}`, i, i), 201, `"Success"`)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
		})
	}
}
