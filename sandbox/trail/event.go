package trail

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// An Event is one record of CloudTrail, which is its JSON form. It is immutable.
type Event struct {
	EventVersion        string         `json:"eventVersion"`
	UserIdentity        identity       `json:"userIdentity"`
	EventTime           time.Time      `json:"eventTime"`
	EventSource         string         `json:"eventSource"`
	EventName           string         `json:"eventName"`
	AWSRegion           string         `json:"awsRegion"`
	SourceIPAddress     string         `json:"sourceIPAddress"`
	UserAgent           string         `json:"userAgent"`
	ErrorCode           string         `json:"errorCode,omitempty"`
	ErrorMessage        string         `json:"errorMessage,omitempty"`
	RequestParameters   map[string]any `json:"requestParameters"` // null if there are none
	ResponseElements    map[string]any `json:"responseElements"`
	ServiceEventDetails map[string]any `json:"serviceEventDetails,omitempty"`
	RequestID           string         `json:"requestID,omitempty"`
	EventID             string         `json:"eventID"`
	ReadOnly            bool           `json:"readOnly"`
	Resources           []resource     `json:"resources,omitempty"`
	EventType           string         `json:"eventType"`
	ManagementEvent     bool           `json:"managementEvent"`
	RecipientAccountID  string         `json:"recipientAccountId"`
	SharedEventID       string         `json:"sharedEventID,omitempty"`
	EventCategory       string         `json:"eventCategory"`

	number    uint64
	size      int       // in bytes, about
	at        time.Time // EventTime is cut to seconds
	accessKey string
}

// maxElements bounds what an event shows of a request and of its answer each, in bytes: CloudTrail shows
// no more of either. A key policy, the largest that a request can rightly have, has 32 KiB.
const maxElements = 100 << 10

// maxText bounds what an event shows of a user agent or a message, in bytes. CloudTrail's is 1 KiB.
const maxText = 1 << 10

// maxARN is the longest ARN in the API models of KMS and QLDB, in bytes.
const maxARN = 2048

// weigh returns about how many bytes the event takes in memory.
func (e *Event) weigh() int {
	const fixed = 1500 // the event itself, its ids and its names
	size := fixed + len(e.UserAgent) + len(e.ErrorMessage) + len(e.EventName) + 2*len(e.accessKey)
	for _, r := range e.Resources {
		size += len(r.ARN)
	}
	return size + weight(e.RequestParameters) + weight(e.ResponseElements)
}

// weight returns about how many bytes a value that came from JSON takes in memory.
func weight(v any) int {
	const each = 64 // an entry of a map, with its share of the table
	switch v := v.(type) {
	case string:
		return each + len(v)
	case map[string]any:
		size := each
		for name, v := range v {
			size += each + len(name) + weight(v)
		}
		return size
	case []any:
		size := each
		for _, v := range v {
			size += weight(v)
		}
		return size
	}
	return each
}

// short cuts a text. The copy lets go of the rest.
func short(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.Clone(strings.ToValidUTF8(s[:maxText], ""))
}

// bounded leaves out what is too large to be shown.
func bounded(m map[string]any) map[string]any {
	if weight(m) <= maxElements {
		return m
	}
	return map[string]any{"omitted": true, "reason": "too large"}
}

// At returns when the event happened, in sandbox time.
func (e *Event) At() time.Time { return e.at }

// Who names the caller in a few words, for a person.
func (e *Event) Who() string {
	return cmp.Or(e.username(), e.UserIdentity.InvokedBy, e.UserIdentity.ARN)
}

// InvokedBy returns the service that made the call, for itself or for the caller; "" for none.
func (e *Event) InvokedBy() string { return e.UserIdentity.InvokedBy }

// An identity is who made a call. Which members there are depends on the kind of caller.
type identity struct {
	Type           string   `json:"type,omitempty"`
	PrincipalID    string   `json:"principalId,omitempty"`
	ARN            string   `json:"arn,omitempty"`
	AccountID      string   `json:"accountId,omitempty"`
	AccessKeyID    string   `json:"accessKeyId,omitempty"`
	UserName       string   `json:"userName,omitempty"`
	SessionContext *session `json:"sessionContext,omitempty"`
	InvokedBy      string   `json:"invokedBy,omitempty"`
}

type session struct {
	SessionIssuer issuer            `json:"sessionIssuer"`
	Attributes    map[string]string `json:"attributes"`
}

type issuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName"`
}

type resource struct {
	AccountID string `json:"accountId,omitempty"`
	Type      string `json:"type"`
	ARN       string `json:"ARN"`
}

// username is what LookupEvents shows as Username: a user's name, a session's, or root.
func (e *Event) username() string {
	switch e.UserIdentity.Type {
	case "IAMUser":
		return e.UserIdentity.UserName
	case "Root":
		return "root"
	case "AssumedRole":
		return e.UserIdentity.ARN[strings.LastIndexByte(e.UserIdentity.ARN, '/')+1:]
	}
	return ""
}

// describe makes the event of a call.
func (l *Log) describe(c *Call) *Event {
	c.Agent, c.Message = short(c.Agent), short(c.Message)
	e := l.blank(c.Source, c.Operation, l.o.Clock.Now())
	e.accessKey = c.AccessKey
	e.RequestID = c.RequestID
	if e.RequestID == "" {
		e.RequestID = uuid.NewString()
	}
	e.EventID = cmp.Or(c.EventID, e.EventID)
	e.UserIdentity = l.identify(c)
	e.SourceIPAddress, e.UserAgent = cmp.Or(c.Address, "127.0.0.1"), c.Agent
	if by := e.UserIdentity.InvokedBy; by != "" {
		e.SourceIPAddress, e.UserAgent = by, by
	}
	if e.UserIdentity.Type == "AWSService" {
		e.SharedEventID = uuid.NewString()
	}
	if c.Code != "" {
		e.ErrorCode, e.ErrorMessage = c.Code, c.Message
		if c.Code == "AccessDeniedException" || c.Code == "AccessDenied" {
			e.ErrorCode = "AccessDenied" // as KMS and the others have it in CloudTrail, whatever the client sees
		}
	}
	e.ReadOnly = readOnly(c.Operation)
	request, response := fields(c.Request), fields(c.Response)
	e.RequestParameters = bounded(parameters(c.Source, request))
	if c.Code == "" {
		e.ResponseElements = bounded(elements(c.Operation, response))
	}
	e.Resources = l.resources(c, request, response)
	return e
}

func (l *Log) identify(c *Call) identity {
	by := c.InvokedBy
	if via := c.Caller.Via; via != "" && by == "" {
		by = global(via)
	}
	if c.Caller.Service != "" {
		return identity{Type: "AWSService", InvokedBy: c.Caller.Service}
	}
	id := identity{PrincipalID: PrincipalID(c.Caller.Principal), ARN: c.Caller.Principal, AccountID: c.Caller.Account,
		AccessKeyID: c.AccessKey, InvokedBy: by}
	arn, _ := iam.ParseARN(c.Caller.Principal)
	kind, name, _ := strings.Cut(arn.Resource, "/")
	switch {
	case arn.Resource == "root":
		id.Type, id.PrincipalID = "Root", c.Caller.Account
	case kind == "user":
		id.Type, id.UserName = "IAMUser", name[strings.LastIndexByte(name, '/')+1:]
	case kind == "assumed-role":
		role, _, _ := strings.Cut(name, "/")
		roleARN := iam.RoleARN(arn.Account, role)
		id.Type = "AssumedRole"
		id.SessionContext = &session{
			SessionIssuer: issuer{"Role", PrincipalID(roleARN), roleARN, arn.Account, role},
			Attributes:    map[string]string{"creationDate": l.began.UTC().Format(time.RFC3339), "mfaAuthenticated": "false"},
		}
	default:
		id.Type = "Unknown"
	}
	return id
}

// global turns qldb.eu-west-2.amazonaws.com into qldb.amazonaws.com.
func global(service string) string {
	name, _, _ := strings.Cut(service, ".")
	return name + ".amazonaws.com"
}

// PrincipalID returns the unique id of a user, role or session, as IAM would have given it one: AIDA…
// or AROA…, and AROA…:SESSION. It depends on the ARN only. Root and others get their account's id.
func PrincipalID(arn string) string {
	a, _ := iam.ParseARN(arn)
	kind, name, _ := strings.Cut(a.Resource, "/")
	unique := func(prefix, arn string) string {
		sum := sha256.Sum256([]byte(arn))
		return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
	}
	switch kind {
	case "user":
		return unique("AIDA", arn)
	case "role":
		return unique("AROA", arn)
	case "assumed-role":
		role, session, _ := strings.Cut(name, "/")
		return unique("AROA", iam.RoleARN(a.Account, role)) + ":" + session
	}
	return a.Account
}

// readOnly tells whether an operation changes nothing. What KMS computes counts as that.
func readOnly(operation string) bool {
	for _, prefix := range []string{"Describe", "Get", "List", "Lookup", "Validate", "Encrypt", "Decrypt", "ReEncrypt",
		"GenerateDataKey", "GenerateRandom", "GenerateMac", "Sign", "Verify", "Derive", "Encapsulate", "Decapsulate", "AssumeRole"} {
		if strings.HasPrefix(operation, prefix) {
			return true
		}
	}
	return false
}

// fields returns the members of a request or response, or nil if it has none.
func fields(v any) map[string]any {
	if v == nil {
		return nil
	}
	raw, ok := v.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			return nil
		}
	}
	var m map[string]any
	if len(raw) == 0 || json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

// logged are the members of requests that events show: none of them can hold a secret. What is not
// here is left out, so that a new operation gives nothing away.
var logged = set(`
	AliasName AttributeKey AttributeValue BypassPolicyLockoutSafetyCheck CloudHsmClusterId Constraints CustomKeyStoreId
	CustomKeyStoreName CustomKeyStoreType CustomerMasterKeySpec DeletionProtection Description
	DestinationEncryptionAlgorithm DestinationEncryptionContext DestinationKeyId DigestTipAddress DryRun
	EncryptionAlgorithm EncryptionContext EndTime ExpirationModel GrantId GranteePrincipal GranteeServicePrincipal
	GrantType ImportType KeyAgreementAlgorithm KeyId KeyMaterialDescription KeyMaterialId KeyPairSpec KeySpec KeyUsage
	KmsKey Limit LookupAttributes MacAlgorithm Marker MaxResults MessageType Name NewKeyStoreName NumberOfBytes
	Operations Origin MultiRegion PendingWindowInDays PermissionsMode Policy PolicyName PrimaryRegion ReplicaRegion
	ResourceArn RetiringPrincipal RetiringServicePrincipal RotationPeriodInDays SigningAlgorithm
	SourceEncryptionAlgorithm SourceEncryptionContext SourceKeyId StartTime TagKeys Tags TargetKeyId ValidTo
	WrappingAlgorithm WrappingKeySpec LedgerName RoleArn RoleSessionName DurationSeconds StackName OnFailure
	Capabilities StackStatusFilter LogicalResourceId BlockAddress DocumentId InclusiveStartTime ExclusiveEndTime
	RoleName UserName XksProxyConnectivity XksProxyUriEndpoint XksProxyUriPath XksKeyId
	`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		m[word] = true
	}
	return m
}

// free are the members whose own members are somebody's words, and stay as they are.
var free = map[string]bool{"EncryptionContext": true, "SourceEncryptionContext": true, "DestinationEncryptionContext": true,
	"EncryptionContextSubset": true, "EncryptionContextEquals": true, "Tags": true}

// parameters returns the request as an event shows it, or nil.
func parameters(source string, request map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range request {
		if logged[name] && v != nil {
			out[camel(name)] = shown(name, v, source)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// responses are the operations whose answers events show, and which members of it.
var responses = map[string][]string{
	"CreateKey": {"KeyMetadata"}, "ReplicateKey": {"ReplicaKeyMetadata", "ReplicaPolicy"},
	"CreateGrant": {"GrantId", "KeyId"}, "ScheduleKeyDeletion": {"KeyId", "KeyState", "DeletionDate"},
	"CancelKeyDeletion": {"KeyId"}, "CreateCustomKeyStore": {"CustomKeyStoreId"},
	"RotateKeyOnDemand": {"KeyId"}, "ImportKeyMaterial": {"KeyId", "KeyMaterialId"},
	"CreateLedger":                {"Name", "Arn", "State", "CreationDateTime", "PermissionsMode", "DeletionProtection", "KmsKeyArn"},
	"UpdateLedger":                {"Name", "Arn", "State", "CreationDateTime", "DeletionProtection", "EncryptionDescription"},
	"UpdateLedgerPermissionsMode": {"Name", "Arn", "PermissionsMode"},
	"AssumeRole":                  {"AssumedRoleUser"},
}

func elements(operation string, response map[string]any) map[string]any {
	out := map[string]any{}
	for _, name := range responses[operation] {
		if v, ok := response[name]; ok && v != nil {
			out[camel(name)] = shown(name, v, "")
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// camel is CloudTrail's way with names: only the first letter becomes small (aWSAccountId).
func camel(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// shown returns a member's value as events show it: names in camel case, dates in words.
func shown(name string, v any, source string) any {
	if free[name] && source != "" {
		if list, ok := v.([]any); ok { // KMS's tags are a list of pairs
			return lowered(list)
		}
		return v
	}
	if n, ok := v.(float64); ok && (strings.HasSuffix(name, "Date") || strings.HasSuffix(name, "DateTime") || name == "ValidTo") {
		// The layout of the one example there is, "Apr 12, 2021 18:58:30 PM".
		return time.UnixMilli(int64(n * 1000)).UTC().Format("Jan 2, 2006 15:04:05 PM")
	}
	return lowered(v)
}

func lowered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, v := range v {
			if name == "" {
				continue
			}
			if free[name] {
				out[camel(name)] = v
			} else {
				out[camel(name)] = shown(name, v, "")
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, v := range v {
			out[i] = lowered(v)
		}
		return out
	}
	return v
}

// keyARN finds a key's ARN in a message: many refusals of KMS begin with it.
var keyARN = regexp.MustCompile(`arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+`)

// resources lists what a call was about: the alias and the key of KMS, the ledger of QLDB, a role.
func (l *Log) resources(c *Call, request, response map[string]any) []resource {
	var all []resource
	add := func(arn string) {
		if len(arn) > maxARN {
			return // of something that cannot be
		}
		for _, r := range all {
			if r.ARN == arn {
				return
			}
		}
		all = append(all, l.resource(arn))
	}
	text := func(m map[string]any, names ...string) string {
		for _, name := range names {
			if s, _ := m[name].(string); s != "" {
				return s
			}
		}
		return ""
	}
	switch c.Source {
	case "kms.amazonaws.com":
		if alias := text(request, "AliasName"); strings.HasPrefix(alias, "alias/") {
			add("arn:aws:kms:" + l.o.Region + ":" + l.o.Account + ":" + alias)
		}
		found := false
		for _, name := range []string{"SourceKeyId", "KeyId"} { // ReEncrypt has two
			if arn := l.key(text(response, name)); arn != "" {
				add(arn)
				found = true
			}
		}
		if m, ok := response["KeyMetadata"].(map[string]any); ok {
			add(text(m, "Arn"))
			found = true
		}
		for _, name := range []string{"SourceKeyId", "DestinationKeyId", "TargetKeyId", "KeyId"} {
			if arn := l.key(text(request, name)); arn != "" && (!found || name == "TargetKeyId") {
				add(arn)
			}
		}
		if arn := keyARN.FindString(c.Message); arn != "" {
			add(arn)
		}
	case "qldb.amazonaws.com":
		switch arn, name := text(request, "ResourceArn"), text(request, "Name", "LedgerName"); {
		case arn != "":
			add(arn)
		case name != "":
			add("arn:aws:qldb:" + l.o.Region + ":" + l.o.Account + ":ledger/" + name)
		}
	case "sts.amazonaws.com":
		if arn := text(request, "RoleArn"); arn != "" {
			add(arn)
		}
	}
	return all
}

// key returns the ARN of a key given by ARN or id, or "" for an alias or nothing.
func (l *Log) key(id string) string {
	switch {
	case id == "", strings.HasPrefix(id, "alias/"):
		return ""
	case strings.HasPrefix(id, "arn:"):
		if !keyARN.MatchString(id) {
			return ""
		}
		return id
	}
	return "arn:aws:kms:" + l.o.Region + ":" + l.o.Account + ":key/" + id
}

func keyID(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func (l *Log) resource(arn string) resource {
	r := resource{AccountID: l.o.Account, ARN: arn}
	switch a, _ := iam.ParseARN(arn); {
	case a.Service == "kms" && strings.HasPrefix(a.Resource, "alias/"):
		r.Type = "AWS::KMS::Alias"
	case a.Service == "kms":
		r.Type = "AWS::KMS::Key"
	case a.Service == "qldb":
		r.Type = "AWS::QLDB::Ledger"
	case a.Service == "iam":
		r.Type = "AWS::IAM::Role"
	}
	return r
}
