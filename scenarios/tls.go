package scenarios

import "gopkg.in/yaml.v3"

// tls reads config.tls.
func (p *parser) tls(n *yaml.Node, t *TLS) {
	t.Pos = p.pos(n)
	given := tlsSection.read(p, n, t)
	for _, pair := range [][2]string{{"cert", "key"}, {"key", "cert"}} {
		if given.has(pair[0]) && !given.has(pair[1]) {
			p.at(given[pair[0]], "name both", "tls has %q without %q", pair[0], pair[1])
		}
	}
}

var tlsSection = section[TLS]{
	name:  "tls",
	about: "Tunes secure connections. Files are PEM, and relative to the script; what they hold may stand in their place.",
	keys: []key[TLS]{
		{"rejectUnauthorized", optional, truthShape, "whether the server must prove who it is; true unless told",
			func(p *parser, n *yaml.Node, t *TLS) {
				t.Insecure = !p.truth(n, "rejectUnauthorized")
			}},
		{"servername", optional, textShape, "the name to ask for and to verify; that of the URL unless told",
			func(p *parser, n *yaml.Node, t *TLS) {
				t.ServerName = p.name(n, "servername")
			}},
		{"ca", optional, textShape, "the certificates to trust; the system's unless told",
			func(p *parser, n *yaml.Node, t *TLS) {
				t.CA = p.name(n, "ca")
			}},
		{"cert", optional, textShape, "the certificate of the client",
			func(p *parser, n *yaml.Node, t *TLS) {
				t.Cert = p.name(n, "cert")
			}},
		{"key", optional, textShape, "the private key of the client",
			func(p *parser, n *yaml.Node, t *TLS) {
				t.Key = p.name(n, "key")
			}},
	},
	refused: []refusal{
		{"pfx", "name PEM files as cert and key"},
		{"passphrase", "name a key that is not encrypted"},
		{"ciphers", "the cipher suites are those of Go"},
		{"minVersion", "versions are negotiated, from TLS 1.2 on"},
		{"maxVersion", "versions are negotiated, from TLS 1.2 on"},
		{"secureProtocol", "versions are negotiated, from TLS 1.2 on"},
	},
}
