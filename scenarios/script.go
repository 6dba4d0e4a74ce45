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

// String returns file:line:col, which every editor can follow, or the name of a flag alone.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// A Script is one file: what load to apply, what to break meanwhile, and what must hold.
type Script struct {
	File      string // as it was named
	Name      string // File without folder and ending
	Source    []byte
	Config    Config
	Before    []Step     // played once before the load; what it captures every virtual user starts with
	After     []Step     // played once after it
	Scenarios []Scenario // at least one
	Faults    []Fault
	Notes     []Note // what we do saner than Artillery; to be printed once

	inputs []input
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
	Phases    []Phase // one after another; a scenario with phases of its own is not among their scenarios
	HTTP      HTTP
	TLS       TLS
	Variables []Variable // in the order written
	Payloads  []Payload  // CSV files whose rows become variables
	Processor string     // a JavaScript file, relative to the script's folder; "" means none
	ProcPos   Pos
	Classify  []ClassRule // tried before the built-in rules, first match wins
	Ensure    []Threshold // conditions on the whole run
	// Conditions are expressions over the run's metrics, from config.ensure.
	Conditions []Condition
	Apdex      time.Duration // the response time users are satisfied with; 0 means nobody asked
	Drain      time.Duration // how long answers may take after the last arrival; default 30s
	MaxUsers   int           // virtual users alive at once; default 10,000
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
	Cookies []Field       // in every virtual user's jar from its start
	Pool    int           // most connections at once, shared by all virtual users; 0 means as many as are needed
	// OwnConnection gives every virtual user connections of its own, closed when its flow is over,
	// instead of those of a pool.
	OwnConnection bool
	Version       HTTPVersion
	Quantum       time.Duration // arrivals that fall due within one are released together; default 0: each by itself
	SigV4         *SigV4        // signs every request; nil means no signature
	LaxCapture    bool          // captures are not strict unless they say so
	ThinkJitter   Jitter        // of every think step
	Redirects     int           // most redirects that are followed for one request; default 10
	Tracing       bool          // every request carries a traceparent header
}

// HTTPVersion says which HTTP to speak.
type HTTPVersion uint8

// The versions.
const (
	HTTP1 HTTPVersion = iota // HTTP/1.1
	HTTP2                    // HTTP/2, by ALPN over TLS or with prior knowledge over TCP
)

// SigV4 says for whom requests are signed (AWS Signature Version 4).
type SigV4 struct {
	Pos
	Service string // default execute-api
	Region  string // default config.aws.region
}

// Jitter varies think time evenly by up to Share of it, or by up to Most, in both directions.
type Jitter struct {
	Share float64
	Most  time.Duration
}

// TLS tunes secure connections.
type TLS struct {
	Pos
	Insecure   bool   // certificates are not verified
	ServerName string // to verify, and to ask for; "" means the URL's
	CA         string // PEM: a file, relative to the script's folder, or what it holds; "" means the system's roots
	Cert, Key  string // of the client, likewise; "" means none
}

// A Payload is a CSV file of which every virtual user gets a row.
type Payload struct {
	Pos
	Path      string // relative to the script's folder
	PathPos   Pos
	Fields    []string // variables, one per column; empty: the names in the file's first line
	Order     Order
	Header    bool   // the first line is no row
	Delimiter rune   // default ','
	Text      bool   // cells stay texts; otherwise numbers, true and false get their types
	KeepEmpty bool   // empty lines are rows
	Comment   rune   // makes a comment of the line it begins; 0 means none
	FromLine  int    // lines before it are not read; 0 means 1
	Name      string // with All: the variable that holds the whole table
	All       bool   // every virtual user sees all rows as one list
}

// An Order says which row of a payload a virtual user gets.
type Order uint8

// The orders.
const (
	RandomRow     Order = iota // any, as often as it comes
	SequentialRow              // one after another, from the first again after the last
	OnceRow                    // one after another, each exactly once: with none left, a request that needs one is not made
)

// A Condition is an expression over the run's metrics that must hold.
type Condition struct {
	Pos
	Source string // as written
	Lax    bool   // it is reported, and does not fail the run
}

// A Phase is a stretch of time in which the arrival rate moves linearly from From to To. Equal rates
// make a plateau; zero rates make a pause.
type Phase struct {
	Pos
	Name     string
	Duration time.Duration
	From, To float64       // arrivals per second
	Poisson  bool          // gaps are exponential with the rate as their mean, instead of even
	Every    time.Duration // with Burst: how often one comes, the first when the phase begins; 0 means no bursts
	Burst    int           // arrivals that come at once, in place of From and To
	MaxUsers int           // virtual users alive at once during this phase; 0 means Config.MaxUsers
	Scenario int           // index of the only scenario its arrivals play, or -1: all that have no phases of their own, by weight
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
	Phases []Phase // of its own, beside config.phases from the run's beginning; nil: it takes part in those
	// Functions of the processor, in the order they are called: around the flow, around each of its
	// requests, and after a flow that did not end well.
	BeforeScenario, AfterScenario, BeforeRequest, AfterResponse, OnError []Func
}

// A Func names a function of the processor.
type Func struct {
	Pos
	Name string
}

// A StepKind says what a virtual user does at a step.
type StepKind uint8

// The kinds of steps.
const (
	Request  StepKind = iota // one HTTP exchange
	Think                    // a pause
	Log                      // a line on stderr
	Function                 // a function of the processor
	Loop                     // steps over and over
	Parallel                 // steps side by side
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
	Form    []FormPart // of a multipart/form-data body, in place of Body; nil means none
	Cookies []Field    // of this request, beside the jar's
	Auth    *Auth      // nil means none
	Stay    bool       // a redirect is the answer, and is not followed
	Gzip    bool       // compressed answers are asked for
	Capture []Capture
	Match   []Match // older form of a check: one that does not hold ends the flow
	Expect  Expect
	// If is an expression, or the name of a function of the processor; the request is made if it is
	// true. "" means always.
	If     string
	IfPos  Pos
	Skip   float64 // share of the times at which the request is not made, 0 to 1 (100 % − probability)
	Before []Func  // functions that prepare the request
	After  []Func  // functions that look at the answer

	Pause     time.Duration // of Think
	PauseText Template      // of Think whose pause has holes, in place of Pause
	Text      Template      // of Log
	Func      string        // of Function
	Loop      *LoopStep     // of Loop
	Steps     []Step        // of Loop and Parallel
	Limit     int           // of Parallel: how many run at once; 0 means 100
}

// A LoopStep says how often a loop goes round. Of Count, Over and While, those that are set apply;
// with none of them set it would never end, which is refused.
type LoopStep struct {
	Pos
	Count    bool // From to To, To not included
	From, To int
	// CountText is a count with holes ("{{ n }}", "1-{{ n }}"), in place of From and To.
	CountText Template
	Over      []any  // values: string, int64, float64, bool, nil, []any, map[string]any; nil: not set
	OverVar   string // variable that holds a list; "" means none
	While     Func   // function of the processor, called after each pass; "" means none
	Value     string // variable that counts; default $loopCount
	Element   string // variable that holds the element of Over; default $loopElement
}

// A Field is a name with a text.
type Field struct {
	Pos
	Name  string
	Value Template
}

// A FormPart is one part of a multipart/form-data body.
type FormPart struct {
	Pos
	Name        string
	Value       Template
	File        string // its content, relative to the script's folder, in place of Value; "" means none
	ContentType string // "" means none for a value, application/octet-stream for a file
}

// Auth is what basic authentication sends.
type Auth struct {
	Pos
	User, Password Template
}

// An Extractor says how a part of an answer is found.
type Extractor uint8

// The extractors.
const (
	JSONPath    Extractor = iota // Expr is a JSONPath into the body
	XPath                        // Expr is an XPath into the body
	Regexp                       // Expr is a regular expression over the body; Group is what it yields
	HeaderValue                  // Expr is the name of a header
	Selector                     // Expr is a CSS selector into the body; Attr and Index are what it yields
)

// A Capture takes a part of an answer into a variable.
type Capture struct {
	Pos
	From     Extractor
	Expr     Template
	Group    string // of Regexp: a number or a name; "" means the whole match
	Flags    string // of Regexp: of JavaScript's, such as "i"
	Attr     string // of Selector: an attribute; "" means the text
	Index    string // of Selector: a number, "first", "last" or "random"; "" means the first; of XPath and JSONPath likewise
	Multiple bool   // of JSONPath: all results, as a list, not one of them
	As       string // variable; "" in a Match
	Strict   bool   // nothing found fails the request
}

// A Match compares a part of an answer with a text.
type Match struct {
	Capture
	Value Template
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
	NotStatus   []int  // none of these
	ContentType string // "json" or a media type; "" means any
	Contains    []Check
}

// A Check is one further condition on an answer.
type Check struct {
	Pos
	Kind   CheckKind
	Name   string // of a header or property; a JMESPath expression
	Value  Template
	Values []Template // of AllEqual
	Cached bool       // of FromCache: whether it must have come from one
}

// A CheckKind says what a Check looks at.
type CheckKind uint8

// The kinds of checks.
const (
	HasHeader     CheckKind = iota // the header Name is present
	HeaderEquals                   // the header Name has the value Value
	HasProperty                    // the JSON body has something at the path Name
	MatchesRegexp                  // the body matches Value
	LacksProperty                  // the JSON body has nothing at the path Name
	AllEqual                       // all of Values are the same text
	FromCache                      // the answer came, or did not come, from a content delivery network's cache
	JMESPath                       // the expression Name, over the JSON body, yields Value or, without one, something true
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
	DenyKey         Action = "deny-key"

	RevokeGrant         Action = "revoke-grant"
	Run                 Action = "run"
	RotateKey           Action = "rotate-key"
	DeleteKeyMaterial   Action = "delete-key-material"
	DisconnectKeyStore  Action = "disconnect-key-store"
	ScheduleKeyDeletion Action = "schedule-key-deletion"
)

// A Denial says how deny-key denies.
type Denial string

// The modes.
const (
	ByDeny    Denial = "deny"   // by a statement that denies; the default
	ByRemoval Denial = "remove" // by removing the role from the statements that allow it something
)

// A Fault is one thing to break on purpose, for a while.
type Fault struct {
	Pos
	Name   string // default: action and target as written
	Do     Action
	Key    Template // of actions on a key
	Alias  Template // rotate-alias
	Ledger Template // update-ledger-key, revoke-grant
	To     Template // the other key, of rotate-alias and update-ledger-key
	Role   Template // whom deny-key denies
	Mode   Denial   // of deny-key; "" means ByDeny
	// Which grant revoke-grant revokes, unless it is that of Ledger: one to a principal, or of a name or id.
	Grantee, Grant Template
	// What run runs: a program and its arguments, to break, to undo that, and to see whether it is undone.
	// Check is nil if there is none.
	Command, Undo, Check []Template
	OneWay               bool // the script knows that rotate-key cannot be undone
	// Material is the file that delete-key-material imports again, relative to the script's folder.
	Material Template
	KeyStore Template // of disconnect-key-store, by name or id; none: the one of Key
	At       When
	For      time.Duration // 0 means until the run ends
	Expect   []Expectation // at most one per scope, in the order before, during, after
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
