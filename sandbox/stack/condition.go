package stack

import (
	"slices"
	"strings"
)

// A condition is a truth about the parameters, under which a template has some of its resources, outputs
// and values. All conditions of a template are known before anything is made: [Template.under] returns what
// is left of the template then, and nothing that comes after needs to know of conditions.

// conditionFunctions are what conditions are made of, with how many arguments each has at least and at most.
var conditionFunctions = map[string]struct{ least, most int }{
	"Fn::And": {2, 10}, "Fn::Or": {2, 10}, "Fn::Not": {1, 1}, "Fn::Equals": {2, 2}, "Condition": {1, 1},
}

// conditionCall reports whether v is a call of one of them, and returns its arguments.
func conditionCall(v any) (name string, arguments []any, err error) {
	m, _ := v.(map[string]any)
	if len(m) != 1 {
		return "", nil, errCondition()
	}
	for key, argument := range m {
		count, ok := conditionFunctions[key]
		if !ok {
			return "", nil, errCondition()
		}
		if name = key; name == "Condition" {
			if _, ok := argument.(string); !ok {
				return "", nil, invalid("Template format error: Every Condition member must be a string.")
			}
			return name, []any{argument}, nil
		}
		arguments, ok = argument.([]any)
		if !ok || len(arguments) < count.least || len(arguments) > count.most {
			return "", nil, invalid("Template error: every %s object requires a list of %d to %d parameters.", name, count.least, count.most)
		}
	}
	return name, arguments, nil
}

func errCondition() error {
	return invalid("Template format error: Conditions can only be boolean operations on parameters and other conditions")
}

func errUnknownCondition(name, block string) error {
	return invalid("Template format error: Unresolved condition dependency %s in the %s block of the template", name, block)
}

// readConditions reads the section Conditions. The parameters must have been read.
func (t *Template) readConditions(v any) error {
	if v == nil {
		return nil
	}
	all, ok := v.(map[string]any)
	if !ok {
		return invalid("Template format error: Conditions must be an object")
	}
	t.conditions = all
	done := map[string]bool{}
	for _, name := range sorted(all) {
		if !alphanumeric.MatchString(name) {
			return invalid("Template format error: Condition name '%s' is non alphanumeric.", name)
		}
		if err := t.readCondition(all[name], []string{name}, done); err != nil {
			return err
		}
		done[name] = true
	}
	return nil
}

// readCondition checks a condition and those it refers to, but for those that are done. within are the ones
// that lead here.
func (t *Template) readCondition(v any, within []string, done map[string]bool) error {
	name, arguments, err := conditionCall(v)
	if err != nil {
		return err
	}
	for _, argument := range arguments {
		switch name {
		case "Condition":
			other := argument.(string) // as conditionCall made sure
			of, ok := t.conditions[other]
			switch {
			case !ok:
				err = errUnknownCondition(other, "Conditions")
			case slices.Contains(within, other):
				err = invalid("Template format error: Circular dependencies between conditions: [%s]", strings.Join(within, ", "))
			case !done[other]:
				err = t.readCondition(of, append(slices.Clip(within), other), done)
				done[other] = true
			}
		case "Fn::Equals":
			err = t.readOperand(argument)
		default:
			err = t.readCondition(argument, within, done)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readOperand checks what a condition compares, which is known before there are any resources.
func (t *Template) readOperand(v any) error {
	if err := t.readIfs(v, "Conditions"); err != nil {
		return err
	}
	ids := map[string]bool{}
	if err := references(v, ids); err != nil {
		return err
	}
	for _, id := range sorted(ids) {
		if !t.knows(id) || strings.HasPrefix(id, "AWS::") && !slices.Contains(pseudo, id) {
			return invalid("Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", id)
		}
	}
	return nil
}

// readIfs checks that the conditions exist by which a value is chosen.
func (t *Template) readIfs(v any, block string) error {
	switch v := v.(type) {
	case []any:
		for _, v := range v {
			if err := t.readIfs(v, block); err != nil {
				return err
			}
		}
	case map[string]any:
		if name, argument, ok := function(v); ok && name == "Fn::If" {
			if block == "Conditions" { // where circles would have to be looked for, too
				return invalid("the sandbox does not have Fn::If within conditions")
			}
			condition, _, err := ifCall(argument)
			if err != nil {
				return err
			}
			if _, ok := t.conditions[condition]; !ok {
				return errUnknownCondition(condition, block)
			}
		}
		for _, key := range sorted(v) {
			if err := t.readIfs(v[key], block); err != nil {
				return err
			}
		}
	}
	return nil
}

// ifCall takes the argument of Fn::If apart.
func ifCall(argument any) (condition string, branches []any, err error) {
	list, _ := argument.([]any)
	if len(list) == 3 {
		condition, _ = list[0].(string)
	}
	if condition == "" {
		return "", nil, invalid("Template error: every Fn::If object requires a list of 3 parameters, the name of a condition first")
	}
	return condition, list[1:], nil
}

// under returns what the template is with these values of its parameters: without the resources and outputs
// whose condition does not hold, and with one of the two values of each Fn::If. Without conditions it is the
// template itself.
func (t *Template) under(values map[string]any) (*Template, error) {
	if len(t.conditions) == 0 {
		return t, nil
	}
	truths := map[string]bool{}
	sc := &scope{values: values, exported: func(string) (string, error) { return "", errCondition() }}
	for _, name := range sorted(t.conditions) {
		if _, err := t.truth(name, sc, truths); err != nil {
			return nil, err
		}
	}
	left := *t
	left.conditions, left.resources, left.outputs, left.types = nil, nil, nil, nil
	all := map[string]declaration{}
	for _, d := range t.resources {
		if d.condition == "" || truths[d.condition] {
			d.properties = choose(d.properties, truths).(map[string]any) // Properties is no call, as readResources made sure
			all[d.logical] = d
			left.types = append(left.types, d.kind)
		}
	}
	slices.Sort(left.types)
	left.types = slices.Compact(left.types)
	for _, name := range sorted(all) {
		d, needs := all[name], map[string]bool{}
		if err := references(d.properties, needs); err != nil {
			return nil, err
		}
		for _, id := range sorted(needs) {
			if _, ok := all[id]; !ok && !t.knows(id) {
				return nil, errUnresolved(id, "Resources")
			}
		}
		// One that only DependsOn has named may be missing: there is nothing to wait for.
		d.needs = slices.DeleteFunc(slices.Clone(d.needs), func(id string) bool { _, ok := all[id]; return !ok || !needs[id] && !d.after[id] })
		all[name] = d
	}
	for _, p := range t.outputs {
		if p.condition != "" && !truths[p.condition] {
			continue
		}
		p.value, p.export = choose(p.value, truths), choose(p.export, truths)
		needs := map[string]bool{}
		if err := references([]any{p.value, p.export}, needs); err != nil {
			return nil, err
		}
		for _, id := range sorted(needs) {
			if _, ok := all[id]; !ok && !t.knows(id) {
				return nil, errUnresolved(id, "Outputs")
			}
		}
		left.outputs = append(left.outputs, p)
	}
	var err error
	left.resources, err = inOrder(all)
	return &left, err
}

// truth tells whether a condition holds, and remembers it.
func (t *Template) truth(name string, sc *scope, truths map[string]bool) (bool, error) {
	if known, ok := truths[name]; ok {
		return known, nil
	}
	holds, err := t.holds(t.conditions[name], sc, truths)
	truths[name] = holds
	return holds, err
}

func (t *Template) holds(v any, sc *scope, truths map[string]bool) (bool, error) {
	name, arguments, err := conditionCall(v)
	if err != nil {
		return false, err
	}
	switch name {
	case "Condition":
		return t.truth(arguments[0].(string), sc, truths)
	case "Fn::Equals":
		var texts [2]string
		for i, argument := range arguments {
			v, err := sc.evaluate(argument)
			if err != nil {
				return false, err
			}
			var ok bool
			if texts[i], ok = scalarText(v); !ok {
				texts[i] = "\x00" + JSON(v) // a list is not the text that it looks like
			}
		}
		return texts[0] == texts[1], nil
	}
	decisive := name == "Fn::Or" // one such argument decides; Not has only one
	for _, argument := range arguments {
		holds, err := t.holds(argument, sc, truths)
		if err != nil || holds == decisive {
			return holds != (name == "Fn::Not"), err
		}
	}
	return !decisive != (name == "Fn::Not"), nil
}

// choose returns v with one of the two values of each Fn::If.
func choose(v any, truths map[string]bool) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = choose(v[i], truths)
		}
		return list
	case map[string]any:
		if name, argument, ok := function(v); ok && name == "Fn::If" {
			condition, branches, err := ifCall(argument)
			if err != nil {
				return v // it was checked when the template was read
			}
			if truths[condition] {
				return choose(branches[0], truths)
			}
			return choose(branches[1], truths)
		}
		m := make(map[string]any, len(v))
		for key := range v {
			m[key] = choose(v[key], truths)
		}
		return m
	}
	return v
}
