package flow

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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
	mu        sync.Mutex // guards the rest; held while JavaScript runs, not while it waits for a timer
	runtime   *goja.Runtime
	functions []function
	events    *goja.Object
	stringify goja.Callable
	parse     goja.Callable
	present   *pending   // the call JavaScript runs for
	random    *rand.Rand // of the walk it is for, for Math.random
	metrics   Metrics
	timers    int           // how many were set, ever
	timeout   time.Duration // how long the timers of one call may take
	shared    *goja.Object  // what the variables of all users have in common, made for the first of them
	given     string        // the variables the flow before the load left, as JSON; "" means none
	halt      chan struct{} // closed when the run has ended
	stopped   atomic.Bool
}

// Metrics is what functions of the processor emit into. Its methods may be called from any goroutine.
type Metrics interface {
	Count(name string, n float64)   // events.emit("counter", name, n); also errors
	Observe(name string, v float64) // events.emit("histogram", name, v)
	Rate(name string)               // events.emit("rate", name)
}

// A function is one the processor exports.
type function struct {
	name   string
	call   goja.Callable
	params int64
}

// printer sends console.log to the run's log.
type printer struct{ log *logger }

func (p printer) Log(s string)   { p.log.line([]byte(s)) }
func (p printer) Warn(s string)  { p.log.line([]byte(s)) }
func (p printer) Error(s string) { p.log.line([]byte(s)) }

// loadProcessor runs the script's processor up to its exports.
func loadProcessor(s *scenarios.Script, log *logger, seed uint64, timeout time.Duration) (*processor, error) {
	file, err := filepath.Abs(filepath.Join(filepath.Dir(s.File), s.Config.Processor))
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", s.Config.Processor, err)
	}
	p := &processor{runtime: goja.New(), random: rand.New(rand.NewPCG(seed, 0)), timeout: timeout, halt: make(chan struct{})}
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

	_ = p.runtime.Set("setTimeout", p.setTimeout)
	_ = p.runtime.Set("clearTimeout", p.clearTimeout)
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
	_ = p.events.Set("emit", p.emit)
	p.parse, _ = goja.AssertFunction(p.runtime.Get("JSON").ToObject(p.runtime).Get("parse"))
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
func (p *processor) begin(m Metrics) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.metrics, p.halt = m, make(chan struct{})
	p.runtime.ClearInterrupt()
	p.stopped.Store(false)
}

func (p *processor) interrupt() {
	if !p.stopped.Swap(true) {
		close(p.halt)
	}
	p.runtime.Interrupt(errEnded)
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
	if _, ok := v.(*goja.Object); !ok {
		switch x := v.Export().(type) { // most variables, ten times as fast as by JSON.stringify
		case string:
			return valueOf(x, x)
		case bool:
			s := strconv.FormatBool(x)
			return value{true, s, s}
		case int64:
			s := strconv.FormatInt(x, 10)
			return value{true, s, s}
		case float64:
			s := v.String()
			if math.IsInf(x, 0) || math.IsNaN(x) {
				return value{true, s, "null"}
			}
			return value{true, s, s}
		}
	}
	written, err := p.stringify(goja.Undefined(), v)
	if err != nil || goja.IsUndefined(written) {
		return value{}
	}
	if _, ok := v.(*goja.Object); ok {
		return value{true, written.String(), written.String()}
	}
	return value{true, v.String(), written.String()}
}

// script returns v as JavaScript has it.
func (p *processor) script(v value) goja.Value {
	switch c := v.json[0]; {
	case c == '"':
		return p.runtime.ToValue(v.text)
	case v.json == "true", v.json == "false":
		return p.runtime.ToValue(v.json == "true")
	case c == '-' || '0' <= c && c <= '9':
		if n, err := strconv.ParseInt(v.json, 10, 64); err == nil && -1<<53 <= n && n <= 1<<53 {
			return p.runtime.ToValue(n)
		}
	}
	return p.fromJSON(v.json)
}

// reason returns what went wrong in JavaScript, and where.
func reason(err error) string {
	var exception *goja.Exception
	if errors.As(err, &exception) {
		return exception.Error()
	}
	return err.Error()
}
