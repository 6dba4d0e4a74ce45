package ledger

import "fmt"

// An Error is an answer of the ledger service that is not a success, as its clients see it.
type Error struct {
	Status        int    // HTTP
	Code          string // BadRequestException, ResourceNotFoundException, …
	Message       string
	ResourceType  string // of the errors about a resource
	ResourceName  string
	ParameterName string // of InvalidParameterException
	Reason        string // of a session's BadRequestException, as its Code
}

func (e *Error) Error() string { return fmt.Sprintf("qldb: %s: %s", e.Code, e.Message) }

// The codes a caller branches on.
const (
	CodeAccessDenied     = "AccessDeniedException"
	CodeBadRequest       = "BadRequestException"
	CodeInvalidParameter = "InvalidParameterException"
	CodeInvalidSession   = "InvalidSessionException"
	CodeLimitExceeded    = "LimitExceededException"
	CodeNotFound         = "ResourceNotFoundException"
	CodeOccConflict      = "OccConflictException"
)

// inaccessible is what every command gets while KMS refuses the ledger its key. The text is the
// article's; the code is a guess, because the article does not show it.
func inaccessible() *Error {
	return badRequest("Amazon QLDB does not have grant access on the AWS KMS customer managed key of the ledger. " +
		"Restore the grant on the key for the ledger.")
}

// forbidden is what a caller gets whom KMS refuses the ledger's key, with KMS's own words in it.
func forbidden(e *KeyError) *Error {
	return &Error{Status: 400, Code: CodeAccessDenied, Message: fmt.Sprintf("The user does not have permissions "+
		"to use the customer managed KMS key of the ledger (KMS Request ID: %s) : %s", e.RequestID, e.Message)}
}

func badRequest(format string, args ...any) *Error {
	return &Error{Status: 400, Code: CodeBadRequest, Message: fmt.Sprintf(format, args...)}
}

func invalidParameter(name, format string, args ...any) *Error {
	return &Error{Status: 400, Code: CodeInvalidParameter, ParameterName: name,
		Message: fmt.Sprintf(format, args...)}
}

func notFound(ledger string) *Error {
	return &Error{Status: 404, Code: CodeNotFound, ResourceType: "Ledger", ResourceName: ledger,
		Message: fmt.Sprintf("The Ledger with name %s is not found", ledger)}
}

func preconditionNotMet(ledger, message string) *Error {
	return &Error{Status: 412, Code: "ResourcePreconditionNotMetException", ResourceType: "Ledger",
		ResourceName: ledger, Message: message}
}

func inUse(ledger, message string) *Error {
	return &Error{Status: 409, Code: "ResourceInUseException", ResourceType: "Ledger", ResourceName: ledger,
		Message: message}
}
