package result

import (
	"encoding/json"
	"fmt"
)

// A Class says how a request ended. The set is closed: every request of every run ends in exactly
// one of these, whatever its status, body or error was, so that classes can be array indexes on the
// hot path and metric labels without a limit to worry about.
type Class uint8

// The classes. Their order is part of nothing; their names are part of run.json.
const (
	OK                 Class = iota // answered, and every check on the answer held
	KeyInaccessible                 // the service cannot use its key ("does not have grant access …")
	AccessDenied                    // the caller may not use the key, or the service
	KeyDisabled                     // KMS said DisabledException
	KeyPendingDeletion              // KMS said KMSInvalidStateException: … is pending deletion
	Throttled                       // 429, ThrottlingException
	NotFound                        // the record does not exist
	ClientError                     // any other 4xx
	ServerError                     // any other 5xx
	Timeout                         // no complete answer in time: it may have happened
	ConnectionRefused               // nobody listens
	ConnectionReset                 // the connection broke before the answer was complete
	DNS                             // the name does not resolve
	TLS                             // the handshake failed
	BadResponse                     // not HTTP
	CheckFailed                     // a good answer in which a check of the script did not hold
	CaptureFailed                   // the request could not be made: a value it needs is missing
	Dropped                         // never sent: every virtual user was busy

	// Classes is the number of classes, for arrays indexed by Class.
	Classes
)

var classNames = [Classes]string{
	"OK", "KeyInaccessible", "AccessDenied", "KeyDisabled", "KeyPendingDeletion", "Throttled", "NotFound",
	"ClientError", "ServerError", "Timeout", "ConnectionRefused", "ConnectionReset", "DNS", "TLS",
	"BadResponse", "CheckFailed", "CaptureFailed", "Dropped",
}

// ClassNames returns the names of all classes in their order.
func ClassNames() []string { return append([]string(nil), classNames[:]...) }

func (c Class) String() string {
	if c < Classes {
		return classNames[c]
	}
	return fmt.Sprintf("Class(%d)", uint8(c))
}

// ParseClass returns the class called name.
func ParseClass(name string) (Class, bool) {
	for i, n := range classNames {
		if n == name {
			return Class(i), true
		}
	}
	return 0, false
}

// MarshalText writes the class's name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the class's name.
func (c *Class) UnmarshalText(b []byte) error {
	got, ok := ParseClass(string(b))
	if !ok {
		return fmt.Errorf("unknown class %q", b)
	}
	*c = got
	return nil
}

// An Outcome is what is known about a request's effect.
type Outcome uint8

// The three outcomes. Unknown is not a kind of failure: a create that timed out may have happened.
const (
	Succeeded Outcome = iota
	Failed
	Unknown
)

func (o Outcome) String() string {
	switch o {
	case Succeeded:
		return "ok"
	case Failed:
		return "failed"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Outcome returns what the class says about the request's effect.
func (c Class) Outcome() Outcome {
	switch c {
	case OK:
		return Succeeded
	case Timeout, ConnectionReset, BadResponse:
		return Unknown
	default:
		return Failed
	}
}

// Counts counts requests by class. The zero value counts nothing.
type Counts [Classes]uint64

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	for i, n := range o {
		c[i] += n
	}
}

// Total returns how many requests were counted, whatever their class; dropped ones count.
func (c Counts) Total() (n uint64) {
	for _, v := range c {
		n += v
	}
	return n
}

// Bad returns how many requests were not OK.
func (c Counts) Bad() uint64 { return c.Total() - c[OK] }

// Availability returns succeeded ÷ due, and 0 when nothing was due.
func (c Counts) Availability() float64 {
	if t := c.Total(); t > 0 {
		return float64(c[OK]) / float64(t)
	}
	return 0
}

// Worst returns the class other than OK that was counted most often, and false when all were OK.
func (c Counts) Worst() (Class, bool) {
	worst := OK
	for i, n := range c {
		if Class(i) != OK && n > 0 && (worst == OK || n > c[worst]) {
			worst = Class(i)
		}
	}
	return worst, worst != OK
}

// MarshalJSON writes the classes that occurred, as an object of name and count.
func (c Counts) MarshalJSON() ([]byte, error) {
	m := map[Class]uint64{}
	for i, n := range c {
		if n > 0 {
			m[Class(i)] = n
		}
	}
	return json.Marshal(m)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Counts) UnmarshalJSON(b []byte) error {
	var m map[Class]uint64
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*c = Counts{}
	for k, n := range m {
		c[k] = n
	}
	return nil
}
