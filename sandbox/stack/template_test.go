package stack

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseArticle(t *testing.T) {
	got, err := Parse(Article)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.resources) != 20 || len(got.outputs) != 5 || got.capability() != "CAPABILITY_NAMED_IAM" {
		t.Errorf("got %d resources, %d outputs, capability %q", len(got.resources), len(got.outputs), got.capability())
	}
	at := map[string]int{}
	for i, d := range got.resources {
		at[d.logical] = i
		for _, need := range d.needs {
			if j, ok := at[need]; need != "Stage" && (!ok || j >= i) {
				t.Errorf("%s is made before %s, which it needs", d.logical, need)
			}
		}
	}
}

func wantError(t *testing.T, err error, code, message string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != code || !strings.Contains(e.Message, message) {
		t.Errorf("got %v, want %s: %s", err, code, message)
	}
}

func TestParseRefuses(t *testing.T) {
	const ok = "Resources: {A: {Type: AWS::S3::Bucket}}\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", " ", "the template is empty"},
		{"not an object", "[1]", "unsupported structure"},
		{"not YAML", "a: [", "YAML not well-formed"},
		{"broken JSON", `{"Resources": {]`, "YAML not well-formed"},
		{"no resources", "Resources: {}", "At least one Resources member must be defined."},
		{"too large", strings.Repeat(" ", maxTemplate+1), "less than or equal to 51200"},
		{"too deep", "Resources: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "nests deeper"},
		{"too deep in JSON", `{"Resources": ` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}", "nests deeper"},
		{"unknown section", ok + "Resorces: {}", "Invalid template property or properties [Resorces]"},
		{"mappings", ok + "Mappings: {}", "does not have the section Mappings"},
		{"version", ok + "AWSTemplateFormatVersion: 2011-09-09", "Unsupported AWSTemplateFormatVersion"},
		{"set twice", "Resources: {A: {Type: X, Type: Y}}", `"Type" is set twice`},
		{"YAML alias", "Resources: {A: &a {Type: X}, B: *a}", "YAML aliases are not allowed"},
		{"no type", "Resources: {A: {Properties: {}}}", "must contain a Type member"},
		{"bad name", "Resources: {A-1: {Type: X}}", "non alphanumeric"},
		{"unresolved", "Resources: {A: {Type: X, Properties: {P: !Ref B}}}", "Unresolved resource dependencies [B] in the Resources block"},
		{"unresolved in a text", "Resources: {A: {Type: X, Properties: {P: !Sub 'a ${B.Arn}'}}}", "[B]"},
		{"unresolved output", ok + "Outputs: {O: {Value: !GetAtt B.Arn}}", "Unresolved resource dependencies [B] in the Outputs block"},
		{"unresolved order", "Resources: {A: {Type: X, DependsOn: B}}", "[B]"},
		{"pseudo parameter", "Resources: {A: {Type: X, Properties: {P: !Ref 'AWS::Nonsense'}}}", "[AWS::Nonsense]"},
		{"circle", "Resources: {A: {Type: X, DependsOn: B}, B: {Type: X, Properties: {P: !Ref A}}, C: {Type: X}}", "Circular dependency between resources: [A, B]"},
		{"function", "Resources: {A: {Type: X, Properties: {P: !Cidr [a, b, c]}}}", "does not have the function Fn::Cidr"},
		{"function of conditions", "Resources: {A: {Type: X, Properties: {P: !Equals [a, b]}}}", "does not have the function Fn::Equals"},
		{"Ref of a list", "Resources: {A: {Type: X, Properties: {P: !Ref [a]}}}", "Every Ref object must have a single String value"},
		{"GetAtt of nothing", "Resources: {A: {Type: X, Properties: {P: !GetAtt A}}}", "requires two non-empty parameters"},
		{"Sub of a list", "Resources: {A: {Type: X, Properties: {P: !Sub [a]}}}", "Fn::Sub"},
		{"parameter type", ok + "Parameters: {P: {Type: List<Number>}}", "parameters of type List<Number>"},
		{"parameter without type", ok + "Parameters: {P: {Default: x}}", "must contain a Type member"},
		{"output without value", ok + "Outputs: {O: {}}", "must contain a Value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.text)
			wantError(t, err, "ValidationError", c.want)
		})
	}
}

func TestJSONAndYAMLAgree(t *testing.T) {
	want := `{"A":{"Properties":{"Date":"2012-10-17","Id":"012345678901","No":null,"Number":7,"P":{"Fn::GetAtt":["B","Arn"]},` +
		`"Q":{"Fn::Join":["-",[{"Ref":"B"},true,1.5]]},"R":{"Ref":"AWS::Region"}}}}`
	for name, text := range map[string]string{
		"YAML": "A:\n  Properties:\n    Date: 2012-10-17\n    Id: 012345678901\n    No: null\n    Number: 7\n    P: !GetAtt B.Arn\n" +
			"    Q: !Join ['-', [!Ref B, true, 1.5]]\n    R: !Ref AWS::Region\n",
		"JSON":           want,
		"JSON with tabs": strings.ReplaceAll(want, ":{", ":\n\t{"),
	} {
		got, err := tree(text)
		if err != nil || JSON(got) != want {
			t.Errorf("%s: got %s, %v, want %s", name, JSON(got), err, want)
		}
	}
}

func TestEvaluate(t *testing.T) {
	s := &scope{values: map[string]any{"Stage": "poc", "AWS::Region": "eu-west-2", "AWS::NoValue": noValue{}, "List": []any{"a", "b"}},
		resources: map[string]*resource{"Key": {physical: "k1", made: Made{"k1", map[string]string{"Arn": "arn:k1"}}}},
		exported: func(name string) (string, error) {
			if name == "mainKeyID" {
				return "exported", nil
			}
			return "", invalid("No export named %s found.", name)
		}}
	for _, c := range []struct{ name, in, want string }{
		{"Ref of a resource", "!Ref Key", `"k1"`},
		{"GetAtt", "!GetAtt Key.Arn", `"arn:k1"`},
		{"long GetAtt", "Fn::GetAtt: [Key, Arn]", `"arn:k1"`},
		{"Sub", "!Sub 'alias/x-${Stage}-${Key}-${Key.Arn}-${!Not}'", `"alias/x-poc-k1-arn:k1-${Not}"`},
		{"Sub with values", "!Sub ['${A}-${Stage}', {A: !Ref Key}]", `"k1-poc"`},
		{"Join", "!Join [':', [a, !Ref Stage, 1]]", `"a:poc:1"`},
		{"Join of a list", "!Join ['+', !Ref List]", `"a+b"`},
		{"Select and Split", "!Select [1, !Split ['-', a-b]]", `"b"`},
		{"ImportValue", "Fn::ImportValue: mainKeyID", `"exported"`},
		{"ImportValue of Sub", "!ImportValue {a: b}", "error"},
		{"NoValue", "{a: 1, b: !Ref AWS::NoValue, c: [!Ref AWS::NoValue, 2]}", `{"a":1,"c":[2]}`},
		{"unknown attribute", "!GetAtt Key.Nonsense", "error: does not support attribute type Nonsense"},
		{"unknown export", "!ImportValue nope", "error: No export named nope found."},
		{"Select beyond", "!Select [2, [a]]", "error: nonexistent value at index 2"},
		{"Join of maps", "!Join ['', [{a: 1}]]", "error: strings to be joined"},
		{"Split by nothing", "!Split ['', a]", "error: Fn::Split"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := tree("v: " + strings.ReplaceAll(c.in, "\n", ""))
			if strings.HasPrefix(c.in, "Fn::") {
				m, err = tree("v: {" + c.in + "}")
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.evaluate(m["v"])
			if wrong, ok := strings.CutPrefix(c.want, "error"); ok {
				wantError(t, err, "ValidationError", strings.TrimPrefix(wrong, ": "))
				return
			}
			if err != nil || JSON(got) != c.want {
				t.Errorf("got %s, %v, want %s", JSON(got), err, c.want)
			}
		})
	}
}

// TestEvaluateEnds has small templates make what would fill all memory, or take for ever.
func TestEvaluateEnds(t *testing.T) {
	many := strings.Repeat("a", 2000)
	nested := "'x'"
	for range 40 { // each level evaluates the one below twice
		nested = "!Sub ['${y}${y}', {y: " + nested + "}]"
	}
	for _, c := range []struct{ name, in string }{
		{"joined splits", "!Join [" + many + ", !Split [a, !Join [" + many + ", !Split [a, " + many + "]]]]"},
		{"a parameter over and over", "!Sub '" + strings.Repeat("${P}", 2000) + "'"},
		{"a list of it", "[" + strings.Repeat("!Ref P, ", 2000) + "]"},
		{"an export over and over", "[" + strings.Repeat("!ImportValue x, ", 2000) + "]"},
		{"a text over and over", "!Sub ['" + strings.Repeat("${y}", 2000) + "', {y: " + many + "}]"},
		{"twice at every level", nested},
		{"twice at every level, of nothing", strings.ReplaceAll(nested, "'x'", "''")},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := tree("v: " + c.in)
			if err != nil {
				t.Fatal(err)
			}
			s := &scope{values: map[string]any{"P": many}, exported: func(string) (string, error) { return many, nil }}
			_, err = s.evaluate(m["v"])
			wantError(t, err, "ValidationError", "the functions of the template make more than 512000 bytes")
		})
	}
}

func TestLimits(t *testing.T) {
	text := "Resources:\n"
	for i := range maxResources {
		text += fmt.Sprintf(" A%d: {Type: X}\n", i)
	}
	if _, err := Parse(text); err != nil {
		t.Errorf("%d resources: %v", maxResources, err)
	}
	_, err := Parse(text + " B: {Type: X}\n")
	wantError(t, err, "ValidationError", "Number of resources, 501, is greater than maximum allowed, 500")
	tpl, err := Parse("Parameters: {P: {Type: String}}\nResources: {A: {Type: X}}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tpl.values(map[string]string{"P": strings.Repeat("x", maxValue)}); err != nil {
		t.Error(err)
	}
	_, err = tpl.values(map[string]string{"P": strings.Repeat("x", maxValue+1)})
	wantError(t, err, "ValidationError", "less than or equal to 4096")
}

// FuzzParse checks that no text is too much: whatever is accepted can be evaluated without a panic.
func FuzzParse(f *testing.F) {
	f.Add(Article)
	f.Add(`{"Resources":{"A":{"Type":"AWS::KMS::Key","Properties":{"P":{"Fn::Join":["",[{"Ref":"AWS::Region"}]]}}}}}`)
	f.Add("Resources: {A: {Type: X, Properties: {P: !Sub ['${a}', {a: !Select [0, [1]]}]}}}")
	f.Add("Resources: {A: {Type: X, Properties: !Ref A}}")
	f.Add("Conditions: {C: !Not [!Equals [!Ref AWS::Region, x]], D: !And [!Condition C, !Or [!Condition C, {Condition: C}]]}\n" +
		"Resources: {A: {Type: X, Condition: C, Properties: {P: !If [D, [!Ref B], !Ref AWS::NoValue]}}, B: {Type: X, DependsOn: A}}\n" +
		"Outputs: {O: {Condition: D, Value: !If [C, !Ref A, b]}}")
	f.Fuzz(func(t *testing.T, text string) {
		tpl, err := Parse(text)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("error %v is no *Error", err)
			}
			return
		}
		if tpl, err = tpl.under(map[string]any{"AWS::Region": "x"}); err != nil {
			return
		}
		s := &scope{values: map[string]any{}, resources: map[string]*resource{}, exported: func(string) (string, error) { return "", nil }}
		for _, d := range tpl.resources {
			if v, err := s.evaluate(d.properties); err == nil {
				_ = JSON(v)
			}
			s.resources[d.logical] = &resource{logical: d.logical, physical: d.logical}
		}
	})
}
