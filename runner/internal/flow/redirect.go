package flow

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"loadkms/runner/internal/client"
)

// follow makes w.own the request that follows a redirect, and reports false if r is none that is to be
// followed: then it is the answer. What is not a URL, and one redirect too many, are not followed.
func (w *walk) follow(o *requestOp, r *client.Response) bool {
	switch r.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return false
	}
	location, ok := r.Header("Location")
	if o.stay || !ok || w.hops == w.user.program.redirects {
		return false
	}
	from, err := url.Parse(w.out.origin + string(w.out.target))
	if err != nil {
		return false
	}
	to, err := from.Parse(string(location))
	if err != nil {
		return false
	}
	if to.Scheme != "http" && to.Scheme != "https" || to.Host == "" {
		return false
	}
	w.hops++
	if w.out != &w.own { // what everybody sends must stay as it is
		fields := append(w.own.fields[:0], w.out.fields...)
		w.own = *w.out
		w.own.fixed, w.own.fields, w.out = false, fields, &w.own
	}
	out := &w.own
	same := originOf(to) == out.origin
	out.origin, out.target = originOf(to), []byte(to.RequestURI())
	out.fields = slices.DeleteFunc(out.fields, func(f field) bool {
		return f.name == "Cookie" || !same && (f.name == "Authorization" || f.name == "Proxy-Authorization")
	})
	if !same {
		out.host = ""
	}
	if r.Status <= http.StatusSeeOther && out.method != http.MethodHead && out.method != http.MethodGet {
		out.method, out.hasBody, out.body = http.MethodGet, false, nil
		out.fields = slices.DeleteFunc(out.fields, func(f field) bool { return strings.HasPrefix(f.name, "Content-") })
	}
	own := o.cookies
	if !same {
		own = nil
	}
	// What a header of the buffer holds is still being sent; so cookies go behind it.
	return w.renderCookies(own, nil)
}
