package stack

import (
	"fmt"
	"strings"
	"testing"
)

func TestConditionsRefuse(t *testing.T) {
	const ok = "\nResources: {A: {Type: X}}\n"
	for _, c := range []struct{ name, text, want string }{
		{"not an object", "Conditions: [1]" + ok, "Conditions must be an object"},
		{"bad name", "Conditions: {a-b: !Equals [a, b]}" + ok, "Condition name 'a-b' is non alphanumeric."},
		{"a text", "Conditions: {C: yes}" + ok, "can only be boolean operations"},
		{"no call", "Conditions: {C: {a: b}}" + ok, "can only be boolean operations"},
		{"two calls", "Conditions: {C: {'Fn::Not': [], 'Fn::And': []}}" + ok, "can only be boolean operations"},
		{"another function", "Conditions: {C: !Join ['', []]}" + ok, "can only be boolean operations"},
		{"And of one", "Conditions: {C: !And [!Equals [a, b]]}" + ok, "every Fn::And object requires a list of 2 to 10 parameters"},
		{"Or of eleven", "Conditions: {C: !Or [" + strings.Repeat("!Equals [a, b], ", 11) + "]}" + ok, "every Fn::Or object requires a list of 2 to 10"},
		{"Not of two", "Conditions: {C: !Not [a, b]}" + ok, "every Fn::Not object requires a list of 1 to 1"},
		{"Equals of no list", "Conditions: {C: !Equals a}" + ok, "every Fn::Equals object requires a list of 2 to 2"},
		{"condition of a list", "Conditions: {C: !Condition [a]}" + ok, "Every Condition member must be a string"},
		{"unknown condition", "Conditions: {C: !Condition D}" + ok, "Unresolved condition dependency D in the Conditions block"},
		{"unknown within", "Conditions: {C: !Not [!Condition D]}" + ok, "Unresolved condition dependency D in the Conditions block"},
		{"of itself", "Conditions: {C: !Not [!Condition C]}" + ok, "Circular dependencies between conditions: [C]"},
		{"circle", "Conditions: {C: !Condition D, D: !Not [!Condition E], E: !Condition C}" + ok, "Circular dependencies between conditions: [C, D, E]"},
		{"of a resource", "Conditions: {C: !Equals [!Ref A, b]}" + ok, "Unresolved dependencies [A]. Cannot reference resources in the Conditions block"},
		{"of an attribute", "Conditions: {C: !Equals [!GetAtt A.Arn, b]}" + ok, "Unresolved dependencies [A]"},
		{"of nothing", "Conditions: {C: !Equals [!Sub '${Z}', b]}" + ok, "Unresolved dependencies [Z]"},
		{"of a pseudo parameter that is none", "Conditions: {C: !Equals [!Ref 'AWS::Nonsense', b]}" + ok, "Unresolved dependencies [AWS::Nonsense]"},
		{"If within", "Conditions: {C: !Equals [!If [C, a, b], b]}" + ok, "does not have Fn::If within conditions"},
		{"unknown of a resource", "Resources: {A: {Type: X, Condition: C}}", "Unresolved condition dependency C in the Resources block"},
		{"list of a resource", "Resources: {A: {Type: X, Condition: [C]}}", "Every Condition member must be a string"},
		{"unknown of an output", ok + "Outputs: {O: {Value: a, Condition: C}}", "Unresolved condition dependency C in the Outputs block"},
		{"unknown of If", "Resources: {A: {Type: X, Properties: {P: [!If [C, a, b]]}}}", "Unresolved condition dependency C in the Resources block"},
		{"unknown of If in an output", ok + "Outputs: {O: {Value: !If [C, a, b]}}", "Unresolved condition dependency C in the Outputs block"},
		{"If of two", "Resources: {A: {Type: X, Properties: {P: !If [C, a]}}}", "every Fn::If object requires a list of 3 parameters"},
		{"If of a call", "Resources: {A: {Type: X, Properties: {P: !If [!Ref A, a, b]}}}", "every Fn::If object requires a list of 3 parameters"},
		{"unresolved in a branch", "Conditions: {C: !Equals [a, b]}\nResources: {A: {Type: X, Properties: {P: !If [C, !Ref Z, b]}}}", "Unresolved resource dependencies [Z]"},
		{"properties by If", "Conditions: {C: !Equals [a, b]}\nResources: {A: {Type: X, Properties: !If [C, {}, {}]}}", "Properties of resource A must be an object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.text)
			wantError(t, err, "ValidationError", c.want)
		})
	}
}

func TestConditions(t *testing.T) {
	for _, c := range []struct {
		condition string
		want      bool
	}{
		{"!Equals [!Ref Stage, poc]", true}, {"!Equals [!Ref Stage, Poc]", false}, {"!Equals [!Ref Number, 7]", true}, {"!Equals [!Ref Number, '7']", true},
		{"!Equals [!Ref Flag, true]", true}, {"!Equals [!Sub '${Stage}-x', poc-x]", true}, {"!Equals [!Join [',', !Ref List], 'a,b']", true},
		{"!Equals [!Ref List, [a, b]]", true}, {"!Equals [!Ref List, '[\"a\",\"b\"]']", false}, {"!Equals [!Select [1, !Ref List], b]", true},
		{"!Equals [!Ref AWS::Region, eu-west-2]", true}, {"!Not [!Equals [a, a]]", false}, {"!Not [!Equals [a, b]]", true},
		{"!And [!Equals [a, a], !Equals [b, b]]", true}, {"!And [!Equals [a, a], !Equals [b, c], !Equals [d, d]]", false},
		{"!Or [!Equals [a, b], !Equals [b, c]]", false}, {"!Or [!Equals [a, b], !Equals [b, b]]", true},
		{"!Condition Yes", true}, {"{Condition: No}", false}, {"!Not [Condition: No]", true},
		{"!And [!Condition Yes, !Or [!Condition No, !Not [!Condition No]]]", true}, {"'Fn::And': [{Condition: 'Yes'}, {'Fn::Not': [{Condition: 'Yes'}]}]", false},
	} {
		t.Run(c.condition, func(t *testing.T) {
			condition := c.condition
			if strings.HasPrefix(condition, "'") {
				condition = "{" + condition + "}"
			}
			tpl, err := Parse(`Parameters: {Stage: {Type: String}, Number: {Type: Number}, List: {Type: CommaDelimitedList}, Flag: {Type: String}}
Conditions: {Yes: !Equals [a, a], C: ` + condition + `, No: !Not [!Condition Yes]}
Resources: {A: {Type: X}, B: {Type: X, Condition: C}}`)
			if err != nil {
				t.Fatal(err)
			}
			left, err := tpl.under(map[string]any{"Stage": "poc", "Number": "7", "List": []any{"a", "b"}, "Flag": "true", "AWS::Region": "eu-west-2"})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(left.resources) == 2; got != c.want {
				t.Errorf("it holds: %v, want %v", got, c.want)
			}
		})
	}
}

// TestUnder decides the conditions of one template in both ways.
func TestUnder(t *testing.T) {
	tpl, err := Parse(`
Parameters: {Key: {Type: String, Default: ''}}
Conditions:
  Own: !Equals [!Ref Key, '']
  Other: !Not [!Condition Own]
Resources:
  K: {Type: T::Key, Condition: Own}
  L: {Type: T::Ledger, DependsOn: K, Properties: {Key: !If [Own, !Ref K, !Ref Key], Tags: [x, !If [Own, !Ref 'AWS::NoValue', {y: !If [Other, z, w]}]]}}
  M: {Type: T::Lock, Condition: Other, DependsOn: [K, L]}
Outputs:
  Main: {Value: !If [Own, !Ref K, !Ref Key]}
  Extra: {Value: !GetAtt K.Arn, Condition: Own, Export: {Name: !If [Own, extra, none]}}
`)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"":       `types [T::Key T::Ledger]; K[]; L[K] {"Key":"k1","Tags":["x"]}; Extra "arn:k1" as "extra"; Main "k1" as null`,
		"theirs": `types [T::Ledger T::Lock]; L[] {"Key":"theirs","Tags":["x",{"y":"z"}]}; M[L]; Main "theirs" as null`,
	} {
		left, err := tpl.under(map[string]any{"Key": key})
		if err != nil {
			t.Fatal(err)
		}
		sc := &scope{values: map[string]any{"Key": key, "AWS::NoValue": noValue{}},
			resources: map[string]*resource{"K": {physical: "k1", made: Made{"k1", map[string]string{"Arn": "arn:k1"}}}}}
		evaluate := func(v any) string {
			v, err := sc.evaluate(v)
			if err != nil {
				t.Fatal(err)
			}
			return JSON(v)
		}
		got := fmt.Sprint("types ", left.types)
		for _, d := range left.resources {
			got += fmt.Sprint("; ", d.logical, d.needs)
			if len(d.properties) > 0 {
				got += " " + evaluate(d.properties)
			}
		}
		for _, p := range left.outputs {
			got += fmt.Sprintf("; %s %s as %s", p.name, evaluate(p.value), evaluate(p.export))
		}
		if got != want {
			t.Errorf("with %q\n got %s\nwant %s", key, got, want)
		}
		if again, err := left.under(nil); err != nil || again != left {
			t.Errorf("what is left has conditions: %v", err)
		}
	}
	if len(tpl.resources) != 3 || len(tpl.outputs) != 2 {
		t.Error("the template itself has changed")
	}
}

func TestUnderRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a resource that is not made", "Resources: {A: {Type: X, Condition: No}, B: {Type: X, Properties: {P: !Ref A}}}", "[A] in the Resources block"},
		{"an output of one", "Resources: {A: {Type: X, Condition: No}, B: {Type: X}}\nOutputs: {O: {Value: !Ref A}}", "[A] in the Outputs block"},
		{"a condition that cannot be decided", "Resources: {A: {Type: X, Condition: Bad}}", "nonexistent value at index 5"},
		{"an import", "Resources: {A: {Type: X, Condition: Import}}", "can only be boolean operations"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conditions := "No: !Equals [a, b]"
			switch {
			case strings.Contains(c.text, "Bad"):
				conditions = "Bad: !Equals [!Select [5, [a]], b]"
			case strings.Contains(c.text, "Import"):
				conditions = "Import: !Equals [!ImportValue x, b]"
			}
			tpl, err := Parse("Conditions: {" + conditions + "}\n" + c.text)
			if err != nil {
				t.Fatal(err)
			}
			_, err = tpl.under(map[string]any{})
			wantError(t, err, "ValidationError", c.want)
		})
	}
}

// TestConditionsEnd has conditions that refer to the one before twice, 600 times over.
func TestConditionsEnd(t *testing.T) {
	text := "Resources: {A: {Type: X, Condition: C000}}\nConditions:\n  C600: !Equals [a, a]\n"
	for i := range 600 {
		text += fmt.Sprintf("  C%03d: !And [!Condition C%03d, !Condition C%03d]\n", i, i+1, i+1)
	}
	tpl, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	left, err := tpl.under(map[string]any{})
	if err != nil || len(left.resources) != 1 {
		t.Errorf("%d resources, %v", len(left.resources), err)
	}
}
