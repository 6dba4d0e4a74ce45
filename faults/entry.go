package faults

import (
	"encoding/json"
	"time"
)

// An Entry is one promise to restore. It holds all that a person, or a loadkms on another machine,
// needs to keep it, and no secret.
type Entry struct {
	ID       string          `json:"id"`    // the target's
	Spec     json.RawMessage `json:"spec"`  // the target's, to make it again
	Prior    State           `json:"prior"` // what to restore
	At       time.Time       `json:"at"`
	Run      string          `json:"run"`   // the script, as it was named
	Where    string          `json:"where"` // the fault's place in it, file:line:col
	Host     string          `json:"host"`
	PID      int             `json:"pid"`
	ByHand   string          `json:"byHand"`             // the command line that restores it
	Embedded bool            `json:"embedded,omitempty"` // the target lived inside that process
}
