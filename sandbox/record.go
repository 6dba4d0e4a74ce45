package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
	"loadkms/sandbox/trail"
)

// Calls get into the trail at the two places that see them: the front door, for what clients send,
// and the adapters between the services (keys.go, stack.go), for what the services do to each other.

// principalID is the unique id of a user or role.
func principalID(arn string) string { return trail.PrincipalID(arn) }

// observe records a call to KMS that did not come through the door.
func (s *Sandbox) observe(operation string, c iam.Caller, by string, in, out any, err error) {
	call := trail.Call{Source: "kms.amazonaws.com", Operation: operation, Caller: c, InvokedBy: by, Request: in, Response: out}
	if e, ok := errors.AsType[*kms.Error](err); ok {
		call.Code, call.Message, call.RequestID = e.Code, e.Message, e.RequestID
	}
	if err != nil {
		call.Response = nil
	}
	s.trail.Record(call)
}

// observeQLDB records a call to QLDB that a stack made.
func (s *Sandbox) observeQLDB(operation string, c iam.Caller, in, out any, err error) {
	call := trail.Call{Source: "qldb.amazonaws.com", Operation: operation, Caller: c, InvokedBy: formation, Request: in, Response: out}
	if err != nil {
		call.Response, call.Code, call.Message = nil, "InternalFailure", err.Error()
	}
	if e, ok := errors.AsType[*ledger.Error](err); ok {
		call.Code, call.Message = e.Code, e.Message
	}
	s.trail.Record(call)
}

// maxRecorded bounds what is read of requests and responses for the trail: above KMS's and QLDB's own
// limits for what they answer at all, so that nothing that happened is missed.
const maxRecorded = 1 << 20

// A tape is a response writer that remembers what it writes.
type tape struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *tape) WriteHeader(status int) {
	t.status = status
	t.ResponseWriter.WriteHeader(status)
}

func (t *tape) Write(b []byte) (int, error) {
	if t.body.Len()+len(b) <= maxRecorded {
		t.body.Write(b)
	}
	return t.ResponseWriter.Write(b)
}

// recorded serves a request with h and records it. request returns what the event shows of it, given
// its body, and whether there is an event at all.
func (d *door) recorded(w http.ResponseWriter, r *http.Request, credential iam.Credential, source, operation string,
	h http.Handler, request func(body json.RawMessage) (any, bool)) {
	read, err := io.ReadAll(io.LimitReader(r.Body, maxRecorded))
	r.Body = &replay{Reader: io.MultiReader(bytes.NewReader(read), failing{err}, r.Body), Closer: r.Body}
	t := &tape{ResponseWriter: w, status: http.StatusOK}
	caller := d.caller(r, credential) // before the call, which may change who it is
	h.ServeHTTP(t, r)
	in, ok := request(read)
	if !ok || err != nil {
		return
	}
	c := d.call(r, credential, source, operation)
	c.Caller, c.Request, c.Response = caller, in, json.RawMessage(t.body.Bytes())
	c.RequestID = t.Header().Get("x-amzn-RequestId")
	if c.Source == "kms.amazonaws.com" && c.RequestID != "" {
		c.EventID = kms.EventID(c.RequestID) // as GetKeyLastUsage has it
	}
	if t.status >= 300 {
		var e struct{ Message, Type string }
		var body map[string]any
		if json.Unmarshal(t.body.Bytes(), &body) == nil {
			e.Type, _ = body["__type"].(string)
			for _, name := range []string{"message", "Message"} {
				if text, ok := body[name].(string); ok {
					e.Message = text
				}
			}
		}
		if c.Code = t.Header().Get("x-amzn-ErrorType"); c.Code == "" {
			c.Code = e.Type
		}
		c.Message, c.Response = e.Message, nil
		if c.Code == "UnknownOperationException" || c.Code == "" {
			return // not an operation of the service, which CloudTrail does not show
		}
	}
	d.trail.Record(c)
}

// A replay is a request's body that was read in advance.
type replay struct {
	io.Reader
	io.Closer
}

// failing is a reader at which the error of reading in advance comes up again.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// call begins the record of a request.
func (d *door) call(r *http.Request, credential iam.Credential, source, operation string) trail.Call {
	c := d.caller(r, credential)
	return trail.Call{Source: source, Operation: operation, Caller: c, AccessKey: credential.AccessKey, Address: c.Address, Agent: c.Agent}
}

// caller is who sends a request, and from where.
func (d *door) caller(r *http.Request, credential iam.Credential) iam.Caller {
	return d.directory.Caller(credential.AccessKey).From(r.RemoteAddr, r.UserAgent())
}

// asIs shows a request as it came.
func asIs(body json.RawMessage) (any, bool) { return body, true }

// startSession shows the one command of a session that is an event of its own; what goes on in a
// session is data, which CloudTrail's event history leaves out.
func startSession(body json.RawMessage) (any, bool) {
	var in struct{ StartSession *struct{ LedgerName string } }
	if json.Unmarshal(body, &in) != nil || in.StartSession == nil {
		return nil, false
	}
	return in.StartSession, true
}

// ledgerCall names the operation of QLDB's control plane that a request is for, "" for none, and
// returns the members that it has in its path.
func ledgerCall(r *http.Request) (operation string, members map[string]any) {
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	for i, p := range parts {
		if text, err := url.PathUnescape(p); err == nil {
			parts[i] = text
		}
	}
	members = map[string]any{}
	shape := r.Method + " " + parts[0]
	if parts[0] == "tags" {
		members["ResourceArn"] = strings.Join(parts[1:], "/")
		if keys := r.URL.Query()["tagKeys"]; len(keys) > 0 {
			members["TagKeys"] = keys
		}
		return ledgerOperations[shape], members
	}
	for i, p := range parts[1:] {
		switch {
		case i == 0 && parts[0] == "ledgers":
			members["Name"] = p
			shape += "/*"
		case i == 1:
			shape += "/" + p
		default:
			shape += "/*"
		}
	}
	return ledgerOperations[shape], members
}

var ledgerOperations = map[string]string{
	"POST ledgers": "CreateLedger", "GET ledgers": "ListLedgers", "GET ledgers/*": "DescribeLedger", "PATCH ledgers/*": "UpdateLedger",
	"DELETE ledgers/*": "DeleteLedger", "PATCH ledgers/*/permissions-mode": "UpdateLedgerPermissionsMode",
	"POST ledgers/*/digest": "GetDigest", "POST ledgers/*/block": "GetBlock", "POST ledgers/*/revision": "GetRevision",
	"POST ledgers/*/journal-s3-exports": "ExportJournalToS3", "GET ledgers/*/journal-s3-exports": "ListJournalS3ExportsForLedger",
	"GET ledgers/*/journal-s3-exports/*": "DescribeJournalS3Export", "GET journal-s3-exports": "ListJournalS3Exports",
	"POST ledgers/*/journal-kinesis-streams":     "StreamJournalToKinesis",
	"GET ledgers/*/journal-kinesis-streams":      "ListJournalKinesisStreamsForLedger",
	"GET ledgers/*/journal-kinesis-streams/*":    "DescribeJournalKinesisStream",
	"DELETE ledgers/*/journal-kinesis-streams/*": "CancelJournalKinesisStream",
	"GET tags": "ListTagsForResource", "POST tags": "TagResource", "DELETE tags": "UntagResource",
}
