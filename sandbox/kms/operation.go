package kms

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// A call is what the run of an operation knows of its circumstances.
type call struct {
	caller iam.Caller
	now    time.Time
	// has reports whether the request had a member at all; nil for a call in this process, where an
	// empty member is an absent one.
	has func(member string) bool

	tokens  []string  // the request's grant tokens
	sameKey string    // of ReEncrypt: whether its two keys are one, as conditions have it
	changes bool      // the operation is one of changes
	uses    bool      // the operation is one of uses
	touched [2]*usage // of the keys that the operation uses
	wants   string    // the alias of an AWS managed key that was asked for and is not there
}

func (c *call) validation() *validation { return &validation{has: c.has, call: c} }

// An operation is one of KMS's operations, with its request and response. It is one entry of the
// table operations and one method of Service; both end in invoke, so that a call in this process and
// one over the wire behave alike.
type operation[In, Out any] struct {
	name string
	run  func(*Service, *call, *In) (*Out, *Error)
}

// nothing is the response of operations that return none.
type nothing struct{}

// A handler is an operation without its types, as ServeHTTP needs it. A nil response without an
// error means an empty body.
type handler interface {
	serve(s *Service, c iam.Caller, requestID string, body []byte) (any, *Error)
}

func (o operation[In, Out]) serve(s *Service, c iam.Caller, requestID string, body []byte) (any, *Error) {
	in := new(In)
	if err := decode(body, in); err != nil {
		return nil, err
	}
	out, err := o.invoke(s, c, requestID, in, members(body))
	if err != nil {
		return nil, err
	}
	if _, empty := any(out).(*nothing); empty {
		return nil, nil
	}
	return out, nil
}

// call runs the operation for a caller in this process. The error is nil or an *Error.
func (o operation[In, Out]) call(s *Service, c iam.Caller, in *In) (*Out, error) {
	if in == nil {
		in = new(In)
	}
	out, err := o.invoke(s, c, uuid.NewString(), in, nil)
	if err != nil {
		return nil, err // not "return out, err": a nil *Error in an error is not nil
	}
	return out, nil
}

// do is call for operations that return nothing.
func (o operation[In, Out]) do(s *Service, c iam.Caller, in *In) error {
	_, err := o.call(s, c, in)
	return err
}

// invoke is the one way into an operation.
func (o operation[In, Out]) invoke(s *Service, c iam.Caller, requestID string, in *In, has func(string) bool) (*Out, *Error) {
	if hook := s.hook.Load(); hook != nil && *hook != nil {
		if err := (*hook)(o.name, c); err != nil {
			return nil, hooked(err, requestID)
		}
	}
	cl := &call{caller: c, now: s.clock.Now(), has: has, changes: changes[o.name], uses: uses[o.name]}
	if err := s.take(o.name, cl.now); err != nil {
		err.RequestID = requestID
		return nil, err
	}
	s.settle(cl.now)
	out, err := o.run(s, cl, in)
	if err != nil && s.provide(cl, o.name) {
		out, err = o.run(s, cl, in)
	}
	if failure := s.written(); failure != nil {
		err = refuse("KMSInternalException", "%v", failure)
	}
	if err != nil {
		err.RequestID = requestID
		return nil, err
	}
	cl.used(o.name, requestID)
	return out, nil
}

// hooked turns the error of a PreHook into one of KMS: an *Error stays what it is, anything else is
// an internal error.
func hooked(err error, requestID string) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = refuse("KMSInternalException", "%v", err)
	}
	e = &Error{Status: e.Status, Code: e.Code, Message: e.Message, RequestID: requestID} // the hook may share its error
	if e.Status == 0 {
		e.Status = refuse(e.Code, "").Status
	}
	return e
}

// operations are all operations of the API model. To add one: write its request, response and run in a
// file of its family, give it a method of Service, and enter it here.
var operations = map[string]handler{
	"CancelKeyDeletion":                   cancelKeyDeletion,
	"ConnectCustomKeyStore":               connectCustomKeyStore,
	"CreateAlias":                         createAlias,
	"CreateCustomKeyStore":                createCustomKeyStore,
	"CreateGrant":                         createGrant,
	"CreateKey":                           createKey,
	"Decapsulate":                         decapsulate,
	"Decrypt":                             decrypt,
	"DeleteAlias":                         deleteAlias,
	"DeleteCustomKeyStore":                deleteCustomKeyStore,
	"DeleteImportedKeyMaterial":           deleteImportedKeyMaterial,
	"DeriveSharedSecret":                  deriveSharedSecret,
	"DescribeCustomKeyStores":             describeCustomKeyStores,
	"DescribeKey":                         describeKey,
	"DisableKey":                          disableKey,
	"DisableKeyRotation":                  disableKeyRotation,
	"DisconnectCustomKeyStore":            disconnectCustomKeyStore,
	"EnableKey":                           enableKey,
	"EnableKeyRotation":                   enableKeyRotation,
	"Encapsulate":                         encapsulate,
	"Encrypt":                             encrypt,
	"GenerateDataKey":                     generateDataKey,
	"GenerateDataKeyPair":                 generateDataKeyPair,
	"GenerateDataKeyPairWithoutPlaintext": generateDataKeyPairWithoutPlaintext,
	"GenerateDataKeyWithoutPlaintext":     generateDataKeyWithoutPlaintext,
	"GenerateMac":                         generateMac,
	"GenerateRandom":                      generateRandom,
	"GetKeyLastUsage":                     getKeyLastUsage,
	"GetKeyPolicy":                        getKeyPolicy,
	"GetKeyRotationStatus":                getKeyRotationStatus,
	"GetParametersForImport":              getParametersForImport,
	"GetPublicKey":                        getPublicKey,
	"ImportKeyMaterial":                   importKeyMaterial,
	"ListAliases":                         listAliases,
	"ListGrants":                          listGrants,
	"ListKeyPolicies":                     listKeyPolicies,
	"ListKeyRotations":                    listKeyRotations,
	"ListKeys":                            listKeys,
	"ListResourceTags":                    listResourceTags,
	"ListRetirableGrants":                 listRetirableGrants,
	"PutKeyPolicy":                        putKeyPolicy,
	"ReEncrypt":                           reEncrypt,
	"ReplicateKey":                        replicateKey,
	"RetireGrant":                         retireGrant,
	"RevokeGrant":                         revokeGrant,
	"RotateKeyOnDemand":                   rotateKeyOnDemand,
	"ScheduleKeyDeletion":                 scheduleKeyDeletion,
	"Sign":                                sign,
	"TagResource":                         tagResource,
	"UntagResource":                       untagResource,
	"UpdateAlias":                         updateAlias,
	"UpdateCustomKeyStore":                updateCustomKeyStore,
	"UpdateKeyDescription":                updateKeyDescription,
	"UpdatePrimaryRegion":                 updatePrimaryRegion,
	"Verify":                              verify,
	"VerifyMac":                           verifyMac,
}

// Operations returns the names of all operations, sorted.
func Operations() []string { return slices.Sorted(maps.Keys(operations)) }
