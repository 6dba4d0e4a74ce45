package ledger

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/qldb"
	"github.com/aws/aws-sdk-go-v2/service/qldb/types"
	"github.com/aws/smithy-go"

	"loadkms/sandbox/iam"
)

func TestStatesTakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{Create: time.Minute, Delete: time.Minute})
		b.T = t
		state := func(want string) {
			t.Helper()
			out, err := b.DescribeLedger(ctx, admin, "fresh")
			if err != nil || out.State != want {
				t.Errorf("the ledger is %+v, %v, want %s", out, err, want)
			}
			if all := b.ListLedgers(ctx, admin); len(all) != 2 || all[0].State != want {
				t.Errorf("the list is %+v, want %s", all, want)
			}
		}
		off := false
		change := &UpdateLedgerRequest{DeletionProtection: &off}
		again := &CreateLedgerRequest{Name: "fresh", PermissionsMode: "STANDARD"}

		if _, err := b.CreateLedger(ctx, admin, again); err != nil {
			t.Fatal(err)
		}
		state("CREATING")
		_, err := b.UpdateLedger(ctx, admin, "fresh", change)
		b.wantError(err, "ResourceInUseException", "Ledger is being created")
		b.wantError(b.DeleteLedger(ctx, admin, "fresh"), "ResourceInUseException", "Ledger is being created")
		_, err = b.SendCommand(ctx, role, &Command{StartSession: &StartSession{"fresh"}})
		b.wantError(err, CodeBadRequest, "CREATING")
		_, err = b.CreateLedger(ctx, admin, again)
		b.wantError(err, "ResourceAlreadyExistsException", "fresh")

		pass(time.Minute)
		state("ACTIVE")
		if _, err := b.UpdateLedger(ctx, admin, "fresh", change); err != nil {
			t.Fatal(err)
		}
		p := connect(t, b.Service, role, "fresh")
		if err := b.DeleteLedger(ctx, admin, "fresh"); err != nil {
			t.Fatal(err)
		}
		state("DELETING")
		b.wantError(b.DeleteLedger(ctx, admin, "fresh"), "ResourceInUseException", "Ledger is being deleted")
		b.wantError(p.begin(), CodeInvalidSession, "No such session")
		_, err = b.CreateLedger(ctx, admin, again)
		b.wantError(err, "ResourceInUseException", "Ledger is being deleted")

		pass(time.Minute)
		_, err = b.DescribeLedger(ctx, admin, "fresh")
		b.wantError(err, CodeNotFound, "fresh")
		if all := b.ListLedgers(ctx, admin); len(all) != 1 {
			t.Errorf("the list is %+v", all)
		}
		again.AtOnce = true
		if _, err := b.CreateLedger(ctx, admin, again); err != nil {
			t.Fatal(err)
		}
		state("ACTIVE")
	})
}

func TestTheOwnedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &sealingVault{newVault(t, "main", "rotate")}
		b := setUpOver(t, Options{Keys: v}, v.vault, "")
		b.wantDescription("AWS_OWNED_KMS_KEY")
		b.insert(`{"id":1}`)
		if got := v.count("Decrypt") + v.count("GenerateDataKey") + v.count("Encrypt"); got != 0 {
			t.Errorf("KMS was asked %d times for the owned key", got)
		}
		for _, c := range []struct{ to, want string }{
			{"main", arn("main")}, {"AWS_OWNED_KMS_KEY", "AWS_OWNED_KMS_KEY"}, {"rotate", arn("rotate")}, {"main", arn("main")},
		} {
			b.update(c.to)
			pass(DefaultUpdate)
			b.wantDescription(c.want)
			b.session = b.start()
			b.wantReadable(1)
		}
		b.vault.set("rotate", func(k *vaultKey) { k.state = "Disabled" })
		pass(DefaultKeyCache)
		b.wantReadable(1)
		b.vault.set("main", func(k *vaultKey) { k.state = "Disabled" })
		pass(DefaultKeyCache)
		_, err := b.find(NumberID(1))
		b.wantError(err, CodeBadRequest, grants)
	})
}

func TestTheOwnedKeyOverAKMSThatCannotEncrypt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t, "main")
		b := setUpOver(t, Options{}, v, "AWS_OWNED_KMS_KEY")
		key := "main"
		_, err := b.UpdateLedger(ctx, admin, "records", &UpdateLedgerRequest{KmsKey: &key})
		b.wantError(err, CodeInvalidParameter, "cannot take over")
		b.wantDescription("AWS_OWNED_KMS_KEY")
	})
}

func (b *bench) wantDescription(key string) {
	b.Helper()
	out, err := b.DescribeLedger(ctx, admin, "records")
	if err != nil || out.EncryptionDescription != (EncryptionDescription{KmsKeyArn: key, EncryptionStatus: "ENABLED"}) {
		b.Errorf("the ledger is %+v, %v, want the key %s", out, err, key)
	}
}

// client returns an SDK client that calls as a principal.
func (b *bench) client(principal string) *qldb.Client {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Principal", principal)
		b.ServeHTTP(w, r)
	}))
	b.Cleanup(server.Close)
	return qldb.New(qldb.Options{Region: "eu-west-2", BaseEndpoint: aws.String(server.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", "")})
}

func TestControlOverTheWire(t *testing.T) {
	directory := iam.NewDirectory("123456789012")
	b := setUp(t, Options{Directory: directory, Caller: func(r *http.Request) iam.Caller {
		return iam.Caller{Principal: r.Header.Get("Principal"), Account: "123456789012"}
	}})
	q := b.client(directory.Admin().Principal)
	for i := range 3 {
		_, err := q.CreateLedger(ctx, &qldb.CreateLedgerInput{Name: aws.String(fmt.Sprint("l", i)), PermissionsMode: "ALLOW_ALL",
			Tags: map[string]*string{"a": aws.String("b")}})
		if err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	pages := qldb.NewListLedgersPaginator(q, &qldb.ListLedgersInput{MaxResults: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Ledgers {
			names = append(names, *l.Name)
		}
	}
	if got := fmt.Sprint(names); got != "[l0 l1 l2 records]" {
		t.Errorf("the ledgers are %s", got)
	}
	if _, err := q.CreateLedger(ctx, &qldb.CreateLedgerInput{Name: aws.String("l3"), PermissionsMode: "ALLOW_ALL"}); err != nil {
		t.Fatal(err)
	}
	_, err := q.CreateLedger(ctx, &qldb.CreateLedgerInput{Name: aws.String("l4"), PermissionsMode: "ALLOW_ALL"})
	wantAPI[*types.LimitExceededException](t, err)
	_, err = q.CreateLedger(ctx, &qldb.CreateLedgerInput{Name: aws.String("l3"), PermissionsMode: "ALLOW_ALL"})
	wantAPI[*types.ResourceAlreadyExistsException](t, err)
	_, err = q.TagResource(ctx, &qldb.TagResourceInput{ResourceArn: aws.String("arn:aws:qldb:eu-west-2:123456789012:ledger/l0"),
		Tags: map[string]*string{"aws:x": aws.String("y")}})
	wantAPI[*types.InvalidParameterException](t, err)
	_, err = q.ListJournalS3Exports(ctx, &qldb.ListJournalS3ExportsInput{})
	wantCode(t, err, "UnsupportedOperationException")
	_, err = q.ListJournalS3ExportsForLedger(ctx, &qldb.ListJournalS3ExportsForLedgerInput{Name: aws.String("l0")})
	wantCode(t, err, "UnsupportedOperationException")
	_, err = q.GetDigest(ctx, &qldb.GetDigestInput{Name: aws.String("l0")})
	wantAPI[*types.ResourcePreconditionNotMetException](t, err)
	_, err = q.GetBlock(ctx, &qldb.GetBlockInput{Name: aws.String("records"), BlockAddress: &types.ValueHolder{IonText: aws.String("{")}})
	wantAPI[*types.InvalidParameterException](t, err)

	// A role of the article may speak with the ledger and not rule it.
	_, err = b.client(directory.Session(iam.GetRecordRole, "fn").Principal).DescribeLedger(ctx, &qldb.DescribeLedgerInput{Name: aws.String("l0")})
	wantCode(t, err, "AccessDeniedException")
}

// TestStandardMode runs one statement of every kind as roles with one permission each.
func TestStandardMode(t *testing.T) {
	directory := iam.NewDirectory("123456789012")
	b := setUp(t, Options{Directory: directory})
	b.insert(`{"id":1,"n":0}`)
	const ledger = "arn:aws:qldb:eu-west-2:123456789012:ledger/records"
	table := b.ledgers["records"].tables["Test"]
	allow := func(actions, resource string) iam.Caller {
		arn := iam.RoleARN("123456789012", "tester")
		err := directory.Add(arn, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"qldb:SendCommand","Resource":"`+ledger+`"},`+
			`{"Effect":"Allow","Action":[`+actions+`],"Resource":"`+ledger+`/`+resource+`"}]}`)
		if err != nil {
			t.Fatal(err)
		}
		c := directory.Session("tester", "fn")
		b.vault.set("main", func(k *vaultKey) { k.roles[c.Principal] = true })
		return c
	}
	const denied = "Access denied. Unable to run the statement due to insufficient permissions or an improper variable reference"
	all := `"qldb:PartiQL*"`
	for _, c := range []struct {
		name, statement, actions, resource string
		allowed                            bool
	}{
		{"select", "SELECT * FROM Test", `"qldb:PartiQLSelect"`, "table/" + table.id, true},
		{"select by insert", "SELECT * FROM Test", `"qldb:PartiQLInsert"`, "*", false},
		{"select by name", "SELECT * FROM Test", all, "table/Test", false},
		{"select another", "SELECT * FROM Test", all, "table/AAAAAAAAAAAAAAAAAAAAAA", false},
		{"the article's resource", "SELECT * FROM Test", `"qldb:PartiQLSelect"`, "*", true},
		{"insert", "INSERT INTO Test {'id': 2}", `"qldb:PartiQLInsert"`, "*", true},
		{"insert by select", "INSERT INTO Test {'id': 2}", `"qldb:PartiQLSelect"`, "*", false},
		{"insert what a subquery reads", "INSERT INTO Test {'n': (SELECT VALUE t.id FROM Test AS t WHERE t.id = 2)}", `"qldb:PartiQLInsert"`, "*", false},
		{"insert what it may read", "INSERT INTO Test {'n': (SELECT VALUE t.id FROM Test AS t WHERE t.id = 2)}", `"qldb:PartiQLInsert", "qldb:PartiQLSelect"`, "*", true},
		{"delete by history", "DELETE FROM Test WHERE id IN (SELECT VALUE h.data.id FROM history(Test) AS h)", `"qldb:PartiQLDelete", "qldb:PartiQLSelect"`, "*", false},
		{"update", "UPDATE Test SET n = 1", `"qldb:PartiQLUpdate", "qldb:PartiQLSelect"`, "*", true},
		{"update without select", "UPDATE Test SET n = 1", `"qldb:PartiQLUpdate"`, "*", false},
		{"delete", "DELETE FROM Test WHERE id = 2", `"qldb:PartiQLDelete", "qldb:PartiQLSelect"`, "*", true},
		{"history", "SELECT * FROM history(Test) AS h", `"qldb:PartiQLHistoryFunction"`, "*", true},
		{"history by select", "SELECT * FROM history(Test) AS h", `"qldb:PartiQLSelect"`, "*", false},
		{"create table", "CREATE TABLE T", `"qldb:PartiQLCreateTable"`, "table/*", true},
		{"create table by another", "CREATE TABLE U", `"qldb:PartiQLSelect"`, "*", false},
		{"create index", "CREATE INDEX ON T (x)", `"qldb:PartiQLCreateIndex"`, "*", true},
		{"drop table", "DROP TABLE T", `"qldb:PartiQLDropTable"`, "table/*", true},
		{"catalog", "SELECT * FROM information_schema.user_tables", `"qldb:PartiQLSelect"`, "information_schema/user_tables", true},
		{"catalog by tables", "SELECT * FROM information_schema.user_tables", `"qldb:PartiQLSelect"`, "table/*", false},
		{"join", "SELECT * FROM Test AS a, information_schema.user_tables AS b", `"qldb:PartiQLSelect"`, "table/*", false},
		{"unknown table", "SELECT * FROM Nope", all, "table/" + table.id, false},
	} {
		p := connect(t, b.Service, allow(c.actions, c.resource), "records")
		_, err := p.do(c.statement)
		if c.allowed && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.allowed {
			b.wantError(err, CodeBadRequest, denied)
		}
	}
	// A table that is not there shows as such to who may use all.
	_, err := connect(t, b.Service, allow(all, "*"), "records").do("SELECT * FROM Nope")
	b.wantError(err, CodeBadRequest, "No such variable named 'Nope'")

	// The API's way asks the same.
	session, err := b.StartSession(ctx, allow(`"qldb:PartiQLSelect"`, "*"), "records")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := session.Find(ctx, "Test", NumberID(1), nil); !ok || err != nil {
		t.Errorf("find: %v, %v", ok, err)
	}
	b.wantError(session.Insert(ctx, "Test", []byte(`{"id":3}`)), CodeBadRequest, denied)
	if _, err := b.UpdateLedgerPermissionsMode(ctx, admin, "records", "ALLOW_ALL"); err != nil {
		t.Fatal(err)
	}
	if err := session.Insert(ctx, "Test", []byte(`{"id":3}`)); err != nil {
		t.Errorf("in ALLOW_ALL: %v", err)
	}
	nobody := iam.Caller{Principal: iam.RoleARN("123456789012", "nobody"), Account: "123456789012"}
	_, err = b.StartSession(ctx, nobody, "records")
	b.wantError(err, CodeAccessDenied, "is not authorized to perform: qldb:SendCommand on resource: "+ledger)
}

func wantAPI[E error](t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[E](err); !ok {
		t.Errorf("the error is %T %v, want %T", err, err, *new(E))
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != code {
		t.Errorf("the error is %v, want %s", err, code)
	}
}
