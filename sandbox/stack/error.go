package stack

import (
	"fmt"
	"net/http"
)

// An Error is a refusal by CloudFormation, as a client sees it.
type Error struct {
	Status  int
	Code    string // ValidationError, AlreadyExistsException, …
	Message string
}

func (e *Error) Error() string { return "cloudformation: " + e.Code + ": " + e.Message }

func invalid(format string, args ...any) *Error {
	return &Error{http.StatusBadRequest, "ValidationError", fmt.Sprintf(format, args...)}
}

func errUnknownStack(name string) *Error { return invalid("Stack with id %s does not exist", name) }
