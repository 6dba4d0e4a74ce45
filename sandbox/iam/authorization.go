package iam

import (
	"errors"
	"strings"
)

// A Credential is what the Authorization header of a signed request says of its sender.
type Credential struct {
	AccessKey string
	Date      string // yyyymmdd
	Region    string
	Service   string // as in the credential scope: kms, qldb, …
}

// The two ways in which an Authorization header can fail to name a sender.
var (
	// ErrNoAuthorization says that the header is missing or empty.
	ErrNoAuthorization = errors.New("missing authorization")
	// ErrAuthorization says that the header is not a version 4 signature with a whole credential scope.
	ErrAuthorization = errors.New("incomplete authorization")
)

// maxAuthorization bounds the header that ParseAuthorization reads; real ones are under 1 KiB.
const maxAuthorization = 8 << 10

// ParseAuthorization reads the Authorization header of a request signed with AWS signature version
// 4. The signature is not verified: a proxy or a changed Host header would break it, and the sandbox
// keeps nobody out. Errors are ErrNoAuthorization and ErrAuthorization.
func ParseAuthorization(header string) (Credential, error) {
	if header == "" {
		return Credential{}, ErrNoAuthorization
	}
	rest, ok := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	if !ok || len(header) > maxAuthorization {
		return Credential{}, ErrAuthorization
	}
	for part := range strings.SplitSeq(rest, ",") {
		scope, ok := strings.CutPrefix(strings.TrimSpace(part), "Credential=")
		if !ok {
			continue
		}
		p := strings.Split(scope, "/")
		if len(p) != 5 || p[4] != "aws4_request" || p[0] == "" || p[2] == "" || p[3] == "" {
			return Credential{}, ErrAuthorization
		}
		return Credential{AccessKey: p[0], Date: p[1], Region: p[2], Service: p[3]}, nil
	}
	return Credential{}, ErrAuthorization
}
