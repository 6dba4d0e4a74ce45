package sandbox

import (
	"context"
	"encoding/json"
)

// Dump returns everything that a fault may change and must put back, keys with their aliases,
// policies and grants, and ledgers, as JSON in which equal states have equal bytes, for a comparison of
// before and after. See [kms.Service.Dump] for what it leaves out. A ledger's status belongs to it, so
// a ledger that is still UPDATING differs from one that is back.
func (s *Sandbox) Dump() []byte {
	type book struct {
		Name, Key, Status, PermissionsMode string
		DeletionProtection                 bool
		Follows                            string // the alias whose moves change the key
		Error                              string `json:",omitempty"`
	}
	ctx, admin := context.Background(), s.kms.Directory().Admin()
	books := []book{}
	for _, l := range s.ledgers.ListLedgers(ctx, admin) {
		out, err := s.ledgers.DescribeLedger(ctx, admin, l.Name)
		if err != nil {
			books = append(books, book{Name: l.Name, Error: err.Error()})
			continue
		}
		e := out.EncryptionDescription
		books = append(books, book{l.Name, e.KmsKeyArn, e.EncryptionStatus, out.PermissionsMode, out.DeletionProtection,
			s.ledgers.Following(l.Name), ""})
	}
	b, err := json.MarshalIndent(struct {
		Keys    json.RawMessage
		Ledgers []book
	}{s.kms.Dump(), books}, "", "  ")
	if err != nil {
		panic(err) // it is JSON already, and strings
	}
	return b
}
