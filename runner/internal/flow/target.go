package flow

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"loadkms/scenarios"
)

// A target is where a request goes.
type target struct {
	whole  bool   // text renders a whole URL, or a path below base
	origin string // otherwise: scheme and host
	base   string // the script's target, without a slash at its end
	text   text   // with holes
	plain  []byte // without
}

// resolve cuts a URL, or a path below base, into origin and target, and reports false if it is none.
func resolve(base, s string) (origin string, target []byte, ok bool) {
	if strings.HasPrefix(s, "/") {
		s = base + s
	}
	u, err := parseTarget(s)
	if err != nil {
		return "", nil, false
	}
	return originOf(u), []byte(u.RequestURI()), true
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// parseTarget parses an absolute URL, without its fragment.
func parseTarget(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL", s)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not a URL that begins with http:// or https://", s)
	}
	u.Fragment, u.RawFragment = "", "" // it is never sent
	return u, nil
}

func (c *compiler) target(st *scenarios.Step) target {
	t := target{base: c.base}
	literal, fixed := st.URL.Literal()
	lead := literal
	if !fixed && len(st.URL.Parts) > 0 {
		lead = st.URL.Parts[0].Text
	}
	parts := slices.Clone(st.URL.Parts)
	if strings.HasPrefix(lead, "/") {
		base, err := parseTarget(c.base)
		if err != nil {
			c.problem(c.script.Config.TargetPos, "name the API's base URL in config.target", "the target %v", err)
			return t
		}
		lead = strings.TrimRight(base.EscapedPath(), "/") + lead
		t.origin = originOf(base)
	} else if rest, ok := cutScheme(lead); ok && (fixed || strings.ContainsAny(rest, "/?")) {
		host := rest
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			host = rest[:i]
		}
		base, err := parseTarget(lead[:len(lead)-len(rest)] + host)
		if err != nil {
			c.problem(st.URL.Pos, "", "%v", err)
			return t
		}
		t.origin = originOf(base)
		if lead = rest[len(host):]; lead == "" || lead[0] != '/' {
			lead = "/" + lead
		}
	} else {
		t.whole = true // the host is in a hole: only the user knows where it goes
	}
	if fixed {
		u, err := parseTarget(t.origin + string(escapeURL(nil, lead)))
		if err != nil {
			c.problem(st.URL.Pos, "", "%v", err)
			return t
		}
		t.plain = []byte(u.RequestURI())
		return t
	}
	if len(parts) > 0 && !t.whole {
		parts[0].Text = lead
	}
	for i := range parts {
		if parts[i].Var == "" && parts[i].Call == "" {
			before, _, fragment := strings.Cut(string(escapeURL(nil, parts[i].Text)), "#")
			if parts[i].Text = before; fragment { // it is never sent
				parts = parts[:i+1]
				break
			}
		}
	}
	t.text = c.text(scenarios.Template{Pos: st.URL.Pos, Source: st.URL.Source, Parts: parts})
	return t
}

func cutScheme(s string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(s, "http://"); ok {
		return rest, true
	}
	return strings.CutPrefix(s, "https://")
}
