package sandbox

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"loadkms/sandbox/iam"
)

const (
	iamVersion   = "2010-05-08"
	iamNamespace = "https://iam.amazonaws.com/doc/2010-05-08/"
)

// iamActions are what the sandbox has of IAM's API: look-ups. Roles are made by stacks.
var iamActions = map[string]action{
	"GetRole":   getRole,
	"GetUser":   getUser,
	"ListRoles": listRoles,
	"ListUsers": listUsers,
}

// A principalMember is a role or user as IAM shows it.
type principalMember struct {
	Path                     string
	UserName                 string `xml:",omitempty"`
	RoleName                 string `xml:",omitempty"`
	UserId                   string `xml:",omitempty"`
	RoleId                   string `xml:",omitempty"`
	Arn                      string
	CreateDate               string
	AssumeRolePolicyDocument string `xml:",omitempty"` // URL-encoded
	MaxSessionDuration       int    `xml:",omitempty"` // seconds
}

// trust is what every role is shown to trust: the sandbox keeps no trust policies.
const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// members returns the users or roles (kind "user/" or "role/") with a name, or all of them.
func (d *door) members(kind, name string) (all []principalMember) {
	for _, arn := range d.directory.Principals() {
		a, _ := iam.ParseARN(arn)
		rest, ok := strings.CutPrefix(a.Resource, kind)
		if !ok || a.Account != d.directory.Account() {
			continue
		}
		at := strings.LastIndexByte(rest, '/') + 1
		if name != "" && rest[at:] != name {
			continue
		}
		m := principalMember{Path: "/" + rest[:at], Arn: arn, CreateDate: d.started.UTC().Format(time.RFC3339)}
		if kind == "user/" {
			m.UserName, m.UserId = rest[at:], principalID(arn)
		} else {
			m.RoleName, m.RoleId, m.MaxSessionDuration = rest[at:], principalID(arn), 43200
			m.AssumeRolePolicyDocument = url.QueryEscape(trust)
		}
		all = append(all, m)
	}
	return all
}

// may refuses what no policy of the caller's allows.
func (d *door) may(c iam.Caller, action, resource string) error {
	if d.allows(c, action, resource) == iam.Allow {
		return nil
	}
	return &queryError{http.StatusForbidden, "AccessDenied", "User: " + c.Principal + " is not authorized to perform: " +
		action + " on resource: " + resource + " because no identity-based policy allows the " + action + " action"}
}

// allows is what the caller's policies say.
func (d *door) allows(c iam.Caller, action, resource string) iam.Effect {
	return d.directory.Identity(&iam.Request{Caller: c, Action: action, Resource: resource, Environment: d.environment})
}

func noSuch(kind, name string) error {
	return &queryError{http.StatusNotFound, "NoSuchEntity", "The " + kind + " with name " + name + " cannot be found."}
}

func getRole(d *door, c iam.Caller, _ iam.Credential, form url.Values) (any, error) {
	name := form.Get("RoleName")
	if err := d.may(c, "iam:GetRole", iam.RoleARN(d.directory.Account(), name)); err != nil {
		return nil, err
	}
	found := d.members("role/", name)
	if name == "" || len(found) != 1 {
		return nil, noSuch("role", name)
	}
	return struct{ Role principalMember }{found[0]}, nil
}

// getUser shows a user, or the caller.
func getUser(d *door, c iam.Caller, _ iam.Credential, form url.Values) (any, error) {
	name := form.Get("UserName")
	if name == "" {
		a, _ := iam.ParseARN(c.Principal)
		user, ok := strings.CutPrefix(a.Resource, "user/")
		if !ok {
			return nil, &queryError{http.StatusBadRequest, "ValidationError",
				"Must specify userName when calling with non-User credentials"}
		}
		name = user[strings.LastIndexByte(user, '/')+1:]
	}
	if err := d.may(c, "iam:GetUser", iam.UserARN(d.directory.Account(), name)); err != nil {
		return nil, err
	}
	found := d.members("user/", name)
	if len(found) != 1 {
		return nil, noSuch("user", name)
	}
	return struct{ User principalMember }{found[0]}, nil
}

func listRoles(d *door, c iam.Caller, _ iam.Credential, _ url.Values) (any, error) {
	if err := d.may(c, "iam:ListRoles", "arn:aws:iam::"+d.directory.Account()+":role/"); err != nil {
		return nil, err
	}
	return struct {
		Roles       []principalMember `xml:"Roles>member"`
		IsTruncated bool
	}{Roles: d.members("role/", "")}, nil
}

func listUsers(d *door, c iam.Caller, _ iam.Credential, _ url.Values) (any, error) {
	if err := d.may(c, "iam:ListUsers", "arn:aws:iam::"+d.directory.Account()+":user/"); err != nil {
		return nil, err
	}
	return struct {
		Users       []principalMember `xml:"Users>member"`
		IsTruncated bool
	}{Users: d.members("user/", "")}, nil
}
