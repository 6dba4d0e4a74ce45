package flow

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/console"
	"github.com/dop251/goja_nodejs/process"
	"github.com/dop251/goja_nodejs/require"
	"github.com/dop251/goja_nodejs/url"

	"loadkms/scenarios"
)

// A processor is the JavaScript of config.processor. There is one runtime for the whole run, so that
// a counter in it counts for the whole run; calls take turns.
type processor struct {
	mu        sync.Mutex // guards the rest; held while JavaScript runs
	runtime   *goja.Runtime
	functions []function
	events    *goja.Object
	stringify goja.Callable
	random    *rand.Rand // of the user being served, for Math.random
	stopped   atomic.Bool
}

// A function is one the processor exports.
type function struct {
	name   string
	call   goja.Callable
	params int64
}

// A scriptState is what a user's functions share during one flow.
type scriptState struct {
	context *goja.Object
	vars    *goja.Object
}

// printer sends console.log to the run's log.
type printer struct{ log *logger }

func (p printer) Log(s string)   { p.log.line([]byte(s)) }
func (p printer) Warn(s string)  { p.log.line([]byte(s)) }
func (p printer) Error(s string) { p.log.line([]byte(s)) }

// loadProcessor runs the script's processor up to its exports.
func loadProcessor(s *scenarios.Script, log *logger, seed uint64) (*processor, error) {
	file, err := filepath.Abs(filepath.Join(filepath.Dir(s.File), s.Config.Processor))
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", s.Config.Processor, err)
	}
	p := &processor{runtime: goja.New(), random: rand.New(rand.NewPCG(seed, 0))}
	missing := ""
	registry := require.NewRegistry(require.WithLoader(func(path string) ([]byte, error) {
		b, err := require.DefaultSourceLoader(path)
		if i := strings.LastIndex(path, "node_modules"+string(filepath.Separator)); err != nil && i >= 0 {
			missing = moduleName(filepath.ToSlash(path[i+len("node_modules/"):]))
		}
		// Node.js reads what is not UTF-8 as U+FFFD, too; faker 5.5.3 has such a file.
		return bytes.ToValidUTF8(b, []byte("\uFFFD")), err
	}))
	registry.RegisterNativeModule(console.ModuleName, console.RequireWithPrinter(printer{log}))
	modules := registry.Enable(p.runtime)
	p.runtime.Set("console", require.Require(p.runtime, console.ModuleName))
	process.Enable(p.runtime)
	url.Enable(p.runtime)
	p.runtime.SetRandSource(func() float64 { return p.random.Float64() })

	exports, err := modules.Require(filepath.ToSlash(file))
	if err != nil {
		if errors.Is(err, require.ModuleFileDoesNotExistError) || strings.Contains(err.Error(), require.InvalidModuleError.Error()) {
			if missing != "" {
				return nil, fmt.Errorf("%s requires the module %q, which is not in node_modules", s.Config.Processor, missing)
			}
			return nil, fmt.Errorf("the processor %s does not exist", s.Config.Processor)
		}
		return nil, fmt.Errorf("the processor %s: %s", s.Config.Processor, reason(err))
	}
	object, ok := exports.(*goja.Object)
	if !ok {
		return nil, fmt.Errorf("the processor %s exports nothing", s.Config.Processor)
	}
	for _, name := range object.Keys() {
		v := object.Get(name)
		if call, ok := goja.AssertFunction(v); ok {
			p.functions = append(p.functions, function{name, call, v.ToObject(p.runtime).Get("length").ToInteger()})
		}
	}
	p.events = p.runtime.NewObject()
	_ = p.events.Set("emit", func(goja.FunctionCall) goja.Value { return goja.Undefined() })
	p.stringify, _ = goja.AssertFunction(p.runtime.Get("JSON").ToObject(p.runtime).Get("stringify"))
	return p, nil
}

// moduleName returns the module a path below node_modules belongs to.
func moduleName(path string) string {
	parts := strings.SplitN(path, "/", 3)
	name := parts[0]
	if strings.HasPrefix(name, "@") && len(parts) > 1 {
		name += "/" + parts[1]
	}
	return strings.TrimSuffix(strings.TrimSuffix(name, ".json"), ".js")
}

func (p *processor) find(name string) (int, bool) {
	for i := range p.functions {
		if p.functions[i].name == name {
			return i, true
		}
	}
	return 0, false
}

func (p *processor) names() (names []string) {
	for _, f := range p.functions {
		names = append(names, f.name)
	}
	return names
}

// begin makes p ready for a run; an earlier one has interrupted it.
func (p *processor) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runtime.ClearInterrupt()
	p.stopped.Store(false)
}

func (p *processor) interrupt() {
	p.stopped.Store(true)
	p.runtime.Interrupt(errEnded)
}

// call calls the function w waits for. It blocks while other walks' functions run.
func (w *walk) call() error { return w.user.program.processor.call(w) }

// call calls the function of w's present op as Artillery does: with a callback, or awaiting the
// promise of an async function. A function that takes no callback is through when it returns. What it
// set in context.vars are u's variables afterwards. It blocks while other users' functions run.
func (p *processor) call(w *walk) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped.Load() {
		return errEnded
	}
	u := w.user
	f := &p.functions[w.op().call]
	p.random = w.dice
	state := p.state(u)
	called, failure := false, goja.Value(nil)
	callback := func(c goja.FunctionCall) goja.Value {
		called, failure = true, c.Argument(0)
		return goja.Undefined()
	}
	// When the outermost call returns, goja has run all jobs of promises that can run.
	returned, err := f.call(goja.Undefined(), state.context, p.events, p.runtime.ToValue(callback))
	if err != nil {
		return fmt.Errorf("function %s: %s", f.name, reason(err))
	}
	if promise, ok := returned.Export().(*goja.Promise); ok {
		switch promise.State() {
		case goja.PromiseStateRejected:
			return fmt.Errorf("function %s: %s", f.name, promise.Result())
		case goja.PromiseStatePending:
			if !called {
				return fmt.Errorf("function %s: its promise waits for something that does not happen here, such as a timer or the network", f.name)
			}
		}
	} else if !called && f.params >= 3 {
		return fmt.Errorf("function %s: it returned without calling its callback", f.name)
	}
	if failure != nil && failure.ToBoolean() {
		return fmt.Errorf("function %s: %s", f.name, failure)
	}
	for i, path := range u.program.paths {
		u.slots[i] = p.read(state.vars, path.path)
	}
	return nil
}

// state returns what u's functions share, making it for the first one of a flow.
func (p *processor) state(u *user) *scriptState {
	if u.script != nil {
		return u.script
	}
	vars := p.runtime.NewObject()
	for i, v := range u.program.variables {
		_ = vars.Set(v.name, v.typed[u.picks[i]])
	}
	named := p.runtime.NewObject()
	_ = named.Set("name", u.scenario.name)
	context := p.runtime.NewObject()
	_ = context.Set("vars", vars)
	_ = context.Set("scenario", named)
	_ = context.Set("funcs", p.runtime.NewObject())
	_ = context.Set("_uid", strconv.FormatUint(u.seq, 10))
	u.script = &scriptState{context, vars}
	return u.script
}

// read returns the value at path. Null and undefined are none.
func (p *processor) read(at *goja.Object, path []string) value {
	for i, name := range path {
		v := at.Get(name)
		if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
			return value{}
		}
		if i == len(path)-1 {
			return p.value(v)
		}
		next, ok := v.(*goja.Object)
		if !ok {
			return value{}
		}
		at = next
	}
	return value{}
}

// value returns v as text and as JSON. Objects are JSON as text too; what JSON cannot hold (a function)
// has no value.
func (p *processor) value(v goja.Value) value {
	written, err := p.stringify(goja.Undefined(), v)
	if err != nil || goja.IsUndefined(written) {
		return value{}
	}
	if _, ok := v.(*goja.Object); ok {
		return value{true, written.String(), written.String()}
	}
	return value{true, v.String(), written.String()}
}

// reason returns what went wrong in JavaScript, and where.
func reason(err error) string {
	var exception *goja.Exception
	if errors.As(err, &exception) {
		return exception.Error()
	}
	return err.Error()
}
