package iam

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The article's two roles, one role that no key policy names, and the sandbox's administrator.
const (
	CreateRecordRole = "qldb-kms-create-record-role"
	GetRecordRole    = "qldb-kms-get-record-role"
	NoKMSRole        = "qldb-kms-no-kms-role"
	AdminUser        = "admin"
)

// The access key ids of the built-in roles' sessions, for clients that want to call as them. They
// have the form of temporary keys (ASIA…); every other id belongs to the administrator.
const (
	CreateRecordKey = "ASIACREATERECORD0001"
	GetRecordKey    = "ASIAGETRECORD0000001"
	NoKMSKey        = "ASIANOKMS00000000001"
)

// The built-in policies. The two roles may speak with the ledger and hold no KMS permission of their
// own: what they may do with a key comes from the key's policy alone.
const (
	administratorAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	createRecordPolicy  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":["qldb:SendCommand","qldb:PartiQLInsert"],"Resource":"*"}]}`
	getRecordPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":["qldb:SendCommand","qldb:PartiQLSelect"],"Resource":"*"}]}`
	noKMSPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":["qldb:SendCommand","qldb:PartiQL*"],"Resource":"*"}]}`
)

// A Directory knows the principals of one account: which access key calls as whom, which principals
// exist, and what their own (identity) policies allow. It is safe for use by many goroutines.
type Directory struct {
	account string
	mint    mint

	mu         sync.RWMutex           // guards the maps below, for a look-up
	keys       map[string]Caller      // by access key id
	identities map[string]*identities // by ARN of a user or role
	roles      map[role]*identities   // the roles among them, for sessions
}

type identities struct{ policies []*Policy }

// A role is known by its account and name: whatever their paths, two roles of one account never share
// a name, and a session's ARN does not show the path.
type role struct{ account, name string }

// NewDirectory returns the directory of an account with the administrator (the user "admin", with
// every permission) and the built-in roles.
func NewDirectory(account string) *Directory {
	d := &Directory{account: account, mint: newMint(), keys: map[string]Caller{}, identities: map[string]*identities{},
		roles: map[role]*identities{}}
	builtin := func(arn, policy string) {
		if err := d.Add(arn, policy); err != nil {
			panic(fmt.Sprintf("iam: built-in policy of %s: %v", arn, err)) // a constant of this file is wrong
		}
	}
	builtin(UserARN(account, AdminUser), administratorAccess)
	builtin(RoleARN(account, CreateRecordRole), createRecordPolicy)
	builtin(RoleARN(account, GetRecordRole), getRecordPolicy)
	builtin(RoleARN(account, NoKMSRole), noKMSPolicy)
	d.AddKey(CreateRecordKey, d.Session(CreateRecordRole, "create-record"))
	d.AddKey(GetRecordKey, d.Session(GetRecordRole, "get-record"))
	d.AddKey(NoKMSKey, d.Session(NoKMSRole, "no-kms"))
	return d
}

// Account returns the account id.
func (d *Directory) Account() string { return d.account }

// Admin returns the account's administrator, as whom every unknown access key calls.
func (d *Directory) Admin() Caller {
	return Caller{Principal: UserARN(d.account, AdminUser), Account: d.account}
}

// Session returns the caller that a session of one of the account's roles is.
func (d *Directory) Session(role, session string) Caller {
	return Caller{Principal: SessionARN(d.account, role, session), Account: d.account}
}

// Caller returns as whom an access key calls. Keys that were not added call as the administrator, so
// that any client works with any credentials.
func (d *Directory) Caller(accessKey string) Caller {
	d.mu.RLock()
	c, ok := d.keys[accessKey]
	d.mu.RUnlock()
	switch {
	case ok:
		return c
	case d.mint.made(accessKey):
		return Caller{}
	}
	return d.Admin()
}

// AddKey lets an access key call as c from now on.
func (d *Directory) AddKey(accessKey string, c Caller) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys[accessKey] = c
}

// nameForm is the form of the names of users and roles.
var nameForm = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)

// Add makes a user or role exist, of this account or another, with the given identity policies
// (JSON). Adding it again replaces its policies. Errors are those of ParsePolicy, and refusals of names
// that IAM does not have: of two roles that differ in their paths alone, one would get the sessions of
// the other.
func (d *Directory) Add(arn string, policies ...string) error {
	a, ok := ParseARN(arn)
	if !ok || a.Service != "iam" || (!strings.HasPrefix(a.Resource, "user/") && !strings.HasPrefix(a.Resource, "role/")) {
		return fmt.Errorf("%q is not the ARN of a user or role", arn)
	}
	name := a.Resource[strings.LastIndexByte(a.Resource, '/')+1:]
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q is not a name for a user or role", name)
	}
	id := &identities{}
	for _, text := range policies {
		p, err := ParsePolicy([]byte(text), Identity)
		if err != nil {
			return fmt.Errorf("policy of %s: %w", arn, err)
		}
		id.policies = append(id.policies, p)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := roleName(a); ok {
		other := d.roles[role{a.Account, name}]
		if other != nil && other != d.identities[arn] {
			return fmt.Errorf("the role name %s is taken, with another path", name)
		}
		d.roles[role{a.Account, name}] = id
	}
	d.identities[arn] = id
	return nil
}

// Exists reports whether a principal of a policy refers to something: everyone, an account, a
// service, a user or role of this account that was added, or a session of such a role. Principals of
// other accounts are taken on trust if they have the form of one.
func (d *Directory) Exists(principal string) bool {
	if principal == "*" || isAccount(principal) || IsService(principal) {
		return true
	}
	a, ok := ParseARN(principal)
	if !ok || a.Region != "" || !isAccount(a.Account) || strings.ContainsAny(a.Resource, "*?") {
		return false
	}
	switch {
	case a.Service == "iam" && a.Resource == "root":
		return true
	case a.Service == "iam" && !strings.HasPrefix(a.Resource, "user/") && !strings.HasPrefix(a.Resource, "role/"):
		return false
	case a.Service != "iam" && a.Service != "sts":
		return false
	case a.Account != d.account:
		return true
	}
	return d.lookup(principal) != nil
}

// lookup finds what is known of a user, of a role, or of the role behind a session.
func (d *Directory) lookup(principal string) *identities {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if id := d.identities[principal]; id != nil {
		return id
	}
	if a, ok := ParseARN(principal); ok {
		if name, ok := sessionRole(a); ok {
			return d.roles[role{a.Account, name}]
		}
	}
	return nil
}

// Identity says what the caller's own policies say of a request: Deny, Allow, or None. The root user
// may do everything; principals the directory does not know, and services acting for themselves, have
// no policies of their own.
func (d *Directory) Identity(r *Request) Effect {
	if r.Caller.Service != "" || r.Caller.Principal == "" {
		return None
	}
	if r.Caller.Principal == RootARN(r.Caller.Account) {
		return Allow
	}
	id := d.lookup(r.Caller.Principal)
	if id == nil {
		return None
	}
	effect := None
	for _, p := range id.policies {
		switch p.Evaluate(r) {
		case Deny:
			return Deny
		case Allow:
			effect = Allow
		}
	}
	return effect
}

// Principals returns the ARNs of all users and roles that exist, sorted.
func (d *Directory) Principals() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []string
	for arn := range d.identities {
		all = append(all, arn)
	}
	slices.Sort(all)
	return all
}

// isAccount reports whether s is an account id: twelve digits.
func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
