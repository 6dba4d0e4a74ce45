package answer

import (
	"fmt"
	"regexp"
	"strings"
)

// Filters of JSONPath-plus are JavaScript. What has a counterpart in RFC 9535 is translated:
//
//	@.a === 1          @.a == 1
//	@.a                true, 1, "x", [] and {}, but not false, 0, null and "": what JavaScript takes for true
//	@.a.length > 1     length(@.a) > 1
//	@.a.match(/x/i)    search(@.a, '(?i)x')
//	/x/.test(@.a)      search(@.a, 'x')
var filterTokens = regexp.MustCompile(`'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"` + // texts
	`|/((?:[^/\\]|\\.)+)/([a-z]*)\.test\(\s*(` + relative + `)\s*\)` + // 1, 2, 3
	`|(` + relative + `)\.match\(\s*/((?:[^/\\]|\\.)+)/([a-z]*)\s*\)` + // 4, 5, 6
	`|(` + relative + `)` + // 7
	`|===|!==|@[A-Za-z]\w*`)

const relative = `@(?:\.[A-Za-z_][\w]*|\[\d+\]|\['[^'\\]*'\]|\["[^"\\]*"\])*`

func translateFilter(source string) (string, error) {
	var out strings.Builder
	at := 0
	for _, m := range filterTokens.FindAllStringSubmatchIndex(source, -1) {
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return source[m[2*i]:m[2*i+1]]
		}
		out.WriteString(source[at:m[0]])
		token := source[m[0]:m[1]]
		before, after := strings.TrimRight(source[:m[0]], " "), strings.TrimLeft(source[m[1]:], " ")
		at = m[1]
		switch {
		case token == "===" || token == "!==":
			out.WriteString(token[:2])
		case token[0] == '\'' || token[0] == '"':
			out.WriteString(token)
		case group(1) != "":
			if err := writeSearch(&out, group(3), group(1), group(2)); err != nil {
				return "", err
			}
		case group(4) != "":
			if err := writeSearch(&out, group(4), group(5), group(6)); err != nil {
				return "", err
			}
		case strings.HasPrefix(after, "(") || token[0] == '@' && len(after) > 0 && token == "@" && isLetter(after[0]):
			return "", fmt.Errorf("%q in a filter is not supported", token+after)
		default:
			writeQuery(&out, token, before, after)
		}
	}
	out.WriteString(source[at:])
	return out.String(), nil
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// writeSearch writes the search for a regular expression.
func writeSearch(out *strings.Builder, query, expr, flags string) error {
	flags = strings.Trim(flags, "gu")
	if strings.Trim(flags, "ims") != "" {
		return fmt.Errorf("flags %q in a filter are not supported", flags)
	}
	if flags != "" {
		expr = "(?" + flags + ")" + expr
	}
	expr = strings.ReplaceAll(expr, `\/`, `/`)
	if _, err := regexp.Compile(expr); err != nil {
		return fmt.Errorf("%q is not a regular expression: %w", expr, err)
	}
	out.WriteString("search(" + query + ", '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(expr) + "')")
	return nil
}

// writeQuery writes what stands for a part of the element, in the light of what stands around it.
func writeQuery(out *strings.Builder, query, before, after string) {
	value := query
	if of, ok := strings.CutSuffix(query, ".length"); ok {
		value = "length(" + of + ")"
	}
	compared := after != "" && strings.ContainsRune("=!<>", rune(after[0])) ||
		before != "" && strings.ContainsRune("=<>", rune(before[len(before)-1]))
	argument := strings.HasSuffix(before, ",") || argumentStart.MatchString(before)
	switch {
	case compared || argument:
		out.WriteString(value)
	case value != query:
		out.WriteString("(" + value + " > 0)")
	case query == "@":
		out.WriteString("(@ != false && @ != null && @ != 0 && @ != '')")
	default:
		fmt.Fprintf(out, "(%[1]s && %[1]s != false && %[1]s != null && %[1]s != 0 && %[1]s != '')", query)
	}
}

// argumentStart is a call whose first argument comes next.
var argumentStart = regexp.MustCompile(`[a-z]\($`)
