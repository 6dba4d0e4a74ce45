package iam

import (
	"errors"
	"fmt"
	"strings"
)

// An Effect is what a policy says of a request.
type Effect int

// The effects, from the weakest to the strongest: Deny outranks all others, and Allow outranks
// Delegated.
const (
	// None says nothing: not allowed, unless something else allows it.
	None Effect = iota
	// Delegated allows the request to the caller's account, which leaves the decision to the caller's
	// own (identity) policies.
	Delegated
	// Allow allows it to the caller.
	Allow
	// Deny forbids it, whatever else allows it.
	Deny
)

// A Kind is where a policy hangs.
type Kind int

const (
	// Resource policies hang on a thing, such as a key, and name principals.
	Resource Kind = iota
	// Identity policies hang on a user or role, and name none.
	Identity
)

// A Request is a question to a policy: may Caller do Action to Resource?
type Request struct {
	Caller   Caller
	Action   string // service:Operation, as in "kms:Decrypt"
	Resource string // ARN, or "*" for an operation on nothing in particular
	// Value returns what the request holds under a service's condition key, given in lower case
	// ("kms:viaservice"), and false if it has no such key. Nil means that there are none. It is not asked for
	// the global keys that come from Caller and Environment; see globalKeys.
	Value func(key string) ([]string, bool)
	// Environment is where and when the request is made; the zero value means nowhere and never.
	Environment Environment
}

// A Policy is a parsed policy document. It is immutable.
type Policy struct{ statements []statement }

type statement struct {
	deny          bool
	principals    []principal
	notPrincipal  bool
	actions       []string
	notAction     bool
	resources     []string
	notResource   bool
	conditions    []condition
	withPrincipal bool
	variables     bool // resources may have policy variables
}

// A principal is one entry of a Principal element, taken apart when the policy is read.
type principal struct {
	text     string
	everyone bool   // "*"
	account  string // an account's id or root: all its principals, by delegation
	service  string // a service principal
}

// The errors of ParsePolicy whose texts AWS KMS uses too. The others are in our own words.
var (
	errNoPrincipal = errors.New("Policy contains a statement with no principal.")
	errSyntax      = errors.New("Syntax errors in policy.")
)

// ParsePolicy reads a policy document strictly: known elements only, none of them twice. A statement
// without Action or Resource is accepted and never applies, as AWS documents it for key policies.
// Whether its principals exist is not checked here; see [Policy.Principals]. The error's text is fit
// to be shown to the policy's author.
func ParsePolicy(text []byte, kind Kind) (*Policy, error) {
	v, err := readDocument(text)
	if err != nil {
		return nil, err
	}
	doc, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w a policy is a JSON object", errSyntax)
	}
	p := &Policy{}
	var statements []any
	for key, v := range doc {
		switch key {
		case "Version":
			if v != "2012-10-17" && v != "2008-10-17" {
				return nil, fmt.Errorf("%w the Version must be 2012-10-17 or 2008-10-17", errSyntax)
			}
		case "Id":
			if _, ok := v.(string); !ok {
				return nil, fmt.Errorf("%w the Id must be a string", errSyntax)
			}
		case "Statement":
			switch v := v.(type) {
			case []any:
				statements = v
			case map[string]any:
				statements = []any{v}
			default:
				return nil, fmt.Errorf("%w the Statement must be an object or a list of them", errSyntax)
			}
		default:
			return nil, fmt.Errorf("%w %q is no element of a policy", errSyntax, key)
		}
	}
	if _, ok := doc["Statement"]; !ok {
		return nil, fmt.Errorf("%w a policy needs a Statement", errSyntax)
	}
	for _, v := range statements {
		object, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%w a statement must be an object", errSyntax)
		}
		s, err := parseStatement(object, kind)
		if err != nil {
			return nil, err
		}
		if doc["Version"] != "2012-10-17" {
			s.variables = false
			for i := range s.conditions {
				s.conditions[i].variables = false
			}
		}
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func parseStatement(object map[string]any, kind Kind) (statement, error) {
	var s statement
	list := func(element string, v any) ([]string, error) {
		all, ok := texts(v)
		if !ok {
			return nil, fmt.Errorf("%w the %s must be a string or a list of strings", errSyntax, element)
		}
		for _, t := range all {
			with, err := variables(t)
			if err != nil {
				return nil, err
			}
			if with && strings.HasSuffix(element, "Action") {
				return nil, fmt.Errorf("%w the %s cannot have policy variables", errSyntax, element)
			}
			s.variables = s.variables || with
		}
		return all, nil
	}
	for key, v := range object {
		var err error
		switch key {
		case "Sid":
			if _, ok := v.(string); !ok {
				err = fmt.Errorf("%w the Sid must be a string", errSyntax)
			}
		case "Effect":
			if v != "Allow" && v != "Deny" {
				err = fmt.Errorf("%w the Effect must be Allow or Deny", errSyntax)
			}
			s.deny = v == "Deny"
		case "Principal", "NotPrincipal":
			if _, both := object["NotPrincipal"]; both && key == "Principal" {
				err = fmt.Errorf("%w a statement has Principal or NotPrincipal, not both", errSyntax)
				break
			}
			s.withPrincipal, s.notPrincipal = true, key == "NotPrincipal"
			s.principals, err = parsePrincipals(v)
		case "Action", "NotAction":
			if _, both := object["NotAction"]; both && key == "Action" {
				err = fmt.Errorf("%w a statement has Action or NotAction, not both", errSyntax)
				break
			}
			s.notAction = key == "NotAction"
			s.actions, err = list(key, v)
		case "Resource", "NotResource":
			if _, both := object["NotResource"]; both && key == "Resource" {
				err = fmt.Errorf("%w a statement has Resource or NotResource, not both", errSyntax)
				break
			}
			s.notResource = key == "NotResource"
			s.resources, err = list(key, v)
		case "Condition":
			s.conditions, err = parseConditions(v)
		default:
			err = fmt.Errorf("%w %q is no element of a statement", errSyntax, key)
		}
		if err != nil {
			return s, err
		}
	}
	if _, ok := object["Effect"]; !ok {
		return s, fmt.Errorf("%w a statement needs an Effect", errSyntax)
	}
	switch {
	case kind == Resource && len(s.principals) == 0:
		return s, errNoPrincipal
	case kind == Identity && s.withPrincipal:
		return s, errors.New("Policy document should not specify a principal.")
	}
	return s, nil
}

func parsePrincipals(v any) ([]principal, error) {
	if v == "*" {
		return []principal{{text: "*", everyone: true}}, nil
	}
	kinds, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf(`%w the Principal must be "*" or an object`, errSyntax)
	}
	var all []principal
	for kind, v := range kinds {
		names, ok := texts(v)
		if !ok {
			return nil, fmt.Errorf("%w the Principal must be a string or a list of strings", errSyntax)
		}
		for _, name := range names {
			p := principal{text: name}
			arn, isARN := ParseARN(name)
			switch {
			case kind == "AWS" && name == "*":
				p.everyone = true
			case kind == "AWS" && isAccount(name):
				p.account = name
			case kind == "AWS" && isARN && arn.Service == "iam" && arn.Resource == "root":
				p.account = arn.Account
			case kind == "AWS":
			case kind == "Service":
				if !IsService(name) {
					p.text = "service " + name // exists nowhere
				}
				p.service = name
			default:
				return nil, fmt.Errorf("%w the sandbox knows no principals of the kind %q", errSyntax, kind)
			}
			all = append(all, p)
		}
	}
	return all, nil
}

// Principals returns every principal that the policy names, as written, for the caller to check with
// [Directory.Exists].
func (p *Policy) Principals() []string {
	var all []string
	for _, s := range p.statements {
		for _, w := range s.principals {
			all = append(all, w.text)
		}
	}
	return all
}

// Evaluate says what the policy alone says of a request. An explicit Deny outranks every Allow; among
// several Allows, one that names the caller outranks one that names its account. Evaluate does not
// allocate unless a condition looks at a list.
func (p *Policy) Evaluate(r *Request) Effect {
	effect := None
	for i := range p.statements {
		s := &p.statements[i]
		who := s.concerns(&r.Caller)
		if who == None || !s.covers(r) {
			continue
		}
		if s.deny {
			return Deny
		}
		effect = max(effect, who)
	}
	return effect
}

// concerns returns Allow if the statement speaks of the caller itself, Delegated if of its account,
// and None otherwise. A statement of an identity policy concerns whoever has the policy.
func (s *statement) concerns(c *Caller) Effect {
	if !s.withPrincipal {
		return Allow
	}
	best := None
	for i := range s.principals {
		best = max(best, s.principals[i].matches(c))
	}
	if !s.notPrincipal {
		return best
	}
	if best == None {
		return Allow
	}
	return None
}

func (p *principal) matches(c *Caller) Effect {
	switch {
	case p.everyone:
		// Services included: in AWS, too, a Deny for "*" hits them, which is why aws:PrincipalIsAWSService
		// exists. An Allow for "*" usually has conditions that a service acting for itself cannot meet.
		return Allow
	case p.service != "":
		if SameService(p.service, c.Service) {
			return Allow
		}
	case c.Service != "":
	case p.account != "":
		if p.account == c.Account {
			return Delegated
		}
	case SamePrincipal(p.text, c.Principal):
		return Allow
	}
	return None
}

// covers reports whether the statement speaks of the action and resource, with its conditions met.
func (s *statement) covers(r *Request) bool {
	if s.actions == nil || s.resources == nil {
		return false // inert; see ParsePolicy
	}
	if anyGlob(s.actions, r.Action, true) == s.notAction {
		return false
	}
	if s.concernsResource(r) == s.notResource {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r) {
			return false
		}
	}
	return true
}

func (s *statement) concernsResource(r *Request) bool {
	if !s.variables {
		return anyGlob(s.resources, r.Resource, false)
	}
	for _, pattern := range s.resources {
		pattern, ok := expand(pattern, r, true)
		if !ok && s.notResource {
			return true // of a resource that is not known nobody can say that it is another
		}
		if ok && glob(pattern, r.Resource, false) {
			return true
		}
	}
	return false
}

func anyGlob(patterns []string, s string, fold bool) bool {
	for _, p := range patterns {
		if glob(p, s, fold) {
			return true
		}
	}
	return false
}
