package trail

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The beginnings of X-Amz-Target in requests to CloudTrail: botocore sends the whole name of the
// service, and the SDK for Go, whose model is the newer one, the last part.
const (
	target     = "CloudTrail_20131101."
	longTarget = "com.amazonaws.cloudtrail.v20131101." + target
)

// Serves reports whether a request is for CloudTrail, by its X-Amz-Target.
func Serves(r *http.Request) bool {
	is := r.Header.Get("X-Amz-Target")
	return strings.HasPrefix(is, target) || strings.HasPrefix(is, longTarget)
}

// An Error is a refusal by CloudTrail, as a client sees it.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return "cloudtrail: " + e.Code + ": " + e.Message }

// A LookupEventsRequest says which events to find. All of it is optional.
type LookupEventsRequest struct {
	LookupAttributes   []LookupAttribute
	StartTime, EndTime *float64 // seconds since 1970
	EventCategory      string   // "" or insight, of which the sandbox has none
	MaxResults         *int     // 1 to 50; default 50
	NextToken          string
}

// A LookupAttribute is one condition on events.
type LookupAttribute struct{ AttributeKey, AttributeValue string }

// A LookupEventsResponse is a page of events, the newest first.
type LookupEventsResponse struct {
	Events    []FoundEvent
	NextToken string `json:",omitempty"`
}

// A FoundEvent is an event as LookupEvents shows it.
type FoundEvent struct {
	EventId         string
	EventName       string
	ReadOnly        string // "true" or "false"
	AccessKeyId     string `json:",omitempty"`
	EventTime       float64
	EventSource     string
	Username        string `json:",omitempty"`
	Resources       []FoundResource
	CloudTrailEvent string // the whole record, as JSON
}

// A FoundResource is a resource of a found event.
type FoundResource struct{ ResourceType, ResourceName string }

// lookups says whether an event has an attribute.
var lookups = map[string]func(e *Event, value string) bool{
	"EventId":     func(e *Event, v string) bool { return e.EventID == v },
	"EventName":   func(e *Event, v string) bool { return e.EventName == v },
	"ReadOnly":    func(e *Event, v string) bool { return strconv.FormatBool(e.ReadOnly) == v },
	"Username":    func(e *Event, v string) bool { return e.username() == v && v != "" },
	"EventSource": func(e *Event, v string) bool { return e.EventSource == v },
	"AccessKeyId": func(e *Event, v string) bool { return e.accessKey == v && v != "" },
	"ResourceType": func(e *Event, v string) bool {
		return e.about(func(r resource) bool { return r.Type == v })
	},
	"ResourceName": func(e *Event, v string) bool {
		return e.about(func(r resource) bool { return r.ARN == v })
	},
}

func (e *Event) about(f func(resource) bool) bool {
	for _, r := range e.Resources {
		if f(r) {
			return true
		}
	}
	return false
}

// lookupRate is how many requests a second AWS allows in an account and Region.
const lookupRate = 2

// LookupEvents finds events. The error is nil or an *[Error].
func (l *Log) LookupEvents(in *LookupEventsRequest) (*LookupEventsResponse, error) {
	if !l.admit() {
		return nil, &Error{"ThrottlingException", "Rate exceeded"}
	}
	match := func(*Event) bool { return true }
	switch len(in.LookupAttributes) {
	case 0:
	case 1:
		a := in.LookupAttributes[0]
		f, ok := lookups[a.AttributeKey]
		if !ok {
			return nil, &Error{"ValidationException", fmt.Sprintf("1 validation error detected: Value '%s' at "+
				"'lookupAttributes.1.member.attributeKey' failed to satisfy constraint: Member must satisfy enum value set: "+
				"[EventId, EventName, ReadOnly, Username, ResourceType, ResourceName, EventSource, AccessKeyId]", a.AttributeKey)}
		}
		if a.AttributeValue == "" || len(a.AttributeValue) > 2000 {
			return nil, &Error{"InvalidLookupAttributesException", "The lookup attribute value must have 1 to 2000 characters."}
		}
		match = func(e *Event) bool { return f(e, a.AttributeValue) }
	default:
		return nil, &Error{"InvalidLookupAttributesException", "You can only provide one lookup attribute."}
	}
	page := 50
	if in.MaxResults != nil {
		if page = *in.MaxResults; page < 1 || page > 50 {
			return nil, &Error{"InvalidMaxResultsException", "A value for MaxResults must be between 1 and 50."}
		}
	}
	now := l.o.Clock.Now()
	from, to := now.Add(-retention), now.Add(-l.o.Delay)
	start, end := time.Unix(0, 0), time.Unix(1<<40, 0)
	if in.StartTime != nil {
		start = seconds(*in.StartTime)
	}
	if in.EndTime != nil {
		end = seconds(*in.EndTime)
	}
	if start.After(end) {
		return nil, &Error{"InvalidTimeRangeException", "The start time must be before or equal to the end time."}
	}
	switch in.EventCategory {
	case "":
	case "insight":
		return &LookupEventsResponse{Events: []FoundEvent{}}, nil
	default:
		return nil, &Error{"InvalidEventCategoryException", "The event category " + in.EventCategory + " is not valid. The valid value is insight."}
	}
	before, err := in.resume()
	if err != nil {
		return nil, err
	}
	out := &LookupEventsResponse{Events: []FoundEvent{}}
	for _, e := range l.Recent(math.MaxInt32) {
		switch {
		case e.number >= before, e.at.After(to), e.at.Before(from), e.EventTime.Before(start), e.EventTime.After(end), !match(e):
			continue
		case len(out.Events) == page:
			out.NextToken = in.token(before)
			return out, nil
		}
		before = e.number
		out.Events = append(out.Events, e.found())
	}
	return out, nil
}

func seconds(s float64) time.Time { return time.UnixMilli(int64(min(max(s, -1e11), 1e11) * 1000)) }

// admit takes one request out of the quota and reports whether there was one left.
func (l *Log) admit() bool {
	if !l.o.Quota {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now() // a quota is about how fast requests arrive, which is in real time
	l.bucket = min(lookupRate, l.bucket+now.Sub(l.filled).Seconds()*lookupRate)
	l.filled = now
	if l.bucket < 1 {
		return false
	}
	l.bucket--
	return true
}

func (e *Event) found() FoundEvent {
	record, err := json.Marshal(e)
	if err != nil {
		panic(err) // what came from JSON, strings and times always have a JSON form
	}
	f := FoundEvent{EventId: e.EventID, EventName: e.EventName, ReadOnly: strconv.FormatBool(e.ReadOnly), AccessKeyId: e.accessKey,
		EventTime: float64(e.EventTime.Unix()), EventSource: e.EventSource, Username: e.username(), Resources: []FoundResource{},
		CloudTrailEvent: string(record)}
	for _, r := range e.Resources {
		f.Resources = append(f.Resources, FoundResource{r.Type, r.ARN})
	}
	return f
}

// question identifies what was asked, without the page.
func (in *LookupEventsRequest) question() string {
	q := *in
	q.NextToken, q.MaxResults = "", nil
	b, _ := json.Marshal(q) // strings and numbers always have a JSON form
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// token names the place in the log after which the next page begins. It is good for the same
// question only.
func (in *LookupEventsRequest) token(before uint64) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", in.question(), before))
}

func (in *LookupEventsRequest) resume() (uint64, error) {
	if in.NextToken == "" {
		return math.MaxUint64, nil
	}
	b, err := base64.StdEncoding.DecodeString(in.NextToken)
	question, number, ok := strings.Cut(string(b), " ")
	before, numberErr := strconv.ParseUint(number, 10, 64)
	if err != nil || numberErr != nil || !ok || question != in.question() {
		return 0, &Error{"InvalidNextTokenException", "The token is invalid, or belongs to another request."}
	}
	return before, nil
}

// maxBody bounds a request; LookupEvents takes a few hundred bytes.
const maxBody = 64 << 10

// ServeHTTP speaks CloudTrail's wire protocol, awsJson1_1. Whoever is in front has checked the
// authorization.
func (l *Log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("x-amzn-RequestId", uuid.NewString())
	out, err := l.serve(w, r)
	var refusal *Error
	if errors.As(err, &refusal) {
		w.Header().Set("x-amzn-ErrorType", refusal.Code)
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]string{"__type": refusal.Code, "message": refusal.Message}
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(err) // strings, numbers and lists always have a JSON form
	}
	w.Write(body) // a client that has gone needs no answer
}

func (l *Log) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, &Error{"SerializationException", "the request body is too large"}
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), target)
	if operation != "LookupEvents" {
		return nil, &Error{"UnknownOperationException", "The sandbox does not have the operation " + operation}
	}
	var in LookupEventsRequest
	if body = bytes.TrimSpace(body); len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, &Error{"SerializationException", "the request body is not valid JSON for this operation"}
		}
	}
	out, err := l.LookupEvents(&in)
	if err != nil {
		return nil, err
	}
	return out, nil
}
