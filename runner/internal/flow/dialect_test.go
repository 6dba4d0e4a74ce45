package flow

import (
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"loadkms/result"
	"loadkms/runner/internal/arrival"
	"loadkms/runner/internal/client"
	"loadkms/scenarios"
)

var update = flag.Bool("update", false, "write what flows send to their .want files")

// drivers are all that play flows. Whichever plays one, the same is sent.
var drivers = []struct {
	name string
	make func(t *testing.T, p *Program) *Driver
}{
	{"portable", func(t *testing.T, p *Program) *Driver {
		c := client.New(client.Options{})
		t.Cleanup(c.CloseIdle)
		return newDriver(p, c)
	}},
	{"event loops", func(t *testing.T, p *Program) *Driver {
		if !client.HasLoops {
			t.Skip("there are none here")
		}
		return newDriver(p, nil)
	}},
}

// A recorder is a server that writes down what it is sent, and answers what scripts in testdata expect.
type recorder struct {
	*httptest.Server
	mu    sync.Mutex
	lines []string
}

// noted are the headers that are written down.
var noted = []string{"Accept-Encoding", "Authorization", "Content-Type", "Cookie", "X-Api-Key", "X-Count", "X-Own"}

func newRecorder(t *testing.T) *recorder {
	r := new(recorder)
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	line := fmt.Sprintf("%s %s", req.Method, req.RequestURI)
	for _, name := range noted {
		if v, ok := req.Header[name]; ok {
			line += fmt.Sprintf("\n    %s: %s", name, strings.Join(v, " | "))
		}
	}
	if len(body) > 0 {
		line += "\n    " + strings.ReplaceAll(strings.ReplaceAll(string(body), "\r", ""), "\n", "\n    ")
	}
	if err != nil {
		line += "\n    " + err.Error()
	}
	r.mu.Lock()
	r.lines = append(r.lines, line)
	r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch path, _, _ := strings.Cut(req.URL.Path[1:], "/"); path {
	case "login":
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s1", Path: "/"})
		_, _ = io.WriteString(w, `{"token":"t1","user":{"id":7,"roles":["reader","writer"]}}`)
	case "moved":
		http.Redirect(w, req, "/landed", http.StatusTemporaryRedirect)
	case "found":
		http.Redirect(w, req, "/landed?found", http.StatusFound)
	case "zipped":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"items":[{"id":1},{"id":2},{"id":3}]}`)
		z.Close()
	case "items":
		_, _ = io.WriteString(w, `{"items":[{"id":1,"name":"pen","price":2},{"id":2,"name":"desk","price":90.5},{"id":3,"name":"ink","price":4}]}`)
	case "headers":
		w.Header().Set("X-Next", "/next/7")
	case "cached":
		w.Header().Set("X-Cache", "Hit from edge")
	case "xml":
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, `<books><book><title>one</title></book><book><title>two</title></book></books>`)
	case "status":
		code, _ := strconv.Atoi(req.URL.Path[len("/status/"):])
		w.WriteHeader(code)
	case "page":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<form><input name="csrf" value="c1"></form><ul><li>a</li><li>b</li><li>c</li></ul>`)
	case "missing":
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = io.WriteString(w, `{"ok":true}`)
	}
}

// take returns what was sent since the last time.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

// only is a schedule of one arrival.
func only(seq uint64) iter.Seq[arrival.Arrival] {
	return func(yield func(arrival.Arrival) bool) { yield(arrival.Arrival{Seq: seq}) }
}

// ordered sorts what is sent side by side, which is what comes in a row for /side.
func ordered(lines []string) []string {
	side := func(line string) bool { return strings.Contains(line, " /side/") }
	for i := 0; i < len(lines); i++ {
		from := i
		for i < len(lines) && side(lines[i]) {
			i++
		}
		slices.Sort(lines[from:i])
	}
	return lines
}

// transcript plays before, three arrivals one after another, and after, and returns what was sent and
// logged.
func transcript(t *testing.T, s *scenarios.Script, newDriver func(t *testing.T, p *Program) *Driver) string {
	t.Helper()
	server := newRecorder(t)
	log := new(logbook)
	p, err := Compile(s, Options{Target: server.URL, Seed: 42, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(client.Options{})
	defer c.CloseIdle()
	var out strings.Builder
	section := func(name string) {
		lines := ordered(server.take())
		if len(lines) > 0 {
			fmt.Fprintf(&out, "== %s\n%s\n", name, strings.Join(lines, "\n"))
		}
	}
	if err := p.Before(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	section("before")
	d := newDriver(t, p)
	for seq := range uint64(3) {
		if err := d.Drive(t.Context(), time.Now(), only(seq)); err != nil {
			t.Fatal(err)
		}
		section(fmt.Sprint("user ", seq+1))
	}
	if err := p.After(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	section("after")
	out.WriteString("== classes\n")
	for _, step := range d.Recorder.Steps() {
		fmt.Fprintf(&out, "%s:", step.Name)
		for class, n := range step.Classes {
			if n > 0 {
				fmt.Fprintf(&out, " %v %d", result.Class(class), n)
			}
		}
		out.WriteString("\n")
	}
	if lines := strings.SplitAfter(log.String(), "\n"); len(lines) > 1 {
		slices.Sort(lines) // drivers need not write them in the moment they are said
		fmt.Fprintf(&out, "== log\n%s", strings.Join(lines, ""))
	}
	return strings.ReplaceAll(out.String(), server.URL, "http://target")
}

// golden compares got with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// One script with everything the dialect has, made by hand.
func TestATourOfTheDialect(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			golden(t, filepath.Join("testdata", "dialect", "tour.want"), transcript(t, tour(), d.make))
		})
	}
}

func tour() *scenarios.Script {
	header := func(name, value string) scenarios.Header {
		return scenarios.Header{Name: name, Value: template(0, value)}
	}
	login := post("/login", `{"user":{{ name }},"secret":{{ secret }}}`)
	login.Capture = []scenarios.Capture{captures(scenarios.JSONPath, "$.token", "token"), captures(scenarios.JSONPath, "$.user", "account")}
	login.Match = []scenarios.Match{{Capture: captures(scenarios.JSONPath, "$.user.id", ""), Value: template(0, "7")}}
	profile := get("/users/{{ account.id }}/{{ account.roles[1] }}?name={{ name }}")
	profile.Headers = []scenarios.Header{header("Authorization", "Bearer {{ token }}"), header("X-Own", "own")}
	profile.Before, profile.After = functionsNamed("count"), functionsNamed("peek")
	zipped := get("/zipped")
	zipped.Gzip = true
	all := captures(scenarios.JSONPath, "$.items[*]", "items")
	all.Multiple = true
	zipped.Capture = []scenarios.Capture{all}
	zipped.Expect = scenarios.Expect{Status: []int{200}, ContentType: "json", Contains: []scenarios.Check{{Kind: scenarios.HasProperty, Name: "items[2].id"}}}
	page := get("/page")
	csrf := captures(scenarios.Selector, "input[name=csrf]", "csrf")
	csrf.Attr = "value"
	page.Capture = []scenarios.Capture{csrf}
	form := get("/form")
	form.Method, form.HasBody = "POST", true
	form.Body = template(scenarios.FormString, "csrf={{ csrf }}&name={{ name }}")
	form.Headers = []scenarios.Header{header("Content-Type", "application/x-www-form-urlencoded")}
	upload := get("/upload")
	upload.Method = "PUT"
	upload.Form = []scenarios.FormPart{{Name: "who", Value: template(0, "{{ name }}")}, {Name: "file", File: "users.csv", ContentType: "text/csv"}}
	upload.Auth = &scenarios.Auth{User: template(0, "{{ name }}"), Password: template(0, "pw")}
	old := get("/old")
	old.If = "account.id > 100"
	young := get("/young")
	young.If = `account.id < 100 and name != "bob"`
	moved := post("/moved", `{"n":{{ $sequence() }},"r":{{ $randomString(5) }},"f":{{ $firstName() }}}`)
	found := post("/found", "{}")
	found.Cookies = fieldsOf("own", "{{ name }}")
	missing := get("/missing")
	missing.Expect.Status = []int{404}
	never := get("/never")
	never.Skip = 1
	s := script(
		login, profile, zipped,
		looping(scenarios.LoopStep{OverVar: "items"}, get("/items/{{ $loopElement.id }}?i={{ $loopCount }}")),
		looping(scenarios.LoopStep{While: functionsNamed("more")[0]}, get("/more")),
		scenarios.Step{Kind: scenarios.Think, PauseText: template(0, "{{ wait }}ms")},
		page, form, upload, old, young, moved, found,
		sideBySide(2, get("/side/a/{{ $randomNumber(1, 99) }}"), get("/side/b/{{ $randomNumber(1, 99) }}"), get("/side/c/{{ $randomNumber(1, 99) }}")),
		never, missing, prints("bye {{ name }}"),
	)
	s.File = filepath.Join("testdata", "dialect", "tour.yaml")
	s.Config.Processor = "../processor/hooks.js"
	s.Config.HTTP.Headers = []scenarios.Header{header("X-Api-Key", "{{ key }}")}
	s.Config.HTTP.Cookies = fieldsOf("theme", "dark")
	s.Config.HTTP.ThinkJitter = scenarios.Jitter{Share: 0.5}
	s.Config.Variables = []scenarios.Variable{{Name: "wait", Values: []string{"2"}, Typed: []any{int64(2)}}, {Name: "key", Values: []string{"k1", "k2"}}}
	s.Config.Payloads = []scenarios.Payload{{Path: "users.csv", Header: true, Order: scenarios.SequentialRow}}
	ready := get("/ready")
	ready.Capture = []scenarios.Capture{captures(scenarios.Regexp, "true", "ready")}
	s.Before, s.After = []scenarios.Step{ready}, []scenarios.Step{get("/cleanup/{{ ready }}")}
	s.Scenarios[0].AfterScenario = functionsNamed("seesAll")
	return s
}

// What the scripts of testdata/dialect send, as their .want files have it, whichever driver plays them.
func TestDialect(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "testdata", "dialect")
	scripts, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in %s: %v", folder, err)
	}
	for _, file := range scripts {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		for _, d := range drivers {
			t.Run(name+" "+d.name, func(t *testing.T) {
				src, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				s, err := scenarios.Parse(file, src, scenarios.Options{})
				if err != nil {
					t.Fatal(err)
				}
				golden(t, filepath.Join(folder, name+".want"), transcript(t, s, d.make))
			})
		}
	}
}
