package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/ion"
)

// The digest is that of QLDB's own verification, with dot being [ion.Dot]:
//
//	revision's hash   dot(hash of its metadata, hash of its data)
//	entries hash      Merkle root of: hash of transactionInfo, Merkle root of the revisions' hashes
//	block's hash      dot(entries hash, hash of the block before); the first has none before it
//	digest            Merkle root of the hashes of all blocks
//
// In a Merkle tree neighbors are joined by dot, and a last one without a neighbor goes up as it is.
//
// Hashes follow from the records alone, and records cannot change, being sealed to their places. So
// they are computed when somebody asks for them and not at every insert, which would cost more than
// all the rest of it; once computed they are kept, under 64 bytes a block. The
// first digest over a million blocks takes a quarter of a minute, and those after it as long as what is new.

// A chain is the hashes of a journal's blocks, as far as anybody has asked.
type chain struct {
	mu     sync.Mutex // held while hashes are computed
	hashes [][]byte   // of the blocks
}

// A blockContent is one block, read back from its records.
type blockContent struct {
	value     ion.Value
	hash      []byte
	entries   [][]byte // the entries hash list
	revisions []ion.Value
	hashes    [][]byte // of the revisions
	previous  []byte
}

// GetDigest returns the digest of a ledger up to its last block, and that block's address. It reads all
// blocks that are new since the last time.
func (s *Service) GetDigest(ctx context.Context, _ iam.Caller, name string) (*GetDigestResponse, error) {
	l, open, err := s.opened(ctx, name)
	if err != nil {
		return nil, err
	}
	n := l.whole()
	if n == 0 {
		return nil, preconditionNotMet(name, "Ledger "+name+" has no blocks yet")
	}
	hashes, err := l.hashes(ctx, open, n)
	if err != nil {
		return nil, err
	}
	return &GetDigestResponse{merkle(hashes), IonHolder{l.blockAddress(n - 1).Text()}}, nil
}

// A GetDigestResponse is a ledger's digest.
type GetDigestResponse struct {
	Digest           []byte
	DigestTipAddress IonHolder
}

// An IonHolder is an Ion value as text.
type IonHolder struct{ IonText string }

// A GetBlockRequest asks for a block, and for its proof in the digest with this tip, if there is one.
type GetBlockRequest struct {
	BlockAddress     *IonHolder
	DigestTipAddress *IonHolder
}

// A GetBlockResponse is a block, and the hashes that lead from its own to the digest.
type GetBlockResponse struct {
	Block IonHolder
	Proof *IonHolder `json:",omitempty"`
}

// GetBlock returns a block.
func (s *Service) GetBlock(ctx context.Context, _ iam.Caller, name string, in *GetBlockRequest,
) (*GetBlockResponse, error) {
	l, open, err := s.opened(ctx, name)
	if err != nil {
		return nil, err
	}
	n, tip, err := l.span(in.BlockAddress, in.DigestTipAddress)
	if err != nil {
		return nil, err
	}
	b, proof, err := l.proven(ctx, open, n, tip)
	if err != nil {
		return nil, err
	}
	out := &GetBlockResponse{Block: IonHolder{b.value.Text()}}
	if tip > 0 {
		out.Proof = &IonHolder{proofText(proof)}
	}
	return out, nil
}

// A GetRevisionRequest asks for a document's revision in a block, and for its proof.
type GetRevisionRequest struct {
	BlockAddress     *IonHolder
	DocumentId       string
	DigestTipAddress *IonHolder
}

// A GetRevisionResponse is a revision, and the hashes that lead from its own to the digest.
type GetRevisionResponse struct {
	Proof    *IonHolder `json:",omitempty"`
	Revision IonHolder
}

// GetRevision returns a revision.
func (s *Service) GetRevision(ctx context.Context, _ iam.Caller, name string, in *GetRevisionRequest,
) (*GetRevisionResponse, error) {
	l, open, err := s.opened(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(in.DocumentId) != 22 {
		return nil, invalidParameter("DocumentId", "A document id has 22 characters")
	}
	n, tip, err := l.span(in.BlockAddress, in.DigestTipAddress)
	if err != nil {
		return nil, err
	}
	b, proof, err := l.proven(ctx, open, n, tip)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(b.revisions, func(r ion.Value) bool {
		metadata, _ := r.Field("metadata")
		id, _ := metadata.Field("id")
		text, _ := id.AsText()
		return text == in.DocumentId
	})
	if i < 0 {
		return nil, invalidParameter("DocumentId", "Document with id %s is not in the block", in.DocumentId)
	}
	out := &GetRevisionResponse{Revision: IonHolder{b.revisions[i].Text()}}
	if tip > 0 {
		// Up through the revisions, beside the transactionInfo, beside the block before, and on with the
		// block's own.
		way := append(path(b.hashes, i), path(b.entries, 1)...)
		if len(b.previous) > 0 {
			way = append(way, b.previous)
		}
		out.Proof = &IonHolder{proofText(append(way, proof...))}
	}
	return out, nil
}

func (s *Service) opened(ctx context.Context, name string) (*ledger, *openKeys, error) {
	l, err := s.find(name)
	if err != nil {
		return nil, nil, err
	}
	if state := l.state(); state != stateActive {
		return nil, nil, preconditionNotMet(name, "Ledger "+name+" is not active")
	}
	open, err := l.keys.unlock(ctx)
	if errors.As(err, new(*Error)) {
		return nil, nil, preconditionNotMet(name, inaccessible().Message)
	}
	return l, open, err
}

// whole returns how many blocks there are of which none is still being written.
func (l *ledger) whole() uint32 {
	l.commits.Lock() // inserts hold it until they are done
	defer l.commits.Unlock()
	return l.journal.tip()
}

// span reads the addresses of a request: the block's number, and how many blocks the digest is over,
// 0 if there is none.
func (l *ledger) span(block, tip *IonHolder) (number, blocks uint32, err error) {
	whole := l.whole()
	number, err = l.parseAddress("BlockAddress", block, whole)
	if err != nil || tip == nil {
		return number, 0, err
	}
	last, err := l.parseAddress("DigestTipAddress", tip, whole)
	if err != nil {
		return 0, 0, err
	}
	if last < number {
		return 0, 0, invalidParameter("DigestTipAddress", "The digest's tip must not be before the block")
	}
	return number, last + 1, nil
}

func (l *ledger) parseAddress(parameter string, h *IonHolder, whole uint32) (uint32, error) {
	if h == nil {
		return 0, invalidParameter(parameter, "A block's address is required")
	}
	v, err := ion.Decode([]byte(h.IonText))
	if err != nil {
		return 0, invalidParameter(parameter, "A block's address must be an Ion struct: %v", err)
	}
	strand, _ := v.Field("strandId")
	id, _ := strand.AsText()
	number, _ := v.Field("sequenceNo")
	n, ok := number.AsInt()
	if id != l.strand || !ok || n < 0 || n >= int64(whole) {
		return 0, invalidParameter(parameter, "There is no block at %s", h.IonText)
	}
	return uint32(n), nil
}

// proven returns a block and the proof of its hash in the digest over some blocks.
func (l *ledger) proven(ctx context.Context, open *openKeys, n, blocks uint32) (*blockContent, [][]byte, error) {
	hashes, err := l.hashes(ctx, open, max(n+1, blocks))
	if err != nil {
		return nil, nil, err
	}
	var previous []byte
	if n > 0 {
		previous = hashes[n-1]
	}
	b, err := l.block(ctx, open, n, previous)
	if err != nil || blocks == 0 {
		return b, nil, err
	}
	return b, path(hashes[:blocks], int(n)), nil
}

// hashes returns the hashes of the first n blocks.
func (l *ledger) hashes(ctx context.Context, open *openKeys, n uint32) ([][]byte, error) {
	l.chain.mu.Lock()
	defer l.chain.mu.Unlock()
	for i := uint32(len(l.chain.hashes)); i < n; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err // what is computed stays computed
		}
		var previous []byte
		if i > 0 {
			previous = l.chain.hashes[i-1]
		}
		b, err := l.block(ctx, open, i, previous)
		if err != nil {
			return nil, err
		}
		l.chain.hashes = append(l.chain.hashes, b.hash)
	}
	return slices.Clip(l.chain.hashes[:n]), nil
}

// block reads a block. An insertion is shown as the statement that it stands for.
func (l *ledger) block(ctx context.Context, open *openKeys, n uint32, previous []byte) (*blockContent, error) {
	p := l.journal.blocks.at(n)
	h, content, err := l.journal.record(ctx, open, p)
	if err != nil {
		return nil, err
	}
	b := &blockContent{previous: previous}
	var statements, documents []ion.Value
	shown := func(text string, start int64, digest []byte) {
		statements = append(statements, ion.Struct(field("statement", ion.String(text)),
			field("startTime", ion.Timestamp(l.journal.instant(start))), field("statementDigest", ion.Blob(digest))))
	}
	var names []string
	put := func(h header, v ion.Value, statement int) error {
		r, err := l.revision(h, v)
		if err != nil {
			return err
		}
		b.revisions = append(b.revisions, r)
		hash, _ := r.Field("hash")
		raw, _ := hash.AsBytes()
		b.hashes = append(b.hashes, raw)
		l.mu.RLock()
		t := l.all[h.table]
		l.mu.RUnlock()
		names = append(names, l.names.document(h.table, h.document))
		documents = append(documents, ion.Struct(field("tableName", ion.String(t.name)),
			field("tableId", ion.String(t.id)), field("statements", ion.List(ion.Int(int64(statement))))))
		return nil
	}
	if h.kind == insertion {
		v, err := valueOf(h, content)
		if err != nil {
			return nil, err
		}
		if err := put(h, v, 0); err != nil {
			return nil, err
		}
		l.mu.RLock()
		text := "INSERT INTO " + l.all[h.table].name + " ?"
		l.mu.RUnlock()
		shown(text, h.time, statementDigest(text, []ion.Value{v}))
	} else if err := l.blockParts(ctx, open, content, shown, put); err != nil {
		return nil, err
	}
	info := []ion.Field{field("statements", ion.List(statements...))}
	if len(documents) > 0 {
		all := make([]ion.Field, len(documents))
		for i := range documents {
			all[i] = field(names[i], documents[i])
		}
		info = append(info, field("documents", ion.Struct(all...)))
	}
	transaction := ion.Struct(info...)
	b.entries = [][]byte{hashOf(transaction)}
	if len(b.hashes) > 0 {
		b.entries = append(b.entries, merkle(b.hashes))
	}
	entries := merkle(b.entries)
	b.hash = entries
	if len(previous) > 0 {
		b.hash = ion.Dot(entries, previous)
	}
	list := make([]ion.Value, len(b.entries))
	for i, e := range b.entries {
		list[i] = ion.Blob(e)
	}
	fields := []ion.Field{field("blockAddress", l.blockAddress(n)),
		field("transactionId", ion.String(l.names.transaction(h.number))),
		field("blockTimestamp", ion.Timestamp(l.journal.instant(h.time))),
		field("blockHash", ion.Blob(b.hash)), field("entriesHash", ion.Blob(entries)),
		field("previousBlockHash", ion.Blob(previous)), field("entriesHashList", ion.List(list...)),
		field("transactionInfo", transaction)}
	if len(b.revisions) > 0 {
		fields = append(fields, field("revisions", ion.List(b.revisions...)))
	}
	b.value = ion.Struct(fields...)
	return b, nil
}

// blockParts reads the statements and revisions that the record of a block names.
func (l *ledger) blockParts(ctx context.Context, open *openKeys, content []byte,
	shown func(string, int64, []byte), put func(header, ion.Value, int) error) error {
	return blockPlaces(content, func(p place, statement int) error {
		h, data, err := l.journal.record(ctx, open, p)
		if err != nil {
			return err
		}
		if statement < 0 {
			shown(string(data[32:]), h.time, data[:32])
			return nil
		}
		v, err := valueOf(h, data)
		if err != nil {
			return err
		}
		return put(h, v, statement)
	})
}

// blockPlaces calls f for each part of a block's record: the statements, with -1, and the revisions, each
// with the number of its statement.
func blockPlaces(content []byte, f func(p place, statement int) error) error {
	var err error
	next := func() uint64 {
		v, n := binary.Uvarint(content)
		if n <= 0 {
			err, content = errBlock, nil
			return 0
		}
		content = content[n:]
		return v
	}
	for statements := next(); statements > 0 && err == nil; statements-- {
		if p := place(next()); err == nil {
			err = f(p, -1)
		}
	}
	for len(content) > 0 && err == nil {
		statement := next()
		if p := place(next()); err == nil {
			err = f(p, int(statement))
		}
	}
	return err
}

var errBlock = errors.New("a block without all of its parts")

// merkle returns the root over hashes, of which there is at least one.
func merkle(hashes [][]byte) []byte {
	level := slices.Clone(hashes)
	for len(level) > 1 {
		level = join(level)
	}
	return level[0]
}

// join makes one level of a Merkle tree of the one below it, in its place.
func join(level [][]byte) [][]byte {
	n := 0
	for i := 0; i < len(level); i += 2 {
		level[n] = level[i]
		if i+1 < len(level) {
			level[n] = ion.Dot(level[i], level[i+1])
		}
		n++
	}
	return level[:n]
}

// path returns the hashes that a leaf is joined with, one after the other, to become the root.
func path(hashes [][]byte, leaf int) [][]byte {
	var all [][]byte
	for level := slices.Clone(hashes); len(level) > 1; leaf /= 2 {
		if neighbor := leaf ^ 1; neighbor < len(level) {
			all = append(all, bytes.Clone(level[neighbor]))
		}
		level = join(level)
	}
	return all
}

func proofText(hashes [][]byte) string {
	all := make([]ion.Value, len(hashes))
	for i, h := range hashes {
		all[i] = ion.Blob(h)
	}
	return ion.List(all...).Text()
}
