package scenarios

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// A source is one of the texts a script is made of. Lines are counted on through all of them while the script
// is read, so that a value knows its source by its line.
type source struct {
	name  string
	text  []byte
	above int // lines of the sources before it
}

// place returns the source that has a line, counted through all of them, and which of its own lines it is.
func (p *parser) place(line int) (file string, own int) {
	for _, s := range slices.Backward(p.sources) {
		if line > s.above {
			return s.name, line - s.above
		}
	}
	return p.file, 0
}

// there returns something at a place, to report a problem with.
func (p *parser) there(at Pos) *yaml.Node {
	for _, s := range p.sources {
		if s.name == at.File {
			return &yaml.Node{Line: s.above + at.Line, Column: at.Col}
		}
	}
	return &yaml.Node{}
}

// line says where n is, for hints.
func (p *parser) line(n *yaml.Node) string {
	file, line := p.place(n.Line)
	if file != p.file {
		return fmt.Sprintf("line %d of %s", line, file)
	}
	return fmt.Sprintf("line %d", line)
}

// refuse returns the error for what was found.
func (p *parser) refuse(found []*Problem) error {
	sortProblems(found)
	return &Problems{List: found, sources: p.sources}
}

// merged returns the script with everything the command line names merged over it, and nil if one of the texts
// cannot be read, which has then been said.
func (p *parser) merged() *yaml.Node {
	root := p.tree(p.sources[0].text)
	for _, t := range p.o.Over {
		over := p.another(t.File, t.Text)
		if root == nil || over == nil {
			root = nil
			continue // the next one may have problems of its own
		}
		if t.Processor {
			p.besides(over, t.File)
		}
		root = p.overlay(root, over, t.File, "the one in "+p.file)
	}
	if p.o.Overrides != "" {
		over := p.another(overrides, []byte(p.o.Overrides))
		if over != nil && over.Kind != yaml.MappingNode {
			p.at(over, `write '{"config": {"phases": [{"duration": 10, "arrivalRate": 5}]}}'`, "%s must be a JSON object, not %s", overrides, kind(over))
		}
		p.overrides = over
	}
	p.out.sources = p.sources
	if p.o.Overrides != "" && p.overrides == nil {
		return nil
	}
	return root
}

const overrides = "--overrides" // what problems in it are told of

// another reads one more text.
func (p *parser) another(name string, text []byte) *yaml.Node {
	q := newParser(name, text, Options{})
	root := q.tree(text)
	for _, x := range q.problems {
		p.add(x)
	}
	above := len(p.lines)
	p.sources = append(p.sources, source{name, text, above})
	p.lines = append(slices.Clip(p.lines), q.lines...)
	shift(root, above, map[*yaml.Node]bool{})
	return root
}

// shift adds to the lines of n, and of everything in it, once.
func shift(n *yaml.Node, lines int, done map[*yaml.Node]bool) {
	if n == nil || done[n] {
		return
	}
	done[n] = true
	n.Line += lines
	for _, c := range n.Content {
		shift(c, lines, done)
	}
}

// besides makes the path of a processor that a file names relative to the script's folder, not to the file's.
func (p *parser) besides(root *yaml.Node, file string) {
	n := lookup(lookup(root, "config"), "processor")
	if n == nil || n.Kind != yaml.ScalarNode || filepath.IsAbs(n.Value) || strings.Contains(n.Value, "{{") {
		return
	}
	n.Value = Beside(filepath.Join(filepath.Dir(file), n.Value), p.file)
}

// Beside returns a path as it is from the folder of a script: relative, or absolute if it cannot be.
func Beside(path, script string) string {
	if filepath.IsAbs(path) {
		return path
	}
	if rel, err := filepath.Rel(filepath.Dir(script), path); err == nil {
		return rel
	}
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path // nobody knows where we are
}

// override returns root with --overrides merged over it.
func (p *parser) override(root *yaml.Node) *yaml.Node {
	if p.overrides == nil || p.overrides.Kind != yaml.MappingNode {
		return root
	}
	return overlay(root, p.overrides)
}
