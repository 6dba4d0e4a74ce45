package stack

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pseudo are the parameters that every template has.
var pseudo = []string{"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region",
	"AWS::StackId", "AWS::StackName", "AWS::URLSuffix"}

// functions are the functions of templates that the sandbox has, besides Ref and those of conditions.
var functions = []string{"Fn::GetAtt", "Fn::If", "Fn::ImportValue", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub"}

// function reports whether v is a call of a function, which is a mapping with that one key.
func function(v map[string]any) (name string, argument any, ok bool) {
	if len(v) != 1 {
		return "", nil, false
	}
	for name, argument = range v {
	}
	return name, argument, name == "Ref" || strings.HasPrefix(name, "Fn::")
}

var hole = regexp.MustCompile(`\$\{([^!][^}]*)\}`)

// references adds the logical ids and parameters that a value refers to. It refuses functions that
// the sandbox does not have, and calls that cannot be understood.
func references(v any, into map[string]bool) error {
	switch v := v.(type) {
	case []any:
		for _, v := range v {
			if err := references(v, into); err != nil {
				return err
			}
		}
	case map[string]any:
		name, argument, ok := function(v)
		if !ok {
			for _, key := range sorted(v) {
				if err := references(v[key], into); err != nil {
					return err
				}
			}
			return nil
		}
		return called(name, argument, into)
	}
	return nil
}

// called is references for the call of a function.
func called(name string, argument any, into map[string]bool) error {
	switch name {
	case "Ref":
		id, ok := argument.(string)
		if !ok {
			return invalid("Template format error: Every Ref object must have a single String value.")
		}
		into[id] = true
		return nil
	case "Fn::GetAtt":
		logical, _, err := getAtt(argument)
		if err != nil {
			return err
		}
		into[logical] = true
		return nil
	case "Fn::If":
		_, branches, err := ifCall(argument)
		if err != nil {
			return err
		}
		return references(branches, into)
	case "Fn::Sub":
		text, values, err := sub(argument)
		if err != nil {
			return err
		}
		for _, m := range hole.FindAllStringSubmatch(text, -1) {
			id, _, _ := strings.Cut(strings.TrimSpace(m[1]), ".")
			if _, own := values[strings.TrimSpace(m[1])]; !own {
				into[id] = true
			}
		}
		return references(map[string]any(values), into)
	}
	if !slices.Contains(functions, name) {
		return invalid("Template error: the sandbox does not have the function %s", name)
	}
	return references(argument, into)
}

func getAtt(v any) (logical, attribute string, err error) {
	if s, ok := v.(string); ok { // long form in YAML
		logical, attribute, _ = strings.Cut(s, ".")
	}
	if list, ok := v.([]any); ok && len(list) == 2 {
		logical, _ = list[0].(string)
		attribute, _ = list[1].(string)
	}
	if logical == "" || attribute == "" {
		return "", "", invalid("Template error: every Fn::GetAtt object requires two non-empty parameters, " +
			"the resource name and the resource attribute")
	}
	return logical, attribute, nil
}

func sub(v any) (text string, values map[string]any, err error) {
	switch v := v.(type) {
	case string:
		return v, nil, nil
	case []any:
		if len(v) == 2 {
			text, ok := v[0].(string)
			values, isMap := v[1].(map[string]any)
			if ok && isMap {
				return text, values, nil
			}
		}
	}
	return "", nil, invalid("Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. " +
		"Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string")
}

// maxEvaluated bounds what the functions of a template make in one stack: as many bytes as ten templates
// have. A join of what a split has split grows with each level, up to all the memory there is.
const maxEvaluated = 10 * maxTemplate

// A scope is what the references of a template mean in one stack.
type scope struct {
	values    map[string]any // of parameters and pseudo parameters
	resources map[string]*resource
	exported  func(name string) (string, error)
	spent     int // how much of maxEvaluated its functions have used
}

// spend counts the bytes that a function makes, before it makes them.
func (s *scope) spend(bytes int) error {
	if s.spent += bytes; s.spent > maxEvaluated {
		return invalid("Template error: the functions of the template make more than %d bytes", maxEvaluated)
	}
	return nil
}

// noValue is what AWS::NoValue stands for: the property that holds it is left out.
type noValue struct{}

// evaluate returns v with all functions replaced by their values.
func (s *scope) evaluate(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		list := make([]any, 0, len(v))
		for _, v := range v {
			e, err := s.evaluate(v)
			if err != nil {
				return nil, err
			}
			if _, none := e.(noValue); !none {
				list = append(list, e)
			}
		}
		return list, nil
	case map[string]any:
		if name, argument, ok := function(v); ok {
			return s.call(name, argument)
		}
		m := make(map[string]any, len(v))
		for _, key := range sorted(v) {
			e, err := s.evaluate(v[key])
			if err != nil {
				return nil, err
			}
			if _, none := e.(noValue); !none {
				m[key] = e
			}
		}
		return m, nil
	}
	return v, nil
}

func (s *scope) call(name string, argument any) (any, error) {
	const each = 64 // a value in memory; a template has room for 5000 calls
	if err := s.spend(each); err != nil {
		return nil, err
	}
	switch name {
	case "Ref":
		id, _ := argument.(string)
		return s.counted(s.reference(id))
	case "Fn::GetAtt":
		logical, attribute, err := getAtt(argument)
		if err != nil {
			return nil, err
		}
		return s.counted(s.attribute(logical, attribute))
	case "Fn::Sub":
		return s.substitute(argument)
	case "Fn::ImportValue":
		v, err := s.evaluate(argument)
		if err != nil {
			return nil, err
		}
		text, ok := scalarText(v)
		if !ok {
			return nil, invalid("Template error: the attribute in Fn::ImportValue must be a string")
		}
		exported, err := s.exported(text)
		return s.counted(exported, err)
	}
	list, err := s.arguments(name, argument)
	if err != nil {
		return nil, err
	}
	switch name {
	case "Fn::Join":
		separator, ok := list[0].(string)
		parts, isList := list[1].([]any)
		if !ok || !isList {
			return nil, invalid("Template error: every Fn::Join object requires two parameters, (1) a string delimiter and " +
				"(2) a list of strings to be joined")
		}
		texts, size := make([]string, len(parts)), len(separator)*len(parts)
		for i, v := range parts {
			if texts[i], ok = scalarText(v); !ok {
				return nil, invalid("Template error: every Fn::Join object requires strings to be joined")
			}
			size += len(texts[i])
		}
		if err := s.spend(size); err != nil {
			return nil, err
		}
		return strings.Join(texts, separator), nil
	case "Fn::Select":
		text, _ := scalarText(list[0])
		i, err := strconv.Atoi(text)
		from, isList := list[1].([]any)
		if err != nil || !isList || i < 0 || i >= len(from) {
			return nil, invalid("Template error: Fn::Select cannot select nonexistent value at index %s", text)
		}
		return from[i], nil
	default: // Fn::Split
		separator, ok := list[0].(string)
		text, isText := list[1].(string)
		if !ok || !isText || separator == "" {
			return nil, invalid("Template error: every Fn::Split object requires two parameters, (1) a string delimiter and " +
				"(2) a string to be split or a function that returns a string to be split.")
		}
		if err := s.spend(len(text)); err != nil {
			return nil, err
		}
		var parts []any
		for part := range strings.SplitSeq(text, separator) {
			parts = append(parts, part)
		}
		return parts, nil
	}
}

// counted counts a value that stands elsewhere and may be referred to often.
func (s *scope) counted(v any, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	size := len(list)
	for _, v := range list {
		text, _ := v.(string)
		size += len(text)
	}
	return v, s.spend(size)
}

// arguments evaluates the two arguments of a function.
func (s *scope) arguments(name string, argument any) ([]any, error) {
	list, ok := argument.([]any)
	if !ok || len(list) != 2 {
		return nil, invalid("Template error: every %s object requires two parameters", name)
	}
	out := make([]any, 2)
	for i, v := range list {
		var err error
		if out[i], err = s.evaluate(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *scope) reference(id string) (any, error) {
	if v, ok := s.values[id]; ok {
		return v, nil
	}
	if r := s.resources[id]; r != nil {
		return r.physical, nil
	}
	return nil, errUnresolved(id, "Resources")
}

func (s *scope) attribute(logical, attribute string) (any, error) {
	r := s.resources[logical]
	if r == nil {
		return nil, invalid("Template error: instance of Fn::GetAtt references undefined resource %s", logical)
	}
	v, ok := r.attribute(attribute)
	if !ok {
		return nil, invalid("Template error: resource %s does not support attribute type %s in Fn::GetAtt", logical, attribute)
	}
	return v, nil
}

func (s *scope) substitute(argument any) (any, error) {
	text, values, err := sub(argument)
	if err != nil {
		return nil, err
	}
	text = hole.ReplaceAllStringFunc(text, func(found string) string {
		if err != nil {
			return ""
		}
		name := strings.TrimSpace(found[2 : len(found)-1])
		var v any
		var problem error
		own, ok := values[name]
		logical, attribute, dotted := strings.Cut(name, ".")
		switch {
		case ok:
			v, problem = s.evaluate(own)
		case dotted:
			v, problem = s.attribute(logical, attribute)
		default:
			v, problem = s.reference(name)
		}
		text, ok := scalarText(v)
		switch {
		case problem != nil:
			err = problem
		case !ok:
			err = invalid("Template error: the value of ${%s} in Fn::Sub must be a string", name)
		default:
			err = s.spend(len(text))
		}
		return text
	})
	if err != nil {
		return nil, err
	}
	return strings.ReplaceAll(text, "${!", "${"), nil // ${!Literal} is how a template writes ${Literal}
}

// JSON returns an evaluated value as JSON, as for the policies that templates hold.
func JSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps, lists, strings, numbers that were JSON, bools and nils always have a JSON form
	}
	return string(b)
}
