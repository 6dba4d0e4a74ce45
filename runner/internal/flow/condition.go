package flow

import (
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"loadkms/scenarios"
)

// A condition is the expression of an ifTrue.
type condition struct {
	program *vm.Program
	names   []string // the variables it reads
	refs    []ref
}

// condition compiles the condition of st, and returns the index of the op that skips its request: a call,
// if it names a function of the processor.
func (c *compiler) condition(st *scenarios.Step) int {
	if c.p.processor != nil {
		if _, ok := c.p.processor.find(st.If); ok {
			return c.call(scenarios.Func{Pos: st.IfPos, Name: st.If}, ifHook)
		}
	}
	out := &condition{}
	identifiers := &reader{seen: map[string]bool{}}
	var err error
	out.program, err = expr.Compile(st.If, expr.AllowUndefinedVariables(), expr.Patch(identifiers), expr.Patch(numbers{}))
	if err != nil {
		c.problem(st.IfPos, "write a comparison such as a > 4, or the name of a function of the processor", "%q is not an expression", st.If)
	}
	for _, name := range identifiers.names {
		if x := c.variable(name); c.processor || c.declared[name] || len(c.loops) > 0 && c.names[name] != x {
			out.names = append(out.names, name)
			out.refs = append(out.refs, c.part(x, nil))
		} // any other has no value, and so nothing about it is true
	}
	return c.add(op{kind: conditions, at: st.IfPos, step: -1, condition: out})
}

// holds reports whether the condition is true for w. As in JavaScript, anything but false, 0, an empty
// text and nothing is true. What cannot be compared is false.
func (w *walk) holds(k *condition) bool {
	if w.env == nil {
		w.env = map[string]any{}
	}
	clear(w.env)
	for i, name := range k.names {
		if v := w.value(k.refs[i]).typed(); v != nil {
			w.env[name] = v
		}
	}
	result, err := expr.Run(k.program, w.env)
	if err != nil {
		return false
	}
	switch v := result.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case int:
		return v != 0
	case float64:
		return v != 0 && v == v
	}
	return true
}

// A reader notes which variables an expression reads.
type reader struct {
	names []string
	seen  map[string]bool
}

// Visit is called for every node.
func (r *reader) Visit(node *ast.Node) {
	if n, ok := (*node).(*ast.IdentifierNode); ok && !r.seen[n.Value] {
		r.seen[n.Value] = true
		r.names = append(r.names, n.Value)
	}
}

// numbers makes a text that is compared with a number a number, as Artillery's expressions do: what was
// captured from a header or read from a file may be one.
type numbers struct{}

// Visit is called for every node.
func (numbers) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.BinaryNode)
	if !ok {
		return
	}
	switch n.Operator {
	case "<", ">", "<=", ">=", "==", "!=":
	default:
		return
	}
	left, right := isNumber(n.Left), isNumber(n.Right)
	if left == right {
		return
	}
	if left {
		n.Right = &ast.BuiltinNode{Name: "float", Arguments: []ast.Node{n.Right}}
	} else {
		n.Left = &ast.BuiltinNode{Name: "float", Arguments: []ast.Node{n.Left}}
	}
}

func isNumber(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return true
	case *ast.UnaryNode:
		return (n.Operator == "-" || n.Operator == "+") && isNumber(n.Node)
	}
	return false
}
