package answer

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"

	"github.com/antchfx/xmlquery"
	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"

	"loadkms/runner/internal/client"
)

// A Document is one answer, looked at. It is made to be used again: the zero value is ready for
// [Document.Reset], and nothing else. Its response and body must stay as they are until the next one.
type Document struct {
	response *client.Response
	body     []byte

	valid once[bool] // body is JSON
	tree  once[any]  // body decoded, numbers exact
	plain once[any]  // body decoded, numbers as float64, as JMESPath wants them
	xml   once[*xmlquery.Node]
	html  once[*html.Node]
}

// A once is something made when it is first asked for.
type once[T any] struct {
	done  bool
	value T
}

// of returns the value, made by create if it is not there yet.
func (o *once[T]) of(create func() T) T {
	if !o.done {
		o.done, o.value = true, create()
	}
	return o.value
}

// Reset makes d the document of an answer. Body is the response's with its content coding undone; nil if
// none was kept.
func (d *Document) Reset(response *client.Response, body []byte) {
	*d = Document{response: response, body: body}
}

// Bounds of what is parsed. A tree takes about twenty times the space of its text, and a walk over it
// recurses as deep as it is nested.
const (
	mostMarkup = 16 << 20
	deepestXML = 1000
)

// isJSON reports whether the body is JSON, at most 10,000 levels deep. Everything that looks into JSON
// relies on it.
func (d *Document) isJSON() bool {
	if !d.valid.done {
		d.valid = once[bool]{true, json.Valid(d.body)}
	}
	return d.valid.value
}

// at returns the part of a JSON body that is at a place, and false if there is none.
func (d *Document) at(p place) ([]byte, bool) {
	if !d.isJSON() {
		return nil, false
	}
	return seek(d.body, p)
}

// json returns the body decoded, and false if it is not JSON.
func (d *Document) json() (any, bool) {
	if !d.isJSON() {
		return nil, false
	}
	return d.tree.of(func() any { return decode(d.body) }), true
}

// floats returns the body decoded as encoding/json does, and false if it is not JSON.
func (d *Document) floats() (any, bool) {
	if !d.isJSON() {
		return nil, false
	}
	return d.plain.of(func() (v any) {
		if json.Unmarshal(d.body, &v) != nil {
			return nil // a number beyond float64
		}
		return v
	}), true
}

// markup returns the body as a tree of XML, or nil if it is none.
func (d *Document) markup() *xmlquery.Node {
	return d.xml.of(func() *xmlquery.Node {
		if len(d.body) > mostMarkup || !shallow(d.body) {
			return nil
		}
		root, err := xmlquery.Parse(bytes.NewReader(d.body))
		if err != nil {
			return nil
		}
		return root
	})
}

// shallow reports whether XML is well-formed and not nested too deep to be walked.
func shallow(body []byte) bool {
	from := xml.NewDecoder(bytes.NewReader(body))
	from.CharsetReader = charset.NewReaderLabel // as xmlquery
	for depth := 0; ; {
		token, err := from.RawToken()
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		switch token.(type) {
		case xml.StartElement:
			if depth++; depth > deepestXML {
				return false
			}
		case xml.EndElement:
			depth--
		}
	}
}

// page returns the body as a tree of HTML, as browsers see it, or nil if there is none.
func (d *Document) page() *html.Node {
	return d.html.of(func() *html.Node {
		if len(d.body) == 0 || len(d.body) > mostMarkup {
			return nil
		}
		root, err := html.Parse(bytes.NewReader(d.body)) // refuses what is deeper than 512 levels
		if err != nil {
			return nil
		}
		return root
	})
}

// isHTML reports whether the body says that it is HTML.
func (d *Document) isHTML() bool {
	if kind, ok := d.response.Header("Content-Type"); ok {
		return hasFold(kind, []byte("text/html"))
	}
	start := bytes.TrimLeft(d.body, " \t\r\n\ufeff")
	return beginsFold(start, []byte("<!doctype html")) || beginsFold(start, []byte("<html"))
}

// hasFold reports whether part is in b, whatever the case of its letters.
func hasFold(b, part []byte) bool {
	for ; len(b) >= len(part); b = b[1:] {
		if beginsFold(b, part) {
			return true
		}
	}
	return false
}

// beginsFold reports whether b begins with part, whatever the case of its letters.
func beginsFold(b, part []byte) bool {
	return len(b) >= len(part) && bytes.EqualFold(b[:len(part)], part)
}
