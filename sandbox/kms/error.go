package kms

import "fmt"

// An Error is a refusal by KMS, as a client sees it. Every error of a [Service] method is one.
type Error struct {
	Status    int    // HTTP status
	Code      string // the exception's name, such as DisabledException
	Message   string // "" where KMS sends none
	RequestID string // of the refused request, as in x-amzn-RequestId
}

func (e *Error) Error() string {
	if e.Message == "" {
		return "kms: " + e.Code
	}
	return "kms: " + e.Code + ": " + e.Message
}

// refuse makes an error with the status of its code: 400 for everything that is the client's fault
// (real KMS answers 400 even where the API model says 404 or 409), 5xx for KMS's own three.
func refuse(code, format string, args ...any) *Error {
	status := 400
	switch code {
	case "KMSInternalException", "KeyUnavailableException":
		status = 500
	case "DependencyTimeoutException":
		status = 503
	}
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// The refusals that several operations share. Their texts are those recorded from AWS; the reference
// tells where each comes from.

func errKeyUnknown(arn string) *Error {
	return refuse("NotFoundException", "Key '%s' does not exist", arn)
}

func errKeyID(id string) *Error { return refuse("NotFoundException", "Invalid keyId '%s'", id) }

func errRegion(region string) *Error { return refuse("NotFoundException", "Invalid arn %s", region) }

func errAliasUnknown(arn string) *Error {
	return refuse("NotFoundException", "Alias %s is not found.", arn)
}

// errCiphertext is all that KMS tells of a ciphertext that does not open: no message.
func errCiphertext() *Error { return refuse("InvalidCiphertextException", "") }

// errCiphertextKey answers a decryption without KeyId by somebody who may not use the key, and one
// under a key that is gone: KMS does not say which.
func errCiphertextKey() *Error {
	return refuse("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, "+
		"does not exist in this region, or you are not allowed to access.")
}

func errIncorrectKey() *Error {
	return refuse("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
}

func errDryRun() *Error {
	return refuse("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

// errNotYet answers what AWS has and the sandbox does not. It says so, because an answer that looked
// like AWS's would send people looking for a mistake of theirs.
func errNotYet(what string) *Error {
	return refuse("UnsupportedOperationException", "the sandbox does not have %s yet", what)
}
