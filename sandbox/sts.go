package sandbox

import (
	"container/heap"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
	"loadkms/sandbox/store"
)

const (
	stsVersion   = "2011-06-15"
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"
)

// stsActions are what the sandbox has of STS.
var stsActions = map[string]action{
	"AssumeRole":        assumeRole,
	"GetAccessKeyInfo":  getAccessKeyInfo,
	"GetCallerIdentity": getCallerIdentity,
	"GetSessionToken":   getSessionToken,
}

// maxTokens bounds how many temporary credentials there can be whose time is not over.
const maxTokens = 100_000

// tokens are the temporary credentials that STS has given out.
type tokens struct {
	clock     *clock.Clock
	directory *iam.Directory
	disk      *store.Store // nil: they are in memory only

	mu     sync.RWMutex         // guards the two below, for a look-up
	ends   map[string]time.Time // by access key, in sandbox time
	oldest expiries             // the same; the one whose time is over first at the top
}

// An expiry is when the time of an access key is over.
type expiry struct {
	end time.Time
	key string
}

// expiries are a heap.
type expiries []expiry

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].end.Before(e[j].end) }
func (e expiries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *expiries) Push(x any)        { *e = append(*e, x.(expiry)) }

func (e *expiries) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last], *e = expiry{}, (*e)[:last]
	return x
}

// expired reports whether an access key was temporary and its time is over.
func (t *tokens) expired(accessKey string) bool {
	t.mu.RLock()
	end, ok := t.ends[accessKey]
	t.mu.RUnlock()
	if !ok {
		return t.directory.Withdrawn(accessKey)
	}
	return !t.clock.Now().Before(end)
}

// A temporary is a set of temporary credentials.
type temporary struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }

// issue gives out credentials with which to call as c. It forgets those whose time is over, and only
// those: with too many others it refuses.
func (t *tokens) issue(c iam.Caller, lifetime time.Duration) (*temporary, error) {
	var secret [30]byte
	var token [180]byte
	rand.Read(secret[:]) // never fails
	rand.Read(token[:])
	t.mu.Lock()
	now := t.clock.Now()
	var b store.Batch
	for len(t.oldest) > 0 && !now.Before(t.oldest[0].end) {
		over := heap.Pop(&t.oldest).(expiry).key
		delete(t.ends, over)
		t.directory.Withdraw(over)
		b.Delete(tokenEntries + over)
	}
	if len(t.oldest) >= maxTokens {
		kept := t.disk.Enter(&b)
		t.mu.Unlock()
		_ = kept.Wait() // what is forgotten once more after a kill is nobody's all the same
		return nil, &queryError{http.StatusBadRequest, "Throttling", "Rate exceeded"}
	}
	id, end := t.directory.Issue(c), now.Add(lifetime)
	t.ends[id] = end
	heap.Push(&t.oldest, expiry{end, id})
	b.Put(tokenEntries+id, encode(tokenRecord{c, end}))
	kept := t.disk.Enter(&b)
	t.mu.Unlock()
	if err := kept.Wait(); err != nil {
		return nil, &queryError{http.StatusInternalServerError, "InternalFailure", err.Error()}
	}
	return &temporary{id, base64.StdEncoding.EncodeToString(secret[:]), base64.StdEncoding.EncodeToString(token[:]),
		end.UTC().Format(time.RFC3339)}, nil
}

func stsInvalid(format string, args ...any) error {
	return &queryError{http.StatusBadRequest, "ValidationError", "1 validation error detected: " + fmt.Sprintf(format, args...)}
}

// lifetime reads DurationSeconds.
func lifetime(form url.Values, least, most, standard int) (time.Duration, error) {
	text := form.Get("DurationSeconds")
	if text == "" {
		return time.Duration(standard) * time.Second, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return 0, stsInvalid("Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than "+
			"or equal to %d", text, least)
	}
	if n > most {
		return 0, stsInvalid("Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or "+
			"equal to %d", text, most)
	}
	return time.Duration(n) * time.Second, nil
}

// maxChained is how long a role's session may act as another role, as AWS documents it for AssumeRole.
const maxChained = time.Hour

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// assumeRole lets the caller act as a role. The role's trust policy is not looked at, as the sandbox's
// roles have none; the caller's own policies are.
func assumeRole(d *door, c iam.Caller, _ iam.Credential, form url.Values) (any, error) {
	roleARN, session := form.Get("RoleArn"), form.Get("RoleSessionName")
	if !sessionName.MatchString(session) {
		return nil, stsInvalid(`Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular `+
			`expression pattern: [\w+=,.@-]*`, session)
	}
	arn, ok := iam.ParseARN(roleARN)
	if len(roleARN) < 20 || !ok {
		return nil, &queryError{http.StatusBadRequest, "ValidationError", roleARN + " is invalid"}
	}
	for name := range form {
		for _, has := range []string{"Policy", "PolicyArns", "SerialNumber", "TokenCode"} {
			if name == has || len(name) > len(has) && name[:len(has)+1] == has+"." {
				return nil, stsInvalid("the sandbox does not have the request parameter %s", has)
			}
		}
	}
	lasts, err := lifetime(form, 900, 43200, 3600)
	if err != nil {
		return nil, err
	}
	if from, _ := iam.ParseARN(c.Principal); from.Service == "sts" && lasts > maxChained {
		return nil, &queryError{http.StatusBadRequest, "ValidationError", "The requested DurationSeconds exceeds the " +
			"1 hour session limit for roles assumed by role chaining"}
	}
	const role = "role/"
	effect := d.allows(c, "sts:AssumeRole", roleARN)
	if arn.Service != "iam" || arn.Account != d.directory.Account() || len(arn.Resource) <= len(role) ||
		arn.Resource[:len(role)] != role || effect != iam.Allow || !d.directory.Exists(roleARN) {
		// A role that does not exist is not told from one that must not be assumed.
		return nil, &queryError{http.StatusForbidden, "AccessDenied", "User: " + c.Principal +
			" is not authorized to perform: sts:AssumeRole on resource: " + roleARN}
	}
	as := d.directory.Session(arn.Resource[len(role):], session)
	t, err := d.tokens.issue(as, lasts)
	if err != nil {
		return nil, err
	}
	type user struct{ AssumedRoleId, Arn string }
	return struct {
		Credentials      *temporary
		AssumedRoleUser  user
		PackedPolicySize int
	}{t, user{principalID(as.Principal), as.Principal}, 0}, nil
}

// getSessionToken gives a user temporary credentials. Sessions cannot have any.
func getSessionToken(d *door, c iam.Caller, _ iam.Credential, form url.Values) (any, error) {
	if arn, _ := iam.ParseARN(c.Principal); arn.Service == "sts" {
		return nil, &queryError{http.StatusForbidden, "AccessDenied", "Cannot call GetSessionToken with session credentials"}
	}
	lasts, err := lifetime(form, 900, 129600, 43200)
	if err != nil {
		return nil, err
	}
	t, err := d.tokens.issue(c, lasts)
	return struct{ Credentials *temporary }{t}, err
}

func getCallerIdentity(_ *door, c iam.Caller, _ iam.Credential, _ url.Values) (any, error) {
	return struct{ Arn, UserId, Account string }{c.Principal, principalID(c.Principal), c.Account}, nil
}

func getAccessKeyInfo(d *door, _ iam.Caller, _ iam.Credential, form url.Values) (any, error) {
	if n := len(form.Get("AccessKeyId")); n < 16 || n > 128 {
		return nil, stsInvalid("Value '%s' at 'accessKeyId' failed to satisfy constraint: Member must have length greater than "+
			"or equal to 16", form.Get("AccessKeyId"))
	}
	return struct{ Account string }{d.directory.Account()}, nil
}
