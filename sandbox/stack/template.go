package stack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxTemplate is CloudFormation's limit for a template in a request, in bytes.
const maxTemplate = 51200

// maxResources is CloudFormation's limit for the resources of a template, and maxValue the one for the
// value of a parameter, in bytes.
const (
	maxResources = 500
	maxValue     = 4096
)

// maxDepth bounds how deep a template may nest; the article's has 9 levels.
const maxDepth = 100

// A Template is a template that was read and found sound: every reference in it has a target and no
// resource depends on itself. It is immutable.
type Template struct {
	Description string
	Parameters  []Parameter
	text        string
	conditions  map[string]any // not evaluated yet
	resources   []declaration  // in the order in which they can be made
	outputs     []promise
	types       []string // of the resources, each once, sorted
}

// A Parameter is an input that a template declares.
type Parameter struct {
	Name, Type, Description string
	Default                 *string // nil: a value must be given
	NoEcho                  bool    // its value is shown as ****
	allowed                 []string
	pattern                 *regexp.Regexp // nil: anything
}

// A declaration is a resource as the template has it.
type declaration struct {
	logical, kind string
	properties    map[string]any  // not evaluated yet
	needs         []string        // the logical ids it depends on, sorted
	after         map[string]bool // those among them that DependsOn names
	condition     string          // under which it is made; "" for always
	retain        bool            // it stays when the stack goes
}

// A promise is an output as the template has it.
type promise struct {
	name, description string
	value, export     any    // not evaluated yet; a nil export is none
	condition         string // under which there is one; "" for always
}

// Parse reads a template in JSON or YAML, with the short forms of its functions (!Ref, !GetAtt, …).
// Errors are those of CloudFormation; what it has and the sandbox has not is refused by name.
func Parse(text string) (*Template, error) {
	if len(text) > maxTemplate {
		return nil, invalid("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", maxTemplate)
	}
	root, err := tree(text)
	if err != nil {
		return nil, err
	}
	t := &Template{text: text}
	var unknown []string
	for name, v := range root {
		switch name {
		case "AWSTemplateFormatVersion":
			if v != "2010-09-09" {
				return nil, invalid("Template format error: Unsupported AWSTemplateFormatVersion: %v", v)
			}
		case "Description":
			s, ok := v.(string)
			if !ok {
				return nil, invalid("Template format error: Description must be a string")
			}
			t.Description = s
		case "Metadata", "Parameters", "Conditions", "Resources", "Outputs":
		case "Mappings", "Rules", "Transform", "Hooks":
			return nil, invalid("the sandbox does not have the section %s of templates", name)
		default:
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, invalid("Invalid template property or properties [%s]", strings.Join(unknown, ", "))
	}
	if err := t.readParameters(root["Parameters"]); err != nil {
		return nil, err
	}
	if err := t.readConditions(root["Conditions"]); err != nil {
		return nil, err
	}
	if err := t.readResources(root["Resources"]); err != nil {
		return nil, err
	}
	if err := t.readOutputs(root["Outputs"]); err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// section returns the entries of one section, by name.
func section(name string, v any) (map[string]map[string]any, error) {
	if v == nil {
		return nil, nil
	}
	all, ok := v.(map[string]any)
	if !ok {
		return nil, invalid("Template format error: %s must be an object", name)
	}
	entries := map[string]map[string]any{}
	for k, v := range all {
		entry, ok := v.(map[string]any)
		if !ok {
			return nil, invalid("Template format error: Every %s object must be an object: [%s]", name, k)
		}
		if !alphanumeric.MatchString(k) {
			return nil, invalid("Template format error: %s name '%s' is non alphanumeric.", strings.TrimSuffix(name, "s"), k)
		}
		entries[k] = entry
	}
	return entries, nil
}

var alphanumeric = regexp.MustCompile(`^[a-zA-Z0-9]+$`)

// sorted returns the names of a section, so that errors and listings do not depend on chance.
func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (t *Template) readParameters(v any) error {
	entries, err := section("Parameters", v)
	if err != nil {
		return err
	}
	for _, name := range sorted(entries) {
		p := Parameter{Name: name}
		for key, v := range entries[name] {
			text, scalar := scalarText(v)
			switch key {
			case "Type":
				p.Type = text
			case "Description":
				p.Description = text
			case "Default":
				if !scalar {
					return invalid("Template format error: Every Default member must be a string.")
				}
				p.Default = &text
			case "NoEcho":
				p.NoEcho = text == "true"
			case "AllowedValues":
				list, _ := v.([]any)
				for _, v := range list {
					text, _ := scalarText(v)
					p.allowed = append(p.allowed, text)
				}
			case "AllowedPattern":
				if p.pattern, err = regexp.Compile(`^(?:` + text + `)$`); err != nil {
					return invalid("Template format error: AllowedPattern of parameter %s is not a pattern the sandbox knows", name)
				}
			case "ConstraintDescription":
			default:
				return invalid("the sandbox does not have %s of parameters, set for %s", key, name)
			}
		}
		switch p.Type {
		case "String", "Number", "CommaDelimitedList":
		case "":
			return invalid("Template format error: Every Parameters object must contain a Type member.")
		default:
			return invalid("the sandbox does not have parameters of type %s, set for %s", p.Type, name)
		}
		t.Parameters = append(t.Parameters, p)
	}
	return nil
}

func (t *Template) readResources(v any) error {
	entries, err := section("Resources", v)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return invalid("Template format error: At least one Resources member must be defined.")
	}
	if len(entries) > maxResources {
		return invalid("Template format error: Number of resources, %d, is greater than maximum allowed, %d", len(entries), maxResources)
	}
	all := map[string]declaration{}
	for _, name := range sorted(entries) {
		d := declaration{logical: name, properties: map[string]any{}, after: map[string]bool{}}
		for key, v := range entries[name] {
			switch key {
			case "Type":
				d.kind, _ = v.(string)
			case "Properties":
				properties, ok := v.(map[string]any)
				if _, _, call := function(properties); !ok || call {
					return invalid("Template format error: Properties of resource %s must be an object", name)
				}
				d.properties = properties
			case "DependsOn":
				list, ok := v.([]any)
				if !ok {
					list = []any{v}
				}
				for _, v := range list {
					id, ok := v.(string)
					if !ok {
						return invalid("Template format error: DependsOn must be a string or list of strings.")
					}
					d.after[id] = true
				}
			case "Condition":
				if d.condition, err = t.conditionName(v, "Resources"); err != nil {
					return err
				}
			case "DeletionPolicy":
				d.retain = v == "Retain"
				if !d.retain && v != "Delete" {
					return invalid("the sandbox does not have the DeletionPolicy %v, set for %s", v, name)
				}
			case "Metadata", "UpdateReplacePolicy":
			default:
				return invalid("the sandbox does not have %s of resources, set for %s", key, name)
			}
		}
		if d.kind == "" {
			return invalid("Template format error: Every Resources object must contain a Type member.")
		}
		if err := t.readIfs(d.properties, "Resources"); err != nil {
			return err
		}
		needs := maps.Clone(d.after)
		if err := references(d.properties, needs); err != nil {
			return err
		}
		for id := range needs {
			if _, isResource := entries[id]; isResource {
				d.needs = append(d.needs, id)
			} else if !t.knows(id) {
				return errUnresolved(id, "Resources")
			}
		}
		slices.Sort(d.needs)
		all[name] = d
		t.types = append(t.types, d.kind)
	}
	slices.Sort(t.types)
	t.types = slices.Compact(t.types)
	t.resources, err = inOrder(all)
	return err
}

func (t *Template) readOutputs(v any) error {
	entries, err := section("Outputs", v)
	if err != nil {
		return err
	}
	for _, name := range sorted(entries) {
		p := promise{name: name}
		for key, v := range entries[name] {
			switch key {
			case "Value":
				p.value = v
			case "Description":
				p.description, _ = v.(string)
			case "Export":
				export, _ := v.(map[string]any)
				if p.export = export["Name"]; p.export == nil {
					return invalid("Template format error: Export of output %s must have a Name", name)
				}
			case "Condition":
				if p.condition, err = t.conditionName(v, "Outputs"); err != nil {
					return err
				}
			default:
				return invalid("the sandbox does not have %s of outputs, set for %s", key, name)
			}
		}
		if p.value == nil {
			return invalid("Template format error: Every Outputs member must contain a Value object")
		}
		if err := t.readIfs([]any{p.value, p.export}, "Outputs"); err != nil {
			return err
		}
		needs := map[string]bool{}
		if err := references([]any{p.value, p.export}, needs); err != nil {
			return err
		}
		for id := range needs {
			if !t.knows(id) && !slices.ContainsFunc(t.resources, func(d declaration) bool { return d.logical == id }) {
				return errUnresolved(id, "Outputs")
			}
		}
		t.outputs = append(t.outputs, p)
	}
	return nil
}

func errUnresolved(id, block string) error {
	return invalid("Template format error: Unresolved resource dependencies [%s] in the %s block of the template", id, block)
}

// conditionName reads the Condition of a resource or output.
func (t *Template) conditionName(v any, block string) (string, error) {
	name, ok := v.(string)
	if !ok {
		return "", invalid("Template format error: Every Condition member must be a string.")
	}
	if _, ok := t.conditions[name]; !ok {
		return "", errUnknownCondition(name, block)
	}
	return name, nil
}

// knows reports whether a reference is to a parameter, or to what is always there.
func (t *Template) knows(id string) bool {
	return strings.HasPrefix(id, "AWS::") || slices.ContainsFunc(t.Parameters, func(p Parameter) bool { return p.Name == id })
}

// check refuses pseudo parameters that do not exist.
func (t *Template) check() error {
	used := map[string]bool{}
	for _, d := range t.resources {
		if err := references(d.properties, used); err != nil {
			return err
		}
	}
	for _, p := range t.outputs {
		if err := references([]any{p.value, p.export}, used); err != nil {
			return err
		}
	}
	for _, id := range sorted(used) {
		if strings.HasPrefix(id, "AWS::") && !slices.Contains(pseudo, id) {
			return invalid("Template format error: Unresolved resource dependencies [%s] in the template", id)
		}
	}
	return nil
}

// inOrder sorts resources so that each comes after those it needs, and otherwise by name.
func inOrder(all map[string]declaration) ([]declaration, error) {
	var order []declaration
	done, names := map[string]bool{}, sorted(all)
	for len(order) < len(all) {
		var stuck []string
		before := len(order)
		for _, name := range names {
			switch d := all[name]; {
			case done[name]:
			case slices.ContainsFunc(d.needs, func(id string) bool { return !done[id] }):
				stuck = append(stuck, name)
			default:
				order, done[name] = append(order, d), true
			}
		}
		if len(order) == before {
			return nil, invalid("Circular dependency between resources: [%s]", strings.Join(stuck, ", "))
		}
	}
	return order, nil
}

// tree reads JSON or YAML into maps, lists, strings, json.Numbers, bools and nils.
func tree(text string) (map[string]any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, invalid("Template format error: the template is empty")
	}
	var v any
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		// JSON may be indented with tabs, which YAML does not know.
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err == nil && errors.Is(d.Decode(new(any)), io.EOF) {
			if depth(v) > maxDepth {
				return nil, tooDeep()
			}
			return object(v)
		}
	}
	d := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		return nil, invalid("Template format error: YAML not well-formed. (%s)", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) != 1 {
		return nil, invalid("Template format error: the template is empty")
	}
	v, err := plain(doc.Content[0], 0)
	if err != nil {
		return nil, err
	}
	return object(v)
}

func tooDeep() error {
	return invalid("Template format error: the template nests deeper than %d levels", maxDepth)
}

func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, v := range v {
			deepest = max(deepest, depth(v))
		}
	case []any:
		for _, v := range v {
			deepest = max(deepest, depth(v))
		}
	default:
		return 0
	}
	return deepest + 1
}

func object(v any) (map[string]any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, invalid("Template format error: unsupported structure.")
	}
	return m, nil
}

// plain turns a node of YAML into what the same JSON would be.
func plain(n *yaml.Node, level int) (any, error) {
	if level > maxDepth {
		return nil, tooDeep()
	}
	v, err := untagged(n, level)
	if err != nil {
		return nil, err
	}
	name, short := strings.CutPrefix(n.Tag, "!")
	if !short || strings.HasPrefix(name, "!") || name == "" {
		return v, nil
	}
	switch name {
	case "Ref", "Condition":
		return map[string]any{name: v}, nil
	case "GetAtt":
		if s, ok := v.(string); ok { // !GetAtt Logical.Attribute
			logical, attribute, _ := strings.Cut(s, ".")
			v = []any{logical, attribute}
		}
	}
	return map[string]any{"Fn::" + name: v}, nil
}

func untagged(n *yaml.Node, level int) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
				return nil, invalid("Template format error: line %d: a key must be a word", key.Line)
			}
			if _, twice := m[key.Value]; twice {
				return nil, invalid("Template format error: line %d: %q is set twice", key.Line, key.Value)
			}
			v, err := plain(n.Content[i+1], level+1)
			if err != nil {
				return nil, err
			}
			m[key.Value] = v
		}
		return m, nil
	case yaml.SequenceNode:
		list := []any{}
		for _, n := range n.Content {
			v, err := plain(n, level+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.AliasNode:
		return nil, invalid("Template format error: YAML aliases are not allowed in CloudFormation templates")
	}
	return scalar(n), nil
}

// scalar reads one scalar. What YAML takes for a date ("2012-10-17") stays the text that it is, and
// so does a number that JSON would write in another way: account ids begin with 0 now and then.
func scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		if n.Value == "true" || n.Value == "false" {
			return n.Value == "true"
		}
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil && strconv.FormatInt(i, 10) == n.Value {
			return json.Number(n.Value)
		}
	case "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && json.Valid([]byte(n.Value)) && f == f {
			return json.Number(n.Value)
		}
	}
	return n.Value
}

// scalarText returns the text of a string, number or bool, and whether v is one.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return fmt.Sprint(v), false
}
