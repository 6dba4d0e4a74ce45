package scenarios

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"

	"gopkg.in/yaml.v3"
)

// jsonBody compiles a value of the script into JSON text with holes. The order of keys is kept. A text
// that is one hole becomes a value of the hole's own type; holes within longer texts, and in keys,
// become part of the text.
func (p *parser) jsonBody(n *yaml.Node) Template {
	w := &jsonWriter{p: p}
	w.value(n)
	t := Template{Pos: p.pos(n), Parts: join(w.parts)}
	t.Source = written(t.Parts)
	return t
}

type jsonWriter struct {
	p     *parser
	parts []Part
}

func (w *jsonWriter) text(s string) { w.parts = append(w.parts, Part{Text: s}) }

func (w *jsonWriter) value(n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		w.text("{")
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				w.text(",")
			}
			w.quoted(n.Content[i], w.p.compile(n.Content[i], n.Content[i].Value, true, w.p.inFlow))
			w.text(":")
			w.value(n.Content[i+1])
		}
		w.text("}")
	case yaml.SequenceNode:
		w.text("[")
		for i, c := range n.Content {
			if i > 0 {
				w.text(",")
			}
			w.value(c)
		}
		w.text("]")
	default:
		w.scalar(n)
	}
}

func (w *jsonWriter) scalar(n *yaml.Node) {
	switch n.Tag {
	case "!!null":
		w.text("null")
		return
	case "!!bool", "!!int", "!!float":
		v, ok := scalarValue(n)
		if f, isFloat := v.(float64); !ok || isFloat && (math.IsInf(f, 0) || math.IsNaN(f)) {
			w.p.at(n, "put it in quotes if it is a text", "%s is not a value JSON has", quote(n.Value))
			return
		}
		b, _ := json.Marshal(v)
		w.text(string(b))
		return
	}
	parts := w.p.compile(n, n.Value, true, w.p.inFlow)
	if len(parts) == 1 && (parts[0].Var != "" || parts[0].Call != "") {
		parts[0].Mode = JSONValue
		w.parts = append(w.parts, parts[0])
		return
	}
	w.quoted(n, parts)
}

// quoted writes parts as one JSON string.
func (w *jsonWriter) quoted(_ *yaml.Node, parts []Part) {
	w.text(`"`)
	for _, part := range parts {
		if part.Var != "" || part.Call != "" {
			part.Mode = JSONString
		} else {
			part.Text = escapeJSON(part.Text)
		}
		w.parts = append(w.parts, part)
	}
	w.text(`"`)
}

// escapeJSON returns s as it stands between the quotation marks of a JSON string.
func escapeJSON(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a body is not HTML, and people compare it with what they wrote
	_ = e.Encode(s)        // a string always encodes
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), `"`), `"`)
}

// scalarValue returns what YAML makes of a scalar: string, int64, float64, bool or, for whole numbers
// beyond int64, uint64. It returns false if the value does not fit its tag.
func scalarValue(n *yaml.Node) (any, bool) {
	switch n.Tag {
	case "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, false
		}
		if i, ok := v.(int); ok {
			v = int64(i)
		}
		return v, true
	}
	return n.Value, true
}
