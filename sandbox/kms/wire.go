package kms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// A Timestamp is a time as KMS writes it: a JSON number of seconds since 1970 with milliseconds.
type Timestamp struct{ time.Time }

// MarshalJSON writes the number.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil || seconds < -1e11 || seconds > 1e11 {
		return fmt.Errorf("%q is no time in seconds since 1970", b)
	}
	t.Time = time.UnixMilli(int64(seconds * 1000)).UTC()
	return nil
}

// maxBody is the largest request ServeHTTP reads; the largest legal one, CreateKey with a policy of
// 128 KiB, is well below it.
const maxBody = 1 << 20

const (
	targetPrefix = "TrentService."
	contentType  = "application/x-amz-json-1.1"
)

// ServeHTTP speaks KMS's wire protocol, awsJson1_1: POST with X-Amz-Target: TrentService.Operation.
// The caller is whoever the directory says has the access key of the Authorization header; the
// signature is not verified.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	w.Header().Set("x-amzn-RequestId", id)
	w.Header().Set("Content-Type", contentType)
	out, err := s.serve(w, r, id)
	if err != nil {
		writeError(w, err)
		return
	}
	if out == nil {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return
	}
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		writeError(w, refuse("KMSInternalException", "encode the response: %v", err))
		return
	}
	b := bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b) // an error here means that the client has gone
}

// serve reads one request and runs it. A nil response without an error means an empty body.
func (s *Service) serve(w http.ResponseWriter, r *http.Request, id string) (any, *Error) {
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	if !ok || r.Method != http.MethodPost {
		return nil, refuse("UnknownOperationException", "")
	}
	h, ok := operations[operation]
	if !ok {
		return nil, refuse("UnknownOperationException", "")
	}
	credential, err := iam.ParseAuthorization(r.Header.Get("Authorization"))
	switch {
	case errors.Is(err, iam.ErrNoAuthorization):
		return nil, &Error{Status: http.StatusForbidden, Code: "MissingAuthenticationTokenException",
			Message: "Missing Authentication Token"}
	case err != nil:
		return nil, &Error{Status: http.StatusForbidden, Code: "IncompleteSignatureException",
			Message: "Authorization header requires 'Credential' parameter."}
	}
	// The length is the client's claim; only the reader can be trusted with the limit.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &Error{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLargeException",
			Message: fmt.Sprintf("The request is larger than %d bytes.", maxBody)}
	}
	if err != nil {
		return nil, refuse("SerializationException", "")
	}
	return h.serve(s, s.directory.Caller(credential.AccessKey).From(r.RemoteAddr, r.UserAgent()), id, body)
}

// writeError sends the error's code both as header and in the body, as AWS does. KMS writes
// "message"; the front door that refuses for want of permission writes "Message".
func writeError(w http.ResponseWriter, e *Error) {
	body := map[string]string{"__type": e.Code}
	switch {
	case e.Message == "":
	case e.Code == "AccessDeniedException":
		body["Message"] = e.Message
	default:
		body["message"] = e.Message
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // a map of strings always has a JSON form
	}
	w.Header().Set("X-Amzn-ErrorType", e.Code)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(e.Status)
	w.Write(b)
}

// decode reads a request's JSON into its struct. Members it does not know are ignored, as KMS does;
// an empty body is an empty request.
func decode(body []byte, in any) *Error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil
	}
	if body[0] != '{' {
		return refuse("SerializationException", "Start of structure or map found where not expected.")
	}
	if err := json.Unmarshal(body, in); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return refuse("SerializationException", "%s can not be converted to the type of %s",
				strings.ToUpper(wrong.Value)+"_VALUE", wrong.Field)
		}
		return refuse("SerializationException", "")
	}
	return nil
}

// members returns a look-up of the members that a request's body has, for error messages that tell an
// empty member from an absent one.
func members(body []byte) func(string) bool {
	return func(member string) bool {
		var all map[string]json.RawMessage
		if json.Unmarshal(body, &all) != nil {
			return false
		}
		v, ok := all[member]
		return ok && string(v) != "null"
	}
}
