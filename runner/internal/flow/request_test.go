package flow

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"loadkms/result"
	"loadkms/runner/internal/client"
	"loadkms/scenarios"
)

func fieldsOf(pairs ...string) (fields []scenarios.Field) {
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, scenarios.Field{Name: pairs[i], Value: template(0, pairs[i+1])})
	}
	return fields
}

// shown returns a request as text: its line, the headers of interest, its body.
func shown(r *http.Request, headers ...string) string {
	s := r.Method + " " + r.URL.Scheme + "://" + r.URL.Host + r.URL.RequestURI()
	for _, name := range headers {
		if v, ok := r.Header[name]; ok {
			s += " " + name + "=" + strings.Join(v, "|")
		}
	}
	if r.Body != nil && r.Body != http.NoBody {
		b, _ := io.ReadAll(r.Body)
		s += " " + string(b)
	}
	return s
}

func TestBasicAuthentication(t *testing.T) {
	fixed, filled := get("/fixed"), get("/filled")
	fixed.Auth = &scenarios.Auth{User: template(0, "ada"), Password: template(0, "p:w")}
	filled.Auth = &scenarios.Auth{User: template(0, "{{ user }}"), Password: template(0, "{{ user }}!")}
	filled.Headers = []scenarios.Header{{Name: "authorization", Value: template(0, "Bearer x")}}
	s := script(fixed, filled)
	s.Config.Variables = []scenarios.Variable{{Name: "user", Values: []string{"bob"}}}
	synctest.Test(t, func(t *testing.T) {
		var got []string
		d := newDriver(compile(t, s, Options{}), respond(func(r *http.Request) (*http.Response, error) {
			user, password, _ := r.BasicAuth()
			got = append(got, user+" "+password)
			return answered(200, ""), nil
		}))
		drive(t, d, constantly(1, 2*time.Second))
		equal(t, "sent", got, []string{"ada p:w", "bob bob!", "ada p:w", "bob bob!"})
	})
}

// A step's cookie counts before one a server set, that before one of config; and the jar is the user's.
func TestCookies(t *testing.T) {
	own := get("/own/{{ id }}")
	own.Cookies = fieldsOf("a", "step {{ id }}")
	header := get("/header")
	header.Headers = []scenarios.Header{{Name: "Cookie", Value: template(0, "x=y")}}
	s := script(get("/"), own, get("/set"), get("/"), get("/own"), get("http://other.example/"), header, get("/unset"), get("/"))
	s.Config.HTTP.Cookies = fieldsOf("a", "config", "b", "config")
	s.Config.Variables = []scenarios.Variable{{Name: "id", Values: []string{"7"}}}
	synctest.Test(t, func(t *testing.T) {
		var got []string
		d := newDriver(compile(t, s, Options{}), respond(func(r *http.Request) (*http.Response, error) {
			got = append(got, r.URL.Host+r.URL.Path+": "+strings.Join(r.Header["Cookie"], "|"))
			resp := answered(200, "")
			switch r.URL.Path {
			case "/poc/set":
				resp.Header["Set-Cookie"] = []string{"a=server; Path=/", "own=1; Path=/poc/own", "late=1; Max-Age=0", "\x00"}
			case "/poc/unset":
				resp.Header.Set("Set-Cookie", "a=; Path=/; Max-Age=0")
			}
			return resp, nil
		}))
		drive(t, d, constantly(1, 2*time.Second))
		want := []string{
			"api.example/poc/: a=config; b=config", "api.example/poc/own/7: a=step 7; b=config", "api.example/poc/set: a=config; b=config",
			"api.example/poc/: a=server; b=config", "api.example/poc/own: own=1; a=server; b=config", "other.example/: ", "api.example/poc/header: x=y",
			"api.example/poc/unset: a=server; b=config", "api.example/poc/: a=config; b=config",
		}
		equal(t, "sent", strings.Join(got, "\n"), strings.Join(append(want, want...), "\n"))
	})
}

func TestRedirects(t *testing.T) {
	redirect := func(status int, to string) respond {
		return func(*http.Request) (*http.Response, error) {
			resp := answered(status, "moved")
			resp.Header.Set("Location", to)
			return resp, nil
		}
	}
	secret := post("/start", `{"n":{{ $sequence() }}}`)
	secret.Auth = &scenarios.Auth{User: template(0, "ada"), Password: template(0, "x")}
	secret.Cookies = fieldsOf("own", "1")
	stay := secret
	stay.Stay = true
	head := get("/start")
	head.Method = "HEAD"
	const auth = " Authorization=Basic YWRhOng= Cookie=own=1"
	const first = "POST http://api.example/poc/start Content-Type=application/json" + auth + ` {"n":1}`
	for _, c := range []struct {
		name   string
		step   scenarios.Step
		status int
		to     string
		want   []string
		class  result.Class
	}{
		{"301", secret, 301, "/b?c=d", []string{first, "GET http://api.example/b?c=d" + auth}, result.OK},
		{"302 from where it is", secret, 302, "next", []string{first, "GET http://api.example/poc/next" + auth}, result.OK},
		{"303", secret, 303, "/b", []string{first, "GET http://api.example/b" + auth}, result.OK},
		{"307", secret, 307, "/b", []string{first, "POST http://api.example/b Content-Type=application/json" + auth + ` {"n":1}`}, result.OK},
		{"308", secret, 308, "/b", []string{first, "POST http://api.example/b Content-Type=application/json" + auth + ` {"n":1}`}, result.OK},
		{"to somebody else", secret, 307, "http://other.example/b", []string{first, `POST http://other.example/b Content-Type=application/json {"n":1}`}, result.OK},
		{"HEAD", head, 303, "/b", []string{"HEAD http://api.example/poc/start", "HEAD http://api.example/b"}, result.OK},
		{"what is sent by everybody", get("/start"), 302, "/b", []string{"GET http://api.example/poc/start", "GET http://api.example/b"}, result.OK},
		{"not followed", stay, 302, "/b", []string{first}, result.OK},
		{"to no URL", secret, 302, "ftp://other.example", []string{first}, result.OK},
		{"304 is none", secret, 304, "/b", []string{first}, result.OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []string
				d := newDriver(compile(t, script(c.step), Options{}), respond(func(r *http.Request) (*http.Response, error) {
					time.Sleep(time.Second)
					got = append(got, shown(r, "Content-Type", "Authorization", "Cookie"))
					if strings.HasSuffix(r.URL.Path, "start") {
						return redirect(c.status, c.to)(r)
					}
					return answered(200, "there"), nil
				}))
				drive(t, d, only(0))
				equal(t, "sent", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
				s := d.Recorder.Steps()[0]
				// The next user begins where this one did.
				got = nil
				drive(t, d, only(1))
				equal(t, "sent again", strings.Join(got, "\n"), strings.ReplaceAll(strings.Join(c.want, "\n"), `"n":1`, `"n":2`))
				equal(t, "one sample", []any{s.Classes.Total(), s.Classes[c.class], s.Response.Max, s.Service.Max},
					[]any{1, 1, time.Duration(len(c.want)) * time.Second, time.Duration(len(c.want)) * time.Second})
			})
		})
	}
	t.Run("too many", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			s := script(get("/start"))
			s.Config.HTTP.Redirects = 3
			s.Scenarios[0].Flow[0].Expect.Status = []int{200}
			d := newDriver(compile(t, s, Options{}), respond(func(r *http.Request) (*http.Response, error) {
				n++
				return redirect(302, fmt.Sprint("/", n))(r)
			}))
			drive(t, d, constantly(1, time.Second))
			equal(t, "sent, and failed", []any{n, count(d, 0, result.CheckFailed)}, []any{4, 1})
		})
	})
}

// A redirect that sets a cookie is the usual way to log in.
func TestRedirectsCarryCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		d := newDriver(compile(t, script(post("/login", "{}"), get("/next")), Options{}), respond(func(r *http.Request) (*http.Response, error) {
			got = append(got, shown(r, "Cookie"))
			resp := answered(200, "")
			if strings.HasSuffix(r.URL.Path, "login") {
				resp.StatusCode = 303
				resp.Header["Location"], resp.Header["Set-Cookie"] = []string{"/home"}, []string{"session=1; Path=/"}
			}
			return resp, nil
		}))
		d.MaxUsers = 1
		drive(t, d, only(0))
		equal(t, "sent", got, []string{"POST http://api.example/poc/login {}", "GET http://api.example/home Cookie=session=1", "GET http://api.example/poc/next Cookie=session=1"})
		got = nil
		drive(t, d, only(1)) // the same user, without the cookie
		equal(t, "sent again", got[0], "POST http://api.example/poc/login {}")
	})
}

func TestForms(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cat.png"), []byte("\x89PNG\r\n--loadkms"), 0o600); err != nil {
		t.Fatal(err)
	}
	st := get("/upload")
	st.Method = "POST"
	st.Headers = []scenarios.Header{{Name: "Content-Type", Value: template(0, "multipart/form-data")}}
	st.Form = []scenarios.FormPart{
		{Name: "title", Value: template(0, "no. {{ $sequence() }}")}, {Name: `a "name"`, Value: template(0, "{}"), ContentType: "application/json"},
		{Name: "file", File: "cat.png"}, {Name: "typed", File: "cat.png", ContentType: "image/png"},
	}
	s := script(st)
	s.File = filepath.Join(dir, "script.yaml")
	synctest.Test(t, func(t *testing.T) {
		var got []string
		d := newDriver(compile(t, s, Options{}), respond(func(r *http.Request) (*http.Response, error) {
			_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
			if err != nil {
				t.Error(err)
			}
			parts := multipart.NewReader(r.Body, params["boundary"])
			for {
				p, err := parts.NextPart()
				if err == io.EOF {
					break
				} else if err != nil {
					t.Error(err)
					break
				}
				b, _ := io.ReadAll(p)
				got = append(got, fmt.Sprintf("%s %s %s %q", p.FormName(), p.FileName(), p.Header.Get("Content-Type"), b))
			}
			if n, _ := io.ReadAll(r.Body); len(n) > 0 {
				t.Errorf("there is more: %q", n)
			}
			return answered(200, ""), nil
		}))
		drive(t, d, constantly(1, time.Second))
		equal(t, "parts", strings.Join(got, "\n"), `title   "no. 1"
a %22name%22  application/json "{}"
file cat.png application/octet-stream "\x89PNG\r\n--loadkms"
typed cat.png image/png "\x89PNG\r\n--loadkms"`)
	})
	s.Scenarios[0].Flow[0].Form[2].File = "dog.png"
	if _, err := Compile(s, Options{Target: "http://h"}); err == nil || !strings.Contains(err.Error(), "the file dog.png cannot be read: no such file") {
		t.Errorf("got %v", err)
	}
}

func TestFormFields(t *testing.T) {
	st := get("/search?q={{ odd }}")
	st.URL.Parts[1].Mode = scenarios.FormString
	st.Method, st.HasBody, st.Body = "POST", true, template(scenarios.FormString, "a={{ odd }}&n={{ $randomNumber(7, 7) }}&x={{ $sequence() }}")
	s := script(st)
	s.Config.Variables = []scenarios.Variable{{Name: "odd", Values: []string{"a b&c=é%"}}}
	got, _ := sentBy(t, s)
	equal(t, "sent", got, []string{"/poc/search?q=a+b%26c%3D%C3%A9%25 a=a+b%26c%3D%C3%A9%25&n=7&x=1"})
}

func TestCompressedAnswers(t *testing.T) {
	zip := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, s)
		w.Close()
		return b.String()
	}
	deflate := func(s string) string {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		_, _ = io.WriteString(w, s)
		w.Close()
		return b.String()
	}
	st := get("/")
	st.Gzip = true
	st.Expect = scenarios.Expect{ContentType: "json", Contains: []scenarios.Check{{Kind: scenarios.HasProperty, Name: "a"}}}
	const good = `{"a":"loadkms"}`
	for _, c := range []struct {
		name, coding, body string
		status             int
		want               result.Class
	}{
		{"plain", "", good, 200, result.OK},
		{"gzip", "gzip", zip(good), 200, result.OK},
		{"deflate", "deflate", deflate(good), 200, result.OK},
		{"deflate without its head", "DEFLATE", deflate(good)[2:], 200, result.OK},
		{"something else", "zstd", good, 200, result.OK},
		{"not what is wanted", "gzip", zip(`{"b":1}`), 200, result.CheckFailed},
		{"not what it says", "gzip", good, 200, result.BadResponse},
		{"cut short", "gzip", zip(good)[:20], 200, result.BadResponse},
		{"an error", "gzip", zip(noGrant), 500, result.KeyInaccessible},
		{"nothing", "gzip", "", 200, result.CheckFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDriver(compile(t, script(st), Options{}), respond(func(r *http.Request) (*http.Response, error) {
					equal(t, "asked for", r.Header.Get("Accept-Encoding"), "gzip, deflate")
					resp := answered(c.status, c.body)
					if c.coding != "" {
						resp.Header.Set("Content-Encoding", c.coding)
					}
					return resp, nil
				}))
				drive(t, d, constantly(1, time.Second))
				equal(t, c.want.String(), count(d, 0, c.want), 1)
			})
		})
	}
}

// What everybody sends is rendered when the script is compiled, and is known by its address.
func TestFixedRequests(t *testing.T) {
	s := script(get("/a?b=c"), post("/d", `{"e":1}`), get("/{{ $sequence() }}"))
	u, _ := walker(t, s)
	u.begin(ticket{})
	first := u.walk.out
	if !first.fixed || string(first.target) != "/poc/a?b=c" || first.origin != "http://api.example" || first.hasBody {
		t.Errorf("got %+v", first)
	}
	u.walk.answer(ok(), 1)
	second := u.walk.out
	if !second.fixed || string(second.body) != `{"e":1}` || fmt.Sprintf("%s", second.fields) != "[{Content-Type application/json} {User-Agent loadkms}]" {
		t.Errorf("got %+v", second)
	}
	u.walk.answer(ok(), 1)
	if u.walk.out.fixed {
		t.Error("a request with a hole is not the same for everybody")
	}
	u.begin(ticket{})
	if u.walk.out != first {
		t.Error("it was rendered again")
	}
	// A cookie of a server makes it the user's own.
	u.walk.answer(&client.Response{Status: 200, Head: []byte("set-cookie: a=b\r\n")}, 1)
	if u.walk.out.fixed || u.walk.out == second {
		t.Error("a user with a cookie sends the same as everybody")
	}
	u.begin(ticket{})
	if u.walk.out != first {
		t.Error("the cookie outlived its flow")
	}
}

func TestTracing(t *testing.T) {
	s := script(get("/a"), get("/b"))
	s.Config.HTTP.Tracing = true
	synctest.Test(t, func(t *testing.T) {
		seen := map[string]bool{}
		d := newDriver(compile(t, s, Options{}), respond(func(r *http.Request) (*http.Response, error) {
			trace := r.Header.Get("Traceparent")
			parts := strings.Split(trace, "-")
			if len(parts) != 4 || parts[0] != "00" || len(parts[1]) != 32 || !strings.HasPrefix(parts[1], "a9") || len(parts[2]) != 16 || parts[3] != "01" {
				t.Errorf("got %q", trace)
			}
			seen[trace] = true
			return answered(200, ""), nil
		}))
		drive(t, d, constantly(2, time.Second))
		equal(t, "different traces", len(seen), 4)
	})
}
