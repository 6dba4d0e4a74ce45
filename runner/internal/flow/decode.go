package flow

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"slices"
	"strings"

	"loadkms/runner/internal/client"
)

// mostDecoded bounds what a compressed body may become: a small one can be made to hold gigabytes.
const mostDecoded = 64 << 20

var errCoding = errors.New("the body cannot be decoded")

// plain undoes the content coding of what was kept of r's body, and leaves it in r.Body. Of a body that
// was not kept as a whole it decodes what there is. Codings it does not know it leaves alone.
func (w *walk) plain(r *client.Response) error {
	if len(r.Body) == 0 {
		return nil
	}
	coding, ok := r.Header("Content-Encoding")
	if !ok {
		return nil
	}
	var from io.Reader
	var err error
	body := bytes.NewReader(r.Body)
	switch strings.ToLower(string(coding)) {
	case "gzip", "x-gzip":
		from, err = gzip.NewReader(body)
	case "deflate":
		// Some servers send the bare stream, others the one of RFC 1950 that the name stands for.
		if from, err = zlib.NewReader(body); err != nil {
			body.Reset(r.Body)
			from, err = flate.NewReader(body), nil
		}
	default:
		return nil
	}
	whole := r.Whole()
	w.decoded = w.decoded[:0]
	for err == nil {
		w.decoded = slices.Grow(w.decoded, 512)
		var n int
		n, err = from.Read(w.decoded[len(w.decoded):cap(w.decoded)])
		if w.decoded = w.decoded[:len(w.decoded)+n]; len(w.decoded) > mostDecoded {
			return errCoding
		}
	}
	r.Body, r.Size = w.decoded, uint64(len(w.decoded))
	switch {
	case !whole:
		r.Size++ // there was more
	case err != io.EOF:
		return errCoding
	}
	return nil
}
