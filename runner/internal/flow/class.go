package flow

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"loadkms/result"
	"loadkms/runner/internal/client"
	"loadkms/scenarios"
)

// expect is what must hold for an answer.
type expect struct {
	statuses    []int // nil: any 2xx or 3xx
	contentType string
	checks      []check
	body        bool // something of it looks at the body
}

// A check is one condition on an answer.
type check struct {
	kind    scenarios.CheckKind
	name    string
	path    []string
	value   text
	pattern *regexp.Regexp // of a regular expression without holes
}

// status reports whether s is a good status.
func (e *expect) status(s int) bool {
	if e.statuses == nil {
		return s >= 200 && s < 400
	}
	return slices.Contains(e.statuses, s)
}

// classify returns the class of a complete answer: OK if its status is good and every check holds;
// else what the script's rules say, in their order; else what the built-in rules say.
func (w *walk) classify(o *requestOp, a *client.Response) result.Class {
	good, status, body := o.expect.status(a.Status), a.Status, a.Body
	if good && w.hold(&o.expect, a) {
		return result.OK
	}
	for i := range w.user.program.classify {
		r := &w.user.program.classify[i]
		if (r.Status == nil || slices.Contains(r.Status, status)) && bytes.Contains(body, []byte(r.Contains)) {
			return r.Class
		}
	}
	if good {
		return result.CheckFailed
	}
	return builtIn(status, body)
}

// signs are what bodies of failed requests say, the most telling first. The texts are those of QLDB,
// KMS, IAM and API Gateway.
var signs = []struct {
	text  []byte
	class result.Class
}{
	{[]byte("does not have grant access on the AWS KMS customer managed key"), result.KeyInaccessible},
	{[]byte("AccessDeniedException"), result.AccessDenied},
	{[]byte("do not have permissions to use the customer managed KMS key"), result.AccessDenied},
	{[]byte("does not have permissions to use the customer managed KMS key"), result.AccessDenied},
	{[]byte("not authorized to perform"), result.AccessDenied},
	{[]byte("is pending deletion"), result.KeyPendingDeletion},
	{[]byte("DisabledException"), result.KeyDisabled},
	{[]byte("is disabled"), result.KeyDisabled},
	{[]byte("ThrottlingException"), result.Throttled},
	{[]byte("Too Many Requests"), result.Throttled},
	{[]byte("Record Not Found Error"), result.NotFound},
}

// builtIn returns the class of an answer whose status is not what was expected.
func builtIn(status int, body []byte) result.Class {
	if status < 400 {
		return result.CheckFailed // a good answer, but not the one the script wants
	}
	for i := range signs {
		if bytes.Contains(body, signs[i].text) {
			return signs[i].class
		}
	}
	switch {
	case status == http.StatusForbidden:
		return result.AccessDenied
	case status == http.StatusTooManyRequests:
		return result.Throttled
	case status == http.StatusNotFound:
		return result.NotFound
	case status < 500:
		return result.ClientError
	}
	return result.ServerError
}

// hold reports whether every check of e holds.
func (w *walk) hold(e *expect, a *client.Response) bool {
	if e.contentType == "" && len(e.checks) == 0 {
		return true // most answers; without the allocation below
	}
	var (
		document      any // moved to the heap
		parsed, valid bool
	)
	parse := func() bool {
		if !parsed {
			parsed, valid = true, json.Unmarshal(a.Body, &document) == nil
		}
		return valid
	}
	switch {
	case e.contentType == "":
	case strings.EqualFold(e.contentType, "json"):
		if !strings.Contains(strings.ToLower(contentType(a)), "json") || !parse() {
			return false
		}
	default:
		got := contentType(a)
		if media, _, err := mime.ParseMediaType(got); !strings.EqualFold(got, e.contentType) &&
			(err != nil || !strings.EqualFold(media, e.contentType)) {
			return false
		}
	}
	for i := range e.checks {
		c := &e.checks[i]
		switch c.kind {
		case scenarios.HasHeader:
			if _, ok := a.Header(c.name); !ok {
				return false
			}
		case scenarios.HeaderEquals:
			want, ok := c.value.render(w, nil, asIs)
			if !ok || !hasValue(a, c.name, want) {
				return false
			}
		case scenarios.HasProperty:
			if !parse() || !has(document, c.path) {
				return false
			}
		case scenarios.MatchesRegexp:
			pattern := c.pattern
			if pattern == nil {
				source, ok := c.value.render(w, nil, asIs)
				if !ok {
					return false
				}
				var err error
				if pattern, err = regexp.Compile(string(source)); err != nil {
					return false
				}
			}
			if !pattern.Match(a.Body) {
				return false
			}
		}
	}
	return true
}

func contentType(a *client.Response) string {
	v, _ := a.Header("Content-Type")
	return string(v)
}

// hasValue reports whether one of the headers called name has the value want.
func hasValue(a *client.Response, name string, want []byte) bool {
	for v := range a.Headers(name) {
		if bytes.Equal(v, want) {
			return true
		}
	}
	return false
}

// propertyPath cuts a path as lodash does: a.b[0].c and a.b.0.c are the same.
func propertyPath(s string) []string {
	s = strings.NewReplacer("['", ".", "']", "", `["`, ".", `"]`, "", "[", ".", "]", "").Replace(s)
	return strings.Split(strings.TrimPrefix(s, "."), ".")
}

// has reports whether there is something at path in a JSON document.
func has(document any, path []string) bool {
	for _, name := range path {
		switch d := document.(type) {
		case map[string]any:
			next, ok := d[name]
			if !ok {
				return false
			}
			document = next
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(d) {
				return false
			}
			document = d[i]
		default:
			return false
		}
	}
	return true
}
