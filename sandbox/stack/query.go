package stack

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"loadkms/sandbox/iam"
)

// Version is CloudFormation's version in requests, and Namespace that of its answers.
const (
	Version   = "2010-05-15"
	Namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
)

// A handler answers one action: it returns the content of the answer's Result.
type handler func(s *Service, by iam.Caller, form url.Values) (any, error)

// actions are the actions the sandbox has.
var actions = map[string]handler{
	"CreateChangeSet":        (*Service).createChangeSet,
	"DeleteChangeSet":        (*Service).deleteChangeSet,
	"DescribeChangeSet":      (*Service).describeChangeSet,
	"ExecuteChangeSet":       (*Service).executeChangeSet,
	"CreateStack":            (*Service).createStack,
	"DeleteStack":            (*Service).deleteStack,
	"DescribeStackEvents":    (*Service).describeStackEvents,
	"DescribeStackResource":  (*Service).describeStackResource,
	"DescribeStackResources": (*Service).describeStackResources,
	"DescribeStacks":         (*Service).describeStacks,
	"GetTemplate":            (*Service).getTemplate,
	"ListExports":            (*Service).listExports,
	"ListStackResources":     (*Service).listStackResources,
	"ListStacks":             (*Service).listStacks,
	"UpdateStack":            (*Service).updateStack,
	"ValidateTemplate":       (*Service).validateTemplate,
}

// Actions returns the names of the actions the sandbox has, sorted.
func Actions() []string { return sorted(actions) }

// Query answers one request of the awsQuery protocol. It returns the response element, to be written
// as XML. Errors are *[Error]s.
func (s *Service) Query(by iam.Caller, form url.Values, requestID string) (any, error) {
	action := form.Get("Action")
	h, ok := actions[action]
	if !ok {
		return nil, &Error{400, "InvalidAction", "Could not find operation " + action + " for version " + Version}
	}
	result, err := h(s, by, form)
	if failure := s.disk.Sync(); failure != nil { // nothing is answered that a kill could take back
		err = &Error{500, "InternalFailure", failure.Error()}
	}
	if err != nil {
		return nil, err
	}
	return response{action: action, result: result, requestID: requestID}, nil
}

// Has reports whether the sandbox has an action.
func Has(action string) bool { return actions[action] != nil }

// PolicyResource returns the ARN of the stack that a request is about, as policies know it: of one that
// is not there yet it has an asterisk for the id. A request about no certain stack is about "*".
func (s *Service) PolicyResource(form url.Values) string {
	name := form.Get("StackName")
	if physical := form.Get("PhysicalResourceId"); physical != "" && name == "" {
		name = s.owner(physical)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if set := s.findChangeSet(form.Get("ChangeSetName"), name); set != nil {
		return set.creation.id
	}
	if st := s.find(name); st != nil {
		return st.id
	}
	switch {
	case name == "":
		return "*"
	case strings.HasPrefix(name, "arn:"):
		return name
	}
	return "arn:aws:cloudformation:" + s.o.Region + ":" + s.o.Account + ":stack/" + name + "/*"
}

// A response is the frame around every answer.
type response struct {
	action    string
	result    any // nil: the action returns nothing
	requestID string
}

// MarshalXML writes ACTIONResponse with ACTIONResult and ResponseMetadata.
func (r response) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	name := func(s string) xml.StartElement { return xml.StartElement{Name: xml.Name{Local: s}} }
	outer := name(r.action + "Response")
	outer.Attr = []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: Namespace}}
	if err := e.EncodeToken(outer); err != nil {
		return err
	}
	if r.result != nil {
		if err := e.EncodeElement(r.result, name(r.action+"Result")); err != nil {
			return err
		}
	}
	if err := e.EncodeElement(struct{ RequestId string }{r.requestID}, name("ResponseMetadata")); err != nil {
		return err
	}
	return e.EncodeToken(outer.End())
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// list reads Name.member.1, Name.member.2, … of a form.
func list(form url.Values, name string) []string {
	var all []string
	for i := 1; ; i++ {
		v, ok := form[name+".member."+strconv.Itoa(i)]
		if !ok {
			return all
		}
		all = append(all, v[0])
	}
}

// pairs reads a list of key and value.
func pairs(form url.Values, name, key, value string) (all [][2]string) {
	for i := 1; ; i++ {
		prefix := name + ".member." + strconv.Itoa(i) + "."
		k, ok := form[prefix+key]
		if !ok {
			return all
		}
		all = append(all, [2]string{k[0], form.Get(prefix + value)})
	}
}

func templateOf(form url.Values) (*Template, error) {
	switch body, at := form.Get("TemplateBody"), form.Get("TemplateURL"); {
	case at != "":
		return nil, invalid("the sandbox does not fetch templates: send TemplateBody instead of TemplateURL")
	case body == "":
		return nil, invalid("Either Template URL or Template Body must be specified.")
	default:
		return Parse(body)
	}
}

// unsupported refuses request parameters that would change what happens and that the sandbox ignores.
func unsupported(form url.Values, names ...string) error {
	for _, name := range names {
		for key := range form {
			if key == name || strings.HasPrefix(key, name+".") {
				return invalid("the sandbox does not have the request parameter %s", name)
			}
		}
	}
	return nil
}

// creationOf reads the parameters that CreateStack and CreateChangeSet have in common.
func creationOf(form url.Values) (*Creation, error) {
	if err := unsupported(form, "RoleARN", "StackPolicyBody", "StackPolicyURL", "RollbackConfiguration", "ResourceTypes"); err != nil {
		return nil, err
	}
	t, err := templateOf(form)
	if err != nil {
		return nil, err
	}
	c := &Creation{Name: form.Get("StackName"), Template: t, Parameters: map[string]string{}, OnFailure: form.Get("OnFailure"),
		Capabilities: list(form, "Capabilities"), Protected: form.Get("EnableTerminationProtection") == "true",
		Token: form.Get("ClientRequestToken")}
	if form.Get("DisableRollback") == "true" {
		if c.OnFailure != "" {
			return nil, invalid("You can specify either DisableRollback or OnFailure, but not both.")
		}
		c.OnFailure = "DO_NOTHING"
	}
	for _, p := range pairs(form, "Parameters", "ParameterKey", "ParameterValue") {
		c.Parameters[p[0]] = p[1]
	}
	for _, p := range pairs(form, "Tags", "Key", "Value") {
		c.Tags = append(c.Tags, Tag{p[0], p[1]})
	}
	return c, nil
}

func (s *Service) createStack(by iam.Caller, form url.Values) (any, error) {
	c, err := creationOf(form)
	if err != nil {
		return nil, err
	}
	id, err := s.Create(by, *c)
	if err != nil {
		return nil, err
	}
	return struct{ StackId string }{id}, nil
}

// updateStack refuses: the sandbox changes no stack. It tells a template without changes as
// CloudFormation does.
func (s *Service) updateStack(_ iam.Caller, form url.Values) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := form.Get("StackName")
	st := s.find(name)
	switch {
	case st == nil || st.status == deleteComplete:
		return nil, invalid("Stack [%s] does not exist", name)
	case strings.HasSuffix(st.status, inProgress):
		return nil, invalid("Stack:%s is in %s state and can not be updated.", st.id, st.status)
	case form.Get("UsePreviousTemplate") == "true", form.Get("TemplateBody") == st.template.text:
		same := true
		for _, p := range pairs(form, "Parameters", "ParameterKey", "ParameterValue") {
			same = same && (p[1] == st.values[p[0]] || p[1] == "")
		}
		if same {
			return nil, invalid("No updates are to be performed.")
		}
	}
	return nil, invalid("the sandbox does not update stacks: delete %s and create it again", st.name)
}

func (s *Service) deleteStack(by iam.Caller, form url.Values) (any, error) {
	if err := unsupported(form, "RetainResources", "RoleARN", "DeletionMode"); err != nil {
		return nil, err
	}
	return nil, s.Delete(by, form.Get("StackName"))
}

type outputMember struct {
	OutputKey, OutputValue string
	Description            string `xml:",omitempty"`
	ExportName             string `xml:",omitempty"`
}

type parameterMember struct{ ParameterKey, ParameterValue string }

type driftMember struct{ StackDriftStatus string }

type stackMember struct {
	StackId, StackName          string
	Description                 string            `xml:",omitempty"`
	Parameters                  []parameterMember `xml:"Parameters>member"`
	CreationTime                string
	DeletionTime                string `xml:",omitempty"`
	StackStatus                 string
	StackStatusReason           string `xml:",omitempty"`
	DisableRollback             bool
	NotificationARNs            struct{}
	Capabilities                []string       `xml:"Capabilities>member"`
	Outputs                     []outputMember `xml:"Outputs>member"`
	Tags                        []Tag          `xml:"Tags>member"`
	EnableTerminationProtection bool
	DriftInformation            driftMember
}

func (s *Service) describeStacks(_ iam.Caller, form url.Values) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*stack
	if name := form.Get("StackName"); name != "" {
		st := s.find(name)
		if st == nil {
			return nil, errUnknownStack(name)
		}
		found = []*stack{st}
	} else {
		for _, st := range slices.Backward(s.stacks) { // newest first
			if st.status != deleteComplete {
				found = append(found, st)
			}
		}
	}
	page, next, err := paged(found, form.Get("NextToken"), 100)
	if err != nil {
		return nil, err
	}
	out := struct {
		Stacks    []stackMember `xml:"Stacks>member"`
		NextToken string        `xml:",omitempty"`
	}{NextToken: next}
	for _, st := range page {
		m := stackMember{StackId: st.id, StackName: st.name, Description: st.template.Description, CreationTime: stamp(st.created),
			DeletionTime: stamp(st.deleted), StackStatus: st.status, StackStatusReason: st.reason,
			DisableRollback: st.onFailure == "DO_NOTHING", Capabilities: st.capabilities, Tags: st.tags,
			EnableTerminationProtection: st.protected, DriftInformation: driftMember{"NOT_CHECKED"}}
		values := st.shownValues()
		for _, name := range sorted(values) {
			m.Parameters = append(m.Parameters, parameterMember{name, values[name]})
		}
		for _, o := range st.outputs {
			m.Outputs = append(m.Outputs, outputMember{o.Key, o.Value, o.Description, o.Export})
		}
		out.Stacks = append(out.Stacks, m)
	}
	return out, nil
}

// paged returns a page of a list and the token of the next one, "" if it was the last.
func paged[T any](all []T, token string, size int) (page []T, next string, err error) {
	from := 0
	if token != "" {
		text, err := base64.RawURLEncoding.DecodeString(token)
		if err == nil {
			from, err = strconv.Atoi(string(text))
		}
		if err != nil || from < 0 || from > len(all) {
			return nil, "", invalid("NextToken is invalid")
		}
	}
	page = all[from:]
	if len(page) > size {
		page, next = page[:size], base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(from+size)))
	}
	return page, next, nil
}

func (s *Service) listStacks(_ iam.Caller, form url.Values) (any, error) {
	filter := list(form, "StackStatusFilter")
	type member struct {
		StackId, StackName  string
		TemplateDescription string `xml:",omitempty"`
		CreationTime        string
		DeletionTime        string `xml:",omitempty"`
		StackStatus         string
		StackStatusReason   string `xml:",omitempty"`
		DriftInformation    driftMember
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []member
	for _, st := range slices.Backward(s.stacks) {
		if len(filter) > 0 && !slices.Contains(filter, st.status) {
			continue
		}
		all = append(all, member{st.id, st.name, st.template.Description, stamp(st.created), stamp(st.deleted), st.status, st.reason,
			driftMember{"NOT_CHECKED"}})
	}
	page, next, err := paged(all, form.Get("NextToken"), 100)
	return struct {
		StackSummaries []member `xml:"StackSummaries>member"`
		NextToken      string   `xml:",omitempty"`
	}{page, next}, err
}

func (s *Service) listStackResources(_ iam.Caller, form url.Values) (any, error) {
	name := form.Get("StackName")
	all, err := s.Resources(name)
	if err != nil {
		return nil, invalid("Stack with id %s does not exist", name)
	}
	type member struct {
		LogicalResourceId    string
		PhysicalResourceId   string `xml:",omitempty"`
		ResourceType         string
		LastUpdatedTimestamp string
		ResourceStatus       string
		ResourceStatusReason string      `xml:",omitempty"`
		DriftInformation     driftStatus `xml:"DriftInformation"`
	}
	page, next, err := paged(all, form.Get("NextToken"), 100)
	out := struct {
		StackResourceSummaries []member `xml:"StackResourceSummaries>member"`
		NextToken              string   `xml:",omitempty"`
	}{NextToken: next}
	for _, r := range page {
		out.StackResourceSummaries = append(out.StackResourceSummaries, member{r.Logical, r.Physical, r.Kind, stamp(r.Updated),
			r.Status, r.Reason, driftStatus{"NOT_CHECKED"}})
	}
	return out, err
}

type driftStatus struct{ StackResourceDriftStatus string }

type resourceMember struct {
	StackName, StackId   string
	LogicalResourceId    string
	PhysicalResourceId   string `xml:",omitempty"`
	ResourceType         string
	Timestamp            string `xml:",omitempty"` // in a list
	LastUpdatedTimestamp string `xml:",omitempty"` // alone
	ResourceStatus       string
	ResourceStatusReason string `xml:",omitempty"`
	DriftInformation     driftStatus
}

func member(r Resource) resourceMember {
	return resourceMember{StackName: r.Stack, StackId: r.StackID, LogicalResourceId: r.Logical, PhysicalResourceId: r.Physical,
		ResourceType: r.Kind, ResourceStatus: r.Status, ResourceStatusReason: r.Reason, DriftInformation: driftStatus{"NOT_CHECKED"}}
}

func (s *Service) describeStackResource(_ iam.Caller, form url.Values) (any, error) {
	name, logical := form.Get("StackName"), form.Get("LogicalResourceId")
	all, err := s.Resources(name)
	if err != nil {
		return nil, invalid("Stack '%s' does not exist", name)
	}
	for _, r := range all {
		if r.Logical == logical {
			m := member(r)
			m.LastUpdatedTimestamp = stamp(r.Updated)
			return struct{ StackResourceDetail resourceMember }{m}, nil
		}
	}
	return nil, invalid("Resource %s does not exist for stack %s", logical, name)
}

func (s *Service) describeStackResources(_ iam.Caller, form url.Values) (any, error) {
	name, logical, physical := form.Get("StackName"), form.Get("LogicalResourceId"), form.Get("PhysicalResourceId")
	out := struct {
		StackResources []resourceMember `xml:"StackResources>member"`
	}{}
	switch {
	case name != "" && physical != "":
		return nil, invalid("Cannot specify both StackName and PhysicalResourceId")
	case name == "" && physical == "":
		return nil, invalid("Either StackName or PhysicalResourceId must be specified")
	case physical != "":
		if name = s.owner(physical); name == "" {
			return nil, invalid("Stack for %s does not exist", physical)
		}
	}
	all, err := s.Resources(name)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if logical == "" || logical == r.Logical {
			m := member(r)
			m.Timestamp = stamp(r.Updated)
			out.StackResources = append(out.StackResources, m)
		}
	}
	return out, nil
}

// owner returns the id of the stack that a resource belongs to, or "".
func (s *Service) owner(physical string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range slices.Backward(s.stacks) {
		for _, r := range st.order {
			if r.physical == physical {
				return st.id
			}
		}
	}
	return ""
}

func (s *Service) describeStackEvents(_ iam.Caller, form url.Values) (any, error) {
	type member struct {
		StackId, EventId, StackName, LogicalResourceId string
		PhysicalResourceId                             string
		ResourceType, Timestamp, ResourceStatus        string
		ResourceStatusReason                           string `xml:",omitempty"`
		ResourceProperties                             string `xml:",omitempty"`
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := form.Get("StackName")
	st := s.find(name)
	if st == nil {
		return nil, invalid("Stack [%s] does not exist", name)
	}
	var all []member
	for _, e := range slices.Backward(st.events) {
		all = append(all, member{st.id, e.ID, st.name, e.Logical, e.Physical, e.Kind, stamp(e.Time), e.Status, e.Reason, e.Properties})
	}
	page, next, err := paged(all, form.Get("NextToken"), 100)
	return struct {
		StackEvents []member `xml:"StackEvents>member"`
		NextToken   string   `xml:",omitempty"`
	}{page, next}, err
}

func (s *Service) getTemplate(_ iam.Caller, form url.Values) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := form.Get("StackName")
	st := s.find(name)
	if st == nil {
		return nil, errUnknownStack(name)
	}
	return struct {
		TemplateBody    string
		StagesAvailable []string `xml:"StagesAvailable>member"`
	}{st.template.text, []string{"Original", "Processed"}}, nil
}

func (s *Service) listExports(_ iam.Caller, form url.Values) (any, error) {
	type member struct{ ExportingStackId, Name, Value string }
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []member
	for _, st := range s.stacks {
		for _, o := range st.outputs {
			if o.Export != "" && st.status != deleteComplete {
				all = append(all, member{st.id, o.Export, o.Value})
			}
		}
	}
	slices.SortFunc(all, func(a, b member) int { return strings.Compare(a.Name, b.Name) })
	page, next, err := paged(all, form.Get("NextToken"), 100)
	return struct {
		Exports   []member `xml:"Exports>member"`
		NextToken string   `xml:",omitempty"`
	}{page, next}, err
}

func (s *Service) validateTemplate(_ iam.Caller, form url.Values) (any, error) {
	t, err := templateOf(form)
	if err != nil {
		return nil, err
	}
	type parameter struct {
		ParameterKey string
		DefaultValue *string `xml:",omitempty"`
		NoEcho       bool
		Description  string `xml:",omitempty"`
	}
	out := struct {
		Description        string      `xml:",omitempty"`
		Parameters         []parameter `xml:"Parameters>member"`
		Capabilities       []string    `xml:"Capabilities>member"`
		CapabilitiesReason string      `xml:",omitempty"`
	}{Description: t.Description}
	for _, p := range t.Parameters {
		out.Parameters = append(out.Parameters, parameter{p.Name, p.Default, p.NoEcho, p.Description})
	}
	if err := s.checkTypes(t, nil); err != nil {
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != "InsufficientCapabilitiesException" {
			return nil, err
		}
		out.Capabilities = []string{t.capability()}
		out.CapabilitiesReason = "The following resource(s) require capabilities: [AWS::IAM::Role]"
	}
	return out, nil
}
