package sandbox

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
)

// A door is the one endpoint of all AWS services: it finds out which service a request is for, as the
// services differ in protocol, and answers what no service does.
type door struct {
	kms       *kms.Service
	ledgers   *ledger.Service
	directory *iam.Directory
	stack     *stack
	region    string
}

// maxQuery bounds the body of a request in the awsQuery protocol; the ones we answer are under 1 KiB.
const maxQuery = 64 << 10

// ServeHTTP routes a request by its target header, its path, its form, and, where none of them tells,
// by the service in its credential scope.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	credential, err := iam.ParseAuthorization(r.Header.Get("Authorization"))
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := kind == "application/x-www-form-urlencoded"
	switch {
	case strings.HasPrefix(target, "TrentService."):
		d.kms.ServeHTTP(w, r) // checks the authorization itself
	case target != "":
		unknown(w, r, "The sandbox does not have the operation "+target)
	case ledger.Serves(r):
		if refused(w, err) {
			return
		}
		d.ledgers.ServeHTTP(w, r)
	case form && r.Method == http.MethodPost:
		d.query(w, r, credential, err)
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

// The services that speak awsQuery, by the version in their requests.
const (
	cloudFormation = "2010-05-15"
	sts            = "2011-06-15"
)

// query answers the awsQuery protocol: a form in, XML out.
func (d *door) query(w http.ResponseWriter, r *http.Request, credential iam.Credential, authorization error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuery))
	if err != nil {
		failXML(w, http.StatusRequestEntityTooLarge, "", "RequestEntityTooLarge", "Request body is too large")
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		failXML(w, http.StatusBadRequest, "", "MalformedQueryString", "The request body is not a valid form")
		return
	}
	action, version := form.Get("Action"), form.Get("Version")
	space := namespaces[version]
	switch {
	case errors.Is(authorization, iam.ErrNoAuthorization):
		failXML(w, http.StatusForbidden, space, "MissingAuthenticationToken",
			"Request is missing Authentication Token")
	case authorization != nil:
		failXML(w, http.StatusForbidden, space, "IncompleteSignature", incomplete)
	case version == cloudFormation && action == "DescribeStacks":
		d.describeStacks(w, form.Get("StackName"))
	case version == sts && action == "GetCallerIdentity":
		d.getCallerIdentity(w, credential)
	default:
		failXML(w, http.StatusBadRequest, space, "InvalidAction",
			"Could not find operation "+action+" for version "+version)
	}
}

var namespaces = map[string]string{
	cloudFormation: "http://cloudformation.amazonaws.com/doc/2010-05-15/",
	sts:            "https://sts.amazonaws.com/doc/2011-06-15/",
}

// metadata ends every awsQuery answer.
type metadata struct{ RequestId string }

func (d *door) describeStacks(w http.ResponseWriter, name string) {
	type member struct {
		OutputKey, OutputValue string
		ExportName             string `xml:",omitempty"`
	}
	type description struct {
		StackId, StackName, CreationTime, StackStatus string
		DisableRollback                               bool
		Outputs                                       []member `xml:"Outputs>member"`
		EnableTerminationProtection                   bool
	}
	s := d.stack
	if name != "" && name != s.name && name != s.id {
		failXML(w, http.StatusBadRequest, namespaces[cloudFormation], "ValidationError",
			"Stack with id "+name+" does not exist")
		return
	}
	st := description{StackId: s.id, StackName: s.name, StackStatus: "CREATE_COMPLETE",
		CreationTime: s.created.UTC().Format("2006-01-02T15:04:05.000Z")}
	for _, o := range s.outputs {
		m := member{OutputKey: o.Key, OutputValue: o.Value}
		if o.Exported {
			m.ExportName = o.Key
		}
		st.Outputs = append(st.Outputs, m)
	}
	writeXML(w, http.StatusOK, struct {
		XMLName  xml.Name      `xml:"DescribeStacksResponse"`
		Space    string        `xml:"xmlns,attr"`
		Stacks   []description `xml:"DescribeStacksResult>Stacks>member"`
		Metadata metadata      `xml:"ResponseMetadata"`
	}{Space: namespaces[cloudFormation], Stacks: []description{st}, Metadata: metadata{requestID()}})
}

func (d *door) getCallerIdentity(w http.ResponseWriter, credential iam.Credential) {
	type identity struct{ Arn, UserId, Account string }
	c := d.directory.Caller(credential.AccessKey)
	writeXML(w, http.StatusOK, struct {
		XMLName  xml.Name `xml:"GetCallerIdentityResponse"`
		Space    string   `xml:"xmlns,attr"`
		Result   identity `xml:"GetCallerIdentityResult"`
		Metadata metadata `xml:"ResponseMetadata"`
	}{Space: namespaces[sts], Result: identity{c.Principal, credential.AccessKey, c.Account},
		Metadata: metadata{requestID()}})
}

func failXML(w http.ResponseWriter, status int, space, code, message string) {
	type failure struct{ Type, Code, Message string }
	writeXML(w, status, struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Space     string   `xml:"xmlns,attr,omitempty"`
		Error     failure
		RequestId string
	}{Space: space, Error: failure{"Sender", code, message}, RequestId: requestID()})
}

func writeXML(w http.ResponseWriter, status int, v any) {
	body, err := xml.Marshal(v)
	if err != nil {
		panic(err) // the types above always have an XML form
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("x-amzn-RequestId", requestID())
	w.WriteHeader(status)
	w.Write(body) // a client that has gone needs no answer
}
