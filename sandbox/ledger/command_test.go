package ledger

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/qldbsession"
	"github.com/aws/aws-sdk-go-v2/service/qldbsession/types"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/ion"
)

// A peer is a client of the session protocol that keeps the digest as AWS's drivers do.
type peer struct {
	t       testing.TB
	service *Service
	caller  iam.Caller
	token   string
	id      string
	digest  []byte
	ios     IOs // of the last statement
}

func (b *bench) peer() *peer { return connect(b.T, b.Service, role, "records") }

func connect(t testing.TB, s *Service, c iam.Caller, ledger string) *peer {
	t.Helper()
	p := &peer{t: t, service: s, caller: c}
	out, err := p.send(&Command{StartSession: &StartSession{ledger}})
	if err != nil {
		t.Fatal(err)
	}
	p.token = out.StartSession.SessionToken
	return p
}

func (p *peer) send(in *Command) (*Reply, error) {
	in.SessionToken = p.token
	return p.service.SendCommand(p.t.Context(), p.caller, in)
}

func (p *peer) begin() error {
	out, err := p.send(&Command{StartTransaction: &struct{}{}})
	if err != nil {
		return err
	}
	p.id = out.StartTransaction.TransactionId
	p.digest = hashOf(ion.String(p.id))
	return nil
}

// execute runs a statement and fetches its whole result.
func (p *peer) execute(text string, parameters ...ion.Value) ([]ion.Value, error) {
	in := &ExecuteStatement{TransactionId: p.id, Statement: text}
	digest := hashOf(ion.String(text))
	for _, v := range parameters {
		in.Parameters = append(in.Parameters, ValueHolder{IonBinary: v.Binary()})
		digest = ion.Dot(digest, hashOf(v))
	}
	p.digest = ion.Dot(p.digest, digest)
	out, err := p.send(&Command{ExecuteStatement: in})
	if err != nil {
		return nil, err
	}
	p.ios = out.ExecuteStatement.ConsumedIOs
	var rows []ion.Value
	for page := out.ExecuteStatement.FirstPage; ; {
		for _, h := range page.Values {
			v, err := ion.Decode(h.IonBinary)
			if err != nil {
				return nil, err
			}
			rows = append(rows, v)
		}
		if page.NextPageToken == "" {
			return rows, nil
		}
		out, err := p.send(&Command{FetchPage: &FetchPage{p.id, page.NextPageToken}})
		if err != nil {
			return nil, err
		}
		page = out.FetchPage.Page
	}
}

func (p *peer) commit() error {
	out, err := p.send(&Command{CommitTransaction: &CommitTransaction{p.id, p.digest}})
	if err == nil && (!bytes.Equal(out.CommitTransaction.CommitDigest, p.digest) || out.CommitTransaction.TransactionId != p.id) {
		return fmt.Errorf("the commit of %s came back as %+v", p.id, out.CommitTransaction)
	}
	return err
}

// do runs statements without parameters in one transaction, and returns the rows of the last as text.
func (p *peer) do(statements ...string) (string, error) {
	if err := p.begin(); err != nil {
		return "", err
	}
	var rows []ion.Value
	for _, s := range statements {
		var err error
		if rows, err = p.execute(s); err != nil {
			return "", err
		}
	}
	return texts(rows), p.commit()
}

func texts(rows []ion.Value) string {
	all := make([]string, len(rows))
	for i, v := range rows {
		all[i] = v.Text()
	}
	return strings.Join(all, " ")
}

func (p *peer) must(statements ...string) string {
	p.t.Helper()
	rows, err := p.do(statements...)
	if err != nil {
		p.t.Fatalf("%q: %v", statements, err)
	}
	return rows
}

func TestDigestsOfAWSDrivers(t *testing.T) {
	b, err := os.ReadFile("../ion/testdata/commit-digest-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		TransactionId string
		Statements    []struct {
			Statement  string
			Parameters [][]byte `json:"Parameters_IonBinary_b64"`
		} `json:"statements"`
		CommitDigest []byte `json:"CommitDigest_b64"`
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 20 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		digest := hashOf(ion.String(v.TransactionId))
		for _, s := range v.Statements {
			var parameters []ion.Value
			for _, p := range s.Parameters {
				value, err := (&ValueHolder{IonBinary: p}).value()
				if err != nil {
					t.Fatal(err)
				}
				parameters = append(parameters, value)
			}
			digest = ion.Dot(digest, statementDigest(s.Statement, parameters))
		}
		if !bytes.Equal(digest, v.CommitDigest) {
			t.Errorf("%s: the digest is %x, want %x", v.TransactionId, digest, v.CommitDigest)
		}
	}
}

func TestOneTableTwoWays(t *testing.T) {
	b := setUp(t, Options{})
	p := b.peer()
	b.insert(`{"id":1,"name":"posted","n":1.5}`)
	if got := p.must("SELECT * FROM Test WHERE id = 1"); got != `{id:1,name:"posted",n:1.5}` {
		t.Errorf("what was posted is selected as %s", got)
	}
	p.must(`INSERT INTO Test {'id': 2, 'name': 'inserted', 'n': 2.50}`)
	if got, err := b.find(NumberID(2)); got != `{"id":2,"name":"inserted","n":2.50}` || err != nil {
		t.Errorf("what was inserted is found as %s, %v", got, err)
	}
	p.must(`UPDATE Test SET id = 3, name = 'moved' WHERE id = 1`)
	if got, err := b.find(NumberID(3)); got != `{"id":3,"name":"moved","n":1.5}` || err != nil {
		t.Errorf("what was updated is found as %s, %v", got, err)
	}
	if got, _ := b.find(NumberID(1)); got != "" {
		t.Errorf("it is still found where it was: %s", got)
	}
	p.must(`DELETE FROM Test WHERE id = 3`)
	if got, _ := b.find(NumberID(3)); got != "" {
		t.Errorf("it is still found after its deletion: %s", got)
	}
	b.insert(`{"id":2,"name":"second"}`)
	p.must(`UPDATE Test SET name = 'inserted' WHERE name = 'inserted'`)
	if got, _ := b.find(NumberID(2)); got != `{"id":2,"name":"inserted","n":2.50}` {
		t.Errorf("after an update the first of one id is found as %s", got)
	}
	p.must(`DELETE FROM Test WHERE name = 'inserted'`)
	if got, _ := b.find(NumberID(2)); got != `{"id":2,"name":"second"}` {
		t.Errorf("the second of one id is found as %s", got)
	}
	got := p.must(`SELECT VALUE h.metadata.version FROM history(Test) AS h WHERE h.metadata.txTime > ` + "`2000-01-01T00:00:00Z`")
	if got != "0 1 2 0 1 2 0" {
		t.Errorf("the versions in the history are %s", got)
	}
}

// TestFunctionsOfTheTransaction asks for what only the transaction knows.
func TestFunctionsOfTheTransaction(t *testing.T) {
	b := setUp(t, Options{})
	p := b.peer()
	before := b.Clock().Now().Truncate(time.Millisecond)
	p.must("INSERT INTO Test {'id': 1, 'txn': TXID(), 'made': UTCNOW()}")
	made, after := p.id, b.Clock().Now()
	if got := p.must("SELECT VALUE metadata.txId = data.txn FROM _ql_committed_Test WHERE data.txn = '" + made + "'"); got != "true" {
		t.Errorf("the document's transaction is not %s, but %s", made, got)
	}
	if err := p.begin(); err != nil {
		t.Fatal(err)
	}
	rows, err := p.execute("SELECT VALUE made FROM Test")
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := rows[0].AsTime(); !ok || at.Before(before) || at.After(after) {
		t.Errorf("a document of %v to %v is of %v", before, after, at)
	}
	rows, err = p.execute("SELECT VALUE TXID() FROM <<0>>")
	if got := texts(rows); err != nil || got != `"`+p.id+`"` {
		t.Errorf("in transaction %s TXID() is %s, %v", p.id, got, err)
	}
}

func TestPages(t *testing.T) {
	b := setUp(t, Options{})
	const n = 2*pageValues + 50
	for i := range n {
		b.insert(fmt.Sprintf(`{"id":%d}`, i))
	}
	p := b.peer()
	if err := p.begin(); err != nil {
		t.Fatal(err)
	}
	rows, err := p.execute("SELECT VALUE id FROM Test")
	if err != nil || len(rows) != n {
		t.Fatalf("%d rows, %v, want %d", len(rows), err, n)
	}
	seen := map[string]bool{}
	for _, v := range rows {
		seen[v.Text()] = true
	}
	if len(seen) != n || p.ios.ReadIOs != n {
		t.Errorf("%d distinct rows, %d reads, want %d", len(seen), p.ios.ReadIOs, n)
	}
	if _, err := p.send(&Command{FetchPage: &FetchPage{p.id, "AAAA"}}); err == nil {
		t.Error("a made-up page token was accepted")
	}
	if err := p.commit(); err != nil {
		t.Error(err)
	}
}

// TestConflicts lets two transactions overlap: the first begins and reads, the second does everything,
// the first goes on and commits.
func TestConflicts(t *testing.T) {
	const conflict = true
	for _, c := range []struct {
		name          string
		first, second string
		last          string // of the first, before its commit
		want          bool
	}{
		{"read and changed", "SELECT * FROM Test WHERE id = 1", "UPDATE Test SET n = 1 WHERE id = 1", "", conflict},
		{"read and deleted", "SELECT * FROM Test WHERE id = 1", "DELETE FROM Test WHERE id = 1", "", conflict},
		{"another changed", "SELECT * FROM Test WHERE id = 1", "UPDATE Test SET n = 1 WHERE id = 2", "", false},
		{"read both", "SELECT * FROM Test WHERE id = 1", "SELECT * FROM Test WHERE id = 1", "", false},
		{"a phantom by id", "SELECT * FROM Test WHERE id = 9", "INSERT INTO Test {'id': 9}", "INSERT INTO Test {'id': 9}", conflict},
		{"not that id", "SELECT * FROM Test WHERE id = 9", "INSERT INTO Test {'id': 8}", "INSERT INTO Test {'id': 9}", false},
		{"a phantom in a scan", "SELECT COUNT(*) FROM Test", "INSERT INTO Test {'id': 9}", "", conflict},
		{"a scan and an update", "SELECT * FROM Test WHERE n = 5", "UPDATE Test SET n = 5 WHERE id = 2", "", conflict},
		{"blind inserts", "INSERT INTO Test {'id': 9}", "INSERT INTO Test {'id': 9}", "", false},
		{"write skew", "SELECT * FROM Test WHERE id = 1", "UPDATE Test SET n = 1 WHERE id = 1", "UPDATE Test SET n = 2 WHERE id = 2", conflict},
		{"both update", "UPDATE Test SET n = 1 WHERE id = 1", "UPDATE Test SET n = 2 WHERE id = 1", "", conflict},
		{"moved to what was asked for", "SELECT * FROM Test WHERE id = 7", "UPDATE Test SET id = 7 WHERE id = 1", "", conflict},
		{"a new index", "SELECT * FROM Test WHERE id = 1", "CREATE INDEX ON Test (n)", "", conflict},
		{"the table dropped", "INSERT INTO Test {'id': 9}", "DROP TABLE Test", "", conflict},
		{"another table", "SELECT COUNT(*) FROM Test", "CREATE TABLE Other", "", false},
		{"the catalog", "SELECT * FROM information_schema.user_tables", "CREATE TABLE Other", "", conflict},
		{"the same table", "CREATE TABLE Other", "CREATE TABLE Other", "", conflict},
		{"history", "SELECT * FROM history(Test) AS h", "UPDATE Test SET n = 1 WHERE id = 1", "", conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setUp(t, Options{})
			b.T = t
			b.insert(`{"id":1,"n":0}`)
			b.insert(`{"id":2,"n":0}`)
			first, second := b.peer(), b.peer()
			if err := first.begin(); err != nil {
				t.Fatal(err)
			}
			if _, err := first.execute(c.first); err != nil {
				t.Fatal(err)
			}
			second.must(c.second)
			if c.last != "" {
				if _, err := first.execute(c.last); err != nil {
					t.Fatal(err)
				}
			}
			err := first.commit()
			if !c.want && err != nil {
				t.Errorf("the commit failed: %v", err)
			}
			if c.want {
				b.wantError(err, CodeOccConflict, "Optimistic concurrency control (OCC) failure encountered while committing the transaction")
				// It left nothing behind, and the session can go on.
				second.must("SELECT * FROM information_schema.user_tables")
				first.must("SELECT * FROM information_schema.user_tables")
			}
		})
	}
}

func TestAPostConflictsWithAScan(t *testing.T) {
	b := setUp(t, Options{})
	p := b.peer()
	if err := p.begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.execute("SELECT COUNT(*) FROM Test"); err != nil {
		t.Fatal(err)
	}
	b.insert(`{"id":1}`)
	b.wantError(p.commit(), CodeOccConflict, "")
}

func TestATransactionSeesItself(t *testing.T) {
	b := setUp(t, Options{})
	b.insert(`{"id":1,"n":0}`)
	p := b.peer()
	got := p.must("INSERT INTO Test <<{'id': 2, 'n': 0}, {'id': 3, 'n': 0}>>", "UPDATE Test SET n = 7 WHERE id = 2",
		"DELETE FROM Test WHERE id = 3", "UPDATE Test SET id = 5 WHERE id = 1", "SELECT * FROM Test WHERE id IN (1, 2, 3, 5)")
	if got != "{id:2,n:7} {id:5,n:0}" && got != "{id:5,n:0} {id:2,n:7}" {
		t.Errorf("got %s", got)
	}
	b.wantReadable(5)
	// What was aborted is not there.
	if err := p.begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.execute("INSERT INTO Test {'id': 6}"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.send(&Command{AbortTransaction: &struct{}{}}); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.find(NumberID(6)); got != "" {
		t.Errorf("what was aborted is there: %s", got)
	}
	b.wantError(p.commit(), CodeBadRequest, "No open transaction")
}

func TestTheDigestIsChecked(t *testing.T) {
	b := setUp(t, Options{})
	p := b.peer()
	if err := p.begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.execute("INSERT INTO Test {'id': 1}"); err != nil {
		t.Fatal(err)
	}
	p.digest[3] ^= 1
	b.wantError(p.commit(), CodeBadRequest, "digest does not match")
	if got, _ := b.find(NumberID(1)); got != "" {
		t.Errorf("it was committed all the same: %s", got)
	}
}

func TestTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.T = t
		p := b.peer()
		if err := p.begin(); err != nil {
			t.Fatal(err)
		}
		pass(maxTransaction - time.Second)
		if _, err := p.execute("SELECT * FROM Test"); err != nil {
			t.Errorf("at 29 s: %v", err)
		}
		pass(time.Second)
		b.wantError(p.commit(), CodeInvalidSession, "Transaction "+p.id+" has expired")
		b.wantError(p.begin(), CodeInvalidSession, "No such session")
		q := b.peer()
		pass(maxSession)
		err := q.begin()
		b.wantError(err, CodeInvalidSession, "Session ")
		b.wantError(err, CodeInvalidSession, " has expired")
		b.wantError(q.begin(), CodeInvalidSession, "No such session")
	})
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{Sessions: 3, Rate: 500})
		b.T = t
		p, _, last := b.peer(), b.peer(), b.peer()
		_, err := p.service.SendCommand(ctx, role, &Command{StartSession: &StartSession{"records"}})
		b.wantError(err, CodeLimitExceeded, "session")
		if _, err := last.send(&Command{EndSession: &struct{}{}}); err != nil {
			t.Fatal(err)
		}
		b.wantError(last.begin(), CodeInvalidSession, "No such session")
		b.peer()
		fail := func(code, message string, statements ...string) {
			t.Helper()
			_, err := p.do(statements...)
			b.wantError(err, code, message)
			pass(time.Second)
		}
		many := strings.Repeat("{'id': 1}, ", maxChanged)
		fail(CodeLimitExceeded, "40", "INSERT INTO Test <<"+many+"{'id': 1}>>")
		p.must("INSERT INTO Test <<" + strings.TrimSuffix(many, ", ") + ">>")
		large := func(n int) ion.Value {
			return ion.Struct(field("x", ion.Blob(bytes.Repeat([]byte{'x'}, n))))
		}
		if err := p.begin(); err != nil {
			t.Fatal(err)
		}
		_, err = p.execute("INSERT INTO Test ?", large(maxDocument))
		b.wantError(err, CodeBadRequest, "")
		if err := p.begin(); err != nil {
			t.Fatal(err)
		}
		for i := range 33 {
			_, err = p.execute("INSERT INTO Test ?", large(maxDocument-100))
			if (err != nil) != (i == 32) {
				t.Fatalf("document %d of 128 KB: %v", i, err)
			}
		}
		b.wantError(err, CodeLimitExceeded, "4194304")
		for i := range maxIndexes - 1 {
			p.must(fmt.Sprintf("CREATE INDEX ON Test (f%d)", i))
		}
		fail(CodeLimitExceeded, "indexes", "CREATE INDEX ON Test (f)")
		for i := range maxTables - 1 {
			p.must(fmt.Sprintf("CREATE TABLE T%d", i))
			pass(time.Second)
		}
		fail(CodeLimitExceeded, "tables", "CREATE TABLE T")
		fail(CodeBadRequest, "Table with name: USER.Test already exists", "CREATE TABLE Test")
		fail(CodeBadRequest, "No such variable named 'Nope'", "DELETE FROM Nope")
		for range 500 {
			if err = p.begin(); err != nil {
				break
			}
			_, err = p.send(&Command{AbortTransaction: &struct{}{}})
		}
		b.wantError(err, "RateExceededException", "rate")
		pass(time.Second)
		p.must("SELECT COUNT(*) FROM Test")
	})
}

func TestTheWire(t *testing.T) {
	b := setUp(t, Options{PreCommand: func(command string, c iam.Caller) error {
		if c.Principal == "busy" {
			return CapacityExceeded()
		}
		if c.Principal == "broken" && command == "StartTransaction" {
			return errors.New("out of order")
		}
		return nil
	}, Caller: func(r *http.Request) iam.Caller {
		c := role
		if p := r.Header.Get("Principal"); p != "" {
			c.Principal = p
		}
		return c
	}})
	b.vault.set("main", func(k *vaultKey) { k.roles["broken"] = true })
	server := httptest.NewServer(b.SessionHandler())
	t.Cleanup(server.Close)
	post := func(principal, body string) (*http.Response, map[string]any) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "QLDBSession.SendCommand")
		r.Header.Set("Principal", principal)
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		text, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if w.Header.Get("x-amzn-RequestId") == "" || w.Header.Get("Content-Type") != "application/x-amz-json-1.0" {
			t.Errorf("the headers are %v", w.Header)
		}
		var out map[string]any
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return w, out
	}
	start := `{"StartSession":{"LedgerName":"records"}}`
	_, out := post("", start)
	token := out["StartSession"].(map[string]any)["SessionToken"].(string)
	if b, err := base64.StdEncoding.DecodeString(token); err != nil || len(b) < 16 {
		t.Errorf("the token is %q", token)
	}
	w, out := post("", `{"SessionToken":"`+token+`","StartTransaction":{}}`)
	id, _ := out["StartTransaction"].(map[string]any)["TransactionId"].(string)
	if w.StatusCode != 200 || len(id) != 22 || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		t.Errorf("the transaction is %q, %v", id, out)
	}
	// An empty result is a page all the same.
	_, out = post("", `{"SessionToken":"`+token+`","ExecuteStatement":{"TransactionId":"`+id+`","Statement":"SELECT * FROM Test WHERE id = ?","Parameters":[{"IonText":"1"}]}}`)
	if page, _ := json.Marshal(out["ExecuteStatement"].(map[string]any)["FirstPage"]); string(page) != `{"Values":[]}` {
		t.Errorf("the page is %s", page)
	}
	_, out = post("broken", start)
	broken := out["StartSession"].(map[string]any)["SessionToken"].(string)
	for _, c := range []struct {
		name, principal, body string
		status                int
		code, reason, message string
	}{
		{"no session", "", `{"SessionToken":"AAAA","StartTransaction":{}}`, 400, "InvalidSessionException", "", "No such session"},
		{"no ledger", "", `{"StartSession":{"LedgerName":"nope"}}`, 400, "BadRequestException", "", "nope"},
		{"table exists", "", `{"SessionToken":"` + token + `","ExecuteStatement":{"TransactionId":"` + id + `","Statement":"CREATE TABLE Test"}}`, 400,
			"BadRequestException", "412", "Table with name: USER.Test already exists"},
		{"two commands", "", `{"SessionToken":"` + token + `","StartTransaction":{},"EndSession":{}}`, 400, "BadRequestException", "", "exactly one"},
		{"no command", "", `{}`, 400, "BadRequestException", "", "exactly one"},
		{"not JSON", "", `{`, 400, "SerializationException", "", ""},
		{"capacity", "busy", start, 503, "CapacityExceededException", "", "Capacity exceeded"},
		{"broken", "broken", `{"SessionToken":"` + broken + `","StartTransaction":{}}`, 500, "InternalFailure", "", "out of order"},
	} {
		w, out := post(c.principal, c.body)
		reason := c.reason
		if reason == "" {
			reason = c.code
		}
		message, _ := out["Message"].(string)
		if w.StatusCode != c.status || w.Header.Get("X-Amzn-ErrorType") != c.code || out["__type"] != c.code || out["Code"] != reason ||
			!strings.Contains(message, c.message) {
			t.Errorf("%s: got %d %v %v", c.name, w.StatusCode, w.Header, out)
		}
	}
}

// TestSDK goes through a transaction with AWS's SDK for Go.
func TestSDK(t *testing.T) {
	b := setUp(t, Options{Caller: func(*http.Request) iam.Caller { return role }})
	server := httptest.NewServer(b.SessionHandler())
	t.Cleanup(server.Close)
	client := qldbsession.New(qldbsession.Options{Region: "eu-west-2", BaseEndpoint: aws.String(server.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", "")})
	send := func(in *qldbsession.SendCommandInput) *qldbsession.SendCommandOutput {
		t.Helper()
		out, err := client.SendCommand(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	token := send(&qldbsession.SendCommandInput{StartSession: &types.StartSessionRequest{LedgerName: aws.String("records")}}).StartSession.SessionToken
	id := send(&qldbsession.SendCommandInput{SessionToken: token, StartTransaction: &types.StartTransactionRequest{}}).StartTransaction.TransactionId
	const text = "INSERT INTO Test ?"
	doc := ion.Struct(field("id", ion.Int(7)))
	out := send(&qldbsession.SendCommandInput{SessionToken: token, ExecuteStatement: &types.ExecuteStatementRequest{
		TransactionId: id, Statement: aws.String(text), Parameters: []types.ValueHolder{{IonBinary: doc.Binary()}}}}).ExecuteStatement
	if len(out.FirstPage.Values) != 1 || out.FirstPage.NextPageToken != nil || out.ConsumedIOs.WriteIOs != 1 {
		t.Errorf("the insert returns %+v", out)
	}
	row, err := ion.Decode(out.FirstPage.Values[0].IonBinary)
	if err != nil {
		t.Fatal(err)
	}
	if document, _ := member(t, row, "documentId").AsText(); len(document) != 22 {
		t.Errorf("the row is %s", row.Text())
	}
	digest := ion.Dot(hashOf(ion.String(*id)), statementDigest(text, []ion.Value{doc}))
	commit := send(&qldbsession.SendCommandInput{SessionToken: token, CommitTransaction: &types.CommitTransactionRequest{
		TransactionId: id, CommitDigest: digest}}).CommitTransaction
	if !bytes.Equal(commit.CommitDigest, digest) || *commit.TransactionId != *id {
		t.Errorf("the commit is %+v", commit)
	}
	b.wantReadable(7)
	send(&qldbsession.SendCommandInput{SessionToken: token, EndSession: &types.EndSessionRequest{}})
	_, err = client.SendCommand(t.Context(), &qldbsession.SendCommandInput{SessionToken: token, StartTransaction: &types.StartTransactionRequest{}})
	wantAPI[*types.InvalidSessionException](t, err)
}

// FuzzCommands sends hostile requests in the middle of a transaction.
func FuzzCommands(f *testing.F) {
	v := newVault(f, "main")
	s := New(Options{Account: "123456789012", Region: "eu-west-2", Clock: clock.New(1), Keys: v,
		Caller: func(*http.Request) iam.Caller { return role }})
	f.Cleanup(s.Close)
	if _, err := s.CreateLedger(ctx, admin, &CreateLedgerRequest{Name: "records", PermissionsMode: "STANDARD", KmsKey: "main"}); err != nil {
		f.Fatal(err)
	}
	if _, err := s.CreateTable(ctx, admin, "records", "Test"); err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{`{}`, `{"StartSession":{"LedgerName":"records"}}`, `{"SessionToken":"TOKEN","StartTransaction":{}}`,
		`{"SessionToken":"TOKEN","ExecuteStatement":{"TransactionId":"ID","Statement":"SELECT * FROM Test","Parameters":[]}}`,
		`{"SessionToken":"TOKEN","ExecuteStatement":{"TransactionId":"ID","Statement":"INSERT INTO Test ?","Parameters":[{"IonText":"{id:1}"}]}}`,
		`{"SessionToken":"TOKEN","ExecuteStatement":{"TransactionId":"ID","Statement":"INSERT INTO Test ?","Parameters":[{"IonBinary":"4AEA6iEB"}]}}`,
		`{"SessionToken":"TOKEN","FetchPage":{"TransactionId":"ID","NextPageToken":"AAAA"}}`,
		`{"SessionToken":"TOKEN","CommitTransaction":{"TransactionId":"ID","CommitDigest":"AAAA"}}`,
		`{"SessionToken":"TOKEN","AbortTransaction":{}}`, `{"SessionToken":"TOKEN","EndSession":null}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		p := connect(t, s, role, "records")
		defer p.send(&Command{EndSession: &struct{}{}})
		if err := p.begin(); err != nil {
			t.Fatal(err)
		}
		body = strings.NewReplacer("TOKEN", p.token, "ID", p.id).Replace(body)
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "QLDBSession.SendCommand")
		w := httptest.NewRecorder()
		s.SessionHandler().ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) || w.Code != 200 && w.Header().Get("x-amzn-ErrorType") == "" || w.Code == 500 {
			t.Errorf("%s: got %d %s", body, w.Code, w.Body)
		}
	})
}

func TestSessionsNeedTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.T = t
		p := b.peer()
		p.must("INSERT INTO Test {'id': 1}")
		b.vault.set("main", func(k *vaultKey) { k.state = "Disabled" })
		p.must("SELECT * FROM Test WHERE id = 1")
		pass(DefaultKeyCache)
		b.wantError(p.begin(), CodeBadRequest, grants)
		_, err := b.SendCommand(ctx, role, &Command{StartSession: &StartSession{"records"}})
		b.wantError(err, CodeBadRequest, grants)
		b.vault.set("main", func(k *vaultKey) { k.state = "Enabled" })
		pass(DefaultRecoveryProbe)
		p.must("SELECT * FROM Test WHERE id = 1")
		stranger := iam.Caller{Principal: "arn:aws:iam::123456789012:role/stranger", Account: "123456789012"}
		_, err = b.SendCommand(ctx, stranger, &Command{StartSession: &StartSession{"records"}})
		b.wantError(err, CodeAccessDenied, "KMS Request ID: request-1")
	})
}

// A session's token is no way to the rights of who opened it.
func TestATokenIsItsOwners(t *testing.T) {
	b := setUp(t, Options{})
	b.T = t
	p := b.peer()
	p.must("INSERT INTO Test {'id': 1}")
	thief := iam.Caller{Principal: "arn:aws:sts::123456789012:assumed-role/thief/fn", Account: "123456789012"}
	for name, in := range map[string]*Command{
		"begin": {StartTransaction: &struct{}{}},
		"abort": {AbortTransaction: &struct{}{}},
		"end":   {EndSession: &struct{}{}},
	} {
		in.SessionToken = p.token
		_, err := b.SendCommand(ctx, thief, in)
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeInvalidSession {
			t.Errorf("%s with somebody else's token: got %v", name, err)
		}
	}
	p.must("SELECT * FROM Test WHERE id = 1") // it is still its owner's
}

// BenchmarkSelect is a whole transaction that reads one document by its index, without the wire.
func BenchmarkSelect(b *testing.B) { benchmark(b, "SELECT * FROM Test WHERE id = ?", ion.Int(1)) }

// BenchmarkInsert is a whole transaction that inserts one document, without the wire.
func BenchmarkInsert(b *testing.B) {
	benchmark(b, "INSERT INTO Test ?", ion.Struct(field("id", ion.Int(1)), field("firstName", ion.String("Ada")),
		field("lastName", ion.String("Lovelace")), field("email", ion.String("ada@example.com"))))
}

func benchmark(b *testing.B, statement string, parameter ion.Value) {
	v := newVault(b, "main")
	s := New(Options{Account: "123456789012", Region: "eu-west-2", Clock: clock.New(1), Keys: v})
	b.Cleanup(s.Close)
	if _, err := s.CreateLedger(ctx, admin, &CreateLedgerRequest{Name: "records", PermissionsMode: "STANDARD", KmsKey: "main"}); err != nil {
		b.Fatal(err)
	}
	if _, err := s.CreateTable(ctx, admin, "records", "Test"); err != nil {
		b.Fatal(err)
	}
	p := connect(b, s, role, "records")
	p.must("INSERT INTO Test {'id': 1, 'firstName': 'Ada'}")
	b.ReportAllocs()
	for b.Loop() {
		err := p.begin()
		if err == nil {
			_, err = p.execute(statement, parameter)
		}
		if err == nil {
			err = p.commit()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
