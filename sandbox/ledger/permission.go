package ledger

import (
	"time"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/partiql"
)

// The actions of a caller's policies.
const (
	actionSendCommand = "qldb:SendCommand"
	actionInsert      = "qldb:PartiQLInsert"
	actionSelect      = "qldb:PartiQLSelect"
)

// authorize reports why a caller's own policies do not let it do something to a resource, or nil.
func (s *Service) authorize(c iam.Caller, action, resource string) error {
	if s.allows(c, action, resource) {
		return nil
	}
	return &Error{Status: 400, Code: CodeAccessDenied, Message: "User: " + c.Principal +
		" is not authorized to perform: " + action + " on resource: " + resource}
}

func (s *Service) allows(c iam.Caller, action, resource string) bool {
	return s.o.Directory == nil ||
		s.o.Directory.Identity(&iam.Request{Caller: c, Action: action, Resource: resource,
			Environment: iam.Environment{Region: s.o.Region, Clock: s.o.Clock}}) == iam.Allow
}

// permitted reports why a caller may not run a statement that needs an action on a part of the
// ledger, such as "table/ID", or nil. In the permissions mode ALLOW_ALL everything is permitted.
func (l *ledger) permitted(c iam.Caller, action, part string) error {
	if l.allowsAll.Load() || l.service.allows(c, action, l.arn+"/"+part) {
		return nil
	}
	return badRequest("Access denied. Unable to run the statement due to insufficient permissions " +
		"or an improper variable reference")
}

// permissionCache is how long a permission is taken for granted, in sandbox time. A second: a session
// that reads ten thousand records in it need not have its policies evaluated as often, and AWS itself
// takes seconds to make a changed policy felt.
const permissionCache = time.Second

// A granted is a permission that a session had a moment ago.
type granted struct {
	table *table
	until time.Time
}

// permit is permitted for the API's statements, and remembers a yes.
func (s *Session) permit(p *granted, action string, t *table, now time.Time) error {
	if s.ledger.allowsAll.Load() || s.ledger.service.o.Directory == nil {
		return nil
	}
	if p.table == t && now.Before(p.until) {
		return nil
	}
	if err := s.ledger.permitted(s.caller, action, "table/"+t.id); err != nil {
		return err
	}
	p.table, p.until = t, now.Add(permissionCache)
	return nil
}

// permitted reports why the caller may not run a statement, or nil: he needs the permission for
// everything it does to every table, also for what a subquery only reads. A table that does not exist
// needs the permission for all tables: a caller without learns nothing of which there are.
func (x *transaction) permitted(c iam.Caller, s *partiql.Statement) error {
	for _, a := range s.Accesses() {
		part := "table/*"
		switch a.Action {
		case partiql.CreateTable, partiql.UndropTable:
		default:
			if a.Table == "information_schema.user_tables" {
				part = "information_schema/user_tables"
			} else if t := x.table(a.Table); t != nil {
				part = "table/" + t.id
			}
		}
		if err := x.ledger.permitted(c, "qldb:PartiQL"+a.Action.String(), part); err != nil {
			return err
		}
	}
	return nil
}
