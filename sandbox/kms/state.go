package kms

// A State is the state of a key.
type State string

// The states that keys of one Region can be in. Creating, Updating and PendingReplicaDeletion are for
// multi-Region keys with replicas, which a sandbox of one Region does not have.
const (
	Enabled         State = "Enabled"
	Disabled        State = "Disabled"
	PendingDeletion State = "PendingDeletion"
	PendingImport   State = "PendingImport" // Origin EXTERNAL, and some material is missing
	Unavailable     State = "Unavailable"   // in a custom key store that is not connected
)

// A demand is what an operation asks of its key's state: one row of the table "Key states of AWS KMS
// keys" in the KMS Developer Guide. States that are not in it are fine.
type demand map[State]func(arn string) *Error

var (
	// usable is the demand of cryptographic operations. The guide allows two answers
	// for a key pending deletion; measured on AWS is KMSInvalidStateException.
	usable = demand{Disabled: isDisabled, PendingDeletion: isPendingDeletion, PendingImport: isPendingImport,
		Unavailable: isUnavailable}
	// grantableState is the demand of CreateGrant: that of usable, but a store may be away.
	grantableState = demand{Disabled: isDisabled, PendingDeletion: isPendingDeletion, PendingImport: isPendingImport}
	// switchable is the demand of EnableKey and DisableKey.
	switchable = demand{PendingDeletion: isPendingDeletion, PendingImport: isPendingImport}
	// notPending is the demand of operations that change a key or point to it.
	notPending = demand{PendingDeletion: isPendingDeletion}
	// pending is the demand of CancelKeyDeletion.
	pending = demand{Enabled: isNotPending, Disabled: isNotPending, PendingImport: isNotPending, Unavailable: isNotPending}
)

func isDisabled(arn string) *Error { return refuse("DisabledException", "%s is disabled.", arn) }

func isPendingDeletion(arn string) *Error {
	return refuse("KMSInvalidStateException", "%s is pending deletion.", arn)
}

func isPendingImport(arn string) *Error {
	return refuse("KMSInvalidStateException", "%s is pending import.", arn)
}

func isUnavailable(arn string) *Error {
	return refuse("KMSInvalidStateException", "%s is unavailable.", arn)
}

func isNotPending(arn string) *Error {
	return refuse("KMSInvalidStateException", "%s is not pending deletion.", arn)
}

// status is the state that the world sees: a key in a custom key store that is not connected is
// Unavailable, whatever it will be when the store comes back, unless it is pending deletion. s.mu must
// be held.
func (k *key) status() State {
	if k.store != nil && k.store.state != connected && k.state != PendingDeletion {
		return Unavailable
	}
	return k.state
}

// check returns the refusal that the demand has for the key's state, or nil.
func (d demand) check(k *key) *Error {
	if refusal := d[k.status()]; refusal != nil {
		return refusal(k.arn)
	}
	return nil
}
