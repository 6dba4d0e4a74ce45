package scenarios

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// readVariables reads config.variables and what the command line sets over them.
func (p *parser) readVariables(config *yaml.Node) {
	n := lookup(config, "variables")
	c := &p.out.Config
	for name, text := range p.o.Variables { // the values of others may have holes for them
		p.variables[name] = &Variable{Name: name, Values: []string{text}, Typed: []any{typed(text)}}
	}
	if n != nil && n.Kind != yaml.MappingNode {
		p.at(n, "", "variables must be a mapping from names to values, not %s", kind(n))
	} else if n != nil {
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if !nameForm.MatchString(k.Value) || k.Value == "target" {
				p.badVariable(k, k.Value)
				continue
			}
			x := p.readVariable(k, v)
			c.Variables = append(c.Variables, x)
			if p.variables[x.Name] == nil { // -v wins
				p.variables[x.Name] = &x
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.o.Variables)) {
		text := p.o.Variables[name]
		v := Variable{Pos: p.pos(config), Name: name, Values: []string{text}, Typed: []any{typed(text)}}
		if i := slices.IndexFunc(c.Variables, func(v Variable) bool { return v.Name == name }); i >= 0 {
			v.Pos = c.Variables[i].Pos
			c.Variables[i] = v
		} else {
			c.Variables = append(c.Variables, v)
		}
	}
	for i := range c.Variables {
		p.variables[c.Variables[i].Name] = &c.Variables[i]
	}
}

// badVariable reports a name that a variable cannot have.
func (p *parser) badVariable(n *yaml.Node, name string) {
	hint := "use letters, digits and _"
	if name == "target" {
		hint = "target always stands for config.target"
	}
	p.at(n, hint, "%s cannot be the name of a variable", quote(name))
}

func (p *parser) readVariable(k, n *yaml.Node) Variable {
	v := Variable{Pos: p.pos(k), Name: k.Value}
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.at(n, "", "the list of values of %s is empty", quote(k.Value))
	}
	for _, item := range oneOrList(n) {
		if isNull(item) {
			p.at(item, "", "a variable must have a value, and this is nothing")
			continue
		}
		text, x := p.plainValue(item)
		v.Values, v.Typed = append(v.Values, text), append(v.Typed, x)
	}
	if len(v.Values) == 0 { // a problem has been reported; whoever asks still gets a value
		v.Values, v.Typed = []string{""}, []any{""}
	}
	return v
}

// plainValue returns a value of the script, its holes filled, as text and as what it is: string, int64, float64, bool,
// nil, []any or map[string]any. The text of a list and of a mapping is JSON.
func (p *parser) plainValue(n *yaml.Node) (string, any) {
	switch n.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		x := p.inner(n)
		b, err := json.Marshal(x)
		if err != nil { // a number JSON does not have
			p.at(n, "put it in quotes if it is a text", "%s holds a number that JSON does not have", kind(n))
		}
		return string(b), x
	}
	if isNull(n) {
		return "null", nil
	}
	x, ok := scalarValue(n)
	if !ok {
		p.at(n, "", "%s is not a value", quote(n.Value))
	}
	switch v := x.(type) {
	case uint64: // too long for an int64
		return n.Value, float64(v)
	case string:
		if strings.Contains(v, "{{") {
			return p.filled(n, v)
		}
	}
	return n.Value, x
}

// inner returns a list or a mapping.
func (p *parser) inner(n *yaml.Node) any {
	if n.Kind == yaml.MappingNode {
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			_, m[n.Content[i].Value] = p.plainValue(n.Content[i+1])
		}
		return m
	}
	list := []any{}
	for _, c := range n.Content {
		_, x := p.plainValue(c)
		list = append(list, x)
	}
	return list
}

// filled returns a text whose holes are filled. One that is nothing but a hole is what the hole is: a number may
// stay one. Variables of the process are texts.
func (p *parser) filled(n *yaml.Node, text string) (string, any) {
	s, ok := p.fill(n, text)
	if !ok {
		return text, text
	}
	if parts, _ := cut(text); len(parts) == 1 {
		if parts[0].Call == "$randomNumber" {
			return s, typed(s)
		}
		if v := p.variables[parts[0].Var]; v != nil {
			return s, v.Typed[0]
		}
	}
	return s, s
}

// typed returns what YAML makes of a text without quotes.
func typed(text string) any {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	n.Tag = n.ShortTag()
	v, ok := scalarValue(n)
	if u, tooLong := v.(uint64); ok && tooLong {
		return float64(u)
	}
	if !ok {
		return text
	}
	return v
}
