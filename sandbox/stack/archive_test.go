package stack

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/store"
)

// A kept is a bench in a store.
type kept struct {
	*bench
	dir  string
	disk *store.Store
}

func newKept(t *testing.T, dir string, o Options) *kept {
	t.Helper()
	k := &kept{bench: newBench(o), dir: dir}
	k.reopen(t)
	return k
}

func (k *kept) reopen(t *testing.T) {
	t.Helper()
	var err error
	if k.disk, err = store.Open(k.dir); err != nil {
		t.Fatal(err)
	}
	if k.bench.Service, err = Open(k.o, k.disk); err != nil {
		t.Fatal(err)
	}
}

func (k *kept) close(t *testing.T) {
	t.Helper()
	k.Close()
	if err := k.disk.Close(); err != nil {
		t.Fatal(err)
	}
}

// dump returns all there is.
func (k *kept) dump(t *testing.T) string {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []any
	for _, st := range k.stacks {
		all = append(all, st.number, st.record(""))
		for _, r := range st.order {
			all = append(all, r.request.Properties)
		}
	}
	for _, set := range k.changeSets {
		all = append(all, set.number, set.record())
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestArchive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept(t, t.TempDir(), Options{Step: time.Second, Endpoint: "http://127.0.0.1:1"})
		k.create(t, "one", two, func(c *Creation) { c.Protected, c.Tags = true, []Tag{{"k", "v"}} })
		time.Sleep(time.Minute)
		k.create(t, "gone", `
Resources:
  D: {Type: Test::Thing, Properties: {Name: d}}
Outputs:
  Shared: {Value: !ImportValue shared}
  URL: {Value: 'https://abc.execute-api.eu-west-2.amazonaws.com/poc'}
`)
		time.Sleep(time.Minute)
		for _, form := range []url.Values{
			{"Action": {"CreateChangeSet"}, "ChangeSetName": {"set"}, "ChangeSetType": {"CREATE"}, "StackName": {"later"},
				"TemplateBody": {"Resources: {A: {Type: AWS::S3::Bucket}}"}},
			{"Action": {"CreateChangeSet"}, "ChangeSetName": {"done"}, "ChangeSetType": {"CREATE"}, "StackName": {"third"},
				"TemplateBody": {"Resources: {A: {Type: AWS::S3::Bucket}}"}},
			{"Action": {"ExecuteChangeSet"}, "ChangeSetName": {"done"}, "StackName": {"third"}},
		} {
			if _, err := k.Query(iam.Caller{}, form, "id"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		before := k.dump(t)
		k.close(t)
		k.reopen(t)
		if got := k.dump(t); got != before {
			t.Errorf("after a restart:\n%s\nwant\n%s", got, before)
		}
		k.close(t)
		k.o.Endpoint = "http://127.0.0.1:2"
		k.reopen(t)
		if out, err := k.Outputs("gone"); err != nil || out[1].Value != "http://127.0.0.1:2/poc" {
			t.Errorf("outputs behind another port are %v, %v", out, err)
		}
		// What the stack of a later time made can be removed.
		if err := k.Delete(iam.Caller{}, "gone"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := k.list(&k.gone); !slices.Equal(got, []string{"id-d"}) {
			t.Errorf("removed %v, want id-d", got)
		}
		id := k.create(t, "gone", "Resources: {D: {Type: Test::Thing, Properties: {Name: e}}}")
		time.Sleep(time.Minute)
		k.close(t)
		k.reopen(t)
		if st := k.Service.find("gone"); st == nil || st.id != id || st.status != createComplete {
			t.Errorf("the stack is %+v, want %s", st, id)
		}
		k.close(t)
	})
}

// TestBrokenOff ends the process in the middle of a creation, and of the deletion that follows.
func TestBrokenOff(t *testing.T) {
	for name, c := range map[string]struct {
		onFailure, want string
	}{
		"rolled back": {"", rollbackComplete}, "left": {"DO_NOTHING", createFailed}, "deleted": {"DELETE", deleteComplete},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKept(t, t.TempDir(), Options{Step: time.Minute})
				id := k.create(t, "s", two, func(creation *Creation) { creation.OnFailure = c.onFailure })
				time.Sleep(90 * time.Second) // B is made, A is not
				k.close(t)
				k.reopen(t)
				time.Sleep(time.Second) // what follows is broken off as well
				k.close(t)
				k.reopen(t)
				time.Sleep(time.Hour)
				k.mu.Lock()
				st := k.Service.find(id)
				status := st.status
				k.mu.Unlock()
				if status != c.want {
					t.Errorf("the status is %s, want %s", status, c.want)
				}
				want := []string{"id-b"}
				if c.onFailure == "DO_NOTHING" {
					want = nil
				}
				if got := k.list(&k.gone); !slices.Equal(got, want) {
					t.Errorf("removed %v, want %v", got, want)
				}
				k.close(t)
			})
		})
	}
}

func TestAStackThatCannotBeRead(t *testing.T) {
	k := newKept(t, t.TempDir(), Options{})
	template, err := Parse(two)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Deploy(context.Background(), iam.Caller{}, Creation{Name: "s", Template: template}); err != nil {
		t.Fatal(err)
	}
	k.Close()
	var b store.Batch
	b.Put(stackEntries+"00000001", []byte("{"))
	if err := k.disk.Enter(&b).Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(k.o, k.disk); err == nil {
		t.Error("a stack that cannot be read was opened")
	}
	if err := k.disk.Close(); err != nil {
		t.Fatal(err)
	}
}
