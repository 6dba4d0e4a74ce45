package scenarios

import (
	"strings"

	"github.com/expr-lang/expr/ast"
	syntax "github.com/expr-lang/expr/parser"
	"gopkg.in/yaml.v3"
)

// condition reads an expression, or the name of a function of the processor. It checks what can be known
// now: the syntax, and that its variables are there.
func (p *parser) condition(n *yaml.Node) string {
	s, ok := p.raw(n, "ifTrue", "an expression")
	if !ok {
		return ""
	}
	if strings.TrimSpace(s) == "" {
		p.at(n, "", "ifTrue must not be empty")
		return ""
	}
	if strings.Contains(s, "{{") {
		p.at(n, "write the names of variables as they are", "an expression has no holes")
		return s
	}
	tree, err := syntax.Parse(s)
	if err != nil {
		p.at(n, "write a comparison such as a > 4 and b == \"x\", or the name of a function of the processor",
			"%s is not an expression", quote(s))
		return s
	}
	names := &identifiers{}
	ast.Walk(&tree.Node, names)
	for _, name := range names.found {
		if _, msg, hint := p.inFlow(name); msg != "" {
			p.at(n, hint, "%s", msg)
		}
	}
	return s
}

// identifiers collects the variables an expression reads.
type identifiers struct{ found []string }

// Visit is called for every part of an expression.
func (v *identifiers) Visit(node *ast.Node) {
	if n, ok := (*node).(*ast.IdentifierNode); ok && !contains(v.found, n.Value) {
		v.found = append(v.found, n.Value)
	}
}
