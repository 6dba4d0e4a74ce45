// Package iam says who may do what in the sandbox: callers, and the policies that speak of them.
// It holds no keys, no records and no HTTP.
package iam

// A Caller is who makes a call. The zero value is nobody and may do nothing.
type Caller struct {
	// Principal is the caller's ARN as errors and audit records show it: an IAM user, the account's
	// root, or an assumed role's session (arn:aws:sts::…:assumed-role/ROLE/SESSION). For a service
	// acting for itself it is empty.
	Principal string
	// Account is the caller's account id.
	Account string
	// Service is the service that acts for itself, such as "qldb.amazonaws.com"; else "".
	Service string
	// Via is the service through which Principal makes the call, as kms:ViaService has it
	// ("qldb.eu-west-2.amazonaws.com"); "" for a direct call.
	Via string
	// SourceARN is the ARN of the resource for which a service makes the call, as aws:SourceArn has
	// it (a ledger's ARN); "" for a direct call or where the service does not say.
	SourceARN string
	// Address is the network address from which Principal sends its requests, and Agent its user agent, as
	// aws:SourceIp and aws:UserAgent have them; "" if it sends none. See [Caller.From].
	Address, Agent string
}
