// Package scenarios is the language loadkms speaks, and the library of scripts written in it.
//
// The language is the Artillery test-script dialect, made strict, plus faults. A file is parsed once,
// into a [Script] whose durations, rates, templates and conditions are already typed and whose every
// part remembers its place in the file. The package knows no HTTP, no AWS and no clock.
package scenarios

import (
	"fmt"
	"time"

	"loadkms/result"
)

// A Pos is a place in a script. Col counts characters from 1, as editors do.
type Pos struct {
	File      string
	Line, Col int
}

// String returns file:line:col, which every editor can follow.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

// A Script is one file: what load to apply, what to break meanwhile, and what must hold.
type Script struct {
	File      string // as it was named
	Name      string // File without folder and ending
	Source    []byte
	Config    Config
	Scenarios []Scenario // at least one
	Faults    []Fault
	Notes     []Note // what we do saner than Artillery; to be printed once
}

// A Note tells the user of an Artillery script that we do something else, and what.
type Note struct {
	Pos
	Text string
}

// Config is everything but flows and faults.
type Config struct {
	Target    string // "sandbox", a base URL, or "" if only the command line names it
	TargetPos Pos
	AWS       AWS
	Sandbox   Sandbox
	Phases    []Phase
	HTTP      HTTP
	Variables []Variable // in the order written
	Processor string     // a JavaScript file, relative to the script's folder; "" means none
	ProcPos   Pos
	Classify  []ClassRule   // tried before the built-in rules, first match wins
	Ensure    []Threshold   // conditions on the whole run
	Drain     time.Duration // how long answers may take after the last arrival; default 30s
	MaxUsers  int           // virtual users alive at once; default 10,000
	// MaxLateness is the lateness of the generator, at p99, beyond which what it measured may be its
	// own slowness, and the run is inconclusive; default 10ms.
	MaxLateness time.Duration
}

// AWS says which AWS the faults change.
type AWS struct {
	Pos
	Region   string // "" means the SDK's default chain decides
	Endpoint string // "" means AWS itself, or what AWS_ENDPOINT_URL says
	Stack    string // CloudFormation stack whose outputs are {{ stack.NAME }}; "" means none
	Ledger   string // QLDB ledger to watch while faults are in force; "" means none
}

// Sandbox tunes the embedded sandbox; zero values mean its own defaults.
type Sandbox struct {
	Pos
	Speed         float64       // sandbox seconds per second; default 1
	Alias         string        // "follow" (default) or "pinned"
	KeyCache      time.Duration // sandbox time a decrypted key is kept
	RecoveryProbe time.Duration // sandbox time between looks at an inaccessible key
	LedgerUpdate  time.Duration // sandbox time a key change takes
}

// HTTP tunes the client.
type HTTP struct {
	Timeout time.Duration // for one request, connecting included; default 10s
	Headers []Header      // sent with every request unless the step has its own
}

// A Phase is a stretch of time in which the arrival rate moves linearly from From to To. Equal rates
// make a plateau; zero rates make a pause.
type Phase struct {
	Pos
	Name     string
	Duration time.Duration
	From, To float64 // arrivals per second
	MaxUsers int     // virtual users alive at once during this phase; 0 means Config.MaxUsers
	Scenario int     // index of the only scenario its arrivals play, or -1: all of them, by weight
}

// A Variable is a name templates can use. A list picks one value for every virtual user.
type Variable struct {
	Pos
	Name   string
	Values []string // exactly one unless a list was written
	Typed  []any    // the same as YAML scalars: string, int64, float64, bool
}

// A Scenario is one weighted flow.
type Scenario struct {
	Pos
	Name   string  // "" if the script gives none and it is the only one
	Weight float64 // relative; default 1
	Flow   []Step
}

// A StepKind says what a virtual user does at a step.
type StepKind uint8

// The kinds of steps.
const (
	Request  StepKind = iota // one HTTP exchange
	Think                    // a pause
	Log                      // a line on stderr
	Function                 // a function of the processor
)

// A Step is one entry of a flow.
type Step struct {
	Pos
	Kind    StepKind
	Name    string // of a request, for reports; default "METHOD url as written"
	Method  string // upper case
	URL     Template
	Headers []Header
	Body    Template // no parts means no body; content type is among Headers
	HasBody bool
	Expect  Expect
	Pause   time.Duration // of Think
	Text    Template      // of Log
	Func    string        // of Function
}

// A Header is one request header. Its name is canonical.
type Header struct {
	Pos
	Name  string
	Value Template
}

// Expect is what must hold for one answer. The zero value means any 2xx or 3xx.
type Expect struct {
	Pos
	Status      []int  // any of these; nil means 2xx or 3xx
	ContentType string // "json" or a media type; "" means any
	Contains    []Check
}

// A Check is one further condition on an answer.
type Check struct {
	Pos
	Kind  CheckKind
	Name  string // of a header or property
	Value Template
}

// A CheckKind says what a Check looks at.
type CheckKind uint8

// The kinds of checks.
const (
	HasHeader     CheckKind = iota // the header Name is present
	HeaderEquals                   // the header Name has the value Value
	HasProperty                    // the JSON body has something at the path Name
	MatchesRegexp                  // the body matches Value
)

// A ClassRule gives answers a class. All conditions that are set must hold.
type ClassRule struct {
	Pos
	Class    result.Class
	Status   []int  // any of these; nil means any
	Contains string // in the body; "" means anything
}

// A Threshold is a condition on the whole run: Metric must stay below Max, or not above it.
type Threshold struct {
	Pos
	Metric    string  // as written: http.response_time.p99, maxErrorRate, …
	Max       float64 // milliseconds for times, percent for rates, else a count
	Inclusive bool    // Max itself is still good
}

// An Action says how a fault breaks its target: an entry of the catalog.
type Action string

// The actions.
const (
	RotateAlias     Action = "rotate-alias"
	UpdateLedgerKey Action = "update-ledger-key"
	DisableKey      Action = "disable-key"
)

// A Fault is one thing to break on purpose, for a while.
type Fault struct {
	Pos
	Name   string // default: action and target as written
	Do     Action
	Key    Template // disable-key
	Alias  Template // rotate-alias
	Ledger Template // update-ledger-key
	To     Template // the other key, of rotate-alias and update-ledger-key
	At     When
	For    time.Duration // 0 means until the run ends
	Expect []Expectation // at most one per scope, in the order before, during, after
}

// When is a moment of the run: an offset from the run's beginning, or from a phase's.
type When struct {
	Pos
	Phase  int // index of Config.Phases, or -1
	Offset time.Duration
}

// A Scope is a part of the run as one fault divides it.
type Scope string

// The scopes.
const (
	Before Scope = "before"
	During Scope = "during"
	After  Scope = "after"
)

// An Expectation is what must hold in one scope of a fault. Conditions that are not set do not apply.
type Expectation struct {
	Pos
	Scope   Scope
	Succeed float64 // least share of good answers, 0 to 1; negative means not set
	Fail    *result.Class
	Never   []result.Class
	Limits  []Limit
	Within  time.Duration // time allowed until Succeed or Fail holds; 0 means at once
}

// A Limit bounds one quantile of the response time, absolutely or as a factor of the same step's
// value in the scope before the fault.
type Limit struct {
	Pos
	Quantile float64 // 0.5, 0.95, 0.99, 0.999
	Max      time.Duration
	Factor   float64 // 0 means Max applies
}
