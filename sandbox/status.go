package sandbox

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"time"

	"loadkms/sandbox/iam"
)

//go:embed status.html
var statusText string

var statusPage = template.Must(template.New("status").Parse(statusText))

// shownEvents is how many events the status page shows: two screens of them.
const shownEvents = 40

// shownKeys is how many keys the status page shows, those in use first: more than a demo has. The page
// is asked for every second.
const shownKeys = 200

// A status is what the status page shows, and what /status.json is.
type status struct {
	Now     time.Time `json:"now"` // sandbox time
	Speed   float64   `json:"speed"`
	Region  string    `json:"region"`
	Account string    `json:"account"`
	AWS     string    `json:"aws"` // URLs
	API     string    `json:"api"`
	DataDir string    `json:"dataDir,omitempty"` // "" if everything is in memory

	Stack   stackStatus    `json:"stack"`
	Keys    []keyStatus    `json:"keys"`
	More    int            `json:"moreKeys"` // how many keys are not in Keys
	Ledgers []ledgerStatus `json:"ledgers"`
	Events  []eventStatus  `json:"events"` // the newest first
}

type stackStatus struct {
	Name   string `json:"name"`
	Status string `json:"status"` // "" if it is gone
}

type keyStatus struct {
	ID          string   `json:"id"`
	Name        string   `json:"name,omitempty"` // of the stack's output that shows it
	Description string   `json:"description"`
	State       string   `json:"state"`
	Deletion    string   `json:"deletion,omitempty"` // when it will be gone, RFC 3339
	Aliases     []string `json:"aliases"`
	Grants      int      `json:"grants"`
	Material    string   `json:"material,omitempty"` // the id of the current material
}

type ledgerStatus struct {
	Name         string     `json:"name"`
	State        string     `json:"state"`
	Encryption   string     `json:"encryption"` // ENABLED, UPDATING, KMS_KEY_INACCESSIBLE
	Key          string     `json:"key"`        // ARN
	KeyName      string     `json:"keyName,omitempty"`
	Follows      string     `json:"follows,omitempty"` // the alias whose moves change the key
	Inaccessible *time.Time `json:"inaccessibleSince,omitempty"`
	Permissions  string     `json:"permissionsMode"`
	Error        string     `json:"error,omitempty"`
}

type eventStatus struct {
	ID        string    `json:"id"`
	Time      time.Time `json:"time"`
	Source    string    `json:"source"`
	Name      string    `json:"name"`
	Who       string    `json:"who"`
	InvokedBy string    `json:"invokedBy,omitempty"`
	Error     string    `json:"error,omitempty"`
	Message   string    `json:"message,omitempty"`
	On        []string  `json:"on"` // ARNs
	ReadOnly  bool      `json:"readOnly"`
}

// status tells how things are. It takes no way that a client takes: what it looks at leaves no event,
// except that a ledger whose key is due to be tried is tried.
func (s *Sandbox) status(ctx context.Context) (*status, error) {
	out := &status{Now: s.clock.Now().UTC(), Speed: s.clock.Speed(), Region: s.o.Region, Account: s.Account(), AWS: s.AWSURL(),
		API: s.APIURL() + "/" + s.o.Stage, DataDir: s.data.Dir, Stack: stackStatus{s.stack, s.stacks.Status(s.stack)}, Keys: []keyStatus{},
		Ledgers: []ledgerStatus{}, Events: []eventStatus{}}
	names := map[string]string{} // of outputs, by value
	if outputs, err := s.stacks.Outputs(s.stack); err == nil {
		for _, o := range outputs {
			names[o.Value] = o.Key
		}
	}
	var keys []struct {
		ARN, Description, State, DeletionDate, Material string
		Aliases                                         []string
		Grants                                          []json.RawMessage
	}
	if err := json.Unmarshal(s.kms.Dump(), &keys); err != nil {
		return nil, err
	}
	for _, k := range keys {
		arn, _ := iam.ParseARN(k.ARN)
		id := arn.Resource[len("key/"):]
		if k.Aliases == nil {
			k.Aliases = []string{}
		}
		out.Keys = append(out.Keys, keyStatus{ID: id, Name: names[id], Description: k.Description, State: k.State,
			Deletion: k.DeletionDate, Aliases: k.Aliases, Grants: len(k.Grants), Material: k.Material})
	}
	slices.SortStableFunc(out.Keys, func(a, b keyStatus) int { // those in use first, those of nobody last
		return cmp.Or(min(1, len(b.Aliases))-min(1, len(a.Aliases)), min(1, len(b.Name))-min(1, len(a.Name)), cmp.Compare(a.Name, b.Name))
	})
	if out.More = max(0, len(out.Keys)-shownKeys); out.More > 0 {
		out.Keys = out.Keys[:shownKeys]
	}
	admin := s.kms.Directory().Admin()
	for _, l := range s.ledgers.ListLedgers(ctx, admin) {
		shown := ledgerStatus{Name: l.Name, State: l.State, Follows: s.ledgers.Following(l.Name)}
		if d, err := s.ledgers.DescribeLedger(ctx, admin, l.Name); err != nil {
			shown.Error = err.Error()
		} else {
			e := d.EncryptionDescription
			shown.Encryption, shown.Key, shown.Permissions = e.EncryptionStatus, e.KmsKeyArn, d.PermissionsMode
			if arn, ok := iam.ParseARN(e.KmsKeyArn); ok && len(arn.Resource) > len("key/") {
				shown.KeyName = names[arn.Resource[len("key/"):]]
			}
			if since := e.InaccessibleKmsKeyDateTime; since != nil {
				t := time.Time(*since).UTC()
				shown.Inaccessible = &t
			}
		}
		out.Ledgers = append(out.Ledgers, shown)
	}
	for _, e := range s.trail.Recent(shownEvents) {
		shown := eventStatus{ID: e.EventID, Time: e.At().UTC(), Source: e.EventSource, Name: e.EventName, Who: e.Who(),
			InvokedBy: e.InvokedBy(), Error: e.ErrorCode, Message: e.ErrorMessage, On: []string{}, ReadOnly: e.ReadOnly}
		for _, r := range e.Resources {
			shown.On = append(shown.On, r.ARN)
		}
		out.Events = append(out.Events, shown)
	}
	return out, nil
}

// statusOr serves the status page at / and its data at /status.json, and everything else with next.
func (s *Sandbox) statusOr(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := r.URL.Path == "/"
		if !page && r.URL.Path != "/status.json" || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		st, err := s.status(r.Context())
		if err != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			_ = json.NewEncoder(w).Encode(map[string]string{"message": err.Error()}) // a client that has gone needs no answer
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if page {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; "+
				"script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'")
			_ = statusPage.Execute(w, st) // likewise
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(st) // likewise
	})
}
