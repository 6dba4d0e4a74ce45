package ledger

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/qldb"
	"github.com/aws/aws-sdk-go-v2/service/qldb/types"

	"loadkms/sandbox/ion"
)

// What follows is QLDB's verification, written from its documentation ("Verifying your data") and apart
// from the code that makes the proofs.

func dot(a, b []byte) []byte {
	for i := len(a) - 1; i >= 0 && len(b) == len(a); i-- {
		if x, y := int8(a[i]), int8(b[i]); x != y {
			if x > y {
				a, b = b, a
			}
			break
		}
	}
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	h := sha256.Sum256(append(bytes.Clone(a), b...))
	return h[:]
}

func root(hashes [][]byte) []byte {
	for len(hashes) > 1 {
		var next [][]byte
		for i := 0; i < len(hashes); i += 2 {
			h := hashes[i]
			if i+1 < len(hashes) {
				h = dot(h, hashes[i+1])
			}
			next = append(next, h)
		}
		hashes = next
	}
	return hashes[0]
}

func member(t *testing.T, v ion.Value, name string) ion.Value {
	t.Helper()
	f, ok := v.Field(name)
	if !ok {
		t.Fatalf("%s has no %s", v.Text(), name)
	}
	return f
}

func blob(t *testing.T, v ion.Value) []byte {
	t.Helper()
	b, ok := v.AsBytes()
	if !ok {
		t.Fatalf("%s is no blob", v.Text())
	}
	return b
}

func blobs(t *testing.T, v ion.Value) (all [][]byte) {
	t.Helper()
	for e := range v.Elements() {
		all = append(all, blob(t, e))
	}
	return all
}

func decoded(t *testing.T, h *types.ValueHolder) ion.Value {
	t.Helper()
	v, err := ion.Decode([]byte(aws.ToString(h.IonText)))
	if err != nil {
		t.Fatalf("%s: %v", aws.ToString(h.IonText), err)
	}
	return v
}

// verifyRevision computes a revision's hash and compares.
func verifyRevision(t *testing.T, v ion.Value) []byte {
	t.Helper()
	hash := hashOf(member(t, v, "metadata"))
	if data, ok := v.Field("data"); ok {
		hash = dot(hash, hashOf(data))
	}
	if got := blob(t, member(t, v, "hash")); !bytes.Equal(got, hash) {
		t.Errorf("the hash of %s should be %x", v.Text(), hash)
	}
	return hash
}

// verifyBlock checks a block in itself, as AWS's own samples do, and returns its hash.
func verifyBlock(t *testing.T, v ion.Value) []byte {
	t.Helper()
	entries := blobs(t, member(t, v, "entriesHashList"))
	has := func(what string, h []byte) {
		for _, e := range entries {
			if bytes.Equal(e, h) {
				return
			}
		}
		t.Errorf("the hash of the %s is not among the entries of %s", what, v.Text())
	}
	has("transactionInfo", hashOf(member(t, v, "transactionInfo")))
	if revisions, ok := v.Field("revisions"); ok {
		var hashes [][]byte
		for r := range revisions.Elements() {
			hashes = append(hashes, verifyRevision(t, r))
		}
		has("revisions", root(hashes))
	}
	sum := root(entries)
	if got := blob(t, member(t, v, "entriesHash")); !bytes.Equal(got, sum) {
		t.Errorf("the entries hash is %x, want %x", got, sum)
	}
	hash := dot(sum, blob(t, member(t, v, "previousBlockHash")))
	if got := blob(t, member(t, v, "blockHash")); !bytes.Equal(got, hash) {
		t.Errorf("the block hash is %x, want %x", got, hash)
	}
	return hash
}

func TestProofs(t *testing.T) {
	b := setUp(t, Options{})
	p := b.peer()
	p.must("INSERT INTO Test <<{'id': 1}, {'id': 2}, {'id': 3}>>", "INSERT INTO Test {'id': 4}")
	for i := range 17 {
		b.insert(fmt.Sprintf(`{"id":%d,"x":[1,2.5,{"é":null}]}`, 100+i))
	}
	p.must("UPDATE Test SET n = 1 WHERE id = 2", "DELETE FROM Test WHERE id = 3")
	p.must("SELECT * FROM Test") // no block
	q := b.client("")
	name := aws.String("records")
	first, err := q.GetDigest(ctx, &qldb.GetDigestInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	b.insert(`{"id":200}`) // after the digest
	strand := member(t, decoded(t, first.DigestTipAddress), "strandId").Text()
	tip, _ := member(t, decoded(t, first.DigestTipAddress), "sequenceNo").AsInt()
	if tip != 19 { // the table, 4 documents, 17 documents, 2 changes
		t.Errorf("the tip is %d", tip)
	}
	var previous []byte
	documents := 0
	for n := range tip + 1 {
		address := &types.ValueHolder{IonText: aws.String(fmt.Sprintf("{strandId:%s,sequenceNo:%d}", strand, n))}
		out, err := q.GetBlock(ctx, &qldb.GetBlockInput{Name: name, BlockAddress: address, DigestTipAddress: first.DigestTipAddress})
		if err != nil {
			t.Fatal(err)
		}
		v := decoded(t, out.Block)
		hash := verifyBlock(t, v)
		if got := blob(t, member(t, v, "previousBlockHash")); !bytes.Equal(got, previous) {
			t.Errorf("block %d does not follow the one before", n)
		}
		previous = hash
		for _, h := range blobs(t, decoded(t, out.Proof)) {
			hash = dot(hash, h)
		}
		if !bytes.Equal(hash, first.Digest) {
			t.Errorf("block %d is not in the digest", n)
		}
		revisions, _ := v.Field("revisions")
		for r := range revisions.Elements() {
			documents++
			id, _ := member(t, member(t, r, "metadata"), "id").AsText()
			out, err := q.GetRevision(ctx, &qldb.GetRevisionInput{Name: name, BlockAddress: address, DocumentId: &id, DigestTipAddress: first.DigestTipAddress})
			if err != nil {
				t.Fatal(err)
			}
			hash := verifyRevision(t, decoded(t, out.Revision))
			if !ion.Equal(decoded(t, out.Revision), r) {
				t.Errorf("the revision is %s, in its block %s", *out.Revision.IonText, r.Text())
			}
			for _, h := range blobs(t, decoded(t, out.Proof)) {
				hash = dot(hash, h)
			}
			if !bytes.Equal(hash, first.Digest) {
				t.Errorf("revision %s of block %d is not in the digest", id, n)
			}
		}
	}
	if documents != 23 {
		t.Errorf("%d revisions, want 23", documents)
	}
	second, err := q.GetDigest(ctx, &qldb.GetDigestInput{Name: name})
	if err != nil || bytes.Equal(second.Digest, first.Digest) {
		t.Errorf("the digest does not depend on the journal: %v", err)
	}
	// The history says the same as the blocks.
	rows, err := func() ([]ion.Value, error) {
		if err := p.begin(); err != nil {
			return nil, err
		}
		return p.execute("SELECT * FROM history(Test) AS h")
	}()
	if err != nil || len(rows) != 24 {
		t.Fatalf("%d rows of history, %v", len(rows), err)
	}
	for _, r := range rows {
		verifyRevision(t, r)
	}
}
