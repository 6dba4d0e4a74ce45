package stack

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// A changeSet is a stack that somebody may have made later on: the way of `aws cloudformation deploy`.
// The sandbox has those that create a stack.
type changeSet struct {
	number      int  // in the order of their coming
	changed     bool // since it was kept
	id, name    string
	description string
	creation    Creation
	created     time.Time
	execution   string // AVAILABLE, or EXECUTE_COMPLETE
}

// maxChangeSets bounds how many change sets the service remembers; it forgets the oldest that has been
// executed when there are more.
const maxChangeSets = 1000

var changeSetName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

func (s *Service) createChangeSet(by iam.Caller, form url.Values) (any, error) {
	c, err := creationOf(form)
	if err != nil {
		return nil, err
	}
	name := form.Get("ChangeSetName")
	if !changeSetName.MatchString(name) {
		return nil, invalid("1 validation error detected: Value '%s' at 'changeSetName' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", name)
	}
	if kind := form.Get("ChangeSetType"); kind != "CREATE" {
		return nil, invalid("the sandbox does not update stacks: delete %s and create it again", c.Name)
	}
	if err := s.check(c); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	if s.find(c.Name) != nil {
		return nil, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", c.Name, name)
	}
	if len(s.changeSets) >= maxChangeSets {
		executed := func(set *changeSet) bool { return set.execution != "AVAILABLE" }
		if i := slices.IndexFunc(s.changeSets, executed); i >= 0 {
			s.changeSets = slices.Delete(s.changeSets, i, i+1)
		}
	}
	if len(s.changeSets) >= maxChangeSets {
		return nil, &Error{400, "LimitExceededException", "Limit for change sets has been exceeded"}
	}
	if set := s.findChangeSet(name, c.Name); set != nil && set.execution == "AVAILABLE" {
		return nil, &Error{400, "AlreadyExistsException", "ChangeSet " + name + " already exists"}
	}
	s.numbers++
	set := &changeSet{number: s.numbers, name: name, description: form.Get("Description"), creation: *c, created: s.o.Clock.Now(), execution: "AVAILABLE",
		id: "arn:aws:cloudformation:" + s.o.Region + ":" + s.o.Account + ":changeSet/" + name + "/" + uuid.NewString()}
	s.changeSets = append(s.changeSets, set)
	return struct{ Id, StackId string }{set.id, c.id}, nil
}

// findChangeSet returns a change set by its id, or by its name and its stack's name or id. s.mu must be
// held.
func (s *Service) findChangeSet(name, stack string) *changeSet {
	for _, set := range slices.Backward(s.changeSets) { // of stacks that are gone, names may come again
		if set.id == name || set.name == name && (stack == set.creation.Name || stack == set.creation.id) {
			return set
		}
	}
	return nil
}

func errChangeSet(name string) *Error {
	return &Error{404, "ChangeSetNotFound", "ChangeSet [" + name + "] does not exist"}
}

func (s *Service) describeChangeSet(_ iam.Caller, form url.Values) (any, error) {
	type resourceChange struct{ Action, LogicalResourceId, ResourceType string }
	type change struct {
		Type           string
		ResourceChange resourceChange
	}
	s.mu.Lock()
	defer s.unlock()
	set := s.findChangeSet(form.Get("ChangeSetName"), form.Get("StackName"))
	if set == nil {
		return nil, errChangeSet(form.Get("ChangeSetName"))
	}
	out := struct {
		ChangeSetName, ChangeSetId, StackId, StackName string
		Description                                    string `xml:",omitempty"`
		CreationTime, ExecutionStatus, Status          string
		Capabilities                                   []string `xml:"Capabilities>member"`
		Changes                                        []change `xml:"Changes>member"`
	}{ChangeSetName: set.name, ChangeSetId: set.id, StackId: set.creation.id, StackName: set.creation.Name, Description: set.description,
		CreationTime: stamp(set.created), ExecutionStatus: set.execution, Status: createComplete, Capabilities: set.creation.Capabilities}
	for _, d := range set.creation.Template.resources {
		out.Changes = append(out.Changes, change{"Resource", resourceChange{"Add", d.logical, d.kind}})
	}
	slices.SortFunc(out.Changes, func(a, b change) int {
		return strings.Compare(a.ResourceChange.LogicalResourceId, b.ResourceChange.LogicalResourceId)
	})
	return out, nil
}

func (s *Service) executeChangeSet(by iam.Caller, form url.Values) (any, error) {
	s.mu.Lock()
	name := form.Get("ChangeSetName")
	set := s.findChangeSet(name, form.Get("StackName"))
	available := set != nil && set.execution == "AVAILABLE"
	if available {
		set.execution, set.changed = "EXECUTE_COMPLETE", true // so that nobody else does it
	}
	s.unlock()
	switch {
	case set == nil:
		return nil, errChangeSet(name)
	case !available:
		return nil, &Error{400, "InvalidChangeSetStatus", "ChangeSet [" + set.id + "] cannot be executed in its current status of [EXECUTE_COMPLETE]"}
	}
	_, err := s.Create(by, set.creation)
	return struct{}{}, err
}

func (s *Service) deleteChangeSet(_ iam.Caller, form url.Values) (any, error) {
	s.mu.Lock()
	defer s.unlock()
	if set := s.findChangeSet(form.Get("ChangeSetName"), form.Get("StackName")); set != nil {
		s.changeSets = slices.DeleteFunc(s.changeSets, func(other *changeSet) bool { return other == set })
	}
	return struct{}{}, nil
}
