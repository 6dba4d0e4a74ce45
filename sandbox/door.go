package sandbox

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
	"loadkms/sandbox/stack"
	"loadkms/sandbox/trail"
)

// A door is the one endpoint of all AWS services: it finds out which service a request is for, as the
// services differ in protocol, answers what no service does, and has the trail record what goes through.
type door struct {
	kms       *kms.Service
	ledgers   *ledger.Service
	directory *iam.Directory
	stacks    *stack.Service
	trail     *trail.Log
	tokens    *tokens
	started   time.Time // sandbox time

	environment iam.Environment
}

// maxQuery bounds the body of a request in the awsQuery protocol: a template of 51,200 bytes takes up
// to three times as many in a form.
const maxQuery = 256 << 10

// ServeHTTP routes a request by its target header, its path, its form, and, where none of them tells,
// by the service in its credential scope.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	credential, err := iam.ParseAuthorization(r.Header.Get("Authorization"))
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := kind == "application/x-www-form-urlencoded" && r.Method == http.MethodPost && target == ""
	expired := err == nil && d.tokens.expired(credential.AccessKey)
	operation := target[strings.LastIndexByte(target, '.')+1:]
	switch {
	case expired && !form:
		failJSON(w, http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired")
	case strings.HasPrefix(target, "TrentService."):
		if err != nil {
			d.kms.ServeHTTP(w, r) // it has its own words for a missing authorization
			return
		}
		d.recorded(w, r, credential, "kms.amazonaws.com", operation, d.kms, asIs)
	case trail.Serves(r):
		if refused(w, err) {
			return
		}
		d.recorded(w, r, credential, "cloudtrail.amazonaws.com", operation, d.lookup(credential), asIs)
	case strings.HasPrefix(target, "QLDBSession."):
		if refused(w, err) {
			return
		}
		d.recorded(w, r, credential, "qldb.amazonaws.com", operation, d.ledgers.SessionHandler(), startSession)
	case target != "":
		unknown(w, r, "The sandbox does not have the operation "+target)
	case ledger.Serves(r):
		if refused(w, err) {
			return
		}
		operation, members := ledgerCall(r)
		d.recorded(w, r, credential, "qldb.amazonaws.com", operation, d.ledgers, func(body json.RawMessage) (any, bool) {
			var in map[string]any
			if json.Unmarshal(body, &in) == nil {
				maps.Copy(members, in)
			}
			return members, operation != ""
		})
	case form:
		d.query(w, r, credential, err, expired)
	case err == nil && credential.Service == "kms":
		d.kms.ServeHTTP(w, r)
	case err == nil && credential.Service == "qldb":
		d.ledgers.ServeHTTP(w, r)
	default:
		unknown(w, r, "The sandbox has no service for "+r.Method+" "+r.URL.Path)
	}
}

const incomplete = "Authorization header requires 'Credential' parameter."

// refused answers a request without a usable Authorization header, in the JSON protocols' shape.
func refused(w http.ResponseWriter, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, iam.ErrNoAuthorization):
		failJSON(w, http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token")
	default:
		failJSON(w, http.StatusForbidden, "IncompleteSignatureException", incomplete)
	}
	return true
}

func unknown(w http.ResponseWriter, r *http.Request, message string) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxQuery)) // so that the connection can be used again
	failJSON(w, http.StatusBadRequest, "UnknownOperationException", message)
}

func failJSON(w http.ResponseWriter, status int, code, message string) {
	// Either case of the member is read by some SDK. Strings cannot fail.
	body, _ := json.Marshal(map[string]string{"__type": code, "message": message, "Message": message})
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("x-amzn-ErrorType", code)
	w.Header().Set("x-amzn-RequestId", requestID())
	w.WriteHeader(status)
	w.Write(body) // a client that has gone needs no answer
}

// lookup serves the trail to those who may look at it.
func (d *door) lookup(credential iam.Credential) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusal := &queryError{}
		if errors.As(d.may(d.caller(r, credential), "cloudtrail:LookupEvents", "*"), &refusal) {
			failJSON(w, http.StatusBadRequest, "AccessDeniedException", refusal.message)
			return
		}
		d.trail.ServeHTTP(w, r)
	})
}

// A speaker is a service that speaks awsQuery, which is a form in and XML out.
type speaker struct {
	source, namespace string
	actions           []string
	answer            func(d *door, c iam.Caller, credential iam.Credential, form url.Values, requestID string) (any, error)
}

// speakers are the services by the version in their requests.
var speakers = map[string]speaker{
	stack.Version: {"cloudformation.amazonaws.com", stack.Namespace, stack.Actions(),
		func(d *door, c iam.Caller, _ iam.Credential, form url.Values, requestID string) (any, error) {
			action := form.Get("Action")
			if !stack.Has(action) {
				return nil, errAction(form)
			}
			if err := d.may(c, "cloudformation:"+action, d.stacks.PolicyResource(form)); err != nil {
				return nil, err
			}
			return d.stacks.Query(c, form, requestID)
		}},
	stsVersion: {"sts.amazonaws.com", stsNamespace, slices.Sorted(maps.Keys(stsActions)),
		func(d *door, c iam.Caller, credential iam.Credential, form url.Values, requestID string) (any, error) {
			return answerWith(stsActions, stsNamespace, d, c, credential, form, requestID)
		}},
	iamVersion: {"iam.amazonaws.com", iamNamespace, slices.Sorted(maps.Keys(iamActions)),
		func(d *door, c iam.Caller, credential iam.Credential, form url.Values, requestID string) (any, error) {
			return answerWith(iamActions, iamNamespace, d, c, credential, form, requestID)
		}},
}

// An action is one of STS's or IAM's: it returns the content of the answer's Result.
type action func(d *door, c iam.Caller, credential iam.Credential, form url.Values) (any, error)

func answerWith(actions map[string]action, namespace string, d *door, c iam.Caller, credential iam.Credential,
	form url.Values, requestID string) (any, error) {
	name := form.Get("Action")
	act, ok := actions[name]
	if !ok {
		return nil, errAction(form)
	}
	result, err := act(d, c, credential, form)
	if err != nil {
		return nil, err
	}
	return reply{name, namespace, result, requestID}, nil
}

// A reply is the frame around an answer of STS or IAM.
type reply struct {
	action, namespace string
	result            any
	requestID         string
}

// MarshalXML writes ACTIONResponse with ACTIONResult and ResponseMetadata.
func (r reply) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	type metadata struct{ RequestId string }
	outer := xml.StartElement{Name: xml.Name{Local: r.action + "Response"},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: r.namespace}}}
	return errors.Join(e.EncodeToken(outer),
		e.EncodeElement(r.result, xml.StartElement{Name: xml.Name{Local: r.action + "Result"}}),
		e.EncodeElement(metadata{r.requestID}, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}),
		e.EncodeToken(outer.End()))
}

// A queryError is a refusal by STS or IAM.
type queryError struct {
	status        int
	code, message string
}

func (e *queryError) Error() string { return e.code + ": " + e.message }

func errAction(form url.Values) error {
	return &queryError{http.StatusBadRequest, "InvalidAction",
		"Could not find operation " + form.Get("Action") + " for version " + form.Get("Version")}
}

// query answers the awsQuery protocol.
func (d *door) query(w http.ResponseWriter, r *http.Request, credential iam.Credential, authorization error, expired bool) {
	id := requestID()
	fail := func(status int, space, code, message string) { failXML(w, status, id, space, code, message) }
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuery))
	if err != nil {
		fail(http.StatusRequestEntityTooLarge, "", "RequestEntityTooLarge", "Request body is too large")
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		fail(http.StatusBadRequest, "", "MalformedQueryString", "The request body is not a valid form")
		return
	}
	service, ok := speakers[form.Get("Version")]
	switch {
	case errors.Is(authorization, iam.ErrNoAuthorization):
		fail(http.StatusForbidden, service.namespace, "MissingAuthenticationToken",
			"Request is missing Authentication Token")
		return
	case authorization != nil:
		fail(http.StatusForbidden, service.namespace, "IncompleteSignature", incomplete)
		return
	case expired:
		fail(http.StatusForbidden, service.namespace, "ExpiredToken",
			"The security token included in the request is expired")
		return
	}
	call := d.call(r, credential, service.source, form.Get("Action"))
	call.RequestID = id
	var out any
	if err = errAction(form); ok {
		out, err = service.answer(d, call.Caller, credential, form, id)
	}
	refusal, foreign := &queryError{}, &stack.Error{}
	switch {
	case err == nil:
		writeXML(w, http.StatusOK, id, out)
	case errors.As(err, &foreign):
		refusal = &queryError{foreign.Status, foreign.Code, foreign.Message}
	case !errors.As(err, &refusal):
		refusal = &queryError{http.StatusInternalServerError, "InternalFailure", err.Error()}
	}
	if err != nil {
		fail(refusal.status, service.namespace, refusal.code, refusal.message)
	}
	if !ok || refusal.code == "InvalidAction" {
		return // CloudTrail shows no operations that there are not
	}
	in := map[string]any{}
	for name := range form {
		in[name] = form.Get(name)
	}
	if answer, ok := out.(reply); ok {
		call.Response = answer.result
	}
	call.Request, call.Code, call.Message = in, refusal.code, refusal.message
	d.trail.Record(call)
}

func failXML(w http.ResponseWriter, status int, id, space, code, message string) {
	type failure struct{ Type, Code, Message string }
	writeXML(w, status, id, struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Space     string   `xml:"xmlns,attr,omitempty"`
		Error     failure
		RequestId string
	}{Space: space, Error: failure{"Sender", code, message}, RequestId: id})
}

func writeXML(w http.ResponseWriter, status int, id string, v any) {
	body, err := xml.Marshal(v)
	if err != nil {
		panic(err) // the types above always have an XML form
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("x-amzn-RequestId", id)
	w.WriteHeader(status)
	w.Write(body) // a client that has gone needs no answer
}
