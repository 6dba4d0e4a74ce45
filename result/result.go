// Package result is what a run leaves behind: plain values, and no behavior beyond arithmetic.
// Everything that reports, judges, stores or compares runs works from these types and from nothing
// else; run.json is a Run as is. The package imports nothing of ours, does no I/O, and knows no clock.
//
// All times are time.Durations since [Run.Began], on one monotonic clock (nanoseconds in JSON), so
// that requests and faults can be laid beside one another. [Never] stands for what did not happen.
package result

import "time"

// Schema is the version of run.json this code writes and reads.
const Schema = 1

// Never is the time of something that did not happen.
const Never time.Duration = -1

// A Run is one finished run. It is complete and never changes.
type Run struct {
	Schema      int           `json:"schema"`
	Version     string        `json:"version"`               // of the loadkms that made it
	Script      string        `json:"script"`                // the path or bare name that was run
	Name        string        `json:"name"`                  // the file's name without folder and ending
	Environment string        `json:"environment,omitempty"` // -e
	Target      string        `json:"target"`                // base URL of the API, without user info
	AWS         AWS           `json:"aws"`
	Seed        uint64        `json:"seed"`
	Began       time.Time     `json:"began"` // the only wall time in a run
	Took        time.Duration `json:"took"`
	Phases      []Phase       `json:"phases"`
	Steps       []Step        `json:"steps"`   // totals; everything called Step elsewhere indexes this
	Windows     []Window      `json:"windows"` // one per second, without gaps
	Spans       []Span        `json:"spans"`   // the run cut at every change of a fault
	Events      []Event       `json:"events"`  // in order
	Faults      []Fault       `json:"faults"`  // in the script's order
	Records     Records       `json:"records"`
	// StatusResponse holds the response times of all answers by the first digit of their status: "2xx" and
	// so on, of those that occurred.
	StatusResponse map[string]Distribution `json:"statusResponse,omitempty"`
	Sessions       Sessions                `json:"sessions,omitzero"`
	Connections    Connections             `json:"connections,omitzero"`
	Downloaded     uint64                  `json:"downloaded,omitempty"` // bytes of answers' bodies, as they came
	Apdex          *Apdex                  `json:"apdex,omitempty"`      // nil: the script does not ask for it
	Custom         *Custom                 `json:"custom,omitempty"`     // what the script's functions counted; nil: nothing
	Generator      Generator               `json:"generator"`
	Interrupted    string                  `json:"interrupted,omitempty"` // why the run ended early; "" means it did not
	Verdict        Verdict                 `json:"verdict"`
}

// AWS says which AWS the faults changed.
type AWS struct {
	Region   string `json:"region,omitempty"`
	Account  string `json:"account,omitempty"`
	Endpoint string `json:"endpoint,omitempty"` // "" means AWS itself
	Sandbox  bool   `json:"sandbox"`            // the sandbox inside this process
	// Speed is how many seconds of that sandbox a real one takes; 0 means 1. What a witness quotes
	// from AWS, such as the time since when a key is inaccessible, is in the sandbox's time.
	Speed float64 `json:"speed,omitempty"`
}

// A Phase is a stretch of the schedule. Phases of one track follow one another; a scenario with phases of
// its own has a track of its own beside the script's, so phases of different scenarios may overlap.
type Phase struct {
	Name     string        `json:"name"`
	Scenario string        `json:"scenario,omitempty"` // whose own phase it is; "" for config.phases
	From     time.Duration `json:"from"`
	To       time.Duration `json:"to"`
	Due      uint64        `json:"due,omitempty"`     // arrivals
	Dropped  uint64        `json:"dropped,omitempty"` // arrivals nobody was free to serve
	Steps    []PhaseStep   `json:"steps,omitempty"`   // those that occurred, ascending
}

// A PhaseStep is one step's share of the arrivals of a phase, whenever its requests ended.
type PhaseStep struct {
	Step     int          `json:"step"` // index of Run.Steps
	Classes  Counts       `json:"classes"`
	Response Distribution `json:"response"`
	Service  Distribution `json:"service"`
}

// A Step is one request of one scenario, with its totals over the whole run.
type Step struct {
	Scenario string       `json:"scenario"`
	Name     string       `json:"name"` // the script's name for it, or method and URL as written
	Classes  Counts       `json:"classes"`
	Response Distribution `json:"response"` // from intended start to last byte: what users felt
	Service  Distribution `json:"service"`  // from sent to last byte: what the server took
	// FirstByte is from sent to the first byte of the answer, of those that were answered, in whole
	// microseconds, rounded up.
	FirstByte Distribution   `json:"firstByte,omitzero"`
	Statuses  map[int]uint64 `json:"statuses,omitempty"` // answers by status, hops included
	Hops      uint64         `json:"hops,omitempty"`     // answers that only led to a further request, as redirects do; in no class
}

// Sessions are the flows that ended, each from the intended start of its arrival on.
type Sessions struct {
	Completed uint64       `json:"completed"` // went through to their end
	Failed    uint64       `json:"failed"`    // ended early, at a request that was not good
	Length    Distribution `json:"length"`    // of those completed
}

// Connections are those the generator opened to the target.
type Connections struct {
	Opened  uint64       `json:"opened"`
	Reused  uint64       `json:"reused"`  // requests on a connection that had been opened for another
	DNS     Distribution `json:"dns"`     // to resolve the name, where that was needed
	Connect Distribution `json:"connect"` // to connect
	TLS     Distribution `json:"tls"`     // to shake hands, where that was needed
}

// Custom is what the functions of a script counted and measured under names of their own.
type Custom struct {
	Counters   map[string]float64 `json:"counters,omitempty"`
	Rates      map[string]uint64  `json:"rates,omitempty"` // events
	Histograms map[string]Summary `json:"histograms,omitempty"`
	// Lost is how many values were not kept: there were too many different names, or it was no number.
	Lost uint64 `json:"lost,omitempty"`
}

// A Summary sums up a set of numbers without a unit. Its quantiles are upper bounds, at most 1/128 away
// from the true value; Min and Max are exact.
type Summary struct {
	Count uint64  `json:"count"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P75   float64 `json:"p75"`
	P90   float64 `json:"p90"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
}

// A Distribution sums up a set of durations. Its quantiles are upper bounds, at most 1/128 above the
// true value; Max is exact to the microsecond.
type Distribution struct {
	Count   uint64        `json:"count"`
	Mean    time.Duration `json:"mean"`
	Min     time.Duration `json:"min"`
	P50     time.Duration `json:"p50"`
	P90     time.Duration `json:"p90"`
	P95     time.Duration `json:"p95"`
	P99     time.Duration `json:"p99"`
	P999    time.Duration `json:"p999"`
	Max     time.Duration `json:"max"`
	Buckets []Bucket      `json:"buckets,omitempty"` // the non-empty ones, ascending; only where a reader needs the shape
}

// A Bucket counts the durations above the previous bucket's bound up to UpTo.
type Bucket struct {
	UpTo time.Duration `json:"upTo"`
	N    uint64        `json:"n"`
}

// A Window is one second of the run, cut by intended start: it holds the requests that were due in
// it, whenever they ended.
type Window struct {
	At      time.Duration `json:"at"`      // its beginning; it is one second long
	Due     uint64        `json:"due"`     // arrivals
	Dropped uint64        `json:"dropped"` // arrivals nobody was free to serve
	LateP99 time.Duration `json:"lateP99"` // lateness of the arrivals
	Steps   []StepWindow  `json:"steps"`   // indexed like Run.Steps
}

// A StepWindow is one step's share of a window.
type StepWindow struct {
	Classes  Counts        `json:"classes"`
	P50      time.Duration `json:"p50"` // response time
	P95      time.Duration `json:"p95"`
	P99      time.Duration `json:"p99"`
	Max      time.Duration `json:"max"`
	Service  time.Duration `json:"service99"` // p99 of the service time
	FirstOK  time.Duration `json:"firstOK"`   // when the first and last good and bad answers of the window
	LastOK   time.Duration `json:"lastOK"`    // were complete; Never if there were none. They may lie
	FirstBad time.Duration `json:"firstBad"`  // after the window's end.
	LastBad  time.Duration `json:"lastBad"`
}

// A Span is a stretch of the run during which no fault changed. A request belongs to a span only if
// it was sent and answered within it; one in flight at a boundary could have met either world and is
// counted in Straddling of the span it was sent in.
type Span struct {
	From   time.Duration `json:"from"`
	To     time.Duration `json:"to"`
	Active []int         `json:"active,omitempty"` // faults (indexes of Run.Faults) in force throughout
	Moving int           `json:"moving"`           // the fault being broken or restored just now, or -1
	Steps  []SpanStep    `json:"steps"`            // indexed like Run.Steps
}

// A SpanStep is one step's share of a span.
type SpanStep struct {
	Classes    Counts         `json:"classes"`
	Seen       map[Class]Seen `json:"seen,omitempty"` // for every class that occurred
	Straddling uint64         `json:"straddling,omitempty"`
	Response   Distribution   `json:"response"`
	Service    Distribution   `json:"service"`
}

// Seen says when the first and last answers of a class were complete.
type Seen struct {
	First time.Duration `json:"first"`
	Last  time.Duration `json:"last"`
}

// An Event is something that happened once.
type Event struct {
	At     time.Duration `json:"at"`
	Kind   EventKind     `json:"kind"`
	Fault  int           `json:"fault"` // index of Run.Faults, or -1
	Detail string        `json:"detail,omitempty"`
}

// An EventKind names a kind of event.
type EventKind string

// The kinds of events.
const (
	PhaseBegan     EventKind = "phase-began"
	FaultObserved  EventKind = "fault-observed"         // prior state known
	FaultRehearsed EventKind = "fault-rehearsed"        // the way back works
	FaultBreaking  EventKind = "fault-breaking"         // request sent, outcome unknown
	FaultBroken    EventKind = "fault-broken"           // accepted
	FaultVisible   EventKind = "fault-visible"          // the control plane shows it
	FaultRestoring EventKind = "fault-restoring"        // request sent
	FaultAccepted  EventKind = "fault-restore-accepted" // the restore was accepted
	FaultRestored  EventKind = "fault-restored"         // verified by observing
	FaultSettled   EventKind = "fault-settled"          // stayed restored; its journal entry is closed
	FaultRefused   EventKind = "fault-refused"          // nothing was broken
	FaultStuck     EventKind = "fault-stuck"            // could not be restored
	Witnessed      EventKind = "witnessed"              // what a system under the fault says of itself
	LoadEnded      EventKind = "load-ended"             // the last arrival was sent
	Interrupted    EventKind = "interrupted"            // a signal
)

// A Fault is one thing that was broken, and what that did.
type Fault struct {
	Name            string        `json:"name"`
	Action          string        `json:"action"`
	Target          string        `json:"target"`
	OneWay          bool          `json:"oneWay,omitempty"`  // nothing brings it back, and it need not be
	Where           string        `json:"where"`             // file:line:col
	Planned         time.Duration `json:"planned"`           // when the script wanted it
	Until           time.Duration `json:"until,omitempty"`   // when the script wants it restored; 0 if that is not known
	Refused         string        `json:"refused,omitempty"` // why nothing was broken
	Error           string        `json:"error,omitempty"`   // what else went wrong: Break answered with it, say
	Breaking        time.Duration `json:"breaking"`          // Never for each of these if it was not reached
	Broken          time.Duration `json:"broken"`
	Visible         time.Duration `json:"visible"`
	Restoring       time.Duration `json:"restoring"`
	RestoreAccepted time.Duration `json:"restoreAccepted"`
	Restored        time.Duration `json:"restored"`
	Settled         time.Duration `json:"settled"`
	Stuck           *Stuck        `json:"stuck,omitempty"`
	Witness         []string      `json:"witness,omitempty"` // sentences, in order, each once
	Steps           []Anatomy     `json:"steps,omitempty"`   // one per step that saw it; made by verdict
}

// Stuck says that something is still broken, and how a person mends it.
type Stuck struct {
	Error   string `json:"error"`
	Command string `json:"command"` // an aws command line
}

// An Anatomy is what one fault did to the users of one step.
type Anatomy struct {
	Step     int    `json:"step"`
	Requests uint64 `json:"requests"` // sent and answered while the fault was in force
	Failed   uint64 `json:"failed"`   // of those
	// Waiting is how many requests, at least, came while the fault was in force and failed only when it
	// was over; FirstEffect and the like know nothing of them.
	Waiting       uint64        `json:"waiting,omitempty"`
	Availability  float64       `json:"availability"`  // while the fault was in force
	Class         Class         `json:"class"`         // how most of them failed, or of those waiting; OK if none did
	FirstEffect   time.Duration `json:"firstEffect"`   // first affected answer
	FullEffect    time.Duration `json:"fullEffect"`    // from here on nobody was served
	FirstSuccess  time.Duration `json:"firstSuccess"`  // after the restore, or while it was under way
	Recovered     time.Duration `json:"recovered"`     // sustained good again
	Grace         time.Duration `json:"grace"`         // FirstEffect − Broken: what caches hid
	GraceGap      time.Duration `json:"graceGap"`      // its uncertainty: back to the last good answer
	TimeToRecover time.Duration `json:"timeToRecover"` // Recovered − Restored
	RecoverGap    time.Duration `json:"recoverGap"`    // its uncertainty: back to the last bad answer
	Afterwards    uint64        `json:"afterwards"`    // requests due after the restore: with 0, Never means that nobody asked
}

// Records is what is known about the records the run created.
type Records struct {
	Acknowledged uint64 `json:"acknowledged"` // creates answered with success
	Unknown      uint64 `json:"unknown"`      // creates that may have happened
	Drawn        uint64 `json:"drawn"`        // distinct acknowledged records that were read back with success
}

// Generator is the health of the load generator itself.
type Generator struct {
	Due        uint64        `json:"due"`                  // arrivals the schedule asked for
	Sent       uint64        `json:"sent"`                 // arrivals that were started
	Dropped    uint64        `json:"dropped"`              // arrivals nobody was free to start
	Cut        uint64        `json:"cut"`                  // requests in flight when the run was ended
	Unfinished uint64        `json:"unfinished,omitempty"` // flows the end of the run cut short: by such a request, or in think time
	Users      int           `json:"users"`                // most virtual users alive at once
	Lateness   Distribution  `json:"lateness"`             // from the intended start until a user got to it, of arrivals: our fault
	LateLimit  time.Duration `json:"lateLimit"`            // lateness at p99 beyond which the run proves nothing; 0 means 10ms
	GCPause    time.Duration `json:"gcPause"`              // all the collector's pauses together
	GCCycles   uint64        `json:"gcCycles,omitempty"`   // how often the collector ran
	CPU        time.Duration `json:"cpu"`                  // user and system time of the process
	Processors int           `json:"processors"`           // GOMAXPROCS
	Driver     string        `json:"driver,omitempty"`     // what performs the exchanges: "event loop" or "portable"
	Loops      int           `json:"loops,omitempty"`      // event loops
	Files      int           `json:"files,omitempty"`      // most files and sockets open at once; 0 if that is not known
	FilesLimit int           `json:"filesLimit,omitempty"` // how many may be; 0 if that is not known
	Ports      int           `json:"ports,omitempty"`      // most local ports in use at once; 0 if that is not known
	PortsLimit int           `json:"portsLimit,omitempty"` // how many there are; 0 if that is not known
	// Lacks is how many requests could not be sent for want of "open files" or "local ports".
	Lacks map[string]uint64 `json:"lacks,omitempty"`
	// Limits names every limit of the generator that was hit, each with its numbers, in words that go on
	// after "the load generator ".
	Limits []string `json:"limits,omitempty"`
}

// Exhausted reports whether the generator ran out of files or ports, so that requests may have failed for
// want of them and not by the target's fault.
func (g Generator) Exhausted() bool {
	return len(g.Lacks) > 0 || Scarce(g.Files, g.FilesLimit) || Scarce(g.Ports, g.PortsLimit)
}

// Scarce reports whether less than a hundredth of limit is left. A limit of 0 is none.
func Scarce(used, limit int) bool { return limit > 0 && used > limit-max(limit/100, 1) }

// Late reports whether the generator was so late that what it measured may be its own slowness.
func (g Generator) Late() bool { return g.Lateness.P99 > g.LateAllowed() }

// LateAllowed returns the lateness at p99 that is still sound.
func (g Generator) LateAllowed() time.Duration {
	if g.LateLimit > 0 {
		return g.LateLimit
	}
	return 10 * time.Millisecond
}

// A Verdict says whether the run was good.
type Verdict struct {
	Outcome Judgment `json:"outcome"`
	Stuck   bool     `json:"stuck"`   // something is still broken: outranks the outcome
	Reasons []string `json:"reasons"` // sentences a person can forward
	// Stories is how many of the Reasons, the last ones, explain nothing about the outcome but tell what
	// users saw of a fault.
	Stories int     `json:"stories,omitempty"`
	Checks  []Check `json:"checks"`
}

// A Judgment is pass, fail or inconclusive.
type Judgment string

// The three judgments. Inconclusive is neither: the run proves nothing in either direction.
const (
	Pass         Judgment = "pass"
	Fail         Judgment = "fail"
	Inconclusive Judgment = "inconclusive"
)

// A Check is one condition and how it came out.
type Check struct {
	Name    string   `json:"name"`
	Fault   int      `json:"fault"` // index of Run.Faults, or -1
	Scope   string   `json:"scope"` // before, during, after, or run
	Want    string   `json:"want"`
	Got     string   `json:"got"`
	Outcome Judgment `json:"outcome"`
	Where   string   `json:"where,omitempty"` // file:line:col
	Lax     bool     `json:"lax,omitempty"`   // it is reported, and decides nothing
}
