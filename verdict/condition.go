package verdict

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"loadkms/result"
	"loadkms/scenarios"
)

// A formula is a condition ready to be evaluated.
type formula struct {
	program *vm.Program
	names   []string // of the metrics in it, in the order of their variables
}

// compile compiles a condition: arithmetic, comparisons, and, or, not, in, and the functions abs, ceil,
// floor, round, min, max, sqrt and log. As in Artillery, the names of metrics are replaced as texts, so that
// they may hold dots, dashes and blanks.
func compile(source string, known []string) (*formula, error) {
	text, names := rewrite(source, known)
	program, err := expr.Compile(text, append(functions, expr.Env(environment(make([]float64, len(names)))), expr.AsBool())...)
	if err != nil {
		return nil, errors.New(complaint(err, names))
	}
	return &formula{program, names}, nil
}

// functions are those the library does not have, or has for whole numbers only. The list is never appended to in
// place: its capacity is its length.
var functions = slices.Clip([]expr.Option{
	expr.Function("sqrt", numeric(func(x []float64) float64 { return math.Sqrt(x[0]) }), new(func(float64) float64), new(func(int) float64)),
	expr.Function("log", numeric(func(x []float64) float64 { return math.Log(x[0]) }), new(func(float64) float64), new(func(int) float64)),
	expr.Function("remainder", numeric(func(x []float64) float64 { return math.Mod(x[0], x[1]) }),
		new(func(float64, float64) float64), new(func(float64, int) float64), new(func(int, float64) float64)),
	expr.Operator("%", "remainder"),
})

// numeric makes f callable with any numbers an expression has; how many is known when it is compiled.
func numeric(f func([]float64) float64) func(...any) (any, error) {
	return func(args ...any) (any, error) {
		x := make([]float64, len(args))
		for i, a := range args {
			switch a := a.(type) {
			case float64:
				x[i] = a
			case int:
				x[i] = float64(a)
			default:
				return nil, fmt.Errorf("%v is not a number", a)
			}
		}
		return f(x), nil
	}
}

// environment returns the variables of an expression, with the values of its metrics.
func environment(values []float64) map[string]any {
	env := map[string]any{}
	for i, v := range values {
		env[variable(i)] = v
	}
	return env
}

// variable returns the name of the variable that stands for metric i.
func variable(i int) string { return fmt.Sprintf("metric_%d_", i) }

// complaint says what is wrong with a condition, in its own words.
func complaint(err error, names []string) string {
	text := err.Error()
	if at := (*file.Error)(nil); errors.As(err, &at) {
		text = at.Message
	}
	for i, name := range names {
		text = strings.ReplaceAll(text, variable(i), name)
	}
	return text
}

// holds evaluates f with the values of its metrics.
func (f *formula) holds(values []float64) (bool, error) {
	got, err := expr.Run(f.program, environment(values))
	if err != nil {
		return false, errors.New(complaint(err, f.names))
	}
	return got.(bool), nil // expr.AsBool has seen to it
}

// condition judges one condition of config.ensure.
func (j *judge) condition(s scenarios.Condition) {
	c := result.Check{Name: s.Source, Fault: -1, Scope: runScope, Want: "to hold", Outcome: result.Pass, Where: where(s.Pos), Lax: s.Lax}
	f, err := compile(s.Source, j.spellings())
	if err != nil {
		c.Got, c.Outcome = err.Error(), result.Inconclusive
		j.add(c, fmt.Sprintf("the condition %q could not be checked: %v", s.Source, err))
		return
	}
	var values [3][]float64 // with the metrics' high, low and excused values
	var told, why []string
	for _, name := range f.names {
		m, standing := j.metric(name)
		got := trim(m.high, 3) + unit(name)
		switch standing {
		case absent:
			got = "0 (nothing of that name occurred)"
		case blank, unknown:
			got = "not known"
			why = append(why, fmt.Sprintf("of %s, %s", name, whyNot(standing)))
		}
		told = append(told, name+" = "+got)
		values[0], values[1], values[2] = append(values[0], m.high), append(values[1], m.low), append(values[2], m.without)
	}
	c.Got = strings.Join(told, ", ")
	if c.Got == "" {
		c.Got = "no metric in it"
	}
	if len(why) > 0 {
		c.Outcome = result.Inconclusive
		j.add(c, fmt.Sprintf("the condition %q could not be checked: %s", s.Source, strings.Join(why, "; ")))
		return
	}
	var held [3]bool
	for i := range values {
		if held[i], err = f.holds(values[i]); err != nil {
			c.Outcome = result.Inconclusive
			j.add(c, fmt.Sprintf("the condition %q could not be checked: %v (%s)", s.Source, err, c.Got))
			return
		}
	}
	reason := fmt.Sprintf("the condition %q did not hold: %s", s.Source, c.Got)
	switch {
	case held[0] && held[1]:
	case held[0] != held[1]:
		c.Outcome = result.Inconclusive
		reason = fmt.Sprintf("whether the condition %q held is not known: the run does not hold enough to tell exactly (%s)", s.Source, c.Got)
	case held[2]:
		c.Outcome = result.Inconclusive
		reason += ", but " + j.excuse()
	default:
		c.Outcome = result.Fail
	}
	j.add(c, reason)
}

// Check finds the conditions of s that cannot be evaluated, and those that name a metric no run has. Its
// error is a *scenarios.Problems.
func Check(s *scenarios.Script) error {
	// A run of the script that has not begun has the names of its steps, and those are all it takes.
	run := &result.Run{}
	for _, sc := range s.Scenarios {
		for name := range requestNames(sc.Flow) {
			run.Steps = append(run.Steps, result.Step{Name: name})
		}
	}
	j := newJudge(s, run)
	var problems []*scenarios.Problem
	for _, c := range s.Config.Conditions {
		problem := func(format string, args ...any) {
			problems = append(problems, &scenarios.Problem{
				File: c.File, Line: c.Line, Col: c.Col, Msg: fmt.Sprintf(format, args...),
			})
		}
		f, err := compile(c.Source, j.spellings())
		if err != nil {
			problem("the condition %q cannot be evaluated: %v", c.Source, err)
			continue
		}
		for _, name := range f.names {
			if _, s := j.metric(name); s == unknown {
				problem("no run has a metric called %q", name)
			}
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return s.Problems(problems)
}

// requestNames yields the names of the requests in flow, inner ones too.
func requestNames(flow []scenarios.Step) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range flow {
			s := &flow[i]
			if s.Kind == scenarios.Request && !yield(s.Name) {
				return
			}
			for name := range requestNames(s.Steps) {
				if !yield(name) {
					return
				}
			}
		}
	}
}

// words of expressions that are no metrics.
var reserved = []string{"and", "or", "not", "in", "true", "false", "nil"}

// rewrite replaces every metric in source by a variable, and the round brackets of Artillery's "in (1, 2)" by
// square ones. A metric is the longest name of known that stands there, or any other word with dots that is
// not called. A known name that ends with a dot goes on with whatever word follows.
func rewrite(source string, known []string) (text string, names []string) {
	known = slices.DeleteFunc(slices.Clone(known), func(name string) bool { return !nameable(name) })
	slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
	var out strings.Builder
	var closing []byte // of the brackets that are open
	list := false      // a list follows
	for rest := source; rest != ""; {
		was := list
		list = false
		n, metric := 1, false
		switch c := rest[0]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			out.WriteByte(c)
			list = was
		case c == '"' || c == '\'' || c == '`':
			n = quoted(rest)
			out.WriteString(rest[:n])
		case c == '(' && was:
			out.WriteByte('[')
			closing = append(closing, ']')
		case c == '(':
			out.WriteByte(c)
			closing = append(closing, ')')
		case c == ')' && len(closing) > 0:
			out.WriteByte(closing[len(closing)-1])
			closing = closing[:len(closing)-1]
		default:
			if n, metric = match(rest, known); metric {
				break
			}
			n = word(rest)
			switch w := rest[:max(n, 1)]; {
			case n == 0:
				n = 1
				out.WriteByte(c)
			case digit(c), slices.Contains(reserved, w), strings.HasPrefix(strings.TrimLeft(rest[n:], " \t"), "("):
				out.WriteString(w)
				list = w == "in"
			default:
				metric = true
			}
		}
		if metric {
			i := slices.Index(names, rest[:n])
			if i < 0 {
				i, names = len(names), append(names, rest[:n])
			}
			out.WriteString(variable(i))
		}
		rest = rest[n:]
	}
	return out.String(), names
}

// match returns the length of the longest of known, which are sorted so, that rest begins with.
func match(rest string, known []string) (int, bool) {
	for _, name := range known {
		after, ok := strings.CutPrefix(rest, name)
		switch {
		case !ok:
		case strings.HasSuffix(name, "."):
			if n := word(after); n > 0 {
				return len(name) + n, true
			}
		case !wordly(name[len(name)-1]) || word("x"+after) == 1:
			return len(name), true
		}
	}
	return 0, false
}

// word returns the length of the word, with dots inside it, that s begins with.
func word(s string) int {
	n := 0
	for n < len(s) && (wordly(s[n]) || s[n] == '.' && n > 0 && n+1 < len(s) && wordly(s[n+1])) {
		n++
	}
	return n
}

func wordly(c byte) bool {
	return digit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c >= 0x80
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// nameable reports whether a metric can be told from the rest of an expression: it is no number and no
// word of the language.
func nameable(name string) bool {
	return name != "" && !digit(name[0]) && (wordly(name[0]) && !slices.Contains(reserved, name))
}

// quoted returns the length of the text in quotes that s begins with.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] != '`':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}
