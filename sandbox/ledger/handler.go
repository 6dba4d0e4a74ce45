package ledger

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// maxRequest bounds the body of a request to the control plane; 200 tags are 80 KiB.
const maxRequest = 1 << 20

// Serves reports whether a request is for the control plane of QLDB, by its path.
func Serves(r *http.Request) bool {
	path := r.URL.EscapedPath()
	return path == "/ledgers" || strings.HasPrefix(path, "/ledgers/") ||
		path == "/journal-s3-exports" ||
		strings.HasPrefix(strings.ToLower(path), "/tags/arn%3aaws%3aqldb") ||
		strings.HasPrefix(path, "/tags/arn:aws:qldb")
}

// ServeHTTP answers the control plane's protocol, restJson1.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := s.serve(w, r)
	if failure := s.Sync(); failure != nil {
		err = failure
	}
	if err != nil {
		writeError(w, err)
		return
	}
	body := []byte{}
	if out != nil {
		if body, err = json.Marshal(out); err != nil {
			writeError(w, err)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("x-amzn-RequestId", uuid.NewString())
	w.Write(body) // a client that has gone needs no answer
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i, p := range parts {
		var err error
		if parts[i], err = url.PathUnescape(p); err != nil {
			return nil, invalidParameter("Name", "The path is not valid")
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return nil, &Error{Status: 413, Code: "RequestEntityTooLargeException", Message: "Request body is too large"}
	}
	c, ctx := s.o.Caller(r), r.Context()
	if err := s.mayControl(c, r.Method, parts, body); err != nil {
		return nil, err
	}
	switch {
	case parts[0] == "tags" && len(parts) > 1:
		// The slash of the ARN comes escaped or not.
		return s.serveTags(r, c, strings.Join(parts[1:], "/"), body)
	case parts[0] == "journal-s3-exports", len(parts) > 2 && slices.Contains(journalPaths, parts[2]):
		return nil, journalUnsupported()
	case parts[0] != "ledgers":
	case len(parts) == 1 && r.Method == http.MethodPost:
		var in CreateLedgerRequest
		if err := decode(body, &in); err != nil {
			return nil, err
		}
		return some(s.CreateLedger(ctx, c, &in))
	case len(parts) == 1 && r.Method == http.MethodGet:
		return s.listPage(r, c)
	case len(parts) == 2:
		return s.serveLedger(r, c, parts[1], body)
	case len(parts) == 3 && r.Method == http.MethodPost:
		return s.serveProof(r, c, parts[1], parts[2], body)
	case len(parts) == 3 && parts[2] == "permissions-mode" && r.Method == http.MethodPatch:
		var in struct{ PermissionsMode string }
		if err := decode(body, &in); err != nil {
			return nil, err
		}
		return some(s.UpdateLedgerPermissionsMode(ctx, c, parts[1], in.PermissionsMode))
	}
	return nil, unknownOperation()
}

// mayControl reports why a caller's policies do not let him make a request, or nil. A request that is for
// nothing that exists is for nobody to forbid.
func (s *Service) mayControl(c iam.Caller, method string, parts []string, body []byte) error {
	shape := method
	switch {
	case parts[0] == "tags":
		shape += " tags"
	case len(parts) == 3:
		shape += " " + parts[2]
	case len(parts) == 2:
		shape += " one"
	}
	operation := map[string]string{"POST": "CreateLedger", "GET": "ListLedgers", "GET one": "DescribeLedger",
		"PATCH one": "UpdateLedger", "DELETE one": "DeleteLedger", "PATCH permissions-mode": "UpdateLedgerPermissionsMode",
		"POST digest": "GetDigest", "POST block": "GetBlock", "POST revision": "GetRevision",
		"GET tags": "ListTagsForResource", "POST tags": "TagResource", "DELETE tags": "UntagResource"}[shape]
	resource := "arn:aws:qldb:" + s.o.Region + ":" + s.o.Account + ":ledger/"
	switch {
	case operation == "":
		return nil
	case operation == "ListLedgers":
		resource = "*"
	case operation == "CreateLedger":
		var in struct{ Name string }
		if err := decode(body, &in); err != nil {
			return err
		}
		resource += in.Name
	case parts[0] == "tags":
		resource = strings.Join(parts[1:], "/")
	default:
		resource += parts[1]
	}
	err := s.authorize(c, "qldb:"+operation, resource)
	if e, ok := errors.AsType[*Error](err); ok {
		e.Status = http.StatusForbidden
	}
	return err
}

// journalPaths are those of journal exports and streams.
var journalPaths = []string{"journal-s3-exports", "journal-kinesis-streams"}

func journalUnsupported() error {
	return &Error{Status: 400, Code: "UnsupportedOperationException", Message: "The sandbox does not support journal " +
		"exports to S3 and journal streams to Kinesis; read the journal with GetBlock, or with the history function"}
}

// listPage answers ListLedgers. A token is the last name of the page before, in base 64.
func (s *Service) listPage(r *http.Request, c iam.Caller) (any, error) {
	q, size := r.URL.Query(), 100
	if text := q.Get("max_results"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			return nil, invalidParameter("MaxResults", "The maximum of results must be from 1 to 100")
		}
		size = n
	}
	out := struct {
		Ledgers   []LedgerSummary
		NextToken string `json:",omitempty"`
	}{Ledgers: s.ListLedgers(r.Context(), c)}
	if token := q.Get("next_token"); token != "" {
		last, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || !strings.HasPrefix(string(last), "after:") {
			return nil, invalidParameter("NextToken", "The token is not valid")
		}
		out.Ledgers = slices.DeleteFunc(out.Ledgers, func(l LedgerSummary) bool { return "after:"+l.Name <= string(last) })
	}
	if len(out.Ledgers) > size {
		out.Ledgers = out.Ledgers[:size]
		out.NextToken = base64.RawURLEncoding.EncodeToString([]byte("after:" + out.Ledgers[size-1].Name))
	}
	return out, nil
}

// serveProof answers what is about the journal.
func (s *Service) serveProof(r *http.Request, c iam.Caller, name, what string, body []byte) (any, error) {
	switch what {
	case "digest":
		return some(s.GetDigest(r.Context(), c, name))
	case "block":
		var in GetBlockRequest
		if err := decode(body, &in); err != nil {
			return nil, err
		}
		return some(s.GetBlock(r.Context(), c, name, &in))
	case "revision":
		var in GetRevisionRequest
		if err := decode(body, &in); err != nil {
			return nil, err
		}
		return some(s.GetRevision(r.Context(), c, name, &in))
	}
	return nil, unknownOperation()
}

func (s *Service) serveLedger(r *http.Request, c iam.Caller, name string, body []byte) (any, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	switch r.Method {
	case http.MethodGet:
		return some(s.DescribeLedger(r.Context(), c, name))
	case http.MethodPatch:
		var in UpdateLedgerRequest
		if err := decode(body, &in); err != nil {
			return nil, err
		}
		return some(s.UpdateLedger(r.Context(), c, name, &in))
	case http.MethodDelete:
		return nil, s.DeleteLedger(r.Context(), c, name)
	}
	return nil, unknownOperation()
}

func (s *Service) serveTags(r *http.Request, c iam.Caller, arn string, body []byte) (any, error) {
	switch r.Method {
	case http.MethodGet:
		tags, err := s.ListTagsForResource(r.Context(), c, arn)
		if err != nil {
			return nil, err
		}
		return struct{ Tags map[string]string }{tags}, nil
	case http.MethodPost:
		var in struct{ Tags map[string]string }
		if err := decode(body, &in); err != nil {
			return nil, err
		}
		return struct{}{}, s.TagResource(r.Context(), c, arn, in.Tags)
	case http.MethodDelete:
		return struct{}{}, s.UntagResource(r.Context(), c, arn, r.URL.Query()["tagKeys"])
	}
	return nil, unknownOperation()
}

// some keeps a nil pointer of one type from becoming a non-nil any.
func some[T any](out *T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return out, nil
}

func decode(body []byte, in any) error {
	if len(body) == 0 {
		return nil // all fields absent
	}
	if err := json.Unmarshal(body, in); err != nil {
		return &Error{Status: 400, Code: "SerializationException",
			Message: "The request body is not valid JSON for this operation"}
	}
	return nil
}

func unknownOperation() error {
	return &Error{Status: 404, Code: "UnknownOperationException",
		Message: "The requested operation does not exist"}
}

func writeError(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Status: 500, Code: "InternalFailure", Message: err.Error()}
	}
	body, _ := json.Marshal(struct { // strings cannot fail
		Message       string
		ResourceType  string `json:",omitempty"`
		ResourceName  string `json:",omitempty"`
		ParameterName string `json:",omitempty"`
	}{e.Message, e.ResourceType, e.ResourceName, e.ParameterName})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("x-amzn-ErrorType", e.Code)
	w.Header().Set("x-amzn-RequestId", uuid.NewString())
	w.WriteHeader(e.Status)
	w.Write(body) // a client that has gone needs no answer
}
