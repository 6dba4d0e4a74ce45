package kms

// A State is the state of a key.
type State string

// The states that a symmetric key with AWS_KMS material can be in.
const (
	Enabled         State = "Enabled"
	Disabled        State = "Disabled"
	PendingDeletion State = "PendingDeletion"
)

// A demand is what an operation asks of its key's state: one row of the table "Key states of AWS KMS
// keys" in the KMS Developer Guide. States that are not in it are fine.
type demand map[State]func(arn string) *Error

var (
	// usable is the demand of cryptographic operations and CreateGrant. The guide allows two answers
	// for a key pending deletion; measured on AWS is KMSInvalidStateException.
	usable = demand{Disabled: isDisabled, PendingDeletion: isPendingDeletion}
	// notPending is the demand of operations that change a key or point to it.
	notPending = demand{PendingDeletion: isPendingDeletion}
	// pending is the demand of CancelKeyDeletion.
	pending = demand{Enabled: isNotPending, Disabled: isNotPending}
)

func isDisabled(arn string) *Error { return refuse("DisabledException", "%s is disabled.", arn) }

func isPendingDeletion(arn string) *Error {
	return refuse("KMSInvalidStateException", "%s is pending deletion.", arn)
}

func isNotPending(arn string) *Error {
	return refuse("KMSInvalidStateException", "%s is not pending deletion.", arn)
}

// check returns the refusal that the demand has for the key's state, or nil.
func (d demand) check(k *key) *Error {
	if refusal := d[k.state]; refusal != nil {
		return refusal(k.arn)
	}
	return nil
}
