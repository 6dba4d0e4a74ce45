// Package trail is the sandbox's CloudTrail: a bounded log of who called what, in the shapes of
// CloudTrail's records, and LookupEvents over it. It sees no call by itself: whoever does tells it with
// [Log.Record]. It keeps no secret: of requests and responses only members known to be harmless.
package trail

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/clock"
	"loadkms/sandbox/iam"
)

// Options say what a [Log] is like. Account, Region and Clock are required.
type Options struct {
	Account, Region string
	Clock           *clock.Clock
	// Delay is how long events take to be found by LookupEvents, in sandbox time; 0 means no time. AWS
	// says "within about 5 minutes on average".
	Delay time.Duration
	// Capacity is how many events it keeps, the newest ones; 0 means 10000. An event takes about 2 KiB, and
	// all together at most some 64 MiB, however much clients send in each: beyond, the oldest go sooner.
	Capacity int
	// Quota limits LookupEvents to two requests in a second of real time, as AWS does.
	Quota bool
}

// retention is how long events can be found, as for CloudTrail's event history.
const retention = 90 * 24 * time.Hour

// A Log is the events of one account and Region. It is safe for use by many goroutines.
type Log struct {
	o     Options
	began time.Time // sandbox time

	mu     sync.Mutex // guards the fields below, for a copy
	events []*Event   // a ring: the event numbered n is at n modulo the capacity
	first  uint64     // the number of the oldest event that is kept
	next   uint64     // the number of the next event, counted from 0
	size   int        // of the events that are kept, in bytes
	room   int        // what size may be at most
	bucket float64    // requests to LookupEvents that Quota still allows
	filled time.Time  // when bucket was right, in real time
}

// New returns an empty log.
func New(o Options) *Log {
	if o.Capacity <= 0 {
		o.Capacity = 10000
	}
	return &Log{o: o, began: o.Clock.Now(), room: maxSize, bucket: lookupRate, filled: time.Now()}
}

// A Call is one call to a service, as it went over.
type Call struct {
	Source    string // kms.amazonaws.com
	Operation string
	Caller    iam.Caller
	AccessKey string // "" if the call was not signed by a client
	// Address and Agent say where it came from; for a service's calls both are the service's name.
	Address, Agent string
	InvokedBy      string // the service that made the call for the caller; "": as Caller.Via has it
	RequestID      string // "" gets a new one
	EventID        string // of a service that tells it elsewhere, too; "" gets a new one
	// Request and Response have a JSON form with the members' names as on the wire. They may hold
	// secrets; the log takes only what it knows. A json.RawMessage is read as it is.
	Request, Response any
	// Code and Message are those of the error; "" if there was none.
	Code, Message string
}

// Record adds a call. It does not keep what the call refers to.
func (l *Log) Record(c Call) { l.add(l.describe(&c)) }

// RecordService adds something that a service did to a key by itself: RotateKey, DeleteKey,
// DeleteExpiredKeyMaterial. at is when it happened; zero means now.
func (l *Log) RecordService(name, keyARN string, at time.Time) {
	if at.IsZero() {
		at = l.o.Clock.Now()
	}
	const internal = "AWS Internal"
	e := l.blank("kms.amazonaws.com", name, at)
	e.UserIdentity = identity{AccountID: l.o.Account, InvokedBy: internal}
	e.SourceIPAddress, e.UserAgent, e.EventType = internal, internal, "AwsServiceEvent"
	e.Resources = []resource{l.resource(keyARN)}
	e.ServiceEventDetails = map[string]any{"keyId": keyID(keyARN)}
	if name == "DeleteKey" {
		e.ServiceEventDetails = nil
	}
	l.add(e)
}

// maxSize bounds the events that are kept together, in bytes: three times what 10000 of them usually take.
const maxSize = 64 << 20

func (l *Log) add(e *Event) {
	e.size = e.weigh()
	l.mu.Lock()
	defer l.mu.Unlock()
	ring := uint64(l.o.Capacity)
	if len(l.events) < l.o.Capacity {
		l.events = append(l.events, nil)
	}
	e.number = l.next
	l.next++
	l.size += e.size
	for l.first < e.number && (l.next-l.first > ring || l.size > l.room) {
		l.size -= l.events[l.first%ring].size
		l.events[l.first%ring] = nil
		l.first++
	}
	l.events[e.number%ring] = e
}

// Recent returns the last n events, the newest first, whether they can be looked up already or not.
func (l *Log) Recent(n int) []*Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(n, int(l.next-l.first))
	all := make([]*Event, 0, n)
	for i := range uint64(n) {
		all = append(all, l.events[(l.next-1-i)%uint64(l.o.Capacity)])
	}
	return all
}

func (l *Log) blank(source, name string, at time.Time) *Event {
	return &Event{EventVersion: "1.08", EventTime: at.UTC().Truncate(time.Second), EventSource: source, EventName: name,
		AWSRegion: l.o.Region, EventID: uuid.NewString(), ManagementEvent: true, RecipientAccountID: l.o.Account,
		EventCategory: "Management", EventType: "AwsApiCall", at: at}
}
