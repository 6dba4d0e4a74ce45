// Package stack is the sandbox's CloudFormation: it reads templates, makes what they describe in the
// order of their references, remembers it, and takes it away again. It does not know what a key or a
// ledger is: whoever starts it says who makes the resources of each type. It updates no stack.
package stack

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/store"
)

// Options say what a [Service] is like. All fields but Step and Endpoint are required.
type Options struct {
	Account, Region string
	Clock           *clock.Clock
	Kinds           map[string]Kind // by type, such as AWS::KMS::Key
	// Step is how long it takes to make or remove one resource that is not inert, in sandbox time.
	Step time.Duration
	// Endpoint is where the API of every stack is in truth: it takes the place of
	// https://ID.execute-api.REGION.amazonaws.com in outputs. "" leaves them alone.
	Endpoint string
}

// A Service is CloudFormation in one account and Region. It is safe for use by many goroutines.
type Service struct {
	o    Options
	disk *store.Store // nil: all is in memory only
	stop context.CancelFunc
	ctx  context.Context // of the work on stacks; ends with Close
	work sync.WaitGroup

	mu         sync.Mutex // guards the fields below and everything in a stack, for a look-up or a change of status
	stacks     []*stack   // oldest first, the deleted ones too
	changeSets []*changeSet
	closed     bool
	numbers    int             // given to stacks and change sets
	kept       map[string]bool // the entries that are in the store
}

// maxStacks bounds how many stacks the service remembers, deleted ones included; of those it forgets the
// oldest when there are more.
const maxStacks = 2000

// New returns a service without stacks, in memory; [Open] is for one that is kept. Close must be called when it is no longer needed.
func New(o Options) *Service {
	s := &Service{o: o}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close breaks off the work on stacks and waits for it. What was made stays.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.unlock()
	s.stop()
	s.work.Wait()
}

// A stack is one stack, with what became of it.
type stack struct {
	number           int  // in the order of their coming
	changed          bool // since it was kept
	id, name         string
	created, deleted time.Time // deleted is zero while it is there
	status, reason   string
	template         *Template
	by               iam.Caller
	values           map[string]string // of the parameters
	tags             []Tag
	capabilities     []string
	onFailure        string // ROLLBACK, DELETE or DO_NOTHING
	protected        bool
	token            string               // of the request that made it
	resources        map[string]*resource // by logical id
	order            []*resource          // as they are made
	outputs          []Output
	imports          map[string]bool // the exports of others that it uses
	events           []Event         // oldest first
}

// A resource is one of a stack's.
type resource struct {
	logical, kind, physical string
	status, reason          string
	updated                 time.Time
	request                 Request
	properties              string // of request as JSON, for events; "" before they are known
	made                    Made
	retain                  bool
	inert                   bool
}

func (r *resource) attribute(name string) (string, bool) {
	v, ok := r.made.Attributes[name]
	return v, ok
}

// A Tag is a label of a stack.
type Tag struct{ Key, Value string }

// An Output is one of a stack's outputs.
type Output struct {
	Key, Value, Description string
	Export                  string // the name under which other stacks can import it; "" for none
}

// An Event is one step in the life of a stack.
type Event struct {
	ID, Logical, Physical, Kind, Status, Reason, Properties string
	Time                                                    time.Time
}

// The statuses that need to be told apart. A stack in one that ends with inProgress is being worked on.
const (
	createInProgress = "CREATE_IN_PROGRESS"
	createComplete   = "CREATE_COMPLETE"
	createFailed     = "CREATE_FAILED"
	rollbackComplete = "ROLLBACK_COMPLETE"
	deleteInProgress = "DELETE_IN_PROGRESS"

	rollbackInProgress = "ROLLBACK_IN_PROGRESS"
	deleteComplete     = "DELETE_COMPLETE"
	deleteFailed       = "DELETE_FAILED"
	deleteSkipped      = "DELETE_SKIPPED"
	inProgress         = "_IN_PROGRESS"
)

// A Creation is what CreateStack asks for.
type Creation struct {
	Name         string
	Template     *Template
	Parameters   map[string]string
	Tags         []Tag
	Capabilities []string
	OnFailure    string // ROLLBACK (the default), DELETE or DO_NOTHING
	Protected    bool   // against deletion
	Token        string // a repeated request with the same one finds the first one's stack

	id string // of the stack, once the creation is checked
}

var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

// Create makes a stack in the background and returns its id. Errors are *[Error]s.
func (s *Service) Create(by iam.Caller, c Creation) (id string, err error) {
	st, err := s.begin(by, c, func(st *stack) {
		s.work.Go(func() { s.deploy(s.ctx, st, s.o.Step) })
	})
	if err != nil {
		return "", err
	}
	return st.id, nil
}

// Deploy makes a stack at once, without a step's wait, and returns what it could not make as an error.
func (s *Service) Deploy(ctx context.Context, by iam.Caller, c Creation) (id string, err error) {
	st, err := s.begin(by, c, func(*stack) {})
	if err != nil {
		return "", err
	}
	s.deploy(ctx, st, 0)
	s.mu.Lock()
	defer s.unlock()
	if st.status == createComplete {
		return st.id, nil
	}
	for _, e := range st.events {
		if strings.HasSuffix(e.Status, "_FAILED") {
			return "", fmt.Errorf("create %s: %s", e.Logical, e.Reason)
		}
	}
	return "", fmt.Errorf("create stack %s: %s", st.name, st.reason)
}

// begin checks a creation, enters the stack, and starts what is to be done with it; a repeated request
// finds the stack and starts nothing.
func (s *Service) begin(by iam.Caller, c Creation, start func(*stack)) (*stack, error) {
	if err := s.check(&c); err != nil {
		return nil, err
	}
	values, err := c.Template.values(c.Parameters)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	if st := s.find(c.Name); st != nil {
		if c.Token != "" && st.token == c.Token {
			return st, nil
		}
		return nil, &Error{400, "AlreadyExistsException", "Stack [" + c.Name + "] already exists"}
	}
	if len(s.stacks) >= maxStacks {
		if i := slices.IndexFunc(s.stacks, func(st *stack) bool { return st.status == deleteComplete }); i >= 0 {
			s.stacks = slices.Delete(s.stacks, i, i+1)
		}
	}
	switch {
	case s.closed:
		return nil, &Error{500, "InternalFailure", "the sandbox is closed"}
	case len(s.stacks) >= maxStacks:
		return nil, &Error{400, "LimitExceededException", "Limit for stack has been exceeded"}
	}
	s.numbers++
	st := &stack{number: s.numbers, name: c.Name, created: s.o.Clock.Now(), template: c.Template, by: by, values: values, tags: c.Tags,
		capabilities: c.Capabilities, onFailure: c.OnFailure, protected: c.Protected, token: c.Token,
		resources: map[string]*resource{}, imports: map[string]bool{},
		id: c.id}
	s.stacks = append(s.stacks, st)
	s.turn(st, createInProgress, "User Initiated")
	start(st) // under the lock, so that Close does not miss it
	return st, nil
}

// check refuses what is wrong with a creation by itself, fills in what it leaves out, and decides the
// template's conditions.
func (s *Service) check(c *Creation) error {
	if !stackName.MatchString(c.Name) {
		return invalid("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", c.Name)
	}
	values, err := c.Template.values(c.Parameters)
	if err != nil {
		return err
	}
	c.id = cmp.Or(c.id, s.newID(c.Name))
	if c.Template, err = c.Template.under(s.scopeValues(c.Name, c.id, c.Template, values)); err != nil {
		return err
	}
	if err := s.checkTypes(c.Template, c.Capabilities); err != nil {
		return err
	}
	switch c.OnFailure {
	case "":
		c.OnFailure = "ROLLBACK"
	case "ROLLBACK", "DELETE", "DO_NOTHING":
	default:
		return invalid("1 validation error detected: Value '%s' at 'onFailure' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [ROLLBACK, DELETE, DO_NOTHING]", c.OnFailure)
	}
	return nil
}

// newID returns an id for a stack.
func (s *Service) newID(name string) string {
	return "arn:aws:cloudformation:" + s.o.Region + ":" + s.o.Account + ":stack/" + name + "/" + uuid.NewString()
}

// checkTypes refuses types that nobody makes, and roles without the consent that CloudFormation wants.
func (s *Service) checkTypes(t *Template, capabilities []string) error {
	var unknown []string
	need := ""
	for _, kind := range t.types {
		if s.kind(kind) == nil {
			unknown = append(unknown, kind)
		}
	}
	if len(unknown) > 0 {
		return invalid("Template format error: Unrecognized resource types: [%s]", strings.Join(unknown, ", "))
	}
	if need = t.capability(); need == "" || slices.Contains(capabilities, "CAPABILITY_NAMED_IAM") ||
		slices.Contains(capabilities, need) {
		return nil
	}
	return &Error{400, "InsufficientCapabilitiesException", "Requires capabilities : [" + need + "]"}
}

// capability returns what the template's IAM resources need consent to, or "".
func (t *Template) capability() string {
	need := ""
	for _, d := range t.resources {
		if !strings.HasPrefix(d.kind, "AWS::IAM::") {
			continue
		}
		need = cmp.Or(need, "CAPABILITY_IAM")
		for _, name := range names {
			if _, named := d.properties[name]; named {
				need = "CAPABILITY_NAMED_IAM"
			}
		}
	}
	return need
}

// values returns the values of all parameters.
func (t *Template) values(given map[string]string) (map[string]string, error) {
	values := map[string]string{}
	var missing, unknown []string
	for _, p := range t.Parameters {
		v, ok := given[p.Name]
		if !ok && p.Default == nil {
			missing = append(missing, p.Name)
			continue
		}
		if !ok {
			v = *p.Default
		}
		if len(v) > maxValue {
			return nil, invalid("1 validation error detected: Value at 'parameters' failed to satisfy constraint: "+
				"Member must have length less than or equal to %d, set for %s", maxValue, p.Name)
		}
		if len(p.allowed) > 0 && !slices.Contains(p.allowed, v) {
			return nil, invalid("Parameter '%s' must be one of AllowedValues", p.Name)
		}
		if p.pattern != nil && !p.pattern.MatchString(v) {
			return nil, invalid("Parameter '%s' must match pattern %s", p.Name,
				strings.TrimSuffix(strings.TrimPrefix(p.pattern.String(), "^(?:"), ")$"))
		}
		values[p.Name] = v
	}
	for _, name := range sorted(given) {
		if !slices.ContainsFunc(t.Parameters, func(p Parameter) bool { return p.Name == name }) {
			unknown = append(unknown, name)
		}
	}
	switch {
	case len(unknown) > 0:
		return nil, invalid("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	case len(missing) > 0:
		return nil, invalid("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	return values, nil
}

// find returns the stack with this name that is not deleted, or the one with this id. s.mu must be held.
func (s *Service) find(name string) *stack {
	for _, st := range slices.Backward(s.stacks) {
		if st.id == name || st.name == name && st.status != deleteComplete {
			return st
		}
	}
	return nil
}

// turn gives a stack a new status. s.mu must be held.
func (s *Service) turn(st *stack, status, reason string) {
	st.status, st.reason, st.changed = status, reason, true
	if reason == "User Initiated" {
		st.reason = "" // it belongs to the event only
	}
	st.events = append(st.events, Event{ID: uuid.NewString(), Logical: st.name, Physical: st.id,
		Kind: "AWS::CloudFormation::Stack", Status: status, Reason: reason, Time: s.o.Clock.Now()})
}

// mark gives a resource a new status. s.mu must be held.
func (s *Service) mark(st *stack, r *resource, status, reason string) {
	r.status, r.reason, r.updated, st.changed = status, reason, s.o.Clock.Now(), true
	e := Event{ID: r.logical + "-" + status + "-" + r.updated.UTC().Format("2006-01-02T15:04:05.000Z"), Logical: r.logical,
		Physical: r.physical, Kind: r.kind, Status: status, Reason: reason, Time: r.updated, Properties: r.properties}
	st.events = append(st.events, e)
}

// deploy makes a stack's resources and outputs, or rolls back.
func (s *Service) deploy(ctx context.Context, st *stack, step time.Duration) {
	sc := &scope{resources: map[string]*resource{}, exported: func(name string) (string, error) { return s.imported(st, name) },
		values: s.scopeValues(st.name, st.id, st.template, st.values)}
	for _, d := range st.template.resources {
		if err := s.makeOne(ctx, st, sc, d, step); err != nil {
			if ctx.Err() == nil {
				s.fail(ctx, st, step, fmt.Sprintf("The following resource(s) failed to create: [%s]. ", d.logical))
			}
			return
		}
	}
	outputs, err := s.produce(st, sc)
	s.mu.Lock()
	if err == nil {
		err = s.checkExports(st, outputs)
	}
	if err == nil {
		st.outputs = outputs
		s.turn(st, createComplete, "")
	}
	s.unlock()
	if err != nil {
		s.fail(ctx, st, step, reasonOf(err))
	}
}

func reasonOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// scopeValues are what the references to parameters mean in a stack.
func (s *Service) scopeValues(name, id string, t *Template, given map[string]string) map[string]any {
	values := map[string]any{"AWS::AccountId": s.o.Account, "AWS::Region": s.o.Region, "AWS::Partition": "aws",
		"AWS::URLSuffix": "amazonaws.com", "AWS::StackName": name, "AWS::StackId": id, "AWS::NoValue": noValue{},
		"AWS::NotificationARNs": []any{}}
	for _, p := range t.Parameters {
		if p.Type != "CommaDelimitedList" {
			values[p.Name] = given[p.Name]
			continue
		}
		list := []any{}
		for part := range strings.SplitSeq(given[p.Name], ",") {
			list = append(list, strings.TrimSpace(part))
		}
		values[p.Name] = list
	}
	return values
}

// makeOne makes one resource. The error has been recorded already.
func (s *Service) makeOne(ctx context.Context, st *stack, sc *scope, d declaration, step time.Duration) error {
	kind := s.kind(d.kind)
	r := &resource{logical: d.logical, kind: d.kind, retain: d.retain, inert: kind.Make == nil}
	properties, err := sc.evaluate(d.properties)
	if err == nil {
		r.request = Request{Name: physicalName(st.name, d.logical), Properties: properties.(map[string]any)}
		r.properties = JSON(properties)
		if problem := kind.checkProperties(d.logical, r.request.Properties); problem != "" {
			err = errors.New(problem)
		}
	}
	s.mu.Lock()
	st.resources[d.logical], st.order = r, append(st.order, r)
	s.mark(st, r, createInProgress, "")
	s.unlock()
	var made Made
	switch {
	case err != nil:
	case r.inert:
		made = s.keep(d.kind, r.request)
	default:
		if step > 0 && !s.o.Clock.Sleep(ctx, step) {
			return context.Cause(ctx)
		}
		made, err = kind.Make(ctx, st.by, r.request)
	}
	s.mu.Lock()
	defer s.unlock()
	if err != nil {
		s.mark(st, r, createFailed, reasonOf(err))
		return err
	}
	r.made, r.physical = made, made.ID
	s.mark(st, r, createInProgress, "Resource creation Initiated")
	s.mark(st, r, createComplete, "")
	sc.resources[d.logical] = r
	return nil
}

// physicalName names a resource whose template does not.
func physicalName(stack, logical string) string {
	return cut(stack, 24) + "-" + cut(logical, 24) + "-" + randomText(12)
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

// randomText returns n random capital letters and digits, as AWS appends them to names.
func randomText(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // 32, so that no letter is likelier than another
	b := make([]byte, n)
	rand.Read(b) // never fails
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return string(b)
}

// fail ends a creation that went wrong as its stack wants it.
func (s *Service) fail(ctx context.Context, st *stack, step time.Duration, reason string) {
	s.mu.Lock()
	switch st.onFailure {
	case "DO_NOTHING":
		s.turn(st, createFailed, reason)
		s.unlock()
		return
	case "DELETE":
		s.turn(st, deleteInProgress, reason)
	default:
		s.turn(st, rollbackInProgress, reason+"Rollback requested by user.")
	}
	s.unlock()
	s.undo(ctx, st, step)
}

// undo removes a stack that is being rolled back or deleted.
func (s *Service) undo(ctx context.Context, st *stack, step time.Duration) {
	whole := s.removeAll(ctx, st, step)
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.unlock()
	deleting := st.status == deleteInProgress
	switch {
	case !whole && deleting:
		s.turn(st, deleteFailed, st.failed())
	case !whole:
		s.turn(st, "ROLLBACK_FAILED", st.failed())
	case deleting:
		st.deleted = s.o.Clock.Now()
		clear(st.imports)
		s.turn(st, deleteComplete, "")
	default:
		s.turn(st, rollbackComplete, "")
	}
}

// failed says which resources could not be deleted.
func (st *stack) failed() string {
	var names []string
	for _, r := range st.order {
		if r.status == deleteFailed {
			names = append(names, r.logical)
		}
	}
	return "The following resource(s) failed to delete: [" + strings.Join(names, ", ") + "]. "
}

// produce evaluates the outputs.
func (s *Service) produce(st *stack, sc *scope) ([]Output, error) {
	var outputs []Output
	for _, p := range st.template.outputs {
		v, err := sc.evaluate(p.value)
		if err != nil {
			return nil, err
		}
		text, ok := scalarText(v)
		if !ok {
			return nil, invalid("Template format error: Output %s is malformed. (every Outputs member must contain a string value)", p.name)
		}
		o := Output{Key: p.name, Value: s.reachable(text), Description: p.description}
		if p.export != nil {
			v, err := sc.evaluate(p.export)
			if err != nil {
				return nil, err
			}
			if o.Export, ok = scalarText(v); !ok || o.Export == "" {
				return nil, invalid("Template format error: Output %s is malformed. (an export needs a string as its name)", p.name)
			}
		}
		outputs = append(outputs, o)
	}
	return outputs, nil
}

var executeAPI = regexp.MustCompile(`^https://[a-z0-9]+\.execute-api\.[a-z0-9-]+\.amazonaws\.com`)

// reachable puts the sandbox's own API in the place of an API Gateway that nobody can reach.
func (s *Service) reachable(text string) string {
	if at := executeAPI.FindStringIndex(text); at != nil && s.o.Endpoint != "" {
		return s.o.Endpoint + text[at[1]:]
	}
	return text
}

// imported returns what another stack exports under a name, and remembers that it is in use.
func (s *Service) imported(st *stack, name string) (string, error) {
	s.mu.Lock()
	defer s.unlock()
	for _, other := range s.stacks {
		if other.status == deleteComplete {
			continue
		}
		for _, o := range other.outputs {
			if o.Export == name {
				st.imports[name], st.changed = true, true
				return o.Value, nil
			}
		}
	}
	return "", invalid("No export named %s found.", name)
}

// checkExports refuses names that another stack exports. s.mu must be held.
func (s *Service) checkExports(st *stack, outputs []Output) error {
	seen := map[string]bool{}
	for _, o := range outputs {
		if o.Export == "" {
			continue
		}
		if seen[o.Export] {
			return invalid("Duplicate Export names: [%s]. ", o.Export)
		}
		seen[o.Export] = true
		for _, other := range s.stacks {
			if other != st && other.status != deleteComplete &&
				slices.ContainsFunc(other.outputs, func(theirs Output) bool { return theirs.Export == o.Export }) {
				return invalid("Export with name %s is already exported by stack %s. ", o.Export, other.name)
			}
		}
	}
	return nil
}

// Delete removes a stack in the background. One that does not exist, or is being deleted, is no error.
func (s *Service) Delete(by iam.Caller, name string) error {
	s.mu.Lock()
	defer s.unlock()
	st := s.find(name)
	if st == nil || st.status == deleteComplete || st.status == deleteInProgress || s.closed {
		return nil
	}
	if strings.HasSuffix(st.status, inProgress) {
		return invalid("Stack [%s] cannot be deleted while in status %s", st.name, st.status)
	}
	if st.protected {
		return invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.name)
	}
	if user, export := s.importer(st); user != nil {
		// CloudFormation accepts the request and fails afterwards.
		s.turn(st, deleteInProgress, "User Initiated")
		s.turn(st, deleteFailed, fmt.Sprintf("Export %s cannot be deleted as it is in use by %s", export, user.name))
		return nil
	}
	st.by = by
	s.turn(st, deleteInProgress, "User Initiated")
	s.work.Go(func() { s.undo(s.ctx, st, s.o.Step) })
	return nil
}

// importer returns a stack that uses an export of st. s.mu must be held.
func (s *Service) importer(st *stack) (*stack, string) {
	for _, o := range st.outputs {
		for _, other := range s.stacks {
			if o.Export != "" && other != st && other.status != deleteComplete && other.imports[o.Export] {
				return other, o.Export
			}
		}
	}
	return nil, ""
}

// removeAll removes the resources in the opposite order and reports whether none is left that should
// be gone.
func (s *Service) removeAll(ctx context.Context, st *stack, step time.Duration) bool {
	s.mu.Lock()
	order := slices.Clone(st.order)
	s.unlock()
	whole := true
	for _, r := range slices.Backward(order) {
		s.mu.Lock()
		skip := r.status == deleteComplete || r.status == deleteSkipped || r.physical == ""
		switch {
		case skip && r.physical == "": // it was never made
			s.mark(st, r, deleteComplete, "")
		case !skip && r.retain:
			s.mark(st, r, deleteSkipped, "")
			skip = true
		case !skip:
			s.mark(st, r, deleteInProgress, "")
		}
		s.unlock()
		if skip {
			continue
		}
		var err error
		if kind := s.kind(r.kind); !r.inert {
			if step > 0 && !s.o.Clock.Sleep(ctx, step) {
				return false
			}
			err = kind.Remove(ctx, st.by, r.request, r.physical)
		}
		s.mu.Lock()
		if err != nil {
			whole = false
			s.mark(st, r, deleteFailed, reasonOf(err))
		} else {
			s.mark(st, r, deleteComplete, "")
		}
		s.unlock()
	}
	return whole
}

// A Resource is a resource of a stack, as listings show it.
type Resource struct {
	Stack, StackID, Logical, Physical, Kind, Status, Reason string
	Updated                                                 time.Time
}

// Resources returns the resources of a stack by logical id, or an *[Error] if there is no such stack.
func (s *Service) Resources(name string) ([]Resource, error) {
	s.mu.Lock()
	defer s.unlock()
	st := s.find(name)
	if st == nil {
		return nil, errUnknownStack(name)
	}
	var all []Resource
	for _, id := range sorted(st.resources) {
		all = append(all, st.show(st.resources[id]))
	}
	return all, nil
}

func (st *stack) show(r *resource) Resource {
	return Resource{Stack: st.name, StackID: st.id, Logical: r.logical, Physical: r.physical, Kind: r.kind, Status: r.status,
		Reason: r.reason, Updated: r.updated}
}

// Outputs returns the outputs of a stack, by key, or an *[Error] if there is no such stack.
func (s *Service) Outputs(name string) ([]Output, error) {
	s.mu.Lock()
	defer s.unlock()
	st := s.find(name)
	if st == nil {
		return nil, errUnknownStack(name)
	}
	return slices.Clone(st.outputs), nil
}

// Status returns the status of a stack, or "" if there is none with this name.
func (s *Service) Status(name string) string {
	s.mu.Lock()
	defer s.unlock()
	if st := s.find(name); st != nil {
		return st.status
	}
	return ""
}

// Count returns how many stacks there are, without those that are gone.
func (s *Service) Count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.stacks {
		if st.status != deleteComplete {
			n++
		}
	}
	return n
}

// shownValues returns the parameters' values as descriptions show them.
func (st *stack) shownValues() map[string]string {
	shown := maps.Clone(st.values)
	for _, p := range st.template.Parameters {
		if p.NoEcho {
			shown[p.Name] = "****"
		}
	}
	return shown
}
