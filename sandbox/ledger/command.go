package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/ion"
	"loadkms/sandbox/partiql"
)

// The limits of the session protocol.
const (
	// DefaultSessions is how many sessions a ledger has at most.
	DefaultSessions = 1500
	// maxCommand bounds the body of a command: a statement and parameters of a whole transaction, in
	// base 64.
	maxCommand = 8 << 20
	// maxIonBinary is the limit of a parameter in Ion's binary format, maxIonText of one in text.
	maxIonBinary = 128 << 10
	maxIonText   = 1 << 20
	// A page has at most so many values, and ends after so many bytes. The numbers are guesses: AWS
	// documents none.
	pageValues = 200
	pageBytes  = 1 << 20
)

// A Command is one request of the session protocol. It has one of its members, and all but
// StartSession come with the token of a session.
type Command struct {
	SessionToken      string             `json:",omitempty"`
	StartSession      *StartSession      `json:",omitempty"`
	StartTransaction  *struct{}          `json:",omitempty"`
	EndSession        *struct{}          `json:",omitempty"`
	CommitTransaction *CommitTransaction `json:",omitempty"`
	AbortTransaction  *struct{}          `json:",omitempty"`
	ExecuteStatement  *ExecuteStatement  `json:",omitempty"`
	FetchPage         *FetchPage         `json:",omitempty"`
}

// A StartSession opens a session.
type StartSession struct{ LedgerName string }

// A CommitTransaction commits the session's transaction, if its digest is what the client makes it.
type CommitTransaction struct {
	TransactionId string
	CommitDigest  []byte
}

// An ExecuteStatement runs a PartiQL statement in the session's transaction.
type ExecuteStatement struct {
	TransactionId string
	Statement     string
	Parameters    []ValueHolder
}

// A FetchPage asks for more of a statement's result.
type FetchPage struct{ TransactionId, NextPageToken string }

// A ValueHolder is an Ion value in one of its two formats.
type ValueHolder struct {
	IonBinary []byte `json:",omitempty"`
	IonText   string `json:",omitempty"`
}

// A Reply answers a command: it has the member of the same name.
type Reply struct {
	StartSession      *StartSessionResult      `json:",omitempty"`
	StartTransaction  *StartTransactionResult  `json:",omitempty"`
	EndSession        *TimedResult             `json:",omitempty"`
	CommitTransaction *CommitTransactionResult `json:",omitempty"`
	AbortTransaction  *TimedResult             `json:",omitempty"`
	ExecuteStatement  *ExecuteStatementResult  `json:",omitempty"`
	FetchPage         *FetchPageResult         `json:",omitempty"`
}

// A TimedResult says nothing but how long a command took.
type TimedResult struct{ TimingInformation Timing }

// A Timing is how long a command took, in real time.
type Timing struct{ ProcessingTimeMilliseconds int64 }

// IOs are how many documents a statement has read and written.
type IOs struct{ ReadIOs, WriteIOs int64 }

// A StartSessionResult has the token that all further commands of the session carry.
type StartSessionResult struct {
	SessionToken string
	TimedResult
}

// A StartTransactionResult names the transaction.
type StartTransactionResult struct {
	TransactionId string
	TimedResult
}

// A CommitTransactionResult has the digest of what was committed.
type CommitTransactionResult struct {
	TransactionId string
	CommitDigest  []byte
	ConsumedIOs   IOs
	TimedResult
}

// A Page is a part of a result. Without a token it is the last one.
type Page struct {
	Values        []ValueHolder
	NextPageToken string `json:",omitempty"`
}

// An ExecuteStatementResult has the first page of a statement's result.
type ExecuteStatementResult struct {
	FirstPage   Page
	ConsumedIOs IOs
	TimedResult
}

// A FetchPageResult has a further page.
type FetchPageResult struct {
	Page        Page
	ConsumedIOs IOs
	TimedResult
}

// A connection is a session as the protocol has it, with a token and at most one transaction.
type connection struct {
	token   string
	session *Session

	mu          sync.Mutex // held for a whole command: a session's commands come one after another
	transaction *transaction
}

// SessionHandler serves the session protocol, awsJson1_0 with the target QLDBSession.SendCommand, at
// POST /. The Authorization header must have been checked.
func (s *Service) SessionHandler() http.Handler { return http.HandlerFunc(s.serveSession) }

func (s *Service) serveSession(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.Header.Get("X-Amz-Target") != "QLDBSession.SendCommand" {
		writeSessionError(w, unknownCommand())
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCommand))
	if err != nil {
		writeSessionError(w, &Error{Status: 413, Code: "RequestEntityTooLargeException",
			Message: "Request body is too large"})
		return
	}
	var in Command
	if err := json.Unmarshal(body, &in); err != nil {
		writeSessionError(w, &Error{Status: 400, Code: "SerializationException",
			Message: "The request body is not valid JSON for this operation"})
		return
	}
	out, err := s.SendCommand(r.Context(), s.o.Caller(r), &in)
	if err != nil {
		writeSessionError(w, err)
		return
	}
	if body, err = json.Marshal(out); err != nil {
		writeSessionError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("x-amzn-RequestId", randomID())
	w.Write(body) // a client that has gone needs no answer
}

func unknownCommand() *Error {
	return &Error{Status: 400, Code: "UnknownOperationException", Message: "The requested operation does not exist"}
}

// writeSessionError writes an error so that every SDK finds its name: of the header, __type and Code
// some take the first, some the second and some the last.
func writeSessionError(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Status: 500, Code: "InternalFailure", Message: err.Error()}
	}
	body := struct {
		Type    string `json:"__type"`
		Message string
		Code    string
	}{e.Code, e.Message, e.Code}
	if e.Reason != "" {
		body.Code = e.Reason
	}
	b, _ := json.Marshal(body) // strings cannot fail
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("x-amzn-ErrorType", e.Code)
	w.Header().Set("x-amzn-RequestId", uuid.NewString())
	w.WriteHeader(e.Status)
	w.Write(b) // a client that has gone needs no answer
}

// SendCommand carries out one command as the caller. It may ask KMS. The errors that clients may see
// are *Error; after any other the session is gone.
func (s *Service) SendCommand(ctx context.Context, c iam.Caller, in *Command) (*Reply, error) {
	name, err := in.name()
	if err != nil {
		return nil, err
	}
	if s.o.PreCommand != nil {
		if err := s.o.PreCommand(name, c); err != nil {
			return nil, err
		}
	}
	if !s.rate.admit(c.Principal, s.o.Clock.Now()) {
		return nil, RateExceeded()
	}
	began := time.Now()
	timed := func() TimedResult { return TimedResult{Timing{time.Since(began).Milliseconds()}} }
	if in.StartSession != nil {
		token, err := s.connect(ctx, c, in.StartSession.LedgerName)
		if err != nil {
			return nil, err
		}
		return &Reply{StartSession: &StartSessionResult{token, timed()}}, nil
	}
	conn := s.connection(in.SessionToken)
	if conn == nil || conn.session.caller.Principal != c.Principal {
		return nil, noSession() // a token is no way to somebody else's rights
	}
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if s.connection(in.SessionToken) == nil {
		return nil, noSession() // it ended while we waited
	}
	out, err := conn.run(ctx, c, in, timed)
	var e *Error
	if err != nil && (!errors.As(err, &e) || e.Code == CodeInvalidSession) || in.EndSession != nil {
		s.disconnect(conn)
	}
	return out, err
}

// name returns the name of the one member of a command.
func (in *Command) name() (name string, err error) {
	for member, there := range map[string]bool{"StartSession": in.StartSession != nil,
		"StartTransaction": in.StartTransaction != nil, "EndSession": in.EndSession != nil,
		"CommitTransaction": in.CommitTransaction != nil, "AbortTransaction": in.AbortTransaction != nil,
		"ExecuteStatement": in.ExecuteStatement != nil, "FetchPage": in.FetchPage != nil} {
		if there && name != "" {
			return "", badRequest("A request must have exactly one command")
		}
		if there {
			name = member
		}
	}
	switch {
	case name == "":
		return "", badRequest("A request must have exactly one command")
	case name == "StartSession" && in.SessionToken != "":
		return "", badRequest("StartSession must come without a session token")
	}
	return name, nil
}

// connect opens a session and returns its token.
func (s *Service) connect(ctx context.Context, c iam.Caller, ledger string) (string, error) {
	session, err := s.StartSession(ctx, c, ledger)
	if err != nil {
		return "", err
	}
	var secret [36]byte
	rand.Read(secret[:]) // never fails
	conn := &connection{token: base64.StdEncoding.EncodeToString(secret[:]), session: session}
	s.connecting.Lock()
	defer s.connecting.Unlock()
	l, now := session.ledger, s.o.Clock.Now()
	if s.count[l] >= s.o.Sessions {
		for _, old := range s.connections {
			if !now.Before(old.session.expires) || old.session.ledger.ended.Err() != nil {
				s.forget(old)
			}
		}
	}
	if s.count[l] >= s.o.Sessions {
		return "", limitExceeded("Exceeded the session limit")
	}
	s.connections[conn.token] = conn
	s.count[l]++
	return conn.token, nil
}

func (s *Service) connection(token string) *connection {
	s.connecting.Lock()
	defer s.connecting.Unlock()
	return s.connections[token]
}

func (s *Service) disconnect(conn *connection) {
	s.connecting.Lock()
	defer s.connecting.Unlock()
	s.forget(conn)
}

// forget ends a session. The caller holds connecting.
func (s *Service) forget(conn *connection) {
	if s.connections[conn.token] == nil {
		return
	}
	delete(s.connections, conn.token)
	if s.count[conn.session.ledger]--; s.count[conn.session.ledger] == 0 {
		delete(s.count, conn.session.ledger)
	}
}

// run carries out a command of a session. The caller holds mu.
func (conn *connection) run(ctx context.Context, c iam.Caller, in *Command, timed func() TimedResult) (*Reply, error) {
	l := conn.session.ledger
	if in.EndSession != nil {
		t := timed()
		return &Reply{EndSession: &t}, nil
	}
	if in.AbortTransaction != nil {
		conn.transaction = nil
		t := timed()
		return &Reply{AbortTransaction: &t}, nil
	}
	if err := l.service.authorize(c, actionSendCommand, l.arn); err != nil {
		return nil, err
	}
	open, now, err := conn.session.begin(ctx)
	if err != nil {
		return nil, err
	}
	if x := conn.transaction; x != nil && x.expired(now) {
		return nil, &Error{Status: 400, Code: CodeInvalidSession, Message: "Transaction " + x.id + " has expired"}
	}
	switch {
	case in.StartTransaction != nil:
		if conn.transaction != nil {
			return nil, badRequest("Transaction %s is already open", conn.transaction.id)
		}
		conn.transaction = l.newTransaction()
		return &Reply{StartTransaction: &StartTransactionResult{conn.transaction.id, timed()}}, nil
	case in.ExecuteStatement != nil:
		x, err := conn.current(in.ExecuteStatement.TransactionId)
		if err != nil {
			return nil, err
		}
		page, err := x.execute(ctx, open, conn.session.caller, in.ExecuteStatement)
		if err != nil {
			conn.transaction = nil // a statement that fails ends its transaction
			return nil, err
		}
		return &Reply{ExecuteStatement: &ExecuteStatementResult{page, IOs{x.reads, x.wrote}, timed()}}, nil
	case in.FetchPage != nil:
		x, err := conn.current(in.FetchPage.TransactionId)
		if err != nil {
			return nil, err
		}
		rows, ok := x.pages[in.FetchPage.NextPageToken]
		if !ok {
			return nil, badRequest("The page token is not valid")
		}
		delete(x.pages, in.FetchPage.NextPageToken)
		return &Reply{FetchPage: &FetchPageResult{x.page(rows), IOs{}, timed()}}, nil
	default:
		x, err := conn.current(in.CommitTransaction.TransactionId)
		if err != nil {
			return nil, err
		}
		conn.transaction = nil // whatever becomes of it
		if !bytes.Equal(in.CommitTransaction.CommitDigest, x.digest) {
			return nil, badRequest("The commit digest does not match that of transaction %s", x.id)
		}
		if err := x.commit(ctx, open); err != nil {
			return nil, err
		}
		return &Reply{CommitTransaction: &CommitTransactionResult{x.id, x.digest, IOs{}, timed()}}, nil
	}
}

// current returns the open transaction, which must have this id.
func (conn *connection) current(id string) (*transaction, error) {
	if conn.transaction == nil || conn.transaction.id != id {
		return nil, badRequest("No open transaction with id %s", id)
	}
	return conn.transaction, nil
}

// execute runs a statement and returns the first page of its result.
func (x *transaction) execute(ctx context.Context, open *openKeys, c iam.Caller, in *ExecuteStatement) (Page, error) {
	parameters := make([]ion.Value, len(in.Parameters))
	for i, p := range in.Parameters {
		var err error
		if parameters[i], err = p.value(); err != nil {
			return Page{}, badRequest("Parameter %d is not a valid Ion value: %v", i+1, err)
		}
	}
	rows, err := x.run(ctx, open, c, in.Statement, parameters)
	if err != nil {
		return Page{}, err
	}
	return x.page(rows), nil
}

// run runs a statement, if the caller may, and returns its rows.
func (x *transaction) run(ctx context.Context, open *openKeys, c iam.Caller, text string, parameters []ion.Value,
) ([]ion.Value, error) {
	s, err := partiql.Parse(text)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	if err := x.permitted(c, s); err != nil {
		return nil, err
	}
	x.begin(text, parameters)
	rows, err := partiql.Execute(s, parameters, database{x, ctx, open})
	if e, ok := errors.AsType[*partiql.SemanticError](err); ok {
		return nil, badRequest("%v", e)
	}
	return rows, err
}

// value decodes a parameter. An empty one is refused.
func (h *ValueHolder) value() (ion.Value, error) {
	switch {
	case len(h.IonBinary) > maxIonBinary, len(h.IonText) > maxIonText:
		return ion.Value{}, errors.New("it is too large")
	case len(h.IonBinary) > 0 && h.IonText == "":
		return ion.Decode(h.IonBinary)
	case len(h.IonBinary) == 0 && h.IonText != "":
		return ion.Decode([]byte(h.IonText))
	}
	return ion.Value{}, errors.New("it must have either IonBinary or IonText")
}

// page makes a page of the first rows, and keeps the others for later.
func (x *transaction) page(rows []ion.Value) Page {
	p := Page{Values: []ValueHolder{}}
	size := 0
	for i, v := range rows {
		if i == pageValues || size > pageBytes {
			var token [24]byte
			rand.Read(token[:]) // never fails
			p.NextPageToken = base64.StdEncoding.EncodeToString(token[:])
			x.pages[p.NextPageToken] = rows[i:]
			break
		}
		b := v.Binary()
		size += len(b)
		p.Values = append(p.Values, ValueHolder{IonBinary: b})
	}
	return p
}

func noSession() *Error {
	return &Error{Status: 400, Code: CodeInvalidSession, Message: "No such session"}
}

// RateExceeded returns the error of a caller who sends too many requests.
func RateExceeded() *Error {
	return &Error{Status: 400, Code: "RateExceededException", Message: "The rate of requests exceeds the allowed throughput"}
}

// CapacityExceeded returns the error of a ledger that has too much to do.
func CapacityExceeded() *Error {
	return &Error{Status: 503, Code: "CapacityExceededException", Message: "Capacity exceeded"}
}

// A rate limits the requests of each caller by a token bucket of one second's tokens.
type rate struct {
	perSecond float64 // 0 means no limit

	mu      sync.Mutex // guards the field below, for nanoseconds
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// admit reports whether a caller may send one more request.
func (r *rate) admit(principal string, now time.Time) bool {
	if r.perSecond <= 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buckets == nil {
		r.buckets = map[string]*bucket{}
	}
	b := r.buckets[principal]
	if b == nil {
		b = &bucket{tokens: max(r.perSecond, 1), at: now}
		r.buckets[principal] = b
	}
	b.tokens = min(max(r.perSecond, 1), b.tokens+now.Sub(b.at).Seconds()*r.perSecond)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
