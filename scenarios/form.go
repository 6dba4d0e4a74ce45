package scenarios

import (
	"mime"
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"
)

// pairs compiles a mapping into name=value&name=value with holes, as queries and forms have it. A list
// repeats its name.
func (p *parser) pairs(n *yaml.Node, what string) (parts []Part, ok bool) {
	if n.Kind != yaml.MappingNode {
		p.at(n, "", "%s must be a mapping from names to values, not %s", what, kind(n))
		return nil, false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		name := escapeForm(p.compile(k, k.Value, true, p.inFlow))
		if v.Kind == yaml.SequenceNode {
			p.note(v, what+" list", "a list in %s sends its name once for each value; Artillery sends one text with commas", what)
		}
		for _, item := range oneOrList(v) {
			value, _ := p.template(item, what+" "+quote(k.Value))
			if parts != nil {
				parts = append(parts, Part{Text: "&"})
			}
			parts = append(append(append(parts, name...), Part{Text: "="}), escapeForm(value.Parts)...)
		}
	}
	return join(parts), true
}

// escapeForm returns parts as they stand in a form or a query.
func escapeForm(parts []Part) (out []Part) {
	for _, part := range parts {
		if part.Var != "" || part.Call != "" {
			part.Mode = FormString
		} else {
			part.Text = url.QueryEscape(part.Text)
		}
		out = append(out, part)
	}
	return out
}

// written returns what parts are as they are written, for reports and functions of the processor.
func written(parts []Part) string {
	var b strings.Builder
	for _, part := range parts {
		switch {
		case part.Var != "":
			b.WriteString("{{ " + part.Var + " }}")
		case part.Call != "":
			b.WriteString("{{ " + part.Call + "(" + strings.Join(part.Args, ", ") + ") }}")
		default:
			b.WriteString(part.Text)
		}
	}
	return b.String()
}

// query adds the names and values of n to the query of a URL.
func (p *parser) query(n *yaml.Node, to *Template) {
	parts, ok := p.pairs(n, "qs")
	if !ok || len(parts) == 0 {
		return
	}
	separator := "?"
	for i, part := range to.Parts {
		// A fragment is never sent, and what comes after it would be part of it.
		before, _, fragment := strings.Cut(part.Text, "#")
		if strings.Contains(before, "?") {
			separator = "&"
		}
		if fragment {
			to.Parts = append(to.Parts[:i:i], Part{Text: before})
			break
		}
	}
	if separator == "&" {
		p.note(n, "qs", "qs is added to the query the URL has; Artillery replaces that query")
		if last := to.Parts[len(to.Parts)-1].Text; strings.HasSuffix(last, "?") || strings.HasSuffix(last, "&") {
			separator = ""
		}
	}
	to.Parts = join(append(append(to.Parts, Part{Text: separator}), parts...))
	to.Source = written(to.Parts)
}

// plainName returns a name that is a key. Holes in it are filled from config.variables.
func (p *parser) plainName(k *yaml.Node) string {
	if !strings.Contains(k.Value, "{{") {
		return k.Value
	}
	s, _ := p.fill(k, k.Value)
	return s
}

var partSection = section[FormPart]{
	name:  "part",
	about: "One part of a `multipart/form-data` body, if it is more than a text. `fromFile` or `value` is required.",
	keys: []key[FormPart]{
		{"fromFile", optional, textShape, "a file whose content is sent, relative to the script",
			func(p *parser, n *yaml.Node, f *FormPart) {
				f.File = p.name(n, "fromFile")
			}},
		{"value", optional, templateShape, "the content",
			func(p *parser, n *yaml.Node, f *FormPart) {
				f.Value, _ = p.template(n, "value")
			}},
		{"contentType", optional, textShape, "a media type; none for a value unless told, and `application/octet-stream` for a file",
			func(p *parser, n *yaml.Node, f *FormPart) {
				f.ContentType = p.name(n, "contentType")
				if _, _, err := mime.ParseMediaType(f.ContentType); f.ContentType != "" && err != nil {
					p.bad(n, f.ContentType, "write a type and a subtype: text/csv", "a media type")
				}
			}},
	},
}

// form reads a multipart/form-data body. A list repeats its name.
func (p *parser) form(n *yaml.Node) []FormPart {
	if n.Kind != yaml.MappingNode {
		p.at(n, "", "formData must be a mapping from names to values, not %s", kind(n))
		return nil
	}
	all := []FormPart{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := p.plainName(n.Content[i])
		for _, item := range oneOrList(n.Content[i+1]) {
			f := FormPart{Pos: p.pos(item), Name: name}
			if item.Kind != yaml.MappingNode {
				f.Value, _ = p.template(item, "formData "+quote(name))
				all = append(all, f)
				continue
			}
			given := partSection.read(p, item, &f)
			switch {
			case given.has("fromFile") && given.has("value"):
				p.exclude(given, "fromFile", "value", partSection.name)
			case len(given) > 0 && !given.has("fromFile", "value"):
				p.at(item, "", `a part needs "fromFile" or "value"`)
			}
			all = append(all, f)
		}
	}
	return all
}

var authSection = section[Auth]{
	name:  "auth",
	about: "What basic authentication sends.",
	keys: []key[Auth]{
		{"user", required, templateShape, "the name", func(p *parser, n *yaml.Node, a *Auth) {
			a.User, _ = p.template(n, "user")
		}},
		{"pass", required, templateShape, "the password", func(p *parser, n *yaml.Node, a *Auth) {
			a.Password, _ = p.template(n, "pass")
		}},
	},
}
