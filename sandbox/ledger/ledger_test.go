package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
)

var (
	admin  = iam.Caller{Principal: "arn:aws:iam::123456789012:user/admin", Account: "123456789012"}
	role   = iam.Caller{Principal: "arn:aws:sts::123456789012:assumed-role/reader/fn", Account: "123456789012"}
	ctx    = context.Background()
	grants = "Amazon QLDB does not have grant access on the AWS KMS customer managed key of the ledger. " +
		"Restore the grant on the key for the ledger."
	denied = "The user does not have permissions to use the customer managed KMS key of the ledger " +
		"(KMS Request ID: request-1) : " + undecipherable
)

// bench is a ledger "records" with a table Test under alias/main, and a session of the role.
type bench struct {
	*testing.T
	*Service
	vault   *vault
	session *Session
}

func setUp(t *testing.T, o Options) *bench {
	t.Helper()
	v := newVault(t, "main", "rotate", "noAccess", "rsa")
	v.point("alias/main", "main")
	v.set("noAccess", func(k *vaultKey) { clear(k.roles) })
	return setUpOver(t, o, v, "alias/main")
}

// setUpOver is setUp over a vault and with the ledger under a key of the caller's choice.
func setUpOver(t *testing.T, o Options, v *vault, key string) *bench {
	t.Helper()
	o.Account, o.Region, o.Clock = "123456789012", "eu-west-2", clock.New(1)
	if o.Keys == nil {
		o.Keys = v
	}
	if o.Directory != nil {
		err := o.Directory.Add(iam.RoleARN(o.Account, "reader"),
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"qldb:*","Resource":"*"}}`)
		if err != nil {
			t.Fatal(err)
		}
	}
	b := &bench{T: t, Service: New(o), vault: v}
	t.Cleanup(b.Close)
	if _, err := b.CreateLedger(ctx, admin, &CreateLedgerRequest{Name: "records", PermissionsMode: "STANDARD", KmsKey: key, AtOnce: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CreateTable(ctx, admin, "records", "Test"); err != nil {
		t.Fatal(err)
	}
	b.session = b.start()
	return b
}

func (b *bench) start() *Session {
	b.Helper()
	s, err := b.StartSession(ctx, role, "records")
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (b *bench) insert(doc string) {
	b.Helper()
	if err := b.session.Insert(ctx, "Test", []byte(doc)); err != nil {
		b.Fatalf("insert %s: %v", doc, err)
	}
}

func (b *bench) find(id ID) (string, error) {
	doc, ok, err := b.session.Find(ctx, "Test", id, nil)
	if err == nil && !ok {
		return "", nil
	}
	return string(doc), err
}

// wantError checks the code and message of a *Error.
func (b *bench) wantError(err error, code, message string) {
	b.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, message) {
		b.Fatalf("error is %v, want %s: %s", err, code, message)
	}
}

func (b *bench) wantReadable(id int64) {
	b.Helper()
	if got, err := b.find(NumberID(id)); err != nil || !strings.Contains(got, fmt.Sprintf(`"id":%d`, id)) {
		b.Fatalf("document %d is %q, %v", id, got, err)
	}
}

// wantKey checks what the control plane tells of the key.
func (b *bench) wantKey(name, status string) EncryptionDescription {
	b.Helper()
	out, err := b.DescribeLedger(ctx, admin, "records")
	if err != nil {
		b.Fatal(err)
	}
	d := out.EncryptionDescription
	if d.KmsKeyArn != arn(name) || d.EncryptionStatus != status || (d.InaccessibleKmsKeyDateTime != nil) != (status == "KMS_KEY_INACCESSIBLE") {
		b.Fatalf("encryption is %+v, want %s %s", d, name, status)
	}
	return d
}

func (b *bench) update(key string) {
	b.Helper()
	if _, err := b.UpdateLedger(ctx, admin, "records", &UpdateLedgerRequest{KmsKey: &key}); err != nil {
		b.Fatalf("update to %s: %v", key, err)
	}
}

// pass lets sandbox time pass, and a moment more, in which what is then due happens.
func pass(d time.Duration) {
	time.Sleep(d + time.Microsecond)
	synctest.Wait()
}

func TestDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		for _, doc := range []string{
			`{"id":1,"z":"first","a":[1,{"id":9}],"e":"\u00e9 \" }"}`,
			`{"id":1,"z":"second"}`,
			`{"id":"1","kind":"text"}`,
			`{"z":0, "id" : 2.0 }`,
			`{"id":1.5}`,
			`{"id":-7}`,
			`{"id":3,"id":4}`,
			`{"\u0069d":5}`,
			`{"ID":6,"name":"id"}`,
			`{"id":null}`, `{"id":{"id":8}}`, `{}`,
			`{"id":12345678901234567890}`,
		} {
			b.insert(doc)
		}
		for _, c := range []struct {
			name string
			id   ID
			want string
		}{
			{"the first wins, byte for byte", NumberID(1), `{"id":1,"z":"first","a":[1,{"id":9}],"e":"\u00e9 \" }"}`},
			{"a text is not a number", StringID("1"), `{"id":"1","kind":"text"}`},
			{"2.0 is 2", NumberID(2), `{"z":0, "id" : 2.0 }`},
			{"a fraction", FloatID(1.5), `{"id":1.5}`},
			{"a negative number", NumberID(-7), `{"id":-7}`},
			{"the last of two fields counts", NumberID(4), `{"id":3,"id":4}`},
			{"but not the first", NumberID(3), ""},
			{"an escaped name", NumberID(5), `{"\u0069d":5}`},
			{"names are case sensitive", NumberID(6), ""},
			{"inner fields do not count", NumberID(8), ""},
			{"nor inner lists", NumberID(9), ""},
			{"a number beyond 64 bits", FloatID(12345678901234567890), `{"id":12345678901234567890}`},
			{"NaN is nothing", NaN, ""},
			{"the zero id", ID{}, ""},
		} {
			if got, err := b.find(c.id); got != c.want || err != nil {
				t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
			}
		}
		b.wantError(b.session.Insert(ctx, "Test", []byte(`[1]`)), CodeBadRequest, "Only structs")
		b.wantError(b.session.Insert(ctx, "Test", []byte(`{"id":`)), CodeBadRequest, "Only structs")
		b.wantError(b.session.Insert(ctx, "Test", []byte(`{"id":1e400}`)), CodeBadRequest, "cannot be an Ion value")
		b.wantError(b.session.Insert(ctx, "Nope", []byte(`{}`)), CodeBadRequest, "No such variable named 'Nope'")
		huge := `{"id":7,"x":"` + strings.Repeat("x", maxDocument) + `"}`
		b.wantError(b.session.Insert(ctx, "Test", []byte(huge)), CodeBadRequest, "Document size limit")
		_, err := b.StartSession(ctx, role, "nope")
		b.wantError(err, CodeBadRequest, "nope")
	})
}

func TestADisabledKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.insert(`{"id":1}`)
		pass(time.Minute)
		b.vault.set("main", func(k *vaultKey) { k.state = "Disabled" })

		// The grace: the key is still in the cache, for the sessions that are open.
		pass(59 * time.Second)
		b.wantReadable(1)
		b.insert(`{"id":2}`)
		b.wantKey("main", "ENABLED")
		_, err := b.StartSession(ctx, role, "records")
		b.wantError(err, CodeBadRequest, grants)

		pass(time.Second) // nobody asks, and yet it is known
		since := b.wantKey("main", "KMS_KEY_INACCESSIBLE").InaccessibleKmsKeyDateTime
		_, err = b.find(NumberID(1))
		b.wantError(err, CodeBadRequest, grants)
		b.wantError(b.session.Insert(ctx, "Test", []byte(`{"id":3}`)), CodeBadRequest, grants)

		pass(5 * time.Minute) // two probes later
		if got := b.wantKey("main", "KMS_KEY_INACCESSIBLE").InaccessibleKmsKeyDateTime; *got != *since {
			t.Errorf("inaccessible since %v, then since %v", time.Time(*since), time.Time(*got))
		}
		b.vault.set("main", func(k *vaultKey) { k.state = "Enabled" })
		b.wantKey("main", "KMS_KEY_INACCESSIBLE")
		pass(time.Minute)
		b.wantKey("main", "ENABLED")
		b.wantReadable(1)
		b.wantReadable(2)
	})
}

func TestARevokedGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.insert(`{"id":1}`)
		b.vault.set("main", func(k *vaultKey) { k.grants = 0 })
		pass(DefaultKeyCache)
		b.wantKey("main", "KMS_KEY_INACCESSIBLE")
		_, err := b.find(NumberID(1))
		b.wantError(err, CodeBadRequest, grants)
		b.update("main") // the same key: only the grant is restored
		pass(DefaultRecoveryProbe)
		b.wantKey("main", "ENABLED")
		b.wantReadable(1)
	})
}

// A request that finds an answer due asks for it itself; it does not depend on the background.
func TestRequestsAskForThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.insert(`{"id":1}`)
		b.vault.set("main", func(k *vaultKey) { k.state = "Disabled" })
		b.Close()
		before := b.vault.count("Decrypt")
		time.Sleep(DefaultKeyCache)
		_, err := b.find(NumberID(1))
		b.wantError(err, CodeBadRequest, grants)
		for range 10 {
			b.find(NumberID(1))
		}
		if got := b.vault.count("Decrypt") - before; got != 1 {
			t.Errorf("KMS was asked %d times, want once", got)
		}
		b.vault.set("main", func(k *vaultKey) { k.state = "Enabled" })
		time.Sleep(DefaultRecoveryProbe)
		b.wantReadable(1)
	})
}

func TestAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{segmentsPerNode: 1})
		content := strings.Repeat("x", 100_000)
		for i := range 25 { // three segments, three nodes
			b.insert(fmt.Sprintf(`{"id":%d,"x":"%s"}`, i, content))
		}
		l := b.ledgers["records"]
		var before [][]byte
		for _, s := range *l.journal.segments.Load() {
			before = append(before, bytes.Clone(s.buf), bytes.Clone(s.sealed))
		}
		if len(before) != 6 || len(l.keys.nodes) != 3 {
			t.Fatalf("%d segments and %d nodes, want 3 of each", len(before)/2, len(l.keys.nodes))
		}

		b.update("rotate")
		b.wantKey("rotate", "UPDATING")
		pass(DefaultUpdate - time.Second)
		b.wantKey("rotate", "UPDATING")
		b.wantReadable(24)
		pass(time.Second)
		b.wantKey("rotate", "ENABLED")

		for i, s := range *l.journal.segments.Load() {
			if !bytes.Equal(s.buf, before[2*i]) || !bytes.Equal(s.sealed, before[2*i+1]) {
				t.Errorf("segment %d was written anew", i)
			}
		}
		// The old key is no longer needed, nor granted.
		b.vault.set("main", func(k *vaultKey) {
			k.state = "Disabled"
			if k.grants != 0 {
				t.Error("the grant on the old key was not given back")
			}
		})
		pass(2 * DefaultKeyCache)
		b.wantReadable(0)
		b.wantReadable(24)
		b.start()
	})
}

func TestTheRoleHasNoAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.insert(`{"id":1}`)
		b.update("noAccess")
		pass(DefaultUpdate - time.Second)
		b.wantReadable(1)
		pass(time.Second)
		b.wantKey("noAccess", "ENABLED") // the service itself may use it
		_, err := b.find(NumberID(1))
		b.wantError(err, CodeAccessDenied, denied)
		_, err = b.StartSession(ctx, role, "records")
		b.wantError(err, CodeAccessDenied, denied)
		b.update("main")
		_, err = b.find(NumberID(1))
		b.wantError(err, CodeAccessDenied, denied)
		pass(DefaultUpdate)
		b.wantKey("main", "ENABLED")
		b.wantReadable(1) // the same session
	})
}

func TestAChangeIsTakenBackBeforeItIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.insert(`{"id":1}`)
		b.update("noAccess")
		pass(DefaultUpdate / 2)
		b.update("main")
		b.wantKey("main", "UPDATING")
		for range 10 {
			pass(DefaultUpdate / 10)
			b.wantReadable(1)
		}
		b.wantKey("main", "ENABLED")
		b.vault.set("noAccess", func(k *vaultKey) {
			if k.grants != 0 {
				t.Error("the grant on the other key was not given back")
			}
		})
	})
}

func TestBothKeysAreNeededDuringAChange(t *testing.T) {
	for _, gone := range []string{"main", "rotate"} {
		t.Run(gone, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, Options{KeyCache: time.Minute, RecoveryProbe: time.Minute, Update: 10 * time.Minute})
				b.insert(`{"id":1}`)
				b.update("rotate")
				pass(30 * time.Second)
				b.vault.set(gone, func(k *vaultKey) { k.state = "Disabled" })
				pass(time.Minute)
				b.wantKey("rotate", "KMS_KEY_INACCESSIBLE")
				_, err := b.find(NumberID(1))
				b.wantError(err, CodeBadRequest, grants)
				pass(20 * time.Minute) // it cannot be completed
				b.wantKey("rotate", "KMS_KEY_INACCESSIBLE")
				b.vault.set(gone, func(k *vaultKey) { k.state = "Enabled" })
				pass(2 * time.Minute)
				b.wantKey("rotate", "ENABLED")
				b.session = b.start() // the other has expired
				b.wantReadable(1)
			})
		})
	}
}

func TestAKeyThatCannotBeUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.vault.set("rotate", func(k *vaultKey) { k.state = "Disabled" })
		b.vault.set("noAccess", func(k *vaultKey) { k.closed = true })
		for _, c := range []struct{ key, code, message string }{
			{"rotate", CodeInvalidParameter, "is disabled."},
			{"nope", CodeInvalidParameter, "does not exist"},
			{"alias/nope", CodeInvalidParameter, "Alias alias/nope is not found."},
			{"rsa", CodeInvalidParameter, "not a symmetric"},
			{"", CodeInvalidParameter, "must not be empty"},
			{"noAccess", CodeAccessDenied, "kms:DescribeKey"},
		} {
			_, err := b.UpdateLedger(ctx, admin, "records", &UpdateLedgerRequest{KmsKey: &c.key})
			b.wantError(err, c.code, c.message)
			var e *Error
			if errors.As(err, &e); c.code == CodeInvalidParameter && e.ParameterName != "KmsKey" {
				t.Errorf("%s: the parameter is %q", c.key, e.ParameterName)
			}
			b.wantKey("main", "ENABLED")
		}
	})
}

func TestTheAlias(t *testing.T) {
	for _, c := range []struct{ mode, want string }{{"", "rotate"}, {Follow, "rotate"}, {Pinned, "main"}} {
		t.Run("mode "+c.mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, Options{Alias: c.mode})
				b.insert(`{"id":1}`)
				b.vault.point("alias/main", "rotate")
				pass(DefaultFollow)
				if c.want == "rotate" {
					b.wantKey("rotate", "UPDATING")
				}
				pass(DefaultUpdate)
				b.wantKey(c.want, "ENABLED")
				b.wantReadable(1)
				b.vault.point("alias/main", "main")
				pass(DefaultFollow + DefaultUpdate)
				b.wantKey("main", "ENABLED")
			})
		})
	}
}

func TestWhatIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		want := func(alias string) {
			t.Helper()
			if got := b.Following("records"); got != alias {
				t.Fatalf("follows %q, want %q", got, alias)
			}
		}
		settle := func() { pass(DefaultFollow + DefaultUpdate) }
		want("alias/main")
		b.update("main") // a rehearsal changes nothing
		want("alias/main")
		b.update("rotate")
		want("")
		b.vault.point("alias/main", "noAccess")
		settle()
		b.wantKey("rotate", "ENABLED")
		b.update("main") // not what the alias names
		want("")
		settle()
		b.vault.point("alias/main", "main")
		b.update(arn("main")) // back where it followed from
		want("alias/main")
		b.vault.point("alias/other", "rotate")
		b.update("alias/other")
		want("alias/other")
		settle()
		b.wantKey("rotate", "ENABLED")

		// What it may not use, and what is gone, it does not follow, but goes on trying.
		b.vault.set("noAccess", func(k *vaultKey) { k.closed = true })
		b.vault.point("alias/other", "noAccess")
		settle()
		b.wantKey("rotate", "ENABLED")
		b.vault.set("noAccess", func(k *vaultKey) { k.closed = false })
		settle()
		b.wantKey("noAccess", "ENABLED")
	})
}

func TestSessionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.insert(`{"id":1}`)
		sessions := make([]*Session, 200)
		for i := range sessions {
			sessions[i] = b.start()
		}
		alive := func() (n int) {
			for _, s := range sessions {
				if _, _, err := s.Find(ctx, "Test", NumberID(1), nil); err == nil {
					n++
				} else {
					b.wantError(err, CodeInvalidSession, "Session "+s.id+" has expired")
				}
			}
			return n
		}
		pass(minSession - time.Second)
		if got := alive(); got != 200 {
			t.Errorf("%d of 200 sessions live just before 13 minutes", got)
		}
		pass(2 * time.Minute)
		if got := alive(); got == 0 || got == 200 {
			t.Errorf("%d of 200 sessions live at 15 minutes", got)
		}
		pass(2*time.Minute + time.Second)
		if got := alive(); got != 0 {
			t.Errorf("%d of 200 sessions live at 17 minutes", got)
		}
	})
}

func TestRecordsAreSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.insert(`{"id":1,"name":"secret-1"}`)
		b.insert(`{"id":2,"name":"secret-2"}`)
		journal := b.ledgers["records"].journal
		segment := (*journal.segments.Load())[0]
		if bytes.Contains(segment.buf, []byte("secret")) {
			t.Fatal("a document lies in the clear")
		}
		// Block 0 made the table.
		first, second := journal.blocks.at(1).address().offset, journal.blocks.at(2).address().offset
		size := second - first
		kept := bytes.Clone(segment.buf)
		copy(segment.buf[first:], kept[second:second+size])
		if got, err := b.find(NumberID(1)); err == nil {
			t.Errorf("a record opened in another's place: %s", got)
		}
		copy(segment.buf, kept)
		segment.buf[first+size/2] ^= 1
		if got, err := b.find(NumberID(1)); err == nil {
			t.Errorf("a record opened after a bit was changed: %s", got)
		}
		b.wantReadable(2)
	})
}

func TestDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, Options{})
		b.insert(`{"id":1}`)
		b.wantError(b.DeleteLedger(ctx, admin, "records"), "ResourcePreconditionNotMetException", "DeletionProtection")
		off := false
		if _, err := b.UpdateLedger(ctx, admin, "records", &UpdateLedgerRequest{DeletionProtection: &off}); err != nil {
			t.Fatal(err)
		}
		if err := b.DeleteLedger(ctx, admin, "records"); err != nil {
			t.Fatal(err)
		}
		b.vault.set("main", func(k *vaultKey) {
			if k.grants != 0 {
				t.Error("the grant was not given back")
			}
		})
		_, err := b.DescribeLedger(ctx, admin, "records")
		b.wantError(err, CodeNotFound, "records")
		_, err = b.find(NumberID(1))
		b.wantError(err, CodeInvalidSession, "No such session")
		synctest.Wait()
		before := b.vault.count("Decrypt")
		pass(time.Hour)
		if got := b.vault.count("Decrypt"); got != before {
			t.Errorf("a deleted ledger has asked KMS %d times", got-before)
		}
	})
}

// TestManyClients lets 64 clients write and read while the key changes all the time: no acknowledged
// record may be lost or wrong, and nothing may fail.
func TestManyClients(t *testing.T) {
	v := newVault(t, "main", "rotate")
	v.point("alias/main", "main")
	s := New(Options{Account: "123456789012", Region: "eu-west-2", Clock: clock.New(60), Keys: v,
		KeyCache: time.Second, Update: 50 * time.Millisecond, FollowEvery: 50 * time.Millisecond, segmentsPerNode: 1})
	defer s.Close()
	if _, err := s.CreateLedger(ctx, admin, &CreateLedgerRequest{Name: "records", PermissionsMode: "STANDARD", KmsKey: "alias/main"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateTable(ctx, admin, "records", "Test"); err != nil {
		t.Fatal(err)
	}
	const changes = 12
	var clients, rotation sync.WaitGroup
	var done atomic.Bool
	rotation.Go(func() {
		defer done.Store(true)
		for i := range changes {
			key := []string{"rotate", "main"}[i%2]
			v.point("alias/main", key)
			var err error
			switch i % 3 {
			case 0: // named by the alias, which is followed from then on
				name := "alias/main"
				_, err = s.UpdateLedger(ctx, admin, "records", &UpdateLedgerRequest{KmsKey: &name})
			case 1: // only followed
			case 2:
				_, err = s.UpdateLedger(ctx, admin, "records", &UpdateLedgerRequest{KmsKey: &key})
			}
			for err == nil {
				var d *DescribeLedgerResponse
				d, err = s.DescribeLedger(ctx, admin, "records")
				if err != nil || d.EncryptionDescription == (EncryptionDescription{KmsKeyArn: arn(key), EncryptionStatus: "ENABLED"}) {
					break
				}
				time.Sleep(100 * time.Microsecond)
			}
			if err != nil {
				t.Errorf("change %d: %v", i, err)
				return
			}
		}
	})
	const least, most = 30, 1000 // records of a client
	var wrote [64]int64
	padding := strings.Repeat("x", 1000)
	for client := range int64(64) {
		clients.Go(func() {
			session, err := s.StartSession(ctx, role, "records")
			if err != nil {
				t.Error(err)
				return
			}
			var buf []byte
			for i := int64(0); i < least || i < most && !done.Load(); i++ {
				id := client*most + i
				doc := fmt.Sprintf(`{"id":%d,"client":%d,"padding":"%s"}`, id, client, padding)
				if err := session.Insert(ctx, "Test", []byte(doc)); err != nil {
					t.Errorf("insert %d: %v", id, err)
					return
				}
				for _, back := range []int64{0, i / 2, i} {
					got, ok, err := session.Find(ctx, "Test", NumberID(id-back), buf[:0])
					want := fmt.Sprintf(`{"id":%d,"client":%d,"padding":"%s"}`, id-back, client, padding)
					if err != nil || !ok || string(got) != want {
						t.Errorf("record %d is %q, %v, %v", id-back, got, ok, err)
						return
					}
					buf = got
				}
				wrote[client] = i + 1
			}
		})
	}
	clients.Wait()
	rotation.Wait()
	session, err := s.StartSession(ctx, role, "records")
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for client, n := range wrote {
		total += n
		for id := int64(client) * most; id < int64(client)*most+n; id++ {
			got, ok, err := session.Find(ctx, "Test", NumberID(id), nil)
			if err != nil || !ok || !strings.HasPrefix(string(got), fmt.Sprintf(`{"id":%d,"client":%d,`, id, client)) {
				t.Fatalf("record %d is %q, %v, %v", id, got, ok, err)
			}
		}
	}
	l := s.ledgers["records"]
	_, _, generation := l.keys.present()
	t.Logf("%d records under %d node keys, while the key was changed %d times", total, len(l.keys.nodes), generation)
	if generation != changes {
		t.Errorf("the key was changed %d times, want %d", generation, changes)
	}
}

func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100,000 records")
	}
	v := newVault(t, "main")
	s := New(Options{Account: "123456789012", Region: "eu-west-2", Clock: clock.New(1), Keys: v})
	defer s.Close()
	if _, err := s.CreateLedger(ctx, admin, &CreateLedgerRequest{Name: "records", PermissionsMode: "STANDARD", KmsKey: "main"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateTable(ctx, admin, "records", "Test"); err != nil {
		t.Fatal(err)
	}
	session, err := s.StartSession(ctx, role, "records")
	if err != nil {
		t.Fatal(err)
	}
	const n = 100_000
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, content := heap(), 0
	for i := range n {
		doc := fmt.Appendf(nil, `{"id":%d,"firstName":"Ada","lastName":"Lovelace","email":"ada@example.com"}`, i)
		content += len(doc)
		if err := session.Insert(ctx, "Test", doc); err != nil {
			t.Fatal(err)
		}
	}
	got := (int(heap()-before) - content) / n
	t.Logf("%d bytes per record beyond its content", got)
	if got > 100 {
		t.Errorf("%d bytes per record beyond its content, want at most 100", got)
	}
	runtime.KeepAlive(s)
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{"a": true, "A-1": true, "1a": true, "1-2": true, strings.Repeat("a", 32): true,
		"": false, "1": false, "-a": false, "a-": false, "a--b": false, "a_b": false, "é": false, strings.Repeat("a", 33): false} {
		if got := checkName(name) == nil; got != want {
			t.Errorf("%q: valid is %v, want %v", name, got, want)
		}
	}
}
