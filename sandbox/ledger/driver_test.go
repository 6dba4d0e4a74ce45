package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/amzn/ion-go/ion"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/qldbsession"
	"github.com/aws/aws-sdk-go-v2/service/qldbsession/types"
	"github.com/awslabs/amazon-qldb-driver-go/v3/qldbdriver"

	"loadkms/sandbox/iam"
)

// driver returns AWS's own driver of the ledger "records" behind a server on the loopback interface.
func driver(t *testing.T, b *bench) *qldbdriver.QLDBDriver {
	t.Helper()
	server := httptest.NewServer(b.SessionHandler())
	t.Cleanup(server.Close)
	client := qldbsession.New(qldbsession.Options{Region: "eu-west-2", BaseEndpoint: aws.String(server.URL),
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", "")})
	d, err := qldbdriver.New("records", client, func(o *qldbdriver.DriverOptions) {
		o.LoggerVerbosity = qldbdriver.LogOff
		o.MaxConcurrentTransactions = 10
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Shutdown(context.Background()) })
	return d
}

// rows runs one statement in a transaction and returns its rows in Ion text.
func rows(t *testing.T, d *qldbdriver.QLDBDriver, statement string, parameters ...any) []string {
	t.Helper()
	out, err := d.Execute(t.Context(), func(x qldbdriver.Transaction) (any, error) {
		r, err := x.Execute(statement, parameters...)
		if err != nil {
			return nil, err
		}
		var all []string
		for r.Next(x) {
			var v any
			if err := ion.Unmarshal(r.GetCurrentData(), &v); err != nil {
				return nil, err
			}
			text, err := ion.MarshalText(v)
			if err != nil {
				return nil, err
			}
			all = append(all, string(text))
		}
		return all, r.Err()
	})
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return out.([]string)
}

type person struct {
	ID   int    `ion:"id"`
	Name string `ion:"name"`
}

func TestGoDriver(t *testing.T) {
	b := setUp(t, Options{Caller: func(*http.Request) iam.Caller { return role }})
	d := driver(t, b)
	if got := rows(t, d, "CREATE TABLE People"); len(got) != 1 {
		t.Errorf("CREATE TABLE returns %q", got)
	}
	rows(t, d, "CREATE INDEX ON People (id)")
	names, err := d.GetTableNames(t.Context())
	if err != nil || len(names) != 2 {
		t.Errorf("the tables are %q, %v", names, err)
	}
	const n = 230 // more than a page
	for i := range n {
		if got := rows(t, d, "INSERT INTO People ?", person{i, fmt.Sprint("person ", i)}); len(got) != 1 {
			t.Fatalf("INSERT returns %q", got)
		}
	}
	if got := rows(t, d, "SELECT VALUE name FROM People WHERE id = ?", 7); len(got) != 1 || got[0] != `"person 7"` {
		t.Errorf("person 7 is %q", got)
	}
	if got := rows(t, d, "SELECT * FROM People"); len(got) != n {
		t.Errorf("%d people, want %d", len(got), n)
	}
	b.insert(`{"id":1,"name":"posted"}`)
	if got := rows(t, d, "SELECT VALUE name FROM Test WHERE id = ?", 1); len(got) != 1 || got[0] != `"posted"` {
		t.Errorf("what was posted is %q", got)
	}
	_, err = d.Execute(t.Context(), func(x qldbdriver.Transaction) (any, error) { return x.Execute("DELETE FROM Nope") })
	if bad := (*types.BadRequestException)(nil); !errors.As(err, &bad) {
		t.Errorf("an unknown table is %T %v", err, err)
	}
	_, err = d.Execute(t.Context(), func(x qldbdriver.Transaction) (any, error) { return x.Execute("CREATE TABLE People") })
	if bad := (*types.BadRequestException)(nil); !errors.As(err, &bad) || aws.ToString(bad.Code) != "412" {
		t.Errorf("a second table is %T %v", err, err)
	}
}

// TestGoDriverRetriesConflicts lets several users of the driver add to one counter: its retries after
// conflicts must lose nothing.
func TestGoDriverRetriesConflicts(t *testing.T) {
	b := setUp(t, Options{Caller: func(*http.Request) iam.Caller { return role }})
	d := driver(t, b)
	rows(t, d, "INSERT INTO Test {'id': 1, 'n': 0}")
	const users, times = 4, 10
	var all sync.WaitGroup
	var done, tries sync.Map
	for u := range users {
		all.Go(func() {
			for i := range times {
				_, err := d.Execute(t.Context(), func(x qldbdriver.Transaction) (any, error) {
					tries.Store(x.ID(), true)
					r, err := x.Execute("SELECT VALUE n FROM Test WHERE id = 1")
					if err != nil {
						return nil, err
					}
					var n int
					if !r.Next(x) {
						return nil, r.Err()
					}
					if err := ion.Unmarshal(r.GetCurrentData(), &n); err != nil {
						return nil, err
					}
					return x.Execute("UPDATE Test SET n = ? WHERE id = 1", n+1)
				})
				if err == nil {
					done.Store([2]int{u, i}, true)
				} else if occ := (*types.OccConflictException)(nil); !errors.As(err, &occ) {
					t.Errorf("user %d: %v", u, err)
				}
			}
		})
	}
	all.Wait()
	count := func(m *sync.Map) (n int) {
		m.Range(func(any, any) bool { n++; return true })
		return n
	}
	want := fmt.Sprint(count(&done))
	if got := rows(t, d, "SELECT VALUE n FROM Test WHERE id = 1"); len(got) != 1 || got[0] != want {
		t.Errorf("the counter is %q after %s successes", got, want)
	}
	t.Logf("%s of %d additions succeeded in %d transactions", want, users*times, count(&tries))
}

func TestGoDriverSurvivesAKeyFault(t *testing.T) {
	b := setUp(t, Options{Caller: func(*http.Request) iam.Caller { return role }})
	d := driver(t, b)
	rows(t, d, "INSERT INTO Test {'id': 1, 'n': 0}")
	b.vault.set("main", func(k *vaultKey) { k.state = "Disabled" })
	b.ledgers["records"].service.o.Clock.Advance(DefaultKeyCache)
	_, err := d.Execute(t.Context(), func(x qldbdriver.Transaction) (any, error) { return x.Execute("SELECT * FROM Test") })
	if bad := (*types.BadRequestException)(nil); !errors.As(err, &bad) {
		t.Errorf("with the key disabled it is %T %v", err, err)
	}
	b.vault.set("main", func(k *vaultKey) { k.state = "Enabled" })
	b.ledgers["records"].service.o.Clock.Advance(DefaultRecoveryProbe)
	if got := rows(t, d, "SELECT * FROM Test WHERE id = 1"); len(got) != 1 {
		t.Errorf("with the key back it is %q", got)
	}
	// Its pooled sessions have expired by now; it gets others.
	b.ledgers["records"].service.o.Clock.Advance(maxSession)
	if got := rows(t, d, "SELECT * FROM Test WHERE id = 1"); len(got) != 1 {
		t.Errorf("with new sessions it is %q", got)
	}
}
