package ledger

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"loadkms/sandbox/ion"
)

// twin finds the id the slow way: token by token.
func twin(doc []byte) (id ID, ok bool) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return id, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return id, false
		}
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return id, false
		}
		if name == "id" {
			id, ok = parseID(raw)
		}
	}
	return id, ok
}

func FuzzDocumentID(f *testing.F) {
	for _, seed := range []string{`{}`, ` { "a" : [ "}" ] , "id" : 1 } `, `{"id":"\""}`, `{"id":1e3,"x":{"id":2}}`, `{"\u0069d":-0.0}`,
		`{"id":[1]}`, `{"id":true,"b":false}`, `{"a":"\\","id":7}`, `{"id":99999999999999999999}`,
		`{"x":1e400}`, `{"x":2E-400}`, "{\"x\":\"\xff\"}", strings.Repeat(`{"x":`, 102) + "1" + strings.Repeat("}", 102)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if !json.Valid(doc) || checkDocument(doc) != nil {
			return
		}
		v, err := ion.FromJSON(doc)
		if err != nil {
			t.Fatalf("%s was accepted and is no Ion: %v", doc, err)
		}
		// What an insert puts into an index, an update must find there.
		var slow ID
		var slowOK bool
		newIndex(idPath).note(v, 0, func(id ID, _ uint32) { slow, slowOK = id, true })
		if fast, fastOK := indexedJSON(doc, idPath); fast != slow || fastOK != slowOK {
			t.Fatalf("%s: indexed under %+v %v, as Ion under %+v %v", doc, fast, fastOK, slow, slowOK)
		}
		got, gotOK := documentID(doc)
		want, wantOK := twin(doc)
		if got != want || gotOK != wantOK {
			t.Fatalf("%s: id is %+v %v, want %+v %v", doc, got, gotOK, want, wantOK)
		}
	})
}
