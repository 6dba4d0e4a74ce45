package sandbox

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
	"loadkms/sandbox/stack"
)

// A Support is what the sandbox has of one service of AWS.
type Support struct {
	Service string
	Has     []string // operations, sorted
	Lacks   []string // operations of AWS that it refuses, of those it knows by name
}

// kmsOperations are the operations of the API model of KMS.
const kmsOperations = `CancelKeyDeletion ConnectCustomKeyStore CreateAlias CreateCustomKeyStore CreateGrant CreateKey Decapsulate
	Decrypt DeleteAlias DeleteCustomKeyStore DeleteImportedKeyMaterial DeriveSharedSecret DescribeCustomKeyStores DescribeKey
	DisableKey DisableKeyRotation DisconnectCustomKeyStore EnableKey EnableKeyRotation Encapsulate Encrypt GenerateDataKey
	GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac GenerateRandom
	GetKeyLastUsage GetKeyPolicy GetKeyRotationStatus GetParametersForImport GetPublicKey ImportKeyMaterial ListAliases
	ListGrants ListKeyPolicies ListKeyRotations ListKeys ListResourceTags ListRetirableGrants PutKeyPolicy ReEncrypt
	ReplicateKey RetireGrant RevokeGrant RotateKeyOnDemand ScheduleKeyDeletion Sign TagResource UntagResource UpdateAlias
	UpdateCustomKeyStore UpdateKeyDescription UpdatePrimaryRegion Verify VerifyMac`

// Implemented returns what the sandbox has of each service. It does not claim it: it asks services
// made for the occasion for every operation, and counts those that they do not know.
func Implemented() []Support {
	directory, c := iam.NewDirectory("123456789012"), clock.New(1)
	keyService := kms.New(kms.Options{Directory: directory, Clock: c})
	ledgers := ledger.New(ledger.Options{Account: directory.Account(), Region: "eu-west-2", Clock: c,
		Keys: keys{keyService, "eu-west-2", func(string, iam.Caller, string, any, any, error) {}, new(sync.Map)}})
	defer ledgers.Close()
	out := []Support{{Service: "KMS"}, {Service: "QLDB"}}
	for operation := range strings.FieldsSeq(kmsOperations) {
		r := empty(http.MethodPost, "/")
		r.Header.Set("X-Amz-Target", "TrentService."+operation)
		out[0].enter(operation, keyService, r)
	}
	for shape, operation := range ledgerOperations {
		method, path, _ := strings.Cut(shape, " ")
		path = "/" + strings.ReplaceAll(path, "*", "nobody")
		if operation == "ListTagsForResource" || operation == "TagResource" || operation == "UntagResource" {
			path += "/arn:aws:qldb:eu-west-2:123456789012:ledger%2Fnobody"
		}
		out[1].enter(operation, ledgers, empty(method, path))
	}
	slices.Sort(out[1].Has)
	slices.Sort(out[1].Lacks)
	out = append(out, Support{Service: "QLDB session", Has: []string{"SendCommand"}},
		Support{Service: "CloudTrail", Has: []string{"LookupEvents"}},
		Support{Service: "CloudFormation", Has: stack.Actions()},
		Support{Service: "STS", Has: slices.Sorted(maps.Keys(stsActions))},
		Support{Service: "IAM", Has: slices.Sorted(maps.Keys(iamActions))})
	return out
}

// empty returns a signed request with nothing in it.
func empty(method, path string) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), method, path, strings.NewReader("{}"))
	if err != nil {
		panic(err) // methods and paths are those of this file
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-2/any/aws4_request, SignedHeaders=host, Signature=0")
	return r
}

// nowhere is a response writer for answers that nobody waits for.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

// enter asks a service for an operation, with a request that has nothing in it, and notes whether the
// service knows the operation.
func (s *Support) enter(operation string, h http.Handler, r *http.Request) {
	w := &tape{ResponseWriter: nowhere{http.Header{}}}
	h.ServeHTTP(w, r)
	var e struct{ Message string }
	_ = json.Unmarshal(w.body.Bytes(), &e) // an answer of another shape is no refusal
	switch code := w.Header().Get("x-amzn-ErrorType"); {
	case code == "UnknownOperationException", code == "UnsupportedOperationException" && strings.Contains(e.Message, "the sandbox does not have"):
		s.Lacks = append(s.Lacks, operation)
	default:
		s.Has = append(s.Has, operation)
	}
}
