package ledger

import (
	"bytes"
	"encoding/json"
	"testing"
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
		`{"id":[1]}`, `{"id":true,"b":false}`, `{"a":"\\","id":7}`, `{"id":99999999999999999999}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if checkDocument(doc) != nil {
			return
		}
		got, gotOK := documentID(doc)
		want, wantOK := twin(doc)
		if got != want || gotOK != wantOK {
			t.Fatalf("%s: id is %+v %v, want %+v %v", doc, got, gotOK, want, wantOK)
		}
	})
}
