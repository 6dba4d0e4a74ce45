package flow

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"

	"loadkms/runner/internal/client"
	"loadkms/scenarios"
)

// A cookie is one the script sends.
type cookie struct {
	name string
	text text
}

// A crumb is a cookie as it is sent.
type crumb struct{ name, value string }

func (c *compiler) cookies(fields []scenarios.Field) (out []cookie) {
	for _, f := range fields {
		out = append(out, cookie{f.Name, c.text(f.Value)})
	}
	return out
}

// renderCookies adds the Cookie header to w.own. Of one name, the cookie a function set counts, else that
// of the step, else the one a server set, else that of config, which is for the target only. A Cookie
// header of the step stands alone.
func (w *walk) renderCookies(own []cookie, set []crumb) bool {
	jar, config := w.user.jar, w.user.program.cookies
	if len(own)+len(set)+len(config) == 0 && jar == nil ||
		slices.ContainsFunc(w.own.fields, func(f field) bool { return f.name == "Cookie" }) {
		return true
	}
	w.crumbs = append(w.crumbs[:0], set...)
	if !w.bake(own) {
		return false
	}
	if jar != nil {
		if u, err := url.Parse(w.own.origin + string(w.own.target)); err == nil {
			for _, c := range jar.Cookies(u) {
				w.crumb(crumb{c.Name, c.Value})
			}
		}
	}
	if w.own.origin == w.user.program.origin && !w.bake(config) {
		return false
	}
	if len(w.crumbs) == 0 {
		return true
	}
	from := len(w.headers)
	for i, c := range w.crumbs {
		if i > 0 {
			w.headers = append(w.headers, "; "...)
		}
		w.headers = append(append(append(w.headers, c.name...), '='), c.value...)
	}
	return w.addField(field{"Cookie", w.headers[from:len(w.headers):len(w.headers)]})
}

// bake renders cookies of the script.
func (w *walk) bake(cookies []cookie) (ok bool) {
	for i := range cookies {
		c := &cookies[i]
		if w.scratch, ok = c.text.render(w, w.scratch[:0], asIs); !ok {
			return false
		}
		w.crumb(crumb{c.name, string(w.scratch)})
	}
	return true
}

// crumb adds a cookie unless there is one of that name.
func (w *walk) crumb(c crumb) {
	if !slices.ContainsFunc(w.crumbs, func(o crumb) bool { return o.name == c.name }) {
		w.crumbs = append(w.crumbs, c)
	}
}

// taste keeps the cookies of an answer in the user's jar, which is made when there is one to keep.
func (w *walk) taste(r *client.Response) {
	var set []*http.Cookie
	for line := range r.Headers("Set-Cookie") {
		if c, err := http.ParseSetCookie(string(line)); err == nil {
			set = append(set, c)
		}
	}
	if len(set) == 0 {
		return
	}
	if w.user.jar == nil {
		w.user.jar, _ = cookiejar.New(nil) // it never fails
	}
	if u, err := url.Parse(w.out.origin + string(w.out.target)); err == nil {
		w.user.jar.SetCookies(u, set)
	}
}
