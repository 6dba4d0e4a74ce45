// Package api is the HTTP API of the article: POST /record and GET /record/{id}, as its two Lambda
// functions behind API Gateway answer. It keeps no records and knows no keys.
package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/ledger"
)

// maxBody bounds the body of a request: well above the ledger's limit for a document, so that the
// ledger is the one to say so. API Gateway's own limit is 10 MB.
const maxBody = 1 << 20

// Options say whose API it is. All fields but Stage are required.
type Options struct {
	Ledgers *ledger.Service
	Ledger  string // its name
	Table   string
	Create  iam.Caller // the role session of the function behind POST /record
	Read    iam.Caller // and of the one behind GET /record/{id}
	Stage   string     // a path prefix that is accepted and may be left out: "poc" for /poc/record; "" for none

	// Driver is with which driver the functions speak with the ledger: one of [Drivers]; "" means none. New
	// panics for any other.
	Driver string
	// Concurrency is how many containers each function has at most; requests beyond are answered 429.
	// 0 means no limit.
	Concurrency int
	// ColdStart is how long a new container takes before its first request; 0 means no time. It is
	// sandbox time, as the two durations below are; see [Time].
	ColdStart time.Duration
	// CallTime is how long each call of a driver to the ledger takes on its way, three for a request to a
	// warm container and four to a new one; 0 means no time.
	CallTime time.Duration
	// Timeout is how long a request may take before it is answered 504; 0 means 29 seconds, as API
	// Gateway has it. Without driver, concurrency limit, cold start and call time nothing waits, and there
	// is no timeout unless it is set here.
	Timeout time.Duration
}

// An API answers HTTP requests. It is safe for use by many goroutines.
type API struct {
	table  string
	prefix string
	create pool
	read   pool
}

// New returns the API over a ledger. It opens no session before the first request needs one.
func New(o Options) *API {
	a := &API{table: o.Table}
	a.create.set(&o, o.Create)
	a.read.set(&o, o.Read)
	if o.Stage != "" {
		a.prefix = "/" + o.Stage
	}
	return a
}

func (p *pool) set(o *Options, caller iam.Caller) {
	p.ledgers, p.ledger, p.caller = o.Ledgers, o.Ledger, caller
	p.time, p.driver, p.concurrency = o.Ledgers.Clock(), driverOf(o.Driver), o.Concurrency
	p.coldStart, p.callTime, p.timeout = o.ColdStart, o.CallTime, o.Timeout
	p.direct = (o.Driver == "" || o.Driver == DriverNone) && o.Concurrency <= 0 && o.ColdStart <= 0 && o.CallTime <= 0 &&
		o.Timeout <= 0
	if p.timeout <= 0 {
		p.timeout = DefaultTimeout
	}
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if rest, ok := strings.CutPrefix(path, a.prefix); ok && a.prefix != "" && strings.HasPrefix(rest, "/") {
		path = rest
	}
	const record = "/record"
	id, get := strings.CutPrefix(path, record+"/")
	switch {
	case path == record && r.Method == http.MethodPost:
		a.post(w, r)
	case get && r.Method == http.MethodGet && id != "" && strings.IndexByte(id, '/') < 0:
		a.get(w, r, id)
	default:
		answer(w, http.StatusForbidden, missingToken)
	}
}

// The fixed answers. Spacing and casing are those of API Gateway and of the article's functions.
var (
	created      = []byte(`"Success"`)
	missingToken = []byte(`{"message":"Missing Authentication Token"}`)
	crashed      = []byte(`{"message": "Internal server error"}`)
	tooLarge     = []byte(`{"message":"Request Too Long"}`)
	tooMany      = []byte(`{"message":"Too Many Requests"}`)
	timedOut     = []byte(`{"message": "Endpoint request timed out"}`)
)

func (a *API) post(w http.ResponseWriter, r *http.Request) {
	buf := buffers.Get().(*bytes.Buffer)
	defer release(buf)
	if _, err := buf.ReadFrom(io.LimitReader(r.Body, maxBody+1)); err != nil {
		answer(w, http.StatusBadGateway, crashed) // the client broke off; nobody may be listening
		return
	}
	if buf.Len() > maxBody {
		answer(w, http.StatusRequestEntityTooLarge, tooLarge)
		return
	}
	// The function parses the body and hands on a value, so whitespace is lost and the order of fields
	// is not, nor is more than the last value of a key. It parses outside of its try block: what is no
	// JSON crashes it.
	doc := buffers.Get().(*bytes.Buffer)
	defer release(doc)
	if err := json.Compact(doc, buf.Bytes()); err != nil || doc.Len() == 0 {
		answer(w, http.StatusBadGateway, crashed)
		return
	}
	content := doc.Bytes()
	if !plain(content) {
		content = parse(make([]byte, 0, len(content)), content)
	}
	err := a.create.use(r, func(s *ledger.Session) error {
		return s.InsertCompact(r.Context(), a.table, content)
	})
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusCreated, created)
}

func (a *API) get(w http.ResponseWriter, r *http.Request, text string) {
	id, shown := parseInt(text)
	buf := buffers.Get().(*bytes.Buffer)
	defer release(buf)
	found := false
	var doc []byte
	err := a.read.use(r, func(s *ledger.Session) (err error) {
		doc, found, err = s.Find(r.Context(), a.table, id, buf.AvailableBuffer())
		return err
	})
	switch {
	case err != nil:
		fail(w, err)
	case !found:
		problem(w, http.StatusBadRequest, "Record Not Found Error", "Record with id "+shown+" does not exist")
	default:
		answer(w, http.StatusOK, doc)
		if cap(doc) > buf.Cap() {
			*buf = *bytes.NewBuffer(doc[:0]) // the pool learns how long documents are
		}
	}
}

// fail answers an error of the ledger as the function's catch block does, and one from before the
// function as the gateway does.
func fail(w http.ResponseWriter, err error) {
	var e *ledger.Error
	switch err {
	case errBusy:
		answer(w, http.StatusTooManyRequests, tooMany)
		return
	case errTimeout:
		answer(w, http.StatusGatewayTimeout, timedOut)
		return
	}
	if errors.As(err, &e) {
		problem(w, http.StatusInternalServerError, e.Code, e.Message)
		return
	}
	problem(w, http.StatusInternalServerError, "InternalServerError", err.Error())
}

func problem(w http.ResponseWriter, status int, title, detail string) {
	body := append(make([]byte, 0, 256), `{"status":`...)
	body = strconv.AppendInt(body, int64(status), 10)
	body = append(body, `,"title":`...)
	body = appendString(body, title)
	body = append(body, `,"detail":`...)
	body = appendString(body, detail)
	answer(w, status, append(body, '}'))
}

// appendString appends a JSON string as JSON.stringify writes it, which escapes no HTML.
func appendString(dst []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string into memory
	return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

var contentType = []string{"application/json"}

// answer writes a whole answer. Header values are shared slices: setting them by Set would allocate.
func answer(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = contentType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	w.Write(body) // a client that has gone needs no answer
}

// buffers are for bodies, in and out.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxKept is the largest buffer that is kept: one huge document must not stay in memory for good.
const maxKept = 64 << 10

func release(b *bytes.Buffer) {
	if b.Cap() <= maxKept {
		b.Reset()
		buffers.Put(b)
	}
}
