package scenarios

import (
	"fmt"
	"strings"

	"loadkms/result"
)

// Language returns the page that describes the language, in Markdown. It is made from the tables Parse
// reads by.
func Language() []byte {
	var b strings.Builder
	b.WriteString(languageHead)
	for _, s := range pages {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| key | value | |\n|---|---|---|\n", s.title(), s.text())
		for _, r := range s.rows() {
			need := ""
			if r.need {
				need = "**required.** "
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s%s |\n", r.name, cell(r.shape.words), need, cell(r.doc))
		}
		if later := s.notYet(); len(later) > 0 {
			fmt.Fprintf(&b, "\nNot supported yet: `%s`.\n", strings.Join(later, "`, `"))
		}
		for i, r := range s.refusals() {
			if i == 0 {
				b.WriteString("\nNot supported, of Artillery's:\n\n")
			}
			fmt.Fprintf(&b, "- `%s`: %s\n", r.name, r.instead)
		}
	}
	b.WriteString("\n## Actions\n\nWhat `do` may say, and which keys the fault has then.\n\n" +
		"| action | keys | |\n|---|---|---|\n")
	for _, c := range catalog {
		keys := "`" + c.target + "`"
		if c.to {
			keys += ", `to`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.do, keys, cell(c.doc))
	}
	fmt.Fprintf(&b, "\nNot supported yet: `%s`.\n", strings.Join(actionsLater, "`, `"))
	b.WriteString("\n## Functions\n\nWhat holes in flows may call.\n\n| call | |\n|---|---|\n")
	for _, f := range functions {
		fmt.Fprintf(&b, "| `{{ %s(%s) }}` | %s |\n", f.name, f.args, cell(f.doc))
	}
	fmt.Fprintf(&b, "\nAnd fake data, under the names it has in Artillery: `%s`. The names it had earlier, such as `$randFullName`, work too.\n",
		strings.Join(fakerNames, "`, `"))
	b.WriteString("\n## Variables\n\nWhat holes in flows may name besides config's variables, columns of payloads, and what was captured.\n\n" +
		"| variable | |\n|---|---|\n")
	for _, v := range builtIns {
		fmt.Fprintf(&b, "| `{{ %s }}` | %s |\n", v.name, cell(v.doc))
	}
	fmt.Fprintf(&b, "\n## Classes\n\nEvery request ends in one of these: `%s`.\n",
		strings.Join(result.ClassNames(), "`, `"))
	fmt.Fprintf(&b, "\n## Metrics\n\nWhat `ensure` may name: %s. With a processor, also what its functions count.\n", metricsInShort())
	b.WriteString(languageTail)
	return []byte(b.String())
}

// cell is text in a Markdown table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

const languageHead = `# The language

<!-- Written by "loadkms schema --markdown" from the tables the parser reads by. Do not edit. -->

A script is one YAML file: the Artillery test-script dialect, made strict, plus faults. Keys that are
unknown, missing or set twice are problems with their place, and a script with a problem sends nothing.
Anchors, aliases and merge keys (` + "`<<`" + `) work.

**Numbers** are real, and may be texts: ` + "`arrivalRate: 0.5`, `\"90\"`" + `. **Durations** are numbers of seconds
or have units: ` + "`90`, `1.5`, `10s`, `2m30s`, `500ms`, `1h`, `2 days`" + `.

**Templates.** A text may have holes. In flows, ` + "`{{ name }}`" + ` is a variable of the virtual user, ` + "`{{ a.b }}`" + `, ` + "`{{ a[0] }}`" + ` and
` + "`{{ a['b'] }}`" + ` are parts of one, and ` + "`{{ $function(arguments) }}`" + ` a call. In config and faults, holes are filled once, from
` + "`config.variables`" + ` after the environment and ` + "`-v`" + ` have been applied; the targets of faults may use outputs of the stack,
` + "`{{ stack.NAME }}`" + `. ` + "`{{ $environment }}`" + ` is the name given with ` + "`-e`" + `, and in flows ` + "`{{ target }}`" + ` is the base URL.
A variable nobody sets is a problem, unless the script has a processor that may set it, or a payload without fields.
A flow may use what an earlier step of its own or of ` + "`before`" + ` captures, and in loops and parallel steps also what a later one does.
`

const languageTail = `
## Saner than Artillery

What a script means to Artillery it means to loadkms, as far as its keys are supported. Where Artillery
does something nobody can want, loadkms does not, and says so once when such a key is used.

| in the script | Artillery | loadkms |
|---|---|---|
| a list in an environment | is merged item by item | replaces the list |
| an unknown environment | is a warning | is a problem |
| an unknown key or step | is ignored, or sent as an HTTP method | is a problem |
| ` + "`arrivalRate: 0`" + ` | is skipped | is a pause |
| ` + "`arrivalRate: 0.5`, `duration: 1.5`" + ` | end the run | mean what they say |
| ` + "`maxVusers`" + ` | is divided among workers | counts all virtual users |
| ` + "`weight: 0.5`" + ` | is cut to 0 | is half as often as 1 |
| ` + "`think: 0.5`" + ` | is about a millisecond | is half a second |
| ` + "`probability: 100`" + ` | is 99 times out of 100 | is always |
| ` + "`count: 0`" + ` in a loop | never ends | is no pass |
| a loop without ` + "`count`, `over` or `whileTrue`" + ` | never ends | is a problem |
| ` + "`$loopElement`" + ` in a loop with ` + "`count`" + ` | stays what it is at first | counts |
| ` + "`qs`" + ` beside a URL with a query | replaces it | is added to it |
| ` + "`qs`" + ` or ` + "`form`" + ` with a list | is one text with commas | repeats the name |
| ` + "`multiple: false`" + ` with a path that may have several results | is a list, or the one result | is a list |
| ` + "`ifTrue`" + ` that is no expression, or names an unknown variable | is true, or false | is a problem |
| a check that does not hold | is counted, and the flow goes on | is a failed request, and ends the flow |
| a hook that names no function | is a warning | is a problem |
| a variable that is not set | is the text ` + "`undefined`" + ` | is a problem |
`
