package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"loadkms/sandbox/iam"
)

// A session lives this long whatever it does, at random between the two, as QLDB's do.
const (
	minSession = 13 * time.Minute
	maxSession = 17 * time.Minute
)

// A Session is one caller's connection to a ledger. It is for one goroutine at a time, and needs no
// closing. The errors of its methods that clients may see are *Error.
type Session struct {
	ledger   *ledger
	caller   iam.Caller // as himself
	id       string
	expires  time.Time
	verified uint64 // the generation of the node key for which KMS has let the caller pass

	mayInsert, maySelect granted
}

// StartSession opens a session for c, if KMS lets the ledger and the caller use the ledger's key.
func (s *Service) StartSession(ctx context.Context, c iam.Caller, name string) (*Session, error) {
	l, err := s.find(name)
	if err != nil {
		return nil, badRequest("Ledger with name %s is not found", name) // the type is what AWS's driver tests expect
	}
	life := minSession + rand.N(maxSession-minSession)
	se := &Session{ledger: l, caller: c, id: randomID(), expires: s.o.Clock.Now().Add(life)}
	if state := l.state(); state != stateActive {
		return nil, badRequest("Ledger with name %s is not active: %s", name, state)
	}
	if err := s.authorize(c, actionSendCommand, l.arn); err != nil {
		return nil, err
	}
	open, err := l.keys.unlock(ctx)
	if err != nil {
		return nil, err
	}
	return se, se.verify(ctx, open)
}

// Insert stores a document, a JSON object, as it is, in a transaction of its own, as the statement
// INSERT INTO table ? does. It is found again by its field id if that is a number or a string.
func (s *Session) Insert(ctx context.Context, tableName string, doc []byte) error {
	if !json.Valid(doc) {
		doc = nil // nor is nothing a document
	}
	return s.InsertCompact(ctx, tableName, doc)
}

// InsertCompact is Insert for what [json.Compact] has written: it does not look again whether that is
// JSON, which would take as long as half of the rest.
func (s *Session) InsertCompact(ctx context.Context, tableName string, doc []byte) error {
	open, now, err := s.begin(ctx)
	if err != nil {
		return err
	}
	t, err := s.table(tableName)
	if err != nil {
		return err
	}
	if err := s.permit(&s.mayInsert, actionInsert, t, now); err != nil {
		return err
	}
	if err := checkDocument(doc); err != nil {
		return err
	}
	return s.ledger.insert(ctx, open, t, doc, now)
}

// Find appends the document with this id to dst as JSON, the first inserted if there are several, and
// reports whether there is one, as the statement SELECT * FROM table WHERE id = ? does.
func (s *Session) Find(ctx context.Context, tableName string, id ID, dst []byte) ([]byte, bool, error) {
	open, now, err := s.begin(ctx)
	if err != nil {
		return dst, false, err
	}
	t, err := s.table(tableName)
	if err != nil {
		return dst, false, err
	}
	if err := s.permit(&s.maySelect, actionSelect, t, now); err != nil {
		return dst, false, err
	}
	return s.ledger.find(ctx, open, t, id, dst)
}

// begin is what every command does first: the session must live, the ledger must have its keys, and
// KMS must have let the caller pass since the node key was last sealed under another key. It returns
// the time at which it looked.
func (s *Session) begin(ctx context.Context) (*openKeys, time.Time, error) {
	now := s.ledger.service.o.Clock.Now() // once: it is a tenth of a look-up
	if !now.Before(s.expires) {
		return nil, now, &Error{Status: 400, Code: CodeInvalidSession, Message: "Session " + s.id + " has expired"}
	}
	if s.ledger.ended.Err() != nil {
		return nil, now, &Error{Status: 400, Code: CodeInvalidSession, Message: "No such session"}
	}
	open, err := s.ledger.keys.unlockAt(ctx, now)
	if err != nil {
		return nil, now, err
	}
	if s.verified != open.generation+1 {
		if err := s.verify(ctx, open); err != nil {
			return nil, now, err
		}
	}
	return open, now, nil
}

// verify asks KMS, as the caller, to decrypt the node key, without naming the key.
//
// A refusal that is about the key's state rather than the caller's permission (the key is disabled,
// and other sessions go on with what the ledger has in its cache) is told as what it is for the whole
// ledger: the caller's permissions are not what is wrong.
func (s *Session) verify(ctx context.Context, open *openKeys) error {
	plain, err := s.ledger.service.o.Keys.Decrypt(ctx, s.ledger.service.via(s.caller, s.ledger.arn), open.root, open.context)
	switch refusal := refused(err); {
	case refusal != nil && refusal.Code == "AccessDeniedException":
		return forbidden(refusal)
	case refusal != nil:
		return inaccessible()
	case err != nil:
		return fmt.Errorf("check the caller: %w", err)
	}
	clear(plain)
	s.verified = open.generation + 1
	return nil
}

func (s *Session) table(name string) (*table, error) {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	t := s.ledger.tables[name]
	if t == nil {
		return nil, badRequest("No such variable named '%s'", name)
	}
	return t, nil
}
