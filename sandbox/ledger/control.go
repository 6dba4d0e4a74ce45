package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/store"
)

// maxLedgers is QLDB's quota of ledgers in an account and Region.
const maxLedgers = 5

// ownedKey is how the API names the key that AWS owns.
const ownedKey = "AWS_OWNED_KMS_KEY"

// A CreateLedgerRequest creates a ledger. DeletionProtection is on unless it says otherwise.
type CreateLedgerRequest struct {
	Name               string
	Tags               map[string]string
	PermissionsMode    string
	DeletionProtection *bool
	KmsKey             string // a key id or ARN, an alias name or ARN; "" means the key that AWS owns

	// AtOnce makes the ledger ACTIVE at once, whatever [Options.Create] says. No request has it.
	AtOnce bool `json:"-"`
}

// A CreateLedgerResponse describes a ledger that is being created: its State is CREATING even if it will
// not be so for any time.
type CreateLedgerResponse struct {
	Name               string
	Arn                string
	State              string
	CreationDateTime   Time
	PermissionsMode    string
	DeletionProtection bool
	KmsKeyArn          string
}

// An EncryptionDescription tells of a ledger's customer managed key. During a change it names the new
// key, while both have to be usable.
type EncryptionDescription struct {
	KmsKeyArn                  string
	EncryptionStatus           string // ENABLED, UPDATING, KMS_KEY_INACCESSIBLE
	InaccessibleKmsKeyDateTime *Time  `json:",omitempty"` // when KMS first refused; nil unless inaccessible
}

// A DescribeLedgerResponse describes a ledger.
type DescribeLedgerResponse struct {
	Name                  string
	Arn                   string
	State                 string
	CreationDateTime      Time
	PermissionsMode       string
	DeletionProtection    bool
	EncryptionDescription EncryptionDescription
}

// An UpdateLedgerRequest changes what it names: absent fields change nothing.
type UpdateLedgerRequest struct {
	DeletionProtection *bool
	KmsKey             *string
}

// An UpdateLedgerResponse describes the ledger, without its permissions mode, as QLDB's does.
type UpdateLedgerResponse struct {
	Name                  string
	Arn                   string
	State                 string
	CreationDateTime      Time
	DeletionProtection    bool
	EncryptionDescription EncryptionDescription
}

// An UpdateLedgerPermissionsModeResponse tells of the mode.
type UpdateLedgerPermissionsModeResponse struct{ Name, Arn, PermissionsMode string }

// A LedgerSummary is one ledger of a list.
type LedgerSummary struct {
	Name             string
	State            string
	CreationDateTime Time
}

// CreateLedger creates a ledger, with a grant for the service on its key, as the caller. The errors
// of this and the other methods of the control plane are *Error; another error means that KMS could
// not be reached.
func (s *Service) CreateLedger(ctx context.Context, c iam.Caller, in *CreateLedgerRequest,
) (*CreateLedgerResponse, error) {
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	if err := checkMode(in.PermissionsMode); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	name := in.KmsKey
	if name == "" {
		name = ownedKey
	}
	key, err := s.usable(ctx, c, name)
	if err != nil {
		return nil, err
	}
	s.creating.Lock()
	defer s.creating.Unlock()
	if err := s.admits(in.Name); err != nil {
		return nil, err
	}
	l := s.newLedger(c, in)
	if err := l.open(ctx, c, key); err != nil {
		l.end()
		return nil, err
	}
	l.mu.Lock()
	kept := l.save()
	l.mu.Unlock()
	if err := kept.Wait(); err != nil {
		l.end()
		return nil, err
	}
	s.mu.Lock()
	s.ledgers[l.name] = l
	s.mu.Unlock()
	l.run()
	return &CreateLedgerResponse{Name: l.name, Arn: l.arn, State: stateCreating, CreationDateTime: Time(l.created),
		PermissionsMode: l.mode, DeletionProtection: l.protected, KmsKeyArn: key.ARN}, nil
}

func (s *Service) newLedger(c iam.Caller, in *CreateLedgerRequest) *ledger {
	l := s.assemble(in.Name, randomID(), s.o.Clock.Now(), newNames())
	l.mode, l.protected = in.PermissionsMode, in.DeletionProtection == nil || *in.DeletionProtection
	l.allowsAll.Store(l.mode == "ALLOW_ALL")
	if !in.AtOnce {
		l.ready = l.created.Add(s.o.Create)
	}
	maps.Copy(l.tags, in.Tags)
	if isAlias(in.KmsKey) {
		l.alias, l.following, l.namedBy = in.KmsKey, s.o.Alias == Follow, c
	}
	return l
}

// assemble puts the parts of a ledger together.
func (s *Service) assemble(name, id string, created time.Time, names names) *ledger {
	l := &ledger{service: s, name: name, id: id, created: created, names: names, strand: randomID(),
		arn:    "arn:aws:qldb:" + s.o.Region + ":" + s.o.Account + ":ledger/" + name,
		tables: map[string]*table{}, tags: map[string]string{}, grants: map[string]string{}}
	l.ended, l.end = context.WithCancel(context.Background())
	l.keys = &hierarchy{keys: s.o.Keys, clock: s.o.Clock, cache: s.o.KeyCache, probe: s.o.RecoveryProbe,
		segmentsPerNode: s.o.segmentsPerNode, disk: s.disk, ledger: id,
		service: iam.Caller{Service: "qldb.amazonaws.com", Account: s.o.Account, SourceARN: l.arn}}
	l.journal = newJournal(id, created, l.keys)
	return l
}

// admits reports why there can be no ledger with this name, or nil. It forgets the ledgers that are
// gone.
func (s *Service) admits(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, l := range s.ledgers {
		if l.over() {
			delete(s.ledgers, n)
			var b store.Batch
			b.DeleteAll(entry(l.id, ""))
			s.disk.Enter(&b)
		}
	}
	l := s.ledgers[name]
	switch {
	case s.closed:
		return errClosed
	case l != nil && l.state() == stateDeleting:
		return inUse(name, "Ledger is being deleted")
	case l != nil:
		return &Error{Status: 409, Code: "ResourceAlreadyExistsException", ResourceType: "Ledger", ResourceName: name,
			Message: "The Ledger with name " + name + " already exists"}
	case len(s.ledgers) >= maxLedgers:
		return &Error{Status: 400, Code: "LimitExceededException", ResourceType: "Ledger",
			Message: "The number of active ledgers exceeds the limit"}
	}
	return nil
}

var errClosed = errors.New("the ledger service is closed")

// open gives a new ledger its key.
func (l *ledger) open(ctx context.Context, c iam.Caller, key Key) error {
	l.changing.Lock()
	defer l.changing.Unlock()
	grant, err := l.service.o.Keys.CreateGrant(ctx, l.service.via(c, l.arn), key.ARN)
	if err != nil {
		return keyParameter(err)
	}
	l.grants[key.ARN] = grant
	l.saveGrants()
	l.keys.mu.Lock()
	l.keys.key, l.keys.target = key.ARN, key.ARN
	l.keys.save()
	l.keys.mu.Unlock()
	_, err = l.keys.grow(ctx, 0)
	return err
}

// DescribeLedger describes a ledger. If it is time to ask KMS for the ledger's key again, it does so.
func (s *Service) DescribeLedger(ctx context.Context, _ iam.Caller, name string,
) (*DescribeLedgerResponse, error) {
	l, err := s.find(name)
	if err != nil {
		return nil, err
	}
	if _, err := l.keys.unlock(ctx); err != nil && !errors.As(err, new(*Error)) {
		return nil, err
	}
	encryption, state := l.keys.describe(), l.state()
	l.mu.RLock()
	defer l.mu.RUnlock()
	return &DescribeLedgerResponse{Name: l.name, Arn: l.arn, State: state, CreationDateTime: Time(l.created),
		PermissionsMode: l.mode, DeletionProtection: l.protected, EncryptionDescription: encryption}, nil
}

// describe tells of the key. Only an answer of KMS that was a refusal makes it inaccessible.
func (h *hierarchy) describe() EncryptionDescription {
	h.mu.Lock()
	d := EncryptionDescription{KmsKeyArn: h.target, EncryptionStatus: "ENABLED"}
	if h.changing {
		d.EncryptionStatus = "UPDATING"
	}
	h.mu.Unlock()
	if a := h.answer.Load(); a != nil && a.refusal != nil {
		since := Time(a.since)
		d.EncryptionStatus, d.InaccessibleKmsKeyDateTime = "KMS_KEY_INACCESSIBLE", &since
	}
	return d
}

// UpdateLedger changes deletion protection, the key, or both. A key is looked up, checked and granted
// to the service as the caller before anything changes; sealing the node keys under it goes on in the
// background, with the status UPDATING. A new change takes the place of one under way. A ledger that
// has lost its old key accepts a new one, but gets there only once the old one is usable again.
//
// Naming the key by an alias begins following the alias (if the service follows at all); naming it by
// anything else ends that, unless it is the very key that the alias names: then the ledger is back
// where it followed from, and follows again.
func (s *Service) UpdateLedger(ctx context.Context, c iam.Caller, name string, in *UpdateLedgerRequest,
) (*UpdateLedgerResponse, error) {
	l, err := s.find(name)
	if err != nil {
		return nil, err
	}
	if err := l.present(); err != nil {
		return nil, err
	}
	if in.KmsKey != nil {
		if err := l.changeTo(ctx, c, *in.KmsKey); err != nil {
			return nil, err
		}
	}
	encryption := l.keys.describe()
	l.mu.Lock()
	if in.DeletionProtection != nil {
		l.protected = *in.DeletionProtection
	}
	out := &UpdateLedgerResponse{Name: l.name, Arn: l.arn, State: stateActive, CreationDateTime: Time(l.created),
		DeletionProtection: l.protected, EncryptionDescription: encryption}
	kept := l.save()
	l.mu.Unlock()
	return whenKept(out, kept)
}

func (l *ledger) changeTo(ctx context.Context, c iam.Caller, name string) error {
	if name == "" {
		return invalidParameter("KmsKey", "The KMS key must not be empty")
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	key, err := l.service.usable(ctx, c, name)
	if err != nil {
		return err
	}
	if err := l.change(ctx, c, key); err != nil {
		return err
	}
	if l.service.o.Alias != Follow {
		return nil
	}
	if isAlias(name) {
		l.mu.Lock()
		l.alias, l.following, l.namedBy = name, true, c
		l.mu.Unlock()
		return nil
	}
	l.mu.RLock()
	alias, by := l.alias, l.namedBy
	l.mu.RUnlock()
	home := false
	if alias != "" {
		named, err := l.service.o.Keys.Describe(ctx, l.service.via(by, l.arn), alias)
		home = err == nil && named.ARN == key.ARN
	}
	l.mu.Lock()
	l.following = home
	l.mu.Unlock()
	return nil
}

// whenKept returns an answer when what it says is kept.
func whenKept[T any](out *T, kept *store.Ticket) (*T, error) {
	if err := kept.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateLedgerPermissionsMode changes the permissions mode.
func (s *Service) UpdateLedgerPermissionsMode(_ context.Context, _ iam.Caller, name, mode string,
) (*UpdateLedgerPermissionsModeResponse, error) {
	l, err := s.find(name)
	if err != nil {
		return nil, err
	}
	if err := checkMode(mode); err != nil {
		return nil, err
	}
	if err := l.present(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.mode = mode
	l.allowsAll.Store(mode == "ALLOW_ALL")
	kept := l.save()
	l.mu.Unlock()
	return whenKept(&UpdateLedgerPermissionsModeResponse{Name: l.name, Arn: l.arn, PermissionsMode: mode}, kept)
}

// DeleteLedger deletes a ledger without deletion protection and gives its grants back. It is of no use
// at once, and gone after [Options.Delete].
func (s *Service) DeleteLedger(ctx context.Context, _ iam.Caller, name string) error {
	l, err := s.find(name)
	if err != nil {
		return err
	}
	if err := l.present(); err != nil {
		return err
	}
	l.mu.Lock()
	switch {
	case !l.goneAt.IsZero():
		err = inUse(name, "Ledger is being deleted")
	case l.protected:
		err = preconditionNotMet(name, "Preventing deletion of ledger "+name+" with DeletionProtection enabled")
	default:
		l.goneAt = s.o.Clock.Now().Add(s.o.Delete)
	}
	kept := l.save()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if err := kept.Wait(); err != nil {
		return err
	}
	l.end()
	l.giveBack(ctx)
	return nil
}

// giveBack gives all grants back, as the ledger is no more.
func (l *ledger) giveBack(ctx context.Context) {
	l.changing.Lock()
	defer l.changing.Unlock()
	for arn, grant := range l.grants {
		_ = l.service.o.Keys.RetireGrant(ctx, l.keys.service, arn, grant) // the key may be gone
	}
	clear(l.grants)
	l.saveGrants()
}

// ListLedgers returns all ledgers, by name.
func (s *Service) ListLedgers(context.Context, iam.Caller) []LedgerSummary {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := []LedgerSummary{}
	for _, l := range s.ledgers {
		if !l.over() {
			all = append(all, LedgerSummary{Name: l.name, State: l.state(), CreationDateTime: Time(l.created)})
		}
	}
	slices.SortFunc(all, func(a, b LedgerSummary) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// CreateTable creates a table with an index on the field id, whatever the caller's permissions, and
// returns its id. It is for whoever sets a ledger up; it leaves behind what the two statements would.
func (s *Service) CreateTable(ctx context.Context, _ iam.Caller, name, tableName string) (string, error) {
	l, err := s.find(name)
	if err != nil {
		return "", err
	}
	open, err := l.keys.unlock(ctx)
	if err != nil {
		return "", err
	}
	x := l.newTransaction()
	x.begin("CREATE TABLE "+tableName, nil)
	t, err := x.createTable(tableName)
	if err != nil {
		return "", err
	}
	x.begin("CREATE INDEX ON "+tableName+" (id)", nil)
	if _, err := x.createIndex(t, idPath); err != nil {
		return "", err
	}
	return t.id, x.commit(ctx, open)
}

// tag finds the ledger that an ARN names and runs f on its tags.
func (s *Service) tag(arn string, f func(tags map[string]string) error) error {
	_, name, ok := strings.Cut(arn, ":ledger/")
	l, err := s.find(name)
	if !ok || err != nil || l.arn != arn {
		return notFound(name)
	}
	l.mu.Lock()
	before := maps.Clone(l.tags)
	err = f(l.tags)
	var kept *store.Ticket
	if !maps.Equal(before, l.tags) {
		kept = l.save()
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	return kept.Wait()
}

// ListTagsForResource returns the tags of the ledger with this ARN.
func (s *Service) ListTagsForResource(_ context.Context, _ iam.Caller, arn string,
) (tags map[string]string, err error) {
	err = s.tag(arn, func(all map[string]string) error { tags = maps.Clone(all); return nil })
	return tags, err
}

// maxTags is QLDB's limit of tags on a resource.
const maxTags = 200

// checkTags reports why there can be no such tags, or nil.
func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalidParameter("Tags", "A resource has at most %d tags", maxTags)
	}
	for k, v := range tags {
		switch {
		case utf8.RuneCountInString(k) < 1 || utf8.RuneCountInString(k) > 128:
			return invalidParameter("Tags", "A tag's key must have 1 to 128 characters")
		case utf8.RuneCountInString(v) > 256:
			return invalidParameter("Tags", "A tag's value must have at most 256 characters")
		case strings.HasPrefix(strings.ToLower(k), "aws:"):
			return invalidParameter("Tags", "A tag's key must not begin with aws:")
		}
	}
	return nil
}

// TagResource sets tags of the ledger with this ARN.
func (s *Service) TagResource(_ context.Context, _ iam.Caller, arn string, tags map[string]string) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	return s.tag(arn, func(all map[string]string) error {
		merged := maps.Clone(all)
		maps.Copy(merged, tags)
		if len(merged) > maxTags {
			return invalidParameter("Tags", "A resource has at most %d tags", maxTags)
		}
		maps.Copy(all, tags)
		return nil
	})
}

// UntagResource removes tags of the ledger with this ARN; those it does not have do not matter.
func (s *Service) UntagResource(_ context.Context, _ iam.Caller, arn string, keys []string) error {
	return s.tag(arn, func(all map[string]string) error {
		for _, k := range keys {
			delete(all, k)
		}
		return nil
	})
}

// Following returns the alias whose moves the ledger follows, or "" if it follows none.
func (s *Service) Following(name string) string {
	l, err := s.find(name)
	if err != nil {
		return ""
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if !l.following {
		return ""
	}
	return l.alias
}

func isAlias(key string) bool {
	return strings.HasPrefix(key, "alias/") || strings.HasPrefix(key, "arn:") && strings.Contains(key, ":alias/")
}

// checkName checks a ledger's name: 1 to 32 letters, digits and single hyphens, not all digits, no
// hyphen at either end.
func checkName(name string) error {
	const digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	switch {
	case len(name) < 1, len(name) > 32,
		!only(name, digits+letters+"-"), only(name, digits),
		strings.HasPrefix(name, "-"), strings.HasSuffix(name, "-"), strings.Contains(name, "--"):
		return invalidParameter("Name", "The ledger name must have 1 to 32 letters, digits and single hyphens, "+
			"not only digits, and no hyphen at either end")
	}
	return nil
}

// only reports whether s consists of the given characters.
func only(s, of string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(of, r) }) < 0
}

func checkMode(mode string) error {
	if mode != "ALLOW_ALL" && mode != "STANDARD" {
		return invalidParameter("PermissionsMode", "The permissions mode must be one of ALLOW_ALL, STANDARD")
	}
	return nil
}

// A Time is a point in time that travels as seconds since 1970 with three decimals.
type Time time.Time

// MarshalJSON writes the seconds.
func (t Time) MarshalJSON() ([]byte, error) {
	ms := time.Time(t).UnixMilli()
	return fmt.Appendf(nil, "%d.%03d", ms/1000, ms%1000), nil
}
