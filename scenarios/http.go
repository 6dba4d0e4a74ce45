package scenarios

import (
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

var (
	versionShape = shape{"`1.1` or `2`", map[string]any{"anyOf": []any{
		map[string]any{"enum": []any{1.1, 2, "1.1", "2"}}, map[string]any{"type": "string", "pattern": `\{\{`}}}}
	jitterShape = shape{"a share such as 20%, a number of milliseconds, or a duration",
		amount("number", numberText+`%?|`+durationText)}
)

var httpVersions = []string{"1.1", "2"}

// http reads config.http.
func (p *parser) http(n *yaml.Node, h *HTTP) {
	given := httpSection.read(p, n, h)
	for _, key := range []string{"ownConnection", "quantum"} {
		if h.Version == HTTP2 && (key == "quantum" && h.Quantum > 0 || key == "ownConnection" && h.OwnConnection) {
			p.at(given[key], "remove one of them", "%s is for HTTP/1.1, and version is 2", key)
		}
	}
	if h.OwnConnection && h.Pool > 0 {
		p.exclude(given, "ownConnection", "pool", "http")
	}
}

var httpSection = section[HTTP]{
	name:  "http",
	about: "Tunes the client. Connections are kept and shared by all virtual users, as many as are needed, unless told otherwise.",
	keys: []key[HTTP]{
		{"timeout", optional, durationShape, "for one request, connecting and reading included; 10s unless told",
			func(p *parser, n *yaml.Node, h *HTTP) {
				h.Timeout, _ = p.span(n, "timeout")
			}},
		{"version", optional, versionShape, "the HTTP to speak: 1.1 unless told, or 2, by ALPN over TLS and with prior knowledge without",
			func(p *parser, n *yaml.Node, h *HTTP) {
				if v, _ := p.word(n, "version", httpVersions); v == "2" {
					h.Version = HTTP2
				}
			}},
		{"pool", optional, wholeShape, "most connections at once, shared by all virtual users; as many as are needed unless told",
			func(p *parser, n *yaml.Node, h *HTTP) {
				h.Pool, _ = p.whole(n, "pool", 1, mostUsers)
			}},
		{"ownConnection", optional, truthShape, "gives every virtual user connections of its own, closed when its flow is over",
			func(p *parser, n *yaml.Node, h *HTTP) {
				h.OwnConnection = p.truth(n, "ownConnection")
			}},
		{"quantum", optional, durationShape, "arrivals that fall due within one are released together; each by itself unless told",
			func(p *parser, n *yaml.Node, h *HTTP) {
				var ok bool
				if h.Quantum, ok = p.duration(n, "quantum"); ok && h.Quantum > time.Second {
					p.at(n, "", "quantum must be at most 1s")
				}
			}},
		{"maxRedirects", optional, wholeShape, "most redirects that are followed for one request; 10 unless told",
			func(p *parser, n *yaml.Node, h *HTTP) {
				h.Redirects, _ = p.whole(n, "maxRedirects", 1, 100)
			}},
		{"awsSigV4", optional, either(truthShape, to("awsSigV4")), "signs every request, for APIs behind IAM",
			func(p *parser, n *yaml.Node, h *HTTP) {
				if n.Kind == yaml.ScalarNode && !p.truth(n, "awsSigV4") {
					return
				}
				h.SigV4 = &SigV4{Pos: p.pos(n), Service: "execute-api"}
				if n.Kind != yaml.ScalarNode {
					sigV4Section.read(p, n, h.SigV4)
				}
			}},
		{"distributedTracing", optional, either(truthShape, to("distributedTracing")),
			"sends a `traceparent` header with every request",
			func(p *parser, n *yaml.Node, h *HTTP) {
				if n.Kind == yaml.ScalarNode {
					h.Tracing = p.truth(n, "distributedTracing")
					return
				}
				h.Tracing = true
				tracingSection.read(p, n, h)
			}},
		{"defaults", optional, to("defaults"), "what requests have unless their step says otherwise",
			func(p *parser, n *yaml.Node, h *HTTP) {
				defaultsSection.read(p, n, h)
			}},
		{"extendedMetrics", optional, truthShape, "has no meaning: the times of opening connections are always recorded",
			func(p *parser, n *yaml.Node, _ *HTTP) {
				p.truth(n, "extendedMetrics")
				p.note(n, "extendedMetrics", "extendedMetrics has no meaning: http.dns, http.tcp, http.tls and http.total are always recorded")
			}},
		{"maxSockets", optional, wholeShape, "has no meaning: `pool` bounds connections",
			func(p *parser, n *yaml.Node, _ *HTTP) {
				if _, ok := p.whole(n, "maxSockets", 1, mostUsers); ok {
					p.note(n, "maxSockets", "maxSockets has no meaning, as in Artillery; pool bounds connections")
				}
			}},
		{"cookieJarOptions", optional, mapOf("names", anyShape), "has no meaning: cookies are kept as browsers keep them",
			func(p *parser, n *yaml.Node, _ *HTTP) {
				if n.Kind != yaml.MappingNode {
					p.at(n, "", "cookieJarOptions must be a mapping, not %s", kind(n))
					return
				}
				p.note(n, "cookieJarOptions", "cookieJarOptions has no meaning: cookies are kept as browsers keep them")
			}},
	},
}

var sigV4Section = section[SigV4]{
	name:  "awsSigV4",
	about: "For whom requests are signed (AWS Signature Version 4). Credentials are those the AWS SDK finds.",
	keys: []key[SigV4]{
		{"service", optional, textShape, "execute-api unless told",
			func(p *parser, n *yaml.Node, s *SigV4) {
				s.Service = p.name(n, "service")
			}},
		{"region", optional, textShape, "that of config.aws unless told",
			func(p *parser, n *yaml.Node, s *SigV4) {
				s.Region = p.name(n, "region")
			}},
	},
}

var tracingSection = section[HTTP]{
	name:  "distributedTracing",
	about: "Sends a `traceparent` header (W3C Trace Context) with every request.",
	keys: []key[HTTP]{
		{"enabled", optional, truthShape, "true unless told",
			func(p *parser, n *yaml.Node, h *HTTP) {
				h.Tracing = p.truth(n, "enabled")
			}},
		{"sampled", optional, truthShape, "has no meaning: all traces are marked as sampled",
			func(p *parser, n *yaml.Node, _ *HTTP) {
				if !p.truth(n, "sampled") {
					p.note(n, "sampled", "sampled has no meaning: all traces are marked as sampled")
				}
			}},
		{"traceIdPrefix", optional, textShape, "has no meaning: trace ids are random",
			func(p *parser, n *yaml.Node, _ *HTTP) {
				p.name(n, "traceIdPrefix")
				p.note(n, "traceIdPrefix", "traceIdPrefix has no meaning: trace ids are random")
			}},
	},
}

var defaultsSection = section[HTTP]{
	name:  "defaults",
	about: "What requests have unless their step says otherwise.",
	keys: []key[HTTP]{
		{"headers", optional, mapOf("names", templateShape), "headers of every request",
			func(p *parser, n *yaml.Node, h *HTTP) {
				h.Headers = p.headers(n)
			}},
		{"cookie", optional, mapOf("names", templateShape), "cookies every virtual user has from its start",
			func(p *parser, n *yaml.Node, h *HTTP) {
				h.Cookies = p.jar(n)
			}},
		{"strictCapture", optional, truthShape, "whether a capture that finds nothing fails its request, unless it says so itself; true unless told",
			func(p *parser, n *yaml.Node, h *HTTP) {
				h.LaxCapture = !p.truth(n, "strictCapture")
			}},
		{"think", optional, to("pauses"), "varies think steps",
			func(p *parser, n *yaml.Node, h *HTTP) {
				pausesSection.read(p, n, h)
			}},
	},
}

var pausesSection = section[HTTP]{
	name:  "pauses",
	about: "Varies think steps.",
	keys: []key[HTTP]{
		{"jitter", optional, jitterShape, "by how much a pause is longer or shorter at most",
			func(p *parser, n *yaml.Node, h *HTTP) {
				h.ThinkJitter = p.jitter(n)
			}},
	},
}

// jar reads a mapping of cookies.
func (p *parser) jar(n *yaml.Node) (cookies []Field) {
	if n.Kind != yaml.MappingNode {
		p.at(n, "", "cookie must be a mapping from names to values, not %s", kind(n))
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if !headerForm.MatchString(k.Value) { // the same characters
			p.at(k, "", "%s cannot be the name of a cookie", quote(k.Value))
			continue
		}
		value, _ := p.template(n.Content[i+1], "a cookie")
		if text, plain := value.Literal(); plain && strings.ContainsAny(text, ";\r\n\x00") {
			p.at(n.Content[i+1], "", "a cookie must be one line without semicolons")
		}
		cookies = append(cookies, Field{Pos: p.pos(k), Name: k.Value, Value: value})
	}
	return cookies
}

// jitter reads a share, or a time that is in milliseconds unless it has a unit.
func (p *parser) jitter(n *yaml.Node) Jitter {
	s, ok := p.plain(n, "jitter", "a share, a number of milliseconds, or a duration")
	if !ok {
		return Jitter{}
	}
	text, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	f, isNumber := parseNumber(text)
	switch {
	case percent && isNumber && f >= 0 && f <= 100:
		return Jitter{Share: f / 100}
	case percent:
		p.bad(n, s, "write 0% to 100%", "a share")
	case isNumber && f >= 0 && f <= float64(year/time.Millisecond):
		return Jitter{Most: time.Duration(f * float64(time.Millisecond))}
	default:
		d, ok := parseDuration(s)
		if ok && !isNumber && d <= year {
			return Jitter{Most: d}
		}
		p.bad(n, s, "write 20%, or 200 or 200ms", "a share, a number of milliseconds, or a duration")
	}
	return Jitter{}
}
