package ledger

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
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
		strings.HasPrefix(strings.ToLower(path), "/tags/arn%3aaws%3aqldb") ||
		strings.HasPrefix(path, "/tags/arn:aws:qldb")
}

// ServeHTTP answers the control plane's protocol, restJson1.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := s.serve(w, r)
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
	switch {
	case parts[0] == "tags" && len(parts) > 1:
		// The slash of the ARN comes escaped or not.
		return s.serveTags(r, c, strings.Join(parts[1:], "/"), body)
	case parts[0] != "ledgers":
	case len(parts) == 1 && r.Method == http.MethodPost:
		var in CreateLedgerRequest
		if err := decode(body, &in); err != nil {
			return nil, err
		}
		return some(s.CreateLedger(ctx, c, &in))
	case len(parts) == 1 && r.Method == http.MethodGet:
		return struct{ Ledgers []LedgerSummary }{s.ListLedgers(ctx, c)}, nil
	case len(parts) == 2:
		return s.serveLedger(r, c, parts[1], body)
	case len(parts) == 3 && parts[2] == "permissions-mode" && r.Method == http.MethodPatch:
		var in struct{ PermissionsMode string }
		if err := decode(body, &in); err != nil {
			return nil, err
		}
		return some(s.UpdateLedgerPermissionsMode(ctx, c, parts[1], in.PermissionsMode))
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
