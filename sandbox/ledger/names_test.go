package ledger

import (
	"crypto/rand"
	"math/big"
	"testing"
)

func TestNamesAreBase62(t *testing.T) {
	var b [16]byte
	for i := range 1000 {
		if i > 0 {
			rand.Read(b[:])
		}
		got := base62(b)
		n, ok := new(big.Int).SetString(got, 62)
		if !ok || len(got) != 22 || n.Cmp(new(big.Int).SetBytes(b[:])) != 0 {
			t.Fatalf("%x is %q", b, got)
		}
	}
}

func TestDocumentNames(t *testing.T) {
	n, other := newNames(), newNames()
	for _, d := range [][2]uint32{{0, 0}, {0, 1}, {1, 0}, {7, 1 << 31}, {1<<32 - 1, 1<<32 - 1}} {
		id := n.document(d[0], d[1])
		if table, document, ok := n.findDocument(id); !ok || table != d[0] || document != d[1] {
			t.Errorf("document %v is called %s, which is %d %d %v", d, id, table, document, ok)
		}
		if _, _, ok := other.findDocument(id); ok {
			t.Errorf("another ledger knows %s", id)
		}
	}
	for _, id := range []string{"", "x", n.transaction(1), "ZZZZZZZZZZZZZZZZZZZZZZ", "-000000000000000000001", "+00000000000000000000a", "00000000000_0000000000"} {
		if _, _, ok := n.findDocument(id); ok {
			t.Errorf("%q is the id of a document", id)
		}
	}
}
