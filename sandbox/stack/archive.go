package stack

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/store"
)

// This file keeps stacks in a store: each as a whole, whenever it changes. Between a resource's coming to
// be and the stack's knowing of it a kill leaves a resource of nobody. Work that a kill has broken off is
// not gone on with but taken back, except for deletion.

const (
	stackEntries     = "stack/"     // and a number, in the order of their coming
	changeSetEntries = "changeset/" // likewise
)

type (
	stackRecord struct {
		ID, Name         string
		Created, Deleted time.Time
		Status, Reason   string
		Template         string
		By               iam.Caller
		Values           map[string]string
		Tags             []Tag
		Capabilities     []string
		OnFailure        string
		Protected        bool
		Token            string
		Resources        []resourceRecord
		Outputs          []Output
		Endpoint         string // which is in some of the outputs
		Imports          map[string]bool
		Events           []Event
	}
	resourceRecord struct {
		Logical, Kind, Physical string
		Status, Reason          string
		Updated                 time.Time
		Name                    string
		Properties              string // as JSON; "" before they are known
		Made                    Made
		Retain, Inert           bool
	}
	changeSetRecord struct {
		ID, Name, Description, Execution string
		Created                          time.Time
		Stack, StackID, Template         string
		Parameters                       map[string]string
		Tags                             []Tag
		Capabilities                     []string
		OnFailure                        string
		Protected                        bool
		Token                            string
	}
)

// unlock is for whoever holds mu and may have changed something. What has changed is entered before
// anybody else can see it.
func (s *Service) unlock() {
	defer s.mu.Unlock()
	if s.disk == nil {
		return
	}
	var b store.Batch
	there := map[string]bool{}
	keep := func(prefix string, number int, changed *bool, record func() any) {
		name := fmt.Sprintf("%s%08d", prefix, number)
		there[name] = true
		if s.kept[name] && !*changed {
			return
		}
		s.kept[name], *changed = true, false
		text, err := json.Marshal(record())
		if err != nil {
			panic(err) // strings and times
		}
		b.Put(name, text)
	}
	for _, st := range s.stacks {
		keep(stackEntries, st.number, &st.changed, func() any { return st.record(s.o.Endpoint) })
	}
	for _, set := range s.changeSets {
		keep(changeSetEntries, set.number, &set.changed, func() any { return set.record() })
	}
	for name := range s.kept {
		if !there[name] {
			delete(s.kept, name)
			b.Delete(name)
		}
	}
	s.disk.Enter(&b)
}

func (st *stack) record(endpoint string) stackRecord {
	r := stackRecord{st.id, st.name, st.created, st.deleted, st.status, st.reason, st.template.text, st.by, st.values, st.tags,
		st.capabilities, st.onFailure, st.protected, st.token, nil, st.outputs, endpoint, st.imports, st.events}
	for _, re := range st.order {
		r.Resources = append(r.Resources, resourceRecord{re.logical, re.kind, re.physical, re.status, re.reason, re.updated,
			re.request.Name, re.properties, re.made, re.retain, re.inert})
	}
	return r
}

func (set *changeSet) record() changeSetRecord {
	c := set.creation
	return changeSetRecord{set.id, set.name, set.description, set.execution, set.created, c.Name, c.id, c.Template.text, c.Parameters,
		c.Tags, c.Capabilities, c.OnFailure, c.Protected, c.Token}
}

// Open returns the service that is kept in a store, a new one if there is none yet, and goes on with what
// was broken off. Errors are about what is in the store. A nil store is as New.
func Open(o Options, on *store.Store) (*Service, error) {
	s := New(o)
	if on == nil {
		return s, nil
	}
	s.disk, s.kept = on, map[string]bool{}
	err := each(s, stackEntries, func(number int, r *stackRecord) error {
		st, err := s.revive(number, r)
		s.stacks = append(s.stacks, st)
		return err
	})
	if err == nil {
		err = each(s, changeSetEntries, func(number int, r *changeSetRecord) error {
			template, err := s.reread(r.Template, r.Stack, r.StackID, r.Parameters)
			s.changeSets = append(s.changeSets, &changeSet{number: number, id: r.ID, name: r.Name, description: r.Description,
				execution: r.Execution, created: r.Created, creation: Creation{r.Stack, template, r.Parameters, r.Tags, r.Capabilities,
					r.OnFailure, r.Protected, r.Token, r.StackID}})
			return err
		})
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	for _, st := range s.stacks {
		s.resume(st)
	}
	return s, nil
}

// each decodes the entries with a prefix, one after the other.
func each[R any](s *Service, prefix string, f func(number int, r *R) error) error {
	for e, err := range s.disk.Scan(prefix) {
		if err != nil {
			return err
		}
		r, number := new(R), 0
		err := json.Unmarshal(e.Value, r)
		if err == nil {
			_, err = fmt.Sscanf(e.Key[len(prefix):], "%d", &number)
		}
		if err == nil {
			err = f(number, r)
		}
		if err != nil {
			return fmt.Errorf("load %s: %w", e.Key, err)
		}
		s.kept[e.Key], s.numbers = true, max(s.numbers, number)
	}
	return nil
}

func (s *Service) revive(number int, r *stackRecord) (*stack, error) {
	st := &stack{number: number, id: r.ID, name: r.Name, created: r.Created, deleted: r.Deleted, status: r.Status, reason: r.Reason,
		by: r.By, values: r.Values, tags: r.Tags, capabilities: r.Capabilities, onFailure: r.OnFailure, protected: r.Protected,
		token: r.Token, resources: map[string]*resource{}, outputs: r.Outputs, imports: map[string]bool{}, events: r.Events}
	for name := range r.Imports {
		st.imports[name] = true
	}
	for i := range st.outputs {
		if rest, ok := strings.CutPrefix(st.outputs[i].Value, r.Endpoint); ok && r.Endpoint != "" {
			st.outputs[i].Value, st.changed = s.o.Endpoint+rest, true // it may have another port now
		}
	}
	for _, rr := range r.Resources {
		re := &resource{logical: rr.Logical, kind: rr.Kind, physical: rr.Physical, status: rr.Status, reason: rr.Reason,
			updated: rr.Updated, request: Request{Name: rr.Name}, properties: rr.Properties, made: rr.Made, retain: rr.Retain,
			inert: rr.Inert}
		if rr.Properties != "" {
			d := json.NewDecoder(strings.NewReader(rr.Properties))
			d.UseNumber()
			if err := d.Decode(&re.request.Properties); err != nil {
				return nil, fmt.Errorf("resource %s: %w", rr.Logical, err)
			}
		}
		st.resources[re.logical], st.order = re, append(st.order, re)
	}
	var err error
	st.template, err = s.reread(r.Template, r.Name, r.ID, r.Values)
	return st, err
}

// reread reads a template as it was when its stack was made: with its conditions decided.
func (s *Service) reread(text, name, id string, parameters map[string]string) (*Template, error) {
	t, err := Parse(text)
	if err != nil {
		return nil, err
	}
	values, err := t.values(parameters)
	if err != nil {
		return nil, err
	}
	return t.under(s.scopeValues(name, id, t, values))
}

// resume ends what was being done to a stack when the process ended.
func (s *Service) resume(st *stack) {
	switch st.status {
	case createInProgress:
		s.work.Go(func() { s.fail(s.ctx, st, s.o.Step, "The sandbox ended while it created the stack. ") })
	case deleteInProgress, rollbackInProgress:
		s.work.Go(func() { s.undo(s.ctx, st, s.o.Step) })
	}
}
