package client

import (
	"math/rand/v2"
	"testing"
)

func seeds(f *testing.F) {
	w := answerWriter{rand.New(rand.NewPCG(7, 7))}
	for range 40 {
		f.Add(w.answer(), false, uint8(w.IntN(256)), uint64(w.IntN(1000)))
	}
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-T: 1\r\n\r\nrest"), false, uint8(3), uint64(1))
}

// FuzzParser looks for answers that are read differently if cut, and for bodies longer than they may be.
func FuzzParser(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, stream []byte, head bool, keep uint8, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		once := ours(stream, head, int(keep), whole)
		cutUp := ours(stream, head, int(keep), func(left int) int { return 1 + r.IntN(left) })
		if once != cutUp {
			t.Errorf("read as %+v at once, as %+v cut", once, cutUp)
		}
		if len(once.body) > int(keep) || uint64(len(once.body)) > once.size || once.size > uint64(len(stream)) {
			t.Errorf("kept %d of %d bytes, asked for %d", len(once.body), once.size, keep)
		}
	})
}

// FuzzDifferential looks for answers that net/http reads differently.
func FuzzDifferential(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, stream []byte, head bool, keep uint8, _ uint64) {
		if wrong := agree(stream, head, int(keep), whole); wrong != "" {
			t.Error(wrong)
		}
	})
}
