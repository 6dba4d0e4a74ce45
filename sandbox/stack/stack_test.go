package stack

import (
	"context"
	"encoding/xml"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
)

// A bench is a CloudFormation whose resources are names in a list.
type bench struct {
	*Service
	lists      sync.Mutex // guards the fields below
	made, gone []string
	refuse     string // the name of a resource that cannot be made
	stuck      string // or removed
}

// list returns what made or gone is by now.
func (b *bench) list(of *[]string) []string {
	b.lists.Lock()
	defer b.lists.Unlock()
	return slices.Clone(*of)
}

func (b *bench) stick(id string) {
	b.lists.Lock()
	defer b.lists.Unlock()
	b.stuck = id
}

func newBench(o Options) *bench {
	b := &bench{}
	o.Account, o.Region, o.Clock = "123456789012", "eu-west-2", clock.New(1)
	o.Kinds = map[string]Kind{"Test::Thing": {
		Properties: []string{"Name*", "Of"},
		Make: func(_ context.Context, _ iam.Caller, r Request) (Made, error) {
			b.lists.Lock()
			defer b.lists.Unlock()
			name := r.Text("Name")
			if name == b.refuse {
				return Made{}, errors.New("no " + name + " today")
			}
			b.made = append(b.made, name)
			return Made{ID: "id-" + name, Attributes: map[string]string{"Arn": "arn:" + name}}, nil
		},
		Remove: func(_ context.Context, _ iam.Caller, _ Request, id string) error {
			b.lists.Lock()
			defer b.lists.Unlock()
			if id == b.stuck {
				return errors.New(id + " is stuck")
			}
			b.gone = append(b.gone, id)
			return nil
		},
	}}
	b.Service = New(o)
	return b
}

const two = `
Resources:
  A: {Type: Test::Thing, Properties: {Name: a, Of: !GetAtt B.Arn}}
  B: {Type: Test::Thing, Properties: {Name: b}}
  C: {Type: AWS::S3::Bucket, DependsOn: A}
Outputs:
  Of: {Value: !Sub '${A}-${B.Arn}', Export: {Name: shared}}
`

func (b *bench) create(t *testing.T, name, text string, change ...func(*Creation)) string {
	t.Helper()
	template, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	c := Creation{Name: name, Template: template}
	for _, f := range change {
		f(&c)
	}
	id, err := b.Create(iam.Caller{}, c)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *bench) statuses(t *testing.T, name string) (all []string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.find(name).events {
		all = append(all, e.Logical+" "+e.Status)
	}
	return all
}

func TestLifeOfAStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{Step: time.Second})
		defer b.Close()
		id := b.create(t, "s", two)
		if got := b.Status("s"); got != createInProgress {
			t.Errorf("status is %s at once", got)
		}
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if got := b.Status("s"); got != createInProgress || !slices.Equal(b.list(&b.made), []string{"b"}) {
			t.Errorf("after one step and a half, status is %s, made %v", got, b.list(&b.made))
		}
		wantError(t, b.Delete(iam.Caller{}, "s"), "ValidationError", "cannot be deleted while in status CREATE_IN_PROGRESS")
		time.Sleep(time.Second)
		synctest.Wait()
		if got := b.Status("s"); got != createComplete || !slices.Equal(b.list(&b.made), []string{"b", "a"}) {
			t.Errorf("in the end, status is %s, made %v", got, b.list(&b.made))
		}
		if out, err := b.Outputs(id); err != nil || len(out) != 1 || out[0] != (Output{Key: "Of", Value: "id-a-arn:b", Export: "shared"}) {
			t.Errorf("outputs are %+v, %v", out, err)
		}
		if err := b.Delete(iam.Caller{}, "s"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if got := b.Status(id); got != deleteComplete || !slices.Equal(b.list(&b.gone), []string{"id-a", "id-b"}) || b.Status("s") != "" {
			t.Errorf("after deletion, status is %s, gone %v", got, b.list(&b.gone))
		}
		want := []string{"s CREATE_IN_PROGRESS", "B CREATE_IN_PROGRESS", "B CREATE_IN_PROGRESS", "B CREATE_COMPLETE", "A CREATE_IN_PROGRESS",
			"A CREATE_IN_PROGRESS", "A CREATE_COMPLETE", "C CREATE_IN_PROGRESS", "C CREATE_IN_PROGRESS", "C CREATE_COMPLETE",
			"s CREATE_COMPLETE", "s DELETE_IN_PROGRESS", "C DELETE_IN_PROGRESS", "C DELETE_COMPLETE", "A DELETE_IN_PROGRESS",
			"A DELETE_COMPLETE", "B DELETE_IN_PROGRESS", "B DELETE_COMPLETE", "s DELETE_COMPLETE"}
		if got := b.statuses(t, id); !slices.Equal(got, want) {
			t.Errorf("events are %q, want %q", got, want)
		}
	})
}

func TestAFailureRollsBack(t *testing.T) {
	for _, c := range []struct {
		onFailure, want string
		gone            []string
	}{
		{"", rollbackComplete, []string{"id-b"}},
		{"DELETE", deleteComplete, []string{"id-b"}},
		{"DO_NOTHING", createFailed, nil},
	} {
		t.Run(c.onFailure, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(Options{Step: time.Second})
				defer b.Close()
				b.refuse = "a"
				id := b.create(t, "s", two, func(n *Creation) { n.OnFailure = c.onFailure })
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := b.Status(id); got != c.want || !slices.Equal(b.list(&b.gone), c.gone) {
					t.Errorf("status is %s, want %s; gone %v, want %v", got, c.want, b.list(&b.gone), c.gone)
				}
				b.mu.Lock()
				r := b.find(id).resources["A"]
				b.mu.Unlock()
				failed := false
				for _, s := range b.statuses(t, id) {
					failed = failed || s == "A CREATE_FAILED"
				}
				if !failed || c.onFailure == "DO_NOTHING" && r.reason != "no a today" {
					t.Errorf("A is %s: %s", r.status, r.reason)
				}
			})
		})
	}
}

func TestDeleteThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{Step: time.Second})
		defer b.Close()
		b.create(t, "s", two)
		time.Sleep(time.Minute)
		b.stick("id-b")
		for _, want := range []string{deleteFailed, deleteComplete} {
			if err := b.Delete(iam.Caller{}, "s"); err != nil {
				t.Fatal(err)
			}
			b.mu.Lock()
			id := b.find("s").id
			b.mu.Unlock()
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := b.Status(id); got != want {
				t.Errorf("status is %s, want %s", got, want)
			}
			b.stick("")
		}
		if want := []string{"id-a", "id-b"}; !slices.Equal(b.list(&b.gone), want) {
			t.Errorf("gone are %v, want %v", b.list(&b.gone), want)
		}
	})
}

func TestExports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{})
		defer b.Close()
		settle := func() { time.Sleep(time.Minute); synctest.Wait() }
		b.create(t, "exporter", two)
		settle()
		b.create(t, "importer", "Resources: {X: {Type: Test::Thing, Properties: {Name: !ImportValue shared}}}")
		settle()
		if !slices.Contains(b.list(&b.made), "id-a-arn:b") {
			t.Errorf("made %v", b.list(&b.made))
		}
		b.create(t, "again", two)
		settle()
		if got := b.Status("again"); got != rollbackComplete {
			t.Errorf("a second export of the same name ends as %s", got)
		}
		if err := b.Delete(iam.Caller{}, "exporter"); err != nil {
			t.Fatal(err)
		}
		settle()
		if got := b.Status("exporter"); got != deleteFailed {
			t.Errorf("an export in use: %s", got)
		}
		for _, name := range []string{"importer", "exporter", "nobody"} {
			if err := b.Delete(iam.Caller{}, name); err != nil {
				t.Fatal(err)
			}
			settle()
			if got := b.Status(name); got != "" {
				t.Errorf("%s is %s", name, got)
			}
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	b := newBench(Options{})
	defer b.Close()
	parse := func(text string) *Template {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	plain := parse("Resources: {A: {Type: AWS::S3::Bucket}}")
	withParameters := parse("Parameters: {P: {Type: String, AllowedValues: [x, y]}, Q: {Type: String, AllowedPattern: '[a-z]+', Default: q}}\n" +
		"Resources: {A: {Type: AWS::S3::Bucket}}")
	if _, err := b.Create(iam.Caller{}, Creation{Name: "taken", Template: plain, Token: "t"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, code, want string
		creation         Creation
	}{
		{"name", "ValidationError", "'stackName' failed to satisfy", Creation{Name: "1", Template: plain}},
		{"taken", "AlreadyExistsException", "Stack [taken] already exists", Creation{Name: "taken", Template: plain}},
		{"type", "ValidationError", "Unrecognized resource types: [AWS::EC2::VPC]", Creation{Name: "x", Template: parse("Resources: {A: {Type: AWS::EC2::VPC}}")}},
		{"IAM", "InsufficientCapabilitiesException", "[CAPABILITY_IAM]", Creation{Name: "x", Template: parse("Resources: {A: {Type: AWS::IAM::Role}}")}},
		{"named IAM", "InsufficientCapabilitiesException", "[CAPABILITY_NAMED_IAM]", Creation{Name: "x", Capabilities: []string{"CAPABILITY_IAM"},
			Template: parse("Resources: {A: {Type: AWS::IAM::Role, Properties: {RoleName: r}}}")}},
		{"missing", "ValidationError", "Parameters: [P] must have values", Creation{Name: "x", Template: withParameters}},
		{"unknown", "ValidationError", "Parameters: [Z] do not exist", Creation{Name: "x", Template: withParameters, Parameters: map[string]string{"P": "x", "Z": ""}}},
		{"not allowed", "ValidationError", "must be one of AllowedValues", Creation{Name: "x", Template: withParameters, Parameters: map[string]string{"P": "z"}}},
		{"pattern", "ValidationError", "must match pattern [a-z]+", Creation{Name: "x", Template: withParameters, Parameters: map[string]string{"P": "x", "Q": "1"}}},
		{"on failure", "ValidationError", "'onFailure'", Creation{Name: "x", Template: plain, OnFailure: "PANIC"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := b.Create(iam.Caller{}, c.creation)
			wantError(t, err, c.code, c.want)
		})
	}
	if _, err := b.Create(iam.Caller{}, Creation{Name: "taken", Template: plain, Token: "t"}); err != nil {
		t.Errorf("the same request again: %v", err)
	}
	if _, err := b.Deploy(t.Context(), iam.Caller{}, Creation{Name: "x", Template: parse("Resources: {A: {Type: Test::Thing, Properties: {Nmae: a}}}")}); err == nil ||
		!strings.Contains(err.Error(), "create A: Properties validation failed") {
		t.Errorf("a missing property: %v", err)
	}
}

// TestTheOldestAreForgotten fills the service's memory with what is over: it must go on.
func TestTheOldestAreForgotten(t *testing.T) {
	b := newBench(Options{})
	defer b.Close()
	template, err := Parse("Resources: {A: {Type: AWS::S3::Bucket}}")
	if err != nil {
		t.Fatal(err)
	}
	for range maxStacks {
		b.stacks = append(b.stacks, &stack{name: "gone", id: "gone", status: deleteComplete, template: template})
	}
	for range maxChangeSets {
		b.changeSets = append(b.changeSets, &changeSet{name: "old", execution: "EXECUTE_COMPLETE"})
	}
	if _, err := b.Deploy(t.Context(), iam.Caller{}, Creation{Name: "next", Template: template}); err != nil {
		t.Errorf("after %d stacks that are gone: %v", maxStacks, err)
	}
	form := url.Values{"Action": {"CreateChangeSet"}, "ChangeSetName": {"next"}, "ChangeSetType": {"CREATE"}, "StackName": {"later"},
		"TemplateBody": {"Resources: {A: {Type: AWS::S3::Bucket}}"}}
	if _, err := b.Query(iam.Caller{}, form, "id"); err != nil {
		t.Errorf("after %d change sets that are done: %v", maxChangeSets, err)
	}
	if len(b.stacks) != maxStacks || len(b.changeSets) != maxChangeSets {
		t.Errorf("there are %d stacks and %d change sets", len(b.stacks), len(b.changeSets))
	}
}

// TestPolicyResource names what a policy would have to name.
func TestPolicyResource(t *testing.T) {
	b := newBench(Options{})
	defer b.Close()
	id := b.create(t, "there", two)
	form := url.Values{"Action": {"CreateChangeSet"}, "ChangeSetName": {"set"}, "ChangeSetType": {"CREATE"}, "StackName": {"later"},
		"TemplateBody": {"Resources: {A: {Type: AWS::S3::Bucket}}"}}
	if _, err := b.Query(iam.Caller{}, form, "id"); err != nil {
		t.Fatal(err)
	}
	set := b.findChangeSet("set", "later")
	const other = "arn:aws:cloudformation:eu-west-2:123456789012:stack/nope/1"
	for _, c := range []struct {
		form url.Values
		want string
	}{
		{url.Values{}, "*"},
		{url.Values{"StackName": {"there"}}, id},
		{url.Values{"StackName": {id}}, id},
		{url.Values{"StackName": {"new"}}, "arn:aws:cloudformation:eu-west-2:123456789012:stack/new/*"},
		{url.Values{"StackName": {other}}, other},
		{url.Values{"ChangeSetName": {set.id}}, set.creation.id},
		{url.Values{"ChangeSetName": {set.id}, "StackName": {"there"}}, set.creation.id},
		{url.Values{"ChangeSetName": {"nope"}}, "*"},
		{url.Values{"PhysicalResourceId": {"nope"}}, "*"},
	} {
		if got := b.PolicyResource(c.form); got != c.want {
			t.Errorf("%v is about %s, want %s", c.form, got, c.want)
		}
	}
}

// TestQueryOfEveryAction asks each action for a stack that is there, for one that is not, and for
// nothing, and wants XML or an *Error.
func TestQueryOfEveryAction(t *testing.T) {
	b := newBench(Options{Endpoint: "http://127.0.0.1:1"})
	defer b.Close()
	template, err := Parse(Article)
	if err != nil {
		t.Fatal(err)
	}
	for kind := range map[string]bool{"AWS::KMS::Key": true, "AWS::KMS::Alias": true, "AWS::QLDB::Ledger": true} {
		b.o.Kinds[kind] = Kind{Properties: []string{"Name", "DeletionProtection", "KmsKey", "PermissionsMode", "Tags", "AliasName", "TargetKeyId",
			"Description", "Enabled", "EnableKeyRotation", "KeySpec", "PendingWindowInDays", "KeyPolicy"},
			Make: func(_ context.Context, _ iam.Caller, r Request) (Made, error) {
				return Made{r.Name, map[string]string{"Arn": "arn:" + r.Name}}, nil
			},
			Remove: func(context.Context, iam.Caller, Request, string) error { return nil }}
	}
	if _, err := b.Deploy(t.Context(), iam.Caller{}, Creation{Name: "s", Template: template, Capabilities: []string{"CAPABILITY_NAMED_IAM"}}); err != nil {
		t.Fatal(err)
	}
	if out, err := b.Outputs("s"); err != nil || out[0].Value != "http://127.0.0.1:1/poc" {
		t.Errorf("outputs are %+v, %v", out, err)
	}
	for _, action := range append(Actions(), "Nonsense") {
		for _, form := range []url.Values{{}, {"StackName": {"s"}, "LogicalResourceId": {"QLDBKMSKey"}}, {"StackName": {"nope"}}, {"NextToken": {"x"}},
			{"StackName": {"t"}, "TemplateBody": {"x"}}, {"PhysicalResourceId": {"nope"}}, {"RoleARN": {"x"}}} {
			form.Set("Action", action)
			out, err := b.Query(iam.Caller{}, form, "id")
			if err != nil {
				if _, ok := errors.AsType[*Error](err); !ok {
					t.Errorf("%v: %v is no *Error", form, err)
				}
				continue
			}
			text, err := xml.Marshal(out)
			if err != nil || !strings.HasPrefix(string(text), "<"+action+`Response xmlns="`+Namespace) {
				t.Errorf("%v: %s, %v", form, text, err)
			}
		}
	}
}
