package awskms

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"unicode"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// A callError says in our words what the SDK says in its own, and keeps that for errors.Is and As.
type callError struct {
	text string
	err  error
}

func (e *callError) Error() string { return e.text }
func (e *callError) Unwrap() error { return e.err }

// unknownCode is the SDK's own code for a refusal without one.
const unknownCode = "UnknownError"

// longestMessage is how much of a service's message an error repeats. KMS's longest, about a denied
// principal, have some 400 characters.
const longestMessage = 600

// explain puts the error of one call into one clause: what we wanted to do, and AWS's own code and
// message, or why it could not be reached.
func (c *Cloud) explain(what, endpoint string, err error) error {
	var text string
	code, message := refusal(err)
	var tls x509.UnknownAuthorityError
	var dns *net.DNSError
	var network net.Error
	var answer *awshttp.ResponseError
	switch {
	case code == "SignatureDoesNotMatch", code == "InvalidSignatureException", code == "IncompleteSignature":
		// Its message repeats the signed request, session token included.
		text = code + ": the secret key is wrong, or this machine's clock"
	case code == "ExpiredToken", code == "ExpiredTokenException", code == "RequestExpired":
		text = code + ": the credentials have expired"
	case code == "InvalidClientTokenId", code == "UnrecognizedClientException":
		text = code + ": AWS does not know these credentials"
	case code == unknownCode && errors.As(err, &answer):
		// The SDK could make nothing of the answer.
		text = c.noAWS(endpoint, answer)
	case code != "" && message != "":
		text = code + ": " + message
	case code != "":
		text = code
	case errors.Is(err, context.Canceled):
		text = "canceled"
	case errors.As(err, &dns):
		text = fmt.Sprintf("reach %s: no such host %s", c.place(endpoint), dns.Name)
	case errors.As(err, &tls):
		text = fmt.Sprintf("reach %s: its certificate is signed by nobody we know", c.place(endpoint))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		text = fmt.Sprintf("reach %s: no answer within %v", c.place(endpoint), attemptTimeout)
	case isAny(err, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE):
		text = fmt.Sprintf("reach %s: the connection was closed in the middle of it", c.place(endpoint))
	case errors.As(err, &answer) && answer.HTTPStatusCode() != 0:
		text = c.noAWS(endpoint, answer)
	default:
		text = fmt.Sprintf("reach %s: %s", c.place(endpoint), clean(innermost(err).Error()))
	}
	return &callError{what + ": " + text, err}
}

// noAWS says that whatever answered is not AWS, nor like it.
func (c *Cloud) noAWS(endpoint string, answer *awshttp.ResponseError) string {
	return fmt.Sprintf("%s answered with HTTP status %d and not as AWS does", c.place(endpoint), answer.HTTPStatusCode())
}

// place names where a call went.
func (c *Cloud) place(endpoint string) string {
	if endpoint == "" {
		return "AWS in " + c.region
	}
	return "AWS at " + endpoint
}

// refusal returns the code and message with which a service refused, or "" and "".
func refusal(err error) (code, message string) {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return "", ""
	}
	return clean(refused.ErrorCode()), clean(refused.ErrorMessage())
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
}

// refusedAs reports whether a service refused with one of these codes.
func refusedAs(err error, codes ...string) bool {
	code, _ := refusal(err)
	return slices.Contains(codes, code)
}

// clean makes a text from the network fit for a terminal and a line.
func clean(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))), " ")
	if runes := []rune(s); len(runes) > longestMessage {
		return string(runes[:longestMessage]) + "…"
	}
	return s
}

// innermost follows an error to its cause, which is where the SDK hides the fact. The cause of a
// system call's failure is the system's word for it: connection refused.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
